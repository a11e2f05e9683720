/* The reader library over restarts of an engine, seen by TSan: one thread is engine after engine,
 * as a file that is superseded, one that is stopped, and a sealed one; it lists instruments while
 * three readers attach, look up, read all tiers, follow the tape, register and go on to the next
 * engine, and another thread lists the readers. Every book is of the engine that the handle says,
 * whole, and never an older one; every record of the tape follows the one before.
 *
 * A reader's mapping of a segment stands at the engine's own address (mmap is wrapped), or TSan
 * would take the two for different memory. */
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/client/mdshm.h"
#include "shm/readers.h"
#include "shm/segment.h"
#include "tests/levels_read.h"
#include "tests/stress/stress.h"

#define READERS      3u
#define ENGINES      9u
#define INSTRUMENTS  6u
#define ROUNDS       60u
#define LEVELS       20u
#define PLACES       64u
#define AGE_NS       60000000000
#define REOPEN_EVERY 40u

static char          dir[128];
static md_atomic_u32 is_over, has_failed;
static md_atomic_u64 read_cnt, restart_cnt, listed_cnt;
static uint32_t      engine_cnt; /* an argument */
static char          registry[MD_READERS_PATH_BYTES];

static void
failed(const char *what) {
  md_store_relaxed(&has_failed, 1u); /* a flag by itself */
  (void)fprintf(stderr, "stress_client: %s\n", what);
}

/* ---- one address for engine and readers ---- */

typedef struct place {
  dev_t    device;
  ino_t    inode;
  void    *base;
  uint32_t refs;
} place_t;

static place_t         places[PLACES];
static pthread_mutex_t places_lock = PTHREAD_MUTEX_INITIALIZER;

void *__real_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t off);
int   __real_munmap(void *at, size_t bytes);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t off);
int   __wrap_munmap(void *at, size_t bytes);

static place_t *
find_file(const struct stat *st) {
  for (uint32_t i = 0; i < PLACES; i++)
    if (places[i].refs != 0 && places[i].inode == st->st_ino && places[i].device == st->st_dev)
      return &places[i];
  return NULL;
}

static place_t *
find_base(const void *base) {
  for (uint32_t i = 0; i < PLACES; i++)
    if (places[i].refs != 0 && places[i].base == base) return &places[i];
  return NULL;
}

static void
note_place(const struct stat *st, void *base) {
  for (uint32_t i = 0; i < PLACES; i++) {
    if (places[i].refs != 0) continue;
    places[i] = (place_t){st->st_dev, st->st_ino, base, 1};
    return;
  }
  failed("too many mappings");
}

void *
__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t off) {
  struct stat st;
  if (fd < 0 || fstat(fd, &st)) return __real_mmap(at, bytes, protection, flags, fd, off);
  (void)pthread_mutex_lock(&places_lock);
  place_t *place = protection == PROT_READ ? find_file(&st) : NULL;
  void    *base  = place ? place->base : __real_mmap(at, bytes, protection, flags, fd, off);
  if (place)
    place->refs++;
  else if (base != MAP_FAILED && (protection & PROT_WRITE) && bytes == (size_t)st.st_size)
    note_place(&st, base);
  (void)pthread_mutex_unlock(&places_lock);
  return base;
}

int
__wrap_munmap(void *at, size_t bytes) {
  int rc = 0;
  (void)pthread_mutex_lock(&places_lock);
  place_t *place = find_base(at);
  if (!place || --place->refs == 0) rc = __real_munmap(at, bytes);
  (void)pthread_mutex_unlock(&places_lock);
  return rc;
}

/* ---- the engine ---- */

typedef struct work {
  md_segment_t     segment;
  md_book_t       *book[INSTRUMENTS];
  md_tape_writer_t tape;
  uint32_t         epoch, cnt;
  uint64_t         seq;
} work_t;

static int64_t
px_of(uint64_t seq, md_side_t side, uint32_t n) {
  return 1000 + (int64_t)seq + (side == MD_SIDE_BUY ? -(int64_t)n : 1 + (int64_t)n);
}

