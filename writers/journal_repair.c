#include "writers/journal_repair.h"

#include "writers/journal_check.h"
#include "writers/journal_index.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEMPORARY  "repair.tmp"
#define COPY_BYTES (1u << 20)
#define KEPT_MAX   100u

typedef struct repair {
  const md_disk_t       *disk;
  const char            *dir;
  const uint8_t         *uuid;
  const md_clock_t      *clock;
  md_journal_repaired_t *out;
  md_msg_t              *msg;
  md_journal_check_t     check;
  uint64_t              *ids;
  uint32_t               cnt;
  uint8_t               *memory; /* of a block that stands in for a damaged stretch */
  uint8_t               *slots;
} repair_t;

/* One segment that is written anew. */
typedef struct rewrite {
  repair_t          *r;
  uint64_t           segment;
  int                from, to;
  md_journal_head_t  head;
  bool               head_known;
  uint64_t           plain_end; /* packed: where the next block stood before */
  uint64_t           end;
  uint32_t           epoch;
  md_journal_index_t index;
  md_journal_scan_t  scan;
} rewrite_t;

static md_err_t
disk_fail(const repair_t *r, int64_t rc, const char *what) {
  return md_fail_errno(r->msg, (int)-rc, "cannot %s in %s", what, r->dir);
}

/* ---- a block that stands in ---- */

static void
add_losses(repair_t *r, uint32_t damaged, md_journal_streams_t *streams, md_journal_builder_t *b) {
  for (uint32_t i = 0; i < r->check.stretch_cnt; i++) {
    const md_journal_missing_t *m = &r->check.missing[i];
    if (m->damaged != damaged) continue;
    const md_ring_loss_t loss = {.seq_first  = m->first,
                                 .seq_last   = m->last,
                                 .record_cnt = m->last - m->first + 1,
                                 .stream     = m->stream};
    int                  idx  = md_journal_streams_index(streams, m->stream);
    if (idx < 0 || !md_journal_builder_fits(b, sizeof(md_ring_loss_record_t))) continue;
    md_ring_loss_record_t rec;
    const int64_t         now_ns = md_clock_real_ns(r->clock);
    md_ring_loss_record(&loss, m->epoch, now_ns, now_ns, MD_REASON_SINK_ERROR, &rec);
    md_journal_builder_add(b, (uint32_t)idx, &rec.head, md_journal_range_of(&rec.head));
    r->out->declared_cnt += loss.record_cnt;
  }
}

static uint32_t
epoch_of(const repair_t *r, uint32_t damaged, uint32_t otherwise) {
  for (uint32_t i = 0; i < r->check.stretch_cnt; i++)
    if (r->check.missing[i].damaged == damaged) return r->check.missing[i].epoch;
  return otherwise;
}

/* One block of exactly bytes at off, with the losses of the stretch when it is its first. */
static md_err_t
write_stand_in(rewrite_t *w, uint64_t off, uint32_t bytes, uint32_t damaged, bool packed) {
  repair_t            *r       = w->r;
  md_journal_streams_t streams = {.slot = r->slots};
  md_journal_builder_t b;
  memset(r->slots, 0, MD_JOURNAL_STREAM_SLOTS);
  memset(r->memory, 0, bytes);
  const uint32_t room = (bytes - (uint32_t)sizeof(md_journal_block_t)) /
                        (uint32_t)(sizeof(md_journal_sub_t) + sizeof(md_ring_loss_record_t));
  md_journal_builder_begin(&b, r->memory, bytes,
                           room < MD_JOURNAL_SUB_CNT ? room : MD_JOURNAL_SUB_CNT);
  if (damaged != UINT32_MAX) add_losses(r, damaged, &streams, &b);
  md_journal_place_t place = {.segment     = w->segment,
                              .offset      = off,
                              .durable_off = off,
                              .epoch       = epoch_of(r, damaged, w->epoch)};
  (void)md_journal_builder_finish(&b, &streams, &place);
  md_journal_block_t *block = (md_journal_block_t *)(void *)r->memory;
  block->block_bytes        = bytes;
  block->flags |= MD_BLOCK_REPAIR;
  if (packed) {
    block->plain_off   = w->plain_end;
    block->plain_bytes = 0;
  }
  md_journal_block_seal(block);
  int rc = md_disk_pwrite_all(r->disk, w->to, r->memory, bytes, off);
  return rc ? disk_fail(r, rc, "write a repaired segment") : MD_OK;
}

