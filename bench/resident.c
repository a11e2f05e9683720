/* bench resident: an engine under full load. What it holds in memory, and how often its feed thread
 * asks for some.
 *
 * Engine and exchange are this program, started as a user starts them: the built-in exchange sends
 * over TLS as fast as it is taken, the journal is on, old segments go. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/store.h"
#include "bench/world.h"

#define NAME        "resident"
#define SYMBOLS     "50"
#define NEED_BYTES  (4ull << 30)
#define ALLOWED_MIB 32.0 /* beside the segment */
#define START_NS    60000000000ll
#define WARM_NS     3000000000ll /* books valid, all code and tables touched once */
#define POLL_NS     20000000l
#define LINE_BYTES  1024u
#define PROBE_CNT   4u /* as many as a processor has */

/* One feed over TLS, one without: OpenSSL 3 asks for memory for each record. */
enum { PLAIN, TLS, FEED_CNT };
static const char *const feeds[FEED_CNT] = {"binance_us", "binance_spot"};

typedef struct resident {
  md_bench_store_t store;
  char             shm_dir[MD_BENCH_DIR_BYTES];
  char             why[160], baseline[64];
  pid_t            exchange, engine;
  md_segment_t     segment;
  bool             is_joined;
  int              probe[FEED_CNT][PROBE_CNT];
  uint64_t         mallocs[FEED_CNT], record_cnt[FEED_CNT];
  double           resident_mib, segment_mib;
  bool             has_mallocs;
} resident_t;

static bool
refuse(resident_t *x, const char *what) {
  if (!x->why[0]) (void)snprintf(x->why, sizeof x->why, "%.150s", what);
  return false;
}

static void
nap(void) {
  const struct timespec ts = {.tv_nsec = POLL_NS};
  (void)nanosleep(&ts, NULL);
}

/* ---- processes ---- */

/* Becomes this program with other words; its output goes to a file in the folder. */
static _Noreturn void
become(const resident_t *x, const char *out, char *const argv[]) {
  char path[300];
  (void)signal(SIGINT, SIG_DFL);
  (void)signal(SIGTERM, SIG_DFL);
  (void)signal(SIGHUP, SIG_DFL);
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  (void)snprintf(path, sizeof path, "%.255s/%s", x->store.dir, out);
  int fd   = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  int null = open("/dev/null", O_RDWR);
  (void)dup2(null, 0);
  (void)dup2(fd, 1);
  (void)dup2(null, 2);
  (void)execv("/proc/self/exe", argv);
  _exit(127);
}

static pid_t
start_exchange(const resident_t *x) {
  char  ca[300], program[] = "mdengine", sim[] = "sim", symbols[] = "--symbols", cnt[] = SYMBOLS;
  char  rate[] = "--rate", most[] = "max", tls[] = "--tls-port", any[] = "0", out[] = "--ca-out";
  char *argv[] = {program, sim, symbols, cnt, rate, most, tls, any, out, ca, NULL};
  pid_t pid    = fork();
  (void)snprintf(ca, sizeof ca, "%.255s/ca.pem", x->store.dir);
  if (pid == 0) become(x, "exchange.json", argv);
  return pid;
}

static pid_t
start_engine(const resident_t *x) {
  char  config[300], program[] = "mdengine", run[] = "run", option[] = "-c";
  char *argv[] = {program, run, option, config, NULL};
  pid_t pid    = fork();
  (void)snprintf(config, sizeof config, "%.255s/engine.yaml", x->store.dir);
  if (pid == 0) become(x, "engine.out", argv);
  return pid;
}

static bool
has_ended(pid_t pid) {
  return waitpid(pid, NULL, WNOHANG) != 0;
}

static void
end_process(pid_t *pid) {
  if (*pid <= 0) return;
  (void)kill(*pid, SIGTERM);
  for (int64_t end = md_bench_now_ns() + START_NS; !has_ended(*pid); nap())
    if (md_bench_now_ns() > end) (void)kill(*pid, SIGKILL);
  *pid = 0;
}

