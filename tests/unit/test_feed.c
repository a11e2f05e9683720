#include "tests/unit/feed_fixture.h"
#include "tests/unit/segment_fixture.h"

#define A "BTCUSDT"
#define B "ETHUSDT"

static fixture_t x;

/* One ring that takes everything, as the journal's does. */
static void *ring_mem;

static void
add_ring(uint64_t bytes) {
  md_out_t *o = md_feed_out(x.feed);
  cr_assert_eq(posix_memalign(&ring_mem, MD_CACHE_BLOCK, md_ring_footprint(bytes)), 0);
  cr_assert_eq(md_ring_new(ring_mem, "t", 0, 0, 9, bytes), MD_OK);
  md_ring_t *ring = NULL;
  cr_assert_eq(md_ring_join(ring_mem, md_ring_footprint(bytes), &ring), MD_OK);
  md_ring_producer_init(&o->ring[0].producer, ring);
  o->ring[0].wants_raw        = true;
  o->ring[0].wants_checkpoint = true;
  o->ring_cnt                 = 1;
}

static void
init(void) {
  fixture_init(&x);
}

static void
fini(void) {
  fixture_fini(&x);
  free(ring_mem);
}

TestSuite(feed, .init = init, .fini = fini);

/* ---- the state machine ---- */

