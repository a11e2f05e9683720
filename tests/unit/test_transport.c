/* test_transport - WebSocket connections against a server of our own: fragments, limits, close
 * codes, certificates, and nothing left behind. Each test runs once over each backend. */
#include "feeds/transport.h"
#include "feeds/url.h"
#include "tests/unit/raw_server.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <semaphore.h>
#include <sys/stat.h>

#define NS_PER_MS 1000000

static sem_t                     never;
static const md_transport_ops_t *ops;

/* One test of each backend. */
#define BOTH(name)                                                                                 \
  static void name(void);                                                                          \
  Test(transport_lws, name) {                                                                      \
    ops = &md_transport_lws;                                                                       \
    name();                                                                                        \
  }                                                                                                \
  Test(transport_native, name) {                                                                   \
    ops = &md_transport_native;                                                                    \
    name();                                                                                        \
  }                                                                                                \
  static void name(void)

/* A name server: "stuck.test" is never answered, "three.test" has two addresses where nobody
 * listens before the right one, "none.test" does not exist, all else is this machine. */
static bool
lookup(void *ctx, const char *name, md_addresses_t *out) {
  (void)ctx;
  if (strcmp(name, "stuck.test") == 0) (void)sem_wait(&never);
  if (strcmp(name, "none.test") == 0) {
    (void)snprintf(out->why, sizeof out->why, "no such name");
    return false;
  }
  if (strcmp(name, "three.test") == 0) {
    (void)snprintf(out->text[out->cnt++], MD_ADDRESS_BYTES, "::1");
    (void)snprintf(out->text[out->cnt++], MD_ADDRESS_BYTES, "127.0.0.2");
  }
  (void)snprintf(out->text[out->cnt++], MD_ADDRESS_BYTES, "127.0.0.1");
  return true;
}

static md_transport_t *
open_transport(const char *ca_file, uint32_t message_bytes_max) {
  md_transport_config_t cfg = {.ca_file            = ca_file,
                               .message_bytes_max  = message_bytes_max,
                               .connection_cnt_max = 8,
                               .connect_timeout_ns = 5000000000,
                               .ping_ns            = 20000000000,
                               .pong_ns            = 30000000000,
                               .clock              = md_clock_system(),
                               .lookup             = lookup};
  md_transport_t       *t;
  md_msg_t              msg = {0};
  (void)sem_init(&never, 0, 0);
  cr_assert_eq(ops->open(&cfg, &t, &msg), MD_OK, "%s", msg.text);
  return t;
}

/* Polls until an event of this kind comes; asserts after 10 s. The event is valid until the next
 * poll. */
static md_transport_event_t
wait_for(md_transport_t *t, md_transport_kind_t kind) {
  int64_t end = md_clock_mono_ns(md_clock_system()) + 60000000000;
  while (md_clock_mono_ns(md_clock_system()) < end) {
    const md_transport_event_t *event;
    uint32_t                    cnt = ops->poll(t, 50 * NS_PER_MS, &event);
    for (uint32_t n = 0; n < cnt; n++) {
      if (event[n].kind == kind) return event[n];
      cr_assert_neq(event[n].kind, MD_TRANSPORT_CLOSE, "closed (%u): %.*s", event[n].code,
                    (int)event[n].len, (const char *)event[n].payload);
    }
  }
  cr_assert_fail("no event of kind %d", (int)kind);
  return (md_transport_event_t){0};
}

static uint32_t
connect_to(md_transport_t *t, const char *host, int port, const char *path) {
  char     url[128];
  uint32_t c;
  md_msg_t msg = {0};
  (void)snprintf(url, sizeof url, "%s:%d%s", host, port, path);
  cr_assert_eq(ops->connect(t, url, &c, &msg), MD_OK, "%s", msg.text);
  return c;
}

static unsigned
fd_count(void) {
  DIR     *d   = opendir("/proc/self/fd");
  unsigned cnt = 0;
  while (readdir(d))
    cnt++;
  closedir(d);
  return cnt;
}

