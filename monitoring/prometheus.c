#include "monitoring/prometheus.h"

#include "monitoring/prometheus_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const stage_help[MD_STAGE_CNT] = {
#define STAGE_HELP(ID, name, help) [MD_STAGE_##ID] = (help),
    MD_STAGE_TABLE(STAGE_HELP)
#undef STAGE_HELP
};

/* ---- families ---- */

/* thread, and feed or sink where the thread belongs to one. */
void
md_prometheus_thread_labels(const md_segment_t *s, uint32_t thread, md_text_t *t) {
  const md_thread_row_t *row  = &s->threads[thread];
  const char            *sink = md_health_sink_name(row);
  md_prometheus_label(t, true, "thread", row->name);
  if (row->kind == MD_THREAD_FEED && row->index < s->feed_cnt)
    md_prometheus_label(t, false, "feed", s->feeds[row->index].name);
  if (sink) md_prometheus_label(t, false, "sink", sink);
}

/* A row that can only be 0 in this kind of thread is left out while it is; what does count is
 * shown. */
static bool
counter_belongs(const md_thread_row_t *row, const char *name) {
  bool of_feed =
      strncmp(name, "mdengine_feed_", 14) == 0 || strncmp(name, "mdengine_ring_", 14) == 0;
  bool of_sink =
      strncmp(name, "mdengine_sink_", 14) == 0 || strncmp(name, "mdengine_journal_", 17) == 0;
  if (of_feed) return row->kind == MD_THREAD_FEED;
  if (of_sink) return row->kind == MD_THREAD_WRITER;
  return row->kind == MD_THREAD_FEED || row->kind == MD_THREAD_WRITER;
}

static void
add_counters(const md_segment_t *s, md_text_t *t) {
  for (unsigned c = 0; c < MD_COUNTER_CNT; c++) {
    const md_counter_info_t *info = &md_counter_info[c];
    md_prometheus_begin(t, info->name, info->is_gauge ? "gauge" : "counter", info->help);
    for (uint32_t i = 0; i < s->thread_cnt; i++) {
      uint64_t value = md_load_relaxed(&s->metrics[i].counter[c]);
      if (value == 0 && !counter_belongs(&s->threads[i], info->name)) continue;
      md_text_add(t, "%s{", info->name);
      md_prometheus_thread_labels(s, i, t);
      md_text_add(t, "} %" PRIu64 "\n", value);
    }
  }
}

/* ---- histograms ---- */

uint64_t
md_prometheus_bound_ns(uint32_t i) {
  md_assert(i < MD_PROMETHEUS_BOUND_CNT);
  return ((uint64_t)MD_PROMETHEUS_FIRST_NS << i) - 1;
}

void
md_prometheus_cumulate(const md_hist_copy_t *h, uint64_t out[MD_PROMETHEUS_BOUND_CNT + 1]) {
  uint64_t below  = 0;
  uint32_t bucket = 0;
  for (uint32_t i = 0; i < MD_PROMETHEUS_BOUND_CNT; i++) {
    for (; md_hist_bucket_high(bucket) <= md_prometheus_bound_ns(i); bucket++)
      below += h->bucket[bucket];
    out[i] = below;
  }
  for (; bucket < MD_HIST_BUCKET_CNT; bucket++)
    below += h->bucket[bucket];
  out[MD_PROMETHEUS_BOUND_CNT] = below;
}

void
md_prometheus_histogram(const char *name, const char *labels, const md_hist_copy_t *h,
                        md_text_t *t) {
  uint64_t cumulated[MD_PROMETHEUS_BOUND_CNT + 1];
  md_prometheus_cumulate(h, cumulated);
  for (uint32_t i = 0; i < MD_PROMETHEUS_BOUND_CNT; i++) {
    md_text_add(t, "%s_bucket{%s,le=\"", name, labels);
    md_text_add_seconds(t, md_prometheus_bound_ns(i));
    md_text_add(t, "\"} %" PRIu64 "\n", cumulated[i]);
  }
  md_text_add(t, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n%s_sum{%s} ", name, labels,
              cumulated[MD_PROMETHEUS_BOUND_CNT], name, labels);
  md_text_add_seconds(t, h->sum_ns);
  md_text_add(t, "\n%s_count{%s} %" PRIu64 "\n", name, labels, cumulated[MD_PROMETHEUS_BOUND_CNT]);
}

