/* Repair: every damage ends in a journal that reads from end to end, with exactly the lost
 * sequences declared, nothing else changed, the original kept, and nothing to do the second time.
 */
#include "tests/fault/journal_make.h"
#include "writers/journal_check.h"
#include "writers/journal_repair.h"

#include <criterion/criterion.h>
#include <fcntl.h>

#define SEGMENT_CNT 6u

static const make_config_t shape = {.segment_cnt = SEGMENT_CNT, .block_cnt = 20, .record_cnt = 60};

typedef struct place {
  char              dir[64];
  md_clock_manual_t time;
  md_clock_t        clock;
  uint64_t          random;
} place_t;

static void
open_place(place_t *p, bool packed, bool indexed) {
  *p       = (place_t){.time = {.real_ns = MAKE_BEGIN_NS, .mono_ns = 1}, .random = 7};
  p->clock = md_clock_manual(&p->time);
  (void)snprintf(p->dir, sizeof p->dir, "/tmp/mdengine-repair-XXXXXX");
  cr_assert(mkdtemp(p->dir) != NULL);
  make_journal(p->dir, &shape);
  if (packed) make_packed(p->dir, SEGMENT_CNT, 8192);
  if (indexed) make_indexes(p->dir, SEGMENT_CNT);
}

static void
close_place(place_t *p) {
  char command[128];
  (void)snprintf(command, sizeof command, "rm -rf -- '%s'", p->dir);
  cr_assert_eq(system(command), 0);
}

static uint64_t
bytes_of(const place_t *p, uint64_t segment) {
  char path[MD_JOURNAL_PATH_BYTES];
  md_journal_path(p->dir, segment, path);
  int     fd    = open(path, O_RDONLY);
  int64_t bytes = md_disk_size(NULL, fd);
  (void)close(fd);
  return (uint64_t)bytes;
}

static void
flip(const place_t *p, uint64_t segment, uint64_t off) {
  char    path[MD_JOURNAL_PATH_BYTES];
  uint8_t byte;
  md_journal_path(p->dir, segment, path);
  int fd = open(path, O_RDWR);
  cr_assert_eq(pread(fd, &byte, 1, (off_t)off), 1);
  byte ^= 0x10;
  cr_assert_eq(pwrite(fd, &byte, 1, (off_t)off), 1);
  (void)close(fd);
}

static md_journal_check_t
check(const place_t *p) {
  md_journal_check_t c;
  md_msg_t           msg = {0};
  cr_assert_eq(md_journal_check_run(NULL, p->dir, NULL, &c, &msg), MD_OK, "%s", msg.text);
  return c;
}

static md_journal_repaired_t
repair(place_t *p) {
  md_journal_repaired_t out;
  md_msg_t              msg = {0};
  cr_assert_eq(md_journal_repair(NULL, p->dir, &p->clock, &out, &msg), MD_OK, "%s", msg.text);
  return out;
}

/* Repairs, and holds the result against what was known before. */
static md_journal_repaired_t
expect_mended(place_t *p, uint64_t declared_before) {
  md_journal_check_t    before = check(p);
  md_journal_repaired_t out    = repair(p);
  md_journal_check_t    after  = check(p);
  cr_assert_eq(after.damaged_cnt, 0, "%s", after.first);
  cr_assert_eq(after.missing_cnt + after.repeat_cnt + after.torn_bytes, 0);
  cr_assert_eq(after.declared_cnt, before.declared_cnt + before.missing_cnt);
  cr_assert_eq(out.declared_cnt, before.missing_cnt);
  cr_assert_geq(after.record_cnt, before.record_cnt);
  cr_assert_geq(after.index_cnt, SEGMENT_CNT - 1);
  cr_assert_eq(after.index_bad, 0);
  cr_assert_geq(after.declared_cnt, declared_before);
  md_journal_check_free(&before);
  md_journal_check_free(&after);
  md_journal_repaired_t again = repair(p);
  cr_assert_eq(again.segment_cnt + again.stretch_cnt + again.cut_bytes + again.index_cnt, 0);
  return out;
}

