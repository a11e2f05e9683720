/* The record contract: layout (golden bytes), JSON, and checks of bytes that nobody vouches for. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/record.h"

#define GOLDEN_PATH "tests/fixtures/record_abi.txt"
#define JSON_BYTES  (8u << 15)

static _Alignas(8) uint8_t record_bytes[MD_RECORD_BYTES_MAX];
static char json[JSON_BYTES];

/* ---- a record of each type, every field with a value of its own ---- */

static void
put_field(uint8_t *body, const md_field_t *f, uint32_t i) {
  md_dec128_t wide;
  uint64_t    value = 1000 + i;
  switch (f->kind) {
  case MD_FIELD_PAD:
    return;
  case MD_FIELD_D128:
    wide = md_dec128_from_i64(-(int64_t)value, -3);
    memcpy(body + f->off, &wide, sizeof wide);
    return;
  case MD_FIELD_SYM:
  case MD_FIELD_ASSET:
    (void)snprintf((char *)body + f->off, f->bytes, "S%u\"", i);
    return;
  case MD_FIELD_SIDE:
    value = 1 + i % 2;
    break;
  case MD_FIELD_LAG:
    value = 1001 + i; /* said without the 1 */
    break;
  case MD_FIELD_BOOL:
    value = 1;
    break;
  case MD_FIELD_U8:
    value = i % 3;
    break;
  case MD_FIELD_PX:
  case MD_FIELD_QTY:
  case MD_FIELD_TS:
  case MD_FIELD_U64:
  case MD_FIELD_U32:
  case MD_FIELD_U16:
    break;
  }
  memcpy(body + f->off, &value, f->bytes);
}

static void
put_levels(md_record_t *rec, uint32_t cnt) {
  md_level_t *levels = (void *)((uint8_t *)rec + rec->len);
  for (uint32_t i = 0; i < cnt; i++)
    levels[i] = (md_level_t){.px = 5000 + i, .qty = i};
  rec->len = (uint16_t)(rec->len + cnt * sizeof *levels);
}

static void
put_raw(md_record_t *rec, md_raw_t *raw) {
  raw->kind      = MD_RAW_TEXT_IN;
  raw->name_len  = 4;
  raw->part_len  = 7;
  raw->part_off  = 0;
  raw->total_len = 7;
  memcpy((uint8_t *)rec + rec->len, "conn{\"a\":1}", 11);
  rec->len = (uint16_t)md_align_up(rec->len + 11u, 8);
}

static md_record_t *
make_record(unsigned type) {
  const md_record_info_t *info = md_record_info(type);
  md_record_t            *rec  = (void *)record_bytes;
  memset(record_bytes, 0, sizeof record_bytes);
  *rec          = (md_record_t){.type       = (uint8_t)type,
                                .leg        = 1,
                                .flags      = MD_FLAG_LAST | MD_FLAG_REST,
                                .stream     = 2,
                                .instrument = 3,
                                .epoch      = 4,
                                .px_exp     = -2,
                                .qty_exp    = -5,
                                .raw_lo     = 6,
                                .seq        = 7,
                                .exch_seq   = 8,
                                .ts_exch_ns = 9,
                                .ts_recv_ns = 10,
                                .ts_pub_ns  = 11};
  uint8_t *body = md_record_body(rec);
  for (uint32_t i = 0; i < info->field_cnt; i++)
    put_field(body, &info->fields[i], i);
  rec->len = (uint16_t)(sizeof *rec + info->body_bytes);
  if (type == MD_RECORD_RAW) put_raw(rec, (void *)body);
  if (md_record_has_levels(type)) {
    md_book_delta_t *delta = (void *)body; /* the counts stand at one place in all of them */
    delta->bid_cnt         = 2;
    delta->ask_cnt         = 1;
    put_levels(rec, 3);
  }
  if (type == MD_RECORD_CHECKPOINT) {
    md_checkpoint_t *checkpoint = (void *)body;
    checkpoint->inner           = MD_CHECKPOINT_BOOK;
    checkpoint->bid_cnt         = 1;
    checkpoint->ask_cnt         = 1;
    put_levels(rec, 2);
  }
  return rec;
}

