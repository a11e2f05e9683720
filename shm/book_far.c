/* The circle of levels that are worse than a side's window, or all of a side that has none: sorted,
 * changed in place, each word behind its entry in the log. */
#include "shm/book_depth.h"

/* Levels that are fetched at a time. */
#define FETCH_CNT 64u

static uint32_t
far_place(uint32_t cap, uint32_t base, uint32_t idx) {
  const uint32_t place = base + idx;

  return place < cap ? place : place - cap;
}

static md_level_t
far_get(const md_depth_far_t *f, uint32_t idx) {
  md_level_t level;

  md_book_words_own(&f->levels[2 * (size_t)far_place(f->cap, f->base, idx)], &level, 2);
  return level;
}

static void
far_set(md_depth_far_t *f, uint32_t idx, md_level_t level) {
  const uint32_t   place = far_place(f->cap, f->base, idx);
  const md_level_t was   = far_get(f, idx);
  const uint64_t   word  = f->place + 2 * (uint64_t)place;

  if (was.px == level.px && was.qty == level.qty) return;
  if (!f->w->is_rest) {
    if (!md_depth_log_room(f->w, 2)) return;
#if MD_MUTANT != 23
    md_depth_log_put(f->w, word, (uint64_t)was.px);
    md_depth_log_put(f->w, word + 1, (uint64_t)was.qty);
    md_depth_log_close(f->w);
#endif
    f->work += 2;
  }
  md_book_words_store(&f->levels[2 * (size_t)place], &level, 2);
}

static int64_t
far_key(const md_depth_far_t *f, uint32_t idx) {
  return md_book_key(f->side, far_get(f, idx).px);
}

md_depth_far_t
md_depth_far_open(md_depth_writer_t *w, unsigned which) {
  const md_book_depth_side_t *s     = &w->own->side[which];
  const uint64_t              group = 2 * w->own->copy + which;

  return (md_depth_far_t){.w          = w,
                          .levels     = md_depth_words(w, group) + s->ticks,
                          .place      = group << 32 | s->ticks,
                          .side       = which == 0 ? MD_SIDE_BUY : MD_SIDE_SELL,
                          .cap        = md_book_far_cap(w->cap, s->ticks),
                          .cnt        = s->far_cnt,
                          .base       = s->far_base,
                          .window_cnt = s->window_cnt,
                          .work       = w->own->work[which],
                          .floor      = w->own->floor[which]};
}

void
md_depth_far_close(const md_depth_far_t *f) {
  const unsigned        which = f->side == MD_SIDE_BUY ? 0 : 1;
  md_book_depth_side_t *s     = &f->w->own->side[which];

  s->far_cnt              = f->cnt;
  s->far_base             = f->base;
  f->w->own->work[which]  = f->work;
  f->w->own->floor[which] = f->floor;
}

/* far_find returns the first index whose key is at least key, cnt if there is none. */
static uint32_t
far_find(const md_depth_far_t *f, int64_t key) {
  uint32_t low = 0, high = f->cnt;

  while (low < high) {
    const uint32_t mid = low + (high - low) / 2;
    if (far_key(f, mid) < key) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  return low;
}

static void
far_drop_worst(md_depth_far_t *f) {
  f->base = far_place(f->cap, f->base, 1);
  f->cnt--;
}

static void
far_push_worst(md_depth_far_t *f, md_level_t level) {
  f->base = f->base == 0 ? f->cap - 1 : f->base - 1;
  f->cnt++;
  far_set(f, 0, level);
}

/* far_insert makes room at idx by moving the shorter part. */
static void
far_insert(md_depth_far_t *f, uint32_t idx, md_level_t level) {
  if (f->cnt - idx <= idx) {
    for (uint32_t i = f->cnt; i > idx; i--)
      far_set(f, i, far_get(f, i - 1));
    f->cnt++;
  } else {
    f->base = f->base == 0 ? f->cap - 1 : f->base - 1;
    f->cnt++;
    for (uint32_t i = 0; i < idx; i++)
      far_set(f, i, far_get(f, i + 1));
  }
  far_set(f, idx, level);
}

static void
far_remove(md_depth_far_t *f, uint32_t idx) {
  if (f->cnt - 1 - idx <= idx) {
    for (uint32_t i = idx; i + 1 < f->cnt; i++)
      far_set(f, i, far_get(f, i + 1));
    f->cnt--;
  } else {
    for (uint32_t i = idx; i > 0; i--)
      far_set(f, i, far_get(f, i - 1));
    far_drop_worst(f);
  }
}

void
md_depth_far_change(md_depth_far_t *f, const md_book_change_t *c) {
  const md_level_t level = {.px = c->px, .qty = c->qty};
  const int64_t    key   = md_book_key(f->side, c->px);

  if (key < f->floor) return;
  const uint32_t idx   = far_find(f, key);
  const bool     found = idx < f->cnt && far_key(f, idx) == key;
  if (c->qty == 0) {
    if (found) far_remove(f, idx);
  } else if (found) {
    far_set(f, idx, level);
  } else if (f->cnt < f->cap) {
    far_insert(f, idx, level);
  } else if (idx > 0) {
    f->floor = far_key(f, 0) + 1; /* the level that falls out is the engine's from now on */
    far_drop_worst(f);
    far_insert(f, idx - 1, level);
  } else {
    f->floor = far_key(f, 0);
  }
}

/* far_has_order says whether a level of the engine's is worse than all of the side. */
static bool
far_has_order(const md_depth_far_t *f, int64_t key) {
  const md_book_depth_side_t *s = &f->w->own->side[f->side == MD_SIDE_BUY ? 0 : 1];

  return f->cnt > 0 ? key < far_key(f, 0) : s->ticks == 0 || key < s->low;
}

bool
md_depth_far_fill(md_depth_far_t *f, const md_book_message_t *m, uint32_t want) {
  md_level_t levels[FETCH_CNT];

  while (f->window_cnt + f->cnt < want && f->cnt < f->cap) {
    const uint32_t lack = want - f->window_cnt - f->cnt, free_cnt = f->cap - f->cnt;
    uint32_t       most = lack < free_cnt ? lack : free_cnt;
    if (most > FETCH_CNT) most = FETCH_CNT;
    const md_levels_want_t part = {.first = f->window_cnt + f->cnt, .max = most};
    const uint32_t         got  = m->read(m->ctx, f->side, &part, levels);
    for (uint32_t n = 0; n < got; n++) {
      if (!far_has_order(f, md_book_key(f->side, levels[n].px))) return false;
      far_push_worst(f, levels[n]);
    }
    if (got < most) {
      f->floor = INT64_MIN; /* the side has all levels of the engine */
      return true;
    }
  }
  if (f->cnt > 0) f->floor = far_key(f, 0);
  return true;
}
