/* fault_oom [control|engine|postgres|reconnect [once|good [N]]]: every allocation of an engine's
 * start, run and stop fails in turn, once and for good, and every one while an exchange cuts its
 * connections. An engine either stands it or ends with a message; it never crashes, hangs or leaves
 * memory behind, and the next start finds all well. See fault_oom.h for whose allocations these
 * are.
 *
 * Control: an allocation that is forgotten on purpose must be found out. */
#include "tests/fault/fault_oom.h"

#include "engine/engine_private.h"
#include "feeds/sim/sim.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- allocations ---- */

#define TABLE_CNT (1u << 16)

typedef struct held {
  void       *p; /* NULL: free; GONE: was used */
  const void *who;
} held_t;

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static held_t          table[TABLE_CNT];
static uint32_t        live_cnt;
static bool            armed, all_from;
static uint64_t        fail_at, call_cnt;

#define GONE ((void *)1)

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t cnt, size_t bytes);
void *__real_realloc(void *p, size_t bytes);
void *__real_aligned_alloc(size_t align, size_t bytes);
int   __real_posix_memalign(void **out, size_t align, size_t bytes);
void  __real_free(void *p);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t cnt, size_t bytes);
void *__wrap_realloc(void *p, size_t bytes);
void *__wrap_reallocarray(void *p, size_t cnt, size_t bytes);
void *__wrap_aligned_alloc(size_t align, size_t bytes);
int   __wrap_posix_memalign(void **out, size_t align, size_t bytes);
char *__wrap_strdup(const char *text);
void  __wrap_free(void *p);

static uint32_t
slot_of(const void *p) {
  return (uint32_t)(((uintptr_t)p >> 4) * 0x9e3779b97f4a7c15ull >> 40) % TABLE_CNT;
}

static void *
hold(void *p, const void *who) {
  if (!p) return NULL;
  (void)pthread_mutex_lock(&table_lock);
  uint32_t i = slot_of(p);
  while (table[i].p && table[i].p != GONE)
    i = (i + 1) % TABLE_CNT;
  table[i] = (held_t){p, who};
  live_cnt++;
  (void)pthread_mutex_unlock(&table_lock);
  return p;
}

static void
let_go(const void *p) {
  if (!p) return;
  (void)pthread_mutex_lock(&table_lock);
  for (uint32_t i = slot_of(p); table[i].p; i = (i + 1) % TABLE_CNT) {
    if (table[i].p != p) continue;
    table[i].p = GONE;
    live_cnt--;
    break;
  }
  (void)pthread_mutex_unlock(&table_lock);
}

static bool
runs_out(void) {
  (void)pthread_mutex_lock(&table_lock);
  bool fails = false;
  if (armed) {
    call_cnt++;
    fails = fail_at != 0 && (all_from ? call_cnt >= fail_at : call_cnt == fail_at);
  }
  (void)pthread_mutex_unlock(&table_lock);
  if (fails) errno = ENOMEM;
  return fails;
}

void *
__wrap_malloc(size_t bytes) {
  return runs_out() ? NULL : hold(__real_malloc(bytes), __builtin_return_address(0));
}

void *
__wrap_calloc(size_t cnt, size_t bytes) {
  return runs_out() ? NULL : hold(__real_calloc(cnt, bytes), __builtin_return_address(0));
}

void *
__wrap_realloc(void *p, size_t bytes) {
  if (runs_out()) return NULL;
  let_go(p);
  return hold(__real_realloc(p, bytes), __builtin_return_address(0));
}

void *
__wrap_reallocarray(void *p, size_t cnt, size_t bytes) {
  if (runs_out()) return NULL;
  let_go(p);
  return hold(__real_realloc(p, cnt * bytes), __builtin_return_address(0));
}

void *
__wrap_aligned_alloc(size_t align, size_t bytes) {
  return runs_out() ? NULL : hold(__real_aligned_alloc(align, bytes), __builtin_return_address(0));
}

