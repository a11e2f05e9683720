#include "writers/journal_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNFINISHED "segment.tmp"

void
md_journal_name(uint64_t segment, char out[MD_JOURNAL_NAME_BYTES]) {
  (void)snprintf(out, MD_JOURNAL_NAME_BYTES, "seg-%010" PRIu64 ".mdj", segment);
}

void
md_journal_path(const char *dir, uint64_t segment, char out[MD_JOURNAL_PATH_BYTES]) {
  char name[MD_JOURNAL_NAME_BYTES];
  md_journal_name(segment, name);
  (void)snprintf(out, MD_JOURNAL_PATH_BYTES, "%.540s/%s", dir, name);
}

static void
unfinished_path(const char *dir, char out[MD_JOURNAL_PATH_BYTES]) {
  (void)snprintf(out, MD_JOURNAL_PATH_BYTES, "%.540s/" UNFINISHED, dir);
}

/* The number in a segment's name; 0 when it is another file. */
static uint64_t
id_of(const char *name) {
  if (strncmp(name, "seg-", 4) != 0 || name[4] < '0' || name[4] > '9') return 0;
  char    *end = NULL;
  uint64_t id  = strtoull(name + 4, &end, 10);
  char     same[MD_JOURNAL_NAME_BYTES];
  md_journal_name(id, same);
  return strcmp(same, name) == 0 ? id : 0;
}