static bool
level_at(const void *ctx, md_side_t side, uint32_t n, md_level_t *out) {
  const uint64_t seq = *(const uint64_t *)ctx;
  if (n >= LEVELS) return false;
  *out = (md_level_t){px_of(seq, side, n), (int64_t)(seq * 7 + n + 1)};
  return true;
}

static uint32_t
level_read(const void *ctx, md_side_t side, const md_levels_want_t *want, md_level_t *out) {
  return levels_read(level_at, ctx, side, want, out);
}

static bool
add_instrument(work_t *w) {
  char            name[16];
  md_definition_t d  = {.tick_size = w->cnt + 1, .lot_size = w->cnt + 1, .min_qty = w->cnt + 1};
  uint32_t        id = 0, row;
  /* In another order each time, so that rows of one engine are not those of the next. */
  (void)snprintf(name, sizeof name, "S%u", (w->cnt + w->epoch) % INSTRUMENTS);
  memcpy(d.symbol, name, sizeof name);
  memcpy(d.normalised, name, sizeof name);
  const md_instrument_spec_t spec = {.definition = &d, .want_book = true};
  if (md_instrument_add(&w->segment, &spec, &id, &row, &w->book[w->cnt])) return false;
  w->cnt++;
  return true;
}

static void
write_round(work_t *w) {
  _Alignas(8) uint8_t bytes[sizeof(md_record_t) + sizeof(md_trade_t)] = {0};
  md_record_t        *rec                                             = (void *)bytes;
  w->seq++;
  *rec = (md_record_t){.len = sizeof bytes, .type = MD_RECORD_TRADE, .seq = w->seq, .flags = 1};
  (void)md_tape_write(&w->tape, rec);
  md_tape_publish(&w->tape);
  const md_book_meta_t meta = {.state       = MD_BOOK_VALID,
                               .gen         = w->epoch,
                               .last_seq    = w->seq,
                               .ts_exch_ns  = MD_NULL_I64,
                               .trusted_bid = MD_NULL_I64,
                               .trusted_ask = MD_NULL_I64};
  for (uint32_t i = 0; i < w->cnt; i++)
    md_book_write_all(w->book[i], &meta, level_read, &w->seq);
  md_store_relaxed(&w->segment.threads[0].heartbeat_mono_ns, /* only compared with a clock */
                   (uint64_t)md_clock_mono_ns(md_clock_system()));
  md_segment_serve(&w->segment);
}

/* Until the readers have read some more: a bound, so that readers that are stuck do not hang it. */
static void
let_read(work_t *w) {
  const uint64_t before = md_load_relaxed(&read_cnt); /* counters by themselves */
  for (uint32_t i = 0; i < 20000 && md_load_relaxed(&read_cnt) < before + 2 * READERS; i++) {
    md_segment_serve(&w->segment);
    (void)sched_yield();
  }
}

static bool
run_engine(work_t *w, uint32_t epoch) {
  static const md_segment_feed_t feed = {
      .name = "f", .venue = "v", .depth_levels = LEVELS, .tape_bytes = 65536};
  static const md_segment_thread_t thread = {.name = "feed:f", .kind = MD_THREAD_FEED};
  const md_segment_config_t        cfg    = {
                .name                = "stress",
                .dir                 = dir,
                .mode                = 0600,
                .sealed              = epoch % 3 == 2,
                .epoch               = epoch,
                .next_instrument_id  = 1,
                .instrument_capacity = INSTRUMENTS,
                .book_bytes = INSTRUMENTS * md_align_up(md_book_footprint(LEVELS), MD_CACHE_BLOCK),
                .feeds      = &feed,
                .feed_cnt   = 1,
                .threads    = &thread,
                .thread_cnt = 1};
  md_msg_t msg = {""};
  int      fd;
  memset(w, 0, sizeof *w);
  w->epoch = epoch;
  if (md_segment_lock(dir, cfg.name, &fd, &msg) ||
      md_segment_new(&cfg, fd, md_clock_system(), &w->segment, &msg)) {
    failed(msg.text);
    return false;
  }
  md_tape_writer_init(&w->tape, md_segment_tape(&w->segment, 0));
  md_readers_path(registry, dir, cfg.name);
  if (md_readers_new(registry, 0660, UINT32_MAX, &msg)) failed(msg.text);
  write_round(w);
  md_segment_ready(&w->segment);
  for (uint32_t i = 0; i < ROUNDS; i++) {
    if (i % 8 == 0 && w->cnt < INSTRUMENTS && !add_instrument(w)) failed("no room");
    write_round(w);
    let_read(w);
  }
  /* A file that is only left is superseded by the next engine; the others are stopped in order. */
  if (epoch % 3 == 0 && epoch < engine_cnt)
    md_segment_leave(&w->segment);
  else
    md_segment_delete(&w->segment);
  return true;
}

