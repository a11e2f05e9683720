#include "feeds/json.h"

bool
md_json_fail(md_json_t *j, md_err_t err) {
  if (j->err == MD_OK) j->err = err;
  j->p = j->end;
  return false;
}

static bool
is_digit(uint8_t c) {
  return c >= '0' && c <= '9';
}

/* Moves behind a run of digits, at least one. */
static bool
take_digits(md_json_t *j) {
  const uint8_t *first = j->p;
  while (j->p < j->end && is_digit(*j->p))
    j->p++;
  return j->p > first;
}

bool
md_json_number(md_json_t *j, const uint8_t **s, uint32_t *len) {
  md_json_ws(j);
  const uint8_t *first = j->p;
  if (j->p < j->end && *j->p == '-') j->p++;
  if (j->p < j->end && *j->p == '0') {
    j->p++; /* no digit may follow a leading zero: whoever reads on refuses it */
  } else if (!take_digits(j)) {
    return md_json_fail(j, MD_ERR_SYNTAX);
  }
  if (j->p < j->end && *j->p == '.') {
    j->p++;
    if (!take_digits(j)) return md_json_fail(j, MD_ERR_SYNTAX);
  }
  if (j->p < j->end && (*j->p == 'e' || *j->p == 'E')) {
    j->p++;
    if (j->p < j->end && (*j->p == '+' || *j->p == '-')) j->p++;
    if (!take_digits(j)) return md_json_fail(j, MD_ERR_SYNTAX);
  }
  *s   = first;
  *len = (uint32_t)(j->p - first);
  return true;
}

bool
md_json_number_or_string(md_json_t *j, const uint8_t **s, uint32_t *len) {
  md_json_ws(j);
  if (j->p < j->end && *j->p == '"') return md_json_string(j, s, len);
  return md_json_number(j, s, len);
}

/* ---- strings ---- */

static bool
hex4(const uint8_t *p, const uint8_t *end, uint32_t *out) {
  if (end - p < 4) return false;
  uint32_t v = 0;
  for (int i = 0; i < 4; i++) {
    uint8_t c = p[i] | 0x20;
    if (is_digit(p[i])) {
      v = v * 16 + (uint32_t)(p[i] - '0');
    } else if (c >= 'a' && c <= 'f') {
      v = v * 16 + (uint32_t)(c - 'a' + 10);
    } else {
      return false;
    }
  }
  *out = v;
  return true;
}

/* Bytes of the UTF-8 sequence at p, 0 when it is not one (also overlong, surrogate, above
 * U+10FFFF). */
static unsigned
utf8_len(const uint8_t *p, const uint8_t *end) {
  unsigned n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
  if (p[0] < 0xc2 || p[0] > 0xf4 || (size_t)(end - p) < n) return 0;
  if (p[0] == 0xe0 && p[1] < 0xa0) return 0;
  if (p[0] == 0xed && p[1] > 0x9f) return 0;
  if (p[0] == 0xf0 && p[1] < 0x90) return 0;
  if (p[0] == 0xf4 && p[1] > 0x8f) return 0;
  for (unsigned i = 1; i < n; i++) {
    if ((p[i] & 0xc0) != 0x80) return 0;
  }
  return n;
}

/* Bytes of the escape at p (a backslash), 0 when it is not one. */
static unsigned
escape_len(const uint8_t *p, const uint8_t *end) {
  uint32_t unit;
  if (end - p < 2) return 0;
  switch (p[1]) {
  case '"':
  case '\\':
  case '/':
  case 'b':
  case 'f':
  case 'n':
  case 'r':
  case 't':
    return 2;
  case 'u':
    return hex4(p + 2, end, &unit) ? 6 : 0;
  default:
    return 0;
  }
}

bool
md_json_string_general(md_json_t *j, const uint8_t **s, uint32_t *len) {
  const uint8_t *p      = j->p;
  bool           escape = false;
  while (p < j->end) {
    p += md_swar_plain_cnt(md_swar_load(p));
    if (p >= j->end) break;
    unsigned n = 1;
    if (*p == '"') {
      *s            = j->p;
      *len          = (uint32_t)(p - j->p);
      j->has_escape = escape;
      j->p          = p + 1;
      return true;
    }
    if (*p == '\\') {
      escape = true;
      n      = escape_len(p, j->end);
    } else if (*p >= 0x80) {
      n = utf8_len(p, j->end);
    } else if (*p < 0x20) {
      n = 0;
    }
    if (n == 0) break;
    p += n;
  }
  return md_json_fail(j, MD_ERR_SYNTAX);
}

