/* Runs each step of the hot paths over fixed messages, for callgrind to count: one dump of its
 * counters per step, named after it and after how many messages it ran, as "step messages". Nothing
 * here depends on the time or on the processor: where a path is chosen by what the processor can
 * do, each is run on its own, under a name of its own. counts.py adds up what belongs to this
 * program; the C library and others, which choose by processor too, are left out.
 *
 * usage: valgrind --tool=callgrind --instr-atstart=no instruction_counts */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

#include "bench/source.h"
#include "feeds/json.h"
#include "feeds/json_levels.h"
#include "shm/ring.h"
#include "shm/tape.h"
#include "writers/copy_encode.h"
#include "writers/journal_write.h"

#define SEED        20240808u
#define TRADE_CNT   256u
#define DEPTH_CNT   (4 * MD_BENCH_BATCH_CNT)
#define DEPTH_MAX   256u /* levels of a side of a message */
#define REPEAT      256u /* of what has no message of its own */
#define RING_BYTES  (1ull << 20)
#define BLOCK_BYTES (1u << 20)
#define PX_EXP      (-(int)MD_BENCH_PX_DIGITS)
#define QTY_EXP     (-(int)MD_BENCH_QTY_DIGITS)

/* Linked in the place of the function of that name, which is the other. */
bool __real_md_levels_has_avx2(void);
bool __wrap_md_levels_has_avx2(void);

typedef union any_record {
  md_record_t head;
  uint8_t     bytes[MD_RECORD_BYTES_MAX];
} any_record_t;

typedef struct subject {
  md_bench_source_t    source;
  md_bench_corpus_t    trades;
  md_input_t           trade[TRADE_CNT];
  any_record_t         trade_record, delta_record;
  md_ring_t           *ring;
  md_ring_producer_t   producer;
  md_ring_consumer_t   consumer;
  md_journal_builder_t builder;
  md_journal_streams_t streams;
  uint8_t             *block;
} subject_t;

static subject_t subject;
static bool      use_avx2; /* what the code under measurement is told */

bool
__wrap_md_levels_has_avx2(void) {
  return use_avx2;
}

static void
want(bool good, const char *what) {
  if (good) return;
  fprintf(stderr, "instruction_counts: %s went wrong\n", what);
  exit(1);
}

/* ---- counting ---- */

static void
count_begin(void) {
  CALLGRIND_START_INSTRUMENTATION;
  CALLGRIND_ZERO_STATS;
}

static void
count_end(const char *step, uint32_t message_cnt) {
  char name[96];
  CALLGRIND_TOGGLE_COLLECT; /* what follows is not the step's */
  (void)snprintf(name, sizeof name, "%s %u", step, message_cnt);
  CALLGRIND_DUMP_STATS_AT(name);
  CALLGRIND_TOGGLE_COLLECT;
  CALLGRIND_STOP_INSTRUMENTATION;
  printf("%s\n", name);
}

/* ---- decoding ---- */

static bool
decode_trade(const md_input_t *in) {
  md_json_t      j;
  const uint8_t *s;
  uint32_t       len;
  uint64_t       n;
  int64_t        px, qty;
  bool           flag;
  md_json_init(&j, in->payload, in->len);
  return md_json_expect(&j, "{\"stream\":") && md_json_string(&j, &s, &len) &&
         md_json_expect(&j, ",\"data\":{\"e\":\"aggTrade\",\"E\":") && md_json_u64(&j, &n) &&
         md_json_expect(&j, ",\"s\":") && md_json_string(&j, &s, &len) &&
         md_json_expect(&j, ",\"a\":") && md_json_u64(&j, &n) && md_json_expect(&j, ",\"p\":") &&
         md_json_mantissa(&j, PX_EXP, &px) == MD_OK && md_json_expect(&j, ",\"q\":") &&
         md_json_mantissa(&j, QTY_EXP, &qty) == MD_OK && md_json_expect(&j, ",\"f\":") &&
         md_json_u64(&j, &n) && md_json_expect(&j, ",\"l\":") && md_json_u64(&j, &n) &&
         md_json_expect(&j, ",\"T\":") && md_json_u64(&j, &n) && md_json_expect(&j, ",\"m\":") &&
         md_json_bool(&j, &flag) && md_json_expect(&j, ",\"M\":") && md_json_bool(&j, &flag) &&
         md_json_expect(&j, "}}") && md_json_finish(&j) == MD_OK;
}

static bool
decode_depth(const md_input_t *in) {
  static md_level_t level[2][DEPTH_MAX];
  md_json_t         j;
  const uint8_t    *s;
  uint32_t          len, cnt;
  uint64_t          n;
  md_json_init(&j, in->payload, in->len);
  return md_json_expect(&j, "{\"stream\":") && md_json_string(&j, &s, &len) &&
         md_json_expect(&j, ",\"data\":{\"e\":\"depthUpdate\",\"E\":") && md_json_u64(&j, &n) &&
         md_json_expect(&j, ",\"s\":") && md_json_string(&j, &s, &len) &&
         md_json_expect(&j, ",\"U\":") && md_json_u64(&j, &n) && md_json_expect(&j, ",\"u\":") &&
         md_json_u64(&j, &n) && md_json_expect(&j, ",\"b\":") &&
         md_json_levels(&j, PX_EXP, QTY_EXP, level[0], DEPTH_MAX, &cnt) == MD_OK &&
         md_json_expect(&j, ",\"a\":") &&
         md_json_levels(&j, PX_EXP, QTY_EXP, level[1], DEPTH_MAX, &cnt) == MD_OK &&
         md_json_expect(&j, "}}") && md_json_finish(&j) == MD_OK;
}

