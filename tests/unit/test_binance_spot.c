#include "tests/unit/feed_fixture.h"

#define S "BTCUSDT"

static fixture_t x;

static void
init(void) {
  fixture_init(&x);
}

static void
fini(void) {
  fixture_fini(&x);
}

TestSuite(binance_spot, .init = init, .fini = fini);

/* ---- alignment ---- */

Test(binance_spot, case_1_first_update_right_behind_the_snapshot_is_applied) {
  snapshot(&x, S, 5, 100, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_SYNCING);
  depth(&x, S, 101, 105, "[\"10.5\",\"2\"]", "");
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
  cr_assert_eq(book_of(&x, S)->exch_seq, 105);
  cr_assert_str_eq(best(&x, S, MD_SIDE_BUY), "10.5x2");
  cr_assert_eq(count(&x, MD_RECORD_GAP), 0);
}

Test(binance_spot, case_2_buffered_updates_older_than_the_snapshot_are_dropped) {
  depth(&x, S, 90, 95, "[\"1\",\"1\"]", "");
  depth(&x, S, 96, 100, "[\"2\",\"1\"]", "");
  depth(&x, S, 98, 103, "[\"10.5\",\"2\"]", "");
  cr_assert_eq(count(&x, MD_RECORD_BOOK_DELTA), 0);
  snapshot(&x, S, 5, 100, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
  cr_assert_eq(book_of(&x, S)->exch_seq, 103);
  cr_assert_eq(count(&x, MD_RECORD_BOOK_DELTA), 1);
  cr_assert_eq(book_of(&x, S)->book.bids.cnt, 2);
  cr_assert_str_eq(best(&x, S, MD_SIDE_BUY), "10.5x2");
}

Test(binance_spot, case_3_snapshot_that_is_too_old_is_asked_for_again_and_the_buffer_kept) {
  depth(&x, S, 110, 112, "[\"10.5\",\"2\"]", "");
  cr_assert_eq(x.request_cnt, 1);
  snapshot(&x, S, 5, 100, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_SYNCING);
  cr_assert_not(book_of(&x, S)->has_snapshot);
  cr_assert_eq(x.request_cnt, 2);
  cr_assert_eq(count(&x, MD_RECORD_BOOK_SNAPSHOT), 0);
  snapshot(&x, S, 5, 109, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
  cr_assert_eq(book_of(&x, S)->exch_seq, 112);
}

Test(binance_spot, case_4_gap_makes_the_book_stale_until_a_snapshot_bridges_it) {
  make_valid(&x, S, 103);
  (void)types(&x);
  depth(&x, S, 106, 107, "[\"10.7\",\"1\"]", "");
  cr_assert_str_eq(types(&x), "definition gap status ", "its levels are finer");
  assert_gap(last_of(&x, MD_RECORD_GAP), 103, 106, MD_REASON_SEQUENCE);
  assert_status(last_of(&x, MD_RECORD_STATUS), MD_BOOK_VALID, MD_BOOK_STALE, MD_REASON_SEQUENCE);
  cr_assert_eq(counter(&x, MD_COUNTER_GAPS), 1);
  cr_assert_eq(x.requested_id, book_of(&x, S)->id);
  depth(&x, S, 108, 109, "[\"10.8\",\"1\"]", "");
  cr_assert_str_eq(types(&x), "", "updates of a stale book are not published");
  cr_assert_str_eq(best(&x, S, MD_SIDE_BUY), "10x1");

  snapshot(&x, S, 5, 107, "[\"10.7\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_str_eq(types(&x), "book_snapshot book_delta status ");
  assert_status(last_of(&x, MD_RECORD_STATUS), MD_BOOK_STALE, MD_BOOK_VALID, MD_REASON_NONE);
  cr_assert_eq(book_of(&x, S)->exch_seq, 109);
  cr_assert_eq(book_of(&x, S)->gen, 2);
  cr_assert_str_eq(best(&x, S, MD_SIDE_BUY), "10.8x1");
}

Test(binance_spot, case_5_the_same_or_an_older_update_changes_nothing) {
  char before[65], after[65];
  make_valid(&x, S, 103);
  depth(&x, S, 104, 105, "[\"10.1\",\"1\"]", "");
  digest_of(&x, S, before);
  (void)types(&x);
  depth(&x, S, 104, 105, "[\"10.1\",\"9\"]", "");
  depth(&x, S, 103, 103, "[\"10.1\",\"9\"]", "");
  digest_of(&x, S, after);
  cr_assert_str_eq(before, after);
  cr_assert_str_eq(types(&x), "");
  cr_assert_eq(counter(&x, MD_COUNTER_DUPLICATES), 2);
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
}

Test(binance_spot, case_6_overlapping_update_is_applied_and_counted) {
  make_valid(&x, S, 105);
  depth(&x, S, 100, 110, "[\"10\",\"7\"]", "");
  cr_assert_eq(book_of(&x, S)->exch_seq, 110);
  cr_assert_eq(counter(&x, MD_COUNTER_OVERLAPS), 1);
  cr_assert_str_eq(best(&x, S, MD_SIDE_BUY), "10x7");
}

Test(binance_spot, case_7_delete_of_an_absent_price_is_nothing) {
  char before[65], after[65];
  make_valid(&x, S, 105);
  digest_of(&x, S, before);
  depth(&x, S, 106, 106, "[\"3.00000000\",\"0.00000000\"]", "[\"99.00\",\"0.00000000\"]");
  digest_of(&x, S, after);
  cr_assert_str_eq(before, after);
  cr_assert_eq(counter(&x, MD_COUNTER_ABSENT_DELETES), 2);
  cr_assert_eq(book_of(&x, S)->exch_seq, 106);
  cr_assert_eq(count(&x, MD_RECORD_BOOK_DELTA), 2,
               "the exchange's message is published all the same");
}

Test(binance_spot, case_11_without_a_snapshot_the_book_is_never_valid_but_trades_flow) {
  for (unsigned n = 1; n <= 50; n++) {
    depth(&x, S, n, n, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
    trade(&x, S, n, "10.5", "0.25");
    ticker(&x, S, n, "10", "11");
  }
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_SYNCING);
  cr_assert_eq(count(&x, MD_RECORD_BOOK_DELTA), 0);
  cr_assert_eq(count(&x, MD_RECORD_BOOK_SNAPSHOT), 0);
  cr_assert_eq(count(&x, MD_RECORD_TRADE), 50);
  cr_assert_eq(count(&x, MD_RECORD_BBO), 50);
  cr_assert_eq(book_of(&x, S)->trades.cnt, 50);
}

/* ---- routing ---- */

Test(binance_spot, case_8_messages_without_event_are_routed_by_the_stream_name_only) {
  const char *bbo =
      "{\"u\":7,\"s\":\"BTCUSDT\",\"b\":\"1.5\",\"B\":\"2\",\"a\":\"1.6\",\"A\":\"3\"}";
  text(&x, bbo);
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 1);
  cr_assert_eq(x.cnt, 0);

  connect_to(&x, "wss://stream.binance.com:9443/ws/btcusdt@bookTicker/ethusdt@trade");
  text(&x, bbo);
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 2, "several streams: still not known");

  (void)snprintf(x.name, sizeof x.name, "second");
  connect_to(&x, "wss://stream.binance.com:9443/ws/btcusdt@bookTicker?timeUnit=MICROSECOND");
  text(&x, bbo);
  cr_assert_eq(count(&x, MD_RECORD_BBO), 1);

  make_valid(&x, S, 6);
  (void)types(&x);
  text(&x, "{\"stream\":\"btcusdt@depth20@100ms\",\"data\":{\"lastUpdateId\":7,"
           "\"bids\":[[\"9\",\"1\"]],\"asks\":[[\"12\",\"1\"]]}}");
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 3);
  cr_assert_str_eq(types(&x), "");
  cr_assert_str_eq(best(&x, S, MD_SIDE_BUY), "10x1");
}

