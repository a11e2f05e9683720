/* Endpoints, stream names, control messages and weights of Binance spot. */
#include "feeds/venues/binance_spot.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define STREAM_BYTES 64u
#define LIFE_NS      (86400ll * 1000000000)

static const uint32_t limits[] = {5000, 1000, 500, 100, 0};

static uint32_t format(char *out, size_t bytes, const char *text, ...) MD_PRINTF(3, 4);

static uint32_t
format(char *out, size_t bytes, const char *text, ...) {
  va_list args;
  va_start(args, text);
  int len = vsnprintf(out, bytes, text, args);
  va_end(args);
  return len > 0 && (size_t)len < bytes ? (uint32_t)len : 0;
}

static uint32_t
stream_name(char *out, size_t bytes, const char *symbol, md_channel_t channel) {
  static const char *const behind[MD_CHANNEL_CNT] = {[MD_CHANNEL_DEPTH]     = "depth@100ms",
                                                     [MD_CHANNEL_TRADE]     = "trade",
                                                     [MD_CHANNEL_BBO]       = "bookTicker",
                                                     [MD_CHANNEL_AGG_TRADE] = "aggTrade",
                                                     [MD_CHANNEL_KLINE]     = "kline_1m"};
  uint32_t                 len = format(out, bytes, "%s@%s", symbol, behind[channel]);
  for (uint32_t n = 0; n < len && out[n] != '@'; n++)
    if (out[n] >= 'A' && out[n] <= 'Z') out[n] = (char)(out[n] + ('a' - 'A'));
  return len;
}

/* Symbols may hold letters of any script: in a URL these are written as bytes in hex. */
static uint32_t
encode(char *out, size_t bytes, const char *text) {
  static const char hex[] = "0123456789ABCDEF";
  size_t            used  = 0;
  for (const char *p = text; *p; p++) {
    unsigned char c = (unsigned char)*p;
    if (used + 4 > bytes) return 0;
    if (c > ' ' && c < 0x7f && !strchr("\"%&#+?/", c)) {
      out[used++] = *p;
    } else {
      out[used++] = '%';
      out[used++] = hex[c >> 4];
      out[used++] = hex[c & 15];
    }
  }
  out[used] = 0;
  return (uint32_t)used;
}

static uint32_t
connect_url(char *out, size_t bytes, const char *base, const char *const *streams, uint32_t cnt,
            uint32_t *taken) {
  uint32_t used = format(out, bytes, "%s/stream", base);
  *taken        = 0;
  for (uint32_t n = 0; used && n < cnt; n++) {
    char     name[3 * STREAM_BYTES];
    uint32_t len = encode(name, sizeof name, streams[n]);
    uint32_t add = len ? format(out + used, bytes - used, "%s%s", n ? "/" : "?streams=", name) : 0;
    if (!add) {
      out[used] = 0;
      break;
    }
    used += add;
    *taken = n + 1;
  }
  return used;
}

static uint32_t
subscribe(char *out, size_t bytes, bool on, const char *const *streams, uint32_t cnt, uint64_t id) {
  uint32_t used =
      format(out, bytes, "{\"method\":\"%s\",\"params\":[", on ? "SUBSCRIBE" : "UNSUBSCRIBE");
  for (uint32_t n = 0; used && n < cnt; n++) {
    uint32_t add = format(out + used, bytes - used, "%s\"%s\"", n ? "," : "", streams[n]);
    used         = add ? used + add : 0;
  }
  uint32_t end =
      used ? format(out + used, bytes - used, "],\"id\":%llu}", (unsigned long long)id) : 0;
  return end ? used + end : 0;
}

