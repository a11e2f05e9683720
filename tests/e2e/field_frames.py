"""field_frames.py - one message of every type of every feed, written for test_fields.sh after the exchanges' protocols.

FRAMES[feed] is a list of (name, kind, connection or URL, text). name is None for what only prepares the others. Within
a message every number differs from every other, so that two fields that change places are seen. WRITE makes a recording.
"""
import json
import sys

T0 = 1790755200000  # ms; each message comes STEP_MS behind the one before
STEP_MS = 700


def js(value):
    return json.dumps(value, separators=(",", ":"))


def binance(stream, text):
    return '{"stream":"' + stream + '","data":' + text + "}"


SPOT_WS = "wss://stream.binance.com:9443/stream?streams=btcusdt@depth@100ms"
SPOT_REST = "https://api.binance.com/api/v3/"
BINANCE_SPOT = [
    ("exchangeInfo", "H", SPOT_REST + "exchangeInfo?symbol=BTCUSDT", js({
        "timezone": "UTC", "serverTime": 1790755199001, "rateLimits": [], "exchangeFilters": [],
        "symbols": [{
            "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "baseAssetPrecision": 8, "quoteAsset": "USDT",
            "quotePrecision": 7, "quoteAssetPrecision": 6, "orderTypes": ["LIMIT"], "icebergAllowed": True,
            "isSpotTradingAllowed": True, "permissions": [], "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": "0.02000000", "maxPrice": "1000000.00000000", "tickSize": "0.01000000"},
                {"filterType": "LOT_SIZE", "minQty": "0.00002000", "maxQty": "9000.00000000", "stepSize": "0.00001000"},
                {"filterType": "NOTIONAL", "minNotional": "5.25000000", "applyMinToMarket": True, "maxNotional": "9000000.00000000"}]}]})),
    (None, "C", "spot", SPOT_WS),
    ("depthUpdate", "I", "spot", binance("btcusdt@depth@100ms",
     '{"e":"depthUpdate","E":1790755200101,"s":"BTCUSDT","U":7001,"u":7009,"b":[["60000.10","1.50000"],["59999.20","2.25000"]],"a":[["60001.30","3.12500"]]}')),
    ("depth", "H", SPOT_REST + "depth?symbol=BTCUSDT&limit=5000",
     '{"lastUpdateId":7004,"bids":[["60000.05","0.75000000"],["59998.00","4.00000000"]],"asks":[["60001.35","0.50000000"],["60003.00","6.00000000"]]}'),
    ("depthUpdate", "I", "spot", binance("btcusdt@depth@100ms",
     '{"e":"depthUpdate","E":1790755202102,"s":"BTCUSDT","U":7010,"u":7015,"b":[["59998.00","0.00000"]],"a":[["60002.40","7.06250"],["60001.35","0.00000"]]}')),
    ("trade", "I", "spot", binance("btcusdt@trade",
     '{"e":"trade","E":1790755203103,"s":"BTCUSDT","t":3071245454,"p":"60000.11000000","q":"0.00056000","T":1790755203100,"m":true,"M":true}')),
    (None, "I", "spot", binance("btcusdt@trade",  # sent again: no second row
     '{"e":"trade","E":1790755203103,"s":"BTCUSDT","t":3071245454,"p":"60000.11000000","q":"0.00056000","T":1790755203100,"m":true,"M":true}')),
    ("trade with orders", "I", "spot", binance("btcusdt@trade",
     '{"e":"trade","E":1790755203903,"s":"BTCUSDT","t":3071245455,"p":"60000.12000000","q":"0.00057000","b":20720542158,"a":20720542592,"T":1790755203900,"m":false,"M":true}')),
    ("aggTrade", "I", "spot", binance("btcusdt@aggTrade",
     '{"e":"aggTrade","E":1790755204104,"s":"BTCUSDT","a":15683430,"p":"60000.13000000","q":"0.00058000","f":19862790,"l":19862795,"T":1790755204101,"m":false,"M":true}')),
    ("bookTicker", "I", "spot", binance("btcusdt@bookTicker",
     '{"u":7016,"s":"BTCUSDT","b":"60000.15000000","B":"1.50010000","a":"60001.45000000","A":"3.12510000"}')),
    ("kline", "I", "spot", binance("btcusdt@kline_1m",
     '{"e":"kline","E":1790755205105,"s":"BTCUSDT","k":{"t":1790755200000,"T":1790755259999,"s":"BTCUSDT","i":"1m","f":3071245400,"L":3071245460,'
     '"o":"59990.01000000","c":"60000.02000000","h":"60010.03000000","l":"59980.04000000","v":"12.34567000","n":61,"x":false,'
     '"q":"740740.20123400","V":"5.43210000","Q":"325926.10567800","B":"0"}}')),
    ("24hrTicker", "I", "spot", binance("btcusdt@ticker",
     '{"e":"24hrTicker","E":1790755206106,"s":"BTCUSDT","p":"-123.45000000","P":"-0.205","w":"60050.12345678","x":"60123.47000000","c":"60000.16000000","Q":"0.00123000",'
     '"b":"60000.17000000","B":"1.11000000","a":"60001.18000000","A":"2.22000000","o":"60123.61000000","h":"61000.19000000","l":"59000.21000000",'
     '"v":"12345.67890000","q":"741234567.12345678","O":1790668806106,"C":1790755206100,"F":3070000001,"L":3071245456,"n":1245456}')),
]

