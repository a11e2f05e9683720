/* test_deribit - Deribit's messages: every field from the text of a frame to a record, and the
 * adversarial cases of this venue, each under its number. Figures are made up. */
#include "tests/unit/feed_fixture.h"
#include "tests/unit/json_fields.h"

#define P "BTC-PERPETUAL"
#define O "XRP_USDC-30AUG24-0d625-C"

static fixture_t x;

static void
init(void) {
  md_feed_config_t cfg = fixture_feed_config(&x);
  cfg.name             = "deribit_derivatives";
  cfg.venue            = md_venue_find("deribit_derivatives");
  (void)snprintf(x.name, sizeof x.name, "www.deribit.com");
  fixture_open(&x, &cfg);
}

static void
fini(void) {
  fixture_fini(&x);
}

TestSuite(deribit, .init = init, .fini = fini);

/* ---- frames ---- */

static void
channel(const char *name, const char *data) {
  textf(&x,
        "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"%s\","
        "\"data\":%s}}",
        name, data);
}

static void
book(const char *s, const char *ids, const char *bids, const char *asks) {
  char name[96], data[2048];
  (void)snprintf(name, sizeof name, "book.%s.100ms", s);
  (void)snprintf(data, sizeof data,
                 "{\"timestamp\":1700000000123,%s,\"instrument_name\":\"%s\",\"bids\":[%s],"
                 "\"asks\":[%s]}",
                 ids, s, bids, asks);
  channel(name, data);
}

static void
whole(const char *s, unsigned id, const char *bids, const char *asks) {
  char ids[96];
  (void)snprintf(ids, sizeof ids, "\"type\":\"snapshot\",\"change_id\":%u", id);
  book(s, ids, bids, asks);
}

static void
change(const char *s, unsigned prev, unsigned id, const char *bids, const char *asks) {
  char ids[96];
  (void)snprintf(ids, sizeof ids, "\"type\":\"change\",\"change_id\":%u,\"prev_change_id\":%u", id,
                 prev);
  book(s, ids, bids, asks);
}

static void
valid(const char *s, unsigned id) {
  whole(s, id, "[\"new\",10,1],[\"new\",9.5,20]", "[\"new\",11,1]");
  cr_assert_eq(book_of(&x, s)->state, MD_BOOK_VALID);
}

/* The body's fields as the record's JSON writes them, all of them in the table's order. */
static void
assert_fields(const md_record_t *rec, const char *fields) {
  static char json[8192];
  cr_assert_gt(md_record_json(rec, NULL, json, sizeof json), 0);
  json_leave_out_absent(json, rec);
  cr_assert(strstr(json, fields), "%s\nis not in\n%s", fields, json);
}

/* ---- every field ---- */

Test(deribit, book_fields) {
  whole(P, 100, "[\"new\",76914.0,1.0002e6],[\"new\",76871.5,3.0e6]", "[\"new\",77023,10]");
  const md_record_t *rec = last_of(&x, MD_RECORD_BOOK_SNAPSHOT);
  cr_assert_eq(rec->exch_seq, 100);
  cr_assert_eq(rec->ts_exch_ns, 1700000000123000000);
  cr_assert_eq(rec->flags, MD_FLAG_LAST | MD_FLAG_SNAPSHOT);
  assert_fields(rec, "\"exch_seq_first\":100,\"exch_seq_prev\":null,\"bid_cnt\":2,\"ask_cnt\":1,"
                     "\"bid_total\":2,\"ask_total\":1,\"limit\":0,"
                     "\"bids\":[[\"76914\",\"1000200\"],[\"76871.5\",\"3000000\"]],"
                     "\"asks\":[[\"77023\",\"10\"]]}");
  change(P, 100, 130, "[\"delete\",76914.0,0.0],[\"new\",76900,7]", "[\"change\",77023.0,2.5e1]");
  rec = last_of(&x, MD_RECORD_BOOK_DELTA);
  cr_assert_eq(rec->exch_seq, 130);
  cr_assert_eq(rec->ts_exch_ns, 1700000000123000000);
  cr_assert_eq(rec->flags, MD_FLAG_LAST | MD_FLAG_RESYNC);
  assert_fields(rec,
                "\"exch_seq_first\":130,\"exch_seq_prev\":100,\"bid_cnt\":2,\"ask_cnt\":1,"
                "\"bid_total\":2,\"ask_total\":1,"
                "\"bids\":[[\"76914\",\"0\"],[\"76900\",\"7\"]],\"asks\":[[\"77023\",\"25\"]]}");
}

