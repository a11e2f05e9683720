/* record_table.h - the record types and the fields of their bodies. THE contract for ring, tape,
 * journal, PostgreSQL and NATS: struct, size check, JSON, CREATE TABLE and COPY list follow from it.
 *
 * MD_RECORD_TYPES rows: X(NAME, name, value, table), name being also md_<name>_t and the prefix of
 * MD_<NAME>_FIELDS; table is the PostgreSQL table or "" for none. Values are append-only.
 *
 * Field rows: X(field, c_type, kind, "unit / meaning"), in wire order without padding. Kinds:
 *   PX, QTY   int64 mantissa with the header's px_exp or qty_exp; MD_NULL_I64 is absent -> numeric
 *   D128      md_dec128_t -> numeric
 *   TS        int64 ns since the Unix epoch, MD_NULL_I64 absent -> bigint <field>, exact
 *   U64       uint64, MD_NULL_U64 absent -> bigint (numeric(20) where above 2^63 is real: none yet)
 *   U32, U16, U8  plain unsigned -> bigint, int4, int2
 *   BOOL      uint8 0 or 1 -> boolean
 *   SIDE      uint8 md_side_t -> "char": B aggressor bought, S sold, NULL unknown
 *   LAG       uint32 microseconds before ts_exch_ns, plus 1; 0 is absent -> bigint, without the 1
 *   SYM, ASSET  char array with its NUL, NUL-padded -> text
 *   PAD       zero bytes, in no table
 * A body may be followed by a variable part (levels, bytes): its own comment says which.
 *
 * A body without a variable part grows at its end only; fields of padding mean absent as zero. md_record_renew
 * brings records of older journals up to date; a change of this table is a new version of the
 * journal's format. */
#ifndef SHM_RECORD_TABLE_H
#define SHM_RECORD_TABLE_H

#define MD_RECORD_TYPES(X)                                                                         \
  X(RAW,              raw,              1,  "")                                                    \
  X(DEFINITION,       definition,       2,  "definitions")                                         \
  X(BOOK_DELTA,       book_delta,       3,  "book_deltas")                                         \
  X(BOOK_SNAPSHOT,    book_snapshot,    4,  "book_snapshots")                                      \
  X(BBO,              bbo,              5,  "bbo")                                                 \
  X(TRADE,            trade,            6,  "trades")                                              \
  X(AGG_TRADE,        agg_trade,        7,  "agg_trades")                                          \
  X(KLINE,            kline,            8,  "klines")                                              \
  X(TICKER,           ticker,           9,  "tickers")                                             \
  X(FUNDING,          funding,          10, "funding")                                             \
  X(MARK,             mark,             11, "marks")                                               \
  X(INDEX,            index,            12, "indices")                                             \
  X(OPEN_INTEREST,    open_interest,    13, "open_interest")                                       \
  X(LIQUIDATION,      liquidation,      14, "liquidations")                                        \
  X(LONG_SHORT_RATIO, long_short_ratio, 15, "long_short_ratios")                                   \
  X(VOLATILITY_INDEX, volatility_index, 16, "volatility_indices")                                  \
  X(GREEKS,           greeks,           17, "greeks")                                              \
  X(NBBO,             nbbo,             18, "nbbo")                                                \
  X(STATUS,           status,           19, "status")                                              \
  X(GAP,              gap,              20, "gaps")                                                \
  X(CHECKPOINT,       checkpoint,       21, "")                                                    \
  X(LOSS,             loss,             22, "")                                                    \
  X(LADDER,           ladder,           23, "book_ladders")                                        \
  X(TRADE_DETAIL,     trade_detail,     24, "trade_details")                                       \
  X(BOOK_ORDERS,      book_orders,      25, "book_orders")

/* RAW: one input of a feed thread, exactly as it came. Behind the body: name_len bytes of name (the
 * connection, or the URL of kind HTTP; only in the first part of a group), then part_len bytes of
 * payload. total_len is the payload of the whole group, part_off the place of this part in it. */