USDM_WS = "wss://fstream.binance.com/market/stream?streams=btcusdt@aggTrade"
USDM_REST = "https://fapi.binance.com/"
BINANCE_DERIVATIVES = [
    ("exchangeInfo", "H", USDM_REST + "fapi/v1/exchangeInfo", js({
        "timezone": "UTC", "serverTime": 1790755199002, "futuresType": "U_MARGINED", "rateLimits": [], "exchangeFilters": [], "assets": [],
        "symbols": [{
            "symbol": "BTCUSDT", "pair": "BTCUSDT", "contractType": "PERPETUAL", "deliveryDate": 4133404800000, "onboardDate": 1569398400000,
            "status": "TRADING", "maintMarginPercent": "2.5000", "requiredMarginPercent": "5.1000", "baseAsset": "BTC", "quoteAsset": "USDT",
            "marginAsset": "USDT", "pricePrecision": 2, "quantityPrecision": 3, "baseAssetPrecision": 8, "quotePrecision": 9,
            "underlyingType": "COIN", "underlyingSubType": ["PoW"], "settlePlan": 0, "triggerProtect": "0.0520", "liquidationFee": "0.012500",
            "marketTakeBound": "0.06", "maxMoveOrderLimit": 10000, "orderTypes": ["LIMIT"], "timeInForce": ["GTC"], "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": "556.80", "maxPrice": "4529764", "tickSize": "0.10"},
                {"filterType": "LOT_SIZE", "minQty": "0.002", "maxQty": "1000", "stepSize": "0.001"},
                {"filterType": "MIN_NOTIONAL", "notional": "100.5"}]}]})),
    ("fundingInfo", "H", USDM_REST + "fapi/v1/fundingInfo",
     '[{"symbol":"BTCUSDT","adjustedFundingRateCap":"0.00375000","adjustedFundingRateFloor":"-0.00365000","fundingIntervalHours":4,"disclaimer":false,"updateTime":1790700000001}]'),
    (None, "C", "usdm", USDM_WS),
    ("depthUpdate", "I", "usdm", binance("btcusdt@depth@100ms",
     '{"e":"depthUpdate","E":1790755202201,"T":1790755202197,"s":"BTCUSDT","ps":"BTCUSDT","U":8001,"u":8009,"pu":7999,"b":[["60000.1","1.501"]],"a":[["60001.3","3.126"]],"st":1}')),
    ("depth", "H", USDM_REST + "fapi/v1/depth?symbol=BTCUSDT&limit=1000",
     '{"lastUpdateId":8005,"E":1790755202901,"T":1790755202893,"bids":[["60000.0","0.751"],["59998.0","4.001"]],"asks":[["60001.4","0.501"]]}'),
    ("depthUpdate", "I", "usdm", binance("btcusdt@depth@100ms",
     '{"e":"depthUpdate","E":1790755203601,"T":1790755203590,"s":"BTCUSDT","ps":"BTCUSDT","U":8010,"u":8015,"pu":8009,"b":[["59999.5","2.252"]],"a":[["60002.4","7.063"]],"st":1}')),
    ("trade", "I", "usdm", binance("btcusdt@trade",
     '{"e":"trade","E":1790755204301,"T":1790755204295,"s":"BTCUSDT","t":5537859420,"p":"60000.20","q":"0.014","X":"MARKET","m":true}')),
    ("trade of the fund", "I", "usdm", binance("btcusdt@trade",
     '{"e":"trade","E":1790755204302,"T":1790755204296,"s":"BTCUSDT","t":5537859421,"p":"60000.30","q":"0.015","X":"INSURANCE_FUND","m":false}')),
    ("aggTrade", "I", "usdm", binance("btcusdt@aggTrade",
     '{"e":"aggTrade","E":1790755205301,"a":309896910,"s":"BTCUSDT","p":"60000.40","q":"1046.765","nq":"1040.123","f":537859420,"l":537859465,"T":1790755205290,"m":false,"st":1}')),
    ("bookTicker", "I", "usdm", binance("btcusdt@bookTicker",
     '{"e":"bookTicker","u":8016,"s":"BTCUSDT","ps":"BTCUSDT","b":"60000.50","B":"11.445","a":"60001.60","A":"18.433","T":1790755206083,"E":1790755206084,"st":1}')),
    ("markPriceUpdate", "I", "usdm", binance("btcusdt@markPrice@1s",
     '{"e":"markPriceUpdate","E":1790755207000,"s":"BTCUSDT","p":"60003.61836957","ap":"60004.71836958","P":"60005.57692985","i":"60006.31260870","r":"-0.00000189","T":1790769600000,"st":1}')),
    ("kline", "I", "usdm", binance("btcusdt@kline_1m",
     '{"e":"kline","E":1790755207701,"s":"BTCUSDT","k":{"t":1790755200000,"T":1790755259999,"s":"BTCUSDT","i":"1m","f":5537859400,"L":5537859460,'
     '"o":"59990.10","c":"60000.20","h":"60010.30","l":"59980.40","v":"3917.001","n":62,"x":true,"q":"235000123.89900","V":"1729.002","Q":"103722345.01900","B":"0"}}')),
    ("24hrTicker", "I", "usdm", binance("btcusdt@ticker",
     '{"e":"24hrTicker","E":1790755208401,"s":"BTCUSDT","ps":"BTCUSDT","p":"-223.40","P":"-0.371","w":"60060.12","c":"60000.60","Q":"0.016","o":"60224.00","h":"61001.10","l":"59001.20",'
     '"v":"212345.678","q":"12741234567.12","O":1790668808400,"C":1790755208399,"F":5536859421,"L":5537859461,"n":1000041,"st":1}')),
    ("forceOrder", "I", "usdm", binance("btcusdt@forceOrder",
     '{"e":"forceOrder","E":1790755209101,"o":{"s":"BTCUSDT","S":"SELL","o":"LIMIT","f":"IOC","q":"0.214","p":"59800.10","ap":"59850.20","X":"PARTIALLY_FILLED","l":"0.103","z":"0.201","T":1790755209095,"ps":"BTCUSDT","st":1}}')),
    ("openInterest", "H", USDM_REST + "fapi/v1/openInterest?symbol=BTCUSDT", '{"openInterest":"10659.509","symbol":"BTCUSDT","time":1790755209700}'),
    ("premiumIndex", "H", USDM_REST + "fapi/v1/premiumIndex?symbol=BTCUSDT",
     '{"symbol":"BTCUSDT","markPrice":"60013.61836957","indexPrice":"60016.31260870","estimatedSettlePrice":"60015.57692985","lastFundingRate":"0.00003849","interestRate":"0.00010000","nextFundingTime":1790769600000,"time":1790755210400}'),
] + [
    (name, "H", USDM_REST + f"futures/data/{name}?symbol=BTCUSDT&period=5m&limit=1",
     f'[{{"symbol":"BTCUSDT","longShortRatio":"1.4{n}42","{share.format("long")}":"0.59{n}1","{share.format("short")}":"0.40{n}8","timestamp":17907552000{n}0}}]')
    for n, (name, share) in enumerate((("topLongShortPositionRatio", "{}Account"), ("topLongShortAccountRatio", "{}Account"),
                                       ("globalLongShortAccountRatio", "{}Account")))
]

