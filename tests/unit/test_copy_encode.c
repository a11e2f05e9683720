/* The COPY encoder: numeric against bytes that numeric_send() of PostgreSQL 15 gives, and rows of
 * every record type against a reader that is written after PostgreSQL's documentation alone. */
#include <criterion/criterion.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "writers/copy_encode.h"

#define TEST_EPOCH_US INT64_C(946684800000000)

static void
hex_of(const uint8_t *bytes, uint32_t len, char *out) {
  for (uint32_t i = 0; i < len; i++)
    snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static void
expect_numeric(md_i128 mantissa, int exponent, const char *expected) {
  uint8_t  bytes[MD_COPY_NUMERIC_BYTES];
  char     hex[2 * MD_COPY_NUMERIC_BYTES + 1];
  uint32_t len = md_copy_numeric(mantissa, exponent, bytes);
  hex_of(bytes, len, hex);
  cr_assert_str_eq(hex, expected, "exponent %d: %s, expected %s", exponent, hex, expected);
}

static const md_i128 largest = ((md_i128)1 << 119) - 1;

Test(copy_numeric, equals_the_bytes_of_the_server) {
  expect_numeric(0, 0, "0000000000000000");
  expect_numeric(0, -8, "0000000000000008");
  expect_numeric(1, 0, "00010000000000000001");
  expect_numeric(-1, 0, "00010000400000000001");
  expect_numeric(10000, 0, "00010001000000000001");
  expect_numeric(9999, 0, "0001000000000000270f");
  expect_numeric(6183763, -2, "00030001000000020006072d189c");
  expect_numeric(28, -5, "0002ffff0000000500021f40");
  expect_numeric(1, -4, "0001ffff000000040001");
  expect_numeric(10000, -8, "0001ffff000000080001");
  expect_numeric(1, 8, "00010002000000000001");
  expect_numeric(5, -1, "0001ffff000000011388");
  expect_numeric(10025000000, -8, "0002000000000008006409c4");
}

Test(copy_numeric, holds_the_ends_of_every_range) {
  expect_numeric(-INT64_MAX, -8, "0005000240000008039a0d2c0170156516af");
  expect_numeric(INT64_MAX, -24, "0005fffe00000018039a0d2c0170156516af");
  expect_numeric(INT64_MAX, 8, "0005000600000000039a0d2c0170156516af");
  expect_numeric(-INT64_MAX, 0, "0005000440000000039a0d2c0170156516af");
  expect_numeric(1, MD_EXP_MIN, "0001fffa000000180001");
  expect_numeric(largest, 0, "000900080000000019f605771ed411e30e3d076f14b50fb108ef");
  expect_numeric(-largest, -127, "000affe94000007f0006193d0f9d22dc16a11933234b0bc600ac0b36");
  expect_numeric(largest, 127, "000a002800000000029817fb263d0999249414460dca05791c3c1b58");
}

static uint16_t
get16(const uint8_t *p) {
  return (uint16_t)(p[0] << 8 | p[1]);
}

/* Digits of a binary numeric without leading zeros, and the power of ten of the last one. */
static int
read_numeric(const uint8_t *p, bool *negative, char *digits) {
  unsigned cnt    = get16(p);
  int      weight = (int16_t)get16(p + 2);
  *negative       = get16(p + 4) == 0x4000;
  cr_assert(*negative || get16(p + 4) == 0, "never NaN or infinity");
  char *end = digits;
  for (unsigned i = 0; i < cnt; i++) {
    cr_assert_lt(get16(p + 8 + 2 * i), 10000);
    end += snprintf(end, 5, "%04u", get16(p + 8 + 2 * i));
  }
  *end = 0;
  while (digits[0] == '0')
    memmove(digits, digits + 1, strlen(digits));
  return 4 * (weight - (int)cnt + 1);
}

Test(copy_numeric, random_values_read_back_digit_for_digit) {
  uint64_t state = 0x9e3779b97f4a7c15u;
  for (int round = 0; round < 300000; round++) {
    uint8_t bytes[MD_COPY_NUMERIC_BYTES];
    char    got[64], want[64];
    bool    negative;
    for (int i = 0; i < 3; i++)
      state = state * 6364136223846793005u + 1442695040888963407u;
    md_i128 v = (md_i128)(state >> 1) * (round & 1 ? (int64_t)(state >> 9) : 1);
    v >>= state % 117;
    if (v > largest) v = largest;
    int exponent = (int)(state >> 20) % 128 * (round & 2 ? -1 : 1);
    md_copy_numeric(round & 4 ? -v : v, exponent, bytes);
    int  power = read_numeric(bytes, &negative, got);
    int  n     = 0;
    char reversed[64];
    for (md_i128 rest = v; rest > 0; rest /= 10)
      reversed[n++] = (char)('0' + (int)(rest % 10));
    for (int i = 0; i < n; i++)
      want[i] = reversed[n - 1 - i];
    want[n] = 0;
    /* Both may end in zeros: compare without them, the powers moved accordingly. */
    int want_power = exponent;
    for (; n > 0 && want[n - 1] == '0'; want_power++)
      want[--n] = 0;
    for (n = (int)strlen(got); n > 0 && got[n - 1] == '0'; power++)
      got[--n] = 0;
    cr_assert_str_eq(got, want, "round %d", round);
    cr_assert(v == 0 || power == want_power, "round %d: %d, %d", round, power, want_power);
    cr_assert_eq(negative, v != 0 && (round & 4) != 0);
    cr_assert_eq(get16(bytes + 6), exponent < 0 ? -exponent : 0);
  }
}

/* ---- rows ---- */

typedef struct row {
  uint8_t        bytes[MD_COPY_ROW_BYTES_MAX];
  uint32_t       len;
  uint16_t       cnt;
  const uint8_t *at[64]; /* value of each column, NULL for NULL */
  uint32_t       bytes_of[64];
} row_t;

static void
read_row(row_t *r) {
  const uint8_t *p = r->bytes + 2, *end = r->bytes + r->len;
  r->cnt = get16(r->bytes);
  for (uint16_t i = 0; i < r->cnt; i++) {
    cr_assert_leq(p + 4, end);
    uint32_t len   = (uint32_t)get16(p) << 16 | get16(p + 2);
    r->at[i]       = len == UINT32_MAX ? NULL : p + 4;
    r->bytes_of[i] = len == UINT32_MAX ? 0 : len;
    p += 4 + r->bytes_of[i];
  }
  cr_assert_eq(p, end, "nothing behind the last column");
}

static int64_t
int_at(const row_t *r, unsigned column) {
  const uint8_t *p = r->at[column];
  cr_assert(p, "column %u is NULL", column);
  uint64_t v = 0;
  for (uint32_t i = 0; i < r->bytes_of[column]; i++)
    v = v << 8 | p[i];
  return r->bytes_of[column] == 8 ? (int64_t)v : r->bytes_of[column] == 4 ? (int32_t)v : (int16_t)v;
}

typedef struct full_record {
  md_record_t header;
  uint8_t     body[1024];
} full_record_t;

static void
make_record(full_record_t *rec, unsigned type) {
  const md_record_info_t *info = md_record_info(type);
  memset(rec, 0, sizeof *rec);
  rec->header = (md_record_t){.len        = (uint16_t)(sizeof rec->header + info->body_bytes),
                              .type       = (uint8_t)type,
                              .flags      = MD_FLAG_LAST,
                              .stream     = 3,
                              .instrument = 77,
                              .epoch      = 5,
                              .px_exp     = -2,
                              .qty_exp    = -8,
                              .seq        = 123456789012,
                              .exch_seq   = 99,
                              .ts_exch_ns = 1714566896789000000,
                              .ts_recv_ns = 1714566896789012345,
                              .ts_pub_ns  = 1714566896789013000};
}

static md_err_t
encode(const full_record_t *rec, row_t *r, const char **column) {
  return md_copy_row(&rec->header, md_record_info(rec->header.type), 9, r->bytes, &r->len, column);
}

static void
encode_ok(const full_record_t *rec, row_t *r) {
  const char *column;
  cr_assert_eq(encode(rec, r, &column), MD_OK, "%s", column);
  read_row(r);
}

static unsigned
column_of(unsigned type, const char *name) {
  const md_record_info_t *info   = md_record_info(type);
  unsigned                column = MD_COPY_FIXED_CNT;
  for (uint32_t i = 0; i < info->field_cnt; i++) {
    if (info->fields[i].kind == MD_FIELD_PAD) continue;
    if (!strcmp(info->fields[i].name, name)) return column;
    column++;
  }
  cr_assert(false, "no column %s", name);
  return 0;
}

Test(copy_row, fixed_columns_carry_the_header) {
  full_record_t rec;
  row_t         r;
  make_record(&rec, MD_RECORD_TRADE);
  encode_ok(&rec, &r);
  cr_assert_eq(int_at(&r, 0), 0x0002ba627b9bc614,
               "the server's bytes of 2024-05-01 12:34:56.789012+00");
  cr_assert_eq(int_at(&r, 1), 9);
  cr_assert_eq(int_at(&r, 2), 3);
  cr_assert_eq(int_at(&r, 3), 5);
  cr_assert_eq(int_at(&r, 4), 123456789012);
  cr_assert_eq(int_at(&r, 5), 77);
  cr_assert_eq(int_at(&r, 6), 99);
  cr_assert_eq(int_at(&r, 7), 1714566896789000000);
  cr_assert_eq(int_at(&r, 8), 1714566896789012345);
  cr_assert_eq(int_at(&r, 9), 1714566896789013000);
  cr_assert_eq(int_at(&r, 10), MD_FLAG_LAST);
}

Test(copy_row, defect_10_absent_header_values_are_null) {
  full_record_t rec;
  row_t         r;
  make_record(&rec, MD_RECORD_TRADE);
  rec.header.instrument = 0;
  rec.header.exch_seq   = 0;
  rec.header.ts_exch_ns = MD_NULL_I64;
  encode_ok(&rec, &r);
  cr_assert_null(r.at[5]);
  cr_assert_null(r.at[6]);
  cr_assert_null(r.at[7]);
}

Test(copy_row, receive_time_before_1970_is_rounded_down) {
  full_record_t rec;
  row_t         r;
  make_record(&rec, MD_RECORD_TRADE);
  rec.header.ts_recv_ns = -1;
  encode_ok(&rec, &r);
  cr_assert_eq(int_at(&r, 0), -1 - TEST_EPOCH_US);
}

Test(copy_row, defect_10_trade_is_exact) {
  full_record_t rec;
  row_t         r;
  char          hex[128];
  make_record(&rec, MD_RECORD_TRADE);
  md_trade_t trade = {.px          = 6183763,
                      .qty         = 28000,
                      .trade_id    = 42,
                      .ts_match_ns = 5,
                      .side        = MD_SIDE_SELL,
                      .origin      = MD_ORIGIN_ADL};
  memcpy(rec.body, &trade, sizeof trade);
  encode_ok(&rec, &r);
  cr_assert_eq(r.cnt, MD_COPY_FIXED_CNT + 9);
  hex_of(r.at[11], r.bytes_of[11], hex);
  cr_assert_str_eq(hex, "00030001000000020006072d189c");
  hex_of(r.at[12], r.bytes_of[12], hex);
  cr_assert_str_eq(hex, "0002ffff0000000800021f40");
  cr_assert_eq(int_at(&r, 13), 42);
  cr_assert_eq(int_at(&r, 14), 5);
  cr_assert_eq(r.bytes_of[15], 1);
  cr_assert_eq(r.at[15][0], 'S');
  cr_assert_eq(int_at(&r, 16), MD_ORIGIN_ADL);
}

Test(copy_row, absent_body_values_are_null_in_every_type) {
  for (unsigned type = 1; type < MD_RECORD_TYPE_END; type++) {
    const md_record_info_t *info = md_record_info(type);
    full_record_t           rec;
    row_t                   r;
    if (!info || info->table[0] == 0) continue;
    make_record(&rec, type);
    for (uint32_t i = 0; i < info->field_cnt; i++) {
      const md_field_t *f    = &info->fields[i];
      int64_t           i64  = MD_NULL_I64;
      uint64_t          u64  = MD_NULL_U64;
      md_dec128_t       d128 = MD_DEC128_NULL;
      if (f->kind == MD_FIELD_PX || f->kind == MD_FIELD_QTY || f->kind == MD_FIELD_TS)
        memcpy(rec.body + f->off, &i64, sizeof i64);
      if (f->kind == MD_FIELD_U64) memcpy(rec.body + f->off, &u64, sizeof u64);
      if (f->kind == MD_FIELD_D128) memcpy(rec.body + f->off, &d128, sizeof d128);
      if (f->kind == MD_FIELD_LAG) memset(rec.body + f->off, 0, f->bytes);
    }
    encode_ok(&rec, &r);
    for (uint32_t i = 0; i < info->field_cnt; i++) {
      const md_field_t *f = &info->fields[i];
      if (f->kind == MD_FIELD_PAD) continue;
      bool is_plain = f->kind == MD_FIELD_U8 || f->kind == MD_FIELD_U16 ||
                      f->kind == MD_FIELD_U32 || f->kind == MD_FIELD_BOOL;
      cr_assert_eq(r.at[column_of(type, f->name)] == NULL, !is_plain, "%s.%s", info->name, f->name);
    }
  }
}

Test(copy_row, widest_values_fit_the_bound_in_every_type) {
  md_dec128_t wide;
  cr_assert_eq(md_dec128_make(-largest, -127, &wide), MD_OK);
  for (unsigned type = 1; type < MD_RECORD_TYPE_END; type++) {
    const md_record_info_t *info = md_record_info(type);
    full_record_t           rec;
    row_t                   r;
    if (!info || info->table[0] == 0) continue;
    make_record(&rec, type);
    rec.header.px_exp  = -127;
    rec.header.qty_exp = 127;
    for (uint32_t i = 0; i < info->field_cnt; i++) {
      const md_field_t *f   = &info->fields[i];
      int64_t           i64 = INT64_MAX;
      if (f->bytes == 8) memcpy(rec.body + f->off, &i64, sizeof i64);
      if (f->kind == MD_FIELD_D128) memcpy(rec.body + f->off, &wide, sizeof wide);
      if (f->kind == MD_FIELD_U32) memset(rec.body + f->off, 0xff, 4);
      if (f->kind == MD_FIELD_SYM || f->kind == MD_FIELD_ASSET)
        memset(rec.body + f->off, 'X', f->bytes - 1);
    }
    encode_ok(&rec, &r);
    cr_assert_leq(r.len, MD_COPY_ROW_BYTES_MAX);
  }
}

Test(copy_row, text_must_be_utf8) {
  static const char *const good[] = {"BTC-USDT", "\xc3\xa9", "\xe5\xb8\x81", "\xf0\x9f\x9a\x80",
                                     "\xed\x9f\xbf"};
  static const char *const bad[]  = {"\x80",         "\xc0\xaf",         "\xe5\xb8",
                                     "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xf0\x80\x80\x80",
                                     "A\xff",        "\xe0\x80\x80"};
  full_record_t            rec;
  row_t                    r;
  const char              *column;
  unsigned                 symbol = column_of(MD_RECORD_DEFINITION, "symbol");
  for (unsigned i = 0; i < MD_CNT(good); i++) {
    make_record(&rec, MD_RECORD_DEFINITION);
    memcpy(rec.body, good[i], strlen(good[i]));
    encode_ok(&rec, &r);
    cr_assert_eq(r.bytes_of[symbol], strlen(good[i]));
    cr_assert_eq(memcmp(r.at[symbol], good[i], strlen(good[i])), 0);
  }
  for (unsigned i = 0; i < MD_CNT(bad); i++) {
    make_record(&rec, MD_RECORD_DEFINITION);
    memcpy(rec.body, bad[i], strlen(bad[i]));
    cr_assert_eq(encode(&rec, &r, &column), MD_ERR_CORRUPT, "text %u", i);
    cr_assert_str_eq(column, "symbol");
  }
}

Test(copy_row, defect_10_values_that_no_column_holds_are_refused_by_name) {
  full_record_t rec;
  row_t         r;
  const char   *column;
  make_record(&rec, MD_RECORD_TRADE);
  rec.header.exch_seq = (uint64_t)INT64_MAX + 1;
  cr_assert_eq(encode(&rec, &r, &column), MD_ERR_RANGE);
  cr_assert_str_eq(column, "exch_seq");
  make_record(&rec, MD_RECORD_TRADE);
  md_trade_t trade = {.trade_id = (uint64_t)INT64_MAX + 1};
  memcpy(rec.body, &trade, sizeof trade);
  cr_assert_eq(encode(&rec, &r, &column), MD_ERR_RANGE);
  cr_assert_str_eq(column, "trade_id");
  make_record(&rec, MD_RECORD_TRADE);
  rec.header.len = sizeof(md_record_t);
  cr_assert_eq(encode(&rec, &r, &column), MD_ERR_CORRUPT);
}

/* numeric[] as array_send() writes it: dimensions, has no NULL, element type, size, first index 1.
 */
Test(copy_row, levels_are_arrays_of_the_right_side) {
  static const uint8_t head[] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 6, 0xa4, 0, 0, 0, 2, 0, 0, 0, 1};
  full_record_t        rec;
  row_t                r;
  char                 hex[64];
  const md_level_t     levels[] = {{6183763, 28000}, {6183762, 0}, {6183764, 100000000}};
  make_record(&rec, MD_RECORD_BOOK_DELTA);
  md_book_delta_t *body = (void *)rec.body;
  body->bid_cnt         = 2;
  body->ask_cnt         = 1;
  memcpy(rec.body + sizeof *body, levels, sizeof levels);
  rec.header.len = (uint16_t)(rec.header.len + sizeof levels);
  encode_ok(&rec, &r);
  unsigned first = MD_COPY_FIXED_CNT + 7;
  cr_assert_eq(r.cnt, first + MD_COPY_SIDES_CNT);
  cr_assert_eq(memcmp(r.at[first], head, sizeof head), 0);
  hex_of(r.at[first] + 24, 14, hex);
  cr_assert_str_eq(hex, "00030001000000020006072d189c");
  hex_of(r.at[first + 1] + 24, 12, hex);
  cr_assert_str_eq(hex, "0002ffff0000000800021f40", "28000e-8 = 0.00028");
  cr_assert_eq(r.at[first + 2][15], 1, "one ask");
}