/* The text behind "key":" in the exchange's first line. */
static bool
take_text(const char *line, const char *key, char *out, size_t out_bytes) {
  const char *at  = strstr(line, key);
  const char *end = at ? strchr(at + strlen(key), '"') : NULL;
  if (!end || (size_t)(end - at) - strlen(key) >= out_bytes) return false;
  (void)snprintf(out, out_bytes, "%.*s", (int)(end - at - (ptrdiff_t)strlen(key)),
                 at + strlen(key));
  return true;
}

static bool
write_config(resident_t *x) {
  char  path[300], line[LINE_BYTES] = "", url[FEED_CNT][128], rest_url[FEED_CNT][128];
  FILE *f = NULL;
  (void)snprintf(path, sizeof path, "%.255s/exchange.json", x->store.dir);
  for (int64_t end = md_bench_now_ns() + START_NS; !strchr(line, '\n'); nap()) {
    if (md_bench_now_ns() > end || md_bench_interrupted() || has_ended(x->exchange))
      return refuse(x, "the built-in exchange did not start");
    f = fopen(path, "re");
    if (f && !fgets(line, sizeof line, f)) line[0] = 0;
    if (f) (void)fclose(f);
  }
  if (!take_text(line, "\"ws\":\"", url[PLAIN], sizeof url[PLAIN]) ||
      !take_text(line, "\"rest\":\"", rest_url[PLAIN], sizeof rest_url[PLAIN]) ||
      !take_text(line, "\"wss\":\"", url[TLS], sizeof url[TLS]) ||
      !take_text(line, "\"rest_tls\":\"", rest_url[TLS], sizeof rest_url[TLS]))
    return refuse(x, "the built-in exchange did not say where it is");
  (void)snprintf(path, sizeof path, "%.255s/engine.yaml", x->store.dir);
  f = fopen(path, "we");
  if (!f) return refuse(x, "no configuration can be written");
  fprintf(f,
          "engine:\n  name: " NAME "\n  shm_dir: %s\n"
          "journal:\n  dir: %s/journal\n  keep_bytes: 1GiB\n"
          "monitoring:\n  enabled: false\nfeeds:\n",
          x->shm_dir, x->store.dir);
  for (uint32_t i = 0; i < FEED_CNT; i++)
    fprintf(f,
            "  %s:\n    url: %s\n    rest_url: %s\n    ca_file: %s/ca.pem\n    symbols: all\n"
            "    channels: [depth, trade, bbo, agg_trade, kline]\n",
            feeds[i], url[i], rest_url[i], x->store.dir);
  return fclose(f) == 0 || refuse(x, "no configuration can be written");
}

static void
remove_folder(const char *dir) {
  pid_t pid = fork();
  if (pid == 0) {
    (void)execl("/bin/rm", "rm", "-rf", dir, (char *)NULL);
    _exit(127);
  }
  if (pid > 0) (void)waitpid(pid, NULL, 0);
}

/* ---- what it asks for ---- */

/* The thread of a feed; 0: there is none. */
static pid_t
feed_thread(pid_t engine, uint32_t feed) {
  char           path[320], name[32], wanted[32];
  struct dirent *e;
  pid_t          tid = 0;
  (void)snprintf(wanted, sizeof wanted, "feed %u\n", feed);
  (void)snprintf(path, sizeof path, "/proc/%d/task", engine);
  DIR *d = opendir(path);
  while (d && tid == 0 && (e = readdir(d)) != NULL) {
    (void)snprintf(path, sizeof path, "/proc/%d/task/%.16s/comm", engine, e->d_name);
    FILE *f = fopen(path, "re");
    if (!f) continue;
    if (fgets(name, sizeof name, f) && strcmp(name, wanted) == 0)
      tid = (pid_t)strtol(e->d_name, NULL, 10);
    (void)fclose(f);
  }
  if (d) (void)closedir(d);
  return tid;
}

