/* Binance futures as the simulator speaks them, without sockets: paths, chained ids, what is about
 * all markets, prints that are not of the market, polls. */
#include "feeds/sim/sim_binance_futures.h"
#include "feeds/sim/sim_control.h"
#include "feeds/sim/sim_market.h"

#include <criterion/criterion.h>
#include <string.h>

#define S  1000000000ll
#define MS 1000000ll

static md_clock_manual_t hands;
static md_clock_t        hand_clock;
static md_sim_t          sim;
static md_sim_text_t     in, out;
static md_sim_answer_t   answer;

static void
begin(const char *venue) {
  hands      = (md_clock_manual_t){.real_ns = 1700000000000000000, .mono_ns = S};
  hand_clock = md_clock_manual(&hands);
  md_sim_init(&sim, md_sim_venue_find(venue), &hand_clock, 7);
}

static void
end(void) {
  md_sim_market_close(sim.market);
  md_sim_free(&sim);
  md_sim_text_free(&in);
  md_sim_text_free(&out);
  md_sim_text_free(&answer.body);
}

static void
open_market(uint32_t symbol_cnt, uint32_t rate) {
  const md_sim_market_cfg_t cfg = {symbol_cnt, rate, 0};
  sim.market                    = md_sim_market_open(&sim, &cfg);
}

static md_sim_conn_t *
connect_to(const char *path, const char *query) {
  md_sim_conn_t *c = md_sim_conn_open(&sim.hub, sim.now_ns);
  cr_assert_eq(md_sim_control_open(&sim, c, path, query), MD_OK);
  return c;
}

static void
play(int64_t ns) {
  for (int64_t until = hands.mono_ns + ns; hands.mono_ns < until; hands.mono_ns += 10 * MS) {
    int64_t due;
    md_sim_turn(&sim);
    cr_assert_eq(md_sim_market_pump(sim.market, &due), MD_OK);
  }
}

static void
say(md_sim_conn_t *c, const char *text) {
  md_sim_text_clear(&in);
  md_sim_text_str(&in, text);
  md_sim_control_receive(&sim, c, in.p, in.len);
}

/* The next frame of a connection, NULL when nothing is left; *at begins with 0. */
static const char *
next_frame(const md_sim_conn_t *c, const md_sim_chunk_t **k, size_t *at) {
  if (!*k && *at == 0) *k = c->first;
  while (*k && *at == (*k)->len) {
    *k  = (*k)->next;
    *at = 0;
  }
  if (!*k) {
    *at = 1;
    return NULL;
  }
  const uint8_t *p   = (*k)->data + *at;
  size_t         len = p[1], head = 2;
  if (len == 126) {
    len  = (size_t)p[2] << 8 | p[3];
    head = 4;
  }
  cr_assert_lt(len, 65536);
  md_sim_text_clear(&out);
  md_sim_text_add(&out, p + head, len);
  *md_sim_text_room(&out, 1) = 0;
  *at += head + len;
  return out.p;
}

static unsigned
count_frames(const md_sim_conn_t *c, const char *part) {
  const md_sim_chunk_t *k  = NULL;
  size_t                at = 0;
  unsigned              n  = 0;
  for (const char *f; (f = next_frame(c, &k, &at));)
    n += strstr(f, part) != NULL;
  return n;
}

static unsigned
get(const char *path, const char *query) {
  md_sim_text_free(&answer.body);
  md_sim_rest(&sim, "GET", path, query, &answer);
  *md_sim_text_room(&answer.body, 1) = 0;
  return answer.status;
}

/* ---- paths and control ---- */

#define ALL                                                                                        \
  "streams=btcusdt@depth@100ms/btcusdt@bookTicker/btcusdt@trade/btcusdt@aggTrade/"                 \
  "btcusdt@markPrice@1s/btcusdt@kline_1m/btcusdt@ticker/btcusdt@forceOrder"

