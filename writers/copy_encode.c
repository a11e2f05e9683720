#include "writers/copy_encode.h"

#include <endian.h>
#include <string.h>

__extension__ typedef unsigned __int128 u128_t;

/* PostgreSQL counts from 2000-01-01 UTC. */
#define PG_EPOCH_US INT64_C(946684800000000)
/* 128 bits are 39 digits: ten whole groups of four and one that the exponent cuts. */
#define GROUP_CNT_MAX 11u
/* A mantissa of 64 bits is 20 digits: at most 6 groups behind a length and a header. */
#define LEVEL_NUMBER_BYTES (4u + 8u + 2u * 6u)
#define NUMERIC_OID        1700u /* fixed in pg_type.dat */

const md_copy_column_t md_copy_fixed[MD_COPY_FIXED_CNT] = {
    {"recv_ts", "receive time in microseconds; the partition key", MD_COPY_TIMESTAMPTZ, false},
    {"journal", "id in table journals", MD_COPY_INT4, false},
    {"stream", "id in table streams", MD_COPY_INT2, false},
    {"epoch", "engine start that made it", MD_COPY_INT4, false},
    {"seq", "from 1 without holes in each (stream, epoch)", MD_COPY_INT8, false},
    {"instrument", "id in table instruments, NULL for none", MD_COPY_INT4, true},
    {"exch_seq", "sequence of the exchange, NULL for none", MD_COPY_INT8, true},
    {"ts_exch_ns", "event time of the exchange, NULL when it gives none", MD_COPY_INT8, true},
    {"ts_recv_ns", "our clock when the frame was received", MD_COPY_INT8, false},
    {"ts_pub_ns", "our clock when it was published", MD_COPY_INT8, false},
    {"flags", "MD_FLAG_* bits of the header", MD_COPY_INT2, false},
};

const md_copy_column_t md_copy_sides[MD_COPY_SIDES_CNT] = {
    {"bid_px", "prices of the bid levels in the record's order", MD_COPY_NUMERIC_ARRAY, false},
    {"bid_qty", "their quantities; in a delta 0 deletes the level", MD_COPY_NUMERIC_ARRAY, false},
    {"ask_px", "prices of the ask levels in the record's order", MD_COPY_NUMERIC_ARRAY, false},
    {"ask_qty", "their quantities; in a delta 0 deletes the level", MD_COPY_NUMERIC_ARRAY, false},
};

const char *
md_copy_type_name(md_copy_type_t type) {
  static const char *const names[MD_COPY_TYPE_CNT] = {
      [MD_COPY_TIMESTAMPTZ]   = "timestamp with time zone",
      [MD_COPY_INT2]          = "smallint",
      [MD_COPY_INT4]          = "integer",
      [MD_COPY_INT8]          = "bigint",
      [MD_COPY_BOOL]          = "boolean",
      [MD_COPY_CHAR]          = "\"char\"",
      [MD_COPY_TEXT]          = "text",
      [MD_COPY_NUMERIC]       = "numeric",
      [MD_COPY_UUID]          = "uuid",
      [MD_COPY_BYTEA]         = "bytea",
      [MD_COPY_NUMERIC_ARRAY] = "numeric[]",
  };
  md_assert((unsigned)type < MD_COPY_TYPE_CNT);
  return names[type];
}

bool
md_copy_type_of(md_field_kind_t kind, md_copy_type_t *type) {
  switch (kind) {
  case MD_FIELD_PX:
  case MD_FIELD_QTY:
  case MD_FIELD_D128:
    *type = MD_COPY_NUMERIC;
    return true;
  case MD_FIELD_TS:
  case MD_FIELD_U64:
  case MD_FIELD_U32:
  case MD_FIELD_LAG:
    *type = MD_COPY_INT8;
    return true;
  case MD_FIELD_U16:
    *type = MD_COPY_INT4;
    return true;
  case MD_FIELD_U8:
    *type = MD_COPY_INT2;
    return true;
  case MD_FIELD_BOOL:
    *type = MD_COPY_BOOL;
    return true;
  case MD_FIELD_SIDE:
    *type = MD_COPY_CHAR;
    return true;
  case MD_FIELD_SYM:
  case MD_FIELD_ASSET:
    *type = MD_COPY_TEXT;
    return true;
  case MD_FIELD_PAD:
    break;
  }
  return false;
}

static uint8_t *
put16(uint8_t *p, uint16_t v) {
  v = htobe16(v);
  memcpy(p, &v, sizeof v);
  return p + sizeof v;
}

