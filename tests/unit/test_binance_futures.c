/* test_binance_futures - the adversarial cases of the Binance futures protocol, by their numbers,
 * and how a message finds its way. Every field: test_binance_futures_fields.c. */
#include "tests/unit/futures_fixture.h"

#define S "BTCUSDT"

static fixture_t x;

static void
init(void) {
  futures_init(&x, "binance_derivatives");
}

static void
fini(void) {
  fixture_fini(&x);
}

TestSuite(binance_futures, .init = init, .fini = fini);

/* ---- alignment ---- */

Test(binance_futures, case_13_first_update_that_ends_with_the_snapshot_is_applied_again) {
  futures_snapshot(&x, S, 100, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  chained(&x, S, 90, 100, 85, "[\"10\",\"1\"]", "");
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
  cr_assert_eq(book_of(&x, S)->exch_seq, 100);
  chained(&x, S, 140, 150, 100, "[\"10\",\"5\"]", "");
  cr_assert_eq(book_of(&x, S)->exch_seq, 150);
  cr_assert_str_eq(best(&x, S, MD_SIDE_BUY), "10x5");
  cr_assert_eq(count(&x, MD_RECORD_GAP), 0);
}

Test(binance_futures, case_14_first_update_that_continues_the_snapshot_is_applied) {
  futures_snapshot(&x, S, 100, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  chained(&x, S, 107, 110, 100, "[\"10.5\",\"2\"]", "");
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
  cr_assert_str_eq(best(&x, S, MD_SIDE_BUY), "10.5x2");
}

Test(binance_futures, case_15_a_range_over_our_id_with_another_chain_is_a_gap) {
  futures_valid(&x, S, 500);
  (void)types(&x);
  chained(&x, S, 480, 520, 490, "[\"10\",\"7\"]", "");
  cr_assert_str_eq(types(&x), "gap status ");
  assert_gap(last_of(&x, MD_RECORD_GAP), 500, 480, MD_REASON_SEQUENCE);
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_STALE);
  cr_assert_str_eq(best(&x, S, MD_SIDE_BUY), "10x1", "not one level of it was applied");
  cr_assert_eq(x.requested_id, book_of(&x, S)->id);
  chained(&x, S, 530, 540, 520, "[\"10\",\"8\"]", "");
  futures_snapshot(&x, S, 510, "[\"10\",\"6\"]", "[\"11\",\"1\"]");
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID, "what waited bridges the snapshot");
  cr_assert_eq(book_of(&x, S)->exch_seq, 540);
}

Test(binance_futures, case_16_ids_jump_and_the_chain_holds) {
  futures_valid(&x, S, 520);
  chained(&x, S, 700, 712, 520, "[\"10\",\"3\"]", "");
  cr_assert_eq(book_of(&x, S)->exch_seq, 712);
  cr_assert_eq(count(&x, MD_RECORD_GAP), 0);
}

Test(binance_futures, snapshot_between_two_chained_updates_aligns_only_by_the_rule) {
  chained(&x, S, 110, 120, 105, "[\"10\",\"1\"]", "");
  futures_snapshot(&x, S, 107, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_SYNCING);
  cr_assert_eq(x.request_cnt, 2, "asked for again, the buffer kept");
  futures_snapshot(&x, S, 115, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
  cr_assert_eq(book_of(&x, S)->exch_seq, 120);
}

Test(binance_futures, hole_in_the_buffer_behind_the_snapshot_is_a_gap) {
  chained(&x, S, 90, 105, 80, "", "");
  chained(&x, S, 120, 130, 110, "", "");
  futures_snapshot(&x, S, 100, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_STALE);
  cr_assert_eq(count(&x, MD_RECORD_GAP), 1);
}

Test(binance_futures, update_without_its_chain_breaks_the_book) {
  futures_valid(&x, S, 500);
  text(&x,
       "{\"stream\":\"btcusdt@depth@100ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":1700000000002,"
       "\"T\":1700000000001,\"s\":\"BTCUSDT\",\"U\":501,\"u\":502,\"b\":[],\"a\":[]}}");
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_STALE);
  cr_assert_eq(book_of(&x, S)->reason, MD_REASON_BAD_MESSAGE);
}

/* ---- routing ---- */

#define PARTIAL                                                                                    \
  "{\"e\":\"depthUpdate\",\"E\":1700000000002,\"T\":1700000000001,\"s\":\"BTCUSDT\",\"U\":530,"    \
  "\"u\":540,\"pu\":525,\"b\":[[\"9\",\"9\"]],\"a\":[]}"

