/* bench tape: appending to the broadcast ring beside a plain copy, reading it, and how long a
 * record takes to another processor. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/calm.h"
#include "bench/crowd.h"
#include "bench/queue.h"
#include "bench/rounds.h"
#include "bench/world.h"
#include "shm/client/mdshm.h"

#define TURN_NS     2000000
#define WARM_NS     300000
#define BLOCK_CNT   256u  /* records between two looks at the clock */
#define TRIP_CNT    3000u /* round trips in a turn */
#define TRIP_WARM   300u
#define RECORD_LEN  (sizeof(md_record_t) + sizeof(md_agg_trade_t))
#define RECORD_CNT  (MD_BENCH_TAPE_BYTES / RECORD_LEN)
#define BEHIND_READ 60000u /* records that are read again and again: less than the tape's half */

_Static_assert(BEHIND_READ < RECORD_CNT / 2, "they are safe to reach");
_Static_assert(MD_BENCH_TAPE_BYTES % RECORD_LEN == 0, "no pad: a plain copy has none either");

typedef struct bench_tape {
  md_bench_world_t world;
  md_tape_writer_t writer, there, back;
  mdshm_t         *client;
  mdshm_tape_t    *client_tape;
  uint8_t         *plain; /* as large as the tape */
  md_record_t     *record;
  uint64_t         seq, trip_seq, copy_seq; /* of the tape, the round trips, the plain copy */
  uint64_t         plain_pos;
  uint64_t         begin_pos;  /* where the records begin that are read again and again */
  uint64_t         client_cnt; /* records that the client read in this turn */
  uint64_t         trip_pos;   /* of the first record of a turn's round trips */
  md_atomic_u64    bad;        /* relaxed: a flag that is looked at behind all readers */
  _Alignas(8) uint8_t out[MD_RECORD_BYTES_MAX], peer_out[MD_RECORD_BYTES_MAX];
} bench_tape_t;

static void
fail(bench_tape_t *t) {
  md_store_relaxed(&t->bad, 1);
}

/* ---- writing ---- */

static void
append_block(bench_tape_t *t) {
  for (unsigned i = 0; i < BLOCK_CNT; i++) {
    t->record->seq = ++t->seq;
    (void)md_tape_write(&t->writer, t->record);
    if (i % MD_PUBLISH_PENDING_MAX == MD_PUBLISH_PENDING_MAX - 1) md_tape_publish(&t->writer);
  }
}

static void
copy_block(bench_tape_t *t) {
  for (unsigned i = 0; i < BLOCK_CNT; i++) {
    t->record->seq = ++t->copy_seq;
    memcpy(t->plain + t->plain_pos, t->record, RECORD_LEN);
    __asm__ __volatile__("" : : "r"(t->plain) : "memory"); /* it is used */
    t->plain_pos = (t->plain_pos + RECORD_LEN) & (MD_BENCH_TAPE_BYTES - 1);
  }
}

/* Millions of records a second. */
static double
rate_of(bench_tape_t *t, void (*block)(bench_tape_t *), int64_t ns) {
  int64_t  start_ns = md_bench_now_ns(), now_ns;
  uint64_t cnt      = 0;
  do {
    block(t);
    cnt += BLOCK_CNT;
    now_ns = md_bench_now_ns();
  } while (now_ns - start_ns < ns);
  return (double)cnt * 1e3 / (double)(now_ns - start_ns);
}

static void
write_on(void *ctx, uint32_t index, const md_atomic_u64 *stop) {
  (void)index;
  while (md_load_relaxed(stop) == 0)
    append_block(ctx);
}

/* ---- reading ---- */

/* What a reader must get: records one behind the other, and holes only where it was told. */
static void
check_read(bench_tape_t *t, md_err_t err, uint64_t *last, const void *out) {
  const md_record_t *rec = out;
  if (err == MD_ERR_LAPPED) *last = 0;
  if (err == MD_ERR_CORRUPT) fail(t);
  if (err != MD_OK) return;
  if (*last != 0 && rec->seq != *last + 1) fail(t);
  *last = rec->seq;
}

