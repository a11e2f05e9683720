/* Golden files of the format: what was written once is read for ever, the same input gives the same
 * bytes, and what a newer version wrote is refused with a text that says so. */
#include "tests/fault/golden_journal.h"
#include "writers/journal_check.h"

#include <criterion/criterion.h>
#include <fcntl.h>

#define GOLDEN "tests/fixtures/journal"
#define OLD    GOLDEN "/old" /* of the first format: versions 1 and 2 */

static char *
read_text(const char *path, size_t *len) {
  FILE *f = fopen(path, "r");
  cr_assert(f != NULL, "%s", path);
  char *text = calloc(1, 1u << 20);
  *len       = fread(text, 1, (1u << 20) - 1, f);
  (void)fclose(f);
  return text;
}

static void
expect_records(const char *dir, const char *list) {
  char  *got = NULL;
  size_t got_len, want_len;
  char  *want = read_text(list, &want_len);
  FILE  *f    = open_memstream(&got, &got_len);
  golden_list(dir, f);
  (void)fclose(f);
  cr_assert_gt(want_len, 5000);
  cr_assert_str_eq(got, want);
  free(got);
  free(want);
}

Test(journal_golden, plain_and_packed_journals_give_the_records_that_went_in) {
  expect_records(GOLDEN "/plain", GOLDEN "/records.txt");
  expect_records(GOLDEN "/packed", GOLDEN "/records.txt");
}

static bool
is_absent(const md_record_t *rec, const md_field_t *f) {
  static const uint8_t zero[MD_SYMBOL_BYTES];
  const uint8_t       *at       = (const uint8_t *)md_record_body_const(rec) + f->off;
  const int64_t        none     = MD_NULL_I64;
  const uint64_t       none_u   = MD_NULL_U64;
  const md_dec128_t    none_dec = MD_DEC128_NULL;
  if (f->kind == MD_FIELD_PX || f->kind == MD_FIELD_QTY || f->kind == MD_FIELD_TS)
    return memcmp(at, &none, sizeof none) == 0;
  if (f->kind == MD_FIELD_U64) return memcmp(at, &none_u, sizeof none_u) == 0;
  if (f->kind == MD_FIELD_D128) return memcmp(at, &none_dec, sizeof none_dec) == 0;
  return memcmp(at, zero, f->bytes) == 0;
}

/* The line of a record as the mdengine wrote it that made the files: without what came later, which
 * must be absent. */
static void
list_as_it_was(const md_record_t *rec, FILE *out) {
  const md_record_info_t    *info = md_record_info(rec->type);
  const uint32_t             old  = md_record_old_bytes(rec->type);
  static _Alignas(8) uint8_t copy[MD_RECORD_BYTES_MAX];
  md_record_t               *was = (md_record_t *)(void *)copy;
  memcpy(copy, rec, rec->len);
  for (uint32_t i = 0; i < info->field_cnt; i++)
    if (info->fields[i].off >= old)
      cr_assert(is_absent(rec, &info->fields[i]), "%s.%s", info->name, info->fields[i].name);
  if (old != info->body_bytes) was->len = (uint16_t)(sizeof *was + old);
  (void)fprintf(out, "%s %u %u %" PRIu64 " %" PRId64 " %08x\n", info->name, was->stream, was->epoch,
                was->seq, was->ts_pub_ns, md_crc32c(0, was, was->len));
}

static void
expect_old_records(const char *dir) {
  char                *got = NULL;
  size_t               got_len, want_len;
  char                *want = read_text(OLD "/records.txt", &want_len);
  FILE                *f    = open_memstream(&got, &got_len);
  md_journal_reader_t *r    = NULL;
  const md_record_t   *rec;
  cr_assert_eq(md_journal_reader_open(dir, &r, NULL), MD_OK);
  while (md_journal_reader_next(r, &rec, NULL, NULL) == MD_OK) {
    cr_assert_eq(md_record_check(rec, rec->len), MD_OK);
    list_as_it_was(rec, f);
  }
  md_journal_reader_close(r);
  (void)fclose(f);
  cr_assert_gt(want_len, 5000);
  cr_assert_str_eq(got, want);
  free(got);
  free(want);
}

