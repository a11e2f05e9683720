#include "feeds/tls_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CA_FILE "/etc/ssl/certs/ca-certificates.crt"

struct md_tls {
  SSL_CTX    *ctx;
  BIO_METHOD *socket;
};

struct md_tls_session {
  SSL    *ssl;
  int     fd;
  bool    is_dry; /* this look was had: what else the socket has waits for the next */
  bool    is_open;
  size_t  at, end; /* of what the socket gave and OpenSSL has not taken yet */
  uint8_t bytes[MD_TLS_SOCKET_BYTES];
};

/* ---- the socket ---- */

/* OpenSSL's own reading ahead moves all that is left to the front of its buffer for each record: a
 * hundred records at once cost it more in that than in all else. So it reads record by record, out
 * of bytes that one system call took. */
static int
socket_read(BIO *b, char *out, int len) {
  md_tls_session_t *s = BIO_get_data(b);
  BIO_clear_retry_flags(b);
  if (s->at == s->end && s->is_dry) {
    BIO_set_retry_read(b);
    return -1;
  }
  if (s->at == s->end) {
    ssize_t n = recv(s->fd, s->bytes, sizeof s->bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(b);
    if (n <= 0) return (int)n;
    s->at     = 0;
    s->end    = (size_t)n;
    s->is_dry = true;
  }
  size_t take = s->end - s->at < (size_t)len ? s->end - s->at : (size_t)len;
  memcpy(out, s->bytes + s->at, take);
  s->at += take;
  return (int)take;
}

static int
socket_write(BIO *b, const char *p, int len) {
  md_tls_session_t *s = BIO_get_data(b);
  BIO_clear_retry_flags(b);
  ssize_t n = send(s->fd, p, (size_t)len, MSG_NOSIGNAL);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(b);
  return (int)n;
}

static long
socket_ctrl(BIO *b, int what, long number, void *p) {
  (void)b;
  (void)number;
  (void)p;
  return what == BIO_CTRL_FLUSH;
}

/* ---- the context ---- */

void
md_tls_close(md_tls_t *t) {
  if (!t) return;
  SSL_CTX_free(t->ctx);
  BIO_meth_free(t->socket);
  free(t);
}

static bool
set_up(md_tls_t *t) {
  t->ctx    = SSL_CTX_new(TLS_client_method());
  t->socket = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
  if (!t->ctx || !t->socket) return false;
  if (!BIO_meth_set_read(t->socket, socket_read) || !BIO_meth_set_write(t->socket, socket_write) ||
      !BIO_meth_set_ctrl(t->socket, socket_ctrl) ||
      !SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION))
    return false;
  SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
  (void)SSL_CTX_set_options(t->ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  (void)SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
  (void)SSL_CTX_set_mode(t->ctx,
                         SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  /* WebSocket is asked for over HTTP/1.1 only. */
  return SSL_CTX_set_alpn_protos(t->ctx, (const unsigned char *)"\x08http/1.1", 9) == 0;
}

md_err_t
md_tls_open(const char *ca_file, md_tls_t **out, md_msg_t *msg) {
  const char *file = ca_file && ca_file[0] ? ca_file : CA_FILE;
  if (access(file, R_OK) != 0)
    return md_fail(
        msg, MD_ERR_CONFIG,
        "cannot read the certificate authorities in %s; install ca-certificates or set ca_file",
        file);
  md_tls_t *t = calloc(1, sizeof *t);
  if (!t || !set_up(t)) {
    md_tls_close(t);
    return md_fail(msg, MD_ERR_NOMEM, "no memory for TLS");
  }
  if (!SSL_CTX_load_verify_file(t->ctx, file)) {
    ERR_clear_error();
    md_tls_close(t);
    return md_fail(msg, MD_ERR_CONFIG,
                   "%s has no certificate authority that can be read; it must be PEM", file);
  }
  *out = t;
  return MD_OK;
}

/* ---- sessions ---- */

/* The certificate must hold for what was meant, which is not always what is connected to. */
static bool
expect(SSL *ssl, const char *host) {
  unsigned char address[16];
  if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
  char name[256];
  if ((size_t)snprintf(name, sizeof name, "%s", host) >= sizeof name) return false;
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

md_err_t
md_tls_begin(md_tls_t *t, int fd, const char *host, md_tls_session_t **out) {
  md_tls_session_t *s = calloc(1, sizeof *s);
  BIO              *b = BIO_new(t->socket);
  if (s) s->ssl = SSL_new(t->ctx);
  if (!s || !b || !s->ssl || !expect(s->ssl, host)) {
    BIO_free(b);
    if (s) SSL_free(s->ssl);
    free(s);
    ERR_clear_error();
    return MD_ERR_NOMEM;
  }
  s->fd = fd;
  BIO_set_data(b, s);
  BIO_set_init(b, 1);
  SSL_set_bio(s->ssl, b, b);
  SSL_set_connect_state(s->ssl);
  *out = s;
  return MD_OK;
}

void
md_tls_end(md_tls_session_t *s) {
  if (!s) return;
  ERR_clear_error();
  if (s->is_open) (void)SSL_shutdown(s->ssl);
  ERR_clear_error();
  SSL_free(s->ssl);
  free(s);
}

static void
say_why(md_tls_session_t *s, char why[MD_TLS_WHY_BYTES]) {
  long          verdict = SSL_get_verify_result(s->ssl);
  unsigned long code    = ERR_peek_last_error();
  const char   *text    = code ? ERR_reason_error_string(code) : NULL;
  if (verdict != X509_V_OK)
    (void)snprintf(why, MD_TLS_WHY_BYTES, "the certificate is refused: %s",
                   X509_verify_cert_error_string(verdict));
  else
    (void)snprintf(why, MD_TLS_WHY_BYTES, "TLS failed: %s",
                   text ? text : "the connection ended within the handshake");
}

md_err_t
md_tls_handshake(md_tls_session_t *s, bool *wants_write, char why[MD_TLS_WHY_BYTES]) {
  ERR_clear_error();
  s->is_dry    = false;
  *wants_write = false;
  int rc       = SSL_do_handshake(s->ssl);
  if (rc == 1) {
    s->is_open = true;
    return MD_OK;
  }
  int err = SSL_get_error(s->ssl, rc);
  if (err == SSL_ERROR_WANT_READ) return MD_ERR_BUSY;
  *wants_write = err == SSL_ERROR_WANT_WRITE;
  if (*wants_write) return MD_ERR_BUSY;
  say_why(s, why);
  ERR_clear_error();
  return MD_ERR_IO;
}

uint64_t
md_tls_certificate_end_s(const md_tls_session_t *s) {
  const X509 *certificate = SSL_get0_peer_certificate(s->ssl);
  struct tm   end;
  if (!certificate || !ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end)) return 0;
  time_t seconds = timegm(&end);
  return seconds > 0 ? (uint64_t)seconds : 0;
}

void
md_tls_look(md_tls_session_t *s) {
  ERR_clear_error(); /* what another user of the library left on this thread is not about s */
  s->is_dry = false;
}

/* What the result of a read or write means to one who knows recv and send. */
static ssize_t
as_result(md_tls_session_t *s, int rc) {
  int err = SSL_get_error(s->ssl, rc);
  errno   = EAGAIN;
  if (err == SSL_ERROR_WANT_READ || err == SSL_ERROR_WANT_WRITE) return -1;
  s->is_open = err == SSL_ERROR_ZERO_RETURN; /* after any other failure nothing may be said */
  ERR_clear_error();
  errno = EPROTO;
  return err == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

ssize_t
md_tls_read(md_tls_session_t *s, void *p, size_t len) {
  /* Nothing is left to decrypt: OpenSSL would find that out too, at length. */
  if (s->is_dry && s->at == s->end && SSL_pending(s->ssl) == 0) {
    errno = EAGAIN;
    return -1;
  }
  int n = SSL_read(s->ssl, p, len < INT_MAX ? (int)len : INT_MAX);
  return n > 0 ? n : as_result(s, n);
}

ssize_t
md_tls_write(md_tls_session_t *s, const void *p, size_t len) {
  int n = SSL_write(s->ssl, p, len < INT_MAX ? (int)len : INT_MAX);
  return n > 0 ? n : as_result(s, n);
}
