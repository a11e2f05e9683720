/* sim_book.h - one symbol's book as the simulated exchange has it, with the id of its last change.
 *
 * Made from a recorded snapshot and the diffs that follow, or changed level by level by the
 * synthetic market. It answers REST and is the truth that clients are compared with. One thread, no
 * sockets. */
#ifndef FEEDS_SIM_SIM_BOOK_H
#define FEEDS_SIM_SIM_BOOK_H

#include "feeds/orderbook.h"
#include "feeds/sim/sim_text.h"

#define MD_SIM_LEVELS_MAX 16384u /* of one side of one message */

typedef struct md_sim_book {
  md_orderbook_t book;
  uint64_t       id;    /* lastUpdateId */
  bool           valid; /* a snapshot was loaded and no event is missing since */
  bool           fresh; /* and nothing was applied to it yet */
} md_sim_book_t;

/* A book event or a whole book, its levels in md_sim_scratch until the next one is read. */
typedef struct md_sim_depth {
  uint64_t          first, last; /* U, u; the same where an event has one id. last is not 0 */
  uint64_t          prev;        /* the id that it follows, where the venue says so */
  bool              has_prev;
  bool              is_snapshot; /* of a stream: it replaces the book */
  const md_level_t *bids, *asks;
  uint32_t          bid_cnt, ask_cnt;
} md_sim_depth_t;

void md_sim_book_init(md_sim_book_t *b, md_level_pool_t *pool);
void md_sim_book_free(md_sim_book_t *b);

/* md_sim_scratch: room for MD_SIM_LEVELS_MAX levels of a side, one for the whole process. */
md_level_t *md_sim_scratch(md_side_t side);

/* md_sim_book_load makes the book a snapshot. */
MD_MUST_USE md_err_t md_sim_book_load(md_sim_book_t *b, const md_sim_depth_t *snapshot);

/* md_sim_book_apply sets the levels of an event that continues the book, and its id. */
MD_MUST_USE md_err_t md_sim_book_apply(md_sim_book_t *b, const md_sim_depth_t *event);

#endif
