/* The journal as a sink: opens where the last segment ended, then each turn takes, writes, syncs
 * and releases. What it shares with its other files is in writers/journal_sink.h. */
#include "writers/journal_sink.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern const md_sink_t md_sink_journal;

#define IO_ENTRY_CNT 32u
#define MEMORY_BYTES ((size_t)MD_JOURNAL_SLOTS_BYTES + MD_BLOCK_BYTES_MAX)
#define SEGMENT_MIN  (1u << 16)

_Static_assert(IO_ENTRY_CNT > MD_JOURNAL_SLOT_CNT + 2, "an entry for each slot and the sync");

/* ---- open ---- */

/* Slots stand one behind the other, as many as there is memory for: a disk likes several writes in
 * hand. The large one is last, and its pages are touched by the first large group only. */
static md_err_t
open_memory(md_journal_sink_t *s, md_msg_t *msg) {
  void *memory =
      mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return md_fail(msg, MD_ERR_NOMEM, "no memory for the journal's blocks");
  s->memory = memory;
  memset(s->memory, 0, MD_JOURNAL_SLOTS_BYTES);
  uint32_t cap_bytes = s->cfg.block_bytes;
  if (cap_bytes == 0 || cap_bytes > MD_JOURNAL_SLOT_BYTES) cap_bytes = MD_JOURNAL_SLOT_BYTES;
  cap_bytes = (uint32_t)md_align_up(cap_bytes, MD_JOURNAL_PAGE_BYTES);
  if (cap_bytes < 2 * MD_JOURNAL_PAGE_BYTES) cap_bytes = 2 * MD_JOURNAL_PAGE_BYTES;
  s->slot_cnt = MD_JOURNAL_SLOTS_BYTES / cap_bytes;
  if (s->slot_cnt > MD_JOURNAL_SLOT_CNT) s->slot_cnt = MD_JOURNAL_SLOT_CNT;
  for (uint32_t i = 0; i < s->slot_cnt; i++)
    s->slot[i] = (md_journal_slot_t){
        .sink = s, .data = s->memory + (size_t)i * cap_bytes, .cap_bytes = cap_bytes};
  s->slot[MD_JOURNAL_LARGE_SLOT] = (md_journal_slot_t){
      .sink = s, .data = s->memory + MD_JOURNAL_SLOTS_BYTES, .cap_bytes = MD_BLOCK_BYTES_MAX};
  return MD_OK;
}

static md_err_t
open_io(md_journal_sink_t *s, md_msg_t *msg) {
  void  *buffers[MD_JOURNAL_SLOT_CNT];
  size_t buffer_bytes[MD_JOURNAL_SLOT_CNT];
  for (uint32_t i = 0; i < s->slot_cnt; i++) {
    buffers[i]      = s->slot[i].data;
    buffer_bytes[i] = s->slot[i].cap_bytes;
  }
  md_io_config_t cfg = {.entry_cnt    = IO_ENTRY_CNT,
                        .disk         = s->cfg.disk,
                        .buffers      = buffers,
                        .buffer_bytes = buffer_bytes,
                        .buffer_cnt   = s->slot_cnt};
  return md_sink_open_io(&s->env, &cfg, &s->io, msg);
}

static md_err_t
open_streams(md_journal_sink_t *s, md_msg_t *msg) {
  const md_sink_env_t *env = &s->env;
  s->streams.slot          = calloc(MD_JOURNAL_STREAM_SLOTS, 1);
  if (!s->streams.slot) return md_fail(msg, MD_ERR_NOMEM, "no memory for the journal's streams");
  uint32_t cnt = env->segment->header->section[MD_SECTION_STREAMS].cnt;
  for (uint32_t i = 0; i < cnt; i++) {
    md_stream_row_t *row = &env->segment->streams[i];
    int              idx = md_journal_streams_index(&s->streams, row->stream);
    if (idx < 0) return md_fail(msg, MD_ERR_FULL, "more than %u streams", MD_STREAM_CNT_MAX);
    s->row[idx] = row;
  }
  s->sub_cap = s->streams.cnt + MD_JOURNAL_SPARE_SUBS;
  if (s->sub_cap > MD_JOURNAL_SUB_CNT) s->sub_cap = MD_JOURNAL_SUB_CNT;
  return MD_OK;
}

