/* segment_fixture.h - a small segment in a private folder, for the tests of segment, directory and
 * client. Each test runs in a process of its own, so the statics are its own too. */
#ifndef TESTS_SEGMENT_FIXTURE_H
#define TESTS_SEGMENT_FIXTURE_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/segment.h"

#define FIXTURE_TAPE_BYTES (1u << 16)

static char test_dir[64];

/* In the folder that MD_SHM_DIR names, as stress programs do. */
static inline void
make_dir(void) {
  const char *in = getenv("MD_SHM_DIR");
  (void)snprintf(test_dir, sizeof test_dir, "%s/mdtest.XXXXXX", in ? in : "/dev/shm");
  if (!mkdtemp(test_dir)) {
    (void)snprintf(test_dir, sizeof test_dir, "/tmp/mdtest.XXXXXX");
    cr_assert(mkdtemp(test_dir));
  }
}

static inline void
remove_dir(void) {
  DIR           *dir = opendir(test_dir);
  struct dirent *entry;
  while (dir && (entry = readdir(dir))) {
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", test_dir, entry->d_name);
    if (entry->d_name[0] != '.') (void)unlink(path);
  }
  if (dir) (void)closedir(dir);
  (void)rmdir(test_dir);
}

static const md_segment_feed_t fixture_feeds[] = {
    {.name         = "binance_spot",
     .venue        = "binance",
     .stream       = 5,
     .raw_stream   = 6,
     .keep_raw     = true,
     .depth_levels = 50,
     .tape_bytes   = FIXTURE_TAPE_BYTES},
    {.name = "binance_us", .venue = "binance", .stream = 7, .keep_raw = false}};

static const md_segment_ring_t fixture_rings[] = {
    {.feed = 0, .sink = 0, .name = "binance_spot.journal", .capacity_bytes = 1u << 16},
    {.feed = 1, .sink = 0, .name = "binance_us.journal", .capacity_bytes = 1u << 17}};

static const md_segment_thread_t fixture_threads[] = {
    {.name = "feed:binance_spot", .kind = MD_THREAD_FEED, .index = 0, .core = 1},
    {.name = "feed:binance_us", .kind = MD_THREAD_FEED, .index = 1, .core = -1},
    {.name = "writer:journal", .kind = MD_THREAD_WRITER, .index = 0, .core = -1}};

static inline md_segment_config_t
fixture_config(uint32_t epoch) {
  md_segment_config_t cfg = {.name                = "unit",
                             .dir                 = test_dir,
                             .epoch               = epoch,
                             .journal_uuid        = {1, 2, 3},
                             .next_instrument_id  = 40,
                             .instrument_capacity = 8,
                             .book_bytes          = 1u << 16,
                             .feeds               = fixture_feeds,
                             .feed_cnt            = MD_CNT(fixture_feeds),
                             .rings               = fixture_rings,
                             .ring_cnt            = MD_CNT(fixture_rings),
                             .threads             = fixture_threads,
                             .thread_cnt          = MD_CNT(fixture_threads)};
  return cfg;
}

/* Takes the name and makes the segment, as an engine's start does. */
static inline void
start_engine(const md_segment_config_t *cfg, md_segment_t *s) {
  md_msg_t msg = {""};
  int      fd  = -1;
  cr_assert_eq(md_segment_lock(cfg->dir, cfg->name, &fd, &msg), MD_OK, "%s", msg.text);
  cr_assert_eq(md_segment_new(cfg, fd, md_clock_system(), s, &msg), MD_OK, "%s", msg.text);
}

static inline md_definition_t
make_definition(const char *symbol, const char *normalised) {
  md_definition_t d = {.tick_size = 1,
                       .lot_size  = 2,
                       .min_qty   = 3,
                       .expiry_ns = MD_NULL_I64,
                       .kind      = MD_KIND_SPOT,
                       .trading   = MD_TRADING_ON};
  (void)snprintf(d.symbol, sizeof d.symbol, "%s", symbol);
  (void)snprintf(d.normalised, sizeof d.normalised, "%s", normalised);
  (void)snprintf(d.base, sizeof d.base, "BTC");
  (void)snprintf(d.quote, sizeof d.quote, "USDT");
  return d;
}

static inline uint32_t
add_instrument(md_segment_t *s, uint16_t feed, const char *symbol, bool want_book,
               md_book_t **book) {
  md_definition_t      d    = make_definition(symbol, symbol);
  md_instrument_spec_t spec = {
      .definition = &d, .feed = feed, .px_exp = -2, .qty_exp = -5, .want_book = want_book};
  uint32_t id = 0, row = 0;
  cr_assert_eq(md_instrument_add(s, &spec, &id, &row, book), MD_OK);
  return row;
}

/* Writes a whole file, byte for byte. */
static inline void
write_file(const char *path, const void *bytes, size_t cnt) {
  FILE *file = fopen(path, "w");
  cr_assert(file && fwrite(bytes, 1, cnt, file) == cnt && fclose(file) == 0);
}

#endif
