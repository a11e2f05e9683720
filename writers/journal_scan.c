#include "writers/journal_scan.h"

#include "writers/journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES (64u << 10) /* the first read of a block; small ones need no second */

void
md_journal_buffer_fini(md_journal_buffer_t *buf) {
  free(buf->data);
  free(buf->other);
  md_zstd_unpack_free(buf->unpack);
  *buf = (md_journal_buffer_t){.disk = buf->disk};
}

/* Puts the plain block in the place of the packed one. */
static md_err_t
unpack(md_journal_buffer_t *buf) {
  const md_journal_block_t *packed = md_journal_buffer_block(buf);
  const size_t              bytes  = packed->header_bytes + (size_t)packed->raw_bytes;
  if (buf->other_bytes < bytes) {
    size_t   cap  = (size_t)md_align_up(bytes, READ_BYTES);
    uint8_t *data = aligned_alloc(MD_JOURNAL_PAGE_BYTES, cap);
    if (!data) return MD_ERR_NOMEM;
    free(buf->other);
    buf->other       = data;
    buf->other_bytes = cap;
  }
  md_err_t err = md_zstd_unpack(&buf->unpack, buf->other + packed->header_bytes, packed->raw_bytes,
                                md_journal_block_records(packed), packed->stored_bytes);
  if (err) return err;
  memcpy(buf->other, buf->data, packed->header_bytes);
  md_journal_block_t *plain = (md_journal_block_t *)(void *)buf->other;
  plain->stored_bytes       = plain->raw_bytes;
  plain->flags &= ~(uint32_t)MD_BLOCK_ZSTD;
  const size_t cap = buf->cap_bytes;
  buf->other       = buf->data;
  buf->data        = (uint8_t *)plain;
  buf->cap_bytes   = buf->other_bytes;
  buf->other_bytes = cap;
  return md_journal_records_check(plain);
}

static bool
buffer_room(md_journal_buffer_t *buf, size_t bytes) {
  if (bytes <= buf->cap_bytes) return true;
  size_t   cap  = (size_t)md_align_up(bytes, READ_BYTES);
  uint8_t *data = aligned_alloc(MD_JOURNAL_PAGE_BYTES, cap);
  if (!data) return false;
  if (buf->data) memcpy(data, buf->data, buf->cap_bytes);
  free(buf->data);
  buf->data      = data;
  buf->cap_bytes = cap;
  return true;
}

md_err_t
md_journal_load(md_journal_buffer_t *buf, int fd, uint64_t segment, uint64_t off, uint64_t limit) {
  if (off >= limit) return MD_ERR_END;
  if (!buffer_room(buf, READ_BYTES)) return MD_ERR_NOMEM;
  int64_t n = md_disk_pread_all(buf->disk, fd, buf->data, READ_BYTES, off);
  if (n < 0) return MD_ERR_IO;
  if (n == 0) return MD_ERR_END;
  if ((size_t)n < sizeof(md_journal_block_t)) return MD_ERR_CORRUPT;
  md_err_t err = md_journal_block_peek(buf->data, segment, off);
  if (err) return err;
  uint32_t block_bytes = md_journal_buffer_block(buf)->block_bytes;
  if (off + block_bytes > limit) return MD_ERR_CORRUPT;
  if (block_bytes > (size_t)n) {
    if ((size_t)n < READ_BYTES) return MD_ERR_CORRUPT; /* the file ends within it */
    if (!buffer_room(buf, block_bytes)) return MD_ERR_NOMEM;
    const size_t rest = block_bytes - (size_t)n;
    int64_t      more = md_disk_pread_all(buf->disk, fd, buf->data + n, rest, off + (uint64_t)n);
    if (more < 0) return MD_ERR_IO;
    if ((size_t)more < rest) return MD_ERR_CORRUPT;
  }
  /* A live writer may have changed the header between the two reads: look at it again. */
  if (md_journal_buffer_block(buf)->block_bytes != block_bytes) return MD_ERR_CORRUPT;
  err = md_journal_block_check(md_journal_buffer_block(buf));
  if (err || !(md_journal_buffer_block(buf)->flags & MD_BLOCK_ZSTD)) return err;
  return unpack(buf);
}

/* The next place at or above off that may hold data: reserved but unwritten space is skipped at
 * once. */
static uint64_t
skip_hole(const md_disk_t *disk, int fd, uint64_t off) {
  int64_t data = md_disk_seek_data(disk, fd, off);
  if (data < 0) return data == -ENXIO ? UINT64_MAX : off;
  uint64_t down = (uint64_t)data & ~(uint64_t)(MD_JOURNAL_PAGE_BYTES - 1);
  return down > off ? down : off;
}

