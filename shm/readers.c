#include "shm/readers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void
md_readers_path(char out[MD_READERS_PATH_BYTES], const char *dir, const char *name) {
  (void)snprintf(out, MD_READERS_PATH_BYTES, "%s/mdengine.%s.readers", dir, name);
}

md_err_t
md_readers_new(const char *path, uint32_t mode, uint32_t gid, md_msg_t *msg) {
  (void)unlink(path);
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return md_fail_errno(msg, errno, "cannot create %s", path);
  int rc = 0;
  if (ftruncate(fd, (off_t)(MD_READERS_MAX * sizeof(md_reader_row_t)))) rc = errno;
  if (rc == 0 && gid != UINT32_MAX && fchown(fd, (uid_t)-1, gid)) rc = errno;
  if (rc == 0 && fchmod(fd, (mode_t)mode)) rc = errno;
  (void)close(fd);
  if (rc == 0) return MD_OK;
  (void)unlink(path);
  return md_fail_errno(msg, rc, "cannot make %s", path);
}

static struct flock
row_lock(uint32_t row) {
  return (struct flock){.l_type   = F_WRLCK,
                        .l_whence = SEEK_SET,
                        .l_start  = (off_t)(row * sizeof(md_reader_row_t)),
                        .l_len    = sizeof(md_reader_row_t)};
}

md_err_t
md_readers_take(int fd, uint32_t *row) {
  for (uint32_t i = 0; i < MD_READERS_MAX; i++) {
    struct flock lock = row_lock(i);
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0) {
      *row = i;
      return MD_OK;
    }
    if (errno != EAGAIN && errno != EACCES) return MD_ERR_IO;
  }
  return MD_ERR_FULL;
}

md_err_t
md_readers_write(int fd, uint32_t row, const md_reader_row_t *from) {
  ssize_t n = pwrite(fd, from, sizeof *from, (off_t)(row * sizeof *from));
  return n == (ssize_t)sizeof *from ? MD_OK : MD_ERR_IO;
}

md_err_t
md_readers_read(int fd, uint32_t row, md_reader_row_t *out) {
  struct flock lock = row_lock(row);
  if (row >= MD_READERS_MAX) return MD_ERR_ABSENT;
  if (fcntl(fd, F_OFD_GETLK, &lock)) return MD_ERR_IO;
  if (lock.l_type == F_UNLCK) return MD_ERR_ABSENT;
  if (pread(fd, out, sizeof *out, (off_t)(row * sizeof *out)) != (ssize_t)sizeof *out)
    return MD_ERR_ABSENT;
  out->name[sizeof out->name - 1] = 0;
  return out->name[0] ? MD_OK : MD_ERR_ABSENT; /* taken, and not written yet */
}