static int
compare_ids(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

md_err_t
md_journal_list(const char *dir, uint64_t **ids, uint32_t *cnt, md_msg_t *msg) {
  *ids   = NULL;
  *cnt   = 0;
  DIR *d = opendir(dir);
  if (!d) return md_fail_errno(msg, errno, "cannot open the journal directory %s", dir);
  uint32_t       cap   = 0;
  struct dirent *entry = NULL;
  while ((entry = readdir(d)) != NULL) {
    uint64_t id = id_of(entry->d_name);
    if (id == 0) continue;
    if (*cnt == cap) {
      cap         = cap ? 2 * cap : 64;
      void *grown = realloc(*ids, cap * sizeof **ids);
      if (!grown) {
        free(*ids);
        (void)closedir(d);
        return md_fail(msg, MD_ERR_NOMEM, "no memory to list %s", dir);
      }
      *ids = grown;
    }
    (*ids)[(*cnt)++] = id;
  }
  (void)closedir(d);
  if (*cnt > 0) qsort(*ids, *cnt, sizeof **ids, compare_ids);
  return MD_OK;
}

uint64_t
md_journal_next_id(const char *dir, uint64_t id) {
  DIR *d = opendir(dir);
  if (!d) return 0;
  uint64_t       next  = 0;
  struct dirent *entry = NULL;
  while ((entry = readdir(d)) != NULL) {
    uint64_t found = id_of(entry->d_name);
    if (found > id && (next == 0 || found < next)) next = found;
  }
  (void)closedir(d);
  return next;
}

static int
sync_dir(const char *dir) {
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  int rc    = fsync(fd);
  int cause = errno;
  (void)close(fd);
  errno = cause;
  return rc;
}

/* Reserves [from, from + wish), or at least [from, from + need). */
static int
grow(md_journal_file_t *f, uint64_t from, uint64_t wish, uint64_t need) {
  if (f->allocated_bytes == UINT64_MAX) return 0;
  uint64_t bytes = wish;
  int      rc    = fallocate(f->fd, 0, (off_t)from, (off_t)bytes);
  if (rc != 0 && errno != EOPNOTSUPP && need < wish) {
    bytes = need;
    rc    = fallocate(f->fd, 0, (off_t)from, (off_t)bytes);
  }
  if (rc != 0 && errno == EOPNOTSUPP) {
    f->allocated_bytes = UINT64_MAX;
    return 0;
  }
  if (rc == 0) f->allocated_bytes = from + bytes;
  return rc;
}

/* The header is the first write, so it also finds out whether O_DIRECT works here. */
static int
write_head(md_journal_file_t *f, const md_journal_head_t *head) {
  ssize_t n = pwrite(f->fd, head, sizeof *head, 0);
  if (n < 0 && errno == EINVAL && f->direct) {
    f->direct = false;
    int flags = fcntl(f->fd, F_GETFL);
    if (flags < 0 || fcntl(f->fd, F_SETFL, flags & ~O_DIRECT) != 0) return -1;
    n = pwrite(f->fd, head, sizeof *head, 0);
  }
  if (n >= 0 && n != (ssize_t)sizeof *head) errno = ENOSPC;
  return n == (ssize_t)sizeof *head ? 0 : -1;
}

md_err_t
md_journal_file_create(md_journal_file_t *f, const char *dir, md_journal_head_t *head,
                       uint64_t room_bytes, md_msg_t *msg) {
  _Alignas(MD_JOURNAL_PAGE_BYTES) md_journal_head_t aligned;
  char tmp[MD_JOURNAL_PATH_BYTES], path[MD_JOURNAL_PATH_BYTES];
  unfinished_path(dir, tmp);
  md_journal_path(dir, head->segment, path);
  md_journal_head_seal(head);
  aligned         = *head;
  const int flags = O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC;
  *f = (md_journal_file_t){.fd = open(tmp, flags | O_DIRECT, 0640), .segment = head->segment};
  f->direct = f->fd >= 0;
  if (f->fd < 0 && errno == EINVAL) f->fd = open(tmp, flags, 0640);
  if (f->fd < 0) return md_fail_errno(msg, errno, "cannot create the journal segment %s", path);
  uint64_t need = MD_JOURNAL_PAGE_BYTES + room_bytes;
  uint64_t wish = need > MD_JOURNAL_GROW_BYTES ? need : MD_JOURNAL_GROW_BYTES;
  f->end_off    = MD_JOURNAL_PAGE_BYTES;
  bool ok = grow(f, 0, wish, need) == 0 && write_head(f, &aligned) == 0 && fsync(f->fd) == 0 &&
            rename(tmp, path) == 0 && sync_dir(dir) == 0;
  if (ok) return MD_OK;
  int cause = errno;
  (void)close(f->fd);
  f->fd = -1;
  (void)unlink(tmp);
  return md_fail_errno(msg, cause, "cannot create the journal segment %s", path);
}

md_err_t
md_journal_file_reserve(md_journal_file_t *f, uint64_t bytes, md_msg_t *msg) {
  uint64_t need_end = f->end_off + bytes;
  if (need_end <= f->allocated_bytes) return MD_OK;
  uint64_t from = f->allocated_bytes;
  uint64_t need = need_end - from;
  uint64_t wish = need > MD_JOURNAL_GROW_BYTES ? need : MD_JOURNAL_GROW_BYTES;
  if (grow(f, from, wish, need) == 0) return MD_OK;
  return md_fail_errno(msg, errno, "no room for the next block of journal segment %" PRIu64,
                       f->segment);
}

uint64_t
md_journal_file_seal(md_journal_file_t *f, uint32_t epoch, uint8_t *page) {
  if (fdatasync(f->fd) != 0) return f->end_off;
  memset(page, 0, MD_JOURNAL_PAGE_BYTES);
  md_journal_block_t *block = (md_journal_block_t *)(void *)page;
  block->header_bytes       = (uint16_t)sizeof *block;
  block->flags              = MD_BLOCK_SEAL;
  block->segment            = f->segment;
  block->offset             = f->end_off;
  block->durable_off        = f->end_off;
  block->epoch              = epoch;
  block->block_bytes        = MD_JOURNAL_PAGE_BYTES;
  md_journal_block_seal(block);
  ssize_t n = pwrite(f->fd, page, MD_JOURNAL_PAGE_BYTES, (off_t)f->end_off);
  if (n != (ssize_t)MD_JOURNAL_PAGE_BYTES) return f->end_off;
  return f->end_off + MD_JOURNAL_PAGE_BYTES;
}

md_err_t
md_journal_file_finish(md_journal_file_t *f, uint64_t bytes, md_msg_t *msg) {
  if (f->fd < 0) return MD_OK;
  bool ok    = ftruncate(f->fd, (off_t)bytes) == 0 && fsync(f->fd) == 0;
  int  cause = errno;
  (void)close(f->fd);
  f->fd = -1;
  if (ok) return MD_OK;
  return md_fail_errno(msg, cause, "cannot close journal segment %" PRIu64, f->segment);
}

md_err_t
md_journal_head_read(const char *dir, uint64_t segment, const uint8_t *uuid,
                     md_journal_head_t *out) {
  char path[MD_JOURNAL_PATH_BYTES];
  md_journal_path(dir, segment, path);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT ? MD_ERR_ABSENT : MD_ERR_IO;
  ssize_t n = pread(fd, out, sizeof *out, 0);
  (void)close(fd);
  if (n < 0) return MD_ERR_IO;
  if (n != (ssize_t)sizeof *out) return MD_ERR_CORRUPT;
  md_err_t err = md_journal_head_check(out);
  if (err) return err;
  if (out->segment != segment) return MD_ERR_CORRUPT;
  if (uuid && memcmp(uuid, out->uuid, sizeof out->uuid) != 0) return MD_ERR_CORRUPT;
  return MD_OK;
}

void
md_journal_unlink(const char *dir, uint64_t segment) {
  char path[MD_JOURNAL_PATH_BYTES];
  md_journal_path(dir, segment, path);
  if (unlink(path) == 0) (void)sync_dir(dir);
}

void
md_journal_unlink_unfinished(const char *dir) {
  char path[MD_JOURNAL_PATH_BYTES];
  unfinished_path(dir, path);
  (void)unlink(path);
}
