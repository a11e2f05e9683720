/* Trades, bars and best prices: what a feed keeps beside recording them. */
#include "feeds/feed_parts.h"
#include "feeds/rule.h"

#include <string.h>

#define CROSSED_SHIFT_MAX 7u

/* An id that does not follow the last one: sent again, or trades between them are missing. */
static MD_COLD bool
id_is_other(md_feed_t *f, md_feed_instrument_t *i, const md_trade_totals_t *totals, uint64_t id,
            uint64_t before, md_record_type_t type) {
  const bool     is_first = !md_feed_has_trades(totals);
  const uint64_t last     = is_first ? before : totals->id_last;
  if (MD_RULE(TRADE_REPEAT) && !is_first && id <= last) {
    md_count(f->metrics, MD_COUNTER_DUPLICATES, 1);
    return false;
  }
  if (f->cfg.venue->dense_trade_ids && last != MD_NULL_U64 && id > last + 1)
    md_feed_out_gap_of(f, i, type, last, id, is_first ? MD_REASON_RESTART : MD_REASON_SEQUENCE);
  return true;
}

bool
md_feed_trade_is_new(md_feed_t *f, md_feed_instrument_t *i, uint64_t id) {
  if (MD_LIKELY(md_feed_has_trades(&i->trades) && id == i->trades.id_last + 1)) return true;
  return id_is_other(f, i, &i->trades, id, i->before.trade, MD_RECORD_TRADE);
}

bool
md_feed_agg_trade_is_new(md_feed_t *f, md_feed_instrument_t *i, uint64_t id) {
  if (MD_LIKELY(i->agg_trades.cnt && id == i->agg_trades.id_last + 1)) return true;
  return id_is_other(f, i, &i->agg_trades, id, i->before.agg, MD_RECORD_AGG_TRADE);
}

bool
md_feed_trade_seq_is_new(md_feed_t *f, md_feed_instrument_t *i, uint64_t seq) {
  const uint64_t last = i->trade_seq;
  if (MD_RULE(TRADE_REPEAT) && last != 0 && seq <= last) {
    md_count(f->metrics, MD_COUNTER_DUPLICATES, 1);
    return false;
  }
  if (last != 0 && seq > last + 1)
    md_feed_out_gap_of(f, i, MD_RECORD_TRADE, last, seq, MD_REASON_SEQUENCE);
  i->trade_seq = seq;
  return true;
}

static void
add_to_totals(md_trade_totals_t *totals, int64_t qty, uint64_t id, bool is_of_book) {
  if (!md_feed_has_trades(totals)) totals->id_first = id;
  totals->id_last = id;
  if (MD_UNLIKELY(!is_of_book) && MD_RULE(OFF_BOOK)) {
    totals->off_book_cnt++;
    return;
  }
  totals->cnt++;
  totals->qty_sum += qty; /* 2^64 of the largest quantities fit */
}

void
md_feed_on_trade(md_feed_t *f, md_feed_instrument_t *i, const md_trade_t *t) {
  (void)f;
  add_to_totals(&i->trades, t->qty, t->trade_id, t->origin == MD_ORIGIN_MARKET);
}

void
md_feed_on_agg_trade(md_feed_t *f, md_feed_instrument_t *i, const md_agg_trade_t *t) {
  (void)f;
  add_to_totals(&i->agg_trades, t->qty, t->agg_id, true);
}

/* The row of an interval; when there are too many intervals, the one that is the longest behind. */
static md_kline_t *
bar_of(md_feed_t *f, md_feed_instrument_t *i, uint32_t interval_s) {
  md_kline_t *oldest = md_feed_aside_bar(f, i, 0), *bar;
  for (uint32_t n = 0; n < i->bar_cnt; n++) {
    bar = md_feed_aside_bar(f, i, n);
    if (bar->interval_s == interval_s) return bar;
    if (bar->ts_open_ns < oldest->ts_open_ns) oldest = bar;
  }
  bar = oldest;
  if (i->bar_cnt < MD_FEED_INTERVAL_CNT_MAX) {
    bar = md_feed_aside_bar(f, i, i->bar_cnt++);
    f->asides.used_bytes += sizeof *bar;
  }
  memset(bar, 0, sizeof *bar);
  bar->ts_open_ns = MD_NULL_I64;
  bar->interval_s = interval_s;
  return bar;
}

