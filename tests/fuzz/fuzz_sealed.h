/* fuzz_sealed.h - a hostile server in the place of a sealed segment's engine.
 *
 * An input says what stands at the segment's path, what it answers, and with which descriptors:
 * sealed memory that was damaged, unsealed, too short or too long memory, files of other kinds,
 * none, several, garbage, or never anything. A reader of a good segment follows to it. Nothing may
 * crash, hang, or leave a descriptor open. One thread: reader and server take turns, so a reader
 * that waited would wait in vain. */
#ifndef TESTS_FUZZ_FUZZ_SEALED_H
#define TESTS_FUZZ_FUZZ_SEALED_H

#include <stdbool.h>

#include "shm/client/mdshm.h"

typedef struct fuzz_world {
  const char    *dir, *path; /* folder and path of the segment, which is called "fuzz" */
  const uint8_t *good;       /* its bytes */
  uint64_t       good_bytes, state_off;
  void (*damage)(uint8_t *base, const uint8_t *data, size_t size);
  void (*read)(mdshm_t *shm); /* all of it */
} fuzz_world_t;

/* fuzz_sealed runs one input; control: with a reader that takes the first descriptor that comes. */
void fuzz_sealed(const fuzz_world_t *world, const uint8_t *data, size_t size, bool control);

#endif
