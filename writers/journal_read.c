#include "writers/journal.h"
#include "writers/journal_file.h"
#include "writers/journal_index.h"
#include "writers/journal_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_LIMIT UINT64_MAX
/* How far a reader looks behind zeros, or behind the bytes of another segment once it knows that
 * they are there, where a live journal ends: the cost of every look for more.
 * What is lost further on is found by recovery and by verify. */
#define LOOK_BYTES (256u << 10)

struct md_journal_reader {
  const md_disk_t    *disk;
  char                dir[MD_JOURNAL_PATH_BYTES];
  md_manifest_t      *manifest;
  md_journal_buffer_t buf;
  int                 fd;
  uint64_t            segment; /* open one, or the one behind which to look; 0 before the first */
  uint64_t            off;     /* of the next block */
  uint64_t            limit;   /* what its successor says it counts to, NO_LIMIT when nobody says */
  bool                packed;  /* the open one */
  bool                reused;  /* the open one has bytes of another behind its end */
  bool                at_end;  /* a look at all of the rest found no block of it */
  uint64_t            look_off; /* where the next look begins when that is so */
  md_journal_damage_t damage;

  uint64_t       block_off; /* of the block in buf; packed: where it stood before */
  uint32_t       record_cnt, record_next;
  const uint8_t *record;
  bool           is_old; /* the records are of the first format */
  _Alignas(8) uint8_t renewed[MD_RECORD_BYTES_MAX];
};

md_err_t
md_journal_reader_open(const char *dir, md_journal_reader_t **out, md_msg_t *msg) {
  return md_journal_reader_open_on(NULL, dir, out, msg);
}

md_err_t
md_journal_reader_open_on(const md_disk_t *disk, const char *dir, md_journal_reader_t **out,
                          md_msg_t *msg) {
  md_journal_reader_t *r = calloc(1, sizeof *r);
  if (!r) return md_fail(msg, MD_ERR_NOMEM, "no memory for a journal reader");
  r->disk = r->buf.disk = disk;
  r->fd                 = -1;
  r->limit              = NO_LIMIT;
  (void)snprintf(r->dir, sizeof r->dir, "%s", dir);
  md_err_t err = md_manifest_open_on(disk, dir, false, false, &r->manifest, msg);
  if (err) {
    free(r);
    return err;
  }
  *out = r;
  return MD_OK;
}

void
md_journal_reader_close(md_journal_reader_t *r) {
  if (!r) return;
  if (r->fd >= 0) (void)md_disk_close(r->disk, r->fd);
  md_journal_buffer_fini(&r->buf);
  md_manifest_close(r->manifest);
  free(r);
}

void
md_journal_reader_damage(const md_journal_reader_t *r, md_journal_damage_t *out) {
  *out = r->damage;
}

bool
md_journal_reader_is_old(const md_journal_reader_t *r) {
  return r->is_old;
}

const md_manifest_t *
md_journal_reader_manifest(const md_journal_reader_t *r) {
  return r->manifest;
}

/* ---- segments ---- */

static void
add_damage(md_journal_reader_t *r, uint64_t off, uint64_t bytes, const char *what) {
  r->damage.block_cnt++;
  r->damage.byte_cnt += bytes;
  if (r->damage.first[0]) return;
  char name[MD_JOURNAL_NAME_BYTES];
  md_journal_name(r->segment, name);
  (void)snprintf(r->damage.first, sizeof r->damage.first, "%s at %" PRIu64 ": %s", name, off, what);
}

static md_err_t learn_limit(md_journal_reader_t *r);

static void
set_segment(md_journal_reader_t *r, int fd, uint64_t segment, uint64_t limit) {
  if (r->fd >= 0) (void)md_disk_close(r->disk, r->fd);
  r->fd         = fd;
  r->segment    = segment;
  r->off        = MD_JOURNAL_PAGE_BYTES;
  r->limit      = limit;
  r->reused     = false;
  r->at_end     = false;
  r->look_off   = 0;
  r->record_cnt = r->record_next = 0;
}

