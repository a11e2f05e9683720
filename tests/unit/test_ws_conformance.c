/* test_ws_conformance - RFC 6455 from a client's side, case by case in the manner and with the
 * numbers of the Autobahn test suite, against a peer that sends the exact bytes: whole, a byte at a
 * time, and in two halves. */
#include "feeds/utf8.h"
#include "feeds/ws_frame.h"
#include "tests/unit/ws_peer.h"

#define LIMIT (1u << 20)
#define X10   "0123456789"
#define X120  X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

typedef struct ws_case {
  const char *name, *bytes;
  size_t      len;
  const char *events, *replies;
} ws_case_t;

#define C(name, bytes, events, replies)                                                            \
  { name, bytes, sizeof(bytes) - 1, events, replies }
/* Broken: the close that we send, and the event. */
#define BROKEN(name, bytes, why) C(name, bytes, "C1002[" why "]", "8[1002]")

static void
run(const ws_case_t *k, size_t portion) {
  ws_peer_t s;
  ws_peer_open(&s, NULL, LIMIT);
  ws_peer_send(&s, k->bytes, k->len, portion);
  ws_peer_settle(&s);
  cr_expect_str_eq(s.events, k->events, "%s by %zu: events %s, expected %s", k->name, portion,
                   s.events, k->events);
  cr_expect_str_eq(s.replies, k->replies, "%s by %zu: replies %s, expected %s", k->name, portion,
                   s.replies, k->replies);
  ws_peer_close(&s);
}

static void
run_all(const ws_case_t *k, size_t cnt) {
  for (size_t n = 0; n < cnt; n++) {
    run(&k[n], 0);
    run(&k[n], 1);
    run(&k[n], k[n].len / 2 + 1);
  }
}

/* clang-format off */
static const ws_case_t framing[] = {
  C("1.1.1 empty text", "\x81\x00", "T[]", ""),
  C("1.2.1 empty binary", "\x82\x00", "B[]", ""),
  C("1.1.2 text of 125", "\x81\x7d" X120 "01234", "T[#125]", ""),
  C("1.2.3 binary of 126", "\x82\x7e\x00\x7e" X120 "012345", "B[#126]", ""),
  C("two at once", "\x81\x02" "ab" "\x81\x02" "cd", "T[ab]T[cd]", ""),
  BROKEN("126 bytes in 64 bits", "\x82\x7f\0\0\0\0\0\0\0\x7e" X120 "012345", "a length in more bytes than needed"),
  BROKEN("2 bytes in 16 bits", "\x81\x7e\x00\x02" "ab", "a length in more bytes than needed"),
  BROKEN("a length with its highest bit", "\x82\x7f\x80\0\0\0\0\0\0\0", "a length with its highest bit set"),
  BROKEN("a masked frame", "\x81\x82\1\2\3\4ab", "a masked frame"),
  C("1009", "\x82\x7f\0\0\0\0\0\x10\0\1", "C1009[a message above the limit]", "8[1009]"),
  C("1009 in fragments", "\x02\x02" "ab" "\x80\x7f\0\0\0\0\0\x0f\xff\xff", "C1009[a message above the limit]", "8[1009]"),
};

static const ws_case_t pings[] = {
  C("2.1 empty ping", "\x89\x00", "", "a[]"),
  C("2.2 ping", "\x89\x0dHello, world!", "", "a[Hello, world!]"),
  C("2.4 ping of 125", "\x89\x7d" X120 "01234", "", "a[#125]"),
  BROKEN("2.5 ping of 126", "\x89\x7e\x00\x7e" X120 "012345", "a control frame above 125 bytes"),
  C("2.7 pong that nobody asked for", "\x8a\x00", "P[]", ""),
  C("2.8 the same with a payload", "\x8a\x02hi", "P[]", ""),
  C("2.9 pong, then ping", "\x8a\x02hi\x89\x02ho", "P[]", "a[ho]"),
  C("2.10 ten pings", "\x89\1" "0\x89\1" "1\x89\1" "2\x89\1" "3\x89\1" "4\x89\1" "5\x89\1" "6\x89\1" "7\x89\1" "8\x89\1" "9",
    "", "a[0]a[1]a[2]a[3]a[4]a[5]a[6]a[7]a[8]a[9]"),
};

