/* Opening, liveness, status rows and metrics. */
#include "shm/client/handle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OPEN_POLL_NS 1000000

_Static_assert(MDSHM_NAME_BYTES == MD_NAME_BYTES, "public limits follow the engine's");
_Static_assert(MDSHM_RECORD_BYTES == MD_RECORD_BYTES_MAX, "public limits follow the engine's");

const char *
mdshm_result_name(mdshm_result_t result) {
  static const char *const names[] = {
      [MDSHM_OK] = "OK",         [MDSHM_NOT_VALID] = "NOT_VALID",   [MDSHM_STALE] = "STALE",
      [MDSHM_DEAD] = "DEAD",     [MDSHM_SUPERSEDED] = "SUPERSEDED", [MDSHM_STOPPED] = "STOPPED",
      [MDSHM_BUSY] = "BUSY",     [MDSHM_ABSENT] = "ABSENT",         [MDSHM_EMPTY] = "EMPTY",
      [MDSHM_LAPPED] = "LAPPED", [MDSHM_VERSION] = "VERSION",       [MDSHM_CORRUPT] = "CORRUPT",
      [MDSHM_DENIED] = "DENIED", [MDSHM_USAGE] = "USAGE",           [MDSHM_FAILED] = "FAILED",
  };
  unsigned i = (unsigned)result;
  return i < MD_CNT(names) ? names[i] : "?";
}

mdshm_result_t
mdshm_result_of(md_err_t err) {
  switch (err) {
  case MD_OK:
    return MDSHM_OK;
  case MD_ERR_BUSY:
    return MDSHM_BUSY;
  case MD_ERR_ABSENT:
  case MD_ERR_RANGE:
    return MDSHM_ABSENT;
  case MD_ERR_EMPTY:
    return MDSHM_EMPTY;
  case MD_ERR_LAPPED:
    return MDSHM_LAPPED;
  case MD_ERR_VERSION:
    return MDSHM_VERSION;
  case MD_ERR_CORRUPT:
    return MDSHM_CORRUPT;
  case MD_ERR_DENIED:
    return MDSHM_DENIED;
  case MD_ERR_CONFIG:
    return MDSHM_USAGE;
  default:
    return MDSHM_FAILED;
  }
}

void
mdshm_copy_name(char *out, const char *from, size_t bytes) {
  memcpy(out, from, bytes);
  out[bytes - 1] = 0;
}

/* ---- open and close ---- */

static mdshm_result_t
open_once(const char *dir, const char *name, mdshm_t *shm, md_msg_t *msg) {
  md_err_t err = md_segment_join(dir, name, &shm->segment, msg);
  if (err) return mdshm_result_of(err);
  size_t cnt = shm->segment.instrument_capacity;
  shm->books = calloc(cnt ? cnt : 1, sizeof *shm->books);
  if (shm->books) return MDSHM_OK;
  md_segment_leave(&shm->segment);
  return mdshm_result_of(md_fail(msg, MD_ERR_NOMEM, "out of memory for %zu instruments", cnt));
}

mdshm_result_t
mdshm_open(const char *dir, const char *name, int timeout_ms, mdshm_t **out, char *message,
           size_t message_bytes) {
  md_msg_t msg = {""};
  if (!name || !out) return MDSHM_USAGE;
  *out                       = NULL;
  const md_clock_t *clock    = md_clock_system();
  int64_t           deadline = md_clock_mono_ns(clock) + (int64_t)timeout_ms * 1000000;
  mdshm_result_t    result   = MDSHM_FAILED;
  mdshm_t          *shm      = calloc(1, sizeof *shm);
  if (shm) {
    for (;;) {
      result = open_once(dir ? dir : "/dev/shm", name, shm, &msg);
      if (result != MDSHM_ABSENT && result != MDSHM_EMPTY) break;
      if (md_clock_mono_ns(clock) >= deadline) break;
      struct timespec pause = {0, OPEN_POLL_NS};
      (void)nanosleep(&pause, NULL);
    }
  }
  if (message && message_bytes) (void)snprintf(message, message_bytes, "%s", msg.text);
  if (result == MDSHM_OK)
    *out = shm;
  else
    free(shm);
  return result;
}

void
mdshm_close(mdshm_t *shm) {
  if (!shm) return;
  md_segment_leave(&shm->segment);
  free(shm->books);
  free(shm);
}