Test(binance_spot, raw_payloads_are_routed_by_their_event) {
  text(&x, "{\"e\":\"trade\",\"E\":1700000000002,\"s\":\"BTCUSDT\",\"t\":5,\"p\":\"1.5\","
           "\"q\":\"2\",\"T\":1700000000001,\"m\":false,\"M\":true}");
  cr_assert_eq(count(&x, MD_RECORD_TRADE), 1);
  cr_assert_eq(((const md_trade_t *)body_of(last_of(&x, MD_RECORD_TRADE)))->side, MD_SIDE_BUY);
}

Test(binance_spot, case_9_microseconds_follow_the_connection_and_never_the_digits) {
  static const char frame[] =
      "{\"stream\":\"btcusdt@trade\",\"data\":{\"e\":\"trade\",\"E\":%s,\"s\":\"BTCUSDT\",\"t\":%u,"
      "\"p\":\"1\",\"q\":\"1\",\"T\":%s,\"m\":true,\"M\":true}}";
  char buffer[512];
  for (unsigned round = 1; round <= 2; round++) { /* the general reader first, then the fast one */
    (void)snprintf(x.name, sizeof x.name, "ms");
    if (round == 1) connect_to(&x, "wss://stream.binance.com/stream?streams=btcusdt@trade");
    (void)snprintf(buffer, sizeof buffer, frame, "1723161255343", round * 10, "1723161255342");
    text(&x, buffer);
    const md_record_t *rec = last_of(&x, MD_RECORD_TRADE);
    cr_assert_eq(rec->ts_exch_ns, 1723161255343000000);
    cr_assert_eq(((const md_trade_t *)body_of(rec))->ts_match_ns, 1723161255342000000);

    (void)snprintf(x.name, sizeof x.name, "us");
    if (round == 1)
      connect_to(&x, "wss://stream.binance.com/stream?streams=btcusdt@trade&timeUnit=microsecond");
    (void)snprintf(buffer, sizeof buffer, frame, "1723161255343000", round * 10 + 1,
                   "1723161255342001");
    text(&x, buffer);
    rec = last_of(&x, MD_RECORD_TRADE);
    cr_assert_eq(rec->ts_exch_ns, 1723161255343000000);
    cr_assert_eq(((const md_trade_t *)body_of(rec))->ts_match_ns, 1723161255342001000);
    cr_assert_eq(rec->flags, MD_FLAG_LAST);

    (void)snprintf(x.name, sizeof x.name, "ms");
    (void)snprintf(buffer, sizeof buffer, frame, "1723161255343000", round * 10 + 2, "0");
    text(&x, buffer);
    rec = last_of(&x, MD_RECORD_TRADE);
    cr_assert_eq(rec->ts_exch_ns, MD_NULL_I64, "beyond the year 2100 in milliseconds");
    cr_assert_eq(((const md_trade_t *)body_of(rec))->ts_match_ns, MD_NULL_I64);
    cr_assert_eq(rec->flags, MD_FLAG_LAST | MD_FLAG_BAD_TS);
  }
}

