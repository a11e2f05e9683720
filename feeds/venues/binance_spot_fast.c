/* The messages of Binance spot as they really come. */
#include "feeds/venues/binance_fast.h"

#include <string.h>

/* ---- shapes ---- */

static bool
fast_book_ticker(md_feed_t *f, md_json_t *j, bool enveloped) {
  md_bbo_t        b     = {.ts_match_ns = MD_NULL_I64};
  md_feed_event_t event = {.ts_exch_ns = MD_NULL_I64};
  if (!md_json_u64(j, &event.exch_seq) || !md_json_expect(j, ",\"s\":")) return false;
  md_feed_instrument_t *i = md_bn_fast_symbol(f, j);
  if (!i) return false;
  bool read = md_json_expect(j, ",\"b\":") && md_bn_fast_mantissa(j, i->px_exp, &b.bid_px) &&
              md_json_expect(j, ",\"B\":") && md_bn_fast_mantissa(j, i->qty_exp, &b.bid_qty) &&
              md_json_expect(j, ",\"a\":") && md_bn_fast_mantissa(j, i->px_exp, &b.ask_px) &&
              md_json_expect(j, ",\"A\":") && md_bn_fast_mantissa(j, i->qty_exp, &b.ask_qty);
  if (!read || !md_bn_fast_ends(j, enveloped)) return false;
  md_bn_book_ticker(f, i, &event, &b);
  return true;
}

static bool
side_of(md_json_t *j, uint8_t *side) {
  bool sells = md_json_expect(j, "true");
  if (!sells && !md_json_expect(j, "false")) return false;
  *side = sells ? MD_SIDE_SELL : MD_SIDE_BUY;
  return md_json_expect(j, ",\"M\":true") || md_json_expect(j, ",\"M\":false");
}

static bool
fast_trade(md_feed_t *f, md_json_t *j, bool microseconds, bool enveloped) {
  md_trade_t      t     = {.book_seq = MD_NULL_U64};
  md_feed_event_t event = {0};
  int64_t         sent, matched;
  uint64_t        buyer = MD_NULL_U64, seller = MD_NULL_U64;
  if (!md_json_i64(j, &sent) || !md_json_expect(j, ",\"s\":")) return false;
  md_feed_instrument_t *i = md_bn_fast_symbol(f, j);
  if (!i) return false;
  bool read = md_json_expect(j, ",\"t\":") && md_json_u64(j, &t.trade_id) &&
              md_json_expect(j, ",\"p\":") && md_bn_fast_mantissa(j, i->px_exp, &t.px) &&
              md_json_expect(j, ",\"q\":") && md_bn_fast_mantissa(j, i->qty_exp, &t.qty);
  if (read && md_json_expect(j, ",\"b\":")) /* order ids, until 2023 */
    read = md_json_u64(j, &buyer) && md_json_expect(j, ",\"a\":") && md_json_u64(j, &seller);
  read = read && md_json_expect(j, ",\"T\":") && md_json_i64(j, &matched) &&
         md_json_expect(j, ",\"m\":") && side_of(j, &t.side) && md_bn_fast_ends(j, enveloped);
  if (!read || t.px <= 0 || t.qty < 0) return false;
  if (!md_bn_ts(sent, microseconds, &event.ts_exch_ns)) return false;
  if (!md_bn_ts(matched, microseconds, &t.ts_match_ns)) return false;
  event.exch_seq = t.trade_id;
  if (md_bn_trade(f, i, &event, &t) && buyer != MD_NULL_U64)
    md_bn_trade_orders(f, i, &event, t.trade_id, buyer, seller);
  return true;
}

