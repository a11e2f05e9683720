/* sim_okx.h - OKX v5 as a venue of the simulator: what its files share.
 *
 * sim_okx.c has the rows and what clients say, sim_okx_instrument.c what an instrument is,
 * sim_okx_market.c and sim_okx_stats.c the payloads of the synthetic market, sim_okx_record.c
 * recordings, sim_okx_rest.c REST. A stream is named CHANNEL:INSTRUMENT (or :TYPE, or :PAIR) here,
 * as the engine does; clients never see that name. Nothing else includes this. */
#ifndef FEEDS_SIM_SIM_OKX_H
#define FEEDS_SIM_SIM_OKX_H

#include "feeds/sim/sim_okx_book.h"
#include "feeds/sim/sim_venue.h"

#include <inttypes.h>

#define MD_SIM_OKX_TYPE_CNT  4u /* SPOT, SWAP, FUTURES, OPTION */
#define MD_SIM_OKX_LEGS_MAX  8u
#define MD_SIM_OKX_CONNECTS  3u            /* in a second */
#define MD_SIM_OKX_EXPIRY_MS 1924588800000 /* 2030-12-27 08:00 UTC */

typedef enum md_sim_okx_type {
  MD_SIM_OKX_SPOT,
  MD_SIM_OKX_SWAP,
  MD_SIM_OKX_FUTURES,
  MD_SIM_OKX_OPTION
} md_sim_okx_type_t;

/* What the name of an instrument says: BTC-USDT, BTC-USDT-SWAP, BTC-USD-301227,
 * BTC-USD-301227-90000-C. */
typedef struct md_sim_okx_instrument {
  md_sim_okx_type_t type;
  char              base[MD_SIM_NAME_BYTES], quote[MD_SIM_NAME_BYTES];
  char              pair[MD_SIM_NAME_BYTES]; /* base-quote: its index, its family */
  char              strike[MD_SIM_NAME_BYTES];
  char              option; /* C, P, or 0 */
  bool              is_inverse;
  const char       *value, *mult; /* of a contract */
} md_sim_okx_instrument_t;

typedef struct md_sim_okx_symbol {
  md_sim_okx_instrument_t instrument;
  uint32_t                changes_to_reset; /* of the market: its ids fall then, 0: they did */
  int64_t                 beat_ns;          /* of its time: the last sign of life of the book */
  md_sim_stream_t        *index, *liquidation;
  uint64_t                print_cnt;
  /* Of a recording. */
  md_sim_okx_book_t book;
  uint64_t          event_cnt;         /* book events played */
  int64_t           new_seq, new_prev; /* the ids that the last one was given */
  uint32_t          legs[MD_SIM_KIND_CNT][MD_SIM_OKX_LEGS_MAX]; /* connections with each kind */
  uint32_t          leg_cnt[MD_SIM_KIND_CNT];
} md_sim_okx_symbol_t;

typedef struct md_sim_okx_conn {
  uint32_t id; /* connId */
  int64_t  hour_ns;
  uint32_t op_cnt;   /* since then */
  int64_t  alive_ns; /* when something was sent or received */
  uint64_t frame_cnt;
  uint32_t channels; /* that it ever subscribed: a bit each */
} md_sim_okx_conn_t;

/* Requests of one endpoint in a window of time. */
typedef struct md_sim_okx_window {
  int64_t  begin_ns;
  uint32_t cnt;
} md_sim_okx_window_t;

typedef struct md_sim_okx {
  int64_t             connect_ns[MD_SIM_OKX_CONNECTS];
  uint32_t            connect_idx;
  uint32_t            leg; /* of a recording with several connections */
  md_sim_okx_window_t windows[3];
} md_sim_okx_t;

static inline md_sim_okx_t *
md_sim_okx(md_sim_t *sim) {
  return sim->venue_state;
}

static inline md_sim_okx_symbol_t *
md_sim_okx_symbol(const md_sim_symbol_t *symbol) {
  return symbol->venue_state;
}

/* ---- instruments (sim_okx_instrument.c) ---- */

extern const char *const md_sim_okx_types[MD_SIM_OKX_TYPE_CNT];

