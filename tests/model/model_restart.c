/* A restart: the engine fills new files while a reader opens and follows. The reader gets a whole
 * segment, the old one or the new one, and all instruments of the start once it is ready. */
#include <unistd.h>

#include "shm/segment.h"
#include "tests/model/model.h"
#include "tests/model/model_files.h"

#define EPOCH 2u /* of the engine that starts; the dead one had the one before */

static const md_segment_feed_t   feed   = {.name = "a", .venue = "v", .stream = 1};
static const md_segment_ring_t   ring   = {.name = "a.j", .capacity_bytes = MD_RING_BYTES_MIN};
static const md_segment_thread_t thread = {.name = "feed:a", .kind = MD_THREAD_FEED, .core = -1};

static md_segment_t      old_segment, segment, joined;
static md_clock_manual_t now;
static md_msg_t          engine_msg, reader_msg;
static md_definition_t   definition;

static md_segment_config_t
config_of(uint32_t epoch) {
  return (md_segment_config_t){.name                = "m",
                               .dir                 = "/shm",
                               .epoch               = epoch,
                               .next_instrument_id  = 1,
                               .instrument_capacity = 1,
                               .feeds               = &feed,
                               .feed_cnt            = 1,
                               .rings               = &ring,
                               .ring_cnt            = 1,
                               .threads             = &thread,
                               .thread_cnt          = 1};
}

/* new_segment makes the files of a start and everything that is in them when it is ready. */
static void
new_segment(md_segment_t *s, uint32_t epoch, bool ready) {
  static const int          lock_fd = 100;
  const md_clock_t          clock   = md_clock_manual(&now);
  const md_segment_config_t cfg     = config_of(epoch);
  md_instrument_spec_t      spec    = {.definition = &definition, .px_exp = (int8_t) - (int)epoch};
  uint32_t                  id      = 0, row;
  md_book_t                *book;

  model_check(md_segment_new(&cfg, lock_fd, &clock, s, &engine_msg) == MD_OK);
  if (!ready) return;
  model_check(md_instrument_add(s, &spec, &id, &row, &book) == MD_OK);
  md_segment_ready(s);
}

/* The dead engine's files are number 0 and 1; the new ones 2 and 3. */
static void
mark_file(uint8_t *main_file, uint8_t *rings_file) {
  md_segment_header_t *h = (void *)main_file;
  md_rings_header_t   *r = (void *)rings_file;
  md_instruments_t    *d = (void *)(main_file + old_segment.section[MD_SECTION_INSTRUMENTS].off);

  model_mark_atomic(&h->magic, 8);
  model_mark_atomic(&h->state, 16);
  model_mark_plain(&h->abi_version, offsetof(md_segment_header_t, section) - 8);
  model_mark_plain(h->section, sizeof h->section);
  model_mark_atomic(&d->row_cnt, 24);
  model_mark_atomic(d->row, sizeof d->row[0]);
  model_mark_plain(main_file + old_segment.section[MD_SECTION_FEEDS].off, MD_NAME_BYTES);
  model_mark_atomic(&r->magic, 8);
  model_mark_plain(&r->abi_version, 64);
}

static void
setup(void) {
  model_files_reset();
  now = (md_clock_manual_t){.real_ns = 5, .mono_ns = 5};
  memset(&definition, 0, sizeof definition);
  definition.symbol[0] = 'A';
  new_segment(&old_segment, EPOCH - 1, true);
  mark_file(model_files_at(0), model_files_at(1));
  mark_file(model_files_at(2), model_files_at(3));
}

static void
engine(void) {
  new_segment(&segment, EPOCH, true);
}

static uint32_t
join(void) {
  static md_instrument_row_t row;
  const md_err_t             err = md_segment_join("/shm", "m", &joined, &reader_msg);

  if (err == MD_ERR_EMPTY) return 0;
  model_check(err == MD_OK);
  const uint32_t epoch = joined.header->epoch;
  model_check(epoch == EPOCH || epoch == EPOCH - 1);
  model_check(joined.header->name[0] == 'm' && joined.feeds[0].name[0] == 'a');
  const int64_t found = md_instrument_find(&joined, UINT16_MAX, "A");
  model_check(found == 0); /* listed before it was ready */
  model_check(md_instrument_read(&joined, 0, &row) == MD_OK);
  model_check(row.px_exp == -(int8_t)epoch);
  return epoch;
}

static void
reader(void) {
  uint32_t last = 0;

  for (unsigned i = 0; i < 2; i++) {
    const uint32_t epoch = join();
    if (epoch == 0) continue;
    model_check(epoch >= last);
    last = epoch;
  }
}

static void
restart_after(void) {
  model_check(join() == EPOCH);
  model_check(old_segment.header->state == MD_SEGMENT_SUPERSEDED);
}

const model_t model_restart = {.name = "restart",
                               .what =
                                   "the old segment or the new one, whole, with its instruments",
                               .files      = " shm/segment.c shm/segment_join.c ",
                               .thread_cnt = 2,
                               .bound      = 2,
                               .setup      = setup,
                               .thread     = {engine, reader},
                               .after      = restart_after};

/* ---- the rings file ---- */

static void
rings_engine(void) {
  new_segment(&segment, EPOCH, false);
}

/* What a command line does: the rings file by its name, whichever engine's it is. */
static void
rings_reader(void) {
  static md_rings_header_t *rings;
  static uint64_t           bytes;

  for (unsigned i = 0; i < 2; i++) {
    const int fd = model_open("/shm/mdengine.m.rings", O_RDWR);
    if (fd < 0) continue;
    const md_err_t err = md_rings_join_old(fd, &rings, &bytes, &reader_msg);
    model_check(err == MD_OK || err == MD_ERR_ABSENT);
    if (err == MD_OK) model_check(rings->ring_cnt == 1 && rings->command_cnt == 1);
  }
}

const model_t model_rings_file = {.name       = "rings_file",
                                  .what       = "the rings file of one engine, whole",
                                  .files      = " shm/segment.c shm/segment_join.c ",
                                  .thread_cnt = 2,
                                  .bound      = 2,
                                  .setup      = setup,
                                  .thread     = {rings_engine, rings_reader}};