Test(transport, url_parts_are_found_and_nonsense_is_refused) {
  md_url_t u;
  cr_assert_eq(md_url_parse("wss://stream.binance.com:9443/ws/x?y", &u, NULL), MD_OK);
  cr_assert(u.is_tls && u.is_websocket && u.port == 9443);
  cr_assert_str_eq(u.host, "stream.binance.com");
  cr_assert_str_eq(u.path, "/ws/x?y");
  cr_assert_eq(md_url_parse("http://[::1]", &u, NULL), MD_OK);
  cr_assert(!u.is_tls && !u.is_websocket && u.port == 80);
  cr_assert_str_eq(u.host, "::1");
  cr_assert_str_eq(u.path, "/");
  static const char *const bad[] = {"",          "ftp://x",      "ws://",
                                    "ws://h:0",  "ws://h:70000", "ws://[::1",
                                    "ws://h:1x", "ws://a b/",    "stream.binance.com"};
  for (size_t n = 0; n < MD_CNT(bad); n++)
    cr_assert_eq(md_url_parse(bad[n], &u, NULL), MD_ERR_SYNTAX, "%s", bad[n]);
}

BOTH(text_is_echoed_with_a_readable_pad_behind_it) {
  ws_server_t     s = ws_server_start(NULL, NULL);
  md_transport_t *t = open_transport(NULL, MD_FRAME_BYTES_MAX);
  uint32_t        c = connect_to(t, "ws://127.0.0.1", s.port, "/echo");
  cr_assert_eq(ops->send(t, c, "x", 1), MD_ERR_ABSENT, "not open yet");
  (void)wait_for(t, MD_TRANSPORT_OPEN);
  cr_assert_eq(ops->send(t, c, "hello", 5), MD_OK);
  md_transport_event_t e = wait_for(t, MD_TRANSPORT_TEXT);
  cr_assert_eq(e.len, 5);
  cr_assert_eq(memcmp(e.payload, "hello", 5), 0);
  for (unsigned n = 0; n < MD_FRAME_PAD_BYTES; n++)
    cr_assert_eq(e.payload[5 + n], 0);
  ops->disconnect(t, c, MD_CLOSE_NORMAL);
  e = wait_for(t, MD_TRANSPORT_CLOSE);
  cr_assert_eq(e.connection, c);
  cr_assert_eq(e.code, MD_CLOSE_NORMAL);
  ops->close(t);
  ws_server_stop(&s);
}

BOTH(case_46_fragments_of_one_byte_with_pings_between_become_one_message) {
  ws_server_t     s = ws_server_start(NULL, NULL);
  md_transport_t *t = open_transport(NULL, MD_FRAME_BYTES_MAX);
  (void)connect_to(t, "ws://127.0.0.1", s.port, "/bytes");
  md_transport_event_t e = wait_for(t, MD_TRANSPORT_TEXT);
  cr_assert_eq(e.len, strlen(WS_SERVER_TEXT));
  cr_assert_eq(memcmp(e.payload, WS_SERVER_TEXT, e.len), 0);
  ops->close(t);
  ws_server_stop(&s);
}

BOTH(case_46_a_message_of_5_MB_comes_whole) {
  ws_server_t     s = ws_server_start(NULL, NULL);
  md_transport_t *t = open_transport(NULL, MD_FRAME_BYTES_MAX);
  (void)connect_to(t, "ws://127.0.0.1", s.port, "/big/5080000");
  md_transport_event_t e = wait_for(t, MD_TRANSPORT_TEXT);
  cr_assert_eq(e.len, 5080000);
  for (uint32_t n = 0; n < e.len; n++)
    cr_assert_eq(e.payload[n], 'a' + n % 26);
  ops->close(t);
  ws_server_stop(&s);
}