static const ws_case_t reserved[] = {
  BROKEN("3.1 RSV3", "\x91\x02hi", "a reserved bit"),
  BROKEN("3.2 RSV2 behind a text", "\xa1\x02hi", "a reserved bit"),
  BROKEN("3.3 RSV1 without an extension", "\xc1\x02hi", "a reserved bit"),
  BROKEN("3.4 all on a binary", "\xf2\x02hi", "a reserved bit"),
  BROKEN("3.5 RSV1 on a ping", "\xc9\x00", "a reserved bit"),
  BROKEN("3.6 RSV2 on a close", "\xa8\x00", "a reserved bit"),
  BROKEN("4.1.1 opcode 3", "\x83\x00", "a reserved opcode"),
  BROKEN("4.1.2 opcode 4", "\x84\x02hi", "a reserved opcode"),
  C("4.1.3 opcode 5 behind a text", "\x81\x02hi\x85\x00", "T[hi]C1002[a reserved opcode]", "8[1002]"),
  BROKEN("4.1.4 opcode 6", "\x86\x00", "a reserved opcode"),
  BROKEN("4.1.5 opcode 7", "\x87\x00", "a reserved opcode"),
  BROKEN("4.2.1 opcode 11", "\x8b\x00", "a reserved opcode"),
  BROKEN("4.2.2 opcode 12", "\x8c\x02hi", "a reserved opcode"),
  BROKEN("4.2.3 opcode 13", "\x8d\x00", "a reserved opcode"),
  BROKEN("4.2.4 opcode 14", "\x8e\x00", "a reserved opcode"),
  BROKEN("4.2.5 opcode 15", "\x8f\x00", "a reserved opcode"),
};

static const ws_case_t fragments[] = {
  BROKEN("5.1 ping in fragments", "\x09\x02hi\x80\x02ho", "a control frame in fragments"),
  BROKEN("5.2 pong in fragments", "\x0a\x02hi\x80\x02ho", "a control frame in fragments"),
  BROKEN("close in fragments", "\x08\x00", "a control frame in fragments"),
  C("5.3 text in two", "\x01\x02hi\x80\x02ho", "T[hiho]", ""),
  C("binary in two", "\x02\x02hi\x80\x02ho", "B[hiho]", ""),
  C("5.6 with a ping between", "\x01\x02hi\x89\x02ho\x80\x02hu", "T[hihu]", "a[ho]"),
  C("5.6 with a pong between", "\x01\x02hi\x8a\x02ho\x80\x02hu", "P[]T[hihu]", ""),
  C("5.7 two pings and an empty fragment", "\x01\x02hi\x89\x01" "1\x00\x00\x89\x01" "2\x00\x02hu\x80\x01!", "T[hihu!]", "a[1]a[2]"),
  BROKEN("5.9 a continuation of nothing", "\x80\x02hi", "a continuation of nothing"),
  BROKEN("5.10 the same, not the last", "\x00\x02hi", "a continuation of nothing"),
  C("5.15 one too many", "\x01\x02hi\x80\x02ho\x80\x02hu", "T[hiho]C1002[a continuation of nothing]", "8[1002]"),
  BROKEN("5.18 text within fragments", "\x01\x02hi\x81\x02ho", "a new message within the fragments of another"),
  BROKEN("binary within fragments", "\x01\x02hi\x02\x02ho", "a new message within the fragments of another"),
  C("5.19 messages around", "\x81\x01" "a\x01\x01" "b\x80\x01" "c\x81\x01" "d\x02\x00\x80\x00", "T[a]T[bc]T[d]B[]", ""),
  C("a character cut in two", "\x01\x02" "a\xc3\x80\x02\xa4z", "T[a\xc3\xa4z]", ""),
  C("three empty fragments", "\x01\x00\x00\x00\x80\x00", "T[]", ""),
};

static const ws_case_t texts[] = {
  C("6.2.1 UTF-8", "\x81\x0b" "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", "T[\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5]", ""),
  C("6.2.3 a fragment each byte", "\x01\x01\xf0\x00\x01\x9f\x00\x01\x98\x80\x01\x80", "T[\xf0\x9f\x98\x80]", ""),
  C("6.3.1 a surrogate", "\x81\x05" "a\xed\xa0\x80" "b", "C1007[a text that is not UTF-8]", "8[1007]"),
  C("6.4.1 above U+10FFFF", "\x01\x01" "a\x80\x04\xf4\x90\x80\x80", "C1007[a text that is not UTF-8]", "8[1007]"),
  C("6.6.1 cut short", "\x81\x01\xce", "C1007[a text that is not UTF-8]", "8[1007]"),
  C("6.12.1 overlong", "\x81\x02\xc0\x80", "C1007[a text that is not UTF-8]", "8[1007]"),
  C("6.20 0xfe", "\x81\x01\xfe", "C1007[a text that is not UTF-8]", "8[1007]"),
  C("binary may be anything", "\x82\x02\xff\xfe", "B[\xff\xfe]", ""),
  C("at the end of a long text", "\x81\x7d" X120 "0123\xff", "C1007[a text that is not UTF-8]", "8[1007]"),
};

