/* HTTP answers of Binance spot: depth snapshots and exchangeInfo; and what a symbol's name says. */
#include "feeds/venues/binance_spot.h"

#include <string.h>

#define LIMIT_DEFAULT 100u /* of /depth without a limit */

/* ---- symbols ---- */

/* Quote assets by name, the longest first: the first that fits is right. */
static const char *const quotes[] = {
    "FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USD4", "USDS", "BIDR", "BVND", "IDRT", "EURI",
    "AEUR",  "USDP", "USD1", "DOGE", "BTC",  "ETH",  "BNB",  "TRY",  "EUR",  "BRL",  "AUD",
    "GBP",   "RUB",  "UAH",  "NGN",  "ZAR",  "JPY",  "MXN",  "ARS",  "PLN",  "RON",  "CZK",
    "COP",   "USD",  "DAI",  "PAX",  "VAI",  "XRP",  "TRX",  "SOL",  "DOT",  "UST"};

bool
md_bn_set_assets(md_definition_t *d, const char *base, uint32_t base_len, const char *quote,
                 uint32_t quote_len) {
  if (base_len == 0 || quote_len == 0) return false;
  if (base_len >= MD_ASSET_BYTES || quote_len >= MD_ASSET_BYTES) return false;
  if (base_len + 1 + quote_len >= MD_SYMBOL_BYTES) return false;
  memset(d->normalised, 0, sizeof d->normalised);
  memset(d->base, 0, sizeof d->base);
  memset(d->quote, 0, sizeof d->quote);
  memcpy(d->base, base, base_len);
  memcpy(d->quote, quote, quote_len);
  memcpy(d->normalised, base, base_len);
  d->normalised[base_len] = '-';
  memcpy(d->normalised + base_len + 1, quote, quote_len);
  return true;
}

void
md_bn_define(const char *symbol, uint32_t len, md_definition_t *out) {
  out->kind = MD_KIND_SPOT;
  for (size_t n = 0; n < MD_CNT(quotes); n++) {
    uint32_t quote_len = (uint32_t)strlen(quotes[n]);
    if (quote_len >= len || memcmp(symbol + len - quote_len, quotes[n], quote_len) != 0) continue;
    if (md_bn_set_assets(out, symbol, len - quote_len, quotes[n], quote_len)) return;
  }
  memcpy(out->normalised, symbol, len); /* unknown quote: its own name */
}

/* ---- URLs ---- */

/* md_bn_param finds name= in the query of a URL. */
static bool
param(const char *url, uint32_t len, const char *name, md_bn_slice_t *out) {
  const uint32_t name_len = (uint32_t)strlen(name);
  for (uint32_t at = 0; at + name_len + 1 < len; at++) {
    if ((url[at] != '?' && url[at] != '&') || memcmp(url + at + 1, name, name_len) != 0) continue;
    uint32_t begin = at + 1 + name_len, end = begin;
    while (end < len && url[end] != '&' && url[end] != '#')
      end++;
    *out = (md_bn_slice_t){(const uint8_t *)url + begin, end - begin};
    return end > begin;
  }
  return false;
}

/* The path behind /api/v1/ or /api/v3/, without its query. */
static bool
endpoint(const char *url, uint32_t len, md_bn_slice_t *out) {
  static const char root[] = "/api/v";
  const uint32_t    n      = sizeof root - 1;
  for (uint32_t at = 0; at + n + 2 <= len && url[at] != '?'; at++) {
    if (memcmp(url + at, root, n) != 0 || url[at + n + 1] != '/') continue;
    uint32_t begin = at + n + 2, end = begin;
    while (end < len && url[end] != '?' && url[end] != '#')
      end++;
    *out = (md_bn_slice_t){(const uint8_t *)url + begin, end - begin};
    return true;
  }
  return false;
}

/* ---- depth ---- */

