/* Depth in shared memory, window and circle, against a naive model: markets that walk, jump, thin
 * out and fill up again, for many depths; and readers that were slow, whose words come back out of
 * the log. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "shm/book_layout.h"

#define MODEL_LEVELS 8192u
#define CHANGE_MAX   256u

typedef struct model_side {
  md_level_t levels[MODEL_LEVELS]; /* worst first */
  uint32_t   cnt;
} model_side_t;

typedef struct model {
  model_side_t   side[2]; /* bids, asks */
  md_book_meta_t meta;
} model_t;

/* How a market goes on: its middle walks by walk and sometimes jumps, its levels lie apart by gap,
 * most of them within reach of it. */
typedef struct market {
  int64_t  middle, walk, jump, gap, reach;
  uint32_t change_max;
} market_t;

static model_t model;

static uint64_t
next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static uint32_t
model_find(const model_side_t *s, md_side_t side, int64_t px) {
  uint32_t low = 0, high = s->cnt;

  while (low < high) {
    const uint32_t mid = (low + high) / 2;
    if (md_book_key(side, s->levels[mid].px) < md_book_key(side, px))
      low = mid + 1;
    else
      high = mid;
  }
  return low;
}

static uint32_t
model_read(const void *ctx, md_side_t side, const md_levels_want_t *want, md_level_t *out) {
  const model_side_t *s = &((const model_t *)ctx)->side[side == MD_SIDE_BUY ? 0 : 1];
  uint32_t            n = 0;

  for (; n < want->max && want->first + n < s->cnt; n++)
    out[n] = s->levels[s->cnt - 1 - want->first - n];
  return n;
}

static bool
model_apply(model_t *m, const md_book_change_t *c) {
  model_side_t  *s = &m->side[c->side == MD_SIDE_BUY ? 0 : 1];
  const uint32_t i = model_find(s, (md_side_t)c->side, c->px);

  const bool found = i < s->cnt && s->levels[i].px == c->px;
  if (c->qty != 0 && !found) {
    if (s->cnt == MODEL_LEVELS) return false;
    memmove(&s->levels[i + 1], &s->levels[i], (s->cnt - i) * sizeof s->levels[0]);
    s->cnt++;
  }
  if (c->qty != 0) s->levels[i] = (md_level_t){c->px, c->qty};
  if (c->qty == 0 && found) {
    s->cnt--;
    memmove(&s->levels[i], &s->levels[i + 1], (s->cnt - i) * sizeof s->levels[0]);
  }
  return true;
}

static md_book_t *
book_make(uint32_t depth_levels) {
  const uint64_t bytes = md_book_footprint(depth_levels);
  void          *mem   = aligned_alloc(MD_CACHE_BLOCK, bytes);

  cr_assert_not_null(mem);
  memset(mem, 0xa5, bytes);
  cr_assert_eq(md_book_new(mem, depth_levels), MD_OK);
  memset(&model, 0, sizeof model);
  model.meta.trusted_bid = MD_NULL_I64;
  model.meta.trusted_ask = MD_NULL_I64;
  return mem;
}

static const md_book_depth_own_t *
own_of(const md_book_t *b) {
  return (const void *)((const uint8_t *)b + sizeof *b);
}

static void
check_side(const model_side_t *s, const md_level_t *levels, uint32_t cnt, uint32_t max,
           unsigned step) {
  const uint32_t want = s->cnt < max ? s->cnt : max;

  cr_assert_eq(cnt, want, "%u levels, not %u, step %u", cnt, want, step);
  for (uint32_t i = 0; i < cnt; i++) {
    const md_level_t *level = &s->levels[s->cnt - 1 - i];
    cr_assert(levels[i].px == level->px && levels[i].qty == level->qty,
              "level %u is %ld x %ld, not %ld x %ld, step %u", i, levels[i].px, levels[i].qty,
              level->px, level->qty, step);
  }
}

static void
check_depth(const md_book_t *b, uint32_t max, unsigned step) {
  static md_level_t bids[MODEL_LEVELS], asks[MODEL_LEVELS];
  const uint32_t    cap = md_book_depth_levels(b) < max ? md_book_depth_levels(b) : max;
  md_book_meta_t    meta;
  uint32_t          bid_cnt, ask_cnt;

  cr_assert_eq(md_book_read_depth(b, max, &meta, bids, &bid_cnt, asks, &ask_cnt), MD_OK, "step %u",
               step);
  check_side(&model.side[0], bids, bid_cnt, cap, step);
  check_side(&model.side[1], asks, ask_cnt, cap, step);
}

