/* binance_fast.h - what the fast readers of the Binance markets share, and what becomes of a
 * decoded trade, aggregate or best price for both kinds of readers.
 *
 * A fast reader knows the messages that a market really sends, in the order of keys that it has
 * kept for years, and reads them in one pass without a key being looked up. A message that differs
 * in anything is not touched: the general reader has it. Within the venue only. */
#ifndef FEEDS_VENUES_BINANCE_FAST_H
#define FEEDS_VENUES_BINANCE_FAST_H

#include "feeds/venues/binance.h"

#include <string.h>

/* md_bn_fast and md_bn_futures_fast handle a message of a known shape of an instrument in use;
 * false: nothing was done. */
typedef struct md_bn_market md_bn_market_t;
bool                        md_bn_fast(md_feed_t *f, const md_input_t *in);
bool md_bn_futures_fast(md_feed_t *f, const md_input_t *in, const md_bn_market_t *market);

/* ---- what becomes of a message ---- */

/* md_bn_trade says whether the trade was new. */
static inline bool
md_bn_trade(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event,
            const md_trade_t *t) {
  if (!md_feed_trade_is_new(f, i, t->trade_id)) return false;
  memcpy(md_feed_stage(f, i, MD_RECORD_TRADE, event), t, sizeof *t);
  md_feed_on_trade(f, i, t);
  return true;
}

/* md_bn_trade_orders: until 2023 a trade of spot named its two orders. */
static inline void
md_bn_trade_orders(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event, uint64_t id,
                   uint64_t buyer, uint64_t seller) {
  md_trade_detail_t d = MD_ABSENT(TRADE_DETAIL);
  d.trade_id          = id;
  d.buyer_order_id    = buyer;
  d.seller_order_id   = seller;
  memcpy(md_feed_stage(f, i, MD_RECORD_TRADE_DETAIL, event), &d, sizeof d);
}

static inline void
md_bn_agg_trade(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event,
                const md_agg_trade_t *t) {
  if (!md_feed_agg_trade_is_new(f, i, t->agg_id)) return;
  memcpy(md_feed_stage(f, i, MD_RECORD_AGG_TRADE, event), t, sizeof *t);
  md_feed_on_agg_trade(f, i, t);
}

/* md_bn_book_ticker: a side whose price and quantity are 0 is empty. */
static inline void
md_bn_book_ticker(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event,
                  md_bbo_t *b) {
  if (b->bid_px == 0 && b->bid_qty == 0) b->bid_px = MD_NULL_I64;
  if (b->ask_px == 0 && b->ask_qty == 0) b->ask_px = MD_NULL_I64;
  memcpy(md_feed_stage(f, i, MD_RECORD_BBO, event), b, sizeof *b);
  md_feed_on_bbo(f, i, b, event->exch_seq);
}

/* ---- parts of a shape ---- */

/* The symbol behind `"s":`, in use already; NULL otherwise. */
static inline md_feed_instrument_t *
md_bn_fast_symbol(md_feed_t *f, md_json_t *j) {
  const uint8_t *s;
  uint32_t       len;
  if (!md_json_string(j, &s, &len) || j->has_escape) return NULL;
  return md_feed_lookup(f, (const char *)s, len);
}

static inline bool
md_bn_fast_mantissa(md_json_t *j, int exp, int64_t *out) {
  return md_json_mantissa(j, exp, out) == MD_OK;
}

/* The end of the event and of its envelope, and nothing behind it. */
static inline bool
md_bn_fast_ends(md_json_t *j, bool enveloped) {
  if (!md_json_expect(j, "}")) return false;
  if (enveloped && !md_json_expect(j, "}")) return false;
  return md_json_finish(j) == MD_OK;
}

#endif
