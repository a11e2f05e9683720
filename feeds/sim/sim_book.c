#include "feeds/sim/sim_book.h"

static md_level_t scratch[2][MD_SIM_LEVELS_MAX];

void
md_sim_book_init(md_sim_book_t *b, md_level_pool_t *pool) {
  *b = (md_sim_book_t){0};
  md_orderbook_init(&b->book, pool);
}

void
md_sim_book_free(md_sim_book_t *b) {
  md_orderbook_clear(&b->book);
}

md_level_t *
md_sim_scratch(md_side_t side) {
  return scratch[side == MD_SIDE_SELL];
}

md_err_t
md_sim_book_load(md_sim_book_t *b, const md_sim_depth_t *s) {
  b->valid     = false;
  md_err_t err = md_orderbook_load(&b->book, MD_SIDE_BUY, s->bids, s->bid_cnt);
  if (!err) err = md_orderbook_load(&b->book, MD_SIDE_SELL, s->asks, s->ask_cnt);
  if (err) return err;
  b->id    = s->last;
  b->valid = b->fresh = true;
  return MD_OK;
}

static md_err_t
apply_side(md_sim_book_t *b, md_side_t side, const md_level_t *levels, uint32_t cnt) {
  bool was_absent;
  for (uint32_t i = 0; i < cnt; i++) {
    md_err_t err = md_orderbook_set(&b->book, side, levels[i].px, levels[i].qty, &was_absent);
    if (err) return err;
  }
  return MD_OK;
}

md_err_t
md_sim_book_apply(md_sim_book_t *b, const md_sim_depth_t *d) {
  md_err_t err = apply_side(b, MD_SIDE_BUY, d->bids, d->bid_cnt);
  if (!err) err = apply_side(b, MD_SIDE_SELL, d->asks, d->ask_cnt);
  if (err) {
    b->valid = false;
    return err;
  }
  b->id    = d->last;
  b->fresh = false;
  return MD_OK;
}
