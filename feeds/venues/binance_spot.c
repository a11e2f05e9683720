/* Binance spot and Binance US: combined and raw streams. Every message is read wholly before any of
 * it is applied. The shapes that make up nearly all messages have a path of their own
 * (binance_spot_fast.c); whatever differs from them by one byte comes here. */
#include "feeds/venues/binance_spot.h"
#include "feeds/venues/binance_spot_fast.h"

#include <string.h>

#define NS_PER_MS 1000000
#define NS_PER_US 1000
#define S_MAX     4102444800 /* 2100-01-01 */

/* Values of the one-letter keys of an event, in the message's own text. */
typedef struct fields {
  uint64_t      seen; /* bit n: letter n is there */
  md_bn_slice_t value['z' - 'A' + 1];
} fields_t;

_Static_assert('z' - 'A' < 64, "a bit for each letter");

/* A message: the envelope and its event. */
typedef struct message {
  md_bn_slice_t stream; /* inside of the name, p NULL if there is none */
  fields_t      event;
  bool          is_reply, is_error;
} message_t;

static bool
has(const fields_t *s, char letter) {
  return s->seen >> (letter - 'A') & 1;
}

static md_bn_slice_t
value(const fields_t *s, char letter) {
  return has(s, letter) ? s->value[letter - 'A'] : (md_bn_slice_t){(const uint8_t *)"", 0};
}

/* ---- values ---- */

bool
md_bn_ts(int64_t v, bool microseconds, int64_t *out) {
  const int64_t unit = microseconds ? NS_PER_US : NS_PER_MS;
  const int64_t max  = S_MAX * (1000000000 / unit);
  *out               = v > 0 && v < max ? v * unit : MD_NULL_I64;
  return *out != MD_NULL_I64;
}

md_err_t
md_bn_text(md_bn_slice_t s, char *buffer, uint32_t max, const char **text, uint32_t *len) {
  md_json_t      j = md_bn_cursor(s);
  const uint8_t *p;
  uint32_t       n;
  if (!md_json_string(&j, &p, &n)) return MD_ERR_SYNTAX;
  if (j.has_escape) {
    md_err_t err = md_json_unescape(p, n, (uint8_t *)buffer, max, &n);
    if (err) return err;
    p = (const uint8_t *)buffer;
  }
  if (n == 0 || n > max) return MD_ERR_SYNTAX;
  for (uint32_t k = 0; k < n; k++)
    if (p[k] <= ' ' || p[k] == 0x7f) return MD_ERR_SYNTAX;
  *text = (const char *)p;
  *len  = n;
  return MD_OK;
}

bool
md_bn_levels_are_sane(const md_feed_levels_t *l) {
  bool sane = true;
  for (uint32_t n = 0; n < l->bid_cnt; n++)
    sane &= l->bids[n].px > 0 && l->bids[n].qty >= 0;
  for (uint32_t n = 0; n < l->ask_cnt; n++)
    sane &= l->asks[n].px > 0 && l->asks[n].qty >= 0;
  return sane;
}

static md_err_t
read_levels(md_feed_t *f, const md_feed_instrument_t *i, md_bn_slice_t bids, md_bn_slice_t asks,
            md_feed_levels_t *out) {
  md_level_t *b = md_feed_bid_scratch(f), *a = md_feed_ask_scratch(f);
  *out          = (md_feed_levels_t){b, a, 0, 0};
  md_json_t j   = md_bn_cursor(bids);
  md_err_t  err = md_json_levels(&j, i->px_exp, i->qty_exp, b, MD_BOOK_LEVELS_MAX, &out->bid_cnt);
  if (!err) err = md_json_finish(&j);
  if (err) return err;
  j   = md_bn_cursor(asks);
  err = md_json_levels(&j, i->px_exp, i->qty_exp, a, MD_BOOK_LEVELS_MAX, &out->ask_cnt);
  return err ? err : md_json_finish(&j);
}

