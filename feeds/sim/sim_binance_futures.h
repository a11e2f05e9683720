/* sim_binance_futures.h - what the files of Binance USD-M and COIN-M share on the simulator's side.
 *
 * A market is a row (md_sim_fu_market_t) that says where the two differ. sim_binance_futures.c has
 * names, paths and ids, _out.c the payloads of one symbol, _mark.c marks and what is about all
 * symbols, _rest.c and _info.c the answers. The simulator's one thread only. */
#ifndef FEEDS_SIM_SIM_BINANCE_FUTURES_H
#define FEEDS_SIM_SIM_BINANCE_FUTURES_H

#include "feeds/sim/sim_binance.h"

#define MD_SIM_FU_EXPIRY_MS 1806048000000 /* of the dated contracts: 26 March 2027, 8:00 */

typedef struct md_sim_fu_market {
  const char *root;      /* of REST: "/fapi/" */
  unsigned    family;    /* `st` of its events; the other one's is 3 less this */
  bool        has_paths; /* /public and /market */
  bool        is_inverse;
} md_sim_fu_market_t;

/* sim->venue_state. Update ids are shared by all symbols. */
typedef struct md_sim_fu_state {
  const md_sim_fu_market_t *market;
  uint64_t                  id;
  uint64_t                  order_cnt; /* liquidations of all symbols */
} md_sim_fu_state_t;

/* venue_state of a symbol. */
typedef struct md_sim_fu_symbol {
  char    pair[MD_SIM_NAME_BYTES]; /* BTCUSD of BTCUSD_PERP, BTCUSDT of BTCUSDT */
  bool    is_dated;
  int64_t interval_ms; /* of funding */
  int64_t order_ms;    /* of the last liquidation */
} md_sim_fu_symbol_t;

static inline md_sim_fu_state_t *
md_sim_fu_state(const md_sim_t *sim) {
  return sim->venue_state;
}

static inline const md_sim_fu_market_t *
md_sim_fu_market(const md_sim_t *sim) {
  return md_sim_fu_state(sim)->market;
}

static inline md_sim_fu_symbol_t *
md_sim_fu_symbol(const md_sim_symbol_t *symbol) {
  return symbol->venue_state;
}

/* Members of a payload: a key with its comma and colon, then the value. */
static inline void
md_sim_fu_number(md_sim_text_t *t, const char *key, int64_t v) {
  md_sim_text_str(t, key);
  md_sim_text_u64(t, (uint64_t)v);
}

static inline void
md_sim_fu_decimal(md_sim_text_t *t, const char *key, int64_t v, int cnt) {
  md_sim_text_str(t, key);
  md_sim_text_str(t, v < 0 ? "\"-" : "\"");
  md_sim_text_fixed(t, v < 0 ? -v : v, cnt);
  md_sim_text_str(t, "\"");
}

/* ---- what marks are: sim_binance_futures_mark.c ---- */

/* Prices have eight decimals, rates too. next_ms is 0 and has_rate false of dated contracts. */
typedef struct md_sim_fu_mark {
  int64_t mark, index, settle, rate, next_ms, time_ms;
  bool    has_rate;
} md_sim_fu_mark_t;

void md_sim_fu_mark(const md_sim_t *sim, const md_sim_listing_t *l, md_sim_fu_mark_t *out);

void md_sim_fu_second(md_sim_t *sim, md_sim_listing_t *l);
void md_sim_fu_all(md_sim_t *sim, md_sim_listing_t *listings, uint32_t cnt);
void md_sim_fu_liquidation(md_sim_t *sim, md_sim_listing_t *l, const md_sim_print_t *p);

/* ---- payloads of a symbol: sim_binance_futures_out.c ---- */

/* Each begins with {"e":event,"E":time and ends with the family. */
void md_sim_fu_begin(md_sim_t *sim, const char *event);
void md_sim_fu_end(md_sim_t *sim);

void md_sim_fu_book(md_sim_t *sim, md_sim_listing_t *l, const md_sim_batch_t *b, unsigned cadence);
void md_sim_fu_top(md_sim_t *sim, md_sim_listing_t *l);
void md_sim_fu_trade(md_sim_t *sim, md_sim_listing_t *l, const md_sim_print_t *p);
void md_sim_fu_tenth(md_sim_t *sim, md_sim_listing_t *l, bool is_second);
void md_sim_fu_kline(md_sim_t *sim, md_sim_listing_t *l, bool is_closed);
void md_sim_fu_ticker(md_sim_t *sim, md_sim_listing_t *l);

/* ---- REST ---- */

void md_sim_fu_rest(md_sim_t *sim, const char *method, const char *path, const char *query,
                    md_sim_answer_t *out);
void md_sim_fu_info(md_sim_t *sim, md_sim_text_t *out);

#endif
