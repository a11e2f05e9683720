/* witness.h - what a stranger saw on the tape: one fixed row for each record, and the checksum that
 * tells its bytes. */
#ifndef TESTS_FAULT_WITNESS_H
#define TESTS_FAULT_WITNESS_H

#include <stddef.h>
#include <stdint.h>

/* Offsets of the record's header (shm/README.md). */
#define WITNESS_EPOCH_AT 12u
#define WITNESS_SEQ_AT   24u

typedef struct witness {
  uint64_t seq, sum;
  uint32_t epoch, zero;
} witness_t;

/* FNV-1a over the whole record. */
static inline uint64_t
witness_sum(const void *record, size_t len) {
  const uint8_t *bytes = record;
  uint64_t       sum   = 1469598103934665603u;
  for (size_t n = 0; n < len; n++)
    sum = (sum ^ bytes[n]) * 1099511628211u;
  return sum;
}

#endif
