#include "feeds/decimal.h"

#include "feeds/swar.h"

#define EXPONENT_MIN (-127)
#define EXPONENT_STOP                                                                              \
  1000000            /* an exponent this far out is far out of range: it is not added up           \
                      */
#define POW10_MAX 38 /* 10^38 is the largest that fits 127 bits */

/* Multiplies by 10^n; false when it does not fit 127 bits. */
static bool
scale_up(md_i128 *m, int64_t n) {
  if (*m == 0) return true;
  if (n > POW10_MAX) return false;
  for (int64_t i = 0; i < n; i++) {
    if (__builtin_mul_overflow(*m, (md_i128)10, m)) return false;
  }
  return true;
}

/* The digits read so far. Zeros are held back until a digit behind them shows that they matter. */
typedef struct digits {
  md_i128 mantissa;
  int64_t zero_cnt;
  bool    fits;
} digits_t;

/* Reads digits from *p on, moves *p behind them and returns how many there were. */
static int64_t
read_digits(const uint8_t **p, const uint8_t *end, digits_t *d) {
  const uint8_t *q = *p;
  for (; q < end && *q >= '0' && *q <= '9'; q++) {
    if (*q == '0') {
      d->zero_cnt += d->mantissa != 0;
      continue;
    }
    if (!d->fits) continue;
    d->fits = scale_up(&d->mantissa, d->zero_cnt + 1) &&
              !__builtin_add_overflow(d->mantissa, (md_i128)(*q - '0'), &d->mantissa);
    d->zero_cnt = 0;
  }
  int64_t cnt = q - *p;
  *p          = q;
  return cnt;
}

/* Reads [e[+-]digits]; false on bad syntax. */
static bool
read_exponent(const uint8_t **p, const uint8_t *end, int64_t *exponent) {
  const uint8_t *q = *p;
  *exponent        = 0;
  if (q == end || (*q != 'e' && *q != 'E')) return true;
  q++;
  bool negative = q < end && *q == '-';
  if (q < end && (*q == '-' || *q == '+')) q++;
  const uint8_t *first = q;
  int64_t        e     = 0;
  for (; q < end && *q >= '0' && *q <= '9'; q++) {
    if (e < EXPONENT_STOP) e = e * 10 + (*q - '0');
  }
  *exponent = negative ? -e : e;
  *p        = q;
  return q > first;
}

md_err_t
md_decimal_parse(const uint8_t *p, size_t len, md_number_t *out) {
  const uint8_t *end      = p + len;
  bool           negative = p < end && *p == '-';
  if (negative) p++;
  digits_t d            = {0, 0, true};
  int64_t  fraction_cnt = 0;
  int64_t  exponent;
  if (read_digits(&p, end, &d) == 0) return MD_ERR_SYNTAX;
  if (p < end && *p == '.') {
    p++;
    fraction_cnt = read_digits(&p, end, &d);
    if (fraction_cnt == 0) return MD_ERR_SYNTAX;
  }
  if (!read_exponent(&p, end, &exponent) || p != end) return MD_ERR_SYNTAX;
  if (!d.fits) return MD_ERR_OVERFLOW;
  exponent += d.zero_cnt - fraction_cnt;
  if (d.mantissa == 0) exponent = 0;
  if (exponent < EXPONENT_MIN) return MD_ERR_OVERFLOW;
  if (exponent > 0) {
    if (!scale_up(&d.mantissa, exponent)) return MD_ERR_OVERFLOW;
    exponent = 0;
  }
  out->mantissa = negative ? -d.mantissa : d.mantissa;
  out->exponent = (int)exponent;
  return MD_OK;
}

/* Any text, any exponent: what the fast path does not handle. */
static MD_COLD md_err_t
to_exp_general(const uint8_t *p, size_t len, int exp, int64_t *mantissa) {
  md_number_t n;
  md_err_t    err = md_decimal_parse(p, len, &n);
  if (err) return err;
  int shift = n.exponent - exp;
  if (shift >= 0) {
    if (!scale_up(&n.mantissa, shift)) return MD_ERR_OVERFLOW;
  }
  for (; shift < 0 && n.mantissa != 0; shift++) {
    if (n.mantissa % 10 != 0) return MD_ERR_RANGE;
    n.mantissa /= 10;
  }
  if (n.mantissa > INT64_MAX || n.mantissa <= MD_NULL_I64) return MD_ERR_OVERFLOW;
  *mantissa = (int64_t)n.mantissa;
  return MD_OK;
}

md_err_t
md_decimal_to_exp(const uint8_t *p, size_t len, int exp, int64_t *mantissa) {
  if (MD_LIKELY(len != 0 && exp <= 0 && exp >= -(int)MD_SWAR_SCALE_MAX)) {
    int64_t value = 0;
    if (MD_LIKELY(md_swar_decimal(p, (unsigned)-exp, &value) == p + len)) {
      *mantissa = value;
      return MD_OK;
    }
  }
  return to_exp_general(p, len, exp, mantissa);
}

md_err_t
md_decimal_to_dec128(const uint8_t *p, size_t len, md_dec128_t *out) {
  md_number_t n;
  md_err_t    err = md_decimal_parse(p, len, &n);
  if (err) return err;
  return md_dec128_make(n.mantissa, n.exponent, out);
}

md_err_t
md_uint_parse(const uint8_t *p, size_t len, uint64_t *out) {
  uint64_t value = 0;
  bool     fits  = true;
  if (len == 0) return MD_ERR_SYNTAX;
  for (size_t i = 0; i < len; i++) {
    if (p[i] < '0' || p[i] > '9') return MD_ERR_SYNTAX;
    fits = fits && !__builtin_mul_overflow(value, 10u, &value) &&
           !__builtin_add_overflow(value, (uint64_t)(p[i] - '0'), &value);
  }
  if (!fits || value == MD_NULL_U64) return MD_ERR_OVERFLOW;
  *out = value;
  return MD_OK;
}

int
md_decimal_min_exp(const uint8_t *p, size_t len) {
  md_number_t n;
  if (md_decimal_parse(p, len, &n)) return 0;
  return n.exponent;
}
