/* The simulated OKX without sockets: what clients are answered, its limits, and that the engine
 * reads every channel of its market without an error and holds the same books. */
#include "feeds/sim/sim_market.h"
#include "feeds/sim/sim_okx_book.h"
#include "feeds/sim/sim_venue.h"
#include "tests/unit/okx_fixture.h"

#define SECOND_NS 1000000000ll
#define SYMBOLS   5u

static md_clock_manual_t hands;
static md_clock_t        hand_clock;
static md_sim_t          sim;
static md_sim_conn_t    *conn;
static md_sim_text_t     in, out;
static md_sim_answer_t   answer;

static bool
open_path(const char *path) {
  conn          = md_sim_conn_open(&sim.hub, sim.now_ns);
  bool accepted = sim.venue->open(&sim, conn, path, "") == MD_OK;
  if (!accepted) md_sim_conn_close(&sim.hub, conn);
  return accepted;
}

static void
later(int64_t ns) {
  hands.mono_ns += ns;
  hands.real_ns += ns;
  md_sim_turn(&sim);
}

static void
setup(void) {
  const md_sim_market_cfg_t cfg = {.symbol_cnt = SYMBOLS, .rate = 20, .end_ns = 66 * SECOND_NS};
  hands      = (md_clock_manual_t){.real_ns = 1790439590000000000, .mono_ns = 10 * SECOND_NS};
  hand_clock = md_clock_manual(&hands);
  md_sim_init(&sim, md_sim_venue_find("okx_derivatives"), &hand_clock, 7);
  sim.market = md_sim_market_open(&sim, &cfg);
  cr_assert(open_path("/ws/v5/public"));
}

static void
teardown(void) {
  md_sim_text_free(&answer.body);
  md_sim_market_close(sim.market);
  md_sim_free(&sim);
  md_sim_text_free(&in);
  md_sim_text_free(&out);
}

TestSuite(sim_okx, .init = setup, .fini = teardown);

/* Takes the frames off the connection's queue: fn for each, or all of them with a newline behind
 * each in out. */
static uint32_t
take(md_sim_conn_t *c, void (*fn)(const char *, size_t)) {
  uint32_t cnt = 0;
  md_sim_text_clear(&out);
  while (c->first) {
    const md_sim_chunk_t *k = c->first;
    for (size_t at = 0; at < k->len; cnt++) {
      size_t len = k->data[at + 1], head = 2;
      if (len >= 126) head = len == 126 ? 4 : 10;
      if (head > 2) len = 0;
      for (size_t n = 2; n < head; n++)
        len = len << 8 | k->data[at + n];
      const char *text_at = (const char *)k->data + at + head;
      if (fn) fn(text_at, len);
      md_sim_text_add(&out, text_at, len);
      md_sim_text_str(&out, "\n");
      at += head + len;
    }
    md_sim_conn_sent(&sim.hub, c);
  }
  *md_sim_text_room(&out, 1) = 0;
  return cnt;
}

static const char *
say(const char *message) {
  md_sim_text_clear(&in);
  md_sim_text_str(&in, message);
  sim.venue->receive(&sim, conn, in.p, in.len);
  (void)take(conn, NULL);
  return out.p;
}

#define SUB(id, args) "{\"id\":\"" id "\",\"op\":\"subscribe\",\"args\":[" args "]}"
#define ARG(c, i)     "{\"channel\":\"" c "\",\"instId\":\"" i "\"}"

/* ---- what clients say ---- */

Test(sim_okx, each_argument_is_acknowledged_and_a_book_begins_with_a_snapshot) {
  const char *said = say(SUB("md1", ARG("books", SWAP) "," ARG("trades", SWAP)));
  cr_assert(strstr(said, "{\"id\":\"md1\",\"event\":\"subscribe\",\"arg\":{\"channel\":\"books\","
                         "\"instId\":\"" SWAP "\"},\"connId\":\""));
  cr_assert(strstr(said, "\"arg\":{\"channel\":\"trades\",\"instId\":\"" SWAP "\"},\"connId\""));
  cr_assert(strstr(said, "\"action\":\"snapshot\",\"data\":[{\"asks\":[[\""));
  cr_assert(strstr(said, "\"checksum\":0,\"seqId\":"));
  cr_assert(strstr(said, "\"prevSeqId\":-1}]}"));
  cr_assert(strstr(said, "{\"event\":\"channel-conn-count\",\"channel\":\"books\",\"connCount\":"
                         "\"1\",\"connId\":\""));
  said = say(SUB("", ARG("books", SWAP)));
  cr_assert(strstr(said, "\"event\":\"subscribe\"") && !strstr(said, "snapshot"));
  said = say("{\"op\":\"unsubscribe\",\"args\":[" ARG("books", SWAP) "]}");
  cr_assert(strstr(said, "{\"event\":\"unsubscribe\",\"arg\":{\"channel\":\"books\""));
  cr_assert(strstr(say(SUB("", ARG("books", SWAP))), "snapshot"));
}

