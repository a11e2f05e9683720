/* doctor_measure.c - the numbers that only the machine itself can tell, each within a tenth of a
 * second. */
#include "engine/doctor.h"
#include "writers/io_loop.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUND_CNT     20
#define CALL_CNT      2000
#define SPIN_NS       200000000
#define AWAY_MIN_NS   10000 /* shorter pauses are the clock's own */
#define REST_NS       20000000
#define SHORT_NS      1000000
#define WARM_NS       50000000
#define PAGE_BYTES    4096u
#define HUGE_BYTES    (2u << 20)
#define TOUCH_BYTES   (16u << 20)
#define URING_ENTRIES 8u

static int64_t
now_ns(void) {
  return md_clock_mono_ns(md_clock_system());
}

/* The best of some rounds is what the thing costs by itself: others on the core only add. */
static int64_t
least(int64_t a, int64_t b) {
  return a == 0 || b < a ? b : a;
}

static void
measure_calls(md_doctor_machine_t *m) {
  struct timespec t;
  for (int round = 0; round < ROUND_CNT; round++) {
    int64_t begin = now_ns();
    for (int i = 0; i < CALL_CNT; i++)
      (void)clock_gettime(CLOCK_MONOTONIC, &t);
    m->clock_read_ps = least(m->clock_read_ps, (now_ns() - begin) * 1000 / CALL_CNT);
    begin            = now_ns();
    for (int i = 0; i < CALL_CNT; i++)
      (void)syscall(SYS_getppid);
    m->syscall_ns = least(m->syscall_ns, (now_ns() - begin) / CALL_CNT);
  }
}

/* What a thread that owns its core would never see: the clock jumps while something else ran. */
static void
measure_away(md_doctor_machine_t *m) {
  int64_t begin = now_ns(), before = begin, now = begin;
  while (now - begin < SPIN_NS) {
    now          = now_ns();
    int64_t away = now - before;
    if (away > AWAY_MIN_NS) m->away_ns += away;
    if (away > m->away_longest_ns) m->away_longest_ns = away;
    before = now;
  }
  m->spin_ns = now - begin;
}

/* Turns of a loop without memory in at least duration_ns, for each millisecond that it took. */
static uint64_t
turns_per_ms(int64_t duration_ns) {
  uint64_t turns = 0, value = 1;
  int64_t  begin = now_ns(), took;
  do {
    for (int i = 0; i < 2000; i++)
      value = value * 6364136223846793005u + 1442695040888963407u;
    turns += 2000u + (value == 0 ? 1u : 0u);
    took = now_ns() - begin;
  } while (took < duration_ns);
  return turns * 1000000 / (uint64_t)took;
}

static void
measure_slow_start(md_doctor_machine_t *m) {
  struct timespec rest = {0, REST_NS};
  (void)turns_per_ms(WARM_NS);
  uint64_t warm = 0, cold = 0;
  for (int round = 0; round < 5; round++) {
    uint64_t turns = turns_per_ms(SHORT_NS);
    if (turns > warm) warm = turns;
  }
  for (int round = 0; round < 3; round++) {
    (void)nanosleep(&rest, NULL);
    uint64_t turns = turns_per_ms(SHORT_NS);
    if (turns > cold) cold = turns;
  }
  m->slow_start_pct = warm == 0 || cold >= warm ? 100 : (uint32_t)(cold * 100 / warm);
}

/* Time for each step of a first write to fresh memory; 0 when there is none. */
static int64_t
touch_each(uint32_t step_bytes, int advice) {
  size_t   bytes = TOUCH_BYTES + HUGE_BYTES;
  uint8_t *base =
      mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return 0;
  uint8_t *from = (uint8_t *)md_align_up((uintptr_t)base, HUGE_BYTES);
  int64_t  each = 0;
  /* A kernel without huge pages refuses both kinds of advice. */
  if (madvise(from, TOUCH_BYTES, advice) == 0 || advice == MADV_NOHUGEPAGE) {
    for (uint32_t part = 0; part < TOUCH_BYTES; part += HUGE_BYTES) {
      int64_t begin = now_ns();
      for (uint32_t off = 0; off < HUGE_BYTES; off += step_bytes)
        from[part + off] = 1;
      each = least(each, (now_ns() - begin) / (HUGE_BYTES / step_bytes));
    }
  }
  (void)munmap(base, bytes);
  return each;
}

static void
measure_io_uring(md_doctor_machine_t *m) {
  md_io_config_t cfg = {.backend = MD_IO_URING, .entry_cnt = URING_ENTRIES};
  md_io_t       *io  = NULL;
  md_msg_t       msg = {""};
  m->io_uring        = md_io_open(&cfg, &io, &msg) == MD_OK;
  if (m->io_uring) md_io_close(io);
  (void)snprintf(m->io_uring_why, sizeof m->io_uring_why, "%.200s", msg.text);
}

static void
look_at_limits(const char *shm_dir, md_doctor_machine_t *m) {
  struct rlimit  limit;
  struct statvfs space;
  m->memlock_bytes = UINT64_MAX;
  if (geteuid() != 0 && getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    m->memlock_bytes = limit.rlim_cur;
  if (statvfs(shm_dir, &space) == 0)
    m->shm_free_bytes = (uint64_t)space.f_bavail * (uint64_t)space.f_frsize;
  CPU_ZERO(&m->cores);
  (void)sched_getaffinity(0, sizeof m->cores, &m->cores);
}

void
md_doctor_measure(const char *shm_dir, md_doctor_machine_t *m) {
  memset(m, 0, sizeof *m);
  m->root = "";
  look_at_limits(shm_dir, m);
  measure_calls(m);
  measure_away(m);
  measure_slow_start(m);
  measure_io_uring(m);
  m->touch_ns      = touch_each(PAGE_BYTES, MADV_NOHUGEPAGE);
  m->touch_huge_ns = touch_each(HUGE_BYTES, MADV_HUGEPAGE);
}
