/* The ring on one thread: what is dropped, declared, wrapped, counted and found again. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "shm/ring.h"

#define CAPACITY MD_RING_BYTES_MIN

typedef union buffer {
  md_record_t head;
  uint8_t     bytes[MD_RECORD_BYTES_MAX];
} buffer_t;

static uint64_t
next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static md_ring_t *
ring_make(void) {
  const uint64_t bytes = md_ring_footprint(CAPACITY);
  void          *mem   = aligned_alloc(MD_CACHE_BLOCK, bytes);
  md_ring_t     *ring;

  memset(mem, 0xa5, bytes);
  cr_assert_eq(md_ring_new(mem, "binance_spot.journal", 3, 1, 7, CAPACITY), MD_OK);
  cr_assert_eq(md_ring_join(mem, bytes, &ring), MD_OK);
  return ring;
}

/* record_fill makes a record whose every byte behind the header follows from its sequence. */
static const md_record_t *
record_fill(buffer_t *out, uint16_t stream, uint64_t seq, uint32_t len) {
  memset(&out->head, 0, sizeof out->head);
  out->head.len        = (uint16_t)len;
  out->head.type       = MD_RECORD_TRADE;
  out->head.stream     = stream;
  out->head.seq        = seq;
  out->head.ts_recv_ns = (int64_t)(seq * 3);
  out->head.ts_pub_ns  = (int64_t)(seq * 5);
  memset(out->bytes + sizeof out->head, (int)(seq * 31 + stream), len - sizeof out->head);
  return &out->head;
}

static void
record_check(const md_record_t *rec, uint16_t stream, uint64_t seq, uint32_t len) {
  buffer_t want;

  cr_assert_not_null(rec);
  cr_assert_eq(rec->seq, seq, "seq %lu, not %lu", rec->seq, seq);
  cr_assert_eq(memcmp(rec, record_fill(&want, stream, seq, len), len), 0, "bytes of seq %lu", seq);
}

static md_err_t
put(md_ring_producer_t *p, uint16_t stream, uint64_t seq, uint32_t len) {
  buffer_t           buffer;
  const md_record_t *rec = record_fill(&buffer, stream, seq, len);

  return md_ring_write_group(p, rec, 1, len);
}

static void
loss_check(const md_record_t *rec, uint16_t stream, uint64_t first, uint64_t last, uint64_t next) {
  cr_assert_not_null(rec);
  cr_assert_eq(rec->type, MD_RECORD_LOSS);
  cr_assert_eq(rec->stream, stream);
  cr_assert_eq(rec->epoch, 7);
  cr_assert_eq(rec->seq, 0);
  cr_assert(rec->flags & MD_FLAG_LAST);
  cr_assert_eq(rec->ts_recv_ns, (int64_t)(next * 3));
  cr_assert_eq(rec->ts_pub_ns, (int64_t)(next * 5));
  const md_loss_t *loss = md_record_body_const(rec);
  cr_assert_eq(loss->seq_first, first);
  cr_assert_eq(loss->seq_last, last);
  cr_assert_eq(loss->record_cnt, last - first + 1);
  cr_assert_eq(loss->reason, MD_REASON_RING_FULL);
}

static void
stat_check(const md_ring_t *ring, uint64_t offered, uint64_t published, uint64_t consumed) {
  md_ring_stat_t stat;

  cr_assert_eq(md_ring_stat(ring, &stat), MD_OK);
  cr_assert_eq(stat.offered_cnt, offered);
  cr_assert_eq(stat.published_cnt, published);
  cr_assert_eq(stat.lost_cnt, offered - published);
  cr_assert_eq(stat.consumed_cnt, consumed);
}

