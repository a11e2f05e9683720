/* binance_spot.h - what the files of the Binance spot venue share: fields of a message, times,
 * levels. binance_spot.c has the streams, binance_spot_rest.c the HTTP answers. Nothing else
 * includes this. */
#ifndef FEEDS_VENUES_BINANCE_SPOT_H
#define FEEDS_VENUES_BINANCE_SPOT_H

#include "feeds/json.h"
#include "feeds/venue.h"

/* Text of a value, as it stands in the message (strings with their quotes). */
typedef struct md_bn_slice {
  const uint8_t *p;
  uint32_t       len;
} md_bn_slice_t;

/* md_bn_ts turns a time of the venue into ns: false, and *out absent, when it is not above 0 or is
 * beyond the year 2100. */
bool md_bn_ts(int64_t value, bool microseconds, int64_t *out);

/* md_bn_cursor begins a cursor on a value. */
static inline md_json_t
md_bn_cursor(md_bn_slice_t s) {
  md_json_t j;
  md_json_init(&j, s.p, s.len);
  return j;
}

/* md_bn_text gives the inside of a string value, without escapes, in [1, max] bytes: from the
 * message itself, or unescaped in buffer (max bytes). MD_ERR_SYNTAX otherwise. */
MD_MUST_USE md_err_t md_bn_text(md_bn_slice_t s, char *buffer, uint32_t max, const char **text,
                                uint32_t *len);

/* md_bn_levels reads both sides into the feed's scratch and widens the instrument where needed.
 * Prices not above 0 and quantities below 0 are MD_ERR_SYNTAX. */
MD_MUST_USE md_err_t md_bn_levels(md_feed_t *f, md_feed_instrument_t *i, md_bn_slice_t bids,
                                  md_bn_slice_t asks, md_feed_levels_t *out);

/* md_bn_levels_are_sane: prices above 0, quantities not below 0. */
bool md_bn_levels_are_sane(const md_feed_levels_t *l);

/* md_bn_http handles an HTTP answer, in->name being its URL. */
MD_MUST_USE md_err_t md_bn_http(md_feed_t *f, const md_input_t *in);

/* md_bn_define fills assets and the normalised name by the suffix of the symbol. */
void md_bn_define(const char *symbol, uint32_t len, md_definition_t *out);

/* md_bn_set_assets fills base, quote and "BASE-QUOTE"; false when they do not fit. */
bool md_bn_set_assets(md_definition_t *d, const char *base, uint32_t base_len, const char *quote,
                      uint32_t quote_len);

/* How Binance spot and Binance US are spoken to (binance_spot_net.c). */
extern const md_venue_net_t md_bn_net, md_bn_us_net;

#endif
