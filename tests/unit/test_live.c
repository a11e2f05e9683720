/* test_live - the live source over a transport that only pretends, with a clock that the test
 * moves. */
#include "tests/unit/live_fixture.h"

static void
setup(const char *symbols) {
  setup_venue("binance_spot", symbols, "depth, trade");
}

Test(live, the_url_names_the_streams_and_the_connect_is_an_input) {
  setup("BTCUSDT ETHUSDT");
  got_t g = step(0);
  cr_assert_eq(fake.connect_cnt, 1);
  cr_assert_str_eq(fake.url, "wss://stream.binance.com:9443/stream?streams=btcusdt@depth@100ms/"
                             "btcusdt@trade/ethusdt@depth@100ms/ethusdt@trade");
  cr_assert_eq(g.cnt[MD_RAW_CONNECT], 0, "not open yet");
  happen(MD_TRANSPORT_OPEN, fake.last, "");
  g = step(10 * MS);
  cr_assert_eq(g.cnt[MD_RAW_CONNECT], 1);
  cr_assert_str_eq(g.payload[MD_RAW_CONNECT], fake.url);
  cr_assert_eq(fake.sent_cnt, 0, "nothing is left to subscribe");
  teardown();
}

Test(live, every_channel_of_binance_spot_is_a_stream) {
  setup_venue("binance_spot", "BTCUSDT",
              "depth, trade, bbo, agg_trade, kline, ticker, mark, funding, open_interest");
  (void)step(0);
  cr_assert_str_eq(fake.url, "wss://stream.binance.com:9443/stream?streams=btcusdt@depth@100ms/"
                             "btcusdt@trade/btcusdt@bookTicker/btcusdt@aggTrade/btcusdt@kline_1m/"
                             "btcusdt@ticker");
  teardown();
}

Test(live, many_streams_are_spread_and_asked_for_at_a_slow_pace) {
  static char symbols[4096];
  size_t      used = 0;
  for (unsigned n = 0; n < 200; n++)
    used += (size_t)snprintf(symbols + used, sizeof symbols - used, "S%03uUSDT ", n);
  setup(symbols);
  for (int n = 0; n < 20; n++)
    (void)step(100 * MS);
  cr_assert_eq(fake.connect_cnt, 2, "400 streams, 300 a connection");
  happen(MD_TRANSPORT_OPEN, 0, "");
  happen(MD_TRANSPORT_OPEN, 1, "");
  uint32_t before = 0, out = 0;
  (void)step(10 * MS);
  for (int n = 0; n < 40; n++) {
    out += step(100 * MS).cnt[MD_RAW_TEXT_OUT];
    cr_assert_leq(fake.sent_cnt - before, 2, "one message a connection in 250 ms");
    before = fake.sent_cnt;
  }
  cr_assert_eq(out, fake.sent_cnt, "what is sent is an input");
  cr_assert_eq(fake.sent_cnt, 2, "a URL takes 100 streams, a message as many: %u messages",
               fake.sent_cnt);
  cr_assert_neq(strstr(fake.sent, "\"method\":\"SUBSCRIBE\""), NULL);
  teardown();
}

Test(live, defect_4_reconnects_go_on_for_ever_within_the_venues_limit) {
  setup("BTCUSDT");
  (void)step(0);
  for (int n = 0; n < 40000; n++) {
    if (fake.is_used[fake.last]) happen(MD_TRANSPORT_CLOSE, fake.last, "refused");
    cr_assert_eq(step(100 * MS).cnt[MD_RAW_CLOSE], 0, "it was never open");
  }
  cr_assert_gt(fake.connect_cnt, 100, "4000 s, at most 30 s apart");
  for (uint32_t n = 10; n + 1 < fake.connect_cnt; n++) {
    int64_t pause = fake.connect_ns[n + 1] - fake.connect_ns[n];
    cr_assert(pause >= 12 * S && pause <= 31 * S, "try %u after %lld", n, (long long)pause);
  }
  teardown();
}