Test(sim_okx, case_30_one_bad_argument_leaves_the_others_alive) {
  const char *said = say(SUB("a", ARG("trades", SWAP) "," ARG("books", "NO-SUCH") "," ARG(
                                      "tickers", SWAP) "," ARG("books-l2-tbt", SWAP)));
  cr_assert(strstr(said, "\"code\":\"60018\"") && strstr(said, "\"code\":\"64003\""));
  cr_assert(strstr(said, "Wrong URL or channel:books,instId:NO-SUCH doesn't exist."));
  cr_assert_eq(conn->sub_cnt, 2);
  cr_assert_eq(conn->close_code, 0);
}

Test(sim_okx, errors_have_the_codes_of_the_venue) {
  cr_assert(strstr(say(SUB("", ARG("candle1m", SWAP))), "60018"), "a channel of /business");
  cr_assert(strstr(say(SUB("", ARG("flights", SWAP))), "60018"));
  cr_assert(strstr(say(SUB("", ARG("funding-rate", "BTC-USD-301227"))), "60018"));
  cr_assert(strstr(say(SUB("", "{\"instId\":\"" SWAP "\"}")), "60013"));
  cr_assert(strstr(say(SUB("", "{\"channel\":\"account\"}")), "60011"));
  cr_assert(strstr(say("{\"op\":\"login\",\"args\":[{}]}"), "60009"));
  cr_assert(strstr(say("{\"op\":\"fly\",\"args\":[{}]}"), "Illegal request: {\\\"op\\\":\\\"fly"));
  cr_assert(strstr(say("nonsense"), "\"code\":\"60012\""));
  cr_assert(strstr(say(SUB("1-2", ARG("trades", SWAP))), "60012"), "an id of letters and digits");
  cr_assert(open_path("/ws/v5/business"));
  cr_assert(strstr(say(SUB("", ARG("books", SWAP))), "60018"), "a channel of /public");
  cr_assert(strstr(say(SUB("", ARG("trades-all", SWAP))), "\"event\":\"subscribe\""));
}

Test(sim_okx, a_connection_that_is_silent_for_30_s_is_closed_and_ping_keeps_it) {
  cr_assert_str_eq(say("ping"), "pong\n");
  later(20 * SECOND_NS);
  (void)say("ping");
  later(20 * SECOND_NS);
  sim.venue->check(&sim, conn);
  cr_assert_eq(conn->close_code, 0);
  later(11 * SECOND_NS);
  sim.venue->check(&sim, conn);
  cr_assert_eq(conn->close_code, 4004);
}

Test(sim_okx, operations_of_an_hour_and_connects_of_a_second_are_limited) {
  for (unsigned n = 0; n < 480; n++)
    cr_assert_null(strstr(say(SUB("", ARG("trades", SWAP))), "60014"));
  cr_assert(strstr(say(SUB("", ARG("trades", SWAP))), "\"code\":\"60014\""));
  later(3600 * SECOND_NS);
  cr_assert(strstr(say(SUB("", ARG("trades", SWAP))), "\"event\":\"subscribe\""));
  cr_assert(open_path("/ws/v5/public") && open_path("/ws/v5/business") &&
            open_path("/ws/v5/public"));
  cr_assert_not(open_path("/ws/v5/public"), "the fourth in a second");
  later(SECOND_NS);
  cr_assert(open_path("/ws/v5/public"));
  cr_assert_not(open_path("/ws/v5/nowhere"));
}

Test(sim_okx, a_planned_close_is_announced) {
  md_sim_goodbye(&sim, conn, sim.time_ms);
  (void)take(conn, NULL);
  cr_assert(strstr(out.p, "\"event\":\"notice\"") && strstr(out.p, "\"code\":\"64008\""));
}

/* ---- the checksum ---- */

Test(sim_okx, the_checksum_is_over_the_texts_of_25_levels_in_turn) {
  static const char data[] =
      "[{\"asks\":[[\"3.50\",\"1\",\"0\",\"1\"],[\"4\",\"2.0\",\"0\",\"3\"]],"
      "\"bids\":[[\"3\",\"7\",\"0\",\"1\"]],\"ts\":\"5\",\"checksum\":0}]";
  md_sim_okx_book_t b = {.px_exp = -2, .qty_exp = -1};
  md_sim_okx_row_t  row;
  md_sim_text_str(&in, data);
  (void)md_sim_text_room(&in, MD_FRAME_PAD_BYTES);
  cr_assert(md_sim_okx_row((md_sim_okx_slice_t){in.p, in.len}, &row));
  row.checksum = crc_of("3:7:3.50:1:4:2.0");
  cr_assert_eq(md_sim_okx_book_load(&b, &row), MD_OK);
  cr_assert_eq(md_sim_okx_crc(&b), row.checksum);
  row.checksum++;
  cr_assert_eq(md_sim_okx_book_load(&b, &row), MD_ERR_RANGE, "a message is missing before it");
  md_sim_okx_book_free(&b);
}

/* ---- REST ---- */

static unsigned
get(const char *path, const char *query) {
  md_sim_text_free(&answer.body);
  md_sim_rest(&sim, "GET", path, query, &answer);
  *md_sim_text_room(&answer.body, 1) = 0;
  return answer.status;
}

