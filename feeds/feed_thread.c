#include "feeds/feed_thread.h"

#include "shm/signal_stack.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define HEARTBEAT_NS 1000000ll
#define LOOK_NS      100000000ll /* at memory and processor time */
#define PAUSE_NS     200000ll    /* longest sleep: a command or a stop waits no longer */
#define WAIT_NS      1000000ll   /* the same for a source that wakes us itself */
#define SLACK_NS     1000ul      /* the kernel's default of 50 us would be added to each sleep */

struct md_feed_thread {
  md_feed_thread_config_t cfg;
  pthread_t               thread;
  md_atomic_u64           stop; /* relaxed: joining orders everything else */

  /* Rows of the segment; spare ones when there is none. */
  md_thread_row_t   *row, spare_row;
  md_feed_row_t     *feed_row, spare_feed_row;
  md_metrics_t      *metrics;
  md_command_slot_t *command;

  bool              ended;
  int64_t           due_mono_ns; /* next input, 0 unknown */
  int64_t           beat_mono_ns, look_mono_ns;
  md_memory_limit_t memory;
  uint64_t          checkpoint_answered;
};

/* What a turn did, which says how to wait after it. */
typedef enum turn { TURN_BUSY, TURN_IDLE, TURN_HELD, TURN_ENDED } turn_t;

/* A recording at full speed waits at its source until the journal took half of its ring. The other
 * sinks are not waited for: they can read the journal, and a database may be down for hours. */
static bool
is_held_back(md_feed_thread_t *t) {
  md_out_t *out = md_feed_out(t->cfg.feed);
  if (!t->cfg.hold_back || out->ring_cnt == 0) return false;
  md_ring_producer_t *p = &out->ring[0].producer;
  return md_ring_free_bytes(p) < p->ring->capacity_bytes / 2;
}

static void
source_ended(md_feed_thread_t *t, md_err_t err, const md_msg_t *msg) {
  t->ended = true;
  md_store_relaxed(&t->feed_row->input_state, err == MD_ERR_END ? MD_INPUT_ENDED : MD_INPUT_FAILED);
  if (err != MD_ERR_END) {
    md_store_relaxed(&t->row->last_err, (uint64_t)-err);
    if (t->cfg.segment) {
      md_errlog_add(t->cfg.segment->errlog, err, t->cfg.thread_row, md_clock_real_ns(t->cfg.clock),
                    msg->text);
    }
  }
}

static void
tell_connected(md_feed_thread_t *t) {
  const md_source_t *source = &t->cfg.source;
  if (t->ended) return;
  md_store_relaxed(&t->feed_row->input_state, !source->connected || source->connected(source->ctx)
                                                  ? MD_INPUT_LIVE
                                                  : MD_INPUT_CONNECTING);
}

/* Answers of REST alone make nothing live. */
static void
take_input(md_feed_thread_t *t, const md_input_t *in) {
  bool is_live = md_load_relaxed(&t->feed_row->input_state) == MD_INPUT_LIVE;
  if (!is_live || in->kind == MD_RAW_CLOSE) tell_connected(t);
  if (in->kind == MD_RAW_CONNECT) md_bump(&t->feed_row->connect_cnt, 1);
  md_feed_input(t->cfg.feed, in);
}

/* One batch of inputs, then their publication. */
static turn_t
run_batch(md_feed_thread_t *t) {
  md_msg_t msg  = {0};
  md_err_t err  = MD_OK;
  uint32_t cnt  = 0;
  bool     held = false;

  if (t->ended) return TURN_ENDED;
  t->due_mono_ns = 0;
  while (cnt < MD_BURST_MAX && err == MD_OK) {
    md_input_t in;
    held = is_held_back(t);
    if (held) break;
    err = t->cfg.source.next(t->cfg.source.ctx, &in, &t->due_mono_ns, &msg);
    if (err == MD_OK) {
      md_feed_look_ahead(t->cfg.feed, &t->cfg.source);
      take_input(t, &in);
      cnt++;
    }
  }
  md_feed_publish(t->cfg.feed);
  if (err != MD_OK && err != MD_ERR_EMPTY) {
    source_ended(t, err, &msg);
    if (t->cfg.on_end) t->cfg.on_end(t->cfg.on_end_ctx, t->cfg.feed_index, err, &msg);
  }
  if (cnt > 0) return TURN_BUSY;
  return held ? TURN_HELD : TURN_IDLE;
}

