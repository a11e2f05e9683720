/* book_layout.h - how a live book lies in shared memory. Private to book*.c and shm/client.
 *
 *   head, newest top and ladder | depth words | bbo line 0, 1 | top slot 0..3
 *        | ladder slot 0..2 | depth: states 0..7 | copy 0 | copy 1 | log
 *
 * The bbo is two cache lines that are written in turn, each with the version of what it holds: 0
 * while it is rewritten, else one more than that of the other line. A reader takes the line of the
 * greater version and looks at it again: what it copied is whole unless two more were written
 * meanwhile. Of the two lines the writer takes one at a time from a reader's cache, and no other
 * word says where to read, so that an update costs a reader one miss.
 *
 * Top is four slots that are written in turn, and a word that says which is the newest. A reader
 * copies that one and looks at the word again: what it copied is whole unless three more were
 * written meanwhile. So a reader of top finds no write in its way, and neither finds a writer a
 * reader on the lines that it fills. A slot of the ladder has a version word too: it takes so long
 * to write that a reader should not begin with one that is written again. The newest words of both
 * stand in one line and are stored one behind the other: a reader that never rests takes that line
 * from the writer each time, and it takes it once for both.
 *
 * A slot and a state of depth hold the meta of the record that last rewrote them: top is the one
 * that follows every record.
 *
 * Depth is one copy of the levels that is changed in place, and a log of what stood in each word
 * before it was changed. A state is what one message left behind: meta, which copy, where its
 * levels are, and how long the log was. A reader takes the newest state, copies the words while
 * they change, and then takes back, newest first, what the log says was changed since that state.
 * So no update disturbs it, only a log that was overwritten behind it: depth_floor says from where
 * on it is whole. A message that rewrites all levels does so in the copy at rest.
 *
 * A side of a copy is a window of ticks and, in the words behind it, a circle. The window has a
 * word for each of some keys from low on, the quantity there, 0 for no level: a change is one word,
 * wherever it is. What is worse than low stands in the circle, sorted, the worst at base and the
 * best last. The window never moves within a copy: the market that walks out of it is a message
 * that rewrites all, and chooses how large window and circle are. A side whose levels lie far from
 * each other has no window, only the circle.
 *
 * A processor whose line another one reads may lose it to that one, not share it. So what the
 * writer looks at for each message stands in lines of its own, which no reader reads: how many it
 * wrote, and of the last record what decides whether a tier changes.
 *
 * A tier never goes back: what a reader gets is at most what newest says, or will say to a later
 * read. So a slot that was written again before newest points to it is not handed out.
 *
 * Orders: R1 data words store-release after the odd mark  <-> A1 reader's word loads
 *         R2 version even publishes the words             <-> A2 reader's version load
 *         R3 newest slot or state, stored when it is whole <-> A3 reader's choice of slot or state
 *         R4 the odd mark, behind the newest so far       <-> A4 reader's version load of a slot
 *         R6 log entries are whole                        <-> A6 reader's look at how many
 * Levels and log entries are data words: R1 of a level is behind R6 of its entry, which may be one
 * for many, and R1 of both is behind the floor that they need. */
#ifndef SHM_BOOK_LAYOUT_H
#define SHM_BOOK_LAYOUT_H

#include <string.h>

#include "shm/book.h"
#include "shm/mutant.h"

#define MD_BOOK_MAGIC        0x324b4f4f42444d00ull /* "\0MDBOOK2" */
#define MD_BOOK_WORD_BYTES   8u
#define MD_BOOK_META_WORDS   11u
#define MD_BOOK_BBO_WORDS    7u
#define MD_BOOK_BBO_LINES    2u
#define MD_BOOK_TOP_WORDS    15u
#define MD_BOOK_TOP_SLOTS    4u
#define MD_BOOK_LADDER_WORDS 92u
#define MD_BOOK_STATES       8u /* of depth: so many messages until the oldest is overwritten */
#define MD_BOOK_STATE_WORDS  21u
#define MD_BOOK_STATE_BYTES  192u
#define MD_BOOK_ENTRY_WORDS  2u /* of the log: place, and what stood there */

/* The fewest entries of a log; ticks of a window, and those that have a bit in a state's groups. */
#ifdef MD_ATOMICS_MODEL
#define MD_BOOK_LOG_MIN     16u
#define MD_BOOK_WINDOW_MIN  4u
#define MD_BOOK_WINDOW_MAX  8u
#define MD_BOOK_GROUP_TICKS 2u
#else
#define MD_BOOK_LOG_MIN     128u
#define MD_BOOK_WINDOW_MIN  64u
#define MD_BOOK_WINDOW_MAX  4096u
#define MD_BOOK_GROUP_TICKS 64u
#endif

