/* bench book, publishing: what an update costs its writer while others read, and over how many
 * instruments. */
#include "bench/book.h"
#include "bench/calm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/crowd.h"
#include "bench/rounds.h"

#define INSTRUMENT_CNT 10000u
#define TURN_NS        3000000
#define WARM_NS        300000
#define BLOCK_CNT      64u /* updates between two looks at the clock */

typedef struct publish {
  md_bench_books_t *books;
  const md_book_t **shared; /* for readers: they look at nothing that the writer has */
  uint32_t          cnt;    /* instruments that are written and read */
  md_atomic_u64     bad;    /* relaxed: a flag that is looked at behind all readers */
} publish_t;

/* A reader never rests: top and ladder of an instrument, then of the next. */
static void
read_on(void *ctx, uint32_t index, const md_atomic_u64 *stop) {
  publish_t       *p      = ctx;
  uint64_t         random = index;
  md_book_top_t    top;
  md_book_ladder_t ladder;
  while (md_load_relaxed(stop) == 0) {
    const md_book_t *b   = p->shared[md_bench_below(&random, p->cnt)];
    md_err_t         err = md_book_read_top(b, &top);
    if (err && err != MD_ERR_BUSY) md_store_relaxed(&p->bad, 1);
    err = md_book_read_ladder(b, &ladder);
    if (err && err != MD_ERR_BUSY) md_store_relaxed(&p->bad, 1);
  }
}

static double
write_for(publish_t *p, int64_t ns) {
  int64_t  start_ns = md_bench_now_ns(), now_ns;
  uint64_t cnt      = 0;
  do {
    for (unsigned i = 0; i < BLOCK_CNT; i++)
      md_bench_books_write(p->books, p->cnt);
    cnt += BLOCK_CNT;
    now_ns = md_bench_now_ns();
  } while (now_ns - start_ns < ns);
  return (double)(now_ns - start_ns) / (double)cnt;
}

/* cell->a readers, cell->b instruments. The switches of several readers are their turns on one
 * processor; the writer's count. */
static double
turn(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  publish_t *p = ctx;
  p->cnt       = cell->b;
  (void)hist; /* one update is as short as two looks at a clock */
  if (cell->a && !md_bench_crowd_start(cell->a, read_on, p)) return MD_BENCH_NONE;
  (void)write_for(p, WARM_NS);
  int64_t switches = md_bench_switches();
  double  ns       = write_for(p, TURN_NS);
  switches         = md_bench_switches() - switches;
  if (cell->a) {
    int64_t others = md_bench_crowd_stop();
    if (cell->a == 1) switches += others;
  }
  return md_bench_calm_switched(switches, MD_BENCH_SWITCH_MAX) ? MD_BENCH_NONE : ns;
}

#define NONE MD_BENCH_NONE
#define CELL(name, readers, instruments, baseline, against, floor, target)                         \
  { name, "ns", turn, readers, instruments, baseline, against, MD_BENCH_COST, floor, target }

#define ALONE "the same, no reader"
#define ONE   "the same, 1 reader"
#define FIRST "1 instrument, no reader"

bool
md_bench_book_publish(md_bench_t *b, md_bench_books_t *books, int64_t budget_ns, const char *why) {
  static const md_bench_cell_t cells[] = {
      CELL("book.publish.1", 0, 1, NULL, 0, NONE, NONE),
      CELL("book.publish.1.readers_1", 1, 1, ALONE, 0, 4, 2.5),
      CELL("book.publish.1.readers_8", 8, 1, ONE, 1, NONE, NONE),
      CELL("book.publish.1.readers_64", 64, 1, ONE, 1, 1.2, 1.05),
      CELL("book.publish.100", 0, 100, FIRST, 0, NONE, NONE),
      CELL("book.publish.100.readers_1", 1, 100, ALONE, 4, 4, 2.5),
      CELL("book.publish.100.readers_8", 8, 100, ONE, 5, NONE, NONE),
      CELL("book.publish.100.readers_64", 64, 100, ONE, 5, 1.2, 1.05),
      CELL("book.publish.10000", 0, INSTRUMENT_CNT, FIRST, 0, NONE, NONE),
      CELL("book.publish.10000.readers_1", 1, INSTRUMENT_CNT, ALONE, 8, 4, 2.5),
      CELL("book.publish.10000.readers_8", 8, INSTRUMENT_CNT, ONE, 9, NONE, NONE),
      CELL("book.publish.10000.readers_64", 64, INSTRUMENT_CNT, ONE, 9, 1.2, 1.05)};
  publish_t p = {.books = books};
  if (books == NULL) {
    md_bench_rows_without(b, cells, MD_CNT(cells), why);
    return true;
  }
  p.shared = calloc(books->cnt, sizeof p.shared[0]);
  if (!p.shared) return false;
  for (uint32_t i = 0; i < books->cnt; i++)
    p.shared[i] = books->book[i].shared;
  md_bench_rounds_t *r = md_bench_rounds_run(cells, MD_CNT(cells), &p, true, budget_ns);
  if (r) md_bench_rounds_report(b, r);
  md_bench_rounds_delete(r);
  free(p.shared);
  bool good = md_load_relaxed(&p.bad) == 0; /* joining ordered it */
  for (uint32_t i = 0; i < books->cnt && good; i += 100)
    good = md_bench_books_check(books, i);
  if (!good) fprintf(stderr, "mdengine bench: a reader got what no book can be: a defect\n");
  return good && r != NULL;
}

bool
md_bench_book(md_bench_t *b) {
  static md_bench_books_t books;
  static char             why[sizeof books.world.why]; /* lives as long as the report */
  int64_t                 budget_ns = (int64_t)b->seconds * 500000000;
  bool                    has_many  = md_bench_books_new(&books, INSTRUMENT_CNT);
  memcpy(why, books.world.why, sizeof why);
  bool has_one = has_many || md_bench_books_new(&books, 1);
  bool good    = md_bench_book_reads(b, has_one ? &books : NULL, budget_ns, why) &&
              md_bench_book_publish(b, has_many ? &books : NULL, budget_ns, why);
  if (has_one) md_bench_books_delete(&books);
  return good;
}
