#include "engine/crash.h"

#include "engine/crash_text.h"
#include "shm/signal_stack.h"

#include <execinfo.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define PATH_BYTES  512u
#define NS_PER_S    1000000000ll
#define WAIT_ROUNDS 500u /* of 10 ms: another thread writes its report */

static struct {
  char          path[PATH_BYTES], name[MD_NAME_BYTES];
  md_atomic_u64 segment; /* const md_segment_t *, or 0 */
  md_atomic_u64 fault_cnt;
  md_atomic_u64 tid; /* of the thread whose fault came first */
} crash;

const char *
md_crash_path(void) {
  return crash.path;
}

/* ---- the report, in the handler ---- */

static const char *
signal_name(int number) {
  switch (number) {
  case SIGSEGV:
    return "SIGSEGV";
  case SIGBUS:
    return "SIGBUS";
  case SIGFPE:
    return "SIGFPE";
  case SIGILL:
    return "SIGILL";
  case SIGABRT:
    return "SIGABRT";
  default:
    return "signal";
  }
}

static uintptr_t
program_counter(const void *context) {
  const ucontext_t *c = context;
#if defined(__x86_64__)
  return (uintptr_t)c->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
  return (uintptr_t)c->uc_mcontext.pc;
#else
  (void)c;
  return 0;
#endif
}

