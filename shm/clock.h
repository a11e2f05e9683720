/* clock.h - the only source of time for logic that is tested.
 *
 * A clock is two functions and a context. The system clock reads CLOCK_REALTIME and
 * CLOCK_MONOTONIC; the manual clock says what a test or a replay put in. */
#ifndef SHM_CLOCK_H
#define SHM_CLOCK_H

#include "shm/base.h"

typedef struct md_clock {
  int64_t (*real_ns)(void *ctx); /* ns since the Unix epoch; may step */
  int64_t (*mono_ns)(void *ctx); /* ns, never goes back; shared by all processes of this boot */
  void *ctx;
} md_clock_t;

typedef struct md_clock_manual {
  int64_t real_ns;
  int64_t mono_ns;
} md_clock_manual_t;

static inline int64_t
md_clock_real_ns(const md_clock_t *c) {
  return c->real_ns(c->ctx);
}

static inline int64_t
md_clock_mono_ns(const md_clock_t *c) {
  return c->mono_ns(c->ctx);
}

/* md_clock_system returns the clock of the operating system. Any thread; never freed. */
const md_clock_t *md_clock_system(void);

/* md_clock_manual makes a clock that reads *m; the caller owns m and writes it from the same
 * thread. */
md_clock_t md_clock_manual(md_clock_manual_t *m);

/* md_clock_thread_cpu_ns returns the processor time of the calling thread: shown, never decided on.
 */
int64_t md_clock_thread_cpu_ns(void);

#endif
