"""field_map.py - where each field of field_frames.py goes: MAP[feed][message][path] -> a list of (record, column, how).

A path is the JSON path of the field, array elements by their number, filters by their name. `how` is a conversion of
check_fields.py. A text instead of a list is the reason why a field has no column; a field that is neither fails the test.
COMPAT rows name the view of schema marketprism and its column.
"""

REPEATS = "repeats the symbol or the kind of the instrument: its row in instruments has it"
ROUTING = "names the stream or the kind of message: the table says it"
RULES = "a rule for orders or of margin, no market data: ask the exchange; the RAW frame keeps it"
ANSWER = "about the answer or the whole exchange, not about an instrument"
CONSTANT = "always the same, the exchange says that it means nothing"


def one(record, column, how, *compat):
    return [(record, column, how)] + [("marketprism." + view, name, conversion) for view, name, conversion in compat]


def num(record, column, *compat):
    return one(record, column, "num", *[(view, name, "num") for view, name in compat])


def whole(record, column, *compat):
    return one(record, column, "int", *compat)


def ms(record, column, *compat):
    return one(record, column, "ms", *[(view, name, "ms_time") for view, name in compat])


def text(record, column):
    return one(record, column, "text")


def sent(record):
    return ms(record, "ts_exch_ns")


STREAM = {"stream": ROUTING, "data.e": ROUTING, "data.s": [("instrument", "symbol", "text")], "data.ps": REPEATS, "data.st": REPEATS}


def definition(prefix, fields):
    return {prefix + path: (rule if isinstance(rule, str) else [("definition",) + rule]) for path, rule in fields.items()}


# ---- Binance ----

TRADES = "trades"
BN_TRADE = {
    **STREAM, "data.E": sent("trade"), "data.t": whole("trade", "trade_id", (TRADES, "trade_id", "int")) + [("trade", "exch_seq", "int")],
    "data.p": num("trade", "px", (TRADES, "price")), "data.q": num("trade", "qty", (TRADES, "quantity")),
    "data.T": ms("trade", "ts_match_ns", (TRADES, "trade_time")),
    "data.m": one("trade", "side", "maker_buys", (TRADES, "side", "maker_buys_word"), (TRADES, "is_maker", "bool")),
    "data.M": CONSTANT, "data.X": one("trade", "origin", "origin"),
    "data.b": whole("trade_detail", "buyer_order_id"), "data.a": whole("trade_detail", "seller_order_id"),
}


def agg(is_spot):
    compat = () if is_spot else (TRADES,)
    return {
        **STREAM, "data.E": sent("agg_trade"), "data.a": whole("agg_trade", "agg_id", *[(v, "trade_id", "int") for v in compat]),
        "data.p": num("agg_trade", "px", *[(v, "price") for v in compat]), "data.q": num("agg_trade", "qty", *[(v, "quantity") for v in compat]),
        "data.nq": num("agg_trade", "qty_book"), "data.f": whole("agg_trade", "trade_id_first"), "data.l": whole("agg_trade", "trade_id_last"),
        "data.T": ms("agg_trade", "ts_match_ns", *[(v, "trade_time") for v in compat]), "data.M": CONSTANT,
        "data.m": one("agg_trade", "side", "maker_buys", *[(v, "is_maker", "bool") for v in compat]),
    }