/* A checkpoint with a definition in it: the only other shape of a variable part. */
static md_record_t *
make_checkpoint_definition(void) {
  md_definition_t definition;
  md_record_t    *rec = make_record(MD_RECORD_DEFINITION);
  memcpy(&definition, md_record_body(rec), sizeof definition);
  rec                         = make_record(MD_RECORD_CHECKPOINT);
  md_checkpoint_t *checkpoint = md_record_body(rec);
  checkpoint->inner           = MD_CHECKPOINT_DEFINITION;
  memcpy(checkpoint + 1, &definition, sizeof definition);
  rec->len = sizeof *rec + sizeof *checkpoint + sizeof definition;
  return rec;
}

/* ---- layout ---- */

static void
write_hex(const md_record_t *rec, FILE *out) {
  (void)fprintf(out, "%s ", md_record_info(rec->type)->name);
  for (uint32_t i = 0; i < rec->len; i++)
    (void)fprintf(out, "%02x", ((const uint8_t *)rec)[i]);
  (void)fputc('\n', out);
}

/* A change of layout changes these bytes. Then the journal's format changes too: bump its version
 * and write the file again with MD_GOLDEN_WRITE=1. */
Test(record, golden_bytes_of_each_type_stay_as_they_are) {
  char  *got       = NULL;
  size_t got_bytes = 0;
  FILE  *text      = open_memstream(&got, &got_bytes);
  for (unsigned type = 1; type < MD_RECORD_TYPE_END; type++)
    write_hex(make_record(type), text);
  (void)fclose(text);
  if (getenv("MD_GOLDEN_WRITE")) {
    FILE *file = fopen(GOLDEN_PATH, "w");
    cr_assert(file && fwrite(got, 1, got_bytes, file) == got_bytes && fclose(file) == 0);
  }
  static char want[1u << 16];
  FILE       *file = fopen(GOLDEN_PATH, "r");
  cr_assert(file, "%s is not there: run from the root of the repository", GOLDEN_PATH);
  size_t want_bytes = fread(want, 1, sizeof want - 1, file);
  (void)fclose(file);
  const char *g = got, *w = want;
  while (*w) {
    size_t len = strcspn(w, "\n") + 1;
    cr_assert(strncmp(g, w, len) == 0, "layout changed: %.*s", (int)strcspn(w, " "), w);
    g += len;
    w += len;
  }
  cr_assert_eq(got_bytes, want_bytes);
  free(got);
}

Test(record, offsets_that_other_languages_rely_on) {
  cr_assert_eq(MD_RECORD_TYPE_END - 1, MD_RECORD_BOOK_ORDERS);
  cr_assert_eq(offsetof(md_trade_t, trade_id), 16);
  cr_assert_eq(offsetof(md_trade_t, side), 32);
  cr_assert_eq(offsetof(md_trade_t, book_seq), 40);
  cr_assert_eq(sizeof(md_trade_t), 48);
  cr_assert_eq(sizeof(md_agg_trade_t), 64);
  cr_assert_eq(sizeof(md_bbo_t), 48);
  cr_assert_eq(offsetof(md_book_delta_t, match_lag_us), 28);
  cr_assert_eq(offsetof(md_book_orders_t, bid_cnt), 16);
  cr_assert_eq(offsetof(md_book_delta_t, bid_cnt), 16);
  cr_assert_eq(sizeof(md_book_delta_t), 32);
  cr_assert_eq(offsetof(md_book_snapshot_t, limit), 28);
  cr_assert_eq(offsetof(md_ladder_t, bid_cnt), 16);
  cr_assert_eq(sizeof(md_ladder_t), 32);
  cr_assert_eq(offsetof(md_raw_t, part_len), 4);
  cr_assert_eq(sizeof(md_raw_t), 16);
  cr_assert_eq(offsetof(md_definition_t, tick_size), 144);
  cr_assert_eq(sizeof(md_definition_t), 232);
  cr_assert_eq(sizeof(md_kline_t), 144);
  cr_assert_eq(sizeof(md_checkpoint_t), 64);
}