BOTH(case_46_a_message_above_the_limit_is_closed_with_1009_and_counted) {
  ws_server_t           s = ws_server_start(NULL, NULL);
  md_transport_t       *t = open_transport(NULL, 100000);
  md_transport_counts_t counts;
  (void)connect_to(t, "ws://127.0.0.1", s.port, "/big/100001");
  md_transport_event_t e = wait_for(t, MD_TRANSPORT_CLOSE);
  cr_assert_eq(e.code, MD_CLOSE_TOO_LARGE);
  ops->counts(t, &counts);
  cr_assert_eq(counts.oversize_cnt, 1);
  (void)connect_to(t, "ws://127.0.0.1", s.port, "/big/100000");
  e = wait_for(t, MD_TRANSPORT_TEXT);
  cr_assert_eq(e.len, 100000);
  ops->close(t);
  ws_server_stop(&s);
}

BOTH(case_46_a_frame_in_packets_of_one_byte_comes_whole) {
  ws_server_t     s = raw_server_start();
  md_transport_t *t = open_transport(NULL, MD_FRAME_BYTES_MAX);
  (void)connect_to(t, "ws://127.0.0.1", s.port, "/dribble");
  md_transport_event_t e = wait_for(t, MD_TRANSPORT_TEXT);
  cr_assert_eq(e.len, strlen(WS_SERVER_TEXT));
  cr_assert_eq(memcmp(e.payload, WS_SERVER_TEXT, e.len), 0);
  ops->close(t);
  ws_server_stop(&s);
}

/* The server looks that we offer no extension, and accepts one all the same. */
BOTH(case_47_an_extension_that_nobody_asked_for_ends_the_handshake) {
  ws_server_t                 s = raw_server_start();
  md_transport_t             *t = open_transport(NULL, MD_FRAME_BYTES_MAX);
  const md_transport_event_t *event;
  uint32_t                    cnt = 0;
  (void)connect_to(t, "ws://127.0.0.1", s.port, "/deflate");
  for (int tries = 0; tries < 400 && cnt == 0; tries++)
    cnt = ops->poll(t, 50 * NS_PER_MS, &event);
  cr_assert_eq(cnt, 1);
  cr_assert_eq(event[0].kind, MD_TRANSPORT_CLOSE, "it was opened");
  cr_assert_gt(event[0].len, 0, "a reason for people");
  (void)connect_to(t, "ws://127.0.0.1", s.port, "/ping");
  (void)wait_for(t, MD_TRANSPORT_OPEN);
  ops->close(t);
  ws_server_stop(&s);
}

BOTH(case_55_a_ping_is_answered_with_its_own_bytes) {
  ws_server_t     s = raw_server_start();
  md_transport_t *t = open_transport(NULL, MD_FRAME_BYTES_MAX);
  (void)connect_to(t, "ws://127.0.0.1", s.port, "/ping");
  md_transport_event_t e = wait_for(t, MD_TRANSPORT_TEXT);
  cr_assert(e.len == 4 && memcmp(e.payload, "same", 4) == 0, "%.*s", (int)e.len,
            (const char *)e.payload);
  ops->close(t);
  ws_server_stop(&s);
}

BOTH(case_55_pongs_that_cannot_be_sent_hold_up_nothing) {
  ws_server_t          s     = raw_server_start();
  ws_server_t          other = ws_server_start(NULL, NULL);
  md_transport_t      *t     = open_transport(NULL, MD_FRAME_BYTES_MAX);
  uint32_t             c     = connect_to(t, "ws://127.0.0.1", s.port, "/flood");
  md_transport_event_t e     = wait_for(t, MD_TRANSPORT_TEXT);
  cr_assert(e.len == 4 && memcmp(e.payload, "done", 4) == 0);
  ops->disconnect(t, c, MD_CLOSE_NORMAL);
  uint32_t next    = connect_to(t, "ws://127.0.0.1", other.port, "/silent");
  bool     is_open = false;
  for (int tries = 0; tries < 400 && !is_open; tries++) {
    const md_transport_event_t *event;
    uint32_t                    cnt = ops->poll(t, 50 * NS_PER_MS, &event);
    for (uint32_t n = 0; n < cnt; n++)
      is_open |= event[n].kind == MD_TRANSPORT_OPEN && event[n].connection == next;
  }
  cr_assert(is_open);
  ops->close(t);
  ws_server_stop(&other);
  ws_server_stop(&s);
}

