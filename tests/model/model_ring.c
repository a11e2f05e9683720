/* The SPSC ring: what is handed out is what was written, in order, and what is missing is declared;
 * the account balances at every look; a producer that takes over goes on where the old one died. */
#include "shm/ring.h"
#include "tests/model/model.h"

#define CAPACITY_BYTES 512u
#define STREAM         7u

static _Alignas(MD_CACHE_BLOCK) uint8_t mem[sizeof(md_ring_t) + CAPACITY_BYTES];
static md_ring_t *const   ring = (md_ring_t *)(void *)mem;
static md_ring_producer_t producer;
static md_ring_consumer_t consumer;
static uint64_t           next_seq; /* what the consumer must see next */
static uint64_t           read_cnt, lost_cnt;

/* A record whose words all say its seq. */
typedef struct test_record {
  md_record_t head;
  uint64_t    word[24];
} test_record_t;

static test_record_t scratch; /* the producer's */

static void
make(uint64_t seq, uint32_t bytes) {
  memset(&scratch, 0, sizeof scratch);
  scratch.head.len    = (uint16_t)bytes;
  scratch.head.type   = MD_RECORD_TRADE;
  scratch.head.stream = STREAM;
  scratch.head.seq    = seq;
  for (uint32_t i = 0; sizeof(md_record_t) + 8ull * i < bytes; i++)
    scratch.word[i] = seq * 100 + i;
}

static void
offer(uint64_t seq, uint32_t bytes) {
  make(seq, bytes);
  (void)md_ring_write_group(&producer, &scratch.head, 1, bytes);
  md_ring_publish(&producer);
}

static void
setup_ring(void) {
  model_mark_plain(ring->data, CAPACITY_BYTES);
  model_mark_atomic(ring->data, CAPACITY_BYTES); /* any word may be the first of a record */
  model_mark_atomic(&ring->head, offsetof(md_ring_t, tail) - offsetof(md_ring_t, head));
  model_mark_atomic(&ring->tail, 24);
  memset(mem, 0, sizeof mem);
  model_check(md_ring_new(mem, "model.ring", 0, 0, 1, CAPACITY_BYTES) == MD_OK);
  md_ring_producer_init(&producer, ring);
  md_ring_consumer_init(&consumer, ring);
  next_seq = 1;
  read_cnt = lost_cnt = 0;
}

/* ---- records ---- */

static void
check_record(const md_record_t *rec) {
  model_check(rec->stream == STREAM);
  if (rec->type == MD_RECORD_LOSS) {
    const md_loss_t *loss = md_record_body_const(rec);
    model_check(loss->seq_first == next_seq);
    model_check(loss->record_cnt == loss->seq_last - loss->seq_first + 1);
    next_seq = loss->seq_last + 1;
    lost_cnt += loss->record_cnt;
    return;
  }
  const uint64_t *word = (const uint64_t *)(const void *)(rec + 1);
  model_check(rec->type == MD_RECORD_TRADE && rec->seq == next_seq);
  for (uint32_t i = 0; sizeof *rec + 8ull * i < rec->len; i++)
    model_check(word[i] == rec->seq * 100 + i);
  next_seq++;
  read_cnt++;
}

static void
consume(unsigned tries) {
  for (unsigned i = 0; i < tries; i++) {
    const md_record_t *rec = md_ring_next(&consumer);
    model_check(!consumer.damaged);
    if (rec != NULL) check_record(rec);
    md_ring_release(&consumer, consumer.read, consumer.handed_cnt);
  }
}

static void
ring_produce(void) {
  offer(1, 192);
  offer(2, 184);
  offer(3, 184);                   /* finds room only if the first was released: behind a pad */
  for (unsigned i = 0; i < 4; i++) /* the consumer gives back, or does not */
    if (md_ring_free_bytes(&producer) >= 192) break;
  offer(4, 96); /* over the second, or asks for room again, with a LOSS before it */
  if (md_ring_free_bytes(&producer) >= 192) offer(5, 192);
}

static void
ring_consume(void) {
  consume(6);
}

/* What nobody consumed is still there, whole, and every seq is accounted for. */
static void
ring_after(void) {
  consume(6);
  const uint64_t offered_cnt = producer.offered_cnt;
  model_check(next_seq + producer.loss[0].record_cnt == offered_cnt + 1);
  model_check(read_cnt == producer.published_cnt);
}

const model_t model_ring = {.name       = "ring",
                            .what       = "records come whole and in order, losses are declared",
                            .files      = " shm/ring.c shm/ring.h ",
                            .thread_cnt = 2,
                            .bound      = 3,
                            .setup      = setup_ring,
                            .thread     = {ring_produce, ring_consume},
                            .after      = ring_after};

/* ---- the account ---- */

static void
account_produce(void) {
  offer(1, 64);
  make(2, 64);
  md_ring_drop_group(&producer, &scratch.head, 1);
  md_ring_publish(&producer);
  offer(3, 64); /* behind the LOSS of 2 */
}

static void
account_consume(void) {
  consume(8);
}

static void
account_look(void) {
  static md_ring_stat_t stat;

  for (unsigned i = 0; i < 2; i++) {
    if (md_ring_stat(ring, &stat) != MD_OK) continue;
    model_check(stat.offered_cnt == stat.published_cnt + stat.lost_cnt);
    model_check(stat.consumed_cnt <= stat.published_cnt);
    model_check(stat.used_bytes <= 64 + 96 + 64);
  }
}

const model_t model_account = {.name  = "account",
                               .what  = "a look at a ring: offered = published + lost >= consumed",
                               .files = " shm/ring.c shm/ring.h ",
                               .thread_cnt = 3,
                               .bound      = 0,
                               .setup      = setup_ring,
                               .thread     = {account_produce, account_consume, account_look}};

/* ---- takeover ---- */

static void
takeover_produce(void) {
  offer(1, 192);
  offer(2, 184);
  make(3, 64); /* written and never published: the producer dies here */
  (void)md_ring_write_group(&producer, &scratch.head, 1, 64);
  md_ring_producer_init(&producer, ring);
  offer(3, 184);
  if (producer.loss[0].record_cnt == 0) offer(4, 64);
}

static void
takeover_consume(void) {
  consume(2);
  md_ring_consumer_init(&consumer, ring); /* a new consumer goes on at what was released */
  consume(3);
}

const model_t model_takeover = {.name       = "takeover",
                                .what       = "a ring goes on behind a producer that died",
                                .files      = " shm/ring.c shm/ring.h ",
                                .thread_cnt = 2,
                                .bound      = 3,
                                .setup      = setup_ring,
                                .thread     = {takeover_produce, takeover_consume}};
