/* test_manifest_repair - a MANIFEST that is damaged anywhere, or gone, is made again: what stood in
 * whole lines is as it was, what the segments know is known again, and no number that was given out
 * is given out again. */
#include "tests/fault/journal_make.h"
#include "writers/journal_check.h"
#include "writers/journal_repair.h"

#include <criterion/criterion.h>
#include <fcntl.h>

#define SEGMENT_CNT 3u

static const make_config_t shape = {.segment_cnt = SEGMENT_CNT, .block_cnt = 4, .record_cnt = 20};

typedef struct place {
  char           dir[64], path[80];
  md_manifest_t *before; /* what was known, read only */
  char           text[8192];
  size_t         bytes;
} place_t;

static md_manifest_t *
reopen(const place_t *p) {
  md_manifest_t *m   = NULL;
  md_msg_t       msg = {0};
  cr_assert_eq(md_manifest_open(p->dir, false, false, &m, &msg), MD_OK, "%s", msg.text);
  return m;
}

static void
open_place(place_t *p) {
  memset(p, 0, sizeof *p);
  (void)snprintf(p->dir, sizeof p->dir, "/tmp/mdengine-manifest-XXXXXX");
  cr_assert(mkdtemp(p->dir) != NULL);
  make_journal(p->dir, &shape);
  (void)snprintf(p->path, sizeof p->path, "%s/MANIFEST", p->dir);
  md_manifest_t *m = NULL;
  cr_assert_eq(md_manifest_open(p->dir, true, false, &m, NULL), MD_OK);
  for (uint32_t id = 10; id < 18; id++) {
    char symbol[16];
    (void)snprintf(symbol, sizeof symbol, "SYM %u", id);
    cr_assert_eq(md_manifest_instrument(m, id, "one", symbol, NULL), MD_OK);
  }
  md_manifest_close(m);
  p->before = reopen(p);
  int fd    = open(p->path, O_RDONLY);
  p->bytes  = (size_t)read(fd, p->text, sizeof p->text);
  (void)close(fd);
}

