#include "monitoring/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES    4096u
#define NS_PER_S       1000000000u
#define FRACTION_BYTES 10u

/* Room for len more bytes and their NUL. */
static bool
reserve(md_text_t *t, size_t len) {
  size_t wanted = t->len + len + 1;
  if (wanted <= t->capacity) return true;
  if (wanted > MD_TEXT_BYTES_MAX) return false;
  size_t capacity = t->capacity ? t->capacity : FIRST_BYTES;
  while (capacity < wanted)
    capacity *= 2;
  char *bytes = realloc(t->bytes, capacity);
  if (!bytes) return false;
  t->bytes    = bytes;
  t->capacity = capacity;
  return true;
}

void
md_text_add(md_text_t *t, const char *format, ...) {
  va_list args;
  if (t->failed) return;
  va_start(args, format);
  int len = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (len < 0 || !reserve(t, (size_t)len)) {
    t->failed = true;
    return;
  }
  va_start(args, format);
  (void)vsnprintf(t->bytes + t->len, t->capacity - t->len, format, args);
  va_end(args);
  t->len += (size_t)len;
}

void
md_text_add_seconds(md_text_t *t, uint64_t ns) {
  char fraction[FRACTION_BYTES];
  (void)snprintf(fraction, sizeof fraction, "%09u", (unsigned)(ns % NS_PER_S));
  size_t len = FRACTION_BYTES - 1;
  while (len > 0 && fraction[len - 1] == '0')
    len--;
  md_text_add(t, "%llu%s%.*s", (unsigned long long)(ns / NS_PER_S), len ? "." : "", (int)len,
              fraction);
}

void
md_text_add_quoted(md_text_t *t, const char *s) {
  md_text_add(t, "\"");
  for (; *s; s++) {
    if (*s == '"' || *s == '\\')
      md_text_add(t, "\\%c", *s);
    else
      md_text_add(t, "%c", (unsigned char)*s < ' ' ? '?' : *s);
  }
  md_text_add(t, "\"");
}

void
md_text_add_bytes(md_text_t *t, const void *bytes, size_t len) {
  if (t->failed) return;
  if (!reserve(t, len)) {
    t->failed = true;
    return;
  }
  memcpy(t->bytes + t->len, bytes, len);
  t->len += len;
  t->bytes[t->len] = 0;
}

/* Bytes of the UTF-8 character that s begins with; 0 when it is none (RFC 3629). */
static size_t
character_len(const unsigned char *s) {
  static const unsigned char second[][4] = {/* first from, to; second from, to */
                                            {0xc2, 0xdf, 0x80, 0xbf}, {0xe0, 0xe0, 0xa0, 0xbf},
                                            {0xe1, 0xec, 0x80, 0xbf}, {0xed, 0xed, 0x80, 0x9f},
                                            {0xee, 0xef, 0x80, 0xbf}, {0xf0, 0xf0, 0x90, 0xbf},
                                            {0xf1, 0xf3, 0x80, 0xbf}, {0xf4, 0xf4, 0x80, 0x8f}};
  if (s[0] < 0x80) return 1;
  for (size_t i = 0; i < MD_CNT(second); i++) {
    if (s[0] < second[i][0] || s[0] > second[i][1]) continue;
    if (s[1] < second[i][2] || s[1] > second[i][3]) return 0;
    size_t len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    for (size_t k = 2; k < len; k++)
      if (s[k] < 0x80 || s[k] > 0xbf) return 0;
    return len;
  }
  return 0;
}

void
md_text_add_json(md_text_t *t, const char *s) {
  md_text_add_bytes(t, "\"", 1);
  while (*s) {
    unsigned char c   = (unsigned char)*s;
    size_t        len = character_len((const unsigned char *)s);
    if (c == '"' || c == '\\')
      md_text_add(t, "\\%c", c);
    else if (len == 0 || c < ' ' || c == 0x7f)
      md_text_add(t, "\\u%04x", c);
    else
      md_text_add_bytes(t, s, len);
    s += len ? len : 1;
  }
  md_text_add_bytes(t, "\"", 1);
}

void
md_text_free(md_text_t *t) {
  free(t->bytes);
  memset(t, 0, sizeof *t);
}
