/* tape_witness DIR NAME OUT: a stranger that maps the segment and notes every record that it can
 * see on the tapes: epoch, seq and a checksum, appended to OUT as it goes. Waits for the engine,
 * ends when it is dead. What it saw was published, so the journal must have it, whatever became of
 * the engine. */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "shm/client/mdshm.h"
#include "tests/fault/witness.h"

#define POLL_NS    200000l
#define WAIT_POLLS 5000u /* a second for an engine that is ready already */

static void
rest(void) {
  (void)nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
}

static mdshm_t *
wait_for_engine(const char *dir, const char *name) {
  char     text[256];
  mdshm_t *shm = NULL;
  for (unsigned n = 0; n < WAIT_POLLS; n++, rest()) {
    if (mdshm_open(dir, name, 0, &shm, text, sizeof text) != MDSHM_OK) continue;
    if (mdshm_check(shm) == MDSHM_OK) return shm;
    mdshm_close(shm);
  }
  return NULL;
}

/* The record's own bytes; the layout is that of shm/README.md. */
static witness_t
note(const uint8_t *record, size_t bytes) {
  witness_t w = {0};
  memcpy(&w.epoch, record + WITNESS_EPOCH_AT, sizeof w.epoch);
  memcpy(&w.seq, record + WITNESS_SEQ_AT, sizeof w.seq);
  w.sum = witness_sum(record, bytes);
  return w;
}

int
main(int argc, char **argv) {
  if (argc != 4) {
    (void)fprintf(stderr, "usage: tape_witness DIR NAME OUT\n");
    return 2;
  }
  FILE *out = fopen(argv[3], "ab");
  if (!out) return 1;
  mdshm_t *shm = wait_for_engine(argv[1], argv[2]);
  if (!shm) return 0; /* killed before anybody could look: nothing was seen */
  mdshm_tape_t *tape = NULL;
  if (mdshm_tape_open(shm, 0, MDSHM_FROM_OLDEST, &tape) != MDSHM_OK) return 1;
  for (;;) {
    const void    *record = NULL;
    size_t         bytes  = 0;
    uint64_t       lost   = 0;
    mdshm_result_t result = mdshm_tape_next(tape, &record, &bytes, &lost);
    if (result == MDSHM_OK) {
      witness_t w = note(record, bytes);
      (void)fwrite(&w, sizeof w, 1, out);
    } else if (result == MDSHM_LAPPED) {
      continue; /* it saw less, which is no lie */
    } else if (result == MDSHM_EMPTY) {
      (void)fflush(out);
      if (mdshm_check(shm) != MDSHM_OK) break;
      rest();
    } else if (result == MDSHM_STOPPED || result == MDSHM_SUPERSEDED || result == MDSHM_RESTARTED) {
      break; /* this engine's tape was read to its end */
    } else {
      (void)fprintf(stderr, "tape_witness: %s\n", mdshm_result_name(result));
      return 1;
    }
  }
  mdshm_tape_close(tape);
  mdshm_close(shm);
  return fclose(out) == 0 ? 0 : 1;
}
