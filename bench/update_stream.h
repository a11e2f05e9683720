/* update_stream.h - depth updates as WebSocket frames, each the next one of its book, made at the
 * cost of a copy: what the server of the measurements sends.
 *
 * Numbers are put into frames that were made before, without looking for their places. One thread.
 */
#ifndef BENCH_UPDATE_STREAM_H
#define BENCH_UPDATE_STREAM_H

#include "bench/source.h"

#define MD_BENCH_UPDATE_STEP 37u /* ids of one update */

typedef struct md_bench_update_stream md_bench_update_stream_t;

/* md_bench_update_stream_new makes the frames of a corpus of at most 256 updates; NULL without
 * memory. deflates: each is compressed as permessage-deflate has it, with the window kept. */
md_bench_update_stream_t *md_bench_update_stream_new(const md_bench_corpus_t *corpus,
                                                     uint32_t instrument_cnt, bool deflates);
void                      md_bench_update_stream_delete(md_bench_update_stream_t *s);

/* md_bench_update_stream_begin goes on behind what the books in shared memory have, and begins the
 * compression anew. */
void md_bench_update_stream_begin(md_bench_update_stream_t *s, const md_bench_source_t *source);

/* md_bench_update_stream_next gives the next frame, valid until the next call, and its instrument.
 */
const uint8_t *md_bench_update_stream_next(md_bench_update_stream_t *s, uint32_t *bytes);

/* md_bench_update_stream_last returns the id that an instrument's book has behind its newest frame.
 */
uint64_t md_bench_update_stream_last(const md_bench_update_stream_t *s, uint32_t instrument);

#endif
