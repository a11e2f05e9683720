#include "feeds/feed_thread.h"
#include "feeds/recording.h"
#include "feeds/venue.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GAP_RECORDING  "tests/fixtures/binance_spot/gap.wscap"
#define DEMO_RECORDING "tests/fixtures/binance_spot/demo.wscap.zst"

/* Looks that a test waits for another thread: fifty seconds, far beyond any machine's slowness. */
#define LOOKS_MAX 50000

/* Everything a feed thread needs, with the consuming side of its journal ring. */
typedef struct bench {
  md_segment_t       segment;
  md_feed_t         *feed;
  md_feed_thread_t  *thread;
  md_ring_consumer_t consumer;
  md_atomic_u64      end_cnt; /* relaxed: polled; the texts are read after the join */
  md_err_t           end_err;
  md_msg_t           end_msg;
} bench_t;

static void
look_again(void) {
  struct timespec ts = {.tv_nsec = 1000000};
  nanosleep(&ts, NULL);
}

static void
on_end(void *ctx, uint16_t feed_index, md_err_t err, const md_msg_t *msg) {
  bench_t *b = ctx;
  b->end_err = err;
  b->end_msg = *msg;
  cr_assert_eq(feed_index, 0);
  md_bump(&b->end_cnt, 1);
}

static void
wait_end(bench_t *b) {
  for (unsigned i = 0; i < LOOKS_MAX && md_load_relaxed(&b->end_cnt) == 0; i++) {
    look_again();
  }
  cr_assert_eq(md_load_relaxed(&b->end_cnt), 1);
}

static void
make_segment(bench_t *b, uint64_t ring_bytes) {
  md_msg_t            msg = {0};
  char                name[24];
  int                 lock   = -1;
  md_segment_feed_t   feed   = {.name       = "binance_spot",
                                .venue      = "binance_spot",
                                .stream     = 1,
                                .raw_stream = 2,
                                .keep_raw   = true,
                                .tape_bytes = 1u << 20};
  md_segment_ring_t   ring   = {.name = "binance_spot.journal", .capacity_bytes = ring_bytes};
  md_segment_thread_t thread = {.name = "feed:binance_spot", .kind = MD_THREAD_FEED, .core = -1};
  snprintf(name, sizeof name, "t-%d", (int)getpid());
  md_segment_config_t cfg = {.name                = name,
                             .dir                 = "/dev/shm",
                             .epoch               = 1,
                             .next_instrument_id  = 1,
                             .instrument_capacity = 16,
                             .book_bytes          = 4u << 20,
                             .feeds               = &feed,
                             .feed_cnt            = 1,
                             .rings               = &ring,
                             .ring_cnt            = 1,
                             .threads             = &thread,
                             .thread_cnt          = 1};
  cr_assert_eq(md_segment_lock(cfg.dir, name, &lock, &msg), MD_OK, "%s", msg.text);
  cr_assert_eq(md_segment_new(&cfg, lock, md_clock_system(), &b->segment, &msg), MD_OK, "%s",
               msg.text);
  md_segment_ready(&b->segment);
}

static bench_t *
bench_new(uint64_t ring_bytes) {
  md_msg_t msg = {0};
  bench_t *b   = calloc(1, sizeof *b);
  make_segment(b, ring_bytes);
  md_feed_config_t cfg = {.name             = "binance_spot",
                          .venue            = md_venue_find("binance_spot"),
                          .stream           = 1,
                          .raw_stream       = 2,
                          .epoch            = 1,
                          .keep_raw         = true,
                          .instrument_max   = 16,
                          .level_pool_bytes = 64u << 20,
                          .sync_pool_bytes  = 64u << 20,
                          .sync_queue_bytes = 8u << 20,
                          .segment          = &b->segment,
                          .metrics          = &b->segment.metrics[0],
                          .clock            = md_clock_system()};
  cr_assert_eq(md_feed_new(&cfg, &b->feed, &msg), MD_OK, "%s", msg.text);
  md_out_t *out                 = md_feed_out(b->feed);
  out->ring_cnt                 = 1;
  out->ring[0].wants_raw        = true;
  out->ring[0].wants_checkpoint = true;
  md_ring_producer_init(&out->ring[0].producer, md_segment_ring(&b->segment, 0));
  md_ring_consumer_init(&b->consumer, md_segment_ring(&b->segment, 0));
  out->stream_row = &b->segment.streams[b->segment.feeds[0].stream_row];
  out->raw_row    = &b->segment.streams[b->segment.feeds[0].raw_row];
  return b;
}

