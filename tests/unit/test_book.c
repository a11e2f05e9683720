/* The book in shared memory against a naive model that keeps every level in a sorted array. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "shm/book.h"

#define MODEL_LEVELS 2048u

typedef struct model_side {
  md_level_t levels[MODEL_LEVELS]; /* best first */
  uint32_t   cnt;
} model_side_t;

typedef struct model {
  model_side_t   side[2]; /* bids, asks */
  md_book_meta_t meta;
} model_t;

static uint64_t
next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static bool
model_better(md_side_t side, int64_t a, int64_t b) {
  return side == MD_SIDE_BUY ? a > b : a < b;
}

static uint32_t
model_read(const void *ctx, md_side_t side, const md_levels_want_t *want, md_level_t *out) {
  const model_side_t *s = &((const model_t *)ctx)->side[side == MD_SIDE_BUY ? 0 : 1];
  uint32_t            n = 0;

  for (; n < want->max && want->first + n < s->cnt; n++)
    out[n] = s->levels[want->first + n];
  return n;
}

static void
model_apply(model_t *m, const md_book_change_t *c) {
  model_side_t *s = &m->side[c->side == MD_SIDE_BUY ? 0 : 1];
  uint32_t      i = 0;

  while (i < s->cnt && model_better((md_side_t)c->side, s->levels[i].px, c->px))
    i++;
  const bool   found = i < s->cnt && s->levels[i].px == c->px;
  const size_t tail  = (s->cnt - i) * sizeof s->levels[0];
  if (c->qty == 0) {
    if (!found) return;
    memmove(&s->levels[i], &s->levels[i + 1], tail - sizeof s->levels[0]);
    s->cnt--;
    return;
  }
  if (!found) {
    cr_assert_lt(s->cnt, MODEL_LEVELS);
    memmove(&s->levels[i + 1], &s->levels[i], tail);
    s->cnt++;
  }
  s->levels[i] = (md_level_t){c->px, c->qty};
}

static md_book_t *
book_make(uint32_t depth_levels, void **mem) {
  const uint64_t   bytes = md_book_footprint(depth_levels);
  const md_book_t *joined;

  cr_assert_neq(bytes, 0);
  *mem = aligned_alloc(MD_CACHE_BLOCK, bytes);
  memset(*mem, 0xa5, bytes);
  cr_assert_eq(md_book_new(*mem, depth_levels), MD_OK);
  cr_assert_eq(md_book_join(*mem, bytes, &joined), MD_OK);
  cr_assert_eq(md_book_depth_levels(joined), depth_levels);
  return *mem;
}

static void
check_side(const model_side_t *s, const md_level_t *levels, uint32_t cnt, uint32_t max,
           const char *what, uint64_t seed, unsigned step) {
  const uint32_t want = s->cnt < max ? s->cnt : max;

  cr_assert_eq(cnt, want, "%s: %u levels, not %u; seed %lu step %u", what, cnt, want, seed, step);
  for (uint32_t i = 0; i < cnt; i++) {
    cr_assert(levels[i].px == s->levels[i].px && levels[i].qty == s->levels[i].qty,
              "%s: level %u is %ld x %ld, not %ld x %ld; seed %lu step %u", what, i, levels[i].px,
              levels[i].qty, s->levels[i].px, s->levels[i].qty, seed, step);
  }
}

/* check_bbo compares the bbo with the top: all the same, but seq and time may be older. */
static void
check_bbo(const md_book_t *b, const md_book_top_t *top, uint64_t seed, unsigned step) {
  md_book_bbo_t bbo;

  cr_assert_eq(md_book_read_bbo(b, &bbo), MD_OK);
  cr_assert_eq(bbo.state, top->meta.state, "seed %lu step %u", seed, step);
  cr_assert_eq(bbo.reason, top->meta.reason, "seed %lu step %u", seed, step);
  cr_assert_eq(bbo.px_exp, top->meta.px_exp);
  cr_assert_eq(bbo.qty_exp, top->meta.qty_exp);
  cr_assert_eq(bbo.flags, top->meta.flags);
  cr_assert_eq(memcmp(&bbo.bid_px, &top->bid_px, 4 * sizeof top->bid_px), 0, "seed %lu step %u",
               seed, step);
  cr_assert_leq(bbo.last_seq, top->meta.last_seq);
}

