#include "shm/book.h"

#include "shm/book_layout.h"

static uint32_t
book_no_levels(const void *ctx, md_side_t side, const md_levels_want_t *want, md_level_t *out) {
  (void)ctx;
  (void)side;
  (void)want;
  (void)out;
  return 0;
}

uint64_t
md_book_footprint(uint32_t depth_levels) {
  if (depth_levels > MD_DEPTH_LEVELS_MAX) return 0;
  if (depth_levels == 0) return sizeof(md_book_t);
  return sizeof(md_book_t) + md_book_depth_bytes(depth_levels);
}

md_err_t
md_book_new(void *mem, uint32_t depth_levels) {
  const md_book_meta_t empty = {
      .ts_exch_ns  = MD_NULL_I64,
      .ts_recv_ns  = MD_NULL_I64,
      .ts_pub_ns   = MD_NULL_I64,
      .trusted_bid = MD_NULL_I64,
      .trusted_ask = MD_NULL_I64,
  };
  const uint64_t bytes = md_book_footprint(depth_levels);
  md_book_t     *b     = mem;

  if (bytes == 0) return MD_ERR_RANGE;
  md_assert((uintptr_t)mem % MD_CACHE_BLOCK == 0);
  /* Levels and log are not touched before they are used: most pages of a quiet book never are. */
  memset(mem, 0, depth_levels == 0 ? bytes : md_book_side_off(depth_levels, 0));
  b->depth_levels = depth_levels;
  md_book_write_all(b, &empty, book_no_levels, NULL);
  b->magic = MD_BOOK_MAGIC;
  return MD_OK;
}

md_err_t
md_book_join(const void *mem, uint64_t avail_bytes, const md_book_t **out) {
  const md_book_t *b = mem;
  uint64_t         bytes;

  *out = NULL;
  if (mem == NULL || (uintptr_t)mem % MD_CACHE_BLOCK != 0) return MD_ERR_CORRUPT;
  if (avail_bytes < sizeof(md_book_t)) return MD_ERR_CORRUPT;
  if (b->magic != MD_BOOK_MAGIC) return MD_ERR_VERSION;
  bytes = md_book_footprint(b->depth_levels);
  if (bytes == 0 || bytes > avail_bytes) return MD_ERR_CORRUPT;
  *out = b;
  return MD_OK;
}

uint32_t
md_book_depth_levels(const md_book_t *b) {
  return b->depth_levels;
}

/* ---- writer ---- */

/* book_top_store fills the slot behind the newest one, book_show makes it the newest, and the
 * ladder's if that was filled too. px_qty: bid and ask with quantities, as they stand in top and
 * bbo. */
static void
book_top_store(md_book_t *b, const md_book_meta_t *meta, const int64_t px_qty[4]) {
  const uint64_t newest = b->own.top_newest;
#if MD_MUTANT == 21
  md_book_top_words_t *slot = &b->top[newest % MD_BOOK_TOP_SLOTS];
#else
  md_book_top_words_t *slot = &b->top[(newest + 1) % MD_BOOK_TOP_SLOTS];
#endif

  md_book_words_store(slot->words, meta, MD_BOOK_META_WORDS);
  md_book_words_store(&slot->words[MD_BOOK_META_WORDS], px_qty,
                      MD_BOOK_TOP_WORDS - MD_BOOK_META_WORDS);
}

static void
book_show(md_book_t *b, bool has_ladder) {
#if MD_MUTANT != 21
  const uint64_t newest = ++b->own.top_newest;
  md_store_release(&b->top_newest, newest); /* R3: the slot is whole; pairs with A3 */
#endif
  if (has_ladder) md_book_ladder_show(b);
}

/* book_best_store writes bbo and top, and keeps what the next message is compared with. */
static void
book_best_store(md_book_t *b, const md_book_meta_t *meta, const int64_t px_qty[4]) {
  md_book_bbo_write(b, meta, px_qty);
  book_top_store(b, meta, px_qty);
  memcpy(&b->own.scale, meta, sizeof b->own.scale);
  b->own.trusted_bid = meta->trusted_bid;
  b->own.trusted_ask = meta->trusted_ask;
  b->own.flags       = meta->flags;
  memcpy(b->own_px_qty, px_qty, sizeof b->own_px_qty);
}

static void
book_top_write(md_book_t *b, const md_book_message_t *m) {
  int64_t px_qty[4] = {MD_NULL_I64, 0, MD_NULL_I64, 0};

  for (unsigned which = 0; which < 2; which++) {
    const md_book_best_t *best = &m->best[which];
    if (best->cnt == 0) continue;
    px_qty[2 * which]     = best->levels[0].px;
    px_qty[2 * which + 1] = best->levels[0].qty;
  }
  book_best_store(b, m->meta, px_qty);
}

void
md_book_write_state(md_book_t *b, const md_book_meta_t *meta) {
  int64_t px_qty[4];

  memcpy(px_qty, b->own_px_qty, sizeof px_qty);
  book_best_store(b, meta, px_qty);
  md_book_ladder_meta(b, meta);
  book_show(b, true);
  md_book_depth_meta(b, meta);
}

void
md_book_prefetch_slots(md_book_t *b) {
  const md_book_own_t *own = &b->own;

  md_book_claim(&b->top[(own->top_newest + 1) % MD_BOOK_TOP_SLOTS], sizeof(md_book_top_words_t));
  md_book_claim(&b->ladder[(own->ladder_newest + 1) % MD_LADDER_SLOTS], sizeof(md_book_slot_t));
}