/* A damaged header does not say whether the segment is packed; its blocks do. */
static md_err_t
open_headless(md_journal_reader_t *r, int fd, uint64_t segment) {
  md_err_t err = md_journal_is_packed(&r->buf, fd, segment, &r->packed);
  int64_t  end = md_disk_size(r->disk, fd);
  if (!err && end < 0) err = MD_ERR_IO;
  if (err) return err;
  set_segment(r, fd, segment, r->packed ? (uint64_t)end : NO_LIMIT);
  add_damage(r, 0, MD_JOURNAL_PAGE_BYTES, "segment header");
  return MD_OK;
}

/* The header is read from the file that stays open: meanwhile a packed one may take its name. */
static md_err_t
open_segment(md_journal_reader_t *r, uint64_t segment, md_msg_t *msg) {
  char              path[MD_JOURNAL_PATH_BYTES];
  md_journal_head_t head;
  md_journal_path(r->dir, segment, path);
  int fd = md_disk_open(r->disk, path, O_RDONLY, 0);
  if (fd == -ENOENT) return md_fail(msg, MD_ERR_ABSENT, "%s went away", path);
  if (fd < 0) return md_fail_errno(msg, -fd, "cannot open %s", path);
  const uint8_t *uuid = md_manifest_uuid(r->manifest);
  md_err_t       err  = md_journal_head_load(r->disk, fd, segment, uuid, &head);
  if (err == MD_OK) {
    r->packed = head.packed_bytes != 0;
    set_segment(r, fd, segment, r->packed ? head.packed_bytes : NO_LIMIT);
    r->reused = head.reused && !r->packed;
    if (!r->packed) (void)!learn_limit(r); /* nobody knows yet: asked again at the end */
    return MD_OK;
  }
  if (err == MD_ERR_CORRUPT) err = open_headless(r, fd, segment);
  if (err == MD_OK) return MD_OK;
  (void)md_disk_close(r->disk, fd);
  if (err == MD_ERR_VERSION)
    return md_journal_version_fail(msg, path, "a segment", head.version, MD_JOURNAL_PACKED);
  return md_fail(msg, err, "cannot read %s: %s", path, md_err_text(err));
}

/* Opens the segment behind the current one. MD_ERR_END: there is none, or it went away just now. */
static md_err_t
next_segment(md_journal_reader_t *r, md_msg_t *msg) {
  uint64_t next = 0;
  md_err_t err  = md_journal_next_id(r->disk, r->dir, r->segment, &next);
  if (err) return md_fail(msg, err, "cannot list %s: %s", r->dir, md_err_text(err));
  if (next == 0) return MD_ERR_END;
  err = open_segment(r, next, msg);
  return err == MD_ERR_ABSENT ? MD_ERR_END : err;
}

/* Asks the successor up to where the current segment counts. MD_ERR_END: there is no successor, so
 * this is the segment that is still being written, or was when its writer died. */
static md_err_t
learn_limit(md_journal_reader_t *r) {
  uint64_t          next = 0;
  md_journal_head_t head;
  md_err_t          err = md_journal_next_id(r->disk, r->dir, r->segment, &next);
  if (err || next == 0) return err ? err : MD_ERR_END;
  err = md_journal_head_read(r->disk, r->dir, next, md_manifest_uuid(r->manifest), &head);
  if (err == MD_ERR_IO) return err;
  if (!err && head.prev_segment == r->segment) {
    r->limit = head.prev_bytes;
    return MD_OK;
  }
  /* A segment between them is gone, or the header is damaged: take what is there. */
  int64_t end = md_disk_size(r->disk, r->fd);
  if (end < 0) return MD_ERR_IO;
  r->limit = (uint64_t)end;
  return MD_OK;
}

/* ---- blocks ---- */

static bool
is_trouble(md_err_t err) {
  return err == MD_ERR_IO || err == MD_ERR_NOMEM || err == MD_ERR_VERSION;
}

/* A segment whose name is gone was deleted by retention: its space may be another's by now. */
static bool
is_gone(const md_journal_reader_t *r) {
  char path[MD_JOURNAL_PATH_BYTES];
  md_journal_path(r->dir, r->segment, path);
  int fd = md_disk_open(r->disk, path, O_RDONLY, 0);
  if (fd >= 0) (void)md_disk_close(r->disk, fd);
  return fd == -ENOENT;
}

