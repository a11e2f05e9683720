#include "writers/journal.h"
#include "writers/journal_file.h"
#include "writers/journal_scan.h"
#include "writers/journal_write.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BLOCK_BYTES (1u << 20) /* a block is closed above this */

/* What recovery works with: the end of the journal, and the segment it appends when rings hold
 * more. */
typedef struct recover {
  const md_journal_config_t *cfg;
  const md_clock_t          *clock;
  md_recovery_t             *out;
  md_journal_marks_t         marks;
  uint64_t                   last_segment, last_bytes; /* the predecessor of what is appended */
  md_journal_file_t          file;
  md_journal_streams_t       streams;
  md_journal_builder_t       builder;
  uint8_t                   *memory; /* of one block */
  uint32_t                   epoch;  /* of the dead engine */
} recover_t;

/* ---- the files ---- */

static md_err_t
cut_tail(recover_t *r, const md_journal_scan_t *scan, md_msg_t *msg) {
  char path[MD_JOURNAL_PATH_BYTES];
  md_journal_path(r->cfg->dir, scan->info.id, path);
  const md_disk_t *disk = r->cfg->disk;
  int              fd   = md_disk_open(disk, path, O_RDWR, 0);
  if (fd < 0) return md_fail_errno(msg, -fd, "cannot open %s", path);
  int rc = md_disk_truncate(disk, fd, scan->valid_end);
  if (rc >= 0) rc = md_disk_fsync(disk, fd);
  (void)md_disk_close(disk, fd);
  return rc >= 0 ? MD_OK : md_fail_errno(msg, -rc, "cannot cut the torn end of %s", path);
}

/* Only the last segment can have a torn end. An earlier one is read only when the last one's
 * header, which says where every stream stands, is damaged. */
static md_err_t
check_segments(recover_t *r, const uint64_t *ids, uint32_t cnt, md_msg_t *msg) {
  md_journal_scan_t *scan = malloc(sizeof *scan);
  if (!scan) return md_fail(msg, MD_ERR_NOMEM, "no memory to read the journal's segments");
  const md_disk_t  *disk = r->cfg->disk;
  const char       *dir  = r->cfg->dir;
  md_journal_head_t head;
  uint32_t          first = cnt - 1;
  md_err_t          err   = md_journal_head_read(disk, dir, ids[first], NULL, &head);
  while (first > 0 && err && err != MD_ERR_IO)
    err = md_journal_head_read(disk, dir, ids[--first], NULL, &head);
  if (err == MD_ERR_IO)
    err = md_fail(msg, err, "cannot read the header of a segment in %s", dir);
  else
    err = MD_OK;
  for (uint32_t i = first; i < cnt && !err; i++) {
    uint64_t limit = 0;
    err            = md_journal_limit_of(disk, dir, ids, cnt, i, &limit);
    if (err) err = md_fail(msg, err, "cannot read the header of a segment in %s", dir);
    if (!err) err = md_journal_scan_segment(disk, dir, ids[i], limit, scan, msg);
    if (err) break;
    r->out->damaged_blocks += scan->info.damaged_cnt;
    for (uint32_t m = 0; m < scan->marks.cnt; m++)
      md_journal_marks_put(&r->marks, scan->marks.row[m].stream, scan->marks.row[m].epoch,
                           scan->marks.row[m].seq);
    if (i + 1 < cnt) continue;
    r->out->torn_bytes = scan->info.torn_bytes;
    r->last_segment    = ids[i];
    r->last_bytes      = scan->valid_end;
    if (scan->file_bytes > scan->valid_end) err = cut_tail(r, scan, msg);
  }
  free(scan);
  return err;
}

/* ---- what is appended ---- */

static md_err_t
open_append(recover_t *r, md_msg_t *msg) {
  uint64_t id = md_manifest_last_segment(r->cfg->manifest);
  if (r->last_segment > id) id = r->last_segment;
  md_journal_head_t head = {.segment      = id + 1,
                            .epoch        = r->epoch,
                            .created_ns   = md_clock_real_ns(r->clock),
                            .prev_segment = r->last_segment,
                            .prev_bytes   = r->last_bytes};
  memcpy(head.uuid, md_manifest_uuid(r->cfg->manifest), sizeof head.uuid);
  md_journal_marks_to_head(&r->marks, &head);
  md_err_t err =
      md_journal_file_create(&r->file, r->cfg->disk, r->cfg->dir, &head, BLOCK_BYTES, msg);
  if (err) return err;
  r->out->segment_cnt++;
  return md_manifest_segment(r->cfg->manifest, head.segment, head.epoch, head.created_ns, msg);
}

