/* test_journal_space - segments made ahead, files used again, a disk that fills, a write that fails
 * together with its sync: on a disk of the test, which the journal calls on the test's thread. */
#include "tests/unit/journal_help.h"
#include "writers/journal_ahead.h"
#include "writers/journal_scan.h"
#include "writers/journal_sink.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define SEGMENT_BYTES (256u << 10)
#define AHEAD_BYTES   (512u << 10)

/* The system's disk, but for what the test says. */
static md_disk_t disk;
static int64_t   free_bytes;
static uint64_t  fail_write_off; /* a write at or above it fails once with EIO; 0: none */
static int       failed_fd;
static uint32_t  sync_after_failure_cnt;

static int64_t
test_free_bytes(void *ctx, const char *path) {
  (void)ctx;
  (void)path;
  return free_bytes;
}

static int64_t
test_pwrite(void *ctx, int fd, const void *data, size_t bytes, uint64_t off) {
  if (fail_write_off != 0 && off >= fail_write_off) {
    fail_write_off = 0;
    failed_fd      = fd;
    return -EIO;
  }
  return md_disk_system()->pwrite(ctx, fd, data, bytes, off);
}

static int
test_fdatasync(void *ctx, int fd) {
  if (fd == failed_fd) sync_after_failure_cnt++;
  return md_disk_system()->fdatasync(ctx, fd);
}

static int
test_close(void *ctx, int fd) {
  if (fd == failed_fd) failed_fd = -1;
  return md_disk_system()->close(ctx, fd);
}

static void
start(help_t *h, md_journal_policy_t policy, uint64_t ahead_bytes, uint64_t min_free_bytes) {
  md_msg_t msg           = {0};
  disk                   = *md_disk_system();
  disk.free_bytes        = test_free_bytes;
  disk.pwrite            = test_pwrite;
  disk.fdatasync         = test_fdatasync;
  disk.close             = test_close;
  free_bytes             = INT64_MAX;
  fail_write_off         = 0;
  failed_fd              = -1;
  sync_after_failure_cnt = 0;
  help_init(h, policy);
  h->cfg.disk           = &disk;
  h->cfg.segment_bytes  = SEGMENT_BYTES;
  h->cfg.ahead_bytes    = ahead_bytes;
  h->cfg.min_free_bytes = min_free_bytes;
  help_epoch(h);
  cr_assert_eq(help_open(h, &msg), MD_OK, "%s", msg.text);
}

static uint64_t
counter(const help_t *h, md_counter_t id) {
  return md_load_relaxed(&h->metrics->counter[id]);
}

