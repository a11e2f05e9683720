/* The synthetic market of Deribit: which instruments there are, and what is said about them. */
#include "feeds/sim/sim_deribit.h"

#include <inttypes.h>
#include <string.h>

#define ID_STEP_MAX   900u
#define STATE_EVERY_S 60u

/* ---- instruments ---- */

typedef struct row {
  const char *name;
  int8_t      px_exp, qty_exp;
  int64_t     tick, lot, px;
  uint32_t    levels;
} row_t;

/* Perpetuals and futures, inverse and linear; options with prices in coins and in dollars. */
static const row_t rows[] = {
    {"BTC-PERPETUAL", -1, 0, 5, 10, 842105, 0},
    {"ETH-PERPETUAL", -2, 0, 5, 1, 194360, 0},
    {"BTC_USDC-PERPETUAL", -1, -4, 1, 1, 842120, 0},
    {"BTC-25JUN27-90000-C", -4, -1, 1, 1, 1250, 12},
    {"BTC-25JUN27", -1, 0, 25, 10, 871000, 120},
    {"ETH-25JUN27-1200-P", -5, 0, 1, 1, 28, 8}, /* one side only */
    {"XRP_USDC-25JUN27-0d625-C", -4, 0, 1, 1000, 375, 8},
    {"SOL_USDC-PERPETUAL", -3, -1, 1, 1, 141282, 0},
    {"ETH-25JUN27", -2, 0, 5, 1, 197000, 60},
    {"ETH-25JUN27-9000-C", -4, 0, 1, 1, 4, 8}, /* a book without a level */
};

#define ONE_SIDED 5u
#define EMPTY     9u

static bool
list(md_sim_t *sim, uint32_t idx, md_sim_spec_t *out) {
  (void)sim;
  *out = (md_sim_spec_t){0};
  if (idx < MD_CNT(rows)) {
    const row_t *r = &rows[idx];
    (void)snprintf(out->name, sizeof out->name, "%s", r->name);
    out->px_exp       = r->px_exp;
    out->qty_exp      = r->qty_exp;
    out->tick         = r->tick;
    out->lot          = r->lot;
    out->px           = r->px;
    out->levels_start = r->levels;
    out->levels_min   = r->levels ? 2 : 0;
    out->levels_max   = r->levels * 4;
    return true;
  }
  /* More of the same: options by strike, and linear perpetuals. */
  uint32_t n = idx - (uint32_t)MD_CNT(rows);
  if (n % 5 == 4) {
    (void)snprintf(out->name, sizeof out->name, "T%u_USDC-PERPETUAL", n / 5);
    out->px_exp       = -4;
    out->qty_exp      = 0;
    out->tick         = 1;
    out->lot          = 1;
    out->levels_start = 60;
    out->levels_min   = 20;
    out->levels_max   = 200;
    return true;
  }
  bool is_btc = n % 5 < 3;
  (void)snprintf(out->name, sizeof out->name, "%s-25JUN27-%u-%c", is_btc ? "BTC" : "ETH",
                 is_btc ? 20000 + 250 * n : 500 + 10 * n, n % 2 ? 'C' : 'P');
  out->px_exp  = -4;
  out->qty_exp = is_btc ? -1 : 0;
  out->tick    = is_btc ? 1 : 5;
  out->lot     = 1;
  out->px      = 100 + n % 3000;
  out->px -= out->px % out->tick;
  out->levels_start = 10;
  out->levels_min   = 2;
  out->levels_max   = 40;
  return true;
}

static void
listed(md_sim_t *sim, md_sim_listing_t *l, uint32_t idx) {
  (void)sim;
  md_sim_db_symbol_t *s = md_sim_db_symbol(l->symbol);
  s->tick               = l->tick;
  s->lot                = l->lot;
  md_orderbook_t *b     = &l->symbol->book.book;
  if (idx == EMPTY) md_orderbook_clear(b);
  if (idx != ONE_SIDED) return;
  md_err_t err = md_orderbook_load(b, MD_SIDE_BUY, NULL, 0);
  md_assert(!err);
}

/* ---- books ---- */

/* All instruments share the ids, and most of what has one is not about this book. */
static uint64_t
next_id(md_sim_t *sim, md_sim_listing_t *l) {
  md_sim_db_state_t *st = md_sim_db_state(sim);
  (void)l;
  st->change_id += 1 + md_sim_random(sim, ID_STEP_MAX);
  return st->change_id;
}