/* The journal is whole: recovery ran before. Its last segment says where every stream stands. */
static md_err_t
open_end(md_journal_sink_t *s, md_msg_t *msg) {
  uint64_t *ids = NULL;
  uint32_t  cnt = 0;
  md_err_t  err = md_journal_list(s->cfg.disk, s->cfg.dir, &ids, &cnt, msg);
  if (err) return err;
  uint64_t last = cnt ? ids[cnt - 1] : 0;
  free(ids);
  md_journal_unlink_unfinished(s->cfg.disk, s->cfg.dir);
  s->next_segment = md_manifest_last_segment(s->cfg.manifest) + 1;
  if (last >= s->next_segment) s->next_segment = last + 1;
  if (last == 0) return MD_OK;
  md_journal_scan_t *scan = malloc(sizeof *scan);
  if (!scan) return md_fail(msg, MD_ERR_NOMEM, "no memory to read the last segment");
  err = md_journal_scan_segment(s->cfg.disk, s->cfg.dir, last, 0, scan, msg);
  if (!err) {
    s->marks        = scan->marks;
    s->prev_segment = last;
    s->prev_bytes   = scan->valid_end;
  }
  free(scan);
  return err;
}

static md_err_t
open_ahead(md_journal_sink_t *s, md_msg_t *msg) {
  if (s->cfg.ahead_bytes == 0) return MD_OK;
  md_journal_ahead_config_t cfg = {.disk  = s->cfg.disk,
                                   .dir   = s->cfg.dir,
                                   .bytes = md_align_up(s->cfg.ahead_bytes, MD_JOURNAL_PAGE_BYTES)};
  md_err_t                  err = md_journal_ahead_open(&cfg, &s->ahead, msg);
  if (!err && md_journal_space_allows(s, cfg.bytes)) md_journal_ahead_first(s->ahead);
  return err;
}

static void
open_rings(md_journal_sink_t *s) {
  for (uint32_t r = 0; r < s->env.ring_cnt; r++)
    md_ring_consumer_init(&s->ring[r], s->env.rings[r]);
  for (uint32_t r = 0; r < s->env.ring_cnt; r++) {
    s->durable.ring_read[r]       = s->ring[r].read;
    s->durable.ring_handed_cnt[r] = s->ring[r].handed_cnt;
  }
  for (uint32_t i = 0; i < s->streams.cnt; i++) {
    s->streams.seq[i] = md_journal_marks_seq(&s->marks, s->streams.id[i], s->epoch);
    s->durable.seq[i] = s->streams.seq[i];
  }
  s->written = s->durable;
}

static void
journal_close(void *state) {
  md_journal_sink_t *s = state;
  if (!s) return;
  /* The kernel may still read the blocks: not before it is done do they go away. */
  for (uint32_t i = 0; i < 10000 && s->io && md_journal_flow_in_flight(s); i++) {
    if (md_io_turn(s->io, 1000000) < 0) break;
  }
  if (s->file.fd >= 0) {
    md_msg_t msg   = {0};
    uint64_t bytes = s->file.end_off; /* not drained: what was not synced stays for recovery */
    if (md_journal_flow_idle(s)) bytes = md_journal_file_seal(&s->file, s->epoch, s->memory);
    if (md_journal_file_finish(&s->file, bytes, &msg) != MD_OK)
      md_journal_say(s, "error", "journal: %s", msg.text);
  }
  md_journal_ahead_close(s->ahead);
  md_io_close(s->io);
  if (s->memory) (void)munmap(s->memory, MEMORY_BYTES);
  free(s->streams.slot);
  free(s);
}

