/* What is prepared ahead is what comes: in recordings of every venue a frame changes no instrument
 * but the one that the glance names, and frames that are shown to a feed are prepared step by step
 * until their turn. What goes wrong here costs time and nothing else, so no other test sees it. */
#include "bench/source.h"
#include "feeds/feed_parts.h"
#include "feeds/recording.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define INSTRUMENT_CNT 40u
#define CHANGED_MIN    90u /* percent of the frames that change a book: so many must be named */

/* ---- the glance ---- */

typedef struct seen {
  uint64_t book_seq, last_seq, trade_cnt;
} seen_t;

static seen_t
look(const md_feed_instrument_t *i) {
  return (seen_t){i->exch_seq, i->last_seq, i->trades.cnt + i->agg_trades.cnt};
}

/* One frame; counts what changed a book, and of these what was named before. */
static void
play_one(md_feed_t *f, const md_input_t *in, uint32_t counts[2]) {
  static seen_t   before[512];
  md_venue_peek_t peek = {0};
  const bool named = in->kind == MD_RAW_TEXT_IN && f->cfg.venue->peek(in->payload, in->len, &peek);
  const uint32_t cnt                     = f->instrument_cnt;
  char           symbol[MD_SYMBOL_BYTES] = "";
  cr_assert_leq(cnt, MD_CNT(before));
  cr_assert(!named || peek.len < sizeof symbol);
  if (named) memcpy(symbol, peek.symbol, peek.len);
  for (uint32_t n = 0; n < cnt; n++)
    before[n] = look(&f->instruments[n]);
  md_feed_input(f, in);
  if (in->kind != MD_RAW_TEXT_IN) return;
  for (uint32_t n = 0; n < f->instrument_cnt; n++) {
    const md_feed_instrument_t *i   = &f->instruments[n];
    const seen_t                now = look(i), was = n < cnt ? before[n] : (seen_t){0};
    const bool                  is_book = was.book_seq != now.book_seq;
    counts[0] += is_book;
    if (!named) continue;
    counts[1] += is_book;
    if (is_book) cr_assert(peek.is_book, "%s: a book's update", symbol);
    if (strcmp(i->symbol, symbol) != 0)
      cr_assert_eq(memcmp(&was, &now, sizeof now), 0, "%s changed %s", symbol, i->symbol);
  }
}

static void
play(const char *path, uint32_t counts[2]) {
  md_msg_t          msg    = {0};
  md_clock_manual_t manual = {.real_ns = 1, .mono_ns = 1};
  md_clock_t        clock  = md_clock_manual(&manual);
  const char       *venue  = md_recording_find_venue(path, &msg);
  cr_assert_not_null(venue, "%s", msg.text);
  const md_feed_config_t cfg = {.name             = venue,
                                .venue            = md_venue_find(venue),
                                .stream           = 1,
                                .raw_stream       = 2,
                                .epoch            = 1,
                                .instrument_max   = 500,
                                .level_pool_bytes = 64ull << 20,
                                .sync_pool_bytes  = 64ull << 20,
                                .sync_queue_bytes = 4ull << 20,
                                .clock            = &clock,
                                .next_id          = 1};
  md_feed_t             *f   = NULL;
  md_recording_t        *r   = NULL;
  cr_assert_eq(md_feed_new(&cfg, &f, &msg), MD_OK, "%s", msg.text);
  cr_assert_eq(md_recording_open(path, 0, NULL, &r, &msg), MD_OK, "%s", msg.text);
  md_source_t s = md_recording_source(r);
  md_input_t  in;
  int64_t     due;
  while (s.next(s.ctx, &in, &due, &msg) == MD_OK)
    play_one(f, &in, counts);
  md_feed_publish(f);
  s.close(s.ctx);
  md_feed_delete(f);
}

