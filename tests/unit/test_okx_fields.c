/* Every field of every message type of OKX, from the text of a frame to the record: nothing is
 * rounded, nothing is lost, and what is absent stays absent. */
#include "tests/unit/okx_fixture.h"

static fixture_t x;

static void
setup(void) {
  okx_init(&x, "okx_derivatives");
}

static void
teardown(void) {
  fixture_fini(&x);
}

TestSuite(okx_fields, .init = setup, .fini = teardown);

/* The record as JSON, from '"px"' or the like on: every field of the body by name. */
static const char *
fields(const md_record_t *rec) {
  static char out[8192];
  size_t      len = md_record_json(rec, NULL, out, sizeof out);
  cr_assert_gt(len, 0);
  return out;
}

/* Says whether the record has "name":value, value as JSON. */
static void
assert_field(const md_record_t *rec, const char *name, const char *value) {
  char        want[256];
  const char *json = fields(rec);
  (void)snprintf(want, sizeof want, "\"%s\":%s", name, value);
  const char *at = strstr(json, want);
  cr_assert_not_null(at, "%s not in %s", want, json);
  if (!at) return;
  char behind = at[strlen(want)];
  cr_assert(behind == ',' || behind == '}', "%s in %s", want, json);
}

typedef struct field {
  const char *name, *value;
} field_t;

static void
assert_fields(const md_record_t *rec, const field_t *list, uint32_t cnt) {
  for (uint32_t n = 0; n < cnt; n++)
    assert_field(rec, list[n].name, list[n].value);
}

#define ASSERT_FIELDS(type, ...)                                                                   \
  do {                                                                                             \
    const field_t list[] = {__VA_ARGS__};                                                          \
    assert_fields(last_of(&x, type), list, MD_CNT(list));                                          \
  } while (0)

Test(okx_fields, book_snapshot_and_update) {
  book(&x, "snapshot", SWAP, 100, -1,
       "[\"84099.5\",\"1759.41\",\"0\",\"70\"],[\"84097.3\",\"0.5\",\"0\",\"1\"]",
       "[\"84099.6\",\"309.49\",\"0\",\"15\"]");
  const md_record_t        *rec = last_of(&x, MD_RECORD_BOOK_SNAPSHOT);
  const md_book_snapshot_t *s   = body_of(rec);
  const md_level_t         *l   = (const void *)(s + 1);
  cr_assert_eq(rec->exch_seq, 100);
  cr_assert_eq(rec->ts_exch_ns, 1790439596900000000);
  cr_assert_eq(rec->px_exp, -1);
  cr_assert_eq(rec->qty_exp, -2);
  cr_assert_eq(s->exch_seq_first, 100);
  cr_assert_eq(s->exch_seq_prev, MD_NULL_U64);
  cr_assert_eq(s->bid_total, 2);
  cr_assert_eq(s->ask_total, 1);
  cr_assert(l[0].px == 840995 && l[0].qty == 175941);
  cr_assert(l[1].px == 840973 && l[1].qty == 50);
  cr_assert(l[2].px == 840996 && l[2].qty == 30949);
  book(&x, "update", SWAP, 342177342909, 100, "[\"84097.3\",\"0\",\"0\",\"0\"]",
       "[\"84099.9\",\"0.02\",\"0\",\"2\"]");
  rec                      = last_of(&x, MD_RECORD_BOOK_DELTA);
  const md_book_delta_t *d = body_of(rec);
  l                        = (const void *)(d + 1);
  cr_assert_eq(rec->exch_seq, 342177342909);
  cr_assert_eq(d->exch_seq_first, 342177342909);
  cr_assert_eq(d->exch_seq_prev, 100);
  cr_assert(d->bid_cnt == 1 && d->ask_cnt == 1);
  cr_assert(l[0].px == 840973 && l[0].qty == 0);
  cr_assert(l[1].px == 840999 && l[1].qty == 2);
}