_Static_assert(MD_BOOK_WINDOW_MAX / MD_BOOK_GROUP_TICKS <= 64, "one word has a bit for each group");

_Static_assert(sizeof(md_book_meta_t) == MD_BOOK_META_WORDS * MD_BOOK_WORD_BYTES, "whole words");
_Static_assert(sizeof(md_book_bbo_t) == MD_BOOK_BBO_WORDS * MD_BOOK_WORD_BYTES, "whole words");
_Static_assert(sizeof(md_book_top_t) == MD_BOOK_TOP_WORDS * MD_BOOK_WORD_BYTES, "whole words");
_Static_assert(sizeof(md_book_ladder_t) == MD_BOOK_LADDER_WORDS * MD_BOOK_WORD_BYTES, "words");
_Static_assert(sizeof(md_level_t) == 2 * MD_BOOK_WORD_BYTES, "a level is two words");

typedef struct md_book_bbo_line {
  _Alignas(MD_CACHE_BLOCK / 2) md_atomic_u64 version;
  md_atomic_u64 words[MD_BOOK_BBO_WORDS]; /* md_book_bbo_t */
} md_book_bbo_line_t;

_Static_assert(sizeof(md_book_bbo_line_t) == MD_CACHE_BLOCK / 2, "a bbo is one cache line");

typedef struct md_book_top_words {
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 words[MD_BOOK_TOP_WORDS]; /* md_book_top_t */
} md_book_top_words_t;

_Static_assert(sizeof(md_book_top_words_t) == MD_CACHE_BLOCK, "top is two cache lines");

typedef struct md_book_slot {
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 version;
  md_atomic_u64 words[MD_BOOK_LADDER_WORDS]; /* md_book_ladder_t */
} md_book_slot_t;

/* Where the levels of a side are. A group without its bit has no level; one with it may. */
typedef struct md_book_depth_side {
  int64_t  low;                 /* key of the window's first word */
  uint64_t groups;              /* a bit for each MD_BOOK_GROUP_TICKS words of the window */
  uint32_t window_cnt, far_cnt; /* levels in the window; in the circle, all worse than low */
  uint32_t far_base;
  uint32_t ticks; /* words of the window; the circle has the others. 0: there is no window */
} md_book_depth_side_t;

/* What one message left of depth. */
typedef struct md_book_depth_state {
  uint64_t             logged;  /* entries that the log had then */
  uint64_t             copy;    /* which of the two is changed in place */
  md_book_depth_side_t side[2]; /* bids, asks */
  md_book_meta_t       meta;
} md_book_depth_state_t;

_Static_assert(sizeof(md_book_depth_state_t) == MD_BOOK_STATE_WORDS * MD_BOOK_WORD_BYTES,
               "whole words");
_Static_assert(MD_BOOK_STATE_WORDS *MD_BOOK_WORD_BYTES <= MD_BOOK_STATE_BYTES, "book ABI");

/* What the writer keeps for itself: no reader looks at it. */
typedef struct md_book_depth_own {
  _Alignas(MD_CACHE_BLOCK) md_book_depth_side_t side[2]; /* as in the newest state */
  int64_t  floor[2];  /* all levels from this key on are held, those below are the engine's */
  uint64_t copy;      /* as in the newest state */
  uint64_t switched;  /* entries when the copies last changed roles */
  uint64_t rewritten; /* messages then */
  uint32_t work[2];   /* entries of the circle since then */
} md_book_depth_own_t;

_Static_assert(sizeof(md_book_depth_own_t) == MD_CACHE_BLOCK, "book ABI");

/* The place of an entry that changed no level. */
#define MD_BOOK_NO_PLACE UINT64_MAX

/* What the writer keeps of bbo, top and ladder. */
typedef struct md_book_own {
  uint64_t top_newest, ladder_newest, bbo_newest; /* as readers see them */
  uint64_t scale;                                 /* state to gen, as meta begins */
  int64_t  trusted_bid, trusted_ask;
  uint32_t flags, pad0;
} md_book_own_t;

_Static_assert(sizeof(md_book_own_t) <= MD_CACHE_BLOCK / 2, "one cache line");

