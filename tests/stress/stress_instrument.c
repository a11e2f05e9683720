/* Two feed threads list and update instruments while a reader copies every row: no row is half of
 * one update and half of another, and no id is given twice. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/segment.h"

#define EACH    4u
#define UPDATES 100000u

static md_segment_t segment;
static char         dir[] = "/tmp/mdstress.XXXXXX";

/* All numbers of a definition say the same, so that a mix of two shows. */
static void
number(md_definition_t *d, int64_t n) {
  d->tick_size = n;
  d->lot_size  = n;
  d->min_qty   = n;
  d->expiry_ns = n;
}

/* The first word of a row and the last that changes belong together by this. */
static int8_t
exponent_of(int64_t n) {
  return (int8_t) - (n % 24);
}

static void *
run_feed(void *arg) {
  const uint16_t       feed = *(const uint16_t *)arg;
  md_definition_t      d    = {.symbol = "BTCUSDT", .normalised = "BTC-USDT"};
  md_instrument_spec_t spec = {
      .definition = &d, .feed = feed, .px_exp = exponent_of(1), .want_book = true};
  for (uint32_t i = 0; i < EACH; i++) {
    md_book_t *book;
    uint32_t   id = 0, row;
    number(&d, 1);
    if (md_instrument_add(&segment, &spec, &id, &row, &book)) return arg;
    for (int64_t n = 2; n <= UPDATES; n++) {
      number(&d, n);
      md_instrument_update(&segment, row, exponent_of(n), -5, &d);
    }
  }
  return NULL;
}

static bool
is_whole(const md_instrument_row_t *row) {
  const md_definition_t *d = &row->definition;
  return d->tick_size == d->lot_size && d->lot_size == d->min_qty && d->min_qty == d->expiry_ns &&
         d->tick_size >= 1 && row->px_exp == exponent_of(d->tick_size);
}

/* Reads until every row stands at its last update; false when one is torn. */
static bool
read_rows(uint64_t *reads) {
  for (uint32_t last = 0; last < 2 * EACH;) {
    last = 0;
    for (uint32_t i = 0; i < 2 * EACH; i++) {
      md_instrument_row_t row;
      if (md_instrument_read(&segment, i, &row)) continue;
      if (!is_whole(&row) || !md_instrument_book(&segment, i)) return false;
      if (row.definition.tick_size == UPDATES) last++;
      (*reads)++;
    }
  }
  return true;
}

static bool
ids_differ(void) {
  bool seen[2 * EACH + 1] = {false};
  for (uint32_t i = 0; i < 2 * EACH; i++) {
    md_instrument_row_t row;
    if (md_instrument_read(&segment, i, &row) || row.id == 0 || row.id > 2 * EACH) return false;
    if (seen[row.id]) return false;
    seen[row.id] = true;
  }
  return true;
}

static bool
open_segment(void) {
  static const md_segment_feed_t feeds[] = {{.name = "a", .venue = "v"},
                                            {.name = "b", .venue = "v"}};
  const md_segment_config_t      cfg     = {.name                = "stress",
                                            .dir                 = dir,
                                            .epoch               = 1,
                                            .next_instrument_id  = 1,
                                            .instrument_capacity = 2 * EACH,
                                            .book_bytes          = 2 * EACH * 8192,
                                            .feeds               = feeds,
                                            .feed_cnt            = MD_CNT(feeds)};
  md_msg_t                       msg     = {""};
  int                            fd;
  if (!mkdtemp(dir)) return false;
  if (md_segment_lock(dir, cfg.name, &fd, &msg) == MD_OK &&
      md_segment_new(&cfg, fd, md_clock_system(), &segment, &msg) == MD_OK)
    return true;
  (void)fprintf(stderr, "stress_instrument: %s\n", msg.text);
  return false;
}

int
main(void) {
  pthread_t threads[2];
  uint16_t  feeds[2] = {0, 1};
  uint64_t  reads    = 0;
  void     *failed   = NULL;
  if (!open_segment()) return 1;
  for (int i = 0; i < 2; i++)
    if (pthread_create(&threads[i], NULL, run_feed, &feeds[i])) return 1;
  bool ok = read_rows(&reads);
  for (int i = 0; i < 2; i++) {
    (void)pthread_join(threads[i], &failed);
    ok = ok && !failed;
  }
  ok = ok && ids_differ();
  md_segment_delete(&segment);
  (void)rmdir(dir);
  (void)printf("stress_instrument: %llu reads, %s\n", (unsigned long long)reads,
               ok ? "ok" : "FAILED");
  return ok ? 0 : 1;
}
