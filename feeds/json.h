/* json.h - single-pass JSON cursor over (pointer, length).
 *
 * A venue's decoder walks a message with it: no tree, no allocation, no NUL, no copy. What it hands
 * out are slices of the message, which live as long as the message does. Strict about structure:
 * cut or trailing bytes, missing or extra commas, control characters, bad escapes, invalid UTF-8
 * and nesting above MD_JSON_DEPTH_MAX are MD_ERR_SYNTAX. Whitespace is allowed wherever JSON allows
 * it. Keys come in any order; a key that the caller does not know is passed over with md_json_skip.
 * Duplicate keys are handed out one after the other: the last one wins when the caller simply
 * assigns.
 *
 * The buffer must have MD_FRAME_PAD_BYTES readable bytes behind it; what stands there is never
 * used. One cursor belongs to one thread; it is a plain value, and a copy of it is a place to
 * return to.
 *
 * Errors stick: after the first one every function fails, loops end, and md_json_finish tells it.
 * So a decoder checks once, at the end, before it uses anything:
 *
 *   md_json_t      j;
 *   const uint8_t *key, *symbol = NULL;
 *   uint32_t       key_len, symbol_len = 0;
 *   uint64_t       id = 0;
 *   md_json_init(&j, payload, len);
 *   md_json_object_begin(&j);
 *   while (md_json_key(&j, &key, &key_len)) {
 *     if (md_json_is(key, key_len, "s")) md_json_string(&j, &symbol, &symbol_len);
 *     else if (md_json_is(key, key_len, "u")) md_json_u64(&j, &id);
 *     else md_json_skip(&j);
 *   }
 *   md_err_t err = md_json_finish(&j);
 *
 * Where the order of keys is known, md_json_expect is much faster; a copy of the cursor taken
 * before is the way back to the loop above when the venue surprises us. */
#ifndef FEEDS_JSON_H
#define FEEDS_JSON_H

#include "feeds/decimal.h"
#include "feeds/swar.h"
#include "shm/record.h"

#define MD_JSON_DEPTH_MAX 64u

typedef struct md_json {
  const uint8_t *p, *end;    /* p == end after an error */
  md_err_t       err;        /* first error, MD_OK so far */
  unsigned       depth;      /* objects and arrays that are open */
  bool           has_escape; /* the last string or key contains a backslash: see md_json_unescape */
} md_json_t;

/* ---- out of line: general or rare ---- */

/* md_json_fail records the first error, moves the cursor to the end and returns false. For decoders
 * too: a value that is well-formed but wrong. */
MD_COLD bool md_json_fail(md_json_t *j, md_err_t err);

/* md_json_skip passes over the next value, whatever it is, checking it fully. */
bool md_json_skip(md_json_t *j);

/* md_json_slice is md_json_skip that also gives the value's text. */
bool md_json_slice(md_json_t *j, const uint8_t **s, uint32_t *len);

/* md_json_number gives the raw text of a number, checked against JSON's grammar. */
bool md_json_number(md_json_t *j, const uint8_t **s, uint32_t *len);

/* md_json_number_or_string gives the text of a number, or the inside of a string: exchanges use
 * both for decimals. The inside of a string is not checked: the decimal parser does that. */
bool md_json_number_or_string(md_json_t *j, const uint8_t **s, uint32_t *len);

/* md_json_null_if passes over a null and returns true; anything else stays where it is. */
bool md_json_null_if(md_json_t *j);

/* md_json_u64 and md_json_i64 read an integer, bare or in a string. A fraction, an exponent or a
 * value that does not fit (or means absent in a record) is an error of the cursor. */
static inline bool md_json_i64(md_json_t *j, int64_t *out);

/* md_json_mantissa reads a decimal, bare or in a string, at exponent exp. MD_ERR_RANGE (digits
 * finer than exp) and MD_ERR_OVERFLOW leave the cursor before the value and without an error, so
 * that the caller can widen the exponent and read it again; MD_ERR_SYNTAX sticks. */