/* ---- liveness ---- */

static mdshm_result_t
segment_state(const mdshm_t *shm) {
  const md_atomic_u64 *state = &shm->segment.header->state;
  switch (md_load_acquire(state)) { /* A2: its last word; pairs with R2 in shm/segment.h */
  case MD_SEGMENT_READY:
    return MDSHM_OK;
  case MD_SEGMENT_STARTING:
    return MDSHM_EMPTY;
  case MD_SEGMENT_SUPERSEDED:
    return MDSHM_SUPERSEDED;
  case MD_SEGMENT_STOPPED:
    return MDSHM_STOPPED;
  default:
    return MDSHM_CORRUPT;
  }
}

mdshm_result_t
mdshm_check(const mdshm_t *shm) {
  mdshm_result_t result = segment_state(shm);
  if (result != MDSHM_OK) return result;
  return md_segment_owner_alive(&shm->segment) ? MDSHM_OK : MDSHM_DEAD;
}

/* A heartbeat that is a little ahead of our clock read came in between: age 0. */
static int64_t
heartbeat_age_ns(const md_thread_row_t *row) {
  uint64_t beat_ns = md_load_relaxed(&row->heartbeat_mono_ns); /* only compared with a clock */
  int64_t  now_ns  = md_clock_mono_ns(md_clock_system());
  return beat_ns >= (uint64_t)now_ns ? 0 : now_ns - (int64_t)beat_ns;
}

mdshm_result_t
mdshm_liveness(const mdshm_t *shm, uint32_t feed, int64_t max_age_ns) {
  const md_segment_t *s      = &shm->segment;
  mdshm_result_t      result = segment_state(shm);
  if (result != MDSHM_OK || max_age_ns == MDSHM_ANY_AGE) return result;
  if (feed >= s->feed_cnt) return MDSHM_ABSENT;
  uint32_t thread = s->feeds[feed].thread;
  if (thread >= s->thread_cnt) return MDSHM_CORRUPT;
  if (heartbeat_age_ns(&s->threads[thread]) <= max_age_ns) return MDSHM_OK;
  return md_segment_owner_alive(s) ? MDSHM_STALE : MDSHM_DEAD;
}

mdshm_result_t
mdshm_feed_check(const mdshm_t *shm, uint32_t feed, int64_t max_age_ns) {
  return feed < shm->segment.feed_cnt ? mdshm_liveness(shm, feed, max_age_ns) : MDSHM_ABSENT;
}

/* ---- status rows ---- */

mdshm_result_t
mdshm_info(const mdshm_t *shm, mdshm_info_t *out) {
  const md_segment_t        *s = &shm->segment;
  const md_segment_header_t *h = s->header;
  if (!out || out->struct_size < sizeof *out) return MDSHM_USAGE;
  out->epoch               = h->epoch;
  out->pid                 = h->pid;
  out->abi_version         = MD_SEGMENT_ABI_VERSION;
  out->feed_cnt            = s->feed_cnt;
  out->thread_cnt          = s->thread_cnt;
  out->stream_cnt          = s->stream_cnt;
  out->instrument_capacity = s->instrument_capacity;
  out->created_ns          = h->created_ns;
  memcpy(out->journal_uuid, h->journal_uuid, sizeof out->journal_uuid);
  mdshm_copy_name(out->name, h->name, sizeof out->name);
  mdshm_copy_name(out->version, h->version, sizeof out->version);
  uint64_t monitor  = md_load_relaxed(&h->monitor); /* a number by itself */
  out->monitor_ipv4 = (uint32_t)(monitor >> 32);
  out->health_port  = (uint16_t)(monitor >> 16);
  out->metrics_port = (uint16_t)monitor;
  return MDSHM_OK;
}

mdshm_result_t
mdshm_feed(const mdshm_t *shm, uint32_t row, mdshm_feed_t *out) {
  if (!out || out->struct_size < sizeof *out) return MDSHM_USAGE;
  if (row >= shm->segment.feed_cnt) return MDSHM_ABSENT;
  const md_feed_row_t *f = &shm->segment.feeds[row];
  out->thread            = f->thread;
  out->stream            = f->stream_row;
  out->raw_stream        = f->raw_row;
  out->depth_levels      = f->depth_levels;
  out->input_state       = (uint32_t)md_load_relaxed(&f->input_state); /* a number by itself */
  out->connect_cnt       = md_load_relaxed(&f->connect_cnt);
  mdshm_copy_name(out->name, f->name, sizeof out->name);
  mdshm_copy_name(out->venue, f->venue, sizeof out->venue);
  return MDSHM_OK;
}

