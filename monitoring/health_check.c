/* health_check.c - one function a row of health_table.h. */
#include "monitoring/health.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S 1000000000ll

static void fail(md_health_result_t *out, const char *format, ...) MD_PRINTF(2, 3);

/* The first thing that is wrong stands in the detail. */
static void
fail(md_health_result_t *out, const char *format, ...) {
  va_list args;
  if (!out->ok) return;
  out->ok = false;
  va_start(args, format);
  (void)vsnprintf(out->detail, sizeof out->detail, format, args);
  va_end(args);
}

static void note(md_health_result_t *out, const char *format, ...) MD_PRINTF(2, 3);

/* The first thing worth a word that is no fault. */
static void
note(md_health_result_t *out, const char *format, ...) {
  va_list args;
  if (!out->ok || out->detail[0]) return;
  va_start(args, format);
  (void)vsnprintf(out->detail, sizeof out->detail, format, args);
  va_end(args);
}

static bool
in_grace(const md_health_t *h) {
  return h->now_ns - h->started_ns < h->cfg.grace_ns;
}

static bool
is_recent(const md_health_t *h, const md_health_watch_t *w) {
  return w->changed_ns != 0 && h->now_ns - w->changed_ns < MD_HEALTH_RECENT_NS;
}

static bool
is_fresh(const md_health_t *h, uint32_t feed) {
  int64_t age_ns = md_health_data_age_ns(h, feed);
  return age_ns >= 0 && age_ns <= h->cfg.data_age_ns;
}

/* A recording that was played to its end brings no more, and that is no fault: its books are held.
 */
static bool
has_ended(const md_health_t *h, uint32_t feed) {
  return md_load_relaxed(&h->cfg.segment->feeds[feed].input_state) == MD_INPUT_ENDED;
}

static void
check_segment_ready(const md_health_t *h, md_health_result_t *out) {
  uint64_t state =
      md_load_relaxed(&h->cfg.segment->header->state); /* relaxed: nothing is read behind it */
  if (state == MD_SEGMENT_READY) return;
  if (state == MD_SEGMENT_STARTING && in_grace(h)) return;
  fail(out, "the segment is %s", state == MD_SEGMENT_STARTING ? "still starting" : "stopped");
}

/* A thread that has ended in order does not beat; one that never began is given the grace. */
static void
check_threads_alive(const md_health_t *h, md_health_result_t *out) {
  const md_segment_t *s = h->cfg.segment;
  for (uint32_t t = 0; t < s->thread_cnt; t++) {
    const md_thread_row_t *row    = &s->threads[t];
    uint64_t               state  = md_load_relaxed(&row->state);
    int64_t                age_ns = md_health_heartbeat_age_ns(h, t);
    if (state == MD_THREAD_HALT) continue;
    if (state == MD_THREAD_FAIL)
      fail(out, "thread %s failed", row->name);
    else if (age_ns < 0 && !in_grace(h))
      fail(out, "thread %s never ran", row->name);
    else if (age_ns > h->cfg.heartbeat_age_ns)
      fail(out, "thread %s is stuck: its last heartbeat is %lld s old", row->name,
           (long long)(age_ns / NS_PER_S));
  }
}

static void
check_any_feed_fresh(const md_health_t *h, md_health_result_t *out) {
  if (in_grace(h)) return;
  uint32_t ended_cnt = 0;
  for (uint32_t f = 0; f < h->cfg.segment->feed_cnt; f++) {
    if (is_fresh(h, f)) return;
    ended_cnt += has_ended(h, f);
  }
  if (ended_cnt > 0 && ended_cnt == h->cfg.segment->feed_cnt) {
    note(out, "every recording has ended; the books are held");
    return;
  }
  fail(out, "nothing is collected: no feed had data within %lld s",
       (long long)(h->cfg.data_age_ns / NS_PER_S));
}

static void
check_feeds_fresh(const md_health_t *h, md_health_result_t *out) {
  if (in_grace(h)) return;
  for (uint32_t f = 0; f < h->cfg.segment->feed_cnt; f++)
    if (has_ended(h, f))
      note(out, "the recording of feed %s has ended", h->cfg.segment->feeds[f].name);
    else if (!is_fresh(h, f))
      fail(out, "feed %s had no data within %lld s", h->cfg.segment->feeds[f].name,
           (long long)(h->cfg.data_age_ns / NS_PER_S));
}

static void
check_books_valid(const md_health_t *h, md_health_result_t *out) {
  if (in_grace(h)) return;
  const md_segment_t *s = h->cfg.segment;
  for (uint32_t f = 0; f < s->feed_cnt; f++) {
    const md_metrics_t *m     = &s->metrics[s->feeds[f].thread];
    uint64_t            known = md_load_relaxed(&m->counter[MD_COUNTER_BOOKS_KNOWN]);
    uint64_t            valid = md_load_relaxed(&m->counter[MD_COUNTER_BOOKS_VALID]);
    if (valid < known)
      fail(out, "feed %s: %llu of %llu books are not VALID", s->feeds[f].name,
           (unsigned long long)(known - valid), (unsigned long long)known);
  }
}

static void
check_feed_memory(const md_health_t *h, md_health_result_t *out) {
  const md_segment_t *s = h->cfg.segment;
  for (uint32_t f = 0; f < s->feed_cnt; f++) {
    const md_atomic_u64 *counter = s->metrics[s->feeds[f].thread].counter;
    if (md_load_relaxed(&counter[MD_COUNTER_MEMORY_STATE]))
      fail(out, "feed %s uses %llu MiB", s->feeds[f].name,
           (unsigned long long)md_load_relaxed(&counter[MD_COUNTER_MEMORY]) >> 20);
  }
}