Test(live, defect_a_feed_whose_venue_cannot_be_reached_is_not_connected) {
  setup("BTCUSDT");
  (void)step(0);
  cr_assert_not(source.connected(source.ctx), "asked for, not open");
  happen(MD_TRANSPORT_OPEN, fake.last, "");
  (void)step(10 * MS);
  cr_assert(source.connected(source.ctx));
  happen(MD_TRANSPORT_CLOSE, fake.last, "gone");
  (void)step(10 * MS);
  for (int n = 0; n < 100; n++) {
    cr_assert_not(source.connected(source.ctx), "it is refused again and again");
    if (fake.is_used[fake.last]) happen(MD_TRANSPORT_CLOSE, fake.last, "refused");
    (void)step(100 * MS);
  }
  for (int n = 0; n < 1000 && !fake.is_used[fake.last]; n++)
    (void)step(100 * MS);
  happen(MD_TRANSPORT_OPEN, fake.last, "");
  (void)step(10 * MS);
  cr_assert(source.connected(source.ctx), "it is there again");
  teardown();
}

Test(live, a_new_beginning_gives_up_every_connection_forgets_and_connects_again) {
  static char symbols[4096];
  size_t      used = 0;
  for (unsigned n = 0; n < 200; n++)
    used += (size_t)snprintf(symbols + used, sizeof symbols - used, "S%03uUSDT ", n);
  setup(symbols);
  for (int n = 0; n < 20; n++)
    (void)step(100 * MS);
  happen(MD_TRANSPORT_OPEN, 0, "");
  happen(MD_TRANSPORT_OPEN, 1, "");
  (void)step(10 * MS);
  cr_assert_gt(source.memory(source.ctx), 400 * 64, "400 streams");
  md_feed_live_reconnect(live);
  got_t g = step(10 * MS);
  cr_assert_eq(g.cnt[MD_RAW_CLOSE], 2);
  cr_assert_eq(g.cnt[MD_RAW_TIMER], 1);
  cr_assert_str_eq(g.payload[MD_RAW_TIMER], "forget");
  cr_assert_eq(fake.disconnect_cnt, 2);
  for (int n = 0; n < 20; n++)
    cr_assert_eq(step(100 * MS).cnt[MD_RAW_TIMER], 0, "once");
  cr_assert_eq(fake.connect_cnt, 4);
  teardown();
}

/* On every venue, whatever the close was. */
Test(live, defect_4_a_connection_that_was_closed_is_made_anew_on_every_venue) {
  static const char *const venues[][2] = {
      {"binance_spot", "BTCUSDT"},          {"binance_derivatives", "BTCUSDT"},
      {"binance_coinm", "BTCUSD_PERP"},     {"okx_spot", "BTC-USDT"},
      {"okx_derivatives", "BTC-USDT-SWAP"}, {"deribit_derivatives", "BTC-PERPETUAL"}};
  for (size_t v = 0; v < MD_CNT(venues); v++) {
    setup_venue(venues[v][0], venues[v][1], "depth");
    for (unsigned n = 0; n < 5; n++) {
      for (unsigned s = 0; s < 400 && !fake.is_used[fake.last]; s++)
        (void)step(100 * MS);
      cr_assert_eq(fake.connect_cnt, n + 1, "%s", venues[v][0]);
      happen(MD_TRANSPORT_OPEN, fake.last, "");
      cr_assert_eq(step(10 * MS).cnt[MD_RAW_CONNECT], 1);
      happen(MD_TRANSPORT_CLOSE, fake.last, "gone");
      cr_assert_eq(step(10 * MS).cnt[MD_RAW_CLOSE], 1, "its books hear of it");
    }
    teardown();
  }
}

