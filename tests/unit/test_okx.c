/* Books of OKX: the sequence, the checksum, several connections, and what is no JSON. Tests whose
 * names begin with case_NN are the numbered adversarial cases of the venue's protocol. */
#include "tests/unit/okx_fixture.h"

#define BID "[\"100.1\",\"2\",\"0\",\"1\"]"
#define ASK "[\"100.2\",\"3\",\"0\",\"1\"]"

static fixture_t x;

static void
setup(void) {
  okx_init(&x, "okx_derivatives");
}

static void
teardown(void) {
  fixture_fini(&x);
}

TestSuite(okx, .init = setup, .fini = teardown);

/* ---- the sequence ---- */

Test(okx, snapshot_of_the_stream_is_valid_at_once) {
  book(&x, "snapshot", SWAP, 100, -1, BID, ASK);
  assert_book(&x, SWAP, "100.1x2", "100.2x3");
  cr_assert_str_eq(types(&x), "definition status book_snapshot status ");
  cr_assert_eq(book_of(&x, SWAP)->exch_seq, 100);
  cr_assert_eq(book_of(&x, SWAP)->snapshot_limit, 400, "more is not known");
  cr_assert_eq(x.request_cnt, 0);
}

Test(okx, update_that_continues_is_applied_though_ids_jump) {
  book(&x, "snapshot", SWAP, 100, -1, BID, ASK);
  book(&x, "update", SWAP, 150, 100, "[\"100.1\",\"0\",\"0\",\"0\"],[\"100\",\"7\",\"0\",\"1\"]",
       "");
  assert_book(&x, SWAP, "100x7", "100.2x3");
  const md_record_t     *rec = last_of(&x, MD_RECORD_BOOK_DELTA);
  const md_book_delta_t *d   = body_of(rec);
  cr_assert_eq(rec->exch_seq, 150);
  cr_assert_eq(rec->ts_exch_ns, 1790439596900000000);
  cr_assert_eq(d->exch_seq_prev, 100);
  cr_assert_eq(d->bid_total, 2);
}

Test(okx, case_24_heartbeat_is_no_record_and_no_duplicate) {
  book(&x, "snapshot", SWAP, 100, -1, BID, ASK);
  (void)types(&x);
  book(&x, "update", SWAP, 100, 100, "", "");
  assert_book(&x, SWAP, "100.1x2", "100.2x3");
  cr_assert_str_eq(types(&x), "");
  cr_assert_eq(counter(&x, MD_COUNTER_DUPLICATES), 0);
  book(&x, "update", SWAP, 101, 100, "[\"100.1\",\"5\",\"0\",\"1\"]", "");
  assert_book(&x, SWAP, "100.1x5", "100.2x3");
}

Test(okx, case_24_heartbeat_with_another_id_is_a_gap) {
  book(&x, "snapshot", SWAP, 100, -1, BID, ASK);
  book(&x, "update", SWAP, 130, 130, "", "");
  cr_assert_eq(book_of(&x, SWAP)->state, MD_BOOK_STALE);
  cr_assert_eq(book_of(&x, SWAP)->reason, MD_REASON_SEQUENCE);
}

Test(okx, case_25_reset_to_a_smaller_id_is_applied_and_continued) {
  book(&x, "snapshot", SWAP, 90000, -1, BID, ASK);
  book(&x, "update", SWAP, 12, 90000, "[\"100.1\",\"4\",\"0\",\"1\"]", "");
  assert_book(&x, SWAP, "100.1x4", "100.2x3");
  cr_assert_eq(book_of(&x, SWAP)->exch_seq, 12);
  book(&x, "update", SWAP, 15, 12, "[\"100.1\",\"6\",\"0\",\"1\"]", "");
  assert_book(&x, SWAP, "100.1x6", "100.2x3");
  cr_assert_eq(counter(&x, MD_COUNTER_GAPS), 0);
}