Test(sim_futures, a_stream_on_the_wrong_path_is_acknowledged_and_says_nothing) {
  static const char *const books[]  = {"@depth@100ms\"", "@bookTicker\"", "@trade\""};
  static const char *const others[] = {"@aggTrade\"", "@markPrice@1s\"", "@ticker\"",
                                       "@forceOrder\""};
  begin("binance_derivatives");
  open_market(1, 500);
  md_sim_conn_t *public  = connect_to("/public/stream", ALL);
  md_sim_conn_t *market  = connect_to("/market/stream", ALL);
  md_sim_conn_t *none    = connect_to("/stream", ALL);
  md_sim_conn_t *private = connect_to("/private/stream", ALL);
  say(market,
      "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@depth@0ms\",\"x@nothing\"],\"id\":4}");
  cr_assert_eq(count_frames(market, "{\"result\":null,\"id\":4}"), 1);
  play(3 * S);
  for (unsigned i = 0; i < MD_CNT(books); i++) {
    cr_assert_gt(count_frames(public, books[i]), 0, "%s", books[i]);
    cr_assert_gt(count_frames(none, books[i]), 0, "%s", books[i]);
    cr_assert_eq(count_frames(market, books[i]), 0, "%s", books[i]);
  }
  for (unsigned i = 0; i < MD_CNT(others); i++) {
    cr_assert_gt(count_frames(market, others[i]), 0, "%s", others[i]);
    cr_assert_eq(count_frames(public, others[i]) + count_frames(none, others[i]), 0);
  }
  cr_assert_null(private->first);
  cr_assert_eq(md_sim_control_open(&sim, none, "/other/stream", ""), MD_ERR_ABSENT);
  end();
}

Test(sim_futures, ten_messages_a_second_and_1024_streams) {
  char text[64];
  begin("binance_coinm");
  md_sim_conn_t *c = connect_to("/ws", "");
  for (unsigned i = 0; i < 10; i++)
    say(c, "{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":1}");
  cr_assert_eq(c->close_code, 0);
  say(c, "{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":1}");
  cr_assert_eq(c->close_code, 1008);
  c = connect_to("/ws", "");
  for (unsigned i = 0; i < 1025; i++, sim.now_ns += S) {
    cr_assert_eq(c->close_code, 0);
    (void)snprintf(text, sizeof text,
                   "{\"method\":\"SUBSCRIBE\",\"params\":[\"a%u@trade\"],\"id\":1}", i);
    say(c, text);
  }
  cr_assert_eq(c->close_code, 1008);
  cr_assert(c->close_when_sent);
  cr_assert_str_eq(c->close_text, "Invalid request");
  cr_assert_eq(count_frames(c, "{\"error\":{\"code\":4,\"msg\":\"Too many subscriptions\"}}"), 1);
  end();
}

/* ---- books ---- */

/* Follows one cadence of a book from an answer of REST. Returns how many events were applied. */
static unsigned
follow(md_sim_conn_t *c, md_sim_symbol_t *s, md_sim_book_t *book) {
  const md_sim_chunk_t *k       = NULL;
  size_t                at      = 0;
  unsigned              applied = 0, chained = 0;
  md_sim_depth_t        d;
  for (const char *f; (f = next_frame(c, &k, &at));) {
    cr_assert_eq(sim.venue->depth(&sim, s, f, strlen(f), &d), MD_OK);
    cr_assert(d.has_prev && d.prev < d.first && d.first <= d.last);
    chained += d.first == d.prev + 1;
    md_sim_join_t join = sim.venue->join(book->id, book->fresh, &d);
    cr_assert_neq(join, MD_SIM_JOIN_HOLE);
    if (join == MD_SIM_JOIN_OLD) continue;
    cr_assert_eq(md_sim_book_apply(book, &d), MD_OK);
    applied++;
  }
  cr_assert_lt(chained, applied / 2, "ids are shared with other symbols");
  return applied;
}