static void
count_decode_trade(void) {
  bool good = true;
  count_begin();
  for (uint32_t i = 0; i < TRADE_CNT; i++)
    good &= decode_trade(&subject.trade[i]);
  count_end("decode.agg_trade", TRADE_CNT);
  want(good, "decoding trades");
}

static void
count_decode_depth(const char *step) {
  bool good = true;
  md_bench_source_fill(&subject.source, 1);
  count_begin();
  for (uint32_t i = 0; i < MD_BENCH_BATCH_CNT; i++)
    good &= decode_depth(&subject.source.batch.input[i]);
  count_end(step, MD_BENCH_BATCH_CNT);
  want(good, "decoding depth updates");
  for (uint32_t i = 0; i < MD_BENCH_BATCH_CNT; i++)
    md_bench_source_next(&subject.source, i); /* so that the next ones join */
}

/* ---- the feed: decoded, checked, applied, on the tape, in shared memory ---- */

static void
count_feed_trade(void) {
  count_begin();
  for (uint32_t i = 0; i < TRADE_CNT; i++) {
    md_feed_input(subject.source.feed, &subject.trade[i]);
    md_feed_publish(subject.source.feed);
  }
  count_end("feed.agg_trade", TRADE_CNT);
}

/* Batches of the source one behind the other; only handling them is counted. */
static void
count_feed_depth(const char *step) {
  CALLGRIND_START_INSTRUMENTATION;
  CALLGRIND_ZERO_STATS;
  CALLGRIND_TOGGLE_COLLECT;
  for (uint32_t done = 0; done < DEPTH_CNT; done += MD_BENCH_BATCH_CNT) {
    md_bench_source_fill(&subject.source, 1);
    CALLGRIND_TOGGLE_COLLECT;
    for (uint32_t i = 0; i < MD_BENCH_BATCH_CNT; i++)
      md_bench_source_next(&subject.source, i);
    CALLGRIND_TOGGLE_COLLECT;
  }
  CALLGRIND_TOGGLE_COLLECT;
  count_end(step, DEPTH_CNT);
  want(md_bench_source_check(&subject.source), "applying depth updates");
}

/* ---- shared memory ---- */

static void
count_ring(void) {
  const md_record_t *rec  = &subject.trade_record.head;
  bool               good = true;
  count_begin();
  for (uint32_t i = 0; i < REPEAT; i++) {
    good &= md_ring_write_group(&subject.producer, rec, 1, rec->len) == MD_OK;
    md_ring_publish(&subject.producer);
  }
  count_end("ring.publish", REPEAT);
  count_begin();
  for (uint32_t i = 0; i < REPEAT; i++) {
    good &= md_ring_next(&subject.consumer) != NULL;
    md_ring_release(&subject.consumer, subject.consumer.read, subject.consumer.handed_cnt);
  }
  count_end("ring.consume", REPEAT);
  want(good, "the ring");
}

static void
count_tape(const char *step, const md_record_t *rec) {
  md_tape_writer_t *w = &md_feed_out(subject.source.feed)->tape;
  count_begin();
  for (uint32_t i = 0; i < REPEAT; i++) {
    (void)md_tape_write(w, rec);
    md_tape_publish(w);
  }
  count_end(step, REPEAT);
}

static void
count_reads(void) {
  static md_level_t bids[DEPTH_MAX], asks[DEPTH_MAX];
  const md_book_t  *book = md_feed_instrument_at(subject.source.feed, 0)->shm;
  md_book_bbo_t     bbo;
  md_book_top_t     top;
  md_book_ladder_t  ladder;
  md_book_meta_t    meta;
  uint32_t          bid_cnt, ask_cnt;
  md_err_t          err = MD_OK;
  count_begin();
  for (uint32_t i = 0; i < REPEAT; i++)
    err |= md_book_read_bbo(book, &bbo);
  count_end("book.read_bbo", REPEAT);
  count_begin();
  for (uint32_t i = 0; i < REPEAT; i++)
    err |= md_book_read_top(book, &top);
  count_end("book.read_top", REPEAT);
  count_begin();
  for (uint32_t i = 0; i < REPEAT; i++)
    err |= md_book_read_ladder(book, &ladder);
  count_end("book.read_ladder", REPEAT);
  count_begin();
  for (uint32_t i = 0; i < REPEAT; i++)
    err |= md_book_read_depth(book, 100, &meta, bids, &bid_cnt, asks, &ask_cnt);
  count_end("book.read_depth_100", REPEAT);
  want(err == MD_OK, "reading the book");
}

/* ---- writers ---- */

