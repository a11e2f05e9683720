/* test_binance_futures_net - how the Binance futures markets are spoken to: streams, paths,
 * messages, URLs, weights, polls. */
#include "feeds/live_parts.h"
#include "tests/unit/live_fixture.h"

static const md_venue_net_t *
net_of(const char *venue) {
  return md_venue_find(venue)->net;
}

#define ALL                                                                                        \
  "depth, trade, bbo, agg_trade, kline, ticker, mark, index, funding, liquidation, "               \
  "open_interest, long_short_ratio"

/* The fake transport remembers the last URL only. */
static char urls[2][4096];

static void
connect_both(const char *venue, const char *channels) {
  setup_venue(venue, "BTCUSDT ETHUSDT", channels);
  (void)step(0);
  memcpy(urls[0], fake.url, sizeof urls[0]);
  (void)step(100 * MS);
  memcpy(urls[1], fake.url, sizeof urls[1]);
}

Test(binance_futures_net, defect_15_book_and_market_streams_stand_on_paths_of_their_own) {
  connect_both("binance_derivatives", ALL);
  cr_assert_eq(fake.connect_cnt, 2);
  cr_assert_str_eq(urls[0], "wss://fstream.binance.com/public/stream?streams="
                            "btcusdt@depth@100ms/btcusdt@trade/btcusdt@bookTicker/"
                            "ethusdt@depth@100ms/ethusdt@trade/ethusdt@bookTicker");
  cr_assert_str_eq(urls[1],
                   "wss://fstream.binance.com/market/stream?streams="
                   "btcusdt@aggTrade/btcusdt@kline_1m/btcusdt@ticker/"
                   "btcusdt@markPrice@1s/btcusdt@forceOrder/"
                   "ethusdt@aggTrade/ethusdt@kline_1m/ethusdt@ticker/"
                   "ethusdt@markPrice@1s/ethusdt@forceOrder",
                   "mark, index and funding are one stream");
  teardown();
}

Test(binance_futures_net, coinm_has_one_path) {
  setup_venue("binance_coinm", "BTCUSD_PERP BTCUSD_261225", "depth, funding, mark");
  (void)step(0);
  (void)step(100 * MS);
  cr_assert_eq(fake.connect_cnt, 1);
  cr_assert_str_eq(fake.url, "wss://dstream.binance.com/stream?streams=btcusd_perp@depth@100ms/"
                             "btcusd_perp@markPrice@1s/btcusd_261225@depth@100ms/"
                             "btcusd_261225@markPrice@1s");
  teardown();
}

Test(binance_futures_net, many_symbols_fill_the_connections_of_each_path) {
  static char symbols[8192];
  size_t      used = 0;
  for (unsigned n = 0; n < 400; n++)
    used += (size_t)snprintf(symbols + used, sizeof symbols - used, "S%03uUSDT ", n);
  setup_venue("binance_derivatives", symbols, "depth, bbo, agg_trade");
  for (int n = 0; n < 20; n++)
    (void)step(100 * MS);
  cr_assert_eq(fake.connect_cnt, 5, "800 streams of 300 a connection, and 400");
  for (uint32_t n = 0; n < 5; n++)
    happen(MD_TRANSPORT_OPEN, n, "");
  for (int n = 0; n < 40; n++)
    (void)step(100 * MS);
  cr_assert_neq(strstr(fake.sent, "{\"method\":\"SUBSCRIBE\",\"params\":[\"s"), NULL);
  for (uint32_t n = 0; n < live->link_cnt; n++)
    for (uint32_t k = 0; k < live->link[n].stream_cnt; k++) {
      const char *name      = live->stream[live->link[n].stream[k]].name;
      bool        is_market = strcmp(live->link[n].path, "/market") == 0;
      cr_assert_eq(strstr(name, "@aggTrade") != NULL, is_market, "%s", name);
    }
  teardown();
}

