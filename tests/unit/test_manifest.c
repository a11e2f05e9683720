#include "tests/unit/journal_help.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static md_manifest_t *
make(const char *dir) {
  md_manifest_t *m = NULL;
  md_msg_t       msg;
  cr_assert_eq(md_manifest_open(dir, true, true, &m, &msg), MD_OK, "%s", msg.text);
  return m;
}

static size_t
file_bytes(const char *dir) {
  char        path[128];
  struct stat st;
  (void)snprintf(path, sizeof path, "%s/MANIFEST", dir);
  cr_assert_eq(stat(path, &st), 0);
  return (size_t)st.st_size;
}

static void
change(const char *dir, off_t off, const char *bytes, size_t len) {
  char path[128];
  (void)snprintf(path, sizeof path, "%s/MANIFEST", dir);
  int fd = open(path, O_RDWR);
  cr_assert_geq(fd, 0);
  cr_assert_eq(pwrite(fd, bytes, len, off), (ssize_t)len);
  (void)close(fd);
}

Test(manifest, everything_is_there_after_it_is_opened_again) {
  char     dir[64], sub[96];
  uint16_t id = 0, other = 0;
  uint32_t epoch = 0;
  uint8_t  uuid[16];
  help_dir(dir);
  (void)snprintf(sub, sizeof sub, "%s/a/b", dir);
  md_manifest_t *m = make(sub);
  memcpy(uuid, md_manifest_uuid(m), 16);
  cr_assert_eq(md_manifest_last_epoch(m), 0);
  cr_assert_eq(md_manifest_next_instrument(m), 1);
  cr_assert_eq(md_manifest_stream(m, "binance_spot", &id, NULL), MD_OK);
  cr_assert_eq(md_manifest_stream(m, "binance_spot.raw", &other, NULL), MD_OK);
  cr_assert_eq(md_manifest_epoch(m, 123, &epoch, NULL), MD_OK);
  cr_assert_eq(epoch, 1);
  cr_assert_eq(md_manifest_instrument(m, 5, "binance_spot", "BTC USDT%", NULL), MD_OK);
  cr_assert_eq(md_manifest_instrument(m, 5, "binance_spot", "BTC USDT%", NULL), MD_OK);
  cr_assert_eq(md_manifest_segment(m, 12, 1, 5, NULL), MD_OK);
  md_manifest_close(m);
  m = make(sub);
  cr_assert_eq(memcmp(uuid, md_manifest_uuid(m), 16), 0);
  cr_assert_eq(md_manifest_last_epoch(m), 1);
  cr_assert_eq(md_manifest_last_segment(m), 12);
  cr_assert_eq(md_manifest_next_instrument(m), 6);
  cr_assert_eq(md_manifest_instrument_cnt(m), 1);
  cr_assert_str_eq(md_manifest_instrument_by_id(m, 5)->symbol, "BTC USDT%");
  cr_assert_str_eq(md_manifest_instrument_at(m, 0)->feed, "binance_spot");
  cr_assert_null(md_manifest_instrument_by_id(m, 4));
  cr_assert_null(md_manifest_instrument_by_id(m, 4000000));
  cr_assert_str_eq(md_manifest_stream_name(m, other), "binance_spot.raw");
  cr_assert_null(md_manifest_stream_name(m, 3));
  cr_assert_null(md_manifest_stream_name(m, 0));
  uint16_t again = 0;
  cr_assert_eq(md_manifest_stream(m, "binance_spot", &again, NULL), MD_OK);
  cr_assert_eq(again, id);
  cr_assert_eq(md_manifest_epoch(m, 124, &epoch, NULL), MD_OK);
  cr_assert_eq(epoch, 2);
  md_manifest_close(m);
  help_remove_dir(dir);
}

Test(manifest, an_instrument_never_changes_its_name) {
  char dir[64];
  help_dir(dir);
  md_manifest_t *m = make(dir);
  md_msg_t       msg;
  cr_assert_eq(md_manifest_instrument(m, 1, "f", "A", NULL), MD_OK);
  cr_assert_eq(md_manifest_instrument(m, 1, "f", "B", &msg), MD_ERR_EXISTS);
  cr_assert_eq(md_manifest_instrument(m, 0, "f", "B", &msg), MD_ERR_RANGE);
  md_manifest_close(m);
  help_remove_dir(dir);
}

Test(manifest, a_second_writer_is_refused_and_a_reader_is_not) {
  char dir[64];
  help_dir(dir);
  md_manifest_t *m = make(dir), *second = NULL, *reader = NULL;
  md_msg_t       msg;
  cr_assert_eq(md_manifest_open(dir, true, false, &second, &msg), MD_ERR_EXISTS);
  cr_assert_not_null(strstr(msg.text, "another engine"));
  cr_assert_eq(md_manifest_open(dir, false, false, &reader, &msg), MD_OK);
  md_manifest_close(reader);
  md_manifest_close(m);
  cr_assert_eq(md_manifest_open(dir, true, false, &second, &msg), MD_OK);
  md_manifest_close(second);
  help_remove_dir(dir);
}