static bool
fast_agg_trade(md_feed_t *f, md_json_t *j, bool microseconds, bool enveloped) {
  md_agg_trade_t  t     = {.qty_book = MD_NULL_I64};
  md_feed_event_t event = {0};
  int64_t         sent, matched;
  if (!md_json_i64(j, &sent) || !md_json_expect(j, ",\"s\":")) return false;
  md_feed_instrument_t *i = md_bn_fast_symbol(f, j);
  if (!i) return false;
  bool read = md_json_expect(j, ",\"a\":") && md_json_u64(j, &t.agg_id) &&
              md_json_expect(j, ",\"p\":") && md_bn_fast_mantissa(j, i->px_exp, &t.px) &&
              md_json_expect(j, ",\"q\":") && md_bn_fast_mantissa(j, i->qty_exp, &t.qty) &&
              md_json_expect(j, ",\"f\":") && md_json_u64(j, &t.trade_id_first) &&
              md_json_expect(j, ",\"l\":") && md_json_u64(j, &t.trade_id_last) &&
              md_json_expect(j, ",\"T\":") && md_json_i64(j, &matched) &&
              md_json_expect(j, ",\"m\":") && side_of(j, &t.side) && md_bn_fast_ends(j, enveloped);
  if (!read || t.px <= 0 || t.qty < 0) return false;
  if (!md_bn_ts(sent, microseconds, &event.ts_exch_ns)) return false;
  if (!md_bn_ts(matched, microseconds, &t.ts_match_ns)) return false;
  event.exch_seq = t.agg_id;
  md_bn_agg_trade(f, i, &event, &t);
  return true;
}

static bool
fast_depth(md_feed_t *f, md_json_t *j, bool microseconds, bool enveloped) {
  md_update_ids_t  ids    = {.prev = MD_NULL_U64};
  md_feed_event_t  event  = {0};
  md_feed_levels_t levels = {.bids = md_feed_bid_scratch(f), .asks = md_feed_ask_scratch(f)};
  int64_t          sent;
  if (!md_json_i64(j, &sent) || !md_json_expect(j, ",\"s\":")) return false;
  md_feed_instrument_t *i = md_bn_fast_symbol(f, j);
  if (!i) return false;
  md_feed_expect(f, i);
  bool read = md_json_expect(j, ",\"U\":") && md_json_u64(j, &ids.first) &&
              md_json_expect(j, ",\"u\":") && md_json_u64(j, &ids.last) &&
              md_json_expect(j, ",\"b\":") &&
              md_json_levels(j, i->px_exp, i->qty_exp, md_feed_bid_scratch(f), MD_BOOK_LEVELS_MAX,
                             &levels.bid_cnt) == MD_OK &&
              md_json_expect(j, ",\"a\":");
  if (!read) return false;
  md_feed_expect_more(f, i);
  read = md_json_levels(j, i->px_exp, i->qty_exp, md_feed_ask_scratch(f), MD_BOOK_LEVELS_MAX,
                        &levels.ask_cnt) == MD_OK &&
         md_bn_fast_ends(j, enveloped);
  if (!read || ids.first > ids.last || !md_bn_levels_are_sane(&levels)) return false;
  if (!md_bn_ts(sent, microseconds, &event.ts_exch_ns)) return false;
  event.exch_seq = ids.last;
  md_feed_on_update(f, i, &event, &ids, &levels);
  return true;
}

/* Behind `{"stream":"<name>","data":`: true when the name ends in @bookTicker, else *is_ticker
 * stays false. */
static bool
envelope(md_json_t *j, bool *is_ticker) {
  static const char kind[] = "@bookTicker";
  const size_t      n      = sizeof kind - 1;
  const uint8_t    *name;
  uint32_t          len;
  if (!md_json_expect(j, "{\"stream\":")) return false;
  if (!md_json_string(j, &name, &len) || j->has_escape) return false;
  *is_ticker = len > n && memcmp(name + len - n, kind, n) == 0 && !memchr(name, '@', len - n);
  return md_json_expect(j, ",\"data\":");
}

bool
md_bn_fast(md_feed_t *f, const md_input_t *in) {
  md_json_t j;
  bool      is_ticker = false;
  md_json_init(&j, in->payload, in->len);
  bool enveloped = envelope(&j, &is_ticker);
  if (!enveloped) md_json_init(&j, in->payload, in->len);
  if (is_ticker) return md_json_expect(&j, "{\"u\":") && fast_book_ticker(f, &j, enveloped);
  if (!md_json_expect(&j, "{\"e\":\"")) return false;
  if (md_json_expect(&j, "depthUpdate\",\"E\":"))
    return fast_depth(f, &j, md_feed_microseconds(f, in), enveloped);
  if (md_json_expect(&j, "trade\",\"E\":"))
    return fast_trade(f, &j, md_feed_microseconds(f, in), enveloped);
  if (md_json_expect(&j, "aggTrade\",\"E\":"))
    return fast_agg_trade(f, &j, md_feed_microseconds(f, in), enveloped);
  return false;
}
