/* journal_format.h - the bytes of a journal segment: its header, its blocks, their checksums.
 *
 * A segment file is one header of 4096 bytes and then blocks. Every block begins at a multiple of
 * 4096 and is padded with zeros to one; 4096 zero bytes where a block would begin are the end of
 * what was written. Numbers are little-endian. Readers and writers of every thread use this file;
 * it does no I/O. writers/README.md says the same for readers in other languages. */
#ifndef WRITERS_JOURNAL_FORMAT_H
#define WRITERS_JOURNAL_FORMAT_H

#include "shm/err.h"
#include "shm/limits.h"
#include "shm/record.h"

#define MD_JOURNAL_PAGE_BYTES  4096u
#define MD_JOURNAL_HEAD_MAGIC  0x0031474553524a44ull /* "DJRSEG1\0" */
#define MD_JOURNAL_BLOCK_MAGIC 0x424b4c42u           /* "BLKB" */
/* Versions of a header and of a block: as they are appended, and of a segment that was compressed.
 * The old ones hold records with the bodies of md_record_old_bytes; their layout is the same. */
#define MD_JOURNAL_OLD        1u
#define MD_JOURNAL_OLD_PACKED 2u
#define MD_JOURNAL_VERSION    3u
#define MD_JOURNAL_PACKED     4u
#define MD_JOURNAL_MARK_CNT   128u /* streams whose end a segment header names */
#define MD_JOURNAL_SUB_CNT    MD_STREAM_CNT_MAX

/* How far a stream had come under an epoch. */
typedef struct md_journal_mark {
  uint16_t stream;
  uint16_t reserved;
  uint32_t epoch;
  uint64_t seq; /* last settled sequence: a record or a LOSS */
} md_journal_mark_t;

/* The first 4096 bytes of a segment. The file appears under its name only when this is durable. */
typedef struct md_journal_head {
  uint64_t magic;
  uint32_t version;
  uint32_t head_bytes; /* MD_JOURNAL_PAGE_BYTES: the first block begins here */
  uint8_t  uuid[16];
  uint64_t segment;
  uint32_t epoch;
  uint32_t mark_cnt;
  int64_t  created_ns;
  uint64_t prev_segment; /* 0: none */
  uint64_t prev_bytes;   /* the predecessor counts up to this byte, whatever it holds */
  uint64_t plain_bytes;  /* packed: what the segment counted to before, else 0 */
  uint64_t packed_bytes; /* packed: of this file, all of which counts, else 0 */
  uint64_t reused;       /* 1: the file was another segment's, whose bytes stand behind the end */
  uint8_t  reserved0[32];
  md_journal_mark_t mark[MD_JOURNAL_MARK_CNT]; /* every stream at the end of the predecessor */
  uint8_t
      reserved1[MD_JOURNAL_PAGE_BYTES - 128 - 4 - MD_JOURNAL_MARK_CNT * sizeof(md_journal_mark_t)];
  uint32_t crc; /* CRC32C of the bytes before it */
} md_journal_head_t;

_Static_assert(sizeof(md_journal_mark_t) == 16, "journal format");
_Static_assert(offsetof(md_journal_head_t, mark) == 128, "journal format");
_Static_assert(offsetof(md_journal_head_t, crc) == MD_JOURNAL_PAGE_BYTES - 4, "journal format");
_Static_assert(sizeof(md_journal_head_t) == MD_JOURNAL_PAGE_BYTES, "journal format");

enum {
  MD_BLOCK_CHECKPOINT = 1 << 0, /* holds CHECKPOINT records */
  MD_BLOCK_SEAL       = 1 << 1, /* no records: the segment was closed in order and is all durable */
  MD_BLOCK_ZSTD =
      1 << 2, /* packed: stored_bytes bytes of one zstd frame give raw_bytes of records */
  MD_BLOCK_REPAIR = 1 << 3 /* stands where damaged blocks stood: LOSS records, or none */
};

/* Records of one (stream, epoch) in a block. */
typedef struct md_journal_sub {
  uint16_t stream;
  uint16_t reserved0;
  uint32_t epoch;
  uint64_t first_seq;   /* sequences that the block settles by records or LOSS; */
  uint64_t last_seq;    /* both 0 when it holds only CHECKPOINT records of the stream */
  uint64_t durable_seq; /* what was durable of the stream when the block was written */
  uint32_t record_cnt;
  uint32_t reserved1;
} md_journal_sub_t;

