/* The synthetic market as OKX tells it: tickers, bars, prices and what derivatives have beside
 * them. What is not of the market is made of its books' ids, so that nothing is drawn for it. */
#include "feeds/decimal.h"
#include "feeds/sim/sim_okx.h"

#include <string.h>

#define FUNDING_MS  28800000 /* 8 hours */
#define MINUTE_MS   60000
#define OI_SECONDS  3u
#define FUND_SECOND 5u

static const md_sim_okx_instrument_t *
instrument_of(const md_sim_listing_t *l) {
  return &md_sim_okx_symbol(l->symbol)->instrument;
}

static void
begin(md_sim_t *sim, const md_sim_listing_t *l, const char *channel) {
  const char *name = l->symbol->name;
  md_sim_okx_begin(&sim->text, channel, name, NULL);
  md_sim_text_format(&sim->text, "{\"instType\":\"%s\",\"instId\":\"%s\"",
                     md_sim_okx_types[instrument_of(l)->type], name);
}

static void
end(md_sim_t *sim) {
  md_sim_text_format(&sim->text, ",\"ts\":\"%" PRId64 "\"}]}", md_sim_okx_now_ms(sim));
}

/* What a contract stands for: mantissa and exponent of "0.01". One of spot is 1. */
static md_i128
contract(const md_sim_listing_t *l, int *exp) {
  const char *value = instrument_of(l)->value;
  int64_t     m     = 1;
  *exp              = 0;
  if (!value[0]) return 1;
  *exp = md_decimal_min_exp((const uint8_t *)value, strlen(value));
  return md_decimal_to_exp((const uint8_t *)value, strlen(value), *exp, &m) ? 1 : m;
}

/* ---- tickers and bars ---- */

/* The quote volume of spot, the value of the contracts otherwise. */
static md_i128
volume_ccy(const md_sim_listing_t *l, const md_sim_candle_t *c, int *exp) {
  const md_sim_symbol_t *s = l->symbol;
  if (instrument_of(l)->type == MD_SIM_OKX_SPOT) {
    *exp = s->px_exp + s->qty_exp;
    return c->quote;
  }
  const md_i128 value = contract(l, exp);
  *exp += s->qty_exp;
  return c->qty * value;
}

static void
write_ticker(md_sim_t *sim, const md_sim_listing_t *l) {
  const md_sim_candle_t *c  = &l->day;
  const int              px = l->symbol->px_exp, qty = l->symbol->qty_exp;
  md_sim_text_t         *t = &sim->text;
  int                    exp;
  begin(sim, l, "tickers");
  md_sim_okx_member(t, "last", c->cnt ? c->close : l->best[0].px, px);
  md_sim_okx_member(t, "lastSz", l->lot, qty);
  md_sim_okx_member(t, "askPx", l->best[1].px, px);
  md_sim_okx_member(t, "askSz", l->best[1].qty, qty);
  md_sim_okx_member(t, "bidPx", l->best[0].px, px);
  md_sim_okx_member(t, "bidSz", l->best[0].qty, qty);
  md_sim_okx_member(t, "open24h", c->cnt ? c->open : l->best[0].px, px);
  md_sim_okx_member(t, "high24h", c->cnt ? c->high : l->best[0].px, px);
  md_sim_okx_member(t, "low24h", c->cnt ? c->low : l->best[0].px, px);
  md_sim_okx_member(t, "sodUtc0", c->cnt ? c->open : l->best[0].px, px);
  md_sim_okx_member(t, "sodUtc8", c->cnt ? c->open : l->best[0].px, px);
  md_i128 ccy = volume_ccy(l, c, &exp);
  md_sim_okx_member(t, "volCcy24h", ccy, exp);
  md_sim_okx_member(t, "vol24h", c->qty, qty);
  end(sim);
}

/* ["ts","o","h","l","c","vol","volCcy","volCcyQuote","confirm"] */
static void
cell(md_sim_text_t *t, md_i128 v, int exp) {
  char text[192];
  md_decimal_format(v, exp, text, sizeof text);
  md_sim_text_str(t, "\"");
  md_sim_text_str(t, text);
  md_sim_text_str(t, "\",");
}

static void
write_candle(md_sim_t *sim, const md_sim_listing_t *l, bool is_closed) {
  const md_sim_candle_t *c  = &l->minute;
  const int              px = l->symbol->px_exp, qty = l->symbol->qty_exp;
  md_sim_text_t         *t = &sim->text;
  int                    exp;
  const md_i128          ccy = volume_ccy(l, c, &exp);
  md_sim_okx_begin(t, "candle1m", l->symbol->name, NULL);
  md_sim_text_str(t, "[");
  cell(t, c->begin_ms, 0);
  cell(t, c->open, px);
  cell(t, c->high, px);
  cell(t, c->low, px);
  cell(t, c->close, px);
  cell(t, c->qty, qty);
  cell(t, ccy, exp);
  cell(t, c->quote, px + qty);
  md_sim_text_str(t, is_closed ? "\"1\"]]}" : "\"0\"]]}");
}

/* ---- what derivatives have ---- */

/* Ten times the sum of both best prices: the middle, at a finer exponent. */
static md_i128
middle(const md_sim_listing_t *l) {
  return 5 * ((md_i128)l->best[0].px + l->best[1].px);
}

static void
write_mark(md_sim_t *sim, const md_sim_listing_t *l) {
  begin(sim, l, "mark-price");
  md_sim_okx_member(&sim->text, "markPx", middle(l), l->symbol->px_exp - 1);
  end(sim);
}