Test(binance_futures, case_17_part_of_a_book_never_touches_the_chain) {
  char before[65], after[65];
  futures_valid(&x, S, 500);
  digest_of(&x, S, before);
  text(&x, "{\"stream\":\"btcusdt@depth20@100ms\",\"data\":" PARTIAL "}");
  text(&x, "{\"stream\":\"btcusdt@depth5\",\"data\":" PARTIAL "}");
  text(&x, "{\"stream\":\"btcusdt@rpiDepth@500ms\",\"data\":" PARTIAL "}");
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 3);
  chained(&x, S, 501, 510, 500, "", "");
  digest_of(&x, S, after);
  cr_assert_str_eq(before, after);
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
  cr_assert_eq(book_of(&x, S)->exch_seq, 510);
}

Test(binance_futures, case_17_raw_socket_with_a_part_and_a_whole_is_refused) {
  futures_valid(&x, S, 500);
  connect_to(&x, "wss://fstream.binance.com/ws/btcusdt@depth@100ms/btcusdt@depth20@100ms");
  text(&x, PARTIAL);
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 1);
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
}

Test(binance_futures, raw_socket_of_one_whole_depth_is_used) {
  futures_snapshot(&x, S, 535, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  connect_to(&x, "wss://fstream.binance.com/public/ws/btcusdt@depth@100ms");
  futures_snapshot(&x, S, 535, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  text(&x, PARTIAL);
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
  cr_assert_eq(book_of(&x, S)->exch_seq, 540);
}

#define TRADE(id, px, what)                                                                        \
  "{\"stream\":\"btcusdt@trade\",\"data\":{\"e\":\"trade\",\"E\":1700000000002,"                   \
  "\"T\":1700000000001,\"s\":\"BTCUSDT\",\"t\":" id ",\"p\":\"" px                                 \
  "\",\"q\":\"2.5\",\"X\":\"" what "\",\"m\":true}}"

Test(binance_futures, case_18_prints_off_the_book_are_flagged_and_in_no_total) {
  static const md_trade_origin_t origins[] = {MD_ORIGIN_MARKET, MD_ORIGIN_INSURANCE,
                                              MD_ORIGIN_ADL,    MD_ORIGIN_OTHER,
                                              MD_ORIGIN_OTHER,  MD_ORIGIN_MARKET};
  text(&x, TRADE("7", "100.5", "MARKET"));
  text(&x, TRADE("8", "99", "INSURANCE_FUND"));
  text(&x, TRADE("9", "98", "ADL"));
  text(&x, TRADE("10", "0", "NA"));
  text(&x, TRADE("11", "97", "SOMETHING_NEW"));
  text(&x, TRADE("12", "100.25", "MARKET"));
  cr_assert_eq(count(&x, MD_RECORD_TRADE), 6);
  for (unsigned n = 0; n < 6; n++) {
    const md_record_t *rec = nth(&x, MD_RECORD_TRADE, n);
    const md_trade_t  *t   = body_of(rec);
    cr_assert_eq(t->origin, origins[n], "%u", n);
    cr_assert_eq((rec->flags & MD_FLAG_OFF_BOOK) != 0, origins[n] != MD_ORIGIN_MARKET);
  }
  cr_assert_eq(book_of(&x, S)->trades.cnt, 2);
  cr_assert_eq(book_of(&x, S)->trades.off_book_cnt, 4);
  cr_assert_eq((int64_t)book_of(&x, S)->trades.qty_sum, 50);
  cr_assert_eq(book_of(&x, S)->trades.id_last, 12);
  cr_assert_eq(count(&x, MD_RECORD_GAP), 0, "their ids are of the same row");
  text(&x, TRADE("9", "98", "ADL"));
  cr_assert_eq(count(&x, MD_RECORD_TRADE), 6, "sent again");
  text(&x, TRADE("13", "0", "MARKET"));
  cr_assert_eq(counter(&x, MD_COUNTER_PARSE_ERRORS), 1, "a trade has a price");
}

/* ---- mark price and funding ---- */

static void
mark(const char *sent, const char *tail) {
  textf(&x,
        "{\"stream\":\"btcusdt@markPrice@1s\",\"data\":{\"e\":\"markPriceUpdate\",\"E\":%s,"
        "\"s\":\"BTCUSDT\",\"p\":\"100.5\",\"P\":\"100.25\",\"i\":\"100.125\"%s}}",
        sent, tail);
}

static const md_funding_t *
last_funding(void) {
  return body_of(last_of(&x, MD_RECORD_FUNDING));
}

static bool
is_dec(md_dec128_t d, int64_t mantissa, int exponent) {
  md_dec128_t want = md_dec128_from_i64(mantissa, exponent);
  return d.lo == want.lo && d.hi == want.hi;
}

static bool
is_absent(md_dec128_t d) {
  md_i128 mantissa;
  int     exponent;
  return !md_dec128_split(d, &mantissa, &exponent);
}

Test(binance_futures, case_19_next_funding_time_is_never_the_time_of_the_event) {
  mark("1790755199000", ",\"r\":\"-0.00000189\",\"T\":1790755200000");
  const md_record_t *rec = last_of(&x, MD_RECORD_FUNDING);
  cr_assert_eq(rec->ts_exch_ns, 1790755199000000000);
  cr_assert_eq(rec->flags, MD_FLAG_LAST);
  cr_assert_eq(last_funding()->ts_next_ns, 1790755200000000000);
  cr_assert(is_dec(last_funding()->rate, -189, -8));
  cr_assert(is_absent(last_funding()->predicted));
  cr_assert_eq(last_funding()->interval_s, 0, "not known yet");
}

Test(binance_futures, case_19_empty_rate_and_no_time_are_absent) {
  mark("1790755199000", ",\"r\":\"\",\"T\":0");
  cr_assert(is_absent(last_funding()->rate));
  cr_assert_eq(last_funding()->ts_next_ns, MD_NULL_I64);
  cr_assert_eq(last_of(&x, MD_RECORD_FUNDING)->flags, MD_FLAG_LAST, "no bad time: there is none");
  mark("1790755200000", ",\"r\":\"0.00000000\",\"T\":0");
  cr_assert(is_dec(last_funding()->rate, 0, 0), "0 is a rate");
  cr_assert_eq(last_funding()->ts_next_ns, MD_NULL_I64);
  cr_assert_eq(count(&x, MD_RECORD_FUNDING), 2);
  mark("1790755201000", "");
  cr_assert_eq(count(&x, MD_RECORD_FUNDING), 2, "nothing was said of funding");
  cr_assert_eq(count(&x, MD_RECORD_MARK), 3);
  cr_assert_eq(count(&x, MD_RECORD_INDEX), 3);
}

Test(binance_futures, case_19_rollover_shows_the_interval) {
  mark("1790755200000", ",\"r\":\"-0.00000189\",\"T\":1790755200000");
  cr_assert_eq(last_funding()->interval_s, 0);
  mark("1790755201000", ",\"r\":\"-0.00000244\",\"T\":1790784000000");
  cr_assert_eq(last_funding()->ts_next_ns, 1790784000000000000);
  cr_assert_eq(last_funding()->interval_s, 8 * 3600);
  mark("1790755202000", ",\"r\":\"-0.00000250\",\"T\":1790784000000");
  cr_assert_eq(last_funding()->interval_s, 8 * 3600);
  mark("1790784001000", ",\"r\":\"0.00001\",\"T\":1790798400000");
  cr_assert_eq(last_funding()->interval_s, 4 * 3600, "the venue changed it");
}

Test(binance_futures, case_19_a_rollover_that_was_missed_says_nothing_of_the_interval) {
  mark("1790755200000", ",\"r\":\"0\",\"T\":1790755200000");
  mark("1790784100000", ",\"r\":\"0\",\"T\":1790812800000");
  cr_assert_eq(last_funding()->interval_s, 0);
}

/* ---- all-market messages ---- */

#define INFO_URL "https://fapi.binance.com/fapi/v1/exchangeInfo"

Test(binance_futures, case_20_rows_of_other_markets_and_unknown_symbols_take_none_along) {
  http(&x, INFO_URL,
       "{\"symbols\":[{\"symbol\":\"BTCUSDT\",\"contractType\":\"PERPETUAL\",\"status\":"
       "\"TRADING\"},"
       "{\"symbol\":\"ETHUSDT\",\"contractType\":\"PERPETUAL\",\"status\":\"TRADING\"}]}");
  text(&x,
       "{\"stream\":\"!markPrice@arr@1s\",\"data\":["
       "{\"e\":\"markPriceUpdate\",\"E\":1790755199000,\"s\":\"BTCUSDT\",\"p\":\"1\",\"st\":1},"
       "{\"e\":\"markPriceUpdate\",\"E\":1790755199000,\"s\":\"BTCUSD_PERP\",\"p\":\"2\",\"st\":2},"
       "{\"e\":\"markPriceUpdate\",\"E\":1790755199000,\"s\":\"NEWUSDT\",\"p\":\"3\",\"st\":1},"
       "{\"e\":\"markPriceUpdate\",\"E\":1790755199000,\"s\":\"ETHUSDT\",\"p\":\"x\",\"st\":1},"
       "{\"e\":\"markPriceUpdate\",\"E\":1790755199000,\"s\":\"ETHUSDT\",\"p\":\"4\",\"st\":1}]}");
  cr_assert_eq(count(&x, MD_RECORD_MARK), 2);
  cr_assert_eq(nth(&x, MD_RECORD_MARK, 0)->instrument, book_of(&x, "BTCUSDT")->id);
  cr_assert_eq(nth(&x, MD_RECORD_MARK, 1)->instrument, book_of(&x, "ETHUSDT")->id);
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 2);
  cr_assert_eq(counter(&x, MD_COUNTER_PARSE_ERRORS), 1);
  cr_assert_null(find_book(&x, "NEWUSDT"));
  cr_assert_null(find_book(&x, "BTCUSD_PERP"));
}

Test(binance_futures, case_20_all_market_array_without_an_envelope) {
  http(&x, INFO_URL, "{\"symbols\":[{\"symbol\":\"BTCUSDT\",\"status\":\"TRADING\"}]}");
  text(&x, "[{\"e\":\"markPriceUpdate\",\"E\":1790755199000,\"s\":\"BTCUSDT\",\"p\":\"1\"},"
           "{\"e\":\"24hrMiniTicker\",\"s\":\"BTCUSDT\"}]");
  cr_assert_eq(count(&x, MD_RECORD_MARK), 1);
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 1);
}

