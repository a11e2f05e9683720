/* journal_repair.h - makes a damaged journal readable from end to end without changing what is
 * good.
 *
 * Blocks stay where they are, byte for byte. In the place of each damaged stretch stands one block
 * of LOSS records (reason SINK_ERROR) for exactly the sequences that are missing, so offsets,
 * limits and positions stay as they were; a damaged header is written anew from the index or from
 * its neighbours; a segment that is missing is made of nothing but LOSS; a MANIFEST that cannot be
 * read is made again first (manifest_repair.h). The file as it was is kept
 * beside it as seg-N.mdj.damaged. A torn end is cut, indexes that are missing or wrong are made.
 * Each step is a rename of something durable: killed anywhere, it is run again; run twice, the
 * second time finds nothing. One thread, a journal that no engine holds. */
#ifndef WRITERS_JOURNAL_REPAIR_H
#define WRITERS_JOURNAL_REPAIR_H

#include "writers/disk.h"
#include "writers/journal.h"
#include "writers/manifest_repair.h"

typedef struct md_journal_repaired {
  uint64_t segment_cnt;  /* segments written anew; their originals are kept */
  uint64_t stretch_cnt;  /* damaged stretches in them, headers included */
  uint64_t declared_cnt; /* records that LOSS records stand for now */
  uint64_t cut_bytes;    /* of a torn end */
  uint64_t index_cnt;    /* indexes made */
  uint64_t hole_cnt;     /* stretches without damage that explains them: they cannot be mended */
  md_manifest_repaired_t manifest; /* all 0: it was whole */
  bool tail_unknown; /* what the last damaged stretch held is not known: it is declared empty */
} md_journal_repaired_t;

/* md_journal_repair repairs dir. MD_ERR_EXISTS: an engine holds it. */
MD_MUST_USE md_err_t md_journal_repair(const md_disk_t *disk, const char *dir,
                                       const md_clock_t *clock, md_journal_repaired_t *out,
                                       md_msg_t *msg);

#endif
