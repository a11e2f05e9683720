/* One record as one line of JSON. Cold path: tools, tests and exports, never a feed thread. */
#include "shm/record.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct text {
  char  *out;
  size_t len, cap; /* cap leaves room for the NUL */
  bool   full;
} text_t;

static void
put_bytes(text_t *t, const char *bytes, size_t len) {
  if (t->full || len > t->cap - t->len) {
    t->full = true;
    return;
  }
  memcpy(t->out + t->len, bytes, len);
  t->len += len;
}

static void
MD_PRINTF(2, 3) put(text_t *t, const char *format, ...) {
  char    part[256];
  va_list args;
  va_start(args, format);
  int len = vsnprintf(part, sizeof part, format, args);
  va_end(args);
  md_assert(len >= 0 && (size_t)len < sizeof part); /* only short, fixed formats come here */
  put_bytes(t, part, (size_t)len);
}

/* Length of the well-formed UTF-8 sequence at p, 0 when there is none. Overlong forms, surrogates
 * and values above U+10FFFF are not well-formed. */
static size_t
utf8_len(const uint8_t *p, size_t avail) {
  if (p[0] < 0x80) return 1;
  size_t  len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
  uint8_t low = 0x80, high = 0xbf; /* range of the second byte */
  if (p[0] < 0xc2 || p[0] > 0xf4 || len > avail) return 0;
  if (p[0] == 0xe0) low = 0xa0;
  if (p[0] == 0xed) high = 0x9f;
  if (p[0] == 0xf0) low = 0x90;
  if (p[0] == 0xf4) high = 0x8f;
  if (p[1] < low || p[1] > high) return 0;
  for (size_t i = 2; i < len; i++)
    if ((p[i] & 0xc0) != 0x80) return 0;
  return len;
}

static bool
is_utf8(const uint8_t *p, size_t len) {
  for (size_t i = 0; i < len;) {
    size_t step = utf8_len(p + i, len - i);
    if (step == 0) return false;
    i += step;
  }
  return true;
}

/* Bytes that are no UTF-8 become U+FFFD: only names come here unchecked, payloads go to base64. */
static void
put_string(text_t *t, const uint8_t *p, size_t len) {
  put_bytes(t, "\"", 1);
  for (size_t i = 0; i < len && !t->full;) {
    size_t step = utf8_len(p + i, len - i);
    if (step == 0)
      put_bytes(t, "\\ufffd", 6);
    else if (p[i] == '"' || p[i] == '\\')
      put(t, "\\%c", p[i]);
    else if (p[i] < 0x20 || p[i] == 0x7f)
      put(t, "\\u%04x", p[i]);
    else
      put_bytes(t, (const char *)p + i, step);
    i += step ? step : 1;
  }
  put_bytes(t, "\"", 1);
}

static void
put_base64(text_t *t, const uint8_t *p, size_t len) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  put_bytes(t, "\"", 1);
  for (size_t i = 0; i < len; i += 3) {
    size_t   left = len - i;
    uint32_t bits = (uint32_t)p[i] << 16;
    if (left > 1) bits |= (uint32_t)p[i + 1] << 8;
    if (left > 2) bits |= p[i + 2];
    char quad[4] = {digits[bits >> 18], digits[(bits >> 12) & 63],
                    left > 1 ? digits[(bits >> 6) & 63] : '=', left > 2 ? digits[bits & 63] : '='};
    put_bytes(t, quad, sizeof quad);
  }
  put_bytes(t, "\"", 1);
}

static void
put_decimal(text_t *t, md_i128 mantissa, int exponent) {
  char     number[192];
  unsigned len = md_decimal_format(mantissa, exponent, number, sizeof number);
  put_bytes(t, "\"", 1);
  put_bytes(t, number, len);
  put_bytes(t, "\"", 1);
}

static void
put_mantissa(text_t *t, int64_t mantissa, int exponent) {
  if (mantissa == MD_NULL_I64)
    put_bytes(t, "null", 4);
  else
    put_decimal(t, mantissa, exponent);
}

static void
put_dec128(text_t *t, md_dec128_t value) {
  md_i128 mantissa;
  int     exponent;
  if (md_dec128_split(value, &mantissa, &exponent))
    put_decimal(t, mantissa, exponent);
  else
    put_bytes(t, "null", 4);
}

