#include "writers/journal_sink.h"

#include <string.h>

/* ---- what is durable ---- */

static void
add_sample(md_journal_samples_t *samples, int64_t ns) {
  if (samples->cnt < MD_JOURNAL_SAMPLE_CNT) samples->ns[samples->cnt++] = ns;
}

static void
count_durable(md_journal_sink_t *s, const md_journal_point_t *to, md_journal_samples_t *samples) {
  uint64_t record_cnt = 0, lag_cnt = 0;
  for (uint32_t r = 0; r < s->env.ring_cnt; r++) {
    record_cnt += to->ring_handed_cnt[r] - s->durable.ring_handed_cnt[r];
    /* Relaxed: a figure for people. */
    uint64_t published_cnt = md_load_relaxed(&s->env.rings[r]->published_cnt);
    if (published_cnt > to->ring_handed_cnt[r]) lag_cnt += published_cnt - to->ring_handed_cnt[r];
  }
  md_count(s->env.metrics, MD_COUNTER_SINK_RECORDS, record_cnt);
  md_gauge(s->env.metrics, MD_COUNTER_SINK_LAG, lag_cnt);
  int64_t now_ns = md_clock_real_ns(s->env.clock);
  for (uint32_t i = 0; i < samples->cnt; i++)
    md_stage_add(s->env.metrics, MD_STAGE_DURABLE, now_ns - samples->ns[i]);
  samples->cnt = 0;
}

/* Everything up to `to` survives: say so, then give the rings back what they held for it. */
static void
advance_durable(md_journal_sink_t *s, const md_journal_point_t *to, md_journal_samples_t *samples) {
  count_durable(s, to, samples);
  for (uint32_t i = 0; i < s->streams.cnt; i++) {
    md_stream_row_t *row = s->row[i];
    uint64_t         seq = to->seq[i];
    if (!row || seq == s->durable.seq[i]) continue;
    md_store_release(&row->durable_seq, seq); /* R1: synced; pairs with A1 in shm/status.h */
  }
  for (uint32_t r = 0; r < s->env.ring_cnt; r++) {
    if (to->ring_read[r] != s->durable.ring_read[r])
      md_ring_release(&s->ring[r], to->ring_read[r], to->ring_handed_cnt[r]);
  }
  s->durable = *to;
  if (s->failed || s->hold) return; /* of what was on its way before: nothing works again yet */
  if (s->failure_cnt > 0)
    md_journal_say(s, "info", "journal: writing again after %llu failures",
                   (unsigned long long)s->failure_cnt);
  s->failure_cnt = 0;
  s->backoff_ns  = 0;
}

static void
advance_written(md_journal_sink_t *s, const md_journal_slot_t *slot) {
  s->written = slot->point;
  if (!slot->synced) add_sample(&s->written_ns, slot->oldest_ns);
  for (uint32_t i = 0; i < s->streams.cnt; i++) {
    md_stream_row_t *row = s->row[i];
    uint64_t         seq = s->written.seq[i];
    if (!row) continue;
    md_store_release(&row->written_seq, seq); /* R1: in the file; pairs with A1 in shm/status.h */
  }
  if (s->cfg.policy == MD_JOURNAL_NONE) advance_durable(s, &s->written, &s->written_ns);
}

/* ---- completions ---- */

void
md_journal_fail(md_journal_sink_t *s, const char *what) {
  md_count(s->env.metrics, MD_COUNTER_SINK_ERRORS, 1);
  if (s->failure_cnt == 0 && !s->failed)
    md_journal_say(s, "error",
                   "journal: segment %llu: %s; it is given up at byte %llu and the rest is written "
                   "again to a new one",
                   (unsigned long long)s->file.segment, what,
                   (unsigned long long)s->durable.end_off);
  s->failed = true;
}

/* Blocks may be done in any order; they count in the order in which they were closed. */
static void
drop_done_blocks(md_journal_sink_t *s) {
  uint32_t done_cnt = 0;
  while (done_cnt < s->queue_cnt && s->slot[s->queue[done_cnt]].state == MD_SLOT_WRITTEN) {
    md_journal_slot_t *slot = &s->slot[s->queue[done_cnt++]];
    advance_written(s, slot);
    slot->state = MD_SLOT_FREE;
  }
  if (done_cnt == 0) return;
  s->queue_cnt -= done_cnt;
  memmove(s->queue, s->queue + done_cnt, s->queue_cnt * sizeof s->queue[0]);
}