BOTH(close_codes_of_the_server_are_told) {
  static const int codes[] = {1000, 1001, 1008, 4000};
  ws_server_t      s       = ws_server_start(NULL, NULL);
  md_transport_t  *t       = open_transport(NULL, MD_FRAME_BYTES_MAX);
  for (size_t n = 0; n < MD_CNT(codes); n++) {
    char path[32];
    (void)snprintf(path, sizeof path, "/close/%d", codes[n]);
    (void)connect_to(t, "ws://127.0.0.1", s.port, path);
    md_transport_event_t e = wait_for(t, MD_TRANSPORT_CLOSE);
    cr_assert_eq(e.code, codes[n]);
    cr_assert_eq(e.len, 7);
    cr_assert_eq(memcmp(e.payload, "because", 7), 0);
  }
  ops->close(t);
  ws_server_stop(&s);
}

BOTH(a_refused_connection_and_a_killed_server_are_told_as_1006) {
  ws_server_t     s = ws_server_start(NULL, NULL);
  md_transport_t *t = open_transport(NULL, MD_FRAME_BYTES_MAX);
  (void)connect_to(t, "ws://127.0.0.1", s.port, "/silent");
  (void)wait_for(t, MD_TRANSPORT_OPEN);
  ws_server_stop(&s);
  cr_assert_eq(wait_for(t, MD_TRANSPORT_CLOSE).code, MD_CLOSE_LOST);
  (void)connect_to(t, "ws://127.0.0.1", s.port, "/silent");
  md_transport_event_t e = wait_for(t, MD_TRANSPORT_CLOSE);
  cr_assert_eq(e.code, MD_CLOSE_LOST);
  cr_assert_gt(e.len, 0, "a reason for people");
  ops->close(t);
}

BOTH(connections_above_the_maximum_are_refused) {
  ws_server_t     s = ws_server_start(NULL, NULL);
  md_transport_t *t = open_transport(NULL, MD_FRAME_BYTES_MAX);
  uint32_t        c;
  char            url[64];
  for (unsigned n = 0; n < 8; n++)
    (void)connect_to(t, "ws://127.0.0.1", s.port, "/silent");
  (void)snprintf(url, sizeof url, "ws://127.0.0.1:%d/silent", s.port);
  cr_assert_eq(ops->connect(t, url, &c, NULL), MD_ERR_FULL);
  ops->close(t);
  ws_server_stop(&s);
}

BOTH(nothing_is_left_after_200_reconnects) {
  ws_server_t     s      = ws_server_start(NULL, NULL);
  md_transport_t *t      = open_transport(NULL, MD_FRAME_BYTES_MAX);
  unsigned        before = 0;
  for (unsigned n = 0; n < 201; n++) {
    uint32_t c = connect_to(t, "ws://127.0.0.1", s.port, "/echo");
    (void)wait_for(t, MD_TRANSPORT_OPEN);
    ops->disconnect(t, c, MD_CLOSE_NORMAL);
    (void)wait_for(t, MD_TRANSPORT_CLOSE);
    if (n == 0) before = fd_count();
  }
  cr_assert_eq(fd_count(), before, "%u descriptors, %u after the first", fd_count(), before);
  ops->close(t);
  ws_server_stop(&s);
}

/* ---- certificates ---- */

static char pki[64];

/* An authority, and certificates for localhost (good), another host, one that has expired, and one
 * signed by itself; plus the self-signed one under its hash in ../share of the directory the test
 * then works in. */
