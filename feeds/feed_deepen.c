/* More of a VALID book becomes known. Its updates are kept from the moment that a deeper snapshot
 * is asked for. Once the snapshot is here and the stream has reached its id, the updates behind it
 * are applied to it in a book of its own, which must then say the same as the live one wherever
 * both are known. What lies beyond is added to the live book; it never stops being VALID. */
#include "feeds/feed_parts.h"

#include <string.h>

#define KEEP_BYTES_MAX (4ull << 20)  /* of updates; no book that has none may lack memory */
#define KEEP_NS_MAX    30000000000ll /* without a snapshot */

void
md_feed_tell_depth(md_feed_t *f, const md_feed_instrument_t *i) {
  bool is_cut = i->trusted_bid != MD_NULL_I64 || i->trusted_ask != MD_NULL_I64;
  if (!f->cfg.tell_depth) return;
  const uint32_t limit = is_cut ? i->snapshot_limit : 0;
  f->cfg.tell_depth(f->cfg.request_ctx, i->symbol, limit, md_feed_known_left(i, limit));
}

void
md_feed_deepen_stop(md_feed_instrument_t *i) {
  if (!i->is_deepening) return;
  md_orderbook_clear(&i->deepen->book);
  md_sync_queue_clear(&i->deepen->queue);
  i->is_deepening         = false;
  i->deepen->has_snapshot = false;
}

static void
give_up(md_feed_t *f, md_feed_instrument_t *i) {
  md_count(f->metrics, MD_COUNTER_DEEPEN_RETRIES, 1);
  md_feed_deepen_stop(i);
  md_feed_tell_depth(f, i);
}

void
md_feed_deepen_begin(md_feed_t *f, md_feed_instrument_t *i) {
  if (i->state != MD_BOOK_VALID) return;
  if (i->trusted_bid == MD_NULL_I64 && i->trusted_ask == MD_NULL_I64) {
    md_feed_tell_depth(f, i);
    return;
  }
  md_feed_aside_deepen(f, i);
  if (!i->is_deepening) i->deepen->begin_seq = i->exch_seq;
  i->is_deepening     = true; /* what is kept already is of use for the next answer too */
  i->deepen->begin_ns = f->recv_ns;
}

/* ---- one side of both books ---- */

typedef enum verdict { SAME, DIFFERENT, NO_ROOM } verdict_t;

/* The levels of both, best first; known_cnt of them stand within the edge. */
typedef struct merged {
  md_level_t *levels;
  uint32_t    cnt, known_cnt;
  int64_t     edge; /* of both together; MD_NULL_I64: the whole side is known */
} merged_t;

/* Grows towards the best. */
static int64_t
key_of(md_side_t side, int64_t px) {
  return side == MD_SIDE_BUY ? px : ~px;
}

static bool
is_within(md_side_t side, int64_t edge, int64_t px) {
  return edge == MD_NULL_I64 || key_of(side, px) >= key_of(side, edge);
}

static int64_t
farther(md_side_t side, int64_t a, int64_t b) {
  if (a == MD_NULL_I64 || b == MD_NULL_I64) return MD_NULL_I64;
  return key_of(side, a) < key_of(side, b) ? a : b;
}

/* A level that only one of them has must lie where the other is not known. Quantities are the same
 * everywhere: what lies beyond an edge was changed by updates that both saw, or is in one of them
 * only. */
static verdict_t
merge_side(const md_feed_instrument_t *i, md_side_t side, merged_t *m) {
  const md_feed_deepen_t *d        = i->deepen;
  const int64_t           old_edge = side == MD_SIDE_BUY ? i->trusted_bid : i->trusted_ask;
  const int64_t           new_edge = side == MD_SIDE_BUY ? d->trusted_bid : d->trusted_ask;
  md_level_t              was, is;
  uint32_t                was_off = 0, is_off = 0;
  m->cnt = m->known_cnt = 0;
  m->edge               = farther(side, old_edge, new_edge);
  for (;;) {
    bool has_was = md_orderbook_at(&i->book, side, was_off, &was);
    bool has_is  = md_orderbook_at(&d->book, side, is_off, &is);
    if (!has_was && !has_is) return SAME;
    if (m->cnt == MD_BOOK_LEVELS_MAX) return NO_ROOM;
    bool takes_was = has_was && (!has_is || key_of(side, was.px) >= key_of(side, is.px));
    bool takes_is  = has_is && (!has_was || key_of(side, is.px) >= key_of(side, was.px));
    if (takes_was && takes_is && was.qty != is.qty) return DIFFERENT;
    if (takes_was && !takes_is && is_within(side, new_edge, was.px)) return DIFFERENT;
    if (takes_is && !takes_was && is_within(side, old_edge, is.px)) return DIFFERENT;
    m->levels[m->cnt] = takes_was ? was : is;
    m->known_cnt += is_within(side, m->edge, m->levels[m->cnt].px);
    m->cnt++;
    was_off += takes_was;
    is_off += takes_is;
  }
}

