/* HTTP answers that the Binance markets give alike: depth snapshots and exchangeInfo. */
#include "feeds/venues/binance.h"

#include <string.h>

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

bool
md_bn_split(const char *pair, uint32_t len, md_definition_t *out) {
  for (size_t n = 0; n < MD_CNT(quotes); n++) {
    uint32_t quote_len = (uint32_t)strlen(quotes[n]);
    if (quote_len >= len || memcmp(pair + len - quote_len, quotes[n], quote_len) != 0) continue;
    if (md_bn_set_assets(out, pair, len - quote_len, quotes[n], quote_len)) return true;
  }
  return false;
}

/* ---- URLs ---- */

bool
md_bn_param(const char *url, uint32_t len, const char *name, md_bn_slice_t *out) {
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

bool
md_bn_endpoint(const char *url, uint32_t len, const char *root, md_bn_slice_t *out) {
  const uint32_t n = (uint32_t)strlen(root);
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

/* What an answer of /depth says; futures give a time too. */
typedef struct depth {
  md_bn_slice_t bids, asks;
  uint64_t      id;
  int64_t       sent;
  bool          has_id;
} depth_t;

static md_err_t
read_depth(const md_input_t *in, depth_t *d) {
  md_json_t      j;
  const uint8_t *key;
  uint32_t       key_len;
  md_json_init(&j, in->payload, in->len);
  md_json_object_begin(&j);
  while (md_json_key(&j, &key, &key_len)) {
    if (md_json_is(key, key_len, "lastUpdateId"))
      d->has_id = md_json_u64(&j, &d->id);
    else if (md_json_is(key, key_len, "bids"))
      md_json_slice(&j, &d->bids.p, &d->bids.len);
    else if (md_json_is(key, key_len, "asks"))
      md_json_slice(&j, &d->asks.p, &d->asks.len);
    else if (md_json_is(key, key_len, "E"))
      md_json_i64(&j, &d->sent);
    else
      md_json_skip(&j);
  }
  return md_json_finish(&j);
}

md_err_t
md_bn_on_depth_answer(md_feed_t *f, const md_input_t *in, uint32_t limit_default) {
  md_bn_slice_t symbol, limit_text;
  uint64_t      limit = limit_default;
  depth_t       d     = {0};
  if (!md_bn_param(in->name, in->name_len, "symbol=", &symbol)) return MD_ERR_UNKNOWN;
  if (md_bn_param(in->name, in->name_len, "limit=", &limit_text) &&
      md_uint_parse(limit_text.p, limit_text.len, &limit))
    return MD_ERR_UNKNOWN;
  if (limit > MD_BOOK_LEVELS_MAX) limit = MD_BOOK_LEVELS_MAX;
  md_err_t err = read_depth(in, &d);
  if (err) return err;
  if (!d.has_id || !d.bids.p || !d.asks.p) return MD_ERR_UNKNOWN; /* an error of the venue */

  md_feed_instrument_t *i = md_feed_find(f, (const char *)symbol.p, symbol.len);
  if (!i) return MD_ERR_UNKNOWN;
  md_feed_levels_t levels;
  err = md_bn_levels(f, i, d.bids, d.asks, &levels);
  if (err) return err;
  md_feed_event_t event = {.exch_seq = d.id, .flags = MD_FLAG_REST};
  (void)md_bn_ts(d.sent, false, &event.ts_exch_ns);
  md_feed_on_snapshot(f, i, &event, (uint32_t)limit, &levels);
  return MD_OK;
}

/* ---- exchangeInfo ---- */

static void
read_filter(md_json_t *j, md_bn_listing_t *l) {
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
                        : md_json_is(key, n, "notional")    ? &min_notional
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

/* Spot says status, futures say status or contractStatus. */
static md_bn_slice_t *
listing_slot(md_bn_listing_t *l, const uint8_t *key, uint32_t n) {
  const struct {
    const char    *name;
    md_bn_slice_t *to;
  } slots[] = {{"symbol", &l->symbol},
               {"status", &l->status},
               {"contractStatus", &l->status},
               {"baseAsset", &l->base},
               {"quoteAsset", &l->quote},
               {"marginAsset", &l->margin},
               {"contractType", &l->contract_type},
               {"contractSize", &l->contract_size},
               {"deliveryDate", &l->delivery}};
  for (size_t k = 0; k < MD_CNT(slots); k++)
    if (strlen(slots[k].name) == n && memcmp(slots[k].name, key, n) == 0) return slots[k].to;
  return NULL;
}

static void
read_listing(md_json_t *j, md_bn_listing_t *l) {
  const uint8_t *key;
  uint32_t       n;
  md_json_object_begin(j);
  while (md_json_key(j, &key, &n)) {
    md_bn_slice_t *to = listing_slot(l, key, n);
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

bool
md_bn_begin_definition(const md_bn_listing_t *l,
                       void (*by_name)(const char *symbol, uint32_t len, md_definition_t *out),
                       md_definition_t *d, int *px_exp, int *qty_exp) {
  char        symbol_buffer[MD_SYMBOL_BYTES], base_buffer[MD_ASSET_BYTES];
  char        quote_buffer[MD_ASSET_BYTES];
  const char *symbol, *base, *quote;
  uint32_t    symbol_len, base_len, quote_len;
  if (!l->symbol.p ||
      md_bn_text(l->symbol, symbol_buffer, MD_SYMBOL_BYTES - 1, &symbol, &symbol_len))
    return false;
  md_feed_definition_init(d, symbol, symbol_len);
  by_name(symbol, symbol_len, d);
  if (l->base.p && l->quote.p &&
      !md_bn_text(l->base, base_buffer, MD_ASSET_BYTES - 1, &base, &base_len) &&
      !md_bn_text(l->quote, quote_buffer, MD_ASSET_BYTES - 1, &quote, &quote_len))
    (void)md_bn_set_assets(d, base, base_len, quote, quote_len);
  *px_exp      = exp_of(l->tick, l->tick);
  *qty_exp     = exp_of(l->step, l->min_qty);
  d->tick_size = step_of(l->tick, *px_exp);
  d->lot_size  = step_of(l->step, *qty_exp);
  d->min_qty   = step_of(l->min_qty, *qty_exp);
  if (l->min_notional.p &&
      md_decimal_to_dec128(l->min_notional.p, l->min_notional.len, &d->min_notional))
    d->min_notional = MD_DEC128_NULL;
  return true;
}

md_err_t
md_bn_on_exchange_info(md_feed_t *f, const md_input_t *in, md_bn_define_fn define) {
  md_json_t     j;
  md_bn_slice_t symbols = {0};
  md_err_t      err     = md_json_member(in->payload, in->len, "symbols", &symbols.p, &symbols.len);
  if (err) return err;

  /* The text is whole; a row of another form than we know is left out by itself. */
  j = md_bn_cursor(symbols);
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    md_bn_slice_t row;
    if (!md_json_slice(&j, &row.p, &row.len)) break;
    md_bn_listing_t listing = {0};
    md_json_t       one     = md_bn_cursor(row);
    read_listing(&one, &listing);
    if (md_json_finish(&one) == MD_OK)
      define(f, &listing);
    else
      md_feed_bad_message(f, NULL, MD_ERR_SYNTAX);
  }
  return MD_OK;
}
