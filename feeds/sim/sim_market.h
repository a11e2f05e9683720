/* sim_market.h - a seeded synthetic market as the source of the simulated exchange.
 *
 * Every symbol has a book that walks: levels come, change and go, trades hit the best level. What
 * is sent is a function of seed, number of symbols and rate alone: its clock is the count of its
 * messages. All streams of a symbol agree: a best price is the top of the book at its id, a book
 * event holds exactly the levels that changed since the last one. How it sounds is the venue's
 * (md_sim_writers_t). A venue whose books begin with a snapshot makes pending events when somebody
 * subscribes, so there it also depends on that. */
#ifndef FEEDS_SIM_SIM_MARKET_H
#define FEEDS_SIM_SIM_MARKET_H

#include "feeds/sim/sim_exchange.h"

typedef struct md_sim_market_cfg {
  uint32_t symbol_cnt;
  uint32_t rate;  /* messages a second (best prices, trades and book events of 100 ms together), 0:
                     flat out */
  int64_t end_ns; /* of the market's time, 0: never */
} md_sim_market_cfg_t;

/* md_sim_market_open adds the symbols and makes their books. */
md_sim_market_t *md_sim_market_open(md_sim_t *sim, const md_sim_market_cfg_t *cfg);
void             md_sim_market_close(md_sim_market_t *m);

/* md_sim_market_settle makes the book events of a symbol that are pending, out of their time. */
void md_sim_market_settle(md_sim_market_t *m, md_sim_symbol_t *symbol);

/* md_sim_market_pump: as md_sim_record_pump; the first call begins. At the end every open batch is
 * sent. */
MD_MUST_USE md_err_t md_sim_market_pump(md_sim_market_t *m, int64_t *due_ns);

uint64_t md_sim_market_message_cnt(const md_sim_market_t *m);

#endif
