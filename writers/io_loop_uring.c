/* A loop on one io_uring. */
#include "writers/io_loop_backend.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

#define REAP_MAX 256u /* callbacks of one turn */

typedef struct uring {
  md_io_t         io;
  struct io_uring ring;
  uint32_t        buffer_cnt; /* registered ones; 0 when the kernel refused */
} uring_t;

/* A submission slot; NULL when too many are in flight. */
static struct io_uring_sqe *
take_slot(uring_t *u) {
  struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
  if (sqe) return sqe;
  if (io_uring_submit(&u->ring) < 0) return NULL;
  return io_uring_get_sqe(&u->ring);
}

static bool
uring_write(md_io_t *io, md_io_op_t *op, int fd, const md_io_write_t *write) {
  uring_t             *u   = (uring_t *)io;
  struct io_uring_sqe *sqe = take_slot(u);
  if (!sqe) return false;
  if (write->buffer >= 0 && (uint32_t)write->buffer < u->buffer_cnt) {
    io_uring_prep_write_fixed(sqe, fd, write->data, write->len, write->off, write->buffer);
  } else {
    io_uring_prep_write(sqe, fd, write->data, write->len, write->off);
  }
  if (op->link) io_uring_sqe_set_flags(sqe, IOSQE_IO_LINK);
  io_uring_sqe_set_data(sqe, op);
  return true;
}

static bool
uring_sync(md_io_t *io, md_io_op_t *op, int fd) {
  struct io_uring_sqe *sqe = take_slot((uring_t *)io);
  if (!sqe) return false;
  io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
  io_uring_sqe_set_data(sqe, op);
  return true;
}

static bool
uring_poll(md_io_t *io, md_io_op_t *op, int fd, short events) {
  struct io_uring_sqe *sqe = take_slot((uring_t *)io);
  if (!sqe) return false;
  io_uring_prep_poll_add(sqe, fd, (unsigned)(unsigned short)events);
  io_uring_sqe_set_data(sqe, op);
  return true;
}

static void
uring_poll_cancel(md_io_t *io, md_io_op_t *op) {
  struct io_uring_sqe *sqe = take_slot((uring_t *)io);
  if (!sqe) return;
  io_uring_prep_poll_remove(sqe, (uint64_t)(uintptr_t)op);
  io_uring_sqe_set_data(sqe, NULL); /* its own completion says nothing new */
}

static int
reap(uring_t *u) {
  int done_cnt = 0;
  for (uint32_t i = 0; i < REAP_MAX; i++) {
    struct io_uring_cqe *cqe = NULL;
    if (io_uring_peek_cqe(&u->ring, &cqe) != 0 || !cqe) break;
    md_io_op_t *op     = io_uring_cqe_get_data(cqe);
    int32_t     result = cqe->res;
    io_uring_cqe_seen(&u->ring, cqe);
    if (!op) continue;
    md_io_done(&u->io, op, result);
    done_cnt++;
  }
  return done_cnt;
}

/* EINTR, ETIME and EAGAIN are ends of a wait, not failures; EBUSY asks to reap first. */
static bool
is_harmless(int rc) {
  return rc >= 0 || rc == -ETIME || rc == -EINTR || rc == -EAGAIN || rc == -EBUSY;
}

static int
uring_turn(md_io_t *io, int64_t timeout_ns) {
  uring_t *u = (uring_t *)io;
  if (io_uring_sq_ready(&u->ring) > 0 && !is_harmless(io_uring_submit(&u->ring))) return MD_ERR_IO;
  int done_cnt = reap(u);
  if (done_cnt > 0 || timeout_ns <= 0) {
    /* A callback may have asked for more: it starts now, not a turn later. */
    if (io_uring_sq_ready(&u->ring) > 0 && !is_harmless(io_uring_submit(&u->ring)))
      return MD_ERR_IO;
    return done_cnt;
  }
  struct io_uring_cqe     *cqe  = NULL;
  struct __kernel_timespec wait = {.tv_sec  = timeout_ns / 1000000000,
                                   .tv_nsec = timeout_ns % 1000000000};
  int                      rc   = io_uring_wait_cqe_timeout(&u->ring, &cqe, &wait);
  if (!is_harmless(rc)) return MD_ERR_IO;
  return reap(u);
}

static void
uring_close(md_io_t *io) {
  io_uring_queue_exit(&((uring_t *)io)->ring);
  free(io);
}

/* Registration pins pages against RLIMIT_MEMLOCK. Being refused costs a few percent, not the data.
 */
static void
register_buffers(uring_t *u, const md_io_config_t *cfg) {
  struct iovec iov[16];
  if (cfg->buffer_cnt == 0 || cfg->buffer_cnt > MD_CNT(iov)) return;
  for (uint32_t i = 0; i < cfg->buffer_cnt; i++)
    iov[i] = (struct iovec){.iov_base = cfg->buffers[i], .iov_len = cfg->buffer_bytes[i]};
  if (io_uring_register_buffers(&u->ring, iov, cfg->buffer_cnt) == 0)
    u->buffer_cnt = cfg->buffer_cnt;
}

/* A filter may let the ring be made and refuse to enter it: one empty operation there and back. */
static int
try_out(struct io_uring *ring) {
  struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
  md_assert(sqe); /* the ring is new */
  io_uring_prep_nop(sqe);
  io_uring_sqe_set_data(sqe, NULL);
  int rc = io_uring_submit_and_wait(ring, 1);
  return rc < 0 && rc != -EINTR ? rc : 0;
}

int
md_io_uring_open(const md_io_config_t *cfg, md_io_t **out) {
  static const md_io_ops_t ops = {.close       = uring_close,
                                  .write       = uring_write,
                                  .sync        = uring_sync,
                                  .poll        = uring_poll,
                                  .poll_cancel = uring_poll_cancel,
                                  .turn        = uring_turn};
  uring_t                 *u   = calloc(1, sizeof *u);
  if (!u) return -ENOMEM;
  int rc = io_uring_queue_init(cfg->entry_cnt, &u->ring, 0);
  if (rc < 0) {
    free(u);
    return rc;
  }
  rc = try_out(&u->ring);
  if (rc < 0) {
    io_uring_queue_exit(&u->ring);
    free(u);
    return rc;
  }
  register_buffers(u, cfg);
  u->io.ops     = &ops;
  u->io.backend = MD_IO_URING;
  *out          = &u->io;
  return 0;
}
