/* journal_check.h - reads a whole journal and says exactly what is in it, what is damaged, and
 * which sequences of which streams are missing.
 *
 * What is missing follows from what is there: in each (stream, epoch) sequences have no hole, a
 * segment's header names the end of every stream before it, and an index names what its segment
 * held. Used by `journal verify`, by repair and by tests; any thread; reads only, never stops at
 * damage. */
#ifndef WRITERS_JOURNAL_CHECK_H
#define WRITERS_JOURNAL_CHECK_H

#include "writers/disk.h"
#include "writers/journal_format.h"

/* A stretch of a segment that is not what was written there. */
typedef struct md_journal_damaged {
  uint64_t segment;
  uint64_t off, end; /* [0, 4096): the header; off = end = 0: the whole segment is missing */
  bool     packed;
  char     what[24];
} md_journal_damaged_t;

/* Sequences that are neither there nor declared lost. */
typedef struct md_journal_missing {
  uint16_t stream;
  uint32_t epoch;
  uint64_t first, last;
  uint32_t damaged; /* the damaged stretch that they were in, UINT32_MAX: no damage explains them */
} md_journal_missing_t;

typedef struct md_journal_check {
  uint64_t              segment_cnt, packed_cnt, block_cnt, record_cnt, byte_cnt;
  uint64_t              declared_cnt; /* records that LOSS records stand for */
  uint64_t              missing_cnt;  /* records of all missing stretches */
  uint64_t              hole_cnt;     /* missing stretches that no damage explains */
  uint64_t              repeat_cnt;   /* records whose sequence was there before */
  uint64_t              damaged_bytes;
  uint64_t              torn_bytes;   /* behind the end of the last segment: promised to nobody */
  uint64_t              index_cnt;    /* sealed segments with a good index, ... */
  uint64_t              index_bad;    /* ... with one that does not match, ... */
  uint64_t              index_absent; /* ... and without one */
  bool                  tail_unknown; /* nothing says what the last damaged stretch held */
  md_journal_damaged_t *damaged;
  uint32_t              damaged_cnt, damaged_cap;
  md_journal_missing_t *missing;
  uint32_t              stretch_cnt, stretch_cap;
  char                  first[160]; /* the first damage: "seg-0000000003.mdj at 40960: checksum" */
} md_journal_check_t;

/* md_journal_check_run checks dir. Damage is no error: MD_OK, and out says what there is. uuid: of
 * the journal, NULL when it is not known. MD_ERR_VERSION, MD_ERR_IO, MD_ERR_NOMEM. */
MD_MUST_USE md_err_t md_journal_check_run(const md_disk_t *disk, const char *dir,
                                          const uint8_t *uuid, md_journal_check_t *out,
                                          md_msg_t *msg);
void                 md_journal_check_free(md_journal_check_t *c);

#endif