Test(binance_futures_net, case_21_an_ack_is_no_data_and_a_stream_without_any_is_told) {
  setup_venue("binance_derivatives", "BTCUSDT ETHUSDT", "depth");
  (void)step(0);
  happen(MD_TRANSPORT_OPEN, 0, "");
  (void)step(10 * MS);
  unsigned id = 0;
  for (int s = 0; s < 40; s++) {
    happen(MD_TRANSPORT_TEXT, 0, "{\"result\":null,\"id\":1}");
    data(0, "ethusdt@depth@100ms", ++id);
    (void)step(1 * S);
  }
  cr_assert_eq(metrics.counter[MD_COUNTER_SILENT_STREAMS], 1);
  cr_assert_eq(metrics.counter[MD_COUNTER_STREAMS], 2);
  cr_assert_eq(metrics.counter[MD_COUNTER_STREAMS_LIVE], 1, "acks made nothing live");
  cr_assert_neq(strstr(fake.sent, "btcusdt@depth@100ms"), NULL, "it is subscribed again");
  teardown();
}

Test(binance_futures_net, case_22_control_messages_keep_below_ten_a_second) {
  static char symbols[8192];
  size_t      used = 0;
  for (unsigned n = 0; n < 300; n++)
    used += (size_t)snprintf(symbols + used, sizeof symbols - used, "S%03uUSDT ", n);
  setup_venue("binance_derivatives", symbols, "depth");
  (void)step(0);
  happen(MD_TRANSPORT_OPEN, 0, "");
  uint32_t at[101] = {0};
  for (int n = 0; n <= 100; n++) {
    (void)step(20 * MS);
    at[n] = fake.sent_cnt;
    if (n >= 50) cr_assert_leq(at[n] - at[n - 50], 9, "pongs and pings need room too");
  }
  teardown();
}

Test(binance_futures_net, a_connection_of_liquidations_alone_may_rest) {
  setup_venue("binance_derivatives", "BTCUSDT", "liquidation");
  (void)step(0);
  happen(MD_TRANSPORT_OPEN, 0, "");
  for (int s = 0; s < 3600; s++)
    (void)step(1 * S);
  cr_assert_eq(fake.connect_cnt, 1);
  teardown();
}

/* ---- URLs ---- */

static const char *
snapshot_url(const char *venue, const char *symbol) {
  static char url[512];
  cr_assert(net_of(venue)->snapshot_url(url, sizeof url, "https://h", symbol, 500) > 0);
  return url;
}

Test(binance_futures_net, snapshots_have_the_venues_path_limits_and_weights) {
  const md_venue_net_t *net = net_of("binance_derivatives");
  cr_assert_str_eq(snapshot_url("binance_derivatives", "BTCUSDT"),
                   "https://h/fapi/v1/depth?symbol=BTCUSDT&limit=500");
  cr_assert_str_eq(snapshot_url("binance_coinm", "BTCUSD_PERP"),
                   "https://h/dapi/v1/depth?symbol=BTCUSD_PERP&limit=500");
  cr_assert_eq(net->snapshot_limits[0], 1000);
  cr_assert_eq(net->snapshot_weight(1000), 20);
  cr_assert_eq(net->snapshot_weight(500), 10);
  cr_assert_eq(net->snapshot_weight(100), 5);
  cr_assert_eq(net->snapshot_weight(50), 2);
  cr_assert_eq(net->weight_per_min, 2400);
}

/* The URLs of every poll for a symbol, one a line. */
static const char *
poll_urls(const char *venue, const char *symbol) {
  static char           text[2048];
  const md_venue_net_t *net  = net_of(venue);
  size_t                used = 0;
  text[0]                    = 0;
  for (uint32_t n = 0; n < net->poll_cnt; n++) {
    char url[256];
    if (net->polls[n].url(url, sizeof url, "https://h", symbol))
      used += (size_t)snprintf(text + used, sizeof text - used, "%s\n", url);
  }
  return text;
}

