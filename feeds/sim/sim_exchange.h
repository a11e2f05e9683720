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
  uint64_t id_last;  /* prints that are in no total take ids too; 0 where it is not known */
  md_i128  qty_sum;  /* exponent: the symbol's of quantities */
} md_sim_totals_t;

typedef struct md_sim_symbol {
  char            name[MD_SIM_NAME_BYTES]; /* BTCUSDT */
  char            key[MD_SIM_NAME_BYTES];  /* as it stands in the names of streams */
  char            base[MD_SIM_NAME_BYTES], quote[MD_SIM_NAME_BYTES];
  uint32_t        len;
  int8_t          px_exp, qty_exp; /* of all mantissas of the symbol */
  md_sim_book_t   book;     /* everything sent so far; of the market: everything that happened */
  uint64_t        first_id; /* behind which id the first book event began, and 1; 0: none yet */
  uint64_t        sent_id;  /* u of the last depth event that happened (sent, or lost to a fault) */
  uint64_t        event_first; /* and where it began: one more than the id it follows */
  uint64_t        needed_id;   /* a snapshot below this - 1 is useless to some client */
  uint64_t        depth_cnt;   /* depth events */
  uint32_t        answer_cnt;
  bool            is_unlisted; /* nothing is sent and REST knows it not ... */
  bool            is_over;     /* ... but as one that does not trade any more */
  md_sim_totals_t trades, agg_trades;
  struct md_sim_listing *listing; /* the market's, NULL: a recording */
  const char *recorded; /* body of the recording's first snapshot, NUL-terminated; NULL: none */
  size_t      recorded_len;
  uint64_t    recorded_id;
  md_sim_stream_t *stream[MD_SIM_KIND_CNT];
  void            *venue_state; /* the venue's, symbol_bytes of it */
} md_sim_symbol_t;

/* An HTTP answer of a recording. path begins behind the host; both end with NUL. */
typedef struct md_sim_recorded {
  struct md_sim_recorded *next;
  const md_sim_symbol_t  *symbol; /* of a depth answer, else NULL */
  uint64_t                id;     /* and its id */
  char                   *path, *query;
  size_t                  len;
  char                    text[];
} md_sim_recorded_t;

typedef struct md_sim_market md_sim_market_t;
typedef struct md_sim_record md_sim_record_t;
typedef struct md_sim_fault  md_sim_fault_t;
typedef struct md_sim_truth  md_sim_truth_t;

typedef struct md_sim {
  const md_sim_venue_t *venue;
  void                 *venue_state; /* the venue's, state_bytes of it */
  md_sim_hub_t          hub;
  md_level_pool_t      *pool;
  md_sim_symbol_t     **symbols;
  uint32_t              symbol_cnt, symbol_cap;
  const md_clock_t     *clock;
  int64_t               now_ns;    /* monotonic, at the begin of the turn */
  int64_t               time_ms;   /* of the exchange */
  int64_t               played_ns; /* of the exchange's time, since the source began */
  uint64_t              rng;
  md_sim_lag_t          lag;
  int64_t               lag_ms;
  md_sim_record_t      *record; /* one of the two */
  md_sim_market_t      *market;
  md_sim_fault_t       *faults;
  md_sim_truth_t       *truth;
  bool                  lists; /* symbols come or go: a recorded exchangeInfo is not right */
  bool gives_ids; /* to book events that were recorded without, where the venue has them */
  md_sim_recorded_t *recorded; /* HTTP answers of the recording, the last one first */
  int64_t            minute;   /* of the request weights */
  uint32_t           weight_used, weight_max, over_cnt;
  md_sim_text_t      text;   /* the payload being made */
  md_sim_text_t      spoilt; /* one that a fault made wrong */
} md_sim_t;

void md_sim_init(md_sim_t *sim, const md_sim_venue_t *venue, const md_clock_t *clock,
                 uint64_t seed);
void md_sim_free(md_sim_t *sim);

/* md_sim_symbol finds a symbol by its name; NULL when there is none. md_sim_symbol_add
 * finds or makes it; NULL when the name is too long or there are too many. */
md_sim_symbol_t *md_sim_symbol(const md_sim_t *sim, const char *name, size_t len);
md_sim_symbol_t *md_sim_symbol_add(md_sim_t *sim, const char *name, size_t len);

/* md_sim_symbol_of_stream: by the symbol in the stream's name; NULL when there is none. */
md_sim_symbol_t *md_sim_symbol_of_stream(const md_sim_t *sim, md_sim_stream_t *s);

/* md_sim_symbol_stream: a symbol's stream of a kind; NULL when the venue has none, or there are too
 * many streams. */
md_sim_stream_t *md_sim_symbol_stream(md_sim_t *sim, md_sim_symbol_t *symbol, md_sim_kind_t kind);

/* md_sim_random: a number in [0, below), below > 0, from the seed. */
uint64_t md_sim_random(md_sim_t *sim, uint64_t below);

/* md_sim_turn reads the clock. */
void md_sim_turn(md_sim_t *sim);

/* md_sim_depth_happened: the symbol's book stands at `last`, by an event that begins behind first
 * - 1. Called before the event is sent. */
void md_sim_depth_happened(md_sim_t *sim, md_sim_symbol_t *symbol, uint64_t first, uint64_t last);

/* md_sim_send is what sources send by: the faults have their say, then it is published. symbol may
 * be NULL. */
void md_sim_send(md_sim_t *sim, md_sim_symbol_t *symbol, md_sim_stream_t *s, const char *data,
                 size_t len);

/* md_sim_send_to sends a payload to one connection, as the snapshot with which a subscription
 * begins: nothing of a symbol that is unlisted or stalled. symbol may be NULL. */
void md_sim_send_to(md_sim_t *sim, md_sim_symbol_t *symbol, md_sim_stream_t *s, md_sim_conn_t *c,
                    const char *data, size_t len);

/* md_sim_goodbye says that a connection will be closed, once, if the venue has words for it. */
void md_sim_goodbye(md_sim_t *sim, md_sim_conn_t *c, int64_t time_ms);

/* md_sim_recorded_find finds a recorded HTTP answer by its path and query (NULL: any), the first
 * that was recorded; NULL when there is none. */
const md_sim_recorded_t *md_sim_recorded_find(const md_sim_t *sim, const char *path,
                                              const char *query);

#endif