int
__wrap_posix_memalign(void **out, size_t align, size_t bytes) {
  if (runs_out()) return ENOMEM;
  int rc = __real_posix_memalign(out, align, bytes);
  if (rc == 0) (void)hold(*out, __builtin_return_address(0));
  return rc;
}

char *
__wrap_strdup(const char *text) {
  size_t bytes = strlen(text) + 1;
  char  *copy  = runs_out() ? NULL : hold(__real_malloc(bytes), __builtin_return_address(0));
  return copy ? memcpy(copy, text, bytes) : NULL;
}

void
__wrap_free(void *p) {
  let_go(p);
  __real_free(p);
}

void
oom_arm(uint64_t at, bool for_good) {
  (void)pthread_mutex_lock(&table_lock);
  armed    = true;
  fail_at  = at;
  all_from = for_good;
  call_cnt = 0;
  (void)pthread_mutex_unlock(&table_lock);
}

void
oom_disarm(void) {
  (void)pthread_mutex_lock(&table_lock);
  armed = false;
  (void)pthread_mutex_unlock(&table_lock);
}

uint64_t
oom_call_cnt(void) {
  return call_cnt;
}

uint32_t
oom_live_cnt(const void **who) {
  for (uint32_t i = 0; i < TABLE_CNT; i++)
    if (table[i].p && table[i].p != GONE) *who = table[i].who;
  return live_cnt;
}

/* ---- workloads ---- */

#define RUN_SECONDS 60

typedef struct result {
  uint64_t call_cnt;
  int      status; /* of the engine */
  char     said[300];
  char     wrong[200];
} result_t;

typedef struct plan {
  uint64_t at;
  bool     for_good;
  bool     forget; /* the control */
} plan_t;

static result_t *result; /* shared with the child */
static char      dir[64];

typedef enum workload { ENGINE, POSTGRES, RECONNECT, WORKLOAD_CNT } workload_t;

static const char *const workload_name[WORKLOAD_CNT] = {"engine", "postgres", "reconnect"};
static workload_t        workload; /* POSTGRES: none is there, it is tried again and not drained */
static char              sim_ws[64], sim_rest[64];

static void
write_config(void) {
  char path[100], source[300];
  (void)snprintf(path, sizeof path, "%s/engine.yaml", dir);
  (void)snprintf(source, sizeof source,
                 "symbols: all, url: \"%s\", rest_url: \"%s\", "
                 "rest_weight_per_min: 1000000, reconnect_max: 500ms",
                 sim_ws, sim_rest);
  FILE *out = fopen(path, "w");
  md_assert(out);
  (void)fprintf(out,
                "engine: {name: oom, shm_dir: %s, instruments: 100, book_space: 1MiB, "
                "stop_timeout: %s, log_level: warn}\n"
                "journal: {dir: %s/journal, segment: 16MiB}\n"
                "feeds:\n"
                "  binance_spot: {%s, depth: 20, tape: 64KiB, journal_ring: 4MiB, "
                "postgres_ring: 4MiB, level_space: 64MiB, sync_buffer: 1MiB}\n"
                "postgres: {enabled: %s, conninfo: \"host=%s/none connect_timeout=1\", "
                "wait_at_start: true}\n"
                "monitoring: {enabled: true, http_port: 0, metrics_port: 0}\n",
                dir, workload == POSTGRES ? "100ms" : "30s", dir,
                workload == RECONNECT ? source
                                      : "recording: tests/fixtures/binance_spot/gap.wscap, "
                                        "speed: max, on_end: exit",
                workload == POSTGRES ? "true" : "false", dir);
  (void)fclose(out);
}

static void
take_complaint(void *ctx, uint32_t line, uint32_t column, const char *key, const char *text) {
  (void)ctx;
  (void)snprintf(result->said, sizeof result->said, "%u:%u: %s: %.200s", line, column, key, text);
}

