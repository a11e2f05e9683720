/* mdshm_fixture.h - an engine of two feeds and one book that can be restarted, and a reader of it,
 * for the tests of the reader library. Statics of each test's own process. */
#ifndef TESTS_MDSHM_FIXTURE_H
#define TESTS_MDSHM_FIXTURE_H

#include "shm/client/mdshm.h"
#include "tests/levels_read.h"
#include "tests/unit/segment_fixture.h"

#define AGE_NS 20000000000

static md_segment_t     engine;
static md_book_t       *book;
static md_tape_writer_t writer;

static inline void
beat(void) {
  int64_t now_ns = md_clock_mono_ns(md_clock_system());
  for (uint32_t i = 0; i < engine.thread_cnt; i++)
    md_store_relaxed(&engine.threads[i].heartbeat_mono_ns, (uint64_t)now_ns);
}

static inline bool
level_at(const void *ctx, md_side_t side, uint32_t n, md_level_t *out) {
  int64_t base = *(const int64_t *)ctx;
  if (n >= 30) return false;
  out->px  = side == MD_SIDE_BUY ? base - (int64_t)n : base + 1 + (int64_t)n;
  out->qty = 10 + n;
  return true;
}

static inline uint32_t
level_read(const void *ctx, md_side_t side, const md_levels_want_t *want, md_level_t *out) {
  return levels_read(level_at, ctx, side, want, out);
}

static inline void
write_book(int64_t base, uint64_t last_seq) {
  md_book_meta_t meta = {.state       = MD_BOOK_VALID,
                         .px_exp      = -2,
                         .qty_exp     = -5,
                         .gen         = 1,
                         .last_seq    = last_seq,
                         .tape_pos    = writer.write,
                         .ts_exch_ns  = MD_NULL_I64,
                         .trusted_bid = MD_NULL_I64,
                         .trusted_ask = MD_NULL_I64};
  md_book_write_all(book, &meta, level_read, &base);
}

static inline void
write_trade(uint64_t seq) {
  _Alignas(8) uint8_t bytes[sizeof(md_record_t) + sizeof(md_trade_t)] = {0};
  md_record_t        *rec                                             = (void *)bytes;
  *rec = (md_record_t){.len = sizeof bytes, .type = MD_RECORD_TRADE, .seq = seq, .flags = 1};
  (void)md_tape_write(&writer, rec);
  md_tape_publish(&writer);
}

static inline uint64_t
next_seq(mdshm_tape_t *tape) {
  const void *record = NULL;
  size_t      bytes;
  uint64_t    lost, seq;
  cr_assert_eq(mdshm_tape_next(tape, &record, &bytes, &lost), MDSHM_OK);
  memcpy(&seq, (const uint8_t *)record + offsetof(md_record_t, seq), sizeof seq);
  return seq;
}

static inline mdshm_result_t
next_result(mdshm_tape_t *tape) {
  const void *record = NULL;
  size_t      bytes;
  uint64_t    lost;
  return mdshm_tape_next(tape, &record, &bytes, &lost);
}

/* A segment that is not ready yet. */
static inline void
make_engine(uint32_t epoch) {
  md_segment_config_t cfg = fixture_config(epoch);
  start_engine(&cfg, &engine);
  md_tape_writer_init(&writer, md_segment_tape(&engine, 0));
}

static inline void
begin(void) {
  make_dir();
  make_engine(1);
  (void)add_instrument(&engine, 1, "ETHUSD", false, &book);
  (void)add_instrument(&engine, 0, "BTCUSDT", true, &book);
  beat();
  write_book(1000, 17);
  md_segment_ready(&engine);
}

static inline void
end(void) {
  if (engine.base) md_segment_delete(&engine);
  remove_dir();
}

static inline mdshm_t *
open_unit(void) {
  mdshm_t       *shm;
  char           message[256];
  mdshm_result_t result = mdshm_open(test_dir, "unit", 0, &shm, message, sizeof message);
  cr_assert_eq(result, MDSHM_OK, "%s", message);
  return shm;
}

/* The next engine of the name, with its instruments in another order and one more. */
static inline void
restart(void) {
  md_segment_leave(&engine);
  make_engine(2);
  md_book_t *other;
  (void)add_instrument(&engine, 0, "SOLUSDT", true, &other);
  (void)add_instrument(&engine, 0, "BTCUSDT", true, &book);
  beat();
  write_book(2000, 3);
  md_segment_ready(&engine);
}

/* Looks again until the answer is another: a next segment is looked for once a millisecond. */
static inline mdshm_result_t
read_until_not(mdshm_t *shm, uint32_t row, mdshm_result_t from, mdshm_top_t *top) {
  mdshm_result_t result;
  do
    result = mdshm_read_top(shm, row, AGE_NS, top);
  while (result == from);
  return result;
}

#endif
