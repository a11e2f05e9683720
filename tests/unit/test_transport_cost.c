/* test_transport_cost - what the native transport asks of the system while messages flood in: no
 * allocation at all, and one system call for each look, plain and with TLS. The calls of the code
 * under test are counted by the linker's wrappers. */
#include "bench/transport_server.h"
#include "feeds/sim/sim_cert.h"
#include "feeds/transport.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define WARM_CNT 20000u
#define CNT      200000u

static uint64_t alloc_cnt, read_cnt, other_cnt;

void   *__real_malloc(size_t bytes);
void   *__real_calloc(size_t cnt, size_t bytes);
void   *__real_realloc(void *p, size_t bytes);
char   *__real_strdup(const char *text);
ssize_t __real_recv(int fd, void *p, size_t len, int flags);
ssize_t __real_send(int fd, const void *p, size_t len, int flags);
int     __real_epoll_wait(int fd, struct epoll_event *events, int max, int ms);
int __real_epoll_pwait2(int fd, struct epoll_event *events, int max, const struct timespec *limit,
                        const sigset_t *mask);

void   *__wrap_malloc(size_t bytes);
void   *__wrap_calloc(size_t cnt, size_t bytes);
void   *__wrap_realloc(void *p, size_t bytes);
char   *__wrap_strdup(const char *text);
ssize_t __wrap_recv(int fd, void *p, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *p, size_t len, int flags);
int     __wrap_epoll_wait(int fd, struct epoll_event *events, int max, int ms);
int __wrap_epoll_pwait2(int fd, struct epoll_event *events, int max, const struct timespec *limit,
                        const sigset_t *mask);

void *
__wrap_malloc(size_t bytes) {
  alloc_cnt++;
  return __real_malloc(bytes);
}

void *
__wrap_calloc(size_t cnt, size_t bytes) {
  alloc_cnt++;
  return __real_calloc(cnt, bytes);
}

void *
__wrap_realloc(void *p, size_t bytes) {
  alloc_cnt++;
  return __real_realloc(p, bytes);
}

char *
__wrap_strdup(const char *text) {
  alloc_cnt++;
  return __real_strdup(text);
}

ssize_t
__wrap_recv(int fd, void *p, size_t len, int flags) {
  read_cnt++;
  return __real_recv(fd, p, len, flags);
}

ssize_t
__wrap_send(int fd, const void *p, size_t len, int flags) {
  other_cnt++;
  return __real_send(fd, p, len, flags);
}

int
__wrap_epoll_wait(int fd, struct epoll_event *events, int max, int ms) {
  other_cnt++;
  return __real_epoll_wait(fd, events, max, ms);
}

int
__wrap_epoll_pwait2(int fd, struct epoll_event *events, int max, const struct timespec *limit,
                    const sigset_t *mask) {
  other_cnt++;
  return __real_epoll_pwait2(fd, events, max, limit, mask);
}

/* Polls until cnt messages came; the number of polls that gave some. */
static uint64_t
take(md_transport_t *t, uint32_t cnt, uint64_t *poll_cnt) {
  uint64_t got = 0, with_some = 0;
  int64_t  end = md_clock_mono_ns(md_clock_system()) + 100000000000;
  while (got < cnt && md_clock_mono_ns(md_clock_system()) < end) {
    const md_transport_event_t *event;
    uint32_t                    n = md_transport_native.poll(t, 0, &event);
    *poll_cnt += 1;
    with_some += n > 0;
    got += n;
  }
  cr_assert_geq(got, cnt, "only %llu messages", (unsigned long long)got);
  return with_some;
}

static void
flood(const md_sim_cert_t *cert, const char *ca_file) {
  md_bench_server_t        s;
  md_bench_server_config_t serve = {.message_bytes = 200,
                                    .cert_pem      = cert ? cert->cert_pem : NULL,
                                    .key_pem       = cert ? cert->key_pem : NULL,
                                    .cpu           = -1,
                                    .socket_cnt    = 1};
  md_transport_config_t    cfg   = {.ca_file            = ca_file,
                                    .message_bytes_max  = MD_FRAME_BYTES_MAX,
                                    .connection_cnt_max = 1,
                                    .connect_timeout_ns = 60000000000,
                                    .ping_ns            = 600000000000,
                                    .pong_ns            = 900000000000,
                                    .clock              = md_clock_system()};
  md_transport_t          *t;
  char                     url[64];
  uint32_t                 number;
  uint64_t                 poll_cnt = 0;
  md_msg_t                 msg      = {0};
  cr_assert_eq(md_bench_server_start(&serve, &s), MD_OK);
  cr_assert_eq(md_transport_native.open(&cfg, &t, &msg), MD_OK, "%s", msg.text);
  (void)snprintf(url, sizeof url, "%s://127.0.0.1:%d/", cert ? "wss" : "ws", s.port);
  cr_assert_eq(md_transport_native.connect(t, url, &number, &msg), MD_OK, "%s", msg.text);
  (void)take(t, WARM_CNT, &poll_cnt);
  cr_assert_gt(alloc_cnt, 0, "the counter counts nothing");
  alloc_cnt = read_cnt = other_cnt = poll_cnt = 0;
  uint64_t with_some                          = take(t, CNT, &poll_cnt);
  (void)fprintf(
      stderr, "%s: %u messages in %llu batches of %llu polls: %llu reads, %llu other calls\n",
      cert ? "TLS" : "plain", CNT, (unsigned long long)with_some, (unsigned long long)poll_cnt,
      (unsigned long long)read_cnt, (unsigned long long)other_cnt);
  cr_expect_eq(alloc_cnt, 0, "%llu allocations", (unsigned long long)alloc_cnt);
  cr_expect_eq(other_cnt, 0, "%llu calls that read nothing", (unsigned long long)other_cnt);
  cr_expect_leq(read_cnt, poll_cnt, "%llu reads", (unsigned long long)read_cnt);
  md_transport_native.close(t);
  md_bench_server_stop(&s);
}

Test(transport_cost, a_plain_flood_allocates_nothing_and_reads_once_a_look) {
  flood(NULL, NULL);
}

Test(transport_cost, a_flood_over_tls_does_no_more) {
  char          ca_file[] = "/tmp/md-cost-XXXXXX";
  int           fd        = mkstemp(ca_file);
  md_sim_cert_t cert;
  cr_assert_geq(fd, 0);
  (void)close(fd);
  cr_assert_eq(md_sim_cert_make("IP:127.0.0.1", &cert, NULL), MD_OK);
  cr_assert_eq(md_sim_cert_save(&cert, ca_file, NULL), MD_OK);
  flood(&cert, ca_file);
  (void)unlink(ca_file);
}
