/* journal_pack.h - a sealed segment rewritten with its records compressed by zstd.
 *
 * The packed segment takes the name of the plain one by a rename, once it is durable and was read
 * back and compared byte for byte; so at any moment, also after a kill or a power cut, exactly one
 * whole segment stands under the name, and a reader that has the plain one open goes on in it.
 * Blocks are joined before they are compressed and can still be read one by one, so a seek costs
 * one of them. Called by the background pass and by `journal compact`, one at a time (tend.lock);
 * never on the newest segment, never on a damaged one. */
#ifndef WRITERS_JOURNAL_PACK_H
#define WRITERS_JOURNAL_PACK_H

#include "writers/disk.h"
#include "writers/journal_format.h"

#define MD_JOURNAL_PACK_TEMPORARY "pack.tmp"

typedef struct md_journal_pack_config {
  const md_disk_t *disk; /* NULL: the system's */
  const char      *dir;
  int              level;      /* of zstd; 0: MD_JOURNAL_PACK_LEVEL */
  uint32_t         join_bytes; /* records of one packed block; 0: MD_JOURNAL_PACK_JOIN_BYTES */
  /* Called after so many bytes were read or written; may sleep. False stops: MD_ERR_STOPPED. May be
   * NULL. */
  bool (*pace)(void *ctx, uint64_t bytes);
  void *pace_ctx;
} md_journal_pack_config_t;

#define MD_JOURNAL_PACK_LEVEL      3
#define MD_JOURNAL_PACK_JOIN_BYTES (256u << 10)

typedef struct md_journal_packed {
  uint64_t plain_bytes, packed_bytes;
  uint64_t block_cnt, record_cnt;
  bool     is_packed; /* false: it was packed before, or packing would not have made it smaller */
} md_journal_packed_t;

/* md_journal_pack packs segment id, which counts up to limit by its successor's header.
 * MD_ERR_CORRUPT: it is damaged and stays as it is; MD_ERR_STOPPED; MD_ERR_NOSPACE; MD_ERR_IO. */
MD_MUST_USE md_err_t md_journal_pack(const md_journal_pack_config_t *cfg, uint64_t id,
                                     uint64_t limit, md_journal_packed_t *out, md_msg_t *msg);

#endif