Test(deribit, trade_fields) {
  channel("trades." P ".100ms",
          "[{\"timestamp\":1700000000994,\"price\":76917.5,\"amount\":8450.0,\"direction\":\"buy\","
          "\"index_price\":76906.67,\"instrument_name\":\"" P "\",\"trade_seq\":140284854,"
          "\"mark_price\":76917.12,\"tick_direction\":0,\"trade_id\":\"267258393\","
          "\"contracts\":845.0,\"starbase_timestamp\":1700000000994718924},"
          "{\"timestamp\":1700000000995,\"price\":76917,\"amount\":10,\"direction\":\"sell\","
          "\"instrument_name\":\"" P "\",\"trade_seq\":140284855,\"trade_id\":\"ETH-267258394\"}]");
  cr_assert_str_eq(types(&x), "definition trade trade_detail trade ");
  const md_record_t *rec = nth(&x, MD_RECORD_TRADE, 0);
  cr_assert_eq(rec->exch_seq, 140284854);
  cr_assert_eq(rec->ts_exch_ns, 1700000000994000000);
  cr_assert_eq(rec->flags, MD_FLAG_LAST);
  assert_fields(rec, "\"px\":\"76917.5\",\"qty\":\"8450\",\"trade_id\":267258393,"
                     "\"ts_match_ns\":1700000000994718924,\"side\":\"B\",\"origin\":0}");
  assert_fields(nth(&x, MD_RECORD_TRADE, 1),
                "\"px\":\"76917\",\"qty\":\"10\",\"trade_id\":267258394,"
                "\"ts_match_ns\":1700000000995000000,\"side\":\"S\",\"origin\":0}");
  cr_assert_eq(book_of(&x, P)->trades.cnt, 2);
}

static void
one_trade(unsigned seq, const char *more) {
  char data[512];
  (void)snprintf(data, sizeof data,
                 "[{\"timestamp\":1700000000995,\"price\":100,\"amount\":10,\"direction\":\"sell\","
                 "\"instrument_name\":\"" P "\",\"trade_seq\":%u,\"trade_id\":\"%u\"%s}]",
                 seq, 5000 + seq, more);
  channel("trades." P ".raw", data);
}

Test(deribit, liquidations_say_whose_order_it_was) {
  one_trade(1, ",\"liquidation\":\"T\"");
  one_trade(2, ",\"liquidation\":\"M\"");
  one_trade(3, ",\"liquidation\":\"MT\"");
  cr_assert_str_eq(types(&x),
                   "definition trade trade_detail liquidation trade trade_detail liquidation "
                   "trade trade_detail liquidation liquidation ");
  const char *expected[] = {"S", "B", "B", "S"};
  for (uint32_t n = 0; n < MD_CNT(expected); n++) {
    char fields[256];
    (void)snprintf(fields, sizeof fields,
                   "\"px\":\"100\",\"avg_px\":\"100\",\"qty\":\"10\",\"filled_qty\":\"10\","
                   "\"ts_match_ns\":1700000000995000000,\"side\":\"%s\"}",
                   expected[n]);
    assert_fields(nth(&x, MD_RECORD_LIQUIDATION, n), fields);
  }
}

Test(deribit, block_and_combination_trades_are_off_the_book) {
  one_trade(1, ",\"block_trade_id\":\"BLOCK-1\"");
  one_trade(2, ",\"block_rfq_id\":7");
  one_trade(3, ",\"combo_id\":\"BTC-FS-27SEP24_PERP\"");
  one_trade(4, ",\"block_trade_id\":null");
  cr_assert_eq(book_of(&x, P)->trades.cnt, 4, "they are trades of the market all the same");
  for (uint32_t n = 0; n < 4; n++) {
    const md_record_t *rec  = nth(&x, MD_RECORD_TRADE, n);
    const md_trade_t  *body = body_of(rec);
    cr_assert_eq((rec->flags & MD_FLAG_OFF_BOOK) != 0, n < 3);
    cr_assert_eq(body->origin, MD_ORIGIN_MARKET);
  }
}

Test(deribit, trades_are_numbered_one_by_one) {
  one_trade(7, "");
  one_trade(7, "");
  one_trade(6, "");
  cr_assert_eq(count(&x, MD_RECORD_TRADE), 1);
  cr_assert_eq(counter(&x, MD_COUNTER_DUPLICATES), 2);
  one_trade(10, "");
  const md_gap_t *g = body_of(last_of(&x, MD_RECORD_GAP));
  cr_assert_eq(g->record_type, MD_RECORD_TRADE);
  cr_assert_eq(g->exch_seq_last, 7);
  cr_assert_eq(g->exch_seq_seen, 10);
  cr_assert_eq(count(&x, MD_RECORD_TRADE), 2);
}

Test(deribit, a_bad_trade_in_an_array_publishes_none_of_it) {
  channel("trades." P ".100ms",
          "[{\"timestamp\":1700000000994,\"price\":1,\"amount\":1,\"direction\":\"buy\","
          "\"instrument_name\":\"" P "\",\"trade_seq\":1,\"trade_id\":\"1\"},"
          "{\"timestamp\":1700000000994,\"price\":null,\"amount\":1,\"direction\":\"buy\","
          "\"instrument_name\":\"" P "\",\"trade_seq\":2,\"trade_id\":\"2\"}]");
  cr_assert_eq(count(&x, MD_RECORD_TRADE), 0);
  cr_assert_eq(counter(&x, MD_COUNTER_PARSE_ERRORS), 1);
}

