/* Numbers, books and tickers as Deribit writes them. */
#include "feeds/sim/sim_deribit.h"

#include <inttypes.h>
#include <string.h>

/* ---- numbers ---- */

/* Writes digits with a point behind the first `whole` of them; zeros where there are none. */
static void
plain(md_sim_text_t *t, const char *digits, int cnt, int whole) {
  if (whole <= 0) {
    md_sim_text_str(t, "0.");
    for (int n = whole; n < 0; n++)
      md_sim_text_str(t, "0");
    md_sim_text_add(t, digits, (size_t)cnt);
    return;
  }
  md_sim_text_add(t, digits, (size_t)(cnt < whole ? cnt : whole));
  for (int n = cnt; n < whole; n++)
    md_sim_text_str(t, "0");
  md_sim_text_str(t, ".");
  if (cnt > whole)
    md_sim_text_add(t, digits + whole, (size_t)(cnt - whole));
  else
    md_sim_text_str(t, "0");
}

static void
scientific(md_sim_text_t *t, const char *digits, int cnt, int whole) {
  md_sim_text_add(t, digits, 1);
  md_sim_text_str(t, ".");
  if (cnt > 1)
    md_sim_text_add(t, digits + 1, (size_t)cnt - 1);
  else
    md_sim_text_str(t, "0");
  md_sim_text_format(t, "e%d", whole - 1);
}

/* How long the text of a number is. whole: digits before the point. */
static int
plain_len(int cnt, int whole) {
  if (whole <= 0) return 2 - whole + cnt;
  return cnt > whole ? cnt + 1 : whole + 2;
}

static int
scientific_len(int cnt, int whole) {
  int e = whole - 1, len = (cnt > 1 ? cnt + 1 : 3) + 1 + (e < 0);
  return len + (e >= 10 || e <= -10 ? 2 : 1);
}

void
md_sim_db_number(md_sim_text_t *t, int64_t mantissa, int exp) {
  char digits[24];
  if (mantissa == 0) {
    md_sim_text_str(t, "0.0");
    return;
  }
  if (mantissa < 0) md_sim_text_str(t, "-");
  uint64_t v = mantissa < 0 ? 0 - (uint64_t)mantissa : (uint64_t)mantissa;
  for (; v % 10 == 0; v /= 10)
    exp++;
  int cnt = 0;
  for (uint64_t rest = v; rest; rest /= 10)
    cnt++;
  for (int n = cnt; n > 0; v /= 10)
    digits[--n] = (char)('0' + v % 10);
  int whole = cnt + exp;
  if (scientific_len(cnt, whole) < plain_len(cnt, whole))
    scientific(t, digits, cnt, whole);
  else
    plain(t, digits, cnt, whole);
}

/* Now and then a whole number has no point: "2700". */
static void
amount(md_sim_text_t *t, const md_sim_symbol_t *symbol, int64_t qty) {
  int64_t unit = (int64_t)md_pow10_u64((unsigned)-symbol->qty_exp);
  if (qty % (7 * unit) == 0 && qty != 0)
    md_sim_text_u64(t, (uint64_t)(qty / unit));
  else
    md_sim_db_number(t, qty, symbol->qty_exp);
}

static void
member(md_sim_text_t *t, const char *key, int64_t mantissa, int exp) {
  md_sim_text_str(t, ",\"");
  md_sim_text_str(t, key);
  md_sim_text_str(t, "\":");
  md_sim_db_number(t, mantissa, exp);
}

/* ---- messages ---- */

void
md_sim_db_begin(md_sim_text_t *t, const md_sim_stream_t *s) {
  static const char head[] =
      "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"";
  md_sim_text_clear(t);
  md_sim_text_add(t, head, sizeof head - 1);
  md_sim_text_add(t, s->name, s->name_len);
  md_sim_text_str(t, "\",\"data\":");
}

void
md_sim_db_done(md_sim_text_t *t) {
  md_sim_text_str(t, "}}");
}

/* ---- books ---- */