md_err_t
md_bn_levels(md_feed_t *f, md_feed_instrument_t *i, md_bn_slice_t bids, md_bn_slice_t asks,
             md_feed_levels_t *out) {
  md_err_t err = read_levels(f, i, bids, asks, out);
  if (err == MD_ERR_RANGE) {
    int px_exp = i->px_exp, qty_exp = i->qty_exp;
    err = md_json_levels_min_exp(md_bn_cursor(bids), &px_exp, &qty_exp);
    if (!err) err = md_json_levels_min_exp(md_bn_cursor(asks), &px_exp, &qty_exp);
    if (!err) err = md_feed_widen(f, i, px_exp, qty_exp);
    if (!err) err = read_levels(f, i, bids, asks, out);
  }
  if (!err && !md_bn_levels_are_sane(out)) err = MD_ERR_SYNTAX;
  return err;
}

/* Mantissas of decimals of one message, prices or quantities: widens when one is finer. */
typedef struct decimal {
  md_bn_slice_t text; /* len 0: absent */
  bool          is_qty;
  int64_t      *out;
} decimal_t;

static md_err_t
decimal_text(md_bn_slice_t s, const uint8_t **p, uint32_t *len) {
  md_json_t j = md_bn_cursor(s);
  if (!md_json_number_or_string(&j, p, len)) return MD_ERR_SYNTAX;
  return md_json_finish(&j);
}

static md_err_t
read_decimals(const md_feed_instrument_t *i, const decimal_t *d, uint32_t cnt, int *px_exp,
              int *qty_exp) {
  md_err_t result = MD_OK;
  for (uint32_t n = 0; n < cnt; n++) {
    const uint8_t *p;
    uint32_t       len;
    md_err_t       err = decimal_text(d[n].text, &p, &len);
    if (!err) err = md_decimal_to_exp(p, len, d[n].is_qty ? i->qty_exp : i->px_exp, d[n].out);
    if (err && err != MD_ERR_RANGE) return err;
    if (!err) continue;
    result   = MD_ERR_RANGE;
    int *exp = d[n].is_qty ? qty_exp : px_exp;
    int  min = md_decimal_min_exp(p, len);
    if (min < *exp) *exp = min;
  }
  return result;
}

static md_err_t
decimals(md_feed_t *f, md_feed_instrument_t *i, const decimal_t *d, uint32_t cnt) {
  int      px_exp = i->px_exp, qty_exp = i->qty_exp;
  md_err_t err = read_decimals(i, d, cnt, &px_exp, &qty_exp);
  if (err != MD_ERR_RANGE) return err;
  err = md_feed_widen(f, i, px_exp, qty_exp);
  return err ? err : read_decimals(i, d, cnt, &px_exp, &qty_exp);
}

/* Integers and the like: false when the value is missing or has another form. */
static bool
u64(const fields_t *s, char letter, uint64_t *out) {
  md_json_t j = md_bn_cursor(value(s, letter));
  return md_json_u64(&j, out) && md_json_finish(&j) == MD_OK;
}

/* Some ids are -1 where there is none. */
static uint64_t
u64_or_absent(const fields_t *s, char letter) {
  uint64_t v;
  return u64(s, letter, &v) ? v : MD_NULL_U64;
}

static bool
boolean(const fields_t *s, char letter, bool *out) {
  md_json_t j = md_bn_cursor(value(s, letter));
  return md_json_bool(&j, out) && md_json_finish(&j) == MD_OK;
}

static bool
dec128(const fields_t *s, char letter, md_dec128_t *out) {
  md_json_t j = md_bn_cursor(value(s, letter));
  return md_json_dec128(&j, out) && md_json_finish(&j) == MD_OK;
}

/* A time in ns, absent when it is missing or absurd; then *flags gets BAD_TS. */
static int64_t
time_of(const fields_t *s, char letter, bool microseconds, uint16_t *flags) {
  md_json_t j = md_bn_cursor(value(s, letter));
  int64_t   v = 0, ns;
  if (!md_json_i64(&j, &v) || md_json_finish(&j) || !md_bn_ts(v, microseconds, &ns)) {
    *flags |= MD_FLAG_BAD_TS;
    return MD_NULL_I64;
  }
  return ns;
}

/* ---- events ---- */

typedef struct context {
  md_feed_t      *feed;
  const fields_t *s;
  bool            microseconds;
  const char     *symbol;
  uint32_t        symbol_len;
  md_feed_event_t event;
} context_t;