#define MD_RAW_FIELDS(X)                                                                           \
  X(kind,      uint8_t,  U8,  "md_raw_kind_t")                                                     \
  X(pad0,      uint8_t,  PAD, "zero")                                                              \
  X(name_len,  uint16_t, U16, "bytes of name behind the body, 0 after the first part")             \
  X(part_len,  uint32_t, U32, "payload bytes in this record")                                      \
  X(part_off,  uint32_t, U32, "where this part begins in the payload")                             \
  X(total_len, uint32_t, U32, "payload bytes of the whole message")

#define MD_DEFINITION_FIELDS(X)                                                                    \
  X(symbol,        char_symbol, SYM,   "the exchange's raw symbol")                                \
  X(normalised,    char_symbol, SYM,   "BTC-USDT; dated and option instruments by their own name") \
  X(base,          char_asset,  ASSET, "base asset")                                               \
  X(quote,         char_asset,  ASSET, "quote asset")                                              \
  X(settle,        char_asset,  ASSET, "settlement asset")                                         \
  X(tick_size,     int64_t,     PX,    "smallest price step")                                      \
  X(lot_size,      int64_t,     QTY,   "smallest quantity step")                                   \
  X(min_qty,       int64_t,     QTY,   "smallest order quantity")                                  \
  X(min_notional,  md_dec128_t, D128,  "smallest order value in quote")                            \
  X(contract_size, md_dec128_t, D128,  "base or quote units of one contract")                      \
  X(strike,        md_dec128_t, D128,  "strike price of an option")                                \
  X(expiry_ns,     int64_t,     TS,    "end of a dated instrument")                                \
  X(kind,          uint8_t,     U8,    "md_instrument_kind_t")                                     \
  X(trading,       uint8_t,     U8,    "md_trading_t")                                             \
  X(option_type,   uint8_t,     U8,    "0 none, 1 call, 2 put")                                    \
  X(inverse,       uint8_t,     BOOL,  "1: contract_size counts quote units")                      \
  X(pad0,          uint32_t,    PAD,   "zero")

/* BOOK_DELTA and BOOK_SNAPSHOT: behind the body bid_cnt then ask_cnt levels md_level_t. Best first in
 * a snapshot, the exchange's order in a delta; quantity 0 deletes. A message above one record is a
 * group closed by LAST; bid_total and ask_total count the levels of the whole group. */
#define MD_BOOK_DELTA_FIELDS(X)                                                                    \
  X(exch_seq_first, uint64_t, U64, "first update id that this message covers (Binance U)")         \
  X(exch_seq_prev,  uint64_t, U64, "last id of the message before (Binance pu), else absent")      \
  X(bid_cnt,        uint16_t, U16, "bid levels in this record")                                    \
  X(ask_cnt,        uint16_t, U16, "ask levels in this record")                                    \
  X(bid_total,      uint32_t, U32, "bid levels in the group")                                      \
  X(ask_total,      uint32_t, U32, "ask levels in the group")                                      \
  X(match_lag_us,   uint32_t, LAG, "microseconds from the match to the event time")

#define MD_BOOK_SNAPSHOT_FIELDS(X)                                                                 \
  X(exch_seq_first, uint64_t, U64, "equals the header's exch_seq")                                 \
  X(exch_seq_prev,  uint64_t, U64, "absent")                                                       \
  X(bid_cnt,        uint16_t, U16, "bid levels in this record")                                    \
  X(ask_cnt,        uint16_t, U16, "ask levels in this record")                                    \
  X(bid_total,      uint32_t, U32, "bid levels in the group")                                      \
  X(ask_total,      uint32_t, U32, "ask levels in the group")                                      \
  X(limit,          uint32_t, U32, "levels a side that are surely known, a side with fewer as a whole; 0: all are")

/* LADDER: the best levels of a VALID book at an instant that is a multiple of every_ns; that
 * instant is the header's ts_recv_ns. Behind the body bid_cnt then ask_cnt levels md_level_t, best
 * first, at most MD_LADDER_LEVELS a side. A book that did not change since its last one has none. */
