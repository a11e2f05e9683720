/* fuzz_segment: a segment that somebody damaged, read through the public library.
 *
 * An input is not a segment (they are large) but what is done to a good one: patches of place,
 * width and value, applied to a fresh copy before it is opened, and more of them between the reads,
 * as a hostile owner would. Then everything is read: no answer may be a crash, a read outside of
 * the mapping or a loop without end. The copy is mapped to its last byte, so that one beyond it is
 * a fault. A patch chooses its place among the words that mean something, or anywhere.
 *
 * With MD_FUZZ_SEALED an input is what a hostile server answers to a reader: fuzz_sealed.h. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/book_layout.h"
#include "shm/client/mdshm.h"
#include "shm/segment.h"
#include "tests/fuzz/fuzz_sealed.h"
#include "tests/stress/book_model.h"

#define PATCH_BYTES 12u
#define PATCH_MAX   64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char     dir[64]; /* MD_FUZZ_DIR, else one of our own */
static char     path[96];
static uint8_t *good; /* the segment as it was made */
static uint64_t good_bytes;
static uint64_t places[64]; /* offsets where a patch means something */
static uint32_t place_cnt;
static uint64_t row_off; /* of the first instrument */

static void
remove_files(void) {
  char name[128];

  (void)unlink(path);
  (void)snprintf(name, sizeof name, "%s.rings", path);
  (void)unlink(name);
  (void)snprintf(name, sizeof name, "%s.stored", path);
  (void)unlink(name);
  (void)rmdir(dir);
}

static void
note_place(uint64_t off) {
  if (place_cnt < MD_CNT(places)) places[place_cnt++] = off;
}

static void
note_places(const md_segment_t *s, const md_book_t *book) {
  const uint64_t off = (uint64_t)((const uint8_t *)book - s->base);

  for (uint64_t i = 0; i < 8; i++)
    note_place(8 * i);
  for (uint64_t i = 0; i < MD_SECTION_CNT; i++)
    note_place(offsetof(md_segment_header_t, section) + i * sizeof(md_section_t));
  note_place(offsetof(md_segment_header_t, state));
  row_off = s->section[MD_SECTION_INSTRUMENTS].off + sizeof(md_instruments_t);
  for (uint64_t i = 0; i < 5; i++)
    note_place(row_off + 8 * i);
  note_place(s->section[MD_SECTION_INSTRUMENTS].off + MD_CACHE_BLOCK);
  note_place(s->section[MD_SECTION_FEEDS].off + 64);
  note_place(s->section[MD_SECTION_TAPES].off);
  for (uint64_t i = 0; i < 6; i++)
    note_place(s->section[MD_SECTION_TAPES].off + MD_CACHE_BLOCK + (i < 2 ? 8 * i : 96 + 16 * i));
  note_place(s->section[MD_SECTION_TAPES].off + MD_CACHE_BLOCK + offsetof(md_tape_t, intent));
  note_place(s->section[MD_SECTION_TAPES].off + MD_CACHE_BLOCK + offsetof(md_tape_t, tail));
  note_place(s->section[MD_SECTION_TAPES].off + MD_CACHE_BLOCK + offsetof(md_tape_t, words));
  note_place(off);
  note_place(off + 8);
  note_place(off + offsetof(md_book_t, ladder_newest));
  note_place(off + offsetof(md_book_t, top_newest));
  note_place(off + offsetof(md_book_t, top));
  for (uint64_t i = 0; i < 3; i++)
    note_place(off + offsetof(md_book_t, depth_newest) + 8 * i);
  for (uint64_t i = 0; i < 10; i++) /* the newest state */
    note_place(off + md_book_state_off(md_load_relaxed(&book->depth_newest)) + 8 * i);
  for (uint64_t i = 0; i < MD_BOOK_BBO_LINES; i++) {
    note_place(off + offsetof(md_book_t, bbo) + i * sizeof(md_book_bbo_line_t));
    note_place(off + offsetof(md_book_t, bbo) + i * sizeof(md_book_bbo_line_t) + 8);
  }
}

static void
write_tape(md_tape_t *tape) {
  static _Alignas(8) uint8_t buffer[sizeof(md_record_t) + sizeof(md_trade_t)];
  md_record_t               *rec = (md_record_t *)(void *)buffer;
  md_tape_writer_t           w;

  md_tape_writer_init(&w, tape);
  for (uint64_t seq = 1; seq <= 1000; seq++) {
    *rec = (md_record_t){.len = sizeof buffer, .type = MD_RECORD_TRADE, .seq = seq};
    (void)md_tape_write(&w, rec);
  }
  md_tape_publish(&w);
}

