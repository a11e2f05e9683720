#include "writers/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define RETRY_MAX 64u /* of one read or write: signals in a row */

/* ---- the system ---- */

static int
result_of(int rc) {
  return rc < 0 ? -errno : rc;
}

static int
system_open(void *ctx, const char *path, int flags, uint32_t mode) {
  (void)ctx;
  return result_of(open(path, flags | O_CLOEXEC, (mode_t)mode));
}

static int
system_close(void *ctx, int fd) {
  (void)ctx;
  return result_of(close(fd));
}

static int64_t
system_pread(void *ctx, int fd, void *to, size_t bytes, uint64_t off) {
  (void)ctx;
  ssize_t n = pread(fd, to, bytes, (off_t)off);
  return n < 0 ? -errno : n;
}

/* pwritev2 without flags is pwrite; with two names for it there is one path less to test. */
static int64_t
system_pwrite(void *ctx, int fd, const void *data, size_t bytes, uint64_t off) {
  (void)ctx;
  ssize_t n = pwrite(fd, data, bytes, (off_t)off);
  return n < 0 ? -errno : n;
}

static int
system_fdatasync(void *ctx, int fd) {
  (void)ctx;
  return result_of(fdatasync(fd));
}

static int
system_fsync(void *ctx, int fd) {
  (void)ctx;
  return result_of(fsync(fd));
}

static int
system_truncate(void *ctx, int fd, uint64_t bytes) {
  (void)ctx;
  return result_of(ftruncate(fd, (off_t)bytes));
}

static int
system_allocate(void *ctx, int fd, uint64_t off, uint64_t bytes) {
  (void)ctx;
  return result_of(fallocate(fd, 0, (off_t)off, (off_t)bytes));
}

static int64_t
system_size(void *ctx, int fd) {
  (void)ctx;
  struct stat st;
  return fstat(fd, &st) != 0 ? -errno : st.st_size;
}

static int64_t
system_seek_data(void *ctx, int fd, uint64_t off) {
  (void)ctx;
  off_t data = lseek(fd, (off_t)off, SEEK_DATA);
  return data < 0 ? -errno : data;
}

static int
system_set_direct(void *ctx, int fd, bool direct) {
  (void)ctx;
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  return result_of(fcntl(fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT));
}

static int
system_lock(void *ctx, int fd) {
  (void)ctx;
  return result_of(flock(fd, LOCK_EX | LOCK_NB));
}

static int
system_rename(void *ctx, const char *from, const char *to) {
  (void)ctx;
  return result_of(rename(from, to));
}

static int
system_unlink(void *ctx, const char *path) {
  (void)ctx;
  return result_of(unlink(path));
}

static int
system_mkdir(void *ctx, const char *path, uint32_t mode) {
  (void)ctx;
  return result_of(mkdir(path, (mode_t)mode));
}

static int
system_list(void *ctx, const char *dir, md_disk_name_fn each, void *each_ctx) {
  (void)ctx;
  DIR *d = opendir(dir);
  if (!d) return -errno;
  int rc = 0;
  errno  = 0;
  for (struct dirent *entry = readdir(d); entry && rc == 0; entry = readdir(d)) {
    rc    = each(each_ctx, entry->d_name);
    errno = 0; /* of each; readdir tells its end from an error by errno alone */
  }
  if (rc == 0 && errno != 0) rc = -errno;
  (void)closedir(d);
  return rc;
}

static int64_t
system_free_bytes(void *ctx, const char *path) {
  (void)ctx;
  struct statvfs st;
  if (statvfs(path, &st) != 0) return -errno;
  return (int64_t)(st.f_bavail * st.f_frsize);
}

const md_disk_t *
md_disk_system(void) {
  static const md_disk_t disk = {.open       = system_open,
                                 .close      = system_close,
                                 .pread      = system_pread,
                                 .pwrite     = system_pwrite,
                                 .fdatasync  = system_fdatasync,
                                 .fsync      = system_fsync,
                                 .truncate   = system_truncate,
                                 .allocate   = system_allocate,
                                 .size       = system_size,
                                 .seek_data  = system_seek_data,
                                 .set_direct = system_set_direct,
                                 .lock       = system_lock,
                                 .rename     = system_rename,
                                 .unlink     = system_unlink,
                                 .mkdir      = system_mkdir,
                                 .list       = system_list,
                                 .free_bytes = system_free_bytes};
  return &disk;
}

/* ---- whichever it is ---- */