Test(binance_futures, liquidations_of_all_symbols_make_no_instruments) {
  static const char frame[] =
      "{\"stream\":\"!forceOrder@arr\",\"data\":{\"e\":\"forceOrder\",\"E\":1568014460893,\"o\":"
      "{\"s\":\"BTCUSDT\",\"S\":\"SELL\",\"o\":\"LIMIT\",\"f\":\"IOC\",\"q\":\"0.014\",\"p\":"
      "\"9910\","
      "\"ap\":\"9910\",\"X\":\"FILLED\",\"l\":\"0.014\",\"z\":\"0.014\",\"T\":1568014460893}}}";
  text(&x, frame);
  cr_assert_eq(count(&x, MD_RECORD_LIQUIDATION), 0);
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 1);
  text(&x, TRADE("7", "100.5", "MARKET"));
  text(&x, frame);
  cr_assert_eq(count(&x, MD_RECORD_LIQUIDATION), 1);
}

Test(binance_futures, event_of_the_other_family_is_not_ours) {
  text(&x, "{\"stream\":\"btcusd_perp@aggTrade\",\"data\":{\"e\":\"aggTrade\",\"E\":1700000000002,"
           "\"a\":5,\"s\":\"BTCUSD_PERP\",\"p\":\"100\",\"q\":\"1\",\"nq\":\"1\",\"f\":1,\"l\":1,"
           "\"T\":1700000000001,\"m\":true,\"st\":2}}");
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 1);
  cr_assert_eq(x.cnt, 0);
}