/* The server cuts after `lives_ns` of data, cnt times; the longest pause until the next connect. */
static int64_t
pause_after_cuts(int64_t lives_ns, unsigned cnt) {
  int64_t  longest = 0;
  unsigned id      = 0;
  (void)step(0);
  for (unsigned n = 0; n < cnt; n++) {
    happen(MD_TRANSPORT_OPEN, fake.last, "");
    for (int64_t end = now.mono_ns + lives_ns; now.mono_ns < end;) {
      data(fake.last, "btcusdt@depth@100ms", ++id);
      (void)step(100 * MS);
    }
    uint32_t before = fake.connect_cnt;
    int64_t  lost   = now.mono_ns;
    happen(MD_TRANSPORT_CLOSE, fake.last, "cut");
    for (unsigned tries = 0; tries < 10000 && fake.connect_cnt == before; tries++)
      (void)step(10 * MS);
    cr_assert_eq(fake.connect_cnt, before + 1);
    if (now.mono_ns - lost > longest) longest = now.mono_ns - lost;
  }
  return longest;
}

Test(live, a_connection_that_gave_data_for_some_seconds_is_back_at_once_each_time) {
  setup("BTCUSDT");
  int64_t pause = pause_after_cuts(4 * S, 20);
  cr_assert_leq(pause, 150 * MS, "%lld ms", (long long)(pause / MS));
  teardown();
}

Test(live, case_22_a_server_that_soon_cuts_is_asked_ever_less_often) {
  setup("BTCUSDT");
  int64_t pause = pause_after_cuts(1 * S, 12);
  cr_assert_geq(pause, 10 * S, "%lld ms", (long long)(pause / MS));
  teardown();
}

Test(live, a_connection_that_stays_open_without_data_is_no_success) {
  setup("BTCUSDT");
  (void)step(0);
  int64_t before = 0;
  for (unsigned n = 0; n < 10; n++) {
    uint32_t cnt = fake.connect_cnt;
    happen(MD_TRANSPORT_OPEN, fake.last, "");
    for (unsigned s = 0; s < 40; s++)
      (void)step(100 * MS);
    happen(MD_TRANSPORT_CLOSE, fake.last, "cut");
    before = now.mono_ns;
    for (unsigned tries = 0; tries < 10000 && fake.connect_cnt == cnt; tries++)
      (void)step(10 * MS);
  }
  cr_assert_geq(now.mono_ns - before, 10 * S);
  teardown();
}

Test(live, case_48_a_silent_book_is_told_once_and_subscribed_again) {
  setup("BTCUSDT ETHUSDT");
  (void)step(0);
  happen(MD_TRANSPORT_OPEN, 0, "");
  uint32_t timers = 0, id = 0;
  for (int s = 0; s < 45; s++) {
    data(0, "ethusdt@depth@100ms", ++id);
    if (s < 5)
      data(0, "btcusdt@depth@100ms", ++id);
    else
      data(0, "btcusdt@depth@100ms", 5); /* a repeat is not data */
    got_t g = step(1 * S);
    timers += g.cnt[MD_RAW_TIMER];
    if (g.cnt[MD_RAW_TIMER]) cr_assert_str_eq(g.payload[MD_RAW_TIMER], "silent BTCUSDT");
  }
  cr_assert_eq(timers, 1);
  cr_assert_neq(strstr(fake.sent, "SUBSCRIBE\",\"params\":[\"btcusdt@depth@100ms\"]"), NULL, "%s",
                fake.sent);
  cr_assert_eq(metrics.counter[MD_COUNTER_SILENT_STREAMS], 1);
  cr_assert_eq(fake.connect_cnt, 1, "the connection gives data: it stays");
  teardown();
}

/* The look for repeats went on to the end of a word: into the next frame of the receive buffer. */
Test(live, defect_a_repeat_is_no_data_whatever_stands_behind_it_in_memory) {
  setup("BTCUSDT ETHUSDT");
  (void)step(0);
  happen(MD_TRANSPORT_OPEN, 0, "");
  uint32_t timers = 0, id = 100;
  for (int s = 0; s < 45; s++) {
    data(0, "ethusdt@depth@100ms", ++id);
    data(0, "btcusdt@depth@100ms", 5);
    timers += step(1 * S).cnt[MD_RAW_TIMER];
  }
  cr_assert_eq(timers, 1);
  teardown();
}

