#include "bench/rig.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/bench.h"
#include "writers/journal_ahead.h"

#define RING_BYTES  (64ull << 20) /* the configuration's defaults */
#define INTERVAL_NS 10000000
#define BLOCK_BYTES (1u << 20)
#define IDLE_NS     1000000
#define KEPT_CNT    2u /* segments that are not given up: the current one and its predecessor */
#define SPARE_CNT   4u
#define RING_ALIGN  4096u
#define RAW_STREAM  (MD_BENCH_RIG_STREAM + 1)

extern const md_sink_t md_sink_journal;

static void
log_line(void *ctx, const char *level, const char *text) {
  (void)ctx;
  if (strcmp(level, "info") != 0) fprintf(stderr, "mdengine bench: %s\n", text);
}

static bool
open_journal(md_bench_rig_t *r, md_msg_t *msg) {
  md_err_t err = md_manifest_open(r->dir, true, true, &r->manifest, msg);
  if (!err) err = md_manifest_stream(r->manifest, "binance_spot", &r->row[0].stream, msg);
  if (!err) err = md_manifest_stream(r->manifest, "binance_spot.raw", &r->row[1].stream, msg);
  if (!err) err = md_manifest_epoch(r->manifest, 1, &r->header.epoch, msg);
  if (!err) md_assert(r->row[0].stream == MD_BENCH_RIG_STREAM);
  if (!err) err = md_ring_new(r->ring, "binance_spot.journal", 0, 0, r->header.epoch, RING_BYTES);
  if (err) return false;
  md_ring_producer_init(&r->producer, r->ring);
  r->cfg.manifest         = r->manifest;
  const md_sink_env_t env = {.segment     = &r->segment,
                             .rings       = &r->ring,
                             .ring_cnt    = 1,
                             .metrics     = r->metrics,
                             .clock       = md_clock_system(),
                             .journal_dir = r->dir,
                             .cfg         = &r->cfg,
                             .log         = log_line};
  return md_sink_journal.open(&env, &r->sink, msg) == MD_OK;
}

bool
md_bench_rig_new(md_bench_rig_t *r, const char *dir, const char *name, md_journal_policy_t policy,
                 uint64_t segment_bytes) {
  md_msg_t msg = {0};
  memset(r, 0, sizeof *r);
  (void)snprintf(r->dir, sizeof r->dir, "%.200s/%.60s", dir, name);
  r->metrics = aligned_alloc(MD_CACHE_BLOCK, md_align_up(sizeof *r->metrics, MD_CACHE_BLOCK));
  r->ring    = aligned_alloc(RING_ALIGN, md_align_up(md_ring_footprint(RING_BYTES), RING_ALIGN));
  r->header.section[MD_SECTION_STREAMS].cnt = 2;
  r->segment = (md_segment_t){.header = &r->header, .streams = r->row, .threads = &r->thread};
  r->cfg     = (md_journal_config_t){.dir           = r->dir,
                                     .policy        = policy,
                                     .interval_ns   = INTERVAL_NS,
                                     .segment_bytes = segment_bytes,
                                     .block_bytes   = BLOCK_BYTES,
                                     .ahead_bytes =
                                         segment_bytes + segment_bytes / 32 + MD_JOURNAL_ROOM_MIN};
  bool good  = r->metrics && r->ring;
  if (good) memset(r->metrics, 0, sizeof *r->metrics);
  if (good) memset(r->ring, 0, md_ring_footprint(RING_BYTES)); /* touched, as the engine does */
  good = good && open_journal(r, &msg);
  if (good) return true;
  md_bench_rig_delete(r);
  (void)snprintf(r->why, sizeof r->why, "%.190s", msg.text[0] ? msg.text : "no memory for a ring");
  return false;
}

void
md_bench_rig_close(md_bench_rig_t *r) {
  if (r->sink) md_sink_journal.close(r->sink);
  md_manifest_close(r->manifest);
  free(r->ring);
  free(r->metrics);
  r->sink     = NULL;
  r->manifest = NULL;
  r->ring     = NULL;
  r->metrics  = NULL;
}

void
md_bench_rig_delete(md_bench_rig_t *r) {
  char           path[600];
  struct dirent *e;
  md_bench_rig_close(r);
  DIR *d = opendir(r->dir);
  while (d && (e = readdir(d)) != NULL) {
    (void)snprintf(path, sizeof path, "%s/%s", r->dir, e->d_name);
    (void)unlink(path);
  }
  if (d) (void)closedir(d);
  (void)rmdir(r->dir);
}

/* ---- the producer ---- */

