#include "engine/stuck.h"

#include <string.h>

#define STEP_MAX_NS 1000000000

void
md_stuck_init(md_stuck_t *w, int64_t now_ns) {
  memset(w, 0, sizeof *w);
  w->looked_ns = now_ns;
}

static bool
is_counted(const md_thread_row_t *row) {
  uint64_t state = md_load_relaxed(&row->state); /* relaxed: only compared */
  return state != MD_THREAD_HALT && state != MD_THREAD_FAIL;
}

uint32_t
md_stuck_look(md_stuck_t *w, const md_segment_t *s, int64_t now_ns, int64_t limit_ns) {
  int64_t  step_ns = now_ns - w->looked_ns;
  uint32_t found   = MD_STUCK_NONE;
  if (step_ns > STEP_MAX_NS) step_ns = STEP_MAX_NS;
  w->looked_ns = now_ns;
  for (uint32_t t = 0; t < s->thread_cnt && t < MD_THREAD_CNT_MAX; t++) {
    uint64_t beat = md_load_relaxed(&s->threads[t].heartbeat_mono_ns);
    w->still_ns[t] =
        beat == w->beat[t] && is_counted(&s->threads[t]) ? w->still_ns[t] + step_ns : 0;
    w->beat[t] = beat;
    if (found == MD_STUCK_NONE && w->still_ns[t] > limit_ns) found = t;
  }
  return found;
}