BN_DEPTH = {
    **STREAM, "data.E": sent("book_delta"), "data.T": one("book_delta", "match_lag_us", "lag"),
    "data.U": whole("book_delta", "exch_seq_first"), "data.u": whole("book_delta", "exch_seq"), "data.pu": whole("book_delta", "exch_seq_prev"),
    "data.b": one("book_delta", "bid", "levels"), "data.a": one("book_delta", "ask", "levels"),
}
BN_SNAPSHOT = {
    "lastUpdateId": whole("book_snapshot", "exch_seq"), "E": sent("book_snapshot"), "symbol": [("instrument", "symbol", "text")], "pair": REPEATS,
    "T": "time of the last match before a snapshot; E stands beside it, and lastUpdateId says where it belongs",
    "bids": one("book_snapshot", "bid", "levels"), "asks": one("book_snapshot", "ask", "levels"),
}
BN_TICKER_1S = {
    **STREAM, "data.E": sent("bbo"), "data.T": ms("bbo", "ts_match_ns"), "data.u": whole("bbo", "exch_seq"), "data.b": num("bbo", "bid_px"),
    "data.B": num("bbo", "bid_qty"), "data.a": num("bbo", "ask_px"), "data.A": num("bbo", "ask_qty"),
}
KLINES = "klines"
BN_KLINE = {
    **STREAM, "data.E": sent("kline"), "data.k.s": REPEATS, "data.k.t": ms("kline", "ts_open_ns", (KLINES, "time")), "data.k.T": ms("kline", "ts_close_ns"),
    "data.k.i": one("kline", "interval_s", "interval", (KLINES, "interval", "text")), "data.k.f": whole("kline", "trade_id_first"),
    "data.k.L": whole("kline", "trade_id_last"), "data.k.o": num("kline", "open", (KLINES, "open")), "data.k.c": num("kline", "close", (KLINES, "close")),
    "data.k.h": num("kline", "high", (KLINES, "high")), "data.k.l": num("kline", "low", (KLINES, "low")),
    "data.k.v": num("kline", "volume", (KLINES, "volume")), "data.k.n": whole("kline", "trade_cnt", (KLINES, "trades_count", "int")),
    "data.k.x": one("kline", "closed", "bool", (KLINES, "closed", "bool")), "data.k.q": num("kline", "turnover", (KLINES, "quote_volume")),
    "data.k.V": num("kline", "taker_volume"), "data.k.Q": num("kline", "taker_turnover"), "data.k.B": CONSTANT,
}
BN_TICKER = {
    **STREAM, "data.E": sent("ticker"), "data.p": num("ticker", "change"), "data.P": num("ticker", "change_percent"), "data.w": num("ticker", "vwap"),
    "data.x": num("ticker", "prev_close"), "data.c": num("ticker", "last_px"), "data.Q": num("ticker", "last_qty"), "data.b": num("ticker", "bid_px"),
    "data.B": num("ticker", "bid_qty"), "data.a": num("ticker", "ask_px"), "data.A": num("ticker", "ask_qty"), "data.o": num("ticker", "open"),
    "data.h": num("ticker", "high"), "data.l": num("ticker", "low"), "data.v": num("ticker", "volume"), "data.q": num("ticker", "turnover"),
    "data.O": ms("ticker", "ts_open_ns"), "data.C": ms("ticker", "ts_close_ns"), "data.F": whole("ticker", "trade_id_first"),
    "data.L": whole("ticker", "trade_id_last"), "data.n": whole("ticker", "trade_cnt"),
}
FUNDING = "funding_rates"
BN_MARK = {
    **STREAM, "data.E": sent("mark") + sent("index") + ms("funding", "ts_exch_ns", (FUNDING, "funding_time")),
    "data.p": num("mark", "mark_px", (FUNDING, "mark_price")), "data.ap": num("mark", "avg_px"), "data.P": num("mark", "settle_px"),
    "data.i": num("index", "index_px", (FUNDING, "index_price")), "data.r": num("funding", "rate", (FUNDING, "funding_rate")),
    "data.T": ms("funding", "ts_next_ns", (FUNDING, "next_funding_time")),
}
LIQUIDATIONS = "liquidations"
BN_LIQUIDATION = {
    "stream": ROUTING, "data.e": ROUTING, "data.E": sent("liquidation"), "data.o.s": [("instrument", "symbol", "text")], "data.o.ps": REPEATS, "data.o.st": REPEATS,
    "data.o.S": one("liquidation", "side", "side", (LIQUIDATIONS, "side", "lower")), "data.o.o": text("liquidation", "order_type"),
    "data.o.f": text("liquidation", "time_in_force"), "data.o.q": num("liquidation", "qty"), "data.o.p": num("liquidation", "px", (LIQUIDATIONS, "price")),
    "data.o.ap": num("liquidation", "avg_px"), "data.o.X": text("liquidation", "status"), "data.o.l": num("liquidation", "last_qty"),
    "data.o.z": num("liquidation", "filled_qty", (LIQUIDATIONS, "quantity")), "data.o.T": ms("liquidation", "ts_match_ns", (LIQUIDATIONS, "liquidation_time")),
}
OI = "open_interests"
BN_OPEN_INTEREST = {
    "symbol": [("instrument", "symbol", "text")], "pair": REPEATS, "contractType": REPEATS,
    "openInterest": num("open_interest", "contracts", (OI, "open_interest")), "time": sent("open_interest"),
}
BN_PREMIUM = {
    "symbol": [("instrument", "symbol", "text")], "markPrice": num("mark", "mark_px", (FUNDING, "mark_price")),
    "indexPrice": num("index", "index_px", (FUNDING, "index_price")), "estimatedSettlePrice": num("mark", "settle_px"),
    "lastFundingRate": num("funding", "rate", (FUNDING, "funding_rate")), "interestRate": num("funding", "interest"),
    "nextFundingTime": ms("funding", "ts_next_ns", (FUNDING, "next_funding_time")), "time": sent("funding"),
}
BN_FUNDING_INFO = {  # said once, stored with each rate that follows
    "0.symbol": REPEATS, "0.adjustedFundingRateCap": [("funding of BTCUSDT", "rate_max", "num")],
    "0.adjustedFundingRateFloor": [("funding of BTCUSDT", "rate_min", "num")], "0.fundingIntervalHours": [("funding of BTCUSDT", "interval_s", "hours")],
    "0.disclaimer": CONSTANT, "0.updateTime": "when the limits were set; the rates that they hold for have their own times",
}


