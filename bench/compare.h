/* compare.h - a report of an earlier run beside this one: what got worse, beyond noise.
 *
 * Noise is what the rounds of both runs show: a result got worse when its median is out of the
 * range of the old rounds, the old median out of the range of the new ones, and 5 % lie between
 * them. Ratios to a baseline are compared where there are any, since only they travel. Called by
 * the command line. */
#ifndef BENCH_COMPARE_H
#define BENCH_COMPARE_H

#include "bench/bench.h"

typedef enum md_bench_comparison {
  MD_BENCH_SAME,   /* nothing got worse */
  MD_BENCH_WORSE,  /* something did, named on stderr */
  MD_BENCH_UNKNOWN /* the old report has results that this program does not know */
} md_bench_comparison_t;

/* md_bench_report_read reads what --json once printed; false: it cannot be read, is no such report,
 * or holds results of a measurement that there is not, told on stderr. What it holds lives as long
 * as the process. */
bool md_bench_report_read(md_bench_t *old, const char *file);

/* md_bench_compare names on stderr what got worse and what got better. Results of measurements that
 * did not run now are left out. */
md_bench_comparison_t md_bench_compare(const md_bench_t *b, const md_bench_t *old,
                                       const char *file);

#endif
