#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/unit/segment_fixture.h"

TestSuite(segment, .init = make_dir, .fini = remove_dir);

static void
expect_in(const char *text, const char *part) {
  cr_assert(strstr(text, part), "\"%s\" is not in \"%s\"", part, text);
}

Test(segment, a_reader_sees_what_the_engine_laid_out) {
  md_segment_config_t cfg = fixture_config(9);
  md_segment_t        engine, reader;
  md_msg_t            msg = {""};
  start_engine(&cfg, &engine);
  cr_assert_eq(md_segment_join(test_dir, "unit", &reader, &msg), MD_ERR_EMPTY, "not ready yet");
  md_segment_ready(&engine);
  cr_assert_eq(md_segment_join(test_dir, "unit", &reader, &msg), MD_OK, "%s", msg.text);

  cr_assert_eq(reader.header->epoch, 9);
  cr_assert_eq(reader.header->pid, (uint32_t)getpid());
  cr_assert_str_eq(reader.header->name, "unit");
  cr_assert_eq(reader.header->journal_uuid[2], 3);
  cr_assert_eq(reader.thread_cnt, 3);
  cr_assert_eq(reader.feed_cnt, 2);
  cr_assert_eq(reader.stream_cnt, 3);
  cr_assert_eq(reader.instrument_capacity, 8);
  cr_assert_str_eq(reader.threads[2].name, "writer:journal");
  cr_assert_eq(reader.threads[0].core, 1);
  cr_assert_str_eq(reader.feeds[0].name, "binance_spot");
  cr_assert_eq(reader.feeds[0].raw_row, 1);
  cr_assert_eq(reader.feeds[1].stream_row, 2);
  cr_assert_eq(reader.feeds[1].raw_row, UINT32_MAX);
  cr_assert_eq(reader.feeds[1].thread, 1);
  cr_assert_str_eq(reader.streams[1].name, "binance_spot.raw");
  cr_assert_eq(reader.streams[1].stream, 6);
  cr_assert_eq(reader.streams[0].tape, 0);
  cr_assert_eq(reader.streams[1].tape, UINT32_MAX);
  cr_assert_not_null(md_segment_tape(&reader, 0));
  cr_assert_eq(md_segment_tape(&reader, 0)->capacity_bytes, FIXTURE_TAPE_BYTES);
  cr_assert_null(md_segment_tape(&reader, 1), "this feed has none");
  cr_assert_null(md_segment_tape(&reader, 2));
  cr_assert(md_segment_owner_alive(&reader));
  md_segment_leave(&reader);
  md_segment_delete(&engine);
}

Test(segment, sizes_are_those_that_were_announced) {
  md_segment_config_t cfg = fixture_config(1);
  md_segment_t        engine;
  uint64_t            main_bytes, rings_bytes;
  struct stat         st;
  start_engine(&cfg, &engine);
  md_segment_bytes(&cfg, &main_bytes, &rings_bytes);
  cr_assert_eq(stat(engine.path, &st), 0);
  cr_assert_eq((uint64_t)st.st_size, main_bytes);
  cr_assert_geq((uint64_t)st.st_blocks * 512, main_bytes, "space is taken, not promised");
  cr_assert_eq(st.st_mode & 0777, 0640);
  cr_assert_eq(stat(engine.rings_path, &st), 0);
  cr_assert_eq((uint64_t)st.st_size, rings_bytes);
  cr_assert_eq(st.st_mode & 0777, 0600);
  md_segment_delete(&engine);
}

Test(segment, delete_leaves_no_file_and_says_stopped) {
  md_segment_config_t cfg = fixture_config(1);
  md_segment_t        engine, reader;
  md_msg_t            msg = {""};
  start_engine(&cfg, &engine);
  md_segment_ready(&engine);
  cr_assert_eq(md_segment_join(test_dir, "unit", &reader, &msg), MD_OK);
  md_segment_delete(&engine);
  cr_assert_eq(md_load_relaxed(&reader.header->state), MD_SEGMENT_STOPPED);
  md_segment_leave(&reader);
  cr_assert_eq(md_segment_join(test_dir, "unit", &reader, &msg), MD_ERR_ABSENT);
  expect_in(msg.text, "start it");
  cr_assert_eq(rmdir(test_dir), 0, "a file is left");
}

