/* bench ring: two pinned threads, our ring beside ck_ring and the reference ring.
 *
 * Virtual processors move about under us: how far apart two of them are decides every figure. So
 * each round begins and ends with a probe, the round trip of one cache line, and counts only when
 * both probes are near the run's usual one and nobody was preempted. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/queue.h"
#include "bench/ring_batch.h"
#include "shm/atomics.h"
#include "shm/hist.h"

#define THROUGHPUT_CNT 100000u
#define TRIP_CNT       5000u
#define WARM_CNT       500u
#define SWITCH_MAX     2
#define STEP_TRY_MAX   6u /* a step that was preempted is done again so often */
#define ROUND_MIN      3u /* fewer that count: not measured */
#define MODE_FACTOR    1.3
#define QUEUE_CNT      4u
#define BATCHES_PART   5 /* of its time, once more, for the curve over batches */
#define TRIP_KINDS     3u

/* The job of one step, for both threads. Queues are private to the step until it ends. */
typedef struct pair pair_t;
typedef enum step { STEP_PROBE, STEP_THROUGHPUT, STEP_TRIP, STEP_END } step_t;

struct pair {
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 ping;
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 pong;
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 order; /* number of the step that may begin */
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 done;  /* number of the step that the peer ended */
  md_atomic_u64 ready;                          /* the peer is on its processor */
  _Alignas(MD_CACHE_BLOCK) step_t step;
  const md_bench_queue_t *queue;
  void                   *there, *back;
  int64_t                 peer_switches;
  bool                    peer_good;
  int                     cpu[2];
  /* The measuring thread's alone: the peer reads what stands before for each trip. */
  _Alignas(MD_CACHE_BLOCK) md_hist_t hist;
};

static bool
pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET((size_t)cpu, &set);
  return pthread_setaffinity_np(pthread_self(), sizeof set, &set) == 0;
}

static void
probe_answer(pair_t *p) {
  for (uint64_t i = 1; i <= TRIP_CNT; i++) {
    while (md_load_acquire(&p->ping) != i) /* A1: the ping; pairs with R1 */
      md_bench_relax();
    md_store_release(&p->pong, i); /* R2: the pong; pairs with A2 */
  }
}

static void
trip_answer(pair_t *p) {
  const md_bench_queue_t *queue = p->queue;
  void *const there = p->there, *const back = p->back;
  for (uint64_t i = 1; i <= TRIP_CNT; i++)
    queue->push(back, queue->pop(there));
}

static void *
peer_main(void *arg) {
  pair_t *p = arg;
  p->peer_good &= pin(p->cpu[1]);
  md_store_release(&p->ready, 1); /* R5: the peer is there; pairs with A5 */
  for (uint64_t n = 1;; n++) {
    while (md_load_acquire(&p->order) != n) /* A3: the step to do; pairs with R3 */
      md_bench_relax();
    int64_t switches = md_bench_switches();
    if (p->step == STEP_PROBE) probe_answer(p);
    if (p->step == STEP_TRIP) trip_answer(p);
    if (p->step == STEP_THROUGHPUT) p->peer_good &= p->queue->consume(p->there, THROUGHPUT_CNT);
    p->peer_switches = md_bench_switches() - switches;
    bool end         = p->step == STEP_END;
    md_store_release(&p->done, n); /* R4: the step's outcome; pairs with A4 */
    if (end) return NULL;
  }
}

/* Begins a step on the peer; step_wait waits for its end. */
static void
step_begin(pair_t *p, step_t step, const md_bench_queue_t *queue) {
  p->step  = step;
  p->queue = queue;
  memset(&p->hist, 0, sizeof p->hist);
  if (queue != NULL) {
    queue->init(p->there);
    queue->init(p->back);
  }
  md_store_relaxed(&p->ping, 0); /* ordered by R3 */
  md_store_relaxed(&p->pong, 0);
  uint64_t n = md_load_relaxed(&p->order) + 1; /* own word */
  md_store_release(&p->order, n);              /* R3: hands the step over; pairs with A3 */
}

static void
step_wait(pair_t *p) {
  uint64_t n = md_load_relaxed(&p->order); /* own word */
  while (md_load_acquire(&p->done) != n)   /* A4: the step's outcome; pairs with R4 */
    md_bench_relax();
}

/* Times TRIP_CNT round trips into p->hist; one clock reading for each, so its cost is in all alike.
 * Nothing else stands between an answer and the next question: each ns there would cost two. */
