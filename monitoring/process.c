#include "monitoring/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull

/* Reads a small file whole. */
static md_err_t
read_file(const char *path, char *out, size_t out_bytes) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return MD_ERR_IO;
  size_t  used = 0;
  ssize_t got;
  while (used < out_bytes - 1 && (got = read(fd, out + used, out_bytes - 1 - used)) > 0)
    used += (size_t)got;
  (void)close(fd);
  out[used] = 0;
  return used ? MD_OK : MD_ERR_IO;
}

/* Behind the name, which may hold blanks and brackets: field 3 is the state. */
static md_err_t
read_stat(md_process_t *p, uint64_t *start_ticks) {
  char          text[1024];
  unsigned long user, system, threads, start, size;
  long          resident;
  if (read_file("/proc/self/stat", text, sizeof text)) return MD_ERR_IO;
  const char *behind = strrchr(text, ')');
  if (!behind || sscanf(behind + 1,
                        " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %lu "
                        "%*d %lu %lu %ld",
                        &user, &system, &threads, &start, &size, &resident) != 6)
    return MD_ERR_IO;
  uint64_t ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK);
  p->thread_cnt        = threads;
  p->virtual_bytes     = size;
  p->resident_bytes    = (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
  p->cpu_ns            = ((uint64_t)user + system) * (NS_PER_S / ticks_per_s);
  *start_ticks         = start;
  return MD_OK;
}

/* The kernel counts starts from the boot; the boot's time stands in /proc/stat. */
static md_err_t
read_boot(uint64_t *boot_s) {
  char  line[256];
  FILE *in = fopen("/proc/stat", "re");
  if (!in) return MD_ERR_IO;
  md_err_t err = MD_ERR_IO;
  while (err && fgets(line, sizeof line, in)) {
    unsigned long long value;
    if (sscanf(line, "btime %llu", &value) != 1) continue;
    *boot_s = value;
    err     = MD_OK;
  }
  (void)fclose(in);
  return err;
}

static md_err_t
count_fds(uint64_t *cnt) {
  DIR *dir = opendir("/proc/self/fd");
  if (!dir) return MD_ERR_IO;
  uint64_t entries = 0;
  while (readdir(dir))
    entries++;
  (void)closedir(dir);
  *cnt = entries > 3 ? entries - 3 : 0; /* less ".", ".." and the one that reads */
  return MD_OK;
}

md_err_t
md_process_read(md_process_t *p) {
  uint64_t      start_ticks = 0, boot_s = 0;
  struct rlimit limit;
  memset(p, 0, sizeof *p);
  md_err_t err = read_stat(p, &start_ticks);
  if (!err) err = read_boot(&boot_s);
  if (!err) err = count_fds(&p->open_fd_cnt);
  if (!err && getrlimit(RLIMIT_NOFILE, &limit)) err = MD_ERR_IO;
  if (err) return err;
  p->max_fd_cnt    = limit.rlim_cur;
  p->start_real_ns = boot_s * NS_PER_S + start_ticks * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
  return MD_OK;
}
