/* bench book, reading: each tier without a writer and under one, directly and through libmdshm,
 * beside plain copies of as many bytes. */
#include <stdio.h>
#include <string.h>

#include "bench/book.h"
#include "bench/book_one_try.h"
#include "bench/calm.h"
#include "bench/crowd.h"
#include "bench/queue.h"
#include "bench/rounds.h"
#include "shm/client/mdshm.h"

#define TURN_NS       1000000
#define SINGLE_CNT    1000u /* reads that are timed one by one in a turn */
#define BLOCK_CNT     64u   /* reads between two looks at the clock */
#define TRY_MAX       4u
#define PACE_NS       1000.0 /* one update */
#define PACE_KEPT     0.95   /* a writer that made fewer of its updates disturbs too little */
#define SOME_LEVELS   100u
#define DEPTH_BYTES   (sizeof(md_book_meta_t) + 2 * MD_BENCH_DEPTH * sizeof(md_level_t))
#define HEARTBEAT_AGE 1000000000

typedef enum kind {
  COPY_TOP,
  COPY_LADDER,
  COPY_SOME,
  COPY_DEPTH,
  BBO,
  TOP,
  LADDER,
  SOME, /* the best levels of depth */
  DEPTH,
  CLIENT_BBO,
  CLIENT_TOP,
  CLIENT_LADDER
} kind_t;

/* BEST: every update changes a best price, else one of the best twenty. */
typedef enum writer { NO_WRITER, PACED, FLAT_OUT, PACED_BEST, FLAT_OUT_BEST } writer_t;

typedef struct reads {
  md_bench_books_t *books;
  const md_book_t  *book;   /* the first, for readers: they look at nothing that the writer has */
  mdshm_t          *client; /* NULL: could not be opened */
  uint32_t          row;
  writer_t          writer;
  double            rate; /* of the paced writer in the last turn: part of its updates */
  bool              is_bad;
  /* The reader's: not in a cache line with what the writer looks at. */
  _Alignas(MD_CACHE_BLOCK) md_book_bbo_t bbo;
  md_book_top_t top;
  _Alignas(MD_CACHE_BLOCK) md_book_ladder_t ladder;
  mdshm_bbo_t    client_bbo;
  mdshm_top_t    client_top;
  mdshm_ladder_t client_ladder;
  md_book_meta_t meta;
  uint32_t       bid_cnt, ask_cnt;
  md_level_t     bids[MD_BENCH_DEPTH], asks[MD_BENCH_DEPTH];
  _Alignas(MD_CACHE_BLOCK) uint8_t plain[DEPTH_BYTES], copy[DEPTH_BYTES];
} reads_t;

/* ---- the writer ---- */

static void
write_updates(void *ctx, uint32_t index, const md_atomic_u64 *stop) {
  reads_t          *x        = ctx;
  md_bench_books_t *books    = x->books;
  bool              is_paced = x->writer == PACED || x->writer == PACED_BEST;
  bool              is_best  = x->writer == PACED_BEST || x->writer == FLAT_OUT_BEST;
  double            tick_ns  = md_bench_cycle_ns();
  uint64_t          start = md_bench_cycle(), cnt = 0;
  (void)index;
  while (md_load_relaxed(stop) == 0) {
    if (is_paced) { /* on a fixed schedule: a late update is followed by the next */
      double due = (double)cnt * PACE_NS / tick_ns;
      while ((double)(md_bench_cycle() - start) < due && md_load_relaxed(stop) == 0)
        md_bench_relax();
    }
    if (is_best)
      md_bench_books_write_best(books, 0);
    else
      md_bench_books_write(books, 1);
    cnt++;
  }
  x->rate = (double)cnt * PACE_NS / ((double)(md_bench_cycle() - start) * tick_ns);
}

/* ---- one read ---- */

/* The bytes are used: the compiler may not leave the copy out. */
static inline void
use(const void *bytes) {
  __asm__ __volatile__("" : : "r"(bytes) : "memory");
}

