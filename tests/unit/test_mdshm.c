/* The public reader library: what it answers, and that no bytes of a segment can crash it. */
#include <signal.h>
#include <sys/wait.h>

#include "shm/book_layout.h"
#include "shm/client/mdshm.h"
#include "tests/levels_read.h"
#include "tests/unit/segment_fixture.h"

#define AGE_NS 20000000000 /* a heartbeat of now is fresh for long, one of the boot is too old */

static md_segment_t engine;
static md_book_t   *book;
static uint32_t     row;

static void
beat(uint32_t thread, int64_t age_ns) {
  int64_t now_ns = md_clock_mono_ns(md_clock_system());
  md_store_relaxed(&engine.threads[thread].heartbeat_mono_ns, (uint64_t)(now_ns - age_ns));
}

static bool
level_at(const void *ctx, md_side_t side, uint32_t n, md_level_t *out) {
  uint32_t cnt = *(const uint32_t *)ctx;
  if (n >= cnt) return false;
  out->px  = side == MD_SIDE_BUY ? 1000 - (int64_t)n : 1001 + (int64_t)n;
  out->qty = 10 + n;
  return true;
}

static uint32_t
level_read(const void *ctx, md_side_t side, const md_levels_want_t *want, md_level_t *out) {
  return levels_read(level_at, ctx, side, want, out);
}

static void
write_book(md_book_state_t state, uint32_t levels) {
  md_book_meta_t meta = {.state       = (uint8_t)state,
                         .px_exp      = -2,
                         .qty_exp     = -5,
                         .gen         = 3,
                         .last_seq    = 17,
                         .exch_seq    = 99,
                         .ts_exch_ns  = MD_NULL_I64,
                         .trusted_bid = 900,
                         .trusted_ask = MD_NULL_I64,
                         .bid_total   = levels,
                         .ask_total   = levels};
  md_book_write_all(book, &meta, level_read, &levels);
}

static void
start(void) {
  make_dir();
  md_segment_config_t cfg = fixture_config(1);
  start_engine(&cfg, &engine);
  (void)add_instrument(&engine, 1, "ETHUSD", false, &book);
  row = add_instrument(&engine, 0, "BTCUSDT", true, &book);
  md_segment_ready(&engine);
  beat(0, 0);
  beat(1, 0);
  write_book(MD_BOOK_VALID, 30);
}

static void
stop(void) {
  if (engine.base) md_segment_delete(&engine);
  remove_dir();
}

static mdshm_t *
open_unit(void) {
  mdshm_t       *shm;
  char           message[256];
  mdshm_result_t result = mdshm_open(test_dir, "unit", 0, &shm, message, sizeof message);
  cr_assert_eq(result, MDSHM_OK, "%s", message);
  return shm;
}

TestSuite(mdshm, .init = start, .fini = stop);

Test(mdshm, open_says_why_not) {
  mdshm_t *shm;
  char     message[256];
  cr_assert_eq(mdshm_open(test_dir, "none", 5, &shm, message, sizeof message), MDSHM_ABSENT);
  cr_assert_null(shm);
  cr_assert(strstr(message, "no engine \"none\""), "%s", message);
  cr_assert_eq(mdshm_open(test_dir, "../x", 0, &shm, NULL, 0), MDSHM_USAGE);
  cr_assert_eq(mdshm_open(test_dir, NULL, 0, &shm, NULL, 0), MDSHM_USAGE);
  md_store_relaxed(&engine.header->state, MD_SEGMENT_STARTING);
  cr_assert_eq(mdshm_open(test_dir, "unit", 5, &shm, message, sizeof message), MDSHM_EMPTY);
}

Test(mdshm, open_waits_until_the_engine_is_ready) {
  md_store_relaxed(&engine.header->state, MD_SEGMENT_STARTING);
  pid_t pid = fork();
  if (pid == 0) {
    mdshm_t *shm;
    _exit((int)mdshm_open(test_dir, "unit", 60000, &shm, NULL, 0));
  }
  md_segment_ready(&engine);
  int status;
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  cr_assert_eq(status, 0);
}