Test(deribit, perpetual_ticker_fields) {
  channel("ticker." P ".100ms",
          "{\"timestamp\":1700000000086,\"state\":\"open\",\"stats\":{\"high\":93612.0,"
          "\"low\":89277.5,\"price_change\":2.3275,\"volume\":11897.27640428,"
          "\"volume_usd\":1092371540.0,\"volume_notional\":1092371541.0},"
          "\"index_price\":92263.55,\"instrument_name\":\"" P "\",\"last_price\":92283.5,"
          "\"settlement_price\":92464.66,\"open_interest\":1132329370.0,\"mark_price\":92281.78,"
          "\"best_ask_price\":92284.0,\"best_bid_price\":92283.5,"
          "\"estimated_delivery_price\":92263.54,\"best_ask_amount\":186520.0,"
          "\"best_bid_amount\":117660.0,\"current_funding\":1.742e-05,\"funding_8h\":2e-5}");
  const md_record_t *rec = last_of(&x, MD_RECORD_TICKER);
  cr_assert_eq(rec->ts_exch_ns, 1700000000086000000);
  assert_fields(
      rec, "\"ts_open_ns\":null,\"ts_close_ns\":1700000000086000000,\"last_px\":\"92283.5\","
           "\"last_qty\":null,\"open\":null,\"high\":\"93612\",\"low\":\"89277.5\","
           "\"bid_px\":\"92283.5\",\"bid_qty\":\"117660\",\"ask_px\":\"92284\","
           "\"ask_qty\":\"186520\",\"volume\":\"11897.27640428\",\"turnover\":\"1092371541\","
           "\"vwap\":null,\"change\":null,\"change_percent\":\"2.3275\",\"trade_id_first\":null,"
           "\"trade_id_last\":null,\"trade_cnt\":null,"
           "\"volume_usd\":\"1092371540\",\"settlement_px\":\"92464.66\",\"trading\":1}");
  assert_fields(last_of(&x, MD_RECORD_MARK),
                "\"mark_px\":\"92281.78\",\"settle_px\":\"92263.54\"}");
  assert_fields(last_of(&x, MD_RECORD_INDEX), "\"index_px\":\"92263.55\"}");
  assert_fields(last_of(&x, MD_RECORD_OPEN_INTEREST),
                "\"contracts\":null,\"base_qty\":null,\"quote_qty\":\"1132329370\"}");
  assert_fields(last_of(&x, MD_RECORD_FUNDING),
                "\"rate\":\"0.00001742\",\"predicted\":null,\"ts_next_ns\":null,"
                "\"interval_s\":28800,\"rate_8h\":\"0.00002\"}");
  cr_assert_eq(count(&x, MD_RECORD_GREEKS), 0);
}

Test(deribit, option_ticker_fields) {
  channel("ticker." O ".raw",
          "{\"timestamp\":1700000000096,\"state\":\"open\",\"stats\":{\"high\":0.0118,"
          "\"low\":0.0065,\"price_change\":-38.6792,\"volume\":1555.0,\"volume_usd\":1268694.68},"
          "\"greeks\":{\"delta\":0.47736,\"gamma\":2.8e-4,\"vega\":18.43602,\"theta\":-217.49347,"
          "\"rho\":1.31068},\"index_price\":0.61,\"instrument_name\":\"" O "\","
          "\"last_price\":null,\"open_interest\":534.4,\"mark_price\":0.0069,"
          "\"estimated_delivery_price\":\"expired\",\"best_ask_price\":0.0075,"
          "\"best_bid_price\":0.0,\"mark_iv\":31.2,\"bid_iv\":0.0,\"ask_iv\":33.74,"
          "\"underlying_price\":0.6142,\"underlying_index\":\"SYN.X\",\"best_ask_amount\":10.0,"
          "\"best_bid_amount\":0.0}");
  assert_fields(last_of(&x, MD_RECORD_TICKER),
                "\"last_px\":null,\"last_qty\":null,\"open\":null,\"high\":\"0.0118\","
                "\"low\":\"0.0065\",\"bid_px\":null,\"bid_qty\":null,\"ask_px\":\"0.0075\","
                "\"ask_qty\":\"10\",\"volume\":\"1555\",\"turnover\":\"1268694.68\",\"vwap\":null,"
                "\"change\":null,\"change_percent\":\"-38.6792\"");
  assert_fields(
      last_of(&x, MD_RECORD_GREEKS),
      "\"delta\":\"0.47736\",\"gamma\":\"0.00028\",\"vega\":\"18.43602\","
      "\"theta\":\"-217.49347\",\"rho\":\"1.31068\",\"mark_iv\":\"31.2\",\"bid_iv\":\"0\","
      "\"ask_iv\":\"33.74\",\"underlying\":\"0.6142\",\"underlying_name\":\"SYN.X\"}");
  assert_fields(last_of(&x, MD_RECORD_MARK), "\"mark_px\":\"0.0069\",\"settle_px\":null}");
  assert_fields(last_of(&x, MD_RECORD_OPEN_INTEREST),
                "\"contracts\":null,\"base_qty\":\"534.4\",\"quote_qty\":null}");
  cr_assert_eq(count(&x, MD_RECORD_FUNDING), 0);
}