Test(binance_spot, case_56_unknown_events_keys_and_orders_are_never_fatal) {
  text(&x,
       "{\"stream\":\"btcusdt@avgPrice\",\"data\":{\"e\":\"avgPrice\",\"E\":1,\"s\":\"BTCUSDT\"}}");
  text(&x, "{\"stream\":\"!all@new\",\"data\":[{\"e\":\"x\"}]}");
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 2);
  text(&x,
       "{ \"data\" : {\"st\":1,\"nq\":{\"a\":[1,2]},\"m\":false,\"T\":1700000000001,\"q\":\"2\","
       "\"p\":\"1.5\",\"t\":5,\"s\":\"BTCUSDT\",\"E\":1700000000002,\"e\":\"trade\"},"
       "\"stream\":\"btcusdt@trade\",\"ps\":null}");
  cr_assert_eq(count(&x, MD_RECORD_TRADE), 1);
  text(&x, "{\"result\":null,\"id\":1}");
  text(&x, "{\"result\":[\"btcusdt@trade\"],\"id\":3}");
  text(&x,
       "{\"stream\":\"!serverShutdown\",\"data\":{\"e\":\"serverShutdown\",\"E\":1770123456789}}");
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 2);
  text(&x, "{\"code\":2,\"msg\":\"Invalid request: unknown stream\",\"id\":4}");
  text(&x, "{\"error\":{\"code\":3,\"msg\":\"Invalid JSON\"},\"id\":4}");
  text(&x, "{\"e\":\"trade\",\"E\":1700000000002,\"t\":5,\"p\":\"1\",\"q\":\"2\",\"m\":true}");
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 5, "the last one has no symbol");
  cr_assert_eq(counter(&x, MD_COUNTER_PARSE_ERRORS), 0);
}

Test(binance_spot, case_45_bad_json_is_counted_and_the_next_message_is_fine) {
  static const char *const bad[] = {
      "",
      "{",
      "null",
      "[]",
      "{\"stream\":\"btcusdt@trade\",\"data\":{\"e\":\"trade\"",
      "{\"e\":\"trade\",\"s\":\"BTCUSDT\",\"t\":1,\"p\":\"1e400\",\"q\":\"1\",\"m\":true}",
      "{\"e\":\"trade\",\"s\":\"BTCUSDT\",\"t\":1,\"p\":\"NaN\",\"q\":\"1\",\"m\":true}",
      "{\"e\":\"trade\",\"s\":\"BTCUSDT\",\"t\":1,\"p\":\"-0\",\"q\":\"1\",\"m\":true}",
      "{\"e\":\"trade\",\"s\":\"BTCUSDT\",\"t\":1,\"p\":\"-1\",\"q\":\"1\",\"m\":true}",
      ("{\"e\":\"trade\",\"s\":\"BTCUSDT\",\"t\":1,\"p\":1,\"q\":"
       "1234567890123456789012345678901234567890,\"m\":true}"),
      "{\"e\":\"trade\",\"s\":\"BTC\xff\",\"t\":1,\"p\":\"1\",\"q\":\"1\",\"m\":true}",
      "{\"e\":\"trade\",\"s\":\"BTCUSDT\",\"t\":1.5,\"p\":\"1\",\"q\":\"1\",\"m\":true}",
      "{\"e\":\"kline\",\"s\":\"BTCUSDT\",\"k\":[]}"};
  for (size_t n = 0; n < MD_CNT(bad); n++) {
    text(&x, bad[n]);
    uint64_t counted = counter(&x, MD_COUNTER_PARSE_ERRORS) + counter(&x, MD_COUNTER_OVERFLOWS);
    cr_assert_eq(counted, n + 1, "%s", bad[n]);
    cr_assert_eq(x.cnt, 0, "%s", bad[n]);
  }
  char deep[400];
  memset(deep, '[', sizeof deep);
  give(&x, MD_RAW_TEXT_IN, x.name, deep, sizeof deep);
  give(&x, MD_RAW_TEXT_IN, x.name, "{\"e\":\"tr\0de\"}", 13);
  cr_assert_eq(x.cnt, 0);
  trade(&x, S, 1, "1.5", "1");
  cr_assert_eq(count(&x, MD_RECORD_TRADE), 1);
}

Test(binance_spot, case_45_duplicate_keys_take_the_last_value) {
  text(&x, "{\"e\":\"trade\",\"E\":1700000000002,\"s\":\"ETHUSDT\",\"s\":\"BTCUSDT\",\"t\":5,"
           "\"p\":\"1\",\"p\":\"2\",\"q\":\"2\",\"T\":1700000000001,\"m\":false}");
  cr_assert_not_null(find_book(&x, S));
  cr_assert_null(find_book(&x, "ETHUSDT"));
  cr_assert_eq(((const md_trade_t *)body_of(last_of(&x, MD_RECORD_TRADE)))->px, 2);
}

