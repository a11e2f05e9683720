/* prometheus.h - the text of /metrics, from the tables and rows of the segment.
 *
 * Every counter row (shm/metric_table.h) of every thread, each stage as a classic histogram, and
 * what stands in no counter: ring accounts, stream positions, book states, heartbeats, the process.
 * Labels are bounded by the configuration: thread, feed, sink, ring, stream, state, stage; never a
 * symbol. Only reads; on the HTTP server's thread. */
#ifndef MONITORING_PROMETHEUS_H
#define MONITORING_PROMETHEUS_H

#include "monitoring/health.h"
#include "monitoring/http_guard.h"
#include "monitoring/text.h"

/* Bounds of the histograms: 100 ns, doubled up to 13.4 s. A bound is the last nanosecond below it,
 * which ends a bucket of shm/hist.h, so that "le" is exact: 99 ns, 199 ns, 399 ns, ... */
#define MD_PROMETHEUS_BOUND_CNT 28u
#define MD_PROMETHEUS_FIRST_NS  100u

/* md_prometheus_bound_ns returns the largest value that bound i counts. */
uint64_t md_prometheus_bound_ns(uint32_t i);

/* md_prometheus_cumulate fills out with the counts at or below each bound; the last one is +Inf,
 * the sum of all buckets. */
void md_prometheus_cumulate(const md_hist_copy_t *h, uint64_t out[MD_PROMETHEUS_BOUND_CNT + 1]);

/* md_prometheus_render appends the whole exposition, as OpenMetrics when out says so. health is
 * observed by its owner, the same thread; http: the counts of
 * each HTTP server. */
void md_prometheus_render(const md_health_t *health, const md_http_stats_t *const *http,
                          uint32_t http_cnt, md_text_t *out);

#endif
