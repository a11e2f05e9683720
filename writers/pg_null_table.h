/* pg_null_table.h - why a column is NULL although its record came: what each exchange does not give.
 *
 * Rows: X(venue, record, field, "reason"); venue is a feed, or what the names of some begin with: binance,
 * okx, deribit; binance_futures is binance_derivatives and binance_coinm. They stand in the comments of the columns and in the table
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
  X(binance_spot, gap, exch_seq_seen,        "nothing came instead: the connection ended or fell silent") \
  X(binance_futures, definition, exch_seq, "exchangeInfo has no sequence, and no time for a symbol")\
  X(binance_futures, definition, ts_exch_ns, "exchangeInfo has no sequence, and no time for a symbol")\
  X(okx, definition, exch_seq, "the list of instruments has no sequence, and no time for a symbol")\
  X(okx, definition, ts_exch_ns, "the list of instruments has no sequence, and no time for a symbol")\
  X(deribit, definition, exch_seq, "the list of instruments has no sequence, and no time for a symbol")\
  X(deribit, definition, ts_exch_ns, "the list of instruments has no sequence, and no time for a symbol")\
  X(binance_futures, definition, strike, "no options")                                             \
  X(binance_futures, definition, expiry_ns, "a perpetual does not expire")                         \
  X(binance_futures, definition, min_notional, "no MIN_NOTIONAL filter (COIN-M), or exchangeInfo not read yet")\
  X(okx, definition, min_notional, "the list says nothing of it")                                  \
  X(okx, definition, settle, "a spot trade settles in both of its assets; an index does not settle")\
  X(okx, definition, contract_size, "spot has no contracts, nor has an index")                     \
  X(okx, definition, strike, "no option")                                                          \
  X(okx, definition, expiry_ns, "does not expire")                                                 \
  X(okx_derivatives, definition, tick_size, "an index is not traded, or the list was not read yet")\
  X(okx_derivatives, definition, lot_size, "an index is not traded, or the list was not read yet") \
  X(okx_derivatives, definition, min_qty, "an index is not traded, or the list was not read yet")  \
  X(deribit, definition, settle, "an index is not traded, or the list was not read yet")           \
  X(deribit, definition, contract_size, "an index is not traded, or the list was not read yet")    \
  X(deribit, definition, tick_size, "an index is not traded, or the list was not read yet")        \
  X(deribit, definition, lot_size, "an index is not traded, or the list was not read yet")         \
  X(deribit, definition, min_qty, "an index is not traded, or the list was not read yet")          \
  X(deribit, definition, strike, "no option")                                                      \
  X(deribit, definition, expiry_ns, "a perpetual or an index does not expire")                     \
  X(deribit, definition, min_notional, "the list says nothing of it")                              \
  X(binance_spot, book_delta, match_lag_us, "spot gives the event time only")                      \
  X(okx, book_delta, match_lag_us, "one time only")                                                \
  X(deribit, book_delta, match_lag_us, "one time only")                                            \
  X(binance_futures, book_snapshot, exch_seq_prev, "a snapshot follows none")                      \
  X(okx, book_snapshot, exch_seq_prev, "a snapshot follows none")                                  \
  X(deribit, book_snapshot, exch_seq_prev, "a snapshot follows none")                              \
  X(okx, book_orders, exch_seq_prev, "a snapshot follows none")                                    \
  X(binance_spot, bbo, ts_match_ns, "bookTicker of spot carries no time")                          \
  X(okx, bbo, ts_match_ns, "one time only")                                                        \
  X(deribit, bbo, ts_match_ns, "one time only")                                                    \
  X(deribit, bbo, exch_seq, "quotes have no sequence")                                             \
  X(binance_futures, bbo, bid_px, "no bid, or no ask")                                             \
  X(binance_futures, bbo, bid_qty, "no bid, or no ask")                                            \
  X(binance_futures, bbo, ask_px, "no bid, or no ask")                                             \
  X(binance_futures, bbo, ask_qty, "no bid, or no ask")                                            \
  X(okx, bbo, bid_px, "no bid, or no ask")                                                         \
  X(okx, bbo, bid_qty, "no bid, or no ask")                                                        \
  X(okx, bbo, ask_px, "no bid, or no ask")                                                         \
  X(okx, bbo, ask_qty, "no bid, or no ask")                                                        \
  X(deribit, bbo, bid_px, "no bid, or no ask")                                                     \
  X(deribit, bbo, bid_qty, "no bid, or no ask")                                                    \
  X(deribit, bbo, ask_px, "no bid, or no ask")                                                     \
  X(deribit, bbo, ask_qty, "no bid, or no ask")                                                    \
  X(binance, trade, book_seq, "ids of trades and books are not of one row")                        \
  X(deribit, trade, book_seq, "ids of trades and books are not of one row")                        \
  X(binance, agg_trade, qty_book, "spot and COIN-M have no retail price improvement")              \
  X(binance_spot, trade_detail, mark_px, "a trade of spot names its two orders, until 2023, and nothing else")\
  X(binance_spot, trade_detail, index_px, "a trade of spot names its two orders, until 2023, and nothing else")\
  X(binance_spot, trade_detail, iv, "a trade of spot names its two orders, until 2023, and nothing else")\
  X(binance_spot, trade_detail, contracts, "a trade of spot names its two orders, until 2023, and nothing else")\
  X(binance_spot, trade_detail, match_id, "a trade of spot names its two orders, until 2023, and nothing else")\
  X(binance_spot, trade_detail, rfq_id, "a trade of spot names its two orders, until 2023, and nothing else")\
  X(binance_spot, trade_detail, combo_trade_id, "a trade of spot names its two orders, until 2023, and nothing else")\
  X(binance_spot, trade_detail, block_trade_id, "a trade of spot names its two orders, until 2023, and nothing else")\
  X(binance_spot, trade_detail, combo_id, "a trade of spot names its two orders, until 2023, and nothing else")\
  X(binance_spot, trade_detail, liquidation, "a trade of spot names its two orders, until 2023, and nothing else")\
  X(binance_spot, trade_detail, block_leg_cnt, "a trade of spot names its two orders, until 2023, and nothing else")\
  X(binance_spot, trade_detail, tick_direction, "a trade of spot names its two orders, until 2023, and nothing else")\
  X(deribit, trade_detail, buyer_order_id, "orders are not said")                                  \
  X(deribit, trade_detail, seller_order_id, "orders are not said")                                 \
  X(deribit, trade_detail, iv, "not an option")                                                    \
  X(deribit, trade_detail, match_id, "trades of options and of older days have none")              \
  X(deribit, trade_detail, rfq_id, "no block trade, and no leg of a combination")                  \
  X(deribit, trade_detail, combo_trade_id, "no block trade, and no leg of a combination")          \
  X(deribit, trade_detail, block_trade_id, "no block trade, and no leg of a combination")          \
  X(deribit, trade_detail, combo_id, "no block trade, and no leg of a combination")                \
  X(deribit, trade_detail, block_leg_cnt, "no block trade, and no leg of a combination")           \
  X(deribit, trade_detail, liquidation, "nobody was liquidated")                                   \
  X(binance_futures, kline, exch_seq, "bars have no sequence")                                     \
  X(okx, kline, exch_seq, "bars have no sequence")                                                 \
  X(binance, kline, volume_ccy, "one volume and the turnover")                                     \
  X(okx, kline, ts_exch_ns, "a bar carries no event time")                                         \
  X(okx, kline, taker_volume, "a bar says nothing of its trades")                                  \
  X(okx, kline, taker_turnover, "a bar says nothing of its trades")                                \
  X(okx, kline, trade_id_first, "a bar says nothing of its trades")                                \
  X(okx, kline, trade_id_last, "a bar says nothing of its trades")                                 \
  X(okx, kline, trade_cnt, "a bar says nothing of its trades")                                     \
  X(binance_futures, ticker, exch_seq, "tickers have no sequence")                                 \
  X(okx, ticker, exch_seq, "tickers have no sequence")                                             \
  X(deribit, ticker, exch_seq, "tickers have no sequence")                                         \
  X(binance_futures, ticker, bid_px, "24hrTicker of futures has none")                             \
  X(binance_futures, ticker, bid_qty, "24hrTicker of futures has none")                            \
  X(binance_futures, ticker, ask_px, "24hrTicker of futures has none")                             \
  X(binance_futures, ticker, ask_qty, "24hrTicker of futures has none")                            \
  X(binance_futures, ticker, prev_close, "24hrTicker of futures has none")                         \
  X(binance, ticker, open_utc0, "24hrTicker has none")                                             \
  X(binance, ticker, open_utc8, "24hrTicker has none")                                             \
  X(binance, ticker, volume_ccy, "24hrTicker has none")                                            \
  X(binance, ticker, volume_usd, "24hrTicker has none")                                            \
  X(binance, ticker, settlement_px, "24hrTicker has none")                                         \
  X(binance, ticker, limit_low_px, "24hrTicker has none")                                          \
  X(binance, ticker, limit_high_px, "24hrTicker has none")                                         \
  X(okx, ticker, prev_close, "tickers have none")                                                  \
  X(okx, ticker, volume_usd, "tickers have none")                                                  \
  X(okx, ticker, settlement_px, "tickers have none")                                               \
  X(okx, ticker, limit_low_px, "tickers have none")                                                \
  X(okx, ticker, limit_high_px, "tickers have none")                                               \
  X(okx, ticker, vwap, "tickers have none")                                                        \
  X(okx, ticker, change, "tickers have none")                                                      \
  X(okx, ticker, change_percent, "tickers have none")                                              \
  X(okx, ticker, trade_id_first, "tickers have none")                                              \
  X(okx, ticker, trade_id_last, "tickers have none")                                               \
  X(okx, ticker, trade_cnt, "tickers have none")                                                   \
  X(okx_derivatives, ticker, turnover, "derivatives have no volume in quote units")                \
  X(deribit, ticker, prev_close, "tickers have none")                                              \
  X(deribit, ticker, open_utc0, "tickers have none")                                               \
  X(deribit, ticker, open_utc8, "tickers have none")                                               \
  X(deribit, ticker, volume_ccy, "tickers have none")                                              \
  X(deribit, ticker, ts_open_ns, "tickers have none")                                              \
  X(deribit, ticker, last_qty, "tickers have none")                                                \
  X(deribit, ticker, open, "tickers have none")                                                    \
  X(deribit, ticker, vwap, "tickers have none")                                                    \
  X(deribit, ticker, change, "tickers have none")                                                  \
  X(deribit, ticker, trade_id_first, "tickers have none")                                          \
  X(deribit, ticker, trade_id_last, "tickers have none")                                           \
  X(deribit, ticker, trade_cnt, "tickers have none")                                               \
  X(binance_futures, funding, exch_seq, "the exchange gives these no sequence")                    \
  X(okx_derivatives, funding, exch_seq, "the exchange gives these no sequence")                    \
  X(deribit, funding, exch_seq, "the exchange gives these no sequence")                            \
  X(binance_futures, funding, predicted, "mark prices and premiumIndex have none")                 \
  X(binance_futures, funding, ts_prev_ns, "mark prices and premiumIndex have none")                \
  X(binance_futures, funding, ts_after_ns, "mark prices and premiumIndex have none")               \
  X(binance_futures, funding, rate_8h, "mark prices and premiumIndex have none")                   \
  X(binance_futures, funding, premium, "mark prices and premiumIndex have none")                   \
  X(binance_futures, funding, interest_value, "mark prices and premiumIndex have none")            \
  X(binance_futures, funding, impact_value, "mark prices and premiumIndex have none")              \
  X(binance_futures, funding, settled_rate, "mark prices and premiumIndex have none")              \
  X(binance_futures, funding, method, "mark prices and premiumIndex have none")                    \
  X(binance_futures, funding, formula, "mark prices and premiumIndex have none")                   \
  X(binance_futures, funding, settle_state, "mark prices and premiumIndex have none")              \
  X(binance_futures, funding, interest, "only premiumIndex has it")                                \
  X(binance_futures, funding, rate, "a dated contract has no funding, nor has one that is not traded any more")\
  X(binance_futures, funding, ts_next_ns, "a dated contract has no funding, nor has one that is not traded any more")\
  X(binance_futures, funding, rate_min, "fundingInfo does not name the symbol, or was not read yet")\
  X(binance_futures, funding, rate_max, "fundingInfo does not name the symbol, or was not read yet")\
  X(okx_derivatives, funding, rate_8h, "funding-rate has none")                                    \
  X(okx_derivatives, funding, interest_value, "funding-rate has none")                             \
  X(okx_derivatives, funding, predicted, "empty unless the rate of the next interval is known")    \
  X(deribit, funding, predicted, "funding is paid continuously, without instants and limits")      \
  X(deribit, funding, ts_next_ns, "funding is paid continuously, without instants and limits")     \
  X(deribit, funding, ts_prev_ns, "funding is paid continuously, without instants and limits")     \
  X(deribit, funding, ts_after_ns, "funding is paid continuously, without instants and limits")    \
  X(deribit, funding, rate_min, "funding is paid continuously, without instants and limits")       \
  X(deribit, funding, rate_max, "funding is paid continuously, without instants and limits")       \
  X(deribit, funding, premium, "funding is paid continuously, without instants and limits")        \
  X(deribit, funding, interest, "funding is paid continuously, without instants and limits")       \
  X(deribit, funding, impact_value, "funding is paid continuously, without instants and limits")   \
  X(deribit, funding, settled_rate, "funding is paid continuously, without instants and limits")   \
  X(deribit, funding, method, "funding is paid continuously, without instants and limits")         \
  X(deribit, funding, formula, "funding is paid continuously, without instants and limits")        \
  X(deribit, funding, settle_state, "funding is paid continuously, without instants and limits")   \
  X(deribit, funding, rate_8h, "channel perpetual has the rate alone")                             \
  X(deribit, funding, interest_value, "channel perpetual has the rate alone")                      \
  X(binance_futures, mark, exch_seq, "the exchange gives these no sequence")                       \
  X(binance_futures, index, exch_seq, "the exchange gives these no sequence")                      \
  X(binance_futures, open_interest, exch_seq, "the exchange gives these no sequence")              \
  X(okx_derivatives, mark, exch_seq, "the exchange gives these no sequence")                       \
  X(okx_derivatives, index, exch_seq, "the exchange gives these no sequence")                      \
  X(okx_derivatives, open_interest, exch_seq, "the exchange gives these no sequence")              \
  X(deribit, mark, exch_seq, "the exchange gives these no sequence")                               \
  X(deribit, index, exch_seq, "the exchange gives these no sequence")                              \
  X(deribit, open_interest, exch_seq, "the exchange gives these no sequence")                      \
  X(binance_futures, mark, avg_px, "only since 2026, and not on COIN-M")                           \
  X(binance_futures, mark, settle_px, "empty where nothing settles")                               \
  X(okx_derivatives, mark, avg_px, "mark-price has the price alone")                               \
  X(okx_derivatives, mark, settle_px, "mark-price has the price alone")                            \
  X(deribit, mark, avg_px, "tickers have none")                                                    \
  X(binance_futures, index, open, "a mark price brings the index alone")                           \
  X(binance_futures, index, high, "a mark price brings the index alone")                           \
  X(binance_futures, index, low, "a mark price brings the index alone")                            \
  X(binance_futures, index, open_utc0, "a mark price brings the index alone")                      \
  X(binance_futures, index, open_utc8, "a mark price brings the index alone")                      \
  X(deribit, index, open, "the index alone")                                                       \
  X(deribit, index, high, "the index alone")                                                       \
  X(deribit, index, low, "the index alone")                                                        \
  X(deribit, index, open_utc0, "the index alone")                                                  \
  X(deribit, index, open_utc8, "the index alone")                                                  \
  X(binance_futures, open_interest, quote_qty, "open interest is given in one unit")               \
  X(binance_futures, open_interest, base_qty, "COIN-M counts contracts")                           \
  X(deribit, open_interest, contracts, "counts the units of amounts")                              \
  X(deribit, open_interest, base_qty, "inverse futures count quote units")                         \
  X(deribit, open_interest, quote_qty, "options and linear futures count base units")              \
  X(binance_futures, liquidation, exch_seq, "the exchange gives these no sequence")                \
  X(okx_derivatives, liquidation, exch_seq, "the exchange gives these no sequence")                \
  X(binance_futures, liquidation, loss, "forceOrder has none")                                     \
  X(binance_futures, liquidation, currency, "forceOrder has none")                                 \
  X(binance_futures, liquidation, position, "forceOrder has none")                                 \
  X(okx_derivatives, liquidation, avg_px, "liquidation-orders has the bankruptcy price and the size")\
  X(okx_derivatives, liquidation, filled_qty, "liquidation-orders has the bankruptcy price and the size")\
  X(okx_derivatives, liquidation, last_qty, "liquidation-orders has the bankruptcy price and the size")\
  X(okx_derivatives, liquidation, order_type, "liquidation-orders has the bankruptcy price and the size")\
  X(okx_derivatives, liquidation, time_in_force, "liquidation-orders has the bankruptcy price and the size")\
  X(okx_derivatives, liquidation, status, "liquidation-orders has the bankruptcy price and the size")\
  X(deribit, liquidation, loss, "made from a trade, which says who was liquidated and nothing else")\
  X(deribit, liquidation, currency, "made from a trade, which says who was liquidated and nothing else")\
  X(deribit, liquidation, position, "made from a trade, which says who was liquidated and nothing else")\
  X(deribit, liquidation, last_qty, "made from a trade, which says who was liquidated and nothing else")\
  X(deribit, liquidation, order_type, "made from a trade, which says who was liquidated and nothing else")\
  X(deribit, liquidation, time_in_force, "made from a trade, which says who was liquidated and nothing else")\
  X(deribit, liquidation, status, "made from a trade, which says who was liquidated and nothing else")\
  X(binance_futures, long_short_ratio, exch_seq, "the exchange gives these no sequence")           \
  X(okx_derivatives, long_short_ratio, exch_seq, "the exchange gives these no sequence")           \
  X(okx_derivatives, long_short_ratio, long_share, "the answer has the ratio alone; shares would be rounded")\
  X(okx_derivatives, long_short_ratio, short_share, "the answer has the ratio alone; shares would be rounded")\
  X(deribit, volatility_index, exch_seq, "the exchange gives these no sequence")                   \
  X(deribit, volatility_index, open, "the channel has the value alone")                            \
  X(deribit, volatility_index, high, "the channel has the value alone")                            \
  X(deribit, volatility_index, low, "the channel has the value alone")                             \
  X(deribit, greeks, exch_seq, "the exchange gives these no sequence")                             \
  X(binance_futures, status, exch_seq, "a state of ours, or of a venue that says no time")         \
  X(binance_futures, status, ts_exch_ns, "a state of ours, or of a venue that says no time")       \
  X(okx, status, exch_seq, "a state of ours, or of a venue that says no time")                     \
  X(okx, status, ts_exch_ns, "a state of ours, or of a venue that says no time")                   \
  X(deribit, status, exch_seq, "a state of ours, or of a venue that says no time")                 \
  X(deribit, status, ts_exch_ns, "a state of ours, or of a venue that says no time")               \
  X(okx, gap, exch_seq, "what is missing has no message")                                          \
  X(okx, gap, ts_exch_ns, "what is missing has no message")                                        \
  X(okx, gap, exch_seq_last, "what is missing has no message")                                     \
  X(okx, gap, exch_seq_seen, "what is missing has no message")                                     \
  X(binance_futures, gap, exch_seq, "what is missing has no message")                              \
  X(binance_futures, gap, ts_exch_ns, "what is missing has no message")                            \
  X(binance_futures, gap, exch_seq_last, "what is missing has no message")                         \
  X(binance_futures, gap, exch_seq_seen, "what is missing has no message")                         \
  X(deribit, gap, exch_seq, "what is missing has no message")                                      \
  X(deribit, gap, ts_exch_ns, "what is missing has no message")                                    \
  X(deribit, gap, exch_seq_last, "what is missing has no message")                                 \
  X(deribit, gap, exch_seq_seen, "what is missing has no message")
// clang-format on

typedef struct md_pg_null {
  const char *venue, *record, *field, *reason;
} md_pg_null_t;

/* md_pg_null_at returns row i, NULL behind the last. */
uint32_t            md_pg_null_cnt(void);
const md_pg_null_t *md_pg_null_at(uint32_t i);

#endif
