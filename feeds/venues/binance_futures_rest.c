/* HTTP answers of Binance futures: depth, exchangeInfo, open interest, long/short ratios, premium
 * index, funding intervals; and what a symbol's name says. */
#include "feeds/venues/binance_futures.h"

#include <string.h>

#define LIMIT_DEFAULT 500u /* of /depth without a limit */

/* ---- symbols ---- */

static bool
is_dated(const char *tail, uint32_t len) {
  if (len != 6) return false;
  for (uint32_t n = 0; n < len; n++)
    if (tail[n] < '0' || tail[n] > '9') return false;
  return true;
}

/* A dated contract goes by its own name; a perpetual by its assets. */
static void
set_kind(md_definition_t *d, md_instrument_kind_t kind) {
  d->kind = (uint8_t)kind;
  if (kind != MD_KIND_FUTURE && d->normalised[0] != 0) return;
  memset(d->normalised, 0, sizeof d->normalised);
  memcpy(d->normalised, d->symbol, sizeof d->normalised);
}

/* Settlement and the unit of a contract are the market's, where the list does not say otherwise. */
static void
set_market(md_definition_t *d, bool is_inverse) {
  const char *settle = is_inverse ? d->base : d->quote;
  d->inverse         = is_inverse;
  memcpy(d->settle, settle, sizeof d->settle);
  if (!is_inverse) d->contract_size = md_dec128_from_i64(1, 0);
}

void
md_bn_define_usdm(const char *symbol, uint32_t len, md_definition_t *out) {
  const char *dash     = memchr(symbol, '_', len);
  uint32_t    pair_len = dash ? (uint32_t)(dash - symbol) : len;
  (void)md_bn_split(symbol, pair_len, out);
  set_kind(out,
           dash && is_dated(dash + 1, len - pair_len - 1) ? MD_KIND_FUTURE : MD_KIND_PERPETUAL);
  set_market(out, false);
}

void
md_bn_define_coinm(const char *symbol, uint32_t len, md_definition_t *out) {
  const char *dash     = memchr(symbol, '_', len);
  uint32_t    pair_len = dash ? (uint32_t)(dash - symbol) : len;
  /* Every pair is in dollars: BNBUSD is not a pair of BUSD. */
  if (pair_len > 3 && memcmp(symbol + pair_len - 3, "USD", 3) == 0)
    (void)md_bn_set_assets(out, symbol, pair_len - 3, "USD", 3);
  if (!dash) { /* the index of a pair */
    set_kind(out, MD_KIND_INDEX);
    return;
  }
  set_kind(out, is_dated(dash + 1, len - pair_len - 1) ? MD_KIND_FUTURE : MD_KIND_PERPETUAL);
  set_market(out, true);
}

/* ---- exchangeInfo ---- */

static md_trading_t
trading_of(md_bn_slice_t status) {
  static const char *const ended[] = {"CLOSE", "CLOSED", "DELIVERED"};
  if (md_bn_text_is(status, "TRADING")) return MD_TRADING_ON;
  for (size_t n = 0; n < MD_CNT(ended); n++)
    if (md_bn_text_is(status, ended[n])) return MD_TRADING_ENDED;
  return MD_TRADING_HALT;
}

static void
set_contract(md_definition_t *d, const md_bn_listing_t *l) {
  static const char perpetual[] = "PERPETUAL\"";
  const uint32_t    n           = sizeof perpetual - 1;
  md_bn_slice_t     type        = l->contract_type;
  if (type.p && type.len > 2) { /* PERPETUAL, TRADIFI_PERPETUAL; CURRENT_QUARTER, ... */
    bool is_perpetual = type.len > n && memcmp(type.p + type.len - n, perpetual, n) == 0;
    set_kind(d, is_perpetual ? MD_KIND_PERPETUAL : MD_KIND_FUTURE);
  }
  if (l->delivery.p && d->kind == MD_KIND_FUTURE) {
    md_json_t j  = md_bn_cursor(l->delivery);
    int64_t   ms = 0;
    if (md_json_i64(&j, &ms)) (void)md_bn_ts(ms, false, &d->expiry_ns);
  }
  if (l->contract_size.p) {
    md_json_t j = md_bn_cursor(l->contract_size);
    if (!md_json_dec128(&j, &d->contract_size)) d->contract_size = MD_DEC128_NULL;
  }
}

