#define MODEL_FILES_OWN
#include "tests/model/model_files.h"

#include <errno.h>

#include "tests/model/model.h"

#define FILE_CNT   4u
#define FILE_BYTES (256u << 10)
#define FIRST_FD   100

typedef struct file {
  char  name[128]; /* empty: unlinked */
  off_t bytes;
} file_t;

static file_t   files[FILE_CNT];
static unsigned file_cnt;

static _Alignas(4096) uint8_t memory[FILE_CNT][FILE_BYTES];

void
model_files_reset(void) {
  for (unsigned i = 0; i < file_cnt; i++)
    memset(memory[i], 0, (size_t)files[i].bytes);
  memset(files, 0, sizeof files);
  file_cnt = 0;
}

void *
model_files_at(unsigned i) {
  return memory[i];
}

static int
find(const char *path) {
  for (unsigned i = 0; i < file_cnt; i++)
    if (strcmp(files[i].name, path) == 0) return (int)i;
  return -1;
}

int
model_open(const char *path, int flags, ...) {
  int i = find(path);

  if (i < 0 && (flags & O_CREAT) == 0) {
    errno = ENOENT;
    return -1;
  }
  if (i < 0) {
    model_check(file_cnt < FILE_CNT);
    i = (int)file_cnt++;
    (void)snprintf(files[i].name, sizeof files[i].name, "%s", path);
  }
  return FIRST_FD + i;
}

int
model_close(int fd) {
  (void)fd;
  return 0;
}

int
model_fstat(int fd, struct stat *st) {
  memset(st, 0, sizeof *st);
  st->st_mode = S_IFREG;
  st->st_size = files[fd - FIRST_FD].bytes;
  return 0;
}

int
model_unlink(const char *path) {
  const int i = find(path);

  if (i < 0) return -1;
  files[i].name[0] = 0;
  return 0;
}

int
model_rename(const char *from, const char *to) {
  const int i = find(from);

  model_check(i >= 0);
  (void)model_unlink(to);
  (void)snprintf(files[i].name, sizeof files[i].name, "%s", to);
  return 0;
}

int
model_fallocate(int fd, off_t from, off_t bytes) {
  (void)from;
  model_check(bytes <= (off_t)FILE_BYTES);
  files[fd - FIRST_FD].bytes = bytes;
  return 0;
}

void *
model_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t off) {
  (void)at;
  (void)prot;
  (void)flags;
  (void)off;
  model_check((off_t)bytes <= files[fd - FIRST_FD].bytes);
  return memory[fd - FIRST_FD];
}

int
model_statvfs(const char *path, struct statvfs *fs) {
  (void)path;
  memset(fs, 0, sizeof *fs);
  fs->f_bavail = 1u << 20;
  fs->f_frsize = 4096;
  return 0;
}

/* ---- calls that have nothing to do here ---- */

int
model_lstat(const char *path, struct stat *st) {
  (void)path;
  (void)st;
  return -1;
}

int
model_munmap(void *at, size_t bytes) {
  (void)at;
  (void)bytes;
  return 0;
}

int
model_fchmod(int fd, mode_t mode) {
  (void)fd;
  (void)mode;
  return 0;
}

int
model_flock(int fd, int what) {
  (void)fd;
  (void)what;
  return 0;
}

int
model_fcntl(int fd, int what, ...) {
  (void)fd;
  (void)what;
  return 0;
}

int
model_ftruncate(int fd, off_t bytes) {
  (void)fd;
  (void)bytes;
  return 0;
}

FILE *
model_fopen(const char *path, const char *mode) {
  (void)path;
  (void)mode;
  return NULL;
}