/* ---- the readers ---- */

typedef struct reader {
  mdshm_t      *shm;
  mdshm_tape_t *tape;
  uint64_t      next_seq;   /* of the tape, 0: any */
  uint64_t      epoch_seen; /* of a book */
} reader_t;

static bool
is_over_now(void) {
  return md_load_relaxed(&is_over) || md_load_relaxed(&has_failed); /* flags by themselves */
}

static void
check_side(const mdshm_level_t *levels, uint32_t cnt, uint64_t seq, md_side_t side) {
  for (uint32_t n = 0; n < cnt; n++)
    if (levels[n].px != px_of(seq, side, n) || levels[n].qty != (int64_t)(seq * 7 + n + 1)) {
      failed("a level is not of the record that the book says");
      return;
    }
}

/* What may come of any read; false: there is no book to look at. */
static bool
has_book(mdshm_result_t result, const mdshm_book_meta_t *meta) {
  md_fetch_add_relaxed(&read_cnt, 1u);
  if (result == MDSHM_RESTARTED) md_fetch_add_relaxed(&restart_cnt, 1u);
  if (result == MDSHM_CORRUPT || result >= MDSHM_VERSION) {
    if (result != MDSHM_RESTARTED) failed(mdshm_result_name(result));
    return false;
  }
  return result == MDSHM_OK && meta->state == MD_BOOK_VALID;
}

static void
read_books(reader_t *r, uint32_t row) {
  mdshm_level_t  bids[LEVELS], asks[LEVELS];
  mdshm_info_t   info   = {.struct_size = sizeof info};
  mdshm_top_t    top    = {.struct_size = sizeof top};
  mdshm_ladder_t ladder = {.struct_size = sizeof ladder};
  mdshm_depth_t  depth  = {
        .struct_size = sizeof depth, .max_levels = LEVELS, .bids = bids, .asks = asks};
  if (has_book(mdshm_read_top(r->shm, row, AGE_NS, &top), &top.meta)) {
    if (top.bid_px != px_of(top.meta.last_seq, MD_SIDE_BUY, 0) ||
        top.ask_px != px_of(top.meta.last_seq, MD_SIDE_SELL, 0))
      failed("the top is not of its record");
    if (mdshm_info(r->shm, &info) == MDSHM_OK && info.epoch != top.meta.gen)
      failed("a book of another engine");
    if (top.meta.gen < r->epoch_seen) failed("a book of an engine before");
    r->epoch_seen = top.meta.gen;
  }
  if (has_book(mdshm_read_ladder(r->shm, row, AGE_NS, &ladder), &ladder.meta)) {
    check_side(ladder.bids, ladder.bid_cnt, ladder.meta.last_seq, MD_SIDE_BUY);
    check_side(ladder.asks, ladder.ask_cnt, ladder.meta.last_seq, MD_SIDE_SELL);
  }
  if (has_book(mdshm_read_depth(r->shm, row, AGE_NS, &depth), &depth.meta)) {
    check_side(bids, depth.bid_cnt, depth.meta.last_seq, MD_SIDE_BUY);
    check_side(asks, depth.ask_cnt, depth.meta.last_seq, MD_SIDE_SELL);
  }
}

static void
read_directory(reader_t *r) {
  const uint32_t cnt = mdshm_instrument_cnt(r->shm);
  for (uint32_t row = 0; row < cnt; row++) {
    mdshm_instrument_t i = {.struct_size = sizeof i};
    uint32_t           found;
    if (mdshm_instrument_get(r->shm, row, &i) != MDSHM_OK) continue;
    if (i.tick_size != i.lot_size || i.lot_size != i.min_qty || !i.has_book || i.symbol[0] != 'S')
      failed("half an instrument");
    if (mdshm_instrument_find(r->shm, 0, i.symbol, &found) == MDSHM_OK && found != row)
      failed("a symbol is found in another row than it stands in");
    read_books(r, row);
  }
}