static void
set_settle(md_definition_t *d, md_bn_slice_t margin) {
  char        buffer[MD_ASSET_BYTES];
  const char *text;
  uint32_t    len;
  if (!margin.p || md_bn_text(margin, buffer, MD_ASSET_BYTES - 1, &text, &len)) return;
  memset(d->settle, 0, sizeof d->settle);
  memcpy(d->settle, text, len);
}

static void
define(md_feed_t *f, const md_bn_listing_t                                          *l,
       void (*by_name)(const char *symbol, uint32_t len, md_definition_t *out), bool is_inverse) {
  md_definition_t d;
  int             px_exp, qty_exp;
  if (!md_bn_begin_definition(l, by_name, &d, &px_exp, &qty_exp)) return;
  set_market(&d, is_inverse);
  set_kind(&d, (md_instrument_kind_t)d.kind);
  set_contract(&d, l);
  set_settle(&d, l->margin);
  if (l->status.p) d.trading = (uint8_t)trading_of(l->status);
  md_feed_on_definition(f, d.symbol, (uint32_t)strlen(d.symbol), &d, px_exp, qty_exp);
}

static void
define_usdm(md_feed_t *f, const md_bn_listing_t *l) {
  define(f, l, md_bn_define_usdm, false);
}

static void
define_coinm(md_feed_t *f, const md_bn_listing_t *l) {
  define(f, l, md_bn_define_coinm, true);
}

/* ---- polled values ---- */

/* What a row of a polled answer says, by its names; p NULL where it says nothing. */
typedef struct row {
  md_bn_slice_t symbol, pair, time;
  md_bn_slice_t open_interest, ratio, long_share, short_share, hours;
  md_bn_slice_t mark, settle, index, rate, next;
  md_bn_slice_t interest, cap, floor;
} row_t;

static md_bn_slice_t *
row_slot(row_t *r, const uint8_t *key, uint32_t n) {
  const struct {
    const char    *name;
    md_bn_slice_t *to;
  } slots[] = {{"symbol", &r->symbol},
               {"pair", &r->pair},
               {"time", &r->time},
               {"timestamp", &r->time},
               {"openInterest", &r->open_interest},
               {"longShortRatio", &r->ratio},
               {"longAccount", &r->long_share},
               {"longPosition", &r->long_share},
               {"shortAccount", &r->short_share},
               {"shortPosition", &r->short_share},
               {"fundingIntervalHours", &r->hours},
               {"markPrice", &r->mark},
               {"estimatedSettlePrice", &r->settle},
               {"indexPrice", &r->index},
               {"lastFundingRate", &r->rate},
               {"interestRate", &r->interest},
               {"adjustedFundingRateCap", &r->cap},
               {"adjustedFundingRateFloor", &r->floor},
               {"nextFundingTime", &r->next}};
  for (size_t k = 0; k < MD_CNT(slots); k++)
    if (strlen(slots[k].name) == n && memcmp(slots[k].name, key, n) == 0) return slots[k].to;
  return NULL;
}

static md_err_t
read_row(md_json_t *j, row_t *r) {
  const uint8_t *key;
  uint32_t       n;
  *r = (row_t){0};
  md_json_object_begin(j);
  while (md_json_key(j, &key, &n)) {
    md_bn_slice_t *to = row_slot(r, key, n);
    if (to)
      md_json_slice(j, &to->p, &to->len);
    else
      md_json_skip(j);
  }
  return md_json_finish(j);
}

static bool
dec128_of(md_bn_slice_t s, md_dec128_t *out) {
  if (!s.p) return false;
  md_json_t j = md_bn_cursor(s);
  return md_json_dec128(&j, out) && md_json_finish(&j) == MD_OK;
}

/* Empty and missing texts are absent. */
static bool
dec128_or_absent(md_bn_slice_t s, md_dec128_t *out) {
  *out = MD_DEC128_NULL;
  return !s.p || md_bn_text_is(s, "") || dec128_of(s, out);
}

static int64_t
time_of(md_bn_slice_t s) {
  int64_t v = 0, ns;
  if (!s.p) return MD_NULL_I64;
  md_json_t j = md_bn_cursor(s);
  if (!md_json_i64(&j, &v)) return MD_NULL_I64;
  (void)md_bn_ts(v, false, &ns);
  return ns;
}

/* One row of an answer: whose it is, and when it was true. */
typedef struct answer {
  md_feed_t            *feed;
  const md_input_t     *in;
  const md_bn_market_t *market;
  md_bn_slice_t         what; /* the end of the path */
  bool                  is_list;
  md_feed_instrument_t *i;
  md_feed_event_t       event;
} answer_t;

