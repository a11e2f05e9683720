/* ws_peer.h - the other end of one native WebSocket connection, in the test itself: it sends the
 * exact bytes of a case and notes as text what came of them on both sides.
 *
 * events: T[text] B[bytes] P (pong) C1002[why] (the why only of a close by the peer); replies: what
 * the client sent, 9[] ping, a[] pong, 8[1002] close. Payloads above 110 bytes are #length. */
#ifndef TESTS_UNIT_WS_PEER_H
#define TESTS_UNIT_WS_PEER_H

#include "feeds/transport.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WS_PEER_TEXT    4096u
#define WS_PEER_IN      8192u
#define WS_PEER_WAIT_NS 60000000000ll
#define WS_PEER_GUID    "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

typedef struct ws_peer {
  md_transport_t *t;
  int             listener, fd;
  uint32_t        connection;
  unsigned        pad; /* of all payloads, summed up */
  bool            is_open, is_closed, is_ended;
  char            events[WS_PEER_TEXT], replies[WS_PEER_TEXT];
  uint8_t         in[WS_PEER_IN]; /* from the client, not a whole frame yet */
  size_t          in_len;
} ws_peer_t;

static void
ws_peer_note(char *text, const char *kind, const uint8_t *p, size_t len) {
  size_t used = strlen(text);
  if (len > 110)
    (void)snprintf(text + used, WS_PEER_TEXT - used, "%s[#%zu]", kind, len);
  else
    (void)snprintf(text + used, WS_PEER_TEXT - used, "%s[%.*s]", kind, (int)len, (const char *)p);
}

static void
ws_peer_event(ws_peer_t *s, const md_transport_event_t *e) {
  char kind[16];
  for (unsigned n = 0; n < MD_FRAME_PAD_BYTES; n++)
    s->pad += e->payload[e->len + n]; /* readable, or a sanitizer says so */
  switch (e->kind) {
  case MD_TRANSPORT_OPEN:
    s->is_open = true;
    break;
  case MD_TRANSPORT_TEXT:
    ws_peer_note(s->events, "T", e->payload, e->len);
    break;
  case MD_TRANSPORT_BINARY:
    ws_peer_note(s->events, "B", e->payload, e->len);
    break;
  case MD_TRANSPORT_PONG:
    ws_peer_note(s->events, "P", e->payload, 0);
    break;
  case MD_TRANSPORT_CLOSE:
    (void)snprintf(kind, sizeof kind, "C%u", e->code);
    ws_peer_note(s->events, kind, e->payload, e->len);
    s->is_closed = true;
    break;
  }
}

/* Every frame of a client is masked and whole; a close is shown by its code. */
static void
ws_peer_replies(ws_peer_t *s) {
  while (s->in_len >= 6) {
    size_t len = s->in[1] & 0x7f, head = 2;
    cr_assert(s->in[1] & 0x80, "a client's frame without a mask");
    if (len == 126) {
      head = 4;
      len  = (size_t)(s->in[2] << 8 | s->in[3]);
    }
    if (s->in_len < head + 4 + len) return;
    uint8_t *mask = s->in + head, *p = mask + 4;
    char     kind[4], code[16];
    for (size_t n = 0; n < len; n++)
      p[n] ^= mask[n % 4];
    (void)snprintf(kind, sizeof kind, "%x", s->in[0] & 0x0fu);
    cr_assert_eq(s->in[0] & 0xf0, 0x80);
    if (kind[0] == '8' && len >= 2) {
      len = (size_t)snprintf(code, sizeof code, "%u", (unsigned)(p[0] << 8 | p[1]));
      ws_peer_note(s->replies, kind, (uint8_t *)code, len);
      len = s->in[1] & 0x7f;
    } else {
      ws_peer_note(s->replies, kind, p, len);
    }
    s->in_len -= head + 4 + len;
    memmove(s->in, p + len, s->in_len);
  }
}

static void
ws_peer_pump(ws_peer_t *s) {
  const md_transport_event_t *event;
  uint32_t                    cnt = md_transport_native.poll(s->t, 0, &event);
  for (uint32_t n = 0; n < cnt; n++)
    ws_peer_event(s, &event[n]);
  if (s->fd < 0 || s->is_ended) return;
  ssize_t got = read(s->fd, s->in + s->in_len, sizeof s->in - s->in_len);
  s->is_ended = got == 0 || (got < 0 && errno != EAGAIN);
  if (got > 0) s->in_len += (size_t)got;
}

static bool
ws_peer_is_late(int64_t *since_ns) {
  int64_t now = md_clock_mono_ns(md_clock_system());
  if (*since_ns == 0) *since_ns = now;
  return now - *since_ns > WS_PEER_WAIT_NS;
}

