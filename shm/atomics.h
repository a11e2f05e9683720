/* atomics.h - the only door to atomic memory operations.
 *
 * Five verbs over 4- and 8-byte words. Wider atomics are not offered: a 16-byte atomic load writes
 * on x86-64 and faults on a read-only mapping. Fences are not offered: TSan cannot see them. A
 * model checker replaces this header by defining MD_ATOMICS_MODEL before it is included.
 *
 * Rule (tests/tidy checks it): each line with md_load_acquire or md_store_release carries a comment
 * with its own label and its partner, "R1: publishes ...; pairs with A1" or "A1: ...; pairs with
 * R1", and both labels stand in the same file or in the header that it implements. */
#ifndef SHM_ATOMICS_H
#define SHM_ATOMICS_H

#include <stdint.h>

#ifdef MD_ATOMICS_MODEL
#include MD_ATOMICS_MODEL
#else
#include <stdatomic.h>

typedef _Atomic uint32_t md_atomic_u32;
typedef _Atomic uint64_t md_atomic_u64;

_Static_assert(sizeof(md_atomic_u64) == 8 && ATOMIC_LLONG_LOCK_FREE == 2,
               "8-byte words, lock-free");

#define md_load_relaxed(p)     atomic_load_explicit((p), memory_order_relaxed)
#define md_load_acquire(p)     atomic_load_explicit((p), memory_order_acquire) /* tidy: definition */
#define md_store_relaxed(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define md_store_release(p, v)                                                                     \
  atomic_store_explicit((p), (v), memory_order_release) /* tidy: definition */
/* md_fetch_add_relaxed: a counter with several writers; orders nothing. */
#define md_fetch_add_relaxed(p, v) atomic_fetch_add_explicit((p), (v), memory_order_relaxed)
#endif

/* md_bump adds to a word that only the calling thread writes: a plain load and store, no lock. */
#define md_bump(p, v) md_store_relaxed((p), md_load_relaxed(p) + (v))

#endif
