/* Payloads of one symbol of Binance futures: books, best prices, trades, bars. */
#include "feeds/sim/sim_binance_futures.h"

#define OFF_MARKET_ONE_IN  200u /* trades that are followed by a print that is not of the market */
#define LIQUIDATION_ONE_IN 40u

void
md_sim_fu_begin(md_sim_t *sim, const char *event) {
  md_sim_text_t *t = &sim->text;
  md_sim_text_clear(t);
  md_sim_text_str(t, "{\"e\":\"");
  md_sim_text_str(t, event);
  md_sim_text_str(t, "\"");
}

void
md_sim_fu_end(md_sim_t *sim) {
  md_sim_text_str(&sim->text, md_sim_fu_market(sim)->family == 1 ? ",\"st\":1}" : ",\"st\":2}");
}

static void
sent_and_made(md_sim_t *sim) {
  md_sim_fu_number(&sim->text, ",\"E\":", sim->time_ms);
  md_sim_fu_number(&sim->text, ",\"T\":", sim->time_ms);
}

static void
name(md_sim_text_t *t, const md_sim_symbol_t *s) {
  md_sim_text_str(t, ",\"s\":\"");
  md_sim_text_add(t, s->name, s->len);
  md_sim_text_str(t, "\"");
}

static void
pair(md_sim_text_t *t, const md_sim_symbol_t *s) {
  md_sim_text_str(t, ",\"ps\":\"");
  md_sim_text_str(t, md_sim_fu_symbol(s)->pair);
  md_sim_text_str(t, "\"");
}

static void
send(md_sim_t *sim, md_sim_listing_t *l, md_sim_stream_t *s) {
  md_sim_send(sim, l->symbol, s, sim->text.p, sim->text.len);
}

/* ---- books ---- */

static void
level(md_sim_text_t *t, const md_sim_symbol_t *s, bool is_first, const md_level_t *v) {
  md_sim_fu_decimal(t, is_first ? "[" : ",[", v->px, -s->px_exp);
  md_sim_fu_decimal(t, ",", v->qty, -s->qty_exp);
  md_sim_text_str(t, "]");
}

static void
write_changes(md_sim_text_t *t, const md_sim_symbol_t *s, const md_sim_batch_t *b, md_side_t side) {
  md_level_t v;
  uint32_t   at = 0;
  for (bool is_first = true; md_sim_batch_next(b, side, &at, &v, NULL); is_first = false)
    level(t, s, is_first, &v);
}

static void
book_head(md_sim_t *sim, const md_sim_symbol_t *s, uint64_t first, uint64_t last, uint64_t prev) {
  md_sim_text_t *t = &sim->text;
  md_sim_fu_begin(sim, "depthUpdate");
  sent_and_made(sim);
  name(t, s);
  pair(t, s);
  md_sim_fu_number(t, ",\"U\":", (int64_t)first);
  md_sim_fu_number(t, ",\"u\":", (int64_t)last);
  md_sim_fu_number(t, ",\"pu\":", (int64_t)prev);
}

void
md_sim_fu_book(md_sim_t *sim, md_sim_listing_t *l, const md_sim_batch_t *b, unsigned cadence) {
  md_sim_text_t *t = &sim->text;
  (void)cadence;
  book_head(sim, l->symbol, b->first_id, b->last_id, b->prev_id);
  md_sim_text_str(t, ",\"b\":[");
  write_changes(t, l->symbol, b, MD_SIDE_BUY);
  md_sim_text_str(t, "],\"a\":[");
  write_changes(t, l->symbol, b, MD_SIDE_SELL);
  md_sim_text_str(t, "]");
  md_sim_fu_end(sim);
}

static void
best_levels(md_sim_text_t *t, const md_sim_symbol_t *s, md_side_t side, uint32_t limit) {
  md_level_t v;
  for (uint32_t i = 0; i < limit && md_orderbook_at(&s->book.book, side, i, &v); i++)
    level(t, s, i == 0, &v);
}

/* A part of the book has the fields of an update and is none. */
void
md_sim_fu_tenth(md_sim_t *sim, md_sim_listing_t *l, bool is_second) {
  static const uint32_t limits[] = {5, 10, 20};
  md_sim_text_t        *t        = &sim->text;
  (void)is_second;
  for (unsigned i = 0; i < MD_CNT(limits); i++) {
    md_sim_stream_t *s = md_sim_wanted(sim, l->symbol, (md_sim_kind_t)(MD_SIM_PARTIAL_5_100 + i));
    if (!s) continue;
    uint64_t id = l->symbol->book.id;
    book_head(sim, l->symbol, id - 1, id, id - 2);
    md_sim_text_str(t, ",\"b\":[");
    best_levels(t, l->symbol, MD_SIDE_BUY, limits[i]);
    md_sim_text_str(t, "],\"a\":[");
    best_levels(t, l->symbol, MD_SIDE_SELL, limits[i]);
    md_sim_text_str(t, "]");
    md_sim_fu_end(sim);
    send(sim, l, s);
  }
}

