/* sim_deribit.h - what the files of the simulated Deribit share.
 *
 * sim_deribit.c has the venue's row, names of channels and what a connection is; sim_deribit_rpc.c
 * the JSON-RPC envelope, over WebSocket and HTTP, and sessions; sim_deribit_info.c what can be
 * asked about instruments; sim_deribit_text.c numbers, books and tickers as text;
 * sim_deribit_market.c the synthetic market; sim_deribit_record.c recordings. Nothing else includes
 * this. */
#ifndef FEEDS_SIM_SIM_DERIBIT_H
#define FEEDS_SIM_SIM_DERIBIT_H

#include "feeds/sim/sim_venue.h"

#define MD_SIM_DB_WILD_MAX     256u /* streams of no single instrument that somebody asked for */
#define MD_SIM_DB_CHANNELS_MAX 500u /* in one request */
#define MD_SIM_DB_CONNS_MAX    32u  /* of one address, and all clients have the same here */

/* Errors of the protocol. */
enum {
  MD_SIM_DB_OK           = 0,
  MD_SIM_DB_TOO_MANY     = 10028,
  MD_SIM_DB_BAD_REQUEST  = 11050,
  MD_SIM_DB_CREDENTIALS  = 13004,
  MD_SIM_DB_UNAUTHORIZED = 13009,
  MD_SIM_DB_NOT_FOUND    = 13020,
  MD_SIM_DB_RAW          = 13778,
  MD_SIM_DB_METHOD       = -32601,
  MD_SIM_DB_PARAMS       = -32602
};

/* Requests cost credits, which come back with time. */
typedef struct md_sim_db_credit {
  int64_t left, at_ns;
} md_sim_db_credit_t;

/* Of the whole exchange. */
typedef struct md_sim_db_state {
  md_sim_stream_t   *wild[MD_SIM_DB_WILD_MAX];
  uint32_t           wild_cnt;
  uint64_t           change_id; /* shared by all instruments */
  uint64_t           trade_id;  /* the same */
  uint64_t           second_cnt;
  md_sim_db_credit_t http;
  md_sim_text_t      result, answer, channels;
} md_sim_db_state_t;

/* Of an instrument. */
typedef struct md_sim_db_symbol {
  md_definition_t definition; /* what its name says */
  uint32_t        id;
  int64_t         tick, lot;   /* 0: of a recording */
  uint64_t        ticker_id;   /* change id of the last ticker */
  int64_t         last_px;     /* of a trade, 0: none yet */
  uint8_t         direction;   /* tick_direction of the last trade */
  bool            was_started; /* instrument.state said so */
  md_sim_text_t   trades;      /* since the last message of 100 ms, without brackets */
} md_sim_db_symbol_t;

/* Of a connection. */
typedef struct md_sim_db_conn {
  md_sim_db_credit_t credit;
  int64_t            heartbeat_ns, next_ns; /* 0: none was asked for */
  int64_t            answer_due_ns;         /* of a test_request, 0: none is unanswered */
  int64_t            known_until_ns;        /* authorized until then, 0: never was */
} md_sim_db_conn_t;

static inline md_sim_db_state_t *
md_sim_db_state(const md_sim_t *sim) {
  return sim->venue_state;
}

static inline md_sim_db_symbol_t *
md_sim_db_symbol(const md_sim_symbol_t *symbol) {
  return symbol->venue_state;
}

static inline md_sim_db_conn_t *
md_sim_db_conn(const md_sim_conn_t *c) {
  return c->venue_state;
}

static inline bool
md_sim_db_is_option(const md_sim_symbol_t *symbol) {
  return md_sim_db_symbol(symbol)->definition.kind == MD_KIND_OPTION;
}

/* A slice of a text; p NULL: absent. */
typedef struct md_sim_db_slice {
  const char *p;
  size_t      len;
} md_sim_db_slice_t;

/* One request: of a WebSocket message, or (c NULL) of an HTTP query. */
typedef struct md_sim_db_call {
  md_sim_t         *sim;
  md_sim_conn_t    *c;
  md_sim_db_slice_t id, method; /* method without its quotes */
  md_sim_db_slice_t params;     /* an object */
  const char       *query;      /* of HTTP, instead of params */
  const char       *reason;     /* of an error, NULL: none is given */
} md_sim_db_call_t;

/* ---- sim_deribit.c ---- */

/* md_sim_db_part gives the n-th part of a channel's name between points; absent behind the end. */
md_sim_db_slice_t md_sim_db_part(const char *name, size_t len, uint32_t n);
bool              md_sim_db_same(md_sim_db_slice_t s, const char *word);

/* md_sim_db_wild_wants: a stream about many instruments ({kind} and {currency} are its parts from
 * first on, any of them "any") is about this one. */
