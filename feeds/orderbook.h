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

/* Ticks of a side around the best level that are found by place instead of by search. */
#define MD_WINDOW_TICKS 4096u

/* One side: the levels near the best in a window of ticks, the others sorted, the best LAST; a side
 * with few levels has no window. Private to orderbook*.c but for cnt. */
typedef struct md_book_side {
  uint32_t    cnt; /* all levels */
  uint32_t    far_cnt, far_cap;
  uint32_t    pad;
  int64_t     low;   /* the window's lowest key (orderbook_parts.h), a multiple of 64 */
  uint64_t    words; /* bit w: bits[w] is not 0 */
  uint64_t   *bits;  /* bit k: the key with k % MD_WINDOW_TICKS has a level */
  int64_t    *qty;   /* of each key; NULL: no window */
  md_level_t *far;
} md_book_side_t;

typedef struct md_orderbook {
  md_level_pool_t *pool;
  md_book_side_t   bids, asks;
} md_orderbook_t;

void md_orderbook_init(md_orderbook_t *b, md_level_pool_t *pool);
void md_orderbook_clear(md_orderbook_t *b); /* no levels; gives the memory back */

/* md_orderbook_set makes the quantity of a price; 0 deletes. *was_absent tells a delete of a level
 * that is not there. MD_ERR_FULL: no room for a new level (pool, or MD_BOOK_LEVELS_MAX). */
MD_MUST_USE md_err_t md_orderbook_set(md_orderbook_t *b, md_side_t side, int64_t px, int64_t qty,
                                      bool *was_absent);

/* What md_orderbook_apply did: the changes that were any, and the deletes of levels not there. */
typedef struct md_book_applied {
  md_book_change_t *changes; /* room for one for each level applied */
  uint32_t          change_cnt, absent_cnt;
} md_book_applied_t;

/* md_orderbook_apply sets cnt levels one behind the other, as md_orderbook_set does, and adds to
 * *did. On an error what was set before stays set. */
MD_MUST_USE md_err_t md_orderbook_apply(md_orderbook_t *b, md_side_t side, const md_level_t *levels,
                                        uint32_t cnt, md_book_applied_t *did);

/* md_orderbook_prefetch asks for the parts of the windows near the best levels: near px, bid and
 * ask, unless it is NULL. It does not wait for more than the book itself. */
void md_orderbook_prefetch(const md_orderbook_t *b, const int64_t px[2]);

/* md_orderbook_load replaces one side with levels in any order (a snapshot); quantities 0 are left
 * out, a repeated price keeps the last. MD_ERR_FULL: the side is then empty. */
MD_MUST_USE md_err_t md_orderbook_load(md_orderbook_t *b, md_side_t side, const md_level_t *levels,
                                       uint32_t cnt);

/* md_orderbook_rescale changes the exponents of every level: MD_ERR_OVERFLOW leaves it as it was.
 */
MD_MUST_USE md_err_t md_orderbook_rescale(md_orderbook_t *b, int px_from, int px_to, int qty_from,
                                          int qty_to);

/* md_orderbook_at gives the n-th best level of a side, false when there is none. */
bool md_orderbook_at(const md_orderbook_t *b, md_side_t side, uint32_t n, md_level_t *out);

/* md_orderbook_read copies levels of a side, best first, from the first-th best on, as an
 * md_levels_fn does. */
uint32_t md_orderbook_read(const void *book, md_side_t side, const md_levels_want_t *want,
                           md_level_t *out);

/* md_orderbook_copy makes `to`, which is empty, hold what `from` does. MD_ERR_FULL: it is empty. */
MD_MUST_USE md_err_t md_orderbook_copy(md_orderbook_t *to, const md_orderbook_t *from);

/* md_orderbook_crossed: both sides have levels and best bid >= best ask. */
bool md_orderbook_crossed(const md_orderbook_t *b);

/* md_orderbook_digest writes the SHA-256 (64 lower-case hex digits and NUL) over the lines
 * "B <price> <qty>\n" of the best `max` bids, high to low, then "A <price> <qty>\n" of the best
 * `max` asks, low to high; max 0: all. Decimals as md_decimal_format writes them. Cold path. */
void md_orderbook_digest(const md_orderbook_t *b, int px_exp, int qty_exp, uint32_t max,
                         char out[65]);

#endif
