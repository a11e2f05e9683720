/* The tiers of the live book: every word that a reader gets is of one record, and a tier never goes
 * back. words is the heart of all three, so small that every schedule is tried. */
#include "shm/book_layout.h"
#include "tests/levels_read.h"
#include "tests/model/model.h"

#define DEPTH_LEVELS 2u
#define START        10u /* records before the threads begin: every slot and state was in use */

static _Alignas(MD_CACHE_BLOCK) uint8_t mem[64 * 1024];
static md_book_t *const book = (md_book_t *)(void *)mem;
static uint64_t         seq;     /* the writer's last */
static int64_t          gap = 1; /* between two levels of a side */

/* ---- a book in which every word follows from last_seq ---- */

static bool
level_at(const void *ctx, md_side_t side, uint32_t n, md_level_t *out) {
  const int64_t at  = (int64_t) * (const uint64_t *)ctx;
  const int64_t off = (int64_t)n;

  if (n >= DEPTH_LEVELS) return false;
  out->px  = side == MD_SIDE_BUY ? 100 - gap * off : 101 + gap * off;
  out->qty = at * 10 + off + (side == MD_SIDE_BUY ? 0 : 5);
  return true;
}

static uint32_t
level_read(const void *ctx, md_side_t side, const md_levels_want_t *want, md_level_t *out) {
  return levels_read(level_at, ctx, side, want, out);
}

static md_book_meta_t
meta_of(uint64_t at) {
  const int64_t n = (int64_t)at;

  return (md_book_meta_t){.state       = MD_BOOK_VALID,
                          .last_seq    = at,
                          .tape_pos    = at * 64,
                          .exch_seq    = at * 3,
                          .ts_exch_ns  = n * 5,
                          .ts_recv_ns  = n * 7,
                          .ts_pub_ns   = n * 11,
                          .trusted_bid = -1,
                          .trusted_ask = 1000,
                          .bid_total   = (uint32_t)at,
                          .ask_total   = (uint32_t)at + 1};
}

static void
write_next(void) {
  static md_book_change_t changes[2 * DEPTH_LEVELS];
  static md_book_meta_t   meta;
  md_level_t              level;

  seq++;
  for (uint32_t i = 0; i < 2 * DEPTH_LEVELS; i++) {
    const md_side_t side = i < DEPTH_LEVELS ? MD_SIDE_BUY : MD_SIDE_SELL;
    (void)level_at(&seq, side, i % DEPTH_LEVELS, &level);
    changes[i] = (md_book_change_t){.px = level.px, .qty = level.qty, .side = (uint8_t)side};
  }
  meta = meta_of(seq);
  md_book_write_changes(book, &meta, changes, 2 * DEPTH_LEVELS, level_read, &seq);
}

static void
setup_book(void) {
  memset(mem, 0, sizeof mem);
  model_check(md_book_footprint(DEPTH_LEVELS) <= sizeof mem);
  model_check(md_book_new(mem, DEPTH_LEVELS) == MD_OK);
  seq = 0;
  for (unsigned i = 0; i < START; i++)
    write_next();
}

static void
check_meta(const md_book_meta_t *meta) {
  const md_book_meta_t want = meta_of(meta->last_seq);

  model_check(memcmp(meta, &want, sizeof want) == 0);
}

static void
check_level(uint64_t at, md_side_t side, uint32_t n, int64_t px, int64_t qty) {
  md_level_t want = {0, 0};

  model_check(level_at(&at, side, n, &want));
  model_check(px == want.px && qty == want.qty);
}

/* ---- words: version and two words ---- */

static struct { md_atomic_u64 version, word[2]; } small;

static void
words_setup(void) {
  model_mark_atomic(&small, sizeof small);
  memset(&small, 0, sizeof small);
}

static void
words_write(void) {
  for (uint64_t i = 1; i <= 2; i++) {
    const uint64_t both[2] = {i, i};
    const uint64_t odd     = md_book_open(&small.version);
    md_book_words_store(small.word, both, 2);
    md_book_close(&small.version, odd);
  }
}

static void
words_read(void) {
  uint64_t both[2];

  for (unsigned i = 0; i < 2; i++) {
    const uint64_t version =
        md_load_acquire(&small.version); /* A2: words; pairs with R2 in shm/book_layout.h */
    if (version % 2 != 0) continue;
    md_book_words_load(small.word, both, 2);
    if (md_load_relaxed(&small.version) != version) continue; /* ordered by A1 */
    model_check(both[0] == both[1] && both[0] == version / 2);
  }
}

const model_t model_words = {.name  = "words",
                             .what  = "version and words, as all three tiers and the directory use",
                             .files = " shm/book_layout.h ",
                             .thread_cnt = 2,
                             .bound      = 4,
                             .setup      = words_setup,
                             .thread     = {words_write, words_read}};

