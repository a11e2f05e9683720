#include "bench/durable.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/calm.h"

#define TURN_NS       100000000 /* 10,000 records, some 500 groups */
#define SHORT_TURN_NS 25000000
#define PROBE_CNT     48u
#define PROBE_BYTES   4096u
#define PROBE_FACTOR  1.5
#define AGREE_FACTOR  1.3 /* P99 of the baseline's first turns beside that of its second ones */
#define ROUND_MAX     64u
#define ROUND_MIN     8u
#define SHORT_MIN     3u
#define PATIENCE      3 /* times the budget, while too few rounds count */
#define SHORT_SECONDS 5u
#define LEFT_OUT      4u /* one turn in so many, the worst of each side */
#define P99           990000u

#define ROW     "journal.durable.p99"
#define ROW_ALL "journal.durable.p99.all"

enum { OWN, OTHER, SIDE_CNT };

/* One round is probe, four turns, probe; [turn] is the first or the second one of a side. */
typedef struct round {
  double         probe_ns[2]; /* the median of each, MD_BENCH_NONE: it failed */
  md_hist_copy_t hist[SIDE_CNT][2];
  bool           is_calm;
} round_t;

typedef struct durable {
  const md_bench_store_t *store;
  md_bench_rig_t         *group;
  int64_t                 turn_ns;
  uint64_t                first;    /* record of the turn */
  int64_t                 begin_ns; /* when it was to come */
  bool                    broken;
  uint32_t                cnt;
  round_t                 round[ROUND_MAX];
} durable_t;

/* ---- the journal ---- */

static int64_t
due_ns(const durable_t *d, uint64_t record) {
  return d->begin_ns + (int64_t)((record - d->first) * (1000000000 / MD_BENCH_APPEND_RATE));
}

/* What a feed would have put by now. It stands in the ring when the sink looks, which it does only
 * between its waits: so no second thread is needed, and none disturbs the disk's own. */
static void
put_due(durable_t *d) {
  int64_t now_ns = md_bench_now_ns();
  while (now_ns >= due_ns(d, d->group->seq + 1))
    if (!md_bench_rig_put(d->group, MD_BENCH_APPEND_BYTES, now_ns)) break;
  md_bench_rig_publish(d->group);
}

static uint64_t
note_durable(const durable_t *d, uint64_t seen, md_hist_t *hist) {
  uint64_t durable = md_bench_rig_durable(d->group);
  int64_t  now_ns  = durable > seen ? md_bench_now_ns() : 0;
  for (uint64_t i = seen + 1; i <= durable; i++)
    md_hist_add(hist, now_ns - due_ns(d, i));
  return durable;
}

static bool
own_turn(durable_t *d, md_hist_t *hist) {
  uint64_t seen = d->group->seq;
  d->first      = seen + 1;
  d->begin_ns   = md_bench_now_ns();
  while (md_bench_now_ns() < d->begin_ns + d->turn_ns) {
    put_due(d);
    if (!md_bench_rig_turn(d->group)) break;
    seen = note_durable(d, seen, hist);
  }
  int64_t end_ns = md_bench_now_ns() + 10000000000;
  while (seen < d->group->seq && md_bench_rig_turn(d->group) && md_bench_now_ns() < end_ns)
    seen = note_durable(d, seen, hist);
  d->broken = seen < d->group->seq || !md_bench_rig_drain(d->group);
  return !d->broken;
}

/* ---- the disk by itself ---- */