static md_frame_kind_t
frame(const uint8_t *p, uint32_t len, const char **stream, uint32_t *stream_len) {
  static const char head[] = "{\"stream\":\"", notice[] = "serverShutdown";
  const uint32_t    n = sizeof head - 1;
  if (len > n && memcmp(p, head, n) == 0) {
    const uint8_t *end = memchr(p + n, '"', len - n < 128 ? len - n : 128);
    if (!end) return MD_FRAME_OTHER;
    *stream     = (const char *)p + n;
    *stream_len = (uint32_t)(end - p - n);
    return p[n] == '!' && memmem(p, len, notice, sizeof notice - 1) ? MD_FRAME_SHUTDOWN
                                                                    : MD_FRAME_DATA;
  }
  return len < 256 && memmem(p, len, notice, sizeof notice - 1) ? MD_FRAME_SHUTDOWN
                                                                : MD_FRAME_OTHER;
}

static uint32_t
snapshot_url(char *out, size_t bytes, const char *base, const char *symbol, uint32_t limit) {
  char name[3 * MD_SYMBOL_BYTES];
  if (!encode(name, sizeof name, symbol)) return 0;
  return format(out, bytes, "%s/api/v3/depth?symbol=%s&limit=%u", base, name, limit);
}

static uint32_t
snapshot_weight(uint32_t limit) {
  return limit <= 100 ? 5 : limit <= 500 ? 25 : limit <= 1000 ? 50 : 250;
}

static uint32_t
list_url(char *out, size_t bytes, const char *base) {
  return format(out, bytes, "%s/api/v3/exchangeInfo", base);
}

/* The same walk as the venue's own reader of exchangeInfo, of names and states only. */
static void
list_one(md_json_t *j, md_listing_fn fn, void *ctx) {
  char           buffer[MD_SYMBOL_BYTES], state[MD_ASSET_BYTES];
  md_bn_slice_t  symbol = {0}, status = {0};
  const uint8_t *key;
  const char    *name, *word;
  uint32_t       key_len, name_len, word_len;
  bool           is_trading = true;
  md_json_object_begin(j);
  while (md_json_key(j, &key, &key_len)) {
    if (md_json_is(key, key_len, "symbol"))
      md_json_slice(j, &symbol.p, &symbol.len);
    else if (md_json_is(key, key_len, "status"))
      md_json_slice(j, &status.p, &status.len);
    else
      md_json_skip(j);
  }
  if (md_json_finish(j) || !symbol.p ||
      md_bn_text(symbol, buffer, MD_SYMBOL_BYTES - 1, &name, &name_len))
    return;
  if (status.p && !md_bn_text(status, state, MD_ASSET_BYTES - 1, &word, &word_len))
    is_trading = md_json_is((const uint8_t *)word, word_len, "TRADING");
  fn(ctx, name, name_len, is_trading);
}

static md_err_t
list(const uint8_t *p, uint32_t len, md_listing_fn fn, void *ctx) {
  md_bn_slice_t  symbols = {0};
  const uint8_t *key;
  uint32_t       key_len;
  md_json_t      j;
  md_json_init(&j, p, len);
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
  j = md_bn_cursor(symbols);
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    md_bn_slice_t row;
    if (!md_json_slice(&j, &row.p, &row.len)) break;
    md_json_t one = md_bn_cursor(row);
    list_one(&one, fn, ctx);
  }
  return MD_OK;
}

#define BINANCE_NET(ws, rest)                                                                      \
  {                                                                                                \
    .ws_url = (ws), .rest_url = (rest), .streams_max = 1024, .messages_per_s = 4,                  \
    .connects_per_5min = 280, .life_ns = LIFE_NS, .snapshot_limits = limits, .list_weight = 20,    \
    .stream_name = stream_name, .connect_url = connect_url, .subscribe = subscribe,                \
    .frame = frame, .snapshot_url = snapshot_url, .snapshot_weight = snapshot_weight,              \
    .list_url = list_url, .list = list                                                             \
  }

const md_venue_net_t md_bn_net =
    BINANCE_NET("wss://stream.binance.com:9443", "https://api.binance.com");
const md_venue_net_t md_bn_us_net =
    BINANCE_NET("wss://stream.binance.us:9443", "https://api.binance.us");
