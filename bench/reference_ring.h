/* reference_ring.h - the ring that everybody writes first, done well: Lamport's queue of fixed
 * slots with each side keeping a cached copy of the other side's index on a line of its own.
 *
 * The baseline for ours. Publishes and releases slot by slot. One producer, one consumer.
 * Orders:  R1 tail store-release publishes a slot <-> A1; R2 head store-release frees one <-> A2.
 */
#ifndef BENCH_REFERENCE_RING_H
#define BENCH_REFERENCE_RING_H

#include "bench/queue.h"
#include "shm/atomics.h"

typedef struct md_reference_ring {
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 tail;  /* next slot to fill */
  _Alignas(MD_CACHE_BLOCK) uint64_t head_cache; /* producer's */
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 head;  /* next slot to take */
  _Alignas(MD_CACHE_BLOCK) uint64_t tail_cache; /* consumer's */
  _Alignas(MD_CACHE_BLOCK) md_record_t slots[MD_BENCH_SLOT_CNT];
} md_reference_ring_t;

static inline bool
md_reference_ring_push(md_reference_ring_t *r, const md_record_t *rec) {
  uint64_t tail = md_load_relaxed(&r->tail); /* own word */
  if (tail - r->head_cache == MD_BENCH_SLOT_CNT) {
    r->head_cache = md_load_acquire(&r->head); /* A2: slots given back; pairs with R2 */
    if (tail - r->head_cache == MD_BENCH_SLOT_CNT) return false;
  }
  r->slots[tail % MD_BENCH_SLOT_CNT] = *rec;
  md_store_release(&r->tail, tail + 1); /* R1: publishes the slot; pairs with A1 */
  return true;
}

/* Returns the next slot or NULL; it stays valid until md_reference_ring_pop. */
static inline const md_record_t *
md_reference_ring_front(md_reference_ring_t *r) {
  uint64_t head = md_load_relaxed(&r->head); /* own word */
  if (head == r->tail_cache) {
    r->tail_cache = md_load_acquire(&r->tail); /* A1: slots below tail; pairs with R1 */
    if (head == r->tail_cache) return NULL;
  }
  return &r->slots[head % MD_BENCH_SLOT_CNT];
}

static inline void
md_reference_ring_pop(md_reference_ring_t *r) {
  uint64_t head = md_load_relaxed(&r->head); /* own word */
  md_store_release(&r->head, head + 1);      /* R2: gives the slot back; pairs with A2 */
}

#endif
