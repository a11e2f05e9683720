/* manifest_repair.h - a MANIFEST that is damaged or gone is made again: from its lines that are
 * whole, and from what the segments themselves say.
 *
 * The segments know the uuid, their numbers, epochs and streams; their DEFINITIONs know
 * instruments; connections are named after their feed, so their RAW records know it too. A stream
 * whose name is nowhere is called lost-ID. Numbers that may have been given out and left no trace
 * are passed over, so that none is ever used again. The damaged file stays as MANIFEST.damaged.
 * Each step is a rename of something durable. One thread, a journal that no engine holds. */
#ifndef WRITERS_MANIFEST_REPAIR_H
#define WRITERS_MANIFEST_REPAIR_H

#include "writers/disk.h"
#include "writers/journal.h"

typedef struct md_manifest_repaired {
  uint64_t kept_cnt;    /* lines that were whole */
  uint64_t damaged_cnt; /* lines that were not, at least */
  uint64_t made_cnt;    /* lines made from the segments */
  uint32_t lost_cnt;    /* streams whose name nobody knows */
} md_manifest_repaired_t;

/* md_manifest_repair does nothing to a MANIFEST that can be read. MD_ERR_EXISTS: an engine holds
 * the journal; MD_ERR_ABSENT: there is neither a MANIFEST nor a segment that says whose journal it
 * is. */
MD_MUST_USE md_err_t md_manifest_repair(const md_disk_t *disk, const char *dir,
                                        md_manifest_repaired_t *out, md_msg_t *msg);

#endif