bool
md_feed_kline_is_new(md_feed_t *f, md_feed_instrument_t *i, const md_kline_t *k, uint16_t *flags) {
  md_kline_t *last = bar_of(f, i, k->interval_s);
  bool        same = last->ts_open_ns == k->ts_open_ns && k->ts_open_ns != MD_NULL_I64;
  if (MD_RULE(BAR_REPEAT) && same && (!k->closed || memcmp(last, k, sizeof *k) == 0)) {
    md_count(f->metrics, MD_COUNTER_DUPLICATES, 1);
    return false;
  }
  if (same) *flags |= MD_FLAG_CORRECTION;
  if (k->closed) *last = *k;
  return true;
}

/* ---- the canary: the venue's own best prices, when they are of the very update that the book has
 */

static bool
side_matches(const md_feed_instrument_t *i, md_side_t side, int64_t px, int64_t qty) {
  md_level_t best;
  if (!md_orderbook_at(&i->book, side, 0, &best)) return px == MD_NULL_I64;
  return best.px == px && best.qty == qty;
}

/* A level that was never shown to us is missing, which contradicts nothing that we were told: but
 * the best price is wrong from here on. */
static void
compare(md_feed_t *f, md_feed_instrument_t *i, md_level_t bid, md_level_t ask) {
  const bool has_bid = side_matches(i, MD_SIDE_BUY, bid.px, bid.qty);
  const bool has_ask = side_matches(i, MD_SIDE_SELL, ask.px, ask.qty);
  if (MD_LIKELY(has_bid && has_ask)) {
    md_count(f->metrics, MD_COUNTER_CANARY_MATCHES, 1);
    i->canary_miss_cnt = 0;
    return;
  }
  if ((has_bid || md_feed_known_lacks(i, MD_SIDE_BUY, bid.px)) &&
      (has_ask || md_feed_known_lacks(i, MD_SIDE_SELL, ask.px))) {
    md_feed_book_break(f, i, MD_REASON_DEPTH, i->exch_seq);
    return;
  }
  md_count(f->metrics, MD_COUNTER_CANARY_MISMATCHES, 1);
  if (++i->canary_miss_cnt >= MD_FEED_CANARY_MISS_MAX && MD_RULE(CANARY))
    md_feed_book_break(f, i, MD_REASON_CANARY, i->exch_seq);
}

void
md_feed_on_bbo(md_feed_t *f, md_feed_instrument_t *i, const md_bbo_t *b, uint64_t exch_seq) {
  if (i->state != MD_BOOK_VALID || exch_seq < i->exch_seq) return;
  const md_level_t bid = {b->bid_px, b->bid_qty}, ask = {b->ask_px, b->ask_qty};
  if (exch_seq == i->exch_seq) {
    compare(f, i, bid, ask);
    return;
  }
  if (!i->canary) md_feed_aside_canary(f, i);
  i->canary[i->canary_next++ % MD_FEED_CANARY_CNT] = (md_feed_canary_t){exch_seq, bid, ask};
  if (exch_seq > i->canary_last) i->canary_last = exch_seq;
}

void
md_feed_canary_forget(md_feed_instrument_t *i) {
  if (i->canary_last == 0) return; /* none waits */
  memset(i->canary, 0, MD_FEED_CANARY_CNT * sizeof *i->canary);
  i->canary_last = 0;
}

void
md_feed_canary_check(md_feed_t *f, md_feed_instrument_t *i) {
  if (i->exch_seq == 0) return; /* a venue without ids: nothing tells what belongs together */
  if (i->exch_seq > i->canary_last) return;
  for (uint32_t n = 0; n < MD_FEED_CANARY_CNT; n++) {
    if (MD_LIKELY(i->canary[n].exch_seq != i->exch_seq)) continue;
    i->canary[n].exch_seq = 0;
    compare(f, i, i->canary[n].bid, i->canary[n].ask);
    return;
  }
}

/* ---- crossed or locked */

/* A legal sequence may leave a book crossed for a moment. One that stays so is wrong, or its market
 * rests in an auction: it is asked for anew, and later each time that this does not help. */
void
md_feed_crossed_check(md_feed_t *f, md_feed_instrument_t *i) {
  if (!(i->book_flags & MD_FLAG_CROSSED)) {
    i->crossed_ns  = 0;
    i->crossed_cnt = 0;
    return;
  }
  if (i->crossed_ns == 0) i->crossed_ns = f->recv_ns;
  const unsigned shift = i->crossed_cnt < CROSSED_SHIFT_MAX ? i->crossed_cnt : CROSSED_SHIFT_MAX;
  if (f->recv_ns - i->crossed_ns < MD_FEED_CROSSED_NS << shift || !MD_RULE(CROSSED)) return;
  i->crossed_cnt++;
  md_feed_book_break(f, i, MD_REASON_CROSSED, i->exch_seq);
}