/* ---- large and strange messages ---- */

/* cnt levels at "whole.1000", "whole.1001", ... */
static size_t
many(char *to, size_t room, unsigned whole, unsigned cnt) {
  size_t len = 0;
  for (unsigned n = 0; n < cnt; n++)
    len += (size_t)snprintf(to + len, room - len, "%s[\"%u.%04u\",\"%u.%03u\"]", n ? "," : "",
                            whole, 1000 + n, n + 1, n % 1000);
  cr_assert_lt(len, room);
  return len;
}

Test(binance_futures, case_23_a_thousand_levels_a_side_are_published_in_parts_without_loss) {
  futures_valid(&x, S, 500);
  const size_t room  = 1u << 20;
  char        *frame = malloc(room);
  size_t       len   = (size_t)snprintf(
              frame, room,
              "{\"stream\":\"btcusdt@depth@0ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":1700000000002,"
                      "\"T\":1700000000001,\"s\":\"BTCUSDT\",\"U\":501,\"u\":502,\"pu\":500,\"b\":[");
  len += many(frame + len, room - len, 5, 1035);
  len += (size_t)snprintf(frame + len, room - len, "],\"a\":[");
  len += many(frame + len, room - len, 20, 1224);
  (void)snprintf(frame + len, room - len, "]}}");
  (void)types(&x);
  uint32_t before = x.cnt;
  text(&x, frame);
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
  cr_assert_eq(book_of(&x, S)->book.bids.cnt, 1036);
  cr_assert_eq(book_of(&x, S)->book.asks.cnt, 1225);
  uint32_t bids = 0, asks = 0, parts = 0;
  for (uint32_t n = before; n < x.cnt; n++) {
    const md_record_t     *rec = x.records[n];
    const md_book_delta_t *d   = body_of(rec);
    if (rec->type != MD_RECORD_BOOK_DELTA) continue;
    cr_assert_eq(d->bid_total, 1035);
    cr_assert_eq(d->ask_total, 1224);
    bids += d->bid_cnt;
    asks += d->ask_cnt;
    parts++;
    cr_assert_eq((rec->flags & MD_FLAG_LAST) != 0, bids == 1035 && asks == 1224);
  }
  cr_assert_eq(bids, 1035);
  cr_assert_eq(asks, 1224);
  cr_assert_gt(parts, 1);
  free(frame);
}