/* check_tiers compares every tier with the model. The ladder's meta may be that of an older record.
 */
static void
check_tiers(const md_book_t *b, const model_t *m, uint64_t seed, unsigned step) {
  static md_level_t bids[MODEL_LEVELS], asks[MODEL_LEVELS];
  md_book_top_t     top;
  md_book_ladder_t  ladder;
  md_book_meta_t    meta;
  uint32_t          bid_cnt, ask_cnt;

  cr_assert_eq(md_book_read_top(b, &top), MD_OK);
  cr_assert_eq(memcmp(&top.meta, &m->meta, sizeof top.meta), 0, "seed %lu step %u", seed, step);
  cr_assert_eq(top.bid_px, m->side[0].cnt ? m->side[0].levels[0].px : MD_NULL_I64);
  cr_assert_eq(top.bid_qty, m->side[0].cnt ? m->side[0].levels[0].qty : 0);
  cr_assert_eq(top.ask_px, m->side[1].cnt ? m->side[1].levels[0].px : MD_NULL_I64);
  cr_assert_eq(top.ask_qty, m->side[1].cnt ? m->side[1].levels[0].qty : 0);

  check_bbo(b, &top, seed, step);
  cr_assert_eq(md_book_read_ladder(b, &ladder), MD_OK);
  check_side(&m->side[0], ladder.bids, ladder.bid_cnt, MD_LADDER_LEVELS, "ladder bids", seed, step);
  check_side(&m->side[1], ladder.asks, ladder.ask_cnt, MD_LADDER_LEVELS, "ladder asks", seed, step);
  cr_assert_leq(ladder.meta.last_seq, m->meta.last_seq);
  cr_assert_eq(ladder.meta.state, m->meta.state, "seed %lu step %u", seed, step);
  cr_assert_eq(ladder.meta.gen, m->meta.gen);
  cr_assert_eq(ladder.meta.px_exp, m->meta.px_exp);

  const uint32_t cap = md_book_depth_levels(b);
  const md_err_t err = md_book_read_depth(b, MODEL_LEVELS, &meta, bids, &bid_cnt, asks, &ask_cnt);
  if (cap == 0) {
    cr_assert_eq(err, MD_ERR_ABSENT);
    return;
  }
  cr_assert_eq(err, MD_OK);
  check_side(&m->side[0], bids, bid_cnt, cap, "depth bids", seed, step);
  check_side(&m->side[1], asks, ask_cnt, cap, "depth asks", seed, step);
  cr_assert_leq(meta.last_seq, m->meta.last_seq);
  cr_assert_eq(meta.state, m->meta.state, "seed %lu step %u", seed, step);
  cr_assert_eq(meta.gen, m->meta.gen);
}

/* random_change stays near the best price, sometimes far away; deletes as often as it adds. */
static md_book_change_t
random_change(const model_t *m, uint64_t *state) {
  const uint64_t      r      = next_random(state);
  const md_side_t     side   = r & 1 ? MD_SIDE_BUY : MD_SIDE_SELL;
  const model_side_t *s      = &m->side[side == MD_SIDE_BUY ? 0 : 1];
  const int64_t       spread = (r >> 1) % 4 == 0 ? 600 : 40;
  int64_t             away   = (int64_t)((r >> 8) % (uint64_t)spread);
  md_book_change_t    c      = {.side = (uint8_t)side};

  if ((r >> 4) % 3 == 0 && s->cnt > 0) {
    uint32_t n = (uint32_t)((r >> 20) % s->cnt);
    if ((r >> 6) % 2 == 0 && n > 3) n = n % 4;
    c.px = s->levels[n].px; /* one that is there: change or delete it */
  } else {
    c.px = side == MD_SIDE_BUY ? 1000 - away : 1001 + away;
  }
  c.qty = (r >> 40) % 2 == 0 ? 0 : (int64_t)((r >> 41) % 1000 + 1);
  return c;
}

static void
model_rescale(model_t *m) {
  for (unsigned i = 0; i < 2; i++) {
    for (uint32_t k = 0; k < m->side[i].cnt; k++)
      m->side[i].levels[k].qty *= 10;
  }
  m->meta.qty_exp--;
}