struct md_book {
  uint64_t magic;
  uint32_t depth_levels; /* a side */
  uint32_t spare;
  int64_t  own_px_qty[4]; /* the writer's: best bid and ask of the last record */
  _Alignas(MD_CACHE_BLOCK / 2) md_atomic_u64 top_newest; /* tops written; slot = low bits */
  md_atomic_u64 ladder_newest;                           /* ladders written; slot: the rest of it */
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 depth_newest;   /* messages; state = low bits */
  md_atomic_u64 depth_logged;                            /* entries of the log written so far */
  md_atomic_u64 depth_floor; /* reads of a state with a shorter log count no more */
  _Alignas(MD_CACHE_BLOCK / 2) md_book_own_t own;
  _Alignas(MD_CACHE_BLOCK) md_book_bbo_line_t bbo[MD_BOOK_BBO_LINES];
  md_book_top_words_t top[MD_BOOK_TOP_SLOTS];
  md_book_slot_t      ladder[MD_LADDER_SLOTS];
  /* With depth_levels above 0 there follow md_book_depth_own_t, MD_BOOK_STATES states, two copies
   * of bids and asks, and the log. */
};

_Static_assert(offsetof(struct md_book, depth_newest) == MD_CACHE_BLOCK, "book ABI");
_Static_assert(offsetof(struct md_book, bbo) == 2 * MD_CACHE_BLOCK, "book ABI");
_Static_assert(offsetof(struct md_book, top) == 3 * MD_CACHE_BLOCK, "book ABI");
_Static_assert(offsetof(struct md_book, ladder) == 7 * MD_CACHE_BLOCK, "book ABI");
_Static_assert(sizeof(md_book_slot_t) == 6 * MD_CACHE_BLOCK, "book ABI");

/* md_book_power returns the smallest power of two that is no less than cnt and min, which is one
 * too. Without a loop: the writer asks for each message. */
static inline uint64_t
md_book_power(uint64_t cnt, uint64_t min) {
  return cnt <= min ? min : UINT64_C(1) << (64 - __builtin_clzll(cnt - 1));
}

/* md_book_log_cnt returns the entries of the log, a power of two. */
static inline uint64_t
md_book_log_cnt(uint32_t depth_levels) {
  return md_book_power(depth_levels / 2, MD_BOOK_LOG_MIN);
}

/* md_book_window_ticks returns the most words of a side's window, a power of two. */
static inline uint32_t
md_book_window_ticks(uint32_t depth_levels) {
  const uint64_t ticks = md_book_power(2ull * depth_levels, MD_BOOK_WINDOW_MIN);

  return ticks < MD_BOOK_WINDOW_MAX ? (uint32_t)ticks : MD_BOOK_WINDOW_MAX;
}

#define MD_CACHE_LINE_BYTES 64u

/* md_book_side_words returns those of window and circle: the largest window with few levels behind
 * it, or all levels in the circle. */
static inline uint64_t
md_book_side_words(uint32_t depth_levels) {
  const uint64_t ticks = md_book_window_ticks(depth_levels), levels = 2ull * depth_levels;
  const uint64_t few = depth_levels / 8;

  return md_align_up((ticks > levels ? ticks : levels) +
                         (few > MD_BOOK_GROUP_TICKS ? few : MD_BOOK_GROUP_TICKS),
                     MD_CACHE_LINE_BYTES / MD_BOOK_WORD_BYTES);
}

/* md_book_far_cap returns the places of a circle behind a window. */
static inline uint32_t
md_book_far_cap(uint32_t depth_levels, uint32_t ticks) {
  const uint64_t cap = (md_book_side_words(depth_levels) - ticks) / 2;

  return cap < depth_levels ? (uint32_t)cap : depth_levels;
}

static inline uint64_t
md_book_side_bytes(uint32_t depth_levels) {
  return md_book_side_words(depth_levels) * MD_BOOK_WORD_BYTES;
}

static inline uint64_t
md_book_depth_bytes(uint32_t depth_levels) {
  return md_align_up(sizeof(md_book_depth_own_t) + MD_BOOK_STATES * MD_BOOK_STATE_BYTES +
                         2ull * MD_DEPTH_COPIES * md_book_side_bytes(depth_levels) +
                         md_book_log_cnt(depth_levels) * MD_BOOK_ENTRY_WORDS * MD_BOOK_WORD_BYTES,
                     MD_CACHE_BLOCK);
}

/* Where the parts of depth stand, from the book on. group: copy times two, and one for asks. */
static inline uint64_t
md_book_state_off(uint64_t n) {
  return sizeof(md_book_t) + sizeof(md_book_depth_own_t) + n % MD_BOOK_STATES * MD_BOOK_STATE_BYTES;
}

