/* source.h - depth updates of 1.4 KB for any number of instruments, and the feed that they go
 * through: what `bench tick` measures with.
 *
 * The feed is the product's, with its clock, its counters, its tape and its live books in a private
 * segment, or without all that. It has no sink, so no ring is written. Each update is the next one
 * of its instrument, as the exchange would number it. */
#ifndef BENCH_SOURCE_H
#define BENCH_SOURCE_H

#include "bench/message.h"
#include "bench/world.h"
#include "feeds/feed.h"

#define MD_BENCH_BATCH_CNT 64u

/* Messages that are ready to be handled, one behind the other. Made before anything is timed. */
typedef struct md_bench_batch {
  md_input_t input[MD_BENCH_BATCH_CNT];
  uint8_t   *bytes;
} md_bench_batch_t;

typedef struct md_bench_source {
  md_bench_world_t  world; /* empty in a source without shared memory */
  md_feed_t        *feed;
  md_bench_corpus_t corpus;
  uint64_t         *last_id; /* of each instrument */
  uint32_t          cnt, next;
  uint64_t          random;
  md_bench_batch_t  batch;
} md_bench_source_t;

/* md_bench_source_new makes a feed of cnt VALID books with 1,024 levels a side; false:
 * s->world.why says why not. */
bool md_bench_source_new(md_bench_source_t *s, uint32_t cnt, bool has_segment);
/* md_bench_source_thin makes one without depth, of books with 40 levels a side at most. */
bool md_bench_source_thin(md_bench_source_t *s, uint32_t cnt);
void md_bench_source_delete(md_bench_source_t *s);

/* md_bench_source_recorded is the same with a journal's ring (of stream 1, RAW 2): everything that
 * the feed gets and makes is in it. */
bool md_bench_source_recorded(md_bench_source_t *s, uint32_t cnt, bool has_segment,
                              md_ring_t *journal);

/* md_bench_source_fill makes the next batch, for instruments below cnt chosen at random. */
void md_bench_source_fill(md_bench_source_t *s, uint32_t cnt);

/* md_bench_source_handle gives the feed one message of the batch and publishes, as a thread does
 * whose input is idle behind it. */
static inline void
md_bench_source_handle(md_bench_source_t *s, uint32_t i) {
  md_feed_input(s->feed, &s->batch.input[i]);
  md_feed_publish(s->feed);
}

/* md_bench_source_next gives the feed the i-th message of a batch whose others were received with
 * it, as a thread does with what one look at its sockets gave: those behind are shown to the feed,
 * which publishes behind the last one (a book's update is visible at once all the same). */
void md_bench_source_next(md_bench_source_t *s, uint32_t i);

/* md_bench_source_rewind makes all books what they were when the source was made, as if their
 * connection had been lost. False: no memory. */
bool md_bench_source_rewind(md_bench_source_t *s);

/* md_bench_source_check says whether all books are VALID, and in shared memory what they are in the
 * engine. */
bool md_bench_source_check(const md_bench_source_t *s);

#endif
