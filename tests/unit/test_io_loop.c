#include "writers/io_loop.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct seen {
  int32_t result;
  int     cnt;
} seen_t;

static void
note(md_io_op_t *op, int32_t result) {
  seen_t *seen = op->ctx;
  seen->result = result;
  seen->cnt++;
}

/* Every test runs on both backends: what a caller sees must not differ. */
static md_io_t *
open_loop(md_io_backend_t backend, uint32_t entry_cnt) {
  md_io_t       *io  = NULL;
  md_msg_t       msg = {0};
  md_io_config_t cfg = {.backend = backend, .entry_cnt = entry_cnt};
  cr_assert_eq(md_io_open(&cfg, &io, &msg), MD_OK, "%s", msg.text);
  return io;
}

static void
turn_until(md_io_t *io, const seen_t *seen, int cnt) {
  for (int i = 0; i < 1000 && seen->cnt < cnt; i++)
    cr_assert_geq(md_io_turn(io, 10000000), 0);
  cr_assert_eq(seen->cnt, cnt);
}

static int
temp_file(void) {
  char path[] = "/tmp/mdengine-io-XXXXXX";
  int  fd     = mkstemp(path);
  (void)unlink(path);
  return fd;
}

static void
write_and_sync_reach_the_file_and_report(md_io_backend_t backend) {
  md_io_t   *io    = open_loop(backend, 8);
  int        fd    = temp_file();
  seen_t     wrote = {0}, synced = {0};
  md_io_op_t write_op = {.done = note, .ctx = &wrote, .link = true},
             sync_op  = {.done = note, .ctx = &synced};
  cr_assert_eq(md_io_write(io, &write_op, fd, "hello", 5, 3, -1), MD_OK);
  cr_assert_eq(md_io_sync(io, &sync_op, fd), MD_OK);
  cr_assert(write_op.in_flight);
  turn_until(io, &synced, 1);
  cr_assert_eq(wrote.result, 5);
  cr_assert_eq(synced.result, 0);
  cr_assert_not(write_op.in_flight);
  char back[8] = {0};
  cr_assert_eq(pread(fd, back, 5, 3), 5);
  cr_assert_str_eq(back, "hello");
  md_io_close(io);
  (void)close(fd);
}

static void
registered_buffers_write_what_they_hold(md_io_backend_t backend) {
  size_t         bytes  = 1u << 16;
  void          *buffer = aligned_alloc(4096, bytes);
  md_io_t       *io     = NULL;
  md_io_config_t cfg    = {.backend      = backend,
                           .entry_cnt    = 4,
                           .buffers      = &buffer,
                           .buffer_bytes = &bytes,
                           .buffer_cnt   = 1};
  cr_assert_eq(md_io_open(&cfg, &io, NULL), MD_OK);
  memset(buffer, 'z', bytes);
  int        fd   = temp_file();
  seen_t     seen = {0};
  md_io_op_t op   = {.done = note, .ctx = &seen};
  cr_assert_eq(md_io_write(io, &op, fd, buffer, (uint32_t)bytes, 0, 0), MD_OK);
  turn_until(io, &seen, 1);
  cr_assert_eq(seen.result, (int32_t)bytes);
  char back;
  cr_assert_eq(pread(fd, &back, 1, (off_t)bytes - 1), 1);
  cr_assert_eq(back, 'z');
  md_io_close(io);
  (void)close(fd);
  free(buffer);
}

static void
failure_comes_as_negative_errno_and_breaks_the_link(md_io_backend_t backend) {
  md_io_t   *io    = open_loop(backend, 4);
  seen_t     wrote = {0}, synced = {0};
  md_io_op_t write_op = {.done = note, .ctx = &wrote, .link = true},
             sync_op  = {.done = note, .ctx = &synced};
  int fd              = open("/dev/full", O_WRONLY);
  cr_assert_eq(md_io_write(io, &write_op, fd, "x", 1, 0, -1), MD_OK);
  cr_assert_eq(md_io_sync(io, &sync_op, fd), MD_OK);
  turn_until(io, &synced, 1);
  cr_assert_eq(wrote.result, -ENOSPC);
  cr_assert_eq(synced.result, -ECANCELED);
  md_io_close(io);
  (void)close(fd);
}

