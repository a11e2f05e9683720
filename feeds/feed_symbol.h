/* feed_symbol.h - every symbol that a feed has heard of: by name, with what the venue said of it.
 *
 * A symbol is here because the journal knows its id, because the venue's list named it, or because
 * a message used it. Most are never used and have no instrument. Filled and read by the feed's
 * thread only; nothing is removed; memory is reserved at the start and touched on use. Within
 * feeds/ only. */
#ifndef FEEDS_FEED_SYMBOL_H
#define FEEDS_FEED_SYMBOL_H

#include "feeds/feed.h"

typedef struct md_feed_symbol {
  char             symbol[MD_SYMBOL_BYTES];
  md_definition_t  definition; /* the venue's, when has_definition */
  uint32_t         instrument; /* index in the feed, UINT32_MAX: not in use */
  uint32_t         id;         /* the journal's id, 0: none yet */
  int8_t           px_exp, qty_exp;
  bool             has_definition;
  bool             has_resume;
  uint8_t          len;
  uint8_t          pad[3];
  md_feed_resume_t resume; /* when has_resume */
} md_feed_symbol_t;

typedef struct md_feed_symbols md_feed_symbols_t;

/* md_feed_symbols_new makes an empty table for capacity symbols; NULL without memory. */
md_feed_symbols_t *md_feed_symbols_new(uint32_t capacity);
void               md_feed_symbols_delete(md_feed_symbols_t *t);

/* md_feed_symbols_bytes: what its rows take. */
uint64_t md_feed_symbols_bytes(const md_feed_symbols_t *t);

/* md_feed_symbols_find returns the row of a symbol, NULL if it was never heard of. */
md_feed_symbol_t *md_feed_symbols_find(md_feed_symbols_t *t, const char *symbol, uint32_t len);

/* md_feed_symbols_add finds or makes a row; NULL when the table is full or len is not in
 * [1, MD_SYMBOL_BYTES - 1]. Rows never move. */
md_feed_symbol_t *md_feed_symbols_add(md_feed_symbols_t *t, const char *symbol, uint32_t len);

#endif
