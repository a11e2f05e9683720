/* The directory of instruments: a row is seen whole or not at all, with its book; an update is one
 * version or the other; two feeds never get the same row or id. */
#include "shm/book_layout.h"
#include "shm/segment.h"
#include "tests/model/model.h"

#define ROWS 2u

static _Alignas(MD_CACHE_BLOCK) uint8_t mem[16 * 1024];
static md_segment_t  segment;
static md_feed_row_t feeds[ROWS];
static uint32_t      ids[ROWS], rows[ROWS];

static md_instruments_t *const directory = (md_instruments_t *)(void *)mem;

/* Every number of a definition says n. */
static void
define(md_definition_t *d, int64_t n) {
  memset(d, 0, sizeof *d);
  d->symbol[0] = 'A';
  d->tick_size = n;
  d->lot_size  = n;
  d->min_qty   = n;
  d->expiry_ns = n;
}

static void
setup(void) {
  const uint64_t book_off = md_align_up(md_instruments_footprint(ROWS), MD_CACHE_BLOCK);

  memset(mem, 0, sizeof mem);
  memset(&segment, 0, sizeof segment);
  memset(ids, 0, sizeof ids);
  directory->capacity         = ROWS;
  directory->book_space_off   = book_off;
  directory->book_space_bytes = sizeof mem - book_off;
  directory->next_id          = 1;
  segment.base                = mem;
  segment.bytes               = sizeof mem;
  segment.feeds               = feeds;
  segment.feed_cnt            = ROWS;
  segment.instruments         = directory;
  segment.instrument_capacity = ROWS;
  segment.section[MD_SECTION_BOOKS] =
      (md_section_t){.off = book_off, .bytes = directory->book_space_bytes};
  model_mark_atomic(&directory->row_cnt, 24);
  model_mark_atomic(directory->row, ROWS * sizeof directory->row[0]);
  for (uint64_t i = 0; i < ROWS; i++) {
    const uint64_t at = book_off + i * md_align_up(md_book_footprint(0), MD_CACHE_BLOCK);
    model_mark_plain(mem + at, 16); /* magic and depth of a new book */
  }
}

static void
add(uint16_t feed, bool want_book) {
  static md_definition_t d[ROWS];
  md_instrument_spec_t   spec = {
        .definition = &d[feed], .feed = feed, .px_exp = -1, .qty_exp = -1, .want_book = want_book};
  md_book_t *book;

  define(&d[feed], 1);
  ids[feed] = 0;
  model_check(md_instrument_add(&segment, &spec, &ids[feed], &rows[feed], &book) == MD_OK);
}

static void
first_feed(void) {
  static md_definition_t d;

  add(0, true);
  define(&d, 2);
  md_instrument_update(&segment, rows[0], -2, -2, &d);
}

static void
second_feed(void) {
  add(1, false);
}

static void
check_row(const md_instrument_row_t *row) {
  const md_definition_t *d = &row->definition;

  model_check(row->id >= 1 && row->id <= ROWS && row->feed < ROWS);
  model_check(d->symbol[0] == 'A' && d->tick_size >= 1 && d->tick_size <= 2);
  model_check(d->lot_size == d->tick_size && d->min_qty == d->tick_size);
  model_check(d->expiry_ns == d->tick_size && row->px_exp == -d->tick_size);
  model_check(row->qty_exp == row->px_exp);
}

static void
reader(void) {
  static md_instrument_row_t row;
  int64_t                    last[ROWS] = {0, 0};

  for (unsigned turn = 0; turn < 2; turn++) {
    for (uint32_t i = 0; i < ROWS; i++) {
      /* The place of the book by itself: nothing else has shown the row to this thread. */
      const md_book_t *book = turn == 0 ? md_instrument_book(&segment, i) : NULL;
      if (book != NULL) model_check(md_book_depth_levels(book) == 0);
      const md_err_t err = md_instrument_read(&segment, i, &row);
      if (err == MD_ERR_EMPTY || err == MD_ERR_BUSY) continue;
      model_check(err == MD_OK);
      check_row(&row);
      model_check((row.feed == 0) == (row.book_off != 0));
      model_check(row.definition.tick_size >= last[i]);
      last[i] = row.definition.tick_size;
    }
  }
}

static void
after(void) {
  /* The weaver runs the first feed only. */
  if (ids[1] != 0) model_check(rows[0] != rows[1] && ids[0] != ids[1]);
}

const model_t model_directory = {.name       = "directory",
                                 .what       = "rows and their books whole or not at all, ids once",
                                 .files      = " shm/instrument.c ",
                                 .thread_cnt = 3,
                                 .bound      = 0,
                                 .setup      = setup,
                                 .thread     = {first_feed, second_feed, reader},
                                 .after      = after};
