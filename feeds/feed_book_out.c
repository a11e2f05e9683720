/* How a book becomes records, and then shared memory. */
#include "feeds/feed_parts.h"

#include <string.h>

#define DELTA_LEVELS_MAX    MD_FEED_LEVELS_MAX(sizeof(md_book_delta_t))
#define SNAPSHOT_LEVELS_MAX MD_FEED_LEVELS_MAX(sizeof(md_book_snapshot_t))

_Static_assert(DELTA_LEVELS_MAX <= UINT16_MAX, "counts of a record are 16 bits");
_Static_assert(2ull * MD_BOOK_LEVELS_MAX / DELTA_LEVELS_MAX < MD_GROUP_RECORDS_MAX, "a book fits");

static uint32_t
at_most(uint32_t v, uint32_t max) {
  return v < max ? v : max;
}

bool
md_feed_cut_next(md_feed_cut_t *c, uint32_t bid_total, uint32_t ask_total, uint32_t max) {
  if (c->is_last) return false;
  if (c->is_begun) {
    c->bid_off += c->bid_cnt;
    c->ask_off += c->ask_cnt;
  }
  c->is_begun = true;
  c->bid_cnt  = at_most(bid_total - c->bid_off, max);
  c->ask_cnt  = at_most(ask_total - c->ask_off, max - c->bid_cnt);
  c->is_last  = c->bid_off + c->bid_cnt == bid_total && c->ask_off + c->ask_cnt == ask_total;
  return true;
}

void
md_feed_copy_book(const md_orderbook_t *b, const md_feed_cut_t *c, md_level_t *to) {
  const md_levels_want_t bids    = {.first = c->bid_off, .max = c->bid_cnt};
  const md_levels_want_t asks    = {.first = c->ask_off, .max = c->ask_cnt};
  const uint32_t         bid_cnt = md_orderbook_read(b, MD_SIDE_BUY, &bids, to);
  const uint32_t         ask_cnt = md_orderbook_read(b, MD_SIDE_SELL, &asks, to + bid_cnt);
  md_assert(bid_cnt == c->bid_cnt && ask_cnt == c->ask_cnt);
}

/* A group must not be cut by a full staging buffer: half of it holds any group. */
static void
make_room(md_feed_t *f) {
  if (f->out.stage_used > f->out.stage_bytes / 2) md_feed_commit(f);
}

/* ---- records ---- */

int64_t
md_feed_edge(const md_orderbook_t *b, md_side_t side, uint32_t limit) {
  md_level_t edge;
  return limit > 0 && md_orderbook_at(b, side, limit - 1, &edge) ? edge.px : MD_NULL_I64;
}

void
md_feed_out_book(md_feed_t *f, md_feed_instrument_t *i, const md_feed_snapshot_t *s) {
  const uint32_t bid_total = i->book.bids.cnt, ask_total = i->book.asks.cnt;
  md_feed_cut_t  cut = {0};
  make_room(f);
  md_feed_define(f, i);
  while (md_feed_cut_next(&cut, bid_total, ask_total, SNAPSHOT_LEVELS_MAX)) {
    uint64_t     bytes = (uint64_t)(cut.bid_cnt + cut.ask_cnt) * sizeof(md_level_t);
    md_record_t *rec =
        md_feed_record(f, i, MD_RECORD_BOOK_SNAPSHOT, sizeof(md_book_snapshot_t) + bytes);
    rec->flags      = (uint16_t)(s->flags | MD_FLAG_SNAPSHOT | (cut.is_last ? MD_FLAG_LAST : 0));
    rec->leg        = s->leg;
    rec->raw_lo     = s->raw_lo;
    rec->exch_seq   = s->exch_seq;
    rec->ts_exch_ns = s->ts_exch_ns;
    rec->ts_recv_ns = s->ts_recv_ns;

    md_book_snapshot_t *body = md_record_body(rec);
    body->exch_seq_first     = s->exch_seq;
    body->exch_seq_prev      = MD_NULL_U64;
    body->bid_cnt            = (uint16_t)cut.bid_cnt;
    body->ask_cnt            = (uint16_t)cut.ask_cnt;
    body->bid_total          = bid_total;
    body->ask_total          = ask_total;
    body->limit              = s->limit;
    md_feed_copy_book(&i->book, &cut, (void *)(body + 1));
  }
}

void
md_feed_out_snapshot(md_feed_t *f, md_feed_instrument_t *i) {
  const md_feed_snapshot_t s = {.exch_seq   = i->snapshot_id,
                                .ts_exch_ns = i->snapshot_ts_exch_ns,
                                .ts_recv_ns = i->snapshot_recv_ns,
                                .raw_lo     = i->snapshot_raw_lo,
                                .limit      = i->snapshot_limit,
                                .flags      = (uint16_t)(i->snapshot_flags | i->book_flags),
                                .leg        = i->snapshot_leg};
  md_feed_out_book(f, i, &s);
  i->ts_exch_ns  = i->snapshot_ts_exch_ns;
  i->ts_recv_ns  = i->snapshot_recv_ns;
  i->trusted_bid = md_feed_edge(&i->book, MD_SIDE_BUY, i->snapshot_limit);
  i->trusted_ask = md_feed_edge(&i->book, MD_SIDE_SELL, i->snapshot_limit);
  md_feed_known_begin(f, i);
}