static md_err_t
fill(rewrite_t *w, uint64_t off, uint64_t end, uint32_t damaged, bool packed) {
  md_err_t err = MD_OK;
  while (off < end && !err) {
    const uint64_t left  = end - off;
    const uint32_t bytes = left < MD_BLOCK_BYTES_MAX ? (uint32_t)left : MD_BLOCK_BYTES_MAX;
    err                  = write_stand_in(w, off, bytes, damaged, packed);
    damaged              = UINT32_MAX;
    off += bytes;
  }
  return err;
}

static uint32_t
find_damaged(const repair_t *r, uint64_t segment, uint64_t off) {
  for (uint32_t i = 0; i < r->check.damaged_cnt; i++)
    if (r->check.damaged[i].segment == segment && r->check.damaged[i].off == off) return i;
  return UINT32_MAX;
}

/* ---- what is good is copied ---- */

static md_err_t
copy(const repair_t *r, int from, int to, uint64_t off, uint64_t end) {
  uint8_t *page = malloc(COPY_BYTES);
  if (!page) return md_fail(r->msg, MD_ERR_NOMEM, "no memory to copy a segment");
  md_err_t err = MD_OK;
  while (off < end && !err) {
    const uint64_t bytes = end - off < COPY_BYTES ? end - off : COPY_BYTES;
    int64_t        n     = md_disk_pread_all(r->disk, from, page, bytes, off);
    int64_t        rc    = n < 0 ? n : md_disk_pwrite_all(r->disk, to, page, (size_t)n, off);
    if (rc < 0) err = disk_fail(r, rc, "copy a damaged segment");
    if (n < (int64_t)bytes) break;
    off += bytes;
  }
  free(page);
  return err;
}

static md_err_t
on_block(void *ctx, const md_journal_block_t *b, uint64_t off) {
  rewrite_t *w = ctx;
  w->end       = off + b->block_bytes;
  w->epoch     = b->epoch;
  if (b->plain_off) w->plain_end = b->plain_off + b->plain_bytes;
  return copy(w->r, w->from, w->to, off, w->end);
}

static md_err_t
on_damage(void *ctx, uint64_t off, uint64_t end, const char *what) {
  rewrite_t *w = ctx;
  (void)what;
  w->r->out->stretch_cnt++;
  if (off == 0) return MD_OK; /* the header comes last, when the blocks are known */
  w->end = end;
  return fill(w, off, end, find_damaged(w->r, w->segment, off), w->scan.packed);
}

/* ---- headers ---- */

/* Of the segment before, where there is one: up to where it goes, and where its streams end. */
static md_err_t
take_predecessor(rewrite_t *w, uint32_t i, md_journal_head_t *head) {
  repair_t *r = w->r;
  if (i == 0) return MD_OK;
  md_journal_scan_t *scan = malloc(sizeof *scan);
  if (!scan) return md_fail(r->msg, MD_ERR_NOMEM, "no memory to read a segment");
  md_err_t err = md_journal_scan_segment(r->disk, r->dir, r->ids[i - 1], 0, scan, r->msg);
  if (!err) {
    head->prev_segment = r->ids[i - 1];
    head->prev_bytes   = scan->valid_end;
    md_journal_marks_to_head(&scan->marks, head);
  }
  free(scan);
  return err;
}

static md_err_t
make_head(rewrite_t *w, uint32_t i, md_journal_head_t *head) {
  const md_journal_index_head_t *x = w->index.head;
  *head                            = (md_journal_head_t){.segment = w->segment, .epoch = w->epoch};
  memcpy(head->uuid, w->r->uuid, sizeof head->uuid);
  if (x) {
    head->epoch        = x->epoch;
    head->created_ns   = x->created_ns;
    head->prev_segment = x->prev_segment;
    head->prev_bytes   = x->prev_bytes;
    head->plain_bytes  = x->plain_bytes;
    head->mark_cnt     = x->mark_cnt;
    memcpy(head->mark, w->index.mark, x->mark_cnt * sizeof *w->index.mark);
  } else {
    head->created_ns  = w->scan.info.first_ns;
    head->plain_bytes = w->scan.packed ? w->plain_end : 0;
    md_err_t err      = take_predecessor(w, i, head);
    if (err) return err;
  }
  if (w->scan.packed) head->packed_bytes = w->end;
  return MD_OK;
}

