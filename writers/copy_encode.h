/* copy_encode.h - records as rows of PostgreSQL's COPY ... (FORMAT binary).
 *
 * A row is the fixed columns of md_copy_column, then one column for each field of the record's body
 * as md_record_info gives them (PAD left out). Prices, quantities and 128-bit decimals become
 * numeric, digit for digit; absent values become NULL; nothing is rounded. The writer thread of the
 * PostgreSQL sink calls it for each record. It allocates nothing, knows no connection, and trusts
 * no value: what a column cannot hold is an error of that record, found here and not by the server.
 */
#ifndef WRITERS_COPY_ENCODE_H
#define WRITERS_COPY_ENCODE_H

#include "shm/record.h"

#define MD_COPY_HEADER_BYTES  19u   /* signature, flags, length of the extension */
#define MD_COPY_TRAILER_BYTES 2u    /* field count -1 */
#define MD_COPY_NUMERIC_BYTES 40u   /* any md_dec128_t, without its length word */
#define MD_COPY_ROW_BYTES_MAX 2048u /* any row without levels */
#define MD_COPY_SIDES_CNT     4u    /* columns that a type with levels has behind its body */

/* The SQL types in use. */
typedef enum md_copy_type {
  MD_COPY_TIMESTAMPTZ,
  MD_COPY_INT2,
  MD_COPY_INT4,
  MD_COPY_INT8,
  MD_COPY_BOOL,
  MD_COPY_CHAR,
  MD_COPY_TEXT,
  MD_COPY_NUMERIC,
  MD_COPY_UUID,
  MD_COPY_BYTEA,
  MD_COPY_NUMERIC_ARRAY,
  MD_COPY_TYPE_CNT
} md_copy_type_t;

/* A column that every record table has in front of its body. */
typedef struct md_copy_column {
  const char    *name;
  const char    *doc;
  md_copy_type_t type;
  bool           is_null; /* may be NULL */
} md_copy_column_t;

#define MD_COPY_FIXED_CNT 11u
extern const md_copy_column_t md_copy_fixed[MD_COPY_FIXED_CNT];
/* What stands behind the body of a type with levels: prices and quantities of each side, in order.
 */
extern const md_copy_column_t md_copy_sides[MD_COPY_SIDES_CNT];

/* md_copy_type_name returns the name that format_type() of PostgreSQL prints: "bigint". */
const char *md_copy_type_name(md_copy_type_t type);

/* md_copy_type_of returns the column type of a body field; false for PAD, which has none. */
bool md_copy_type_of(md_field_kind_t kind, md_copy_type_t *type);

/* md_copy_has_levels says whether rows of a type end in md_copy_sides. */
bool md_copy_has_levels(unsigned type);

/* md_copy_levels returns the levels behind the body of rec, bids first, NULL for a type without. */
const md_level_t *md_copy_levels(const md_record_t *rec, const md_record_info_t *info,
                                 uint32_t *bid_cnt, uint32_t *ask_cnt);

/* md_copy_row_bound returns the most bytes that the row of rec can take. */
uint32_t md_copy_row_bound(const md_record_t *rec, const md_record_info_t *info);

/* md_copy_header and md_copy_trailer write what stands before and behind all rows. */
void md_copy_header(uint8_t out[MD_COPY_HEADER_BYTES]);
void md_copy_trailer(uint8_t out[MD_COPY_TRAILER_BYTES]);

/* md_copy_numeric writes mantissa * 10^exponent in the binary form of numeric, without a length
 * word, with max(0, -exponent) digits behind the point. |mantissa| <= 2^119, exponent in [-128,
 * 127]. out has MD_COPY_NUMERIC_BYTES. Returns the length. */
uint32_t md_copy_numeric(md_i128 mantissa, int exponent, uint8_t *out);

/* md_copy_row encodes rec, of type info, into out of at least md_copy_row_bound bytes; *len
 * gets the length. MD_ERR_RANGE: a number that its column cannot hold; MD_ERR_CORRUPT: text that is
 * not UTF-8 or a record shorter than its body; *column is then the name of the column. */
MD_MUST_USE md_err_t md_copy_row(const md_record_t *rec, const md_record_info_t *info,
                                 int32_t journal, uint8_t *out, uint32_t *len, const char **column);

#endif
