#include "tests/unit/journal_help.h"
#include "writers/journal_file.h"
#include "writers/journal_scan.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define RINGS_BYTES (MD_SEGMENT_HEADER_BYTES + HELP_RING_CNT * (HELP_RING_BYTES + 4096u))

static void
start(help_t *h, md_journal_policy_t policy) {
  md_msg_t msg = {0};
  help_init(h, policy);
  help_epoch(h);
  cr_assert_eq(help_open(h, &msg), MD_OK, "%s", msg.text);
}

/* As kill -9 leaves it: nothing is sealed or cut before the directory goes away. */
static void
die(help_t *h) {
  h->dead  = h->state;
  h->state = NULL;
}

static md_recovery_t
recover(help_t *h, md_rings_header_t *rings) {
  md_recovery_t out;
  md_msg_t      msg = {0};
  md_err_t err = md_journal_recover(&h->cfg, rings, rings ? RINGS_BYTES : 0, &h->clock, &out, &msg);
  cr_assert_eq(err, MD_OK, "%s", msg.text);
  return out;
}

/* A rings file in memory with copies of the test's rings, as the next start finds them. */
static md_rings_header_t *
old_rings(const help_t *h) {
  uint8_t *mem = aligned_alloc(4096, RINGS_BYTES);
  memset(mem, 0, RINGS_BYTES);
  md_rings_header_t *header = (md_rings_header_t *)(void *)mem;
  header->epoch             = h->header.epoch;
  header->total_bytes       = RINGS_BYTES;
  header->ring_cnt          = HELP_RING_CNT;
  memcpy(header->journal_uuid, md_manifest_uuid(h->manifest), 16);
  for (uint32_t r = 0; r < HELP_RING_CNT; r++) {
    header->ring_off[r] = MD_SEGMENT_HEADER_BYTES + r * (HELP_RING_BYTES + 4096u);
    memcpy(mem + header->ring_off[r], h->ring[r], md_ring_footprint(HELP_RING_BYTES));
  }
  return header;
}

static void
copy_file(const char *from, const char *to) {
  char command[300];
  (void)snprintf(command, sizeof command, "cp -r %s/. %s/", from, to);
  cr_assert_eq(system(command), 0);
}

static uint64_t
file_bytes(const char *path) {
  struct stat st;
  cr_assert_eq(stat(path, &st), 0);
  return (uint64_t)st.st_size;
}

/* Ten blocks of five trades; returns the offset of the last block and the end. */
static void
make_blocks(help_t *h, uint64_t *last_off, uint64_t *end) {
  start(h, MD_JOURNAL_BATCH);
  for (int i = 0; i < 10; i++) {
    help_trades(h, 0, 5);
    cr_assert(help_drain(h, false));
  }
  die(h);
  md_journal_scan_t scan;
  cr_assert_eq(md_journal_scan_segment(NULL, h->dir, 1, 0, &scan, NULL), MD_OK);
  cr_assert_eq(scan.info.block_cnt, 10);
  cr_assert_eq(scan.info.torn_bytes, 0);
  *end      = scan.valid_end;
  *last_off = scan.valid_end - 4096;
}

Test(journal_recover, case_54_a_tail_torn_at_any_byte_is_cut_and_the_rest_kept, .timeout = 60) {
  help_t   h;
  uint64_t last_off, end;
  char     path[MD_JOURNAL_PATH_BYTES];
  make_blocks(&h, &last_off, &end);
  md_journal_path(h.dir, 1, path);
  int      fd = open(path, O_RDWR);
  uint8_t  block[4096];
  uint32_t used = 0;
  cr_assert_eq(pread(fd, block, sizeof block, (off_t)last_off), (ssize_t)sizeof block);
  for (uint32_t i = 0; i < sizeof block; i++)
    if (block[i]) used = i + 1;
  cr_assert_eq(ftruncate(fd, (off_t)end), 0);
  for (uint32_t len = 0; len < sizeof block; len++) {
    cr_assert_eq(ftruncate(fd, (off_t)last_off), 0);
    cr_assert_eq(pwrite(fd, block, len, (off_t)last_off), (ssize_t)len);
    bool zeros = len % 2 != 0; /* half of them in reserved space: zeros instead of the file's end */
    if (zeros) cr_assert_eq(ftruncate(fd, (off_t)end), 0);
    md_recovery_t out   = recover(&h, NULL);
    bool          whole = zeros && len >= used;
    cr_assert_eq(file_bytes(path), whole ? end : last_off, "at %u", len);
    cr_assert_eq(out.damaged_blocks, 0);
    cr_assert_eq(out.torn_bytes != 0, !whole && len > 0, "at %u", len);
    if (len % 97 == 0) cr_assert_eq(help_read(h.dir).last[1][1], whole ? 50 : 45);
  }
  (void)close(fd);
  help_fini(&h);
}