Test(feed, a_book_is_published_as_snapshot_updates_and_then_valid) {
  depth(&x, A, 101, 101, "[\"10\",\"2\"]", "");
  cr_assert_str_eq(types(&x), "definition status ");
  assert_status(last_of(&x, MD_RECORD_STATUS), MD_BOOK_EMPTY, MD_BOOK_SYNCING, MD_REASON_NONE);
  cr_assert_eq(x.request_cnt, 1);
  depth(&x, A, 102, 102, "[\"10\",\"3\"]", "");
  cr_assert_str_eq(types(&x), "");
  snapshot(&x, A, 5, 100, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_str_eq(types(&x), "book_snapshot book_delta book_delta status ");
  assert_status(last_of(&x, MD_RECORD_STATUS), MD_BOOK_SYNCING, MD_BOOK_VALID, MD_REASON_NONE);
  cr_assert(nth(&x, MD_RECORD_BOOK_DELTA, 0)->flags & MD_FLAG_RESYNC);
  cr_assert_not(nth(&x, MD_RECORD_BOOK_DELTA, 1)->flags & MD_FLAG_RESYNC);
  cr_assert_eq(book_of(&x, A)->gen, 1);
  cr_assert_eq(((const md_status_t *)body_of(last_of(&x, MD_RECORD_STATUS)))->gen, 1);
  cr_assert_eq(counter(&x, MD_COUNTER_RESYNCS), 1);
  cr_assert_eq(counter(&x, MD_COUNTER_BOOKS_VALID), 1);
  depth(&x, A, 103, 103, "[\"10\",\"4\"]", "");
  cr_assert_str_eq(types(&x), "book_delta ");
}

/* ---- samples ---- */

static void
expect_ladder(const md_record_t *rec, int64_t at_ns, int64_t best_bid_qty) {
  const md_ladder_t *l = body_of(rec);
  const md_level_t  *v = (const void *)(l + 1);
  cr_assert_eq(rec->ts_recv_ns, at_ns);
  cr_assert_eq(l->every_ns, 1000000000);
  cr_assert_eq(l->bid_cnt, l->bid_total < 20 ? l->bid_total : 20);
  cr_assert_eq(v[0].qty, best_bid_qty);
}

Test(feed, ladders_hold_the_book_before_the_instant_and_only_when_it_changed) {
  give(&x, MD_RAW_COMMAND, "", "ladder_every_ns 1000000000", 26);
  make_valid(&x, A, 105);
  (void)types(&x);
  x.recv_ns = RECV_NS + 999999999;
  depth(&x, A, 106, 106, "[\"10\",\"7\"]", "");
  cr_assert_str_eq(types(&x), "book_delta ");
  x.recv_ns = RECV_NS + 1000000000; /* the sample is that of the inputs before */
  depth(&x, A, 107, 107, "[\"10\",\"8\"]", "");
  cr_assert_str_eq(types(&x), "ladder book_delta ");
  expect_ladder(last_of(&x, MD_RECORD_LADDER), RECV_NS + 1000000000, 7);
  cr_assert_eq(last_of(&x, MD_RECORD_LADDER)->exch_seq, 106);
  x.recv_ns = RECV_NS + 5500000000; /* four instants passed: one sample, of the last */
  give(&x, MD_RAW_TIMER, "", "x", 1);
  cr_assert_str_eq(types(&x), "ladder ");
  expect_ladder(last_of(&x, MD_RECORD_LADDER), RECV_NS + 5000000000, 8);
  x.recv_ns = RECV_NS + 6500000000; /* nothing changed */
  give(&x, MD_RAW_TIMER, "", "x", 1);
  cr_assert_str_eq(types(&x), "");
  x.recv_ns = RECV_NS + 6600000000;
  give(&x, MD_RAW_CLOSE, x.name, "gone", 4);
  (void)types(&x);
  x.recv_ns = RECV_NS + 7600000000; /* not VALID: no sample */
  give(&x, MD_RAW_TIMER, "", "x", 1);
  cr_assert_str_eq(types(&x), "");
}

Test(feed, a_snapshot_without_updates_waits) {
  snapshot(&x, A, 5, 100, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_str_eq(types(&x), "definition status ");
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_SYNCING);
  cr_assert(book_of(&x, A)->has_snapshot);
  cr_assert_eq(x.request_cnt, 0);
  depth(&x, A, 98, 99, "[\"10\",\"9\"]", "");
  cr_assert_str_eq(types(&x), "", "older than the snapshot: still waiting");
  depth(&x, A, 101, 101, "", "");
  cr_assert_str_eq(types(&x), "book_snapshot book_delta status ");
}

Test(feed, a_snapshot_that_ends_with_an_update_seen_needs_no_further_one) {
  depth(&x, A, 98, 100, "[\"10\",\"9\"]", "");
  (void)types(&x);
  snapshot(&x, A, 5, 100, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_str_eq(types(&x), "book_snapshot status ", "the stream stands where the snapshot does");
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_VALID);
  cr_assert_eq(book_of(&x, A)->exch_seq, 100);
  cr_assert_str_eq(best(&x, A, MD_SIDE_BUY), "10x1");
  depth(&x, A, 101, 101, "[\"10\",\"2\"]", "");
  cr_assert_str_eq(types(&x), "book_delta ");
  cr_assert(last_of(&x, MD_RECORD_BOOK_DELTA)->flags & MD_FLAG_RESYNC);
  snapshot(&x, B, 5, 200, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  depth(&x, B, 199, 200, "", "");
  cr_assert_eq(book_of(&x, B)->state, MD_BOOK_VALID, "the same when the update comes later");
  depth(&x, B, 203, 203, "", "");
  cr_assert_eq(book_of(&x, B)->state, MD_BOOK_STALE, "a hole right behind it is seen");
}

Test(feed, a_snapshot_newer_than_all_updates_seen_waits) {
  depth(&x, A, 98, 99, "", "");
  (void)types(&x);
  snapshot(&x, A, 5, 100, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_str_eq(types(&x), "");
  depth(&x, A, 102, 102, "", "");
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_SYNCING, "101 is missing");
}

Test(feed, a_delisted_book_is_stale_and_ignores_updates_until_it_is_listed_again) {
  char text[64];
  make_valid(&x, A, 105);
  make_valid(&x, B, 105);
  (void)types(&x);
  int n = snprintf(text, sizeof text, "delisted %s", A);
  give(&x, MD_RAW_TIMER, "", text, (uint32_t)n);
  cr_assert_str_eq(types(&x), "status ", "nothing is missing: no gap");
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_STALE);
  cr_assert_eq(book_of(&x, A)->reason, MD_REASON_DELISTED);
  cr_assert_eq(book_of(&x, B)->state, MD_BOOK_VALID);
  depth(&x, A, 106, 106, "[\"10\",\"5\"]", "");
  snapshot(&x, A, 5, 106, "[\"10\",\"5\"]", "[\"11\",\"1\"]");
  give(&x, MD_RAW_CLOSE, x.name, "gone", 4);
  cr_assert_eq(book_of(&x, A)->reason, MD_REASON_DELISTED, "a close takes nothing more");
  (void)types(&x);
  n = snprintf(text, sizeof text, "listed %s", A);
  give(&x, MD_RAW_TIMER, "", text, (uint32_t)n);
  cr_assert_str_eq(types(&x), "");
  depth(&x, A, 200, 201, "", "");
  cr_assert_str_eq(types(&x), "status ");
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_SYNCING);
  snapshot(&x, A, 5, 201, "[\"9\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_str_eq(types(&x), "book_snapshot status ");
  cr_assert_eq(book_of(&x, A)->gen, 2);
}

/* Best prices that wait and bars have memory of their own from the first one on. */
Test(feed, what_an_instrument_never_had_takes_no_memory) {
  make_valid(&x, A, 105);
  cr_assert_null(book_of(&x, A)->canary);
  cr_assert_null(book_of(&x, A)->deepen);
  uint64_t       before = md_feed_memory(x.feed);
  const md_bbo_t bbo    = {.bid_px = 1, .ask_px = 2};
  for (uint64_t n = 0; n < 2 * MD_FEED_CANARY_CNT; n++)
    md_feed_on_bbo(x.feed, md_feed_lookup(x.feed, A, sizeof A - 1), &bbo, 200 + n);
  cr_assert_not_null(book_of(&x, A)->canary);
  cr_assert_eq(md_feed_memory(x.feed) - before, MD_FEED_CANARY_CNT * sizeof(md_feed_canary_t));
  before       = md_feed_memory(x.feed);
  md_kline_t k = {.ts_open_ns = 60, .closed = 1};
  for (uint32_t n = 0; n < 3 * MD_FEED_INTERVAL_CNT_MAX; n++) {
    uint16_t flags = 0;
    k.interval_s   = 60 * (1 + n % 2);
    cr_assert_eq(md_feed_kline_is_new(x.feed, md_feed_lookup(x.feed, A, sizeof A - 1), &k, &flags),
                 n < 2);
  }
  cr_assert_eq(md_feed_memory(x.feed) - before, 2 * sizeof(md_kline_t));
}

Test(feed, to_forget_gives_back_the_memory_of_stale_books_and_harms_no_other) {
  make_valid(&x, A, 105);
  uint64_t one = md_feed_memory(x.feed);
  make_valid(&x, B, 105);
  uint64_t two = md_feed_memory(x.feed);
  cr_assert_gt(two, one);
  give(&x, MD_RAW_TIMER, "", "forget", 6);
  cr_assert_leq(md_feed_memory(x.feed), two);
  uint64_t books = md_feed_memory(x.feed);
  cr_assert_str_eq(best(&x, A, MD_SIDE_BUY), "10x1");
  give(&x, MD_RAW_CLOSE, x.name, "gone", 4);
  cr_assert_gt(book_of(&x, A)->book.bids.cnt, 0, "a STALE book keeps its levels");
  (void)types(&x);
  give(&x, MD_RAW_TIMER, "", "forget", 6);
  cr_assert_str_eq(types(&x), "");
  cr_assert_eq(book_of(&x, A)->book.bids.cnt, 0);
  cr_assert_lt(md_feed_memory(x.feed), books);
  make_valid(&x, A, 205);
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_VALID);
  cr_assert_str_eq(best(&x, A, MD_SIDE_BUY), "10x1");
}

