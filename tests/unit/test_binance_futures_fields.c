/* test_binance_futures_fields - every field of every message of the Binance futures markets, from
 * the text of a frame or an answer to the record: each row gives inputs, and all that must come of
 * them, absent values as null; fields that other exchanges give are said only where they are there.
 */
#include "tests/unit/futures_fixture.h"
#include "tests/unit/json_fields.h"

/* What a record says, in single quotes: type, symbol, flags, ids and time, and its own fields. */
static size_t
describe(fixture_t *x, const md_record_t *rec, char *out, size_t room) {
  char        json[8192];
  const char *symbol = md_feed_instrument_by_id(x->feed, rec->instrument)->symbol;
  size_t      len    = md_record_json(rec, symbol, json, sizeof json);
  cr_assert_gt(len, 0);
  json_leave_out_absent(json, rec);
  const char *fields = strstr(json, "\"ts_pub_ns\":");
  cr_assert_not_null(fields);
  fields = fields ? strchr(fields, ',') : NULL;
  int n  = snprintf(out, room, "%s %s %x %llu %lld %s\n", md_record_info(rec->type)->name, symbol,
                    rec->flags, (unsigned long long)rec->exch_seq, (long long)rec->ts_exch_ns,
                   fields ? fields + 1 : "}");
  cr_assert(n > 0 && (size_t)n < room);
  for (int k = 0; k < n; k++)
    if (out[k] == '"') out[k] = '\'';
  return (size_t)n;
}

typedef struct input {
  const char *url, *text; /* url NULL: a frame */
} input_t;

/* Gives the inputs to a new feed; the records of the last one must be `expected`. */
static void
expect(const char *venue, const input_t *inputs, uint32_t cnt, bool definitions,
       const char *expected) {
  static fixture_t x;
  static char      said[16384];
  size_t           len = 0;
  futures_init(&x, venue);
  said[0] = 0;
  for (uint32_t n = 0; n < cnt; n++) {
    x.seen = x.cnt;
    if (inputs[n].url)
      http(&x, inputs[n].url, inputs[n].text);
    else
      text(&x, inputs[n].text);
  }
  for (uint32_t n = x.seen; n < x.cnt; n++)
    if (definitions || x.records[n]->type != MD_RECORD_DEFINITION)
      len += describe(&x, x.records[n], said + len, sizeof said - len);
  cr_assert_eq(counter(&x, MD_COUNTER_PARSE_ERRORS), 0);
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 0);
  cr_assert_str_eq(said, expected, "said:\n%s\nexpected:\n%s", said, expected);
  fixture_fini(&x);
}

#define USDM  "binance_derivatives"
#define COINM "binance_coinm"
#define FAPI  "https://fapi.binance.com"
#define DAPI  "https://dapi.binance.com"

#define ONE(venue, url, text, expected)                                                            \
  do {                                                                                             \
    const input_t inputs[] = {{(url), (text)}};                                                    \
    expect((venue), inputs, 1, false, (expected));                                                 \
  } while (0)

/* Puts a symbol in use with fine exponents, as it is after some messages. */
#define IN_USE(symbol)                                                                             \
  {                                                                                                \
    NULL, "{\"stream\":\"s@bookTicker\",\"data\":{\"e\":\"bookTicker\",\"u\":1,\"s\":\"" symbol    \
          "\",\"b\":\"1.2345\",\"B\":\"1.2345\",\"a\":\"1.3\",\"A\":\"1\",\"E\":1700000000000}}"   \
  }

/* The same message as it comes, of a symbol in use (the fast reader), the first of its symbol, and
 * with a key in front that nobody knows. */
#define ALL_WAYS(venue, symbol, head, rest, expected)                                              \
  do {                                                                                             \
    const input_t fast[]  = {IN_USE(symbol), {NULL, head "{" rest}};                               \
    const input_t first[] = {{NULL, head "{" rest}};                                               \
    const input_t slow[]  = {{NULL, head "{\"zz\":[1]," rest}};                                    \
    expect((venue), fast, 2, false, (expected));                                                   \
    expect((venue), first, 1, false, (expected));                                                  \
    expect((venue), slow, 1, false, (expected));                                                   \
  } while (0)