static void
bench_start(bench_t *b, md_source_t source, bool hold_back) {
  md_msg_t                msg = {0};
  md_feed_thread_config_t cfg = {.feed       = b->feed,
                                 .source     = source,
                                 .segment    = &b->segment,
                                 .core       = -1,
                                 .idle       = MD_IDLE_WAIT,
                                 .hold_back  = hold_back,
                                 .clock      = md_clock_system(),
                                 .on_end     = on_end,
                                 .on_end_ctx = b};
  cr_assert_eq(md_feed_thread_start(&cfg, &b->thread, &msg), MD_OK, "%s", msg.text);
}

static void
bench_play(bench_t *b, const char *path, bool hold_back) {
  md_msg_t        msg = {0};
  md_recording_t *r   = NULL;
  cr_assert_eq(md_recording_open(path, 0, NULL, &r, &msg), MD_OK, "%s", msg.text);
  bench_start(b, md_recording_source(r), hold_back);
}

static void
bench_delete(bench_t *b) {
  md_feed_thread_stop(b->thread);
  cr_assert_eq(md_load_relaxed(&b->segment.threads[0].state), MD_THREAD_HALT);
  md_feed_delete(b->feed);
  md_segment_delete(&b->segment);
  free(b);
}

/* Takes up to max records out of the ring; returns their number, and sees answered checkpoints. */
static uint64_t
drain(bench_t *b, uint64_t max, uint64_t *checkpoint) {
  const md_record_t *rec;
  uint64_t           cnt = 0;
  while (cnt < max && (rec = md_ring_next(&b->consumer)) != NULL) {
    const md_checkpoint_t *c = md_record_body_const(rec);
    if (rec->type == MD_RECORD_CHECKPOINT && c->inner == MD_CHECKPOINT_END) {
      cr_assert_gt(c->request, *checkpoint, "a request is answered once, in order");
      *checkpoint = c->request;
    }
    cnt++;
  }
  md_ring_release(&b->consumer, b->consumer.read, b->consumer.handed_cnt);
  return cnt;
}

static void
ask_checkpoint(bench_t *b, uint64_t number) {
  md_store_relaxed(&b->consumer.ring->checkpoint_request, number);
}

static void
drain_until_checkpoint(bench_t *b, uint64_t number) {
  uint64_t seen = number - 1;
  for (unsigned i = 0; i < LOOKS_MAX && seen < number; i++) {
    drain(b, UINT64_MAX, &seen);
    look_again();
  }
  cr_assert_eq(seen, number);
}

Test(feed_thread, plays_a_recording_then_lives_on_serving_digests) {
  bench_t            *b = bench_new(8u << 20);
  md_command_answer_t live, after;
  bench_play(b, GAP_RECORDING, false);
  wait_end(b);

  md_thread_row_t *row  = &b->segment.threads[0];
  uint64_t         beat = md_load_relaxed(&row->heartbeat_mono_ns);
  for (unsigned i = 0; i < LOOKS_MAX && md_load_relaxed(&row->heartbeat_mono_ns) == beat; i++) {
    look_again();
  }
  cr_assert_gt(md_load_relaxed(&row->heartbeat_mono_ns), beat);
  cr_assert_eq(md_load_relaxed(&row->state), MD_THREAD_RUN);
  cr_assert_eq(md_load_relaxed(&b->segment.feeds[0].input_state), MD_INPUT_ENDED);
  cr_assert_eq(md_load_relaxed(&b->segment.feeds[0].connect_cnt), 1);

  md_command_slot_t *slot = md_segment_command(&b->segment, 0);
  cr_assert_eq(md_command_ask(slot, MD_COMMAND_DIGEST, 1, 20000, &live), MD_OK);
  cr_assert_eq(live.err, MD_OK);
  cr_assert_eq(live.state, MD_BOOK_VALID, "a recording that ended leaves its books as they are");
  cr_assert_eq(live.trade_cnt, 30);
  cr_assert_str_eq(live.digest, "f2508b37a233ee414a34e42d13897607dc8bcad625584e4bc414ee6394ad0a6f");
  cr_assert_eq(md_command_ask(slot, MD_COMMAND_DIGEST, 999, 20000, &after), MD_OK);
  cr_assert_eq(after.err, MD_ERR_ABSENT);

  md_feed_thread_stop(b->thread);
  b->thread = NULL;
  cr_assert_eq(b->end_err, MD_ERR_END);
  bench_delete(b);
}

