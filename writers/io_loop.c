#include "writers/io_loop.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>

#define REAP_MAX 256u /* callbacks of one turn */

struct md_io {
  struct io_uring ring;
  uint32_t        entry_cnt;
  uint32_t        in_flight_cnt;
  uint32_t        buffer_cnt; /* registered ones; 0 when the kernel refused */
  const size_t   *buffer_bytes;
  void *const    *buffers;
};

/* Registration pins pages against RLIMIT_MEMLOCK. Being refused costs a few percent, not the data.
 */
static void
register_buffers(md_io_t *io, const md_io_config_t *cfg) {
  struct iovec iov[16];
  if (cfg->buffer_cnt == 0 || cfg->buffer_cnt > MD_CNT(iov)) return;
  for (uint32_t i = 0; i < cfg->buffer_cnt; i++)
    iov[i] = (struct iovec){.iov_base = cfg->buffers[i], .iov_len = cfg->buffer_bytes[i]};
  if (io_uring_register_buffers(&io->ring, iov, cfg->buffer_cnt) == 0)
    io->buffer_cnt = cfg->buffer_cnt;
}

md_err_t
md_io_open(const md_io_config_t *cfg, md_io_t **out, md_msg_t *msg) {
  md_assert(md_is_pow2(cfg->entry_cnt));
  md_assert(cfg->buffer_cnt == 0 || cfg->buffers);
  md_io_t *io = calloc(1, sizeof *io);
  if (!io) return md_fail(msg, MD_ERR_NOMEM, "no memory for an I/O loop");
  io->entry_cnt = cfg->entry_cnt;
  int rc        = io_uring_queue_init(cfg->entry_cnt, &io->ring, 0);
  if (rc < 0) {
    free(io);
    return md_fail_errno(msg, -rc,
                         "io_uring cannot be set up (a container's seccomp profile or "
                         "kernel.io_uring_disabled may forbid it: allow it)");
  }
  register_buffers(io, cfg);
  *out = io;
  return MD_OK;
}

void
md_io_close(md_io_t *io) {
  if (!io) return;
  io_uring_queue_exit(&io->ring);
  free(io);
}

/* A submission slot for op; NULL when too many are in flight. */
static struct io_uring_sqe *
take_slot(md_io_t *io) {
  if (io->in_flight_cnt >= io->entry_cnt) return NULL;
  struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring);
  if (sqe) return sqe;
  if (io_uring_submit(&io->ring) < 0) return NULL;
  return io_uring_get_sqe(&io->ring);
}

static void
start(md_io_t *io, struct io_uring_sqe *sqe, md_io_op_t *op) {
  md_assert(!op->in_flight);
  md_assert(op->done);
  op->in_flight = true;
  io->in_flight_cnt++;
  io_uring_sqe_set_data(sqe, op);
}

md_err_t
md_io_write(md_io_t *io, md_io_op_t *op, int fd, const void *data, uint32_t len, uint64_t off,
            int buffer) {
  struct io_uring_sqe *sqe = take_slot(io);
  if (!sqe) return MD_ERR_FULL;
  if (buffer >= 0 && (uint32_t)buffer < io->buffer_cnt) {
    io_uring_prep_write_fixed(sqe, fd, data, len, off, buffer);
  } else {
    io_uring_prep_write(sqe, fd, data, len, off);
  }
  if (op->link) io_uring_sqe_set_flags(sqe, IOSQE_IO_LINK);
  start(io, sqe, op);
  return MD_OK;
}

md_err_t
md_io_sync(md_io_t *io, md_io_op_t *op, int fd) {
  struct io_uring_sqe *sqe = take_slot(io);
  if (!sqe) return MD_ERR_FULL;
  io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
  start(io, sqe, op);
  return MD_OK;
}

md_err_t
md_io_poll(md_io_t *io, md_io_op_t *op, int fd, short events) {
  struct io_uring_sqe *sqe = take_slot(io);
  if (!sqe) return MD_ERR_FULL;
  io_uring_prep_poll_add(sqe, fd, (unsigned)(unsigned short)events);
  start(io, sqe, op);
  return MD_OK;
}

void
md_io_poll_cancel(md_io_t *io, md_io_op_t *op) {
  if (!op->in_flight) return;
  struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring);
  if (!sqe) {
    (void)io_uring_submit(&io->ring);
    sqe = io_uring_get_sqe(&io->ring);
  }
  if (!sqe) return;
  io_uring_prep_poll_remove(sqe, (uint64_t)(uintptr_t)op);
  io_uring_sqe_set_data(sqe, NULL); /* its own completion says nothing new */
}

static int
reap(md_io_t *io) {
  int done_cnt = 0;
  for (uint32_t i = 0; i < REAP_MAX; i++) {
    struct io_uring_cqe *cqe = NULL;
    if (io_uring_peek_cqe(&io->ring, &cqe) != 0 || !cqe) break;
    md_io_op_t *op     = io_uring_cqe_get_data(cqe);
    int32_t     result = cqe->res;
    io_uring_cqe_seen(&io->ring, cqe);
    if (!op) continue;
    md_assert(op->in_flight);
    md_assert(io->in_flight_cnt > 0);
    op->in_flight = false;
    io->in_flight_cnt--;
    op->done(op, result);
    done_cnt++;
  }
  return done_cnt;
}

/* EINTR, ETIME and EAGAIN are ends of a wait, not failures; EBUSY asks to reap first. */
static bool
is_harmless(int rc) {
  return rc >= 0 || rc == -ETIME || rc == -EINTR || rc == -EAGAIN || rc == -EBUSY;
}

int
md_io_turn(md_io_t *io, int64_t timeout_ns) {
  if (io_uring_sq_ready(&io->ring) > 0) {
    int rc = io_uring_submit(&io->ring);
    if (!is_harmless(rc)) return MD_ERR_IO;
  }
  int done_cnt = reap(io);
  if (done_cnt > 0 || timeout_ns <= 0) {
    /* A callback may have asked for more: it starts now, not a turn later. */
    if (io_uring_sq_ready(&io->ring) > 0 && !is_harmless(io_uring_submit(&io->ring)))
      return MD_ERR_IO;
    return done_cnt;
  }
  struct io_uring_cqe     *cqe  = NULL;
  struct __kernel_timespec wait = {.tv_sec  = timeout_ns / 1000000000,
                                   .tv_nsec = timeout_ns % 1000000000};
  int                      rc   = io_uring_wait_cqe_timeout(&io->ring, &cqe, &wait);
  if (!is_harmless(rc)) return MD_ERR_IO;
  return reap(io);
}