static void
follow(void *ctx, uint32_t index, const md_atomic_u64 *stop) {
  bench_tape_t       *t = ctx;
  md_tape_reader_t    r;
  uint64_t            last = 0, lost;
  _Alignas(8) uint8_t out[2 * RECORD_LEN]; /* no record of this tape is longer */
  (void)index;
  md_tape_reader_init(&r, t->writer.tape, false);
  while (md_load_relaxed(stop) == 0)
    check_read(t, md_tape_read(&r, out, &lost), &last, out);
}

static void
read_block(bench_tape_t *t) {
  static md_tape_reader_t r;
  static uint64_t         last;
  uint64_t                lost;
  for (unsigned i = 0; i < BLOCK_CNT; i++) {
    if (r.tape == NULL || r.cursor < t->begin_pos ||
        r.cursor - t->begin_pos >= BEHIND_READ * RECORD_LEN) {
      md_tape_reader_init(&r, t->writer.tape, false);
      md_tape_reader_seek(&r, t->begin_pos);
      last = 0;
    }
    md_err_t err = md_tape_read(&r, t->out, &lost);
    if (err) fail(t);
    check_read(t, err, &last, t->out);
  }
}

static void
read_client_block(bench_tape_t *t) {
  mdshm_book_meta_t meta = {.tape_pos = t->begin_pos, .generation = 1};
  const void       *record;
  size_t            bytes;
  uint64_t          lost;
  for (unsigned i = 0; i < BLOCK_CNT; i++) {
    if (t->client_cnt++ % BEHIND_READ == 0 && mdshm_tape_join(t->client_tape, &meta) != MDSHM_OK)
      fail(t);
    if (mdshm_tape_next(t->client_tape, &record, &bytes, &lost) != MDSHM_OK) fail(t);
  }
}

static void
copy_out_block(bench_tape_t *t) {
  for (unsigned i = 0; i < BLOCK_CNT; i++) {
    memcpy(t->out, t->plain + t->plain_pos, RECORD_LEN);
    __asm__ __volatile__("" : : "r"(t->out) : "memory"); /* it is used */
    t->plain_pos += RECORD_LEN;
    if (t->plain_pos >= BEHIND_READ * RECORD_LEN) t->plain_pos = 0;
  }
}

/* ---- turns ---- */

typedef enum work { COPY_IN, COPY_OUT, APPEND, READ, READ_CLIENT, FOLLOW, LOST } work_t;

/* On this thread, with cell->b readers following on the other processor. */
static double
turn(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  static void (*const blocks[])(bench_tape_t *) = {copy_block, copy_out_block, append_block,
                                                   read_block, read_client_block};
  bench_tape_t *t                               = ctx;
  (void)hist;
  if (cell->a == COPY_OUT) t->plain_pos = 0;
  if (cell->a == READ || cell->a == READ_CLIENT) {
    t->begin_pos  = t->writer.write - BEHIND_READ * RECORD_LEN;
    t->client_cnt = 0;
  }
  if (cell->b && !md_bench_crowd_start(cell->b, follow, t)) return MD_BENCH_NONE;
  (void)rate_of(t, blocks[cell->a], WARM_NS);
  int64_t switches = md_bench_switches();
  double  rate     = rate_of(t, blocks[cell->a], TURN_NS);
  switches         = md_bench_switches() - switches;
  if (cell->b) {
    int64_t others = md_bench_crowd_stop();
    if (cell->b == 1) switches += others;
  }
  return md_bench_calm_switched(switches, MD_BENCH_SWITCH_MAX) ? MD_BENCH_NONE : rate;
}

/* This thread follows a writer that never waits: millions of records a second, or the percentage of
 * them that it lost. */