static void
changes(md_sim_text_t *t, const md_sim_symbol_t *symbol, const md_sim_batch_t *b, md_side_t side) {
  uint32_t   at = 0;
  md_level_t level;
  bool       is_new, is_first = true;
  while (md_sim_batch_next(b, side, &at, &level, &is_new)) {
    if (!is_first) md_sim_text_str(t, ",");
    is_first = false;
    md_sim_db_level(t, symbol, level.qty == 0 ? "delete" : is_new ? "new" : "change", level);
  }
}

/* The id before it stands last, behind the levels. */
static void
book(md_sim_t *sim, md_sim_listing_t *l, const md_sim_batch_t *b, unsigned cadence) {
  md_sim_text_t         *t = &sim->text;
  const md_sim_symbol_t *y = l->symbol;
  md_sim_db_begin(t, y->stream[md_sim_db_writers.cadence[cadence]]);
  md_sim_text_format(t,
                     "{\"timestamp\":%" PRId64 ",\"type\":\"change\",\"change_id\":%" PRIu64
                     ",\"instrument_name\":\"%s\",\"bids\":[",
                     sim->time_ms, b->last_id, y->name);
  changes(t, y, b, MD_SIDE_BUY);
  md_sim_text_str(t, "],\"asks\":[");
  changes(t, y, b, MD_SIDE_SELL);
  md_sim_text_format(t, "],\"prev_change_id\":%" PRIu64 "}", b->prev_id);
  md_sim_db_done(t);
}

static void
send(md_sim_t *sim, md_sim_listing_t *l, md_sim_stream_t *s) {
  md_sim_db_done(&sim->text);
  md_sim_send(sim, l->symbol, s, sim->text.p, sim->text.len);
}

/* The best levels, each time all of them. */
static void
grouped(md_sim_t *sim, md_sim_listing_t *l) {
  static const struct {
    md_sim_kind_t kind;
    uint32_t      levels;
  } kinds[] = {{MD_SIM_PARTIAL_5_100, 1}, {MD_SIM_PARTIAL_10_100, 10}, {MD_SIM_PARTIAL_20_100, 20}};
  for (size_t n = 0; n < MD_CNT(kinds); n++) {
    md_sim_stream_t *s = md_sim_wanted(sim, l->symbol, kinds[n].kind);
    if (!s) continue;
    md_sim_text_t *t = &sim->text;
    md_sim_db_begin(t, s);
    md_sim_text_format(t,
                       "{\"timestamp\":%" PRId64 ",\"change_id\":%" PRIu64
                       ",\"instrument_name\":\"%s\",\"bids\":",
                       sim->time_ms, l->symbol->book.id, l->symbol->name);
    md_sim_db_side(t, l->symbol, MD_SIDE_BUY, NULL, kinds[n].levels);
    md_sim_text_str(t, ",\"asks\":");
    md_sim_db_side(t, l->symbol, MD_SIDE_SELL, NULL, kinds[n].levels);
    md_sim_text_str(t, "}");
    send(sim, l, s);
  }
}

/* ---- trades ---- */

/* One of many was agreed elsewhere, or liquidated somebody. */
static const char *
what_is_special(int64_t id) {
  if (id % 41 == 0) return ",\"liquidation\":\"T\"";
  if (id % 97 == 0) return ",\"liquidation\":\"M\"";
  if (id % 211 == 0) return ",\"liquidation\":\"MT\"";
  return id % 53 == 0 ? ",\"block_trade_id\":\"BLOCK-77\",\"block_trade_leg_count\":1" : "";
}

static void
one_trade(const md_sim_t *sim, const md_sim_symbol_t *y, const md_sim_print_t *p, uint64_t trade_id,
          md_sim_text_t *t) {
  const md_sim_db_symbol_t *s = md_sim_db_symbol(y);
  char                      index[MD_SIM_NAME_BYTES];
  md_sim_db_index(y, index, sizeof index);
  md_sim_text_format(t, "{\"timestamp\":%" PRId64 ",\"price\":", sim->time_ms);
  md_sim_db_number(t, p->px, y->px_exp);
  md_sim_text_str(t, ",\"amount\":");
  md_sim_db_number(t, p->qty, y->qty_exp);
  md_sim_text_format(t, ",\"direction\":\"%s\",\"index_price\":", p->buyer_makes ? "sell" : "buy");
  md_sim_db_number(t, md_sim_db_index_cents(sim, index), -2);
  md_sim_text_format(
      t, ",\"instrument_name\":\"%s\",\"trade_seq\":%" PRId64 ",\"mark_price\":", y->name, p->id);
  md_sim_db_number(t, md_sim_db_mark(y), y->px_exp - 2);
  md_sim_text_format(t, ",\"tick_direction\":%u,\"trade_id\":\"%s%" PRIu64 "\",\"contracts\":",
                     s->direction, strncmp(y->name, "ETH-", 4) == 0 ? "ETH-" : "", trade_id);
  md_sim_db_number(t, p->qty / s->lot, 0);
  if (s->definition.kind == MD_KIND_OPTION) md_sim_text_str(t, ",\"iv\":45.61");
  md_sim_text_str(t, what_is_special(p->id));
  md_sim_text_format(t, ",\"starbase_timestamp\":%" PRId64 "718924}", sim->time_ms);
}

