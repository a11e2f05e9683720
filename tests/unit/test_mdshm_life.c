/* The public reader library over the life of engines: rows, books and tapes from one segment to the
 * next, instruments found by a hash. */
#include <sys/wait.h>

#include "tests/unit/mdshm_fixture.h"

TestSuite(mdshm_life, .init = begin, .fini = end);

Test(mdshm_life, a_restart_is_told_once_and_rows_keep_their_numbers) {
  mdshm_t           *shm  = open_unit();
  mdshm_top_t        top  = {.struct_size = sizeof top};
  mdshm_instrument_t in   = {.struct_size = sizeof in};
  mdshm_info_t       info = {.struct_size = sizeof info};
  uint32_t           row, sol;
  cr_assert_eq(mdshm_instrument_find(shm, 0, "BTCUSDT", &row), MDSHM_OK);
  cr_assert_eq(row, 1);
  cr_assert_eq(mdshm_read_top(shm, row, AGE_NS, &top), MDSHM_OK);
  cr_assert_eq(top.bid_px, 1000);
  restart();
  cr_assert_eq(read_until_not(shm, row, MDSHM_SUPERSEDED, &top), MDSHM_RESTARTED);
  cr_assert_eq(mdshm_read_top(shm, row, AGE_NS, &top), MDSHM_OK, "told once");
  cr_assert_eq(top.bid_px, 2000, "the number is that of the symbol, not of the row");
  cr_assert_eq(top.meta.generation, 2);
  cr_assert_eq(mdshm_info(shm, &info), MDSHM_OK);
  cr_assert_eq(info.generation, 2);
  cr_assert_eq(info.epoch, 2);
  cr_assert_eq(info.owner_uid, getuid());
  cr_assert_eq(mdshm_instrument_get(shm, 0, &in), MDSHM_ABSENT, "ETHUSD did not come again");
  cr_assert_eq(mdshm_instrument_find(shm, MDSHM_ANY_FEED, "ETHUSD", &row), MDSHM_ABSENT);
  cr_assert_eq(mdshm_instrument_find(shm, 0, "solusdt", &sol), MDSHM_OK);
  cr_assert_eq(sol, 2, "a new one has a new number");
  md_book_t *other;
  (void)add_instrument(&engine, 1, "ETHUSD", false, &other);
  cr_assert_eq(mdshm_instrument_find(shm, MDSHM_ANY_FEED, "ETHUSD", &row), MDSHM_OK);
  cr_assert_eq(row, 0, "its old number");
  cr_assert_eq(mdshm_instrument_cnt(shm), 3);
  mdshm_close(shm);
}

/* The file of an engine that was killed says READY for ever: only its process tells. */
Test(mdshm_life, a_next_engine_is_found_without_a_word_of_the_dead_one) {
  mdshm_t    *shm = open_unit();
  mdshm_top_t top = {.struct_size = sizeof top};
  for (uint32_t i = 0; i < engine.thread_cnt; i++)
    md_store_relaxed(&engine.threads[i].heartbeat_mono_ns, 1u);
  engine.header->pid_start++;
  cr_assert_eq(mdshm_read_top(shm, 1, AGE_NS, &top), MDSHM_DEAD);
  cr_assert_eq(unlink(engine.path), 0);
  restart();
  cr_assert_eq(read_until_not(shm, 1, MDSHM_DEAD, &top), MDSHM_RESTARTED);
  cr_assert_eq(mdshm_read_top(shm, 1, AGE_NS, &top), MDSHM_OK);
  cr_assert_eq(top.bid_px, 2000);
  mdshm_close(shm);
}

Test(mdshm_life, a_tape_is_read_to_its_end_before_the_next_engines) {
  mdshm_t      *shm = open_unit();
  mdshm_tape_t *tape;
  mdshm_top_t   top = {.struct_size = sizeof top};
  for (uint64_t seq = 1; seq <= 5; seq++)
    write_trade(seq);
  cr_assert_eq(mdshm_tape_open(shm, 0, MDSHM_FROM_OLDEST, &tape), MDSHM_OK);
  cr_assert_eq(next_seq(tape), 1);
  cr_assert_gt(mdshm_tape_lag(tape), 0);
  restart();
  write_trade(1);
  write_trade(2);
  cr_assert_eq(read_until_not(shm, 1, MDSHM_SUPERSEDED, &top), MDSHM_RESTARTED);
  for (uint64_t seq = 2; seq <= 5; seq++)
    cr_assert_eq(next_seq(tape), seq, "the handle has moved on, the tape has not");
  cr_assert_eq(next_result(tape), MDSHM_RESTARTED);
  cr_assert_eq(next_seq(tape), 1);
  cr_assert_eq(next_seq(tape), 2);
  cr_assert_eq(next_result(tape), MDSHM_EMPTY);
  cr_assert_eq(mdshm_tape_lag(tape), 0);
  mdshm_tape_close(tape);
  mdshm_close(shm);
}