/* random_step makes one writer call, the same in model and book. */
static void
random_step(md_book_t *b, model_t *m, uint64_t *state, unsigned step) {
  static md_book_change_t changes[256];
  const uint64_t          r   = next_random(state);
  uint32_t                cnt = (uint32_t)(r >> 32) % 8;

  m->meta.last_seq   = step + 1;
  m->meta.ts_recv_ns = (int64_t)r >> 8;
  if (r % 997 == 0) {
    memset(m->side, 0, sizeof m->side);
    m->meta.gen++;
  }
  if (r % 1999 == 0 && m->meta.qty_exp > -12) model_rescale(m);
  if (r % 11 == 0) cnt = 30;
  if (r % 101 == 0) cnt = 200;
  if (r % 67 == 0) {
    m->meta.state  = (uint8_t)((r >> 16) % 4);
    m->meta.reason = (uint8_t)((r >> 24) % MD_REASON_CNT);
  }
  /* A new scale or generation comes with its levels, never by a bare state. */
  if (r % 61 == 0 && r % 997 != 0 && r % 1999 != 0) {
    md_book_write_state(b, &m->meta);
    cnt = 0;
  }
  for (uint32_t i = 0; i < cnt; i++) {
    changes[i] = random_change(m, state);
    model_apply(m, &changes[i]);
  }
  m->meta.bid_total = m->side[0].cnt;
  m->meta.ask_total = m->side[1].cnt;
  if (r % 499 == 0) {
    md_book_write_all(b, &m->meta, model_read, m);
  } else {
    md_book_write_changes(b, &m->meta, changes, cnt, model_read, m);
  }
}

static void
run_random(uint32_t depth_levels, uint64_t seed, unsigned steps) {
  static model_t m;
  uint64_t       state = seed;
  void          *mem;
  md_book_t     *b = book_make(depth_levels, &mem);

  memset(&m, 0, sizeof m);
  m.meta.ts_exch_ns  = MD_NULL_I64;
  m.meta.trusted_bid = MD_NULL_I64;
  m.meta.trusted_ask = MD_NULL_I64;
  for (unsigned step = 0; step < steps; step++) {
    random_step(b, &m, &state, step);
    check_tiers(b, &m, seed, step);
  }
  free(mem);
}

Test(book, a_new_book_is_empty_in_every_tier) {
  void         *mem;
  md_book_t    *b = book_make(10, &mem);
  md_book_top_t top;
  model_t      *m = calloc(1, sizeof *m);

  cr_assert_eq(md_book_read_top(b, &top), MD_OK);
  cr_assert_eq(top.meta.state, MD_BOOK_EMPTY);
  cr_assert_eq(top.meta.trusted_bid, MD_NULL_I64);
  cr_assert_eq(top.bid_px, MD_NULL_I64);
  m->meta = top.meta;
  check_tiers(b, m, 0, 0);
  free(m);
  free(mem);
}

Test(book, tiers_equal_a_naive_model_over_random_messages) {
  static const uint32_t depths[] = {0, 1, 2, 7, 20, 50, 200, 1000};

  for (unsigned i = 0; i < MD_CNT(depths); i++) {
    run_random(depths[i], 0x9e3779b97f4a7c15ull + i, 25000);
  }
}

Test(book, a_change_below_the_ladder_leaves_its_meta_and_moves_that_of_top) {
  void            *mem;
  md_book_t       *b = book_make(0, &mem);
  model_t         *m = calloc(1, sizeof *m);
  md_book_ladder_t ladder;
  md_book_top_t    top;

  for (int64_t px = 1; px <= 30; px++) {
    const md_book_change_t c = {.px = px, .qty = 5, .side = MD_SIDE_BUY};
    model_apply(m, &c);
  }
  m->meta.last_seq = 1;
  md_book_write_all(b, &m->meta, model_read, m);
  const md_book_change_t deep = {.px = 3, .qty = 9, .side = MD_SIDE_BUY};
  model_apply(m, &deep);
  m->meta.last_seq = 2;
  md_book_write_changes(b, &m->meta, &deep, 1, model_read, m);
  cr_assert_eq(md_book_read_top(b, &top), MD_OK);
  cr_assert_eq(md_book_read_ladder(b, &ladder), MD_OK);
  cr_assert_eq(top.meta.last_seq, 2);
  cr_assert_eq(ladder.meta.last_seq, 1);

  const md_book_change_t worst = {.px = 11, .qty = 0, .side = MD_SIDE_BUY};
  model_apply(m, &worst);
  m->meta.last_seq = 3;
  md_book_write_changes(b, &m->meta, &worst, 1, model_read, m);
  cr_assert_eq(md_book_read_ladder(b, &ladder), MD_OK);
  cr_assert_eq(ladder.meta.last_seq, 3);
  check_tiers(b, m, 0, 3);
  free(m);
  free(mem);
}

