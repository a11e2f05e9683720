/* HTTP answers of OKX: instruments, books and long/short ratios; and what an instrument's name
 * says.
 */
#include "feeds/venues/okx.h"

#include <string.h>

/* ---- names ---- */

/* "BTC-USDT", "BTC-USDT-SWAP", "BTC-USD-220527", "BTC-USD-220527-30000-C". */
typedef struct name {
  md_okx_slice_t part[5];
  uint32_t       cnt;
} name_t;

static bool
split(const char *symbol, uint32_t len, name_t *out) {
  uint32_t begin = 0;
  out->cnt       = 0;
  for (uint32_t at = 0; at <= len; at++) {
    if (at < len && symbol[at] != '-') continue;
    if (out->cnt == 5 || at == begin) return false;
    out->part[out->cnt++] = (md_okx_slice_t){(const uint8_t *)symbol + begin, at - begin};
    begin                 = at + 1;
  }
  return out->cnt >= 2;
}

static bool
set_text(char *to, size_t bytes, const uint8_t *p, uint32_t len) {
  if (len >= bytes) return false;
  memset(to, 0, bytes);
  memcpy(to, p, len);
  return true;
}

static md_instrument_kind_t
kind_of(const name_t *n) {
  if (n->cnt == 3 && md_json_is(n->part[2].p, n->part[2].len, "SWAP")) return MD_KIND_PERPETUAL;
  return n->cnt >= 5 ? MD_KIND_OPTION : n->cnt == 3 ? MD_KIND_FUTURE : MD_KIND_SPOT;
}

/* Dated instruments and options keep their own name; a perpetual has that of its pair. */
void
md_okx_define(const char *symbol, uint32_t len, md_definition_t *out) {
  name_t n;
  (void)set_text(out->normalised, sizeof out->normalised, (const uint8_t *)symbol, len);
  out->kind = MD_KIND_SPOT;
  if (!split(symbol, len, &n)) return;
  out->kind = (uint8_t)kind_of(&n);
  (void)set_text(out->base, sizeof out->base, n.part[0].p, n.part[0].len);
  (void)set_text(out->quote, sizeof out->quote, n.part[1].p, n.part[1].len);
  if (out->kind == MD_KIND_PERPETUAL)
    (void)set_text(out->normalised, sizeof out->normalised, (const uint8_t *)symbol,
                   n.part[0].len + 1 + n.part[1].len);
}

/* ---- instruments ---- */

static int
exp_of(md_okx_slice_t s) {
  const uint8_t *p;
  uint32_t       len;
  md_json_t      j = md_okx_cursor(s);
  if (md_okx_empty(s) || !md_json_number_or_string(&j, &p, &len)) return 0;
  return md_decimal_min_exp(p, len);
}

static int64_t
step_of(md_okx_slice_t s, int exp) {
  const uint8_t *p;
  uint32_t       len;
  int64_t        v;
  md_json_t      j = md_okx_cursor(s);
  if (md_okx_empty(s) || !md_json_number_or_string(&j, &p, &len)) return MD_NULL_I64;
  return md_decimal_to_exp(p, len, exp, &v) || v <= 0 ? MD_NULL_I64 : v;
}

static md_trading_t
trading_of(md_okx_slice_t state) {
  if (md_okx_is(state, "live")) return MD_TRADING_ON;
  if (md_okx_is(state, "suspend") || md_okx_is(state, "preopen")) return MD_TRADING_HALT;
  return md_okx_is(state, "expired") ? MD_TRADING_ENDED : MD_TRADING_UNKNOWN;
}

static void
set_asset(md_okx_slice_t s, char to[MD_ASSET_BYTES]) {
  const char *text;
  uint32_t    len;
  if (md_okx_text(s, MD_ASSET_BYTES - 1, &text, &len))
    (void)set_text(to, MD_ASSET_BYTES, (const uint8_t *)text, len);
}

/* One contract is ctVal units of ctValCcy, times ctMult where that is not 1 (options). */
static md_dec128_t
contract_size(md_okx_slice_t value, md_okx_slice_t mult) {
  md_dec128_t a, b, out;
  md_i128     ma, mb, m;
  int         ea, eb;
  if (!md_okx_dec128(value, &a) || !md_okx_dec128(mult, &b)) return MD_DEC128_NULL;
  if (!md_dec128_split(a, &ma, &ea)) return MD_DEC128_NULL;
  if (!md_dec128_split(b, &mb, &eb)) return a;
  if (__builtin_mul_overflow(ma, mb, &m)) return MD_DEC128_NULL;
  int e = ea + eb;
  while (m != 0 && m % 10 == 0 && e < 0) {
    m /= 10;
    e++;
  }
  return md_dec128_make(m, e, &out) ? MD_DEC128_NULL : out;
}