/* As mdengine run does it. */
static int
run_engine(void) {
  char path[100];
  (void)snprintf(path, sizeof path, "%s/engine.yaml", dir);
  md_config_report_t report = {take_complaint, NULL};
  md_config_t       *cfg    = malloc(sizeof *cfg);
  if (!cfg) {
    (void)snprintf(result->said, sizeof result->said, "no memory for the configuration");
    return MD_EXIT_FAILED;
  }
  int          status = MD_EXIT_USAGE;
  md_log_t     log;
  md_engine_t *engine = NULL;
  md_msg_t     msg    = {0};
  if (md_config_load(path, cfg, &report) == MD_OK) {
    md_log_init(&log, STDERR_FILENO, false, MD_LOG_WARN, md_clock_system());
    md_err_t err = md_engine_start(cfg, NULL, &log, &engine, &msg);
    status       = MD_EXIT_FAILED;
    if (err) {
      (void)snprintf(result->said, sizeof result->said, "%.250s", msg.text);
    } else {
      status = md_engine_run(engine);
      err    = md_engine_stop(engine);
      if (err && status == MD_EXIT_OK) status = MD_EXIT_FAILED;
      (void)snprintf(result->said, sizeof result->said, "ended with status %d", status);
    }
  }
  free(cfg);
  return status;
}

/* ---- reconnecting ---- */

#define POLL_NS        20000000
#define COME_BACK_TURN 1500u /* half a minute */

static uint64_t
counter_of(const md_engine_t *e, md_counter_t id) {
  return md_load_relaxed(&e->segment.metrics[0].counter[id]); /* a number by itself */
}

/* Waits until so many connections were begun, and all books are valid. */
static bool
wait_whole(const md_engine_t *e, uint64_t connect_cnt) {
  for (uint32_t i = 0; i < COME_BACK_TURN; i++) {
    const uint64_t known = counter_of(e, MD_COUNTER_BOOKS_KNOWN);
    if (known > 0 && counter_of(e, MD_COUNTER_BOOKS_VALID) == known &&
        counter_of(e, MD_COUNTER_CONNECTS) >= connect_cnt)
      return true;
    (void)nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
  }
  return false;
}

/* With all memory to the first whole books; then it runs out while connections are cut, and is
 * there again: the books must be whole again by themselves. */
static void
run_reconnect(const plan_t *p) {
  char path[100];
  (void)snprintf(path, sizeof path, "%s/engine.yaml", dir);
  md_config_report_t report = {take_complaint, NULL};
  md_config_t       *cfg    = malloc(sizeof *cfg);
  md_log_t           log;
  md_engine_t       *e   = NULL;
  md_msg_t           msg = {0};
  result->status         = MD_EXIT_FAILED;
  if (!cfg || md_config_load(path, cfg, &report) != MD_OK) {
    (void)snprintf(result->wrong, sizeof result->wrong, "config: %.150s", result->said);
    return;
  }
  md_log_init(&log, STDERR_FILENO, false, MD_LOG_WARN, md_clock_system());
  if (md_engine_start(cfg, NULL, &log, &e, &msg) != MD_OK || !wait_whole(e, 1)) {
    (void)snprintf(result->wrong, sizeof result->wrong, "no first books: %.150s", msg.text);
    return;
  }
  const uint64_t before = counter_of(e, MD_COUNTER_CONNECTS);
  oom_arm(p->at, p->for_good);
  if (p->for_good) (void)nanosleep(&(struct timespec){.tv_sec = 2}, NULL);
  bool whole = p->for_good || wait_whole(e, before + 1);
  oom_disarm();
  if (!whole)
    (void)snprintf(result->wrong, sizeof result->wrong, "one failure, and it did not come back");
  else if (p->for_good && !wait_whole(e, counter_of(e, MD_COUNTER_CONNECTS) + 1))
    (void)snprintf(result->wrong, sizeof result->wrong, "memory is back, the books are not");
  result->status = md_engine_stop(e) == MD_OK ? MD_EXIT_OK : MD_EXIT_FAILED;
  (void)snprintf(result->said, sizeof result->said, "stopped");
  free(cfg);
}

static bool
never(void) {
  return false;
}

