#include "bench/transport_server.h"

#include "bench/bench.h"
#include "bench/calm.h"
#include "bench/update_stream.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCH_BYTES 131072u
#define WARM_PART   10u          /* one message in so many is sent before latencies count */
#define AHEAD_BYTES 1024u        /* at most, of a frame that is made ahead, in the mean */
#define LATE_NS     1000000000ll /* the last messages are waited for so long */
#define GUID        "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/* One client; records are gathered in a memory BIO and sent many at a time. */
typedef struct peer {
  int  fd;
  SSL *ssl;
  BIO *out;
} peer_t;

static bool
send_all(int fd, const uint8_t *p, size_t len) {
  for (size_t at = 0; at < len;) {
    ssize_t n = send(fd, p + at, len - at, MSG_NOSIGNAL);
    if (n <= 0) return false;
    at += (size_t)n;
  }
  return true;
}

static bool
flush(peer_t *c) {
  char *p;
  long  len = BIO_get_mem_data(c->out, &p);
  bool  ok  = send_all(c->fd, (const uint8_t *)p, (size_t)len);
  (void)BIO_reset(c->out);
  return ok;
}

static bool
write_some(peer_t *c, const void *p, size_t len) {
  if (!c->ssl) return send_all(c->fd, p, len);
  return SSL_write(c->ssl, p, (int)len) == (int)len;
}

static ssize_t
read_some(peer_t *c, void *p, size_t len) {
  return c->ssl ? SSL_read(c->ssl, p, (int)len) : recv(c->fd, p, len, 0);
}

static bool
upgrade(peer_t *c, bool deflates) {
  char          request[4096] = {0}, text[128], accept[64], answer[320];
  unsigned char sha[EVP_MAX_MD_SIZE];
  size_t        len = 0;
  while (!strstr(request, "\r\n\r\n")) {
    ssize_t n = read_some(c, request + len, sizeof request - 1 - len);
    if (n <= 0) return false;
    len += (size_t)n;
  }
  const char *key = strcasestr(request, "Sec-WebSocket-Key: ");
  if (!key) return false;
  int n = snprintf(text, sizeof text, "%.24s" GUID, key + strlen("Sec-WebSocket-Key: "));
  if (!EVP_Digest(text, (size_t)n, sha, NULL, EVP_sha1(), NULL)) return false;
  (void)EVP_EncodeBlock((unsigned char *)accept, sha, 20);
  n = snprintf(answer, sizeof answer,
               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Accept: %s\r\n%s\r\n",
               accept,
               deflates
                   ? "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n"
                   : "");
  return write_some(c, answer, (size_t)n) && (!c->ssl || flush(c));
}

static size_t
make_frame(uint8_t *out, size_t len) {
  size_t head = 2;
  out[0]      = 0x81;
  out[1]      = (uint8_t)len;
  if (len >= 126) {
    head   = 4;
    out[1] = 126;
    out[2] = (uint8_t)(len >> 8);
    out[3] = (uint8_t)len;
  }
  for (size_t n = 0; n < len; n++)
    out[head + n] = (uint8_t) "{\"e\":\"trade\",\"p\":\"60123.45\"}"[n % 29];
  return head + len;
}

static void
flood(peer_t *c, uint32_t message_bytes) {
  static uint8_t batch[BATCH_BYTES];
  size_t         frame = make_frame(batch, message_bytes), cnt = BATCH_BYTES / frame;
  for (size_t n = 1; n < cnt; n++)
    memcpy(batch + n * frame, batch, frame);
  bool ok = true;
  while (ok) {
    if (!c->ssl) {
      ok = send_all(c->fd, batch, cnt * frame);
      continue;
    }
    for (size_t n = 0; n < cnt && ok; n++)
      ok = write_some(c, batch + n * frame, frame);
    ok = ok && flush(c);
  }
}

/* Updates of the books, gathered to batches. */
static void
flood_updates(peer_t *c, md_bench_update_stream_t *updates) {
  static uint8_t batch[BATCH_BYTES];
  for (bool ok = true; ok;) {
    size_t         at = 0;
    uint32_t       bytes;
    const uint8_t *frame;
    for (; at < BATCH_BYTES / 2 && ok; at += bytes) {
      frame = md_bench_update_stream_next(updates, &bytes);
      if (c->ssl) {
        ok = write_some(c, frame, bytes);
      } else {
        memcpy(batch + at, frame, bytes);
      }
    }
    ok = ok && (c->ssl ? flush(c) : send_all(c->fd, batch, at));
  }
}

/* Frames that are made before anybody connects. */
typedef struct ahead {
  uint8_t *bytes;
  size_t   len;
} ahead_t;