static md_err_t
on_depth_update(context_t *c) {
  md_feed_t       *f   = c->feed;
  md_update_ids_t  ids = {.prev = MD_NULL_U64};
  md_feed_levels_t levels;
  /* Without its ids or levels it is a message of this book that cannot be applied. */
  md_feed_instrument_t *i = md_feed_lookup(f, c->symbol, c->symbol_len);
  if (!u64(c->s, 'U', &ids.first) || !u64(c->s, 'u', &ids.last) || ids.first > ids.last ||
      !has(c->s, 'b') || !has(c->s, 'a')) {
    md_feed_bad_message(f, i, MD_ERR_SYNTAX);
    return MD_OK;
  }
  if (!i) i = md_feed_find(f, c->symbol, c->symbol_len);
  if (!i) return MD_ERR_UNKNOWN;
  md_err_t err = md_bn_levels(f, i, value(c->s, 'b'), value(c->s, 'a'), &levels);
  if (err) {
    md_feed_bad_message(f, i, err);
    return MD_OK;
  }
  c->event.exch_seq = ids.last;
  md_feed_on_update(f, i, &c->event, &ids, &levels);
  return MD_OK;
}

static md_err_t
on_trade(context_t *c) {
  bool       maker_buys;
  md_trade_t t = {0};
  if (!u64(c->s, 't', &t.trade_id) || !boolean(c->s, 'm', &maker_buys)) return MD_ERR_SYNTAX;
  md_feed_instrument_t *i = md_feed_find(c->feed, c->symbol, c->symbol_len);
  if (!i) return MD_ERR_UNKNOWN;
  const decimal_t d[] = {{value(c->s, 'p'), false, &t.px}, {value(c->s, 'q'), true, &t.qty}};
  md_err_t        err = decimals(c->feed, i, d, MD_CNT(d));
  if (err) return err;
  if (t.px <= 0 || t.qty < 0) return MD_ERR_SYNTAX;
  t.ts_match_ns     = time_of(c->s, 'T', c->microseconds, &c->event.flags);
  t.side            = maker_buys ? MD_SIDE_SELL : MD_SIDE_BUY;
  c->event.exch_seq = t.trade_id;
  md_bn_trade(c->feed, i, &c->event, &t);
  return MD_OK;
}

static md_err_t
on_agg_trade(context_t *c) {
  bool           maker_buys;
  md_agg_trade_t t = {0};
  if (!u64(c->s, 'a', &t.agg_id) || !boolean(c->s, 'm', &maker_buys)) return MD_ERR_SYNTAX;
  md_feed_instrument_t *i = md_feed_find(c->feed, c->symbol, c->symbol_len);
  if (!i) return MD_ERR_UNKNOWN;
  const decimal_t d[] = {{value(c->s, 'p'), false, &t.px}, {value(c->s, 'q'), true, &t.qty}};
  md_err_t        err = decimals(c->feed, i, d, MD_CNT(d));
  if (err) return err;
  if (t.px <= 0 || t.qty < 0) return MD_ERR_SYNTAX;
  t.trade_id_first  = u64_or_absent(c->s, 'f');
  t.trade_id_last   = u64_or_absent(c->s, 'l');
  t.ts_match_ns     = time_of(c->s, 'T', c->microseconds, &c->event.flags);
  t.side            = maker_buys ? MD_SIDE_SELL : MD_SIDE_BUY;
  c->event.exch_seq = t.agg_id;
  md_bn_agg_trade(c->feed, i, &c->event, &t);
  return MD_OK;
}

static md_err_t
on_book_ticker(context_t *c) {
  md_bbo_t b;
  uint64_t id;
  if (!u64(c->s, 'u', &id)) return MD_ERR_SYNTAX;
  md_feed_instrument_t *i = md_feed_find(c->feed, c->symbol, c->symbol_len);
  if (!i) return MD_ERR_UNKNOWN;
  const decimal_t d[] = {{value(c->s, 'b'), false, &b.bid_px},
                         {value(c->s, 'B'), true, &b.bid_qty},
                         {value(c->s, 'a'), false, &b.ask_px},
                         {value(c->s, 'A'), true, &b.ask_qty}};
  md_err_t        err = decimals(c->feed, i, d, MD_CNT(d));
  if (err) return err;
  c->event.exch_seq = id;
  md_bn_book_ticker(c->feed, i, &c->event, &b);
  return MD_OK;
}

