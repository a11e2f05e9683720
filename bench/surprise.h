/* surprise.h - depth updates as they never come, and jansson as their reader. */
#ifndef BENCH_SURPRISE_H
#define BENCH_SURPRISE_H

#include "bench/message.h"

/* md_bench_corpus_surprising makes the same messages with keys in another order, spaces and a
 * member that nobody knows; or, is_broken, with a byte near the end that no JSON has there. */
bool md_bench_corpus_surprising(md_bench_corpus_t *c, const md_bench_corpus_t *from,
                                bool is_broken);

/* md_bench_jansson_depth builds jansson's tree, takes every field of a depth update out of it as an
 * exact integer, and frees it; false: the message is refused. The symbol is left out. */
bool md_bench_jansson_depth(const uint8_t *text, size_t len, md_bench_message_t *out);

#endif
