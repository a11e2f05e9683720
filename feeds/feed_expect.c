/* Memory of messages that come soon. With many instruments each message meets a hundred cache lines
 * that nobody used for long. Where they are is known only step by step, each from lines that the
 * step before asked for; so every frame that is shown goes one step with each message in front of
 * it, and nobody waits. */
#include "feeds/feed_parts.h"

/* The books of so few instruments stay in the caches by themselves. */
#define FEW_CNT 16u

#define LINE_BYTES 64u

static void
ask(const void *from, size_t bytes) {
  for (size_t off = 0; off < bytes; off += LINE_BYTES)
    md_prefetch((const uint8_t *)from + off);
}

static void
ask_own(const md_feed_instrument_t *i) {
  md_orderbook_prefetch(&i->book, i->places.is_known ? i->places.px : NULL);
}

/* Asked for a moment ago: a frame before this one was of the same book. */
static bool
is_near(const md_feed_t *f, const md_feed_instrument_t *i) {
  bool is_near = false;
  for (uint32_t n = 0; n < MD_CNT(f->ahead); n++)
    is_near |= f->ahead[n].i == i && f->ahead[n].step >= MD_FEED_AHEAD_MAX;
  return is_near;
}

static void
step(md_feed_t *f, md_feed_ahead_t *a) {
  switch (++a->step) {
  case 1: /* where its name stands */
    a->hash = md_feed_symbol_hash(a->peek.symbol, a->peek.len);
    md_feed_symbols_prefetch(f->symbols, a->hash);
    return;
  case 2: { /* the instrument, by its hash alone */
    const uint32_t index = md_feed_symbols_guess(f->symbols, a->hash);
    if (index == UINT32_MAX) break;
    a->i = &f->instruments[index];
    if (is_near(f, a->i)) break;
    ask(a->i, a->peek.is_book ? MD_FEED_HOT_BYTES : MD_FEED_WARM_BYTES);
    return;
  }
  case 3: /* its own book */
    a->i = md_feed_lookup_hashed(f, a->hash, a->peek.symbol, a->peek.len);
    if (!a->peek.is_book) a->i = NULL; /* nothing of its book was asked for */
    if (!a->i) break;
    ask_own(a->i);
    if (!a->i->shm) break;
    return;
  case 4: /* the live one */
    md_book_prefetch_levels(a->i->shm, &a->i->places);
    return;
  case 5:
    md_book_prefetch(a->i->shm, &a->i->places);
    return;
  default:
    break;
  }
  a->step = MD_FEED_AHEAD_MAX;
}

/* The n-th of the last `ahead` frames goes as far as it should be in front of this message. */
static void
advance(md_feed_t *f, uint32_t n, uint32_t ahead) {
  md_feed_ahead_t *a = &f->ahead[(f->ahead_cnt - ahead + n) % MD_CNT(f->ahead)];
  while (a->step < MD_FEED_AHEAD_MAX - n)
    step(f, a);
}

/* A processor has some two dozen places for lines that are on their way: what is asked for in one
 * piece waits for them. So only the next frame goes on here, the others while this one is read. */
void
md_feed_expect_next(md_feed_t *f, const uint8_t *payload, uint32_t len, uint32_t ahead) {
  md_assert(ahead > 0 && ahead <= MD_FEED_AHEAD_MAX);
  f->shown |= (uint32_t)(payload != NULL) << ahead;
  if (f->instrument_cnt <= FEW_CNT || !f->cfg.venue->peek) return;
  for (uint32_t n = 1; n < MD_FEED_AHEAD_MAX; n++)
    advance(f, n, MD_FEED_AHEAD_MAX); /* what the message before did not do */
  md_feed_ahead_t *last = &f->ahead[f->ahead_cnt++ % MD_CNT(f->ahead)];
  last->i               = NULL;
  last->step = payload && f->cfg.venue->peek(payload, len, &last->peek) ? 0 : MD_FEED_AHEAD_MAX;
  for (uint32_t n = 0; n < (ahead == MD_FEED_AHEAD_MAX ? 1 : ahead); n++)
    advance(f, n, ahead);
}

void
md_feed_look_ahead(md_feed_t *f, const md_source_t *source) {
  const uint8_t *payload = NULL;
  uint32_t       len = 0, ahead, cnt = 0;
  /* Of few instruments all that matters is whose clock reading counts, and for whom. */
  if (!source->ahead || (f->instrument_cnt <= FEW_CNT && !f->metrics)) return;
  while (source->ahead(source->ctx, MD_FEED_AHEAD_MAX, &payload, &len, &ahead)) {
    md_feed_expect_next(f, payload, len, ahead);
    cnt++;
  }
  if (cnt == 0) md_feed_expect_next(f, NULL, 0, MD_FEED_AHEAD_MAX);
}

void
md_feed_expect(md_feed_t *f, const md_feed_instrument_t *i) {
  if (i != f->near && !is_near(f, i)) {
    if (i->shm) md_book_prefetch_levels(i->shm, &i->places);
    if (i->shm) md_book_prefetch(i->shm, &i->places);
    ask_own(i);
  }
  f->near = i;
  if (f->instrument_cnt > FEW_CNT) advance(f, 1, MD_FEED_AHEAD_MAX);
}

void
md_feed_expect_more(md_feed_t *f, const md_feed_instrument_t *i) {
  if (i->shm) md_book_prefetch_slots(i->shm); /* in the caches: in a reader's too */
  for (uint32_t n = 2; n < MD_FEED_AHEAD_MAX && f->instrument_cnt > FEW_CNT; n++)
    advance(f, n, MD_FEED_AHEAD_MAX);
}

void
md_feed_expect_places(md_feed_t *f, md_feed_instrument_t *i) {
  if (f->instrument_cnt > FEW_CNT) md_book_places(i->shm, &i->places);
}