Test(binance_futures_fields, depth_update) {
  static const input_t usdm[] = {
      {FAPI "/fapi/v1/depth?symbol=BTCUSDT&limit=1000",
       "{\"lastUpdateId\":155,\"E\":1700000000000,\"T\":1699999999999,\"bids\":[[\"0.0023\",\"7\"]]"
       ","
       "\"asks\":[[\"0.0027\",\"8.5\"]]}"},
      {NULL, "{\"stream\":\"btcusdt@depth@100ms\",\"data\":{\"e\":\"depthUpdate\","
             "\"E\":1700000000001,\"T\":1700000000000,\"s\":\"BTCUSDT\",\"U\":150,\"u\":156,"
             "\"pu\":149,\"b\":[],\"a\":[]}}"},
      {NULL,
       "{\"stream\":\"btcusdt@depth@100ms\",\"data\":{\"e\":\"depthUpdate\","
       "\"E\":1700000000123,\"T\":1700000000120,\"s\":\"BTCUSDT\",\"ps\":\"BTCUSDT\",\"U\":157,"
       "\"u\":160,\"pu\":156,\"b\":[[\"0.0024\",\"10\"],[\"0.0023\",\"0\"]],"
       "\"a\":[[\"0.0026\",\"100.25\"]],\"st\":1}}"}};
  static const char delta[] =
      "book_delta BTCUSDT 1 160 1700000000123000000 "
      "'exch_seq_first':157,'exch_seq_prev':156,'bid_cnt':2,'ask_cnt':1,'bid_total':2,'ask_total':"
      "1,'match_lag_us':3000,'bids':[['0.0024','10'],['0.0023','0']],'asks':[['0.0026','100.25']]}"
      "\n";
  expect(USDM, usdm, 2, false,
         "book_snapshot BTCUSDT 103 155 1700000000000000000 "
         "'exch_seq_first':155,'exch_seq_prev':null,'bid_cnt':1,'ask_cnt':1,'bid_total':1,'ask_"
         "total':1,'limit':1000,'bids':[['0.0023','7']],'asks':[['0.0027','8.5']]}\n"
         "book_delta BTCUSDT 5 156 1700000000001000000 "
         "'exch_seq_first':150,'exch_seq_prev':149,'bid_cnt':0,'ask_cnt':0,'bid_total':0,'ask_"
         "total':0,'match_lag_us':1000,'bids':[],'asks':[]}\n"
         "status BTCUSDT 1 0 -9223372036854775808 "
         "'subject':0,'before':1,'after':2,'reason':0,'gen':1,'before_name':'SYNCING','after_name':"
         "'VALID','reason_name':'NONE'}\n");
  expect(USDM, usdm, 3, false, delta);
}

Test(binance_futures_fields, book_ticker) {
  ALL_WAYS(
      USDM, "ETHUSDT", "{\"stream\":\"ethusdt@bookTicker\",\"data\":",
      "\"e\":\"bookTicker\",\"u\":11139947831981,\"s\":\"ETHUSDT\",\"ps\":\"ETHUSDT\","
      "\"b\":\"1943.64\",\"B\":\"113.445\",\"a\":\"1943.65\",\"A\":\"182.433\",\"T\":1785121247583,"
      "\"E\":1785121247584,\"st\":1}}",
      "bbo ETHUSDT 1 11139947831981 1785121247584000000 "
      "'bid_px':'1943.64','bid_qty':'113.445','ask_px':'1943.65','ask_qty':'182.433','ts_match_ns':"
      "1785121247583000000}\n");
  ALL_WAYS(COINM, "BTCUSD_PERP", "{\"stream\":\"btcusd_perp@bookTicker\",\"data\":",
           "\"u\":1007198632021,\"e\":\"bookTicker\",\"s\":\"BTCUSD_PERP\",\"ps\":\"BTCUSD\","
           "\"b\":\"61804.7\",\"B\":\"35\",\"a\":\"0\",\"A\":\"0\",\"T\":1723161257465,"
           "\"E\":1723161257476}}",
           "bbo BTCUSD_PERP 1 1007198632021 1723161257476000000 "
           "'bid_px':'61804.7','bid_qty':'35','ask_px':null,'ask_qty':'0','ts_match_ns':"
           "1723161257465000000}\n");
}

