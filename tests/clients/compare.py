#!/usr/bin/env python3
"""Holds what a client printed (report.mjs) against the truth of mdengine sim (--truth-every 1) and against what the
engine collected from it meanwhile (mdengine journal cat --json).

usage: compare.py TRUTH RECORDS CLIENT_OUTPUT MIN_POINTS TRADES SYMBOL...    TRADES: trade or agg_trade
       compare.py reached (CLIENT_OUTPUT RECORDS TRADES SYMBOL,...)...    have all clients the engine's last trades?

The engine was stopped before the client, the client before the exchange. Of each symbol: every book of the client has
the digest that the truth has at that sequence, over all levels and over the best 20, and MIN_POINTS of them at least the
digest of the engine's book there; only the first after a REST snapshot may stand between two updates. The client's
trades (id, price, quantity) are the engine's, all from its first one to the engine's last, and the engine's have the
truth's sums. Then each comparison is shown to be able to fail: with a level, a digest or a trade changed, with a trade
missing and with a client that says nothing. Exit 0: all equal.
"""
import copy
import json
import os
import sys
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import fault_check  # noqa: E402

TRADE_IDS = {"trade": "trade_id", "agg_trade": "agg_id"}


def lines(path):
    """The complete lines of a file that may still grow."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.endswith("\n")]


def read_truth(path):
    """By symbol: digests by sequence, and sums of trades by their count."""
    points, sums = {}, {}
    for line in lines(path):
        if line["at"] not in ("point", "end"):
            continue
        points.setdefault(line["symbol"], {})[line["id"]] = (line["digest"], line["digest_top20"])
        for kind in TRADE_IDS:
            sums.setdefault((line["symbol"], kind), {})[line[f"{kind}s"]] = Decimal(line[f"{kind}_qty_sum"])
    return points, sums


def engine_books(records, wanted):
    """The digests of a symbol's book at wanted sequences, built from the records alone."""
    book, digests, in_snapshot = fault_check.Book(), {}, False
    for r in records:
        if r["type"] not in ("book_snapshot", "book_delta"):
            continue
        if r["type"] == "book_snapshot" and not in_snapshot:
            book.sides = {"bids": {}, "asks": {}}
        book.put(r)
        is_last = "LAST" in r["flags"]
        in_snapshot = r["type"] == "book_snapshot" and not is_last
        if is_last and r["exch_seq"] in wanted:
            digests[r["exch_seq"]] = book.digest()
    return digests


def engine_trades(records, kind):
    """(id, price, quantity) of each trade in the order in which they came."""
    return [(str(r[TRADE_IDS[kind]]), Decimal(r["px"]), Decimal(r["qty"])) for r in records if r["type"] == kind]


def check_sums(records, kind, sums):
    """Yields what is wrong with the engine's trades, from the market's first one on."""
    def wrong(rows):
        total, at = Decimal(0), {0: Decimal(0)}
        for n, r in enumerate(rows):
            total += Decimal(r["qty"])
            at[n + 1] = total
        shared = at.keys() & sums.keys()
        return len(shared) < 2 or any(at[n] != sums[n] for n in shared)

    every = [r for r in records if r["type"] == kind]
    # Prints that are not of the market are in no sum of Binance futures, in those of Deribit they are.
    if wrong(every) and wrong([r for r in every if "OFF_BOOK" not in r["flags"]]):
        yield "the engine's trades do not have the truth's sums"


def check_books(said, points, records, min_points, figures):
    """Yields what is wrong with a client's books."""
    books = [line for line in said if line["at"] == "book"]
    spoken = [line["at"] for line in said if line["at"] in ("book", "again")]
    fresh = {0} | {n - spoken[:n].count("again") for n in range(1, len(spoken)) if spoken[n - 1] == "again"}
    strange = [line["id"] for n, line in enumerate(books) if line["id"] not in points and n not in fresh]
    if strange:
        yield f"books at sequences that the exchange never had: {strange[:5]}"
    known = [line for line in books if line["id"] in points]
    wrong = [line["id"] for line in known if (line["digest"], line["digest_top20"]) != points[line["id"]]]
    if wrong:
        yield f"the book is not the exchange's at {wrong[:5]}"
    ours = engine_books(records, {line["id"] for line in known})
    shared = [line for line in known if line["id"] in ours]
    wrong = [line["id"] for line in shared if line["digest"] != ours[line["id"]]]
    if wrong:
        yield f"the book is not the engine's at {wrong[:5]}"
    if not all(line["equal"] for line in said if line["at"] == "ticker"):
        yield "a bookTicker differs from the book"
    figures.update(books=len(books), truth=len(known), engine=len({line["id"] for line in shared}),
                   again=spoken.count("again"))
    if figures["engine"] < min_points:
        yield f"equal to the engine at {figures['engine']} sequences, {min_points} wanted"


