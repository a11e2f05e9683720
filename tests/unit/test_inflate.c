/* test_inflate - DEFLATE against zlib: the same text of the same bytes, in portions of any size,
 * with and without the text before, of all kinds of blocks; and of bytes that were changed at
 * random the same text or the same refusal. MD_INFLATE_CASES makes it longer. */
#include "feeds/inflate.h"
#include "shm/base.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define TEXT_MAX   (200u << 10)
#define PACKED_MAX (300u << 10)
#define CASE_CNT   60000u

static uint8_t  text[TEXT_MAX], packed[PACKED_MAX], mine[TEXT_MAX + 1], theirs[TEXT_MAX + 1];
static uint64_t state = 20261122;

static uint32_t
below(uint32_t cnt) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)((state >> 32) * cnt >> 32);
}

/* Text of one of several kinds: of few symbols, of many, of repetitions near and far. */
static void
make_text(uint32_t len) {
  const uint32_t kind = below(5);
  for (uint32_t i = 0; i < len; i++) {
    uint32_t back = 1 + below(kind == 3 ? 20 : 30000);
    if (kind == 0) text[i] = (uint8_t)below(256);
    if (kind == 1) text[i] = (uint8_t)("[\"0123456789.,]"[below(15)]);
    if (kind == 2) text[i] = 'a';
    if (kind >= 3) text[i] = (uint8_t)(i < 64 ? below(256) : below(8) ? text[i - 1] : 0);
    if (kind < 3 || back > i || below(4)) continue;
    for (uint32_t n = 3 + below(300); n > 0 && i < len; n--, i++)
      text[i] = text[i - back];
    i--;
  }
}

/* A message as zlib deflates it; with the tail. */
static uint32_t
pack(z_stream *z, uint32_t len) {
  z->next_in   = text;
  z->avail_in  = len;
  z->next_out  = packed;
  z->avail_out = sizeof packed;
  (void)deflate(z, Z_SYNC_FLUSH);
  cr_assert_eq(z->avail_in, 0);
  return (uint32_t)(sizeof packed - z->avail_out);
}

/* Out of memory that ends where the message does, into portions. */
static md_err_t
inflate_mine(md_inflate_t *s, uint32_t len, size_t *got) {
  uint8_t *copy = malloc(len ? len : 1);
  md_err_t err  = MD_ERR_FULL;
  cr_assert_not_null(copy);
  memcpy(copy, packed, len);
  md_inflate_begin(s, copy, len);
  for (*got = 0; err == MD_ERR_FULL && *got < sizeof mine;) {
    size_t n, left = sizeof mine - *got, room = below(4) ? left : 1 + below((uint32_t)left);
    err = md_inflate_more(s, mine + *got, room, &n);
    cr_assert_leq(n, room);
    *got += n;
  }
  free(copy);
  return err;
}

/* What zlib makes of it: a message of whole blocks to the last bit, or MD_ERR_SYNTAX. */
static md_err_t
inflate_theirs(z_stream *z, uint32_t len, size_t *got) {
  z->next_in   = packed;
  z->avail_in  = len;
  z->next_out  = theirs;
  z->avail_out = sizeof theirs;
  for (;;) {
    int rc = inflate(z, Z_SYNC_FLUSH);
    *got   = sizeof theirs - z->avail_out;
    if (rc == Z_STREAM_END) {
      (void)inflateResetKeep(z);
      if (z->avail_in) continue;
      return MD_OK;
    }
    if (rc != Z_OK && rc != Z_BUF_ERROR) return MD_ERR_SYNTAX;
    if (z->avail_out == 0) return MD_ERR_FULL;
    return (z->data_type & 128) && (z->data_type & 31) == 0 ? MD_OK : MD_ERR_SYNTAX;
  }
}