/* The instrument of a row. Ratios of COIN-M are those of a pair: its perpetual has them. */
static md_feed_instrument_t *
instrument_of(const answer_t *a, const row_t *r, bool is_named) {
  char        buffer[MD_SYMBOL_BYTES], name[MD_SYMBOL_BYTES + 8];
  const char *text;
  uint32_t    len;
  bool        is_pair = !r->symbol.p;
  if (md_bn_text(is_pair ? r->pair : r->symbol, buffer, MD_SYMBOL_BYTES - 1, &text, &len))
    return NULL;
  if (len + (is_pair ? 5 : 0) >= MD_SYMBOL_BYTES) return NULL;
  memcpy(name, text, len);
  if (is_pair) {
    memcpy(name + len, "_PERP", 5);
    len += 5;
  }
  return is_named ? md_feed_find(a->feed, name, len) : md_feed_find_known(a->feed, name, len);
}

/* False for what was said before. */
static bool
is_new(answer_t *a, unsigned polled) {
  int64_t *last = &md_bn_futures_state_of(a->feed, a->i)->polled_ns[polled];
  if (a->event.ts_exch_ns == MD_NULL_I64) {
    a->event.flags |= MD_FLAG_BAD_TS;
    return true;
  }
  if (a->event.ts_exch_ns <= *last) return false;
  *last = a->event.ts_exch_ns;
  return true;
}

/* USD-M counts base units, COIN-M contracts. */
static md_err_t
on_open_interest(answer_t *a, const row_t *r) {
  md_open_interest_t o = {MD_DEC128_NULL, MD_DEC128_NULL, MD_DEC128_NULL};
  if (!dec128_of(r->open_interest, &o.contracts)) return MD_ERR_SYNTAX;
  if (!a->market->is_inverse) o.base_qty = o.contracts;
  if (!is_new(a, MD_BN_POLLED_OPEN_INTEREST)) return MD_OK;
  memcpy(md_feed_stage(a->feed, a->i, MD_RECORD_OPEN_INTEREST, &a->event), &o, sizeof o);
  return MD_OK;
}

/* "5m", "1h", "1d" of the URL. */
static uint32_t
period_of(const md_input_t *in) {
  md_bn_slice_t s;
  uint64_t      n;
  if (!md_bn_param(in->name, in->name_len, "period=", &s) || s.len < 2 ||
      md_uint_parse(s.p, s.len - 1, &n) || n > 366)
    return 0;
  switch (s.p[s.len - 1]) {
  case 'm':
    return (uint32_t)n * 60;
  case 'h':
    return (uint32_t)n * 3600;
  case 'd':
    return (uint32_t)n * 86400;
  default:
    return 0;
  }
}

static md_err_t
on_ratio(answer_t *a, const row_t *r, md_ratio_basis_t basis) {
  md_long_short_ratio_t l = {.basis = (uint8_t)basis, .period_s = period_of(a->in)};
  if (!dec128_of(r->ratio, &l.ratio) || !dec128_or_absent(r->long_share, &l.long_share) ||
      !dec128_or_absent(r->short_share, &l.short_share) || l.period_s == 0)
    return MD_ERR_SYNTAX;
  if (!is_new(a, MD_BN_POLLED_RATIO + (unsigned)basis)) return MD_OK;
  memcpy(md_feed_stage(a->feed, a->i, MD_RECORD_LONG_SHORT_RATIO, &a->event), &l, sizeof l);
  return MD_OK;
}

static md_err_t
on_premium_index(answer_t *a, const row_t *r) {
  md_bn_mark_t m = {.average = MD_DEC128_NULL};
  if (!dec128_or_absent(r->interest, &m.interest)) return MD_ERR_SYNTAX;
  if (!dec128_or_absent(r->mark, &m.mark) || !dec128_or_absent(r->settle, &m.settle) ||
      !dec128_or_absent(r->index, &m.index) || !dec128_or_absent(r->rate, &m.rate))
    return MD_ERR_SYNTAX;
  m.has_index   = r->index.p && !md_bn_text_is(r->index, "");
  m.has_funding = r->rate.p != NULL;
  m.next_ns     = time_of(r->next);
  md_bn_stage_mark(a->feed, a->i, &a->event, &m);
  return MD_OK;
}