Test(feed, to_shed_gives_back_what_waiting_updates_took_and_leaves_the_books) {
  for (unsigned n = 0; n < 200; n++)
    depth(&x, A, 100 + n, 100 + n, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  uint64_t waiting = md_feed_memory(x.feed);
  md_feed_shed(x.feed);
  cr_assert_eq(md_feed_memory(x.feed), waiting, "they are still needed");
  snapshot(&x, A, 5, 150, "[\"9\",\"1\"]", "[\"12\",\"1\"]");
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_VALID);
  uint64_t before = md_feed_memory(x.feed);
  md_feed_shed(x.feed);
  cr_assert_lt(md_feed_memory(x.feed), before);
  cr_assert_str_eq(best(&x, A, MD_SIDE_BUY), "10x1");
  depth(&x, A, 300, 300, "[\"10.5\",\"2\"]", "");
  cr_assert_str_eq(best(&x, A, MD_SIDE_BUY), "10.5x2");
}

Test(feed, a_snapshot_of_a_valid_book_is_ignored) {
  make_valid(&x, A, 105);
  (void)types(&x);
  snapshot(&x, A, 5, 200, "[\"1\",\"1\"]", "[\"2\",\"1\"]");
  cr_assert_str_eq(types(&x), "");
  cr_assert_str_eq(best(&x, A, MD_SIDE_BUY), "10x1");
  depth(&x, A, 106, 106, "", "");
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_VALID);
}