static md_book_change_t
random_change(market_t *k, uint64_t *state) {
  const uint64_t      r    = next_random(state);
  const md_side_t     side = r & 1 ? MD_SIDE_BUY : MD_SIDE_SELL;
  const model_side_t *s    = &model.side[side == MD_SIDE_BUY ? 0 : 1];
  const int64_t       far  = (r >> 1) % 8 == 0 ? 8 : 1;
  const int64_t       away = (int64_t)(next_random(state) % (uint64_t)(k->reach * far)) * k->gap;
  md_book_change_t    c    = {.side = (uint8_t)side};

  c.px  = side == MD_SIDE_BUY ? k->middle - away : k->middle + 1 + away;
  c.qty = (r >> 8) % 5 < 2 ? 0 : (int64_t)(r >> 40) + 1;
  if ((r >> 4) % 4 == 0 && s->cnt > 0) /* one of the best */
    c.px = s->levels[s->cnt - 1 - (r >> 16) % (s->cnt < 8 ? s->cnt : 8)].px;
  return c;
}

/* random_message makes a message, bids first, as the engine does; what a walk left behind on the
 * wrong side of the middle goes. Sometimes a price comes twice. */
static uint32_t
random_message(market_t *k, uint64_t *state, md_book_change_t *changes) {
  static md_book_change_t mixed[CHANGE_MAX];
  const uint64_t          r   = next_random(state);
  uint32_t                cnt = (uint32_t)((r >> 32) % (k->change_max + 1)), n = 0;

  k->middle += (int64_t)(r % (uint64_t)(2 * k->walk + 1)) - k->walk;
  if ((r >> 8) % 400 == 0) k->middle += (r >> 20) & 1 ? k->jump : -k->jump;
  for (uint32_t i = 0; i < cnt; i++) {
    mixed[i] = random_change(k, state);
    if (i > 0 && (r >> 16) % 7 == 0) {
      mixed[i].px   = mixed[i - 1].px;
      mixed[i].side = mixed[i - 1].side;
    }
  }
  for (unsigned which = 0; which < 2; which++) {
    const md_side_t     side = which == 0 ? MD_SIDE_BUY : MD_SIDE_SELL;
    const model_side_t *s    = &model.side[which];
    for (uint32_t i = 0; i < cnt; i++)
      if (mixed[i].side == (uint8_t)side) changes[n++] = mixed[i];
    for (uint32_t i = s->cnt; i > 0 && n < CHANGE_MAX - 8; i--) {
      const int64_t px = s->levels[i - 1].px;
      if (side == MD_SIDE_BUY ? px <= k->middle : px > k->middle) break;
      changes[n++] = (md_book_change_t){.px = px, .side = (uint8_t)side};
    }
  }
  return n;
}

static void
run_market(uint32_t depth_levels, market_t k, unsigned steps, uint64_t *window_cnt) {
  static md_book_change_t changes[CHANGE_MAX + 16];
  md_book_t              *b     = book_make(depth_levels);
  uint64_t                state = 0x9e3779b97f4a7c15ull + depth_levels;

  for (unsigned step = 0; step < steps; step++) {
    const uint32_t cnt = random_message(&k, &state, changes);
    for (uint32_t i = 0; i < cnt; i++)
      cr_assert(model_apply(&model, &changes[i]));
    model.meta.last_seq = step + 1;
    md_book_write_changes(b, &model.meta, changes, cnt, model_read, &model);
    if (step % 3 == 0 || step + 1 == steps) check_depth(b, MODEL_LEVELS, step);
    if (step % 7 == 0) check_depth(b, (uint32_t)(next_random(&state) % 40), step);
    *window_cnt += own_of(b)->side[0].ticks != 0;
  }
  free(b);
}

Test(book_depth, equals_a_naive_model_in_markets_of_many_kinds) {
  static const uint32_t depths[]  = {1, 2, 7, 20, 33, 50, 200, 1000, 2500};
  static const market_t markets[] = {
      {.middle = 100000, .walk = 1, .jump = 3000, .gap = 1, .reach = 60, .change_max = 40},
      {.middle = 100000, .walk = 9, .jump = 90, .gap = 1, .reach = 900, .change_max = 60},
      {.middle = 100000, .walk = 0, .jump = 40000, .gap = 3, .reach = 300, .change_max = 12},
      {.middle = 100000, .walk = 40, .jump = 900, .gap = 500, .reach = 25, .change_max = 9},
      {.middle     = INT64_MAX - 9000,
       .walk       = 3,
       .jump       = 500,
       .gap        = 1,
       .reach      = 200,
       .change_max = 30},
      {.middle     = INT64_MIN + 20000,
       .walk       = 3,
       .jump       = 500,
       .gap        = 2,
       .reach      = 200,
       .change_max = 30},
  };

  for (unsigned k = 0; k < MD_CNT(markets); k++) {
    for (unsigned i = 0; i < MD_CNT(depths); i++) {
      uint64_t with_window = 0;
      run_market(depths[i], markets[k], 4000, &with_window);
      if (k < 2) cr_assert_gt(with_window, 100, "depth %u of market %u", depths[i], k);
    }
  }
}