mdshm_result_t
mdshm_thread(const mdshm_t *shm, uint32_t row, mdshm_thread_t *out) {
  if (!out || out->struct_size < sizeof *out) return MDSHM_USAGE;
  if (row >= shm->segment.thread_cnt) return MDSHM_ABSENT;
  const md_thread_row_t *t = &shm->segment.threads[row];
  out->kind                = t->kind;
  out->index               = t->index;
  out->core                = t->core;
  out->state               = (uint32_t)md_load_relaxed(&t->state); /* numbers by themselves */
  out->last_err            = (uint32_t)md_load_relaxed(&t->last_err);
  out->tid                 = md_load_relaxed(&t->tid);
  out->heartbeat_age_ns    = heartbeat_age_ns(t);
  mdshm_copy_name(out->name, t->name, sizeof out->name);
  return MDSHM_OK;
}

mdshm_result_t
mdshm_stream(const mdshm_t *shm, uint32_t row, mdshm_stream_t *out) {
  if (!out || out->struct_size < sizeof *out) return MDSHM_USAGE;
  if (row >= shm->segment.stream_cnt) return MDSHM_ABSENT;
  const md_stream_row_t *r = &shm->segment.streams[row];
  out->stream              = r->stream;
  out->feed                = r->feed;
  out->is_raw              = r->is_raw;
  /* Later stages first: then none of them seems ahead of the one before it. */
  out->stored_seq    = md_load_relaxed(&r->stored_seq);
  out->durable_seq   = md_load_relaxed(&r->durable_seq);
  out->written_seq   = md_load_relaxed(&r->written_seq);
  out->published_seq = md_load_relaxed(&r->published_seq);
  out->last_recv_ns  = (int64_t)md_load_relaxed(&r->last_recv_ns);
  mdshm_copy_name(out->name, r->name, sizeof out->name);
  return MDSHM_OK;
}

uint32_t
mdshm_feed_find(const mdshm_t *shm, const char *name) {
  if (!name) return MDSHM_NONE;
  for (uint32_t i = 0; i < shm->segment.feed_cnt; i++) {
    char found[MD_NAME_BYTES];
    mdshm_copy_name(found, shm->segment.feeds[i].name, sizeof found);
    if (strcmp(found, name) == 0) return i;
  }
  return MDSHM_NONE;
}

/* ---- metrics ---- */

const char *
mdshm_counter_name(unsigned i) {
  return i < MD_COUNTER_CNT ? md_counter_info[i].name : NULL;
}

const char *
mdshm_stage_name(unsigned i) {
  return i < MD_STAGE_CNT ? md_stage_name[i] : NULL;
}

mdshm_result_t
mdshm_counter(const mdshm_t *shm, uint32_t thread, const char *name, uint64_t *value) {
  if (!name || !value) return MDSHM_USAGE;
  if (thread >= shm->segment.thread_cnt) return MDSHM_ABSENT;
  for (unsigned i = 0; i < MD_COUNTER_CNT; i++) {
    if (strcmp(md_counter_info[i].name, name) != 0) continue;
    *value = md_load_relaxed(&shm->segment.metrics[thread].counter[i]); /* a number by itself */
    return MDSHM_OK;
  }
  return MDSHM_ABSENT;
}

mdshm_result_t
mdshm_stage_quantile(const mdshm_t *shm, uint32_t thread, const char *name, uint32_t q_ppm,
                     uint64_t *ns, uint64_t *cnt) {
  if (!name || !ns || !cnt || q_ppm > 1000000) return MDSHM_USAGE;
  if (thread >= shm->segment.thread_cnt) return MDSHM_ABSENT;
  for (unsigned i = 0; i < MD_STAGE_CNT; i++) {
    if (strcmp(md_stage_name[i], name) != 0) continue;
    md_hist_copy_t copy;
    md_hist_read(&shm->segment.metrics[thread].stage[i], &copy);
    *ns  = md_hist_quantile(&copy, q_ppm);
    *cnt = copy.cnt;
    return MDSHM_OK;
  }
  return MDSHM_ABSENT;
}
