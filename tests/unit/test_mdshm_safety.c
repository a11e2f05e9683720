/* What a reader can rely on: reads make no system call, a file that is cut off or that others may
 * write is an error and no signal, readers are seen while they live, structs may grow. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "shm/readers.h"
#include "tests/unit/mdshm_fixture.h"

TestSuite(mdshm_safety, .init = begin, .fini = end);

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
  mdshm_bbo_t    bbo    = {.struct_size = sizeof bbo};
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
    good += mdshm_read_bbo(shm, row, AGE_NS, &bbo) == MDSHM_OK;
    good += mdshm_read_top(shm, row, AGE_NS, &top) == MDSHM_OK;
    good += mdshm_read_ladder(shm, row, AGE_NS, &ladder) == MDSHM_OK;
    good += mdshm_read_depth(shm, row, AGE_NS, &depth) == MDSHM_OK;
    good += mdshm_tape_next(tape, &record, &bytes, &lost) == (i < 50 ? MDSHM_OK : MDSHM_EMPTY);
    good += mdshm_feed_check(shm, 0, AGE_NS) == MDSHM_OK;
    good += mdshm_counter(shm, 0, mdshm_counter_name(0), &value) == MDSHM_OK;
  }
  good += mdshm_tape_join(tape, &top.meta) == MDSHM_OK;
  if (good != 2000 * 8 + 1) (void)syscall(SYS_exit, 1);
}

static void
open_a_file(mdshm_t *shm, mdshm_tape_t *tape) {
  (void)tape;
  (void)!mdshm_check(shm); /* reads /proc */
}

Test(mdshm_safety, reads_make_no_system_call) {
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

Test(mdshm_safety, readers_that_ask_for_it_are_seen_while_they_live) {
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

Test(mdshm_safety, a_file_that_is_cut_off_gives_CORRUPT_and_no_signal) {
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

Test(mdshm_safety, the_guard_leaves_handlers_of_others_alone) {
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

Test(mdshm_safety, a_file_that_others_may_write_is_refused) {
  mdshm_t *shm;
  char     message[256];
  cr_assert_eq(chmod(engine.path, 0660), 0);
  cr_assert_eq(mdshm_open(test_dir, "unit", 0, &shm, message, sizeof message), MDSHM_DENIED);
  cr_assert(strstr(message, "chmod go-w"), "%s", message);
}

Test(mdshm_safety, structs_of_a_newer_header_are_filled_and_zeroed) {
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
