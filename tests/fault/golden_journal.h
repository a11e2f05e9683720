/* golden_journal.h - the small journal of tests/fixtures/journal: how it is made, and its records
 * as lines. Shared by the program that made the files and by the test that reads them. */
#ifndef TESTS_FAULT_GOLDEN_JOURNAL_H
#define TESTS_FAULT_GOLDEN_JOURNAL_H

#include "tests/fault/journal_make.h"

#include <inttypes.h>

#define GOLDEN_SEGMENT_CNT 3u

static inline void
golden_make(const char *dir, bool packed) {
  const make_config_t cfg = {.segment_cnt = GOLDEN_SEGMENT_CNT, .block_cnt = 3, .record_cnt = 60};
  make_journal(dir, &cfg);
  if (packed) make_packed(dir, GOLDEN_SEGMENT_CNT, 4096);
  make_indexes(dir, GOLDEN_SEGMENT_CNT);
}

/* One line a record: type, stream, epoch, seq, time, and a checksum over all of its bytes. */
static inline void
golden_list(const char *dir, FILE *out) {
  md_journal_reader_t *r = NULL;
  const md_record_t   *rec;
  md_assert(md_journal_reader_open(dir, &r, NULL) == MD_OK);
  while (md_journal_reader_next(r, &rec, NULL, NULL) == MD_OK)
    (void)fprintf(out, "%s %u %u %" PRIu64 " %" PRId64 " %08x\n", md_record_info(rec->type)->name,
                  rec->stream, rec->epoch, rec->seq, rec->ts_pub_ns, md_crc32c(0, rec, rec->len));
  md_journal_reader_close(r);
}

#endif
