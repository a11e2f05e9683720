#include "feeds/orderbook_parts.h"
#include "feeds/run_pool.h"

#include <stdlib.h>
#include <string.h>

/* Levels that are copied from book to book at a time. */
#define COPY_CNT 64u

_Static_assert(((uint64_t)MD_BOOK_LEVELS_MAX * sizeof(md_level_t)) <= 1ull << MD_RUN_ORDER_MAX,
               "the largest side fits one run");

struct md_level_pool {
  md_run_pool_t runs;
};

md_level_pool_t *
md_level_pool_new(uint64_t bytes) {
  md_level_pool_t *pool = malloc(sizeof *pool);
  if (!pool) return NULL;
  if (!md_run_pool_init(&pool->runs, bytes)) {
    free(pool);
    return NULL;
  }
  return pool;
}

void
md_level_pool_delete(md_level_pool_t *pool) {
  if (!pool) return;
  md_run_pool_fini(&pool->runs);
  free(pool);
}

uint64_t
md_level_pool_touched(const md_level_pool_t *pool) {
  return pool->runs.used;
}

void
md_level_pool_trim(md_level_pool_t *pool) {
  md_run_pool_trim(&pool->runs);
}

void *
md_level_pool_take(md_level_pool_t *pool, uint64_t bytes) {
  return md_run_pool_take(&pool->runs, md_run_order(bytes));
}

bool
md_level_pool_has_spare(const md_level_pool_t *pool) {
  return pool->runs.taken < pool->runs.bytes / 2;
}

void
md_level_pool_give(md_level_pool_t *pool, void *run, uint64_t bytes) {
  md_run_pool_give(&pool->runs, run, md_run_order(bytes));
}

void
md_orderbook_init(md_orderbook_t *b, md_level_pool_t *pool) {
  memset(b, 0, sizeof *b);
  b->pool = pool;
}

static void
side_clear(md_orderbook_t *b, md_book_side_t *s) {
  md_window_free(b->pool, s);
  if (s->far) md_level_pool_give(b->pool, s->far, s->far_cap * sizeof *s->far);
  memset(s, 0, sizeof *s);
}

void
md_orderbook_clear(md_orderbook_t *b) {
  side_clear(b, &b->bids);
  side_clear(b, &b->asks);
}

static md_book_side_t *
side_of(md_orderbook_t *b, md_side_t side) {
  md_dassert(side == MD_SIDE_BUY || side == MD_SIDE_SELL);
  return side == MD_SIDE_BUY ? &b->bids : &b->asks;
}

static const md_book_side_t *
side_of_const(const md_orderbook_t *b, md_side_t side) {
  return side == MD_SIDE_BUY ? &b->bids : &b->asks;
}

/* ---- the sorted array ---- */

/* Gallops from the best: most changes are near it. */
uint32_t
md_side_worse_cnt(const md_book_side_t *s, int64_t flip, int64_t key) {
  uint32_t hi   = s->far_cnt;
  uint32_t step = 1;
  while (step <= hi && (s->far[hi - step].px ^ flip) >= key) {
    hi -= step;
    step <<= 1;
  }
  uint32_t lo = step <= hi ? hi - step + 1 : 0;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if ((s->far[mid].px ^ flip) < key) {
      lo = mid + 1;
    } else {
      hi = mid;
    }
  }
  return lo;
}

md_err_t
md_side_reserve(md_level_pool_t *pool, md_book_side_t *s, uint32_t cnt) {
  if (cnt <= s->far_cap) return MD_OK;
  if (cnt > MD_BOOK_LEVELS_MAX) return MD_ERR_FULL;

  /* All of the run: its size grows by a third at least, so that a level is seldom moved for it. */
  const uint32_t cap =
      (uint32_t)(md_run_bytes(md_run_order(cnt * sizeof(md_level_t))) / sizeof(md_level_t));
  md_level_t *levels = md_level_pool_take(pool, cap * sizeof *levels);
  if (!levels) return MD_ERR_FULL;
  if (s->far_cnt > 0) memcpy(levels, s->far, s->far_cnt * sizeof *levels);
  if (s->far) md_level_pool_give(pool, s->far, s->far_cap * sizeof *s->far);
  s->far     = levels;
  s->far_cap = cap;
  return MD_OK;
}