static void
put_i64(text_t *t, int64_t value) {
  if (value == MD_NULL_I64)
    put_bytes(t, "null", 4);
  else
    put(t, "%lld", (long long)value);
}

static void
put_u64(text_t *t, uint64_t value) {
  if (value == MD_NULL_U64)
    put_bytes(t, "null", 4);
  else
    put(t, "%llu", (unsigned long long)value);
}

/* Reads an unsigned field of 1, 2, 4 or 8 bytes. */
static uint64_t
load_unsigned(const uint8_t *p, uint32_t bytes) {
  uint64_t value = 0;
  md_assert(bytes <= sizeof value);
  memcpy(&value, p, bytes); /* little-endian, as record.h asserts */
  return value;
}

static void
put_field(text_t *t, const md_field_t *f, const md_record_t *rec, const uint8_t *body) {
  const uint8_t *p     = body + f->off;
  uint64_t       value = f->bytes <= 8 ? load_unsigned(p, f->bytes) : 0;
  md_dec128_t    wide;
  if (f->kind == MD_FIELD_PAD) return;
  put(t, ",\"%s\":", f->name);
  switch (f->kind) {
  case MD_FIELD_PX:
    put_mantissa(t, (int64_t)value, rec->px_exp);
    break;
  case MD_FIELD_QTY:
    put_mantissa(t, (int64_t)value, rec->qty_exp);
    break;
  case MD_FIELD_TS:
    put_i64(t, (int64_t)value);
    break;
  case MD_FIELD_U64:
    put_u64(t, value);
    break;
  case MD_FIELD_U32:
  case MD_FIELD_U16:
  case MD_FIELD_U8:
    put(t, "%llu", (unsigned long long)value);
    break;
  case MD_FIELD_BOOL:
    put(t, "%s", value ? "true" : "false");
    break;
  case MD_FIELD_LAG:
    put_u64(t, value ? value - 1 : MD_NULL_U64);
    break;
  case MD_FIELD_SIDE:
    put(t, "%s", value == MD_SIDE_BUY ? "\"B\"" : value == MD_SIDE_SELL ? "\"S\"" : "null");
    break;
  case MD_FIELD_SYM:
  case MD_FIELD_ASSET:
    put_string(t, p, strnlen((const char *)p, f->bytes));
    break;
  case MD_FIELD_D128:
    memcpy(&wide, p, sizeof wide);
    put_dec128(t, wide);
    break;
  case MD_FIELD_PAD:
    break;
  }
}

static void
put_fields(text_t *t, unsigned type, const md_record_t *rec, const uint8_t *body) {
  const md_record_info_t *info = md_record_info(type);
  for (uint32_t i = 0; i < info->field_cnt; i++)
    put_field(t, &info->fields[i], rec, body);
}

static void
put_flags(text_t *t, unsigned flags) {
  static const char *const names[] = {"LAST",     "SNAPSHOT", "RESYNC",  "BACKFILL", "SAMPLED",
                                      "OFF_BOOK", "BAD_TS",   "CROSSED", "REST",     "CORRECTION"};
  const char              *comma   = "";
  put(t, ",\"flags\":[");
  for (unsigned i = 0; i < 16; i++) {
    if (!(flags & (1u << i))) continue;
    if (i < MD_CNT(names))
      put(t, "%s\"%s\"", comma, names[i]);
    else
      put(t, "%s\"bit%u\"", comma, i);
    comma = ",";
  }
  put(t, "]");
}

static void
put_header(text_t *t, const md_record_t *rec, const char *type_name, const char *symbol) {
  put(t, "{\"type\":\"%s\",\"stream\":%u,\"epoch\":%u,\"seq\":%llu", type_name, rec->stream,
      rec->epoch, (unsigned long long)rec->seq);
  put(t, ",\"instrument\":%u", rec->instrument);
  if (symbol) {
    put(t, ",\"symbol\":");
    put_string(t, (const uint8_t *)symbol, strlen(symbol));
  }
  if (rec->leg != MD_LEG_NONE) put(t, ",\"leg\":%u", rec->leg);
  put_flags(t, rec->flags);
  put(t, ",\"exch_seq\":%llu,\"raw_lo\":%u", (unsigned long long)rec->exch_seq, rec->raw_lo);
  put(t, ",\"ts_exch_ns\":");
  put_i64(t, rec->ts_exch_ns);
  put(t, ",\"ts_recv_ns\":");
  put_i64(t, rec->ts_recv_ns);
  put(t, ",\"ts_pub_ns\":");
  put_i64(t, rec->ts_pub_ns);
}