static void
count_journal(const char *step, const md_record_t *rec) {
  const md_journal_place_t place = {.segment = 1, .offset = MD_JOURNAL_PAGE_BYTES, .epoch = 1};
  md_journal_builder_begin(&subject.builder, subject.block, BLOCK_BYTES, 4);
  int idx = md_journal_streams_index(&subject.streams, rec->stream);
  count_begin();
  for (uint32_t i = 0; i < REPEAT; i++)
    md_journal_builder_add(&subject.builder, (uint32_t)idx, rec, md_journal_range_of(rec));
  uint32_t bytes = md_journal_builder_finish(&subject.builder, &subject.streams, &place);
  count_end(step, REPEAT);
  want(bytes > REPEAT * rec->len, "a block of the journal");
}

static void
count_copy(const char *step, const md_record_t *rec) {
  static uint8_t          row[1u << 16];
  const md_record_info_t *info   = md_record_info(rec->type);
  const char             *column = NULL;
  uint32_t                len    = 0;
  md_err_t                err    = MD_OK;
  want(md_copy_row_bound(rec, info) <= sizeof row, "the room for a row");
  count_begin();
  for (uint32_t i = 0; i < REPEAT; i++)
    err |= md_copy_row(rec, info, 1, row, &len, &column);
  count_end(step, REPEAT);
  want(err == MD_OK && len > 0, "encoding a row");
}

/* ---- what they work on ---- */

/* The first record of a type that the feed puts on its tape; out has room for any. */
static void
take_record(md_tape_reader_t *r, md_record_type_t type, any_record_t *out) {
  uint64_t lost;
  md_err_t err;
  do {
    err = md_tape_read(r, out, &lost);
  } while (err == MD_OK && out->head.type != type);
  want(err == MD_OK, "finding a record on the tape");
}

static void
make_trades(void) {
  char symbol[MD_BENCH_SYMBOL_LEN + 1];
  md_bench_symbol(0, symbol);
  want(md_bench_corpus_new(&subject.trades, MD_BENCH_AGG_TRADE, TRADE_CNT, 0, SEED), "a market");
  for (uint32_t i = 0; i < TRADE_CNT; i++) {
    uint8_t *text = subject.trades.bytes + (subject.trades.text[i] - subject.trades.bytes);
    char    *s    = strstr((char *)text, "\"s\":\"");
    want(s != NULL, "finding the symbol of a trade");
    memcpy(s + 5, symbol, MD_BENCH_SYMBOL_LEN);
    subject.trade[i]         = subject.source.batch.input[0];
    subject.trade[i].payload = text;
    subject.trade[i].len     = subject.trades.len[i];
  }
}

static void
make_subject(void) {
  md_tape_reader_t reader;
  want(md_bench_source_new(&subject.source, 1, true), subject.source.world.why);
  make_trades();
  md_tape_reader_init(&reader, md_feed_out(subject.source.feed)->tape.tape, false);
  md_bench_source_fill(&subject.source, 1);
  for (uint32_t i = 0; i < MD_BENCH_BATCH_CNT; i++)
    md_bench_source_next(&subject.source, i);
  md_feed_input(subject.source.feed, &subject.trade[0]);
  md_feed_publish(subject.source.feed);
  take_record(&reader, MD_RECORD_BOOK_DELTA, &subject.delta_record);
  take_record(&reader, MD_RECORD_AGG_TRADE, &subject.trade_record);
  void *mem = aligned_alloc(MD_CACHE_BLOCK, md_ring_footprint(RING_BYTES));
  want(mem && md_ring_new(mem, "feed.sink", 1, 1, 1, RING_BYTES) == MD_OK &&
           md_ring_join(mem, md_ring_footprint(RING_BYTES), &subject.ring) == MD_OK,
       "a ring");
  md_ring_producer_init(&subject.producer, subject.ring);
  md_ring_consumer_init(&subject.consumer, subject.ring);
  subject.streams.slot = calloc(MD_JOURNAL_STREAM_SLOTS, 1);
  subject.block        = aligned_alloc(MD_JOURNAL_PAGE_BYTES, BLOCK_BYTES);
  want(subject.streams.slot && subject.block, "memory");
}

int
main(void) {
  bool has_avx2 = __real_md_levels_has_avx2();
  make_subject();
  for (int n = 0; n < (has_avx2 ? 2 : 1); n++) {
    use_avx2 = n != 0;
    count_decode_depth(use_avx2 ? "decode.depth_1k4.avx2" : "decode.depth_1k4.portable");
    count_feed_depth(use_avx2 ? "feed.depth_1k4.avx2" : "feed.depth_1k4.portable");
  }
  count_decode_trade();
  count_feed_trade();
  count_ring();
  count_tape("tape.append.agg_trade", &subject.trade_record.head);
  count_tape("tape.append.delta", &subject.delta_record.head);
  count_reads();
  count_journal("journal.append.agg_trade", &subject.trade_record.head);
  count_journal("journal.append.delta", &subject.delta_record.head);
  count_copy("copy.encode.agg_trade", &subject.trade_record.head);
  count_copy("copy.encode.delta", &subject.delta_record.head);
  md_bench_source_delete(&subject.source);
  return 0;
}
