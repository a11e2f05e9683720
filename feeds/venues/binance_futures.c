/* Binance USD-M and COIN-M futures: combined and raw streams, and rows about all markets. Every
 * message is read wholly before any of it is applied. */
#include "feeds/venues/binance_futures.h"
#include "feeds/rule.h"

#include <string.h>

#define NS_PER_S       1000000000ll
#define ROLLOVER_MAX_S 60 /* a next funding time that changes later than this says nothing */

/* ---- mark, index, funding ---- */

/* The length of an interval is seen when the next funding time moves on, right after it was. */
static uint32_t
funding_interval(md_bn_futures_instrument_t *state, int64_t now_ns, int64_t next_ns) {
  int64_t last_ns = state->funding_ns;
  if (next_ns == MD_NULL_I64) return state->funding_interval_s;
  state->funding_ns = next_ns;
  if (last_ns == 0 || next_ns <= last_ns || now_ns == MD_NULL_I64) return state->funding_interval_s;
  if (now_ns >= last_ns && now_ns - last_ns <= ROLLOVER_MAX_S * NS_PER_S)
    state->funding_interval_s = (uint32_t)((next_ns - last_ns) / NS_PER_S);
  return state->funding_interval_s;
}

static bool
is_there(md_dec128_t d) {
  md_i128 mantissa;
  int     exponent;
  return md_dec128_split(d, &mantissa, &exponent);
}

void
md_bn_stage_mark(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event,
                 const md_bn_mark_t *m) {
  if (is_there(m->mark) || is_there(m->settle)) {
    const md_mark_t mark = {m->mark, m->settle, m->average};
    memcpy(md_feed_stage(f, i, MD_RECORD_MARK, event), &mark, sizeof mark);
  }
  if (m->has_index) {
    md_index_t index = MD_ABSENT(INDEX);
    index.index_px   = m->index;
    memcpy(md_feed_stage(f, i, MD_RECORD_INDEX, event), &index, sizeof index);
  }
  if (!m->has_funding) return;
  md_bn_futures_instrument_t *state = md_bn_futures_state_of(f, i);
  md_funding_t                r     = MD_ABSENT(FUNDING);
  r.rate                            = m->rate;
  r.interest                        = m->interest;
  r.ts_next_ns                      = m->next_ns;
  r.interval_s                      = funding_interval(state, event->ts_exch_ns, m->next_ns);
  if (state->has_limits) {
    r.rate_min = state->rate_min;
    r.rate_max = state->rate_max;
  }
  memcpy(md_feed_stage(f, i, MD_RECORD_FUNDING, event), &r, sizeof r);
}

/* T is the time of the next funding, never that of the event. It is 0, and the rate empty or 0,
 * where there is no funding. */
static md_err_t
on_mark_price(md_bn_context_t *c) {
  md_bn_mark_t m        = {.interest = MD_DEC128_NULL};
  uint16_t     no_flags = 0;
  if (!md_bn_dec128_or_absent(c->s, 'p', &m.mark) ||
      !md_bn_dec128_or_absent(c->s, 'P', &m.settle) ||
      !md_bn_dec128_or_absent(c->s, MD_BN_AP, &m.average) ||
      !md_bn_dec128_or_absent(c->s, 'i', &m.index) || !md_bn_dec128_or_absent(c->s, 'r', &m.rate))
    return MD_ERR_SYNTAX;
  m.next_ns               = md_bn_time(c->s, 'T', c->microseconds, &no_flags);
  m.has_index             = is_there(m.index);
  m.has_funding           = md_bn_has(c->s, 'r') || md_bn_has(c->s, 'T');
  md_feed_instrument_t *i = md_bn_instrument(c);
  if (!i) return MD_ERR_UNKNOWN;
  md_bn_stage_mark(c->feed, i, &c->event, &m);
  return MD_OK;
}

