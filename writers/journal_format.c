#include "writers/journal_format.h"

#include <isa-l.h>
#include <string.h>

#define CRC_STEP (1u << 30) /* the library counts in int */

/* The library neither inverts at the start nor at the end, and takes a pointer that it does not
 * write through as if it would. */
uint32_t
md_crc32c(uint32_t crc, const void *data, size_t len) {
  union {
    const void    *in;
    unsigned char *out;
  } p          = {.in = data};
  uint32_t sum = ~crc;
  while (len > 0) {
    size_t step = len < CRC_STEP ? len : CRC_STEP;
    sum         = crc32_iscsi(p.out, (int)step, sum);
    p.out += step;
    len -= step;
  }
  return ~sum;
}

static uint32_t
head_crc(const md_journal_head_t *head) {
  return md_crc32c(0, head, offsetof(md_journal_head_t, crc));
}

/* The version of what is written: today's, or, of records that were copied, that of their source.
 */
static uint32_t
version_of(uint32_t before, bool is_packed) {
  if (md_journal_is_old(before)) return is_packed ? MD_JOURNAL_OLD_PACKED : MD_JOURNAL_OLD;
  return is_packed ? MD_JOURNAL_PACKED : MD_JOURNAL_VERSION;
}

static bool
is_packed_version(uint32_t version) {
  return version == MD_JOURNAL_PACKED || version == MD_JOURNAL_OLD_PACKED;
}

void
md_journal_head_seal(md_journal_head_t *head) {
  md_assert(head->mark_cnt <= MD_JOURNAL_MARK_CNT);
  head->magic      = MD_JOURNAL_HEAD_MAGIC;
  head->version    = version_of(head->version, head->packed_bytes != 0);
  head->head_bytes = MD_JOURNAL_PAGE_BYTES;
  head->crc        = head_crc(head);
}

md_err_t
md_journal_head_check(const md_journal_head_t *head) {
  if (head->magic != MD_JOURNAL_HEAD_MAGIC || head->crc != head_crc(head)) return MD_ERR_CORRUPT;
  if (head->version == 0 || head->version > MD_JOURNAL_PACKED) return MD_ERR_VERSION;
  if (is_packed_version(head->version) != (head->packed_bytes != 0)) return MD_ERR_CORRUPT;
  if (head->head_bytes != MD_JOURNAL_PAGE_BYTES || head->segment == 0) return MD_ERR_CORRUPT;
  if (head->mark_cnt > MD_JOURNAL_MARK_CNT) return MD_ERR_CORRUPT;
  if (head->prev_segment >= head->segment) return MD_ERR_CORRUPT;
  return MD_OK;
}

static uint32_t
block_crc(const md_journal_block_t *block) {
  return md_crc32c(0, (const uint8_t *)block + 8, block->block_bytes - 8u);
}

void
md_journal_block_seal(md_journal_block_t *block) {
  md_assert(block->block_bytes % MD_JOURNAL_PAGE_BYTES == 0);
  md_assert(block->block_bytes >= MD_JOURNAL_PAGE_BYTES);
  block->magic   = MD_JOURNAL_BLOCK_MAGIC;
  block->version = (uint16_t)version_of(block->version, block->plain_off != 0);
  block->crc     = block_crc(block);
}

static bool
is_known(const md_journal_block_t *block) {
  return block->version >= MD_JOURNAL_OLD && block->version <= MD_JOURNAL_PACKED;
}

md_err_t
md_journal_block_peek(const void *p, uint64_t segment, uint64_t offset) {
  static const uint8_t zero[sizeof(md_journal_block_t)];
  if (memcmp(p, zero, sizeof zero) == 0) return MD_ERR_EMPTY;
  md_journal_block_t b;
  memcpy(&b, p, sizeof b);
  if (b.magic != MD_JOURNAL_BLOCK_MAGIC || b.segment != segment || b.offset != offset)
    return MD_ERR_CORRUPT;
  if (b.block_bytes % MD_JOURNAL_PAGE_BYTES != 0 || b.block_bytes == 0) return MD_ERR_CORRUPT;
  if (b.block_bytes > MD_BLOCK_BYTES_MAX) return MD_ERR_CORRUPT;
  if (!is_known(&b)) return MD_OK; /* a checksum will tell whether it is newer or damaged */
  if (b.stream_cnt > MD_JOURNAL_SUB_CNT) return MD_ERR_CORRUPT;
  if (b.header_bytes < sizeof b + b.stream_cnt * sizeof(md_journal_sub_t)) return MD_ERR_CORRUPT;
  if (b.header_bytes % MD_RECORD_ALIGN_BYTES != 0) return MD_ERR_CORRUPT;
  if (is_packed_version(b.version) != (b.plain_off != 0)) return MD_ERR_CORRUPT;
  if (b.flags & MD_BLOCK_ZSTD) {
    if (!is_packed_version(b.version) || b.raw_bytes > MD_BLOCK_BYTES_MAX) return MD_ERR_CORRUPT;
  } else if (b.raw_bytes != b.stored_bytes) {
    return MD_ERR_CORRUPT;
  }
  if ((uint64_t)b.header_bytes + b.stored_bytes > b.block_bytes) return MD_ERR_CORRUPT;
  return MD_OK;
}

md_err_t
md_journal_records_check(const md_journal_block_t *block) {
  const uint8_t *p      = md_journal_block_records(block);
  uint32_t       left   = block->raw_bytes;
  const bool     is_old = md_journal_is_old(block->version);
  for (uint32_t i = 0; i < block->record_cnt; i++) {
    if ((is_old ? md_record_check_old(p, left) : md_record_check(p, left)) != MD_OK)
      return MD_ERR_CORRUPT;
    uint16_t len;
    memcpy(&len, p, sizeof len);
    p += len;
    left -= len;
  }
  return left == 0 ? MD_OK : MD_ERR_CORRUPT;
}

md_err_t
md_journal_block_check(const md_journal_block_t *block) {
  if (block->crc != block_crc(block)) return MD_ERR_CORRUPT;
  if (!is_known(block)) return MD_ERR_VERSION;
  return block->flags & MD_BLOCK_ZSTD ? MD_OK : md_journal_records_check(block);
}