Test(okx, case_25_reset_that_was_missed_is_a_gap_and_not_an_old_message) {
  book(&x, "snapshot", SWAP, 90000, -1, BID, ASK);
  book(&x, "update", SWAP, 15, 12, "[\"100.1\",\"6\",\"0\",\"1\"]", "");
  cr_assert_eq(book_of(&x, SWAP)->state, MD_BOOK_STALE);
  assert_gap(last_of(&x, MD_RECORD_GAP), 90000, 15, MD_REASON_SEQUENCE);
}

Test(okx, case_26_gap_is_declared_and_only_a_snapshot_heals_it) {
  book(&x, "snapshot", SWAP, 100, -1, BID, ASK);
  book(&x, "snapshot", "ETH-USDT-SWAP", 50, -1, BID, ASK);
  book(&x, "update", SWAP, 150, 120, "[\"100.1\",\"9\",\"0\",\"1\"]", "");
  assert_gap(last_of(&x, MD_RECORD_GAP), 100, 150, MD_REASON_SEQUENCE);
  cr_assert_eq(x.request_cnt, 1);
  cr_assert_eq(book_of(&x, "ETH-USDT-SWAP")->state, MD_BOOK_VALID);
  book(&x, "update", SWAP, 160, 150, "[\"100.1\",\"8\",\"0\",\"1\"]", "");
  cr_assert_eq(book_of(&x, SWAP)->state, MD_BOOK_STALE);
  cr_assert_eq(count(&x, MD_RECORD_BOOK_DELTA), 0);
  book(&x, "snapshot", SWAP, 155, -1, BID, ASK);
  assert_book(&x, SWAP, "100.1x2", "100.2x3");
  cr_assert_eq(book_of(&x, SWAP)->gen, 2);
  book(&x, "update", SWAP, 170, 155, "[\"100.1\",\"7\",\"0\",\"1\"]", "");
  assert_book(&x, SWAP, "100.1x7", "100.2x3");
  cr_assert(last_of(&x, MD_RECORD_BOOK_DELTA)->flags & MD_FLAG_RESYNC);
}

Test(okx, case_27_updates_before_a_snapshot_are_not_applied) {
  book(&x, "update", SWAP, 101, 100, "[\"100.1\",\"9\",\"0\",\"1\"]", "");
  cr_assert_eq(book_of(&x, SWAP)->state, MD_BOOK_SYNCING);
  cr_assert_eq(x.request_cnt, 1);
  cr_assert_eq(count(&x, MD_RECORD_BOOK_DELTA), 0);
  book(&x, "snapshot", SWAP, 200, -1, BID, ASK);
  assert_book(&x, SWAP, "100.1x2", "100.2x3");
  cr_assert_eq(count(&x, MD_RECORD_BOOK_DELTA), 0);
}

Test(okx, books_align_by_rest_when_no_snapshot_comes) {
  static const char url[]  = "https://www.okx.com/api/v5/market/books?instId=" SWAP "&sz=400";
  static const char body[] = "{\"code\":\"0\",\"msg\":\"\",\"data\":[{\"asks\":[" ASK
                             "],\"bids\":[" BID "],\"ts\":\"" TS "\",\"seqId\":105}]}";
  book(&x, "update", SWAP, 101, 100, "[\"100.1\",\"9\",\"0\",\"1\"]", "");
  book(&x, "update", SWAP, 110, 101, "[\"100\",\"5\",\"0\",\"1\"]", "");
  book(&x, "update", SWAP, 120, 110, "[\"100.1\",\"4\",\"0\",\"1\"]", "");
  give(&x, MD_RAW_HTTP, url, body, sizeof body - 1);
  assert_book(&x, SWAP, "100.1x4", "100.2x3");
  cr_assert_eq(book_of(&x, SWAP)->exch_seq, 120);
  cr_assert_eq(count(&x, MD_RECORD_BOOK_DELTA), 2);
  cr_assert(nth(&x, MD_RECORD_BOOK_SNAPSHOT, 0)->flags & MD_FLAG_REST);
  cr_assert_eq(book_of(&x, SWAP)->snapshot_limit, 400);
}