Test(ring, nothing_is_visible_before_publish) {
  md_ring_t         *ring = ring_make();
  md_ring_producer_t p;
  md_ring_consumer_t c;

  md_ring_producer_init(&p, ring);
  md_ring_consumer_init(&c, ring);
  cr_assert_eq(put(&p, 1, 1, 96), MD_OK);
  cr_assert_null(md_ring_next(&c));
  stat_check(ring, 0, 0, 0);
  md_ring_publish(&p);
  record_check(md_ring_next(&c), 1, 1, 96);
  cr_assert_null(md_ring_next(&c));
  stat_check(ring, 1, 1, 0);
  md_ring_release(&c, c.read, c.handed_cnt);
  stat_check(ring, 1, 1, 1);
  cr_assert_eq(md_ring_free_bytes(&p), CAPACITY - MD_RING_WORD_BYTES);
  free(ring);
}

Test(ring, case_53_full_drops_whole_groups_and_declares_the_exact_range_of_each_stream) {
  md_ring_t         *ring = ring_make();
  md_ring_producer_t p;
  md_ring_consumer_t c;
  buffer_t           group;
  uint64_t           seq = 0;

  md_ring_producer_init(&p, ring);
  md_ring_consumer_init(&c, ring);
  while (seq < CAPACITY / 1024 - 1)
    cr_assert_eq(put(&p, 1, ++seq, 1024), MD_OK);
  cr_assert_eq(put(&p, 1, ++seq, 1024 - MD_RING_WORD_BYTES), MD_OK);
  cr_assert_eq(put(&p, 1, seq + 1, 64), MD_ERR_FULL);
  md_ring_publish(&p); /* the failed one was seq + 1 */
  /* A group of three of two streams, and a checkpoint that is not declared. */
  for (unsigned i = 0; i < 3; i++) {
    buffer_t one;
    memcpy(group.bytes + i * 64,
           record_fill(&one, i == 1 ? 2 : 1, i == 1 ? 50 : seq + 2 + i / 2, 64), 64);
  }
  cr_assert_eq(md_ring_write_group(&p, &group.head, 3, 192), MD_ERR_FULL);
  record_fill(&group, 1, 0, 256);
  group.head.type = MD_RECORD_CHECKPOINT;
  cr_assert_eq(md_ring_write_group(&p, &group.head, 1, 256), MD_ERR_FULL);
  md_ring_publish(&p);
  stat_check(ring, seq + 4, seq, 0);

  for (uint64_t i = 1; i < seq; i++)
    record_check(md_ring_next(&c), 1, i, 1024);
  record_check(md_ring_next(&c), 1, seq, 1024 - MD_RING_WORD_BYTES);
  md_ring_release(&c, c.read, c.handed_cnt);
  cr_assert_eq(put(&p, 1, seq + 4, 128), MD_OK);
  cr_assert_eq(put(&p, 1, seq + 5, 128), MD_OK);
  md_ring_publish(&p);
  loss_check(md_ring_next(&c), 1, seq + 1, seq + 3, seq + 4);
  loss_check(md_ring_next(&c), 2, 50, 50, seq + 4);
  record_check(md_ring_next(&c), 1, seq + 4, 128);
  record_check(md_ring_next(&c), 1, seq + 5, 128);
  cr_assert_null(md_ring_next(&c));
  md_ring_release(&c, c.read, c.handed_cnt);
  stat_check(ring, seq + 6, seq + 2, seq + 2);
  free(ring);
}

Test(ring, a_group_waits_until_its_losses_fit_with_it) {
  md_ring_t         *ring = ring_make();
  md_ring_producer_t p;
  md_ring_consumer_t c;

  md_ring_producer_init(&p, ring);
  md_ring_consumer_init(&c, ring);
  const uint64_t most = CAPACITY / 128 - 1;
  for (uint64_t seq = 1; seq <= most; seq++)
    cr_assert_eq(put(&p, 1, seq, 128), MD_OK);
  cr_assert_eq(put(&p, 1, most + 1, 128), MD_ERR_FULL);
  md_ring_publish(&p);
  record_check(md_ring_next(&c), 1, 1, 128);
  md_ring_release(&c, c.read, c.handed_cnt);
  /* 248 bytes are free: the record alone would fit, twice, the record with its LOSS does not. */
  cr_assert_eq(md_ring_free_bytes(&p), 256 - MD_RING_WORD_BYTES);
  cr_assert_eq(put(&p, 1, most + 2, 160), MD_ERR_FULL);
  record_check(md_ring_next(&c), 1, 2, 128);
  md_ring_release(&c, c.read, c.handed_cnt);
  cr_assert_eq(put(&p, 1, most + 3, 128), MD_OK);
  md_ring_publish(&p);
  for (uint64_t seq = 3; seq <= most; seq++)
    record_check(md_ring_next(&c), 1, seq, 128);
  loss_check(md_ring_next(&c), 1, most + 1, most + 2, most + 3);
  record_check(md_ring_next(&c), 1, most + 3, 128);
  free(ring);
}