Test(okx_fields, best_prices) {
  push(&x, "bbo-tbt", SWAP,
       "{\"asks\":[[\"84093.5\",\"667.19\",\"0\",\"70\"]],\"bids\":[[\"84093.4\",\"570.27\",\"0\","
       "\"83\"]],\"ts\":\"1790439594900\",\"seqId\":342177336945}");
  ASSERT_FIELDS(MD_RECORD_BBO, {"bid_px", "\"84093.4\""}, {"bid_qty", "\"570.27\""},
                {"ask_px", "\"84093.5\""}, {"ask_qty", "\"667.19\""});
  cr_assert_eq(last_of(&x, MD_RECORD_BBO)->exch_seq, 342177336945);
  cr_assert_eq(last_of(&x, MD_RECORD_BBO)->ts_exch_ns, 1790439594900000000);
}

Test(okx_fields, best_prices_of_one_side) {
  push(&x, "bbo-tbt", "BTC-USD-260101-90000-C",
       "{\"asks\":[],\"bids\":[[\"0.0105\",\"13\",\"0\",\"1\"]],\"ts\":\"1790439594900\",\"seqId\":"
       "7}");
  ASSERT_FIELDS(MD_RECORD_BBO, {"bid_px", "\"0.0105\""}, {"bid_qty", "\"13\""}, {"ask_px", "null"},
                {"ask_qty", "null"});
}

Test(okx_fields, trade) {
  push(
      &x, "trades", SWAP,
      "{\"instId\":\"" SWAP
      "\",\"tradeId\":\"2953620209\",\"px\":\"84093.4\",\"sz\":\"0.01\",\"side\":"
      "\"sell\",\"ts\":\"1790439594782\",\"count\":\"1\",\"source\":\"0\",\"seqId\":342177336862}");
  ASSERT_FIELDS(MD_RECORD_TRADE, {"px", "\"84093.4\""}, {"qty", "\"0.01\""},
                {"trade_id", "2953620209"}, {"ts_match_ns", "1790439594782000000"},
                {"side", "\"S\""}, {"origin", "0"});
  cr_assert_eq(last_of(&x, MD_RECORD_TRADE)->exch_seq, 2953620209);
  cr_assert_eq(last_of(&x, MD_RECORD_TRADE)->ts_exch_ns, 1790439594782000000);
}

Test(okx_fields, fills_are_the_trades_where_both_come) {
  static const char row[] =
      "{\"instId\":\"BTC-USDT\",\"tradeId\":\"%u\",\"px\":\"9.5\",\"sz\":\"%s\","
      "\"side\":\"buy\",\"ts\":\"1790439594782\"}";
  char fill[512];
  for (unsigned id = 1; id <= 3; id++) {
    (void)snprintf(fill, sizeof fill, row, id, "2");
    push(&x, "trades-all", "BTC-USDT", "%s", fill);
  }
  (void)snprintf(fill, sizeof fill, row, 4, "6");
  push(&x, "trades", "BTC-USDT", "%s", fill);
  cr_assert_eq(count(&x, MD_RECORD_TRADE), 3);
  ASSERT_FIELDS(MD_RECORD_TRADE, {"px", "\"9.5\""}, {"qty", "\"2\""}, {"trade_id", "3"},
                {"side", "\"B\""});
}

Test(okx_fields, case_60_equal_trades_with_other_ids_are_both_kept_and_a_repeat_is_not) {
  for (unsigned n = 0; n < 3; n++)
    push(&x, "trades", SWAP,
         "{\"instId\":\"" SWAP
         "\",\"tradeId\":\"%u\",\"px\":\"5\",\"sz\":\"1\",\"side\":\"buy\",\"ts\":"
         "\"1790439594782\"}",
         n < 2 ? 10 + n : 11);
  cr_assert_eq(count(&x, MD_RECORD_TRADE), 2);
  cr_assert_eq(counter(&x, MD_COUNTER_DUPLICATES), 1);
}

Test(okx_fields, several_trades_of_one_message) {
  push(&x, "trades", SWAP,
       "{\"instId\":\"" SWAP
       "\",\"tradeId\":\"1\",\"px\":\"5\",\"sz\":\"1\",\"side\":\"buy\",\"ts\":\"1790"
       "439594782\"},{\"instId\":\"" SWAP
       "\",\"tradeId\":\"2\",\"px\":\"5\",\"sz\":\"1\",\"side\":\"buy\","
       "\"ts\":\"1790439594783\"}");
  cr_assert_eq(count(&x, MD_RECORD_TRADE), 2);
}

