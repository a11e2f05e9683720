/* test_ws_deflate - permessage-deflate (RFC 7692) of a server, in the manner of cases 12 and 13 of
 * the Autobahn test suite: sizes, windows, with and without a memory of the messages before, in
 * fragments, and what must not be. */
#include "tests/unit/ws_peer.h"

#include <zlib.h>

#define LIMIT (1u << 20)
#define WIRE  (LIMIT * 2)
#define OFFER "Sec-WebSocket-Extensions: permessage-deflate"

static uint8_t wire[WIRE], packed[WIRE], text[LIMIT + 1];

static void
begin(z_stream *z, int bits) {
  *z = (z_stream){0};
  cr_assert_eq(deflateInit2(z, 6, Z_DEFLATED, -bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
}

/* Deflates a message as a server does, without the tail; its length. */
static size_t
pack(z_stream *z, const uint8_t *p, size_t len) {
  z->next_in   = (Bytef *)(uintptr_t)p;
  z->avail_in  = (uInt)len;
  z->next_out  = packed;
  z->avail_out = sizeof packed;
  if (deflate(z, Z_SYNC_FLUSH) == Z_BUF_ERROR) { /* nothing, behind nothing new */
    packed[0] = 0;
    return 1;
  }
  return sizeof packed - z->avail_out - 4;
}

/* Frames of at most piece bytes; RSV1 on the first. */
static size_t
frame(uint8_t opcode, const uint8_t *p, size_t len, size_t piece) {
  size_t at = 0, used = 0;
  do {
    size_t n     = len - at < piece ? len - at : piece;
    wire[used++] = (uint8_t)((at == 0 ? 0x40 | opcode : 0) | (at + n == len ? 0x80 : 0));
    if (n < 126) {
      wire[used++] = (uint8_t)n;
    } else {
      wire[used++] = 127;
      if (n < 65536) wire[used - 1] = 126;
      for (int shift = n < 65536 ? 8 : 56; shift >= 0; shift -= 8)
        wire[used++] = (uint8_t)((uint64_t)n >> shift);
    }
    memcpy(wire + used, p + at, n);
    used += n;
    at += n;
  } while (at < len);
  return used;
}

/* Something like a message of an exchange. */
static void
make_text(size_t len, unsigned seed) {
  for (size_t n = 0; n < len; n++) {
    seed    = seed * 1103515245 + 12345;
    text[n] = (uint8_t)("{\"price\":0123456789"[(seed >> 16) % 4 ? n % 9 : 9 + (seed >> 20) % 10]);
  }
}

static void
expect_message(ws_peer_t *s, size_t len) {
  const md_transport_event_t *event;
  int64_t                     since = 0;
  uint32_t                    cnt   = 0;
  while (cnt == 0 && !ws_peer_is_late(&since))
    cnt = md_transport_native.poll(s->t, 100000000, &event);
  cr_assert_eq(cnt, 1);
  cr_assert_eq(event[0].kind, MD_TRANSPORT_TEXT, "%.*s", (int)event[0].len,
               (const char *)event[0].payload);
  cr_assert_eq(event[0].len, len);
  cr_assert_eq(memcmp(event[0].payload, text, len), 0);
  for (unsigned n = 0; n < MD_FRAME_PAD_BYTES; n++)
    cr_assert_eq(event[0].payload[len + n], 0);
}

/* The bytes may be more than the socket takes at once: the client reads meanwhile. */
static void
send_all(ws_peer_t *s, size_t len) {
  for (size_t at = 0; at < len;) {
    ssize_t n = send(s->fd, wire + at, len - at, MSG_NOSIGNAL);
    if (n > 0) at += (size_t)n;
    if (n < 0) cr_assert_eq(errno, EAGAIN);
    if (at < len) {
      const md_transport_event_t *event;
      cr_assert_eq(md_transport_native.poll(s->t, 0, &event), 0);
    }
  }
}

static void
exchange(const char *answer, int bits, bool is_reset) {
  static const size_t sizes[]  = {0,    16,    64,    256,   1024,   4096,
                                  8192, 16384, 32768, 65536, 131072, LIMIT};
  static const size_t pieces[] = {1, 256, LIMIT * 2};
  ws_peer_t           s;
  z_stream            z;
  begin(&z, bits);
  ws_peer_open(&s, answer, LIMIT);
  for (unsigned round = 0; round < 3; round++) {
    for (size_t n = 0; n < MD_CNT(sizes); n++) {
      if (pieces[round] == 1 && sizes[n] > 4096) continue;
      make_text(sizes[n], round + 1);
      if (is_reset) cr_assert_eq(deflateReset(&z), Z_OK);
      size_t len = pack(&z, text, sizes[n]);
      send_all(&s, frame(1, packed, len, pieces[round]));
      expect_message(&s, sizes[n]);
    }
  }
  (void)deflateEnd(&z);
  ws_peer_close(&s);
}

Test(ws_deflate, case_12_messages_of_all_sizes_with_the_memory_of_those_before) {
  exchange(OFFER "\r\n", 15, false);
}

Test(ws_deflate, case_13_without_that_memory) {
  exchange(OFFER "; server_no_context_takeover\r\n", 15, true);
}

Test(ws_deflate, case_13_with_a_small_window) {
  exchange(OFFER "; server_max_window_bits=9; client_no_context_takeover\r\n", 9, false);
}

/* Many in one read: all of them stand side by side. */
Test(ws_deflate, many_messages_of_one_poll_stand_side_by_side) {
  enum { CNT = 400, BYTES = 1000 };
  const md_transport_event_t *event;
  ws_peer_t                   s;
  z_stream                    z;
  size_t                      used  = 0;
  uint32_t                    got   = 0;
  int64_t                     since = 0;
  static uint8_t              all[WIRE];
  begin(&z, 15);
  ws_peer_open(&s, OFFER "\r\n", LIMIT);
  for (unsigned n = 0; n < CNT; n++) {
    make_text(BYTES, 7);
    text[0]      = (uint8_t)('a' + n % 26);
    size_t bytes = frame(1, packed, pack(&z, text, BYTES), WIRE);
    memcpy(all + used, wire, bytes);
    used += bytes;
  }
  cr_assert_eq(send(s.fd, all, used, 0), (ssize_t)used);
  while (got < CNT && !ws_peer_is_late(&since)) {
    uint32_t cnt = md_transport_native.poll(s.t, 100000000, &event);
    for (uint32_t n = 0; n < cnt; n++, got++) {
      text[0] = (uint8_t)('a' + got % 26);
      cr_assert_eq(event[n].len, BYTES);
      cr_assert_eq(memcmp(event[n].payload, text, BYTES), 0, "%u", got);
    }
  }
  cr_assert_eq(got, CNT);
  (void)deflateEnd(&z);
  ws_peer_close(&s);
}

static void
expect_after(const uint8_t *p, size_t len, const char *events) {
  ws_peer_t s;
  ws_peer_open(&s, OFFER "\r\n", LIMIT);
  ws_peer_send(&s, p, len, 0);
  ws_peer_settle(&s);
  cr_expect_str_eq(s.events, events, "%s instead of %s", s.events, events);
  ws_peer_close(&s);
}

#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1

Test(ws_deflate, plain_messages_may_stand_between_and_blocks_may_be_the_last) {
  expect_after(BYTES("\x81\x02hi\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\x81\x02ho"),
               "T[hi]T[Hello]T[ho]");
  expect_after(BYTES("\x41\x03\xf2\x48\xcd\x89\x00\x80\x04\xc9\xc9\x07\x00"), "T[Hello]");
  expect_after(BYTES("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00"),
               "T[Hello]T[Hello]");
  expect_after(BYTES("\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), "T[Hello]");
  expect_after(BYTES("\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), "T[Hello]");
  expect_after(BYTES("\xc1\x01\x00"), "T[]");
}

Test(ws_deflate, what_must_not_be_fails_the_connection) {
  expect_after(BYTES("\xc1\x04\xff\xff\xff\xff"), "C1007[a message that cannot be inflated]");
  expect_after(BYTES("\x41\x03\xf2\x48\xcd\xc0\x04\xc9\xc9\x07\x00"), "C1002[a reserved bit]");
  expect_after(BYTES("\xe1\x01\x00"), "C1002[a reserved bit]");
  expect_after(BYTES("\xc9\x00"), "C1002[a reserved bit]");
  expect_after(BYTES("\xc1\x07\x00\x01\x00\xfe\xff\xff\x00"), "C1007[a text that is not UTF-8]");
}

/* A megabyte and a byte of nothing is a kilobyte on the wire. */
Test(ws_deflate, a_message_above_the_limit_is_no_more_than_that) {
  ws_peer_t s;
  z_stream  z;
  begin(&z, 15);
  ws_peer_open(&s, OFFER "\r\n", LIMIT);
  memset(text, ' ', sizeof text);
  size_t len = frame(1, packed, pack(&z, text, LIMIT + 1), WIRE);
  cr_assert_lt(len, 4000);
  ws_peer_send(&s, wire, len, 0);
  ws_peer_settle(&s);
  cr_expect_str_eq(s.events, "C1009[a message above the limit]");
  cr_expect_str_eq(s.replies, "8[1009]");
  (void)deflateEnd(&z);
  ws_peer_close(&s);
}
