/* OKX v5: envelope, routing, and the two venues. One connection may carry every kind of instrument,
 * so both venues read the same messages; they differ in what they ask for. */
#include "feeds/venues/okx.h"

#include <string.h>

#define MS_MAX 4102444800000 /* 2100-01-01 */

/* ---- values ---- */

void
md_okx_object(md_json_t *j, const md_okx_key_t *keys, uint32_t cnt) {
  const uint8_t *key;
  uint32_t       len;
  md_json_object_begin(j);
  while (md_json_key(j, &key, &len)) {
    uint32_t n = 0;
    while (n < cnt && (strncmp(keys[n].name, (const char *)key, len) != 0 || keys[n].name[len]))
      n++;
    if (n == cnt)
      md_json_skip(j);
    else
      md_json_slice(j, &keys[n].value->p, &keys[n].value->len);
  }
}

md_err_t
md_okx_read(md_okx_slice_t s, const md_okx_key_t *keys, uint32_t cnt) {
  if (!s.p) return MD_ERR_SYNTAX;
  md_json_t j = md_okx_cursor(s);
  md_okx_object(&j, keys, cnt);
  return md_json_finish(&j);
}

md_err_t
md_okx_row(md_okx_slice_t s, md_okx_slice_t *out, uint32_t max, uint32_t *cnt) {
  *cnt = 0;
  if (!s.p) return MD_ERR_SYNTAX;
  md_json_t j = md_okx_cursor(s);
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    md_okx_slice_t v;
    if (md_json_slice(&j, &v.p, &v.len) && *cnt < max) out[(*cnt)++] = v;
  }
  return md_json_finish(&j);
}

static bool
inside(md_okx_slice_t s, md_okx_slice_t *out) {
  if (!s.p || s.len < 2 || s.p[0] != '"') return false;
  *out = (md_okx_slice_t){s.p + 1, s.len - 2};
  return true;
}

bool
md_okx_text(md_okx_slice_t s, uint32_t max, const char **text, uint32_t *len) {
  md_okx_slice_t t;
  if (!inside(s, &t) || t.len == 0 || t.len > max) return false;
  for (uint32_t n = 0; n < t.len; n++)
    if (t.p[n] <= ' ' || t.p[n] == 0x7f || t.p[n] == '\\') return false;
  *text = (const char *)t.p;
  *len  = t.len;
  return true;
}

bool
md_okx_is(md_okx_slice_t s, const char *word) {
  md_okx_slice_t t;
  return inside(s, &t) && t.len == strlen(word) && memcmp(t.p, word, t.len) == 0;
}

void
md_okx_word(md_okx_slice_t s, char out[MD_WORD_BYTES]) {
  const char *text;
  uint32_t    len;
  if (md_okx_text(s, MD_WORD_BYTES - 1, &text, &len)) memcpy(out, text, len);
}

bool
md_okx_empty(md_okx_slice_t s) {
  return !s.p || (s.len == 2 && s.p[0] == '"') || (s.len == 4 && s.p[0] == 'n');
}

bool
md_okx_u64(md_okx_slice_t s, uint64_t *out) {
  *out = MD_NULL_U64;
  if (!s.p) return false;
  md_json_t j = md_okx_cursor(s);
  uint64_t  v;
  if (!md_json_u64(&j, &v) || md_json_finish(&j)) return false;
  *out = v;
  return true;
}

bool
md_okx_ts(md_okx_slice_t s, int64_t *out) {
  uint64_t ms;
  *out = MD_NULL_I64;
  if (!md_okx_u64(s, &ms) || ms == 0 || ms >= MS_MAX) return false;
  *out = (int64_t)ms * 1000000;
  return true;
}

int64_t
md_okx_time(md_okx_slice_t s, uint16_t *flags) {
  int64_t ns;
  if (!md_okx_ts(s, &ns)) *flags |= MD_FLAG_BAD_TS;
  return ns;
}

bool
md_okx_dec128(md_okx_slice_t s, md_dec128_t *out) {
  *out = MD_DEC128_NULL;
  if (md_okx_empty(s)) return true;
  md_json_t j = md_okx_cursor(s);
  return md_json_dec128(&j, out) && md_json_finish(&j) == MD_OK;
}

/* ---- mantissas ---- */

static md_err_t
read_numbers(const md_feed_instrument_t *i, const md_okx_number_t *n, uint32_t cnt, int *px_exp,
             int *qty_exp) {
  md_err_t result = MD_OK;
  for (uint32_t k = 0; k < cnt; k++) {
    const uint8_t *p;
    uint32_t       len;
    *n[k].out = MD_NULL_I64;
    if (md_okx_empty(n[k].text)) continue;
    md_json_t j = md_okx_cursor(n[k].text);
    if (!md_json_number_or_string(&j, &p, &len) || md_json_finish(&j)) return MD_ERR_SYNTAX;
    md_err_t err = md_decimal_to_exp(p, len, n[k].is_qty ? i->qty_exp : i->px_exp, n[k].out);
    if (err && err != MD_ERR_RANGE) return err;
    if (!err) continue;
    result   = MD_ERR_RANGE;
    int *exp = n[k].is_qty ? qty_exp : px_exp;
    int  min = md_decimal_min_exp(p, len);
    if (min < *exp) *exp = min;
  }
  return result;
}