/* Where a function of a library is in another process that has the same one; 0: nowhere. */
static uint64_t
address_in(pid_t pid, const char *function) {
  char     path[64], line[LINE_BYTES];
  Dl_info  info;
  uint64_t base = 0, begin = 0;
  void    *own = dlsym(RTLD_DEFAULT, function);
  if (!own || dladdr(own, &info) == 0) return 0;
  const char *library = strrchr(info.dli_fname, '/');
  (void)snprintf(path, sizeof path, "/proc/%d/maps", pid);
  FILE *f = library ? fopen(path, "re") : NULL;
  while (f && base == 0 && fgets(line, sizeof line, f)) {
    char *name = strrchr(line, '/');
    if (!name) continue;
    name[strcspn(name, "\n")] = 0;
    begin                     = strtoull(line, NULL, 16);
    if (strcmp(name, library) == 0) base = begin;
  }
  if (f) (void)fclose(f);
  return base ? base + (uint64_t)((const uint8_t *)own - (const uint8_t *)info.dli_fbase) : 0;
}

static void
close_probes(resident_t *x) {
  for (uint32_t i = 0; i < FEED_CNT * PROBE_CNT; i++) {
    int *fd = &x->probe[i / PROBE_CNT][i % PROBE_CNT];
    if (*fd >= 0) (void)close(*fd);
    *fd = -1;
  }
}

/* Breakpoints of the processor that count, on what gives memory. */
static bool
open_probes(resident_t *x, uint32_t feed) {
  static const char *const functions[PROBE_CNT] = {"malloc", "calloc", "realloc", "aligned_alloc"};
  pid_t                    tid                  = feed_thread(x->engine, feed);
  for (uint32_t i = 0; i < PROBE_CNT; i++) {
    struct perf_event_attr attr = {.type           = PERF_TYPE_BREAKPOINT,
                                   .size           = sizeof attr,
                                   .bp_type        = HW_BREAKPOINT_X,
                                   .bp_addr        = address_in(x->engine, functions[i]),
                                   .bp_len         = sizeof(long),
                                   .exclude_kernel = 1,
                                   .exclude_hv     = 1};
    errno                       = ENOSYS;
    if (tid && attr.bp_addr)
      x->probe[feed][i] =
          (int)syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (x->probe[feed][i] < 0) return false;
  }
  return true;
}

static bool
read_probes(resident_t *x, uint32_t feed) {
  x->mallocs[feed] = 0;
  for (uint32_t i = 0; i < PROBE_CNT; i++) {
    uint64_t cnt;
    if (read(x->probe[feed][i], &cnt, sizeof cnt) != (ssize_t)sizeof cnt) return false;
    x->mallocs[feed] += cnt;
  }
  return true;
}

/* ---- what it holds ---- */