Test(binance_futures_net, polls_ask_for_open_interest_three_ratios_and_funding_intervals) {
  cr_assert_str_eq(
      poll_urls("binance_derivatives", "BTCUSDT"),
      "https://h/fapi/v1/openInterest?symbol=BTCUSDT\n"
      "https://h/futures/data/topLongShortPositionRatio?symbol=BTCUSDT&period=5m&limit=3\n"
      "https://h/futures/data/topLongShortAccountRatio?symbol=BTCUSDT&period=5m&limit=3\n"
      "https://h/futures/data/globalLongShortAccountRatio?symbol=BTCUSDT&period=5m&limit=3\n"
      "https://h/fapi/v1/fundingInfo\n");
  cr_assert_str_eq(
      poll_urls("binance_coinm", "BTCUSD_PERP"),
      "https://h/dapi/v1/openInterest?symbol=BTCUSD_PERP\n"
      "https://h/futures/data/topLongShortPositionRatio?pair=BTCUSD&period=5m&limit=3\n"
      "https://h/futures/data/topLongShortAccountRatio?pair=BTCUSD&period=5m&limit=3\n"
      "https://h/futures/data/globalLongShortAccountRatio?pair=BTCUSD&period=5m&limit=3\n"
      "https://h/dapi/v1/fundingInfo\n");
  cr_assert_str_eq(poll_urls("binance_coinm", "BTCUSD_261225"),
                   "https://h/dapi/v1/openInterest?symbol=BTCUSD_261225\n"
                   "https://h/dapi/v1/fundingInfo\n",
                   "a dated contract has no ratios");
}

/* ---- the pace of polls ---- */

/* How often a poll asked within ns: the symbols it went past. */
static uint32_t
asked_in(int64_t ns, uint32_t poll, uint32_t symbol_cnt) {
  uint32_t cnt = 0, last = live->poll[poll].next, rounds = live->poll[poll].round_cnt;
  for (int64_t at = 0; at < ns; at += 50 * MS) {
    (void)step(50 * MS);
    const md_feed_live_poll_t *p = &live->poll[poll];
    cnt += p->next + symbol_cnt * (p->round_cnt - rounds) - last;
    last   = p->next;
    rounds = p->round_cnt;
    cr_assert_leq(live->poll[poll].next, symbol_cnt);
  }
  return cnt;
}

Test(binance_futures_net, polls_begin_at_once_and_go_on_at_their_own_pace) {
  setup_venue("binance_derivatives", "BTCUSDT ETHUSDT", "depth, open_interest, long_short_ratio");
  cr_assert_eq(asked_in(3 * S, 0, 2), 2, "open interest of both");
  cr_assert_eq(asked_in(50 * S, 0, 2), 0, "then it waits for its time");
  uint32_t cnt = asked_in(600 * S, 0, 2);
  cr_assert(cnt >= 19 && cnt <= 21, "twice a minute: %u", cnt);
  cnt = asked_in(1200 * S, 1, 2);
  cr_assert(cnt >= 7 && cnt <= 9, "ratios twice in five minutes: %u", cnt);
  cr_assert_eq(live->poll[4].round_cnt, 0, "funding was not asked for");
  teardown();
}

Test(binance_futures_net, polls_of_many_symbols_keep_to_their_part_of_the_budget) {
  static char symbols[8192];
  size_t      used = 0;
  for (unsigned n = 0; n < 500; n++)
    used += (size_t)snprintf(symbols + used, sizeof symbols - used, "S%03uUSDT ", n);
  setup_venue("binance_derivatives", symbols, "open_interest, long_short_ratio");
  uint32_t interest = asked_in(60 * S, 0, 500);
  uint32_t ratio    = asked_in(60 * S, 1, 500);
  cr_assert_leq(interest + 3 * 3 * ratio, 2400 / 4 + 20, "%u and %u", interest, ratio);
  cr_assert_leq(3 * 5 * ratio, 1000, "the venue's own limit of ratios");
  cr_assert_gt(interest, 100);
  cr_assert_gt(ratio, 30);
  teardown();
}