/* Sets a level of the sorted array; *was tells whether it was there. */
static md_err_t
far_set(md_orderbook_t *b, md_book_side_t *s, int64_t flip, md_level_t l, bool *was) {
  const uint32_t at = md_side_worse_cnt(s, flip, l.px ^ flip);
  *was              = at < s->far_cnt && s->far[at].px == l.px;
  if (*was && l.qty != 0) {
    s->far[at].qty = l.qty;
  } else if (*was) {
    s->far_cnt--;
    s->cnt--;
    memmove(&s->far[at], &s->far[at + 1], (s->far_cnt - at) * sizeof *s->far);
  } else if (l.qty != 0) {
    md_err_t err =
        s->cnt < MD_BOOK_LEVELS_MAX ? md_side_reserve(b->pool, s, s->far_cnt + 1) : MD_ERR_FULL;
    if (err) return err;
    memmove(&s->far[at + 1], &s->far[at], (s->far_cnt - at) * sizeof *s->far);
    s->far[at] = l;
    s->far_cnt++;
    s->cnt++;
    if (!s->qty && s->far_cnt == s->far_cap) md_window_try(b->pool, s, flip);
  }
  return MD_OK;
}

/* ---- changes ---- */

/* Levels that lie in the window, up to the first that does not or finds the side full; returns how
 * many. Without a branch on what a level does, which cannot be predicted; the word of bits is kept
 * at hand, because the next level mostly lies in it too. Made for each side apart, so that what a
 * side means is no data of the loop. */
static inline __attribute__((always_inline)) uint32_t
window_set_side(md_book_side_t *s, md_side_t side, const md_level_t *levels, uint32_t cnt,
                md_book_applied_t *did) {
  const int64_t     flip = md_side_flip(side);
  const uint64_t    low  = (uint64_t)s->low;
  const uint32_t    room = MD_BOOK_LEVELS_MAX - s->cnt; /* so many can be new in any case */
  const md_level_t *l = levels, *const end = levels + (cnt < room ? cnt : room);
  int64_t *const    qty  = s->qty;
  uint64_t *const   bits = s->bits;
  md_book_change_t *to = did->changes + did->change_cnt, *const first = to;
  uint32_t at   = (uint32_t)((uint64_t)(l->px ^ flip) >> 6) % MD_WINDOW_WORDS;
  uint64_t word = bits[at];
  uint32_t more = 0; /* levels, and what is less wraps */
  for (; l < end; l++) {
    const int64_t  px = l->px, now = l->qty;
    const uint64_t key = (uint64_t)(px ^ flip);
    const uint32_t w   = (uint32_t)(key >> 6) % MD_WINDOW_WORDS;
    if (MD_UNLIKELY(key - low >= MD_WINDOW_TICKS)) break;
    if (MD_UNLIKELY(w != at)) {
      bits[at] = word;
      s->words = (s->words & ~(UINT64_C(1) << at)) | (uint64_t)(word != 0) << at;
      word     = bits[w];
      at       = w;
    }
    int64_t *const place = &qty[key % MD_WINDOW_TICKS];
    const int64_t  was   = *place;
    const uint64_t is    = now != 0;
    *place               = now;
    word                 = (word & ~md_window_bit((int64_t)key)) | is << (~key & 63);
    more += (uint32_t)is - (was != 0);
    *to = (md_book_change_t){.px = px, .qty = now, .side = (uint8_t)side};
    if (MD_LIKELY((was | now) != 0)) to++; /* deletes of what is not there are rare */
  }
  const uint32_t set = (uint32_t)(l - levels), changed = (uint32_t)(to - first);
  bits[at] = word;
  s->words = (s->words & ~(UINT64_C(1) << at)) | (uint64_t)(word != 0) << at;
  s->cnt += more;
  did->absent_cnt += set - changed;
  did->change_cnt += changed;
  return set;
}

static uint32_t
window_set(md_book_side_t *s, md_side_t side, const md_level_t *levels, uint32_t cnt,
           md_book_applied_t *did) {
  return side == MD_SIDE_BUY ? window_set_side(s, MD_SIDE_BUY, levels, cnt, did)
                             : window_set_side(s, MD_SIDE_SELL, levels, cnt, did);
}

