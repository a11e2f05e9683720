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

/* What is wanted in terms of keys. */
typedef struct wanted {
  uint32_t first, min, max;
  int64_t  flip, until; /* a key */
} wanted_t;

/* The window's part of what is wanted; *is_done: nothing worse is. */
static uint32_t
read_window(const md_book_side_t *s, const wanted_t *want, md_level_t *out, bool *is_done) {
  const uint32_t turn  = md_window_turn(s);
  uint64_t       words = md_window_words(s);
  uint32_t       drop = want->first, n = 0;
  if (drop > 0) {
    uint32_t word;
    drop -= skip(s, drop, &word);
    words &= UINT64_MAX >> (63 - word);
  }
  while (words != 0) {
    const uint32_t w    = md_top_bit(words);
    uint64_t       bits = s->bits[(w + turn) % MD_WINDOW_WORDS];
    const int64_t  base = s->low + (int64_t)(64 * w);
    const int64_t *qty  = &s->qty[(uint64_t)base % MD_WINDOW_TICKS];
    words ^= UINT64_C(1) << w;
    for (; drop > 0; drop--)
      bits &= bits - 1;
    for (; bits != 0 && n < want->min; bits &= bits - 1) { /* wanted in any case */
      const uint32_t bit = md_window_best(bits);
      out[n++]           = (md_level_t){(base + (int64_t)bit) ^ want->flip, qty[bit]};
    }
    while (bits != 0) {
      const uint32_t bit = md_window_best(bits);
      const int64_t  key = base + (int64_t)bit;
      if (MD_UNLIKELY(n >= want->min && (n == want->max || key < want->until))) {
        *is_done = true;
        return n;
      }
      out[n++] = (md_level_t){key ^ want->flip, qty[bit]};
      bits &= bits - 1;
    }
  }
  return n;
}

uint32_t
md_orderbook_read(const void *book, md_side_t side, const md_levels_want_t *want, md_level_t *out) {
  const md_book_side_t *s       = side_of(book, side);
  const int64_t         flip    = md_side_flip(side);
  const uint32_t        win_cnt = s->cnt - s->far_cnt;
  const wanted_t        w       = {want->first, want->min, want->max, flip, want->until_px ^ flip};
  bool                  is_done = false;
  uint32_t              n       = 0;
  if (w.first < win_cnt) n = read_window(s, &w, out, &is_done);
  if (is_done) return n;
  uint32_t at = w.first < win_cnt ? 0 : w.first - win_cnt;
  for (; at < s->far_cnt; at++) {
    const md_level_t l = s->far[s->far_cnt - 1 - at];
    if (n >= w.min && (n == w.max || (l.px ^ flip) < w.until)) break;
    out[n++] = l;
  }
  return n;
}

bool
md_orderbook_at(const md_orderbook_t *b, md_side_t side, uint32_t n, md_level_t *out) {
  const md_levels_want_t want = {.first = n, .min = 1, .max = 1};
  return md_orderbook_read(b, side, &want, out) == 1;
}

bool
md_orderbook_crossed(const md_orderbook_t *b) {
  if (b->bids.cnt == 0 || b->asks.cnt == 0) return false;
  return md_side_best(&b->bids, 0) >= ~md_side_best(&b->asks, -1);
}