Test(mdshm, info_and_rows_are_copied) {
  mdshm_t       *shm    = open_unit();
  mdshm_info_t   info   = {.struct_size = sizeof info};
  mdshm_feed_t   feed   = {.struct_size = sizeof feed};
  mdshm_thread_t thread = {.struct_size = sizeof thread};
  mdshm_stream_t stream = {.struct_size = sizeof stream};
  cr_assert_eq(mdshm_info(shm, &info), MDSHM_OK);
  cr_assert_eq(info.epoch, 1);
  cr_assert_eq(info.pid, (uint32_t)getpid());
  cr_assert_str_eq(info.name, "unit");
  cr_assert_eq(info.feed_cnt, 2);
  cr_assert_eq(info.health_port, 0, "no monitor is up");
  md_store_relaxed(&engine.header->monitor, 0x7f000001ull << 32 | 8087ull << 16 | 9092);
  cr_assert_eq(mdshm_info(shm, &info), MDSHM_OK);
  cr_assert_eq(info.monitor_ipv4, 0x7f000001);
  cr_assert_eq(info.health_port, 8087);
  cr_assert_eq(info.metrics_port, 9092);
  md_store_relaxed(&engine.header->monitor, 0u);
  cr_assert_eq(mdshm_feed_find(shm, "binance_us"), 1);
  cr_assert_eq(mdshm_feed_find(shm, "nobody"), MDSHM_NONE);
  cr_assert_eq(mdshm_feed(shm, 0, &feed), MDSHM_OK);
  cr_assert_str_eq(feed.venue, "binance");
  cr_assert_eq(feed.raw_stream, 1);
  cr_assert_eq(mdshm_feed(shm, 2, &feed), MDSHM_ABSENT);
  beat(2, 5000000000);
  cr_assert_eq(mdshm_thread(shm, 2, &thread), MDSHM_OK);
  cr_assert_str_eq(thread.name, "writer:journal");
  cr_assert_geq(thread.heartbeat_age_ns, 5000000000);
  md_store_relaxed(&engine.streams[1].durable_seq, 8u);
  cr_assert_eq(mdshm_stream(shm, 1, &stream), MDSHM_OK);
  cr_assert_eq(stream.durable_seq, 8);
  cr_assert_eq(stream.is_raw, 1);
  info.struct_size = sizeof info - 1;
  cr_assert_eq(mdshm_info(shm, &info), MDSHM_USAGE, "a struct of another size");
  mdshm_close(shm);
}

Test(mdshm, instruments_are_found_and_copied) {
  mdshm_t           *shm = open_unit();
  mdshm_instrument_t got = {.struct_size = sizeof got};
  uint32_t           at  = 9;
  cr_assert_eq(mdshm_instrument_cnt(shm), 2);
  cr_assert_eq(mdshm_instrument_find(shm, MDSHM_ANY_FEED, "btcusdt", &at), MDSHM_OK);
  cr_assert_eq(at, row);
  cr_assert_eq(mdshm_instrument_find(shm, 1, "btcusdt", &at), MDSHM_ABSENT);
  cr_assert_eq(mdshm_instrument_get(shm, row, &got), MDSHM_OK);
  cr_assert_str_eq(got.symbol, "BTCUSDT");
  cr_assert_eq(got.px_exp, -2);
  cr_assert_eq(got.has_book, 1);
  cr_assert_eq(got.expiry_ns, MDSHM_ABSENT_I64);
  cr_assert_eq(mdshm_instrument_get(shm, 2, &got), MDSHM_ABSENT);
  mdshm_close(shm);
}