def bn_ratio(view, long_name):
    compat = ((view, f"long_{long_name}_ratio"), (view, f"short_{long_name}_ratio")) if view else ()
    return {
        "0.symbol": [("instrument", "symbol", "text")], "0.longShortRatio": num("long_short_ratio", "ratio"),
        "0.longAccount": num("long_short_ratio", "long_share", *compat[:1]), "0.shortAccount": num("long_short_ratio", "short_share", *compat[1:]),
        "0.timestamp": sent("long_short_ratio"),
    }


def bn_info(status, more):
    row = {
        "symbol": ("symbol", "text"), status: ("trading", "trading"), "baseAsset": ("base", "text"), "quoteAsset": ("quote", "text"), "pair": REPEATS,
        "filters.PRICE_FILTER.tickSize": ("tick_size", "num"), "filters.LOT_SIZE.minQty": ("min_qty", "num"), "filters.LOT_SIZE.stepSize": ("lot_size", "num"),
        "onboardDate": RULES, "underlyingType": RULES, **more}
    for name in ("PRICE_FILTER.minPrice PRICE_FILTER.maxPrice LOT_SIZE.maxQty NOTIONAL.applyMinToMarket NOTIONAL.maxNotional").split():
        row["filters." + name] = RULES
    for name in ("baseAssetPrecision quotePrecision quoteAssetPrecision orderTypes.0 icebergAllowed isSpotTradingAllowed maintMarginPercent "
                 "requiredMarginPercent pricePrecision quantityPrecision underlyingSubType.0 settlePlan triggerProtect liquidationFee marketTakeBound "
                 "maxMoveOrderLimit equalQtyPrecision timeInForce.0").split():
        row[name] = RULES
    return {"timezone": ANSWER, "serverTime": ANSWER, "futuresType": ANSWER, **definition("symbols.0.", row)}


BINANCE_FUTURES = {
    "depthUpdate": BN_DEPTH, "depth": BN_SNAPSHOT, "trade": BN_TRADE, "trade of the fund": BN_TRADE, "aggTrade": agg(False), "bookTicker": BN_TICKER_1S,
    "kline": BN_KLINE, "24hrTicker": BN_TICKER, "markPriceUpdate": BN_MARK, "forceOrder": BN_LIQUIDATION, "openInterest": BN_OPEN_INTEREST,
    "premiumIndex": BN_PREMIUM, "fundingInfo": BN_FUNDING_INFO, "topLongShortPositionRatio": bn_ratio("lsr_top_positions", "position"),
    "topLongShortAccountRatio": bn_ratio(None, ""), "globalLongShortAccountRatio": bn_ratio("lsr_all_accounts", "account"),
}

# ---- OKX ----