#define MD_LADDER_FIELDS(X)                                                                        \
  X(every_ns,  uint64_t, U64, "interval of the samples in ns")                                     \
  X(gen,       uint32_t, U32, "generation of the book, counts resyncs")                            \
  X(pad0,      uint32_t, PAD, "zero")                                                              \
  X(bid_cnt,   uint16_t, U16, "bid levels in this record")                                         \
  X(ask_cnt,   uint16_t, U16, "ask levels in this record")                                         \
  X(bid_total, uint32_t, U32, "bid levels that the book holds")                                    \
  X(ask_total, uint32_t, U32, "ask levels that the book holds")                                    \
  X(pad1,      uint32_t, PAD, "zero")

/* BOOK_ORDERS: how many orders stand at the levels of one message, behind the BOOK_DELTA or
 * BOOK_SNAPSHOT of that message, of feeds that keep them. Behind the body bid_cnt then ask_cnt levels
 * md_level_t whose qty is that number (the header's qty_exp is 0), in the exchange's order. */
#define MD_BOOK_ORDERS_FIELDS(X)                                                                   \
  X(exch_seq_prev, uint64_t, U64,  "last id of the message before, else absent")                   \
  X(pad0,          uint64_t, PAD,  "zero")                                                         \
  X(bid_cnt,       uint16_t, U16,  "bid levels in this record")                                    \
  X(ask_cnt,       uint16_t, U16,  "ask levels in this record")                                    \
  X(bid_total,     uint32_t, U32,  "bid levels in the group")                                      \
  X(ask_total,     uint32_t, U32,  "ask levels in the group")                                      \
  X(whole,         uint8_t,  BOOL, "1: the message was the whole book")                            \
  X(pad1,          uint8_t,  PAD,  "zero")                                                         \
  X(pad2,          uint16_t, PAD,  "zero")

#define MD_BBO_FIELDS(X)                                                                           \
  X(bid_px,      int64_t,  PX,  "best bid, absent when there is none")                             \
  X(bid_qty,     int64_t,  QTY, "its quantity")                                                    \
  X(ask_px,      int64_t,  PX,  "best ask, absent when there is none")                             \
  X(ask_qty,     int64_t,  QTY, "its quantity")                                                    \
  X(ts_match_ns, int64_t,  TS,  "time of the match that made it")                                  \
  X(bid_orders,  uint32_t, U32, "orders at the best bid, 0 unknown")                               \
  X(ask_orders,  uint32_t, U32, "orders at the best ask, 0 unknown")

#define MD_TRADE_FIELDS(X)                                                                         \
  X(px,          int64_t,  PX,   "price")                                                          \
  X(qty,         int64_t,  QTY,  "quantity")                                                       \
  X(trade_id,    uint64_t, U64,  "the exchange's trade id")                                        \
  X(ts_match_ns, int64_t,  TS,   "time of the match")                                              \
  X(side,        uint8_t,  SIDE, "aggressor side")                                                 \
  X(origin,      uint8_t,  U8,   "md_trade_origin_t: market, insurance fund, ADL, other")          \
  X(source,      uint8_t,  U8,   "the exchange's number of what it came from (OKX 1: ELP), 0 ordinary") \
  X(pad0,        uint8_t,  PAD,  "zero")                                                           \
  X(fill_cnt,    uint32_t, U32,  "fills that it sums up, 0 unknown")                               \
  X(book_seq,    uint64_t, U64,  "id of the books at that time (OKX seqId)")

/* TRADE_DETAIL: what few exchanges say of a trade beside it; right behind its TRADE, none where
 * there is nothing of it. */
