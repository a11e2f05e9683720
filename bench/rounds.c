#include "bench/rounds.h"

#include <stdlib.h>
#include <string.h>

#include "bench/crowd.h"

#define ROUND_MAX    64u
#define ROUND_MIN    3u  /* fewer values: not measured */
#define TURN_TRY_MAX 20u /* while there is time; then once */
#define MODE_FACTOR  1.3

typedef struct outcome {
  double         value; /* MD_BENCH_NONE: not in this round */
  md_hist_copy_t hist;
} outcome_t;

struct md_bench_rounds {
  const md_bench_cell_t *cells;
  uint32_t               cell_cnt, round_cnt;
  bool                   is_pair;
  int64_t                end_ns;
  double                 probe[ROUND_MAX][2]; /* MD_BENCH_NONE: preempted */
  outcome_t             *outcome;             /* of cell_cnt for each round */
};

static const char few_rounds[] = "threads preempted or placed anew in nearly every round";

static outcome_t *
outcome_at(const md_bench_rounds_t *r, uint32_t round, uint32_t cell) {
  return &r->outcome[(size_t)round * r->cell_cnt + cell];
}

/* ---- running ---- */

static bool
may_try(const md_bench_rounds_t *r, unsigned tried) {
  return tried == 0 || (tried < TURN_TRY_MAX && md_bench_now_ns() < r->end_ns);
}

static double
probe(const md_bench_rounds_t *r) {
  static md_hist_t hist;
  md_hist_copy_t   copy;
  if (!r->is_pair) return MD_BENCH_NONE;
  for (unsigned i = 0; may_try(r, i); i++) {
    if (!md_bench_probe(&hist)) continue;
    md_hist_read(&hist, &copy);
    return (double)md_hist_quantile(&copy, 500000);
  }
  return MD_BENCH_NONE;
}

static double
one_turn(const md_bench_rounds_t *r, uint32_t cell, void *ctx, md_hist_copy_t *into) {
  static md_hist_t hist;
  md_hist_copy_t   copy;
  for (unsigned i = 0; may_try(r, i); i++) {
    memset(&hist, 0, sizeof hist);
    double value = r->cells[cell].turn(ctx, &r->cells[cell], &hist);
    if (value < 0) continue;
    md_hist_read(&hist, &copy);
    md_hist_merge(into, &copy);
    return value;
  }
  return MD_BENCH_NONE;
}

static void
run_round(md_bench_rounds_t *r, uint32_t round, void *ctx) {
  for (uint32_t i = 0; i < r->cell_cnt; i++)
    memset(outcome_at(r, round, i), 0, sizeof(outcome_t));
  r->probe[round][0] = probe(r);
  for (uint32_t i = 0; i < 2 * r->cell_cnt; i++) {
    uint32_t   cell = i < r->cell_cnt ? i : 2 * r->cell_cnt - 1 - i;
    outcome_t *o    = outcome_at(r, round, cell);
    if (o->value < 0) continue;
    double value = one_turn(r, cell, ctx, &o->hist);
    o->value     = value < 0 ? MD_BENCH_NONE : o->value + value / 2;
  }
  r->probe[round][1] = probe(r);
}

static bool
near_mode(double probe_ns, double usual) {
  return probe_ns > 0 && probe_ns <= usual * MODE_FACTOR && probe_ns >= usual / MODE_FACTOR;
}

/* Moves the rounds that count to the front. */
static void
keep_good_rounds(md_bench_rounds_t *r) {
  md_bench_series_t probes = {0};
  uint32_t          good   = 0;
  for (uint32_t i = 0; i < r->round_cnt; i++)
    for (unsigned k = 0; k < 2; k++)
      if (r->probe[i][k] > 0) md_bench_push(&probes, r->probe[i][k]);
  double usual = md_bench_median(&probes);
  for (uint32_t i = 0; i < r->round_cnt; i++) {
    if (!near_mode(r->probe[i][0], usual) || !near_mode(r->probe[i][1], usual)) continue;
    if (good != i)
      memcpy(outcome_at(r, good, 0), outcome_at(r, i, 0), r->cell_cnt * sizeof(outcome_t));
    good++;
  }
  r->round_cnt = good;
}