static void
make_certificates(void) {
  char script[4096];
  (void)snprintf(pki, sizeof pki, "/tmp/md-pki-%d", getpid());
  (void)snprintf(
      script, sizeof script,
      "set -e; mkdir -p %s/work %s/share; cd %s; exec 2>/dev/null\n"
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30"
      " -subj /CN=test-ca -keyout ca.key -out ca.pem\n"
      "leaf() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=$2"
      " -keyout $1.key -out $1.csr; printf 'subjectAltName=DNS:%%s\\n' $2 >$1.ext;"
      " openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days $3"
      " -extfile $1.ext -out $1.pem; }\n"
      "leaf good localhost 30; leaf other other.example 30; leaf expired localhost -1\n"
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30"
      " -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout self.key -out self.pem\n"
      "cp self.pem share/$(openssl x509 -hash -noout -in self.pem).0\n",
      pki, pki, pki);
  cr_assert_eq(system(script), 0, "openssl made no certificates");
}

static void
remove_certificates(void) {
  char command[128];
  (void)snprintf(command, sizeof command, "rm -rf %s", pki);
  (void)!system(command);
}

/* Whether a connection to this URL with this server certificate and this authority opens; the
 * reason when not, else what the server was told. */
static bool
opens_as(const char *base, const char *name, const char *ca_file, char *reason,
         size_t reason_bytes) {
  char cert[128], key[128];
  (void)snprintf(cert, sizeof cert, "%s/%s.pem", pki, name);
  (void)snprintf(key, sizeof key, "%s/%s.key", pki, name);
  ws_server_t     s    = ws_server_start(cert, key);
  md_transport_t *t    = open_transport(ca_file, MD_FRAME_BYTES_MAX);
  bool            done = false, is_open = false;
  (void)connect_to(t, base, s.port, "/names");
  for (int tries = 0; tries < 2000 && !done; tries++) {
    const md_transport_event_t *event;
    uint32_t                    cnt = ops->poll(t, 50 * NS_PER_MS, &event);
    for (uint32_t n = 0; n < cnt && !done; n++) {
      if (event[n].kind == MD_TRANSPORT_OPEN) is_open = true;
      if (event[n].kind == MD_TRANSPORT_OPEN) continue;
      done = true;
      (void)snprintf(reason, reason_bytes, "%.*s", (int)event[n].len,
                     (const char *)event[n].payload);
    }
  }
  cr_assert(done, "neither open nor closed");
  ops->close(t);
  ws_server_stop(&s);
  return is_open;
}

static bool
opens(const char *name, const char *ca_file, char *reason, size_t reason_bytes) {
  return opens_as("wss://localhost", name, ca_file, reason, reason_bytes);
}

/* Connected to is an address, meant is the name. */
BOTH(the_name_is_told_and_verified_though_an_address_is_connected_to) {
  char ca[128], reason[256];
  make_certificates();
  (void)snprintf(ca, sizeof ca, "%s/ca.pem", pki);
  cr_expect(opens_as("wss://other.example", "other", ca, reason, sizeof reason), "%s", reason);
  cr_expect(strncmp(reason, "other.example:", 14) == 0, "Host: %s", reason);
  cr_expect(strstr(reason, " other.example") != NULL, "SNI: %s", reason);
  cr_expect_not(opens_as("wss://other.example", "good", ca, reason, sizeof reason),
                "the certificate of localhost");
  cr_expect(strstr(reason, "ost") != NULL, "the reason: %s", reason);
  cr_expect_not(opens_as("wss://127.0.0.1", "good", ca, reason, sizeof reason),
                "a certificate for the name, not for the address");
  remove_certificates();
}

BOTH(certificates_are_verified) {
  char ca[128], reason[256], work[128];
  make_certificates();
  (void)snprintf(ca, sizeof ca, "%s/ca.pem", pki);
  cr_expect(opens("good", ca, reason, sizeof reason), "good: %s", reason);
  cr_expect_not(opens("good", NULL, reason, sizeof reason),
                "an authority the system does not know");
  cr_expect_not(opens("other", ca, reason, sizeof reason), "another host");
  cr_expect_not(opens("expired", ca, reason, sizeof reason), "expired");
  cr_expect_not(opens("self", ca, reason, sizeof reason), "self-signed");
  cr_expect(strstr(reason, "self") != NULL, "the reason says so: %s", reason);
  (void)snprintf(work, sizeof work, "%s/work", pki);
  cr_assert_eq(chdir(work), 0);
  cr_expect_not(opens("self", ca, reason, sizeof reason), "planted in ../share");
  cr_expect_not(opens("self", NULL, reason, sizeof reason),
                "planted in ../share, system's authorities");
  remove_certificates();
}

