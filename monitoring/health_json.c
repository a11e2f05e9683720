/* health_json.c - the body of /health. */
#include "monitoring/health.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000ll

static uint64_t
counter(const md_health_t *h, uint32_t thread, md_counter_t id) {
  return md_load_relaxed(&h->cfg.segment->metrics[thread].counter[id]);
}

static void
add_age(md_text_t *t, const char *key, int64_t age_ns) {
  md_text_add(t, "\"%s\":", key);
  if (age_ns < 0)
    md_text_add(t, "null");
  else
    md_text_add_seconds(t, (uint64_t)age_ns);
}

static void
add_timestamp(const md_health_t *h, md_text_t *t) {
  int64_t   now_ns  = md_clock_real_ns(h->cfg.clock);
  time_t    seconds = (time_t)(now_ns / NS_PER_S);
  struct tm utc;
  char      text[32];
  if (!gmtime_r(&seconds, &utc) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc))
    text[0] = 0;
  md_text_add(t, "\"timestamp\":\"%s.%03dZ\",", text, (int)(now_ns % NS_PER_S / 1000000));
}

static const char *
input_name(uint64_t state) {
  static const char *const names[] = {"none", "connecting", "live", "ended", "failed"};
  return state < MD_CNT(names) ? names[state] : "?";
}

static const char *
thread_state_name(uint64_t state) {
  static const char *const names[] = {"starting", "running", "draining", "ended", "failed"};
  return state < MD_CNT(names) ? names[state] : "?";
}

static void
add_feeds(const md_health_t *h, md_text_t *t) {
  const md_segment_t *s = h->cfg.segment;
  md_text_add(t, "\"feeds\":[");
  for (uint32_t f = 0; f < s->feed_cnt; f++) {
    const md_feed_row_t *row = &s->feeds[f];
    md_text_add(t, "%s{\"name\":", f ? "," : "");
    md_text_add_quoted(t, row->name);
    md_text_add(t, ",\"state\":\"%s\",", input_name(md_load_relaxed(&row->input_state)));
    add_age(t, "last_data_age_seconds", md_health_data_age_ns(h, f));
    md_text_add(t, ",\"books_valid\":%llu,\"books_known\":%llu,\"gaps\":%llu,\"reconnects\":%llu",
                (unsigned long long)counter(h, row->thread, MD_COUNTER_BOOKS_VALID),
                (unsigned long long)counter(h, row->thread, MD_COUNTER_BOOKS_KNOWN),
                (unsigned long long)counter(h, row->thread, MD_COUNTER_GAPS),
                (unsigned long long)counter(h, row->thread, MD_COUNTER_RECONNECTS));
    md_text_add(t, ",\"records\":%llu}",
                (unsigned long long)counter(h, row->thread, MD_COUNTER_RECORDS));
  }
  md_text_add(t, "],");
}

/* How far one sink is with each stream; the database takes no RAW stream. */
static void
add_positions(const md_segment_t *s, bool is_journal, md_text_t *t) {
  bool first = true;
  md_text_add(t, "\"positions\":[");
  for (uint32_t i = 0; i < s->stream_cnt; i++) {
    const md_stream_row_t *row = &s->streams[i];
    if (!is_journal && row->is_raw) continue;
    /* Done first: what is published is then at least that. */
    uint64_t done      = is_journal ? md_load_relaxed(&row->durable_seq) /* relaxed: only shown */
                                    : md_load_relaxed(&row->stored_seq);
    uint64_t published = md_load_relaxed(&row->published_seq);
    md_text_add(t, "%s{\"stream\":", first ? "" : ",");
    md_text_add_quoted(t, row->name);
    md_text_add(t, ",\"published\":%llu,\"%s\":%llu,\"lag\":%llu}", (unsigned long long)published,
                is_journal ? "durable" : "stored", (unsigned long long)done,
                (unsigned long long)(published > done ? published - done : 0));
    first = false;
  }
  md_text_add(t, "]");
}

static void
add_sinks(const md_health_t *h, md_text_t *t) {
  const md_segment_t *s     = h->cfg.segment;
  bool                first = true;
  md_text_add(t, "\"sinks\":[");
  for (uint32_t i = 0; i < s->thread_cnt; i++) {
    const md_thread_row_t *row  = &s->threads[i];
    const char            *name = md_health_sink_name(row);
    if (!name) continue;
    md_text_add(t, "%s{\"name\":", first ? "" : ",");
    md_text_add_quoted(t, name);
    md_text_add(t, ",\"state\":\"%s\",", thread_state_name(md_load_relaxed(&row->state)));
    add_age(t, "heartbeat_age_seconds", md_health_heartbeat_age_ns(h, i));
    md_text_add(t, ",\"lag_records\":%llu,\"errors\":%llu,\"catching_up\":%s,",
                (unsigned long long)counter(h, i, MD_COUNTER_SINK_LAG),
                (unsigned long long)counter(h, i, MD_COUNTER_SINK_ERRORS),
                counter(h, i, MD_COUNTER_SINK_CATCHUP) ? "true" : "false");
    add_positions(s, strcmp(name, "journal") == 0, t);
    md_text_add(t, "}");
    first = false;
  }
  md_text_add(t, "],");
}

static void
add_checks(const md_health_t *h, md_text_t *t) {
  md_text_add(t, "\"checks\":[");
  for (unsigned i = 0; i < MD_HEALTH_RULE_CNT; i++) {
    const md_health_info_t *info     = &md_health_info[i];
    bool                    critical = info->severity == MD_HEALTH_critical;
    md_health_result_t      result;
    md_health_check(h, (md_health_rule_t)i, &result);
    md_text_add(t, "%s{\"name\":\"%s\",\"severity\":\"%s\",\"status\":\"%s\",\"detail\":",
                i ? "," : "", info->id, critical ? "critical" : "warning",
                result.ok  ? "pass"
                : critical ? "fail"
                           : "warn");
    md_text_add_quoted(t, result.detail);
    md_text_add(t, "}");
  }
  md_text_add(t, "]");
}

void
md_health_json(const md_health_t *h, md_text_t *t) {
  static const char *const names[] = {"healthy", "degraded", "unhealthy"};
  const md_segment_t      *s       = h->cfg.segment;
  int64_t                  up_ns   = h->now_ns - h->started_ns;
  md_text_add(t, "{\"status\":\"%s\",", names[md_health_status(h)]);
  add_timestamp(h, t);
  md_text_add(t, "\"version\":");
  md_text_add_quoted(t, s->header->version);
  md_text_add(t, ",\"name\":");
  md_text_add_quoted(t, s->header->name);
  md_text_add(t, ",\"epoch\":%u,\"uptime_seconds\":", s->header->epoch);
  md_text_add_seconds(t, (uint64_t)up_ns);
  md_text_add(t, ",\"grace\":%s,\"ready\":%s,\"live\":%s,",
              up_ns < h->cfg.grace_ns ? "true" : "false", md_health_ready(h) ? "true" : "false",
              md_health_live(h) ? "true" : "false");
  md_health_coverage_json(h, t);
  add_feeds(h, t);
  add_sinks(h, t);
  add_checks(h, t);
  md_text_add(t, "}\n");
}