Test(record, info_describes_every_byte_of_every_body) {
  for (unsigned type = 1; type < MD_RECORD_TYPE_END; type++) {
    const md_record_info_t *info = md_record_info(type);
    cr_assert_not_null(info);
    uint32_t off = 0;
    for (uint32_t i = 0; i < info->field_cnt; i++) {
      cr_assert_eq(info->fields[i].off, off, "%s.%s", info->name, info->fields[i].name);
      off += info->fields[i].bytes;
    }
    cr_assert_eq(off, info->body_bytes, "%s", info->name);
  }
  cr_assert_null(md_record_info(0));
  cr_assert_null(md_record_info(MD_RECORD_TYPE_END));
}

/* ---- JSON ---- */

static void
expect_json_field(const md_field_t *f, uint32_t i) {
  char want[160], value[96];
  switch (f->kind) {
  case MD_FIELD_PX:
    (void)snprintf(value, sizeof value, "\"%.4g\"", (1000 + i) / 100.0);
    break;
  case MD_FIELD_QTY:
    (void)snprintf(value, sizeof value, "\"%.4g\"", (1000 + i) / 100000.0);
    break;
  case MD_FIELD_D128:
    (void)snprintf(value, sizeof value, "\"-%.4g\"", (1000 + i) / 1000.0);
    break;
  case MD_FIELD_SYM:
  case MD_FIELD_ASSET:
    (void)snprintf(value, sizeof value, "\"S%u\\\"\"", i);
    break;
  case MD_FIELD_SIDE:
    (void)snprintf(value, sizeof value, "\"%s\"", i % 2 ? "S" : "B");
    break;
  case MD_FIELD_BOOL:
    (void)snprintf(value, sizeof value, "true");
    break;
  case MD_FIELD_U8:
    (void)snprintf(value, sizeof value, "%u", i % 3);
    break;
  case MD_FIELD_TS:
  case MD_FIELD_U64:
  case MD_FIELD_U32:
  case MD_FIELD_U16:
  case MD_FIELD_LAG:
    (void)snprintf(value, sizeof value, "%u", 1000 + i);
    break;
  case MD_FIELD_PAD:
    return;
  }
  (void)snprintf(want, sizeof want, ",\"%s\":%s", f->name, value);
  const char *at = strstr(json, want);
  cr_assert(at, "%s is not in %s", want, json);
  cr_assert(strchr(",}", at[strlen(want)]), "%s goes on in %s", want, json);
}

/* Strings closed, brackets paired, no control character: enough to catch a writer that slips. */
static void
expect_well_formed(const char *text) {
  char     open[64];
  unsigned depth     = 0;
  bool     in_string = false;
  for (const char *p = text; *p; p++) {
    cr_assert_geq((unsigned char)*p, 0x20);
    if (in_string) {
      if (*p == '\\')
        p++;
      else if (*p == '"')
        in_string = false;
      continue;
    }
    if (*p == '"') in_string = true;
    if (*p == '{' || *p == '[') {
      cr_assert_lt(depth, sizeof open);
      open[depth++] = *p;
    }
    if (*p == '}' || *p == ']') {
      cr_assert_gt(depth, 0);
      cr_assert_eq(open[--depth], *p == '}' ? '{' : '[');
      if (depth == 0) cr_assert_eq(p[1], 0, "text behind the object: %s", text);
    }
  }
  cr_assert(depth == 0 && !in_string, "not closed: %s", text);
}

