/* A writer process is killed in the middle of changing a book, again and again, under eight reader
 * processes that use the public library: each must be told DEAD, none may hang, and what is read
 * before and after is of one record. Only kills that left a version odd are counted. Argument: so
 * many kills; default 20. `control` as second argument: readers that never ask for the age of what
 * they read are told nothing, and the program says so. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/book_layout.h"
#include "shm/client/mdshm.h"
#include "shm/segment.h"
#include "tests/stress/book_model.h"

#define READER_CNT 8u
#define AGE_NS     100000000ll   /* a heartbeat older than this is old */
#define HANG_NS    60000000000ll /* a reader that was told nothing for so long hangs */

/* What the processes share beside the segment. Every word has one writer. */
typedef struct board {
  md_atomic_u64 round;            /* the parent's: grows when a new writer stands */
  md_atomic_u64 ready;            /* the writer's: the round for which its segment is ready */
  md_atomic_u64 seq;              /* the writer's */
  md_atomic_u64 told[READER_CNT]; /* the last round whose death the reader was told */
  md_atomic_u64 read_cnt[READER_CNT], wrong_cnt[READER_CNT];
  md_atomic_u64 after_cnt[READER_CNT]; /* reads of a dead writer's book that were answered DEAD */
} board_t;

static board_t *board;
static char     dir[64];
static int64_t  max_age_ns = AGE_NS;

static int64_t
now_ns(void) {
  return md_clock_mono_ns(md_clock_system());
}

/* ---- the writer ---- */

/* The segment of one writer; the start of a new one replaces the files of the dead one. */
static md_book_t *
open_segment(md_segment_t *s, uint32_t epoch) {
  static const md_segment_feed_t   feed = {.name = "a", .venue = "v", .depth_levels = MODEL_DEPTH};
  static const md_segment_thread_t thread = {.name = "feed:a", .kind = MD_THREAD_FEED};
  static const md_definition_t     d      = {.symbol = "A", .normalised = "A"};
  const md_segment_config_t        cfg    = {.name                = "kill",
                                             .dir                 = dir,
                                             .epoch               = epoch,
                                             .next_instrument_id  = 1,
                                             .instrument_capacity = 1,
                                             .book_bytes          = 32768,
                                             .feeds               = &feed,
                                             .feed_cnt            = 1,
                                             .threads             = &thread,
                                             .thread_cnt          = 1};
  const md_instrument_spec_t       spec   = {.definition = &d, .want_book = true};
  md_msg_t                         msg    = {""};
  uint32_t                         id     = 1, row;
  md_book_t                       *book   = NULL;
  int                              fd;

  if (md_segment_lock(dir, cfg.name, &fd, &msg) != MD_OK ||
      md_segment_new(&cfg, fd, md_clock_system(), s, &msg) != MD_OK ||
      md_instrument_add(s, &spec, &id, &row, &book) != MD_OK) {
    (void)fprintf(stderr, "stress_kill_process: %s\n", msg.text);
    _exit(2);
  }
  return book;
}

static _Noreturn void
run_writer(uint64_t round) {
  static md_segment_t s;
  static model_t      model;
  md_book_t          *book = open_segment(&s, (uint32_t)round);

  model_start(&model, book);
  md_store_relaxed(&s.threads[0].heartbeat_mono_ns, (uint64_t)now_ns());
  md_segment_ready(&s);
  md_store_release(&board->ready, round); /* R1: the segment stands; pairs with A1 */
  for (;;) {
    model_write(&model, book);
    if (model.seq % 64 == 0) md_store_relaxed(&s.threads[0].heartbeat_mono_ns, (uint64_t)now_ns());
  }
}

/* ---- a reader ---- */

/* Levels and seq of one answer; state, reason and trust are those of top at another instant. */
static bool
is_right(const mdshm_book_meta_t *meta, const mdshm_level_t *bids, uint32_t bid_cnt,
         const mdshm_level_t *asks, uint32_t ask_cnt, uint32_t max) {
  const md_book_meta_t want = model_meta(meta->last_seq);
  const void          *b = bids, *a = asks;

  return meta->exch_seq == want.exch_seq && meta->ts_pub_ns == want.ts_pub_ns &&
         meta->gen == want.gen && meta->px_exp == want.px_exp &&
         model_side_is_right(MD_SIDE_BUY, meta->last_seq, max, b, bid_cnt) &&
         model_side_is_right(MD_SIDE_SELL, meta->last_seq, max, a, ask_cnt);
}

/* An answer without a book: what the library gives for one that was left half written. */
static bool
is_empty(const mdshm_book_meta_t *meta, uint32_t bid_cnt, uint32_t ask_cnt) {
  return meta->state == MD_BOOK_EMPTY && bid_cnt == 0 && ask_cnt == 0;
}

