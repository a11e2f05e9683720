/* Decimal text to integers: tables of what exchanges write, and a million random numbers beside a
 * slow reference that moves digits about in strings and knows no arithmetic. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "feeds/decimal.h"

#define RANDOM_CNT 1000000u

/* Text in a padded buffer whose padding is hostile: digits that must never be used. */
typedef struct padded {
  uint8_t bytes[512 + MD_FRAME_PAD_BYTES];
  size_t  len;
} padded_t;

static const padded_t *
pad(const char *text) {
  static padded_t p;
  p.len = strlen(text);
  cr_assert(p.len <= 512);
  memset(p.bytes, '9', sizeof p.bytes);
  memcpy(p.bytes, text, p.len);
  return &p;
}

static void
expect_number(const char *text, int64_t mantissa, int exponent) {
  const padded_t *p = pad(text);
  md_number_t     n;
  cr_assert_eq(md_decimal_parse(p->bytes, p->len, &n), MD_OK, "%s", text);
  cr_assert(n.mantissa == mantissa, "%s", text);
  cr_assert_eq(n.exponent, exponent, "%s", text);
  cr_assert_eq(md_decimal_min_exp(p->bytes, p->len), exponent, "%s", text);
}

static void
expect_error(const char *text, md_err_t err) {
  const padded_t *p = pad(text);
  md_number_t     n;
  int64_t         m;
  md_dec128_t     d;
  cr_assert_eq(md_decimal_parse(p->bytes, p->len, &n), err, "%s", text);
  cr_assert_eq(md_decimal_to_exp(p->bytes, p->len, -8, &m), err, "%s", text);
  cr_assert_eq(md_decimal_to_dec128(p->bytes, p->len, &d), err, "%s", text);
}

Test(decimal_parse, numbers_are_normalised) {
  expect_number("61837.63000000", 6183763, -2);
  expect_number("0.00028", 28, -5);
  expect_number("2700", 2700, 0);
  expect_number("1000", 1000, 0);
  expect_number("1000.000", 1000, 0);
  expect_number("-12.50", -125, -1);
  expect_number("00012.5", 125, -1);
  expect_number("5950000000000", 5950000000000, 0);
  expect_number("0.00000000001", 1, -11);
}

Test(decimal_parse, zeros_are_all_the_same) {
  static const char *const zeros[] = {"0",     "-0", "0.00",     "0E-8",
                                      "0e400", "00", "-0.000e7", "0e-999999999999"};
  for (size_t i = 0; i < MD_CNT(zeros); i++)
    expect_number(zeros[i], 0, 0);
}

Test(decimal_parse, scientific_notation_is_exact) {
  expect_number("1.0002e6", 1000200, 0);
  expect_number("2.8e-4", 28, -5);
  expect_number("3.0e6", 3000000, 0);
  expect_number("1054.0", 1054, 0);
  expect_number("1E+3", 1000, 0);
  expect_number("1200e-2", 12, 0);
  expect_number("1200e-4", 12, -2);
}

Test(decimal_parse, case_45_what_is_no_number_is_refused) {
  static const char *const bad[] = {"",     "NaN",      ".5",  "1.", "-",    "+1",
                                    "1e",   "1e+",      " 1",  "1 ", "--1",  "1.2.3",
                                    "0x10", "Infinity", "1,5", "e5", "1.e5", "-.5"};
  for (size_t i = 0; i < MD_CNT(bad); i++)
    expect_error(bad[i], MD_ERR_SYNTAX);
}

Test(decimal_parse, case_45_what_does_not_fit_is_refused_not_rounded) {
  expect_error("1e400", MD_ERR_OVERFLOW);
  expect_error("1e-400", MD_ERR_OVERFLOW);
  expect_error("1e99999999999999999999", MD_ERR_OVERFLOW);
  expect_error("1234567890123456789012345678901234567890", MD_ERR_OVERFLOW);
  expect_error("0.1234567890123456789012345678901234567891", MD_ERR_OVERFLOW);
}

Test(decimal_parse, case_33_twenty_two_digit_open_interest_is_exact) {
  const padded_t *p = pad("1234567890123456789012.5");
  md_dec128_t     d;
  md_i128         m;
  int             e;
  char            text[192];
  cr_assert_eq(md_decimal_to_dec128(p->bytes, p->len, &d), MD_OK);
  cr_assert(md_dec128_split(d, &m, &e));
  md_decimal_format(m, e, text, sizeof text);
  cr_assert_str_eq(text, "1234567890123456789012.5");
  int64_t narrow;
  cr_assert_eq(md_decimal_to_exp(p->bytes, p->len, -1, &narrow), MD_ERR_OVERFLOW);
}

Test(decimal_parse, to_exp_refuses_finer_digits_and_wide_values) {
  int64_t         m = 7;
  const padded_t *p = pad("1.234");
  cr_assert_eq(md_decimal_to_exp(p->bytes, p->len, -2, &m), MD_ERR_RANGE);
  cr_assert_eq(m, 7);
  cr_assert_eq(md_decimal_to_exp(p->bytes, p->len, -3, &m), MD_OK);
  cr_assert_eq(m, 1234);
  p = pad("9223372036854775807");
  cr_assert_eq(md_decimal_to_exp(p->bytes, p->len, 0, &m), MD_OK);
  cr_assert_eq(m, INT64_MAX);
  p = pad("9223372036854775808");
  cr_assert_eq(md_decimal_to_exp(p->bytes, p->len, 0, &m), MD_ERR_OVERFLOW);
  p = pad("-9223372036854775808"); /* means absent: never a value */
  cr_assert_eq(md_decimal_to_exp(p->bytes, p->len, 0, &m), MD_ERR_OVERFLOW);
  p = pad("12000");
  cr_assert_eq(md_decimal_to_exp(p->bytes, p->len, 3, &m), MD_OK);
  cr_assert_eq(m, 12);
  cr_assert_eq(md_decimal_to_exp(p->bytes, p->len, 4, &m), MD_ERR_RANGE);
}