static double
resident_mib(pid_t pid) {
  char          path[64];
  unsigned long all, resident = 0;
  (void)snprintf(path, sizeof path, "/proc/%d/statm", pid);
  FILE *f = fopen(path, "re");
  if (!f) return 0;
  if (fscanf(f, "%lu %lu", &all, &resident) != 2) resident = 0;
  (void)fclose(f);
  return (double)resident * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static double
segment_mib(const resident_t *x) {
  static const char *const files[] = {"mdengine." NAME, "mdengine." NAME ".rings"};
  double                   mib     = 0;
  for (size_t i = 0; i < MD_CNT(files); i++) {
    char        path[128];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/%s", x->shm_dir, files[i]);
    if (stat(path, &st) != 0) return 0;
    mib += (double)st.st_size / (1 << 20);
  }
  return mib;
}

static uint64_t
published(const resident_t *x, uint32_t feed) {
  const md_segment_t *s = &x->segment;
  return md_load_relaxed(&s->streams[s->feeds[feed].stream_row].published_seq); /* a count */
}

static bool
wait_until(resident_t *x, int64_t end_ns) {
  while (md_bench_now_ns() < end_ns) {
    if (md_bench_interrupted()) return refuse(x, "interrupted");
    if (has_ended(x->engine) || has_ended(x->exchange)) return refuse(x, "a process ended");
    nap();
  }
  return true;
}

/* Both processes run, and records of both feeds came. */
static bool
start(resident_t *x) {
  md_msg_t msg = {0};
  x->exchange  = start_exchange(x);
  if (x->exchange <= 0 || !write_config(x)) return false;
  x->engine = start_engine(x);
  for (int64_t end = md_bench_now_ns() + START_NS; !x->is_joined; nap()) {
    if (x->engine <= 0 || md_bench_now_ns() > end || has_ended(x->engine))
      return refuse(x, "the engine did not start");
    x->is_joined = md_segment_join(x->shm_dir, NAME, &x->segment, &msg) == MD_OK;
  }
  for (int64_t end = md_bench_now_ns() + START_NS;
       published(x, PLAIN) == 0 || published(x, TLS) == 0; nap())
    if (md_bench_now_ns() > end || md_bench_interrupted()) return refuse(x, "nothing came");
  return true;
}

static bool
run(resident_t *x, unsigned seconds) {
  uint64_t before[FEED_CNT];
  if (!start(x) || !wait_until(x, md_bench_now_ns() + WARM_NS)) return false;
  x->has_mallocs = open_probes(x, PLAIN) && open_probes(x, TLS);
  if (!x->has_mallocs)
    (void)snprintf(x->why, sizeof x->why, "calls cannot be counted, no breakpoint: %s",
                   strerror(errno));
  for (uint32_t i = 0; i < FEED_CNT; i++)
    before[i] = published(x, i);
  if (!wait_until(x, md_bench_now_ns() + (int64_t)seconds * 1000000000)) return false;
  for (uint32_t i = 0; i < FEED_CNT; i++) {
    x->record_cnt[i] = published(x, i) - before[i];
    x->has_mallocs   = x->has_mallocs && read_probes(x, i);
  }
  x->resident_mib = resident_mib(x->engine);
  x->segment_mib  = segment_mib(x);
  return x->segment_mib > 0 || refuse(x, "the engine has no segment");
}

/* ---- the report ---- */

static void
report_mallocs(md_bench_t *b, const resident_t *x, const char *name, uint32_t feed, double bound) {
  md_bench_result_t *r = md_bench_add(b, name, "calls");
  r->is_cost           = true;
  r->is_value          = true;
  r->floor             = bound;
  r->target            = bound;
  if (x->has_mallocs) {
    r->value = r->min = r->max = (double)x->mallocs[feed];
  } else {
    r->note = x->why;
  }
}

static void
report(md_bench_t *b, resident_t *x, bool good) {
  md_bench_result_t *r = md_bench_add(b, "resident.engine", "MiB");
  r->is_cost           = true;
  r->floor             = 1.10;
  r->target            = 1.02;
  r->note              = good ? NULL : x->why;
  (void)snprintf(x->baseline, sizeof x->baseline, "segment + 32 MiB, after %u s", b->seconds);
  r->baseline = x->baseline;
  if (good) {
    r->value = r->min = r->max = x->resident_mib;
    r->baseline_value          = x->segment_mib + ALLOWED_MIB;
    r->ratio = r->ratio_min = r->ratio_max = x->resident_mib / r->baseline_value;
  }
  report_mallocs(b, x, "resident.feed_mallocs", PLAIN, 0);
  report_mallocs(b, x, "resident.feed_mallocs.tls", TLS, MD_BENCH_NONE);
}

bool
md_bench_resident(md_bench_t *b) {
  static resident_t x = {
      .probe = {{-1, -1, -1, -1}, {-1, -1, -1, -1}}}; /* its texts live as long as the report */
  bool good = md_bench_store_new(&x.store, 0, NEED_BYTES);
  if (!good) {
    refuse(&x, x.store.why);
    report(b, &x, false);
    return true;
  }
  (void)snprintf(x.shm_dir, sizeof x.shm_dir, "%s/mdbench.XXXXXX", md_bench_shm_dir());
  good = mkdtemp(x.shm_dir)
             ? run(&x, b->seconds)
             : refuse(&x, "no folder can be made in the tmpfs of segments (--shm-dir)");
  close_probes(&x);
  if (x.is_joined) md_segment_leave(&x.segment);
  end_process(&x.engine);
  end_process(&x.exchange);
  remove_folder(x.shm_dir);
  remove_folder(x.store.dir);
  md_bench_store_delete(&x.store);
  report(b, &x, good);
  if (good)
    fprintf(stderr, "resident: %.0f thousand records a second, %.0f over TLS, for %u s\n",
            (double)x.record_cnt[PLAIN] / 1e3 / b->seconds,
            (double)x.record_cnt[TLS] / 1e3 / b->seconds, b->seconds);
  return true;
}