Test(record, json_holds_every_field_of_every_type) {
  for (unsigned type = 1; type < MD_RECORD_TYPE_END; type++) {
    const md_record_info_t *info = md_record_info(type);
    md_record_t            *rec  = make_record(type);
    cr_assert_eq(md_record_check(rec, rec->len), MD_OK, "%s", info->name);
    size_t len = md_record_json(rec, "A\tB", json, sizeof json);
    cr_assert_eq(len, strlen(json));
    expect_well_formed(json);
    char head[64];
    (void)snprintf(head, sizeof head, "{\"type\":\"%s\",\"stream\":2,\"epoch\":4,\"seq\":7,",
                   info->name);
    cr_assert_eq(strncmp(json, head, strlen(head)), 0, "%s", json);
    cr_assert(strstr(json, "\"symbol\":\"A\\u0009B\",\"leg\":1,\"flags\":[\"LAST\",\"REST\"],"
                           "\"exch_seq\":8,\"raw_lo\":6,\"ts_exch_ns\":9,\"ts_recv_ns\":10,"
                           "\"ts_pub_ns\":11"));
    if (type == MD_RECORD_RAW) continue;
    for (uint32_t i = 0; i < info->field_cnt; i++) {
      const char *name = info->fields[i].name;
      if (strcmp(name, "bid_cnt") == 0 || strcmp(name, "ask_cnt") == 0) continue;
      if (strcmp(name, "inner") == 0) continue;
      expect_json_field(&info->fields[i], i);
    }
  }
}

Test(record, json_shows_variable_parts) {
  (void)md_record_json(make_record(MD_RECORD_RAW), NULL, json, sizeof json);
  cr_assert(strstr(json, "\"name\":\"conn\",\"payload\":\"{\\\"a\\\":1}\"}"), "%s", json);
  cr_assert_null(strstr(json, "\"symbol\""));
  (void)md_record_json(make_record(MD_RECORD_BOOK_DELTA), NULL, json, sizeof json);
  cr_assert(strstr(json, "\"bids\":[[\"50\",\"0\"],[\"50.01\",\"0.00001\"]],\"asks\":[[\"50.02\","
                         "\"0.00002\"]]}"),
            "%s", json);
  md_record_t *rec = make_checkpoint_definition();
  cr_assert_eq(md_record_check(rec, rec->len), MD_OK);
  (void)md_record_json(rec, NULL, json, sizeof json);
  expect_well_formed(json);
  cr_assert(strstr(json, "\"definition\":{\"type\":\"definition\",\"symbol\":\"S0\\\"\""), "%s",
            json);
}

Test(record, json_writes_absent_values_as_null) {
  md_record_t *rec   = make_record(MD_RECORD_TRADE);
  md_trade_t  *trade = md_record_body(rec);
  rec->ts_exch_ns    = MD_NULL_I64;
  rec->leg           = MD_LEG_NONE;
  trade->px          = MD_NULL_I64;
  trade->trade_id    = MD_NULL_U64;
  trade->ts_match_ns = MD_NULL_I64;
  trade->side        = MD_SIDE_NONE;
  (void)md_record_json(rec, NULL, json, sizeof json);
  cr_assert(strstr(json, "\"px\":null,"), "%s", json);
  cr_assert(strstr(json, "\"trade_id\":null,\"ts_match_ns\":null,\"side\":null"), "%s", json);
  cr_assert(strstr(json, "\"ts_exch_ns\":null"), "%s", json);
  cr_assert_null(strstr(json, "\"leg\""));
  rec            = make_record(MD_RECORD_INDEX);
  md_index_t *ix = md_record_body(rec);
  ix->index_px   = MD_DEC128_NULL;
  (void)md_record_json(rec, NULL, json, sizeof json);
  cr_assert(strstr(json, "\"index_px\":null"), "%s", json);
}

