#include "monitoring/board_history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 96u
#define NOTHING    UINT64_MAX /* a point without a measurement */

/* A stage of a thread whose quantiles over a step are kept. */
typedef struct window {
  const md_hist_t *hist;
  md_hist_copy_t   before;
} window_t;

struct md_history {
  uint32_t series_cnt, window_cnt, feed_cnt;
  uint64_t point_cnt; /* ever added */
  char (*name)[NAME_BYTES];
  window_t      *window;
  uint64_t      *value;                       /* [MD_BOARD_POINT_CNT][series_cnt] */
  int64_t        time_ms[MD_BOARD_POINT_CNT]; /* since the Unix epoch */
  md_hist_copy_t now;
};

static const struct {
  md_stage_t  stage;
  const char *name;
} feed_stages[] = {{MD_STAGE_EXCHANGE, "exchange_to_receive"},
                   {MD_STAGE_DECODE, "receive_to_decoded"},
                   {MD_STAGE_VISIBLE, "decoded_to_visible"}};

static const struct {
  uint32_t    ppm;
  const char *name;
} quantiles[] = {{500000, "p50"}, {990000, "p99"}, {999000, "p999"}};

#define FEED_RATES  3u /* messages_per_s, records_per_s, undurable */
#define SINK_RATES  1u /* records_per_s */
#define SINK_STAGES 2u

/* ---- the series ---- */

static void
add_name(md_history_t *h, const char *of, const char *what, const char *quantile) {
  (void)snprintf(h->name[h->series_cnt++], NAME_BYTES, "%s/%s%s%s", of, what, quantile ? "/" : "",
                 quantile ? quantile : "");
}

static void
add_stage(md_history_t *h, const char *of, const char *what, const md_hist_t *hist) {
  h->window[h->window_cnt].hist = hist;
  md_hist_read(hist, &h->window[h->window_cnt++].before);
  for (size_t q = 0; q < MD_CNT(quantiles); q++)
    add_name(h, of, what, quantiles[q].name);
}

static void
name_series(md_history_t *h, const md_segment_t *s) {
  for (uint32_t f = 0; f < s->feed_cnt; f++) {
    const md_feed_row_t *row = &s->feeds[f];
    add_name(h, row->name, "messages_per_s", NULL);
    add_name(h, row->name, "records_per_s", NULL);
    add_name(h, row->name, "undurable", NULL);
    for (size_t i = 0; i < MD_CNT(feed_stages); i++)
      add_stage(h, row->name, feed_stages[i].name,
                &s->metrics[row->thread].stage[feed_stages[i].stage]);
  }
  for (uint32_t t = 0; t < s->thread_cnt; t++) {
    const char *name = s->threads[t].name;
    if (s->threads[t].kind != MD_THREAD_WRITER) continue;
    bool journal = strcmp(name, "writer:journal") == 0;
    add_name(h, name, "records_per_s", NULL);
    add_stage(h, name, "ring_wait", &s->metrics[t].stage[MD_STAGE_RING_WAIT]);
    add_stage(h, name, journal ? "durable" : "stored",
              &s->metrics[t].stage[journal ? MD_STAGE_DURABLE : MD_STAGE_STORED]);
  }
}

md_history_t *
md_history_new(const md_segment_t *s) {
  uint32_t      sink_cnt = 0;
  md_history_t *h        = calloc(1, sizeof *h);
  if (!h) return NULL;
  for (uint32_t t = 0; t < s->thread_cnt; t++)
    sink_cnt += s->threads[t].kind == MD_THREAD_WRITER;
  size_t windows = s->feed_cnt * MD_CNT(feed_stages) + sink_cnt * SINK_STAGES;
  size_t series  = s->feed_cnt * FEED_RATES + sink_cnt * SINK_RATES + windows * MD_CNT(quantiles);
  h->feed_cnt    = s->feed_cnt;
  h->name        = calloc(series + 1, sizeof *h->name);
  h->window      = calloc(windows + 1, sizeof *h->window);
  h->value       = calloc((series + 1) * MD_BOARD_POINT_CNT, sizeof *h->value);
  if (!h->name || !h->window || !h->value) {
    md_history_free(h);
    return NULL;
  }
  name_series(h, s);
  md_assert(h->series_cnt == series && h->window_cnt == windows);
  return h;
}