static inline uint64_t
md_book_side_off(uint32_t depth_levels, uint64_t group) {
  return md_book_state_off(0) + MD_BOOK_STATES * MD_BOOK_STATE_BYTES +
         group * md_book_side_bytes(depth_levels);
}

static inline uint64_t
md_book_log_off(uint32_t depth_levels) {
  return md_book_side_off(depth_levels, 2ull * MD_DEPTH_COPIES);
}

static inline md_atomic_u64 *
md_book_words_at(md_book_t *b, uint64_t off) {
  return (md_atomic_u64 *)(void *)((uint8_t *)b + off);
}

static inline const md_atomic_u64 *
md_book_words_at_const(const md_book_t *b, uint64_t off) {
  return (const md_atomic_u64 *)(const void *)((const uint8_t *)b + off);
}

/* md_book_open marks what version guards as changing and returns the odd version. A release: who
 * sees that a slot is rewritten also sees that newest went on meanwhile, and finds another slot. */
static inline uint64_t
md_book_open(md_atomic_u64 *version) {
  const uint64_t odd = md_load_relaxed(version) | 1; /* only the writer stores it */

  md_store_release(version, odd); /* R4: newest so far; pairs with A4 */
  return odd;
}

static inline void
md_book_close(md_atomic_u64 *version, uint64_t odd) {
  md_store_release(version, odd + 1); /* R2: all words are new; pairs with A2 */
}

static inline void
md_book_words_store(md_atomic_u64 *to, const void *from, uint32_t cnt) {
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 8
#endif
  for (uint32_t i = 0; i < cnt; i++) {
    uint64_t word;
    memcpy(&word, (const uint8_t *)from + (size_t)i * MD_BOOK_WORD_BYTES, sizeof word);
    md_store_release(&to[i], word); /* R1: after the odd mark; pairs with A1 */
  }
}

static inline void
md_book_words_load(const md_atomic_u64 *from, void *to, uint32_t cnt) {
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 16
#endif
  for (uint32_t i = 0; i < cnt; i++) {
    const uint64_t word = md_load_acquire(&from[i]); /* A1: before the version; pairs with R1 */
    memcpy((uint8_t *)to + (size_t)i * MD_BOOK_WORD_BYTES, &word, sizeof word);
  }
}

/* Words two at a time, for the tiers that are copied whole. A processor with AVX reads 16 aligned
 * bytes at once (Intel SDM volume 3A, "Guaranteed Atomic Operations"; AMD64 APM volume 2, "Access
 * Atomicity"), so neither word is torn; loads are not seen out of order on x86-64, vectors included
 * (SDM 3A "Memory Ordering"), so it is two acquire loads. The instruction is written out and may
 * not be moved: nothing is left to what a compiler makes of a vector type. Unlike a 16-byte atomic
 * of C it does not write. What cannot see through it, TSan and the models, gets words. */
#if defined(__SANITIZE_THREAD__)
#define MD_BOOK_PAIRS 0
#elif defined(__has_feature)
#define MD_BOOK_PAIRS (!__has_feature(thread_sanitizer))
#else
#define MD_BOOK_PAIRS 1
#endif
#if defined(__x86_64__) && !defined(MD_ATOMICS_MODEL) && MD_BOOK_PAIRS
typedef long long md_book_pair_t __attribute__((vector_size(16), may_alias));

static inline bool
md_book_has_pairs(void) {
  return __builtin_cpu_supports("avx") != 0;
}

static inline void
md_book_pair_load(const md_atomic_u64 *from, void *to) {
  md_book_pair_t pair;

  /* A1: both words, before the version; pairs with R1. The clobber stands for all that it reads. */
  __asm__ volatile("movdqa %1, %0"
                   : "=x"(pair)
                   : "m"(*(const md_book_pair_t *)(uintptr_t)from)
                   : "memory");
  memcpy(to, &pair, sizeof pair);
}
#else
static inline bool
md_book_has_pairs(void) {
  return false;
}

static inline void
md_book_pair_load(const md_atomic_u64 *from, void *to) {
  md_book_words_load(from, to, 2);
}
#endif

/* md_book_words_load_whole is md_book_words_load by pairs. lead: words in front of the first that
 * stands at a multiple of 16 bytes, 0 or 1. */