/* The index of a pair by itself; `i` names the pair. */
static md_err_t
on_index_price(md_bn_context_t *c) {
  md_index_t index = MD_ABSENT(INDEX);
  if (!md_bn_dec128(c->s, 'p', &index.index_px)) return MD_ERR_SYNTAX;
  md_feed_instrument_t *i = md_bn_instrument(c);
  if (!i) return MD_ERR_UNKNOWN;
  memcpy(md_feed_stage(c->feed, i, MD_RECORD_INDEX, &c->event), &index, sizeof index);
  return MD_OK;
}

/* ---- liquidations ---- */

/* The venue sends at most the last one of each second of a symbol. */
static md_err_t
on_liquidation(md_bn_context_t *c) {
  md_liquidation_t l    = MD_ABSENT(LIQUIDATION);
  md_bn_slice_t    side = md_bn_value(c->s, 'S');
  if (md_bn_text_is(side, "BUY"))
    l.side = MD_SIDE_BUY;
  else if (md_bn_text_is(side, "SELL"))
    l.side = MD_SIDE_SELL;
  else
    return MD_ERR_SYNTAX;
  md_feed_instrument_t *i = md_bn_instrument(c);
  if (!i) return MD_ERR_UNKNOWN;
  const md_bn_decimal_t d[] = {{md_bn_value(c->s, 'p'), false, true, &l.px},
                               {md_bn_value(c->s, MD_BN_AP), false, true, &l.avg_px},
                               {md_bn_value(c->s, 'q'), true, false, &l.qty},
                               {md_bn_value(c->s, 'z'), true, true, &l.filled_qty},
                               {md_bn_value(c->s, 'l'), true, true, &l.last_qty}};
  md_err_t              err = md_bn_decimals(c->feed, i, d, MD_CNT(d));
  if (err) return err;
  if (l.qty < 0 || (l.px != MD_NULL_I64 && l.px < 0)) return MD_ERR_SYNTAX;
  l.ts_match_ns = md_bn_time(c->s, 'T', c->microseconds, &c->event.flags);
  md_bn_word(md_bn_value(c->s, 'o'), l.order_type);
  md_bn_word(md_bn_value(c->s, 'f'), l.time_in_force);
  md_bn_word(md_bn_value(c->s, 'X'), l.status);
  c->event.flags |= MD_FLAG_SAMPLED;
  memcpy(md_feed_stage(c->feed, i, MD_RECORD_LIQUIDATION, &c->event), &l, sizeof l);
  return MD_OK;
}

/* ---- messages ---- */

/* A part of a book (depth5, 10, 20) and a book of another kind (rpiDepth) have the fields of an
 * update, and no place in its chain: the stream's name tells them apart. */
static bool
is_whole_depth(md_bn_slice_t kind) {
  if (!kind.p || !MD_RULE(FUTURES_PARTIAL)) return true;
  return md_json_is(kind.p, kind.len, "depth") ||
         (kind.len > 6 && memcmp(kind.p, "depth@", 6) == 0);
}

/* A connection to several raw streams, one of which is no whole depth: nothing tells which of them
 * an update came from. */
static bool
is_mixed_raw(md_feed_t *f, const md_input_t *in) {
  static const char *const parts[] = {"@depth5", "@depth10", "@depth20", "@rpiDepth"};
  uint32_t                 len;
  const char              *url = md_feed_url(f, in, &len);
  for (size_t n = 0; url && n < MD_CNT(parts); n++)
    if (memmem(url, len, parts[n], strlen(parts[n]))) return true;
  return false;
}

typedef struct source {
  md_feed_t            *feed;
  const md_input_t     *in;
  const md_bn_market_t *market;
  md_bn_slice_t         stream; /* name in the message, p NULL if there is none */
  md_bn_slice_t         kind;   /* what its name says behind '@', p NULL if not known */
  bool                  is_row, microseconds;
} source_t;