/* An exchange that cuts a connection every four seconds, until this process ends. */
static void
start_exchange(void) {
  int pipes[2];
  md_assert(pipe(pipes) == 0);
  (void)fflush(NULL);
  pid_t child = fork();
  md_assert(child >= 0);
  if (child == 0) {
    md_sim_cfg_t cfg = md_sim_cfg_default();
    md_msg_t     msg = {0};
    FILE        *out = fdopen(pipes[1], "w");
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)!freopen("/dev/null", "w", stderr);
    cfg.symbol_cnt = 3;
    cfg.rate       = 300;
    cfg.weight_max = 0; /* six engines ask it at once */
    cfg.faults[0]  = "cut:after=2,every=4";
    cfg.fault_cnt  = 1;
    _exit(md_sim_run(&cfg, never, out, &msg) == MD_OK ? 0 : 1);
  }
  (void)close(pipes[1]);
  FILE *in = fdopen(pipes[0], "r");
  char  line[400];
  md_assert(in && fgets(line, sizeof line, in));
  md_assert(sscanf(line, "{\"ws\":\"%60[^\"]\",\"rest\":\"%60[^\"]\"", sim_ws, sim_rest) == 2);
  /* in stays open: the exchange may still write to it */
}

static void
run_in_child(const plan_t *p) {
  sigset_t set;
  (void)sigemptyset(&set);
  (void)sigaddset(&set, SIGTERM);
  (void)sigprocmask(SIG_BLOCK, &set, NULL);
  if (workload == RECONNECT) {
    run_reconnect(p);
  } else {
    oom_arm(p->at, p->for_good);
    result->status = run_engine();
    oom_disarm();
  }
  result->call_cnt = oom_call_cnt();
  if (p->forget) {
    void *forgotten = malloc(10);
    md_assert(forgotten);
  }
  const void *who  = NULL;
  uint32_t    left = oom_live_cnt(&who);
  if (result->wrong[0]) return;
  if (left > 0)
    (void)snprintf(result->wrong, sizeof result->wrong, "%u allocations left, one by %p", left,
                   who);
  else if (result->status != MD_EXIT_OK && !result->said[0])
    (void)snprintf(result->wrong, sizeof result->wrong, "status %d without a word", result->status);
}

static bool
run(const plan_t *p) {
  memset(result, 0, sizeof *result);
  (void)fflush(NULL);
  pid_t child = fork();
  md_assert(child >= 0);
  if (child == 0) {
    if (p->at != 0 && !getenv("FAULT_TRACE")) (void)!freopen("/dev/null", "w", stderr);
    (void)alarm(RUN_SECONDS);
    run_in_child(p);
    _exit(0);
  }
  int status = 0;
  md_assert(waitpid(child, &status, 0) == child);
  if (WIFSIGNALED(status))
    (void)snprintf(result->wrong, sizeof result->wrong, "%s",
                   WTERMSIG(status) == SIGALRM ? "it hangs" : strsignal(WTERMSIG(status)));
  return result->wrong[0] == 0;
}

static void
remove_dir(void) {
  char command[200];
  (void)snprintf(command, sizeof command, "rm -rf -- '%s'", dir);
  if (dir[0]) md_assert(system(command) == 0);
  dir[0] = 0;
}

static void
fresh_dir(void) {
  remove_dir();
  (void)snprintf(dir, sizeof dir, "/dev/shm/mdengine-oom-XXXXXX");
  md_assert(mkdtemp(dir) != NULL);
  write_config();
}

/* The engine without memory, and one with all it wants behind it. */
static bool
run_and_come_back(const plan_t *p) {
  fresh_dir();
  result_t first;
  bool     ok = run(p);
  first       = *result;
  if (workload == RECONNECT) return ok; /* it has come back already */
  if (ok && (!run(&(plan_t){0}) || (result->status != MD_EXIT_OK && workload != POSTGRES))) {
    (void)snprintf(first.wrong, sizeof first.wrong, "the next start: %.80s %.80s", result->wrong,
                   result->said);
    ok = false;
  }
  *result = first;
  return ok;
}

/* ---- all runs ---- */

#define SHARD_CNT 6u /* an engine's life is mostly waiting */