static void
put(const place_t *p, const char *text, size_t bytes) {
  int fd = open(p->path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
  cr_assert_eq(write(fd, text, bytes), (ssize_t)bytes);
  (void)close(fd);
}

static void
close_place(place_t *p) {
  char command[128];
  md_manifest_close(p->before);
  (void)snprintf(command, sizeof command, "rm -rf -- '%s'", p->dir);
  cr_assert_eq(system(command), 0);
}

/* Repairs; nothing of before may be given out again, and a second repair has nothing to do. */
static md_journal_repaired_t
expect_mended(place_t *p) {
  md_journal_repaired_t out, again;
  md_clock_manual_t     time  = {.real_ns = MAKE_BEGIN_NS, .mono_ns = 1};
  md_clock_t            clock = md_clock_manual(&time);
  md_journal_check_t    c;
  md_msg_t              msg = {0};
  cr_assert_eq(md_journal_repair(NULL, p->dir, &clock, &out, &msg), MD_OK, "%s", msg.text);
  md_manifest_t *m = reopen(p), *b = p->before;
  cr_assert_eq(memcmp(md_manifest_uuid(m), md_manifest_uuid(b), 16), 0);
  cr_assert_geq(md_manifest_last_epoch(m), md_manifest_last_epoch(b));
  cr_assert_geq(md_manifest_next_instrument(m), md_manifest_next_instrument(b));
  cr_assert_geq(md_manifest_last_segment(m), md_manifest_last_segment(b));
  cr_assert_eq(md_journal_check_run(NULL, p->dir, md_manifest_uuid(m), &c, &msg), MD_OK);
  cr_assert_eq(c.damaged_cnt + c.missing_cnt, 0);
  md_journal_check_free(&c);
  md_manifest_close(m);
  cr_assert_eq(md_journal_repair(NULL, p->dir, &clock, &again, &msg), MD_OK, "%s", msg.text);
  cr_assert_eq(again.manifest.made_cnt, 0);
  return out;
}

Test(manifest_repair, a_byte_that_changed_anywhere_costs_no_more_than_its_line, .timeout = 60) {
  place_t p;
  open_place(&p);
  for (size_t at = 0; at + 60 < p.bytes; at += 7) { /* the last line may be torn: it is cut */
    char changed[sizeof p.text];
    memcpy(changed, p.text, p.bytes);
    changed[at] ^= 0x15;
    put(&p, changed, p.bytes);
    md_journal_repaired_t out = expect_mended(&p);
    cr_assert_geq(out.manifest.damaged_cnt, 1, "byte %zu", at);
    cr_assert_leq(out.manifest.damaged_cnt, 2, "byte %zu", at); /* a newline more makes two */
    md_manifest_t *m     = reopen(&p);
    uint32_t       equal = 0;
    for (uint32_t id = 10; id < 18; id++) {
      const md_manifest_instrument_t *i    = md_manifest_instrument_by_id(m, id);
      const md_manifest_instrument_t *want = md_manifest_instrument_by_id(p.before, id);
      equal += i && strcmp(i->symbol, want->symbol) == 0 && strcmp(i->feed, want->feed) == 0;
    }
    cr_assert_geq(equal, 6, "byte %zu: %u of 8 instruments", at, equal);
    for (uint16_t id = 1; id <= MAKE_STREAM_CNT; id++) {
      const char *name = md_manifest_stream_name(m, id);
      cr_assert_not_null(name, "byte %zu, stream %u", at, id);
      cr_assert(strcmp(name, md_manifest_stream_name(p.before, id)) == 0 ||
                    out.manifest.lost_cnt > 0,
                "byte %zu: stream %u is %s", at, id, name);
    }
    md_manifest_close(m);
  }
  char kept[128];
  (void)snprintf(kept, sizeof kept, "%s.damaged", p.path);
  cr_assert_eq(access(kept, R_OK), 0);
  close_place(&p);
}

Test(manifest_repair, without_a_manifest_the_segments_say_whose_they_are) {
  place_t p;
  open_place(&p);
  cr_assert_eq(unlink(p.path), 0);
  md_journal_repaired_t out = expect_mended(&p);
  cr_assert_eq(out.manifest.kept_cnt, 0);
  cr_assert_eq(out.manifest.lost_cnt, MAKE_STREAM_CNT, "no connection of ours, no definition");
  md_manifest_t *m = reopen(&p);
  cr_assert_str_eq(md_manifest_stream_name(m, 2), "lost-2");
  int64_t begun_ns;
  cr_assert(!md_manifest_epoch_begun(m, md_manifest_last_epoch(m), &begun_ns), "nobody knows when");
  md_manifest_close(m);
  close_place(&p);
}

Test(manifest_repair, a_folder_without_manifest_and_segments_is_no_journal) {
  md_manifest_repaired_t out;
  md_msg_t               msg   = {0};
  char                   dir[] = "/tmp/mdengine-manifest-XXXXXX";
  cr_assert(mkdtemp(dir) != NULL);
  cr_assert_eq(md_manifest_repair(NULL, dir, &out, &msg), MD_ERR_ABSENT);
  cr_assert(strstr(msg.text, "whose journal") != NULL, "%s", msg.text);
  cr_assert_eq(rmdir(dir), 0, "it is left as it was");
}

Test(manifest_repair, an_engine_that_holds_the_journal_is_not_disturbed) {
  place_t p;
  open_place(&p);
  md_manifest_t         *holder = NULL;
  md_manifest_repaired_t out;
  md_msg_t               msg = {0};
  cr_assert_eq(md_manifest_open(p.dir, true, false, &holder, NULL), MD_OK);
  put(&p, "journal", 7);
  cr_assert_eq(md_manifest_repair(NULL, p.dir, &out, &msg), MD_ERR_EXISTS, "%s", msg.text);
  md_manifest_close(holder);
  close_place(&p);
}
