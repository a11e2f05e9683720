/* What a record through our ring costs over how many are published at once: a curve, not judged. */
#include "bench/ring_batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/calm.h"
#include "bench/crowd.h"
#include "bench/queue.h"
#include "bench/rounds.h"

#define RECORD_CNT 100000u

typedef struct batch {
  const md_bench_queue_t *queue;
  void                   *memory;
  md_atomic_u64           taken; /* the peer has them all */
  md_atomic_u64           wrong; /* relaxed: looked at behind the peer's end */
} batch_t;

static void
take_all(void *ctx, uint32_t index, const md_atomic_u64 *stop) {
  batch_t *x = ctx;
  (void)index;
  if (!x->queue->consume(x->memory, RECORD_CNT)) md_store_relaxed(&x->wrong, 1);
  md_store_release(&x->taken, 1); /* R1: all were taken; pairs with A1 */
  while (md_load_relaxed(stop) == 0)
    md_bench_relax();
}

/* cell->a is how many are published at once; millions of records a second. */
static double
turn(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  batch_t        *x = ctx;
  md_bench_calm_t calm;
  (void)hist;
  x->queue->init(x->memory);
  md_store_relaxed(&x->taken, 0); /* seen by the thread that is made behind it */
  if (!md_bench_crowd_start(1, take_all, x)) return MD_BENCH_NONE;
  md_bench_calm_begin(&calm);
  const int64_t begin_ns = md_bench_now_ns();
  md_bench_queue_ours_produce(x->memory, RECORD_CNT, cell->a);
  while (md_load_acquire(&x->taken) == 0) /* A1: all were taken; pairs with R1 */
    md_bench_relax();
  const double   ns       = (double)(md_bench_now_ns() - begin_ns);
  const uint64_t lost_ppm = md_bench_calm_lost_ppm(&calm);
  (void)md_bench_crowd_stop();
  if (!md_bench_calm_judge(lost_ppm, MD_BENCH_LOST_MAX_PPM) ||
      !md_bench_calm_judge(md_bench_crowd_lost(), MD_BENCH_LOST_MAX_PPM))
    return MD_BENCH_NONE;
  return RECORD_CNT * 1e3 / ns;
}

#define NONE MD_BENCH_NONE

static const md_bench_cell_t cells[] = {
    {"ring.every_1", "M/s", turn, 1, 0, NULL, 0, MD_BENCH_RATE, NONE, NONE},
    {"ring.every_2", "M/s", turn, 2, 0, NULL, 0, MD_BENCH_RATE, NONE, NONE},
    {"ring.every_4", "M/s", turn, 4, 0, NULL, 0, MD_BENCH_RATE, NONE, NONE},
    {"ring.every_8", "M/s", turn, 8, 0, NULL, 0, MD_BENCH_RATE, NONE, NONE},
    {"ring.every_16", "M/s", turn, 16, 0, NULL, 0, MD_BENCH_RATE, NONE, NONE},
    {"ring.every_32", "M/s", turn, 32, 0, NULL, 0, MD_BENCH_RATE, NONE, NONE},
    {"ring.every_64", "M/s", turn, 64, 0, NULL, 0, MD_BENCH_RATE, NONE, NONE}};

bool
md_bench_ring_batches(md_bench_t *b, int64_t budget_ns) {
  batch_t            x = {.queue = md_bench_queue_ours_batch()};
  md_bench_rounds_t *r = NULL;
  x.memory             = aligned_alloc(MD_CACHE_BLOCK, md_align_up(x.queue->bytes, MD_CACHE_BLOCK));
  if (x.memory) r = md_bench_rounds_run(cells, MD_CNT(cells), &x, true, budget_ns);
  if (r) md_bench_rounds_report(b, r);
  md_bench_rounds_delete(r);
  free(x.memory);
  if (!r) fprintf(stderr, "mdengine bench: out of memory: free some and try again\n");
  if (md_load_relaxed(&x.wrong) == 0) return r != NULL;
  fprintf(stderr, "mdengine bench: a ring lost or changed a record: a defect\n");
  return false;
}