static bool
wild_is_wanted(const md_sim_t *sim, const md_sim_symbol_t *y) {
  const md_sim_db_state_t *st = md_sim_db_state(sim);
  for (uint32_t n = 0; n < st->wild_cnt; n++)
    if (st->wild[n]->kind == MD_SIM_ALL_TRADE && st->wild[n]->conn_cnt &&
        md_sim_db_wild_wants(st->wild[n], 1, y))
      return true;
  return false;
}

static void
trade(md_sim_t *sim, md_sim_listing_t *l, const md_sim_print_t *p) {
  md_sim_symbol_t    *y  = l->symbol;
  md_sim_db_symbol_t *s  = md_sim_db_symbol(y);
  uint64_t            id = ++md_sim_db_state(sim)->trade_id;
  if (s->last_px && p->px != s->last_px) s->direction = p->px > s->last_px ? 0 : 2;
  if (s->last_px == p->px) s->direction |= 1;
  s->last_px               = p->px;
  md_sim_stream_t *raw     = md_sim_wanted(sim, y, MD_SIM_FILL);
  bool             batches = md_sim_wanted(sim, y, MD_SIM_TRADE) || wild_is_wanted(sim, y);
  if (raw) {
    md_sim_db_begin(&sim->text, raw);
    md_sim_text_str(&sim->text, "[");
    one_trade(sim, y, p, id, &sim->text);
    md_sim_text_str(&sim->text, "]");
    send(sim, l, raw);
  }
  if (!batches) return;
  if (s->trades.len) md_sim_text_str(&s->trades, ",");
  one_trade(sim, y, p, id, &s->trades);
}

static void
trades_to(md_sim_t *sim, md_sim_listing_t *l, md_sim_stream_t *to) {
  const md_sim_text_t *trades = &md_sim_db_symbol(l->symbol)->trades;
  md_sim_db_begin(&sim->text, to);
  md_sim_text_str(&sim->text, "[");
  md_sim_text_add(&sim->text, trades->p, trades->len);
  md_sim_text_str(&sim->text, "]");
  send(sim, l, to);
}

static void
send_trades(md_sim_t *sim, md_sim_listing_t *l) {
  const md_sim_db_state_t *st = md_sim_db_state(sim);
  md_sim_db_symbol_t      *s  = md_sim_db_symbol(l->symbol);
  if (s->trades.len == 0) return;
  md_sim_stream_t *own = md_sim_wanted(sim, l->symbol, MD_SIM_TRADE);
  if (own) trades_to(sim, l, own);
  for (uint32_t n = 0; n < st->wild_cnt; n++) {
    md_sim_stream_t *w = st->wild[n];
    if (w->kind == MD_SIM_ALL_TRADE && w->conn_cnt && md_sim_db_wild_wants(w, 1, l->symbol))
      trades_to(sim, l, w);
  }
  md_sim_text_clear(&s->trades);
}

/* ---- tickers ---- */

static void
ticker_to(md_sim_t *sim, md_sim_listing_t *l, md_sim_stream_t *s) {
  md_sim_db_begin(&sim->text, s);
  md_sim_text_str(&sim->text, "{");
  md_sim_db_ticker_members(sim, l->symbol, &sim->text);
  md_sim_text_str(&sim->text, "}");
  send(sim, l, s);
}

static void
top(md_sim_t *sim, md_sim_listing_t *l) {
  md_sim_stream_t *quote = md_sim_wanted(sim, l->symbol, MD_SIM_BBO);
  md_sim_stream_t *raw   = md_sim_wanted(sim, l->symbol, MD_SIM_MARK);
  if (raw) ticker_to(sim, l, raw);
  if (!quote) return;
  md_sim_db_begin(&sim->text, quote);
  md_sim_text_format(&sim->text, "{\"timestamp\":%" PRId64 ",\"instrument_name\":\"%s\"",
                     sim->time_ms, l->symbol->name);
  md_sim_db_best(l->symbol, &sim->text);
  md_sim_text_str(&sim->text, "}");
  send(sim, l, quote);
}

