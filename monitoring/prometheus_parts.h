/* prometheus_parts.h - what the files of the exposition share: heads of families and labels. Only
 * prometheus*.c include it; all on the HTTP server's thread. */
#ifndef MONITORING_PROMETHEUS_PARTS_H
#define MONITORING_PROMETHEUS_PARTS_H

#include "monitoring/prometheus.h"

/* md_prometheus_begin writes HELP and TYPE of a family. OpenMetrics names a counter's family
 * without its "_total". md_prometheus_family does it for a row of family_table.h, and returns its
 * name. */
void        md_prometheus_begin(md_text_t *t, const char *name, const char *type, const char *help);
const char *md_prometheus_family(md_text_t *t, md_family_t id);

void md_prometheus_label(md_text_t *t, bool first, const char *key, const char *value);
void md_prometheus_thread_labels(const md_segment_t *s, uint32_t thread, md_text_t *t);

/* md_prometheus_value writes a family of one series without labels; a counter, too. */
void md_prometheus_value(md_text_t *t, md_family_t id, uint64_t value);

/* md_prometheus_histogram writes the series of one histogram; labels are not empty. */
void md_prometheus_histogram(const char *name, const char *labels, const md_hist_copy_t *h,
                             md_text_t *t);

/* md_prometheus_stage_belongs: threads like this one measure the stage. */
bool md_prometheus_stage_belongs(const md_segment_t *s, uint32_t thread, unsigned stage);

/* Quantiles of the last seconds. */
void md_prometheus_windows(const md_segment_t *s, const md_quantile_windows_t *w, md_text_t *t);

/* Records by type, and when the last came. */
void md_prometheus_types(const md_health_t *h, md_text_t *t);

/* The process and the machine's clock. */
void md_prometheus_process(md_text_t *t);

/* The HTTP servers' own requests. */
void md_prometheus_http(const md_http_stats_t *const *stats, uint32_t cnt, md_text_t *t);

#endif
