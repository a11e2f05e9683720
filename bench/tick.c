/* bench tick: from a message that was received to its book in shared memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/calm.h"
#include "bench/crowd.h"
#include "bench/rounds.h"
#include "bench/sorted_book.h"
#include "bench/source.h"
#include "bench/stopped.h"

#define INSTRUMENT_CNT 10000u
#define BATCH_CNT      48u /* batches of a turn */
#define STOPPED_BOOKS  100u
#define WARM_CNT       64u /* batches in front of a turn; behind a start, which copies pages */
#define CHECK_CNT      16u /* batches that are compared before anything is timed */

typedef struct tick {
  md_bench_source_t    offline, full;
  md_bench_simdjson_t *simdjson;
  md_bench_message_t   message;
  md_sorted_book_t     sorted;
  uint32_t             cnt; /* instruments that are written and read */
  md_atomic_u64        bad; /* relaxed: a flag that is looked at behind all readers */
} tick_t;

/* ---- one turn of a batch: ns per message ---- */

typedef enum work { EXTRACT, SORTED, APPLY, PUBLISH } work_t;

/* MD_BENCH_NONE when the thread was preempted. */
static double
batch_ns(tick_t *t, work_t work, md_hist_t *hist) {
  md_bench_source_t *s        = work == PUBLISH ? &t->full : &t->offline;
  double             cycle_ns = md_bench_cycle_ns();
  int64_t            single_ns[MD_BENCH_BATCH_CNT];
  bool               good = true;
  md_bench_source_fill(s, work == PUBLISH ? t->cnt : 1);
  int64_t  switches = md_bench_switches();
  uint64_t begin = md_bench_cycle(), before = begin;
  for (uint32_t i = 0; i < MD_BENCH_BATCH_CNT; i++) {
    const md_input_t *in = &s->batch.input[i];
    if (work >= APPLY) {
      md_bench_source_next(s, i);
    } else {
      good &= md_bench_simdjson_on_demand(t->simdjson, MD_BENCH_DEPTH, in->payload, in->len,
                                          &t->message);
      if (work == SORTED) md_sorted_book_apply(&t->sorted, &t->message);
    }
    uint64_t now = md_bench_cycle();
    single_ns[i] = (int64_t)((double)(now - before) * cycle_ns);
    before       = now;
  }
  if (!good) md_store_relaxed(&t->bad, 1);
  if (md_bench_switches() != switches) return MD_BENCH_NONE;
  for (uint32_t i = 0; hist && i < MD_BENCH_BATCH_CNT; i++)
    md_hist_add(hist, single_ns[i]);
  return (double)(before - begin) * cycle_ns / MD_BENCH_BATCH_CNT;
}

/* Over the batches that were left alone, which must be most of them. */
static double
batches(tick_t *t, work_t work, md_hist_t *hist) {
  double   sum = 0;
  unsigned cnt = 0;
  for (unsigned i = 0; i < BATCH_CNT; i++) {
    double ns = batch_ns(t, work, hist);
    if (ns < 0) continue;
    sum += ns;
    cnt++;
  }
  if (cnt > BATCH_CNT / 2) return sum / cnt;
  md_bench_excuse("most of its batches were preempted");
  return MD_BENCH_NONE;
}

/* The simdjson parsers read what the offline source makes; its own feed sees only what it handles,
 * so its ids go back behind them. */
static double
alone_turn(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  tick_t  *t       = ctx;
  work_t   work    = (work_t)cell->a;
  uint64_t last_id = t->offline.last_id[0];
  (void)hist;
  double ns = batches(t, work, NULL);
  if (work < APPLY) t->offline.last_id[0] = last_id;
  return ns;
}

/* ---- before anything is timed: both programs end in the same book ---- */

