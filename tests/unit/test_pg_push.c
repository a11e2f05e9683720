/* COPY data past libpq: what comes out of the socket are whole frames with the bytes that were put
 * in, however little the socket takes at a time, by pages and by copy. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "writers/pg_push.h"

#define CHUNK_BYTES 131072u
#define CHUNK_CNT   24u

static uint8_t chunk[CHUNK_CNT][CHUNK_BYTES];
static uint8_t got[CHUNK_CNT * (CHUNK_BYTES + MD_PG_FRAME_BYTES)];

static uint32_t
len_of(uint32_t i) {
  return i % 3 == 0 ? 1 + i : CHUNK_BYTES - 977 * i; /* a few bytes, and ends anywhere in a page */
}

static void
fill(void) {
  uint64_t state = 7;
  for (uint32_t i = 0; i < CHUNK_CNT; i++)
    for (uint32_t k = 0; k < CHUNK_BYTES; k++)
      chunk[i][k] = (uint8_t)((state = state * 6364136223846793005u + 1442695040888963407u) >> 56);
}

/* Reads what is there, at most max bytes. */
static size_t
take(int fd, size_t at, size_t max) {
  ssize_t n = recv(fd, got + at, max, MSG_DONTWAIT);
  cr_assert(n > 0 || (n < 0 && errno == EAGAIN));
  return n > 0 ? (size_t)n : 0;
}

static void
expect_frames(size_t bytes) {
  size_t at = 0;
  for (uint32_t i = 0; i < CHUNK_CNT; i++) {
    uint32_t be;
    cr_assert_leq(at + MD_PG_FRAME_BYTES + len_of(i), bytes);
    cr_assert_eq(got[at], 'd');
    memcpy(&be, got + at + 1, sizeof be);
    cr_assert_eq(ntohl(be), len_of(i) + 4);
    cr_assert_eq(memcmp(got + at + MD_PG_FRAME_BYTES, chunk[i], len_of(i)), 0, "chunk %u", i);
    at += MD_PG_FRAME_BYTES + len_of(i);
  }
  cr_assert_eq(at, bytes);
}

/* Sends all chunks from one end to the other, which reads a little whenever nothing more fits. */
static uint64_t
send_all(md_pg_push_t *p, int from, int to) {
  size_t   at       = 0;
  uint64_t full_cnt = 0;
  for (uint32_t i = 0; i < CHUNK_CNT; i++) {
    md_pg_push_start(p, chunk[i], len_of(i));
    for (md_err_t err; (err = md_pg_push_step(p, from)) != MD_OK; full_cnt++) {
      cr_assert_eq(err, MD_ERR_FULL);
      at += take(to, at, 5000 + i);
    }
  }
  for (size_t n; (n = take(to, at, sizeof got - at)) > 0;)
    at += n;
  expect_frames(at);
  return full_cnt;
}

static void
make_narrow(int fd) {
  const int bytes = 50000;
  cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
}

static void
open_pair(int fd[2]) {
  cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
  fill();
}

Test(pg_push, a_local_socket_gets_whole_frames_by_pages) {
  int          fd[2];
  md_pg_push_t p = {.is_open = false};
  open_pair(fd);
  md_pg_push_open(&p, fd[0]);
  cr_assert(p.is_spliced);
  make_narrow(fd[0]);
  cr_assert_gt(send_all(&p, fd[0], fd[1]), 0, "the socket was never full");
  cr_assert(p.is_spliced, "pages were given up");
  md_pg_push_close(&p);
}

Test(pg_push, without_a_pipe_the_rest_goes_by_copy) {
  int          fd[2];
  md_pg_push_t p = {.is_open = false};
  open_pair(fd);
  md_pg_push_open(&p, fd[0]);
  cr_assert_eq(close(p.pipe[0]), 0);
  cr_assert_eq(close(p.pipe[1]), 0);
  make_narrow(fd[0]);
  p.pipe[0] = p.pipe[1] = -1; /* as where the kernel refuses these calls */
  cr_assert_gt(send_all(&p, fd[0], fd[1]), 0);
  cr_assert_not(p.is_spliced);
  md_pg_push_close(&p);
}

Test(pg_push, a_socket_of_the_network_gets_copies) {
  struct sockaddr_in name      = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t          len       = sizeof name;
  md_pg_push_t       p         = {.is_open = false};
  int                listening = socket(AF_INET, SOCK_STREAM, 0);
  int                from      = socket(AF_INET, SOCK_STREAM, 0);
  fill();
  cr_assert_eq(bind(listening, (struct sockaddr *)&name, len), 0);
  cr_assert_eq(listen(listening, 1), 0);
  cr_assert_eq(getsockname(listening, (struct sockaddr *)&name, &len), 0);
  cr_assert_eq(connect(from, (struct sockaddr *)&name, len), 0);
  int to = accept(listening, NULL, NULL);
  cr_assert_geq(to, 0);
  md_pg_push_open(&p, from);
  cr_assert_not(p.is_spliced);
  size_t at = 0;
  for (uint32_t i = 0; i < CHUNK_CNT; i++) {
    md_pg_push_start(&p, chunk[i], len_of(i));
    while (md_pg_push_step(&p, from) != MD_OK)
      at += take(to, at, 5000);
  }
  cr_assert_eq(shutdown(from, SHUT_WR), 0);
  for (ssize_t n; (n = recv(to, got + at, sizeof got - at, 0)) > 0;)
    at += (size_t)n;
  expect_frames(at);
  md_pg_push_close(&p);
}

Test(pg_push, a_socket_that_is_gone_is_an_error) {
  int          fd[2];
  md_pg_push_t p = {.is_open = false};
  (void)signal(SIGPIPE, SIG_IGN);
  open_pair(fd);
  md_pg_push_open(&p, fd[0]);
  md_pg_push_start(&p, chunk[0], CHUNK_BYTES);
  md_err_t err = md_pg_push_step(&p, fd[0]);
  cr_assert(err == MD_OK || err == MD_ERR_FULL);
  cr_assert_eq(close(fd[1]), 0);
  for (uint32_t i = 1; err == MD_OK && i < CHUNK_CNT; i++) {
    md_pg_push_start(&p, chunk[i], CHUNK_BYTES);
    err = md_pg_push_step(&p, fd[0]);
  }
  if (err == MD_ERR_FULL) err = md_pg_push_step(&p, fd[0]);
  cr_assert_eq(err, MD_ERR_IO);
  md_pg_push_close(&p);
}