OKX_ARG = {"arg.channel": ROUTING, "arg.instId": [("instrument", "symbol", "text")], "arg.instType": ROUTING, "data.0.instId": REPEATS, "data.0.instType": REPEATS}
OKX_BOOK = {
    **OKX_ARG, "action": ROUTING, "data.0.ts": sent("{book}"), "data.0.checksum": "0 since 2026; before, compared with the book and worth nothing afterwards",
    "data.0.seqId": whole("{book}", "exch_seq"), "data.0.bids": one("{book}", "bid", "levels") + [("book_orders", "bid", "orders")],
    "data.0.asks": one("{book}", "ask", "levels") + [("book_orders", "ask", "orders")],
}
OKX_COMMON = {
    "books snapshot": {**OKX_BOOK, "data.0.prevSeqId": "-1 says that it is a snapshot: the table says it"},
    "books update": {**OKX_BOOK, "data.0.prevSeqId": whole("book_delta", "exch_seq_prev") + [("book_orders", "exch_seq_prev", "int")]},
    "trades": {
        **OKX_ARG, "data.0.tradeId": whole("trade", "trade_id", (TRADES, "trade_id", "int")), "data.0.px": num("trade", "px", (TRADES, "price")),
        "data.0.sz": num("trade", "qty", (TRADES, "quantity")), "data.0.side": one("trade", "side", "side", (TRADES, "side", "lower")),
        "data.0.ts": ms("trade", "ts_match_ns", (TRADES, "trade_time")) + sent("trade"), "data.0.count": whole("trade", "fill_cnt"),
        "data.0.source": whole("trade", "source"), "data.0.seqId": whole("trade", "book_seq")},
    "bbo-tbt": {
        **OKX_ARG, "data.0.asks.0.0": num("bbo", "ask_px"), "data.0.asks.0.1": num("bbo", "ask_qty"), "data.0.asks.0.2": CONSTANT,
        "data.0.asks.0.3": whole("bbo", "ask_orders"), "data.0.bids.0.0": num("bbo", "bid_px"), "data.0.bids.0.1": num("bbo", "bid_qty"),
        "data.0.bids.0.2": CONSTANT, "data.0.bids.0.3": whole("bbo", "bid_orders"), "data.0.ts": sent("bbo"), "data.0.seqId": whole("bbo", "exch_seq")},
    "tickers": {
        **OKX_ARG, "data.0.ts": sent("ticker") + ms("ticker", "ts_close_ns"), "data.0.last": num("ticker", "last_px"), "data.0.lastSz": num("ticker", "last_qty"),
        "data.0.askPx": num("ticker", "ask_px"), "data.0.askSz": num("ticker", "ask_qty"), "data.0.bidPx": num("ticker", "bid_px"),
        "data.0.bidSz": num("ticker", "bid_qty"), "data.0.open24h": num("ticker", "open"), "data.0.high24h": num("ticker", "high"),
        "data.0.low24h": num("ticker", "low"), "data.0.sodUtc0": num("ticker", "open_utc0"), "data.0.sodUtc8": num("ticker", "open_utc8"),
        "data.0.volCcy24h": num("ticker", "volume_ccy"), "data.0.vol24h": num("ticker", "volume")},
    "candle1m": {
        **OKX_ARG, "data.0.0": ms("kline", "ts_open_ns", (KLINES, "time")), "data.0.1": num("kline", "open", (KLINES, "open")),
        "data.0.2": num("kline", "high", (KLINES, "high")), "data.0.3": num("kline", "low", (KLINES, "low")), "data.0.4": num("kline", "close", (KLINES, "close")),
        "data.0.5": num("kline", "volume", (KLINES, "volume")), "data.0.6": num("kline", "volume_ccy"),
        "data.0.7": num("kline", "turnover", (KLINES, "quote_volume")), "data.0.8": one("kline", "closed", "one_is_true", (KLINES, "closed", "one_is_true"))},
    "instruments": {
        "code": ANSWER, "msg": ANSWER,
        **definition("data.0.", {
            "instId": ("symbol", "text"), "baseCcy": ("base", "base_of"), "quoteCcy": ("quote", "quote_of"), "settleCcy": ("settle", "text"),
            "tickSz": ("tick_size", "num"), "lotSz": ("lot_size", "num"), "minSz": ("min_qty", "num"), "ctVal": ("contract_size", "num"),
            "ctType": ("inverse", "inverse"), "expTime": ("expiry_ns", "ms"), "stk": ("strike", "num"), "optType": ("option_type", "option"),
            "state": ("trading", "trading"), "instType": ("kind", "okx_kind"),
            "ctMult": "multiplied into contract_size", "ctValCcy": "base of a linear, quote of an inverse contract: inverse says which",
            "alias": REPEATS, "instFamily": REPEATS, "uly": REPEATS, "category": RULES, "lever": RULES, "listTime": RULES, "maxLmtSz": RULES, "maxMktSz": RULES,
            "ruleType": RULES})},
}


