"""A client of `mdengine sim` written after the exchange's documentation, on a WebSocket library of others:
keeps books from snapshot and diffs, and holds them against the simulator's log of the truth."""

import argparse
import asyncio
import hashlib
import json
import ssl
import sys
import urllib.error
import urllib.request
from decimal import Decimal

import websockets

BAD = []


def check(ok, text):
    if not ok:
        BAD.append(text)


def plain(d):
    text = format(d, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


class Book:
    """One symbol's book by the documented steps."""

    def __init__(self, symbol):
        self.symbol = symbol
        self.bids, self.asks = {}, {}
        self.id = None
        self.buffer = []
        self.last_u = None  # of the stream, whether or not applied
        self.gaps = self.repeats = self.snapshots = self.refused = 0
        self.digests = {}  # by update id
        self.tops = []  # bookTickers that came at the book's id
        self.trades, self.qty = 0, Decimal(0)
        self.asking = None

    def digest(self, limit=None):
        h = hashlib.sha256()
        for tag, side, down in (("B", self.bids, True), ("A", self.asks, False)):
            for px in sorted(side, reverse=down)[:limit]:
                h.update(f"{tag} {plain(px)} {plain(side[px])}\n".encode())
        return h.hexdigest()

    def levels(self, side, rows):
        for px, qty in rows:
            px, qty = Decimal(px), Decimal(qty)
            if qty:
                side[px] = qty
            else:
                side.pop(px, None)

    def apply(self, e):
        if e["u"] <= self.id:
            return True
        if e["U"] > self.id + 1:
            return False
        self.levels(self.bids, e["b"])
        self.levels(self.asks, e["a"])
        self.id = e["u"]
        self.digests[self.id] = (self.digest(), self.digest(20))
        self.compare_top()
        return True

    def on_depth(self, e):
        check(e["U"] <= e["u"], f"{self.symbol}: U {e['U']} above u {e['u']}")
        if self.last_u is not None:
            if e["u"] <= self.last_u:
                self.repeats += 1
            elif e["U"] != self.last_u + 1:
                self.gaps += 1
        self.last_u = e["u"]
        if self.id is None:
            self.buffer.append(e)
        elif not self.apply(e):
            self.id = None
            self.buffer = [e]

    def on_snapshot(self, s):
        """True: the book stands; False: the snapshot is too old, or no diff reaches it yet."""
        if not self.buffer or s["lastUpdateId"] + 1 < self.buffer[0]["U"]:
            self.refused += 1
            return False
        self.bids, self.asks = {}, {}
        self.levels(self.bids, s["bids"])
        self.levels(self.asks, s["asks"])
        self.id = s["lastUpdateId"]
        self.snapshots += 1
        for e in self.buffer:
            if not self.apply(e):
                self.id = None
                return False
        self.buffer = []
        return True

    ticker = None

    def on_ticker(self, t):
        self.ticker = t
        self.compare_top()

    def compare_top(self):
        t = self.ticker
        if t and self.id == t["u"] and self.bids and self.asks:
            self.ticker = None
            bid, ask = max(self.bids), min(self.asks)
            mine = (bid, self.bids[bid], ask, self.asks[ask])
            theirs = tuple(Decimal(t[k]) for k in "bBaA")
            check(mine == theirs, f"{self.symbol}: bookTicker at {t['u']} is {theirs}, the book {mine}")
            self.tops.append(t["u"])


class Client:
    def __init__(self, args):
        self.args = args
        self.ssl = ssl.create_default_context(cafile=args.ca) if args.ca else None
        self.books, self.closes, self.statuses = {}, [], {}
        self.lost_ns = 0

    def get(self, path):
        try:
            with urllib.request.urlopen(self.args.rest + path, context=self.ssl, timeout=20) as r:
                check(r.headers["X-MBX-USED-WEIGHT-1M"] is not None, path + ": no weight header")
                return r.status, json.load(r), r.headers
        except urllib.error.HTTPError as e:
            return e.code, json.load(e), e.headers

    async def snapshot(self, book):
        """Asks until the book stands, as often as the limits allow."""
        loop = asyncio.get_running_loop()
        for _ in range(60):
            if book.buffer:
                path = f"/api/v3/depth?symbol={book.symbol}&limit=5000"
                status, body, headers = await loop.run_in_executor(None, self.get, path)
                self.statuses[status] = self.statuses.get(status, 0) + 1
                if status == 200:
                    if book.on_snapshot(body):
                        break
                else:
                    await asyncio.sleep(float(headers.get("Retry-After") or 0.2))
            await asyncio.sleep(0.1)
        book.asking = None

    def on_frame(self, text):
        m = json.loads(text)
        if m.get("result", 0) is None or "stream" not in m:
            return
        if m["stream"] == "!serverShutdown":
            check(m["data"]["e"] == "serverShutdown", text)
            self.statuses["serverShutdown"] = 1
            return
        name, kind = m["stream"].split("@", 1)
        book = self.books[name.upper()]
        data = m["data"]
        if kind == "depth@100ms":
            check(data["s"] == book.symbol and data["e"] == "depthUpdate", text[:200])
            book.on_depth(data)
            if book.id is None and book.asking is None:
                book.asking = asyncio.ensure_future(self.snapshot(book))
        elif kind == "bookTicker":
            book.on_ticker(data)
        elif kind in ("trade", "aggTrade"):
            book.trades += 1
            book.qty += Decimal(data["q"])

    async def connect(self):
        streams = "/".join(
            f"{s.lower()}@{k}" for s in self.books for k in self.args.kinds.split(",")
        )
        url = f"{self.args.ws}/stream?streams={streams}"
        async with websockets.connect(
            url, ssl=self.ssl, max_size=None, max_queue=None, close_timeout=0.1
        ) as ws:
            try:
                while True:
                    text = await asyncio.wait_for(ws.recv(), self.args.silence)
                    self.on_frame(text)
            except websockets.ConnectionClosed as e:
                self.closes.append(e.code)
            except asyncio.TimeoutError:
                self.closes.append("silent")

    def lose(self):
        """A connection ended: nothing is known of the books until they are asked for again."""
        for b in self.books.values():
            b.id, b.buffer, b.last_u = None, [], None

    async def run(self):
        _, info, _ = await asyncio.get_running_loop().run_in_executor(
            None, self.get, "/api/v3/exchangeInfo"
        )
        names = [s["symbol"] for s in info["symbols"]]
        if self.args.symbols:
            names = self.args.symbols.split(",")
        self.books = {n: Book(n) for n in names}
        while True:
            try:
                await self.connect()
            except OSError:
                break
            if self.closes[-1] in (1000, 1001, 1006, "silent") and not self.args.once:
                if len(self.closes) > 20:
                    break
                try:
                    # Gone for good, or only cut? The books stay as they are when it is gone.
                    await asyncio.get_running_loop().run_in_executor(
                        None, self.get, "/api/v3/ping"
                    )
                except (OSError, urllib.error.URLError):
                    break
                self.lose()
                continue
            break


def compare(client, truth_file, whole):
    """Books at equal ids; at the end too when the client saw everything."""
    truth = [json.loads(line) for line in open(truth_file, encoding="utf-8")]
    equal, ends = 0, 0
    for t in truth:
        if t["at"] not in ("point", "end"):
            continue
        b = client.books.get(t["symbol"])
        if b is None:
            continue
        seen = b.digests.get(t["id"])
        if t["at"] == "end":
            check(b.id == t["id"], f"{b.symbol}: ends at {b.id}, the exchange at {t['id']}")
            if b.id == t["id"]:
                seen = (b.digest(), b.digest(20))
                ends += 1
            if whole:
                n, q = ("trades", "trade_qty_sum")
                if "aggTrade" in client.args.kinds:
                    n, q = ("agg_trades", "agg_trade_qty_sum")
                check(b.trades == t[n], f"{b.symbol}: {b.trades} trades, not {t[n]}")
                check(plain(b.qty) == t[q], f"{b.symbol}: sum {plain(b.qty)}, not {t[q]}")
        if seen:
            want = (t["digest"], t["digest_top20"])
            check(seen == want, f"{b.symbol}: at {t['id']} the book differs")
            equal += seen == want
    return equal, ends, [t for t in truth if t["at"] == "fault"]


async def main():
    p = argparse.ArgumentParser()
    p.add_argument("--ws", required=True)
    p.add_argument("--rest", required=True)
    p.add_argument("--ca")
    p.add_argument("--truth")
    p.add_argument("--kinds", default="depth@100ms,bookTicker,trade")
    p.add_argument("--symbols")
    p.add_argument("--silence", type=float, default=15)
    p.add_argument("--once", action="store_true")
    p.add_argument("--expect", default="{}", help="JSON: figures that must be at least so")
    args = p.parse_args()
    client = Client(args)
    await client.run()
    sums = {
        k: sum(getattr(b, k) for b in client.books.values())
        for k in ("gaps", "repeats", "snapshots", "refused", "trades")
    }
    sums["tops"] = sum(len(b.tops) for b in client.books.values())
    expect = json.loads(args.expect)
    faulty = expect.pop("faulty", False)
    if not faulty:
        check(sums["gaps"] == 0, f"{sums['gaps']} gaps that nobody made")
        check(sums["repeats"] == 0, f"{sums['repeats']} repeated events that nobody made")
    if args.truth:
        sums["equal"], sums["ends"], faults = compare(client, args.truth, not faulty)
        sums["faults"] = len(faults)
    for s in ("serverShutdown", 200, 429, 418):
        sums[str(s)] = client.statuses.get(s, 0)
    sums["closes"] = client.closes
    for key, want in expect.items():
        have = sums[key]
        check(want in have if isinstance(have, list) else have >= want, f"{key}: {have}, wants {want}")
    print(json.dumps(sums))
    for text in BAD[:10]:
        print("wrong:", text, file=sys.stderr)
    sys.exit(1 if BAD else 0)


if __name__ == "__main__":
    asyncio.run(main())