/* ---- housekeeping, between two batches ---- */

static void
answer_checkpoint(md_feed_thread_t *t) {
  md_out_t *out = md_feed_out(t->cfg.feed);
  if (out->ring_cnt == 0 || !out->ring[0].wants_checkpoint) return;

  /* relaxed: the number orders nothing, the records that answer it go through the ring */
  uint64_t request = md_load_relaxed(&out->ring[0].producer.ring->checkpoint_request);
  if (request == t->checkpoint_answered) return;
  if (md_feed_checkpoint(t->cfg.feed, request)) return; /* no room: the next turn tries again */
  t->checkpoint_answered = request;
  md_feed_publish(t->cfg.feed);
}

static void
answer_command(md_feed_thread_t *t) {
  uint32_t instrument = 0;
  if (!t->command) return;
  md_command_kind_t kind = md_command_poll(t->command, &instrument);
  if (kind == MD_COMMAND_NONE) return;

  md_command_answer_t answer = {.err = MD_ERR_UNKNOWN};
  if (kind == MD_COMMAND_DIGEST && md_feed_digest(t->cfg.feed, instrument, &answer) == MD_OK) {
    answer.err = MD_OK;
  }
  md_command_reply(t->command, &answer);
}

static uint64_t
memory_of(const md_feed_thread_t *t) {
  const md_source_t *source = &t->cfg.source;
  bool               asks   = source->memory && !t->ended;
  return md_feed_memory(t->cfg.feed) + (asks ? source->memory(source->ctx) : 0);
}

static void
look(md_feed_thread_t *t, int64_t now) {
  const md_source_t *source = &t->cfg.source;
  if (now - t->look_mono_ns < LOOK_NS) return;
  t->look_mono_ns = now;
  if (source->connected) tell_connected(t);
  md_store_relaxed(&t->row->cpu_ns, (uint64_t)md_clock_thread_cpu_ns());
  uint64_t bytes = memory_of(t);
  if (md_memory_limit_state(&t->memory, bytes) > 0) {
    md_feed_shed(t->cfg.feed); /* before anybody is told */
    bytes = memory_of(t);
  }
  md_memory_act_t act = md_memory_limit_look(&t->memory, now, bytes);
  md_gauge(t->metrics, MD_COUNTER_MEMORY, bytes);
  md_gauge(t->metrics, MD_COUNTER_MEMORY_STATE, md_memory_limit_state(&t->memory, bytes));
  if (act == MD_MEMORY_RECONNECT) md_count(t->metrics, MD_COUNTER_MEMORY_RECONNECTS, 1);
  if (act != MD_MEMORY_NOTHING && t->cfg.on_memory)
    t->cfg.on_memory(t->cfg.on_memory_ctx, t->cfg.feed_index, act, bytes);
}

static void
beat(md_feed_thread_t *t) {
  int64_t now = md_clock_mono_ns(t->cfg.clock);
  if (now - t->beat_mono_ns < HEARTBEAT_NS) return;
  t->beat_mono_ns = now;
  md_store_relaxed(&t->row->heartbeat_mono_ns, (uint64_t)now);
  look(t, now);
}

/* ---- waiting ---- */

