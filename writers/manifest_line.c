#include "writers/manifest_line.h"

#include "writers/journal_format.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_CNT 8u

void
md_manifest_escape(const char *in, char *out, size_t out_bytes) {
  size_t n = 0;
  for (const unsigned char *p = (const unsigned char *)in; *p && n + 4 < out_bytes; p++) {
    if (*p <= ' ' || *p == '%' || *p == 0x7f) {
      n += (size_t)snprintf(out + n, out_bytes - n, "%%%02X", *p);
    } else {
      out[n++] = (char)*p;
    }
  }
  out[n] = 0;
}

static int
hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

static bool
unescape(const char *in, char *out, size_t out_bytes) {
  size_t n = 0;
  while (*in) {
    if (n + 1 >= out_bytes) return false;
    if (*in != '%') {
      out[n++] = *in++;
      continue;
    }
    int high = hex_digit(in[1]);
    int low  = high < 0 ? -1 : hex_digit(in[2]);
    if (low < 0) return false;
    out[n++] = (char)(high * 16 + low);
    in += 3;
  }
  out[n] = 0;
  return n > 0;
}

static bool
parse_number(const char *text, uint64_t max, uint64_t *out) {
  if (*text < '0' || *text > '9') return false;
  char *end  = NULL;
  errno      = 0;
  uint64_t v = strtoull(text, &end, 10);
  if (errno != 0 || *end != 0 || v > max) return false;
  *out = v;
  return true;
}

static bool
parse_uuid(const char *text, uint8_t *out) {
  uint32_t n = 0;
  for (; *text; text++) {
    if (*text == '-') continue;
    int digit = hex_digit(*text);
    if (digit < 0 || n >= 32) return false;
    out[n / 2] = (uint8_t)(n % 2 ? out[n / 2] | digit : digit << 4);
    n++;
  }
  return n == 32;
}

void
md_manifest_uuid_text(const uint8_t uuid[16], char out[MD_MANIFEST_UUID_BYTES]) {
  int n = 0;
  for (uint32_t i = 0; i < 16; i++)
    n += snprintf(out + n, MD_MANIFEST_UUID_BYTES - (size_t)n,
                  i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
}

size_t
md_manifest_line_seal(const char *text, char *out, size_t out_bytes) {
  int len = snprintf(out, out_bytes, "%s crc=%08x\n", text, md_crc32c(0, text, strlen(text)));
  md_assert(len > 0 && (size_t)len < out_bytes);
  return (size_t)len;
}

/* The words of a line whose checksum was right. */
static md_err_t
take_words(char *const *token, uint32_t cnt, md_manifest_line_t *l) {
  static const struct {
    const char        *word;
    md_manifest_kind_t kind;
    uint32_t           cnt;
    uint64_t           max;
  } kinds[]  = {{"journal", MD_MANIFEST_JOURNAL, 3, UINT32_MAX},
                {"stream", MD_MANIFEST_STREAM, 3, UINT16_MAX},
                {"epoch", MD_MANIFEST_EPOCH, 3, UINT32_MAX},
                {"instrument", MD_MANIFEST_INSTRUMENT, 4, UINT32_MAX},
                {"segment", MD_MANIFEST_SEGMENT, 4, UINT64_MAX}};
  uint32_t k = 0;
  while (k < MD_CNT(kinds) && strcmp(token[0], kinds[k].word) != 0)
    k++;
  if (k == MD_CNT(kinds) || cnt < 2 || !parse_number(token[1], kinds[k].max, &l->number))
    return MD_ERR_CORRUPT;
  l->kind = kinds[k].kind;
  if (l->kind == MD_MANIFEST_JOURNAL && l->number > MD_MANIFEST_VERSION) return MD_ERR_VERSION;
  if (cnt != kinds[k].cnt) return MD_ERR_CORRUPT;
  uint64_t epoch = 0;
  bool     ok    = true;
  switch (l->kind) {
  case MD_MANIFEST_JOURNAL:
    ok = l->number == MD_MANIFEST_VERSION && parse_uuid(token[2], l->uuid);
    break;
  case MD_MANIFEST_INSTRUMENT:
    ok = unescape(token[3], l->symbol, sizeof l->symbol) &&
         unescape(token[2], l->name, sizeof l->name);
    break;
  case MD_MANIFEST_STREAM:
    ok = unescape(token[2], l->name, sizeof l->name);
    break;
  case MD_MANIFEST_EPOCH:
    l->real_ns = strtoll(token[2], NULL, 10);
    break;
  case MD_MANIFEST_SEGMENT:
    ok       = parse_number(token[2], UINT32_MAX, &epoch);
    l->epoch = (uint32_t)epoch;
    break;
  }
  return ok ? MD_OK : MD_ERR_CORRUPT;
}

md_err_t
md_manifest_line_read(const char *line, size_t len, md_manifest_line_t *out) {
  static const char mark[]   = " crc=";
  const size_t      tail_len = sizeof mark - 1 + 8;
  char              text[MD_MANIFEST_LINE_BYTES];
  memset(out, 0, sizeof *out);
  if (len <= tail_len || len >= sizeof text || memchr(line, 0, len)) return MD_ERR_CORRUPT;
  const char *tail = line + len - tail_len;
  if (memcmp(tail, mark, sizeof mark - 1) != 0) return MD_ERR_CORRUPT;
  uint32_t crc = 0;
  for (const char *p = tail + sizeof mark - 1; p < line + len; p++) {
    int digit = hex_digit(*p);
    if (digit < 0) return MD_ERR_CORRUPT;
    crc = crc << 4 | (uint32_t)digit;
  }
  if (crc != md_crc32c(0, line, (size_t)(tail - line))) return MD_ERR_CORRUPT;
  memcpy(text, line, (size_t)(tail - line));
  text[tail - line] = 0;
  char    *token[TOKEN_CNT];
  uint32_t cnt  = 0;
  char    *save = NULL;
  for (char *t = strtok_r(text, " ", &save); t && cnt < TOKEN_CNT; t = strtok_r(NULL, " ", &save))
    token[cnt++] = t;
  return cnt > 0 ? take_words(token, cnt, out) : MD_ERR_CORRUPT;
}