static inline __attribute__((always_inline)) bool
read_one(reads_t *x, kind_t kind) {
  const md_book_t *b   = x->book;
  md_err_t         err = MD_OK;
  mdshm_result_t   result;
  switch (kind) {
  case COPY_TOP:
    memcpy(x->copy, x->plain, 64);
    break;
  case COPY_LADDER:
    memcpy(x->copy, x->plain, sizeof(md_book_ladder_t));
    break;
  case COPY_SOME:
    memcpy(x->copy, x->plain, sizeof(md_book_meta_t) + 2 * SOME_LEVELS * sizeof(md_level_t));
    break;
  case COPY_DEPTH:
    memcpy(x->copy, x->plain, sizeof x->plain);
    break;
  case BBO:
    err = md_book_read_bbo(b, &x->bbo);
    break;
  case TOP:
    err = md_book_read_top(b, &x->top);
    break;
  case LADDER:
    err = md_book_read_ladder(b, &x->ladder);
    break;
  case SOME:
  case DEPTH:
    err = md_book_read_depth(b, kind == SOME ? SOME_LEVELS : MD_BENCH_DEPTH, &x->meta, x->bids,
                             &x->bid_cnt, x->asks, &x->ask_cnt);
    break;
  case CLIENT_BBO:
    result = mdshm_read_bbo(x->client, x->row, HEARTBEAT_AGE, &x->client_bbo);
    return result == MDSHM_OK || result == MDSHM_BUSY;
  case CLIENT_TOP:
    result = mdshm_read_top(x->client, x->row, HEARTBEAT_AGE, &x->client_top);
    return result == MDSHM_OK || result == MDSHM_BUSY;
  case CLIENT_LADDER:
    result = mdshm_read_ladder(x->client, x->row, HEARTBEAT_AGE, &x->client_ladder);
    return result == MDSHM_OK || result == MDSHM_BUSY;
  }
  use(x->copy);
  return err == MD_OK || err == MD_ERR_BUSY;
}

/* ns per read, and SINGLE_CNT of them one by one. */
static inline __attribute__((always_inline)) double
time_reads(reads_t *x, kind_t kind, md_hist_t *hist) {
  double   tick_ns  = md_bench_cycle_ns();
  int64_t  start_ns = md_bench_now_ns(), now_ns;
  uint64_t cnt      = 0;
  bool     good     = true;
  do {
    for (unsigned i = 0; i < BLOCK_CNT; i++)
      good &= read_one(x, kind);
    cnt += BLOCK_CNT;
    now_ns = md_bench_now_ns();
  } while (now_ns - start_ns < TURN_NS);
  uint64_t before = md_bench_cycle();
  for (unsigned i = 0; i < SINGLE_CNT; i++) {
    good &= read_one(x, kind);
    uint64_t now = md_bench_cycle();
    md_hist_add(hist, (int64_t)((double)(now - before) * tick_ns));
    before = md_bench_cycle();
  }
  x->is_bad |= !good;
  return (double)(now_ns - start_ns) / (double)cnt;
}

/* A loop of its own for each kind, so that choosing costs nothing. */
static double
time_kind(reads_t *x, kind_t kind, md_hist_t *hist) {
  switch (kind) {
  case COPY_TOP:
    return time_reads(x, COPY_TOP, hist);
  case COPY_LADDER:
    return time_reads(x, COPY_LADDER, hist);
  case COPY_SOME:
    return time_reads(x, COPY_SOME, hist);
  case COPY_DEPTH:
    return time_reads(x, COPY_DEPTH, hist);
  case BBO:
    return time_reads(x, BBO, hist);
  case TOP:
    return time_reads(x, TOP, hist);
  case LADDER:
    return time_reads(x, LADDER, hist);
  case SOME:
    return time_reads(x, SOME, hist);
  case DEPTH:
    return time_reads(x, DEPTH, hist);
  case CLIENT_BBO:
    return x->client ? time_reads(x, CLIENT_BBO, hist) : MD_BENCH_NONE;
  case CLIENT_TOP:
    return x->client ? time_reads(x, CLIENT_TOP, hist) : MD_BENCH_NONE;
  case CLIENT_LADDER:
    return x->client ? time_reads(x, CLIENT_LADDER, hist) : MD_BENCH_NONE;
  }
  return MD_BENCH_NONE;
}

/* ---- tries ---- */

static md_err_t
try_one(reads_t *x, kind_t kind) {
  const md_book_t *b = x->book;
  if (kind == BBO) return md_bench_try_bbo(b, &x->bbo);
  if (kind == TOP) return md_bench_try_top(b, &x->top);
  if (kind == LADDER) return md_bench_try_ladder(b, &x->ladder);
  return md_bench_try_depth(b, kind == SOME ? SOME_LEVELS : MD_BENCH_DEPTH, &x->meta, x->bids,
                            &x->bid_cnt, x->asks, &x->ask_cnt);
}

