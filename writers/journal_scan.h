/* journal_scan.h - walking the blocks of a segment file and telling whole, torn and damaged ones
 * apart.
 *
 * Used by the reader, by recovery, by the sink when it opens, and by verify. Reads only. */
#ifndef WRITERS_JOURNAL_SCAN_H
#define WRITERS_JOURNAL_SCAN_H

#include "writers/disk.h"
#include "writers/journal.h"
#include "writers/journal_write.h"
#include "writers/journal_zstd.h"

/* One block in memory; grows to the largest block that it met. */
typedef struct md_journal_buffer {
  const md_disk_t  *disk; /* that the fd belongs to; NULL: the system */
  uint8_t          *data;
  size_t            cap_bytes;
  uint8_t          *other; /* what a packed block is unpacked into; then the two change places */
  size_t            other_bytes;
  md_zstd_unpack_t *unpack;
} md_journal_buffer_t;

void md_journal_buffer_fini(md_journal_buffer_t *buf);

static inline const md_journal_block_t *
md_journal_buffer_block(const md_journal_buffer_t *buf) {
  return (const md_journal_block_t *)(const void *)buf->data;
}

/* md_journal_load reads and checks the block at off of segment, which must end at or below limit. A
 * packed one is unpacked: its records stand as in any other, stored_bytes is raw_bytes and the flag
 * is cleared, while block_bytes stays what it takes in the file. MD_OK; MD_ERR_END: off is at the
 * limit or behind the file; MD_ERR_EMPTY: zeros stand there; MD_ERR_CORRUPT; MD_ERR_VERSION;
 * MD_ERR_IO; MD_ERR_NOMEM. */
MD_MUST_USE md_err_t md_journal_load(md_journal_buffer_t *buf, int fd, uint64_t segment,
                                     uint64_t off, uint64_t limit);

/* What to look for: a whole block of segment that begins below reach, ends at or below limit, and
 * says that more than min_durable bytes were durable (0: any block). */
typedef struct md_journal_search {
  uint64_t segment, reach, limit, min_durable;
} md_journal_search_t;

/* md_journal_find_block moves *off to the next such block at or above it, loaded into buf, or to
 * UINT64_MAX when there is none. MD_ERR_IO, MD_ERR_NOMEM: it could not look; MD_ERR_VERSION: it
 * met a whole one of a newer version. */
MD_MUST_USE md_err_t md_journal_find_block(md_journal_buffer_t *buf, int fd,
                                           const md_journal_search_t *search, uint64_t *off);

/* md_journal_head_load reads and checks the header of an open segment: MD_ERR_CORRUPT,
 * MD_ERR_VERSION, MD_ERR_IO. uuid may be NULL. out holds what was read in any case but IO. */
MD_MUST_USE md_err_t md_journal_head_load(const md_disk_t *disk, int fd, uint64_t segment,
                                          const uint8_t *uuid, md_journal_head_t *out);

/* md_journal_is_packed looks at the blocks, for a file whose header cannot be read. */
MD_MUST_USE md_err_t md_journal_is_packed(md_journal_buffer_t *buf, int fd, uint64_t segment,
                                          bool *packed);

/* md_journal_version_fail says which version stands there, which ones are read, and what to do. */
md_err_t md_journal_version_fail(md_msg_t *msg, const char *path, const char *what, uint32_t found,
                                 uint32_t newest);

/* Called with each whole block and each damaged range, in order; an error ends the walk with it.
 * Either may be NULL. */
typedef struct md_journal_visit {
  void *ctx;
  md_err_t (*block)(void *ctx, const md_journal_block_t *block, uint64_t off);
  md_err_t (*damage)(void *ctx, uint64_t off, uint64_t end, const char *what);
} md_journal_visit_t;

typedef struct md_journal_scan {
  md_journal_segment_info_t info;
  bool                      head_ok;
  md_journal_head_t         head; /* when head_ok */
  bool                      packed;
  uint64_t valid_end; /* end of the last block that counts; packed: before it was packed */
  uint64_t file_end;  /* the same, in this file */
  uint64_t file_bytes;
  md_journal_marks_t marks; /* header's, then raised by each block */
  char               first_damage[160];
} md_journal_scan_t;

/* md_journal_scan_segment walks segment id of dir. limit: up to where it counts by its successor's
 * header, 0 when nobody says. A bad block below the limit, or below a durable position that a later
 * block names, is damage; any other ends the segment and is torn. A packed segment counts to its
 * own end, whatever limit says. */
MD_MUST_USE md_err_t md_journal_scan_segment(const md_disk_t *disk, const char *dir, uint64_t id,
                                             uint64_t limit, md_journal_scan_t *out, md_msg_t *msg);

/* md_journal_walk is the same with a visitor (may be NULL). */
MD_MUST_USE md_err_t md_journal_walk(const md_disk_t *disk, const char *dir, uint64_t id,
                                     uint64_t limit, const md_journal_visit_t *visit,
                                     md_journal_scan_t *out, md_msg_t *msg);

/* md_journal_limit_of gives the limit that the successor of ids[i] names, 0 when none does.
 * MD_ERR_IO: the successor could not be read, so nobody knows. */
MD_MUST_USE md_err_t md_journal_limit_of(const md_disk_t *disk, const char *dir,
                                         const uint64_t *ids, uint32_t cnt, uint32_t i,
                                         uint64_t *limit);

#endif