Test(journal_recover, a_flipped_bit_is_found_and_later_records_are_read) {
  help_t   h;
  uint64_t last_off, end;
  char     path[MD_JOURNAL_PATH_BYTES];
  make_blocks(&h, &last_off, &end);
  md_journal_path(h.dir, 1, path);
  int fd = open(path, O_RDWR);
  for (uint64_t off = 4096; off < end; off += 61) {
    uint8_t byte, bad;
    cr_assert_eq(pread(fd, &byte, 1, (off_t)off), 1);
    bad = byte ^ (uint8_t)(1u << (off % 8));
    cr_assert_eq(pwrite(fd, &bad, 1, (off_t)off), 1);
    bool         in_last = off >= last_off;
    help_tally_t t       = help_read(h.dir);
    /* Nothing proves that the last block was durable, so a reader waits for it. */
    cr_assert_eq(t.damage.block_cnt, in_last ? 0 : 1, "at %llu", (unsigned long long)off);
    cr_assert_eq(t.record_cnt, 45);
    cr_assert_eq(t.last[1][1], in_last ? 45 : 50);
    if (!in_last) cr_assert_not_null(strstr(t.damage.first, "seg-0000000001.mdj at "));
    cr_assert_eq(pwrite(fd, &byte, 1, (off_t)off), 1);
  }
  (void)close(fd);
  cr_assert_eq(help_read(h.dir).record_cnt, 50);
  help_fini(&h);
}

Test(journal_recover, damage_below_a_durable_position_is_reported_and_kept) {
  help_t   h;
  uint64_t last_off, end;
  char     path[MD_JOURNAL_PATH_BYTES];
  make_blocks(&h, &last_off, &end);
  md_journal_path(h.dir, 1, path);
  int fd = open(path, O_RDWR);
  cr_assert_eq(pwrite(fd, "X", 1, 3 * 4096 + 100), 1);
  static const uint8_t zero[4096];
  cr_assert_eq(pwrite(fd, zero, sizeof zero, 6 * 4096), (ssize_t)sizeof zero);
  (void)close(fd);
  md_recovery_t out = recover(&h, NULL);
  cr_assert_eq(out.damaged_blocks, 2);
  cr_assert_eq(out.torn_bytes, 0);
  cr_assert_eq(file_bytes(path), end);
  help_tally_t t = help_read(h.dir);
  cr_assert_eq(t.record_cnt, 40);
  cr_assert_eq(t.damage.block_cnt, 2);
  cr_assert_eq(t.last[1][1], 50);
  help_fini(&h);
}

Test(journal_recover, damage_at_the_end_of_a_sealed_segment_is_no_torn_tail) {
  help_t h;
  char   path[MD_JOURNAL_PATH_BYTES];
  start(&h, MD_JOURNAL_BATCH);
  help_trades(&h, 0, 5);
  cr_assert(help_drain(&h, true));
  help_close(&h);
  md_journal_path(h.dir, 1, path);
  int fd = open(path, O_RDWR);
  cr_assert_eq(pwrite(fd, "X", 1, 4096 + 200), 1);
  (void)close(fd);
  md_recovery_t out = recover(&h, NULL);
  cr_assert_eq(out.damaged_blocks, 1);
  cr_assert_eq(out.torn_bytes, 0);
  help_fini(&h);
}

Test(journal_recover, case_54_old_rings_are_taken_over_once) {
  help_t h;
  start(&h, MD_JOURNAL_BATCH);
  help_trades(&h, 0, 100);
  help_trades(&h, 1, 40);
  cr_assert(help_drain(&h, false));
  die(&h);
  help_trades(&h, 0, 30);
  help_trades(&h, 1, 20);
  md_rings_header_t *rings = old_rings(&h);
  md_recovery_t      out   = recover(&h, rings);
  cr_assert_eq(out.drained_records, 50);
  cr_assert_eq(out.missing_records, 0);
  for (int again = 0; again < 3; again++) {
    out = recover(&h, rings);
    cr_assert_eq(out.drained_records, 0);
  }
  help_tally_t t = help_read(h.dir);
  cr_assert_eq(t.record_cnt, 190);
  cr_assert_eq(t.hole_cnt + t.repeat_cnt + t.damage.block_cnt, 0);
  free(rings);
  /* The next epoch goes on in a segment of its own. */
  help_epoch(&h);
  cr_assert_eq(h.header.epoch, 2);
  cr_assert_eq(help_open(&h, NULL), MD_OK);
  help_trades(&h, 0, 7);
  cr_assert(help_drain(&h, true));
  help_close(&h);
  t = help_read(h.dir);
  cr_assert_eq(t.last[1][1], 130);
  cr_assert_eq(t.last[3][1], 60);
  cr_assert_eq(t.last[1][2], 7);
  cr_assert_eq(t.hole_cnt + t.repeat_cnt + t.damage.block_cnt, 0);
  help_fini(&h);
}

