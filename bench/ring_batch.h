/* ring_batch.h - the part of `bench ring` that is drawn and not judged: our ring between two pinned
 * threads, published every 1, 2, 4 .. 64 records, in rounds of its own. */
#ifndef BENCH_RING_BATCH_H
#define BENCH_RING_BATCH_H

#include "bench/bench.h"

/* md_bench_ring_batches measures for about budget_ns and adds the rows ring.every_N. False: records
 * were lost or changed, or there is no memory. */
bool md_bench_ring_batches(md_bench_t *b, int64_t budget_ns);

#endif