Test(sim_okx, rest_answers_and_refuses_as_the_venue_does) {
  cr_assert_eq(get("/api/v5/public/instruments", "instType=OPTION&uly=BTC-USD"), 200);
  cr_assert(strstr(answer.body.p, "\"stk\":\"90000\"") &&
            strstr(answer.body.p, "\"optType\":\"C\""));
  cr_assert_eq(get("/api/v5/public/instruments", "instType=SPOT"), 200);
  cr_assert_str_eq(answer.body.p, "{\"code\":\"0\",\"msg\":\"\",\"data\":[]}");
  cr_assert_eq(get("/api/v5/market/books", "instId=" SWAP "&sz=2"), 200);
  cr_assert(strstr(answer.body.p, "\"seqId\":"));
  cr_assert_eq(get("/api/v5/market/books", "instId=NO-SUCH"), 400);
  cr_assert(strstr(answer.body.p, "\"code\":\"51001\""));
  cr_assert_eq(get("/api/v5/public/underlying", "instType=OPTION"), 200);
  cr_assert(strstr(answer.body.p, "[[\"BTC-USD\"]]"));
  cr_assert_eq(get("/api/v5/nothing", ""), 404);
  for (unsigned n = 0; n < 18; n++)
    cr_assert_eq(get("/api/v5/public/instruments", "instType=SWAP"), 200);
  cr_assert_eq(get("/api/v5/public/instruments", "instType=SWAP"), 429);
  cr_assert(strstr(answer.body.p, "\"code\":\"50011\""));
  later(2 * SECOND_NS);
  cr_assert_eq(get("/api/v5/public/instruments", "instType=SWAP"), 200);
}

/* ---- the market, as the engine reads it ---- */

static fixture_t x;

static void
feed_frame(const char *p, size_t len) {
  give(&x, MD_RAW_TEXT_IN, x.name, p, len);
}

static void
feed_answer(const char *path, const char *query) {
  char url[256];
  cr_assert_eq(get(path, query), 200);
  (void)snprintf(url, sizeof url, "https://www.okx.com%s?%s", path, query);
  give(&x, MD_RAW_HTTP, url, answer.body.p, answer.body.len);
}

static void
subscribe(const char *channel, const char *symbol) {
  md_sim_text_clear(&in);
  md_sim_text_format(&in, SUB("", ARG("%s", "%s")), channel, symbol);
  sim.venue->receive(&sim, conn, in.p, in.len);
}

Test(sim_okx, the_engine_reads_every_channel_and_holds_the_same_books) {
  static const char *const channels[] = {"books",   "trades",        "bbo-tbt",
                                         "tickers", "open-interest", "mark-price"};
  int64_t                  due;
  char                     mine[65], theirs[65];
  okx_init(&x, "okx_derivatives");
  feed_answer("/api/v5/public/instruments", "instType=SWAP");
  for (uint32_t n = 0; n < MD_CNT(channels); n++)
    for (uint32_t k = 0; k < SYMBOLS; k++)
      subscribe(channels[n], sim.symbols[k]->name);
  subscribe("funding-rate", SWAP);
  subscribe("index-tickers", "BTC-USDT");
  cr_assert(open_path("/ws/v5/business"));
  subscribe("candle1m", SWAP);
  while (md_sim_market_pump(sim.market, &due) == MD_OK)
    later(SECOND_NS / 4);
  for (md_sim_conn_t *c = sim.hub.conns; c; c = c->next)
    (void)take(c, feed_frame);
  cr_assert_eq(counter(&x, MD_COUNTER_PARSE_ERRORS), 0);
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 0);
  cr_assert_eq(counter(&x, MD_COUNTER_GAPS), 0);
  static const md_record_type_t types_of_all[] = {
      MD_RECORD_BOOK_SNAPSHOT, MD_RECORD_BOOK_DELTA, MD_RECORD_BBO,  MD_RECORD_TRADE,
      MD_RECORD_TICKER,        MD_RECORD_KLINE,      MD_RECORD_MARK, MD_RECORD_OPEN_INTEREST,
      MD_RECORD_FUNDING,       MD_RECORD_INDEX};
  for (uint32_t n = 0; n < MD_CNT(types_of_all); n++)
    cr_assert_gt(count(&x, types_of_all[n]), 0, "%s", md_record_info(types_of_all[n])->name);
  for (uint32_t n = 0; n < SYMBOLS; n++) {
    const md_sim_symbol_t      *s = sim.symbols[n];
    const md_feed_instrument_t *i = book_of(&x, s->name);
    cr_assert_eq(i->exch_seq, s->book.id);
    md_orderbook_digest(&i->book, i->px_exp, i->qty_exp, 0, mine);
    md_orderbook_digest(&s->book.book, s->px_exp, s->qty_exp, 0, theirs);
    cr_assert_str_eq(mine, theirs);
    cr_assert_eq(i->trades.cnt, s->trades.cnt);
  }
  fixture_fini(&x);
}
