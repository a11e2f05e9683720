/* test_deribit_auth - raw channels of Deribit: who we are is said before anything is subscribed,
 * the secret and the tokens reach the server and nobody else, and a refusal falls back only when
 * that is wanted (case 42). */
#include "tests/unit/live_fixture.h"

#include <stdlib.h>

#define P      "BTC-PERPETUAL"
#define RAW    "book." P ".raw"
#define SECRET "s3cret-of-mine"

static char logged[4096];

static const md_venue_net_t *
net(void) {
  return md_venue_find("deribit_derivatives")->net;
}

static uint32_t
padded(const char *text, uint8_t *out, size_t bytes) {
  memset(out, 0, bytes);
  memcpy(out, text, strlen(text));
  return (uint32_t)strlen(text);
}

/* ---- messages ---- */

Test(deribit_auth, raw_channels_are_those_with_a_pace) {
  char out[96];
  cr_assert_eq(net()->raw_stream_name(out, sizeof out, P, MD_CHANNEL_DEPTH), strlen(RAW));
  cr_assert_str_eq(out, RAW);
  cr_assert_gt(net()->raw_stream_name(out, sizeof out, P, MD_CHANNEL_TRADE), 0);
  cr_assert_str_eq(out, "trades." P ".raw");
  cr_assert_gt(net()->raw_stream_name(out, sizeof out, P, MD_CHANNEL_TICKER), 0);
  cr_assert_str_eq(out, "ticker." P ".raw");
  cr_assert_eq(net()->raw_stream_name(out, sizeof out, P, MD_CHANNEL_BBO), 0, "a quote has none");
  cr_assert_eq(net()->raw_stream_name(out, sizeof out, P, MD_CHANNEL_KLINE), 0);
}

Test(deribit_auth, requests_say_the_secret_once_and_then_the_token) {
  char                         out[512];
  const md_venue_credentials_t first = {"me", SECRET, NULL}, later = {"me", SECRET, "token"};
  cr_assert_eq(net()->auth(out, sizeof out, &first, 4), strlen(out));
  cr_assert_str_eq(out, "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"public/auth\",\"params\":{"
                        "\"grant_type\":\"client_credentials\",\"client_id\":\"me\","
                        "\"client_secret\":\"" SECRET "\"}}");
  cr_assert_eq(net()->auth(out, sizeof out, &later, 5), strlen(out));
  cr_assert_str_eq(out, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"public/auth\",\"params\":{"
                        "\"grant_type\":\"refresh_token\",\"refresh_token\":\"token\"}}");
  cr_assert_eq(net()->auth(out, 60, &first, 4), 0, "it does not fit");
}

#define GRANT                                                                                      \
  "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"token_type\":\"bearer\",\"scope\":\"connection\"," \
  "\"refresh_token\":\"tok.R\",\"expires_in\":%d,\"access_token\":\"tok.A\"},\"testnet\":false}"

Test(deribit_auth, an_answer_gives_time_and_token) {
  char             text[512];
  uint8_t          p[512 + MD_FRAME_PAD_BYTES];
  const char      *stream;
  uint32_t         stream_len;
  md_venue_grant_t g = {0};
  (void)snprintf(text, sizeof text, GRANT, 7, 900);
  uint32_t len = padded(text, p, sizeof p);
  cr_assert_eq(net()->frame(p, len, &stream, &stream_len), MD_FRAME_AUTH);
  cr_assert_eq(net()->auth_answer(p, len, &g), MD_OK);
  cr_assert_eq(g.id, 7);
  cr_assert_eq(g.expires_s, 900);
  cr_assert_str_eq(g.refresh_token, "tok.R");
  cr_assert_neq(net()->auth_answer(p, 60, &g), MD_OK, "cut");
  len = padded("{\"id\":7,\"error\":{\"code\":13004,\"message\":\"invalid_credentials\"}}", p,
               sizeof p);
  cr_assert_eq(net()->frame(p, len, &stream, &stream_len), MD_FRAME_ANSWER);
  cr_assert_not(net()->is_unauthorised(p, len));
  len = padded("{\"id\":7,\"error\":{\"message\":\"raw\",\"code\":13778}}", p, sizeof p);
  cr_assert(net()->is_unauthorised(p, len));
  len = padded("{\"id\":7,\"result\":[]}", p, sizeof p);
  cr_assert_not(net()->is_unauthorised(p, len));
}