void
md_book_places(md_book_t *b, md_book_places_t *out) {
  *out = (md_book_places_t){.px       = {b->own_px_qty[0], b->own_px_qty[2]},
                            .top      = (uint8_t)((b->own.top_newest + 1) % MD_BOOK_TOP_SLOTS),
                            .ladder   = (uint8_t)((b->own.ladder_newest + 1) % MD_LADDER_SLOTS),
                            .is_known = true};
  md_book_depth_places(b, out);
}

void
md_book_prefetch(const md_book_t *b, const md_book_places_t *p) {
  if (!p->is_known) {
    md_book_ask(b, sizeof(md_book_t));
    return;
  }
  /* Not the bbo: most messages leave it as it is, and with its readers. */
  md_book_ask(b, offsetof(md_book_t, bbo));
  md_book_depth_prefetch(b, p);
  md_book_claim(&b->top[p->top], sizeof b->top[0]);
  md_book_claim(&b->ladder[p->ladder], sizeof(md_book_slot_t));
}

/* book_look finds the best change of each side. They come side by side. */
static void
book_look(const md_book_message_t *m) {
  uint32_t i = 0;

  m->best[0].side    = MD_SIDE_BUY;
  m->best[1].side    = MD_SIDE_SELL;
  m->best[0].highest = INT64_MIN;
  m->best[1].highest = INT64_MIN;
  while (i < m->change_cnt) {
    const md_side_t side    = (md_side_t)m->changes[i].side;
    md_book_best_t *best    = &m->best[side == MD_SIDE_BUY ? 0 : 1];
    int64_t         highest = best->highest;
    for (; i < m->change_cnt && m->changes[i].side == (uint8_t)side; i++) {
      const int64_t key = md_book_key(side, m->changes[i].px);
      highest           = key > highest ? key : highest;
    }
    best->highest = highest;
  }
}

/* book_fetch reads the engine's best levels, those of the ladder. */
static void
book_fetch(const md_book_message_t *m, unsigned which) {
  static const md_levels_want_t want = {.max = MD_LADDER_LEVELS};
  md_book_best_t               *best = &m->best[which];

  best->cnt = m->read(m->ctx, best->side, &want, best->levels);
}

void
md_book_write_all(md_book_t *b, const md_book_meta_t *meta, md_levels_fn read, const void *ctx) {
  md_book_best_t          best[2];
  const md_book_message_t m = {
      .meta = meta, .meta_matters = true, .read = read, .ctx = ctx, .best = best};

  book_look(&m);
  book_fetch(&m, 0);
  book_fetch(&m, 1);
  book_top_write(b, &m);
  md_book_ladder_all(b, &m);
  book_show(b, true);
  md_book_depth_all(b, &m);
}

void
md_book_write_changes(md_book_t *b, const md_book_meta_t *meta, const md_book_change_t *changes,
                      uint32_t change_cnt, md_levels_fn read, const void *ctx) {
  md_book_best_t    best[2]; /* its levels are filled as far as cnt */
  md_book_message_t m = {.meta       = meta,
                         .changes    = changes,
                         .change_cnt = change_cnt,
                         .read       = read,
                         .ctx        = ctx,
                         .best       = best};
  md_book_meta_t    was; /* as far as scale says */

  md_book_prefetch_slots(b);
  memcpy(&was, &b->own.scale, sizeof b->own.scale);
  if (MD_UNLIKELY(was.gen != meta->gen || was.px_exp != meta->px_exp ||
                  was.qty_exp != meta->qty_exp)) {
    md_book_write_all(b, meta, read, ctx);
    return;
  }
  m.meta_matters = was.state != meta->state || was.reason != meta->reason ||
                   b->own.trusted_bid != meta->trusted_bid ||
                   b->own.trusted_ask != meta->trusted_ask || b->own.flags != meta->flags;
  book_look(&m);
  book_fetch(&m, 0);
  book_fetch(&m, 1);
  book_top_write(b, &m);
  book_show(b, md_book_ladder_apply(b, &m));
  md_book_depth_apply(b, &m);
}

/* ---- readers ---- */

/* book_top_try reads once. */
static inline __attribute__((always_inline)) md_err_t
book_top_try(const md_book_t *b, md_book_top_t *out) {
  const uint64_t newest = md_load_acquire(&b->top_newest); /* A3: whole slot; pairs with R3 */

  md_book_words_load_whole(b->top[newest % MD_BOOK_TOP_SLOTS].words, out, MD_BOOK_TOP_WORDS, 0);
  /* Only when the writer came round to this slot; ordered by A1. */
  if (MD_UNLIKELY(md_load_relaxed(&b->top_newest) - newest >= MD_BOOK_TOP_SLOTS - 1))
    return MD_ERR_BUSY;
  return md_book_meta_sane(&out->meta) ? MD_OK : MD_ERR_CORRUPT;
}

MD_COLD static md_err_t
book_top_again(const md_book_t *b, md_book_top_t *out) {
  for (unsigned turn = 1; turn < MD_READ_RETRY_MAX; turn++) {
    const md_err_t err = book_top_try(b, out);
    if (err != MD_ERR_BUSY) return err;
  }
  return MD_ERR_BUSY;
}

md_err_t
md_book_read_top(const md_book_t *b, md_book_top_t *out) {
  const md_err_t err = book_top_try(b, out);

  return MD_LIKELY(err != MD_ERR_BUSY) ? err : book_top_again(b, out);
}
