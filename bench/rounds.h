/* rounds.h - many things measured in the same rounds, forwards and then backwards, and what is
 * reported of them.
 *
 * A cell is one of them. Each round is probe, cell 0 1 2 .. 2 1 0, probe; a cell's value of a round
 * is the mean of its two turns. A turn in which a thread was preempted is done again a few times,
 * else the cell has no value in that round. A round counts only when both probes are near the run's
 * usual one. A cell that has fewer than three values is not measured, and says why; before that
 * happens the rounds go on for three times as long as they should. On two processors turns have
 * real-time priority where it may be had (calm.h), and a pause behind each. */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

#include "bench/bench.h"
#include "shm/hist.h"

#define MD_BENCH_CELL_MAX 40u

/* How a cell stands to its baseline, and what floor and target are bounds of. */
typedef enum md_bench_judge {
  MD_BENCH_COST,    /* value / baseline, at most: how many times the baseline's cost */
  MD_BENCH_SPEED,   /* baseline / value, at least: how many times faster */
  MD_BENCH_RATE,    /* value / baseline, at least: how many times as many */
  MD_BENCH_AT_MOST, /* the value itself */
  MD_BENCH_AT_LEAST
} md_bench_judge_t;

typedef struct md_bench_cell md_bench_cell_t;

struct md_bench_cell {
  const char *name; /* NULL: a baseline only, not reported */
  const char *unit;
  /* One turn: its value, MD_BENCH_NONE when it was disturbed. Single times go into hist. */
  double (*turn)(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist);
  uint32_t         a, b;     /* what the turn needs to know */
  const char      *baseline; /* what cell `against` is called in the report; NULL: none */
  uint32_t         against;
  md_bench_judge_t judge;
  double           floor, target; /* MD_BENCH_NONE: none */
};

typedef struct md_bench_rounds md_bench_rounds_t;

/* md_bench_rounds_run measures the cells for about budget_ns, at least one round behind one that
 * warms up; NULL without memory. is_pair: on two processors, with probes; without a second one
 * there are no rounds. The cells must outlive the result. */
md_bench_rounds_t *md_bench_rounds_run(const md_bench_cell_t *cells, uint32_t cell_cnt, void *ctx,
                                       bool is_pair, int64_t budget_ns);
void               md_bench_rounds_delete(md_bench_rounds_t *r);

/* md_bench_rounds_report adds a row for each cell that has a name. */
void md_bench_rounds_report(md_bench_t *b, const md_bench_rounds_t *r);

/* md_bench_rounds_report_quantile adds a row called name for the part q_ppm (500000 = P50) of the
 * single times of a cell, beside the mean of cell `against` in the same round, as a cost. */
void md_bench_rounds_report_quantile(md_bench_t *b, const md_bench_rounds_t *r, const char *name,
                                     uint32_t cell, uint32_t q_ppm, double floor, double target);

/* md_bench_rows_without adds the rows of cells that could not be measured, and says why. */
void md_bench_rows_without(md_bench_t *b, const md_bench_cell_t *cells, uint32_t cell_cnt,
                           const char *why);

#endif
