/* The order book beside a sorted array over random messages: near and far from the best price, on
 * both sides of zero, at the ends of int64, while the market walks, jumps and empties; and the live
 * book that is written from it beside the same array. */
#include "feeds/orderbook.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POOL_BYTES (64u << 20)
#define MODEL_MAX  6000u
#define BATCH_MAX  80u

typedef struct model_side {
  md_level_t level[MODEL_MAX]; /* best first */
  uint32_t   cnt;
} model_side_t;

typedef struct world {
  uint64_t         random, seed;
  md_level_pool_t *pool;
  md_orderbook_t   book;
  model_side_t     side[2];
  int64_t          middle;
  md_level_t       batch[BATCH_MAX];
  md_book_change_t changes[2 * BATCH_MAX];
  md_book_t       *shared;
  void            *memory;
  uint32_t         depth;
  md_book_meta_t   meta;
} world_t;

static uint64_t
next(world_t *w) {
  w->random ^= w->random << 13;
  w->random ^= w->random >> 7;
  w->random ^= w->random << 17;
  return w->random;
}

static md_side_t
side_at(unsigned i) {
  return i == 0 ? MD_SIDE_BUY : MD_SIDE_SELL;
}

static bool
is_better(unsigned side, int64_t a, int64_t b) {
  return side == 0 ? a > b : a < b;
}

/* Changes the array; true when that changed anything. */
static bool
model_set(world_t *w, unsigned side, md_level_t l) {
  model_side_t *s  = &w->side[side];
  uint32_t      at = 0, high = s->cnt;
  while (at < high) {
    uint32_t middle = at + (high - at) / 2;
    if (is_better(side, s->level[middle].px, l.px))
      at = middle + 1;
    else
      high = middle;
  }
  const bool found = at < s->cnt && s->level[at].px == l.px;
  if (!found && l.qty == 0) return false;
  if (found && l.qty == 0) {
    s->cnt--;
    memmove(&s->level[at], &s->level[at + 1], (s->cnt - at) * sizeof l);
    return true;
  }
  if (!found) {
    cr_assert_lt(s->cnt, MODEL_MAX);
    memmove(&s->level[at + 1], &s->level[at], (s->cnt - at) * sizeof l);
    s->cnt++;
  }
  s->level[at] = l;
  return true;
}

/* Now and then far away: as far as the window reaches, beyond it, anywhere. */
static int64_t
random_px(world_t *w, unsigned side) {
  static const uint64_t reach[] = {30, 30, 30, 300, 300, 3000, 5000, 9000, 1000000};
  const uint64_t        r       = next(w) % 200;
  if (r == 0) return (int64_t)next(w);
  if (r == 1)
    return next(w) & 1 ? INT64_MAX - (int64_t)(next(w) % 50) : INT64_MIN + (int64_t)(next(w) % 50);
  const int64_t off = (int64_t)(next(w) % reach[next(w) % MD_CNT(reach)]) - 5;
  return side == 0 ? w->middle - off : w->middle + 1 + off;
}

static uint32_t
make_batch(world_t *w, unsigned side, unsigned deletes_of_ten) {
  const uint32_t cnt = (uint32_t)(next(w) % (next(w) % 8 == 0 ? BATCH_MAX : 12));
  for (uint32_t n = 0; n < cnt; n++) {
    const bool     is_gone = next(w) % 10 < deletes_of_ten;
    model_side_t  *s       = &w->side[side];
    const uint32_t at = s->cnt ? (uint32_t)(next(w) % (next(w) & 1 ? s->cnt : s->cnt / 16 + 1)) : 0;
    const bool     is_had = s->cnt > 0 && (next(w) % 3 == 0 || s->cnt > MODEL_MAX - 2 * BATCH_MAX);
    w->batch[n].px        = is_had ? s->level[at].px : random_px(w, side);
    w->batch[n].qty =
        is_gone || s->cnt > MODEL_MAX - 2 * BATCH_MAX ? 0 : 1 + (int64_t)(next(w) % 1000);
  }
  return cnt;
}

