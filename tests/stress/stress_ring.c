/* Producer and consumer on one ring; the consumer also looks at the account. Every word of a record
 * follows from its stream and seq; every seq must come in order or lie in a declared range; the
 * account must balance at every look. Argument: records to offer. */
#include <pthread.h>
#include <sched.h>

#include "shm/ring.h"
#include "tests/stress/stress.h"

#define CAPACITY_BYTES MD_RING_BYTES_MIN
#define STREAM_CNT     2u
#define RECORD_BYTES   512u /* largest in this program */
#define GROUP_CNT      4u

/* Records between two rows of looks. Who looks at the account synchronises with the producer by
 * that, so most records are read without: else a publication that orders nothing would go unseen.
 */
#define LOOK_EVERY 32u

typedef struct shared {
  md_ring_t         *ring;
  uint64_t           offer_cnt;
  md_ring_producer_t producer;
  md_atomic_u64      stop;                                         /* the producer is through */
  md_atomic_u64      done;                                         /* the consumer is through */
  uint64_t           read_cnt, lost_cnt, loss_record_cnt, bad_cnt; /* of the consumer */
  uint64_t           stat_cnt, stat_busy_cnt, stat_bad_cnt;        /* of its looks at the account */
} shared_t;

static uint64_t
word_of(uint16_t stream, uint64_t seq, uint32_t i) {
  return stress_mix(seq * 64 + i + ((uint64_t)stream << 56));
}

static uint32_t
record_make(uint8_t *to, uint16_t stream, uint64_t seq) {
  const uint32_t word_cnt = (uint32_t)(word_of(stream, seq, 63) % ((RECORD_BYTES - 64) / 8 + 1));
  md_record_t    rec      = {.len        = (uint16_t)(sizeof rec + 8 * word_cnt),
                             .type       = MD_RECORD_TRADE,
                             .stream     = stream,
                             .seq        = seq,
                             .exch_seq   = word_of(stream, seq, 62),
                             .ts_recv_ns = (int64_t)word_of(stream, seq, 61)};

  memcpy(to, &rec, sizeof rec);
  for (uint32_t i = 0; i < word_cnt; i++) {
    const uint64_t word = word_of(stream, seq, i);
    memcpy(to + sizeof rec + 8ull * i, &word, sizeof word);
  }
  return rec.len;
}

static void *
produce(void *arg) {
  _Alignas(8) uint8_t group[GROUP_CNT * RECORD_BYTES];
  shared_t           *s               = arg;
  md_ring_producer_t *p               = &s->producer;
  uint64_t            state           = 1;
  uint64_t            seq[STREAM_CNT] = {0};

  for (uint64_t offered_cnt = 0; offered_cnt < s->offer_cnt;) {
    if (md_load_relaxed(&s->done) != 0) break; /* the consumer gave up; only a hint */
    const uint64_t r     = stress_next(&state);
    const uint32_t cnt   = (uint32_t)(r % GROUP_CNT) + 1;
    uint64_t       bytes = 0;
    for (uint32_t i = 0; i < cnt; i++) {
      const uint16_t stream = (uint16_t)(r >> (8 + i)) % STREAM_CNT;
      bytes += record_make(group + bytes, stream, ++seq[stream]);
    }
    /* Wait for room, so that records flow, but not long: sometimes a full ring must be met. */
    for (unsigned turn = 0; turn < 200; turn++) {
      if (md_ring_free_bytes(p) >= sizeof group + 2 * RECORD_BYTES) break;
      md_ring_publish(p);
      sched_yield();
    }
    (void)md_ring_write_group(p, (const md_record_t *)(const void *)group, cnt, bytes);
    if ((r >> 28 & 7) == 0) md_ring_publish(p);
    offered_cnt += cnt;
  }
  md_ring_publish(p);
  md_store_release(&s->stop, 1); /* R5: after the last publish; pairs with A5 */
  return NULL;
}

static bool
record_is_right(const md_record_t *rec, uint64_t seq) {
  _Alignas(8) uint8_t want[RECORD_BYTES];

  if (rec->type != MD_RECORD_TRADE || rec->seq != seq) return false;
  const uint32_t len = record_make(want, rec->stream, seq);
  return rec->len == len && memcmp(rec, want, len) == 0;
}

