/* The window of one side: making it, moving it, giving it back. */
#include "feeds/orderbook_parts.h"

#include <string.h>

/* A window is worth its 33 KiB from so many levels in it on: a shorter sorted array is as fast. One
 * more than fill a run, so that a thin book whose run is full gets the next one instead. */
#define WORTH_CNT 49u

/* Keys between the best level and the window's end when the window is put anew: the market may walk
 * so far in either direction before it moves again. */
#define HEADROOM (MD_WINDOW_TICKS / 4)

#define QTY_BYTES  (MD_WINDOW_TICKS * sizeof(int64_t))
#define BITS_BYTES (MD_WINDOW_WORDS * sizeof(uint64_t))

/* Where the window begins when key is its best level. */
static int64_t
low_for(int64_t key) {
  const int64_t below = MD_WINDOW_TICKS - HEADROOM - 1;
  int64_t       low   = key < INT64_MIN + below ? INT64_MIN : key - below;
  const int64_t last  = INT64_MAX - (int64_t)MD_WINDOW_TICKS + 1;
  if (low > last) low = last;
  return (int64_t)((uint64_t)low & ~UINT64_C(63));
}

static void
put(md_book_side_t *s, int64_t key, int64_t qty) {
  const uint32_t word                     = (uint32_t)((uint64_t)key >> 6) % MD_WINDOW_WORDS;
  s->qty[(uint64_t)key % MD_WINDOW_TICKS] = qty;
  s->bits[word] |= md_window_bit(key);
  s->words |= UINT64_C(1) << word;
}

/* Takes every level of the sorted array that lies within the window. */
static void
pull(md_book_side_t *s, int64_t flip) {
  while (s->far_cnt > 0) {
    const md_level_t l = s->far[s->far_cnt - 1];
    if ((l.px ^ flip) < s->low) break;
    put(s, l.px ^ flip, l.qty);
    s->far_cnt--;
  }
}

/* After most levels went into the window a large array is given back for a small one. */
static void
shrink(md_level_pool_t *pool, md_book_side_t *s) {
  if (s->far_cnt > s->far_cap / 4) return;
  const md_book_side_t was = *s;
  s->far                   = NULL;
  s->far_cnt               = 0;
  s->far_cap               = 0;
  if (md_side_reserve(pool, s, was.far_cnt)) {
    *s = was;
    return;
  }
  if (was.far_cnt > 0) memcpy(s->far, was.far, was.far_cnt * sizeof *s->far);
  s->far_cnt = was.far_cnt;
  md_level_pool_give(pool, was.far, was.far_cap * sizeof *s->far);
}

void
md_window_try(md_level_pool_t *pool, md_book_side_t *s, int64_t flip) {
  if (s->qty || s->far_cnt < WORTH_CNT || !md_level_pool_has_spare(pool)) return;
  const int64_t low = low_for(s->far[s->far_cnt - 1].px ^ flip);
  if (s->far_cnt - md_side_worse_cnt(s, flip, low) < WORTH_CNT) return;

  s->bits = md_level_pool_take(pool, BITS_BYTES);
  s->qty  = s->bits ? md_level_pool_take(pool, QTY_BYTES) : NULL;
  if (!s->qty) {
    if (s->bits) md_level_pool_give(pool, s->bits, BITS_BYTES);
    s->bits = NULL;
    return;
  }
  memset(s->bits, 0, BITS_BYTES);
  memset(s->qty, 0, QTY_BYTES);
  s->words = 0;
  s->low   = low;
  pull(s, flip);
  shrink(pool, s);
}

