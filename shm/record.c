#include "shm/record.h"

#include <string.h>

// clang-format off
#define FIELD_ROW(field, c_type, field_kind, field_doc)                                            \
  {.name = #field, .doc = (field_doc), .kind = MD_FIELD_##field_kind,                              \
   .off = (uint32_t)offsetof(body_t, field), .bytes = (uint32_t)sizeof(c_type)},
#define INFO_CASE(NAME, type_name, value, table_name)                                              \
  case (value): {                                                                                  \
    typedef md_##type_name##_t body_t;                                                             \
    static const md_field_t rows[] = {MD_##NAME##_FIELDS(FIELD_ROW)};                              \
    static const md_record_info_t info = {.name = #type_name, .table = (table_name),               \
      .fields = rows, .field_cnt = MD_CNT(rows), .body_bytes = sizeof(body_t)};                    \
    return &info;                                                                                  \
  }
// clang-format on

const md_record_info_t *
md_record_info(unsigned type) {
  switch (type) {
    MD_RECORD_TYPES(INFO_CASE)
  default:
    return NULL;
  }
}

/* Symbols and assets are handed to code that prints them: their NUL must be there. */
static bool
names_end(const md_record_info_t *info, const uint8_t *body) {
  for (uint32_t i = 0; i < info->field_cnt; i++) {
    const md_field_t *f = &info->fields[i];
    if (f->kind != MD_FIELD_SYM && f->kind != MD_FIELD_ASSET) continue;
    if (body[f->off + f->bytes - 1] != 0) return false;
  }
  return true;
}

static bool
raw_fits(const uint8_t *body, size_t room) {
  md_raw_t raw;
  memcpy(&raw, body, sizeof raw);
  if ((uint64_t)raw.name_len + raw.part_len > room) return false;
  return (uint64_t)raw.part_off + raw.part_len <= raw.total_len;
}

static bool
levels_fit(uint32_t bid_cnt, uint32_t ask_cnt, size_t room) {
  return ((uint64_t)bid_cnt + ask_cnt) * sizeof(md_level_t) <= room;
}

static bool
checkpoint_fits(const uint8_t *body, size_t room) {
  md_checkpoint_t c;
  memcpy(&c, body, sizeof c);
  switch (c.inner) {
  case MD_CHECKPOINT_BEGIN:
  case MD_CHECKPOINT_END:
    return true;
  case MD_CHECKPOINT_DEFINITION:
    return room >= sizeof(md_definition_t) &&
           names_end(md_record_info(MD_RECORD_DEFINITION), body + sizeof c);
  case MD_CHECKPOINT_BOOK:
    return levels_fit(c.bid_cnt, c.ask_cnt, room);
  default:
    return false;
  }
}

#define COUNTS_STAND_AS_IN(type)                                                                   \
  _Static_assert(offsetof(md_book_delta_t, bid_cnt) == offsetof(type, bid_cnt) &&                  \
                     offsetof(md_book_delta_t, ask_cnt) == offsetof(type, ask_cnt),                \
                 "the counts stand at one place in all types with levels")
COUNTS_STAND_AS_IN(md_book_snapshot_t);
COUNTS_STAND_AS_IN(md_ladder_t);
COUNTS_STAND_AS_IN(md_book_orders_t);

/* The variable part: room is what the record has behind its body. */
static bool
rest_fits(unsigned type, const uint8_t *body, size_t room) {
  if (type == MD_RECORD_RAW) return raw_fits(body, room);
  if (type == MD_RECORD_CHECKPOINT) return checkpoint_fits(body, room);
  if (!md_record_has_levels(type)) return true;
  md_book_delta_t delta;
  memcpy(&delta, body, sizeof delta);
  return levels_fit(delta.bid_cnt, delta.ask_cnt, room);
}

/* Types whose bodies hold text; the first format had it in definitions only. */
static bool
has_names(unsigned type) {
  return type == MD_RECORD_DEFINITION || type == MD_RECORD_FUNDING ||
         type == MD_RECORD_LIQUIDATION || type == MD_RECORD_GREEKS ||
         type == MD_RECORD_TRADE_DETAIL;
}

/* Copies before it looks: rec may be unaligned, and what it says is not trusted. */
static md_err_t
check(const void *rec, size_t avail, bool is_old) {
  md_record_t header;
  if (avail < sizeof header) return MD_ERR_CORRUPT;
  memcpy(&header, rec, sizeof header);
  const md_record_info_t *info = md_record_info(header.type);
  if (!info) return MD_ERR_CORRUPT;
  size_t len = header.len;
  if (len % MD_RECORD_ALIGN_BYTES != 0 || len > avail || len > MD_RECORD_BYTES_MAX)
    return MD_ERR_CORRUPT;
  const uint32_t body_bytes = is_old ? md_record_old_bytes(header.type) : info->body_bytes;
  if (body_bytes == 0 || len < sizeof header + body_bytes) return MD_ERR_CORRUPT;
  const uint8_t *body = (const uint8_t *)rec + sizeof header;
  if (!rest_fits(header.type, body, len - sizeof header - body_bytes)) return MD_ERR_CORRUPT;
  if (is_old ? header.type != MD_RECORD_DEFINITION : !has_names(header.type)) return MD_OK;
  return names_end(info, body) ? MD_OK : MD_ERR_CORRUPT;
}

md_err_t
md_record_check(const void *rec, size_t avail) {
  return check(rec, avail, false);
}

/* ---- the first format ---- */

uint32_t
md_record_old_bytes(unsigned type) {
  static const uint8_t bytes[MD_RECORD_TYPE_END] = {[MD_RECORD_RAW]              = 16,
                                                    [MD_RECORD_DEFINITION]       = 232,
                                                    [MD_RECORD_BOOK_DELTA]       = 32,
                                                    [MD_RECORD_BOOK_SNAPSHOT]    = 32,
                                                    [MD_RECORD_BBO]              = 32,
                                                    [MD_RECORD_TRADE]            = 40,
                                                    [MD_RECORD_AGG_TRADE]        = 56,
                                                    [MD_RECORD_KLINE]            = 128,
                                                    [MD_RECORD_TICKER]           = 192,
                                                    [MD_RECORD_FUNDING]          = 48,
                                                    [MD_RECORD_MARK]             = 32,
                                                    [MD_RECORD_INDEX]            = 16,
                                                    [MD_RECORD_OPEN_INTEREST]    = 48,
                                                    [MD_RECORD_LIQUIDATION]      = 48,
                                                    [MD_RECORD_LONG_SHORT_RATIO] = 56,
                                                    [MD_RECORD_VOLATILITY_INDEX] = 64,
                                                    [MD_RECORD_GREEKS]           = 144,
                                                    [MD_RECORD_NBBO]             = 40,
                                                    [MD_RECORD_STATUS]           = 8,
                                                    [MD_RECORD_GAP]              = 32,
                                                    [MD_RECORD_CHECKPOINT]       = 64,
                                                    [MD_RECORD_LOSS]             = 32,
                                                    [MD_RECORD_LADDER]           = 32};
  return type < MD_CNT(bytes) ? bytes[type] : 0;
}

md_err_t
md_record_check_old(const void *rec, size_t avail) {
  return check(rec, avail, true);
}

/* What a field holds that nobody filled. */
static void
set_absent(const md_field_t *f, uint8_t *body) {
  const int64_t     none     = MD_NULL_I64;
  const uint64_t    none_u   = MD_NULL_U64;
  const md_dec128_t none_dec = MD_DEC128_NULL;
  if (f->kind == MD_FIELD_PX || f->kind == MD_FIELD_QTY || f->kind == MD_FIELD_TS)
    memcpy(body + f->off, &none, sizeof none);
  else if (f->kind == MD_FIELD_U64)
    memcpy(body + f->off, &none_u, sizeof none_u);
  else if (f->kind == MD_FIELD_D128)
    memcpy(body + f->off, &none_dec, sizeof none_dec);
  else
    memset(body + f->off, 0, f->bytes);
}

uint32_t
md_record_renew(const void *rec, md_record_t *out) {
  memcpy(out, rec, sizeof *out);
  const md_record_info_t *info = md_record_info(out->type);
  const uint32_t          old = md_record_old_bytes(out->type), len = out->len;
  uint8_t                *body = md_record_body(out);
  md_assert(info && old != 0 && len >= sizeof *out + old && len <= MD_RECORD_BYTES_MAX);
  memcpy(body, (const uint8_t *)rec + sizeof *out, len - sizeof *out);
  if (info->body_bytes == old) return len;
  for (uint32_t i = 0; i < info->field_cnt; i++)
    if (info->fields[i].off >= old) set_absent(&info->fields[i], body);
  out->len = (uint16_t)(sizeof *out + info->body_bytes);
  return out->len;
}

/* Fields that stand where the first format had zeros. */
static bool
is_in_padding(unsigned type, const md_field_t *f) {
  if (type == MD_RECORD_TRADE)
    return f->off == offsetof(md_trade_t, source) || f->off == offsetof(md_trade_t, fill_cnt);
  return f->kind == MD_FIELD_LAG;
}

bool
md_record_same_old(const md_record_t *a, const md_record_t *b) {
  md_record_t             x = *a, y = *b;
  const md_record_info_t *info   = md_record_info(a->type);
  const uint8_t          *a_body = md_record_body_const(a), *b_body = md_record_body_const(b);
  const uint32_t          old = md_record_old_bytes(a->type);
  x.ts_pub_ns = y.ts_pub_ns = 0;
  x.seq = y.seq = 0;
  if (!info || memcmp(&x, &y, sizeof x) != 0) return false;
  for (uint32_t i = 0; i < info->field_cnt; i++) {
    const md_field_t *f = &info->fields[i];
    if (f->off >= old || is_in_padding(a->type, f)) continue;
    if (memcmp(a_body + f->off, b_body + f->off, f->bytes) != 0) return false;
  }
  const uint32_t fixed = (uint32_t)sizeof x + info->body_bytes;
  return memcmp(a_body + info->body_bytes, b_body + info->body_bytes, x.len - fixed) == 0;
}

const char *
md_book_state_name(unsigned state) {
  static const char *const names[] = {[MD_BOOK_EMPTY]   = "EMPTY",
                                      [MD_BOOK_SYNCING] = "SYNCING",
                                      [MD_BOOK_VALID]   = "VALID",
                                      [MD_BOOK_STALE]   = "STALE"};
  return state < MD_CNT(names) ? names[state] : "?";
}

const char *
md_reason_name(unsigned reason) {
  static const char *const names[] = {
      [MD_REASON_NONE]        = "NONE",
      [MD_REASON_SEQUENCE]    = "SEQUENCE",
      [MD_REASON_CHECKSUM]    = "CHECKSUM",
      [MD_REASON_DISCONNECT]  = "DISCONNECT",
      [MD_REASON_OVERFLOW]    = "OVERFLOW",
      [MD_REASON_SYNC_BUFFER] = "SYNC_BUFFER",
      [MD_REASON_BAD_MESSAGE] = "BAD_MESSAGE",
      [MD_REASON_CROSSED]     = "CROSSED",
      [MD_REASON_SILENT]      = "SILENT",
      [MD_REASON_RING_FULL]   = "RING_FULL",
      [MD_REASON_INPUT_END]   = "INPUT_END",
      [MD_REASON_SINK_ERROR]  = "SINK_ERROR",
      [MD_REASON_CANARY]      = "CANARY",
      [MD_REASON_OPERATOR]    = "OPERATOR",
      [MD_REASON_RESTART]     = "RESTART",
      [MD_REASON_DELISTED]    = "DELISTED",
      [MD_REASON_DEPTH]       = "DEPTH",
  };
  _Static_assert(MD_CNT(names) == MD_REASON_CNT, "a name for each reason");
  return reason < MD_CNT(names) ? names[reason] : "?";
}