static void
trips_once(pair_t *p, step_t step, const md_bench_queue_t *queue) {
  static uint64_t at[TRIP_CNT + 1]; /* written by the one thread that measures */
  double          tick_ns = md_bench_cycle_ns();
  void *const there = p->there, *const back = p->back;
  bool good = true;
  step_begin(p, step, queue);
  at[0] = md_bench_cycle();
  for (uint64_t i = 1; i <= TRIP_CNT; i++) {
    if (queue == NULL) {
      md_store_release(&p->ping, i);         /* R1: the ping; pairs with A1 */
      while (md_load_acquire(&p->pong) != i) /* A2: the pong; pairs with R2 */
        md_bench_relax();
    } else {
      queue->push(there, i);
      good &= queue->pop(back) == i;
    }
    at[i] = md_bench_cycle();
  }
  step_wait(p);
  p->peer_good &= good;
  for (uint64_t i = WARM_CNT + 1; i <= TRIP_CNT; i++)
    md_hist_add(&p->hist, (int64_t)((double)(at[i] - at[i - 1]) * tick_ns));
}

/* False when neither thread could be left alone for the step in STEP_TRY_MAX tries. */
static bool
trips(pair_t *p, step_t step, const md_bench_queue_t *queue) {
  for (unsigned i = 0; i < STEP_TRY_MAX; i++) {
    int64_t switches = md_bench_switches();
    trips_once(p, step, queue);
    if (md_bench_switches() - switches + p->peer_switches <= SWITCH_MAX) return true;
  }
  return false;
}

/* Adds millions of records a second to *rate; false as above. */
static bool
throughput(pair_t *p, const md_bench_queue_t *queue, double *rate) {
  for (unsigned i = 0; i < STEP_TRY_MAX; i++) {
    int64_t switches = md_bench_switches();
    step_begin(p, STEP_THROUGHPUT, queue);
    int64_t start_ns = md_bench_now_ns();
    queue->produce(p->there, THROUGHPUT_CNT);
    step_wait(p);
    int64_t end_ns = md_bench_now_ns();
    if (md_bench_switches() - switches + p->peer_switches > SWITCH_MAX) continue;
    *rate += (double)THROUGHPUT_CNT * 1e3 / (double)(end_ns - start_ns);
    return true;
  }
  return false;
}

/* What one round found. */
typedef struct round {
  double         probe[2];             /* P50 before and after, ns */
  double         rate[QUEUE_CNT];      /* M/s, mean of both directions of the round */
  double         trip_p50[TRIP_KINDS]; /* ns */
  double         trip_p99;             /* ns, of our ring, and the probe's */
  double         probe_p99;
  md_hist_copy_t trip[TRIP_KINDS], probe_hist;
  /* Our ring again with the peer in a process of its own. */
  double         far_rate, far_p50, far_probe[2];
  md_hist_copy_t far_trip;
  bool           preempted;
} round_t;

typedef struct run {
  pair_t                 *pair;
  round_t                *rounds;
  uint32_t                round_cnt;
  const md_bench_queue_t *queues[QUEUE_CNT];
} run_t;

/* Indices of run_t.queues; the first of them makes no trips of its own. */
enum { OURS_BATCH = 0, OURS_EACH = 1, REFERENCE = 2, CK = 3 };

/* ---- the peer: a thread, or a process that has the same memory ---- */