static void
damage_and_mend(bool packed, bool indexed) {
  for (uint32_t n = 0; n < 24; n++) {
    place_t p;
    open_place(&p, packed, indexed);
    p.random         = n;
    uint64_t segment = 0;
    for (uint32_t i = 0; i <= n % 3; i++) {
      segment = 1 + make_random(&p.random) % (SEGMENT_CNT - 1);
      flip(&p, segment, make_random(&p.random) % bytes_of(&p, segment));
    }
    md_journal_check_t    c   = check(&p);
    md_journal_repaired_t out = expect_mended(&p, c.declared_cnt);
    cr_assert_eq(out.stretch_cnt, c.damaged_cnt);
    if (c.damaged_cnt > 0) {
      char kept[MD_JOURNAL_PATH_BYTES + 16], path[MD_JOURNAL_PATH_BYTES];
      md_journal_path(p.dir, c.damaged[0].segment, path);
      (void)snprintf(kept, sizeof kept, "%s.damaged", path);
      cr_assert_eq(access(kept, R_OK), 0, "the original is kept");
    }
    md_journal_check_free(&c);
    close_place(&p);
  }
}

Test(journal_repair, random_damage_plain_with_indexes, .timeout = 60) {
  damage_and_mend(false, true);
}

Test(journal_repair, random_damage_plain_without_indexes, .timeout = 60) {
  damage_and_mend(false, false);
}

Test(journal_repair, random_damage_packed_with_indexes, .timeout = 60) {
  damage_and_mend(true, true);
}

Test(journal_repair, random_damage_packed_without_indexes, .timeout = 60) {
  damage_and_mend(true, false);
}

Test(journal_repair, a_damaged_header_is_made_as_it_was) {
  for (uint64_t segment = 1; segment <= SEGMENT_CNT; segment++) {
    place_t           p;
    md_journal_head_t was, is;
    open_place(&p, false, true);
    cr_assert_eq(md_journal_head_read(NULL, p.dir, segment, NULL, &was), MD_OK);
    flip(&p, segment, 140);
    (void)expect_mended(&p, 0);
    cr_assert_eq(md_journal_head_read(NULL, p.dir, segment, NULL, &is), MD_OK);
    cr_assert_arr_eq(&was, &is, sizeof was);
    close_place(&p);
  }
}

Test(journal_repair, a_missing_segment_becomes_declared_loss) {
  place_t p;
  open_place(&p, false, false);
  md_journal_unlink(NULL, p.dir, 3);
  md_journal_repaired_t out = expect_mended(&p, 0);
  cr_assert_eq(out.segment_cnt, 1);
  cr_assert_gt(out.declared_cnt, 0);
  close_place(&p);
}

Test(journal_repair, a_torn_end_is_cut) {
  place_t p;
  char    path[MD_JOURNAL_PATH_BYTES];
  open_place(&p, false, false);
  md_journal_path(p.dir, SEGMENT_CNT, path);
  const uint64_t bytes = bytes_of(&p, SEGMENT_CNT);
  int            fd    = open(path, O_RDWR);
  cr_assert_eq(pwrite(fd, "BLKBjunk", 8, (off_t)bytes), 8);
  (void)close(fd);
  md_journal_repaired_t out = expect_mended(&p, 0);
  cr_assert_gt(out.cut_bytes, 0);
  cr_assert_eq(bytes_of(&p, SEGMENT_CNT), bytes);
  close_place(&p);
}

Test(journal_repair, a_whole_journal_stays_byte_for_byte) {
  place_t p;
  open_place(&p, true, true);
  md_journal_repaired_t out = repair(&p);
  cr_assert_eq(out.segment_cnt + out.stretch_cnt + out.cut_bytes + out.index_cnt, 0);
  close_place(&p);
}

Test(journal_repair, a_journal_that_an_engine_holds_is_refused) {
  place_t               p;
  md_manifest_t        *held = NULL;
  md_journal_repaired_t out;
  md_msg_t              msg = {0};
  open_place(&p, false, false);
  cr_assert_eq(md_manifest_open(p.dir, true, false, &held, NULL), MD_OK);
  cr_assert_eq(md_journal_repair(NULL, p.dir, &p.clock, &out, &msg), MD_ERR_EXISTS);
  md_manifest_close(held);
  close_place(&p);
}