Test(feed, a_gap_touches_one_instrument_only) {
  make_valid(&x, A, 105);
  make_valid(&x, B, 105);
  depth(&x, A, 200, 201, "", "");
  depth(&x, B, 106, 106, "[\"10\",\"5\"]", "");
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_STALE);
  cr_assert_eq(book_of(&x, B)->state, MD_BOOK_VALID);
  cr_assert_eq(book_of(&x, B)->gap_cnt, 0);
  cr_assert_str_eq(best(&x, B, MD_SIDE_BUY), "10x5");
  cr_assert_eq(last_of(&x, MD_RECORD_GAP)->instrument, book_of(&x, A)->id);
  cr_assert_eq(counter(&x, MD_COUNTER_BOOKS_VALID), 1);
}

Test(feed, a_hole_inside_the_buffer_is_a_gap_and_never_valid) {
  depth(&x, A, 101, 101, "", "");
  depth(&x, A, 110, 110, "[\"10\",\"9\"]", "");
  (void)types(&x);
  snapshot(&x, A, 5, 100, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_str_eq(types(&x), "book_snapshot book_delta gap status ");
  assert_gap(last_of(&x, MD_RECORD_GAP), 101, 110, MD_REASON_SEQUENCE);
  assert_status(last_of(&x, MD_RECORD_STATUS), MD_BOOK_SYNCING, MD_BOOK_STALE, MD_REASON_SEQUENCE);
  cr_assert_eq(x.request_cnt, 2);
  snapshot(&x, A, 5, 109, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_VALID);
  cr_assert_str_eq(best(&x, A, MD_SIDE_BUY), "10x9");
}

Test(feed, case_41_a_lost_connection_makes_its_books_stale_and_only_its) {
  make_valid(&x, A, 105);
  depth(&x, B, 7, 7, "", "");
  x.leg = 1;
  make_valid(&x, "BNBUSDT", 105);
  x.leg = 0;
  (void)types(&x);
  disconnect(&x);
  cr_assert_str_eq(types(&x), "gap status gap status ");
  assert_gap(nth(&x, MD_RECORD_GAP, 0), 105, MD_NULL_U64, MD_REASON_DISCONNECT);
  assert_gap(nth(&x, MD_RECORD_GAP, 1), MD_NULL_U64, MD_NULL_U64, MD_REASON_DISCONNECT);
  cr_assert_eq(((const md_gap_t *)body_of(nth(&x, MD_RECORD_GAP, 1)))->missed_cnt, 1);
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_STALE);
  cr_assert_eq(book_of(&x, B)->state, MD_BOOK_STALE);
  cr_assert_eq(book_of(&x, "BNBUSDT")->state, MD_BOOK_VALID);

  connect_to(&x, "wss://stream.binance.com/stream");
  depth(&x, A, 106, 106, "", "");
  assert_status(last_of(&x, MD_RECORD_STATUS), MD_BOOK_STALE, MD_BOOK_SYNCING, MD_REASON_NONE);
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_SYNCING, "even if the ids go on");
  snapshot(&x, A, 5, 105, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_VALID);
  cr_assert_eq(book_of(&x, A)->gen, 2);
}

Test(feed, a_snapshot_that_waits_is_forgotten_with_its_connection) {
  snapshot(&x, A, 5, 100, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  disconnect(&x);
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_STALE);
  depth(&x, A, 101, 101, "", "");
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_SYNCING);
  cr_assert_eq(x.request_cnt, 1);
}

Test(feed, a_connection_that_comes_again_without_a_close_was_lost) {
  connect_to(&x, "wss://stream.binance.com/stream");
  make_valid(&x, A, 105);
  connect_to(&x, "wss://stream.binance.com/stream");
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_STALE);
  cr_assert_eq(book_of(&x, A)->reason, MD_REASON_DISCONNECT);
}

Test(feed, the_end_makes_valid_books_stale_with_its_reason) {
  make_valid(&x, A, 105);
  depth(&x, B, 7, 7, "", "");
  md_feed_end(x.feed, MD_REASON_INPUT_END);
  cr_assert_eq(book_of(&x, A)->reason, MD_REASON_INPUT_END);
  cr_assert_eq(book_of(&x, B)->state, MD_BOOK_SYNCING);
  cr_assert_eq(counter(&x, MD_COUNTER_BOOKS_VALID), 0);
}

