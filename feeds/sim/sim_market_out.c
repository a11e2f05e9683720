/* The payloads of the synthetic market's streams. */
#include "feeds/sim/sim_market_parts.h"

#include <stdlib.h>

/* The stream, or NULL when writing its payload would be for nobody. */
static md_sim_stream_t *
wanted(md_sim_t *sim, md_sim_listing_t *l, md_sim_kind_t kind) {
  md_sim_stream_t *s = md_sim_symbol_stream(sim, l->symbol, kind);
  return s && s->conn_cnt ? s : NULL;
}

static void
send(md_sim_t *sim, md_sim_listing_t *l, md_sim_stream_t *s) {
  md_sim_send(sim, l->symbol, s, sim->text.p, sim->text.len);
}

static void
begin(md_sim_t *sim, const md_sim_listing_t *l, const char *event) {
  md_sim_text_t *t = &sim->text;
  md_sim_text_clear(t);
  md_sim_text_str(t, "{\"e\":\"");
  md_sim_text_str(t, event);
  md_sim_text_str(t, "\",\"E\":");
  md_sim_text_u64(t, (uint64_t)sim->time_ms);
  md_sim_text_str(t, ",\"s\":\"");
  md_sim_text_add(t, l->symbol->name, l->symbol->len);
  md_sim_text_str(t, "\"");
}

static void
number(md_sim_text_t *t, const char *key, int64_t v) {
  md_sim_text_str(t, key);
  md_sim_text_u64(t, (uint64_t)v);
}

static void
decimal(md_sim_text_t *t, const char *key, int64_t v) {
  md_sim_text_str(t, key);
  md_sim_text_str(t, "\"");
  if (v < 0) md_sim_text_str(t, "-");
  md_sim_text_decimal(t, v < 0 ? -v : v);
  md_sim_text_str(t, "\"");
}

void
md_sim_out_book_ticker(md_sim_t *sim, md_sim_listing_t *l) {
  md_sim_stream_t *s = wanted(sim, l, MD_SIM_BOOK_TICKER);
  md_sim_text_t   *t = &sim->text;
  if (!s) return;
  md_sim_text_clear(t);
  md_sim_text_str(t, "{\"u\":");
  md_sim_text_u64(t, l->symbol->book.id);
  md_sim_text_str(t, ",\"s\":\"");
  md_sim_text_add(t, l->symbol->name, l->symbol->len);
  md_sim_text_str(t, "\"");
  decimal(t, ",\"b\":", l->best[0].px);
  decimal(t, ",\"B\":", l->best[0].qty);
  decimal(t, ",\"a\":", l->best[1].px);
  decimal(t, ",\"A\":", l->best[1].qty);
  md_sim_text_str(t, "}");
  send(sim, l, s);
}

/* ---- trades ---- */

static void
candle_add(md_sim_candle_t *c, int64_t id, int64_t px, int64_t qty, bool buyer_makes) {
  if (c->cnt++ == 0) {
    c->open = c->high = c->low = px;
    c->first_id                = id;
  }
  if (px > c->high) c->high = px;
  if (px < c->low) c->low = px;
  c->close   = px;
  c->last_id = id;
  c->qty += qty;
  c->quote += (md_i128)px * qty;
  if (buyer_makes) return;
  c->taker_qty += qty;
  c->taker_quote += (md_i128)px * qty;
}

static void
trade_tail(md_sim_t *sim, bool buyer_makes) {
  md_sim_text_t *t = &sim->text;
  number(t, ",\"T\":", sim->time_ms);
  md_sim_text_str(t, buyer_makes ? ",\"m\":true,\"M\":true}" : ",\"m\":false,\"M\":true}");
}

void
md_sim_out_trade(md_sim_t *sim, md_sim_listing_t *l, int64_t px, int64_t qty, bool buyer_makes) {
  md_sim_symbol_t *symbol = l->symbol;
  md_sim_stream_t *s;
  md_sim_text_t   *t  = &sim->text;
  int64_t          id = ++l->trade_id;
  candle_add(&l->day, id, px, qty, buyer_makes);
  candle_add(&l->minute, id, px, qty, buyer_makes);
  if (symbol->trades.cnt++ == 0) symbol->trades.id_first = (uint64_t)id;
  symbol->trades.qty_sum += qty;
  symbol->agg_trades = symbol->trades; /* each trade is an aggregate of its own */
  if ((s = wanted(sim, l, MD_SIM_TRADE))) {
    begin(sim, l, "trade");
    number(t, ",\"t\":", id);
    decimal(t, ",\"p\":", px);
    decimal(t, ",\"q\":", qty);
    trade_tail(sim, buyer_makes);
    send(sim, l, s);
  }
  if ((s = wanted(sim, l, MD_SIM_AGG_TRADE))) {
    begin(sim, l, "aggTrade");
    number(t, ",\"a\":", id);
    decimal(t, ",\"p\":", px);
    decimal(t, ",\"q\":", qty);
    number(t, ",\"f\":", id);
    number(t, ",\"l\":", id);
    trade_tail(sim, buyer_makes);
    send(sim, l, s);
  }
}

/* ---- depth ---- */

static int
by_price(const void *a, const void *b) {
  const md_sim_change_t *x = a, *y = b;
  if (x->side != y->side) return x->side < y->side ? -1 : 1;
  if (x->level.px != y->level.px) return x->level.px < y->level.px ? -1 : 1;
  return x->order < y->order ? -1 : 1;
}