#define MD_TRADE_DETAIL_FIELDS(X)                                                                  \
  X(trade_id,        uint64_t,    U64,  "the exchange's trade id, as in the TRADE before it")      \
  X(mark_px,         md_dec128_t, D128, "mark price at the trade")                                 \
  X(index_px,        md_dec128_t, D128, "index price at the trade")                                \
  X(iv,              md_dec128_t, D128, "implied volatility of its price, percent")                \
  X(contracts,       md_dec128_t, D128, "its quantity in contracts")                               \
  X(buyer_order_id,  uint64_t,    U64,  "order of the buyer")                                      \
  X(seller_order_id, uint64_t,    U64,  "order of the seller")                                     \
  X(match_id,        uint64_t,    U64,  "the matching engine's own id")                            \
  X(rfq_id,          uint64_t,    U64,  "request for quotes that it answers")                      \
  X(combo_trade_id,  uint64_t,    U64,  "trade of the combination that it is a leg of")            \
  X(block_trade_id,  char_symbol, SYM,  "block trade that it is a part of")                        \
  X(combo_id,        char_symbol, SYM,  "combination that was traded")                             \
  X(liquidation,     char_word,   ASSET, "who was liquidated: M maker, T taker, MT both")          \
  X(block_leg_cnt,   uint64_t,    U64,  "legs of the block trade")                                 \
  X(tick_direction,  uint64_t,    U64,  "0 above the one before, 1 same after up, 2 below, 3 same after down")

#define MD_AGG_TRADE_FIELDS(X)                                                                     \
  X(px,             int64_t,  PX,   "price")                                                       \
  X(qty,            int64_t,  QTY,  "quantity")                                                    \
  X(agg_id,         uint64_t, U64,  "the exchange's aggregate id")                                 \
  X(trade_id_first, uint64_t, U64,  "first trade id in the aggregate")                             \
  X(trade_id_last,  uint64_t, U64,  "last trade id in the aggregate")                              \
  X(ts_match_ns,    int64_t,  TS,   "time of the match")                                           \
  X(side,           uint8_t,  SIDE, "aggressor side")                                              \
  X(pad0,           uint8_t,  PAD,  "zero")                                                        \
  X(pad1,           uint16_t, PAD,  "zero")                                                        \
  X(pad2,           uint32_t, PAD,  "zero")                                                        \
  X(qty_book,       int64_t,  QTY,  "quantity without orders of retail price improvement")

#define MD_KLINE_FIELDS(X)                                                                         \
  X(ts_open_ns,      int64_t,     TS,   "first instant of the bar")                                \
  X(ts_close_ns,     int64_t,     TS,   "last instant of the bar")                                 \
  X(open,            int64_t,     PX,   "first price")                                             \
  X(high,            int64_t,     PX,   "highest price")                                           \
  X(low,             int64_t,     PX,   "lowest price")                                            \
  X(close,           int64_t,     PX,   "last price")                                              \
  X(volume,          int64_t,     QTY,  "base quantity")                                           \
  X(taker_volume,    int64_t,     QTY,  "base quantity bought by the aggressor")                   \
  X(turnover,        md_dec128_t, D128, "quote quantity")                                          \
  X(taker_turnover,  md_dec128_t, D128, "quote quantity bought by the aggressor")                  \
  X(trade_id_first,  uint64_t,    U64,  "first trade id in the bar")                               \
  X(trade_id_last,   uint64_t,    U64,  "last trade id in the bar")                                \
  X(trade_cnt,       uint64_t,    U64,  "trades in the bar")                                       \
  X(interval_s,      uint32_t,    U32,  "length of the bar in seconds")                            \
  X(closed,          uint8_t,     BOOL, "1: the exchange says that the bar is final")              \
  X(pad0,            uint8_t,     PAD,  "zero")                                                    \
  X(pad1,            uint16_t,    PAD,  "zero")                                                    \
  X(volume_ccy,      md_dec128_t, D128, "volume in a second unit: base of derivatives, quote of spot")