static md_err_t
journal_open(const md_sink_env_t *env, void **state, md_msg_t *msg) {
  const md_journal_config_t *cfg = env->cfg;
  if (env->ring_cnt > MD_FEED_CNT_MAX)
    return md_fail(msg, MD_ERR_RANGE, "more than %u feeds for one journal", MD_FEED_CNT_MAX);
  md_journal_sink_t *s = calloc(1, sizeof *s);
  if (!s) return md_fail(msg, MD_ERR_NOMEM, "no memory for the journal's writer");
  s->env          = *env;
  s->cfg          = *cfg;
  s->epoch        = env->segment->header->epoch;
  s->file.fd      = -1;
  s->filling      = -1;
  s->stands_alone = true; /* the feeds begin an epoch with their definitions */
  if (s->cfg.segment_bytes < SEGMENT_MIN) s->cfg.segment_bytes = SEGMENT_MIN;
  md_err_t err = open_memory(s, msg);
  if (!err) err = open_io(s, msg);
  if (!err) err = open_streams(s, msg);
  if (!err) err = open_end(s, msg);
  if (!err) err = open_ahead(s, msg);
  if (!err) {
    md_journal_space_turn(s, md_clock_mono_ns(s->env.clock));
    open_rings(s);
    err = md_journal_roll_open(s, msg);
  }
  if (err) {
    journal_close(s);
    return err;
  }
  *state = s;
  return MD_OK;
}

/* ---- turn ---- */

/* How long an idle turn may sleep: to the next thing that the clock wants. What the kernel has in
 * hand ends the sleep by itself. */
static int64_t
sleep_ns(const md_journal_sink_t *s, int64_t now_ns, int64_t wait_ns) {
  int64_t until = INT64_MAX;
  if (s->failed || s->hold || s->file.fd < 0) {
    until = s->retry_ns;
  } else if (s->cfg.policy != MD_JOURNAL_BATCH) {
    if (s->filling >= 0 && s->builder.record_cnt > 0)
      until = s->filling_since_ns + s->cfg.interval_ns;
    bool unsynced = s->written.end_off != s->durable.end_off && !s->sync_op.in_flight;
    if (unsynced && s->sync_ns + s->cfg.interval_ns < until)
      until = s->sync_ns + s->cfg.interval_ns;
  }
  if (until > now_ns + wait_ns) return wait_ns;
  return until < now_ns ? 0 : until - now_ns;
}

static int
journal_turn(void *state, int64_t wait_ns) {
  md_journal_sink_t *s    = state;
  int                done = md_io_turn(s->io, 0);
  if (done < 0) return done;
  const int64_t now_ns = md_clock_mono_ns(s->env.clock);
  md_journal_roll_turn(s, now_ns);
  uint32_t taken = md_journal_take(s);
  md_journal_flow_turn(s, now_ns, s->stopping || s->roll.ready);
  int more = md_io_turn(s->io, taken == 0 && done == 0 ? sleep_ns(s, now_ns, wait_ns) : 0);
  if (more < 0) return more;
  return done + more + (int)taken;
}

static bool
journal_drained(void *state, bool stopping) {
  md_journal_sink_t *s = state;
  s->stopping          = stopping;
  if (!md_journal_flow_idle(s) || s->file.fd < 0 || s->roll.wanted) return false;
  for (uint32_t r = 0; r < s->env.ring_cnt; r++) {
    md_ring_consumer_t probe = s->ring[r];
    if (md_ring_next(&probe)) return false;
  }
  return !stopping || !md_journal_owes_loss(s);
}

const md_sink_t md_sink_journal = {.name    = "journal",
                                   .open    = journal_open,
                                   .turn    = journal_turn,
                                   .drained = journal_drained,
                                   .close   = journal_close};