/* Percent of the reads whose first try failed, and of those that were whole within TRY_MAX. */
static void
count_tries(reads_t *x, kind_t kind, double *again, double *within) {
  int64_t  end_ns = md_bench_now_ns() + 2 * TURN_NS;
  uint64_t cnt = 0, again_cnt = 0, lost_cnt = 0;
  do {
    for (unsigned i = 0; i < BLOCK_CNT; i++) {
      md_err_t err = try_one(x, kind);
      again_cnt += err == MD_ERR_BUSY;
      for (unsigned k = 1; k < TRY_MAX && err == MD_ERR_BUSY; k++)
        err = try_one(x, kind);
      lost_cnt += err == MD_ERR_BUSY;
      x->is_bad |= err != MD_OK && err != MD_ERR_BUSY;
    }
    cnt += BLOCK_CNT;
  } while (md_bench_now_ns() < end_ns);
  *again  = (double)again_cnt * 100 / (double)cnt;
  *within = (double)(cnt - lost_cnt) * 100 / (double)cnt;
}

/* ---- turns ---- */

/* What a turn does with a cell's kind. */
typedef enum aim { TIME, AGAIN, WITHIN } aim_t;

#define WITH(writer, aim) ((uint32_t)(writer)*4u + (uint32_t)(aim))

static double
turn(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  reads_t *x      = ctx;
  aim_t    aim    = (aim_t)(cell->b % 4);
  double   result = MD_BENCH_NONE, within;
  x->writer       = (writer_t)(cell->b / 4);
  x->rate         = 1;
  md_bench_world_beat(&x->books->world);
  int64_t switches = md_bench_switches();
  if (x->writer != NO_WRITER && !md_bench_crowd_start(1, write_updates, x)) return MD_BENCH_NONE;
  if (aim == TIME)
    result = time_kind(x, (kind_t)cell->a, hist);
  else
    count_tries(x, (kind_t)cell->a, aim == AGAIN ? &result : &within,
                aim == AGAIN ? &within : &result);
  switches = md_bench_switches() - switches;
  if (x->writer != NO_WRITER) switches += md_bench_crowd_stop();
  bool is_paced = x->writer == PACED || x->writer == PACED_BEST;
  if (is_paced && x->rate < PACE_KEPT && !md_bench_takes_all()) return MD_BENCH_NONE;
  return md_bench_calm_switched(switches, MD_BENCH_SWITCH_MAX) ? MD_BENCH_NONE : result;
}

#define NONE MD_BENCH_NONE
#define TIMES(name, kind, writer, copy, floor, target)                                             \
  {                                                                                                \
    name, "ns", turn, kind, WITH(writer, TIME), copy_names[copy], copy, MD_BENCH_COST, floor,      \
        target                                                                                     \
  }
#define COUNTS(name, kind, writer, aim, how, floor, target)                                        \
  { name, "%", turn, kind, WITH(writer, aim), NULL, 0, how, floor, target }
#define PLAIN(kind)                                                                                \
  { NULL, "ns", turn, kind, WITH(NO_WRITER, TIME), NULL, 0, MD_BENCH_COST, NONE, NONE }

#define COPY_OF_TOP    "64 B copied, no writer"
#define COPY_OF_LADDER "736 B copied, no writer"
#define COPY_OF_SOME   "3.3 KB copied, no writer"
#define COPY_OF_DEPTH  "32 KB copied, no writer"

static bool
open_client(reads_t *x) {
  x->client_bbo.struct_size    = sizeof x->client_bbo;
  x->client_top.struct_size    = sizeof x->client_top;
  x->client_ladder.struct_size = sizeof x->client_ladder;
  if (mdshm_open(x->books->world.dir, MD_BENCH_WORLD_NAME, 0, &x->client, NULL, 0) != MDSHM_OK)
    x->client = NULL;
  md_bench_world_beat(&x->books->world);
  return x->client != NULL && mdshm_read_top(x->client, x->row, HEARTBEAT_AGE, &x->client_top) == 0;
}

