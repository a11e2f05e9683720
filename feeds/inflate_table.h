/* inflate_table.h - tables of the codes of a DEFLATE block; for inflate.c and nobody else.
 *
 * An entry is what to do with a symbol. Its low byte: bits to consume, those of its extra number
 * included; then four bits: how many the code alone has; four flags; above them a byte or the first
 * number that it stands for. Codes of more bits than the table's go by way of a second one behind
 * it. */
#ifndef FEEDS_INFLATE_TABLE_H
#define FEEDS_INFLATE_TABLE_H

#include "shm/base.h"

#define MD_INFLATE_LITERAL 0x1000u /* above: the byte */
#define MD_INFLATE_OTHER   0x2000u /* neither literal nor number: END, SECOND, or nothing at all */
#define MD_INFLATE_END     0x4000u
#define MD_INFLATE_SECOND                                                                          \
  0x8000u /* above: where; low byte: bits of the first table; then: of it                          \
           */
#define MD_INFLATE_WRONG MD_INFLATE_OTHER

#define MD_INFLATE_CODE_BITS   15u
#define MD_INFLATE_LENGTH_BITS 9u /* of the first tables */
#define MD_INFLATE_FAR_BITS    7u
#define MD_INFLATE_META_BITS   7u
#define MD_INFLATE_LENGTH_CNT                                                                      \
  2048u /* entries: more than any code can need (852, and below 592)                               \
         */
#define MD_INFLATE_FAR_CNT  1024u
#define MD_INFLATE_META_CNT 128u

typedef enum md_inflate_kind {
  MD_INFLATE_LENGTHS,
  MD_INFLATE_FARS,
  MD_INFLATE_METAS
} md_inflate_kind_t;

/* md_inflate_table makes the table of a code by the lengths of its cnt symbols. False: there is no
 * such code, by zlib's rules. */
bool md_inflate_table(md_inflate_kind_t kind, const uint8_t *lens, uint32_t cnt, uint32_t *table);

#endif
