/* Packed segments, indexes and retention: the journal reads the same before, meanwhile and after,
 * a killed pass leaves nothing wrong, what a sink needs stays. */
#include "tests/fault/journal_make.h"
#include "writers/journal_check.h"
#include "writers/journal_tend.h"

#include <criterion/criterion.h>
#include <errno.h>

#define SEGMENT_CNT 6u
#define HOUR_NS     3600000000000

static const make_config_t shape = {.segment_cnt = SEGMENT_CNT, .block_cnt = 20, .record_cnt = 60};

typedef struct place {
  char                     dir[64];
  md_clock_manual_t        time;
  md_clock_t               clock;
  md_journal_tend_config_t cfg;
} place_t;

static void
open_place(place_t *p) {
  *p = (place_t){.time = {.real_ns = MAKE_BEGIN_NS + HOUR_NS, .mono_ns = 1}};
  (void)snprintf(p->dir, sizeof p->dir, "/tmp/mdengine-tend-XXXXXX");
  cr_assert(mkdtemp(p->dir) != NULL);
  p->clock = md_clock_manual(&p->time);
  p->cfg   = (md_journal_tend_config_t){.dir = p->dir, .clock = &p->clock};
  make_journal(p->dir, &shape);
}

static void
close_place(place_t *p) {
  char command[128];
  (void)snprintf(command, sizeof command, "rm -rf -- '%s'", p->dir);
  cr_assert_eq(system(command), 0);
}

typedef struct content {
  uint64_t record_cnt;
  uint32_t crc;
  uint64_t damage_cnt;
} content_t;

static content_t
content_from(md_journal_reader_t *r, content_t c) {
  const md_record_t  *rec;
  md_journal_damage_t damage;
  while (md_journal_reader_next(r, &rec, NULL, NULL) == MD_OK) {
    c.record_cnt++;
    c.crc = md_crc32c(c.crc, rec, rec->len);
  }
  md_journal_reader_damage(r, &damage);
  c.damage_cnt = damage.block_cnt;
  return c;
}

static content_t
content_of(const char *dir) {
  md_journal_reader_t *r = NULL;
  cr_assert_eq(md_journal_reader_open(dir, &r, NULL), MD_OK);
  content_t c = content_from(r, (content_t){0});
  md_journal_reader_close(r);
  return c;
}

static md_journal_tended_t
tend(place_t *p) {
  md_journal_tended_t out;
  md_msg_t            msg = {0};
  cr_assert_eq(md_journal_tend_pass(&p->cfg, &out, &msg), MD_OK, "%s", msg.text);
  return out;
}

static md_journal_check_t
check(place_t *p) {
  md_journal_check_t c;
  cr_assert_eq(md_journal_check_run(NULL, p->dir, NULL, &c, NULL), MD_OK);
  return c;
}

Test(journal_tend, packing_changes_no_record_and_saves_space) {
  place_t p;
  open_place(&p);
  content_t before          = content_of(p.dir);
  p.cfg.compress            = true;
  md_journal_tended_t t     = tend(&p);
  content_t           after = content_of(p.dir);
  cr_assert_eq(t.packed_cnt, SEGMENT_CNT - 1);
  cr_assert_eq(t.indexed_cnt, SEGMENT_CNT - 1);
  cr_assert_lt(t.packed_bytes, t.plain_bytes / 2);
  cr_assert_eq(after.record_cnt, before.record_cnt);
  cr_assert_eq(after.crc, before.crc);
  cr_assert_eq(after.damage_cnt, 0);
  md_journal_check_t c = check(&p);
  cr_assert_eq(c.packed_cnt, SEGMENT_CNT - 1);
  cr_assert_eq(c.index_cnt, SEGMENT_CNT - 1);
  cr_assert_eq(c.damaged_cnt + c.missing_cnt + c.repeat_cnt + c.index_bad, 0);
  md_journal_check_free(&c);
  t = tend(&p);
  cr_assert_eq(t.packed_cnt + t.indexed_cnt, 0, "a second pass has nothing to do");
  close_place(&p);
}