static void
books_agree(const char *venue, const char *stream, const char *name, const char *path) {
  md_sim_book_t  mine;
  md_sim_depth_t d;
  char           a[65], b[65], query[64];
  begin(venue);
  open_market(2, 1000);
  md_sim_conn_t   *c = connect_to("/ws", "");
  md_sim_symbol_t *s = md_sim_symbol(&sim, name, strlen(name));
  cr_assert_eq(md_sim_conn_subscribe(&sim.hub, c, stream, strlen(stream)), MD_OK);
  play(S);
  (void)snprintf(query, sizeof query, "symbol=%s&limit=1000", name);
  cr_assert_eq(get(path, query), 200);
  md_sim_book_init(&mine, sim.pool);
  cr_assert_eq(sim.venue->depth(&sim, s, answer.body.p, answer.body.len, &d), MD_OK);
  cr_assert_eq(md_sim_book_load(&mine, &d), MD_OK);
  play(3 * S);
  md_sim_market_settle(sim.market, s);
  cr_assert_gt(follow(c, s, &mine), 20);
  cr_assert_eq(mine.id, s->book.id);
  md_orderbook_digest(&mine.book, s->px_exp, s->qty_exp, 0, a);
  md_orderbook_digest(&s->book.book, s->px_exp, s->qty_exp, 0, b);
  cr_assert_str_eq(a, b);
  md_sim_book_free(&mine);
  end();
}

Test(sim_futures, events_lead_from_an_answer_to_the_books_own_levels) {
  books_agree("binance_derivatives", "btcusdt@depth@100ms", "BTCUSDT", "/fapi/v1/depth");
  books_agree("binance_derivatives", "btcusdt@depth@0ms", "BTCUSDT", "/fapi/v1/depth");
  books_agree("binance_coinm", "btcusd_perp@depth@100ms", "BTCUSD_PERP", "/dapi/v1/depth");
}

/* ---- trades, marks, liquidations ---- */

Test(sim_futures, prints_that_are_not_of_the_market_take_ids_and_are_in_no_total) {
  begin("binance_derivatives");
  open_market(1, 2000);
  md_sim_conn_t *c = connect_to("/public/ws/btcusdt@trade", "");
  play(20 * S);
  const md_sim_totals_t *t = &sim.symbols[0]->trades;
  unsigned other           = count_frames(c, "\"X\":\"ADL\"") + count_frames(c, "\"X\":\"NA\"") +
                   count_frames(c, "\"X\":\"INSURANCE_FUND\"");
  cr_assert_gt(other, 5);
  cr_assert_eq(count_frames(c, "\"X\":\"MARKET\""), t->cnt);
  cr_assert_eq(t->id_last - t->id_first + 1, t->cnt + other);
  end();
}

Test(sim_futures, rows_about_all_markets_come_in_two_frames_and_are_mixed) {
  begin("binance_derivatives");
  open_market(4, 2000);
  md_sim_conn_t *c = connect_to("/market/stream", "streams=!markPrice@arr@1s/!forceOrder@arr");
  play(20 * S);
  unsigned frames = count_frames(c, "\"stream\":\"!markPrice@arr@1s\"");
  cr_assert(frames >= 36 && frames % 2 == 0, "%u", frames);
  cr_assert_eq(count_frames(c, "\"s\":\"BTCUSD_PERP\",\"p\""), frames / 2);
  cr_assert_eq(count_frames(c, "\"s\":\"UNLISTED\""), frames / 2);
  cr_assert_gt(count_frames(c, "\"e\":\"forceOrder\""), 4);
  cr_assert_gt(count_frames(c, "\"o\":{\"s\":\"BTCUSD_PERP\""), 0);
  end();
}