static void
write_open_interest(md_sim_t *sim, const md_sim_listing_t *l) {
  const uint64_t id       = l->symbol->book.id;
  const md_i128  oi       = (md_i128)287448699 * 1000000000 + (md_i128)(id % 1000000000);
  int            exp      = 0;
  const md_i128  value    = contract(l, &exp);
  const int      base_exp = exp - 11;
  begin(sim, l, "open-interest");
  md_sim_okx_member(&sim->text, "oi", oi, -11);
  md_sim_okx_member(&sim->text, "oiCcy", oi * value, base_exp);
  md_sim_okx_member(&sim->text, "oiUsd", oi * value * l->best[0].px, base_exp + l->symbol->px_exp);
  end(sim);
}

static void
write_funding(md_sim_t *sim, const md_sim_listing_t *l) {
  const int64_t  rate = (int64_t)(l->symbol->book.id % 2000000000000u) - 1000000000000;
  const int64_t  next = (md_sim_okx_now_ms(sim) / FUNDING_MS + 1) * FUNDING_MS;
  md_sim_text_t *t    = &sim->text;
  begin(sim, l, "funding-rate");
  md_sim_text_str(t, ",\"formulaType\":\"withRate\",\"method\":\"current_period\",\"interestRate\":"
                     "\"0.0001000000000000\",\"impactValue\":\"20000.0000000000000000\"");
  md_sim_okx_member(t, "fundingRate", rate, -16);
  md_sim_okx_member(t, "settFundingRate", rate / 2, -16);
  md_sim_okx_member(t, "premium", -rate, -16);
  md_sim_text_format(t,
                     ",\"fundingTime\":\"%" PRId64 "\",\"nextFundingTime\":\"%" PRId64
                     "\",\"prevFundingTime\":\"%" PRId64 "\",\"nextFundingRate\":\"\"",
                     next, next + FUNDING_MS, next - FUNDING_MS);
  md_sim_text_str(t, ",\"maxFundingRate\":\"0.00375\",\"minFundingRate\":\"-0.00375\","
                     "\"settState\":\"settled\"");
  end(sim);
}

/* An index is of a pair; the perpetual of the pair tells it. */
static void
tell_index(md_sim_t *sim, const md_sim_listing_t *l) {
  md_sim_okx_symbol_t *o  = md_sim_okx_symbol(l->symbol);
  md_sim_text_t       *t  = &sim->text;
  const int            px = l->symbol->px_exp;
  if (o->instrument.type != MD_SIM_OKX_SWAP) return;
  if (!o->index) {
    char name[64];
    int  n   = snprintf(name, sizeof name, "index-tickers:%s", o->instrument.pair);
    o->index = md_sim_hub_stream(&sim->hub, name, (size_t)n);
  }
  if (!o->index || o->index->conn_cnt == 0) return;
  md_sim_okx_begin(t, "index-tickers", o->instrument.pair, NULL);
  md_sim_text_format(t, "{\"instId\":\"%s\"", o->instrument.pair);
  md_sim_okx_member(t, "idxPx", middle(l) - 3, px - 1);
  md_sim_okx_member(t, "open24h", l->best[0].px, px);
  md_sim_okx_member(t, "high24h", l->best[1].px, px);
  md_sim_okx_member(t, "low24h", l->best[0].px, px);
  md_sim_okx_member(t, "sodUtc0", l->best[0].px, px);
  md_sim_okx_member(t, "sodUtc8", l->best[0].px, px);
  end(sim);
  md_sim_send(sim, l->symbol, o->index, t->p, t->len);
}

/* ---- when ---- */

bool
md_sim_okx_write(md_sim_t *sim, const md_sim_listing_t *l, md_sim_kind_t kind) {
  const bool has_top = l->best[0].px > 0 && l->best[1].px > 0;
  if (!has_top) return false;
  if (kind == MD_SIM_TICKER)
    write_ticker(sim, l);
  else if (kind == MD_SIM_MARK)
    write_mark(sim, l);
  else if (kind == MD_SIM_OPEN_INTEREST)
    write_open_interest(sim, l);
  else if (kind == MD_SIM_FUNDING)
    write_funding(sim, l);
  else if (kind == MD_SIM_KLINE_1M && l->minute.cnt > 0)
    write_candle(sim, l, false);
  else
    return md_sim_okx_write_book(sim, l, kind);
  return true;
}

static void
tell(md_sim_t *sim, const md_sim_listing_t *l, md_sim_kind_t kind) {
  md_sim_stream_t *s = md_sim_wanted(sim, l->symbol, kind);
  if (s && md_sim_okx_write(sim, l, kind))
    md_sim_send(sim, l->symbol, s, sim->text.p, sim->text.len);
}

void
md_sim_okx_second(md_sim_t *sim, md_sim_listing_t *l) {
  const uint64_t second = l->flush_cnt / 10;
  tell(sim, l, MD_SIM_TICKER);
  tell(sim, l, MD_SIM_MARK);
  if (second % OI_SECONDS == 0) tell(sim, l, MD_SIM_OPEN_INTEREST);
  if (second % FUND_SECOND == 0) tell(sim, l, MD_SIM_FUNDING);
  tell_index(sim, l);
}

void
md_sim_okx_kline(md_sim_t *sim, md_sim_listing_t *l, bool is_closed) {
  md_sim_stream_t *s = md_sim_wanted(sim, l->symbol, MD_SIM_KLINE_1M);
  if (!s) return;
  write_candle(sim, l, is_closed);
  md_sim_send(sim, l->symbol, s, sim->text.p, sim->text.len);
}