static md_err_t
write_block(recover_t *r, md_msg_t *msg) {
  if (r->builder.record_cnt == 0) return MD_OK;
  md_err_t err = md_manifest_sync(r->cfg->manifest, msg);
  if (!err && r->file.fd < 0) err = open_append(r, msg);
  if (err) return err;
  md_journal_place_t place = {.segment     = r->file.segment,
                              .offset      = r->file.end_off,
                              .durable_off = r->file.end_off,
                              .epoch       = r->epoch};
  r->out->drained_records += r->builder.record_cnt;
  r->out->drained_bytes += r->builder.used_bytes - r->builder.header_bytes;
  uint32_t block_bytes = md_journal_builder_finish(&r->builder, &r->streams, &place);
  err                  = md_journal_file_reserve(&r->file, block_bytes, msg);
  if (err) return err;
  int rc = md_disk_pwrite_all(r->cfg->disk, r->file.fd, r->memory, block_bytes, place.offset);
  if (rc >= 0) rc = md_disk_fdatasync(r->cfg->disk, r->file.fd);
  if (rc < 0)
    return md_fail_errno(msg, -rc, "cannot write what the stopped engine left to %s", r->cfg->dir);
  r->file.end_off += block_bytes;
  md_journal_builder_begin(&r->builder, r->memory, MD_BLOCK_BYTES_MAX, MD_JOURNAL_SUB_CNT);
  return MD_OK;
}

static md_err_t
note_definition(recover_t *r, const md_record_t *rec, md_msg_t *msg) {
  const uint8_t *body = md_record_body_const(rec);
  if (rec->type == MD_RECORD_CHECKPOINT) {
    if (((const md_checkpoint_t *)(const void *)body)->inner != MD_CHECKPOINT_DEFINITION)
      return MD_OK;
    body += sizeof(md_checkpoint_t);
  } else if (rec->type != MD_RECORD_DEFINITION) {
    return MD_OK;
  }
  const md_definition_t *d    = (const md_definition_t *)(const void *)body;
  const char            *feed = md_manifest_stream_name(r->cfg->manifest, rec->stream);
  md_err_t err = md_manifest_instrument_add(r->cfg->manifest, rec->instrument, feed ? feed : "?",
                                            d->symbol, msg);
  return err == MD_ERR_EXISTS || err == MD_ERR_RANGE ? MD_OK : err;
}

/* ---- the rings ---- */

/* Appends a LOSS for the stretch behind the stream's last seq up to seq_last. */
static void
declare_loss(recover_t *r, uint32_t idx, const md_ring_loss_t *loss, const md_record_t *next,
             md_reason_t reason) {
  md_ring_loss_record_t out;
  int64_t               recv_ns = next ? next->ts_recv_ns : md_clock_real_ns(r->clock);
  int64_t               pub_ns  = next ? next->ts_pub_ns : recv_ns;
  md_ring_loss_record(loss, r->epoch, recv_ns, pub_ns, reason, &out);
  md_journal_range_t range = md_journal_range_of(&out.head);
  (void)md_journal_streams_settle(&r->streams, idx, range);
  md_journal_builder_add(&r->builder, idx, &out.head, range);
}

/* A stretch that neither the journal nor the ring has: it cannot be by protocol, so if it is, it is
 * said. */
static void
declare_hole(recover_t *r, uint32_t idx, const md_record_t *rec, uint64_t seq_last) {
  const uint64_t       last = r->streams.seq[idx];
  const md_ring_loss_t hole = {.seq_first  = last + 1,
                               .seq_last   = seq_last,
                               .record_cnt = seq_last - last,
                               .stream     = rec->stream};
  r->out->missing_records += hole.record_cnt;
  declare_loss(r, idx, &hole, rec, MD_REASON_SINK_ERROR);
}

