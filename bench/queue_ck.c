/* libck's ring, with its typed single-producer single-consumer calls. */
#include <ck_ring.h>

#include "bench/queue.h"

typedef struct ck_queue {
  _Alignas(MD_CACHE_BLOCK) ck_ring_t ring;
  _Alignas(MD_CACHE_BLOCK) struct md_record slots[MD_BENCH_SLOT_CNT];
} ck_queue_t;

CK_RING_PROTOTYPE(record, md_record)

static void
queue_init(void *mem) {
  ck_queue_t *q = mem;
  ck_ring_init(&q->ring, MD_BENCH_SLOT_CNT);
}

static void
queue_produce(void *mem, uint64_t cnt) {
  ck_queue_t *q   = mem;
  md_record_t rec = {.len = sizeof rec, .type = MD_RECORD_TRADE};
  for (uint64_t seq = 1; seq <= cnt; seq++) {
    rec.seq = seq;
    while (!ck_ring_enqueue_spsc_record(&q->ring, q->slots, &rec))
      md_bench_relax();
  }
}

static bool
queue_consume(void *mem, uint64_t cnt) {
  ck_queue_t *q = mem;
  md_record_t rec;
  bool        good = true;
  for (uint64_t seq = 1; seq <= cnt; seq++) {
    while (!ck_ring_dequeue_spsc_record(&q->ring, q->slots, &rec))
      md_bench_relax();
    good &= rec.seq == seq;
  }
  return good;
}

static void
queue_push(void *mem, uint64_t seq) {
  ck_queue_t *q   = mem;
  md_record_t rec = {.len = sizeof rec, .type = MD_RECORD_TRADE, .seq = seq};
  while (!ck_ring_enqueue_spsc_record(&q->ring, q->slots, &rec))
    md_bench_relax();
}

static uint64_t
queue_pop(void *mem) {
  ck_queue_t *q = mem;
  md_record_t rec;
  while (!ck_ring_dequeue_spsc_record(&q->ring, q->slots, &rec))
    md_bench_relax();
  return rec.seq;
}

const md_bench_queue_t *
md_bench_queue_ck(void) {
  static const md_bench_queue_t queue = {
      "ck_ring",     sizeof(ck_queue_t), queue_init, queue_produce,
      queue_consume, queue_push,         queue_pop,
  };
  return &queue;
}
