/* One writer flat out and a reader of each tier on one book. Every level follows from last_seq, so
 * a mixture of two states shows; a tier never goes back; bbo and ladder are never busy. Argument:
 * reads of each tier. */
#include <pthread.h>

#include "tests/levels_read.h"
#include "tests/stress/book_model.h"

typedef struct shared {
  md_book_t    *book;
  md_atomic_u64 readers; /* how many still read */
} shared_t;

typedef struct reader {
  shared_t     *shared;
  model_tier_t  tier;
  uint64_t      want_cnt;
  model_count_t count;
} reader_t;

static void *
read_tier(void *arg) {
  reader_t        *me    = arg;
  model_count_t   *count = &me->count;
  const md_book_t *b     = NULL;

  md_assert(md_book_join(me->shared->book, md_book_footprint(MODEL_DEPTH), &b) == MD_OK);
  /* Bounded even when every read is refused. */
  while (count->read_cnt < me->want_cnt && count->busy_cnt < 64 * me->want_cnt &&
         count->torn_cnt < 1000) {
    model_read(b, me->tier, count);
  }
  (void)md_fetch_add_relaxed(&me->shared->readers, (uint64_t)-1); /* only a hint to the writer */
  return NULL;
}

#define FLAT_CNT 1024u

/* A flat-out read takes some ns: as many as of the tiers would be over before both threads had a
 * processor at once. */
#define FLAT_READ_FACTOR 16u

/* The levels of the flat-out writer: one a side, mixed from seq. */
static bool
flat_at(const void *ctx, md_side_t side, uint32_t n, md_level_t *out) {
  const uint64_t seq = *(const uint64_t *)ctx;

  *out = (md_level_t){(int64_t)(seq * 3 + side), (int64_t)(seq * 5 + side)};
  return n == 0;
}

static uint32_t
flat_read(const void *ctx, md_side_t side, const md_levels_want_t *want, md_level_t *out) {
  return levels_read(flat_at, ctx, side, want, out);
}

/* flat_get reads top or bbo, the latter with the meta that follows from its seq. */
static md_err_t
flat_get(const md_book_t *b, model_tier_t tier, md_book_top_t *top) {
  md_book_bbo_t bbo;

  if (tier == MODEL_TOP) return md_book_read_top(b, top);
  const md_err_t err = md_book_read_bbo(b, &bbo);
  if (err) return err;
  top->meta    = model_meta(bbo.last_seq);
  top->bid_px  = bbo.bid_px;
  top->bid_qty = bbo.bid_qty;
  top->ask_px  = bbo.ask_px;
  top->ask_qty = bbo.ask_qty;
  return bbo.state == top->meta.state && bbo.reason == top->meta.reason &&
                 bbo.px_exp == top->meta.px_exp && bbo.qty_exp == top->meta.qty_exp &&
                 bbo.ts_recv_ns == top->meta.ts_recv_ns
             ? MD_OK
             : MD_ERR_CORRUPT;
}

static bool
flat_is_right(const md_book_top_t *top) {
  const uint64_t seq = top->meta.last_seq;
  md_level_t     bid, ask;

  (void)flat_at(&seq, MD_SIDE_BUY, 0, &bid);
  (void)flat_at(&seq, MD_SIDE_SELL, 0, &ask);
  return model_meta_is_right(&top->meta) && top->bid_px == bid.px && top->bid_qty == bid.qty &&
         top->ask_px == ask.px && top->ask_qty == ask.qty;
}

static void *
read_flat(void *arg) {
  reader_t        *me    = arg;
  model_count_t   *count = &me->count;
  const md_book_t *b     = NULL;

  md_assert(md_book_join(me->shared->book, md_book_footprint(0), &b) == MD_OK);
  while (count->read_cnt < me->want_cnt && count->busy_cnt < 64 * me->want_cnt) {
    md_book_top_t  top;
    const md_err_t err = flat_get(b, me->tier, &top);
    if (err == MD_ERR_BUSY) {
      count->busy_cnt++;
      continue;
    }
    count->read_cnt++;
    if (err != MD_OK || !flat_is_right(&top)) count->torn_cnt++;
  }
  md_store_relaxed(&me->shared->readers, 0); /* only a hint to the writer */
  return NULL;
}

