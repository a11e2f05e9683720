#include "bench/clients.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <libwebsockets.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/bench.h"
#include "feeds/tls_client.h"
#include "feeds/transport.h"
#include "feeds/ws_handshake.h"
#include "shm/clock.h"

#define PATIENCE   MD_BENCH_PATIENCE_NS
#define READ_BYTES 262144u
#define IDLE_MS    10 /* a client that has nothing to read waits: only work is counted */
#define NAME       "stream.binance.com:9443"

/* ---- ours ---- */

/* The messages behind the n-th event, as a feed thread shows them. */
static void
show_ahead(md_feed_t *f, const md_transport_event_t *event, uint32_t n, uint32_t cnt) {
  for (uint32_t ahead = n == 0 ? 1 : MD_FEED_AHEAD_MAX; ahead <= MD_FEED_AHEAD_MAX; ahead++) {
    const bool has = n + ahead < cnt && event[n + ahead].kind == MD_TRANSPORT_TEXT;
    md_feed_expect_next(f, has ? event[n + ahead].payload : NULL, has ? event[n + ahead].len : 0,
                        ahead);
  }
}

/* What came, counted and given to the feed; how many connections opened with it. */
static uint32_t
take_events(md_bench_client_t *c, const md_transport_event_t *event, uint32_t cnt) {
  uint32_t open_cnt = 0;
  for (uint32_t n = 0; n < cnt; n++) {
    open_cnt += event[n].kind == MD_TRANSPORT_OPEN;
    if (event[n].kind != MD_TRANSPORT_TEXT) continue;
    c->message_cnt++;
    c->byte_cnt += event[n].len;
    if (!c->source) continue;
    const md_input_t in = {.kind     = MD_RAW_TEXT_IN,
                           .name     = NAME,
                           .name_len = sizeof NAME - 1,
                           .payload  = event[n].payload,
                           .len      = event[n].len,
                           .recv_ns  = event[n].recv_ns};
    show_ahead(c->source->feed, event, n, cnt);
    md_feed_input(c->source->feed, &in);
  }
  if (c->source && cnt) md_feed_publish(c->source->feed);
  return open_cnt;
}

static bool
native_open(md_bench_client_t *c) {
  md_transport_config_t       cfg = {.ca_file            = c->ca_file,
                                     .message_bytes_max  = MD_FRAME_BYTES_MAX,
                                     .connection_cnt_max = c->socket_cnt,
                                     .connect_timeout_ns = PATIENCE,
                                     .ping_ns            = 100 * PATIENCE,
                                     .pong_ns            = 200 * PATIENCE,
                                     .offers_deflate     = c->offers_deflate,
                                     .clock              = md_clock_system()};
  md_transport_t             *t;
  const md_transport_event_t *event;
  char                        url[64];
  uint32_t                    number, open_cnt = 0;
  if (md_transport_native.open(&cfg, &t, NULL)) return false;
  c->state = t;
  (void)snprintf(url, sizeof url, "%s://127.0.0.1:%d/", c->is_tls ? "wss" : "ws", c->port);
  for (uint32_t n = 0; n < c->socket_cnt; n++)
    if (md_transport_native.connect(t, url, &number, NULL)) return false;
  for (int64_t end = md_bench_now_ns() + PATIENCE;
       open_cnt < c->socket_cnt && md_bench_now_ns() < end;) {
    uint32_t cnt = md_transport_native.poll(t, 1000000, &event);
    open_cnt += take_events(c, event, cnt);
  }
  return open_cnt == c->socket_cnt;
}

static void
native_step(md_bench_client_t *c) {
  const md_transport_event_t *event;
  uint32_t                    cnt = md_transport_native.poll(c->state, 0, &event);
  if (cnt == 0 && !c->is_spinning)
    cnt = md_transport_native.poll(c->state, IDLE_MS * 1000000, &event);
  (void)take_events(c, event, cnt);
}

static void
native_close(md_bench_client_t *c) {
  if (c->state) md_transport_native.close(c->state);
}

/* ---- libwebsockets ---- */