/* The negative control of both programs: the version is not looked at again. */
static void
forgetful_read(void) {
  uint64_t both[2];

  const uint64_t version =
      md_load_acquire(&small.version); /* A2: words; pairs with R2 in shm/book_layout.h */
  if (version % 2 != 0) return;
  md_book_words_load(small.word, both, 2);
  model_check(both[0] == both[1]);
}

const model_t model_forgetful = {.name       = "forgetful",
                                 .what       = "must fail",
                                 .files      = " none ",
                                 .thread_cnt = 2,
                                 .setup      = words_setup,
                                 .thread     = {words_write, forgetful_read}};

/* ---- top ---- */

static void
top_setup(void) {
  gap = 1;
  model_mark_atomic(&book->top_newest, 8);
  for (unsigned i = 0; i < MD_BOOK_TOP_SLOTS; i++)
    model_mark_atomic(&book->top[i], MD_BOOK_TOP_WORDS * 8);
  setup_book();
}

static void
write_five(void) {
  for (unsigned i = 0; i < 5; i++)
    write_next();
}

static void
top_read(void) {
  static md_book_top_t top;
  uint64_t             last = 0;

  for (unsigned i = 0; i < 2; i++) {
    const md_err_t err = md_book_read_top(book, &top);
    model_check(err == MD_OK); /* a read of top never fails */
    check_meta(&top.meta);
    check_level(top.meta.last_seq, MD_SIDE_BUY, 0, top.bid_px, top.bid_qty);
    check_level(top.meta.last_seq, MD_SIDE_SELL, 0, top.ask_px, top.ask_qty);
    model_check(top.meta.last_seq >= START && top.meta.last_seq >= last);
    last = top.meta.last_seq;
  }
}

const model_t model_top = {.name       = "top",
                           .what       = "best bid and ask of one record, never an older one",
                           .files      = " shm/book_layout.h shm/book.c ",
                           .thread_cnt = 2,
                           .bound      = 1,
                           .setup      = top_setup,
                           .thread     = {write_five, top_read}};

/* ---- bbo ---- */

static void
bbo_setup(void) {
  for (unsigned i = 0; i < MD_BOOK_BBO_LINES; i++)
    model_mark_atomic(&book->bbo[i], sizeof book->bbo[i]);
  setup_book();
}

/* What changes nothing that a bbo says does not rewrite it. */
static void
write_bbos(void) {
  static md_book_meta_t meta;

  write_next();
  write_next();
  meta           = meta_of(seq);
  meta.ts_pub_ns = 1;
  md_book_write_state(book, &meta);
  write_next();
}

static void
bbo_read(void) {
  static md_book_bbo_t bbo;
  uint64_t             last = START;

  for (unsigned i = 0; i < 2; i++) {
    const md_err_t err = md_book_read_bbo(book, &bbo);
    model_check(err == MD_OK); /* a read of bbo never fails */
    const md_book_meta_t want = meta_of(bbo.last_seq);
    model_check(bbo.state == want.state && bbo.px_exp == want.px_exp && bbo.flags == want.flags &&
                bbo.ts_recv_ns == want.ts_recv_ns);
    check_level(bbo.last_seq, MD_SIDE_BUY, 0, bbo.bid_px, bbo.bid_qty);
    check_level(bbo.last_seq, MD_SIDE_SELL, 0, bbo.ask_px, bbo.ask_qty);
    model_check(bbo.last_seq >= last);
    last = bbo.last_seq;
  }
}

const model_t model_bbo = {.name       = "bbo",
                           .what       = "best prices of one record, never an older one",
                           .files      = " shm/book_layout.h shm/book_bbo.c ",
                           .thread_cnt = 2,
                           .bound      = 1,
                           .setup      = bbo_setup,
                           .thread     = {write_bbos, bbo_read}};

/* ---- ladder ---- */

static void
ladder_setup(void) {
  gap = 1;
  model_mark_atomic(&book->ladder_newest, 8);
  for (unsigned i = 0; i < MD_LADDER_SLOTS; i++)
    model_mark_atomic(&book->ladder[i], offsetof(md_book_slot_t, words) + MD_BOOK_LADDER_WORDS * 8);
  setup_book();
}

static void
ladder_read(void) {
  static md_book_ladder_t ladder;
  uint64_t                last = START;

  for (unsigned i = 0; i < 2; i++) {
    const md_err_t err = md_book_read_ladder(book, &ladder);
    model_check(err == MD_OK); /* a ladder read never fails */
    check_meta(&ladder.meta);
    model_check(ladder.bid_cnt == DEPTH_LEVELS && ladder.ask_cnt == DEPTH_LEVELS);
    for (uint32_t n = 0; n < DEPTH_LEVELS; n++) {
      check_level(ladder.meta.last_seq, MD_SIDE_BUY, n, ladder.bids[n].px, ladder.bids[n].qty);
      check_level(ladder.meta.last_seq, MD_SIDE_SELL, n, ladder.asks[n].px, ladder.asks[n].qty);
    }
    model_check(ladder.meta.last_seq >= last);
    last = ladder.meta.last_seq;
  }
}

