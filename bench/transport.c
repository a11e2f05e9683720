/* The native transport beside libwebsockets that only counts, and beside a read that looks at
 * nothing: processor time of the client for each message of a server that never waits. */
#include <arpa/inet.h>
#include <libwebsockets.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/transport_server.h"
#include "feeds/sim/sim_cert.h"
#include "feeds/tls_client.h"
#include "feeds/transport.h"
#include "feeds/ws_handshake.h"
#include "shm/clock.h"

#define CLIENT_CNT 3u
#define WARM_NS    20000000
#define PATIENCE   5000000000ll /* ns without anything: something is wrong */
#define READ_BYTES 262144u
#define IDLE_MS    10 /* a client that has nothing to read waits: only work is counted */

typedef struct client {
  const char *ca_file;
  bool        is_tls;
  uint32_t    frame_bytes, message_bytes;
  int         port;
  uint64_t    message_cnt, byte_cnt; /* so far */
  void       *state;
} client_t;

typedef struct kind {
  const char *name;
  bool (*open)(client_t *c);
  void (*step)(client_t *c); /* one look at the socket, counted */
  void (*close)(client_t *c);
} kind_t;

/* ---- ours ---- */

static bool
native_open(client_t *c) {
  md_transport_config_t       cfg = {.ca_file            = c->ca_file,
                                     .message_bytes_max  = MD_FRAME_BYTES_MAX,
                                     .connection_cnt_max = 1,
                                     .connect_timeout_ns = PATIENCE,
                                     .ping_ns            = 100 * PATIENCE,
                                     .pong_ns            = 200 * PATIENCE,
                                     .clock              = md_clock_system()};
  md_transport_t             *t;
  const md_transport_event_t *event;
  char                        url[64];
  uint32_t                    number;
  if (md_transport_native.open(&cfg, &t, NULL)) return false;
  c->state = t;
  (void)snprintf(url, sizeof url, "%s://127.0.0.1:%d/", c->is_tls ? "wss" : "ws", c->port);
  if (md_transport_native.connect(t, url, &number, NULL)) return false;
  for (int64_t end = md_bench_now_ns() + PATIENCE; md_bench_now_ns() < end;)
    if (md_transport_native.poll(t, 1000000, &event)) return event[0].kind == MD_TRANSPORT_OPEN;
  return false;
}

static void
native_step(client_t *c) {
  const md_transport_event_t *event;
  uint32_t                    cnt = md_transport_native.poll(c->state, 0, &event);
  if (cnt == 0) cnt = md_transport_native.poll(c->state, IDLE_MS * 1000000, &event);
  for (uint32_t n = 0; n < cnt; n++) {
    c->message_cnt += event[n].kind == MD_TRANSPORT_TEXT;
    c->byte_cnt += event[n].len;
  }
}

static void
native_close(client_t *c) {
  if (c->state) md_transport_native.close(c->state);
}

/* ---- libwebsockets ---- */

static int
count(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len) {
  client_t *c = user;
  (void)in;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
  switch (reason) {
  case LWS_CALLBACK_CLIENT_RECEIVE:
    c->byte_cnt += len;
    c->message_cnt += lws_is_final_fragment(wsi) != 0;
    return 0;
  default:
    return 0;
  }
#pragma GCC diagnostic pop
}

static const struct lws_protocols protocols[] = {
    {.name = "count", .callback = count, .rx_buffer_size = 65536}, {0}};

static bool
counting_open(client_t *c) {
  struct lws_context_creation_info info = {.port             = CONTEXT_PORT_NO_LISTEN,
                                           .protocols        = protocols,
                                           .gid              = -1,
                                           .uid              = -1,
                                           .pt_serv_buf_size = 65536};
  info.client_ssl_ca_filepath           = c->ca_file;
  info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
  lws_set_log_level(0, NULL);
  c->state = lws_create_context(&info);
  if (!c->state) return false;
  struct lws_client_connect_info connect = {.context             = c->state,
                                            .address             = "127.0.0.1",
                                            .host                = "127.0.0.1",
                                            .path                = "/",
                                            .port                = c->port,
                                            .ssl_connection      = c->is_tls ? LCCSCF_USE_SSL : 0,
                                            .local_protocol_name = protocols[0].name,
                                            .userdata            = c};
  if (!lws_client_connect_via_info(&connect)) return false;
  for (int64_t end = md_bench_now_ns() + PATIENCE; md_bench_now_ns() < end && !c->message_cnt;)
    (void)lws_service(c->state, 0);
  return c->message_cnt > 0;
}

static void
counting_step(client_t *c) {
  (void)lws_service(c->state, 0);
}

static void
counting_close(client_t *c) {
  if (c->state) lws_context_destroy(c->state);
}

/* ---- nothing but reads ---- */

