/* tape_book.h - books that a stranger rebuilds from the tape, to hold the live books against.
 *
 * Owns: the levels of every instrument as BOOK_SNAPSHOT and BOOK_DELTA records make them, read by
 * the offsets that shm/README.md gives and by nothing of the engine's own code. Called by reader.c,
 * one thread. A book that was not seen from a snapshot on, or whose snapshot came in part, is never
 * compared. Never writes to the segment. */
#ifndef TESTS_E2E_TAPE_BOOK_H
#define TESTS_E2E_TAPE_BOOK_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "shm/client/mdshm.h"

#define TAPE_BOOK_LEVELS 8192u /* a side; the recording's books hold about a thousand */

enum { RECORD_DELTA = 3, RECORD_SNAPSHOT = 4, FLAG_LAST = 1, LEVELS_AT = 96, LEVEL_BYTES = 16 };

typedef struct tape_side {
  bool          is_bid;
  uint32_t      cnt;
  mdshm_level_t at[TAPE_BOOK_LEVELS]; /* worst first: most changes are near the best */
} tape_side_t;

typedef struct tape_book {
  bool        is_known;         /* begun by a whole snapshot, no record missed since */
  bool        is_open;          /* in the middle of a group */
  bool        is_snapshot;      /* the group is a snapshot ... */
  uint32_t    bid_sum, ask_sum; /* ... of which so many levels came */
  int         px_exp, qty_exp;
  uint64_t    exch_seq;
  tape_side_t side[2]; /* bids, asks */
} tape_book_t;

typedef struct tape_follower {
  mdshm_tape_t *tape;
  uint64_t      seq; /* of the last record applied; 0: the next may have any */
  uint64_t      record_cnt, snapshot_cnt, delta_cnt, lapped_cnt;
  const char   *wrong; /* what the tape itself did wrong, NULL nothing */
  uint32_t      id_cnt;
  tape_book_t **books; /* by instrument id, NULL not seen */
} tape_follower_t;

static inline uint64_t
tape_load(const uint8_t *record, size_t at, size_t bytes) {
  uint64_t value = 0;
  memcpy(&value, record + at, bytes); /* little-endian, as the format is */
  return value;
}