Test(mdshm, all_tiers_tell_the_same_book) {
  mdshm_t       *shm    = open_unit();
  mdshm_bbo_t    bbo    = {.struct_size = sizeof bbo};
  mdshm_top_t    top    = {.struct_size = sizeof top};
  mdshm_ladder_t ladder = {.struct_size = sizeof ladder};
  mdshm_level_t  bids[64], asks[64];
  mdshm_depth_t depth = {.struct_size = sizeof depth, .max_levels = 64, .bids = bids, .asks = asks};
  cr_assert_eq(mdshm_read_bbo(shm, row, AGE_NS, &bbo), MDSHM_OK);
  cr_assert_eq(bbo.bid_px, 1000);
  cr_assert_eq(bbo.ask_px, 1001);
  cr_assert_eq(bbo.last_seq, 17);
  cr_assert_eq(bbo.generation, 1);
  cr_assert_eq(mdshm_read_top(shm, row, AGE_NS, &top), MDSHM_OK);
  cr_assert_eq(memcmp(&bbo.bid_px, &top.bid_px, 4 * sizeof top.bid_px), 0);
  cr_assert_eq(bbo.px_exp, top.meta.px_exp);
  cr_assert_eq(bbo.ts_recv_ns, top.meta.ts_recv_ns);
  cr_assert_eq(top.bid_px, 1000);
  cr_assert_eq(top.ask_px, 1001);
  cr_assert_eq(top.meta.gen, 3);
  cr_assert_eq(top.meta.trusted_bid, 900);
  cr_assert_eq(top.meta.ts_exch_ns, MDSHM_ABSENT_I64);
  cr_assert_eq(mdshm_read_ladder(shm, row, AGE_NS, &ladder), MDSHM_OK);
  cr_assert_eq(ladder.bid_cnt, 20);
  cr_assert_eq(ladder.asks[19].px, 1020);
  cr_assert_eq(ladder.asks[19].qty, 29);
  cr_assert_eq(mdshm_depth_levels(shm, row), 50);
  cr_assert_eq(mdshm_read_depth(shm, row, AGE_NS, &depth), MDSHM_OK);
  cr_assert_eq(depth.bid_cnt, 30);
  cr_assert_eq(depth.ask_cnt, 30);
  cr_assert_eq(bids[29].px, 971);
  cr_assert_eq(depth.meta.last_seq, 17);
  depth.max_levels = 3;
  cr_assert_eq(mdshm_read_depth(shm, row, AGE_NS, &depth), MDSHM_OK);
  cr_assert_eq(depth.bid_cnt, 3);
  cr_assert_eq(asks[2].px, 1003);
  cr_assert_eq(mdshm_read_bbo(shm, 0, AGE_NS, &bbo), MDSHM_ABSENT, "an instrument without book");
  bbo.struct_size = 8;
  cr_assert_eq(mdshm_read_bbo(shm, row, AGE_NS, &bbo), MDSHM_USAGE);
  cr_assert_eq(mdshm_read_top(shm, 0, AGE_NS, &top), MDSHM_ABSENT, "an instrument without book");
  cr_assert_eq(mdshm_read_top(shm, 5, AGE_NS, &top), MDSHM_ABSENT, "a row not taken");
  cr_assert_eq(mdshm_read_top(shm, 8, AGE_NS, &top), MDSHM_ABSENT, "no such row");
  mdshm_close(shm);
}

Test(mdshm, only_a_valid_book_of_a_live_thread_is_ok) {
  mdshm_t    *shm = open_unit();
  mdshm_bbo_t bbo = {.struct_size = sizeof bbo};
  mdshm_top_t top = {.struct_size = sizeof top};
  write_book(MD_BOOK_SYNCING, 2);
  cr_assert_eq(mdshm_read_top(shm, row, AGE_NS, &top), MDSHM_NOT_VALID);
  cr_assert_str_eq(mdshm_state_name(top.meta.state), "SYNCING");
  cr_assert_eq(mdshm_read_bbo(shm, row, AGE_NS, &bbo), MDSHM_NOT_VALID);
  cr_assert_str_eq(mdshm_state_name(bbo.state), "SYNCING");
  cr_assert_eq(top.bid_px, 1000, "it is told all the same");
  write_book(MD_BOOK_VALID, 2);
  md_store_relaxed(&engine.threads[0].heartbeat_mono_ns, 1u);
  cr_assert_eq(mdshm_read_top(shm, row, AGE_NS, &top), MDSHM_STALE);
  cr_assert_eq(mdshm_read_top(shm, row, MDSHM_ANY_AGE, &top), MDSHM_OK);
  cr_assert_eq(mdshm_feed_check(shm, 0, AGE_NS), MDSHM_STALE);
  cr_assert_eq(mdshm_feed_check(shm, 1, AGE_NS), MDSHM_OK, "the other thread beats");
  engine.header->pid_start++;
  cr_assert_eq(mdshm_read_top(shm, row, AGE_NS, &top), MDSHM_DEAD, "its pid was used again");
  cr_assert_eq(mdshm_check(shm), MDSHM_DEAD);
  beat(0, 0);
  cr_assert_eq(mdshm_read_top(shm, row, AGE_NS, &top), MDSHM_OK, "a heartbeat says enough");
  md_store_relaxed(&engine.header->state, MD_SEGMENT_SUPERSEDED);
  cr_assert_eq(mdshm_read_top(shm, row, AGE_NS, &top), MDSHM_SUPERSEDED);
  md_store_relaxed(&engine.header->state, MD_SEGMENT_STOPPED);
  cr_assert_eq(mdshm_read_top(shm, row, MDSHM_ANY_AGE, &top), MDSHM_STOPPED);
  cr_assert_eq(mdshm_check(shm), MDSHM_STOPPED);
  mdshm_close(shm);
}

