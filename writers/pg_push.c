#include "writers/pg_push.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define SEND_BYTES (1 << 20)   /* that may wait in a local socket: fewer turns for the same rows */
#define PIPE_BYTES (256 << 10) /* a page of its own for each that is in it */

static bool
is_local(int fd) {
  struct sockaddr_storage name;
  socklen_t               len = sizeof name;
  return getsockname(fd, (struct sockaddr *)&name, &len) == 0 && name.ss_family == AF_UNIX;
}

void
md_pg_push_open(md_pg_push_t *p, int fd) {
  const int bytes = SEND_BYTES;
  md_pg_push_close(p);
  p->is_open = true;
  if (!is_local(fd)) return;
  (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  p->is_spliced = pipe2(p->pipe, O_CLOEXEC | O_NONBLOCK) == 0;
  if (p->is_spliced) (void)fcntl(p->pipe[1], F_SETPIPE_SZ, PIPE_BYTES);
}

static void
close_pipe(md_pg_push_t *p) {
  if (p->is_spliced) {
    (void)close(p->pipe[0]);
    (void)close(p->pipe[1]);
  }
  p->is_spliced = false;
  p->piped      = 0;
}

void
md_pg_push_close(md_pg_push_t *p) {
  close_pipe(p);
  p->is_open = false;
  p->len = p->sent = 0;
}

void
md_pg_push_start(md_pg_push_t *p, const void *data, uint32_t len) {
  const uint32_t be = htobe32(len + (uint32_t)sizeof len);
  md_assert(p->is_open && p->sent == p->len);
  p->frame[0] = 'd';
  memcpy(p->frame + 1, &be, sizeof be);
  p->data = data;
  p->len  = MD_PG_FRAME_BYTES + (size_t)len;
  p->sent = 0;
}

/* By copy: all of it, or the frame alone when the data goes by pages. */
static ssize_t
send_copy(const md_pg_push_t *p, int fd) {
  size_t              head    = p->sent < MD_PG_FRAME_BYTES ? MD_PG_FRAME_BYTES - p->sent : 0;
  size_t              from    = p->sent + head - MD_PG_FRAME_BYTES;
  struct iovec        iov[]   = {{(void *)(uintptr_t)(p->frame + MD_PG_FRAME_BYTES - head), head},
                                 {(void *)(uintptr_t)(p->data + from), p->len - MD_PG_FRAME_BYTES - from}};
  const struct msghdr message = {.msg_iov = iov, .msg_iovlen = p->is_spliced ? 1 : 2};
  return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* By page. A kernel that cannot is left alone from then on; what was in the pipe goes by copy. */
static ssize_t
send_pages(md_pg_push_t *p, int fd) {
  if (p->piped == 0) {
    size_t       from = p->sent - MD_PG_FRAME_BYTES;
    struct iovec iov  = {(void *)(uintptr_t)(p->data + from), p->len - p->sent};
    ssize_t      n    = vmsplice(p->pipe[1], &iov, 1, SPLICE_F_NONBLOCK);
    if (n > 0) p->piped = (size_t)n;
  }
  ssize_t n = -1;
  if (p->piped > 0) n = splice(p->pipe[0], NULL, fd, NULL, p->piped, SPLICE_F_NONBLOCK);
  if (n > 0) p->piped -= (size_t)n;
  if (n > 0 || (p->piped > 0 && (errno == EAGAIN || errno == EINTR || errno == EPIPE))) return n;
  close_pipe(p);
  return send_copy(p, fd);
}

md_err_t
md_pg_push_step(md_pg_push_t *p, int fd) {
  while (p->sent < p->len) {
    bool    is_page = p->is_spliced && p->sent >= MD_PG_FRAME_BYTES;
    ssize_t n       = is_page ? send_pages(p, fd) : send_copy(p, fd);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN ? MD_ERR_FULL : MD_ERR_IO;
    p->sent += (size_t)n;
    p->moved_cnt++;
  }
  return MD_OK;
}