static bool
same_side(const md_sorted_side_t *sorted, const md_orderbook_t *book, md_side_t side) {
  md_level_t level;
  uint32_t   cnt = side == MD_SIDE_BUY ? book->bids.cnt : book->asks.cnt;
  for (uint32_t n = 0; n < cnt && n < sorted->cnt; n++)
    if (!md_orderbook_at(book, side, n, &level) || level.px != sorted->level[n].px ||
        level.qty != sorted->level[n].qty)
      return false;
  return cnt == sorted->cnt;
}

static void
load_sorted(md_sorted_side_t *s, const md_orderbook_t *book, md_side_t side) {
  md_level_t level;
  for (s->cnt = 0; md_orderbook_at(book, side, s->cnt, &level); s->cnt++)
    s->level[s->cnt] = (md_bench_level_t){level.px, level.qty};
}

static bool
programs_agree(tick_t *t) {
  const md_orderbook_t *book = &md_feed_instrument_at(t->offline.feed, 0)->book;
  bool                  good = true;
  load_sorted(&t->sorted.bids, book, MD_SIDE_BUY);
  load_sorted(&t->sorted.asks, book, MD_SIDE_SELL);
  for (unsigned i = 0; i < CHECK_CNT; i++) {
    md_bench_source_fill(&t->offline, 1);
    for (uint32_t k = 0; k < MD_BENCH_BATCH_CNT; k++) {
      const md_input_t *in = &t->offline.batch.input[k];
      md_bench_source_next(&t->offline, k);
      good &= md_bench_simdjson_on_demand(t->simdjson, MD_BENCH_DEPTH, in->payload, in->len,
                                          &t->message);
      md_sorted_book_apply(&t->sorted, &t->message);
    }
  }
  return good && same_side(&t->sorted.bids, book, MD_SIDE_BUY) &&
         same_side(&t->sorted.asks, book, MD_SIDE_SELL);
}

/* ---- readers and instruments ---- */

/* A reader never rests: top and ladder of an instrument, then of the next. */
static void
read_on(void *ctx, uint32_t index, const md_atomic_u64 *stop) {
  tick_t          *t      = ctx;
  uint64_t         random = index;
  md_book_top_t    top;
  md_book_ladder_t ladder;
  while (md_load_relaxed(stop) == 0) {
    uint32_t         i   = md_bench_below(&random, t->cnt);
    const md_book_t *b   = md_feed_instrument_at(t->full.feed, i)->shm;
    md_err_t         err = md_book_read_top(b, &top);
    if (err && err != MD_ERR_BUSY) md_store_relaxed(&t->bad, 1);
    err = md_book_read_ladder(b, &ladder);
    if (err && err != MD_ERR_BUSY) md_store_relaxed(&t->bad, 1);
  }
}

/* Batches in front of a turn: three messages for each instrument. What the turn before left in the
 * caches is other instruments. Of many more than WARM_CNT is for, the caches hold few anyhow. */
static void
warm(tick_t *t) {
  const uint32_t cnt = 1 + 3 * t->cnt / MD_BENCH_BATCH_CNT;
  for (uint32_t i = 0; i < cnt && i < WARM_CNT; i++)
    (void)batch_ns(t, PUBLISH, NULL);
}

/* cell->a readers on the other processor, cell->b instruments. */
static double
readers_turn(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  tick_t *t = ctx;
  t->cnt    = cell->b;
  if (cell->a && !md_bench_crowd_start(cell->a, read_on, t)) return MD_BENCH_NONE;
  warm(t);
  double ns = batches(t, PUBLISH, hist);
  if (cell->a == 0) return ns;
  (void)md_bench_crowd_stop();
  if (!md_bench_calm_judge(md_bench_crowd_lost(), MD_BENCH_LOST_MAX_PPM)) return MD_BENCH_NONE;
  return ns;
}

/* cell->a is 1: with readers that stand stopped. Thousands of messages a second. */
static double
stopped_turn(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  tick_t *t = ctx;
  t->cnt    = STOPPED_BOOKS;
  (void)hist;
  if (cell->a && !md_bench_stopped_start(&t->full.world)) return MD_BENCH_NONE;
  for (unsigned i = 0; i < WARM_CNT; i++)
    (void)batch_ns(t, PUBLISH, NULL);
  double ns = batches(t, PUBLISH, NULL);
  if (cell->a) md_bench_stopped_end();
  return ns > 0 ? 1e6 / ns : MD_BENCH_NONE;
}

