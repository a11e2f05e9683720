/* test_feed_deepen - a deeper snapshot makes more of a VALID book known: when it aligns with the
 * updates that were kept, and never otherwise. */
#include "feeds/backoff.h"
#include "tests/unit/feed_fixture.h"
#include "tests/unit/segment_fixture.h"

#define A          "BTCUSDT"
#define L(px, qty) "[\"" px "\",\"" qty "\"]"

static fixture_t x;
static uint32_t  told_cnt, told, told_left, low_cnt, low;

static void
on_depth(void *ctx, const char *symbol, uint32_t limit, uint32_t left) {
  (void)ctx;
  cr_assert(symbol[0] != 0);
  told      = limit;
  told_left = left;
  told_cnt++;
}

static void
on_low(void *ctx, const char *symbol, uint32_t left) {
  (void)ctx;
  cr_assert_str_eq(symbol, A);
  low = left;
  low_cnt++;
}

static void
open_with(uint64_t queue_bytes) {
  md_feed_config_t cfg = fixture_feed_config(&x);
  cfg.tell_depth       = on_depth;
  cfg.tell_low         = on_low;
  cfg.sync_queue_bytes = queue_bytes;
  fixture_open(&x, &cfg);
}

static void
init(void) {
  open_with(32u << 20);
}

static void
fini(void) {
  fixture_fini(&x);
}

TestSuite(feed_deepen, .init = init, .fini = fini);

static void
deepen(const char *symbol) {
  char text[64];
  int  len = snprintf(text, sizeof text, "deepen %s", symbol);
  give(&x, MD_RAW_TIMER, "", text, (size_t)len);
}

/* The exchange has bids 10 to 6 and asks 11 to 15, each of quantity 1; two a side are known. */
static void
begin(void) {
  snapshot(&x, A, 2, 100, L("10", "1") "," L("9", "1"), L("11", "1") "," L("12", "1"));
  depth(&x, A, 101, 101, "", "");
  (void)types(&x);
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_VALID);
}

#define BIDS L("10", "1") "," L("9", "1") "," L("8", "1") "," L("7", "1") "," L("6", "1")
#define ASKS L("11", "1") "," L("12", "1") "," L("13", "1") "," L("14", "1") "," L("15", "1")

/* px and qty of the n-th level as text, "-" when there is none. */
static const char *
level(md_side_t side, uint32_t n) {
  static char                 text[2][96];
  static unsigned             turn;
  const md_feed_instrument_t *i   = book_of(&x, A);
  char                       *out = text[turn++ % 2], px[MD_DECIMAL_BYTES], qty[MD_DECIMAL_BYTES];
  md_level_t                  l;
  if (!md_orderbook_at(&i->book, side, n, &l)) return "-";
  md_decimal_format(l.px, i->px_exp, px, sizeof px);
  md_decimal_format(l.qty, i->qty_exp, qty, sizeof qty);
  (void)snprintf(out, 96, "%sx%s", px, qty);
  return out;
}

static void
expect_trust(int64_t bid, int64_t ask) {
  const md_feed_instrument_t *i = book_of(&x, A);
  int64_t                     b = i->trusted_bid, a = i->trusted_ask;
  cr_assert_eq(md_rescale_i64(&b, i->px_exp, 0), MD_OK);
  cr_assert_eq(md_rescale_i64(&a, i->px_exp, 0), MD_OK);
  cr_expect_eq(b, bid, "trusted bid %lld", (long long)b);
  cr_expect_eq(a, ask, "trusted ask %lld", (long long)a);
}

/* Nothing was published, the book is as it was, and somebody may ask again. */
static void
expect_given_up(uint32_t told_before) {
  cr_assert_str_eq(types(&x), "");
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_VALID);
  cr_assert_not(book_of(&x, A)->is_deepening);
  cr_assert_eq(book_of(&x, A)->deepen->queue.cnt, 0);
  cr_assert_eq(counter(&x, MD_COUNTER_DEEPEN_RETRIES), 1);
  cr_assert_eq(told_cnt, told_before + 1);
  cr_assert_eq(told, 2, "it is known as far as before");
  expect_trust(9, 12);
}

