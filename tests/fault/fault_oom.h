/* fault_oom.h - memory that runs out, for our own code only: the linker hands malloc, calloc,
 * realloc, aligned_alloc, posix_memalign, reallocarray, strdup and free of everything that is
 * linked in to here (--wrap); libraries that are loaded, some of which abort by design, never
 * notice.
 *
 * The n-th allocation fails, or all from it on. What is allocated is kept in a table, so that what
 * nobody frees is found. Any thread. */
#ifndef TESTS_FAULT_FAULT_OOM_H
#define TESTS_FAULT_FAULT_OOM_H

#include "shm/base.h"

void     oom_arm(uint64_t at, bool for_good); /* counts from here; at 0: none fails */
void     oom_disarm(void);
uint64_t oom_call_cnt(void);
/* oom_live_cnt: allocations that nobody has freed; *who: the caller of one of them. */
uint32_t oom_live_cnt(const void **who);

#endif