Test(feed, case_10_a_full_buffer_drops_the_oldest_and_says_so) {
  fixture_fini(&x);
  md_feed_config_t cfg = fixture_feed_config(&x);
  cfg.sync_queue_bytes = 4096;
  fixture_open(&x, &cfg);
  for (unsigned n = 1; n <= 200; n++)
    depth(&x, A, n, n, "[\"10\",\"1\"],[\"9\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_leq(book_of(&x, A)->queue.bytes, 4096);
  cr_assert_eq(count(&x, MD_RECORD_GAP), 1, "one record, not a storm");
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_SYNCING);
  snapshot(&x, A, 5, 199, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_VALID);
  uint64_t missed = 0;
  for (uint32_t n = 0; n < count(&x, MD_RECORD_GAP); n++) {
    const md_gap_t *g = body_of(nth(&x, MD_RECORD_GAP, n));
    cr_assert_eq(g->reason, MD_REASON_SYNC_BUFFER);
    missed += g->missed_cnt;
  }
  cr_assert_gt(missed, 100);
  cr_assert_lt(missed, 200);
}

/* ---- records ---- */

static void
assert_no_holes(void) {
  for (uint32_t n = 0; n < x.cnt; n++)
    cr_assert_eq(x.records[n]->seq, n + 1u);
}

static void
play(void) {
  make_valid(&x, A, 105);
  for (unsigned n = 106; n < 140; n++) {
    trade(&x, A, n, "10.25", "0.5");
    depth(&x, A, n == 120 ? 500 : n, n == 120 ? 500 : n, "[\"9.125\",\"1\"]", "");
    text(&x, "{broken");
  }
  snapshot(&x, A, 5, 139, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  md_feed_publish(x.feed);
}

Test(feed, sequence_has_no_holes_without_raw) {
  play();
  assert_no_holes();
  cr_assert_eq(counter(&x, MD_COUNTER_RAW_RECORDS), 0);
  cr_assert_eq(counter(&x, MD_COUNTER_RECORDS), x.cnt);
  cr_assert_eq(md_feed_out(x.feed)->seq, x.cnt);
}

Test(feed, sequences_of_both_streams_have_no_holes_with_raw) {
  fixture_fini(&x);
  md_feed_config_t cfg = fixture_feed_config(&x);
  cfg.keep_raw         = true;
  fixture_open(&x, &cfg);
  add_ring(1u << 20);
  play();
  assert_no_holes();
  md_ring_consumer_t c;
  md_ring_consumer_init(&c, md_feed_out(x.feed)->ring[0].producer.ring);
  uint64_t           seq = 0, raw_seq = 0;
  const md_record_t *rec;
  while ((rec = md_ring_next(&c))) {
    if (rec->type == MD_RECORD_RAW) {
      cr_assert_eq(rec->stream, 4);
      cr_assert_eq(rec->seq, ++raw_seq);
      continue;
    }
    cr_assert_eq(rec->stream, 3);
    cr_assert_eq(rec->seq, ++seq);
    cr_assert_gt(rec->raw_lo, 0);
    cr_assert_leq(rec->raw_lo, raw_seq, "the cause comes before its effect");
  }
  cr_assert_eq(seq, x.cnt);
  cr_assert_eq(raw_seq, counter(&x, MD_COUNTER_RAW_RECORDS));
}

Test(feed, the_same_inputs_give_the_same_records_but_for_the_time_of_publication) {
  static fixture_t first;
  play();
  first = x;
  fixture_init(&x);
  x.manual.real_ns += 77;
  play();
  cr_assert_eq(first.cnt, x.cnt);
  for (uint32_t n = 0; n < x.cnt; n++) {
    cr_assert_neq(first.records[n]->ts_pub_ns, x.records[n]->ts_pub_ns);
    first.records[n]->ts_pub_ns = x.records[n]->ts_pub_ns;
    cr_assert_eq(first.records[n]->len, x.records[n]->len);
    cr_assert_eq(memcmp(first.records[n], x.records[n], x.records[n]->len), 0);
  }
  fixture_fini(&first);
}

Test(feed, finer_numbers_widen_and_keep_the_book) {
  char wide[65], narrow[65];
  make_valid(&x, A, 105);
  depth(&x, A, 106, 106, "[\"9.5\",\"2.5\"]", "[\"12.50000000\",\"1.0\"]");
  trade(&x, A, 1, "10.5", "0.5");
  cr_assert_eq(book_of(&x, A)->px_exp, -1, "trailing zeros never widen");
  digest_of(&x, A, narrow);
  (void)types(&x);

  trade(&x, A, 2, "10.123", "0.25");
  cr_assert_str_eq(types(&x), "definition trade ");
  cr_assert_eq(last_of(&x, MD_RECORD_DEFINITION)->px_exp, -3);
  cr_assert_eq(last_of(&x, MD_RECORD_DEFINITION)->qty_exp, -2);
  cr_assert_eq(last_of(&x, MD_RECORD_TRADE)->px_exp, -3);
  digest_of(&x, A, wide);
  cr_assert_str_eq(narrow, wide);
  cr_assert_eq((int64_t)book_of(&x, A)->trades.qty_sum, 75, "the sum goes with the exponent");

  depth(&x, A, 107, 107, "[\"9.5\",\"0\"],[\"9.12345678\",\"1\"]", "");
  cr_assert_str_eq(types(&x), "definition book_delta ");
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_VALID);
  cr_assert_eq(book_of(&x, A)->book.bids.cnt, 2);
}

