/* The ladder: whole slots, written in turn. A reader that took the newest one is disturbed only
 * when the writer has come round all the others meanwhile. */
#include "shm/book_layout.h"

/* ladder_fill takes one side from the engine's book and returns its level count. */
static uint32_t
ladder_fill(const md_book_message_t *m, md_side_t side, md_level_t *levels) {
  uint32_t cnt = 0;

  while (cnt < MD_LADDER_LEVELS && m->at(m->ctx, side, cnt, &levels[cnt]))
    cnt++;
  memset(levels + cnt, 0, (MD_LADDER_LEVELS - cnt) * sizeof *levels);
  return cnt;
}

/* The odd mark says more here than in the other tiers: who sees that a slot is rewritten also sees
 * that newest went on meanwhile, and finds another slot at the next try. */
static uint64_t
ladder_open(md_atomic_u64 *version) {
  const uint64_t odd = md_load_relaxed(version) | 1; /* only the writer stores it */

  md_store_release(version, odd); /* R4: newest so far; pairs with A4 */
  return odd;
}

/* ladder_store writes the slot behind the newest one and then makes it the newest. */
static void
ladder_store(md_book_t *b, const md_book_ladder_t *ladder) {
  const uint64_t newest = md_load_relaxed(&b->ladder_newest); /* only this thread stores it */
#if MD_MUTANT == 22
  md_book_slot_t *slot = &b->ladder[newest % MD_LADDER_SLOTS];
#else
  md_book_slot_t *slot = &b->ladder[(newest + 1) % MD_LADDER_SLOTS];
#endif
  const uint64_t odd = ladder_open(&slot->version);

  md_book_words_store(slot->words, ladder, MD_BOOK_LADDER_WORDS);
  md_book_close(&slot->version, odd);
#if MD_MUTANT != 22
  md_store_release(&b->ladder_newest, newest + 1); /* R3: the slot is whole; pairs with A3 */
#endif
}

static const md_book_slot_t *
ladder_newest_own(const md_book_t *b) {
  return &b->ladder[md_load_relaxed(&b->ladder_newest) % MD_LADDER_SLOTS]; /* this thread's own */
}

void
md_book_ladder_all(md_book_t *b, const md_book_message_t *m) {
  md_book_ladder_t ladder;

  ladder.meta    = *m->meta;
  ladder.bid_cnt = ladder_fill(m, MD_SIDE_BUY, ladder.bids);
  ladder.ask_cnt = ladder_fill(m, MD_SIDE_SELL, ladder.asks);
  ladder_store(b, &ladder);
}

void
md_book_ladder_meta(md_book_t *b, const md_book_meta_t *meta) {
  md_book_ladder_t ladder;

  md_book_words_own(ladder_newest_own(b)->words, &ladder, MD_BOOK_LADDER_WORDS);
  ladder.meta = *meta;
  ladder_store(b, &ladder);
}

/* ladder_worst returns the key from which on a change of that side touches the ladder. */
static int64_t
ladder_worst(const md_book_slot_t *slot, md_side_t side) {
  const size_t first =
      side == MD_SIDE_BUY ? offsetof(md_book_ladder_t, bids) : offsetof(md_book_ladder_t, asks);
  uint32_t cnt[2]; /* bid_cnt, ask_cnt */
  int64_t  px;
  size_t   off = offsetof(md_book_ladder_t, bid_cnt);

  md_book_words_own(&slot->words[off / MD_BOOK_WORD_BYTES], cnt, 1);
  if (cnt[side == MD_SIDE_BUY ? 0 : 1] < MD_LADDER_LEVELS) return INT64_MIN;
  off = first + (MD_LADDER_LEVELS - 1) * sizeof(md_level_t);
  md_book_words_own(&slot->words[off / MD_BOOK_WORD_BYTES], &px, 1);
  return md_book_key(side, px);
}

void
md_book_ladder_apply(md_book_t *b, const md_book_message_t *m) {
  const md_book_slot_t *slot      = ladder_newest_own(b);
  const int64_t         bid_worst = ladder_worst(slot, MD_SIDE_BUY);
  const int64_t         ask_worst = ladder_worst(slot, MD_SIDE_SELL);
  bool                  bids      = false;
  bool                  asks      = false;
  md_book_ladder_t      ladder;

  /* A side whose best twenty are all better than every change is the same as before. */
  for (uint32_t i = 0; i < m->change_cnt; i++) {
    const md_book_change_t *c = &m->changes[i];
    if (c->side == MD_SIDE_BUY) {
      bids |= md_book_key(MD_SIDE_BUY, c->px) >= bid_worst;
    } else {
      asks |= md_book_key(MD_SIDE_SELL, c->px) >= ask_worst;
    }
  }
  if (!bids && !asks && !m->meta_matters) return;
  md_book_words_own(slot->words, &ladder, MD_BOOK_LADDER_WORDS);
  ladder.meta = *m->meta;
  if (bids) ladder.bid_cnt = ladder_fill(m, MD_SIDE_BUY, ladder.bids);
  if (asks) ladder.ask_cnt = ladder_fill(m, MD_SIDE_SELL, ladder.asks);
  ladder_store(b, &ladder);
}

md_err_t
md_book_read_ladder(const md_book_t *b, md_book_ladder_t *out) {
  for (unsigned turn = 0; turn < MD_READ_RETRY_MAX; turn++) {
    const uint64_t newest = md_load_acquire(&b->ladder_newest); /* A3: whole slot; pairs with R3 */
    const md_book_slot_t *slot    = &b->ladder[newest % MD_LADDER_SLOTS];
    const uint64_t        version = md_load_acquire(&slot->version); /* A4: newest; pairs with R4 */
    if (version % 2 != 0) continue;
    md_book_words_load(slot->words, out, MD_BOOK_LADDER_WORDS);
#if MD_MUTANT != 24
    if (md_load_relaxed(&slot->version) != version) continue; /* ordered by A1 */
    /* The slot may already hold a ladder that newest does not point to yet: relaxed, by A1 too. */
    if (md_load_relaxed(&b->ladder_newest) - newest >= MD_LADDER_SLOTS - 1) continue;
#endif
    if (!md_book_meta_sane(&out->meta)) return MD_ERR_CORRUPT;
    if (out->bid_cnt > MD_LADDER_LEVELS || out->ask_cnt > MD_LADDER_LEVELS) return MD_ERR_CORRUPT;
    return MD_OK;
  }
  return MD_ERR_BUSY;
}
