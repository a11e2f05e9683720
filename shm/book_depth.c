/* Depth: two copies, changed one after the other; readers are pointed to the one that is at rest.
 */
#include "shm/book_layout.h"

/* Levels that are fetched at a time, behind the worst one or for all of a side. */
#define FETCH_CNT 64u

/* One side of one copy while the writer works on it. Index 0 is the worst level, cnt - 1 the best.
 */
typedef struct depth_side {
  md_atomic_u64 *levels;
  md_side_t      side;
  uint32_t       cap, cnt, base;
  int64_t        floor; /* levels below this key are not followed: the engine's book has them */
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

static void
depth_set(depth_side_t *s, uint32_t idx, md_level_t level) {
  md_book_words_store(&s->levels[2 * (size_t)depth_place(s->cap, s->base, idx)], &level, 2);
}

static int64_t
depth_key(const depth_side_t *s, uint32_t idx) {
  return md_book_key(s->side, depth_get(s, idx).px);
}

/* depth_open_side loads the window of a side. A full window has a floor at its worst level: what
 * the engine knows below is fetched when a place gets free, not followed. */
static depth_side_t
depth_open_side(const md_book_t *b, md_book_depth_t *copy, md_side_t side) {
  const uint32_t which = side == MD_SIDE_BUY ? 0 : 1;
  const uint64_t word  = md_load_relaxed(&copy->side[which]); /* only this thread stores it */
  depth_side_t   s     = {.side = side, .cap = b->depth_levels, .floor = INT64_MIN};

  s.levels = copy->levels + 2ull * which * s.cap;
  s.cnt    = (uint32_t)word;
  s.base   = (uint32_t)(word >> 32);
  if (s.cnt == s.cap) s.floor = depth_key(&s, 0);
  return s;
}

static void
depth_close_side(const depth_side_t *s, md_book_depth_t *copy) {
  const uint64_t word = (uint64_t)s->base << 32 | s->cnt;

  md_book_words_store(&copy->side[s->side == MD_SIDE_BUY ? 0 : 1], &word, 1);
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

/* What a message does to a side, the same for both copies. */
typedef struct depth_plan {
  const md_book_best_t *best;
  uint32_t              renew_cnt; /* so many of best are written in place of all that is there */
  int64_t               renew_key; /* from this key on; nothing when renew_cnt is 0 and has_worse */
  bool                  has_worse; /* changes that are worse than these: one by one */
  uint32_t              refill_cnt; /* levels behind the worst one, as the first copy needed them */
  bool                  is_refilled;
  md_level_t            refill[FETCH_CNT];
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

  p->best        = best;
  p->is_refilled = false;
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
  uint32_t place = depth_place(s->cap, s->base, s->cnt - 1);
  for (uint32_t n = 0; n < cnt; n++) {
    md_book_words_store(&s->levels[2 * (size_t)place], &p->best->levels[n], 2);
    place = place == 0 ? s->cap - 1 : place - 1;
  }
}

/* depth_refill fills the window up again; both copies want the same levels, which are read once. */
static bool
depth_refill(depth_side_t *s, const md_book_message_t *m, depth_plan_t *p) {
  const uint32_t need = s->cap - s->cnt;

  if (need == 0) return true;
  if (need > FETCH_CNT) return depth_fetch(s, m);
  if (!p->is_refilled) {
    const md_levels_want_t want = {.first = s->cnt, .min = need, .max = need};
    p->refill_cnt               = m->read(m->ctx, s->side, &want, p->refill);
    p->is_refilled              = true;
  }
  for (uint32_t n = 0; n < p->refill_cnt; n++) {
    if (s->cnt > 0 && md_book_key(s->side, p->refill[n].px) >= depth_key(s, 0)) return false;
    depth_push_worst(s, p->refill[n]);
  }
  return true;
}

static void
depth_apply_side(const md_book_t *b, md_book_depth_t *copy, const md_book_message_t *m,
                 depth_plan_t *p) {
  depth_side_t s = depth_open_side(b, copy, p->best->side);

  const bool renews = p->renew_cnt > 0 || !p->has_worse;

  for (uint32_t i = 0; p->has_worse && i < m->change_cnt; i++) {
    const md_book_change_t *c = &m->changes[i];
    if (c->side != s.side) continue;
    if (!renews || md_book_key(s.side, c->px) < p->renew_key) depth_change(&s, c);
  }
  if (renews) depth_renew(&s, p);
  if (MD_UNLIKELY(!depth_refill(&s, m, p))) depth_rewrite(&s, m);
  depth_close_side(&s, copy);
}

static void
depth_rewrite_side(const md_book_t *b, md_book_depth_t *copy, const md_book_message_t *m,
                   md_side_t side) {
  depth_side_t s = depth_open_side(b, copy, side);

  depth_rewrite(&s, m);
  depth_close_side(&s, copy);
}

typedef enum depth_work { DEPTH_APPLY, DEPTH_REWRITE, DEPTH_META } depth_work_t;

static void
depth_write_copy(const md_book_t *b, md_book_depth_t *copy, const md_book_message_t *m,
                 depth_work_t work, depth_plan_t *plans) {
#if MD_MUTANT == 23
  const uint64_t odd = md_load_relaxed(&copy->version) | 1;
#else
  const uint64_t odd = md_book_open(&copy->version);
#endif

  if (work == DEPTH_APPLY) {
    for (unsigned which = 0; which < 2; which++)
      if (m->best[which].depth_cnt > 0) depth_apply_side(b, copy, m, &plans[which]);
  } else if (work == DEPTH_REWRITE) {
    depth_rewrite_side(b, copy, m, MD_SIDE_BUY);
    depth_rewrite_side(b, copy, m, MD_SIDE_SELL);
  }
  md_book_words_store(copy->meta, m->meta, MD_BOOK_META_WORDS);
  md_book_close(&copy->version, odd);
}

/* depth_write changes the copy that readers are not at, points them to it, then the other. */
static void
depth_write(md_book_t *b, const md_book_message_t *m, depth_work_t work, depth_plan_t *plans) {
  const uint64_t newest = md_load_relaxed(&b->depth_newest); /* only this thread stores it */

  depth_write_copy(b, md_book_depth_copy(b, (newest + 1) % MD_DEPTH_COPIES), m, work, plans);
  md_store_release(&b->depth_newest, newest + 1); /* R3: the copy is whole; pairs with A3 */
#if MD_MUTANT != 25
  depth_write_copy(b, md_book_depth_copy(b, newest % MD_DEPTH_COPIES), m, work, plans);
#endif
}

void
md_book_depth_all(md_book_t *b, const md_book_message_t *m) {
  if (b->depth_levels != 0) depth_write(b, m, DEPTH_REWRITE, NULL);
}

void
md_book_depth_meta(md_book_t *b, const md_book_meta_t *meta) {
  const md_book_message_t m = {.meta = meta};

  if (b->depth_levels != 0) depth_write(b, &m, DEPTH_META, NULL);
}

/* So many levels of a side are asked for: about as many as a message reaches down to. */
#define PREFETCH_CNT 48u

/* depth_ask asks for the best levels of a side and for its worst one, which is looked at too. */
static void
depth_ask(const md_book_depth_t *copy, uint32_t cap, uint32_t which) {
  const uint64_t       word = md_load_relaxed(&copy->side[which]); /* only this thread stores it */
  const md_atomic_u64 *levels = copy->levels + 2ull * which * cap;
  const uint32_t       cnt = (uint32_t)word, base = (uint32_t)(word >> 32);
  const uint32_t       take = cnt < PREFETCH_CNT ? cnt : PREFETCH_CNT;
  const uint32_t       low  = depth_place(cap, base, cnt - take);
  const uint32_t       run  = cap - low < take ? cap - low : take;

  if (cnt == cap) __builtin_prefetch(&levels[2 * (size_t)base], 1);
  md_book_ask(&levels[2 * (size_t)low], run * sizeof(md_level_t));
  md_book_ask(levels, (take - run) * sizeof(md_level_t));
}

void
md_book_depth_prefetch(const md_book_t *b) {
  if (b->depth_levels == 0) return;
  for (uint64_t n = 0; n < MD_DEPTH_COPIES; n++) {
    const md_book_depth_t *copy = md_book_depth_copy_const(b, b->depth_levels, n);
    depth_ask(copy, b->depth_levels, 0);
    depth_ask(copy, b->depth_levels, 1);
  }
}

int64_t
md_book_depth_floor(md_book_t *b, md_side_t side) {
  if (b->depth_levels == 0) return INT64_MAX;
  return depth_open_side(b, md_book_depth_copy(b, 0), side).floor; /* both hold the same levels */
}

void
md_book_depth_apply(md_book_t *b, const md_book_message_t *m) {
  depth_plan_t plans[2]; /* of the sides that have changes; refill is filled when it is used */

  if (b->depth_levels == 0) return;
  if (m->best[0].depth_cnt + m->best[1].depth_cnt == 0) {
    if (m->meta_matters) depth_write(b, m, DEPTH_META, NULL);
    return;
  }
  /* Many changes at once (a large frame, a small window) cost more one by one than all levels. */
  if (m->change_cnt > b->depth_levels / 2 + 16) {
    depth_write(b, m, DEPTH_REWRITE, NULL);
    return;
  }
  for (unsigned which = 0; which < 2; which++)
    if (m->best[which].depth_cnt > 0) depth_decide(&plans[which], m, &m->best[which]);
  depth_write(b, m, DEPTH_APPLY, plans);
}

/* ---- readers ---- */

/* depth_copy_side copies up to max levels, best first; false when the words of the side are no
 * window of cap places (torn, or garbage). */
static bool
depth_copy_side(const md_book_depth_t *copy, uint32_t cap, uint32_t which, uint32_t max,
                md_level_t *out, uint32_t *cnt) {
  const md_atomic_u64 *levels = copy->levels + 2ull * which * cap;
  uint64_t             word;

  md_book_words_load(&copy->side[which], &word, 1);
  const uint32_t have = (uint32_t)word;
  const uint32_t base = (uint32_t)(word >> 32);
  *cnt                = 0;
  if (have > cap || base >= cap) return false;
  const uint32_t take = have < max ? have : max;
  for (uint32_t i = 0; i < take; i++) {
    md_book_words_load(&levels[2 * (size_t)depth_place(cap, base, have - 1 - i)], &out[i], 2);
  }
  *cnt = take;
  return true;
}

md_err_t
md_book_read_depth_view(const md_book_view_t *view, uint32_t max, md_book_meta_t *meta,
                        md_level_t *bids, uint32_t *bid_cnt, md_level_t *asks, uint32_t *ask_cnt) {
  const md_book_t *b   = view->book;
  const uint32_t   cap = view->depth_levels;

  *bid_cnt = 0;
  *ask_cnt = 0;
  if (cap == 0) return MD_ERR_ABSENT;
  if (cap > MD_DEPTH_LEVELS_MAX) return MD_ERR_CORRUPT;
  for (unsigned turn = 0; turn < MD_READ_RETRY_MAX; turn++) {
    const uint64_t newest = md_load_acquire(&b->depth_newest); /* A3: whole copy; pairs with R3 */
    const md_book_depth_t *copy    = md_book_depth_copy_const(b, cap, newest % MD_DEPTH_COPIES);
    const uint64_t         version = md_load_acquire(&copy->version); /* A2: words; pairs with R2 */
    if (version % 2 != 0 || version / 2 > newest + 1) continue; /* ahead of what newest says */
    md_book_words_load(copy->meta, meta, MD_BOOK_META_WORDS);
    const bool sound = depth_copy_side(copy, cap, 0, max, bids, bid_cnt) &&
                       depth_copy_side(copy, cap, 1, max, asks, ask_cnt);
    if (md_load_relaxed(&copy->version) != version) continue; /* ordered by A1 */
    if (sound && md_book_meta_sane(meta)) return MD_OK;
    *bid_cnt = 0;
    *ask_cnt = 0;
    return MD_ERR_CORRUPT;
  }
  *bid_cnt = 0;
  *ask_cnt = 0;
  return MD_ERR_BUSY;
}

md_err_t
md_book_read_depth(const md_book_t *b, uint32_t max, md_book_meta_t *meta, md_level_t *bids,
                   uint32_t *bid_cnt, md_level_t *asks, uint32_t *ask_cnt) {
  const md_book_view_t view = {b, b->depth_levels};

  return md_book_read_depth_view(&view, max, meta, bids, bid_cnt, asks, ask_cnt);
}