#define MD_TICKER_FIELDS(X)                                                                        \
  X(ts_open_ns,     int64_t,     TS,   "start of the statistics window")                           \
  X(ts_close_ns,    int64_t,     TS,   "end of the statistics window")                             \
  X(last_px,        int64_t,     PX,   "last price")                                               \
  X(last_qty,       int64_t,     QTY,  "last quantity")                                            \
  X(open,           int64_t,     PX,   "first price of the window")                                \
  X(high,           int64_t,     PX,   "highest price of the window")                              \
  X(low,            int64_t,     PX,   "lowest price of the window")                               \
  X(bid_px,         int64_t,     PX,   "best bid")                                                 \
  X(bid_qty,        int64_t,     QTY,  "its quantity")                                             \
  X(ask_px,         int64_t,     PX,   "best ask")                                                 \
  X(ask_qty,        int64_t,     QTY,  "its quantity")                                             \
  X(volume,         md_dec128_t, D128, "base quantity of the window")                              \
  X(turnover,       md_dec128_t, D128, "quote quantity of the window")                             \
  X(vwap,           md_dec128_t, D128, "volume-weighted average price")                            \
  X(change,         md_dec128_t, D128, "price change over the window")                             \
  X(change_percent, md_dec128_t, D128, "the same in percent")                                      \
  X(trade_id_first, uint64_t,    U64,  "first trade id of the window")                             \
  X(trade_id_last,  uint64_t,    U64,  "last trade id of the window")                              \
  X(trade_cnt,      uint64_t,    U64,  "trades of the window")                                     \
  X(prev_close,     int64_t,     PX,   "last price before the window")                             \
  X(open_utc0,      int64_t,     PX,   "first price of the day in UTC")                            \
  X(open_utc8,      int64_t,     PX,   "first price of the day in UTC+8")                          \
  X(volume_ccy,     md_dec128_t, D128, "volume in a second unit: base of derivatives, quote of spot") \
  X(volume_usd,     md_dec128_t, D128, "volume in USD")                                            \
  X(settlement_px,  md_dec128_t, D128, "price of the last settlement")                             \
  X(limit_low_px,   md_dec128_t, D128, "lowest price that is taken")                               \
  X(limit_high_px,  md_dec128_t, D128, "highest price that is taken")                              \
  X(trading,        uint8_t,     U8,   "md_trading_t, 0 unknown")                                  \
  X(pad0,           uint8_t,     PAD,  "zero")                                                     \
  X(pad1,           uint16_t,    PAD,  "zero")                                                     \
  X(pad2,           uint32_t,    PAD,  "zero")

#define MD_FUNDING_FIELDS(X)                                                                       \
  X(rate,        md_dec128_t, D128, "funding rate of the running interval, a fraction")            \
  X(predicted,   md_dec128_t, D128, "predicted rate of the next interval")                         \
  X(ts_next_ns,  int64_t,     TS,   "next funding time")                                           \
  X(interval_s,  uint32_t,    U32,  "length of the interval in seconds, 0 unknown")                \
  X(pad0,        uint32_t,    PAD,  "zero")                                                        \
  X(ts_prev_ns,  int64_t,     TS,   "funding time before the next one")                            \
  X(ts_after_ns, int64_t,     TS,   "funding time behind the next one")                            \
  X(rate_8h,     md_dec128_t, D128, "rate of the last eight hours")                                \
  X(rate_min,    md_dec128_t, D128, "lowest rate that there can be")                               \
  X(rate_max,    md_dec128_t, D128, "highest rate that there can be")                              \
  X(premium,     md_dec128_t, D128, "premium between contract and index")                          \
  X(interest,    md_dec128_t, D128, "interest rate within the rate")                               \
  X(interest_value, md_dec128_t, D128, "sum of what a position paid (Deribit interest_value)")     \
  X(impact_value, md_dec128_t, D128, "order value at which the premium is measured")               \
  X(settled_rate, md_dec128_t, D128, "rate of the settlement that settle_state speaks of")         \
  X(method,      char_word,   ASSET, "how the rate is made (OKX method)")                          \
  X(formula,     char_word,   ASSET, "formula of the rate (OKX formulaType)")                      \
  X(settle_state, char_word,  ASSET, "state of the settlement (OKX settState)")

#define MD_MARK_FIELDS(X)                                                                          \
  X(mark_px,   md_dec128_t, D128, "mark price")                                                    \
  X(settle_px, md_dec128_t, D128, "estimated settlement price")                                    \
  X(avg_px,    md_dec128_t, D128, "moving average of the mark price")

