/* binance.h - what the Binance markets share: fields of a message, times, numbers, levels, events
 * of the same form, HTTP answers.
 *
 * binance_value.c reads values, binance_message.c messages, binance_event.c the events that all
 * markets write alike, binance_rest.c HTTP answers, binance_net.c names and messages to the venue.
 * Each market has its own files: binance_spot*.c and binance_futures*.c. Nothing else includes
 * this. Feed threads only; no state. */
#ifndef FEEDS_VENUES_BINANCE_H
#define FEEDS_VENUES_BINANCE_H

#include "feeds/json.h"
#include "feeds/venue.h"

/* ---- values: binance_value.c ---- */

/* Text of a value, as it stands in the message (strings with their quotes). */
typedef struct md_bn_slice {
  const uint8_t *p;
  uint32_t       len;
} md_bn_slice_t;

/* Values of the keys of an event, in the message's own text. Keys have one letter; the few longer
 * ones that are used stand where ASCII has no letter. */
enum { MD_BN_PU = '[', MD_BN_AP = '\\', MD_BN_PS = ']', MD_BN_ST = '^', MD_BN_NQ = '_' };

typedef struct md_bn_fields {
  uint64_t      seen; /* bit n: letter 'A' + n is there */
  md_bn_slice_t value['z' - 'A' + 1];
} md_bn_fields_t;

_Static_assert('z' - 'A' < 64, "a bit for each letter");

static inline bool
md_bn_has(const md_bn_fields_t *s, char letter) {
  return s->seen >> (letter - 'A') & 1;
}

static inline md_bn_slice_t
md_bn_value(const md_bn_fields_t *s, char letter) {
  return md_bn_has(s, letter) ? s->value[letter - 'A'] : (md_bn_slice_t){(const uint8_t *)"", 0};
}

/* md_bn_letter returns the place of a key, 0 for one that is not used. */
char md_bn_letter(const uint8_t *key, uint32_t len);

/* md_bn_read_fields reads the object at j; what is wrong with it stays in j. */
void md_bn_read_fields(md_json_t *j, md_bn_fields_t *s);

/* md_bn_cursor begins a cursor on a value. */
static inline md_json_t
md_bn_cursor(md_bn_slice_t s) {
  md_json_t j;
  md_json_init(&j, s.p, s.len);
  return j;
}

/* md_bn_ts turns a time of the venue into ns: false, and *out absent, when it is not above 0 or is
 * beyond the year 2100. */
bool md_bn_ts(int64_t value, bool microseconds, int64_t *out);

/* md_bn_text gives the inside of a string value, without escapes, in [1, max] bytes: from the
 * message itself, or unescaped in buffer (max bytes). MD_ERR_SYNTAX otherwise. */
MD_MUST_USE md_err_t md_bn_text(md_bn_slice_t s, char *buffer, uint32_t max, const char **text,
                                uint32_t *len);

/* md_bn_word copies the inside of a string value; "" stays where there is none, or a longer one. */
void md_bn_word(md_bn_slice_t s, char out[MD_WORD_BYTES]);

/* md_bn_text_is compares the inside of a string value. */
bool md_bn_text_is(md_bn_slice_t s, const char *text);

/* Integers and the like: false when the value is missing or has another form. */
bool md_bn_u64(const md_bn_fields_t *s, char letter, uint64_t *out);
bool md_bn_bool(const md_bn_fields_t *s, char letter, bool *out);
bool md_bn_dec128(const md_bn_fields_t *s, char letter, md_dec128_t *out);

/* md_bn_u64_or_absent: some ids are -1 where there is none. */
uint64_t md_bn_u64_or_absent(const md_bn_fields_t *s, char letter);

/* md_bn_dec128_or_absent: a value that is missing or an empty string is absent; false for one that
 * cannot be read. */
bool md_bn_dec128_or_absent(const md_bn_fields_t *s, char letter, md_dec128_t *out);