static uint8_t *
put32(uint8_t *p, uint32_t v) {
  v = htobe32(v);
  memcpy(p, &v, sizeof v);
  return p + sizeof v;
}

static uint8_t *
put64(uint8_t *p, uint64_t v) {
  v = htobe64(v);
  memcpy(p, &v, sizeof v);
  return p + sizeof v;
}

static uint8_t *
put_null(uint8_t *p) {
  return put32(p, UINT32_MAX);
}

static uint8_t *
put_int2(uint8_t *p, uint16_t v) {
  return put16(put32(p, 2), v);
}

static uint8_t *
put_int4(uint8_t *p, uint32_t v) {
  return put32(put32(p, 4), v);
}

static uint8_t *
put_int8(uint8_t *p, uint64_t v) {
  return put64(put32(p, 8), v);
}

void
md_copy_header(uint8_t out[MD_COPY_HEADER_BYTES]) {
  memcpy(out, "PGCOPY\n\377\r\n\0", 11);
  put32(put32(out + 11, 0), 0);
}

void
md_copy_trailer(uint8_t out[MD_COPY_TRAILER_BYTES]) {
  put16(out, UINT16_MAX);
}

/* Splits v into groups of four digits, lowest first; returns how many. 64-bit divisions are several
 * times cheaper than 128-bit ones, so a wide value is first cut into parts of 16 digits. */
static uint32_t
split_groups(u128_t v, uint16_t *group, uint32_t cnt) {
  const uint64_t part_size = UINT64_C(10000000000000000);
  while (v > UINT64_MAX) {
    uint64_t part = (uint64_t)(v % part_size);
    v /= part_size;
    for (unsigned i = 0; i < 4; i++, part /= 10000)
      group[cnt++] = (uint16_t)(part % 10000);
  }
  for (uint64_t rest = (uint64_t)v; rest != 0; rest /= 10000)
    group[cnt++] = (uint16_t)(rest % 10000);
  return cnt;
}

/* What nearly every price and quantity is: a mantissa of 64 bits. As md_copy_numeric; the divisors
 * are constants, so nothing divides. */
static uint8_t *
put_numeric64(uint8_t *p, int64_t mantissa, int exponent) {
  uint64_t v   = mantissa < 0 ? 0 - (uint64_t)mantissa : (uint64_t)mantissa;
  uint32_t cnt = 0, low = 0, shift = (uint32_t)(exponent + 128) % 4;
  uint16_t group[8];
  if (shift == 1) {
    group[cnt++] = (uint16_t)(v % 1000 * 10);
    v /= 1000;
  } else if (shift == 2) {
    group[cnt++] = (uint16_t)(v % 100 * 100);
    v /= 100;
  } else if (shift == 3) {
    group[cnt++] = (uint16_t)(v % 10 * 1000);
    v /= 10;
  }
  for (; v > UINT32_MAX; v /= 10000)
    group[cnt++] = (uint16_t)(v % 10000);
  for (uint32_t rest = (uint32_t)v; rest != 0; rest /= 10000)
    group[cnt++] = (uint16_t)(rest % 10000);
  while (cnt > 0 && group[cnt - 1] == 0)
    cnt--;
  while (low < cnt && group[low] == 0)
    low++;
  int      weight = cnt == 0 ? 0 : (exponent - (int)shift) / 4 + (int)cnt - 1;
  uint64_t scale  = exponent < 0 ? (uint64_t)-exponent : 0;
  p               = put32(p, 8 + 2 * (cnt - low));
  p               = put64(p, (uint64_t)(cnt - low) << 48 | (uint64_t)(uint16_t)weight << 32 |
                                 (mantissa < 0 ? UINT64_C(0x40000000) : 0) | scale);
  for (uint32_t i = cnt; i > low; i--)
    p = put16(p, group[i - 1]);
  return p;
}

