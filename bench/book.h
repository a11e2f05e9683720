/* book.h - the two halves of `bench book`: what reading costs, and what publishing costs. */
#ifndef BENCH_BOOK_H
#define BENCH_BOOK_H

#include "bench/bench.h"
#include "bench/books.h"

/* Each measures for about budget_ns and adds its rows; with x NULL it adds them as not measured,
 * because of why. False: a reader got what it must not, told on stderr. */
bool md_bench_book_reads(md_bench_t *b, md_bench_books_t *x, int64_t budget_ns, const char *why);
bool md_bench_book_publish(md_bench_t *b, md_bench_books_t *x, int64_t budget_ns, const char *why);

#endif
