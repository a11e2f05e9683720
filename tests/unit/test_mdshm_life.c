/* The public reader library over the life of engines: rows, books and tapes from one segment to the
 * next, instruments found by a hash, files that are cut off or that others may write. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "shm/client/mdshm.h"
#include "shm/readers.h"
#include "tests/unit/segment_fixture.h"

#define AGE_NS 20000000000

static md_segment_t     engine;
static md_book_t       *book;
static md_tape_writer_t writer;

static void
beat(void) {
  int64_t now_ns = md_clock_mono_ns(md_clock_system());
  for (uint32_t i = 0; i < engine.thread_cnt; i++)
    md_store_relaxed(&engine.threads[i].heartbeat_mono_ns, (uint64_t)now_ns);
}

static bool
level_at(const void *ctx, md_side_t side, uint32_t n, md_level_t *out) {
  int64_t base = *(const int64_t *)ctx;
  if (n >= 30) return false;
  out->px  = side == MD_SIDE_BUY ? base - (int64_t)n : base + 1 + (int64_t)n;
  out->qty = 10 + n;
  return true;
}

static void
write_book(int64_t base, uint64_t last_seq) {
  md_book_meta_t meta = {.state       = MD_BOOK_VALID,
                         .px_exp      = -2,
                         .qty_exp     = -5,
                         .gen         = 1,
                         .last_seq    = last_seq,
                         .tape_pos    = writer.write,
                         .ts_exch_ns  = MD_NULL_I64,
                         .trusted_bid = MD_NULL_I64,
                         .trusted_ask = MD_NULL_I64};
  md_book_write_all(book, &meta, level_at, &base);
}

static void
write_trade(uint64_t seq) {
  _Alignas(8) uint8_t bytes[sizeof(md_record_t) + sizeof(md_trade_t)] = {0};
  md_record_t        *rec                                             = (void *)bytes;
  *rec = (md_record_t){.len = sizeof bytes, .type = MD_RECORD_TRADE, .seq = seq, .flags = 1};
  (void)md_tape_write(&writer, rec);
  md_tape_publish(&writer);
}

static uint64_t
next_seq(mdshm_tape_t *tape) {
  const void *record = NULL;
  size_t      bytes;
  uint64_t    lost, seq;
  cr_assert_eq(mdshm_tape_next(tape, &record, &bytes, &lost), MDSHM_OK);
  memcpy(&seq, (const uint8_t *)record + offsetof(md_record_t, seq), sizeof seq);
  return seq;
}

static mdshm_result_t
next_result(mdshm_tape_t *tape) {
  const void *record = NULL;
  size_t      bytes;
  uint64_t    lost;
  return mdshm_tape_next(tape, &record, &bytes, &lost);
}

/* A segment that is not ready yet. */
static void
make_engine(uint32_t epoch) {
  md_segment_config_t cfg = fixture_config(epoch);
  start_engine(&cfg, &engine);
  md_tape_writer_init(&writer, md_segment_tape(&engine, 0));
}

static void
begin(void) {
  make_dir();
  make_engine(1);
  (void)add_instrument(&engine, 1, "ETHUSD", false, &book);
  (void)add_instrument(&engine, 0, "BTCUSDT", true, &book);
  beat();
  write_book(1000, 17);
  md_segment_ready(&engine);
}

static void
end(void) {
  if (engine.base) md_segment_delete(&engine);
  remove_dir();
}

static mdshm_t *
open_unit(void) {
  mdshm_t       *shm;
  char           message[256];
  mdshm_result_t result = mdshm_open(test_dir, "unit", 0, &shm, message, sizeof message);
  cr_assert_eq(result, MDSHM_OK, "%s", message);
  return shm;
}

/* The next engine of the name, with its instruments in another order and one more. */
static void
restart(void) {
  md_segment_leave(&engine);
  make_engine(2);
  md_book_t *other;
  (void)add_instrument(&engine, 0, "SOLUSDT", true, &other);
  (void)add_instrument(&engine, 0, "BTCUSDT", true, &book);
  beat();
  write_book(2000, 3);
  md_segment_ready(&engine);
}

