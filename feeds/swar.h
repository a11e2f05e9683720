/* swar.h - eight ASCII digits at a time in a plain 64-bit word.
 *
 * The arithmetic under decimal.c and json.c: how many digits a word begins with, their value, and a
 * plain decimal ("61837.63000000") turned into a mantissa without a division or a loop. Portable C,
 * no branches on the data but the few that predict well. Reads up to MD_FRAME_PAD_BYTES behind the
 * text; what it read there never reaches a result, because the caller checks where the number
 * stopped. */
#ifndef FEEDS_SWAR_H
#define FEEDS_SWAR_H

#include <string.h>

#include "shm/base.h"

#define MD_SWAR_ZEROS     0x3030303030303030u
#define MD_SWAR_HIGH      0x8080808080808080u
#define MD_SWAR_SCALE_MAX 8u /* digits behind the point that md_swar_decimal handles */

static const uint32_t md_swar_pow10[9] = {1u,      10u,      100u,      1000u,     10000u,
                                          100000u, 1000000u, 10000000u, 100000000u};

/* md_swar_load reads 8 bytes, the first one lowest. */
static inline uint64_t
md_swar_load(const uint8_t *p) {
  uint64_t w;
  memcpy(&w, p, sizeof w);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  w = __builtin_bswap64(w);
#endif
  return w;
}

static inline uint32_t
md_swar_load4(const uint8_t *p) {
  uint32_t w;
  memcpy(&w, p, sizeof w);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  w = __builtin_bswap32(w);
#endif
  return w;
}

/* md_swar_digit_cnt counts the digits that w begins with, 0 to 8. A carry out of a byte above 0x89
 * disturbs only bytes behind it, which no longer matter. */
static inline unsigned
md_swar_digit_cnt(uint64_t w) {
  uint64_t t   = w ^ MD_SWAR_ZEROS;
  uint64_t bad = ((t + 0x7676767676767676u) | t) & MD_SWAR_HIGH;
  return bad ? (unsigned)__builtin_ctzll(bad) >> 3 : 8u;
}

/* md_swar_value8 is the value of 8 digits, each 0 to 9 in its byte, the most significant one
 * lowest. */
static inline uint64_t
md_swar_value8(uint64_t t) {
  t = t * 10 + (t >> 8);
  return (((t & 0x000000ff000000ffu) * 0x000f424000000064u) +
          (((t >> 16) & 0x000000ff000000ffu) * 0x0000271000000001u)) >>
         32;
}

/* md_swar_value is the value of the first n digits of w, n in [1, 8]. */
static inline uint64_t
md_swar_value(uint64_t w, unsigned n) {
  return md_swar_value8((w ^ MD_SWAR_ZEROS) << (64 - 8 * n));
}

/* md_swar_plain_cnt counts the bytes that w begins with, 0 to 8, which stand for themselves in a
 * JSON string: no quote, no backslash, no control, nothing beyond ASCII. A borrow can mark wrong
 * bytes only behind a right one. */
static inline unsigned
md_swar_plain_cnt(uint64_t w) {
  uint64_t quote = w ^ 0x2222222222222222u;
  uint64_t slash = w ^ 0x5c5c5c5c5c5c5c5cu;
  uint64_t stop =
      (quote - 0x0101010101010101u) | (slash - 0x0101010101010101u) | (w - 0x2020202020202020u) | w;
  stop &= MD_SWAR_HIGH;
  return stop ? (unsigned)__builtin_ctzll(stop) >> 3 : 8u;
}

/* md_swar_decimal reads [-]digits[.digits] at p as a mantissa with `scale` digits behind the point
 * (at most MD_SWAR_SCALE_MAX) and returns where it stopped, NULL on any surprise: no digit, more
 * than 15 digits before the point, a digit finer than the scale, a mantissa that might not fit. A
 * ninth digit behind the point stops it: the caller must refuse a digit there. */
static inline const uint8_t *
md_swar_decimal(const uint8_t *p, unsigned scale, int64_t *mantissa) {
  bool negative = *p == '-';
  p += negative;
  uint64_t w = md_swar_load(p);
  unsigned n = md_swar_digit_cnt(w);
  if (MD_UNLIKELY(n == 0)) return NULL;
  uint64_t v = md_swar_value(w, n);
  p += n;
  if (MD_UNLIKELY(n == 8)) {
    w = md_swar_load(p);
    n = md_swar_digit_cnt(w);
    if (n == 8 || 8 + n + scale > 18) return NULL;
    if (n != 0) v = v * md_swar_pow10[n] + md_swar_value(w, n);
    p += n;
  }
  v *= md_swar_pow10[scale];
  if (MD_LIKELY(*p == '.')) {
    w = md_swar_load(p + 1);
    n = md_swar_digit_cnt(w);
    if (MD_UNLIKELY(n == 0)) return NULL;
    /* Shifts by 8 * n in two halves, because a shift by 64 is undefined. */
    uint64_t t = (w ^ MD_SWAR_ZEROS) & ~((UINT64_MAX << (4 * n)) << (4 * n));
    if (MD_UNLIKELY((t >> (4 * scale)) >> (4 * scale))) return NULL;
    unsigned up = 32 - 4 * scale;
    v += md_swar_value8((t << up) << up);
    p += 1 + n;
  }
  *mantissa = negative ? -(int64_t)v : (int64_t)v;
  return p;
}

#endif
