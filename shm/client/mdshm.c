/* Opening and closing, status rows and metrics. */
#include "shm/client/handle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OPEN_POLL_NS 1000000

_Static_assert(MDSHM_NAME_BYTES == MD_NAME_BYTES, "public limits follow the engine's");
_Static_assert(MDSHM_RECORD_BYTES == MD_RECORD_BYTES_MAX, "public limits follow the engine's");

int
mdshm_api_version(void) {
  return MDSHM_API_VERSION;
}

const char *
mdshm_result_name(mdshm_result_t result) {
  static const char *const names[] = {
      [MDSHM_OK]         = "OK",
      [MDSHM_NOT_VALID]  = "NOT_VALID",
      [MDSHM_STALE]      = "STALE",
      [MDSHM_DEAD]       = "DEAD",
      [MDSHM_SUPERSEDED] = "SUPERSEDED",
      [MDSHM_STOPPED]    = "STOPPED",
      [MDSHM_BUSY]       = "BUSY",
      [MDSHM_ABSENT]     = "ABSENT",
      [MDSHM_EMPTY]      = "EMPTY",
      [MDSHM_LAPPED]     = "LAPPED",
      [MDSHM_VERSION]    = "VERSION",
      [MDSHM_CORRUPT]    = "CORRUPT",
      [MDSHM_DENIED]     = "DENIED",
      [MDSHM_USAGE]      = "USAGE",
      [MDSHM_FAILED]     = "FAILED",
      [MDSHM_RESTARTED]  = "RESTARTED",
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

bool
mdshm_sized_otherwise(void *out, size_t size, size_t known_bytes) {
  if (size < known_bytes || size - known_bytes > MDSHM_GROWTH_MAX) return false;
  memset((uint8_t *)out + known_bytes, 0, size - known_bytes);
  return true;
}

/* ---- open and close ---- */

static mdshm_t *
new_handle(const char *dir, const char *name) {
  mdshm_t *shm = calloc(1, sizeof *shm);
  if (!shm) return NULL;
  (void)snprintf(shm->dir, sizeof shm->dir, "%s", dir);
  (void)snprintf(shm->name, sizeof shm->name, "%s", name);
  shm->registry_fd = -1;
  shm->ask_fd      = -1;
  return shm;
}

/* Looks until the segment is there and ready, or the time is over. */
static mdshm_result_t
wait_for_map(const char *dir, const char *name, int timeout_ms, mdshm_map_t **map, md_msg_t *msg) {
  const md_clock_t *clock    = md_clock_system();
  int64_t           deadline = md_clock_mono_ns(clock) + (int64_t)timeout_ms * 1000000;
  for (;;) {
    int            ask_fd = -1;
    mdshm_result_t result = mdshm_map_open(dir, name, &ask_fd, MD_SEGMENT_ANSWER_MS, map, msg);
    if (ask_fd >= 0) (void)close(ask_fd); /* nobody answered: the next look asks once more */
    if (result != MDSHM_ABSENT && result != MDSHM_EMPTY) return result;
    if (md_clock_mono_ns(clock) >= deadline) return result;
    struct timespec pause = {0, OPEN_POLL_NS};
    (void)nanosleep(&pause, NULL);
  }
}

mdshm_result_t
mdshm_open(const char *dir, const char *name, int timeout_ms, mdshm_t **out, char *message,
           size_t message_bytes) {
  md_msg_t     msg = {""};
  mdshm_map_t *map = NULL;
  if (message && message_bytes) message[0] = 0;
  if (!name || !out) return MDSHM_USAGE;
  *out = NULL;
  if (!dir) dir = "/dev/shm";
  mdshm_result_t result = wait_for_map(dir, name, timeout_ms, &map, &msg);
  if (result == MDSHM_OK) {
    mdshm_t *shm = new_handle(dir, name);
    result       = shm ? mdshm_attach(shm, map) : MDSHM_FAILED;
    if (result == MDSHM_OK) {
      shm->told = shm->generation;
      *out      = shm;
    } else {
      (void)md_fail(&msg, MD_ERR_NOMEM, "out of memory for the segment of %s", name);
      mdshm_map_release(map);
      free(shm);
    }
  }
  if (message && message_bytes) (void)snprintf(message, message_bytes, "%s", msg.text);
  return result;
}

void
mdshm_close(mdshm_t *shm) {
  if (!shm) return;
  mdshm_registry_leave(shm);
  mdshm_ask_no_more(shm);
  mdshm_map_release(shm->map);
  free(shm->refs);
  free(shm->index);
  free(shm->seen);
  free(shm);
}

/* ---- status rows ---- */

/* The last look of every copy: the zeros of a file that was cut are no answer. */
static mdshm_result_t
settled(const mdshm_t *shm) {
  return mdshm_map_state(shm->map) == MDSHM_CORRUPT ? MDSHM_CORRUPT : MDSHM_OK;
}

mdshm_result_t
mdshm_info(const mdshm_t *shm, mdshm_info_t *out) {
  const md_segment_t        *s = &shm->map->segment;
  const md_segment_header_t *h = s->header;
  if (!mdshm_sized(out, sizeof *out)) return MDSHM_USAGE;
  out->epoch               = h->epoch;
  out->pid                 = h->pid;
  out->abi_version         = MD_SEGMENT_ABI_VERSION;
  out->feed_cnt            = shm->feed_cnt;
  out->generation          = shm->generation;
  out->owner_uid           = s->owner_uid;
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
  return settled(shm);
}

mdshm_result_t
mdshm_feed(const mdshm_t *shm, uint32_t row, mdshm_feed_t *out) {
  if (!mdshm_sized(out, sizeof *out)) return MDSHM_USAGE;
  if (row >= shm->feed_cnt || shm->feeds[row].row == MDSHM_NONE) return MDSHM_ABSENT;
  const md_feed_row_t *f = &shm->map->segment.feeds[shm->feeds[row].row];
  out->thread            = f->thread;
  out->stream            = f->stream_row;
  out->raw_stream        = f->raw_row;
  out->depth_levels      = f->depth_levels;
  out->input_state       = (uint32_t)md_load_relaxed(&f->input_state); /* a number by itself */
  out->connect_cnt       = md_load_relaxed(&f->connect_cnt);
  mdshm_copy_name(out->name, f->name, sizeof out->name);
  mdshm_copy_name(out->venue, f->venue, sizeof out->venue);
  return settled(shm);
}

mdshm_result_t
mdshm_thread(const mdshm_t *shm, uint32_t row, mdshm_thread_t *out) {
  if (!mdshm_sized(out, sizeof *out)) return MDSHM_USAGE;
  if (row >= shm->map->segment.thread_cnt) return MDSHM_ABSENT;
  const md_thread_row_t *t = &shm->map->segment.threads[row];
  out->kind                = t->kind;
  out->index               = t->index;
  out->core                = t->core;
  out->state               = (uint32_t)md_load_relaxed(&t->state); /* numbers by themselves */
  out->last_err            = (uint32_t)md_load_relaxed(&t->last_err);
  out->tid                 = md_load_relaxed(&t->tid);
  out->cpu_ns              = md_load_relaxed(&t->cpu_ns);
  out->heartbeat_age_ns    = mdshm_heartbeat_age_ns(t);
  mdshm_copy_name(out->name, t->name, sizeof out->name);
  return settled(shm);
}

mdshm_result_t
mdshm_stream(const mdshm_t *shm, uint32_t row, mdshm_stream_t *out) {
  if (!mdshm_sized(out, sizeof *out)) return MDSHM_USAGE;
  if (row >= shm->map->segment.stream_cnt) return MDSHM_ABSENT;
  const md_stream_row_t *r = &shm->map->segment.streams[row];
  out->stream              = r->stream;
  out->feed   = r->feed < shm->map->segment.feed_cnt ? shm->local_feed[r->feed] : MDSHM_NONE;
  out->is_raw = r->is_raw;
  /* Later stages first: then none of them seems ahead of the one before it. */
  out->stored_seq    = md_load_relaxed(&r->stored_seq);
  out->durable_seq   = md_load_relaxed(&r->durable_seq);
  out->written_seq   = md_load_relaxed(&r->written_seq);
  out->published_seq = md_load_relaxed(&r->published_seq);
  out->last_recv_ns  = (int64_t)md_load_relaxed(&r->last_recv_ns);
  mdshm_copy_name(out->name, r->name, sizeof out->name);
  return settled(shm);
}

uint32_t
mdshm_feed_find(const mdshm_t *shm, const char *name) {
  if (!name) return MDSHM_NONE;
  for (uint32_t i = 0; i < shm->feed_cnt; i++)
    if (shm->feeds[i].row != MDSHM_NONE && strcmp(shm->feeds[i].name, name) == 0) return i;
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

/* The metrics of a thread row; an engine of another version may keep others in another order. */
static mdshm_result_t
metrics_of(const mdshm_t *shm, uint32_t thread, const md_metrics_t **out) {
  const md_segment_t *s = &shm->map->segment;
  if (thread >= s->thread_cnt) return MDSHM_ABSENT;
  if (s->section[MD_SECTION_METRICS].stride != sizeof(md_metrics_t)) return MDSHM_VERSION;
  *out = &s->metrics[thread];
  return MDSHM_OK;
}

mdshm_result_t
mdshm_counter(const mdshm_t *shm, uint32_t thread, const char *name, uint64_t *value) {
  const md_metrics_t *metrics;
  if (!name || !value) return MDSHM_USAGE;
  mdshm_result_t result = metrics_of(shm, thread, &metrics);
  if (result != MDSHM_OK) return result;
  for (unsigned i = 0; i < MD_COUNTER_CNT; i++) {
    if (strcmp(md_counter_info[i].name, name) != 0) continue;
    *value = md_load_relaxed(&metrics->counter[i]); /* a number by itself */
    return settled(shm);
  }
  return MDSHM_ABSENT;
}

/* The histogram of a stage by name; NULL and why. */
static const md_hist_t *
stage_of(const mdshm_t *shm, uint32_t thread, const char *name, mdshm_result_t *why) {
  const md_metrics_t *metrics;
  *why = metrics_of(shm, thread, &metrics);
  if (*why != MDSHM_OK) return NULL;
  for (unsigned i = 0; i < MD_STAGE_CNT; i++)
    if (strcmp(md_stage_name[i], name) == 0) return &metrics->stage[i];
  *why = MDSHM_ABSENT;
  return NULL;
}

mdshm_result_t
mdshm_stage_quantile(const mdshm_t *shm, uint32_t thread, const char *name, uint32_t q_ppm,
                     uint64_t *ns, uint64_t *cnt) {
  md_hist_copy_t copy;
  mdshm_result_t why;
  if (!name || !ns || !cnt || q_ppm > 1000000) return MDSHM_USAGE;
  const md_hist_t *stage = stage_of(shm, thread, name, &why);
  if (!stage) return why;
  md_hist_read(stage, &copy);
  *ns  = md_hist_quantile(&copy, q_ppm);
  *cnt = copy.cnt;
  return settled(shm);
}

_Static_assert(MDSHM_STAGE_BUCKETS == MD_HIST_BUCKET_CNT, "the public header has the buckets");
_Static_assert(sizeof(mdshm_stage_t) == 8 + sizeof(md_hist_copy_t) &&
                   offsetof(mdshm_stage_t, cnt) == 8,
               "a public copy is one of ours behind its size");

mdshm_result_t
mdshm_stage(const mdshm_t *shm, uint32_t thread, const char *name, mdshm_stage_t *out) {
  md_hist_copy_t copy;
  mdshm_result_t why;
  if (!name || !mdshm_sized(out, sizeof *out)) return MDSHM_USAGE;
  const md_hist_t *stage = stage_of(shm, thread, name, &why);
  if (!stage) return why;
  md_hist_read(stage, &copy);
  memcpy(&out->cnt, &copy, sizeof copy);
  return settled(shm);
}

uint64_t
mdshm_stage_between(const mdshm_stage_t *now, const mdshm_stage_t *before, uint32_t q_ppm,
                    uint64_t *cnt) {
  md_hist_copy_t copy, older;
  memcpy(&copy, &now->cnt, sizeof copy);
  if (before) {
    memcpy(&older, &before->cnt, sizeof older);
    md_hist_subtract(&copy, &older);
  }
  *cnt = copy.cnt;
  return md_hist_quantile(&copy, q_ppm > 1000000 ? 1000000 : q_ppm);
}