typedef struct totals {
  md_atomic_u64 run_cnt, ended_cnt, wrong_cnt; /* relaxed: read when their writers have ended */
} totals_t;

/* Every n that falls to this shard; in a process of its own. */
static void
run_shard(uint32_t shard, uint64_t cnt, uint64_t only, const char *mode, totals_t *t) {
  if (workload == RECONNECT) start_exchange();
  for (uint64_t i = shard; i < 2 * cnt; i += only ? 1 : SHARD_CNT) {
    const plan_t p = {.at = i / 2 + 1, .for_good = i % 2 != 0};
    if (only && p.at != only) continue;
    if (mode && strcmp(mode, p.for_good ? "good" : "once") != 0) continue;
    bool ok = run_and_come_back(&p);
    (void)md_fetch_add_relaxed(&t->run_cnt, 1);
    if (result->status != MD_EXIT_OK) (void)md_fetch_add_relaxed(&t->ended_cnt, 1);
    if (only) (void)printf("status %d: %s\n", result->status, result->said);
    if (ok) continue;
    (void)md_fetch_add_relaxed(&t->wrong_cnt, 1);
    (void)printf("  %s %s %" PRIu64 ": %s (%s)\n", workload_name[workload],
                 p.for_good ? "good" : "once", p.at, result->wrong, result->said);
  }
  remove_dir();
}

static void *
share(size_t bytes) {
  void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  md_assert(p != MAP_FAILED);
  return p;
}

/* False: something went wrong. */
static bool
each_allocation(const char *mode, uint64_t only) {
  if (workload == RECONNECT) start_exchange();
  bool           ok  = run_and_come_back(&(plan_t){0});
  const uint64_t cnt = result->call_cnt;
  remove_dir();
  if (!ok)
    (void)printf("%s: the clean run: %s (%s)\n", workload_name[workload], result->wrong,
                 result->said);
  if (!ok || cnt == 0) return false;
  totals_t *t = share(sizeof *t);
  pid_t     child[SHARD_CNT];
  (void)fflush(NULL);
  for (uint32_t i = 0; i < SHARD_CNT; i++) {
    child[i] = only && i > 0 ? -1 : fork();
    if (child[i] != 0) continue;
    result = share(sizeof *result);
    run_shard(i, cnt, only, mode, t);
    (void)fflush(NULL);
    _exit(0);
  }
  for (uint32_t i = 0; i < SHARD_CNT; i++)
    if (child[i] > 0 && waitpid(child[i], &(int){0}, 0) < 0) ok = false;
  const uint64_t run_cnt = md_load_relaxed(&t->run_cnt), wrong_cnt = md_load_relaxed(&t->wrong_cnt);
  (void)printf("%-9s %" PRIu64 " allocations, once and for good: %" PRIu64 " of %" PRIu64
               " runs well, %" PRIu64 " ended with a message\n",
               workload_name[workload], cnt, run_cnt - wrong_cnt, run_cnt,
               md_load_relaxed(&t->ended_cnt));
  return ok && wrong_cnt == 0 && (only || mode || run_cnt == 2 * cnt);
}

/* True when a forgotten allocation is found out. */
static bool
control(void) {
  workload = ENGINE;
  fresh_dir();
  bool caught = !run(&(plan_t){.forget = true});
  (void)printf("a forgotten allocation was %sfound out\n", caught ? "" : "not ");
  remove_dir();
  return caught;
}

int
main(int argc, char **argv) {
  result  = share(sizeof *result);
  bool ok = true;
  if (argc == 2 && strcmp(argv[1], "control") == 0) return control() ? 0 : 1;
  for (unsigned i = 0; i < WORKLOAD_CNT; i++) {
    if (argc > 1 && strcmp(argv[1], workload_name[i]) != 0) continue;
    workload = (workload_t)i;
    if (!each_allocation(argc > 2 ? argv[2] : NULL, argc > 3 ? strtoull(argv[3], NULL, 10) : 0))
      ok = false;
  }
  return ok ? 0 : 1;
}
