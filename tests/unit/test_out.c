#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "feeds/out.h"

#define RING_BYTES (1u << 17)

static md_out_t          o;
static md_metrics_t     *metrics;
static md_clock_manual_t manual = {.real_ns = 500};
static md_clock_t        test_clock;
static void             *ring_mem[2], *tape_mem;
static md_ring_t        *ring[2];
static md_tape_t        *tape;
static md_stream_row_t   row, raw_row;

static void *
aligned(uint64_t bytes) {
  void *p = NULL;
  cr_assert_eq(posix_memalign(&p, MD_CACHE_BLOCK, bytes), 0);
  memset(p, 0, bytes);
  return p;
}

static void
init(void) {
  test_clock = md_clock_manual(&manual);
  cr_assert_eq(md_out_init(&o, 1u << 20, &test_clock), MD_OK);
  metrics      = aligned(sizeof *metrics);
  o.metrics    = metrics;
  o.stream     = 1;
  o.raw_stream = 2;
  o.epoch      = 3;
  o.keep_raw   = true;
  o.stream_row = &row;
  o.raw_row    = &raw_row;
  for (unsigned n = 0; n < 2; n++) {
    ring_mem[n] = aligned(md_ring_footprint(RING_BYTES));
    cr_assert_eq(md_ring_new(ring_mem[n], "r", 0, (uint16_t)n, 3, RING_BYTES), MD_OK);
    cr_assert_eq(md_ring_join(ring_mem[n], md_ring_footprint(RING_BYTES), &ring[n]), MD_OK);
    md_ring_producer_init(&o.ring[n].producer, ring[n]);
  }
  o.ring[0].wants_raw        = true;
  o.ring[0].wants_checkpoint = true;
  o.ring_cnt                 = 2;
  tape_mem                   = aligned(md_tape_footprint(RING_BYTES));
  cr_assert_eq(md_tape_new(tape_mem, 1, 3, RING_BYTES), MD_OK);
  tape = tape_mem;
  md_tape_writer_init(&o.tape, tape);
}

static void
fini(void) {
  md_out_fini(&o);
  free(metrics);
  free(ring_mem[0]);
  free(ring_mem[1]);
  free(tape_mem);
}

TestSuite(out, .init = init, .fini = fini);

static void
stage_trade(uint64_t id) {
  md_record_t *rec = md_out_stage(&o, MD_RECORD_TRADE, sizeof(md_trade_t));
  cr_assert_not_null(rec);
  rec->flags                                    = MD_FLAG_LAST;
  rec->ts_recv_ns                               = 400 + (int64_t)id;
  ((md_trade_t *)md_record_body(rec))->trade_id = id;
}

static md_input_t
input_of(const uint8_t *payload, uint32_t len) {
  return (md_input_t){.kind     = MD_RAW_TEXT_IN,
                      .leg      = 5,
                      .name     = "conn",
                      .name_len = 4,
                      .payload  = payload,
                      .len      = len,
                      .recv_ns  = 77};
}

Test(out, commit_gives_seq_and_time_and_nothing_is_visible_before_publish) {
  md_ring_consumer_t c;
  md_tape_reader_t   r;
  md_ring_consumer_init(&c, ring[1]);
  md_tape_reader_init(&r, tape, false);
  _Alignas(8) static uint8_t copy[MD_RECORD_BYTES_MAX];
  uint64_t                   lost;

  stage_trade(1);
  stage_trade(2);
  md_out_commit(&o);
  cr_assert_null(md_ring_next(&c));
  cr_assert_eq(md_tape_read(&r, copy, &lost), MD_ERR_EMPTY);
  md_out_publish(&o);
  for (uint64_t n = 1; n <= 2; n++) {
    const md_record_t *rec = md_ring_next(&c);
    cr_assert_not_null(rec);
    cr_assert_eq(rec->seq, n);
    cr_assert_eq(rec->ts_pub_ns, 500);
    cr_assert_eq(rec->stream, 1);
    cr_assert_eq(rec->epoch, 3);
    cr_assert_eq(rec->leg, MD_LEG_NONE);
    cr_assert_eq(md_tape_read(&r, copy, &lost), MD_OK);
    cr_assert_eq(memcmp(copy, rec, rec->len), 0);
  }
  cr_assert_eq(md_out_tape_pos(&o), o.tape.write);
  cr_assert_eq(md_load_relaxed(&row.published_seq), 2);     /* same thread */
  cr_assert_eq(md_load_relaxed(&row.last_recv_ns), 402);    /* same thread */
  cr_assert_eq(md_load_relaxed(&raw_row.published_seq), 0); /* same thread */
}

Test(out, raw_goes_only_where_it_is_wanted_and_never_on_the_tape) {
  uint8_t    payload[8] = "abcdefg";
  md_input_t in         = input_of(payload, 7);
  cr_assert_eq(md_out_raw(&o, &in), 1);
  cr_assert_eq(md_out_raw(&o, &in), 2);
  md_out_publish(&o);
  md_ring_consumer_t c[2];
  md_ring_consumer_init(&c[0], ring[0]);
  md_ring_consumer_init(&c[1], ring[1]);
  const md_record_t *rec = md_ring_next(&c[0]);
  cr_assert_not_null(rec);
  cr_assert_eq(md_record_check(rec, rec->len), MD_OK);
  const md_raw_t *raw = md_record_body_const(rec);
  cr_assert_eq(rec->stream, 2);
  cr_assert_eq(rec->leg, 5);
  cr_assert_eq(rec->seq, 1);
  cr_assert_eq(rec->ts_recv_ns, 77);
  cr_assert_eq(rec->flags, MD_FLAG_LAST);
  cr_assert_eq(raw->kind, MD_RAW_TEXT_IN);
  cr_assert(raw->name_len == 4 && raw->part_len == 7 && raw->part_off == 0 && raw->total_len == 7);
  cr_assert_eq(memcmp(raw + 1, "connabcdefg\0\0\0\0\0", 16), 0, "padded with zeros");
  cr_assert_null(md_ring_next(&c[1]));
  cr_assert_eq(o.tape.write, 0);
  cr_assert_eq(o.seq, 0);
  cr_assert_eq(md_load_relaxed(&raw_row.published_seq), 2);                    /* same thread */
  cr_assert_eq(md_load_relaxed(&metrics->counter[MD_COUNTER_RAW_RECORDS]), 2); /* same thread */
}

