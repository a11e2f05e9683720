#include "bench/calm.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/bench.h"
#include "shm/atomics.h"

#define SWITCH_NS  50000 /* what a switch is taken for where nobody tells */
#define HOLDER_MAX 2u    /* threads with priority at once */
#define PRIORITY   1
#define OTHERS_MAX 0.5 /* of one processor, the threads of the disk included */
#define LIMIT_US   2000000u

/* ---- time lost ---- */

int64_t
md_bench_waited_ns(void) {
  char text[96];
  int  fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    long long ran, waited;
    text[n > 0 ? n : 0] = 0;
    if (sscanf(text, "%lld %lld", &ran, &waited) == 2 && ran + waited > 0) return waited;
  }
  return md_bench_switches() * SWITCH_NS;
}

void
md_bench_calm_begin(md_bench_calm_t *c) {
  c->waited_ns = md_bench_waited_ns();
  c->begin_ns  = md_bench_now_ns();
}

uint64_t
md_bench_calm_lost_ppm(const md_bench_calm_t *c) {
  int64_t took_ns = md_bench_now_ns() - c->begin_ns, lost_ns = md_bench_waited_ns() - c->waited_ns;
  if (took_ns <= 0 || lost_ns <= 0) return 0;
  return (uint64_t)((double)lost_ns * 1e6 / (double)took_ns);
}

static const char *excuse;

void
md_bench_excuse(const char *why) {
  excuse = why;
}

const char *
md_bench_excuse_take(void) {
  const char *why = excuse;
  excuse          = NULL;
  return why;
}

bool
md_bench_calm_judge(uint64_t lost_ppm, uint64_t max_ppm) {
  if (lost_ppm <= max_ppm || md_bench_takes_all()) return true;
  md_bench_excuse("its threads had to wait for their processor");
  return false;
}

bool
md_bench_calm_switched(int64_t cnt, int64_t max) {
  return cnt > max && !md_bench_takes_all();
}

/* ---- what others did ---- */

static int64_t
used_ns(int who) {
  struct rusage u = {0};
  (void)getrusage(who, &u);
  return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * INT64_C(1000000000) +
         (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * INT64_C(1000);
}

/* Processor time of everybody but this process and its children that have ended. */
static int64_t
others_ns(void) {
  long long user, nice, system, idle, wait, irq, soft, stolen;
  FILE     *f      = fopen("/proc/stat", "re");
  int64_t   all_ns = 0;
  if (!f) return 0;
  if (fscanf(f, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &user, &nice, &system, &idle, &wait,
             &irq, &soft, &stolen) == 8)
    all_ns = (user + nice + system + irq + soft + stolen) * (1000000000 / sysconf(_SC_CLK_TCK));
  (void)fclose(f);
  return all_ns - used_ns(RUSAGE_SELF) - used_ns(RUSAGE_CHILDREN);
}

void
md_bench_others_begin(md_bench_calm_t *c) {
  c->waited_ns = others_ns();
  c->begin_ns  = md_bench_now_ns();
}

bool
md_bench_others_end(const md_bench_calm_t *c) {
  double took_ns = (double)(md_bench_now_ns() - c->begin_ns);
  double part    = (double)(others_ns() - c->waited_ns) / took_ns;
  if (part <= OTHERS_MAX || md_bench_takes_all()) return true;
  md_bench_excuse("other programs had the processors");
  return false;
}

/* ---- priority ---- */

static bool               may_ask;
static int                started_policy;
static struct sched_param started;
static md_atomic_u64      holder[HOLDER_MAX]; /* thread ids; relaxed: numbers by themselves */

/* Who may not clear the flag that children begin without priority may keep it. */
static void
be_usual(pid_t tid) {
  const struct sched_param usual = {0};
  (void)sched_setscheduler(tid, SCHED_OTHER | SCHED_RESET_ON_FORK, &usual);
}

/* Whoever held it for too long goes on without. Only system calls here. */
static void
on_limit(int signo) {
  (void)signo;
  for (uint32_t i = 0; i < HOLDER_MAX; i++) {
    pid_t tid = (pid_t)md_load_relaxed(&holder[i]);
    if (tid) be_usual(tid);
  }
}

void
md_bench_rt_begin(void) {
  const struct sched_param usual = {0}, asked = {.sched_priority = PRIORITY};
  struct rlimit            limit;
  may_ask        = false;
  started_policy = sched_getscheduler(0);
  if (started_policy < 0 || sched_getparam(0, &started) != 0) return;
  if (sched_setscheduler(0, SCHED_OTHER, &usual) != 0) return;
  if (getrlimit(RLIMIT_RTTIME, &limit) != 0) return;
  if (limit.rlim_max < LIMIT_US) return; /* somebody is stricter than we are */
  limit.rlim_cur = LIMIT_US;
  if (signal(SIGXCPU, on_limit) == SIG_ERR || setrlimit(RLIMIT_RTTIME, &limit) != 0) return;
  may_ask = sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &asked) == 0;
  be_usual(0);
}

bool
md_bench_rt_has(void) {
  return may_ask;
}

void
md_bench_rt_as_started(bool is_wanted) {
  const struct sched_param usual = {0};
  if (started_policy != SCHED_RR && started_policy != SCHED_FIFO) return;
  (void)sched_setscheduler(0, is_wanted ? started_policy : SCHED_OTHER,
                           is_wanted ? &started : &usual);
}

void
md_bench_rt_take(unsigned which) {
  const struct sched_param asked = {.sched_priority = PRIORITY};
  md_assert(which < HOLDER_MAX);
  if (!may_ask) return;
  md_store_relaxed(&holder[which], (uint64_t)gettid());
  (void)sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &asked);
}

void
md_bench_rt_give(unsigned which) {
  md_assert(which < HOLDER_MAX);
  if (!may_ask) return;
  be_usual(0);
  md_store_relaxed(&holder[which], 0);
}