Test(binance_futures_fields, trade) {
  ALL_WAYS(
      USDM, "BTCUSDT", "{\"stream\":\"btcusdt@trade\",\"data\":",
      "\"e\":\"trade\",\"E\":1723161256322,\"T\":1723161256320,\"s\":\"BTCUSDT\",\"t\":5266583935,"
      "\"p\":\"61800.30\",\"q\":\"0.006\",\"X\":\"MARKET\",\"m\":false,\"st\":1}}",
      "trade BTCUSDT 1 5266583935 1723161256322000000 "
      "'px':'61800.3','qty':'0.006','trade_id':5266583935,'ts_match_ns':1723161256320000000,'side':"
      "'B','origin':0}\n");
  ALL_WAYS(COINM, "BTCUSD_PERP", "{\"stream\":\"btcusd_perp@trade\",\"data\":",
           "\"e\":\"trade\",\"E\":1723161256322,\"T\":1723161256320,\"s\":\"BTCUSD_PERP\",\"t\":7,"
           "\"p\":\"61804.8\",\"q\":\"4\",\"X\":\"ADL\",\"m\":true}}",
           "trade BTCUSD_PERP 21 7 1723161256322000000 "
           "'px':'61804.8','qty':'4','trade_id':7,'ts_match_ns':1723161256320000000,'side':'S','"
           "origin':2}\n");
}

Test(binance_futures_fields, agg_trade) {
  ALL_WAYS(
      USDM, "BTCUSDT", "{\"stream\":\"btcusdt@aggTrade\",\"data\":",
      "\"e\":\"aggTrade\",\"E\":1789469122045,\"a\":309896910,\"s\":\"BTCUSDT\","
      "\"p\":\"76968.30\",\"q\":\"1046.7650\",\"nq\":\"1046.1250\",\"f\":537859420,\"l\":537859465,"
      "\"T\":1789469121938,\"m\":false,\"st\":1}}",
      "agg_trade BTCUSDT 1 309896910 1789469122045000000 "
      "'px':'76968.3','qty':'1046.765','agg_id':309896910,'trade_id_first':537859420,'trade_id_"
      "last':537859465,'ts_match_ns':1789469121938000000,'side':'B','qty_book':'1046.125'}\n");
  ALL_WAYS(
      COINM, "EOSUSD_PERP", "{\"stream\":\"eosusd_perp@aggTrade\",\"data\":",
      "\"e\":\"aggTrade\",\"E\":1626916407718,\"a\":9180277,\"s\":\"EOSUSD_PERP\",\"p\":\"3.466\","
      "\"q\":\"120\",\"f\":17740806,\"l\":17740807,\"T\":1626916407707,\"m\":true}}",
      "agg_trade EOSUSD_PERP 1 9180277 1626916407718000000 "
      "'px':'3.466','qty':'120','agg_id':9180277,'trade_id_first':17740806,'trade_id_last':"
      "17740807,'ts_match_ns':1626916407707000000,'side':'S'}\n");
}

Test(binance_futures_fields, mark_price) {
  ONE(USDM, NULL,
      "{\"stream\":\"btcusdt@markPrice@1s\",\"data\":{\"e\":\"markPriceUpdate\","
      "\"E\":1790755199000,\"s\":\"BTCUSDT\",\"p\":\"83259.61836957\",\"ap\":\"83259.61836957\","
      "\"P\":\"83390.57692985\",\"i\":\"83301.31260870\",\"r\":\"-0.00000189\",\"T\":1790755200000,"
      "\"st\":1}}",
      "mark BTCUSDT 1 0 1790755199000000000 "
      "'mark_px':'83259.61836957','settle_px':'83390.57692985','avg_px':'83259.61836957'}\n"
      "index BTCUSDT 1 0 1790755199000000000 'index_px':'83301.3126087'}\n"
      "funding BTCUSDT 1 0 1790755199000000000 "
      "'rate':'-0.00000189','predicted':null,'ts_next_ns':1790755200000000000,'interval_s':0}\n");
  ONE(COINM, NULL,
      "{\"stream\":\"btcusd_200925@markPrice@1s\",\"data\":{\"e\":\"markPriceUpdate\","
      "\"E\":1592265602000,\"s\":\"BTCUSD_200925\",\"p\":\"9501.15723333\",\"P\":\"9429.39675000\","
      "\"r\":\"\",\"T\":0}}",
      "mark BTCUSD_200925 1 0 1592265602000000000 "
      "'mark_px':'9501.15723333','settle_px':'9429.39675'}\n"
      "funding BTCUSD_200925 1 0 1592265602000000000 "
      "'rate':null,'predicted':null,'ts_next_ns':null,'interval_s':0}\n");
}