/* What a killed engine left half written was BUSY for ever, for whom waits for DEAD. */
Test(mdshm, case_54_a_half_written_book_is_busy_only_while_its_engine_lives) {
  mdshm_t       *shm    = open_unit();
  mdshm_top_t    top    = {.struct_size = sizeof top};
  mdshm_ladder_t ladder = {.struct_size = sizeof ladder};
  mdshm_level_t  bids[50], asks[50];
  mdshm_depth_t depth = {.struct_size = sizeof depth, .max_levels = 50, .bids = bids, .asks = asks};
  for (unsigned i = 0; i < MD_LADDER_SLOTS; i++)
    (void)md_book_open(&book->ladder[i].version);
  md_store_relaxed(&book->depth_floor, UINT64_MAX); /* as a log that is overwritten */
  cr_assert_eq(mdshm_read_top(shm, row, AGE_NS, &top), MDSHM_OK, "no write is in the way of top");
  cr_assert_eq(mdshm_read_ladder(shm, row, AGE_NS, &ladder), MDSHM_BUSY);
  cr_assert_eq(mdshm_read_depth(shm, row, AGE_NS, &depth), MDSHM_BUSY);
  md_store_relaxed(&engine.threads[0].heartbeat_mono_ns, 1u);
  cr_assert_eq(mdshm_read_top(shm, row, AGE_NS, &top), MDSHM_STALE);
  engine.header->pid_start++;
  cr_assert_eq(mdshm_read_top(shm, row, AGE_NS, &top), MDSHM_DEAD);
  cr_assert_eq(mdshm_read_ladder(shm, row, AGE_NS, &ladder), MDSHM_DEAD);
  cr_assert_eq(mdshm_read_depth(shm, row, AGE_NS, &depth), MDSHM_DEAD);
  cr_assert_eq(ladder.meta.state, MD_BOOK_EMPTY);
  cr_assert_eq(ladder.bid_cnt + ladder.ask_cnt + depth.bid_cnt + depth.ask_cnt, 0);
  mdshm_close(shm);
}

/* The engine is another process here; it is killed, and not waited for at first: a zombie is dead.
 */
Test(mdshm, a_killed_engine_is_dead_and_a_restart_supersedes_it) {
  int ready[2];
  md_segment_delete(&engine);
  engine.base = NULL;
  cr_assert_eq(pipe(ready), 0);
  pid_t pid = fork();
  if (pid == 0) {
    start();
    beat(0, 0);
    if (write(ready[1], test_dir, sizeof test_dir) != sizeof test_dir) _exit(1);
    for (;;)
      (void)pause();
  }
  remove_dir();
  cr_assert_eq(read(ready[0], test_dir, sizeof test_dir), sizeof test_dir);
  mdshm_t    *shm = open_unit();
  mdshm_top_t top = {.struct_size = sizeof top};
  cr_assert_eq(mdshm_check(shm), MDSHM_OK);
  cr_assert_eq(mdshm_instrument_find(shm, 0, "BTCUSDT", &row), MDSHM_OK);
  cr_assert_eq(mdshm_read_top(shm, row, AGE_NS, &top), MDSHM_OK);
  cr_assert_eq(mdshm_read_top(shm, row, 0, &top), MDSHM_STALE, "alive, but older than nothing");
  cr_assert_eq(kill(pid, SIGKILL), 0);
  siginfo_t info;
  cr_assert_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
  cr_assert_eq(mdshm_check(shm), MDSHM_DEAD, "a zombie");
  cr_assert_eq(mdshm_read_top(shm, row, 0, &top), MDSHM_DEAD);
  cr_assert_eq(top.bid_px, 1000, "the last book is told");
  int status;
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  cr_assert_eq(mdshm_read_top(shm, row, 0, &top), MDSHM_DEAD);
  md_segment_config_t cfg = fixture_config(2);
  start_engine(&cfg, &engine);
  cr_assert_eq(mdshm_read_top(shm, row, 0, &top), MDSHM_SUPERSEDED, "not ready yet");
  mdshm_close(shm);
}