/* A segment with a book, a tape and a registry of nobody; its bytes are kept as the good ones. */
static void
make_good(void) {
  static const md_segment_feed_t feed = {
      .name = "a", .venue = "v", .depth_levels = MODEL_DEPTH, .tape_bytes = 65536};
  static const md_segment_thread_t thread = {.name = "feed:a", .kind = MD_THREAD_FEED};
  static const md_definition_t     d      = {.symbol = "A", .normalised = "A"};
  const md_segment_config_t        cfg    = {.name                = "fuzz",
                                             .dir                 = dir,
                                             .epoch               = 1,
                                             .next_instrument_id  = 1,
                                             .instrument_capacity = 2,
                                             .book_bytes          = 16384,
                                             .feeds               = &feed,
                                             .feed_cnt            = 1,
                                             .threads             = &thread,
                                             .thread_cnt          = 1};
  const md_instrument_spec_t       spec   = {.definition = &d, .want_book = true};
  static md_segment_t              s;
  static model_t                   model;
  const char                      *from = getenv("MD_FUZZ_DIR");
  md_msg_t                         msg  = {""};
  uint32_t                         id   = 1, row;
  md_book_t                       *book = NULL;
  int                              fd;

  (void)snprintf(dir, sizeof dir, "%s", from != NULL ? from : "/dev/shm/mdfuzz.XXXXXX");
  md_assert(from != NULL || mkdtemp(dir) != NULL);
  (void)snprintf(path, sizeof path, "%s/mdengine.fuzz", dir);
  (void)atexit(remove_files);
  md_assert(md_segment_lock(dir, "fuzz", &fd, &msg) == MD_OK);
  md_assert(md_segment_new(&cfg, fd, md_clock_system(), &s, &msg) == MD_OK);
  md_assert(md_instrument_add(&s, &spec, &id, &row, &book) == MD_OK);
  model_start(&model, book);
  for (unsigned i = 0; i < 300; i++)
    model_write(&model, book);
  write_tape(md_segment_tape(&s, 0));
  md_segment_ready(&s);
  note_places(&s, book);
  good_bytes = s.bytes;
  good       = malloc(good_bytes);
  md_assert(good != NULL);
  memcpy(good, s.base, good_bytes);
}

/* A patch: one byte how, one byte which place, a place of 16 bits, a value of 64. */
static void
patch(uint8_t *base, const uint8_t *p) {
  uint64_t off = 0, value = 0;
  unsigned how = p[0], bytes = 1u << (how >> 1 & 3);

  memcpy(&off, p + 2, 2);
  memcpy(&value, p + 4, 8);
  off = how & 1 ? places[p[1] % place_cnt] + off % 8 : off * 8 % good_bytes;
  if (how & 8) value = good_bytes - value % 256;  /* just inside of the end */
  if (how & 16) value = UINT64_MAX - value % 256; /* huge */
  if (how & 32) value += base[off];               /* a little more than it was */
  if (off + bytes <= good_bytes) memcpy(base + off, &value, bytes);
}

/* ---- reading ---- */

static void
read_books(mdshm_t *shm, uint32_t row) {
  static mdshm_level_t bids[64], asks[64];
  mdshm_bbo_t          bbo    = {.struct_size = sizeof bbo};
  mdshm_top_t          top    = {.struct_size = sizeof top};
  mdshm_ladder_t       ladder = {.struct_size = sizeof ladder};
  mdshm_depth_t depth = {.struct_size = sizeof depth, .max_levels = 64, .bids = bids, .asks = asks};

  if (mdshm_read_bbo(shm, row, MDSHM_ANY_AGE, &bbo) == MDSHM_USAGE) abort();
  if (mdshm_read_top(shm, row, MDSHM_ANY_AGE, &top) == MDSHM_USAGE) abort();
  mdshm_result_t result = mdshm_read_ladder(shm, row, MDSHM_ANY_AGE, &ladder);
  if (result <= MDSHM_NOT_VALID)
    md_assert(ladder.bid_cnt <= MDSHM_LADDER_LEVELS && ladder.ask_cnt <= MDSHM_LADDER_LEVELS);
  result = mdshm_read_depth(shm, row, MDSHM_ANY_AGE, &depth);
  if (result <= MDSHM_NOT_VALID) md_assert(depth.bid_cnt <= 64 && depth.ask_cnt <= 64);
}