/* It was marked to be subscribed again, but the connection may say nothing yet. */
Test(live, a_stream_that_speaks_again_in_time_is_not_unsubscribed) {
  setup("BTCUSDT ETHUSDT");
  (void)step(0);
  happen(MD_TRANSPORT_OPEN, 0, "");
  uint32_t timers = 0, id = 0;
  data(0, "btcusdt@depth@100ms", ++id);
  while (timers == 0) {
    data(0, "ethusdt@depth@100ms", ++id);
    timers = step(900 * MS).cnt[MD_RAW_TIMER];
  }
  uint32_t sent = fake.sent_cnt;
  data(0, "btcusdt@depth@100ms", ++id);
  (void)step(10 * MS);
  for (unsigned n = 0; n < 100; n++) {
    data(0, "btcusdt@depth@100ms", ++id);
    data(0, "ethusdt@depth@100ms", ++id);
    (void)step(100 * MS);
  }
  cr_assert_eq(fake.sent_cnt, sent, "%s", fake.sent);
  teardown();
}

Test(live, case_48_a_silent_connection_is_closed_for_the_feed_and_made_anew) {
  setup("BTCUSDT");
  (void)step(0);
  happen(MD_TRANSPORT_OPEN, 0, "");
  uint32_t closes = 0;
  for (int s = 0; s < 64; s++)
    closes += step(1 * S).cnt[MD_RAW_CLOSE];
  cr_assert_eq(closes, 1);
  cr_assert_eq(fake.disconnect_cnt, 1);
  cr_assert_eq(fake.connect_cnt, 2);
  teardown();
}

Test(live, case_52_a_shutdown_notice_connects_anew_before_the_old_one_goes) {
  setup("BTCUSDT");
  (void)step(0);
  happen(MD_TRANSPORT_OPEN, 0, "");
  data(0, "btcusdt@depth@100ms", 1);
  data(0, "btcusdt@trade", 1);
  (void)step(100 * MS);
  happen(MD_TRANSPORT_TEXT, 0, "{\"e\":\"serverShutdown\",\"E\":1770123456789}");
  (void)step(100 * MS);
  (void)step(100 * MS);
  cr_assert_eq(fake.connect_cnt, 2);
  cr_assert_eq(fake.disconnect_cnt, 0);
  uint32_t next = fake.last;
  happen(MD_TRANSPORT_OPEN, next, "");
  data(0, "btcusdt@depth@100ms", 2);
  got_t g = step(100 * MS);
  cr_assert_eq(g.cnt[MD_RAW_CONNECT], 1);
  cr_assert_eq(g.cnt[MD_RAW_TEXT_IN], 1, "the old one still counts");
  data(next, "btcusdt@depth@100ms", 2);
  (void)step(100 * MS);
  cr_assert_eq(fake.disconnect_cnt, 0, "one stream is missing");
  data(next, "btcusdt@trade", 2);
  (void)step(100 * MS);
  g = step(100 * MS);
  cr_assert_eq(fake.disconnect_cnt, 1);
  data(next, "btcusdt@depth@100ms", 3);
  cr_assert_eq(step(100 * MS).cnt[MD_RAW_TEXT_IN], 1);
  cr_assert_eq(metrics.counter[MD_COUNTER_REPLACEMENTS], 1);
  teardown();
}

Test(live, a_close_is_an_input_with_the_leg_of_its_books) {
  setup("BTCUSDT");
  (void)step(0);
  happen(MD_TRANSPORT_OPEN, 0, "");
  data(0, "btcusdt@depth@100ms", 1);
  got_t g = step(10 * MS);
  cr_assert_eq(g.cnt[MD_RAW_TEXT_IN], 1);
  uint8_t leg = g.leg[MD_RAW_TEXT_IN];
  happen(MD_TRANSPORT_CLOSE, 0, "gone");
  g = step(10 * MS);
  cr_assert_eq(g.cnt[MD_RAW_CLOSE], 1);
  cr_assert_eq(g.leg[MD_RAW_CLOSE], leg);
  cr_assert_str_eq(g.payload[MD_RAW_CLOSE], "gone");
  for (int n = 0; n < 10; n++)
    (void)step(100 * MS);
  cr_assert_eq(fake.connect_cnt, 2);
  teardown();
}
