#include "shm/decimal.h"

__extension__ typedef unsigned __int128 u128_t;

#define DEC128_EXP_SHIFT 56u
#define DEC128_EXP_NULL  (-128)
#define DIGITS_MAX       40u /* 2^127 has 39 digits */

static const uint64_t pow10_u64[20] = {1u,
                                       10u,
                                       100u,
                                       1000u,
                                       10000u,
                                       100000u,
                                       1000000u,
                                       10000000u,
                                       100000000u,
                                       1000000000u,
                                       10000000000u,
                                       100000000000u,
                                       1000000000000u,
                                       10000000000000u,
                                       100000000000000u,
                                       1000000000000000u,
                                       10000000000000000u,
                                       100000000000000000u,
                                       1000000000000000000u,
                                       10000000000000000000u};

uint64_t
md_pow10_u64(unsigned n) {
  md_assert(n < MD_CNT(pow10_u64));
  return pow10_u64[n];
}

md_err_t
md_dec128_make(md_i128 mantissa, int exponent, md_dec128_t *out) {
  const md_i128 limit = (md_i128)1 << 119;
  if (mantissa >= limit || mantissa <= -limit) return MD_ERR_OVERFLOW;
  if (exponent < -127 || exponent > 127) return MD_ERR_OVERFLOW;
  uint64_t high = (uint64_t)((u128_t)mantissa >> 64) & ((1ull << DEC128_EXP_SHIFT) - 1);
  out->lo       = (uint64_t)(u128_t)mantissa;
  out->hi       = high | ((uint64_t)(uint8_t)exponent << DEC128_EXP_SHIFT);
  return MD_OK;
}

bool
md_dec128_split(md_dec128_t d, md_i128 *mantissa, int *exponent) {
  int exp = (int8_t)(d.hi >> DEC128_EXP_SHIFT);
  if (exp == DEC128_EXP_NULL) {
    *mantissa = 0;
    *exponent = 0;
    return false;
  }
  uint64_t high = d.hi & ((1ull << DEC128_EXP_SHIFT) - 1);
  if (high >> (DEC128_EXP_SHIFT - 1)) high |= ~((1ull << DEC128_EXP_SHIFT) - 1);
  *mantissa = (md_i128)(((u128_t)high << 64) | d.lo);
  *exponent = exp;
  return true;
}

md_dec128_t
md_dec128_from_i64(int64_t mantissa, int exponent) {
  md_dec128_t out = MD_DEC128_NULL;
  if (mantissa == MD_NULL_I64) return out;
  md_err_t err = md_dec128_make(mantissa, exponent, &out);
  md_assert(err == MD_OK); /* an int64 always fits: only an exponent out of range gets here */
  return out;
}

md_err_t
md_rescale_i64(int64_t *mantissa, int from, int to) {
  int64_t value = *mantissa;
  if (value == MD_NULL_I64 || value == 0 || from == to) return MD_OK;
  int shift = from > to ? from - to : to - from;
  if (shift > 18) return MD_ERR_OVERFLOW; /* no int64 but 0 survives 10^19 either way */
  int64_t factor = (int64_t)md_pow10_u64((unsigned)shift);
  if (from > to) {
    int64_t wide;
    if (__builtin_mul_overflow(value, factor, &wide) || wide == MD_NULL_I64) return MD_ERR_OVERFLOW;
    *mantissa = wide;
    return MD_OK;
  }
  if (value % factor != 0) return MD_ERR_OVERFLOW;
  *mantissa = value / factor;
  return MD_OK;
}

/* Writes the digits of v, most significant first, without leading zeros; "" for 0. */
static unsigned
write_digits(u128_t v, char digits[DIGITS_MAX]) {
  char     reversed[DIGITS_MAX];
  unsigned cnt = 0;
  while (v > UINT64_MAX) {
    reversed[cnt++] = (char)('0' + (unsigned)(v % 10));
    v /= 10;
  }
  for (uint64_t low = (uint64_t)v; low != 0; low /= 10)
    reversed[cnt++] = (char)('0' + (unsigned)(low % 10));
  for (unsigned i = 0; i < cnt; i++)
    digits[i] = reversed[cnt - 1 - i];
  return cnt;
}

unsigned
md_decimal_format(md_i128 mantissa, int exponent, char *out, size_t out_bytes) {
  char     digits[DIGITS_MAX];
  u128_t   magnitude = mantissa < 0 ? (u128_t)0 - (u128_t)mantissa : (u128_t)mantissa;
  unsigned cnt       = write_digits(magnitude, digits);
  if (cnt == 0) exponent = 0;
  while (cnt > 0 && exponent < 0 && digits[cnt - 1] == '0') {
    cnt--;
    exponent++;
  }
  int      point = (int)cnt + exponent; /* digits before the point; may be negative */
  unsigned lead  = point <= 0 ? 1 : 0;  /* the "0" before the point */
  size_t   need  = (mantissa < 0) + lead + cnt + 2u + (unsigned)(exponent > 0 ? exponent : 0) +
                (unsigned)(point < 0 ? -point : 0);
  md_assert(need <= out_bytes); /* 192 bytes hold every value */

  unsigned n = 0;
  if (mantissa < 0) out[n++] = '-';
  if (lead) out[n++] = '0';
  if (exponent < 0 && point <= 0) out[n++] = '.';
  for (int i = point; exponent < 0 && i < 0; i++)
    out[n++] = '0';
  for (unsigned i = 0; i < cnt; i++) {
    if (exponent < 0 && point > 0 && (int)i == point) out[n++] = '.';
    out[n++] = digits[i];
  }
  for (int i = 0; i < exponent; i++)
    out[n++] = '0';
  out[n] = 0;
  return n;
}
