/* Endpoints, streams, polls and weights of Binance USD-M and COIN-M futures. */
#include "feeds/venues/binance_futures.h"

#define LIFE_NS        (86400ll * 1000000000)
#define RATIO_PERIOD   "5m"
#define RATIO_EVERY_NS (300ll * 1000000000)

/* Ratios count 0 weight, but have a limit of their own: 1000 in five minutes. With this weight the
 * polls' part of the budget stays below it. Rows that an answer repeats are dropped, so it may hold
 * more than one. */
#define RATIO_WEIGHT 3
#define RATIO_ROWS   3

static const uint32_t limits[] = {1000, 500, 100, 50, 0};

/* ---- streams ---- */

static uint32_t
stream_name(char *out, size_t bytes, const char *symbol, md_channel_t channel) {
  static const char *const kind[MD_CHANNEL_CNT] = {
      [MD_CHANNEL_DEPTH] = "depth@100ms",    [MD_CHANNEL_TRADE] = "trade",
      [MD_CHANNEL_BBO] = "bookTicker",       [MD_CHANNEL_AGG_TRADE] = "aggTrade",
      [MD_CHANNEL_KLINE] = "kline_1m",       [MD_CHANNEL_TICKER] = "ticker",
      [MD_CHANNEL_MARK] = "markPrice@1s",    [MD_CHANNEL_INDEX] = "markPrice@1s",
      [MD_CHANNEL_FUNDING] = "markPrice@1s", [MD_CHANNEL_LIQUIDATION] = "forceOrder"};
  return kind[channel] ? md_bn_stream(out, bytes, symbol, kind[channel]) : 0;
}

/* A stream on the wrong path is accepted and gives nothing. */
static const char *
usdm_path(md_channel_t channel) {
  bool is_public =
      channel == MD_CHANNEL_DEPTH || channel == MD_CHANNEL_BBO || channel == MD_CHANNEL_TRADE;
  return is_public ? "/public" : "/market";
}

/* ---- REST ---- */

static uint32_t
snapshot_weight(uint32_t limit) {
  return limit <= 50 ? 2 : limit <= 100 ? 5 : limit <= 500 ? 10 : 20;
}

static uint32_t
snapshot_at(char *out, size_t bytes, const char *base, const char *path, const char *symbol,
            uint32_t limit) {
  char name[3 * MD_SYMBOL_BYTES];
  if (!md_bn_encode(name, sizeof name, symbol)) return 0;
  return md_bn_format(out, bytes, "%s/%s/v1/depth?symbol=%s&limit=%u", base, path, name, limit);
}

static uint32_t
usdm_snapshot_url(char *out, size_t bytes, const char *base, const char *symbol, uint32_t limit) {
  return snapshot_at(out, bytes, base, "fapi", symbol, limit);
}

static uint32_t
coinm_snapshot_url(char *out, size_t bytes, const char *base, const char *symbol, uint32_t limit) {
  return snapshot_at(out, bytes, base, "dapi", symbol, limit);
}

static uint32_t
usdm_list_url(char *out, size_t bytes, const char *base) {
  return md_bn_format(out, bytes, "%s/fapi/v1/exchangeInfo", base);
}

static uint32_t
coinm_list_url(char *out, size_t bytes, const char *base) {
  return md_bn_format(out, bytes, "%s/dapi/v1/exchangeInfo", base);
}

/* ---- polls ---- */

static uint32_t
interest_at(char *out, size_t bytes, const char *base, const char *path, const char *symbol) {
  char name[3 * MD_SYMBOL_BYTES];
  if (!md_bn_encode(name, sizeof name, symbol)) return 0;
  return md_bn_format(out, bytes, "%s/%s/v1/openInterest?symbol=%s", base, path, name);
}

static uint32_t
usdm_interest_url(char *out, size_t bytes, const char *base, const char *symbol) {
  return interest_at(out, bytes, base, "fapi", symbol);
}

static uint32_t
coinm_interest_url(char *out, size_t bytes, const char *base, const char *symbol) {
  return interest_at(out, bytes, base, "dapi", symbol);
}

static uint32_t
usdm_funding_url(char *out, size_t bytes, const char *base, const char *symbol) {
  (void)symbol;
  return md_bn_format(out, bytes, "%s/fapi/v1/fundingInfo", base);
}

static uint32_t
coinm_funding_url(char *out, size_t bytes, const char *base, const char *symbol) {
  (void)symbol;
  return md_bn_format(out, bytes, "%s/dapi/v1/fundingInfo", base);
}

