/* Events that the Binance markets write alike. Each is read wholly before any of it is applied. */
#include "feeds/venues/binance_fast.h"

#include <string.h>

static md_err_t
on_depth_update(md_bn_context_t *c, bool is_chained) {
  md_feed_t       *f   = c->feed;
  md_update_ids_t  ids = {.prev = MD_NULL_U64};
  md_feed_levels_t levels;
  /* Without its ids or levels it is a message of this book that cannot be applied. */
  md_feed_instrument_t *i = md_feed_lookup(f, c->symbol, c->symbol_len);
  if ((is_chained && !md_bn_u64(c->s, MD_BN_PU, &ids.prev)) || !md_bn_u64(c->s, 'U', &ids.first) ||
      !md_bn_u64(c->s, 'u', &ids.last) || ids.first > ids.last || !md_bn_has(c->s, 'b') ||
      !md_bn_has(c->s, 'a')) {
    md_feed_bad_message(f, i, MD_ERR_SYNTAX);
    return MD_OK;
  }
  if (!i) i = md_bn_instrument(c);
  if (!i) return MD_ERR_UNKNOWN;
  md_err_t err = md_bn_levels(f, i, md_bn_value(c->s, 'b'), md_bn_value(c->s, 'a'), &levels);
  if (err) {
    md_feed_bad_message(f, i, err);
    return MD_OK;
  }
  c->event.exch_seq = ids.last;
  uint16_t no_flags = 0;
  if (md_bn_has(c->s, 'T'))
    c->event.match_lag_us =
        md_feed_match_lag(c->event.ts_exch_ns, md_bn_time(c->s, 'T', c->microseconds, &no_flags));
  md_feed_on_update(f, i, &c->event, &ids, &levels);
  return MD_OK;
}

md_err_t
md_bn_on_depth(md_bn_context_t *c) {
  return on_depth_update(c, false);
}

md_err_t
md_bn_on_depth_chained(md_bn_context_t *c) {
  return on_depth_update(c, true);
}

/* Not every print is a trade of the book: what is not named MARKET is kept, and flagged. */
static md_trade_origin_t
origin_of(const md_bn_fields_t *s) {
  if (!md_bn_has(s, 'X')) return MD_ORIGIN_MARKET;
  md_bn_slice_t x = md_bn_value(s, 'X');
  if (md_bn_text_is(x, "MARKET")) return MD_ORIGIN_MARKET;
  if (md_bn_text_is(x, "INSURANCE_FUND")) return MD_ORIGIN_INSURANCE;
  if (md_bn_text_is(x, "ADL")) return MD_ORIGIN_ADL;
  return MD_ORIGIN_OTHER;
}

md_err_t
md_bn_on_trade(md_bn_context_t *c) {
  bool       maker_buys;
  md_trade_t t = MD_ABSENT(TRADE);
  if (!md_bn_u64(c->s, 't', &t.trade_id) || !md_bn_bool(c->s, 'm', &maker_buys))
    return MD_ERR_SYNTAX;
  md_feed_instrument_t *i = md_bn_instrument(c);
  if (!i) return MD_ERR_UNKNOWN;
  const md_bn_decimal_t d[] = {{md_bn_value(c->s, 'p'), false, false, &t.px},
                               {md_bn_value(c->s, 'q'), true, false, &t.qty}};
  md_err_t              err = md_bn_decimals(c->feed, i, d, MD_CNT(d));
  if (err) return err;
  t.origin = (uint8_t)origin_of(c->s);
  if (t.origin != MD_ORIGIN_MARKET) c->event.flags |= MD_FLAG_OFF_BOOK;
  if (t.px < (t.origin == MD_ORIGIN_MARKET) || t.qty < 0) return MD_ERR_SYNTAX;
  t.ts_match_ns     = md_bn_time(c->s, 'T', c->microseconds, &c->event.flags);
  t.side            = maker_buys ? MD_SIDE_SELL : MD_SIDE_BUY;
  c->event.exch_seq = t.trade_id;
  if (md_bn_trade(c->feed, i, &c->event, &t) && md_bn_has(c->s, 'b'))
    md_bn_trade_orders(c->feed, i, &c->event, t.trade_id, md_bn_u64_or_absent(c->s, 'b'),
                       md_bn_u64_or_absent(c->s, 'a'));
  return MD_OK;
}

