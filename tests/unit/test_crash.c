/* What a crash leaves: a report with version, signal, address, the thread, its calls as module and
 * offset that addr2line takes, and how the threads of the status rows stood; the process ends by
 * the signal itself. Each crash is that of a child. */
#include "engine/crash.h"
#include "shm/signal_stack.h"
#include "tests/unit/segment_fixture.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static md_segment_t segment;
static char         report[16384];

__attribute__((noinline)) static void
write_to_nowhere(uintptr_t address) {
  *(int *)address = 1; /* NOLINT(performance-no-int-to-ptr) */
}

/* Ends at the end of the stack. */
__attribute__((noinline)) static uint64_t
go_deep(uint64_t depth, uint8_t *above) {
  uint8_t page[4096];
  memset(page, (int)depth, sizeof page);
  if (depth == 0) return above[0];
  return go_deep(depth - 1, page) + page[depth % sizeof page];
}

static void
fault(void) {
  write_to_nowhere(64);
}

static void
fail_assertion(void) {
  md_assert(segment.thread_cnt == 12345);
}

static void *
thread_main(void *arg) {
  void (*what)(void) = (void (*)(void))(uintptr_t)arg; /* NOLINT(performance-no-int-to-ptr) */
  (void)prctl(PR_SET_NAME, "crasher");
  md_signal_stack();
  md_store_relaxed(&segment.threads[0].tid, (uint64_t)gettid());
  what();
  return NULL;
}

static void
overflow(void) {
  uint8_t top = 0;
  (void)go_deep(UINT64_MAX, &top);
}

/* Runs what in a thread of a child and returns the status that it ended with; the report is read.
 */
static int
crash_of(void (*what)(void)) {
  char  path[300] = "";
  int   channel[2], status;
  pid_t child;
  cr_assert_eq(pipe(channel), 0);
  child = fork();
  if (child == 0) {
    pthread_t thread;
    sigset_t  all, old;
    (void)!freopen("/dev/null", "w", stderr);
    (void)prctl(PR_SET_DUMPABLE, 0);
    md_crash_arm(test_dir, "tested");
    md_crash_watch(&segment);
    if (write(channel[1], md_crash_path(), strlen(md_crash_path()) + 1) < 0) _exit(3);
    (void)sigfillset(&all); /* as the threads of the writers begin */
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    (void)pthread_create(&thread, NULL, thread_main, (void *)(uintptr_t)what);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void)pthread_join(thread, NULL);
    _exit(4);
  }
  cr_assert_gt(read(channel[0], path, sizeof path - 1), 0);
  cr_assert_eq(waitpid(child, &status, 0), child);
  (void)close(channel[0]);
  (void)close(channel[1]);
  FILE *in = fopen(path, "r");
  cr_assert(in, "no report at %s, status %x", path, (unsigned)status);
  size_t got  = fread(report, 1, sizeof report - 1, in);
  report[got] = 0;
  (void)fclose(in);
  (void)unlink(path);
  return status;
}

/* The address of the first call that the report tells. */
static uintptr_t
top_of_calls(void) {
  const char *calls = strstr(report, "calls, ");
  cr_assert(calls, "%s", report);
  return strtoull(strchr(calls, '\n') + 1, NULL, 16);
}

static bool
is_among_calls(uintptr_t begin, size_t len) {
  const char *line = strstr(report, "calls, ");
  while (line && (line = strstr(line, "\n  0x"))) {
    uintptr_t at = strtoull(++line, NULL, 16);
    if (at >= begin && at < begin + len) return true;
  }
  return false;
}

/* What addr2line says of the first call, as the report tells it: the function's name. */
static const char *
name_of_top(void) {
  static char name[128];
  char        command[600], module[400], offset[32];
  const char *line = strchr(strstr(report, "calls, "), '\n') + 1;
  cr_assert_eq(sscanf(line, " 0x%*x %399s %31s", module, offset), 2, "%s", report);
  (void)snprintf(command, sizeof command, "addr2line -fe '%s' %s", module, offset);
  FILE *in = popen(command, "r");
  cr_assert(in && fgets(name, sizeof name, in), "%s", command);
  (void)pclose(in);
  name[strcspn(name, "\n")] = 0;
  return name;
}

static void
set_up(void) {
  make_dir();
  md_segment_config_t cfg = fixture_config(7);
  start_engine(&cfg, &segment);
}

static void
tear_down(void) {
  md_segment_delete(&segment);
  remove_dir();
}

TestSuite(crash, .init = set_up, .fini = tear_down);

Test(crash, a_fault_leaves_a_report_and_the_process_ends_by_it) {
  int status = crash_of(fault);
  cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "%x", (unsigned)status);
  cr_expect(strstr(report, "mdengine " MD_VERSION " crashed: SIGSEGV at address 0x40\n"), "%s",
            report);
  cr_expect(strstr(report, "engine tested, process "), "%s", report);
  cr_expect(strstr(report, ", thread \"crasher\" "), "%s", report);
  cr_expect(strstr(report, "\ntime 20"), "%s", report);
  cr_expect(strstr(report, "\nbuild "), "%s", report);
  cr_expect_null(strstr(report, "\nbuild -\n"), "%s", report);
  char row[100];
  (void)snprintf(row, sizeof row, "* %s boot, thread ", segment.threads[0].name);
  cr_expect(strstr(report, row), "the thread's own row: %s", report);
  cr_expect(strstr(report, segment.threads[1].name), "%s", report);
  uintptr_t at = top_of_calls(), begin = (uintptr_t)write_to_nowhere;
  cr_expect(at >= begin && at < begin + 64, "%lx is not in %lx: %s", (unsigned long)at,
            (unsigned long)begin, report);
  cr_expect_str_eq(name_of_top(), "write_to_nowhere", "%s", report);
}

Test(crash, a_used_up_stack_is_reported_too) {
  int status = crash_of(overflow);
  cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "%x", (unsigned)status);
  uintptr_t at = top_of_calls(), begin = (uintptr_t)go_deep;
  cr_expect(strstr(report, "SIGSEGV at address "), "%s", report);
  cr_expect(at != 0 && is_among_calls(begin, 512), "%s", report);
}

Test(crash, a_failed_assertion_says_which) {
  int status = crash_of(fail_assertion);
  cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%x", (unsigned)status);
  cr_expect(strstr(report, "crashed: SIGABRT\n"), "%s", report);
  cr_expect(strstr(report, "\nassertion failed at "), "%s", report);
  cr_expect(strstr(report, "segment.thread_cnt == 12345"), "%s", report);
}