/* Looks for a block that was written when the bad one at off was durable. Where old bytes stand
 * behind the end, one look at all of them is enough to know that this is the end; from then on a
 * piece at a time is looked at, over and over. MD_ERR_END: there is none. */
static md_err_t
find_proof(md_journal_reader_t *r, md_err_t why) {
  const uint64_t      from   = r->off + MD_JOURNAL_PAGE_BYTES;
  md_journal_search_t search = {.segment     = r->segment,
                                .reach       = why == MD_ERR_EMPTY ? from + LOOK_BYTES : NO_LIMIT,
                                .limit       = NO_LIMIT,
                                .min_durable = r->off};
  uint64_t            proof  = from;
  if (r->reused && r->at_end) {
    int64_t end = md_disk_size(r->disk, r->fd);
    if (end < 0) return MD_ERR_IO;
    if (r->look_off < from || r->look_off >= (uint64_t)end) r->look_off = from;
    proof        = r->look_off;
    search.reach = r->look_off += LOOK_BYTES;
  } else if (r->reused) {
    search.reach = NO_LIMIT;
  }
  md_err_t err = md_journal_find_block(&r->buf, r->fd, &search, &proof);
  if (err || proof != UINT64_MAX) return err;
  r->at_end = true;
  return MD_ERR_END;
}

/* The block at off cannot be read. Moves off behind the damage, or says MD_ERR_END when nothing
 * proves that it should be readable. */
static md_err_t
skip_damage(md_journal_reader_t *r, md_err_t why) {
  const uint64_t from = r->off + MD_JOURNAL_PAGE_BYTES;
  md_err_t       err;
  if (r->limit == NO_LIMIT) {
    err = find_proof(r, why);
    if (err) return err;
  }
  /* Between the first look and the proof a live writer may have finished the block. */
  err = md_journal_load(&r->buf, r->fd, r->segment, r->off, r->limit);
  if (err == MD_OK || is_trouble(err)) return err;
  if (is_gone(r)) {
    r->limit = r->off;
    return MD_OK;
  }
  md_journal_search_t any  = {.segment = r->segment, .reach = r->limit, .limit = r->limit};
  uint64_t            next = from;
  err                      = md_journal_find_block(&r->buf, r->fd, &any, &next);
  if (err) return err;
  if (next == UINT64_MAX) {
    int64_t end = md_disk_size(r->disk, r->fd);
    if (end < 0) return MD_ERR_IO;
    next = end > 0 && (uint64_t)end < r->limit ? (uint64_t)end : r->limit;
    if (next < r->off) next = r->off;
    r->limit = next;
  }
  add_damage(r, r->off, next - r->off, why == MD_ERR_CORRUPT ? "checksum" : "missing block");
  r->off = next;
  return MD_OK;
}

static void
take_block(md_journal_reader_t *r) {
  const md_journal_block_t *b = md_journal_buffer_block(&r->buf);
  r->block_off                = b->plain_off ? b->plain_off : r->off;
  r->off += b->block_bytes;
  r->record_cnt  = b->record_cnt;
  r->record_next = 0;
  r->record      = md_journal_block_records(b);
  r->is_old      = md_journal_is_old(b->version);
}

static md_err_t
cannot_read(const md_journal_reader_t *r, md_err_t err, md_msg_t *msg) {
  char path[MD_JOURNAL_PATH_BYTES];
  md_journal_path(r->dir, r->segment, path);
  if (err == MD_ERR_VERSION)
    return md_journal_version_fail(msg, path, "a segment with a block",
                                   md_journal_buffer_block(&r->buf)->version, MD_JOURNAL_PACKED);
  return md_fail(msg, err, "segment %" PRIu64 " of %s at %" PRIu64 ": %s", r->segment, r->dir,
                 r->off, md_err_text(err));
}