void md_sim_okx_instrument_read(const char *name, size_t len, md_sim_okx_instrument_t *out);
bool md_sim_okx_list_spot(md_sim_t *sim, uint32_t idx, md_sim_spec_t *out);
bool md_sim_okx_list_derivatives(md_sim_t *sim, uint32_t idx, md_sim_spec_t *out);

/* md_sim_okx_instrument_row writes the object that stands for a symbol in lists of instruments. */
void md_sim_okx_instrument_row(const md_sim_symbol_t *symbol, md_sim_text_t *out);

/* ---- payloads of the market (sim_okx_market.c, sim_okx_stats.c) ---- */

/* md_sim_okx_now_ms is the exchange's time, also before its source began. */
static inline int64_t
md_sim_okx_now_ms(const md_sim_t *sim) {
  return sim->time_ms ? sim->time_ms : md_clock_real_ns(sim->clock) / 1000000;
}

/* md_sim_okx_begin writes {"arg":{"channel":c,"instId":i},"data":[ ; without "data" when action is
 * given: then that comes first. */
void md_sim_okx_begin(md_sim_text_t *t, const char *channel, const char *symbol,
                      const char *action);
void md_sim_okx_member(md_sim_text_t *t, const char *name, md_i128 mantissa, int exp);

/* md_sim_okx_snapshot writes the message with which a subscription of books begins. */
void md_sim_okx_snapshot(const md_sim_t *sim, const md_sim_symbol_t *symbol, md_sim_text_t *t);
/* md_sim_okx_sides writes "asks":[...],"bids":[...] of the symbol's book. */
void md_sim_okx_sides(const md_sim_symbol_t *symbol, uint32_t limit, md_sim_text_t *t);

void     md_sim_okx_listed(md_sim_t *sim, md_sim_listing_t *l, uint32_t idx);
uint64_t md_sim_okx_next_id(md_sim_t *sim, md_sim_listing_t *l);
void     md_sim_okx_book_event(md_sim_t *sim, md_sim_listing_t *l, const md_sim_batch_t *b,
                               unsigned cadence);
void     md_sim_okx_top(md_sim_t *sim, md_sim_listing_t *l);
void     md_sim_okx_trade(md_sim_t *sim, md_sim_listing_t *l, const md_sim_print_t *p);
void     md_sim_okx_tenth(md_sim_t *sim, md_sim_listing_t *l, bool is_second);
void     md_sim_okx_second(md_sim_t *sim, md_sim_listing_t *l);
void     md_sim_okx_kline(md_sim_t *sim, md_sim_listing_t *l, bool is_closed);

/* md_sim_okx_write writes what a stream of the market says now into sim->text; false: it says
 * nothing of itself. */
bool md_sim_okx_write(md_sim_t *sim, const md_sim_listing_t *l, md_sim_kind_t kind);
/* Its part for best prices and the best levels. */
bool md_sim_okx_write_book(md_sim_t *sim, const md_sim_listing_t *l, md_sim_kind_t kind);

/* ---- recordings (sim_okx_record.c) ---- */

void          md_sim_okx_scan(md_sim_t *sim, const md_input_t *in);
bool          md_sim_okx_frame(md_sim_t *sim, const md_input_t *in, md_sim_frame_t *out);
md_err_t      md_sim_okx_depth(md_sim_t *sim, md_sim_symbol_t *symbol, const char *data, size_t len,
                               md_sim_depth_t *out);
md_sim_join_t md_sim_okx_join(uint64_t id, bool is_fresh, const md_sim_depth_t *d);
void md_sim_okx_count(md_sim_t *sim, md_sim_symbol_t *symbol, md_sim_kind_t kind, const char *data,
                      size_t len);
bool md_sim_okx_rewrite(md_sim_t *sim, md_sim_symbol_t *symbol, const md_sim_stream_t *from,
                        const md_sim_stream_t *to, const char *data, size_t len,
                        md_sim_text_t *out);

/* ---- REST (sim_okx_rest.c) ---- */

void md_sim_okx_rest(md_sim_t *sim, const char *method, const char *path, const char *query,
                     md_sim_answer_t *out);
void md_sim_okx_refuse(md_sim_answer_t *out, unsigned status);

#endif
