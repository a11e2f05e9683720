/* The digest of a book: the only file of feeds/ that knows OpenSSL. */
#include "feeds/orderbook.h"

#include <openssl/evp.h>

#define DIGEST_BYTES 32u
#define PART_CNT     64u /* levels read at a time */

typedef struct digest {
  EVP_MD_CTX *ctx;
  uint32_t    used;
  char        text[8192]; /* lines that wait to be hashed together */
} digest_t;

static void
flush(digest_t *d) {
  int ok = EVP_DigestUpdate(d->ctx, d->text, d->used);
  md_assert(ok == 1);
  d->used = 0;
}

static void
add_level(digest_t *d, char letter, const md_level_t *l, int px_exp, int qty_exp) {
  if (sizeof d->text - d->used < 2 * MD_DECIMAL_BYTES + 8) flush(d);
  char    *out = d->text + d->used;
  uint32_t len = 0;
  out[len++]   = letter;
  out[len++]   = ' ';
  len += md_decimal_format(l->px, px_exp, out + len, MD_DECIMAL_BYTES);
  out[len++] = ' ';
  len += md_decimal_format(l->qty, qty_exp, out + len, MD_DECIMAL_BYTES);
  out[len++] = '\n';
  d->used += len;
}

static void
add_side(digest_t *d, const md_orderbook_t *b, md_side_t side, uint32_t max, const int exp[2]) {
  const uint32_t all = side == MD_SIDE_BUY ? b->bids.cnt : b->asks.cnt;
  const uint32_t cnt = max > 0 && max < all ? max : all;
  md_level_t     part[PART_CNT];
  for (uint32_t n = 0; n < cnt;) {
    const uint32_t         most = cnt - n < PART_CNT ? cnt - n : PART_CNT;
    const md_levels_want_t want = {.first = n, .max = most};
    const uint32_t         got  = md_orderbook_read(b, side, &want, part);
    md_assert(got == most);
    for (uint32_t i = 0; i < got; i++)
      add_level(d, side == MD_SIDE_BUY ? 'B' : 'A', &part[i], exp[0], exp[1]);
    n += got;
  }
}

void
md_orderbook_digest(const md_orderbook_t *b, int px_exp, int qty_exp, uint32_t max, char out[65]) {
  static const char hex[] = "0123456789abcdef";
  unsigned char     sum[EVP_MAX_MD_SIZE];
  unsigned          sum_len = 0;
  const int         exp[2]  = {px_exp, qty_exp};
  digest_t          d       = {.ctx = EVP_MD_CTX_new()};

  /* Without SHA-256 or memory there is no answer that would not be a lie. */
  md_assert(d.ctx != NULL);
  int ok = EVP_DigestInit_ex(d.ctx, EVP_sha256(), NULL);
  md_assert(ok == 1);
  add_side(&d, b, MD_SIDE_BUY, max, exp);
  add_side(&d, b, MD_SIDE_SELL, max, exp);
  flush(&d);
  ok = EVP_DigestFinal_ex(d.ctx, sum, &sum_len);
  md_assert(ok == 1);
  md_assert(sum_len == DIGEST_BYTES);
  EVP_MD_CTX_free(d.ctx);

  for (uint32_t i = 0; i < DIGEST_BYTES; i++) {
    out[2 * i]     = hex[sum[i] >> 4];
    out[2 * i + 1] = hex[sum[i] & 15];
  }
  out[2 * DIGEST_BYTES] = 0;
}
