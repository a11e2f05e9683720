/* raw_server.h - a WebSocket server that writes its bytes itself, in a child process, for what no
 * library would send.
 *
 * What it does is said by the path: /deflate (accepts an extension that nobody offered), /ping (a
 * PING of 125 bytes; then the text "same" when the PONG has the same bytes), /flood (pings without
 * end, whose pongs it does not read, then the text "done"), /dribble (a text whose every byte is a
 * packet of its own). */
#ifndef TESTS_UNIT_RAW_SERVER_H
#define TESTS_UNIT_RAW_SERVER_H

#include "tests/unit/ws_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <sys/socket.h>

#define RAW_PING_BYTES 125u
#define RAW_FLOOD_CNT  40000u

static bool
raw_write(int fd, const void *p, size_t len) {
  for (size_t at = 0; at < len;) {
    ssize_t n = write(fd, (const char *)p + at, len - at);
    if (n <= 0) return false;
    at += (size_t)n;
  }
  return true;
}

static bool
raw_read(int fd, void *p, size_t len) {
  for (size_t at = 0; at < len;) {
    ssize_t n = read(fd, (char *)p + at, len - at);
    if (n <= 0) return false;
    at += (size_t)n;
  }
  return true;
}

/* A whole frame of less than 126 bytes, without a mask. */
static bool
raw_frame(int fd, uint8_t opcode, const void *payload, uint8_t len) {
  uint8_t frame[2 + RAW_PING_BYTES] = {(uint8_t)(0x80 | opcode), len};
  memcpy(frame + 2, payload, len);
  return raw_write(fd, frame, 2u + len);
}

static bool
raw_text(int fd, const char *text) {
  return raw_frame(fd, 1, text, (uint8_t)strlen(text));
}

/* Answers the handshake; the path of the request. */
static bool
raw_handshake(int fd, char *path, size_t path_bytes) {
  static const char guid[]        = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  char              request[4096] = {0}, key[128], accept[64], answer[512];
  unsigned char     sha[EVP_MAX_MD_SIZE];
  size_t            len = 0;
  while (!strstr(request, "\r\n\r\n")) {
    if (len + 1 >= sizeof request || !raw_read(fd, request + len, 1)) return false;
    len++;
  }
  const char *at = strcasestr(request, "Sec-WebSocket-Key: ");
  if (!at || strcasestr(request, "Sec-WebSocket-Extensions")) return false; /* we offer none */
  int n = snprintf(key, sizeof key, "%.24s%s", at + strlen("Sec-WebSocket-Key: "), guid);
  if (!EVP_Digest(key, (size_t)n, sha, NULL, EVP_sha1(), NULL)) return false;
  (void)EVP_EncodeBlock((unsigned char *)accept, sha, 20);
  at           = strchr(request, ' ') + 1;
  size_t bytes = strcspn(at, " ");
  (void)snprintf(path, path_bytes, "%.*s", (int)bytes, at);
  n = snprintf(answer, sizeof answer,
               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Accept: %s\r\n%s\r\n",
               accept,
               strcmp(path, "/deflate") == 0 ? "Sec-WebSocket-Extensions: permessage-deflate\r\n"
                                             : "");
  return raw_write(fd, answer, (size_t)n);
}

static bool
raw_pong_is_same(int fd) {
  uint8_t ping[RAW_PING_BYTES], head[6], pong[RAW_PING_BYTES];
  for (unsigned n = 0; n < sizeof ping; n++)
    ping[n] = (uint8_t)(n * 7 + 130);
  if (!raw_frame(fd, 9, ping, sizeof ping) || !raw_read(fd, head, sizeof head)) return false;
  if (head[0] != 0x8a || head[1] != (0x80 | sizeof pong)) return false;
  if (!raw_read(fd, pong, sizeof pong)) return false;
  for (unsigned n = 0; n < sizeof pong; n++)
    pong[n] ^= head[2 + n % 4];
  return memcmp(ping, pong, sizeof pong) == 0;
}

static void
raw_serve(int fd) {
  char path[64];
  if (!raw_handshake(fd, path, sizeof path)) return;
  if (strcmp(path, "/deflate") == 0) (void)raw_text(fd, "never to be seen");
  if (strcmp(path, "/ping") == 0) (void)raw_text(fd, raw_pong_is_same(fd) ? "same" : "another");
  if (strcmp(path, "/flood") == 0) {
    char payload[RAW_PING_BYTES] = "flood";
    for (unsigned n = 0; n < RAW_FLOOD_CNT; n++)
      if (!raw_frame(fd, 9, payload, sizeof payload)) return;
    (void)raw_text(fd, "done");
    (void)pause(); /* reads nothing, ever; the test ends us */
  }
  if (strcmp(path, "/dribble") == 0) {
    uint8_t frame[2 + sizeof WS_SERVER_TEXT] = {0x81, sizeof WS_SERVER_TEXT - 1};
    memcpy(frame + 2, WS_SERVER_TEXT, sizeof WS_SERVER_TEXT - 1);
    for (size_t n = 0; n < sizeof WS_SERVER_TEXT + 1; n++)
      if (!raw_write(fd, frame + n, 1)) return;
  }
  char rest[64];
  while (read(fd, rest, sizeof rest) > 0) {
  }
}

static ws_server_t
raw_server_start(void) {
  ws_server_t        s  = {0};
  int                fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, small = 4096;
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t          len   = sizeof where;
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  if (bind(fd, (struct sockaddr *)&where, len) || listen(fd, 8) ||
      getsockname(fd, (struct sockaddr *)&where, &len))
    abort();
  s.port = ntohs(where.sin_port);
  s.pid  = fork();
  if (s.pid < 0) abort();
  if (s.pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
      int client = accept(fd, NULL, NULL);
      if (client < 0) _exit(1);
      (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      raw_serve(client);
      (void)close(client);
    }
  }
  (void)close(fd);
  return s;
}

#endif
