/* test_defects - what went wrong in the collectors that this engine replaces, one test each, named
 * after the list of their defects. Others of the list are tested where their subject is;
 * tests/cases/cases.txt has them all. */
#include "tests/unit/futures_fixture.h"

static fixture_t x;

static void
fini(void) {
  fixture_fini(&x);
}

TestSuite(defects, .fini = fini);

static void
begin(const char *venue, uint64_t queue_bytes) {
  md_feed_config_t cfg = fixture_feed_config(&x);
  cfg.name             = venue;
  cfg.venue            = md_venue_find(venue);
  if (queue_bytes) cfg.sync_queue_bytes = queue_bytes;
  (void)snprintf(x.name, sizeof x.name, "defects");
  fixture_open(&x, &cfg);
}

/* ---- 3: a book made of updates alone ---- */

static void
okx_update(fixture_t *f, unsigned prev, unsigned seq) {
  textf(f,
        "{\"arg\":{\"channel\":\"books\",\"instId\":\"BTC-USDT\"},\"action\":\"update\",\"data\":"
        "[{\"asks\":[[\"11\",\"1\",\"0\",\"1\"]],\"bids\":[[\"10\",\"1\",\"0\",\"1\"]],\"ts\":"
        "\"1700000000001\",\"checksum\":0,\"seqId\":%u,\"prevSeqId\":%u}]}",
        seq, prev);
}

static void
deribit_update(fixture_t *f, unsigned prev, unsigned id) {
  textf(f,
        "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":"
        "\"book.BTC-PERPETUAL.100ms\",\"data\":{\"type\":\"change\",\"timestamp\":1700000000001,"
        "\"prev_change_id\":%u,\"instrument_name\":\"BTC-PERPETUAL\",\"change_id\":%u,\"bids\":"
        "[[\"new\",10.0,1.0]],\"asks\":[[\"new\",11.0,1.0]]}}}",
        prev, id);
}

static void
never_valid(const char *symbol) {
  cr_assert_neq(book_of(&x, symbol)->state, MD_BOOK_VALID, "%s without a snapshot", symbol);
  cr_assert_eq(count(&x, MD_RECORD_BOOK_DELTA), 0, "nor is any of it published");
}

Test(defects, defect_3_book_without_snapshot_is_never_valid_on_binance_spot) {
  begin("binance_spot", 0);
  for (unsigned n = 1; n < 40; n++) {
    depth(&x, "BTCUSDT", n, n, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
    never_valid("BTCUSDT");
  }
}

/* The first updates are chained from 0, as a counter of zero would let them be; then the book is
 * lost and begins again. */
static void
futures_without_snapshot(const char *venue, const char *symbol) {
  begin(venue, 0);
  for (unsigned n = 1; n < 40; n++) {
    chained(&x, symbol, n, n, n - 1, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
    never_valid(symbol);
  }
  disconnect(&x);
  for (unsigned n = 40; n < 80; n++) {
    chained(&x, symbol, n, n, n == 40 ? 0 : n - 1, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
    never_valid(symbol);
  }
}

Test(defects, defect_3_book_without_snapshot_is_never_valid_on_binance_derivatives) {
  futures_without_snapshot("binance_derivatives", "BTCUSDT");
}

Test(defects, defect_3_book_without_snapshot_is_never_valid_on_binance_coinm) {
  futures_without_snapshot("binance_coinm", "BTCUSD_PERP");
}

Test(defects, defect_3_book_without_snapshot_is_never_valid_on_okx) {
  begin("okx_spot", 0);
  for (unsigned n = 1; n < 40; n++) {
    okx_update(&x, n - 1, n);
    never_valid("BTC-USDT");
  }
}

/* A change behind id 0 may be the first of all: then it is the whole book by the venue's rule. */
Test(defects, defect_3_book_without_snapshot_is_never_valid_on_deribit) {
  begin("deribit_derivatives", 0);
  for (unsigned n = 2; n < 40; n++) {
    deribit_update(&x, n - 1, n);
    never_valid("BTC-PERPETUAL");
  }
}

/* All that waited is checked, also behind a second snapshot. */
Test(defects, defect_3_what_waited_is_checked_link_by_link) {
  begin("binance_derivatives", 0);
  chained(&x, "BTCUSDT", 101, 102, 100, "[\"10\",\"2\"]", "");
  chained(&x, "BTCUSDT", 105, 106, 104, "[\"10\",\"3\"]", "");
  futures_snapshot(&x, "BTCUSDT", 100, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_eq(book_of(&x, "BTCUSDT")->state, MD_BOOK_STALE);
  futures_snapshot(&x, "BTCUSDT", 103, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_neq(book_of(&x, "BTCUSDT")->state, MD_BOOK_VALID, "105 names 104, not 103");
  futures_snapshot(&x, "BTCUSDT", 104, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_eq(book_of(&x, "BTCUSDT")->state, MD_BOOK_VALID);
  cr_assert_str_eq(best(&x, "BTCUSDT", MD_SIDE_BUY), "10x3");
}

/* ---- 5: an update that was dropped for want of room ---- */

static void
dropped_updates(const char *venue, const char *symbol) {
  begin(venue, 2048);
  for (unsigned n = 1; n <= 100; n++)
    chained(&x, symbol, n, n, n - 1, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_neq(book_of(&x, symbol)->state, MD_BOOK_VALID);
  cr_assert_eq(((const md_gap_t *)body_of(last_of(&x, MD_RECORD_GAP)))->reason,
               MD_REASON_SYNC_BUFFER, "the first drop is told at once");
  futures_snapshot(&x, symbol, 3, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_neq(book_of(&x, symbol)->state, MD_BOOK_VALID, "what joined it was dropped");
  chained(&x, symbol, 101, 101, 100, "", "");
  cr_assert_neq(book_of(&x, symbol)->state, MD_BOOK_VALID, "the next update begins no chain");
  futures_snapshot(&x, symbol, 99, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_eq(book_of(&x, symbol)->state, MD_BOOK_VALID);
}

Test(defects, defect_5_a_dropped_update_makes_the_book_invalid_on_binance_derivatives) {
  dropped_updates("binance_derivatives", "BTCUSDT");
}

Test(defects, defect_5_a_dropped_update_makes_the_book_invalid_on_binance_coinm) {
  dropped_updates("binance_coinm", "BTCUSD_PERP");
}
