/* Mark prices, funding and liquidations of Binance futures, by symbol and about all of them. */
#include "feeds/sim/sim_binance_futures.h"

#define SECOND_MS 1000

/* ---- marks ---- */

/* A mantissa with eight decimals. */
static int64_t
eight(int64_t v, int exp) {
  for (; exp > -8; exp--)
    v *= 10;
  return v;
}

/* The next funding is the end of the interval; right at an end it is still that end. */
static int64_t
next_funding(int64_t time_ms, int64_t interval_ms) {
  return ((time_ms - 1) / interval_ms + 1) * interval_ms;
}

void
md_sim_fu_mark(const md_sim_t *sim, const md_sim_listing_t *l, md_sim_fu_mark_t *out) {
  const md_sim_fu_symbol_t *s   = md_sim_fu_symbol(l->symbol);
  int64_t                   mid = eight(l->best[0].px + l->best[1].px, l->symbol->px_exp) / 2;
  *out = (md_sim_fu_mark_t){.mark = mid, .index = mid + mid / 2048, .settle = mid + mid / 4096};
  out->time_ms  = sim->time_ms / SECOND_MS * SECOND_MS;
  out->has_rate = !s->is_dated;
  if (s->is_dated) return;
  out->rate    = (int64_t)(l->day.cnt * 37 % 4001) - 2000;
  out->next_ms = next_funding(out->time_ms, s->interval_ms);
}

static void
write_mark(md_sim_t *sim, const md_sim_listing_t *l, const char *symbol, unsigned family) {
  md_sim_text_t   *t = &sim->text;
  md_sim_fu_mark_t m;
  md_sim_fu_mark(sim, l, &m);
  md_sim_text_str(t, "{\"e\":\"markPriceUpdate\"");
  md_sim_fu_number(t, ",\"E\":", m.time_ms);
  md_sim_text_str(t, ",\"s\":\"");
  md_sim_text_str(t, symbol);
  md_sim_text_str(t, "\"");
  md_sim_fu_decimal(t, ",\"p\":", m.mark, 8);
  md_sim_fu_decimal(t, ",\"ap\":", m.mark, 8);
  md_sim_fu_decimal(t, ",\"P\":", m.settle, 8);
  md_sim_fu_decimal(t, ",\"i\":", m.index, 8);
  if (m.has_rate)
    md_sim_fu_decimal(t, ",\"r\":", m.rate, 8);
  else
    md_sim_text_str(t, ",\"r\":\"\"");
  md_sim_fu_number(t, ",\"T\":", m.next_ms);
  md_sim_text_str(t, family == 1 ? ",\"st\":1}" : ",\"st\":2}");
}

static void
send_mark(md_sim_t *sim, md_sim_listing_t *l, md_sim_kind_t kind) {
  md_sim_stream_t *s = md_sim_wanted(sim, l->symbol, kind);
  if (!s) return;
  md_sim_text_clear(&sim->text);
  write_mark(sim, l, l->symbol->name, md_sim_fu_market(sim)->family);
  md_sim_send(sim, l->symbol, s, sim->text.p, sim->text.len);
}

void
md_sim_fu_second(md_sim_t *sim, md_sim_listing_t *l) {
  md_sim_fu_ticker(sim, l);
  if (l->best[0].qty == 0 || l->best[1].qty == 0) return; /* nothing was told of the top yet */
  send_mark(sim, l, MD_SIM_MARK);
  if (l->flush_cnt % 30 == 0) send_mark(sim, l, MD_SIM_MARK_SLOW);
}

/* ---- about all markets ---- */

static md_sim_stream_t *
stream_of_all(md_sim_t *sim, const char *name, size_t len) {
  md_sim_stream_t *s = md_sim_hub_stream(&sim->hub, name, len);
  return s && s->conn_cnt ? s : NULL;
}

/* The other family's contract, whose rows come along. */
static const char *
foreign(const md_sim_t *sim) {
  return md_sim_fu_market(sim)->is_inverse ? "BTCUSDT" : "BTCUSD_PERP";
}

/* Two frames, a half of the symbols each; the second one ends with rows of the other family and of
 * a symbol that no list has. */