static double
follow_turn(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  bench_tape_t    *t = ctx;
  md_tape_reader_t r;
  uint64_t         last = 0, lost = 0, cnt = 0, lost_bytes = 0;
  (void)hist;
  int64_t switches = md_bench_switches();
  if (!md_bench_crowd_start(1, write_on, t)) return MD_BENCH_NONE;
  md_tape_reader_init(&r, t->writer.tape, false);
  int64_t start_ns = md_bench_now_ns(), now_ns;
  do {
    for (unsigned i = 0; i < BLOCK_CNT; i++) {
      md_err_t err = md_tape_read(&r, t->out, &lost);
      check_read(t, err, &last, t->out);
      if (err == MD_ERR_LAPPED) lost_bytes += lost;
      cnt += err == MD_OK;
    }
    now_ns = md_bench_now_ns();
  } while (now_ns - start_ns < 2 * TURN_NS);
  switches = md_bench_switches() - switches + md_bench_crowd_stop();
  if (md_bench_calm_switched(switches, MD_BENCH_SWITCH_MAX)) return MD_BENCH_NONE;
  if (cell->a == FOLLOW) return (double)cnt * 1e3 / (double)(now_ns - start_ns);
  return (double)lost_bytes * 100 / (double)(lost_bytes + cnt * RECORD_LEN);
}

/* ---- round trips ---- */

/* Waits for a record; false when told to stop. */
static bool
await_record(md_tape_reader_t *r, void *out, const md_atomic_u64 *stop) {
  uint64_t lost;
  while (md_tape_read(r, out, &lost) != MD_OK) {
    if (stop && md_load_relaxed(stop)) return false;
    md_bench_relax();
  }
  return true;
}

static void
answer(void *ctx, uint32_t index, const md_atomic_u64 *stop) {
  bench_tape_t    *t = ctx;
  md_tape_reader_t r;
  (void)index;
  md_tape_reader_init(&r, t->there.tape, false);
  md_tape_reader_seek(&r, t->trip_pos); /* the first one may be there already */
  while (await_record(&r, t->peer_out, stop)) {
    (void)md_tape_write(&t->back, (const md_record_t *)(const void *)t->peer_out);
    md_tape_publish(&t->back);
  }
}

static double
trip_turn(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  bench_tape_t    *t       = ctx;
  double           tick_ns = md_bench_cycle_ns();
  md_tape_reader_t r;
  md_hist_copy_t   copy;
  (void)cell;
  md_tape_reader_init(&r, t->back.tape, false);
  t->trip_pos      = t->there.write;
  int64_t switches = md_bench_switches();
  if (!md_bench_crowd_start(1, answer, t)) return MD_BENCH_NONE;
  uint64_t before = md_bench_cycle();
  for (unsigned i = 0; i < TRIP_CNT; i++) {
    t->record->seq = ++t->trip_seq;
    (void)md_tape_write(&t->there, t->record);
    md_tape_publish(&t->there);
    (void)await_record(&r, t->out, NULL);
    if (((const md_record_t *)(const void *)t->out)->seq != t->trip_seq) fail(t);
    uint64_t now = md_bench_cycle();
    if (i >= TRIP_WARM) md_hist_add(hist, (int64_t)((double)(now - before) * tick_ns));
    before = now;
  }
  switches = md_bench_switches() - switches + md_bench_crowd_stop();
  if (md_bench_calm_switched(switches, MD_BENCH_SWITCH_MAX)) return MD_BENCH_NONE;
  md_hist_read(hist, &copy);
  return (double)md_hist_quantile(&copy, 500000);
}

static double
ping_turn(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  md_hist_copy_t copy;
  (void)ctx;
  (void)cell;
  if (!md_bench_probe(hist)) return MD_BENCH_NONE;
  md_hist_read(hist, &copy);
  return (double)md_hist_quantile(&copy, 500000);
}

/* ---- all of it ---- */