typedef struct bare {
  int               fd;
  md_tls_t         *tls;
  md_tls_session_t *session;
  uint8_t           buffer[READ_BYTES];
} bare_t;

static ssize_t
bare_read(bare_t *b) {
  if (!b->session) return recv(b->fd, b->buffer, sizeof b->buffer, MSG_DONTWAIT);
  size_t  got = 0;
  ssize_t n   = 0;
  md_tls_look(b->session);
  while (got < sizeof b->buffer &&
         (n = md_tls_read(b->session, b->buffer + got, sizeof b->buffer - got)) > 0)
    got += (size_t)n;
  return got ? (ssize_t)got : n;
}

static bool
bare_handshake(bare_t *b) {
  char     why[MD_TLS_WHY_BYTES];
  bool     wants_write;
  md_err_t err = MD_ERR_BUSY;
  for (int64_t end = md_bench_now_ns() + PATIENCE; err == MD_ERR_BUSY && md_bench_now_ns() < end;)
    err = md_tls_handshake(b->session, &wants_write, why);
  return err == MD_OK;
}

static bool
bare_open(client_t *c) {
  struct sockaddr_in where = {.sin_family      = AF_INET,
                              .sin_port        = htons((uint16_t)c->port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  char               url[64], request[512];
  md_url_t           u;
  bare_t            *b = calloc(1, sizeof *b);
  c->state             = b;
  if (!b) return false;
  b->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(b->fd, (struct sockaddr *)&where, sizeof where)) return false;
  if (c->is_tls && (md_tls_open(c->ca_file, &b->tls, NULL) ||
                    md_tls_begin(b->tls, b->fd, "127.0.0.1", &b->session) || !bare_handshake(b)))
    return false;
  (void)snprintf(url, sizeof url, "ws://127.0.0.1:%d/", c->port);
  if (md_url_parse(url, &u, NULL)) return false;
  size_t len = md_ws_request(&u, "dGhlIHNhbXBsZSBub25jZQ==", false, request, sizeof request);
  return (b->session ? md_tls_write(b->session, request, len)
                     : send(b->fd, request, len, MSG_NOSIGNAL)) == (ssize_t)len;
}

static void
bare_step(client_t *c) {
  bare_t *b = c->state;
  ssize_t n = bare_read(b);
  if (n <= 0) {
    struct pollfd p = {.fd = b->fd, .events = POLLIN};
    (void)poll(&p, 1, IDLE_MS);
    return;
  }
  c->byte_cnt += (size_t)n;
  c->message_cnt = c->byte_cnt / c->frame_bytes;
}

static void
bare_close(client_t *c) {
  bare_t *b = c->state;
  if (!b) return;
  md_tls_end(b->session);
  md_tls_close(b->tls);
  if (b->fd >= 0) (void)close(b->fd);
  free(b);
}

/* ---- rounds ---- */

static const kind_t kinds[CLIENT_CNT] = {
    {"native", native_open, native_step, native_close},
    {"libwebsockets, counts", counting_open, counting_step, counting_close},
    {"read, looks at nothing", bare_open, bare_step, bare_close}};

typedef struct test {
  const char *name, *bare_name;
  uint32_t    message_bytes;
  bool        is_tls;
  double      floor, target; /* against libwebsockets; MD_BENCH_NONE */
} test_t;

static const test_t tests[] = {
    {"transport.plain.200", "transport.plain.200.bare", 200, false, MD_BENCH_NONE, MD_BENCH_NONE},
    {"transport.plain.2000", "transport.plain.2000.bare", 2000, false, MD_BENCH_NONE,
     MD_BENCH_NONE},
    {"transport.tls.200", "transport.tls.200.bare", 200, true, 2, 4},
    {"transport.tls.2000", "transport.tls.2000.bare", 2000, true, 4, 6}};

/* Lets a client run for so long; ns of processor time for each message, and messages a second. */
static bool
run(const kind_t *k, client_t *c, int64_t run_ns, double *cost_ns, double *rate) {
  bool ok = k->open(c);
  for (int64_t end = md_bench_now_ns() + WARM_NS; ok && md_bench_now_ns() < end;)
    k->step(c);
  uint64_t cnt = c->message_cnt;
  int64_t  cpu = md_clock_thread_cpu_ns(), begin = md_bench_now_ns(), now = begin;
  while (ok && now - begin < run_ns) {
    for (unsigned n = 0; n < 16; n++)
      k->step(c);
    now = md_bench_now_ns();
  }
  cpu = md_clock_thread_cpu_ns() - cpu;
  cnt = c->message_cnt - cnt;
  k->close(c);
  if (!ok || cnt == 0) return false;
  *cost_ns = (double)cpu / (double)cnt;
  *rate    = (double)cnt * 1e9 / (double)(now - begin);
  return true;
}

typedef struct tally {
  md_bench_series_t cost[CLIENT_CNT], rate[CLIENT_CNT], better, dearer;
} tally_t;

/* One round: each client once and once more in reverse order. */
static bool
run_round(const test_t *t, const client_t *like, int64_t run_ns, tally_t *tally) {
  double sum[CLIENT_CNT] = {0};
  for (unsigned turn = 0; turn < 2 * CLIENT_CNT; turn++) {
    unsigned k    = turn < CLIENT_CNT ? turn : 2 * CLIENT_CNT - 1 - turn;
    client_t c    = *like;
    double   cost = 0, rate = 0;
    if (!run(&kinds[k], &c, run_ns, &cost, &rate)) {
      fprintf(stderr, "mdengine bench: %s: %s got nothing\n", t->name, kinds[k].name);
      return false;
    }
    sum[k] += cost;
    md_bench_push(&tally->cost[k], cost);
    md_bench_push(&tally->rate[k], rate);
  }
  md_bench_push(&tally->better, sum[1] / sum[0]);
  md_bench_push(&tally->dearer, sum[0] / sum[2]);
  return true;
}

static void
report(md_bench_t *b, const test_t *t, const tally_t *tally) {
  md_bench_result_t *r = md_bench_add(b, t->name, "ns");
  md_bench_spread(r, &tally->cost[0]);
  r->baseline       = kinds[1].name;
  r->baseline_value = md_bench_median(&tally->cost[1]);
  md_bench_ratio(r, &tally->better);
  r->floor  = t->floor;
  r->target = t->target;
  r         = md_bench_add(b, t->bare_name, "ns");
  md_bench_spread(r, &tally->cost[0]);
  r->baseline       = kinds[2].name;
  r->baseline_value = md_bench_median(&tally->cost[2]);
  md_bench_ratio(r, &tally->dearer);
  r->is_cost = true;
  fprintf(stderr, "%s: %.0f messages a second, %s %.0f, %s %.0f\n", t->name,
          md_bench_median(&tally->rate[0]), kinds[1].name, md_bench_median(&tally->rate[1]),
          kinds[2].name, md_bench_median(&tally->rate[2]));
}

static bool
measure(md_bench_t *b, const test_t *t, const md_sim_cert_t *cert, const char *ca_file, int cpu) {
  static tally_t    tally; /* too large for a stack */
  md_bench_server_t server = {.cpu = cpu};
  client_t          like   = {.ca_file       = ca_file,
                              .is_tls        = t->is_tls,
                              .message_bytes = t->message_bytes,
                              .frame_bytes   = t->message_bytes + (t->message_bytes < 126 ? 2u : 4u)};
  int64_t           all    = (int64_t)b->seconds * 1000000000 / (int64_t)MD_CNT(tests);
  int64_t           run_ns = all / (5 * 2 * CLIENT_CNT);
  bool              ok     = true;
  tally                    = (tally_t){0};
  if (md_bench_server_start(t->message_bytes, t->is_tls ? cert->cert_pem : NULL, cert->key_pem,
                            &server)) {
    fprintf(stderr, "mdengine bench: no server can be begun\n");
    return false;
  }
  like.port = server.port;
  for (unsigned n = 0; n < md_bench_rounds_or(5) && ok; n++)
    ok = run_round(t, &like, run_ns, &tally);
  md_bench_server_stop(&server);
  if (ok) report(b, t, &tally);
  return ok;
}

bool
md_bench_transport(md_bench_t *b) {
  char          ca_file[] = "/tmp/md-bench-XXXXXX";
  md_sim_cert_t cert;
  md_msg_t      msg = {0};
  cpu_set_t     before, set;
  int           cpu[2], found = 0, fd = mkstemp(ca_file);
  if (fd < 0 || close(fd) || md_sim_cert_make("DNS:localhost,IP:127.0.0.1", &cert, &msg) ||
      md_sim_cert_save(&cert, ca_file, &msg)) {
    fprintf(stderr, "mdengine bench: no certificate for the server: %s\n", msg.text);
    return false;
  }
  if (sched_getaffinity(0, sizeof before, &before)) return false;
  for (int n = 0; n < CPU_SETSIZE && found < 2; n++)
    if (CPU_ISSET((size_t)n, &before)) cpu[found++] = n;
  CPU_ZERO(&set);
  if (found == 2) CPU_SET((size_t)cpu[1], &set);
  if (found == 2) (void)sched_setaffinity(0, sizeof set, &set);
  bool ok = true;
  for (size_t n = 0; n < MD_CNT(tests) && ok; n++)
    ok = measure(b, &tests[n], &cert, ca_file, found == 2 ? cpu[0] : -1);
  (void)sched_setaffinity(0, sizeof before, &before);
  (void)unlink(ca_file);
  return ok;
}