Test(mdshm_life, a_tape_alone_finds_the_next_engine) {
  mdshm_t       *shm = open_unit();
  mdshm_tape_t  *tape;
  mdshm_result_t result;
  write_trade(1);
  cr_assert_eq(mdshm_tape_open(shm, 0, MDSHM_FROM_NOW, &tape), MDSHM_OK);
  cr_assert_eq(next_result(tape), MDSHM_EMPTY);
  restart();
  write_trade(1);
  do
    result = next_result(tape);
  while (result == MDSHM_SUPERSEDED);
  cr_assert_eq(result, MDSHM_RESTARTED);
  cr_assert_eq(next_seq(tape), 1);
  cr_assert_eq(mdshm_check(shm), MDSHM_RESTARTED, "the handle tells it too, once");
  cr_assert_eq(mdshm_check(shm), MDSHM_OK);
  mdshm_tape_close(tape);
  mdshm_close(shm);
}

Test(mdshm_life, a_book_joins_the_tape_of_its_own_engine_only) {
  mdshm_t      *shm = open_unit();
  mdshm_tape_t *tape;
  mdshm_top_t   old = {.struct_size = sizeof old}, top = {.struct_size = sizeof top};
  write_trade(1);
  write_trade(2);
  write_book(1000, 2);
  write_trade(3);
  cr_assert_eq(mdshm_tape_open(shm, 0, MDSHM_FROM_NOW, &tape), MDSHM_OK);
  cr_assert_eq(mdshm_read_top(shm, 1, AGE_NS, &old), MDSHM_OK);
  cr_assert_eq(mdshm_tape_join(tape, &old.meta), MDSHM_OK);
  cr_assert_eq(next_seq(tape), old.meta.last_seq + 1);
  restart();
  write_trade(1);
  cr_assert_eq(read_until_not(shm, 1, MDSHM_SUPERSEDED, &top), MDSHM_RESTARTED);
  cr_assert_eq(mdshm_tape_join(tape, &old.meta), MDSHM_RESTARTED);
  cr_assert_eq(mdshm_read_top(shm, 1, AGE_NS, &top), MDSHM_OK);
  cr_assert_eq(mdshm_tape_join(tape, &top.meta), MDSHM_OK, "the tape moves to that engine");
  cr_assert_eq(next_seq(tape), 1);
  mdshm_tape_close(tape);
  mdshm_close(shm);
}

Test(mdshm_life, a_feed_that_the_next_engine_lacks_is_absent) {
  mdshm_t    *shm = open_unit();
  mdshm_top_t top = {.struct_size = sizeof top};
  cr_assert_eq(mdshm_feed_find(shm, "binance_us"), 1);
  md_segment_leave(&engine);
  md_segment_config_t cfg = fixture_config(2);
  cfg.feed_cnt            = 1;
  start_engine(&cfg, &engine);
  beat();
  md_segment_ready(&engine);
  cr_assert_eq(read_until_not(shm, 1, MDSHM_SUPERSEDED, &top), MDSHM_RESTARTED);
  mdshm_feed_t feed = {.struct_size = sizeof feed};
  cr_assert_eq(mdshm_feed_find(shm, "binance_us"), MDSHM_NONE);
  cr_assert_eq(mdshm_feed(shm, 1, &feed), MDSHM_ABSENT);
  cr_assert_eq(mdshm_feed_check(shm, 1, AGE_NS), MDSHM_ABSENT);
  cr_assert_eq(mdshm_feed_check(shm, 0, AGE_NS), MDSHM_OK);
  cr_assert_eq(mdshm_read_top(shm, 1, AGE_NS, &top), MDSHM_ABSENT);
  mdshm_close(shm);
}

/* Eight readers over a hundred restarts: none crashes, hangs or stays behind. */
static void
follow_to(uint32_t last_epoch, int begun) {
  md_segment_leave(&engine); /* the lock of the name came with the fork */
  mdshm_t       *shm = open_unit();
  mdshm_tape_t  *tape;
  mdshm_top_t    top      = {.struct_size = sizeof top};
  mdshm_info_t   info     = {.struct_size = sizeof info};
  uint32_t       restarts = 0;
  mdshm_result_t result   = mdshm_tape_open(shm, 0, MDSHM_FROM_OLDEST, &tape);
  if (write(begun, "", 1) != 1) _exit(1);
  while (result == MDSHM_OK) {
    mdshm_result_t of_tape = next_result(tape);
    if (of_tape != MDSHM_OK && of_tape != MDSHM_EMPTY && of_tape != MDSHM_SUPERSEDED &&
        of_tape != MDSHM_RESTARTED)
      _exit(20 + (int)of_tape);
    result = mdshm_read_top(shm, 1, AGE_NS, &top);
    if (result == MDSHM_OK && top.ask_px != top.bid_px + 1) _exit(2);
    if (result == MDSHM_RESTARTED) restarts++;
    if (result == MDSHM_RESTARTED || result == MDSHM_SUPERSEDED) result = MDSHM_OK;
    if (mdshm_info(shm, &info) == MDSHM_OK && info.epoch == last_epoch) break;
  }
  mdshm_tape_close(tape);
  mdshm_close(shm);
  _exit(result == MDSHM_OK && restarts > 0 ? 0 : 40 + (int)result);
}