/* ---- a connection ---- */

static void
note_log(void *ctx, const char *level, const char *text) {
  size_t used = strlen(logged);
  (void)ctx;
  (void)snprintf(logged + used, sizeof logged - used, "%s %s\n", level, text);
}

static void
setup(md_feed_live_pace_t pace, const char *client_id) {
  account.pace          = pace;
  account.client_id     = client_id;
  account.client_secret = SECRET;
  account.log           = note_log;
  logged[0]             = 0;
  setup_venue("deribit_derivatives", P, "depth, trade, ticker");
  (void)step(0);
  happen(MD_TRANSPORT_OPEN, fake.last, "");
}

static int
id_of(const char *message) {
  const char *at = strstr(message, "\"id\":");
  return at ? (int)strtol(at + 5, NULL, 10) : -1;
}

static void
answer_auth(int expires_s) {
  char text[512];
  (void)snprintf(text, sizeof text, GRANT, id_of(fake.sent), expires_s);
  happen(MD_TRANSPORT_TEXT, fake.last, text);
}

static void
answer_error(int code) {
  char text[128];
  (void)snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"error\":{\"code\":%d}}",
                 id_of(fake.sent), code);
  happen(MD_TRANSPORT_TEXT, fake.last, text);
}

/* Steps until the message that was sent last has a text. */
static bool
sent_soon(const char *text) {
  for (int n = 0; n < 20 && !strstr(fake.sent, text); n++)
    (void)step(100 * MS);
  return strstr(fake.sent, text) != NULL;
}

Test(deribit_auth, nothing_is_subscribed_before_the_answer_and_no_secret_is_recorded) {
  setup(MD_LIVE_PACE_RAW, "me");
  got_t g = step(10 * MS);
  cr_assert(strstr(fake.sent, "\"public/auth\"") && strstr(fake.sent, SECRET), "%s", fake.sent);
  cr_assert(strstr(g.payload[MD_RAW_TEXT_OUT], "\"client_secret\":\"***\""), "%s",
            g.payload[MD_RAW_TEXT_OUT]);
  cr_assert_null(strstr(g.payload[MD_RAW_TEXT_OUT], SECRET));
  (void)step(2 * S);
  cr_assert(strstr(fake.sent, "\"public/auth\""), "no answer, no subscription");
  answer_auth(900);
  g = drain();
  cr_assert_eq(g.cnt[MD_RAW_TEXT_IN], 1, "the feed hears that it happened");
  cr_assert(strstr(g.payload[MD_RAW_TEXT_IN], "\"expires_in\":900"));
  cr_assert_null(strstr(g.payload[MD_RAW_TEXT_IN], "tok."), "%s", g.payload[MD_RAW_TEXT_IN]);
  cr_assert(sent_soon(RAW), "%s", fake.sent);
  cr_assert(strstr(fake.sent, "\"trades." P ".raw\"") && strstr(fake.sent, "\"ticker." P ".raw\""));
  cr_assert_null(strstr(logged, SECRET));
  cr_assert_null(strstr(logged, "tok."));
  teardown();
}

Test(deribit_auth, the_token_is_renewed_before_it_expires) {
  setup(MD_LIVE_PACE_RAW, "me");
  (void)step(10 * MS);
  answer_auth(100);
  cr_assert(sent_soon(RAW));
  uint32_t before = fake.sent_cnt;
  char     text[256];
  for (int n = 0; n < 70; n++) {
    (void)snprintf(text, sizeof text,
                   "{\"params\":{\"channel\":\"" RAW "\",\"data\":{\"timestamp\":%d}}}", n);
    happen(MD_TRANSPORT_TEXT, fake.last, text);
    (void)step(1 * S);
  }
  cr_assert_eq(fake.sent_cnt, before);
  got_t g = {0};
  for (int n = 0; n < 20 && fake.sent_cnt == before; n++)
    g = step(1 * S);
  cr_assert(strstr(fake.sent, "\"refresh_token\":\"tok.R\""), "%s", fake.sent);
  cr_assert_null(strstr(g.payload[MD_RAW_TEXT_OUT], "tok."), "%s", g.payload[MD_RAW_TEXT_OUT]);
  answer_error(13009);
  (void)step(1 * S);
  before = fake.sent_cnt;
  for (int n = 0; n < 12 && fake.sent_cnt == before; n++)
    (void)step(1 * S);
  cr_assert(strstr(fake.sent, SECRET), "a token that is refused is followed by the secret: %s",
            fake.sent);
  answer_auth(100);
  (void)step(1 * S);
  cr_assert_eq(fake.disconnect_cnt, 0);
  cr_assert_eq(fake.connect_cnt, 1);
  teardown();
}