md_err_t
md_okx_numbers(md_feed_t *f, md_feed_instrument_t *i, const md_okx_number_t *n, uint32_t cnt) {
  int      px_exp = i->px_exp, qty_exp = i->qty_exp;
  md_err_t err = read_numbers(i, n, cnt, &px_exp, &qty_exp);
  if (err != MD_ERR_RANGE) return err;
  err = md_feed_widen(f, i, px_exp, qty_exp);
  return err ? err : read_numbers(i, n, cnt, &px_exp, &qty_exp);
}

static md_err_t
read_side(const md_feed_instrument_t *i, md_okx_slice_t s, md_level_t *out, uint32_t *cnt) {
  md_json_t j   = md_okx_cursor(s);
  md_err_t  err = md_json_levels(&j, i->px_exp, i->qty_exp, out, MD_BOOK_LEVELS_MAX, cnt);
  if (!err) err = md_json_finish(&j);
  for (uint32_t n = 0; n < *cnt && !err; n++)
    if (out[n].px <= 0 || out[n].qty < 0) err = MD_ERR_SYNTAX;
  return err;
}

md_err_t
md_okx_levels(md_feed_t *f, md_feed_instrument_t *i, md_okx_slice_t bids, md_okx_slice_t asks,
              md_feed_levels_t *out) {
  md_level_t *b = md_feed_bid_scratch(f), *a = md_feed_ask_scratch(f);
  if (!bids.p || !asks.p) return MD_ERR_SYNTAX;
  for (uint32_t pass = 0;; pass++) {
    *out         = (md_feed_levels_t){.bids = b, .asks = a};
    md_err_t err = read_side(i, bids, b, &out->bid_cnt);
    if (!err) err = read_side(i, asks, a, &out->ask_cnt);
    if (err != MD_ERR_RANGE || pass > 0) return err;
    int px_exp = i->px_exp, qty_exp = i->qty_exp;
    err = md_json_levels_min_exp(md_okx_cursor(bids), &px_exp, &qty_exp);
    if (!err) err = md_json_levels_min_exp(md_okx_cursor(asks), &px_exp, &qty_exp);
    if (!err) err = md_feed_widen(f, i, px_exp, qty_exp);
    if (err) return err;
  }
}

/* ---- messages ---- */

typedef struct route {
  const char      *channel;
  bool             is_prefix;
  md_okx_handler_t handler;
} route_t;

static const route_t routes[] = {
    {"books", false, md_okx_on_books},
    {"books-l2-tbt", false, md_okx_on_books},
    {"books50-l2-tbt", false, md_okx_on_books},
    {"bbo-tbt", false, md_okx_on_bbo},
    {"trades", false, md_okx_on_trade},
    {"trades-all", false, md_okx_on_fill},
    {"tickers", false, md_okx_on_ticker},
    {"candle", true, md_okx_on_candle},
    {"funding-rate", false, md_okx_on_funding},
    {"open-interest", false, md_okx_on_open_interest},
    {"mark-price", false, md_okx_on_mark},
    {"index-tickers", false, md_okx_on_index},
    {"liquidation-orders", false, md_okx_on_liquidation},
    {"instruments", false, md_okx_on_instrument},
};

static md_okx_handler_t
route_of(md_okx_slice_t channel) {
  for (uint32_t n = 0; n < MD_CNT(routes); n++) {
    size_t len = strlen(routes[n].channel);
    if (channel.len < len || memcmp(channel.p, routes[n].channel, len) != 0) continue;
    if (routes[n].is_prefix || channel.len == len) return routes[n].handler;
  }
  return NULL;
}

static bool
is_book(md_okx_handler_t handler) {
  return handler == md_okx_on_books;
}

/* Acknowledgements and notices need nothing; an error of the venue is counted as unroutable. */
static md_err_t
on_event(md_okx_slice_t event) {
  return md_okx_is(event, "error") || md_okx_is(event, "channel-conn-count-error") ? MD_ERR_UNKNOWN
                                                                                   : MD_OK;
}

/* What a message is of. Also filled from the part in front of what cannot be read. */
typedef struct envelope {
  md_okx_slice_t arg, action, data, event;
} envelope_t;

/* Finds out whose message it is. */
static md_okx_handler_t
address(const envelope_t *e, md_okx_message_t *m) {
  md_okx_slice_t channel = {0}, symbol = {0};
  md_okx_key_t   keys[] = {{"channel", &channel}, {"instId", &symbol}};
  if (md_okx_read(e->arg, keys, MD_CNT(keys)) || !inside(channel, &m->channel)) return NULL;
  if (symbol.p && !md_okx_text(symbol, MD_SYMBOL_BYTES - 1, &m->symbol, &m->symbol_len))
    return NULL;
  return route_of(m->channel);
}

