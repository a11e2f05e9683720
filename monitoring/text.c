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
md_text_free(md_text_t *t) {
  free(t->bytes);
  memset(t, 0, sizeof *t);
}