static void
add_histogram(const md_segment_t *s, uint32_t thread, unsigned stage, const md_hist_copy_t *h,
              md_text_t *t) {
  md_text_t labels = {0};
  md_prometheus_thread_labels(s, thread, &labels);
  if (labels.failed) t->failed = true;
  md_prometheus_histogram(md_stage_name[stage], labels.bytes ? labels.bytes : "", h, t);
  md_text_free(&labels);
}

bool
md_prometheus_stage_belongs(const md_segment_t *s, uint32_t thread, unsigned stage) {
  const md_thread_row_t *row = &s->threads[thread];
  if (stage <= MD_STAGE_VISIBLE || stage == MD_STAGE_SNAPSHOT || stage == MD_STAGE_AHEAD)
    return row->kind == MD_THREAD_FEED;
  const char *sink = md_health_sink_name(row);
  if (!sink) return false;
  if (stage == MD_STAGE_STORED || stage == MD_STAGE_BATCH) return strcmp(sink, "postgres") == 0;
  if (stage == MD_STAGE_DURABLE) return strcmp(sink, "journal") == 0;
  return stage == MD_STAGE_RING_WAIT;
}

static void
add_stages(const md_segment_t *s, md_text_t *t) {
  md_hist_copy_t copy;
  for (unsigned stage = 0; stage < MD_STAGE_CNT; stage++) {
    md_prometheus_begin(t, md_stage_name[stage], "histogram", stage_help[stage]);
    for (uint32_t i = 0; i < s->thread_cnt; i++) {
      md_hist_read(&s->metrics[i].stage[stage], &copy);
      if (copy.cnt || md_prometheus_stage_belongs(s, i, stage))
        add_histogram(s, i, stage, &copy, t);
    }
  }
  const char *name = md_prometheus_family(t, MD_FAMILY_STAGE_NEGATIVE);
  for (uint32_t i = 0; i < s->thread_cnt; i++)
    for (unsigned stage = 0; stage < MD_STAGE_CNT; stage++) {
      uint64_t negative = md_load_relaxed(&s->metrics[i].stage[stage].negative_cnt);
      if (negative == 0 && !md_prometheus_stage_belongs(s, i, stage)) continue;
      md_text_add(t, "%s{", name);
      md_prometheus_thread_labels(s, i, t);
      md_text_add(t, ",stage=\"%s\"} %" PRIu64 "\n", md_stage_name[stage], negative);
    }
}

/* ---- rings ---- */

typedef struct ring_family {
  md_family_t id;
  int64_t (*value)(const md_ring_stat_t *stat);
} ring_family_t;

static int64_t
ring_offered(const md_ring_stat_t *r) {
  return (int64_t)r->offered_cnt;
}

static int64_t
ring_published(const md_ring_stat_t *r) {
  return (int64_t)r->published_cnt;
}

static int64_t
ring_lost(const md_ring_stat_t *r) {
  return (int64_t)r->lost_cnt;
}

static int64_t
ring_consumed(const md_ring_stat_t *r) {
  return (int64_t)r->consumed_cnt;
}

/* What no account explains: 0 unless there is a bug. */
static int64_t
ring_difference(const md_ring_stat_t *r) {
  int64_t producer = (int64_t)(r->offered_cnt - r->published_cnt - r->lost_cnt);
  int64_t excess   = (int64_t)(r->consumed_cnt - r->published_cnt);
  return producer ? producer : excess > 0 ? excess : 0;
}

static int64_t
ring_used(const md_ring_stat_t *r) {
  return (int64_t)r->used_bytes;
}

static int64_t
ring_capacity(const md_ring_stat_t *r) {
  return (int64_t)r->capacity_bytes;
}

static const ring_family_t ring_families[] = {
    {MD_FAMILY_RING_OFFERED, ring_offered},
    {MD_FAMILY_RING_PUBLISHED, ring_published},
    {MD_FAMILY_RING_LOST, ring_lost},
    {MD_FAMILY_RING_CONSUMED, ring_consumed},
    {MD_FAMILY_RING_DIFFERENCE, ring_difference},
    {MD_FAMILY_RING_USED, ring_used},
    {MD_FAMILY_RING_CAPACITY, ring_capacity},
};