Test(journal_tend, young_segments_stay_plain) {
  place_t p;
  open_place(&p);
  p.cfg.compress          = true;
  p.cfg.compress_after_ns = 2 * HOUR_NS;
  cr_assert_eq(tend(&p).packed_cnt, 0);
  p.time.real_ns += 2 * HOUR_NS;
  cr_assert_eq(tend(&p).packed_cnt, SEGMENT_CNT - 1);
  close_place(&p);
}

/* A reader stands in the middle of each segment in turn while all are packed under it. */
Test(journal_tend, a_reader_goes_on_while_segments_are_packed) {
  for (uint64_t segment = 1; segment <= SEGMENT_CNT; segment++) {
    place_t              p;
    md_journal_reader_t *r = NULL;
    const md_record_t   *rec;
    content_t            c = {0};
    open_place(&p);
    content_t whole = content_of(p.dir);
    cr_assert_eq(md_journal_reader_open(p.dir, &r, NULL), MD_OK);
    md_journal_pos_t pos = {0};
    while (pos.segment < segment || pos.offset < 20000) {
      cr_assert_eq(md_journal_reader_next(r, &rec, &pos, NULL), MD_OK);
      c.record_cnt++;
      c.crc = md_crc32c(c.crc, rec, rec->len);
    }
    p.cfg.compress = true;
    cr_assert_eq(tend(&p).packed_cnt, SEGMENT_CNT - 1);
    c = content_from(r, c);
    cr_assert_eq(c.record_cnt, whole.record_cnt);
    cr_assert_eq(c.crc, whole.crc);
    cr_assert_eq(c.damage_cnt, 0);
    md_journal_reader_close(r);
    close_place(&p);
  }
}

/* Every position that a plain journal gives is still in order with those of a packed one. */
Test(journal_tend, positions_keep_their_order) {
  place_t              p;
  md_journal_reader_t *r = NULL;
  const md_record_t   *rec;
  md_journal_pos_t     pos, last = {0};
  open_place(&p);
  p.cfg.compress = true;
  (void)tend(&p);
  cr_assert_eq(md_journal_reader_open(p.dir, &r, NULL), MD_OK);
  while (md_journal_reader_next(r, &rec, &pos, NULL) == MD_OK) {
    cr_assert(pos.segment > last.segment || pos.offset > last.offset || pos.record > last.record);
    last = pos;
  }
  md_journal_reader_close(r);
  close_place(&p);
}

/* ---- a disk that stops working at the n-th call that changes something ---- */

static uint64_t calls_left;

static int
dead_if_over(void) {
  if (calls_left == 0) return -EIO;
  calls_left--;
  return 0;
}

static int64_t
dying_pwrite(void *ctx, int fd, const void *data, size_t bytes, uint64_t off) {
  (void)ctx;
  return dead_if_over() ? -EIO : md_disk_pwrite(NULL, fd, data, bytes, off);
}

static int
dying_rename(void *ctx, const char *from, const char *to) {
  (void)ctx;
  return dead_if_over() ? -EIO : md_disk_rename(NULL, from, to);
}

static int
dying_unlink(void *ctx, const char *path) {
  (void)ctx;
  return dead_if_over() ? -EIO : md_disk_unlink(NULL, path);
}

static int
dying_sync(void *ctx, int fd) {
  (void)ctx;
  return dead_if_over() ? -EIO : md_disk_fsync(NULL, fd);
}

Test(journal_tend, a_pass_that_dies_at_any_call_is_made_good_by_the_next, .timeout = 100) {
  md_disk_t dying = *md_disk_system();
  dying.pwrite    = dying_pwrite;
  dying.rename    = dying_rename;
  dying.unlink    = dying_unlink;
  dying.fsync     = dying_sync;
  dying.fdatasync = dying_sync;
  bool done       = false;
  for (uint64_t n = 0; !done; n++) {
    place_t p;
    open_place(&p);
    content_t           before = content_of(p.dir);
    md_journal_tended_t out;
    p.cfg.compress = true;
    p.cfg.disk     = &dying;
    calls_left     = n;
    done           = md_journal_tend_pass(&p.cfg, &out, NULL) == MD_OK;
    content_t mid  = content_of(p.dir);
    cr_assert_eq(mid.crc, before.crc, "after %llu calls", (unsigned long long)n);
    cr_assert_eq(mid.damage_cnt, 0);
    p.cfg.disk = NULL;
    (void)tend(&p);
    md_journal_check_t c = check(&p);
    cr_assert_eq(c.packed_cnt, SEGMENT_CNT - 1);
    cr_assert_eq(c.index_cnt, SEGMENT_CNT - 1);
    cr_assert_eq(c.damaged_cnt + c.missing_cnt + c.repeat_cnt, 0);
    md_journal_check_free(&c);
    cr_assert_eq(content_of(p.dir).crc, before.crc);
    close_place(&p);
  }
}

