/* test_binance_coinm - the numbered cases of Binance futures once more for COIN-M, whose contracts
 * and family are its own. */
#include "tests/unit/futures_fixture.h"

#define S "BTCUSD_PERP"

static fixture_t x;

static void
init(void) {
  futures_init(&x, "binance_coinm");
}

static void
fini(void) {
  fixture_fini(&x);
}

TestSuite(binance_coinm, .init = init, .fini = fini);

Test(binance_coinm, case_13_first_update_that_ends_with_the_snapshot_is_applied_again) {
  futures_snapshot(&x, S, 100, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  chained(&x, S, 90, 100, 85, "[\"10\",\"1\"]", "");
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
  chained(&x, S, 140, 150, 100, "[\"10\",\"5\"]", "");
  cr_assert_eq(book_of(&x, S)->exch_seq, 150);
  cr_assert_str_eq(best(&x, S, MD_SIDE_BUY), "10x5");
}

Test(binance_coinm, case_14_first_update_that_continues_the_snapshot_is_applied) {
  futures_snapshot(&x, S, 100, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  chained(&x, S, 107, 110, 100, "[\"10.5\",\"2\"]", "");
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
  cr_assert_str_eq(best(&x, S, MD_SIDE_BUY), "10.5x2");
}

Test(binance_coinm, case_15_a_range_over_our_id_with_another_chain_is_a_gap) {
  futures_valid(&x, S, 500);
  futures_valid(&x, "ETHUSD_PERP", 500);
  (void)types(&x);
  chained(&x, S, 480, 520, 490, "[\"10\",\"7\"]", "");
  cr_assert_str_eq(types(&x), "gap status ");
  assert_gap(last_of(&x, MD_RECORD_GAP), 500, 480, MD_REASON_SEQUENCE);
  cr_assert_str_eq(best(&x, S, MD_SIDE_BUY), "10x1", "not one level of it was applied");
  cr_assert_eq(book_of(&x, "ETHUSD_PERP")->state, MD_BOOK_VALID);
}

Test(binance_coinm, case_16_ids_jump_and_the_chain_holds) {
  futures_valid(&x, S, 520);
  chained(&x, S, 700, 712, 520, "[\"10\",\"3\"]", "");
  cr_assert_eq(book_of(&x, S)->exch_seq, 712);
  chained(&x, S, 720, 730, 715, "[\"10\",\"4\"]", "");
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_STALE, "and a jump of the chain is a hole");
}

Test(binance_coinm, case_17_part_of_a_book_never_touches_the_chain) {
  futures_valid(&x, S, 500);
  text(&x, "{\"stream\":\"btcusd_perp@depth20@100ms\",\"data\":{\"e\":\"depthUpdate\","
           "\"E\":1700000000002,\"T\":1700000000001,\"s\":\"" S "\",\"ps\":\"BTCUSD\",\"U\":501,"
           "\"u\":502,\"pu\":500,\"b\":[[\"9\",\"9\"]],\"a\":[]}}");
  cr_assert_eq(book_of(&x, S)->exch_seq, 500);
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
}

Test(binance_coinm, case_18_prints_off_the_book_are_flagged_and_in_no_total) {
  static const char frame[] =
      "{\"stream\":\"btcusd_perp@trade\",\"data\":{\"e\":\"trade\",\"E\":1700000000002,"
      "\"T\":1700000000001,\"s\":\"" S "\",\"t\":%u,\"p\":\"100.5\",\"q\":\"3\",\"X\":\"%s\","
      "\"m\":true}}";
  textf(&x, frame, 7, "MARKET");
  textf(&x, frame, 8, "INSURANCE_FUND");
  cr_assert_eq(count(&x, MD_RECORD_TRADE), 2);
  cr_assert(last_of(&x, MD_RECORD_TRADE)->flags & MD_FLAG_OFF_BOOK);
  cr_assert_eq(book_of(&x, S)->trades.cnt, 1);
  cr_assert_eq(book_of(&x, S)->trades.off_book_cnt, 1);
}

Test(binance_coinm, case_20_rows_of_usdm_are_not_ours) {
  futures_valid(&x, S, 500);
  text(&x, "[{\"e\":\"markPriceUpdate\",\"E\":1700000000002,\"s\":\"" S "\",\"p\":\"10.5\","
           "\"st\":2,\"T\":1700000400000,\"r\":\"0.0001\"},"
           "{\"e\":\"markPriceUpdate\",\"E\":1700000000002,\"s\":\"" S "\",\"p\":\"11.5\","
           "\"st\":1,\"T\":1700000400000,\"r\":\"0.0001\"}]");
  cr_assert_eq(count(&x, MD_RECORD_MARK), 1);
  cr_assert_eq(counter(&x, MD_COUNTER_UNROUTABLE), 1);
}