#define TICKER_ROW(type, id)                                                                       \
  "{\"instType\":\"" type "\",\"instId\":\"" id                                                    \
  "\",\"last\":\"30218.8\",\"lastSz\":\"1.5\",\"askPx\":"                                          \
  "\"30220.1\",\"askSz\":\"3\",\"bidPx\":\"30210.4\",\"bidSz\":\"4\",\"open24h\":\"29571.4\","     \
  "\"high24h\":"                                                                                   \
  "\"31003.3\",\"low24h\":\"27930.8\",\"sodUtc0\":\"28935.3\",\"sodUtc8\":\"30320.5\","            \
  "\"volCcy24h\":"                                                                                 \
  "\"2620.289\",\"vol24h\":\"779573\",\"ts\":\"1652459223003\"}"

Test(okx_fields, ticker_of_a_spot_market) {
  push(&x, "tickers", "BTC-USDT", TICKER_ROW("SPOT", "BTC-USDT"));
  ASSERT_FIELDS(MD_RECORD_TICKER, {"last_px", "\"30218.8\""}, {"last_qty", "\"1.5\""},
                {"open", "\"29571.4\""}, {"high", "\"31003.3\""}, {"low", "\"27930.8\""},
                {"bid_px", "\"30210.4\""}, {"bid_qty", "\"4\""}, {"ask_px", "\"30220.1\""},
                {"ask_qty", "\"3\""}, {"volume", "\"779573\""}, {"turnover", "\"2620.289\""},
                {"ts_open_ns", "1652372823003000000"}, {"ts_close_ns", "1652459223003000000"},
                {"vwap", "null"}, {"change", "null"}, {"change_percent", "null"},
                {"trade_id_first", "null"}, {"trade_id_last", "null"}, {"trade_cnt", "null"});
}

Test(okx_fields, ticker_of_a_contract_counts_contracts) {
  push(&x, "tickers", "BTC-USD-220527", TICKER_ROW("FUTURES", "BTC-USD-220527"));
  ASSERT_FIELDS(MD_RECORD_TICKER, {"volume", "\"779573\""}, {"turnover", "null"});
}

Test(okx_fields, ticker_without_best_prices) {
  push(&x, "tickers", "BTC-USDT",
       "{\"instType\":\"SPOT\",\"instId\":\"BTC-USDT\",\"last\":\"5\",\"lastSz\":\"\",\"askPx\":"
       "\"\","
       "\"askSz\":\"\",\"bidPx\":\"\",\"bidSz\":\"\",\"open24h\":\"\",\"high24h\":\"\",\"low24h\":"
       "\"\","
       "\"volCcy24h\":\"\",\"vol24h\":\"\",\"ts\":\"1652459223003\"}");
  ASSERT_FIELDS(MD_RECORD_TICKER, {"last_px", "\"5\""}, {"last_qty", "null"}, {"bid_px", "null"},
                {"ask_px", "null"}, {"open", "null"}, {"volume", "null"}, {"turnover", "null"});
}

Test(okx_fields, candle) {
  push(&x, "candle1m", SWAP,
       "[\"1747093980000\",\"102806\",\"102820.5\",\"102783.1\",\"102806.1\",\"7164.04\",\"71."
       "6404\","
       "\"7364701.57952\",\"1\"]");
  ASSERT_FIELDS(MD_RECORD_KLINE, {"ts_open_ns", "1747093980000000000"},
                {"ts_close_ns", "1747094039999000000"}, {"open", "\"102806\""},
                {"high", "\"102820.5\""}, {"low", "\"102783.1\""}, {"close", "\"102806.1\""},
                {"volume", "\"7164.04\""}, {"turnover", "\"7364701.57952\""}, {"closed", "true"},
                {"interval_s", "60"}, {"taker_volume", "null"}, {"taker_turnover", "null"},
                {"trade_id_first", "null"}, {"trade_id_last", "null"}, {"trade_cnt", "null"});
}

