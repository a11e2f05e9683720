#include "feeds/sim/sim_book.h"

#include "feeds/json.h"

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

md_err_t
md_sim_depth_parse(const char *data, size_t len, md_sim_depth_t *out) {
  md_json_t      j;
  const uint8_t *key;
  uint32_t       key_len;
  bool           has_bids = false, has_asks = false;
  *out = (md_sim_depth_t){.bids = scratch[0], .asks = scratch[1]};
  md_json_init(&j, (const uint8_t *)data, len);
  md_json_object_begin(&j);
  while (md_json_key(&j, &key, &key_len)) {
    bool     is_bids = md_json_is(key, key_len, "b") || md_json_is(key, key_len, "bids");
    bool     is_asks = md_json_is(key, key_len, "a") || md_json_is(key, key_len, "asks");
    md_err_t err     = MD_OK;
    if (md_json_is(key, key_len, "U"))
      md_json_u64(&j, &out->first);
    else if (md_json_is(key, key_len, "u") || md_json_is(key, key_len, "lastUpdateId"))
      md_json_u64(&j, &out->last);
    else if (is_bids)
      err =
          md_json_levels(&j, MD_SIM_EXP, MD_SIM_EXP, scratch[0], MD_SIM_LEVELS_MAX, &out->bid_cnt);
    else if (is_asks)
      err =
          md_json_levels(&j, MD_SIM_EXP, MD_SIM_EXP, scratch[1], MD_SIM_LEVELS_MAX, &out->ask_cnt);
    else
      md_json_skip(&j);
    if (err) return err;
    has_bids |= is_bids;
    has_asks |= is_asks;
  }
  md_err_t err = md_json_finish(&j);
  if (err) return err;
  return has_bids && has_asks && out->last ? MD_OK : MD_ERR_SYNTAX;
}

md_err_t
md_sim_book_load(md_sim_book_t *b, const md_sim_depth_t *s) {
  b->valid     = false;
  md_err_t err = md_orderbook_load(&b->book, MD_SIDE_BUY, s->bids, s->bid_cnt);
  if (!err) err = md_orderbook_load(&b->book, MD_SIDE_SELL, s->asks, s->ask_cnt);
  if (err) return err;
  b->id    = s->last;
  b->valid = true;
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
  if (!b->valid || d->last <= b->id) return MD_OK;
  if (d->first > b->id + 1) {
    b->valid = false;
    return MD_ERR_RANGE;
  }
  md_err_t err = apply_side(b, MD_SIDE_BUY, d->bids, d->bid_cnt);
  if (!err) err = apply_side(b, MD_SIDE_SELL, d->asks, d->ask_cnt);
  if (err) {
    b->valid = false;
    return err;
  }
  b->id = d->last;
  return MD_OK;
}

static void
body_side(const md_sim_book_t *b, md_side_t side, uint32_t limit, md_sim_text_t *out) {
  md_level_t level;
  for (uint32_t i = 0; i < limit && md_orderbook_at(&b->book, side, i, &level); i++) {
    md_sim_text_str(out, i ? ",[\"" : "[\"");
    md_sim_text_decimal(out, level.px);
    md_sim_text_str(out, "\",\"");
    md_sim_text_decimal(out, level.qty);
    md_sim_text_str(out, "\"]");
  }
}

void
md_sim_book_body(const md_sim_book_t *b, uint64_t id, uint32_t limit, md_sim_text_t *out) {
  md_sim_text_str(out, "{\"lastUpdateId\":");
  md_sim_text_u64(out, id);
  md_sim_text_str(out, ",\"bids\":[");
  body_side(b, MD_SIDE_BUY, limit, out);
  md_sim_text_str(out, "],\"asks\":[");
  body_side(b, MD_SIDE_SELL, limit, out);
  md_sim_text_str(out, "]}");
}
