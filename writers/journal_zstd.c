#include "writers/journal_zstd.h"

#include <zstd.h>

/* The handles are the library's contexts; their names keep its header out of ours. */
static ZSTD_DCtx *
unpacker(md_zstd_unpack_t *ctx) {
  return (ZSTD_DCtx *)(void *)ctx;
}

static ZSTD_CCtx *
packer(md_zstd_pack_t *ctx) {
  return (ZSTD_CCtx *)(void *)ctx;
}

md_err_t
md_zstd_unpack(md_zstd_unpack_t **ctx, void *to, size_t to_bytes, const void *from,
               size_t from_bytes) {
  if (!*ctx) *ctx = (md_zstd_unpack_t *)(void *)ZSTD_createDCtx();
  if (!*ctx) return MD_ERR_NOMEM;
  size_t n = ZSTD_decompressDCtx(unpacker(*ctx), to, to_bytes, from, from_bytes);
  return ZSTD_isError(n) || n != to_bytes ? MD_ERR_CORRUPT : MD_OK;
}

void
md_zstd_unpack_free(md_zstd_unpack_t *ctx) {
  (void)ZSTD_freeDCtx(unpacker(ctx));
}

md_err_t
md_zstd_pack(md_zstd_pack_t **ctx, int level, void *to, size_t to_bytes, const void *from,
             size_t from_bytes, size_t *out_bytes) {
  if (!*ctx) *ctx = (md_zstd_pack_t *)(void *)ZSTD_createCCtx();
  if (!*ctx) return MD_ERR_NOMEM;
  size_t n = ZSTD_compressCCtx(packer(*ctx), to, to_bytes, from, from_bytes, level);
  if (ZSTD_isError(n)) return MD_ERR_NOSPACE;
  *out_bytes = n;
  return MD_OK;
}

void
md_zstd_pack_free(md_zstd_pack_t *ctx) {
  (void)ZSTD_freeCCtx(packer(ctx));
}