static void
compare_streams(int level, int strategy, int window_bits, bool is_reset) {
  z_stream      in = {0}, out = {0};
  md_inflate_t *s = md_inflate_new();
  size_t        got;
  cr_assert_not_null(s);
  cr_assert_eq(deflateInit2(&in, level, Z_DEFLATED, -window_bits, 8, strategy), Z_OK);
  cr_assert_eq(inflateInit2(&out, -15), Z_OK);
  for (unsigned n = 0; n < 40; n++) {
    uint32_t len = n % 10 == 9 ? TEXT_MAX : below(below(2) ? 3000 : 70000);
    make_text(len);
    if (is_reset) (void)deflateReset(&in);
    if (is_reset) md_inflate_reset(s);
    uint32_t bytes = pack(&in, len);
    cr_assert_eq(inflate_mine(s, bytes, &got), MD_OK, "level %d, message %u", level, n);
    cr_assert_eq(got, len);
    cr_assert_eq(memcmp(mine, text, len), 0, "level %d, message %u", level, n);
  }
  (void)deflateEnd(&in);
  (void)inflateEnd(&out);
  md_inflate_delete(s);
}

Test(inflate, gives_what_zlib_deflated) {
  for (int level = 0; level <= 9; level += 3)
    for (int bits = 9; bits <= 15; bits += 3)
      compare_streams(level, Z_DEFAULT_STRATEGY, bits, bits == 12);
  compare_streams(6, Z_FIXED, 15, false);
  compare_streams(6, Z_HUFFMAN_ONLY, 15, false);
  compare_streams(6, Z_RLE, 15, true);
  compare_streams(6, Z_FILTERED, 15, false);
}

/* Changes a few bytes or bits, cuts, or makes all of it up. */
static uint32_t
spoil(uint32_t len) {
  if (below(8) == 0) {
    len = 1 + below(200);
    for (uint32_t i = 0; i < len; i++)
      packed[i] = (uint8_t)below(256);
    packed[0] = (uint8_t)((packed[0] & ~6u) | below(3) << 1);
    return len;
  }
  for (uint32_t n = below(4); n > 0; n--) {
    uint32_t at = below(below(2) ? len : len < 80 ? len : 80);
    packed[at]  = below(2) ? (uint8_t)below(256) : (uint8_t)(packed[at] ^ 1u << below(8));
  }
  return below(4) ? len : 1 + below(len);
}

Test(inflate, refuses_what_zlib_refuses_and_gives_the_same_of_all_else) {
  const char   *asked = getenv("MD_INFLATE_CASES");
  uint32_t      cnt   = asked ? (uint32_t)strtoul(asked, NULL, 10) : CASE_CNT;
  uint32_t      taken = 0, refused = 0;
  md_inflate_t *s = md_inflate_new();
  cr_assert_not_null(s);
  for (uint32_t n = 0; n < cnt; n++) {
    z_stream in = {0}, out = {0};
    size_t   got = 0, got_theirs = 0;
    md_inflate_reset(s);
    cr_assert_eq(deflateInit2(&in, (int)below(10), Z_DEFLATED, -15, 1 + (int)below(9),
                              below(4) ? Z_DEFAULT_STRATEGY : Z_FIXED),
                 Z_OK);
    cr_assert_eq(inflateInit2(&out, -15), Z_OK);
    uint32_t len = below(below(4) ? 200 : 4000);
    make_text(len);
    uint32_t bytes      = spoil(pack(&in, len));
    md_err_t err        = inflate_mine(s, bytes, &got);
    md_err_t theirs_err = inflate_theirs(&out, bytes, &got_theirs);
    cr_assert_eq(err, theirs_err, "case %u: %d, zlib %d", n, err, theirs_err);
    if (err == MD_OK) cr_assert_eq(got, got_theirs, "case %u", n);
    if (err == MD_OK) cr_assert_eq(memcmp(mine, theirs, got), 0, "case %u", n);
    taken += err == MD_OK;
    refused += err == MD_ERR_SYNTAX;
    (void)deflateEnd(&in);
    (void)inflateEnd(&out);
  }
  md_inflate_delete(s);
  cr_expect_gt(taken, cnt / 10);
  cr_expect_gt(refused, cnt / 10);
}
