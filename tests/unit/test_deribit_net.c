/* test_deribit_net - how Deribit is spoken to: its messages, and what a connection does with them
 * over a transport that only pretends. Cases of a connection bear their numbers. */
#include "tests/unit/live_fixture.h"

#include <stdlib.h>

#define P    "BTC-PERPETUAL"
#define BOOK "book." P ".100ms"

static const md_venue_net_t *
net(void) {
  return md_venue_find("deribit_derivatives")->net;
}

/* ---- messages ---- */

Test(deribit_net, channels_of_a_symbol) {
  char out[96];
  cr_assert_gt(net()->stream_name(out, sizeof out, P, MD_CHANNEL_DEPTH), 0);
  cr_assert_str_eq(out, BOOK);
  cr_assert_gt(net()->stream_name(out, sizeof out, P, MD_CHANNEL_TRADE), 0);
  cr_assert_str_eq(out, "trades." P ".100ms");
  cr_assert_gt(net()->stream_name(out, sizeof out, P, MD_CHANNEL_TICKER), 0);
  cr_assert_str_eq(out, "ticker." P ".100ms");
  cr_assert_gt(net()->stream_name(out, sizeof out, P, MD_CHANNEL_OPEN_INTEREST), 0);
  cr_assert_str_eq(out, "ticker." P ".100ms", "one stream for many channels");
  cr_assert_gt(net()->stream_name(out, sizeof out, P, MD_CHANNEL_BBO), 0);
  cr_assert_str_eq(out, "quote." P);
  cr_assert_eq(net()->stream_name(out, sizeof out, P, MD_CHANNEL_KLINE), 0);
  cr_assert_eq(net()->stream_name(out, sizeof out, P, MD_CHANNEL_AGG_TRADE), 0);
  cr_assert_eq(net()->stream_name(out, 8, P, MD_CHANNEL_DEPTH), 0, "it does not fit");
}

Test(deribit_net, requests_are_json_rpc) {
  static const char *const names[] = {BOOK, "trades." P ".100ms"};
  char                     out[512];
  uint32_t                 taken = 9;
  cr_assert_eq(net()->subscribe(out, sizeof out, true, names, 2, 7), strlen(out));
  cr_assert_str_eq(out, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"public/subscribe\",\"params\":{"
                        "\"channels\":[\"" BOOK "\",\"trades." P ".100ms\"]}}");
  cr_assert_eq(net()->subscribe(out, sizeof out, false, names, 1, 8), strlen(out));
  cr_assert_str_eq(out, "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"public/unsubscribe\","
                        "\"params\":{\"channels\":[\"" BOOK "\"]}}");
  cr_assert_eq(net()->subscribe(out, 100, true, names, 2, 7), 0, "it does not fit");
  cr_assert_gt(net()->greeting(out, sizeof out, 3, 0, 9), 0);
  cr_assert_str_eq(out, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"public/set_heartbeat\","
                        "\"params\":{\"interval\":30}}");
  cr_assert_gt(net()->greeting(out, sizeof out, 0, 1, 10), 0);
  cr_assert(strstr(out, "\"platform_state\",\"instrument.state.any.any\","
                        "\"deribit_volatility_index.btc_usd\""));
  cr_assert_eq(net()->greeting(out, sizeof out, 1, 1, 10), 0, "the first link only");
  cr_assert_eq(net()->greeting(out, sizeof out, 0, 2, 11), 0);
  cr_assert_gt(net()->alive(out, sizeof out, 12), 0);
  cr_assert_str_eq(out, "{\"jsonrpc\":\"2.0\",\"id\":12,\"method\":\"public/test\",\"params\":{}}");
  cr_assert_gt(net()->connect_url(out, sizeof out, net()->ws_url, names, 2, &taken), 0);
  cr_assert_str_eq(out, "wss://www.deribit.com/ws/api/v2");
  cr_assert_eq(taken, 0, "everything is subscribed by message");
  cr_assert_gt(net()->list_url(out, sizeof out, net()->rest_url), 0);
  cr_assert_str_eq(out, "https://www.deribit.com/api/v2/public/get_instruments?currency=any&"
                        "expired=false");
}

