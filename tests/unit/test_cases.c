/* test_cases - numbered adversarial cases that concern every venue: a book that stays crossed, a
 * clock that steps, connections that can be told apart. */
#include "tests/unit/futures_fixture.h"

#define S        "BTCUSDT"
#define NS_PER_S 1000000000ll

static fixture_t x;

static void
init(void) {
  fixture_init(&x);
}

static void
fini(void) {
  fixture_fini(&x);
}

TestSuite(cases, .init = init, .fini = fini);

/* ---- 61: a snapshot that was cut, and a market that leaves its levels ---- */

/* Bids 10 and 9, asks 11 and 12 are known; beyond stands, among others, an ask at 13. */
static void
begin_cut(void) {
  fixture_fini(&x);
  futures_init(&x, "binance_derivatives");
  http(&x, "https://fapi.binance.com/fapi/v1/depth?symbol=" S "&limit=2",
       "{\"lastUpdateId\":104,\"E\":1700000000003,\"T\":1700000000002,"
       "\"bids\":[[\"10\",\"1\"],[\"9\",\"1\"]],\"asks\":[[\"11\",\"1\"],[\"12\",\"1\"]]}");
  chained(&x, S, 105, 105, 104, "", "");
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
}

/* The market goes up: the asks at 11 and 12 are taken, and one at 14 comes, which is all that the
 * updates ever say of what lies beyond. */
static void
leave_the_edge(void) {
  begin_cut();
  chained(&x, S, 106, 106, 105, "", "[\"14\",\"5\"]");
  chained(&x, S, 107, 107, 106, "", "[\"11\",\"0\"]");
  chained(&x, S, 109, 109, 107, "", "[\"12\",\"0\"]");
}

static void
best_prices(const char *bid, const char *ask, const char *ask_qty) {
  textf(&x,
        "{\"e\":\"bookTicker\",\"u\":109,\"s\":\"%s\",\"b\":\"%s\",\"B\":\"1\",\"a\":\"%s\","
        "\"A\":\"%s\",\"T\":1700000000001,\"E\":1700000000002}",
        S, bid, ask, ask_qty);
}

/* It was taken for a contradiction, and the book for right until there were three of them. */
Test(cases, case_61_a_level_that_a_cut_snapshot_did_not_show_is_missing_and_no_contradiction) {
  leave_the_edge();
  unsigned requests = x.request_cnt;
  best_prices("10", "13", "2");
  cr_assert_eq(counter(&x, MD_COUNTER_CANARY_MISMATCHES), 0);
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_STALE, "at once: its best price is wrong");
  cr_assert_eq(book_of(&x, S)->reason, MD_REASON_DEPTH);
  assert_gap(last_of(&x, MD_RECORD_GAP), 109, 109, MD_REASON_DEPTH);
  cr_assert_eq(x.request_cnt, requests + 1);
}

Test(cases, case_61_a_side_that_has_no_level_left_lacks_those_behind) {
  begin_cut();
  chained(&x, S, 109, 109, 105, "[\"10\",\"0\"],[\"9\",\"0\"]", "");
  best_prices("8", "11", "1");
  cr_assert_eq(book_of(&x, S)->reason, MD_REASON_DEPTH);
}

Test(cases, case_61_a_best_price_that_the_venue_confirms_is_right_wherever_it_lies) {
  leave_the_edge();
  best_prices("10", "14", "5");
  cr_assert_eq(counter(&x, MD_COUNTER_CANARY_MATCHES), 1);
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
}

/* Among what is known nothing may be missing, and beyond it nothing may be too much or differ. */
Test(cases, case_61_other_contradictions_are_what_they_were) {
  static const struct {
    const char *bid, *ask, *ask_qty;
  } wrong[] = {{"10", "11.5", "1"}, {"10", "14", "6"}, {"10", "15", "1"}, {"9", "13", "2"}};
  for (size_t n = 0; n < MD_CNT(wrong); n++) {
    leave_the_edge();
    for (unsigned turn = 0; turn < 3; turn++) {
      cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID, "%zu", n);
      best_prices(wrong[n].bid, wrong[n].ask, wrong[n].ask_qty);
    }
    cr_assert_eq(book_of(&x, S)->reason, MD_REASON_CANARY, "%zu", n);
    cr_assert_eq(counter(&x, MD_COUNTER_CANARY_MISMATCHES), 3, "%zu", n);
  }
}

/* ---- 49: crossed ---- */

/* Updates of a crossed book, a second apart; the seconds until it is STALE, 0 when it never is. */
static int
seconds_until_stale(unsigned *id, int seconds) {
  for (int s = 0; s <= seconds; s++) {
    ++*id;
    depth(&x, S, *id, *id, "[\"12\",\"1\"]", "");
    if (book_of(&x, S)->state == MD_BOOK_STALE) return s;
    x.recv_ns += NS_PER_S;
  }
  return 0;
}