/* A level that is not in the window, or for which the side may be full. */
static md_err_t
outside_set(md_orderbook_t *b, md_book_side_t *s, md_side_t side, md_level_t l,
            md_book_applied_t *did) {
  const int64_t flip = md_side_flip(side), key = l.px ^ flip;
  bool          was = false;
  if (s->qty && key >= s->low) {
    const bool is_above = md_window_off(s, key) >= MD_WINDOW_TICKS;
    was                 = !is_above && s->qty[(uint64_t)key % MD_WINDOW_TICKS] != 0;
    if (!was && l.qty == 0) {
      did->absent_cnt++;
      return MD_OK;
    }
    if (!was && s->cnt >= MD_BOOK_LEVELS_MAX) return MD_ERR_FULL;
    md_err_t err = is_above ? md_window_raise(b->pool, s, flip, key) : MD_OK;
    if (err) return err;
    s->cnt -= was; /* so that there is room for it */
    uint32_t set = window_set(s, side, &l, 1, did);
    s->cnt += was;
    md_assert(set == 1);
    return MD_OK;
  }
  md_err_t err = far_set(b, s, flip, l, &was);
  if (err) return err;
  if (was || l.qty != 0)
    did->changes[did->change_cnt++] =
        (md_book_change_t){.px = l.px, .qty = l.qty, .side = (uint8_t)side};
  else
    did->absent_cnt++;
  return MD_OK;
}

md_err_t
md_orderbook_apply(md_orderbook_t *b, md_side_t side, const md_level_t *levels, uint32_t cnt,
                   md_book_applied_t *did) {
  md_book_side_t *s        = side_of(b, side);
  bool            is_moved = false;
  for (uint32_t n = 0; n < cnt; n++) {
    if (MD_LIKELY(s->qty != NULL)) {
      n += window_set(s, side, levels + n, cnt - n, did);
      if (MD_LIKELY(n == cnt)) break;
    }
    md_err_t err = outside_set(b, s, side, levels[n], did);
    if (MD_UNLIKELY(err)) return err;
    is_moved = true;
  }
  if (MD_UNLIKELY(is_moved && s->qty)) md_window_lower(s, md_side_flip(side));
  return MD_OK;
}

md_err_t
md_orderbook_set(md_orderbook_t *b, md_side_t side, int64_t px, int64_t qty, bool *was_absent) {
  const md_level_t  level = {.px = px, .qty = qty};
  md_book_change_t  change;
  md_book_applied_t did = {.changes = &change};
  md_err_t          err = md_orderbook_apply(b, side, &level, 1, &did);
  *was_absent           = did.absent_cnt > 0;
  return err;
}

/* ---- snapshots ---- */

/* One pass of a stable bottom-up merge sort: runs of width in `from` become runs of 2 * width in
 * `to`. */
static void
merge_pass(const md_level_t *from, md_level_t *to, uint32_t cnt, uint32_t width, int64_t flip) {
  for (uint32_t begin = 0; begin < cnt; begin += 2 * width) {
    uint32_t left   = begin;
    uint32_t middle = cnt - begin < width ? cnt : begin + width;
    uint32_t right  = middle;
    uint32_t end    = cnt - begin < 2 * width ? cnt : begin + 2 * width;
    for (uint32_t i = begin; i < end; i++) {
      bool take_left =
          left < middle && (right >= end || (from[left].px ^ flip) <= (from[right].px ^ flip));
      to[i] = take_left ? from[left++] : from[right++];
    }
  }
}

/* Levels in any order: sorts, then keeps the last of each price. */
static md_err_t
side_sort(md_orderbook_t *b, md_book_side_t *s, int64_t flip) {
  md_level_t *from = s->far;
  md_level_t *to   = md_level_pool_take(b->pool, s->far_cap * sizeof *to);
  if (!to) return MD_ERR_FULL;

  for (uint32_t width = 1; width < s->far_cnt; width *= 2) {
    merge_pass(from, to, s->far_cnt, width, flip);
    md_level_t *swap = from;
    from             = to;
    to               = swap;
  }
  md_level_pool_give(b->pool, to, s->far_cap * sizeof *to);
  s->far = from;

  uint32_t kept = 0;
  for (uint32_t i = 0; i < s->far_cnt; i++) {
    if (i + 1 < s->far_cnt && s->far[i].px == s->far[i + 1].px) continue;
    s->far[kept++] = s->far[i];
  }
  s->far_cnt = kept;
  return MD_OK;
}

