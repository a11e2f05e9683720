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
