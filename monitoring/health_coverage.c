/* health_coverage.c - the part of /health that probes of the collectors before this engine read:
 * processes, services and coverage. What were processes are threads here. */
#include "monitoring/health.h"
#include "shm/record.h"

#define NS_PER_S       1000000000ll
#define HOUR_NS        (3600 * NS_PER_S)
#define SELDOM_AGE_NS  (8 * HOUR_NS)
#define LIQUIDATION_NS HOUR_NS

static const char *
thread_status(const md_thread_row_t *row) {
  static const char *const names[] = {"starting", "running", "draining", "ended", "failed"};
  uint64_t                 state   = md_load_relaxed(&row->state); /* only shown */
  return state < MD_CNT(names) ? names[state] : "?";
}

static void
add_processes(const md_health_t *h, md_text_t *t) {
  const md_segment_t *s = h->cfg.segment;
  md_text_add(t, "\"processes\":{");
  for (uint32_t f = 0; f < s->feed_cnt; f++) {
    uint32_t thread = s->feeds[f].thread;
    uint64_t bytes  = md_load_relaxed(&s->metrics[thread].counter[MD_COUNTER_MEMORY]);
    uint32_t cpu    = thread < MD_THREAD_CNT_MAX ? h->cpu[thread].permille : 0;
    md_text_add(t, "%s", f ? "," : "");
    md_text_add_quoted(t, s->feeds[f].name);
    md_text_add(t, ":{\"status\":\"%s\",\"cpu_percent\":%u.%u,\"memory_mb\":%llu.%llu,",
                thread_status(&s->threads[thread]), cpu / 10, cpu % 10,
                (unsigned long long)bytes >> 20,
                (unsigned long long)(bytes >> 10) % 1024 * 10 / 1024);
    md_text_add(t, "\"uptime_seconds\":");
    md_text_add_seconds(t, (uint64_t)(h->now_ns - h->started_ns));
    md_text_add(t, "}");
  }
  md_text_add(t, "},");
}

static void
add_services(const md_segment_t *s, md_text_t *t) {
  bool first = true;
  md_text_add(t, "\"services\":{");
  for (uint32_t i = 0; i < s->thread_cnt; i++) {
    const char *name = md_health_sink_name(&s->threads[i]);
    if (!name) continue;
    bool up = md_load_relaxed(&s->metrics[i].counter[MD_COUNTER_SINK_UP]) != 0;
    md_text_add(t, "%s", first ? "" : ",");
    md_text_add_quoted(t, name);
    md_text_add(t, ":{\"status\":\"%s\",\"up\":%s}", thread_status(&s->threads[i]),
                up ? "true" : "false");
    first = false;
  }
  md_text_add(t, "},");
}

/* ---- coverage: by type, by feed ---- */

/* What comes when it must, at no pace, covers nothing. */
static bool
has_pace(uint32_t type) {
  static const uint32_t without = 1u << MD_RECORD_RAW | 1u << MD_RECORD_DEFINITION |
                                  1u << MD_RECORD_BOOK_SNAPSHOT | 1u << MD_RECORD_NBBO |
                                  1u << MD_RECORD_STATUS | 1u << MD_RECORD_GAP |
                                  1u << MD_RECORD_CHECKPOINT | 1u << MD_RECORD_LOSS;
  return (without & 1u << type) == 0;
}

static int64_t
age_limit_ns(const md_health_t *h, uint32_t type) {
  if (type == MD_RECORD_LIQUIDATION) return LIQUIDATION_NS;
  bool often = type == MD_RECORD_BOOK_DELTA || type == MD_RECORD_BBO || type == MD_RECORD_TRADE;
  return often ? h->cfg.data_age_ns : SELDOM_AGE_NS;
}

static void
add_type_of_feed(const md_health_t *h, uint32_t type, uint32_t feed, uint64_t symbol_cnt,
                 md_text_t *t) {
  int64_t age_ns  = md_health_type_age_ns(h, feed, type);
  int64_t last_ns = md_clock_real_ns(h->cfg.clock) - age_ns;
  md_text_add_quoted(t, h->cfg.segment->feeds[feed].name);
  md_text_add(t, ":{\"active_symbols\":%llu,\"last_success_ts\":", (unsigned long long)symbol_cnt);
  md_text_add_seconds(t, (uint64_t)last_ns);
  md_text_add(t, ",\"age_seconds\":");
  md_text_add_seconds(t, (uint64_t)age_ns);
  md_text_add(t, ",\"status\":\"%s\"}", age_ns <= age_limit_ns(h, type) ? "healthy" : "stale");
}

static void
add_coverage(const md_health_t *h, md_text_t *t) {
  const md_segment_t *s = h->cfg.segment;
  md_health_books_t   books[MD_FEED_CNT_MAX];
  bool                first_type = true;
  md_health_count_books(s, books);
  md_text_add(t, "\"coverage\":{");
  for (uint32_t type = 0; type < MD_METRIC_RECORD_CNT; type++) {
    const md_record_info_t *info = md_record_info(type);
    bool                    any  = false;
    for (uint32_t f = 0; info && has_pace(type) && f < s->feed_cnt && f < MD_FEED_CNT_MAX; f++) {
      if (md_health_type_age_ns(h, f, type) < 0) continue;
      uint64_t symbol_cnt = 0;
      for (uint32_t state = 0; state < MD_HEALTH_BOOK_STATE_CNT; state++)
        symbol_cnt += books[f].cnt[state];
      if (any)
        md_text_add(t, ",");
      else
        md_text_add(t, "%s\"%s\":{", first_type ? "" : ",", info->name);
      add_type_of_feed(h, type, f, symbol_cnt, t);
      any        = true;
      first_type = false;
    }
    if (any) md_text_add(t, "}");
  }
  md_text_add(t, "},");
}

void
md_health_coverage_json(const md_health_t *h, md_text_t *t) {
  md_text_add(t, "\"mode\":\"threads\",");
  add_processes(h, t);
  add_services(h->cfg.segment, t);
  add_coverage(h, t);
}