#define MD_INDEX_FIELDS(X)                                                                         \
  X(index_px,  md_dec128_t, D128, "index price")                                                   \
  X(open,      md_dec128_t, D128, "index 24 hours ago")                                            \
  X(high,      md_dec128_t, D128, "highest of 24 hours")                                           \
  X(low,       md_dec128_t, D128, "lowest of 24 hours")                                            \
  X(open_utc0, md_dec128_t, D128, "first of the day in UTC")                                       \
  X(open_utc8, md_dec128_t, D128, "first of the day in UTC+8")

#define MD_OPEN_INTEREST_FIELDS(X)                                                                 \
  X(contracts, md_dec128_t, D128, "open contracts")                                                \
  X(base_qty,  md_dec128_t, D128, "the same in base units")                                        \
  X(quote_qty, md_dec128_t, D128, "the same in quote units")

#define MD_LIQUIDATION_FIELDS(X)                                                                   \
  X(px,          int64_t, PX,   "order price, or bankruptcy price")                                \
  X(avg_px,      int64_t, PX,   "average fill price")                                              \
  X(qty,         int64_t, QTY,  "order quantity")                                                  \
  X(filled_qty,  int64_t, QTY,  "filled quantity")                                                 \
  X(ts_match_ns, int64_t, TS,   "time of the order")                                               \
  X(side,        uint8_t, SIDE, "side of the liquidating order")                                   \
  X(pad0,        uint8_t, PAD,  "zero")                                                            \
  X(pad1,        uint16_t, PAD, "zero")                                                            \
  X(pad2,        uint32_t, PAD, "zero")                                                            \
  X(last_qty,      int64_t,     QTY,   "quantity of the last fill")                                \
  X(loss,          md_dec128_t, D128,  "loss of the bankrupt position")                            \
  X(currency,      char_word,   ASSET, "currency of the loss")                                     \
  X(order_type,    char_word,   ASSET, "LIMIT")                                                    \
  X(time_in_force, char_word,   ASSET, "IOC")                                                      \
  X(status,        char_word,   ASSET, "FILLED, PARTIALLY_FILLED")                                 \
  X(position,      char_word,   ASSET, "side of the position: long, short, net")

#define MD_LONG_SHORT_RATIO_FIELDS(X)                                                              \
  X(ratio,       md_dec128_t, D128, "long divided by short")                                       \
  X(long_share,  md_dec128_t, D128, "fraction that is long")                                       \
  X(short_share, md_dec128_t, D128, "fraction that is short")                                      \
  X(period_s,    uint32_t,    U32,  "length of the period in seconds")                             \
  X(basis,       uint8_t,     U8,   "md_ratio_basis_t: top positions, top accounts, all accounts") \
  X(pad0,        uint8_t,     PAD,  "zero")                                                        \
  X(pad1,        uint16_t,    PAD,  "zero")

#define MD_VOLATILITY_INDEX_FIELDS(X)                                                              \
  X(open,  md_dec128_t, D128, "first value of the period, absent for a single value")              \
  X(high,  md_dec128_t, D128, "highest value")                                                     \
  X(low,   md_dec128_t, D128, "lowest value")                                                      \
  X(value, md_dec128_t, D128, "last value")

#define MD_GREEKS_FIELDS(X)                                                                        \
  X(delta,      md_dec128_t, D128, "delta")                                                        \
  X(gamma,      md_dec128_t, D128, "gamma")                                                        \
  X(vega,       md_dec128_t, D128, "vega")                                                         \
  X(theta,      md_dec128_t, D128, "theta")                                                        \
  X(rho,        md_dec128_t, D128, "rho")                                                          \
  X(mark_iv,    md_dec128_t, D128, "implied volatility of the mark price, percent")                \
  X(bid_iv,     md_dec128_t, D128, "implied volatility of the best bid, percent")                  \
  X(ask_iv,     md_dec128_t, D128, "implied volatility of the best ask, percent")                  \
  X(underlying, md_dec128_t, D128, "price of the underlying")                                      \
  X(interest,   md_dec128_t, D128, "interest rate within the volatilities")                        \
  X(underlying_name, char_symbol, SYM, "what the underlying is: a future, or an index")