Test(okx, snapshot_by_rest_that_is_older_than_all_that_waits_is_asked_for_again) {
  static const char url[] = "https://www.okx.com/api/v5/market/books?instId=" SWAP "&sz=400";
  static const char body[] =
      "{\"code\":\"0\",\"data\":[{\"asks\":[],\"bids\":[],\"ts\":\"" TS "\",\"seqId\":90}]}";
  book(&x, "update", SWAP, 110, 101, "[\"100\",\"5\",\"0\",\"1\"]", "");
  give(&x, MD_RAW_HTTP, url, body, sizeof body - 1);
  cr_assert_eq(book_of(&x, SWAP)->state, MD_BOOK_SYNCING);
  cr_assert_eq(x.request_cnt, 2);
}

Test(okx, snapshot_in_a_valid_stream_replaces_the_book) {
  book(&x, "snapshot", SWAP, 100, -1, BID, ASK);
  (void)types(&x);
  book(&x, "snapshot", SWAP, 130, -1, "[\"99\",\"1\",\"0\",\"1\"]", ASK);
  assert_book(&x, SWAP, "99x1", "100.2x3");
  cr_assert_str_eq(types(&x), "book_snapshot ");
  cr_assert_eq(book_of(&x, SWAP)->gen, 2);
}

Test(okx, the_same_message_twice_is_a_duplicate) {
  book(&x, "snapshot", SWAP, 100, -1, BID, ASK);
  book(&x, "update", SWAP, 101, 100, "[\"100.1\",\"9\",\"0\",\"1\"]", "");
  book(&x, "update", SWAP, 101, 100, "[\"100.1\",\"9\",\"0\",\"1\"]", "");
  assert_book(&x, SWAP, "100.1x9", "100.2x3");
  cr_assert_eq(counter(&x, MD_COUNTER_DUPLICATES), 1);
}

/* ---- the checksum ---- */

static int32_t
plain_crc(const char *qty) {
  char line[128];
  (void)snprintf(line, sizeof line, "100.1:%s:100.2:3", qty);
  return crc_of(line);
}

Test(okx, case_28_checksum_of_zero_is_not_verified) {
  old_book(&x, "snapshot", SWAP, 1000, plain_crc("2"), BID, ASK);
  cr_assert_eq(counter(&x, MD_COUNTER_CHECKSUM_MATCHES), 1);
  book(&x, "snapshot", SWAP, 100, -1, BID, ASK);
  assert_book(&x, SWAP, "100.1x2", "100.2x3");
  cr_assert_eq(counter(&x, MD_COUNTER_CHECKSUM_MATCHES), 1);
}

Test(okx, case_28_wrong_checksum_is_a_gap_and_nothing_of_the_message_is_published) {
  old_book(&x, "snapshot", SWAP, 1000, plain_crc("2"), BID, ASK);
  old_book(&x, "update", SWAP, 1001, plain_crc("4"), "[\"100.1\",\"5\",\"0\",\"1\"]", "");
  cr_assert_eq(book_of(&x, SWAP)->state, MD_BOOK_STALE);
  cr_assert_eq(book_of(&x, SWAP)->reason, MD_REASON_CHECKSUM);
  cr_assert_eq(count(&x, MD_RECORD_BOOK_DELTA), 0);
  cr_assert_eq(counter(&x, MD_COUNTER_CHECKSUM_MISMATCHES), 1);
  cr_assert_eq(x.request_cnt, 1);
  old_book(&x, "snapshot", SWAP, 1002, plain_crc("7"), "[\"100.1\",\"7\",\"0\",\"1\"]", ASK);
  assert_book(&x, SWAP, "100.1x7", "100.2x3");
}

Test(okx, case_28_snapshot_with_a_wrong_checksum_is_refused) {
  old_book(&x, "snapshot", SWAP, 1000, plain_crc("3"), BID, ASK);
  cr_assert_neq(book_of(&x, SWAP)->state, MD_BOOK_VALID);
  cr_assert_eq(count(&x, MD_RECORD_BOOK_SNAPSHOT), 0);
  cr_assert_geq(x.request_cnt, 1);
}