/* ---- the tables ---- */

#define NONE MD_BENCH_NONE
#define CELL(name, unit, turn, a, b, baseline, against, judge, floor, target)                      \
  { name, unit, turn, a, b, baseline, against, judge, floor, target }
#define GRID(name, readers, instruments, baseline, against, floor, target)                         \
  CELL(name, "ns", readers_turn, readers, instruments, baseline, against, MD_BENCH_COST, floor,    \
       target)
#define FIRST "1 instrument, no reader"

static const md_bench_cell_t alone_cells[] = {
    CELL(NULL, "ns", alone_turn, EXTRACT, 0, NULL, 0, MD_BENCH_COST, NONE, NONE),
    CELL(NULL, "ns", alone_turn, SORTED, 0, NULL, 0, MD_BENCH_COST, NONE, NONE),
    CELL("tick.decode_apply", "ns", alone_turn, APPLY, 0, "simdjson + extract, no book", 0,
         MD_BENCH_SPEED, 2.5, 3.7),
    CELL("tick.decode_apply_publish", "ns", alone_turn, PUBLISH, 0, "simdjson + sorted array", 1,
         MD_BENCH_SPEED, 4, 7)};

static const md_bench_cell_t grid_cells[] = {
    GRID("tick.1", 0, 1, NULL, 0, NONE, NONE),
    GRID("tick.1.readers_1", 1, 1, FIRST, 0, NONE, NONE),
    GRID("tick.1.readers_8", 8, 1, FIRST, 0, NONE, NONE),
    GRID("tick.1.readers_64", 64, 1, FIRST, 0, NONE, NONE),
    GRID("tick.100", 0, 100, FIRST, 0, NONE, NONE),
    GRID("tick.100.readers_1", 1, 100, FIRST, 0, NONE, NONE),
    GRID("tick.100.readers_8", 8, 100, FIRST, 0, NONE, NONE),
    GRID("tick.100.readers_64", 64, 100, FIRST, 0, NONE, NONE),
    GRID("tick.1000", 0, 1000, FIRST, 0, 2, 1.6),
    GRID("tick.10000", 0, INSTRUMENT_CNT, FIRST, 0, 4, 2.7),
    GRID("tick.10000.readers_1", 1, INSTRUMENT_CNT, FIRST, 0, NONE, NONE),
    GRID("tick.10000.readers_8", 8, INSTRUMENT_CNT, FIRST, 0, NONE, NONE),
    GRID("tick.10000.readers_64", 64, INSTRUMENT_CNT, FIRST, 0, NONE, NONE)};

static const md_bench_cell_t stopped_cells[] = {
    CELL(NULL, "k/s", stopped_turn, 0, 0, NULL, 0, MD_BENCH_RATE, NONE, NONE),
    CELL("tick.100.stopped_100", "k/s", stopped_turn, 1, 0, "no reader", 0, MD_BENCH_RATE, 0.95,
         NONE)};

static bool
run_cells(md_bench_t *b, tick_t *t, const md_bench_cell_t *cells, uint32_t cnt, bool is_pair,
          int64_t budget_ns) {
  md_bench_rounds_t *r = md_bench_rounds_run(cells, cnt, t, is_pair, budget_ns);
  if (r == NULL) return false;
  md_bench_rounds_report(b, r);
  if (cells == grid_cells) {
    md_bench_rounds_report_quantile(b, r, "tick.visible.p50", 0, 500000, 1.5, 1.2);
    md_bench_rounds_report_quantile(b, r, "tick.visible.p99", 0, 990000, 4, 2);
  }
  md_bench_rounds_delete(r);
  return md_load_relaxed(&t->bad) == 0 && md_bench_source_check(&t->full);
}

