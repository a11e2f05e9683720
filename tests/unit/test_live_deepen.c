/* test_live_deepen - when the live source asks for deeper snapshots. Transport and REST only
 * pretend: the functions of rest.h stand here in place of the thread's. */
#include "feeds/live.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define S 1000000000ll

static md_clock_manual_t    now;
static md_clock_t           test_clock;
static md_transport_event_t event;
static uint32_t             event_cnt;
static md_feed_live_t      *live;
static md_source_t          source;

/* ---- REST ---- */

static uint32_t spare, once_cnt, once_weight;
static char     once_url[512], snapshot_url[512];

md_err_t
md_rest_ask(md_rest_client_t *c, const char *url, uint32_t weight) {
  (void)c;
  (void)weight;
  (void)snprintf(snapshot_url, sizeof snapshot_url, "%s", url);
  return MD_OK;
}

md_err_t
md_rest_ask_paced(md_rest_client_t *c, const char *url, uint32_t weight) {
  (void)c;
  (void)url;
  (void)weight;
  return MD_OK;
}

md_err_t
md_rest_ask_once(md_rest_client_t *c, const char *url, uint32_t weight) {
  (void)c;
  (void)snprintf(once_url, sizeof once_url, "%s", url);
  once_weight = weight;
  once_cnt++;
  return MD_OK;
}

uint32_t
md_rest_spare(const md_rest_client_t *c) {
  (void)c;
  return spare;
}

md_err_t
md_rest_take(md_rest_client_t *c, md_input_t *out) {
  (void)c;
  (void)out;
  return MD_ERR_EMPTY;
}

int64_t
md_rest_took_ns(const md_rest_client_t *c) {
  (void)c;
  return -1;
}

void
md_rest_counts(const md_rest_client_t *c, md_rest_counts_t *out) {
  (void)c;
  *out = (md_rest_counts_t){0};
}

/* ---- the transport ---- */

static md_err_t
fake_open(const md_transport_config_t *cfg, md_transport_t **out, md_msg_t *msg) {
  (void)cfg;
  (void)msg;
  *out = (md_transport_t *)&event;
  return MD_OK;
}

static void
fake_close(md_transport_t *t) {
  (void)t;
}

static md_err_t
fake_connect(md_transport_t *t, const char *url, uint32_t *connection, md_msg_t *msg) {
  (void)t;
  (void)url;
  (void)msg;
  *connection = 0;
  return MD_OK;
}

static md_err_t
fake_send(md_transport_t *t, uint32_t connection, const char *text, uint32_t len) {
  (void)t;
  (void)connection;
  (void)text;
  (void)len;
  return MD_OK;
}

static void
fake_disconnect(md_transport_t *t, uint32_t connection, uint16_t code) {
  (void)t;
  (void)connection;
  (void)code;
}

static uint32_t
fake_poll(md_transport_t *t, int64_t max_ns, const md_transport_event_t **out) {
  static md_transport_event_t given;
  uint32_t                    cnt = event_cnt;
  (void)t;
  (void)max_ns;
  given     = event;
  event_cnt = 0;
  *out      = &given;
  return cnt;
}

static void
fake_counts(const md_transport_t *t, md_transport_counts_t *out) {
  (void)t;
  *out = (md_transport_counts_t){0};
}

static const md_transport_ops_t fake_ops = {"fake",    fake_open,       fake_close, fake_connect,
                                            fake_send, fake_disconnect, fake_poll,  fake_counts};

/* ---- the source ---- */

static char told[256]; /* the TIMER inputs since the last step, one behind the other */

static void
step(int64_t ns) {
  md_input_t in;
  int64_t    due;
  md_msg_t   msg;
  now.mono_ns += ns;
  now.real_ns += ns;
  told[0] = 0;
  while (source.next(source.ctx, &in, &due, &msg) == MD_OK) {
    size_t len = strlen(told);
    if (in.kind == MD_RAW_TIMER)
      (void)snprintf(told + len, sizeof told - len, "%.*s.", (int)in.len, (const char *)in.payload);
  }
}

static void
happen(md_transport_kind_t kind) {
  static uint8_t nothing[MD_FRAME_PAD_BYTES];
  event     = (md_transport_event_t){.kind = kind, .payload = nothing, .recv_ns = now.real_ns};
  event_cnt = 1;
}