static void
write_done(md_io_op_t *op, int32_t result) {
  md_journal_slot_t *slot = op->ctx;
  md_journal_sink_t *s    = slot->sink;
  md_assert(slot->state == MD_SLOT_WRITING);
  slot->state = MD_SLOT_WRITTEN;
  if (s->failed) return;
  if (result < 0) {
    md_msg_t msg = {0};
    md_err_t err = md_fail_errno(&msg, -result, "write failed");
    md_journal_fail(s, msg.text);
    if (err == MD_ERR_NOSPACE) md_journal_space_wait(s, msg.text);
    return;
  }
  if ((uint32_t)result != slot->block_bytes) {
    md_journal_fail(s, "a write was cut short (no space left?)");
    return;
  }
  md_count(s->env.metrics, MD_COUNTER_SINK_BYTES, slot->block_bytes);
  md_count(s->env.metrics, MD_COUNTER_SINK_BATCHES, 1);
  drop_done_blocks(s);
}

static void
sync_done(md_io_op_t *op, int32_t result) {
  md_journal_sink_t *s = op->ctx;
  /* The sync of a write that failed was cancelled, or covers less than it was asked for. */
  if (s->failed && s->syncing.end_off > s->written.end_off) return;
  if (result < 0) {
    /* Never asked again on this file: the kernel may have forgotten the pages that it lost. */
    md_msg_t msg = {0};
    (void)md_fail_errno(&msg, -result, "fdatasync failed");
    md_journal_fail(s, msg.text);
    return;
  }
  md_count(s->env.metrics, MD_COUNTER_JOURNAL_SYNCS, 1);
  advance_durable(s, &s->syncing, &s->syncing_ns);
}

/* ---- starting ---- */

static void
take_point(const md_journal_sink_t *s, md_journal_point_t *out) {
  for (uint32_t r = 0; r < s->env.ring_cnt; r++) {
    out->ring_read[r]       = s->ring[r].read;
    out->ring_handed_cnt[r] = s->ring[r].handed_cnt;
  }
  memcpy(out->seq, s->streams.seq, sizeof out->seq);
  out->end_off = s->file.end_off;
}

/* No space is no failure of the segment: nothing was written, and it goes on where it stands. */
static bool
make_room(md_journal_sink_t *s, uint32_t block_bytes) {
  md_msg_t msg = {0};
  if (md_journal_file_has_room(&s->file, block_bytes)) return true;
  if (!md_journal_space_allows(s, block_bytes)) {
    md_journal_space_wait(s, "no space above journal.min_free");
    return false;
  }
  s->file.grow_bytes = md_journal_space_allows(s, MD_JOURNAL_GROW_BYTES) ? 0 : block_bytes;
  md_err_t err       = md_journal_file_reserve(&s->file, block_bytes, &msg);
  if (err == MD_ERR_NOSPACE)
    md_journal_space_wait(s, msg.text);
  else if (err)
    md_journal_fail(s, msg.text);
  return err == MD_OK;
}

/* Before a block: the manifest knows its instruments and the file has room. */
static bool
prepare_write(md_journal_sink_t *s, uint32_t block_bytes) {
  md_msg_t msg = {0};
  md_err_t err = md_manifest_sync(s->cfg.manifest, &msg);
  if (!err) return make_room(s, block_bytes);
  if (err == MD_ERR_NOSPACE) {
    md_journal_space_wait(s, msg.text);
    return false;
  }
  md_count(s->env.metrics, MD_COUNTER_SINK_ERRORS, 1);
  if (s->failure_cnt == 0) md_journal_say(s, "error", "journal: %s", msg.text);
  s->hold = true;
  md_journal_back_off(s);
  return false;
}

/* A ring that holds much for the sync to come would soon be full: then the interval is cut short.
 */
static bool
rings_press(const md_journal_sink_t *s) {
  for (uint32_t r = 0; r < s->env.ring_cnt; r++) {
    uint64_t held_bytes = s->written.ring_read[r] - s->durable.ring_read[r];
    if (held_bytes > s->env.rings[r]->capacity_bytes / 4) return true;
  }
  return false;
}

/* True when the sync of the next block may be linked to its write: it is due, and nothing else is
 * on its way that it would have to cover. */
