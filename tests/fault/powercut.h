/* powercut.h - the records of the power-cut rig: each is a function of its stream, epoch and seq,
 * so that the check knows every byte that may stand in the journal. */
#ifndef TESTS_FAULT_POWERCUT_H
#define TESTS_FAULT_POWERCUT_H

#include "tests/unit/journal_help.h"

#define POWERCUT_EPOCH_CNT 16u

/* Sizes from a trade to some kilobytes. */
static inline void
powercut_make(help_record_t *out, uint16_t stream, uint32_t epoch, uint64_t seq) {
  const uint32_t body_bytes = (uint32_t)((seq * 2654435761u + stream * 40503u + epoch) % 97u) * 24u;
  help_make(out, stream % 2 ? MD_RECORD_TRADE : MD_RECORD_RAW, stream, epoch, seq, body_bytes);
}

#endif
