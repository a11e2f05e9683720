/* stress_feed_thread.c - a feed thread at full speed between its journal, its tools and a stop.
 *
 * Plays our own recording with a small ring while one thread takes records and asks for checkpoints
 * and another asks for digests, as `book --digest` does. Nothing may be lost (the source is held
 * back), every checkpoint is answered once, every digest at a sequence point: two equal positions
 * have equal digests, and the last one is that of the book after the join. Exit 0 ok, 1 failed. */
#include "feeds/feed_thread.h"
#include "feeds/recording.h"
#include "feeds/venue.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RECORDING  "tests/fixtures/binance_spot/demo.wscap.zst"
#define RING_BYTES (1u << 20)
#define LOOKS_MAX  600000

static md_segment_t        segment;
static md_atomic_u64       ended, halt;
static md_command_answer_t last_answer;
static uint64_t            digest_cnt;

static int
fail(const char *what) {
  fprintf(stderr, "stress_feed_thread: %s\n", what);
  return 1;
}

static void
on_end(void *ctx, uint16_t feed_index, md_err_t err, const md_msg_t *msg) {
  (void)ctx;
  (void)feed_index;
  if (err != MD_ERR_END) (void)fail(msg->text);
  md_store_relaxed(&ended, err == MD_ERR_END ? 1 : 2);
}

/* Asks for digests until told to halt; arg is not NULL when something was wrong. */
static void *
ask_digests(void *arg) {
  md_command_slot_t  *slot = md_segment_command(&segment, 0);
  md_command_answer_t answer;
  memset(&answer, 0, sizeof answer);
  while (!md_load_relaxed(&halt)) {
    if (md_command_ask(slot, MD_COMMAND_DIGEST, 1, 60000, &answer)) return arg;
    if (answer.err == MD_ERR_ABSENT) continue;
    if (answer.last_seq < last_answer.last_seq) return arg;
    if (answer.last_seq == last_answer.last_seq && strcmp(answer.digest, last_answer.digest) != 0) {
      return arg;
    }
    last_answer = answer;
    digest_cnt++;
  }
  return NULL;
}

/* Takes records as the journal does, with a new checkpoint request whenever the last was answered.
 */
static int
take_records(md_ring_t *ring) {
  md_ring_consumer_t c;
  const md_record_t *rec;
  uint64_t           asked = 1, idle_cnt = 0;
  md_ring_consumer_init(&c, ring);
  md_store_relaxed(&ring->checkpoint_request, asked);
  while (idle_cnt < LOOKS_MAX) {
    bool was_ended = md_load_relaxed(&ended) != 0;
    bool found     = false;
    while ((rec = md_ring_next(&c)) != NULL) {
      const md_checkpoint_t *k = md_record_body_const(rec);
      if (rec->type == MD_RECORD_LOSS) return fail("records were lost");
      if (rec->type == MD_RECORD_CHECKPOINT && k->request != asked) {
        return fail("a checkpoint that nobody asked for");
      }
      if (rec->type == MD_RECORD_CHECKPOINT && k->inner == MD_CHECKPOINT_END) {
        md_store_relaxed(&ring->checkpoint_request, ++asked);
      }
      found = true;
    }
    md_ring_release(&c, c.read, c.handed_cnt);
    if (was_ended && asked > 20) return 0;
    if (!found) {
      struct timespec ts = {.tv_nsec = 100000};
      nanosleep(&ts, NULL);
    }
    idle_cnt = found ? 0 : idle_cnt + 1;
  }
  return fail("nothing came for a minute");
}

static md_err_t
make_segment(md_msg_t *msg) {
  char                name[24];
  int                 lock   = -1;
  md_segment_feed_t   feed   = {"binance_spot", "binance_spot", 1, 2, true, 0, 1u << 20};
  md_segment_ring_t   ring   = {0, 0, "binance_spot.journal", RING_BYTES};
  md_segment_thread_t thread = {"feed:binance_spot", MD_THREAD_FEED, 0, -1};
  md_segment_config_t cfg = {.name = name, .dir = "/dev/shm", .epoch = 1, .next_instrument_id = 1};
  snprintf(name, sizeof name, "stress-%d", (int)getpid());
  cfg.instrument_capacity = 16;
  cfg.book_bytes          = 4u << 20;
  cfg.feeds               = &feed;
  cfg.rings               = &ring;
  cfg.threads             = &thread;
  cfg.feed_cnt = cfg.ring_cnt = cfg.thread_cnt = 1;

  md_err_t err = md_segment_lock(cfg.dir, name, &lock, msg);
  if (err) return err;
  err = md_segment_new(&cfg, lock, md_clock_system(), &segment, msg);
  if (err == MD_OK) md_segment_ready(&segment);
  return err;
}

static md_err_t
make_feed(md_feed_t **feed, md_msg_t *msg) {
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
                          .segment          = &segment,
                          .metrics          = &segment.metrics[0],
                          .clock            = md_clock_system()};
  md_err_t         err = md_feed_new(&cfg, feed, msg);
  if (err) return err;
  md_out_t *out                 = md_feed_out(*feed);
  out->ring_cnt                 = 1;
  out->ring[0].wants_raw        = true;
  out->ring[0].wants_checkpoint = true;
  md_ring_producer_init(&out->ring[0].producer, md_segment_ring(&segment, 0));
  return MD_OK;
}

static int
play(md_feed_t *feed, md_recording_t *recording, md_msg_t *msg) {
  md_feed_thread_t       *thread;
  pthread_t               tools;
  void                   *wrong = NULL;
  md_feed_thread_config_t cfg   = {.feed      = feed,
                                   .source    = md_recording_source(recording),
                                   .segment   = &segment,
                                   .core      = -1,
                                   .idle      = MD_IDLE_YIELD,
                                   .hold_back = true,
                                   .clock     = md_clock_system(),
                                   .on_end    = on_end};
  if (md_feed_thread_start(&cfg, &thread, msg)) return fail(msg->text);
  if (pthread_create(&tools, NULL, ask_digests, &segment)) return fail("no second thread");
  int rc = take_records(md_segment_ring(&segment, 0));
  md_store_relaxed(&halt, 1);
  pthread_join(tools, &wrong);
  md_feed_thread_stop(thread);
  if (wrong) rc = fail("a digest did not belong to its sequence");
  return rc;
}

int
main(void) {
  md_msg_t            msg       = {0};
  md_feed_t          *feed      = NULL;
  md_recording_t     *recording = NULL;
  md_command_answer_t after;
  if (md_recording_open(RECORDING, 0, NULL, &recording, &msg)) return fail(msg.text);
  if (make_segment(&msg)) return fail(msg.text);
  if (make_feed(&feed, &msg)) return fail(msg.text);

  int rc = play(feed, recording, &msg);
  if (md_feed_digest(feed, 1, &after)) rc = fail("the first instrument is not there");
  if (digest_cnt == 0) rc = fail("no digest was answered");
  if (after.last_seq < last_answer.last_seq) rc = fail("the book went back");
  printf("stress_feed_thread: %llu digests, the last at seq %llu of %llu\n",
         (unsigned long long)digest_cnt, (unsigned long long)last_answer.last_seq,
         (unsigned long long)after.last_seq);
  md_feed_delete(feed);
  md_segment_delete(&segment);
  return rc;
}