/* Bug: what a ring lost last was known to the dead engine's memory only, so it stayed undeclared.
 */
Test(journal_recover, a_loss_that_no_later_group_declared_is_declared_by_recovery) {
  help_t h;
  start(&h, MD_JOURNAL_BATCH);
  uint64_t dropped = 0;
  for (int i = 0; i < 20000; i++)
    dropped += help_trade(&h, 0) != MD_OK;
  cr_assert_gt(dropped, 0);
  die(&h);
  md_rings_header_t *rings = old_rings(&h);
  for (int again = 0; again < 2; again++)
    (void)recover(&h, rings);
  help_tally_t t = help_read(h.dir);
  cr_assert_eq(t.loss_cnt, 1);
  cr_assert_eq(t.hole_cnt + t.repeat_cnt + t.damage.block_cnt, 0);
  cr_assert_eq(t.last[1][1], 20000);
  free(rings);
  help_fini(&h);
}

/* A ring keeps what is written but not yet durable: the journal has it already. */
Test(journal_recover, records_that_are_in_ring_and_journal_are_not_repeated) {
  help_t h;
  start(&h, MD_JOURNAL_INTERVAL);
  help_trades(&h, 0, 60);
  cr_assert(help_drain(&h, false));
  md_rings_header_t *rings = old_rings(&h);
  md_ring_t         *ring  = md_rings_ring(rings, RINGS_BYTES, 0);
  md_store_relaxed(&ring->tail, 0); /* as if it had been killed before it gave anything back */
  die(&h);
  md_recovery_t out = recover(&h, rings);
  cr_assert_eq(out.drained_records, 0);
  help_tally_t t = help_read(h.dir);
  cr_assert_eq(t.record_cnt, 60);
  cr_assert_eq(t.repeat_cnt, 0);
  free(rings);
  help_fini(&h);
}

/* Recovery is killed after each byte of what it appends: the next one makes it whole. */
Test(journal_recover, killed_at_any_page_of_its_own_writes_it_still_takes_over_once,
     .timeout = 60) {
  help_t h;
  char   before[64], path[MD_JOURNAL_PATH_BYTES];
  start(&h, MD_JOURNAL_BATCH);
  help_trades(&h, 0, 10);
  cr_assert(help_drain(&h, false));
  die(&h);
  help_trades(&h, 0, 200);
  help_trades(&h, 1, 100);
  md_rings_header_t *rings = old_rings(&h);
  cr_assert_eq(recover(&h, rings).drained_records, 300);
  md_journal_path(h.dir, 2, path);
  uint64_t whole = file_bytes(path);
  help_dir(before);
  copy_file(h.dir, before);
  for (uint64_t len = 4096; len <= whole; len += 512) {
    copy_file(before, h.dir);
    md_journal_unlink(NULL, h.dir, 3);
    md_journal_unlink(NULL, h.dir, 4);
    cr_assert_eq(truncate(path, (off_t)len), 0);
    (void)recover(&h, rings);
    (void)recover(&h, rings);
    help_tally_t t = help_read(h.dir);
    cr_assert_eq(t.last[1][1], 210, "cut at %llu", (unsigned long long)len);
    cr_assert_eq(t.last[3][1], 100);
    cr_assert_eq(t.record_cnt, 310);
    cr_assert_eq(t.hole_cnt + t.repeat_cnt + t.damage.block_cnt, 0);
    uint64_t id = 0;
    while (md_journal_next_id(NULL, h.dir, 2, &id) == MD_OK && id != 0)
      md_journal_unlink(NULL, h.dir, id);
  }
  help_remove_dir(before);
  free(rings);
  help_fini(&h);
}

Test(journal_recover, a_hole_between_journal_and_ring_is_declared) {
  help_t h;
  start(&h, MD_JOURNAL_BATCH);
  help_trades(&h, 0, 10);
  cr_assert(help_drain(&h, false));
  die(&h);
  h.seq[1] += 5;
  help_trades(&h, 0, 10);
  md_rings_header_t *rings = old_rings(&h);
  md_recovery_t      out   = recover(&h, rings);
  cr_assert_eq(out.missing_records, 5);
  help_tally_t t = help_read(h.dir);
  cr_assert_eq(t.loss_cnt, 1);
  cr_assert_eq(t.hole_cnt, 0);
  cr_assert_eq(t.last[1][1], 25);
  free(rings);
  help_fini(&h);
}

