/* sim_market_parts.h - what the two files of the synthetic market share: a symbol's state.
 * sim_market.c moves the books, sim_market_out.c writes the payloads. Nothing else includes this.
 */
#ifndef FEEDS_SIM_SIM_MARKET_PARTS_H
#define FEEDS_SIM_SIM_MARKET_PARTS_H

#include "feeds/sim/sim_market.h"

typedef struct md_sim_change {
  md_level_t level; /* quantity 0: gone */
  md_side_t  side;
  uint32_t   order; /* among the changes of its batch */
} md_sim_change_t;

/* Changes since the last depth event of one cadence. */
typedef struct md_sim_batch {
  md_sim_change_t *changes;
  uint32_t         cnt, cap;
  uint64_t         first_id; /* U of the next event */
} md_sim_batch_t;

/* Of a minute, or since the start. Quote volumes have the exponent 2 * MD_SIM_EXP. */
typedef struct md_sim_candle {
  int64_t  begin_ms;
  int64_t  open, high, low, close;
  int64_t  first_id, last_id;
  uint64_t cnt;
  md_i128  qty, taker_qty, quote, taker_quote;
} md_sim_candle_t;

typedef struct md_sim_listing {
  md_sim_symbol_t *symbol;
  int64_t          tick, lot;
  md_sim_batch_t   batch[2]; /* 100 ms and 1000 ms */
  int64_t          next_flush_ns;
  uint64_t         flush_cnt;
  int64_t          trade_id;
  md_level_t       best[2]; /* as in the last bookTicker */
  md_sim_candle_t  minute, day;
} md_sim_listing_t;

/* Writers of payloads into sim->text, and senders. */
void md_sim_out_book_ticker(md_sim_t *sim, md_sim_listing_t *l);
void md_sim_out_trade(md_sim_t *sim, md_sim_listing_t *l, int64_t px, int64_t qty,
                      bool buyer_makes);
void md_sim_out_depth(md_sim_t *sim, md_sim_listing_t *l, unsigned batch);
void md_sim_out_partials(md_sim_t *sim, md_sim_listing_t *l, bool is_second);
void md_sim_out_kline(md_sim_t *sim, md_sim_listing_t *l, bool is_closed);
void md_sim_out_ticker(md_sim_t *sim, md_sim_listing_t *l);

#endif
