/* The state machine of a book: what an update, a snapshot or a lost connection does to it. */
#include "feeds/feed_parts.h"
#include "feeds/rule.h"

#include <string.h>

static void
request_snapshot(md_feed_t *f, const md_feed_instrument_t *i) {
  if (f->cfg.request_snapshot) f->cfg.request_snapshot(f->cfg.request_ctx, i->id, i->symbol);
}

/* STATUS, gauges and, but for a book that becomes VALID and is written whole, shared memory. */
static void
set_state(md_feed_t *f, md_feed_instrument_t *i, md_book_state_t after, md_reason_t reason) {
  md_feed_out_status(f, i, i->state, after, reason);
  f->books_known += i->state == MD_BOOK_EMPTY;
  f->books_valid += after == MD_BOOK_VALID;
  f->books_valid -= i->state == MD_BOOK_VALID;
  i->state  = (uint8_t)after;
  i->reason = (uint8_t)reason;
  md_gauge(f->metrics, MD_COUNTER_BOOKS_KNOWN, f->books_known);
  md_gauge(f->metrics, MD_COUNTER_BOOKS_VALID, f->books_valid);
  if (after != MD_BOOK_VALID) md_feed_shm_state(f, i);
}

/* A book that nothing is known of, or whose connection was lost, begins again. */
static void
begin_syncing(md_feed_t *f, md_feed_instrument_t *i) {
  bool lost = i->state == MD_BOOK_STALE &&
              (i->reason == MD_REASON_DISCONNECT || i->reason == MD_REASON_DELISTED);
  if (i->state != MD_BOOK_EMPTY && !lost) return;
  if (i->before.book != MD_NULL_U64) {
    md_feed_out_gap_of(f, i, MD_RECORD_BOOK_DELTA, i->before.book, MD_NULL_U64, MD_REASON_RESTART);
    i->before.book = MD_NULL_U64;
  }
  set_state(f, i, MD_BOOK_SYNCING, MD_REASON_NONE);
  if (!i->has_snapshot) request_snapshot(f, i);
}

static void
become_stale(md_feed_t *f, md_feed_instrument_t *i, md_reason_t reason) {
  if (i->state != MD_BOOK_STALE || i->reason != reason) set_state(f, i, MD_BOOK_STALE, reason);
  md_feed_deepen_stop(i);
  if (i->next_leg != MD_LEG_NONE) { /* what waits is another connection's */
    md_sync_queue_clear(&i->queue);
    i->next_leg = MD_LEG_NONE;
  }
  i->has_snapshot    = false;
  i->canary_miss_cnt = 0;
  md_feed_canary_forget(i);
}

void
md_feed_book_break(md_feed_t *f, md_feed_instrument_t *i, md_reason_t reason, uint64_t seen) {
  if (i->state != MD_BOOK_VALID) return;
  md_feed_out_gap(f, i, seen, 0, reason);
  become_stale(f, i, reason);
  request_snapshot(f, i);
}

/* ---- applying ---- */

static bool
side_is_sane(const md_level_t *levels, uint32_t cnt) {
  int64_t sign = 0;
  for (uint32_t n = 0; n < cnt; n++)
    sign |= levels[n].qty;
  return sign >= 0;
}

static bool
levels_are_sane(const md_feed_levels_t *l) {
  if (MD_LIKELY(l->is_checked)) return true;
  return side_is_sane(l->bids, l->bid_cnt) && side_is_sane(l->asks, l->ask_cnt);
}

static bool
checksum_differs(md_feed_t *f, const md_feed_instrument_t *i, bool has_checksum,
                 uint32_t checksum) {
  if (!MD_RULE(OKX_CHECKSUM) || !has_checksum || !f->cfg.venue->checksum_ok) return false;
  bool is_ok = f->cfg.venue->checksum_ok(f, i, checksum);
  md_count(f->metrics, is_ok ? MD_COUNTER_CHECKSUM_MATCHES : MD_COUNTER_CHECKSUM_MISMATCHES, 1);
  return !is_ok;
}