static inline __attribute__((always_inline)) void
md_book_words_load_whole(const md_atomic_u64 *from, void *to, uint32_t cnt, uint32_t lead) {
  uint32_t i = lead;

  if (MD_UNLIKELY(!md_book_has_pairs())) {
    md_book_words_load(from, to, cnt);
    return;
  }
  md_book_words_load(from, to, lead);
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 8
#endif
  for (; i + 1 < cnt; i += 2)
    md_book_pair_load(&from[i], (uint8_t *)to + (size_t)i * MD_BOOK_WORD_BYTES);
  if (i < cnt) md_book_words_load(&from[i], (uint8_t *)to + (size_t)i * MD_BOOK_WORD_BYTES, 1);
}

/* md_book_words_own reads words back on the writing thread. */
static inline void
md_book_words_own(const md_atomic_u64 *from, void *to, uint32_t cnt) {
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 8
#endif
  for (uint32_t i = 0; i < cnt; i++) {
    const uint64_t word = md_load_relaxed(&from[i]); /* only this thread stores it */
    memcpy((uint8_t *)to + (size_t)i * MD_BOOK_WORD_BYTES, &word, sizeof word);
  }
}

/* md_book_ask asks for the cache lines of a range. */
static inline void
md_book_ask(const void *from, size_t bytes) {
  const uint8_t *p = from;

  for (size_t off = 0; off < bytes; off += MD_CACHE_LINE_BYTES)
    md_prefetch(p + off);
}

/* md_book_claim asks for lines that will be written, so that none of them waits for its turn while
 * a reader has it: only prefetchw takes a line from others, and compilers write a plain prefetch
 * for processors in general. Where it is unknown it does nothing. */
static inline __attribute__((always_inline)) void
md_book_claim(const void *from, size_t bytes) {
  const uint8_t *p = from;

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 16
#endif
  for (size_t off = 0; off < bytes; off += MD_CACHE_LINE_BYTES) {
#if defined(__x86_64__) && !defined(MD_ATOMICS_MODEL)
    __asm__ volatile("prefetchw %0" : : "m"(p[off]));
#else
    md_prefetch(p + off);
#endif
  }
}

/* md_book_key turns a price into a number that grows from worst to best on either side. */
static inline int64_t
md_book_key(md_side_t side, int64_t px) {
  return side == MD_SIDE_BUY ? px : ~px;
}

/* md_book_head_sane says whether these can be state, reason and exponents at all, and
 * md_book_meta_sane whether what a reader copied can be a meta. */
static inline bool
md_book_head_sane(uint8_t state, uint8_t reason, int8_t px_exp, int8_t qty_exp) {
  const uint8_t px = (uint8_t)(px_exp - MD_EXP_MIN), qty = (uint8_t)(qty_exp - MD_EXP_MIN);

  return state <= MD_BOOK_STALE && reason < MD_REASON_CNT && px <= MD_EXP_MAX - MD_EXP_MIN &&
         qty <= MD_EXP_MAX - MD_EXP_MIN;
}

static inline bool
md_book_meta_sane(const md_book_meta_t *m) {
  return md_book_head_sane(m->state, m->reason, m->px_exp, m->qty_exp);
}

/* What one message changed on one side, and the engine's best levels behind it: read once, written
 * to top and ladder (writer only). */
typedef struct md_book_best {
  md_side_t  side;
  uint32_t   cnt;
  int64_t    highest; /* key of the best change, INT64_MIN when there is none */
  md_level_t levels[MD_LADDER_LEVELS];
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

/* book_bbo.c: px_qty is bid and ask with quantities, as they stand in bbo and top. Nothing is
 * written when only seq and times of meta changed. */
void md_book_bbo_write(md_book_t *b, const md_book_meta_t *meta, const int64_t px_qty[4]);

/* book_ladder.c: each fills the next slot, or finds that nothing concerns the ladder;
 * md_book_ladder_show makes the filled one the newest. */
void md_book_ladder_all(md_book_t *b, const md_book_message_t *m);
bool md_book_ladder_apply(md_book_t *b, const md_book_message_t *m);
void md_book_ladder_meta(md_book_t *b, const md_book_meta_t *meta);
void md_book_ladder_show(md_book_t *b);

/* book_depth.c; nothing to do when the book has no depth. */
void md_book_depth_all(md_book_t *b, const md_book_message_t *m);
void md_book_depth_apply(md_book_t *b, const md_book_message_t *m);
void md_book_depth_meta(md_book_t *b, const md_book_meta_t *meta);

/* md_book_depth_places adds what depth knows; md_book_depth_prefetch asks for what is no level. */
void md_book_depth_places(md_book_t *b, md_book_places_t *p);
void md_book_depth_prefetch(const md_book_t *b, const md_book_places_t *p);

#endif