/* Moves the levels of the lowest word_cnt words to the sorted array, worst first. */
static md_err_t
push_low(md_level_pool_t *pool, md_book_side_t *s, int64_t flip, uint32_t word_cnt) {
  const uint32_t turn = md_window_turn(s);
  uint32_t       cnt  = 0;
  for (uint32_t w = 0; w < word_cnt; w++)
    cnt += (uint32_t)__builtin_popcountll(s->bits[(w + turn) % MD_WINDOW_WORDS]);
  if (cnt == 0) return MD_OK;
  md_err_t err = md_side_reserve(pool, s, s->far_cnt + cnt);
  if (err) return err;
  for (uint32_t w = 0; w < word_cnt; w++) {
    const uint32_t at = (w + turn) % MD_WINDOW_WORDS;
    for (uint64_t bits = s->bits[at]; bits != 0;) {
      const uint32_t top   = md_top_bit(bits); /* the worst */
      const int64_t  key   = s->low + (int64_t)(64 * w + 63 - top);
      int64_t       *qty   = &s->qty[(uint64_t)key % MD_WINDOW_TICKS];
      s->far[s->far_cnt++] = (md_level_t){key ^ flip, *qty};
      *qty                 = 0;
      bits ^= UINT64_C(1) << top;
    }
    s->bits[at] = 0;
    s->words &= ~(UINT64_C(1) << at);
  }
  return MD_OK;
}

md_err_t
md_window_raise(md_level_pool_t *pool, md_book_side_t *s, int64_t flip, int64_t key) {
  const int64_t  low   = low_for(key);
  const uint64_t words = md_window_off(s, low) / 64;
  md_err_t       err =
      push_low(pool, s, flip, words < MD_WINDOW_WORDS ? (uint32_t)words : MD_WINDOW_WORDS);
  if (!err) s->low = low;
  return err;
}

void
md_window_lower(md_book_side_t *s, int64_t flip) {
  if (s->far_cnt == 0) return;
  const int64_t best = md_side_best(s, flip);
  if (s->words != 0 && md_window_off(s, best) >= HEADROOM) return;
  const int64_t low = low_for(best);
  if (low >= s->low) return;
  s->low = low;
  pull(s, flip);
}

void
md_window_free(md_level_pool_t *pool, md_book_side_t *s) {
  if (!s->qty) return;
  md_level_pool_give(pool, s->qty, QTY_BYTES);
  md_level_pool_give(pool, s->bits, BITS_BYTES);
  s->qty   = NULL;
  s->bits  = NULL;
  s->words = 0;
}

md_err_t
md_window_drop(md_level_pool_t *pool, md_book_side_t *s, int64_t flip) {
  if (!s->qty) return MD_OK;
  md_err_t err = push_low(pool, s, flip, MD_WINDOW_WORDS);
  if (!err) md_window_free(pool, s);
  return err;
}

/* Ticks below and above the best one that are asked for, as in shm/book_depth.c. */
#define ASK_BELOW 40u
#define ASK_ABOVE 8u

/* From a key on downwards. */
static void
ask(const md_book_side_t *s, uint64_t from, uint64_t cnt) {
  const uint64_t word = from / 64;
  md_prefetch(&s->bits[word % MD_WINDOW_WORDS]);
  md_prefetch(&s->bits[(word - 1) % MD_WINDOW_WORDS]);
  for (uint64_t n = 0; n < cnt; n += 8)
    md_prefetch(&s->qty[(from - n) % MD_WINDOW_TICKS]);
}

/* Where the best level is not told, it is anywhere in the best word. */
static void
ask_side(const md_book_side_t *s, md_side_t side, const int64_t *px) {
  if (!s->qty || s->words == 0) return;
  if (px)
    ask(s, (uint64_t)(*px ^ md_side_flip(side)) + ASK_ABOVE, ASK_ABOVE + ASK_BELOW + 8);
  else
    ask(s, (uint64_t)s->low + 64 * (uint64_t)md_top_bit(md_window_words(s)) + 56, 64 + ASK_BELOW);
}

void
md_orderbook_prefetch(const md_orderbook_t *b, const int64_t px[2]) {
  ask_side(&b->bids, MD_SIDE_BUY, px);
  ask_side(&b->asks, MD_SIDE_SELL, px ? px + 1 : NULL);
}