md_err_t
md_bn_on_agg_trade(md_bn_context_t *c) {
  bool           maker_buys;
  md_agg_trade_t t = MD_ABSENT(AGG_TRADE);
  if (!md_bn_u64(c->s, 'a', &t.agg_id) || !md_bn_bool(c->s, 'm', &maker_buys)) return MD_ERR_SYNTAX;
  md_feed_instrument_t *i = md_bn_instrument(c);
  if (!i) return MD_ERR_UNKNOWN;
  const md_bn_decimal_t d[] = {{md_bn_value(c->s, 'p'), false, false, &t.px},
                               {md_bn_value(c->s, 'q'), true, false, &t.qty},
                               {md_bn_value(c->s, MD_BN_NQ), true, true, &t.qty_book}};
  md_err_t              err = md_bn_decimals(c->feed, i, d, MD_CNT(d));
  if (err) return err;
  if (t.px <= 0 || t.qty < 0) return MD_ERR_SYNTAX;
  t.trade_id_first  = md_bn_u64_or_absent(c->s, 'f');
  t.trade_id_last   = md_bn_u64_or_absent(c->s, 'l');
  t.ts_match_ns     = md_bn_time(c->s, 'T', c->microseconds, &c->event.flags);
  t.side            = maker_buys ? MD_SIDE_SELL : MD_SIDE_BUY;
  c->event.exch_seq = t.agg_id;
  md_bn_agg_trade(c->feed, i, &c->event, &t);
  return MD_OK;
}

md_err_t
md_bn_on_book_ticker(md_bn_context_t *c) {
  md_bbo_t b = MD_ABSENT(BBO);
  uint64_t id;
  if (!md_bn_u64(c->s, 'u', &id)) return MD_ERR_SYNTAX;
  md_feed_instrument_t *i = md_bn_instrument(c);
  if (!i) return MD_ERR_UNKNOWN;
  const md_bn_decimal_t d[] = {{md_bn_value(c->s, 'b'), false, false, &b.bid_px},
                               {md_bn_value(c->s, 'B'), true, false, &b.bid_qty},
                               {md_bn_value(c->s, 'a'), false, false, &b.ask_px},
                               {md_bn_value(c->s, 'A'), true, false, &b.ask_qty}};
  md_err_t              err = md_bn_decimals(c->feed, i, d, MD_CNT(d));
  if (err) return err;
  c->event.exch_seq = id;
  uint16_t no_flags = 0;
  if (md_bn_has(c->s, 'T')) b.ts_match_ns = md_bn_time(c->s, 'T', c->microseconds, &no_flags);
  md_bn_book_ticker(c->feed, i, &c->event, &b);
  return MD_OK;
}

/* "1s" to "1M"; a month is as long as its own bar. */
static uint32_t
interval_of(md_bn_slice_t s, int64_t open_ns, int64_t close_ns) {
  char        buffer[8];
  const char *text;
  uint32_t    len, n = 0;
  if (md_bn_text(s, buffer, sizeof buffer, &text, &len)) return 0;
  for (uint32_t k = 0; k + 1 < len; k++) {
    if (text[k] < '0' || text[k] > '9') return 0;
    n = n * 10 + (uint32_t)(text[k] - '0');
  }
  switch (text[len - 1]) {
  case 's':
    return n;
  case 'm':
    return n * 60;
  case 'h':
    return n * 3600;
  case 'd':
    return n * 86400;
  case 'w':
    return n * 7 * 86400;
  case 'M':
    if (open_ns == MD_NULL_I64 || close_ns <= open_ns) return 0;
    return (uint32_t)((close_ns - open_ns + 500000000) / 1000000000);
  default:
    return 0;
  }
}

