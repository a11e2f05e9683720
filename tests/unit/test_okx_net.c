/* test_okx_net - how OKX is spoken to: streams, paths, messages, keepalive, limits, snapshots. */
#include "feeds/live_parts.h"
#include "tests/unit/live_fixture.h"

#define ALL                                                                                        \
  "depth, trade, bbo, kline, ticker, mark, index, funding, liquidation, open_interest, "           \
  "long_short_ratio, fill"
#define BOOK "{\"arg\":{\"channel\":\"books\",\"instId\":\"BTC-USDT-SWAP\"},\"action\":\""

static void
book(const char *action, unsigned seq) {
  char text[256];
  (void)snprintf(text, sizeof text,
                 BOOK "%s\",\"data\":[{\"asks\":[],\"bids\":[],\"ts\":\"1\",\"checksum\":0,"
                      "\"seqId\":%u}]}",
                 action, seq);
  happen(MD_TRANSPORT_TEXT, 0, text);
}

static md_frame_kind_t
frame(const char *text, char name[256]) {
  const char     *stream = "";
  uint32_t        len    = 0;
  md_frame_kind_t kind =
      md_venue_find("okx_spot")
          ->net->frame((const uint8_t *)text, (uint32_t)strlen(text), &stream, &len);
  (void)snprintf(name, 256, "%.*s", (int)len, stream);
  return kind;
}

Test(okx_net, streams_stand_on_the_paths_where_they_live) {
  setup_venue("okx_derivatives", "BTC-USDT-SWAP ETH-USDT-SWAP BTC-USD-260327", ALL);
  (void)step(0);
  cr_assert_str_eq(fake.url, "wss://ws.okx.com:8443/ws/v5/public");
  (void)step(100 * MS);
  cr_assert_eq(fake.connect_cnt, 1, "three connects a second, not more");
  (void)step(300 * MS);
  cr_assert_eq(fake.connect_cnt, 2);
  cr_assert_str_eq(fake.url, "wss://ws.okx.com:8443/ws/v5/business");
  happen(MD_TRANSPORT_OPEN, 0, "");
  (void)step(400 * MS);
  (void)step(400 * MS);
  happen(MD_TRANSPORT_OPEN, 1, "");
  (void)step(400 * MS);
  (void)step(400 * MS);
  cr_assert_str_eq(fake.sent, "{\"id\":\"2\",\"op\":\"subscribe\",\"args\":["
                              "{\"channel\":\"candle1m\",\"instId\":\"BTC-USDT-SWAP\"},"
                              "{\"channel\":\"trades-all\",\"instId\":\"BTC-USDT-SWAP\"},"
                              "{\"channel\":\"candle1m\",\"instId\":\"ETH-USDT-SWAP\"},"
                              "{\"channel\":\"trades-all\",\"instId\":\"ETH-USDT-SWAP\"},"
                              "{\"channel\":\"candle1m\",\"instId\":\"BTC-USD-260327\"},"
                              "{\"channel\":\"trades-all\",\"instId\":\"BTC-USD-260327\"}]}");
  teardown();
}

Test(okx_net, every_channel_has_its_stream_and_what_is_shared_is_asked_for_once) {
  setup_venue("okx_derivatives", "BTC-USDT-SWAP BTC-USD-260327 BTC-USD-260327-90000-C",
              "depth, trade, bbo, ticker, mark, index, funding, liquidation, open_interest");
  static const char *const wanted[] = {
      "books:BTC-USDT-SWAP",         "trades:BTC-USDT-SWAP",         "bbo-tbt:BTC-USDT-SWAP",
      "tickers:BTC-USDT-SWAP",       "mark-price:BTC-USDT-SWAP",     "index-tickers:BTC-USDT",
      "funding-rate:BTC-USDT-SWAP",  "liquidation-orders:SWAP",      "open-interest:BTC-USDT-SWAP",
      "liquidation-orders:FUTURES",  "open-interest:BTC-USD-260327", "liquidation-orders:OPTION",
      "books:BTC-USD-260327-90000-C"};
  for (uint32_t n = 0; n < MD_CNT(wanted); n++)
    cr_assert_not_null(md_feed_live_find_stream(live, wanted[n], (uint32_t)strlen(wanted[n])), "%s",
                       wanted[n]);
  cr_assert_null(md_feed_live_find_stream(live, "funding-rate:BTC-USD-260327", 27));
  (void)step(0);
  happen(MD_TRANSPORT_OPEN, 0, "");
  (void)step(10 * MS);
  (void)step(400 * MS);
  cr_assert_not_null(
      strstr(fake.sent, "{\"channel\":\"liquidation-orders\",\"instType\":\"SWAP\"}"));
  cr_assert_not_null(strstr(fake.sent, "{\"channel\":\"index-tickers\",\"instId\":\"BTC-USDT\"}"));
  teardown();
}

