#include "feeds/utf8.h"

#include <string.h>

#define HIGH_BITS   0x8080808080808080ull
#define BLOCK_BYTES 64u

typedef uint64_t pair_t __attribute__((vector_size(16)));

static inline uint64_t
load_8(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

/* All high bits of a block, in any of the bytes. */
static inline uint64_t
block_bits(const uint8_t *p) {
  pair_t a, b, c, d;
  memcpy(&a, p, sizeof a);
  memcpy(&b, p + 16, sizeof b);
  memcpy(&c, p + 32, sizeof c);
  memcpy(&d, p + 48, sizeof d);
  a |= b;
  c |= d;
  a |= c;
  return a[0] | a[1];
}

/* How many bytes from the start are surely ASCII: all, or at least up to 64 before the first that
 * is not. */
static size_t
ascii_bytes(const uint8_t *p, size_t len) {
  size_t n = 0;
  while (len - n >= BLOCK_BYTES && !(block_bits(p + n) & HIGH_BITS))
    n += BLOCK_BYTES;
  while (len - n >= 8 && !(load_8(p + n) & HIGH_BITS))
    n += 8;
  if (len - n < 8 && len >= 8 && !(load_8(p + len - 8) & HIGH_BITS)) return len;
  return n;
}

/* The bytes of the character that begins with a byte above 0x7f; 0 when it is none. */
static size_t
character_bytes(const uint8_t *p, size_t len) {
  uint8_t lead = p[0], low = 0x80, high = 0xbf;
  size_t  bytes;
  if (lead >= 0xc2 && lead <= 0xdf)
    bytes = 2;
  else if (lead >= 0xe0 && lead <= 0xef)
    bytes = 3;
  else if (lead >= 0xf0 && lead <= 0xf4)
    bytes = 4;
  else
    return 0;
  if (len < bytes) return 0;
  if (lead == 0xe0) low = 0xa0;  /* below: overlong */
  if (lead == 0xed) high = 0x9f; /* above: surrogates */
  if (lead == 0xf0) low = 0x90;
  if (lead == 0xf4) high = 0x8f; /* above U+10FFFF */
  if (p[1] < low || p[1] > high) return 0;
  for (size_t n = 2; n < bytes; n++)
    if ((p[n] & 0xc0) != 0x80) return 0;
  return bytes;
}

bool
md_utf8_is_valid(const uint8_t *p, size_t len) {
  size_t at = ascii_bytes(p, len);
  while (at < len) {
    if (p[at] < 0x80) {
      at++;
      if (at % BLOCK_BYTES == 0) at += ascii_bytes(p + at, len - at);
      continue;
    }
    size_t bytes = character_bytes(p + at, len - at);
    if (bytes == 0) return false;
    at += bytes;
  }
  return true;
}
