/* What can be asked about Deribit's instruments, over WebSocket and HTTP. */
#include "feeds/json.h"
#include "feeds/sim/sim_deribit.h"

#include <inttypes.h>
#include <string.h>

#define INSTRUMENTS_PATH "/api/v2/public/get_instruments"

static md_sim_symbol_t *
named(md_sim_db_call_t *call) {
  md_sim_db_slice_t name;
  call->reason = "instrument_name is unknown";
  if (!md_sim_db_param(call, "instrument_name", &name)) return NULL;
  md_sim_symbol_t *y = md_sim_symbol(call->sim, name.p, name.len);
  return y && (!y->is_unlisted || y->is_over) ? y : NULL;
}

/* ---- instruments ---- */

static void
quoted(md_sim_text_t *t, const char *key, const char *value) {
  md_sim_text_format(t, ",\"%s\":\"%s\"", key, value);
}

static void
number(md_sim_text_t *t, const char *key, int64_t mantissa, int exp) {
  md_sim_text_format(t, ",\"%s\":", key);
  md_sim_db_number(t, mantissa, exp);
}

static void
option_members(const md_definition_t *d, md_sim_text_t *t) {
  md_i128 strike   = 0;
  int     exponent = 0;
  (void)md_dec128_split(d->strike, &strike, &exponent);
  number(t, "strike", (int64_t)strike, exponent);
  quoted(t, "option_type", d->option_type == 2 ? "put" : "call");
}

/* The price step of options is finer for cheap ones. */
static void
steps(const md_sim_symbol_t *y, int64_t tick, int px_exp, md_sim_text_t *t) {
  md_sim_text_str(t, ",\"tick_size_steps\":[");
  if (md_sim_db_is_option(y)) {
    md_sim_text_str(t, "{\"tick_size\":");
    md_sim_db_number(t, tick * 5, px_exp);
    md_sim_text_str(t, ",\"above_price\":");
    md_sim_db_number(t, tick * 100000, px_exp);
    md_sim_text_str(t, "}");
  }
  md_sim_text_str(t, "]");
}

static void
instrument(const md_sim_symbol_t *y, md_sim_text_t *t) {
  const md_sim_db_symbol_t *s    = md_sim_db_symbol(y);
  const md_definition_t    *d    = &s->definition;
  bool                      perp = d->kind == MD_KIND_PERPETUAL, option = md_sim_db_is_option(y);
  bool                      linear = strchr(y->name, '_') != NULL, listed = s->tick > 0;
  int64_t                   tick = listed ? s->tick : option ? 1 : 5, lot = listed ? s->lot : 1;
  int  px_exp = listed ? y->px_exp : option ? -4 : -1, qty_exp = listed ? y->qty_exp : 0;
  char index[MD_SIM_NAME_BYTES];
  md_sim_db_index(y, index, sizeof index);
  md_sim_text_format(t, "{\"price_index\":\"%s\",\"kind\":\"%s\",\"instrument_name\":\"%s\"", index,
                     md_sim_db_kind(y), y->name);
  md_sim_text_format(t, ",\"instrument_id\":%u,\"is_active\":%s,\"state\":\"%s\",\"rfq\":false",
                     s->id, y->is_over ? "false" : "true", y->is_over ? "closed" : "open");
  quoted(t, "instrument_type", linear ? "linear" : "reversed");
  if (!option) quoted(t, "future_type", linear ? "linear" : "reversed");
  quoted(t, "base_currency", d->base);
  quoted(t, "quote_currency", d->quote);
  quoted(t, "counter_currency", linear ? d->quote : "USD");
  quoted(t, "settlement_currency", d->settle);
  quoted(t, "settlement_period", perp ? "perpetual" : "month");
  md_sim_text_format(t, ",\"creation_timestamp\":1534167754000,\"expiration_timestamp\":%" PRId64,
                     perp ? (int64_t)32503708800000 : d->expiry_ns / 1000000);
  number(t, "tick_size", tick, px_exp);
  steps(y, tick, px_exp, t);
  number(t, "min_trade_amount", lot, qty_exp);
  number(t, "contract_size", option && !linear ? 1 : lot, option && !linear ? 0 : qty_exp);
  number(t, "maker_commission", option ? 3 : 0, -4);
  number(t, "taker_commission", option ? 3 : 5, -4);
  number(t, "block_trade_commission", 25, -5);
  if (option) option_members(d, t);
  if (!option) md_sim_text_str(t, ",\"max_leverage\":50,\"max_liquidation_commission\":0.0075");
  md_sim_text_str(t, "}");
}