/* "1s" to "1M"; a month is as long as its own bar. */
static uint32_t
interval_of(md_bn_slice_t s, int64_t open_ns, int64_t close_ns) {
  char        buffer[8];
  const char *text;
  uint32_t    len, n = 0;
  if (md_bn_text(s, buffer, sizeof buffer, &text, &len)) return 0;
  for (uint32_t k = 0; k + 1 < len; k++) {
    if (text[k] < '0' || text[k] > '9') return 0;
    n = n * 10 + (uint32_t)(text[k] - '0');
  }
  switch (text[len - 1]) {
  case 's':
    return n;
  case 'm':
    return n * 60;
  case 'h':
    return n * 3600;
  case 'd':
    return n * 86400;
  case 'w':
    return n * 7 * 86400;
  case 'M':
    if (open_ns == MD_NULL_I64 || close_ns <= open_ns) return 0;
    return (uint32_t)((close_ns - open_ns + 500000000) / 1000000000);
  default:
    return 0;
  }
}

static void read_fields(md_json_t *j, fields_t *s);

static md_err_t
on_kline(context_t *c) {
  if (!has(c->s, 'k')) return MD_ERR_SYNTAX;
  fields_t  k;
  md_json_t j = md_bn_cursor(value(c->s, 'k'));
  read_fields(&j, &k);
  bool       closed;
  md_kline_t r = {0};
  if (md_json_finish(&j) || !boolean(&k, 'x', &closed) || !u64(&k, 'n', &r.trade_cnt) ||
      !dec128(&k, 'q', &r.turnover) || !dec128(&k, 'Q', &r.taker_turnover))
    return MD_ERR_SYNTAX;
  md_feed_instrument_t *i = md_feed_find(c->feed, c->symbol, c->symbol_len);
  if (!i) return MD_ERR_UNKNOWN;
  const decimal_t d[] = {
      {value(&k, 'o'), false, &r.open},  {value(&k, 'h'), false, &r.high},
      {value(&k, 'l'), false, &r.low},   {value(&k, 'c'), false, &r.close},
      {value(&k, 'v'), true, &r.volume}, {value(&k, 'V'), true, &r.taker_volume}};
  md_err_t err = decimals(c->feed, i, d, MD_CNT(d));
  if (err) return err;
  r.ts_open_ns     = time_of(&k, 't', c->microseconds, &c->event.flags);
  r.ts_close_ns    = time_of(&k, 'T', c->microseconds, &c->event.flags);
  r.interval_s     = interval_of(value(&k, 'i'), r.ts_open_ns, r.ts_close_ns);
  r.trade_id_first = u64_or_absent(&k, 'f');
  r.trade_id_last  = u64_or_absent(&k, 'L');
  r.closed         = closed;
  if (r.interval_s == 0) return MD_ERR_SYNTAX;
  if (!md_feed_kline_is_new(c->feed, i, &r, &c->event.flags)) return MD_OK;
  memcpy(md_feed_stage(c->feed, i, MD_RECORD_KLINE, &c->event), &r, sizeof r);
  return MD_OK;
}

static md_err_t
on_ticker(context_t *c) {
  const fields_t *s = c->s;
  md_ticker_t     r = {0};
  if (!dec128(s, 'v', &r.volume) || !dec128(s, 'q', &r.turnover) || !dec128(s, 'w', &r.vwap) ||
      !dec128(s, 'p', &r.change) || !dec128(s, 'P', &r.change_percent) ||
      !u64(s, 'n', &r.trade_cnt))
    return MD_ERR_SYNTAX;
  md_feed_instrument_t *i = md_feed_find(c->feed, c->symbol, c->symbol_len);
  if (!i) return MD_ERR_UNKNOWN;
  const decimal_t d[] = {{value(s, 'c'), false, &r.last_px}, {value(s, 'Q'), true, &r.last_qty},
                         {value(s, 'o'), false, &r.open},    {value(s, 'h'), false, &r.high},
                         {value(s, 'l'), false, &r.low},     {value(s, 'b'), false, &r.bid_px},
                         {value(s, 'B'), true, &r.bid_qty},  {value(s, 'a'), false, &r.ask_px},
                         {value(s, 'A'), true, &r.ask_qty}};
  md_err_t        err = decimals(c->feed, i, d, MD_CNT(d));
  if (err) return err;
  r.ts_open_ns     = time_of(s, 'O', c->microseconds, &c->event.flags);
  r.ts_close_ns    = time_of(s, 'C', c->microseconds, &c->event.flags);
  r.trade_id_first = u64_or_absent(s, 'F');
  r.trade_id_last  = u64_or_absent(s, 'L');
  memcpy(md_feed_stage(c->feed, i, MD_RECORD_TICKER, &c->event), &r, sizeof r);
  return MD_OK;
}