uint32_t
md_copy_numeric(md_i128 mantissa, int exponent, uint8_t *out) {
  static const uint16_t pow10[4] = {1, 10, 100, 1000};
  u128_t                v        = mantissa < 0 ? (u128_t)-mantissa : (u128_t)mantissa;
  md_assert(v <= (u128_t)1 << 119);
  md_assert(exponent >= -128 && exponent <= 127);

  /* Groups stand at powers of 10000: the lowest one takes only as many digits as reach the next. */
  uint16_t group[GROUP_CNT_MAX + 4];
  unsigned shift = (unsigned)(exponent + 128) % 4;
  uint32_t cnt   = 0;
  if (shift != 0) {
    uint16_t cut = pow10[4 - shift];
    group[cnt++] = (uint16_t)((uint16_t)(v % cut) * pow10[shift]);
    v /= cut;
  }
  cnt = split_groups(v, group, cnt);
  while (cnt > 0 && group[cnt - 1] == 0)
    cnt--;
  uint32_t low = 0;
  while (low < cnt && group[low] == 0)
    low++;
  md_assert(cnt <= GROUP_CNT_MAX);

  int      weight = cnt == 0 ? 0 : (exponent - (int)shift) / 4 + (int)cnt - 1;
  uint8_t *p      = put16(out, (uint16_t)(cnt - low));
  p               = put16(p, (uint16_t)(int16_t)weight);
  p               = put16(p, mantissa < 0 ? 0x4000 : 0);
  p               = put16(p, (uint16_t)(exponent < 0 ? -exponent : 0));
  for (uint32_t i = cnt; i > low; i--)
    p = put16(p, group[i - 1]);
  return (uint32_t)(p - out);
}

static uint8_t *
put_numeric(uint8_t *p, md_i128 mantissa, int exponent) {
  uint32_t bytes = md_copy_numeric(mantissa, exponent, p + 4);
  return put32(p, bytes) + bytes;
}

static uint8_t *
put_mantissa(uint8_t *p, const uint8_t *at, int exponent) {
  int64_t v;
  memcpy(&v, at, sizeof v);
  return v == MD_NULL_I64 ? put_null(p) : put_numeric64(p, v, exponent);
}

static uint8_t *
put_dec128(uint8_t *p, const uint8_t *at) {
  md_dec128_t d;
  md_i128     mantissa;
  int         exponent;
  memcpy(&d, at, sizeof d);
  return md_dec128_split(d, &mantissa, &exponent) ? put_numeric(p, mantissa, exponent)
                                                  : put_null(p);
}

static uint8_t *
put_u64(uint8_t *p, const uint8_t *at) {
  uint64_t v;
  memcpy(&v, at, sizeof v);
  if (v == MD_NULL_U64) return put_null(p);
  return v > INT64_MAX ? NULL : put_int8(p, v);
}

static uint8_t *
put_side(uint8_t *p, uint8_t side) {
  if (side != MD_SIDE_BUY && side != MD_SIDE_SELL) return put_null(p);
  p    = put32(p, 1);
  *p++ = side == MD_SIDE_BUY ? 'B' : 'S';
  return p;
}

/* Length of the UTF-8 character at s, 0 when it is none: overlong forms, surrogates and values
 * above U+10FFFF are what the server would refuse. */
static uint32_t
utf8_len(const uint8_t *s, uint32_t room) {
  uint8_t  c = s[0], low = 0x80, high = 0xbf;
  uint32_t len;
  if (c < 0x80) return 1;
  if (c >= 0xc2 && c <= 0xdf)
    len = 2;
  else if (c >= 0xe0 && c <= 0xef)
    len = 3;
  else if (c >= 0xf0 && c <= 0xf4)
    len = 4;
  else
    return 0;
  if (c == 0xe0) low = 0xa0;
  if (c == 0xed) high = 0x9f;
  if (c == 0xf0) low = 0x90;
  if (c == 0xf4) high = 0x8f;
  if (len > room || s[1] < low || s[1] > high) return 0;
  for (uint32_t i = 2; i < len; i++)
    if ((s[i] & 0xc0) != 0x80) return 0;
  return len;
}

/* Empty text is absent: NULL. */
static uint8_t *
put_text(uint8_t *p, const uint8_t *at, uint32_t bytes) {
  uint32_t len = (uint32_t)strnlen((const char *)at, bytes);
  if (len == 0) return put_null(p);
  for (uint32_t i = 0; i < len;) {
    uint32_t step = utf8_len(at + i, len - i);
    if (step == 0) return NULL;
    i += step;
  }
  p = put32(p, len);
  memcpy(p, at, len);
  return p + len;
}

/* One field; NULL when its column cannot hold it. The kind is known where it is expanded, so that
 * one case of all is left. */