Test(cases, case_49_a_book_that_stays_crossed_is_made_anew) {
  unsigned id = 105, requests;
  make_valid(&x, S, id);
  requests = x.request_cnt;
  cr_assert_eq(seconds_until_stale(&id, 100), 5);
  cr_assert_eq(book_of(&x, S)->reason, MD_REASON_CROSSED);
  assert_gap(last_of(&x, MD_RECORD_GAP), id, id, MD_REASON_CROSSED);
  cr_assert_eq(x.request_cnt, requests + 1);
  cr_assert(last_of(&x, MD_RECORD_BOOK_DELTA)->flags & MD_FLAG_CROSSED);
}

Test(cases, case_49_a_book_that_is_crossed_by_right_is_asked_for_ever_less_often) {
  static const int pauses[] = {5, 10, 20, 40};
  unsigned         id       = 105;
  make_valid(&x, S, id);
  for (size_t n = 0; n < MD_CNT(pauses); n++) {
    cr_assert_eq(seconds_until_stale(&id, 100), pauses[n]);
    snapshot(&x, S, 5, id, "[\"12\",\"1\"]", "[\"11\",\"1\"]");
    id++;
    depth(&x, S, id, id, "", "");
    cr_assert(last_of(&x, MD_RECORD_BOOK_SNAPSHOT)->flags & MD_FLAG_CROSSED);
    cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
  }
  id++;
  depth(&x, S, id, id, "[\"12\",\"0\"]", ""); /* not crossed: it begins anew */
  cr_assert_eq(seconds_until_stale(&id, 100), 5);
}

Test(cases, case_49_a_book_that_is_crossed_for_a_moment_stays_valid) {
  unsigned id = 105;
  make_valid(&x, S, id);
  for (int n = 0; n < 20; n++, id += 2) {
    depth(&x, S, id + 1, id + 1, "[\"11\",\"1\"]", "");
    x.recv_ns += 4 * NS_PER_S;
    depth(&x, S, id + 2, id + 2, "[\"11\",\"0\"]", "");
    x.recv_ns += 4 * NS_PER_S;
  }
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
  cr_assert_eq(count(&x, MD_RECORD_GAP), 0);
}

/* ---- 51: clocks ---- */

/* Order is the sequence's and the inputs': a clock set back or forth by 5 s changes no book, loses
 * no trade and makes none late. */
Test(cases, case_51_a_clock_that_steps_changes_nothing_but_times) {
  static const int64_t steps[] = {0, -5 * NS_PER_S, 3, 5 * NS_PER_S, -5 * NS_PER_S, 7};
  unsigned             id      = 105;
  make_valid(&x, S, id);
  for (size_t n = 0; n < MD_CNT(steps); n++) {
    x.recv_ns += steps[n];
    x.manual.real_ns += steps[n];
    id++;
    depth(&x, S, id, id, "[\"10\",\"2\"]", "");
    trade(&x, S, id, "10.5", "1");
    cr_assert_eq(last_of(&x, MD_RECORD_TRADE)->ts_recv_ns, x.recv_ns);
  }
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
  cr_assert_eq(book_of(&x, S)->exch_seq, id);
  cr_assert_eq(count(&x, MD_RECORD_TRADE), MD_CNT(steps));
  cr_assert_eq(count(&x, MD_RECORD_GAP), 0);
  for (uint32_t n = 0; n < x.cnt; n++)
    cr_assert_eq(x.records[n]->seq, n + 1u);
}

/* ---- 52: connections ---- */

Test(cases, case_52_records_tell_which_connection_they_came_by) {
  make_valid(&x, S, 105);
  x.leg = 1;
  depth(&x, S, 106, 106, "[\"10\",\"2\"]", "");
  x.leg = 0;
  depth(&x, S, 106, 106, "[\"10\",\"2\"]", ""); /* the same by the other one */
  depth(&x, S, 107, 107, "[\"10\",\"3\"]", "");
  cr_assert_eq(count(&x, MD_RECORD_BOOK_DELTA), 3);
  cr_assert_eq(nth(&x, MD_RECORD_BOOK_DELTA, 1)->leg, 1);
  cr_assert_eq(nth(&x, MD_RECORD_BOOK_DELTA, 2)->leg, 0);
  cr_assert_eq(counter(&x, MD_COUNTER_DUPLICATES), 1);
  uint32_t gen = book_of(&x, S)->gen;
  x.leg        = MD_LEG_RETIRED; /* a connection that was replaced goes: no book hangs on it */
  disconnect(&x);
  cr_assert_eq(book_of(&x, S)->state, MD_BOOK_VALID);
  cr_assert_eq(book_of(&x, S)->gen, gen);
  cr_assert_eq(count(&x, MD_RECORD_GAP), 0);
}