Test(binance_spot, case_45_book_message_that_cannot_be_read_makes_its_book_stale) {
  static const char *const bad[] = {
      "{\"e\":\"depthUpdate\",\"E\":1700000000001,\"s\":\"BTCUSDT\",\"U\":106,\"u\":106,\"b\":[["
      "\"1",
      "{\"e\":\"depthUpdate\",\"E\":1700000000001,\"s\":\"BTCUSDT\",\"U\":106,\"u\":106,"
      "\"b\":[[\"1\"]],\"a\":[]}",
      "{\"e\":\"depthUpdate\",\"E\":1700000000001,\"s\":\"BTCUSDT\",\"U\":106,\"u\":106,"
      "\"b\":[[\"1\",\"-2\"]],\"a\":[]}",
      "{\"e\":\"depthUpdate\",\"E\":1700000000001,\"s\":\"BTCUSDT\",\"u\":106,\"b\":[],\"a\":[]}"};
  for (size_t n = 0; n < MD_CNT(bad); n++) {
    snapshot(&x, S, 5, 104, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
    depth(&x, S, 105, 105, "", "");
    make_valid(&x, "ETHUSDT", 105);
    cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID, "%s", bad[n]);
    text(&x, bad[n]);
    cr_assert_eq(book_of(&x, S)->state, MD_BOOK_STALE, "%s", bad[n]);
    cr_assert_eq(book_of(&x, S)->reason, MD_REASON_BAD_MESSAGE);
    cr_assert_eq(book_of(&x, "ETHUSDT")->state, MD_BOOK_VALID);
    assert_gap(last_of(&x, MD_RECORD_GAP), 105, MD_NULL_U64, MD_REASON_BAD_MESSAGE);
    cr_assert_str_eq(best(&x, S, MD_SIDE_BUY), "10x1", "not one level of it was applied");
  }
}

Test(binance_spot, number_that_does_not_fit_makes_the_book_stale_with_overflow) {
  make_valid(&x, S, 105);
  depth(&x, S, 106, 106, "[\"10.0000000000000000000000001\",\"1\"]", "");
  cr_assert_eq(book_of(&x, S)->reason, MD_REASON_OVERFLOW);
  cr_assert_eq(counter(&x, MD_COUNTER_OVERFLOWS), 1);
  depth(&x, S, 107, 107, "", "");
  snapshot(&x, S, 5, 106, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
}

/* ---- content ---- */

Test(binance_spot, case_49_crossed_or_locked_book_is_published_with_its_flag) {
  make_valid(&x, S, 105);
  depth(&x, S, 106, 106, "[\"11\",\"1\"]", "");
  cr_assert(last_of(&x, MD_RECORD_BOOK_DELTA)->flags & MD_FLAG_CROSSED);
  cr_assert_eq(counter(&x, MD_COUNTER_CROSSED), 1);
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
  depth(&x, S, 107, 107, "[\"11\",\"0\"]", "");
  cr_assert_not(last_of(&x, MD_RECORD_BOOK_DELTA)->flags & MD_FLAG_CROSSED);
  cr_assert_eq(counter(&x, MD_COUNTER_CROSSED), 1);
}

Test(binance_spot, case_50_three_canary_mismatches_in_a_row_make_the_book_stale) {
  make_valid(&x, S, 105);
  ticker(&x, S, 105, "10", "11");
  cr_assert_eq(counter(&x, MD_COUNTER_CANARY_MATCHES), 1);
  ticker(&x, S, 108, "9", "12"); /* ahead of the book: waits for it */
  ticker(&x, S, 104, "9", "12"); /* behind it: says nothing */
  cr_assert_eq(counter(&x, MD_COUNTER_CANARY_MISMATCHES), 0);
  depth(&x, S, 106, 108, "", "");
  cr_assert_eq(counter(&x, MD_COUNTER_CANARY_MISMATCHES), 1);
  ticker(&x, S, 108, "9", "11");
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
  ticker(&x, S, 108, "10", "11"); /* right again: the row begins anew */
  ticker(&x, S, 108, "10", "11.5");
  ticker(&x, S, 108, "10.5", "11");
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
  unsigned requests = x.request_cnt;
  ticker(&x, S, 108, "10.5", "11");
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_STALE);
  cr_assert_eq(book_of(&x, S)->reason, MD_REASON_CANARY);
  assert_gap(last_of(&x, MD_RECORD_GAP), 108, 108, MD_REASON_CANARY);
  cr_assert_eq(x.request_cnt, requests + 1);
}

Test(binance_spot, case_51_negative_latency_is_kept_apart) {
  x.recv_ns = 1700000000002000000 - 1270000000; /* our clock is behind theirs */
  trade(&x, S, 1, "10", "1");
  md_hist_copy_t h;
  md_hist_read(&x.metrics->stage[MD_STAGE_EXCHANGE], &h);
  cr_assert_eq(h.negative_cnt, 1);
  md_hist_read(&x.metrics->stage[MD_STAGE_AHEAD], &h);
  cr_assert_eq(h.cnt, 1);
  cr_assert_eq(h.sum_ns, 1270000000, "how much it is below zero");
  x.recv_ns = 1700000000002000000 + 1000;
  trade(&x, S, 2, "10", "1");
  md_hist_read(&x.metrics->stage[MD_STAGE_EXCHANGE], &h);
  cr_assert_eq(h.negative_cnt, 1);
  cr_assert_eq(h.sum_ns, 1000);
  md_hist_read(&x.metrics->stage[MD_STAGE_AHEAD], &h);
  cr_assert_eq(h.cnt, 1);
  cr_assert_eq(last_of(&x, MD_RECORD_TRADE)->ts_recv_ns, 1700000000002001000);
}