static void
check_side(world_t *w, unsigned side, unsigned long step) {
  static md_level_t   got[MODEL_MAX + 8];
  const model_side_t *s     = &w->side[side];
  const uint32_t      first = (uint32_t)(next(w) % (s->cnt + 3));
  const uint32_t      cnt   = side == 0 ? w->book.bids.cnt : w->book.asks.cnt;
  md_levels_want_t    want  = {.max = MODEL_MAX + 8};
  cr_assert_eq(cnt, s->cnt, "side %u step %lu seed %llu", side, step, (unsigned long long)w->seed);
  cr_assert_eq(md_orderbook_read(&w->book, side_at(side), &want, got), s->cnt, "step %lu", step);
  cr_assert(s->cnt == 0 || memcmp(got, s->level, s->cnt * sizeof got[0]) == 0,
            "side %u step %lu seed %llu", side, step, (unsigned long long)w->seed);

  want.first           = first;
  want.max             = (uint32_t)(next(w) % 440);
  const uint32_t there = first < s->cnt ? s->cnt - first : 0;
  const uint32_t n     = there < want.max ? there : want.max;
  cr_assert_eq(md_orderbook_read(&w->book, side_at(side), &want, got), n, "step %lu", step);
  cr_assert(n == 0 || memcmp(got, &s->level[first], n * sizeof got[0]) == 0, "step %lu", step);
}

static void
check_crossed(world_t *w) {
  const bool both = w->side[0].cnt > 0 && w->side[1].cnt > 0;
  cr_assert_eq(md_orderbook_crossed(&w->book),
               both && w->side[0].level[0].px >= w->side[1].level[0].px);
}

static void
check_shared(world_t *w, unsigned long step) {
  static md_level_t levels[2][2000];
  md_book_ladder_t  ladder;
  md_book_top_t     top;
  md_book_meta_t    meta;
  uint32_t          cnt[2];
  cr_assert_eq(md_book_read_top(w->shared, &top), MD_OK);
  cr_assert_eq(md_book_read_ladder(w->shared, &ladder), MD_OK);
  cr_assert_eq(md_book_read_depth(w->shared, 2000, &meta, levels[0], &cnt[0], levels[1], &cnt[1]),
               MD_OK);
  for (unsigned side = 0; side < 2; side++) {
    const model_side_t *s    = &w->side[side];
    const uint32_t      deep = s->cnt < w->depth ? s->cnt : w->depth;
    const uint32_t      rung = s->cnt < MD_LADDER_LEVELS ? s->cnt : MD_LADDER_LEVELS;
    cr_assert_eq(cnt[side], deep, "step %lu", step);
    cr_assert(deep == 0 || memcmp(levels[side], s->level, deep * sizeof(md_level_t)) == 0,
              "depth %u side %u step %lu seed %llu", w->depth, side, step,
              (unsigned long long)w->seed);
    cr_assert_eq(side == 0 ? ladder.bid_cnt : ladder.ask_cnt, rung);
    cr_assert(memcmp(side == 0 ? ladder.bids : ladder.asks, s->level, rung * sizeof(md_level_t)) ==
                  0,
              "side %u step %lu", side, step);
    cr_assert_eq(side == 0 ? top.bid_px : top.ask_px, s->cnt ? s->level[0].px : MD_NULL_I64);
  }
}

/* One message to book, array and live book. */
static void
message(world_t *w, unsigned deletes_of_ten) {
  md_book_applied_t did     = {.changes = w->changes};
  uint32_t          changed = 0, all = 0;
  for (unsigned side = 0; side < 2; side++) {
    const uint32_t cnt = make_batch(w, side, deletes_of_ten);
    cr_assert_eq(md_orderbook_apply(&w->book, side_at(side), w->batch, cnt, &did), MD_OK);
    for (uint32_t n = 0; n < cnt; n++)
      changed += model_set(w, side, w->batch[n]);
    all += cnt;
  }
  cr_assert_eq(did.change_cnt, changed);
  cr_assert_eq(did.absent_cnt, all - changed);
  w->meta.last_seq++;
  md_book_write_changes(w->shared, &w->meta, w->changes, did.change_cnt, md_orderbook_read,
                        &w->book);
}

static void
begin(world_t *w, uint64_t seed, uint32_t depth) {
  const char *text = getenv("MD_SEED");
  memset(w, 0, sizeof *w);
  w->seed   = text ? strtoull(text, NULL, 0) : seed;
  w->random = w->seed;
  w->depth  = depth;
  w->pool   = md_level_pool_new(POOL_BYTES);
  w->memory = aligned_alloc(MD_CACHE_BLOCK, md_book_footprint(depth));
  w->shared = w->memory;
  w->meta   = (md_book_meta_t){.state = MD_BOOK_VALID, .px_exp = -2, .qty_exp = -5, .gen = 1};
  md_orderbook_init(&w->book, w->pool);
  cr_assert_eq(md_book_new(w->memory, depth), MD_OK);
  cr_log_info("seed %llu", (unsigned long long)w->seed);
}

