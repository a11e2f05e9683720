/* Depth: one copy that is changed in place, a log of what it held before, and a second copy for
 * messages that rewrite everything. */
#include "shm/book_layout.h"

/* Levels that are fetched at a time, behind the worst one or for all of a side. */
#define FETCH_CNT 64u

/* One message at work. */
typedef struct depth_writer {
  md_book_t     *book;
  md_atomic_u64 *log;
  uint64_t       log_cnt, pos, floor; /* entries: of the log, written so far, still whole */
  uint64_t       end;                 /* a message may write up to here */
  bool           is_over; /* it needed more: it is written to the copy at rest instead */
} depth_writer_t;

/* One side of one copy while the writer works on it. Index 0 is the worst level, cnt - 1 the best.
 */
typedef struct depth_side {
  depth_writer_t *log; /* NULL: of the copy at rest, which nobody reads */
  md_atomic_u64  *levels;
  uint64_t        group;
  md_side_t       side;
  uint32_t        cap, cnt, base;
  int64_t         floor; /* levels below this key are not followed: the engine's book has them */
} depth_side_t;

static uint32_t
depth_place(uint32_t cap, uint32_t base, uint32_t idx) {
  const uint32_t place = base + idx;

  return place < cap ? place : place - cap;
}

static md_level_t
depth_get(const depth_side_t *s, uint32_t idx) {
  md_level_t level;

  md_book_words_own(&s->levels[2 * (size_t)depth_place(s->cap, s->base, idx)], &level, 2);
  return level;
}

/* depth_floor_to says from which entry on the log, or the copy at rest, will be what readers need:
 * stored before what it gives up is overwritten, and seen by who sees any of that (R1, A1). */
static void
depth_floor_to(depth_writer_t *w, uint64_t floor) {
  w->floor = floor;
  md_store_relaxed(&w->book->depth_floor, floor); /* ordered before the words by their R1 */
}

/* depth_log notes what stands in a place, before it is changed. */
static void
depth_log(depth_writer_t *w, uint64_t place, md_level_t was) {
  const uint64_t entry[MD_BOOK_ENTRY_WORDS] = {place, (uint64_t)was.px, (uint64_t)was.qty};

  /* An eighth of the log at a time: the word is seldom written. */
  if (w->pos - w->floor >= w->log_cnt) depth_floor_to(w, w->pos - w->log_cnt + w->log_cnt / 8);
  md_book_words_store(&w->log[w->pos % w->log_cnt * MD_BOOK_ENTRY_WORDS], entry,
                      MD_BOOK_ENTRY_WORDS);
  w->pos++;
  md_store_release(&w->book->depth_logged, w->pos); /* R6: the entry is whole; pairs with A6 */
}

static void
depth_set(depth_side_t *s, uint32_t idx, md_level_t level) {
  const uint32_t   place = depth_place(s->cap, s->base, idx);
  const md_level_t was   = depth_get(s, idx);

  if (was.px == level.px && was.qty == level.qty) return;
  if (s->log != NULL) {
    if (MD_UNLIKELY(s->log->pos >= s->log->end)) s->log->is_over = true;
    if (MD_UNLIKELY(s->log->is_over)) return;
#if MD_MUTANT != 23
    depth_log(s->log, s->group << 32 | place, was);
#endif
  }
  md_book_words_store(&s->levels[2 * (size_t)place], &level, 2);
}

static int64_t
depth_key(const depth_side_t *s, uint32_t idx) {
  return md_book_key(s->side, depth_get(s, idx).px);
}

/* depth_open_side takes the window of a side from a state. A full window has a floor at its worst
 * level: what the engine knows below is fetched when a place gets free, not followed. */
static depth_side_t
depth_open_side(md_book_t *b, const md_book_depth_state_t *state, md_side_t side) {
  const uint32_t which = side == MD_SIDE_BUY ? 0 : 1;
  const uint64_t word  = state->side[which];
  depth_side_t   s     = {.side = side, .cap = b->depth_levels, .floor = INT64_MIN};

  s.group  = 2 * state->copy + which;
  s.levels = md_book_words_at(b, md_book_levels_off(s.cap, s.group));
  s.cnt    = (uint32_t)word;
  s.base   = (uint32_t)(word >> 32);
  if (s.cnt != 0 && s.cnt == s.cap) s.floor = depth_key(&s, 0);
  return s;
}

static void
depth_close_side(const depth_side_t *s, md_book_depth_state_t *state) {
  state->side[s->side == MD_SIDE_BUY ? 0 : 1] = (uint64_t)s->base << 32 | s->cnt;
}