void
md_sim_fu_top(md_sim_t *sim, md_sim_listing_t *l) {
  const md_sim_symbol_t *symbol = l->symbol;
  md_sim_stream_t       *s      = md_sim_wanted(sim, l->symbol, MD_SIM_BBO);
  md_sim_text_t         *t      = &sim->text;
  int                    px = -symbol->px_exp, qty = -symbol->qty_exp;
  if (!s) return;
  md_sim_fu_begin(sim, "bookTicker");
  md_sim_fu_number(t, ",\"u\":", (int64_t)symbol->book.id);
  name(t, symbol);
  pair(t, symbol);
  md_sim_fu_decimal(t, ",\"b\":", l->best[0].px, px);
  md_sim_fu_decimal(t, ",\"B\":", l->best[0].qty, qty);
  md_sim_fu_decimal(t, ",\"a\":", l->best[1].px, px);
  md_sim_fu_decimal(t, ",\"A\":", l->best[1].qty, qty);
  md_sim_fu_number(t, ",\"T\":", sim->time_ms);
  md_sim_fu_number(t, ",\"E\":", sim->time_ms);
  md_sim_fu_end(sim);
  send(sim, l, s);
}

/* ---- trades ---- */

static void
write_trade(md_sim_t *sim, md_sim_listing_t *l, const md_sim_print_t *p, const char *kind) {
  const md_sim_symbol_t *symbol = l->symbol;
  md_sim_stream_t       *s      = md_sim_wanted(sim, l->symbol, MD_SIM_TRADE);
  md_sim_text_t         *t      = &sim->text;
  if (!s) return;
  md_sim_fu_begin(sim, "trade");
  sent_and_made(sim);
  name(t, symbol);
  md_sim_fu_number(t, ",\"t\":", p->id);
  md_sim_fu_decimal(t, ",\"p\":", p->px, -symbol->px_exp);
  md_sim_fu_decimal(t, ",\"q\":", p->qty, -symbol->qty_exp);
  md_sim_text_str(t, ",\"X\":\"");
  md_sim_text_str(t, kind);
  md_sim_text_str(t, p->buyer_makes ? "\",\"m\":true" : "\",\"m\":false");
  md_sim_fu_end(sim);
  send(sim, l, s);
}

/* Aggregates are numbered without holes, prints that are not of the market left out. `nq` leaves
 * out what retail orders of the venue's own kind took: nothing here. */
static void
write_agg_trade(md_sim_t *sim, md_sim_listing_t *l, const md_sim_print_t *p) {
  const md_sim_symbol_t *symbol = l->symbol;
  const md_sim_totals_t *totals = &symbol->trades;
  md_sim_stream_t       *s      = md_sim_wanted(sim, l->symbol, MD_SIM_AGG_TRADE);
  md_sim_text_t         *t      = &sim->text;
  if (!s) return;
  md_sim_fu_begin(sim, "aggTrade");
  md_sim_fu_number(t, ",\"E\":", sim->time_ms);
  md_sim_fu_number(t, ",\"a\":", (int64_t)(totals->id_first + totals->cnt - 1));
  name(t, symbol);
  md_sim_fu_decimal(t, ",\"p\":", p->px, -symbol->px_exp);
  md_sim_fu_decimal(t, ",\"q\":", p->qty, -symbol->qty_exp);
  if (md_sim_fu_market(sim)->has_paths) md_sim_fu_decimal(t, ",\"nq\":", p->qty, -symbol->qty_exp);
  md_sim_fu_number(t, ",\"f\":", p->id);
  md_sim_fu_number(t, ",\"l\":", p->id);
  md_sim_fu_number(t, ",\"T\":", sim->time_ms);
  md_sim_text_str(t, p->buyer_makes ? ",\"m\":true" : ",\"m\":false");
  md_sim_fu_end(sim);
  send(sim, l, s);
}

void
md_sim_fu_trade(md_sim_t *sim, md_sim_listing_t *l, const md_sim_print_t *p) {
  static const char *const kinds[]       = {"INSURANCE_FUND", "ADL", "NA"};
  bool                     is_followed   = md_sim_random(sim, OFF_MARKET_ONE_IN) == 0;
  uint64_t                 kind          = md_sim_random(sim, MD_CNT(kinds));
  bool                     is_liquidated = md_sim_random(sim, LIQUIDATION_ONE_IN) == 0;
  write_trade(sim, l, p, "MARKET");
  write_agg_trade(sim, l, p);
  if (is_liquidated) md_sim_fu_liquidation(sim, l, p);
  if (!is_followed) return;
  /* It stands in the row of ids, and in no total. */
  const md_sim_print_t other = {++l->trade_id, p->px, p->qty, p->buyer_makes};
  l->symbol->trades.id_last  = (uint64_t)other.id;
  write_trade(sim, l, &other, kinds[kind]);
}

