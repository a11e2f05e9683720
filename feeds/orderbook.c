#include "feeds/orderbook.h"

#include "feeds/run_pool.h"

#include <stdlib.h>
#include <string.h>

/* The smallest run of levels, 1 KiB: most thin instruments never need a second one. */
#define CAP_MIN (uint32_t)((1u << MD_RUN_ORDER_MIN) / sizeof(md_level_t))

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

static md_level_t *
levels_take(md_level_pool_t *pool, uint32_t cap) {
  return md_run_pool_take(&pool->runs, md_run_order((uint64_t)cap * sizeof(md_level_t)));
}

static void
levels_give(md_level_pool_t *pool, md_level_t *levels, uint32_t cap) {
  if (levels) {
    md_run_pool_give(&pool->runs, levels, md_run_order((uint64_t)cap * sizeof(md_level_t)));
  }
}

void
md_orderbook_init(md_orderbook_t *b, md_level_pool_t *pool) {
  memset(b, 0, sizeof *b);
  b->pool = pool;
}

static void
side_clear(md_orderbook_t *b, md_book_side_t *s) {
  levels_give(b->pool, s->levels, s->cap);
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

/* A key grows towards the best on both sides, so one search serves both: the price of a bid, its
 * complement for an ask (which, unlike a minus, cannot overflow). */
static int64_t
flip_of(md_side_t side) {
  return side == MD_SIDE_BUY ? 0 : -1;
}

/* Number of levels that are worse than key. Gallops from the best: most changes are near it. */
static uint32_t
worse_cnt(const md_book_side_t *s, int64_t flip, int64_t key) {
  uint32_t hi   = s->cnt;
  uint32_t step = 1;
  while (step <= hi && (s->levels[hi - step].px ^ flip) >= key) {
    hi -= step;
    step <<= 1;
  }
  uint32_t lo = step <= hi ? hi - step + 1 : 0;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if ((s->levels[mid].px ^ flip) < key) {
      lo = mid + 1;
    } else {
      hi = mid;
    }
  }
  return lo;
}

/* Room for cnt levels; keeps the levels there are. */
static md_err_t
side_reserve(md_orderbook_t *b, md_book_side_t *s, uint32_t cnt) {
  if (cnt <= s->cap) return MD_OK;
  if (cnt > MD_BOOK_LEVELS_MAX) return MD_ERR_FULL;

  uint32_t cap = s->cap ? s->cap : CAP_MIN;
  while (cap < cnt) {
    cap *= 2;
  }
  md_level_t *levels = levels_take(b->pool, cap);
  if (!levels) return MD_ERR_FULL;
  if (s->cnt > 0) memcpy(levels, s->levels, s->cnt * sizeof *levels);
  levels_give(b->pool, s->levels, s->cap);
  s->levels = levels;
  s->cap    = cap;
  return MD_OK;
}

md_err_t
md_orderbook_set(md_orderbook_t *b, md_side_t side, int64_t px, int64_t qty, bool *was_absent) {
  md_book_side_t *s     = side_of(b, side);
  int64_t         flip  = flip_of(side);
  uint32_t        at    = worse_cnt(s, flip, px ^ flip);
  bool            found = at < s->cnt && s->levels[at].px == px;

  *was_absent = false;
  if (found && qty != 0) {
    s->levels[at].qty = qty;
    return MD_OK;
  }
  if (found) {
    s->cnt--;
    memmove(&s->levels[at], &s->levels[at + 1], (s->cnt - at) * sizeof *s->levels);
    return MD_OK;
  }
  if (qty == 0) {
    *was_absent = true;
    return MD_OK;
  }

  md_err_t err = side_reserve(b, s, s->cnt + 1);
  if (err) return err;
  memmove(&s->levels[at + 1], &s->levels[at], (s->cnt - at) * sizeof *s->levels);
  s->levels[at] = (md_level_t){.px = px, .qty = qty};
  s->cnt++;
  return MD_OK;
}

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
  md_level_t *from = s->levels;
  md_level_t *to   = levels_take(b->pool, s->cap);
  if (!to) return MD_ERR_FULL;

  for (uint32_t width = 1; width < s->cnt; width *= 2) {
    merge_pass(from, to, s->cnt, width, flip);
    md_level_t *swap = from;
    from             = to;
    to               = swap;
  }
  levels_give(b->pool, to, s->cap);
  s->levels = from;

  uint32_t kept = 0;
  for (uint32_t i = 0; i < s->cnt; i++) {
    if (i + 1 < s->cnt && s->levels[i].px == s->levels[i + 1].px) continue;
    s->levels[kept++] = s->levels[i];
  }
  s->cnt = kept;
  return MD_OK;
}

md_err_t
md_orderbook_load(md_orderbook_t *b, md_side_t side, const md_level_t *levels, uint32_t cnt) {
  md_book_side_t *s    = side_of(b, side);
  int64_t         flip = flip_of(side);

  s->cnt              = 0;
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
  if (side_reserve(b, s, used)) {
    side_clear(b, s);
    return MD_ERR_FULL;
  }

  uint32_t filled = 0;
  for (uint32_t i = 0; i < cnt; i++) {
    if (levels[i].qty == 0) continue;
    s->levels[best_first ? used - 1 - filled : filled] = levels[i];
    filled++;
  }
  s->cnt = used;
  if (!best_first && side_sort(b, s, flip)) {
    side_clear(b, s);
    return MD_ERR_FULL;
  }
  return MD_OK;
}

static md_err_t
level_rescale(md_level_t *l, int px_from, int px_to, int qty_from, int qty_to) {
  md_err_t err = md_rescale_i64(&l->px, px_from, px_to);
  return err ? err : md_rescale_i64(&l->qty, qty_from, qty_to);
}

md_err_t
md_orderbook_rescale(md_orderbook_t *b, int px_from, int px_to, int qty_from, int qty_to) {
  md_book_side_t *sides[] = {&b->bids, &b->asks};

  /* The first pass only looks, so that a number that does not fit leaves every level as it was. */
  for (uint32_t pass = 0; pass < 2; pass++) {
    for (uint32_t i = 0; i < MD_CNT(sides); i++) {
      for (uint32_t n = 0; n < sides[i]->cnt; n++) {
        md_level_t l   = sides[i]->levels[n];
        md_err_t   err = level_rescale(&l, px_from, px_to, qty_from, qty_to);
        if (err) return err;
        if (pass == 1) sides[i]->levels[n] = l;
      }
    }
  }
  return MD_OK;
}

bool
md_orderbook_at(const void *book, md_side_t side, uint32_t n, md_level_t *out) {
  const md_orderbook_t *b = book;
  const md_book_side_t *s = side == MD_SIDE_BUY ? &b->bids : &b->asks;
  if (n >= s->cnt) return false;
  *out = s->levels[s->cnt - 1 - n];
  return true;
}

bool
md_orderbook_crossed(const md_orderbook_t *b) {
  if (b->bids.cnt == 0 || b->asks.cnt == 0) return false;
  return b->bids.levels[b->bids.cnt - 1].px >= b->asks.levels[b->asks.cnt - 1].px;
}