void
md_history_free(md_history_t *h) {
  if (!h) return;
  free(h->name);
  free(h->window);
  free(h->value);
  free(h);
}

/* ---- points ---- */

static uint64_t *
put_stage(md_history_t *h, window_t *w, uint64_t *at) {
  md_hist_copy_t newest;
  md_hist_read(w->hist, &newest);
  h->now = newest;
  md_hist_subtract(&h->now, &w->before);
  w->before = newest;
  for (size_t q = 0; q < MD_CNT(quantiles); q++)
    *at++ = h->now.cnt ? md_hist_quantile(&h->now, quantiles[q].ppm) : NOTHING;
  return at;
}

/* The picture has feeds and sinks in the order of the segment. */
void
md_history_add(md_history_t *h, const md_status_view_t *v) {
  uint32_t  at = (uint32_t)(h->point_cnt % MD_BOARD_POINT_CNT), window = 0;
  uint64_t *value = &h->value[(size_t)at * h->series_cnt], *end = value + h->series_cnt;
  h->time_ms[at] = v->taken_real_ns / 1000000;
  for (uint32_t f = 0; f < h->feed_cnt; f++) {
    const md_status_feed_t *feed = f < v->feed_cnt ? &v->feed[f] : NULL;
    const mdshm_stream_t   *s    = feed ? &feed->stream : NULL;
    *value++                     = feed ? (uint64_t)(feed->frames_per_s + 0.5) : NOTHING;
    *value++                     = feed ? (uint64_t)(feed->records_per_s + 0.5) : NOTHING;
    *value++ = s && s->published_seq > s->durable_seq ? s->published_seq - s->durable_seq : 0;
    for (size_t i = 0; i < MD_CNT(feed_stages); i++)
      value = put_stage(h, &h->window[window++], value);
  }
  for (uint32_t k = 0; value < end; k++) {
    *value++ = k < v->sink_cnt ? (uint64_t)(v->sink[k].records_per_s + 0.5) : NOTHING;
    for (uint32_t i = 0; i < SINK_STAGES; i++)
      value = put_stage(h, &h->window[window++], value);
  }
  h->point_cnt++;
}

static void
add_point(const md_history_t *h, uint64_t n, md_text_t *out) {
  uint32_t        at    = (uint32_t)(n % MD_BOARD_POINT_CNT);
  const uint64_t *value = &h->value[(size_t)at * h->series_cnt];
  md_text_add(out, "{\"n\":%" PRIu64 ",\"time_ms\":%" PRId64 ",\"values\":[", n, h->time_ms[at]);
  for (uint32_t i = 0; i < h->series_cnt; i++) {
    if (i) md_text_add_bytes(out, ",", 1);
    if (value[i] == NOTHING)
      md_text_add_bytes(out, "null", 4);
    else
      md_text_add(out, "%" PRIu64, value[i]);
  }
  md_text_add(out, "]}");
}

void
md_history_newest(const md_history_t *h, md_text_t *out) {
  if (h->point_cnt == 0)
    md_text_add(out, "null");
  else
    add_point(h, h->point_cnt - 1, out);
}

void
md_history_json(const md_history_t *h, md_text_t *out) {
  uint64_t first = h->point_cnt > MD_BOARD_POINT_CNT ? h->point_cnt - MD_BOARD_POINT_CNT : 0;
  md_text_add(out, "{\"step_ms\":%lld,\"series\":[", MD_BOARD_STEP_NS / 1000000);
  for (uint32_t i = 0; i < h->series_cnt; i++) {
    if (i) md_text_add_bytes(out, ",", 1);
    md_text_add_json(out, h->name[i]);
  }
  md_text_add(out, "],\"points\":[");
  for (uint64_t n = first; n < h->point_cnt; n++) {
    if (n > first) md_text_add_bytes(out, ",", 1);
    add_point(h, n, out);
  }
  md_text_add(out, "]}\n");
}
