#include "shm/book.h"

#include "shm/book_layout.h"

static bool
book_no_level(const void *ctx, md_side_t side, uint32_t n, md_level_t *out) {
  (void)ctx;
  (void)side;
  (void)n;
  (void)out;
  return false;
}

uint64_t
md_book_footprint(uint32_t depth_levels) {
  if (depth_levels > MD_DEPTH_LEVELS_MAX) return 0;
  if (depth_levels == 0) return sizeof(md_book_t);
  return sizeof(md_book_t) + MD_DEPTH_COPIES * md_book_depth_bytes(depth_levels);
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
  memset(mem, 0, bytes);
  b->depth_levels = depth_levels;
  md_book_write_all(b, &empty, book_no_level, NULL);
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

static void
book_top_store(md_book_t *b, const md_book_top_t *top) {
#if MD_MUTANT == 21
  const uint64_t odd = md_load_relaxed(&b->top.version) | 1;
#else
  const uint64_t odd = md_book_open(&b->top.version);
#endif
  md_book_words_store(b->top.words, top, MD_BOOK_TOP_WORDS);
  md_book_close(&b->top.version, odd);
}

static void
book_top_write(md_book_t *b, const md_book_message_t *m) {
  md_book_top_t top = {.meta = *m->meta, .bid_px = MD_NULL_I64, .ask_px = MD_NULL_I64};
  md_level_t    level;

  if (m->at(m->ctx, MD_SIDE_BUY, 0, &level)) {
    top.bid_px  = level.px;
    top.bid_qty = level.qty;
  }
  if (m->at(m->ctx, MD_SIDE_SELL, 0, &level)) {
    top.ask_px  = level.px;
    top.ask_qty = level.qty;
  }
  book_top_store(b, &top);
}

void
md_book_write_state(md_book_t *b, const md_book_meta_t *meta) {
  md_book_top_t top;

  md_book_words_own(b->top.words, &top, MD_BOOK_TOP_WORDS);
  top.meta = *meta;
  book_top_store(b, &top);
  md_book_ladder_meta(b, meta);
  md_book_depth_meta(b, meta);
}

void
md_book_write_all(md_book_t *b, const md_book_meta_t *meta, md_level_at_fn at, const void *ctx) {
  const md_book_message_t m = {.meta = meta, .meta_matters = true, .at = at, .ctx = ctx};

  book_top_write(b, &m);
  md_book_ladder_all(b, &m);
  md_book_depth_all(b, &m);
}

void
md_book_write_changes(md_book_t *b, const md_book_meta_t *meta, const md_book_change_t *changes,
                      uint32_t change_cnt, md_level_at_fn at, const void *ctx) {
  md_book_message_t m = {
      .meta = meta, .changes = changes, .change_cnt = change_cnt, .at = at, .ctx = ctx};
  md_book_meta_t was;

  md_book_words_own(b->top.words, &was, MD_BOOK_META_WORDS);
  if (MD_UNLIKELY(was.gen != meta->gen || was.px_exp != meta->px_exp ||
                  was.qty_exp != meta->qty_exp)) {
    md_book_write_all(b, meta, at, ctx);
    return;
  }
  m.meta_matters = was.state != meta->state || was.reason != meta->reason ||
                   was.trusted_bid != meta->trusted_bid || was.trusted_ask != meta->trusted_ask ||
                   was.flags != meta->flags;
  book_top_write(b, &m);
  md_book_ladder_apply(b, &m);
  md_book_depth_apply(b, &m);
}

/* ---- readers ---- */

md_err_t
md_book_read_top(const md_book_t *b, md_book_top_t *out) {
  for (unsigned turn = 0; turn < MD_READ_RETRY_MAX; turn++) {
    const uint64_t version = md_load_acquire(&b->top.version); /* A2: words; pairs with R2 */
    if (version % 2 != 0) continue;
    md_book_words_load(b->top.words, out, MD_BOOK_TOP_WORDS);
    if (md_load_relaxed(&b->top.version) != version) continue; /* ordered by A1 */
    return md_book_meta_sane(&out->meta) ? MD_OK : MD_ERR_CORRUPT;
  }
  return MD_ERR_BUSY;
}
