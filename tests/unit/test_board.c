/* What the status page is sent, without a browser and with the time put in: points of the series
 * are of their step alone, rates are over one to two seconds, the ladder is the book's, and text
 * from anywhere makes valid JSON. */
#include "monitoring/board.h"
#include "tests/unit/mdshm_fixture.h"

static md_clock_manual_t now;
static md_clock_t        watch;
static md_board_t       *board;
static md_text_t         text;

static void
setup(void) {
  begin();
  now                   = (md_clock_manual_t){.real_ns = 5000000000, .mono_ns = 1000000000};
  watch                 = md_clock_manual(&now);
  md_board_config_t cfg = {&engine, test_dir, "unit", &watch};
  board                 = md_board_new(&cfg);
  cr_assert(board);
}

static void
teardown(void) {
  md_text_free(&text);
  md_board_free(board);
  end();
}

TestSuite(board, .init = setup, .fini = teardown);

static void
pass(int64_t ns) {
  now.mono_ns += ns;
  now.real_ns += ns;
  beat();
  md_board_tick(board);
}

/* The text that was appended since the last call. */
static const char *
taken(void (*append)(md_board_t *b, md_text_t *out)) {
  md_text_free(&text);
  append(board, &text);
  cr_assert(!text.failed && text.bytes);
  return text.bytes;
}

Test(board, points_hold_the_quantiles_of_their_step_alone) {
  md_hist_t *visible = &engine.metrics[0].stage[MD_STAGE_VISIBLE];
  pass(2000000000); /* the first point begins at the start */
  for (int i = 0; i < 1000; i++)
    md_hist_add(visible, 100000);
  pass(2000000000);
  for (int i = 0; i < 10; i++)
    md_hist_add(visible, 9);
  pass(2000000000);
  pass(1000000000); /* no point yet */
  const char *json = taken(md_board_history);
  cr_expect(strstr(json,
                   "\"binance_spot/decoded_to_visible/p50\",\"binance_spot/decoded_to_visible/"
                   "p99\",\"binance_spot/decoded_to_visible/p999\",\"binance_us/messages_per_s"),
            "%s", json);
  cr_expect(strstr(json, "\"writer:journal/durable/p999\"]"), "%s", json);
  /* The sixth to fourth last of the first feed's twelve values, of three points. */
  cr_expect(strstr(json,
                   "{\"n\":0,\"time_ms\":7000,\"values\":[0,0,0,null,null,null,null,null,null,"
                   "null,null,null,"),
            "%s", json);
  cr_expect(strstr(json,
                   "{\"n\":1,\"time_ms\":9000,\"values\":[0,0,0,null,null,null,null,null,null,"
                   "100000,100000,100000,"),
            "%s", json);
  cr_expect(strstr(json, "{\"n\":2,\"time_ms\":11000,\"values\":[0,0,0,null,null,null,null,null,"
                         "null,9,9,9,"),
            "%s", json);
  cr_expect_not(strstr(json, "\"n\":3"), "%s", json);
}

Test(board, old_points_are_forgotten) {
  for (uint32_t i = 0; i < MD_BOARD_POINT_CNT + 7; i++)
    pass(MD_BOARD_STEP_NS);
  const char *json = taken(md_board_history);
  cr_expect_not(strstr(json, "\"n\":6,"));
  cr_expect(strstr(json, "\"points\":[{\"n\":7,"));
  cr_expect(strstr(json, "{\"n\":456,"));
}

Test(board, rates_are_over_one_to_two_seconds_however_often_it_is_asked) {
  pass(1000000000);
  for (int i = 0; i < 25; i++) {
    md_count(&engine.metrics[0], MD_COUNTER_FRAMES, 50);
    pass(100000000);
    const char *json = taken(md_board_message);
    if (i < 15) continue;
    cr_expect(strstr(json, "\"frames_per_s\":500.0"), "%d: %s", i, json);
  }
  cr_expect(strstr(text.bytes, "\"symbol\":\"BTC-USDT\"") ||
                strstr(text.bytes, "\"symbol\":\"BTCUSDT\""),
            "%s", text.bytes);
  cr_expect(strstr(text.bytes, "\"bid\":\"10\",\"ask\":\"10.01\""), "%s", text.bytes);
}

Test(board, without_a_ready_engine_there_is_no_status) {
  md_board_free(board);
  md_board_config_t cfg = {&engine, test_dir, "another", &watch};
  board                 = md_board_new(&cfg);
  cr_assert(board);
  pass(5000000000);
  cr_expect(strstr(taken(md_board_message), ",\"status\":null"), "%s", text.bytes);
}

static void
append_ladder(md_board_t *b, md_text_t *out) {
  md_board_ladder(b, "binance_spot BTCUSDT", out);
}

static void
append_nothing(md_board_t *b, md_text_t *out) {
  static const char *const none[] = {"",
                                     " ",
                                     "binance_spot",
                                     "binance_spot ",
                                     "nobody BTCUSDT",
                                     "binance_spot NONE",
                                     "a-name-that-is-longer-than-any-feed-can-be X"};
  for (size_t i = 0; i < MD_CNT(none); i++) {
    size_t before = out->len;
    md_board_ladder(b, none[i], out);
    cr_expect(strstr(out->bytes + before, "\"state\":\"ABSENT\"}"), "'%s': %s", none[i],
              out->bytes);
  }
}

Test(board, a_ladder_is_the_book_and_what_is_not_there_is_absent) {
  const char *json = taken(append_ladder);
  cr_expect(strstr(json, "\"state\":\"VALID\",\"reason\":\"NONE\""), "%s", json);
  cr_expect(strstr(json, "\"bids\":[[\"10\",\"0.0001\"],[\"9.99\",\"0.00011\"]"), "%s", json);
  cr_expect(strstr(json, "\"asks\":[[\"10.01\",\"0.0001\"]"), "%s", json);
  (void)taken(append_nothing);
}

static void
append_strings(md_board_t *b, md_text_t *out) {
  (void)b;
  md_text_add_json(out, "a\"\\\n\x7f");
  md_text_add_json(out, "\xe5\xb8\x81 \xf0\x9f\x92\xb1 \xc3\xa9"); /* 币, an emoji, é */
  md_text_add_json(out, "\x80 \xc0\xaf \xed\xa0\x80 \xf5\x80\x80\x80 \xe5\xb8");
}

Test(board, text_that_is_not_utf_8_is_escaped) {
  cr_expect_str_eq(taken(append_strings),
                   "\"a\\\"\\\\\\u000a\\u007f\"\"\xe5\xb8\x81 \xf0\x9f\x92\xb1 \xc3\xa9\""
                   "\"\\u0080 \\u00c0\\u00af \\u00ed\\u00a0\\u0080 \\u00f5\\u0080\\u0080\\u0080 "
                   "\\u00e5\\u00b8\"");
}
