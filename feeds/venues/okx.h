/* okx.h - what the files of the OKX venues share: values of a message, numbers, levels. okx.c has
 * the envelope and the venues' rows, okx_book.c books and checksums, okx_market.c the other
 * channels, okx_rest.c the HTTP answers, okx_net.c endpoints and control messages. Nothing else
 * includes this.
 */
#ifndef FEEDS_VENUES_OKX_H
#define FEEDS_VENUES_OKX_H

#include "feeds/json.h"
#include "feeds/venue.h"

/* Text of a value, as it stands in the message (strings with their quotes); p NULL: absent. */
typedef struct md_okx_slice {
  const uint8_t *p;
  uint32_t       len;
} md_okx_slice_t;

/* A key that is looked for in an object, and where its value goes. */
typedef struct md_okx_key {
  const char     *name;
  md_okx_slice_t *value;
} md_okx_key_t;

/* One message of a channel: its argument and one element of its data. */
typedef struct md_okx_message {
  md_feed_t     *feed;
  md_okx_slice_t channel, action; /* insides of strings */
  const char    *symbol;          /* instId of the argument, NULL when it has none */
  uint32_t       symbol_len;
  md_okx_slice_t row;
} md_okx_message_t;

/* md_okx_cursor begins a cursor on a value. */
static inline md_json_t
md_okx_cursor(md_okx_slice_t s) {
  md_json_t j;
  md_json_init(&j, s.p, s.len);
  return j;
}

/* md_okx_object reads the values of the keys (cnt at most 32) of the object at j; others are passed
 * over. Values that are not there stay as they are. */
void md_okx_object(md_json_t *j, const md_okx_key_t *keys, uint32_t cnt);

/* md_okx_read is the same for a whole value. MD_ERR_SYNTAX: it is no object. */
MD_MUST_USE md_err_t md_okx_read(md_okx_slice_t s, const md_okx_key_t *keys, uint32_t cnt);

/* md_okx_row reads the elements of an array of strings; *cnt says how many there are of at most
 * max.
 */
MD_MUST_USE md_err_t md_okx_row(md_okx_slice_t s, md_okx_slice_t *out, uint32_t max, uint32_t *cnt);

/* md_okx_text gives the inside of a string value in [1, max] bytes without blanks or escapes; false
 * otherwise. */
bool md_okx_text(md_okx_slice_t s, uint32_t max, const char **text, uint32_t *len);
bool md_okx_is(md_okx_slice_t s, const char *word);

/* md_okx_word copies the inside of a string value; "" stays where there is none, or a longer one.
 */
void md_okx_word(md_okx_slice_t s, char out[MD_WORD_BYTES]);

/* md_okx_empty: absent, null, or a string without anything in it, which means absent here. */
bool md_okx_empty(md_okx_slice_t s);

/* md_okx_u64, md_okx_ts: an integer in a string or bare; a time in ms as ns. False, and *out
 * absent, for anything else. */
bool md_okx_u64(md_okx_slice_t s, uint64_t *out);
bool md_okx_ts(md_okx_slice_t s, int64_t *out);

/* md_okx_time is md_okx_ts; sets MD_FLAG_BAD_TS when there is no time. */
int64_t md_okx_time(md_okx_slice_t s, uint16_t *flags);

/* md_okx_dec128 reads an exact decimal; an empty one is absent and true. */
bool md_okx_dec128(md_okx_slice_t s, md_dec128_t *out);

/* A mantissa of a message: a price or a quantity of the instrument. Empty texts are absent. */
typedef struct md_okx_number {
  md_okx_slice_t text;
  bool           is_qty;
  int64_t       *out;
} md_okx_number_t;

/* md_okx_numbers reads them all, and widens the instrument where one is finer. */
MD_MUST_USE md_err_t md_okx_numbers(md_feed_t *f, md_feed_instrument_t *i, const md_okx_number_t *n,
                                    uint32_t cnt);

/* md_okx_levels reads both sides into the feed's scratch and widens the instrument where needed. */
MD_MUST_USE md_err_t md_okx_levels(md_feed_t *f, md_feed_instrument_t *i, md_okx_slice_t bids,
                                   md_okx_slice_t asks, md_feed_levels_t *out);

/* ---- handlers of one element of data ---- */

typedef md_err_t (*md_okx_handler_t)(md_okx_message_t *m);

md_err_t md_okx_on_books(md_okx_message_t *m);
md_err_t md_okx_on_bbo(md_okx_message_t *m);
md_err_t md_okx_on_trade(md_okx_message_t *m);
md_err_t md_okx_on_fill(md_okx_message_t *m);
md_err_t md_okx_on_ticker(md_okx_message_t *m);
md_err_t md_okx_on_candle(md_okx_message_t *m);
md_err_t md_okx_on_funding(md_okx_message_t *m);
md_err_t md_okx_on_open_interest(md_okx_message_t *m);
md_err_t md_okx_on_mark(md_okx_message_t *m);
md_err_t md_okx_on_index(md_okx_message_t *m);
md_err_t md_okx_on_liquidation(md_okx_message_t *m);
md_err_t md_okx_on_instrument(md_okx_message_t *m);

/* md_okx_http handles an HTTP answer, in->name being its URL. */
MD_MUST_USE md_err_t md_okx_http(md_feed_t *f, const md_input_t *in);

/* md_okx_define says what the name of an instrument tells. */
void md_okx_define(const char *symbol, uint32_t len, md_definition_t *out);

/* The checksum of a book (okx_book.c): CRC32 of its best 25 levels, in the venue's own texts. */
bool md_okx_checksum_ok(md_feed_t *f, const md_feed_instrument_t *i, uint32_t checksum);

/* How both venues are spoken to (okx_net.c). */
extern const md_venue_net_t md_okx_spot_net, md_okx_derivatives_net;

/* A level whose text is not the plain one: "1.50". The checksum is made of the texts as sent. */
typedef struct md_okx_odd {
  uint32_t instrument; /* index + 1; 0: a free place */
  uint8_t  side;
  int8_t   px_exp, pad;
  uint8_t  px_len, qty_len;
  int64_t  px;
  char     px_text[MD_DECIMAL_BYTES], qty_text[MD_DECIMAL_BYTES];
} md_okx_odd_t;

#define MD_OKX_ODD_CNT 512u

/* What a feed of this venue keeps beside its instruments. */
typedef struct md_okx_state {
  uint32_t     odd_cnt;                                 /* places in use */
  uint64_t     unknown[MD_INSTRUMENT_CNT_MAX / 64 + 1]; /* an odd text of its book found no place */
  uint64_t     has_fills[MD_INSTRUMENT_CNT_MAX / 64 + 1]; /* trades-all gives its trades */
  md_okx_odd_t odd[MD_OKX_ODD_CNT];
} md_okx_state_t;

#endif
