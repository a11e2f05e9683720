/* bench.h - what the measurements behind `mdengine bench` share: results, rounds, clock, machine.
 *
 * A measurement runs a subject and its baseline in the same rounds and reports a ratio, because
 * only ratios carry over from one machine to another. Called by the command line only; one at a
 * time, on the calling thread, which may pin itself and start one peer. bench/README.md says how to
 * read it. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "shm/base.h"
#include "shm/hist.h"

#define MD_BENCH_RESULT_MAX 256u
#define MD_BENCH_ROUND_MAX  256u
#define MD_BENCH_CURVE_CNT  18u
#define MD_BENCH_NONE       (-1.0) /* not applicable: null in JSON, "-" in the table */

/* One line of the report. Names, and notes that do not stand in it, are literals or live as long as
 * the report. */
typedef struct md_bench_result {
  const char *name;
  const char *unit;
  const char *note;                /* NULL, or why it was not measured */
  char        note_text[160];      /* room for it */
  const char *baseline;            /* NULL: none */
  double      value, min, max;     /* median, smallest, largest of the rounds that count */
  double      p50, p99, p999, top; /* ns */
  double      baseline_value;
  double ratio; /* how many times better than the baseline; of a cost: how many times its cost */
  double ratio_min, ratio_max;
  double floor, target;
  bool   is_cost;  /* the ratio must stay at or below floor and target */
  bool   is_value; /* floor and target are bounds of the value, not of the ratio */
  double
      curve[MD_BENCH_CURVE_CNT]; /* ns at md_bench_curve_ppm; the first one NONE: there is none */
} md_bench_result_t;

/* Where the curves of latency have their points: parts of a million. */
extern const uint32_t md_bench_curve_ppm[MD_BENCH_CURVE_CNT];

typedef struct md_bench {
  unsigned          seconds; /* for one measurement, roughly */
  uint32_t          result_cnt;
  md_bench_result_t results[MD_BENCH_RESULT_MAX];
} md_bench_t;

/* One series of rounds. */
typedef struct md_bench_series {
  uint32_t cnt;
  double   v[MD_BENCH_ROUND_MAX];
} md_bench_series_t;

/* md_bench_main is `mdengine bench [NAME...] [OPTION...]`: argv[0] is "bench". Returns the exit
 * code: 0, also when something was not measured; 1 when results are wrong (parsers disagree, a book
 * is not what it must be), memory is short, or something got worse than the report to compare with;
 * 2 for bad usage, also for a report that cannot be read. */
int md_bench_main(int argc, char **argv);

/* Each of these measures for about b->seconds and adds its results. False: the measurement itself
 * is wrong, told on stderr. */
bool md_bench_decode(md_bench_t *b);
bool md_bench_ring(md_bench_t *b);
bool md_bench_book(md_bench_t *b);
bool md_bench_tape(md_bench_t *b);
bool md_bench_tick(md_bench_t *b);
bool md_bench_transport(md_bench_t *b);
bool md_bench_e2e(md_bench_t *b);
bool md_bench_journal(md_bench_t *b);
bool md_bench_replay(md_bench_t *b);
bool md_bench_copy(md_bench_t *b);
bool md_bench_resident(md_bench_t *b);

/* md_bench_add returns a new empty result (everything not applicable), asserted to have room. */
md_bench_result_t *md_bench_add(md_bench_t *b, const char *name, const char *unit);

/* md_bench_push adds a value, ignored when the series is full. */
void md_bench_push(md_bench_series_t *s, double v);

/* md_bench_median sorts a copy; MD_BENCH_NONE when empty. md_bench_spread fills value, min and max.
 */
double md_bench_median(const md_bench_series_t *s);
void   md_bench_spread(md_bench_result_t *r, const md_bench_series_t *s);

/* md_bench_ratio fills ratio, ratio_min and ratio_max; md_bench_percentiles the percentiles and the
 * curve, of a histogram that is not empty. */
void md_bench_ratio(md_bench_result_t *r, const md_bench_series_t *ratio);
void md_bench_percentiles(md_bench_result_t *r, const md_hist_copy_t *h);

/* md_bench_shm_dir is the tmpfs in which measurements make segments of their own. */
const char *md_bench_shm_dir(void);

/* md_bench_may_go_on says whether another round may begin: until end_ns, or until --rounds are
 * done.
 */
bool md_bench_may_go_on(uint32_t done, int64_t end_ns);

/* md_bench_is_patient says whether measurements may take longer than they should when rounds were
 * disturbed or are long: not where the command is to be short, or to do so many rounds. */
bool md_bench_is_patient(void);

/* md_bench_takes_all (--disturbed) says whether turns count however disturbed they were, and one
 * round is enough: whoever asks wants to see that everything works, and no figures. */
bool md_bench_takes_all(void);

/* md_bench_rounds_or returns how many rounds to run where their number is fixed: usual, unless
 * --rounds says otherwise. */
unsigned md_bench_rounds_or(unsigned usual);

int64_t md_bench_now_ns(void);
/* md_bench_switches returns how often the calling thread lost its processor against its will. */
int64_t md_bench_switches(void);

/* md_bench_cycle is the cheapest clock there is; md_bench_cycle_ns the length of a step, measured
 * once per process by the first caller (takes 20 ms). */
uint64_t md_bench_cycle(void);
double   md_bench_cycle_ns(void);

/* md_bench_table_print and md_bench_json_print write the report to stdout. */
void md_bench_table_print(const md_bench_t *b);
void md_bench_json_print(const md_bench_t *b);

/* md_bench_keeps says whether the result keeps a bound: 0 no, 1 yes, -1 not known. */
int md_bench_keeps(const md_bench_result_t *r, double bound);

/* md_bench_is_measurement says whether the command knows a measurement of that name. */
bool md_bench_is_measurement(const char *name, size_t len);

#endif
