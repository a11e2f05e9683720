/* test_hot_path - from a received message to its records in the journal's ring, on the tape and in
 * the live books, and from that ring into blocks: hot paths allocate nothing, and a feed asks the
 * system for nothing at all. Allocations are counted by the linker's wrappers; a system call of the
 * feed's path kills. (What the transport asks of the system is in test_transport_cost.) */
#include "bench/rig.h"

#include <criterion/criterion.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define INSTRUMENT_CNT 50u
#define WARM_CNT       40u /* batches */
#define BATCH_CNT      300u
#define RING_BYTES     (64ull << 20)
#define TRADE_CNT      64u

enum { CLEAN = 0, NOT_FORBIDDEN = 2, ALLOCATED = 3, NOT_WHOLE = 4 };

static uint64_t alloc_cnt;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t cnt, size_t bytes);
void *__real_realloc(void *p, size_t bytes);
void *__real_aligned_alloc(size_t align, size_t bytes);

void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t cnt, size_t bytes);
void *__wrap_realloc(void *p, size_t bytes);
void *__wrap_aligned_alloc(size_t align, size_t bytes);

void *
__wrap_malloc(size_t bytes) {
  alloc_cnt++;
  return __real_malloc(bytes);
}

void *
__wrap_calloc(size_t cnt, size_t bytes) {
  alloc_cnt++;
  return __real_calloc(cnt, bytes);
}

void *
__wrap_realloc(void *p, size_t bytes) {
  alloc_cnt++;
  return __real_realloc(p, bytes);
}

void *
__wrap_aligned_alloc(size_t align, size_t bytes) {
  alloc_cnt++;
  return __real_aligned_alloc(align, bytes);
}

/* From here on every system call but exit kills. */
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

/* ---- the feed ---- */

static void
give_trades(md_bench_source_t *s, const md_bench_corpus_t *trades) {
  for (uint32_t i = 0; i < trades->cnt; i++) {
    md_input_t in = s->batch.input[0];
    in.payload    = trades->text[i];
    in.len        = trades->len[i];
    md_feed_input(s->feed, &in);
  }
  md_feed_publish(s->feed);
}

static void
give_batches(md_bench_source_t *s, const md_bench_corpus_t *trades, uint32_t cnt) {
  for (uint32_t k = 0; k < cnt; k++) {
    md_bench_source_fill(s, INSTRUMENT_CNT);
    for (uint32_t i = 0; i < MD_BENCH_BATCH_CNT; i++)
      md_bench_source_next(s, i);
    if (k % 8 == 0) give_trades(s, trades);
  }
}

static void
name_trades(md_bench_corpus_t *trades) {
  char symbol[MD_BENCH_SYMBOL_LEN + 1];
  for (uint32_t i = 0; i < trades->cnt; i++) {
    char *text = (char *)(uintptr_t)trades->text[i]; /* of the corpus, which is ours */
    char *at   = strstr(text, "\"s\":\"");
    cr_assert_not_null(at);
    md_bench_symbol(i % INSTRUMENT_CNT, symbol);
    memcpy(at + 5, symbol, MD_BENCH_SYMBOL_LEN);
  }
}

static int
run_in_child(md_bench_source_t *s, const md_bench_corpus_t *trades, bool sin) {
  int   status;
  pid_t pid = fork();
  cr_assert_geq(pid, 0);
  if (pid == 0) {
    give_batches(s, trades, WARM_CNT);
    const uint64_t before = alloc_cnt, seq = md_feed_out(s->feed)->seq;
    if (!forbid_system_calls()) (void)syscall(SYS_exit, NOT_FORBIDDEN);
    give_batches(s, trades, BATCH_CNT);
    if (sin) (void)syscall(SYS_getpid);
    if (md_feed_out(s->feed)->seq < seq + BATCH_CNT * MD_BENCH_BATCH_CNT)
      (void)syscall(SYS_exit, NOT_WHOLE);
    (void)syscall(SYS_exit, alloc_cnt == before ? CLEAN : ALLOCATED);
  }
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  return status;
}

static int
run_feed(bool sin) {
  static md_bench_source_t s;
  md_bench_corpus_t        trades;
  md_ring_t *ring = aligned_alloc(4096, md_align_up(md_ring_footprint(RING_BYTES), 4096));
  cr_assert_not_null(ring);
  cr_assert_eq(md_ring_new(ring, "binance_spot.journal", 0, 0, 1, RING_BYTES), MD_OK);
  cr_assert(md_bench_corpus_new(&trades, MD_BENCH_AGG_TRADE, TRADE_CNT, 0, 7));
  name_trades(&trades);
  cr_assert(md_bench_source_recorded(&s, INSTRUMENT_CNT, true, ring), "%s", s.world.why);
  int status = run_in_child(&s, &trades, sin);
  md_bench_source_delete(&s);
  md_bench_corpus_delete(&trades);
  free(ring);
  return status;
}

Test(hot_path, a_feed_decodes_applies_and_publishes_without_memory_or_system_calls) {
  int status = run_feed(false);
  cr_expect(WIFEXITED(status), "it made a system call: signal %d", WTERMSIG(status));
  cr_expect_eq(WEXITSTATUS(status), CLEAN);
}

Test(hot_path, one_system_call_would_be_seen) {
  int status = run_feed(true);
  cr_expect(WIFSIGNALED(status));
  cr_expect_eq(WTERMSIG(status), SIGSYS);
}

/* ---- the journal ---- */

Test(hot_path, the_journal_takes_records_without_memory) {
  static md_bench_rig_t r;
  char                  dir[] = "/tmp/mdengine-hot-XXXXXX";
  cr_assert_not_null(mkdtemp(dir));
  cr_assert(md_bench_rig_new(&r, dir, "journal", MD_JOURNAL_BATCH, 1ull << 30), "%s", r.why);
  uint64_t before = 0;
  for (uint32_t i = 0; i < 400; i++) {
    for (uint32_t k = 0; k < 100; k++)
      (void)md_bench_rig_put(&r, 256, (int64_t)i);
    md_bench_rig_publish(&r);
    cr_assert(md_bench_rig_turn(&r));
    if (i == 50) before = alloc_cnt;
  }
  cr_expect_eq(alloc_cnt, before);
  cr_assert(md_bench_rig_drain(&r));
  cr_expect_eq(md_bench_rig_durable(&r), r.seq);
  md_bench_rig_delete(&r);
  (void)rmdir(dir);
}