static void
bar(unsigned open_s, const char *close, const char *closed) {
  textf(&x,
        "{\"stream\":\"btcusdt@kline_1m\",\"data\":{\"e\":\"kline\",\"E\":1700000000002,\"s\":"
        "\"BTCUSDT\",\"k\":{\"t\":%u000,\"T\":%u999,\"s\":\"BTCUSDT\",\"i\":\"1m\",\"f\":10,"
        "\"L\":19,\"o\":\"1.5\",\"c\":\"%s\",\"h\":\"1.9\",\"l\":\"1.25\",\"v\":\"100.5\",\"n\":10,"
        "\"x\":%s,\"q\":\"150.75\",\"V\":\"50\",\"Q\":\"75.125\",\"B\":\"0\"}}}",
        open_s, open_s + 59, close, closed);
}

Test(binance_spot, case_59_final_bar_comes_once_and_a_late_change_is_a_correction) {
  bar(1699999980, "1.6", "false");
  bar(1699999980, "1.7", "false");
  bar(1699999980, "1.8", "true");
  bar(1699999980, "1.8", "true");
  cr_assert_eq(count(&x, MD_RECORD_KLINE), 3);
  cr_assert_eq(counter(&x, MD_COUNTER_DUPLICATES), 1);
  cr_assert_not(last_of(&x, MD_RECORD_KLINE)->flags & MD_FLAG_CORRECTION);
  bar(1699999980, "1.7", "true");
  cr_assert_eq(count(&x, MD_RECORD_KLINE), 4);
  cr_assert(last_of(&x, MD_RECORD_KLINE)->flags & MD_FLAG_CORRECTION);
  bar(1700000040, "1.7", "false");
  cr_assert_not(last_of(&x, MD_RECORD_KLINE)->flags & MD_FLAG_CORRECTION);
}

Test(binance_spot, case_60_equal_trades_with_other_ids_are_kept_and_a_repeated_id_is_not) {
  trade(&x, S, 7, "10.5", "0.25");
  trade(&x, S, 8, "10.5", "0.25");
  trade(&x, S, 8, "10.5", "0.25");
  trade(&x, S, 7, "10.5", "0.25");
  cr_assert_eq(count(&x, MD_RECORD_TRADE), 2);
  cr_assert_eq(counter(&x, MD_COUNTER_DUPLICATES), 2);
  const md_feed_instrument_t *i = book_of(&x, S);
  cr_assert_eq(i->trades.cnt, 2);
  cr_assert_eq(i->trades.id_first, 7);
  cr_assert_eq(i->trades.id_last, 8);
  cr_assert_eq((int64_t)i->trades.qty_sum, 50);
  cr_assert_eq(i->qty_exp, -2);
}

/* ---- every field ---- */

static void
assert_header(const md_record_t *rec, uint64_t exch_seq, int64_t ts_exch_ns) {
  cr_assert_eq(rec->leg, 0);
  cr_assert_eq(rec->flags, MD_FLAG_LAST);
  cr_assert_eq(rec->stream, 3);
  cr_assert_eq(rec->instrument, 100);
  cr_assert_eq(rec->epoch, 9);
  cr_assert_eq(rec->reserved, 0);
  cr_assert_eq(rec->raw_lo, 0);
  cr_assert_eq(rec->exch_seq, exch_seq);
  cr_assert_eq(rec->ts_exch_ns, ts_exch_ns);
  cr_assert_eq(rec->ts_recv_ns, RECV_NS);
  cr_assert_eq(rec->ts_pub_ns, RECV_NS + 5000);
}

static void
assert_dec(md_dec128_t d, int64_t mantissa, int exponent) {
  md_i128 m;
  int     e;
  cr_assert(md_dec128_split(d, &m, &e));
  cr_assert_eq((int64_t)m, mantissa);
  cr_assert_eq(e, exponent);
}

Test(binance_spot, trade_has_every_field_on_both_readers) {
  for (unsigned id = 1; id <= 2; id++) {
    trade(&x, S, id, "61837.63000000", "0.02000000");
    const md_record_t *rec = last_of(&x, MD_RECORD_TRADE);
    assert_header(rec, id, 1700000000002000000);
    const md_trade_t *t = body_of(rec);
    cr_assert_eq(rec->px_exp, -2);
    cr_assert_eq(rec->qty_exp, -2);
    cr_assert_eq(t->px, 6183763);
    cr_assert_eq(t->qty, 2);
    cr_assert_eq(t->trade_id, id);
    cr_assert_eq(t->ts_match_ns, 1700000000001000000);
    cr_assert_eq(t->side, MD_SIDE_SELL);
    cr_assert_eq(t->origin, MD_ORIGIN_MARKET);
  }
}

Test(binance_spot, old_trades_with_order_ids_are_read_too) {
  for (unsigned id = 1; id <= 2; id++)
    textf(&x,
          "{\"stream\":\"btcusdt@trade\",\"data\":{\"e\":\"trade\",\"E\":1680652800000,\"s\":"
          "\"BTCUSDT\",\"t\":%u,\"p\":\"5.5\",\"q\":\"2\",\"b\":20720542158,\"a\":20720542592,"
          "\"T\":1680652799999,\"m\":false,\"M\":true}}",
          id);
  const md_trade_t *t = body_of(last_of(&x, MD_RECORD_TRADE));
  cr_assert_eq(t->px, 55);
  cr_assert_eq(t->side, MD_SIDE_BUY);
  cr_assert_eq(count(&x, MD_RECORD_TRADE), 2);
}

