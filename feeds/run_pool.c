#include "feeds/run_pool.h"

#include <string.h>
#include <sys/mman.h>

/* What a small feed touches is left alone: it would only get larger. */
#define SMALL_BYTES (4ull << 20)

void
md_run_pool_ask_huge(void *base, uint64_t bytes) {
  if (bytes <= SMALL_BYTES) return;
  /* Only time depends on it: refused where the kernel has none. */
  (void)madvise((uint8_t *)base + SMALL_BYTES, bytes - SMALL_BYTES, MADV_HUGEPAGE);
}

bool
md_run_pool_init(md_run_pool_t *p, uint64_t bytes) {
  memset(p, 0, sizeof *p);
  uint64_t rounded = md_align_up(bytes ? bytes : 1, 1ull << MD_RUN_ORDER_MAX);
  void    *base    = mmap(NULL, rounded, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) {
    return false;
  }
  p->base  = base;
  p->bytes = rounded;
  md_run_pool_ask_huge(base, rounded);
  return true;
}

void
md_run_pool_fini(md_run_pool_t *p) {
  if (p->base) munmap(p->base, p->bytes);
  memset(p, 0, sizeof *p);
}

uint32_t
md_run_order(uint64_t bytes) {
  uint32_t order = MD_RUN_ORDER_MIN;
  while (order <= MD_RUN_ORDER_MAX && md_run_bytes(order) < bytes) {
    order++;
  }
  return order;
}

/* The first word of a free run names the next one. */
static void *
pop(md_run_pool_t *p, uint32_t order) {
  void *run = p->free_first[order];
  if (run) memcpy(&p->free_first[order], run, sizeof(void *));
  return run;
}

static void
push(md_run_pool_t *p, void *run, uint32_t order) {
  memcpy(run, &p->free_first[order], sizeof(void *));
  p->free_first[order] = run;
}

static void *
take(md_run_pool_t *p, uint32_t order) {
  void *run = pop(p, order);
  if (run) return run;

  if (p->bytes - p->used >= md_run_bytes(order)) {
    run = p->base + p->used;
    p->used += md_run_bytes(order);
    return run;
  }

  uint32_t larger = order + 1;
  while (larger <= MD_RUN_ORDER_MAX && !p->free_first[larger]) {
    larger++;
  }
  if (larger > MD_RUN_ORDER_MAX) return NULL;
  run = pop(p, larger);
  while (larger > order && larger > MD_RUN_ORDER_TWO) {
    larger--;
    push(p, (uint8_t *)run + md_run_bytes(larger), larger);
  }
  if (larger > order) {
    const uint64_t bytes = md_run_bytes(order);
    push(p, (uint8_t *)run + bytes, md_run_order(md_run_bytes(larger) - bytes));
  }
  return run;
}

void *
md_run_pool_take(md_run_pool_t *p, uint32_t order) {
  if (order > MD_RUN_ORDER_MAX) return NULL;
  md_assert(order >= MD_RUN_ORDER_MIN);
  void *run = take(p, order);
  if (run) p->taken += md_run_bytes(order);
  return run;
}

void
md_run_pool_give(md_run_pool_t *p, void *run, uint32_t order) {
  md_assert(order >= MD_RUN_ORDER_MIN && order <= MD_RUN_ORDER_MAX);
  md_assert((uint8_t *)run >= p->base && (uint8_t *)run < p->base + p->used);
  md_assert(p->taken >= md_run_bytes(order));
  p->taken -= md_run_bytes(order);
  push(p, run, order);
}

void
md_run_pool_trim(md_run_pool_t *p) {
  if (p->taken != 0 || p->used == 0) return;
  if (madvise(p->base, p->used, MADV_DONTNEED)) return; /* it stays ours, and is used again */
  memset(p->free_first, 0, sizeof p->free_first);
  p->used = 0;
}
