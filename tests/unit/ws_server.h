/* ws_server.h - a small WebSocket and HTTP server in a child process, for the tests of the network
 * input.
 *
 * What it does is said by the path: /echo, /bytes (a text in fragments of one byte, with pings
 * between), /big/N (a text of N bytes), /close/CODE, /silent, /names (the host of the request and
 * the name that TLS was asked for). HTTP: /answer, /limited (429 with Retry-After: 2 the first
 * time, then an answer), /broken (500), /mute (nothing the first time), /half (half of the answer
 * the first time), /elsewhere (a redirection). */
#ifndef TESTS_UNIT_WS_SERVER_H
#define TESTS_UNIT_WS_SERVER_H

#include <libwebsockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define WS_SERVER_TEXT "fragments of one byte, with control frames between"

typedef struct ws_server {
  pid_t pid;
  int   port;
} ws_server_t;

typedef struct ws_session {
  char     path[64], host[128];
  uint32_t at, len;
  bool     is_started;
  char    *echo;
  uint32_t echo_len;
} ws_session_t;

static char *ws_server_big;

static int
ws_server_write_piece(struct lws *wsi, ws_session_t *s) {
  unsigned char buffer[LWS_PRE + 8];
  uint32_t      len = (uint32_t)strlen(WS_SERVER_TEXT);
  if (strcmp(s->path, "/bytes") == 0 && s->at / 2 < len) {
    bool is_ping = s->at % 2;
    int  flags;
    buffer[LWS_PRE] = (unsigned char)WS_SERVER_TEXT[s->at / 2];
    if (is_ping) {
      if (lws_write(wsi, buffer + LWS_PRE, 1, LWS_WRITE_PING) < 0) return -1;
    } else {
      flags = lws_write_ws_flags(LWS_WRITE_TEXT, s->at == 0, s->at / 2 + 1 == len);
      if (lws_write(wsi, buffer + LWS_PRE, 1, (enum lws_write_protocol)flags) < 0) return -1;
    }
    s->at++;
    lws_callback_on_writable(wsi);
  }
  if (strncmp(s->path, "/big/", 5) == 0 && s->at == 0) {
    size_t bytes  = strtoul(s->path + 5, NULL, 10);
    s->at         = 1;
    ws_server_big = malloc(LWS_PRE + bytes);
    if (!ws_server_big) return -1;
    for (size_t n = 0; n < bytes; n++)
      ws_server_big[LWS_PRE + n] = (char)('a' + n % 26);
    int rc = lws_write(wsi, (unsigned char *)ws_server_big + LWS_PRE, bytes, LWS_WRITE_TEXT);
    free(ws_server_big);
    if (rc < 0) return -1;
  }
  if (strcmp(s->path, "/names") == 0 && s->at == 0) {
    unsigned char names[LWS_PRE + 256];
    SSL          *tls = lws_get_ssl(wsi);
    const char   *sni = tls ? SSL_get_servername(tls, TLSEXT_NAMETYPE_host_name) : NULL;
    s->at             = 1;
    (void)snprintf((char *)names + LWS_PRE, 256, "%s %s", s->host, sni ? sni : "-");
    if (lws_write(wsi, names + LWS_PRE, strlen((char *)names + LWS_PRE), LWS_WRITE_TEXT) < 0)
      return -1;
  }
  if (s->echo) {
    int rc = lws_write(wsi, (unsigned char *)s->echo + LWS_PRE, s->echo_len, LWS_WRITE_TEXT);
    free(s->echo);
    s->echo = NULL;
    if (rc < 0) return -1;
  }
  return 0;
}