const model_t model_ladder = {.name = "ladder",
                              .what =
                                  "twenty levels of one record, never an older one, never refused",
                              .files      = " shm/book_layout.h shm/book_ladder.c ",
                              .thread_cnt = 2,
                              .bound      = 0,
                              .setup      = ladder_setup,
                              .thread     = {write_five, ladder_read}};

/* Only what says where to read is watched: many more ways for the writer to come round than with
 * every word. A reader that is shown old values for as long as the memory model allows must still
 * get on. */
static void
progress_setup(void) {
  gap = 1;
  model_mark_atomic(&book->ladder_newest, 8);
  for (unsigned i = 0; i < MD_LADDER_SLOTS; i++)
    model_mark_atomic(&book->ladder[i].version, 8);
  setup_book();
}

static void
progress_read(void) {
  static md_book_ladder_t ladder;

  for (unsigned i = 0; i < 2; i++) {
    const md_err_t err = md_book_read_ladder(book, &ladder);
    model_check(err == MD_OK);
  }
}

static void
write_nine(void) {
  for (unsigned i = 0; i < 9; i++)
    write_next();
}

const model_t model_progress = {.name       = "progress",
                                .what       = "a reader of the ladder gets on, whatever it sees",
                                .files      = " shm/book_layout.h shm/book_ladder.c ",
                                .thread_cnt = 2,
                                .bound      = 2,
                                .setup      = progress_setup,
                                .thread     = {write_nine, progress_read}};

/* ---- depth ---- */

static void
depth_setup(void) {
  gap = 1;
  model_mark_atomic(&book->depth_newest, 24);
  model_mark_atomic(md_book_words_at(book, md_book_state_off(0)),
                    md_book_footprint(DEPTH_LEVELS) - md_book_state_off(0));
  setup_book();
}

static void
depth_read(void) {
  static md_level_t     bids[DEPTH_LEVELS], asks[DEPTH_LEVELS];
  static md_book_meta_t meta;
  uint32_t              bid_cnt, ask_cnt;
  uint64_t              last = START;

  for (unsigned i = 0; i < 2; i++) {
    const md_err_t err =
        md_book_read_depth(book, DEPTH_LEVELS, &meta, bids, &bid_cnt, asks, &ask_cnt);
    if (err == MD_ERR_BUSY) continue;
    model_check(err == MD_OK && bid_cnt == DEPTH_LEVELS && ask_cnt == DEPTH_LEVELS);
    check_meta(&meta);
    for (uint32_t n = 0; n < DEPTH_LEVELS; n++) {
      check_level(meta.last_seq, MD_SIDE_BUY, n, bids[n].px, bids[n].qty);
      check_level(meta.last_seq, MD_SIDE_SELL, n, asks[n].px, asks[n].qty);
    }
    model_check(meta.last_seq >= last);
    last = meta.last_seq;
  }
}

/* write_anew makes the next record one that rewrites all levels: in the copy at rest. */
static void
write_anew(void) {
  static md_book_meta_t meta;

  seq++;
  meta = meta_of(seq);
  md_book_write_all(book, &meta, level_read, &seq);
}

static void
write_mixed(void) {
  write_next();
  write_next();
  write_anew();
  write_next();
  write_anew();
}

const model_t model_depth = {.name       = "depth",
                             .what       = "all levels of one record, never an older one",
                             .files      = " shm/book_layout.h shm/book_depth.h shm/book_depth.c "
                                           "shm/book_depth_read.c shm/book_far.c ",
                             .thread_cnt = 2,
                             .bound      = 0,
                             .setup      = depth_setup,
                             .thread     = {write_mixed, depth_read}};

/* The second level of a side lies too far away for a window: it stands in the circle behind it. */
static void
depth_far_setup(void) {
  gap = 10;
  model_mark_atomic(&book->depth_newest, 24);
  model_mark_atomic(md_book_words_at(book, md_book_state_off(0)),
                    md_book_footprint(DEPTH_LEVELS) - md_book_state_off(0));
  setup_book();
}

const model_t model_depth_far = {.name  = "depth_far",
                                 .what  = "the same of levels that lie apart",
                                 .files = " shm/book_layout.h shm/book_depth.h shm/book_depth.c "
                                          "shm/book_depth_read.c shm/book_far.c ",
                                 .thread_cnt = 2,
                                 .bound      = 0,
                                 .setup      = depth_far_setup,
                                 .thread     = {write_mixed, depth_read}};
