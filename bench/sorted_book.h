/* sorted_book.h - the order book that everybody writes first: a sorted array of levels for each
 * side, best first, found by halving and kept sorted by memmove.
 *
 * The baseline for ours. */
#ifndef BENCH_SORTED_BOOK_H
#define BENCH_SORTED_BOOK_H

#include <string.h>

#include "bench/message.h"

#define MD_SORTED_LEVELS_MAX 4096u

typedef struct md_sorted_side {
  uint32_t         cnt;
  md_bench_level_t level[MD_SORTED_LEVELS_MAX];
} md_sorted_side_t;

typedef struct md_sorted_book {
  md_sorted_side_t bids, asks;
} md_sorted_book_t;

/* Quantity 0 deletes; a new level beyond the room is left out. */
static inline void
md_sorted_side_set(md_sorted_side_t *s, bool is_bid, md_bench_level_t l) {
  uint32_t low = 0, high = s->cnt;
  while (low < high) {
    uint32_t mid    = low + (high - low) / 2;
    bool     better = is_bid ? s->level[mid].px > l.px : s->level[mid].px < l.px;
    if (better)
      low = mid + 1;
    else
      high = mid;
  }
  bool found = low < s->cnt && s->level[low].px == l.px;
  if (found && l.qty != 0) {
    s->level[low] = l;
  } else if (found) {
    s->cnt--;
    memmove(&s->level[low], &s->level[low + 1], (s->cnt - low) * sizeof l);
  } else if (l.qty != 0 && s->cnt < MD_SORTED_LEVELS_MAX) {
    memmove(&s->level[low + 1], &s->level[low], (s->cnt - low) * sizeof l);
    s->level[low] = l;
    s->cnt++;
  }
}

static inline void
md_sorted_book_apply(md_sorted_book_t *b, const md_bench_message_t *m) {
  for (uint32_t i = 0; i < m->bid_cnt; i++)
    md_sorted_side_set(&b->bids, true, m->bids[i]);
  for (uint32_t i = 0; i < m->ask_cnt; i++)
    md_sorted_side_set(&b->asks, false, m->asks[i]);
}

#endif