static void
read_tape(mdshm_t *shm, mdshm_from_t from, uint8_t *base, const uint8_t *data, size_t size) {
  static char   text[65536];
  mdshm_tape_t *tape = NULL;
  const void   *record;
  size_t        bytes;
  uint64_t      lost;

  if (mdshm_tape_open(shm, 0, from, &tape) != MDSHM_OK) return;
  for (unsigned i = 0; i < 40; i++) {
    if (i == 3 && size >= PATCH_BYTES) patch(base, data);
    if (mdshm_tape_next(tape, &record, &bytes, &lost) != MDSHM_OK) continue;
    md_assert(bytes >= MD_RECORD_HEADER_BYTES && bytes <= MDSHM_RECORD_BYTES);
    (void)mdshm_record_json(record, bytes, "A", text, sizeof text);
  }
  mdshm_tape_close(tape);
}

static void
read_rest(mdshm_t *shm) {
  mdshm_info_t       info       = {.struct_size = sizeof info};
  mdshm_feed_t       feed       = {.struct_size = sizeof feed};
  mdshm_thread_t     thread     = {.struct_size = sizeof thread};
  mdshm_stream_t     stream     = {.struct_size = sizeof stream};
  mdshm_instrument_t instrument = {.struct_size = sizeof instrument};
  uint32_t           row;

  (void)!mdshm_info(shm, &info);
  (void)!mdshm_instrument_find(shm, MDSHM_ANY_FEED, "A", &row);
  for (uint32_t i = 0; i < 3; i++) {
    (void)!mdshm_feed(shm, i, &feed);
    (void)!mdshm_thread(shm, i, &thread);
    (void)!mdshm_stream(shm, i, &stream);
    (void)!mdshm_instrument_get(shm, i, &instrument);
    (void)!mdshm_feed_check(shm, i, 1);
  }
}

/* The negative control: a reader that believes where the segment says that a book is. */
static void
believe(const uint8_t *base) {
  uint64_t book_off;

  memcpy(&book_off, base + row_off + offsetof(md_instrument_row_t, book_off), sizeof book_off);
  md_assert(memchr(base + book_off, 'M', 1) != base);
}

/* ---- a hostile server ---- */

static void
damage(uint8_t *base, const uint8_t *data, size_t size) {
  for (size_t i = 0; i + PATCH_BYTES <= size && i < PATCH_BYTES * PATCH_MAX; i += PATCH_BYTES)
    patch(base, data + i);
}

static void
read_all(mdshm_t *shm) {
  read_books(shm, 0);
  read_tape(shm, MDSHM_FROM_OLDEST, NULL, NULL, 0);
  read_rest(shm);
}

static void
run_sealed(const uint8_t *data, size_t size) {
  const fuzz_world_t world = {.dir        = dir,
                              .path       = path,
                              .good       = good,
                              .good_bytes = good_bytes,
                              .state_off  = offsetof(md_segment_header_t, state),
                              .damage     = damage,
                              .read       = read_all};
  fuzz_sealed(&world, data, size, getenv("MD_FUZZ_CONTROL") != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const size_t cnt   = size / PATCH_BYTES < PATCH_MAX ? size / PATCH_BYTES : PATCH_MAX;
  const size_t first = cnt - cnt / 4; /* the last quarter comes while it is read */
  mdshm_t     *shm   = NULL;

  if (good == NULL) make_good();
  if (getenv("MD_FUZZ_SEALED") != NULL) {
    run_sealed(data, size);
    return 0;
  }
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  md_assert(fd >= 0);
  uint8_t *base = mmap(NULL, good_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  md_assert(base != MAP_FAILED);
  (void)close(fd);
  memcpy(base, good, good_bytes);
  for (size_t i = 0; i < first; i++)
    patch(base, data + i * PATCH_BYTES);
  if (mdshm_open(dir, "fuzz", 0, &shm, NULL, 0) == MDSHM_OK) {
    for (size_t i = first;; i++) {
      read_books(shm, 0);
      read_books(shm, 1);
      if (i >= cnt) break;
      patch(base, data + i * PATCH_BYTES);
    }
    read_tape(shm, MDSHM_FROM_OLDEST, base, data, size);
    read_tape(shm, MDSHM_FROM_NOW, base, data, 0);
    read_rest(shm);
    if (getenv("MD_FUZZ_CONTROL") != NULL) believe(base);
    mdshm_close(shm);
  }
  (void)munmap(base, good_bytes);
  return 0;
}
