/* binance_spot_fast.h - the messages that Binance spot really sends, in the order of keys that it
 * has kept for years, read in one pass without a key being looked up. A message that differs in
 * anything is not touched: the general reader has it. Within the venue only. */
#ifndef FEEDS_VENUES_BINANCE_SPOT_FAST_H
#define FEEDS_VENUES_BINANCE_SPOT_FAST_H

#include "feeds/feed.h"

/* md_bn_fast handles a message of a known shape of an instrument in use; false: nothing was done.
 */
bool md_bn_fast(md_feed_t *f, const md_input_t *in);

/* What becomes of a decoded trade, aggregate or best price, for both readers. */
void md_bn_trade(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event,
                 const md_trade_t *t);
void md_bn_agg_trade(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event,
                     const md_agg_trade_t *t);

/* md_bn_book_ticker: a side whose price and quantity are 0 is empty. */
void md_bn_book_ticker(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event,
                       md_bbo_t *b);

#endif
