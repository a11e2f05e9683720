/* text.h - a text buffer that grows: what an HTTP answer is written into.
 *
 * Owned by one thread. It grows up to its limit; beyond that, or without memory, it is marked
 * failed and takes nothing more, so that a caller looks once, at the end. Never used by a feed or a
 * writer. */
#ifndef MONITORING_TEXT_H
#define MONITORING_TEXT_H

#include "shm/base.h"

#define MD_TEXT_BYTES_MAX (16u << 20)

typedef struct md_text {
  char  *bytes; /* NUL behind len; NULL while empty */
  size_t len, capacity;
  bool   failed;
  bool   is_openmetrics; /* prometheus.c: the form that the text is in */
} md_text_t;

/* md_text_add appends like printf. */
void md_text_add(md_text_t *t, const char *format, ...) MD_PRINTF(2, 3);

/* md_text_add_seconds appends ns as seconds, exactly, without trailing zeros: "1.5", "0.000000099".
 */
void md_text_add_seconds(md_text_t *t, uint64_t ns);

/* md_text_add_quoted appends s in quotes, escaped as JSON and Prometheus labels both read it; bytes
 * below blank become '?'. */
void md_text_add_quoted(md_text_t *t, const char *s);

/* md_text_add_json appends s as a JSON string: valid UTF-8 as it is, everything else as \u00XX. */
void md_text_add_json(md_text_t *t, const char *s);

/* md_text_add_bytes appends len bytes as they are. */
void md_text_add_bytes(md_text_t *t, const void *bytes, size_t len);

/* md_text_free gives the memory back; t is empty afterwards. */
void md_text_free(md_text_t *t);

#endif
