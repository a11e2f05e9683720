/* The best bid and offer: two lines of 64 bytes, rewritten in turn and only when they change. */
#include "shm/book_layout.h"

/* Where the words of a bbo stand; the first are which record says so, and when. */
enum { BBO_HEAD, BBO_SEQ, BBO_RECV, BBO_BID_PX, BBO_BID_QTY, BBO_ASK_PX, BBO_ASK_QTY };

_Static_assert(offsetof(md_book_bbo_t, flags) == 4 && offsetof(md_book_meta_t, gen) == 4 &&
                   offsetof(md_book_bbo_t, last_seq) == BBO_SEQ * MD_BOOK_WORD_BYTES &&
                   offsetof(md_book_bbo_t, ts_recv_ns) == BBO_RECV * MD_BOOK_WORD_BYTES &&
                   offsetof(md_book_bbo_t, bid_px) == BBO_BID_PX * MD_BOOK_WORD_BYTES &&
                   offsetof(md_book_bbo_t, ask_qty) == BBO_ASK_QTY * MD_BOOK_WORD_BYTES,
               "the words of a bbo");

void
md_book_bbo_write(md_book_t *b, const md_book_meta_t *meta, const int64_t px_qty[4]) {
  const uint64_t newest = b->own.bbo_newest;
  uint64_t       words[MD_BOOK_BBO_WORDS], changed;
  uint32_t       scale; /* state, reason, exponents: as meta begins */

  memcpy(&scale, meta, sizeof scale);
  changed = ((uint32_t)b->own.scale ^ scale) | (b->own.flags ^ meta->flags);
  for (unsigned i = 0; i < 4; i++)
    changed |= (uint64_t)(b->own_px_qty[i] ^ px_qty[i]);
  if (changed == 0 && newest != 0) return;
  words[BBO_HEAD]          = scale | (uint64_t)meta->flags << 32;
  words[BBO_SEQ]           = meta->last_seq;
  words[BBO_RECV]          = (uint64_t)meta->ts_recv_ns;
  words[BBO_BID_PX]        = (uint64_t)px_qty[0];
  words[BBO_BID_QTY]       = (uint64_t)px_qty[1];
  words[BBO_ASK_PX]        = (uint64_t)px_qty[2];
  words[BBO_ASK_QTY]       = (uint64_t)px_qty[3];
  md_book_bbo_line_t *line = &b->bbo[(newest + 1) % MD_BOOK_BBO_LINES];
#if MD_MUTANT == 26
  md_store_release(&line->version, newest + 1); /* R3: mutant, too early; pairs with A3 */
#else
  md_store_release(&line->version, 0); /* R3: behind the other line's version; pairs with A3 */
#endif
  md_book_words_store(line->words, words, MD_BOOK_BBO_WORDS);
  md_store_release(&line->version, newest + 1); /* R2: all words are new; pairs with A2 */
  b->own.bbo_newest = newest + 1;
}

/* bbo_try reads once. */
static inline __attribute__((always_inline)) md_err_t
bbo_try(const md_book_t *b, md_book_bbo_t *out) {
  const uint64_t first  = md_load_acquire(&b->bbo[0].version); /* A2: words; pairs with R2 */
  const uint64_t second = md_load_acquire(&b->bbo[1].version); /* A3: first; pairs with R3 */
  const uint64_t newest = second > first ? second : first;
  const md_book_bbo_line_t *line = &b->bbo[second > first];

  md_book_words_load_whole(line->words, out, MD_BOOK_BBO_WORDS, 1);
#if MD_MUTANT != 27
  if (MD_UNLIKELY(md_load_relaxed(&line->version) != newest)) return MD_ERR_BUSY; /* by A1 */
#endif
  if (MD_UNLIKELY(newest == 0)) return MD_ERR_BUSY; /* one behind the other, between the loads */
  return md_book_head_sane(out->state, out->reason, out->px_exp, out->qty_exp) ? MD_OK
                                                                               : MD_ERR_CORRUPT;
}

MD_COLD static md_err_t
bbo_again(const md_book_t *b, md_book_bbo_t *out) {
  for (unsigned turn = 1; turn < MD_READ_RETRY_MAX; turn++) {
    const md_err_t err = bbo_try(b, out);
    if (err != MD_ERR_BUSY) return err;
  }
  return MD_ERR_BUSY;
}

md_err_t
md_book_read_bbo(const md_book_t *b, md_book_bbo_t *out) {
  const md_err_t err = bbo_try(b, out);

  return MD_LIKELY(err != MD_ERR_BUSY) ? err : bbo_again(b, out);
}
