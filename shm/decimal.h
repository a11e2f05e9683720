/* decimal.h - exact decimal numbers: an int64 mantissa with an exponent, and a 128-bit decimal.
 *
 * A price or a quantity is an int64 mantissa whose exponent stands in the record header (px_exp,
 * qty_exp) or in the instrument. Rates, open interest, indices, greeks and turnovers are
 * md_dec128_t, which carries its own exponent. Nothing here rounds and nothing is a double. Parsing
 * text of an exchange is feeds/decimal.h; this file owns the types, scaling and printing. */
#ifndef SHM_DECIMAL_H
#define SHM_DECIMAL_H

#include "shm/err.h"
#include "shm/limits.h"

/* Absent values. A mantissa never takes this value: parsers refuse it. */
#define MD_NULL_I64 INT64_MIN
#define MD_NULL_U64 UINT64_MAX

/* A decimal of up to 36 digits: value = mantissa * 10^exponent. The low 120 bits of (hi, lo) are
 * the signed mantissa, the top 8 bits of hi the signed exponent. Absent: exponent -128. 16 bytes.
 */
typedef struct md_dec128 {
  uint64_t lo;
  uint64_t hi;
} md_dec128_t;

_Static_assert(sizeof(md_dec128_t) == 16, "md_dec128_t is 16 bytes in every record");

#define MD_DEC128_NULL_HI 0x8000000000000000u
#define MD_DEC128_NULL    ((md_dec128_t){0, MD_DEC128_NULL_HI})

__extension__ typedef __int128
    md_i128; /* in registers only; never in a record or in shared memory */

/* md_dec128_make packs mantissa * 10^exponent; MD_ERR_OVERFLOW when |mantissa| >= 2^119 or the
 * exponent is outside [-127, 127]. */
MD_MUST_USE md_err_t md_dec128_make(md_i128 mantissa, int exponent, md_dec128_t *out);

/* md_dec128_split unpacks; false when d is absent (then *mantissa is 0 and *exponent is 0). */
bool md_dec128_split(md_dec128_t d, md_i128 *mantissa, int *exponent);

/* md_dec128_from_i64 packs an int64 mantissa; absent (MD_NULL_I64) stays absent. exponent in
 * [-127, 127]. */
md_dec128_t md_dec128_from_i64(int64_t mantissa, int exponent);

/* md_pow10_u64 returns 10^n for n in [0, 19]. */
uint64_t md_pow10_u64(unsigned n);

/* md_rescale_i64 turns *mantissa from exponent `from` to `to` without rounding. MD_ERR_OVERFLOW
 * when the result does not fit or digits would be lost; *mantissa is then unchanged. MD_NULL_I64
 * stays. */
MD_MUST_USE md_err_t md_rescale_i64(int64_t *mantissa, int from, int to);

/* md_decimal_format writes mantissa * 10^exponent in plain notation: no exponent, no trailing
 * zeros, no trailing point, "-" for negatives, "0" for zero ("61837.63", "0.00028"). Returns the
 * length without NUL. out has at least MD_DECIMAL_BYTES for an int64 with an exponent in
 * [MD_EXP_MIN, MD_EXP_MAX]; 192 bytes hold any md_dec128_t. The caller checks for absent values
 * first. */
unsigned md_decimal_format(md_i128 mantissa, int exponent, char *out, size_t out_bytes);

#endif