Test(ring, a_group_above_half_the_capacity_is_dropped) {
  md_ring_t         *ring = ring_make();
  md_ring_producer_t p;
  uint8_t           *group = calloc(2, MD_RECORD_BYTES_MAX);
  buffer_t           one;

  md_ring_producer_init(&p, ring);
  memcpy(group, record_fill(&one, 1, 1, 32768), 32768);
  memcpy(group + 32768, record_fill(&one, 1, 2, 64), 64);
  cr_assert_eq(md_ring_write_group(&p, (const md_record_t *)(const void *)group, 2, 32832),
               MD_ERR_FULL);
  cr_assert_eq(md_ring_write_group(&p, (const md_record_t *)(const void *)group, 1, 32768), MD_OK,
               "half is allowed");
  free(group);
  free(ring);
}

Test(ring, a_record_wraps_whole_from_every_distance_to_the_end) {
  static const uint32_t lens[] = {64, 72, 1024, 32760, 32768};
  md_ring_t            *ring   = ring_make();
  uint64_t              seq    = 0;

  for (uint32_t left = 8; left <= 32768; left += 8) {
    md_ring_producer_t p;
    md_ring_consumer_t c;
    const uint32_t     len = lens[left / 8 % MD_CNT(lens)];

    md_store_relaxed(&ring->head, 5ull * CAPACITY - left);
    md_store_relaxed(&ring->tail, 5ull * CAPACITY - left);
    md_ring_producer_init(&p, ring);
    md_ring_consumer_init(&c, ring);
    cr_assert_eq(put(&p, 1, ++seq, len), MD_OK);
    md_ring_publish(&p);
    record_check(md_ring_next(&c), 1, seq, len);
    cr_assert_eq(c.read, 5ull * CAPACITY + (len > left ? len : (uint64_t)len - left), "left %u",
                 left);
    md_ring_release(&c, c.read, c.handed_cnt);
    cr_assert_eq(put(&p, 1, ++seq, 64), MD_OK);
    md_ring_publish(&p);
    record_check(md_ring_next(&c), 1, seq, 64);
    cr_assert_null(md_ring_next(&c));
    md_ring_release(&c, c.read, c.handed_cnt);
    cr_assert_eq(md_ring_free_bytes(&p), CAPACITY - MD_RING_WORD_BYTES);
  }
  stat_check(ring, seq, seq, seq);
  free(ring);
}

Test(ring, everything_from_the_released_tail_is_found_after_a_consumer_died) {
  const uint64_t     bytes = md_ring_footprint(CAPACITY);
  md_ring_t         *ring  = ring_make(), *again;
  md_ring_producer_t p;
  md_ring_consumer_t c;

  md_ring_producer_init(&p, ring);
  md_ring_consumer_init(&c, ring);
  for (uint64_t seq = 1; seq <= 20; seq++)
    cr_assert_eq(put(&p, 1, seq, 200), MD_OK);
  md_ring_publish(&p);
  cr_assert_eq(put(&p, 1, 21, 200), MD_OK); /* written, never published */
  for (uint64_t seq = 1; seq <= 5; seq++)
    record_check(md_ring_next(&c), 1, seq, 200);
  const uint64_t released = c.read, released_cnt = c.handed_cnt;
  for (uint64_t seq = 6; seq <= 9; seq++)
    record_check(md_ring_next(&c), 1, seq, 200);
  md_ring_release(&c, released, released_cnt);

  cr_assert_eq(md_ring_join(ring, bytes, &again), MD_OK);
  md_ring_consumer_init(&c, again);
  for (uint64_t seq = 6; seq <= 20; seq++)
    record_check(md_ring_next(&c), 1, seq, 200);
  cr_assert_null(md_ring_next(&c));
  cr_assert_not(c.damaged);
  cr_assert_eq(c.handed_cnt, 20);
  free(ring);
}