Test(record, json_writes_bytes_that_are_no_text_as_base64) {
  static const struct {
    uint8_t     kind;
    const char *payload;
    uint32_t    len;
    const char *want;
  } rows[] = {
      {MD_RAW_BINARY_IN, "abc", 3, "\"payload_base64\":\"YWJj\"}"},
      {MD_RAW_BINARY_IN, "ab", 2, "\"payload_base64\":\"YWI=\"}"},
      {MD_RAW_BINARY_IN, "a", 1, "\"payload_base64\":\"YQ==\"}"},
      {MD_RAW_TEXT_IN, "\xff\xfe", 2, "\"payload_base64\":\"//4=\"}"},
      {MD_RAW_TEXT_IN, "\xe2\x82", 2,
       "\"payload_base64\":\"4oI=\"}"}, /* a part cut in a character */
      {MD_RAW_TEXT_IN, "\xe2\x82\xac", 3, "\"payload\":\"\xe2\x82\xac\"}"},
      {MD_RAW_TEXT_IN, "\xed\xa0\x80", 3, "\"payload_base64\":\"7aCA\"}"}, /* a surrogate */
  };
  for (size_t i = 0; i < MD_CNT(rows); i++) {
    md_record_t *rec = make_record(MD_RECORD_RAW);
    md_raw_t    *raw = md_record_body(rec);
    raw->kind        = rows[i].kind;
    raw->name_len    = 0;
    raw->part_len    = rows[i].len;
    raw->total_len   = rows[i].len;
    memcpy(raw + 1, rows[i].payload, rows[i].len);
    rec->len = (uint16_t)(sizeof *rec + sizeof *raw + md_align_up(rows[i].len, 8));
    cr_assert_eq(md_record_check(rec, rec->len), MD_OK);
    cr_assert_gt(md_record_json(rec, NULL, json, sizeof json), 0);
    cr_assert(strstr(json, rows[i].want), "%s", json);
  }
}

Test(record, json_that_does_not_fit_is_zero_and_empty) {
  md_record_t *rec = make_record(MD_RECORD_TICKER);
  size_t       len = md_record_json(rec, NULL, json, sizeof json);
  cr_assert_eq(md_record_json(rec, NULL, json, len + 1), len);
  for (size_t room = 0; room <= len; room++) {
    char *small = malloc(room ? room : 1);
    cr_assert_eq(md_record_json(rec, NULL, small, room), 0, "room %zu", room);
    free(small);
  }
}

/* ---- checks ---- */

Test(record, check_refuses_every_truncation) {
  for (unsigned type = 1; type < MD_RECORD_TYPE_END; type++) {
    md_record_t *rec = make_record(type);
    uint16_t     len = rec->len;
    for (uint16_t avail = 0; avail < len; avail++) {
      uint8_t *copy = malloc(avail ? avail : 1);
      memcpy(copy, rec, avail);
      cr_assert_eq(md_record_check(copy, avail), MD_ERR_CORRUPT);
      free(copy);
    }
    for (uint16_t cut = 0; cut < len; cut = (uint16_t)(cut + 8)) {
      uint16_t least = (uint16_t)(sizeof *rec + md_record_info(type)->body_bytes);
      rec->len       = cut;
      if (cut < least) cr_assert_eq(md_record_check(rec, len), MD_ERR_CORRUPT, "len %u", cut);
    }
  }
}

Test(record, check_refuses_what_the_counts_do_not_allow) {
  md_record_t     *rec   = make_record(MD_RECORD_BOOK_DELTA);
  md_book_delta_t *delta = md_record_body(rec);
  delta->bid_cnt         = 3;
  cr_assert_eq(md_record_check(rec, rec->len), MD_ERR_CORRUPT);
  delta->bid_cnt = 2;
  cr_assert_eq(md_record_check(rec, rec->len), MD_OK);
  rec->len = (uint16_t)(rec->len + 4);
  cr_assert_eq(md_record_check(rec, sizeof record_bytes), MD_ERR_CORRUPT, "not a multiple of 8");
  rec->len  = (uint16_t)(rec->len - 4);
  rec->type = 0;
  cr_assert_eq(md_record_check(rec, rec->len), MD_ERR_CORRUPT, "a pad is no record");

  rec           = make_record(MD_RECORD_RAW);
  md_raw_t *raw = md_record_body(rec);
  raw->part_off = 1;
  cr_assert_eq(md_record_check(rec, rec->len), MD_ERR_CORRUPT, "a part behind the end");
  raw->part_off = UINT32_MAX - 3;
  cr_assert_eq(md_record_check(rec, rec->len), MD_ERR_CORRUPT, "a sum that wraps");

  rec                  = make_record(MD_RECORD_DEFINITION);
  md_definition_t *def = md_record_body(rec);
  memset(def->base, 'x', sizeof def->base);
  cr_assert_eq(md_record_check(rec, rec->len), MD_ERR_CORRUPT, "a name without its NUL");

  rec                         = make_record(MD_RECORD_CHECKPOINT);
  md_checkpoint_t *checkpoint = md_record_body(rec);
  checkpoint->inner           = MD_CHECKPOINT_DEFINITION;
  cr_assert_eq(md_record_check(rec, rec->len), MD_ERR_CORRUPT, "no room for a definition");
  checkpoint->inner = 9;
  cr_assert_eq(md_record_check(rec, rec->len), MD_ERR_CORRUPT, "no such kind");
}

