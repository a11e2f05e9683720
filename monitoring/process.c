#include "monitoring/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timex.h>
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

const char *
md_socket_state_name(uint32_t state) {
  static const char *const names[MD_SOCKET_STATE_CNT] = {
      "other",     "established", "syn_sent",   "syn_recv", "fin_wait1", "fin_wait2",
      "time_wait", "close",       "close_wait", "last_ack", "listen",    "closing"};
  return state < MD_SOCKET_STATE_CNT ? names[state] : names[0];
}

/* A descriptor that is no socket any more, or another one, when it is asked does no harm. */
static void
count_socket(md_process_t *p, int fd) {
  struct tcp_info info;
  socklen_t       len = sizeof info;
  int             kind;
  socklen_t       kind_len = sizeof kind;
  memset(&info, 0, sizeof info);
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &kind_len)) return;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len)) info.tcpi_state = 0;
  p->socket_cnt[info.tcpi_state < MD_SOCKET_STATE_CNT ? info.tcpi_state : 0]++;
}

static md_err_t
count_fds(md_process_t *p) {
  DIR *dir = opendir("/proc/self/fd");
  if (!dir) return MD_ERR_IO;
  const struct dirent *entry;
  while ((entry = readdir(dir))) {
    char *end;
    long  fd = strtol(entry->d_name, &end, 10);
    if (end == entry->d_name || fd == dirfd(dir)) continue;
    p->open_fd_cnt++;
    count_socket(p, (int)fd);
  }
  (void)closedir(dir);
  return MD_OK;
}

md_err_t
md_wall_clock_read(md_wall_clock_t *c) {
  struct timex t = {.modes = 0};
  memset(c, 0, sizeof *c);
  /* Not glibc's function, which asks with clock_adjtime: sandboxes allow the older call, as
   * Docker's own profile does. Without a mode it only reads, and needs no privilege. */
  long state = syscall(SYS_adjtimex, &t);
  if (state < 0) return MD_ERR_IO;
  c->is_synchronised = state != TIME_ERROR && !(t.status & STA_UNSYNC);
  c->offset_ns       = (t.status & STA_NANO) ? t.offset : t.offset * 1000;
  c->error_max_ns    = t.maxerror * 1000;
  return MD_OK;
}

md_err_t
md_process_read(md_process_t *p) {
  uint64_t      start_ticks = 0, boot_s = 0;
  struct rlimit limit;
  memset(p, 0, sizeof *p);
  md_err_t err = read_stat(p, &start_ticks);
  if (!err) err = read_boot(&boot_s);
  if (!err) err = count_fds(p);
  if (!err && getrlimit(RLIMIT_NOFILE, &limit)) err = MD_ERR_IO;
  if (err) return err;
  p->max_fd_cnt    = limit.rlim_cur;
  p->start_real_ns = boot_s * NS_PER_S + start_ticks * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
  return MD_OK;
}