static bool
is_of(const md_sim_symbol_t *y, md_sim_db_slice_t currency, md_sim_db_slice_t kind) {
  const md_definition_t *d = &md_sim_db_symbol(y)->definition;
  if (kind.p && kind.len && !md_sim_db_same(kind, "any") &&
      !md_sim_db_same(kind, md_sim_db_kind(y)))
    return false;
  if (!currency.p || md_sim_db_same(currency, "any")) return true;
  return md_sim_db_same(currency, d->settle) || md_sim_db_same(currency, d->base);
}

/* The rows of recorded lists, each as it was. Whether one is asked for by currency is in its URL.
 */
static bool
recorded_rows(const md_sim_t *sim, md_sim_db_slice_t currency, md_sim_text_t *out) {
  const char *comma = "";
  bool        found = false;
  bool        all   = !currency.p || md_sim_db_same(currency, "any");
  for (const md_sim_recorded_t *r = sim->recorded; r; r = r->next) {
    md_sim_db_slice_t of;
    const uint8_t    *rows;
    uint32_t          len;
    if (strcmp(r->path, INSTRUMENTS_PATH) != 0) continue;
    if (!md_sim_query(r->query, "currency", &of.p, &of.len)) continue;
    if (!all && (of.len != currency.len || memcmp(of.p, currency.p, of.len) != 0)) continue;
    if (md_json_member((const uint8_t *)r->text, (uint32_t)r->len, "result", &rows, &len)) continue;
    if (len <= 2 || rows[0] != '[') continue;
    md_sim_text_str(out, comma);
    md_sim_text_add(out, rows + 1, len - 2);
    comma = ",";
    found = true;
  }
  return found;
}

int
md_sim_db_instruments(md_sim_db_call_t *call, md_sim_text_t *out) {
  const md_sim_t   *sim = call->sim;
  md_sim_db_slice_t currency, kind, expired;
  bool              is_first = true;
  (void)md_sim_db_param(call, "currency", &currency);
  (void)md_sim_db_param(call, "kind", &kind);
  (void)md_sim_db_param(call, "expired", &expired);
  md_sim_text_str(out, "[");
  if (!sim->lists && recorded_rows(sim, currency, out)) {
    md_sim_text_str(out, "]");
    return MD_SIM_DB_OK;
  }
  for (uint32_t n = 0; n < sim->symbol_cnt; n++) {
    const md_sim_symbol_t *y = sim->symbols[n];
    bool is_there            = md_sim_db_same(expired, "true") ? y->is_over : !y->is_unlisted;
    if (!is_there || !is_of(y, currency, kind)) continue;
    if (!is_first) md_sim_text_str(out, ",");
    is_first = false;
    instrument(y, out);
  }
  md_sim_text_str(out, "]");
  return MD_SIM_DB_OK;
}

int
md_sim_db_instrument(md_sim_db_call_t *call, md_sim_text_t *out) {
  const md_sim_symbol_t *y = named(call);
  if (!y) return MD_SIM_DB_NOT_FOUND;
  instrument(y, out);
  return MD_SIM_DB_OK;
}