static inline __attribute__((always_inline)) uint8_t *
put_field(uint8_t *p, const md_record_t *rec, const uint8_t *at, md_field_kind_t kind,
          uint32_t bytes) {
  uint16_t u16;
  uint32_t u32;
  int64_t  i64;
  switch (kind) {
  case MD_FIELD_PX:
    return put_mantissa(p, at, rec->px_exp);
  case MD_FIELD_QTY:
    return put_mantissa(p, at, rec->qty_exp);
  case MD_FIELD_D128:
    return put_dec128(p, at);
  case MD_FIELD_TS:
    memcpy(&i64, at, sizeof i64);
    return i64 == MD_NULL_I64 ? put_null(p) : put_int8(p, (uint64_t)i64);
  case MD_FIELD_U64:
    return put_u64(p, at);
  case MD_FIELD_U32:
    memcpy(&u32, at, sizeof u32);
    return put_int8(p, u32);
  case MD_FIELD_LAG:
    memcpy(&u32, at, sizeof u32);
    return u32 == 0 ? put_null(p) : put_int8(p, u32 - 1);
  case MD_FIELD_U16:
    memcpy(&u16, at, sizeof u16);
    return put_int4(p, u16);
  case MD_FIELD_U8:
    return put_int2(p, *at);
  case MD_FIELD_BOOL:
    if (*at > 1) return NULL;
    p    = put32(p, 1);
    *p++ = *at;
    return p;
  case MD_FIELD_SIDE:
    return put_side(p, *at);
  case MD_FIELD_SYM:
  case MD_FIELD_ASSET:
    return put_text(p, at, bytes);
  case MD_FIELD_PAD:
    break;
  }
  return p;
}

/* A function for each record type that puts the fields of its body, without a look at the table of
 * fields: put_body_trade. NULL and *column when one does not fit. */