Test(segment, a_second_engine_is_refused_with_the_pid_of_the_first) {
  md_segment_config_t cfg = fixture_config(1);
  md_segment_t        engine;
  md_msg_t            msg = {""};
  char                pid[32];
  int                 fd;
  start_engine(&cfg, &engine);
  (void)snprintf(pid, sizeof pid, "pid %d", getpid());
  cr_assert_eq(md_segment_lock(test_dir, "unit", &fd, &msg), MD_ERR_EXISTS);
  expect_in(msg.text, pid);
  cr_assert_eq(md_segment_lock(test_dir, "other", &fd, &msg), MD_OK, "another name is free");
  cr_assert_eq(close(fd), 0);
  md_segment_delete(&engine);
  cr_assert_eq(md_segment_lock(test_dir, "unit", &fd, &msg), MD_OK, "free again");
  cr_assert_eq(close(fd), 0);
}

Test(segment, a_name_that_could_leave_the_folder_is_refused) {
  const char *names[] = {"", "../x", "a/b", "A", "a.b", "aaaaaaaaaaaaaaaaaaaaaaaaa"};
  md_msg_t    msg     = {""};
  int         fd;
  for (size_t i = 0; i < MD_CNT(names); i++)
    cr_assert_eq(md_segment_lock(test_dir, names[i], &fd, &msg), MD_ERR_CONFIG, "%s", names[i]);
}

/* A process that makes a segment and dies without a word, as kill -9 does. */
static void
run_and_die(uint32_t epoch, bool make_rings_used) {
  pid_t pid = fork();
  cr_assert_geq(pid, 0);
  if (pid == 0) {
    md_segment_config_t cfg = fixture_config(epoch);
    md_segment_t        engine;
    md_msg_t            msg;
    int                 fd;
    if (md_segment_lock(test_dir, "unit", &fd, &msg)) _exit(1);
    if (md_segment_new(&cfg, fd, md_clock_system(), &engine, &msg)) _exit(2);
    md_segment_ready(&engine);
    if (make_rings_used) {
      md_ring_producer_t p;
      md_record_t        rec = {.len = 64, .type = MD_RECORD_LOSS, .seq = 77};
      md_ring_producer_init(&p, md_segment_ring(&engine, 1));
      if (md_ring_write_group(&p, &rec, 1, rec.len)) _exit(3);
      md_ring_publish(&p);
    }
    _exit(0);
  }
  int status;
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  cr_assert_eq(status, 0);
}

Test(segment, a_restart_supersedes_the_dead_engines_segment) {
  md_segment_t engine, old, fresh;
  md_msg_t     msg = {""};
  run_and_die(3, false);
  cr_assert_eq(md_segment_join(test_dir, "unit", &old, &msg), MD_OK, "%s", msg.text);
  cr_assert_not(md_segment_owner_alive(&old));
  md_segment_config_t cfg = fixture_config(4);
  start_engine(&cfg, &engine);
  cr_assert_eq(md_load_relaxed(&old.header->state), MD_SEGMENT_SUPERSEDED);
  cr_assert_eq(old.header->epoch, 3, "the old mapping stays readable");
  md_segment_ready(&engine);
  cr_assert_eq(md_segment_join(test_dir, "unit", &fresh, &msg), MD_OK);
  cr_assert_eq(fresh.header->epoch, 4);
  cr_assert(md_segment_owner_alive(&fresh));
  md_segment_leave(&old);
  md_segment_leave(&fresh);
  md_segment_delete(&engine);
}

Test(segment, rings_of_a_dead_engine_are_read_by_the_next) {
  md_rings_header_t *rings;
  uint64_t           bytes;
  md_msg_t           msg = {""};
  int                fd;
  run_and_die(3, true);
  cr_assert_eq(md_segment_lock(test_dir, "unit", &fd, &msg), MD_OK, "%s", msg.text);
  cr_assert_eq(md_rings_join_old(fd, &rings, &bytes, &msg), MD_OK, "%s", msg.text);
  cr_assert_eq(rings->epoch, 3);
  md_ring_t *ring = md_rings_ring(rings, bytes, 1);
  cr_assert_not_null(ring);
  md_ring_consumer_t consumer;
  md_ring_consumer_init(&consumer, ring);
  const md_record_t *rec = md_ring_next(&consumer);
  cr_assert_not_null(rec);
  cr_assert_eq(rec->seq, 77);
  cr_assert_null(md_rings_ring(rings, bytes, 2));
  rings->ring_off[0] = bytes;
  cr_assert_null(md_rings_ring(rings, bytes, 0), "behind the end");
  rings->ring_off[0] = UINT64_MAX - 127;
  cr_assert_null(md_rings_ring(rings, bytes, 0), "far behind the end");
  md_rings_leave(rings, bytes);
  cr_assert_eq(close(fd), 0);
}

