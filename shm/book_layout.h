/* book_layout.h - how a live book lies in shared memory. Private to book*.c and shm/client.
 *
 *   head | ladder_newest, depth_newest | top | ladder slot 0..3 | depth copy 0 | depth copy 1
 *
 * Each of top, slot and copy is one version word and the words that it guards. A slot and a copy
 * hold the meta of the record that last rewrote them: top is the one that follows every record.
 *
 * A side of depth is a circle of depth_levels places, worst level first and best last, that begins
 * at base: a change near the top moves few levels, and neither dropping the worst level nor
 * refilling behind it moves any.
 *
 * A tier never goes back: what a reader gets is at most what newest says, or will say to a later
 * read. So a slot or copy that was written again before newest points to it is not handed out.
 *
 * Orders: R1 data words store-release after the odd mark  <-> A1 reader's word loads
 *         R2 version even publishes the words             <-> A2 reader's version load
 *         R3 newest slot or copy, stored when it is whole <-> A3 reader's choice of slot or copy */
#ifndef SHM_BOOK_LAYOUT_H
#define SHM_BOOK_LAYOUT_H

#include <string.h>

#include "shm/book.h"
#include "shm/mutant.h"

#define MD_BOOK_MAGIC        0x314b4f4f42444d00ull /* "\0MDBOOK1" */
#define MD_BOOK_WORD_BYTES   8u
#define MD_BOOK_META_WORDS   11u
#define MD_BOOK_TOP_WORDS    15u
#define MD_BOOK_LADDER_WORDS 92u

_Static_assert(sizeof(md_book_meta_t) == MD_BOOK_META_WORDS * MD_BOOK_WORD_BYTES, "whole words");
_Static_assert(sizeof(md_book_top_t) == MD_BOOK_TOP_WORDS * MD_BOOK_WORD_BYTES, "whole words");
_Static_assert(sizeof(md_book_ladder_t) == MD_BOOK_LADDER_WORDS * MD_BOOK_WORD_BYTES, "words");
_Static_assert(sizeof(md_level_t) == 2 * MD_BOOK_WORD_BYTES, "a level is two words");
_Static_assert((MD_LADDER_SLOTS & (MD_LADDER_SLOTS - 1)) == 0, "slots are chosen by a mask");

typedef struct md_book_top_words {
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 version;
  md_atomic_u64 words[MD_BOOK_TOP_WORDS]; /* md_book_top_t */
} md_book_top_words_t;

_Static_assert(sizeof(md_book_top_words_t) == MD_CACHE_BLOCK, "top is two cache lines");

typedef struct md_book_slot {
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 version;
  md_atomic_u64 words[MD_BOOK_LADDER_WORDS]; /* md_book_ladder_t */
} md_book_slot_t;

/* The fixed part of a depth copy; behind it md_level_t bids[depth_levels], asks[depth_levels]. */
typedef struct md_book_depth {
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 version; /* half of it counts the messages written */
  md_atomic_u64 meta[MD_BOOK_META_WORDS];
  md_atomic_u64 side[2];  /* bids, asks: level count in the low half, base in the high half */
  md_atomic_u64 spare[2]; /* zero */
  md_atomic_u64 levels[];
} md_book_depth_t;

_Static_assert(offsetof(md_book_depth_t, levels) == MD_CACHE_BLOCK, "book ABI");

struct md_book {
  uint64_t magic;
  uint32_t depth_levels; /* a side */
  uint32_t spare;
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 ladder_newest; /* ladders written; slot = low bits */
  md_atomic_u64       depth_newest; /* messages written to depth; copy = low bit */
  md_book_top_words_t top;
  md_book_slot_t      ladder[MD_LADDER_SLOTS];
  /* The depth copies follow, each of md_book_depth_bytes. */
};

_Static_assert(offsetof(struct md_book, ladder_newest) == MD_CACHE_BLOCK, "book ABI");
_Static_assert(offsetof(struct md_book, top) == 2 * MD_CACHE_BLOCK, "book ABI");
_Static_assert(offsetof(struct md_book, ladder) == 3 * MD_CACHE_BLOCK, "book ABI");
_Static_assert(sizeof(md_book_slot_t) == 6 * MD_CACHE_BLOCK, "book ABI");

static inline uint64_t
md_book_depth_bytes(uint32_t depth_levels) {
  return md_align_up(sizeof(md_book_depth_t) + 2ull * depth_levels * sizeof(md_level_t),
                     MD_CACHE_BLOCK);
}

static inline const md_book_depth_t *
md_book_depth_copy_const(const md_book_t *b, uint32_t depth_levels, uint64_t copy) {
  const uint8_t *first = (const uint8_t *)b + sizeof *b;

  return (const md_book_depth_t *)(const void *)(first + copy * md_book_depth_bytes(depth_levels));
}

static inline md_book_depth_t *
md_book_depth_copy(md_book_t *b, uint64_t copy) {
  uint8_t *first = (uint8_t *)b + sizeof *b;

  return (md_book_depth_t *)(void *)(first + copy * md_book_depth_bytes(b->depth_levels));
}