Test(deribit, quote_fields) {
  channel("quote." P, "{\"timestamp\":1700000000174,\"instrument_name\":\"" P "\","
                      "\"best_ask_price\":92288.5,\"best_bid_price\":0.0,"
                      "\"best_ask_amount\":99470.0,\"best_bid_amount\":0.0}");
  assert_fields(last_of(&x, MD_RECORD_BBO),
                "\"bid_px\":null,\"bid_qty\":null,\"ask_px\":\"92288.5\",\"ask_qty\":\"99470\"}");
}

Test(deribit, index_fields) {
  channel("deribit_volatility_index.btc_usd",
          "{\"timestamp\":1700000000007,\"volatility\":129.36,\"index_name\":\"btc_usd\"}");
  cr_assert_eq(last_of(&x, MD_RECORD_VOLATILITY_INDEX)->ts_exch_ns, 1700000000007000000);
  assert_fields(last_of(&x, MD_RECORD_VOLATILITY_INDEX),
                "\"open\":null,\"high\":null,\"low\":null,\"value\":\"129.36\"}");
  cr_assert_eq(book_of(&x, "btc_usd")->definition->kind, MD_KIND_INDEX);
  cr_assert_str_eq(book_of(&x, "btc_usd")->definition->base, "BTC");
  channel("deribit_price_index.btc_usd",
          "{\"timestamp\":1700000000008,\"price\":3937.89,\"index_name\":\"btc_usd\"}");
  assert_fields(last_of(&x, MD_RECORD_INDEX), "\"index_px\":\"3937.89\"}");
  channel("perpetual.ETH-PERPETUAL.100ms",
          "{\"index_price\":86744.11,\"interest\":1.423032929843748e-4,"
          "\"timestamp\":1700000000887}");
  assert_fields(last_of(&x, MD_RECORD_FUNDING), "\"rate\":\"0.0001423032929843748\"");
  assert_fields(last_of(&x, MD_RECORD_INDEX), "\"index_px\":\"86744.11\"}");
  cr_assert_eq(last_of(&x, MD_RECORD_INDEX)->instrument, book_of(&x, "ETH-PERPETUAL")->id);
}

Test(deribit, platform_state_is_a_status_of_the_venue_or_an_index) {
  channel("platform_state", "{\"maintenance\":true}");
  const md_record_t *rec = last_of(&x, MD_RECORD_STATUS);
  cr_assert_eq(rec->instrument, 0);
  cr_assert_eq(rec->flags, MD_FLAG_LAST);
  assert_fields(rec, "\"subject\":2,\"before\":0,\"after\":2,\"reason\":0,\"gen\":0");
  channel("platform_state", "{\"price_index\":\"btc_usd\",\"locked\":true}");
  rec = last_of(&x, MD_RECORD_STATUS);
  cr_assert_eq(rec->instrument, book_of(&x, "btc_usd")->id);
  assert_fields(rec, "\"subject\":3,\"before\":0,\"after\":2,\"reason\":0,\"gen\":0");
  channel("platform_state", "{\"price_index\":\"btc_usd\",\"locked\":false}");
  assert_fields(last_of(&x, MD_RECORD_STATUS), "\"subject\":3,\"before\":2,\"after\":1");
  cr_assert_eq(counter(&x, MD_COUNTER_PARSE_ERRORS), 0);
}

/* ---- the list of instruments ---- */

static const char list[] =
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":["
    "{\"kind\":\"future\",\"instrument_name\":\"" P "\",\"instrument_type\":\"reversed\","
    "\"expiration_timestamp\":32503708800000,\"is_active\":true,\"tick_size\":0.5,"
    "\"contract_size\":10.0,\"min_trade_amount\":10.0,\"settlement_currency\":\"BTC\","
    "\"settlement_period\":\"perpetual\",\"base_currency\":\"BTC\",\"quote_currency\":\"USD\","
    "\"tick_size_steps\":[]},"
    "{\"kind\":\"option\",\"instrument_name\":\"BTC-27SEP24-60000-P\",\"option_type\":\"put\","
    "\"strike\":60000.0,\"instrument_type\":\"reversed\",\"expiration_timestamp\":1727424000001,"
    "\"state\":\"open\",\"is_active\":true,\"tick_size\":0.0005,\"contract_size\":1.0,"
    "\"min_trade_amount\":0.1,\"settlement_currency\":\"BTC\",\"base_currency\":\"BTC\","
    "\"quote_currency\":\"BTC\",\"tick_size_steps\":[{\"above_price\":0.005,"
    "\"tick_size\":0.00005}]},"
    "{\"kind\":\"future\",\"instrument_name\":\"BTC_USDC-27SEP24\",\"instrument_type\":\"linear\","
    "\"expiration_timestamp\":1727424000000,\"is_active\":false,\"tick_size\":1,"
    "\"contract_size\":1e-4,\"min_trade_amount\":1e-4,\"settlement_currency\":\"USDC\","
    "\"base_currency\":\"BTC\",\"quote_currency\":\"USDC\"},7,"
    "{\"kind\":\"spot\",\"instrument_name\":\"BTC_USDC\",\"is_active\":true,\"tick_size\":1}]}";

