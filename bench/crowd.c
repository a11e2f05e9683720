#include "bench/crowd.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "bench/calm.h"
#include "bench/queue.h"

#define TRIP_CNT 5000u
#define WARM_CNT 500u

typedef struct crowd {
  md_bench_work_fn work;
  void            *ctx;
  uint32_t         cnt, wanted; /* threads that are there; that there will be */
  cpu_set_t        before;
  int              cpu[2];
  pthread_t        thread[MD_BENCH_CROWD_MAX];
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 stop;
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 next_index; /* these count; joining orders the rest */
  md_atomic_u64 ready, go, working, switches, lost_ppm;
} crowd_t;

static crowd_t crowd;

bool
md_bench_pair_pin(void) {
  cpu_set_t one;
  int       found = 0;
  if (sched_getaffinity(0, sizeof crowd.before, &crowd.before) != 0) return false;
  for (int i = 0; i < CPU_SETSIZE && found < 2; i++)
    if (CPU_ISSET((size_t)i, &crowd.before)) crowd.cpu[found++] = i;
  if (found < 2) return false;
  CPU_ZERO(&one);
  CPU_SET((size_t)crowd.cpu[0], &one);
  return sched_setaffinity(0, sizeof one, &one) == 0;
}

void
md_bench_pair_unpin(void) {
  (void)sched_setaffinity(0, sizeof crowd.before, &crowd.before);
}

static void *
thread_main(void *arg) {
  crowd_t *c     = arg;
  uint32_t index = (uint32_t)md_fetch_add_relaxed(&c->next_index, 1);
  md_fetch_add_relaxed(&c->ready, 1);
  while (md_load_relaxed(&c->go) == 0) /* all have begun: none waits for the turn of another */
    (void)sched_yield();
  md_bench_calm_t calm;
  bool            is_one = c->wanted == 1;
  if (is_one) md_bench_rt_take(1);
  md_bench_calm_begin(&calm);
  md_fetch_add_relaxed(&c->working, 1);
  int64_t switches = md_bench_switches();
  c->work(c->ctx, index, &c->stop);
  md_fetch_add_relaxed(&c->switches, (uint64_t)(md_bench_switches() - switches));
  if (is_one) md_bench_rt_give(1);
  if (is_one) md_store_relaxed(&c->lost_ppm, md_bench_calm_lost_ppm(&calm));
  return NULL;
}

/* Until a counter that only grows is there. */
static void
await(const md_atomic_u64 *counter, uint64_t value) {
  while (md_load_relaxed(counter) < value)
    md_bench_relax();
}

bool
md_bench_crowd_start(uint32_t cnt, md_bench_work_fn work, void *ctx) {
  crowd_t       *c = &crowd;
  pthread_attr_t attr;
  cpu_set_t      second;
  md_assert(cnt > 0 && cnt <= MD_BENCH_CROWD_MAX);
  c->work   = work;
  c->ctx    = ctx;
  c->cnt    = 0;
  c->wanted = cnt;
  md_store_relaxed(&c->stop, 0); /* these are seen by threads that are made behind them */
  md_store_relaxed(&c->next_index, 0);
  md_store_relaxed(&c->ready, 0);
  md_store_relaxed(&c->go, 0);
  md_store_relaxed(&c->working, 0);
  md_store_relaxed(&c->switches, 0);
  md_store_relaxed(&c->lost_ppm, 0);
  CPU_ZERO(&second);
  CPU_SET((size_t)c->cpu[1], &second);
  if (pthread_attr_init(&attr) != 0) return false;
  bool good = pthread_attr_setaffinity_np(&attr, sizeof second, &second) == 0;
  while (good && c->cnt < cnt) {
    good = pthread_create(&c->thread[c->cnt], &attr, thread_main, c) == 0;
    if (good) c->cnt++;
  }
  (void)pthread_attr_destroy(&attr);
  if (!good) {
    md_store_relaxed(&c->go, 1);
    (void)md_bench_crowd_stop();
    return false;
  }
  await(&c->ready, cnt);
  md_store_relaxed(&c->go, 1);
  await(&c->working, 1);
  return true;
}

int64_t
md_bench_crowd_stop(void) {
  crowd_t *c = &crowd;
  md_store_relaxed(&c->stop, 1); /* orders nothing: joining does */
  for (uint32_t i = 0; i < c->cnt; i++)
    (void)pthread_join(c->thread[i], NULL);
  return (int64_t)md_load_relaxed(&c->switches);
}

uint64_t
md_bench_crowd_lost(void) {
  return md_load_relaxed(&crowd.lost_ppm); /* joining ordered it */
}

/* ---- the probe ---- */

typedef struct probe {
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 ping;
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 pong;
} probe_t;

static void
answer(void *ctx, uint32_t index, const md_atomic_u64 *stop) {
  probe_t *p = ctx;
  (void)index;
  (void)stop; /* it is told after the last ping */
  for (uint64_t i = 1; i <= TRIP_CNT; i++) {
    while (md_load_acquire(&p->ping) != i) /* A1: the ping; pairs with R1 */
      md_bench_relax();
    md_store_release(&p->pong, i); /* R2: the pong; pairs with A2 */
  }
}

bool
md_bench_probe(md_hist_t *out) {
  static probe_t  p; /* its lines are the same in all rounds */
  md_bench_calm_t calm;
  double          tick_ns = md_bench_cycle_ns();
  memset(out, 0, sizeof *out);
  md_store_relaxed(&p.ping, 0); /* seen by the thread that is made behind it */
  md_store_relaxed(&p.pong, 0);
  if (!md_bench_crowd_start(1, answer, &p)) return false;
  md_bench_calm_begin(&calm);
  uint64_t before = md_bench_cycle();
  for (uint64_t i = 1; i <= TRIP_CNT; i++) {
    md_store_release(&p.ping, i);         /* R1: the ping; pairs with A1 */
    while (md_load_acquire(&p.pong) != i) /* A2: the pong; pairs with R2 */
      md_bench_relax();
    uint64_t now = md_bench_cycle();
    if (i > WARM_CNT) md_hist_add(out, (int64_t)((double)(now - before) * tick_ns));
    before = now;
  }
  uint64_t lost_ppm = md_bench_calm_lost_ppm(&calm);
  (void)md_bench_crowd_stop();
  return md_bench_calm_judge(lost_ppm, MD_BENCH_LOST_MAX_PPM) &&
         md_bench_calm_judge(md_bench_crowd_lost(), MD_BENCH_LOST_MAX_PPM);
}
