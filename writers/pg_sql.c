#include "writers/pg_sql.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

md_err_t
md_sql_new(md_sql_t *s, size_t bytes) {
  *s = (md_sql_t){.text = malloc(bytes), .bytes = bytes};
  if (!s->text) return MD_ERR_NOMEM;
  s->text[0] = 0;
  return MD_OK;
}

void
md_sql_delete(md_sql_t *s) {
  free(s->text);
  *s = (md_sql_t){0};
}

void
md_sql_clear(md_sql_t *s) {
  s->len     = 0;
  s->is_full = false;
  s->text[0] = 0;
}

void
md_sql_add(md_sql_t *s, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = vsnprintf(s->text + s->len, s->bytes - s->len, format, args);
  va_end(args);
  if (n < 0 || (size_t)n >= s->bytes - s->len) {
    s->is_full      = true;
    s->text[s->len] = 0;
    return;
  }
  s->len += (size_t)n;
}

static void
add_quoted(md_sql_t *s, const char *value, char quote) {
  md_sql_add(s, "%c", quote);
  for (const char *c = value; *c; c++)
    md_sql_add(s, *c == quote ? "%c%c" : "%c", *c, *c);
  md_sql_add(s, "%c", quote);
}

void
md_sql_name(md_sql_t *s, const char *name) {
  add_quoted(s, name, '"');
}

void
md_sql_text(md_sql_t *s, const char *value) {
  add_quoted(s, value, '\'');
}

void
md_sql_bytes(md_sql_t *s, const void *data, size_t len) {
  const uint8_t *p = data;
  md_sql_add(s, "'\\x");
  for (size_t i = 0; i < len; i++)
    md_sql_add(s, "%02x", p[i]);
  md_sql_add(s, "'::bytea");
}