Test(journal_golden, journals_of_the_first_format_give_their_records_with_later_fields_absent) {
  expect_old_records(OLD "/plain");
  expect_old_records(OLD "/packed");
}

Test(journal_golden, both_are_whole_with_their_indexes) {
  const char *const dirs[] = {GOLDEN "/plain", GOLDEN "/packed", OLD "/plain", OLD "/packed"};
  for (size_t i = 0; i < MD_CNT(dirs); i++) {
    md_journal_check_t c;
    cr_assert_eq(md_journal_check_run(NULL, dirs[i], NULL, &c, NULL), MD_OK);
    cr_assert_eq(c.damaged_cnt + c.missing_cnt + c.repeat_cnt + c.index_bad, 0);
    cr_assert_eq(c.index_cnt, GOLDEN_SEGMENT_CNT);
    cr_assert_eq(c.packed_cnt, i % 2 ? GOLDEN_SEGMENT_CNT - 1 : 0);
    md_journal_check_free(&c);
  }
}

typedef struct place {
  char dir[64];
} place_t;

static void
open_place(place_t *p) {
  (void)snprintf(p->dir, sizeof p->dir, "/tmp/mdengine-golden-XXXXXX");
  cr_assert(mkdtemp(p->dir) != NULL);
}

static void
run(const char *command_line, const char *dir) {
  char command[300];
  (void)snprintf(command, sizeof command, "%s '%s'", command_line, dir);
  cr_assert_eq(system(command), 0, "%s", command);
}

static void
close_place(place_t *p) {
  run("rm -rf --", p->dir);
}

/* Packed bytes depend on the version of zstd; those of plain segments and indexes on nothing. */
Test(journal_golden, the_same_input_gives_the_same_bytes) {
  place_t p;
  open_place(&p);
  golden_make(p.dir, false);
  run("diff -r " GOLDEN "/plain", p.dir);
  close_place(&p);
}

/* Packed, a segment of the first format stays one of it; a new one stands behind it. */
Test(journal_golden, an_old_journal_is_packed_in_its_own_format_and_continued_in_the_new_one) {
  place_t           p;
  md_journal_head_t head;
  open_place(&p);
  run("cp " OLD "/plain/*", p.dir);
  make_packed(p.dir, GOLDEN_SEGMENT_CNT, 4096);
  expect_old_records(p.dir);
  cr_assert_eq(md_journal_head_read(NULL, p.dir, 1, NULL, &head), MD_OK);
  cr_assert_eq(head.version, MD_JOURNAL_OLD_PACKED);
  close_place(&p);
  open_place(&p);
  golden_make(p.dir, true);
  cr_assert_eq(md_journal_head_read(NULL, p.dir, 1, NULL, &head), MD_OK);
  cr_assert_eq(head.version, MD_JOURNAL_PACKED);
  close_place(&p);
}

/* ---- newer versions ---- */

static void
patch(const char *path, uint64_t off, const void *data, size_t len) {
  int fd = open(path, O_WRONLY);
  cr_assert_eq(pwrite(fd, data, len, (off_t)off), (ssize_t)len);
  (void)close(fd);
}

static void
expect_refusal(const char *dir, const char *version) {
  md_journal_check_t   c;
  md_journal_reader_t *r   = NULL;
  const md_record_t   *rec = NULL;
  md_msg_t             msg = {0};
  md_err_t             err = md_journal_reader_open(dir, &r, &msg);
  while (err == MD_OK)
    err = md_journal_reader_next(r, &rec, NULL, &msg);
  md_journal_reader_close(r);
  cr_assert_eq(err, MD_ERR_VERSION, "%s", md_err_name(err));
  cr_assert(strstr(msg.text, version) != NULL, "%s", msg.text);
  cr_assert(strstr(msg.text, "use the mdengine that wrote it, or a newer one") != NULL, "%s",
            msg.text);
  err = md_journal_check_run(NULL, dir, NULL, &c, &msg);
  md_journal_check_free(&c);
  cr_assert(strcmp(version, "version 2;") == 0 || err == MD_ERR_VERSION);
}

