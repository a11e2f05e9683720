#include "writers/writer.h"

#include "shm/signal_stack.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NS_PER_MS   1000000
#define CPU_LOOK_NS (100 * NS_PER_MS)

struct md_writer {
  md_writer_config_t cfg;
  void              *state;
  pthread_t          thread;
  md_atomic_u64      stop_mono_ns; /* 0: run; else drain until then. R1 in stop, A1 in the thread */
  bool               drained;      /* read after the join */
};

static md_thread_row_t *
thread_row(const md_writer_t *w) {
  return &w->cfg.env.segment->threads[w->cfg.env.thread_row];
}

/* Relaxed: the row is for people and for ages, it orders nothing. */
static void
set_state(const md_writer_t *w, md_thread_state_t state) {
  md_store_relaxed(&thread_row(w)->state, (uint64_t)state);
}

static void
pin(int core) {
  if (core < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET((unsigned)core, &set);
  (void)pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

static void
fail(md_writer_t *w, md_err_t err) {
  char text[128];
  (void)snprintf(text, sizeof text, "sink %s cannot go on: %s", w->cfg.sink->name,
                 md_err_text(err));
  set_state(w, MD_THREAD_FAIL);
  md_store_relaxed(&thread_row(w)->last_err, (uint64_t)-err);
  if (w->cfg.env.log) w->cfg.env.log(w->cfg.env.log_ctx, "error", text);
  if (w->cfg.on_fail) w->cfg.on_fail(w->cfg.on_fail_ctx, w->cfg.sink->name, err);
}

static void *
writer_run(void *arg) {
  md_writer_t      *w       = arg;
  const md_sink_t  *sink    = w->cfg.sink;
  const md_clock_t *clock   = w->cfg.env.clock;
  md_metrics_t     *metrics = w->cfg.env.metrics;
  md_thread_row_t  *row     = thread_row(w);
  char              name[16];
  md_signal_stack();
  (void)snprintf(name, sizeof name, "w:%.12s", sink->name);
  (void)pthread_setname_np(pthread_self(), name);
  pin(w->cfg.core);
  md_store_relaxed(&row->tid, (uint64_t)gettid());
  set_state(w, MD_THREAD_RUN);
  bool    draining = false;
  int64_t cpu_ns   = 0; /* when the processor time was looked at */
  for (;;) {
    int64_t now_ns = md_clock_mono_ns(clock);
    md_store_relaxed(&row->heartbeat_mono_ns, (uint64_t)now_ns);
    int done = sink->turn(w->state, w->cfg.wait_ns);
    md_count(metrics, MD_COUNTER_LOOPS, 1);
    if (now_ns - cpu_ns >= CPU_LOOK_NS) {
      cpu_ns = now_ns;
      md_store_relaxed(&row->cpu_ns, (uint64_t)md_clock_thread_cpu_ns());
    }
    if (done > 0) md_count(metrics, MD_COUNTER_BUSY_LOOPS, 1);
    if (done < 0) {
      fail(w, done);
      return NULL;
    }
    uint64_t until =
        md_load_acquire(&w->stop_mono_ns); /* A1: feeds stopped before; pairs with R1 */
    if (until == 0) continue;
    if (!draining) set_state(w, MD_THREAD_DRAIN);
    draining = true;
    if (sink->drained(w->state, true)) {
      w->drained = true;
      break;
    }
    if (md_clock_mono_ns(clock) >= (int64_t)until) break;
  }
  set_state(w, MD_THREAD_HALT);
  return NULL;
}

/* Signals belong to the main thread: the writer inherits a mask that blocks all but its own faults.
 */
static int
create_thread(md_writer_t *w) {
  sigset_t all, old;
  sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &old);
  int rc = pthread_create(&w->thread, NULL, writer_run, w);
  (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
  return rc;
}

md_err_t
md_writer_start(const md_writer_config_t *cfg, md_writer_t **out, md_msg_t *msg) {
  md_assert(cfg->sink);
  md_assert(cfg->env.segment);
  md_writer_t *w = calloc(1, sizeof *w);
  if (!w) return md_fail(msg, MD_ERR_NOMEM, "no memory for writer %s", cfg->sink->name);
  w->cfg       = *cfg;
  md_err_t err = cfg->sink->open(&w->cfg.env, &w->state, msg);
  if (err) {
    free(w);
    return err;
  }
  int rc = create_thread(w);
  if (rc != 0) {
    cfg->sink->close(w->state);
    free(w);
    return md_fail_errno(msg, rc, "cannot start the thread of writer %s", cfg->sink->name);
  }
  *out = w;
  return MD_OK;
}

md_err_t
md_writer_stop(md_writer_t *w, int timeout_ms) {
  if (!w) return MD_OK;
  int64_t until = md_clock_mono_ns(w->cfg.env.clock) + (int64_t)timeout_ms * NS_PER_MS;
  if (until <= 0) until = 1;
  md_store_release(&w->stop_mono_ns, (uint64_t)until); /* R1: feeds stopped; pairs with A1 */
  (void)pthread_join(w->thread, NULL);
  w->cfg.sink->close(w->state);
  bool drained = w->drained;
  free(w);
  return drained ? MD_OK : MD_ERR_TIMEOUT;
}
