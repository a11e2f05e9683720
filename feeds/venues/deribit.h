/* deribit.h - what the files of the Deribit venue share: the fields of a message and their values.
 *
 * deribit.c has the envelope, books and trades, deribit_ticker.c tickers, indices and states,
 * deribit_value.c values, deribit_list.c names and the list of instruments, deribit_net.c how the
 * exchange is spoken to. Nothing else includes this. All on the feed's thread. */
#ifndef FEEDS_VENUES_DERIBIT_H
#define FEEDS_VENUES_DERIBIT_H

#include "feeds/json.h"
#include "feeds/venue.h"

/* Text of a value, as it stands in the message (strings with their quotes). */
typedef struct md_db_slice {
  const uint8_t *p; /* NULL: absent */
  uint32_t       len;
} md_db_slice_t;

/* Every key that is used, of any object; the ones of a book first, because they are looked for in
 * this order. */
#define MD_DB_KEYS(X)                                                                              \
  X(type)                                                                                          \
  X(timestamp)                                                                                     \
  X(change_id)                                                                                     \
  X(prev_change_id)                                                                                \
  X(instrument_name)                                                                               \
  X(bids)                                                                                          \
  X(asks)                                                                                          \
  X(price)                                                                                         \
  X(amount)                                                                                        \
  X(direction)                                                                                     \
  X(trade_seq)                                                                                     \
  X(trade_id)                                                                                      \
  X(liquidation)                                                                                   \
  X(block_trade_id)                                                                                \
  X(block_rfq_id)                                                                                  \
  X(combo_id)                                                                                      \
  X(starbase_timestamp)                                                                            \
  X(state)                                                                                         \
  X(stats)                                                                                         \
  X(greeks)                                                                                        \
  X(last_price)                                                                                    \
  X(mark_price)                                                                                    \
  X(index_price)                                                                                   \
  X(open_interest)                                                                                 \
  X(best_bid_price)                                                                                \
  X(best_bid_amount)                                                                               \
  X(best_ask_price)                                                                                \
  X(best_ask_amount)                                                                               \
  X(current_funding)                                                                               \
  X(estimated_delivery_price)                                                                      \
  X(mark_iv)                                                                                       \
  X(bid_iv)                                                                                        \
  X(ask_iv)                                                                                        \
  X(underlying_price)                                                                              \
  X(high)                                                                                          \
  X(low)                                                                                           \
  X(volume)                                                                                        \
  X(volume_usd)                                                                                    \
  X(volume_notional)                                                                               \
  X(price_change)                                                                                  \
  X(delta)                                                                                         \
  X(gamma)                                                                                         \
  X(vega)                                                                                          \
  X(theta)                                                                                         \
  X(rho)                                                                                           \
  X(interest)                                                                                      \
  X(volatility)                                                                                    \
  X(index_name)                                                                                    \
  X(price_index)                                                                                   \
  X(locked)                                                                                        \
  X(maintenance)                                                                                   \
  X(tick_direction)                                                                                \
  X(contracts)                                                                                     \
  X(iv)                                                                                            \
  X(starbase_match_id)                                                                             \
  X(block_trade_leg_count)                                                                         \
  X(combo_trade_id)                                                                                \
  X(settlement_price)                                                                              \
  X(min_price)                                                                                     \
  X(max_price)                                                                                     \
  X(interest_value)                                                                                \
  X(interest_rate)                                                                                 \
  X(funding_8h)                                                                                    \
  X(underlying_index)                                                                              \
  X(kind)                                                                                          \
  X(tick_size)                                                                                     \
  X(tick_size_steps)                                                                               \
  X(contract_size)                                                                                 \
  X(min_trade_amount)                                                                              \
  X(expiration_timestamp)                                                                          \
  X(settlement_period)                                                                             \
  X(strike)                                                                                        \
  X(option_type)                                                                                   \
  X(instrument_type)                                                                               \
  X(base_currency)                                                                                 \
  X(quote_currency)                                                                                \
  X(settlement_currency)                                                                           \
  X(is_active)

typedef enum md_db_key {
#define MD_DB_ENUM(name) MD_DB_##name,
  MD_DB_KEYS(MD_DB_ENUM)
#undef MD_DB_ENUM
      MD_DB_KEY_CNT
} md_db_key_t;

typedef struct md_db_fields {
  md_db_slice_t value[MD_DB_KEY_CNT];
} md_db_fields_t;

/* What a channel's message is decoded with. */
typedef struct md_db_context {
  md_feed_t            *feed;
  const md_db_fields_t *s;
  md_db_slice_t         channel; /* its name, without quotes */
  md_feed_event_t       event;
} md_db_context_t;