static void
put_side(text_t *t, const char *key, const md_record_t *rec, const uint8_t *levels, uint32_t cnt) {
  put(t, ",\"%s\":[", key);
  for (uint32_t i = 0; i < cnt && !t->full; i++) {
    md_level_t level;
    memcpy(&level, levels + i * sizeof level, sizeof level);
    put(t, "%s[", i ? "," : "");
    put_mantissa(t, level.px, rec->px_exp);
    put_bytes(t, ",", 1);
    put_mantissa(t, level.qty, rec->qty_exp);
    put_bytes(t, "]", 1);
  }
  put_bytes(t, "]", 1);
}

static void
put_levels(text_t *t, const md_record_t *rec, const uint8_t *rest, uint32_t bid_cnt,
           uint32_t ask_cnt) {
  put_side(t, "bids", rec, rest, bid_cnt);
  put_side(t, "asks", rec, rest + bid_cnt * sizeof(md_level_t), ask_cnt);
}

static void
put_raw(text_t *t, const md_raw_t *raw, const uint8_t *rest) {
  const uint8_t *payload = rest + raw->name_len;
  put(t, ",\"name\":");
  put_string(t, rest, raw->name_len);
  bool is_text = raw->kind != MD_RAW_BINARY_IN && is_utf8(payload, raw->part_len);
  put(t, is_text ? ",\"payload\":" : ",\"payload_base64\":");
  if (is_text)
    put_string(t, payload, raw->part_len);
  else
    put_base64(t, payload, raw->part_len);
}

/* Names beside the numbers of states and reasons, for people who read the line. */
static void
put_names(text_t *t, const md_record_t *rec) {
  unsigned reason;
  if (rec->type == MD_RECORD_STATUS) {
    const md_status_t *status = md_record_body_const(rec);
    reason                    = status->reason;
    if (status->subject == MD_SUBJECT_BOOK)
      put(t, ",\"before_name\":\"%s\",\"after_name\":\"%s\"", md_book_state_name(status->before),
          md_book_state_name(status->after));
  } else if (rec->type == MD_RECORD_GAP) {
    reason = ((const md_gap_t *)md_record_body_const(rec))->reason;
  } else if (rec->type == MD_RECORD_LOSS) {
    reason = ((const md_loss_t *)md_record_body_const(rec))->reason;
  } else {
    return;
  }
  put(t, ",\"reason_name\":\"%s\"", md_reason_name(reason));
}

static void
put_rest(text_t *t, const md_record_t *rec, const uint8_t *rest) {
  if (rec->type == MD_RECORD_RAW) {
    put_raw(t, md_record_body_const(rec), rest);
  } else if (md_record_has_levels(rec->type)) {
    const md_book_delta_t *delta = md_record_body_const(rec); /* the counts stand alike in all */
    put_levels(t, rec, rest, delta->bid_cnt, delta->ask_cnt);
  } else if (rec->type == MD_RECORD_CHECKPOINT) {
    const md_checkpoint_t *checkpoint = md_record_body_const(rec);
    if (checkpoint->inner == MD_CHECKPOINT_BOOK)
      put_levels(t, rec, rest, checkpoint->bid_cnt, checkpoint->ask_cnt);
    if (checkpoint->inner == MD_CHECKPOINT_DEFINITION) {
      put(t, ",\"definition\":{\"type\":\"definition\"");
      put_fields(t, MD_RECORD_DEFINITION, rec, rest);
      put(t, "}");
    }
  }
}

size_t
md_record_json(const md_record_t *rec, const char *symbol, char *out, size_t out_bytes) {
  const md_record_info_t *info = md_record_info(rec->type);
  if (!info || out_bytes == 0) return 0;
  text_t         t    = {.out = out, .cap = out_bytes - 1};
  const uint8_t *body = md_record_body_const(rec);
  put_header(&t, rec, info->name, symbol);
  put_fields(&t, rec->type, rec, body);
  put_names(&t, rec);
  put_rest(&t, rec, body + info->body_bytes);
  put(&t, "}");
  if (t.full) {
    out[0] = 0;
    return 0;
  }
  out[t.len] = 0;
  return t.len;
}