bool
md_bench_rig_put(md_bench_rig_t *r, uint32_t bytes, int64_t pub_ns) {
  _Alignas(8) uint8_t space[2048];
  md_record_t        *rec = (md_record_t *)(void *)space;
  const uint32_t      len = bytes - (uint32_t)(sizeof *rec + sizeof(md_raw_t));
  md_assert(bytes <= sizeof space && bytes % 8 == 0 && bytes > sizeof *rec + sizeof(md_raw_t));
  if (md_ring_free_bytes(&r->producer) < 4 * sizeof space) return false;
  *rec               = (md_record_t){.len        = (uint16_t)bytes,
                                     .type       = MD_RECORD_RAW,
                                     .leg        = MD_LEG_NONE,
                                     .flags      = MD_FLAG_LAST,
                                     .stream     = RAW_STREAM,
                                     .epoch      = r->header.epoch,
                                     .seq        = ++r->seq,
                                     .ts_exch_ns = MD_NULL_I64,
                                     .ts_pub_ns  = pub_ns};
  const md_raw_t raw = {.kind = MD_RAW_TEXT_IN, .part_len = len, .total_len = len};
  memcpy(rec + 1, &raw, sizeof raw);
  memset(space + sizeof *rec + sizeof raw, (int)(r->seq & 0x7f), len);
  return md_ring_write_group(&r->producer, rec, 1, bytes) == MD_OK;
}

static void
answer(md_bench_rig_t *r, uint64_t request) {
  struct {
    md_record_t     head;
    md_checkpoint_t body;
  } out = {.head = {.len        = sizeof out,
                    .type       = MD_RECORD_CHECKPOINT,
                    .leg        = MD_LEG_NONE,
                    .flags      = MD_FLAG_LAST,
                    .stream     = RAW_STREAM,
                    .epoch      = r->header.epoch,
                    .seq        = r->seq,
                    .ts_exch_ns = MD_NULL_I64},
           .body = {.inner = MD_CHECKPOINT_BEGIN, .request = request}};
  if (md_ring_write_group(&r->producer, &out.head, 1, sizeof out) == MD_OK) r->answered = request;
}

void
md_bench_rig_publish(md_bench_rig_t *r) {
  uint64_t request = md_load_relaxed(&r->ring->checkpoint_request); /* a number by itself */
  if (request != r->answered) answer(r, request);
  md_ring_publish(&r->producer);
}

/* ---- the sink ---- */

bool
md_bench_rig_turn(md_bench_rig_t *r) {
  return md_sink_journal.turn(r->sink, IDLE_NS) >= 0;
}

bool
md_bench_rig_drain(md_bench_rig_t *r) {
  int64_t end_ns = md_bench_now_ns() + 10000000000;
  while (!md_sink_journal.drained(r->sink, false)) {
    md_bench_rig_publish(r); /* a roll may wait for its answer */
    if (!md_bench_rig_turn(r) || md_bench_now_ns() > end_ns) return false;
  }
  return true;
}

uint64_t
md_bench_rig_durable(const md_bench_rig_t *r) {
  return md_load_relaxed(&r->row[1].durable_seq); /* asked by the thread that stores it */
}

void
md_bench_rig_retire(md_bench_rig_t *r) {
  md_msg_t msg;
  uint64_t made = md_load_relaxed(&r->metrics->counter[MD_COUNTER_JOURNAL_SEGMENTS]); /* a hint */
  while (r->retired + KEPT_CNT < made) {
    if (md_journal_retire(NULL, r->dir, r->retired + 1, SPARE_CNT, &msg) != MD_OK) return;
    r->retired++;
  }
}

bool
md_bench_rig_record(md_bench_rig_t *r, md_bench_source_t *s, uint64_t bytes) {
  bool good = md_bench_source_recorded(s, 1, false, r->ring);
  if (!good) (void)snprintf(r->why, sizeof r->why, "%.190s", s->world.why);
  /* Relaxed: counted by this thread. */
  while (good && md_load_relaxed(&r->metrics->counter[MD_COUNTER_SINK_BYTES]) < bytes) {
    md_bench_source_fill(s, 1);
    for (uint32_t i = 0; i < MD_BENCH_BATCH_CNT; i++)
      md_bench_source_handle(s, i);
    good = md_bench_rig_turn(r);
  }
  int64_t end_ns = md_bench_now_ns() + 10000000000;
  while (good && !md_sink_journal.drained(r->sink, true))
    good = md_bench_rig_turn(r) && md_bench_now_ns() < end_ns;
  if (!good && !r->why[0]) (void)snprintf(r->why, sizeof r->why, "the journal does not take it");
  return good;
}
