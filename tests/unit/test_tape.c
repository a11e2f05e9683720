/* The tape on one thread: reading on, being lapped, beginning in the past, surviving garbage. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "shm/tape.h"

#define CAPACITY MD_RING_BYTES_MIN

typedef union buffer {
  md_record_t head;
  uint8_t     bytes[MD_RECORD_BYTES_MAX];
} buffer_t;

typedef struct fixture {
  md_tape_t       *mem;
  const md_tape_t *tape;
  md_tape_writer_t writer;
  md_tape_reader_t reader;
} fixture_t;

static buffer_t in, out;

static uint64_t
next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static const md_record_t *
record_fill(buffer_t *to, uint64_t seq, uint32_t len) {
  memset(&to->head, 0, sizeof to->head);
  to->head.len  = (uint16_t)len;
  to->head.type = MD_RECORD_TRADE;
  to->head.seq  = seq;
  memset(to->bytes + sizeof to->head, (int)(seq * 31), len - sizeof to->head);
  return &to->head;
}

static fixture_t
fixture_make(void) {
  const uint64_t bytes = md_tape_footprint(CAPACITY);
  fixture_t      f;

  f.mem = aligned_alloc(MD_CACHE_BLOCK, bytes);
  memset(f.mem, 0xa5, bytes);
  cr_assert_eq(md_tape_new(f.mem, 3, 9, CAPACITY), MD_OK);
  cr_assert_eq(md_tape_join(f.mem, bytes, &f.tape), MD_OK);
  md_tape_writer_init(&f.writer, f.mem);
  md_tape_reader_init(&f.reader, f.tape, false);
  return f;
}

static uint64_t
put(fixture_t *f, uint64_t seq, uint32_t len) {
  return md_tape_write(&f->writer, record_fill(&in, seq, len));
}

static void
expect(fixture_t *f, uint64_t seq, uint32_t len) {
  uint64_t lost_bytes;

  cr_assert_eq(md_tape_read(&f->reader, &out, &lost_bytes), MD_OK, "seq %lu", seq);
  cr_assert_eq(out.head.seq, seq, "seq %lu, not %lu", out.head.seq, seq);
  cr_assert_eq(memcmp(&out, record_fill(&in, seq, len), len), 0);
  cr_assert_eq(f->reader.seq_last, seq);
}

static void
expect_empty(fixture_t *f) {
  uint64_t lost_bytes;

  cr_assert_eq(md_tape_read(&f->reader, &out, &lost_bytes), MD_ERR_EMPTY);
}

Test(tape, nothing_is_visible_before_publish) {
  fixture_t f = fixture_make();

  put(&f, 1, 96);
  expect_empty(&f);
  md_tape_publish(&f.writer);
  expect(&f, 1, 96);
  expect_empty(&f);
  cr_assert_eq(md_load_relaxed(&f.tape->tail_seq), 1);
  free(f.mem);
}

Test(tape, records_of_every_length_come_whole_over_the_wrap) {
  fixture_t f   = fixture_make();
  uint64_t  seq = 0;

  for (uint32_t len = 64; len <= MD_RECORD_BYTES_MAX; len += 8) {
    put(&f, ++seq, len);
    md_tape_publish(&f.writer);
    expect(&f, seq, len);
  }
  expect_empty(&f);
  cr_assert_eq(f.reader.lapped_cnt, 0);
  free(f.mem);
}

Test(tape, case_53_a_lapped_reader_is_told_how_much_it_lost_and_goes_on_at_the_tail) {
  fixture_t f = fixture_make();
  uint64_t  lost_bytes;

  for (uint64_t seq = 1; seq <= CAPACITY / 128; seq++)
    put(&f, seq, 128);
  md_tape_publish(&f.writer);
  expect(&f, 1, 128); /* exactly full: nothing is lost yet */
  put(&f, 1000, 128);
  md_tape_publish(&f.writer);
  expect(&f, 2, 128);
  put(&f, 1001, 128);
  put(&f, 1002, 128);
  put(&f, 1003, 128);
  md_tape_publish(&f.writer);
  cr_assert_eq(md_tape_read(&f.reader, &out, &lost_bytes), MD_ERR_LAPPED);
  cr_assert_eq(lost_bytes, CAPACITY + 4 * 128 - 2 * 128);
  cr_assert_eq(f.reader.lapped_cnt, 1);
  expect_empty(&f);
  put(&f, 1004, 128);
  md_tape_publish(&f.writer);
  expect(&f, 1004, 128);
  free(f.mem);
}

Test(tape, what_is_written_and_not_published_already_laps) {
  fixture_t f = fixture_make();
  uint64_t  lost_bytes;

  for (uint64_t seq = 1; seq <= CAPACITY / 128; seq++)
    put(&f, seq, 128);
  md_tape_publish(&f.writer);
  put(&f, 1000, 128); /* overwrites the first record */
  cr_assert_eq(md_tape_read(&f.reader, &out, &lost_bytes), MD_ERR_LAPPED);
  cr_assert_eq(lost_bytes, CAPACITY);
  free(f.mem);
}

Test(tape, seek_finds_the_record_that_write_reported) {
  fixture_t f = fixture_make();
  uint64_t  pos[200];

  for (uint64_t seq = 1; seq <= 200; seq++)
    pos[seq - 1] = put(&f, seq, 1000);
  md_tape_publish(&f.writer);
  for (uint64_t seq = 200; seq > 140; seq--) {
    md_tape_reader_seek(&f.reader, pos[seq - 1]);
    expect(&f, seq, 1000);
  }
  md_tape_reader_seek(&f.reader, f.writer.write);
  expect_empty(&f);
  free(f.mem);
}