/* Reads the code point of a \u escape at p, of both halves of a pair; returns its bytes, 0 if bad.
 */
static unsigned
escape_code_point(const uint8_t *p, const uint8_t *end, uint32_t *out) {
  uint32_t high, low;
  if (!hex4(p + 2, end, &high)) return 0;
  *out = high;
  if (high < 0xd800 || high > 0xdfff) return 6;
  if (high > 0xdbff || end - p < 12 || p[6] != '\\' || p[7] != 'u') return 0;
  if (!hex4(p + 8, end, &low) || low < 0xdc00 || low > 0xdfff) return 0;
  *out = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
  return 12;
}

static unsigned
utf8_write(uint32_t c, uint8_t out[4]) {
  if (c < 0x80) {
    out[0] = (uint8_t)c;
    return 1;
  }
  if (c < 0x800) {
    out[0] = (uint8_t)(0xc0 | c >> 6);
    out[1] = (uint8_t)(0x80 | (c & 0x3f));
    return 2;
  }
  if (c < 0x10000) {
    out[0] = (uint8_t)(0xe0 | c >> 12);
    out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    out[2] = (uint8_t)(0x80 | (c & 0x3f));
    return 3;
  }
  out[0] = (uint8_t)(0xf0 | c >> 18);
  out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
  out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
  out[3] = (uint8_t)(0x80 | (c & 0x3f));
  return 4;
}

/* The byte that a two-byte escape stands for. */
static uint8_t
escape_byte(uint8_t c) {
  switch (c) {
  case 'b':
    return '\b';
  case 'f':
    return '\f';
  case 'n':
    return '\n';
  case 'r':
    return '\r';
  case 't':
    return '\t';
  default:
    return c;
  }
}

md_err_t
md_json_unescape(const uint8_t *s, uint32_t len, uint8_t *out, uint32_t out_bytes,
                 uint32_t *out_len) {
  const uint8_t *end = s + len;
  uint32_t       cnt = 0;
  while (s < end) {
    uint8_t  bytes[4] = {*s};
    unsigned n = 1, used = 1;
    if (*s == '\\') {
      used = escape_len(s, end);
      if (used == 0) return MD_ERR_SYNTAX;
      if (used == 6) {
        uint32_t c = 0;
        used       = escape_code_point(s, end, &c);
        if (used == 0) return MD_ERR_SYNTAX;
        n = utf8_write(c, bytes);
      } else {
        bytes[0] = escape_byte(s[1]);
      }
    }
    if (out_bytes - cnt < n) return MD_ERR_FULL;
    memcpy(out + cnt, bytes, n);
    cnt += n;
    s += used;
  }
  *out_len = cnt;
  return MD_OK;
}

/* ---- scalars ---- */

bool
md_json_null_if(md_json_t *j) {
  md_json_ws(j);
  return md_json_expect(j, "null");
}

bool
md_json_u64_general(md_json_t *j, uint64_t *out) {
  const uint8_t *s;
  uint32_t       len;
  if (!md_json_number_or_string(j, &s, &len)) return false;
  md_err_t err = md_uint_parse(s, len, out);
  return err ? md_json_fail(j, err) : true;
}

bool
md_json_i64_general(md_json_t *j, int64_t *out) {
  const uint8_t *s;
  uint32_t       len;
  uint64_t       magnitude;
  if (!md_json_number_or_string(j, &s, &len)) return false;
  bool     negative = len != 0 && *s == '-';
  md_err_t err      = md_uint_parse(s + negative, len - negative, &magnitude);
  if (err) return md_json_fail(j, err);
  if (magnitude > (uint64_t)INT64_MAX) return md_json_fail(j, MD_ERR_OVERFLOW);
  *out = negative ? -(int64_t)magnitude : (int64_t)magnitude;
  return true;
}