static md_err_t
on_depth(md_feed_t *f, const md_input_t *in) {
  md_bn_slice_t symbol, limit_text, bids = {0}, asks = {0};
  uint64_t      limit = LIMIT_DEFAULT, id = 0;
  bool          has_id = false;
  if (!param(in->name, in->name_len, "symbol=", &symbol)) return MD_ERR_UNKNOWN;
  if (param(in->name, in->name_len, "limit=", &limit_text) &&
      md_uint_parse(limit_text.p, limit_text.len, &limit))
    return MD_ERR_UNKNOWN;
  if (limit > MD_BOOK_LEVELS_MAX) limit = MD_BOOK_LEVELS_MAX;

  md_json_t      j;
  const uint8_t *key;
  uint32_t       key_len;
  md_json_init(&j, in->payload, in->len);
  md_json_object_begin(&j);
  while (md_json_key(&j, &key, &key_len)) {
    if (md_json_is(key, key_len, "lastUpdateId"))
      has_id = md_json_u64(&j, &id);
    else if (md_json_is(key, key_len, "bids"))
      md_json_slice(&j, &bids.p, &bids.len);
    else if (md_json_is(key, key_len, "asks"))
      md_json_slice(&j, &asks.p, &asks.len);
    else
      md_json_skip(&j);
  }
  md_err_t err = md_json_finish(&j);
  if (err) return err;
  if (!has_id || !bids.p || !asks.p) return MD_ERR_UNKNOWN; /* an error of the venue */

  md_feed_instrument_t *i = md_feed_find(f, (const char *)symbol.p, symbol.len);
  if (!i) return MD_ERR_UNKNOWN;
  md_feed_levels_t levels;
  err = md_bn_levels(f, i, bids, asks, &levels);
  if (err) return err;
  const md_feed_event_t event = {.ts_exch_ns = MD_NULL_I64, .exch_seq = id, .flags = MD_FLAG_REST};
  md_feed_on_snapshot(f, i, &event, (uint32_t)limit, &levels);
  return MD_OK;
}

/* ---- exchangeInfo ---- */

/* What one symbol of the list says. */
typedef struct listing {
  md_bn_slice_t symbol, status, base, quote;
  md_bn_slice_t tick, step, min_qty, min_notional;
} listing_t;

static void
read_filter(md_json_t *j, listing_t *l) {
  md_bn_slice_t  type = {0}, tick = {0}, step = {0}, min_qty = {0}, min_notional = {0};
  const uint8_t *key;
  uint32_t       n;
  md_json_object_begin(j);
  while (md_json_key(j, &key, &n)) {
    md_bn_slice_t *to = md_json_is(key, n, "filterType")    ? &type
                        : md_json_is(key, n, "tickSize")    ? &tick
                        : md_json_is(key, n, "stepSize")    ? &step
                        : md_json_is(key, n, "minQty")      ? &min_qty
                        : md_json_is(key, n, "minNotional") ? &min_notional
                                                            : NULL;
    if (!to)
      md_json_skip(j);
    else
      md_json_number_or_string(j, &to->p, &to->len);
  }
  if (!type.p) return;
  if (md_json_is(type.p, type.len, "PRICE_FILTER")) l->tick = tick;
  if (md_json_is(type.p, type.len, "MIN_NOTIONAL") || md_json_is(type.p, type.len, "NOTIONAL"))
    l->min_notional = min_notional;
  if (!md_json_is(type.p, type.len, "LOT_SIZE")) return;
  l->step    = step;
  l->min_qty = min_qty;
}

static void
read_listing(md_json_t *j, listing_t *l) {
  const uint8_t *key;
  uint32_t       n;
  md_json_object_begin(j);
  while (md_json_key(j, &key, &n)) {
    md_bn_slice_t *to = md_json_is(key, n, "symbol")       ? &l->symbol
                        : md_json_is(key, n, "status")     ? &l->status
                        : md_json_is(key, n, "baseAsset")  ? &l->base
                        : md_json_is(key, n, "quoteAsset") ? &l->quote
                                                           : NULL;
    if (to) {
      md_json_slice(j, &to->p, &to->len);
    } else if (md_json_is(key, n, "filters")) {
      md_json_array_begin(j);
      while (md_json_element(j))
        read_filter(j, l);
    } else {
      md_json_skip(j);
    }
  }
}

static int
exp_of(md_bn_slice_t a, md_bn_slice_t b) {
  int exp = a.p ? md_decimal_min_exp(a.p, a.len) : 0;
  int two = b.p ? md_decimal_min_exp(b.p, b.len) : 0;
  return two < exp ? two : exp;
}