static md_bn_event_fn
route(const source_t *src, const md_bn_fields_t *s) {
  static const struct {
    const char    *name;
    md_bn_event_fn fn;
  } events[]      = {{"trade", md_bn_on_trade},
                     {"aggTrade", md_bn_on_agg_trade},
                     {"bookTicker", md_bn_on_book_ticker},
                     {"markPriceUpdate", on_mark_price},
                     {"kline", md_bn_on_kline},
                     {"24hrTicker", md_bn_on_ticker},
                     {"forceOrder", on_liquidation},
                     {"indexPriceUpdate", on_index_price}};
  md_bn_slice_t e = md_bn_value(s, 'e');
  if (md_bn_text_is(e, "depthUpdate")) {
    bool is_known = is_whole_depth(src->kind) && (src->kind.p || !is_mixed_raw(src->feed, src->in));
    return is_known ? md_bn_on_depth_chained : NULL;
  }
  for (size_t n = 0; n < MD_CNT(events); n++)
    if (md_bn_text_is(e, events[n].name)) return events[n].fn;
  return NULL;
}

/* Rows of another family of contracts come in messages about all markets. */
static bool
is_of_market(const md_bn_fields_t *s, const md_bn_market_t *market) {
  uint64_t family;
  if (!MD_RULE(FUTURES_FAMILY) || !md_bn_has(s, MD_BN_ST)) return true;
  return md_bn_u64(s, MD_BN_ST, &family) && family == market->family;
}

/* The order of a liquidation is an object within the event. */
static md_err_t
run_liquidation(md_bn_context_t *c, const source_t *src, const md_bn_fields_t *s) {
  md_bn_fields_t order;
  uint16_t       flags = 0;
  md_json_t      j     = md_bn_cursor(md_bn_value(s, 'o'));
  int64_t        sent  = md_bn_time(s, 'E', src->microseconds, &flags);
  char           buffer[MD_SYMBOL_BYTES];
  md_bn_read_fields(&j, &order);
  if (md_json_finish(&j)) return MD_ERR_SYNTAX;
  if (!is_of_market(&order, src->market)) return MD_ERR_UNKNOWN;
  if (md_bn_text(md_bn_value(&order, 's'), buffer, MD_SYMBOL_BYTES - 1, &c->symbol, &c->symbol_len))
    return MD_ERR_UNKNOWN;
  c->s     = &order;
  c->event = (md_feed_event_t){.ts_exch_ns = sent, .flags = flags};
  return on_liquidation(c);
}

static md_err_t
run_index(md_bn_context_t *c, const md_bn_fields_t *s) {
  char buffer[MD_SYMBOL_BYTES];
  if (md_bn_text(md_bn_value(s, 'i'), buffer, MD_SYMBOL_BYTES - 1, &c->symbol, &c->symbol_len))
    return MD_ERR_UNKNOWN;
  c->s                = s;
  c->event.ts_exch_ns = md_bn_time(s, 'E', c->microseconds, &c->event.flags);
  return on_index_price(c);
}

static md_err_t
run_event(const source_t *src, const md_bn_fields_t *s) {
  md_bn_event_fn fn = route(src, s);
  if (!fn || !is_of_market(s, src->market)) return MD_ERR_UNKNOWN;
  md_bn_context_t c = {
      .feed = src->feed, .microseconds = src->microseconds, .known_only = src->is_row};
  if (fn == on_liquidation) return run_liquidation(&c, src, s);
  if (fn == on_index_price) return run_index(&c, s);
  return md_bn_run(&c, s, fn);
}

/* Each row stands for itself: one that cannot be used takes no other along. */
static md_err_t
run_rows(source_t *src, md_bn_slice_t rows) {
  md_json_t j = md_bn_cursor(rows);
  src->is_row = true;
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    md_bn_slice_t  row;
    md_bn_fields_t s;
    if (!md_json_slice(&j, &row.p, &row.len)) break;
    md_json_t one = md_bn_cursor(row);
    md_bn_read_fields(&one, &s);
    md_err_t err = md_json_finish(&one);
    if (!err) err = run_event(src, &s);
    if (err) md_feed_bad_message(src->feed, NULL, err);
  }
  return MD_OK;
}