bool
md_bench_book_reads(md_bench_t *b, md_bench_books_t *books, int64_t budget_ns, const char *why) {
  static const char *const copy_names[] = {COPY_OF_TOP, COPY_OF_LADDER, COPY_OF_SOME,
                                           COPY_OF_DEPTH};
  static reads_t           x;
  const md_bench_cell_t    cells[] = {
         PLAIN(COPY_TOP),
         PLAIN(COPY_LADDER),
         PLAIN(COPY_SOME),
         PLAIN(COPY_DEPTH),
         TIMES("book.bbo", BBO, NO_WRITER, COPY_TOP, NONE, NONE),
         TIMES("book.bbo.at_1m", BBO, PACED_BEST, COPY_TOP, 5, 3),
         COUNTS("book.bbo.at_1m.retried", BBO, PACED_BEST, AGAIN, MD_BENCH_AT_MOST, NONE, 0.5),
         TIMES("book.bbo.among_1m", BBO, PACED, COPY_TOP, NONE, NONE),
         TIMES("book.bbo.flat_out", BBO, FLAT_OUT_BEST, COPY_TOP, NONE, NONE),
         COUNTS("book.bbo.flat_out.retried", BBO, FLAT_OUT_BEST, AGAIN, MD_BENCH_AT_MOST, NONE, NONE),
         TIMES("book.bbo.client", CLIENT_BBO, NO_WRITER, COPY_TOP, NONE, NONE),
         TIMES("book.bbo.client.at_1m", CLIENT_BBO, PACED_BEST, COPY_TOP, NONE, NONE),
         TIMES("book.top", TOP, NO_WRITER, COPY_TOP, NONE, NONE),
         TIMES("book.top.at_1m", TOP, PACED, COPY_TOP, NONE, NONE),
         COUNTS("book.top.at_1m.retried", TOP, PACED, AGAIN, MD_BENCH_AT_MOST, NONE, NONE),
         TIMES("book.top.flat_out", TOP, FLAT_OUT, COPY_TOP, NONE, NONE),
         COUNTS("book.top.flat_out.retried", TOP, FLAT_OUT, AGAIN, MD_BENCH_AT_MOST, NONE, NONE),
         TIMES("book.top.client", CLIENT_TOP, NO_WRITER, COPY_TOP, NONE, NONE),
         TIMES("book.top.client.at_1m", CLIENT_TOP, PACED, COPY_TOP, NONE, NONE),
         TIMES("book.ladder", LADDER, NO_WRITER, COPY_LADDER, NONE, NONE),
         TIMES("book.ladder.at_1m", LADDER, PACED, COPY_LADDER, NONE, NONE),
         COUNTS("book.ladder.at_1m.retried", LADDER, PACED, AGAIN, MD_BENCH_AT_MOST, NONE, NONE),
         TIMES("book.ladder.flat_out", LADDER, FLAT_OUT, COPY_LADDER, NONE, NONE),
         COUNTS("book.ladder.flat_out.within_4", LADDER, FLAT_OUT, WITHIN, MD_BENCH_AT_LEAST, 99.9,
                100),
         TIMES("book.ladder.client", CLIENT_LADDER, NO_WRITER, COPY_LADDER, NONE, NONE),
         TIMES("book.ladder.client.at_1m", CLIENT_LADDER, PACED, COPY_LADDER, NONE, NONE),
         TIMES("book.depth_100", SOME, NO_WRITER, COPY_SOME, NONE, NONE),
         TIMES("book.depth_100.at_1m", SOME, PACED, COPY_SOME, NONE, NONE),
         COUNTS("book.depth_100.flat_out.within_4", SOME, FLAT_OUT, WITHIN, MD_BENCH_AT_LEAST, 99.9,
                100),
         TIMES("book.depth_1000", DEPTH, NO_WRITER, COPY_DEPTH, NONE, NONE),
         TIMES("book.depth_1000.at_1m", DEPTH, PACED, COPY_DEPTH, NONE, NONE),
         COUNTS("book.depth_1000.at_1m.within_4", DEPTH, PACED, WITHIN, MD_BENCH_AT_LEAST, NONE, NONE),
         COUNTS("book.depth_1000.flat_out.within_4", DEPTH, FLAT_OUT, WITHIN, MD_BENCH_AT_LEAST, 99.9,
                100)};
  if (books == NULL) {
    md_bench_rows_without(b, cells, MD_CNT(cells), why);
    return true;
  }
  memset(&x, 0, sizeof x);
  x.books = books;
  x.book  = books->book[0].shared;
  if (!md_bench_books_check(books, 0) || !open_client(&x)) {
    fprintf(stderr, "mdengine bench: a reader does not get the book that was written: a defect\n");
    return false;
  }
  md_bench_rounds_t *r = md_bench_rounds_run(cells, MD_CNT(cells), &x, true, budget_ns);
  if (r) md_bench_rounds_report(b, r);
  md_bench_rounds_delete(r);
  mdshm_close(x.client);
  if (x.is_bad || !md_bench_books_check(books, 0))
    fprintf(stderr, "mdengine bench: a reader got what no book can be: a defect\n");
  return r != NULL && !x.is_bad;
}
