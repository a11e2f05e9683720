/* Every channel but books: trades, tickers, bars, funding, open interest, prices, liquidations. */
#include "feeds/venues/okx.h"

#include <string.h>

#define DAY_NS (86400ll * 1000000000)

/* The instrument of a row: its own instId, else that of the argument. */
static md_feed_instrument_t *
instrument_of(md_okx_message_t *m, md_okx_slice_t symbol) {
  const char *name = m->symbol;
  uint32_t    len  = m->symbol_len;
  if (symbol.p && !md_okx_text(symbol, MD_SYMBOL_BYTES - 1, &name, &len)) return NULL;
  return name ? md_feed_find(m->feed, name, len) : NULL;
}

/* ---- trades ---- */

/* 0 for what is not there or above max. */
static uint32_t
small_number(md_okx_slice_t s, uint32_t max) {
  uint64_t v;
  return md_okx_u64(s, &v) && v <= max ? (uint32_t)v : 0;
}

/* trades-all gives each fill, trades one entry for the fills of an order at one price. Where both
 * are subscribed the fills are the trades. */
static md_err_t
on_trade(md_okx_message_t *m, bool is_fill) {
  md_okx_slice_t symbol = {0}, id = {0}, px = {0}, qty = {0}, side = {0}, ts = {0};
  md_okx_slice_t count = {0}, source = {0}, seq = {0};
  md_okx_key_t   keys[] = {{"instId", &symbol}, {"tradeId", &id},    {"px", &px},
                           {"sz", &qty},        {"side", &side},     {"ts", &ts},
                           {"count", &count},   {"source", &source}, {"seqId", &seq}};
  md_trade_t     t      = MD_ABSENT(TRADE);
  md_err_t       err    = md_okx_read(m->row, keys, MD_CNT(keys));
  if (err) return err;
  const bool is_buy = md_okx_is(side, "buy");
  if (!md_okx_u64(id, &t.trade_id) || (!is_buy && !md_okx_is(side, "sell"))) return MD_ERR_SYNTAX;
  md_feed_instrument_t *i = instrument_of(m, symbol);
  if (!i) return MD_ERR_UNKNOWN;
  md_okx_state_t *state = md_feed_venue_state(m->feed);
  uint64_t       *fills = &state->has_fills[i->index / 64], one = 1ull << (i->index % 64);
  if (is_fill) *fills |= one;
  if (!is_fill && (*fills & one)) return MD_OK;
  const md_okx_number_t n[] = {{px, false, &t.px}, {qty, true, &t.qty}};
  err                       = md_okx_numbers(m->feed, i, n, MD_CNT(n));
  if (err) return err;
  if (t.px == MD_NULL_I64 || t.qty < 0) return MD_ERR_SYNTAX; /* an option's price may be any */
  md_feed_event_t event = {.exch_seq = t.trade_id};
  t.ts_match_ns         = md_okx_time(ts, &event.flags);
  t.side                = is_buy ? MD_SIDE_BUY : MD_SIDE_SELL;
  t.fill_cnt            = small_number(count, UINT32_MAX);
  t.source              = (uint8_t)small_number(source, UINT8_MAX);
  (void)md_okx_u64(seq, &t.book_seq);
  event.ts_exch_ns = t.ts_match_ns;
  if (!md_feed_trade_is_new(m->feed, i, t.trade_id)) return MD_OK;
  memcpy(md_feed_stage(m->feed, i, MD_RECORD_TRADE, &event), &t, sizeof t);
  md_feed_on_trade(m->feed, i, &t);
  return MD_OK;
}

md_err_t
md_okx_on_trade(md_okx_message_t *m) {
  return on_trade(m, false);
}

md_err_t
md_okx_on_fill(md_okx_message_t *m) {
  return on_trade(m, true);
}

/* ---- tickers and bars ---- */

/* Volumes are in the unit of the instrument's quantities: base units, or contracts. Turnover is in
 * quote units, which only a spot market's ticker gives. */