static bool
make_ahead(const md_bench_server_config_t *cfg, ahead_t *out) {
  const size_t              room    = (size_t)cfg->ahead_cnt * AHEAD_BYTES;
  md_bench_update_stream_t *updates = md_bench_update_stream_new(cfg->corpus, 1, cfg->deflates);
  *out                              = (ahead_t){.bytes = malloc(room)};
  bool ok                           = updates && out->bytes;
  if (ok) md_bench_update_stream_begin(updates, cfg->source);
  for (uint32_t n = 0; n < cfg->ahead_cnt && ok; n++) {
    uint32_t       bytes;
    const uint8_t *frame = md_bench_update_stream_next(updates, &bytes);
    ok                   = bytes <= room - out->len;
    if (!ok) break;
    memcpy(out->bytes + out->len, frame, bytes);
    out->len += bytes;
  }
  md_bench_update_stream_delete(updates);
  return ok;
}

/* All of them, and then nothing until the client goes. */
static void
flood_ahead(peer_t *c, const ahead_t *a) {
  uint8_t byte;
  if (!write_some(c, a->bytes, a->len)) return;
  while (read_some(c, &byte, 1) > 0) {
  }
}

/* A run on a schedule. */
typedef struct run {
  const md_bench_server_config_t *cfg;
  md_bench_update_stream_t       *updates;
  peer_t                         *peer;
  int64_t                         start_ns, period_ns;
  uint32_t                        sent, seen;
  uint64_t                        first_id; /* of the book's, before the first message */
  uint64_t                       *byte_end; /* of each message */
} run_t;

/* How many messages the client is through with. */
static uint32_t
look(const run_t *r) {
  md_book_top_t top;
  uint32_t      n = r->seen;
  if (md_load_relaxed(&r->cfg->wire->has_book) == 0) {
    uint64_t bytes = md_load_relaxed(&r->cfg->wire->seen);
    while (n < r->sent && r->byte_end[n] <= bytes)
      n++;
    return n;
  }
  const md_book_t *book = md_feed_instrument_at(r->cfg->source->feed, 0)->shm;
  if (md_book_read_top(book, &top) || top.meta.exch_seq < r->first_id) return n;
  return (uint32_t)((top.meta.exch_seq - r->first_id) / MD_BENCH_UPDATE_STEP);
}

static void
note_seen(run_t *r) {
  uint32_t n = look(r);
  if (n == r->seen) return;
  int64_t now_ns = md_bench_now_ns();
  for (; r->seen < n; r->seen++)
    if (r->seen > r->cfg->cnt / WARM_PART)
      md_hist_add(&r->cfg->wire->latency, now_ns - r->start_ns - r->seen * r->period_ns);
}

static bool
send_one(run_t *r) {
  uint32_t       bytes;
  const uint8_t *frame = md_bench_update_stream_next(r->updates, &bytes);
  peer_t        *peer  = &r->peer[r->sent % r->cfg->socket_cnt];
  r->byte_end[r->sent] = (r->sent ? r->byte_end[r->sent - 1] : 0) + bytes;
  r->sent++;
  return write_some(peer, frame, bytes) && (!peer->ssl || flush(peer));
}

static void
send_on_schedule(run_t *r) {
  const md_bench_server_config_t *cfg  = r->cfg;
  bool                            ok   = true;
  bool                            look = !cfg->only_sends;
  while (md_load_relaxed(&cfg->wire->go) == 0)
    (void)sched_yield();
  md_bench_calm_t calm;
  md_bench_rt_take(1);
  md_bench_calm_begin(&calm);
  r->start_ns    = md_bench_now_ns() + 1000000;
  int64_t end_ns = r->start_ns + cfg->cnt * r->period_ns + LATE_NS;
  while (ok && (r->sent < cfg->cnt || (look && r->seen < cfg->cnt))) {
    int64_t now_ns = md_bench_now_ns();
    if (now_ns > end_ns) break;
    if (r->sent < cfg->cnt && now_ns >= r->start_ns + r->sent * r->period_ns) {
      ok = send_one(r);
    } else if (look) {
      note_seen(r);
    }
  }
  md_store_relaxed(&cfg->wire->lost_ppm, md_bench_calm_lost_ppm(&calm));
  md_bench_rt_give(1);
  md_store_relaxed(&cfg->wire->done, 1);
}