static int
count(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len) {
  md_bench_client_t *c = user;
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
counting_open(md_bench_client_t *c) {
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
counting_step(md_bench_client_t *c) {
  (void)lws_service(c->state, 0);
}

static void
counting_close(md_bench_client_t *c) {
  if (c->state) lws_context_destroy(c->state);
}

/* ---- nothing but reads ---- */

typedef struct bare {
  int               fd;
  md_tls_t         *tls;
  md_tls_session_t *session;
  SSL_CTX          *plain_ctx; /* spinning: OpenSSL as its manual has it, a read() for each look */
  SSL              *plain;
  uint8_t           buffer[READ_BYTES];
} bare_t;

/* The handshake waits; afterwards nothing does. */
static bool
plain_open(bare_t *b) {
  b->plain_ctx = SSL_CTX_new(TLS_client_method());
  b->plain     = b->plain_ctx ? SSL_new(b->plain_ctx) : NULL;
  return b->plain && SSL_set_fd(b->plain, b->fd) == 1 && SSL_connect(b->plain) == 1 &&
         fcntl(b->fd, F_SETFL, O_NONBLOCK) == 0;
}

static ssize_t
bare_read(bare_t *b) {
  if (b->plain) return SSL_read(b->plain, b->buffer, sizeof b->buffer);
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

/* Passes over the answer; what stands behind it counts. */
static bool
bare_answer(md_bench_client_t *c, bare_t *b) {
  static const char end_mark[] = "\r\n\r\n";
  for (int64_t end = md_bench_now_ns() + PATIENCE; md_bench_now_ns() < end;) {
    ssize_t n = bare_read(b);
    if (n <= 0) continue;
    const uint8_t *found = memmem(b->buffer, (size_t)n, end_mark, 4);
    if (!found) return false; /* one write of the server, so one read */
    c->byte_cnt = (uint64_t)(b->buffer + n - (found + 4));
    return true;
  }
  return false;
}

static bool
bare_open(md_bench_client_t *c) {
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
  if (c->is_tls && c->is_spinning) {
    if (!plain_open(b)) return false;
  } else if (c->is_tls &&
             (md_tls_open(c->ca_file, &b->tls, NULL) ||
              md_tls_begin(b->tls, b->fd, "127.0.0.1", &b->session) || !bare_handshake(b)))
    return false;
  (void)snprintf(url, sizeof url, "ws://127.0.0.1:%d/", c->port);
  if (md_url_parse(url, &u, NULL)) return false;
  size_t  len  = md_ws_request(&u, "dGhlIHNhbXBsZSBub25jZQ==", false, request, sizeof request);
  ssize_t sent = b->plain     ? SSL_write(b->plain, request, (int)len)
                 : b->session ? md_tls_write(b->session, request, len)
                              : send(b->fd, request, len, MSG_NOSIGNAL);
  return sent == (ssize_t)len && bare_answer(c, b);
}

static void
bare_step(md_bench_client_t *c) {
  bare_t *b = c->state;
  ssize_t n = bare_read(b);
  if (n <= 0) {
    struct pollfd p = {.fd = b->fd, .events = POLLIN};
    if (!c->is_spinning) (void)poll(&p, 1, IDLE_MS);
    return;
  }
  c->byte_cnt += (size_t)n;
  if (c->frame_bytes) c->message_cnt = c->byte_cnt / c->frame_bytes;
  if (c->seen) md_store_relaxed(c->seen, c->byte_cnt); /* a number by itself */
}

static void
bare_close(md_bench_client_t *c) {
  bare_t *b = c->state;
  if (!b) return;
  SSL_free(b->plain);
  SSL_CTX_free(b->plain_ctx);
  md_tls_end(b->session);
  md_tls_close(b->tls);
  if (b->fd >= 0) (void)close(b->fd);
  free(b);
}

const md_bench_client_kind_t md_bench_client_native = {"native", native_open, native_step,
                                                       native_close};
const md_bench_client_kind_t md_bench_client_lws    = {"libwebsockets, counts", counting_open,
                                                       counting_step, counting_close};
const md_bench_client_kind_t md_bench_client_bare = {"read, looks at nothing", bare_open, bare_step,
                                                     bare_close};