Test(binance_spot, aggregate_trade_has_every_field_on_both_readers) {
  for (unsigned id = 1; id <= 2; id++) {
    textf(&x,
          "{\"stream\":\"btcusdt@aggTrade\",\"data\":{\"e\":\"aggTrade\",\"E\":1700000000002,\"s\":"
          "\"BTCUSDT\",\"a\":%u,\"p\":\"1.25\",\"q\":\"2.5\",\"f\":8,\"l\":9,\"T\":1700000000001,"
          "\"m\":false,\"M\":true}}",
          id);
    const md_record_t *rec = last_of(&x, MD_RECORD_AGG_TRADE);
    assert_header(rec, id, 1700000000002000000);
    const md_agg_trade_t *t = body_of(rec);
    cr_assert_eq(t->px, 125);
    cr_assert_eq(t->qty, 25);
    cr_assert_eq(t->agg_id, id);
    cr_assert_eq(t->trade_id_first, 8);
    cr_assert_eq(t->trade_id_last, 9);
    cr_assert_eq(t->ts_match_ns, 1700000000001000000);
    cr_assert_eq(t->side, MD_SIDE_BUY);
  }
  cr_assert_eq(book_of(&x, S)->agg_trades.cnt, 2);
  cr_assert_eq(book_of(&x, S)->trades.cnt, 0);
}

Test(binance_spot, best_prices_have_every_field_and_an_empty_side_is_absent) {
  for (unsigned id = 1; id <= 2; id++) {
    textf(&x,
          "{\"stream\":\"btcusdt@bookTicker\",\"data\":{\"u\":%u,\"s\":\"BTCUSDT\",\"b\":\"1.25\","
          "\"B\":\"2.5\",\"a\":\"1.30\",\"A\":\"3\"}}",
          id);
    const md_record_t *rec = last_of(&x, MD_RECORD_BBO);
    assert_header(rec, id, MD_NULL_I64);
    const md_bbo_t *b = body_of(rec);
    cr_assert_eq(b->bid_px, 125);
    cr_assert_eq(b->bid_qty, 25);
    cr_assert_eq(b->ask_px, 130);
    cr_assert_eq(b->ask_qty, 30);
  }
  text(&x, "{\"stream\":\"btcusdt@bookTicker\",\"data\":{\"u\":3,\"s\":\"BTCUSDT\",\"b\":"
           "\"0.00000000\",\"B\":\"0.00000000\",\"a\":\"1.30\",\"A\":\"3\"}}");
  const md_bbo_t *b = body_of(last_of(&x, MD_RECORD_BBO));
  cr_assert_eq(b->bid_px, MD_NULL_I64);
  cr_assert_eq(b->bid_qty, 0);
  cr_assert_eq(b->ask_px, 130);
}

Test(binance_spot, bar_has_every_field) {
  bar(1699999980, "1.6", "true");
  const md_record_t *rec = last_of(&x, MD_RECORD_KLINE);
  assert_header(rec, 0, 1700000000002000000);
  const md_kline_t *k = body_of(rec);
  cr_assert_eq(rec->px_exp, -2);
  cr_assert_eq(rec->qty_exp, -1);
  cr_assert_eq(k->ts_open_ns, 1699999980000000000);
  cr_assert_eq(k->ts_close_ns, 1700000039999000000);
  cr_assert_eq(k->open, 150);
  cr_assert_eq(k->high, 190);
  cr_assert_eq(k->low, 125);
  cr_assert_eq(k->close, 160);
  cr_assert_eq(k->volume, 1005);
  cr_assert_eq(k->taker_volume, 500);
  assert_dec(k->turnover, 15075, -2);
  assert_dec(k->taker_turnover, 75125, -3);
  cr_assert_eq(k->trade_id_first, 10);
  cr_assert_eq(k->trade_id_last, 19);
  cr_assert_eq(k->trade_cnt, 10);
  cr_assert_eq(k->interval_s, 60);
  cr_assert_eq(k->closed, 1);
}

Test(binance_spot, ticker_has_every_field) {
  text(&x, "{\"stream\":\"btcusdt@ticker\",\"data\":{\"e\":\"24hrTicker\",\"E\":1700000000002,"
           "\"s\":\"BTCUSDT\",\"p\":\"-0.5\",\"P\":\"-2.500\",\"w\":\"20.123456789\",\"x\":\"20\","
           "\"c\":\"19.5\",\"Q\":\"10\",\"b\":\"19.4\",\"B\":\"11\",\"a\":\"19.6\",\"A\":\"12\","
           "\"o\":\"20\",\"h\":\"21\",\"l\":\"19\",\"v\":\"1000.25\",\"q\":\"20000.125\","
           "\"O\":1699913600000,\"C\":1700000000000,\"F\":-1,\"L\":18150,\"n\":18151}}");
  const md_record_t *rec = last_of(&x, MD_RECORD_TICKER);
  assert_header(rec, 0, 1700000000002000000);
  const md_ticker_t *t = body_of(rec);
  cr_assert_eq(rec->px_exp, -1);
  cr_assert_eq(rec->qty_exp, 0);
  cr_assert_eq(t->ts_open_ns, 1699913600000000000);
  cr_assert_eq(t->ts_close_ns, 1700000000000000000);
  cr_assert_eq(t->last_px, 195);
  cr_assert_eq(t->last_qty, 10);
  cr_assert_eq(t->open, 200);
  cr_assert_eq(t->high, 210);
  cr_assert_eq(t->low, 190);
  cr_assert_eq(t->bid_px, 194);
  cr_assert_eq(t->bid_qty, 11);
  cr_assert_eq(t->ask_px, 196);
  cr_assert_eq(t->ask_qty, 12);
  assert_dec(t->volume, 100025, -2);
  assert_dec(t->turnover, 20000125, -3);
  assert_dec(t->vwap, 20123456789, -9);
  assert_dec(t->change, -5, -1);
  assert_dec(t->change_percent, -25, -1);
  cr_assert_eq(t->trade_id_first, MD_NULL_U64);
  cr_assert_eq(t->trade_id_last, 18150);
  cr_assert_eq(t->trade_cnt, 18151);
}