Test(binance_futures_fields, index_price_of_a_pair) {
  ONE(COINM, NULL,
      "{\"stream\":\"btcusd@indexPrice@1s\",\"data\":{\"e\":\"indexPriceUpdate\","
      "\"E\":1592265601001,\"i\":\"BTCUSD\",\"p\":\"9429.39675000\"}}",
      "index BTCUSD 1 0 1592265601001000000 'index_px':'9429.39675'}\n");
}

Test(binance_futures_fields, kline) {
  ONE(USDM, NULL,
      "{\"stream\":\"btcusdt@kline_1m\",\"data\":{\"e\":\"kline\",\"E\":1638747660001,"
      "\"s\":\"BTCUSDT\",\"k\":{\"t\":1638747660000,\"T\":1638747719999,\"s\":\"BTCUSDT\","
      "\"i\":\"1m\",\"f\":100,\"L\":200,\"o\":\"0.0010\",\"c\":\"0.0020\",\"h\":\"0.0025\","
      "\"l\":\"0.0005\",\"v\":\"1000\",\"n\":101,\"x\":true,\"q\":\"1.5000\",\"V\":\"500\","
      "\"Q\":\"0.750\",\"B\":\"123456\"}}}",
      "kline BTCUSDT 1 0 1638747660001000000 "
      "'ts_open_ns':1638747660000000000,'ts_close_ns':1638747719999000000,'open':'0.001','high':'0."
      "0025','low':'0.0005','close':'0.002','volume':'1000','taker_volume':'500','turnover':'1.5','"
      "taker_turnover':'0.75','trade_id_first':100,'trade_id_last':200,'trade_cnt':101,'interval_s'"
      ":60,'closed':true}\n");
}

Test(binance_futures_fields, ticker) {
  ONE(USDM, NULL,
      "{\"stream\":\"btcusdt@ticker\",\"data\":{\"e\":\"24hrTicker\",\"E\":1672515782136,"
      "\"s\":\"BTCUSDT\",\"p\":\"-131.40000000\",\"P\":\"-0.786\",\"w\":\"16628.97377498\","
      "\"c\":\"16584.60000000\",\"Q\":\"0.002\",\"o\":\"16716.00000000\",\"h\":\"16764.89000000\","
      "\"l\":\"16456.51000000\",\"v\":\"122474.816\",\"q\":\"2036102085.69746400\","
      "\"O\":1672429382136,\"C\":1672515782135,\"F\":2289691,\"L\":2432543,\"n\":142853,\"st\":1}}",
      "ticker BTCUSDT 1 0 1672515782136000000 "
      "'ts_open_ns':1672429382136000000,'ts_close_ns':1672515782135000000,'last_px':'16584.6','"
      "last_qty':'0.002','open':'16716','high':'16764.89','low':'16456.51','bid_px':null,'bid_qty':"
      "null,'ask_px':null,'ask_qty':null,'volume':'122474.816','turnover':'2036102085.697464','"
      "vwap':'16628.97377498','change':'-131.4','change_percent':'-0.786','trade_id_first':2289691,"
      "'trade_id_last':2432543,'trade_cnt':142853}\n");
}