#define NOTE(channel, data)                                                                        \
  "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"" channel            \
  "\",\"data\":" data "}}"

Test(deribit_net, frames_are_told_apart) {
  static const struct {
    const char     *text, *stream;
    md_frame_kind_t kind;
  } rows[] = {
      {NOTE(BOOK, "{\"timestamp\":1,\"type\":\"snapshot\"}"), BOOK, MD_FRAME_SNAPSHOT},
      {NOTE(BOOK, "{\"timestamp\":1,\"type\":\"change\"}"), BOOK, MD_FRAME_DATA},
      {NOTE("trades." P ".100ms", "[]"), "trades." P ".100ms", MD_FRAME_DATA},
      {NOTE("instrument.state.any.any", "{}"), "instrument.state.any.any", MD_FRAME_LISTING},
      {"{\"params\":{\"type\":\"test_request\"},\"method\":\"heartbeat\",\"jsonrpc\":\"2.0\"}",
       NULL, MD_FRAME_ASKS},
      {"{\"params\":{\"type\":\"heartbeat\"},\"method\":\"heartbeat\",\"jsonrpc\":\"2.0\"}", NULL,
       MD_FRAME_OTHER},
      {"{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":[\"" BOOK "\"]}", NULL, MD_FRAME_ANSWER},
      {"{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":[]}", NULL, MD_FRAME_ANSWER},
      {"{\"jsonrpc\":\"2.0\",\"id\":5,\"error\":{\"code\":13778}}", NULL, MD_FRAME_ANSWER},
      {"{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":\"ok\"}", NULL, MD_FRAME_OTHER},
      {"", NULL, MD_FRAME_OTHER},
      {"{\"params\":{\"channel\":\"book", NULL, MD_FRAME_OTHER},
  };
  for (size_t n = 0; n < MD_CNT(rows); n++) {
    const char     *stream = NULL;
    uint32_t        len    = 0;
    md_frame_kind_t kind =
        net()->frame((const uint8_t *)rows[n].text, (uint32_t)strlen(rows[n].text), &stream, &len);
    cr_expect_eq(kind, rows[n].kind, "%s", rows[n].text);
    if (!rows[n].stream) continue;
    cr_expect_eq(len, strlen(rows[n].stream), "%s", rows[n].text);
    cr_expect(stream && memcmp(stream, rows[n].stream, len) == 0, "%s", rows[n].text);
  }
}

static char listed[256];

static void
on_listing(void *ctx, const char *symbol, uint32_t len, bool is_trading) {
  size_t used = strlen(listed);
  (void)ctx;
  (void)snprintf(listed + used, sizeof listed - used, "%.*s:%d ", (int)len, symbol, is_trading);
}

Test(deribit_net, the_list_gives_futures_and_options) {
  static const char answer[] =
      "{\"jsonrpc\":\"2.0\",\"result\":[{\"kind\":\"future\",\"instrument_name\":\"" P "\","
      "\"is_active\":true},{\"kind\":\"option\",\"instrument_name\":\"BTC-27SEP24-60000-C\","
      "\"is_active\":true,\"state\":\"closed\"},{\"kind\":\"spot\",\"instrument_name\":"
      "\"BTC_USDC\"},{\"kind\":\"future_combo\",\"instrument_name\":\"BTC-FS-27SEP24_PERP\"}]}";
  static uint8_t padded[sizeof answer + MD_FRAME_PAD_BYTES];
  memcpy(padded, answer, sizeof answer);
  cr_assert_eq(net()->list(padded, sizeof answer - 1, on_listing, NULL), MD_OK);
  cr_assert_str_eq(listed, P ":1 BTC-27SEP24-60000-C:0 ");
  cr_assert_neq(net()->list(padded, 40, on_listing, NULL), MD_OK);
}

/* ---- a connection ---- */

static void
connected(const char *symbols, const char *channels) {
  setup_venue("deribit_derivatives", symbols, channels);
  (void)step(0);
  cr_assert_eq(fake.connect_cnt, 1);
  cr_assert_str_eq(fake.url, "wss://www.deribit.com/ws/api/v2");
  happen(MD_TRANSPORT_OPEN, fake.last, "");
  got_t g = step(10 * MS);
  cr_assert_eq(g.cnt[MD_RAW_CONNECT], 1);
  cr_assert_eq(g.cnt[MD_RAW_TEXT_OUT], 2, "the heartbeat, and what is not of one symbol");
  cr_assert_eq(fake.sent_cnt, 2);
}

static void
subscribed(void) {
  for (int n = 0; n < 10 && !strstr(fake.sent, BOOK); n++)
    (void)step(100 * MS);
  cr_assert(strstr(fake.sent, "\"public/subscribe\"") && strstr(fake.sent, BOOK), "%s", fake.sent);
}

Test(deribit_net, a_connection_is_greeted_then_subscribed_by_message) {
  connected(P " ETH-PERPETUAL", "depth, trade, ticker");
  subscribed();
  cr_assert_eq(fake.sent_cnt, 3);
  cr_assert(strstr(fake.sent, "\"ticker.ETH-PERPETUAL.100ms\""));
  (void)step(5 * S);
  cr_assert_eq(fake.sent_cnt, 3, "nothing is said twice");
  teardown();
}

Test(deribit_net, a_test_request_is_answered_at_once) {
  connected(P, "depth");
  subscribed();
  uint32_t before = fake.sent_cnt;
  happen(MD_TRANSPORT_TEXT, fake.last,
         "{\"params\":{\"type\":\"test_request\"},\"method\":\"heartbeat\",\"jsonrpc\":\"2.0\"}");
  got_t g = drain();
  cr_assert_eq(fake.sent_cnt, before + 1);
  cr_assert(strstr(fake.sent, "\"public/test\""));
  cr_assert_eq(g.cnt[MD_RAW_TEXT_IN], 1);
  cr_assert_eq(g.cnt[MD_RAW_TEXT_OUT], 1, "what is sent is an input");
  teardown();
}

static const char snapshot_frame[] = NOTE(BOOK, "{\"timestamp\":1,\"type\":\"snapshot\"}");

Test(deribit_net, case_39_channels_left_out_of_the_answer_are_asked_for_again_later) {
  connected(P " NO-SUCH", "depth");
  subscribed();
  const char *at = strstr(fake.sent, "\"id\":");
  char        text[256];
  (void)snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":[\"" BOOK "\"]}",
                 (int)strtol(at + 5, NULL, 10));
  happen(MD_TRANSPORT_TEXT, fake.last, text);
  happen(MD_TRANSPORT_TEXT, fake.last, snapshot_frame);
  uint32_t before = fake.sent_cnt;
  (void)step(1 * S);
  cr_assert_eq(fake.sent_cnt, before, "no storm of subscriptions");
  for (int n = 0; n < 120; n++)
    (void)step(100 * MS);
  cr_assert_eq(fake.sent_cnt, before + 1);
  cr_assert(strstr(fake.sent, "\"book.NO-SUCH.100ms\"") && !strstr(fake.sent, BOOK), "%s",
            fake.sent);
  teardown();
}

