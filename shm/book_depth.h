/* book_depth.h - the writer's inside of depth, shared by book_depth.c (messages, windows) and
 * book_far.c (the circle of levels that are worse than the window), and by nobody else.
 *
 * One message is one md_depth_writer_t. It changes the copy in place, each word behind its entry in
 * the log; when the log is too short for it, or the market left a window, it sets is_over, and all
 * levels are written to the copy at rest instead. */
#ifndef SHM_BOOK_DEPTH_H
#define SHM_BOOK_DEPTH_H

#include "shm/book_layout.h"

/* One message at work. */
typedef struct md_depth_writer {
  md_book_t           *book;
  md_book_depth_own_t *own;
  md_atomic_u64       *sides; /* of both copies */
  md_atomic_u64       *log;
  uint64_t             side_words;
  uint32_t             ticks, cap; /* of a window; places of a circle */
  uint64_t             log_cnt;    /* entries of the log, a power of two */
  uint64_t             pos, floor; /* entries written so far, those that are still whole */
  uint64_t             end;        /* a message may write up to here */
  bool                 is_over;    /* it is written to the copy at rest instead */
  bool                 is_rest;    /* it is the copy at rest that is written: nobody reads it */
} md_depth_writer_t;

/* md_depth_floor says from which entry on the log, or the copy at rest, will be what readers need:
 * stored before what it gives up is overwritten, and seen by who sees any of that (R1, A1). */
static inline void
md_depth_floor(md_depth_writer_t *w, uint64_t floor) {
  w->floor = floor;
  md_store_relaxed(&w->book->depth_floor, floor); /* ordered before the words by their R1 */
}

/* md_depth_log_room says whether so many more entries fit, and makes room for them. */
static inline bool
md_depth_log_room(md_depth_writer_t *w, uint64_t cnt) {
  if (MD_UNLIKELY(w->pos + cnt > w->end)) w->is_over = true;
  if (MD_UNLIKELY(w->is_over)) return false;
  /* An eighth of the log more than it must be: the word is seldom written. */
  if (w->pos + cnt - w->floor > w->log_cnt)
    md_depth_floor(w, w->pos + cnt - w->log_cnt + w->log_cnt / 8);
  return true;
}

/* md_depth_log_put notes what stands in a word, before it is changed; there is room. */
static inline void
md_depth_log_put(md_depth_writer_t *w, uint64_t place, uint64_t was) {
  md_atomic_u64 *entry = &w->log[(w->pos & (w->log_cnt - 1)) * MD_BOOK_ENTRY_WORDS];

  md_store_release(&entry[0], place); /* R1: after the floor; pairs with A1 in shm/book_layout.h */
  md_store_release(&entry[1], was);   /* R1: after the floor; pairs with A1 in shm/book_layout.h */
  w->pos++;
}

/* md_depth_log_close lets readers see the entries: before any of their words is changed. */
static inline void
md_depth_log_close(md_depth_writer_t *w) {
  md_atomic_u64 *logged = &w->book->depth_logged;

  md_store_release(logged, w->pos); /* R6: whole; pairs with A6 in shm/book_depth_read.c */
}

static inline md_atomic_u64 *
md_depth_words(const md_depth_writer_t *w, uint64_t group) {
  return w->sides + group * w->side_words;
}

/* ---- book_far.c ---- */

/* The circle of one side of one copy. Index 0 is the worst level, cnt - 1 the best. */
typedef struct md_depth_far {
  md_depth_writer_t *w;
  md_atomic_u64     *levels;
  uint64_t           place; /* of its first word, as an entry of the log has it */
  md_side_t          side;
  uint32_t           cap, cnt, base;
  uint32_t           window_cnt; /* levels that are better than all of these */
  uint32_t           work;       /* entries */
  int64_t            floor;      /* as in md_book_depth_own_t */
} md_depth_far_t;

md_depth_far_t md_depth_far_open(md_depth_writer_t *w, unsigned which);
void           md_depth_far_close(const md_depth_far_t *f);

/* md_depth_far_change follows a change that is worse than the window. */
void md_depth_far_change(md_depth_far_t *f, const md_book_change_t *c);

/* md_depth_far_fill appends engine's levels behind the worst one until the side has want of them or
 * all. false when the engine's next level is not worse: then the side is not what the engine has.
 */
bool md_depth_far_fill(md_depth_far_t *f, const md_book_message_t *m, uint32_t want);

#endif
