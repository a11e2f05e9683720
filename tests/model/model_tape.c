/* The tape: a reader gets whole records in order or is told that it was overtaken, also at the wrap
 * and at its very edge; a reader that begins in the past begins in the newer half. */
#include "shm/tape.h"
#include "tests/model/model.h"

#define CAPACITY_BYTES 512u

static _Alignas(MD_CACHE_BLOCK) uint8_t mem[sizeof(md_tape_t) + CAPACITY_BYTES];
static md_tape_t *const tape = (md_tape_t *)(void *)mem;
static md_tape_writer_t writer;
static md_tape_reader_t reader;
static uint64_t         seq; /* the writer's last */

typedef struct test_record {
  md_record_t head;
  uint64_t    word[8];
} test_record_t;

static test_record_t scratch;
static _Alignas(8) uint8_t got[MD_RECORD_BYTES_MAX];
static const test_record_t *const copy = (const test_record_t *)(const void *)got;

static void
put(uint32_t bytes) {
  memset(&scratch, 0, sizeof scratch);
  seq++;
  scratch.head = (md_record_t){.len = (uint16_t)bytes, .type = MD_RECORD_TRADE, .seq = seq};
  for (uint32_t i = 0; sizeof(md_record_t) + 8ull * i < bytes; i++)
    scratch.word[i] = seq * 100 + i;
  (void)md_tape_write(&writer, &scratch.head);
}

static void
setup_tape(void) {
  model_mark_atomic(&tape->intent, 24);
  model_mark_atomic(tape->mark, sizeof tape->mark);
  model_mark_atomic(tape->words, CAPACITY_BYTES);
  memset(mem, 0, sizeof mem);
  model_check(md_tape_new(mem, 0, 1, CAPACITY_BYTES) == MD_OK);
  md_tape_writer_init(&writer, tape);
  seq = 0;
}

/* ---- at the edge ---- */

/* Two laps, so that the next record needs a pad that overwrites the oldest that is whole: its first
 * word, and nothing else of it. */
static void
setup_edge(void) {
  setup_tape();
  for (unsigned i = 0; i < 5; i++)
    put(88);
  put(72);
  for (unsigned i = 0; i < 5; i++)
    put(88);
  md_tape_publish(&writer);
  const md_tape_t *joined;
  model_check(md_tape_join(mem, sizeof mem, &joined) == MD_OK);
  md_tape_reader_init(&reader, joined, false);
  model_check(reader.cursor == 952);
  md_tape_reader_seek(&reader, 440);
}

static void
edge_write(void) {
  put(80); /* a pad of 72 bytes before it */
  md_tape_publish(&writer);
  put(88);
  put(72);
  md_tape_publish(&writer);
}

/* One read: 0 nothing new, else what was read is right. */
static void
read_one(void) {
  static uint64_t lost_bytes;
  const uint64_t  before = reader.seq_last;
  const uint64_t  cursor = reader.cursor;
  const md_err_t  err    = md_tape_read(&reader, got, &lost_bytes);

  if (err == MD_ERR_LAPPED) {
    model_check(reader.cursor > cursor && lost_bytes == reader.cursor - cursor);
    reader.seq_last = 0; /* any may be next */
    return;
  }
  if (err == MD_ERR_EMPTY) return;
  model_check(err == MD_OK);
  model_check(copy->head.type == MD_RECORD_TRADE && copy->head.seq == reader.seq_last);
  for (uint32_t i = 0; sizeof(md_record_t) + 8ull * i < copy->head.len; i++)
    model_check(copy->word[i] == copy->head.seq * 100 + i);
  if (before != 0) model_check(copy->head.seq == before + 1);
}

static void
edge_read(void) {
  reader.seq_last = 5; /* the cursor stands at record 6 */
  for (unsigned i = 0; i < 3; i++)
    read_one();
  md_tape_reader_seek(&reader, 952); /* and at what comes next */
  reader.seq_last = 11;
  for (unsigned i = 0; i < 2; i++)
    read_one();
}

const model_t model_tape = {.name       = "tape",
                            .what       = "whole records in order, or told that it was overtaken",
                            .files      = " shm/tape.c ",
                            .thread_cnt = 2,
                            .bound      = 1,
                            .setup      = setup_edge,
                            .thread     = {edge_write, edge_read}};

/* ---- from the past ---- */

static void
oldest_write(void) {
  for (unsigned i = 0; i < 6; i++) {
    put(64);
    md_tape_publish(&writer);
  }
}

static void
oldest_setup(void) {
  setup_tape();
  for (unsigned i = 0; i < 6; i++)
    put(64);
  md_tape_publish(&writer);
}

/* Half the capacity is four records, whose marks are known with the tail; the writer can be so far
 * ahead that it took the places of two of these marks for new ones. */
static void
oldest_read(void) {
  md_tape_reader_init(&reader, tape, true);
  const uint64_t first = reader.cursor / 64 + 1;
  md_tape_reader_init(&reader, tape, false);
  model_check(reader.cursor / 64 + 1 - first >= 2);
  md_tape_reader_init(&reader, tape, true);
  read_one();
  read_one();
}

const model_t model_tape_oldest = {.name       = "tape_oldest",
                                   .what       = "a reader from the past begins in the newer half",
                                   .files      = " shm/tape.c ",
                                   .thread_cnt = 2,
                                   .bound      = 1,
                                   .setup      = oldest_setup,
                                   .thread     = {oldest_write, oldest_read}};
