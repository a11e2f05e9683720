/* orderbook.h - the engine's own order book of one instrument: every level of both sides.
 *
 * Private to its feed thread (or to an offline replay). Levels come from a pool that is reserved at
 * start, so nothing is allocated while messages flow. Prices and quantities are mantissas; the
 * exponents live with the instrument. Never in shared memory: shm/book.h is what readers see. */
#ifndef FEEDS_ORDERBOOK_H
#define FEEDS_ORDERBOOK_H

#include "shm/book.h"

/* Memory for the levels of all books of one feed: a reserved range, handed out in power-of-two runs
 * and taken back into free lists. */
typedef struct md_level_pool md_level_pool_t;

/* md_level_pool_new reserves bytes of address space (touched on use); NULL when refused. */
md_level_pool_t *md_level_pool_new(uint64_t bytes);
void             md_level_pool_delete(md_level_pool_t *pool);

/* md_level_pool_touched: bytes of it that hold memory of the system; md_level_pool_trim gives them
 * back when no book has a level. */
uint64_t md_level_pool_touched(const md_level_pool_t *pool);
void     md_level_pool_trim(md_level_pool_t *pool);

/* One side: sorted by price with the best level LAST, because changes cluster near the best. */
typedef struct md_book_side {
  md_level_t *levels;
  uint32_t    cnt, cap;
} md_book_side_t;

typedef struct md_orderbook {
  md_level_pool_t *pool;
  md_book_side_t   bids, asks; /* bids ascending, asks descending: the best is last in both */
} md_orderbook_t;

void md_orderbook_init(md_orderbook_t *b, md_level_pool_t *pool);
void md_orderbook_clear(md_orderbook_t *b); /* no levels; gives the memory back */

/* md_orderbook_set makes the quantity of a price; 0 deletes. *was_absent tells a delete of a level
 * that is not there. MD_ERR_FULL: no room for a new level (pool, or MD_BOOK_LEVELS_MAX). */
MD_MUST_USE md_err_t md_orderbook_set(md_orderbook_t *b, md_side_t side, int64_t px, int64_t qty,
                                      bool *was_absent);

/* md_orderbook_load replaces one side with levels in any order (a snapshot); quantities 0 are left
 * out, a repeated price keeps the last. MD_ERR_FULL: the side is then empty. */
MD_MUST_USE md_err_t md_orderbook_load(md_orderbook_t *b, md_side_t side, const md_level_t *levels,
                                       uint32_t cnt);

/* md_orderbook_rescale changes the exponents of every level: MD_ERR_OVERFLOW leaves it as it was.
 */
MD_MUST_USE md_err_t md_orderbook_rescale(md_orderbook_t *b, int px_from, int px_to, int qty_from,
                                          int qty_to);

/* md_orderbook_at gives the n-th best level of a side, false when there is none (an
 * md_level_at_fn). */
bool md_orderbook_at(const void *book, md_side_t side, uint32_t n, md_level_t *out);

/* md_orderbook_crossed: both sides have levels and best bid >= best ask. */
bool md_orderbook_crossed(const md_orderbook_t *b);

/* md_orderbook_digest writes the SHA-256 (64 lower-case hex digits and NUL) over the lines
 * "B <price> <qty>\n" of the best `max` bids, high to low, then "A <price> <qty>\n" of the best
 * `max` asks, low to high; max 0: all. Decimals as md_decimal_format writes them. Cold path. */
void md_orderbook_digest(const md_orderbook_t *b, int px_exp, int qty_exp, uint32_t max,
                         char out[65]);

#endif
