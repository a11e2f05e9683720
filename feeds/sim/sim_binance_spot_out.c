/* The payloads of Binance spot's streams. */
#include "feeds/sim/sim_binance.h"

#include <stdio.h>

static bool
list(md_sim_t *sim, uint32_t idx, md_sim_spec_t *out) {
  (void)sim;
  /* A price of 5 to 7 digits of its tick, which is 0.01 to 0.000001. */
  static const int64_t ticks[] = {1000000, 100000, 10000, 1000, 100};
  if (md_sim_bn_base(idx))
    (void)snprintf(out->name, sizeof out->name, "%sUSDT", md_sim_bn_base(idx));
  else
    (void)snprintf(out->name, sizeof out->name, "C%uUSDT", idx);
  out->tick = ticks[idx % MD_CNT(ticks)];
  out->lot  = 1000;
  return true;
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

static void
write_top(md_sim_t *sim, md_sim_listing_t *l) {
  md_sim_stream_t *s = md_sim_wanted(sim, l->symbol, MD_SIM_BBO);
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
trade_tail(md_sim_t *sim, bool buyer_makes) {
  md_sim_text_t *t = &sim->text;
  number(t, ",\"T\":", sim->time_ms);
  md_sim_text_str(t, buyer_makes ? ",\"m\":true,\"M\":true}" : ",\"m\":false,\"M\":true}");
}

static void
write_trade(md_sim_t *sim, md_sim_listing_t *l, const md_sim_print_t *p) {
  md_sim_stream_t *s;
  md_sim_text_t   *t = &sim->text;
  if ((s = md_sim_wanted(sim, l->symbol, MD_SIM_TRADE))) {
    begin(sim, l, "trade");
    number(t, ",\"t\":", p->id);
    decimal(t, ",\"p\":", p->px);
    decimal(t, ",\"q\":", p->qty);
    trade_tail(sim, p->buyer_makes);
    send(sim, l, s);
  }
  if ((s = md_sim_wanted(sim, l->symbol, MD_SIM_AGG_TRADE))) {
    begin(sim, l, "aggTrade");
    number(t, ",\"a\":", p->id);
    decimal(t, ",\"p\":", p->px);
    decimal(t, ",\"q\":", p->qty);
    number(t, ",\"f\":", p->id);
    number(t, ",\"l\":", p->id);
    trade_tail(sim, p->buyer_makes);
    send(sim, l, s);
  }
}

/* ---- depth ---- */

static void
write_changes(md_sim_text_t *t, const md_sim_batch_t *b, md_side_t side) {
  md_level_t level;
  uint32_t   at = 0;
  for (bool is_first = true; md_sim_batch_next(b, side, &at, &level, NULL); is_first = false) {
    decimal(t, is_first ? "[" : ",[", level.px);
    decimal(t, ",", level.qty);
    md_sim_text_str(t, "]");
  }
}

static void
write_book(md_sim_t *sim, md_sim_listing_t *l, const md_sim_batch_t *b, unsigned cadence) {
  md_sim_text_t *t = &sim->text;
  (void)cadence;
  begin(sim, l, "depthUpdate");
  number(t, ",\"U\":", (int64_t)b->first_id);
  number(t, ",\"u\":", (int64_t)b->last_id);
  md_sim_text_str(t, ",\"b\":[");
  write_changes(t, b, MD_SIDE_BUY);
  md_sim_text_str(t, "],\"a\":[");
  write_changes(t, b, MD_SIDE_SELL);
  md_sim_text_str(t, "]}");
}

void
md_sim_bn_spot_body(const md_sim_symbol_t *symbol, const md_sim_book_t *b, uint64_t id,
                    uint32_t limit, md_sim_text_t *out) {
  md_sim_text_str(out, "{\"lastUpdateId\":");
  md_sim_text_u64(out, id);
  md_sim_text_str(out, ",");
  md_sim_bn_levels(symbol, b, limit, out);
  md_sim_text_str(out, "}");
}

static void
write_partials(md_sim_t *sim, md_sim_listing_t *l, bool is_second) {
  static const uint32_t levels[] = {5, 10, 20};
  for (unsigned i = 0; i < 6; i++) {
    if (i < 3 && !is_second) continue;
    md_sim_stream_t *s = md_sim_wanted(sim, l->symbol, (md_sim_kind_t)(MD_SIM_PARTIAL_5 + i));
    if (!s) continue;
    md_sim_text_clear(&sim->text);
    md_sim_bn_spot_body(l->symbol, &l->symbol->book, l->symbol->book.id, levels[i % 3], &sim->text);
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

static void
write_kline(md_sim_t *sim, md_sim_listing_t *l, bool is_closed) {
  const md_sim_candle_t *c = &l->minute;
  md_sim_stream_t       *s = md_sim_wanted(sim, l->symbol, MD_SIM_KLINE_1M);
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

static void
write_ticker(md_sim_t *sim, md_sim_listing_t *l) {
  const md_sim_candle_t *c = &l->day;
  md_sim_stream_t       *s = md_sim_wanted(sim, l->symbol, MD_SIM_TICKER);
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

const md_sim_writers_t md_sim_bn_spot_writers = {
    .cadence = {MD_SIM_BOOK, MD_SIM_BOOK_SLOW, MD_SIM_OTHER},
    .list    = list,
    .book    = write_book,
    .top     = write_top,
    .trade   = write_trade,
    .tenth   = write_partials,
    .second  = write_ticker,
    .kline   = write_kline,
};
