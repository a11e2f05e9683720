#include "feeds/inflate.h"

#include <stdlib.h>
#include <string.h>

#include "feeds/inflate_table.h"

#define KEPT_BYTES  32768u /* no distance is larger */
#define FRESH_BYTES 65536u /* of text before the kept part moves to the front */
#define MATCH_MAX   258u
#define STRIDE      16u /* a copy may write so much too far */
#define LIMIT       (KEPT_BYTES + FRESH_BYTES)
#define LENS_MAX    (286u + 30u)
#define META_CNT    19u

typedef enum phase { AT_BLOCK, IN_STORED, IN_CODES, AT_END } phase_t;

struct md_inflate {
  const uint8_t  *in, *in_end;
  uint64_t        bits; /* the next ones, lowest first; above bit_cnt they mean nothing */
  uint32_t        bit_cnt;
  phase_t         phase;
  bool            is_last;
  uint32_t        stored; /* bytes that are left of a stored block */
  uint32_t        at, given;
  const uint32_t *length, *far; /* tables of this block */
  uint32_t        length_table[MD_INFLATE_LENGTH_CNT], far_table[MD_INFLATE_FAR_CNT];
  uint32_t        fixed_length[MD_INFLATE_LENGTH_CNT], fixed_far[MD_INFLATE_FAR_CNT];
  uint32_t        meta_table[MD_INFLATE_META_CNT];
  uint8_t         lens[LENS_MAX + 138];
  uint8_t         text[LIMIT + MATCH_MAX + 8 + STRIDE];
};

md_inflate_t *
md_inflate_new(void) {
  md_inflate_t *s = calloc(1, sizeof *s);
  uint8_t       lens[288];
  if (!s) return NULL;
  for (uint32_t i = 0; i < sizeof lens; i++)
    lens[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
  bool good = md_inflate_table(MD_INFLATE_LENGTHS, lens, sizeof lens, s->fixed_length);
  memset(lens, 5, 32);
  good = good && md_inflate_table(MD_INFLATE_FARS, lens, 32, s->fixed_far);
  md_assert(good);
  memset(s->text, 0, sizeof s->text); /* touched: no message pays for its pages */
  return s;
}

void
md_inflate_delete(md_inflate_t *s) {
  free(s);
}

void
md_inflate_reset(md_inflate_t *s) {
  s->at    = 0;
  s->given = 0;
}

void
md_inflate_begin(md_inflate_t *s, const uint8_t *p, size_t len) {
  s->in      = p;
  s->in_end  = p + len;
  s->bits    = 0;
  s->bit_cnt = 0;
  s->phase   = AT_BLOCK;
  s->is_last = false;
}

/* ---- bits ---- */

/* At least 56 bits, or all there are. */
#define REFILL(in, in_end, bits, cnt)                                                              \
  do {                                                                                             \
    if (MD_LIKELY((in_end) - (in) >= 8)) {                                                         \
      uint64_t word_;                                                                              \
      memcpy(&word_, (in), sizeof word_);                                                          \
      (bits) |= word_ << (cnt);                                                                    \
      (in) += (63 - (cnt)) >> 3;                                                                   \
      (cnt) |= 56;                                                                                 \
    } else {                                                                                       \
      while ((cnt) < 56 && (in) < (in_end)) {                                                      \
        (bits) |= (uint64_t) * (in)++ << (cnt);                                                    \
        (cnt) += 8;                                                                                \
      }                                                                                            \
    }                                                                                              \
  } while (0)

static void
refill(md_inflate_t *s) {
  REFILL(s->in, s->in_end, s->bits, s->bit_cnt);
}

static bool
take(md_inflate_t *s, uint32_t cnt, uint32_t *out) {
  if (cnt > s->bit_cnt) return false;
  *out = (uint32_t)(s->bits & ((UINT64_C(1) << cnt) - 1));
  s->bits >>= cnt;
  s->bit_cnt -= cnt;
  return true;
}

/* To the next whole byte of the input; bytes that were read ahead are given back. */
static void
align(md_inflate_t *s) {
  s->in -= s->bit_cnt >> 3;
  s->bits    = 0;
  s->bit_cnt = 0;
}

/* ---- a block begins ---- */

static bool
begin_stored(md_inflate_t *s) {
  align(s);
  if (s->in_end - s->in < 4) return false;
  uint32_t len = (uint32_t)s->in[0] | (uint32_t)s->in[1] << 8;
  uint32_t not = (uint32_t)s->in[2] | (uint32_t)s->in[3] << 8;
  s->in += 4;
  s->stored = len;
  s->phase  = IN_STORED;
  return len == (not ^0xffffu) && (size_t)(s->in_end - s->in) >= len;
}

/* The lengths of the codes of a block, themselves in a code. */
static bool
read_lens(md_inflate_t *s, uint32_t cnt) {
  uint32_t n = 0;
  while (n < cnt) {
    refill(s);
    const uint32_t entry  = s->meta_table[s->bits & ((1u << MD_INFLATE_META_BITS) - 1)];
    const uint32_t symbol = entry >> 16;
    uint32_t       code, more = 0, repeated = 0;
    if (!take(s, entry & 0xff, &code)) return false;
    if (symbol < 16) {
      s->lens[n++] = (uint8_t)symbol;
      continue;
    }
    if (symbol == 16 && n == 0) return false;
    if (symbol == 16) repeated = s->lens[n - 1];
    if (!take(s, symbol == 16 ? 2 : symbol == 17 ? 3 : 7, &more)) return false;
    more += symbol == 18 ? 11 : 3;
    memset(s->lens + n, (int)repeated, more); /* there is room for one repetition too many */
    n += more;
  }
  return n == cnt;
}

static bool
begin_dynamic(md_inflate_t *s) {
  static const uint8_t order[META_CNT] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                          11, 4,  12, 3, 13, 2, 14, 1, 15};
  uint8_t              metas[META_CNT] = {0};
  uint32_t             length_cnt, far_cnt, meta_cnt, bits;
  if (!take(s, 5, &length_cnt) || !take(s, 5, &far_cnt) || !take(s, 4, &meta_cnt)) return false;
  length_cnt += 257;
  far_cnt += 1;
  meta_cnt += 4;
  if (length_cnt > 286 || far_cnt > 30) return false;
  for (uint32_t i = 0; i < meta_cnt; i++) {
    refill(s);
    if (!take(s, 3, &bits)) return false;
    metas[order[i]] = (uint8_t)bits;
  }
  if (!md_inflate_table(MD_INFLATE_METAS, metas, META_CNT, s->meta_table) ||
      !read_lens(s, length_cnt + far_cnt) || s->lens[256] == 0 ||
      !md_inflate_table(MD_INFLATE_LENGTHS, s->lens, length_cnt, s->length_table) ||
      !md_inflate_table(MD_INFLATE_FARS, s->lens + length_cnt, far_cnt, s->far_table))
    return false;
  s->length = s->length_table;
  s->far    = s->far_table;
  s->phase  = IN_CODES;
  return true;
}