bool md_sim_db_wild_wants(const md_sim_stream_t *s, uint32_t first, const md_sim_symbol_t *symbol);

/* md_sim_db_ask asks a connection for a sign of life, which must come within for_ns. */
void md_sim_db_ask(md_sim_t *sim, md_sim_conn_t *c, int64_t for_ns);

/* md_sim_db_kind is "future" or "option", md_sim_db_index the name of an instrument's index
 * ("btc_usd"). */
const char *md_sim_db_kind(const md_sim_symbol_t *symbol);
void        md_sim_db_index(const md_sim_symbol_t *symbol, char *out, size_t bytes);

/* ---- sim_deribit_rpc.c ---- */

void md_sim_db_receive(md_sim_t *sim, md_sim_conn_t *c, const char *text, size_t len);
void md_sim_db_rest(md_sim_t *sim, const char *method, const char *path, const char *query,
                    md_sim_answer_t *out);
void md_sim_db_refuse(md_sim_answer_t *out, unsigned status);

/* md_sim_db_param finds a parameter: a string without its quotes, anything else as it stands. */
bool md_sim_db_param(const md_sim_db_call_t *call, const char *name, md_sim_db_slice_t *out);

/* ---- sim_deribit_info.c: each writes its result into out, or returns an error ---- */

int md_sim_db_currencies(md_sim_db_call_t *call, md_sim_text_t *out);
int md_sim_db_instruments(md_sim_db_call_t *call, md_sim_text_t *out);
int md_sim_db_instrument(md_sim_db_call_t *call, md_sim_text_t *out);
int md_sim_db_order_book(md_sim_db_call_t *call, md_sim_text_t *out);
int md_sim_db_ticker(md_sim_db_call_t *call, md_sim_text_t *out);
int md_sim_db_index_price(md_sim_db_call_t *call, md_sim_text_t *out);
int md_sim_db_index_names(md_sim_db_call_t *call, md_sim_text_t *out);
int md_sim_db_no_trades(md_sim_db_call_t *call, md_sim_text_t *out);

/* ---- sim_deribit_text.c ---- */

/* md_sim_db_number writes mantissa * 10^exp as the exchange does: the shorter of 0.0005 and 2.8e-4,
 * of 1054.0 and 1.0002e6. */
void md_sim_db_number(md_sim_text_t *t, int64_t mantissa, int exp);

/* md_sim_db_begin begins the message of a stream up to its data, md_sim_db_done ends it. */
void md_sim_db_begin(md_sim_text_t *t, const md_sim_stream_t *s);
void md_sim_db_done(md_sim_text_t *t);

/* md_sim_db_level writes one ["new",price,amount]; action NULL: [price,amount]. */
void md_sim_db_level(md_sim_text_t *t, const md_sim_symbol_t *symbol, const char *action,
                     md_level_t level);

/* md_sim_db_side writes at most limit levels of a side (0: all), best first. */
void md_sim_db_side(md_sim_text_t *t, const md_sim_symbol_t *symbol, md_side_t side,
                    const char *action, uint32_t limit);

/* md_sim_db_snapshot writes the whole book as the message with which a channel begins. */
void md_sim_db_snapshot(md_sim_t *sim, const md_sim_symbol_t *symbol, const md_sim_stream_t *s,
                        md_sim_text_t *t);

/* md_sim_db_ticker_members writes the members of a ticker, without braces. */
void md_sim_db_ticker_members(const md_sim_t *sim, const md_sim_symbol_t *symbol, md_sim_text_t *t);

/* md_sim_db_best writes best prices and amounts, each with a comma before it; 0.0 where there is
 * none. */
void md_sim_db_best(const md_sim_symbol_t *symbol, md_sim_text_t *t);

/* Prices of an index in hundredths, and of a mark price at the instrument's exponent less two. */
int64_t md_sim_db_index_cents(const md_sim_t *sim, const char *index);
int64_t md_sim_db_mark(const md_sim_symbol_t *symbol);

/* ---- sim_deribit_market.c and sim_deribit_record.c ---- */

extern const md_sim_writers_t md_sim_db_writers;

bool          md_sim_db_frame(md_sim_t *sim, const md_input_t *in, md_sim_frame_t *out);
md_err_t      md_sim_db_depth(md_sim_t *sim, md_sim_symbol_t *symbol, const char *data, size_t len,
                              md_sim_depth_t *out);
md_sim_join_t md_sim_db_join(uint64_t id, bool is_fresh, const md_sim_depth_t *d);
void md_sim_db_count(md_sim_t *sim, md_sim_symbol_t *symbol, md_sim_kind_t kind, const char *data,
                     size_t len);
bool md_sim_db_rewrite(md_sim_t *sim, md_sim_symbol_t *symbol, const md_sim_stream_t *from,
                       const md_sim_stream_t *to, const char *data, size_t len, md_sim_text_t *out);

#endif
