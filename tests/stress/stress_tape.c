/* One writer and two readers on one tape. Every word of a record follows from its seq, and seqs go
 * up by one between two laps. Half of the run has records of one size: there the second reader
 * seeks to the very edge that the writer is about to overwrite. Argument: records to write. */
#include <pthread.h>
#include <sched.h>

#include "shm/tape.h"
#include "tests/stress/stress.h"

#define CAPACITY_BYTES MD_RING_BYTES_MIN
#define FIXED_BYTES    1024u
#define SMALL_WORDS    120u

typedef struct shared {
  md_tape_t    *mem;
  uint64_t      write_cnt;
  bool          fixed; /* every record has FIXED_BYTES */
  md_atomic_u64 stop;
} shared_t;

typedef struct reader {
  shared_t *shared;
  bool      at_edge;
  uint64_t  read_cnt, lapped_cnt, empty_cnt, bad_cnt, start_cnt;
} reader_t;

static uint32_t
record_make(uint8_t *to, uint64_t seq, bool fixed) {
  const uint32_t random   = (uint32_t)(stress_mix(seq) % SMALL_WORDS);
  const uint32_t word_cnt = fixed ? (FIXED_BYTES - MD_RECORD_HEADER_BYTES) / 8 : random;
  md_record_t    rec      = {.len      = (uint16_t)(sizeof rec + 8 * word_cnt),
                             .type     = MD_RECORD_TRADE,
                             .seq      = seq,
                             .exch_seq = stress_mix(seq * 3)};

  memcpy(to, &rec, sizeof rec);
  for (uint32_t i = 0; i < word_cnt; i++) {
    const uint64_t word = stress_mix(seq * 256 + i);
    memcpy(to + sizeof rec + 8ull * i, &word, sizeof word);
  }
  return rec.len;
}

static void *
write_all(void *arg) {
  _Alignas(8) uint8_t buffer[2048];
  shared_t           *s = arg;
  md_tape_writer_t    w;

  md_tape_writer_init(&w, s->mem);
  for (uint64_t seq = 1; seq <= s->write_cnt; seq++) {
    record_make(buffer, seq, s->fixed);
    (void)md_tape_write(&w, (const md_record_t *)(const void *)buffer);
    if (stress_mix(seq * 5) % 4 == 0) md_tape_publish(&w);
    if (seq % 512 == 0) sched_yield(); /* readers that were lapped catch up now and then */
  }
  md_tape_publish(&w);
  md_store_relaxed(&s->stop, 1); /* only a hint: the readers stop soon */
  return NULL;
}

/* reader_place chooses where to read next: on, from the oldest mark, or at the edge. */
static void
reader_place(reader_t *me, md_tape_reader_t *r, const md_tape_t *tape, uint64_t random) {
  if (me->at_edge) {
    const uint64_t tail = md_load_relaxed(&tape->tail); /* md_tape_read acquires */
    const uint64_t back = CAPACITY_BYTES - FIXED_BYTES * (random % 4);
    if (tail >= back) md_tape_reader_seek(r, tail - back);
  } else if (random % 64 == 0) {
    md_tape_reader_init(r, tape, true);
    me->start_cnt++;
  }
}

static void *
read_all(void *arg) {
  _Alignas(8) uint8_t got[MD_RECORD_BYTES_MAX];
  _Alignas(8) uint8_t want[2048];
  reader_t           *me    = arg;
  uint64_t            state = me->at_edge ? 11 : 12;
  const md_tape_t    *tape;
  md_tape_reader_t    r;

  if (md_tape_join(me->shared->mem, md_tape_footprint(CAPACITY_BYTES), &tape) != MD_OK) {
    me->bad_cnt++;
    return NULL;
  }
  md_tape_reader_init(&r, tape, true);
  while (md_load_relaxed(&me->shared->stop) == 0 && me->bad_cnt < 100) {
    uint64_t lost_bytes = 0;
    reader_place(me, &r, tape, stress_next(&state));
    const uint64_t seq_last = r.seq_last;
    const md_err_t err      = md_tape_read(&r, got, &lost_bytes);
    if (err == MD_ERR_LAPPED) {
      me->lapped_cnt++;
      r.seq_last = 0; /* the next one may be any */
    } else if (err == MD_ERR_EMPTY) {
      me->empty_cnt++;
    } else if (err != MD_OK) {
      me->bad_cnt++;
    } else {
      const md_record_t *rec = (const md_record_t *)(const void *)got;
      const uint32_t     len = record_make(want, rec->seq, me->shared->fixed);
      me->read_cnt++;
      if (rec->len != len || memcmp(got, want, len) != 0) me->bad_cnt++;
      if (seq_last != 0 && rec->seq != seq_last + 1) me->bad_cnt++;
    }
  }
  return NULL;
}

/* run_once returns the number of wrong reads. */
static uint64_t
run_once(uint64_t write_cnt, bool fixed) {
  shared_t  s    = {.write_cnt = write_cnt, .fixed = fixed};
  reader_t  even = {.shared = &s};
  reader_t  edge = {.shared = &s, .at_edge = fixed};
  pthread_t threads[3];

  s.mem = stress_memory(md_tape_footprint(CAPACITY_BYTES));
  md_assert(md_tape_new(s.mem, 0, 1, CAPACITY_BYTES) == MD_OK);
  md_assert(pthread_create(&threads[0], NULL, read_all, &even) == 0);
  md_assert(pthread_create(&threads[1], NULL, read_all, &edge) == 0);
  md_assert(pthread_create(&threads[2], NULL, write_all, &s) == 0);
  for (unsigned i = 0; i < 3; i++)
    pthread_join(threads[i], NULL);
  printf("tape, %s records: %" PRIu64 " written, %" PRIu64 " read, %" PRIu64 " lapped, %" PRIu64
         " caught up, %" PRIu64 " wrong\n",
         fixed ? "equal" : "mixed", write_cnt, even.read_cnt + edge.read_cnt,
         even.lapped_cnt + edge.lapped_cnt, even.empty_cnt + edge.empty_cnt,
         even.bad_cnt + edge.bad_cnt);
  free(s.mem);
  return even.bad_cnt + edge.bad_cnt + (even.read_cnt + edge.read_cnt == 0);
}

int
main(int argc, char **argv) {
  const uint64_t write_cnt = stress_argument(argc, argv, 800000);
  const uint64_t mixed_bad = run_once(write_cnt / 2, false);
  const uint64_t fixed_bad = run_once(write_cnt / 2, true);

  return mixed_bad + fixed_bad == 0 ? 0 : 1;
}
