#include "writers/pg_lag.h"

#define TELL_NS   INT64_C(250000000)
#define WINDOW_NS INT64_C(2000000000)
#define SECOND_NS INT64_C(1000000000)

void
md_pg_lag_begin(md_pg_lag_t *l, int64_t mono_ns, int64_t real_ns) {
  *l = (md_pg_lag_t){
      .stored_pub_ns = real_ns, .window_mono_ns = mono_ns, .told_mono_ns = mono_ns - TELL_NS};
}

void
md_pg_lag_stored(md_pg_lag_t *l, uint32_t record_cnt, int64_t pub_ns) {
  l->stored_cnt += record_cnt;
  if (pub_ns > 0) l->stored_pub_ns = pub_ns;
}

/* The rate counts records of the journal, the time to go counts how the age shrinks: that takes in
 * what is published meanwhile, and epochs of which nobody knows the number of records. */
static void
tell_rate(md_pg_lag_t *l, md_metrics_t *metrics, int64_t lag_ns, bool is_live, int64_t mono_ns) {
  const int64_t  took_ns = mono_ns - l->window_mono_ns;
  const uint64_t cnt     = l->stored_cnt - l->window_cnt;
  if (is_live) {
    md_gauge(metrics, MD_COUNTER_SINK_CATCHUP_RATE, 0);
    md_gauge(metrics, MD_COUNTER_SINK_CATCHUP_ETA, 0);
  } else if (took_ns >= WINDOW_NS) {
    const int64_t took_ms = took_ns / 1000000, nearer_ns = l->window_lag_ns - lag_ns;
    md_gauge(metrics, MD_COUNTER_SINK_CATCHUP_RATE, cnt * 1000 / (uint64_t)took_ms);
    uint64_t eta = MD_PG_ETA_NEVER;
    if (nearer_ns > 0) eta = (uint64_t)((lag_ns / 1000000) * took_ms / (nearer_ns / 1000 + 1));
    md_gauge(metrics, MD_COUNTER_SINK_CATCHUP_ETA, eta < MD_PG_ETA_NEVER ? eta : MD_PG_ETA_NEVER);
  } else {
    return;
  }
  l->window_mono_ns = mono_ns;
  l->window_lag_ns  = lag_ns;
  l->window_cnt     = l->stored_cnt;
}

void
md_pg_lag_tell(md_pg_lag_t *l, md_metrics_t *metrics, uint64_t record_cnt, bool is_live,
               int64_t mono_ns, int64_t real_ns) {
  l->was_live = l->was_live || is_live;
  if (mono_ns - l->told_mono_ns < TELL_NS) return;
  l->told_mono_ns = mono_ns;
  int64_t lag_ns  = real_ns - l->stored_pub_ns;
  if (lag_ns < 0 || (record_cnt == 0 && l->was_live)) lag_ns = 0;
  md_gauge(metrics, MD_COUNTER_SINK_LAG, record_cnt);
  md_gauge(metrics, MD_COUNTER_SINK_LAG_SECONDS, (uint64_t)(lag_ns / SECOND_NS));
  tell_rate(l, metrics, lag_ns, is_live, mono_ns);
}
