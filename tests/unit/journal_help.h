/* journal_help.h - what the journal's tests share: a directory of their own, a segment and rings on
 * the heap, records of every kind, and a sink that is turned by hand. One thread. */
#ifndef TESTS_UNIT_JOURNAL_HELP_H
#define TESTS_UNIT_JOURNAL_HELP_H

#include "shm/ring.h"
#include "writers/journal.h"
#include "writers/sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const md_sink_t md_sink_journal;

#define HELP_RING_CNT   2u
#define HELP_STREAM_CNT 4u /* ring r has the streams 2r + 1 (normalised) and 2r + 2 (raw) */
#define HELP_RING_BYTES (1u << 20)

typedef struct help {
  char                dir[64];
  md_manifest_t      *manifest;
  md_segment_header_t header;
  md_thread_row_t     thread;
  md_stream_row_t     stream[HELP_STREAM_CNT];
  md_segment_t        segment;
  md_metrics_t       *metrics;
  md_ring_t          *ring[HELP_RING_CNT];
  md_ring_producer_t  producer[HELP_RING_CNT];
  md_clock_manual_t   time;
  md_clock_t          clock;
  md_journal_config_t cfg;
  void               *state, *dead; /* dead: one that was killed; closed with the directory */
  uint64_t            seq[HELP_STREAM_CNT + 1]; /* last one written, by stream id */
  uint32_t            error_cnt, warn_cnt;
  char                last_text[700];
} help_t;

static inline void
help_remove_dir(const char *dir) {
  char command[200];
  (void)snprintf(command, sizeof command, "rm -rf -- '%s'", dir);
  md_assert(system(command) == 0);
}

static inline void
help_dir(char out[64]) {
  (void)snprintf(out, 64, "/tmp/mdengine-journal-XXXXXX");
  md_assert(mkdtemp(out) != NULL);
}

static inline void
help_log(void *ctx, const char *level, const char *text) {
  help_t *h = ctx;
  if (strcmp(level, "error") == 0) h->error_cnt++;
  if (strcmp(level, "warn") == 0) h->warn_cnt++;
  (void)snprintf(h->last_text, sizeof h->last_text, "%s", text);
}

/* In a directory of the caller, with what it holds already. */
static inline void
help_init_at(help_t *h, const char *dir, md_journal_policy_t policy) {
  static const char *const names[HELP_STREAM_CNT] = {"alpha", "alpha.raw", "beta", "beta.raw"};
  memset(h, 0, sizeof *h);
  (void)snprintf(h->dir, sizeof h->dir, "%s", dir);
  h->time  = (md_clock_manual_t){.real_ns = 1700000001000000000, .mono_ns = 1000000000};
  h->clock = md_clock_manual(&h->time);
  md_assert(md_manifest_open(h->dir, true, true, &h->manifest, NULL) == MD_OK);
  for (uint32_t i = 0; i < HELP_STREAM_CNT; i++) {
    md_assert(md_manifest_stream(h->manifest, names[i], &h->stream[i].stream, NULL) == MD_OK);
    md_assert(h->stream[i].stream == i + 1);
  }
  h->metrics = aligned_alloc(MD_CACHE_BLOCK, md_align_up(sizeof *h->metrics, MD_CACHE_BLOCK));
  memset(h->metrics, 0, sizeof *h->metrics);
  h->header.section[MD_SECTION_STREAMS].cnt = HELP_STREAM_CNT;
  h->segment.header                         = &h->header;
  h->segment.streams                        = h->stream;
  h->segment.threads                        = &h->thread;
  for (uint32_t r = 0; r < HELP_RING_CNT; r++)
    h->ring[r] = aligned_alloc(MD_CACHE_BLOCK, md_ring_footprint(HELP_RING_BYTES));
  h->cfg = (md_journal_config_t){.dir           = h->dir,
                                 .policy        = policy,
                                 .interval_ns   = 10000000,
                                 .segment_bytes = 1ull << 30,
                                 .block_bytes   = 1u << 20,
                                 .manifest      = h->manifest};
}

static inline void
help_init(help_t *h, md_journal_policy_t policy) {
  char dir[sizeof h->dir];
  help_dir(dir);
  help_init_at(h, dir, policy);
}

/* A new epoch with new, empty rings. */
static inline void
help_epoch(help_t *h) {
  md_assert(md_manifest_epoch(h->manifest, h->time.real_ns, &h->header.epoch, NULL) == MD_OK);
  for (uint32_t r = 0; r < HELP_RING_CNT; r++) {
    md_assert(md_ring_new(h->ring[r], r ? "beta.journal" : "alpha.journal", (uint16_t)r, 0,
                          h->header.epoch, HELP_RING_BYTES) == MD_OK);
    md_ring_producer_init(&h->producer[r], h->ring[r]);
  }
  memset(h->seq, 0, sizeof h->seq);
}

static inline md_err_t
help_open(help_t *h, md_msg_t *msg) {
  md_sink_env_t env = {.segment     = &h->segment,
                       .rings       = h->ring,
                       .ring_cnt    = HELP_RING_CNT,
                       .metrics     = h->metrics,
                       .clock       = &h->clock,
                       .journal_dir = h->dir,
                       .cfg         = &h->cfg,
                       .log         = help_log,
                       .log_ctx     = h};
  return md_sink_journal.open(&env, &h->state, msg);
}

static inline void
help_turn(help_t *h) {
  md_assert(md_sink_journal.turn(h->state, 50000) >= 0);
  h->time.mono_ns += 1000000;
  h->time.real_ns += 1000000;
}

static inline bool
help_drain(help_t *h, bool stopping) {
  for (uint32_t i = 0; i < 20000; i++) {
    help_turn(h);
    if (md_sink_journal.drained(h->state, stopping)) return true;
  }
  return false;
}

