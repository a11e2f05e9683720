/* calm.h - whether a turn was left alone: the time that its threads waited for a processor, and
 * real-time priority for the turns that two processors are needed for.
 *
 * A thread that loses its processor for microseconds has lost nothing that a median shows; how
 * often that may happen depends on how long the turn is. So what is judged is the part of the turn
 * that was lost. Where the system does not tell it, each involuntary switch counts for a fixed
 * time.
 *
 * Priority is asked for by measuring threads only and for one turn: never for children, never where
 * somebody else has to go on upon the same processor. Between two turns there is a pause without
 * it, and a thread that keeps it for two seconds without a pause loses it (RLIMIT_RTTIME), so that
 * a machine whose processors are all measured stays usable. */
#ifndef BENCH_CALM_H
#define BENCH_CALM_H

#include "shm/base.h"

#define MD_BENCH_LOST_MAX_PPM 10000u /* of a turn whose medians or means count */

typedef struct md_bench_calm {
  int64_t begin_ns, waited_ns;
} md_bench_calm_t;

/* md_bench_calm_begin and _lost_ppm are called by the same thread: parts of a million of the time
 * between, in which it could have run and did not. A few microseconds each. */
void     md_bench_calm_begin(md_bench_calm_t *c);
uint64_t md_bench_calm_lost_ppm(const md_bench_calm_t *c);

/* md_bench_waited_ns is how long the calling thread waited for a processor since it began. */
int64_t md_bench_waited_ns(void);

/* md_bench_calm_judge says whether so much may be lost; if not it is the excuse. */
bool md_bench_calm_judge(uint64_t lost_ppm, uint64_t max_ppm);

/* md_bench_calm_switched says whether a thread lost its processor too often. */
bool md_bench_calm_switched(int64_t cnt, int64_t max);

/* Where threads of the system do a part of the work (a disk's), waiting for them is no disturbance:
 * md_bench_others_begin and _end go around a turn. False, and the excuse: others than this process
 * and the system's threads that it needs had the machine for too long. Not for short turns: the
 * system counts in steps of 10 ms. */
void md_bench_others_begin(md_bench_calm_t *c);
bool md_bench_others_end(const md_bench_calm_t *c);

/* md_bench_excuse names why a turn has no value; md_bench_excuse_take returns the last one and
 * forgets it, NULL when there is none. Measuring thread only; the text is a literal or lives as
 * long as the report. */
void        md_bench_excuse(const char *why);
const char *md_bench_excuse_take(void);

/* md_bench_rt_begin, once at the start: gives up what priority the command was started with, and
 * finds out whether it may ask for it. md_bench_rt_has says so. */
void md_bench_rt_begin(void);
bool md_bench_rt_has(void);

/* md_bench_rt_as_started gives the calling thread, and the threads that it makes, what priority the
 * command was started with, or takes it away again: for `bench ring`, whose two threads never pause
 * and therefore ask for none themselves. */
void md_bench_rt_as_started(bool is_wanted);

/* md_bench_rt_take gives the calling thread real-time priority, the lowest there is, children and
 * threads that it makes not; md_bench_rt_give takes it back. Nothing happens where it may not. One
 * thread for each processor: 0 the measuring one, 1 the one beside it. */
void md_bench_rt_take(unsigned which);
void md_bench_rt_give(unsigned which);

#endif
