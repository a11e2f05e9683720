#include "bench/rounds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/calm.h"
#include "bench/crowd.h"

#define ROUND_MAX    64u
#define ROUND_MIN    3u  /* fewer values: not measured */
#define TURN_TRY_MAX 20u /* while there is time; then once */
#define MODE_FACTOR  1.3
#define PATIENCE     3 /* times the budget, while cells have too few values */
#define PAUSE_PART   8 /* of a turn with priority, for everybody else */
#define PAUSE_MIN_NS 100000
#define PAUSE_MAX_NS 200000000

typedef struct outcome {
  double         value; /* MD_BENCH_NONE: not in this round */
  md_hist_copy_t hist;
} outcome_t;

/* Turns of a cell that had no value, and the last reason. */
typedef struct failed {
  uint32_t    cnt;
  const char *why;
} failed_t;

struct md_bench_rounds {
  const md_bench_cell_t *cells;
  uint32_t               cell_cnt, round_cnt, run_cnt; /* that count; that were run */
  bool                   is_pair;
  int64_t                end_ns;
  failed_t               failed[MD_BENCH_CELL_MAX];
  double                 probe[ROUND_MAX][2]; /* MD_BENCH_NONE: preempted */
  outcome_t             *outcome;             /* of cell_cnt for each round */
};

static outcome_t *
outcome_at(const md_bench_rounds_t *r, uint32_t round, uint32_t cell) {
  return &r->outcome[(size_t)round * r->cell_cnt + cell];
}

static uint32_t
round_min(void) {
  return md_bench_takes_all() ? 1 : ROUND_MIN;
}

/* ---- running ---- */

static bool
may_try(const md_bench_rounds_t *r, unsigned tried) {
  return tried == 0 || (tried < TURN_TRY_MAX && md_bench_now_ns() < r->end_ns);
}

/* A turn on two processors begins; at its end everybody else gets a part of what it took. */
static int64_t
turn_begin(const md_bench_rounds_t *r) {
  if (r->is_pair) md_bench_rt_take(0);
  return md_bench_now_ns();
}

static void
turn_end(const md_bench_rounds_t *r, int64_t begin_ns) {
  if (!r->is_pair) return;
  md_bench_rt_give(0);
  int64_t ns = (md_bench_now_ns() - begin_ns) / PAUSE_PART;
  ns         = ns < PAUSE_MIN_NS ? PAUSE_MIN_NS : ns > PAUSE_MAX_NS ? PAUSE_MAX_NS : ns;
  const struct timespec rest = {.tv_nsec = ns};
  if (md_bench_rt_has()) (void)nanosleep(&rest, NULL);
}

static double
probe(const md_bench_rounds_t *r) {
  static md_hist_t hist;
  md_hist_copy_t   copy;
  if (!r->is_pair) return MD_BENCH_NONE;
  for (unsigned i = 0; may_try(r, i); i++) {
    int64_t begin_ns = turn_begin(r);
    bool    good     = md_bench_probe(&hist);
    turn_end(r, begin_ns);
    if (!good) continue;
    md_hist_read(&hist, &copy);
    return (double)md_hist_quantile(&copy, 500000);
  }
  return MD_BENCH_NONE;
}