Test(okx, case_28_negative_checksums_and_books_of_one_side) {
  unsigned negative_cnt = 0;
  for (unsigned qty = 1; qty < 40; qty++) {
    char level[64], line[128];
    (void)snprintf(level, sizeof level, "[\"100.2\",\"%u\",\"0\",\"1\"]", qty);
    (void)snprintf(line, sizeof line, "100.2:%u", qty);
    negative_cnt += crc_of(line) < 0;
    old_book(&x, qty == 1 ? "snapshot" : "update", SWAP, 1000 + qty, crc_of(line), "", level);
  }
  cr_assert_gt(negative_cnt, 5);
  assert_book(&x, SWAP, "-", "100.2x39");
  cr_assert_eq(counter(&x, MD_COUNTER_CHECKSUM_MATCHES), 39);
}

Test(okx, defect_6_checksum_is_of_the_texts_as_they_were_sent) {
  old_book(&x, "snapshot", SWAP, 1000, crc_of("100.10:2.0:100.2:3:99:1.50"),
           "[\"100.10\",\"2.0\",\"0\",\"1\"],[\"99\",\"1.50\",\"0\",\"1\"]", ASK);
  assert_book(&x, SWAP, "100.1x2", "100.2x3");
  old_book(&x, "update", SWAP, 1001, crc_of("100.10:2.0:100.2:3:99:7"),
           "[\"99\",\"7\",\"0\",\"1\"]", "");
  old_book(&x, "update", SWAP, 1002, crc_of("100.1:2.25:100.2:3:99:7"),
           "[\"100.1\",\"2.25\",\"0\",\"1\"]", "");
  assert_book(&x, SWAP, "100.1x2.25", "100.2x3");
  cr_assert_eq(counter(&x, MD_COUNTER_CHECKSUM_MATCHES), 3);
}

Test(okx, only_the_best_25_levels_are_in_the_checksum) {
  char levels[2048] = "", line[2048] = "";
  for (unsigned n = 0; n < 30; n++) {
    size_t at = strlen(levels), to = strlen(line);
    (void)snprintf(levels + at, sizeof levels - at, "%s[\"%u\",\"1\",\"0\",\"1\"]", n ? "," : "",
                   100 - n);
    if (n < 25) (void)snprintf(line + to, sizeof line - to, "%s%u:1", n ? ":" : "", 100 - n);
  }
  old_book(&x, "snapshot", SWAP, 1000, crc_of(line), levels, "");
  assert_book(&x, SWAP, "100x1", "-");
  cr_assert_eq(book_of(&x, SWAP)->book.bids.cnt, 30);
}

Test(okx, without_ids_and_checksum_nothing_can_be_trusted) {
  textf(&x, "{\"arg\":{\"channel\":\"books\",\"instId\":\"" SWAP "\"},\"action\":\"snapshot\","
            "\"data\":[{\"asks\":[" ASK "],\"bids\":[" BID "],\"ts\":\"" TS "\"}]}");
  cr_assert_null(find_book(&x, SWAP));
  cr_assert_eq(counter(&x, MD_COUNTER_PARSE_ERRORS), 1);
}

/* ---- what is no data ---- */

Test(okx, case_29_keepalive_texts_are_no_errors) {
  text(&x, "pong");
  text(&x, "ping");
  text(&x, "");
  cr_assert_eq(counter(&x, MD_COUNTER_PARSE_ERRORS), 0);
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 0);
}

/* What the venue sent until 2021: DEFLATE in binary frames, here a bomb. Nothing inflates it. */
Test(okx, case_47_compressed_binary_frames_are_counted_and_never_inflated) {
  uint8_t bomb[1024];
  book(&x, "snapshot", SWAP, 100, -1, BID, ASK);
  (void)types(&x);
  memset(bomb, 0, sizeof bomb);
  memcpy(bomb, "\xec\xc1\x01\x01\x00\x00\x00\x80\x90\xfe\xaf\xee\x08\x0a", 14);
  for (unsigned n = 0; n < 100; n++)
    give(&x, MD_RAW_BINARY_IN, x.name, bomb, sizeof bomb);
  cr_assert_eq(counter(&x, MD_COUNTER_PARSE_ERRORS), 100);
  cr_assert_str_eq(types(&x), "");
  book(&x, "update", SWAP, 101, 100, "[\"100.1\",\"5\",\"0\",\"1\"]", "");
  assert_book(&x, SWAP, "100.1x5", "100.2x3");
}