Test(ring, a_producer_that_died_in_its_account_leaves_no_odd_version) {
  md_ring_t         *ring = ring_make();
  md_ring_producer_t p;
  md_ring_stat_t     stat;

  md_ring_producer_init(&p, ring);
  cr_assert_eq(put(&p, 1, 1, 64), MD_OK);
  md_ring_publish(&p);
  md_store_relaxed(&ring->account_version, md_load_relaxed(&ring->account_version) | 1);
  md_store_relaxed(&ring->offered_cnt, 99);
  cr_assert_eq(md_ring_stat(ring, &stat), MD_ERR_BUSY);
  md_ring_producer_init(&p, ring);
  stat_check(ring, 1, 1, 0);
  free(ring);
}

/* ring_write_many puts records of a length, and publishes each batch_cnt of them. */
static void
ring_write_many(md_ring_producer_t *p, uint64_t *seq, uint32_t cnt, uint32_t len) {
  for (uint32_t i = 0; i < cnt; i++)
    cr_assert_eq(put(p, 1, ++*seq, len), MD_OK);
  md_ring_publish(p);
}

/* The engine dies between the account and the word that shows the batch: head and account know it,
 * the ring does not. Nobody sees it, and the next producer goes on where the words end. */
Test(ring, a_batch_whose_first_word_never_came_is_not_there_for_anyone) {
  for (uint32_t len = 64; len <= 520; len += 152) {
    const uint64_t     bytes = md_ring_footprint(CAPACITY);
    md_ring_t         *ring  = ring_make(), *again;
    md_ring_producer_t p;
    md_ring_consumer_t c;
    uint64_t           seq = 0;

    md_ring_producer_init(&p, ring);
    md_ring_consumer_init(&c, ring);
    for (unsigned i = 0; i < 400; i++) { /* some laps, so that what lies behind is not empty */
      ring_write_many(&p, &seq, 3, len);
      for (uint64_t n = seq - 2; n <= seq; n++)
        record_check(md_ring_next(&c), 1, n, len);
      md_ring_release(&c, c.read, c.handed_cnt);
    }
    ring_write_many(&p, &seq, 2, len);
    const uint64_t end = p.start;
    ring_write_many(&p, &seq, 3, len);
    md_store_relaxed(md_ring_word(ring, end & p.mask), 0); /* as it was before the last store */

    cr_assert_eq(md_ring_join(ring, bytes, &again), MD_OK);
    md_ring_consumer_init(&c, again);
    record_check(md_ring_next(&c), 1, seq - 4, len);
    record_check(md_ring_next(&c), 1, seq - 3, len);
    cr_assert_null(md_ring_next(&c));
    cr_assert_not(c.damaged);
    md_ring_producer_init(&p, again);
    cr_assert_eq(p.start, end);
    cr_assert_eq(md_load_relaxed(&ring->head), end);
    seq -= 3;
    ring_write_many(&p, &seq, 1, 64);
    record_check(md_ring_next(&c), 1, seq, 64);
    cr_assert_null(md_ring_next(&c));
    cr_assert_not(c.damaged);
    free(ring);
  }
}