Test(feed_deepen, a_book_that_became_valid_says_how_far_it_is_known) {
  begin();
  cr_assert_eq(told_cnt, 1);
  cr_assert_eq(told, 2);
  expect_trust(9, 12);
  snapshot(&x, "ETHUSDT", 5, 100, L("10", "1"), L("11", "1"));
  depth(&x, "ETHUSDT", 101, 101, "", "");
  cr_assert_eq(told_cnt, 2);
  cr_assert_eq(told, 0, "fewer levels than asked for: all are known");
}

Test(feed_deepen, updates_behind_the_snapshot_are_applied_and_what_lies_beyond_is_known) {
  begin();
  uint32_t gen = book_of(&x, A)->gen;
  deepen(A);
  depth(&x, A, 102, 103, L("10", "2"), "");
  depth(&x, A, 104, 105, L("10", "3") "," L("8", "0") "," L("7", "9"), L("11", "0"));
  cr_assert_str_eq(types(&x), "book_delta book_delta ");
  snapshot(&x, A, 5, 103,
           L("10", "2") "," L("9", "1") "," L("8", "1") "," L("7", "1") "," L("6", "1"), ASKS);
  cr_assert_str_eq(types(&x), "book_snapshot ");
  cr_assert_str_eq(level(MD_SIDE_BUY, 0), "10x3");
  cr_assert_str_eq(level(MD_SIDE_BUY, 1), "9x1");
  cr_assert_str_eq(level(MD_SIDE_BUY, 2), "7x9", "deleted and changed beyond what was known");
  cr_assert_str_eq(level(MD_SIDE_BUY, 3), "6x1");
  cr_assert_str_eq(level(MD_SIDE_BUY, 4), "-");
  cr_assert_str_eq(level(MD_SIDE_SELL, 0), "12x1");
  cr_assert_str_eq(level(MD_SIDE_SELL, 3), "15x1");
  expect_trust(6, 15);
  const md_record_t        *rec = last_of(&x, MD_RECORD_BOOK_SNAPSHOT);
  const md_book_snapshot_t *s   = body_of(rec);
  cr_assert_eq(rec->exch_seq, 105, "the book of the last update");
  cr_assert_eq(rec->flags, MD_FLAG_LAST | MD_FLAG_SNAPSHOT | MD_FLAG_REST);
  cr_assert_eq(s->bid_total, 4);
  cr_assert_eq(s->ask_total, 4);
  cr_assert_eq(s->limit, 4, "so many are surely known");
  cr_assert_eq(book_of(&x, A)->gen, gen);
  cr_assert_eq(book_of(&x, A)->exch_seq, 105);
  cr_assert_eq(book_of(&x, A)->snapshot_limit, 5);
  cr_assert_eq(counter(&x, MD_COUNTER_DEEPENED), 1);
  cr_assert_eq(told, 5, "and more may be asked for");
  depth(&x, A, 106, 106, L("10", "4"), "");
  cr_assert_str_eq(types(&x), "book_delta ");
  cr_assert_not(last_of(&x, MD_RECORD_BOOK_DELTA)->flags & MD_FLAG_RESYNC);
}

Test(feed_deepen, a_snapshot_ahead_of_the_stream_waits_for_it) {
  begin();
  deepen(A);
  snapshot(&x, A, 5, 104, L("10", "7") "," L("9", "1") "," L("8", "1"), ASKS);
  cr_assert_str_eq(types(&x), "");
  depth(&x, A, 102, 103, L("10", "6"), "");
  cr_assert_str_eq(types(&x), "book_delta ");
  depth(&x, A, 104, 106, L("10", "8") "," L("9", "2"), ""); /* begins within the snapshot */
  cr_assert_str_eq(types(&x), "book_delta book_snapshot ");
  cr_assert_str_eq(level(MD_SIDE_BUY, 0), "10x8");
  cr_assert_str_eq(level(MD_SIDE_BUY, 1), "9x2");
  cr_assert_str_eq(level(MD_SIDE_BUY, 2), "8x1");
  cr_assert_eq(last_of(&x, MD_RECORD_BOOK_SNAPSHOT)->exch_seq, 106);
  expect_trust(MD_NULL_I64, 15);
}