static md_err_t
on_data(md_okx_handler_t handler, const envelope_t *e, md_okx_message_t *m) {
  md_err_t  result = MD_OK;
  md_json_t j      = md_okx_cursor(e->data);
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    if (!md_json_slice(&j, &m->row.p, &m->row.len)) break;
    md_err_t err = handler(m);
    if (err && !result)
      result = err;
    else if (err)
      md_feed_bad_message(m->feed, NULL, err); /* the first is counted by who called us */
  }
  md_err_t err = md_json_finish(&j);
  return result ? result : err;
}

static md_err_t
decode_text(md_feed_t *f, const md_input_t *in) {
  envelope_t       e      = {0};
  md_okx_message_t m      = {.feed = f};
  md_okx_key_t     keys[] = {
          {"arg", &e.arg}, {"action", &e.action}, {"data", &e.data}, {"event", &e.event}};
  md_json_t j;
  md_json_init(&j, in->payload, in->len);
  md_okx_object(&j, keys, MD_CNT(keys));
  md_err_t err = md_json_finish(&j);
  if (!err && e.event.p) return on_event(e.event);
  md_okx_handler_t handler = address(&e, &m);
  if (err || !handler || !e.data.p || e.data.p[0] != '[') {
    md_err_t what = err ? err : MD_ERR_UNKNOWN;
    if (!handler || !is_book(handler) || !m.symbol) return what;
    md_feed_bad_message(f, md_feed_lookup(f, m.symbol, m.symbol_len), err ? err : MD_ERR_SYNTAX);
    return MD_OK;
  }
  if (e.action.p && !inside(e.action, &m.action)) return MD_ERR_SYNTAX;
  return on_data(handler, &e, &m);
}

/* The texts of the keepalive are no JSON. */
static bool
is_keepalive(const md_input_t *in) {
  return in->len == 0 || (in->len == 4 && (memcmp(in->payload, "pong", 4) == 0 ||
                                           memcmp(in->payload, "ping", 4) == 0));
}

static md_err_t
decode(md_feed_t *f, const md_input_t *in) {
  if (MD_UNLIKELY(in->kind == MD_RAW_HTTP)) return md_okx_http(f, in);
  if (MD_UNLIKELY(is_keepalive(in))) return MD_OK;
  return decode_text(f, in);
}

/* By the argument in front, as OKX writes it. */
static bool
peek(const uint8_t *payload, uint32_t len, md_venue_peek_t *out) {
  static const char head[] = "{\"arg\":{\"channel\":\"", middle[] = "\",\"instId\":\"";
  static const char book[] = "books";
  if (len < 128 || !md_json_same(payload, head, sizeof head - 1)) return false;
  const uint8_t *channel = payload + sizeof head - 1, *end = memchr(channel, '"', 32);
  if (!end || !md_json_same(end, middle, sizeof middle - 1)) return false;
  const uint8_t *symbol = end + sizeof middle - 1, *stop = memchr(symbol, '"', MD_SYMBOL_BYTES);
  if (!stop) return false;
  out->len     = (uint32_t)(stop - symbol);
  out->is_book = md_json_same(channel, book, sizeof book - 1);
  memcpy(out->symbol, symbol, out->len);
  return true;
}

static const char *const hosts[] = {"ws.okx.com",  "wsus.okx.com", "wseea.okx.com",
                                    "ws.okex.com", "www.okx.com",  "www.okex.com",
                                    "OKX.",        "OKEX.",        NULL};

#define REFUSED                                                                                    \
  .refused_url = "://real.okex.com",                                                               \
  .refused_why =                                                                                   \
      "speaks OKX's protocol v3, which ended in 2021: its compressed binary frames are not read, " \
      "only v5 is"

/* A recording that names neither market is read by the first row. */
const md_venue_t md_venue_okx_spot = {REFUSED,
                                      .name        = "okx_spot",
                                      .exchange    = "okx",
                                      .market_type = "spot",
                                      .hosts       = hosts,
                                      .sync        = &md_sync_okx,
                                      .state_bytes = sizeof(md_okx_state_t),
                                      .decode      = decode,
                                      .peek        = peek,
                                      .define      = md_okx_define,
                                      .checksum_ok = md_okx_checksum_ok,
                                      .net         = &md_okx_spot_net};

const md_venue_t md_venue_okx_derivatives = {REFUSED,
                                             .name        = "okx_derivatives",
                                             .exchange    = "okx",
                                             .market_type = "perpetual",
                                             .hosts       = hosts,
                                             .sync        = &md_sync_okx,
                                             .state_bytes = sizeof(md_okx_state_t),
                                             .decode      = decode,
                                             .peek        = peek,
                                             .define      = md_okx_define,
                                             .checksum_ok = md_okx_checksum_ok,
                                             .net         = &md_okx_derivatives_net};
