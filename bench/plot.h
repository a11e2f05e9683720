/* plot.h - the plots of a report, as SVG files that need nothing else.
 *
 * latency_X.svg for each measurement X that has percentiles: latency over the percentile, the axis
 * being 1 / (1 - p) on a logarithmic scale, as HDR histograms are shown. cost_X.svg: what a message
 * costs over the size of a batch, symbols, readers and depth. A plot with nothing to show is not
 * written. Called by the command line only. */
#ifndef BENCH_PLOT_H
#define BENCH_PLOT_H

#include "bench/bench.h"

/* md_bench_plot_begin makes the folder; it may exist. md_bench_plot writes the files. False: told
 * on stderr. */
bool md_bench_plot_begin(const char *dir);
bool md_bench_plot(const md_bench_t *b, const char *dir);

#endif
