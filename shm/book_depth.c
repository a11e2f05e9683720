/* Depth: two copies, changed one after the other; readers are pointed to the one that is at rest.
 */
#include "shm/book_layout.h"

/* From so many changes of a side on, its levels down to the worst change are taken from the
 * engine's book when they are at most so many for each change: cheaper than a search and a shift
 * for each. */
#define RENEW_CHANGES_MIN 4u
#define RENEW_LEVELS_EACH 8u

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

/* depth_refill fetches levels behind the worst one until the window or the engine's book is full
 * out. false when the engine's next level is not worse: then the window is not what the engine has.
 */
static bool
depth_refill(depth_side_t *s, const md_book_message_t *m) {
  md_level_t level;

  while (s->cnt < s->cap && m->at(m->ctx, s->side, s->cnt, &level)) {
    if (s->cnt > 0 && md_book_key(s->side, level.px) >= depth_key(s, 0)) return false;
    depth_push_worst(s, level);
  }
  return true;
}

static void
depth_rewrite(depth_side_t *s, const md_book_message_t *m) {
  s->cnt  = 0;
  s->base = 0;
  /* An engine's book that is not sorted ends the side early; it never makes the window unsorted. */
  (void)depth_refill(s, m);
}

/* depth_best_cnt returns how many of the engine's best max levels have a key of at least key. */
static uint32_t
depth_best_cnt(const depth_side_t *s, const md_book_message_t *m, uint32_t max, int64_t key) {
  uint32_t   low = 0, high = max;
  md_level_t level;

  while (low < high) {
    const uint32_t mid = low + (high - low) / 2;
    if (m->at(m->ctx, s->side, mid, &level) && md_book_key(s->side, level.px) >= key) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  return low;
}

/* depth_renew takes every level from key on from the engine's book; worse levels, the first `worse`
 * ones, stay. At most max can be there now. false: the engine's levels are not sorted. */
static bool
depth_renew(depth_side_t *s, const md_book_message_t *m, uint32_t worse, uint32_t max,
            int64_t key) {
  const uint32_t best = depth_best_cnt(s, m, max < s->cap ? max : s->cap, key);
  int64_t        last = INT64_MAX;
  md_level_t     level;

  s->cnt = worse;
  while (s->cnt + best > s->cap)
    depth_drop_worst(s);
  s->cnt += best;
  for (uint32_t n = 0; n < best; n++) {
    if (!m->at(m->ctx, s->side, n, &level)) return false;
    if (n > 0 && md_book_key(s->side, level.px) >= last) return false;
    last = md_book_key(s->side, level.px);
    depth_set(s, s->cnt - 1 - n, level);
  }
  return true;
}

static void
depth_apply_side(const md_book_t *b, md_book_depth_t *copy, const md_book_message_t *m,
                 md_side_t side) {
  depth_side_t s      = depth_open_side(b, copy, side);
  int64_t      lowest = INT64_MAX;
  uint32_t     cnt    = 0;
  bool         sound  = true;

  for (uint32_t i = 0; m->change_cnt >= RENEW_CHANGES_MIN && i < m->change_cnt; i++) {
    const int64_t key = md_book_key(side, m->changes[i].px);
    if (m->changes[i].side != side || key < s.floor) continue;
    if (key < lowest) lowest = key;
    cnt++;
  }
  const uint32_t worse  = cnt < RENEW_CHANGES_MIN ? 0 : depth_find(&s, lowest);
  const uint32_t better = s.cnt - worse;
  if (cnt >= RENEW_CHANGES_MIN && better <= RENEW_LEVELS_EACH * cnt) {
    sound = depth_renew(&s, m, worse, better + cnt, lowest);
  } else {
    for (uint32_t i = 0; i < m->change_cnt; i++) {
      if (m->changes[i].side == side) depth_change(&s, &m->changes[i]);
    }
  }
  if (MD_UNLIKELY(!sound || !depth_refill(&s, m))) depth_rewrite(&s, m);
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
                 depth_work_t work) {
#if MD_MUTANT == 23
  const uint64_t odd = md_load_relaxed(&copy->version) | 1;
#else
  const uint64_t odd = md_book_open(&copy->version);
#endif

  if (work == DEPTH_APPLY) {
    depth_apply_side(b, copy, m, MD_SIDE_BUY);
    depth_apply_side(b, copy, m, MD_SIDE_SELL);
  } else if (work == DEPTH_REWRITE) {
    depth_rewrite_side(b, copy, m, MD_SIDE_BUY);
    depth_rewrite_side(b, copy, m, MD_SIDE_SELL);
  }
  md_book_words_store(copy->meta, m->meta, MD_BOOK_META_WORDS);
  md_book_close(&copy->version, odd);
}

/* depth_write changes the copy that readers are not at, points them to it, then the other. */
static void
depth_write(md_book_t *b, const md_book_message_t *m, depth_work_t work) {
  const uint64_t newest = md_load_relaxed(&b->depth_newest); /* only this thread stores it */

  depth_write_copy(b, md_book_depth_copy(b, (newest + 1) % MD_DEPTH_COPIES), m, work);
  md_store_release(&b->depth_newest, newest + 1); /* R3: the copy is whole; pairs with A3 */
#if MD_MUTANT != 25
  depth_write_copy(b, md_book_depth_copy(b, newest % MD_DEPTH_COPIES), m, work);
#endif
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

/* depth_is_touched says whether a change lies within the window of its side. */
static bool
depth_is_touched(md_book_t *b, const md_book_message_t *m) {
  md_book_depth_t   *copy = md_book_depth_copy(b, 0); /* both hold the same levels */
  const depth_side_t bids = depth_open_side(b, copy, MD_SIDE_BUY);
  const depth_side_t asks = depth_open_side(b, copy, MD_SIDE_SELL);

  for (uint32_t i = 0; i < m->change_cnt; i++) {
    const md_book_change_t *c = &m->changes[i];
    const depth_side_t     *s = c->side == MD_SIDE_BUY ? &bids : &asks;
    if (md_book_key(s->side, c->px) >= s->floor) return true;
  }
  return false;
}

void
md_book_depth_apply(md_book_t *b, const md_book_message_t *m) {
  if (b->depth_levels == 0) return;
  if (!depth_is_touched(b, m)) {
    if (m->meta_matters) depth_write(b, m, DEPTH_META);
    return;
  }
  /* Many changes at once (a large frame, a small window) cost more one by one than all levels. */
  depth_write(b, m, m->change_cnt > b->depth_levels / 2 + 16 ? DEPTH_REWRITE : DEPTH_APPLY);
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