Test(okx_fields, case_59_final_bar_comes_once_and_a_later_change_is_a_correction) {
  static const char row[] = "[\"1747093980000\",\"1\",\"2\",\"1\",\"2\",\"%s\",\"1\",\"1\",\"%u\"]";
  for (unsigned n = 0; n < 5; n++)
    push(&x, "candle1m", SWAP, row, n < 4 ? "7" : "8", n < 2 ? 0 : 1);
  cr_assert_eq(count(&x, MD_RECORD_KLINE), 4);
  cr_assert(last_of(&x, MD_RECORD_KLINE)->flags & MD_FLAG_CORRECTION);
  cr_assert_eq(counter(&x, MD_COUNTER_DUPLICATES), 1);
}

#define FUNDING_ROW(rate, next)                                                                    \
  "{\"formulaType\":\"withRate\",\"fundingRate\":\"" rate "\",\"fundingTime\":\"1790784000000\","  \
  "\"impactValue\":\"20000.0000000000000000\",\"instId\":\"" SWAP                                  \
  "\",\"instType\":\"SWAP\",\"method\":"                                                           \
  "\"current_period\",\"nextFundingRate\":\"" next                                                 \
  "\",\"nextFundingTime\":\"1790812800000\",\"premium\":"                                          \
  "\"-0.0005333853474351\",\"settState\":\"settled\",\"ts\":\"1790757122992\"}"

Test(okx_fields, funding) {
  push(&x, "funding-rate", SWAP, FUNDING_ROW("0.0000252378080097", ""));
  ASSERT_FIELDS(MD_RECORD_FUNDING, {"rate", "\"0.0000252378080097\""}, {"predicted", "null"},
                {"ts_next_ns", "1790784000000000000"}, {"interval_s", "28800"});
  cr_assert_eq(last_of(&x, MD_RECORD_FUNDING)->ts_exch_ns, 1790757122992000000);
  push(&x, "funding-rate", SWAP, FUNDING_ROW("-0.0001", "0.0000337200721784"));
  ASSERT_FIELDS(MD_RECORD_FUNDING, {"rate", "\"-0.0001\""},
                {"predicted", "\"0.0000337200721784\""});
}

Test(okx_fields, case_33_open_interest_of_22_digits) {
  push(&x, "open-interest", SWAP,
       "{\"instId\":\"" SWAP "\",\"instType\":\"SWAP\",\"oi\":\"2874486.99000000925\",\"oiCcy\":"
       "\"28744.8699000000925\",\"oiUsd\":\"2385812703.752047677463\",\"ts\":\"1790757195759\"}");
  ASSERT_FIELDS(MD_RECORD_OPEN_INTEREST, {"contracts", "\"2874486.99000000925\""},
                {"base_qty", "\"28744.8699000000925\""},
                {"quote_qty", "\"2385812703.752047677463\""});
  cr_assert_eq(last_of(&x, MD_RECORD_OPEN_INTEREST)->ts_exch_ns, 1790757195759000000);
}

Test(okx_fields, mark_price) {
  push(&x, "mark-price", SWAP,
       "{\"instId\":\"" SWAP
       "\",\"instType\":\"SWAP\",\"markPx\":\"83003.8\",\"ts\":\"1790757203016\"}");
  ASSERT_FIELDS(MD_RECORD_MARK, {"mark_px", "\"83003.8\""}, {"settle_px", "null"});
}

Test(okx_fields, index_price) {
  push(&x, "index-tickers", "BTC-USDT",
       "{\"instId\":\"BTC-USDT\",\"idxPx\":\"83043.9\",\"open24h\":\"83990.9\",\"ts\":"
       "\"1790757203066\"}");
  ASSERT_FIELDS(MD_RECORD_INDEX, {"index_px", "\"83043.9\""});
  cr_assert_eq(last_of(&x, MD_RECORD_INDEX)->ts_exch_ns, 1790757203066000000);
}