Test(feed_deepen, a_thin_book_needs_no_update) {
  begin();
  deepen(A);
  snapshot(&x, A, 5, 101, L("10", "1") "," L("9", "1") "," L("8", "1"),
           L("11", "1") "," L("12", "1") "," L("13", "1"));
  cr_assert_str_eq(types(&x), "book_snapshot ");
  expect_trust(MD_NULL_I64, MD_NULL_I64);
  const md_book_snapshot_t *s = body_of(last_of(&x, MD_RECORD_BOOK_SNAPSHOT));
  cr_assert_eq(s->limit, 0, "all of it is known");
  cr_assert_eq(told, 0);
  deepen(A); /* there is nothing more */
  cr_assert_not(book_of(&x, A)->is_deepening);
  cr_assert_eq(told_cnt, 3);
}

Test(feed_deepen, a_snapshot_older_than_what_is_kept_is_of_no_use) {
  begin();
  depth(&x, A, 102, 102, L("8", "5"), "");
  deepen(A);
  (void)types(&x);
  uint32_t before = told_cnt;
  snapshot(&x, A, 5, 101, BIDS, ASKS);
  expect_given_up(before);
  snapshot(&x, A, 5, 102, BIDS, ASKS);
  cr_assert_str_eq(types(&x), "", "nobody waits for it any more");
}

Test(feed_deepen, a_hole_between_the_snapshot_and_what_is_kept_is_of_no_use) {
  begin();
  depth(&x, A, 102, 103, "", "");
  deepen(A);
  depth(&x, A, 104, 104, "", "");
  depth(&x, A, 105, 105, "", "");
  (void)types(&x);
  uint32_t before = told_cnt;
  snapshot(&x, A, 5, 102, BIDS, ASKS);
  expect_given_up(before);
}

static void
expect_canary(void) {
  cr_assert_str_eq(types(&x), "gap status ");
  assert_gap(last_of(&x, MD_RECORD_GAP), 101, 101, MD_REASON_CANARY);
  assert_status(last_of(&x, MD_RECORD_STATUS), MD_BOOK_VALID, MD_BOOK_STALE, MD_REASON_CANARY);
  cr_assert_eq(counter(&x, MD_COUNTER_CANARY_MISMATCHES), 1);
  cr_assert_eq(x.request_cnt, 1, "a new snapshot is asked for");
  cr_assert_not(book_of(&x, A)->is_deepening);
}

Test(feed_deepen, another_quantity_within_what_is_known_is_a_canary) {
  begin();
  deepen(A);
  snapshot(&x, A, 5, 101, L("10", "1") "," L("9", "3") "," L("8", "1"), ASKS);
  expect_canary();
}

Test(feed_deepen, a_level_too_much_within_what_is_known_is_a_canary) {
  begin();
  deepen(A);
  snapshot(&x, A, 5, 101, BIDS, L("10", "1") "," L("11", "1") "," L("12", "1"));
  expect_canary();
}

Test(feed_deepen, a_level_that_the_snapshot_lacks_is_a_canary) {
  begin();
  deepen(A);
  snapshot(&x, A, 5, 101, L("10", "1") "," L("8", "1"), ASKS);
  expect_canary();
}

Test(feed_deepen, levels_beyond_both_edges_are_kept) {
  begin();
  depth(&x, A, 102, 102, L("2", "5"), L("40", "6")); /* changed far outside */
  deepen(A);
  depth(&x, A, 103, 103, "", L("50", "7"));
  (void)types(&x);
  snapshot(&x, A, 5, 102, BIDS, ASKS);
  cr_assert_str_eq(types(&x), "book_snapshot ");
  cr_assert_str_eq(level(MD_SIDE_BUY, 5), "2x5");
  cr_assert_str_eq(level(MD_SIDE_SELL, 5), "40x6");
  cr_assert_str_eq(level(MD_SIDE_SELL, 6), "50x7");
  expect_trust(6, 15);
  const md_book_snapshot_t *s = body_of(last_of(&x, MD_RECORD_BOOK_SNAPSHOT));
  cr_assert_eq(s->limit, 5);
  cr_assert_eq(s->ask_total, 7);
}

Test(feed_deepen, a_snapshot_that_reaches_less_far_says_nothing_new) {
  begin();
  depth(&x, A, 102, 102, L("9.8", "1") "," L("9.6", "1") "," L("9.4", "1"),
        L("11.2", "1") "," L("11.4", "1"));
  deepen(A);
  (void)types(&x);
  snapshot(&x, A, 3, 102, L("10", "1") "," L("9.8", "1") "," L("9.6", "1"),
           L("11", "1") "," L("11.2", "1") "," L("11.4", "1"));
  cr_assert_str_eq(types(&x), "");
  expect_trust(9, 12);
  cr_assert_eq(told, 3, "the next may reach farther");
  cr_assert_eq(counter(&x, MD_COUNTER_DEEPENED), 0);
}