Test(feed, buffered_updates_keep_their_value_over_a_widening) {
  depth(&x, A, 101, 101, "[\"10.5\",\"2\"]", "");
  trade(&x, A, 1, "10.123", "0.25");
  snapshot(&x, A, 5, 100, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_str_eq(best(&x, A, MD_SIDE_BUY), "10.5x2");
  cr_assert_eq(nth(&x, MD_RECORD_BOOK_DELTA, 0)->px_exp, -3);
}

Test(feed, a_large_message_is_a_group_closed_by_last) {
  enum { LEVELS = 5000 };
  static char frame[LEVELS * 40 + 256];
  make_valid(&x, A, 105);
  size_t len =
      (size_t)snprintf(frame, sizeof frame,
                       "{\"stream\":\"btcusdt@depth\",\"data\":{\"e\":\"depthUpdate\",\"E\":"
                       "1700000000001,\"s\":\"BTCUSDT\",\"U\":106,\"u\":106,\"b\":[");
  for (unsigned n = 0; n < LEVELS; n++)
    len += (size_t)snprintf(frame + len, sizeof frame - len, "%s[\"%u\",\"3\"]", n ? "," : "",
                            n % 2 ? 9u : 8u);
  (void)snprintf(frame + len, sizeof frame - len, "],\"a\":[[\"12\",\"1\"]]}}");
  (void)types(&x);
  text(&x, frame);
  cr_assert_str_eq(types(&x), "book_delta book_delta book_delta ");
  uint32_t bids = 0, asks = 0;
  for (uint32_t n = 0; n < 3; n++) {
    const md_record_t     *rec = nth(&x, MD_RECORD_BOOK_DELTA, n + 1);
    const md_book_delta_t *d   = body_of(rec);
    cr_assert_eq(!!(rec->flags & MD_FLAG_LAST), n == 2);
    cr_assert_eq(d->bid_total, LEVELS);
    cr_assert_eq(d->ask_total, 1);
    bids += d->bid_cnt;
    asks += d->ask_cnt;
  }
  cr_assert_eq(bids, LEVELS);
  cr_assert_eq(asks, 1);
}

/* ---- instruments ---- */

Test(feed, known_instruments_keep_their_ids_and_new_ones_come_behind) {
  fixture_fini(&x);
  md_feed_config_t            cfg     = fixture_feed_config(&x);
  const md_known_instrument_t known[] = {{.symbol = "XRPUSDT", .id = 7}, {.symbol = B, .id = 500}};
  cfg.known                           = known;
  cfg.known_cnt                       = 2;
  fixture_open(&x, &cfg);
  trade(&x, B, 1, "1", "1");
  trade(&x, A, 1, "1", "1");
  cr_assert_eq(book_of(&x, B)->id, 500);
  cr_assert_eq(book_of(&x, A)->id, 501);
  cr_assert_eq(md_feed_instrument_by_id(x.feed, 501), book_of(&x, A));
  cr_assert_null(md_feed_instrument_by_id(x.feed, 7));
}

Test(feed, a_symbol_beyond_the_table_is_counted_and_the_others_go_on) {
  for (unsigned n = 0; n < 10; n++) {
    char symbol[16];
    (void)snprintf(symbol, sizeof symbol, "A%uUSDT", n);
    trade(&x, symbol, 1, "1", "1");
  }
  cr_assert_eq(md_feed_instrument_cnt(x.feed), 8);
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 2);
  trade(&x, "A0USDT", 2, "1", "1");
  cr_assert_eq(book_of(&x, "A0USDT")->trades.cnt, 2);
}