COINM_WS = "wss://dstream.binance.com/stream?streams=btcusd_perp@aggTrade"
COINM_REST = "https://dapi.binance.com/"
BINANCE_COINM = [
    ("exchangeInfo", "H", COINM_REST + "dapi/v1/exchangeInfo", js({
        "timezone": "UTC", "serverTime": 1790755199003, "rateLimits": [], "exchangeFilters": [],
        "symbols": [{
            "symbol": "BTCUSD_261225", "pair": "BTCUSD", "contractType": "CURRENT_QUARTER", "deliveryDate": 1798185600000, "onboardDate": 1597042800000,
            "contractStatus": "TRADING", "contractSize": 100, "marginAsset": "BTC", "maintMarginPercent": "2.5000", "requiredMarginPercent": "5.1000",
            "baseAsset": "BTC", "quoteAsset": "USD", "pricePrecision": 1, "quantityPrecision": 0, "baseAssetPrecision": 8, "quotePrecision": 9,
            "equalQtyPrecision": 4, "maxMoveOrderLimit": 10000, "triggerProtect": "0.0530", "underlyingType": "COIN", "underlyingSubType": [],
            "orderTypes": ["LIMIT"], "timeInForce": ["GTC"], "liquidationFee": "0.006500", "marketTakeBound": "0.31", "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": "1000", "maxPrice": "4520958", "tickSize": "0.1"},
                {"filterType": "LOT_SIZE", "minQty": "2", "maxQty": "1000000", "stepSize": "1"}]}]})),
    (None, "C", "coinm", COINM_WS),
    ("depthUpdate", "I", "coinm", binance("btcusd_261225@depth@100ms",
     '{"e":"depthUpdate","E":1790755201401,"T":1790755201397,"s":"BTCUSD_261225","ps":"BTCUSD","U":9001,"u":9009,"pu":8999,"b":[["60100.1","151"]],"a":[["60101.3","313"]]}')),
    ("depth", "H", COINM_REST + "dapi/v1/depth?symbol=BTCUSD_261225&limit=1000",
     '{"lastUpdateId":9005,"E":1790755202101,"T":1790755202093,"symbol":"BTCUSD_261225","pair":"BTCUSD","bids":[["60100.0","75"],["60098.0","401"]],"asks":[["60101.4","51"]]}'),
    ("depthUpdate", "I", "coinm", binance("btcusd_261225@depth@100ms",
     '{"e":"depthUpdate","E":1790755202801,"T":1790755202790,"s":"BTCUSD_261225","ps":"BTCUSD","U":9010,"u":9015,"pu":9009,"b":[["60099.5","225"]],"a":[["60102.4","706"]]}')),
    ("trade", "I", "coinm", binance("btcusd_261225@trade",
     '{"e":"trade","E":1790755203501,"T":1790755203495,"s":"BTCUSD_261225","t":849714402,"p":"60100.2","q":"14","X":"MARKET","m":false}')),
    ("aggTrade", "I", "coinm", binance("btcusd_261225@aggTrade",
     '{"e":"aggTrade","E":1790755204201,"a":11285749,"s":"BTCUSD_261225","p":"60100.4","q":"46","f":16034449,"l":16034452,"T":1790755204190,"m":true}')),
    ("bookTicker", "I", "coinm", binance("btcusd_261225@bookTicker",
     '{"u":9016,"e":"bookTicker","s":"BTCUSD_261225","ps":"BTCUSD","b":"60100.5","B":"24","a":"60101.6","A":"669","T":1790755204864,"E":1790755204871}')),
    ("markPriceUpdate", "I", "coinm", binance("btcusd_261225@markPrice@1s",
     '{"e":"markPriceUpdate","E":1790755205600,"s":"BTCUSD_261225","p":"60103.61836957","P":"60105.57692985","i":"60106.31260870","r":"","T":0}')),
    ("kline", "I", "coinm", binance("btcusd_261225@kline_1m",
     '{"e":"kline","E":1790755206301,"s":"BTCUSD_261225","k":{"t":1790755200000,"T":1790755259999,"s":"BTCUSD_261225","i":"1m","f":11380855,"L":11380895,'
     '"o":"60090.1","c":"60100.2","h":"60110.3","l":"60080.4","v":"1893","n":41,"x":false,"q":"3.14653573","V":"1368","Q":"2.27228695","B":"0"}}')),
    ("forceOrder", "I", "coinm", binance("btcusd_261225@forceOrder",
     '{"e":"forceOrder","E":1790755207001,"o":{"s":"BTCUSD_261225","ps":"BTCUSD","S":"BUY","o":"LIMIT","f":"IOC","q":"21","p":"60800.1","ap":"60750.2","X":"FILLED","l":"3","z":"20","T":1790755206995}}')),
    ("openInterest", "H", COINM_REST + "dapi/v1/openInterest?symbol=BTCUSD_261225",
     '{"symbol":"BTCUSD_261225","pair":"BTCUSD","openInterest":"15004","contractType":"CURRENT_QUARTER","time":1790755207700}'),
]