BOTH(an_unreadable_ca_file_is_refused_at_the_start) {
  md_transport_config_t cfg = {.ca_file            = "/nonexistent/ca.pem",
                               .message_bytes_max  = 1000,
                               .connection_cnt_max = 1,
                               .clock              = md_clock_system()};
  md_transport_t       *t;
  md_msg_t              msg = {0};
  cr_assert_eq(ops->open(&cfg, &t, &msg), MD_ERR_CONFIG);
  cr_assert_neq(strstr(msg.text, "/nonexistent/ca.pem"), NULL);
}

/* ---- names ---- */

BOTH(a_name_server_that_never_answers_stalls_no_other_connection) {
  ws_server_t     s     = ws_server_start(NULL, NULL);
  md_transport_t *t     = open_transport(NULL, MD_FRAME_BYTES_MAX);
  uint32_t        stuck = connect_to(t, "ws://stuck.test", s.port, "/echo");
  uint32_t        other = connect_to(t, "ws://other.test", s.port, "/echo");
  cr_assert_eq(wait_for(t, MD_TRANSPORT_OPEN).connection, other);
  for (int n = 0; n < 20; n++) {
    cr_assert_eq(ops->send(t, other, "hello", 5), MD_OK);
    cr_assert_eq(wait_for(t, MD_TRANSPORT_TEXT).connection, other);
  }
  const md_transport_event_t *event;
  uint32_t                    cnt = 0;
  int64_t                     end = md_clock_mono_ns(md_clock_system()) + 30000000000;
  while (cnt == 0 && md_clock_mono_ns(md_clock_system()) < end)
    cnt = ops->poll(t, 50 * NS_PER_MS, &event);
  cr_assert_eq(cnt, 1);
  cr_expect_eq(event[0].kind, MD_TRANSPORT_CLOSE);
  cr_expect_eq(event[0].connection, stuck);
  cr_expect(strstr((const char *)event[0].payload, "stuck.test cannot be looked up"), "%.*s",
            (int)event[0].len, (const char *)event[0].payload);
  ops->close(t); /* waits for no name server */
  ws_server_stop(&s);
}

BOTH(the_addresses_of_a_name_are_tried_one_after_the_other) {
  ws_server_t     s = ws_server_start(NULL, NULL);
  md_transport_t *t = open_transport(NULL, MD_FRAME_BYTES_MAX);
  uint32_t        c = connect_to(t, "ws://three.test", s.port, "/echo");
  cr_assert_eq(wait_for(t, MD_TRANSPORT_OPEN).connection, c);
  ops->close(t);
  ws_server_stop(&s);
}

BOTH(a_name_that_is_not_known_closes_with_the_reason_and_a_disconnect_at_once) {
  md_transport_t             *t = open_transport(NULL, MD_FRAME_BYTES_MAX);
  const md_transport_event_t *event;
  uint32_t                    cnt = 0, c = connect_to(t, "ws://none.test", 9, "/echo");
  for (int tries = 0; tries < 2000 && cnt == 0; tries++)
    cnt = ops->poll(t, 50 * NS_PER_MS, &event);
  cr_assert_eq(cnt, 1);
  cr_expect_eq(event[0].kind, MD_TRANSPORT_CLOSE);
  cr_expect_eq(event[0].connection, c);
  cr_expect(strstr((const char *)event[0].payload, "no such name"));
  c = connect_to(t, "ws://stuck.test", 9, "/echo");
  ops->disconnect(t, c, MD_CLOSE_NORMAL);
  cr_assert_eq(ops->poll(t, 0, &event), 1);
  cr_expect_eq(event[0].kind, MD_TRANSPORT_CLOSE);
  cr_assert_eq(ops->poll(t, 0, &event), 0);
  ops->close(t);
}
