/* Tickers, best prices, indices and states of Deribit. */
#include "feeds/venues/deribit.h"

#include <string.h>

#define FUNDING_INTERVAL_S 28800u /* rates are for eight hours, and paid continuously */

static void *
stage(md_db_context_t *c, md_feed_instrument_t *i, md_record_type_t type) {
  return md_feed_stage(c->feed, i, type, &c->event);
}

/* ---- tickers ---- */

/* Best prices: one without a price is given as 0 with an amount of 0. */
static md_err_t
read_best(md_db_context_t *c, md_feed_instrument_t *i, md_bbo_t *out) {
  const md_db_slice_t  *v   = c->s->value;
  const md_db_decimal_t d[] = {{v[MD_DB_best_bid_price], false, &out->bid_px},
                               {v[MD_DB_best_bid_amount], true, &out->bid_qty},
                               {v[MD_DB_best_ask_price], false, &out->ask_px},
                               {v[MD_DB_best_ask_amount], true, &out->ask_qty}};
  md_err_t              err = md_db_decimals(c->feed, i, d, MD_CNT(d));
  if (out->bid_px == 0) out->bid_px = out->bid_qty = MD_NULL_I64;
  if (out->ask_px == 0) out->ask_px = out->ask_qty = MD_NULL_I64;
  return err;
}

/* What one ticker says, read wholly before any of it is published. */
typedef struct ticker {
  md_ticker_t        ticker;
  md_mark_t          mark;
  md_index_t         index;
  md_open_interest_t open_interest;
  md_funding_t       funding;
  md_greeks_t        greeks;
} ticker_t;

static md_err_t
read_statistics(md_db_context_t *c, md_feed_instrument_t *i, md_ticker_t *out) {
  md_db_fields_t stats;
  md_bbo_t       best;
  md_err_t       err = md_db_read_object(c->s->value[MD_DB_stats], &stats);
  if (err) return err;
  const md_db_slice_t *v        = stats.value;
  md_db_slice_t        turnover = v[MD_DB_volume_notional];
  if (!md_db_has(turnover)) turnover = v[MD_DB_volume_usd];
  const md_db_decimal_t d[] = {{c->s->value[MD_DB_last_price], false, &out->last_px},
                               {v[MD_DB_high], false, &out->high},
                               {v[MD_DB_low], false, &out->low}};
  err                       = md_db_decimals(c->feed, i, d, MD_CNT(d));
  if (!err) err = read_best(c, i, &best);
  /* The second reading may have widened what the first one read. */
  if (!err) err = md_db_decimals(c->feed, i, d, MD_CNT(d));
  if (err) return err;
  out->ts_close_ns             = c->event.ts_exch_ns;
  out->bid_px                  = best.bid_px;
  out->bid_qty                 = best.bid_qty;
  out->ask_px                  = best.ask_px;
  out->ask_qty                 = best.ask_qty;
  out->trading                 = (uint8_t)md_db_trading(c->s->value[MD_DB_state]);
  const md_db_slice_t *outside = c->s->value;
  bool                 is_read = md_db_dec128(v[MD_DB_volume], &out->volume) &&
                 md_db_dec128(turnover, &out->turnover) &&
                 md_db_dec128(v[MD_DB_volume_usd], &out->volume_usd) &&
                 md_db_dec128(v[MD_DB_price_change], &out->change_percent) &&
                 md_db_dec128(outside[MD_DB_settlement_price], &out->settlement_px) &&
                 md_db_dec128(outside[MD_DB_min_price], &out->limit_low_px) &&
                 md_db_dec128(outside[MD_DB_max_price], &out->limit_high_px);
  return is_read ? MD_OK : MD_ERR_SYNTAX;
}

static md_err_t
read_greeks(md_db_context_t *c, md_greeks_t *out) {
  md_db_fields_t       greeks;
  const md_db_slice_t *v = c->s->value, *g = greeks.value;
  md_err_t             err = md_db_read_object(v[MD_DB_greeks], &greeks);
  if (err) return err;
  bool is_read =
      md_db_dec128(g[MD_DB_delta], &out->delta) && md_db_dec128(g[MD_DB_gamma], &out->gamma) &&
      md_db_dec128(g[MD_DB_vega], &out->vega) && md_db_dec128(g[MD_DB_theta], &out->theta) &&
      md_db_dec128(g[MD_DB_rho], &out->rho) && md_db_dec128(v[MD_DB_mark_iv], &out->mark_iv) &&
      md_db_dec128(v[MD_DB_bid_iv], &out->bid_iv) && md_db_dec128(v[MD_DB_ask_iv], &out->ask_iv) &&
      md_db_dec128(v[MD_DB_underlying_price], &out->underlying) &&
      md_db_dec128(v[MD_DB_interest_rate], &out->interest);
  md_db_name(v[MD_DB_underlying_index], out->underlying_name, sizeof out->underlying_name);
  return is_read ? MD_OK : MD_ERR_SYNTAX;
}

