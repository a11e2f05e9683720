/* pg_null_table.h - why a column is NULL although its record came: what each exchange does not give.
 *
 * Rows: X(venue, record, field, "reason"). They stand in the comments of the columns and in the table
 * of writers/README.md; a test plays a recording and fails when a column is NULL without a row here.
 * Fields of the header (exch_seq, ts_exch_ns, instrument) stand here by record too. */
#ifndef WRITERS_PG_NULL_TABLE_H
#define WRITERS_PG_NULL_TABLE_H

#include <stdint.h>

// clang-format off
#define MD_PG_NULL_TABLE(X)                                                                        \
  X(binance_spot, definition, exch_seq,      "exchangeInfo has no sequence")                       \
  X(binance_spot, definition, ts_exch_ns,    "exchangeInfo has no time for a symbol")              \
  X(binance_spot, definition, base,          "symbol not in exchangeInfo yet and not to be split by its end") \
  X(binance_spot, definition, quote,         "symbol not in exchangeInfo yet and not to be split by its end") \
  X(binance_spot, definition, settle,        "a spot trade settles in both of its assets")         \
  X(binance_spot, definition, tick_size,     "no PRICE_FILTER, a tick of 0, or exchangeInfo not read yet") \
  X(binance_spot, definition, lot_size,      "no LOT_SIZE, a step of 0, or exchangeInfo not read yet") \
  X(binance_spot, definition, min_qty,       "no LOT_SIZE, a minimum of 0, or exchangeInfo not read yet") \
  X(binance_spot, definition, min_notional,  "no NOTIONAL filter, or exchangeInfo not read yet")   \
  X(binance_spot, definition, contract_size, "spot has no contracts")                              \
  X(binance_spot, definition, strike,        "no options on spot")                                 \
  X(binance_spot, definition, expiry_ns,     "spot does not expire")                               \
  X(binance_spot, book_delta, ts_exch_ns,    "the event time is absurd (flag BAD_TS)")             \
  X(binance_spot, book_delta, exch_seq_prev, "updates of spot do not name the one before")         \
  X(binance_spot, book_snapshot, ts_exch_ns, "the REST answer has no time")                        \
  X(binance_spot, book_snapshot, exch_seq_prev, "a snapshot follows none")                         \
  X(binance_spot, ladder, ts_exch_ns,        "the last change of the book had no time")            \
  X(binance_spot, ladder, exch_seq,          "never for a VALID book")                             \
  X(binance_spot, bbo, ts_exch_ns,           "bookTicker carries no time")                         \
  X(binance_spot, bbo, bid_px,               "no bid")                                             \
  X(binance_spot, bbo, ask_px,               "no ask")                                             \
  X(binance_spot, trade, ts_exch_ns,         "the event time is absurd (flag BAD_TS)")             \
  X(binance_spot, trade, ts_match_ns,        "the trade time is absurd (flag BAD_TS)")             \
  X(binance_spot, agg_trade, ts_exch_ns,     "the event time is absurd (flag BAD_TS)")             \
  X(binance_spot, agg_trade, ts_match_ns,    "the trade time is absurd (flag BAD_TS)")             \
  X(binance_spot, agg_trade, trade_id_first, "the message has none")                               \
  X(binance_spot, agg_trade, trade_id_last,  "the message has none")                               \
  X(binance_spot, kline, exch_seq,           "bars have no sequence")                              \
  X(binance_spot, kline, ts_exch_ns,         "the event time is absurd (flag BAD_TS)")             \
  X(binance_spot, kline, trade_id_first,     "a bar without a trade (-1)")                         \
  X(binance_spot, kline, trade_id_last,      "a bar without a trade (-1)")                         \
  X(binance_spot, ticker, exch_seq,          "tickers have no sequence")                           \
  X(binance_spot, ticker, ts_exch_ns,        "the event time is absurd (flag BAD_TS)")             \
  X(binance_spot, ticker, trade_id_first,    "a window without a trade (-1)")                      \
  X(binance_spot, ticker, trade_id_last,     "a window without a trade (-1)")                      \
  X(binance_spot, status, exch_seq,          "a state of ours, not a message of the exchange")     \
  X(binance_spot, status, ts_exch_ns,        "a state of ours, not a message of the exchange")     \
  X(binance_spot, gap, exch_seq,             "what is missing has no message")                     \
  X(binance_spot, gap, ts_exch_ns,           "what is missing has no message")                     \
  X(binance_spot, gap, exch_seq_last,        "the book had no update before")                      \
  X(binance_spot, gap, exch_seq_seen,        "nothing came instead: the connection ended or fell silent")
// clang-format on

typedef struct md_pg_null {
  const char *venue, *record, *field, *reason;
} md_pg_null_t;

/* md_pg_null_at returns row i, NULL behind the last. */
uint32_t            md_pg_null_cnt(void);
const md_pg_null_t *md_pg_null_at(uint32_t i);

#endif