def okx_ratio(view):
    # A ratio alone: the shares of the views are NULL, which the exchange's answer leaves no choice about.
    return {"code": ANSWER, "msg": ANSWER, "data.0.0": sent("long_short_ratio") + ([("marketprism." + view, "ts_exch_ns", "ms")] if view else []),
            "data.0.1": num("long_short_ratio", "ratio", *([(view, "long_short_ratio")] if view else [])),
            "data.1.0": "an older row: it was the newest one of an earlier answer", "data.1.1": "an older row: it was the newest one of an earlier answer"}


OKX_DERIVATIVES = {
    **OKX_COMMON,
    "mark-price": {**OKX_ARG, "data.0.markPx": num("mark", "mark_px"), "data.0.ts": sent("mark")},
    "index-tickers": {
        **OKX_ARG, "data.0.idxPx": num("index", "index_px"), "data.0.open24h": num("index", "open"), "data.0.high24h": num("index", "high"),
        "data.0.low24h": num("index", "low"), "data.0.sodUtc0": num("index", "open_utc0"), "data.0.sodUtc8": num("index", "open_utc8"), "data.0.ts": sent("index")},
    "open-interest": {
        **OKX_ARG, "data.0.oi": num("open_interest", "contracts"), "data.0.oiCcy": num("open_interest", "base_qty", (OI, "open_interest")),
        "data.0.oiUsd": num("open_interest", "quote_qty", (OI, "open_interest_value")), "data.0.ts": sent("open_interest")},
    "funding-rate": {
        **OKX_ARG, "data.0.fundingRate": num("funding", "rate", (FUNDING, "funding_rate")), "data.0.nextFundingRate": num("funding", "predicted"),
        "data.0.fundingTime": ms("funding", "ts_next_ns", (FUNDING, "next_funding_time")), "data.0.nextFundingTime": ms("funding", "ts_after_ns"),
        "data.0.prevFundingTime": ms("funding", "ts_prev_ns"), "data.0.ts": ms("funding", "ts_exch_ns", (FUNDING, "funding_time")),
        "data.0.minFundingRate": num("funding", "rate_min"), "data.0.maxFundingRate": num("funding", "rate_max"), "data.0.premium": num("funding", "premium"),
        "data.0.interestRate": num("funding", "interest"), "data.0.impactValue": num("funding", "impact_value"),
        "data.0.settFundingRate": num("funding", "settled_rate"), "data.0.method": text("funding", "method"), "data.0.formulaType": text("funding", "formula"),
        "data.0.settState": text("funding", "settle_state")},
    "liquidation-orders": {
        **OKX_ARG, "data.0.instFamily": REPEATS, "data.0.uly": REPEATS, "data.0.details.0.bkLoss": num("liquidation", "loss"),
        "data.0.details.0.bkPx": num("liquidation", "px", (LIQUIDATIONS, "price")), "data.0.details.0.ccy": text("liquidation", "currency"),
        "data.0.details.0.posSide": text("liquidation", "position"),
        "data.0.details.0.side": one("liquidation", "side", "side", (LIQUIDATIONS, "side", "lower")),
        "data.0.details.0.sz": num("liquidation", "qty", (LIQUIDATIONS, "quantity")),
        "data.0.details.0.ts": ms("liquidation", "ts_match_ns", (LIQUIDATIONS, "liquidation_time"))},
    "position ratio of top traders": okx_ratio("lsr_top_positions"), "account ratio of top traders": okx_ratio(None),
    "account ratio of all": okx_ratio("lsr_all_accounts"),
}

# ---- Deribit ----

