/* `mdengine top` without a terminal: rates from two pictures with the time put in, and what is
 * drawn of them at 80 x 24 and 200 x 50: order, filter, pause, the page of a feed, help. */
#include "engine/live.h"
#include "engine/screen.h"
#include "engine/top.h"
#include "monitoring/status_window.h"
#include "tests/unit/mdshm_fixture.h"

static md_status_view_t   view, before;
static md_top_t           top;
static md_page_t          page;
static md_clock_manual_t  now;
static md_clock_t         watch;
static md_live_t          live;
static md_status_source_t source;

static md_counter_t
counter_id(const char *name) {
  for (unsigned i = 0; mdshm_counter_name(i); i++)
    if (strcmp(mdshm_counter_name(i), name) == 0) return (md_counter_t)i;
  cr_assert_fail("no counter %s", name);
  return 0;
}

static void
bump(uint32_t thread, const char *name, uint64_t by) {
  md_count(&engine.metrics[thread], counter_id(name), by);
}

static void
setup(void) {
  begin();
  now    = (md_clock_manual_t){.real_ns = 5000000000, .mono_ns = 1000000000};
  watch  = md_clock_manual(&now);
  live   = (md_live_t){"unit", test_dir, open_unit()};
  source = (md_status_source_t){live.shm, live.dir,       live.name,
                                &watch,   MDSHM_ANY_FEED, MD_STATUS_BOOKS_MAX};
  md_top_init(&top);
}

static void
teardown(void) {
  mdshm_close(live.shm);
  end();
}

static void
take_twice(int64_t window_ns, uint64_t first_messages, uint64_t second_messages) {
  md_status_take(&source, NULL, &before);
  bump(0, "mdengine_feed_frames_total", first_messages);
  bump(1, "mdengine_feed_frames_total", second_messages);
  now.mono_ns += window_ns;
  now.real_ns += window_ns;
  md_status_take(&source, &before, &view);
}

static void
draw(uint32_t rows, uint32_t cols) {
  md_page_begin(&page, rows, cols);
  md_top_draw(&top, &view, false, &page);
}

/* The row that holds text, -1 none. */
static int
row_of(const char *text) {
  for (uint32_t i = 0; i < page.rows; i++)
    if (strstr(page.text[i], text)) return (int)i;
  return -1;
}

static void
keys(const char *text) {
  for (; *text; text++)
    cr_assert(md_top_key(&top, &view, *text));
}

TestSuite(top, .init = setup, .fini = teardown);

Test(top, rates_are_differences_over_the_injected_time) {
  take_twice(2000000000, 3000, 50);
  cr_expect_float_eq(view.feed[0].frames_per_s, 1500.0, 0.001);
  cr_expect_float_eq(view.feed[1].frames_per_s, 25.0, 0.001);
  cr_expect_eq(view.feed[0].frames, 3000);
}

Test(top, first_picture_and_a_clock_that_stands_give_no_rate) {
  take_twice(0, 3000, 50);
  cr_expect_eq(view.feed[0].frames_per_s, 0.0);
}

Test(top, restart_gives_no_rate_and_is_told) {
  bump(0, "mdengine_feed_frames_total", 100);
  md_status_take(&source, NULL, &before);
  restart();
  bump(0, "mdengine_feed_frames_total", 700);
  now.mono_ns += 1000000000;
  do
    md_status_take(&source, &before, &view);
  while (view.check == MDSHM_SUPERSEDED || view.info.generation == 1);
  cr_expect_eq(view.feed[0].frames_per_s, 0.0);
  draw(24, 80);
  cr_expect(strstr(page.text[0], "epoch 2"));
  cr_expect(strstr(page.text[0], "live, restarted 1 x"), "%s", page.text[0]);
}

static const md_latency_t *
decode_of_first(void) {
  return &view.feed[0].recent.decode;
}