static md_err_t
write_head(rewrite_t *w, md_journal_head_t *head) {
  md_journal_head_seal(head);
  int rc = md_disk_pwrite_all(w->r->disk, w->to, head, sizeof *head, 0);
  return rc ? disk_fail(w->r, rc, "write a segment header") : MD_OK;
}

/* ---- putting it in place ---- */

/* The damaged file stays, under a name that nobody reads. */
static md_err_t
keep_original(const repair_t *r, uint64_t segment, int from) {
  char    path[MD_JOURNAL_PATH_BYTES], kept[MD_JOURNAL_PATH_BYTES + 16], tmp[MD_JOURNAL_PATH_BYTES];
  int64_t bytes = md_disk_size(r->disk, from);
  md_journal_path(r->dir, segment, path);
  (void)snprintf(tmp, sizeof tmp, "%.540s/" TEMPORARY ".original", r->dir);
  int rc = 0;
  for (uint32_t n = 0; n < KEPT_MAX && rc >= 0; n++) {
    if (n == 0)
      (void)snprintf(kept, sizeof kept, "%s.damaged", path);
    else
      (void)snprintf(kept, sizeof kept, "%s.damaged.%u", path, n);
    rc = md_disk_open(r->disk, kept, O_RDONLY, 0);
    if (rc >= 0) (void)md_disk_close(r->disk, rc);
  }
  int to = md_disk_open(r->disk, tmp, O_WRONLY | O_CREAT | O_TRUNC, 0640);
  if (to < 0 || bytes < 0) return disk_fail(r, to < 0 ? to : bytes, "keep a damaged segment");
  md_err_t err = copy(r, from, to, 0, (uint64_t)bytes);
  rc           = err ? 0 : md_disk_fsync(r->disk, to);
  (void)md_disk_close(r->disk, to);
  if (!err && rc == 0) rc = md_disk_rename(r->disk, tmp, kept);
  if (!err && rc == 0) rc = md_disk_sync_dir(r->disk, r->dir);
  if (err) return err;
  return rc ? disk_fail(r, rc, "keep a damaged segment") : MD_OK;
}

static md_err_t
put_in_place(rewrite_t *w) {
  const repair_t *r = w->r;
  char            path[MD_JOURNAL_PATH_BYTES], tmp[MD_JOURNAL_PATH_BYTES];
  md_journal_path(r->dir, w->segment, path);
  (void)snprintf(tmp, sizeof tmp, "%.540s/" TEMPORARY, r->dir);
  int rc = md_disk_fsync(r->disk, w->to);
  if (rc) return disk_fail(r, rc, "sync a repaired segment");
  md_err_t err = w->from >= 0 ? keep_original(r, w->segment, w->from) : MD_OK;
  if (err) return err;
  rc = md_disk_rename(r->disk, tmp, path);
  if (rc == 0) rc = md_disk_sync_dir(r->disk, r->dir);
  if (rc) return disk_fail(r, rc, "put a repaired segment in place");
  md_journal_index_remove(r->disk, r->dir, w->segment);
  r->out->segment_cnt++;
  return MD_OK;
}

static md_err_t
open_files(rewrite_t *w, bool have_original) {
  char path[MD_JOURNAL_PATH_BYTES], tmp[MD_JOURNAL_PATH_BYTES];
  md_journal_path(w->r->dir, w->segment, path);
  (void)snprintf(tmp, sizeof tmp, "%.540s/" TEMPORARY, w->r->dir);
  w->to   = md_disk_open(w->r->disk, tmp, O_RDWR | O_CREAT | O_TRUNC, 0640);
  w->from = have_original ? md_disk_open(w->r->disk, path, O_RDONLY, 0) : -1;
  if (w->to < 0) return disk_fail(w->r, w->to, "make " TEMPORARY);
  if (have_original && w->from < 0) return disk_fail(w->r, w->from, "open a damaged segment");
  return MD_OK;
}