/* Open interest counts the units of the amounts: quote for inverse futures, else base. */
static md_err_t
read_open_interest(md_db_context_t *c, const md_feed_instrument_t *i, md_open_interest_t *out) {
  md_dec128_t v;
  if (!md_db_dec128(c->s->value[MD_DB_open_interest], &v)) return MD_ERR_SYNTAX;
  out->contracts = MD_DEC128_NULL;
  out->base_qty  = i->definition->inverse ? MD_DEC128_NULL : v;
  out->quote_qty = i->definition->inverse ? v : MD_DEC128_NULL;
  return MD_OK;
}

static md_err_t
read_ticker(md_db_context_t *c, md_feed_instrument_t *i, ticker_t *t) {
  const md_db_slice_t *v = c->s->value;
  *t                     = (ticker_t){.ticker        = MD_ABSENT(TICKER),
                                      .mark          = MD_ABSENT(MARK),
                                      .index         = MD_ABSENT(INDEX),
                                      .open_interest = MD_ABSENT(OPEN_INTEREST),
                                      .funding       = MD_ABSENT(FUNDING),
                                      .greeks        = MD_ABSENT(GREEKS)};
  t->funding.interval_s  = FUNDING_INTERVAL_S;
  md_err_t err           = read_statistics(c, i, &t->ticker);
  if (!err) err = read_greeks(c, &t->greeks);
  if (!err) err = read_open_interest(c, i, &t->open_interest);
  if (err) return err;
  bool is_read = md_db_dec128(v[MD_DB_mark_price], &t->mark.mark_px) &&
                 md_db_dec128(v[MD_DB_estimated_delivery_price], &t->mark.settle_px) &&
                 md_db_dec128(v[MD_DB_index_price], &t->index.index_px) &&
                 md_db_dec128(v[MD_DB_current_funding], &t->funding.rate) &&
                 md_db_dec128(v[MD_DB_funding_8h], &t->funding.rate_8h) &&
                 md_db_dec128(v[MD_DB_interest_value], &t->funding.interest_value);
  return is_read ? MD_OK : MD_ERR_SYNTAX;
}

md_err_t
md_db_on_ticker(md_db_context_t *c) {
  const md_db_slice_t  *v = c->s->value;
  ticker_t              t;
  md_feed_instrument_t *i = md_db_instrument(c->feed, v[MD_DB_instrument_name]);
  if (!i) return MD_ERR_UNKNOWN;
  md_err_t err = read_ticker(c, i, &t);
  if (err) return err;
  memcpy(stage(c, i, MD_RECORD_TICKER), &t.ticker, sizeof t.ticker);
  if (md_db_has(v[MD_DB_mark_price])) memcpy(stage(c, i, MD_RECORD_MARK), &t.mark, sizeof t.mark);
  if (md_db_has(v[MD_DB_index_price]))
    memcpy(stage(c, i, MD_RECORD_INDEX), &t.index, sizeof t.index);
  if (md_db_has(v[MD_DB_open_interest]))
    memcpy(stage(c, i, MD_RECORD_OPEN_INTEREST), &t.open_interest, sizeof t.open_interest);
  if (md_db_has(v[MD_DB_current_funding]))
    memcpy(stage(c, i, MD_RECORD_FUNDING), &t.funding, sizeof t.funding);
  if (md_db_has(v[MD_DB_greeks])) memcpy(stage(c, i, MD_RECORD_GREEKS), &t.greeks, sizeof t.greeks);
  return MD_OK;
}

md_err_t
md_db_on_quote(md_db_context_t *c) {
  md_bbo_t              b = MD_ABSENT(BBO);
  md_feed_instrument_t *i = md_db_instrument(c->feed, c->s->value[MD_DB_instrument_name]);
  if (!i) return MD_ERR_UNKNOWN;
  md_err_t err = read_best(c, i, &b);
  if (err) return err;
  memcpy(stage(c, i, MD_RECORD_BBO), &b, sizeof b);
  return MD_OK;
}

/* ---- indices ---- */