Test(segment, rings_that_were_never_ready_or_are_damaged_are_told_apart) {
  md_rings_header_t *rings;
  uint64_t           bytes;
  md_msg_t           msg = {""};
  int                fd;
  cr_assert_eq(md_segment_lock(test_dir, "unit", &fd, &msg), MD_OK);
  cr_assert_eq(md_rings_join_old(fd, &rings, &bytes, &msg), MD_ERR_ABSENT, "empty");
  cr_assert_eq(ftruncate(fd, 100), 0);
  cr_assert_eq(md_rings_join_old(fd, &rings, &bytes, &msg), MD_ERR_CORRUPT, "too short");
  cr_assert_eq(ftruncate(fd, 8192), 0);
  cr_assert_eq(md_rings_join_old(fd, &rings, &bytes, &msg), MD_ERR_ABSENT, "no magic");
  uint64_t header[3] = {MD_RINGS_MAGIC, 99, 8192};
  cr_assert_eq(pwrite(fd, header, sizeof header, 0), sizeof header);
  cr_assert_eq(md_rings_join_old(fd, &rings, &bytes, &msg), MD_ERR_VERSION);
  expect_in(msg.text, "layout 99");
  header[1] = MD_SEGMENT_ABI_VERSION;
  header[2] = 12345;
  cr_assert_eq(pwrite(fd, header, sizeof header, 0), sizeof header);
  cr_assert_eq(md_rings_join_old(fd, &rings, &bytes, &msg), MD_ERR_CORRUPT, "wrong size");
  cr_assert_eq(close(fd), 0);
}

Test(segment, a_command_line_maps_the_rings_one_at_a_time) {
  md_segment_config_t cfg = fixture_config(1);
  md_segment_t        engine, first, second;
  md_msg_t            msg = {""};
  start_engine(&cfg, &engine);
  md_segment_ready(&engine);
  cr_assert_eq(md_segment_join(test_dir, "unit", &first, &msg), MD_OK);
  cr_assert_eq(md_segment_join(test_dir, "unit", &second, &msg), MD_OK);
  cr_assert_eq(md_segment_join_rings(&first, 0, &msg), MD_OK, "%s", msg.text);
  cr_assert_eq(md_segment_join_rings(&second, 0, &msg), MD_ERR_TIMEOUT);
  md_command_slot_t *slot = md_segment_command(&first, 1);
  md_store_relaxed(&slot->request_no, 5);
  cr_assert_eq(md_load_relaxed(&md_segment_command(&engine, 1)->request_no), 5, "one memory");
  md_segment_leave(&first);
  cr_assert_eq(md_segment_join_rings(&second, 0, &msg), MD_OK, "%s", msg.text);
  md_segment_leave(&second);
  md_segment_delete(&engine);
}

/* ---- refusals of the system ---- */