static void
close_files(rewrite_t *w) {
  if (w->to >= 0) (void)md_disk_close(w->r->disk, w->to);
  if (w->from >= 0) (void)md_disk_close(w->r->disk, w->from);
  md_journal_index_free(&w->index);
}

static md_err_t
rewrite_body(rewrite_t *w, uint32_t i) {
  repair_t                *r     = w->r;
  const md_journal_visit_t visit = {.ctx = w, .block = on_block, .damage = on_damage};
  uint64_t                 limit = 0;
  md_msg_t                 ignored;
  (void)!md_journal_index_read(r->disk, r->dir, w->segment, r->uuid, &w->index, &ignored);
  md_err_t err = md_journal_limit_of(r->disk, r->dir, r->ids, r->cnt, i, &limit);
  if (err) return md_fail(r->msg, err, "cannot read the segment headers of %s", r->dir);
  if (limit == 0 && w->index.head) limit = w->index.head->segment_bytes;
  return md_journal_walk(r->disk, r->dir, w->segment, limit, &visit, &w->scan, r->msg);
}

static md_err_t
rewrite_segment(repair_t *r, uint32_t i) {
  rewrite_t *w = calloc(1, sizeof *w);
  if (!w) return md_fail(r->msg, MD_ERR_NOMEM, "no memory to repair a segment");
  *w           = (rewrite_t){.r = r, .segment = r->ids[i], .from = -1, .to = -1};
  w->end       = MD_JOURNAL_PAGE_BYTES;
  w->plain_end = MD_JOURNAL_PAGE_BYTES;
  md_err_t err = open_files(w, true);
  if (!err) err = rewrite_body(w, i);
  md_journal_head_t head = w->scan.head;
  if (!err && !w->scan.head_ok) err = make_head(w, i, &head);
  if (!err) err = write_head(w, &head);
  if (!err) err = put_in_place(w);
  close_files(w);
  free(w);
  return err;
}

/* A segment that its successor speaks of, but that is not there. */
static md_err_t
make_missing(repair_t *r, uint32_t damaged) {
  const uint64_t    segment = r->check.damaged[damaged].segment;
  md_journal_head_t successor, head;
  uint32_t          i = 0;
  while (i < r->cnt && r->ids[i] < segment)
    i++;
  md_err_t err =
      md_journal_head_read(r->disk, r->dir, i < r->cnt ? r->ids[i] : 0, r->uuid, &successor);
  if (err)
    return md_fail(r->msg, err, "segment %" PRIu64 " is missing, and so is what it was", segment);
  rewrite_t *w = calloc(1, sizeof *w);
  if (!w) return md_fail(r->msg, MD_ERR_NOMEM, "no memory to repair a segment");
  *w       = (rewrite_t){.r = r, .segment = segment, .from = -1, .to = -1};
  w->epoch = epoch_of(r, damaged, successor.epoch);
  err      = open_files(w, false);
  if (!err) err = make_head(w, i, &head);
  if (!err) head.created_ns = successor.created_ns;
  if (!err) err = write_head(w, &head);
  if (!err) err = fill(w, MD_JOURNAL_PAGE_BYTES, successor.prev_bytes, damaged, false);
  if (!err) err = put_in_place(w);
  r->out->stretch_cnt++;
  close_files(w);
  free(w);
  return err;
}

/* ---- the rest ---- */

static md_err_t
cut_tail(repair_t *r) {
  if (r->check.torn_bytes == 0 || r->cnt == 0) return MD_OK;
  const uint64_t     last = r->ids[r->cnt - 1];
  md_journal_scan_t *scan = malloc(sizeof *scan);
  if (!scan) return md_fail(r->msg, MD_ERR_NOMEM, "no memory to read the last segment");
  md_err_t err = md_journal_scan_segment(r->disk, r->dir, last, 0, scan, r->msg);
  if (!err && !scan->packed && scan->file_end < scan->file_bytes) {
    char path[MD_JOURNAL_PATH_BYTES];
    md_journal_path(r->dir, last, path);
    int fd = md_disk_open(r->disk, path, O_RDWR, 0);
    int rc = fd < 0 ? fd : md_disk_truncate(r->disk, fd, scan->file_end);
    if (rc == 0) rc = md_disk_fsync(r->disk, fd);
    if (fd >= 0) (void)md_disk_close(r->disk, fd);
    if (rc < 0) err = disk_fail(r, rc, "cut the torn end");
    r->out->cut_bytes = scan->info.torn_bytes;
  }
  free(scan);
  return err;
}