md_err_t
md_okx_on_ticker(md_okx_message_t *m) {
  md_okx_slice_t symbol = {0}, last = {0}, last_qty = {0}, ask = {0}, ask_qty = {0}, bid = {0};
  md_okx_slice_t bid_qty = {0}, open = {0}, high = {0}, low = {0}, vol = {0}, vol_ccy = {0};
  md_okx_slice_t ts = {0}, type = {0}, utc0 = {0}, utc8 = {0};
  md_okx_key_t   keys[] = {
        {"instId", &symbol}, {"last", &last},     {"lastSz", &last_qty}, {"askPx", &ask},
        {"askSz", &ask_qty}, {"bidPx", &bid},     {"bidSz", &bid_qty},   {"open24h", &open},
        {"high24h", &high},  {"low24h", &low},    {"vol24h", &vol},      {"volCcy24h", &vol_ccy},
        {"ts", &ts},         {"instType", &type}, {"sodUtc0", &utc0},    {"sodUtc8", &utc8}};
  md_ticker_t r   = MD_ABSENT(TICKER);
  md_err_t    err = md_okx_read(m->row, keys, MD_CNT(keys));
  if (err) return err;
  const bool is_spot = md_okx_is(type, "SPOT");
  if (!md_okx_dec128(vol, &r.volume) || !md_okx_dec128(vol_ccy, &r.volume_ccy))
    return MD_ERR_SYNTAX;
  if (is_spot) r.turnover = r.volume_ccy;
  md_feed_instrument_t *i = instrument_of(m, symbol);
  if (!i) return MD_ERR_UNKNOWN;
  const md_okx_number_t n[] = {
      {last, false, &r.last_px},   {last_qty, true, &r.last_qty}, {open, false, &r.open},
      {high, false, &r.high},      {low, false, &r.low},          {bid, false, &r.bid_px},
      {bid_qty, true, &r.bid_qty}, {ask, false, &r.ask_px},       {ask_qty, true, &r.ask_qty},
      {utc0, false, &r.open_utc0}, {utc8, false, &r.open_utc8}};
  err = md_okx_numbers(m->feed, i, n, MD_CNT(n));
  if (err) return err;
  md_feed_event_t event = {0};
  r.ts_close_ns         = md_okx_time(ts, &event.flags);
  if (r.ts_close_ns != MD_NULL_I64) r.ts_open_ns = r.ts_close_ns - DAY_NS;
  event.ts_exch_ns = r.ts_close_ns;
  memcpy(md_feed_stage(m->feed, i, MD_RECORD_TICKER, &event), &r, sizeof r);
  return MD_OK;
}

/* "candle1m", "candle1H", "candle1Dutc": seconds; 0 for months and what is unknown. */
static uint32_t
interval_of(md_okx_slice_t channel) {
  uint32_t at = sizeof "candle" - 1, n = 0;
  while (at < channel.len && channel.p[at] >= '0' && channel.p[at] <= '9' && n < 1000)
    n = n * 10 + (uint32_t)(channel.p[at++] - '0');
  if (at >= channel.len) return 0;
  switch (channel.p[at]) {
  case 's':
    return n;
  case 'm':
    return n * 60;
  case 'H':
    return n * 3600;
  case 'D':
    return n * 86400;
  case 'W':
    return n * 7 * 86400;
  default:
    return 0;
  }
}

enum { C_TS, C_OPEN, C_HIGH, C_LOW, C_CLOSE, C_VOL, C_VOL_CCY, C_VOL_QUOTE, C_CONFIRM, C_CNT };

md_err_t
md_okx_on_candle(md_okx_message_t *m) {
  md_okx_slice_t v[C_CNT] = {0};
  md_kline_t     r        = MD_ABSENT(KLINE);
  uint32_t       cnt;
  md_err_t       err = md_okx_row(m->row, v, C_CNT, &cnt);
  if (err) return err;
  r.interval_s = interval_of(m->channel);
  if (cnt <= C_VOL || r.interval_s == 0 || !md_okx_ts(v[C_TS], &r.ts_open_ns)) return MD_ERR_SYNTAX;
  if (!md_okx_dec128(v[C_VOL_QUOTE], &r.turnover) || !md_okx_dec128(v[C_VOL_CCY], &r.volume_ccy))
    return MD_ERR_SYNTAX;
  md_feed_instrument_t *i = instrument_of(m, (md_okx_slice_t){0});
  if (!i) return MD_ERR_UNKNOWN;
  const md_okx_number_t n[] = {{v[C_OPEN], false, &r.open},
                               {v[C_HIGH], false, &r.high},
                               {v[C_LOW], false, &r.low},
                               {v[C_CLOSE], false, &r.close},
                               {v[C_VOL], true, &r.volume}};
  err                       = md_okx_numbers(m->feed, i, n, MD_CNT(n));
  if (err) return err;
  r.ts_close_ns         = r.ts_open_ns + (int64_t)r.interval_s * 1000000000 - 1000000;
  r.closed              = md_okx_is(v[C_CONFIRM], "1");
  md_feed_event_t event = {.ts_exch_ns = MD_NULL_I64};
  if (!md_feed_kline_is_new(m->feed, i, &r, &event.flags)) return MD_OK;
  memcpy(md_feed_stage(m->feed, i, MD_RECORD_KLINE, &event), &r, sizeof r);
  return MD_OK;
}

