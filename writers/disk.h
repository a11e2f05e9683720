/* disk.h - every call that the journal makes on files, as one table of functions.
 *
 * The journal's code calls md_disk_*; what answers is the system (NULL, or md_disk_system()) or a
 * table of a test that fails the n-th call. Results are >= 0, or -errno; errno itself is not
 * looked at. Block writes and syncs of the running journal go through io_loop.h instead: its
 * io_uring backend hands them to the kernel itself, its poll backend calls this table.
 *
 * The system's table has no state: any thread may call it. Nothing here retries or allocates, but
 * the two functions that say so. */
#ifndef WRITERS_DISK_H
#define WRITERS_DISK_H

#include "shm/base.h"

typedef struct md_disk md_disk_t;

/* Calls with each name in a directory, in no order; non-zero ends the walk. */
typedef int (*md_disk_name_fn)(void *ctx, const char *name);

struct md_disk {
  void *ctx;
  int (*open)(void *ctx, const char *path, int flags, uint32_t mode);
  int (*close)(void *ctx, int fd);
  int64_t (*pread)(void *ctx, int fd, void *to, size_t bytes, uint64_t off);
  int64_t (*pwrite)(void *ctx, int fd, const void *data, size_t bytes, uint64_t off);
  int (*fdatasync)(void *ctx, int fd);
  int (*fsync)(void *ctx, int fd);
  int (*truncate)(void *ctx, int fd, uint64_t bytes);
  int (*allocate)(void *ctx, int fd, uint64_t off, uint64_t bytes);
  int64_t (*size)(void *ctx, int fd);
  int64_t (*seek_data)(void *ctx, int fd, uint64_t off);
  int (*set_direct)(void *ctx, int fd, bool direct);
  int (*lock)(void *ctx, int fd);
  int (*rename)(void *ctx, const char *from, const char *to);
  int (*unlink)(void *ctx, const char *path);
  int (*mkdir)(void *ctx, const char *path, uint32_t mode);
  int (*list)(void *ctx, const char *dir, md_disk_name_fn each, void *each_ctx);
  int64_t (*free_bytes)(void *ctx, const char *path);
};

const md_disk_t *md_disk_system(void);

/* d may be NULL in all of these: the system's. */
int     md_disk_open(const md_disk_t *d, const char *path, int flags, uint32_t mode);
int     md_disk_close(const md_disk_t *d, int fd); /* the fd is gone in any case */
int64_t md_disk_pread(const md_disk_t *d, int fd, void *to, size_t bytes, uint64_t off);
int64_t md_disk_pwrite(const md_disk_t *d, int fd, const void *data, size_t bytes, uint64_t off);
int     md_disk_fdatasync(const md_disk_t *d, int fd);
int     md_disk_fsync(const md_disk_t *d, int fd);
int     md_disk_truncate(const md_disk_t *d, int fd, uint64_t bytes);
/* md_disk_allocate reserves space and makes the file as long. -EOPNOTSUPP: it cannot here. */
int     md_disk_allocate(const md_disk_t *d, int fd, uint64_t off, uint64_t bytes);
int64_t md_disk_size(const md_disk_t *d, int fd);
/* md_disk_seek_data returns where data begins at or above off; -ENXIO: none. */
int64_t md_disk_seek_data(const md_disk_t *d, int fd, uint64_t off);
int     md_disk_set_direct(const md_disk_t *d, int fd, bool direct); /* O_DIRECT on or off */
/* md_disk_lock takes the exclusive lock of an open file or directory; -EWOULDBLOCK: another has it.
 */
int md_disk_lock(const md_disk_t *d, int fd);
int md_disk_rename(const md_disk_t *d, const char *from, const char *to);
int md_disk_unlink(const md_disk_t *d, const char *path);
int md_disk_mkdir(const md_disk_t *d, const char *path, uint32_t mode);
/* md_disk_list returns what each returned last, or -errno. */
int md_disk_list(const md_disk_t *d, const char *dir, md_disk_name_fn each, void *each_ctx);
/* md_disk_free_bytes: what this process may still write to the file system of path. */
int64_t md_disk_free_bytes(const md_disk_t *d, const char *path);

/* md_disk_pread_all goes on after a short read and after EINTR (a bounded number of times); fewer
 * bytes only at the end of the file. */
int64_t md_disk_pread_all(const md_disk_t *d, int fd, void *to, size_t bytes, uint64_t off);

/* md_disk_pwrite_all goes on after a short write and after EINTR (a bounded number of times): 0
 * when all bytes are written, else -errno. */
int md_disk_pwrite_all(const md_disk_t *d, int fd, const void *data, size_t bytes, uint64_t off);

/* md_disk_sync_dir makes the names in dir durable. */
int md_disk_sync_dir(const md_disk_t *d, const char *dir);

#endif
