/* Holes in the numbers of trades, and what was missed while the engine was not there. */
#include "tests/unit/feed_fixture.h"

#define A "BTCUSDT"
#define B "ETHUSDT"

static fixture_t x;

static void
init(void) {
  fixture_init(&x);
}

static void
fini(void) {
  fixture_fini(&x);
}

TestSuite(feed_resume, .init = init, .fini = fini);

static void
resume(const char *lines) {
  char command[300];
  int  len = snprintf(command, sizeof command, "resume\n%s", lines);
  give(&x, MD_RAW_COMMAND, "", command, (size_t)len);
}

static void
assert_trade_gap(const md_record_t *rec, uint64_t last, uint64_t seen, md_reason_t reason) {
  const md_gap_t *g = body_of(rec);
  cr_assert_eq(g->record_type, MD_RECORD_TRADE);
  cr_assert_eq(g->exch_seq_last, last);
  cr_assert_eq(g->exch_seq_seen, seen);
  cr_assert_eq(g->reason, reason);
}

Test(feed_resume, a_hole_in_the_numbers_of_trades_is_declared_in_front_of_the_trade) {
  trade(&x, A, 5, "10", "1");
  trade(&x, A, 6, "10", "1");
  (void)types(&x);
  trade(&x, A, 9, "10", "1");
  cr_assert_str_eq(types(&x), "gap trade ");
  assert_trade_gap(last_of(&x, MD_RECORD_GAP), 6, 9, MD_REASON_SEQUENCE);
  trade(&x, A, 10, "10", "1");
  cr_assert_str_eq(types(&x), "trade ");
  cr_assert_eq(counter(&x, MD_COUNTER_GAPS), 1);
}

Test(feed_resume, a_trade_sent_again_is_a_duplicate_and_no_hole) {
  trade(&x, A, 5, "10", "1");
  (void)types(&x);
  trade(&x, A, 5, "10", "1");
  trade(&x, A, 3, "10", "1");
  cr_assert_str_eq(types(&x), "");
  cr_assert_eq(counter(&x, MD_COUNTER_DUPLICATES), 2);
}

Test(feed_resume, the_first_trade_after_a_restart_tells_what_was_missed) {
  resume(A " - 41 -\n" B " - 7 -\n");
  trade(&x, A, 50, "10", "1");
  cr_assert_str_eq(types(&x), "definition gap trade ");
  assert_trade_gap(last_of(&x, MD_RECORD_GAP), 41, 50, MD_REASON_RESTART);
  trade(&x, B, 8, "10", "1");
  cr_assert_str_eq(types(&x), "definition trade ");
}

/* An exchange whose numbers began again must not be deaf for ever. */
Test(feed_resume, smaller_numbers_after_a_restart_are_taken) {
  resume(A " - 41 -\n");
  trade(&x, A, 3, "10", "1");
  cr_assert_str_eq(types(&x), "definition trade ");
}

Test(feed_resume, a_book_that_the_journal_knows_begins_with_a_gap) {
  resume(A " 100 - -\n");
  depth(&x, A, 205, 205, "[\"10\",\"2\"]", "");
  cr_assert_str_eq(types(&x), "definition gap status ");
  assert_gap(last_of(&x, MD_RECORD_GAP), 100, MD_NULL_U64, MD_REASON_RESTART);
  snapshot(&x, A, 5, 204, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  cr_assert_str_eq(types(&x), "book_snapshot book_delta status ");
}

Test(feed_resume, what_the_journal_does_not_know_has_no_gap) {
  resume(B " 100 5 5\n");
  depth(&x, A, 205, 205, "[\"10\",\"2\"]", "");
  trade(&x, A, 77, "10", "1");
  cr_assert_eq(count(&x, MD_RECORD_GAP), 0);
}

Test(feed_resume, a_line_that_is_none_ends_the_command) {
  static const char *const bad[] = {
      "X",         "X 1", "X 1 2",       "X 1 2 x\n",
      "X 1 2 3",   " \n", "X 1 2 3 4\n", "X 1 2 99999999999999999999\n",
      "X 1 -2 3\n"};
  for (size_t n = 0; n < MD_CNT(bad); n++)
    resume(bad[n]);
  resume(A " 100 5 5\nX 1\n" B " 1 1 1\n");
  trade(&x, A, 9, "10", "1"); /* the line before the bad one counts */
  trade(&x, B, 9, "10", "1");
  cr_assert_eq(count(&x, MD_RECORD_GAP), 1);
}
