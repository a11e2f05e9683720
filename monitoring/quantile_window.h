/* quantile_window.h - what the stages measured in the last seconds, for /metrics.
 *
 * The histograms of a segment count since the engine's start, and what Prometheus computes from
 * their few bounds is right within a factor of 2. Here every two seconds what was added meanwhile
 * is kept, for a minute, in the buckets as they are (1/16). Two megabytes for seven feeds; one
 * thread, that of the HTTP server of /metrics; only reads the segment. */
#ifndef MONITORING_QUANTILE_WINDOW_H
#define MONITORING_QUANTILE_WINDOW_H

#include "shm/clock.h"
#include "shm/segment.h"

#define MD_QUANTILE_STEP_NS  2000000000ll
#define MD_QUANTILE_STEP_CNT 30u

typedef struct md_quantile_windows md_quantile_windows_t;

/* md_quantile_windows_new begins with what is counted now, for each thread and stage of it; NULL
 * without memory. */
md_quantile_windows_t *md_quantile_windows_new(const md_segment_t *segment,
                                               const md_clock_t   *clock);
void                   md_quantile_windows_free(md_quantile_windows_t *w);

/* md_quantile_windows_tick ends a step when one is over. Called once a second or so. */
void md_quantile_windows_tick(md_quantile_windows_t *w);

/* md_quantile_windows_sum fills out with what stage of thread measured in the steps that are over
 * and together no longer than length_ns; nothing counted where nothing was. */
void md_quantile_windows_sum(const md_quantile_windows_t *w, uint32_t thread, md_stage_t stage,
                             int64_t length_ns, md_hist_copy_t *out);

/* md_quantile_signed returns the quantile of values of which those below zero stand with their
 * size in below, those from zero on in above; cnt: how many there are, 0: the quantile is 0. */
int64_t md_quantile_signed(const md_hist_copy_t *below, const md_hist_copy_t *above, uint32_t q_ppm,
                           uint64_t *cnt);

#endif