/* ---- readers that were slow ---- */

#define SLOW_LEVELS 300u

/* What a state held when it was the newest. */
typedef struct seen {
  md_book_meta_t meta;
  md_level_t     bids[SLOW_LEVELS], asks[SLOW_LEVELS];
  uint32_t       bid_cnt, ask_cnt;
} seen_t;

static md_err_t
read_seen(const md_book_t *b, seen_t *out) {
  return md_book_read_depth(b, SLOW_LEVELS, &out->meta, out->bids, &out->bid_cnt, out->asks,
                            &out->ask_cnt);
}

static bool
same_seen(const seen_t *a, const seen_t *b) {
  return memcmp(&a->meta, &b->meta, sizeof a->meta) == 0 && a->bid_cnt == b->bid_cnt &&
         a->ask_cnt == b->ask_cnt && memcmp(a->bids, b->bids, a->bid_cnt * sizeof *a->bids) == 0 &&
         memcmp(a->asks, b->asks, a->ask_cnt * sizeof *a->asks) == 0;
}

/* Who took an older state and reads the levels only now gets what it held then, or is told to try
 * again. */
static void
run_slow(uint32_t depth_levels, market_t k, uint64_t *good_cnt, uint64_t *busy_cnt) {
  static md_book_change_t changes[CHANGE_MAX + 16];
  static seen_t           seen[MD_BOOK_STATES], now;
  md_book_t              *b     = book_make(depth_levels);
  uint64_t                state = 0x1234567 + depth_levels;

  for (unsigned step = 0; step < 3000; step++) {
    const uint32_t cnt = random_message(&k, &state, changes);
    for (uint32_t i = 0; i < cnt; i++)
      cr_assert(model_apply(&model, &changes[i]));
    model.meta.last_seq = step + 1;
    md_book_write_changes(b, &model.meta, changes, cnt, model_read, &model);
    const uint64_t newest = md_load_relaxed(&b->depth_newest); /* one thread */
    cr_assert_eq(read_seen(b, &seen[newest % MD_BOOK_STATES]), MD_OK);
    for (uint64_t back = 1; back < MD_BOOK_STATES - 1 && step > 100; back++) {
      md_store_relaxed(&b->depth_newest, newest - back); /* as the reader found it */
      const md_err_t err = read_seen(b, &now);
      cr_assert(err == MD_OK || err == MD_ERR_BUSY, "step %u, %lu back: %d", step, back, err);
      if (err == MD_OK)
        cr_assert(same_seen(&now, &seen[(newest - back) % MD_BOOK_STATES]), "step %u, %lu back",
                  step, back);
      *(err == MD_OK ? good_cnt : busy_cnt) += 1;
    }
    md_store_relaxed(&b->depth_newest, newest);
  }
  free(b);
}

Test(book_depth, a_slow_reader_gets_the_levels_of_its_state_or_is_told) {
  static const uint32_t depths[]  = {2, 7, 20, 50, 200, 1000};
  static const market_t markets[] = {
      {.middle = 100000, .walk = 1, .jump = 3000, .gap = 1, .reach = 60, .change_max = 9},
      {.middle = 100000, .walk = 9, .jump = 90, .gap = 1, .reach = 900, .change_max = 40},
      {.middle = 100000, .walk = 0, .jump = 40000, .gap = 3, .reach = 300, .change_max = 12},
      {.middle = 100000, .walk = 40, .jump = 900, .gap = 500, .reach = 25, .change_max = 9},
  };

  for (unsigned k = 0; k < MD_CNT(markets); k++) {
    for (unsigned i = 0; i < MD_CNT(depths); i++) {
      uint64_t good_cnt = 0, busy_cnt = 0;
      run_slow(depths[i], markets[k], &good_cnt, &busy_cnt);
      cr_assert_gt(good_cnt, 1000, "market %u depth %u: %lu good, %lu busy", k, depths[i], good_cnt,
                   busy_cnt);
    }
  }
}
