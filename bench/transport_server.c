#include "bench/transport_server.h"

#include <arpa/inet.h>
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
upgrade(peer_t *c) {
  char          request[4096] = {0}, text[128], accept[64], answer[256];
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
               "Sec-WebSocket-Accept: %s\r\n\r\n",
               accept);
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

static void
serve(int fd, SSL_CTX *ctx, uint32_t message_bytes) {
  peer_t c = {.fd = fd};
  if (ctx) {
    BIO *in = BIO_new_socket(fd, BIO_NOCLOSE);
    c.ssl   = SSL_new(ctx);
    c.out   = BIO_new_socket(fd, BIO_NOCLOSE); /* until the handshake is over */
    if (!in || !c.ssl || !c.out) return;
    SSL_set_bio(c.ssl, in, c.out);
    if (SSL_accept(c.ssl) != 1) return;
    c.out = BIO_new(BIO_s_mem());
    SSL_set0_wbio(c.ssl, c.out);
  }
  if (upgrade(&c)) flood(&c, message_bytes);
  SSL_free(c.ssl);
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

md_err_t
md_bench_server_start(uint32_t message_bytes, const char *cert_pem, const char *key_pem,
                      md_bench_server_t *s) {
  int                fd    = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t          len   = sizeof where;
  if (fd < 0) return MD_ERR_IO;
  if (bind(fd, (struct sockaddr *)&where, len) || listen(fd, 8) ||
      getsockname(fd, (struct sockaddr *)&where, &len)) {
    (void)close(fd);
    return MD_ERR_IO;
  }
  s->port = ntohs(where.sin_port);
  s->pid  = fork();
  if (s->pid == 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (s->cpu >= 0) CPU_SET((size_t)s->cpu, &set);
    if (s->cpu >= 0) (void)sched_setaffinity(0, sizeof set, &set);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    SSL_CTX *ctx = cert_pem ? make_context(cert_pem, key_pem) : NULL;
    for (;;) {
      int client = accept(fd, NULL, NULL);
      if (client < 0) _exit(1);
      serve(client, ctx, message_bytes);
      (void)close(client);
    }
  }
  (void)close(fd);
  return s->pid < 0 ? MD_ERR_IO : MD_OK;
}

void
md_bench_server_stop(md_bench_server_t *s) {
  (void)kill(s->pid, SIGKILL);
  (void)waitpid(s->pid, NULL, 0);
}