md_err_t
md_feed_book_apply(md_feed_t *f, md_feed_instrument_t *i, md_feed_delta_t *delta,
                   const md_feed_levels_t *levels) {
  md_book_applied_t did = {.changes = f->changes};
  md_err_t err = md_orderbook_apply(&i->book, MD_SIDE_BUY, levels->bids, levels->bid_cnt, &did);
  if (!err) err = md_orderbook_apply(&i->book, MD_SIDE_SELL, levels->asks, levels->ask_cnt, &did);
  f->change_cnt = did.change_cnt;
  if (did.absent_cnt) md_count(f->metrics, MD_COUNTER_ABSENT_DELETES, did.absent_cnt);
  if (MD_UNLIKELY(err)) return err;
  if (checksum_differs(f, i, delta->has_checksum, delta->checksum)) return MD_ERR_CORRUPT;
  i->exch_seq   = delta->ids->last;
  i->ts_exch_ns = delta->ts_exch_ns;
  i->ts_recv_ns = delta->ts_recv_ns;
  i->book_flags = 0;
  if (MD_UNLIKELY(md_orderbook_crossed(&i->book))) {
    i->book_flags = MD_FLAG_CROSSED;
    md_count(f->metrics, MD_COUNTER_CROSSED, 1);
  }
  delta->flags = (uint16_t)(delta->flags | i->book_flags | (i->resync ? MD_FLAG_RESYNC : 0));
  i->resync    = false;
  md_feed_out_delta(f, i, delta, levels);
  return MD_OK;
}

/* ---- waiting ---- */

/* Tells of updates that found no room: of the first at once, of the others when `all` is true. */
static void
declare_missed(md_feed_t *f, md_feed_instrument_t *i, bool all) {
  if (i->missed_cnt == 0 || (i->missed_declared && !all)) return;
  const md_sync_pending_t *oldest = md_sync_queue_peek(&i->queue);
  md_feed_out_gap(f, i, oldest ? oldest->ids.first : MD_NULL_U64, i->missed_cnt,
                  MD_REASON_SYNC_BUFFER);
  i->missed_cnt      = 0;
  i->missed_declared = true;
}

md_sync_pending_t
md_feed_pending_of(const md_feed_instrument_t *i, const md_feed_delta_t *delta,
                   const md_feed_levels_t *levels) {
  return (md_sync_pending_t){.ids          = *delta->ids,
                             .ts_exch_ns   = delta->ts_exch_ns,
                             .ts_recv_ns   = delta->ts_recv_ns,
                             .raw_lo       = delta->raw_lo,
                             .bid_cnt      = levels->bid_cnt,
                             .ask_cnt      = levels->ask_cnt,
                             .px_exp       = i->px_exp,
                             .qty_exp      = i->qty_exp,
                             .leg          = delta->leg,
                             .flags        = delta->flags,
                             .has_checksum = delta->has_checksum,
                             .checksum     = delta->checksum,
                             .match_lag_us = delta->match_lag_us};
}

md_feed_delta_t
md_feed_delta_of(const md_sync_pending_t *p) {
  return (md_feed_delta_t){.ids          = &p->ids,
                           .ts_exch_ns   = p->ts_exch_ns,
                           .ts_recv_ns   = p->ts_recv_ns,
                           .raw_lo       = p->raw_lo,
                           .flags        = p->flags,
                           .leg          = p->leg,
                           .has_checksum = p->has_checksum,
                           .checksum     = p->checksum,
                           .match_lag_us = p->match_lag_us};
}

static void
push(md_feed_t *f, md_feed_instrument_t *i, const md_feed_delta_t *delta,
     const md_feed_levels_t *levels) {
  const md_sync_pending_t head        = md_feed_pending_of(i, delta, levels);
  uint64_t                dropped_cnt = i->queue.dropped_cnt;
  md_err_t                err =
      md_sync_queue_push(&i->queue, f->cfg.sync_queue_bytes, &head, levels->bids, levels->asks);
  if (MD_RULE(MISSED)) i->missed_cnt += i->queue.dropped_cnt - dropped_cnt;
  if (err) {
    i->missed_cnt += i->queue.cnt + 1u; /* what stands before a hole is of no use */
    md_sync_queue_clear(&i->queue);
  }
  declare_missed(f, i, false);
}