Test(journal_tend, a_damaged_segment_is_neither_packed_nor_indexed) {
  place_t p;
  char    path[MD_JOURNAL_PATH_BYTES];
  open_place(&p);
  md_journal_path(p.dir, 3, path);
  int fd = md_disk_open(NULL, path, 2 /* O_RDWR */, 0);
  cr_assert_geq(fd, 0);
  cr_assert_eq(md_disk_pwrite(NULL, fd, "?", 1, 9000), 1);
  (void)md_disk_close(NULL, fd);
  p.cfg.compress        = true;
  md_journal_tended_t t = tend(&p);
  cr_assert_eq(t.packed_cnt, SEGMENT_CNT - 2);
  cr_assert_eq(t.damaged_cnt, 1);
  md_journal_check_t c = check(&p);
  cr_assert_eq(c.damaged_cnt, 1);
  cr_assert_eq(c.index_absent, 1);
  cr_assert_gt(c.missing_cnt, 0);
  md_journal_check_free(&c);
  close_place(&p);
}

/* ---- retention ---- */

static uint64_t
segment_cnt(const place_t *p) {
  uint64_t *ids = NULL;
  uint32_t  cnt = 0;
  cr_assert_eq(md_journal_list(NULL, p->dir, &ids, &cnt, NULL), MD_OK);
  free(ids);
  return cnt;
}

Test(journal_tend, age_deletes_all_but_the_newest_and_the_rest_is_whole) {
  place_t p;
  open_place(&p);
  p.cfg.keep_age_ns     = HOUR_NS / 2;
  md_journal_tended_t t = tend(&p);
  cr_assert_eq(t.retired_cnt, SEGMENT_CNT - 1);
  cr_assert_eq(segment_cnt(&p), 1);
  md_journal_check_t c = check(&p);
  cr_assert_eq(c.damaged_cnt + c.missing_cnt + c.repeat_cnt, 0, "what was deleted is no loss");
  md_journal_check_free(&c);
  close_place(&p);
}

Test(journal_tend, size_deletes_the_oldest_until_it_fits) {
  place_t p;
  open_place(&p);
  md_journal_tended_t all = tend(&p);
  p.cfg.keep_bytes        = all.segment_bytes / 2;
  md_journal_tended_t t   = tend(&p);
  cr_assert_gt(t.retired_cnt, 0);
  cr_assert_lt(t.retired_cnt, SEGMENT_CNT - 1);
  cr_assert_leq(t.segment_bytes, p.cfg.keep_bytes);
  cr_assert_eq(segment_cnt(&p), SEGMENT_CNT - t.retired_cnt);
  close_place(&p);
}

static bool
stored_up_to(void *ctx, const md_journal_head_t *successor) {
  return successor->segment <= *(const uint64_t *)ctx;
}

Test(journal_tend, what_a_sink_needs_stays) {
  place_t  p;
  uint64_t stored = 3;
  open_place(&p);
  p.cfg.keep_age_ns     = HOUR_NS / 2;
  p.cfg.stored          = stored_up_to;
  p.cfg.stored_ctx      = &stored;
  md_journal_tended_t t = tend(&p);
  cr_assert_eq(t.retired_cnt, 2);
  cr_assert_eq(t.held_cnt, SEGMENT_CNT - 3);
  stored = SEGMENT_CNT;
  t      = tend(&p);
  cr_assert_eq(t.retired_cnt, SEGMENT_CNT - 3);
  cr_assert_eq(t.held_cnt, 0);
  close_place(&p);
}