static bool
open_peer(peer_t *c, SSL_CTX *ctx, bool deflates) {
  if (ctx) {
    BIO *in = BIO_new_socket(c->fd, BIO_NOCLOSE);
    c->ssl  = SSL_new(ctx);
    c->out  = BIO_new_socket(c->fd, BIO_NOCLOSE); /* until the handshake is over */
    if (!in || !c->ssl || !c->out) return false;
    SSL_set_bio(c->ssl, in, c->out);
    if (SSL_accept(c->ssl) != 1) return false;
    c->out = BIO_new(BIO_s_mem());
    SSL_set0_wbio(c->ssl, c->out);
  }
  return upgrade(c, deflates);
}

static void
serve(const md_bench_server_config_t *cfg, peer_t *peer, md_bench_update_stream_t *updates,
      const ahead_t *ahead) {
  if (ahead->bytes) {
    flood_ahead(&peer[0], ahead);
    return;
  }
  if (!updates) {
    flood(&peer[0], cfg->message_bytes);
    return;
  }
  md_bench_update_stream_begin(updates, cfg->source);
  if (!cfg->rate) {
    flood_updates(&peer[0], updates);
    return;
  }
  run_t r = {.cfg       = cfg,
             .updates   = updates,
             .peer      = peer,
             .period_ns = 1000000000 / cfg->rate,
             .first_id  = md_bench_update_stream_last(updates, 0),
             .byte_end  = calloc(cfg->cnt, sizeof(uint64_t))};
  if (r.byte_end) send_on_schedule(&r);
  free(r.byte_end);
}

static SSL_CTX *
make_context(const char *cert_pem, const char *key_pem) {
  SSL_CTX  *ctx  = SSL_CTX_new(TLS_server_method());
  BIO      *cert = BIO_new_mem_buf(cert_pem, -1), *key = BIO_new_mem_buf(key_pem, -1);
  X509     *x = PEM_read_bio_X509(cert, NULL, NULL, NULL);
  EVP_PKEY *k = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
  if (!ctx || SSL_CTX_use_certificate(ctx, x) != 1 || SSL_CTX_use_PrivateKey(ctx, k) != 1) _exit(1);
  return ctx;
}

/* The child's whole life: one client after the other. */
static void
run_server(const md_bench_server_config_t *cfg, const ahead_t *ahead, int fd) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (cfg->cpu >= 0) CPU_SET((size_t)cfg->cpu, &set);
  if (cfg->cpu >= 0) (void)sched_setaffinity(0, sizeof set, &set);
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  (void)signal(SIGTERM, SIG_DFL); /* the parent's would take its files away */
  SSL_CTX                  *ctx = cfg->cert_pem ? make_context(cfg->cert_pem, cfg->key_pem) : NULL;
  md_bench_update_stream_t *updates = NULL;
  if (cfg->corpus)
    updates = md_bench_update_stream_new(cfg->corpus, cfg->instrument_cnt, cfg->deflates);
  if (cfg->corpus && !updates) _exit(1);
  for (;;) {
    peer_t peer[MD_BENCH_SOCKET_MAX] = {0};
    bool   ok                        = true;
    for (uint32_t n = 0; n < cfg->socket_cnt; n++) {
      int on     = 1;
      peer[n].fd = accept(fd, NULL, NULL);
      if (peer[n].fd < 0) _exit(1);
      (void)setsockopt(peer[n].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      ok = open_peer(&peer[n], ctx, cfg->deflates) && ok;
    }
    if (ok && !cfg->rate) md_bench_rt_take(0);
    if (ok) serve(cfg, peer, updates, ahead);
    if (ok && !cfg->rate) md_bench_rt_give(0);
    for (uint32_t n = 0; n < cfg->socket_cnt; n++) {
      SSL_free(peer[n].ssl);
      (void)close(peer[n].fd);
    }
  }
}

md_err_t
md_bench_server_start(const md_bench_server_config_t *cfg, md_bench_server_t *s) {
  int                fd    = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t          len   = sizeof where;
  if (fd < 0) return MD_ERR_IO;
  if (bind(fd, (struct sockaddr *)&where, len) || listen(fd, MD_BENCH_SOCKET_MAX) ||
      getsockname(fd, (struct sockaddr *)&where, &len)) {
    (void)close(fd);
    return MD_ERR_IO;
  }
  ahead_t ahead = {0};
  if (cfg->ahead_cnt && !make_ahead(cfg, &ahead)) {
    free(ahead.bytes);
    (void)close(fd);
    return MD_ERR_NOMEM;
  }
  s->port = ntohs(where.sin_port);
  s->pid  = fork();
  if (s->pid == 0) run_server(cfg, &ahead, fd);
  free(ahead.bytes);
  (void)close(fd);
  return s->pid < 0 ? MD_ERR_IO : MD_OK;
}

void
md_bench_server_stop(md_bench_server_t *s) {
  (void)kill(s->pid, SIGKILL);
  (void)waitpid(s->pid, NULL, 0);
}
