/* reader.c - the smallest useful reader: a book, and every record behind it.
 *
 *   cc reader.c $(pkg-config --cflags --libs mdshm) -o reader
 *   ./reader [-d DIR] ENGINE FEED SYMBOL [RECORDS]
 *
 * Waits until the book is VALID, prints it, joins the tape where the book was read, and follows
 * RECORDS records of the feed. Their seq must go on without a hole. */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mdshm.h>

#define MAX_AGE_NS 1000000000ll /* a feed thread that was silent for longer is not believed */
#define SEQ_OFFSET 24           /* of a record's header: shm/README.md */
#define BEAT_EVERY 4096
#define WAIT_MS    1000
#define WAIT_TURNS 30000 /* of a millisecond, for a book or for the next engine */

static void
rest(void) {
  struct timespec t = {0, 1000000};
  (void)nanosleep(&t, NULL);
}

static int
fail(const char *what, mdshm_result_t result) {
  (void)fprintf(stderr, "reader: %s: %s\n", what, mdshm_result_name(result));
  return 1;
}

/* Reads the ladder until it may be traded on; RESTARTED only says that the next answer is that of
 * another engine. */
static mdshm_result_t
read_valid(mdshm_t *shm, uint32_t row, mdshm_ladder_t *out) {
  mdshm_result_t result = MDSHM_EMPTY;
  int            turn;
  for (turn = 0; turn < WAIT_TURNS; turn++) {
    out->struct_size = sizeof *out;
    result           = mdshm_read_ladder(shm, row, MAX_AGE_NS, out);
    if (result == MDSHM_OK && out->bid_cnt > 0 && out->ask_cnt > 0) return result;
    if (result != MDSHM_OK && result != MDSHM_NOT_VALID && result != MDSHM_BUSY &&
        result != MDSHM_RESTARTED && result != MDSHM_STALE)
      return result;
    rest();
  }
  return result;
}

static void
print_book(const char *symbol, const mdshm_ladder_t *book) {
  char bid[192], ask[192];
  (void)mdshm_decimal(book->bids[0].px, book->meta.px_exp, bid, sizeof bid);
  (void)mdshm_decimal(book->asks[0].px, book->meta.px_exp, ask, sizeof ask);
  (void)printf("%s %s %s x %s, %u bids, %u asks, seq %" PRIu64 "\n", symbol,
               mdshm_state_name(book->meta.state), bid, ask, book->bid_cnt, book->ask_cnt,
               book->meta.last_seq);
}

/* The cheapest look at a price, for programs that look very often: one cache line. */
static int
print_bbo(mdshm_t *shm, uint32_t row) {
  mdshm_bbo_t    bbo;
  mdshm_result_t result = MDSHM_EMPTY;
  char           bid[192], ask[192];
  int            turn;
  for (turn = 0; turn < WAIT_TURNS && result != MDSHM_OK; turn++) {
    bbo.struct_size = sizeof bbo;
    result          = mdshm_read_bbo(shm, row, MAX_AGE_NS, &bbo);
    if (result == MDSHM_ABSENT || result == MDSHM_CORRUPT) break;
    if (result != MDSHM_OK) rest();
  }
  if (result != MDSHM_OK) return fail("the best prices", result);
  (void)mdshm_decimal(bbo.bid_px, bbo.px_exp, bid, sizeof bid);
  (void)mdshm_decimal(bbo.ask_px, bbo.px_exp, ask, sizeof ask);
  (void)printf("now %s x %s, seq %" PRIu64 "\n", bid, ask, bbo.last_seq);
  return bbo.bid_px >= bbo.ask_px;
}

/* Follows the tape behind the book; a hole is a bug of somebody's, being overtaken is not. */
static int
follow(mdshm_t *shm, uint32_t feed, mdshm_tape_t *tape, const mdshm_book_meta_t *meta,
       uint64_t want) {
  uint64_t got = 0, holes = 0, restarts = 0, lost_bytes, seq, next = meta->last_seq + 1;
  int      waited = 0;
  while (got < want) {
    const void    *record;
    size_t         bytes;
    mdshm_result_t result = mdshm_tape_next(tape, &record, &bytes, &lost_bytes);
    if (result == MDSHM_EMPTY) {
      result = mdshm_feed_check(shm, feed, MAX_AGE_NS);
      if (result != MDSHM_OK && ++waited == WAIT_TURNS) return fail("the engine", result);
      rest();
      continue;
    }
    if (result == MDSHM_LAPPED || result == MDSHM_RESTARTED) {
      restarts += result == MDSHM_RESTARTED;
      next = 0; /* begin again with whatever comes */
      continue;
    }
    if (result == MDSHM_SUPERSEDED || result == MDSHM_ABSENT) {
      if (++waited == WAIT_TURNS) return fail("the next engine", result);
      rest();
      continue;
    }
    if (result != MDSHM_OK) return fail("the tape", result);
    waited = 0;
    if (got % BEAT_EVERY == 0) (void)!mdshm_beat(shm);
    memcpy(&seq, (const char *)record + SEQ_OFFSET, sizeof seq);
    if (next != 0 && seq != next) holes++;
    next = seq + 1;
    got++;
  }
  (void)printf("%" PRIu64 " records behind it, %" PRIu64 " holes, %" PRIu64 " restarts\n", got,
               holes, restarts);
  return holes != 0;
}

int
main(int argc, char **argv) {
  const char    *dir = NULL;
  char           message[256];
  mdshm_t       *shm;
  mdshm_tape_t  *tape;
  mdshm_ladder_t book;
  mdshm_result_t result;
  uint32_t       feed, row;
  int            status;

  if (argc > 3 && strcmp(argv[1], "-d") == 0) {
    dir = argv[2];
    argv += 2;
    argc -= 2;
  }
  if (argc < 4) {
    (void)fprintf(stderr, "usage: reader [-d DIR] ENGINE FEED SYMBOL [RECORDS]\n");
    return 2;
  }
  result = mdshm_open(dir, argv[1], WAIT_MS, &shm, message, sizeof message);
  if (result != MDSHM_OK) return fail(message, result);
  (void)!mdshm_register(shm, "example.c"); /* be seen in `mdengine status`; not needed */

  feed = mdshm_feed_find(shm, argv[2]);
  if (feed == MDSHM_NONE) return fail("no such feed", MDSHM_ABSENT);
  while ((result = mdshm_instrument_find(shm, feed, argv[3], &row)) == MDSHM_ABSENT &&
         mdshm_check(shm) == MDSHM_OK)
    rest(); /* a feed that just started learns its symbols from the exchange */
  if (result != MDSHM_OK) return fail("no such symbol", result);

  result = read_valid(shm, row, &book);
  if (result != MDSHM_OK) return fail("the book", result);
  print_book(argv[3], &book);
  result = mdshm_tape_open(shm, feed, MDSHM_FROM_NOW, &tape);
  if (result == MDSHM_OK) result = mdshm_tape_join(tape, &book.meta);
  if (result != MDSHM_OK) return fail("the tape", result);
  /* A ladder's last_seq is that of its last change: what it did not need is skipped by joining. */
  status = follow(shm, feed, tape, &book.meta, argc > 4 ? strtoull(argv[4], NULL, 10) : 1000);
  if (status == 0) status = print_bbo(shm, row);
  (void)!mdshm_beat(shm);
  mdshm_tape_close(tape);
  mdshm_close(shm);
  return status;
}