static bool
may_link(const md_journal_sink_t *s, int64_t now_ns) {
  if (s->queue_cnt > 0 || s->sync_op.in_flight) return false;
  if (s->cfg.policy == MD_JOURNAL_BATCH) return true;
  if (s->cfg.policy == MD_JOURNAL_NONE) return false;
  return now_ns - s->sync_ns >= s->cfg.interval_ns || rings_press(s);
}

static void
begin_sync(md_journal_sink_t *s, const md_journal_point_t *to, int64_t now_ns) {
  s->syncing        = *to;
  s->syncing_ns     = s->written_ns;
  s->written_ns.cnt = 0;
  s->sync_ns        = now_ns;
  s->sync_op.done   = sync_done;
  s->sync_op.ctx    = s;
  md_err_t err      = md_io_sync(s->io, &s->sync_op, s->file.fd);
  md_assert(err == MD_OK); /* the loop has an entry for each slot and the sync */
}

bool
md_journal_flow_close(md_journal_sink_t *s) {
  if (s->filling < 0 || s->builder.record_cnt == 0) return true;
  if (s->failed || s->hold) return false;
  uint32_t           i    = (uint32_t)s->filling;
  md_journal_slot_t *slot = &s->slot[i];
  uint32_t block_bytes    = (uint32_t)md_align_up(s->builder.used_bytes, MD_JOURNAL_PAGE_BYTES);
  if (!prepare_write(s, block_bytes)) return false;
  md_journal_place_t place = {.segment     = s->file.segment,
                              .offset      = s->file.end_off,
                              .durable_off = s->durable.end_off,
                              .epoch       = s->epoch,
                              .durable_seq = s->durable.seq};
  slot->block_bytes        = md_journal_builder_finish(&s->builder, &s->streams, &place);
  md_assert(slot->block_bytes == block_bytes);
  slot->oldest_ns = s->builder.ts_first_ns;
  slot->op.done   = write_done;
  slot->op.ctx    = slot;
  slot->synced    = may_link(s, md_clock_mono_ns(s->env.clock));
  slot->op.link   = slot->synced;
  int      buffer = i < MD_JOURNAL_LARGE_SLOT ? (int)i : -1;
  md_err_t err =
      md_io_write(s->io, &slot->op, s->file.fd, slot->data, block_bytes, place.offset, buffer);
  md_assert(err == MD_OK); /* the loop has an entry for each slot and the sync */
  s->file.end_off += block_bytes;
  take_point(s, &slot->point);
  slot->state              = MD_SLOT_WRITING;
  s->queue[s->queue_cnt++] = i;
  s->filling               = -1;
  if (slot->synced) {
    begin_sync(s, &slot->point, md_clock_mono_ns(s->env.clock));
    add_sample(&s->syncing_ns, slot->oldest_ns);
  }
  return true;
}

static bool
all_synced(const md_journal_sink_t *s) {
  return s->written.end_off == s->durable.end_off;
}

void
md_journal_flow_turn(md_journal_sink_t *s, int64_t now_ns, bool flush) {
  if (s->failed || s->hold || s->file.fd < 0) return;
  const bool batch = s->cfg.policy == MD_JOURNAL_BATCH;
  const bool busy  = s->queue_cnt > 0 || s->sync_op.in_flight;
  if (s->filling >= 0 && s->builder.record_cnt > 0) {
    bool old = now_ns - s->filling_since_ns >= s->cfg.interval_ns;
    if (flush || (batch && !busy) || (!batch && old)) (void)md_journal_flow_close(s);
  }
  if (s->failed || s->sync_op.in_flight || all_synced(s)) return;
  if (s->cfg.policy == MD_JOURNAL_NONE) return;
  bool due = now_ns - s->sync_ns >= s->cfg.interval_ns;
  if (flush || batch || due || rings_press(s)) begin_sync(s, &s->written, now_ns);
}

bool
md_journal_flow_idle(const md_journal_sink_t *s) {
  if (s->filling >= 0 && s->builder.record_cnt > 0) return false;
  return s->queue_cnt == 0 && !s->sync_op.in_flight && all_synced(s) && !s->failed;
}

bool
md_journal_flow_in_flight(const md_journal_sink_t *s) {
  for (uint32_t i = 0; i <= MD_JOURNAL_LARGE_SLOT; i++) {
    if (s->slot[i].op.in_flight) return true;
  }
  return s->sync_op.in_flight;
}