Test(manifest, a_directory_without_one_is_absent) {
  char dir[64];
  help_dir(dir);
  md_manifest_t *m = NULL;
  md_msg_t       msg;
  cr_assert_eq(md_manifest_open(dir, false, false, &m, &msg), MD_ERR_ABSENT);
  cr_assert_eq(md_manifest_open("/nowhere/at/all", false, false, &m, &msg), MD_ERR_ABSENT);
  help_remove_dir(dir);
}

Test(manifest, a_torn_last_line_is_cut_at_every_byte) {
  char dir[64], path[128];
  help_dir(dir);
  (void)snprintf(path, sizeof path, "%s/MANIFEST", dir);
  md_manifest_t *m = make(dir);
  cr_assert_eq(md_manifest_instrument(m, 1, "f", "A", NULL), MD_OK);
  size_t before = file_bytes(dir);
  cr_assert_eq(md_manifest_instrument(m, 2, "f", "B", NULL), MD_OK);
  md_manifest_close(m);
  size_t whole = file_bytes(dir);
  for (size_t len = whole - 1; len >= before; len--) {
    cr_assert_eq(truncate(path, (off_t)len), 0);
    m = make(dir);
    cr_assert_eq(md_manifest_instrument_cnt(m), 1, "at %zu", len);
    cr_assert_eq(file_bytes(dir), before);
    cr_assert_eq(md_manifest_instrument(m, 2, "f", "B", NULL), MD_OK);
    md_manifest_close(m);
    m = make(dir);
    cr_assert_eq(md_manifest_instrument_cnt(m), 2);
    md_manifest_close(m);
  }
  help_remove_dir(dir);
}

Test(manifest, damage_before_the_last_line_names_file_and_line) {
  char dir[64];
  help_dir(dir);
  md_manifest_t *m      = make(dir);
  size_t         second = file_bytes(dir);
  cr_assert_eq(md_manifest_instrument(m, 1, "f", "A", NULL), MD_OK);
  cr_assert_eq(md_manifest_instrument(m, 2, "f", "B", NULL), MD_OK);
  md_manifest_close(m);
  change(dir, (off_t)second + 3, "X", 1);
  md_msg_t msg;
  cr_assert_eq(md_manifest_open(dir, true, false, &m, &msg), MD_ERR_CORRUPT);
  cr_assert_not_null(strstr(msg.text, "MANIFEST:2"), "%s", msg.text);
  help_remove_dir(dir);
}

Test(manifest, another_file_of_that_name_is_refused) {
  char dir[64];
  help_dir(dir);
  md_manifest_t *m = make(dir);
  md_manifest_close(m);
  change(dir, 0, "garbage", 7);
  md_msg_t msg;
  cr_assert_eq(md_manifest_open(dir, true, false, &m, &msg), MD_ERR_CORRUPT);
  help_remove_dir(dir);
}

/* ---- on a disk that fails ---- */

static int sync_failures_left;

/* What was not synced before is gone, and the next sync says that all is well. */
static int
forgetful_fdatasync(void *ctx, int fd) {
  (void)ctx;
  if (sync_failures_left == 0) return 0;
  sync_failures_left--;
  md_assert(md_disk_truncate(NULL, fd, (uint64_t)md_disk_size(NULL, fd) - 20) == 0);
  return -EIO;
}

Test(manifest, a_failed_sync_is_healed_by_writing_all_of_it_anew) {
  char dir[64];
  help_dir(dir);
  md_disk_t      disk = *md_disk_system();
  md_manifest_t *m    = NULL;
  md_msg_t       msg  = {0};
  uint16_t       id   = 0;
  uint32_t       epoch;
  disk.fdatasync = forgetful_fdatasync;
  cr_assert_eq(md_manifest_open_on(&disk, dir, true, true, &m, &msg), MD_OK, "%s", msg.text);
  cr_assert_eq(md_manifest_stream(m, "alpha", &id, &msg), MD_OK);
  cr_assert_eq(md_manifest_instrument_add(m, 7, "alpha", "BTCUSDT", &msg), MD_OK);
  sync_failures_left = 1;
  cr_assert_eq(md_manifest_stream(m, "beta", &id, &msg), MD_ERR_IO);
  cr_assert_eq(md_manifest_stream(m, "beta", &id, &msg), MD_OK, "%s", msg.text);
  cr_assert_eq(id, 2);
  sync_failures_left = 1;
  cr_assert_eq(md_manifest_epoch(m, 5, &epoch, &msg), MD_ERR_IO);
  cr_assert_eq(md_manifest_epoch(m, 6, &epoch, &msg), MD_OK, "%s", msg.text);
  cr_assert_eq(epoch, 1);
  md_manifest_close(m);
  cr_assert_eq(md_manifest_open(dir, true, false, &m, &msg), MD_OK, "%s", msg.text);
  cr_assert_str_eq(md_manifest_stream_name(m, 2), "beta");
  cr_assert_null(md_manifest_stream_name(m, 3));
  cr_assert_eq(md_manifest_last_epoch(m), 1);
  cr_assert_str_eq(md_manifest_instrument_by_id(m, 7)->symbol, "BTCUSDT");
  md_manifest_close(m);
  help_remove_dir(dir);
}