/* The last change of each price of a side, in the order of prices. */
static void
write_changes(md_sim_text_t *t, const md_sim_batch_t *b, md_side_t side) {
  bool is_first = true;
  for (uint32_t i = 0; i < b->cnt; i++) {
    const md_sim_change_t *c = &b->changes[i], *next = c + 1;
    if (c->side != side) continue;
    if (i + 1 < b->cnt && next->side == side && next->level.px == c->level.px) continue;
    decimal(t, is_first ? "[" : ",[", c->level.px);
    decimal(t, ",", c->level.qty);
    md_sim_text_str(t, "]");
    is_first = false;
  }
}

void
md_sim_out_depth(md_sim_t *sim, md_sim_listing_t *l, unsigned batch) {
  md_sim_batch_t  *b    = &l->batch[batch];
  md_sim_symbol_t *sym  = l->symbol;
  md_sim_kind_t    kind = batch == 0 ? MD_SIM_DEPTH_100 : MD_SIM_DEPTH;
  md_sim_stream_t *s    = wanted(sim, l, kind);
  if (s) {
    md_sim_text_t *t = &sim->text;
    qsort(b->changes, b->cnt, sizeof *b->changes, by_price);
    begin(sim, l, "depthUpdate");
    number(t, ",\"U\":", (int64_t)b->first_id);
    number(t, ",\"u\":", (int64_t)sym->book.id);
    md_sim_text_str(t, ",\"b\":[");
    write_changes(t, b, MD_SIDE_BUY);
    md_sim_text_str(t, "],\"a\":[");
    write_changes(t, b, MD_SIDE_SELL);
    md_sim_text_str(t, "]}");
  }
  uint64_t first = b->first_id;
  b->cnt         = 0;
  b->first_id    = sym->book.id + 1;
  if (batch == 0) md_sim_depth_happened(sim, sym, first, sym->book.id);
  if (s) send(sim, l, s);
}

void
md_sim_out_partials(md_sim_t *sim, md_sim_listing_t *l, bool is_second) {
  static const uint32_t levels[] = {5, 10, 20};
  for (unsigned i = 0; i < 6; i++) {
    if (i < 3 && !is_second) continue;
    md_sim_stream_t *s = wanted(sim, l, (md_sim_kind_t)(MD_SIM_PARTIAL_5 + i));
    if (!s) continue;
    md_sim_text_clear(&sim->text);
    md_sim_book_body(&l->symbol->book, l->symbol->book.id, levels[i % 3], &sim->text);
    send(sim, l, s);
  }
}

/* ---- candles ---- */

/* Quantities beyond an int64 do not happen; quote volumes lose the digits below the eighth. */
static int64_t
narrow(md_i128 v) {
  return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

static int64_t
quote_of(md_i128 v) {
  return narrow(v / 100000000);
}

void
md_sim_out_kline(md_sim_t *sim, md_sim_listing_t *l, bool is_closed) {
  const md_sim_candle_t *c = &l->minute;
  md_sim_stream_t       *s = wanted(sim, l, MD_SIM_KLINE_1M);
  md_sim_text_t         *t = &sim->text;
  if (!s) return;
  begin(sim, l, "kline");
  number(t, ",\"k\":{\"t\":", c->begin_ms);
  number(t, ",\"T\":", c->begin_ms + 59999);
  md_sim_text_format(t, ",\"s\":\"%s\",\"i\":\"1m\"", l->symbol->name);
  number(t, ",\"f\":", c->first_id);
  number(t, ",\"L\":", c->last_id);
  decimal(t, ",\"o\":", c->open);
  decimal(t, ",\"c\":", c->close);
  decimal(t, ",\"h\":", c->high);
  decimal(t, ",\"l\":", c->low);
  decimal(t, ",\"v\":", narrow(c->qty));
  number(t, ",\"n\":", (int64_t)c->cnt);
  md_sim_text_str(t, is_closed ? ",\"x\":true" : ",\"x\":false");
  decimal(t, ",\"q\":", quote_of(c->quote));
  decimal(t, ",\"V\":", narrow(c->taker_qty));
  decimal(t, ",\"Q\":", quote_of(c->taker_quote));
  md_sim_text_str(t, ",\"B\":\"0\"}}");
  send(sim, l, s);
}

void
md_sim_out_ticker(md_sim_t *sim, md_sim_listing_t *l) {
  const md_sim_candle_t *c = &l->day;
  md_sim_stream_t       *s = wanted(sim, l, MD_SIM_TICKER);
  md_sim_text_t         *t = &sim->text;
  if (!s || c->cnt == 0) return;
  begin(sim, l, "24hrTicker");
  decimal(t, ",\"p\":", c->close - c->open);
  md_sim_text_format(t, ",\"P\":\"%.3f\"", (double)(c->close - c->open) * 100 / (double)c->open);
  decimal(t, ",\"w\":", narrow(c->quote / (c->qty ? c->qty : 1)));
  decimal(t, ",\"x\":", c->open);
  decimal(t, ",\"c\":", c->close);
  decimal(t, ",\"Q\":", l->lot);
  decimal(t, ",\"b\":", l->best[0].px);
  decimal(t, ",\"B\":", l->best[0].qty);
  decimal(t, ",\"a\":", l->best[1].px);
  decimal(t, ",\"A\":", l->best[1].qty);
  decimal(t, ",\"o\":", c->open);
  decimal(t, ",\"h\":", c->high);
  decimal(t, ",\"l\":", c->low);
  decimal(t, ",\"v\":", narrow(c->qty));
  decimal(t, ",\"q\":", quote_of(c->quote));
  number(t, ",\"O\":", c->begin_ms);
  number(t, ",\"C\":", sim->time_ms);
  number(t, ",\"F\":", c->first_id);
  number(t, ",\"L\":", c->last_id);
  number(t, ",\"n\":", (int64_t)c->cnt);
  md_sim_text_str(t, "}");
  send(sim, l, s);
}
