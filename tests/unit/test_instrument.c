#include <pthread.h>

#include "tests/unit/segment_fixture.h"

static md_segment_t engine;

static void
start(void) {
  make_dir();
  md_segment_config_t cfg = fixture_config(1);
  start_engine(&cfg, &engine);
  md_segment_ready(&engine);
}

static void
stop(void) {
  md_segment_delete(&engine);
  remove_dir();
}

TestSuite(instrument, .init = start, .fini = stop);

Test(instrument, a_new_one_takes_the_next_id_and_row) {
  md_book_t           *book;
  md_instrument_row_t  row;
  md_definition_t      d    = make_definition("BTCUSDT", "BTC-USDT");
  md_instrument_spec_t spec = {
      .definition = &d, .feed = 0, .px_exp = -2, .qty_exp = -5, .want_book = true};
  uint32_t id = 0, at = 99;
  cr_assert_eq(md_instrument_read(&engine, 0, &row), MD_ERR_EMPTY);
  cr_assert_eq(md_instrument_add(&engine, &spec, &id, &at, &book), MD_OK);
  cr_assert_eq(id, 40);
  cr_assert_eq(at, 0);
  cr_assert_not_null(book);
  cr_assert_eq(md_book_depth_levels(book), 50, "as the feed says");
  cr_assert_eq(md_instrument_read(&engine, 0, &row), MD_OK);
  cr_assert_eq(row.id, 40);
  cr_assert_eq(row.px_exp, -2);
  cr_assert_eq(row.qty_exp, -5);
  cr_assert_str_eq(row.definition.symbol, "BTCUSDT");
  cr_assert_str_eq(row.definition.base, "BTC");
  cr_assert_eq(row.definition.lot_size, 2);
  cr_assert_eq((const void *)md_instrument_book(&engine, 0), (void *)book);
  id = 7;
  cr_assert_eq(md_instrument_add(&engine, &spec, &id, &at, &book), MD_OK);
  cr_assert_eq(id, 7, "an id that the manifest knows is kept");
  id = 0;
  cr_assert_eq(md_instrument_add(&engine, &spec, &id, &at, &book), MD_OK);
  cr_assert_eq(id, 41);
}

Test(instrument, defect_12_is_found_by_either_name_of_its_feed_in_any_case) {
  md_book_t           *book;
  md_definition_t      d    = make_definition("BTCUSDT", "BTC-USDT");
  md_instrument_spec_t spec = {.definition = &d, .feed = 1};
  uint32_t             id   = 0, at;
  cr_assert_eq(md_instrument_add(&engine, &spec, &id, &at, &book), MD_OK);
  cr_assert_null(book);
  cr_assert_null(md_instrument_book(&engine, at));
  cr_assert_eq(md_instrument_find(&engine, UINT16_MAX, "btcusdt"), 0);
  cr_assert_eq(md_instrument_find(&engine, 1, "Btc-Usdt"), 0);
  cr_assert_eq(md_instrument_find(&engine, 0, "BTCUSDT"), -1, "another feed");
  cr_assert_eq(md_instrument_find(&engine, 1, "BTCUSD"), -1);
  cr_assert_eq(md_instrument_find(&engine, 1, ""), -1);
}

Test(instrument, full_rows_and_full_book_space_are_told) {
  md_book_t           *book;
  md_definition_t      d    = make_definition("X", "X");
  md_instrument_spec_t spec = {.definition = &d, .feed = 0, .want_book = true};
  uint32_t             id, at, books = 0, rows = 0;
  for (unsigned i = 0; i < 8; i++) {
    id = 0;
    if (md_instrument_add(&engine, &spec, &id, &at, &book) == MD_OK) books++;
  }
  uint64_t one = md_align_up(md_book_footprint(50), MD_CACHE_BLOCK);
  cr_assert_eq(books, (1u << 16) / one < 8 ? (1u << 16) / one : 8);
  spec.want_book = false;
  for (unsigned i = 0; i < 20; i++) {
    id = 0;
    if (md_instrument_add(&engine, &spec, &id, &at, &book) == MD_OK) rows++;
  }
  cr_assert_eq(books + rows, 8, "capacity");
  cr_assert_eq(md_load_relaxed(&engine.instruments->row_cnt), 8);
  id = 0;
  cr_assert_eq(md_instrument_add(&engine, &spec, &id, &at, &book), MD_ERR_FULL);
  md_instrument_row_t row;
  cr_assert_eq(md_instrument_read(&engine, 8, &row), MD_ERR_RANGE);
}

