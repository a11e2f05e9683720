/* Endpoints, streams and weights of Binance spot and Binance US. */
#include "feeds/venues/binance.h"

#define LIFE_NS (86400ll * 1000000000)

static const uint32_t limits[] = {5000, 1000, 500, 100, 0};

static uint32_t
stream_name(char *out, size_t bytes, const char *symbol, md_channel_t channel) {
  static const char *const kind[MD_CHANNEL_CNT] = {
      [MD_CHANNEL_DEPTH] = "depth@100ms", [MD_CHANNEL_TRADE] = "trade",
      [MD_CHANNEL_BBO] = "bookTicker",    [MD_CHANNEL_AGG_TRADE] = "aggTrade",
      [MD_CHANNEL_KLINE] = "kline_1m",    [MD_CHANNEL_TICKER] = "ticker"};
  return kind[channel] ? md_bn_stream(out, bytes, symbol, kind[channel]) : 0;
}

static uint32_t
snapshot_url(char *out, size_t bytes, const char *base, const char *symbol, uint32_t limit) {
  char name[3 * MD_SYMBOL_BYTES];
  if (!md_bn_encode(name, sizeof name, symbol)) return 0;
  return md_bn_format(out, bytes, "%s/api/v3/depth?symbol=%s&limit=%u", base, name, limit);
}

static uint32_t
snapshot_weight(uint32_t limit) {
  return limit <= 100 ? 5 : limit <= 500 ? 25 : limit <= 1000 ? 50 : 250;
}

static uint32_t
list_url(char *out, size_t bytes, const char *base) {
  return md_bn_format(out, bytes, "%s/api/v3/exchangeInfo", base);
}

#define BINANCE_NET(ws, rest)                                                                      \
  {                                                                                                \
    .ws_url = (ws), .rest_url = (rest), .streams_max = 1024, .messages_per_s = 4,                  \
    .connects_per_5min = 280, .life_ns = LIFE_NS, .snapshot_limits = limits, .list_weight = 20,    \
    .stream_name = stream_name, .connect_url = md_bn_connect_url, .subscribe = md_bn_subscribe,    \
    .frame = md_bn_frame, .snapshot_url = snapshot_url, .snapshot_weight = snapshot_weight,        \
    .list_url = list_url, .list = md_bn_list                                                       \
  }

const md_venue_net_t md_bn_net =
    BINANCE_NET("wss://stream.binance.com:9443", "https://api.binance.com");
const md_venue_net_t md_bn_us_net =
    BINANCE_NET("wss://stream.binance.us:9443", "https://api.binance.us");
