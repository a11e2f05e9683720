/* Endpoints, streams, control messages and lists of OKX. A stream is named CHANNEL:INSTRUMENT here;
 * the venue itself writes both as fields of an object. */
#include "feeds/venues/okx.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LIFE_NS     (365ll * 86400 * 1000000000) /* it names no limit; a notice comes before an end */
#define SNAPSHOT_NS (10ll * 1000000000)
#define PING_NS     (20ll * 1000000000) /* it closes after 30 s of silence */
#define PACE_NS     (350ll * 1000000)   /* 3 connects a second */
#define BEAT_NS     (60ll * 1000000000)
#define RATIO_NS    (300ll * 1000000000)
#define LIST_NS     (3600ll * 1000000000)
#define NAME_BYTES  64u

static const uint32_t limits[] = {400, 0};

static uint32_t format(char *out, size_t bytes, const char *text, ...) MD_PRINTF(3, 4);

static uint32_t
format(char *out, size_t bytes, const char *text, ...) {
  va_list args;
  va_start(args, text);
  int len = vsnprintf(out, bytes, text, args);
  va_end(args);
  return len > 0 && (size_t)len < bytes ? (uint32_t)len : 0;
}

/* ---- streams ---- */

/* "SWAP", "FUTURES", "OPTION" or "SPOT", by the name. */
static const char *
type_of(const char *symbol) {
  md_definition_t d;
  md_feed_definition_init(&d, symbol, (uint32_t)strnlen(symbol, MD_SYMBOL_BYTES - 1));
  md_okx_define(d.symbol, (uint32_t)strlen(d.symbol), &d);
  return d.kind == MD_KIND_PERPETUAL ? "SWAP"
         : d.kind == MD_KIND_FUTURE  ? "FUTURES"
         : d.kind == MD_KIND_OPTION  ? "OPTION"
                                     : "SPOT";
}

static bool
is_swap(const char *symbol) {
  return strcmp(type_of(symbol), "SWAP") == 0;
}

static const char *const channels[MD_CHANNEL_CNT] = {
    [MD_CHANNEL_DEPTH] = "books", [MD_CHANNEL_TRADE] = "trades",   [MD_CHANNEL_FILL] = "trades-all",
    [MD_CHANNEL_BBO] = "bbo-tbt", [MD_CHANNEL_KLINE] = "candle1m", [MD_CHANNEL_TICKER] = "tickers"};

static uint32_t
spot_stream(char *out, size_t bytes, const char *symbol, md_channel_t channel) {
  return channels[channel] ? format(out, bytes, "%s:%s", channels[channel], symbol) : 0;
}

/* Liquidations come by type and indices by pair: one stream serves several symbols, and the first
 * of them asks for it. */
static uint32_t
derivatives_stream(char *out, size_t bytes, const char *symbol, md_channel_t channel) {
  if (channels[channel]) return format(out, bytes, "%s:%s", channels[channel], symbol);
  if (channel == MD_CHANNEL_MARK) return format(out, bytes, "mark-price:%s", symbol);
  if (channel == MD_CHANNEL_OPEN_INTEREST) return format(out, bytes, "open-interest:%s", symbol);
  if (channel == MD_CHANNEL_LIQUIDATION)
    return format(out, bytes, "liquidation-orders:%s", type_of(symbol));
  if (!is_swap(symbol)) return 0;
  if (channel == MD_CHANNEL_FUNDING) return format(out, bytes, "funding-rate:%s", symbol);
  if (channel == MD_CHANNEL_INDEX)
    return format(out, bytes, "index-tickers:%.*s", (int)(strlen(symbol) - 5), symbol);
  return 0;
}

static const char *
path(md_channel_t channel) {
  return channel == MD_CHANNEL_KLINE || channel == MD_CHANNEL_FILL ? "/business" : "/public";
}

/* Everything is subscribed by message. */
static uint32_t
connect_url(char *out, size_t bytes, const char *base, const char *const *streams, uint32_t cnt,
            uint32_t *taken) {
  (void)streams;
  (void)cnt;
  *taken = 0;
  return format(out, bytes, "%s", base);
}