Test(okx_net, messages_are_told_apart_and_their_streams_named) {
  char name[256];
  cr_assert_eq(frame(BOOK "snapshot\",\"data\":[]}", name), MD_FRAME_SNAPSHOT);
  cr_assert_str_eq(name, "books:BTC-USDT-SWAP");
  cr_assert_eq(frame(BOOK "update\",\"data\":[]}", name), MD_FRAME_DATA);
  cr_assert_eq(
      frame("{\"arg\":{\"instId\":\"BTC-USDT\",\"channel\":\"trades\"},\"data\":[{\"instId\":"
            "\"BTC-USDT\"}]}",
            name),
      MD_FRAME_DATA);
  cr_assert_str_eq(name, "trades:BTC-USDT");
  cr_assert_eq(
      frame("{\"arg\":{\"channel\":\"liquidation-orders\",\"instType\":\"SWAP\"},\"data\":[{"
            "\"instId\":\"X\"}]}",
            name),
      MD_FRAME_DATA);
  cr_assert_str_eq(name, "liquidation-orders:SWAP");
  cr_assert_eq(frame("pong", name), MD_FRAME_OTHER);
  cr_assert_eq(frame("", name), MD_FRAME_OTHER);
  cr_assert_eq(
      frame("{\"id\":\"1\",\"event\":\"subscribe\",\"arg\":{\"channel\":\"books\",\"instId\":"
            "\"X\"}}",
            name),
      MD_FRAME_OTHER);
  cr_assert_eq(frame("{\"event\":\"notice\",\"msg\":\"soon closed\",\"code\":\"64008\"}", name),
               MD_FRAME_SHUTDOWN);
}

Test(okx_net, case_30_one_bad_stream_of_five_is_marked_and_the_others_live) {
  char name[256];
  cr_assert_eq(frame("{\"id\":\"1\",\"event\":\"error\",\"code\":\"60018\",\"msg\":\"Wrong URL or "
                     "channel:books,instId:NO-SUCH doesn't exist.\",\"connId\":\"a\"}",
                     name),
               MD_FRAME_REFUSED);
  cr_assert_str_eq(name, "books:NO-SUCH");
  setup_venue("okx_spot", "A-B C-D E-F G-H NO-SUCH", "depth");
  (void)step(0);
  happen(MD_TRANSPORT_OPEN, 0, "");
  (void)step(400 * MS);
  happen(MD_TRANSPORT_TEXT, 0,
         "{\"event\":\"error\",\"code\":\"60018\",\"msg\":\"channel:books,instId:NO-SUCH doesn't "
         "exist\"}");
  static const char *const good[] = {"A-B", "C-D", "E-F", "G-H"};
  for (unsigned s = 0; s < 40; s++) {
    for (uint32_t n = 0; n < MD_CNT(good); n++) {
      char text[256];
      (void)snprintf(
          text, sizeof text,
          "{\"arg\":{\"channel\":\"books\",\"instId\":\"%s\"},\"action\":\"update\",\"data\":["
          "{\"seqId\":%u}]}",
          good[n], s);
      happen(MD_TRANSPORT_TEXT, 0, text);
    }
    (void)step(S / 2);
    if (s == 10) cr_assert(md_feed_live_find_stream(live, "books:NO-SUCH", 13)->is_refused);
  }
  cr_assert_eq(metrics.counter[MD_COUNTER_STREAMS_LIVE], 4);
  cr_assert_eq(fake.connect_cnt, 1, "no connection is made anew for it");
  cr_assert_leq(fake.sent_cnt, 4, "and it is not asked for all the time");
  teardown();
}

