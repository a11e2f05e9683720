#include "monitoring/status_window.h"

#include <stdlib.h>
#include <string.h>

#define SLOT_CNT    11u
#define FEED_STAGES 3u
#define SINK_STAGES 2u

static const char *const feed_stages[FEED_STAGES] = {"mdengine_stage_exchange_to_receive_seconds",
                                                     "mdengine_stage_receive_to_decoded_seconds",
                                                     "mdengine_stage_decoded_to_visible_seconds"};

typedef struct copies {
  mdshm_stage_t feed[MD_FEED_CNT_MAX][FEED_STAGES];
  mdshm_stage_t sink[MD_SINK_CNT_MAX][SINK_STAGES];
} copies_t;

/* Copies are kept in turn: slot n of all that were ever kept stands at n mod SLOT_CNT. */
struct md_status_window {
  int64_t  length_ns;
  uint32_t generation;
  uint64_t kept_cnt, first; /* of this generation */
  int64_t  taken_ns[SLOT_CNT];
  copies_t slot[SLOT_CNT], now;
};

md_status_window_t *
md_status_window_new(int64_t length_ns) {
  md_status_window_t *w = calloc(1, sizeof *w);
  if (w) w->length_ns = length_ns;
  return w;
}

void
md_status_window_free(md_status_window_t *w) {
  free(w);
}

/* One histogram now; nothing counted when it cannot be read. */
static void
copy_stage(const mdshm_t *shm, uint32_t thread, const char *name, mdshm_stage_t *out) {
  out->struct_size = sizeof *out;
  if (mdshm_stage(shm, thread, name, out) == MDSHM_OK) return;
  memset(out, 0, sizeof *out);
  out->struct_size = sizeof *out;
}

static void
copy_all(const mdshm_t *shm, const md_status_view_t *v, copies_t *out) {
  for (uint32_t i = 0; i < v->feed_cnt; i++)
    for (uint32_t s = 0; s < FEED_STAGES; s++)
      copy_stage(shm, v->feed[i].feed.thread, feed_stages[s], &out->feed[i][s]);
  for (uint32_t i = 0; i < v->sink_cnt; i++) {
    copy_stage(shm, v->sink[i].row, "mdengine_stage_ring_wait_seconds", &out->sink[i][0]);
    copy_stage(shm, v->sink[i].row,
               md_status_is_journal(&v->sink[i]) ? "mdengine_stage_durable_seconds"
                                                 : "mdengine_stage_stored_seconds",
               &out->sink[i][1]);
  }
}

/* The youngest copy that is as old as the window, else the oldest one. */
static uint64_t
choose(const md_status_window_t *w, int64_t now_ns) {
  uint64_t n = w->kept_cnt - 1;
  while (n > w->first && now_ns - w->taken_ns[n % SLOT_CNT] < w->length_ns)
    n--;
  return n;
}

static md_latency_t
difference(const mdshm_stage_t *now, const mdshm_stage_t *before) {
  md_latency_t l;
  l.p50_ns  = mdshm_stage_between(now, before, 500000, &l.cnt);
  l.p99_ns  = mdshm_stage_between(now, before, 990000, &l.cnt);
  l.p999_ns = mdshm_stage_between(now, before, 999000, &l.cnt);
  return l;
}

static void
fill(md_status_view_t *v, const copies_t *now, const copies_t *before) {
  for (uint32_t i = 0; i < v->feed_cnt; i++) {
    v->feed[i].recent.exchange = difference(&now->feed[i][0], &before->feed[i][0]);
    v->feed[i].recent.decode   = difference(&now->feed[i][1], &before->feed[i][1]);
    v->feed[i].recent.visible  = difference(&now->feed[i][2], &before->feed[i][2]);
  }
  for (uint32_t i = 0; i < v->sink_cnt; i++) {
    v->sink[i].recent.ring_wait = difference(&now->sink[i][0], &before->sink[i][0]);
    v->sink[i].recent.done      = difference(&now->sink[i][1], &before->sink[i][1]);
  }
}

/* A copy is kept when the one before is a tenth of the window old, so that those that are kept
 * reach back as far as the window. */
static void
keep(md_status_window_t *w, int64_t now_ns) {
  if (w->kept_cnt > w->first &&
      now_ns - w->taken_ns[(w->kept_cnt - 1) % SLOT_CNT] < w->length_ns / (SLOT_CNT - 1))
    return;
  w->slot[w->kept_cnt % SLOT_CNT]     = w->now;
  w->taken_ns[w->kept_cnt % SLOT_CNT] = now_ns;
  w->kept_cnt++;
  if (w->kept_cnt - w->first > SLOT_CNT) w->first = w->kept_cnt - SLOT_CNT;
}

void
md_status_window_take(md_status_window_t *w, const md_status_source_t *source,
                      md_status_view_t *v) {
  if (v->info.generation != w->generation) w->first = w->kept_cnt; /* the next engine's own */
  w->generation = v->info.generation;
  copy_all(source->shm, v, &w->now);
  v->recent_s = 0.0;
  if (w->kept_cnt > w->first) {
    uint64_t n  = choose(w, v->taken_mono_ns);
    v->recent_s = (double)(v->taken_mono_ns - w->taken_ns[n % SLOT_CNT]) / 1e9;
    fill(v, &w->now, &w->slot[n % SLOT_CNT]);
  }
  keep(w, v->taken_mono_ns);
}