/* ---- tape ---- */

static void
write_trade(md_tape_writer_t *w, uint64_t seq) {
  _Alignas(8) uint8_t bytes[sizeof(md_record_t) + sizeof(md_trade_t)] = {0};
  md_record_t        *rec                                             = (void *)bytes;
  *rec = (md_record_t){.len = sizeof bytes, .type = MD_RECORD_TRADE, .seq = seq, .flags = 1};
  (void)md_tape_write(w, rec);
  md_tape_publish(w);
}

static uint64_t
seq_of(const void *record) {
  uint64_t seq;
  memcpy(&seq, (const uint8_t *)record + offsetof(md_record_t, seq), sizeof seq);
  return seq;
}

Test(mdshm, case_53_the_tape_gives_every_record_and_tells_when_it_lapped) {
  mdshm_t         *shm = open_unit();
  mdshm_tape_t    *tape;
  md_tape_writer_t w;
  const void      *record = NULL;
  size_t           bytes  = 0;
  uint64_t         lost, tape_pos;
  char             json[2048];
  md_tape_writer_init(&w, md_segment_tape(&engine, 0));
  cr_assert_eq(mdshm_tape_open(shm, 1, MDSHM_FROM_NOW, &tape), MDSHM_ABSENT, "a feed without tape");
  cr_assert_eq(mdshm_tape_open(shm, 2, MDSHM_FROM_NOW, &tape), MDSHM_ABSENT);
  write_trade(&w, 1);
  tape_pos = w.write;
  write_trade(&w, 2);
  cr_assert_eq(mdshm_tape_open(shm, 0, MDSHM_FROM_NOW, &tape), MDSHM_OK);
  cr_assert_eq(mdshm_tape_next(tape, &record, &bytes, &lost), MDSHM_EMPTY);
  write_trade(&w, 3);
  cr_assert_eq(mdshm_tape_next(tape, &record, &bytes, &lost), MDSHM_OK);
  cr_assert_eq(seq_of(record), 3);
  cr_assert_gt(mdshm_record_json(record, bytes, "X", json, sizeof json), 0);
  cr_assert(strstr(json, "\"symbol\":\"X\""), "%s", json);
  cr_assert_eq(mdshm_record_json(record, 10, "X", json, sizeof json), 0);
  mdshm_book_meta_t meta = {.tape_pos = tape_pos, .generation = 1};
  cr_assert_eq(mdshm_tape_join(tape, &meta), MDSHM_OK);
  cr_assert_eq(mdshm_tape_next(tape, &record, &bytes, &lost), MDSHM_OK);
  cr_assert_eq(seq_of(record), 2, "the first that the book had not seen");
  mdshm_tape_close(tape);

  cr_assert_eq(mdshm_tape_open(shm, 0, MDSHM_FROM_OLDEST, &tape), MDSHM_OK);
  for (uint64_t seq = 1; seq <= 3; seq++) {
    cr_assert_eq(mdshm_tape_next(tape, &record, &bytes, &lost), MDSHM_OK);
    cr_assert_eq(seq_of(record), seq);
  }
  uint64_t before = w.write;
  for (uint64_t seq = 4; seq <= 2000; seq++)
    write_trade(&w, seq);
  cr_assert_eq(mdshm_tape_next(tape, &record, &bytes, &lost), MDSHM_LAPPED);
  cr_assert_eq(lost, w.write - before);
  write_trade(&w, 2001);
  cr_assert_eq(mdshm_tape_next(tape, &record, &bytes, &lost), MDSHM_OK);
  cr_assert_eq(seq_of(record), 2001);
  cr_assert_eq(lost, 0);
  mdshm_tape_close(tape);
  mdshm_close(shm);
}

/* ---- metrics ---- */