Test(feed_deepen, a_snapshot_of_no_more_levels_is_not_what_is_waited_for) {
  begin();
  deepen(A);
  snapshot(&x, A, 2, 101, L("2", "1") "," L("1", "1"), L("11", "1"));
  cr_assert_str_eq(types(&x), "");
  cr_assert(book_of(&x, A)->is_deepening);
  snapshot(&x, A, 5, 101, BIDS, ASKS);
  cr_assert_str_eq(types(&x), "book_snapshot ");
}

Test(feed_deepen, finer_numbers_between_snapshot_and_update_change_nothing) {
  begin();
  deepen(A);
  depth(&x, A, 102, 102, L("8", "5"), "");
  snapshot(&x, A, 5, 103, L("10", "1") "," L("9", "1") "," L("8", "5") "," L("7", "1"), ASKS);
  depth(&x, A, 103, 104, L("8.0125", "0.125"), "");
  cr_assert_str_eq(types(&x), "book_delta definition book_delta book_snapshot ");
  cr_assert_str_eq(level(MD_SIDE_BUY, 2), "8.0125x0.125");
  cr_assert_str_eq(level(MD_SIDE_BUY, 3), "8x5");
  cr_assert_str_eq(level(MD_SIDE_BUY, 4), "7x1");
  expect_trust(MD_NULL_I64, 15);
}

Test(feed_deepen, a_break_while_it_waits_forgets_all_and_the_next_snapshot_is_an_ordinary_one) {
  begin();
  deepen(A);
  depth(&x, A, 102, 102, "", "");
  depth(&x, A, 110, 110, "", ""); /* a hole */
  cr_assert_str_eq(types(&x), "book_delta gap status ");
  cr_assert_not(book_of(&x, A)->is_deepening);
  snapshot(&x, A, 5, 109, BIDS, ASKS);
  cr_assert_str_eq(types(&x), "book_snapshot book_delta status ");
  cr_assert_eq(counter(&x, MD_COUNTER_DEEPENED), 0);
  cr_assert_eq(book_of(&x, A)->gen, 2);
}

Test(feed_deepen, a_lost_connection_while_it_waits_forgets_all) {
  begin();
  deepen(A);
  snapshot(&x, A, 5, 105, BIDS, ASKS);
  disconnect(&x);
  (void)types(&x);
  cr_assert_not(book_of(&x, A)->is_deepening);
  cr_assert_eq(book_of(&x, A)->deepen->book.bids.cnt, 0);
  deepen(A); /* not VALID: not begun */
  cr_assert_not(book_of(&x, A)->is_deepening);
}

Test(feed_deepen, what_does_not_come_in_time_is_given_up) {
  begin();
  deepen(A);
  x.recv_ns += 30000000000;
  depth(&x, A, 102, 102, "", "");
  cr_assert(book_of(&x, A)->is_deepening);
  x.recv_ns += 1;
  depth(&x, A, 103, 103, "", "");
  (void)types(&x);
  cr_assert_not(book_of(&x, A)->is_deepening);
  cr_assert_eq(counter(&x, MD_COUNTER_DEEPEN_RETRIES), 1);
  cr_assert_eq(told_cnt, 2);
}

/* Under load every third wait was given up, because its first frame had come before the request. */
Test(feed_deepen, an_update_that_was_received_before_the_request_is_kept) {
  begin();
  deepen(A);
  x.recv_ns -= 600000000;
  depth(&x, A, 102, 102, L("10", "2"), "");
  cr_assert(book_of(&x, A)->is_deepening);
  cr_assert_eq(counter(&x, MD_COUNTER_DEEPEN_RETRIES), 0);
  x.recv_ns -= 31000000000;
  depth(&x, A, 103, 103, "", "");
  cr_assert_not(book_of(&x, A)->is_deepening, "the clock was set back");
}

