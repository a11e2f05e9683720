/* test_transport_cost - what the native transport asks of the system while messages flood in: no
 * allocation at all, and one system call for each look that finds something, plain and with TLS;
 * and when a thread that spins asks for acknowledgements. The calls of the code under test are
 * counted by the linker's wrappers. */
#include "bench/transport_server.h"
#include "feeds/sim/sim_cert.h"
#include "feeds/transport.h"
#include "tests/unit/ws_peer.h"

#include <criterion/criterion.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define WARM_CNT 20000u
#define CNT      200000u
#define LOOK_CNT 5000u /* of a thread that surely spins */

static uint64_t alloc_cnt, read_cnt, other_cnt;
static char     quick[16]; /* what TCP_QUICKACK was set to, in order */

void   *__real_malloc(size_t bytes);
void   *__real_calloc(size_t cnt, size_t bytes);
void   *__real_realloc(void *p, size_t bytes);
char   *__real_strdup(const char *text);
ssize_t __real_recv(int fd, void *p, size_t len, int flags);
ssize_t __real_send(int fd, const void *p, size_t len, int flags);
int     __real_setsockopt(int fd, int level, int name, const void *p, socklen_t len);
int     __real_epoll_wait(int fd, struct epoll_event *events, int max, int ms);
int __real_epoll_pwait2(int fd, struct epoll_event *events, int max, const struct timespec *limit,
                        const sigset_t *mask);

void   *__wrap_malloc(size_t bytes);
void   *__wrap_calloc(size_t cnt, size_t bytes);
void   *__wrap_realloc(void *p, size_t bytes);
char   *__wrap_strdup(const char *text);
ssize_t __wrap_recv(int fd, void *p, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *p, size_t len, int flags);
int     __wrap_setsockopt(int fd, int level, int name, const void *p, socklen_t len);
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
__wrap_setsockopt(int fd, int level, int name, const void *p, socklen_t len) {
  size_t used = strlen(quick);
  int    value;
  if (level == IPPROTO_TCP && name == TCP_QUICKACK && used < sizeof quick - 1) {
    memcpy(&value, p, sizeof value);
    quick[used] = (char)('0' + value);
  }
  return __real_setsockopt(fd, level, name, p, len);
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
    memset(quick, 0, sizeof quick);
    uint32_t n = md_transport_native.poll(t, 0, &event);
    if (n) cr_expect_str_empty(quick, "an acknowledgement in front of a message");
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

/* Polls until a message came or looks are over; whether it came. */
static bool
look(md_transport_t *t, uint32_t cnt, int64_t max_ns) {
  const md_transport_event_t *event;
  bool                        has_text = false;
  for (uint32_t n = 0; n < cnt && !has_text; n++)
    if (md_transport_native.poll(t, max_ns, &event)) has_text = event[0].kind == MD_TRANSPORT_TEXT;
  return has_text;
}

static void
send_text(const ws_peer_t *s) {
  static const uint8_t frame[] = {0x81, 2, 'h', 'i'};
  cr_assert_eq(send(s->fd, frame, sizeof frame, 0), (ssize_t)sizeof frame);
}

Test(transport_cost, a_thread_that_spins_asks_for_the_acknowledgement_behind_the_message) {
  ws_peer_t s;
  ws_peer_open(&s, NULL, 1000);
  (void)look(s.t, LOOK_CNT, 0);
  for (unsigned turn = 0; turn < 2; turn++) {
    memset(quick, 0, sizeof quick);
    send_text(&s);
    cr_assert(look(s.t, UINT32_MAX, 0));
    cr_expect_str_empty(quick, "in front of it");
    cr_assert_not(look(s.t, 2, 0));
    cr_expect_str_eq(quick, "10", "%s", quick);
  }
  /* Before a wait reads go back to what they did, so that nothing is left to the kernel's timer. */
  memset(quick, 0, sizeof quick);
  cr_assert_not(look(s.t, 1, 1000000));
  cr_expect_str_eq(quick, "1", "%s", quick);
  send_text(&s);
  cr_assert(look(s.t, UINT32_MAX, 100000000));
  cr_assert_not(look(s.t, 2, 0));
  cr_assert_not(look(s.t, 1, 1000000));
  cr_expect_str_eq(quick, "1", "a thread that waits: %s", quick);
  ws_peer_close(&s);
}