Test(binance_futures_fields, liquidation) {
  ONE(USDM, NULL,
      "{\"stream\":\"btcusdt@forceOrder\",\"data\":{\"e\":\"forceOrder\",\"E\":1568014460893,"
      "\"o\":{\"s\":\"BTCUSDT\",\"S\":\"SELL\",\"o\":\"LIMIT\",\"f\":\"IOC\",\"q\":\"0.014\","
      "\"p\":\"9910.00000000\",\"ap\":\"9910.12345678\",\"X\":\"FILLED\",\"l\":\"0.004\","
      "\"z\":\"0.012\",\"T\":1568014460890},\"st\":1}}",
      "liquidation BTCUSDT 11 0 1568014460893000000 "
      "'px':'9910','avg_px':'9910.12345678','qty':'0.014','filled_qty':'0.012','ts_match_ns':"
      "1568014460890000000,'side':'S','last_qty':'0.004','order_type':'LIMIT','time_in_force':'IOC'"
      ",'status':'FILLED'}\n");
  ONE(COINM, NULL,
      "{\"stream\":\"btcusd_200925@forceOrder\",\"data\":{\"e\":\"forceOrder\","
      "\"E\":1594622954023,\"o\":{\"s\":\"BTCUSD_200925\",\"ps\":\"BTCUSD\",\"S\":\"BUY\","
      "\"o\":\"LIMIT\",\"f\":\"IOC\",\"q\":\"3\",\"p\":\"9314.5\",\"ap\":\"9352.7\","
      "\"X\":\"FILLED\",\"l\":\"3\",\"z\":\"3\",\"T\":1594622954021}}}",
      "liquidation BTCUSD_200925 11 0 1594622954023000000 "
      "'px':'9314.5','avg_px':'9352.7','qty':'3','filled_qty':'3','ts_match_ns':"
      "1594622954021000000,'side':'B','last_qty':'3','order_type':'LIMIT',"
      "'time_in_force':'IOC','status':'FILLED'}\n");
}

/* ---- REST ---- */

Test(binance_futures_fields, open_interest) {
  ONE(USDM, FAPI "/fapi/v1/openInterest?symbol=BTCUSDT",
      "{\"openInterest\":\"1234567890123456789.659\",\"symbol\":\"BTCUSDT\",\"time\":"
      "1589437530011}",
      "open_interest BTCUSDT 101 0 1589437530011000000 "
      "'contracts':'1234567890123456789.659','base_qty':'1234567890123456789.659','quote_qty':null}"
      "\n");
  ONE(COINM, DAPI "/dapi/v1/openInterest?symbol=BTCUSD_200925",
      "{\"symbol\":\"BTCUSD_200925\",\"pair\":\"BTCUSD\",\"openInterest\":\"15004\","
      "\"contractType\":\"CURRENT_QUARTER\",\"time\":1591261042378}",
      "open_interest BTCUSD_200925 101 0 1591261042378000000 "
      "'contracts':'15004','base_qty':null,'quote_qty':null}\n");
}

Test(binance_futures_fields, long_short_ratios) {
  ONE(USDM, FAPI "/futures/data/topLongShortPositionRatio?symbol=BTCUSDT&period=5m&limit=3",
      "[{\"symbol\":\"BTCUSDT\",\"longShortRatio\":\"1.4342\",\"longAccount\":\"0.5891\","
      "\"shortAccount\":\"0.4108\",\"timestamp\":\"1583139600000\"},"
      "{\"symbol\":\"BTCUSDT\",\"longShortRatio\":\"1.4337\",\"longAccount\":\"0.5889\","
      "\"shortAccount\":\"0.4111\",\"timestamp\":1583139900000}]",
      "long_short_ratio BTCUSDT 101 0 1583139600000000000 "
      "'ratio':'1.4342','long_share':'0.5891','short_share':'0.4108','period_s':300,'basis':0}\n"
      "long_short_ratio BTCUSDT 101 0 1583139900000000000 "
      "'ratio':'1.4337','long_share':'0.5889','short_share':'0.4111','period_s':300,'basis':0}\n");
  ONE(USDM, FAPI "/futures/data/topLongShortAccountRatio?symbol=BTCUSDT&period=1h",
      "[{\"symbol\":\"BTCUSDT\",\"longShortRatio\":\"1.8105\",\"longAccount\":\"0.6442\","
      "\"shortAccount\":\"0.3558\",\"timestamp\":1583139600000}]",
      "long_short_ratio BTCUSDT 101 0 1583139600000000000 "
      "'ratio':'1.8105','long_share':'0.6442','short_share':'0.3558','period_s':3600,'basis':1}\n");
  ONE(USDM, FAPI "/futures/data/globalLongShortAccountRatio?symbol=BTCUSDT&period=1d",
      "[{\"symbol\":\"BTCUSDT\",\"longShortRatio\":\"0.1960\",\"longAccount\":\"0.1639\","
      "\"shortAccount\":\"0.8361\",\"timestamp\":1583139600000}]",
      "long_short_ratio BTCUSDT 101 0 1583139600000000000 "
      "'ratio':'0.196','long_share':'0.1639','short_share':'0.8361','period_s':86400,'basis':2}\n");
  ONE(COINM, DAPI "/futures/data/topLongShortPositionRatio?pair=BTCUSD&period=5m&limit=3",
      "[{\"pair\":\"BTCUSD\",\"longShortRatio\":\"0.7869\",\"longPosition\":\"0.6442\","
      "\"shortPosition\":\"0.4404\",\"timestamp\":1592870400000}]",
      "long_short_ratio BTCUSD_PERP 101 0 1592870400000000000 "
      "'ratio':'0.7869','long_share':'0.6442','short_share':'0.4404','period_s':300,'basis':0}\n");
}