/* Looks again until the answer is another: a next segment is looked for once a millisecond. */
static mdshm_result_t
read_until_not(mdshm_t *shm, uint32_t row, mdshm_result_t from, mdshm_top_t *top) {
  mdshm_result_t result;
  do
    result = mdshm_read_top(shm, row, AGE_NS, top);
  while (result == from);
  return result;
}

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

/* ---- the hot path ---- */

/* From here on every system call but exit kills. (Seccomp's strict mode would forbid the time stamp
 * counter as well.) */
static bool
forbid_system_calls(void) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
  struct sock_fprog program = {.len = MD_CNT(filter), .filter = filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Status 0 when body came to its end without a system call; exit status 2: none can be forbidden.
 */
static int
run_without_system_calls(void (*body)(mdshm_t *shm, mdshm_tape_t *tape)) {
  mdshm_t      *shm = open_unit();
  mdshm_tape_t *tape;
  int           status;
  cr_assert_eq(mdshm_tape_open(shm, 0, MDSHM_FROM_OLDEST, &tape), MDSHM_OK);
  pid_t pid = fork();
  if (pid == 0) {
    if (!forbid_system_calls()) (void)syscall(SYS_exit, 2);
    body(shm, tape);
    (void)syscall(SYS_exit, 0);
  }
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  mdshm_tape_close(tape);
  mdshm_close(shm);
  return status;
}

static void
read_the_clock(mdshm_t *shm, mdshm_tape_t *tape) {
  (void)shm;
  (void)tape;
  (void)md_clock_mono_ns(md_clock_system());
}

static void
read_all(mdshm_t *shm, mdshm_tape_t *tape) {
  mdshm_top_t    top    = {.struct_size = sizeof top};
  mdshm_ladder_t ladder = {.struct_size = sizeof ladder};
  mdshm_level_t  bids[50], asks[50];
  mdshm_depth_t depth = {.struct_size = sizeof depth, .max_levels = 50, .bids = bids, .asks = asks};
  const void   *record;
  size_t        bytes;
  uint64_t      lost, value;
  uint32_t      row, good = 0;
  for (unsigned i = 0; i < 2000; i++) {
    good += mdshm_instrument_find(shm, 0, "btcusdt", &row) == MDSHM_OK;
    good += mdshm_read_top(shm, row, AGE_NS, &top) == MDSHM_OK;
    good += mdshm_read_ladder(shm, row, AGE_NS, &ladder) == MDSHM_OK;
    good += mdshm_read_depth(shm, row, AGE_NS, &depth) == MDSHM_OK;
    good += mdshm_tape_next(tape, &record, &bytes, &lost) == (i < 50 ? MDSHM_OK : MDSHM_EMPTY);
    good += mdshm_feed_check(shm, 0, AGE_NS) == MDSHM_OK;
    good += mdshm_counter(shm, 0, mdshm_counter_name(0), &value) == MDSHM_OK;
  }
  good += mdshm_tape_join(tape, &top.meta) == MDSHM_OK;
  if (good != 2000 * 7 + 1) (void)syscall(SYS_exit, 1);
}

static void
open_a_file(mdshm_t *shm, mdshm_tape_t *tape) {
  (void)tape;
  (void)!mdshm_check(shm); /* reads /proc */
}

Test(mdshm_life, reads_make_no_system_call) {
  for (uint64_t seq = 1; seq <= 50; seq++)
    write_trade(seq);
  write_book(1000, 50);
  int control = run_without_system_calls(open_a_file);
  if (WIFEXITED(control) && WEXITSTATUS(control) == 2) cr_skip_test("no seccomp here");
  cr_assert(WIFSIGNALED(control) && WTERMSIG(control) == SIGSYS, "the control is killed");
  /* A machine whose clock is no memory of the process costs a call for each time. */
  if (run_without_system_calls(read_the_clock) != 0)
    cr_skip_test("the clock is a system call here");
  cr_assert_eq(run_without_system_calls(read_all), 0);
}

/* ---- registry ---- */

Test(mdshm_life, readers_that_ask_for_it_are_seen_while_they_live) {
  char           path[MD_READERS_PATH_BYTES];
  mdshm_t       *shm = open_unit(), *other = open_unit();
  mdshm_tape_t  *tape;
  mdshm_top_t    top  = {.struct_size = sizeof top};
  mdshm_reader_t seen = {.struct_size = sizeof seen};
  uint32_t       next = 0;
  cr_assert_eq(mdshm_register(shm, "desk"), MDSHM_ABSENT, "no registry");
  cr_assert_eq(mdshm_reader(shm, &next, &seen), MDSHM_ABSENT);
  md_readers_path(path, test_dir, "unit");
  cr_assert_eq(md_readers_new(path, 0660, UINT32_MAX, NULL), MD_OK);
  cr_assert_eq(mdshm_register(shm, "desk"), MDSHM_OK);
  cr_assert_eq(mdshm_register(other, "a name that is longer than there is room for"), MDSHM_OK);
  for (uint64_t seq = 1; seq <= 3; seq++)
    write_trade(seq);
  cr_assert_eq(mdshm_tape_open(shm, 0, MDSHM_FROM_OLDEST, &tape), MDSHM_OK);
  cr_assert_eq(next_seq(tape), 1);
  cr_assert_eq(mdshm_read_top(shm, 1, AGE_NS, &top), MDSHM_OK);
  cr_assert_eq(mdshm_beat(shm), MDSHM_OK);
  cr_assert_eq(mdshm_reader(other, &next, &seen), MDSHM_OK);
  cr_assert_str_eq(seen.name, "desk");
  cr_assert_eq(seen.pid, (uint32_t)getpid());
  cr_assert_eq(seen.read_cnt, 1);
  cr_assert_eq(seen.record_cnt, 1);
  cr_assert_eq(seen.lag_bytes, mdshm_tape_lag(tape));
  cr_assert_eq(mdshm_reader(other, &next, &seen), MDSHM_OK);
  cr_assert_eq(strlen(seen.name), MDSHM_NAME_BYTES - 1);
  cr_assert_eq(mdshm_reader(other, &next, &seen), MDSHM_ABSENT);
  mdshm_tape_close(tape);
  mdshm_close(shm);
  next = 0;
  cr_assert_eq(mdshm_reader(other, &next, &seen), MDSHM_OK);
  cr_assert_neq(seen.name[0], 'd', "who closed is not seen any more");
  /* Any reader may write the registry, so it may cut it too. */
  cr_assert_eq(truncate(path, 0), 0);
  cr_assert_eq(mdshm_beat(other), MDSHM_OK);
  cr_assert_eq(unlink(path), 0);
  cr_assert_eq(mdshm_beat(other), MDSHM_OK);
  mdshm_close(other);
}

/* ---- hostile files ---- */

Test(mdshm_life, a_file_that_is_cut_off_gives_CORRUPT_and_no_signal) {
  /* A sanitizer has a handler of its own. */
  cr_assert_eq(mdshm_guard(MDSHM_GUARD_CHAIN), MDSHM_OK);
  mdshm_t       *shm = open_unit();
  mdshm_tape_t  *tape;
  mdshm_top_t    top    = {.struct_size = sizeof top};
  mdshm_ladder_t ladder = {.struct_size = sizeof ladder};
  mdshm_info_t   info   = {.struct_size = sizeof info};
  mdshm_thread_t thread = {.struct_size = sizeof thread};
  uint64_t       value;
  for (uint64_t seq = 1; seq <= 50; seq++)
    write_trade(seq);
  cr_assert_eq(mdshm_tape_open(shm, 0, MDSHM_FROM_OLDEST, &tape), MDSHM_OK);
  cr_assert_eq(mdshm_read_top(shm, 1, AGE_NS, &top), MDSHM_OK);
  cr_assert_eq(next_seq(tape), 1);
  cr_assert_eq(truncate(engine.path, 0), 0);
  cr_assert_eq(next_result(tape), MDSHM_CORRUPT);
  cr_assert_eq(mdshm_read_top(shm, 1, AGE_NS, &top), MDSHM_CORRUPT);
  cr_assert_eq(mdshm_read_ladder(shm, 1, MDSHM_ANY_AGE, &ladder), MDSHM_CORRUPT);
  cr_assert_eq(mdshm_info(shm, &info), MDSHM_CORRUPT);
  cr_assert_eq(mdshm_thread(shm, 0, &thread), MDSHM_CORRUPT);
  cr_assert_eq(mdshm_counter(shm, 0, mdshm_counter_name(0), &value), MDSHM_CORRUPT);
  cr_assert_eq(mdshm_check(shm), MDSHM_CORRUPT);
  md_segment_leave(&engine); /* its own mapping has no pages any more */
  cr_assert_eq(unlink(engine.path), 0);
  make_engine(2);
  (void)add_instrument(&engine, 0, "BTCUSDT", true, &book);
  beat();
  write_book(3000, 1);
  write_trade(1);
  md_segment_ready(&engine);
  cr_assert_eq(read_until_not(shm, 1, MDSHM_CORRUPT, &top), MDSHM_RESTARTED);
  cr_assert_eq(mdshm_read_top(shm, 1, AGE_NS, &top), MDSHM_OK);
  cr_assert_eq(top.bid_px, 3000);
  cr_assert_eq(next_result(tape), MDSHM_RESTARTED);
  cr_assert_eq(next_seq(tape), 1);
  mdshm_tape_close(tape);
  mdshm_close(shm);
}

static volatile sig_atomic_t other_faults;

static void
other_handler(int signal_no) {
  (void)signal_no;
  other_faults++;
}

Test(mdshm_life, the_guard_leaves_handlers_of_others_alone) {
  struct sigaction others = {.sa_handler = other_handler}, now;
  cr_assert_eq(sigaction(SIGBUS, &others, NULL), 0);
  mdshm_close(open_unit());
  cr_assert_eq(sigaction(SIGBUS, NULL, &now), 0);
  cr_assert_eq(now.sa_handler, other_handler, "AUTO does not touch it");
  cr_assert_eq(mdshm_guard(MDSHM_GUARD_CHAIN), MDSHM_OK);
  cr_assert_eq(sigaction(SIGBUS, NULL, &now), 0);
  cr_assert_neq(now.sa_handler, other_handler);
  cr_assert_eq(raise(SIGBUS), 0);
  cr_assert_eq(other_faults, 1, "what is not ours is passed on");
}

Test(mdshm_life, a_file_that_others_may_write_is_refused) {
  mdshm_t *shm;
  char     message[256];
  cr_assert_eq(chmod(engine.path, 0660), 0);
  cr_assert_eq(mdshm_open(test_dir, "unit", 0, &shm, message, sizeof message), MDSHM_DENIED);
  cr_assert(strstr(message, "chmod go-w"), "%s", message);
}

Test(mdshm_life, structs_of_a_newer_header_are_filled_and_zeroed) {
  struct {
    mdshm_info_t info;
    uint64_t     later;
  } newer      = {.info = {.struct_size = sizeof newer}, .later = 77};
  mdshm_t *shm = open_unit();
  cr_assert_eq(mdshm_info(shm, &newer.info), MDSHM_OK);
  cr_assert_eq(newer.info.epoch, 1);
  cr_assert_eq(newer.later, 0);
  newer.info.struct_size = 1u << 30;
  cr_assert_eq(mdshm_info(shm, &newer.info), MDSHM_USAGE, "no size at all");
  mdshm_close(shm);
}