static int
compare_ns(const void *a, const void *b) {
  const double *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

/* The median of plain writes with their syncs, one after the other. */
static double
probe(const durable_t *d) {
  double took[PROBE_CNT];
  int    fd   = open(d->store->file, O_RDWR | O_DIRECT | O_CLOEXEC);
  void *block = mmap(NULL, PROBE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  bool  good  = fd >= 0 && block != MAP_FAILED;
  for (uint32_t i = 0; good && i < PROBE_CNT; i++) {
    int64_t begin_ns = md_bench_now_ns();
    good = pwrite(fd, block, PROBE_BYTES, (off_t)i * PROBE_BYTES) == (ssize_t)PROBE_BYTES &&
           fdatasync(fd) == 0;
    took[i] = (double)(md_bench_now_ns() - begin_ns);
  }
  if (block != MAP_FAILED) (void)munmap(block, PROBE_BYTES);
  if (fd >= 0) (void)close(fd);
  if (!good) return MD_BENCH_NONE;
  qsort(took, PROBE_CNT, sizeof took[0], compare_ns);
  return took[PROBE_CNT / 2];
}

/* ---- rounds ---- */

static void
one_turn(durable_t *d, uint32_t side, md_hist_copy_t *into) {
  static md_hist_t hist;
  memset(&hist, 0, sizeof hist);
  if (side == OWN) {
    (void)own_turn(d, &hist);
  } else if (!md_bench_group_commit(d->store, d->turn_ns, &hist)) {
    memset(&hist, 0, sizeof hist);
  }
  md_hist_read(&hist, into);
}

/* A B B A, in the next one B A A B. */
static void
one_round(durable_t *d, round_t *r) {
  const uint32_t  first = d->cnt % 2 ? OTHER : OWN, second = first == OWN ? OTHER : OWN;
  md_bench_calm_t calm;
  md_bench_others_begin(&calm);
  r->probe_ns[0] = probe(d);
  one_turn(d, first, &r->hist[first][0]);
  one_turn(d, second, &r->hist[second][0]);
  one_turn(d, second, &r->hist[second][1]);
  one_turn(d, first, &r->hist[first][1]);
  r->probe_ns[1] = probe(d);
  r->is_calm     = md_bench_others_end(&calm);
}

static double
usual_probe(const durable_t *d) {
  md_bench_series_t probes = {0};
  for (uint32_t i = 0; i < 2 * d->cnt; i++)
    if (d->round[i / 2].probe_ns[i % 2] > 0)
      md_bench_push(&probes, d->round[i / 2].probe_ns[i % 2]);
  return md_bench_median(&probes);
}

static bool
in_mode(const round_t *r, double usual) {
  for (uint32_t i = 0; i < 2; i++)
    if (r->probe_ns[i] <= 0 || r->probe_ns[i] > usual * PROBE_FACTOR ||
        r->probe_ns[i] < usual / PROBE_FACTOR)
      return false;
  return true;
}

static bool
has_figures(const round_t *r) {
  for (uint32_t i = 0; i < SIDE_CNT * 2; i++)
    if (r->hist[i / 2][i % 2].cnt == 0) return false;
  return true;
}

/* Rounds that count; with kept not NULL it gets them. */
static uint32_t
good_rounds(const durable_t *d, const round_t **kept) {
  const double usual = usual_probe(d);
  uint32_t     cnt   = 0;
  for (uint32_t i = 0; i < d->cnt; i++) {
    const round_t *r       = &d->round[i];
    const bool     is_good = md_bench_takes_all() || (r->is_calm && in_mode(r, usual));
    if (!is_good || !has_figures(r)) continue;
    if (kept) kept[cnt] = r;
    cnt++;
  }
  return cnt;
}

/* ---- the report ---- */

static double
p99_us(const md_hist_copy_t *h) {
  return (double)md_hist_quantile(h, P99) / 1e3;
}

static int
compare_turns(const void *a, const void *b) {
  const md_hist_copy_t *const *x = a, *const *y = b;
  const uint64_t               p = md_hist_quantile(*x, P99), q = md_hist_quantile(*y, P99);
  return (p > q) - (p < q);
}

/* P99 of all times of turns but those of the worst ones. */
static double
pooled_us(const md_hist_copy_t **turns, uint32_t cnt, uint32_t left_out) {
  static md_hist_copy_t all;
  memset(&all, 0, sizeof all);
  qsort(turns, cnt, sizeof turns[0], compare_turns);
  for (uint32_t i = 0; i < cnt - left_out; i++)
    md_hist_merge(&all, turns[i]);
  return p99_us(&all);
}

typedef struct figures {
  double p99_us[SIDE_CNT]; /* without the worst turns */
  double all_us[SIDE_CNT]; /* of all turns */
  double half_us[2];       /* of the baseline's first turns, and of its second ones */
} figures_t;

static void
take_figures(const round_t *const *kept, uint32_t cnt, figures_t *out) {
  const md_hist_copy_t *turns[2 * ROUND_MAX];
  for (uint32_t side = 0; side < SIDE_CNT; side++) {
    for (uint32_t i = 0; i < 2 * cnt; i++)
      turns[i] = &kept[i / 2]->hist[side][i % 2];
    out->p99_us[side] = pooled_us(turns, 2 * cnt, 2 * cnt / LEFT_OUT);
    out->all_us[side] = pooled_us(turns, 2 * cnt, 0);
  }
  for (uint32_t half = 0; half < 2; half++) {
    for (uint32_t i = 0; i < cnt; i++)
      turns[i] = &kept[i]->hist[OTHER][half];
    out->half_us[half] = pooled_us(turns, cnt, cnt / LEFT_OUT);
  }
}

static md_bench_result_t *
add_row(md_bench_t *b, const char *name, bool is_judged) {
  md_bench_result_t *row = md_bench_add(b, name, "us");
  row->baseline          = "group commit, P99";
  row->is_cost           = true;
  row->floor             = is_judged ? 2.0 : MD_BENCH_NONE;
  row->target            = is_judged ? 1.2 : MD_BENCH_NONE;
  return row;
}

static void
fill_row(md_bench_result_t *row, const round_t *const *kept, uint32_t cnt,
         const double us[SIDE_CNT]) {
  static md_hist_copy_t all[SIDE_CNT], one;
  md_bench_series_t     value = {0}, ratio = {0};
  memset(all, 0, sizeof all);
  for (uint32_t i = 0; i < cnt; i++) {
    double of_round[SIDE_CNT];
    for (uint32_t side = 0; side < SIDE_CNT; side++) {
      one = kept[i]->hist[side][0];
      md_hist_merge(&one, &kept[i]->hist[side][1]);
      md_hist_merge(&all[side], &one);
      of_round[side] = p99_us(&one);
    }
    md_bench_push(&value, of_round[OWN]);
    md_bench_push(&ratio, of_round[OWN] / of_round[OTHER]);
  }
  md_bench_spread(row, &value);
  md_bench_ratio(row, &ratio);
  md_bench_percentiles(row, &all[OWN]);
  row->value          = us[OWN];
  row->baseline_value = us[OTHER];
  row->ratio          = us[OWN] / us[OTHER];
}

/* False: the baseline disagrees with itself, so nothing can be told of what stands beside it. */
static bool
is_steady(const figures_t *f, char *why, size_t why_bytes) {
  const double more = f->half_us[0] > f->half_us[1] ? f->half_us[0] : f->half_us[1];
  const double less = f->half_us[0] > f->half_us[1] ? f->half_us[1] : f->half_us[0];
  if (more <= less * AGREE_FACTOR || md_bench_takes_all()) return true;
  (void)snprintf(why, why_bytes,
                 "the disk's own P99 is not steady: %.0f us in half of the baseline's turns, %.0f "
                 "in the others",
                 less, more);
  return false;
}

static void
report(md_bench_t *b, const durable_t *d, uint32_t need_cnt) {
  static char        why[160]; /* lives as long as the report */
  const round_t     *kept[ROUND_MAX];
  const uint32_t     cnt = good_rounds(d, kept);
  md_bench_result_t *row = add_row(b, ROW, true), *all = add_row(b, ROW_ALL, false);
  figures_t          f = {0};
  if (cnt > 0) take_figures(kept, cnt, &f);
  if (cnt < need_cnt) {
    (void)snprintf(why, sizeof why,
                   "%u of %u rounds count, %u are needed: in the others plain synced writes took "
                   "another time, or other programs had the processors",
                   cnt, d->cnt, need_cnt);
  } else if (is_steady(&f, why, sizeof why)) {
    fill_row(row, kept, cnt, f.p99_us);
    fill_row(all, kept, cnt, f.all_us);
    return;
  }
  row->note = all->note = why;
}

void
md_bench_durable_without(md_bench_t *b, const char *why) {
  add_row(b, ROW, true)->note      = why;
  add_row(b, ROW_ALL, false)->note = why;
}

bool
md_bench_durable(md_bench_t *b, const md_bench_store_t *s, md_bench_rig_t *group,
                 int64_t budget_ns) {
  const bool     is_short = b->seconds < SHORT_SECONDS;
  const uint32_t need_cnt = md_bench_takes_all() ? 1 : is_short ? SHORT_MIN : ROUND_MIN;
  durable_t     *d        = calloc(1, sizeof *d);
  if (!d) return false;
  d->store               = s;
  d->group               = group;
  d->turn_ns             = is_short ? SHORT_TURN_NS : TURN_NS;
  const int64_t begin_ns = md_bench_now_ns();
  int64_t       end_ns   = begin_ns + budget_ns;
  one_round(d, &d->round[0]); /* warms up, and is overwritten */
  do {
    memset(&d->round[d->cnt], 0, sizeof d->round[0]);
    one_round(d, &d->round[d->cnt]);
    d->cnt++;
    if (md_bench_is_patient() && md_bench_now_ns() >= end_ns && good_rounds(d, NULL) < need_cnt)
      end_ns = begin_ns + PATIENCE * budget_ns;
  } while (!d->broken && !md_bench_interrupted() && d->cnt < ROUND_MAX &&
           md_bench_may_go_on(d->cnt, end_ns));
  const bool good = !d->broken;
  report(b, d, need_cnt);
  free(d);
  return good;
}