Test(binance_futures_fields, polled_answers_that_say_nothing_new_give_no_record) {
  static const input_t inputs[] = {
      {FAPI "/fapi/v1/openInterest?symbol=BTCUSDT",
       "{\"openInterest\":\"5\",\"symbol\":\"BTCUSDT\",\"time\":1589437530011}"},
      {FAPI "/fapi/v1/openInterest?symbol=BTCUSDT",
       "{\"openInterest\":\"5\",\"symbol\":\"BTCUSDT\",\"time\":1589437530011}"}};
  static const input_t ratios[] = {
      {FAPI "/futures/data/topLongShortAccountRatio?symbol=BTCUSDT&period=5m",
       "[{\"symbol\":\"BTCUSDT\",\"longShortRatio\":\"1\",\"timestamp\":1583139600000}]"},
      {FAPI "/futures/data/globalLongShortAccountRatio?symbol=BTCUSDT&period=5m",
       "[{\"symbol\":\"BTCUSDT\",\"longShortRatio\":\"2\",\"timestamp\":1583139600000}]"},
      {FAPI "/futures/data/topLongShortAccountRatio?symbol=BTCUSDT&period=5m",
       "[{\"symbol\":\"BTCUSDT\",\"longShortRatio\":\"1\",\"timestamp\":1583139600000},"
       "{\"symbol\":\"BTCUSDT\",\"longShortRatio\":\"3\",\"timestamp\":1583139900000}]"}};
  expect(USDM, inputs, 2, false, "");
  expect(USDM, ratios, 2, false,
         "long_short_ratio BTCUSDT 101 0 1583139600000000000 "
         "'ratio':'2','long_share':null,'short_share':null,'period_s':300,'basis':2}\n");
  expect(USDM, ratios, 3, false,
         "long_short_ratio BTCUSDT 101 0 1583139900000000000 "
         "'ratio':'3','long_share':null,'short_share':null,'period_s':300,'basis':1}\n");
}

Test(binance_futures_fields, premium_index_and_funding_intervals) {
  static const input_t inputs[] = {
      {FAPI "/fapi/v1/exchangeInfo",
       "{\"symbols\":[{\"symbol\":\"LPTUSDT\",\"contractType\":\"PERPETUAL\"}]}"},
      {FAPI "/fapi/v1/fundingInfo",
       "[{\"symbol\":\"LPTUSDT\",\"adjustedFundingRateCap\":\"0.02\","
       "\"adjustedFundingRateFloor\":\"-0.02\",\"fundingIntervalHours\":4,\"disclaimer\":false},"
       "{\"symbol\":\"NOTHEREUSDT\",\"fundingIntervalHours\":8}]"},
      {FAPI "/fapi/v1/premiumIndex?symbol=LPTUSDT",
       "{\"symbol\":\"LPTUSDT\",\"markPrice\":\"11793.63104562\",\"indexPrice\":\"11781.80495970\","
       "\"estimatedSettlePrice\":\"11781.16138815\",\"lastFundingRate\":\"0.00038246\","
       "\"interestRate\":\"0.00010000\",\"nextFundingTime\":1597392000000,\"time\":"
       "1597370495002}"}};
  expect(USDM, inputs, 3, false,
         "mark LPTUSDT 101 0 1597370495002000000 "
         "'mark_px':'11793.63104562','settle_px':'11781.16138815'}\n"
         "index LPTUSDT 101 0 1597370495002000000 'index_px':'11781.8049597'}\n"
         "funding LPTUSDT 101 0 1597370495002000000 "
         "'rate':'0.00038246','predicted':null,'ts_next_ns':1597392000000000000,'interval_s':14400,"
         "'rate_min':'-0.02','rate_max':'0.02','interest':'0.0001'}\n");
}

