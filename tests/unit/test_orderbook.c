#include "feeds/orderbook.h"

#include <criterion/criterion.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POOL_BYTES (64u << 20)

/* A model that cannot be wrong in the same way: every price has its cell. */
#define MODEL_PRICES 4000

typedef struct model {
  int64_t qty[2][MODEL_PRICES];
} model_t;

typedef struct random {
  uint64_t state;
} random_t;

static uint64_t
random_next(random_t *r) {
  r->state ^= r->state << 13;
  r->state ^= r->state >> 7;
  r->state ^= r->state << 17;
  return r->state;
}

static uint64_t
seed_of(uint64_t otherwise) {
  const char *text = getenv("MD_SEED");
  uint64_t    seed = text ? strtoull(text, NULL, 0) : otherwise;
  cr_log_info("seed %llu", (unsigned long long)seed);
  return seed;
}

static md_side_t
side_at(unsigned i) {
  return i == 0 ? MD_SIDE_BUY : MD_SIDE_SELL;
}

static void
check_against(const md_orderbook_t *b, const model_t *m, uint64_t seed) {
  for (unsigned i = 0; i < 2; i++) {
    uint32_t n = 0;
    for (int64_t k = 0; k < MODEL_PRICES; k++) {
      int64_t    px = i == 0 ? MODEL_PRICES - 1 - k : k;
      md_level_t l;
      if (m->qty[i][px] == 0) continue;
      cr_assert(md_orderbook_at(b, side_at(i), n, &l), "level %u is missing, seed %llu", n,
                (unsigned long long)seed);
      cr_assert(l.px == px && l.qty == m->qty[i][px], "level %u differs, seed %llu", n,
                (unsigned long long)seed);
      n++;
    }
    md_level_t none;
    cr_assert(!md_orderbook_at(b, side_at(i), n, &none), "a level too many, seed %llu",
              (unsigned long long)seed);
    cr_assert_eq(n, i == 0 ? b->bids.cnt : b->asks.cnt);
  }
}

Test(orderbook, agrees_with_a_naive_model_over_random_changes) {
  uint64_t         seed = seed_of(20260301);
  random_t         r    = {seed};
  model_t         *m    = calloc(1, sizeof *m);
  md_level_pool_t *pool = md_level_pool_new(POOL_BYTES);
  md_orderbook_t   b;
  md_orderbook_init(&b, pool);

  for (uint32_t i = 0; i < 300000; i++) {
    unsigned side = (unsigned)(random_next(&r) & 1);
    /* Phases of growth and of decay, so that runs are taken and filled again. */
    bool     decays = i / 30000 % 2 == 1;
    uint64_t pick   = random_next(&r);
    int64_t  px     = (int64_t)(pick % (pick & 0x10000 ? 300 : MODEL_PRICES));
    int64_t  qty =
        random_next(&r) % 10 < (decays ? 8 : 3) ? 0 : (int64_t)(random_next(&r) % 1000 + 1);
    bool was_absent = false;
    cr_assert_eq(md_orderbook_set(&b, side_at(side), px, qty, &was_absent), MD_OK);
    cr_assert_eq(was_absent, qty == 0 && m->qty[side][px] == 0, "seed %llu step %u",
                 (unsigned long long)seed, i);
    m->qty[side][px] = qty;
    if (i % 5000 == 0) check_against(&b, m, seed);
  }
  check_against(&b, m, seed);
  md_orderbook_clear(&b);
  cr_assert_eq(b.bids.cnt + b.asks.cnt, 0);
  md_level_pool_delete(pool);
  free(m);
}

Test(orderbook, load_takes_levels_in_any_order_and_keeps_the_last_of_a_price) {
  uint64_t         seed   = seed_of(77);
  random_t         r      = {seed};
  model_t         *m      = calloc(1, sizeof *m);
  md_level_t      *levels = calloc(MODEL_PRICES, sizeof *levels);
  md_level_pool_t *pool   = md_level_pool_new(POOL_BYTES);
  md_orderbook_t   b;
  md_orderbook_init(&b, pool);

  for (uint32_t round = 0; round < 300; round++) {
    memset(m, 0, sizeof *m);
    uint32_t cnt = (uint32_t)(random_next(&r) % (round % 3 ? 40 : MODEL_PRICES));
    for (unsigned side = 0; side < 2; side++) {
      for (uint32_t i = 0; i < cnt; i++) {
        int64_t px  = (int64_t)(random_next(&r) % MODEL_PRICES);
        int64_t qty = (int64_t)(random_next(&r) % 8);
        levels[i]   = (md_level_t){px, qty};
        if (qty) m->qty[side][px] = qty;
      }
      cr_assert_eq(md_orderbook_load(&b, side_at(side), levels, cnt), MD_OK);
    }
    check_against(&b, m, seed);
  }
  md_level_pool_delete(pool);
  free(levels);
  free(m);
}