static void
tenth(md_sim_t *sim, md_sim_listing_t *l, bool is_second) {
  md_sim_db_symbol_t *s = md_sim_db_symbol(l->symbol);
  send_trades(sim, l);
  grouped(sim, l);
  md_sim_stream_t *ticker = md_sim_wanted(sim, l->symbol, MD_SIM_TICKER);
  if (!ticker || (s->ticker_id == l->symbol->book.id && !is_second)) return;
  s->ticker_id = l->symbol->book.id;
  ticker_to(sim, l, ticker);
}

static void
second(md_sim_t *sim, md_sim_listing_t *l) {
  const md_sim_db_symbol_t *s       = md_sim_db_symbol(l->symbol);
  bool                      is_perp = s->definition.kind == MD_KIND_PERPETUAL;
  md_sim_stream_t *funding = is_perp ? md_sim_wanted(sim, l->symbol, MD_SIM_FUNDING) : NULL;
  if (!funding) return;
  char index[MD_SIM_NAME_BYTES];
  md_sim_db_index(l->symbol, index, sizeof index);
  int64_t cents = md_sim_db_index_cents(sim, index);
  md_sim_db_begin(&sim->text, funding);
  md_sim_text_str(&sim->text, "{\"index_price\":");
  md_sim_db_number(&sim->text, cents, -2);
  md_sim_text_str(&sim->text, ",\"interest\":");
  md_sim_db_number(&sim->text, (int64_t)(s->id % 50) * 31 + cents % 97 - 20, -7);
  md_sim_text_format(&sim->text, ",\"timestamp\":%" PRId64 "}", sim->time_ms);
  send(sim, l, funding);
}

/* ---- what is not about one instrument ---- */

static void
index_to(md_sim_t *sim, md_sim_stream_t *s) {
  md_sim_db_slice_t name = md_sim_db_part(s->name, s->name_len, 1);
  md_sim_text_t    *t    = &sim->text;
  char              buffer[MD_SIM_NAME_BYTES];
  if (name.len >= sizeof buffer) return;
  (void)snprintf(buffer, sizeof buffer, "%.*s", (int)name.len, name.p);
  md_sim_db_begin(t, s);
  md_sim_text_format(t, "{\"timestamp\":%" PRId64, sim->time_ms);
  if (s->kind == MD_SIM_VOLATILITY) {
    md_sim_text_str(t, ",\"volatility\":");
    md_sim_db_number(t, 4800 + md_sim_db_index_cents(sim, buffer) % 97, -2);
  } else {
    md_sim_text_str(t, ",\"price\":");
    md_sim_db_number(t, md_sim_db_index_cents(sim, buffer), -2);
  }
  md_sim_text_format(t, ",\"index_name\":\"%s\"}", buffer);
  md_sim_db_done(t);
  md_sim_send(sim, NULL, s, t->p, t->len);
}

/* An index is locked for a second, once in a minute. */
static void
state_to(md_sim_t *sim, md_sim_stream_t *s, uint64_t second_cnt) {
  if (second_cnt % STATE_EVERY_S != 2 && second_cnt % STATE_EVERY_S != 3) return;
  md_sim_db_begin(&sim->text, s);
  md_sim_text_format(&sim->text, "{\"price_index\":\"sol_usdc\",\"locked\":%s}",
                     second_cnt % STATE_EVERY_S == 2 ? "true" : "false");
  md_sim_db_done(&sim->text);
  md_sim_send(sim, NULL, s, sim->text.p, sim->text.len);
}

static void
all(md_sim_t *sim, md_sim_listing_t *listings, uint32_t cnt) {
  md_sim_db_state_t *st = md_sim_db_state(sim);
  (void)listings;
  (void)cnt;
  st->second_cnt++;
  for (uint32_t n = 0; n < st->wild_cnt; n++) {
    md_sim_stream_t *s = st->wild[n];
    if (s->conn_cnt == 0) continue;
    if (s->kind == MD_SIM_INDEX || s->kind == MD_SIM_VOLATILITY) index_to(sim, s);
    if (s->kind == MD_SIM_STATE) state_to(sim, s, st->second_cnt);
  }
}

const md_sim_writers_t md_sim_db_writers = {
    .cadence = {MD_SIM_BOOK, MD_SIM_BOOK_SLOW, MD_SIM_BOOK_FAST},
    .list    = list,
    .listed  = listed,
    .next_id = next_id,
    .book    = book,
    .top     = top,
    .trade   = trade,
    .tenth   = tenth,
    .second  = second,
    .all     = all,
};
