/* `mdengine book --watch` without a terminal: the ladder as text, its bars, its keys, and what it
 * says when the book or the engine is not well. */
#include "engine/ladder.h"
#include "engine/screen.h"
#include "tests/unit/mdshm_fixture.h"

static md_page_t          page;
static mdshm_level_t      bids[MD_LADDER_WATCH_MAX], asks[MD_LADDER_WATCH_MAX];
static md_book_levels_t   ladder = {.bids = bids, .asks = asks};
static md_ladder_screen_t screen = {.feed = "binance_spot", .symbol = "BTC-USDT", .levels = 4};

static void
fill(mdshm_result_t result, uint32_t cnt) {
  ladder.result  = result;
  ladder.meta    = (mdshm_book_meta_t){.state      = 2,
                                       .px_exp     = -2,
                                       .qty_exp    = -1,
                                       .exch_seq   = 77,
                                       .last_seq   = 12,
                                       .ts_recv_ns = 1000000000,
                                       .bid_total  = 500,
                                       .ask_total  = 600};
  ladder.bid_cnt = ladder.ask_cnt = cnt;
  for (uint32_t i = 0; i < cnt; i++) {
    bids[i] = (mdshm_level_t){10000 - (int64_t)i, 10};
    asks[i] = (mdshm_level_t){10011 + (int64_t)i, 20};
  }
  screen.now_ns = 1500000000;
}

static void
draw(uint32_t rows, uint32_t cols) {
  md_page_begin(&page, rows, cols);
  md_ladder_draw(&screen, &ladder, &page);
}

static uint32_t
bar_of(uint32_t row) {
  uint32_t cnt = 0;
  for (const char *p = strchr(page.text[row], '|'); *p; p++)
    cnt += *p == '#';
  return cnt;
}

static bool
has(uint32_t row, const char *text) {
  return strstr(page.text[row], text) != NULL;
}

Test(ladder, page_of_80_by_24_shows_levels_and_positions) {
  fill(MDSHM_OK, 4);
  draw(24, 80);
  cr_expect(has(0, "binance_spot BTC-USDT  VALID"));
  cr_expect(has(1, "update 77  seq 12  500 bids, 600 asks  spread 0.11  age 0.500 s"), "%s",
            page.text[1]);
  cr_expect(has(3, "1          100 | 100.11"), "%s", page.text[3]);
  cr_expect(has(6, "99.97 | 100.14"), "%s", page.text[6]);
  cr_expect(!has(7, "|"));
  cr_expect(has(23, "q quit"));
}

Test(ladder, bars_are_the_depth_so_far_of_the_deeper_side) {
  fill(MDSHM_OK, 4);
  draw(24, 80);
  cr_expect(bar_of(3) < bar_of(4) && bar_of(4) < bar_of(5) && bar_of(5) < bar_of(6));
  uint32_t left = 0;
  for (const char *p = page.text[6]; *p != '|'; p++)
    left += *p == '#';
  cr_expect(left > 0 && left <= bar_of(6) / 2 + 1, "half as deep: %u of %u", left, bar_of(6));
  uint32_t narrow = bar_of(6);
  draw(50, 200);
  cr_expect_gt(bar_of(6), narrow);
}

Test(ladder, hostile_quantities_overrun_nothing) {
  fill(MDSHM_OK, 4);
  bids[0].qty   = INT64_MAX;
  bids[1].qty   = INT64_MIN;
  asks[2].qty   = 0;
  screen.levels = MD_LADDER_WATCH_MAX;
  for (uint32_t rows = 0; rows < 60; rows += 3)
    for (uint32_t cols = 0; cols < 220; cols += 9) {
      draw(rows, cols);
      for (uint32_t i = 0; i < rows; i++)
        cr_assert_eq(strlen(page.text[i]), cols);
    }
}

Test(ladder, what_is_not_to_be_believed_is_said) {
  fill(MDSHM_DEAD, 4);
  draw(24, 80);
  cr_expect(has(0, "DEAD: the engine's process is gone"));
  cr_expect(has(3, "100.11"), "what it knew last");
  fill(MDSHM_STALE, 4);
  draw(24, 80);
  cr_expect(has(0, "STALE: the feed's thread hangs"));
  fill(MDSHM_STOPPED, 4);
  draw(24, 80);
  cr_expect(has(0, "STOPPED: waiting for the next engine"));
  fill(MDSHM_NOT_VALID, 4);
  ladder.meta.state  = 3;
  ladder.meta.reason = 1;
  draw(24, 80);
  cr_expect(has(0, "BTC-USDT  STALE: "), "%s", page.text[0]);
  fill(MDSHM_ABSENT, 0);
  draw(24, 80);
  cr_expect(has(0, "ABSENT"));
  cr_expect(!has(1, "update"));
}

Test(ladder, keys_pause_and_change_the_levels) {
  screen.levels = 2;
  cr_expect(md_ladder_key(&screen, '-') && md_ladder_key(&screen, '-'));
  cr_expect_eq(screen.levels, 1, "not below one");
  cr_expect(md_ladder_key(&screen, '+') && md_ladder_key(&screen, '='));
  cr_expect_eq(screen.levels, 3);
  cr_expect(md_ladder_key(&screen, 'p') && screen.is_paused);
  fill(MDSHM_OK, 4);
  draw(24, 80);
  cr_expect(has(0, "PAUSED"));
  cr_expect(md_ladder_key(&screen, ' ') && !screen.is_paused);
  cr_expect(md_ladder_key(&screen, MD_KEY_RESIZED));
  cr_expect(!md_ladder_key(&screen, 'q'));
}

Test(ladder, live_book_is_read_and_a_restart_is_followed, .init = begin, .fini = end) {
  uint32_t row;
  mdshm_t *shm = open_unit();
  cr_assert_eq(mdshm_instrument_find(shm, MDSHM_ANY_FEED, "BTCUSDT", &row), MDSHM_OK);
  md_ladder_read(shm, row, 5, &ladder);
  cr_expect_str_eq(md_ladder_state(&ladder), "VALID");
  cr_expect_eq(ladder.bid_cnt, 5);
  cr_expect_eq(ladder.bids[0].px, 1000);
  md_ladder_read(shm, row, 25, &ladder);
  cr_expect_eq(ladder.ask_cnt, 25, "from the depth tier");
  restart();
  do
    md_ladder_read(shm, row, 5, &ladder);
  while (ladder.result == MDSHM_SUPERSEDED || ladder.bids[0].px == 1000);
  cr_expect_eq(ladder.result, MDSHM_OK);
  cr_expect_eq(ladder.bids[0].px, 2000);
  mdshm_close(shm);
  screen.restart_cnt = 1;
  draw(24, 80);
  cr_expect(has(0, "restarted 1 x"));
}