Test(binance_futures, case_56_new_fields_new_order_and_new_events_do_no_harm) {
  futures_valid(&x, S, 500);
  text(&x, "{\"stream\":\"btcusdt@depth@100ms\",\"data\":{\"zz\":{\"a\":[1]},\"st\":1,\"a\":[],"
           "\"b\":[[\"10\",\"4\",\"new\"]],\"pu\":500,\"u\":502,\"U\":501,\"ps\":\"BTCUSDT\","
           "\"s\":\"BTCUSDT\",\"T\":1700000000001,\"E\":1700000000002,\"e\":\"depthUpdate\"}}");
  cr_assert_eq(book_of(&x, S)->exch_seq, 502);
  cr_assert_str_eq(best(&x, S, MD_SIDE_BUY), "10x4");
  text(&x, "{\"stream\":\"!contractInfo\",\"data\":{\"e\":\"contractInfo\",\"s\":\"BTCUSDT\"}}");
  text(&x, "{\"stream\":\"btcusdt@new\",\"data\":{\"e\":\"somethingNew\",\"s\":\"BTCUSDT\"}}");
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 2);
  cr_assert_eq(counter(&x, MD_COUNTER_PARSE_ERRORS), 0);
}

Test(binance_futures, answers_and_notices_are_not_data) {
  text(&x, "{\"result\":null,\"id\":1}");
  text(&x, "{\"e\":\"serverShutdown\",\"E\":1770123456789}");
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 0);
  text(&x, "{\"error\":{\"code\":4,\"msg\":\"Too many subscriptions\"}}");
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 1);
  cr_assert_eq(x.cnt, 0);
}

Test(binance_futures, case_45_what_is_no_json_changes_nothing_and_the_next_message_is_fine) {
  static const char *const bad[] = {"{\"stream\":\"btcusdt@markPrice\",\"data\":{\"e\":",
                                    "[{\"e\":\"markPriceUpdate\"",
                                    "[1,2",
                                    "]",
                                    "\"",
                                    "{}}"};
  futures_valid(&x, S, 500);
  for (size_t n = 0; n < MD_CNT(bad); n++)
    text(&x, bad[n]);
  cr_assert_eq(counter(&x, MD_COUNTER_PARSE_ERRORS), MD_CNT(bad));
  chained(&x, S, 501, 502, 500, "", "");
  cr_assert_eq(book_of(&x, S)->exch_seq, 502);
}

Test(binance_futures, case_60_trades_alike_but_for_their_id_are_both_kept) {
  text(&x, TRADE("7", "100.5", "MARKET"));
  text(&x, TRADE("8", "100.5", "MARKET"));
  text(&x, TRADE("8", "100.5", "MARKET"));
  cr_assert_eq(count(&x, MD_RECORD_TRADE), 2);
  cr_assert_eq(counter(&x, MD_COUNTER_DUPLICATES), 1);
}

Test(binance_futures, venues_know_their_hosts) {
  static const struct {
    const char *url, *name;
  } rows[] = {{"wss://fstream.binance.com/public/stream?streams=a", "binance_derivatives"},
              {"https://fapi.binance.com/fapi/v1/depth", "binance_derivatives"},
              {"BINANCE_FUTURES-1125a2.0", "binance_derivatives"},
              {"BINANCE_FUTURES.ws.1.0", "binance_derivatives"},
              {"wss://dstream.binance.com/stream", "binance_coinm"},
              {"https://dapi.binance.com/dapi/v1/depth", "binance_coinm"},
              {"BINANCE_DELIVERY.ws.1.0", "binance_coinm"},
              {"wss://stream.binance.com:9443/ws", "binance_spot"}};
  for (size_t n = 0; n < MD_CNT(rows); n++) {
    const md_venue_t *venue = md_venue_by_host(rows[n].url, (uint32_t)strlen(rows[n].url));
    cr_assert_not_null(venue, "%s", rows[n].url);
    cr_assert_str_eq(venue->name, rows[n].name, "%s", rows[n].url);
  }
}