static void
too_many_in_flight_is_FULL_until_one_is_done(md_io_backend_t backend) {
  md_io_t   *io = open_loop(backend, 2);
  int        pipes[2];
  seen_t     seen = {0};
  md_io_op_t op[3];
  cr_assert_eq(pipe(pipes), 0);
  for (int i = 0; i < 3; i++)
    op[i] = (md_io_op_t){.done = note, .ctx = &seen};
  cr_assert_eq(md_io_poll(io, &op[0], pipes[0], POLLIN), MD_OK);
  cr_assert_eq(md_io_poll(io, &op[1], pipes[0], POLLIN), MD_OK);
  cr_assert_eq(md_io_poll(io, &op[2], pipes[0], POLLIN), MD_ERR_FULL);
  cr_assert_eq(md_io_turn(io, 0), 0);
  cr_assert_eq(write(pipes[1], "x", 1), 1);
  turn_until(io, &seen, 2);
  cr_assert(seen.result & POLLIN);
  cr_assert_eq(md_io_poll(io, &op[2], pipes[0], POLLIN), MD_OK);
  turn_until(io, &seen, 3);
  md_io_close(io);
  (void)close(pipes[0]);
  (void)close(pipes[1]);
}

static void
a_cancelled_poll_reports_ECANCELED(md_io_backend_t backend) {
  md_io_t   *io = open_loop(backend, 4);
  int        pipes[2];
  seen_t     seen = {0};
  md_io_op_t op   = {.done = note, .ctx = &seen};
  cr_assert_eq(pipe(pipes), 0);
  cr_assert_eq(md_io_poll(io, &op, pipes[0], POLLIN), MD_OK);
  cr_assert_eq(md_io_turn(io, 0), 0);
  md_io_poll_cancel(io, &op);
  turn_until(io, &seen, 1);
  cr_assert_eq(seen.result, -ECANCELED);
  cr_assert_not(op.in_flight);
  md_io_poll_cancel(io, &op); /* nothing to cancel: no harm */
  cr_assert_eq(md_io_turn(io, 0), 0);
  md_io_close(io);
  (void)close(pipes[0]);
  (void)close(pipes[1]);
}

static void
chain(md_io_op_t *op, int32_t result) {
  seen_t *seen = op->ctx;
  seen->result = result;
  seen->cnt++;
}

static void
an_idle_turn_ends_by_its_timeout(md_io_backend_t backend) {
  md_io_t *io = open_loop(backend, 4);
  cr_assert_eq(md_io_turn(io, 1000000), 0);
  cr_assert_eq(md_io_turn(io, 0), 0);
  seen_t     seen = {0};
  md_io_op_t op   = {.done = chain, .ctx = &seen};
  int        fd   = temp_file();
  cr_assert_eq(md_io_write(io, &op, fd, "a", 1, 0, -1), MD_OK);
  turn_until(io, &seen, 1);
  md_io_close(io);
  (void)close(fd);
}

#define BOTH(name)                                                                                 \
  Test(io_loop_uring, name) {                                                                      \
    name(MD_IO_URING);                                                                             \
  }                                                                                                \
  Test(io_loop_calls, name) {                                                                      \
    name(MD_IO_POLL);                                                                              \
  }

BOTH(write_and_sync_reach_the_file_and_report)
BOTH(registered_buffers_write_what_they_hold)
BOTH(failure_comes_as_negative_errno_and_breaks_the_link)
BOTH(too_many_in_flight_is_FULL_until_one_is_done)
BOTH(a_cancelled_poll_reports_ECANCELED)
BOTH(an_idle_turn_ends_by_its_timeout)

/* ---- links, in order ---- */

static int32_t order[8];
static int     order_cnt;

static void
note_order(md_io_op_t *op, int32_t result) {
  (void)result;
  order[order_cnt++] = (int32_t)(intptr_t)op->ctx;
}