#define TIER_CNT 4u /* top, ladder, depth, bbo */

static mdshm_result_t
read_tier(mdshm_t *shm, unsigned tier, bool *right) {
  static mdshm_level_t bids[MODEL_DEPTH], asks[MODEL_DEPTH];
  mdshm_bbo_t          bbo    = {.struct_size = sizeof bbo};
  mdshm_top_t          top    = {.struct_size = sizeof top};
  mdshm_ladder_t       ladder = {.struct_size = sizeof ladder};
  mdshm_depth_t        depth  = {
              .struct_size = sizeof depth, .max_levels = MODEL_DEPTH, .bids = bids, .asks = asks};
  mdshm_result_t result;

  if (tier == 0) {
    result                  = mdshm_read_top(shm, 0, max_age_ns, &top);
    const mdshm_level_t bid = {top.bid_px, top.bid_qty}, ask = {top.ask_px, top.ask_qty};
    const uint32_t      bid_n = bid.px != MDSHM_ABSENT_I64, ask_n = ask.px != MDSHM_ABSENT_I64;
    *right = is_right(&top.meta, &bid, bid_n, &ask, ask_n, 1) || is_empty(&top.meta, bid_n, ask_n);
  } else if (tier == 1) {
    result = mdshm_read_ladder(shm, 0, max_age_ns, &ladder);
    *right = is_right(&ladder.meta, ladder.bids, ladder.bid_cnt, ladder.asks, ladder.ask_cnt,
                      MD_LADDER_LEVELS) ||
             is_empty(&ladder.meta, ladder.bid_cnt, ladder.ask_cnt);
  } else if (tier == 3) { /* a meta of which only the seq is known: the rest follows from it */
    result                       = mdshm_read_bbo(shm, 0, max_age_ns, &bbo);
    const md_book_meta_t follows = model_meta(bbo.last_seq);
    const mdshm_level_t  bid = {bbo.bid_px, bbo.bid_qty}, ask = {bbo.ask_px, bbo.ask_qty};
    mdshm_book_meta_t    meta;
    memcpy(&meta, &follows, sizeof meta);
    *right = bbo.state == follows.state && bbo.reason == follows.reason &&
             bbo.ts_recv_ns == follows.ts_recv_ns &&
             is_right(&meta, &bid, bid.px != MDSHM_ABSENT_I64, &ask, ask.px != MDSHM_ABSENT_I64, 1);
  } else {
    result = mdshm_read_depth(shm, 0, max_age_ns, &depth);
    *right = is_right(&depth.meta, bids, depth.bid_cnt, asks, depth.ask_cnt, MODEL_DEPTH) ||
             is_empty(&depth.meta, depth.bid_cnt, depth.ask_cnt);
  }
  return result;
}

/* Reads until every tier was answered DEAD. */
static void
read_round(unsigned me, mdshm_t *shm) {
  bool dead[TIER_CNT] = {false};

  for (unsigned tier = 0; !dead[0] || !dead[1] || !dead[2] || !dead[3];
       tier          = (tier + 1) % TIER_CNT) {
    bool                 right  = false;
    const mdshm_result_t result = read_tier(shm, tier, &right);
    if (result == MDSHM_BUSY) continue;
    const bool filled = result == MDSHM_OK || result == MDSHM_NOT_VALID || result == MDSHM_STALE ||
                        result == MDSHM_DEAD;
    md_bump(&board->read_cnt[me], 1u);
    if (!filled || !right) md_bump(&board->wrong_cnt[me], 1u);
    if (result == MDSHM_DEAD) {
      dead[tier] = true;
      md_bump(&board->after_cnt[me], 1u);
    }
  }
}

static _Noreturn void
run_reader(unsigned me) {
  for (uint64_t round = 1;; round++) {
    while (md_load_acquire(&board->round) < round) /* A2: a writer stands; pairs with R2 */
      (void)usleep(500);
    mdshm_t *shm = NULL;
    char     text[256];
    if (mdshm_open(dir, "kill", 10000, &shm, text, sizeof text) != MDSHM_OK) {
      (void)fprintf(stderr, "stress_kill_process: %s\n", text);
      _exit(2);
    }
    read_round(me, shm);
    mdshm_close(shm);
    md_store_release(&board->told[me], round); /* R3: through with it; pairs with A3 */
  }
}

/* ---- the parent ---- */

