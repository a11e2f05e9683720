/* run_pool.h - memory in runs of a few sizes from one reserved range: levels of books, pending
 * updates. Powers of two, and below 1 KiB each 256 bytes: most books are thin.
 *
 * The range is address space until it is touched. A run that is given back goes into the free list
 * of its size; a list that is empty is served from the untouched rest, then by splitting a larger
 * run. Runs are never joined again, so the pool is bounded by its range and nothing else. Used by
 * one feed thread only; never calls an allocator after md_run_pool_new. Within feeds/ only. */
#ifndef FEEDS_RUN_POOL_H
#define FEEDS_RUN_POOL_H

#include "shm/limits.h"

#define MD_RUN_ORDER_MIN 7u  /* 256 bytes; 8: 512, 9: 768 */
#define MD_RUN_ORDER_TWO 10u /* from 1 KiB on an order is a power of two */
#define MD_RUN_ORDER_MAX 24u /* 16 MiB */
#define MD_RUN_BYTES_MIN 256u

typedef struct md_run_pool {
  uint8_t *base;
  uint64_t bytes, used; /* used: below it everything was handed out at least once */
  uint64_t taken;       /* bytes of the runs that are out */
  void    *free_first[MD_RUN_ORDER_MAX + 1];
} md_run_pool_t;

/* md_run_pool_init reserves bytes (rounded up to the largest run); false when the system refuses.
 */
bool md_run_pool_init(md_run_pool_t *p, uint64_t bytes);
void md_run_pool_fini(md_run_pool_t *p);

/* md_run_pool_ask_huge asks for huge pages in a mapping of our own behind its first MiB: books at
 * random meet more pages than the processor remembers, and walking its tables for each costs as
 * much as the memory itself. */
void md_run_pool_ask_huge(void *base, uint64_t bytes);

static inline uint64_t
md_run_bytes(uint32_t order) {
  return order >= MD_RUN_ORDER_TWO ? UINT64_C(1) << order
                                   : (order - MD_RUN_ORDER_MIN + 1) * (uint64_t)MD_RUN_BYTES_MIN;
}

/* md_run_order returns the order of the smallest run that holds bytes, or MD_RUN_ORDER_MAX + 1 when
 * no run does. */
uint32_t md_run_order(uint64_t bytes);

/* md_run_pool_take returns a run of md_run_bytes, aligned to 256 bytes, contents undefined; NULL
 * when the pool is used up. md_run_pool_give takes it back. */
void *md_run_pool_take(md_run_pool_t *p, uint32_t order);
void  md_run_pool_give(md_run_pool_t *p, void *run, uint32_t order);

/* md_run_pool_trim gives all memory back to the system when no run is out. */
void md_run_pool_trim(md_run_pool_t *p);

#endif