def okx(channel, symbol, data, action=None):
    head = {"arg": {"channel": channel, "instId": symbol}}
    if action:
        head["action"] = action
    return js({**head, "data": data})


OKX_REST = "https://www.okx.com/api/v5/"
OKX_WS = "wss://ws.okx.com:8443/ws/v5/public"
OKX_BUSINESS = "wss://ws.okx.com:8443/ws/v5/business"


def okx_common(symbol, px, kind):
    """What both markets give alike; px tells the one from the other."""
    return [
        ("books snapshot", "I", "public", okx("books", symbol, [{
            "asks": [[f"{px}1.3", "3.1", "0", "31"], [f"{px}2.4", "4.2", "0", "42"]], "bids": [[f"{px}0.2", "1.5", "0", "15"]],
            "ts": "1790755202100", "checksum": 0, "seqId": 342177336800, "prevSeqId": -1}], "snapshot")),
        ("books update", "I", "public", okx("books", symbol, [{
            "asks": [[f"{px}2.4", "0", "0", "0"]], "bids": [[f"{px}0.1", "2.6", "0", "26"]],
            "ts": "1790755202800", "checksum": 0, "seqId": 342177336862, "prevSeqId": 342177336800}], "update")),
        ("trades", "I", "public", okx("trades", symbol, [{
            "instId": symbol, "tradeId": "2953620209", "px": f"{px}0.9", "sz": "0.7", "side": "sell", "ts": "1790755203782",
            "count": "3", "source": "1", "seqId": 342177336863}])),
        ("bbo-tbt", "I", "public", okx("bbo-tbt", symbol, [{
            "asks": [[f"{px}1.6", "67.1", "0", "70"]], "bids": [[f"{px}0.3", "57.2", "0", "83"]], "ts": "1790755204900", "seqId": 342177336945}])),
        ("tickers", "I", "public", okx("tickers", symbol, [{
            "instType": kind, "instId": symbol, "last": f"{px}0.8", "lastSz": "1.1", "askPx": f"{px}1.7", "askSz": "3.3", "bidPx": f"{px}0.4", "bidSz": "4.4",
            "open24h": f"{px}5.1", "high24h": f"{px}9.2", "low24h": f"{px}3.3", "sodUtc0": f"{px}6.4", "sodUtc8": f"{px}7.5", "volCcy24h": "2620.289",
            "vol24h": "779573.1", "ts": "1790755205003"}])),
        (None, "C", "business", OKX_BUSINESS),
        ("candle1m", "I", "business", okx("candle1m", symbol, [[
            "1790755140000", f"{px}1.1", f"{px}9.3", f"{px}0.5", f"{px}4.7", "8422.4", "9422.5", "10422410.62", "1"]])),
    ]