static void
pause_ns(int64_t ns) {
  if (ns <= 0) return;
  struct timespec ts = {.tv_sec = 0, .tv_nsec = ns < PAUSE_NS ? ns : PAUSE_NS};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

static void
wait_after(md_feed_thread_t *t, turn_t turn) {
  if (turn == TURN_BUSY) return;
  if (turn != TURN_IDLE) {
    /* Nothing is late here, whatever the policy: the journal needs the core more. */
    pause_ns(PAUSE_NS);
    return;
  }
  switch (t->cfg.idle) {
  case MD_IDLE_SPIN:
    break;
  case MD_IDLE_YIELD:
    sched_yield();
    break;
  case MD_IDLE_WAIT:
    if (t->cfg.source.wait && !t->ended) {
      t->cfg.source.wait(t->cfg.source.ctx, WAIT_NS);
      break;
    }
    pause_ns(t->due_mono_ns ? t->due_mono_ns - md_clock_mono_ns(t->cfg.clock) : PAUSE_NS);
    break;
  }
}

static void *
run(void *arg) {
  md_feed_thread_t *t = arg;
  md_signal_stack();
  prctl(PR_SET_TIMERSLACK, SLACK_NS, 0, 0, 0);
  md_store_relaxed(&t->row->tid, (uint64_t)gettid());
  md_store_relaxed(&t->row->state, MD_THREAD_RUN);

  while (!md_load_relaxed(&t->stop)) {
    turn_t turn = run_batch(t);
    beat(t);
    answer_checkpoint(t);
    answer_command(t);
    md_count(t->metrics, MD_COUNTER_LOOPS, 1);
    if (turn == TURN_BUSY) md_count(t->metrics, MD_COUNTER_BUSY_LOOPS, 1);
    wait_after(t, turn);
  }

  md_store_relaxed(&t->row->state, MD_THREAD_DRAIN);
  md_feed_publish(t->cfg.feed);
  md_store_relaxed(&t->row->state, MD_THREAD_HALT);
  return NULL;
}

/* ---- start and stop ---- */

static void
set_rows(md_feed_thread_t *t) {
  md_segment_t *s = t->cfg.segment;
  t->row          = s ? &s->threads[t->cfg.thread_row] : &t->spare_row;
  t->feed_row     = s ? &s->feeds[t->cfg.feed_index] : &t->spare_feed_row;
  t->metrics      = s ? &s->metrics[t->cfg.thread_row] : NULL;
  t->command      = s ? md_segment_command(s, t->cfg.feed_index) : NULL;
}

/* Pinned from its first instruction on, so that what it touches first is near its core. */
static int
create(md_feed_thread_t *t) {
  pthread_attr_t attr;
  int            rc = pthread_attr_init(&attr);
  if (rc) return rc;
  if (t->cfg.core >= 0) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET((unsigned)t->cfg.core, &cores);
    rc = pthread_attr_setaffinity_np(&attr, sizeof cores, &cores);
  }
  if (rc == 0) rc = pthread_create(&t->thread, &attr, run, t);
  pthread_attr_destroy(&attr);
  return rc;
}

md_err_t
md_feed_thread_start(const md_feed_thread_config_t *cfg, md_feed_thread_t **out, md_msg_t *msg) {
  md_assert(cfg->feed != NULL);
  md_assert(cfg->source.next != NULL);

  void *memory = NULL;
  if (posix_memalign(&memory, MD_CACHE_BLOCK, sizeof(md_feed_thread_t))) {
    return md_fail(msg, MD_ERR_NOMEM, "out of memory for a feed thread");
  }
  md_feed_thread_t *t = memory;
  memset(t, 0, sizeof *t);
  t->cfg    = *cfg;
  t->memory = (md_memory_limit_t){.soft_bytes = cfg->memory_soft_bytes,
                                  .hard_bytes = cfg->memory_hard_bytes};
  set_rows(t);
  md_store_relaxed(&t->feed_row->input_state, MD_INPUT_CONNECTING);

  int rc = cfg->core >= CPU_SETSIZE ? EINVAL : create(t);
  if (rc) {
    free(t);
    if (rc == EINVAL && cfg->core >= 0) {
      return md_fail(msg, MD_ERR_CONFIG, "feed thread: core %d is not there for us: choose another",
                     cfg->core);
    }
    return md_fail_errno(msg, rc, "feed thread: it cannot be started");
  }
  char name[16]; /* the kernel's limit */
  snprintf(name, sizeof name, "feed %u", (unsigned)cfg->feed_index);
  pthread_setname_np(t->thread, name);
  *out = t;
  return MD_OK;
}

void
md_feed_thread_stop(md_feed_thread_t *t) {
  if (!t) return;
  md_store_relaxed(&t->stop, 1);
  int rc = pthread_join(t->thread, NULL);
  md_assert(rc == 0);
  if (t->cfg.source.close) t->cfg.source.close(t->cfg.source.ctx);
  free(t);
}