Test(copy_row, a_side_without_levels_is_an_empty_array) {
  full_record_t rec;
  row_t         r;
  make_record(&rec, MD_RECORD_LADDER);
  encode_ok(&rec, &r);
  for (unsigned i = r.cnt - MD_COPY_SIDES_CNT; i < r.cnt; i++) {
    cr_assert_eq(r.bytes_of[i], 12);
    cr_assert_eq(memcmp(r.at[i], "\0\0\0\0\0\0\0\0\0\0\006\xa4", 12), 0);
  }
}

/* The widest record: every number takes as many bytes as a mantissa can. */
Test(copy_row, the_largest_record_stays_below_its_bound_and_a_chunk) {
  const uint32_t cnt =
      (MD_RECORD_BYTES_MAX - MD_RECORD_HEADER_BYTES - sizeof(md_book_delta_t)) / sizeof(md_level_t);
  static uint8_t memory[MD_RECORD_BYTES_MAX] __attribute__((aligned(8)));
  md_record_t   *rec = (void *)memory;
  full_record_t  plain;
  const char    *column;
  uint32_t       len;
  make_record(&plain, MD_RECORD_BOOK_DELTA);
  *rec         = plain.header;
  rec->px_exp  = -3;
  rec->qty_exp = -1;
  rec->len     = (uint16_t)(sizeof *rec + sizeof(md_book_delta_t) + cnt * sizeof(md_level_t));
  md_book_delta_t *body = md_record_body(rec);
  body->bid_cnt         = (uint16_t)cnt;
  md_level_t *level     = (void *)(body + 1);
  for (uint32_t i = 0; i < cnt; i++)
    level[i] = (md_level_t){-INT64_MAX, INT64_MAX};
  const md_record_info_t *info  = md_record_info(MD_RECORD_BOOK_DELTA);
  uint32_t                bound = md_copy_row_bound(rec, info);
  uint8_t                *out   = malloc(bound); /* a sanitizer sees one byte more */
  cr_assert_eq(md_copy_row(rec, info, 9, out, &len, &column), MD_OK);
  cr_assert_leq(len, bound);
  cr_assert_leq(bound, (128u << 10) - MD_COPY_HEADER_BYTES - MD_COPY_TRAILER_BYTES);
  body->ask_cnt = 1; /* more levels than the record has */
  cr_assert_eq(md_copy_row(rec, info, 9, out, &len, &column), MD_ERR_CORRUPT);
  free(out);
}

Test(copy_row, header_and_trailer_are_the_documented_bytes) {
  uint8_t header[MD_COPY_HEADER_BYTES], trailer[MD_COPY_TRAILER_BYTES];
  md_copy_header(header);
  md_copy_trailer(trailer);
  cr_assert_eq(memcmp(header, "PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", sizeof header), 0);
  cr_assert_eq(memcmp(trailer, "\xff\xff", sizeof trailer), 0);
}

Test(copy_row, no_field_has_the_name_of_a_fixed_column) {
  for (unsigned type = 1; type < MD_RECORD_TYPE_END; type++) {
    const md_record_info_t *info = md_record_info(type);
    if (!info || info->table[0] == 0) continue;
    for (uint32_t i = 0; i < info->field_cnt; i++)
      for (uint32_t k = 0; k < MD_COPY_FIXED_CNT; k++)
        cr_assert_str_neq(info->fields[i].name, md_copy_fixed[k].name, "%s", info->name);
  }
}