Test(okx_fields, liquidations_of_instruments_that_are_collected) {
  push(&x, "mark-price", SWAP,
       "{\"instId\":\"" SWAP "\",\"markPx\":\"1\",\"ts\":\"1790757203016\"}");
  text(
      &x,
      "{\"arg\":{\"channel\":\"liquidation-orders\",\"instType\":\"SWAP\"},\"data\":[{\"details\":["
      "{\"bkLoss\":\"0\",\"bkPx\":\"0.007831\",\"ccy\":\"\",\"posSide\":\"short\",\"side\":\"buy\","
      "\"sz\":\"13\",\"ts\":\"1692266434010\"},{\"bkLoss\":\"0\",\"bkPx\":\"0.0079\",\"ccy\":\"\","
      "\"posSide\":\"long\",\"side\":\"sell\",\"sz\":\"2\",\"ts\":\"1692266434020\"}],"
      "\"instFamily\":"
      "\"BTC-USDT\",\"instId\":\"" SWAP
      "\",\"instType\":\"SWAP\",\"uly\":\"BTC-USDT\"},{\"details\":[],"
      "\"instId\":\"IOST-USDT-SWAP\"}]}");
  cr_assert_eq(count(&x, MD_RECORD_LIQUIDATION), 2);
  const md_record_t *rec     = nth(&x, MD_RECORD_LIQUIDATION, 0);
  const field_t      first[] = {{"px", "\"0.007831\""},
                                {"avg_px", "null"},
                                {"qty", "\"13\""},
                                {"filled_qty", "null"},
                                {"ts_match_ns", "1692266434010000000"},
                                {"side", "\"B\""}};
  assert_fields(rec, first, MD_CNT(first));
  cr_assert(rec->flags & MD_FLAG_SAMPLED);
  ASSERT_FIELDS(MD_RECORD_LIQUIDATION, {"px", "\"0.0079\""}, {"side", "\"S\""});
  cr_assert_null(find_book(&x, "IOST-USDT-SWAP"));
}

/* ---- by REST ---- */

static void
ratio(const char *path, const char *query) {
  static const char body[] =
      "{\"code\":\"0\",\"msg\":\"\",\"data\":[[\"1701417600000\",\"1.1739\"],["
      "\"1701417300000\",\"1.17\"]]}";
  char url[256];
  (void)snprintf(url, sizeof url,
                 "https://www.okx.com/api/v5/rubik/stat/contracts/long-short-%s?instId=" SWAP "%s",
                 path, query);
  give(&x, MD_RAW_HTTP, url, body, sizeof body - 1);
}

Test(okx_fields, long_short_ratios) {
  static const struct {
    const char *path, *basis;
  } all[] = {{"account-ratio-contract", "2"},
             {"account-ratio-contract-top-trader", "1"},
             {"position-ratio-contract-top-trader", "0"}};
  for (uint32_t n = 0; n < MD_CNT(all); n++) {
    ratio(all[n].path, n ? "&period=1H" : "&period=5m");
    ASSERT_FIELDS(MD_RECORD_LONG_SHORT_RATIO, {"ratio", "\"1.1739\""}, {"long_share", "null"},
                  {"short_share", "null"}, {"period_s", n ? "3600" : "300"},
                  {"basis", all[n].basis});
    const md_record_t *rec = last_of(&x, MD_RECORD_LONG_SHORT_RATIO);
    cr_assert_eq(rec->ts_exch_ns, 1701417600000000000);
    cr_assert(rec->flags & MD_FLAG_REST);
  }
  cr_assert_eq(count(&x, MD_RECORD_LONG_SHORT_RATIO), 3);
}

static void
instruments(const char *rows) {
  static const char url[] = "https://www.okx.com/api/v5/public/instruments?instType=SWAP";
  char              body[4096];
  (void)snprintf(body, sizeof body, "{\"code\":\"0\",\"data\":[%s],\"msg\":\"\"}", rows);
  give(&x, MD_RAW_HTTP, url, body, strlen(body));
}

static const md_record_t *
definition_of(const char *symbol) {
  push(&x, "mark-price", symbol, "{\"markPx\":\"1\",\"ts\":\"1790757203016\"}");
  return last_of(&x, MD_RECORD_DEFINITION);
}