static void
add_rings(const md_segment_t *s, md_text_t *t) {
  uint32_t       cnt = s->rings_header ? s->rings_header->ring_cnt : 0;
  md_ring_stat_t stat[MD_RING_CNT_MAX];
  bool           have[MD_RING_CNT_MAX];
  for (uint32_t i = 0; i < cnt && i < MD_RING_CNT_MAX; i++)
    have[i] = md_ring_stat(md_segment_ring(s, i), &stat[i]) == MD_OK;
  for (unsigned f = 0; f < MD_CNT(ring_families); f++) {
    const ring_family_t *family = &ring_families[f];
    const char          *name   = md_prometheus_family(t, family->id);
    for (uint32_t i = 0; i < cnt && i < MD_RING_CNT_MAX; i++) {
      const md_ring_t *ring = md_segment_ring(s, i);
      const char      *dot  = strrchr(ring->name, '.');
      if (!have[i] || ring->feed >= s->feed_cnt) continue;
      md_text_add(t, "%s{", name);
      md_prometheus_label(t, true, "feed", s->feeds[ring->feed].name);
      md_prometheus_label(t, false, "sink", dot ? dot + 1 : ring->name);
      md_text_add(t, "} %" PRId64 "\n", family->value(&stat[i]));
    }
  }
}

/* ---- streams, feeds, threads ---- */

static void
add_position(const md_segment_t *s, md_family_t id, size_t off, bool with_raw, md_text_t *t) {
  const char *name = md_prometheus_family(t, id);
  for (uint32_t i = 0; i < s->stream_cnt; i++) {
    const md_stream_row_t *row  = &s->streams[i];
    const uint8_t         *word = (const uint8_t *)row + off;
    if (row->is_raw && !with_raw) continue;
    md_text_add(t, "%s{", name);
    md_prometheus_label(t, true, "stream", row->name);
    if (row->feed < s->feed_cnt) md_prometheus_label(t, false, "feed", s->feeds[row->feed].name);
    md_text_add(t, "} %" PRIu64 "\n",
                md_load_relaxed((const md_atomic_u64 *)(const void *)word)); /* only shown */
  }
}

static void
add_streams(const md_segment_t *s, md_text_t *t) {
  bool has_database = false;
  for (uint32_t i = 0; i < s->thread_cnt; i++) {
    const char *sink = md_health_sink_name(&s->threads[i]);
    has_database |= sink && strcmp(sink, "postgres") == 0;
  }
  /* The later position first, so that a difference is never negative. */
  if (has_database)
    add_position(s, MD_FAMILY_STORED_SEQ, offsetof(md_stream_row_t, stored_seq), false, t);
  add_position(s, MD_FAMILY_DURABLE_SEQ, offsetof(md_stream_row_t, durable_seq), true, t);
  add_position(s, MD_FAMILY_WRITTEN_SEQ, offsetof(md_stream_row_t, written_seq), true, t);
  add_position(s, MD_FAMILY_PUBLISHED_SEQ, offsetof(md_stream_row_t, published_seq), true, t);
}

static void
add_feed_value(const md_segment_t *s, uint32_t feed, const char *name, md_text_t *t) {
  md_text_add(t, "%s{", name);
  md_prometheus_label(t, true, "feed", s->feeds[feed].name);
  md_text_add(t, "} ");
}

static void
add_books(const md_segment_t *s, md_text_t *t) {
  md_health_books_t books[MD_FEED_CNT_MAX];
  md_health_count_books(s, books);
  const char *name = md_prometheus_family(t, MD_FAMILY_BOOK_STATES);
  for (uint32_t f = 0; f < s->feed_cnt && f < MD_FEED_CNT_MAX; f++)
    for (unsigned state = 0; state < MD_HEALTH_BOOK_STATE_CNT; state++) {
      md_text_add(t, "%s{", name);
      md_prometheus_label(t, true, "feed", s->feeds[f].name);
      md_prometheus_label(t, false, "state", md_book_state_name(state));
      md_text_add(t, "} %" PRIu64 "\n", books[f].cnt[state]);
    }
}

static void
add_feeds(const md_health_t *h, md_text_t *t) {
  const md_segment_t *s      = h->cfg.segment;
  int64_t             now_ns = md_clock_real_ns(h->cfg.clock);
  const char         *name   = md_prometheus_family(t, MD_FAMILY_LAST_DATA);
  for (uint32_t f = 0; f < s->feed_cnt; f++) {
    int64_t age_ns = md_health_data_age_ns(h, f);
    add_feed_value(s, f, name, t);
    md_text_add_seconds(t, age_ns < 0 ? 0 : (uint64_t)(now_ns - age_ns));
    md_text_add(t, "\n");
  }
  name = md_prometheus_family(t, MD_FAMILY_CONNECTED);
  for (uint32_t f = 0; f < s->feed_cnt; f++) {
    add_feed_value(s, f, name, t);
    md_text_add(t, "%d\n", md_load_relaxed(&s->feeds[f].input_state) == MD_INPUT_LIVE);
  }
  add_books(s, t);
  md_prometheus_types(h, t);
}