md_err_t
md_bn_on_kline(md_bn_context_t *c) {
  if (!md_bn_has(c->s, 'k')) return MD_ERR_SYNTAX;
  md_bn_fields_t k;
  md_json_t      j = md_bn_cursor(md_bn_value(c->s, 'k'));
  md_bn_read_fields(&j, &k);
  bool       closed;
  md_kline_t r = MD_ABSENT(KLINE);
  if (md_json_finish(&j) || !md_bn_bool(&k, 'x', &closed) || !md_bn_u64(&k, 'n', &r.trade_cnt) ||
      !md_bn_dec128(&k, 'q', &r.turnover) || !md_bn_dec128(&k, 'Q', &r.taker_turnover))
    return MD_ERR_SYNTAX;
  md_feed_instrument_t *i = md_bn_instrument(c);
  if (!i) return MD_ERR_UNKNOWN;
  const md_bn_decimal_t d[] = {{md_bn_value(&k, 'o'), false, false, &r.open},
                               {md_bn_value(&k, 'h'), false, false, &r.high},
                               {md_bn_value(&k, 'l'), false, false, &r.low},
                               {md_bn_value(&k, 'c'), false, false, &r.close},
                               {md_bn_value(&k, 'v'), true, false, &r.volume},
                               {md_bn_value(&k, 'V'), true, false, &r.taker_volume}};
  md_err_t              err = md_bn_decimals(c->feed, i, d, MD_CNT(d));
  if (err) return err;
  r.ts_open_ns     = md_bn_time(&k, 't', c->microseconds, &c->event.flags);
  r.ts_close_ns    = md_bn_time(&k, 'T', c->microseconds, &c->event.flags);
  r.interval_s     = interval_of(md_bn_value(&k, 'i'), r.ts_open_ns, r.ts_close_ns);
  r.trade_id_first = md_bn_u64_or_absent(&k, 'f');
  r.trade_id_last  = md_bn_u64_or_absent(&k, 'L');
  r.closed         = closed;
  if (r.interval_s == 0) return MD_ERR_SYNTAX;
  if (!md_feed_kline_is_new(c->feed, i, &r, &c->event.flags)) return MD_OK;
  memcpy(md_feed_stage(c->feed, i, MD_RECORD_KLINE, &c->event), &r, sizeof r);
  return MD_OK;
}

md_err_t
md_bn_on_ticker(md_bn_context_t *c) {
  const md_bn_fields_t *s = c->s;
  md_ticker_t           r = MD_ABSENT(TICKER);
  if (!md_bn_dec128(s, 'v', &r.volume) || !md_bn_dec128(s, 'q', &r.turnover) ||
      !md_bn_dec128(s, 'w', &r.vwap) || !md_bn_dec128(s, 'p', &r.change) ||
      !md_bn_dec128(s, 'P', &r.change_percent) || !md_bn_u64(s, 'n', &r.trade_cnt))
    return MD_ERR_SYNTAX;
  md_feed_instrument_t *i = md_bn_instrument(c);
  if (!i) return MD_ERR_UNKNOWN;
  const md_bn_decimal_t d[] = {{md_bn_value(s, 'c'), false, false, &r.last_px},
                               {md_bn_value(s, 'Q'), true, false, &r.last_qty},
                               {md_bn_value(s, 'o'), false, false, &r.open},
                               {md_bn_value(s, 'h'), false, false, &r.high},
                               {md_bn_value(s, 'l'), false, false, &r.low},
                               {md_bn_value(s, 'b'), false, true, &r.bid_px},
                               {md_bn_value(s, 'B'), true, true, &r.bid_qty},
                               {md_bn_value(s, 'a'), false, true, &r.ask_px},
                               {md_bn_value(s, 'A'), true, true, &r.ask_qty},
                               {md_bn_value(s, 'x'), false, true, &r.prev_close}};
  md_err_t              err = md_bn_decimals(c->feed, i, d, MD_CNT(d));
  if (err) return err;
  r.ts_open_ns     = md_bn_time(s, 'O', c->microseconds, &c->event.flags);
  r.ts_close_ns    = md_bn_time(s, 'C', c->microseconds, &c->event.flags);
  r.trade_id_first = md_bn_u64_or_absent(s, 'F');
  r.trade_id_last  = md_bn_u64_or_absent(s, 'L');
  memcpy(md_feed_stage(c->feed, i, MD_RECORD_TICKER, &c->event), &r, sizeof r);
  return MD_OK;
}