/* ---- messages ---- */

/* One-letter keys only: all that the events of this venue use. */
static void
read_fields(md_json_t *j, fields_t *s) {
  const uint8_t *key;
  uint32_t       key_len;
  s->seen = 0;
  md_json_object_begin(j);
  while (md_json_key(j, &key, &key_len)) {
    if (key_len != 1 || key[0] < 'A' || key[0] > 'z') {
      md_json_skip(j);
      continue;
    }
    md_bn_slice_t *v = &s->value[key[0] - 'A'];
    if (md_json_slice(j, &v->p, &v->len)) s->seen |= 1ull << (key[0] - 'A');
  }
}

/* The envelope, or a bare event: its keys are looked for at the top until "data" says otherwise. */
static md_err_t
read_message(const md_input_t *in, message_t *m) {
  md_json_t      j;
  const uint8_t *key;
  uint32_t       key_len;
  m->stream     = (md_bn_slice_t){NULL, 0};
  m->event.seen = 0;
  m->is_reply   = false;
  m->is_error   = false;
  md_json_init(&j, in->payload, in->len);
  md_json_object_begin(&j);
  while (md_json_key(&j, &key, &key_len)) {
    if (key_len == 1 && key[0] >= 'A' && key[0] <= 'z') {
      md_bn_slice_t *v = &m->event.value[key[0] - 'A'];
      if (md_json_slice(&j, &v->p, &v->len)) m->event.seen |= 1ull << (key[0] - 'A');
    } else if (md_json_is(key, key_len, "stream")) {
      md_json_string(&j, &m->stream.p, &m->stream.len);
    } else if (md_json_is(key, key_len, "data")) {
      md_bn_slice_t data;
      if (!md_json_slice(&j, &data.p, &data.len)) break;
      md_json_t inner = md_bn_cursor(data);
      if (data.p[0] == '{') read_fields(&inner, &m->event);
    } else {
      m->is_reply |= md_json_is(key, key_len, "result");
      m->is_error |= md_json_is(key, key_len, "code") || md_json_is(key, key_len, "error");
      md_json_skip(&j);
    }
  }
  return md_json_finish(&j);
}

/* The part of a stream's name behind its first '@'. Without a name in the message, a connection to
 * one raw stream (/ws/<name>) has one in its URL. */
static md_bn_slice_t
stream_kind(md_feed_t *f, const md_input_t *in, md_bn_slice_t name) {
  if (!name.p) {
    static const char root[] = "/ws/";
    uint32_t          len;
    const char       *url = md_feed_url(f, in, &len);
    const char       *at  = url ? memmem(url, len, root, sizeof root - 1) : NULL;
    if (!at) return name;
    at += sizeof root - 1;
    name.p = (const uint8_t *)at;
    while (at + name.len < url + len && at[name.len] != '?')
      name.len++;
    if (memchr(name.p, '/', name.len)) return (md_bn_slice_t){NULL, 0}; /* several streams */
  }
  const uint8_t *at = memchr(name.p, '@', name.len);
  if (!at) return (md_bn_slice_t){NULL, 0};
  at++;
  return (md_bn_slice_t){at, (uint32_t)(name.p + name.len - at)};
}

typedef md_err_t (*event_fn)(context_t *c);