/* Looks at page headers in steps of READ_BYTES: the next page that claims to be a block of segment,
 * UINT64_MAX for none. */
static md_err_t
find_claim(const md_journal_buffer_t *buf, int fd, uint64_t segment, uint64_t limit,
           uint64_t *off) {
  uint8_t page[READ_BYTES];
  while (*off < limit) {
    *off = skip_hole(buf->disk, fd, *off);
    if (*off >= limit) break;
    int64_t n = md_disk_pread_all(buf->disk, fd, page, sizeof page, *off);
    if (n < 0) return MD_ERR_IO;
    if (n == 0) break;
    for (size_t i = 0; i + sizeof(md_journal_block_t) <= (size_t)n; i += MD_JOURNAL_PAGE_BYTES) {
      if (md_journal_block_peek(page + i, segment, *off + i) != MD_OK) continue;
      *off += i;
      return MD_OK;
    }
    *off += sizeof page;
  }
  *off = UINT64_MAX;
  return MD_OK;
}

md_err_t
md_journal_find_block(md_journal_buffer_t *buf, int fd, const md_journal_search_t *search,
                      uint64_t *off) {
  const uint64_t reach = search->reach < search->limit ? search->reach : search->limit;
  md_err_t       err   = find_claim(buf, fd, search->segment, reach, off);
  while (!err && *off < reach) {
    err = md_journal_load(buf, fd, search->segment, *off, search->limit);
    if (err == MD_ERR_IO || err == MD_ERR_NOMEM || err == MD_ERR_VERSION) return err;
    const uint64_t durable_off = err ? 0 : md_journal_buffer_block(buf)->durable_off;
    if (!err && (search->min_durable == 0 || durable_off > search->min_durable)) return MD_OK;
    *off += MD_JOURNAL_PAGE_BYTES;
    err = find_claim(buf, fd, search->segment, reach, off);
  }
  if (!err) *off = UINT64_MAX;
  return err;
}

md_err_t
md_journal_is_packed(md_journal_buffer_t *buf, int fd, uint64_t segment, bool *packed) {
  const md_journal_search_t any = {.segment = segment, .reach = UINT64_MAX, .limit = UINT64_MAX};
  uint64_t                  off = MD_JOURNAL_PAGE_BYTES;
  md_err_t                  err = md_journal_find_block(buf, fd, &any, &off);
  *packed = !err && off != UINT64_MAX && md_journal_buffer_block(buf)->plain_off != 0;
  return err;
}

md_err_t
md_journal_head_load(const md_disk_t *disk, int fd, uint64_t segment, const uint8_t *uuid,
                     md_journal_head_t *out) {
  *out      = (md_journal_head_t){0};
  int64_t n = md_disk_pread_all(disk, fd, out, sizeof *out, 0);
  if (n < 0) return MD_ERR_IO;
  if (n != (int64_t)sizeof *out) return MD_ERR_CORRUPT;
  md_err_t err = md_journal_head_check(out);
  if (err) return err;
  if (out->segment != segment) return MD_ERR_CORRUPT;
  if (uuid && memcmp(uuid, out->uuid, sizeof out->uuid) != 0) return MD_ERR_CORRUPT;
  return MD_OK;
}

md_err_t
md_journal_version_fail(md_msg_t *msg, const char *path, const char *what, uint32_t found,
                        uint32_t newest) {
  return md_fail(msg, MD_ERR_VERSION,
                 "%s: %s of format version %u; this mdengine reads up to %u: use the mdengine that "
                 "wrote it, or a newer one",
                 path, what, found, newest);
}

static void
take_block(md_journal_scan_t *s, const md_journal_block_t *b) {
  s->info.block_cnt++;
  s->info.record_cnt += b->record_cnt;
  if (b->record_cnt > 0) {
    if (s->info.first_ns == 0 || b->ts_first_ns < s->info.first_ns)
      s->info.first_ns = b->ts_first_ns;
    if (b->ts_last_ns > s->info.last_ns) s->info.last_ns = b->ts_last_ns;
  }
  for (uint32_t i = 0; i < b->stream_cnt; i++) {
    const md_journal_sub_t *sub = &b->sub[i];
    if (sub->last_seq != 0) md_journal_marks_put(&s->marks, sub->stream, sub->epoch, sub->last_seq);
  }
  if (!s->head_ok && s->info.epoch == 0) s->info.epoch = b->epoch;
}