Test(book, depth_refills_from_the_engine_when_levels_in_its_window_go) {
  void      *mem;
  md_book_t *b = book_make(5, &mem);
  model_t   *m = calloc(1, sizeof *m);

  for (int64_t px = 1; px <= 40; px++) {
    const md_book_change_t c = {.px = px, .qty = px, .side = MD_SIDE_SELL};
    model_apply(m, &c);
  }
  md_book_write_all(b, &m->meta, model_read, m);
  /* The best goes and, in the same message, a level appears below the window but above the next. */
  const md_book_change_t both[2] = {{.px = 1, .qty = 0, .side = MD_SIDE_SELL},
                                    {.px = 7, .qty = 70, .side = MD_SIDE_SELL}};
  model_apply(m, &both[0]);
  model_apply(m, &both[1]);
  m->meta.last_seq = 1;
  md_book_write_changes(b, &m->meta, both, 2, model_read, m);
  check_tiers(b, m, 0, 1);
  for (int64_t px = 2; px <= 40; px++) {
    const md_book_change_t c = {.px = px, .qty = 0, .side = MD_SIDE_SELL};
    model_apply(m, &c);
    m->meta.last_seq++;
    md_book_write_changes(b, &m->meta, &c, 1, model_read, m);
    check_tiers(b, m, 0, (unsigned)px);
  }
  free(m);
  free(mem);
}

Test(book, read_depth_cuts_to_what_the_caller_asks) {
  void          *mem;
  md_book_t     *b = book_make(50, &mem);
  model_t       *m = calloc(1, sizeof *m);
  md_book_meta_t meta;
  md_level_t     bids[3], asks[3];
  uint32_t       bid_cnt, ask_cnt;

  for (int64_t px = 1; px <= 40; px++) {
    const md_book_change_t c = {.px = px, .qty = px, .side = MD_SIDE_BUY};
    model_apply(m, &c);
  }
  md_book_write_all(b, &m->meta, model_read, m);
  cr_assert_eq(md_book_read_depth(b, 3, &meta, bids, &bid_cnt, asks, &ask_cnt), MD_OK);
  cr_assert_eq(bid_cnt, 3);
  cr_assert_eq(ask_cnt, 0);
  cr_assert_eq(bids[0].px, 40);
  cr_assert_eq(bids[2].px, 38);
  free(m);
  free(mem);
}

Test(book, footprint_and_join_refuse_what_is_out_of_range) {
  const uint64_t   bytes = md_book_footprint(10);
  uint8_t         *mem   = aligned_alloc(MD_CACHE_BLOCK, bytes);
  const md_book_t *b;

  cr_assert_eq(md_book_footprint(MD_DEPTH_LEVELS_MAX + 1), 0);
  cr_assert_neq(md_book_footprint(MD_DEPTH_LEVELS_MAX), 0);
  cr_assert_eq(md_book_new(mem, MD_DEPTH_LEVELS_MAX + 1), MD_ERR_RANGE);
  cr_assert_eq(md_book_new(mem, 10), MD_OK);
  cr_assert_eq(md_book_join(mem, bytes - 1, &b), MD_ERR_CORRUPT);
  cr_assert_eq(md_book_join(mem, 8, &b), MD_ERR_CORRUPT);
  cr_assert_eq(md_book_join(mem + 8, bytes - 8, &b), MD_ERR_CORRUPT);
  mem[0] ^= 1;
  mem[7] ^= 1;
  cr_assert_eq(md_book_join(mem, bytes, &b), MD_ERR_VERSION);
  free(mem);
}

/* A whole header and random bytes behind it: each read ends, with an error or with bounded counts.
 */