/* One instrument: of the list, or of the channel of the same name. */
static md_err_t
define(md_feed_t *f, md_okx_slice_t row) {
  md_okx_slice_t  id = {0}, base = {0}, quote = {0}, settle = {0}, tick = {0}, lot = {0}, min = {0};
  md_okx_slice_t  val = {0}, mult = {0}, type = {0}, strike = {0}, expiry = {0}, option = {0};
  md_okx_slice_t  state  = {0};
  md_okx_key_t    keys[] = {{"instId", &id},        {"baseCcy", &base}, {"quoteCcy", &quote},
                            {"settleCcy", &settle}, {"tickSz", &tick},  {"lotSz", &lot},
                            {"minSz", &min},        {"ctVal", &val},    {"ctMult", &mult},
                            {"ctType", &type},      {"stk", &strike},   {"expTime", &expiry},
                            {"optType", &option},   {"state", &state}};
  const char     *symbol;
  uint32_t        len;
  md_definition_t d;
  md_err_t        err = md_okx_read(row, keys, MD_CNT(keys));
  if (err) return err;
  if (!md_okx_text(id, MD_SYMBOL_BYTES - 1, &symbol, &len)) return MD_ERR_SYNTAX;
  md_feed_definition_init(&d, symbol, len);
  md_okx_define(symbol, len, &d);
  set_asset(base, d.base);
  set_asset(quote, d.quote);
  set_asset(settle, d.settle);
  const int px_exp = exp_of(tick), lot_exp = exp_of(lot), min_exp = exp_of(min);
  const int qty_exp = lot_exp < min_exp ? lot_exp : min_exp;
  d.tick_size       = step_of(tick, px_exp);
  d.lot_size        = step_of(lot, qty_exp);
  d.min_qty         = step_of(min, qty_exp);
  d.contract_size   = contract_size(val, mult);
  d.trading         = (uint8_t)trading_of(state);
  d.option_type     = md_okx_is(option, "C") ? 1 : md_okx_is(option, "P") ? 2 : 0;
  d.inverse         = md_okx_is(type, "inverse");
  if (!md_okx_dec128(strike, &d.strike)) d.strike = MD_DEC128_NULL;
  (void)md_okx_ts(expiry, &d.expiry_ns);
  md_feed_on_definition(f, symbol, len, &d, px_exp, qty_exp);
  return MD_OK;
}

md_err_t
md_okx_on_instrument(md_okx_message_t *m) {
  return define(m->feed, m->row);
}

/* ---- answers ---- */

/* What an answer is about, from its URL. */
typedef struct request {
  const md_input_t *in;
  md_okx_slice_t    path; /* behind /api/v5/, without its query */
  md_okx_slice_t    data; /* the array of the answer */
} request_t;

static bool
param(const request_t *r, const char *name, md_okx_slice_t *out) {
  const char    *url      = r->in->name;
  const uint32_t name_len = (uint32_t)strlen(name), len = r->in->name_len;
  for (uint32_t at = 0; at + name_len + 1 < len; at++) {
    if ((url[at] != '?' && url[at] != '&') || memcmp(url + at + 1, name, name_len) != 0) continue;
    uint32_t begin = at + 1 + name_len, end = begin;
    while (end < len && url[end] != '&' && url[end] != '#')
      end++;
    *out = (md_okx_slice_t){(const uint8_t *)url + begin, end - begin};
    return end > begin;
  }
  return false;
}

static md_feed_instrument_t *
asked_for(md_feed_t *f, const request_t *r) {
  md_okx_slice_t symbol;
  if (!param(r, "instId=", &symbol) || symbol.len >= MD_SYMBOL_BYTES) return NULL;
  return md_feed_find(f, (const char *)symbol.p, symbol.len);
}

static md_err_t
on_instruments(md_feed_t *f, const request_t *r) {
  md_json_t j = md_okx_cursor(r->data);
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    md_okx_slice_t row;
    if (!md_json_slice(&j, &row.p, &row.len)) break;
    if (define(f, row)) md_feed_bad_message(f, NULL, MD_ERR_SYNTAX); /* left out by itself */
  }
  return md_json_finish(&j);
}

/* A book whose id lies somewhere in the stream: its updates align with it. */
static md_err_t
on_book(md_feed_t *f, const request_t *r) {
  md_okx_slice_t   row, bids = {0}, asks = {0}, ts = {0}, seq = {0}, size;
  md_okx_key_t     keys[] = {{"bids", &bids}, {"asks", &asks}, {"ts", &ts}, {"seqId", &seq}};
  md_feed_event_t  event  = {.flags = MD_FLAG_REST};
  md_feed_levels_t levels;
  uint32_t         cnt;
  uint64_t         limit = 1;
  md_err_t         err   = md_okx_row(r->data, &row, 1, &cnt);
  if (!err && cnt == 0) err = MD_ERR_UNKNOWN;
  if (!err) err = md_okx_read(row, keys, MD_CNT(keys));
  if (err) return err;
  if (!md_okx_u64(seq, &event.exch_seq) || event.exch_seq == 0) return MD_ERR_UNKNOWN;
  if (param(r, "sz=", &size) && md_uint_parse(size.p, size.len, &limit)) return MD_ERR_UNKNOWN;
  md_feed_instrument_t *i = asked_for(f, r);
  if (!i) return MD_ERR_UNKNOWN;
  err = md_okx_levels(f, i, bids, asks, &levels);
  if (err) return err;
  event.ts_exch_ns = md_okx_time(ts, &event.flags);
  if (limit > MD_BOOK_LEVELS_MAX) limit = MD_BOOK_LEVELS_MAX;
  md_feed_on_snapshot(f, i, &event, (uint32_t)limit, &levels);
  return MD_OK;
}