md_err_t
md_json_mantissa_general(md_json_t *j, int exp, int64_t *mantissa) {
  const uint8_t *s;
  uint32_t       len;
  md_json_t      before = *j;
  if (!md_json_number_or_string(j, &s, &len)) return j->err;
  md_err_t err = md_decimal_to_exp(s, len, exp, mantissa);
  if (MD_UNLIKELY(err == MD_ERR_SYNTAX)) {
    md_json_fail(j, err);
  } else if (MD_UNLIKELY(err)) {
    *j = before;
  }
  return err;
}

bool
md_json_dec128(md_json_t *j, md_dec128_t *out) {
  const uint8_t *s;
  uint32_t       len;
  if (!md_json_number_or_string(j, &s, &len)) return false;
  md_err_t err = md_decimal_to_dec128(s, len, out);
  return err ? md_json_fail(j, err) : true;
}

/* ---- whole values ---- */

/* Passes over a scalar, or enters an object or array and notes in *kinds which of the two it is. */
static bool
skip_step(md_json_t *j, uint64_t *kinds) {
  const uint8_t *s;
  uint32_t       len;
  bool           value;
  md_json_ws(j);
  if (j->p >= j->end) return md_json_fail(j, MD_ERR_SYNTAX);
  switch (*j->p) {
  case '"':
    return md_json_string(j, &s, &len);
  case '{':
    if (!md_json_object_begin(j)) return false;
    *kinds |= 1ull << (j->depth - 1);
    return true;
  case '[':
    if (!md_json_array_begin(j)) return false;
    *kinds &= ~(1ull << (j->depth - 1));
    return true;
  case 't':
  case 'f':
    return md_json_bool(j, &value);
  case 'n':
    return md_json_null_if(j) || md_json_fail(j, MD_ERR_SYNTAX);
  default:
    return md_json_number(j, &s, &len);
  }
}

bool
md_json_skip(md_json_t *j) {
  unsigned base  = j->depth;
  uint64_t kinds = 0; /* bit depth - 1 is set while that level is an object */
  do {
    if (!skip_step(j, &kinds)) return false;
    while (j->depth > base) {
      const uint8_t *key;
      uint32_t       key_len;
      bool           object = kinds >> (j->depth - 1) & 1;
      if (object ? md_json_key(j, &key, &key_len) : md_json_element(j)) break;
      if (j->err) return false;
    }
  } while (j->depth > base);
  return true;
}

bool
md_json_slice(md_json_t *j, const uint8_t **s, uint32_t *len) {
  md_json_ws(j);
  const uint8_t *first = j->p;
  if (!md_json_skip(j)) return false;
  *s   = first;
  *len = (uint32_t)(j->p - first);
  return true;
}

md_err_t
md_json_text(md_json_t *j, char *buffer, uint32_t max, const char **text, uint32_t *len) {
  const uint8_t *p;
  uint32_t       n;
  if (!md_json_string(j, &p, &n)) return MD_ERR_SYNTAX;
  if (j->has_escape) {
    md_err_t err = md_json_unescape(p, n, (uint8_t *)buffer, max, &n);
    if (err) return err;
    p = (const uint8_t *)buffer;
  }
  if (n == 0 || n > max) return MD_ERR_SYNTAX;
  for (uint32_t k = 0; k < n; k++)
    if (p[k] <= ' ' || p[k] == 0x7f) return MD_ERR_SYNTAX;
  *text = (const char *)p;
  *len  = n;
  return MD_OK;
}

md_err_t
md_json_member(const uint8_t *p, uint32_t len, const char *name, const uint8_t **value,
               uint32_t *value_len) {
  const size_t   name_len = strlen(name);
  const uint8_t *key;
  uint32_t       key_len;
  md_json_t      j;
  *value = NULL;
  md_json_init(&j, p, len);
  md_json_object_begin(&j);
  while (md_json_key(&j, &key, &key_len)) {
    if (key_len == name_len && memcmp(key, name, name_len) == 0)
      md_json_slice(&j, value, value_len);
    else
      md_json_skip(&j);
  }
  md_err_t err = md_json_finish(&j);
  return err ? err : *value ? MD_OK : MD_ERR_UNKNOWN;
}