Test(binance_spot, snapshot_and_delta_have_every_field) {
  x.leg     = 2;
  x.recv_ns = RECV_NS + 1;
  depth(&x, S, 101, 103, "[\"10.5\",\"2\"],[\"9\",\"0\"]", "[\"12\",\"4.25\"]");
  x.recv_ns = RECV_NS + 2;
  snapshot(&x, S, 2, 100, "[\"10\",\"1\"],[\"9\",\"7\"]", "[\"11\",\"1\"]");

  const md_record_t        *rec = nth(&x, MD_RECORD_BOOK_SNAPSHOT, 0);
  const md_book_snapshot_t *s   = body_of(rec);
  cr_assert_eq(rec->flags, MD_FLAG_LAST | MD_FLAG_SNAPSHOT | MD_FLAG_REST);
  cr_assert_eq(rec->leg, MD_LEG_NONE);
  cr_assert_eq(rec->exch_seq, 100);
  cr_assert_eq(rec->ts_exch_ns, MD_NULL_I64);
  cr_assert_eq(rec->ts_recv_ns, RECV_NS + 2);
  cr_assert_eq(s->exch_seq_first, 100);
  cr_assert_eq(s->exch_seq_prev, MD_NULL_U64);
  cr_assert_eq(s->bid_cnt, 2);
  cr_assert_eq(s->ask_cnt, 1);
  cr_assert_eq(s->bid_total, 2);
  cr_assert_eq(s->ask_total, 1);
  cr_assert_eq(s->limit, 2);
  const md_level_t *l = (const void *)(s + 1);
  cr_assert(l[0].px == 100 && l[1].px == 90 && l[2].px == 110);
  cr_assert(l[0].qty == 100 && l[1].qty == 700 && l[2].qty == 100);

  rec                      = nth(&x, MD_RECORD_BOOK_DELTA, 0);
  const md_book_delta_t *d = body_of(rec);
  cr_assert_eq(rec->flags, MD_FLAG_LAST | MD_FLAG_RESYNC);
  cr_assert_eq(rec->leg, 2);
  cr_assert_eq(rec->px_exp, -1);
  cr_assert_eq(rec->qty_exp, -2);
  cr_assert_eq(rec->exch_seq, 103);
  cr_assert_eq(rec->ts_exch_ns, 1700000000001000000);
  cr_assert_eq(rec->ts_recv_ns, RECV_NS + 1,
               "the time at which it came, not at which it was freed");
  cr_assert_eq(d->exch_seq_first, 101);
  cr_assert_eq(d->exch_seq_prev, MD_NULL_U64);
  cr_assert_eq(d->bid_cnt, 2);
  cr_assert_eq(d->ask_cnt, 1);
  cr_assert_eq(d->bid_total, 2);
  cr_assert_eq(d->ask_total, 1);
  l = (const void *)(d + 1);
  cr_assert(l[0].px == 105 && l[0].qty == 200);
  cr_assert(l[1].px == 90 && l[1].qty == 0);
  cr_assert(l[2].px == 120 && l[2].qty == 425);

  cr_assert_eq(book_of(&x, S)->trusted_bid, 90, "the snapshot was cut at two levels");
  cr_assert_eq(book_of(&x, S)->trusted_ask, MD_NULL_I64, "all asks are known");
}

static const char exchange_info[] =
    "{\"timezone\":\"UTC\",\"symbols\":[{\"symbol\":\"BTCUSDT\",\"status\":\"TRADING\","
    "\"baseAsset\":"
    "\"BTC\",\"quoteAsset\":\"USDT\",\"filters\":[{\"filterType\":\"PRICE_FILTER\",\"minPrice\":"
    "\"0.01000000\",\"tickSize\":\"0.01000000\"},{\"filterType\":\"LOT_SIZE\",\"minQty\":"
    "\"0.00010000\",\"maxQty\":\"9000\",\"stepSize\":\"0.00001000\"},{\"filterType\":"
    "\"MARKET_LOT_SIZE\",\"minQty\":\"7\",\"stepSize\":\"0\"},{\"filterType\":\"NOTIONAL\","
    "\"minNotional\":\"5.50000000\"}]},{\"symbol\":\"ETHBTC\",\"status\":\"BREAK\",\"baseAsset\":"
    "\"ETH\",\"quoteAsset\":\"BTC\",\"filters\":[]},7]}";