static void
take_damage(md_journal_scan_t *s, uint64_t off, const char *what) {
  s->info.damaged_cnt++;
  if (s->first_damage[0]) return;
  char name[MD_JOURNAL_NAME_BYTES];
  md_journal_name(s->info.id, name);
  (void)snprintf(s->first_damage, sizeof s->first_damage, "%s at %llu: %s", name,
                 (unsigned long long)off, what);
}

/* Raises *end to the end of the last page that is not all zeros, from *end to the end of the file.
 */
static md_err_t
last_data(const md_disk_t *disk, int fd, uint64_t file_bytes, uint64_t *end) {
  static const uint8_t zero[MD_JOURNAL_PAGE_BYTES];
  uint8_t              page[MD_JOURNAL_PAGE_BYTES];
  for (uint64_t off = *end; off < file_bytes; off += MD_JOURNAL_PAGE_BYTES) {
    off = skip_hole(disk, fd, off);
    if (off >= file_bytes) break;
    int64_t n = md_disk_pread_all(disk, fd, page, sizeof page, off);
    if (n < 0) return MD_ERR_IO;
    if (n == 0) break;
    if (memcmp(page, zero, (size_t)n) != 0) *end = off + (uint64_t)n;
  }
  return MD_OK;
}

/* The same in a file that was another segment's: to the end of the last block that claims to be of
 * this one. */
static md_err_t
last_claim(const md_journal_buffer_t *buf, int fd, uint64_t segment, uint64_t file_bytes,
           uint64_t *end) {
  md_journal_block_t claim;
  uint64_t           off = *end;
  for (;;) {
    md_err_t err = find_claim(buf, fd, segment, file_bytes, &off);
    if (err || off == UINT64_MAX) return err;
    int64_t n = md_disk_pread_all(buf->disk, fd, &claim, sizeof claim, off);
    if (n != (int64_t)sizeof claim) return n < 0 ? MD_ERR_IO : MD_OK;
    *end = off + claim.block_bytes < file_bytes ? off + claim.block_bytes : file_bytes;
    off += MD_JOURNAL_PAGE_BYTES;
  }
}

/* A walk over one open segment. */
typedef struct walk {
  md_journal_scan_t        *s;
  const md_journal_visit_t *visit;
  md_journal_buffer_t       buf;
  int                       fd;
  uint64_t                  limit;
  bool                      limit_known;
} walk_t;

static md_err_t
tell_damage(walk_t *w, uint64_t off, uint64_t end, const char *what) {
  take_damage(w->s, off, what);
  if (!w->visit || !w->visit->damage) return MD_OK;
  return w->visit->damage(w->visit->ctx, off, end, what);
}

/* The block at off is bad. Is it damage (*off moves behind it), or the segment's end (*off stays)?
 * It is damage when the limit is known or a block behind it proves that it was durable. */
static md_err_t
pass_bad(walk_t *w, const char *what, uint64_t *off) {
  md_journal_search_t proof = {.segment     = w->s->info.id,
                               .reach       = w->limit,
                               .limit       = w->limit,
                               .min_durable = w->limit_known ? 0 : *off};
  uint64_t            next  = *off + MD_JOURNAL_PAGE_BYTES;
  md_err_t            err   = md_journal_find_block(&w->buf, w->fd, &proof, &next);
  if (err || (next == UINT64_MAX && !w->limit_known)) return err;
  /* With a proof from further behind, the nearest whole block is where to go on. */
  if (next != UINT64_MAX && !w->limit_known) {
    proof.min_durable = 0;
    next              = *off + MD_JOURNAL_PAGE_BYTES;
    err               = md_journal_find_block(&w->buf, w->fd, &proof, &next);
    if (err) return err;
  }
  if (next == UINT64_MAX) next = w->limit;
  err = tell_damage(w, *off, next, what);
  if (!err) *off = next;
  return err;
}

/* Walks all blocks below limit. A bad block that cannot be read for another reason than its bytes
 * ends the walk with that reason: what nobody can read now is not torn. */
static md_err_t
walk(walk_t *w) {
  uint64_t off = MD_JOURNAL_PAGE_BYTES;
  md_err_t err = MD_OK;
  while (off < w->limit && !err) {
    err = md_journal_load(&w->buf, w->fd, w->s->info.id, off, w->limit);
    if (err == MD_ERR_IO || err == MD_ERR_NOMEM || err == MD_ERR_VERSION) break;
    if (err == MD_OK) {
      const md_journal_block_t *block = md_journal_buffer_block(&w->buf);
      take_block(w->s, block);
      if (w->visit && w->visit->block) err = w->visit->block(w->visit->ctx, block, off);
      off += block->block_bytes;
      continue;
    }
    const uint64_t bad = off;
    err                = pass_bad(w, err == MD_ERR_CORRUPT ? "checksum" : "missing block", &off);
    if (off == bad) break;
  }
  w->s->file_end = off;
  return err;
}

