/* fault_disk.h - a disk of which one call fails, or all from one on.
 *
 * It sits on the system's disk and counts the calls that a kind of fault can meet; the n-th of them
 * fails. A failed sync is nasty in the way of real ones: what was written to that file since its
 * last good sync is gone, and the next sync says that all is well. One thread. */
#ifndef TESTS_FAULT_FAULT_DISK_H
#define TESTS_FAULT_FAULT_DISK_H

#include "shm/base.h"
#include "writers/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef enum fault_kind {
  FAULT_NONE,
  FAULT_EIO,       /* any call */
  FAULT_ENOSPC,    /* any call that may need space */
  FAULT_EINTR,     /* any call */
  FAULT_SHORT,     /* a read or write of more than a byte: half of it */
  FAULT_CANCELLED, /* what goes through the I/O loop: writes and fdatasync */
  FAULT_SYNC,      /* fdatasync and fsync: EIO, and the bytes are gone */
  FAULT_LIE,       /* the same, but it says that all is well: what no code can stand */
  FAULT_KIND_CNT
} fault_kind_t;

static const char *const fault_kind_name[FAULT_KIND_CNT] = {"none",  "EIO",       "ENOSPC", "EINTR",
                                                            "short", "cancelled", "sync",   "lie"};

#define FAULT_FILE_MAX  64u
#define FAULT_RANGE_MAX 512u

typedef struct fault_range {
  uint64_t off, bytes;
} fault_range_t;

/* What was written to one open file since its last good sync. */
typedef struct fault_file {
  bool          open;
  uint32_t      range_cnt;
  fault_range_t range[FAULT_RANGE_MAX];
} fault_file_t;

typedef struct fault_disk {
  md_disk_t    disk;
  fault_kind_t kind;
  bool         for_good;
  uint64_t     at; /* the call that fails, from 1; 0 none */
  uint64_t     call_cnt;
  uint64_t     hit_cnt;
  const char  *hit_name; /* the first that failed */
  char         hit_path[80];
  bool         full; /* no space, whatever is asked for, until it is false again */
  uint64_t     full_cnt;
  uint32_t     open_cnt;
  bool         trace;
  fault_file_t file[FAULT_FILE_MAX]; /* by descriptor */
} fault_disk_t;

enum { FAULT_OF_SPACE = 1, FAULT_OF_BYTES = 2, FAULT_OF_LOOP = 4, FAULT_OF_SYNC = 8 };

static inline bool
fault_meets(fault_kind_t kind, unsigned of) {
  switch (kind) {
  case FAULT_EIO:
  case FAULT_EINTR:
    return true;
  case FAULT_ENOSPC:
    return of & FAULT_OF_SPACE;
  case FAULT_SHORT:
    return of & FAULT_OF_BYTES;
  case FAULT_CANCELLED:
    return of & FAULT_OF_LOOP;
  case FAULT_SYNC:
  case FAULT_LIE:
    return of & FAULT_OF_SYNC;
  case FAULT_NONE:
  case FAULT_KIND_CNT:
    break;
  }
  return false;
}

/* Counts a call; true when it is one to fail. */
static inline bool
fault_hits(fault_disk_t *d, unsigned of, const char *name, const char *path) {
  if (!fault_meets(d->kind, of)) return false;
  d->call_cnt++;
  if (d->trace) (void)fprintf(stderr, "%4llu %s %s\n", (unsigned long long)d->call_cnt, name, path);
  bool hit = d->at != 0 && (d->for_good ? d->call_cnt >= d->at : d->call_cnt == d->at);
  if (!hit) return false;
  if (d->hit_cnt++ > 0) return true;
  d->hit_name      = name;
  const char *last = strrchr(path, '/');
  (void)snprintf(d->hit_path, sizeof d->hit_path, "%.70s", last ? last + 1 : path);
  return true;
}

static inline int
fault_cause(const fault_disk_t *d) {
  switch (d->kind) {
  case FAULT_ENOSPC:
    return -ENOSPC;
  case FAULT_EINTR:
    return -EINTR;
  case FAULT_CANCELLED:
    return -ECANCELED;
  case FAULT_NONE:
  case FAULT_EIO:
  case FAULT_SHORT:
  case FAULT_SYNC:
  case FAULT_LIE:
  case FAULT_KIND_CNT:
    break;
  }
  return -EIO;
}