static void
send_marks(md_sim_t *sim, md_sim_stream_t *s, md_sim_listing_t *listings, uint32_t cnt) {
  md_sim_text_t *t      = &sim->text;
  unsigned       family = md_sim_fu_market(sim)->family;
  for (uint32_t half = 0; half < 2; half++) {
    uint32_t end = half ? cnt : cnt / 2;
    md_sim_text_clear(t);
    md_sim_text_str(t, "[");
    for (uint32_t i = half ? cnt / 2 : 0; i < end; i++) {
      if (listings[i].symbol->is_unlisted) continue;
      if (t->len > 1) md_sim_text_str(t, ",");
      write_mark(sim, &listings[i], listings[i].symbol->name, family);
    }
    if (half == 1) {
      if (t->len > 1) md_sim_text_str(t, ",");
      write_mark(sim, &listings[0], foreign(sim), 3 - family);
      md_sim_text_str(t, ",");
      write_mark(sim, &listings[0], "UNLISTED", family);
    }
    md_sim_text_str(t, "]");
    if (t->len > 2) md_sim_send(sim, NULL, s, t->p, t->len);
  }
}

void
md_sim_fu_all(md_sim_t *sim, md_sim_listing_t *listings, uint32_t cnt) {
  static const char quick[] = "!markPrice@arr@1s", slow[] = "!markPrice@arr";
  md_sim_stream_t  *s = stream_of_all(sim, quick, sizeof quick - 1);
  if (s) send_marks(sim, s, listings, cnt);
  s = stream_of_all(sim, slow, sizeof slow - 1);
  if (s && sim->played_ns / 1000000000 % 3 == 0) send_marks(sim, s, listings, cnt);
}

/* ---- liquidations ---- */

static void
write_order(md_sim_t *sim, const md_sim_listing_t *l, const md_sim_print_t *p, const char *symbol,
            unsigned family) {
  md_sim_text_t *t  = &sim->text;
  int            px = -l->symbol->px_exp, qty = -l->symbol->qty_exp;
  md_sim_fu_begin(sim, "forceOrder");
  md_sim_fu_number(t, ",\"E\":", sim->time_ms);
  md_sim_text_str(t, ",\"o\":{\"s\":\"");
  md_sim_text_str(t, symbol);
  md_sim_text_str(t, p->buyer_makes ? "\",\"S\":\"SELL\"" : "\",\"S\":\"BUY\"");
  md_sim_text_str(t, ",\"o\":\"LIMIT\",\"f\":\"IOC\"");
  md_sim_fu_decimal(t, ",\"q\":", p->qty, qty);
  md_sim_fu_decimal(t, ",\"p\":", p->px, px);
  md_sim_fu_decimal(t, ",\"ap\":", p->px, px);
  md_sim_text_str(t, ",\"X\":\"FILLED\"");
  md_sim_fu_decimal(t, ",\"l\":", p->qty, qty);
  md_sim_fu_decimal(t, ",\"z\":", p->qty, qty);
  md_sim_fu_number(t, ",\"T\":", sim->time_ms);
  md_sim_text_str(t, family == 1 ? "},\"st\":1}" : "},\"st\":2}");
}

/* At most one a second of a symbol. Every fourth is followed by one of the other family where all
 * are told. */
void
md_sim_fu_liquidation(md_sim_t *sim, md_sim_listing_t *l, const md_sim_print_t *p) {
  static const char   all[]  = "!forceOrder@arr";
  md_sim_fu_symbol_t *s      = md_sim_fu_symbol(l->symbol);
  md_sim_stream_t    *one    = md_sim_wanted(sim, l->symbol, MD_SIM_LIQUIDATION);
  md_sim_stream_t    *many   = stream_of_all(sim, all, sizeof all - 1);
  unsigned            family = md_sim_fu_market(sim)->family;
  if (s->order_ms && sim->time_ms < s->order_ms + SECOND_MS) return;
  s->order_ms = sim->time_ms;
  uint64_t n  = ++md_sim_fu_state(sim)->order_cnt;
  if (!one && !many) return;
  write_order(sim, l, p, l->symbol->name, family);
  if (one) md_sim_send(sim, l->symbol, one, sim->text.p, sim->text.len);
  if (many) md_sim_send(sim, l->symbol, many, sim->text.p, sim->text.len);
  if (!many || n % 4 != 0) return;
  write_order(sim, l, p, foreign(sim), 3 - family);
  md_sim_send(sim, NULL, many, sim->text.p, sim->text.len);
}