/* A loss is pending until the LOSS that declares it can be seen. */
Test(ring, a_loss_stays_pending_until_its_declaration_is_published) {
  md_ring_t         *ring = ring_make();
  md_ring_producer_t p;
  md_ring_consumer_t c;
  md_ring_loss_t     loss;
  uint64_t           seq = 0;

  md_ring_producer_init(&p, ring);
  md_ring_consumer_init(&c, ring);
  while (put(&p, 1, seq + 1, 1024) == MD_OK)
    seq++;
  md_ring_publish(&p);
  md_ring_pending_loss(ring, 0, &loss);
  cr_assert_eq(loss.seq_first, seq + 1);
  cr_assert_eq(loss.record_cnt, 1);
  for (uint64_t n = 1; n <= seq; n++)
    record_check(md_ring_next(&c), 1, n, 1024);
  md_ring_release(&c, c.read, c.handed_cnt);
  cr_assert_eq(put(&p, 1, seq + 2, 64), MD_OK);
  md_ring_pending_loss(ring, 0, &loss);
  cr_assert_eq(loss.record_cnt, 1, "declared, and not visible yet");
  md_ring_publish(&p);
  md_ring_pending_loss(ring, 0, &loss);
  cr_assert_eq(loss.record_cnt, 0);
  loss_check(md_ring_next(&c), 1, seq + 1, seq + 1, seq + 2);
  free(ring);
}

/* Publications of changing sizes over stale bytes of former laps, seen record by record: none
 * early, none late, nothing behind the last one. */
Test(ring, what_is_behind_the_last_publication_is_never_handed_out) {
  md_ring_t         *ring = ring_make();
  md_ring_producer_t p;
  md_ring_consumer_t c;
  uint64_t           state = 7, seq = 0, seen = 0;
  uint32_t           len = 64, cnt = 1;

  md_ring_producer_init(&p, ring);
  md_ring_consumer_init(&c, ring);
  for (unsigned step = 0; step < 60000; step++) {
    if (next_random(&state) % 4 == 0) { /* else as long as the one before: its 0 is there already */
      cnt = (uint32_t)(next_random(&state) % 20) + 1;
      len = 64 + 8 * (uint32_t)(next_random(&state) % 30);
    }
    for (uint32_t i = 0; i < cnt; i++) {
      cr_assert_eq(put(&p, 1, ++seq, len), MD_OK);
      if (i % 5 == 0) cr_assert_null(md_ring_next(&c), "step %u: not published yet", step);
    }
    md_ring_publish(&p);
    for (; seen < seq; seen++)
      record_check(md_ring_next(&c), 1, seen + 1, len);
    cr_assert_null(md_ring_next(&c), "step %u: nothing is behind it", step);
    cr_assert_not(c.damaged, "step %u", step);
    md_ring_release(&c, c.read, c.handed_cnt);
  }
  stat_check(ring, seq, seq, seq);
  free(ring);
}

