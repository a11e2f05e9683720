/* io_loop_backend.h - what io_loop.c knows of the two ways to run a loop; for io_loop*.c only.
 *
 * Each backend's state begins with md_io. io_loop.c counts what is in flight and marks operations,
 * a backend only starts them and hands finished ones to md_io_done. */
#ifndef WRITERS_IO_LOOP_BACKEND_H
#define WRITERS_IO_LOOP_BACKEND_H

#include "writers/io_loop.h"

typedef struct md_io_write {
  const void *data;
  uint32_t    len;
  int         buffer;
  uint64_t    off;
} md_io_write_t;

typedef struct md_io_ops {
  void (*close)(md_io_t *io);
  /* false: no entry is free */
  bool (*write)(md_io_t *io, md_io_op_t *op, int fd, const md_io_write_t *write);
  bool (*sync)(md_io_t *io, md_io_op_t *op, int fd);
  bool (*poll)(md_io_t *io, md_io_op_t *op, int fd, short events);
  void (*poll_cancel)(md_io_t *io, md_io_op_t *op);
  int (*turn)(md_io_t *io, int64_t timeout_ns);
} md_io_ops_t;

struct md_io {
  const md_io_ops_t *ops;
  md_io_backend_t    backend;
  uint32_t           entry_cnt;
  uint32_t           in_flight_cnt;
  char               why[192];
};

/* md_io_done takes op from the loop and runs its callback, which may start operations. */
void md_io_done(md_io_t *io, md_io_op_t *op, int32_t result);

/* md_io_uring_open: -errno when the kernel refuses, and says why in words. */
int md_io_uring_open(const md_io_config_t *cfg, md_io_t **out);
int md_io_poll_open(const md_io_config_t *cfg, md_io_t **out);

#endif