Test(okx, case_30_errors_between_data_change_no_book) {
  book(&x, "snapshot", SWAP, 100, -1, BID, ASK);
  text(&x, "{\"event\":\"error\",\"msg\":\"Illegal request: {\\\"op\\\":\",\"code\":\"60012\","
           "\"connId\":\"78d58071\"}");
  text(&x, "{\"id\":\"md\",\"event\":\"error\",\"code\":\"60018\",\"msg\":\"gone\"}");
  text(&x, "{\"event\":\"error\",\"code\":\"64003\",\"msg\":\"tier\"}");
  text(&x,
       "{\"id\":\"md\",\"event\":\"subscribe\",\"arg\":{\"channel\":\"books\",\"instId\":\"" SWAP
       "\"},\"connId\":\"73220c7f\"}");
  text(&x, "{\"event\":\"channel-conn-count\",\"channel\":\"books\",\"connCount\":\"1\"}");
  text(&x, "{\"event\":\"notice\",\"code\":\"64008\",\"msg\":\"soon closed\"}");
  book(&x, "update", SWAP, 101, 100, "[\"100.1\",\"9\",\"0\",\"1\"]", "");
  assert_book(&x, SWAP, "100.1x9", "100.2x3");
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 3);
  cr_assert_eq(counter(&x, MD_COUNTER_PARSE_ERRORS), 0);
}

Test(okx, case_34_levels_of_other_lengths_and_unknown_fields) {
  textf(&x, "{\"new\":[1,{}],\"arg\":{\"x\":1,\"instId\":\"" SWAP "\",\"channel\":\"books\"},"
            "\"data\":[{\"prevSeqId\":-1,\"seqId\":5,\"z\":null,\"bids\":[[\"100.1\",\"2\",\"0\"]],"
            "\"asks\":[[\"100.2\",\"3\",\"0\",\"1\",\"9\"]],\"ts\":\"" TS
            "\",\"checksum\":0}],\"action\":\"snapshot\"}");
  assert_book(&x, SWAP, "100.1x2", "100.2x3");
  book(&x, "update", SWAP, 6, 5, "[\"100.1\"]", "");
  cr_assert_eq(book_of(&x, SWAP)->state, MD_BOOK_STALE);
  cr_assert_eq(book_of(&x, SWAP)->reason, MD_REASON_BAD_MESSAGE);
}

Test(okx, cut_off_message_of_a_book_makes_it_stale) {
  book(&x, "snapshot", SWAP, 100, -1, BID, ASK);
  text(&x, "{\"arg\":{\"channel\":\"books\",\"instId\":\"" SWAP
           "\"},\"action\":\"update\",\"data\":[{");
  cr_assert_eq(book_of(&x, SWAP)->reason, MD_REASON_BAD_MESSAGE);
  cr_assert_eq(counter(&x, MD_COUNTER_PARSE_ERRORS), 1);
}

Test(okx, case_33_numbers_of_any_width_are_exact) {
  book(&x, "snapshot", "SHIB-USDT-SWAP", 5, -1, "[\"0.00000000013\",\"5950000\",\"0\",\"1\"]",
       "[\"0.00000000014\",\"59500000000\",\"0\",\"1\"]");
  assert_book(&x, "SHIB-USDT-SWAP", "0.00000000013x5950000", "0.00000000014x59500000000");
  book(&x, "snapshot", "PEPE-USDT", 5, -1, "[\"1\",\"5950000000000\",\"0\",\"1\"]", "");
  assert_book(&x, "PEPE-USDT", "1x5950000000000", "-");
  book(&x, "update", "PEPE-USDT", 6, 5, "[\"1\",\"0.000000000001\",\"0\",\"1\"]", "");
  cr_assert_eq(book_of(&x, "PEPE-USDT")->reason, MD_REASON_OVERFLOW);
  book(&x, "update", "SHIB-USDT-SWAP", 6, 5, "[\"99999999999999999999\",\"1\",\"0\",\"1\"]", "");
  cr_assert_eq(book_of(&x, "SHIB-USDT-SWAP")->reason, MD_REASON_OVERFLOW);
}