static const ws_case_t closes[] = {
  C("7.1.1 behind a text", "\x81\x02hi\x88\x02\x03\xe8", "T[hi]C1000[]", "8[1000]"),
  C("7.1.2 two closes", "\x88\x02\x03\xe8\x88\x02\x03\xe9", "C1000[]", "8[1000]"),
  C("7.1.3 a ping behind it", "\x88\x02\x03\xe8\x89\x02hi", "C1000[]", "8[1000]"),
  C("7.1.4 a text behind it", "\x88\x02\x03\xe8\x81\x02hi", "C1000[]", "8[1000]"),
  C("7.1.5 within fragments", "\x01\x02hi\x88\x02\x03\xe8\x80\x02ho", "C1000[]", "8[1000]"),
  C("7.3.1 empty", "\x88\x00", "C1006[]", "8[]"),
  BROKEN("7.3.2 half a code", "\x88\x01\x03", "a close frame with half a code"),
  C("7.3.4 with a reason", "\x88\x09\x03\xf0" "because", "C1008[because]", "8[1008]"),
  C("7.3.5 the longest reason", "\x88\x7d\x03\xe8" X120 "012", "C1000[#123]", "8[1000]"),
  BROKEN("7.3.6 a longer one", "\x88\x7e\x00\x7e\x03\xe8" X120 "0123", "a control frame above 125 bytes"),
  C("7.5.1 a reason that is no text", "\x88\x04\x03\xe8\xce\xce", "C1007[a close frame whose reason is not UTF-8]", "8[1007]"),
};
/* clang-format on */

Test(ws_conformance, cases_1_frames_of_all_lengths) {
  run_all(framing, MD_CNT(framing));
}

Test(ws_conformance, cases_2_pings_and_pongs) {
  run_all(pings, MD_CNT(pings));
}

Test(ws_conformance, cases_3_and_4_reserved_bits_and_opcodes) {
  run_all(reserved, MD_CNT(reserved));
}

Test(ws_conformance, cases_5_fragments) {
  run_all(fragments, MD_CNT(fragments));
}

Test(ws_conformance, cases_6_texts) {
  run_all(texts, MD_CNT(texts));
}

Test(ws_conformance, cases_7_closes) {
  run_all(closes, MD_CNT(closes));
}

Test(ws_conformance, cases_7_7_and_7_9_close_codes) {
  for (unsigned code = 0; code <= UINT16_MAX; code++) {
    bool is_valid = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                    (code >= 3000 && code <= 4999);
    cr_assert_eq(md_ws_close_code_is_valid((uint16_t)code), is_valid, "%u", code);
  }
  static const uint16_t codes[] = {0,    999,  1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007,
                                   1011, 1015, 1016, 1100, 2999, 3000, 3999, 4000, 4999, 5000};
  for (size_t n = 0; n < MD_CNT(codes); n++) {
    bool      is_valid  = md_ws_close_code_is_valid(codes[n]);
    uint8_t   frame[]   = {0x88, 2, (uint8_t)(codes[n] >> 8), (uint8_t)codes[n]};
    char      text[128] = "C1002[a close frame with a code that none may bear]", reply[16];
    ws_peer_t s;
    if (is_valid) (void)snprintf(text, sizeof text, "C%u[]", codes[n]);
    (void)snprintf(reply, sizeof reply, "8[%u]", is_valid ? codes[n] : 1002u);
    ws_peer_open(&s, NULL, LIMIT);
    ws_peer_send(&s, frame, sizeof frame, 0);
    ws_peer_settle(&s);
    cr_expect_str_eq(s.events, text, "%u: %s", codes[n], s.events);
    cr_expect_str_eq(s.replies, reply, "%u: %s", codes[n], s.replies);
    ws_peer_close(&s);
  }
}

/* A message of len bytes in frames of at most piece bytes; returns the bytes on the wire. */
static size_t
make_message(uint8_t *out, size_t len, size_t piece) {
  size_t at = 0, used = 0;
  do {
    size_t n    = len - at < piece ? len - at : piece;
    out[used++] = (uint8_t)((at == 0) | (at + n == len ? 0x80 : 0));
    if (n < 126) {
      out[used++] = (uint8_t)n;
    } else if (n < 65536) {
      out[used++] = 126;
      out[used++] = (uint8_t)(n >> 8);
      out[used++] = (uint8_t)n;
    } else {
      out[used++] = 127;
      for (int shift = 56; shift >= 0; shift -= 8)
        out[used++] = (uint8_t)((uint64_t)n >> shift);
    }
    memset(out + used, '*', n);
    used += n;
    at += n;
  } while (at < len);
  return used;
}

