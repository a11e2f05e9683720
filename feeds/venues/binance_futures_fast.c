/* The messages of Binance futures as they really come: with and without `ps`, `nq` and `st`. */
#include "feeds/venues/binance_futures.h"

typedef struct shape {
  md_feed_t            *f;
  md_json_t             j;
  const md_bn_market_t *market;
  bool                  enveloped, microseconds;
} shape_t;

/* `ps`, the pair, says nothing that the symbol does not. */
static bool
pair(md_json_t *j) {
  const uint8_t *s;
  uint32_t       len;
  return !md_json_expect(j, ",\"ps\":") || md_json_string(j, &s, &len);
}

/* The end of the event, behind `st`, which must be this market's. */
static bool
ends(shape_t *x) {
  uint64_t family;
  if (md_json_expect(&x->j, ",\"st\":") &&
      (!md_json_u64(&x->j, &family) || family != x->market->family))
    return false;
  return md_bn_fast_ends(&x->j, x->enveloped);
}

static bool
time_at(const shape_t *x, int64_t value, int64_t *out) {
  return md_bn_ts(value, x->microseconds, out);
}

static bool
fast_depth(shape_t *x) {
  md_json_t       *j    = &x->j;
  md_level_t      *bids = md_feed_bid_scratch(x->f), *asks = md_feed_ask_scratch(x->f);
  md_feed_levels_t levels = {.bids = bids, .asks = asks};
  md_update_ids_t  ids;
  md_feed_event_t  event = {0};
  int64_t          sent, matched;
  if (!md_json_i64(j, &sent) || !md_json_expect(j, ",\"T\":") || !md_json_i64(j, &matched) ||
      !md_json_expect(j, ",\"s\":"))
    return false;
  md_feed_instrument_t *i = md_bn_fast_symbol(x->f, j);
  if (!i || !pair(j)) return false;
  bool read = md_json_expect(j, ",\"U\":") && md_json_u64(j, &ids.first) &&
              md_json_expect(j, ",\"u\":") && md_json_u64(j, &ids.last) &&
              md_json_expect(j, ",\"pu\":") && md_json_u64(j, &ids.prev) &&
              md_json_expect(j, ",\"b\":") &&
              md_json_levels(j, i->px_exp, i->qty_exp, bids, MD_BOOK_LEVELS_MAX, &levels.bid_cnt) ==
                  MD_OK &&
              md_json_expect(j, ",\"a\":") &&
              md_json_levels(j, i->px_exp, i->qty_exp, asks, MD_BOOK_LEVELS_MAX, &levels.ask_cnt) ==
                  MD_OK &&
              ends(x);
  if (!read || ids.first > ids.last || !md_bn_levels_are_sane(&levels)) return false;
  int64_t matched_ns;
  if (!time_at(x, sent, &event.ts_exch_ns) || !time_at(x, matched, &matched_ns)) return false;
  event.exch_seq     = ids.last;
  event.match_lag_us = md_feed_match_lag(event.ts_exch_ns, matched_ns);
  md_feed_on_update(x->f, i, &event, &ids, &levels);
  return true;
}

/* Only prints of the market: the others are rare. */
static bool
fast_trade(shape_t *x) {
  md_json_t      *j     = &x->j;
  md_trade_t      t     = {.book_seq = MD_NULL_U64};
  md_feed_event_t event = {0};
  int64_t         sent, matched;
  bool            maker_buys;
  if (!md_json_i64(j, &sent) || !md_json_expect(j, ",\"T\":") || !md_json_i64(j, &matched) ||
      !md_json_expect(j, ",\"s\":"))
    return false;
  md_feed_instrument_t *i = md_bn_fast_symbol(x->f, j);
  if (!i) return false;
  bool read = md_json_expect(j, ",\"t\":") && md_json_u64(j, &t.trade_id) &&
              md_json_expect(j, ",\"p\":") && md_bn_fast_mantissa(j, i->px_exp, &t.px) &&
              md_json_expect(j, ",\"q\":") && md_bn_fast_mantissa(j, i->qty_exp, &t.qty) &&
              md_json_expect(j, ",\"X\":\"MARKET\",\"m\":") && md_json_bool(j, &maker_buys) &&
              ends(x);
  if (!read || t.px <= 0 || t.qty < 0) return false;
  if (!time_at(x, sent, &event.ts_exch_ns) || !time_at(x, matched, &t.ts_match_ns)) return false;
  t.side         = maker_buys ? MD_SIDE_SELL : MD_SIDE_BUY;
  event.exch_seq = t.trade_id;
  (void)md_bn_trade(x->f, i, &event, &t);
  return true;
}