static void
add_threads(const md_health_t *h, md_text_t *t) {
  const md_segment_t *s    = h->cfg.segment;
  const char         *name = md_prometheus_family(t, MD_FAMILY_HEARTBEAT_AGE);
  for (uint32_t i = 0; i < s->thread_cnt; i++) {
    int64_t age_ns = md_health_heartbeat_age_ns(h, i);
    if (age_ns < 0 || md_load_relaxed(&s->threads[i].state) == MD_THREAD_HALT) continue;
    md_text_add(t, "%s{", name);
    md_prometheus_thread_labels(s, i, t);
    md_text_add(t, "} ");
    md_text_add_seconds(t, (uint64_t)age_ns);
    md_text_add(t, "\n");
  }
  name = md_prometheus_family(t, MD_FAMILY_THREAD_CPU);
  for (uint32_t i = 0; i < s->thread_cnt; i++) {
    md_text_add(t, "%s{", name);
    md_prometheus_thread_labels(s, i, t);
    md_text_add(t, "} ");
    md_text_add_seconds(t, md_load_relaxed(&s->threads[i].cpu_ns));
    md_text_add(t, "\n");
  }
  md_prometheus_value(t, MD_FAMILY_HEALTH_STATUS, (uint64_t)md_health_status(h));
  name = md_prometheus_family(t, MD_FAMILY_HEALTH_CHECK);
  for (unsigned i = 0; i < MD_HEALTH_RULE_CNT; i++) {
    md_health_result_t result;
    md_health_check(h, (md_health_rule_t)i, &result);
    md_text_add(t, "%s{check=\"%s\"} %d\n", name, md_health_info[i].id, result.ok);
  }
}

void
md_prometheus_render(const md_prometheus_source_t *source, md_text_t *t) {
  const md_health_t  *health = source->health;
  const md_segment_t *s      = health->cfg.segment;
  md_text_add(t, "%s{", md_prometheus_family(t, MD_FAMILY_BUILD_INFO));
  md_prometheus_label(t, true, "version", s->header->version);
  md_prometheus_label(t, false, "name", s->header->name);
  md_text_add(t, "} 1\n");
  md_prometheus_value(t, MD_FAMILY_EPOCH, s->header->epoch);
  add_counters(s, t);
  add_stages(s, t);
  if (source->windows) md_prometheus_windows(s, source->windows, t);
  add_rings(s, t);
  add_streams(s, t);
  add_feeds(health, t);
  add_threads(health, t);
  md_prometheus_http(source->http, source->http_cnt, t);
  md_prometheus_process(t);
  if (source->budget) {
    md_prometheus_value(t, MD_FAMILY_BUDGET_MEMORY, source->budget->value[MD_BUDGET_MEMORY]);
    md_prometheus_value(t, MD_FAMILY_BUDGET_FDS, source->budget->value[MD_BUDGET_FDS]);
    md_prometheus_value(t, MD_FAMILY_BUDGET_THREADS, source->budget->value[MD_BUDGET_THREADS]);
  }
  if (t->is_openmetrics) md_text_add(t, "# EOF\n");
}

/* ---- the page about it ---- */

static void
print_row(FILE *out, bool as_markdown, const char *const cell[4]) {
  if (as_markdown)
    (void)fprintf(out, "| `%s` | %s | %s | %s |\n", cell[0], cell[1], cell[2], cell[3]);
  else
    (void)fprintf(out, "%s (%s; %s)\n    %s\n", cell[0], cell[1], cell[2], cell[3]);
}

void
md_prometheus_reference(FILE *out, bool as_markdown) {
  static const char of_thread[] = "thread, feed or sink";
  if (as_markdown) (void)fputs("| metric | type | labels | meaning |\n|---|---|---|---|\n", out);
  for (unsigned i = 0; i < MD_FAMILY_CNT; i++) {
    const md_family_info_t *f       = &md_family_info[i];
    const char *const       cell[4] = {f->name, f->type, f->labels, f->meaning};
    print_row(out, as_markdown, cell);
  }
  for (unsigned i = 0; i < MD_STAGE_CNT; i++) {
    const char *const cell[4] = {md_stage_name[i], "histogram", of_thread, stage_help[i]};
    print_row(out, as_markdown, cell);
  }
  for (unsigned i = 0; i < MD_COUNTER_CNT; i++) {
    const md_counter_info_t *c = &md_counter_info[i];
    const char *const cell[4]  = {c->name, c->is_gauge ? "gauge" : "counter", of_thread, c->help};
    print_row(out, as_markdown, cell);
  }
}