/* USD-M has ratios of perpetuals by symbol, COIN-M by pair. */
static uint32_t
usdm_ratio_url(char *out, size_t bytes, const char *base, const char *symbol, const char *what) {
  char name[3 * MD_SYMBOL_BYTES];
  if (strchr(symbol, '_') || !md_bn_encode(name, sizeof name, symbol)) return 0;
  return md_bn_format(out, bytes, "%s/futures/data/%s?symbol=%s&period=" RATIO_PERIOD "&limit=%u",
                      base, what, name, RATIO_ROWS);
}

static uint32_t
coinm_ratio_url(char *out, size_t bytes, const char *base, const char *symbol, const char *what) {
  const char *tail = strstr(symbol, "_PERP");
  if (!tail || tail[5] != 0) return 0;
  return md_bn_format(out, bytes, "%s/futures/data/%s?pair=%.*s&period=" RATIO_PERIOD "&limit=%u",
                      base, what, (int)(tail - symbol), symbol, RATIO_ROWS);
}

#define RATIO_URLS(market)                                                                         \
  static uint32_t market##_top_position_url(char *out, size_t bytes, const char *base,             \
                                            const char *symbol) {                                  \
    return market##_ratio_url(out, bytes, base, symbol, "topLongShortPositionRatio");              \
  }                                                                                                \
  static uint32_t market##_top_account_url(char *out, size_t bytes, const char *base,              \
                                           const char *symbol) {                                   \
    return market##_ratio_url(out, bytes, base, symbol, "topLongShortAccountRatio");               \
  }                                                                                                \
  static uint32_t market##_all_account_url(char *out, size_t bytes, const char *base,              \
                                           const char *symbol) {                                   \
    return market##_ratio_url(out, bytes, base, symbol, "globalLongShortAccountRatio");            \
  }

RATIO_URLS(usdm)
RATIO_URLS(coinm)

#define RATIO_POLL(fn)                                                                             \
  {                                                                                                \
    .channel = MD_CHANNEL_LONG_SHORT_RATIO, .weight = RATIO_WEIGHT, .every_ns = RATIO_EVERY_NS,    \
    .url = (fn)                                                                                    \
  }

#define POLLS(market)                                                                              \
  {                                                                                                \
    {.channel = MD_CHANNEL_OPEN_INTEREST, .weight = 1, .url = market##_interest_url},              \
        RATIO_POLL(market##_top_position_url), RATIO_POLL(market##_top_account_url),               \
        RATIO_POLL(market##_all_account_url), {                                                    \
      .channel = MD_CHANNEL_FUNDING, .is_about_all = true, .weight = 1,                            \
      .every_ns = 12 * RATIO_EVERY_NS, .url = market##_funding_url                                 \
    }                                                                                              \
  }

static const md_venue_poll_t usdm_polls[]  = POLLS(usdm);
static const md_venue_poll_t coinm_polls[] = POLLS(coinm);

/* ---- rows ---- */

const md_venue_net_t md_bn_usdm_net = {.ws_url            = "wss://fstream.binance.com",
                                       .rest_url          = "https://fapi.binance.com",
                                       .streams_max       = 1024,
                                       .messages_per_s    = 8,
                                       .connects_per_5min = 280,
                                       .life_ns           = LIFE_NS,
                                       .snapshot_limits   = limits,
                                       .list_weight       = 1,
                                       .weight_per_min    = 2400,
                                       .polls             = usdm_polls,
                                       .poll_cnt          = MD_CNT(usdm_polls),
                                       .path              = usdm_path,
                                       .stream_name       = stream_name,
                                       .connect_url       = md_bn_connect_url,
                                       .subscribe         = md_bn_subscribe,
                                       .frame             = md_bn_frame,
                                       .snapshot_url      = usdm_snapshot_url,
                                       .snapshot_weight   = snapshot_weight,
                                       .list_url          = usdm_list_url,
                                       .list              = md_bn_list};

const md_venue_net_t md_bn_coinm_net = {.ws_url            = "wss://dstream.binance.com",
                                        .rest_url          = "https://dapi.binance.com",
                                        .streams_max       = 1024,
                                        .messages_per_s    = 8,
                                        .connects_per_5min = 280,
                                        .life_ns           = LIFE_NS,
                                        .snapshot_limits   = limits,
                                        .list_weight       = 1,
                                        .weight_per_min    = 2400,
                                        .polls             = coinm_polls,
                                        .poll_cnt          = MD_CNT(coinm_polls),
                                        .stream_name       = stream_name,
                                        .connect_url       = md_bn_connect_url,
                                        .subscribe         = md_bn_subscribe,
                                        .frame             = md_bn_frame,
                                        .snapshot_url      = coinm_snapshot_url,
                                        .snapshot_weight   = snapshot_weight,
                                        .list_url          = coinm_list_url,
                                        .list              = md_bn_list};
