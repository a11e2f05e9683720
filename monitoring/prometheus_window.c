/* prometheus_window.c - quantiles of the last seconds in /metrics. */
#include "monitoring/prometheus_parts.h"

#include <inttypes.h>

static const struct {
  int64_t     length_ns;
  const char *name;
} windows[] = {{10000000000ll, "10s"}, {60000000000ll, "60s"}};

static const struct {
  uint32_t    ppm;
  const char *name;
} quantiles[] = {{500000, "0.5"}, {990000, "0.99"}, {999000, "0.999"}};

static void
add_labels(const md_segment_t *s, uint32_t thread, unsigned stage, size_t window, md_text_t *t) {
  md_prometheus_thread_labels(s, thread, t);
  md_text_add(t, ",stage=\"%s\",window=\"%s\"", md_stage_name[stage], windows[window].name);
}

static void
add_stage(const md_segment_t *s, uint32_t thread, unsigned stage, size_t window,
          const md_hist_copy_t *h, md_text_t *t) {
  for (size_t q = 0; q < MD_CNT(quantiles); q++) {
    md_text_add(t, "%s{", md_family_info[MD_FAMILY_STAGE_WINDOW].name);
    add_labels(s, thread, stage, window, t);
    md_text_add(t, ",q=\"%s\"} ", quantiles[q].name);
    md_text_add_seconds(t, md_hist_quantile(h, quantiles[q].ppm));
    md_text_add(t, "\n");
  }
}

static void
add_stages(const md_segment_t *s, const md_quantile_windows_t *w, bool counts, md_text_t *t) {
  md_hist_copy_t h;
  const char    *name =
      md_prometheus_family(t, counts ? MD_FAMILY_STAGE_WINDOW_CNT : MD_FAMILY_STAGE_WINDOW);
  for (uint32_t i = 0; i < s->thread_cnt; i++)
    for (unsigned stage = 0; stage < MD_STAGE_CNT; stage++)
      for (size_t n = 0; n < MD_CNT(windows); n++) {
        if (!md_prometheus_stage_belongs(s, i, stage)) continue;
        md_quantile_windows_sum(w, i, (md_stage_t)stage, windows[n].length_ns, &h);
        if (!counts) {
          if (h.cnt > 0) add_stage(s, i, stage, n, &h, t);
          continue;
        }
        md_text_add(t, "%s{", name);
        add_labels(s, i, stage, n, t);
        md_text_add(t, "} %" PRIu64 "\n", h.cnt);
      }
}

/* Those below zero are in a histogram of their own, by their size. */
static void
add_offsets(const md_segment_t *s, const md_quantile_windows_t *w, md_text_t *t) {
  md_hist_copy_t below, above;
  const char    *name = md_prometheus_family(t, MD_FAMILY_OFFSET);
  for (uint32_t f = 0; f < s->feed_cnt; f++)
    for (size_t n = 0; n < MD_CNT(windows); n++) {
      uint64_t cnt = 0;
      md_quantile_windows_sum(w, s->feeds[f].thread, MD_STAGE_AHEAD, windows[n].length_ns, &below);
      md_quantile_windows_sum(w, s->feeds[f].thread, MD_STAGE_EXCHANGE, windows[n].length_ns,
                              &above);
      for (size_t q = 0; q < MD_CNT(quantiles); q++) {
        int64_t ns = md_quantile_signed(&below, &above, quantiles[q].ppm, &cnt);
        if (cnt == 0) continue;
        md_text_add(t, "%s{", name);
        md_prometheus_label(t, true, "feed", s->feeds[f].name);
        md_text_add(t, ",window=\"%s\",q=\"%s\"} %s", windows[n].name, quantiles[q].name,
                    ns < 0 ? "-" : "");
        md_text_add_seconds(t, (uint64_t)(ns < 0 ? -ns : ns));
        md_text_add(t, "\n");
      }
    }
}

void
md_prometheus_windows(const md_segment_t *s, const md_quantile_windows_t *w, md_text_t *t) {
  add_stages(s, w, false, t);
  add_stages(s, w, true, t);
  add_offsets(s, w, t);
}