#define FILTERS(tick, step, min)                                                                   \
  "\"filters\":[{\"filterType\":\"PRICE_FILTER\",\"minPrice\":\"1\",\"tickSize\":\"" tick "\"},"   \
  "{\"filterType\":\"LOT_SIZE\",\"stepSize\":\"" step "\",\"minQty\":\"" min "\"},"                \
  "{\"filterType\":\"MIN_NOTIONAL\",\"notional\":\"5.0\"}]"

#define AGG(symbol)                                                                                \
  "{\"stream\":\"x@aggTrade\",\"data\":{\"e\":\"aggTrade\",\"E\":1789469122045,\"a\":1,\"s\":"     \
  "\"" symbol "\",\"p\":\"7\",\"q\":\"1\",\"f\":1,\"l\":1,\"T\":1789469121938,\"m\":false}}"

static const char usdm_info[] =
    "{\"timezone\":\"UTC\",\"symbols\":[{\"symbol\":\"BTCUSDT\",\"pair\":\"BTCUSDT\","
    "\"contractType\":\"PERPETUAL\",\"deliveryDate\":4133404800000,\"status\":\"TRADING\","
    "\"baseAsset\":\"BTC\",\"quoteAsset\":\"USDT\",\"marginAsset\":\"USDT\",\"underlyingType\":"
    "\"COIN\"," FILTERS("0.10", "0.001",
                        "0.002") "},"
                                 "{\"symbol\":\"ETHUSDT_260626\",\"pair\":\"ETHUSDT\","
                                 "\"contractType\":\"CURRENT_QUARTER\","
                                 "\"deliveryDate\":1782460800000,\"status\":\"PENDING_TRADING\","
                                 "\"baseAsset\":\"ETH\","
                                 "\"quoteAsset\":\"USDT\",\"marginAsset\":\"USDT\"," FILTERS(
                                     "0.01", "0.001", "0.001") "}]}";

static const char coinm_info[] =
    "{\"symbols\":[{\"symbol\":\"BTCUSD_PERP\",\"pair\":\"BTCUSD\",\"contractType\":\"PERPETUAL\","
    "\"deliveryDate\":4133404800000,\"contractStatus\":\"TRADING\",\"contractSize\":100,"
    "\"marginAsset\":\"BTC\",\"baseAsset\":\"BTC\",\"quoteAsset\":\"USD\","
    "\"filters\":[{\"filterType\":\"PRICE_FILTER\",\"tickSize\":\"0.1\"},"
    "{\"filterType\":\"LOT_SIZE\",\"stepSize\":\"1\",\"minQty\":\"1\"}]},"
    "{\"symbol\":\"BCHUSD_210924\",\"pair\":\"BCHUSD\",\"contractType\":\"NEXT_QUARTER\","
    "\"deliveryDate\":1632470400000,\"contractStatus\":\"DELIVERED\",\"contractSize\":10,"
    "\"marginAsset\":\"BCH\",\"baseAsset\":\"BCH\",\"quoteAsset\":\"USD\",\"filters\":[]}]}";

