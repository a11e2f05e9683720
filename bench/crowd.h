/* crowd.h - threads on the second processor that work until they are told to stop, and the probe
 * that says how far that processor is from the first.
 *
 * The calling thread is pinned to the first processor that the command may use and measures there;
 * everything else runs on the second one. One crowd at a time. A crowd is started for each turn and
 * joined behind it, so nothing competes for the second processor between turns. A crowd of one has
 * real-time priority where it may (calm.h); several take turns, which needs the usual one. */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#include "bench/bench.h"
#include "shm/atomics.h"
#include "shm/hist.h"

#define MD_BENCH_CROWD_MAX  64u
#define MD_BENCH_SWITCH_MAX 0 /* involuntary switches in a turn that counts: turns are short */

/* What a thread does: work until *stop is not 0, which it looks at often. index is its number. */
typedef void (*md_bench_work_fn)(void *ctx, uint32_t index, const md_atomic_u64 *stop);

/* md_bench_pair_pin pins the calling thread to the first processor that it may use; false when
 * there is no second one. md_bench_pair_unpin lets it go where it could before. */
bool md_bench_pair_pin(void);
void md_bench_pair_unpin(void);

/* md_bench_crowd_start starts cnt threads of work(ctx, index) and returns when all are about to
 * work and one does; false: no such threads. Only after md_bench_pair_pin. */
bool md_bench_crowd_start(uint32_t cnt, md_bench_work_fn work, void *ctx);

/* md_bench_crowd_stop waits for their end and returns how often they were switched against their
 * will: with one thread a sign of disturbance, with several simply their turns. md_bench_crowd_lost
 * is the part of its time that the only thread of the last crowd was kept waiting, in millionths.
 */
int64_t  md_bench_crowd_stop(void);
uint64_t md_bench_crowd_lost(void);

/* md_bench_probe times round trips of one cache line between the two processors; false: a thread
 * was preempted. */
bool md_bench_probe(md_hist_t *out);

#endif
