/* The way to an open connection: an address of the name, a socket, TLS, the upgrade. */
#include "feeds/native_parts.h"

#include "feeds/url.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void
say(md_native_connection_t *c, const char *text) {
  md_native_set_reason(c, text, strlen(text));
}

void
md_native_drop_socket(md_native_connection_t *c) {
  md_native_set_pending(c, false);
  md_native_ack_forget(c);
  md_tls_end(c->tls);
  c->tls = NULL;
  if (c->fd >= 0) {
    /* What is written goes out, though something unread should be left. */
    (void)shutdown(c->fd, SHUT_WR);
    (void)close(c->fd);
  }
  c->fd           = -1;
  c->epoll_events = 0;
  c->is_writing   = false;
}

/* Where nobody accepted the connection, the name's next address is tried. */
void
md_native_unreached(md_native_connection_t *c) {
  md_transport_t *t = c->transport;
  md_url_t        u;
  md_native_drop_socket(c);
  bool is_url = md_url_parse(c->url, &u, NULL) == MD_OK;
  if (is_url) md_resolver_refused(t->resolver, u.host);
  if (c->is_reached || !is_url || ++c->try_cnt >= md_resolver_address_cnt(t->resolver, u.host)) {
    md_native_finish(c, MD_CLOSE_LOST);
    return;
  }
  memset(c->reason, 0, sizeof c->reason);
  c->tx_used = c->tx_sent = 0;
  c->walk.at = c->walk.end = 0;
  md_native_set_due(c, MD_NATIVE_NEVER);
  md_native_set_phase(c, MD_NATIVE_RESOLVING);
}

static void
refuse_errno(md_native_connection_t *c, int error) {
  char text[MD_NATIVE_REASON_BYTES];
  (void)snprintf(text, sizeof text, "no connection: %s", strerror(error));
  say(c, text);
  md_native_unreached(c);
}

/* The address is numeric: nothing is looked up. */
static void
connect_to_address(md_native_connection_t *c, const md_url_t *u, const char *address) {
  md_transport_t *t = c->transport;
  char            port[8];
  struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
  struct addrinfo *where = NULL;
  int              one   = 1;
  (void)snprintf(port, sizeof port, "%u", u->port);
  c->is_reached = false;
  md_native_set_phase(c, MD_NATIVE_CONNECTING);
  md_native_set_due(c, t->now_ns + t->cfg.connect_timeout_ns);
  if (getaddrinfo(address, port, &hints, &where)) {
    say(c, "the address is none that can be read");
    md_native_unreached(c);
    return;
  }
  c->fd = socket(where->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd >= 0) (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  bool ok = c->fd >= 0 &&
            (connect(c->fd, where->ai_addr, where->ai_addrlen) == 0 || errno == EINPROGRESS);
  int error = errno;
  freeaddrinfo(where);
  if (ok)
    md_native_watch(c);
  else
    refuse_errno(c, error);
}

void
md_native_resolve(md_native_connection_t *c) {
  md_url_t    u;
  md_msg_t    msg = {0};
  const char *address;
  md_err_t    err = md_url_parse(c->url, &u, &msg);
  if (!err) err = md_resolver_ask(c->transport->resolver, u.host, &address, &msg);
  if (err == MD_ERR_BUSY) return;
  if (!err) {
    connect_to_address(c, &u, address);
    return;
  }
  say(c, msg.text);
  md_native_finish(c, MD_CLOSE_LOST);
}

/* ---- on the socket ---- */

static void
ask_for_upgrade(md_native_connection_t *c, const md_url_t *u) {
  char    request[MD_WS_REQUEST_BYTES_MAX];
  uint8_t random[16];
  md_native_random(c->transport, random, sizeof random);
  md_ws_key(random, c->key);
  size_t len = md_ws_request(u, c->key, c->transport->cfg.offers_deflate, request, sizeof request);
  if (len == 0 || !md_native_reserve_rx(c) || md_native_put_raw(c, request, len)) {
    say(c, len ? "no memory for a connection" : "the URL has a character that none may have");
    md_native_unreached(c);
    return;
  }
  md_native_set_phase(c, MD_NATIVE_UPGRADE);
  md_native_watch(c);
  md_native_flush(c);
}

static void
on_connected(md_native_connection_t *c, const md_url_t *u) {
  int       error = 0;
  socklen_t len   = sizeof error;
  if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len)) error = errno;
  if (error) {
    refuse_errno(c, error);
    return;
  }
  c->is_reached = true;
  if (!u->is_tls) {
    ask_for_upgrade(c, u);
    return;
  }
  if (md_tls_begin(c->transport->tls, c->fd, u->host, &c->tls)) {
    say(c, "no memory for TLS");
    md_native_unreached(c);
    return;
  }
  md_native_set_phase(c, MD_NATIVE_TLS);
}

static void
go_on_tls(md_native_connection_t *c, const md_url_t *u) {
  char     why[MD_TLS_WHY_BYTES];
  bool     wants_write;
  md_err_t err = md_tls_handshake(c->tls, &wants_write, why);
  if (err == MD_ERR_BUSY) {
    c->is_writing = wants_write;
    md_native_watch(c);
    return;
  }
  c->is_writing = false;
  if (!err) {
    c->transport->counts.certificate_end_s = md_tls_certificate_end_s(c->tls);
    ask_for_upgrade(c, u);
    return;
  }
  say(c, why);
  md_native_unreached(c);
}

static bool
agree(md_native_connection_t *c, const md_ws_answer_t *answer) {
  c->walk.at          = answer->bytes;
  c->walk.may_deflate = answer->is_deflated;
  return !answer->is_deflated ||
         (md_ws_inflate_open(answer->is_reset, &c->inflate) == MD_OK && md_native_warm_plain(c));
}

static void
go_on_upgrade(md_native_connection_t *c) {
  md_transport_t *t = c->transport;
  md_ws_answer_t  answer;
  if (c->is_writing) md_native_flush(c);
  int n = md_native_read(c);
  if (n == 0) return;
  md_ws_verdict_t verdict =
      n > 0 ? md_ws_answer(c->walk.p, c->walk.end, c->key, t->cfg.offers_deflate, &answer)
            : MD_WS_REFUSED;
  if (verdict == MD_WS_WAIT) return;
  if (verdict == MD_WS_REFUSED || !agree(c, &answer)) {
    if (n < 0) say(c, "the server ended the connection before it answered the upgrade");
    if (n > 0) say(c, verdict == MD_WS_REFUSED ? answer.why : "no memory for permessage-deflate");
    md_native_unreached(c);
    return;
  }
  md_native_set_phase(c, MD_NATIVE_OPEN);
  c->valid_ns = t->now_ns;
  md_native_set_due(c, t->cfg.ping_ns > 0 ? c->valid_ns + t->cfg.ping_ns : MD_NATIVE_NEVER);
  (void)md_native_event(c, MD_TRANSPORT_OPEN, NULL, 0);
  md_native_walk(c);
}

void
md_native_go_on(md_native_connection_t *c) {
  md_url_t u;
  if (md_url_parse(c->url, &u, NULL)) return; /* connect has read it: it can be read */
  if (c->phase == MD_NATIVE_CONNECTING) on_connected(c, &u);
  if (c->phase == MD_NATIVE_TLS)
    go_on_tls(c, &u);
  else if (c->phase == MD_NATIVE_UPGRADE)
    go_on_upgrade(c);
}