/* One picture a second, each with so many measurements before it. */
static void
pass_seconds(md_status_window_t *window, unsigned seconds, uint64_t ns, unsigned cnt) {
  for (unsigned i = 0; i < seconds; i++) {
    for (unsigned n = 0; n < cnt; n++)
      md_hist_add(&engine.metrics[0].stage[MD_STAGE_DECODE], (int64_t)ns);
    now.mono_ns += 1000000000;
    md_status_take(&source, NULL, &view);
    md_status_window_take(window, &source, &view);
  }
}

Test(top, latencies_are_of_the_last_seconds_and_an_old_outlier_leaves_them) {
  md_status_window_t *window = md_status_window_new(10000000000);
  cr_assert(window);
  pass_seconds(window, 1, 5000000, 100);
  cr_expect_eq(view.recent_s, 0.0, "the first picture has no earlier one");
  cr_expect(!md_top_is_recent(&top, &view));
  pass_seconds(window, 1, 5000000, 100); /* slow ones, in the second second */
  cr_expect_float_eq(view.recent_s, 1.0, 1e-9);
  cr_expect_eq(decode_of_first()->cnt, 100);
  pass_seconds(window, 9, 200, 10);
  cr_expect_float_eq(view.recent_s, 10.0, 1e-9);
  cr_expect_eq(decode_of_first()->cnt, 190, "the slow ones are still within");
  cr_expect_geq(decode_of_first()->p99_ns, 5000000);
  pass_seconds(window, 1, 200, 10);
  cr_expect_float_eq(view.recent_s, 10.0, 1e-9);
  cr_expect_eq(decode_of_first()->cnt, 100);
  cr_expect_leq(decode_of_first()->p999_ns, 208);
  cr_expect_geq(view.feed[0].start.decode.p99_ns, 5000000, "since the start they stay");
  draw(24, 80);
  cr_expect_gt(row_of("binance_spot, last 10 s"), 0);
  keys("w");
  draw(24, 80);
  cr_expect_gt(row_of("binance_spot, since start"), 0);
  cr_expect(strstr(page.text[row_of("receive to decoded")], "300"));
  pass_seconds(window, 100, 200, 0);
  cr_expect_eq(decode_of_first()->cnt, 0, "nothing was measured of late");
  md_status_window_free(window);
}

Test(top, latencies_of_the_engine_before_are_not_in_the_window) {
  md_status_window_t *window = md_status_window_new(10000000000);
  cr_assert(window);
  pass_seconds(window, 3, 5000000, 100);
  restart();
  do
    pass_seconds(window, 1, 200, 1);
  while (view.check != MDSHM_OK || view.info.generation == 1);
  cr_expect_eq(view.recent_s, 0.0, "begun anew");
  pass_seconds(window, 1, 200, 1);
  cr_expect_eq(decode_of_first()->cnt, 1);
  cr_expect_leq(decode_of_first()->p999_ns, 208);
  md_status_window_free(window);
}

Test(top, rings_are_seen_by_their_owner_with_their_fill) {
  md_ring_producer_t  producer;
  _Alignas(8) uint8_t bytes[16384] = {0};
  md_record_t        *rec          = (void *)bytes;
  *rec = (md_record_t){.len = sizeof bytes, .type = MD_RECORD_TRADE, .seq = 1, .stream = 5};
  md_ring_producer_init(&producer, md_segment_ring(&engine, 0));
  cr_assert_eq(md_ring_write_group(&producer, rec, 1, sizeof bytes), MD_OK);
  md_ring_publish(&producer);
  take_twice(1000000000, 1, 1);
  cr_expect_eq(view.ring_cnt, 2);
  const md_status_ring_t *ring = md_top_ring(&view, "binance_spot", "journal");
  cr_assert(ring);
  cr_expect_eq(ring->used_bytes, 16384);
  cr_expect_eq(ring->capacity_bytes, 1u << 16);
  cr_expect_null(md_top_ring(&view, "binance", "journal"));
  draw(24, 80);
  cr_expect(strstr(page.text[row_of(">binance_spot")], " 25%"), "%s", page.text[3]);
}

