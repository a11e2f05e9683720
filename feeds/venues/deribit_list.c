/* Names of Deribit's instruments, and the list of them. */
#include "feeds/venues/deribit.h"

#include <string.h>

#define NS_PER_S     1000000000ll
#define EXPIRY_HOUR  8 /* UTC */
#define STRIKE_BYTES 24u

/* ---- names ---- */

/* Days since 1970-01-01 of a date of the civil calendar. */
static int64_t
days_of(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2;
  int64_t era = year / 400, year_of_era = year - era * 400;
  int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  int64_t day_of_era  = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

/* "5JAN24" or "27SEP24". */
static bool
read_date(const char *p, uint32_t len, int64_t *expiry_ns) {
  static const char months[] = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC";
  int64_t           day = 0, month = 0;
  if (len != 6 && len != 7) return false;
  uint32_t digits = len - 5;
  for (uint32_t n = 0; n < len; n++)
    if ((n < digits || n >= digits + 3) && (p[n] < '0' || p[n] > '9')) return false;
  for (uint32_t n = 0; n < digits; n++)
    day = day * 10 + (p[n] - '0');
  while (month < 12 && memcmp(months + 3 * month, p + digits, 3) != 0)
    month++;
  if (month == 12 || day == 0 || day > 31) return false;
  int64_t year = 2000 + (p[len - 2] - '0') * 10 + (p[len - 1] - '0');
  *expiry_ns   = (days_of(year, month + 1, day) * 86400 + EXPIRY_HOUR * 3600) * NS_PER_S;
  return true;
}

/* "60000", or "0d625" for 0.625. */
static bool
read_strike(const char *p, uint32_t len, md_dec128_t *out) {
  uint8_t text[STRIKE_BYTES + MD_FRAME_PAD_BYTES] = {0};
  if (len == 0 || len > STRIKE_BYTES) return false;
  for (uint32_t n = 0; n < len; n++)
    text[n] = p[n] == 'd' ? '.' : (uint8_t)p[n];
  return md_decimal_to_dec128(text, len, out) == MD_OK;
}

static void
set_asset(char out[MD_ASSET_BYTES], const char *p, uint32_t len) {
  memset(out, 0, MD_ASSET_BYTES);
  if (len < MD_ASSET_BYTES) memcpy(out, p, len);
}

static void
set_assets(md_definition_t *d, const char *base, uint32_t base_len, const char *quote,
           uint32_t quote_len) {
  set_asset(d->base, base, base_len);
  set_asset(d->quote, quote, quote_len);
}

static uint32_t
until(const char *p, uint32_t len, char stop) {
  const char *at = memchr(p, stop, len);
  return at ? (uint32_t)(at - p) : len;
}

/* BTC_USDC is linear and settles in its quote; BTC alone is inverse, quoted in dollars. */
static void
define_assets(md_definition_t *d, const char *name, uint32_t len) {
  uint32_t base_len = until(name, len, '_');
  if (base_len < len) {
    set_assets(d, name, base_len, name + base_len + 1, len - base_len - 1);
    set_asset(d->settle, name + base_len + 1, len - base_len - 1);
  } else {
    set_assets(d, name, len, "USD", 3);
    set_asset(d->settle, name, len);
    d->inverse = 1;
  }
}

/* btc_usd: the assets in capitals; written in capitals itself, it is a pair of the spot market. */
static void
define_index(md_definition_t *d, const char *symbol, uint32_t len) {
  char     upper[MD_SYMBOL_BYTES] = {0};
  uint32_t base_len               = until(symbol, len, '_');
  for (uint32_t n = 0; n < len; n++)
    upper[n] = symbol[n] >= 'a' && symbol[n] <= 'z' ? (char)(symbol[n] - 'a' + 'A') : symbol[n];
  d->kind = memcmp(symbol, upper, len) == 0 ? MD_KIND_SPOT : MD_KIND_INDEX;
  if (base_len < len)
    set_assets(d, upper, base_len, upper + base_len + 1, len - base_len - 1);
  else
    set_asset(d->base, upper, len);
}

/* What stands behind the date of a name: nothing for a future, "60000-C" for an option. */
static void
define_dated(md_definition_t *d, const char *p, uint32_t len) {
  uint32_t date_len = until(p, len, '-');
  d->kind           = MD_KIND_FUTURE;
  if (!read_date(p, date_len, &d->expiry_ns) || date_len == len) return;
  p += date_len + 1;
  len -= date_len + 1;
  uint32_t strike_len = until(p, len, '-');
  if (strike_len + 2 != len || !read_strike(p, strike_len, &d->strike)) return;
  d->kind        = MD_KIND_OPTION;
  d->option_type = p[len - 1] == 'C' ? 1 : p[len - 1] == 'P' ? 2 : 0;
  /* Without a second asset its price is in the base asset. */
  if (d->inverse) memcpy(d->quote, d->base, sizeof d->quote);
  d->inverse = 0;
}

void
md_db_define(const char *symbol, uint32_t len, md_definition_t *out) {
  uint32_t name_len = until(symbol, len, '-');
  memcpy(out->normalised, symbol, len);
  if (name_len == len) {
    define_index(out, symbol, len);
    return;
  }
  define_assets(out, symbol, name_len);
  const char *rest     = symbol + name_len + 1;
  uint32_t    rest_len = len - name_len - 1;
  if (!md_json_is(rest, rest_len, "PERPETUAL")) {
    define_dated(out, rest, rest_len);
    return;
  }
  out->kind         = MD_KIND_PERPETUAL;
  uint32_t base_len = (uint32_t)strlen(out->base), quote_len = (uint32_t)strlen(out->quote);
  if (base_len == 0 || quote_len == 0) return;
  memset(out->normalised, 0, sizeof out->normalised);
  memcpy(out->normalised, out->base, base_len);
  out->normalised[base_len] = '-';
  memcpy(out->normalised + base_len + 1, out->quote, quote_len);
}

/* ---- the list ---- */

md_trading_t
md_db_trading(md_db_slice_t state) {
  if (md_db_is(state, "open") || md_db_is(state, "started")) return MD_TRADING_ON;
  if (md_db_is(state, "created") || md_db_is(state, "locked") || md_db_is(state, "halted") ||
      md_db_is(state, "inactive") || md_db_is(state, "deactivated"))
    return MD_TRADING_HALT;
  if (md_db_is(state, "settled") || md_db_is(state, "closed") || md_db_is(state, "terminated") ||
      md_db_is(state, "delivered") || md_db_is(state, "archivized"))
    return MD_TRADING_ENDED;
  return MD_TRADING_UNKNOWN;
}

static void
set_text(char *out, size_t bytes, md_db_slice_t s) {
  char        buffer[MD_SYMBOL_BYTES];
  const char *text;
  uint32_t    len;
  if (md_db_text(s, buffer, sizeof buffer, &text, &len) || len >= bytes) return;
  memset(out, 0, bytes);
  memcpy(out, text, len);
}

static int
exp_of(md_db_slice_t s) {
  return md_db_has(s) ? md_decimal_min_exp(s.p, s.len) : 0;
}

/* The price step may be another one above certain prices: the finest one decides. */
static int
tick_exp(const md_db_slice_t *v) {
  int            exp   = exp_of(v[MD_DB_tick_size]);
  md_db_slice_t  steps = v[MD_DB_tick_size_steps];
  md_db_fields_t step;
  if (!md_db_has(steps)) return exp;
  md_json_t j = md_db_cursor(steps);
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    md_db_read_fields(&j, &step);
    int e = exp_of(step.value[MD_DB_tick_size]);
    if (!j.err && e < exp) exp = e;
  }
  return exp;
}

