/* health.c - what is observed; health_check.c has the rules, health_json.c the body. */
#include "monitoring/health.h"

#include <string.h>

#define CPU_SPAN_NS 1000000000ll

const md_health_info_t md_health_info[MD_HEALTH_RULE_CNT] = {
#define HEALTH_ROW(rule, level, text)                                                              \
  [MD_HEALTH_##rule] = {.id = #rule, .doc = (text), .severity = MD_HEALTH_##level},
    MD_HEALTH_TABLE(HEALTH_ROW)
#undef HEALTH_ROW
};

static void
watch(md_health_watch_t *w, uint64_t value, int64_t now_ns) {
  if (value == w->value) return;
  w->value      = value;
  w->changed_ns = now_ns;
}

static uint64_t
counter(const md_segment_t *s, uint32_t thread, md_counter_t id) {
  return md_load_relaxed(&s->metrics[thread].counter[id]);
}

static void
observe_feeds(md_health_t *h) {
  const md_segment_t *s = h->cfg.segment;
  for (uint32_t f = 0; f < s->feed_cnt && f < MD_FEED_CNT_MAX; f++) {
    const md_feed_row_t *row = &s->feeds[f];
    uint64_t             seq = md_load_relaxed(&s->streams[row->stream_row].published_seq);
    /* A feed whose messages make no record is not silent either. */
    if (row->raw_row < s->stream_cnt)
      seq += md_load_relaxed(&s->streams[row->raw_row].published_seq);
    watch(&h->data[f], seq, h->now_ns);
    watch(&h->gaps[f], counter(s, row->thread, MD_COUNTER_GAPS), h->now_ns);
    for (uint32_t type = 0; type < MD_METRIC_RECORD_CNT; type++)
      watch(&h->type[f][type], md_load_relaxed(&s->metrics[row->thread].record[type]), h->now_ns);
  }
}

static void
observe_streams(md_health_t *h) {
  const md_segment_t *s = h->cfg.segment;
  for (uint32_t i = 0; i < s->stream_cnt && i < MD_STREAM_CNT_MAX; i++) {
    uint64_t published = md_load_relaxed(&s->streams[i].published_seq);
    uint64_t durable   = md_load_relaxed(&s->streams[i].durable_seq); /* relaxed: only compared */
    watch(&h->durable[i], durable, h->now_ns);
    if (durable >= published) h->durable[i].changed_ns = h->now_ns;
  }
}

static void
observe_rings(md_health_t *h) {
  const md_segment_t *s = h->cfg.segment;
  if (!s->rings_header) return;
  for (uint32_t i = 0; i < s->rings_header->ring_cnt && i < MD_RING_CNT_MAX; i++) {
    md_ring_stat_t stat;
    if (md_ring_stat(md_segment_ring(s, i), &stat) == MD_OK)
      watch(&h->lost[i], stat.lost_cnt, h->now_ns);
  }
}

static void
observe_cpu(md_health_cpu_t *c, uint64_t cpu_ns, int64_t now_ns) {
  int64_t passed_ns = now_ns - c->at_ns;
  if (c->at_ns != 0 && passed_ns < CPU_SPAN_NS) return;
  if (c->at_ns != 0 && cpu_ns >= c->cpu_ns)
    c->permille = (uint32_t)((cpu_ns - c->cpu_ns) * 1000 / (uint64_t)passed_ns);
  c->cpu_ns = cpu_ns;
  c->at_ns  = now_ns;
}

void
md_health_observe(md_health_t *h) {
  const md_segment_t *s = h->cfg.segment;
  h->now_ns             = md_clock_mono_ns(h->cfg.clock);
  observe_feeds(h);
  observe_streams(h);
  observe_rings(h);
  for (uint32_t t = 0; t < s->thread_cnt && t < MD_THREAD_CNT_MAX; t++) {
    observe_cpu(&h->cpu[t], md_load_relaxed(&s->threads[t].cpu_ns), h->now_ns);
    watch(&h->errors[t], counter(s, t, MD_COUNTER_SINK_ERRORS), h->now_ns);
  }
}

void
md_health_init(md_health_t *h, const md_health_config_t *cfg) {
  memset(h, 0, sizeof *h);
  h->cfg        = *cfg;
  h->started_ns = md_clock_mono_ns(cfg->clock);
  md_health_observe(h);
}

int64_t
md_health_data_age_ns(const md_health_t *h, uint32_t feed) {
  const md_health_watch_t *w = &h->data[feed];
  return w->changed_ns ? h->now_ns - w->changed_ns : -1;
}

int64_t
md_health_type_age_ns(const md_health_t *h, uint32_t feed, uint32_t type) {
  const md_health_watch_t *w = &h->type[feed][type];
  return w->changed_ns ? h->now_ns - w->changed_ns : -1;
}

int64_t
md_health_heartbeat_age_ns(const md_health_t *h, uint32_t thread) {
  const md_thread_row_t *row  = &h->cfg.segment->threads[thread];
  int64_t                beat = (int64_t)md_load_relaxed(&row->heartbeat_mono_ns);
  if (beat == 0) return -1;
  return h->now_ns > beat ? h->now_ns - beat : 0; /* it may beat after now was read */
}

const char *
md_health_sink_name(const md_thread_row_t *row) {
  if (row->kind != MD_THREAD_WRITER) return NULL;
  const char *colon = strchr(row->name, ':');
  return colon ? colon + 1 : row->name;
}

void
md_health_count_books(const md_segment_t *s, md_health_books_t out[MD_FEED_CNT_MAX]) {
  uint64_t row_cnt = md_load_relaxed(&s->instruments->row_cnt); /* rows say themselves if ready */
  memset(out, 0, sizeof *out * MD_FEED_CNT_MAX);
  for (uint32_t i = 0; i < row_cnt && i < s->instrument_capacity; i++) {
    md_instrument_row_t row;
    md_book_bbo_t       bbo;
    const md_book_t    *book = md_instrument_book(s, i);
    if (!book || md_instrument_read(s, i, &row) || row.feed >= MD_FEED_CNT_MAX) continue;
    if (md_book_read_bbo(book, &bbo) || bbo.state >= MD_HEALTH_BOOK_STATE_CNT) continue;
    out[row.feed].cnt[bbo.state]++;
  }
}