def check_trades(said, trades, figures):
    mine = [(line["id"], Decimal(line["px"]), Decimal(line["qty"])) for line in said if line["at"] == "trade"]
    figures["trades"] = 0
    if not mine or mine[0] not in trades:
        yield f"no trade that the engine has: the first is {mine[:1]}"
        return
    theirs = trades[trades.index(mine[0]):]
    figures["trades"] = len(theirs)
    if len(mine) < len(theirs):
        yield f"{len(mine)} trades, the engine has {len(theirs)} from the first one on"
    yield from (f"trade {n} is {a}, the engine's {b}" for n, (a, b) in enumerate(zip(mine, theirs)) if a != b)


class Case:
    """One symbol of one client."""

    def __init__(self, said, points, records, kind, min_points):
        self.said, self.points, self.records = said, points, records
        self.trades, self.min_points, self.figures = engine_trades(records, kind), min_points, {}

    def faults(self):
        out = list(check_books(self.said, self.points, self.records, self.min_points, self.figures))
        return out + list(check_trades(self.said, self.trades, self.figures))

    def spoilt(self):
        """Yields (name, case, text that must be among its faults): runs that were spoilt on purpose."""
        shared = {line["id"] for line in self.said if line["at"] == "book"} & set(self.points)
        updates = [n for n, r in enumerate(self.records)
                   if r["type"] == "book_delta" and r["exch_seq"] in shared and r["bids"] + r["asks"]]
        middle = updates[len(updates) // 2]
        case = copy.copy(self)
        changed = copy.deepcopy(self.records[middle])
        level = (changed["bids"] or changed["asks"])[-1]
        level[1] = str(Decimal(level[1]) + 1)
        case.records = self.records[:middle] + [changed] + self.records[middle + 1:]
        yield "a level of the engine's changed", case, "not the engine's at"
        case = copy.copy(self)
        case.points = self.points | {changed["exch_seq"]: ("0" * 64, "0" * 64)}
        yield "a digest of the truth changed", case, "not the exchange's at"
        *before, (number, px, qty), last = self.trades
        for name, one in (("changed", [(number, px, qty + 1)]), ("missing", [])):
            case = copy.copy(self)
            case.trades = before + one + [last]
            yield f"a trade {name}", case, ", the engine's "
        case = copy.copy(self)
        case.said = []
        yield "a client that says nothing", case, "equal to the engine at 0"


def controls(case):
    for name, spoilt, text in case.spoilt():
        spoilt.figures = {}
        if not any(text in fault for fault in spoilt.faults()):
            yield f"negative control passed: {name}, and the comparison finds nothing"


def by_symbol(path):
    out = {}
    for line in lines(path):
        out.setdefault(line.get("symbol"), []).append(line)
    return out


def reached(output, records, kind, symbols):
    said, ours = by_symbol(output), by_symbol(records)
    return all(str([r for r in ours[s] if r["type"] == kind][-1][TRADE_IDS[kind]])
               in {line["id"] for line in said.get(s, []) if line["at"] == "trade"} for s in symbols.split(","))


def main():
    if sys.argv[1:2] == ["reached"]:
        late = [args[0] for args in zip(*[iter(sys.argv[2:])] * 4) if not reached(*args)]
        print("\n".join(late))
        sys.exit(1 if late else 0)
    if len(sys.argv) < 7:
        sys.exit(__doc__)
    points, sums = read_truth(sys.argv[1])
    records, said = by_symbol(sys.argv[2]), by_symbol(sys.argv[3])
    kind, bad = sys.argv[5], False
    for symbol in sys.argv[6:]:
        case = Case(said.get(symbol, []), points[symbol], records[symbol], kind, int(sys.argv[4]))
        faults = case.faults() + list(check_sums(records[symbol], kind, sums[symbol, kind])) or list(controls(case))
        f = case.figures
        print(f"  {symbol:22} {f['books']:4} books, {f['truth']:4} equal the truth's, {f['engine']:4} the engine's; "
              f"{f['trades']:5} {kind}s" + (f"; asked again {f['again']} times" if f["again"] else ""))
        for fault in faults[:5]:
            print(f"failed: {symbol}: {fault}", file=sys.stderr)
            bad = True
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