OKX_SPOT = [
    ("instruments", "H", OKX_REST + "public/instruments?instType=SPOT", js({"code": "0", "msg": "", "data": [{
        "alias": "", "baseCcy": "BTC", "category": "1", "ctMult": "", "ctType": "", "ctVal": "", "ctValCcy": "", "expTime": "", "instFamily": "",
        "instId": "BTC-USDT", "instType": "SPOT", "lever": "10", "listTime": "1548133413000", "lotSz": "0.00000001", "maxLmtSz": "9999999999",
        "maxMktSz": "1000000", "minSz": "0.00001", "optType": "", "quoteCcy": "USDT", "ruleType": "normal", "settleCcy": "", "state": "live", "stk": "",
        "tickSz": "0.1", "uly": ""}]})),
    (None, "C", "public", OKX_WS),
] + okx_common("BTC-USDT", "6000", "SPOT")

OKX_DERIVATIVES = [
    ("instruments", "H", OKX_REST + "public/instruments?instType=SWAP", js({"code": "0", "msg": "", "data": [{
        "alias": "", "baseCcy": "", "category": "1", "ctMult": "1", "ctType": "linear", "ctVal": "0.01", "ctValCcy": "BTC", "expTime": "", "instFamily": "BTC-USDT",
        "instId": "BTC-USDT-SWAP", "instType": "SWAP", "lever": "100", "listTime": "1611916828000", "lotSz": "0.02", "maxLmtSz": "100000000",
        "maxMktSz": "12000", "minSz": "0.04", "optType": "", "quoteCcy": "", "ruleType": "normal", "settleCcy": "USDT", "state": "live", "stk": "",
        "tickSz": "0.1", "uly": "BTC-USDT"}]})),
    (None, "C", "public", OKX_WS),
] + okx_common("BTC-USDT-SWAP", "6010", "SWAP") + [
    ("mark-price", "I", "public", okx("mark-price", "BTC-USDT-SWAP", [{"instId": "BTC-USDT-SWAP", "instType": "SWAP", "markPx": "60103.8", "ts": "1790755207016"}])),
    ("index-tickers", "I", "public", okx("index-tickers", "BTC-USDT", [{
        "instId": "BTC-USDT", "idxPx": "60143.9", "open24h": "60990.8", "high24h": "61560.3", "low24h": "59902.2", "sodUtc0": "60664.1", "sodUtc8": "60073.7",
        "ts": "1790755207066"}])),
    ("open-interest", "I", "public", okx("open-interest", "BTC-USDT-SWAP", [{
        "instId": "BTC-USDT-SWAP", "instType": "SWAP", "oi": "2874486.99000000925", "oiCcy": "28744.8699000000925", "oiUsd": "2385812703.752047677463", "ts": "1790755207759"}])),
    ("funding-rate", "I", "public", okx("funding-rate", "BTC-USDT-SWAP", [{
        "formulaType": "withRate", "fundingRate": "0.0000252378080097", "fundingTime": "1790784000000", "impactValue": "20000.0000000000000000",
        "instId": "BTC-USDT-SWAP", "instType": "SWAP", "interestRate": "0.0001000000000000", "maxFundingRate": "0.00375", "method": "current_period",
        "minFundingRate": "-0.00365", "nextFundingRate": "0.0000352378080098", "nextFundingTime": "1790812800000", "premium": "-0.000533385347435",
        "prevFundingTime": "1790755200000", "settFundingRate": "0.0000337200721784", "settState": "settled", "ts": "1790755208992"}])),
    ("liquidation-orders", "I", "public", js({"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": [{
        "details": [{"bkLoss": "0.12", "bkPx": "59804.5", "ccy": "USDT", "posSide": "short", "side": "buy", "sz": "13.7", "ts": "1790755209100"}],
        "instFamily": "BTC-USDT", "instId": "BTC-USDT-SWAP", "instType": "SWAP", "uly": "BTC-USDT"}]})),
] + [
    (name, "H", OKX_REST + f"rubik/stat/contracts/long-short-{path}?instId=BTC-USDT-SWAP&period=5m",
     js({"code": "0", "msg": "", "data": [[f"17907552000{n}0", f"1.3{n}42"], [f"17907549000{n}0", f"1.2{n}41"]]}))
    for n, (name, path) in enumerate((("position ratio of top traders", "position-ratio-contract-top-trader"),
                                      ("account ratio of top traders", "account-ratio-contract-top-trader"),
                                      ("account ratio of all", "account-ratio-contract")))
]


