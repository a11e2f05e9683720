/* What clients say to the simulated exchange and what it answers, without sockets. */
#include "feeds/sim/sim_binance.h"
#include "feeds/sim/sim_control.h"
#include "feeds/sim/sim_market.h"
#include "feeds/sim/sim_rest.h"

#include <criterion/criterion.h>
#include <string.h>

static md_clock_manual_t hands;
static md_clock_t        hand_clock;
static md_sim_t          sim;
static md_sim_conn_t    *conn;
static md_sim_text_t     in, out;

static void
setup(void) {
  hands      = (md_clock_manual_t){.real_ns = 1700000000000000000, .mono_ns = 1000000000};
  hand_clock = md_clock_manual(&hands);
  md_sim_init(&sim, md_sim_venue_find("binance_spot"), &hand_clock, 7);
  conn = md_sim_conn_open(&sim.hub, sim.now_ns);
}

static void
teardown(void) {
  md_sim_market_close(sim.market);
  md_sim_free(&sim);
  md_sim_text_free(&in);
  md_sim_text_free(&out);
}

TestSuite(sim_control, .init = setup, .fini = teardown);
TestSuite(sim_rest, .init = setup, .fini = teardown);
TestSuite(sim_market, .init = setup, .fini = teardown);

/* The answer to a message that comes a second after the last one. */
static const char *
say(const char *text) {
  hands.mono_ns += 1000000000;
  md_sim_turn(&sim);
  md_sim_text_clear(&in);
  md_sim_text_str(&in, text);
  md_sim_control_receive(&sim, conn, in.p, in.len);
  md_sim_text_clear(&out);
  while (conn->first) { /* one answer, of a frame with a short head or a long one */
    size_t head = (conn->first->data[1] & 0x7f) == 126 ? 4 : 2;
    md_sim_text_add(&out, conn->first->data + head, conn->first->len - head);
    md_sim_conn_sent(&sim.hub, conn);
  }
  *md_sim_text_room(&out, 1) = 0;
  return out.p;
}

Test(sim_control, acknowledges_with_the_id_as_it_was_sent) {
  cr_assert_str_eq(say("{\"method\":\"SUBSCRIBE\",\"params\":[\"a@trade\"],\"id\":1}"),
                   "{\"result\":null,\"id\":1}");
  cr_assert_str_eq(say("{\"method\":\"SUBSCRIBE\",\"params\":[\"b@trade\"],\"id\":\"x-9\"}"),
                   "{\"result\":null,\"id\":\"x-9\"}");
  cr_assert_str_eq(say("{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":null}"),
                   "{\"result\":[\"a@trade\",\"b@trade\"],\"id\":null}");
  (void)say("{\"method\":\"UNSUBSCRIBE\",\"params\":[\"a@trade\"],\"id\":2}");
  cr_assert_str_eq(say("{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":3}"),
                   "{\"result\":[\"b@trade\"],\"id\":3}");
}

Test(sim_control, refuses_with_the_code_of_the_protocol) {
  cr_assert(strstr(say("nonsense"), "{\"code\":3,\"msg\":\"Invalid JSON"));
  cr_assert(strstr(say("{\"method\":\"FLY\",\"id\":1}"), "{\"code\":2,"));
  cr_assert(strstr(say("{\"params\":[],\"id\":1}"), "{\"code\":2,"));
  cr_assert(strstr(say("{\"method\":\"SUBSCRIBE\",\"params\":[1],\"id\":1}"), "{\"code\":2,"));
  cr_assert(
      strstr(say("{\"method\":\"GET_PROPERTY\",\"params\":[\"x\"],\"id\":1}"), "{\"code\":0,"));
  cr_assert(strstr(say("{\"method\":\"SET_PROPERTY\",\"params\":[\"combined\",1],\"id\":1}"),
                   "{\"code\":1,"));
}

