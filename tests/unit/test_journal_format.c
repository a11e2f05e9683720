#include "writers/journal_format.h"
#include "writers/journal_write.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define CAP_BYTES (64u << 10)

typedef struct trade_record {
  md_record_t head;
  md_trade_t  body;
} trade_record_t;

static trade_record_t
make_trade(uint16_t stream, uint64_t seq) {
  return (trade_record_t){.head = {.len       = sizeof(trade_record_t),
                                   .type      = MD_RECORD_TRADE,
                                   .flags     = MD_FLAG_LAST,
                                   .stream    = stream,
                                   .epoch     = 7,
                                   .seq       = seq,
                                   .ts_pub_ns = 1000 + (int64_t)seq},
                          .body = {.px = (int64_t)seq, .qty = 1}};
}

/* A block of five trades in two streams. */
static uint32_t
make_block(uint8_t *data) {
  md_journal_streams_t streams = {.slot = calloc(MD_JOURNAL_STREAM_SLOTS, 1)};
  md_journal_builder_t b;
  md_journal_builder_begin(&b, data, CAP_BYTES, 4);
  for (uint64_t seq = 1; seq <= 5; seq++) {
    trade_record_t rec = make_trade(seq % 2 ? 10 : 20, seq);
    int            idx = md_journal_streams_index(&streams, rec.head.stream);
    md_journal_builder_add(&b, (uint32_t)idx, &rec.head, md_journal_range_of(&rec.head));
  }
  const uint64_t     durable[2] = {3, 2};
  md_journal_place_t place      = {
           .segment = 9, .offset = 8192, .durable_off = 4096, .epoch = 7, .durable_seq = durable};
  uint32_t bytes = md_journal_builder_finish(&b, &streams, &place);
  free(streams.slot);
  return bytes;
}

Test(journal_format, crc32c_is_the_usual_one) {
  cr_assert_eq(md_crc32c(0, "123456789", 9), 0xE3069283u);
  cr_assert_eq(md_crc32c(md_crc32c(0, "1234", 4), "56789", 5), 0xE3069283u);
  cr_assert_eq(md_crc32c(0, "", 0), 0u);
}

Test(journal_format, block_says_what_it_holds) {
  uint8_t *data = aligned_alloc(4096, CAP_BYTES);
  memset(data, 0xAA, CAP_BYTES);
  uint32_t                  bytes = make_block(data);
  const md_journal_block_t *b     = (const md_journal_block_t *)(void *)data;
  cr_assert_eq(bytes, 4096);
  cr_assert_eq(md_journal_block_peek(data, 9, 8192), MD_OK);
  cr_assert_eq(md_journal_block_check(b), MD_OK);
  cr_assert_eq(b->record_cnt, 5);
  cr_assert_eq(b->stream_cnt, 2);
  cr_assert_eq(b->ts_first_ns, 1001);
  cr_assert_eq(b->ts_last_ns, 1005);
  cr_assert_eq(b->sub[0].stream, 10);
  cr_assert_eq(b->sub[0].first_seq, 1);
  cr_assert_eq(b->sub[0].last_seq, 5);
  cr_assert_eq(b->sub[0].durable_seq, 3);
  cr_assert_eq(b->sub[0].record_cnt, 3);
  cr_assert_eq(b->sub[1].stream, 20);
  cr_assert_eq(b->sub[1].last_seq, 4);
  trade_record_t first;
  memcpy(&first, md_journal_block_records(b), sizeof first);
  cr_assert_eq(first.head.seq, 1);
  free(data);
}

Test(journal_format, block_of_another_place_is_refused) {
  uint8_t *data = aligned_alloc(4096, CAP_BYTES);
  (void)make_block(data);
  cr_assert_eq(md_journal_block_peek(data, 8, 8192), MD_ERR_CORRUPT);
  cr_assert_eq(md_journal_block_peek(data, 9, 4096), MD_ERR_CORRUPT);
  free(data);
}

Test(journal_format, zeros_are_the_end) {
  static const uint8_t zero[4096];
  cr_assert_eq(md_journal_block_peek(zero, 1, 4096), MD_ERR_EMPTY);
}

Test(journal_format, every_flipped_bit_of_a_block_is_found) {
  uint8_t *data  = aligned_alloc(4096, CAP_BYTES);
  uint32_t bytes = make_block(data);
  for (uint32_t bit = 0; bit < bytes * 8; bit++) {
    data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    md_err_t                  err = md_journal_block_peek(data, 9, 8192);
    const md_journal_block_t *b   = (const md_journal_block_t *)(void *)data;
    /* A length that grew beyond the memory is found by the loader: the file ends before it. */
    if (err == MD_OK && b->block_bytes > CAP_BYTES) err = MD_ERR_CORRUPT;
    if (err == MD_OK) err = md_journal_block_check(b);
    cr_assert_neq(err, MD_OK, "bit %u", bit);
    data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
  }
  cr_assert_eq(md_journal_block_check((const md_journal_block_t *)(void *)data), MD_OK);
  free(data);
}

Test(journal_format, every_flipped_bit_of_a_segment_header_is_found) {
  md_journal_head_t head = {.segment = 3, .prev_segment = 2, .prev_bytes = 8192, .mark_cnt = 1};
  md_journal_head_seal(&head);
  cr_assert_eq(md_journal_head_check(&head), MD_OK);
  uint8_t *p = (uint8_t *)&head;
  for (uint32_t bit = 0; bit < sizeof head * 8; bit++) {
    p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    cr_assert_neq(md_journal_head_check(&head), MD_OK, "bit %u", bit);
    p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
  }
}

Test(journal_format, later_version_is_told_apart_from_damage) {
  md_journal_head_t head = {.segment = 3};
  md_journal_head_seal(&head);
  head.version = MD_JOURNAL_PACKED + 1;
  head.crc     = md_crc32c(0, &head, offsetof(md_journal_head_t, crc));
  cr_assert_eq(md_journal_head_check(&head), MD_ERR_VERSION);
}

Test(journal_format, malformed_record_in_a_whole_block_is_corrupt) {
  uint8_t *data = aligned_alloc(4096, CAP_BYTES);
  (void)make_block(data);
  md_journal_block_t *b = (md_journal_block_t *)(void *)data;
  data[b->header_bytes] = 7; /* a length that is no multiple of 8 */
  md_journal_block_seal(b);
  cr_assert_eq(md_journal_block_check(b), MD_ERR_CORRUPT);
  free(data);
}

Test(journal_format, marks_keep_the_latest_epoch_and_seq_of_each_stream) {
  md_journal_marks_t m = {0};
  md_journal_marks_put(&m, 1, 2, 50);
  md_journal_marks_put(&m, 1, 2, 40);
  md_journal_marks_put(&m, 1, 1, 90);
  cr_assert_eq(md_journal_marks_seq(&m, 1, 2), 50);
  cr_assert_eq(md_journal_marks_seq(&m, 1, 1), 0);
  for (uint16_t stream = 2; stream < 200; stream++)
    md_journal_marks_put(&m, stream, 3, stream);
  cr_assert_eq(m.cnt, MD_JOURNAL_MARK_CNT);
  md_journal_head_t head = {.segment = 1};
  md_journal_marks_to_head(&m, &head);
  md_journal_head_seal(&head);
  md_journal_marks_t back = {0};
  md_journal_marks_from_head(&back, &head);
  cr_assert_eq(back.cnt, m.cnt);
  cr_assert_eq(md_journal_marks_seq(&back, 100, 3), 100);
}
