#include "writers/io_loop.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static md_io_t *
open_loop(uint32_t entry_cnt) {
  md_io_t       *io  = NULL;
  md_msg_t       msg = {0};
  md_io_config_t cfg = {.entry_cnt = entry_cnt};
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

Test(io_loop, write_and_sync_reach_the_file_and_report) {
  md_io_t   *io    = open_loop(8);
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

Test(io_loop, registered_buffers_write_what_they_hold) {
  size_t         bytes  = 1u << 16;
  void          *buffer = aligned_alloc(4096, bytes);
  md_io_t       *io     = NULL;
  md_io_config_t cfg    = {
         .entry_cnt = 4, .buffers = &buffer, .buffer_bytes = &bytes, .buffer_cnt = 1};
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

Test(io_loop, failure_comes_as_negative_errno_and_breaks_the_link) {
  md_io_t   *io    = open_loop(4);
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

Test(io_loop, too_many_in_flight_is_FULL_until_one_is_done) {
  md_io_t   *io = open_loop(2);
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

Test(io_loop, a_cancelled_poll_reports_ECANCELED) {
  md_io_t   *io = open_loop(4);
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

Test(io_loop, an_idle_turn_ends_by_its_timeout) {
  md_io_t *io = open_loop(4);
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