Test(feed_peek, a_frame_changes_no_instrument_but_the_one_that_the_glance_names) {
  static const char *const paths[] = {"tests/fixtures/binance_spot/demo.wscap.zst",
                                      "tests/fixtures/binance_derivatives/market.wscap.zst",
                                      "tests/fixtures/binance_coinm/market.wscap.zst",
                                      "tests/fixtures/okx_spot/demo.wscap.zst",
                                      "tests/fixtures/okx_derivatives/demo.wscap.zst",
                                      "tests/fixtures/deribit_derivatives/demo.wscap"};
  for (size_t n = 0; n < MD_CNT(paths); n++) {
    uint32_t counts[2] = {0};
    play(paths[n], counts);
    cr_expect_gt(counts[0], 10, "%s changes no books", paths[n]);
    cr_expect_geq(100ull * counts[1], (uint64_t)CHANGED_MIN * counts[0], "%s: %u of %u", paths[n],
                  counts[1], counts[0]);
  }
}

/* ---- the steps ---- */

/* The frame that was shown as the ahead-th one, the last one shown being MD_FEED_AHEAD_MAX. */
static const md_feed_ahead_t *
shown(const md_feed_t *f, uint32_t ahead) {
  return &f->ahead[(f->ahead_cnt - 1 - (MD_FEED_AHEAD_MAX - ahead)) % MD_CNT(f->ahead)];
}

static const md_feed_instrument_t *
instrument_of(const md_feed_t *f, const md_input_t *in) {
  const char *s = strstr((const char *)in->payload, "\"s\":\"");
  for (uint32_t n = 0; n < f->instrument_cnt; n++) {
    const md_feed_instrument_t *i = &f->instruments[n];
    if (memcmp(s + 5, i->symbol, i->symbol_len) == 0 && s[5 + i->symbol_len] == '"') return i;
  }
  return NULL;
}

/* As md_feed_look_ahead does: before each frame the fifth behind it, at the begin all five. */
static void
show(md_bench_source_t *s, uint32_t at) {
  for (uint32_t ahead = at == 0 ? 1 : MD_FEED_AHEAD_MAX; ahead <= MD_FEED_AHEAD_MAX; ahead++) {
    const md_input_t *in = at + ahead < MD_BENCH_BATCH_CNT ? &s->batch.input[at + ahead] : NULL;
    md_feed_expect_next(s->feed, in ? in->payload : NULL, in ? in->len : 0, ahead);
  }
}

/* As far as it should be: one step for each frame that was handled meanwhile. */
static void
assert_prepared(const md_bench_source_t *s, uint32_t at, uint32_t ahead) {
  if (at + ahead >= MD_BENCH_BATCH_CNT) return;
  const md_feed_ahead_t *a = shown(s->feed, ahead);
  cr_assert_geq(a->step, MD_FEED_AHEAD_MAX - (ahead - 1), "%u ahead: step %u", ahead, a->step);
  if (a->step >= 2) cr_assert_eq(a->i, instrument_of(s->feed, &s->batch.input[at + ahead]));
}

/* The next one in front of a frame, those behind it while that is handled. */
Test(feed_peek, frames_that_are_shown_are_prepared_when_their_turn_comes) {
  static md_bench_source_t s;
  cr_assert(md_bench_source_new(&s, INSTRUMENT_CNT, true));
  for (uint32_t k = 0; k < 4; k++) {
    md_bench_source_fill(&s, INSTRUMENT_CNT);
    for (uint32_t n = 0; n < MD_BENCH_BATCH_CNT; n++) {
      show(&s, n);
      assert_prepared(&s, n, 1);
      md_feed_input(s.feed, &s.batch.input[n]);
      for (uint32_t ahead = 1; ahead <= MD_FEED_AHEAD_MAX; ahead++)
        assert_prepared(&s, n, ahead);
      cr_assert_eq(s.feed->near, instrument_of(s.feed, &s.batch.input[n]));
    }
    md_feed_publish(s.feed);
  }
  md_bench_source_delete(&s);
}