/* stands_odd says whether the dead writer left a change half done. */
static bool
stands_odd(void) {
  md_segment_t     s;
  const md_book_t *book = NULL;
  bool             odd  = false;

  if (md_segment_join(dir, "kill", &s, NULL) != MD_OK) return false;
  book = md_instrument_book(&s, 0);
  if (book != NULL) {
    for (unsigned i = 0; i < MD_LADDER_SLOTS; i++)
      odd |= md_load_relaxed(&book->ladder[i].version) % 2 != 0;
    for (unsigned i = 0; i < MD_BOOK_BBO_LINES; i++)
      odd |= md_load_relaxed(&book->bbo[i].version) == 0;
    /* Depth: a log that is longer than the newest state says. Its writer is gone: relaxed. */
    const uint64_t        off = md_book_state_off(md_load_relaxed(&book->depth_newest));
    md_book_depth_state_t state;
    md_book_words_load(md_book_words_at_const(book, off), &state, MD_BOOK_STATE_WORDS);
    odd |= md_load_relaxed(&book->depth_logged) != state.logged;
  }
  md_segment_leave(&s);
  return odd;
}

/* Waits until every reader was told of the round's death; returns how many were not in time. */
static unsigned
wait_told(uint64_t round) {
  const int64_t limit = now_ns() + (max_age_ns == MDSHM_ANY_AGE ? 2000000000ll : HANG_NS);
  unsigned      hung;

  do {
    hung = 0;
    for (unsigned i = 0; i < READER_CNT; i++)
      hung += md_load_acquire(&board->told[i]) < round; /* A3: it is through; pairs with R3 */
    if (hung == 0) break;
    (void)usleep(1000);
  } while (now_ns() < limit);
  return hung;
}

/* One writer's life; returns its hung readers and sets *odd. */
static unsigned
kill_one(uint64_t round, uint64_t *random, bool *odd) {
  const pid_t pid = fork();
  int         status;

  md_assert(pid >= 0);
  if (pid == 0) run_writer(round);
  while (md_load_acquire(&board->ready) < round) /* A1: its segment stands; pairs with R1 */
    if (waitpid(pid, &status, WNOHANG) == pid) return READER_CNT;
  md_store_release(&board->round, round); /* R2: the readers may come; pairs with A2 */
  (void)usleep((useconds_t)(1000 + stress_next(random) % 8000));
  (void)kill(pid, SIGKILL);
  (void)waitpid(pid, &status, 0);
  *odd = stands_odd();
  return wait_told(round);
}

static void
clean(const pid_t *readers) {
  char path[128];

  for (unsigned i = 0; i < READER_CNT; i++) {
    (void)kill(readers[i], SIGKILL);
    (void)waitpid(readers[i], NULL, 0);
  }
  (void)snprintf(path, sizeof path, "%s/mdengine.kill", dir);
  (void)unlink(path);
  (void)snprintf(path, sizeof path, "%s/mdengine.kill.rings", dir);
  (void)unlink(path);
  (void)rmdir(dir);
}

int
main(int argc, char **argv) {
  const uint64_t want_cnt = stress_argument(argc, argv, 20);
  const bool     control  = argc > 2 && strcmp(argv[2], "control") == 0;
  pid_t          readers[READER_CNT];
  uint64_t       kill_cnt = 0, odd_cnt = 0, random = 1;
  uint64_t       read_cnt = 0, wrong_cnt = 0, after_cnt = 0;
  unsigned       hung = 0;

  if (control) max_age_ns = MDSHM_ANY_AGE;
  board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  md_assert(board != MAP_FAILED);
  md_assert(stress_dir(dir, sizeof dir, "mdkill"));
  for (unsigned i = 0; i < READER_CNT; i++) {
    readers[i] = fork();
    md_assert(readers[i] >= 0);
    if (readers[i] == 0) run_reader(i);
  }
  while (odd_cnt < want_cnt && hung == 0 && kill_cnt < 20 * want_cnt) {
    bool odd = false;
    hung     = kill_one(++kill_cnt, &random, &odd);
    odd_cnt += odd;
  }
  clean(readers);
  for (unsigned i = 0; i < READER_CNT; i++) {
    read_cnt += md_load_relaxed(&board->read_cnt[i]); /* the readers are gone */
    wrong_cnt += md_load_relaxed(&board->wrong_cnt[i]);
    after_cnt += md_load_relaxed(&board->after_cnt[i]);
  }
  printf("%" PRIu64 " kills, %" PRIu64 " of them inside a change: %u hung readers of %u, %" PRIu64
         " wrong books of %" PRIu64 " reads, %" PRIu64 " answers DEAD\n",
         kill_cnt, odd_cnt, hung, READER_CNT, wrong_cnt, read_cnt, after_cnt);
  if (control) return hung == READER_CNT ? 0 : 1;
  return hung == 0 && wrong_cnt == 0 && odd_cnt == want_cnt ? 0 : 1;
}
