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
  *buf = (md_journal_buffer_t){.disk = buf->disk};
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
  return md_journal_block_check(md_journal_buffer_block(buf));
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
    if (err == MD_ERR_IO || err == MD_ERR_NOMEM) return err;
    const uint64_t durable_off = err ? 0 : md_journal_buffer_block(buf)->durable_off;
    if (!err && (search->min_durable == 0 || durable_off > search->min_durable)) return MD_OK;
    *off += MD_JOURNAL_PAGE_BYTES;
    err = find_claim(buf, fd, search->segment, reach, off);
  }
  if (!err) *off = UINT64_MAX;
  return err;
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

/* The block at off is bad. Is it damage (*off moves behind it), or the segment's end (*off stays)?
 * It is damage when the limit is known or a block behind it proves that it was durable. */
static md_err_t
pass_bad(md_journal_scan_t *s, md_journal_buffer_t *buf, int fd, const md_journal_search_t *all,
         bool limit_known, const char *what, uint64_t *off) {
  md_journal_search_t proof = *all;
  proof.min_durable         = limit_known ? 0 : *off;
  uint64_t next             = *off + MD_JOURNAL_PAGE_BYTES;
  md_err_t err              = md_journal_find_block(buf, fd, &proof, &next);
  if (err || (next == UINT64_MAX && !limit_known)) return err;
  take_damage(s, *off, what);
  if (next == UINT64_MAX) {
    *off = all->limit;
    return MD_OK;
  }
  /* With a proof from further behind, the nearest whole block is where to go on. */
  *off += MD_JOURNAL_PAGE_BYTES;
  return md_journal_find_block(buf, fd, all, off);
}

/* Walks all blocks below limit. A bad block that cannot be read for another reason than its bytes
 * ends the walk with that reason: what nobody can read now is not torn. */
static md_err_t
walk(md_journal_scan_t *s, md_journal_buffer_t *buf, int fd, uint64_t limit, bool limit_known) {
  const md_journal_search_t all = {.segment = s->info.id, .reach = limit, .limit = limit};
  uint64_t                  off = MD_JOURNAL_PAGE_BYTES;
  md_err_t                  err = MD_OK;
  while (off < limit && !err) {
    err = md_journal_load(buf, fd, s->info.id, off, limit);
    if (err == MD_ERR_IO || err == MD_ERR_NOMEM || err == MD_ERR_VERSION) break;
    if (err == MD_OK) {
      take_block(s, md_journal_buffer_block(buf));
      off += md_journal_buffer_block(buf)->block_bytes;
      continue;
    }
    const uint64_t bad = off;
    err                = pass_bad(s, buf, fd, &all, limit_known,
                   err == MD_ERR_CORRUPT ? "checksum" : "missing block", &off);
    if (off == bad) break;
  }
  s->valid_end = off;
  return err;
}

static md_err_t
take_head(md_journal_scan_t *s, const md_disk_t *disk, int fd) {
  int64_t n = md_disk_pread_all(disk, fd, &s->head, sizeof s->head, 0);
  if (n < 0) return MD_ERR_IO;
  s->head_ok = n == (int64_t)sizeof s->head && md_journal_head_check(&s->head) == MD_OK &&
               s->head.segment == s->info.id;
  if (!s->head_ok) {
    take_damage(s, 0, "segment header");
    return MD_OK;
  }
  s->info.epoch      = s->head.epoch;
  s->info.created_ns = s->head.created_ns;
  md_journal_marks_from_head(&s->marks, &s->head);
  return MD_OK;
}

static md_err_t
scan_file(md_journal_scan_t *s, const md_disk_t *disk, int fd, uint64_t limit) {
  md_journal_buffer_t buf   = {.disk = disk};
  int64_t             bytes = md_disk_size(disk, fd);
  if (bytes < 0) return MD_ERR_IO;
  s->file_bytes = (uint64_t)bytes;
  md_err_t err  = take_head(s, disk, fd);
  if (!err) err = walk(s, &buf, fd, limit ? limit : s->file_bytes, limit != 0);
  md_journal_buffer_fini(&buf);
  if (err) return err;
  s->info.bytes = s->valid_end;
  if (limit != 0) return MD_OK;
  uint64_t end       = s->valid_end;
  err                = last_data(disk, fd, s->file_bytes, &end);
  s->info.torn_bytes = end - s->valid_end;
  return err;
}

md_err_t
md_journal_scan_segment(const md_disk_t *disk, const char *dir, uint64_t id, uint64_t limit,
                        md_journal_scan_t *out, md_msg_t *msg) {
  *out         = (md_journal_scan_t){0};
  out->info.id = id;
  char path[MD_JOURNAL_PATH_BYTES];
  md_journal_path(dir, id, path);
  int fd = md_disk_open(disk, path, O_RDONLY, 0);
  if (fd < 0) return md_fail_errno(msg, -fd, "cannot open %s", path);
  md_err_t err = scan_file(out, disk, fd, limit);
  (void)md_disk_close(disk, fd);
  return err ? md_fail(msg, err, "cannot read %s: %s", path, md_err_text(err)) : MD_OK;
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