static inline void
help_close(help_t *h) {
  md_sink_journal.close(h->state);
  h->state = NULL;
}

static inline void
help_fini(help_t *h) {
  if (h->state) help_close(h);
  help_remove_dir(h->dir);
  md_sink_journal.close(h->dead);
  md_manifest_close(h->manifest);
  for (uint32_t r = 0; r < HELP_RING_CNT; r++)
    free(h->ring[r]);
  free(h->metrics);
}

/* ---- records ---- */

typedef struct help_record {
  md_record_t head;
  uint8_t     body[MD_RECORD_BYTES_MAX - sizeof(md_record_t)];
} help_record_t;

/* A record of type with body_bytes behind the header (at least the type's body), filled from seq.
 */
static inline void
help_make(help_record_t *out, unsigned type, uint16_t stream, uint32_t epoch, uint64_t seq,
          uint32_t body_bytes) {
  const md_record_info_t *info = md_record_info(type);
  uint32_t                more = body_bytes > info->body_bytes ? body_bytes - info->body_bytes : 0;
  uint32_t len = (uint32_t)md_align_up(sizeof out->head + info->body_bytes + more, 8);
  memset(out, 0, len);
  out->head.len        = (uint16_t)len;
  out->head.type       = (uint8_t)type;
  out->head.leg        = MD_LEG_NONE;
  out->head.flags      = MD_FLAG_LAST;
  out->head.stream     = stream;
  out->head.epoch      = epoch;
  out->head.seq        = seq;
  out->head.ts_exch_ns = MD_NULL_I64;
  out->head.ts_pub_ns  = 1700000000000000000 + (int64_t)seq;
  for (uint32_t i = info->body_bytes; i < len - sizeof out->head; i++)
    out->body[i] = (uint8_t)(seq * 31 + i);
  if (type == MD_RECORD_TRADE) {
    md_trade_t trade = {.px = (int64_t)seq, .qty = 1, .trade_id = seq};
    memcpy(out->body, &trade, sizeof trade);
  }
}

static inline md_err_t
help_put(help_t *h, uint32_t ring, const help_record_t *rec) {
  md_err_t err = md_ring_write_group(&h->producer[ring], &rec->head, 1, rec->head.len);
  md_ring_publish(&h->producer[ring]);
  return err;
}

/* The next trade of ring's normalised stream. */
static inline md_err_t
help_trade(help_t *h, uint32_t ring) {
  help_record_t  rec;
  const uint16_t stream = (uint16_t)(2 * ring + 1);
  help_make(&rec, MD_RECORD_TRADE, stream, h->header.epoch, ++h->seq[stream], 0);
  return help_put(h, ring, &rec);
}

static inline void
help_trades(help_t *h, uint32_t ring, uint32_t cnt) {
  for (uint32_t i = 0; i < cnt; i++)
    md_assert(help_trade(h, ring) == MD_OK);
}

/* As help_trades, or nothing while the ring is half full: a disk that is busy with the writes of
 * others may take longer than the turns of a test do. */
static inline void
help_more_trades(help_t *h, uint32_t ring, uint32_t cnt) {
  if (md_ring_free_bytes(&h->producer[ring]) > HELP_RING_BYTES / 2) help_trades(h, ring, cnt);
}

static inline void
help_checkpoint(help_t *h, uint32_t ring, uint64_t request, unsigned inner) {
  help_record_t  rec;
  const uint16_t stream = (uint16_t)(2 * ring + 1);
  help_make(&rec, MD_RECORD_CHECKPOINT, stream, h->header.epoch, h->seq[stream], 0);
  md_checkpoint_t body = {.inner = (uint8_t)inner, .request = request};
  memcpy(rec.body, &body, sizeof body);
  md_assert(help_put(h, ring, &rec) == MD_OK);
}

/* ---- reading back ---- */

/* Counts what the journal holds of each stream and epoch, and whether each is without holes: LOSS
 * counts as its range. */
typedef struct help_tally {
  uint64_t            record_cnt, loss_cnt, checkpoint_cnt;
  uint64_t            last[HELP_STREAM_CNT + 1][4]; /* by stream and epoch */
  uint64_t            hole_cnt, repeat_cnt;
  md_journal_damage_t damage;
} help_tally_t;

static inline void
help_tally_record(help_tally_t *t, const md_record_t *rec) {
  t->record_cnt++;
  md_assert(rec->stream <= HELP_STREAM_CNT);
  md_assert(rec->epoch < 4);
  uint64_t *last = &t->last[rec->stream][rec->epoch];
  if (rec->type == MD_RECORD_CHECKPOINT) {
    t->checkpoint_cnt++;
    return;
  }
  uint64_t first = rec->seq, end = rec->seq;
  if (rec->type == MD_RECORD_LOSS) {
    md_loss_t loss;
    memcpy(&loss, md_record_body_const(rec), sizeof loss);
    first = loss.seq_first;
    end   = loss.seq_last;
    t->loss_cnt++;
  }
  if (first <= *last) t->repeat_cnt++;
  if (first > *last + 1) t->hole_cnt++;
  if (end > *last) *last = end;
}

static inline help_tally_t
help_read(const char *dir) {
  help_tally_t         t = {0};
  md_journal_reader_t *r = NULL;
  const md_record_t   *rec;
  md_assert(md_journal_reader_open(dir, &r, NULL) == MD_OK);
  while (md_journal_reader_next(r, &rec, NULL, NULL) == MD_OK)
    help_tally_record(&t, rec);
  md_journal_reader_damage(r, &t.damage);
  md_journal_reader_close(r);
  return t;
}

#endif
