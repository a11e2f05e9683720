/* stress.h - what the stress programs share: a mixing function, their argument, memory, verdict.
 *
 * They are plain programs with a main, because criterion does not run under TSan. Each runs a
 * bounded number of operations (its argument, or a default of some seconds), prints its counts, and
 * exits 1 if anything that a reader got does not follow from its sequence. */
#ifndef TESTS_STRESS_STRESS_H
#define TESTS_STRESS_STRESS_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/atomics.h"
#include "shm/base.h"

/* stress_mix spreads a number over 64 bits: two different inputs agree in no word that we compare.
 */
static inline uint64_t
stress_mix(uint64_t v) {
  v += 0x9e3779b97f4a7c15u;
  v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9u;
  v = (v ^ (v >> 27)) * 0x94d049bb133111ebu;
  return v ^ (v >> 31);
}

static inline uint64_t
stress_next(uint64_t *state) {
  *state += 0x9e3779b97f4a7c15u;
  return stress_mix(*state);
}

static inline uint64_t
stress_argument(int argc, char **argv, uint64_t otherwise) {
  const uint64_t value = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;

  return value != 0 ? value : otherwise;
}

static inline void *
stress_memory(uint64_t bytes) {
  void *mem = aligned_alloc(MD_CACHE_BLOCK, md_align_up(bytes, MD_CACHE_BLOCK));

  md_assert(mem != NULL);
  memset(mem, 0, bytes);
  return mem;
}

/* stress_dir makes a folder for shared memory, in the one that MD_SHM_DIR names: who runs a program
 * that dies on the way takes that one away, with all that was left in it. */
static inline bool
stress_dir(char *out, size_t out_bytes, const char *name) {
  const char *in  = getenv("MD_SHM_DIR");
  const int   len = snprintf(out, out_bytes, "%s/%s.XXXXXX", in != NULL ? in : "/dev/shm", name);

  return len > 0 && (size_t)len < out_bytes && mkdtemp(out) != NULL;
}

#endif
