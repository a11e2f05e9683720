#include "feeds/inflate_table.h"

#include <string.h>

#define SYMBOL_MAX 288u

typedef struct shape {
  uint32_t bits, room; /* of the first table; entries in all */
} shape_t;

static const shape_t shapes[] = {
    [MD_INFLATE_LENGTHS] = {MD_INFLATE_LENGTH_BITS, MD_INFLATE_LENGTH_CNT},
    [MD_INFLATE_FARS]    = {MD_INFLATE_FAR_BITS, MD_INFLATE_FAR_CNT},
    [MD_INFLATE_METAS]   = {MD_INFLATE_META_BITS, MD_INFLATE_META_CNT}};

/* First number of a symbol, and bits of what is added to it (RFC 1951, 3.2.5). */
typedef struct range {
  uint16_t base;
  uint8_t  extra;
} range_t;

static const range_t lengths[] = {
    {3, 0},  {4, 0},  {5, 0},  {6, 0},   {7, 0},   {8, 0},   {9, 0},   {10, 0},  {11, 1}, {13, 1},
    {15, 1}, {17, 1}, {19, 2}, {23, 2},  {27, 2},  {31, 2},  {35, 3},  {43, 3},  {51, 3}, {59, 3},
    {67, 4}, {83, 4}, {99, 4}, {115, 4}, {131, 5}, {163, 5}, {195, 5}, {227, 5}, {258, 0}};

static const range_t fars[] = {{1, 0},     {2, 0},     {3, 0},      {4, 0},      {5, 1},
                               {7, 1},     {9, 2},     {13, 2},     {17, 3},     {25, 3},
                               {33, 4},    {49, 4},    {65, 5},     {97, 5},     {129, 6},
                               {193, 6},   {257, 7},   {385, 7},    {513, 8},    {769, 8},
                               {1025, 9},  {1537, 9},  {2049, 10},  {3073, 10},  {4097, 11},
                               {6145, 11}, {8193, 12}, {12289, 12}, {16385, 13}, {24577, 13}};

/* The entry of a symbol whose code has len bits. */
static uint32_t
entry_of(md_inflate_kind_t kind, uint32_t symbol, uint32_t len) {
  const uint32_t code = len << 8 | len;
  range_t        r;
  if (kind == MD_INFLATE_METAS) return symbol << 16 | code;
  if (kind == MD_INFLATE_LENGTHS) {
    if (symbol < 256) return MD_INFLATE_LITERAL | symbol << 16 | code;
    if (symbol == 256) return MD_INFLATE_OTHER | MD_INFLATE_END | code;
    if (symbol - 257 >= MD_CNT(lengths)) return MD_INFLATE_WRONG;
    r = lengths[symbol - 257];
  } else {
    if (symbol >= MD_CNT(fars)) return MD_INFLATE_WRONG;
    r = fars[symbol];
  }
  return (uint32_t)r.base << 16 | (code + r.extra);
}

/* Symbols in the order of their codes, and how many there are of each length. */
typedef struct code {
  uint16_t cnt[MD_INFLATE_CODE_BITS + 1];
  uint16_t symbol[SYMBOL_MAX];
  uint32_t longest;
} code_t;

/* The next symbol from i on that has a code; most have none. */
static inline uint32_t
next_symbol(const uint8_t *lens, uint32_t cnt, uint32_t i) {
  for (;; i += 8) {
    uint64_t eight;
    if (cnt - i < 8) break;
    memcpy(&eight, lens + i, sizeof eight);
    if (eight)
      return i + (uint32_t)__builtin_ctzll(eight) / 8; /* of a machine with low bytes first */
  }
  while (i < cnt && lens[i] == 0)
    i++;
  return i;
}