static void
see_all(void) {
  whole(P, 1, "", "");
  whole("BTC-27SEP24-60000-P", 1, "", "");
  whole("BTC_USDC-27SEP24", 1, "", "");
}

static void
assert_listed(void) {
  assert_fields(nth(&x, MD_RECORD_DEFINITION, 0),
                "\"symbol\":\"" P "\",\"normalised\":\"BTC-USD\",\"base\":\"BTC\","
                "\"quote\":\"USD\",\"settle\":\"BTC\",\"tick_size\":\"0.5\",\"lot_size\":\"10\","
                "\"min_qty\":\"10\",\"min_notional\":null,\"contract_size\":\"10\",\"strike\":null,"
                "\"expiry_ns\":null,\"kind\":1,\"trading\":1,\"option_type\":0,\"inverse\":true}");
  assert_fields(nth(&x, MD_RECORD_DEFINITION, 1),
                "\"symbol\":\"BTC-27SEP24-60000-P\",\"normalised\":\"BTC-27SEP24-60000-P\","
                "\"base\":\"BTC\",\"quote\":\"BTC\",\"settle\":\"BTC\",\"tick_size\":\"0.0005\","
                "\"lot_size\":\"0.1\",\"min_qty\":\"0.1\",\"min_notional\":null,"
                "\"contract_size\":\"1\",\"strike\":\"60000\",\"expiry_ns\":1727424000001000000,"
                "\"kind\":3,\"trading\":1,\"option_type\":2,\"inverse\":false}");
  assert_fields(nth(&x, MD_RECORD_DEFINITION, 2),
                "\"symbol\":\"BTC_USDC-27SEP24\",\"normalised\":\"BTC_USDC-27SEP24\","
                "\"base\":\"BTC\",\"quote\":\"USDC\",\"settle\":\"USDC\",\"tick_size\":\"1\","
                "\"lot_size\":\"0.0001\",\"min_qty\":\"0.0001\",\"min_notional\":null,"
                "\"contract_size\":\"0.0001\",\"strike\":null,\"expiry_ns\":1727424000000000000,"
                "\"kind\":2,\"trading\":2,\"option_type\":0,\"inverse\":false}");
  cr_assert_eq(book_of(&x, "BTC-27SEP24-60000-P")->px_exp, -5, "the finest step of all bands");
}

Test(deribit, list_of_instruments_by_rest) {
  give(&x, MD_RAW_HTTP,
       "https://www.deribit.com/api/v2/public/get_instruments?currency=any&expired=false", list,
       sizeof list - 1);
  see_all();
  assert_listed();
  cr_assert_eq(counter(&x, MD_COUNTER_PARSE_ERRORS), 1, "7 is no instrument");
}

Test(deribit, list_of_instruments_by_websocket) {
  text(&x, list);
  see_all();
  assert_listed();
}

Test(deribit, names_say_what_an_instrument_is) {
  static const struct {
    const char *symbol, *fields;
  } rows[] = {
      {"ETH-PERPETUAL", "\"normalised\":\"ETH-USD\",\"base\":\"ETH\",\"quote\":\"USD\","
                        "\"settle\":\"ETH\""},
      {"SOL_USDC-PERPETUAL", "\"normalised\":\"SOL-USDC\",\"base\":\"SOL\",\"quote\":\"USDC\","
                             "\"settle\":\"USDC\""},
      {"BTC-27SEP24", "\"strike\":null,\"expiry_ns\":1727424000000000000,\"kind\":2,\"trading\":0,"
                      "\"option_type\":0,\"inverse\":true"},
      {"BTC-5JAN24-60000-C", "\"strike\":\"60000\",\"expiry_ns\":1704441600000000000,\"kind\":3,"
                             "\"trading\":0,\"option_type\":1,\"inverse\":false"},
      {O, "\"strike\":\"0.625\",\"expiry_ns\":1725004800000000000,\"kind\":3,\"trading\":0,"
          "\"option_type\":1,\"inverse\":false"},
      {"ETH-29FEB24-3000-P", "\"strike\":\"3000\",\"expiry_ns\":1709193600000000000,\"kind\":3"},
      {"BTC-XX", "\"expiry_ns\":null,\"kind\":2"},
  };
  for (uint32_t n = 0; n < MD_CNT(rows); n++) {
    whole(rows[n].symbol, 1, "", "");
    assert_fields(last_of(&x, MD_RECORD_DEFINITION), rows[n].fields);
  }
}

/* ---- control ---- */