Test(sim_futures, the_next_funding_moves_on_a_second_after_it_was) {
  md_sim_fu_mark_t m;
  begin("binance_coinm");
  open_market(4, 1000);
  play(S);
  md_sim_listing_t *perpetual = sim.symbols[0]->listing, *dated = sim.symbols[3]->listing;
  int64_t           funding = 1700006400000; /* 0, 8 or 16 o'clock */
  sim.time_ms               = funding + 200;
  md_sim_fu_mark(&sim, perpetual, &m);
  cr_assert_eq(m.time_ms, funding);
  cr_assert_eq(m.next_ms, funding);
  sim.time_ms += 1000;
  md_sim_fu_mark(&sim, perpetual, &m);
  cr_assert_eq(m.next_ms, funding + 8 * 3600000);
  md_sim_fu_mark(&sim, dated, &m);
  cr_assert(!m.has_rate && m.next_ms == 0, "%s has no funding", sim.symbols[3]->name);
  end();
}

/* ---- REST ---- */

Test(sim_futures, answers_with_the_weights_and_words_of_each_market) {
  begin("binance_derivatives");
  open_market(5, 100);
  cr_assert_eq(get("/fapi/v1/depth", "symbol=BTCUSDT&limit=50"), 200);
  cr_assert_eq(answer.weight, 2);
  (void)get("/fapi/v1/depth", "symbol=BTCUSDT");
  cr_assert_eq(answer.weight, 12, "500 levels unless it says");
  (void)get("/fapi/v1/depth", "symbol=BTCUSDT&limit=1000");
  cr_assert_eq(answer.weight, 32);
  cr_assert_str_eq(answer.headers[0], "x-mbx-used-weight-1m:");
  cr_assert_eq(get("/fapi/v1/depth", "symbol=BTCUSDT&limit=7"), 400);
  cr_assert(strstr(answer.body.p, "-4021"));
  cr_assert_eq(get("/fapi/v1/depth", "symbol=NONE&limit=5"), 400);
  cr_assert(strstr(answer.body.p, "-1121"));
  cr_assert_eq(get("/dapi/v1/depth", "symbol=BTCUSDT&limit=5"), 404);
  cr_assert_eq(get("/dapi/v1/exchangeInfo", ""), 200, "nothing is listed there");
  cr_assert(strstr(answer.body.p, "\"symbols\":[]"));
  cr_assert_eq(get("/fapi/v1/fundingInfo", ""), 200);
  cr_assert(strstr(answer.body.p, "\"fundingIntervalHours\":4"));
  cr_assert_null(strstr(answer.body.p, "BTCUSDT"), "of 8 hours, which it does not list");
  sim.weight_max = 1;
  cr_assert_eq(get("/fapi/v1/openInterest", "symbol=BTCUSDT"), 429);
  end();
}

Test(sim_futures, coinm_is_asked_by_symbol_and_by_pair) {
  begin("binance_coinm");
  open_market(5, 100);
  play(S);
  cr_assert_eq(get("/dapi/v1/depth", "symbol=BTCUSD_PERP&limit=5"), 200);
  cr_assert(strstr(answer.body.p, "\"symbol\":\"BTCUSD_PERP\",\"pair\":\"BTCUSD\""));
  cr_assert_eq(get("/futures/data/topLongShortPositionRatio", "pair=BTCUSD&period=5m&limit=3"),
               200);
  cr_assert(strstr(answer.body.p, "\"longPosition\":"), "%s", answer.body.p);
  cr_assert_eq(get("/futures/data/globalLongShortAccountRatio", "pair=BTCUSD&period=5m&limit=3"),
               200);
  cr_assert(strstr(answer.body.p, "\"longAccount\":"));
  cr_assert_eq(get("/futures/data/globalLongShortAccountRatio", "symbol=BTCUSD_PERP"), 400);
  cr_assert_eq(get("/dapi/v1/premiumIndex", "symbol=BTCUSD_PERP"), 200);
  cr_assert_eq(answer.body.p[0], '[');
  cr_assert_eq(get("/dapi/v1/exchangeInfo", ""), 200);
  cr_assert(strstr(answer.body.p, "\"contractStatus\":\"TRADING\",\"contractSize\":100"));
  cr_assert(strstr(answer.body.p, "\"symbol\":\"BTCUSD_270326\""));
  end();
}