Test(segment, a_limit_on_file_sizes_is_one_clear_line) {
  md_segment_config_t cfg = fixture_config(1);
  md_segment_t        engine;
  md_msg_t            msg   = {""};
  struct rlimit       limit = {.rlim_cur = 65536, .rlim_max = 65536};
  int                 fd;
  cr_assert_neq(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
  cr_assert_eq(md_segment_lock(test_dir, "unit", &fd, &msg), MD_OK);
  cr_assert_eq(md_segment_new(&cfg, fd, md_clock_system(), &engine, &msg), MD_ERR_NOSPACE);
  expect_in(msg.text, "ulimit -f");
  cr_assert_null(strchr(msg.text, '\n'));
  cr_assert_eq(close(fd), 0, "the lock stayed ours");
}

Test(segment, more_than_the_folder_holds_names_both_sizes) {
  md_segment_config_t cfg = fixture_config(1);
  md_segment_t        engine;
  md_msg_t            msg = {""};
  char                path[256];
  int                 fd;
  cfg.book_bytes = 1ull << 50;
  cr_assert_eq(md_segment_lock(test_dir, "unit", &fd, &msg), MD_OK);
  cr_assert_eq(md_segment_new(&cfg, fd, md_clock_system(), &engine, &msg), MD_ERR_NOSPACE);
  expect_in(msg.text, "needs 10737418");
  expect_in(msg.text, "has room for");
  (void)snprintf(path, sizeof path, "%s/mdengine.unit.new", test_dir);
  cr_assert_neq(access(path, F_OK), 0, "nothing half-made is left");
  cr_assert_eq(close(fd), 0);
}

/* A mount of its own, seen by this test's process only. */
static bool
mount_small(uint64_t bytes) {
  char options[64];
  (void)snprintf(options, sizeof options, "size=%llu", (unsigned long long)bytes);
  return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
         mount("none", test_dir, "tmpfs", 0, options) == 0;
}

Test(segment, a_folder_with_room_for_one_segment_takes_a_restart) {
  md_segment_config_t cfg = fixture_config(4);
  md_segment_t        engine, old;
  md_msg_t            msg = {""};
  uint64_t            main_bytes, rings_bytes;
  md_segment_bytes(&cfg, &main_bytes, &rings_bytes);
  if (!mount_small(main_bytes + rings_bytes + 4096)) cr_skip_test("mounting is not allowed here");
  run_and_die(3, true);
  start_engine(&cfg, &engine);
  md_segment_delete(&engine);
  cr_assert_eq(md_segment_join(test_dir, "unit", &old, &msg), MD_ERR_ABSENT);
  cr_assert_eq(umount(test_dir), 0, "no file is open or mapped");
}

Test(segment, a_folder_without_room_is_told_before_anything_is_taken) {
  md_segment_config_t cfg = fixture_config(4);
  md_segment_t        engine;
  md_msg_t            msg = {""};
  uint64_t            main_bytes, rings_bytes;
  int                 fd;
  md_segment_bytes(&cfg, &main_bytes, &rings_bytes);
  if (!mount_small(main_bytes + rings_bytes - 4096)) cr_skip_test("mounting is not allowed here");
  cr_assert_eq(md_segment_lock(test_dir, "unit", &fd, &msg), MD_OK);
  cr_assert_eq(md_segment_new(&cfg, fd, md_clock_system(), &engine, &msg), MD_ERR_NOSPACE);
  expect_in(msg.text, "has room for");
  md_segment_unlock(test_dir, "unit", fd);
  cr_assert_eq(umount(test_dir), 0);
}

Test(segment, a_start_that_failed_leaves_no_file) {
  md_msg_t msg = {""};
  int      fd;
  cr_assert_eq(md_segment_lock(test_dir, "unit", &fd, &msg), MD_OK);
  md_segment_unlock(test_dir, "unit", fd);
  cr_assert_eq(rmdir(test_dir), 0);
}

Test(segment, a_wrong_configuration_says_which_one) {
  md_segment_config_t cfg     = fixture_config(1);
  md_segment_ring_t   rings[] = {{.name = "odd.journal", .capacity_bytes = 100000}};
  md_segment_t        engine;
  md_msg_t            msg = {""};
  int                 fd;
  cfg.rings    = rings;
  cfg.ring_cnt = 1;
  cr_assert_eq(md_segment_lock(test_dir, "unit", &fd, &msg), MD_OK);
  cr_assert_eq(md_segment_new(&cfg, fd, md_clock_system(), &engine, &msg), MD_ERR_CONFIG);
  expect_in(msg.text, "odd.journal");
  expect_in(msg.text, "power of two");
  cr_assert_eq(close(fd), 0);
}

/* Runs fn as user nobody; its result is the exit code. */
static int
as_nobody(int (*fn)(void)) {
  pid_t pid = fork();
  cr_assert_geq(pid, 0);
  if (pid == 0) {
    if (setgid(65534) || setuid(65534)) _exit(99);
    _exit(fn());
  }
  int status;
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  cr_assert(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static int
join_denied(void) {
  md_segment_t reader;
  md_msg_t     msg = {""};
  if (md_segment_join(test_dir, "unit", &reader, &msg) != MD_ERR_DENIED) return 1;
  return strstr(msg.text, "mdengine.unit") && strstr(msg.text, "Permission denied") ? 0 : 2;
}

static int
lock_denied(void) {
  md_msg_t msg = {""};
  int      fd;
  if (md_segment_lock(test_dir, "fresh", &fd, &msg) != MD_ERR_DENIED) return 1;
  return strstr(msg.text, "mdengine.fresh.rings") ? 0 : 2;
}

Test(segment, another_user_is_denied) {
  if (geteuid() != 0) cr_skip_test("only root can become another user");
  md_segment_config_t cfg = fixture_config(1);
  md_segment_t        engine;
  start_engine(&cfg, &engine);
  md_segment_ready(&engine);
  cr_assert_eq(chmod(test_dir, 0755), 0);
  cr_assert_eq(as_nobody(join_denied), 0);
  cr_assert_eq(as_nobody(lock_denied), 0);
  md_segment_delete(&engine);
}

Test(segment, a_readers_mapping_cannot_be_written) {
  md_segment_config_t cfg = fixture_config(1);
  md_segment_t        engine, reader;
  md_msg_t            msg = {""};
  start_engine(&cfg, &engine);
  md_segment_ready(&engine);
  cr_assert_eq(md_segment_join(test_dir, "unit", &reader, &msg), MD_OK);
  /* read() into the mapping asks the kernel whether it may be written, without a signal. */
  int zero = open("/dev/zero", O_RDONLY);
  cr_assert_eq(read(zero, reader.base, 8), -1);
  cr_assert_eq(errno, EFAULT);
  cr_assert_eq(mprotect(reader.base, 4096, PROT_READ | PROT_WRITE), -1, "opened for reading only");
  cr_assert_eq(close(zero), 0);
  md_segment_leave(&reader);
  md_segment_delete(&engine);
}

/* ---- hostile bytes ---- */

typedef struct hostile {
  uint64_t    off;
  uint64_t    value;
  md_err_t    want;
  const char *what;
} hostile_t;

#define HEADER_OFF(field) offsetof(md_segment_header_t, field)
#define SECTION_OFF(kind, field)                                                                   \
  (HEADER_OFF(section) + (kind) * sizeof(md_section_t) + offsetof(md_section_t, field))

static const hostile_t hostile[] = {
    {HEADER_OFF(magic), 0, MD_ERR_EMPTY, "no magic yet"},
    {HEADER_OFF(magic), 77, MD_ERR_CORRUPT, "another magic"},
    {HEADER_OFF(abi_version), (MD_SEGMENT_ABI_VERSION + 1) | (4096ull << 32), MD_ERR_VERSION,
     "a newer layout"},
    {HEADER_OFF(total_bytes), 4096, MD_ERR_CORRUPT, "a size that is not the file's"},
    {HEADER_OFF(state), MD_SEGMENT_STARTING, MD_ERR_EMPTY, "starting"},
    {HEADER_OFF(state), MD_SEGMENT_SUPERSEDED, MD_ERR_EMPTY, "superseded"},
    {HEADER_OFF(state), MD_SEGMENT_STOPPED, MD_ERR_ABSENT, "stopped"},
    {HEADER_OFF(state), 4, MD_ERR_CORRUPT, "no such state"},
    {SECTION_OFF(MD_SECTION_THREADS, off), UINT64_MAX - 127, MD_ERR_CORRUPT,
     "an offset that wraps"},
    {SECTION_OFF(MD_SECTION_FEEDS, off), 0, MD_ERR_CORRUPT, "a section over the header"},
    {SECTION_OFF(MD_SECTION_STREAMS, off), 4097, MD_ERR_CORRUPT, "an unaligned section"},
    {SECTION_OFF(MD_SECTION_METRICS, bytes), UINT64_MAX, MD_ERR_CORRUPT, "a section without end"},
    {SECTION_OFF(MD_SECTION_ERRLOG, cnt), 0, MD_ERR_CORRUPT, "no error log"},
    {SECTION_OFF(MD_SECTION_INSTRUMENTS, cnt), 9 | (320ull << 32), MD_ERR_CORRUPT, "too many rows"},
    {SECTION_OFF(MD_SECTION_THREADS, cnt), UINT32_MAX, MD_ERR_CORRUPT, "rows without a size"},
    {SECTION_OFF(MD_SECTION_TAPES, cnt), 1 | (8ull << 32), MD_ERR_CORRUPT,
     "fewer tapes than feeds"},
};

Test(segment, a_hostile_header_is_an_error) {
  md_segment_config_t cfg = fixture_config(1);
  md_segment_t        engine, reader;
  md_msg_t            msg = {""};
  char                path[128];
  start_engine(&cfg, &engine);
  md_segment_ready(&engine);
  (void)snprintf(path, sizeof path, "%s/mdengine.bad", test_dir);
  uint8_t *copy = malloc(engine.bytes);
  for (size_t i = 0; i < MD_CNT(hostile); i++) {
    memcpy(copy, engine.base, engine.bytes);
    memcpy(copy + hostile[i].off, &hostile[i].value, 8);
    write_file(path, copy, engine.bytes);
    cr_assert_eq(md_segment_join(test_dir, "bad", &reader, &msg), hostile[i].want, "%s: %s",
                 hostile[i].what, msg.text);
  }
  for (size_t bytes = 0; bytes < engine.bytes; bytes += 1 + engine.bytes / 20) {
    write_file(path, engine.base, bytes);
    cr_assert_eq(md_segment_join(test_dir, "bad", &reader, &msg), MD_ERR_CORRUPT, "cut to %zu",
                 bytes);
  }
  cr_assert_eq(unlink(path), 0);
  cr_assert_eq(symlink(engine.path, path), 0);
  cr_assert_lt(md_segment_join(test_dir, "bad", &reader, &msg), 0, "a link is not followed");
  free(copy);
  md_segment_delete(&engine);
}