md_bench_rounds_t *
md_bench_rounds_run(const md_bench_cell_t *cells, uint32_t cell_cnt, void *ctx, bool is_pair,
                    int64_t budget_ns) {
  md_assert(cell_cnt <= MD_BENCH_CELL_MAX);
  md_bench_rounds_t *r = calloc(1, sizeof *r);
  if (r == NULL) return NULL;
  r->outcome = calloc((size_t)ROUND_MAX * cell_cnt, sizeof r->outcome[0]);
  if (r->outcome == NULL) {
    free(r);
    return NULL;
  }
  r->cells    = cells;
  r->cell_cnt = cell_cnt;
  r->is_pair  = is_pair;
  if (!md_bench_pair_pin() && is_pair) return r;
  run_round(r, 0, ctx); /* warms up, and is overwritten */
  r->end_ns = md_bench_now_ns() + budget_ns;
  do {
    run_round(r, r->round_cnt++, ctx);
  } while (r->round_cnt < ROUND_MAX && md_bench_may_go_on(r->round_cnt, r->end_ns));
  md_bench_pair_unpin();
  if (is_pair) keep_good_rounds(r);
  return r;
}

void
md_bench_rounds_delete(md_bench_rounds_t *r) {
  if (r) free(r->outcome);
  free(r);
}

/* ---- reporting ---- */

static void
judge(md_bench_result_t *r, md_bench_judge_t how) {
  r->is_cost  = how == MD_BENCH_COST || how == MD_BENCH_AT_MOST;
  r->is_value = how == MD_BENCH_AT_MOST || how == MD_BENCH_AT_LEAST;
}

static md_bench_result_t *
add_row(md_bench_t *b, const md_bench_cell_t *c) {
  md_bench_result_t *row = md_bench_add(b, c->name, c->unit);
  judge(row, c->judge);
  row->baseline = c->baseline;
  row->floor    = c->floor;
  row->target   = c->target;
  return row;
}

/* The row of values and, with a baseline, their ratios to it. */
static void
fill_row(md_bench_result_t *row, const md_bench_series_t *value, const md_bench_series_t *base,
         md_bench_judge_t how) {
  md_bench_series_t ratio = {0};
  if (value->cnt < ROUND_MIN) {
    row->note = few_rounds;
    return;
  }
  md_bench_spread(row, value);
  for (uint32_t i = 0; i < base->cnt; i++)
    md_bench_push(&ratio,
                  how == MD_BENCH_SPEED ? base->v[i] / value->v[i] : value->v[i] / base->v[i]);
  row->baseline_value = md_bench_median(base);
  md_bench_ratio(row, &ratio);
}

static void
report_cell(md_bench_t *b, const md_bench_rounds_t *r, uint32_t cell) {
  static md_hist_copy_t  all;
  const md_bench_cell_t *c     = &r->cells[cell];
  md_bench_result_t     *row   = add_row(b, c);
  md_bench_series_t      value = {0}, base = {0};
  memset(&all, 0, sizeof all);
  for (uint32_t i = 0; i < r->round_cnt; i++) {
    const outcome_t *o       = outcome_at(r, i, cell);
    const outcome_t *against = outcome_at(r, i, c->against);
    if (o->value < 0 || (c->baseline && against->value <= 0)) continue;
    md_bench_push(&value, o->value);
    if (c->baseline) md_bench_push(&base, against->value);
    md_hist_merge(&all, &o->hist);
  }
  fill_row(row, &value, &base, c->judge);
  if (row->note == NULL) md_bench_percentiles(row, &all);
}

void
md_bench_rounds_report(md_bench_t *b, const md_bench_rounds_t *r) {
  for (uint32_t i = 0; i < r->cell_cnt; i++)
    if (r->cells[i].name) report_cell(b, r, i);
}

void
md_bench_rounds_report_quantile(md_bench_t *b, const md_bench_rounds_t *r, const char *name,
                                uint32_t cell, uint32_t q_ppm, double floor, double target) {
  const md_bench_cell_t c     = {.name     = name,
                                 .unit     = "ns",
                                 .baseline = "its mean cost of a message",
                                 .judge    = MD_BENCH_COST,
                                 .floor    = floor,
                                 .target   = target};
  md_bench_result_t    *row   = add_row(b, &c);
  md_bench_series_t     value = {0}, base = {0};
  for (uint32_t i = 0; i < r->round_cnt; i++) {
    const outcome_t *o = outcome_at(r, i, cell);
    if (o->value <= 0 || o->hist.cnt == 0) continue;
    md_bench_push(&value, (double)md_hist_quantile(&o->hist, q_ppm));
    md_bench_push(&base, o->value);
  }
  fill_row(row, &value, &base, c.judge);
}

void
md_bench_rows_without(md_bench_t *b, const md_bench_cell_t *cells, uint32_t cell_cnt,
                      const char *why) {
  for (uint32_t i = 0; i < cell_cnt; i++)
    if (cells[i].name) add_row(b, &cells[i])->note = why;
}