static md_err_t
take_head(walk_t *w) {
  md_journal_scan_t *s   = w->s;
  md_err_t           err = md_journal_head_load(w->buf.disk, w->fd, s->info.id, NULL, &s->head);
  if (err == MD_ERR_IO || err == MD_ERR_VERSION) return err;
  s->head_ok = err == MD_OK;
  if (!s->head_ok) {
    err = tell_damage(w, 0, MD_JOURNAL_PAGE_BYTES, "segment header");
    return err ? err : md_journal_is_packed(&w->buf, w->fd, s->info.id, &s->packed);
  }
  s->packed          = s->head.packed_bytes != 0;
  s->info.epoch      = s->head.epoch;
  s->info.created_ns = s->head.created_ns;
  md_journal_marks_from_head(&s->marks, &s->head);
  return MD_OK;
}

static md_err_t
scan_file(walk_t *w, uint64_t limit) {
  md_journal_scan_t *s     = w->s;
  const md_disk_t   *disk  = w->buf.disk;
  int64_t            bytes = md_disk_size(disk, w->fd);
  if (bytes < 0) return MD_ERR_IO;
  s->file_bytes = (uint64_t)bytes;
  md_err_t err  = take_head(w);
  if (err) return err;
  if (s->packed) limit = s->head_ok ? s->head.packed_bytes : s->file_bytes;
  w->limit       = limit ? limit : s->file_bytes;
  w->limit_known = limit != 0;
  err            = walk(w);
  if (err) return err;
  s->info.bytes = s->valid_end = s->file_end;
  if (s->packed && s->head_ok) s->valid_end = s->head.plain_bytes;
  if (limit != 0) return MD_OK;
  uint64_t end = s->file_end;
  if (s->head_ok && s->head.reused)
    err = last_claim(&w->buf, w->fd, s->info.id, s->file_bytes, &end);
  else
    err = last_data(disk, w->fd, s->file_bytes, &end);
  s->info.torn_bytes = end - s->file_end;
  return err;
}

/* What is newer than this program: the header, or a block of it. */
static md_err_t
version_fail(const walk_t *w, const char *path, md_msg_t *msg) {
  const bool head = w->s->head.magic == MD_JOURNAL_HEAD_MAGIC && !w->s->head_ok;
  return md_journal_version_fail(
      msg, path, head ? "a segment" : "a segment with a block",
      head ? w->s->head.version : md_journal_buffer_block(&w->buf)->version, MD_JOURNAL_PACKED);
}

md_err_t
md_journal_walk(const md_disk_t *disk, const char *dir, uint64_t id, uint64_t limit,
                const md_journal_visit_t *visit, md_journal_scan_t *out, md_msg_t *msg) {
  *out         = (md_journal_scan_t){0};
  out->info.id = id;
  char path[MD_JOURNAL_PATH_BYTES];
  md_journal_path(dir, id, path);
  int fd = md_disk_open(disk, path, O_RDONLY, 0);
  if (fd < 0) return md_fail_errno(msg, -fd, "cannot open %s", path);
  walk_t   w   = {.s = out, .visit = visit, .fd = fd, .buf = {.disk = disk}};
  md_err_t err = scan_file(&w, limit);
  (void)md_disk_close(disk, fd);
  if (err == MD_ERR_VERSION)
    err = version_fail(&w, path, msg);
  else if (err)
    err = md_fail(msg, err, "cannot read %s: %s", path, md_err_text(err));
  md_journal_buffer_fini(&w.buf);
  return err;
}

md_err_t
md_journal_scan_segment(const md_disk_t *disk, const char *dir, uint64_t id, uint64_t limit,
                        md_journal_scan_t *out, md_msg_t *msg) {
  return md_journal_walk(disk, dir, id, limit, NULL, out, msg);
}

md_err_t
md_journal_limit_of(const md_disk_t *disk, const char *dir, const uint64_t *ids, uint32_t cnt,
                    uint32_t i, uint64_t *limit) {
  md_journal_head_t head;
  *limit = 0;
  if (i + 1 >= cnt) return MD_OK;
  md_err_t err = md_journal_head_read(disk, dir, ids[i + 1], NULL, &head);
  if (err == MD_ERR_IO) return err;
  if (!err && head.prev_segment == ids[i]) *limit = head.prev_bytes;
  return MD_OK;
}