void
md_sim_db_level(md_sim_text_t *t, const md_sim_symbol_t *symbol, const char *action,
                md_level_t level) {
  md_sim_text_str(t, "[");
  if (action) {
    md_sim_text_str(t, "\"");
    md_sim_text_str(t, action);
    md_sim_text_str(t, "\",");
  }
  md_sim_db_number(t, level.px, symbol->px_exp);
  md_sim_text_str(t, ",");
  amount(t, symbol, level.qty);
  md_sim_text_str(t, "]");
}

void
md_sim_db_side(md_sim_text_t *t, const md_sim_symbol_t *symbol, md_side_t side, const char *action,
               uint32_t limit) {
  md_level_t level;
  md_sim_text_str(t, "[");
  for (uint32_t n = 0; limit == 0 || n < limit; n++) {
    if (!md_orderbook_at(&symbol->book.book, side, n, &level)) break;
    if (n) md_sim_text_str(t, ",");
    md_sim_db_level(t, symbol, action, level);
  }
  md_sim_text_str(t, "]");
}

void
md_sim_db_snapshot(md_sim_t *sim, const md_sim_symbol_t *symbol, const md_sim_stream_t *s,
                   md_sim_text_t *t) {
  md_sim_db_begin(t, s);
  md_sim_text_format(t,
                     "{\"timestamp\":%" PRId64 ",\"type\":\"snapshot\",\"change_id\":%" PRIu64
                     ",\"instrument_name\":\"%s\",\"bids\":",
                     sim->time_ms, symbol->book.id, symbol->name);
  md_sim_db_side(t, symbol, MD_SIDE_BUY, "new", 0);
  md_sim_text_str(t, ",\"asks\":");
  md_sim_db_side(t, symbol, MD_SIDE_SELL, "new", 0);
  md_sim_text_str(t, "}");
  md_sim_db_done(t);
}

/* ---- tickers ---- */

int64_t
md_sim_db_index_cents(const md_sim_t *sim, const char *index) {
  static const struct {
    const char *base;
    int64_t     cents;
  } rows[]      = {{"btc", 8423371}, {"eth", 194364}, {"sol", 14128}, {"xrp", 62}};
  int64_t cents = 1050;
  for (size_t n = 0; n < MD_CNT(rows); n++)
    if (strncmp(index, rows[n].base, 3) == 0) cents = rows[n].cents;
  return cents + sim->time_ms / 1000 % 97;
}

/* Between the best prices, or where one of them is. */
int64_t
md_sim_db_mark(const md_sim_symbol_t *symbol) {
  md_level_t bid = {0, 0}, ask = {0, 0};
  bool       has_bid = md_orderbook_at(&symbol->book.book, MD_SIDE_BUY, 0, &bid);
  bool       has_ask = md_orderbook_at(&symbol->book.book, MD_SIDE_SELL, 0, &ask);
  if (has_bid && has_ask) return (bid.px + ask.px) * 50;
  return (has_bid ? bid.px : ask.px) * 100;
}

void
md_sim_db_best(const md_sim_symbol_t *symbol, md_sim_text_t *t) {
  md_level_t bid = {0, 0}, ask = {0, 0};
  (void)md_orderbook_at(&symbol->book.book, MD_SIDE_BUY, 0, &bid);
  (void)md_orderbook_at(&symbol->book.book, MD_SIDE_SELL, 0, &ask);
  member(t, "best_bid_price", bid.px, symbol->px_exp);
  member(t, "best_bid_amount", bid.qty, symbol->qty_exp);
  member(t, "best_ask_price", ask.px, symbol->px_exp);
  member(t, "best_ask_amount", ask.qty, symbol->qty_exp);
}