/* The name of a perpetual stands in the channel only: perpetual.NAME.interval. */
static md_feed_instrument_t *
instrument_of_channel(md_db_context_t *c) {
  const uint8_t *end  = c->channel.p + c->channel.len;
  const uint8_t *name = memchr(c->channel.p, '.', c->channel.len);
  if (!name) return NULL;
  name++;
  const uint8_t *stop = memchr(name, '.', (size_t)(end - name));
  return stop ? md_feed_find(c->feed, (const char *)name, (uint32_t)(stop - name)) : NULL;
}

md_err_t
md_db_on_perpetual(md_db_context_t *c) {
  const md_db_slice_t  *v       = c->s->value;
  md_index_t            index   = MD_ABSENT(INDEX);
  md_funding_t          funding = MD_ABSENT(FUNDING);
  md_feed_instrument_t *i       = instrument_of_channel(c);
  if (!i) return MD_ERR_UNKNOWN;
  funding.interval_s = FUNDING_INTERVAL_S;
  if (!md_db_has(v[MD_DB_interest]) || !md_db_dec128(v[MD_DB_interest], &funding.rate) ||
      !md_db_dec128(v[MD_DB_index_price], &index.index_px))
    return MD_ERR_SYNTAX;
  memcpy(stage(c, i, MD_RECORD_FUNDING), &funding, sizeof funding);
  if (md_db_has(v[MD_DB_index_price])) memcpy(stage(c, i, MD_RECORD_INDEX), &index, sizeof index);
  return MD_OK;
}

md_err_t
md_db_on_price_index(md_db_context_t *c) {
  const md_db_slice_t  *v     = c->s->value;
  md_index_t            index = MD_ABSENT(INDEX);
  md_feed_instrument_t *i     = md_db_instrument(c->feed, v[MD_DB_index_name]);
  if (!i) return MD_ERR_UNKNOWN;
  if (!md_db_has(v[MD_DB_price]) || !md_db_dec128(v[MD_DB_price], &index.index_px))
    return MD_ERR_SYNTAX;
  memcpy(stage(c, i, MD_RECORD_INDEX), &index, sizeof index);
  return MD_OK;
}

md_err_t
md_db_on_volatility(md_db_context_t *c) {
  const md_db_slice_t  *v    = c->s->value;
  md_volatility_index_t body = MD_ABSENT(VOLATILITY_INDEX);
  md_feed_instrument_t *i    = md_db_instrument(c->feed, v[MD_DB_index_name]);
  if (!i) return MD_ERR_UNKNOWN;
  if (!md_db_has(v[MD_DB_volatility]) || !md_db_dec128(v[MD_DB_volatility], &body.value))
    return MD_ERR_SYNTAX;
  memcpy(stage(c, i, MD_RECORD_VOLATILITY_INDEX), &body, sizeof body);
  return MD_OK;
}

/* ---- states ---- */

/* {"price_index":"btc_usd","locked":true} is about all that is settled by one index,
 * {"maintenance":true} about the whole platform. */
md_err_t
md_db_on_platform(md_db_context_t *c) {
  const md_db_slice_t  *v = c->s->value;
  md_feed_instrument_t *i = NULL;
  bool                  is_halted;
  c->event.flags = 0; /* it never has a time */
  if (md_db_bool(v[MD_DB_locked], &is_halted)) {
    i = md_db_instrument(c->feed, v[MD_DB_price_index]);
    if (!i) return MD_ERR_UNKNOWN;
  } else if (!md_db_bool(v[MD_DB_maintenance], &is_halted)) {
    return MD_ERR_UNKNOWN;
  }
  md_feed_on_trading(c->feed, i, &c->event, is_halted ? MD_TRADING_HALT : MD_TRADING_ON);
  return MD_OK;
}

/* Of instruments that are not in use nothing is kept: the list of instruments names new ones. */
md_err_t
md_db_on_instrument_state(md_db_context_t *c) {
  char          buffer[MD_SYMBOL_BYTES];
  const char   *text;
  uint32_t      len;
  md_db_slice_t name = c->s->value[MD_DB_instrument_name], state = c->s->value[MD_DB_state];
  if (!md_db_has(state) || md_db_text(name, buffer, MD_SYMBOL_BYTES - 1, &text, &len))
    return MD_ERR_SYNTAX;
  md_feed_instrument_t *i = md_feed_lookup(c->feed, text, len);
  if (i) md_feed_on_trading(c->feed, i, &c->event, md_db_trading(state));
  return MD_OK;
}