Test(tape, from_oldest_begins_at_a_record_about_half_the_capacity_back) {
  fixture_t f        = fixture_make();
  uint64_t  state    = 7;
  uint64_t  seq      = 0;
  unsigned  late_cnt = 0;

  md_tape_reader_init(&f.reader, f.tape, true);
  expect_empty(&f);
  for (unsigned round = 0; round < 3000; round++) {
    uint64_t lost_bytes, first, cnt = 0;
    for (uint64_t n = next_random(&state) % 20; n > 0; n--) {
      put(&f, ++seq, 64 + 8 * (uint32_t)(next_random(&state) % 200));
    }
    md_tape_publish(&f.writer);
    md_tape_reader_init(&f.reader, f.tape, true);
    const uint64_t back = f.writer.write - f.reader.cursor;
    cr_assert_leq(back, CAPACITY / 2);
    late_cnt += f.writer.write > CAPACITY && back < CAPACITY * 3 / 8;
    if (back == 0) continue;
    cr_assert_eq(md_tape_read(&f.reader, &out, &lost_bytes), MD_OK, "round %u", round);
    first = out.head.seq;
    if (f.writer.write <= CAPACITY / 2) cr_assert_eq(first, 1);
    for (cnt = 1; md_tape_read(&f.reader, &out, &lost_bytes) == MD_OK; cnt++) {
      cr_assert_eq(out.head.seq, first + cnt);
    }
    cr_assert_eq(out.head.seq, seq);
  }
  cr_assert_eq(late_cnt, 0, "a block holds at least one record of this size");
  free(f.mem);
}

Test(tape, a_writer_goes_on_where_the_one_before_ended) {
  fixture_t f = fixture_make();

  put(&f, 1, 640);
  md_tape_publish(&f.writer);
  md_tape_writer_init(&f.writer, f.mem);
  cr_assert_eq(put(&f, 2, 128), 640);
  md_tape_publish(&f.writer);
  expect(&f, 1, 640);
  expect(&f, 2, 128);
  free(f.mem);
}

Test(tape, join_refuses_damage) {
  const uint64_t   bytes = md_tape_footprint(CAPACITY);
  fixture_t        f     = fixture_make();
  const md_tape_t *joined;

  cr_assert_eq(md_tape_footprint(CAPACITY + 64), 0);
  cr_assert_eq(md_tape_footprint(CAPACITY / 2), 0);
  cr_assert_eq(md_tape_join(f.mem, bytes - 8, &joined), MD_ERR_CORRUPT);
  cr_assert_eq(md_tape_join((uint8_t *)f.mem + 8, bytes, &joined), MD_ERR_CORRUPT);
  f.mem->capacity_bytes = 1000;
  cr_assert_eq(md_tape_join(f.mem, bytes, &joined), MD_ERR_CORRUPT);
  md_tape_reader_init(&f.reader, f.mem, true);
  cr_assert_eq(md_tape_read(&f.reader, &out, &(uint64_t){0}), MD_ERR_CORRUPT);
  f.mem->magic++;
  cr_assert_eq(md_tape_join(f.mem, bytes, &joined), MD_ERR_VERSION);
  free(f.mem);
}

/* A whole header and random bytes behind it: each read ends, and no copy leaves its bounds. */
Test(tape, reading_garbage_ends_and_stays_in_bounds) {
  const uint64_t bytes  = md_tape_footprint(CAPACITY);
  fixture_t      f      = fixture_make();
  uint64_t      *words  = (uint64_t *)(void *)f.mem;
  uint64_t       state  = 99;
  void          *copy   = malloc(MD_RECORD_BYTES_MAX);
  unsigned       cnt[2] = {0, 0};

  for (unsigned round = 0; round < 200000; round++) {
    const uint64_t from = round % 1000 == 0 ? 16 : 16 + next_random(&state) % (bytes / 8 - 16);
    uint64_t       lost_bytes;
    for (uint64_t i = from; i < bytes / 8 && i < (round % 1000 ? from + 64 : bytes / 8); i++) {
      words[i] = next_random(&state) >> (round % 64);
    }
    if (round % 3 != 0) {
      md_store_relaxed(&f.mem->tail, (next_random(&state) % (4 * CAPACITY)) & ~7ull);
      md_store_relaxed(&f.mem->intent, md_load_relaxed(&f.mem->tail));
    }
    md_tape_reader_init(&f.reader, f.tape, round % 2 == 0);
    if (round % 5 == 0) md_tape_reader_seek(&f.reader, next_random(&state) % (4 * CAPACITY));
    if (round % 2 == 1) {
      /* Below the tail, where what looks like the lead of a record stands now and then. */
      const uint64_t cursor = (f.reader.cursor - next_random(&state) % CAPACITY) & ~7ull;
      const uint64_t place  = cursor % CAPACITY / 8;
      const uint64_t lead   = next_random(&state);
      md_store_relaxed(&f.mem->words[place], lead & (round % 4 == 1 ? 0x1f7ff8 : 0xffffff));
      md_tape_reader_seek(&f.reader, cursor);
    }
    for (unsigned i = 0; i < 4; i++) {
      const md_err_t err = md_tape_read(&f.reader, copy, &lost_bytes);
      cnt[err == MD_OK]++;
      if (err != MD_OK) break;
      cr_assert_leq(((const md_record_t *)copy)->len, MD_RECORD_BYTES_MAX);
    }
  }
  cr_assert_gt(cnt[0], 1000);
  cr_assert_gt(cnt[1], 100);
  free(copy);
  free(f.mem);
}
