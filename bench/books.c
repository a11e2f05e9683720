#include "bench/books.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE_PX      6183763
#define LEVELS_BYTES (1ull << 15) /* of the engine's own book of one instrument */

static md_book_meta_t
meta_of(const md_bench_books_t *x, const md_bench_book_t *b) {
  return (md_book_meta_t){.state       = MD_BOOK_VALID,
                          .px_exp      = -2,
                          .qty_exp     = -5,
                          .gen         = 1,
                          .last_seq    = x->seq,
                          .exch_seq    = x->seq,
                          .ts_exch_ns  = 1723161255343000000,
                          .ts_recv_ns  = 1723161255344000000,
                          .ts_pub_ns   = 1723161255344000500,
                          .trusted_bid = MD_NULL_I64,
                          .trusted_ask = MD_NULL_I64,
                          .bid_total   = b->own.bids.cnt,
                          .ask_total   = b->own.asks.cnt};
}

static bool
make_book(md_bench_books_t *x, uint32_t i) {
  static md_level_t    levels[MD_BENCH_DEPTH];
  md_bench_book_t     *b    = &x->book[i];
  md_definition_t      d    = {.tick_size = 1, .expiry_ns = MD_NULL_I64, .kind = MD_KIND_SPOT};
  md_instrument_spec_t spec = {.definition = &d, .px_exp = -2, .qty_exp = -5, .want_book = true};
  uint32_t             id = 0, row = 0;
  bool                 good = true;
  md_bench_symbol(i, d.symbol);
  memcpy(d.normalised, d.symbol, sizeof d.normalised);
  md_orderbook_init(&b->own, x->pool);
  for (int side = 0; side < 2; side++) {
    for (uint32_t n = 0; n < MD_BENCH_DEPTH; n++)
      levels[n] = (md_level_t){.px  = side == 0 ? BASE_PX - (int64_t)n : BASE_PX + 1 + (int64_t)n,
                               .qty = 1 + md_bench_below(&x->random, 1000000)};
    good = good && md_orderbook_load(&b->own, side == 0 ? MD_SIDE_BUY : MD_SIDE_SELL, levels,
                                     MD_BENCH_DEPTH) == MD_OK;
  }
  if (!good || md_instrument_add(&x->world.segment, &spec, &id, &row, &b->shared) != MD_OK)
    return false;
  md_book_meta_t meta = meta_of(x, b);
  md_book_write_all(b->shared, &meta, md_orderbook_read, &b->own);
  return b->shared != NULL;
}

bool
md_bench_books_new(md_bench_books_t *x, uint32_t cnt) {
  memset(x, 0, sizeof *x);
  if (!md_bench_world_new(&x->world, cnt, cnt * LEVELS_BYTES)) return false;
  x->cnt    = cnt;
  x->random = 20240808;
  x->pool   = md_level_pool_new(cnt * LEVELS_BYTES * 2);
  x->book   = calloc(cnt, sizeof x->book[0]);
  bool good = x->pool && x->book;
  for (uint32_t i = 0; good && i < cnt; i++)
    good = make_book(x, i);
  if (!good) {
    md_bench_books_delete(x);
    (void)snprintf(x->world.why, sizeof x->world.why, "no memory for %u books", cnt);
  }
  return good;
}

void
md_bench_books_delete(md_bench_books_t *x) {
  md_level_pool_delete(x->pool);
  free(x->book);
  x->pool = NULL;
  x->book = NULL;
  md_bench_world_delete(&x->world);
}

/* The quantity of the at-th best price changes. r: side and quantity. */
static void
write_at(md_bench_books_t *x, md_bench_book_t *b, uint32_t at, uint64_t r) {
  bool       bids = r & 1;
  md_side_t  side = bids ? MD_SIDE_BUY : MD_SIDE_SELL;
  md_level_t level;
  bool       is_new;
  bool       has = md_orderbook_at(&b->own, side, at, &level);
  level.qty      = 1 + (int64_t)(r >> 8 & 0xfffff);
  md_err_t err   = md_orderbook_set(&b->own, side, level.px, level.qty, &is_new);
  md_assert(has && !err);
  x->seq++;
  const md_book_meta_t   meta   = meta_of(x, b);
  const md_book_change_t change = {.px = level.px, .qty = level.qty, .side = (uint8_t)side};
  md_book_write_changes(b->shared, &meta, &change, 1, md_orderbook_read, &b->own);
}

void
md_bench_books_write(md_bench_books_t *x, uint32_t cnt) {
  uint64_t r = md_bench_random(&x->random);
  write_at(x, &x->book[(r >> 32) * cnt >> 32], (uint32_t)((r >> 1) % MD_LADDER_LEVELS), r);
}

void
md_bench_books_write_best(md_bench_books_t *x, uint32_t i) {
  write_at(x, &x->book[i], 0, md_bench_random(&x->random));
}

bool
md_bench_books_check(const md_bench_books_t *x, uint32_t i) {
  static md_level_t      bids[MD_BENCH_DEPTH], asks[MD_BENCH_DEPTH];
  const md_bench_book_t *b = &x->book[i];
  md_book_bbo_t          bbo;
  md_book_top_t          top;
  md_book_ladder_t       ladder;
  md_book_meta_t         meta;
  uint32_t               bid_cnt, ask_cnt;
  md_level_t             level;
  if (md_book_read_bbo(b->shared, &bbo) || md_book_read_top(b->shared, &top) ||
      memcmp(&bbo.bid_px, &top.bid_px, 4 * sizeof top.bid_px) != 0 || bbo.state != MD_BOOK_VALID ||
      md_book_read_ladder(b->shared, &ladder) ||
      md_book_read_depth(b->shared, MD_BENCH_DEPTH, &meta, bids, &bid_cnt, asks, &ask_cnt) ||
      bid_cnt != b->own.bids.cnt || ask_cnt != b->own.asks.cnt ||
      ladder.bid_cnt != MD_LADDER_LEVELS || ladder.ask_cnt != MD_LADDER_LEVELS)
    return false;
  for (uint32_t n = 0; n < bid_cnt + ask_cnt; n++) {
    bool              is_bid = n < bid_cnt;
    uint32_t          at     = is_bid ? n : n - bid_cnt;
    const md_level_t *depth  = is_bid ? &bids[at] : &asks[at];
    const md_level_t *rung   = is_bid ? &ladder.bids[at] : &ladder.asks[at];
    if (!md_orderbook_at(&b->own, is_bid ? MD_SIDE_BUY : MD_SIDE_SELL, at, &level) ||
        memcmp(&level, depth, sizeof level) != 0)
      return false;
    if (at < MD_LADDER_LEVELS && memcmp(&level, rung, sizeof level) != 0) return false;
    if (at == 0 && (is_bid ? top.bid_px : top.ask_px) != level.px) return false;
    if (at == 0 && (is_bid ? top.bid_qty : top.ask_qty) != level.qty) return false;
  }
  return true;
}