Test(mdshm, counters_and_latencies_are_read_by_name) {
  mdshm_t *shm = open_unit();
  uint64_t value, ns, cnt;
  md_count(&engine.metrics[0], MD_COUNTER_FRAMES, 41);
  md_count(&engine.metrics[0], MD_COUNTER_FRAMES, 1);
  md_stage_add(&engine.metrics[0], MD_STAGE_DECODE, 20);
  cr_assert_eq(mdshm_counter(shm, 0, "mdengine_feed_frames_total", &value), MDSHM_OK);
  cr_assert_eq(value, 42);
  cr_assert_eq(mdshm_counter(shm, 1, "mdengine_feed_frames_total", &value), MDSHM_OK);
  cr_assert_eq(value, 0);
  cr_assert_eq(mdshm_counter(shm, 0, "nothing", &value), MDSHM_ABSENT);
  cr_assert_eq(mdshm_counter(shm, 3, "mdengine_feed_frames_total", &value), MDSHM_ABSENT);
  cr_assert_str_eq(mdshm_counter_name(0), "mdengine_feed_frames_total");
  cr_assert_null(mdshm_counter_name(MD_COUNTER_CNT));
  cr_assert_eq(mdshm_stage_quantile(shm, 0, mdshm_stage_name(MD_STAGE_DECODE), 500000, &ns, &cnt),
               MDSHM_OK);
  cr_assert_eq(ns, 20);
  cr_assert_eq(cnt, 1);
  mdshm_close(shm);
}

Test(mdshm, decimals_are_exact_text) {
  char out[192];
  cr_assert_eq(mdshm_decimal(6183763, -2, out, sizeof out), 8);
  cr_assert_str_eq(out, "61837.63");
  cr_assert_eq(mdshm_decimal(1, -2, out, 10), 0);
  cr_assert_eq(mdshm_decimal(1, 200, out, sizeof out), 0);
  cr_assert_gt(mdshm_decimal(INT64_MIN, -128, out, sizeof out), 0);
}

/* ---- hostile segments ---- */

static void
use_tape(mdshm_t *shm, uint32_t feed) {
  mdshm_tape_t *tape;
  const void   *record;
  size_t        bytes;
  uint64_t      lost;
  static char   json[1u << 18];
  if (mdshm_tape_open(shm, feed, MDSHM_FROM_OLDEST, &tape) != MDSHM_OK) return;
  for (int i = 0; i < 50; i++) {
    if (mdshm_tape_next(tape, &record, &bytes, &lost) != MDSHM_OK) break;
    (void)mdshm_record_json(record, bytes, NULL, json, sizeof json);
  }
  mdshm_tape_close(tape);
}

/* Calls everything; answers do not matter, ends do. */
static void
use_all(mdshm_t *shm) {
  mdshm_info_t       info       = {.struct_size = sizeof info};
  mdshm_instrument_t instrument = {.struct_size = sizeof instrument};
  mdshm_top_t        top        = {.struct_size = sizeof top};
  mdshm_ladder_t     ladder     = {.struct_size = sizeof ladder};
  mdshm_feed_t       feed       = {.struct_size = sizeof feed};
  mdshm_thread_t     thread     = {.struct_size = sizeof thread};
  mdshm_stream_t     stream     = {.struct_size = sizeof stream};
  mdshm_level_t      bids[64], asks[64];
  mdshm_depth_t depth = {.struct_size = sizeof depth, .max_levels = 64, .bids = bids, .asks = asks};
  uint32_t      at, sum = 0;
  uint64_t      value, cnt;
  sum += mdshm_info(shm, &info) + mdshm_check(shm);
  sum += mdshm_instrument_find(shm, MDSHM_ANY_FEED, "BTCUSDT", &at);
  for (uint32_t i = 0; i < 10; i++) {
    sum += mdshm_instrument_get(shm, i, &instrument) + mdshm_read_top(shm, i, AGE_NS, &top);
    sum += mdshm_read_ladder(shm, i, 0, &ladder) + mdshm_read_depth(shm, i, AGE_NS, &depth);
    sum +=
        mdshm_feed(shm, i, &feed) + mdshm_thread(shm, i, &thread) + mdshm_stream(shm, i, &stream);
    sum += mdshm_counter(shm, i, "mdengine_feed_frames_total", &value);
    sum += mdshm_stage_quantile(shm, i, mdshm_stage_name(0), 990000, &value, &cnt);
    sum += mdshm_feed_check(shm, i, 0);
    use_tape(shm, i);
  }
  cr_assert_lt(sum, 100000u);
}