DB = {"jsonrpc": ROUTING, "method": ROUTING, "params.channel": ROUTING}
D = "params.data."
DB_BOOK = {
    **DB, D + "timestamp": sent("{book}"), D + "type": ROUTING, D + "instrument_name": [("instrument", "symbol", "text")], D + "change_id": whole("{book}", "exch_seq"),
    D + "prev_change_id": whole("book_delta", "exch_seq_prev"), D + "bids": one("{book}", "bid", "actions"), D + "asks": one("{book}", "ask", "actions"),
}
T = D + "0."
DB_TRADE = {
    **DB, T + "timestamp": sent("trade"), T + "price": num("trade", "px", (TRADES, "price")), T + "amount": num("trade", "qty", (TRADES, "quantity")),
    T + "direction": one("trade", "side", "side", (TRADES, "side", "lower")), T + "instrument_name": [("instrument", "symbol", "text")],
    T + "trade_seq": whole("trade", "exch_seq"), T + "trade_id": whole("trade", "trade_id", (TRADES, "trade_id", "int")) + [("trade_detail", "trade_id", "int")],
    T + "starbase_timestamp": whole("trade", "ts_match_ns"), T + "index_price": num("trade_detail", "index_px"), T + "mark_price": num("trade_detail", "mark_px"),
    T + "tick_direction": whole("trade_detail", "tick_direction"), T + "starbase_match_id": whole("trade_detail", "match_id"),
    T + "contracts": num("trade_detail", "contracts"), T + "iv": num("trade_detail", "iv"),
    T + "liquidation": text("trade_detail", "liquidation"), T + "block_trade_id": text("trade_detail", "block_trade_id"),
    T + "block_rfq_id": whole("trade_detail", "rfq_id"), T + "block_trade_leg_count": whole("trade_detail", "block_leg_cnt"),
    T + "combo_id": text("trade_detail", "combo_id"), T + "combo_trade_id": whole("trade_detail", "combo_trade_id"),
}


def db_ticker(is_option):
    stats, greeks = D + "stats.", D + "greeks."
    return {
        **DB, D + "timestamp": sent("ticker") + sent("mark"), stats + "volume": num("ticker", "volume"),
        stats + "volume_usd": num("ticker", "volume_usd") + ([("ticker", "turnover", "num")] if is_option else []), stats + "volume_notional": num("ticker", "turnover"),
        stats + "price_change": num("ticker", "change_percent"), stats + "low": num("ticker", "low"), stats + "high": num("ticker", "high"),
        D + "state": one("ticker", "trading", "trading"), D + "settlement_price": num("ticker", "settlement_px"),
        D + "open_interest": num("open_interest", "base_qty" if is_option else "quote_qty", *([(OI, "open_interest")] if is_option else [(OI, "open_interest_value")])),
        D + "min_price": num("ticker", "limit_low_px"), D + "max_price": num("ticker", "limit_high_px"), D + "mark_price": num("mark", "mark_px"),
        D + "last_price": num("ticker", "last_px"), D + "interest_value": num("funding", "interest_value"), D + "instrument_name": [("instrument", "symbol", "text")],
        D + "index_price": num("index", "index_px"), D + "funding_8h": num("funding", "rate_8h"), D + "estimated_delivery_price": num("mark", "settle_px"),
        D + "current_funding": num("funding", "rate", (FUNDING, "funding_rate")), D + "best_bid_price": num("ticker", "bid_px"),
        D + "best_bid_amount": num("ticker", "bid_qty"), D + "best_ask_price": num("ticker", "ask_px"), D + "best_ask_amount": num("ticker", "ask_qty"),
        greeks + "delta": num("greeks", "delta"), greeks + "gamma": num("greeks", "gamma"), greeks + "vega": num("greeks", "vega"),
        greeks + "theta": num("greeks", "theta"), greeks + "rho": num("greeks", "rho"), D + "mark_iv": num("greeks", "mark_iv"), D + "bid_iv": num("greeks", "bid_iv"),
        D + "ask_iv": num("greeks", "ask_iv"), D + "underlying_price": num("greeks", "underlying"), D + "underlying_index": text("greeks", "underlying_name"),
        D + "interest_rate": num("greeks", "interest"),
    }


