/* levels_read.h - an md_levels_fn out of a function that gives the n-th best level, for tests whose
 * levels follow from a formula. */
#ifndef TESTS_LEVELS_READ_H
#define TESTS_LEVELS_READ_H

#include "shm/book.h"

typedef bool (*level_at_fn)(const void *ctx, md_side_t side, uint32_t n, md_level_t *out);

static inline uint32_t
levels_read(level_at_fn at, const void *ctx, md_side_t side, const md_levels_want_t *want,
            md_level_t *out) {
  uint32_t   n = 0;
  md_level_t l;

  for (; n < want->max && at(ctx, side, want->first + n, &l); n++) {
    const bool worse = side == MD_SIDE_BUY ? l.px < want->until_px : l.px > want->until_px;
    if (n >= want->min && worse) break;
    out[n] = l;
  }
  return n;
}

#endif
