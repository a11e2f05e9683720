/* books.h - books of a world with their writer, for `bench book`.
 *
 * Each instrument has the engine's own book of MD_BENCH_DEPTH levels a side and its live book in
 * shared memory. An update changes the quantity of one of the best twenty levels of a side, so that
 * top, ladder and both copies of depth are written, as they are in an engine. */
#ifndef BENCH_BOOKS_H
#define BENCH_BOOKS_H

#include "bench/world.h"
#include "feeds/orderbook.h"

typedef struct md_bench_book {
  md_orderbook_t own;
  md_book_t     *shared;
} md_bench_book_t;

typedef struct md_bench_books {
  md_bench_world_t world;
  md_level_pool_t *pool;
  md_bench_book_t *book;
  uint32_t         cnt;
  uint64_t         seq, random; /* the writer's */
} md_bench_books_t;

/* md_bench_books_new makes cnt books; false: x->world.why says why not. */
bool md_bench_books_new(md_bench_books_t *x, uint32_t cnt);
void md_bench_books_delete(md_bench_books_t *x);

/* md_bench_books_write makes one update of one of the first cnt books, chosen at random. One
 * writing thread at a time. */
void md_bench_books_write(md_bench_books_t *x, uint32_t cnt);

/* md_bench_books_write_best changes the quantity of the best price of book i, of a side at random.
 */
void md_bench_books_write_best(md_bench_books_t *x, uint32_t i);

/* md_bench_books_check compares what readers get of instrument i with the engine's book. */
bool md_bench_books_check(const md_bench_books_t *x, uint32_t i);

#endif