// clang-format off
#define PUT_FIELD(field, c_type, field_kind, field_doc)                                            \
  p = put_field(p, rec, at, MD_FIELD_##field_kind, (uint32_t)sizeof(c_type));                      \
  if (MD_UNLIKELY(!p)) { *column = #field; return NULL; }                                          \
  at += sizeof(c_type);
#define PUT_BODY(NAME, type_name, value, table_name)                                               \
  static uint8_t *                                                                                 \
  put_body_##type_name(uint8_t *p, const md_record_t *rec, const char **column) {                  \
    const uint8_t *at = md_record_body_const(rec);                                                 \
    MD_##NAME##_FIELDS(PUT_FIELD)                                                                  \
    return p;                                                                                      \
  }
#define COUNT_FIELD(field, c_type, field_kind, field_doc) +(MD_FIELD_##field_kind != MD_FIELD_PAD)
#define BODY_ROW(NAME, type_name, value, table_name)                                               \
  [value] = {put_body_##type_name, 0 MD_##NAME##_FIELDS(COUNT_FIELD)},
MD_RECORD_TYPES(PUT_BODY)

typedef struct body_row {
  uint8_t *(*put)(uint8_t *p, const md_record_t *rec, const char **column);
  uint16_t column_cnt;
} body_row_t;

static const body_row_t bodies[] = {MD_RECORD_TYPES(BODY_ROW)};
// clang-format on

/* ---- levels ---- */

bool
md_copy_has_levels(unsigned type) {
  return md_record_has_levels(type);
}

const md_level_t *
md_copy_levels(const md_record_t *rec, const md_record_info_t *info, uint32_t *bid_cnt,
               uint32_t *ask_cnt) {
  *bid_cnt = *ask_cnt = 0;
  if (!md_copy_has_levels(rec->type)) return NULL;
  const md_book_delta_t *body = md_record_body_const(rec);
  const uint8_t         *at   = (const uint8_t *)body + info->body_bytes;
  *bid_cnt                    = body->bid_cnt;
  *ask_cnt                    = body->ask_cnt;
  return (const md_level_t *)(const void *)at;
}

uint32_t
md_copy_row_bound(const md_record_t *rec, const md_record_info_t *info) {
  uint32_t bids = 0, asks = 0;
  if (rec->len < sizeof *rec + info->body_bytes) return MD_COPY_ROW_BYTES_MAX;
  if (!md_copy_levels(rec, info, &bids, &asks)) return MD_COPY_ROW_BYTES_MAX;
  return MD_COPY_ROW_BYTES_MAX + (bids + asks) * 2 * LEVEL_NUMBER_BYTES;
}

/* An array of one dimension that begins at 1; one without elements has no dimension. */
static uint8_t *
put_numbers(uint8_t *p, const int64_t *first, uint32_t cnt, int exponent) {
  uint8_t *start = p;
  p              = put32(p + 4, cnt ? 1 : 0);
  p              = put32(p, 0); /* no NULL in it */
  p              = put32(p, NUMERIC_OID);
  if (cnt != 0) p = put32(put32(p, cnt), 1);
  for (uint32_t i = 0; i < cnt; i++)
    p = put_numeric64(p, first[i * (sizeof(md_level_t) / sizeof *first)], exponent);
  put32(start, (uint32_t)(p - start) - 4);
  return p;
}

static uint8_t *
put_side_levels(uint8_t *p, const md_record_t *rec, const md_level_t *level, uint32_t cnt) {
  p = put_numbers(p, &level->px, cnt, rec->px_exp);
  return put_numbers(p, &level->qty, cnt, rec->qty_exp);
}

static int64_t
floor_us(int64_t ns) {
  return ns / 1000 - (ns % 1000 < 0);
}

/* The column that cannot hold what rec has for it, NULL when all can. */
static const char *
misfit(const md_record_t *rec) {
  return rec->epoch > INT32_MAX           ? "epoch"
         : rec->seq > INT64_MAX           ? "seq"
         : rec->stream > INT16_MAX        ? "stream"
         : rec->instrument > INT32_MAX    ? "instrument"
         : rec->exch_seq > INT64_MAX      ? "exch_seq"
         : rec->ts_recv_ns == MD_NULL_I64 ? "recv_ts"
                                          : NULL;
}

/* The columns of md_copy_fixed, in their order; NULL and *column when one does not fit. */
static uint8_t *
put_fixed(uint8_t *p, const md_record_t *rec, int32_t journal, const char **column) {
  uint64_t wide   = rec->seq | rec->exch_seq;
  uint32_t narrow = rec->epoch | rec->instrument | (uint32_t)rec->stream << 16;
  if (MD_UNLIKELY(wide > INT64_MAX || narrow > INT32_MAX || rec->ts_recv_ns == MD_NULL_I64)) {
    *column = misfit(rec);
    return NULL;
  }
  p = put_int8(p, (uint64_t)(floor_us(rec->ts_recv_ns) - PG_EPOCH_US));
  p = put_int4(p, (uint32_t)journal);
  p = put_int2(p, rec->stream);
  p = put_int4(p, rec->epoch);
  p = put_int8(p, rec->seq);
  p = rec->instrument == 0 ? put_null(p) : put_int4(p, rec->instrument);
  p = rec->exch_seq == 0 ? put_null(p) : put_int8(p, rec->exch_seq);
  p = rec->ts_exch_ns == MD_NULL_I64 ? put_null(p) : put_int8(p, (uint64_t)rec->ts_exch_ns);
  p = put_int8(p, (uint64_t)rec->ts_recv_ns);
  p = put_int8(p, (uint64_t)rec->ts_pub_ns);
  return put_int2(p, rec->flags);
}

/* Text that is no text is damage; a number is just too large. */
static MD_COLD md_err_t
misfit_error(const md_record_info_t *info, const char *column) {
  for (uint32_t i = 0; i < info->field_cnt; i++) {
    const md_field_t *f = &info->fields[i];
    if (strcmp(f->name, column) == 0 && (f->kind == MD_FIELD_SYM || f->kind == MD_FIELD_ASSET))
      return MD_ERR_CORRUPT;
  }
  return MD_ERR_RANGE;
}

md_err_t
md_copy_row(const md_record_t *rec, const md_record_info_t *info, int32_t journal, uint8_t *out,
            uint32_t *len, const char **column) {
  md_assert(rec->type < MD_CNT(bodies) && bodies[rec->type].put);
  const body_row_t *body = &bodies[rec->type];
  *column                = "len";
  if (rec->len < sizeof *rec + info->body_bytes) return MD_ERR_CORRUPT;
  uint8_t *p = put_fixed(out + 2, rec, journal, column);
  if (!p) return MD_ERR_RANGE;
  uint16_t column_cnt = (uint16_t)(MD_COPY_FIXED_CNT + body->column_cnt);
  p                   = body->put(p, rec, column);
  if (!p) return misfit_error(info, *column);
  md_dassert(p - out <= (ptrdiff_t)MD_COPY_ROW_BYTES_MAX);
  uint32_t          bid_cnt, ask_cnt;
  const md_level_t *level = md_copy_levels(rec, info, &bid_cnt, &ask_cnt);
  if (level) {
    uint64_t room = rec->len - sizeof *rec - info->body_bytes;
    *column       = md_copy_sides[0].name;
    if ((uint64_t)(bid_cnt + ask_cnt) * sizeof *level > room) return MD_ERR_CORRUPT;
    p = put_side_levels(p, rec, level, bid_cnt);
    p = put_side_levels(p, rec, level + bid_cnt, ask_cnt);
    column_cnt += MD_COPY_SIDES_CNT;
  }
  put16(out, column_cnt);
  *len = (uint32_t)(p - out);
  return MD_OK;
}