/* md_bn_time gives a time in ns, absent when it is missing or absurd; then *flags gets BAD_TS. */
int64_t md_bn_time(const md_bn_fields_t *s, char letter, bool microseconds, uint16_t *flags);

/* Mantissas of decimals of one message, prices or quantities. */
typedef struct md_bn_decimal {
  md_bn_slice_t text; /* len 0: not in the message, an error unless it may be absent */
  bool          is_qty, may_be_absent;
  int64_t      *out;
} md_bn_decimal_t;

/* md_bn_decimals reads them at the instrument's exponents and widens it when one is finer. */
MD_MUST_USE md_err_t md_bn_decimals(md_feed_t *f, md_feed_instrument_t *i, const md_bn_decimal_t *d,
                                    uint32_t cnt);

/* md_bn_levels reads both sides into the feed's scratch and widens the instrument where needed.
 * Prices not above 0 and quantities below 0 are MD_ERR_SYNTAX. */
MD_MUST_USE md_err_t md_bn_levels(md_feed_t *f, md_feed_instrument_t *i, md_bn_slice_t bids,
                                  md_bn_slice_t asks, md_feed_levels_t *out);

/* md_bn_levels_are_sane: prices above 0, quantities not below 0. */
bool md_bn_levels_are_sane(md_feed_levels_t *l);

/* ---- messages: binance_message.c ---- */

/* A message: the envelope and its event, or the rows of an array of events. */
typedef struct md_bn_message {
  md_bn_slice_t  stream; /* inside of the name, p NULL if there is none */
  md_bn_slice_t  rows;   /* p NULL if the data is no array */
  md_bn_fields_t event;
  bool           is_reply, is_error;
} md_bn_message_t;

/* One event that is being decoded. */
typedef struct md_bn_context {
  md_feed_t            *feed;
  const md_bn_fields_t *s;
  bool                  microseconds;
  bool                  known_only; /* a row about a whole market: see md_feed_find_known */
  const char           *symbol;
  uint32_t              symbol_len;
  md_feed_event_t       event;
} md_bn_context_t;

typedef md_err_t (*md_bn_event_fn)(md_bn_context_t *c);

/* md_bn_read_message reads the envelope, or a bare event. */
MD_MUST_USE md_err_t md_bn_read_message(const md_input_t *in, md_bn_message_t *m);

/* md_bn_stream_kind gives the part of a stream's name behind its first '@', p NULL when it is not
 * known. Without a name in the message, a connection to one raw stream (/ws/<name>) has one in its
 * URL. */
md_bn_slice_t md_bn_stream_kind(md_feed_t *f, const md_input_t *in, md_bn_slice_t name);

/* md_bn_peek is the venues' peek: by the name of a combined stream, which is the symbol in small
 * letters and what it carries. */
bool md_bn_peek(const uint8_t *payload, uint32_t len, md_venue_peek_t *out);

/* md_bn_broken is what a message means that cannot be read: one of a book makes it STALE, when what
 * is left of it names the book. */
MD_MUST_USE md_err_t md_bn_broken(md_feed_t *f, const md_bn_message_t *m, md_err_t err);

/* md_bn_run calls fn for the event s, whose symbol and time it reads; c begins with its feed,
 * microseconds and known_only. */
MD_MUST_USE md_err_t md_bn_run(md_bn_context_t *c, const md_bn_fields_t *s, md_bn_event_fn fn);

/* md_bn_instrument finds or makes the instrument of an event; NULL: not known, or no room. */
md_feed_instrument_t *md_bn_instrument(md_bn_context_t *c);

/* ---- events that every market writes alike: binance_event.c ---- */

/* md_bn_on_depth_chained also takes `pu`, without which an update cannot be placed. */
md_err_t md_bn_on_depth(md_bn_context_t *c);
md_err_t md_bn_on_depth_chained(md_bn_context_t *c);
md_err_t md_bn_on_trade(md_bn_context_t *c);
md_err_t md_bn_on_agg_trade(md_bn_context_t *c);
md_err_t md_bn_on_book_ticker(md_bn_context_t *c);
md_err_t md_bn_on_kline(md_bn_context_t *c);
md_err_t md_bn_on_ticker(md_bn_context_t *c);