Test(deribit, answers_and_heartbeats_are_known_and_errors_counted) {
  text(&x, "{\"params\":{\"type\":\"heartbeat\"},\"method\":\"heartbeat\",\"jsonrpc\":\"2.0\"}");
  text(&x, "{\"params\":{\"type\":\"test_request\"},\"method\":\"heartbeat\",\"jsonrpc\":\"2.0\"}");
  text(&x, "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":[\"book." P ".100ms\"],\"usIn\":1,"
           "\"testnet\":false}");
  text(&x, "{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":[]}");
  text(&x, "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":\"ok\"}");
  text(&x, "{\"jsonrpc\":\"2.0\",\"id\":6,\"result\":{\"version\":\"1.2.26\"}}");
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 0);
  text(&x, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":11050,\"data\":\"invalid json\","
           "\"message\":\"bad_request\"},\"usIn\":1}");
  channel("chart.trades." P ".1", "{\"tick\":1}");
  channel("book." P ".none.20.100ms", "{\"timestamp\":1,\"change_id\":5,\"bids\":[[1,2]],"
                                      "\"asks\":[]}");
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 3);
  cr_assert_eq(counter(&x, MD_COUNTER_PARSE_ERRORS), 0);
  cr_assert_eq(x.cnt, 0);
}

/* ---- cases ---- */

Test(deribit, case_36_every_form_of_a_number_is_exact) {
  whole(P, 1, "[\"new\",1054.0,1.0002e6],[\"new\",1e-5,2.8e-4],[\"new\",2.7E+2,10.0]",
        "[\"new\",2700,3.0e6],[\"new\",1.0002e6,0.1]");
  assert_fields(last_of(&x, MD_RECORD_BOOK_SNAPSHOT),
                "\"bids\":[[\"1054\",\"1000200\"],[\"270\",\"10\"],[\"0.00001\",\"0.00028\"]],"
                "\"asks\":[[\"2700\",\"3000000\"],[\"1000200\",\"0.1\"]]");
}

Test(deribit, case_37_ids_behind_the_levels_decide_before_any_level_is_applied) {
  char before[65], after[65];
  valid(P, 100);
  digest_of(&x, P, before);
  channel("book." P ".100ms",
          "{\"bids\":[[\"new\",10.5,7]],\"asks\":[],\"timestamp\":1700000000001,"
          "\"instrument_name\":\"" P "\",\"type\":\"change\",\"change_id\":300,"
          "\"prev_change_id\":200}");
  digest_of(&x, P, after);
  cr_assert_str_eq(before, after);
  assert_gap(last_of(&x, MD_RECORD_GAP), 100, 300, MD_REASON_SEQUENCE);
  cr_assert_eq(book_of(&x, P)->state, MD_BOOK_STALE);
  cr_assert_eq(count(&x, MD_RECORD_BOOK_DELTA), 0);
}

Test(deribit, case_38_a_book_without_type_or_predecessor_is_a_snapshot) {
  book(P, "\"change_id\":50", "[\"new\",10,1]", "");
  cr_assert_eq(book_of(&x, P)->state, MD_BOOK_VALID);
  book("BTC-27SEP24", "\"type\":\"change\",\"prev_change_id\":0,\"change_id\":51", "[\"new\",9,1]",
       "");
  cr_assert_eq(book_of(&x, "BTC-27SEP24")->state, MD_BOOK_VALID);
  book("ETH-PERPETUAL", "\"type\":\"snapshot\",\"prev_change_id\":null,\"change_id\":52", "", "");
  cr_assert_eq(book_of(&x, "ETH-PERPETUAL")->state, MD_BOOK_VALID);
  book("ETH-27SEP24", "\"type\":\"snapshot\",\"prev_change_id\":20,\"change_id\":53", "", "");
  cr_assert_eq(book_of(&x, "ETH-27SEP24")->state, MD_BOOK_VALID);
}

Test(deribit, case_38_a_change_that_names_no_predecessor_is_no_snapshot) {
  valid(P, 100);
  book(P, "\"type\":\"change\",\"change_id\":110", "[\"new\",10.5,1]", "");
  cr_assert_eq(book_of(&x, P)->state, MD_BOOK_STALE);
  cr_assert_eq(book_of(&x, P)->reason, MD_REASON_BAD_MESSAGE);
}

Test(deribit, case_38_a_change_behind_id_0_continues_the_book_that_began_with_it) {
  whole(P, 0, "[\"new\",10,1],[\"new\",9,2]", "");
  change(P, 0, 30, "[\"change\",10,5]", "");
  cr_assert_eq(book_of(&x, P)->book.bids.cnt, 2);
  cr_assert_str_eq(best(&x, P, MD_SIDE_BUY), "10x5");
  change(P, 0, 40, "[\"new\",8,1]", "");
  cr_assert_eq(book_of(&x, P)->book.bids.cnt, 1, "behind another id it is a book of its own");
}

Test(deribit, case_38_delete_of_an_absent_and_new_of_a_present_price_are_tolerated) {
  valid(P, 100);
  change(P, 100, 101, "[\"delete\",3,0.0],[\"new\",10,8],[\"change\",9,4]", "");
  cr_assert_eq(book_of(&x, P)->state, MD_BOOK_VALID);
  cr_assert_eq(counter(&x, MD_COUNTER_ABSENT_DELETES), 1);
  cr_assert_str_eq(best(&x, P, MD_SIDE_BUY), "10x8");
  cr_assert_eq(book_of(&x, P)->book.bids.cnt, 3);
}