static bool
begin_block(md_inflate_t *s) {
  uint32_t head;
  refill(s);
  if (s->bit_cnt == 0) {
    s->phase = AT_END;
    return true;
  }
  if (!take(s, 3, &head)) return false;
  s->is_last = head & 1;
  if (head >> 1 == 0) return begin_stored(s);
  if (head >> 1 == 2) return begin_dynamic(s);
  s->length = s->fixed_length;
  s->far    = s->fixed_far;
  s->phase  = IN_CODES;
  return head >> 1 == 1;
}

/* Behind the last block a stream begins anew at a whole byte, with the same text before it. */
static void
end_block(md_inflate_t *s) {
  s->phase = AT_BLOCK;
  if (s->is_last) align(s);
}

/* ---- in a block ---- */

static void
copy_stored(md_inflate_t *s) {
  uint32_t n = LIMIT - s->at < s->stored ? LIMIT - s->at : s->stored;
  memcpy(s->text + s->at, s->in, n);
  s->in += n;
  s->at += n;
  s->stored -= n;
  if (s->stored == 0) end_block(s);
}

/* May write up to STRIDE bytes too far, which are written again or never read. */
static inline void
copy_match(uint8_t *out, uint32_t far, uint32_t len) {
  const uint8_t *from = out - far;
  uint8_t *const end  = out + len;
  if (MD_LIKELY(far >= STRIDE)) {
    do {
      memcpy(out, from, STRIDE);
      out += STRIDE;
      from += STRIDE;
    } while (out < end);
    return;
  }
  if (far == 1) {
    memset(out, *from, len);
    return;
  }
  while (out < end)
    *out++ = *from++;
}

/* The number that an entry stands for. */
static inline uint32_t
number(uint32_t entry, uint64_t bits) {
  const uint32_t all = entry & 0xff, code = entry >> 8 & 0xf;
  return (entry >> 16) + (uint32_t)((bits & ((UINT64_C(1) << all) - 1)) >> code);
}