/* ---- HTTP answers: binance_rest.c ---- */

/* md_bn_param finds name= (with its '=') in the query of a URL. */
bool md_bn_param(const char *url, uint32_t len, const char *name, md_bn_slice_t *out);

/* md_bn_endpoint gives the path of a URL behind root and one digit ("/api/v" and "3/"), without its
 * query. */
bool md_bn_endpoint(const char *url, uint32_t len, const char *root, md_bn_slice_t *out);

/* md_bn_on_depth_answer takes a snapshot; limit_default is what the endpoint gives unasked. */
MD_MUST_USE md_err_t md_bn_on_depth_answer(md_feed_t *f, const md_input_t *in,
                                           uint32_t limit_default);

/* What one symbol of exchangeInfo says, in its own text; p NULL where it says nothing. */
typedef struct md_bn_listing {
  md_bn_slice_t symbol, status, base, quote, margin;
  md_bn_slice_t contract_type, contract_size, delivery;
  md_bn_slice_t tick, step, min_qty, min_notional;
} md_bn_listing_t;

/* md_bn_on_exchange_info calls define for each symbol that can be read. */
typedef void (*md_bn_define_fn)(md_feed_t *f, const md_bn_listing_t *l);
MD_MUST_USE md_err_t md_bn_on_exchange_info(md_feed_t *f, const md_input_t *in,
                                            md_bn_define_fn define);

/* md_bn_begin_definition fills what all markets say alike: assets, steps and their exponents.
 * by_name is the market's own reading of a symbol's name. False: the row has no usable symbol. */
bool md_bn_begin_definition(const md_bn_listing_t *l,
                            void (*by_name)(const char *symbol, uint32_t len, md_definition_t *out),
                            md_definition_t *d, int *px_exp, int *qty_exp);

/* md_bn_set_assets fills base, quote and "BASE-QUOTE"; false when they do not fit. */
bool md_bn_set_assets(md_definition_t *d, const char *base, uint32_t base_len, const char *quote,
                      uint32_t quote_len);

/* md_bn_split finds base and quote by the suffix of a pair; false when no known quote ends it. */
bool md_bn_split(const char *pair, uint32_t len, md_definition_t *out);

/* ---- names and messages to the venue: binance_net.c ---- */

/* md_bn_format is snprintf that gives 0 when the text does not fit. */
uint32_t md_bn_format(char *out, size_t bytes, const char *text, ...) MD_PRINTF(3, 4);

/* md_bn_encode writes text for a URL. */
uint32_t md_bn_encode(char *out, size_t bytes, const char *text);

/* md_bn_stream writes "symbol@kind", the symbol in small letters. */
uint32_t md_bn_stream(char *out, size_t bytes, const char *symbol, const char *kind);

uint32_t md_bn_connect_url(char *out, size_t bytes, const char *base, const char *const *streams,
                           uint32_t cnt, uint32_t *taken);
uint32_t md_bn_subscribe(char *out, size_t bytes, bool on, const char *const *streams, uint32_t cnt,
                         uint64_t id);
md_frame_kind_t      md_bn_frame(const uint8_t *p, uint32_t len, const char **stream,
                                 uint32_t *stream_len);
MD_MUST_USE md_err_t md_bn_list(const uint8_t *p, uint32_t len, md_listing_fn fn, void *ctx);

/* The markets' own: how each is spoken to, and what a spot symbol's name says. */
extern const md_venue_net_t md_bn_net, md_bn_us_net;
void                        md_bn_define(const char *symbol, uint32_t len, md_definition_t *out);
MD_MUST_USE md_err_t        md_bn_http(md_feed_t *f, const md_input_t *in);

#endif
