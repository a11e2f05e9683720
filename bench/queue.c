/* Our ring and the reference ring as queues of the bench. */
#include "bench/queue.h"

#include "bench/reference_ring.h"
#include "shm/ring.h"

#define BATCH_CNT    MD_PUBLISH_PENDING_MAX
#define RING_BYTES   ((uint64_t)MD_BENCH_SLOT_CNT * sizeof(md_record_t))
#define OUR_BYTES    (sizeof(md_record_t) + MD_RING_WORD_BYTES) /* and the 0 behind it */
#define MEMORY_BYTES (sizeof(md_ring_t) + RING_BYTES)

/* ---- ours: each side's private state on blocks of its own, the ring behind them ---- */

typedef struct our_queue {
  _Alignas(MD_CACHE_BLOCK) md_ring_producer_t producer;
  _Alignas(MD_CACHE_BLOCK) md_ring_consumer_t consumer;
  _Alignas(MD_CACHE_BLOCK) uint8_t memory[MEMORY_BYTES];
} our_queue_t;

static void
our_init(void *mem) {
  our_queue_t *q    = mem;
  md_ring_t   *ring = NULL;
  md_err_t     err  = md_ring_new(q->memory, "bench", 0, 0, 1, RING_BYTES);
  if (err == MD_OK) err = md_ring_join(q->memory, sizeof q->memory, &ring);
  md_assert(err == MD_OK);
  md_ring_producer_init(&q->producer, ring);
  md_ring_consumer_init(&q->consumer, ring);
}

/* Writes one record, waiting for room first: a drop would be counted and declared. */
static inline void
our_write(md_ring_producer_t *p, const md_record_t *rec) {
  if (MD_UNLIKELY(p->write + OUR_BYTES - p->tail_cache > RING_BYTES)) {
    md_ring_publish(p);
    while (md_ring_free_bytes(p) < sizeof *rec)
      md_bench_relax();
  }
  md_err_t err = md_ring_write_group(p, rec, 1, sizeof *rec);
  md_assert(err == MD_OK);
}

static inline void
our_produce(void *mem, uint64_t cnt, uint64_t batch_mask) {
  our_queue_t *q   = mem;
  md_record_t  rec = {.len = sizeof rec, .type = MD_RECORD_TRADE, .flags = MD_FLAG_LAST};
  for (uint64_t seq = 1; seq <= cnt; seq++) {
    rec.seq = seq;
    our_write(&q->producer, &rec);
    if ((seq & batch_mask) == 0) md_ring_publish(&q->producer);
  }
  md_ring_publish(&q->producer);
}

static void
our_produce_each(void *mem, uint64_t cnt) {
  our_produce(mem, cnt, 0);
}

static void
our_produce_batch(void *mem, uint64_t cnt) {
  our_produce(mem, cnt, BATCH_CNT - 1);
}

void
md_bench_queue_ours_produce(void *mem, uint64_t cnt, uint32_t batch_cnt) {
  md_assert(batch_cnt > 0 && (batch_cnt & (batch_cnt - 1)) == 0);
  our_produce(mem, cnt, batch_cnt - 1);
}

/* Gives records back a batch at a time, or when there is nothing more to take, as a sink does. */
static bool
our_consume(void *mem, uint64_t cnt) {
  md_ring_consumer_t *c    = &((our_queue_t *)mem)->consumer;
  bool                good = true;
  for (uint64_t seq = 1; seq <= cnt;) {
    const md_record_t *rec = md_ring_next(c);
    if (rec == NULL) {
      md_ring_release(c, c->read, c->handed_cnt);
      md_bench_relax();
      continue;
    }
    good &= rec->seq == seq;
    if (seq % BATCH_CNT == 0) md_ring_release(c, c->read, c->handed_cnt);
    seq++;
  }
  md_ring_release(c, c->read, c->handed_cnt);
  return good;
}

static void
our_push(void *mem, uint64_t seq) {
  our_queue_t *q  = mem;
  md_record_t rec = {.len = sizeof rec, .type = MD_RECORD_TRADE, .flags = MD_FLAG_LAST, .seq = seq};
  our_write(&q->producer, &rec);
  md_ring_publish(&q->producer);
}

static uint64_t
our_pop(void *mem) {
  md_ring_consumer_t *c = &((our_queue_t *)mem)->consumer;
  const md_record_t  *rec;
  while ((rec = md_ring_next(c)) == NULL)
    md_bench_relax();
  uint64_t seq = rec->seq;
  md_ring_release(c, c->read, c->handed_cnt);
  return seq;
}

const md_bench_queue_t *
md_bench_queue_ours_each(void) {
  static const md_bench_queue_t queue = {"ours, publish each",
                                         sizeof(our_queue_t),
                                         our_init,
                                         our_produce_each,
                                         our_consume,
                                         our_push,
                                         our_pop};
  return &queue;
}

const md_bench_queue_t *
md_bench_queue_ours_batch(void) {
  static const md_bench_queue_t queue = {"ours, publish every 16",
                                         sizeof(our_queue_t),
                                         our_init,
                                         our_produce_batch,
                                         our_consume,
                                         our_push,
                                         our_pop};
  return &queue;
}

/* ---- the reference ---- */

static void
reference_init(void *mem) {
  md_reference_ring_t *r = mem;
  md_store_relaxed(&r->tail, 0); /* no other thread yet */
  md_store_relaxed(&r->head, 0);
  r->head_cache = r->tail_cache = 0;
}

static void
reference_push_record(md_reference_ring_t *r, const md_record_t *rec) {
  while (!md_reference_ring_push(r, rec))
    md_bench_relax();
}

static void
reference_produce(void *mem, uint64_t cnt) {
  md_record_t rec = {.len = sizeof rec, .type = MD_RECORD_TRADE, .flags = MD_FLAG_LAST};
  for (uint64_t seq = 1; seq <= cnt; seq++) {
    rec.seq = seq;
    reference_push_record(mem, &rec);
  }
}

static bool
reference_consume(void *mem, uint64_t cnt) {
  bool good = true;
  for (uint64_t seq = 1; seq <= cnt; seq++) {
    const md_record_t *rec;
    while ((rec = md_reference_ring_front(mem)) == NULL)
      md_bench_relax();
    good &= rec->seq == seq;
    md_reference_ring_pop(mem);
  }
  return good;
}

static void
reference_push(void *mem, uint64_t seq) {
  md_record_t rec = {.len = sizeof rec, .type = MD_RECORD_TRADE, .flags = MD_FLAG_LAST, .seq = seq};
  reference_push_record(mem, &rec);
}

static uint64_t
reference_pop(void *mem) {
  const md_record_t *rec;
  while ((rec = md_reference_ring_front(mem)) == NULL)
    md_bench_relax();
  uint64_t seq = rec->seq;
  md_reference_ring_pop(mem);
  return seq;
}

const md_bench_queue_t *
md_bench_queue_reference(void) {
  static const md_bench_queue_t queue = {"reference ring",  sizeof(md_reference_ring_t),
                                         reference_init,    reference_produce,
                                         reference_consume, reference_push,
                                         reference_pop};
  return &queue;
}