static uint32_t
subscribe(char *out, size_t bytes, bool on, const char *const *streams, uint32_t cnt, uint64_t id) {
  uint32_t used = format(out, bytes, "{\"id\":\"%llu\",\"op\":\"%s\",\"args\":[",
                         (unsigned long long)id, on ? "subscribe" : "unsubscribe");
  for (uint32_t n = 0; used && n < cnt; n++) {
    const char *colon = strchr(streams[n], ':');
    md_assert(colon != NULL);
    int      channel_len = (int)(colon - streams[n]);
    bool     is_by_type  = strncmp(streams[n], "liquidation-orders", (size_t)channel_len) == 0;
    uint32_t add =
        format(out + used, bytes - used, "%s{\"channel\":\"%.*s\",\"%s\":\"%s\"}", n ? "," : "",
               channel_len, streams[n], is_by_type ? "instType" : "instId", colon + 1);
    used = add ? used + add : 0;
  }
  uint32_t end = used ? format(out + used, bytes - used, "]}") : 0;
  return end ? used + end : 0;
}

/* ---- what comes ---- */

static bool
has(const uint8_t *p, uint32_t len, const char *text) {
  return memmem(p, len, text, strlen(text)) != NULL;
}

/* The text behind `"key":"`, or behind `key:` in a text for people, up to what ends it. */
static md_okx_slice_t
value_of(const uint8_t *p, uint32_t len, const char *key, const char *end) {
  const uint8_t *at = memmem(p, len, key, strlen(key));
  md_okx_slice_t v  = {at ? at + strlen(key) : NULL, 0};
  while (v.p && v.p + v.len < p + len && v.len < NAME_BYTES && !strchr(end, v.p[v.len]))
    v.len++;
  return v;
}

/* Names are made here, in memory of the thread, until the next call. */
static bool
name_stream(md_okx_slice_t channel, md_okx_slice_t symbol, const char **stream,
            uint32_t *stream_len) {
  static _Thread_local char name[2 * NAME_BYTES + 2];
  if (!channel.p || !symbol.p) return false;
  *stream_len = format(name, sizeof name, "%.*s:%.*s", (int)channel.len, (const char *)channel.p,
                       (int)symbol.len, (const char *)symbol.p);
  *stream     = name;
  return *stream_len > 0;
}

/* An error names its stream, when it is one, in a text: "channel:books,instId:X doesn't exist". */
static md_frame_kind_t
error_frame(const uint8_t *p, uint32_t len, const char **stream, uint32_t *stream_len) {
  *stream_len = 0;
  (void)name_stream(value_of(p, len, "channel:", ", \""), value_of(p, len, "instId:", ", \""),
                    stream, stream_len);
  return MD_FRAME_REFUSED;
}

static md_frame_kind_t
frame(const uint8_t *p, uint32_t len, const char **stream, uint32_t *stream_len) {
  const uint32_t head = len < 256 ? len : 256;
  if (has(p, head, "\"event\":\"")) {
    if (has(p, len, "\"64008\"")) return MD_FRAME_SHUTDOWN;
    bool is_error = has(p, head, "\"event\":\"error\"") || has(p, head, "-count-error\"");
    return is_error ? error_frame(p, len, stream, stream_len) : MD_FRAME_OTHER;
  }
  md_okx_slice_t symbol = value_of(p, head, "\"instId\":\"", "\"");
  const uint8_t *data   = memmem(p, head, "\"data\"", 6);
  if (symbol.p && data && symbol.p > data) symbol.p = NULL; /* of the data, not of the argument */
  if (!symbol.p) symbol = value_of(p, head, "\"instType\":\"", "\"");
  if (!name_stream(value_of(p, head, "\"channel\":\"", "\""), symbol, stream, stream_len))
    return MD_FRAME_OTHER;
  return has(p, head, "\"action\":\"snapshot\"") ? MD_FRAME_SNAPSHOT : MD_FRAME_DATA;
}

/* ---- by REST ---- */

static uint32_t
snapshot_url(char *out, size_t bytes, const char *base, const char *symbol, uint32_t limit) {
  return format(out, bytes, "%s/api/v5/market/books?instId=%s&sz=%u", base, symbol, limit);
}

static uint32_t
snapshot_weight(uint32_t limit) {
  (void)limit;
  return 1;
}

#define INSTRUMENTS "%s/api/v5/public/instruments?instType="

static uint32_t
spot_list_url(char *out, size_t bytes, const char *base) {
  return format(out, bytes, INSTRUMENTS "SPOT", base);
}

static uint32_t
swap_list_url(char *out, size_t bytes, const char *base) {
  return format(out, bytes, INSTRUMENTS "SWAP", base);
}

