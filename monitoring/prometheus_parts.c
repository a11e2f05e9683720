/* prometheus_parts.c - heads of families, labels, records by type, the server's own requests. */
#include "monitoring/prometheus_parts.h"

#include "shm/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void
md_prometheus_begin(md_text_t *t, const char *name, const char *type, const char *help) {
  static const char total[] = "_total";
  size_t            len = strlen(name), suffix = sizeof total - 1;
  if (t->is_openmetrics && strcmp(type, "counter") == 0 && len > suffix &&
      strcmp(name + len - suffix, total) == 0)
    len -= suffix;
  md_text_add(t, "# HELP %.*s %s\n# TYPE %.*s %s\n", (int)len, name, help, (int)len, name, type);
}

const md_family_info_t md_family_info[MD_FAMILY_CNT] = {
#define FAMILY_ROW(ID, kind, title, of, text)                                                      \
  [MD_FAMILY_##ID] = {.type = #kind, .name = (title), .labels = (of), .meaning = (text)},
    MD_FAMILY_TABLE(FAMILY_ROW)
#undef FAMILY_ROW
};

const char *
md_prometheus_family(md_text_t *t, md_family_t id) {
  const md_family_info_t *f = &md_family_info[id];
  md_prometheus_begin(t, f->name, f->type, f->meaning);
  return f->name;
}

void
md_prometheus_label(md_text_t *t, bool first, const char *key, const char *value) {
  md_text_add(t, "%s%s=", first ? "" : ",", key);
  md_text_add_quoted(t, value);
}

void
md_prometheus_value(md_text_t *t, md_family_t id, uint64_t value) {
  md_text_add(t, "%s %" PRIu64 "\n", md_prometheus_family(t, id), value);
}

/* ---- records by type ---- */

static void
add_type(const md_health_t *h, const char *name, uint32_t feed, uint32_t type, md_text_t *t) {
  const md_record_info_t *info = md_record_info(type);
  md_text_add(t, "%s{", name);
  md_prometheus_label(t, true, "feed", h->cfg.segment->feeds[feed].name);
  md_prometheus_label(t, false, "type", info ? info->name : "unknown");
  md_text_add(t, "} ");
}

/* A type that a feed never gave has no series: it may not be wanted. */
void
md_prometheus_types(const md_health_t *h, md_text_t *t) {
  int64_t     now_ns  = md_clock_real_ns(h->cfg.clock);
  const char *records = md_prometheus_family(t, MD_FAMILY_TYPE_RECORDS);
  for (uint32_t f = 0; f < h->cfg.segment->feed_cnt && f < MD_FEED_CNT_MAX; f++)
    for (uint32_t type = 0; type < MD_METRIC_RECORD_CNT; type++) {
      if (h->type[f][type].value == 0) continue;
      add_type(h, records, f, type, t);
      md_text_add(t, "%" PRIu64 "\n", h->type[f][type].value);
    }
  const char *last = md_prometheus_family(t, MD_FAMILY_TYPE_LAST);
  for (uint32_t f = 0; f < h->cfg.segment->feed_cnt && f < MD_FEED_CNT_MAX; f++)
    for (uint32_t type = 0; type < MD_METRIC_RECORD_CNT; type++) {
      int64_t age_ns = md_health_type_age_ns(h, f, type);
      if (age_ns < 0) continue;
      add_type(h, last, f, type, t);
      md_text_add_seconds(t, (uint64_t)(now_ns - age_ns));
      md_text_add(t, "\n");
    }
}

/* ---- the servers' own requests ---- */

/* All servers together where a path is served by two, as "other" is. */
static uint64_t
code_cnt(const md_http_stats_t *const *stats, uint32_t cnt, const char *path, uint32_t code) {
  uint64_t sum = 0;
  for (uint32_t n = 0; n < cnt; n++)
    for (uint32_t i = 0; i < stats[n]->path_cnt; i++)
      if (strcmp(stats[n]->path[i].path, path) == 0)
        sum += md_load_relaxed(&stats[n]->path[i].code_cnt[code]); /* only shown */
  return sum;
}

static void
add_times(const md_http_stats_t *const *stats, uint32_t cnt, const char *path, md_text_t *t) {
  md_hist_copy_t sum = {0}, one;
  char           label[64];
  for (uint32_t n = 0; n < cnt; n++)
    for (uint32_t i = 0; i < stats[n]->path_cnt; i++)
      if (strcmp(stats[n]->path[i].path, path) == 0) {
        md_hist_read(&stats[n]->path[i].time, &one);
        md_hist_merge(&sum, &one);
      }
  (void)snprintf(label, sizeof label, "path=\"%s\"", path);
  if (sum.cnt > 0)
    md_prometheus_histogram(md_family_info[MD_FAMILY_HTTP_TIME].name, label, &sum, t);
}

/* The paths of every server, each once: "other" is the first of all. */
static bool
is_first(uint32_t server, uint32_t path) {
  return path > 0 || server == 0;
}

static void
add_paths(const md_http_stats_t *const *stats, uint32_t cnt, md_text_t *t) {
  const char *requests = md_prometheus_family(t, MD_FAMILY_HTTP_REQUESTS);
  for (uint32_t n = 0; n < cnt; n++)
    for (uint32_t i = 0; i < stats[n]->path_cnt; i++)
      for (uint32_t c = 0; c < MD_HTTP_CODE_CNT && is_first(n, i); c++) {
        uint64_t value = code_cnt(stats, cnt, stats[n]->path[i].path, c);
        if (value > 0 || c == 0)
          md_text_add(t, "%s{path=\"%s\",code=\"%s\"} %" PRIu64 "\n", requests,
                      stats[n]->path[i].path, md_http_code_name(c), value);
      }
  (void)md_prometheus_family(t, MD_FAMILY_HTTP_TIME);
  for (uint32_t n = 0; n < cnt; n++)
    for (uint32_t i = 0; i < stats[n]->path_cnt; i++)
      if (is_first(n, i)) add_times(stats, cnt, stats[n]->path[i].path, t);
}

void
md_prometheus_http(const md_http_stats_t *const *stats, uint32_t cnt, md_text_t *t) {
  uint64_t open_cnt = 0, refused_cnt = 0, overdue_cnt = 0;
  for (uint32_t n = 0; n < cnt; n++) {
    open_cnt += md_load_relaxed(&stats[n]->connection_cnt); /* numbers by themselves */
    refused_cnt += md_load_relaxed(&stats[n]->refused_connection_cnt);
    overdue_cnt += md_load_relaxed(&stats[n]->overdue_connection_cnt);
  }
  add_paths(stats, cnt, t);
  md_prometheus_value(t, MD_FAMILY_HTTP_CONNECTIONS, open_cnt);
  md_prometheus_value(t, MD_FAMILY_HTTP_REFUSED, refused_cnt);
  md_prometheus_value(t, MD_FAMILY_HTTP_OVERDUE, overdue_cnt);
}