static void
end(world_t *w) {
  md_orderbook_clear(&w->book);
  md_level_pool_delete(w->pool);
  free(w->memory);
}

static void
clear(world_t *w) {
  md_orderbook_clear(&w->book);
  w->side[0].cnt = 0;
  w->side[1].cnt = 0;
  w->meta.gen++; /* everything is written anew */
}

/* A snapshot of what there is, cut to a part of it. */
static void
trim(world_t *w) {
  for (unsigned side = 0; side < 2; side++) {
    model_side_t *s = &w->side[side];
    s->cnt          = s->cnt ? (uint32_t)(next(w) % s->cnt) : 0;
    cr_assert_eq(md_orderbook_load(&w->book, side_at(side), s->level, s->cnt), MD_OK);
  }
  w->meta.gen++;
}

static void
run(uint64_t seed, uint32_t depth, unsigned long steps) {
  static world_t w;
  begin(&w, seed, depth);
  for (unsigned long step = 0; step < steps; step++) {
    const uint64_t r = next(&w) % 2000;
    message(&w, step / 300 % 4 == 3 ? 8 : 3); /* growth, then decay */
    if (r < 400) w.middle += (int64_t)(next(&w) % 41) - 20;
    if (r >= 400 && r < 410) w.middle += (int64_t)(next(&w) % 20001) - 10000;
    if (r == 500) w.middle = INT64_MAX - 2000;
    if (r == 501) w.middle = INT64_MIN + 2000;
    if (r == 502) w.middle = 0;
    if (r == 503) clear(&w);
    if (r == 504) trim(&w);
    if (step % 7 == 0 || step + 1 == steps) {
      check_side(&w, 0, step);
      check_side(&w, 1, step);
      check_crossed(&w);
    }
    if (r < 503 || r > 504) check_shared(&w, step);
  }
  end(&w);
}

Test(orderbook_window, book_and_live_book_equal_a_sorted_array_over_random_messages) {
  run(20261122, 1000, 12000);
}

Test(orderbook_window, so_they_do_with_a_depth_less_than_the_ladder) {
  run(8, 5, 4000);
}

Test(orderbook_window, so_they_do_with_a_depth_that_is_often_full) {
  run(88, 100, 6000);
}

Test(orderbook_window, a_price_far_above_the_market_and_its_end_leave_the_book_as_it_was) {
  static world_t w;
  bool           was_absent;
  begin(&w, 5, 100);
  for (int64_t n = 0; n < 500; n++) {
    (void)model_set(&w, 0, (md_level_t){100000 - n, 1 + n});
    cr_assert_eq(md_orderbook_set(&w.book, MD_SIDE_BUY, 100000 - n, 1 + n, &was_absent), MD_OK);
  }
  for (int turn = 0; turn < 100; turn++) {
    cr_assert_eq(md_orderbook_set(&w.book, MD_SIDE_BUY, INT64_MAX, 7, &was_absent), MD_OK);
    cr_assert_eq(w.book.bids.cnt, 501);
    cr_assert_eq(md_orderbook_set(&w.book, MD_SIDE_BUY, INT64_MAX, 0, &was_absent), MD_OK);
    cr_assert(!was_absent);
    cr_assert_eq(md_orderbook_set(&w.book, MD_SIDE_BUY, 99990, 1 + 10, &was_absent), MD_OK);
    check_side(&w, 0, (unsigned long)turn);
  }
  end(&w);
}

Test(orderbook_window, rescale_moves_every_level_and_gives_room_for_new_ones) {
  static world_t w;
  bool           was_absent;
  begin(&w, 6, 100);
  for (int64_t n = 0; n < 300; n++) {
    (void)model_set(&w, 1, (md_level_t){(1000 + n) * 10, (1 + n) * 100});
    cr_assert_eq(md_orderbook_set(&w.book, MD_SIDE_SELL, 1000 + n, 1 + n, &was_absent), MD_OK);
  }
  cr_assert_eq(md_orderbook_rescale(&w.book, -2, -3, -5, -7), MD_OK);
  check_side(&w, 1, 0);
  for (int64_t n = 0; n < 300; n++) {
    (void)model_set(&w, 1, (md_level_t){9995 + n, 1});
    cr_assert_eq(md_orderbook_set(&w.book, MD_SIDE_SELL, 9995 + n, 1, &was_absent), MD_OK);
  }
  check_side(&w, 1, 1);
  end(&w);
}