Test(book, reading_garbage_ends_with_bounded_counts) {
  const uint64_t bytes     = md_book_footprint(30);
  uint64_t      *mem       = aligned_alloc(MD_CACHE_BLOCK, bytes);
  uint64_t       state     = 0x1234567;
  unsigned       error_cnt = 0;

  for (unsigned round = 0; round < 5000; round++) {
    const md_book_t *b;
    md_book_top_t    top;
    md_book_ladder_t ladder;
    md_book_meta_t   meta;
    md_level_t      *bids = calloc(30, sizeof *bids), *asks = calloc(30, sizeof *asks);
    uint32_t         bid_cnt, ask_cnt;

    cr_assert_eq(md_book_new(mem, 30), MD_OK);
    for (uint64_t i = MD_CACHE_BLOCK / 8; i < bytes / 8; i++) {
      mem[i] = next_random(&state) >> (round % 64);
    }
    cr_assert_eq(md_book_join(mem, bytes, &b), MD_OK);
    error_cnt += md_book_read_top(b, &top) != MD_OK;
    const md_err_t err = md_book_read_ladder(b, &ladder);
    error_cnt += err != MD_OK;
    if (err == MD_OK) {
      cr_assert_leq(ladder.bid_cnt, MD_LADDER_LEVELS);
      cr_assert_leq(ladder.ask_cnt, MD_LADDER_LEVELS);
    }
    error_cnt += md_book_read_depth(b, 30, &meta, bids, &bid_cnt, asks, &ask_cnt) != MD_OK;
    cr_assert_leq(bid_cnt, 30);
    cr_assert_leq(ask_cnt, 30);
    free(bids);
    free(asks);
    for (uint64_t i = 0; i < bytes / 8; i++)
      mem[i] = next_random(&state);
    cr_assert_eq(md_book_join(mem, bytes, &b), MD_ERR_VERSION);
  }
  cr_assert_gt(error_cnt, 10000);
  free(mem);
}

/* The readers of a best price are left alone by records that do not change it; a state that is told
 * by nothing else changes it. */
Test(book, bbo_is_rewritten_only_when_it_changes) {
  static model_t   m;
  void            *mem;
  md_book_t       *b = book_make(0, &mem);
  md_book_bbo_t    bbo;
  md_book_change_t change = {.px = 998, .qty = 7, .side = MD_SIDE_BUY};

  memset(&m, 0, sizeof m);
  m.meta    = (md_book_meta_t){.state = MD_BOOK_VALID, .last_seq = 1, .ts_recv_ns = 100};
  m.side[0] = (model_side_t){.cnt = 2, .levels = {{1000, 5}, {998, 6}}};
  m.side[1] = (model_side_t){.cnt = 1, .levels = {{1001, 4}}};
  md_book_write_all(b, &m.meta, model_read, &m);
  m.meta.last_seq   = 2;
  m.meta.ts_recv_ns = 200;
  model_apply(&m, &change);
  md_book_write_changes(b, &m.meta, &change, 1, model_read, &m);
  cr_assert_eq(md_book_read_bbo(b, &bbo), MD_OK);
  cr_assert_eq(bbo.last_seq, 1, "the second best changed");
  cr_assert_eq(bbo.ts_recv_ns, 100);
  m.meta.last_seq = 3;
  m.meta.state    = MD_BOOK_STALE;
  m.meta.reason   = MD_REASON_RESTART;
  md_book_write_state(b, &m.meta);
  cr_assert_eq(md_book_read_bbo(b, &bbo), MD_OK);
  cr_assert_eq(bbo.state, MD_BOOK_STALE);
  cr_assert_eq(bbo.reason, MD_REASON_RESTART);
  cr_assert_eq(bbo.last_seq, 3);
  cr_assert_eq(bbo.bid_px, 1000);
  m.meta.last_seq = 4;
  change          = (md_book_change_t){.px = 1000, .side = MD_SIDE_BUY};
  model_apply(&m, &change);
  md_book_write_changes(b, &m.meta, &change, 1, model_read, &m);
  cr_assert_eq(md_book_read_bbo(b, &bbo), MD_OK);
  cr_assert_eq(bbo.bid_px, 998);
  cr_assert_eq(bbo.bid_qty, 7);
  cr_assert_eq(bbo.last_seq, 4);
  free(mem);
}