md_err_t
md_feed_book_pending(md_feed_t *f, const md_feed_instrument_t *i, const md_sync_pending_t *p,
                     md_feed_levels_t *out) {
  const md_level_t *levels = (const void *)(p + 1);
  *out                     = (md_feed_levels_t){
                          .bids = levels, .asks = levels + p->bid_cnt, .bid_cnt = p->bid_cnt, .ask_cnt = p->ask_cnt};
  if (p->px_exp == i->px_exp && p->qty_exp == i->qty_exp) return MD_OK;
  memcpy(f->bids, out->bids, p->bid_cnt * sizeof *f->bids);
  memcpy(f->asks, out->asks, p->ask_cnt * sizeof *f->asks);
  out->bids    = f->bids;
  out->asks    = f->asks;
  md_err_t err = MD_OK;
  for (uint32_t n = 0; n < p->bid_cnt + p->ask_cnt && !err; n++) {
    md_level_t *level = n < p->bid_cnt ? &f->bids[n] : &f->asks[n - p->bid_cnt];
    err               = md_rescale_i64(&level->px, p->px_exp, i->px_exp);
    if (!err) err = md_rescale_i64(&level->qty, p->qty_exp, i->qty_exp);
  }
  return err;
}

/* Drops what is older than the snapshot. True when the oldest update left continues it, or when
 * nothing is left and one that was dropped is the very one that the snapshot ends with: then the
 * stream stands where the snapshot does, and a thin book need not wait for its next update. A
 * snapshot that is too old is forgotten, the buffer kept for the next one. */
static bool
snapshot_aligns(md_feed_t *f, md_feed_instrument_t *i) {
  const md_sync_pending_t *p;
  bool                     is_reached = false;
  while ((p = md_sync_queue_peek(&i->queue)) != NULL) {
    switch (f->rule->first(i->snapshot_id, &p->ids)) {
    case MD_SYNC_DROP:
      is_reached |= p->ids.last == i->snapshot_id;
      md_sync_queue_pop(&i->queue);
      break;
    case MD_SYNC_GAP:
      i->has_snapshot = false;
      request_snapshot(f, i);
      return false;
    case MD_SYNC_APPLY:
    case MD_SYNC_OVERLAP:
      return true;
    }
  }
  return is_reached;
}

md_sync_verdict_t
md_feed_book_verdict(md_feed_t *f, md_feed_instrument_t *i, const md_update_ids_t *ids) {
  md_sync_verdict_t verdict =
      i->is_handover ? f->rule->first(i->exch_seq, ids) : f->rule->next(i->exch_seq, ids);
  if (verdict == MD_SYNC_APPLY || verdict == MD_SYNC_OVERLAP) i->is_handover = false;
  if (verdict == MD_SYNC_APPLY && md_sync_begins_anew(ids)) i->era++;
  if (verdict == MD_SYNC_OVERLAP) md_count(f->metrics, MD_COUNTER_OVERLAPS, 1);
  if (verdict == MD_SYNC_DROP) md_count(f->metrics, MD_COUNTER_DUPLICATES, 1);
  return verdict;
}

/* Applies the waiting updates behind the snapshot. Returns why it stopped before the end. */
static md_reason_t
drain(md_feed_t *f, md_feed_instrument_t *i) {
  const md_sync_pending_t *p;
  for (bool first = true; (p = md_sync_queue_peek(&i->queue)) != NULL; first = false) {
    md_feed_levels_t  levels;
    md_sync_verdict_t verdict = first ? MD_SYNC_APPLY : md_feed_book_verdict(f, i, &p->ids);
    if (verdict == MD_SYNC_GAP) return MD_REASON_SEQUENCE;
    if (verdict != MD_SYNC_DROP) {
      md_feed_delta_t delta = md_feed_delta_of(p);
      md_err_t        err   = md_feed_book_pending(f, i, p, &levels);
      if (!err) err = md_feed_book_apply(f, i, &delta, &levels);
      if (err) return err == MD_ERR_CORRUPT ? MD_REASON_CHECKSUM : MD_REASON_OVERFLOW;
    }
    md_sync_queue_pop(&i->queue);
  }
  return MD_REASON_NONE;
}

/* The buffer has a hole behind the snapshot, or a level found no room: what is left waits for the
 * next snapshot. */