/* md_book_open marks what version guards as changing and returns the odd version. */
static inline uint64_t
md_book_open(md_atomic_u64 *version) {
  const uint64_t odd = md_load_relaxed(version) | 1; /* only the writer stores it */

  md_store_relaxed(version, odd); /* ordered before the words by their R1 */
  return odd;
}

static inline void
md_book_close(md_atomic_u64 *version, uint64_t odd) {
  md_store_release(version, odd + 1); /* R2: all words are new; pairs with A2 */
}

static inline void
md_book_words_store(md_atomic_u64 *to, const void *from, uint32_t cnt) {
  for (uint32_t i = 0; i < cnt; i++) {
    uint64_t word;
    memcpy(&word, (const uint8_t *)from + (size_t)i * MD_BOOK_WORD_BYTES, sizeof word);
    md_store_release(&to[i], word); /* R1: after the odd mark; pairs with A1 */
  }
}

static inline void
md_book_words_load(const md_atomic_u64 *from, void *to, uint32_t cnt) {
  for (uint32_t i = 0; i < cnt; i++) {
    const uint64_t word = md_load_acquire(&from[i]); /* A1: before the version; pairs with R1 */
    memcpy((uint8_t *)to + (size_t)i * MD_BOOK_WORD_BYTES, &word, sizeof word);
  }
}

/* md_book_words_own reads words back on the writing thread. */
static inline void
md_book_words_own(const md_atomic_u64 *from, void *to, uint32_t cnt) {
  for (uint32_t i = 0; i < cnt; i++) {
    const uint64_t word = md_load_relaxed(&from[i]); /* only this thread stores it */
    memcpy((uint8_t *)to + (size_t)i * MD_BOOK_WORD_BYTES, &word, sizeof word);
  }
}

#define MD_CACHE_LINE_BYTES 64u

/* md_book_ask asks for the cache lines of a range. */
static inline void
md_book_ask(const void *from, size_t bytes) {
  const uint8_t *p = from;

  for (size_t off = 0; off < bytes; off += MD_CACHE_LINE_BYTES)
    __builtin_prefetch(p + off, 1);
}

/* md_book_key turns a price into a number that grows from worst to best on either side. */
static inline int64_t
md_book_key(md_side_t side, int64_t px) {
  return side == MD_SIDE_BUY ? px : ~px;
}

/* md_book_meta_sane says whether what a reader copied can be a meta at all. */
static inline bool
md_book_meta_sane(const md_book_meta_t *m) {
  return m->state <= MD_BOOK_STALE && m->reason < MD_REASON_CNT && m->px_exp >= MD_EXP_MIN &&
         m->px_exp <= MD_EXP_MAX && m->qty_exp >= MD_EXP_MIN && m->qty_exp <= MD_EXP_MAX;
}

/* Levels of a side that a message is given at most when it changed something worse than those of
 * the ladder. */
#define MD_BOOK_BEST_MAX 256u

/* And so many for each change: more cost more to write than a search and a shift for each change.
 */
#define MD_BOOK_BEST_EACH 8u

/* What one message changed on one side, and the engine's best levels behind it: read once, written
 * to every tier (writer only). */
typedef struct md_book_best {
  md_side_t  side;
  uint32_t   cnt, max;  /* levels, at least those of the ladder; max: there may be more */
  uint32_t   depth_cnt; /* changes that concern depth */
  int64_t    lowest;    /* key of the worst of these */
  int64_t    highest;   /* key of the best change, INT64_MIN when there is none */
  md_level_t levels[MD_BOOK_BEST_MAX];
} md_book_best_t;

/* What one message changed, on its way through the tiers (writer only). */
typedef struct md_book_message {
  const md_book_meta_t   *meta;
  const md_book_change_t *changes;
  uint32_t                change_cnt;
  bool                    meta_matters; /* state, trust or flags changed: every tier must say so */
  md_levels_fn            read;
  const void             *ctx;
  md_book_best_t         *best; /* bids, asks */
} md_book_message_t;

/* book_ladder.c */
void md_book_ladder_all(md_book_t *b, const md_book_message_t *m);
void md_book_ladder_apply(md_book_t *b, const md_book_message_t *m);
void md_book_ladder_meta(md_book_t *b, const md_book_meta_t *meta);

/* book_depth.c; nothing to do when the book has no depth. */
void md_book_depth_all(md_book_t *b, const md_book_message_t *m);
void md_book_depth_apply(md_book_t *b, const md_book_message_t *m);
void md_book_depth_meta(md_book_t *b, const md_book_meta_t *meta);

/* md_book_depth_prefetch asks for what is near the best of both copies; their heads are there. */
void md_book_depth_prefetch(const md_book_t *b);

/* md_book_depth_floor gives the key of a side from which on a change concerns depth; INT64_MAX: the
 * book has none. */
int64_t md_book_depth_floor(md_book_t *b, md_side_t side);

#endif
