/* A stranger's reader: it includes the public header and nothing else of the engine, maps the
 * segment read-only, and believes nothing that it cannot check.
 *
 *   reader DIR NAME [READS]            READS good reads of each tier of every instrument in turn,
 * each checked by itself, against the other tiers, and now and then against a book rebuilt from the
 * tape up to the same seq reader --selftest DIR NAME         spoils good reads, torn ones among
 * them: each must be noticed reader --watch-death NS DIR NAME   polls until the engine is DEAD, and
 * some time longer reader --denied DIR NAME           the segment must not open
 * reader --calm SECONDS DIR NAME    as the first, at the pace of a quiet feed, all joined
 *
 * Exit status 0 ok, 1 at the first inconsistency, which is named. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shm/client/mdshm.h"
#include "tests/e2e/tape_book.h"

#define READS        10000001u
#define ROWS_MAX     64u
#define DEPTH_MAX    1024u
#define IDS_MAX      4096u
#define JOIN_EVERY   32u /* rounds over an instrument's tiers */
#define MAX_AGE_NS   5000000000ll
#define GIVE_UP_NS   240000000000ll
#define POLL_NS      1000000l
#define POLLS_AFTER  1000u
#define FLAG_CROSSED 128u
#define STATE_VALID  2u
#define EXPONENT_MIN (-24)
#define EXPONENT_MAX 8
#define CNT(a)       (sizeof(a) / sizeof(a)[0])

enum { TOP, LADDER, DEPTH, TIERS };

static const char *const tier_name[TIERS] = {"top", "ladder", "depth"};

/* A tier as it was read, in one form for all three. */
typedef struct view {
  mdshm_result_t           result;
  const mdshm_book_meta_t *meta;
  const mdshm_level_t     *bids, *asks;
  uint32_t                 bid_cnt, ask_cnt;
} view_t;

typedef struct history {
  uint64_t last_seq, exch_seq;
  uint32_t gen;
} history_t;

typedef struct row {
  uint32_t  row, id, feed;
  char      symbol[MDSHM_SYMBOL_BYTES];
  history_t history[TIERS];
} row_t;

typedef struct figures {
  uint64_t ok, busy, not_valid, changed, joined, passed;
} figures_t;

static mdshm_t        *shm;
static row_t           rows[ROWS_MAX];
static uint32_t        row_cnt;
static figures_t       figures[TIERS];
static uint64_t        same_cnt; /* reads of two tiers at the same seq */
static tape_follower_t tape;
static uint32_t        depth_levels;

static mdshm_top_t    top_read;
static mdshm_ladder_t ladder_read;
static mdshm_depth_t  depth_read;
static mdshm_level_t  top_bid, top_ask, depth_bids[DEPTH_MAX], depth_asks[DEPTH_MAX];

static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *format, ...) {
  char    text[512];
  va_list list;
  va_start(list, format);
  (void)vsnprintf(text, sizeof text, format, list);
  va_end(list);
  (void)fflush(stdout);
  (void)fprintf(stderr, "reader: %s\n", text);
  exit(1);
}