def db_list(n):
    row = {
        "instrument_name": ("symbol", "text"), "base_currency": ("base", "text"), "quote_currency": ("quote", "text"), "settlement_currency": ("settle", "text"),
        "tick_size": ("tick_size", "num"), "min_trade_amount": ("min_qty", "num"), "contract_size": ("contract_size", "num"), "strike": ("strike", "num"),
        "option_type": ("option_type", "option"), "state": ("trading", "trading"), "kind": ("kind", "deribit_kind"),
        "expiration_timestamp": ("expiry_ns", "ms") if n else "a perpetual does not expire: the exchange gives a day in the year 3000",
        "instrument_type": ("inverse", "inverse") if not n else "an option is never inverse here: its quote is the base asset",
        "settlement_period": "kind says perpetual; how often a future settles is in its name",
        "tick_size_steps.0.tick_size": "the finest step sets the digits; tick_size is that of the lowest prices", "tick_size_steps.0.above_price": RULES,
        "is_active": "state says more"}
    for name in ("taker_commission maker_commission creation_timestamp counter_currency instrument_id price_index max_leverage block_trade_commission rfq "
                 "block_trade_tick_size block_trade_min_trade_amount max_liquidation_commission").split():
        row[name] = RULES
    return definition(f"result.{n}.", row)


DERIBIT = {
    "get_instruments": {"jsonrpc": ANSWER, "usIn": ANSWER, "usOut": ANSWER, "usDiff": ANSWER, "testnet": ANSWER, **db_list(0), **db_list(1)},
    "book snapshot": DB_BOOK, "book change": DB_BOOK, "trades": DB_TRADE, "trades of an option": DB_TRADE,
    "quote": {**DB, D + "timestamp": sent("bbo"), D + "instrument_name": [("instrument", "symbol", "text")], D + "best_bid_price": num("bbo", "bid_px"),
              D + "best_bid_amount": num("bbo", "bid_qty"), D + "best_ask_price": num("bbo", "ask_px"), D + "best_ask_amount": num("bbo", "ask_qty")},
    "ticker": db_ticker(False), "ticker of an option": db_ticker(True),
    "perpetual": {**DB, D + "index_price": num("index", "index_px", (FUNDING, "index_price")), D + "interest": num("funding", "rate", (FUNDING, "funding_rate")),
                  D + "timestamp": sent("funding")},
    "deribit_price_index": {**DB, D + "timestamp": sent("index"), D + "price": num("index", "index_px"), D + "index_name": [("instrument", "symbol", "text")]},
    "deribit_volatility_index": {
        **DB, D + "timestamp": sent("volatility_index"), D + "volatility": num("volatility_index", "value", ("volatility_indices", "index_value")),
        D + "index_name": [("instrument", "symbol", "text"), ("marketprism.volatility_indices", "underlying_asset", "base_of_index")]},
    "platform_state": {**DB, D + "price_index": [("instrument", "symbol", "text")], D + "locked": one("status", "after", "locked")},
    "instrument.state": {**DB, D + "timestamp": sent("status"), D + "state": one("status", "after", "trading"), D + "instrument_name": [("instrument", "symbol", "text")]},
}

MAP = {
    "binance_spot": {
        "exchangeInfo": bn_info("status", {"filters.NOTIONAL.minNotional": ("min_notional", "num"), "status": ("trading", "trading")}),
        "depthUpdate": BN_DEPTH, "depth": BN_SNAPSHOT, "trade": BN_TRADE, "trade with orders": BN_TRADE, "aggTrade": agg(True), "bookTicker": BN_TICKER_1S,
        "kline": BN_KLINE, "24hrTicker": BN_TICKER},
    "binance_derivatives": {
        **BINANCE_FUTURES,
        "exchangeInfo": bn_info("status", {
            "marginAsset": ("settle", "text"), "contractType": ("kind", "binance_kind"), "filters.MIN_NOTIONAL.notional": ("min_notional", "num"),
            "deliveryDate": "a perpetual does not expire: the exchange gives a day in the year 2100"})},
    "binance_coinm": {
        **BINANCE_FUTURES,
        "exchangeInfo": bn_info("contractStatus", {
            "marginAsset": ("settle", "text"), "contractType": ("kind", "binance_kind"), "contractSize": ("contract_size", "num"), "deliveryDate": ("expiry_ns", "ms")})},
    "okx_spot": OKX_COMMON, "okx_derivatives": OKX_DERIVATIVES, "deribit_derivatives": DERIBIT,
}