Test(deribit_net, case_40_a_book_with_a_gap_is_unsubscribed_and_subscribed) {
  connected(P " ETH-PERPETUAL", "depth");
  subscribed();
  happen(MD_TRANSPORT_TEXT, fake.last, snapshot_frame);
  (void)step(1 * S);
  uint32_t before = fake.sent_cnt;
  md_feed_live_request_snapshot(live, 1, P);
  md_feed_live_request_snapshot(live, 1, P);
  (void)step(400 * MS);
  cr_assert_eq(fake.sent_cnt, before + 1);
  cr_assert(strstr(fake.sent, "\"public/unsubscribe\"") && strstr(fake.sent, BOOK));
  cr_assert(!strstr(fake.sent, "ETH"), "no other channel");
  happen(MD_TRANSPORT_TEXT, fake.last, NOTE(BOOK, "{\"timestamp\":2,\"type\":\"change\"}"));
  (void)step(400 * MS);
  cr_assert_eq(fake.sent_cnt, before + 2, "changes between are no reason to stop");
  cr_assert(strstr(fake.sent, "\"public/subscribe\"") && strstr(fake.sent, BOOK));
  happen(MD_TRANSPORT_TEXT, fake.last, NOTE(BOOK, "{\"timestamp\":3,\"type\":\"snapshot\"}"));
  (void)step(20 * S);
  cr_assert_eq(fake.disconnect_cnt, 0, "the book came");
  teardown();
}