md_err_t
md_orderbook_load(md_orderbook_t *b, md_side_t side, const md_level_t *levels, uint32_t cnt) {
  md_book_side_t *s    = side_of(b, side);
  int64_t         flip = md_side_flip(side);

  md_window_free(b->pool, s);
  s->far_cnt          = 0;
  uint32_t used       = 0;
  bool     best_first = true;
  int64_t  key_last   = 0;
  for (uint32_t i = 0; i < cnt; i++) {
    if (levels[i].qty == 0) continue;
    int64_t key = levels[i].px ^ flip;
    if (used > 0 && key >= key_last) best_first = false;
    key_last = key;
    used++;
  }
  if (md_side_reserve(b->pool, s, used)) {
    side_clear(b, s);
    return MD_ERR_FULL;
  }

  uint32_t filled = 0;
  for (uint32_t i = 0; i < cnt; i++) {
    if (levels[i].qty == 0) continue;
    s->far[best_first ? used - 1 - filled : filled] = levels[i];
    filled++;
  }
  s->far_cnt = used;
  if (!best_first && side_sort(b, s, flip)) {
    side_clear(b, s);
    return MD_ERR_FULL;
  }
  s->cnt = s->far_cnt;
  md_window_try(b->pool, s, flip);
  return MD_OK;
}

static md_err_t
level_rescale(md_level_t *l, int px_from, int px_to, int qty_from, int qty_to) {
  md_err_t err = md_rescale_i64(&l->px, px_from, px_to);
  return err ? err : md_rescale_i64(&l->qty, qty_from, qty_to);
}

/* Every level goes into the sorted arrays: then all of them are in one place. */
static md_err_t
flatten(md_orderbook_t *b) {
  md_err_t err = md_window_drop(b->pool, &b->bids, md_side_flip(MD_SIDE_BUY));
  return err ? err : md_window_drop(b->pool, &b->asks, md_side_flip(MD_SIDE_SELL));
}

static md_err_t
rescale_flat(md_orderbook_t *b, int px_from, int px_to, int qty_from, int qty_to) {
  md_book_side_t *sides[] = {&b->bids, &b->asks};

  /* The first pass only looks, so that a number that does not fit leaves every level as it was. */
  for (uint32_t pass = 0; pass < 2; pass++) {
    for (uint32_t i = 0; i < MD_CNT(sides); i++) {
      for (uint32_t n = 0; n < sides[i]->far_cnt; n++) {
        md_level_t l   = sides[i]->far[n];
        md_err_t   err = level_rescale(&l, px_from, px_to, qty_from, qty_to);
        if (err) return err;
        if (pass == 1) sides[i]->far[n] = l;
      }
    }
  }
  return MD_OK;
}

md_err_t
md_orderbook_rescale(md_orderbook_t *b, int px_from, int px_to, int qty_from, int qty_to) {
  md_err_t err = flatten(b);
  if (!err) err = rescale_flat(b, px_from, px_to, qty_from, qty_to);
  md_window_try(b->pool, &b->bids, md_side_flip(MD_SIDE_BUY));
  md_window_try(b->pool, &b->asks, md_side_flip(MD_SIDE_SELL));
  return err;
}

/* Levels are handed over in parts, so that none of the sides needs to be in one piece. */
static md_err_t
copy_side(md_orderbook_t *to, const md_orderbook_t *from, md_side_t side) {
  md_book_side_t *s   = side_of(to, side);
  const uint32_t  cnt = side_of_const(from, side)->cnt;
  md_level_t      part[COPY_CNT];
  if (md_side_reserve(to->pool, s, cnt)) return MD_ERR_FULL;
  for (uint32_t n = 0; n < cnt;) {
    const md_levels_want_t want = {.first = n, .max = COPY_CNT};
    const uint32_t         got  = md_orderbook_read(from, side, &want, part);
    for (uint32_t i = 0; i < got; i++)
      s->far[cnt - 1 - n++] = part[i];
  }
  s->far_cnt = cnt;
  s->cnt     = cnt;
  md_window_try(to->pool, s, md_side_flip(side));
  return MD_OK;
}

md_err_t
md_orderbook_copy(md_orderbook_t *to, const md_orderbook_t *from) {
  md_err_t err = copy_side(to, from, MD_SIDE_BUY);
  if (!err) err = copy_side(to, from, MD_SIDE_SELL);
  if (err) md_orderbook_clear(to);
  return err;
}
