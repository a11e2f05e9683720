#include "writers/journal_scan.h"

#include "writers/journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES (64u << 10) /* the first read of a block; small ones need no second */

void
md_journal_buffer_fini(md_journal_buffer_t *buf) {
  free(buf->data);
  *buf = (md_journal_buffer_t){0};
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

/* Fewer bytes only at the end of the file; negative on an error. */
static ssize_t
read_at(int fd, void *to, size_t len, uint64_t off) {
  size_t got = 0;
  while (got < len) {
    ssize_t n = pread(fd, (uint8_t *)to + got, len - got, (off_t)(off + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    got += (size_t)n;
  }
  return (ssize_t)got;
}

md_err_t
md_journal_load(md_journal_buffer_t *buf, int fd, uint64_t segment, uint64_t off, uint64_t limit) {
  if (off >= limit) return MD_ERR_END;
  if (!buffer_room(buf, READ_BYTES)) return MD_ERR_NOMEM;
  ssize_t n = read_at(fd, buf->data, READ_BYTES, off);
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
    ssize_t more = read_at(fd, buf->data + n, block_bytes - (size_t)n, off + (uint64_t)n);
    if (more < 0) return MD_ERR_IO;
    if ((size_t)more < block_bytes - (size_t)n) return MD_ERR_CORRUPT;
  }
  /* A live writer may have changed the header between the two reads: look at it again. */
  if (md_journal_buffer_block(buf)->block_bytes != block_bytes) return MD_ERR_CORRUPT;
  return md_journal_block_check(md_journal_buffer_block(buf));
}

/* The next place at or above off that may hold data: reserved but unwritten space is skipped at
 * once. */
static uint64_t
skip_hole(int fd, uint64_t off) {
  off_t data = lseek(fd, (off_t)off, SEEK_DATA);
  if (data < 0) return errno == ENXIO ? UINT64_MAX : off;
  uint64_t down = (uint64_t)data & ~(uint64_t)(MD_JOURNAL_PAGE_BYTES - 1);
  return down > off ? down : off;
}

/* Looks at page headers in steps of READ_BYTES: the next page that claims to be a block of segment.
 */
static uint64_t
find_claim(int fd, uint64_t segment, uint64_t off, uint64_t limit) {
  uint8_t page[READ_BYTES];
  while (off < limit) {
    off = skip_hole(fd, off);
    if (off >= limit) return UINT64_MAX;
    ssize_t n = read_at(fd, page, sizeof page, off);
    if (n <= 0) return UINT64_MAX;
    for (size_t i = 0; i + sizeof(md_journal_block_t) <= (size_t)n; i += MD_JOURNAL_PAGE_BYTES) {
      if (md_journal_block_peek(page + i, segment, off + i) == MD_OK) return off + i;
    }
    off += sizeof page;
  }
  return UINT64_MAX;
}

uint64_t
md_journal_find_block(md_journal_buffer_t *buf, int fd, uint64_t segment, uint64_t off,
                      uint64_t reach, uint64_t limit, uint64_t min_durable) {
  if (reach > limit) reach = limit;
  off = find_claim(fd, segment, off, reach);
  while (off < reach) {
    if (md_journal_load(buf, fd, segment, off, limit) == MD_OK &&
        (min_durable == 0 || md_journal_buffer_block(buf)->durable_off > min_durable))
      return off;
    off = find_claim(fd, segment, off + MD_JOURNAL_PAGE_BYTES, reach);
  }
  return UINT64_MAX;
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

/* The end of the last page that is not all zeros, between off and the end of the file. */
static uint64_t
last_data(int fd, uint64_t off, uint64_t file_bytes) {
  static const uint8_t zero[MD_JOURNAL_PAGE_BYTES];
  uint8_t              page[MD_JOURNAL_PAGE_BYTES];
  uint64_t             end = off;
  while (off < file_bytes) {
    off = skip_hole(fd, off);
    if (off >= file_bytes) break;
    ssize_t n = read_at(fd, page, sizeof page, off);
    if (n <= 0) break;
    if (memcmp(page, zero, (size_t)n) != 0) end = off + (uint64_t)n;
    off += MD_JOURNAL_PAGE_BYTES;
  }
  return end;
}

/* Walks all blocks below limit. A bad place is skipped as damage when the limit is known or a block
 * behind it proves that it was durable; else the segment ends there. */
static md_err_t
walk(md_journal_scan_t *s, int fd, uint64_t limit, bool limit_known) {
  md_journal_buffer_t buf = {0};
  uint64_t            off = MD_JOURNAL_PAGE_BYTES;
  md_err_t            err = MD_OK;
  while (off < limit) {
    err = md_journal_load(&buf, fd, s->info.id, off, limit);
    if (err == MD_ERR_IO || err == MD_ERR_NOMEM || err == MD_ERR_VERSION) break;
    if (err == MD_OK) {
      take_block(s, md_journal_buffer_block(&buf));
      off += md_journal_buffer_block(&buf)->block_bytes;
      continue;
    }
    const char *what = err == MD_ERR_CORRUPT ? "checksum" : "missing block";
    err              = MD_OK;
    uint64_t next = md_journal_find_block(&buf, fd, s->info.id, off + MD_JOURNAL_PAGE_BYTES, limit,
                                          limit, limit_known ? 0 : off);
    if (next == UINT64_MAX && !limit_known) break;
    take_damage(s, off, what);
    if (next == UINT64_MAX) {
      off = limit;
      break;
    }
    /* With a proof from further behind, the nearest whole block is where to go on. */
    off = md_journal_find_block(&buf, fd, s->info.id, off + MD_JOURNAL_PAGE_BYTES, limit, limit, 0);
  }
  s->valid_end = off;
  md_journal_buffer_fini(&buf);
  return err;
}

static void
take_head(md_journal_scan_t *s, int fd) {
  s->head_ok = read_at(fd, &s->head, sizeof s->head, 0) == (ssize_t)sizeof s->head &&
               md_journal_head_check(&s->head) == MD_OK && s->head.segment == s->info.id;
  if (!s->head_ok) {
    take_damage(s, 0, "segment header");
    return;
  }
  s->info.epoch      = s->head.epoch;
  s->info.created_ns = s->head.created_ns;
  md_journal_marks_from_head(&s->marks, &s->head);
}

md_err_t
md_journal_scan_segment(const char *dir, uint64_t id, uint64_t limit, md_journal_scan_t *out,
                        md_msg_t *msg) {
  *out         = (md_journal_scan_t){0};
  out->info.id = id;
  char path[MD_JOURNAL_PATH_BYTES];
  md_journal_path(dir, id, path);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return md_fail_errno(msg, errno, "cannot open %s", path);
  struct stat st;
  if (fstat(fd, &st) != 0) {
    md_err_t err = md_fail_errno(msg, errno, "cannot read %s", path);
    (void)close(fd);
    return err;
  }
  out->file_bytes = (uint64_t)st.st_size;
  take_head(out, fd);
  md_err_t err = walk(out, fd, limit ? limit : out->file_bytes, limit != 0);
  if (err) {
    (void)close(fd);
    return md_fail(msg, err, "cannot read %s: %s", path, md_err_text(err));
  }
  out->info.bytes = out->valid_end;
  if (limit == 0)
    out->info.torn_bytes = last_data(fd, out->valid_end, out->file_bytes) - out->valid_end;
  (void)close(fd);
  return MD_OK;
}

uint64_t
md_journal_limit_of(const char *dir, const uint64_t *ids, uint32_t cnt, uint32_t i) {
  md_journal_head_t head;
  if (i + 1 >= cnt || md_journal_head_read(dir, ids[i + 1], NULL, &head) != MD_OK) return 0;
  return head.prev_segment == ids[i] ? head.prev_bytes : 0;
}