Test(feed_thread, answers_each_checkpoint_request_once) {
  bench_t *b = bench_new(8u << 20);
  bench_play(b, GAP_RECORDING, false);
  wait_end(b);
  ask_checkpoint(b, 1);
  drain_until_checkpoint(b, 1);
  ask_checkpoint(b, 2);
  drain_until_checkpoint(b, 2);
  bench_delete(b);
}

Test(feed_thread, checkpoint_that_finds_no_room_is_answered_later) {
  bench_t *b = bench_new(1u << 20);
  bench_play(b, DEMO_RECORDING, false);
  wait_end(b);
  md_ring_stat_t stat;
  cr_assert_eq(md_ring_stat(b->consumer.ring, &stat), MD_OK);
  cr_assert_gt(stat.lost_cnt, 0, "nobody took records: the ring was full and nothing waited");
  ask_checkpoint(b, 1);
  look_again();
  drain_until_checkpoint(b, 1);
  bench_delete(b);
}

Test(feed_thread, recording_at_full_speed_is_held_back_and_loses_nothing) {
  bench_t *b          = bench_new(1u << 20);
  uint64_t checkpoint = 0, cnt = 0;
  bench_play(b, DEMO_RECORDING, true);
  for (unsigned i = 0; i < LOOKS_MAX && md_load_relaxed(&b->end_cnt) == 0; i++) {
    cnt += drain(b, 500, &checkpoint); /* much slower than the feed */
    look_again();
  }
  wait_end(b);
  cnt += drain(b, UINT64_MAX, &checkpoint);
  md_ring_stat_t stat;
  cr_assert_eq(md_ring_stat(b->consumer.ring, &stat), MD_OK);
  cr_assert_eq(stat.lost_cnt, 0);
  cr_assert_eq(stat.published_cnt, cnt);
  cr_assert_gt(cnt, 100000);
  bench_delete(b);
}

/* ---- a source that fails ---- */

typedef struct broken_source {
  uint32_t left_cnt;
  uint32_t close_cnt;
  uint8_t  payload[128];
} broken_source_t;

static md_err_t
broken_next(void *ctx, md_input_t *out, int64_t *due_mono_ns, md_msg_t *msg) {
  broken_source_t *s = ctx;
  *due_mono_ns       = 0;
  if (s->left_cnt == 0) return md_fail(msg, MD_ERR_CORRUPT, "x.wscap:3: bad; the 2 messages count");
  s->left_cnt--;
  *out = (md_input_t){.kind     = MD_RAW_CONNECT,
                      .name     = "conn",
                      .name_len = 4,
                      .payload  = s->payload,
                      .len      = 5,
                      .recv_ns  = 1};
  return MD_OK;
}

static void
broken_close(void *ctx) {
  broken_source_t *s = ctx;
  s->close_cnt++;
}