Test(journal_recover, damaged_rings_give_what_is_sound_and_stop_nothing) {
  for (uint32_t seed = 1; seed <= 40; seed++) {
    help_t h;
    start(&h, MD_JOURNAL_BATCH);
    die(&h);
    help_trades(&h, 0, 50);
    help_trades(&h, 1, 50);
    md_rings_header_t *rings = old_rings(&h);
    md_ring_t         *ring  = md_rings_ring(rings, RINGS_BYTES, 0);
    uint32_t           state = seed * 2654435761u;
    for (int i = 0; i < 8; i++) {
      state                                 = state * 1664525u + 1013904223u;
      ring->data[(state >> 8) % (50 * 112)] = (uint8_t)(state >> 24);
    }
    md_recovery_t out;
    md_msg_t      msg = {0};
    md_err_t      err = md_journal_recover(&h.cfg, rings, RINGS_BYTES, &h.clock, &out, &msg);
    cr_assert_eq(err, MD_OK, "seed %u: %s", seed, msg.text);
    cr_assert_geq(out.drained_records, 50, "the sound ring is taken whole");
    free(rings);
    help_fini(&h);
  }
}

Test(journal_recover, rings_of_another_journal_are_refused_while_they_hold_records) {
  help_t h;
  start(&h, MD_JOURNAL_BATCH);
  md_rings_header_t *rings = old_rings(&h);
  rings->journal_uuid[0] ^= 1;
  cr_assert_eq(recover(&h, rings).drained_records, 0);
  free(rings);
  die(&h);
  help_trades(&h, 0, 1);
  rings = old_rings(&h);
  rings->journal_uuid[0] ^= 1;
  md_recovery_t out;
  md_msg_t      msg;
  cr_assert_eq(md_journal_recover(&h.cfg, rings, RINGS_BYTES, &h.clock, &out, &msg), MD_ERR_EXISTS);
  cr_assert_not_null(strstr(msg.text, "another journal"));
  free(rings);
  help_fini(&h);
}

Test(journal_recover, a_damaged_header_of_the_last_segment_is_reported) {
  help_t h;
  char   path[MD_JOURNAL_PATH_BYTES];
  start(&h, MD_JOURNAL_BATCH);
  help_trades(&h, 0, 10);
  cr_assert(help_drain(&h, true));
  help_close(&h);
  help_epoch(&h);
  cr_assert_eq(help_open(&h, NULL), MD_OK);
  help_trades(&h, 0, 20);
  cr_assert(help_drain(&h, true));
  help_close(&h);
  md_journal_path(h.dir, 2, path);
  int fd = open(path, O_RDWR);
  cr_assert_eq(pwrite(fd, "X", 1, 40), 1);
  (void)close(fd);
  cr_assert_eq(recover(&h, NULL).damaged_blocks, 1);
  help_tally_t t = help_read(h.dir);
  cr_assert_eq(t.record_cnt, 30);
  cr_assert_eq(t.damage.block_cnt, 1);
  help_fini(&h);
}

static int64_t
unreadable_behind_the_header(void *ctx, int fd, void *to, size_t bytes, uint64_t off) {
  (void)ctx;
  return off >= MD_JOURNAL_PAGE_BYTES ? -EIO : md_disk_pread(NULL, fd, to, bytes, off);
}

/* What nobody can read now is not a torn tail: to cut it would lose what is durable. */
Test(journal_recover, a_read_error_cuts_nothing) {
  help_t            h;
  char              path[MD_JOURNAL_PATH_BYTES];
  md_journal_scan_t scan;
  md_recovery_t     out;
  md_msg_t          msg  = {0};
  md_disk_t         disk = *md_disk_system();
  start(&h, MD_JOURNAL_BATCH);
  help_trades(&h, 0, 10);
  cr_assert(help_drain(&h, false));
  die(&h);
  md_journal_path(h.dir, 1, path);
  const uint64_t before = file_bytes(path);
  disk.pread            = unreadable_behind_the_header;
  h.cfg.disk            = &disk;
  cr_assert_eq(md_journal_recover(&h.cfg, NULL, 0, &h.clock, &out, &msg), MD_ERR_IO);
  cr_assert(strstr(msg.text, "cannot read"), "%s", msg.text);
  cr_assert_eq(file_bytes(path), before);
  h.cfg.disk = NULL;
  (void)recover(&h, NULL);
  cr_assert_eq(md_journal_scan_segment(NULL, h.dir, 1, 0, &scan, NULL), MD_OK);
  cr_assert_eq(scan.info.record_cnt, 10);
  help_fini(&h);
}