Test(instrument, update_changes_the_numbers_and_keeps_id_and_book) {
  md_book_t          *book;
  md_instrument_row_t before, after;
  uint32_t            at = add_instrument(&engine, 0, "ETHUSDT", true, &book);
  cr_assert_eq(md_instrument_read(&engine, at, &before), MD_OK);
  md_definition_t d = before.definition;
  d.tick_size       = 12345;
  d.trading         = MD_TRADING_HALT;
  md_instrument_update(&engine, at, -4, -8, &d);
  cr_assert_eq(md_instrument_read(&engine, at, &after), MD_OK);
  cr_assert_eq(after.id, before.id);
  cr_assert_eq(after.book_off, before.book_off);
  cr_assert_eq(after.px_exp, -4);
  cr_assert_eq(after.qty_exp, -8);
  cr_assert_eq(after.definition.tick_size, 12345);
  cr_assert_eq(after.definition.trading, MD_TRADING_HALT);
}

Test(instrument, a_row_that_stays_odd_is_busy) {
  md_book_t          *book;
  md_instrument_row_t row;
  uint32_t            at = add_instrument(&engine, 0, "ETHUSDT", false, &book);
  md_store_relaxed(&engine.instruments->row[at].version, 1u);
  cr_assert_eq(md_instrument_read(&engine, at, &row), MD_ERR_BUSY);
}

static void *
update_many(void *arg) {
  md_definition_t d  = make_definition("ETHUSDT", "ETH-USDT");
  uint32_t        at = *(const uint32_t *)arg;
  for (int i = 1; i <= 100000; i++) {
    d.tick_size = i;
    d.min_qty   = i;
    md_instrument_update(&engine, at, -1, -1, &d);
  }
  return NULL;
}

Test(instrument, a_reader_never_sees_half_an_update) {
  md_book_t *book;
  uint32_t   at = add_instrument(&engine, 0, "ETHUSDT", false, &book);
  pthread_t  feed;
  int64_t    last = 0;
  cr_assert_eq(pthread_create(&feed, NULL, update_many, &at), 0);
  while (last < 100000) {
    md_instrument_row_t row;
    if (md_instrument_read(&engine, at, &row)) continue;
    if (row.definition.tick_size == 1 && row.definition.min_qty == 3) continue; /* not begun */
    cr_assert_eq(row.definition.tick_size, row.definition.min_qty);
    cr_assert_geq(row.definition.tick_size, last);
    last = row.definition.tick_size;
  }
  cr_assert_eq(pthread_join(feed, NULL), 0);
}

Test(instrument, a_book_place_outside_the_segment_is_none) {
  md_book_t           *book;
  uint32_t             at      = add_instrument(&engine, 0, "ETHUSDT", true, &book);
  md_instrument_row_t *row     = &engine.instruments->row[at];
  const uint64_t       off     = row->book_off;
  const uint64_t       wrong[] = {off - 4096, off + 8, off + (1u << 16), UINT64_MAX - 127, 128};
  for (size_t i = 0; i < MD_CNT(wrong); i++) {
    row->book_off = wrong[i];
    cr_assert_null(md_instrument_book(&engine, at), "offset %zu", i);
  }
  row->book_off   = off;
  row->book_bytes = UINT64_MAX;
  cr_assert_null(md_instrument_book(&engine, at));
  row->book_bytes = 64;
  cr_assert_null(md_instrument_book(&engine, at));
}
