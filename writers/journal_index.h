/* journal_index.h - seg-N.mdx beside seg-N.mdj: where each block of a sealed segment stands, which
 * sequences and times it holds, and a copy of what the segment's header says.
 *
 * It saves a seek the reading of a segment, and after damage it says what was lost. It is made from
 * the segment and can be made again at any time; nothing relies on it: a reader checks the block
 * that the index names, and the one before it, and walks the segment when they are not what the
 * index says. Made by the background pass and by repair, read by any thread; no state. */
#ifndef WRITERS_JOURNAL_INDEX_H
#define WRITERS_JOURNAL_INDEX_H

#include "writers/journal_file.h"
#include "writers/journal_scan.h"

#define MD_JOURNAL_INDEX_MAGIC   0x0031584449524a44ull /* "DJRIDX1\0" */
#define MD_JOURNAL_INDEX_VERSION 1u

typedef struct md_journal_index_head {
  uint64_t magic;
  uint32_t version;
  uint32_t crc;   /* CRC32C of bytes 16 to the end */
  uint64_t bytes; /* of the index */
  uint8_t  uuid[16];
  uint64_t segment;
  uint64_t segment_bytes; /* the segment's file counts up to here */
  uint64_t plain_bytes;   /* as in the segment's header: 0 unless it is packed */
  uint64_t prev_segment;  /* from here on as in the segment's header */
  uint64_t prev_bytes;
  int64_t  created_ns;
  uint32_t epoch;
  uint32_t mark_cnt;
  uint32_t block_cnt;
  uint32_t sub_cnt;
  int64_t  ts_first_ns, ts_last_ns; /* of all blocks; 0 without records */
  uint64_t record_cnt;
} md_journal_index_head_t;

typedef struct md_journal_index_block {
  uint64_t off;
  uint64_t plain_off;
  uint32_t block_bytes;
  uint32_t crc; /* the block's own */
  uint32_t record_cnt;
  uint32_t flags;
  uint32_t sub_first; /* its sub-headers in the table behind the blocks */
  uint32_t sub_cnt;
  int64_t  ts_first_ns, ts_last_ns;
} md_journal_index_block_t;

typedef struct md_journal_index_sub {
  uint16_t stream;
  uint16_t reserved0;
  uint32_t epoch;
  uint64_t first_seq, last_seq;
  uint32_t record_cnt;
  uint32_t reserved1;
} md_journal_index_sub_t;

_Static_assert(sizeof(md_journal_index_head_t) == 128, "index format");
_Static_assert(sizeof(md_journal_index_block_t) == 56, "index format");
_Static_assert(sizeof(md_journal_index_sub_t) == 32, "index format");

/* In memory: one stretch, as in the file; the pointers stand in it. */
typedef struct md_journal_index {
  uint8_t                        *data;
  const md_journal_index_head_t  *head;
  const md_journal_mark_t        *mark; /* every stream at the begin of the segment */
  const md_journal_index_block_t *block;
  const md_journal_index_sub_t   *sub;
} md_journal_index_t;

void md_journal_index_free(md_journal_index_t *x);

void md_journal_index_path(const char *dir, uint64_t segment, char out[MD_JOURNAL_PATH_BYTES]);

/* md_journal_index_build reads segment id and makes its index in memory. limit as for
 * md_journal_scan_segment. MD_ERR_CORRUPT: the segment is damaged, and an index of what is left
 * would hide it. */
MD_MUST_USE md_err_t md_journal_index_build(const md_disk_t *disk, const char *dir, uint64_t id,
                                            uint64_t limit, md_journal_index_t *out, md_msg_t *msg);

/* md_journal_index_write puts it under its name, durably and all at once. */
MD_MUST_USE md_err_t md_journal_index_write(const md_disk_t *disk, const char *dir,
                                            const md_journal_index_t *x, md_msg_t *msg);

/* md_journal_index_read: MD_ERR_ABSENT, MD_ERR_CORRUPT (also: of another journal, when uuid is
 * given), MD_ERR_VERSION, MD_ERR_IO, MD_ERR_NOMEM. */
MD_MUST_USE md_err_t md_journal_index_read(const md_disk_t *disk, const char *dir, uint64_t segment,
                                           const uint8_t *uuid, md_journal_index_t *out,
                                           md_msg_t *msg);

/* md_journal_index_seq returns the first block that reaches seq of (stream, epoch) or a later
 * epoch; md_journal_index_time the first one that has a record published at ns or later. block_cnt
 * when none does. */
uint32_t md_journal_index_seq(const md_journal_index_t *x, uint16_t stream, uint32_t epoch,
                              uint64_t seq);
uint32_t md_journal_index_time(const md_journal_index_t *x, int64_t ns);

/* md_journal_index_remove unlinks the index of a segment, if there is one. */
void md_journal_index_remove(const md_disk_t *disk, const char *dir, uint64_t segment);

#endif
