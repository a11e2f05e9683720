/* Binance spot and Binance US: combined and raw streams. Every message is read wholly before any of
 * it is applied. The shapes that make up nearly all messages have a path of their own
 * (binance_spot_fast.c); whatever differs from them by one byte comes here. */
#include "feeds/rule.h"
#include "feeds/venues/binance_fast.h"

#include <string.h>

static md_bn_event_fn
route(const md_bn_fields_t *s, md_bn_slice_t kind, bool *needs_nothing) {
  char        buffer[24];
  const char *e;
  uint32_t    len;
  *needs_nothing = false;
  if (md_bn_has(s, 'e')) {
    if (md_bn_text(md_bn_value(s, 'e'), buffer, sizeof buffer, &e, &len)) return NULL;
    if (md_json_is(e, len, "depthUpdate")) return md_bn_on_depth;
    if (md_json_is(e, len, "trade")) return md_bn_on_trade;
    if (md_json_is(e, len, "aggTrade")) return md_bn_on_agg_trade;
    if (md_json_is(e, len, "kline")) return md_bn_on_kline;
    if (md_json_is(e, len, "24hrTicker")) return md_bn_on_ticker;
    *needs_nothing = md_json_is(e, len, "serverShutdown");
    return NULL;
  }
  /* Only the stream's name tells these apart; partial books (depth5, 10, 20) are not used. */
  if (!MD_RULE(SPOT_ROUTE)) return md_bn_on_book_ticker;
  if (kind.p && md_json_is(kind.p, kind.len, "bookTicker")) return md_bn_on_book_ticker;
  return NULL;
}

static md_err_t
decode_general(md_feed_t *f, const md_input_t *in) {
  md_bn_message_t m;
  bool            needs_nothing;
  md_err_t        err = md_bn_read_message(in, &m);
  if (err) return md_bn_broken(f, &m, err);
  const md_bn_fields_t *s  = &m.event;
  md_bn_event_fn        fn = route(s, md_bn_stream_kind(f, in, m.stream), &needs_nothing);
  if (fn) {
    md_bn_context_t c = {.feed = f, .microseconds = md_feed_microseconds(f, in)};
    return md_bn_run(&c, s, fn);
  }
  bool is_answer = m.is_reply && !m.is_error && s->seen == 0;
  return is_answer || needs_nothing ? MD_OK : MD_ERR_UNKNOWN;
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
                                          .peek            = md_bn_peek,
                                          .define          = md_bn_define,
                                          .net             = &md_bn_net,
                                          .dense_trade_ids = true};

const md_venue_t md_venue_binance_us = {.name            = "binance_us",
                                        .exchange        = "binance_us",
                                        .market_type     = "spot",
                                        .hosts           = us_hosts,
                                        .sync            = &md_sync_binance_spot,
                                        .decode          = decode,
                                        .peek            = md_bn_peek,
                                        .define          = md_bn_define,
                                        .net             = &md_bn_us_net,
                                        .dense_trade_ids = true};
