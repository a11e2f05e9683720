/* fault_world.h - an engine's journal without the engine: lives that start, take records, stop or
 * die on a disk that fails, rings that outlive them, and at the end the question what the journal
 * holds against what was published and what was called durable. One thread. */
#ifndef TESTS_FAULT_FAULT_WORLD_H
#define TESTS_FAULT_FAULT_WORLD_H

#include "tests/fault/fault_disk.h"
#include "tests/unit/journal_help.h"

#include <inttypes.h>
#include <stdarg.h>

#define WORLD_EPOCH_CNT   12u
#define WORLD_RINGS_BYTES (MD_SEGMENT_HEADER_BYTES + HELP_RING_CNT * (HELP_RING_BYTES + 4096u))
#define WORLD_STEP_NS     20000000
#define WORLD_DRAIN_MAX   3000u /* turns: a minute of the test's time */

typedef struct world {
  help_t             h;
  fault_disk_t       disk;
  md_rings_header_t *rings;
  bool               ring_left; /* the rings belong to an engine that did not end in order */
  bool               is_up;
  uint64_t           published[HELP_STREAM_CNT + 1][WORLD_EPOCH_CNT];
  uint64_t           durable[HELP_STREAM_CNT + 1][WORLD_EPOCH_CNT];
  uint32_t           start_cnt;     /* that succeeded */
  uint32_t           complaint_cnt; /* of the code under test: errors and warnings, failed starts */
  uint64_t           answered[HELP_RING_CNT];
  md_journal_policy_t policy;
  uint64_t            segment_bytes;
  char                wrong[200]; /* the first that the test has to complain about */
} world_t;

static inline void world_wrong(world_t *w, const char *format, ...) MD_PRINTF(2, 3);

static inline void
world_wrong(world_t *w, const char *format, ...) {
  if (w->wrong[0]) return;
  va_list args;
  va_start(args, format);
  (void)vsnprintf(w->wrong, sizeof w->wrong, format, args);
  va_end(args);
}

static inline void
world_log(void *ctx, const char *level, const char *text) {
  world_t *w = ctx;
  if (w->disk.trace) (void)fprintf(stderr, "     %s: %s\n", level, text);
  if (strcmp(level, "info") == 0) return;
  w->complaint_cnt++;
  (void)snprintf(w->h.last_text, sizeof w->h.last_text, "%s", text);
}

static inline void
world_init(world_t *w, const char *dir, md_journal_policy_t policy, uint64_t segment_bytes) {
  static const char *const ring_name[HELP_RING_CNT] = {"alpha.journal", "beta.journal"};
  memset(w, 0, sizeof *w);
  help_t *h = &w->h;
  (void)snprintf(h->dir, sizeof h->dir, "%s", dir);
  h->time        = (md_clock_manual_t){.real_ns = 1700000001000000000, .mono_ns = 1000000000};
  h->clock       = md_clock_manual(&h->time);
  h->metrics     = aligned_alloc(MD_CACHE_BLOCK, md_align_up(sizeof *h->metrics, MD_CACHE_BLOCK));
  uint8_t *rings = aligned_alloc(4096, WORLD_RINGS_BYTES);
  md_assert(h->metrics && rings);
  memset(h->metrics, 0, sizeof *h->metrics);
  memset(rings, 0, WORLD_RINGS_BYTES);
  w->rings              = (md_rings_header_t *)(void *)rings;
  w->rings->total_bytes = WORLD_RINGS_BYTES;
  w->rings->ring_cnt    = HELP_RING_CNT;
  for (uint32_t r = 0; r < HELP_RING_CNT; r++) {
    w->rings->ring_off[r] = MD_SEGMENT_HEADER_BYTES + r * (HELP_RING_BYTES + 4096u);
    h->ring[r]            = (md_ring_t *)(void *)(rings + w->rings->ring_off[r]);
    md_assert(md_ring_new(h->ring[r], ring_name[r], (uint16_t)r, 0, 0, HELP_RING_BYTES) == MD_OK);
  }
  h->header.section[MD_SECTION_STREAMS].cnt = HELP_STREAM_CNT;
  h->segment.header                         = &h->header;
  h->segment.streams                        = h->stream;
  h->segment.threads                        = &h->thread;
  w->policy                                 = policy;
  w->segment_bytes                          = segment_bytes;
}

static inline void
world_fini(world_t *w) {
  free(w->rings);
  free(w->h.metrics);
}

/* ---- a life ---- */

static inline md_err_t
world_open_streams(world_t *w, md_msg_t *msg) {
  static const char *const names[HELP_STREAM_CNT] = {"alpha", "alpha.raw", "beta", "beta.raw"};
  for (uint32_t i = 0; i < HELP_STREAM_CNT; i++) {
    md_err_t err = md_manifest_stream(w->h.manifest, names[i], &w->h.stream[i].stream, msg);
    if (err) return err;
    md_assert(w->h.stream[i].stream == i + 1);
  }
  return MD_OK;
}

