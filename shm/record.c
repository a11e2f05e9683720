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

/* The variable part: room is what the record has behind its body. */
static bool
rest_fits(unsigned type, const uint8_t *body, size_t room) {
  if (type == MD_RECORD_RAW) return raw_fits(body, room);
  if (type == MD_RECORD_CHECKPOINT) return checkpoint_fits(body, room);
  if (type == MD_RECORD_BOOK_DELTA) {
    md_book_delta_t delta;
    memcpy(&delta, body, sizeof delta);
    return levels_fit(delta.bid_cnt, delta.ask_cnt, room);
  }
  if (type == MD_RECORD_BOOK_SNAPSHOT) {
    md_book_snapshot_t snapshot;
    memcpy(&snapshot, body, sizeof snapshot);
    return levels_fit(snapshot.bid_cnt, snapshot.ask_cnt, room);
  }
  if (type == MD_RECORD_LADDER) {
    md_ladder_t ladder;
    memcpy(&ladder, body, sizeof ladder);
    return levels_fit(ladder.bid_cnt, ladder.ask_cnt, room);
  }
  if (type == MD_RECORD_DEFINITION) return names_end(md_record_info(type), body);
  return true;
}

/* Copies before it looks: rec may be unaligned, and what it says is not trusted. */
md_err_t
md_record_check(const void *rec, size_t avail) {
  md_record_t header;
  if (avail < sizeof header) return MD_ERR_CORRUPT;
  memcpy(&header, rec, sizeof header);
  const md_record_info_t *info = md_record_info(header.type);
  if (!info) return MD_ERR_CORRUPT;
  size_t len = header.len;
  if (len % MD_RECORD_ALIGN_BYTES != 0 || len > avail || len > MD_RECORD_BYTES_MAX)
    return MD_ERR_CORRUPT;
  if (len < sizeof header + info->body_bytes) return MD_ERR_CORRUPT;
  const uint8_t *body = (const uint8_t *)rec + sizeof header;
  if (!rest_fits(header.type, body, len - sizeof header - info->body_bytes)) return MD_ERR_CORRUPT;
  return MD_OK;
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
  };
  _Static_assert(MD_CNT(names) == MD_REASON_CNT, "a name for each reason");
  return reason < MD_CNT(names) ? names[reason] : "?";
}
