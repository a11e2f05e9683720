/* Two feeds at once, each in a process of its own on a processor of its own. Feed threads share
 * nothing but the segment, and not a line of it, so processes are as good and simpler to separate.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/calm.h"
#include "bench/e2e_parts.h"
#include "bench/source.h"

#define WORKER_CNT    2u
#define TURN_NS       40000000
#define POLL_NS       1000000
#define READY_TRY_MAX 20000u

/* Of one worker, in memory that all have; relaxed: flags and counts by themselves. */
typedef struct worker {
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 state; /* 0 being made, 1 ready, 2 cannot */
  md_atomic_u64 go, handled, waited_ns;         /* the last one as it was when it last rested */
} worker_t;

static struct {
  worker_t *worker;
  pid_t     pid[WORKER_CNT];
} threads;

static void
nap(void) {
  const struct timespec ts = {.tv_nsec = POLL_NS};
  (void)nanosleep(&ts, NULL);
}

/* A worker's whole life: batches while it may, naps otherwise. */
static _Noreturn void
work(worker_t *w, int cpu) {
  static md_bench_source_t source;
  cpu_set_t                set;
  CPU_ZERO(&set);
  CPU_SET((size_t)cpu, &set);
  (void)sched_setaffinity(0, sizeof set, &set);
  (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
  bool good = md_bench_source_new(&source, 1, true);
  md_store_relaxed(&w->state, good ? 1 : 2);
  while (good) {
    if (md_load_relaxed(&w->go) == 0) {
      md_store_relaxed(&w->waited_ns, (uint64_t)md_bench_waited_ns());
      nap();
      continue;
    }
    md_bench_source_fill(&source, 1);
    for (uint32_t i = 0; i < MD_BENCH_BATCH_CNT; i++)
      md_bench_source_next(&source, i);
    md_bump(&w->handled, MD_BENCH_BATCH_CNT);
  }
  _exit(1);
}

static bool
all_ready(void) {
  for (uint32_t n = 0; n < READY_TRY_MAX; n++) {
    bool ready = true;
    for (uint32_t i = 0; i < WORKER_CNT; i++) {
      uint64_t state = md_load_relaxed(&threads.worker[i].state);
      if (state == 2) return false;
      ready = ready && state == 1;
    }
    if (ready) return true;
    nap();
  }
  return false;
}

bool
md_bench_threads_begin(char *why, size_t why_bytes) {
  cpu_set_t set;
  int       cpu[WORKER_CNT], found = 0;
  size_t    bytes = WORKER_CNT * sizeof(worker_t);
  (void)snprintf(why, why_bytes, "two processors are needed");
  if (sched_getaffinity(0, sizeof set, &set)) return false;
  for (int n = 0; n < CPU_SETSIZE && found < (int)WORKER_CNT; n++)
    if (CPU_ISSET((size_t)n, &set)) cpu[found++] = n;
  if (found < (int)WORKER_CNT) return false;
  (void)snprintf(why, why_bytes, "no memory for two feeds");
  threads.worker = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (threads.worker == MAP_FAILED) return false;
  for (uint32_t i = 0; i < WORKER_CNT; i++) {
    threads.pid[i] = fork();
    if (threads.pid[i] == 0) work(&threads.worker[i], cpu[i]);
  }
  if (all_ready()) return true;
  md_bench_threads_end();
  return false;
}

double
md_bench_threads_turn(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  uint64_t              handled = 0, waited_ns = 0;
  const struct timespec ts = {.tv_nsec = TURN_NS};
  (void)ctx;
  (void)hist;
  for (uint32_t i = 0; i < cell->a; i++) {
    handled -= md_load_relaxed(&threads.worker[i].handled);
    waited_ns -= md_load_relaxed(&threads.worker[i].waited_ns);
  }
  int64_t begin_ns = md_bench_now_ns();
  for (uint32_t i = 0; i < cell->a; i++)
    md_store_relaxed(&threads.worker[i].go, 1);
  (void)nanosleep(&ts, NULL);
  for (uint32_t i = 0; i < cell->a; i++)
    md_store_relaxed(&threads.worker[i].go, 0);
  int64_t end_ns = md_bench_now_ns();
  nap(); /* the batches that they were in */
  nap();
  for (uint32_t i = 0; i < cell->a; i++) {
    handled += md_load_relaxed(&threads.worker[i].handled);
    waited_ns += md_load_relaxed(&threads.worker[i].waited_ns);
  }
  if (!md_bench_calm_judge(waited_ns * 1000000 / ((uint64_t)(end_ns - begin_ns) * cell->a),
                           2 * MD_BENCH_LOST_MAX_PPM))
    return MD_BENCH_NONE;
  return (double)handled * 1e6 / (double)(end_ns - begin_ns);
}

void
md_bench_threads_end(void) {
  for (uint32_t i = 0; i < WORKER_CNT; i++) {
    if (threads.pid[i] <= 0) continue;
    (void)kill(threads.pid[i], SIGTERM); /* its handler takes its files away */
    (void)waitpid(threads.pid[i], NULL, 0);
  }
  (void)munmap(threads.worker, WORKER_CNT * sizeof(worker_t));
}