static void
copy_golden(place_t *p) {
  open_place(p);
  run("cp " GOLDEN "/plain/*", p->dir);
}

Test(journal_golden, a_newer_manifest_is_refused) {
  place_t     p;
  char        path[200], line[120];
  const char *text = "journal 2 " MAKE_UUID;
  copy_golden(&p);
  (void)snprintf(path, sizeof path, "%s/MANIFEST", p.dir);
  (void)snprintf(line, sizeof line, "%s crc=%08x\n", text, md_crc32c(0, text, strlen(text)));
  patch(path, 0, line, strlen(line));
  expect_refusal(p.dir, "version 2;");
  close_place(&p);
}

Test(journal_golden, a_newer_segment_is_refused) {
  place_t           p;
  char              path[MD_JOURNAL_PATH_BYTES];
  md_journal_head_t head;
  copy_golden(&p);
  cr_assert_eq(md_journal_head_read(NULL, p.dir, 2, NULL, &head), MD_OK);
  head.version = MD_JOURNAL_PACKED + 1;
  head.crc     = md_crc32c(0, &head, offsetof(md_journal_head_t, crc));
  md_journal_path(p.dir, 2, path);
  patch(path, 0, &head, sizeof head);
  expect_refusal(p.dir, "version 5;");
  close_place(&p);
}

Test(journal_golden, a_newer_block_is_refused_but_a_flipped_version_is_damage) {
  place_t             p;
  char                path[MD_JOURNAL_PATH_BYTES];
  md_journal_buffer_t buf = {0};
  copy_golden(&p);
  md_journal_path(p.dir, 1, path);
  int fd = open(path, O_RDONLY);
  cr_assert_eq(md_journal_load(&buf, fd, 1, 4096, UINT64_MAX), MD_OK);
  (void)close(fd);
  md_journal_block_t *block = (md_journal_block_t *)(void *)buf.data;
  block->version            = MD_JOURNAL_PACKED + 1;
  patch(path, 4096, block, sizeof *block);
  md_journal_check_t c;
  cr_assert_eq(md_journal_check_run(NULL, p.dir, NULL, &c, NULL), MD_OK, "the checksum is wrong");
  cr_assert_eq(c.damaged_cnt, 1);
  md_journal_check_free(&c);
  block->crc = md_crc32c(0, (const uint8_t *)block + 8, block->block_bytes - 8u);
  patch(path, 4096, block, sizeof *block);
  expect_refusal(p.dir, "version 5;");
  md_journal_buffer_fini(&buf);
  close_place(&p);
}

Test(journal_golden, a_newer_index_is_told_and_not_used) {
  place_t                 p;
  char                    path[MD_JOURNAL_PATH_BYTES];
  size_t                  len;
  md_journal_index_t      x;
  md_msg_t                msg = {0};
  md_journal_index_head_t head;
  copy_golden(&p);
  md_journal_index_path(p.dir, 1, path);
  char *bytes = read_text(path, &len);
  memcpy(&head, bytes, sizeof head);
  head.version++;
  patch(path, 0, &head, sizeof head); /* the checksum begins behind the version */
  cr_assert_eq(md_journal_index_read(NULL, p.dir, 1, NULL, &x, &msg), MD_ERR_VERSION);
  cr_assert(strstr(msg.text, "version 2;") != NULL, "%s", msg.text);
  cr_assert(strstr(msg.text, "use the mdengine that wrote it") != NULL, "%s", msg.text);
  md_journal_reader_t *r = NULL;
  cr_assert_eq(md_journal_reader_open(p.dir, &r, NULL), MD_OK);
  cr_assert_eq(md_journal_reader_seek(r, 1, 1, 20, NULL), MD_OK, "a seek does without it");
  md_journal_reader_close(r);
  free(bytes);
  close_place(&p);
}