Test(okx_fields, definitions_of_all_kinds) {
  instruments(
      "{\"baseCcy\":\"BTC\",\"ctMult\":\"\",\"ctType\":\"\",\"ctVal\":\"\",\"expTime\":\"\","
      "\"instId\":"
      "\"BTC-USDT\",\"instType\":\"SPOT\",\"lotSz\":\"0.00000001\",\"minSz\":\"0.00001\","
      "\"optType\":\"\","
      "\"quoteCcy\":\"USDT\",\"settleCcy\":\"\",\"state\":\"live\",\"stk\":\"\",\"tickSz\":\"0.1\"}"
      ","
      "{\"baseCcy\":\"\",\"ctMult\":\"1\",\"ctType\":\"inverse\",\"ctVal\":\"100\",\"ctValCcy\":"
      "\"USD\","
      "\"expTime\":\"\",\"instId\":\"BTC-USD-SWAP\",\"instType\":\"SWAP\",\"lotSz\":\"1\","
      "\"minSz\":\"1\","
      "\"quoteCcy\":\"\",\"settleCcy\":\"BTC\",\"state\":\"live\",\"stk\":\"\",\"tickSz\":\"0.1\"},"
      "{\"ctMult\":\"1\",\"ctType\":\"linear\",\"ctVal\":\"0.01\",\"expTime\":\"1735286400000\","
      "\"instId\":"
      "\"BTC-USDT-241227\",\"lotSz\":\"0.1\",\"minSz\":\"0.1\",\"settleCcy\":\"USDT\",\"state\":"
      "\"suspend\","
      "\"tickSz\":\"0.1\"},"
      "{\"ctMult\":\"0.01\",\"ctType\":\"\",\"ctVal\":\"1\",\"ctValCcy\":\"BTC\",\"expTime\":"
      "\"1734422400000\","
      "\"instId\":\"BTC-USD-241217-92000-C\",\"lotSz\":\"1\",\"minSz\":\"1\",\"optType\":\"C\","
      "\"settleCcy\":"
      "\"BTC\",\"state\":\"live\",\"stk\":\"92000\",\"tickSz\":\"0.0001\"}");
  (void)definition_of("BTC-USDT");
  ASSERT_FIELDS(MD_RECORD_DEFINITION, {"symbol", "\"BTC-USDT\""}, {"normalised", "\"BTC-USDT\""},
                {"base", "\"BTC\""}, {"quote", "\"USDT\""}, {"settle", "\"\""},
                {"tick_size", "\"0.1\""}, {"lot_size", "\"0.00000001\""},
                {"min_qty", "\"0.00001\""}, {"contract_size", "null"}, {"strike", "null"},
                {"expiry_ns", "null"}, {"kind", "0"}, {"trading", "1"}, {"option_type", "0"},
                {"inverse", "false"}, {"min_notional", "null"});
  (void)definition_of("BTC-USD-SWAP");
  ASSERT_FIELDS(MD_RECORD_DEFINITION, {"normalised", "\"BTC-USD\""}, {"base", "\"BTC\""},
                {"quote", "\"USD\""}, {"settle", "\"BTC\""}, {"contract_size", "\"100\""},
                {"kind", "1"}, {"inverse", "true"}, {"lot_size", "\"1\""});
  (void)definition_of("BTC-USDT-241227");
  ASSERT_FIELDS(MD_RECORD_DEFINITION, {"normalised", "\"BTC-USDT-241227\""}, {"kind", "2"},
                {"expiry_ns", "1735286400000000000"}, {"contract_size", "\"0.01\""},
                {"trading", "2"}, {"settle", "\"USDT\""}, {"inverse", "false"});
  (void)definition_of("BTC-USD-241217-92000-C");
  ASSERT_FIELDS(MD_RECORD_DEFINITION, {"normalised", "\"BTC-USD-241217-92000-C\""}, {"kind", "3"},
                {"option_type", "1"}, {"strike", "\"92000\""}, {"contract_size", "\"0.01\""},
                {"tick_size", "\"0.0001\""}, {"settle", "\"BTC\""});
}

/* Dated contracts are listed by a poll, after the first data: the asset of settlement was left out
 * for good where the instrument had a row in the directory, and not where it had none. */