/* ---- the journal's checkpoint ---- */

Test(feed, checkpoint_repeats_definitions_and_books_under_the_last_seq) {
  add_ring(1u << 20);
  make_valid(&x, A, 105);
  trade(&x, A, 77, "10.5", "1");
  depth(&x, B, 7, 7, "", "");
  md_feed_publish(x.feed);
  md_ring_consumer_t c;
  md_ring_consumer_init(&c, md_feed_out(x.feed)->ring[0].producer.ring);
  while (md_ring_next(&c))
    continue;
  uint64_t seq = md_feed_out(x.feed)->seq;
  cr_assert_eq(md_feed_checkpoint(x.feed, 42), MD_OK);
  md_feed_publish(x.feed);
  cr_assert_eq(md_feed_out(x.feed)->seq, seq);

  static const md_checkpoint_kind_t want[] = {MD_CHECKPOINT_BEGIN,      MD_CHECKPOINT_DEFINITION,
                                              MD_CHECKPOINT_DEFINITION, MD_CHECKPOINT_BOOK,
                                              MD_CHECKPOINT_BOOK,       MD_CHECKPOINT_END};
  for (size_t n = 0; n < MD_CNT(want); n++) {
    const md_record_t *rec = md_ring_next(&c);
    cr_assert_not_null(rec);
    cr_assert_eq(md_record_check(rec, rec->len), MD_OK);
    const md_checkpoint_t *p = body_of(rec);
    cr_assert_eq(rec->type, MD_RECORD_CHECKPOINT);
    cr_assert_eq(rec->seq, seq);
    cr_assert(rec->flags & MD_FLAG_LAST);
    cr_assert_eq(p->inner, want[n]);
    cr_assert_eq(p->request, 42);
    if (n == 1) cr_assert_eq(memcmp(p + 1, book_of(&x, A)->definition, sizeof(md_definition_t)), 0);
    if (n != 3) continue;
    cr_assert_eq(rec->instrument, book_of(&x, A)->id);
    cr_assert_eq(rec->exch_seq, 105);
    cr_assert_eq(p->book_state, MD_BOOK_VALID);
    cr_assert_eq(p->gen, 1);
    cr_assert_eq(p->trade_id_last, 77);
    cr_assert_eq(p->agg_id_last, MD_NULL_U64);
    cr_assert(p->bid_cnt == 1 && p->ask_cnt == 1 && p->bid_total == 1 && p->ask_total == 1);
    const md_level_t *l = (const void *)(p + 1);
    cr_assert(l[0].px == 100 && l[0].qty == 1 && l[1].px == 110 && l[1].qty == 1);
  }
  cr_assert_null(md_ring_next(&c));
}

Test(feed, checkpoint_without_room_writes_nothing) {
  add_ring(1u << 16);
  make_valid(&x, A, 105);
  unsigned n = 106;
  while (md_ring_free_bytes(&md_feed_out(x.feed)->ring[0].producer) > 20000)
    depth(&x, A, n, n, "", ""), n++;
  md_feed_publish(x.feed);
  uint64_t write = md_feed_out(x.feed)->ring[0].producer.write;
  cr_assert_eq(md_feed_checkpoint(x.feed, 1), MD_ERR_FULL);
  cr_assert_eq(md_feed_out(x.feed)->ring[0].producer.write, write);
}

/* ---- shared memory ---- */