Test(mdshm_life, eight_readers_follow_a_hundred_restarts, .timeout = 100) {
  enum { READERS = 8, RESTARTS = 100 };
  pid_t pids[READERS];
  int   begun[2];
  char  byte;
  cr_assert_eq(pipe(begun), 0);
  for (int i = 0; i < READERS; i++) {
    pids[i] = fork();
    if (pids[i] == 0) follow_to(RESTARTS + 1, begun[1]);
  }
  for (int i = 0; i < READERS; i++)
    cr_assert_eq(read(begun[0], &byte, 1), 1);
  for (uint32_t epoch = 2; epoch <= RESTARTS + 1; epoch++) {
    md_segment_leave(&engine);
    make_engine(epoch);
    md_book_t *other;
    (void)add_instrument(&engine, 0, "SOLUSDT", true, &other);
    (void)add_instrument(&engine, 0, "BTCUSDT", true, &book);
    beat();
    write_trade(1);
    write_book(1000 + epoch, 1);
    md_segment_ready(&engine);
    for (uint64_t seq = 2; seq < 200; seq++)
      write_trade(seq);
  }
  for (int i = 0; i < READERS; i++) {
    int status;
    cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
    cr_assert_eq(status, 0, "reader %d: status %x", i, (unsigned)status);
  }
}

Test(mdshm_life, a_segment_of_somebody_else_is_not_followed) {
  mdshm_t    *shm = open_unit();
  mdshm_top_t top = {.struct_size = sizeof top};
  if (getuid() != 0) cr_skip_test("only root can give a file away");
  restart();
  cr_assert_eq(chown(engine.path, 65534, (gid_t)-1), 0);
  cr_assert_eq(read_until_not(shm, 1, MDSHM_SUPERSEDED, &top), MDSHM_DENIED);
  cr_assert_eq(mdshm_check(shm), MDSHM_DENIED);
  cr_assert_eq(chown(engine.path, 0, (gid_t)-1), 0);
  cr_assert_eq(read_until_not(shm, 1, MDSHM_DENIED, &top), MDSHM_RESTARTED);
  mdshm_close(shm);
}

Test(mdshm_life, a_next_engine_of_another_layout_is_told) {
  mdshm_t    *shm = open_unit();
  mdshm_top_t top = {.struct_size = sizeof top};
  restart();
  engine.header->abi_version++;
  cr_assert_eq(read_until_not(shm, 1, MDSHM_SUPERSEDED, &top), MDSHM_VERSION);
  mdshm_close(shm);
}

/* ---- directory ---- */

Test(mdshm_life, thousands_of_symbols_are_found_by_either_name) {
  enum { CNT = 5000 };
  md_segment_delete(&engine);
  md_segment_config_t cfg = fixture_config(1);
  cfg.instrument_capacity = CNT;
  start_engine(&cfg, &engine);
  md_segment_ready(&engine);
  mdshm_t *shm = open_unit();
  cr_assert_eq(mdshm_instrument_cnt(shm), 0);
  for (uint32_t i = 0; i < CNT; i++) {
    char symbol[24], normalised[24];
    (void)snprintf(symbol, sizeof symbol, "S%uUSDT", i / 2);
    (void)snprintf(normalised, sizeof normalised, "S%u-USDT", i / 2);
    md_definition_t      d    = make_definition(symbol, normalised);
    md_instrument_spec_t spec = {.definition = &d, .feed = (uint16_t)(i % 2)};
    uint32_t             id   = 0, at;
    cr_assert_eq(md_instrument_add(&engine, &spec, &id, &at, &book), MD_OK);
    if (i % 1000 == 0) cr_assert_eq(mdshm_instrument_cnt(shm), i + 1, "they come while it reads");
  }
  for (uint32_t i = 0; i < CNT; i++) {
    char     name[24];
    uint32_t row = 0;
    (void)snprintf(name, sizeof name, i % 3 ? "s%u-usdt" : "S%uUSDT", i / 2);
    cr_assert_eq(mdshm_instrument_find(shm, i % 2, name, &row), MDSHM_OK);
    cr_assert_eq(row, i);
    cr_assert_eq(mdshm_instrument_find(shm, MDSHM_ANY_FEED, name, &row), MDSHM_OK);
    cr_assert_eq(row, i / 2 * 2, "the lowest of the feeds'");
  }
  uint32_t row;
  cr_assert_eq(mdshm_instrument_find(shm, 0, "S9999-USDT", &row), MDSHM_ABSENT);
  mdshm_instrument_t in   = {.struct_size = sizeof in};
  uint32_t           next = 0, cnt = 0;
  while (mdshm_instrument_next(shm, 1, "s249?-*", &next, &in) == MDSHM_OK) {
    cr_assert_eq(in.feed, 1);
    cr_assert_eq(in.row, next - 1);
    cnt++;
  }
  cr_assert_eq(cnt, 10);
  next = cnt = 0;
  while (mdshm_instrument_next(shm, MDSHM_ANY_FEED, NULL, &next, &in) == MDSHM_OK)
    cnt++;
  cr_assert_eq(cnt, CNT);
  mdshm_close(shm);
}