/* One group commit. The records begin header_bytes behind the start. */
typedef struct md_journal_block {
  uint32_t         magic;
  uint32_t         crc; /* CRC32C of bytes [8, block_bytes) */
  uint16_t         version;
  uint16_t         header_bytes; /* this, the sub-headers and zeros up to the first record */
  uint32_t         flags;
  uint64_t         segment;
  uint64_t         offset;      /* where it stands in the file */
  uint64_t         durable_off; /* bytes of this segment that were durable when it was written */
  uint32_t         epoch;
  uint32_t         block_bytes; /* with padding */
  uint32_t         record_cnt;
  uint32_t         raw_bytes;    /* of the records */
  uint32_t         stored_bytes; /* of the records as they stand here; raw_bytes in version 1 */
  uint32_t         stream_cnt;
  int64_t          ts_first_ns, ts_last_ns; /* lowest and highest ts_pub_ns; 0 without records */
  uint64_t         plain_off;               /* packed: where its first block stood before, else 0 */
  uint64_t         plain_bytes; /* packed: how many bytes its blocks took before, else 0 */
  md_journal_sub_t sub[];
} md_journal_block_t;

_Static_assert(sizeof(md_journal_sub_t) == 40, "journal format");
_Static_assert(sizeof(md_journal_block_t) == 96, "journal format");
_Static_assert(offsetof(md_journal_block_t, epoch) == 40, "journal format");
_Static_assert(offsetof(md_journal_block_t, ts_first_ns) == 64, "journal format");

/* The largest header and the largest block: one group of the largest records. */
#define MD_BLOCK_HEADER_BYTES_MAX                                                                  \
  (sizeof(md_journal_block_t) + MD_JOURNAL_SUB_CNT * sizeof(md_journal_sub_t))
#define MD_BLOCK_BYTES_MAX (MD_GROUP_RECORDS_MAX * MD_RECORD_BYTES_MAX + MD_JOURNAL_PAGE_BYTES)

_Static_assert(MD_BLOCK_HEADER_BYTES_MAX <= MD_JOURNAL_PAGE_BYTES, "a header fits a page");

/* md_crc32c continues crc (0 at the start) over len bytes: the usual CRC32C, "123456789" gives
 * 0xE3069283. Any thread. */
uint32_t md_crc32c(uint32_t crc, const void *data, size_t len);

/* md_journal_is_old says of a header's or block's version whether its records are of the first
 * format. */
static inline bool
md_journal_is_old(uint32_t version) {
  return version == MD_JOURNAL_OLD || version == MD_JOURNAL_OLD_PACKED;
}

/* md_journal_head_seal sets magic, version (by packed_bytes; one that was old stays old), lengths
 * and checksum. */
void md_journal_head_seal(md_journal_head_t *head);

/* md_journal_head_check: MD_ERR_CORRUPT; MD_ERR_VERSION when the bytes are whole, but of a version
 * above these. Magic, version, length and checksum stand where they do in every version. */
MD_MUST_USE md_err_t md_journal_head_check(const md_journal_head_t *head);

/* md_journal_block_seal sets magic, version (by plain_off; one that was old stays old) and the
 * checksum over block->block_bytes bytes. */
void md_journal_block_seal(md_journal_block_t *block);

/* md_journal_block_peek looks only at the fixed header (96 bytes at p): does it claim to be the
 * block at offset of segment, with lengths that make sense? MD_ERR_EMPTY when it is all zero. Of a
 * version that is not known only the place and the length are looked at. */
MD_MUST_USE md_err_t md_journal_block_peek(const void *p, uint64_t segment, uint64_t offset);

/* md_journal_block_check checks a whole block of block_bytes bytes that passed the peek: checksum,
 * and each record unless they are compressed. MD_ERR_VERSION: whole, but of a version above these.
 */
MD_MUST_USE md_err_t md_journal_block_check(const md_journal_block_t *block);

/* md_journal_records_check checks the records of a block that passed, once they are plain. */
MD_MUST_USE md_err_t md_journal_records_check(const md_journal_block_t *block);

/* md_journal_block_records returns where the records begin. */
static inline const uint8_t *
md_journal_block_records(const md_journal_block_t *block) {
  return (const uint8_t *)block + block->header_bytes;
}

#endif