static void
sync_failed(md_feed_t *f, md_feed_instrument_t *i, md_reason_t reason) {
  const md_sync_pending_t *p          = md_sync_queue_peek(&i->queue);
  bool                     is_refused = reason != MD_REASON_SEQUENCE;
  if (reason == MD_REASON_OVERFLOW) md_count(f->metrics, MD_COUNTER_OVERFLOWS, 1);
  if (is_refused) md_orderbook_clear(&i->book);
  md_feed_out_gap(f, i, p ? p->ids.first : MD_NULL_U64, 0, reason);
  if (is_refused && p) md_sync_queue_pop(&i->queue);
  become_stale(f, i, reason);
  request_snapshot(f, i);
}

/* The snapshot becomes the book. */
static void
use_snapshot(md_feed_t *f, md_feed_instrument_t *i) {
  md_feed_deepen_stop(i);
  i->has_snapshot = false;
  i->is_handover  = false;
  i->resync       = true;
  i->exch_seq     = i->snapshot_id;
  i->book_flags   = md_orderbook_crossed(&i->book) ? MD_FLAG_CROSSED : 0;
  i->crossed_ns   = 0;
  i->gen++;
  md_feed_out_snapshot(f, i);
}

static void
try_sync(md_feed_t *f, md_feed_instrument_t *i) {
  if (!i->has_snapshot || !snapshot_aligns(f, i)) return;
  declare_missed(f, i, true);
  use_snapshot(f, i);
  md_reason_t reason = drain(f, i);
  if (reason != MD_REASON_NONE) {
    sync_failed(f, i, reason);
    return;
  }
  i->missed_declared = false;
  i->canary_miss_cnt = 0;
  md_count(f->metrics, MD_COUNTER_RESYNCS, 1);
  if (i->state != MD_BOOK_VALID) set_state(f, i, MD_BOOK_VALID, MD_REASON_NONE);
  md_feed_shm_all(f, i);
  md_feed_tell_depth(f, i);
}

/* ---- what happens to a book ---- */

static void
update_waiting(md_feed_t *f, md_feed_instrument_t *i, const md_feed_delta_t *delta,
               const md_feed_levels_t *levels) {
  begin_syncing(f, i);
  push(f, i, delta, levels);
  if (!MD_RULE(SNAPSHOT)) set_state(f, i, MD_BOOK_VALID, MD_REASON_NONE);
  try_sync(f, i);
}

static void
update_valid(md_feed_t *f, md_feed_instrument_t *i, md_feed_delta_t *delta,
             const md_feed_levels_t *levels) {
  switch (md_feed_book_verdict(f, i, delta->ids)) {
  case MD_SYNC_DROP:
    break;
  case MD_SYNC_GAP:
    push(f, i, delta, levels);
    md_feed_book_break(f, i, MD_REASON_SEQUENCE, delta->ids->first);
    break;
  case MD_SYNC_APPLY:
  case MD_SYNC_OVERLAP: {
    md_err_t err = md_feed_book_apply(f, i, delta, levels);
    if (MD_UNLIKELY(err)) {
      md_feed_book_refused(f, i, err, delta->ids->first);
      break;
    }
    md_feed_shm_changes(f, i);
    md_feed_known_check(f, i);
    md_feed_canary_check(f, i);
    if (MD_UNLIKELY((i->book_flags | i->crossed_cnt) != 0 || i->crossed_ns != 0))
      md_feed_crossed_check(f, i);
    if (MD_UNLIKELY(i->is_deepening)) md_feed_deepen_update(f, i, delta, levels);
    break;
  }
  }
}

void
md_feed_book_refused(md_feed_t *f, md_feed_instrument_t *i, md_err_t err, uint64_t seen) {
  bool is_checksum = err == MD_ERR_CORRUPT;
  if (!is_checksum) md_count(f->metrics, MD_COUNTER_OVERFLOWS, 1);
  md_feed_book_break(f, i, is_checksum ? MD_REASON_CHECKSUM : MD_REASON_OVERFLOW, seen);
  md_orderbook_clear(&i->book); /* half applied */
}

