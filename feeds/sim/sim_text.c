#include "feeds/sim/sim_text.h"

#include "shm/record.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn MD_COLD void
no_memory(void) {
  (void)fputs("mdengine: sim: out of memory\n", stderr);
  exit(1);
}

void *
md_sim_alloc(size_t cnt, size_t bytes) {
  void *p = calloc(cnt ? cnt : 1, bytes);
  if (!p) no_memory();
  return p;
}

void *
md_sim_resize(void *p, size_t cnt, size_t bytes) {
  void *q = reallocarray(p, cnt, bytes);
  if (!q) no_memory();
  return q;
}

void
md_sim_text_free(md_sim_text_t *t) {
  free(t->p);
  *t = (md_sim_text_t){0};
}

char *
md_sim_text_room(md_sim_text_t *t, size_t cnt) {
  size_t need = t->len + cnt + MD_FRAME_PAD_BYTES;
  if (need > t->cap) {
    size_t cap = t->cap ? t->cap : 512;
    while (cap < need)
      cap *= 2;
    t->p = md_sim_resize(t->p, cap, 1);
    memset(t->p + t->cap, 0, cap - t->cap);
    t->cap = cap;
  }
  return t->p + t->len;
}

void
md_sim_text_add(md_sim_text_t *t, const void *p, size_t len) {
  char *to = md_sim_text_room(t, len);
  if (len) memcpy(to, p, len);
  t->len += len;
}

void
md_sim_text_str(md_sim_text_t *t, const char *s) {
  md_sim_text_add(t, s, strlen(s));
}

void
md_sim_text_format(md_sim_text_t *t, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, format, args);
  va_end(args);
  md_assert(n >= 0);
  char *to = md_sim_text_room(t, (size_t)n + 1);
  (void)vsnprintf(to, (size_t)n + 1, format, again);
  va_end(again);
  t->len += (size_t)n;
}

void
md_sim_text_u64(md_sim_text_t *t, uint64_t v) {
  char     digits[20];
  unsigned n = 0;
  do {
    digits[n++] = (char)('0' + v % 10);
    v /= 10;
  } while (v);
  char *to = md_sim_text_room(t, n);
  for (unsigned i = 0; i < n; i++)
    to[i] = digits[n - 1 - i];
  t->len += n;
}

void
md_sim_text_fixed(md_sim_text_t *t, int64_t mantissa, int cnt) {
  md_assert(mantissa >= 0 && cnt >= 0 && cnt <= 18);
  uint64_t v = (uint64_t)mantissa;
  char     digits[40];
  unsigned n = sizeof digits;
  for (int i = 0; i < cnt; i++, v /= 10)
    digits[--n] = (char)('0' + v % 10);
  if (cnt) digits[--n] = '.';
  do {
    digits[--n] = (char)('0' + v % 10);
    v /= 10;
  } while (v);
  md_sim_text_add(t, digits + n, sizeof digits - n);
}

void
md_sim_text_decimal(md_sim_text_t *t, int64_t mantissa) {
  md_sim_text_fixed(t, mantissa, 8);
}

void
md_sim_text_plain(md_sim_text_t *t, int64_t mantissa, int exp) {
  if (mantissa < 0) {
    md_sim_text_str(t, "-");
    mantissa = -mantissa;
  }
  for (; exp < 0 && mantissa % 10 == 0; exp++)
    mantissa /= 10;
  if (exp <= 0) {
    md_sim_text_fixed(t, mantissa, -exp);
    return;
  }
  md_sim_text_u64(t, (uint64_t)mantissa);
  for (; exp > 0 && mantissa; exp--)
    md_sim_text_str(t, "0");
}

void
md_sim_text_quote(md_sim_text_t *t, const char *s, size_t len) {
  md_sim_text_str(t, "\"");
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)s[i];
    if (c == '"' || c == '\\')
      md_sim_text_format(t, "\\%c", c);
    else if (c < 0x20)
      md_sim_text_format(t, "\\u%04x", c);
    else
      md_sim_text_add(t, s + i, 1);
  }
  md_sim_text_str(t, "\"");
}