static const md_disk_t *
disk_of(const md_disk_t *d) {
  return d ? d : md_disk_system();
}

int
md_disk_open(const md_disk_t *d, const char *path, int flags, uint32_t mode) {
  d = disk_of(d);
  return d->open(d->ctx, path, flags, mode);
}

int
md_disk_close(const md_disk_t *d, int fd) {
  d = disk_of(d);
  return d->close(d->ctx, fd);
}

int64_t
md_disk_pread(const md_disk_t *d, int fd, void *to, size_t bytes, uint64_t off) {
  d = disk_of(d);
  return d->pread(d->ctx, fd, to, bytes, off);
}

int64_t
md_disk_pwrite(const md_disk_t *d, int fd, const void *data, size_t bytes, uint64_t off) {
  d = disk_of(d);
  return d->pwrite(d->ctx, fd, data, bytes, off);
}

int
md_disk_fdatasync(const md_disk_t *d, int fd) {
  d = disk_of(d);
  return d->fdatasync(d->ctx, fd);
}

int
md_disk_fsync(const md_disk_t *d, int fd) {
  d = disk_of(d);
  return d->fsync(d->ctx, fd);
}

int
md_disk_truncate(const md_disk_t *d, int fd, uint64_t bytes) {
  d = disk_of(d);
  return d->truncate(d->ctx, fd, bytes);
}

int
md_disk_allocate(const md_disk_t *d, int fd, uint64_t off, uint64_t bytes) {
  d = disk_of(d);
  return d->allocate(d->ctx, fd, off, bytes);
}

int64_t
md_disk_size(const md_disk_t *d, int fd) {
  d = disk_of(d);
  return d->size(d->ctx, fd);
}

int64_t
md_disk_seek_data(const md_disk_t *d, int fd, uint64_t off) {
  d = disk_of(d);
  return d->seek_data(d->ctx, fd, off);
}

int
md_disk_set_direct(const md_disk_t *d, int fd, bool direct) {
  d = disk_of(d);
  return d->set_direct(d->ctx, fd, direct);
}

int
md_disk_lock(const md_disk_t *d, int fd) {
  d = disk_of(d);
  return d->lock(d->ctx, fd);
}

int
md_disk_rename(const md_disk_t *d, const char *from, const char *to) {
  d = disk_of(d);
  return d->rename(d->ctx, from, to);
}

int
md_disk_unlink(const md_disk_t *d, const char *path) {
  d = disk_of(d);
  return d->unlink(d->ctx, path);
}

int
md_disk_mkdir(const md_disk_t *d, const char *path, uint32_t mode) {
  d = disk_of(d);
  return d->mkdir(d->ctx, path, mode);
}

int
md_disk_list(const md_disk_t *d, const char *dir, md_disk_name_fn each, void *each_ctx) {
  d = disk_of(d);
  return d->list(d->ctx, dir, each, each_ctx);
}

int64_t
md_disk_free_bytes(const md_disk_t *d, const char *path) {
  d = disk_of(d);
  return d->free_bytes(d->ctx, path);
}

/* ---- in full ---- */

int64_t
md_disk_pread_all(const md_disk_t *d, int fd, void *to, size_t bytes, uint64_t off) {
  size_t   got       = 0;
  uint32_t retry_cnt = 0;
  while (got < bytes) {
    int64_t n = md_disk_pread(d, fd, (uint8_t *)to + got, bytes - got, off + got);
    if (n == -EINTR && ++retry_cnt < RETRY_MAX) continue;
    if (n < 0) return n;
    if (n == 0) break;
    got += (size_t)n;
  }
  return (int64_t)got;
}

int
md_disk_pwrite_all(const md_disk_t *d, int fd, const void *data, size_t bytes, uint64_t off) {
  size_t   put       = 0;
  uint32_t retry_cnt = 0;
  while (put < bytes) {
    int64_t n = md_disk_pwrite(d, fd, (const uint8_t *)data + put, bytes - put, off + put);
    if (n == -EINTR && ++retry_cnt < RETRY_MAX) continue;
    if (n < 0) return (int)n;
    if (n == 0) return -ENOSPC;
    put += (size_t)n;
  }
  return 0;
}

int
md_disk_sync_dir(const md_disk_t *d, const char *dir) {
  int fd = md_disk_open(d, dir, O_RDONLY | O_DIRECTORY, 0);
  if (fd < 0) return fd;
  int rc = md_disk_fsync(d, fd);
  (void)md_disk_close(d, fd);
  return rc;
}
