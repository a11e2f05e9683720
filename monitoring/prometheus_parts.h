/* prometheus_parts.h - what the files of the exposition share: heads of families and labels. Only
 * prometheus*.c include it; all on the HTTP server's thread. */
#ifndef MONITORING_PROMETHEUS_PARTS_H
#define MONITORING_PROMETHEUS_PARTS_H

#include "monitoring/prometheus.h"

/* md_prometheus_begin writes HELP and TYPE of a family. OpenMetrics names a counter's family
 * without its "_total". */
void md_prometheus_begin(md_text_t *t, const char *name, const char *type, const char *help);

void md_prometheus_label(md_text_t *t, bool first, const char *key, const char *value);
void md_prometheus_thread_labels(const md_segment_t *s, uint32_t thread, md_text_t *t);

/* md_prometheus_gauge writes a family of one series without labels. */
void md_prometheus_gauge(md_text_t *t, const char *name, const char *help, uint64_t value);

/* md_prometheus_histogram writes the series of one histogram; labels are not empty. */
void md_prometheus_histogram(const char *name, const char *labels, const md_hist_copy_t *h,
                             md_text_t *t);

/* Records by type, and when the last came. */
void md_prometheus_types(const md_health_t *h, md_text_t *t);

/* The process and the machine's clock. */
void md_prometheus_process(md_text_t *t);

/* The HTTP servers' own requests. */
void md_prometheus_http(const md_http_stats_t *const *stats, uint32_t cnt, md_text_t *t);

#endif