/* Only of sealed segments: the last one's would be wrong as soon as the engine goes on. */
static md_err_t
make_indexes(repair_t *r) {
  md_err_t err = MD_OK;
  for (uint32_t i = 0; i + 1 < r->cnt && !err; i++) {
    md_journal_index_t have, want;
    md_msg_t           ignored;
    uint64_t           limit = 0;
    err                      = md_journal_limit_of(r->disk, r->dir, r->ids, r->cnt, i, &limit);
    if (!err) err = md_journal_index_build(r->disk, r->dir, r->ids[i], limit, &want, r->msg);
    if (err) break;
    md_err_t   read = md_journal_index_read(r->disk, r->dir, r->ids[i], r->uuid, &have, &ignored);
    const bool same = read == MD_OK && have.head->bytes == want.head->bytes &&
                      memcmp(have.data, want.data, want.head->bytes) == 0;
    md_journal_index_free(&have);
    if (!same && read != MD_ERR_VERSION) {
      err = md_journal_index_write(r->disk, r->dir, &want, r->msg);
      r->out->index_cnt++;
    }
    md_journal_index_free(&want);
  }
  return err;
}

/* A segment that was missing is whole by now. */
static bool
is_damaged(const repair_t *r, uint64_t segment) {
  for (uint32_t i = 0; i < r->check.damaged_cnt; i++)
    if (r->check.damaged[i].segment == segment && r->check.damaged[i].end != 0) return true;
  return false;
}

static md_err_t
list_again(repair_t *r) {
  free(r->ids);
  r->ids = NULL;
  return md_journal_list(r->disk, r->dir, &r->ids, &r->cnt, r->msg);
}

/* Missing segments first: a rebuilt header looks at its predecessor. */
static md_err_t
mend(repair_t *r) {
  md_err_t err = md_journal_check_run(r->disk, r->dir, r->uuid, &r->check, r->msg);
  if (!err) err = list_again(r);
  r->out->hole_cnt     = r->check.hole_cnt;
  r->out->tail_unknown = r->check.tail_unknown;
  if (!err) err = cut_tail(r);
  for (uint32_t i = 0; i < r->check.damaged_cnt && !err; i++)
    if (r->check.damaged[i].end == 0) err = make_missing(r, i);
  if (!err) err = list_again(r);
  for (uint32_t i = 0; i < r->cnt && !err; i++)
    if (is_damaged(r, r->ids[i])) err = rewrite_segment(r, i);
  if (!err) err = make_indexes(r);
  return err;
}

md_err_t
md_journal_repair(const md_disk_t *disk, const char *dir, const md_clock_t *clock,
                  md_journal_repaired_t *out, md_msg_t *msg) {
  md_manifest_t *manifest = NULL;
  *out                    = (md_journal_repaired_t){0};
  md_err_t err            = md_manifest_repair(disk, dir, &out->manifest, msg);
  if (!err) err = md_manifest_open_on(disk, dir, true, false, &manifest, msg);
  if (err) return err;
  repair_t r = {.disk  = disk,
                .dir   = dir,
                .uuid  = md_manifest_uuid(manifest),
                .clock = clock,
                .out   = out,
                .msg   = msg};
  r.slots    = malloc(MD_JOURNAL_STREAM_SLOTS);
  r.memory   = aligned_alloc(MD_JOURNAL_PAGE_BYTES, MD_BLOCK_BYTES_MAX);
  err        = r.slots && r.memory ? mend(&r) : md_fail(msg, MD_ERR_NOMEM, "no memory to repair");
  md_journal_check_free(&r.check);
  free(r.ids);
  free(r.slots);
  free(r.memory);
  md_manifest_close(manifest);
  return err;
}