/* Of the day: from the market's candle; null in a recording, and where nothing was traded. */
static void
statistics(const md_sim_symbol_t *symbol, md_sim_text_t *t) {
  const md_sim_candle_t *day = symbol->listing ? &symbol->listing->day : NULL;
  if (!day || day->cnt == 0) {
    md_sim_text_str(
        t, ",\"stats\":{\"high\":null,\"low\":null,\"price_change\":null,\"volume\":null}");
    return;
  }
  md_sim_text_str(t, ",\"stats\":{\"high\":");
  md_sim_db_number(t, day->high, symbol->px_exp);
  member(t, "low", day->low, symbol->px_exp);
  member(t, "price_change", (day->close - day->open) * 1000000 / day->open, -4);
  member(t, "volume", day->qty > INT64_MAX ? INT64_MAX : (int64_t)day->qty, symbol->qty_exp);
  md_sim_text_str(t, "}");
}

/* Numbers of an option that change slowly, from its number and the time. */
static void
greeks(const md_sim_t *sim, const md_sim_symbol_t *symbol, const char *index, md_sim_text_t *t) {
  const md_sim_db_symbol_t *s    = md_sim_db_symbol(symbol);
  int64_t                   v    = (int64_t)(s->id % 89) * 7 + sim->time_ms / 1000 % 13 + 1;
  int64_t                   sign = s->definition.option_type == 2 ? -1 : 1;
  md_sim_text_str(t, ",\"greeks\":{\"delta\":");
  md_sim_db_number(t, sign * v * 100, -5);
  member(t, "gamma", v / 20, -5);
  member(t, "vega", v * 1000 + 7, -5);
  member(t, "theta", -v * 10000 - 3, -5);
  member(t, "rho", sign * v, -5);
  md_sim_text_str(t, "}");
  member(t, "mark_iv", 4500 + v, -2);
  member(t, "bid_iv", symbol->book.book.bids.cnt ? 4400 + v : 0, -2);
  member(t, "ask_iv", symbol->book.book.asks.cnt ? 4600 + v : 0, -2);
  member(t, "underlying_price", md_sim_db_index_cents(sim, index) + 117, -2);
  md_sim_text_str(t, ",\"underlying_index\":\"index_price\",\"interest_rate\":0.0");
}

void
md_sim_db_ticker_members(const md_sim_t *sim, const md_sim_symbol_t *symbol, md_sim_text_t *t) {
  const md_sim_db_symbol_t *s     = md_sim_db_symbol(symbol);
  int64_t                   cents = 0, day = 0;
  char                      index[MD_SIM_NAME_BYTES];
  md_sim_db_index(symbol, index, sizeof index);
  cents = md_sim_db_index_cents(sim, index);
  day   = symbol->listing ? (int64_t)symbol->listing->day.cnt : 0;
  md_sim_text_format(t, "\"timestamp\":%" PRId64 ",\"state\":\"%s\"", sim->time_ms,
                     symbol->is_over ? "closed" : "open");
  statistics(symbol, t);
  member(t, "index_price", cents, -2);
  md_sim_text_format(t, ",\"instrument_name\":\"%s\",\"last_price\":", symbol->name);
  if (s->last_px)
    md_sim_db_number(t, s->last_px, symbol->px_exp);
  else
    md_sim_text_str(t, "null");
  int64_t mark = md_sim_db_mark(symbol);
  member(t, "settlement_price", mark, symbol->px_exp - 2);
  member(t, "min_price", mark / 2, symbol->px_exp - 2);
  member(t, "max_price", mark * 2, symbol->px_exp - 2);
  member(t, "open_interest", (int64_t)(s->id * 7919 % 100000 + 1) * 10 + day, 0);
  member(t, "mark_price", mark, symbol->px_exp - 2);
  member(t, "estimated_delivery_price", cents, -2);
  if (s->definition.kind == MD_KIND_PERPETUAL) {
    member(t, "interest_value", cents * 31 + day, -5);
    member(t, "current_funding", (int64_t)(s->id % 50) * 31 + cents % 97 - 20, -7);
    member(t, "funding_8h", (int64_t)(s->id % 50) * 11 + 15, -8);
  }
  if (s->definition.kind == MD_KIND_OPTION) greeks(sim, symbol, index, t);
  md_sim_db_best(symbol, t);
}