/* The index of a stream, with what the journal has of it when it is met for the first time; -1:
 * none. */
static int
stream_index(recover_t *r, uint16_t stream) {
  bool known = r->streams.slot[stream] != 0;
  int  idx   = md_journal_streams_index(&r->streams, stream);
  if (idx >= 0 && !known) r->streams.seq[idx] = md_journal_marks_seq(&r->marks, stream, r->epoch);
  return idx;
}

/* Takes rec unless the journal has it. False: it belongs to no stream that can be. */
static bool
take_record(recover_t *r, const md_record_t *rec) {
  int idx = rec->epoch == r->epoch ? stream_index(r, rec->stream) : -1;
  if (idx < 0) return false;
  md_journal_range_t range = md_journal_range_of(rec);
  const uint64_t     last  = r->streams.seq[idx];
  if (rec->type == MD_RECORD_CHECKPOINT && rec->seq < last) return true;
  if (rec->type != MD_RECORD_CHECKPOINT && range.last <= last) return true;
  if (range.first > last + 1) declare_hole(r, (uint32_t)idx, rec, range.first - 1);
  (void)md_journal_streams_settle(&r->streams, (uint32_t)idx, range);
  md_journal_builder_add(&r->builder, (uint32_t)idx, rec, range);
  return true;
}

/* One group, checked before it is trusted: its writer may have died anywhere. *bad: the ring is
 * damaged from here on. */
static md_err_t
drain_group(recover_t *r, md_ring_consumer_t *c, bool *bad, md_msg_t *msg) {
  md_journal_group_t group;
  if (!md_journal_group_next(c, &group)) return MD_ERR_END;
  const uint64_t room = r->builder.used_bytes - r->builder.header_bytes + group.bytes;
  if (r->builder.record_cnt > 0 && room > BLOCK_BYTES) {
    md_err_t err = write_block(r, msg);
    if (err) return err;
  }
  for (uint32_t i = 0; i < group.record_cnt; i++) {
    const md_record_t *rec = md_ring_next(c);
    *bad                   = !rec || md_record_check(rec, rec->len) != MD_OK;
    if (*bad) return MD_ERR_END;
    md_err_t err = note_definition(r, rec, msg);
    if (err) return err;
    const uint64_t loss_bytes = sizeof(md_record_t) + sizeof(md_loss_t);
    if (!md_journal_builder_fits(&r->builder, loss_bytes + rec->len) || !take_record(r, rec)) {
      *bad = true;
      return MD_ERR_END;
    }
  }
  return MD_OK;
}

/* What the ring lost last, when the engine died before a later group could declare it. */
static md_err_t
drain_losses(recover_t *r, const md_ring_t *ring, md_msg_t *msg) {
  for (uint32_t i = 0; i < MD_RING_STREAM_CNT; i++) {
    md_ring_loss_t loss;
    md_ring_pending_loss(ring, i, &loss);
    if (loss.record_cnt == 0) continue;
    int idx = stream_index(r, loss.stream);
    if (idx < 0 || loss.seq_last <= r->streams.seq[idx]) continue;
    if (!md_journal_builder_fits(&r->builder, sizeof(md_ring_loss_record_t))) {
      md_err_t err = write_block(r, msg);
      if (err) return err;
    }
    loss.seq_first  = r->streams.seq[idx] + 1;
    loss.record_cnt = loss.seq_last - loss.seq_first + 1;
    declare_loss(r, (uint32_t)idx, &loss, NULL, MD_REASON_RING_FULL);
  }
  return MD_OK;
}