Test(okx_net, keepalive_is_sent_before_thirty_seconds_of_silence) {
  setup_venue("okx_spot", "BTC-USDT", "trade");
  (void)step(0);
  happen(MD_TRANSPORT_OPEN, 0, "");
  (void)step(400 * MS);
  for (int s = 0; s < 25; s++)
    (void)step(1 * S);
  cr_assert_str_eq(fake.sent, "ping");
  uint32_t cnt = fake.sent_cnt;
  for (int s = 0; s < 20; s++)
    (void)step(1 * S);
  cr_assert_eq(fake.sent_cnt, cnt + 1);
  teardown();
}

/* A book without a snapshot is subscribed anew; then REST is asked; then the connection goes. */
Test(okx_net, case_26_book_is_subscribed_again_and_a_second_failure_makes_the_connection_anew) {
  setup_venue("okx_derivatives", "BTC-USDT-SWAP", "depth");
  (void)step(0);
  happen(MD_TRANSPORT_OPEN, 0, "");
  (void)step(400 * MS);
  book("snapshot", 5);
  (void)step(400 * MS);
  md_feed_live_request_snapshot(live, 1, "BTC-USDT-SWAP");
  (void)step(400 * MS);
  cr_assert_str_eq(fake.sent,
                   "{\"id\":\"2\",\"op\":\"unsubscribe\",\"args\":[{\"channel\":\"books\","
                   "\"instId\":\"BTC-USDT-SWAP\"}]}");
  (void)step(400 * MS);
  cr_assert_str_eq(fake.sent, "{\"id\":\"3\",\"op\":\"subscribe\",\"args\":[{\"channel\":\"books\","
                              "\"instId\":\"BTC-USDT-SWAP\"}]}");
  for (unsigned s = 0; s < 15; s++) {
    book("update", 10 + s);
    (void)step(1 * S);
  }
  md_feed_live_stream_t *stream = &live->stream[0];
  cr_assert(stream->is_by_rest);
  cr_assert_eq(fake.disconnect_cnt, 0);
  for (unsigned s = 0; s < 15; s++) {
    book("update", 50 + s);
    (void)step(1 * S);
  }
  cr_assert_eq(fake.disconnect_cnt, 1);
  teardown();
}

Test(okx_net, snapshot_of_the_stream_ends_the_wait) {
  setup_venue("okx_derivatives", "BTC-USDT-SWAP", "depth");
  (void)step(0);
  happen(MD_TRANSPORT_OPEN, 0, "");
  (void)step(400 * MS);
  md_feed_live_request_snapshot(live, 1, "BTC-USDT-SWAP");
  (void)step(400 * MS);
  (void)step(400 * MS);
  book("snapshot", 5);
  for (unsigned s = 0; s < 25; s++) {
    book("update", 10 + s);
    (void)step(1 * S);
  }
  cr_assert_eq(fake.disconnect_cnt, 0);
  cr_assert(!live->stream[0].is_by_rest);
  teardown();
}

Test(okx_net, case_35_messages_of_an_hour_that_are_used_up_make_a_new_connection) {
  setup_venue("okx_derivatives", "BTC-USDT-SWAP", "depth");
  (void)step(0);
  happen(MD_TRANSPORT_OPEN, 0, "");
  (void)step(400 * MS);
  unsigned seq      = 0;
  uint32_t sent_max = 0;
  for (unsigned n = 0; n < 400 && fake.disconnect_cnt == 0; n++) {
    md_feed_live_request_snapshot(live, 1, "BTC-USDT-SWAP");
    for (int k = 0; k < 3; k++)
      (void)step(400 * MS);
    book("snapshot", ++seq);
    (void)step(400 * MS);
    sent_max = fake.sent_cnt;
  }
  cr_assert_eq(fake.disconnect_cnt, 1, "instead of an answer 60014");
  cr_assert_leq(sent_max, 480 + 60, "with the texts that keep it alive");
  teardown();
}

