/* backoff.h - pauses that double up to a limit, with jitter out of an injected seed. Pure. */
#ifndef FEEDS_BACKOFF_H
#define FEEDS_BACKOFF_H

#include "shm/base.h"

/* md_random_next steps a generator (splitmix64) whose state is *seed. */
static inline uint64_t
md_random_next(uint64_t *seed) {
  uint64_t z = (*seed += 0x9e3779b97f4a7c15ull);
  z          = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z          = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

/* md_backoff_ns gives the pause before try number attempt (from 0): base doubled attempt times, at
 * most max, of which the upper half is random, so that many who failed together do not come back
 * together. */
static inline int64_t
md_backoff_ns(int64_t base_ns, int64_t max_ns, uint32_t attempt, uint64_t *seed) {
  int64_t pause = base_ns;
  for (uint32_t n = 0; n < attempt && pause < max_ns; n++)
    pause *= 2;
  if (pause > max_ns) pause = max_ns;
  return pause / 2 + (int64_t)(md_random_next(seed) % (uint64_t)(pause / 2 + 1));
}

#endif