/* False: over-subscribed, or incomplete and not one code of one bit. */
static bool
sort_code(const uint8_t *lens, uint32_t cnt, bool is_meta, code_t *c) {
  uint16_t at[MD_INFLATE_CODE_BITS + 1];
  uint32_t used[SYMBOL_MAX], used_cnt = 0;
  int32_t  left = 1;
  memset(c->cnt, 0, sizeof c->cnt);
  for (uint32_t i = next_symbol(lens, cnt, 0); i < cnt; i = next_symbol(lens, cnt, i + 1)) {
    used[used_cnt++] = i;
    c->cnt[lens[i]]++;
  }
  c->longest = 0;
  at[1]      = 0;
  for (uint32_t len = 1; len <= MD_INFLATE_CODE_BITS; len++) {
    left = left * 2 - c->cnt[len];
    if (left < 0) return false;
    if (c->cnt[len]) c->longest = len;
    if (len < MD_INFLATE_CODE_BITS) at[len + 1] = (uint16_t)(at[len] + c->cnt[len]);
  }
  for (uint32_t i = 0; i < used_cnt; i++)
    c->symbol[at[lens[used[i]]]++] = (uint16_t)used[i];
  return left == 0 || (!is_meta && c->longest <= 1);
}

/* Codes are packed with their first bit lowest: the next one of the same length, or with zeros
 * behind it the first one of the next length. */
static uint32_t
next_code(uint32_t code, uint32_t len) {
  uint32_t bit = 1u << (len - 1);
  while (code & bit)
    bit >>= 1;
  return bit ? (code & (bit - 1)) | bit : 0;
}

/* How many bits a second table needs that begins with a code of len: until it is full. */
static uint32_t
second_bits(const code_t *c, uint32_t done, uint32_t len, uint32_t first_bits) {
  uint32_t bits = len - first_bits;
  int32_t  left = (1 << bits) - (c->cnt[len] - (int32_t)done);
  while (left > 0 && first_bits + bits < c->longest) {
    bits++;
    left = left * 2 - c->cnt[first_bits + bits];
  }
  return bits;
}

static bool
fill_second(md_inflate_kind_t kind, const code_t *c, uint32_t code, uint32_t at, uint32_t *table) {
  const shape_t shape  = shapes[kind];
  uint32_t      prefix = UINT32_MAX, begin = 0, end = 1u << shape.bits, bits = 0;
  for (uint32_t len = shape.bits + 1; len <= c->longest; len++)
    for (uint32_t i = 0; i < c->cnt[len]; i++, code = next_code(code, len), at++) {
      const uint32_t low = code & ((1u << shape.bits) - 1);
      if (low != prefix) {
        prefix = low;
        bits   = second_bits(c, i, len, shape.bits);
        begin  = end;
        end += 1u << bits;
        if (end > shape.room) return false; /* cannot be: the room is for all complete codes */
        table[low] = MD_INFLATE_OTHER | MD_INFLATE_SECOND | begin << 16 | bits << 8 | shape.bits;
      }
      const uint32_t entry = entry_of(kind, c->symbol[at], len);
      for (uint32_t n = code >> shape.bits; n < 1u << bits; n += 1u << (len - shape.bits))
        table[begin + n] = entry;
    }
  return true;
}

bool
md_inflate_table(md_inflate_kind_t kind, const uint8_t *lens, uint32_t cnt, uint32_t *table) {
  const shape_t shape = shapes[kind];
  code_t        c;
  uint32_t      code = 0, at = 0, size = 1;
  md_assert(cnt <= SYMBOL_MAX);
  if (!sort_code(lens, cnt, kind == MD_INFLATE_METAS, &c)) return false;
  if (c.longest == 0 || (c.longest == 1 && c.cnt[1] == 1)) { /* what no code has is wrong */
    for (uint32_t n = 0; n < 1u << shape.bits; n++)
      table[n] = n % 2 == 0 && c.longest ? entry_of(kind, c.symbol[0], 1) : MD_INFLATE_WRONG;
    return true;
  }
  /* A table of the codes so far is doubled for each bit more: what is not a longer code repeats. */
  for (uint32_t len = 1; len <= shape.bits; len++, size *= 2) {
    memcpy(table + size, table, size * sizeof table[0]);
    for (uint32_t i = 0; i < c.cnt[len]; i++, code = next_code(code, len), at++)
      table[code] = entry_of(kind, c.symbol[at], len);
  }
  return c.longest <= shape.bits || fill_second(kind, &c, code, at, table);
}