/* One transport for all connections of a test: to read the authorities of TLS takes a while. */
static md_transport_t *
ws_peer_transport(bool offers_deflate, uint32_t message_bytes_max) {
  static md_transport_t       *t;
  static md_transport_config_t cfg;
  md_msg_t                     msg = {0};
  if (t && cfg.offers_deflate == offers_deflate && cfg.message_bytes_max == message_bytes_max)
    return t;
  if (t) md_transport_native.close(t);
  cfg = (md_transport_config_t){.message_bytes_max  = message_bytes_max,
                                .connection_cnt_max = 2,
                                .connect_timeout_ns = 60000000000,
                                .ping_ns            = 60000000000,
                                .pong_ns            = 90000000000,
                                .offers_deflate     = offers_deflate,
                                .clock              = md_clock_system()};
  cr_assert_eq(md_transport_native.open(&cfg, &t, &msg), MD_OK, "%s", msg.text);
  return t;
}

/* A connection of t that has come to our listener; the request is in s->in. */
static void
ws_peer_begin_on(ws_peer_t *s, md_transport_t *t) {
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t          len   = sizeof where;
  md_msg_t           msg   = {0};
  char               url[64];
  int64_t            since = 0;
  *s = (ws_peer_t){.fd = -1, .listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .t = t};
  cr_assert_eq(bind(s->listener, (struct sockaddr *)&where, len), 0);
  cr_assert_eq(listen(s->listener, 4), 0);
  cr_assert_eq(getsockname(s->listener, (struct sockaddr *)&where, &len), 0);
  (void)snprintf(url, sizeof url, "ws://127.0.0.1:%d/case?x=1", ntohs(where.sin_port));
  cr_assert_eq(md_transport_native.connect(s->t, url, &s->connection, &msg), MD_OK, "%s", msg.text);
  s->fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  cr_assert_geq(s->fd, 0);
  while (!memmem(s->in, s->in_len, "\r\n\r\n", 4) && !ws_peer_is_late(&since))
    ws_peer_pump(s);
  cr_assert(memmem(s->in, s->in_len, "\r\n\r\n", 4), "no request");
}

static void
ws_peer_begin(ws_peer_t *s, bool offers_deflate, uint32_t message_bytes_max) {
  ws_peer_begin_on(s, ws_peer_transport(offers_deflate, message_bytes_max));
}

/* What the answer to the request must say. */
static void
ws_peer_accept(ws_peer_t *s, char out[64]) {
  char          text[128];
  unsigned char sha[EVP_MAX_MD_SIZE];
  const char   *key = memmem(s->in, s->in_len, "Sec-WebSocket-Key: ", 19);
  cr_assert_not_null(key);
  int len = snprintf(text, sizeof text, "%.24s" WS_PEER_GUID, key + 19);
  cr_assert(EVP_Digest(text, (size_t)len, sha, NULL, EVP_sha1(), NULL));
  (void)EVP_EncodeBlock((unsigned char *)out, sha, 20);
}

/* Writes bytes in portions (0: at once), with a look of the client between them. */
static void
ws_peer_send(ws_peer_t *s, const void *p, size_t len, size_t portion) {
  int64_t since = 0;
  for (size_t at = 0; at < len && !ws_peer_is_late(&since);) {
    size_t  want = portion && portion < len - at ? portion : len - at;
    ssize_t n    = send(s->fd, (const char *)p + at, want, MSG_NOSIGNAL);
    if (n > 0) at += (size_t)n;
    if (n < 0 && errno != EAGAIN) return; /* the client has gone */
    ws_peer_pump(s);
  }
}

static inline void
ws_peer_grant(ws_peer_t *s, const char *extensions) {
  char    accept[64], answer[512];
  int64_t since = 0;
  ws_peer_accept(s, accept);
  s->in_len = 0;
  int len   = snprintf(answer, sizeof answer,
                       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
                         "Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n",
                       accept, extensions ? extensions : "");
  ws_peer_send(s, answer, (size_t)len, 0);
  while (!s->is_open && !s->is_closed && !ws_peer_is_late(&since))
    ws_peer_pump(s);
  cr_assert(s->is_open, "not open: %s", s->events);
}

static inline void
ws_peer_open(ws_peer_t *s, const char *extensions, uint32_t message_bytes_max) {
  ws_peer_begin(s, extensions != NULL, message_bytes_max);
  ws_peer_grant(s, extensions);
}

static void
ws_peer_close(ws_peer_t *s) {
  int64_t since = 0;
  (void)close(s->listener);
  (void)close(s->fd);
  s->fd = -1;
  while (!s->is_closed && !ws_peer_is_late(&since))
    ws_peer_pump(s);
  cr_assert(s->is_closed, "the end of the socket was not noticed");
}

/* Until the connection is gone, or a ping of ours behind all the bytes is answered. */
static inline void
ws_peer_settle(ws_peer_t *s) {
  static const uint8_t mark[] = {0x89, 3, 'e', 'n', 'd'};
  int64_t              since  = 0;
  ws_peer_send(s, mark, sizeof mark, 0);
  do {
    ws_peer_pump(s);
    ws_peer_replies(s);
    char *end = strstr(s->replies, "a[end]");
    if (!s->is_closed && end) {
      *end = 0;
      return;
    }
  } while (!(s->is_closed && s->is_ended) && !ws_peer_is_late(&since));
  ws_peer_replies(s);
  cr_assert(s->is_closed && s->is_ended, "neither answered nor gone: %s, %s", s->events,
            s->replies);
}

#endif