Test(top, rings_that_may_not_be_seen_are_a_dash) {
  char path[128];
  (void)snprintf(path, sizeof path, "%s/mdengine.unit.rings", test_dir);
  cr_assert_eq(unlink(path), 0);
  take_twice(1000000000, 1, 1);
  cr_expect_eq(view.ring_cnt, 0);
  draw(24, 80);
  cr_expect(strstr(page.text[row_of(">binance_spot")], "   -"));
}

Test(top, page_of_80_by_24_shows_everything_that_it_promises) {
  take_twice(1000000000, 2577, 4);
  draw(24, 80);
  cr_expect_eq(row_of("mdengine unit  epoch 1"), 0);
  cr_expect_eq(row_of("2 of 2 feeds  sort: feed, lowest first"), 1);
  cr_expect_eq(row_of(" feed                state       msg/s   rec/s     books  gaps recon  lost"),
               2);
  cr_expect_eq(row_of(">binance_spot        idle         2577"), 3);
  cr_expect_eq(row_of(" binance_us          idle            4"), 4);
  cr_expect_gt(row_of(" journal    ring"), 4);
  cr_expect_gt(row_of("decoded to visible"), 4);
  cr_expect_gt(row_of("published to durable"), 4);
  cr_expect_gt(row_of("binance_spot published 0  durable 0  stored 0"), 4);
  for (uint32_t i = 0; i < page.rows; i++)
    cr_expect_eq(strlen(page.text[i]), 80);
}

Test(top, wide_page_has_more_columns) {
  take_twice(1000000000, 2577, 4);
  draw(50, 200);
  cr_expect(strstr(page.text[2], "P99.9"));
  cr_expect(strstr(page.text[2], "published      durable       stored"), "%s", page.text[2]);
  cr_expect_gt(row_of("binance_us published"), 4);
}

Test(top, tiny_pages_are_cut_and_not_overrun) {
  take_twice(1000000000, 2577, 4);
  for (uint32_t rows = 0; rows < 24; rows++)
    for (uint32_t cols = 0; cols < 80; cols += 7)
      for (int screen = MD_TOP_FEEDS; screen <= MD_TOP_HELP; screen++) {
        top.screen = (md_top_screen_t)screen;
        draw(rows, cols);
        for (uint32_t i = 0; i < rows; i++)
          cr_assert_eq(strlen(page.text[i]), cols);
      }
}

Test(top, sorting_by_a_number_puts_the_highest_first_and_r_turns_it_round) {
  uint32_t order[MD_FEED_CNT_MAX];
  take_twice(1000000000, 10, 500);
  keys(">>");
  cr_assert_eq(md_top_order(&top, &view, order), 2);
  cr_expect_eq(order[0], 1);
  keys("r");
  (void)md_top_order(&top, &view, order);
  cr_expect_eq(order[0], 0);
  keys("<<");
  (void)md_top_order(&top, &view, order);
  cr_expect_eq(order[0], 0, "by name again");
}

Test(top, filter_keeps_feeds_by_part_of_name_or_state) {
  uint32_t order[MD_FEED_CNT_MAX];
  take_twice(1000000000, 10, 500);
  keys("/US");
  draw(24, 80);
  cr_expect(strstr(page.text[1], "filter: US_"));
  cr_assert(md_top_key(&top, &view, MD_KEY_ENTER));
  cr_assert_eq(md_top_order(&top, &view, order), 1);
  cr_expect_eq(order[0], 1);
  draw(24, 80);
  cr_expect(strstr(page.text[1], "1 of 2 feeds"));
  cr_expect_str_eq(md_top_feed(&top, &view)->feed.name, "binance_us");
  keys("/nothing");
  cr_expect_eq(md_top_order(&top, &view, order), 0);
  cr_expect_null(md_top_feed(&top, &view));
  draw(24, 80);
  cr_expect_gt(row_of("no feed matches"), 0);
  cr_assert(md_top_key(&top, &view, MD_KEY_ESCAPE));
  cr_expect_eq(md_top_order(&top, &view, order), 2);
}