Test(io_loop_calls, run_inside_the_turn_in_the_order_asked_for) {
  md_io_t *io = open_loop(MD_IO_POLL, 4);
  int      fd = temp_file();
  for (int round = 0; round < 3; round++) { /* so that the queue wraps */
    md_io_op_t op[4];
    order_cnt = 0;
    for (int i = 0; i < 4; i++)
      op[i] = (md_io_op_t){.done = note_order, .ctx = (void *)(intptr_t)i};
    cr_assert_eq(md_io_write(io, &op[0], fd, "a", 1, 0, -1), MD_OK);
    cr_assert_eq(md_io_sync(io, &op[1], fd), MD_OK);
    cr_assert_eq(md_io_write(io, &op[2], fd, "b", 1, 1, -1), MD_OK);
    cr_assert_eq(order_cnt, 0); /* never before the turn */
    cr_assert_eq(md_io_turn(io, 0), 3);
    cr_assert_eq(order_cnt, 3);
    for (int i = 0; i < 3; i++)
      cr_assert_eq(order[i], i);
  }
  md_io_close(io);
  (void)close(fd);
}

static int64_t
short_pwrite(void *ctx, int fd, const void *data, size_t bytes, uint64_t off) {
  (void)ctx;
  return md_disk_pwrite(NULL, fd, data, bytes / 2, off);
}

Test(io_loop_calls, a_short_write_cuts_the_link_and_an_unlinked_one_does_not) {
  md_disk_t disk       = *md_disk_system();
  disk.pwrite          = short_pwrite;
  md_io_t       *io    = NULL;
  md_io_config_t cfg   = {.disk = &disk, .entry_cnt = 4};
  seen_t         wrote = {0}, synced = {0};
  int            fd = temp_file();
  cr_assert_eq(md_io_open(&cfg, &io, NULL), MD_OK);
  cr_assert_eq(md_io_backend(io), MD_IO_POLL); /* a disk of the caller needs the calls */
  for (int linked = 0; linked < 2; linked++) {
    md_io_op_t write_op = {.done = note, .ctx = &wrote, .link = linked},
               sync_op  = {.done = note, .ctx = &synced};
    cr_assert_eq(md_io_write(io, &write_op, fd, "four", 4, 0, -1), MD_OK);
    cr_assert_eq(md_io_sync(io, &sync_op, fd), MD_OK);
    cr_assert_eq(md_io_turn(io, 0), 2);
    cr_assert_eq(wrote.result, 2);
    cr_assert_eq(synced.result, linked ? -ECANCELED : 0);
  }
  md_io_close(io);
  (void)close(fd);
}

/* ---- the choice ---- */

Test(io_loop, takes_io_uring_by_itself_where_it_may) {
  md_io_t *io = open_loop(MD_IO_AUTO, 4);
  cr_assert_eq(md_io_backend(io), MD_IO_URING);
  cr_assert_str_eq(md_io_why(io), "I/O by io_uring");
  md_io_close(io);
}

/* Refuses the io_uring system call with this number, with cause. */
static void
forbid(unsigned number, unsigned cause) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | cause),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog program = {.len = (unsigned short)MD_CNT(filter), .filter = filter};
  cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static void
falls_back(unsigned number, unsigned cause, const char *advice) {
  forbid(number, cause);
  md_io_t *io = open_loop(MD_IO_AUTO, 4);
  cr_assert_eq(md_io_backend(io), MD_IO_POLL);
  cr_assert(strstr(md_io_why(io), "io_uring is refused"), "%s", md_io_why(io));
  cr_assert(strstr(md_io_why(io), advice), "%s", md_io_why(io));
  md_io_close(io);
  md_io_config_t cfg = {.backend = MD_IO_URING, .entry_cnt = 4};
  md_msg_t       msg = {0};
  cr_assert_neq(md_io_open(&cfg, &io, &msg), MD_OK);
  cr_assert(strstr(msg.text, advice), "%s", msg.text);
}

Test(io_loop, makes_the_calls_itself_where_a_filter_refuses_the_setup) {
  falls_back(SYS_io_uring_setup, EPERM, "seccomp");
}

Test(io_loop, makes_the_calls_itself_where_the_kernel_has_no_io_uring) {
  falls_back(SYS_io_uring_setup, ENOSYS, "this kernel has none");
}

Test(io_loop, makes_the_calls_itself_where_memory_may_not_be_locked) {
  falls_back(SYS_io_uring_setup, ENOMEM, "memlock");
}

Test(io_loop, makes_the_calls_itself_where_only_entering_is_refused) {
  falls_back(SYS_io_uring_enter, EPERM, "seccomp");
}