/* ---- bars ---- */

static int64_t
narrow(md_i128 v) {
  return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

/* Of USD-M in the quote asset, of COIN-M contracts times price: here neither is converted. */
static void
quote(md_sim_text_t *t, const char *key, const md_sim_symbol_t *s, md_i128 v) {
  md_sim_text_str(t, key);
  md_sim_text_str(t, "\"");
  md_sim_text_plain(t, narrow(v), s->px_exp + s->qty_exp);
  md_sim_text_str(t, "\"");
}

void
md_sim_fu_kline(md_sim_t *sim, md_sim_listing_t *l, bool is_closed) {
  const md_sim_candle_t *c      = &l->minute;
  const md_sim_symbol_t *symbol = l->symbol;
  md_sim_stream_t       *s      = md_sim_wanted(sim, l->symbol, MD_SIM_KLINE_1M);
  md_sim_text_t         *t      = &sim->text;
  int                    px = -symbol->px_exp, qty = -symbol->qty_exp;
  if (!s) return;
  md_sim_fu_begin(sim, "kline");
  md_sim_fu_number(t, ",\"E\":", sim->time_ms);
  name(t, symbol);
  md_sim_fu_number(t, ",\"k\":{\"t\":", c->begin_ms);
  md_sim_fu_number(t, ",\"T\":", c->begin_ms + 59999);
  name(t, symbol);
  md_sim_text_str(t, ",\"i\":\"1m\"");
  md_sim_fu_number(t, ",\"f\":", c->first_id);
  md_sim_fu_number(t, ",\"L\":", c->last_id);
  md_sim_fu_decimal(t, ",\"o\":", c->open, px);
  md_sim_fu_decimal(t, ",\"c\":", c->close, px);
  md_sim_fu_decimal(t, ",\"h\":", c->high, px);
  md_sim_fu_decimal(t, ",\"l\":", c->low, px);
  md_sim_fu_decimal(t, ",\"v\":", narrow(c->qty), qty);
  md_sim_fu_number(t, ",\"n\":", (int64_t)c->cnt);
  md_sim_text_str(t, is_closed ? ",\"x\":true" : ",\"x\":false");
  quote(t, ",\"q\":", symbol, c->quote);
  md_sim_fu_decimal(t, ",\"V\":", narrow(c->taker_qty), qty);
  quote(t, ",\"Q\":", symbol, c->taker_quote);
  md_sim_text_str(t, ",\"B\":\"0\"}");
  md_sim_fu_end(sim);
  send(sim, l, s);
}

void
md_sim_fu_ticker(md_sim_t *sim, md_sim_listing_t *l) {
  const md_sim_candle_t *c      = &l->day;
  const md_sim_symbol_t *symbol = l->symbol;
  md_sim_stream_t       *s      = md_sim_wanted(sim, l->symbol, MD_SIM_TICKER);
  md_sim_text_t         *t      = &sim->text;
  int                    px = -symbol->px_exp, qty = -symbol->qty_exp;
  if (!s || c->cnt == 0) return;
  md_sim_fu_begin(sim, "24hrTicker");
  md_sim_fu_number(t, ",\"E\":", sim->time_ms);
  name(t, symbol);
  pair(t, symbol);
  md_sim_fu_decimal(t, ",\"p\":", c->close - c->open, px);
  md_sim_fu_decimal(t, ",\"P\":", (int64_t)((md_i128)(c->close - c->open) * 100000 / c->open), 3);
  md_sim_fu_decimal(t, ",\"w\":", narrow(c->quote / (c->qty ? c->qty : 1)), px);
  md_sim_fu_decimal(t, ",\"c\":", c->close, px);
  md_sim_fu_decimal(t, ",\"Q\":", l->lot, qty);
  md_sim_fu_decimal(t, ",\"o\":", c->open, px);
  md_sim_fu_decimal(t, ",\"h\":", c->high, px);
  md_sim_fu_decimal(t, ",\"l\":", c->low, px);
  md_sim_fu_decimal(t, ",\"v\":", narrow(c->qty), qty);
  quote(t, ",\"q\":", symbol, c->quote);
  md_sim_fu_number(t, ",\"O\":", c->begin_ms);
  md_sim_fu_number(t, ",\"C\":", sim->time_ms);
  md_sim_fu_number(t, ",\"F\":", c->first_id);
  md_sim_fu_number(t, ",\"L\":", c->last_id);
  md_sim_fu_number(t, ",\"n\":", (int64_t)c->cnt);
  md_sim_fu_end(sim);
  send(sim, l, s);
}