int
md_sim_db_currencies(md_sim_db_call_t *call, md_sim_text_t *out) {
  static const char *const names[] = {"BTC", "ETH", "SOL", "XRP", "USDC"};
  (void)call;
  for (size_t n = 0; n < MD_CNT(names); n++)
    md_sim_text_format(out,
                       "%s{\"currency\":\"%s\",\"currency_long\":\"%s\",\"coin_type\":\"%s\","
                       "\"min_confirmations\":1,\"min_withdrawal_fee\":1.0e-4,\"withdrawal_fee\":"
                       "1.0e-4,\"withdrawal_priorities\":[],\"fee_precision\":4,"
                       "\"in_cross_collateral_pool\":true}",
                       n ? "," : "[", names[n], names[n], names[n]);
  md_sim_text_str(out, "]");
  return MD_SIM_DB_OK;
}

/* ---- prices ---- */

int
md_sim_db_order_book(md_sim_db_call_t *call, md_sim_text_t *out) {
  const md_sim_symbol_t *y = named(call);
  md_sim_db_slice_t      depth;
  uint64_t               limit = 5;
  if (!y) return MD_SIM_DB_NOT_FOUND;
  call->reason = "depth must be a number from 1 to 10000";
  if (md_sim_db_param(call, "depth", &depth) &&
      (md_uint_parse((const uint8_t *)depth.p, depth.len, &limit) || limit == 0 || limit > 10000))
    return MD_SIM_DB_PARAMS;
  md_sim_text_str(out, "{");
  md_sim_db_ticker_members(call->sim, y, out);
  md_sim_text_format(out, ",\"change_id\":%" PRIu64 ",\"bids\":", y->book.id);
  md_sim_db_side(out, y, MD_SIDE_BUY, NULL, (uint32_t)limit);
  md_sim_text_str(out, ",\"asks\":");
  md_sim_db_side(out, y, MD_SIDE_SELL, NULL, (uint32_t)limit);
  md_sim_text_str(out, "}");
  return MD_SIM_DB_OK;
}

int
md_sim_db_ticker(md_sim_db_call_t *call, md_sim_text_t *out) {
  const md_sim_symbol_t *y = named(call);
  if (!y) return MD_SIM_DB_NOT_FOUND;
  md_sim_text_str(out, "{");
  md_sim_db_ticker_members(call->sim, y, out);
  md_sim_text_str(out, "}");
  return MD_SIM_DB_OK;
}

int
md_sim_db_index_price(md_sim_db_call_t *call, md_sim_text_t *out) {
  md_sim_db_slice_t name;
  char              index[MD_SIM_NAME_BYTES];
  call->reason = "index_name is missing";
  if (!md_sim_db_param(call, "index_name", &name) || name.len >= sizeof index)
    return MD_SIM_DB_PARAMS;
  memcpy(index, name.p, name.len);
  index[name.len] = 0;
  md_sim_text_str(out, "{\"index_price\":");
  md_sim_db_number(out, md_sim_db_index_cents(call->sim, index), -2);
  md_sim_text_str(out, ",\"estimated_delivery_price\":");
  md_sim_db_number(out, md_sim_db_index_cents(call->sim, index), -2);
  md_sim_text_str(out, "}");
  return MD_SIM_DB_OK;
}

int
md_sim_db_index_names(md_sim_db_call_t *call, md_sim_text_t *out) {
  (void)call;
  md_sim_text_str(out,
                  "[\"btc_usd\",\"eth_usd\",\"btc_usdc\",\"eth_usdc\",\"sol_usdc\",\"xrp_usdc\"]");
  return MD_SIM_DB_OK;
}

/* What was traded is in the streams; nothing of it is kept. */
int
md_sim_db_no_trades(md_sim_db_call_t *call, md_sim_text_t *out) {
  if (!named(call)) return MD_SIM_DB_NOT_FOUND;
  md_sim_text_str(out, "{\"trades\":[],\"has_more\":false}");
  return MD_SIM_DB_OK;
}