Test(feed_deepen_queue, a_full_queue_is_given_up, .fini = fini) {
  open_with(1024);
  begin();
  deepen(A);
  uint32_t before = told_cnt;
  unsigned id     = 102;
  while (book_of(&x, A)->is_deepening && id < 200)
    depth(&x, A, id, id, "", ""), id++;
  cr_assert_lt(id, 200);
  (void)types(&x);
  expect_given_up(before);
}

/* ---- the market leaves what is known ---- */

/* Eight levels a side are known, 10 to 3 and 11 to 18, and a tenth is the exponent. */
static void
begin_with_eight(void) {
  trade(&x, A, 1, "0.1", "1");
  snapshot(&x, A, 8, 100, BIDS "," L("5", "1") "," L("4", "1") "," L("3", "1"),
           ASKS "," L("16", "1") "," L("17", "1") "," L("18", "1"));
  depth(&x, A, 101, 101, "", "");
  (void)types(&x);
}

/* The best cnt asks are taken, one update each. */
static unsigned
take_asks(unsigned id, unsigned first, unsigned cnt) {
  char text[32];
  for (unsigned n = 0; n < cnt; n++, id++) {
    (void)snprintf(text, sizeof text, "[\"%u\",\"0\"]", first + n);
    depth(&x, A, id, id, "", text);
  }
  return id;
}

Test(feed_deepen, half_of_what_is_known_is_told_and_each_half_of_that) {
  begin_with_eight();
  unsigned id = take_asks(102, 11, 4);
  cr_assert_eq(low_cnt, 0, "four of eight are left");
  id = take_asks(id, 15, 1);
  cr_assert_eq(low_cnt, 1);
  cr_assert_eq(low, 3);
  depth(&x, A, id, id, "", L("19", "1") "," L("20", "1") "," L("21", "1")); /* beyond the edge */
  cr_assert_eq(low_cnt, 1, "once");
  id = take_asks(id + 1, 16, 1);
  cr_assert_eq(low_cnt, 1);
  (void)take_asks(id, 17, 1);
  cr_assert_eq(low_cnt, 2);
  cr_assert_eq(low, 1);
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_VALID, "the best price is known still");
  cr_assert_eq(x.request_cnt, 0);
}

Test(feed_deepen, as_many_levels_again_where_the_market_is_now_make_it_known) {
  begin_with_eight();
  unsigned id = take_asks(102, 11, 6);
  cr_assert_eq(low, 3);
  deepen(A);
  (void)types(&x);
  snapshot(&x, A, 8, id - 1, BIDS "," L("5", "1") "," L("4", "1") "," L("3", "1"),
           L("17", "1") "," L("18", "1") "," L("19", "2") "," L("20", "1") "," L("21", "1") "," L(
               "22", "1") "," L("23", "1") "," L("24", "1"));
  cr_assert_str_eq(types(&x), "book_snapshot ");
  expect_trust(3, 24);
  cr_assert_eq(told, 8);
  cr_assert_eq(told_left, 8, "nothing of it is behind");
  (void)take_asks(id, 17, 3);
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_VALID);
  cr_assert_str_eq(level(MD_SIDE_SELL, 0), "20x1");
}

Test(feed_deepen, an_answer_that_is_of_no_use_leaves_it_low) {
  begin_with_eight();
  (void)take_asks(102, 11, 6);
  deepen(A);
  snapshot(&x, A, 8, 101, BIDS, ASKS);
  cr_assert_eq(counter(&x, MD_COUNTER_DEEPEN_RETRIES), 1);
  cr_assert_eq(told, 8);
  cr_assert_eq(told_left, 3);
}

/* ---- any order ---- */

#define LEVELS 60

/* The exchange's own book, and the one that a reader of the records has: quantity by price. */
typedef struct model {
  int64_t  qty[2][400];
  uint64_t id;
} model_t;

static model_t  now_model, old_model, seen;
static uint64_t seed;

static uint64_t
below(uint64_t n) {
  return md_random_next(&seed) % n;
}

/* Bids stand at 1 to 199, asks at 201 to 399. */
static void
change(unsigned *side, unsigned *px, unsigned *qty) {
  *side                     = (unsigned)below(2);
  *px                       = *side ? 201 + (unsigned)below(LEVELS) : 199 - (unsigned)below(LEVELS);
  *qty                      = below(3) ? 1 + (unsigned)below(9) : 0;
  now_model.qty[*side][*px] = *qty;
}