static event_fn
route(const fields_t *s, md_bn_slice_t kind, bool *needs_nothing) {
  char        buffer[24];
  const char *e;
  uint32_t    len;
  *needs_nothing = false;
  if (has(s, 'e')) {
    if (md_bn_text(value(s, 'e'), buffer, sizeof buffer, &e, &len)) return NULL;
    if (md_json_is(e, len, "depthUpdate")) return on_depth_update;
    if (md_json_is(e, len, "trade")) return on_trade;
    if (md_json_is(e, len, "aggTrade")) return on_agg_trade;
    if (md_json_is(e, len, "kline")) return on_kline;
    if (md_json_is(e, len, "24hrTicker")) return on_ticker;
    *needs_nothing = md_json_is(e, len, "serverShutdown");
    return NULL;
  }
  /* Only the stream's name tells these apart; partial books (depth5, 10, 20) are not used. */
  if (kind.p && md_json_is(kind.p, kind.len, "bookTicker")) return on_book_ticker;
  return NULL;
}

/* A book message that cannot be read makes its book STALE, when what is left of it names the book.
 */
static md_err_t
on_broken(md_feed_t *f, const message_t *m, md_err_t err) {
  char            buffer[MD_SYMBOL_BYTES];
  const char     *e, *symbol;
  uint32_t        e_len, symbol_len;
  const fields_t *s = &m->event;
  if (!has(s, 'e') || !has(s, 's') || md_bn_text(value(s, 'e'), buffer, 24, &e, &e_len) ||
      !md_json_is(e, e_len, "depthUpdate"))
    return err;
  if (md_bn_text(value(s, 's'), buffer, MD_SYMBOL_BYTES - 1, &symbol, &symbol_len)) return err;
  md_feed_bad_message(f, md_feed_lookup(f, symbol, symbol_len), err);
  return MD_OK;
}

static md_err_t
decode_general(md_feed_t *f, const md_input_t *in) {
  message_t m;
  bool      needs_nothing;
  char      buffer[MD_SYMBOL_BYTES];
  md_err_t  err = read_message(in, &m);
  if (err) return on_broken(f, &m, err);
  const fields_t *s  = &m.event;
  event_fn        fn = route(s, stream_kind(f, in, m.stream), &needs_nothing);
  if (!fn) {
    bool is_answer = m.is_reply && !m.is_error && s->seen == 0;
    return is_answer || needs_nothing ? MD_OK : MD_ERR_UNKNOWN;
  }
  context_t c = {.feed         = f,
                 .s            = s,
                 .microseconds = md_feed_microseconds(f, in),
                 .event        = {.ts_exch_ns = MD_NULL_I64}};
  if (!has(s, 's') ||
      md_bn_text(value(s, 's'), buffer, MD_SYMBOL_BYTES - 1, &c.symbol, &c.symbol_len))
    return MD_ERR_UNKNOWN;
  if (has(s, 'e')) c.event.ts_exch_ns = time_of(s, 'E', c.microseconds, &c.event.flags);
  return fn(&c);
}

static md_err_t
decode(md_feed_t *f, const md_input_t *in) {
  if (MD_UNLIKELY(in->kind == MD_RAW_HTTP)) return md_bn_http(f, in);
  if (MD_LIKELY(md_bn_fast(f, in))) return MD_OK;
  return decode_general(f, in);
}

static const char *const spot_hosts[] = {"stream.binance.com", "data-stream.binance.vision",
                                         "api.binance.com",    "data-api.binance.vision",
                                         "www.binance.com",    "BINANCE-",
                                         "BINANCE.",           NULL};
static const char *const us_hosts[]   = {"stream.binance.us", "api.binance.us", "BINANCE_US-",
                                         "BINANCE_US.", NULL};

const md_venue_t md_venue_binance_spot = {.name            = "binance_spot",
                                          .exchange        = "binance",
                                          .market_type     = "spot",
                                          .hosts           = spot_hosts,
                                          .sync            = &md_sync_binance_spot,
                                          .decode          = decode,
                                          .define          = md_bn_define,
                                          .net             = &md_bn_net,
                                          .dense_trade_ids = true};

const md_venue_t md_venue_binance_us = {.name            = "binance_us",
                                        .exchange        = "binance_us",
                                        .market_type     = "spot",
                                        .hosts           = us_hosts,
                                        .sync            = &md_sync_binance_spot,
                                        .decode          = decode,
                                        .define          = md_bn_define,
                                        .net             = &md_bn_us_net,
                                        .dense_trade_ids = true};