/* Random bytes are changed in a record; the checker reads within its bytes only (the copy has no
 * byte more, so the address sanitizer sees one that does), and what it accepts can be printed. */
Test(record, mutated_records_are_refused_or_printable) {
  const unsigned seed =
      getenv("MD_SEED") ? (unsigned)strtoul(getenv("MD_SEED"), NULL, 10) : 20240917u;
  uint64_t state = seed | 1;
  unsigned kept = 0, refused = 0;
  for (unsigned turn = 0; turn < 60000; turn++) {
    unsigned     type = 1 + turn % (MD_RECORD_TYPE_END - 1);
    md_record_t *rec  = turn % 50 == 0 ? make_checkpoint_definition() : make_record(type);
    size_t       len  = rec->len;
    uint8_t     *copy = malloc(len);
    memcpy(copy, rec, len);
    for (unsigned i = 0; i <= turn % 4; i++) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      copy[(state >> 16) % (turn % 3 ? 100 : len) % len] = (uint8_t)(state >> 40);
    }
    if (md_record_check(copy, len) == MD_OK) {
      kept++;
      cr_assert_gt(md_record_json((const md_record_t *)(void *)copy, NULL, json, sizeof json), 0);
      expect_well_formed(json);
    } else {
      refused++;
    }
    free(copy);
  }
  cr_assert(kept > 1000 && refused > 1000, "seed %u: kept %u, refused %u", seed, kept, refused);
}

Test(record, names_of_states_and_reasons) {
  cr_assert_str_eq(md_book_state_name(MD_BOOK_VALID), "VALID");
  cr_assert_str_eq(md_book_state_name(4), "?");
  cr_assert_str_eq(md_reason_name(MD_REASON_SEQUENCE), "SEQUENCE");
  cr_assert_str_eq(md_reason_name(MD_REASON_OPERATOR), "OPERATOR");
  cr_assert_str_eq(md_reason_name(MD_REASON_CNT), "?");
}

/* The page for readers in other languages says every field where it is. */
Test(record, readme_has_the_row_of_every_type) {
  static const char *const kinds[] = {"PX", "QTY",  "D128", "TS",  "U64", "U32",   "U16",
                                      "U8", "BOOL", "SIDE", "LAG", "SYM", "ASSET", "PAD"};
  static char              page[1u << 16];
  FILE                    *file = fopen("shm/README.md", "r");
  cr_assert(file);
  page[fread(page, 1, sizeof page - 1, file)] = 0;
  (void)fclose(file);
  for (unsigned type = 1; type < MD_RECORD_TYPE_END; type++) {
    const md_record_info_t *info = md_record_info(type);
    char                   *row  = NULL;
    size_t                  bytes;
    const char             *comma = "";
    FILE                   *text  = open_memstream(&row, &bytes);
    (void)fprintf(text, "| %u | %s | %u | ", type, info->name, info->body_bytes);
    for (uint32_t i = 0; i < info->field_cnt; i++) {
      const md_field_t *f = &info->fields[i];
      if (f->kind == MD_FIELD_PAD) continue;
      (void)fprintf(text, "%s%u `%s` %s", comma, f->off, f->name, kinds[f->kind]);
      comma = ", ";
    }
    (void)fprintf(text, " |\n");
    (void)fclose(text);
    cr_assert(strstr(page, row), "shm/README.md needs this row: %s", row);
    free(row);
  }
}