static double
one_turn(md_bench_rounds_t *r, uint32_t cell, void *ctx, md_hist_copy_t *into) {
  static md_hist_t hist;
  md_hist_copy_t   copy;
  for (unsigned i = 0; may_try(r, i); i++) {
    memset(&hist, 0, sizeof hist);
    (void)md_bench_excuse_take();
    int64_t begin_ns = turn_begin(r);
    double  value    = r->cells[cell].turn(ctx, &r->cells[cell], &hist);
    turn_end(r, begin_ns);
    if (value < 0) {
      const char *why = md_bench_excuse_take();
      if (why) r->failed[cell].why = why;
      r->failed[cell].cnt++;
      continue;
    }
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

static double
usual_probe(const md_bench_rounds_t *r) {
  md_bench_series_t probes = {0};
  for (uint32_t i = 0; i < r->round_cnt; i++)
    for (unsigned k = 0; k < 2; k++)
      if (r->probe[i][k] > 0) md_bench_push(&probes, r->probe[i][k]);
  return md_bench_median(&probes);
}

static bool
counts(const md_bench_rounds_t *r, uint32_t round, double usual) {
  return !r->is_pair || md_bench_takes_all() ||
         (near_mode(r->probe[round][0], usual) && near_mode(r->probe[round][1], usual));
}

/* Has every cell as many values as it needs? */
static bool
has_enough(const md_bench_rounds_t *r) {
  double usual = usual_probe(r);
  for (uint32_t cell = 0; cell < r->cell_cnt; cell++) {
    uint32_t cnt = 0;
    for (uint32_t i = 0; i < r->round_cnt; i++)
      cnt += counts(r, i, usual) && outcome_at(r, i, cell)->value >= 0;
    if (cnt < round_min()) return false;
  }
  return true;
}

/* Moves the rounds that count to the front. */
static void
keep_good_rounds(md_bench_rounds_t *r) {
  uint32_t good  = 0;
  double   usual = usual_probe(r);
  for (uint32_t i = 0; i < r->round_cnt; i++) {
    if (!counts(r, i, usual)) continue;
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
  memset(r->failed, 0, sizeof r->failed);
  r->end_ns          = md_bench_now_ns() + budget_ns;
  const int64_t last = r->end_ns + (PATIENCE - 1) * budget_ns;
  do {
    run_round(r, r->round_cnt++, ctx);
    if (md_bench_is_patient() && md_bench_now_ns() >= r->end_ns && !has_enough(r)) r->end_ns = last;
  } while (r->round_cnt < ROUND_MAX && md_bench_may_go_on(r->round_cnt, r->end_ns) &&
           (r->end_ns != last || !has_enough(r)));
  md_bench_pair_unpin();
  r->run_cnt = r->round_cnt;
  keep_good_rounds(r);
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

/* Why a cell has too few values: its own turns, those of its baseline, or the rounds. */
static void
explain(md_bench_result_t *row, const md_bench_rounds_t *r, const md_bench_cell_t *c, uint32_t cell,
        uint32_t cnt) {
  const failed_t *f    = &r->failed[cell];
  const char     *what = "";
  if (f->cnt == 0 && c->baseline) {
    f    = &r->failed[c->against];
    what = " of its baseline";
  }
  const char *why = f->why ? f->why : "they had no figure";
  if (r->is_pair && r->run_cnt == 0) {
    (void)snprintf(row->note_text, sizeof row->note_text, "a second processor is needed");
  } else if (f->cnt == 0) {
    (void)snprintf(row->note_text, sizeof row->note_text,
                   "%u of %u rounds count, %u are needed: processors placed anew in the others",
                   cnt, r->run_cnt, round_min());
  } else {
    (void)snprintf(row->note_text, sizeof row->note_text,
                   "%u of %u rounds count, %u are needed: %u turns%s failed, %.60s", cnt,
                   r->run_cnt, round_min(), f->cnt, what, why);
  }
  row->note = row->note_text;
}

/* The row of values and, with a baseline, their ratios to it. */
static void
fill_row(md_bench_result_t *row, const md_bench_series_t *value, const md_bench_series_t *base,
         md_bench_judge_t how) {
  md_bench_series_t ratio = {0};
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
  if (value.cnt < round_min()) {
    explain(row, r, c, cell, value.cnt);
    return;
  }
  fill_row(row, &value, &base, c->judge);
  md_bench_percentiles(row, &all);
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
  if (value.cnt < round_min()) {
    explain(row, r, &r->cells[cell], cell, value.cnt);
  } else {
    fill_row(row, &value, &base, c.judge);
  }
}

void
md_bench_rows_without(md_bench_t *b, const md_bench_cell_t *cells, uint32_t cell_cnt,
                      const char *why) {
  for (uint32_t i = 0; i < cell_cnt; i++)
    if (cells[i].name) add_row(b, &cells[i])->note = why;
}