/* Where a change of bytes means most: the first word of each thing that is looked at. */
static uint64_t
pick_place(uint64_t random) {
  const md_section_t *c        = engine.section;
  const uint64_t      places[] = {0,
                                  offsetof(md_segment_header_t, section),
                                  c[MD_SECTION_THREADS].off,
                                  c[MD_SECTION_FEEDS].off + 64,
                                  c[MD_SECTION_STREAMS].off + 32,
                                  c[MD_SECTION_INSTRUMENTS].off,
                                  c[MD_SECTION_INSTRUMENTS].off + sizeof(md_instruments_t) + 320,
                                  c[MD_SECTION_TAPES].off,
                                  c[MD_SECTION_TAPES].off + MD_CACHE_BLOCK,
                                  c[MD_SECTION_TAPES].off + 8192,
                                  c[MD_SECTION_BOOKS].off,
                                  c[MD_SECTION_BOOKS].off + MD_CACHE_BLOCK,
                                  c[MD_SECTION_BOOKS].off + 3 * MD_CACHE_BLOCK};
  uint64_t            base     = places[random % MD_CNT(places)];
  uint64_t            spread   = (random >> 8) % 4 ? 256 : 4096;
  return (base + (random >> 16) % spread) % engine.bytes;
}

Test(mdshm, mutated_segments_give_answers_and_no_crash, .timeout = 100) {
  const char      *given  = getenv("MD_SEED");
  uint64_t         state  = given ? strtoull(given, NULL, 10) | 1 : 88172645463325252u;
  unsigned         opened = 0, refused = 0;
  md_tape_writer_t w;
  char             path[128];
  md_tape_writer_init(&w, md_segment_tape(&engine, 0));
  for (uint64_t seq = 1; seq <= 900; seq++)
    write_trade(&w, seq);
  (void)snprintf(path, sizeof path, "%s/mdengine.bad", test_dir);
  write_file(path, engine.base, engine.bytes);
  FILE *file = fopen(path, "r+");
  cr_assert(file);
  for (unsigned turn = 0; turn < 4000; turn++) {
    uint64_t at[4];
    unsigned changes = 1 + turn % 4;
    for (unsigned i = 0; i < changes; i++) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      at[i]           = pick_place(state);
      uint64_t random = state * 2685821657736338717u;
      uint8_t  byte   = (random >> 32) % 3 ? (uint8_t)random : (random >> 40) % 2 ? 0xff : 0;
      cr_assert_eq(pwrite(fileno(file), &byte, 1, (off_t)at[i]), 1);
    }
    mdshm_t *shm;
    if (mdshm_open(test_dir, "bad", 0, &shm, NULL, 0) == MDSHM_OK) {
      opened++;
      use_all(shm);
      mdshm_close(shm);
    } else {
      refused++;
    }
    for (unsigned i = 0; i < changes; i++)
      cr_assert_eq(pwrite(fileno(file), engine.base + at[i], 1, (off_t)at[i]), 1);
  }
  (void)fclose(file);
  cr_assert(opened > 500 && refused > 100, "opened %u, refused %u", opened, refused);
}

/* The same, but the bytes change under a reader that has checked them already. */
Test(mdshm, bytes_that_change_after_the_open_give_answers_and_no_crash, .timeout = 100) {
  uint64_t         state = 1234567;
  mdshm_t         *shm   = open_unit();
  md_tape_writer_t w;
  md_tape_writer_init(&w, md_segment_tape(&engine, 0));
  for (uint64_t seq = 1; seq <= 900; seq++)
    write_trade(&w, seq);
  use_all(shm);
  uint8_t *saved = malloc(engine.bytes);
  memcpy(saved, engine.base, engine.bytes);
  for (unsigned turn = 0; turn < 4000; turn++) {
    uint64_t at[4];
    for (unsigned i = 0; i < 4; i++) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      at[i]              = pick_place(state);
      engine.base[at[i]] = (uint8_t)(state >> 50);
    }
    use_all(shm);
    for (unsigned i = 0; i < 4; i++)
      engine.base[at[i]] = saved[at[i]];
  }
  free(saved);
  mdshm_close(shm);
}
