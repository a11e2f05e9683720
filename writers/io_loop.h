/* io_loop.h - the I/O of one writer thread: file writes, syncs, socket readiness and a timer.
 *
 * What runs it is chosen when the loop is opened: io_uring, or, where io_uring is refused (the
 * default seccomp profile of Docker, kernel.io_uring_disabled, old kernels), the calls pwrite,
 * fdatasync and poll, made inside md_io_turn one after the other. The calls on files of the second
 * go through a disk.h table, so a test can fail each of them. The only file that includes
 * liburing.h is io_loop_uring.c.
 *
 * An operation is a struct of the caller with a callback; it belongs to the loop from the md_io_*
 * call until its callback ran. Callbacks run on the calling thread inside md_io_turn. Nothing is
 * allocated after md_io_open. */
#ifndef WRITERS_IO_LOOP_H
#define WRITERS_IO_LOOP_H

#include "shm/err.h"
#include "writers/disk.h"

typedef struct md_io    md_io_t;
typedef struct md_io_op md_io_op_t;

/* result: bytes for a write, revents for a poll, 0 for a sync; negative errno on failure. */
struct md_io_op {
  void (*done)(md_io_op_t *op, int32_t result);
  void *ctx;
  bool  link;      /* of a write: the next operation starts only when this one succeeded in full */
  bool  in_flight; /* kept by the loop */
};

typedef enum md_io_backend {
  MD_IO_AUTO  = 0, /* io_uring, or the calls where it is refused */
  MD_IO_URING = 1, /* io_uring, or an error */
  MD_IO_POLL  = 2  /* pwrite, fdatasync, poll */
} md_io_backend_t;

typedef struct md_io_config {
  md_io_backend_t  backend;
  const md_disk_t *disk; /* one of the caller needs the calls: it is not AUTO that decides then */
  uint32_t         entry_cnt; /* operations in flight at most; power of two */
  void *const     *buffers;   /* registered for md_io_write; may be NULL */
  const size_t    *buffer_bytes;
  uint32_t         buffer_cnt; /* all of them must fit the memlock limit (8 MiB by default) */
} md_io_config_t;

MD_MUST_USE md_err_t md_io_open(const md_io_config_t *cfg, md_io_t **out, md_msg_t *msg);
void                 md_io_close(md_io_t *io);

/* md_io_backend returns what runs the loop, never MD_IO_AUTO; md_io_why one line for the log: what
 * runs it, and why not io_uring. */
md_io_backend_t md_io_backend(const md_io_t *io);
const char     *md_io_why(const md_io_t *io);

/* md_io_write writes len bytes at off; buffer >= 0 names the registered buffer that holds data, -1
 * none. A short write is reported as such. MD_ERR_FULL: too many in flight. */
MD_MUST_USE md_err_t md_io_write(md_io_t *io, md_io_op_t *op, int fd, const void *data,
                                 uint32_t len, uint64_t off, int buffer);
MD_MUST_USE md_err_t md_io_sync(md_io_t *io, md_io_op_t *op, int fd);               /* fdatasync */
MD_MUST_USE md_err_t md_io_poll(md_io_t *io, md_io_op_t *op, int fd, short events); /* once */

/* md_io_poll_cancel ends a poll; its callback runs with -ECANCELED. */
void md_io_poll_cancel(md_io_t *io, md_io_op_t *op);

/* md_io_turn submits what was asked for and runs the callbacks of what is done; with nothing done
 * it waits up to timeout_ns (0: not at all). Returns the number of callbacks run, or a negative
 * md_err_t. */
int md_io_turn(md_io_t *io, int64_t timeout_ns);

#endif