def deribit(channel, text):
    return '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"' + channel + '","data":' + text + "}}"


OPTION = "BTC-26MAR27-70000-C"
DERIBIT_DERIVATIVES = [
    ("get_instruments", "H", "https://www.deribit.com/api/v2/public/get_instruments?currency=BTC", '{"jsonrpc":"2.0","result":[' +
     '{"tick_size":0.5,"tick_size_steps":[],"taker_commission":0.0005,"settlement_period":"perpetual","quote_currency":"USD","min_trade_amount":20.0,'
     '"maker_commission":0.0001,"kind":"future","is_active":true,"instrument_name":"BTC-PERPETUAL","expiration_timestamp":32503708800000,'
     '"creation_timestamp":1534167754000,"contract_size":10.0,"base_currency":"BTC","settlement_currency":"BTC","counter_currency":"USD",'
     '"instrument_type":"reversed","instrument_id":210838,"price_index":"btc_usd","max_leverage":50,"block_trade_commission":0.00025,"rfq":false,'
     '"block_trade_tick_size":0.01,"block_trade_min_trade_amount":200000,"state":"open","max_liquidation_commission":0.0075},' +
     '{"tick_size":0.0001,"tick_size_steps":[{"tick_size":0.0005,"above_price":0.005}],"taker_commission":0.0003,"settlement_period":"month",'
     '"quote_currency":"BTC","min_trade_amount":0.1,"maker_commission":0.0002,"kind":"option","is_active":true,"instrument_name":"' + OPTION + '",'
     '"expiration_timestamp":1806048000000,"creation_timestamp":1606129458000,"contract_size":1.0,"base_currency":"BTC","settlement_currency":"BTC",'
     '"counter_currency":"USD","instrument_type":"reversed","instrument_id":218538,"price_index":"btc_usd","block_trade_commission":0.00015,"rfq":false,'
     '"block_trade_tick_size":0.0001,"block_trade_min_trade_amount":25,"state":"open","strike":70000.0,"option_type":"call"}' +
     '],"usIn":1626993723161363,"usOut":1626993723162185,"usDiff":822,"testnet":false}'),
    (None, "C", "deribit", "wss://www.deribit.com/ws/api/v2"),
    ("book snapshot", "I", "deribit", deribit("book.BTC-PERPETUAL.100ms",
     '{"timestamp":1790755201448,"type":"snapshot","change_id":193809616666,"instrument_name":"BTC-PERPETUAL","bids":[["new",60200.5,2.2e2],["new",60199.0,340.0]],"asks":[["new",60201.0,1.0002e6]]}')),
    ("book change", "I", "deribit", deribit("book.BTC-PERPETUAL.100ms",
     '{"timestamp":1790755202148,"type":"change","change_id":193809650259,"instrument_name":"BTC-PERPETUAL","bids":[["delete",60199.0,0.0]],"asks":[["change",60201.0,910.0],["new",60202.5,2700]],"prev_change_id":193809616666}')),
    ("trades", "I", "deribit", deribit("trades.BTC-PERPETUAL.100ms",
     '[{"timestamp":1790755202994,"price":60217.5,"amount":8450.0,"direction":"buy","index_price":60206.67,"instrument_name":"BTC-PERPETUAL","trade_seq":140284854,'
     '"mark_price":60217.12,"tick_direction":2,"starbase_match_id":225046781992378368,"trade_id":"267258393","contracts":845.0,"starbase_timestamp":1790755202993471892,'
     '"liquidation":"MT","block_trade_id":"BLOCK-7234","block_rfq_id":715,"block_trade_leg_count":4,"combo_id":"BTC-FS-26MAR27_PERP","combo_trade_id":267258390}]')),
    ("trades of an option", "I", "deribit", deribit("trades." + OPTION + ".100ms",
     '[{"timestamp":1790755203694,"price":0.0655,"amount":2.5,"direction":"sell","index_price":60206.77,"instrument_name":"' + OPTION + '","trade_seq":54,'
     '"mark_price":0.06512,"tick_direction":3,"trade_id":"267258394","contracts":25.0,"iv":31.57}]')),
    ("quote", "I", "deribit", deribit("quote.BTC-PERPETUAL",
     '{"timestamp":1790755204394,"instrument_name":"BTC-PERPETUAL","best_bid_price":60200.0,"best_bid_amount":1210.0,"best_ask_price":60203.5,"best_ask_amount":1310.0}')),
    ("ticker", "I", "deribit", deribit("ticker.BTC-PERPETUAL.100ms",
     '{"timestamp":1790755205094,"stats":{"volume_usd":268694680.0,"volume_notional":268694690.0,"volume":4555.25,"price_change":-3.8792,"low":59210.5,"high":61310.0},'
     '"state":"open","settlement_price":59380.58,"open_interest":45934090.0,"min_price":58476.5,"max_price":62079.0,"mark_price":60278.14,"last_price":60273.5,'
     '"interest_value":2.727195512863254,"instrument_name":"BTC-PERPETUAL","index_price":60244.11,"funding_8h":5.149e-05,"estimated_delivery_price":60244.22,'
     '"current_funding":0.0001423,"best_bid_price":60275.5,"best_bid_amount":640.0,"best_ask_price":60279.0,"best_ask_amount":3010.0}')),
    ("ticker of an option", "I", "deribit", deribit("ticker." + OPTION + ".100ms",
     '{"timestamp":1790755205794,"stats":{"volume_usd":1268694.68,"volume":1555.5,"price_change":-38.6792,"low":0.0165,"high":0.0318},"state":"open","greeks":{"delta":0.47736,'
     '"gamma":2.8e-4,"vega":18.43602,"theta":-217.49347,"rho":1.31068},"index_price":60254.11,"instrument_name":"' + OPTION + '","last_price":0.0215,"settlement_price":0.0225,'
     '"min_price":0.0105,"max_price":0.0425,"open_interest":3963.5,"mark_price":0.02187,"best_ask_price":0.0235,"best_bid_price":0.0205,"best_ask_amount":51.5,"best_bid_amount":41.5,'
     '"mark_iv":31.2,"bid_iv":29.57,"ask_iv":33.74,"underlying_price":60404.4,"underlying_index":"BTC-26MAR27","interest_rate":0.015,"estimated_delivery_price":60254.12}')),
    ("perpetual", "I", "deribit", deribit("perpetual.BTC-PERPETUAL.100ms", '{"index_price":60264.11,"interest":0.0001423032929843748,"timestamp":1790755206494}')),
    ("deribit_price_index", "I", "deribit", deribit("deribit_price_index.btc_usd", '{"timestamp":1790755207194,"price":60274.11,"index_name":"btc_usd"}')),
    ("deribit_volatility_index", "I", "deribit", deribit("deribit_volatility_index.btc_usd", '{"timestamp":1790755207894,"volatility":38.2512345678901,"index_name":"btc_usd"}')),
    ("platform_state", "I", "deribit", deribit("platform_state", '{"price_index":"btc_usd","locked":true}')),
    ("instrument.state", "I", "deribit", deribit("instrument.state.option.BTC", '{"timestamp":1790755209294,"state":"closed","instrument_name":"' + OPTION + '"}')),
]

FRAMES = {
    "binance_spot": BINANCE_SPOT, "binance_derivatives": BINANCE_DERIVATIVES, "binance_coinm": BINANCE_COINM,
    "okx_spot": OKX_SPOT, "okx_derivatives": OKX_DERIVATIVES, "deribit_derivatives": DERIBIT_DERIVATIVES,
}


def recv_ns(feed, index):
    """No two messages have one: the rows of a message are found by it."""
    return (T0 + index * STEP_MS) * 1000000 + 1000 * list(FRAMES).index(feed) + index + 1


def write(folder):
    """A recording of each feed; a last line, far behind, lets the clock run on to the last sample of the books."""
    for feed, frames in FRAMES.items():
        url = next(text for _, kind, _, text in frames if kind == "C")
        lines = [*enumerate(frames), (len(frames) + 5, (None, "C", "end", url))]
        with open(f"{folder}/{feed}.wscap", "w", encoding="utf-8") as out:
            out.writelines(f"{recv_ns(feed, n)}\t{kind}\t{where}\t{text}\n" for n, (_, kind, where, text) in lines)


if __name__ == "__main__":
    write(sys.argv[1])
