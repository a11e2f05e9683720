/* What a configuration means in shared memory: room for the books of every instrument that there
 * may be, the largest first, unless it is given; none but top and ladder without depth. */
#include <criterion/criterion.h>
#include <string.h>

#include "engine/topology.h"

static md_config_t   cfg;
static md_topology_t topology;
static md_msg_t      msg;

static md_config_feed_t *
add_feed(const char *name, const char *recording, const char *symbols, int64_t depth) {
  md_config_feed_t *f = &cfg.feed[cfg.feed_cnt++];
  md_config_defaults(md_config_section_at(1), f);
  (void)snprintf(f->name, sizeof f->name, "%s", name);
  (void)snprintf(f->recording, sizeof f->recording, "%s", recording);
  (void)snprintf(f->symbols, sizeof f->symbols, "%s", symbols);
  f->depth = depth;
  return f;
}

static void
setup(void) {
  memset(&cfg, 0, sizeof cfg);
  md_config_defaults(md_config_section_at(0), &cfg.engine);
  cfg.engine.instruments = 100;
}

static uint64_t
book(uint32_t levels) {
  return md_align_up(md_book_footprint(levels), MD_CACHE_BLOCK);
}

static void
make(void) {
  cr_assert_eq(md_topology_make(&cfg, NULL, &topology, &msg), MD_OK, "%s", msg.text);
}

TestSuite(topology, .init = setup);

Test(topology, a_pattern_or_a_recording_may_have_every_row_and_depth_none_takes_top_and_ladder) {
  (void)add_feed("binance_spot", "", "\"*USDT\"", 0);
  make();
  cr_expect_eq(topology.book_cnt[0], 100);
  cr_expect_eq(topology.segment.book_bytes, 100 * book(0));
  cr_expect_eq(book(0), 3200, "best prices, top and ladder");
  cfg.feed[0].symbols[0] = 0;
  (void)snprintf(cfg.feed[0].recording, sizeof cfg.feed[0].recording, "a.wscap");
  make();
  cr_expect_eq(topology.segment.book_bytes, 100 * book(0));
}

Test(topology, named_symbols_have_room_for_themselves_and_the_indices_that_come_with_them) {
  (void)add_feed("binance_spot", "", "[A, B, C]", 1000);
  make();
  cr_expect_eq(topology.book_cnt[0], 14);
  cr_expect_eq(topology.segment.book_bytes, 14 * book(1000));
}

Test(topology, rows_are_for_all_feeds_so_those_with_the_largest_books_come_first) {
  (void)add_feed("binance_spot", "", "all", 0);
  (void)add_feed("okx_spot", "", "[A, B, C, D, E, F]", 20000);
  (void)add_feed("binance_us", "", "all", 20);
  make();
  cr_expect_eq(topology.book_cnt[1], 20);
  cr_expect_eq(topology.book_cnt[2], 80);
  cr_expect_eq(topology.book_cnt[0], 0);
  cr_expect_eq(topology.segment.book_bytes, 20 * book(20000) + 80 * book(20));
}

Test(topology, book_space_that_is_given_is_taken_as_it_is) {
  (void)add_feed("binance_spot", "", "all", 0);
  cfg.engine.book_space = 1 << 20;
  make();
  cr_expect_eq(topology.segment.book_bytes, 1 << 20);
  cr_expect_eq(topology.book_cnt[0], (1 << 20) / book(0));
}
