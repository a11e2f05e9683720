/* feed_symbol.h - every symbol that a feed has heard of: by name, with what the venue said of it.
 *
 * A symbol is here because the journal knows its id, because the venue's list named it, or because
 * a message used it. Most are never used and have no instrument. Filled and read by the feed's
 * thread only; nothing is removed; memory is reserved at the start and touched on use. Within
 * feeds/ only. */
#ifndef FEEDS_FEED_SYMBOL_H
#define FEEDS_FEED_SYMBOL_H

#include "feeds/feed.h"

#include <string.h>

/* What a message is found by stands in one cache line. */
typedef struct md_feed_symbol {
  _Alignas(64) char symbol[MD_SYMBOL_BYTES];
  uint32_t         instrument; /* index in the feed, UINT32_MAX: not in use */
  uint32_t         id;         /* the journal's id, 0: none yet */
  int8_t           px_exp, qty_exp;
  bool             has_definition;
  bool             has_resume;
  uint8_t          len;
  uint8_t          pad[3];
  md_definition_t  definition; /* the venue's, when has_definition; of one in use: its own */
  md_feed_resume_t resume;     /* when has_resume */
} md_feed_symbol_t;

_Static_assert(offsetof(md_feed_symbol_t, definition) <= 64, "a line tells of the rest");

typedef struct md_feed_symbols md_feed_symbols_t;

/* md_feed_symbols_new makes an empty table for capacity symbols; NULL without memory. */
md_feed_symbols_t *md_feed_symbols_new(uint32_t capacity);
void               md_feed_symbols_delete(md_feed_symbols_t *t);

/* md_feed_symbols_bytes: what its rows take. */
uint64_t md_feed_symbols_bytes(const md_feed_symbols_t *t);

/* md_feed_symbol_hash makes a number of all bytes of a symbol. */
static inline uint64_t
md_feed_symbol_hash(const char *symbol, uint32_t len) {
  const uint64_t mix = 0x9e3779b97f4a7c15u;
  uint64_t       h = len * mix, word = 0;
  uint32_t       at = 0, half[2] = {0};
  for (; at + 8 < len; at += 8) {
    memcpy(&word, symbol + at, 8);
    h = (h ^ word) * mix;
    h ^= h >> 32;
  }
  /* The last bytes: eight that may overlap those before, or what there is of a short symbol. */
  if (len >= 8) {
    memcpy(&word, symbol + len - 8, 8);
  } else if (len >= 4) {
    memcpy(&half[0], symbol, 4);
    memcpy(&half[1], symbol + len - 4, 4);
    word = half[0] | (uint64_t)half[1] << 32;
  } else if (len > 0) {
    word = (uint8_t)symbol[0] | (uint64_t)(uint8_t)symbol[len / 2] << 8 |
           (uint64_t)(uint8_t)symbol[len - 1] << 16;
  }
  h = (h ^ word) * mix;
  h ^= h >> 29;
  return h * mix;
}

/* md_feed_symbols_prefetch asks for the place in the table that a hash names. */
void md_feed_symbols_prefetch(const md_feed_symbols_t *t, uint64_t hash);

/* md_feed_symbols_use says which instrument a symbol is. md_feed_symbols_guess gives the instrument
 * that the symbol with this hash would be, UINT32_MAX for none: what it is called must be compared,
 * and where it is another one, only md_feed_symbols_find knows. */
void     md_feed_symbols_use(md_feed_symbols_t *t, md_feed_symbol_t *row, uint32_t instrument);
uint32_t md_feed_symbols_guess(const md_feed_symbols_t *t, uint64_t hash);

/* md_feed_symbols_find returns the row of a symbol with its hash, NULL if it was never heard of. */
md_feed_symbol_t *md_feed_symbols_find(const md_feed_symbols_t *t, uint64_t hash,
                                       const char *symbol, uint32_t len);

/* md_feed_symbols_add finds or makes a row; NULL when the table is full or len is not in
 * [1, MD_SYMBOL_BYTES - 1]. Rows never move. */
md_feed_symbol_t *md_feed_symbols_add(md_feed_symbols_t *t, const char *symbol, uint32_t len);

#endif