/* The next whole block, in this segment or a later one. Each turn of the loop moves on or ends. */
static md_err_t
next_block(md_journal_reader_t *r, md_msg_t *msg) {
  r->record_cnt = r->record_next = 0;
  for (;;) {
    if (r->fd < 0 || r->off >= r->limit) {
      md_err_t err = next_segment(r, msg);
      if (err) return err;
      continue; /* it may count no block at all */
    }
    md_err_t err = md_journal_load(&r->buf, r->fd, r->segment, r->off, r->limit);
    if (err == MD_OK) {
      take_block(r);
      return MD_OK;
    }
    if (is_trouble(err)) return cannot_read(r, err, msg);
    md_err_t learnt = r->limit == NO_LIMIT ? learn_limit(r) : MD_ERR_END;
    if (is_trouble(learnt)) return cannot_read(r, learnt, msg);
    if (learnt == MD_OK) continue;
    if (r->limit == NO_LIMIT && err == MD_ERR_END) return MD_ERR_END;
    err = skip_damage(r, err);
    if (err) return is_trouble(err) ? cannot_read(r, err, msg) : err;
  }
}

md_err_t
md_journal_reader_next(md_journal_reader_t *r, const md_record_t **rec, md_journal_pos_t *pos,
                       md_msg_t *msg) {
  while (r->record_next == r->record_cnt) {
    md_err_t err = next_block(r, msg);
    if (err) return err;
  }
  const md_record_t *found = (const md_record_t *)(const void *)r->record;
  if (pos)
    *pos =
        (md_journal_pos_t){.segment = r->segment, .offset = r->block_off, .record = r->record_next};
  r->record += found->len;
  r->record_next++;
  if (r->is_old) {
    md_record_t *renewed = (md_record_t *)(void *)r->renewed;
    (void)md_record_renew(found, renewed);
    found = renewed;
  }
  *rec = found;
  return MD_OK;
}

/* ---- seeking ---- */

md_err_t
md_journal_reader_seek_segment(md_journal_reader_t *r, uint64_t segment, md_msg_t *msg) {
  if (segment == 0) return md_fail(msg, MD_ERR_ABSENT, "segments are numbered from 1");
  md_err_t err = open_segment(r, segment, msg);
  if (err != MD_ERR_ABSENT) return err;
  return md_fail(msg, err, "%s has no segment %" PRIu64, r->dir, segment);
}

/* Where to begin: at a sequence of a stream, or at a time. */
typedef struct target {
  uint16_t stream;
  uint32_t epoch;
  uint64_t seq;
  bool     by_time;
  int64_t  ns;
} target_t;

/* Does the segment begin below the target, so that the target is not in an earlier one? */
static bool
begins_below(const md_journal_head_t *head, const target_t *t) {
  if (t->by_time) return head->created_ns <= t->ns;
  for (uint32_t i = 0; i < head->mark_cnt; i++) {
    const md_journal_mark_t *m = &head->mark[i];
    if (m->stream == t->stream)
      return m->epoch < t->epoch || (m->epoch == t->epoch && m->seq < t->seq);
  }
  return true;
}

static bool
block_reaches(const md_journal_block_t *b, const target_t *t) {
  if (t->by_time) return b->record_cnt > 0 && b->ts_last_ns >= t->ns;
  for (uint32_t i = 0; i < b->stream_cnt; i++) {
    const md_journal_sub_t *sub = &b->sub[i];
    if (sub->stream != t->stream || sub->last_seq == 0) continue;
    if (sub->epoch > t->epoch || (sub->epoch == t->epoch && sub->last_seq >= t->seq)) return true;
  }
  return false;
}

/* The last segment that begins below the target, the first one when none does, 0 without any. */
static md_err_t
find_segment(md_journal_reader_t *r, const target_t *t, uint64_t *segment, md_msg_t *msg) {
  uint64_t *ids = NULL;
  uint32_t  cnt = 0;
  md_err_t  err = md_journal_list(r->disk, r->dir, &ids, &cnt, msg);
  if (err) return err;
  *segment = cnt ? ids[0] : 0;
  for (uint32_t i = cnt; i > 0; i--) {
    md_journal_head_t head;
    err = md_journal_head_read(r->disk, r->dir, ids[i - 1], NULL, &head);
    if (err == MD_ERR_IO) break;
    if (err || !begins_below(&head, t)) continue;
    *segment = ids[i - 1];
    break;
  }
  free(ids);
  if (err != MD_ERR_IO) return MD_OK;
  return md_fail(msg, err, "cannot read the segment headers of %s", r->dir);
}

