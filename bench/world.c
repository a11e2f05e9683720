#include "bench/world.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "shm/readers.h"

#define FEED_CNT    3u
#define SPARE_BYTES (256ull << 20) /* that the machine keeps free beside what we take */

static const char *const file_names[] = {
    "mdengine." MD_BENCH_WORLD_NAME, "mdengine." MD_BENCH_WORLD_NAME ".rings",
    "mdengine." MD_BENCH_WORLD_NAME ".readers", "mdengine." MD_BENCH_WORLD_NAME ".new",
    "mdengine." MD_BENCH_WORLD_NAME ".rings.new"};

/* What an interrupted command takes away: complete paths, because a handler cannot make them. */
static char left_files[MD_CNT(file_names)][MD_BENCH_DIR_BYTES + 32], left_dir[MD_BENCH_DIR_BYTES];

static void
remove_left(void) {
  for (size_t i = 0; i < MD_CNT(left_files); i++)
    (void)unlink(left_files[i]);
  (void)rmdir(left_dir);
}

static void
on_signal(int signo) {
  remove_left();
  (void)signal(signo, SIG_DFL);
  (void)raise(signo);
}

static void
set_handlers(void (*handler)(int)) {
  static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
  for (size_t i = 0; i < MD_CNT(signals); i++)
    (void)signal(signals[i], handler);
}

/* Bytes that can be had without swapping; all there are where the kernel does not say. */
static uint64_t
free_bytes(void) {
  char               line[128];
  unsigned long long kib = UINT64_MAX >> 10;
  FILE              *f   = fopen("/proc/meminfo", "r");
  while (f && fgets(line, sizeof line, f))
    if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1) break;
  if (f) (void)fclose(f);
  return (uint64_t)kib << 10;
}

void
md_bench_symbol(uint32_t i, char out[MD_BENCH_SYMBOL_LEN + 1]) {
  (void)snprintf(out, MD_BENCH_SYMBOL_LEN + 1, "S%05uX", i % MD_BENCH_SYMBOLS_MAX);
}

static bool
make_segment(md_bench_world_t *w, const md_segment_config_t *cfg) {
  md_msg_t msg = {0};
  char     path[MD_READERS_PATH_BYTES];
  int      lock = -1;
  md_err_t err  = md_segment_lock(cfg->dir, cfg->name, &lock, &msg);
  if (!err) err = md_segment_new(cfg, lock, md_clock_system(), &w->segment, &msg);
  if (err && lock >= 0) md_segment_unlock(cfg->dir, cfg->name, lock);
  md_readers_path(path, cfg->dir, cfg->name);
  if (!err) err = md_readers_new(path, 0600, UINT32_MAX, &msg);
  if (err) {
    (void)snprintf(w->why, sizeof w->why, "%.*s", (int)sizeof w->why - 1, msg.text);
    return false;
  }
  md_segment_ready(&w->segment);
  md_bench_world_beat(w);
  return true;
}

bool
md_bench_world_make(md_bench_world_t *w, const md_segment_config_t *want, uint64_t private_bytes) {
  md_segment_config_t cfg        = *want;
  uint64_t            main_bytes = 0, rings_bytes = 0;
  memset(w, 0, sizeof *w);
  cfg.name = MD_BENCH_WORLD_NAME;
  cfg.dir  = w->dir;
  md_segment_bytes(&cfg, &main_bytes, &rings_bytes);
  if (main_bytes + rings_bytes + private_bytes + SPARE_BYTES > free_bytes()) {
    (void)snprintf(w->why, sizeof w->why, "%u instruments take %llu MiB, which are not free",
                   cfg.instrument_capacity,
                   (unsigned long long)((main_bytes + rings_bytes + private_bytes) >> 20));
    return false;
  }
  (void)snprintf(w->dir, sizeof w->dir, "%s/mdbench.XXXXXX", md_bench_shm_dir());
  if (!mkdtemp(w->dir)) {
    (void)snprintf(w->why, sizeof w->why, "cannot make a folder in %s", md_bench_shm_dir());
    return false;
  }
  (void)snprintf(left_dir, sizeof left_dir, "%s", w->dir);
  for (size_t i = 0; i < MD_CNT(left_files); i++)
    (void)snprintf(left_files[i], sizeof left_files[i], "%s/%s", w->dir, file_names[i]);
  set_handlers(on_signal);
  bool good = make_segment(w, &cfg);
  if (!good) md_bench_world_delete(w);
  return good;
}

bool
md_bench_world_deep(md_bench_world_t *w, uint32_t instrument_cnt, uint32_t depth_levels,
                    uint64_t private_bytes) {
  const md_segment_feed_t feeds[FEED_CNT] = {
      {.name         = "binance_spot",
       .venue        = "binance_spot",
       .stream       = 1,
       .depth_levels = depth_levels,
       .tape_bytes   = MD_BENCH_TAPE_BYTES},
      {.name = "there", .venue = "there", .stream = 2, .tape_bytes = MD_BENCH_HOP_BYTES},
      {.name = "back", .venue = "back", .stream = 3, .tape_bytes = MD_BENCH_HOP_BYTES}};
  static const md_segment_thread_t thread = {"bench", MD_THREAD_FEED, 0, -1};
  /* As the engine plans it: a book begins in a block of its own, not in a page. */
  const uint64_t            book = md_align_up(md_book_footprint(depth_levels), MD_CACHE_BLOCK);
  const uint64_t            book_bytes = instrument_cnt * book;
  const md_segment_config_t cfg        = {.epoch               = 1,
                                          .next_instrument_id  = 1,
                                          .instrument_capacity = instrument_cnt,
                                          .book_bytes          = book_bytes,
                                          .feeds               = feeds,
                                          .feed_cnt            = FEED_CNT,
                                          .threads             = &thread,
                                          .thread_cnt          = 1};
  return md_bench_world_make(w, &cfg, private_bytes);
}

bool
md_bench_world_new(md_bench_world_t *w, uint32_t instrument_cnt, uint64_t private_bytes) {
  return md_bench_world_deep(w, instrument_cnt, MD_BENCH_DEPTH, private_bytes);
}

void
md_bench_world_delete(md_bench_world_t *w) {
  if (w->segment.base) md_segment_delete(&w->segment);
  w->segment.base = NULL;
  remove_left();
  set_handlers(SIG_DFL);
}

void
md_bench_world_beat(md_bench_world_t *w) {
  uint64_t now_ns = (uint64_t)md_bench_now_ns();
  for (uint32_t i = 0; i < w->segment.thread_cnt; i++)
    md_store_relaxed(&w->segment.threads[i].heartbeat_mono_ns, now_ns); /* a number by itself */
}
