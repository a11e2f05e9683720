#include "writers/journal.h"
#include "writers/journal_file.h"
#include "writers/journal_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_LIMIT UINT64_MAX
/* How far a reader looks behind zeros, where a live journal ends: the cost of every look for more.
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
  md_journal_damage_t damage;

  uint64_t       block_off; /* of the block in buf */
  uint32_t       record_cnt, record_next;
  const uint8_t *record;
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

const md_manifest_t *
md_journal_reader_manifest(const md_journal_reader_t *r) {
  return r->manifest;
}

/* ---- segments ---- */

static md_err_t
open_segment(md_journal_reader_t *r, uint64_t segment) {
  char path[MD_JOURNAL_PATH_BYTES];
  md_journal_path(r->dir, segment, path);
  int fd = md_disk_open(r->disk, path, O_RDONLY, 0);
  if (fd < 0) return fd == -ENOENT ? MD_ERR_ABSENT : MD_ERR_IO;
  if (r->fd >= 0) (void)md_disk_close(r->disk, r->fd);
  r->fd         = fd;
  r->segment    = segment;
  r->off        = MD_JOURNAL_PAGE_BYTES;
  r->limit      = NO_LIMIT;
  r->record_cnt = r->record_next = 0;
  return MD_OK;
}

static void
add_damage(md_journal_reader_t *r, uint64_t off, uint64_t bytes, const char *what) {
  r->damage.block_cnt++;
  r->damage.byte_cnt += bytes;
  if (r->damage.first[0]) return;
  char name[MD_JOURNAL_NAME_BYTES];
  md_journal_name(r->segment, name);
  (void)snprintf(r->damage.first, sizeof r->damage.first, "%s at %" PRIu64 ": %s", name, off, what);
}

/* Opens the segment behind the current one. MD_ERR_END: there is none. */
static md_err_t
next_segment(md_journal_reader_t *r) {
  uint64_t          next = 0;
  md_journal_head_t head;
  md_err_t          err = md_journal_next_id(r->disk, r->dir, r->segment, &next);
  if (err || next == 0) return err ? err : MD_ERR_END;
  err = md_journal_head_read(r->disk, r->dir, next, md_manifest_uuid(r->manifest), &head);
  if (err == MD_ERR_VERSION || err == MD_ERR_IO) return err;
  if (err == MD_ERR_ABSENT || open_segment(r, next) != MD_OK) return MD_ERR_END;
  if (err) add_damage(r, 0, MD_JOURNAL_PAGE_BYTES, "segment header");
  return MD_OK;
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

/* The block at off cannot be read. Moves off behind the damage, or says MD_ERR_END when nothing
 * proves that it should be readable. */
static md_err_t
skip_damage(md_journal_reader_t *r, md_err_t why) {
  const uint64_t from = r->off + MD_JOURNAL_PAGE_BYTES;
  md_err_t       err;
  if (r->limit == NO_LIMIT) {
    md_journal_search_t search = {.segment     = r->segment,
                                  .reach       = why == MD_ERR_EMPTY ? from + LOOK_BYTES : NO_LIMIT,
                                  .limit       = NO_LIMIT,
                                  .min_durable = r->off};
    uint64_t            proof  = from;
    err                        = md_journal_find_block(&r->buf, r->fd, &search, &proof);
    if (err || proof == UINT64_MAX) return err ? err : MD_ERR_END;
  }
  /* Between the first look and the proof a live writer may have finished the block. */
  err = md_journal_load(&r->buf, r->fd, r->segment, r->off, r->limit);
  if (err == MD_OK || err == MD_ERR_IO || err == MD_ERR_NOMEM) return err;
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
  r->block_off                = r->off;
  r->off += b->block_bytes;
  r->record_cnt  = b->record_cnt;
  r->record_next = 0;
  r->record      = md_journal_block_records(b);
}

static md_err_t
cannot_read(const md_journal_reader_t *r, md_err_t err, md_msg_t *msg) {
  return md_fail(msg, err, "segment %" PRIu64 " of %s at %" PRIu64 ": %s", r->segment, r->dir,
                 r->off, md_err_text(err));
}

static bool
is_trouble(md_err_t err) {
  return err == MD_ERR_IO || err == MD_ERR_NOMEM || err == MD_ERR_VERSION;
}

/* The next whole block, in this segment or a later one. Each turn of the loop moves on or ends. */
static md_err_t
next_block(md_journal_reader_t *r, md_msg_t *msg) {
  r->record_cnt = r->record_next = 0;
  for (;;) {
    if (r->fd < 0 || r->off >= r->limit) {
      md_err_t err = next_segment(r);
      if (err) return is_trouble(err) ? cannot_read(r, err, msg) : err;
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
  *rec = found;
  return MD_OK;
}

/* ---- seeking ---- */

md_err_t
md_journal_reader_seek_segment(md_journal_reader_t *r, uint64_t segment, md_msg_t *msg) {
  if (segment != 0 && open_segment(r, segment) == MD_OK) return MD_OK;
  return md_fail(msg, MD_ERR_ABSENT, "%s has no segment %" PRIu64, r->dir, segment);
}

/* Does the header show the stream below (epoch, seq) at the segment's begin? */
static bool
begins_below(const md_journal_head_t *head, uint16_t stream, uint32_t epoch, uint64_t seq) {
  for (uint32_t i = 0; i < head->mark_cnt; i++) {
    const md_journal_mark_t *m = &head->mark[i];
    if (m->stream == stream) return m->epoch < epoch || (m->epoch == epoch && m->seq < seq);
  }
  return true;
}

static bool
block_reaches(const md_journal_block_t *b, uint16_t stream, uint32_t epoch, uint64_t seq) {
  for (uint32_t i = 0; i < b->stream_cnt; i++) {
    const md_journal_sub_t *sub = &b->sub[i];
    if (sub->stream != stream || sub->last_seq == 0) continue;
    if (sub->epoch > epoch || (sub->epoch == epoch && sub->last_seq >= seq)) return true;
  }
  return false;
}

md_err_t
md_journal_reader_seek(md_journal_reader_t *r, uint16_t stream, uint32_t epoch, uint64_t seq,
                       md_msg_t *msg) {
  uint64_t *ids = NULL;
  uint32_t  cnt = 0;
  md_err_t  err = md_journal_list(r->disk, r->dir, &ids, &cnt, msg);
  if (err) return err;
  uint64_t segment = cnt ? ids[0] : 0;
  for (uint32_t i = cnt; i > 0; i--) {
    md_journal_head_t head;
    err = md_journal_head_read(r->disk, r->dir, ids[i - 1], NULL, &head);
    if (err == MD_ERR_IO) break;
    if (err) continue;
    if (!begins_below(&head, stream, epoch, seq)) continue;
    segment = ids[i - 1];
    break;
  }
  free(ids);
  if (err == MD_ERR_IO) return cannot_read(r, err, msg);
  if (segment == 0) return MD_OK; /* nothing yet: the beginning is the place */
  if (open_segment(r, segment) != MD_OK)
    return md_fail(msg, MD_ERR_ABSENT, "segment %" PRIu64 " of %s went away", segment, r->dir);
  for (;;) {
    err = next_block(r, msg);
    if (err == MD_ERR_END) return MD_OK;
    if (err) return err;
    if (block_reaches(md_journal_buffer_block(&r->buf), stream, epoch, seq)) return MD_OK;
  }
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
