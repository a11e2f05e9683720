#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "shm/decimal.h"

static void
expect_text(md_i128 mantissa, int exponent, const char *want) {
  char     out[192];
  unsigned len = md_decimal_format(mantissa, exponent, out, sizeof out);
  cr_assert_str_eq(out, want);
  cr_assert_eq(len, strlen(want));
}

Test(decimal, format_writes_plain_notation_without_trailing_zeros) {
  expect_text(0, -8, "0");
  expect_text(0, 5, "0");
  expect_text(6183763, -2, "61837.63");
  expect_text(28, -5, "0.00028");
  expect_text(-28, -5, "-0.00028");
  expect_text(100, -2, "1");
  expect_text(1200, -3, "1.2");
  expect_text(-5, -1, "-0.5");
  expect_text(12, 3, "12000");
  expect_text(123, 0, "123");
  expect_text(10, -1, "1");
  expect_text(1, -24, "0.000000000000000000000001");
}

Test(decimal, format_holds_the_extremes_in_the_promised_bytes) {
  char     out[MD_DECIMAL_BYTES];
  unsigned len = md_decimal_format(INT64_MIN + 1, MD_EXP_MIN, out, sizeof out);
  cr_assert_str_eq(out, "-0.000009223372036854775807");
  cr_assert_lt(len, sizeof out);
  (void)md_decimal_format(INT64_MIN + 1, MD_EXP_MAX, out, sizeof out);
  cr_assert_str_eq(out, "-922337203685477580700000000");

  char    wide[192];
  md_i128 limit = ((md_i128)1 << 119) - 1;
  len           = md_decimal_format(-limit, -127, wide, sizeof wide);
  cr_assert_eq(len, 3 + 127);
  len = md_decimal_format(-limit, 127, wide, sizeof wide);
  cr_assert_eq(len, 1 + 36 + 127);
  cr_assert_eq(memcmp(wide, "-664613997892457936451903530140172287", 37), 0);
}

Test(decimal, dec128_keeps_mantissa_and_exponent_at_their_limits) {
  const md_i128 limit = ((md_i128)1 << 119) - 1;
  const md_i128 all[] = {0, 1, -1, limit, -limit, (md_i128)INT64_MAX * 1000, -((md_i128)1 << 64)};
  for (size_t i = 0; i < MD_CNT(all); i++) {
    for (int exponent = -127; exponent <= 127; exponent += 127) {
      md_dec128_t d;
      md_i128     mantissa;
      int         back;
      cr_assert_eq(md_dec128_make(all[i], exponent, &d), MD_OK);
      cr_assert(md_dec128_split(d, &mantissa, &back));
      cr_assert(mantissa == all[i]);
      cr_assert_eq(back, exponent);
    }
  }
}

Test(decimal, dec128_refuses_what_does_not_fit) {
  md_dec128_t   d;
  const md_i128 limit = (md_i128)1 << 119;
  cr_assert_eq(md_dec128_make(limit, 0, &d), MD_ERR_OVERFLOW);
  cr_assert_eq(md_dec128_make(-limit, 0, &d), MD_ERR_OVERFLOW);
  cr_assert_eq(md_dec128_make(1, 128, &d), MD_ERR_OVERFLOW);
  cr_assert_eq(md_dec128_make(1, -128, &d), MD_ERR_OVERFLOW);
}

Test(decimal, absent_stays_absent) {
  md_i128     mantissa = 1;
  int         exponent = 1;
  md_dec128_t null     = MD_DEC128_NULL;
  cr_assert_not(md_dec128_split(null, &mantissa, &exponent));
  cr_assert(mantissa == 0 && exponent == 0);
  null = md_dec128_from_i64(MD_NULL_I64, -2);
  cr_assert_not(md_dec128_split(null, &mantissa, &exponent));
  int64_t value = MD_NULL_I64;
  cr_assert_eq(md_rescale_i64(&value, -2, -8), MD_OK);
  cr_assert_eq(value, MD_NULL_I64);
}

Test(decimal, rescale_never_rounds_and_leaves_what_it_refuses) {
  int64_t value = 12345;
  cr_assert_eq(md_rescale_i64(&value, -2, -8), MD_OK);
  cr_assert_eq(value, 12345000000);
  cr_assert_eq(md_rescale_i64(&value, -8, -2), MD_OK);
  cr_assert_eq(value, 12345);
  cr_assert_eq(md_rescale_i64(&value, -2, -1), MD_ERR_OVERFLOW, "a digit would be lost");
  cr_assert_eq(value, 12345);
  value = INT64_MAX / 10 + 1;
  cr_assert_eq(md_rescale_i64(&value, 0, -1), MD_ERR_OVERFLOW);
  cr_assert_eq(value, INT64_MAX / 10 + 1);
  value = 1;
  cr_assert_eq(md_rescale_i64(&value, 0, -19), MD_ERR_OVERFLOW);
  cr_assert_eq(md_rescale_i64(&value, 0, -18), MD_OK);
  cr_assert_eq(value, 1000000000000000000);
  value = 0;
  cr_assert_eq(md_rescale_i64(&value, 8, -24), MD_OK);
  cr_assert_eq(value, 0);
}

Test(decimal, rescale_agrees_with_wide_arithmetic) {
  uint64_t state = 42;
  for (int i = 0; i < 200000; i++) {
    state          = state * 6364136223846793005u + 1442695040888963407u;
    int64_t value  = (int64_t)(state >> (state & 63));
    int     shift  = (int)(state >> 33) % 19;
    int64_t scaled = value;
    md_i128 wide   = (md_i128)value * (md_i128)md_pow10_u64((unsigned)shift);
    bool    fits   = value == MD_NULL_I64 || (wide <= INT64_MAX && wide > INT64_MIN);
    cr_assert_eq(md_rescale_i64(&scaled, 0, -shift) == MD_OK, fits);
    if (fits && value != MD_NULL_I64) cr_assert(scaled == (int64_t)wide);
  }
}

Test(decimal, pow10_has_every_power_of_64_bits) {
  uint64_t want = 1;
  for (unsigned n = 0; n <= 19; n++) {
    cr_assert_eq(md_pow10_u64(n), want);
    want *= 10;
  }
}
