/* watch.c - the main thread while the engine runs: signals, the end of recordings, failed sinks,
 * stuck threads. */
#include "engine/engine_private.h"
#include "engine/notify.h"
#include "engine/reload.h"
#include "engine/stuck.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define WATCH_INTERVAL_NS 50000000

/* True once every feed has ended and all of them say exit. */
static bool
all_ended(const md_engine_t *e) {
  for (uint32_t f = 0; f < e->topology.feed_cnt; f++)
    if (e->topology.feed_cfg[f]->on_end == 0) return false;
  return md_load_relaxed(&e->feed_ended_cnt) >= e->topology.feed_cnt;
}

static void
beat(md_engine_t *e) {
  md_thread_row_t *row = &e->segment.threads[md_topology_monitor_row(&e->topology)];
  md_store_relaxed(&row->heartbeat_mono_ns, (uint64_t)md_clock_mono_ns(e->clock));
  md_store_relaxed(&row->state, MD_THREAD_RUN);
  md_store_relaxed(&row->cpu_ns, (uint64_t)md_clock_thread_cpu_ns());
}

static bool
is_stuck(md_engine_t *e, md_stuck_t *watch) {
  int64_t  limit_ns = e->cfg->monitoring.heartbeat_age;
  uint32_t row      = md_stuck_look(watch, &e->segment, md_clock_mono_ns(e->clock), limit_ns);
  if (row == MD_STUCK_NONE) return false;
  md_log(e->log, MD_LOG_ERROR, "engine",
         "thread %s is stuck: no heartbeat for %lld s; ending with status %d without it, the next "
         "start recovers what it has not written",
         e->segment.threads[row].name, (long long)(limit_ns / 1000000000), MD_EXIT_RESTART);
  return true;
}

/* What systemctl status shows. */
static void
tell_status(const md_engine_t *e, const md_notify_t *notify) {
  const md_segment_t *s     = &e->segment;
  uint64_t            valid = 0, known = 0, live = 0;
  char                line[160];
  for (uint32_t f = 0; f < s->feed_cnt; f++) {
    const md_atomic_u64 *counter = s->metrics[s->feeds[f].thread].counter;
    valid += md_load_relaxed(&counter[MD_COUNTER_BOOKS_VALID]); /* only shown */
    known += md_load_relaxed(&counter[MD_COUNTER_BOOKS_KNOWN]);
    live += md_load_relaxed(&s->feeds[f].input_state) == MD_INPUT_LIVE;
  }
  (void)snprintf(line, sizeof line, "STATUS=%llu of %u feeds, %llu of %llu books VALID",
                 (unsigned long long)live, s->feed_cnt, (unsigned long long)valid,
                 (unsigned long long)known);
  md_notify_send(notify, line);
}

static int
watch(md_engine_t *e, md_notify_t *notify) {
  sigset_t        set;
  struct timespec wait = {0, WATCH_INTERVAL_NS};
  md_stuck_t      stuck;
  md_stuck_init(&stuck, md_clock_mono_ns(e->clock));
  md_store_relaxed(&e->segment.threads[md_topology_monitor_row(&e->topology)].tid,
                   (uint64_t)gettid()); /* only shown */
  (void)sigemptyset(&set);
  (void)sigaddset(&set, SIGINT);
  (void)sigaddset(&set, SIGTERM);
  (void)sigaddset(&set, SIGHUP);
  for (;;) {
    int signal_no = sigtimedwait(&set, NULL, &wait);
    beat(e);
    md_segment_serve(&e->segment);
    int64_t now_ns = md_clock_mono_ns(e->clock);
    if (md_notify_status_due(notify, now_ns)) tell_status(e, notify);
    if (signal_no == SIGINT || signal_no == SIGTERM) {
      md_log(e->log, MD_LOG_INFO, "engine", "asked to stop; draining");
      return MD_EXIT_OK;
    }
    if (signal_no == SIGHUP) md_reload(e->log, e->cfg);
    if (is_stuck(e, &stuck)) return MD_EXIT_STUCK;
    md_notify_beat(notify, now_ns);
    if (md_load_relaxed(&e->restart_wanted)) return MD_EXIT_RESTART;
    if (md_load_relaxed(&e->sink_failed)) return MD_EXIT_FAILED;
    if (all_ended(e)) return md_load_relaxed(&e->feed_failed_cnt) ? MD_EXIT_FAILED : MD_EXIT_OK;
    if (signal_no < 0 && errno != EAGAIN && errno != EINTR) return MD_EXIT_FAILED;
  }
}

int
md_engine_run(md_engine_t *e) {
  md_notify_t notify;
  md_notify_init(&notify);
  md_notify_send(&notify, "READY=1");
  int status = watch(e, &notify);
  md_notify_send(&notify, "STOPPING=1\nSTATUS=draining");
  md_notify_fini(&notify);
  return status;
}