/* md_db_cursor begins a cursor on a value. */
static inline md_json_t
md_db_cursor(md_db_slice_t s) {
  md_json_t j;
  md_json_init(&j, s.p, s.len);
  return j;
}

/* ---- deribit_value.c ---- */

/* md_db_read_fields reads the object at j. Keys that are not known are passed over. */
void md_db_read_fields(md_json_t *j, md_db_fields_t *out);

/* md_db_read_object reads an object that is a value, into nothing when it is absent or null. */
MD_MUST_USE md_err_t md_db_read_object(md_db_slice_t s, md_db_fields_t *out);

/* md_db_has says whether a value is there and not null. */
bool md_db_has(md_db_slice_t s);

/* md_db_text gives the inside of a string value in [1, max] bytes, from the message or unescaped in
 * buffer (max bytes). MD_ERR_SYNTAX otherwise. */
MD_MUST_USE md_err_t md_db_text(md_db_slice_t s, char *buffer, uint32_t max, const char **text,
                                uint32_t *len);

/* md_db_is compares a string value that has no escapes. */
bool md_db_is(md_db_slice_t s, const char *word);

bool md_db_u64(md_db_slice_t s, uint64_t *out);
bool md_db_bool(md_db_slice_t s, bool *out);

/* md_db_u64_or_absent: MD_NULL_U64 where there is none. md_db_name copies the inside of a string
 * value of less than bytes bytes; "" stays otherwise. */
uint64_t md_db_u64_or_absent(md_db_slice_t s);
void     md_db_name(md_db_slice_t s, char *out, uint32_t bytes);

/* md_db_dec128 reads a number; absent where it is missing, null, or a word such as "expired". */
bool md_db_dec128(md_db_slice_t s, md_dec128_t *out);

/* md_db_time is a time in ms as ns; absent, and BAD_TS in *flags, when missing or absurd. */
int64_t md_db_time(md_db_slice_t s, uint16_t *flags);

/* Mantissas of one message, absent where the value is missing or null. */
typedef struct md_db_decimal {
  md_db_slice_t text;
  bool          is_qty;
  int64_t      *out;
} md_db_decimal_t;

/* md_db_decimals reads them at i's exponents, widened where one is finer. */
MD_MUST_USE md_err_t md_db_decimals(md_feed_t *f, md_feed_instrument_t *i, const md_db_decimal_t *d,
                                    uint32_t cnt);

/* md_db_levels reads [[action, price, amount], ...] of both sides into the feed's scratch; widens i
 * where needed. Prices not above 0 and other actions are MD_ERR_SYNTAX. */
MD_MUST_USE md_err_t md_db_levels(md_feed_t *f, md_feed_instrument_t *i, md_db_slice_t bids,
                                  md_db_slice_t asks, md_feed_levels_t *out);

/* md_db_instrument finds or makes the instrument that a name field says; NULL: no such name, or no
 * room. */
md_feed_instrument_t *md_db_instrument(md_feed_t *f, md_db_slice_t name);

/* ---- deribit_ticker.c: one function for each channel ---- */

MD_MUST_USE md_err_t md_db_on_ticker(md_db_context_t *c);
MD_MUST_USE md_err_t md_db_on_quote(md_db_context_t *c);
MD_MUST_USE md_err_t md_db_on_perpetual(md_db_context_t *c);
MD_MUST_USE md_err_t md_db_on_price_index(md_db_context_t *c);
MD_MUST_USE md_err_t md_db_on_volatility(md_db_context_t *c);
MD_MUST_USE md_err_t md_db_on_platform(md_db_context_t *c);
MD_MUST_USE md_err_t md_db_on_instrument_state(md_db_context_t *c);

/* ---- deribit_list.c ---- */

/* md_db_define fills what a name says: BTC-PERPETUAL, BTC-27SEP24, BTC-27SEP24-60000-C,
 * XRP_USDC-30AUG24-0d625-C; btc_usd is an index. */
void md_db_define(const char *symbol, uint32_t len, md_definition_t *out);

/* md_db_on_instruments reads the array of a get_instruments answer. */
MD_MUST_USE md_err_t md_db_on_instruments(md_feed_t *f, md_db_slice_t rows);

/* md_db_trading turns the word of a state into what it means for trading. */
md_trading_t md_db_trading(md_db_slice_t state);

/* How Deribit is spoken to (deribit_net.c). */
extern const md_venue_net_t md_db_net;

#endif
