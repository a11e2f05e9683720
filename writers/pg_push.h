/* pg_push.h - COPY data on its way into the socket of a connection, without libpq.
 *
 * libpq would copy every row into a buffer of its own, and the kernel once more. On a connection
 * that nothing encrypts a CopyData message is a frame of five bytes and the data as it stands in a
 * batch; where the server is on this machine the socket gets the pages themselves (vmsplice,
 * splice) and nobody copies before the server does. So data must stay as it is until the server has
 * answered COMMIT, or the connection is gone: what a server that was left still reads then is in a
 * transaction whose COMMIT was never sent. pg.c calls it, between two messages of libpq. The
 * process ignores SIGPIPE. */
#ifndef WRITERS_PG_PUSH_H
#define WRITERS_PG_PUSH_H

#include "shm/err.h"

#define MD_PG_FRAME_BYTES 5u /* 'd', and the length of itself and the data */

typedef struct md_pg_push {
  uint8_t        frame[MD_PG_FRAME_BYTES];
  const uint8_t *data;
  size_t         len, sent; /* of frame and data together; sent == len: nothing is left */
  size_t         piped;     /* bytes of data in the pipe */
  int            pipe[2];
  bool           is_open, is_spliced;
  uint64_t       moved_cnt; /* rises whenever the socket takes something */
} md_pg_push_t;

/* md_pg_push_open begins with the socket fd, which is up; md_pg_push_close: a zeroed struct is
 * fine. */
void md_pg_push_open(md_pg_push_t *p, int fd);
void md_pg_push_close(md_pg_push_t *p);

/* md_pg_push_start takes the next message; there must be no other. */
void md_pg_push_start(md_pg_push_t *p, const void *data, uint32_t len);

/* md_pg_push_step sends what the socket takes: MD_OK: nothing is left, MD_ERR_FULL: the rest later,
 * MD_ERR_IO: the connection is gone, with errno. */
MD_MUST_USE md_err_t md_pg_push_step(md_pg_push_t *p, int fd);

#endif