Test(sim_control, sets_and_gets_combined) {
  cr_assert_str_eq(say("{\"method\":\"GET_PROPERTY\",\"params\":[\"combined\"],\"id\":1}"),
                   "{\"result\":false,\"id\":1}");
  (void)say("{\"method\":\"SET_PROPERTY\",\"params\":[\"combined\",true],\"id\":2}");
  cr_assert(conn->combined);
}

Test(sim_control, cuts_off_the_sixth_message_in_a_second) {
  const char text[128] = "{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":1}";
  for (unsigned i = 0; i < 5; i++, sim.now_ns++)
    md_sim_control_receive(&sim, conn, text, strlen(text));
  cr_assert_eq(conn->close_code, 0);
  cr_assert_eq(sim.hub.text_cnt, 5);
  sim.now_ns += 999999990;
  md_sim_control_receive(&sim, conn, text, strlen(text));
  cr_assert_eq(conn->close_code, 1008);
  cr_assert_eq(sim.hub.text_cnt, 5);
}

Test(sim_control, subscribes_by_the_url) {
  cr_assert_eq(md_sim_control_open(&sim, conn, "/stream",
                                   "streams=a@depth@100ms/b@trade&timeUnit=MICROSECOND"),
               MD_OK);
  cr_assert_eq(conn->sub_cnt, 2);
  cr_assert(conn->combined && conn->microseconds);
  cr_assert_eq(md_sim_control_open(&sim, conn, "/other", ""), MD_ERR_ABSENT);
}

Test(sim_control, writes_microseconds_but_leaves_trade_ids) {
  static const char trade[] = "{\"E\":1723161255343,\"t\":3735683259,\"T\":1723161255342}";
  sim.venue->microseconds(MD_SIM_TRADE, trade, strlen(trade), &out);
  *md_sim_text_room(&out, 1) = 0;
  cr_assert_str_eq(out.p, "{\"E\":1723161255343000,\"t\":3735683259,\"T\":1723161255342000}");
}

/* ---- REST ---- */

static md_sim_answer_t answer;

static unsigned
get(const char *path, const char *query) {
  md_sim_text_free(&answer.body);
  md_sim_rest(&sim, "GET", path, query, &answer);
  *md_sim_text_room(&answer.body, 1) = 0;
  return answer.status;
}

static void
open_market(uint32_t symbol_cnt, uint32_t rate, int64_t end_ns) {
  const md_sim_market_cfg_t cfg = {symbol_cnt, rate, end_ns};
  sim.market                    = md_sim_market_open(&sim, &cfg);
}

Test(sim_rest, counts_the_weight_of_each_limit) {
  open_market(1, 100, 0);
  cr_assert_eq(get("/api/v3/depth", "symbol=BTCUSDT"), 200);
  cr_assert_eq(answer.weight, 5);
  (void)get("/api/v3/depth", "symbol=BTCUSDT&limit=500");
  cr_assert_eq(answer.weight, 30);
  (void)get("/api/v3/depth", "symbol=BTCUSDT&limit=1000");
  cr_assert_eq(answer.weight, 80);
  (void)get("/api/v3/depth", "symbol=BTCUSDT&limit=5000");
  cr_assert_eq(answer.weight, 330);
  hands.real_ns += 60000000000;
  (void)get("/api/v3/ping", "");
  cr_assert_eq(answer.weight, 1);
  md_sim_text_free(&answer.body);
}

Test(sim_rest, refuses_what_is_missing_unknown_or_too_much) {
  open_market(1, 100, 0);
  cr_assert_eq(get("/api/v3/depth", ""), 400);
  cr_assert(strstr(answer.body.p, "-1102"));
  cr_assert_eq(get("/api/v3/depth", "symbol=NONE"), 400);
  cr_assert(strstr(answer.body.p, "-1121"));
  cr_assert_eq(get("/api/v3/nothing", ""), 404);
  sim.weight_max = 20;
  cr_assert_eq(get("/api/v3/ping", ""), 200);
  cr_assert_eq(get("/api/v3/depth", "symbol=BTCUSDT&limit=500"), 429);
  cr_assert(answer.retry_after_s > 0 && answer.retry_after_s <= 60);
  for (unsigned i = 0; i < 12; i++)
    (void)get("/api/v3/ping", "");
  cr_assert_eq(answer.status, 418);
  md_sim_text_free(&answer.body);
}