Test(okx_net, book_that_changes_seldom_is_silent_only_behind_its_beat) {
  setup_venue("okx_spot", "BTC-USDT", "depth");
  (void)step(0);
  happen(MD_TRANSPORT_OPEN, 0, "");
  (void)step(400 * MS);
  for (unsigned n = 0; n < 4; n++) {
    char text[256];
    (void)snprintf(
        text, sizeof text,
        "{\"arg\":{\"channel\":\"books\",\"instId\":\"BTC-USDT\"},\"action\":\"update\",\"data\":["
        "{\"seqId\":%u}]}",
        n);
    happen(MD_TRANSPORT_TEXT, 0, text);
    for (int s = 0; s < 55; s++)
      (void)step(1 * S);
  }
  cr_assert_eq(metrics.counter[MD_COUNTER_SILENT_STREAMS], 0);
  teardown();
}

/* ---- URLs ---- */

static void
collect(void *ctx, const char *symbol, uint32_t len, bool is_trading) {
  char *out = ctx;
  (void)snprintf(out + strlen(out), 128, "%.*s%c ", (int)len, symbol, is_trading ? '+' : '-');
}

Test(okx_net, urls_of_lists_books_and_polls) {
  static const char     base[] = "https://www.okx.com";
  const md_venue_net_t *net    = md_venue_find("okx_derivatives")->net,
                       *spot   = md_venue_find("okx_spot")->net;
  char url[512];
  cr_assert(spot->list_url(url, sizeof url, base));
  cr_assert_str_eq(url, "https://www.okx.com/api/v5/public/instruments?instType=SPOT");
  cr_assert(net->list_url(url, sizeof url, base));
  cr_assert_str_eq(url, "https://www.okx.com/api/v5/public/instruments?instType=SWAP");
  cr_assert(net->snapshot_url(url, sizeof url, base, "BTC-USDT-SWAP", 400));
  cr_assert_str_eq(url, "https://www.okx.com/api/v5/market/books?instId=BTC-USDT-SWAP&sz=400");
  cr_assert(net->polls[0].url(url, sizeof url, base, "BTC-USDT-SWAP"));
  cr_assert_str_eq(url, "https://www.okx.com/api/v5/rubik/stat/contracts/long-short-account-ratio-"
                        "contract?instId=BTC-USDT-SWAP&period=5m&limit=1");
  cr_assert_eq(net->polls[0].url(url, sizeof url, base, "BTC-USD-260327"), 0);
  cr_assert(net->polls[4].url(url, sizeof url, base, "BTC-USD-260327-90000-C"));
  cr_assert_str_eq(url, "https://www.okx.com/api/v5/public/instruments?instType=OPTION&instFamily="
                        "BTC-USD&instId=BTC-USD-260327-90000-C");
  cr_assert_eq(net->polls[4].url(url, sizeof url, base, "BTC-USDT-SWAP"), 0);
}

Test(okx_net, list_tells_symbols_and_whether_they_trade) {
  static const char body[] =
      "{\"code\":\"0\",\"data\":[{\"instId\":\"A-B\",\"state\":\"live\"},{\"instId\":"
      "\"C-D\",\"state\":\"suspend\"},{\"instId\":7}]}";
  uint8_t copy[sizeof body + MD_FRAME_PAD_BYTES] = {0};
  char    out[512]                               = "";
  memcpy(copy, body, sizeof body);
  cr_assert_eq(md_venue_find("okx_spot")->net->list(copy, sizeof body - 1, collect, out), MD_OK);
  cr_assert_str_eq(out, "A-B+ C-D- ");
}