/* ---- what derivatives have ---- */

/* fundingTime is when the rate of now is paid; nextFundingTime is one interval behind it. */
md_err_t
md_okx_on_funding(md_okx_message_t *m) {
  md_funding_t   r      = MD_ABSENT(FUNDING);
  md_okx_slice_t symbol = {0}, time = {0}, next_time = {0}, prev_time = {0}, ts = {0};
  md_okx_slice_t rate = {0}, next_rate = {0}, min = {0}, max = {0}, premium = {0}, interest = {0};
  md_okx_slice_t impact = {0}, settled = {0}, method = {0}, formula = {0}, state = {0};
  md_okx_key_t   keys[] = {{"instId", &symbol},
                           {"fundingRate", &rate},
                           {"nextFundingRate", &next_rate},
                           {"fundingTime", &time},
                           {"nextFundingTime", &next_time},
                           {"prevFundingTime", &prev_time},
                           {"ts", &ts},
                           {"minFundingRate", &min},
                           {"maxFundingRate", &max},
                           {"premium", &premium},
                           {"interestRate", &interest},
                           {"impactValue", &impact},
                           {"settFundingRate", &settled},
                           {"method", &method},
                           {"formulaType", &formula},
                           {"settState", &state}};
  md_err_t       err    = md_okx_read(m->row, keys, MD_CNT(keys));
  if (err) return err;
  if (!md_okx_dec128(rate, &r.rate) || !md_okx_dec128(next_rate, &r.predicted) ||
      !md_okx_dec128(min, &r.rate_min) || !md_okx_dec128(max, &r.rate_max) ||
      !md_okx_dec128(premium, &r.premium) || !md_okx_dec128(interest, &r.interest) ||
      !md_okx_dec128(impact, &r.impact_value) || !md_okx_dec128(settled, &r.settled_rate))
    return MD_ERR_SYNTAX;
  md_feed_instrument_t *i = instrument_of(m, symbol);
  if (!i) return MD_ERR_UNKNOWN;
  md_feed_event_t event = {0};
  event.ts_exch_ns      = md_okx_time(ts, &event.flags);
  (void)md_okx_ts(time, &r.ts_next_ns);
  (void)md_okx_ts(prev_time, &r.ts_prev_ns);
  if (md_okx_ts(next_time, &r.ts_after_ns) && r.ts_next_ns != MD_NULL_I64 &&
      r.ts_after_ns > r.ts_next_ns)
    r.interval_s = (uint32_t)((r.ts_after_ns - r.ts_next_ns) / 1000000000);
  md_okx_word(method, r.method);
  md_okx_word(formula, r.formula);
  md_okx_word(state, r.settle_state);
  memcpy(md_feed_stage(m->feed, i, MD_RECORD_FUNDING, &event), &r, sizeof r);
  return MD_OK;
}

/* Decimals and a time: what the small channels are made of. */
#define DECIMALS_MAX 6u
typedef struct decimals {
  const char  *name[DECIMALS_MAX];
  md_dec128_t *out[DECIMALS_MAX];
} decimals_t;

static md_err_t
read_decimals(md_okx_message_t *m, const decimals_t *d, md_feed_instrument_t **i,
              md_feed_event_t *event) {
  md_okx_slice_t symbol = {0}, ts = {0}, v[DECIMALS_MAX] = {0};
  md_okx_key_t   keys[2 + DECIMALS_MAX] = {{"instId", &symbol}, {"ts", &ts}};
  uint32_t       cnt                    = 2;
  for (uint32_t n = 0; n < DECIMALS_MAX && d->name[n]; n++)
    keys[cnt++] = (md_okx_key_t){d->name[n], &v[n]};
  md_err_t err = md_okx_read(m->row, keys, cnt);
  if (err) return err;
  if (md_okx_empty(v[0])) return MD_ERR_SYNTAX;
  for (uint32_t n = 0; n < DECIMALS_MAX && d->name[n]; n++)
    if (!md_okx_dec128(v[n], d->out[n])) return MD_ERR_SYNTAX;
  *i                = instrument_of(m, symbol);
  event->ts_exch_ns = md_okx_time(ts, &event->flags);
  return *i ? MD_OK : MD_ERR_UNKNOWN;
}

