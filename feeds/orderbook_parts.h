/* orderbook_parts.h - the inside of one side of an order book, shared by the orderbook*.c files and
 * by nobody else.
 *
 * A key is a price that grows towards the best on both sides, so that one code serves both. The
 * best MD_WINDOW_TICKS keys or so lie in a window: a quantity for each key, a bit for each that has
 * a level, and a bit for each word of those. Keys worse than the window, and all of a side that has
 * no window, stand in a sorted array, best last. The window is a circle: it moves by words of 64
 * keys, and only the levels at its worse end go from the one to the other. */
#ifndef FEEDS_ORDERBOOK_PARTS_H
#define FEEDS_ORDERBOOK_PARTS_H

#include "feeds/orderbook.h"

#define MD_WINDOW_WORDS (MD_WINDOW_TICKS / 64u)

_Static_assert(MD_WINDOW_WORDS == 64, "one word says which words have a level");

/* The price of a bid is its key, the complement of an ask's is (a minus could overflow). */
static inline int64_t
md_side_flip(md_side_t side) {
  return side == MD_SIDE_BUY ? 0 : -1;
}

/* How far a key lies above the window's low end; MD_WINDOW_TICKS or more: outside, either way. */
static inline uint64_t
md_window_off(const md_book_side_t *s, int64_t key) {
  return (uint64_t)key - (uint64_t)s->low;
}

/* The word of bits where the window begins. */
static inline uint32_t
md_window_turn(const md_book_side_t *s) {
  return (uint32_t)((uint64_t)s->low >> 6) % MD_WINDOW_WORDS;
}

/* s->words with the window's lowest word first. */
static inline uint64_t
md_window_words(const md_book_side_t *s) {
  const uint32_t turn = md_window_turn(s);
  return s->words >> turn | s->words << (-turn & 63);
}

static inline uint32_t
md_top_bit(uint64_t word) {
  return 63u - (uint32_t)__builtin_clzll(word);
}

/* A better key has a lower bit in its word of bits: bits & (bits - 1) goes on to the next one. */
static inline uint64_t
md_window_bit(int64_t key) {
  return UINT64_C(1) << (~(uint64_t)key & 63);
}

/* How far above the begin of its word the best key of a word of bits lies. */
static inline uint32_t
md_window_best(uint64_t bits) {
  return 63u - (uint32_t)__builtin_ctzll(bits);
}

/* md_side_best gives the best key of a side that has levels. */
static inline int64_t
md_side_best(const md_book_side_t *s, int64_t flip) {
  if (MD_UNLIKELY(s->words == 0)) return s->far[s->far_cnt - 1].px ^ flip;
  const uint32_t word = md_top_bit(md_window_words(s));
  const uint64_t bits = s->bits[(word + md_window_turn(s)) % MD_WINDOW_WORDS];
  return s->low + (int64_t)(64 * word + md_window_best(bits));
}

/* ---- orderbook.c ---- */

void *md_level_pool_take(md_level_pool_t *pool, uint64_t bytes);
void  md_level_pool_give(md_level_pool_t *pool, void *run, uint64_t bytes);

/* md_level_pool_has_spare: less than half of the pool is in use. The rest is for levels that have
 * no other place: windows take none of it. */
bool md_level_pool_has_spare(const md_level_pool_t *pool);

/* md_side_reserve makes room for cnt levels in the sorted array; those there are stay. */
MD_MUST_USE md_err_t md_side_reserve(md_level_pool_t *pool, md_book_side_t *s, uint32_t cnt);

/* md_side_worse_cnt counts the levels of the sorted array that are worse than key. */
uint32_t md_side_worse_cnt(const md_book_side_t *s, int64_t flip, int64_t key);

/* ---- orderbook_window.c ---- */

/* md_window_try gives a side without a window one, if enough of its levels would lie in it and
 * there is memory. */
void md_window_try(md_level_pool_t *pool, md_book_side_t *s, int64_t flip);

/* md_window_raise moves the window up so that key lies in it. MD_ERR_FULL: nothing was changed. */
MD_MUST_USE md_err_t md_window_raise(md_level_pool_t *pool, md_book_side_t *s, int64_t flip,
                                     int64_t key);

/* md_window_lower moves the window down when the best level came near its low end. */
void md_window_lower(md_book_side_t *s, int64_t flip);

/* md_window_drop puts all levels into the sorted array and gives the window back. */
MD_MUST_USE md_err_t md_window_drop(md_level_pool_t *pool, md_book_side_t *s, int64_t flip);

/* md_window_free gives the window back with what is in it. */
void md_window_free(md_level_pool_t *pool, md_book_side_t *s);

#endif