/* consume_one checks one record against what must come next in its stream. */
static void
consume_one(shared_t *s, const md_record_t *rec, uint64_t *want) {
  if (rec->stream >= STREAM_CNT) {
    s->bad_cnt++;
  } else if (rec->type == MD_RECORD_LOSS) {
    const md_loss_t *loss = md_record_body_const(rec);
    if (loss->seq_first != want[rec->stream]) s->bad_cnt++;
    if (loss->record_cnt != loss->seq_last - loss->seq_first + 1) s->bad_cnt++;
    want[rec->stream] = loss->seq_last + 1;
    s->lost_cnt += loss->record_cnt;
    s->loss_record_cnt++;
  } else {
    if (!record_is_right(rec, want[rec->stream])) s->bad_cnt++;
    want[rec->stream] = rec->seq + 1;
    s->read_cnt++;
  }
}

/* look checks one account; the producer may be changing it right now. */
static uint64_t
look(shared_t *s) {
  md_ring_stat_t stat = {0};

  s->stat_cnt++;
  if (md_ring_stat(s->ring, &stat) != MD_OK) {
    s->stat_busy_cnt++;
  } else if (stat.offered_cnt != stat.published_cnt + stat.lost_cnt ||
             stat.consumed_cnt > stat.published_cnt || stat.used_bytes > CAPACITY_BYTES) {
    s->stat_bad_cnt++;
  }
  return stat.lost_cnt;
}

/* stall lets the producer come round to the record that the consumer holds, until it drops one. */
static void
stall(shared_t *s) {
  const uint64_t lost_cnt = look(s);

  for (unsigned turn = 0; turn < 2000 && look(s) == lost_cnt; turn++)
    sched_yield();
}

static void *
consume(void *arg) {
  shared_t          *s                = arg;
  uint64_t           want[STREAM_CNT] = {1, 1};
  uint64_t           state            = 2;
  md_ring_consumer_t c;

  md_ring_consumer_init(&c, s->ring);
  for (;;) {
    const uint64_t stop = md_load_acquire(&s->stop); /* A5: before the last look; pairs with R5 */
    const md_record_t *rec = md_ring_next(&c);
    const uint64_t     r   = stress_next(&state);
    if (rec == NULL) {
      md_ring_release(&c, c.read, c.handed_cnt);
      if (stop != 0 || c.damaged || s->bad_cnt > 100) break;
      sched_yield();
      continue;
    }
    if (r % 16384 == 0) {
      stall(s);
    } else if ((r >> 20) % LOOK_EVERY == 0) {
      for (unsigned i = 0; i < 8 * LOOK_EVERY; i++)
        (void)look(s);
    }
    consume_one(s, rec, want);
    if (s->bad_cnt > 100) break;
    if (r >> 16 & 3) md_ring_release(&c, c.read, c.handed_cnt);
  }
  if (c.damaged) s->bad_cnt++;
  md_ring_release(&c, c.read, c.handed_cnt);
  md_store_relaxed(&s->done, 1); /* only a hint: the counts are read after the join */
  return NULL;
}

int
main(int argc, char **argv) {
  static shared_t s;
  pthread_t       threads[2];
  md_ring_stat_t  stat;

  s.offer_cnt = stress_argument(argc, argv, 3000000);
  s.ring      = stress_memory(md_ring_footprint(CAPACITY_BYTES));
  md_assert(md_ring_new(s.ring, "stress.ring", 0, 0, 1, CAPACITY_BYTES) == MD_OK);
  md_ring_producer_init(&s.producer, s.ring);
  md_assert(pthread_create(&threads[0], NULL, produce, &s) == 0);
  md_assert(pthread_create(&threads[1], NULL, consume, &s) == 0);
  pthread_join(threads[0], NULL);
  pthread_join(threads[1], NULL);
  const uint64_t undeclared_cnt = s.producer.loss[0].record_cnt + s.producer.loss[1].record_cnt;
  const bool balanced = md_ring_stat(s.ring, &stat) == MD_OK && stat.consumed_cnt == s.read_cnt &&
                        stat.published_cnt == s.read_cnt &&
                        stat.lost_cnt == s.lost_cnt + undeclared_cnt;
  printf("ring: %" PRIu64 " records read, %" PRIu64 " lost in %" PRIu64 " LOSS, %" PRIu64
         " wrong; account %s, %" PRIu64 " looks (%" PRIu64 " busy, %" PRIu64 " unbalanced)\n",
         s.read_cnt, s.lost_cnt, s.loss_record_cnt, s.bad_cnt, balanced ? "balanced" : "UNBALANCED",
         s.stat_cnt, s.stat_busy_cnt, s.stat_bad_cnt);
  free(s.ring);
  return s.bad_cnt == 0 && s.stat_bad_cnt == 0 && balanced && s.loss_record_cnt > 0 ? 0 : 1;
}