Test(feed_shm, the_live_book_follows_and_nothing_is_seen_before_it_is_published) {
  make_dir();
  md_segment_t        s;
  md_segment_config_t sc = fixture_config(9);
  start_engine(&sc, &s);
  md_feed_config_t cfg = fixture_feed_config(&x);
  cfg.segment          = &s;
  fixture_open(&x, &cfg);
  md_out_t *o = md_feed_out(x.feed);
  md_ring_producer_init(&o->ring[0].producer, md_segment_ring(&s, 0));
  o->ring_cnt = 1;
  md_tape_writer_init(&o->tape, md_segment_tape(&s, 0));
  o->stream_row = &s.streams[s.feeds[0].stream_row];

  make_valid(&x, A, 105);
  cr_assert_eq(book_of(&x, A)->id, 40);
  const md_book_t *book = md_instrument_book(&s, book_of(&x, A)->row);
  md_book_top_t    top;
  md_ring_stat_t   stat;
  cr_assert_eq(md_book_read_top(book, &top), MD_OK);
  cr_assert_eq(top.meta.state, MD_BOOK_VALID);
  cr_assert_eq(top.meta.last_seq, o->seq);
  cr_assert_eq(top.meta.tape_pos, o->tape.write);
  cr_assert_eq(top.meta.exch_seq, 105);
  cr_assert_eq(top.meta.gen, 1);
  cr_assert(top.bid_px == 10 && top.bid_qty == 1 && top.ask_px == 11 && top.ask_qty == 1);
  cr_assert_eq(md_ring_stat(o->ring[0].producer.ring, &stat), MD_OK);
  cr_assert_eq(stat.published_cnt, o->seq, "published before the book was written");
  cr_assert_eq(md_load_relaxed(&o->stream_row->published_seq), o->seq); /* same thread */

  depth(&x, A, 106, 106, "[\"10.5\",\"2\"]", "");
  cr_assert_eq(md_book_read_top(book, &top), MD_OK);
  cr_assert_eq(top.meta.px_exp, -1);
  cr_assert(top.bid_px == 105 && top.ask_px == 110);
  md_instrument_row_t row;
  cr_assert_eq(md_instrument_read(&s, book_of(&x, A)->row, &row), MD_OK);
  cr_assert_eq(row.px_exp, -1);

  depth(&x, A, 200, 200, "[\"10.75\",\"1\"]", "");
  cr_assert_eq(md_book_read_top(book, &top), MD_OK);
  cr_assert_eq(top.meta.state, MD_BOOK_STALE);
  cr_assert_eq(top.meta.reason, MD_REASON_SEQUENCE);
  cr_assert_eq(top.meta.exch_seq, 106, "levels and their id are kept");

  trade(&x, A, 1, "10.5", "1");
  cr_assert_eq(md_ring_stat(o->ring[0].producer.ring, &stat), MD_OK);
  cr_assert_eq(stat.published_cnt, o->seq - 1, "a trade waits for the end of its batch");
  md_feed_publish(x.feed);
  cr_assert_eq(md_ring_stat(o->ring[0].producer.ring, &stat), MD_OK);
  cr_assert_eq(stat.published_cnt, o->seq);
  fixture_fini(&x);
  md_segment_delete(&s);
  remove_dir();
}

/* An asset that came behind the first data was left out where there are readers, and not in a
 * replay, which has none: the same inputs gave other records. */
Test(feed_shm, a_definition_that_comes_late_adds_what_was_not_known_of_an_instrument_with_readers) {
  make_dir();
  md_segment_t        s;
  md_segment_config_t sc = fixture_config(9);
  start_engine(&sc, &s);
  md_feed_config_t cfg = fixture_feed_config(&x);
  cfg.segment          = &s;
  fixture_open(&x, &cfg);
  make_valid(&x, A, 105);
  const char *name = book_of(&x, A)->symbol;
  cr_assert_str_eq(book_of(&x, A)->definition->settle, "");

  md_definition_t d;
  md_feed_definition_init(&d, name, (uint32_t)strlen(name));
  (void)snprintf(d.base, sizeof d.base, "OTHER");
  (void)snprintf(d.settle, sizeof d.settle, "BTC");
  md_feed_on_definition(x.feed, name, (uint32_t)strlen(name), &d, -2, 0);
  md_instrument_row_t row;
  cr_assert_eq(md_instrument_read(&s, book_of(&x, A)->row, &row), MD_OK);
  cr_assert_str_eq(row.definition.settle, "BTC");
  cr_assert_str_neq(row.definition.base, "OTHER", "readers hold the names that it had");
  const md_definition_t *told = body_of(last_of(&x, MD_RECORD_DEFINITION));
  cr_assert_str_eq(told->settle, "BTC");
  fixture_fini(&x);
  md_segment_delete(&s);
  remove_dir();
}
