/* An engine of 10,000 instruments is started as a user starts it: the program, a configuration. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/e2e_parts.h"
#include "bench/world.h"
#include "shm/client/mdshm.h"

#define NAME         "start"
#define INSTRUMENTS  10000u
#define PATIENCE_MS  30000
#define PAGE_BYTES   4096u
#define ATTACH_CNT   21u
#define NEEDED_MIB   4096u
#define STOP_TRY_MAX 30000u
#define NS_PER_MS    1e6

static const char *const segment_files[] = {"mdengine." NAME, "mdengine." NAME ".rings"};

static struct {
  char     dir[MD_BENCH_DIR_BYTES];
  char     config[MD_BENCH_DIR_BYTES + 16];
  uint64_t bytes[MD_CNT(segment_files)]; /* of the engine's files, once it ran */
  double   attach_ms;                    /* to the engine that ran last */
} start;

static pid_t engine_pid; /* 0: none runs */

static void
remove_folder(void) {
  pid_t pid = fork();
  if (pid == 0) {
    (void)execl("/bin/rm", "rm", "-rf", start.dir, (char *)NULL);
    _exit(127);
  }
  if (pid > 0) (void)waitpid(pid, NULL, 0);
}

/* An interrupted command leaves neither an engine nor a gigabyte of shared memory. */
static void
on_signal(int signo) {
  if (engine_pid > 0) (void)kill(engine_pid, SIGKILL);
  if (engine_pid > 0) (void)waitpid(engine_pid, NULL, 0);
  remove_folder();
  (void)signal(signo, SIG_DFL);
  (void)raise(signo);
}

static void
set_handlers(void (*handler)(int)) {
  static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
  for (size_t i = 0; i < MD_CNT(signals); i++)
    (void)signal(signals[i], handler);
}

static void
path_of(const char *file, char out[128]) {
  (void)snprintf(out, 128, "%s/%s", start.dir, file);
}

/* No venue is there: the feed tries in vain, which costs nothing. */
static bool
write_config(void) {
  FILE *f = fopen(start.config, "w");
  if (!f) return false;
  fprintf(f,
          "engine:\n  name: " NAME "\n  shm_dir: %s\n  instruments: %u\n"
          "journal:\n  dir: %s/journal\n"
          "feeds:\n  binance_spot:\n    url: ws://127.0.0.1:1\n    rest_url: http://127.0.0.1:1\n"
          "    symbols: all\n    journal_ring: 512MiB\n    reconnect_min: 30s\n"
          "monitoring:\n  enabled: false\n",
          start.dir, INSTRUMENTS, start.dir);
  return fclose(f) == 0;
}

bool
md_bench_start_begin(char *why, size_t why_bytes) {
  unsigned long long kib = 0;
  char               line[128];
  FILE              *f = fopen("/proc/meminfo", "r");
  while (f && fgets(line, sizeof line, f))
    if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1) break;
  if (f) (void)fclose(f);
  (void)snprintf(why, why_bytes, "%u MiB are not free", NEEDED_MIB);
  if (kib >> 10 < NEEDED_MIB) return false;
  (void)snprintf(why, why_bytes, "cannot make a folder in %s", md_bench_shm_dir());
  (void)snprintf(start.dir, sizeof start.dir, "%s/mdbench.XXXXXX", md_bench_shm_dir());
  if (!mkdtemp(start.dir)) return false;
  set_handlers(on_signal);
  (void)snprintf(start.config, sizeof start.config, "%s/engine.yaml", start.dir);
  if (write_config()) return true;
  md_bench_start_end();
  return false;
}

/* ---- the baseline ---- */

static bool
allocate(const char *path, uint64_t bytes) {
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  bool     good = posix_fallocate(fd, 0, (off_t)bytes) == 0;
  uint8_t *p    = MAP_FAILED;
  if (good) p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  good = p != MAP_FAILED;
  for (uint64_t at = 0; good && at < bytes; at += PAGE_BYTES)
    p[at] = 1;
  if (good) (void)munmap(p, bytes);
  (void)close(fd);
  return good;
}

static double
allocate_ms(void) {
  char path[MD_CNT(segment_files)][128];
  bool good = true;
  for (size_t i = 0; i < MD_CNT(segment_files); i++)
    path_of(i ? "rings.bare" : "bare", path[i]);
  int64_t begin_ns = md_bench_now_ns();
  for (size_t i = 0; i < MD_CNT(segment_files); i++)
    good = good && allocate(path[i], start.bytes[i]);
  int64_t took_ns = md_bench_now_ns() - begin_ns;
  for (size_t i = 0; i < MD_CNT(segment_files); i++)
    (void)unlink(path[i]);
  return good ? (double)took_ns / NS_PER_MS : MD_BENCH_NONE;
}

/* ---- the engine ---- */

static pid_t
run_engine(void) {
  pid_t pid = fork();
  if (pid) return engine_pid = pid;
  set_handlers(SIG_DFL);
  int null = open("/dev/null", O_RDWR);
  (void)dup2(null, 1);
  (void)dup2(null, 2);
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  (void)execl("/proc/self/exe", "mdengine", "run", "-c", start.config, (char *)NULL);
  _exit(127);
}

/* Waits for its end, however long it takes to stop. */
static void
stop_engine(pid_t pid) {
  const struct timespec ts = {.tv_nsec = 1000000};
  (void)kill(pid, SIGTERM);
  for (uint32_t n = 0; n < STOP_TRY_MAX; n++) {
    if (waitpid(pid, NULL, WNOHANG) != 0) return;
    (void)nanosleep(&ts, NULL);
  }
  (void)kill(pid, SIGKILL);
  (void)waitpid(pid, NULL, 0);
}

static void
note_sizes(void) {
  char        path[128];
  struct stat st;
  for (size_t i = 0; i < MD_CNT(segment_files); i++) {
    path_of(segment_files[i], path);
    if (stat(path, &st) == 0) start.bytes[i] = (uint64_t)st.st_size;
  }
}

/* The median of some attachments. */
static double
attach_ms(void) {
  md_bench_series_t took = {0};
  for (uint32_t n = 0; n < ATTACH_CNT; n++) {
    mdshm_t *shm;
    int64_t  begin_ns = md_bench_now_ns();
    if (mdshm_open(start.dir, NAME, PATIENCE_MS, &shm, NULL, 0) != MDSHM_OK) return MD_BENCH_NONE;
    md_bench_push(&took, (double)(md_bench_now_ns() - begin_ns) / NS_PER_MS);
    mdshm_close(shm);
  }
  return md_bench_median(&took);
}

static double
engine_ms(void) {
  mdshm_t *shm;
  int64_t  begin_ns = md_bench_now_ns();
  pid_t    pid      = run_engine();
  if (pid < 0) return MD_BENCH_NONE;
  bool   good = mdshm_open(start.dir, NAME, PATIENCE_MS, &shm, NULL, 0) == MDSHM_OK;
  double ms   = (double)(md_bench_now_ns() - begin_ns) / NS_PER_MS;
  if (good) mdshm_close(shm);
  note_sizes();
  start.attach_ms = good ? attach_ms() : MD_BENCH_NONE;
  stop_engine(pid);
  engine_pid = 0;
  return good ? ms : MD_BENCH_NONE;
}

double
md_bench_start_turn(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  (void)ctx;
  (void)hist;
  if (start.bytes[0] == 0) (void)engine_ms(); /* how large they are */
  if (cell->a == 2) return start.attach_ms;
  return cell->a == 0 ? allocate_ms() : engine_ms();
}

void
md_bench_start_end(void) {
  remove_folder();
  set_handlers(SIG_DFL);
}