static md_err_t
drain_rings(recover_t *r, md_rings_header_t *rings, uint64_t bytes, md_msg_t *msg) {
  for (uint32_t i = 0; i < rings->ring_cnt && i < MD_RING_CNT_MAX; i++) {
    md_ring_t *ring = md_rings_ring(rings, bytes, i);
    if (!ring) {
      r->out->damaged_rings++;
      continue;
    }
    if (ring->sink != 0) continue;
    md_ring_consumer_t consumer;
    md_ring_consumer_init(&consumer, ring);
    bool     bad = false;
    md_err_t err = MD_OK;
    /* Each group is at least a record header, so the ring's size bounds the turns. */
    for (uint64_t turn = 0; !err && turn <= ring->capacity_bytes / MD_RECORD_HEADER_BYTES; turn++)
      err = drain_group(r, &consumer, &bad, msg);
    if (err && err != MD_ERR_END) return err;
    if (bad || consumer.damaged)
      r->out->damaged_rings++;
    else
      err = drain_losses(r, ring, msg);
    if (err && err != MD_ERR_END) return err;
  }
  return write_block(r, msg);
}

static bool
rings_hold_anything(md_rings_header_t *rings, uint64_t bytes) {
  for (uint32_t i = 0; i < rings->ring_cnt && i < MD_RING_CNT_MAX; i++) {
    md_ring_t *ring = md_rings_ring(rings, bytes, i);
    if (!ring || ring->sink != 0) continue;
    /* Relaxed: their owner is dead. */
    if (md_load_relaxed(&ring->head) != md_load_relaxed(&ring->tail)) return true;
    for (uint32_t n = 0; n < MD_RING_STREAM_CNT; n++) {
      md_ring_loss_t loss;
      md_ring_pending_loss(ring, n, &loss);
      if (loss.record_cnt != 0) return true;
    }
  }
  return false;
}

static md_err_t
drain(recover_t *r, md_rings_header_t *rings, uint64_t bytes, md_msg_t *msg) {
  if (!rings_hold_anything(rings, bytes)) return MD_OK;
  if (memcmp(rings->journal_uuid, md_manifest_uuid(r->cfg->manifest), 16) != 0)
    return md_fail(
        msg, MD_ERR_EXISTS,
        "a stopped engine of this name left records of another journal than %s in shared "
        "memory: start it once with that journal, or delete /dev/shm/mdengine.*.rings of "
        "this name to drop them",
        r->cfg->dir);
  r->epoch        = rings->epoch;
  r->streams.slot = calloc(MD_JOURNAL_STREAM_SLOTS, 1);
  void *memory =
      mmap(NULL, MD_BLOCK_BYTES_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  md_err_t err = MD_OK;
  if (!r->streams.slot || memory == MAP_FAILED) {
    err = md_fail(msg, MD_ERR_NOMEM, "no memory to take over what the stopped engine left");
  } else {
    r->memory = memory;
    md_journal_builder_begin(&r->builder, r->memory, MD_BLOCK_BYTES_MAX, MD_JOURNAL_SUB_CNT);
    err = drain_rings(r, rings, bytes, msg);
    if (r->file.fd >= 0) {
      md_msg_t ignored;
      uint64_t end  = err ? r->file.end_off : md_journal_file_seal(&r->file, r->epoch, r->memory);
      md_err_t last = md_journal_file_finish(&r->file, end, err ? &ignored : msg);
      if (!err) err = last;
    }
  }
  free(r->streams.slot);
  if (memory != MAP_FAILED) (void)munmap(memory, MD_BLOCK_BYTES_MAX);
  return err;
}

md_err_t
md_journal_recover(const md_journal_config_t *cfg, md_rings_header_t *old_rings,
                   uint64_t old_rings_bytes, const md_clock_t *clock, md_recovery_t *out,
                   md_msg_t *msg) {
  md_assert(cfg->manifest);
  *out         = (md_recovery_t){0};
  recover_t *r = calloc(1, sizeof *r);
  if (!r) return md_fail(msg, MD_ERR_NOMEM, "no memory to recover the journal");
  *r = (recover_t){.cfg = cfg, .clock = clock, .out = out, .file = {.fd = -1}};
  md_journal_unlink_unfinished(cfg->disk, cfg->dir);
  uint64_t *ids    = NULL;
  uint32_t  cnt    = 0;
  md_err_t  err    = md_journal_list(cfg->disk, cfg->dir, &ids, &cnt, msg);
  out->segment_cnt = cnt;
  if (!err && cnt > 0) err = check_segments(r, ids, cnt, msg);
  if (!err && old_rings) err = drain(r, old_rings, old_rings_bytes, msg);
  free(ids);
  free(r);
  return err;
}
