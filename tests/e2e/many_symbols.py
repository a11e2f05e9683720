"""A recording of many symbols, and what a reader must see of them.

    many_symbols.py make CNT FILE          each symbol with a definition, a snapshot and an update behind it
    many_symbols.py read DIR NAME CNT DEPTH
                                           every one of them through libmdshm, by name and by row; waits until the last
                                           one is there. DEPTH: levels that the feed keeps, 0 for none

Prices follow from the number of the symbol, so that no two books are alike.
"""
import sys, time

LEVELS = 5


def symbol(n):
    return "S%05dUSDT" % n


def price(n, side, level):
    """In cents, level 0 is the best."""
    return 100000 + 10 * n + (level + 1 if side == "a" else -level)


def text(cents):
    return "%d.%02d" % divmod(cents, 100)


def info(n):
    return ('{"symbol":"%s","status":"TRADING","baseAsset":"S%05d","quoteAsset":"USDT","filters":['
            '{"filterType":"PRICE_FILTER","minPrice":"0.01","maxPrice":"1000000.00","tickSize":"0.01"},'
            '{"filterType":"LOT_SIZE","minQty":"0.001","maxQty":"9000.000","stepSize":"0.001"}],"permissions":["SPOT"]}'
            % (symbol(n), n))


def side(n, which):
    return ",".join('["%s","%d.5"]' % (text(price(n, which, i)), i + 1) for i in range(LEVELS))


def make(cnt, path):
    now = 1772359230000000000
    with open(path, "w") as out:
        def line(kind, conn, payload):
            nonlocal now
            now += 1000
            out.write("%d\t%s\t%s\t%s\n" % (now, kind, conn, payload))

        line("H", "https://api.binance.com/api/v3/exchangeInfo",
             '{"timezone":"UTC","serverTime":1772359230000,"rateLimits":[],"exchangeFilters":[],"symbols":[%s]}' %
             ",".join(map(info, range(cnt))))
        line("C", "stream.binance.com", "wss://stream.binance.com:9443/stream?streams=" + symbol(0).lower() + "@depth@100ms")
        for n in range(cnt):
            line("H", "https://api.binance.com/api/v3/depth?symbol=%s&limit=1000" % symbol(n),
                 '{"lastUpdateId":%d,"bids":[%s],"asks":[%s]}' % (1000 + n, side(n, "b"), side(n, "a")))
            line("I", "stream.binance.com",
                 '{"stream":"%s@depth@100ms","data":{"e":"depthUpdate","E":1772359230100,"s":"%s","U":%d,"u":%d,"b":[["%s","7.25"]],"a":[]}}'
                 % (symbol(n).lower(), symbol(n), 1001 + n, 1001 + n, text(price(n, "b", 0))))


def valid(engine, n):
    try:
        book = engine.book("binance_spot", symbol(n))
    except Exception:
        return False
    return book.top(max_age=None).state == "VALID"


def nanoseconds(engine, names):
    """Of one look-up by name, the best of five passes; most of it is Python's way into the library."""
    import ctypes, mdshm
    handle, row = engine._open(), ctypes.c_uint32()
    names, best = [name.encode() for name in names], 1e18
    for _ in range(5):
        begin = time.perf_counter_ns()
        for name in names:
            mdshm._lib.instrument_find(handle, 0, name, ctypes.byref(row))
        best = min(best, (time.perf_counter_ns() - begin) / len(names))
    return best


def read(where, name, cnt, depth):
    import mdshm
    with mdshm.open(name, dir=where, timeout=60) as engine:
        until = time.monotonic() + 120
        while not valid(engine, cnt - 1) and time.monotonic() < until:
            time.sleep(0.05)
        for n in range(cnt):
            book = engine.book("binance_spot", "S%05d-USDT" % n if n % 2 else symbol(n))
            top = book.top(max_age=None)
            (bid, qty), (ask, _) = top.exact()[0][0], top.exact()[1][0]
            want = (text(price(n, "b", 0)), text(price(n, "a", 0)), "7.25")
            assert top.state == "VALID" and ("%.2f" % bid, "%.2f" % ask, "%.2f" % qty) == want, (n, top.state, bid, ask, qty)
            if n % 100 == 0:
                assert len(book.ladder(max_age=None).asks) == LEVELS, n
                if depth:
                    assert len(book.depth(depth, max_age=None).bids) == LEVELS, n
                else:
                    try:
                        book.depth(10, max_age=None)
                        raise AssertionError("depth of a feed that keeps none")
                    except mdshm.Error as e:
                        assert e.result == mdshm.ABSENT, e
        listed = sum(1 for _ in engine.instruments("S*"))
        assert listed == cnt, listed
        few = [symbol(n * (cnt // 100)) for n in range(100)]
        first, all_ = nanoseconds(engine, few[:1] * 1000), nanoseconds(engine, [symbol(n) for n in range(cnt)])
        print("%d books VALID and right; a look-up among them by name, from Python: %.0f ns for one again and again, "
              "%.0f ns for each in turn" % (cnt, first, all_))


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(int(sys.argv[2]), sys.argv[3])
    else:
        read(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
