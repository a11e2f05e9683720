/* sim_exchange.h - the simulated exchange: its symbols, its books, its streams.
 *
 * What the sources (recording, synthetic market), REST, the faults and the truth share. One thread;
 * time comes in as now_ns (monotonic) and as the exchange's own time in ms, so that everything
 * below the server runs in a test without sockets and without waiting. */
#ifndef FEEDS_SIM_SIM_EXCHANGE_H
#define FEEDS_SIM_SIM_EXCHANGE_H

#include "feeds/sim/sim_book.h"
#include "feeds/sim/sim_hub.h"
#include "shm/clock.h"
#include "shm/record.h"

#include <stdio.h>

#define MD_SIM_NAME_BYTES  32u
#define MD_SIM_SYMBOLS_MAX 4096u

/* How a REST snapshot lies in time against what a client got. */
typedef enum md_sim_lag {
  MD_SIM_LAG_RECORDED, /* the recording's own answer while it still helps, else the book of now */
  MD_SIM_LAG_MS,       /* the book of the request, sent lag_ms later */
  MD_SIM_LAG_BEFORE,   /* the first answer of each symbol is older than all that was sent */
  MD_SIM_LAG_INSIDE,   /* an id in the middle of what the client has buffered */
  MD_SIM_LAG_AFTER     /* ahead of what was sent */
} md_sim_lag_t;

typedef struct md_sim_totals {
  uint64_t cnt;
  uint64_t id_first; /* of a market, where ids rise by one; 0: none yet, or a recording */
  md_i128  qty_sum;  /* exponent MD_SIM_EXP */
} md_sim_totals_t;

typedef struct md_sim_symbol {
  char            name[MD_SIM_NAME_BYTES]; /* BTCUSDT */
  char            lower[MD_SIM_NAME_BYTES];
  char            base[MD_SIM_NAME_BYTES], quote[MD_SIM_NAME_BYTES];
  uint32_t        len;
  md_sim_book_t   book;     /* everything sent so far; of the market: everything that happened */
  uint64_t        first_id; /* U of the first depth event of all, 0: none yet */
  uint64_t        sent_id;  /* u of the last depth event that happened (sent, or lost to a fault) */
  uint64_t        event_first; /* and its U */
  uint64_t        needed_id;   /* a snapshot below this - 1 is useless to some client */
  uint64_t        depth_cnt;   /* depth events */
  uint32_t        answer_cnt;
  bool            is_unlisted; /* nothing is sent and REST knows it not ... */
  bool            is_over;     /* ... but as one that does not trade any more */
  md_sim_totals_t trades, agg_trades;
  const char     *recorded; /* body of the recording's first snapshot, NUL-terminated; NULL: none */
  size_t          recorded_len;
  uint64_t        recorded_id;
  md_sim_stream_t *stream[MD_SIM_KIND_CNT];
} md_sim_symbol_t;

typedef struct md_sim_market md_sim_market_t;
typedef struct md_sim_record md_sim_record_t;
typedef struct md_sim_fault  md_sim_fault_t;
typedef struct md_sim_truth  md_sim_truth_t;

typedef struct md_sim {
  md_sim_hub_t      hub;
  md_level_pool_t  *pool;
  md_sim_symbol_t **symbols;
  uint32_t          symbol_cnt, symbol_cap;
  const md_clock_t *clock;
  int64_t           now_ns;    /* monotonic, at the begin of the turn */
  int64_t           time_ms;   /* of the exchange */
  int64_t           played_ns; /* of the exchange's time, since the source began */
  uint64_t          rng;
  md_sim_lag_t      lag;
  int64_t           lag_ms;
  md_sim_record_t  *record; /* one of the two */
  md_sim_market_t  *market;
  md_sim_fault_t   *faults;
  md_sim_truth_t   *truth;
  bool              lists;         /* symbols come or go: a recorded exchangeInfo is not right */
  const char       *exchange_info; /* recorded, or NULL */
  size_t            exchange_info_len;
  int64_t           minute; /* of the request weights */
  uint32_t          weight_used, weight_max, over_cnt;
  md_sim_text_t     text; /* the payload being made */
} md_sim_t;

void md_sim_init(md_sim_t *sim, const md_clock_t *clock, uint64_t seed);
void md_sim_free(md_sim_t *sim);

/* md_sim_symbol finds a symbol by its name in capitals; NULL when there is none. md_sim_symbol_add
 * finds or makes it; NULL when the name is too long or there are too many. */
md_sim_symbol_t *md_sim_symbol(const md_sim_t *sim, const char *name, size_t len);
md_sim_symbol_t *md_sim_symbol_add(md_sim_t *sim, const char *name, size_t len);

/* md_sim_symbol_of_stream: by the lower-case name before the stream's @; NULL when there is none.
 */
md_sim_symbol_t *md_sim_symbol_of_stream(const md_sim_t *sim, md_sim_stream_t *s);

/* md_sim_symbol_stream: a symbol's stream of a kind; NULL when there are too many streams. */
md_sim_stream_t *md_sim_symbol_stream(md_sim_t *sim, md_sim_symbol_t *symbol, md_sim_kind_t kind);

/* md_sim_random: a number in [0, below), below > 0, from the seed. */
uint64_t md_sim_random(md_sim_t *sim, uint64_t below);

/* md_sim_turn reads the clock. */
void md_sim_turn(md_sim_t *sim);

/* md_sim_depth_happened: the symbol's book stands at `last`, by a depth@100ms event that begins at
 * first. Called before the event is sent. */
void md_sim_depth_happened(md_sim_t *sim, md_sim_symbol_t *symbol, uint64_t first, uint64_t last);

/* md_sim_send is what sources send by: the faults have their say, then it is published. symbol may
 * be NULL. */
void md_sim_send(md_sim_t *sim, md_sim_symbol_t *symbol, md_sim_stream_t *s, const char *data,
                 size_t len);

#endif
