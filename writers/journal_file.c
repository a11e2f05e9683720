#include "writers/journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNFINISHED "segment.tmp"
#define AHEAD      "segment.ahead"

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

void
md_journal_ahead_path(const char *dir, char out[MD_JOURNAL_PATH_BYTES]) {
  (void)snprintf(out, MD_JOURNAL_PATH_BYTES, "%.540s/" AHEAD, dir);
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

typedef struct id_list {
  uint64_t *ids;
  uint32_t  cnt, cap;
} id_list_t;

static int
add_id(void *ctx, const char *name) {
  id_list_t *list = ctx;
  uint64_t   id   = id_of(name);
  if (id == 0) return 0;
  if (list->cnt == list->cap) {
    uint32_t cap   = list->cap ? 2 * list->cap : 64;
    void    *grown = realloc(list->ids, cap * sizeof *list->ids);
    if (!grown) return -ENOMEM;
    list->ids = grown;
    list->cap = cap;
  }
  list->ids[list->cnt++] = id;
  return 0;
}

md_err_t
md_journal_list(const md_disk_t *disk, const char *dir, uint64_t **ids, uint32_t *cnt,
                md_msg_t *msg) {
  id_list_t list = {0};
  *ids           = NULL;
  *cnt           = 0;
  int rc         = md_disk_list(disk, dir, add_id, &list);
  if (rc < 0) {
    free(list.ids);
    return md_fail_errno(msg, -rc, "cannot list the journal directory %s", dir);
  }
  if (list.cnt > 0) qsort(list.ids, list.cnt, sizeof *list.ids, compare_ids);
  *ids = list.ids;
  *cnt = list.cnt;
  return MD_OK;
}

typedef struct id_search {
  uint64_t above, found;
} id_search_t;

static int
lower_id(void *ctx, const char *name) {
  id_search_t *search = ctx;
  uint64_t     id     = id_of(name);
  if (id > search->above && (search->found == 0 || id < search->found)) search->found = id;
  return 0;
}

md_err_t
md_journal_next_id(const md_disk_t *disk, const char *dir, uint64_t id, uint64_t *next) {
  id_search_t search = {.above = id};
  *next              = 0;
  if (md_disk_list(disk, dir, lower_id, &search) < 0) return MD_ERR_IO;
  *next = search.found;
  return MD_OK;
}

/* Reserves [from, from + wish), or at least [from, from + need). 0 or -errno. */
static int
grow(md_journal_file_t *f, uint64_t from, uint64_t wish, uint64_t need) {
  if (f->allocated_bytes == UINT64_MAX) return 0;
  uint64_t bytes = wish;
  int      rc    = md_disk_allocate(f->disk, f->fd, from, bytes);
  if (rc < 0 && rc != -EOPNOTSUPP && need < wish) {
    bytes = need;
    rc    = md_disk_allocate(f->disk, f->fd, from, bytes);
  }
  if (rc == -EOPNOTSUPP) {
    f->allocated_bytes = UINT64_MAX;
    return 0;
  }
  if (rc >= 0) f->allocated_bytes = from + bytes;
  return rc;
}

/* The header is the first write, so it also finds out whether O_DIRECT works here. 0 or -errno. */
static int
write_head(md_journal_file_t *f, const md_journal_head_t *head) {
  int rc = md_disk_pwrite_all(f->disk, f->fd, head, sizeof *head, 0);
  if (rc != -EINVAL || !f->direct) return rc;
  f->direct = false;
  rc        = md_disk_set_direct(f->disk, f->fd, false);
  return rc < 0 ? rc : md_disk_pwrite_all(f->disk, f->fd, head, sizeof *head, 0);
}

/* The file gets its name only when its header is durable. 0 or -errno. */
static int
fill_new(md_journal_file_t *f, const md_journal_head_t *head, uint64_t room_bytes) {
  uint64_t need = room_bytes < MD_JOURNAL_ROOM_MIN ? room_bytes : MD_JOURNAL_ROOM_MIN;
  int      rc   = grow(f, 0, MD_JOURNAL_PAGE_BYTES + room_bytes, MD_JOURNAL_PAGE_BYTES + need);
  if (rc >= 0) rc = write_head(f, head);
  return rc < 0 ? rc : md_disk_fsync(f->disk, f->fd);
}

md_err_t
md_journal_file_create(md_journal_file_t *f, const md_disk_t *disk, const char *dir,
                       md_journal_head_t *head, uint64_t room_bytes, md_msg_t *msg) {
  _Alignas(MD_JOURNAL_PAGE_BYTES) md_journal_head_t aligned;
  char tmp[MD_JOURNAL_PATH_BYTES], path[MD_JOURNAL_PATH_BYTES];
  unfinished_path(dir, tmp);
  md_journal_path(dir, head->segment, path);
  md_journal_head_seal(head);
  aligned         = *head;
  const int flags = O_RDWR | O_CREAT | O_TRUNC;
  *f              = (md_journal_file_t){.disk = disk, .segment = head->segment};
  f->fd           = md_disk_open(disk, tmp, flags | O_DIRECT, 0640);
  f->direct       = f->fd >= 0;
  if (f->fd == -EINVAL) f->fd = md_disk_open(disk, tmp, flags, 0640);
  int rc = f->fd;
  if (rc >= 0) {
    f->end_off = MD_JOURNAL_PAGE_BYTES;
    rc         = fill_new(f, &aligned, room_bytes);
    if (rc >= 0) rc = md_disk_rename(disk, tmp, path);
    if (rc >= 0) rc = md_disk_sync_dir(disk, dir);
    if (rc >= 0) return MD_OK;
    (void)md_disk_close(disk, f->fd);
    (void)md_disk_unlink(disk, tmp);
  }
  f->fd = -1;
  return md_fail_errno(msg, -rc, "cannot create the journal segment %s", path);
}

md_err_t
md_journal_file_adopt(md_journal_file_t *f, const char *dir, md_journal_head_t *head,
                      md_msg_t *msg) {
  _Alignas(MD_JOURNAL_PAGE_BYTES) md_journal_head_t aligned;
  char ahead[MD_JOURNAL_PATH_BYTES], path[MD_JOURNAL_PATH_BYTES];
  md_journal_ahead_path(dir, ahead);
  md_journal_path(dir, head->segment, path);
  head->reused = f->reused;
  md_journal_head_seal(head);
  aligned    = *head;
  f->segment = head->segment;
  int rc     = write_head(f, &aligned);
  if (rc >= 0) rc = md_disk_fdatasync(f->disk, f->fd);
  if (rc >= 0) rc = md_disk_rename(f->disk, ahead, path);
  if (rc >= 0) rc = md_disk_sync_dir(f->disk, dir);
  if (rc >= 0) return MD_OK;
  (void)md_disk_close(f->disk, f->fd);
  (void)md_disk_unlink(f->disk, ahead);
  f->fd = -1;
  return md_fail_errno(msg, -rc, "cannot make the journal segment %s", path);
}

bool
md_journal_file_has_room(const md_journal_file_t *f, uint64_t bytes) {
  return f->end_off + bytes <= f->allocated_bytes;
}

md_err_t
md_journal_file_reserve(md_journal_file_t *f, uint64_t bytes, md_msg_t *msg) {
  uint64_t need_end = f->end_off + bytes;
  if (md_journal_file_has_room(f, bytes)) return MD_OK;
  uint64_t from = f->allocated_bytes;
  uint64_t need = need_end - from;
  uint64_t step = f->grow_bytes ? f->grow_bytes : MD_JOURNAL_GROW_BYTES;
  int      rc   = grow(f, from, need > step ? need : step, need);
  if (rc >= 0) return MD_OK;
  return md_fail_errno(msg, -rc, "no room for the next block of journal segment %" PRIu64,
                       f->segment);
}

uint64_t
md_journal_file_seal(md_journal_file_t *f, uint32_t epoch, uint8_t *page) {
  if (md_disk_fdatasync(f->disk, f->fd) < 0) return f->end_off;
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
  int64_t n = md_disk_pwrite(f->disk, f->fd, page, MD_JOURNAL_PAGE_BYTES, f->end_off);
  if (n != (int64_t)MD_JOURNAL_PAGE_BYTES) return f->end_off;
  return f->end_off + MD_JOURNAL_PAGE_BYTES;
}

md_err_t
md_journal_file_finish(md_journal_file_t *f, uint64_t bytes, md_msg_t *msg) {
  if (f->fd < 0) return MD_OK;
  int rc = md_disk_truncate(f->disk, f->fd, bytes);
  if (rc >= 0) rc = md_disk_fsync(f->disk, f->fd);
  (void)md_disk_close(f->disk, f->fd);
  f->fd = -1;
  if (rc >= 0) return MD_OK;
  return md_fail_errno(msg, -rc, "cannot close journal segment %" PRIu64, f->segment);
}

md_err_t
md_journal_head_read(const md_disk_t *disk, const char *dir, uint64_t segment, const uint8_t *uuid,
                     md_journal_head_t *out) {
  char path[MD_JOURNAL_PATH_BYTES];
  md_journal_path(dir, segment, path);
  int fd = md_disk_open(disk, path, O_RDONLY, 0);
  if (fd < 0) return fd == -ENOENT ? MD_ERR_ABSENT : MD_ERR_IO;
  int64_t n = md_disk_pread_all(disk, fd, out, sizeof *out, 0);
  (void)md_disk_close(disk, fd);
  if (n < 0) return MD_ERR_IO;
  if (n != (int64_t)sizeof *out) return MD_ERR_CORRUPT;
  md_err_t err = md_journal_head_check(out);
  if (err) return err;
  if (out->segment != segment) return MD_ERR_CORRUPT;
  if (uuid && memcmp(uuid, out->uuid, sizeof out->uuid) != 0) return MD_ERR_CORRUPT;
  return MD_OK;
}

void
md_journal_unlink(const md_disk_t *disk, const char *dir, uint64_t segment) {
  char path[MD_JOURNAL_PATH_BYTES];
  md_journal_path(dir, segment, path);
  if (md_disk_unlink(disk, path) >= 0) (void)md_disk_sync_dir(disk, dir);
}

void
md_journal_unlink_unfinished(const md_disk_t *disk, const char *dir) {
  char path[MD_JOURNAL_PATH_BYTES];
  unfinished_path(dir, path);
  (void)md_disk_unlink(disk, path);
  md_journal_ahead_path(dir, path);
  (void)md_disk_unlink(disk, path);
}