/* The place of a price, or where it belongs. */
static inline uint32_t
tape_side_find(const tape_side_t *s, int64_t px) {
  uint32_t low = 0, high = s->cnt;
  while (low < high) {
    uint32_t middle   = low + (high - low) / 2;
    bool     is_worse = s->is_bid ? s->at[middle].px < px : s->at[middle].px > px;
    if (is_worse)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static inline bool
tape_side_set(tape_side_t *s, int64_t px, int64_t qty) {
  uint32_t i      = tape_side_find(s, px);
  bool     exists = i < s->cnt && s->at[i].px == px;
  if (exists && qty == 0) {
    s->cnt--;
    memmove(&s->at[i], &s->at[i + 1], (s->cnt - i) * sizeof s->at[0]);
  } else if (exists) {
    s->at[i].qty = qty;
  } else if (qty != 0) {
    if (s->cnt == TAPE_BOOK_LEVELS) return false;
    memmove(&s->at[i + 1], &s->at[i], (s->cnt - i) * sizeof s->at[0]);
    s->at[i] = (mdshm_level_t){px, qty};
    s->cnt++;
  }
  return true;
}

/* Brings levels to smaller exponents; they never grow while a book is known. */
static inline bool
tape_book_rescale(tape_book_t *b, int px_exp, int qty_exp) {
  if (px_exp > b->px_exp || qty_exp > b->qty_exp) return false;
  for (; b->px_exp > px_exp; b->px_exp--)
    for (unsigned s = 0; s < 2; s++)
      for (uint32_t i = 0; i < b->side[s].cnt; i++)
        b->side[s].at[i].px *= 10;
  for (; b->qty_exp > qty_exp; b->qty_exp--)
    for (unsigned s = 0; s < 2; s++)
      for (uint32_t i = 0; i < b->side[s].cnt; i++)
        b->side[s].at[i].qty *= 10;
  return true;
}

static inline tape_book_t *
tape_book_of(tape_follower_t *f, uint32_t id) {
  if (id == 0 || id >= f->id_cnt) return NULL;
  if (!f->books[id]) {
    f->books[id] = calloc(1, sizeof *f->books[id]);
    if (!f->books[id]) abort();
    f->books[id]->side[0].is_bid = true;
  }
  return f->books[id];
}

/* Puts the levels of one record into the book; says what is wrong with it, NULL nothing. */
static inline const char *
tape_book_levels(tape_book_t *b, const uint8_t *record, size_t bytes) {
  uint32_t       cnt[2] = {(uint32_t)tape_load(record, 80, 2), (uint32_t)tape_load(record, 82, 2)};
  const uint8_t *level  = record + LEVELS_AT;
  if (bytes < LEVELS_AT + (size_t)LEVEL_BYTES * (cnt[0] + cnt[1])) return "a record is cut short";
  for (unsigned s = 0; s < 2; s++) {
    for (uint32_t i = 0; i < cnt[s]; i++, level += LEVEL_BYTES) {
      int64_t px = (int64_t)tape_load(level, 0, 8), qty = (int64_t)tape_load(level, 8, 8);
      if (!tape_side_set(&b->side[s], px, qty)) return "a book outgrew this test";
    }
  }
  b->bid_sum += cnt[0];
  b->ask_sum += cnt[1];
  return NULL;
}

static inline const char *
tape_book_apply(tape_book_t *b, const uint8_t *record, size_t bytes) {
  bool is_snapshot = tape_load(record, 2, 1) == RECORD_SNAPSHOT;
  bool is_last     = tape_load(record, 4, 2) & FLAG_LAST;
  int  px_exp = (int8_t)tape_load(record, 16, 1), qty_exp = (int8_t)tape_load(record, 17, 1);
  if (is_snapshot && !(b->is_open && b->is_snapshot)) {
    b->side[0].cnt = b->side[1].cnt = 0;
    b->bid_sum = b->ask_sum = 0;
    b->is_known             = false;
    b->is_snapshot          = true;
    b->px_exp               = px_exp;
    b->qty_exp              = qty_exp;
  }
  if (!is_snapshot && !b->is_known) return NULL;
  if (!is_snapshot) b->is_snapshot = false;
  if (!tape_book_rescale(b, px_exp, qty_exp)) return "an exponent grew within a book";
  const char *wrong = tape_book_levels(b, record, bytes);
  b->exch_seq       = tape_load(record, 32, 8);
  b->is_open        = !is_last;
  if (is_snapshot && is_last)
    b->is_known = b->bid_sum == tape_load(record, 84, 4) && b->ask_sum == tape_load(record, 88, 4);
  return wrong;
}

static inline void
tape_follower_lapped(tape_follower_t *f) {
  f->lapped_cnt++;
  f->seq = 0;
  for (uint32_t i = 0; i < f->id_cnt; i++) {
    if (!f->books[i]) continue;
    f->books[i]->is_known = false;
    f->books[i]->is_open  = false;
  }
}

/* Reads one record and applies it: OK, EMPTY, LAPPED (every book is unknown until its next
 * snapshot), or CORRUPT with f->wrong. */
static inline mdshm_result_t
tape_follower_next(tape_follower_t *f) {
  const void    *data;
  size_t         bytes;
  uint64_t       lost_bytes;
  mdshm_result_t result = mdshm_tape_next(f->tape, &data, &bytes, &lost_bytes);
  if (result == MDSHM_LAPPED) tape_follower_lapped(f);
  if (result != MDSHM_OK) return result;

  const uint8_t *record = data;
  uint64_t       type = tape_load(record, 2, 1), seq = tape_load(record, 24, 8);
  f->record_cnt++;
  if (f->seq != 0 && seq != f->seq + 1) f->wrong = "the tape has a hole that it did not tell";
  f->seq = seq;
  f->snapshot_cnt += type == RECORD_SNAPSHOT;
  f->delta_cnt += type == RECORD_DELTA;
  if (type == RECORD_SNAPSHOT || type == RECORD_DELTA) {
    tape_book_t *b     = tape_book_of(f, (uint32_t)tape_load(record, 8, 4));
    const char  *wrong = b ? tape_book_apply(b, record, bytes) : "an instrument id out of range";
    if (wrong) f->wrong = wrong;
  }
  return f->wrong ? MDSHM_CORRUPT : MDSHM_OK;
}

/* The first level that differs, or NULL: got holds cnt levels, best first, and must be all there is
 * up to max. */
static inline const char *
tape_side_differs(const tape_side_t *s, const mdshm_level_t *got, uint32_t cnt, uint32_t max) {
  if (cnt != (s->cnt < max ? s->cnt : max)) return "the number of levels differs from the tape's";
  for (uint32_t i = 0; i < cnt; i++) {
    const mdshm_level_t *want = &s->at[s->cnt - 1 - i];
    if (got[i].px != want->px) return "a price differs from the tape's";
    if (got[i].qty != want->qty) return "a quantity differs from the tape's";
  }
  return NULL;
}

/* tape_book_differs says how a tier that was read differs from the book at the same seq, NULL not
 * at all. max is how many levels that tier can hold. */
static inline const char *
tape_book_differs(const tape_book_t *b, const mdshm_book_meta_t *meta, const mdshm_level_t *bids,
                  uint32_t bid_cnt, const mdshm_level_t *asks, uint32_t ask_cnt, uint32_t max) {
  if (b->is_open) return "its last_seq lies within a group of the tape";
  if (meta->px_exp != b->px_exp || meta->qty_exp != b->qty_exp)
    return "its exponents differ from the tape's";
  if (meta->exch_seq != b->exch_seq) return "its exch_seq differs from the tape's";
  if (meta->bid_total != b->side[0].cnt || meta->ask_total != b->side[1].cnt)
    return "its totals differ from the tape's";
  const char *differs = tape_side_differs(&b->side[0], bids, bid_cnt, max);
  return differs ? differs : tape_side_differs(&b->side[1], asks, ask_cnt, max);
}

#endif