static inline uint32_t
second(const uint32_t *table, uint32_t entry, uint64_t bits) {
  const uint32_t mask = (1u << (entry >> 8 & 0xf)) - 1;
  return table[(entry >> 16) + ((uint32_t)(bits >> (entry & 0xff)) & mask)];
}

/* To the end of the block, or until the room for text is full. */
static bool
read_codes(md_inflate_t *s) {
  const uint32_t *const length = s->length, *const far_table = s->far;
  const uint8_t *in = s->in, *const in_end = s->in_end;
  uint8_t *out = s->text + s->at, *const limit = s->text + LIMIT;
  uint64_t bits    = s->bits;
  uint32_t bit_cnt = s->bit_cnt, entry = 0;
  bool     good = true;
  while (out < limit) {
    REFILL(in, in_end, bits, bit_cnt);
    entry = length[bits & ((1u << MD_INFLATE_LENGTH_BITS) - 1)];
    if (entry & MD_INFLATE_SECOND) entry = second(length, entry, bits);
    good = (entry & 0xff) <= bit_cnt;
    if (MD_UNLIKELY(!good)) break;
    if (entry & MD_INFLATE_LITERAL) {
      *out++ = (uint8_t)(entry >> 16);
      bits >>= entry & 0xff;
      bit_cnt -= entry & 0xff;
      /* One more is often there, and its bits are. */
      const uint32_t next = length[bits & ((1u << MD_INFLATE_LENGTH_BITS) - 1)];
      if (!(next & MD_INFLATE_LITERAL) || (next & 0xff) > bit_cnt) continue;
      *out++ = (uint8_t)(next >> 16);
      bits >>= next & 0xff;
      bit_cnt -= next & 0xff;
      continue;
    }
    if (MD_UNLIKELY(entry & MD_INFLATE_OTHER)) break;
    const uint32_t len = number(entry, bits);
    bits >>= entry & 0xff;
    bit_cnt -= entry & 0xff;
    uint32_t far_entry = far_table[bits & ((1u << MD_INFLATE_FAR_BITS) - 1)];
    if (MD_UNLIKELY(far_entry & MD_INFLATE_SECOND)) far_entry = second(far_table, far_entry, bits);
    const uint32_t far = number(far_entry, bits);
    good               = !(far_entry & MD_INFLATE_OTHER) && (far_entry & 0xff) <= bit_cnt &&
           far <= (size_t)(out - s->text);
    if (MD_UNLIKELY(!good)) break;
    bits >>= far_entry & 0xff;
    bit_cnt -= far_entry & 0xff;
    copy_match(out, far, len);
    out += len;
  }
  const bool is_end = good && (entry & MD_INFLATE_OTHER) && (entry & MD_INFLATE_END);
  s->in             = in;
  s->at             = (uint32_t)(out - s->text);
  s->bits           = is_end ? bits >> (entry & 0xff) : bits;
  s->bit_cnt        = is_end ? bit_cnt - (entry & 0xff) : bit_cnt;
  if (is_end) end_block(s);
  return is_end || (good && !(entry & MD_INFLATE_OTHER));
}

/* ---- portions ---- */

static bool
step(md_inflate_t *s) {
  switch (s->phase) {
  case AT_BLOCK:
    return begin_block(s);
  case IN_STORED:
    copy_stored(s);
    return true;
  case IN_CODES:
    return read_codes(s);
  case AT_END:
    break;
  }
  return false;
}

/* All text was given: what may still be referred to moves to the front. */
static void
make_room(md_inflate_t *s) {
  if (s->at < LIMIT) return;
  memmove(s->text, s->text + s->at - KEPT_BYTES, KEPT_BYTES);
  s->at    = KEPT_BYTES;
  s->given = KEPT_BYTES;
}

md_err_t
md_inflate_more(md_inflate_t *s, uint8_t *out, size_t room, size_t *written) {
  *written = 0;
  for (;;) {
    size_t fresh = s->at - s->given, n = room - *written < fresh ? room - *written : fresh;
    memcpy(out + *written, s->text + s->given, n);
    s->given += (uint32_t)n;
    *written += n;
    if (n < fresh) return MD_ERR_FULL;
    if (s->phase == AT_END) return MD_OK;
    if (*written == room) return MD_ERR_FULL;
    make_room(s);
    do {
      if (!step(s)) return MD_ERR_SYNTAX;
    } while (s->phase != AT_END && s->at < LIMIT);
  }
}