static void
check_gaps(const md_health_t *h, md_health_result_t *out) {
  for (uint32_t f = 0; f < h->cfg.segment->feed_cnt; f++)
    if (is_recent(h, &h->gaps[f]))
      fail(out, "feed %s declared a gap %lld s ago, %llu since the start",
           h->cfg.segment->feeds[f].name,
           (long long)((h->now_ns - h->gaps[f].changed_ns) / NS_PER_S),
           (unsigned long long)h->gaps[f].value);
}

static uint32_t
ring_cnt(const md_health_t *h) {
  return h->cfg.segment->rings_header ? h->cfg.segment->rings_header->ring_cnt : 0;
}

static void
check_ring_loss(const md_health_t *h, md_health_result_t *out) {
  for (uint32_t i = 0; i < ring_cnt(h); i++)
    if (is_recent(h, &h->lost[i]))
      fail(out, "ring %s was full: %llu records lost since the start",
           md_segment_ring(h->cfg.segment, i)->name, (unsigned long long)h->lost[i].value);
}

static void
check_conservation(const md_health_t *h, md_health_result_t *out) {
  for (uint32_t i = 0; i < ring_cnt(h); i++) {
    const md_ring_t *ring = md_segment_ring(h->cfg.segment, i);
    md_ring_stat_t   stat;
    if (md_ring_stat(ring, &stat)) continue; /* it changed all the time: the next look tells */
    if (stat.offered_cnt != stat.published_cnt + stat.lost_cnt ||
        stat.consumed_cnt > stat.published_cnt)
      fail(out, "ring %s: offered %llu, published %llu, lost %llu, consumed %llu", ring->name,
           (unsigned long long)stat.offered_cnt, (unsigned long long)stat.published_cnt,
           (unsigned long long)stat.lost_cnt, (unsigned long long)stat.consumed_cnt);
  }
}

static void
check_sink_errors(const md_health_t *h, md_health_result_t *out) {
  for (uint32_t t = 0; t < h->cfg.segment->thread_cnt; t++)
    if (is_recent(h, &h->errors[t]))
      fail(out, "thread %s: %llu failures since the start", h->cfg.segment->threads[t].name,
           (unsigned long long)h->errors[t].value);
}

static void
check_journal_durable(const md_health_t *h, md_health_result_t *out) {
  for (uint32_t i = 0; i < h->cfg.segment->stream_cnt; i++) {
    const md_health_watch_t *w = &h->durable[i];
    if (w->changed_ns != 0 && h->now_ns - w->changed_ns > MD_HEALTH_DURABLE_NS)
      fail(out, "stream %s: nothing became durable for %lld s", h->cfg.segment->streams[i].name,
           (long long)((h->now_ns - w->changed_ns) / NS_PER_S));
  }
}

static void
check_journal_space(const md_health_t *h, md_health_result_t *out) {
  const md_segment_t *s = h->cfg.segment;
  for (uint32_t t = 0; t < s->thread_cnt; t++) {
    uint64_t state = md_load_relaxed(&s->metrics[t].counter[MD_COUNTER_JOURNAL_STATE]);
    if (state)
      fail(out, "thread %s: %s", s->threads[t].name,
           state == 1 ? "less than journal.min_free is free, it uses up what it has"
                      : "no space: it waits, and its rings lose records when they are full");
  }
}

static void
check_database_live(const md_health_t *h, md_health_result_t *out) {
  const md_segment_t *s = h->cfg.segment;
  if (in_grace(h)) return;
  for (uint32_t t = 0; t < s->thread_cnt; t++) {
    const md_atomic_u64 *counter = s->metrics[t].counter;
    if (md_load_relaxed(&counter[MD_COUNTER_SINK_CATCHUP]))
      fail(out, "thread %s reads the journal, %llu records behind", s->threads[t].name,
           (unsigned long long)md_load_relaxed(&counter[MD_COUNTER_SINK_LAG]));
  }
}

typedef void (*check_fn)(const md_health_t *h, md_health_result_t *out);

static const check_fn checks[MD_HEALTH_RULE_CNT] = {
#define CHECK_ROW(rule, severity, doc) [MD_HEALTH_##rule] = check_##rule,
    MD_HEALTH_TABLE(CHECK_ROW)
#undef CHECK_ROW
};

void
md_health_check(const md_health_t *h, md_health_rule_t rule, md_health_result_t *out) {
  *out = (md_health_result_t){.ok = true, .detail = ""};
  checks[rule](h, out);
}

md_health_status_t
md_health_status(const md_health_t *h) {
  md_health_status_t status = MD_HEALTHY;
  for (unsigned i = 0; i < MD_HEALTH_RULE_CNT; i++) {
    md_health_result_t result;
    md_health_check(h, (md_health_rule_t)i, &result);
    if (result.ok) continue;
    if (md_health_info[i].severity == MD_HEALTH_critical) return MD_UNHEALTHY;
    status = MD_DEGRADED;
  }
  return status;
}

bool
md_health_live(const md_health_t *h) {
  md_health_result_t result;
  md_health_check(h, MD_HEALTH_threads_alive, &result);
  return result.ok;
}

bool
md_health_ready(const md_health_t *h) {
  if (md_load_relaxed(&h->cfg.segment->header->state) != MD_SEGMENT_READY) return false;
  for (uint32_t f = 0; f < h->cfg.segment->feed_cnt; f++)
    if (is_fresh(h, f) || has_ended(h, f)) return true;
  return false;
}