static int64_t
mono_ns(void) {
  struct timespec t;
  if (clock_gettime(CLOCK_MONOTONIC, &t)) fail("no clock");
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
nap(void) {
  struct timespec t = {0, POLL_NS};
  (void)nanosleep(&t, NULL);
}

/* ---- reading ---- */

static void
rows_refresh(void) {
  for (uint32_t i = row_cnt; i < mdshm_instrument_cnt(shm) && row_cnt < ROWS_MAX; i++) {
    mdshm_instrument_t in = {.struct_size = sizeof in};
    if (mdshm_instrument_get(shm, i, &in) != MDSHM_OK) return; /* being filled: later */
    if (!in.has_book) fail("row %u has no book", i);
    row_t *r = &rows[row_cnt++];
    *r       = (row_t){.row = i, .id = in.id, .feed = in.feed};
    memcpy(r->symbol, in.symbol, sizeof r->symbol);
    if (mdshm_depth_levels(shm, i) > DEPTH_MAX) fail("depth is larger than %u", DEPTH_MAX);
    depth_levels = mdshm_depth_levels(shm, i);
  }
}

static view_t
read_top(uint32_t row, int64_t max_age_ns) {
  top_read.struct_size  = sizeof top_read;
  mdshm_result_t result = mdshm_read_top(shm, row, max_age_ns, &top_read);
  top_bid               = (mdshm_level_t){top_read.bid_px, top_read.bid_qty};
  top_ask               = (mdshm_level_t){top_read.ask_px, top_read.ask_qty};
  return (view_t){result,
                  &top_read.meta,
                  &top_bid,
                  &top_ask,
                  top_bid.px != MDSHM_ABSENT_I64,
                  top_ask.px != MDSHM_ABSENT_I64};
}

static view_t
read_tier(unsigned tier, uint32_t row, int64_t max_age_ns) {
  if (tier == TOP) return read_top(row, max_age_ns);
  if (tier == LADDER) {
    ladder_read.struct_size = sizeof ladder_read;
    mdshm_result_t result   = mdshm_read_ladder(shm, row, max_age_ns, &ladder_read);
    return (view_t){result,           &ladder_read.meta,   ladder_read.bids,
                    ladder_read.asks, ladder_read.bid_cnt, ladder_read.ask_cnt};
  }
  depth_read.struct_size = sizeof depth_read;
  depth_read.max_levels  = DEPTH_MAX;
  depth_read.bids        = depth_bids;
  depth_read.asks        = depth_asks;
  mdshm_result_t result  = mdshm_read_depth(shm, row, max_age_ns, &depth_read);
  return (view_t){result,     &depth_read.meta,   depth_bids,
                  depth_asks, depth_read.bid_cnt, depth_read.ask_cnt};
}

static uint32_t
tier_levels(unsigned tier) {
  return tier == TOP ? 1 : tier == LADDER ? MDSHM_LADDER_LEVELS : depth_levels;
}

/* ---- checks of one read ---- */

static bool
side_is_ordered(const mdshm_level_t *levels, uint32_t cnt, bool is_bid) {
  bool good = cnt == 0 || levels[0].qty > 0;
  for (uint32_t i = 1; i < cnt; i++) {
    good &= levels[i].qty > 0;
    good &= is_bid ? levels[i].px < levels[i - 1].px : levels[i].px > levels[i - 1].px;
  }
  return good;
}

static uint32_t
at_most(uint32_t value, uint32_t max) {
  return value < max ? value : max;
}

/* What is wrong with the levels, NULL nothing. */
static const char *
check_levels(const view_t *v, unsigned tier) {
  const mdshm_book_meta_t *m   = v->meta;
  uint32_t                 max = tier_levels(tier);
  if (m->px_exp < EXPONENT_MIN || m->px_exp > EXPONENT_MAX) return "px_exp out of range";
  if (m->qty_exp < EXPONENT_MIN || m->qty_exp > EXPONENT_MAX) return "qty_exp out of range";
  if (v->bid_cnt > max || v->ask_cnt > max) return "more levels than there is room for";
  if (v->result == MDSHM_OK && m->state != STATE_VALID) return "OK, but the book is not VALID";
  if (v->result == MDSHM_OK && v->bid_cnt != at_most(m->bid_total, max))
    return "bids and their total disagree";
  if (v->result == MDSHM_OK && v->ask_cnt != at_most(m->ask_total, max))
    return "asks and their total disagree";
  if (!side_is_ordered(v->bids, v->bid_cnt, true)) return "bids are not in order";
  if (!side_is_ordered(v->asks, v->ask_cnt, false)) return "asks are not in order";
  bool is_crossed = v->bid_cnt && v->ask_cnt && v->bids[0].px >= v->asks[0].px;
  if (is_crossed && !(m->flags & FLAG_CROSSED)) return "crossed without the flag";
  return NULL;
}

/* What goes back in time, NULL nothing. */
static const char *
check_order(const view_t *v, history_t *h) {
  const mdshm_book_meta_t *m = v->meta;
  if (m->last_seq < h->last_seq) return "last_seq went back";
  if (m->gen < h->gen) return "gen went back";
  if (m->gen == h->gen && m->exch_seq < h->exch_seq) return "exch_seq went back";
  *h = (history_t){m->last_seq, m->exch_seq, m->gen};
  return NULL;
}

/* Two tiers that say the same seq must agree as far as the smaller goes. */
static const char *
check_pair(const view_t *small, const view_t *large, uint32_t max) {
  uint32_t bid_cnt = at_most(large->bid_cnt, max), ask_cnt = at_most(large->ask_cnt, max);
  if (small->bid_cnt != bid_cnt || small->ask_cnt != ask_cnt) return "has other counts";
  if (memcmp(small->bids, large->bids, bid_cnt * sizeof *small->bids) != 0) return "has other bids";
  if (memcmp(small->asks, large->asks, ask_cnt * sizeof *small->asks) != 0) return "has other asks";
  return NULL;
}

static bool
is_whole(const view_t *v) {
  return v->result == MDSHM_OK || v->result == MDSHM_NOT_VALID;
}

static void
check_view(const view_t *v, unsigned tier, row_t *r) {
  figures_t *f = &figures[tier];
  f->ok += v->result == MDSHM_OK;
  f->busy += v->result == MDSHM_BUSY;
  f->not_valid += v->result == MDSHM_NOT_VALID || v->result == MDSHM_STALE;
  if (v->result == MDSHM_BUSY || v->result == MDSHM_STALE) return; /* a machine that is too busy */
  if (!is_whole(v)) fail("%s of %s: %s", tier_name[tier], r->symbol, mdshm_result_name(v->result));
  f->changed += v->meta->last_seq != r->history[tier].last_seq;
  const char *wrong = check_levels(v, tier);
  if (!wrong) wrong = check_order(v, &r->history[tier]);
  if (wrong)
    fail("%s of %s at seq %" PRIu64 ": %s", tier_name[tier], r->symbol, v->meta->last_seq, wrong);
}

static void
check_pairs(const view_t views[TIERS], const row_t *r) {
  for (unsigned i = 0; i + 1 < TIERS; i++) {
    const view_t *a = &views[i], *b = &views[i + 1];
    if (!is_whole(a) || !is_whole(b) || a->meta->last_seq != b->meta->last_seq) continue;
    same_cnt++;
    const char *wrong = check_pair(a, b, tier_levels(i));
    if (wrong)
      fail("%s of %s at seq %" PRIu64 " %s than %s", tier_name[i], r->symbol, a->meta->last_seq,
           wrong, tier_name[i + 1]);
  }
}

/* ---- joins with the tape ---- */

/* Advances the tape until it has applied seq. False: it is beyond, or was lapped. */
static bool
tape_reach(uint64_t seq) {
  while (tape.seq < seq) {
    mdshm_result_t result = tape_follower_next(&tape);
    if (result == MDSHM_OK) continue;
    if (result == MDSHM_EMPTY && tape.seq != 0)
      fail("a book is at seq %" PRIu64 ", its tape at %" PRIu64, seq, tape.seq);
    if (result != MDSHM_EMPTY && result != MDSHM_LAPPED)
      fail("the tape behind seq %" PRIu64 ": %s", tape.seq, tape.wrong ? tape.wrong : "garbage");
    return false;
  }
  return tape.seq == seq;
}

/* NULL: equal, or *joined says that they could not be compared. */
static const char *
join(const view_t *v, unsigned tier, const row_t *r, bool *joined) {
  *joined = tape_reach(v->meta->last_seq);
  if (!*joined) return NULL;
  tape_book_t *book = tape_book_of(&tape, r->id);
  *joined           = book && book->is_known;
  if (!*joined) return NULL;
  return tape_book_differs(book, v->meta, v->bids, v->bid_cnt, v->asks, v->ask_cnt,
                           tier_levels(tier));
}

/* Compares the tiers that were read with the tape's book, the oldest first: the tape only goes on.
 */
static void
join_all(const view_t views[TIERS], const row_t *r) {
  bool done[TIERS] = {false};
  for (unsigned n = 0; n < TIERS; n++) {
    unsigned next = TIERS;
    for (unsigned i = 0; i < TIERS; i++)
      if (!done[i] && (next == TIERS || views[i].meta->last_seq < views[next].meta->last_seq))
        next = i;
    done[next] = true;
    if (views[next].result != MDSHM_OK) continue;
    bool        joined;
    const char *differs = join(&views[next], next, r, &joined);
    if (differs)
      fail("%s of %s at seq %" PRIu64 ": %s", tier_name[next], r->symbol,
           views[next].meta->last_seq, differs);
    figures[next].joined += joined;
    figures[next].passed += !joined;
  }
}

/* ---- the run ---- */

static uint64_t
published(uint32_t feed) {
  mdshm_feed_t   f = {.struct_size = sizeof f};
  mdshm_stream_t s = {.struct_size = sizeof s};
  if (mdshm_feed(shm, feed, &f) != MDSHM_OK || mdshm_stream(shm, f.stream, &s) != MDSHM_OK)
    fail("feed %u has no stream", feed);
  return s.published_seq;
}

static void
wait_for_books(void) {
  int64_t begin_ns = mono_ns();
  for (rows_refresh(); row_cnt == 0 || read_top(0, MAX_AGE_NS).result != MDSHM_OK; rows_refresh()) {
    if (mono_ns() - begin_ns > GIVE_UP_NS) fail("no book became VALID");
    nap();
  }
  tape.id_cnt = IDS_MAX;
  tape.books  = calloc(IDS_MAX, sizeof(tape_book_t *));
  if (!tape.books) fail("out of memory");
  if (mdshm_tape_open(shm, rows[0].feed, MDSHM_FROM_NOW, &tape.tape) != MDSHM_OK) fail("no tape");
}

static void
round_of(row_t *r, bool with_join) {
  view_t views[TIERS];
  for (unsigned tier = 0; tier < TIERS; tier++) {
    views[tier] = read_tier(tier, r->row, MAX_AGE_NS);
    check_view(&views[tier], tier, r);
  }
  check_pairs(views, r);
  if (with_join) join_all(views, r);
}

static void
print_figures(unsigned tier) {
  const figures_t *f = &figures[tier];
  printf("%s: reads %" PRIu64 ", new %" PRIu64 ", busy %" PRIu64 ", not valid %" PRIu64
         ", torn 0, joined with the tape %" PRIu64 ", passed %" PRIu64 ", different 0\n",
         tier_name[tier], f->ok, f->changed, f->busy, f->not_valid, f->joined, f->passed);
}

static int
run_calmly(uint64_t seconds) {
  wait_for_books();
  int64_t end_ns = mono_ns() + (int64_t)seconds * 1000000000;
  while (mono_ns() < end_ns) {
    rows_refresh();
    for (uint32_t i = 0; i < row_cnt; i++)
      round_of(&rows[i], true);
    nap();
  }
  for (unsigned i = 0; i < TIERS; i++) {
    print_figures(i);
    if (figures[i].joined == 0) fail("%s never met the tape", tier_name[i]);
  }
  printf("tape: snapshots %" PRIu64 ", deltas %" PRIu64 "\n", tape.snapshot_cnt, tape.delta_cnt);
  return 0;
}

static int
run(uint64_t reads) {
  wait_for_books();
  int64_t  begin_ns  = mono_ns();
  uint64_t begin_seq = published(rows[0].feed), rounds = 0;
  while (figures[TOP].ok < reads || figures[LADDER].ok < reads || figures[DEPTH].ok < reads) {
    for (uint32_t i = 0; i < row_cnt; i++, rounds++)
      round_of(&rows[i], rounds % JOIN_EVERY == 0);
    if (rounds % 4096 < row_cnt) {
      rows_refresh();
      if (mono_ns() - begin_ns > GIVE_UP_NS) fail("not done in time");
    }
  }
  double seconds = (double)(mono_ns() - begin_ns) / 1e9;
  for (unsigned i = 0; i < TIERS; i++) {
    const figures_t *f = &figures[i];
    print_figures(i);
    if (f->changed < reads / 1000) fail("%s hardly changed: the feed did not run", tier_name[i]);
    if (f->joined < reads / 1000) fail("%s hardly met the tape", tier_name[i]);
  }
  /* A writer never stands in the slot that a reader of the ladder takes: only being lapped thrice
   * at each try makes it BUSY. */
  if (figures[LADDER].busy > reads / 1000000) fail("ladder is not wait-free");
  printf("tiers at the same seq: %" PRIu64 ", all equal\n", same_cnt);
  printf("tape: records %" PRIu64 ", snapshots %" PRIu64 ", deltas %" PRIu64 ", lapped %" PRIu64
         "\n",
         tape.record_cnt, tape.snapshot_cnt, tape.delta_cnt, tape.lapped_cnt);
  printf("feed: %.0f records/s during %.1f s, %u instruments, depth %u\n",
         (double)(published(rows[0].feed) - begin_seq) / seconds, seconds, row_cnt, depth_levels);
  return 0;
}

/* ---- selftest: what the checks must notice ---- */

typedef enum spoil {
  SPOIL_NOTHING,
  SPOIL_SWAP_BIDS,
  SPOIL_NO_QTY,
  SPOIL_COUNT,
  SPOIL_CROSS,
  SPOIL_EXPONENT,
  SPOIL_SEQ_BACK,
  SPOIL_GEN_BACK,
  SPOIL_EXCH_SEQ_BACK,
  SPOIL_OTHER_TIER,
  SPOIL_ONE_QTY,
  SPOIL_TORN_SIDES,
  SPOIL_TORN_LEVELS,
  SPOIL_CNT
} spoil_t;

static void
spoil(spoil_t kind, mdshm_ladder_t *l, history_t *h, const mdshm_ladder_t *older) {
  mdshm_level_t level = l->bids[0];
  switch (kind) {
  case SPOIL_SWAP_BIDS:
    l->bids[0] = l->bids[1];
    l->bids[1] = level;
    break;
  case SPOIL_NO_QTY:
    l->asks[3].qty = 0;
    break;
  case SPOIL_COUNT:
    l->ask_cnt = MDSHM_LADDER_LEVELS + 1;
    break;
  case SPOIL_CROSS:
    l->bids[0].px = l->asks[0].px;
    break;
  case SPOIL_EXPONENT:
    l->meta.px_exp = EXPONENT_MAX + 1;
    break;
  case SPOIL_SEQ_BACK:
    h->last_seq = l->meta.last_seq + 1;
    break;
  case SPOIL_GEN_BACK:
    h->gen = l->meta.gen + 1;
    break;
  case SPOIL_EXCH_SEQ_BACK:
    h->exch_seq = l->meta.exch_seq + 1;
    h->gen      = l->meta.gen;
    break;
  case SPOIL_OTHER_TIER:
  case SPOIL_ONE_QTY:
    l->asks[MDSHM_LADDER_LEVELS - 1].qty++;
    break;
  case SPOIL_TORN_SIDES:
    memcpy(l->bids, older->bids, sizeof l->bids);
    break;
  case SPOIL_TORN_LEVELS:
    memcpy(&l->bids[10], &older->bids[10], 10 * sizeof l->bids[0]);
    memcpy(l->asks, older->asks, sizeof l->asks);
    break;
  case SPOIL_NOTHING:
  case SPOIL_CNT:
    break;
  }
}

/* Reads until ladder and depth say the same seq, the tape's book stands at it, and the ladder is
 * not the one before: then every check can be asked. */
static view_t
read_for_selftest(row_t *r, const mdshm_ladder_t *older) {
  int64_t begin_ns = mono_ns();
  while (mono_ns() - begin_ns < GIVE_UP_NS) {
    view_t ladder = read_tier(LADDER, r->row, MAX_AGE_NS);
    view_t depth  = read_tier(DEPTH, r->row, MAX_AGE_NS);
    bool   joined = false;
    if (ladder.result != MDSHM_OK) continue;
    const char *differs = join(&ladder, LADDER, r, &joined);
    if (differs) fail("ladder at seq %" PRIu64 ": %s", ladder.meta->last_seq, differs);
    if (!joined || depth.result != MDSHM_OK || ladder.meta->last_seq != depth.meta->last_seq)
      continue;
    if (older &&
        (memcmp(&older->bids[10], &ladder_read.bids[10], 10 * sizeof older->bids[0]) == 0 ||
         memcmp(older->asks, ladder_read.asks, sizeof older->asks) == 0))
      continue;
    return ladder;
  }
  fail("no ladder met its depth and its tape");
}

static const char *
check_spoiled(const view_t *v, history_t *h, const row_t *r, bool with_depth) {
  const view_t depth = {MDSHM_OK,   &depth_read.meta,   depth_bids,
                        depth_asks, depth_read.bid_cnt, depth_read.ask_cnt};
  bool         joined;
  const char  *wrong = check_levels(v, LADDER);
  if (!wrong) wrong = check_order(v, h);
  if (!wrong && with_depth) wrong = check_pair(v, &depth, MDSHM_LADDER_LEVELS);
  if (!wrong && !with_depth) wrong = join(v, LADDER, r, &joined);
  return wrong;
}

static int
selftest(void) {
  static mdshm_ladder_t older, good;
  history_t             unspoiled;
  unsigned              noticed = 0;
  wait_for_books();
  row_t *r  = &rows[0];
  view_t v  = read_for_selftest(r, NULL);
  older     = ladder_read;
  v         = read_for_selftest(r, &older);
  good      = ladder_read;
  unspoiled = (history_t){good.meta.last_seq, good.meta.exch_seq, good.meta.gen};
  for (unsigned kind = SPOIL_NOTHING; kind < SPOIL_CNT; kind++) {
    history_t h = unspoiled;
    ladder_read = good;
    spoil((spoil_t)kind, &ladder_read, &h, &older);
    v.bid_cnt         = ladder_read.bid_cnt;
    v.ask_cnt         = ladder_read.ask_cnt;
    const char *wrong = check_spoiled(&v, &h, r, kind == SPOIL_OTHER_TIER);
    if (kind == SPOIL_NOTHING && wrong) fail("a good ladder is refused: %s", wrong);
    if (kind != SPOIL_NOTHING && !wrong) fail("spoil %u is not noticed", kind);
    if (kind != SPOIL_NOTHING) printf("  spoil %2u: %s\n", kind, wrong);
    noticed += wrong != NULL;
  }
  printf("selftest: %u of %d spoiled reads noticed\n", noticed, SPOIL_CNT - 1);
  return 0;
}

/* ---- death ---- */

typedef struct watch {
  int64_t  max_age_ns;
  uint32_t thread;
  uint64_t ok_cnt, stale_cnt, busy_cnt, dead_cnt;
  bool     is_stale; /* the last answers were STALE */
  bool     is_dead;
  int64_t  death_age_ns; /* of the heartbeat when DEAD was first said */
} watch_t;

/* The heartbeat is looked at after the read: it is no older than what the read saw, so an answer of
 * life is wrong whatever the scheduler did when even that was too old before the read began. */
static void
watch_answer(watch_t *w, mdshm_result_t result, int64_t before_ns, const char *what) {
  mdshm_thread_t t = {.struct_size = sizeof t};
  if (mdshm_thread(shm, w->thread, &t) != MDSHM_OK) fail("no thread row %u", w->thread);
  int64_t beat_ns = mono_ns() - t.heartbeat_age_ns; /* at the latest */
  if (result != MDSHM_DEAD && w->is_dead)
    fail("%s: %s after DEAD", what, mdshm_result_name(result));
  if (result == MDSHM_OK || result == MDSHM_NOT_VALID || result == MDSHM_BUSY) {
    if (before_ns - beat_ns > w->max_age_ns)
      fail("%s: %s with a heartbeat of %" PRId64 " ns", what, mdshm_result_name(result),
           before_ns - beat_ns);
    w->ok_cnt += result != MDSHM_BUSY;
    w->busy_cnt += result == MDSHM_BUSY;
    w->is_stale = false;
  } else if (result == MDSHM_STALE) {
    w->stale_cnt++;
    w->is_stale = true;
  } else if (result == MDSHM_DEAD) {
    if (w->is_stale) fail("%s: STALE before DEAD: the process was gone", what);
    if (t.heartbeat_age_ns <= w->max_age_ns) fail("%s: DEAD with a fresh heartbeat", what);
    if (!w->is_dead) w->death_age_ns = t.heartbeat_age_ns;
    w->is_dead = true;
    w->dead_cnt++;
  } else {
    fail("%s: %s", what, mdshm_result_name(result));
  }
}

static int
watch_death(int64_t max_age_ns) {
  watch_t      w        = {.max_age_ns = max_age_ns};
  mdshm_feed_t feed     = {.struct_size = sizeof feed};
  int64_t      begin_ns = mono_ns();
  uint32_t     after    = 0;
  wait_for_books();
  if (mdshm_feed(shm, rows[0].feed, &feed) != MDSHM_OK) fail("no feed");
  w.thread = feed.thread;
  for (uint32_t i = 0; after < POLLS_AFTER; i++, after += w.is_dead) {
    int64_t before_ns;
    for (unsigned tier = 0; tier < TIERS; tier++) {
      before_ns = mono_ns();
      watch_answer(&w, read_tier(tier, rows[i % row_cnt].row, max_age_ns).result, before_ns,
                   tier_name[tier]);
    }
    before_ns = mono_ns();
    watch_answer(&w, mdshm_feed_check(shm, rows[0].feed, max_age_ns), before_ns, "feed");
    if (before_ns - begin_ns > GIVE_UP_NS) fail("the engine did not die");
    if (i == 100) {
      puts("watching");
      (void)fflush(stdout);
    }
    rows_refresh();
    nap();
  }
  if (mdshm_check(shm) != MDSHM_DEAD)
    fail("mdshm_check says %s", mdshm_result_name(mdshm_check(shm)));
  printf("death: OK %" PRIu64 ", busy %" PRIu64 ", stale while alive %" PRIu64
         ", DEAD at a heartbeat of %.1f ms (max age %.1f ms), then DEAD %" PRIu64 " times, OK 0\n",
         w.ok_cnt, w.busy_cnt, w.stale_cnt, (double)w.death_age_ns / 1e6, (double)max_age_ns / 1e6,
         w.dead_cnt);
  return 0;
}

/* ---- the mapping ---- */

/* The library maps the segment without the right to write; and who is not its owner may not open it
 * for writing either. */
static void
check_read_only(const char *dir, const char *name) {
  char        path[512], line[1024];
  struct stat st;
  unsigned    found = 0;
  (void)snprintf(path, sizeof path, "%s/mdengine.%s", dir, name);
  FILE *maps = fopen("/proc/self/maps", "r");
  if (!maps) fail("cannot read /proc/self/maps");
  while (fgets(line, sizeof line, maps)) {
    if (!strstr(line, path)) continue;
    found++;
    if (!strstr(line, " r--s ")) fail("the segment is mapped as %s", line);
  }
  (void)fclose(maps);
  if (found == 0) fail("%s is not mapped", path);
  if (stat(path, &st)) fail("cannot look at %s", path);
  bool is_stranger = geteuid() != 0 && geteuid() != st.st_uid;
  if (is_stranger && (open(path, O_RDWR | O_CLOEXEC) >= 0 || errno != EACCES))
    fail("uid %u may open %s for writing", (unsigned)geteuid(), path);
  (void)snprintf(path, sizeof path, "%s/mdengine.%s.rings", dir, name);
  if (is_stranger && (open(path, O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES))
    fail("uid %u may open %s", (unsigned)geteuid(), path);
  printf("segment: mapped read-only by uid %u%s\n", (unsigned)geteuid(),
         is_stranger ? ", which may not open it for writing" : "");
}

static int
usage(void) {
  (void)fputs("Usage: reader [--selftest | --denied | --watch-death NS | --calm SECONDS] DIR NAME "
              "[READS]\n",
              stderr);
  return 2;
}

int
main(int argc, char **argv) {
  const char *mode       = argc > 1 && argv[1][0] == '-' ? argv[1] : "";
  bool        is_watch   = strcmp(mode, "--watch-death") == 0;
  bool        is_calm    = strcmp(mode, "--calm") == 0;
  int         first      = is_watch || is_calm ? 3 : *mode ? 2 : 1;
  uint64_t    number     = READS;
  char        text[1024] = "";
  if (argc < first + 2) return usage();
  const char *dir = argv[first], *name = argv[first + 1];
  if (is_watch || is_calm) number = strtoull(argv[2], NULL, 10);
  if (!*mode && argc > first + 2) number = strtoull(argv[first + 2], NULL, 10);

  mdshm_result_t result = mdshm_open(dir, name, 10000, &shm, text, sizeof text);
  if (strcmp(mode, "--denied") == 0) {
    if (result != MDSHM_DENIED) fail("%s, not DENIED", mdshm_result_name(result));
    printf("denied: %s\n", text);
    return 0;
  }
  if (result != MDSHM_OK) fail("%s: %s", mdshm_result_name(result), text);
  check_read_only(dir, name);
  int status;
  if (is_watch)
    status = watch_death((int64_t)number);
  else if (is_calm)
    status = run_calmly(number);
  else if (strcmp(mode, "--selftest") == 0)
    status = selftest();
  else if (*mode)
    return usage();
  else
    status = run(number);
  mdshm_tape_close(tape.tape);
  for (uint32_t i = 0; i < tape.id_cnt; i++)
    free(tape.books[i]);
  free(tape.books);
  mdshm_close(shm);
  return status;
}