void
md_feed_out_delta(md_feed_t *f, md_feed_instrument_t *i, const md_feed_delta_t *delta,
                  const md_feed_levels_t *levels) {
  md_feed_cut_t cut = {0};
  make_room(f);
  while (md_feed_cut_next(&cut, levels->bid_cnt, levels->ask_cnt, DELTA_LEVELS_MAX)) {
    uint64_t     bytes = (uint64_t)(cut.bid_cnt + cut.ask_cnt) * sizeof(md_level_t);
    md_record_t *rec = md_feed_record(f, i, MD_RECORD_BOOK_DELTA, sizeof(md_book_delta_t) + bytes);
    rec->flags       = (uint16_t)(delta->flags | (cut.is_last ? MD_FLAG_LAST : 0));
    rec->leg         = delta->leg;
    rec->raw_lo      = delta->raw_lo;
    rec->exch_seq    = delta->ids->last;
    rec->ts_exch_ns  = delta->ts_exch_ns;
    rec->ts_recv_ns  = delta->ts_recv_ns;

    md_book_delta_t *body = md_record_body(rec);
    body->exch_seq_first  = delta->ids->first;
    body->exch_seq_prev   = delta->ids->prev;
    body->bid_cnt         = (uint16_t)cut.bid_cnt;
    body->ask_cnt         = (uint16_t)cut.ask_cnt;
    body->bid_total       = levels->bid_cnt;
    body->ask_total       = levels->ask_cnt;
    body->match_lag_us    = delta->match_lag_us;
    md_level_t *to        = (void *)(body + 1);
    if (cut.bid_cnt != 0) memcpy(to, levels->bids + cut.bid_off, cut.bid_cnt * sizeof *to);
    if (cut.ask_cnt != 0)
      memcpy(to + cut.bid_cnt, levels->asks + cut.ask_off, cut.ask_cnt * sizeof *to);
  }
}

void
md_feed_out_status(md_feed_t *f, md_feed_instrument_t *i, unsigned before, unsigned after,
                   unsigned reason) {
  md_feed_define(f, i);
  md_status_t *s = md_record_body(md_feed_record(f, i, MD_RECORD_STATUS, sizeof *s));
  s->subject     = MD_SUBJECT_BOOK;
  s->before      = (uint8_t)before;
  s->after       = (uint8_t)after;
  s->reason      = (uint8_t)reason;
  s->gen         = i->gen;
}

static md_gap_t *
stage_gap(md_feed_t *f, md_feed_instrument_t *i, md_record_type_t type, md_reason_t reason) {
  md_feed_define(f, i);
  md_gap_t *g    = md_record_body(md_feed_record(f, i, MD_RECORD_GAP, sizeof *g));
  g->reason      = (uint8_t)reason;
  g->record_type = (uint8_t)type;
  i->gap_cnt++;
  md_count(f->metrics, MD_COUNTER_GAPS, 1);
  return g;
}

void
md_feed_out_gap_of(md_feed_t *f, md_feed_instrument_t *i, md_record_type_t type, uint64_t last,
                   uint64_t seen, md_reason_t reason) {
  md_gap_t *g      = stage_gap(f, i, type, reason);
  g->exch_seq_last = last;
  g->exch_seq_seen = seen;
}

void
md_feed_out_gap(md_feed_t *f, md_feed_instrument_t *i, uint64_t seen, uint64_t missed_cnt,
                md_reason_t reason) {
  md_gap_t *g      = stage_gap(f, i, MD_RECORD_BOOK_DELTA, reason);
  g->exch_seq_last = i->exch_seq ? i->exch_seq : MD_NULL_U64;
  g->exch_seq_seen = seen;
  g->missed_cnt    = missed_cnt;
}

/* ---- shared memory ---- */

/* What stands in the rings goes first: a reader never sees a book whose records are not published.
 */
static md_book_meta_t
publish(md_feed_t *f, md_feed_instrument_t *i) {
  if (i->shm)
    md_feed_visible(f);
  else
    md_feed_commit(f);
  i->last_seq = f->out.seq;
  return (md_book_meta_t){.state       = i->state,
                          .reason      = i->reason,
                          .px_exp      = i->shm_px_exp,
                          .qty_exp     = i->shm_qty_exp,
                          .gen         = i->gen,
                          .last_seq    = i->last_seq,
                          .tape_pos    = md_out_tape_pos(&f->out),
                          .exch_seq    = i->exch_seq,
                          .ts_exch_ns  = i->ts_exch_ns,
                          .ts_recv_ns  = i->ts_recv_ns,
                          .ts_pub_ns   = f->out.pub_ns,
                          .trusted_bid = i->trusted_bid,
                          .trusted_ask = i->trusted_ask,
                          .bid_total   = i->book.bids.cnt,
                          .ask_total   = i->book.asks.cnt,
                          .flags       = i->book_flags};
}

void
md_feed_shm_all(md_feed_t *f, md_feed_instrument_t *i) {
  i->shm_px_exp       = i->px_exp;
  i->shm_qty_exp      = i->qty_exp;
  md_book_meta_t meta = publish(f, i);
  if (!i->shm) return;
  md_book_write_all(i->shm, &meta, md_orderbook_read, &i->book);
  md_feed_expect_places(f, i);
  md_feed_settle(f);
}

void
md_feed_shm_changes(md_feed_t *f, md_feed_instrument_t *i) {
  md_book_meta_t meta = publish(f, i);
  if (!i->shm) return;
  md_book_write_changes(i->shm, &meta, f->changes, f->change_cnt, md_orderbook_read, &i->book);
  md_feed_expect_places(f, i);
  md_feed_settle(f);
}

void
md_feed_shm_state(md_feed_t *f, md_feed_instrument_t *i) {
  md_book_meta_t meta = publish(f, i);
  if (!i->shm) return;
  md_book_write_state(i->shm, &meta);
  md_feed_expect_places(f, i);
  md_feed_settle(f);
}
