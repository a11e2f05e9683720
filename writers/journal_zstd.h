/* journal_zstd.h - the one place of the writers that knows zstd: one frame of records in, one out.
 *
 * A context belongs to one thread; it is made at the first call and kept for the next ones. Used by
 * the pass that packs segments and by every reader of a packed one; never by the journal's writer.
 */
#ifndef WRITERS_JOURNAL_ZSTD_H
#define WRITERS_JOURNAL_ZSTD_H

#include "shm/err.h"

typedef struct md_zstd_unpack md_zstd_unpack_t;
typedef struct md_zstd_pack   md_zstd_pack_t;

/* md_zstd_unpack turns the frame of from_bytes at from into exactly to_bytes at to. *ctx may be
 * NULL. MD_ERR_CORRUPT: it is no frame, or of another length. MD_ERR_NOMEM. */
MD_MUST_USE md_err_t md_zstd_unpack(md_zstd_unpack_t **ctx, void *to, size_t to_bytes,
                                    const void *from, size_t from_bytes);
void                 md_zstd_unpack_free(md_zstd_unpack_t *ctx);

/* md_zstd_pack makes one frame, without a checksum: the block has one. *out_bytes: its length.
 * MD_ERR_NOSPACE: it does not fit to_bytes, so packing does not pay. MD_ERR_NOMEM. */
MD_MUST_USE md_err_t md_zstd_pack(md_zstd_pack_t **ctx, int level, void *to, size_t to_bytes,
                                  const void *from, size_t from_bytes, size_t *out_bytes);
void                 md_zstd_pack_free(md_zstd_pack_t *ctx);

#endif