/* depth_find returns the first index whose key is at least key, cnt if there is none. */
static uint32_t
depth_find(const depth_side_t *s, int64_t key) {
  uint32_t low = 0, high = s->cnt;

  while (low < high) {
    const uint32_t mid = low + (high - low) / 2;
    if (depth_key(s, mid) < key) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  return low;
}

static void
depth_drop_worst(depth_side_t *s) {
  s->base = depth_place(s->cap, s->base, 1);
  s->cnt--;
}

static void
depth_push_worst(depth_side_t *s, md_level_t level) {
  s->base = s->base == 0 ? s->cap - 1 : s->base - 1;
  s->cnt++;
  depth_set(s, 0, level);
}

/* depth_insert makes room at idx by moving the shorter part of the side. */
static void
depth_insert(depth_side_t *s, uint32_t idx, md_level_t level) {
  if (s->cnt - idx <= idx) {
    for (uint32_t i = s->cnt; i > idx; i--)
      depth_set(s, i, depth_get(s, i - 1));
    s->cnt++;
  } else {
    s->base = s->base == 0 ? s->cap - 1 : s->base - 1;
    s->cnt++;
    for (uint32_t i = 0; i < idx; i++)
      depth_set(s, i, depth_get(s, i + 1));
  }
  depth_set(s, idx, level);
}

static void
depth_remove(depth_side_t *s, uint32_t idx) {
  if (s->cnt - 1 - idx <= idx) {
    for (uint32_t i = idx; i + 1 < s->cnt; i++)
      depth_set(s, i, depth_get(s, i + 1));
    s->cnt--;
  } else {
    for (uint32_t i = idx; i > 0; i--)
      depth_set(s, i, depth_get(s, i - 1));
    depth_drop_worst(s);
  }
}

static void
depth_change(depth_side_t *s, const md_book_change_t *c) {
  const md_level_t level = {.px = c->px, .qty = c->qty};
  const int64_t    key   = md_book_key(s->side, c->px);
  uint32_t         idx;
  bool             found;

  if (key < s->floor) return;
  idx   = depth_find(s, key);
  found = idx < s->cnt && depth_key(s, idx) == key;
  if (c->qty == 0) {
    if (found) depth_remove(s, idx);
  } else if (found) {
    depth_set(s, idx, level);
  } else if (s->cnt < s->cap) {
    depth_insert(s, idx, level);
  } else if (idx > 0) {
    s->floor = depth_key(s, 0) + 1; /* the level that falls out is the engine's from now on */
    depth_drop_worst(s);
    depth_insert(s, idx - 1, level);
  } else {
    s->floor = depth_key(s, 0);
  }
}

/* depth_fetch appends engine's levels behind the worst one until the window or the engine's book is
 * full out. false when the engine's next level is not worse: then the window is not what the engine
 * has. */
static bool
depth_fetch(depth_side_t *s, const md_book_message_t *m) {
  md_level_t levels[FETCH_CNT];

  while (s->cnt < s->cap) {
    const uint32_t         most = s->cap - s->cnt < FETCH_CNT ? s->cap - s->cnt : FETCH_CNT;
    const md_levels_want_t want = {.first = s->cnt, .min = most, .max = most};
    const uint32_t         got  = m->read(m->ctx, s->side, &want, levels);
    for (uint32_t n = 0; n < got; n++) {
      if (s->cnt > 0 && md_book_key(s->side, levels[n].px) >= depth_key(s, 0)) return false;
      depth_push_worst(s, levels[n]);
    }
    if (got < most) break;
  }
  return true;
}

static void
depth_rewrite(depth_side_t *s, const md_book_message_t *m) {
  s->cnt  = 0;
  s->base = 0;
  /* An engine's book that is not sorted ends the side early; it never makes the window unsorted. */
  (void)depth_fetch(s, m);
}

/* What a message does to a side. */
typedef struct depth_plan {
  const md_book_best_t *best;
  uint32_t              renew_cnt; /* so many of best are written in place of all that is there */
  int64_t               renew_key; /* from this key on; nothing when renew_cnt is 0 and has_worse */
  bool                  has_worse; /* changes that are worse than these: one by one */
} depth_plan_t;

/* depth_at_least counts the changes of a side that are at least as good as key. */
static uint32_t
depth_at_least(const md_book_message_t *m, md_side_t side, int64_t key) {
  uint32_t cnt = 0;

  for (uint32_t i = 0; i < m->change_cnt; i++)
    cnt += m->changes[i].side == side && md_book_key(side, m->changes[i].px) >= key;
  return cnt;
}

/* depth_decide takes as many of the best levels as all changes reach down to, or, when that is far,
 * so many that each change among them makes up for MD_BOOK_BEST_EACH. */
static void
depth_decide(depth_plan_t *p, const md_book_message_t *m, const md_book_best_t *best) {
  uint32_t cnt = best->cnt;

  p->best = best;
  while (cnt > 0 && md_book_key(best->side, best->levels[cnt - 1].px) < best->lowest)
    cnt--;
  p->renew_key = best->lowest;
  p->has_worse = cnt == best->max; /* else there is no level between the last one and the change */
  for (; p->has_worse && cnt > 0; cnt /= 2) {
    p->renew_key = md_book_key(best->side, best->levels[cnt - 1].px);
    if (cnt <= MD_BOOK_BEST_EACH * depth_at_least(m, best->side, p->renew_key)) break;
  }
  p->renew_cnt = cnt;
}

/* depth_find_near is depth_find for a key that is probably near idx. */
static uint32_t
depth_find_near(const depth_side_t *s, int64_t key, uint32_t idx) {
  while (idx > 0 && depth_key(s, idx - 1) >= key)
    idx--;
  while (idx < s->cnt && depth_key(s, idx) < key)
    idx++;
  return idx;
}

/* depth_renew puts the plan's best levels in place of all from its key on. */
static void
depth_renew(depth_side_t *s, const depth_plan_t *p) {
  const uint32_t cnt   = p->renew_cnt < s->cap ? p->renew_cnt : s->cap;
  const uint32_t worse = depth_find_near(s, p->renew_key, s->cnt > cnt ? s->cnt - cnt : 0);

  s->cnt = worse;
  while (s->cnt + cnt > s->cap)
    depth_drop_worst(s);
  s->cnt += cnt;
  for (uint32_t n = 0; n < cnt; n++)
    depth_set(s, s->cnt - 1 - n, p->best->levels[n]);
}

static void
depth_apply_side(depth_writer_t *w, md_book_depth_state_t *state, const md_book_message_t *m,
                 const md_book_best_t *best) {
  depth_side_t s = depth_open_side(w->book, state, best->side);
  depth_plan_t p;

  s.log = w;
  depth_decide(&p, m, best);
  const bool renews = p.renew_cnt > 0 || !p.has_worse;

  for (uint32_t i = 0; p.has_worse && i < m->change_cnt; i++) {
    const md_book_change_t *c = &m->changes[i];
    if (c->side != s.side) continue;
    if (!renews || md_book_key(s.side, c->px) < p.renew_key) depth_change(&s, c);
  }
  if (renews) depth_renew(&s, &p);
  /* A window that is not what the engine has, as one that needs a longer log, is made anew. */
  if (MD_UNLIKELY(!depth_fetch(&s, m))) w->is_over = true;
  depth_close_side(&s, state);
}

/* depth_rewrite_all fills the copy at rest and makes it the one that is changed in place. Reads
 * that began before it came to rest, two such messages ago, count no more. */
static void
depth_rewrite_all(depth_writer_t *w, md_book_depth_state_t *state, const md_book_message_t *m) {
  static const md_side_t sides[]  = {MD_SIDE_BUY, MD_SIDE_SELL};
  const md_level_t       none     = {0, 0};
  const uint64_t         switched = md_load_relaxed(&w->book->depth_switched); /* own word */

  if (w->floor < switched) depth_floor_to(w, switched);
  state->copy = 1 - state->copy;
  for (uint32_t i = 0; i < MD_CNT(sides); i++) {
    depth_side_t s = depth_open_side(w->book, state, sides[i]);
    depth_rewrite(&s, m);
    depth_close_side(&s, state);
  }
  depth_log(w, MD_BOOK_NO_PLACE, none); /* so that this state's log is longer than any before it */
  md_store_relaxed(&w->book->depth_switched, w->pos); /* the writer's own */
}

/* depth_newest_own reads the newest state back on the writing thread. */
static void
depth_newest_own(md_book_t *b, md_book_depth_state_t *out) {
  const uint64_t newest = md_load_relaxed(&b->depth_newest); /* only this thread stores it */

  md_book_words_own(md_book_words_at(b, md_book_state_off(newest)), out, MD_BOOK_STATE_WORDS);
}

typedef enum depth_work { DEPTH_APPLY, DEPTH_REWRITE, DEPTH_META } depth_work_t;

static void
depth_write(md_book_t *b, const md_book_message_t *m, depth_work_t work) {
  const uint64_t        newest = md_load_relaxed(&b->depth_newest); /* only this thread stores it */
  md_book_depth_state_t state;
  depth_writer_t        w = {
             .book    = b,
             .log     = md_book_words_at(b, md_book_log_off(b->depth_levels)),
             .log_cnt = md_book_log_cnt(b->depth_levels),
             .pos     = md_load_relaxed(&b->depth_logged), /* own words */
             .floor   = md_load_relaxed(&b->depth_floor),
  };

  w.end = w.pos + w.log_cnt - w.log_cnt / 8; /* who reads the state before can still take it back */
  depth_newest_own(b, &state);
  if (work == DEPTH_APPLY) {
    for (unsigned which = 0; which < 2; which++)
      if (m->best[which].depth_cnt > 0) depth_apply_side(&w, &state, m, &m->best[which]);
  }
  if (work == DEPTH_REWRITE || w.is_over) depth_rewrite_all(&w, &state, m);
  state.logged = w.pos;
  state.meta   = *m->meta;
  md_book_words_store(md_book_words_at(b, md_book_state_off(newest + 1)), &state,
                      MD_BOOK_STATE_WORDS);
  md_store_release(&b->depth_newest, newest + 1); /* R3: state and levels are; pairs with A3 */
}

void
md_book_depth_all(md_book_t *b, const md_book_message_t *m) {
  if (b->depth_levels != 0) depth_write(b, m, DEPTH_REWRITE);
}

void
md_book_depth_meta(md_book_t *b, const md_book_meta_t *meta) {
  const md_book_message_t m = {.meta = meta};

  if (b->depth_levels != 0) depth_write(b, &m, DEPTH_META);
}

/* So many levels of a side are asked for: about as many as a message reaches down to. */
#define PREFETCH_CNT 48u

/* depth_ask asks for the best levels of a side and for its worst one, which is looked at too. */
static void
depth_ask(const md_atomic_u64 *levels, uint32_t cap, uint64_t word) {
  const uint32_t cnt = (uint32_t)word, base = (uint32_t)(word >> 32);
  const uint32_t take = cnt < PREFETCH_CNT ? cnt : PREFETCH_CNT;
  const uint32_t low  = depth_place(cap, base, cnt - take);
  const uint32_t run  = cap - low < take ? cap - low : take;

  if (cnt == cap) __builtin_prefetch(&levels[2 * (size_t)base], 1);
  md_book_ask(&levels[2 * (size_t)low], run * sizeof(md_level_t));
  md_book_ask(levels, (take - run) * sizeof(md_level_t));
}

void
md_book_depth_prefetch(const md_book_t *b) {
  const uint64_t newest = md_load_relaxed(&b->depth_newest); /* only this thread stores it */
  const uint32_t cap    = b->depth_levels;
  uint64_t       word[4]; /* the first ones of a state: log, copy, bids, asks */

  if (cap == 0) return;
  md_book_words_own(md_book_words_at_const(b, md_book_state_off(newest)), word, 4);
  for (uint64_t which = 0; which < 2; which++) {
    const uint64_t off = md_book_levels_off(cap, 2 * word[1] + which);
    depth_ask(md_book_words_at_const(b, off), cap, word[2 + which]);
  }
}

int64_t
md_book_depth_floor(md_book_t *b, md_side_t side) {
  md_book_depth_state_t state;

  if (b->depth_levels == 0) return INT64_MAX;
  depth_newest_own(b, &state);
  return depth_open_side(b, &state, side).floor;
}

void
md_book_depth_apply(md_book_t *b, const md_book_message_t *m) {
  if (b->depth_levels == 0) return;
  if (m->best[0].depth_cnt + m->best[1].depth_cnt == 0) {
    if (m->meta_matters) depth_write(b, m, DEPTH_META);
    return;
  }
  /* Many changes at once (a large frame, a small window) cost more one by one than all levels. */
  depth_write(b, m, m->change_cnt > b->depth_levels / 2 + 16 ? DEPTH_REWRITE : DEPTH_APPLY);
}

/* ---- readers ---- */

/* One side of one read. */
typedef struct depth_window {
  uint32_t    base, have, take, cap;
  md_level_t *out; /* best first */
} depth_window_t;

/* depth_window takes a side from a state; false when its word is no window of cap places. */
static bool
depth_window(uint64_t word, uint32_t cap, uint32_t max, md_level_t *out, depth_window_t *window) {
  const uint32_t have = (uint32_t)word;

  *window = (depth_window_t){.base = (uint32_t)(word >> 32), .have = have, .cap = cap, .out = out};
  if (have > cap || window->base >= cap) return false;
  window->take = have < max ? have : max;
  return true;
}

static void
depth_copy(const md_atomic_u64 *levels, const depth_window_t *window) {
  uint32_t place = depth_place(window->cap, window->base, window->have); /* behind the best */

  for (uint32_t i = 0; i < window->take;) { /* two turns at most: the circle has one end */
    const uint32_t left = window->take - i;
    if (place == 0) place = window->cap;
    const md_atomic_u64 *from = levels + 2 * (size_t)place;
    for (const uint32_t end = i + (left < place ? left : place); i < end; i++) {
      from -= 2;
      md_book_words_load(from, &window->out[i], 2);
    }
    place = 0;
  }
}

/* depth_take_back puts what a log entry says into the level that stood there, if it was copied. */
static void
depth_take_back(const uint64_t *entry, const depth_window_t *window) {
  const uint32_t place = (uint32_t)entry[0];
  const uint32_t idx =
      place >= window->base ? place - window->base : place + window->cap - window->base;
  const uint32_t n = window->have - 1 - idx; /* from the best */

  if (place >= window->cap || idx >= window->have || n >= window->take) return;
  window->out[n] = (md_level_t){.px = (int64_t)entry[1], .qty = (int64_t)entry[2]};
}

/* depth_read_state makes one try: MD_ERR_BUSY when the log was overwritten meanwhile. */
static md_err_t
depth_read_state(const md_book_t *b, uint32_t cap, const md_book_depth_state_t *state,
                 const depth_window_t window[2]) {
  const md_atomic_u64 *log     = md_book_words_at_const(b, md_book_log_off(cap));
  const uint64_t       log_cnt = md_book_log_cnt(cap);
  const uint64_t       group   = 2 * state->copy;
  uint64_t             entry[MD_BOOK_ENTRY_WORDS];

  for (uint64_t i = 0; i < 2; i++)
    depth_copy(md_book_words_at_const(b, md_book_levels_off(cap, group + i)), &window[i]);
  const uint64_t end = md_load_acquire(&b->depth_logged); /* A6: whole entries; pairs with R6 */
  if (end - state->logged > log_cnt) return MD_ERR_BUSY;
  for (uint64_t pos = end; pos != state->logged; pos--) {
    md_book_words_load(&log[(pos - 1) % log_cnt * MD_BOOK_ENTRY_WORDS], entry, MD_BOOK_ENTRY_WORDS);
    if (entry[0] >> 32 == group) depth_take_back(entry, &window[0]);
    if (entry[0] >> 32 == group + 1) depth_take_back(entry, &window[1]);
  }
#if MD_MUTANT != 25
  if (md_load_relaxed(&b->depth_floor) > state->logged) return MD_ERR_BUSY; /* ordered by A1 */
#endif
  return MD_OK;
}

md_err_t
md_book_read_depth_view(const md_book_view_t *view, uint32_t max, md_book_meta_t *meta,
                        md_level_t *bids, uint32_t *bid_cnt, md_level_t *asks, uint32_t *ask_cnt) {
  const md_book_t      *b   = view->book;
  const uint32_t        cap = view->depth_levels;
  md_book_depth_state_t state;
  depth_window_t        window[2];

  *bid_cnt = 0;
  *ask_cnt = 0;
  if (cap == 0) return MD_ERR_ABSENT;
  if (cap > MD_DEPTH_LEVELS_MAX) return MD_ERR_CORRUPT;
  for (unsigned turn = 0; turn < MD_READ_RETRY_MAX; turn++) {
    const uint64_t newest = md_load_acquire(&b->depth_newest); /* A3: whole state; pairs with R3 */
    md_book_words_load(md_book_words_at_const(b, md_book_state_off(newest)), &state,
                       MD_BOOK_STATE_WORDS);
    if (md_load_relaxed(&b->depth_newest) - newest >= MD_BOOK_STATES - 1) continue; /* by A1 */
    if (state.copy >= MD_DEPTH_COPIES || !md_book_meta_sane(&state.meta) ||
        !depth_window(state.side[0], cap, max, bids, &window[0]) ||
        !depth_window(state.side[1], cap, max, asks, &window[1]))
      return MD_ERR_CORRUPT;
    if (depth_read_state(b, cap, &state, window) != MD_OK) continue;
    *meta    = state.meta;
    *bid_cnt = window[0].take;
    *ask_cnt = window[1].take;
    return MD_OK;
  }
  return MD_ERR_BUSY;
}

md_err_t
md_book_read_depth(const md_book_t *b, uint32_t max, md_book_meta_t *meta, md_level_t *bids,
                   uint32_t *bid_cnt, md_level_t *asks, uint32_t *ask_cnt) {
  const md_book_view_t view = {b, b->depth_levels};

  return md_book_read_depth_view(&view, max, meta, bids, bid_cnt, asks, ask_cnt);
}