Test(okx_fields, a_definition_behind_the_first_data_adds_what_the_name_does_not_say) {
  (void)definition_of("BTC-USD-301227");
  ASSERT_FIELDS(MD_RECORD_DEFINITION, {"settle", "\"\""}, {"base", "\"BTC\""}, {"kind", "2"});
  instruments(
      "{\"instId\":\"BTC-USD-301227\",\"settleCcy\":\"BTC\",\"ctVal\":\"100\",\"ctMult\":\"1\","
      "\"ctType\":\"inverse\",\"lotSz\":\"1\",\"minSz\":\"1\",\"tickSz\":\"0.1\",\"expTime\":"
      "\"1924588800000\",\"state\":\"live\"}");
  ASSERT_FIELDS(MD_RECORD_DEFINITION, {"settle", "\"BTC\""}, {"base", "\"BTC\""},
                {"normalised", "\"BTC-USD-301227\""}, {"contract_size", "\"100\""});
}

Test(okx_fields, instruments_channel_defines_too) {
  text(&x,
       "{\"arg\":{\"channel\":\"instruments\",\"instType\":\"SWAP\"},\"data\":[{\"instId\":\"" SWAP
       "\",\"ctVal\":\"0.01\",\"ctMult\":\"1\",\"lotSz\":\"0.01\",\"minSz\":\"0.01\",\"tickSz\":"
       "\"0.1\","
       "\"state\":\"live\",\"settleCcy\":\"USDT\"}]}");
  (void)definition_of(SWAP);
  ASSERT_FIELDS(MD_RECORD_DEFINITION, {"normalised", "\"BTC-USDT\""}, {"contract_size", "\"0.01\""},
                {"lot_size", "\"0.01\""});
}

Test(okx_fields, names_tell_what_no_list_told) {
  (void)definition_of("ETH-USD-260327-3000-P");
  ASSERT_FIELDS(MD_RECORD_DEFINITION, {"kind", "3"}, {"base", "\"ETH\""}, {"quote", "\"USD\""},
                {"normalised", "\"ETH-USD-260327-3000-P\""});
}

/* ---- what cannot be read ---- */

Test(okx_fields, rows_that_lack_a_field_are_counted_and_change_nothing) {
  static const char *const bad[][2] = {
      {"trades", "{\"tradeId\":\"1\",\"px\":\"5\",\"sz\":\"1\",\"ts\":\"1790439594782\"}"},
      {"trades", "{\"tradeId\":\"x\",\"px\":\"5\",\"sz\":\"1\",\"side\":\"buy\"}"},
      {"trades", "{\"tradeId\":\"1\",\"px\":\"\",\"sz\":\"1\",\"side\":\"buy\"}"},
      {"bbo-tbt", "{\"asks\":[]}"},
      {"bbo-tbt", "{\"asks\":[[\"1\"]],\"bids\":[]}"},
      {"mark-price", "{\"ts\":\"1790439594782\"}"},
      {"open-interest", "{\"oi\":\"abc\"}"},
      {"candle1m", "[\"1747093980000\",\"1\"]"},
      {"candle1M", "[\"1747093980000\",\"1\",\"1\",\"1\",\"1\",\"1\"]"},
      {"funding-rate", "7"},
  };
  for (uint32_t n = 0; n < MD_CNT(bad); n++)
    push(&x, bad[n][0], SWAP, "%s", bad[n][1]);
  cr_assert_eq(counter(&x, MD_COUNTER_PARSE_ERRORS), MD_CNT(bad));
  for (uint32_t n = 0; n < x.cnt; n++)
    cr_assert_eq(x.records[n]->type, MD_RECORD_DEFINITION);
}

Test(okx_fields, case_56_unknown_channels_are_counted) {
  push(&x, "books-rpi", SWAP, "{}");
  push(&x, "brand-new", SWAP, "{}");
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 2);
}

Test(okx_fields, time_that_is_absurd_is_absent_and_flagged) {
  push(&x, "mark-price", SWAP, "{\"markPx\":\"1\",\"ts\":\"99999999999999\"}");
  cr_assert_eq(last_of(&x, MD_RECORD_MARK)->ts_exch_ns, MD_NULL_I64);
  cr_assert(last_of(&x, MD_RECORD_MARK)->flags & MD_FLAG_BAD_TS);
}