static inline const char *
fault_path_of(int fd, char out[256]) {
  char link[32];
  (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n          = readlink(link, out, 255);
  out[n < 0 ? 0 : n] = 0;
  return out;
}

static inline bool
fault_is_full(fault_disk_t *d) {
  if (d->full) d->full_cnt++;
  return d->full;
}

/* Overwrites with zeros what no good sync covered, within the file. */
static inline void
fault_lose(fault_file_t *f, int fd) {
  _Alignas(4096) static const uint8_t zero[4096];
  for (uint32_t i = 0; i < f->range_cnt; i++) {
    for (uint64_t done = 0; done < f->range[i].bytes;) {
      uint64_t bytes = f->range[i].bytes - done;
      if (bytes > sizeof zero) bytes = sizeof zero;
      (void)md_disk_pwrite(NULL, fd, zero, (size_t)bytes, f->range[i].off + done);
      done += bytes;
    }
  }
  f->range_cnt = 0;
}

/* ---- the table ---- */

static inline int
fault_open(void *ctx, const char *path, int flags, uint32_t mode) {
  fault_disk_t *d    = ctx;
  const bool    made = flags & O_CREAT;
  if (fault_hits(d, made ? FAULT_OF_SPACE : 0, "open", path)) return fault_cause(d);
  if (made && fault_is_full(d)) return -ENOSPC;
  int fd = md_disk_open(NULL, path, flags, mode);
  if (fd < 0) return fd;
  md_assert((uint32_t)fd < FAULT_FILE_MAX);
  d->file[fd] = (fault_file_t){.open = true};
  d->open_cnt++;
  return fd;
}

/* A close that fails has closed all the same. */
static inline int
fault_close(void *ctx, int fd) {
  fault_disk_t *d = ctx;
  char          path[256];
  bool          hit = fault_hits(d, 0, "close", fault_path_of(fd, path));
  md_assert((uint32_t)fd < FAULT_FILE_MAX && d->file[fd].open);
  d->file[fd].open = false;
  d->open_cnt--;
  int rc = md_disk_close(NULL, fd);
  return hit ? fault_cause(d) : rc;
}

static inline int64_t
fault_pread(void *ctx, int fd, void *to, size_t bytes, uint64_t off) {
  fault_disk_t *d = ctx;
  char          path[256];
  unsigned      of = bytes > 1 ? FAULT_OF_BYTES : 0;
  if (!fault_hits(d, of, "pread", fault_path_of(fd, path)))
    return md_disk_pread(NULL, fd, to, bytes, off);
  return d->kind == FAULT_SHORT ? md_disk_pread(NULL, fd, to, bytes / 2, off) : fault_cause(d);
}

static inline int64_t
fault_pwrite(void *ctx, int fd, const void *data, size_t bytes, uint64_t off) {
  fault_disk_t *d = ctx;
  char          path[256];
  unsigned      of = FAULT_OF_SPACE | FAULT_OF_LOOP | (bytes > 1 ? FAULT_OF_BYTES : 0);
  if (fault_hits(d, of, "pwrite", fault_path_of(fd, path))) {
    if (d->kind != FAULT_SHORT) return fault_cause(d);
    /* With O_DIRECT half a block need not be a whole page. */
    bytes = bytes > 8192 ? bytes / 2 & ~(size_t)4095 : bytes / 2;
    if (bytes % 4096 != 0 && (fcntl(fd, F_GETFL) & O_DIRECT)) return -EIO;
  }
  if (off + bytes > (uint64_t)md_disk_size(NULL, fd) && fault_is_full(d)) return -ENOSPC;
  fault_file_t *f = &d->file[fd];
  md_assert(f->range_cnt < FAULT_RANGE_MAX);
  f->range[f->range_cnt++] = (fault_range_t){off, bytes};
  return md_disk_pwrite(NULL, fd, data, bytes, off);
}

static inline int
fault_sync(fault_disk_t *d, int fd, const char *name, unsigned of) {
  char path[256];
  bool hit = fault_hits(d, of | FAULT_OF_SYNC, name, fault_path_of(fd, path));
  if (hit && (d->kind == FAULT_SYNC || d->kind == FAULT_LIE)) fault_lose(&d->file[fd], fd);
  if (hit && d->kind != FAULT_LIE) return fault_cause(d);
  d->file[fd].range_cnt = 0;
  return md_disk_fdatasync(NULL, fd);
}

static inline int
fault_fdatasync(void *ctx, int fd) {
  return fault_sync(ctx, fd, "fdatasync", FAULT_OF_SPACE | FAULT_OF_LOOP);
}

static inline int
fault_fsync(void *ctx, int fd) {
  return fault_sync(ctx, fd, "fsync", FAULT_OF_SPACE);
}

static inline int
fault_truncate(void *ctx, int fd, uint64_t bytes) {
  fault_disk_t *d = ctx;
  char          path[256];
  if (fault_hits(d, 0, "truncate", fault_path_of(fd, path))) return fault_cause(d);
  return md_disk_truncate(NULL, fd, bytes);
}

static inline int
fault_allocate(void *ctx, int fd, uint64_t off, uint64_t bytes) {
  fault_disk_t *d = ctx;
  char          path[256];
  if (fault_hits(d, FAULT_OF_SPACE, "allocate", fault_path_of(fd, path))) return fault_cause(d);
  if (fault_is_full(d)) return -ENOSPC;
  /* As long as if space were reserved, without the minutes that it takes in memory. */
  if ((int64_t)(off + bytes) <= md_disk_size(NULL, fd)) return 0;
  return md_disk_truncate(NULL, fd, off + bytes);
}

static inline int64_t
fault_size(void *ctx, int fd) {
  fault_disk_t *d = ctx;
  char          path[256];
  return fault_hits(d, 0, "size", fault_path_of(fd, path)) ? fault_cause(d)
                                                           : md_disk_size(NULL, fd);
}

static inline int64_t
fault_seek_data(void *ctx, int fd, uint64_t off) {
  fault_disk_t *d = ctx;
  char          path[256];
  return fault_hits(d, 0, "seek_data", fault_path_of(fd, path)) ? fault_cause(d)
                                                                : md_disk_seek_data(NULL, fd, off);
}

static inline int
fault_set_direct(void *ctx, int fd, bool direct) {
  fault_disk_t *d = ctx;
  char          path[256];
  return fault_hits(d, 0, "set_direct", fault_path_of(fd, path))
             ? fault_cause(d)
             : md_disk_set_direct(NULL, fd, direct);
}

static inline int
fault_lock(void *ctx, int fd) {
  fault_disk_t *d = ctx;
  char          path[256];
  return fault_hits(d, 0, "lock", fault_path_of(fd, path)) ? fault_cause(d)
                                                           : md_disk_lock(NULL, fd);
}

static inline int
fault_rename(void *ctx, const char *from, const char *to) {
  fault_disk_t *d = ctx;
  if (fault_hits(d, FAULT_OF_SPACE, "rename", to)) return fault_cause(d);
  return md_disk_rename(NULL, from, to);
}

static inline int
fault_unlink(void *ctx, const char *path) {
  fault_disk_t *d = ctx;
  return fault_hits(d, 0, "unlink", path) ? fault_cause(d) : md_disk_unlink(NULL, path);
}

static inline int
fault_mkdir(void *ctx, const char *path, uint32_t mode) {
  fault_disk_t *d = ctx;
  return fault_hits(d, FAULT_OF_SPACE, "mkdir", path) ? fault_cause(d)
                                                      : md_disk_mkdir(NULL, path, mode);
}

static inline int
fault_list(void *ctx, const char *dir, md_disk_name_fn each, void *each_ctx) {
  fault_disk_t *d = ctx;
  return fault_hits(d, 0, "list", dir) ? fault_cause(d) : md_disk_list(NULL, dir, each, each_ctx);
}

static inline int64_t
fault_free_bytes(void *ctx, const char *path) {
  fault_disk_t *d = ctx;
  if (fault_hits(d, 0, "free_bytes", path)) return fault_cause(d);
  return d->full ? 0 : (int64_t)1 << 40;
}

static inline void
fault_disk_init(fault_disk_t *d, fault_kind_t kind, uint64_t at, bool for_good) {
  memset(d, 0, sizeof *d);
  d->kind     = kind;
  d->at       = at;
  d->for_good = for_good;
  d->disk     = (md_disk_t){.ctx        = d,
                            .open       = fault_open,
                            .close      = fault_close,
                            .pread      = fault_pread,
                            .pwrite     = fault_pwrite,
                            .fdatasync  = fault_fdatasync,
                            .fsync      = fault_fsync,
                            .truncate   = fault_truncate,
                            .allocate   = fault_allocate,
                            .size       = fault_size,
                            .seek_data  = fault_seek_data,
                            .set_direct = fault_set_direct,
                            .lock       = fault_lock,
                            .rename     = fault_rename,
                            .unlink     = fault_unlink,
                            .mkdir      = fault_mkdir,
                            .list       = fault_list,
                            .free_bytes = fault_free_bytes};
}

#endif