static int64_t
step_of(md_db_slice_t s, int exp) {
  int64_t v = 0;
  if (!md_db_has(s) || md_decimal_to_exp(s.p, s.len, exp, &v) || v <= 0) return MD_NULL_I64;
  return v;
}

static md_trading_t
trading_of(const md_db_slice_t *v) {
  bool is_active;
  if (md_db_has(v[MD_DB_state])) return md_db_trading(v[MD_DB_state]);
  if (!md_db_bool(v[MD_DB_is_active], &is_active)) return MD_TRADING_UNKNOWN;
  return is_active ? MD_TRADING_ON : MD_TRADING_HALT;
}

static md_err_t
define_numbers(md_definition_t *d, const md_db_slice_t *v, int px_exp, int qty_exp) {
  uint16_t flags = 0;
  d->tick_size   = step_of(v[MD_DB_tick_size], px_exp);
  d->lot_size    = step_of(v[MD_DB_min_trade_amount], qty_exp);
  d->min_qty     = d->lot_size;
  if (!md_db_dec128(v[MD_DB_contract_size], &d->contract_size)) return MD_ERR_SYNTAX;
  if (d->kind != MD_KIND_PERPETUAL && md_db_has(v[MD_DB_expiration_timestamp]))
    d->expiry_ns = md_db_time(v[MD_DB_expiration_timestamp], &flags);
  if (d->kind == MD_KIND_OPTION && !md_db_dec128(v[MD_DB_strike], &d->strike)) return MD_ERR_SYNTAX;
  return MD_OK;
}

static md_err_t
define(md_feed_t *f, const md_db_slice_t *v) {
  char            buffer[MD_SYMBOL_BYTES];
  const char     *symbol;
  uint32_t        len;
  md_definition_t d;
  md_err_t err = md_db_text(v[MD_DB_instrument_name], buffer, MD_SYMBOL_BYTES - 1, &symbol, &len);
  if (err) return err;
  md_feed_definition_init(&d, symbol, len);
  md_db_define(symbol, len, &d);
  if (md_db_is(v[MD_DB_kind], "spot")) d.kind = MD_KIND_SPOT;
  set_text(d.base, sizeof d.base, v[MD_DB_base_currency]);
  set_text(d.quote, sizeof d.quote, v[MD_DB_quote_currency]);
  set_text(d.settle, sizeof d.settle, v[MD_DB_settlement_currency]);
  if (md_db_is(v[MD_DB_kind], "future")) {
    if (md_db_has(v[MD_DB_instrument_type]))
      d.inverse = md_db_is(v[MD_DB_instrument_type], "reversed");
    if (md_db_is(v[MD_DB_settlement_period], "perpetual")) d.kind = MD_KIND_PERPETUAL;
  }
  d.trading         = (uint8_t)trading_of(v);
  const int px_exp  = tick_exp(v);
  const int qty_exp = exp_of(v[MD_DB_min_trade_amount]);
  err               = define_numbers(&d, v, px_exp, qty_exp);
  if (!err) md_feed_on_definition(f, symbol, len, &d, px_exp, qty_exp);
  return err;
}

md_err_t
md_db_on_instruments(md_feed_t *f, md_db_slice_t rows) {
  md_db_fields_t row;
  md_json_t      j = md_db_cursor(rows);
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    md_db_read_fields(&j, &row);
    /* The text is whole; a row of another form than we know is left out by itself. */
    if (!j.err && define(f, row.value)) md_feed_bad_message(f, NULL, MD_ERR_SYNTAX);
  }
  return md_json_finish(&j);
}