/* Known from here on, to the records of funding that follow. */
static md_err_t
on_funding_info(answer_t *a, const row_t *r) {
  uint64_t  hours;
  md_json_t j = md_bn_cursor(r->hours);
  if (!r->hours.p || !md_json_u64(&j, &hours) || hours == 0 || hours > 24) return MD_ERR_SYNTAX;
  md_bn_futures_instrument_t *state = md_bn_futures_state_of(a->feed, a->i);
  if (!dec128_or_absent(r->cap, &state->rate_max) || !dec128_or_absent(r->floor, &state->rate_min))
    return MD_ERR_SYNTAX;
  state->has_limits         = true;
  state->funding_interval_s = (uint32_t)hours * 3600;
  return MD_OK;
}

static md_err_t
on_row(answer_t *a, const row_t *r) {
  bool is_about_all = md_json_is(a->what.p, a->what.len, "fundingInfo") ||
                      (md_json_is(a->what.p, a->what.len, "premiumIndex") && a->is_list);
  if (!r->symbol.p && !r->pair.p) return MD_ERR_UNKNOWN; /* an error of the venue */
  a->i     = instrument_of(a, r, !is_about_all);
  a->event = (md_feed_event_t){.ts_exch_ns = time_of(r->time), .flags = MD_FLAG_REST};
  if (!a->i) return is_about_all ? MD_OK : MD_ERR_UNKNOWN;
  if (md_json_is(a->what.p, a->what.len, "openInterest")) return on_open_interest(a, r);
  if (md_json_is(a->what.p, a->what.len, "premiumIndex")) return on_premium_index(a, r);
  if (md_json_is(a->what.p, a->what.len, "fundingInfo")) return on_funding_info(a, r);
  if (md_json_is(a->what.p, a->what.len, "topLongShortPositionRatio"))
    return on_ratio(a, r, MD_BASIS_TOP_POSITIONS);
  if (md_json_is(a->what.p, a->what.len, "topLongShortAccountRatio"))
    return on_ratio(a, r, MD_BASIS_TOP_ACCOUNTS);
  if (md_json_is(a->what.p, a->what.len, "globalLongShortAccountRatio"))
    return on_ratio(a, r, MD_BASIS_ALL_ACCOUNTS);
  return MD_ERR_UNKNOWN;
}

/* One object, or a list of them. */
static md_err_t
on_rows(answer_t *a) {
  md_json_t j;
  row_t     r;
  md_json_init(&j, a->in->payload, a->in->len);
  md_json_t whole = j;
  if (!md_json_skip(&whole) || md_json_finish(&whole)) return MD_ERR_SYNTAX;
  a->is_list = a->in->payload[0] == '[';
  if (!a->is_list) {
    md_err_t err = read_row(&j, &r);
    return err ? err : on_row(a, &r);
  }
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    md_bn_slice_t row;
    if (!md_json_slice(&j, &row.p, &row.len)) break;
    md_json_t one = md_bn_cursor(row);
    md_err_t  err = read_row(&one, &r);
    if (!err) err = on_row(a, &r);
    if (err) md_feed_bad_message(a->feed, NULL, err);
  }
  return MD_OK;
}

md_err_t
md_bn_futures_http(md_feed_t *f, const md_input_t *in, const md_bn_market_t *market) {
  static const char data[] = "/futures/data/";
  answer_t          a      = {.feed = f, .in = in, .market = market};
  if (in->name_len == 0 || in->len == 0) return MD_ERR_UNKNOWN;
  const char *at = memmem(in->name, in->name_len, data, sizeof data - 1);
  if (at) {
    const char *end = in->name + in->name_len;
    at += sizeof data - 1;
    a.what = (md_bn_slice_t){(const uint8_t *)at, 0};
    while (at + a.what.len < end && at[a.what.len] != '?')
      a.what.len++;
    return on_rows(&a);
  }
  if (!md_bn_endpoint(in->name, in->name_len, market->rest_root, &a.what)) return MD_ERR_UNKNOWN;
  if (md_json_is(a.what.p, a.what.len, "depth")) return md_bn_on_depth_answer(f, in, LIMIT_DEFAULT);
  if (md_json_is(a.what.p, a.what.len, "exchangeInfo"))
    return md_bn_on_exchange_info(f, in, market->is_inverse ? define_coinm : define_usdm);
  if (md_json_is(a.what.p, a.what.len, "time") || md_json_is(a.what.p, a.what.len, "ping"))
    return MD_OK;
  return on_rows(&a);
}
