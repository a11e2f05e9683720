/* The ladder: whole slots, written in turn. A reader that took the newest one is disturbed only
 * when the writer has come round all the others meanwhile. */
#include "shm/book_layout.h"

_Static_assert(offsetof(md_book_ladder_t, bid_cnt) == MD_BOOK_META_WORDS * MD_BOOK_WORD_BYTES &&
                   offsetof(md_book_ladder_t, ask_cnt) == offsetof(md_book_ladder_t, bid_cnt) + 4,
               "the counts are one word behind the meta");

/* ladder_begin opens the slot behind the newest one. */
static md_book_slot_t *
ladder_begin(md_book_t *b, uint64_t *odd) {
  const uint64_t newest = b->own.ladder_newest;
#if MD_MUTANT == 22
  md_book_slot_t *slot = &b->ladder[newest % MD_LADDER_SLOTS];
#else
  md_book_slot_t *slot = &b->ladder[(newest + 1) % MD_LADDER_SLOTS];
#endif

  *odd = md_book_open(&slot->version);
  return slot;
}

void
md_book_ladder_show(md_book_t *b) {
#if MD_MUTANT != 22
  const uint64_t newest = ++b->own.ladder_newest;
  md_store_release(&b->ladder_newest, newest); /* R3: the slot is whole; pairs with A3 */
#else
  (void)b;
#endif
}

/* ladder_store_side writes the best levels of a side, and zeros where there are none. */
static void
ladder_store_side(md_book_slot_t *slot, size_t off, const md_book_best_t *best) {
  static const md_level_t none[MD_LADDER_LEVELS];
  const uint32_t          cnt = best->cnt < MD_LADDER_LEVELS ? best->cnt : MD_LADDER_LEVELS;
  md_atomic_u64          *to  = &slot->words[off / MD_BOOK_WORD_BYTES];

  md_book_words_store(to, best->levels, 2 * cnt);
  md_book_words_store(to + 2 * cnt, none, 2 * (MD_LADDER_LEVELS - cnt));
}

static const md_book_slot_t *
ladder_newest_own(const md_book_t *b) {
  return &b->ladder[b->own.ladder_newest % MD_LADDER_SLOTS];
}

void
md_book_ladder_all(md_book_t *b, const md_book_message_t *m) {
  uint64_t        odd, cnts;
  md_book_slot_t *slot   = ladder_begin(b, &odd);
  uint32_t        cnt[2] = {m->best[0].cnt, m->best[1].cnt}; /* bid_cnt, ask_cnt */

  for (unsigned which = 0; which < 2; which++)
    if (cnt[which] > MD_LADDER_LEVELS) cnt[which] = MD_LADDER_LEVELS;
  memcpy(&cnts, cnt, sizeof cnts);
  md_book_words_store(slot->words, m->meta, MD_BOOK_META_WORDS);
  md_book_words_store(&slot->words[MD_BOOK_META_WORDS], &cnts, 1);
  ladder_store_side(slot, offsetof(md_book_ladder_t, bids), &m->best[0]);
  ladder_store_side(slot, offsetof(md_book_ladder_t, asks), &m->best[1]);
  md_book_close(&slot->version, odd);
}

void
md_book_ladder_meta(md_book_t *b, const md_book_meta_t *meta) {
  md_book_ladder_t ladder;
  uint64_t         odd;

  md_book_words_own(ladder_newest_own(b)->words, &ladder, MD_BOOK_LADDER_WORDS);
  ladder.meta          = *meta;
  md_book_slot_t *slot = ladder_begin(b, &odd);
  md_book_words_store(slot->words, &ladder, MD_BOOK_LADDER_WORDS);
  md_book_close(&slot->version, odd);
}

/* ladder_is_touched says whether a change concerns the best levels of a side. One that is worse
 * than all of them now was so before too, or a better one came in, which is a change that does. */
static bool
ladder_is_touched(const md_book_best_t *best) {
  if (best->highest == INT64_MIN) return false;
  if (best->cnt < MD_LADDER_LEVELS) return true;
  return best->highest >= md_book_key(best->side, best->levels[MD_LADDER_LEVELS - 1].px);
}

bool
md_book_ladder_apply(md_book_t *b, const md_book_message_t *m) {
  if (!m->meta_matters && !ladder_is_touched(&m->best[0]) && !ladder_is_touched(&m->best[1]))
    return false;
  md_book_ladder_all(b, m);
  return true;
}

md_err_t
md_book_read_ladder(const md_book_t *b, md_book_ladder_t *out) {
  for (unsigned turn = 0; turn < MD_READ_RETRY_MAX; turn++) {
    const uint64_t newest = md_load_acquire(&b->ladder_newest); /* A3: whole slot; pairs with R3 */
    const md_book_slot_t *slot = &b->ladder[newest % MD_LADDER_SLOTS];
    const uint64_t        version =
        md_load_acquire(&slot->version); /* A4: newest; pairs with R4 in shm/book_layout.h */
    if (version % 2 != 0) continue;
    md_book_words_load_whole(slot->words, out, MD_BOOK_LADDER_WORDS, 1);
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