Test(orderbook, load_of_levels_best_first_replaces_what_was_there) {
  md_level_pool_t *pool = md_level_pool_new(POOL_BYTES);
  md_orderbook_t   b;
  md_level_t       l;
  bool             was_absent;
  md_orderbook_init(&b, pool);
  cr_assert_eq(md_orderbook_set(&b, MD_SIDE_SELL, 1, 9, &was_absent), MD_OK);

  const md_level_t asks[] = {{10, 1}, {11, 0}, {12, 3}};
  cr_assert_eq(md_orderbook_load(&b, MD_SIDE_SELL, asks, 3), MD_OK);
  cr_assert_eq(b.asks.cnt, 2);
  cr_assert(md_orderbook_at(&b, MD_SIDE_SELL, 0, &l) && l.px == 10 && l.qty == 1);
  cr_assert(md_orderbook_at(&b, MD_SIDE_SELL, 1, &l) && l.px == 12 && l.qty == 3);
  cr_assert_eq(md_orderbook_load(&b, MD_SIDE_SELL, NULL, 0), MD_OK);
  cr_assert_eq(b.asks.cnt, 0);
  md_level_pool_delete(pool);
}

Test(orderbook, prices_at_the_ends_of_int64_are_ordered) {
  md_level_pool_t *pool = md_level_pool_new(POOL_BYTES);
  md_orderbook_t   b;
  md_level_t       l;
  bool             was_absent;
  const int64_t    px[] = {0, INT64_MAX, -1, INT64_MIN + 1, 1};
  md_orderbook_init(&b, pool);
  for (unsigned i = 0; i < MD_CNT(px); i++) {
    cr_assert_eq(md_orderbook_set(&b, MD_SIDE_BUY, px[i], 1, &was_absent), MD_OK);
    cr_assert_eq(md_orderbook_set(&b, MD_SIDE_SELL, px[i], 1, &was_absent), MD_OK);
  }
  cr_assert(md_orderbook_at(&b, MD_SIDE_BUY, 0, &l) && l.px == INT64_MAX);
  cr_assert(md_orderbook_at(&b, MD_SIDE_BUY, 4, &l) && l.px == INT64_MIN + 1);
  cr_assert(md_orderbook_at(&b, MD_SIDE_SELL, 0, &l) && l.px == INT64_MIN + 1);
  cr_assert(md_orderbook_at(&b, MD_SIDE_SELL, 4, &l) && l.px == INT64_MAX);
  md_level_pool_delete(pool);
}

Test(orderbook, is_bounded_by_levels_and_by_its_pool) {
  md_level_pool_t *pool = md_level_pool_new(POOL_BYTES);
  md_orderbook_t   b;
  bool             was_absent;
  md_level_t      *levels = calloc(MD_BOOK_LEVELS_MAX, sizeof *levels);
  md_orderbook_init(&b, pool);
  for (int64_t px = 0; px < MD_BOOK_LEVELS_MAX; px++) {
    levels[px] = (md_level_t){px, 1};
    cr_assert_eq(md_orderbook_set(&b, MD_SIDE_BUY, px, 1, &was_absent), MD_OK);
  }
  cr_assert_eq(md_orderbook_set(&b, MD_SIDE_BUY, MD_BOOK_LEVELS_MAX, 1, &was_absent), MD_ERR_FULL);
  cr_assert_eq(b.bids.cnt, MD_BOOK_LEVELS_MAX);
  cr_assert_eq(md_orderbook_set(&b, MD_SIDE_BUY, 5, 2, &was_absent), MD_OK);

  /* The smallest pool holds one run of 16 MiB: books of the largest size use it up, the windows of
   * the others take the place of the eighth one. */
  md_level_pool_t *small = md_level_pool_new(1);
  md_orderbook_t   books[16];
  uint32_t         full_cnt = 0;
  for (unsigned i = 0; i < MD_CNT(books); i++) {
    md_orderbook_init(&books[i], small);
    md_err_t err = md_orderbook_load(&books[i], MD_SIDE_SELL, levels, MD_BOOK_LEVELS_MAX);
    if (err == MD_ERR_FULL) {
      full_cnt++;
      cr_assert_eq(books[i].asks.cnt, 0);
    }
  }
  cr_assert_eq(full_cnt, 9);
  /* What one gives back, another one gets. */
  md_orderbook_clear(&books[0]);
  cr_assert_eq(md_orderbook_load(&books[15], MD_SIDE_SELL, levels, MD_BOOK_LEVELS_MAX), MD_OK);
  md_orderbook_clear(&books[1]);
  for (int64_t px = 0; px < 1000; px++) {
    cr_assert_eq(md_orderbook_set(&books[14], MD_SIDE_BUY, px, 1, &was_absent), MD_OK);
  }
  md_level_pool_delete(small);
  md_level_pool_delete(pool);
  free(levels);
}