/* ---- several connections ---- */

static void
on_leg(uint8_t leg) {
  x.leg = leg;
  (void)snprintf(x.name, sizeof x.name, "OKX.%u", leg);
}

static void
connect_leg(uint8_t leg) {
  on_leg(leg);
  connect_to(&x, "wss://ws.okx.com:8443/ws/v5/public");
}

Test(okx, case_31_connection_that_is_replaced_hands_over_without_a_gap) {
  connect_leg(0);
  book(&x, "snapshot", SWAP, 100, -1, BID, ASK);
  connect_leg(1);
  book(&x, "snapshot", SWAP, 104, -1, "[\"100.1\",\"3\",\"0\",\"1\"]", ASK);
  book(&x, "update", SWAP, 110, 104, "[\"100.1\",\"4\",\"0\",\"1\"]", "");
  book(&x, "update", SWAP, 120, 110, "[\"100.1\",\"5\",\"0\",\"1\"]", "");
  on_leg(0);
  book(&x, "update", SWAP, 112, 100, "[\"100.1\",\"4\",\"0\",\"1\"]", "");
  assert_book(&x, SWAP, "100.1x4", "100.2x3");
  x.leg = 254; /* retired: replaced by the other one */
  disconnect(&x);
  assert_book(&x, SWAP, "100.1x5", "100.2x3");
  cr_assert_eq(book_of(&x, SWAP)->exch_seq, 120);
  on_leg(1);
  book(&x, "update", SWAP, 130, 120, "[\"100.1\",\"6\",\"0\",\"1\"]", "");
  assert_book(&x, SWAP, "100.1x6", "100.2x3");
  cr_assert_eq(counter(&x, MD_COUNTER_GAPS), 0);
  cr_assert_eq(book_of(&x, SWAP)->gen, 1);
}

Test(okx, case_31_new_connection_that_is_behind_catches_up) {
  connect_leg(0);
  book(&x, "snapshot", SWAP, 100, -1, BID, ASK);
  connect_leg(1);
  book(&x, "snapshot", SWAP, 100, -1, BID, ASK);
  on_leg(0);
  book(&x, "update", SWAP, 120, 100, "[\"100.1\",\"5\",\"0\",\"1\"]", "");
  x.leg = 254;
  disconnect(&x);
  on_leg(1);
  book(&x, "update", SWAP, 110, 100, "[\"100.1\",\"4\",\"0\",\"1\"]", "");
  assert_book(&x, SWAP, "100.1x5", "100.2x3");
  book(&x, "update", SWAP, 125, 110, "[\"100.1\",\"6\",\"0\",\"1\"]", "");
  assert_book(&x, SWAP, "100.1x6", "100.2x3");
  cr_assert_eq(counter(&x, MD_COUNTER_GAPS), 0);
}

/* Updates that wait were compared by their ids alone: those of before the reset looked newer than
 * the book, and a handover without any loss was a gap. */