md_err_t
md_okx_on_open_interest(md_okx_message_t *m) {
  md_open_interest_t    r     = MD_ABSENT(OPEN_INTEREST);
  md_feed_event_t       event = {0};
  md_feed_instrument_t *i;
  const decimals_t      d   = {{"oi", "oiCcy", "oiUsd"}, {&r.contracts, &r.base_qty, &r.quote_qty}};
  md_err_t              err = read_decimals(m, &d, &i, &event);
  if (err) return err;
  memcpy(md_feed_stage(m->feed, i, MD_RECORD_OPEN_INTEREST, &event), &r, sizeof r);
  return MD_OK;
}

md_err_t
md_okx_on_mark(md_okx_message_t *m) {
  md_mark_t             r     = MD_ABSENT(MARK);
  md_feed_event_t       event = {0};
  md_feed_instrument_t *i;
  const decimals_t      d   = {{"markPx"}, {&r.mark_px}};
  md_err_t              err = read_decimals(m, &d, &i, &event);
  if (err) return err;
  memcpy(md_feed_stage(m->feed, i, MD_RECORD_MARK, &event), &r, sizeof r);
  return MD_OK;
}

md_err_t
md_okx_on_index(md_okx_message_t *m) {
  md_index_t            r     = MD_ABSENT(INDEX);
  md_feed_event_t       event = {0};
  md_feed_instrument_t *i;
  const decimals_t      d   = {{"idxPx", "open24h", "high24h", "low24h", "sodUtc0", "sodUtc8"},
                               {&r.index_px, &r.open, &r.high, &r.low, &r.open_utc0, &r.open_utc8}};
  md_err_t              err = read_decimals(m, &d, &i, &event);
  if (err) return err;
  memcpy(md_feed_stage(m->feed, i, MD_RECORD_INDEX, &event), &r, sizeof r);
  return MD_OK;
}

/* ---- liquidations ---- */

static md_err_t
on_liquidation(md_okx_message_t *m, md_feed_instrument_t *i, md_okx_slice_t detail) {
  md_okx_slice_t   px = {0}, qty = {0}, side = {0}, ts = {0}, loss = {0}, ccy = {0}, pos = {0};
  md_okx_key_t     keys[] = {{"bkPx", &px},     {"sz", &qty},  {"side", &side},  {"ts", &ts},
                             {"bkLoss", &loss}, {"ccy", &ccy}, {"posSide", &pos}};
  md_liquidation_t r      = MD_ABSENT(LIQUIDATION);
  md_err_t         err    = md_okx_read(detail, keys, MD_CNT(keys));
  if (err) return err;
  const bool is_buy = md_okx_is(side, "buy");
  if (!is_buy && !md_okx_is(side, "sell")) return MD_ERR_SYNTAX;
  const md_okx_number_t n[] = {{px, false, &r.px}, {qty, true, &r.qty}};
  err                       = md_okx_numbers(m->feed, i, n, MD_CNT(n));
  if (err) return err;
  if (r.qty == MD_NULL_I64 || !md_okx_dec128(loss, &r.loss)) return MD_ERR_SYNTAX;
  md_okx_word(ccy, r.currency);
  md_okx_word(pos, r.position);
  md_feed_event_t event = {.flags = MD_FLAG_SAMPLED};
  r.ts_match_ns         = md_okx_time(ts, &event.flags);
  r.side                = is_buy ? MD_SIDE_BUY : MD_SIDE_SELL;
  event.ts_exch_ns      = r.ts_match_ns;
  memcpy(md_feed_stage(m->feed, i, MD_RECORD_LIQUIDATION, &event), &r, sizeof r);
  return MD_OK;
}

/* The channel gives all instruments of a type: those that nobody collects are passed over. */
md_err_t
md_okx_on_liquidation(md_okx_message_t *m) {
  md_okx_slice_t symbol = {0}, details = {0};
  md_okx_key_t   keys[] = {{"instId", &symbol}, {"details", &details}};
  const char    *name;
  uint32_t       len;
  md_err_t       err = md_okx_read(m->row, keys, MD_CNT(keys));
  if (err) return err;
  if (!md_okx_text(symbol, MD_SYMBOL_BYTES - 1, &name, &len) || !details.p) return MD_ERR_SYNTAX;
  md_feed_instrument_t *i = md_feed_lookup(m->feed, name, len);
  if (!i) return MD_OK;
  md_json_t j = md_okx_cursor(details);
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    md_okx_slice_t one;
    if (!md_json_slice(&j, &one.p, &one.len)) break;
    err = on_liquidation(m, i, one);
    if (err) return err;
  }
  return md_json_finish(&j);
}