Test(binance_futures_fields, definitions_of_the_venues_list) {
  static const input_t usdm[]  = {{FAPI "/fapi/v1/exchangeInfo", usdm_info},
                                  {NULL, AGG("BTCUSDT")},
                                  {NULL, AGG("ETHUSDT_260626")}};
  static const input_t coinm[] = {{DAPI "/dapi/v1/exchangeInfo", coinm_info},
                                  {NULL, AGG("BTCUSD_PERP")},
                                  {NULL, AGG("BCHUSD_210924")}};
  expect(
      USDM, usdm, 2, true,
      "definition BTCUSDT 1 0 -9223372036854775808 "
      "'symbol':'BTCUSDT','normalised':'BTC-USDT','base':'BTC','quote':'USDT','settle':'USDT','"
      "tick_size':'0.1','lot_size':'0.001','min_qty':'0.002','min_notional':'5','contract_size':'1'"
      ",'strike':null,'expiry_ns':null,'kind':1,'trading':1,'option_type':0,'inverse':false}\n"
      "agg_trade BTCUSDT 1 1 1789469122045000000 "
      "'px':'7','qty':'1','agg_id':1,'trade_id_first':1,'trade_id_last':1,'ts_match_ns':"
      "1789469121938000000,'side':'B'}\n");
  expect(USDM, usdm, 3, true,
         "definition ETHUSDT_260626 1 0 -9223372036854775808 "
         "'symbol':'ETHUSDT_260626','normalised':'ETHUSDT_260626','base':'ETH','quote':'USDT','"
         "settle':'USDT','tick_size':'0.01','lot_size':'0.001','min_qty':'0.001','min_notional':'5'"
         ",'contract_size':'1','strike':null,'expiry_ns':1782460800000000000,'kind':2,'trading':2,'"
         "option_type':0,'inverse':false}\n"
         "agg_trade ETHUSDT_260626 1 1 1789469122045000000 "
         "'px':'7','qty':'1','agg_id':1,'trade_id_first':1,'trade_id_last':1,'ts_match_ns':"
         "1789469121938000000,'side':'B'}\n");
  expect(COINM, coinm, 2, true,
         "definition BTCUSD_PERP 1 0 -9223372036854775808 "
         "'symbol':'BTCUSD_PERP','normalised':'BTC-USD','base':'BTC','quote':'USD','settle':'BTC','"
         "tick_size':'0.1','lot_size':'1','min_qty':'1','min_notional':null,'contract_size':'100','"
         "strike':null,'expiry_ns':null,'kind':1,'trading':1,'option_type':0,'inverse':true}\n"
         "agg_trade BTCUSD_PERP 1 1 1789469122045000000 "
         "'px':'7','qty':'1','agg_id':1,'trade_id_first':1,'trade_id_last':1,'ts_match_ns':"
         "1789469121938000000,'side':'B'}\n");
  expect(COINM, coinm, 3, true,
         "definition BCHUSD_210924 1 0 -9223372036854775808 "
         "'symbol':'BCHUSD_210924','normalised':'BCHUSD_210924','base':'BCH','quote':'USD','settle'"
         ":'BCH','tick_size':null,'lot_size':null,'min_qty':null,'min_notional':null,'contract_"
         "size':'10','strike':null,'expiry_ns':1632470400000000000,'kind':2,'trading':3,'option_"
         "type':0,'inverse':true}\n"
         "agg_trade BCHUSD_210924 1 1 1789469122045000000 "
         "'px':'7','qty':'1','agg_id':1,'trade_id_first':1,'trade_id_last':1,'ts_match_ns':"
         "1789469121938000000,'side':'B'}\n");
}

Test(binance_futures_fields, definitions_by_name_alone) {
  static const input_t inputs[] = {{NULL, AGG("SOLUSDC_260626")}};
  static const input_t coin[]   = {{NULL, AGG("LINKUSD_PERP")}};
  expect(
      USDM, inputs, 1, true,
      "definition SOLUSDC_260626 1 0 -9223372036854775808 "
      "'symbol':'SOLUSDC_260626','normalised':'SOLUSDC_260626','base':'SOL','quote':'USDC','settle'"
      ":'USDC','tick_size':null,'lot_size':null,'min_qty':null,'min_notional':null,'contract_size':"
      "'1','strike':null,'expiry_ns':null,'kind':2,'trading':0,'option_type':0,'inverse':false}\n"
      "agg_trade SOLUSDC_260626 1 1 1789469122045000000 "
      "'px':'7','qty':'1','agg_id':1,'trade_id_first':1,'trade_id_last':1,'ts_match_ns':"
      "1789469121938000000,'side':'B'}\n");
  expect(
      COINM, coin, 1, true,
      "definition LINKUSD_PERP 1 0 -9223372036854775808 "
      "'symbol':'LINKUSD_PERP','normalised':'LINK-USD','base':'LINK','quote':'USD','settle':'LINK',"
      "'tick_size':null,'lot_size':null,'min_qty':null,'min_notional':null,'contract_size':null,'"
      "strike':null,'expiry_ns':null,'kind':1,'trading':0,'option_type':0,'inverse':true}\n"
      "agg_trade LINKUSD_PERP 1 1 1789469122045000000 "
      "'px':'7','qty':'1','agg_id':1,'trade_id_first':1,'trade_id_last':1,'ts_match_ns':"
      "1789469121938000000,'side':'B'}\n");
}
