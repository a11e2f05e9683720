#include "monitoring/quantile_window.h"

#include "monitoring/prometheus_parts.h"

#include <stdlib.h>
#include <string.h>

#define PPM 1000000u

/* One stage of one thread. What a bucket gets in two seconds fits into 32 bits. */
typedef struct series {
  uint32_t       thread;
  md_stage_t     stage;
  md_hist_copy_t before;
  uint32_t       added[MD_QUANTILE_STEP_CNT][MD_HIST_BUCKET_CNT];
} series_t;

struct md_quantile_windows {
  const md_segment_t *segment;
  const md_clock_t   *clock;
  series_t           *series;
  uint32_t            series_cnt;
  uint64_t            step_cnt; /* ever ended */
  int64_t             begin_ns; /* of the step that runs */
  int64_t             step_begin_ns[MD_QUANTILE_STEP_CNT], step_end_ns[MD_QUANTILE_STEP_CNT];
};

md_quantile_windows_t *
md_quantile_windows_new(const md_segment_t *s, const md_clock_t *clock) {
  md_quantile_windows_t *w = calloc(1, sizeof *w);
  if (!w) return NULL;
  uint32_t cnt = 0;
  for (uint32_t t = 0; t < s->thread_cnt; t++)
    for (unsigned stage = 0; stage < MD_STAGE_CNT; stage++)
      cnt += md_prometheus_stage_belongs(s, t, stage);
  w->series = calloc(cnt + 1, sizeof *w->series);
  if (!w->series) {
    free(w);
    return NULL;
  }
  w->segment  = s;
  w->clock    = clock;
  w->begin_ns = md_clock_mono_ns(clock);
  for (uint32_t t = 0; t < s->thread_cnt; t++)
    for (unsigned stage = 0; stage < MD_STAGE_CNT; stage++) {
      if (!md_prometheus_stage_belongs(s, t, stage)) continue;
      series_t *one = &w->series[w->series_cnt++];
      one->thread   = t;
      one->stage    = (md_stage_t)stage;
      md_hist_read(&s->metrics[t].stage[stage], &one->before);
    }
  return w;
}

void
md_quantile_windows_free(md_quantile_windows_t *w) {
  if (!w) return;
  free(w->series);
  free(w);
}

static void
end_step(series_t *one, const md_hist_t *hist, uint32_t at) {
  md_hist_copy_t now;
  md_hist_read(hist, &now);
  for (uint32_t i = 0; i < MD_HIST_BUCKET_CNT; i++) {
    uint64_t added    = now.bucket[i] - one->before.bucket[i];
    one->added[at][i] = added > UINT32_MAX ? UINT32_MAX : (uint32_t)added;
  }
  one->before = now;
}

void
md_quantile_windows_tick(md_quantile_windows_t *w) {
  int64_t  now_ns = md_clock_mono_ns(w->clock);
  uint32_t at     = (uint32_t)(w->step_cnt % MD_QUANTILE_STEP_CNT);
  if (now_ns - w->begin_ns < MD_QUANTILE_STEP_NS) return;
  for (uint32_t i = 0; i < w->series_cnt; i++) {
    series_t *one = &w->series[i];
    end_step(one, &w->segment->metrics[one->thread].stage[one->stage], at);
  }
  w->step_begin_ns[at] = w->begin_ns;
  w->step_end_ns[at]   = now_ns;
  w->begin_ns          = now_ns;
  w->step_cnt++;
}

static const series_t *
find(const md_quantile_windows_t *w, uint32_t thread, md_stage_t stage) {
  for (uint32_t i = 0; i < w->series_cnt; i++)
    if (w->series[i].thread == thread && w->series[i].stage == stage) return &w->series[i];
  return NULL;
}

/* A step that ended late is longer: half of one more is let pass, so that the window has as many
 * steps as it should. */
void
md_quantile_windows_sum(const md_quantile_windows_t *w, uint32_t thread, md_stage_t stage,
                        int64_t length_ns, md_hist_copy_t *out) {
  const series_t *one = find(w, thread, stage);
  memset(out, 0, sizeof *out);
  if (!one || w->step_cnt == 0) return;
  uint64_t first = w->step_cnt > MD_QUANTILE_STEP_CNT ? w->step_cnt - MD_QUANTILE_STEP_CNT : 0;
  int64_t  end   = w->step_end_ns[(w->step_cnt - 1) % MD_QUANTILE_STEP_CNT];
  for (uint64_t n = w->step_cnt; n-- > first;) {
    uint32_t at = (uint32_t)(n % MD_QUANTILE_STEP_CNT);
    if (end - w->step_begin_ns[at] > length_ns + MD_QUANTILE_STEP_NS / 2) break;
    for (uint32_t i = 0; i < MD_HIST_BUCKET_CNT; i++) {
      out->bucket[i] += one->added[at][i];
      out->cnt += one->added[at][i];
    }
  }
  out->max_ns = one->before.max_ns; /* since the start: only a bound */
}

int64_t
md_quantile_signed(const md_hist_copy_t *below, const md_hist_copy_t *above, uint32_t q_ppm,
                   uint64_t *cnt) {
  uint64_t total = below->cnt + above->cnt;
  *cnt           = total;
  if (total == 0) return 0;
  uint64_t rank = (total / PPM) * q_ppm + ((total % PPM) * q_ppm + PPM - 1) / PPM;
  if (rank == 0) rank = 1;
  uint64_t passed = 0;
  for (uint32_t i = MD_HIST_BUCKET_CNT; i-- > 0;) {
    passed += below->bucket[i];
    if (passed >= rank) return -(int64_t)md_hist_bucket_low(i);
  }
  for (uint32_t i = 0; i < MD_HIST_BUCKET_CNT; i++) {
    passed += above->bucket[i];
    if (passed < rank) continue;
    uint64_t high = md_hist_bucket_high(i);
    return (int64_t)(high < above->max_ns ? high : above->max_ns);
  }
  return (int64_t)above->max_ns;
}