/* Is block i of the index where the index says, as the index says? Loaded into buf then. */
static bool
is_there(md_journal_reader_t *r, const md_journal_index_t *x, uint32_t i) {
  const md_journal_index_block_t *row = &x->block[i];
  return md_journal_load(&r->buf, r->fd, r->segment, row->off, r->limit) == MD_OK &&
         md_journal_buffer_block(&r->buf)->crc == row->crc &&
         md_journal_buffer_block(&r->buf)->block_bytes == row->block_bytes;
}

/* Moves off to the target's block by the open segment's index. What the index says is checked at
 * that block and at the one before; when it does not hold, off stays and the blocks are walked. */
static void
jump(md_journal_reader_t *r, const target_t *t) {
  md_journal_index_t x;
  md_msg_t           msg;
  const uint8_t     *uuid = md_manifest_uuid(r->manifest);
  if (md_journal_index_read(r->disk, r->dir, r->segment, uuid, &x, &msg) != MD_OK) return;
  uint32_t i = t->by_time ? md_journal_index_time(&x, t->ns)
                          : md_journal_index_seq(&x, t->stream, t->epoch, t->seq);
  if ((x.head->plain_bytes != 0) == r->packed && i > 0) {
    const md_journal_index_block_t *before = &x.block[i - 1];
    bool ok = is_there(r, &x, i - 1) && !block_reaches(md_journal_buffer_block(&r->buf), t);
    if (i < x.head->block_cnt) /* else it comes behind this segment */
      ok = ok && is_there(r, &x, i) && block_reaches(md_journal_buffer_block(&r->buf), t);
    if (ok) r->off = before->off + before->block_bytes;
  }
  md_journal_index_free(&x);
}

static md_err_t
seek(md_journal_reader_t *r, const target_t *t, md_msg_t *msg) {
  uint64_t segment = 0;
  md_err_t err     = find_segment(r, t, &segment, msg);
  if (err || segment == 0) return err; /* nothing yet: the beginning is the place */
  err = open_segment(r, segment, msg);
  if (err) return err;
  jump(r, t);
  for (;;) {
    err = next_block(r, msg);
    if (err == MD_ERR_END) return MD_OK;
    if (err) return err;
    if (block_reaches(md_journal_buffer_block(&r->buf), t)) return MD_OK;
  }
}

md_err_t
md_journal_reader_seek(md_journal_reader_t *r, uint16_t stream, uint32_t epoch, uint64_t seq,
                       md_msg_t *msg) {
  const target_t t = {.stream = stream, .epoch = epoch, .seq = seq};
  return seek(r, &t, msg);
}

md_err_t
md_journal_reader_seek_time(md_journal_reader_t *r, int64_t ns, md_msg_t *msg) {
  const target_t t = {.by_time = true, .ns = ns};
  return seek(r, &t, msg);
}

/* ---- listing ---- */

md_err_t
md_journal_segment_scan(const md_journal_reader_t *r, uint32_t i, md_journal_segment_info_t *out,
                        md_msg_t *msg) {
  uint64_t *ids = NULL;
  uint32_t  cnt = 0;
  md_err_t  err = md_journal_list(r->disk, r->dir, &ids, &cnt, msg);
  if (err) return err;
  md_journal_scan_t *scan = malloc(sizeof *scan);
  if (!scan) err = md_fail(msg, MD_ERR_NOMEM, "no memory to read a segment");
  if (!err && i >= cnt) err = MD_ERR_END;
  uint64_t limit = 0;
  if (!err) err = md_journal_limit_of(r->disk, r->dir, ids, cnt, i, &limit);
  if (!err) err = md_journal_scan_segment(r->disk, r->dir, ids[i], limit, scan, msg);
  if (!err) *out = scan->info;
  free(scan);
  free(ids);
  return err;
}