static bool
prepare(bench_tape_t *t) {
  t->plain  = calloc(1, MD_BENCH_TAPE_BYTES);
  t->record = calloc(1, RECORD_LEN);
  if (!t->plain || !t->record) return false;
  memset(t->plain, 1, MD_BENCH_TAPE_BYTES);
  *t->record = (md_record_t){
      .len = RECORD_LEN, .type = MD_RECORD_AGG_TRADE, .flags = MD_FLAG_LAST, .stream = 1};
  md_tape_writer_init(&t->writer, md_segment_tape(&t->world.segment, 0));
  md_tape_writer_init(&t->there, md_segment_tape(&t->world.segment, 1));
  md_tape_writer_init(&t->back, md_segment_tape(&t->world.segment, 2));
  for (uint32_t i = 0; i < RECORD_CNT; i += BLOCK_CNT)
    append_block(t);
  return mdshm_open(t->world.dir, MD_BENCH_WORLD_NAME, 0, &t->client, NULL, 0) == MDSHM_OK &&
         mdshm_tape_open(t->client, 0, MDSHM_FROM_NOW, &t->client_tape) == MDSHM_OK;
}

#define NONE MD_BENCH_NONE
#define CELL(name, unit, turn, a, b, baseline, against, judge)                                     \
  { name, unit, turn, a, b, baseline, against, judge, NONE, NONE }
#define COPIED_IN  "the same bytes copied"
#define COPIED_OUT "the same bytes copied out"
#define PING       "cache-line ping-pong"

bool
md_bench_tape(md_bench_t *b) {
  static const md_bench_cell_t cells[] = {
      CELL(NULL, "M/s", turn, COPY_IN, 0, NULL, 0, MD_BENCH_RATE),
      CELL(NULL, "M/s", turn, COPY_OUT, 0, NULL, 0, MD_BENCH_RATE),
      CELL("tape.append", "M/s", turn, APPEND, 0, COPIED_IN, 0, MD_BENCH_RATE),
      CELL("tape.append.readers_1", "M/s", turn, APPEND, 1, COPIED_IN, 0, MD_BENCH_RATE),
      CELL("tape.append.readers_8", "M/s", turn, APPEND, 8, COPIED_IN, 0, MD_BENCH_RATE),
      CELL("tape.read", "M/s", turn, READ, 0, COPIED_OUT, 1, MD_BENCH_RATE),
      CELL("tape.read.client", "M/s", turn, READ_CLIENT, 0, COPIED_OUT, 1, MD_BENCH_RATE),
      CELL("tape.follow", "M/s", follow_turn, FOLLOW, 0, COPIED_OUT, 1, MD_BENCH_RATE),
      CELL("tape.follow.lost", "%", follow_turn, LOST, 0, NULL, 0, MD_BENCH_AT_MOST),
      CELL("tape.ping_pong", "ns", ping_turn, 0, 0, NULL, 0, MD_BENCH_COST),
      CELL("tape.round_trip", "ns", trip_turn, 0, 0, PING, 9, MD_BENCH_COST)};
  static bench_tape_t t;
  static char         why[sizeof t.world.why]; /* lives as long as the report */
  md_bench_rounds_t  *r = NULL;
  if (!md_bench_world_new(&t.world, 1, 2ull * MD_BENCH_TAPE_BYTES)) {
    memcpy(why, t.world.why, sizeof why);
    md_bench_rows_without(b, cells, MD_CNT(cells), why);
    return true;
  }
  bool good = prepare(&t);
  if (good) r = md_bench_rounds_run(cells, MD_CNT(cells), &t, true, b->seconds * 1000000000ll);
  if (r) md_bench_rounds_report(b, r);
  md_bench_rounds_delete(r);
  if (t.client) mdshm_tape_close(t.client_tape);
  mdshm_close(t.client);
  md_bench_world_delete(&t.world);
  free(t.plain);
  free(t.record);
  good = good && r != NULL && md_load_relaxed(&t.bad) == 0; /* joining ordered it */
  if (!good) fprintf(stderr, "mdengine bench: a tape could not be read as written: a defect\n");
  return good;
}