/* The rings of the new epoch, empty: as an engine makes them behind recovery. */
static inline void
world_new_rings(world_t *w) {
  help_t *h       = &w->h;
  w->rings->epoch = h->header.epoch;
  memcpy(w->rings->journal_uuid, md_manifest_uuid(h->manifest), 16);
  for (uint32_t r = 0; r < HELP_RING_CNT; r++) {
    char name[MD_NAME_BYTES];
    memcpy(name, h->ring[r]->name, sizeof name);
    md_assert(md_ring_new(h->ring[r], name, (uint16_t)r, 0, h->header.epoch, HELP_RING_BYTES) ==
              MD_OK);
    md_ring_producer_init(&h->producer[r], h->ring[r]);
    w->answered[r] = 0;
  }
  for (uint32_t i = 0; i < HELP_STREAM_CNT; i++)
    md_store_relaxed(&h->stream[i].durable_seq, 0); /* one thread */
  memset(h->seq, 0, sizeof h->seq);
}

static inline md_err_t
world_open_sink(world_t *w, md_msg_t *msg) {
  help_t       *h   = &w->h;
  md_sink_env_t env = {.segment     = &h->segment,
                       .rings       = h->ring,
                       .ring_cnt    = HELP_RING_CNT,
                       .metrics     = h->metrics,
                       .clock       = &h->clock,
                       .journal_dir = h->dir,
                       .cfg         = &h->cfg,
                       .log         = world_log,
                       .log_ctx     = w};
  return md_sink_journal.open(&env, &h->state, msg);
}

/* An engine's start, in its order. A failure must say why and leave nothing open. */
static inline bool
world_start(world_t *w) {
  help_t       *h   = &w->h;
  md_msg_t      msg = {0};
  md_recovery_t found;
  h->manifest  = NULL;
  h->state     = NULL;
  md_err_t err = md_manifest_open_on(&w->disk.disk, h->dir, true, true, &h->manifest, &msg);
  h->cfg       = (md_journal_config_t){.dir           = h->dir,
                                       .policy        = w->policy,
                                       .interval_ns   = 10000000,
                                       .segment_bytes = w->segment_bytes,
                                       .block_bytes   = 1u << 20,
                                       .manifest      = h->manifest,
                                       .disk          = &w->disk.disk};
  if (!err)
    err = md_journal_recover(&h->cfg, w->ring_left ? w->rings : NULL, WORLD_RINGS_BYTES, &h->clock,
                             &found, &msg);
  if (!err) err = world_open_streams(w, &msg);
  if (!err) err = md_manifest_epoch(h->manifest, h->time.real_ns, &h->header.epoch, &msg);
  if (!err) {
    md_assert(h->header.epoch < WORLD_EPOCH_CNT);
    world_new_rings(w);
    w->ring_left = true;
    err          = world_open_sink(w, &msg);
  }
  w->is_up = err == MD_OK;
  if (w->is_up) w->start_cnt++;
  if (w->is_up) return true;
  if (w->disk.trace) (void)fprintf(stderr, "     start: %s\n", msg.text);
  if (!msg.text[0]) world_wrong(w, "a start failed (%s) without a word", md_err_text(err));
  w->complaint_cnt++;
  md_manifest_close(h->manifest);
  if (w->disk.open_cnt != 0) world_wrong(w, "a failed start left %u files open", w->disk.open_cnt);
  return false;
}

/* Feeds answer each request for a checkpoint. */
static inline void
world_answer(world_t *w) {
  for (uint32_t r = 0; r < HELP_RING_CNT; r++) {
    uint64_t request = md_load_relaxed(&w->h.ring[r]->checkpoint_request); /* one thread */
    if (request == w->answered[r]) continue;
    w->answered[r] = request;
    help_checkpoint(&w->h, r, request, MD_CHECKPOINT_BEGIN);
    help_checkpoint(&w->h, r, request, MD_CHECKPOINT_END);
  }
}

static inline void
world_turn(world_t *w) {
  help_t *h = &w->h;
  if (md_sink_journal.turn(h->state, 0) < 0) world_wrong(w, "the sink gave up");
  h->time.mono_ns += WORLD_STEP_NS;
  h->time.real_ns += WORLD_STEP_NS;
  world_answer(w);
  for (uint32_t i = 0; i < HELP_STREAM_CNT; i++) {
    uint64_t seq = md_load_relaxed(&h->stream[i].durable_seq); /* one thread */
    w->durable[i + 1][h->header.epoch] = seq;
    if (seq > h->seq[i + 1]) world_wrong(w, "what was never published is called durable");
  }
}