static md_err_t
list(const uint8_t *p, uint32_t len, md_listing_fn fn, void *ctx) {
  md_okx_slice_t data    = {0}, row;
  md_okx_key_t   outer[] = {{"data", &data}};
  md_json_t      j;
  md_json_init(&j, p, len);
  md_okx_object(&j, outer, MD_CNT(outer));
  md_err_t err = md_json_finish(&j);
  if (err) return err;
  if (!data.p || data.p[0] != '[') return MD_ERR_UNKNOWN;
  j = md_okx_cursor(data);
  md_json_array_begin(&j);
  while (md_json_element(&j) && md_json_slice(&j, &row.p, &row.len)) {
    md_okx_slice_t symbol = {0}, state = {0};
    md_okx_key_t   keys[] = {{"instId", &symbol}, {"state", &state}};
    const char    *name;
    uint32_t       name_len;
    if (md_okx_read(row, keys, MD_CNT(keys)) == MD_OK &&
        md_okx_text(symbol, MD_SYMBOL_BYTES - 1, &name, &name_len))
      fn(ctx, name, name_len, md_okx_is(state, "live"));
  }
  return md_json_finish(&j);
}

/* ---- polls: long/short ratios of perpetuals, and what the list above does not tell ---- */

static uint32_t
ratio_url(char *out, size_t bytes, const char *base, const char *symbol, const char *what) {
  if (!is_swap(symbol)) return 0;
  return format(out, bytes,
                "%s/api/v5/rubik/stat/contracts/long-short-%s?instId=%s&period=5m&limit=1", base,
                what, symbol);
}

static uint32_t
all_accounts_url(char *out, size_t bytes, const char *base, const char *symbol) {
  return ratio_url(out, bytes, base, symbol, "account-ratio-contract");
}

static uint32_t
top_accounts_url(char *out, size_t bytes, const char *base, const char *symbol) {
  return ratio_url(out, bytes, base, symbol, "account-ratio-contract-top-trader");
}

static uint32_t
top_positions_url(char *out, size_t bytes, const char *base, const char *symbol) {
  return ratio_url(out, bytes, base, symbol, "position-ratio-contract-top-trader");
}

static uint32_t
futures_url(char *out, size_t bytes, const char *base, const char *symbol) {
  (void)symbol;
  return format(out, bytes, INSTRUMENTS "FUTURES", base);
}

/* Options are listed by family, thousands of rows: each asks for itself alone. */
static uint32_t
option_url(char *out, size_t bytes, const char *base, const char *symbol) {
  if (strcmp(type_of(symbol), "OPTION") != 0) return 0;
  const char *dash = strchr(strchr(symbol, '-') + 1, '-');
  return format(out, bytes, INSTRUMENTS "OPTION&instFamily=%.*s&instId=%s", base,
                (int)(dash - symbol), symbol, symbol);
}

#define RATIO_POLL(fn)                                                                             \
  { .channel = MD_CHANNEL_LONG_SHORT_RATIO, .weight = 1, .every_ns = RATIO_NS, .url = (fn) }

static const md_venue_poll_t polls[] = {
    RATIO_POLL(all_accounts_url),
    RATIO_POLL(top_accounts_url),
    RATIO_POLL(top_positions_url),
    {.channel      = MD_CHANNEL_DEPTH,
     .is_about_all = true,
     .weight       = 5,
     .every_ns     = LIST_NS,
     .url          = futures_url},
    {.channel = MD_CHANNEL_DEPTH, .weight = 5, .every_ns = LIST_NS, .url = option_url},
};

/* ---- rows ---- */

#define OKX_NET                                                                                    \
  .ws_url = "wss://ws.okx.com:8443/ws/v5", .rest_url = "https://www.okx.com", .streams_max = 90,   \
  .messages_per_s = 3, .messages_per_hour = 480, .connects_per_5min = 280,                         \
  .connect_pace_ns = PACE_NS, .life_ns = LIFE_NS, .snapshot_limits = limits, .list_weight = 5,     \
  .weight_per_min = 600, .path = path, .connect_url = connect_url, .subscribe = subscribe,         \
  .frame = frame, .snapshot_url = snapshot_url, .snapshot_weight = snapshot_weight, .list = list,  \
  .snapshot_ns = SNAPSHOT_NS, .is_sparse = true, .book_beat_ns = BEAT_NS, .keepalive = "ping",     \
  .keepalive_ns = PING_NS

const md_venue_net_t md_okx_spot_net = {OKX_NET, .stream_name = spot_stream,
                                        .list_url = spot_list_url};

const md_venue_net_t md_okx_derivatives_net = {OKX_NET, .stream_name = derivatives_stream,
                                               .list_url = swap_list_url, .polls = polls,
                                               .poll_cnt = MD_CNT(polls)};