Test(top, letters_typed_into_the_filter_are_no_commands) {
  take_twice(1000000000, 10, 500);
  keys("/qp?");
  cr_expect_str_eq(top.filter, "qp?");
  cr_expect(!top.is_paused);
  cr_assert(md_top_key(&top, &view, MD_KEY_ERASE));
  cr_expect_str_eq(top.filter, "qp");
  for (int i = 0; i < 100; i++)
    keys("x");
  cr_expect_eq(strlen(top.filter), MD_TOP_FILTER_BYTES - 1);
}

Test(top, page_of_a_feed_shows_its_counters_positions_and_books) {
  md_store_relaxed(&engine.streams[0].published_seq, 812);
  bump(0, "mdengine_feed_gaps_total", 7);
  take_twice(1000000000, 10, 500);
  cr_assert(md_top_key(&top, &view, MD_KEY_ENTER));
  draw(24, 80);
  cr_expect_gt(row_of("binance_spot  idle  venue binance"), 0);
  cr_expect_gt(row_of("published                         812"), 0);
  cr_expect_gt(row_of("gaps                                7"), 0);
  cr_expect_gt(row_of("BTCUSDT"), 0);
  cr_expect(strstr(page.text[row_of("BTCUSDT")], "VALID"));
  cr_expect(strstr(page.text[row_of("BTCUSDT")], "10.01"));
  cr_assert(md_top_key(&top, &view, MD_KEY_ESCAPE));
  cr_assert(md_top_key(&top, &view, MD_KEY_DOWN));
  cr_assert(md_top_key(&top, &view, MD_KEY_ENTER));
  draw(24, 80);
  cr_expect_gt(row_of("binance_us  idle  venue binance"), 0);
  cr_expect_eq(row_of("BTCUSDT"), -1);
}

Test(top, help_pause_and_quit) {
  take_twice(1000000000, 10, 500);
  keys("?");
  draw(24, 80);
  cr_expect_eq(row_of("mdengine top: keys"), 0);
  for (uint32_t i = 0; i < page.rows; i++)
    cr_expect_eq(page.text[i][79], ' ', "line %u of the help is cut", i);
  keys("?p");
  draw(24, 80);
  cr_expect(strstr(page.text[0], "PAUSED"));
  cr_expect(!md_top_key(&top, &view, 'q'));
  cr_expect(!md_top_key(&top, &view, MD_KEY_CTRL_C));
  cr_expect(!md_top_key(&top, &view, MD_KEY_CLOSED));
}

Test(top, feeds_beyond_the_room_scroll_with_the_choice) {
  take_twice(1000000000, 10, 500);
  while (view.feed_cnt < 20) {
    md_status_feed_t *feed = &view.feed[view.feed_cnt];
    *feed                  = view.feed[1];
    (void)snprintf(feed->feed.name, sizeof feed->feed.name, "feed_%02u", view.feed_cnt++);
  }
  draw(24, 80);
  cr_expect_eq(row_of("feed_19"), -1);
  cr_expect_gt(row_of(" journal    ring"), 4, "the sinks keep their place");
  for (int i = 0; i < 30; i++)
    cr_assert(md_top_key(&top, &view, MD_KEY_DOWN));
  draw(24, 80);
  cr_expect_gt(row_of(">feed_19"), 0);
  cr_expect_eq(row_of("binance_spot "), -1);
}

Test(top, whole_page_has_the_stages_of_every_feed) {
  take_twice(1000000000, 10, 500);
  md_page_begin(&page, md_top_rows(&view), 80);
  md_top_draw(&top, &view, true, &page);
  int first = row_of("receive to decoded");
  cr_assert_gt(first, 0);
  cr_expect(strstr(page.text[first + 4], "receive to decoded"));
  cr_expect_gt(row_of("binance_us published"), 0);
}
