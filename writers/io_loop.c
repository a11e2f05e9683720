#include "writers/io_loop_backend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What to do about a refusal, for people. */
static const char *
advice_for(int cause) {
  if (cause == ENOMEM) return "raise the memlock limit";
  if (cause == ENOSYS) return "this kernel has none";
  return "a container's seccomp profile or kernel.io_uring_disabled forbids it";
}

md_err_t
md_io_open(const md_io_config_t *cfg, md_io_t **out, md_msg_t *msg) {
  md_assert(md_is_pow2(cfg->entry_cnt));
  md_assert(cfg->buffer_cnt == 0 || cfg->buffers);
  md_assert(!cfg->disk || cfg->backend != MD_IO_URING);
  const bool asked_calls = cfg->backend == MD_IO_POLL || cfg->disk;
  md_io_t   *io          = NULL;
  int        refused     = asked_calls ? 0 : -md_io_uring_open(cfg, &io);
  if (refused != 0 && cfg->backend == MD_IO_URING)
    return md_fail_errno(msg, refused, "io_uring cannot be set up (%s)", advice_for(refused));
  int rc = io ? 0 : md_io_poll_open(cfg, &io);
  if (rc < 0) return md_fail_errno(msg, -rc, "no memory for an I/O loop");
  io->entry_cnt = cfg->entry_cnt;
  if (refused != 0)
    (void)snprintf(io->why, sizeof io->why,
                   "I/O by pwrite, fdatasync and poll: io_uring is refused (%s): %s",
                   strerror(refused), advice_for(refused));
  else
    (void)snprintf(io->why, sizeof io->why, "I/O by %s",
                   io->backend == MD_IO_URING ? "io_uring" : "pwrite, fdatasync and poll");
  *out = io;
  return MD_OK;
}

void
md_io_close(md_io_t *io) {
  if (io) io->ops->close(io);
}

md_io_backend_t
md_io_backend(const md_io_t *io) {
  return io->backend;
}

const char *
md_io_why(const md_io_t *io) {
  return io->why;
}

/* ---- operations ---- */

static bool
may_start(const md_io_t *io, const md_io_op_t *op) {
  md_assert(!op->in_flight);
  md_assert(op->done);
  return io->in_flight_cnt < io->entry_cnt;
}

static md_err_t
started(md_io_t *io, md_io_op_t *op, bool ok) {
  if (!ok) return MD_ERR_FULL;
  op->in_flight = true;
  io->in_flight_cnt++;
  return MD_OK;
}

void
md_io_done(md_io_t *io, md_io_op_t *op, int32_t result) {
  md_assert(op->in_flight);
  md_assert(io->in_flight_cnt > 0);
  op->in_flight = false;
  io->in_flight_cnt--;
  op->done(op, result);
}

md_err_t
md_io_write(md_io_t *io, md_io_op_t *op, int fd, const void *data, uint32_t len, uint64_t off,
            int buffer) {
  const md_io_write_t write = {.data = data, .len = len, .buffer = buffer, .off = off};
  return started(io, op, may_start(io, op) && io->ops->write(io, op, fd, &write));
}

md_err_t
md_io_sync(md_io_t *io, md_io_op_t *op, int fd) {
  return started(io, op, may_start(io, op) && io->ops->sync(io, op, fd));
}

md_err_t
md_io_poll(md_io_t *io, md_io_op_t *op, int fd, short events) {
  return started(io, op, may_start(io, op) && io->ops->poll(io, op, fd, events));
}

void
md_io_poll_cancel(md_io_t *io, md_io_op_t *op) {
  if (op->in_flight) io->ops->poll_cancel(io, op);
}

int
md_io_turn(md_io_t *io, int64_t timeout_ns) {
  return io->ops->turn(io, timeout_ns);
}