Test(decimal_parse, uint_takes_digits_only) {
  uint64_t        v;
  const padded_t *p = pad("18446744073709551614");
  cr_assert_eq(md_uint_parse(p->bytes, p->len, &v), MD_OK);
  cr_assert_eq(v, UINT64_MAX - 1);
  p = pad("18446744073709551615");
  cr_assert_eq(md_uint_parse(p->bytes, p->len, &v), MD_ERR_OVERFLOW);
  p = pad("-1");
  cr_assert_eq(md_uint_parse(p->bytes, p->len, &v), MD_ERR_SYNTAX);
  p = pad("");
  cr_assert_eq(md_uint_parse(p->bytes, p->len, &v), MD_ERR_SYNTAX);
  p = pad("000012");
  cr_assert_eq(md_uint_parse(p->bytes, p->len, &v), MD_OK);
  cr_assert_eq(v, 12);
}

/* ---- the slow reference: a number as its digits, without zeros in front, and a power of ten ----
 */

typedef struct slow {
  bool negative;
  char digits[256];
  int  exponent;
} slow_t;

static void
slow_read(const char *text, slow_t *out) {
  int  cnt = 0, behind = 0, point = 0;
  char c;
  memset(out, 0, sizeof *out);
  out->negative = *text == '-';
  for (text += out->negative; (c = *text) != 0 && c != 'e'; text++) {
    if (c == '.') {
      point = 1;
      continue;
    }
    behind += point;
    if (cnt > 0 || c != '0') out->digits[cnt++] = c;
  }
  out->exponent = -behind;
  if (c == 'e') {
    int e = 0;
    sscanf(text + 1, "%d", &e);
    out->exponent += e;
  }
  if (cnt == 0) out->negative = false;
}

/* The mantissa at exponent exp as text, or the error. */
static md_err_t
slow_at(const slow_t *s, int exp, char *out) {
  char digits[512];
  snprintf(digits, sizeof digits, "%s", s->digits);
  int cnt = (int)strlen(digits);
  for (int e = s->exponent; e > exp && cnt > 0; e--) {
    digits[cnt++] = '0';
    digits[cnt]   = 0;
  }
  for (int e = s->exponent; e < exp && cnt > 0; e++) {
    if (digits[cnt - 1] != '0') return MD_ERR_RANGE;
    digits[--cnt] = 0;
  }
  if (cnt > 19 || (cnt == 19 && strcmp(digits, "9223372036854775807") > 0)) return MD_ERR_OVERFLOW;
  snprintf(out, 32, "%s%s", s->negative ? "-" : "", cnt ? digits : "0");
  return MD_OK;
}

static uint64_t
next_random(uint64_t *state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z          = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z          = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static unsigned
put_digits(uint64_t *seed, char *out, unsigned cnt, bool mostly_zero) {
  for (unsigned i = 0; i < cnt; i++)
    out[i] = mostly_zero && next_random(seed) % 4 ? '0' : (char)('0' + next_random(seed) % 10);
  return cnt;
}

static void
make_text(uint64_t *seed, char *out) {
  uint64_t r = next_random(seed);
  unsigned n = 0;
  if (r % 8 == 0) out[n++] = '-';
  n += put_digits(seed, out + n, 1 + (unsigned)(r >> 8) % (r % 5 ? 6 : 18), r % 3 == 0);
  if (r >> 20 & 7) {
    out[n++] = '.';
    n += put_digits(seed, out + n, 1 + (unsigned)(r >> 24) % (r % 7 ? 8 : 14), r >> 40 & 1);
  }
  if ((r >> 48) % 16 == 0) n += (unsigned)snprintf(out + n, 8, "e%d", (int)(r >> 52) % 17 - 8);
  out[n] = 0;
}

Test(decimal_parse, a_million_random_numbers_equal_the_slow_reference) {
  uint64_t seed       = 20240809;
  unsigned outcome[3] = {0, 0, 0};
  for (unsigned i = 0; i < RANDOM_CNT; i++) {
    char    text[96], want[64], got[64];
    slow_t  slow;
    int64_t m = 0;
    make_text(&seed, text);
    slow_read(text, &slow);
    int             exp      = -(int)(next_random(&seed) % 14) + 2;
    const padded_t *p        = pad(text);
    md_err_t        want_err = slow_at(&slow, exp, want);
    md_err_t        err      = md_decimal_to_exp(p->bytes, p->len, exp, &m);
    cr_assert_eq(err, want_err, "%s at %d: %s, want %s", text, exp, md_err_name(err),
                 md_err_name(want_err));
    outcome[err == MD_OK ? 0 : err == MD_ERR_RANGE ? 1 : 2]++;
    if (err == MD_OK) {
      snprintf(got, sizeof got, "%lld", (long long)m);
      cr_assert_str_eq(got, want, "%s at %d", text, exp);
    }
    md_number_t n;
    cr_assert_eq(md_decimal_parse(p->bytes, p->len, &n), MD_OK, "%s", text);
    cr_assert(n.exponent == 0 || n.mantissa % 10 != 0, "%s is not normalised", text);
    if (n.mantissa >= INT64_MIN && n.mantissa <= INT64_MAX &&
        slow_at(&slow, n.exponent, want) == MD_OK) {
      snprintf(got, sizeof got, "%lld", (long long)n.mantissa);
      cr_assert_str_eq(got, want, "%s", text);
    }
  }
  cr_assert(outcome[0] > RANDOM_CNT / 4 && outcome[1] > 1000 && outcome[2] > 1000);
}
