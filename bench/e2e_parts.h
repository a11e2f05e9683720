/* e2e_parts.h - the parts of `bench e2e` that need processes of their own: two feeds on two
 * processors, and an engine that is started.
 *
 * A turn of each is a cell's (rounds.h). Between begin and end the processes and files are there;
 * begin says why not. */
#ifndef BENCH_E2E_PARTS_H
#define BENCH_E2E_PARTS_H

#include "bench/rounds.h"

/* Depth updates decoded, applied and published in thousands a second, by cell->a feeds at once,
 * each on a processor and with books of its own. */
bool   md_bench_threads_begin(char *why, size_t why_bytes);
double md_bench_threads_turn(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist);
void   md_bench_threads_end(void);

/* Milliseconds: cell->a is 0: files as large as an engine's of 10,000 instruments, allocated and
 * touched; 1: that engine from its start until a reader of the library has it open; 2: such a
 * reader's attaching to the engine that runs. */
bool   md_bench_start_begin(char *why, size_t why_bytes);
double md_bench_start_turn(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist);
void   md_bench_start_end(void);

#endif