Test(out, a_large_input_is_one_raw_group_that_adds_up) {
  enum { LEN = 60000 };
  uint8_t *payload = malloc(LEN);
  for (unsigned n = 0; n < LEN; n++)
    payload[n] = (uint8_t)(n * 31u >> 3);
  md_input_t in = input_of(payload, LEN);
  cr_assert_eq(md_out_raw(&o, &in), 1);
  md_out_publish(&o);
  md_ring_consumer_t c;
  md_ring_consumer_init(&c, ring[0]);
  const md_record_t *rec;
  uint32_t           off = 0, cnt = 0;
  bool               last = false;
  while ((rec = md_ring_next(&c))) {
    const md_raw_t *raw = md_record_body_const(rec);
    cr_assert_not(last);
    last = rec->flags & MD_FLAG_LAST;
    cr_assert_eq(raw->part_off, off);
    cr_assert_eq(raw->total_len, LEN);
    cr_assert_eq(raw->name_len, cnt == 0 ? 4 : 0);
    cr_assert_eq(memcmp((const uint8_t *)(raw + 1) + raw->name_len, payload + off, raw->part_len),
                 0);
    off += raw->part_len;
    cnt++;
  }
  cr_assert(last);
  cr_assert_eq(off, LEN);
  cr_assert_gt(cnt, 1);
  free(payload);
}

Test(out, defect_8_a_full_ring_loses_counts_and_the_other_ring_does_not) {
  md_ring_consumer_t c;
  md_ring_consumer_init(&c, ring[0]);
  uint64_t taken = 0;
  for (uint64_t n = 1; n <= 5000; n++) {
    stage_trade(n);
    md_out_commit(&o);
    md_out_publish(&o);
    while (md_ring_next(&c))
      taken++;
    md_ring_release(&c, c.read, c.handed_cnt);
  }
  md_ring_stat_t stat;
  cr_assert_eq(taken, 5000);
  cr_assert_eq(md_ring_stat(ring[1], &stat), MD_OK);
  cr_assert_gt(stat.lost_cnt, 0);
  cr_assert_eq(stat.published_cnt + stat.lost_cnt, 5000);
  cr_assert_eq(md_load_relaxed(&metrics->counter[MD_COUNTER_RING_LOST]), stat.lost_cnt); /* same */
  cr_assert_eq(md_load_relaxed(&metrics->counter[MD_COUNTER_RECORDS]), 5000); /* thread */
}

/* Bug: PostgreSQL got records that the journal's ring had no room for. */
Test(out, what_the_journal_loses_no_other_ring_gets) {
  md_ring_consumer_t c;
  md_ring_consumer_init(&c, ring[1]);
  uint64_t taken = 0, loss_cnt = 0;
  for (uint64_t n = 1; n <= 5000; n++) {
    stage_trade(n);
    md_out_commit(&o);
    md_out_publish(&o);
    for (const md_record_t *rec; (rec = md_ring_next(&c)) != NULL;) {
      taken += rec->type == MD_RECORD_TRADE;
      loss_cnt += rec->type == MD_RECORD_LOSS;
    }
    md_ring_release(&c, c.read, c.handed_cnt);
  }
  md_ring_stat_t journal, other;
  md_ring_loss_t pending;
  cr_assert_eq(md_ring_stat(ring[0], &journal), MD_OK);
  cr_assert_eq(md_ring_stat(ring[1], &other), MD_OK);
  cr_assert_gt(journal.lost_cnt, 0);
  cr_assert_eq(taken, journal.published_cnt);
  cr_assert_eq(other.lost_cnt, journal.lost_cnt);
  md_ring_pending_loss(ring[1], 0, &pending);
  cr_assert_eq(loss_cnt, 0);
  cr_assert_eq(pending.record_cnt, journal.lost_cnt);
  cr_assert_eq(pending.seq_last, 5000);
}

Test(out, staging_that_is_full_says_so_and_is_whole_after_a_commit) {
  uint64_t n = 0;
  while (md_out_stage(&o, MD_RECORD_STATUS, MD_RECORD_BYTES_MAX - MD_RECORD_HEADER_BYTES))
    n++;
  cr_assert_eq(n, (1u << 20) / MD_RECORD_BYTES_MAX);
  cr_assert_null(md_out_stage(&o, MD_RECORD_STATUS, MD_RECORD_BYTES_MAX), "above one record");
}

Test(out, nothing_is_kept_of_raw_when_the_feed_does_not_want_it) {
  uint8_t    payload[1] = {0};
  md_input_t in         = input_of(payload, 1);
  o.keep_raw            = false;
  cr_assert_eq(md_out_raw(&o, &in), 0);
  cr_assert_eq(o.raw_seq, 0);
}
