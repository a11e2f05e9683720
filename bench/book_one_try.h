/* book_one_try.h - the readers of shm/book*.c that give up after one try instead of many.
 *
 * The same sources, compiled once more with another bound, so that the tries of a read can be
 * counted without a counter in the product. MD_ERR_BUSY: that try failed. */
#ifndef BENCH_BOOK_ONE_TRY_H
#define BENCH_BOOK_ONE_TRY_H

#include "shm/book.h"

MD_MUST_USE md_err_t md_bench_try_bbo(const md_book_t *b, md_book_bbo_t *out);
MD_MUST_USE md_err_t md_bench_try_top(const md_book_t *b, md_book_top_t *out);
MD_MUST_USE md_err_t md_bench_try_ladder(const md_book_t *b, md_book_ladder_t *out);
MD_MUST_USE md_err_t md_bench_try_depth(const md_book_t *b, uint32_t max, md_book_meta_t *meta,
                                        md_level_t *bids, uint32_t *bid_cnt, md_level_t *asks,
                                        uint32_t *ask_cnt);

#endif
