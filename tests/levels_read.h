/* levels_read.h - an md_levels_fn out of a function that gives the n-th best level, for tests whose
 * levels follow from a formula. */
#ifndef TESTS_LEVELS_READ_H
#define TESTS_LEVELS_READ_H

#include "shm/book.h"

typedef bool (*level_at_fn)(const void *ctx, md_side_t side, uint32_t n, md_level_t *out);

static inline uint32_t
levels_read(level_at_fn at, const void *ctx, md_side_t side, const md_levels_want_t *want,
            md_level_t *out) {
  uint32_t n = 0;

  while (n < want->max && at(ctx, side, want->first + n, &out[n]))
    n++;
  return n;
}

#endif