MD_MUST_USE static inline md_err_t md_json_mantissa(md_json_t *j, int exp, int64_t *mantissa);

/* md_json_dec128 reads a decimal, bare or in a string, exactly. */
bool md_json_dec128(md_json_t *j, md_dec128_t *out);

/* md_json_unescape writes the text of a raw string slice as UTF-8, without NUL. MD_ERR_FULL:
 * out_bytes is too small (len bytes always suffice); MD_ERR_SYNTAX: half of a surrogate pair. */
MD_MUST_USE md_err_t md_json_unescape(const uint8_t *s, uint32_t len, uint8_t *out,
                                      uint32_t out_bytes, uint32_t *out_len);

/* md_json_levels reads [["px","qty",...],...] into mantissas: numbers bare or in strings, elements
 * behind the second ignored. MD_ERR_FULL (more than max levels), MD_ERR_RANGE (a value finer than
 * its exponent) and MD_ERR_OVERFLOW leave the cursor before the array and without an error, so that
 * the caller can widen (md_json_levels_min_exp) and read it again; MD_ERR_SYNTAX, also for a level
 * without px or qty, sticks. *cnt is 0 and out is scratch after an error. Quantities of 0 are kept;
 * signs are kept. */
MD_MUST_USE md_err_t md_json_levels(md_json_t *j, int px_exp, int qty_exp, md_level_t *out,
                                    uint32_t max, uint32_t *cnt);

/* md_json_levels_min_exp lowers *px_exp and *qty_exp to what the array of levels at j needs; never
 * raises them. j is a copy, so the caller's cursor stays. MD_ERR_SYNTAX: not such an array;
 * MD_ERR_OVERFLOW: a value that no exponent holds in an md_number_t. */
MD_MUST_USE md_err_t md_json_levels_min_exp(md_json_t j, int *px_exp, int *qty_exp);

/* md_json_string_general is what md_json_string does from the opening quote on, for long strings,
 * escapes and text beyond ASCII. Not for callers. */
bool md_json_string_general(md_json_t *j, const uint8_t **s, uint32_t *len);

/* md_json_u64_general and _i64_general are md_json_u64 and _i64 for whatever these do not expect.
 * Not for callers. */
bool md_json_u64_general(md_json_t *j, uint64_t *out);
bool md_json_i64_general(md_json_t *j, int64_t *out);

/* The same for md_json_mantissa. */
MD_MUST_USE md_err_t md_json_mantissa_general(md_json_t *j, int exp, int64_t *mantissa);

/* ---- inline: the walk ---- */

/* md_json_init begins at p; len is at most MD_FRAME_BYTES_MAX. */
static inline void
md_json_init(md_json_t *j, const uint8_t *p, size_t len) {
  *j = (md_json_t){.p = p, .end = p + len};
  if (MD_UNLIKELY(len > MD_FRAME_BYTES_MAX)) md_json_fail(j, MD_ERR_SYNTAX);
}

/* md_json_ws moves to the next byte that is not whitespace. */
static inline void
md_json_ws(md_json_t *j) {
  while (j->p < j->end && MD_UNLIKELY(*j->p <= ' ')) {
    if (*j->p != ' ' && *j->p != '\t' && *j->p != '\n' && *j->p != '\r') return;
    j->p++;
  }
}

/* md_json_take moves behind c, with whitespace before it; an error when something else stands
 * there. */
static inline bool
md_json_take(md_json_t *j, uint8_t c) {
  md_json_ws(j);
  if (MD_UNLIKELY(j->p >= j->end || *j->p != c)) return md_json_fail(j, MD_ERR_SYNTAX);
  j->p++;
  return true;
}

