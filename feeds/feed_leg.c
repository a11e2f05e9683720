/* Books that follow one connection. How a venue cuts its updates may differ from connection to
 * connection, so those of another one are never mixed in: they wait, and when the first connection
 * goes they continue the book where its ids say that nothing is between. */
#include "feeds/feed_parts.h"

bool
md_feed_leg_is_other(const md_feed_t *f, const md_feed_instrument_t *i) {
  return f->rule->follows_one_leg && i->leg != MD_LEG_NONE && i->leg != f->leg;
}

/* Messages without ids are put in order by their times, and their checksum tells what is right. Ids
 * of both sides of a new beginning are not compared: it tells what is older. */
static bool
is_older(const md_feed_instrument_t *i, const md_sync_pending_t *p) {
  if (p->ids.last == 0 && i->exch_seq == 0) return p->ts_exch_ns < i->ts_exch_ns;
  if (p->era != i->era) return (int8_t)(uint8_t)(p->era - i->era) < 0;
  return p->ids.last <= i->exch_seq;
}

void
md_feed_leg_snapshot(md_feed_t *f, md_feed_instrument_t *i) {
  if (i->next_leg != MD_LEG_NONE && i->next_leg != f->leg) return;
  md_sync_queue_clear(&i->queue);
  i->next_leg = f->leg;
  i->next_era = i->era;
}

void
md_feed_leg_update(md_feed_t *f, md_feed_instrument_t *i, const md_feed_delta_t *delta,
                   const md_feed_levels_t *levels) {
  const md_sync_pending_t *p;
  if (i->state != MD_BOOK_VALID || i->next_leg != f->leg) {
    md_count(f->metrics, MD_COUNTER_DUPLICATES, 1);
    return;
  }
  if (md_sync_begins_anew(delta->ids)) i->next_era++;
  while ((p = md_sync_queue_peek(&i->queue)) != NULL && is_older(i, p)) {
    md_count(f->metrics, MD_COUNTER_DUPLICATES, 1);
    md_sync_queue_pop(&i->queue);
  }
  md_sync_pending_t head     = md_feed_pending_of(i, delta, levels);
  head.era                   = i->next_era;
  const uint64_t dropped_cnt = i->queue.dropped_cnt;
  md_err_t       err =
      md_sync_queue_push(&i->queue, f->cfg.sync_queue_bytes, &head, levels->bids, levels->asks);
  if (!err && i->queue.dropped_cnt == dropped_cnt) return;
  md_sync_queue_clear(&i->queue); /* with a hole it is of no use */
  i->next_leg = MD_LEG_NONE;
}

/* The updates that waited. Without ids only the last of them can have the checksum of the book,
 * which has later levels than the first ones say. */
static void
take_over(md_feed_t *f, md_feed_instrument_t *i) {
  const md_sync_pending_t *p;
  bool                     is_changed = false;
  i->leg                              = i->next_leg;
  i->next_leg                         = MD_LEG_NONE;
  i->is_handover                      = true;
  if (i->queue.cnt > 0) md_feed_deepen_stop(i); /* these pass its queue by */
  while (i->state == MD_BOOK_VALID && (p = md_sync_queue_peek(&i->queue)) != NULL) {
    md_feed_levels_t  levels;
    md_feed_delta_t   delta   = md_feed_delta_of(p);
    bool              is_late = is_older(i, p);
    md_sync_verdict_t verdict = is_late ? MD_SYNC_DROP : md_feed_book_verdict(f, i, &p->ids);
    if (p->ids.last == 0 && i->queue.cnt > 1) delta.has_checksum = false;
    if (verdict == MD_SYNC_GAP) {
      md_feed_book_break(f, i, MD_REASON_SEQUENCE, p->ids.first);
      break;
    }
    if (verdict != MD_SYNC_DROP) {
      md_err_t err = md_feed_book_pending(f, i, p, &levels);
      if (!err) err = md_feed_book_apply(f, i, &delta, &levels);
      if (err) md_feed_book_refused(f, i, err, p->ids.first);
      is_changed |= !err;
    }
    md_sync_queue_pop(&i->queue);
  }
  if (i->state == MD_BOOK_VALID && is_changed) md_feed_shm_all(f, i);
}

bool
md_feed_leg_lost(md_feed_t *f, md_feed_instrument_t *i, uint8_t leg) {
  if (leg == MD_LEG_NONE || i->state != MD_BOOK_VALID) return false;
  if (i->next_leg == leg) {
    md_sync_queue_clear(&i->queue);
    i->next_leg = MD_LEG_NONE;
    return i->leg != leg;
  }
  if (i->leg != leg || i->next_leg == MD_LEG_NONE) return false;
  take_over(f, i);
  return true;
}

void
md_feed_legs_retire(md_feed_t *f, uint8_t leg) {
  for (uint32_t n = 0; n < f->instrument_cnt; n++) {
    md_feed_instrument_t *i = &f->instruments[n];
    if (i->leg != leg) continue;
    if (i->state == MD_BOOK_VALID)
      take_over(f, i);
    else
      i->leg = MD_LEG_NONE;
  }
}