static bool
run_flat(model_tier_t tier, uint64_t want_cnt) {
  static md_book_meta_t metas[FLAT_CNT];
  shared_t              s           = {.book = stress_memory(md_book_footprint(0))};
  reader_t              reader      = {.shared = &s, .tier = tier, .want_cnt = want_cnt};
  uint64_t              written_cnt = 0;
  pthread_t             thread;

  for (uint64_t seq = 0; seq < FLAT_CNT; seq++)
    metas[seq] = model_meta(seq);
  md_assert(md_book_new(s.book, 0) == MD_OK);
  md_book_write_all(s.book, &metas[0], flat_read, &metas[0].last_seq);
  md_store_relaxed(&s.readers, 1); /* before the thread exists */
  md_assert(pthread_create(&thread, NULL, read_flat, &reader) == 0);
  while (md_load_relaxed(&s.readers) != 0) { /* only a hint: joined below */
    const md_book_meta_t *meta = &metas[++written_cnt % FLAT_CNT];
    md_book_write_changes(s.book, meta, NULL, 0, flat_read, &meta->last_seq);
  }
  pthread_join(thread, NULL);
  printf("book %s alone: %" PRIu64 " reads, %" PRIu64 " torn, %" PRIu64 " busy, %" PRIu64
         " records written\n",
         model_tier_name[tier], reader.count.read_cnt, reader.count.torn_cnt, reader.count.busy_cnt,
         written_cnt);
  free(s.book);
  return reader.count.torn_cnt == 0 && reader.count.read_cnt >= want_cnt;
}

int
main(int argc, char **argv) {
  const uint64_t  want_cnt = stress_argument(argc, argv, 1500000);
  static shared_t s;
  static reader_t readers[MODEL_TIER_CNT];
  pthread_t       threads[MODEL_TIER_CNT];
  model_t         model;
  bool            good = true;

  s.book = stress_memory(md_book_footprint(MODEL_DEPTH));
  md_assert(md_book_new(s.book, MODEL_DEPTH) == MD_OK);
  model_start(&model, s.book);
  md_store_relaxed(&s.readers, MODEL_TIER_CNT); /* before the threads exist */
  for (unsigned i = 0; i < MODEL_TIER_CNT; i++) {
    readers[i] = (reader_t){.shared = &s, .tier = (model_tier_t)i, .want_cnt = want_cnt};
    md_assert(pthread_create(&threads[i], NULL, read_tier, &readers[i]) == 0);
  }
  while (md_load_relaxed(&s.readers) != 0)
    model_write(&model, s.book); /* a hint: joined below */
  for (unsigned i = 0; i < MODEL_TIER_CNT; i++) {
    const model_count_t *c = &readers[i].count;
    pthread_join(threads[i], NULL);
    printf("book %s: %" PRIu64 " reads, %" PRIu64 " torn, %" PRIu64 " gone back, %" PRIu64
           " busy\n",
           model_tier_name[i], c->read_cnt, c->torn_cnt, c->back_cnt, c->busy_cnt);
    good = good && c->torn_cnt == 0 && c->back_cnt == 0 && c->read_cnt >= want_cnt;
    if (i == MODEL_BBO || i == MODEL_LADDER) good = good && c->busy_cnt == 0;
  }
  printf("book: %" PRIu64 " records written\n", model.seq);
  free(s.book);
  good = run_flat(MODEL_BBO, FLAT_READ_FACTOR * want_cnt) && good;
  good = run_flat(MODEL_TOP, FLAT_READ_FACTOR * want_cnt) && good;
  return good ? 0 : 1;
}