static bool
fast_agg_trade(shape_t *x) {
  md_json_t      *j     = &x->j;
  md_agg_trade_t  t     = {.qty_book = MD_NULL_I64};
  md_feed_event_t event = {0};
  int64_t         sent, matched;
  bool            maker_buys;
  if (!md_json_i64(j, &sent) || !md_json_expect(j, ",\"a\":") || !md_json_u64(j, &t.agg_id) ||
      !md_json_expect(j, ",\"s\":"))
    return false;
  md_feed_instrument_t *i = md_bn_fast_symbol(x->f, j);
  if (!i) return false;
  bool read = md_json_expect(j, ",\"p\":") && md_bn_fast_mantissa(j, i->px_exp, &t.px) &&
              md_json_expect(j, ",\"q\":") && md_bn_fast_mantissa(j, i->qty_exp, &t.qty);
  if (read && md_json_expect(j, ",\"nq\":")) read = md_bn_fast_mantissa(j, i->qty_exp, &t.qty_book);
  read = read && md_json_expect(j, ",\"f\":") && md_json_u64(j, &t.trade_id_first) &&
         md_json_expect(j, ",\"l\":") && md_json_u64(j, &t.trade_id_last) &&
         md_json_expect(j, ",\"T\":") && md_json_i64(j, &matched) && md_json_expect(j, ",\"m\":") &&
         md_json_bool(j, &maker_buys) && ends(x);
  if (!read || t.px <= 0 || t.qty < 0) return false;
  if (!time_at(x, sent, &event.ts_exch_ns) || !time_at(x, matched, &t.ts_match_ns)) return false;
  t.side         = maker_buys ? MD_SIDE_SELL : MD_SIDE_BUY;
  event.exch_seq = t.agg_id;
  md_bn_agg_trade(x->f, i, &event, &t);
  return true;
}

/* Behind `"s":`. */
static bool
fast_book_ticker(shape_t *x, uint64_t id) {
  md_json_t      *j     = &x->j;
  md_feed_event_t event = {.exch_seq = id};
  md_bbo_t        b     = {0};
  int64_t         sent, matched;

  md_feed_instrument_t *i = md_bn_fast_symbol(x->f, j);
  if (!i || !pair(j)) return false;
  bool read = md_json_expect(j, ",\"b\":") && md_bn_fast_mantissa(j, i->px_exp, &b.bid_px) &&
              md_json_expect(j, ",\"B\":") && md_bn_fast_mantissa(j, i->qty_exp, &b.bid_qty) &&
              md_json_expect(j, ",\"a\":") && md_bn_fast_mantissa(j, i->px_exp, &b.ask_px) &&
              md_json_expect(j, ",\"A\":") && md_bn_fast_mantissa(j, i->qty_exp, &b.ask_qty) &&
              md_json_expect(j, ",\"T\":") && md_json_i64(j, &matched) &&
              md_json_expect(j, ",\"E\":") && md_json_i64(j, &sent) && ends(x);
  if (!read || !time_at(x, sent, &event.ts_exch_ns)) return false;
  if (!time_at(x, matched, &b.ts_match_ns)) return false;
  md_bn_book_ticker(x->f, i, &event, &b);
  return true;
}

static bool
envelope(md_json_t *j, const uint8_t **name, uint32_t *len) {
  return md_json_expect(j, "{\"stream\":") && md_json_string(j, name, len) && !j->has_escape &&
         md_json_expect(j, ",\"data\":");
}

/* A whole depth has its rate behind the only other '@', "depth" before it or nothing. */
static bool
is_depth_name(const uint8_t *name, uint32_t len) {
  const uint8_t *at = memchr(name, '@', len);
  if (!at) return false;
  const uint32_t left = (uint32_t)(name + len - at);
  return left >= 6 && memcmp(at, "@depth", 6) == 0 && (left == 6 || at[6] == '@');
}

bool
md_bn_futures_fast(md_feed_t *f, const md_input_t *in, const md_bn_market_t *market) {
  shape_t        x    = {.f = f, .market = market, .microseconds = md_feed_microseconds(f, in)};
  const uint8_t *name = NULL;
  uint32_t       len  = 0;
  uint64_t       id;
  md_json_init(&x.j, in->payload, in->len);
  x.enveloped = envelope(&x.j, &name, &len);
  if (!x.enveloped) return false; /* raw streams are told apart by the general reader */
  if (name[0] == '!') return false;
  if (md_json_expect(&x.j, "{\"u\":"))
    return md_json_u64(&x.j, &id) && md_json_expect(&x.j, ",\"e\":\"bookTicker\",\"s\":") &&
           fast_book_ticker(&x, id);
  if (!md_json_expect(&x.j, "{\"e\":\"")) return false;
  if (md_json_expect(&x.j, "bookTicker\",\"u\":"))
    return md_json_u64(&x.j, &id) && md_json_expect(&x.j, ",\"s\":") && fast_book_ticker(&x, id);
  if (md_json_expect(&x.j, "depthUpdate\",\"E\":"))
    return is_depth_name(name, len) && fast_depth(&x);
  if (md_json_expect(&x.j, "trade\",\"E\":")) return fast_trade(&x);
  if (md_json_expect(&x.j, "aggTrade\",\"E\":")) return fast_agg_trade(&x);
  return false;
}