static void
read_tape(reader_t *r) {
  for (unsigned n = 0; n < 8; n++) {
    const void    *record;
    size_t         bytes;
    uint64_t       lost, seq;
    mdshm_result_t result = mdshm_tape_next(r->tape, &record, &bytes, &lost);
    if (result == MDSHM_CORRUPT) failed("the tape is CORRUPT");
    if (result == MDSHM_LAPPED || result == MDSHM_RESTARTED) r->next_seq = 0;
    if (result != MDSHM_OK) continue;
    memcpy(&seq, (const uint8_t *)record + offsetof(md_record_t, seq), sizeof seq);
    if (r->next_seq != 0 && seq != r->next_seq) failed("a hole in the tape");
    r->next_seq = seq + 1;
  }
}

static void *
run_reader(void *arg) {
  char name[16];
  (void)snprintf(name, sizeof name, "reader-%u", *(const uint32_t *)arg);
  for (uint64_t epoch = 0; !is_over_now();) {
    reader_t r = {.epoch_seen = epoch};
    if (mdshm_open(dir, "stress", 50, &r.shm, NULL, 0) != MDSHM_OK) continue;
    (void)!mdshm_register(r.shm, name);
    if (mdshm_tape_open(r.shm, 0, MDSHM_FROM_NOW, &r.tape) == MDSHM_OK) {
      for (unsigned i = 0; i < REOPEN_EVERY && !is_over_now(); i++) {
        read_directory(&r);
        read_tape(&r);
        (void)!mdshm_check(r.shm);
        if (i % 8 == 0) (void)!mdshm_beat(r.shm);
        if (i % 16 == 0) (void)sched_yield();
      }
      mdshm_tape_close(r.tape);
    }
    epoch = r.epoch_seen;
    mdshm_close(r.shm);
  }
  return NULL;
}

/* Lists the readers, and is none. */
static void *
run_lister(void *arg) {
  while (!is_over_now()) {
    mdshm_t       *shm;
    mdshm_reader_t reader = {.struct_size = sizeof reader};
    uint32_t       next   = 0;
    if (mdshm_open(dir, "stress", 50, &shm, NULL, 0) != MDSHM_OK) continue;
    while (mdshm_reader(shm, &next, &reader) == MDSHM_OK) {
      if (strncmp(reader.name, "reader-", 7) != 0) failed("half a row of the registry");
      md_fetch_add_relaxed(&listed_cnt, 1u);
    }
    mdshm_close(shm);
    (void)sched_yield();
  }
  return arg;
}

int
main(int argc, char **argv) {
  static work_t w;
  pthread_t     threads[READERS + 1];
  uint32_t      numbers[READERS];
  engine_cnt = (uint32_t)stress_argument(argc, argv, ENGINES);
  if (!stress_dir(dir, sizeof dir, "mdstress")) return 1;
  for (uint32_t i = 0; i <= READERS; i++) {
    if (i < READERS) numbers[i] = i;
    if (pthread_create(&threads[i], NULL, i < READERS ? run_reader : run_lister,
                       i < READERS ? &numbers[i] : NULL))
      return 1;
  }
  for (uint32_t epoch = 1; epoch <= engine_cnt && !is_over_now(); epoch++)
    if (!run_engine(&w, epoch)) break;
  md_store_relaxed(&is_over, 1u);
  for (uint32_t i = 0; i <= READERS; i++)
    (void)pthread_join(threads[i], NULL);
  (void)unlink(registry);
  (void)rmdir(dir);
  const bool ok = !md_load_relaxed(&has_failed) && restart_cnt > 0 && listed_cnt > 0;
  (void)printf("stress_client: %u engines, %llu reads, %llu times told of a restart, %llu readers "
               "listed, %s\n",
               engine_cnt, (unsigned long long)read_cnt, (unsigned long long)restart_cnt,
               (unsigned long long)listed_cnt, ok ? "ok" : "FAILED");
  return ok ? 0 : 1;
}