void
md_feed_on_update(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event,
                  const md_update_ids_t *ids, const md_feed_levels_t *levels) {
  if (MD_UNLIKELY(!levels_are_sane(levels))) {
    md_feed_bad_message(f, i, MD_ERR_SYNTAX);
    return;
  }
  md_feed_delta_t delta = {.ids          = ids,
                           .ts_exch_ns   = event->ts_exch_ns,
                           .ts_recv_ns   = f->recv_ns,
                           .raw_lo       = f->raw_lo,
                           .flags        = event->flags,
                           .leg          = f->leg,
                           .has_checksum = event->has_checksum,
                           .checksum     = event->checksum,
                           .match_lag_us = event->match_lag_us};
  if (MD_UNLIKELY(i->is_delisted)) return; /* the last ones, sent before we unsubscribed */
  if (f->ts_exch_ns == MD_NULL_I64) f->ts_exch_ns = event->ts_exch_ns;
  if (MD_UNLIKELY(md_feed_leg_is_other(f, i))) {
    md_feed_leg_update(f, i, &delta, levels);
    return;
  }
  i->leg = f->leg;
  if (MD_LIKELY(i->state == MD_BOOK_VALID))
    update_valid(f, i, &delta, levels);
  else
    update_waiting(f, i, &delta, levels);
}

/* The book is loaded from a snapshot, and it is kept what its record will say. */
static md_err_t
load_snapshot(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event, uint32_t limit,
              const md_feed_levels_t *levels) {
  md_err_t err = md_orderbook_load(&i->book, MD_SIDE_BUY, levels->bids, levels->bid_cnt);
  if (!err) err = md_orderbook_load(&i->book, MD_SIDE_SELL, levels->asks, levels->ask_cnt);
  if (!err && checksum_differs(f, i, event->has_checksum, event->checksum)) err = MD_ERR_CORRUPT;
  if (err) {
    md_orderbook_clear(&i->book);
    i->has_snapshot = false;
    return err;
  }
  i->has_snapshot        = true;
  i->snapshot_id         = event->exch_seq;
  i->snapshot_limit      = limit;
  i->snapshot_flags      = event->flags;
  i->snapshot_leg        = f->leg;
  i->snapshot_raw_lo     = f->raw_lo;
  i->snapshot_ts_exch_ns = event->ts_exch_ns;
  i->snapshot_recv_ns    = f->recv_ns;
  return MD_OK;
}

void
md_feed_on_snapshot(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event,
                    uint32_t limit, const md_feed_levels_t *levels) {
  if (i->is_delisted || (i->state == MD_BOOK_VALID && !i->is_deepening)) return;
  if (i->has_snapshot && event->exch_seq <= i->snapshot_id) return;
  md_err_t err = levels_are_sane(levels) ? MD_OK : MD_ERR_SYNTAX;
  if (!err && i->state == MD_BOOK_VALID) {
    md_feed_deepen_snapshot(f, i, event, limit, levels);
    return;
  }
  if (!err) err = load_snapshot(f, i, event, limit, levels);
  if (err) {
    md_feed_bad_message(f, NULL, err);
    return;
  }
  begin_syncing(f, i);
  try_sync(f, i);
}

/* What waited behind a snapshot of the stream: applied where it continues, else forgotten, because
 * the stream itself goes on behind the snapshot. */
static md_reason_t
drain_stream(md_feed_t *f, md_feed_instrument_t *i) {
  const md_sync_pending_t *p;
  md_reason_t              reason = MD_REASON_NONE;
  while ((p = md_sync_queue_peek(&i->queue)) != NULL &&
         f->rule->first(i->snapshot_id, &p->ids) == MD_SYNC_DROP)
    md_sync_queue_pop(&i->queue);
  if (p && f->rule->first(i->snapshot_id, &p->ids) != MD_SYNC_GAP) reason = drain(f, i);
  if (reason != MD_REASON_NONE && reason != MD_REASON_SEQUENCE) return reason;
  md_sync_queue_clear(&i->queue);
  i->missed_cnt      = 0;
  i->missed_declared = false;
  return MD_REASON_NONE;
}

/* Levels that do not fit or are not those of the checksum: the book has nothing that may be used.
 */