/* md_json_string gives the raw inside of a string and sets j->has_escape. */
static inline bool
md_json_string(md_json_t *j, const uint8_t **s, uint32_t *len) {
  if (MD_UNLIKELY(!md_json_take(j, '"'))) return false;
  unsigned n = md_swar_plain_cnt(md_swar_load(j->p));
  if (MD_LIKELY(n < 8)) {
    const uint8_t *q = j->p + n;
    if (MD_LIKELY(q < j->end && *q == '"')) {
      *s            = j->p;
      *len          = n;
      j->has_escape = false;
      j->p          = q + 1;
      return true;
    }
  }
  return md_json_string_general(j, s, len);
}

/* md_json_object_begin enters an object: md_json_key must then be called until it returns false. */
static inline bool
md_json_object_begin(md_json_t *j) {
  if (MD_UNLIKELY(!md_json_take(j, '{'))) return false;
  if (MD_UNLIKELY(++j->depth > MD_JSON_DEPTH_MAX)) return md_json_fail(j, MD_ERR_SYNTAX);
  return true;
}

static inline bool
md_json_array_begin(md_json_t *j) {
  if (MD_UNLIKELY(!md_json_take(j, '['))) return false;
  if (MD_UNLIKELY(++j->depth > MD_JSON_DEPTH_MAX)) return md_json_fail(j, MD_ERR_SYNTAX);
  return true;
}

/* md_json_next moves to the next member of an object or array; false behind its end and on error.
 * The byte before the cursor tells whether a member was read already: no value ends in an opening
 * bracket. */
static inline bool
md_json_next(md_json_t *j, uint8_t open, uint8_t close) {
  if (MD_UNLIKELY(j->p >= j->end)) return md_json_fail(j, MD_ERR_SYNTAX);
  bool first = j->p[-1] == open;
  md_json_ws(j);
  if (MD_UNLIKELY(j->p >= j->end)) return md_json_fail(j, MD_ERR_SYNTAX);
  if (*j->p == close) {
    j->p++;
    j->depth--;
    return false;
  }
  if (!first) {
    if (MD_UNLIKELY(*j->p != ',')) return md_json_fail(j, MD_ERR_SYNTAX);
    j->p++;
  }
  return true;
}

/* md_json_key gives the next key of the object and stands before its value, which the caller must
 * read or skip. False behind the end of the object (the cursor is then behind it) and on error. */
static inline bool
md_json_key(md_json_t *j, const uint8_t **key, uint32_t *key_len) {
  return md_json_next(j, '{', '}') && md_json_string(j, key, key_len) && md_json_take(j, ':');
}

/* md_json_element stands before the next element of the array, which the caller must read or skip.
 * False behind the end of the array and on error. */
static inline bool
md_json_element(md_json_t *j) {
  return md_json_next(j, '[', ']');
}

/* md_json_is compares a slice with a literal; anything else does not compile. */
#define md_json_is(s, len, literal)                                                                \
  ((len) == sizeof("" literal) - 1 && memcmp((s), "" literal, sizeof(literal) - 1) == 0)

/* md_json_expect moves behind the literal (at most MD_FRAME_PAD_BYTES) when exactly that text
 * stands at the cursor; else nothing changes. Depth is not counted, so a literal that opens an
 * object or array is paired by one that closes it. */
#define md_json_expect(j, literal) md_json_expect_bytes((j), "" literal, sizeof(literal) - 1)

/* Eight bytes at once: n is a constant where this is inlined, and the literal becomes numbers. */
static inline __attribute__((always_inline)) bool
md_json_same(const uint8_t *p, const char *literal, size_t n) {
  const uint8_t *l         = (const uint8_t *)literal;
  uint64_t       different = 0;
  if (n < 8) return memcmp(p, literal, n) == 0;
  for (size_t i = 0; i + 8 <= n; i += 8)
    different |= md_swar_load(p + i) ^ md_swar_load(l + i);
  different |= md_swar_load(p + n - 8) ^ md_swar_load(l + n - 8);
  return different == 0;
}