/* Three symbols and 81 in a minute: 25 each is too much at once, so books begin with 100 levels,
 * and 15 are kept back for them. */
static void
init(void) {
  md_msg_t                    msg = {0};
  const md_feed_live_config_t cfg = {.name           = "binance_spot",
                                     .venue          = md_venue_find("binance_spot"),
                                     .symbols        = "BTCUSDT ETHUSDT BNBUSDT",
                                     .channels       = "depth",
                                     .symbol_cnt_max = 10,
                                     .weight_per_min = 81,
                                     .seed           = 1,
                                     .clock          = &test_clock,
                                     .transport      = &fake_ops};
  now                             = (md_clock_manual_t){.real_ns = 1000 * S, .mono_ns = 1000 * S};
  test_clock                      = md_clock_manual(&now);
  cr_assert_eq(md_feed_live_open(&cfg, &live, &msg), MD_OK, "%s", msg.text);
  source = md_feed_live_source(live);
  spare  = 81;
  step(0);
  happen(MD_TRANSPORT_OPEN);
  step(S);
}

static void
fini(void) {
  source.close(source.ctx);
}

TestSuite(live_deepen, .init = init, .fini = fini);

static bool
asked(const char *symbol, uint32_t limit) {
  char end[64];
  (void)snprintf(end, sizeof end, "symbol=%s&limit=%u", symbol, limit);
  return strstr(once_url, end) != NULL;
}

Test(live_deepen, the_feed_is_told_and_the_next_number_of_levels_asked_for) {
  md_feed_live_tell_depth(live, "ETHUSDT", 100, 100);
  step(3 * S);
  cr_assert_str_eq(told, "deepen ETHUSDT.");
  cr_assert(asked("ETHUSDT", 500), "%s", once_url);
  cr_assert_eq(once_weight, 25);
  step(3 * S);
  cr_assert_eq(once_cnt, 1, "one at a time");
  cr_assert_str_eq(told, "");
}

Test(live_deepen, nothing_is_asked_for_without_weight_for_every_book_beside_it) {
  md_feed_live_tell_depth(live, "ETHUSDT", 100, 100);
  spare = 39;
  step(3 * S);
  cr_assert_eq(once_cnt, 0);
  cr_assert_str_eq(told, "");
  spare = 40;
  step(3 * S);
  cr_assert_eq(once_cnt, 1);
}

Test(live_deepen, a_book_that_needs_a_snapshot_at_once_goes_first) {
  md_feed_live_tell_depth(live, "ETHUSDT", 100, 100);
  md_feed_live_request_snapshot(live, 1, "BTCUSDT");
  step(S);
  cr_assert(strstr(snapshot_url, "symbol=BTCUSDT&limit=100"), "%s", snapshot_url);
  step(S);
  cr_assert_eq(once_cnt, 0, "others may follow it");
  step(2 * S);
  cr_assert_eq(once_cnt, 1);
}

Test(live_deepen, those_that_know_least_come_first) {
  md_feed_live_tell_depth(live, "BTCUSDT", 500, 500);
  md_feed_live_tell_depth(live, "ETHUSDT", 0, 0);
  md_feed_live_tell_depth(live, "BNBUSDT", 100, 100);
  step(3 * S);
  cr_assert(asked("BNBUSDT", 500));
  md_feed_live_tell_depth(live, "BNBUSDT", 0, 0);
  step(3 * S);
  cr_assert(asked("BTCUSDT", 1000));
  spare = 1000;
  md_feed_live_tell_depth(live, "BTCUSDT", 1000, 1000);
  step(3 * S);
  cr_assert(asked("BTCUSDT", 5000));
  cr_assert_eq(once_weight, 250);
  md_feed_live_tell_depth(live, "BTCUSDT", 5000, 5000);
  step(100 * S);
  cr_assert_eq(once_cnt, 3, "there is nothing deeper");
}

Test(live_deepen, what_was_in_vain_is_tried_later_each_time) {
  md_feed_live_tell_depth(live, "ETHUSDT", 100, 100);
  step(3 * S);
  cr_assert_eq(once_cnt, 1);
  for (uint32_t n = 0; n < 4; n++) {
    int64_t pause = 5 * S << n;
    md_feed_live_tell_depth(live, "ETHUSDT", 100, 100); /* no more than before */
    step(pause - S);
    cr_assert_eq(once_cnt, n + 1);
    step(2 * S);
    cr_assert_eq(once_cnt, n + 2);
  }
  md_feed_live_tell_depth(live, "ETHUSDT", 500, 500);
  step(S);
  cr_assert_eq(once_cnt, 6, "it went on: no pause");
}