static bool
peer_start(pair_t *p, bool process, pthread_t *thread, pid_t *pid) {
  md_store_relaxed(&p->ready, 0); /* ordered by the creation, and by the fork */
  if (!process) {
    if (pthread_create(thread, NULL, peer_main, p) != 0) return false;
  } else {
    *pid = fork();
    if (*pid < 0) return false;
    if (*pid == 0) {
      (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* it must not wait for one that was interrupted */
      (void)peer_main(p);
      _exit(0);
    }
  }
  /* The peer goes to its processor first: a real-time thread that spins on this one, as the next
   * steps do, would keep it from ever getting there. */
  const struct timespec moment = {.tv_nsec = 100000};
  while (md_load_acquire(&p->ready) == 0) /* A5: the peer is there; pairs with R5 */
    (void)nanosleep(&moment, NULL);
  return true;
}

static bool
peer_end(pair_t *p, bool process, pthread_t thread, pid_t pid) {
  int status = 0;
  step_begin(p, STEP_END, NULL);
  if (!process) return pthread_join(thread, NULL) == 0;
  return waitpid(pid, &status, 0) == pid && status == 0;
}

static double
median_of(pair_t *p, md_hist_copy_t *into) {
  md_hist_copy_t copy;
  md_hist_read(&p->hist, &copy);
  md_hist_merge(into, &copy);
  return (double)md_hist_quantile(&copy, 500000);
}

static double
p99_of(const md_hist_copy_t *hist) {
  return (double)md_hist_quantile(hist, 990000);
}

/* Our ring's lines with the peer in another process, between two probes of their own. */
static bool
run_far(run_t *run, round_t *r) {
  pair_t        *p     = run->pair;
  bool           calm  = trips(p, STEP_PROBE, NULL);
  md_hist_copy_t probe = {0};
  r->far_probe[0]      = median_of(p, &probe);
  for (unsigned i = 0; i < 2 && calm; i++)
    calm = throughput(p, run->queues[OURS_BATCH], &r->far_rate);
  r->far_rate /= 2;
  if (calm) calm = trips(p, STEP_TRIP, run->queues[OURS_EACH]);
  r->far_p50      = median_of(p, &r->far_trip);
  calm            = calm && trips(p, STEP_PROBE, NULL);
  r->far_probe[1] = median_of(p, &probe);
  return calm;
}

static bool
run_near(run_t *run, round_t *r) {
  pair_t *p    = run->pair;
  bool    calm = trips(p, STEP_PROBE, NULL);
  r->probe[0]  = median_of(p, &r->probe_hist);
  for (unsigned i = 0; i < 2 * QUEUE_CNT && calm; i++) { /* A B C D D C B A */
    unsigned at = i < QUEUE_CNT ? i : 2 * QUEUE_CNT - 1 - i;
    calm        = throughput(p, run->queues[at], &r->rate[at]);
  }
  for (unsigned i = 0; i < QUEUE_CNT; i++)
    r->rate[i] /= 2;
  for (unsigned i = 0; i < TRIP_KINDS && calm; i++) {
    calm           = trips(p, STEP_TRIP, run->queues[i + 1]);
    r->trip_p50[i] = median_of(p, &r->trip[i]);
  }
  calm         = calm && trips(p, STEP_PROBE, NULL);
  r->probe[1]  = median_of(p, &r->probe_hist);
  r->trip_p99  = p99_of(&r->trip[OURS_EACH - 1]);
  r->probe_p99 = p99_of(&r->probe_hist);
  return calm;
}

/* One round with each kind of peer; false when there could be none, or when it failed. */
static bool
run_round(run_t *run, round_t *r) {
  pair_t *p    = run->pair;
  bool    calm = true;
  memset(r, 0, sizeof *r);
  for (unsigned process = 0; process < 2; process++) {
    pthread_t thread;
    pid_t     pid = 0;
    md_store_relaxed(&p->order, 0); /* nobody else is there */
    md_store_relaxed(&p->done, 0);
    if (!peer_start(p, process != 0, &thread, &pid)) return false;
    p->peer_good &= pin(p->cpu[0]);
    calm &= process != 0 ? run_far(run, r) : run_near(run, r);
    if (!peer_end(p, process != 0, thread, pid)) return false;
    if (!p->peer_good) return true;
  }
  r->preempted = !calm;
  return true;
}

/* ---- the report ---- */

static bool
near_mode(double probe, double usual) {
  return probe <= usual * MODE_FACTOR && probe >= usual / MODE_FACTOR;
}

/* Moves the rounds that count to the front and returns how many there are. */
static uint32_t
keep_good_rounds(run_t *run) {
  md_bench_series_t probes = {0};
  for (uint32_t i = 0; i < run->round_cnt; i++) {
    if (run->rounds[i].preempted) continue;
    md_bench_push(&probes, run->rounds[i].probe[0]);
    md_bench_push(&probes, run->rounds[i].probe[1]);
  }
  double   usual = md_bench_median(&probes);
  uint32_t good  = 0;
  for (uint32_t i = 0; i < run->round_cnt; i++) {
    const round_t *r = &run->rounds[i];
    if (r->preempted || !near_mode(r->probe[0], usual) || !near_mode(r->probe[1], usual)) continue;
    if (!near_mode(r->far_probe[0], usual) || !near_mode(r->far_probe[1], usual)) continue;
    if (good != i) run->rounds[good] = *r;
    good++;
  }
  return good;
}

static const char few_rounds[] = "threads preempted or placed anew in nearly every round";

static void
report_rate(md_bench_t *b, const run_t *run, uint32_t cnt, const char *name, int which,
            int baseline) {
  md_bench_result_t *r    = md_bench_add(b, name, "M/s");
  md_bench_series_t  rate = {0}, base = {0}, ratio = {0};
  if (which == OURS_BATCH && baseline == REFERENCE) r->floor = 1.2;
  if (which == OURS_BATCH) r->target = baseline == CK ? 5.0 : 2.0;
  if (baseline >= 0) r->baseline = run->queues[baseline]->name;
  if (cnt < ROUND_MIN) {
    r->note = few_rounds;
    return;
  }
  for (uint32_t i = 0; i < cnt; i++) {
    md_bench_push(&rate, run->rounds[i].rate[which]);
    if (baseline < 0) continue;
    md_bench_push(&base, run->rounds[i].rate[baseline]);
    md_bench_push(&ratio, run->rounds[i].rate[which] / run->rounds[i].rate[baseline]);
  }
  md_bench_spread(r, &rate);
  r->baseline_value = md_bench_median(&base);
  md_bench_ratio(r, &ratio);
}

/* A round trip beside the bare cache line; kind < 0 is the cache line itself. */
static void
report_trip(md_bench_t *b, const run_t *run, uint32_t cnt, const char *name, int kind) {
  static md_hist_copy_t all;
  md_bench_result_t    *r    = md_bench_add(b, name, "ns");
  md_bench_series_t     trip = {0}, probe = {0}, ratio = {0};
  r->is_cost = true;
  if (kind >= 0) r->baseline = "cache-line ping-pong";
  if (kind == OURS_EACH - 1) {
    r->floor  = 1.4;
    r->target = 1.1;
  }
  if (cnt < ROUND_MIN) {
    r->note = few_rounds;
    return;
  }
  memset(&all, 0, sizeof all);
  for (uint32_t i = 0; i < cnt; i++) {
    const round_t *round = &run->rounds[i];
    double         usual = (round->probe[0] + round->probe[1]) / 2;
    md_hist_merge(&all, kind < 0 ? &round->probe_hist : &round->trip[kind]);
    md_bench_push(&trip, kind < 0 ? usual : round->trip_p50[kind]);
    if (kind < 0) continue;
    md_bench_push(&probe, usual);
    md_bench_push(&ratio, round->trip_p50[kind] / usual);
  }
  md_bench_spread(r, &trip);
  md_bench_percentiles(r, &all);
  r->baseline_value = md_bench_median(&probe);
  md_bench_ratio(r, &ratio);
}

/* A line whose values and baselines are two numbers of each round. */
static void
report_pair(md_bench_t *b, const run_t *run, uint32_t cnt, md_bench_result_t *r,
            double (*subject)(const round_t *), double (*baseline)(const round_t *)) {
  md_bench_series_t value = {0}, base = {0}, ratio = {0};
  (void)b;
  if (cnt < ROUND_MIN) {
    r->note = few_rounds;
    return;
  }
  for (uint32_t i = 0; i < cnt; i++) {
    const round_t *round = &run->rounds[i];
    md_bench_push(&value, subject(round));
    md_bench_push(&base, baseline(round));
    md_bench_push(&ratio, subject(round) / baseline(round));
  }
  md_bench_spread(r, &value);
  r->baseline_value = md_bench_median(&base);
  md_bench_ratio(r, &ratio);
}

static double
trip_p99(const round_t *r) {
  return r->trip_p99;
}

static double
probe_p99(const round_t *r) {
  return r->probe_p99;
}

static double
far_rate(const round_t *r) {
  return r->far_rate;
}

static double
near_rate(const round_t *r) {
  return r->rate[OURS_BATCH];
}

/* In units of the cache line's round trip then, so that a placement that changed a little between
 * the two halves of a round does not count. */
static double
far_trip(const round_t *r) {
  return r->far_p50 / (r->far_probe[0] + r->far_probe[1]) * 2;
}

static double
near_trip(const round_t *r) {
  return r->trip_p50[OURS_EACH - 1] / (r->probe[0] + r->probe[1]) * 2;
}

static void
report_more(md_bench_t *b, const run_t *run, uint32_t cnt) {
  md_bench_result_t *r = md_bench_add(b, "ring.round_trip.p99", "ns");
  r->is_cost           = true;
  r->baseline          = "cache-line ping-pong, p99";
  r->floor             = 1.6;
  r->target            = 1.2;
  report_pair(b, run, cnt, r, trip_p99, probe_p99);
  r           = md_bench_add(b, "ring.batch16.processes", "M/s");
  r->baseline = "the same in one process";
  r->floor    = 0.9;
  r->target   = 1.0;
  report_pair(b, run, cnt, r, far_rate, near_rate);
  r           = md_bench_add(b, "ring.round_trip.processes", "pingpongs");
  r->is_cost  = true;
  r->baseline = "the same in one process";
  r->floor    = 1 / 0.9;
  r->target   = 1.0;
  report_pair(b, run, cnt, r, far_trip, near_trip);
}

static void
report(md_bench_t *b, const run_t *run, uint32_t cnt) {
  report_rate(b, run, cnt, "ring.batch16", OURS_BATCH, REFERENCE);
  report_rate(b, run, cnt, "ring.batch16.ck", OURS_BATCH, CK);
  report_rate(b, run, cnt, "ring.each", OURS_EACH, REFERENCE);
  report_rate(b, run, cnt, "ring.each.ck", OURS_EACH, CK);
  report_trip(b, run, cnt, "ring.round_trip", OURS_EACH - 1);
  report_trip(b, run, cnt, "ring.round_trip.reference", REFERENCE - 1);
  report_trip(b, run, cnt, "ring.round_trip.ck", CK - 1);
  report_trip(b, run, cnt, "ring.ping_pong", -1);
  report_more(b, run, cnt);
}

/* ---- the run ---- */

/* The first two processors that this process may use; false when there is only one. */
static bool
choose_cpus(int cpu[2]) {
  cpu_set_t set;
  int       found = 0;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return false;
  for (int i = 0; i < CPU_SETSIZE && found < 2; i++) {
    if (CPU_ISSET((size_t)i, &set)) cpu[found++] = i;
  }
  return found == 2;
}

static bool
run_rounds(run_t *run, unsigned seconds) {
  pair_t   *p  = run->pair;
  bool      ok = true;
  cpu_set_t before;
  if (pthread_getaffinity_np(pthread_self(), sizeof before, &before) != 0)
    return true; /* no rounds: not measured */
  int64_t end_ns = md_bench_now_ns() + (int64_t)seconds * 1000000000;
  p->peer_good   = true;
  ok             = run_round(run, &run->rounds[0]); /* warms up, and is overwritten */
  do {
    ok = ok && run_round(run, &run->rounds[run->round_cnt++]);
  } while (ok && p->peer_good && run->round_cnt < MD_BENCH_ROUND_MAX / 2 &&
           md_bench_may_go_on(run->round_cnt, end_ns));
  (void)pthread_setaffinity_np(pthread_self(), sizeof before, &before);
  if (!p->peer_good) fprintf(stderr, "mdengine bench: a ring lost or changed a record: a defect\n");
  return ok && p->peer_good;
}

bool
md_bench_ring(md_bench_t *b) {
  run_t  run   = {.queues = {md_bench_queue_ours_batch(), md_bench_queue_ours_each(),
                             md_bench_queue_reference(), md_bench_queue_ck()}};
  size_t bytes = 0;
  bool   good  = true;
  for (unsigned i = 0; i < QUEUE_CNT; i++)
    bytes = run.queues[i]->bytes > bytes ? run.queues[i]->bytes : bytes;
  bytes                   = md_align_up(bytes, MD_CACHE_BLOCK);
  const size_t pair_bytes = md_align_up(sizeof *run.pair, MD_CACHE_BLOCK);
  /* Mapped shared for both kinds of peer, so that they differ in nothing else. */
  uint8_t *shared = mmap(NULL, pair_bytes + 2 * bytes, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  run.rounds      = calloc(MD_BENCH_ROUND_MAX / 2, sizeof *run.rounds);
  if (shared == MAP_FAILED || run.rounds == NULL) {
    fprintf(stderr, "mdengine bench: out of memory: free some and try again\n");
    good = false;
  } else {
    run.pair        = (pair_t *)(void *)shared;
    run.pair->there = shared + pair_bytes;
    run.pair->back  = shared + pair_bytes + bytes;
    if (choose_cpus(run.pair->cpu)) good = run_rounds(&run, b->seconds);
    if (good) report(b, &run, keep_good_rounds(&run));
  }
  if (shared != MAP_FAILED) (void)munmap(shared, pair_bytes + 2 * bytes);
  free(run.rounds);
  return good && md_bench_ring_batches(b, (int64_t)b->seconds * 1000000000 / BATCHES_PART);
}