static ino_t
inode_of(const help_t *h, const char *name) {
  char        path[200];
  struct stat st;
  (void)snprintf(path, sizeof path, "%s/%s", h->dir, name);
  return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* Answers as a feed does, when it is asked. */
static void
answer(help_t *h) {
  static uint64_t answered[HELP_RING_CNT];
  for (uint32_t r = 0; r < HELP_RING_CNT; r++) {
    uint64_t request = md_load_relaxed(&h->ring[r]->checkpoint_request);
    if (request == 0) answered[r] = 0; /* another test's rings */
    if (request == answered[r]) continue;
    answered[r] = request;
    help_checkpoint(h, r, request, MD_CHECKPOINT_BEGIN);
    help_checkpoint(h, r, request, MD_CHECKPOINT_BOOK);
    help_checkpoint(h, r, request, MD_CHECKPOINT_END);
  }
}

/* Trades and turns until the journal has opened segment_cnt segments. */
static void
fill_segments(help_t *h, uint64_t segment_cnt) {
  for (uint32_t i = 0; i < 100000 && counter(h, MD_COUNTER_JOURNAL_SEGMENTS) < segment_cnt; i++) {
    help_more_trades(h, 0, 20);
    help_more_trades(h, 1, 10);
    answer(h);
    help_turn(h);
  }
  cr_assert_geq(counter(h, MD_COUNTER_JOURNAL_SEGMENTS), segment_cnt);
}

static void
end_whole(help_t *h) {
  answer(h);
  cr_assert(help_drain(h, true), "%s", h->last_text);
  help_close(h);
  help_tally_t t = help_read(h->dir);
  cr_expect_eq(t.hole_cnt + t.repeat_cnt + t.damage.block_cnt, 0, "%s", t.damage.first);
  for (uint16_t stream = 1; stream <= HELP_STREAM_CNT; stream++)
    cr_expect_eq(t.last[stream][1], h->seq[stream], "stream %u", stream);
}

Test(journal_space, the_next_segment_is_the_file_that_was_made_ahead) {
  help_t h;
  start(&h, MD_JOURNAL_BATCH, AHEAD_BYTES, 0);
  ino_t ahead = 0;
  for (uint32_t i = 0; i < 40000 && counter(&h, MD_COUNTER_JOURNAL_SEGMENTS) < 2; i++) {
    help_more_trades(&h, 0, 20);
    answer(&h);
    help_turn(&h);
    if (inode_of(&h, "segment.ahead")) ahead = inode_of(&h, "segment.ahead");
  }
  cr_assert_neq(ahead, 0);
  cr_expect_eq(inode_of(&h, "seg-0000000002.mdj"), ahead);
  cr_expect_eq(inode_of(&h, "segment.ahead"), 0);
  cr_expect_gt(md_load_relaxed(&h.metrics->stage[MD_STAGE_ROLL].cnt), 0);
  const md_journal_sink_t *s = h.state;
  cr_expect_eq(s->file.allocated_bytes, AHEAD_BYTES);
  end_whole(&h);
  cr_expect_eq(h.error_cnt + h.warn_cnt, 0, "%s", h.last_text);
  help_fini(&h);
}

Test(journal_space, a_thread_makes_segments_ahead_when_the_disk_is_the_system_s) {
  help_t h;
  start(&h, MD_JOURNAL_BATCH, 0, 0);
  help_close(&h);
  h.cfg.disk        = NULL;
  h.cfg.ahead_bytes = AHEAD_BYTES;
  cr_assert_eq(help_open(&h, NULL), MD_OK);
  const md_journal_sink_t *s = h.state;
  while (s->file.end_off < SEGMENT_BYTES / 2 + MD_JOURNAL_PAGE_BYTES) {
    help_trades(&h, 0, 20);
    cr_assert(help_drain(&h, false));
  }
  for (uint32_t i = 0; i < 2000000 && !md_journal_ahead_ready(s->ahead); i++)
    help_turn(&h);
  ino_t ahead = inode_of(&h, "segment.ahead");
  cr_assert_neq(ahead, 0);
  fill_segments(&h, 3);
  cr_expect(inode_of(&h, "seg-0000000002.mdj") == ahead ||
            inode_of(&h, "seg-0000000003.mdj") == ahead);
  end_whole(&h);
  cr_expect_eq(inode_of(&h, "segment.ahead"), 0, "nothing is left behind");
  help_fini(&h);
}

Test(journal_space, what_a_killed_engine_made_ahead_is_removed) {
  help_t h;
  start(&h, MD_JOURNAL_BATCH, AHEAD_BYTES, 0);
  for (uint32_t i = 0; i < 40000 && !inode_of(&h, "segment.ahead"); i++) {
    help_more_trades(&h, 0, 20);
    help_turn(&h);
  }
  cr_assert_neq(inode_of(&h, "segment.ahead"), 0);
  md_recovery_t found;
  cr_assert_eq(md_journal_recover(&h.cfg, NULL, 0, &h.clock, &found, NULL), MD_OK);
  cr_expect_eq(inode_of(&h, "segment.ahead"), 0);
  cr_expect_eq(found.damaged_blocks, 0);
  h.dead  = h.state;
  h.state = NULL;
  help_fini(&h);
}

/* Runs until the current segment is in a file that was another's, with room behind its end. */
static const md_journal_sink_t *
write_to_used_file(help_t *h) {
  start(h, MD_JOURNAL_BATCH, AHEAD_BYTES, 0);
  fill_segments(h, 3);
  cr_assert_eq(md_journal_retire(&disk, h->dir, 1, 1, NULL), MD_OK);
  const md_journal_sink_t *s = h->state;
  for (uint64_t cnt = 4; !s->file.reused && cnt < 8; cnt++)
    fill_segments(h, cnt);
  cr_assert(s->file.reused);
  help_trades(h, 0, 5);
  cr_assert(help_drain(h, false));
  cr_assert_lt(s->file.end_off, SEGMENT_BYTES / 2);
  return s;
}

/* Something else than zeros stands in the file at off. */
static bool
has_old_bytes(const help_t *h, uint64_t segment, uint64_t off) {
  static const uint8_t zero[MD_JOURNAL_PAGE_BYTES];
  uint8_t              page[MD_JOURNAL_PAGE_BYTES];
  char                 path[MD_JOURNAL_PATH_BYTES];
  md_journal_path(h->dir, segment, path);
  int fd = open(path, O_RDONLY);
  cr_assert_eq(pread(fd, page, sizeof page, (off_t)off), (ssize_t)sizeof page);
  (void)close(fd);
  return memcmp(page, zero, sizeof page) != 0;
}

static void
read_on(md_journal_reader_t *r, help_tally_t *t) {
  const md_record_t *rec;
  while (md_journal_reader_next(r, &rec, NULL, NULL) == MD_OK)
    help_tally_record(t, rec);
}

Test(journal_space, a_reader_follows_in_a_file_that_has_old_blocks_behind_the_end) {
  help_t                         h;
  help_tally_t                   t = {0};
  md_journal_reader_t           *r = NULL;
  const md_journal_sink_t *const s = write_to_used_file(&h);
  cr_expect(has_old_bytes(&h, s->file.segment, s->file.end_off));
  cr_assert_eq(md_journal_reader_open(h.dir, &r, NULL), MD_OK);
  read_on(r, &t);
  for (uint32_t i = 0; i < 20; i++) {
    cr_expect_eq(t.last[1][1], h.seq[1], "turn %u", i);
    help_trades(&h, 0, 1 + i);
    cr_assert(help_drain(&h, false));
    read_on(r, &t);
    read_on(r, &t); /* a second look at the end finds nothing, and loses nothing */
  }
  cr_expect_eq(t.last[1][1], h.seq[1]);
  md_journal_reader_damage(r, &t.damage);
  cr_expect_eq(t.repeat_cnt + t.damage.block_cnt, 0, "%s", t.damage.first);
  md_journal_reader_close(r);
  cr_assert(help_drain(&h, true));
  help_fini(&h);
}

/* Of the last block in a file that was another's: torn or whole, nothing old comes back. */
static void
crash_in_used_file(bool torn) {
  help_t                         h;
  md_journal_scan_t              scan;
  md_recovery_t                  found;
  const md_journal_sink_t *const s       = write_to_used_file(&h);
  const uint64_t                 segment = s->file.segment, before = h.seq[1];
  const uint64_t                 end = s->file.end_off;
  help_trades(&h, 0, 3);
  cr_assert(help_drain(&h, false));
  const uint64_t last_bytes = s->file.end_off - end;
  char           path[MD_JOURNAL_PATH_BYTES];
  md_journal_path(h.dir, segment, path);
  int fd = open(path, O_RDWR);
  if (torn) cr_assert_eq(pwrite(fd, "x", 1, (off_t)(end + 700)), 1);
  (void)close(fd);
  cr_assert_eq(md_journal_scan_segment(NULL, h.dir, segment, 0, &scan, NULL), MD_OK);
  cr_expect_eq(scan.head.reused, 1);
  cr_expect_eq(scan.info.torn_bytes, torn ? last_bytes : 0);
  cr_assert_eq(md_journal_recover(&h.cfg, NULL, 0, &h.clock, &found, NULL), MD_OK);
  cr_expect_eq(found.torn_bytes, torn ? last_bytes : 0);
  cr_expect_eq(found.damaged_blocks, 0);
  struct stat st;
  cr_assert_eq(stat(path, &st), 0);
  cr_expect_eq((uint64_t)st.st_size, torn ? end : end + last_bytes, "what is old is cut off too");
  help_tally_t t = help_read(h.dir);
  cr_expect_eq(t.repeat_cnt + t.damage.block_cnt, 0, "%s", t.damage.first);
  cr_expect_eq(t.last[1][1], torn ? before : before + 3);
  h.dead  = h.state;
  h.state = NULL;
  help_fini(&h);
}

Test(journal_space, a_crash_in_a_file_used_again_brings_no_old_block_back) {
  crash_in_used_file(false);
}

Test(journal_space, a_torn_block_in_a_file_used_again_is_cut) {
  crash_in_used_file(true);
}

Test(journal_space, the_first_segment_of_a_start_is_a_file_of_the_pool) {
  help_t h;
  start(&h, MD_JOURNAL_BATCH, AHEAD_BYTES, 0);
  fill_segments(&h, 3);
  answer(&h);
  cr_assert(help_drain(&h, true));
  help_close(&h);
  ino_t old = inode_of(&h, "seg-0000000001.mdj");
  cr_assert_eq(md_journal_retire(&disk, h.dir, 1, 1, NULL), MD_OK);
  help_epoch(&h);
  cr_assert_eq(help_open(&h, NULL), MD_OK);
  const md_journal_sink_t *s = h.state;
  cr_expect(s->file.reused);
  char name[MD_JOURNAL_NAME_BYTES];
  md_journal_name(s->file.segment, name);
  cr_expect_eq(inode_of(&h, name), old);
  help_trades(&h, 0, 50);
  cr_assert(help_drain(&h, true));
  help_close(&h);
  help_tally_t t = help_read(h.dir);
  cr_expect_eq(t.repeat_cnt + t.damage.block_cnt, 0, "%s", t.damage.first);
  cr_expect_eq(t.last[1][2], h.seq[1]);
  help_fini(&h);
}

Test(journal_space, a_retired_file_is_used_again_and_its_old_records_never_come_back) {
  help_t h;
  start(&h, MD_JOURNAL_BATCH, AHEAD_BYTES, 0);
  fill_segments(&h, 3);
  ino_t    old   = inode_of(&h, "seg-0000000001.mdj");
  uint64_t first = h.seq[1] + 1;
  cr_assert_eq(md_journal_retire(&disk, h.dir, 1, 1, NULL), MD_OK);
  cr_expect_eq(inode_of(&h, "seg-0000000001.mdj"), 0);
  cr_expect_eq(inode_of(&h, "spare-0.mdj"), old);
  cr_assert_eq(md_journal_retire(&disk, h.dir, 2, 1, NULL), MD_OK);
  cr_expect_eq(inode_of(&h, "spare-1.mdj"), 0, "the pool is bounded");
  fill_segments(&h, counter(&h, MD_COUNTER_JOURNAL_SEGMENTS) + 2);
  cr_expect_eq(inode_of(&h, "spare-0.mdj"), 0);
  bool used = false;
  for (uint64_t id = 4; id < 8; id++) {
    char name[MD_JOURNAL_NAME_BYTES];
    md_journal_name(id, name);
    used = used || inode_of(&h, name) == old;
  }
  cr_expect(used, "the file of segment 1 is a later segment");
  answer(&h);
  cr_assert(help_drain(&h, true));
  help_close(&h);
  help_tally_t t = help_read(h.dir);
  cr_expect_eq(t.repeat_cnt + t.damage.block_cnt, 0, "%s", t.damage.first);
  cr_expect_eq(t.hole_cnt, 2, "only what was retired is missing, in two streams");
  cr_expect_eq(t.last[1][1], h.seq[1]);
  cr_expect_geq(t.last[1][1], first);
  help_fini(&h);
}

/* Even without the zeros: whole blocks of another segment stand where the next block would begin.
 */
Test(journal_space, old_blocks_behind_the_end_are_not_taken_for_new_ones) {
  help_t h;
  char   from[MD_JOURNAL_PATH_BYTES], to[MD_JOURNAL_PATH_BYTES];
  start(&h, MD_JOURNAL_BATCH, 0, 0);
  fill_segments(&h, 3);
  answer(&h);
  cr_assert(help_drain(&h, true));
  help_close(&h);
  help_tally_t before = help_read(h.dir);
  md_journal_path(h.dir, 1, from);
  md_journal_path(h.dir, counter(&h, MD_COUNTER_JOURNAL_SEGMENTS), to);
  int         in = open(from, O_RDONLY), out = open(to, O_RDWR);
  struct stat last;
  uint8_t     page[MD_JOURNAL_PAGE_BYTES];
  cr_assert(in >= 0 && out >= 0);
  cr_assert_eq(fstat(out, &last), 0);
  for (off_t off = last.st_size; pread(in, page, sizeof page, off) == (ssize_t)sizeof page;
       off += MD_JOURNAL_PAGE_BYTES)
    cr_assert_eq(pwrite(out, page, sizeof page, off), (ssize_t)sizeof page);
  struct stat more;
  cr_assert_eq(fstat(out, &more), 0);
  cr_assert_gt(more.st_size, last.st_size, "the test put old blocks there");
  help_tally_t t = help_read(h.dir);
  cr_expect_eq(t.record_cnt, before.record_cnt);
  cr_expect_eq(t.hole_cnt + t.repeat_cnt, 0);
  md_recovery_t found;
  cr_assert_eq(md_journal_recover(&h.cfg, NULL, 0, &h.clock, &found, NULL), MD_OK);
  cr_expect_eq(found.damaged_blocks, 0);
  cr_expect_eq(found.torn_bytes, (uint64_t)(more.st_size - last.st_size));
  cr_assert_eq(fstat(out, &more), 0);
  cr_expect_eq(more.st_size, last.st_size, "they are cut as a torn tail is");
  (void)close(in);
  (void)close(out);
  help_fini(&h);
}

Test(journal_space, below_the_threshold_it_uses_up_what_it_has_then_waits_and_goes_on_by_itself) {
  help_t h;
  start(&h, MD_JOURNAL_BATCH, 0, 1u << 20);
  help_trades(&h, 0, 10);
  cr_assert(help_drain(&h, false));
  free_bytes = (1 << 20) - 1;
  h.time.mono_ns += MD_JOURNAL_LOOK_NS;
  help_trades(&h, 0, 10);
  cr_assert(help_drain(&h, false), "it has room allocated");
  cr_expect_eq(counter(&h, MD_COUNTER_JOURNAL_STATE), MD_JOURNAL_LOW);
  cr_expect_eq(h.warn_cnt, 1);
  cr_expect_eq(h.error_cnt, 0);
  for (uint32_t i = 0; i < 40000 && counter(&h, MD_COUNTER_JOURNAL_STATE) != MD_JOURNAL_WAITING;
       i++) {
    (void)help_trade(&h, 0);
    answer(&h);
    help_turn(&h);
  }
  cr_assert_eq(counter(&h, MD_COUNTER_JOURNAL_STATE), MD_JOURNAL_WAITING);
  cr_expect_eq(h.error_cnt, 1, "%s", h.last_text);
  for (uint32_t i = 0; i < 40000; i++)
    (void)help_trade(&h, 0); /* more than the ring holds */
  for (uint32_t i = 0; i < 3000; i++)
    help_turn(&h);
  cr_expect_eq(h.error_cnt, 1, "it is said once");
  cr_expect_lt(md_load_relaxed(&h.stream[0].durable_seq), h.seq[1]);
  free_bytes = INT64_MAX;
  h.time.mono_ns += 10000000000;
  cr_assert(help_drain(&h, false), "%s", h.last_text);
  (void)help_trade(&h, 0);
  end_whole(&h);
  cr_expect_eq(counter(&h, MD_COUNTER_JOURNAL_STATE), MD_JOURNAL_WRITING);
  cr_expect_gt(help_read(h.dir).loss_cnt, 0);
  help_fini(&h);
}

Test(journal_space, the_reserve_is_given_back_when_there_is_no_space_and_made_again) {
  help_t h;
  start(&h, MD_JOURNAL_BATCH, 0, 1u << 20);
  help_close(&h);
  h.cfg.reserve_bytes = 64u << 10;
  cr_assert_eq(help_open(&h, NULL), MD_OK);
  help_turn(&h);
  cr_expect_neq(inode_of(&h, "reserve"), 0);
  free_bytes = 4096;
  for (uint32_t i = 0; i < 40000 && counter(&h, MD_COUNTER_JOURNAL_STATE) != MD_JOURNAL_WAITING;
       i++) {
    (void)help_trade(&h, 0);
    answer(&h);
    help_turn(&h);
  }
  cr_assert_eq(counter(&h, MD_COUNTER_JOURNAL_STATE), MD_JOURNAL_WAITING);
  cr_expect_eq(inode_of(&h, "reserve"), 0);
  free_bytes = INT64_MAX;
  h.time.mono_ns += 10000000000;
  for (uint32_t i = 0; i < 10; i++)
    help_turn(&h);
  end_whole(&h);
  cr_expect_neq(inode_of(&h, "reserve"), 0);
  help_fini(&h);
}

/* With every policy that syncs: what the sync of a failed write would have covered is written again
 * elsewhere, and the file that failed is not synced again for it. */
Test(journal_space, a_failed_write_takes_its_sync_with_it) {
  for (int policy = MD_JOURNAL_BATCH; policy <= MD_JOURNAL_INTERVAL; policy++) {
    help_t h;
    start(&h, (md_journal_policy_t)policy, 0, 0);
    help_trades(&h, 0, 10);
    cr_assert(help_drain(&h, false));
    const uint64_t syncs = counter(&h, MD_COUNTER_JOURNAL_SYNCS);
    fail_write_off       = MD_JOURNAL_PAGE_BYTES;
    help_trades(&h, 0, 10);
    for (uint32_t i = 0; i < 100 && fail_write_off != 0; i++)
      help_turn(&h);
    cr_assert_eq(fail_write_off, 0);
    cr_expect_eq(counter(&h, MD_COUNTER_JOURNAL_SYNCS), syncs);
    cr_expect_eq(sync_after_failure_cnt, 0);
    cr_expect_eq(md_load_relaxed(&h.stream[0].durable_seq), 10);
    answer(&h);
    for (uint32_t i = 0; i < 200; i++) {
      answer(&h);
      help_turn(&h);
    }
    cr_expect_eq(h.error_cnt, 1, "%s", h.last_text);
    cr_expect_eq(md_load_relaxed(&h.stream[0].durable_seq), 20);
    end_whole(&h);
    help_fini(&h);
  }
}

/* Bug: the segment behind a failed one had no checkpoints, so a replay could not begin there. */
Test(journal_space, behind_a_failed_segment_the_next_ones_stand_alone_again) {
  help_t h;
  start(&h, MD_JOURNAL_BATCH, 0, 0);
  help_trades(&h, 0, 10);
  help_trades(&h, 1, 10);
  cr_assert(help_drain(&h, false));
  fail_write_off = MD_JOURNAL_PAGE_BYTES;
  for (uint32_t i = 0; i < 300 && counter(&h, MD_COUNTER_JOURNAL_SEGMENTS) < 3; i++) {
    if (i < 20) help_trades(&h, 0, 2);
    answer(&h);
    help_turn(&h);
  }
  cr_assert_eq(counter(&h, MD_COUNTER_JOURNAL_SEGMENTS), 3, "the failed one, its rest, a new one");
  help_trades(&h, 1, 5);
  end_whole(&h);
  md_journal_reader_t *r                         = NULL;
  const md_record_t   *rec                       = NULL;
  bool                 seen[HELP_STREAM_CNT + 1] = {false};
  cr_assert_eq(md_journal_reader_open(h.dir, &r, NULL), MD_OK);
  cr_assert_eq(md_journal_reader_seek_segment(r, 3, NULL), MD_OK);
  while (md_journal_reader_next(r, &rec, NULL, NULL) == MD_OK) {
    if (rec->type == MD_RECORD_CHECKPOINT) seen[rec->stream] = true;
    cr_assert(seen[rec->stream], "stream %u goes on before its checkpoint", rec->stream);
  }
  cr_expect(seen[1] && seen[3]);
  md_journal_reader_close(r);
  help_fini(&h);
}