/* "5m", "1H", "1D": seconds; the venue's own default is 5m. */
static uint32_t
period_of(const request_t *r) {
  md_okx_slice_t s;
  uint32_t       n = 0, at = 0;
  if (!param(r, "period=", &s)) return 300;
  while (at < s.len && s.p[at] >= '0' && s.p[at] <= '9' && n < 1000)
    n = n * 10 + (uint32_t)(s.p[at++] - '0');
  if (at + 1 != s.len) return 0;
  return s.p[at] == 'm' ? n * 60 : s.p[at] == 'H' ? n * 3600 : s.p[at] == 'D' ? n * 86400 : 0;
}

/* [[time, ratio], ...], the newest first: that one is taken. */
static md_err_t
on_ratio(md_feed_t *f, const request_t *r, md_ratio_basis_t basis) {
  md_okx_slice_t        row, v[2];
  uint32_t              cnt;
  md_feed_event_t       event = {.flags = MD_FLAG_REST};
  md_long_short_ratio_t body  = MD_ABSENT(LONG_SHORT_RATIO);
  md_err_t              err   = md_okx_row(r->data, &row, 1, &cnt);
  if (!err && cnt == 0) return MD_OK; /* none yet */
  if (!err) err = md_okx_row(row, v, 2, &cnt);
  if (err) return err;
  body.period_s = period_of(r);
  body.basis    = (uint8_t)basis;
  if (cnt != 2 || body.period_s == 0 || md_okx_empty(v[1]) || !md_okx_dec128(v[1], &body.ratio))
    return MD_ERR_SYNTAX;
  md_feed_instrument_t *i = asked_for(f, r);
  if (!i) return MD_ERR_UNKNOWN;
  event.ts_exch_ns = md_okx_time(v[0], &event.flags);
  memcpy(md_feed_stage(f, i, MD_RECORD_LONG_SHORT_RATIO, &event), &body, sizeof body);
  return MD_OK;
}

static bool
endpoint(request_t *r) {
  static const char root[] = "/api/v5/";
  const char       *url = r->in->name, *at = memmem(url, r->in->name_len, root, sizeof root - 1);
  if (!at) return false;
  at += sizeof root - 1;
  r->path = (md_okx_slice_t){(const uint8_t *)at, 0};
  while (at + r->path.len < url + r->in->name_len && at[r->path.len] != '?' &&
         at[r->path.len] != '#')
    r->path.len++;
  return true;
}

#define RATIO "rubik/stat/contracts/long-short-"

md_err_t
md_okx_http(md_feed_t *f, const md_input_t *in) {
  request_t      r      = {.in = in};
  md_okx_slice_t code   = {0};
  md_okx_key_t   keys[] = {{"code", &code}, {"data", &r.data}};
  md_json_t      j;
  if (!endpoint(&r)) return MD_ERR_UNKNOWN;
  md_json_init(&j, in->payload, in->len);
  md_okx_object(&j, keys, MD_CNT(keys));
  md_err_t err = md_json_finish(&j);
  if (err) return err;
  if (!md_okx_is(code, "0") || !r.data.p || r.data.p[0] != '[') return MD_ERR_UNKNOWN;
  const uint8_t *p   = r.path.p;
  const uint32_t len = r.path.len;
  if (md_json_is(p, len, "public/instruments")) return on_instruments(f, &r);
  if (md_json_is(p, len, "market/books") || md_json_is(p, len, "market/books-full"))
    return on_book(f, &r);
  if (md_json_is(p, len, RATIO "account-ratio-contract"))
    return on_ratio(f, &r, MD_BASIS_ALL_ACCOUNTS);
  if (md_json_is(p, len, RATIO "account-ratio-contract-top-trader"))
    return on_ratio(f, &r, MD_BASIS_TOP_ACCOUNTS);
  if (md_json_is(p, len, RATIO "position-ratio-contract-top-trader"))
    return on_ratio(f, &r, MD_BASIS_TOP_POSITIONS);
  return md_json_is(p, len, "public/time") ? MD_OK : MD_ERR_UNKNOWN;
}