static void
refuse_stream_snapshot(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event,
                       md_err_t err) {
  const bool was_valid = i->state == MD_BOOK_VALID;
  if (err != MD_ERR_CORRUPT)
    md_feed_bad_message(f, i, err);
  else if (was_valid)
    md_feed_book_break(f, i, MD_REASON_CHECKSUM, event->exch_seq);
  else
    md_feed_out_gap(f, i, event->exch_seq, 0, MD_REASON_CHECKSUM);
  md_orderbook_clear(&i->book);
  i->has_snapshot = false;
  if (!was_valid) request_snapshot(f, i);
}

/* Of a book that follows one connection: what waited came before its snapshot or from elsewhere. */
static void
forget_waiting(md_feed_instrument_t *i) {
  md_sync_queue_clear(&i->queue);
  i->next_leg    = MD_LEG_NONE;
  i->is_handover = false;
}

void
md_feed_on_stream_snapshot(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event,
                           const md_feed_levels_t *levels) {
  if (i->is_delisted) return;
  if (i->state == MD_BOOK_VALID && md_feed_leg_is_other(f, i)) {
    md_feed_leg_snapshot(f, i);
    return;
  }
  if (i->state == MD_BOOK_VALID && i->leg != f->leg && event->exch_seq <= i->exch_seq) {
    md_count(f->metrics, MD_COUNTER_DUPLICATES, 1);
    return;
  }
  if (f->rule->follows_one_leg) forget_waiting(i);
  i->leg       = f->leg;
  md_err_t err = levels_are_sane(levels) ? MD_OK : MD_ERR_SYNTAX;
  if (!err) err = load_snapshot(f, i, event, event->limit, levels);
  if (err) {
    refuse_stream_snapshot(f, i, event, err);
    return;
  }
  if (f->ts_exch_ns == MD_NULL_I64) f->ts_exch_ns = event->ts_exch_ns;
  begin_syncing(f, i);
  i->has_snapshot = false;
  declare_missed(f, i, true);
  use_snapshot(f, i);
  md_reason_t reason = drain_stream(f, i);
  if (reason != MD_REASON_NONE) {
    sync_failed(f, i, reason);
    return;
  }
  i->canary_miss_cnt = 0;
  md_count(f->metrics, MD_COUNTER_RESYNCS, 1);
  if (i->state != MD_BOOK_VALID) set_state(f, i, MD_BOOK_VALID, MD_REASON_NONE);
  md_feed_shm_all(f, i);
}

static void
close_book(md_feed_t *f, md_feed_instrument_t *i) {
  if (i->state == MD_BOOK_EMPTY || i->is_delisted) return;
  if (i->state != MD_BOOK_STALE)
    md_feed_out_gap(f, i, MD_NULL_U64, i->queue.cnt + i->missed_cnt, MD_REASON_DISCONNECT);
  md_sync_queue_clear(&i->queue);
  i->missed_cnt      = 0;
  i->missed_declared = false;
  i->leg             = MD_LEG_NONE;
  i->next_leg        = MD_LEG_NONE;
  become_stale(f, i, MD_REASON_DISCONNECT);
}

/* Nothing is missing: there is nothing more. What waited is of no use any more. */
void
md_feed_book_delist(md_feed_t *f, md_feed_instrument_t *i) {
  i->is_delisted = true;
  if (i->state == MD_BOOK_EMPTY) return;
  md_sync_queue_clear(&i->queue);
  i->missed_cnt      = 0;
  i->missed_declared = false;
  i->leg             = MD_LEG_NONE;
  become_stale(f, i, MD_REASON_DELISTED);
}

/* Its book begins again with the next update. */
void
md_feed_book_list(md_feed_instrument_t *i) {
  i->is_delisted = false;
}

void
md_feed_books_close(md_feed_t *f, uint8_t leg) {
  for (uint32_t n = 0; n < f->instrument_cnt; n++) {
    md_feed_instrument_t *i = &f->instruments[n];
    if (!MD_RULE(DISCONNECT) || (f->rule->follows_one_leg && md_feed_leg_lost(f, i, leg))) continue;
    if (leg == MD_LEG_NONE || i->leg == MD_LEG_NONE || i->leg == leg) close_book(f, i);
  }
}

void
md_feed_end(md_feed_t *f, md_reason_t reason) {
  for (uint32_t n = 0; n < f->instrument_cnt; n++)
    if (f->instruments[n].state == MD_BOOK_VALID) become_stale(f, &f->instruments[n], reason);
  md_feed_publish(f);
}