Test(okx, case_31_ids_that_begin_anew_during_a_handover_are_no_gap) {
  connect_leg(0);
  book(&x, "snapshot", SWAP, 90000, -1, BID, ASK);
  connect_leg(1);
  book(&x, "snapshot", SWAP, 90000, -1, BID, ASK);
  book(&x, "update", SWAP, 90010, 90000, "[\"100.1\",\"4\",\"0\",\"1\"]", "");
  book(&x, "update", SWAP, 12, 90010, "[\"100.1\",\"5\",\"0\",\"1\"]", "");
  on_leg(0);
  book(&x, "update", SWAP, 90010, 90000, "[\"100.1\",\"4\",\"0\",\"1\"]", "");
  book(&x, "update", SWAP, 12, 90010, "[\"100.1\",\"5\",\"0\",\"1\"]", "");
  on_leg(1);
  book(&x, "update", SWAP, 20, 12, "[\"100.1\",\"6\",\"0\",\"1\"]", "");
  x.leg = 254;
  (void)snprintf(x.name, sizeof x.name, "OKX.0");
  disconnect(&x);
  assert_book(&x, SWAP, "100.1x6", "100.2x3");
  cr_assert_eq(book_of(&x, SWAP)->exch_seq, 20);
  cr_assert_eq(counter(&x, MD_COUNTER_GAPS), 0);
}

Test(okx, case_31_connection_that_is_ahead_by_a_reset_takes_over_without_a_gap) {
  connect_leg(0);
  book(&x, "snapshot", SWAP, 90000, -1, BID, ASK);
  connect_leg(1);
  book(&x, "snapshot", SWAP, 90000, -1, BID, ASK);
  book(&x, "update", SWAP, 12, 90000, "[\"100.1\",\"5\",\"0\",\"1\"]", "");
  book(&x, "update", SWAP, 20, 12, "[\"100.1\",\"6\",\"0\",\"1\"]", "");
  on_leg(0);
  disconnect(&x);
  assert_book(&x, SWAP, "100.1x6", "100.2x3");
  on_leg(1);
  book(&x, "update", SWAP, 25, 20, "[\"100.1\",\"7\",\"0\",\"1\"]", "");
  assert_book(&x, SWAP, "100.1x7", "100.2x3");
  cr_assert_eq(counter(&x, MD_COUNTER_GAPS), 0);
}

Test(okx, case_32_any_of_three_connections_may_die) {
  for (uint8_t dead = 0; dead < 3; dead++) {
    char symbol[32];
    (void)snprintf(symbol, sizeof symbol, "X%u-USDT-SWAP", dead);
    for (uint8_t leg = 0; leg < 3; leg++) {
      connect_leg((uint8_t)(10 * dead + leg));
      book(&x, "snapshot", symbol, 100, -1, BID, ASK);
      book(&x, "update", symbol, 110, 100, "[\"100.1\",\"4\",\"0\",\"1\"]", "");
    }
    on_leg((uint8_t)(10 * dead + dead));
    disconnect(&x);
    for (uint8_t leg = 0; leg < 3; leg++) {
      if (leg == dead) continue;
      on_leg((uint8_t)(10 * dead + leg));
      book(&x, "update", symbol, 120, 110, "[\"100.1\",\"5\",\"0\",\"1\"]", "");
      book(&x, "update", symbol, 130, 120, "[\"100.1\",\"6\",\"0\",\"1\"]", "");
    }
    assert_book(&x, symbol, "100.1x6", "100.2x3");
  }
  cr_assert_eq(counter(&x, MD_COUNTER_GAPS), 0);
  cr_assert_eq(count(&x, MD_RECORD_BOOK_DELTA), 9);
}

Test(okx, case_32_without_ids_the_checksum_says_that_the_next_connection_is_right) {
  connect_leg(0);
  old_book(&x, "snapshot", SWAP, 1000, plain_crc("2"), BID, ASK);
  connect_leg(1);
  old_book(&x, "snapshot", SWAP, 1000, plain_crc("2"), BID, ASK);
  old_book(&x, "update", SWAP, 1010, plain_crc("4"), "[\"100.1\",\"4\",\"0\",\"1\"]", "");
  old_book(&x, "update", SWAP, 1020, plain_crc("5"), "[\"100.1\",\"5\",\"0\",\"1\"]", "");
  on_leg(0);
  disconnect(&x);
  assert_book(&x, SWAP, "100.1x5", "100.2x3");
  on_leg(1);
  old_book(&x, "update", SWAP, 1030, plain_crc("6"), "[\"100.1\",\"6\",\"0\",\"1\"]", "");
  assert_book(&x, SWAP, "100.1x6", "100.2x3");
  cr_assert_eq(counter(&x, MD_COUNTER_GAPS), 0);
}

