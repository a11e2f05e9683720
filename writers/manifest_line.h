/* manifest_line.h - one line of a journal's MANIFEST: its words, its checksum. Pure. Within
 * writers/ only. */
#ifndef WRITERS_MANIFEST_LINE_H
#define WRITERS_MANIFEST_LINE_H

#include "shm/err.h"
#include "shm/limits.h"

#include <stdarg.h>
#include <stddef.h>

#define MD_MANIFEST_VERSION    1u
#define MD_MANIFEST_LINE_BYTES 512u
#define MD_MANIFEST_UUID_BYTES 37u

typedef enum md_manifest_kind {
  MD_MANIFEST_JOURNAL,
  MD_MANIFEST_STREAM,
  MD_MANIFEST_EPOCH,
  MD_MANIFEST_INSTRUMENT,
  MD_MANIFEST_SEGMENT
} md_manifest_kind_t;

typedef struct md_manifest_line {
  md_manifest_kind_t kind;
  uint64_t           number;  /* version, stream, epoch, instrument or segment */
  uint32_t           epoch;   /* of a segment */
  int64_t            real_ns; /* of an epoch, 0 unknown */
  uint8_t            uuid[16];
  char               name[MD_NAME_BYTES]; /* of a stream; of an instrument's feed */
  char               symbol[MD_SYMBOL_BYTES];
} md_manifest_line_t;

/* md_manifest_line_read reads a line of len bytes without its newline. MD_ERR_CORRUPT: its checksum
 * is wrong, or it says something that cannot be; MD_ERR_VERSION: the first line of a newer version,
 * out->number. */
MD_MUST_USE md_err_t md_manifest_line_read(const char *line, size_t len, md_manifest_line_t *out);

/* md_manifest_line_seal writes text with its checksum and newline; returns the bytes without NUL.
 */
size_t md_manifest_line_seal(const char *text, char *out, size_t out_bytes);

/* md_manifest_escape: blanks, controls and '%' become %XX, so that a line splits at its blanks. */
void md_manifest_escape(const char *in, char *out, size_t out_bytes);

void md_manifest_uuid_text(const uint8_t uuid[16], char out[MD_MANIFEST_UUID_BYTES]);

#endif