Test(live_deepen, an_answer_that_never_comes_makes_room_for_another_book) {
  md_feed_live_tell_depth(live, "ETHUSDT", 100, 100);
  step(3 * S);
  cr_assert(asked("ETHUSDT", 500));
  md_feed_live_tell_depth(live, "BTCUSDT", 100, 100);
  step(39 * S);
  cr_assert_eq(once_cnt, 1);
  step(2 * S);
  cr_assert(asked("BTCUSDT", 500));
}

Test(live_deepen, nothing_is_asked_for_while_a_connection_is_away) {
  md_feed_live_tell_depth(live, "ETHUSDT", 100, 100);
  happen(MD_TRANSPORT_CLOSE);
  step(S / 5);
  for (int n = 0; n < 10; n++)
    step(S);
  cr_assert_eq(once_cnt, 0);
  happen(MD_TRANSPORT_OPEN);
  step(S);
  step(S);
  cr_assert_eq(once_cnt, 1);
}

Test(live_deepen, a_book_of_which_little_is_left_goes_first_and_takes_the_weight_of_others) {
  md_feed_live_tell_depth(live, "BTCUSDT", 100, 100);
  md_feed_live_tell_depth(live, "ETHUSDT", 500, 500);
  md_feed_live_tell_low(live, "ETHUSDT", 49);
  md_feed_live_tell_low(live, "ETHUSDT", 60); /* what was told before */
  spare = 50;
  step(3 * S);
  cr_assert(asked("ETHUSDT", 1000), "%s", once_url);
  md_feed_live_tell_depth(live, "ETHUSDT", 1000, 1000);
  step(S);
  cr_assert(asked("BTCUSDT", 500));
}

Test(live_deepen, without_weight_or_deeper_levels_as_many_as_there_were_are_asked_for) {
  md_feed_live_tell_depth(live, "ETHUSDT", 100, 100);
  md_feed_live_tell_low(live, "ETHUSDT", 49);
  spare = 4;
  step(3 * S);
  cr_assert_eq(once_cnt, 0, "there is none at all");
  spare = 24;
  step(S);
  cr_assert(asked("ETHUSDT", 100), "%s", once_url);
  cr_assert_eq(once_weight, 5);
  md_feed_live_tell_depth(live, "ETHUSDT", 5000, 5000);
  md_feed_live_tell_low(live, "ETHUSDT", 2499);
  spare = 6000;
  step(S);
  cr_assert(asked("ETHUSDT", 5000));
}

Test(live_deepen, the_same_levels_again_are_no_failure_while_little_was_left) {
  spare = 24;
  for (uint32_t n = 1; n < 5; n++) {
    md_feed_live_tell_depth(live, "ETHUSDT", 100, 100);
    md_feed_live_tell_low(live, "ETHUSDT", 49);
    step(3 * S);
    cr_assert_eq(once_cnt, n, "no pause");
  }
  md_feed_live_tell_depth(live, "ETHUSDT", 100, 49); /* of no use */
  step(3 * S);
  cr_assert_eq(once_cnt, 4);
  step(3 * S);
  cr_assert_eq(once_cnt, 5);
}

Test(live_deepen, a_book_of_which_little_is_left_does_not_wait_for_others_that_begin) {
  md_feed_live_tell_depth(live, "ETHUSDT", 100, 100);
  md_feed_live_tell_low(live, "ETHUSDT", 12);
  md_feed_live_request_snapshot(live, 1, "BTCUSDT");
  step(S);
  cr_assert(strstr(snapshot_url, "symbol=BTCUSDT&limit=100"), "%s", snapshot_url);
  step(S);
  cr_assert(asked("ETHUSDT", 500));
}

Test(live_deepen, a_book_that_broke_is_not_asked_for) {
  md_feed_live_tell_depth(live, "ETHUSDT", 100, 100);
  md_feed_live_request_snapshot(live, 1, "ETHUSDT");
  step(S);
  step(10 * S);
  cr_assert_eq(once_cnt, 0);
  md_feed_live_tell_depth(live, "ETHUSDT", 100, 100);
  step(S);
  cr_assert_eq(once_cnt, 1);
}