Test(deribit_net, case_40_without_a_new_snapshot_the_connection_is_made_anew) {
  connected(P, "depth");
  subscribed();
  happen(MD_TRANSPORT_TEXT, fake.last, snapshot_frame);
  (void)step(1 * S);
  md_feed_live_request_snapshot(live, 1, P);
  for (int n = 0; n < 90 && fake.disconnect_cnt == 0; n++) {
    char text[256];
    (void)snprintf(text, sizeof text, NOTE(BOOK, "{\"timestamp\":%d,\"type\":\"change\"}"), n);
    happen(MD_TRANSPORT_TEXT, fake.last, text);
    (void)step(100 * MS);
  }
  cr_assert_eq(fake.disconnect_cnt, 0, "ten seconds are not over");
  uint32_t closes = 0;
  for (int n = 0; n < 40; n++)
    closes += step(100 * MS).cnt[MD_RAW_CLOSE];
  cr_assert_eq(fake.disconnect_cnt, 1);
  cr_assert_eq(closes, 1, "its books hear of it");
  cr_assert_eq(fake.connect_cnt, 2);
  teardown();
}

Test(deribit_net, case_41_a_connection_that_the_server_closed_is_made_anew_and_greeted) {
  connected(P, "depth");
  subscribed();
  happen(MD_TRANSPORT_CLOSE, fake.last, "heartbeat close");
  got_t g = step(10 * MS);
  cr_assert_eq(g.cnt[MD_RAW_CLOSE], 1);
  for (int n = 0; n < 10 && fake.connect_cnt < 2; n++)
    (void)step(100 * MS);
  cr_assert_eq(fake.connect_cnt, 2);
  uint32_t before = fake.sent_cnt;
  fake.sent[0]    = 0;
  happen(MD_TRANSPORT_OPEN, fake.last, "");
  (void)step(10 * MS);
  cr_assert_eq(fake.sent_cnt, before + 2);
  subscribed();
  teardown();
}

Test(deribit_net, case_42_a_refused_request_is_repeated_slowly) {
  connected(P, "depth");
  subscribed();
  char text[256];
  (void)snprintf(text, sizeof text,
                 "{\"jsonrpc\":\"2.0\",\"id\":%d,\"error\":{\"code\":13778,\"message\":"
                 "\"raw_subscriptions_not_available_for_unauthorized\"}}",
                 (int)strtol(strstr(fake.sent, "\"id\":") + 5, NULL, 10));
  uint32_t before = fake.sent_cnt;
  happen(MD_TRANSPORT_TEXT, fake.last, text);
  for (int n = 0; n < 50; n++)
    (void)step(100 * MS);
  cr_assert_eq(fake.sent_cnt, before);
  for (int n = 0; n < 60; n++)
    (void)step(100 * MS);
  cr_assert_eq(fake.sent_cnt, before + 1);
  teardown();
}

Test(deribit_net, a_quiet_option_is_not_called_silent) {
  connected(P " ETH-PERPETUAL", "depth");
  subscribed();
  happen(MD_TRANSPORT_TEXT, fake.last, snapshot_frame);
  (void)drain();
  uint32_t before = fake.sent_cnt, timers = 0;
  for (int n = 0; n < 400; n++) {
    char text[256];
    (void)snprintf(text, sizeof text,
                   NOTE("book.ETH-PERPETUAL.100ms", "{\"timestamp\":%d,\"type\":\"change\"}"), n);
    happen(MD_TRANSPORT_TEXT, fake.last, text);
    timers += step(100 * MS).cnt[MD_RAW_TIMER];
  }
  cr_assert_eq(timers, 0);
  cr_assert_eq(fake.sent_cnt, before);
  cr_assert_eq(fake.disconnect_cnt, 0);
  teardown();
}