Test(deribit, case_40_after_a_gap_changes_are_ignored_until_the_snapshot) {
  valid(P, 100);
  valid("ETH-PERPETUAL", 500);
  change(P, 105, 106, "[\"new\",10.5,1]", "");
  cr_assert_eq(x.request_cnt, 1);
  cr_assert_eq(x.requested_id, book_of(&x, P)->id);
  change(P, 106, 107, "[\"new\",10.6,1]", "");
  change(P, 100, 108, "[\"new\",10.7,1]", "");
  cr_assert_eq(book_of(&x, P)->state, MD_BOOK_STALE);
  cr_assert_eq(count(&x, MD_RECORD_BOOK_DELTA), 0);
  cr_assert_eq(book_of(&x, "ETH-PERPETUAL")->state, MD_BOOK_VALID, "no other book is touched");
  (void)types(&x);
  whole(P, 120, "[\"new\",10.8,1]", "");
  cr_assert_str_eq(types(&x), "book_snapshot status ");
  cr_assert_eq(book_of(&x, P)->state, MD_BOOK_VALID);
  cr_assert_eq(book_of(&x, P)->exch_seq, 120);
  cr_assert_eq(book_of(&x, P)->gen, 2);
  cr_assert_str_eq(best(&x, P, MD_SIDE_BUY), "10.8x1");
  cr_assert_eq(book_of(&x, P)->book.bids.cnt, 1);
  change(P, 120, 121, "[\"new\",10.9,1]", "");
  cr_assert_eq(last_of(&x, MD_RECORD_BOOK_DELTA)->flags & MD_FLAG_RESYNC, MD_FLAG_RESYNC);
  cr_assert_eq(counter(&x, MD_COUNTER_GAPS), 1);
}

Test(deribit, case_40_what_waited_and_continues_the_snapshot_is_applied) {
  valid(P, 100);
  change(P, 105, 106, "[\"new\",10.5,1]", "");
  change(P, 106, 107, "[\"new\",10.6,1]", "");
  whole(P, 106, "[\"new\",10.5,1]", "");
  cr_assert_eq(book_of(&x, P)->exch_seq, 107);
  cr_assert_str_eq(best(&x, P, MD_SIDE_BUY), "10.6x1");
  cr_assert_eq(book_of(&x, P)->state, MD_BOOK_VALID);
}

Test(deribit, case_41_a_lost_connection_leaves_no_book_valid) {
  valid(P, 100);
  valid(O, 7);
  disconnect(&x);
  cr_assert_eq(book_of(&x, P)->state, MD_BOOK_STALE);
  cr_assert_eq(book_of(&x, O)->state, MD_BOOK_STALE);
  cr_assert_eq(book_of(&x, O)->reason, MD_REASON_DISCONNECT);
  change(P, 100, 101, "[\"new\",10.5,1]", "");
  cr_assert_eq(book_of(&x, P)->state, MD_BOOK_SYNCING, "the next change alone makes no book");
  valid(P, 90);
}

Test(deribit, case_42_a_refused_subscription_changes_nothing) {
  valid(P, 100);
  (void)types(&x);
  text(&x, "{\"jsonrpc\":\"2.0\",\"id\":5,\"error\":{\"code\":13778,\"message\":"
           "\"raw_subscriptions_not_available_for_unauthorized\"},\"usIn\":1}");
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 1);
  cr_assert_str_eq(types(&x), "");
  cr_assert_eq(book_of(&x, P)->state, MD_BOOK_VALID);
}

Test(deribit, case_43_empty_and_one_sided_books_are_valid_and_have_no_price_of_zero) {
  whole(O, 0, "", "");
  cr_assert_eq(book_of(&x, O)->state, MD_BOOK_VALID);
  cr_assert_str_eq(best(&x, O, MD_SIDE_BUY), "-");
  cr_assert_str_eq(best(&x, O, MD_SIDE_SELL), "-");
  change(O, 0, 9, "", "[\"new\",0.0075,10]");
  cr_assert_eq(book_of(&x, O)->state, MD_BOOK_VALID);
  cr_assert_str_eq(best(&x, O, MD_SIDE_BUY), "-");
  cr_assert_str_eq(best(&x, O, MD_SIDE_SELL), "0.0075x10");
  channel("ticker." O ".100ms",
          "{\"timestamp\":1700000000048,\"stats\":{\"volume\":null,\"price_change\":null,"
          "\"low\":null,\"high\":null},\"last_price\":null,\"instrument_name\":\"" O "\","
          "\"best_bid_price\":0,\"best_bid_amount\":0,\"best_ask_price\":0.0075,"
          "\"best_ask_amount\":10}");
  assert_fields(last_of(&x, MD_RECORD_TICKER),
                "\"high\":null,\"low\":null,\"bid_px\":null,\"bid_qty\":null,"
                "\"ask_px\":\"0.0075\",\"ask_qty\":\"10\",\"volume\":null,\"turnover\":null,"
                "\"vwap\":null,\"change\":null,\"change_percent\":null");
}