static int
ws_server_answer(struct lws *wsi, const char *path) {
  static int    limited_cnt, mute_cnt, half_cnt;
  unsigned char buffer[LWS_PRE + 2048], *start = buffer + LWS_PRE, *p = start,
                                        *end = buffer + sizeof buffer - 1;
  const char *body                           = "{\"path\":true}";
  unsigned    code                           = 200;
  if (strcmp(path, "/mute") == 0 && mute_cnt++ == 0) return 0;
  bool is_half = strcmp(path, "/half") == 0 && half_cnt++ == 0;
  if (strcmp(path, "/elsewhere") == 0) code = 302;
  if (strcmp(path, "/broken") == 0) code = 500;
  if (strcmp(path, "/limited") == 0 && limited_cnt++ == 0) code = 429;
  if (lws_add_http_common_headers(wsi, code, "application/json", strlen(body), &p, end)) return 1;
  if (code == 429 && lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_RETRY_AFTER,
                                                  (const unsigned char *)"2", 1, &p, end))
    return 1;
  if (code == 302 && lws_add_http_header_by_token(
                         wsi, WSI_TOKEN_HTTP_LOCATION,
                         (const unsigned char *)"http://no.such.name.invalid/answer", 34, &p, end))
    return 1;
  if (lws_finalize_write_http_header(wsi, start, &p, end)) return 1;
  p = start;
  memcpy(p, body, strlen(body));
  if (is_half) return lws_write(wsi, p, strlen(body) / 2, LWS_WRITE_HTTP) < 0;
  if (lws_write(wsi, p, strlen(body), LWS_WRITE_HTTP_FINAL) < 0) return 1;
  return lws_http_transaction_completed(wsi) ? -1 : 0;
}

static int
ws_server_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                   size_t len) {
  static unsigned char because[] = "because";
  ws_session_t        *s         = user;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
  switch (reason) {
  case LWS_CALLBACK_HTTP:
    return ws_server_answer(wsi, in);
  case LWS_CALLBACK_ESTABLISHED:
    memset(s, 0, sizeof *s);
    (void)lws_hdr_copy(wsi, s->path, sizeof s->path, WSI_TOKEN_GET_URI);
    (void)lws_hdr_copy(wsi, s->host, sizeof s->host, WSI_TOKEN_HOST);
    if (strncmp(s->path, "/close/", 7) == 0) {
      lws_close_reason(wsi, (enum lws_close_status)strtol(s->path + 7, NULL, 10), because, 7);
      return -1;
    }
    lws_callback_on_writable(wsi);
    return 0;
  case LWS_CALLBACK_RECEIVE:
    free(s->echo);
    s->echo     = malloc(LWS_PRE + len + 1);
    s->echo_len = (uint32_t)len;
    if (!s->echo) return -1;
    memcpy(s->echo + LWS_PRE, in, len);
    lws_callback_on_writable(wsi);
    return 0;
  case LWS_CALLBACK_SERVER_WRITEABLE:
    return ws_server_write_piece(wsi, s);
  case LWS_CALLBACK_CLOSED:
    free(s->echo);
    s->echo = NULL;
    return 0;
  default:
    return 0;
  }
#pragma GCC diagnostic pop
}

static void
ws_server_child(int out, const char *cert, const char *key) {
  static const struct lws_protocols protocols[] = {{.name                  = "any",
                                                    .callback              = ws_server_callback,
                                                    .per_session_data_size = sizeof(ws_session_t),
                                                    .rx_buffer_size        = 65536},
                                                   {0}};
  struct lws_context_creation_info  info        = {
              .protocols = protocols, .gid = -1, .uid = -1, .iface = "127.0.0.1"};
  if (cert) {
    info.ssl_cert_filepath        = cert;
    info.ssl_private_key_filepath = key;
    info.options                  = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  lws_set_log_level(0, NULL);
  struct lws_context *context = NULL;
  int                 port    = 0;
  for (int tries = 0; tries < 200 && !context; tries++) {
    port      = 20000 + (int)((getpid() * 7 + tries * 131) % 20000);
    info.port = port;
    context   = lws_create_context(&info);
  }
  if (!context || write(out, &port, sizeof port) != sizeof port) _exit(1);
  (void)close(out);
  for (;;)
    if (lws_service(context, 0) < 0) _exit(1);
}

/* Begins a server; cert NULL: without TLS. */
static ws_server_t
ws_server_start(const char *cert, const char *key) {
  ws_server_t s = {0};
  int         fds[2];
  if (pipe(fds)) abort();
  s.pid = fork();
  if (s.pid == 0) {
    (void)close(fds[0]);
    ws_server_child(fds[1], cert, key);
  }
  (void)close(fds[1]);
  if (s.pid < 0 || read(fds[0], &s.port, sizeof s.port) != sizeof s.port) abort();
  (void)close(fds[0]);
  return s;
}

static void
ws_server_stop(ws_server_t *s) {
  (void)kill(s->pid, SIGKILL);
  (void)waitpid(s->pid, NULL, 0);
}

#endif
