/* binance_futures.h - what the files of the Binance futures markets share. USD-M
 * (binance_derivatives) and COIN-M (binance_coinm) speak alike; a market is a row that says where
 * they differ.
 *
 * binance_futures.c has the streams, binance_futures_fast.c the messages that come most,
 * binance_futures_rest.c the HTTP answers, binance_futures_net.c the way to the venue. Feed threads
 * only. */
#ifndef FEEDS_VENUES_BINANCE_FUTURES_H
#define FEEDS_VENUES_BINANCE_FUTURES_H

#include "feeds/venues/binance_fast.h"

struct md_bn_market {
  const char *rest_root; /* of the paths, "/fapi/v" */
  uint64_t    family;    /* `st` of its rows in messages about all markets */
  bool        is_inverse;
};

extern const md_bn_market_t md_bn_usdm, md_bn_coinm;

/* What polled answers said last of an instrument, so that an answer that comes again is nothing
 * new. */
typedef enum md_bn_polled {
  MD_BN_POLLED_OPEN_INTEREST,
  MD_BN_POLLED_RATIO, /* and the md_ratio_basis_t */
  MD_BN_POLLED_CNT = MD_BN_POLLED_RATIO + MD_BASIS_ALL_ACCOUNTS + 1
} md_bn_polled_t;

typedef struct md_bn_futures_instrument {
  int64_t     polled_ns[MD_BN_POLLED_CNT]; /* 0: nothing yet */
  int64_t     funding_ns;                  /* next funding as it was said last, 0: nothing yet */
  uint32_t    funding_interval_s;          /* 0: not known */
  bool        has_limits;                  /* of the funding rate: fundingInfo was seen */
  md_dec128_t rate_min, rate_max;
} md_bn_futures_instrument_t;

/* The venue's state of a feed: an entry for each of its instruments, by index. */
typedef struct md_bn_futures_state {
  md_bn_futures_instrument_t of[MD_INSTRUMENT_CNT_MAX];
} md_bn_futures_state_t;

static inline md_bn_futures_instrument_t *
md_bn_futures_state_of(md_feed_t *f, const md_feed_instrument_t *i) {
  md_bn_futures_state_t *state = md_feed_venue_state(f);
  return &state->of[i->index];
}

/* Mark price, index price and funding as one message gives them; texts that are missing or empty
 * are absent, a part of which nothing is there gives no record. */
typedef struct md_bn_mark {
  md_dec128_t mark, settle, average, index, rate, interest;
  int64_t     next_ns;
  bool        has_index, has_funding;
} md_bn_mark_t;

void md_bn_stage_mark(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event,
                      const md_bn_mark_t *m);

/* md_bn_futures_http handles an HTTP answer, in->name being its URL. */
MD_MUST_USE md_err_t md_bn_futures_http(md_feed_t *f, const md_input_t *in,
                                        const md_bn_market_t *market);

/* How each market is spoken to. */
extern const md_venue_net_t md_bn_usdm_net, md_bn_coinm_net;

/* What a symbol's name says: BTCUSDT, BTCUSDT_260626; BTCUSD_PERP, BTCUSD_260626. */
void md_bn_define_usdm(const char *symbol, uint32_t len, md_definition_t *out);
void md_bn_define_coinm(const char *symbol, uint32_t len, md_definition_t *out);

#endif
