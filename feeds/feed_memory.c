/* What a feed holds, and how it gives back what it can. */
#include "feeds/feed_parts.h"

uint64_t
md_feed_memory(const md_feed_t *f) {
  return md_level_pool_touched(f->level_pool) + md_sync_pool_touched(f->sync_pool) +
         md_feed_symbols_bytes(f->symbols) + f->instrument_cnt * sizeof *f->instruments +
         f->cfg.venue->state_bytes;
}

void
md_feed_shed(md_feed_t *f) {
  md_level_pool_trim(f->level_pool);
  md_sync_pool_trim(f->sync_pool);
}

void
md_feed_forget(md_feed_t *f) {
  for (uint32_t n = 0; n < f->instrument_cnt; n++) {
    md_feed_instrument_t *i = &f->instruments[n];
    if (i->state != MD_BOOK_STALE) continue;
    md_orderbook_clear(&i->book);
    md_sync_queue_clear(&i->queue);
    i->has_snapshot = false;
  }
  md_feed_shed(f);
}