static void
state(const char *s, const char *word) {
  char data[256];
  (void)snprintf(data, sizeof data,
                 "{\"timestamp\":1700000000553,\"state\":\"%s\",\"instrument_name\":\"%s\"}", word,
                 s);
  channel("instrument.state.any.any", data);
}

Test(deribit, case_44_instruments_come_and_end_while_others_stay_where_they_are) {
  valid(P, 100);
  const md_feed_instrument_t *live = book_of(&x, P);
  state(O, "created");
  cr_assert_eq(md_feed_instrument_cnt(x.feed), 1, "nobody uses it yet");
  valid(O, 7);
  state(O, "started");
  assert_fields(last_of(&x, MD_RECORD_STATUS),
                "\"subject\":3,\"before\":0,\"after\":1,\"reason\":0");
  cr_assert_eq(((const md_definition_t *)body_of(last_of(&x, MD_RECORD_DEFINITION)))->trading,
               MD_TRADING_ON);
  cr_assert_eq(book_of(&x, P), live, "live entries do not move");
  cr_assert_eq(live->state, MD_BOOK_VALID);
  state(O, "settled");
  const md_feed_instrument_t *ended = book_of(&x, O);
  cr_assert_eq(ended->state, MD_BOOK_STALE);
  cr_assert_eq(ended->reason, MD_REASON_DELISTED);
  cr_assert_eq(ended->definition->trading, MD_TRADING_ENDED);
  (void)types(&x);
  state(O, "terminated");
  change(O, 7, 8, "[\"new\",1,1]", "");
  cr_assert_str_eq(types(&x), "", "it is over already");
  cr_assert_eq(live->state, MD_BOOK_VALID);
}

Test(deribit, case_45_broken_frames_break_their_own_book_only) {
  static const char *const bad[] = {"[\"new\",10]",
                                    "[\"new\",1e400,1]",
                                    "[\"new\",-0,1]",
                                    "[\"new\",NaN,1]",
                                    "[\"bad\",10,1]",
                                    "[\"new\",10,-1]",
                                    "[\"new\",0,1]",
                                    "[\"new\",01,1]",
                                    "[\"new\",1234567890123456789012345678901234567890,1]",
                                    "[10,1]"};
  for (unsigned n = 0; n < MD_CNT(bad); n++) {
    whole(P, 100 + n * 10, "[\"new\",10,1]", "");
    valid("ETH-PERPETUAL", 500 + n);
    cr_assert_eq(book_of(&x, P)->state, MD_BOOK_VALID);
    change(P, 100 + n * 10, 101 + n * 10, bad[n], "");
    cr_assert_eq(book_of(&x, P)->state, MD_BOOK_STALE, "%s", bad[n]);
    cr_assert_eq(book_of(&x, "ETH-PERPETUAL")->state, MD_BOOK_VALID, "%s", bad[n]);
  }
}

Test(deribit, case_56_unknown_fields_and_orders_are_ignored) {
  valid(P, 100);
  channel("book." P ".100ms",
          "{\"asks\":[],\"new_field\":{\"a\":[1,{\"b\":null}]},\"bids\":[[\"new\",10.5,1,\"x\",5]],"
          "\"change_id\":101,\"type\":\"change\",\"prev_change_id\":100,"
          "\"timestamp\":1700000000001}");
  cr_assert_str_eq(best(&x, P, MD_SIDE_BUY), "10.5x1");
}

/* ---- two connections ---- */

Test(deribit, repeats_of_a_second_connection_are_dropped) {
  valid(P, 100);
  x.leg = 1;
  whole(P, 100, "[\"new\",10,1],[\"new\",9.5,20]", "[\"new\",11,1]");
  cr_assert_eq(book_of(&x, P)->gen, 1);
  x.leg = 0;
  change(P, 100, 101, "[\"new\",10.5,1]", "");
  x.leg = 1;
  change(P, 100, 101, "[\"new\",10.5,1]", "");
  change(P, 101, 102, "[\"new\",10.6,1]", "");
  cr_assert_eq(count(&x, MD_RECORD_BOOK_DELTA), 2);
  cr_assert_eq(counter(&x, MD_COUNTER_DUPLICATES), 2);
  cr_assert_eq(book_of(&x, P)->state, MD_BOOK_VALID);
}

Test(deribit, an_own_second_snapshot_replaces_the_book) {
  valid(P, 100);
  whole(P, 90, "[\"new\",8,1]", "");
  cr_assert_eq(book_of(&x, P)->exch_seq, 90);
  cr_assert_str_eq(best(&x, P, MD_SIDE_BUY), "8x1");
  cr_assert_str_eq(best(&x, P, MD_SIDE_SELL), "-");
  cr_assert_eq(book_of(&x, P)->gen, 2);
}