Test(ws_conformance, cases_1_and_9_long_messages_in_pieces_of_all_sizes) {
  static const size_t sizes[]  = {125,   126,   127,    128,    65535,   65536,
                                  65537, 99991, 131072, 262144, 1048575, LIMIT};
  static const size_t pieces[] = {64, 4096, 65536, LIMIT};
  uint8_t            *wire     = malloc(LIMIT * 2);
  cr_assert_not_null(wire);
  for (size_t n = 0; n < MD_CNT(sizes); n++) {
    for (size_t m = 0; m < MD_CNT(pieces); m++) {
      char      text[32];
      ws_peer_t s;
      ws_peer_open(&s, NULL, LIMIT);
      ws_peer_send(&s, wire, make_message(wire, sizes[n], pieces[m]), n % 2 ? 0 : 4999);
      ws_peer_settle(&s);
      (void)snprintf(text, sizeof text, "T[#%zu]", sizes[n]);
      cr_expect_str_eq(s.events, text, "%zu in pieces of %zu: %s", sizes[n], pieces[m], s.events);
      ws_peer_close(&s);
    }
  }
  free(wire);
}

/* More messages in one read than one poll gives events. */
Test(ws_conformance, a_poll_that_is_full_leaves_the_rest_to_the_next) {
  enum { CNT = 5000 };
  static uint8_t              wire[CNT * 2];
  ws_peer_t                   s;
  uint32_t                    got = 0, most = 0;
  int64_t                     since = 0;
  const md_transport_event_t *event;
  for (unsigned n = 0; n < CNT; n++)
    wire[2 * n] = 0x82;
  ws_peer_open(&s, NULL, LIMIT);
  cr_assert_eq(send(s.fd, wire, sizeof wire, 0), (ssize_t)sizeof wire);
  while (got < CNT && !ws_peer_is_late(&since)) {
    uint32_t cnt = md_transport_native.poll(s.t, 1000000000, &event);
    for (uint32_t n = 0; n < cnt; n++)
      cr_assert_eq(event[n].kind, MD_TRANSPORT_BINARY);
    got += cnt;
    if (cnt > most) most = cnt;
  }
  cr_assert_eq(got, CNT);
  cr_assert_lt(most, CNT);
  ws_peer_close(&s);
}

/* ---- UTF-8 beside a plain decoder ---- */

static bool
is_text_by_the_book(const uint8_t *p, size_t len) {
  for (size_t at = 0; at < len;) {
    uint32_t c = p[at], least = 0;
    size_t   more = 0;
    if (c >= 0xf8 || (c >= 0x80 && c < 0xc0)) return false;
    if (c >= 0xc0) more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    if (more) c &= 0x3fu >> more;
    least = more == 0 ? 0 : more == 1 ? 0x80 : more == 2 ? 0x800 : 0x10000;
    for (size_t n = 1; n <= more; n++) {
      if (at + n >= len || (p[at + n] & 0xc0) != 0x80) return false;
      c = c << 6 | (p[at + n] & 0x3f);
    }
    if (c < least || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return false;
    at += more + 1;
  }
  return true;
}

Test(ws_conformance, utf8_of_all_short_texts_and_of_long_ones_at_every_place) {
  uint8_t p[300];
  for (uint32_t v = 0; v < 1u << 24; v += v < 1u << 16 ? 1 : 7) {
    uint8_t q[4] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v, 0x80};
    for (size_t from = 0; from < 2; from++)
      cr_assert_eq(md_utf8_is_valid(q + from, 4 - from), is_text_by_the_book(q + from, 4 - from));
    cr_assert_eq(md_utf8_is_valid(q, 3), is_text_by_the_book(q, 3));
  }
  for (size_t len = 0; len < sizeof p; len++) {
    for (size_t at = 0; at < len; at++) {
      memset(p, 'x', sizeof p);
      p[at] = 0xc3;
      cr_assert_eq(md_utf8_is_valid(p, len), false, "%zu of %zu", at, len);
      if (at + 1 == len) continue;
      p[at + 1] = 0xa4;
      cr_assert(md_utf8_is_valid(p, len), "%zu of %zu", at, len);
    }
  }
}