static int64_t
clock_ns(clockid_t which) {
  struct timespec ts = {0};
  (void)clock_gettime(which, &ts);
  return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void
tell_head(md_crash_text_t *t, int number, const siginfo_t *info, uint64_t tid) {
  char thread[16] = "";
  (void)prctl(PR_GET_NAME, thread, 0, 0, 0);
  md_crash_add(t, "mdengine " MD_VERSION " crashed: ", signal_name(number), NULL);
  if (number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL) {
    md_crash_add(t, info->si_code > 0 ? " at address " : " sent by process ", NULL);
    if (info->si_code > 0)
      md_crash_add_hex(t, (uintptr_t)info->si_addr);
    else
      md_crash_add_dec(t, (uint64_t)info->si_pid);
  }
  md_crash_add(t, "\nengine ", crash.name, ", process ", NULL);
  md_crash_add_dec(t, (uint64_t)getpid());
  md_crash_add(t, ", thread \"", thread, "\" ", NULL);
  md_crash_add_dec(t, tid);
  md_crash_add(t, "\ntime ", NULL);
  md_crash_add_time(t, clock_ns(CLOCK_REALTIME));
  md_crash_add(t, "\nbuild ", md_crash_build_id(), "\n", NULL);
  if (md_assert_what()[0]) md_crash_add(t, "assertion ", md_assert_what(), "\n", NULL);
}

/* From where the fault was: what the handler itself called is left out. Where a call returns to is
 * the instruction behind it, so one byte before is shown, which is of the call. */
static void
tell_calls(md_crash_text_t *t, uintptr_t at) {
  void *frame[MD_CRASH_FRAME_CNT];
  int   cnt = backtrace(frame, (int)MD_CRASH_FRAME_CNT), first = 0;
  while (first < cnt && (uintptr_t)frame[first] != at)
    first++;
  bool is_found = first < cnt;
  md_crash_add(t, "calls, for addr2line -Cfi -e MODULE OFFSET:\n", NULL);
  if (!is_found && at != 0) {
    md_crash_add(t, "  ", NULL);
    md_crash_add_place(t, at);
  }
  for (int i = is_found ? first : 0; i < cnt; i++) {
    uintptr_t address = (uintptr_t)frame[i];
    if (address == 0) continue;
    md_crash_add(t, "  ", NULL);
    md_crash_add_place(t, is_found && i == first ? address : address - 1);
  }
}

static void
tell_threads(md_crash_text_t *t, uint64_t tid) {
  static const char *const states[] = {"boot", "run", "drain", "halt", "fail"};
  const md_segment_t      *s = (const md_segment_t *)(uintptr_t)md_load_relaxed(&crash.segment);
  int64_t                  now_ns = clock_ns(CLOCK_MONOTONIC);
  if (!s) return;
  md_crash_add(t, "threads:\n", NULL);
  for (uint32_t i = 0; i < s->thread_cnt && i < MD_THREAD_CNT_MAX; i++) {
    const md_thread_row_t *row   = &s->threads[i];
    uint64_t               state = md_load_relaxed(&row->state); /* all: only shown */
    int64_t                beat  = (int64_t)md_load_relaxed(&row->heartbeat_mono_ns);
    uint64_t               its   = md_load_relaxed(&row->tid);
    md_crash_add(t, its == tid ? "* " : "  ", row->name, " ",
                 state < MD_CNT(states) ? states[state] : "?", ", thread ", NULL);
    md_crash_add_dec(t, its);
    md_crash_add(t, ", heartbeat ", NULL);
    if (beat == 0) md_crash_add(t, "never", NULL);
    if (beat != 0) md_crash_add_seconds(t, now_ns > beat ? now_ns - beat : 0);
    md_crash_add(t, beat == 0 ? "" : " s ago", ", processor time ", NULL);
    md_crash_add_seconds(t, (int64_t)md_load_relaxed(&row->cpu_ns));
    md_crash_add(t, " s, last error ", NULL);
    md_crash_add_dec(t, md_load_relaxed(&row->last_err));
    md_crash_add(t, "\n", NULL);
  }
}

static void
report(int number, const siginfo_t *info, const void *context, uint64_t tid) {
  md_crash_text_t t = {.fd = {STDERR_FILENO, -1}};
  t.fd[1]           = open(crash.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  tell_head(&t, number, info, tid);
  tell_calls(&t, program_counter(context));
  tell_threads(&t, tid);
  if (t.fd[1] >= 0) md_crash_add(&t, "written to ", crash.path, "\n", NULL);
  md_crash_flush(&t);
  if (t.fd[1] >= 0) (void)fsync(t.fd[1]);
}

/* The first thread reports; others whose fault comes meanwhile wait for it, and a fault of the
 * report itself ends it. Back from here the signal comes again, and does what it does without a
 * handler. */
static void
on_fault(int number, siginfo_t *info, void *context) {
  uint64_t tid = (uint64_t)gettid();
  if (md_fetch_add_relaxed(&crash.fault_cnt, 1) == 0) {
    md_store_relaxed(&crash.tid, tid); /* only compared, with what this thread itself stored */
    report(number, info, context, tid);
  } else if (md_load_relaxed(&crash.tid) != tid) {
    const struct timespec rest = {.tv_nsec = 10000000};
    for (unsigned i = 0; i < WAIT_ROUNDS; i++)
      (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL);
  }
  struct sigaction usual = {.sa_handler = SIG_DFL};
  (void)sigaction(number, &usual, NULL);
  if (info->si_code <= 0) (void)syscall(SYS_tgkill, getpid(), gettid(), number);
}

/* ---- before ---- */

void
md_crash_watch(const md_segment_t *s) {
  md_store_relaxed(&crash.segment, (uintptr_t)s); /* mapped before, and unmapped after */
}

void
md_crash_arm(const char *dir, const char *engine_name) {
  static const int faults[] = MD_FAULT_SIGNALS;
  struct sigaction action   = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  void            *one[1];
  (void)backtrace(one, 1); /* loads the unwinder, which takes memory */
  md_crash_find_modules();
  (void)snprintf(crash.name, sizeof crash.name, "%s", engine_name);
  (void)snprintf(crash.path, sizeof crash.path, "%s/crash-%d-%lld.txt", dir, (int)getpid(),
                 (long long)(clock_ns(CLOCK_REALTIME) / NS_PER_S));
  md_signal_stack();
  (void)sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < MD_CNT(faults); i++)
    (void)sigaction(faults[i], &action, NULL);
}