static bool
is_notice(const md_bn_fields_t *s) {
  return md_bn_text_is(md_bn_value(s, 'e'), "serverShutdown");
}

/* A raw stream about all markets is an array without an envelope. */
static md_err_t
read_message(const md_input_t *in, md_bn_message_t *m) {
  md_json_t j;
  if (in->len == 0 || in->payload[0] != '[') return md_bn_read_message(in, m);
  *m = (md_bn_message_t){0};
  md_json_init(&j, in->payload, in->len);
  return md_json_slice(&j, &m->rows.p, &m->rows.len) ? md_json_finish(&j) : MD_ERR_SYNTAX;
}

static md_err_t
decode(md_feed_t *f, const md_input_t *in, const md_bn_market_t *market) {
  md_bn_message_t m;
  if (MD_UNLIKELY(in->kind == MD_RAW_HTTP)) return md_bn_futures_http(f, in, market);
  if (MD_LIKELY(md_bn_futures_fast(f, in, market))) return MD_OK;
  md_err_t err = read_message(in, &m);
  if (err) return md_bn_broken(f, &m, err);
  source_t src = {.feed         = f,
                  .in           = in,
                  .market       = market,
                  .stream       = m.stream,
                  .kind         = md_bn_stream_kind(f, in, m.stream),
                  .microseconds = md_feed_microseconds(f, in)};
  if (m.rows.p) return run_rows(&src, m.rows);
  if (m.is_reply && !m.is_error && m.event.seen == 0) return MD_OK;
  if (is_notice(&m.event)) return MD_OK;
  /* "!forceOrder@arr" sends one event at a time, about any symbol. */
  src.is_row = m.stream.p && m.stream.len > 0 && m.stream.p[0] == '!';
  return run_event(&src, &m.event);
}

static md_err_t
decode_usdm(md_feed_t *f, const md_input_t *in) {
  return decode(f, in, &md_bn_usdm);
}

static md_err_t
decode_coinm(md_feed_t *f, const md_input_t *in) {
  return decode(f, in, &md_bn_coinm);
}

/* ---- rows ---- */

const md_bn_market_t md_bn_usdm  = {.rest_root = "/fapi/v", .family = 1, .is_inverse = false};
const md_bn_market_t md_bn_coinm = {.rest_root = "/dapi/v", .family = 2, .is_inverse = true};

static const char *const usdm_hosts[]  = {"fstream.binance.com", "fapi.binance.com",
                                          "BINANCE_FUTURES-", "BINANCE_FUTURES.", NULL};
static const char *const coinm_hosts[] = {"dstream.binance.com", "dapi.binance.com",
                                          "BINANCE_DELIVERY-", "BINANCE_DELIVERY.", NULL};

const md_venue_t md_venue_binance_derivatives = {.name            = "binance_derivatives",
                                                 .exchange        = "binance",
                                                 .market_type     = "perpetual",
                                                 .hosts           = usdm_hosts,
                                                 .sync            = &md_sync_binance_futures,
                                                 .state_bytes     = sizeof(md_bn_futures_state_t),
                                                 .decode          = decode_usdm,
                                                 .peek            = md_bn_peek,
                                                 .define          = md_bn_define_usdm,
                                                 .net             = &md_bn_usdm_net,
                                                 .dense_trade_ids = true};

const md_venue_t md_venue_binance_coinm = {.name            = "binance_coinm",
                                           .exchange        = "binance",
                                           .market_type     = "perpetual",
                                           .hosts           = coinm_hosts,
                                           .sync            = &md_sync_binance_futures,
                                           .state_bytes     = sizeof(md_bn_futures_state_t),
                                           .decode          = decode_coinm,
                                           .peek            = md_bn_peek,
                                           .define          = md_bn_define_coinm,
                                           .net             = &md_bn_coinm_net,
                                           .dense_trade_ids = true};
