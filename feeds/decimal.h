/* decimal.h - decimal text of an exchange to exact integers.
 *
 * Accepts what exchanges write, bare or inside a JSON string: [-]digits[.digits][e[+-]digits],
 * leading zeros included. The result is exact or an error: nothing is rounded and nothing is a
 * double. Called by the venues' decoders on feed threads; no state, no allocation, safe from any
 * thread. Types, rescaling and printing are shm/decimal.h.
 *
 * Errors: MD_ERR_SYNTAX for what is not such a number (empty, "NaN", ".5", "1."), MD_ERR_OVERFLOW
 * for one that does not fit, MD_ERR_RANGE for digits finer than the exponent asked for. *out is
 * unchanged then. */
#ifndef FEEDS_DECIMAL_H
#define FEEDS_DECIMAL_H

#include "shm/decimal.h"

/* value = mantissa * 10^exponent, normalised: the exponent is in [-127, 0], and the mantissa ends
 * in a zero only when the exponent is 0. "61837.63000000" is (6183763, -2), "1000" and "1e3" are
 * (1000, 0), every zero is (0, 0). */
typedef struct md_number {
  md_i128 mantissa;
  int     exponent;
} md_number_t;

/* md_decimal_parse reads a number of any size up to 127 bits. Reads nothing behind p + len. */
MD_MUST_USE md_err_t md_decimal_parse(const uint8_t *p, size_t len, md_number_t *out);

/* md_decimal_to_exp gives the mantissa at exponent exp, any in [-127, 127]; never MD_NULL_I64.
 * MD_ERR_RANGE: the text has digits finer than exp, and md_decimal_min_exp says which exponent
 * holds it. May read up to MD_FRAME_PAD_BYTES behind p + len, but never uses what it read there. */
MD_MUST_USE md_err_t md_decimal_to_exp(const uint8_t *p, size_t len, int exp, int64_t *mantissa);

/* md_decimal_to_dec128 packs the number with its normalised exponent. */
MD_MUST_USE md_err_t md_decimal_to_dec128(const uint8_t *p, size_t len, md_dec128_t *out);

/* md_uint_parse reads 1 to 20 digits and nothing else; UINT64_MAX, which means absent in a record,
 * is MD_ERR_OVERFLOW. Reads nothing behind p + len. */
MD_MUST_USE md_err_t md_uint_parse(const uint8_t *p, size_t len, uint64_t *out);

/* md_decimal_min_exp returns the normalised exponent of the text, in [-127, 0]: the largest
 * exponent not above 0 that holds it exactly. 0 for text that md_decimal_parse refuses. */
int md_decimal_min_exp(const uint8_t *p, size_t len);

#endif