/* ---- both sides ---- */

/* So many levels a side are surely known, 0: all. A side that is known as a whole may have more:
 * the record says less than shared memory and checkpoints, which name each side's edge. */
static uint32_t
known_levels(const merged_t *bids, const merged_t *asks) {
  uint32_t cnt = UINT32_MAX;
  if (bids->edge != MD_NULL_I64) cnt = bids->known_cnt;
  if (asks->edge != MD_NULL_I64 && asks->known_cnt < cnt) cnt = asks->known_cnt;
  return cnt == UINT32_MAX ? 0 : cnt;
}

static void
publish(md_feed_t *f, md_feed_instrument_t *i, const merged_t *bids, const merged_t *asks) {
  md_feed_deepen_t        *d    = i->deepen;
  const md_orderbook_t     was  = i->book;
  const md_feed_snapshot_t said = {.exch_seq   = i->exch_seq,
                                   .ts_exch_ns = MD_NULL_I64,
                                   .ts_recv_ns = d->recv_ns,
                                   .raw_lo     = d->raw_lo,
                                   .limit      = known_levels(bids, asks),
                                   .flags      = (uint16_t)(d->flags | i->book_flags),
                                   .leg        = MD_LEG_NONE};
  i->book                       = d->book;
  d->book                       = was; /* given back when all is over */
  i->trusted_bid                = bids->edge;
  i->trusted_ask                = asks->edge;
  md_feed_out_book(f, i, &said);
  md_feed_shm_all(f, i);
  md_count(f->metrics, MD_COUNTER_DEEPENED, 1);
}

static verdict_t
merge(md_feed_instrument_t *i, merged_t *bids, merged_t *asks) {
  md_feed_deepen_t *d       = i->deepen;
  verdict_t         verdict = merge_side(i, MD_SIDE_BUY, bids);
  if (verdict == SAME) verdict = merge_side(i, MD_SIDE_SELL, asks);
  if (verdict != SAME) return verdict;
  bool is_empty = (bids->edge != MD_NULL_I64 && bids->known_cnt == 0) ||
                  (asks->edge != MD_NULL_I64 && asks->known_cnt == 0);
  if (is_empty || md_orderbook_load(&d->book, MD_SIDE_BUY, bids->levels, bids->cnt) ||
      md_orderbook_load(&d->book, MD_SIDE_SELL, asks->levels, asks->cnt))
    return NO_ROOM;
  return SAME;
}

static void
conclude(md_feed_t *f, md_feed_instrument_t *i) {
  merged_t bids = {.levels = f->bids}, asks = {.levels = f->asks};
  switch (merge(i, &bids, &asks)) {
  case DIFFERENT:
    md_count(f->metrics, MD_COUNTER_CANARY_MISMATCHES, 1);
    md_feed_book_break(f, i, MD_REASON_CANARY, i->exch_seq);
    return;
  case NO_ROOM:
    give_up(f, i);
    return;
  case SAME:
    break;
  }
  i->snapshot_limit = i->deepen->limit;
  if (bids.edge != i->trusted_bid || asks.edge != i->trusted_ask) publish(f, i, &bids, &asks);
  md_feed_known_begin(f, i);
  md_feed_deepen_stop(i);
  md_feed_tell_depth(f, i);
}

/* ---- snapshot and updates ---- */

/* The exponents may have become smaller since the snapshot came. */
static md_err_t
follow_exponents(md_feed_instrument_t *i) {
  md_feed_deepen_t *d   = i->deepen;
  md_err_t          err = md_rescale_i64(&d->trusted_bid, d->px_exp, i->px_exp);
  if (!err) err = md_rescale_i64(&d->trusted_ask, d->px_exp, i->px_exp);
  if (!err) err = md_orderbook_rescale(&d->book, d->px_exp, i->px_exp, d->qty_exp, i->qty_exp);
  d->px_exp  = i->px_exp;
  d->qty_exp = i->qty_exp;
  return err;
}

static md_err_t
apply_side(md_orderbook_t *b, md_side_t side, const md_level_t *levels, uint32_t cnt) {
  bool     was_absent;
  md_err_t err = MD_OK;
  for (uint32_t n = 0; n < cnt && !err; n++)
    err = md_orderbook_set(b, side, levels[n].px, levels[n].qty, &was_absent);
  return err;
}