Test(okx, the_only_connection_that_dies_takes_its_books_along) {
  connect_leg(0);
  book(&x, "snapshot", SWAP, 100, -1, BID, ASK);
  disconnect(&x);
  cr_assert_eq(book_of(&x, SWAP)->reason, MD_REASON_DISCONNECT);
  connect_leg(0);
  book(&x, "snapshot", SWAP, 500, -1, BID, ASK);
  assert_book(&x, SWAP, "100.1x2", "100.2x3");
}

Test(okx, case_50_best_prices_at_the_books_own_id_are_its_canary) {
  book(&x, "snapshot", SWAP, 100, -1, BID, ASK);
  for (unsigned n = 0; n < 3; n++)
    push(&x, "bbo-tbt", SWAP,
         "{\"asks\":[[\"100.2\",\"3\",\"0\",\"1\"]],\"bids\":[[\"100.1\",\"%u\",\"0\",\"1\"]],"
         "\"ts\":\"" TS "\",\"seqId\":100}",
         90 + n);
  cr_assert_eq(book_of(&x, SWAP)->reason, MD_REASON_CANARY);
}

/* ---- the spot market's feed, by the same rules ---- */

static void
setup_spot(void) {
  okx_init(&x, "okx_spot");
}

TestSuite(okx_spot, .init = setup_spot, .fini = teardown);

#define PAIR "BTC-USDT"

Test(okx_spot, case_24_heartbeat_is_no_record_and_no_duplicate) {
  book(&x, "snapshot", PAIR, 100, -1, BID, ASK);
  (void)types(&x);
  book(&x, "update", PAIR, 100, 100, "", "");
  cr_assert_str_eq(types(&x), "");
  cr_assert_eq(counter(&x, MD_COUNTER_DUPLICATES), 0);
}

Test(okx_spot, case_25_reset_to_a_smaller_id_is_applied_and_continued) {
  book(&x, "snapshot", PAIR, 90000, -1, BID, ASK);
  book(&x, "update", PAIR, 12, 90000, "[\"100.1\",\"5\",\"0\",\"1\"]", "");
  book(&x, "update", PAIR, 15, 12, "[\"100.1\",\"6\",\"0\",\"1\"]", "");
  assert_book(&x, PAIR, "100.1x6", "100.2x3");
}

Test(okx_spot, case_26_gap_is_declared_and_only_a_snapshot_heals_it) {
  book(&x, "snapshot", PAIR, 100, -1, BID, ASK);
  book(&x, "snapshot", "ETH-USDT", 100, -1, BID, ASK);
  book(&x, "update", PAIR, 130, 120, "[\"100.1\",\"5\",\"0\",\"1\"]", "");
  cr_assert_eq(book_of(&x, PAIR)->state, MD_BOOK_STALE);
  assert_gap(last_of(&x, MD_RECORD_GAP), 100, 130, MD_REASON_SEQUENCE);
  cr_assert_eq(book_of(&x, "ETH-USDT")->state, MD_BOOK_VALID);
  book(&x, "snapshot", PAIR, 140, -1, BID, ASK);
  assert_book(&x, PAIR, "100.1x2", "100.2x3");
}

Test(okx_spot, case_28_wrong_checksum_is_a_gap) {
  old_book(&x, "snapshot", PAIR, 1600000000000, crc_of("100.1:2:100.2:3"), BID, ASK);
  assert_book(&x, PAIR, "100.1x2", "100.2x3");
  old_book(&x, "update", PAIR, 1600000000100, 1, "[\"100.1\",\"5\",\"0\",\"1\"]", "");
  cr_assert_eq(book_of(&x, PAIR)->state, MD_BOOK_STALE);
  cr_assert_eq(book_of(&x, PAIR)->reason, MD_REASON_CHECKSUM);
}