/* What record seq of a stream is: any who knows these three can make it again. */
static inline void
world_make(help_record_t *out, uint16_t stream, uint32_t epoch, uint64_t seq) {
  unsigned type = stream % 2 ? MD_RECORD_TRADE : MD_RECORD_RAW;
  help_make(out, type, stream, epoch, seq, stream % 2 ? 0 : 200 + (uint32_t)(seq % 13) * 300);
}

static inline void
world_publish(world_t *w, uint32_t cnt) {
  help_t *h = &w->h;
  for (uint32_t i = 0; i < cnt; i++) {
    const uint16_t stream = (uint16_t)(1 + i % HELP_STREAM_CNT);
    help_record_t  rec;
    world_make(&rec, stream, h->header.epoch, ++h->seq[stream]);
    md_assert(help_put(h, (stream - 1u) / 2u, &rec) == MD_OK); /* the rings hold all of a life */
    w->published[stream][h->header.epoch] = h->seq[stream];
  }
}

/* Turns until all is durable; false after the test's patience. */
static inline bool
world_drain(world_t *w, bool stopping, uint32_t turn_max) {
  for (uint32_t i = 0; i < turn_max; i++) {
    world_turn(w);
    if (md_sink_journal.drained(w->h.state, stopping)) return true;
  }
  return false;
}

static inline void
world_stop(world_t *w) {
  if (!w->is_up) return;
  if (world_drain(w, true, WORLD_DRAIN_MAX)) w->ring_left = false;
  md_sink_journal.close(w->h.state);
  md_manifest_close(w->h.manifest);
  w->h.state = NULL;
  w->is_up   = false;
  if (w->disk.open_cnt != 0) world_wrong(w, "a stop left %u files open", w->disk.open_cnt);
}

/* ---- what the journal holds ---- */

static inline void
world_check_record(world_t *w, const md_record_t *rec, uint64_t last[][WORLD_EPOCH_CNT]) {
  if (rec->stream == 0 || rec->stream > HELP_STREAM_CNT || rec->epoch >= WORLD_EPOCH_CNT) {
    world_wrong(w, "a record of stream %u epoch %u was never published", rec->stream, rec->epoch);
    return;
  }
  if (rec->type == MD_RECORD_CHECKPOINT) return;
  uint64_t     *seq = &last[rec->stream][rec->epoch];
  help_record_t want;
  if (rec->type == MD_RECORD_LOSS)
    world_wrong(w, "stream %u epoch %u seq %" PRIu64 " is declared lost", rec->stream, rec->epoch,
                rec->seq);
  if (rec->seq != *seq + 1)
    world_wrong(w, "stream %u epoch %u: seq %" PRIu64 " comes after %" PRIu64, rec->stream,
                rec->epoch, rec->seq, *seq);
  *seq = rec->seq;
  world_make(&want, rec->stream, rec->epoch, rec->seq);
  if (rec->seq > w->published[rec->stream][rec->epoch])
    world_wrong(w, "stream %u epoch %u seq %" PRIu64 " was never published", rec->stream,
                rec->epoch, rec->seq);
  if (rec->len != want.head.len || memcmp(rec, &want, rec->len) != 0)
    world_wrong(w, "stream %u epoch %u seq %" PRIu64 " has other bytes", rec->stream, rec->epoch,
                rec->seq);
}

/* all: everything that was published must be there, else what was called durable. */
static inline void
world_check(world_t *w, bool all) {
  uint64_t             last[HELP_STREAM_CNT + 1][WORLD_EPOCH_CNT] = {0};
  md_journal_reader_t *r                                          = NULL;
  md_msg_t             msg                                        = {0};
  const md_record_t   *rec;
  md_err_t             err = md_journal_reader_open(w->h.dir, &r, &msg);
  if (err) {
    world_wrong(w, "the journal cannot be read: %.150s", msg.text);
    return;
  }
  while ((err = md_journal_reader_next(r, &rec, NULL, &msg)) == MD_OK)
    world_check_record(w, rec, last);
  if (err != MD_ERR_END) world_wrong(w, "the journal cannot be read: %.150s", msg.text);
  md_journal_damage_t damage;
  md_journal_reader_damage(r, &damage);
  md_journal_reader_close(r);
  if (damage.block_cnt > 0) world_wrong(w, "damage: %s", damage.first);
  for (uint32_t s = 1; s <= HELP_STREAM_CNT; s++)
    for (uint32_t e = 0; e < WORLD_EPOCH_CNT; e++) {
      const uint64_t want = all ? w->published[s][e] : w->durable[s][e];
      if (last[s][e] < want)
        world_wrong(w, "stream %u epoch %u ends at %" PRIu64 ", %s is %" PRIu64, s, e, last[s][e],
                    all ? "published" : "durable", want);
    }
}

#endif
