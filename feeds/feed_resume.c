/* Where the journal's last epoch ended, so that what was missed in between is declared by a GAP. It
 * comes as a COMMAND input and stands in the RAW stream: a replay declares the same. */
#include "feeds/feed_parts.h"

#include <string.h>

#define PREFIX "resume\n"

typedef struct text {
  const char *at, *end;
} text_t;

/* The bytes up to a blank or the end of the line; false when there are none. */
static bool
word(text_t *t, const char **out, uint32_t *len) {
  while (t->at < t->end && *t->at == ' ')
    t->at++;
  *out = t->at;
  while (t->at < t->end && *t->at != ' ' && *t->at != '\n')
    t->at++;
  *len = (uint32_t)(t->at - *out);
  return *len != 0;
}

/* A number, or "-" for none. */
static bool
id(text_t *t, uint64_t *out) {
  const char *w;
  uint32_t    len;
  if (!word(t, &w, &len)) return false;
  *out = MD_NULL_U64;
  if (len == 1 && *w == '-') return true;
  uint64_t v = 0;
  for (uint32_t n = 0; n < len; n++) {
    if (w[n] < '0' || w[n] > '9') return false;
    if (__builtin_mul_overflow(v, 10u, &v)) return false;
    if (__builtin_add_overflow(v, (uint64_t)(w[n] - '0'), &v)) return false;
  }
  *out = v;
  return true;
}

static bool
line(md_feed_t *f, text_t *t) {
  const char      *symbol;
  uint32_t         len;
  md_feed_resume_t resume;
  if (!word(t, &symbol, &len) || !id(t, &resume.book) || !id(t, &resume.trade) ||
      !id(t, &resume.agg) || t->at == t->end || *t->at != '\n')
    return false;
  t->at++;
  md_feed_symbol_t *row = md_feed_symbols_add(f->symbols, symbol, len);
  if (row && row->instrument == UINT32_MAX) {
    row->resume     = resume;
    row->has_resume = true;
  }
  return true;
}

bool
md_feed_resume_command(md_feed_t *f, const md_input_t *in) {
  const uint32_t n = sizeof PREFIX - 1;
  if (in->len < n || memcmp(in->payload, PREFIX, n) != 0) return false;
  text_t t = {(const char *)in->payload + n, (const char *)in->payload + in->len};
  while (t.at < t.end)
    if (!line(f, &t)) return false;
  return true;
}
