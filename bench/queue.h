/* queue.h - the rings that `bench ring` compares, behind one face.
 *
 * Each has loops of its own for throughput, so that nothing stands between the loop and the ring,
 * and single steps for round trips. One producing and one consuming thread; a queue is 64-byte
 * records numbered from 1. */
#ifndef BENCH_QUEUE_H
#define BENCH_QUEUE_H

#include "shm/record.h"

#define MD_BENCH_SLOT_CNT 4096u

typedef struct md_bench_queue md_bench_queue_t;

struct md_bench_queue {
  const char *name;
  size_t      bytes; /* memory of one queue, aligned to MD_CACHE_BLOCK */
  void (*init)(void *mem);
  /* produce sends the records 1 to cnt, all published at the end. Producer only; waits for room. */
  void (*produce)(void *mem, uint64_t cnt);
  /* consume takes cnt records; false when one is out of order. Consumer only; waits. */
  bool (*consume)(void *mem, uint64_t cnt);
  void (*push)(void *mem, uint64_t seq); /* one record, published */
  uint64_t (*pop)(void *mem);            /* waits for a record, gives it back, returns its number */
};

const md_bench_queue_t *md_bench_queue_ours_each(void);  /* published record by record */
const md_bench_queue_t *md_bench_queue_ours_batch(void); /* published every 16 */
const md_bench_queue_t *md_bench_queue_reference(void);
const md_bench_queue_t *md_bench_queue_ck(void);

/* md_bench_queue_ours_produce is produce of our ring, published every batch_cnt records (a power of
 * two). */
void md_bench_queue_ours_produce(void *mem, uint64_t cnt, uint32_t batch_cnt);

/* md_bench_relax tells the processor that this is a waiting loop. */
static inline void
md_bench_relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

#endif