#define MD_NBBO_FIELDS(X)                                                                          \
  X(bid_px,         int64_t,  PX,  "best bid over the legs")                                       \
  X(bid_qty,        int64_t,  QTY, "its quantity")                                                 \
  X(ask_px,         int64_t,  PX,  "best ask over the legs")                                       \
  X(ask_qty,        int64_t,  QTY, "its quantity")                                                 \
  X(bid_instrument, uint32_t, U32, "instrument id of the best bid")                                \
  X(ask_instrument, uint32_t, U32, "instrument id of the best ask")

#define MD_STATUS_FIELDS(X)                                                                        \
  X(subject, uint8_t,  U8,  "md_status_subject_t: book, connection, venue, instrument")            \
  X(before,  uint8_t,  U8,  "state before (md_book_state_t for a book)")                           \
  X(after,   uint8_t,  U8,  "state now")                                                           \
  X(reason,  uint8_t,  U8,  "md_reason_t")                                                         \
  X(gen,     uint32_t, U32, "generation of the book, counts resyncs")

/* GAP: what the exchange did not give us. */
#define MD_GAP_FIELDS(X)                                                                           \
  X(exch_seq_last, uint64_t, U64, "last exchange sequence that is covered, absent if none")        \
  X(exch_seq_seen, uint64_t, U64, "the one that came instead, absent if none")                     \
  X(missed_cnt,    uint64_t, U64, "messages dropped by us (sync buffer), 0 if unknown")            \
  X(reason,        uint8_t,  U8,  "md_reason_t")                                                   \
  X(record_type,   uint8_t,  U8,  "which data: MD_RECORD_BOOK_DELTA, MD_RECORD_TRADE ...")         \
  X(pad0,          uint16_t, PAD, "zero")                                                          \
  X(pad1,          uint32_t, PAD, "zero")

/* CHECKPOINT: state repeated so that a segment stands alone; has the seq of the last record before it.
 * Behind the body stands what inner says: BEGIN, END nothing; DEFINITION md_definition_t; BOOK
 * md_level_t bids then asks, every level known, a group closed by LAST. */
#define MD_CHECKPOINT_FIELDS(X)                                                                    \
  X(inner,          uint8_t,  U8,  "md_checkpoint_kind_t")                                         \
  X(book_state,     uint8_t,  U8,  "md_book_state_t at this point")                                \
  X(book_reason,    uint8_t,  U8,  "md_reason_t of STALE")                                         \
  X(pad0,           uint8_t,  PAD, "zero")                                                         \
  X(gen,            uint32_t, U32, "generation of the book")                                       \
  X(request,        uint64_t, U64, "number of the journal's request that this answers")            \
  X(trade_id_last,  uint64_t, U64, "last trade id, absent if none")                                \
  X(agg_id_last,    uint64_t, U64, "last aggregate id, absent if none")                            \
  X(trusted_bid,    int64_t,  PX,  "lowest bid that is known, absent: all are")                    \
  X(trusted_ask,    int64_t,  PX,  "highest ask that is known, absent: all are")                   \
  X(bid_cnt,        uint16_t, U16, "bid levels in this record")                                    \
  X(ask_cnt,        uint16_t, U16, "ask levels in this record")                                    \
  X(bid_total,      uint32_t, U32, "bid levels in the group")                                      \
  X(ask_total,      uint32_t, U32, "ask levels in the group")                                      \
  X(pad1,           uint32_t, PAD, "zero")

/* LOSS: what one sink did not get. Stands in that sink only, has no seq of its own (0). */
#define MD_LOSS_FIELDS(X)                                                                          \
  X(seq_first,  uint64_t, U64, "first lost sequence of the header's stream")                       \
  X(seq_last,   uint64_t, U64, "last lost sequence")                                               \
  X(record_cnt, uint64_t, U64, "records lost: seq_last - seq_first + 1")                           \
  X(reason,     uint8_t,  U8,  "md_reason_t")                                                      \
  X(pad0,       uint8_t,  PAD, "zero")                                                             \
  X(pad1,       uint16_t, PAD, "zero")                                                             \
  X(pad2,       uint32_t, PAD, "zero")

#endif