Test(sim_rest, an_answer_inside_waits_for_updates_behind_it) {
  open_market(1, 100, 0);
  sim.lag            = MD_SIM_LAG_INSIDE;
  md_sim_symbol_t *s = md_sim_symbol(&sim, "BTCUSDT", 7);
  cr_assert_eq(get("/api/v3/depth", "symbol=BTCUSDT"), 200);
  uint64_t id = s->book.id;
  cr_assert_not(md_sim_answer_is_due(&answer, sim.now_ns));
  md_sim_depth_happened(&sim, s, id + 1, id + 3);
  cr_assert_not(md_sim_answer_is_due(&answer, sim.now_ns), "the update that continues it");
  md_sim_depth_happened(&sim, s, id + 4, id + 4);
  cr_assert(md_sim_answer_is_due(&answer, sim.now_ns));
  s->event_first = 0;
  cr_assert(md_sim_answer_is_due(&answer, sim.now_ns + 5000000000), "not for ever");
  md_sim_text_free(&answer.body);
}

/* ---- the market ---- */

Test(sim_market, diffs_lead_from_a_snapshot_to_the_books_own_levels) {
  md_sim_book_t  mine;
  md_sim_depth_t d;
  int64_t        due;
  char           a[65], b[65];
  const char     name[] = "btcusdt@depth@100ms";
  open_market(2, 1000, 3000000000);
  cr_assert_eq(md_sim_conn_subscribe(&sim.hub, conn, name, strlen(name)), MD_OK);
  md_sim_symbol_t *s = md_sim_symbol(&sim, "BTCUSDT", 7);
  md_sim_book_init(&mine, sim.pool);
  md_sim_text_clear(&in);
  md_sim_bn_spot_body(s, &s->book, s->book.id, 5000, &in);
  (void)md_sim_text_room(&in, 1);
  cr_assert_eq(sim.venue->depth(&sim, s, in.p, in.len, &d), MD_OK);
  cr_assert_eq(md_sim_book_load(&mine, &d), MD_OK);
  md_sim_turn(&sim);
  cr_assert_eq(md_sim_market_pump(sim.market, &due), MD_OK);
  hands.mono_ns += 4000000000;
  md_sim_turn(&sim);
  while (md_sim_market_pump(sim.market, &due) == MD_OK)
    cr_assert(sim.played_ns <= 4000000000);
  /* Frames of the queue: a head without mask, then the payload. */
  uint32_t cnt = 0;
  for (const md_sim_chunk_t *k = conn->first; k; k = k->next) {
    for (size_t at = 0; at < k->len; cnt++) {
      size_t len  = k->data[at + 1];
      size_t head = 2;
      if (len == 126) {
        len  = (size_t)k->data[at + 2] << 8 | k->data[at + 3];
        head = 4;
      }
      md_sim_text_clear(&in);
      md_sim_text_add(&in, k->data + at + head, len);
      cr_assert_eq(sim.venue->depth(&sim, s, in.p, in.len, &d), MD_OK);
      cr_assert_eq(d.first, mine.id + 1);
      cr_assert_eq(md_sim_book_apply(&mine, &d), MD_OK);
      at += head + len;
    }
  }
  cr_assert(cnt >= 25);
  cr_assert_eq(mine.id, s->book.id);
  md_orderbook_digest(&mine.book, MD_SIM_EXP, MD_SIM_EXP, 0, a);
  md_orderbook_digest(&s->book.book, MD_SIM_EXP, MD_SIM_EXP, 0, b);
  cr_assert_str_eq(a, b);
  md_sim_book_free(&mine);
}
