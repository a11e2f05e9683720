/* sim_market_parts.h - a symbol of the synthetic market as the venues' writers see it.
 *
 * sim_market.c moves the books and keeps all of this; a venue reads it and writes payloads
 * (md_sim_writers_t in sim_venue.h). */
#ifndef FEEDS_SIM_SIM_MARKET_PARTS_H
#define FEEDS_SIM_SIM_MARKET_PARTS_H

#include "feeds/sim/sim_market.h"

#define MD_SIM_CADENCE_CNT 3u /* 100 ms, a second, as fast as it changes */

typedef struct md_sim_change {
  md_level_t level;  /* quantity 0: gone */
  uint8_t    side;   /* md_side_t */
  bool       is_new; /* the level was not there before */
  uint32_t   order;  /* among the changes of its batch */
} md_sim_change_t;

/* Changes since the last book event of one cadence. */
typedef struct md_sim_batch {
  md_sim_change_t *changes;
  uint32_t         cnt, cap;
  uint64_t         first_id, last_id; /* of its changes; with none, what comes next and came last */
  uint64_t         prev_id;           /* last_id of the event before */
  int64_t          sent_ns;           /* of the market's time: when that was */
} md_sim_batch_t;

/* Of a minute, or since the start. Quote volumes have the exponent px_exp + qty_exp. */
typedef struct md_sim_candle {
  int64_t  begin_ms;
  int64_t  open, high, low, close;
  int64_t  first_id, last_id;
  uint64_t cnt;
  md_i128  qty, taker_qty, quote, taker_quote;
} md_sim_candle_t;

/* One trade. An aggregate of a venue is the same trade: each stands for one order. */
typedef struct md_sim_print {
  int64_t id, px, qty;
  bool    buyer_makes;
} md_sim_print_t;

typedef struct md_sim_listing {
  md_sim_symbol_t *symbol;
  int64_t          tick, lot;
  uint32_t         levels_min, levels_max;
  md_sim_batch_t   batch[MD_SIM_CADENCE_CNT];
  int64_t          next_flush_ns, next_fast_ns;
  uint64_t         flush_cnt; /* 100 ms each */
  int64_t          trade_id;
  md_level_t       best[2]; /* as in the last bookTicker */
  md_sim_candle_t  minute, day;
} md_sim_listing_t;

/* md_sim_wanted: the symbol's stream of a kind, or NULL when writing its payload would be for
 * nobody. */
md_sim_stream_t *md_sim_wanted(md_sim_t *sim, md_sim_symbol_t *symbol, md_sim_kind_t kind);

/* md_sim_batch_next walks the levels of a side that a batch changed, prices rising, each with its
 * last quantity (0: gone). *at begins with 0. is_new: it was not there before the batch (it may be
 * NULL). */
bool md_sim_batch_next(const md_sim_batch_t *b, md_side_t side, uint32_t *at, md_level_t *level,
                       bool *is_new);

#endif