Test(deribit_auth, without_an_answer_the_connection_is_made_anew) {
  setup(MD_LIVE_PACE_RAW, "me");
  for (int n = 0; n < 110; n++)
    (void)step(100 * MS);
  cr_assert_eq(fake.disconnect_cnt, 1);
  cr_assert_eq(fake.connect_cnt, 2);
  teardown();
}

Test(deribit_auth, case_42_raw_without_a_name_falls_back_when_that_is_wanted) {
  setup(MD_LIVE_PACE_RAW_OR_PUBLIC, NULL);
  cr_assert(sent_soon(RAW), "%s", fake.sent);
  answer_error(13778);
  (void)step(10 * MS);
  cr_assert(sent_soon("\"book." P ".100ms\""), "%s", fake.sent);
  cr_assert(strstr(fake.sent, "\"ticker." P ".100ms\"") && !strstr(fake.sent, ".raw"));
  char text[256];
  (void)snprintf(text, sizeof text,
                 "{\"id\":%d,\"result\":[\"book." P ".100ms\",\"trades." P ".100ms\","
                 "\"ticker." P ".100ms\"]}",
                 id_of(fake.sent));
  happen(MD_TRANSPORT_TEXT, fake.last, text);
  happen(MD_TRANSPORT_TEXT, fake.last,
         "{\"params\":{\"channel\":\"book." P ".100ms\",\"data\":{\"type\":\"snapshot\"}}}");
  uint32_t before = fake.sent_cnt;
  (void)step(1 * S);
  (void)step(1 * S);
  cr_assert_eq(metrics.counter[MD_COUNTER_STREAMS_LIVE], 1, "the new name is known");
  for (int n = 0; n < 15; n++)
    (void)step(1 * S);
  cr_assert_eq(fake.sent_cnt, before, "nothing is asked for again");
  teardown();
}

Test(deribit_auth, case_42_a_name_that_is_not_known_falls_back_too) {
  setup(MD_LIVE_PACE_RAW_OR_PUBLIC, "me");
  (void)step(10 * MS);
  answer_error(13004);
  cr_assert(sent_soon(RAW), "it is tried all the same: %s", fake.sent);
  cr_assert(strstr(logged, "error") && strstr(logged, "client_id"), "%s", logged);
  answer_error(13778);
  cr_assert(sent_soon("\"book." P ".100ms\""), "%s", fake.sent);
  cr_assert_null(strstr(logged, SECRET));
  teardown();
}

Test(deribit_auth, case_42_without_a_fall_back_raw_is_asked_for_again_slowly) {
  setup(MD_LIVE_PACE_RAW, "me");
  (void)step(10 * MS);
  answer_auth(900);
  cr_assert(sent_soon(RAW));
  uint32_t before = fake.sent_cnt;
  answer_error(13778);
  for (int n = 0; n < 50; n++)
    (void)step(100 * MS);
  cr_assert_eq(fake.sent_cnt, before);
  for (int n = 0; n < 70; n++)
    (void)step(100 * MS);
  cr_assert_eq(fake.sent_cnt, before + 1);
  cr_assert(strstr(fake.sent, RAW) && !strstr(fake.sent, "100ms"), "%s", fake.sent);
  teardown();
}

Test(deribit_auth, a_new_connection_says_again_who_we_are) {
  setup(MD_LIVE_PACE_RAW, "me");
  (void)step(10 * MS);
  answer_auth(900);
  cr_assert(sent_soon(RAW));
  happen(MD_TRANSPORT_CLOSE, fake.last, "gone");
  for (int n = 0; n < 20 && fake.connect_cnt < 2; n++)
    (void)step(100 * MS);
  cr_assert_eq(fake.connect_cnt, 2);
  happen(MD_TRANSPORT_OPEN, fake.last, "");
  (void)step(10 * MS);
  cr_assert(strstr(fake.sent, SECRET), "%s", fake.sent);
  (void)step(1 * S);
  cr_assert(strstr(fake.sent, SECRET), "and waits for the answer: %s", fake.sent);
  teardown();
}
