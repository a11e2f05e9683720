/* sim_book.h - one symbol's book as the simulated exchange has it, with the id of its last change.
 *
 * Made from a recorded snapshot and the diffs that follow, or changed level by level by the
 * synthetic market. It answers REST and is the truth that clients are compared with. One thread, no
 * sockets. */
#ifndef FEEDS_SIM_SIM_BOOK_H
#define FEEDS_SIM_SIM_BOOK_H

#include "feeds/orderbook.h"
#include "feeds/sim/sim_text.h"

#define MD_SIM_LEVELS_MAX  16384u /* of one side of one message */
#define MD_SIM_REST_LEVELS 5000u  /* of one side of an answer */

typedef struct md_sim_book {
  md_orderbook_t book;
  uint64_t       id;    /* lastUpdateId */
  bool           valid; /* a snapshot was loaded and no diff is missing since */
} md_sim_book_t;

/* A depthUpdate, its levels in the scratch of md_sim_depth_parse until the next call. */
typedef struct md_sim_depth {
  uint64_t          first, last; /* U, u */
  const md_level_t *bids, *asks;
  uint32_t          bid_cnt, ask_cnt;
} md_sim_depth_t;

void md_sim_book_init(md_sim_book_t *b, md_level_pool_t *pool);
void md_sim_book_free(md_sim_book_t *b);

/* md_sim_depth_parse reads a depthUpdate or the body of a depth snapshot (first is 0 then);
 * MD_FRAME_PAD_BYTES are readable behind data. MD_ERR_SYNTAX and others: neither of them. */
MD_MUST_USE md_err_t md_sim_depth_parse(const char *data, size_t len, md_sim_depth_t *out);

/* md_sim_book_load makes the book a snapshot. */
MD_MUST_USE md_err_t md_sim_book_load(md_sim_book_t *b, const md_sim_depth_t *snapshot);

/* md_sim_book_apply: MD_OK applied or old; MD_ERR_RANGE a diff is missing before it: the book is
 * not valid any more. */
MD_MUST_USE md_err_t md_sim_book_apply(md_sim_book_t *b, const md_sim_depth_t *diff);

/* md_sim_book_body writes {"lastUpdateId":id,"bids":[...],"asks":[...]} with at most limit levels a
 * side. */
void md_sim_book_body(const md_sim_book_t *b, uint64_t id, uint32_t limit, md_sim_text_t *out);

#endif
