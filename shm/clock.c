#include "shm/clock.h"

#include <time.h>

static int64_t
read_clock(clockid_t id) {
  struct timespec t;
  int             rc = clock_gettime(id, &t);
  md_assert(rc == 0);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t
system_real_ns(void *ctx) {
  (void)ctx;
  return read_clock(CLOCK_REALTIME);
}

static int64_t
system_mono_ns(void *ctx) {
  (void)ctx;
  return read_clock(CLOCK_MONOTONIC);
}

static int64_t
manual_real_ns(void *ctx) {
  return ((const md_clock_manual_t *)ctx)->real_ns;
}

static int64_t
manual_mono_ns(void *ctx) {
  return ((const md_clock_manual_t *)ctx)->mono_ns;
}

int64_t
md_clock_thread_cpu_ns(void) {
  return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

const md_clock_t *
md_clock_system(void) {
  static const md_clock_t clock = {system_real_ns, system_mono_ns, NULL};
  return &clock;
}

md_clock_t
md_clock_manual(md_clock_manual_t *m) {
  md_clock_t clock = {manual_real_ns, manual_mono_ns, m};
  return clock;
}