static inline __attribute__((always_inline)) bool
md_json_expect_bytes(md_json_t *j, const char *literal, size_t n) {
  if (MD_UNLIKELY((size_t)(j->end - j->p) < n || !md_json_same(j->p, literal, n))) return false;
  j->p += n;
  return true;
}

/* Not for callers. Up to 15 digits, ended by a byte that can stand behind them: nearly every id and
 * time. */
static inline __attribute__((always_inline)) bool
md_json_u64_fast(md_json_t *j, uint64_t *out) {
  bool           quoted = *j->p == '"';
  const uint8_t *p      = j->p + quoted;
  uint64_t       w      = md_swar_load(p);
  unsigned       n      = md_swar_digit_cnt(w);
  if (n == 0) return false;
  if (*p == '0' && n > 1) return false;
  uint64_t v = md_swar_value(w, n);
  p += n;
  if (n == 8) {
    w = md_swar_load(p);
    n = md_swar_digit_cnt(w);
    if (n == 8) return false;
    if (n != 0) v = v * md_swar_pow10[n] + md_swar_value(w, n);
    p += n;
  }
  if (p >= j->end) return false;
  if (quoted) {
    if (*p != '"') return false;
    p++;
  } else if (*p != ',' && *p != '}' && *p != ']') {
    return false;
  }
  j->p = p;
  *out = v;
  return true;
}

static inline bool
md_json_u64(md_json_t *j, uint64_t *out) {
  return MD_LIKELY(j->p < j->end && md_json_u64_fast(j, out)) || md_json_u64_general(j, out);
}

static inline bool
md_json_i64(md_json_t *j, int64_t *out) {
  uint64_t v;
  if (MD_UNLIKELY(j->p >= j->end || !md_json_u64_fast(j, &v))) return md_json_i64_general(j, out);
  *out = (int64_t)v; /* 15 digits at most */
  return true;
}

static inline __attribute__((always_inline)) md_err_t
md_json_mantissa(md_json_t *j, int exp, int64_t *mantissa) {
  if (MD_LIKELY(j->p < j->end && *j->p == '"' && exp <= 0 && exp >= -(int)MD_SWAR_SCALE_MAX)) {
    const uint8_t *q = md_swar_decimal(j->p + 1, (unsigned)-exp, mantissa);
    if (MD_LIKELY(q != NULL && q < j->end && *q == '"')) {
      j->p = q + 1;
      return MD_OK;
    }
  }
  return md_json_mantissa_general(j, exp, mantissa);
}

/* md_json_bool reads true or false. */
static inline bool
md_json_bool(md_json_t *j, bool *out) {
  md_json_ws(j);
  *out = md_json_expect(j, "true");
  return MD_LIKELY(*out || md_json_expect(j, "false")) ? true : md_json_fail(j, MD_ERR_SYNTAX);
}

/* md_json_finish returns MD_OK when the whole text was read without an error, every bracket was
 * closed and only whitespace is left. */
MD_MUST_USE static inline md_err_t
md_json_finish(md_json_t *j) {
  md_json_ws(j);
  if (MD_UNLIKELY(j->p != j->end || j->depth != 0)) md_json_fail(j, MD_ERR_SYNTAX);
  return j->err;
}

/* md_json_text gives the inside of a string at the cursor that is a name: [1, max] bytes without
 * blanks and controls, from the text itself, or unescaped into buffer. MD_ERR_SYNTAX for anything
 * else. */
MD_MUST_USE md_err_t md_json_text(md_json_t *j, char *buffer, uint32_t max, const char **text,
                                  uint32_t *len);

/* md_json_member finds a member of the object that p holds and reads the rest through. value is its
 * text, the last one when it stands twice. MD_ERR_SYNTAX; MD_ERR_UNKNOWN when there is none. */
MD_MUST_USE md_err_t md_json_member(const uint8_t *p, uint32_t len, const char *name,
                                    const uint8_t **value, uint32_t *value_len);

#endif