/* A step of 0 means none. */
static int64_t
step_of(md_bn_slice_t s, int exp) {
  int64_t v = 0;
  if (!s.p || md_decimal_to_exp(s.p, s.len, exp, &v) || v <= 0) return MD_NULL_I64;
  return v;
}

static void
define(md_feed_t *f, const listing_t *l) {
  char        symbol_buffer[MD_SYMBOL_BYTES], base_buffer[MD_ASSET_BYTES];
  char        quote_buffer[MD_ASSET_BYTES], status_buffer[MD_ASSET_BYTES];
  const char *symbol, *base, *quote, *status;
  uint32_t    symbol_len, base_len, quote_len, status_len;
  if (!l->symbol.p ||
      md_bn_text(l->symbol, symbol_buffer, MD_SYMBOL_BYTES - 1, &symbol, &symbol_len))
    return;
  md_definition_t d;
  md_feed_definition_init(&d, symbol, symbol_len);
  md_bn_define(symbol, symbol_len, &d);
  if (l->base.p && l->quote.p &&
      !md_bn_text(l->base, base_buffer, MD_ASSET_BYTES - 1, &base, &base_len) &&
      !md_bn_text(l->quote, quote_buffer, MD_ASSET_BYTES - 1, &quote, &quote_len))
    (void)md_bn_set_assets(&d, base, base_len, quote, quote_len);
  if (l->status.p &&
      !md_bn_text(l->status, status_buffer, MD_ASSET_BYTES - 1, &status, &status_len))
    d.trading = md_json_is(status, status_len, "TRADING") ? MD_TRADING_ON : MD_TRADING_HALT;

  const int px_exp  = exp_of(l->tick, l->tick);
  const int qty_exp = exp_of(l->step, l->min_qty);
  d.tick_size       = step_of(l->tick, px_exp);
  d.lot_size        = step_of(l->step, qty_exp);
  d.min_qty         = step_of(l->min_qty, qty_exp);
  if (l->min_notional.p &&
      md_decimal_to_dec128(l->min_notional.p, l->min_notional.len, &d.min_notional))
    d.min_notional = MD_DEC128_NULL;
  md_feed_on_definition(f, symbol, symbol_len, &d, px_exp, qty_exp);
}

static md_err_t
on_exchange_info(md_feed_t *f, const md_input_t *in) {
  md_json_t      j;
  md_bn_slice_t  symbols = {0};
  const uint8_t *key;
  uint32_t       key_len;
  md_json_init(&j, in->payload, in->len);
  md_json_object_begin(&j);
  while (md_json_key(&j, &key, &key_len)) {
    if (md_json_is(key, key_len, "symbols"))
      md_json_slice(&j, &symbols.p, &symbols.len);
    else
      md_json_skip(&j);
  }
  md_err_t err = md_json_finish(&j);
  if (err) return err;
  if (!symbols.p) return MD_ERR_UNKNOWN;

  /* The text is whole; a row of another form than we know is left out by itself. */
  j = md_bn_cursor(symbols);
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    md_bn_slice_t row;
    if (!md_json_slice(&j, &row.p, &row.len)) break;
    listing_t listing = {0};
    md_json_t one     = md_bn_cursor(row);
    read_listing(&one, &listing);
    if (md_json_finish(&one) == MD_OK)
      define(f, &listing);
    else
      md_feed_bad_message(f, NULL, MD_ERR_SYNTAX);
  }
  return MD_OK;
}

md_err_t
md_bn_http(md_feed_t *f, const md_input_t *in) {
  md_bn_slice_t path;
  if (!endpoint(in->name, in->name_len, &path)) return MD_ERR_UNKNOWN;
  if (md_json_is(path.p, path.len, "depth")) return on_depth(f, in);
  if (md_json_is(path.p, path.len, "exchangeInfo")) return on_exchange_info(f, in);
  if (md_json_is(path.p, path.len, "time") || md_json_is(path.p, path.len, "ping")) return MD_OK;
  return MD_ERR_UNKNOWN;
}