Test(binance_spot, exchange_info_gives_the_definition_and_the_exponents) {
  give(&x, MD_RAW_HTTP, "https://api.binance.com/api/v3/exchangeInfo", exchange_info,
       sizeof exchange_info - 1);
  cr_assert_eq(x.cnt, 0, "nobody uses these symbols yet");
  cr_assert_eq(counter(&x, MD_COUNTER_PARSE_ERRORS), 1, "the row that is a number");
  trade(&x, S, 1, "5", "1");
  cr_assert_str_eq(types(&x), "definition trade ");
  const md_record_t     *rec = nth(&x, MD_RECORD_DEFINITION, 0);
  const md_definition_t *d   = body_of(rec);
  assert_header(rec, 0, MD_NULL_I64);
  cr_assert_eq(rec->px_exp, -2);
  cr_assert_eq(rec->qty_exp, -5);
  cr_assert_str_eq(d->symbol, "BTCUSDT");
  cr_assert_str_eq(d->normalised, "BTC-USDT");
  cr_assert_str_eq(d->base, "BTC");
  cr_assert_str_eq(d->quote, "USDT");
  cr_assert_str_eq(d->settle, "");
  cr_assert_eq(d->tick_size, 1);
  cr_assert_eq(d->lot_size, 1);
  cr_assert_eq(d->min_qty, 10);
  assert_dec(d->min_notional, 55, -1);
  cr_assert_not(md_dec128_split(d->contract_size, &(md_i128){0}, &(int){0}));
  cr_assert_not(md_dec128_split(d->strike, &(md_i128){0}, &(int){0}));
  cr_assert_eq(d->expiry_ns, MD_NULL_I64);
  cr_assert_eq(d->kind, MD_KIND_SPOT);
  cr_assert_eq(d->trading, MD_TRADING_ON);
  cr_assert_eq(d->option_type, 0);
  cr_assert_eq(d->inverse, 0);
  cr_assert_eq(((const md_trade_t *)body_of(last_of(&x, MD_RECORD_TRADE)))->px, 500);

  trade(&x, "ETHBTC", 1, "0.05", "1");
  cr_assert_eq(((const md_definition_t *)body_of(last_of(&x, MD_RECORD_DEFINITION)))->trading,
               MD_TRADING_HALT);
}

Test(binance_spot, exchange_info_of_a_symbol_in_use_says_only_what_changed) {
  trade(&x, S, 1, "5.125", "1");
  (void)types(&x);
  for (int n = 0; n < 2; n++)
    give(&x, MD_RAW_HTTP, "https://api.binance.com/api/v3/exchangeInfo", exchange_info,
         sizeof exchange_info - 1);
  cr_assert_str_eq(types(&x), "definition ", "the second time nothing changed");
  const md_record_t     *rec = last_of(&x, MD_RECORD_DEFINITION);
  const md_definition_t *d   = body_of(rec);
  cr_assert_eq(rec->px_exp, -3, "never larger again");
  cr_assert_eq(d->tick_size, 10);
  cr_assert_eq(d->lot_size, 1);
}

Test(binance_spot, unlisted_symbols_are_split_by_the_longest_quote) {
  static const char *const names[][2] = {{"ETHFDUSD", "ETH-FDUSD"},
                                         {"MANAUSD", "MANA-USD"},
                                         {"RENBTCETH", "RENBTC-ETH"},
                                         {"USDTTRY", "USDT-TRY"},
                                         {"QQQ", "QQQ"},
                                         {"\xe5\xb8\x81USDT", "\xe5\xb8\x81-USDT"}};
  for (size_t n = 0; n < MD_CNT(names); n++) {
    trade(&x, names[n][0], 1, "1", "1");
    const md_definition_t *d = body_of(last_of(&x, MD_RECORD_DEFINITION));
    cr_assert_str_eq(d->normalised, names[n][1]);
  }
  text(&x, "{\"e\":\"trade\",\"E\":1700000000002,\"s\":\"\\u5e01USDT\",\"t\":2,\"p\":\"1\","
           "\"q\":\"2\",\"T\":1700000000001,\"m\":false}");
  cr_assert_eq(book_of(&x, names[5][0])->trades.cnt, 2, "an escaped name is the same name");
}

Test(binance_spot, http_answers_that_are_no_books_do_no_harm) {
  make_valid(&x, S, 105);
  (void)types(&x);
  const char *error = "{\"code\":-1003,\"msg\":\"Too many requests\"}";
  give(&x, MD_RAW_HTTP, "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=5", error,
       strlen(error));
  give(&x, MD_RAW_HTTP, "https://api.binance.com/api/v3/depth?limit=5", error, strlen(error));
  give(&x, MD_RAW_HTTP, "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT", error,
       strlen(error));
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 3);
  give(&x, MD_RAW_HTTP, "https://api.binance.com/api/v3/time", "{\"serverTime\":1}", 16);
  give(&x, MD_RAW_HTTP, "https://api.binance.com/api/v1/depth?limit=5&symbol=BTCUSDT", "<html>", 6);
  cr_assert_eq(counter(&x, MD_COUNTER_PARSE_ERRORS), 1);
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
  cr_assert_str_eq(types(&x), "");
}

Test(binance_spot, both_venues_know_their_hosts) {
  static const char spot[] = "wss://stream.binance.com:9443/stream",
                    us[]   = "https://api.binance.us/";
  static const char usdm[] = "wss://fstream.binance.com/stream";
  static const char none[] = "wss://xstream.binance.com/stream";
  cr_assert_str_eq(md_venue_by_host(spot, sizeof spot - 1)->name, "binance_spot");
  cr_assert_str_eq(md_venue_by_host(us, sizeof us - 1)->name, "binance_us");
  cr_assert_str_eq(md_venue_by_host(usdm, sizeof usdm - 1)->name, "binance_derivatives");
  cr_assert_null(md_venue_by_host(none, sizeof none - 1), "part of a host is no host");
}