/* Random groups against slow consumers: every seq comes, in order, or lies in a declared range. */
static void
run_conservation(uint64_t seed) {
  md_ring_t         *ring = ring_make();
  md_ring_producer_t p;
  md_ring_consumer_t c;
  uint64_t           state = seed, seq[2] = {0, 0}, want[2] = {1, 1}, lost_cnt = 0;
  uint8_t           *group = calloc(8, 4096);

  md_ring_producer_init(&p, ring);
  md_ring_consumer_init(&c, ring);
  for (unsigned step = 0; step < 60000; step++) {
    const uint32_t     cnt   = (uint32_t)(next_random(&state) % 6) + 1;
    uint32_t           bytes = 0;
    const md_record_t *rec;
    buffer_t           one;

    for (uint32_t i = 0; i < cnt; i++) {
      const unsigned which = (unsigned)(next_random(&state) % 2);
      const uint32_t len   = 64 + 8 * (uint32_t)(next_random(&state) % 300);
      memcpy(group + bytes, record_fill(&one, (uint16_t)(which + 1), ++seq[which], len), len);
      bytes += len;
    }
    (void)md_ring_write_group(&p, (const md_record_t *)(const void *)group, cnt, bytes);
    if (next_random(&state) % 4 == 0) md_ring_publish(&p);
    if (step > 59000) md_ring_publish(&p);
    for (uint64_t n = next_random(&state) % 6; n > 0 && (rec = md_ring_next(&c)) != NULL; n--) {
      const unsigned which = rec->stream - 1u;
      cr_assert_lt(which, 2, "seed %lu step %u", seed, step);
      if (rec->type == MD_RECORD_LOSS) {
        const md_loss_t *loss = md_record_body_const(rec);
        cr_assert_eq(loss->seq_first, want[which], "seed %lu step %u", seed, step);
        cr_assert_eq(loss->record_cnt, loss->seq_last - loss->seq_first + 1);
        want[which] = loss->seq_last + 1;
        lost_cnt += loss->record_cnt;
      } else {
        record_check(rec, (uint16_t)(which + 1), want[which], rec->len);
        want[which]++;
      }
      if (next_random(&state) % 2 == 0) md_ring_release(&c, c.read, c.handed_cnt);
    }
    if (step % 64 == 0) {
      md_ring_stat_t stat;
      cr_assert_eq(md_ring_stat(ring, &stat), MD_OK);
      cr_assert_eq(stat.offered_cnt, stat.published_cnt + stat.lost_cnt);
      cr_assert_leq(stat.consumed_cnt, stat.published_cnt);
      cr_assert_leq(stat.used_bytes, CAPACITY);
    }
  }
  cr_assert_gt(lost_cnt, 1000, "the consumer was not slow enough; seed %lu", seed);
  free(group);
  free(ring);
}

Test(ring, every_sequence_comes_in_order_or_in_a_declared_range) {
  for (uint64_t seed = 1; seed <= 5; seed++)
    run_conservation(seed * 0x9e3779b97f4a7c15ull);
}

Test(ring, join_refuses_damage) {
  const uint64_t bytes = md_ring_footprint(CAPACITY);
  md_ring_t     *ring  = ring_make(), *out;

  cr_assert_eq(md_ring_footprint(CAPACITY - 8), 0);
  cr_assert_eq(md_ring_footprint(CAPACITY / 2), 0);
  cr_assert_eq(md_ring_footprint(MD_RING_BYTES_MAX * 2), 0);
  cr_assert_eq(md_ring_join(ring, bytes - 1, &out), MD_ERR_CORRUPT);
  cr_assert_null(out);
  md_store_relaxed(&ring->head, CAPACITY + 8);
  cr_assert_eq(md_ring_join(ring, bytes, &out), MD_ERR_CORRUPT);
  md_store_relaxed(&ring->head, 12);
  cr_assert_eq(md_ring_join(ring, bytes, &out), MD_ERR_CORRUPT);
  md_store_relaxed(&ring->head, 0);
  ring->capacity_bytes = 3;
  cr_assert_eq(md_ring_join(ring, bytes, &out), MD_ERR_CORRUPT);
  ring->magic++;
  cr_assert_eq(md_ring_join(ring, bytes, &out), MD_ERR_VERSION);
  free(ring);
}

Test(ring, a_consumer_of_damaged_bytes_stops_and_says_so) {
  md_ring_t *ring  = ring_make();
  uint64_t   state = 42;

  for (unsigned round = 0; round < 2000; round++) {
    md_ring_consumer_t c;
    unsigned           cnt = 0;
    for (uint64_t i = 0; i < CAPACITY; i++)
      ring->data[i] = (uint8_t)(next_random(&state) >> 11);
    md_store_relaxed(&ring->head, CAPACITY);
    md_ring_consumer_init(&c, ring);
    while (md_ring_next(&c) != NULL && cnt < CAPACITY)
      cnt++;
    cr_assert_lt(cnt, CAPACITY);
    cr_assert_leq(c.read, CAPACITY);
    cr_assert(c.damaged);
    cr_assert_null(md_ring_next(&c));
    if (round == 0) round = 1900; /* filling the memory is the slow part */
  }
  free(ring);
}
