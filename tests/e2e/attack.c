/* What a reader's account can try against the engine and its segment: each attempt must be refused.
 *
 *   attack DIR NAME PID      exit status 0 when all were refused, 1 when one was not
 *   attack --open DIR NAME   exit status 0 when the segment opens for writing: the control, as
 * owner */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE_BYTES 4096u

static char  segment[256], rings[256], renamed[256];
static pid_t engine;
static int   reading = -1;
static void *page;
static char  byte = 1;

/* Each returns whether it got through. */

static bool
open_for_writing(void) {
  int fd = open(segment, O_RDWR | O_CLOEXEC);
  if (fd >= 0) (void)close(fd);
  return fd >= 0;
}

static bool
open_again_for_writing(void) {
  char path[64];
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", reading);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd >= 0) (void)close(fd);
  return fd >= 0;
}

static bool
map_for_writing(void) {
  void *at = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, reading, 0);
  if (at != MAP_FAILED) (void)munmap(at, PAGE_BYTES);
  return at != MAP_FAILED;
}

static bool
make_writable(void) {
  return mprotect(page, PAGE_BYTES, PROT_READ | PROT_WRITE) == 0;
}

static bool
write_bytes(void) {
  return pwrite(reading, &byte, 1, 512) == 1;
}

static bool
truncate_open(void) {
  return ftruncate(reading, 0) == 0;
}

static bool
truncate_path(void) {
  return truncate(segment, 0) == 0;
}

static bool
punch_hole(void) {
  return fallocate(reading, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE_BYTES) == 0;
}

static bool
remove_pages(void) {
  return madvise(page, PAGE_BYTES, MADV_REMOVE) == 0;
}

static bool
remove_name(void) {
  return unlink(segment) == 0;
}

static bool
rename_it(void) {
  return rename(segment, renamed) == 0;
}

static bool
change_mode(void) {
  return chmod(segment, 0666) == 0;
}

static bool
change_owner(void) {
  return chown(segment, getuid(), (gid_t)-1) == 0;
}

static bool
read_rings(void) {
  int fd = open(rings, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) (void)close(fd);
  return fd >= 0;
}

static bool
trace_engine(void) {
  return ptrace(PTRACE_ATTACH, engine, NULL, NULL) == 0;
}

static bool
open_memory(void) {
  char path[64];
  (void)snprintf(path, sizeof path, "/proc/%d/mem", (int)engine);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd >= 0) (void)close(fd);
  return fd >= 0;
}

static bool
open_its_file(void) {
  char path[64];
  (void)snprintf(path, sizeof path, "/proc/%d/map_files", (int)engine);
  return access(path, R_OK) == 0;
}

static bool
write_memory(void) {
  struct iovec local = {&byte, 1}, remote = {page, 1};
  return process_vm_writev(engine, &local, 1, &remote, 1, 0) == 1;
}

static bool
stop_engine(void) {
  return kill(engine, SIGSTOP) == 0;
}

static const struct {
  const char *name;
  bool (*got_through)(void);
} attempts[] = {
    {"open for writing", open_for_writing},
    {"open again by /proc/self/fd", open_again_for_writing},
    {"map for writing", map_for_writing},
    {"mprotect", make_writable},
    {"pwrite", write_bytes},
    {"ftruncate", truncate_open},
    {"truncate", truncate_path},
    {"punch a hole", punch_hole},
    {"MADV_REMOVE", remove_pages},
    {"unlink", remove_name},
    {"rename", rename_it},
    {"chmod", change_mode},
    {"chown", change_owner},
    {"read the rings", read_rings},
    {"ptrace", trace_engine},
    {"/proc/PID/mem", open_memory},
    {"/proc/PID/map_files", open_its_file},
    {"process_vm_writev", write_memory},
    {"SIGSTOP", stop_engine},
};

static bool
prepare(const char *dir, const char *name) {
  (void)snprintf(segment, sizeof segment, "%s/mdengine.%s", dir, name);
  (void)snprintf(rings, sizeof rings, "%s/mdengine.%s.rings", dir, name);
  (void)snprintf(renamed, sizeof renamed, "%s/mdengine.%s.gone", dir, name);
  reading = open(segment, O_RDONLY | O_CLOEXEC);
  if (reading < 0) return false;
  page = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, reading, 0);
  return page != MAP_FAILED;
}

int
main(int argc, char **argv) {
  unsigned refused = 0, cnt = sizeof attempts / sizeof attempts[0];
  if (argc == 4 && strcmp(argv[1], "--open") == 0)
    return prepare(argv[2], argv[3]) && open_for_writing() ? 0 : 1;
  if (argc != 4 || !prepare(argv[1], argv[2])) {
    (void)fprintf(stderr, "attack: the segment cannot even be read\n");
    return 2;
  }
  engine = (pid_t)strtol(argv[3], NULL, 10);
  for (unsigned i = 0; i < cnt; i++) {
    if (attempts[i].got_through())
      (void)printf("attack: %s got through\n", attempts[i].name);
    else
      refused++;
  }
  (void)printf("attack: %u of %u attempts refused\n", refused, cnt);
  return refused == cnt ? 0 : 1;
}
