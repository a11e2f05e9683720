/* prometheus.h - the text of /metrics, from the tables and rows of the segment.
 *
 * Every counter row (shm/metric_table.h) of every thread, each stage as a classic histogram, and
 * what stands in no counter: ring accounts, stream positions, book states, heartbeats, the process.
 * Labels are bounded by the configuration: thread, feed, sink, ring, stream, state, stage; never a
 * symbol. Only reads; on the HTTP server's thread. */
#ifndef MONITORING_PROMETHEUS_H
#define MONITORING_PROMETHEUS_H

#include "monitoring/family_table.h"
#include "monitoring/health.h"
#include "monitoring/http_guard.h"
#include "monitoring/quantile_window.h"
#include "monitoring/text.h"

#include <stdio.h>

typedef enum md_family {
#define MD_FAMILY_ENUM(ID, type, name, labels, meaning) MD_FAMILY_##ID,
  MD_FAMILY_TABLE(MD_FAMILY_ENUM)
#undef MD_FAMILY_ENUM
      MD_FAMILY_CNT
} md_family_t;

typedef struct md_family_info {
  const char *type, *name, *labels, *meaning;
} md_family_info_t;

extern const md_family_info_t md_family_info[MD_FAMILY_CNT];

/* What the process may have, worked out at its start. */
typedef enum md_budget_kind {
  MD_BUDGET_MEMORY, /* resident bytes */
  MD_BUDGET_FDS,
  MD_BUDGET_THREADS,
  MD_BUDGET_CNT
} md_budget_kind_t;

typedef struct md_budget {
  uint64_t value[MD_BUDGET_CNT];
} md_budget_t;

/* What is exported. */
typedef struct md_prometheus_source {
  const md_health_t            *health; /* observed by its owner, the same thread */
  const md_http_stats_t *const *http;   /* of each HTTP server */
  uint32_t                      http_cnt;
  const md_quantile_windows_t  *windows; /* NULL: none */
  const md_budget_t            *budget;  /* NULL: nobody worked it out */
} md_prometheus_source_t;

/* Bounds of the histograms: 100 ns, doubled up to 13.4 s. A bound is the last nanosecond below it,
 * which ends a bucket of shm/hist.h, so that "le" is exact: 99 ns, 199 ns, 399 ns, ... */
#define MD_PROMETHEUS_BOUND_CNT 28u
#define MD_PROMETHEUS_FIRST_NS  100u

/* md_prometheus_bound_ns returns the largest value that bound i counts. */
uint64_t md_prometheus_bound_ns(uint32_t i);

/* md_prometheus_cumulate fills out with the counts at or below each bound; the last one is +Inf,
 * the sum of all buckets. */
void md_prometheus_cumulate(const md_hist_copy_t *h, uint64_t out[MD_PROMETHEUS_BOUND_CNT + 1]);

/* md_prometheus_render appends the whole exposition, as OpenMetrics when out says so. */
void md_prometheus_render(const md_prometheus_source_t *source, md_text_t *out);

/* md_prometheus_reference prints every family: as the table of METRICS.md, or for a terminal. */
void md_prometheus_reference(FILE *out, bool as_markdown);

#endif
