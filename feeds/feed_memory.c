/* What a feed holds, and how it gives back what it can. */
#include "feeds/feed_parts.h"

#include <sys/mman.h>

void *
md_feed_reserve(uint64_t bytes) {
  void *p =
      mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? NULL : p;
}

void
md_feed_release(void *p, uint64_t bytes) {
  if (p) munmap(p, bytes);
}

/* ---- beside the instruments ---- */

static uint64_t
deepen_bytes(const md_feed_t *f) {
  return f->cfg.instrument_max * sizeof(md_feed_deepen_t);
}

static uint64_t
canary_bytes(const md_feed_t *f) {
  return (uint64_t)f->cfg.instrument_max * MD_FEED_CANARY_CNT * sizeof(md_feed_canary_t);
}

static uint64_t
bar_bytes(const md_feed_t *f) {
  return (uint64_t)f->cfg.instrument_max * MD_FEED_INTERVAL_CNT_MAX * sizeof(md_kline_t);
}

bool
md_feed_asides_new(md_feed_t *f) {
  md_feed_asides_t *a = &f->asides;
  a->deepen           = md_feed_reserve(deepen_bytes(f));
  a->canary           = md_feed_reserve(canary_bytes(f));
  a->bar              = md_feed_reserve(bar_bytes(f));
  return a->deepen && a->canary && a->bar;
}

void
md_feed_asides_delete(md_feed_t *f) {
  md_feed_release(f->asides.deepen, deepen_bytes(f));
  md_feed_release(f->asides.canary, canary_bytes(f));
  md_feed_release(f->asides.bar, bar_bytes(f));
}

void
md_feed_aside_canary(md_feed_t *f, md_feed_instrument_t *i) {
  i->canary = &f->asides.canary[(uint64_t)i->index * MD_FEED_CANARY_CNT];
  f->asides.used_bytes += MD_FEED_CANARY_CNT * sizeof *i->canary;
}

void
md_feed_aside_deepen(md_feed_t *f, md_feed_instrument_t *i) {
  if (i->deepen) return;
  i->deepen = &f->asides.deepen[i->index];
  f->asides.used_bytes += sizeof *i->deepen;
  md_orderbook_init(&i->deepen->book, f->level_pool);
  md_sync_queue_init(&i->deepen->queue, f->sync_pool);
}

md_kline_t *
md_feed_aside_bar(const md_feed_t *f, const md_feed_instrument_t *i, uint32_t n) {
  return &f->asides.bar[(uint64_t)n * f->cfg.instrument_max + i->index];
}

/* ---- all of it ---- */

uint64_t
md_feed_memory(const md_feed_t *f) {
  return md_level_pool_touched(f->level_pool) + md_sync_pool_touched(f->sync_pool) +
         md_feed_symbols_bytes(f->symbols) + f->instrument_cnt * sizeof *f->instruments +
         f->asides.used_bytes + f->cfg.venue->state_bytes;
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
