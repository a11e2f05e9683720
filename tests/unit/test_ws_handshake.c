/* test_ws_handshake - what the native client asks for and which answers it takes, whole and a byte
 * at a time. */
#include "feeds/ws_handshake.h"
#include "tests/unit/ws_peer.h"

#define LIMIT  (1u << 20)
#define FIRST  "HTTP/1.1 101 Switching Protocols\r\n"
#define UP     "Upgrade: websocket\r\n"
#define CONN   "Connection: Upgrade\r\n"
#define ACCEPT "Sec-WebSocket-Accept: %s\r\n"
#define GOOD   FIRST UP CONN ACCEPT

typedef struct answer_case {
  const char *name, *text; /* %s: the right Accept */
  const char *why;         /* NULL: it is taken */
  bool        offers_deflate;
} answer_case_t;

/* clang-format off */
#define DEFLATE "Sec-WebSocket-Extensions: permessage-deflate"
static const answer_case_t answers[] = {
  {"plain", GOOD "\r\n", NULL, false},
  {"other letters and blanks", "HTTP/1.1 101\r\nupgrade:  WebSocket \r\nCONNECTION: keep-alive, upgrade\r\nsec-websocket-accept:%s\r\nX: y\r\n\r\n", NULL, false},
  {"two Connection lines", FIRST UP "Connection: x\r\n" CONN ACCEPT "\r\n", NULL, false},
  {"no", "HTTP/1.1 403 Forbidden\r\n\r\n", "the server answered 'HTTP/1.1 403 Forbidden'", false},
  {"moved", "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "the server answered 'HTTP/1.1 302 Found'", false},
  {"1010", "HTTP/1.1 1010 x\r\n" UP CONN ACCEPT "\r\n", "the server answered 'HTTP/1.1 1010 x'", false},
  {"HTTP/1.0", "HTTP/1.0 101 x\r\n" UP CONN ACCEPT "\r\n", "the server answered 'HTTP/1.0 101 x", false},
  {"no HTTP", "SSH-2.0-OpenSSH\r\n", "the server answered 'SSH-2.0-OpenSSH", false},
  {"no Upgrade", FIRST CONN ACCEPT "\r\n", "no Upgrade", false},
  {"another Upgrade", FIRST "Upgrade: h2c\r\n" CONN ACCEPT "\r\n", "an Upgrade to something else", false},
  {"no Connection", FIRST UP ACCEPT "\r\n", "no Connection: Upgrade", false},
  {"another Connection", FIRST UP "Connection: upgraded\r\n" ACCEPT "\r\n", "no Connection: Upgrade", false},
  {"no Accept", FIRST UP CONN "\r\n", "no Sec-WebSocket-Accept", false},
  {"another Accept", FIRST UP CONN "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n", "not that of our key", false},
  {"more of an Accept", FIRST UP CONN "Sec-WebSocket-Accept: %sx\r\n\r\n", "not that of our key", false},
  {"Accept twice", GOOD ACCEPT "\r\n", "Accept twice", false},
  {"a subprotocol", GOOD "Sec-WebSocket-Protocol: chat\r\n\r\n", "a subprotocol", false},
  {"an extension", GOOD DEFLATE "\r\n\r\n", "an extension that nobody asked for", false},
  {"a line without a name", GOOD "nonsense\r\n\r\n", "without a name", false},
  {"a folded line", GOOD "X: a\r\n b\r\n\r\n", "a header line", false},
  {"a blank in a name", GOOD "X : a\r\n\r\n", "a blank or worse", false},
  {"a line that ends with LF", GOOD "X: a\nY: b\r\n\r\n", "does not end with CR LF", false},
  {"a control character", GOOD "X: a\001\r\n\r\n", "a control character", false},
  {"deflate", GOOD DEFLATE "\r\n\r\n", NULL, true},
  {"deflate with all it may say", GOOD DEFLATE "; server_no_context_takeover; client_no_context_takeover ;server_max_window_bits=\"9\"\r\n\r\n", NULL, true},
  {"offered and not taken", GOOD "\r\n", NULL, true},
  {"another one", GOOD "Sec-WebSocket-Extensions: x-webkit-deflate-frame\r\n\r\n", "an extension that nobody asked for", true},
  {"two", GOOD DEFLATE ", permessage-deflate\r\n\r\n", "more than one extension", true},
  {"two lines", GOOD DEFLATE "\r\n" DEFLATE "\r\n\r\n", "more than one extension", true},
  {"what was not offered", GOOD DEFLATE "; client_max_window_bits=10\r\n\r\n", "nobody asked for", true},
  {"twice the same", GOOD DEFLATE "; server_no_context_takeover; server_no_context_takeover\r\n\r\n", "nobody asked for", true},
  {"a window of 16", GOOD DEFLATE "; server_max_window_bits=16\r\n\r\n", "a window", true},
  {"a window of 7", GOOD DEFLATE "; server_max_window_bits=7\r\n\r\n", "a window", true},
  {"a window of 010", GOOD DEFLATE "; server_max_window_bits=010\r\n\r\n", "a window", true},
  {"a window of nothing", GOOD DEFLATE "; server_max_window_bits\r\n\r\n", "a window", true},
};
/* clang-format on */

static void
run(const answer_case_t *k, size_t portion) {
  char      accept[64], answer[1024];
  int64_t   since = 0;
  ws_peer_t s;
  ws_peer_begin(&s, k->offers_deflate, LIMIT);
  bool offers = memmem(s.in, s.in_len, "permessage-deflate", 18) != NULL;
  cr_expect_eq(offers, k->offers_deflate);
  ws_peer_accept(&s, accept);
  s.in_len        = 0;
  const char *gap = strstr(k->text, "%s"), *rest = gap ? gap + 2 : k->text + strlen(k->text);
  int         len =
      snprintf(answer, sizeof answer, "%.*s%s%s", gap ? (int)(gap - k->text) : (int)strlen(k->text),
               k->text, gap ? accept : "", rest);
  /* A second one is for the case of two. */
  char *more = strstr(answer, "%s");
  if (more) {
    char copy[1024];
    (void)snprintf(copy, sizeof copy, "%.*s%s%s", (int)(more - answer), answer, accept, more + 2);
    len = snprintf(answer, sizeof answer, "%s", copy);
  }
  ws_peer_send(&s, answer, (size_t)len, portion);
  while (!s.is_open && !s.is_closed && !ws_peer_is_late(&since))
    ws_peer_pump(&s);
  if (k->why) {
    cr_expect(!s.is_open && strncmp(s.events, "C1006[", 6) == 0, "%s: %s", k->name, s.events);
    cr_expect(strstr(s.events, k->why), "%s: %s", k->name, s.events);
  } else {
    cr_expect(s.is_open, "%s: %s", k->name, s.events);
  }
  ws_peer_close(&s);
}

Test(ws_handshake, only_a_right_answer_opens) {
  for (size_t n = 0; n < MD_CNT(answers); n++) {
    if (answers[n].offers_deflate) continue;
    run(&answers[n], 0);
    run(&answers[n], 1);
  }
}

Test(ws_handshake, of_permessage_deflate_only_what_was_offered_is_taken) {
  for (size_t n = 0; n < MD_CNT(answers); n++)
    if (answers[n].offers_deflate) run(&answers[n], 0);
}

Test(ws_handshake, the_request_says_what_the_rfc_demands) {
  ws_peer_t s;
  char      text[2048];
  ws_peer_begin(&s, false, LIMIT);
  (void)snprintf(text, sizeof text, "%.*s", (int)s.in_len, (const char *)s.in);
  cr_expect(strncmp(text, "GET /case?x=1 HTTP/1.1\r\nHost: 127.0.0.1:", 40) == 0, "%s", text);
  cr_expect(strstr(text, "\r\nUpgrade: websocket\r\n"));
  cr_expect(strstr(text, "\r\nConnection: Upgrade\r\n"));
  cr_expect(strstr(text, "\r\nSec-WebSocket-Version: 13\r\n"));
  cr_expect_not(strstr(text, "Origin"));
  md_transport_native.disconnect(s.t, s.connection, MD_CLOSE_NORMAL);
  ws_peer_close(&s);
}

Test(ws_handshake, frames_behind_the_answer_in_the_same_packet_are_taken) {
  char      accept[64], answer[512];
  ws_peer_t s;
  ws_peer_begin(&s, false, LIMIT);
  ws_peer_accept(&s, accept);
  s.in_len = 0;
  int len  = snprintf(answer, sizeof answer,
                      FIRST UP CONN "Sec-WebSocket-Accept: %s\r\n\r\n\x81\x02hi\x81\x02h", accept);
  ws_peer_send(&s, answer, (size_t)len, 0);
  ws_peer_send(&s, "o", 1, 0);
  ws_peer_settle(&s);
  cr_expect_str_eq(s.events, "T[hi]T[ho]");
  ws_peer_close(&s);
}

Test(ws_handshake, an_answer_without_end_is_refused) {
  char      line[1024];
  int64_t   since = 0;
  ws_peer_t s;
  ws_peer_begin(&s, false, LIMIT);
  memset(line, 'x', sizeof line);
  line[0] = 'X', line[1] = ':', line[1022] = '\r', line[1023] = '\n';
  ws_peer_send(&s, FIRST, sizeof FIRST - 1, 0);
  for (size_t n = 0; n <= MD_WS_ANSWER_BYTES_MAX / sizeof line; n++)
    ws_peer_send(&s, line, sizeof line, 0);
  while (!s.is_closed && !ws_peer_is_late(&since))
    ws_peer_pump(&s);
  cr_expect(strstr(s.events, "more header lines than fit"), "%s", s.events);
  ws_peer_close(&s);
}

/* The example of the RFC, 1.3. */
Test(ws_handshake, the_accept_of_the_rfcs_key_is_the_rfcs) {
  static const char answer[] =
      FIRST UP      CONN "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
  md_ws_answer_t    out;
  char              key[MD_WS_KEY_BYTES];
  md_ws_key((const uint8_t *)"the sample nonce", key);
  cr_expect_str_eq(key, "dGhlIHNhbXBsZSBub25jZQ==");
  cr_expect_eq(md_ws_answer((const uint8_t *)answer, sizeof answer - 1, key, false, &out),
               MD_WS_GRANTED, "%s", out.why);
  cr_expect_eq(out.bytes, sizeof answer - 1);
  for (size_t n = 0; n < sizeof answer - 1; n++)
    cr_expect_eq(md_ws_answer((const uint8_t *)answer, n, key, false, &out), MD_WS_WAIT, "%zu", n);
}