/* An update on its way: held back while a snapshot overtakes it. */
typedef struct update {
  char     text[2][1500];
  unsigned first, last;
} update_t;

static update_t on_the_way[8];

static void
make_update(update_t *u) {
  memset(u, 0, sizeof *u);
  u->first = (unsigned)now_model.id + 1;
  for (uint64_t n = 1 + below(4); n > 0; n--) {
    unsigned side, px, qty;
    change(&side, &px, &qty);
    size_t len = strlen(u->text[side]);
    (void)snprintf(u->text[side] + len, sizeof u->text[side] - len, "%s[\"%u\",\"%u\"]",
                   len ? "," : "", px, qty);
    now_model.id++;
  }
  u->last = (unsigned)now_model.id;
}

static void
give_update(const update_t *u) {
  depth(&x, A, u->first, u->last, u->text[0], u->text[1]);
}

static void
send_update(void) {
  make_update(&on_the_way[0]);
  give_update(&on_the_way[0]);
}

static void
send_snapshot(const model_t *m, unsigned limit) {
  char text[2][1500] = {"", ""};
  for (unsigned side = 0; side < 2; side++) {
    unsigned cnt = 0;
    for (unsigned n = 1; n < 200 && cnt < limit; n++) {
      unsigned px  = side ? 200 + n : 200 - n;
      size_t   len = strlen(text[side]);
      if (!m->qty[side][px]) continue;
      (void)snprintf(text[side] + len, sizeof text[side] - len, "%s[\"%u\",\"%lld\"]",
                     len ? "," : "", px, (long long)m->qty[side][px]);
      cnt++;
    }
  }
  snapshot(&x, A, limit, (unsigned)m->id, text[0], text[1]);
}

/* What a reader of the records makes of those since the last call. */
static void
read_records(void) {
  for (; x.seen < x.cnt; x.seen++) {
    const md_record_t     *rec = x.records[x.seen];
    const md_book_delta_t *d   = body_of(rec);
    cr_assert_neq(rec->type, MD_RECORD_GAP);
    if (rec->type != MD_RECORD_BOOK_DELTA && rec->type != MD_RECORD_BOOK_SNAPSHOT) continue;
    const md_level_t *l = (const void *)(d + 1);
    if (rec->type == MD_RECORD_BOOK_SNAPSHOT) memset(&seen, 0, sizeof seen);
    for (uint32_t n = 0; n < (uint32_t)d->bid_cnt + d->ask_cnt; n++)
      seen.qty[n >= d->bid_cnt][l[n].px / 10] = l[n].qty;
    seen.id = rec->exch_seq;
  }
}

/* The engine's book equals the exchange's as far as it says, and the reader's everywhere. */
static void
expect_equal(void) {
  const md_feed_instrument_t *i       = book_of(&x, A);
  int64_t                     edge[2] = {i->trusted_bid, i->trusted_ask};
  uint32_t                    off[2]  = {0, 0};
  for (unsigned n = 1; n < 200; n++) {
    for (unsigned side = 0; side < 2; side++) {
      unsigned   px  = side ? 200 + n : 200 - n;
      int64_t    has = 0;
      md_level_t l;
      if (md_orderbook_at(&i->book, side ? MD_SIDE_SELL : MD_SIDE_BUY, off[side], &l) &&
          l.px == (int64_t)px * 10) {
        has = l.qty;
        off[side]++;
      }
      cr_assert_eq(seen.qty[side][px], has, "a reader has another book at %u", px);
      bool is_known = edge[side] == MD_NULL_I64 ||
                      (side ? px * 10 <= edge[side] : px * 10 >= edge[side]) || has;
      if (is_known) cr_assert_eq(has, now_model.qty[side][px], "%u differs from the exchange", px);
    }
  }
  cr_assert_eq(i->exch_seq, now_model.id);
  cr_assert_eq(seen.id, now_model.id);
}

/* A snapshot comes some updates after its id, or some updates before the stream reaches it. */
static void
run_round(unsigned limit) {
  const uint64_t before = below(6), late = below(6), early = below(2) ? below(6) : 0;
  deepen(A);
  for (uint64_t n = 0; n < before; n++)
    send_update();
  old_model = now_model;
  for (uint64_t n = 0; n < late && early == 0; n++)
    send_update();
  for (uint64_t n = 0; n < early; n++) {
    make_update(&on_the_way[n]);
    if (n == early / 2) old_model = now_model; /* the last ones follow it */
  }
  send_snapshot(&old_model, limit);
  for (uint64_t n = 0; n < early; n++)
    give_update(&on_the_way[n]);
  read_records();
  expect_equal();
}