Test(journal_tend, stored_means_every_stream_of_the_epoch_up_to_the_mark) {
  md_stream_row_t        row[3] = {{.stream = 1}, {.stream = 2, .is_raw = 1}, {.stream = 3}};
  md_journal_positions_t at     = {.row = row, .cnt = 3, .epoch = 2};
  md_journal_head_t      head   = {
             .mark_cnt = 3,
             .mark = {{.stream = 1, .epoch = 2, .seq = 10}, {.stream = 2, .epoch = 2, .seq = 90}}};
  head.mark[2] = (md_journal_mark_t){.stream = 3, .epoch = 1, .seq = 7};
  cr_assert_not(md_journal_tend_stored(&at, &head), "nothing of this epoch is stored");
  md_store_relaxed(&row[0].stored_seq, 9);
  cr_assert_not(md_journal_tend_stored(&at, &head), "one record is missing");
  md_store_relaxed(&row[0].stored_seq, 10);
  cr_assert(md_journal_tend_stored(&at, &head), "raw streams and finished epochs do not count");
  head.mark[2].epoch = 2;
  cr_assert_not(md_journal_tend_stored(&at, &head), "stream 3 has stored nothing");
}

/* ---- seeking ---- */

static void
expect_seek(md_journal_reader_t *r, uint16_t stream, uint32_t epoch, uint64_t seq) {
  const md_record_t *rec;
  cr_assert_eq(md_journal_reader_seek(r, stream, epoch, seq, NULL), MD_OK);
  while (md_journal_reader_next(r, &rec, NULL, NULL) == MD_OK) {
    md_journal_range_t range = md_journal_range_of(rec);
    if (rec->stream != stream || rec->epoch != epoch || range.last < seq) continue;
    cr_assert_leq(range.first, seq);
    return;
  }
  cr_assert_fail("stream %u epoch %u seq %llu is not found", stream, epoch,
                 (unsigned long long)seq);
}

static void
expect_seek_time(md_journal_reader_t *r, int64_t ns) {
  const md_record_t *rec;
  cr_assert_eq(md_journal_reader_seek_time(r, ns, NULL), MD_OK);
  for (uint32_t skipped_cnt = 0; skipped_cnt < 2000; skipped_cnt++) {
    cr_assert_eq(md_journal_reader_next(r, &rec, NULL, NULL), MD_OK);
    if (rec->ts_pub_ns < ns) continue;
    cr_assert_eq(rec->ts_pub_ns, ns, "a record before it was passed over");
    return;
  }
  cr_assert_fail("too far before the time");
}

static void
seek_everywhere(const place_t *p, uint64_t record_cnt) {
  md_journal_reader_t *r = NULL;
  cr_assert_eq(md_journal_reader_open(p->dir, &r, NULL), MD_OK);
  for (uint64_t seq = 1; seq < 400; seq += 13) {
    expect_seek(r, 1, 1, seq);
    expect_seek(r, 4, 1, seq);
    expect_seek(r, 3, 2, seq / 2 + 1);
  }
  for (uint64_t n = 0; n < record_cnt; n += 37)
    expect_seek_time(r, MAKE_BEGIN_NS + (int64_t)n * 1000000);
  md_journal_reader_close(r);
}

Test(journal_tend, seek_finds_the_same_with_an_index_without_one_and_packed) {
  place_t p;
  open_place(&p);
  const uint64_t record_cnt = content_of(p.dir).record_cnt;
  seek_everywhere(&p, record_cnt);
  (void)tend(&p); /* indexes */
  seek_everywhere(&p, record_cnt);
  p.cfg.compress = true;
  (void)tend(&p);
  seek_everywhere(&p, record_cnt);
  for (uint64_t segment = 1; segment <= SEGMENT_CNT; segment++)
    md_journal_index_remove(NULL, p.dir, segment);
  seek_everywhere(&p, record_cnt);
  close_place(&p);
}

/* An index of another state of the file names blocks that are not there: it is not believed. */
Test(journal_tend, an_index_that_does_not_fit_is_not_believed) {
  place_t p;
  char    command[600];
  open_place(&p);
  (void)tend(&p);
  for (int i = 1; i < 5; i++) { /* each segment gets the index of the next, under its own name */
    (void)snprintf(command, sizeof command,
                   "cp '%s/seg-000000000%d.mdx' '%s/x' && mv '%s/x' '%s/seg-000000000%d.mdx'",
                   p.dir, i + 1, p.dir, p.dir, p.dir, i);
    cr_assert_eq(system(command), 0);
  }
  seek_everywhere(&p, content_of(p.dir).record_cnt);
  close_place(&p);
}
