/* stopped.h - reader processes that attach with the library, enter the registry, read once and then
 * stand stopped. They end with this process. */
#ifndef BENCH_STOPPED_H
#define BENCH_STOPPED_H

#include "bench/world.h"

#define MD_BENCH_STOPPED_CNT 100u

/* md_bench_stopped_start starts them and waits until all stand; false: one could not attach.
 * md_bench_stopped_end ends them. Not while a crowd runs. */
bool md_bench_stopped_start(const md_bench_world_t *w);
void md_bench_stopped_end(void);

#endif