/* One market of its own: known by five levels, then by more and more. */
static void
run_market(uint64_t number) {
  static const unsigned limits[] = {12, 25, 500};
  seed                           = number * 7919;
  open_with(32u << 20);
  memset(&now_model, 0, sizeof now_model);
  now_model.id = 1000;
  for (unsigned n = 0; n < 400; n++) {
    unsigned side, px, qty;
    change(&side, &px, &qty);
  }
  trade(&x, A, 1, "0.1", "1"); /* a tenth is the exponent from here on */
  send_snapshot(&now_model, 5);
  send_update();
  for (size_t n = 0; n < MD_CNT(limits); n++) {
    run_round(limits[n]);
    for (uint64_t more = below(4); more > 0; more--)
      send_update();
    read_records();
    expect_equal();
  }
  cr_assert_eq(book_of(&x, A)->state, MD_BOOK_VALID);
  cr_assert_eq(book_of(&x, A)->trusted_bid, MD_NULL_I64);
  cr_assert_eq(book_of(&x, A)->trusted_ask, MD_NULL_I64);
  cr_assert_eq(counter(&x, MD_COUNTER_DEEPEN_RETRIES), 0);
  cr_assert_eq(counter(&x, MD_COUNTER_CANARY_MISMATCHES), 0);
}

Test(feed_deepen_any, any_order_of_updates_and_snapshots_gives_the_exchanges_book) {
  uint64_t deepened = 0;
  for (uint64_t number = 1; number <= 300; number++) {
    run_market(number);
    deepened += counter(&x, MD_COUNTER_DEEPENED);
    fixture_fini(&x);
  }
  cr_assert_gt(deepened, 600, "%llu", (unsigned long long)deepened);
}

/* ---- shared memory ---- */

Test(feed_deepen_shm, readers_see_the_deeper_book_at_once_and_never_another_state) {
  make_dir();
  md_segment_t        s;
  md_segment_config_t sc = fixture_config(9);
  start_engine(&sc, &s);
  md_feed_config_t cfg = fixture_feed_config(&x);
  cfg.segment          = &s;
  fixture_open(&x, &cfg);
  md_out_t *o = md_feed_out(x.feed);
  md_tape_writer_init(&o->tape, md_segment_tape(&s, 0));
  o->stream_row = &s.streams[s.feeds[0].stream_row];

  begin();
  const md_book_t *book = md_instrument_book(&s, book_of(&x, A)->row);
  md_book_meta_t   meta;
  md_level_t       bids[50], asks[50];
  uint32_t         bid_cnt, ask_cnt;
  deepen(A);
  depth(&x, A, 102, 102, L("7", "4"), "");
  snapshot(&x, A, 5, 101, BIDS, ASKS);
  cr_assert_eq(md_book_read_depth(book, 50, &meta, bids, &bid_cnt, asks, &ask_cnt), MD_OK);
  cr_assert_eq(meta.state, MD_BOOK_VALID);
  cr_assert_eq(meta.gen, 1);
  cr_assert_eq(meta.exch_seq, 102);
  cr_assert_eq(meta.last_seq, o->seq);
  cr_assert_eq(meta.tape_pos, o->tape.write);
  cr_assert(bid_cnt == 5 && ask_cnt == 5 && meta.bid_total == 5 && meta.ask_total == 5);
  cr_assert(bids[3].px == 7 && bids[3].qty == 4 && bids[4].px == 6 && asks[4].px == 15);
  cr_assert_eq(meta.trusted_bid, 6);
  cr_assert_eq(meta.trusted_ask, 15);
  depth(&x, A, 103, 103, L("6", "0"), L("15", "2"));
  cr_assert_eq(md_book_read_depth(book, 50, &meta, bids, &bid_cnt, asks, &ask_cnt), MD_OK);
  cr_assert(bid_cnt == 4 && asks[4].qty == 2 && meta.exch_seq == 103);
  fixture_fini(&x);
  md_segment_delete(&s);
  remove_dir();
}