Test(feed_thread, failed_source_is_told_once_and_written_down) {
  bench_t        *b = bench_new(MD_RING_BYTES_MIN);
  broken_source_t s = {.left_cnt = 2, .payload = "wss:/"};
  bench_start(b, (md_source_t){.next = broken_next, .close = broken_close, .ctx = &s}, true);
  wait_end(b);
  cr_assert_eq(md_load_relaxed(&b->segment.feeds[0].input_state), MD_INPUT_FAILED);
  cr_assert_eq(md_load_relaxed(&b->segment.threads[0].last_err), (uint64_t)-MD_ERR_CORRUPT);
  cr_assert_eq(md_load_relaxed(&b->segment.errlog->row_cnt), 1);
  cr_assert_str_eq(b->segment.errlog->row[0].text, "x.wscap:3: bad; the 2 messages count");
  /* It lives on: a checkpoint is still answered, and the end is not told again. */
  ask_checkpoint(b, 1);
  drain_until_checkpoint(b, 1);
  md_feed_thread_stop(b->thread);
  cr_assert_eq(s.close_cnt, 1);
  cr_assert_eq(md_load_relaxed(&b->end_cnt), 1);
  cr_assert_eq(b->end_err, MD_ERR_CORRUPT);
  cr_assert_str_eq(b->end_msg.text, "x.wscap:3: bad; the 2 messages count");
  md_feed_delete(b->feed);
  md_segment_delete(&b->segment);
  free(b);
}

Test(feed_thread, core_that_is_not_there_is_a_clear_error) {
  bench_t                *b       = bench_new(MD_RING_BYTES_MIN);
  broken_source_t         s       = {0};
  md_msg_t                msg     = {0};
  md_feed_thread_t       *t       = NULL;
  const int               cores[] = {1000, 100000};
  md_feed_thread_config_t cfg     = {.feed    = b->feed,
                                     .source  = {.next = broken_next, .close = broken_close, .ctx = &s},
                                     .segment = &b->segment,
                                     .clock   = md_clock_system()};
  for (unsigned i = 0; i < MD_CNT(cores); i++) {
    cfg.core = cores[i];
    cr_assert_eq(md_feed_thread_start(&cfg, &t, &msg), MD_ERR_CONFIG);
    cr_assert_not_null(strstr(msg.text, "core 1000"), "%s", msg.text);
  }
  md_feed_delete(b->feed);
  md_segment_delete(&b->segment);
  free(b);
}

/* A source that has nothing, and says whether it reaches its exchange. */
typedef struct remote_source {
  md_atomic_u64 connected;
} remote_source_t;

static md_err_t
remote_next(void *ctx, md_input_t *out, int64_t *due_mono_ns, md_msg_t *msg) {
  (void)ctx;
  (void)out;
  (void)msg;
  *due_mono_ns = 0;
  return MD_ERR_EMPTY;
}

static void
remote_close(void *ctx) {
  (void)ctx;
}

static bool
remote_connected(void *ctx) {
  remote_source_t *s = ctx;
  return md_load_relaxed(&s->connected) != 0;
}

static void
want_input_state(const bench_t *b, uint64_t state) {
  const md_atomic_u64 *now = &b->segment.feeds[0].input_state;
  for (unsigned i = 0; i < LOOKS_MAX && md_load_relaxed(now) != state; i++)
    look_again();
  cr_assert_eq(md_load_relaxed(now), state);
}

Test(feed_thread, defect_a_feed_that_lost_its_venue_does_not_stay_live) {
  bench_t        *b = bench_new(MD_RING_BYTES_MIN);
  remote_source_t s = {0};
  bench_start(
      b,
      (md_source_t){
          .next = remote_next, .close = remote_close, .connected = remote_connected, .ctx = &s},
      false);
  want_input_state(b, MD_INPUT_CONNECTING);
  md_store_relaxed(&s.connected, 1);
  want_input_state(b, MD_INPUT_LIVE);
  md_store_relaxed(&s.connected, 0);
  want_input_state(b, MD_INPUT_CONNECTING);
  md_store_relaxed(&s.connected, 1);
  want_input_state(b, MD_INPUT_LIVE);
  md_feed_thread_stop(b->thread);
  md_feed_delete(b->feed);
  md_segment_delete(&b->segment);
  free(b);
}