/* Applies what is kept; there is no hole in it, for the book is VALID. */
static md_err_t
apply_kept(md_feed_t *f, md_feed_instrument_t *i) {
  md_feed_deepen_t        *d   = i->deepen;
  md_err_t                 err = follow_exponents(i);
  const md_sync_pending_t *p;
  while (!err && (p = md_sync_queue_peek(&d->queue)) != NULL) {
    md_feed_levels_t levels;
    err = md_feed_book_pending(f, i, p, &levels);
    if (!err) err = apply_side(&d->book, MD_SIDE_BUY, levels.bids, levels.bid_cnt);
    if (!err) err = apply_side(&d->book, MD_SIDE_SELL, levels.asks, levels.ask_cnt);
    md_sync_queue_pop(&d->queue);
  }
  return err;
}

/* Drops what the snapshot holds. MD_OK: the oldest update left continues it, or none is needed;
 * MD_ERR_EMPTY: the stream has not reached it yet; MD_ERR_ABSENT: an update is missing between. The
 * ids of some venues do not tell that an update before the first one is missing: all that came
 * since begin_seq is kept, so a snapshot from there on misses nothing. */
static md_err_t
align(md_feed_t *f, md_feed_instrument_t *i) {
  md_feed_deepen_t        *d = i->deepen;
  const md_sync_pending_t *p;
  if (d->id < d->begin_seq) return MD_ERR_ABSENT;
  while ((p = md_sync_queue_peek(&d->queue)) != NULL) {
    md_sync_verdict_t verdict = f->rule->first(d->id, &p->ids);
    if (verdict == MD_SYNC_GAP) return MD_ERR_ABSENT;
    if (verdict != MD_SYNC_DROP) return MD_OK;
    md_sync_queue_pop(&d->queue);
  }
  if (i->exch_seq == d->id) return MD_OK;
  return i->exch_seq < d->id ? MD_ERR_EMPTY : MD_ERR_ABSENT;
}

static void
try_deepen(md_feed_t *f, md_feed_instrument_t *i) {
  md_err_t err = align(f, i);
  if (err == MD_ERR_EMPTY) return;
  if (!err) err = apply_kept(f, i);
  if (err)
    give_up(f, i);
  else
    conclude(f, i);
}

/* A frame that waited in the socket is older than the request that stands before it. */
void
md_feed_deepen_update(md_feed_t *f, md_feed_instrument_t *i, const md_feed_delta_t *delta,
                      const md_feed_levels_t *levels) {
  md_feed_deepen_t *d      = i->deepen;
  int64_t           age_ns = f->recv_ns - d->begin_ns;
  uint64_t          max_bytes =
      f->cfg.sync_queue_bytes < KEEP_BYTES_MAX ? f->cfg.sync_queue_bytes : KEEP_BYTES_MAX;
  bool is_late = !d->has_snapshot && (age_ns < -KEEP_NS_MAX || age_ns > KEEP_NS_MAX);
  const md_sync_pending_t head = md_feed_pending_of(i, delta, levels);
  if (is_late || md_sync_queue_push(&d->queue, max_bytes, &head, levels->bids, levels->asks) ||
      d->queue.dropped_cnt > 0) {
    give_up(f, i);
    return;
  }
  if (d->has_snapshot) try_deepen(f, i);
}

void
md_feed_deepen_snapshot(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event,
                        uint32_t limit, const md_feed_levels_t *levels) {
  md_feed_deepen_t *d     = i->deepen;
  const uint32_t    known = i->snapshot_limit;
  if (limit != 0 && limit <= known && md_feed_known_left(i, known) == known)
    return; /* asked for before: nothing new */
  md_err_t err = md_orderbook_load(&d->book, MD_SIDE_BUY, levels->bids, levels->bid_cnt);
  if (!err) err = md_orderbook_load(&d->book, MD_SIDE_SELL, levels->asks, levels->ask_cnt);
  if (err) {
    give_up(f, i);
    return;
  }
  d->has_snapshot = true;
  d->id           = event->exch_seq;
  d->limit        = limit;
  d->flags        = event->flags;
  d->raw_lo       = f->raw_lo;
  d->recv_ns      = f->recv_ns;
  d->px_exp       = i->px_exp;
  d->qty_exp      = i->qty_exp;
  d->trusted_bid  = md_feed_edge(&d->book, MD_SIDE_BUY, limit);
  d->trusted_ask  = md_feed_edge(&d->book, MD_SIDE_SELL, limit);
  try_deepen(f, i);
}