/* One instrument beside other programs, then a hundred beside stopped readers. */
static bool
run_small(md_bench_t *b, tick_t *t, int64_t budget_ns, char *why) {
  bool good = md_bench_source_new(&t->offline, 1, false);
  bool has  = good && md_bench_source_new(&t->full, STOPPED_BOOKS, true);
  if (!has) {
    memcpy(why, good ? t->full.world.why : t->offline.world.why, sizeof t->full.world.why);
    md_bench_rows_without(b, alone_cells, MD_CNT(alone_cells), why);
    md_bench_rows_without(b, stopped_cells, MD_CNT(stopped_cells), why);
  } else {
    t->cnt = 1;
    good   = programs_agree(t) &&
           run_cells(b, t, alone_cells, MD_CNT(alone_cells), false, budget_ns) &&
           run_cells(b, t, stopped_cells, MD_CNT(stopped_cells), false, budget_ns);
    md_bench_source_delete(&t->full);
  }
  md_bench_source_delete(&t->offline);
  return good;
}

/* ---- memory ---- */

/* What is in memory of this process, the segment included. */
static double
resident_kib(void) {
  unsigned long all, resident = 0;
  FILE         *f = fopen("/proc/self/statm", "re");
  if (!f) return 0;
  if (fscanf(f, "%lu %lu", &all, &resident) != 2) resident = 0;
  (void)fclose(f);
  return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1024;
}

static void
report_memory(md_bench_t *b, const char *name, double kib, double floor, double target,
              const char *why) {
  md_bench_result_t *r = md_bench_add(b, name, "KiB");
  r->is_value          = true;
  r->is_cost           = true;
  r->floor             = floor;
  r->target            = target;
  r->note              = why;
  if (why) return;
  r->value = kib / INSTRUMENT_CNT;
  r->min   = r->value;
  r->max   = r->value;
}

static bool
run_thin(md_bench_t *b, tick_t *t, char *why) {
  const double before = resident_kib();
  if (!md_bench_source_thin(&t->full, INSTRUMENT_CNT)) {
    memcpy(why, t->full.world.why, sizeof t->full.world.why);
    report_memory(b, "tick.memory.no_depth", 0, 16, 8, why);
    return true;
  }
  report_memory(b, "tick.memory.no_depth", resident_kib() - before, 16, 8, NULL);
  bool good = md_feed_instrument_cnt(t->full.feed) == INSTRUMENT_CNT &&
              md_feed_instrument_at(t->full.feed, INSTRUMENT_CNT - 1)->state == MD_BOOK_VALID;
  md_bench_source_delete(&t->full);
  return good;
}

bool
md_bench_tick(md_bench_t *b) {
  static tick_t t;
  static char   why[3][sizeof t.full.world.why]; /* live as long as the report */
  int64_t       second_ns = 1000000000, budget_ns = (int64_t)b->seconds * second_ns;
  t.simdjson    = md_bench_simdjson_new();
  bool   good   = t.simdjson != NULL && run_small(b, &t, budget_ns / 4, why[0]);
  double before = resident_kib();
  if (good && md_bench_source_new(&t.full, INSTRUMENT_CNT, true)) {
    report_memory(b, "tick.memory.depth_1000", resident_kib() - before, 200, 160, NULL);
    good = run_cells(b, &t, grid_cells, MD_CNT(grid_cells), true, budget_ns / 2);
    md_bench_source_delete(&t.full);
  } else if (good) {
    memcpy(why[1], t.full.world.why, sizeof why[1]);
    md_bench_rows_without(b, grid_cells, MD_CNT(grid_cells), why[1]);
    report_memory(b, "tick.memory.depth_1000", 0, 200, 160, why[1]);
  }
  good = good && run_thin(b, &t, why[2]);
  md_bench_simdjson_delete(t.simdjson);
  if (!good) fprintf(stderr, "mdengine bench: books are not what the messages say: a defect\n");
  return good;
}