Test(orderbook, rescale_changes_every_level_or_none) {
  md_level_pool_t *pool = md_level_pool_new(POOL_BYTES);
  md_orderbook_t   b;
  md_level_t       l;
  bool             was_absent;
  md_orderbook_init(&b, pool);
  cr_assert_eq(md_orderbook_set(&b, MD_SIDE_BUY, 100, 7, &was_absent), MD_OK);
  cr_assert_eq(md_orderbook_set(&b, MD_SIDE_SELL, 101, INT64_MAX / 50, &was_absent), MD_OK);

  cr_assert_eq(md_orderbook_rescale(&b, -2, -4, -1, -2), MD_OK);
  cr_assert(md_orderbook_at(&b, MD_SIDE_BUY, 0, &l) && l.px == 10000 && l.qty == 70);
  cr_assert_eq(md_orderbook_rescale(&b, -4, -5, -2, -4), MD_ERR_OVERFLOW);
  cr_assert(md_orderbook_at(&b, MD_SIDE_BUY, 0, &l) && l.px == 10000 && l.qty == 70);
  cr_assert(md_orderbook_at(&b, MD_SIDE_SELL, 0, &l) && l.px == 10100);
  md_level_pool_delete(pool);
}

Test(orderbook, crossed_needs_both_sides) {
  md_level_pool_t *pool = md_level_pool_new(POOL_BYTES);
  md_orderbook_t   b;
  bool             was_absent;
  md_orderbook_init(&b, pool);
  cr_assert(!md_orderbook_crossed(&b));
  cr_assert_eq(md_orderbook_set(&b, MD_SIDE_BUY, 100, 1, &was_absent), MD_OK);
  cr_assert(!md_orderbook_crossed(&b));
  cr_assert_eq(md_orderbook_set(&b, MD_SIDE_SELL, 101, 1, &was_absent), MD_OK);
  cr_assert(!md_orderbook_crossed(&b));
  cr_assert_eq(md_orderbook_set(&b, MD_SIDE_SELL, 100, 1, &was_absent), MD_OK);
  cr_assert(md_orderbook_crossed(&b));
  md_level_pool_delete(pool);
}

static void
check_digest(const md_orderbook_t *b, uint32_t max, const char *text) {
  unsigned char sum[SHA256_DIGEST_LENGTH];
  char          want[65], got[65];
  SHA256((const unsigned char *)text, strlen(text), sum);
  for (unsigned i = 0; i < sizeof sum; i++) {
    snprintf(want + 2 * i, 3, "%02x", sum[i]);
  }
  md_orderbook_digest(b, -2, -3, max, got);
  cr_assert_str_eq(got, want);
}

Test(orderbook, digest_is_over_the_lines_of_the_best_levels) {
  md_level_pool_t *pool = md_level_pool_new(POOL_BYTES);
  md_orderbook_t   b;
  bool             was_absent;
  md_orderbook_init(&b, pool);
  check_digest(&b, 0, "");
  const md_level_t bids[] = {{6183763, 3788}, {6183700, 20}, {5, 1000000}};
  const md_level_t asks[] = {{6183764, 1546}, {6200000, 1000}};
  for (unsigned i = 0; i < 3; i++) {
    cr_assert_eq(md_orderbook_set(&b, MD_SIDE_BUY, bids[i].px, bids[i].qty, &was_absent), MD_OK);
  }
  for (unsigned i = 0; i < 2; i++) {
    cr_assert_eq(md_orderbook_set(&b, MD_SIDE_SELL, asks[i].px, asks[i].qty, &was_absent), MD_OK);
  }
  check_digest(&b, 0, "B 61837.63 3.788\nB 61837 0.02\nB 0.05 1000\nA 61837.64 1.546\nA 62000 1\n");
  check_digest(&b, 1, "B 61837.63 3.788\nA 61837.64 1.546\n");
  check_digest(&b, 20,
               "B 61837.63 3.788\nB 61837 0.02\nB 0.05 1000\nA 61837.64 1.546\nA 62000 1\n");
  md_level_pool_delete(pool);
}

Test(orderbook, digest_of_a_large_book_is_not_cut_at_its_buffer) {
  md_level_pool_t *pool = md_level_pool_new(POOL_BYTES);
  md_orderbook_t   b;
  bool             was_absent;
  size_t           room = 2000 * 32, len = 0;
  char            *text = malloc(room);
  md_orderbook_init(&b, pool);
  for (int64_t i = 2000; i > 0; i--) {
    cr_assert_eq(md_orderbook_set(&b, MD_SIDE_BUY, i * 100, i * 1000, &was_absent), MD_OK);
    len += (size_t)snprintf(text + len, room - len, "B %d %d\n", (int)i, (int)i);
  }
  check_digest(&b, 0, text);
  free(text);
  md_level_pool_delete(pool);
}
