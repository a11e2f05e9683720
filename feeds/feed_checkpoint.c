/* The state of a feed, repeated into the journal so that a segment stands alone. */
#include "feeds/feed_parts.h"

#include <string.h>

#define LEVELS_MAX MD_FEED_LEVELS_MAX(sizeof(md_checkpoint_t))

/* LOSS records that the ring may have to write first, and the rest of its end that stays unused. */
#define SLACK_BYTES (MD_RECORD_BYTES_MAX + 512u)

static uint64_t
record_bytes(uint64_t rest_bytes) {
  return md_align_up(sizeof(md_record_t) + sizeof(md_checkpoint_t) + rest_bytes,
                     MD_RECORD_ALIGN_BYTES);
}

static uint64_t
book_bytes(const md_feed_instrument_t *i) {
  uint64_t levels = (uint64_t)i->book.bids.cnt + i->book.asks.cnt;
  uint64_t parts  = levels == 0 ? 1 : (levels + LEVELS_MAX - 1) / LEVELS_MAX;
  return parts * record_bytes(0) + levels * sizeof(md_level_t);
}

static uint64_t
total_bytes(const md_feed_t *f) {
  uint64_t bytes = 2 * record_bytes(0) + SLACK_BYTES;
  for (uint32_t n = 0; n < f->instrument_cnt; n++) {
    if (!f->instruments[n].is_defined) continue;
    bytes += record_bytes(sizeof(md_definition_t)) + book_bytes(&f->instruments[n]);
  }
  return bytes;
}

static md_record_t *
stage(md_feed_t *f, md_checkpoint_kind_t inner, uint64_t request, uint64_t rest_bytes) {
  md_record_t *rec =
      md_out_stage(&f->out, MD_RECORD_CHECKPOINT, sizeof(md_checkpoint_t) + rest_bytes);
  md_assert(rec != NULL);
  rec->flags         = MD_FLAG_LAST;
  rec->ts_exch_ns    = MD_NULL_I64;
  rec->ts_recv_ns    = f->recv_ns;
  md_checkpoint_t *c = md_record_body(rec);
  c->inner           = (uint8_t)inner;
  c->request         = request;
  c->trade_id_last   = MD_NULL_U64;
  c->agg_id_last     = MD_NULL_U64;
  c->trusted_bid     = MD_NULL_I64;
  c->trusted_ask     = MD_NULL_I64;
  return rec;
}

static md_record_t *
stage_of(md_feed_t *f, const md_feed_instrument_t *i, md_checkpoint_kind_t inner, uint64_t request,
         uint64_t rest_bytes) {
  md_record_t *rec   = stage(f, inner, request, rest_bytes);
  rec->instrument    = i->id;
  rec->px_exp        = i->px_exp;
  rec->qty_exp       = i->qty_exp;
  rec->exch_seq      = i->exch_seq;
  rec->ts_exch_ns    = i->ts_exch_ns;
  rec->ts_recv_ns    = i->ts_recv_ns;
  md_checkpoint_t *c = md_record_body(rec);
  c->book_state      = i->state;
  c->book_reason     = i->reason;
  c->gen             = i->gen;
  c->trusted_bid     = i->trusted_bid;
  c->trusted_ask     = i->trusted_ask;
  if (md_feed_has_trades(&i->trades)) c->trade_id_last = i->trades.id_last;
  if (i->agg_trades.cnt) c->agg_id_last = i->agg_trades.id_last;
  return rec;
}

static void
write_mark(md_feed_t *f, md_checkpoint_kind_t inner, uint64_t request) {
  (void)stage(f, inner, request, 0);
  md_out_commit_checkpoint(&f->out);
}

static void
write_definition(md_feed_t *f, const md_feed_instrument_t *i, uint64_t request) {
  md_record_t     *rec = stage_of(f, i, MD_CHECKPOINT_DEFINITION, request, sizeof(md_definition_t));
  md_checkpoint_t *c   = md_record_body(rec);
  memcpy(c + 1, i->definition, sizeof *i->definition);
  md_out_commit_checkpoint(&f->out);
}

static void
write_book(md_feed_t *f, const md_feed_instrument_t *i, uint64_t request) {
  const uint32_t bid_total = i->book.bids.cnt, ask_total = i->book.asks.cnt;
  md_feed_cut_t  cut = {0};
  while (md_feed_cut_next(&cut, bid_total, ask_total, LEVELS_MAX)) {
    uint64_t     levels = (uint64_t)cut.bid_cnt + cut.ask_cnt;
    md_record_t *rec    = stage_of(f, i, MD_CHECKPOINT_BOOK, request, levels * sizeof(md_level_t));
    rec->flags          = (uint16_t)(i->book_flags | (cut.is_last ? MD_FLAG_LAST : 0));
    md_checkpoint_t *c  = md_record_body(rec);
    c->bid_cnt          = (uint16_t)cut.bid_cnt;
    c->ask_cnt          = (uint16_t)cut.ask_cnt;
    c->bid_total        = bid_total;
    c->ask_total        = ask_total;
    md_feed_copy_book(&i->book, &cut, (void *)(c + 1));
  }
  md_out_commit_checkpoint(&f->out);
}

md_err_t
md_feed_checkpoint(md_feed_t *f, uint64_t request) {
  md_out_t *o = &f->out;
  if (o->ring_cnt == 0) return MD_OK;
  md_feed_commit(f);
  if (md_ring_free_bytes(&o->ring[0].producer) < total_bytes(f)) return MD_ERR_FULL;

  write_mark(f, MD_CHECKPOINT_BEGIN, request);
  for (uint32_t n = 0; n < f->instrument_cnt; n++)
    if (f->instruments[n].is_defined) write_definition(f, &f->instruments[n], request);
  for (uint32_t n = 0; n < f->instrument_cnt; n++)
    if (f->instruments[n].is_defined) write_book(f, &f->instruments[n], request);
  write_mark(f, MD_CHECKPOINT_END, request);
  return MD_OK;
}
