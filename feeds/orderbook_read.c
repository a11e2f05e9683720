/* Levels of a book in order, best first. */
#include "feeds/orderbook_parts.h"

static const md_book_side_t *
side_of(const md_orderbook_t *b, md_side_t side) {
  return side == MD_SIDE_BUY ? &b->bids : &b->asks;
}

/* How many levels are better than the first-th best of the window (which has more than first), by
 * whole words; *word becomes the word that holds it, the window's lowest one being 0. */
static inline uint32_t
skip_words(const md_book_side_t *s, uint32_t first, uint32_t *word) {
  const uint32_t turn = md_window_turn(s);
  uint32_t       w = md_top_bit(md_window_words(s)), skipped = 0;
  for (;;) {
    const uint64_t bits = s->bits[(w + turn) % MD_WINDOW_WORDS];
    const uint32_t cnt  = (uint32_t)__builtin_popcountll(bits);
    if (first - skipped < cnt) break;
    skipped += cnt;
    w--;
  }
  *word = w;
  return skipped;
}

#if defined(__x86_64__)
__attribute__((target("popcnt"))) static uint32_t
skip_words_popcnt(const md_book_side_t *s, uint32_t first, uint32_t *word) {
  return skip_words(s, first, word);
}

static uint32_t
skip(const md_book_side_t *s, uint32_t first, uint32_t *word) {
  if (__builtin_cpu_supports("popcnt")) return skip_words_popcnt(s, first, word);
  return skip_words(s, first, word);
}
#else
static uint32_t
skip(const md_book_side_t *s, uint32_t first, uint32_t *word) {
  return skip_words(s, first, word);
}
#endif

/* The window's part of what is wanted. */
static uint32_t
read_window(const md_book_side_t *s, int64_t flip, const md_levels_want_t *want, md_level_t *out) {
  const uint32_t turn  = md_window_turn(s);
  uint64_t       words = md_window_words(s);
  uint32_t       drop = want->first, n = 0;
  if (drop > 0) {
    uint32_t word;
    drop -= skip(s, drop, &word);
    words &= UINT64_MAX >> (63 - word);
  }
  while (words != 0 && n < want->max) {
    const uint32_t w    = md_top_bit(words);
    uint64_t       bits = s->bits[(w + turn) % MD_WINDOW_WORDS];
    const int64_t  base = s->low + (int64_t)(64 * w);
    const int64_t *qty  = &s->qty[(uint64_t)base % MD_WINDOW_TICKS];
    words ^= UINT64_C(1) << w;
    for (; drop > 0; drop--)
      bits &= bits - 1;
    for (; bits != 0 && n < want->max; bits &= bits - 1) {
      const uint32_t bit = md_window_best(bits);
      out[n++]           = (md_level_t){(base + (int64_t)bit) ^ flip, qty[bit]};
    }
  }
  return n;
}

uint32_t
md_orderbook_read(const void *book, md_side_t side, const md_levels_want_t *want, md_level_t *out) {
  const md_book_side_t *s       = side_of(book, side);
  const uint32_t        win_cnt = s->cnt - s->far_cnt;
  const bool            is_near = want->first < win_cnt;
  uint32_t              n       = is_near ? read_window(s, md_side_flip(side), want, out) : 0;
  for (uint32_t at = is_near ? 0 : want->first - win_cnt; at < s->far_cnt && n < want->max; at++)
    out[n++] = s->far[s->far_cnt - 1 - at];
  return n;
}

bool
md_orderbook_at(const md_orderbook_t *b, md_side_t side, uint32_t n, md_level_t *out) {
  const md_levels_want_t want = {.first = n, .max = 1};
  return md_orderbook_read(b, side, &want, out) == 1;
}

bool
md_orderbook_crossed(const md_orderbook_t *b) {
  if (b->bids.cnt == 0 || b->asks.cnt == 0) return false;
  return md_side_best(&b->bids, 0) >= ~md_side_best(&b->asks, -1);
}
