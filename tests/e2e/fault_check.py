"""What a run under a fault must have given: the simulator's log of the truth held against the engine's journal.

check() takes rows, not files, so that a test can show that it finds what is wrong."""

import functools
import hashlib
from decimal import Decimal

REFUSED_FLYING = 3  # requests that may be on their way when an answer refuses
REFUSED_FLYING_NS = 1_000_000_000
BOOK, TRADE = 3, 6  # record types that a GAP is about


@functools.lru_cache(maxsize=1 << 17)
def scaled(px):
    return int(Decimal(px).scaleb(12))


def digest(book):
    """Of a book as `mdengine book --json` prints it."""
    lines = [f"B {px} {qty}\n" for px, qty in book["bids"]] + [f"A {px} {qty}\n" for px, qty in book["asks"]]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


class Book:
    """One symbol's book out of the journal's records alone."""

    def __init__(self):
        self.sides = {"bids": {}, "asks": {}}
        self.id = None
        self.is_open = False  # a gap was declared, no snapshot since
        self.is_fresh = False  # a snapshot, and nothing since

    def put(self, record):
        for name, side in self.sides.items():
            for px, qty in record[name]:
                if qty == "0":
                    side.pop(scaled(px), None)
                else:
                    side[scaled(px)] = f"{px} {qty}\n"

    def digest(self):
        text = []
        for tag, name, down in (("B ", "bids", True), ("A ", "asks", False)):
            side = self.sides[name]
            text += [tag + side[px] for px in sorted(side, reverse=down)]
        return hashlib.sha256("".join(text).encode()).hexdigest()


class Symbol:
    """What the journal says of one symbol, against its points of the truth."""

    def __init__(self, name, points, end, is_chained, complain):
        self.name, self.points, self.end = name, points, end  # points: digest by update id
        self.is_chained = is_chained  # ids jump: an update says which one it follows
        self.is_ended = False
        self.complain = lambda text: complain(f"{name}: {text}")
        self.book = Book()
        self.applied, self.covered, self.gaps, self.states = set(), [], [], []
        self.trades = self.trades_missing = self.prints = 0
        self.in_snapshot = False
        self.qty, self.trade_id, self.trade_gap = Decimal(0), None, None
        self.digests = 0

    def is_at_end(self):
        """VALID and where the exchange's book ended: what is silent from here on has nothing to say."""
        return self.book.id == self.end["id"] and self.states[-1:] and self.states[-1][0] == "VALID"

    def on_gap(self, r):
        if r["record_type"] == TRADE:
            self.trade_gap = r
        if r["record_type"] != BOOK:
            return
        if self.is_at_end():
            self.is_ended = True
            return
        if self.book.id is None:  # a cut before the first snapshot: there is no book yet that lacks anything
            return
        self.gaps.append(r)
        if r["exch_seq_last"] != self.book.id:
            self.complain(f"a GAP behind {r['exch_seq_last']}, the book stood at {self.book.id}")
        self.book.is_open = True

    def on_snapshot(self, r):
        b = self.book
        if not self.in_snapshot:
            if b.id is not None and not b.is_open:
                self.complain(f"a new snapshot at {r['exch_seq']} without a GAP")
            self.covered.append((b.id or 0, r["exch_seq"]))
            b.sides = {"bids": {}, "asks": {}}
            b.is_open, b.is_fresh, b.id = False, True, r["exch_seq"]
        b.put(r)
        self.in_snapshot = "LAST" not in r["flags"]

    def on_delta(self, r):
        b = self.book
        if b.id is None or b.is_open:
            self.complain(f"an update to {r['exch_seq']} of a book that is not valid")
            return
        follows = r["exch_seq_prev"] + 1 if self.is_chained else r["exch_seq_first"]
        if follows > b.id + 1:
            self.complain(f"undeclared gap: {b.id}, then {follows}")
        b.put(r)
        if "LAST" not in r["flags"]:
            return
        # With jumping ids the first one behind a snapshot may end with its id.
        if r["exch_seq"] < b.id or (r["exch_seq"] == b.id and not (self.is_chained and b.is_fresh)):
            self.complain(f"{r['exch_seq']} came again behind {b.id}")
        b.id, b.is_fresh = r["exch_seq"], False
        self.applied.add(b.id)
        if self.points.get(b.id) != b.digest():
            self.complain(f"the book at {b.id} is not the exchange's")
        self.digests += 1

    def on_trade(self, r):
        if self.trade_id is not None and r["trade_id"] != self.trade_id + 1:
            g = self.trade_gap
            if g and (g["exch_seq_last"], g["exch_seq_seen"]) == (self.trade_id, r["trade_id"]):
                self.trades_missing += r["trade_id"] - self.trade_id - 1
            else:
                self.complain(f"undeclared gap of trades: {self.trade_id}, then {r['trade_id']}")
        self.trade_id = r["trade_id"]
        self.prints += 1
        if "OFF_BOOK" in r["flags"]:  # in the row of ids, in no total
            return
        self.trades += 1
        self.qty += Decimal(r["qty"])

    def on_status(self, r):
        if not self.is_ended and (self.book.id is not None or r["after_name"] != "STALE"):
            self.states.append((r["after_name"], r["reason_name"], r["gen"]))

    def finish(self, gaps_expected):
        b, end = self.book, self.end
        # What was missing before the first snapshot is no hole of the book.
        first = self.covered[0][1] if self.covered else 0
        gaps_expected = [g for g in gaps_expected if g[1] >= first]
        if b.is_open or b.id != end["id"] or b.digest() != end["digest"]:
            self.complain(f"ends at {b.id} open={b.is_open}, the exchange's at {end['id']}")
        for at in self.points:
            if at not in self.applied and not any(lo < at <= hi for lo, hi in self.covered):
                self.complain(f"update {at} is neither in the journal nor in a declared gap")
        if len(self.gaps) != len(gaps_expected):
            self.complain(f"{len(self.gaps)} gaps declared, {len(gaps_expected)} made")
        for got, (low, high, seen) in zip(self.gaps, gaps_expected):
            last = got["exch_seq_last"]
            if not low <= last <= high or (seen and got["exch_seq_seen"] != seen):
                self.complain(f"GAP {last}..{got['exch_seq_seen']}, expected {low}..{high}, {seen}")
        # A second loss before the book is VALID again is healed by the same resync.
        last = self.states[-1] if self.states else ("EMPTY", "NONE", 0)
        if last[:2] != ("VALID", "NONE") or not min(2, 1 + len(gaps_expected)) <= last[2] <= 1 + len(gaps_expected):
            self.complain(f"ends as {last}")
        stale = sum(after == "STALE" for after, _, _ in self.states)
        if stale != len(gaps_expected):
            self.complain(f"was STALE {stale} times, hit {len(gaps_expected)} times")
        prints = end["trade_id_last"] - end["trade_id_first"] + 1
        if self.prints + self.trades_missing != prints or self.trade_id != end["trade_id_last"]:
            self.complain(f"{self.prints} trades, {self.trades_missing} missing, of {prints}")
        if not self.trades_missing and self.trades != end["trades"]:
            self.complain(f"{self.trades} trades of the market, {end['trades']} made")
        if not self.trades_missing and self.qty != Decimal(end["trade_qty_sum"]):
            self.complain(f"traded {self.qty}, truth {end['trade_qty_sum']}")


def expected_gaps(faults):
    """By symbol: (least and greatest last id before the gap, id seen behind it or None) of each."""
    out = {}
    for f in faults:
        kind = f["fault"]
        if kind == "gap":
            mine = out.setdefault(f["symbol"], [])
            if mine and mine[-1][2] == f["U"]:  # the next event was lost too
                mine[-1] = (*mine[-1][:2], f["u"] + 1)
            else:
                mine.append((f["U"] - 1, f["U"] - 1, f["u"] + 1))
        elif kind == "stall":
            out.setdefault(f["symbol"], []).append((f["U"] - 1, f["U"] - 1, None))
        elif kind in ("cut", "half-open"):
            for symbol, sent in f["symbols"].items():
                out.setdefault(symbol, []).append((0, sent, None))
    return out


def check_pauses(requests, refusals_expected, complain):
    refused = [r for r in requests if r["status"] in (429, 418)]
    if len(refused) != refusals_expected:
        complain(f"{len(refused)} requests refused, {refusals_expected} meant to be")
    for r in refused:
        end = r["mono_ns"] + r["retry_after_s"] * 1_000_000_000
        inside = [q["mono_ns"] for q in requests if r["mono_ns"] < q["mono_ns"] < end]
        flying = [t for t in inside if t - r["mono_ns"] < REFUSED_FLYING_NS]
        if len(inside) > len(flying) or len(flying) > REFUSED_FLYING:
            complain(f"{len(inside)} requests within the pause after a {r['status']}")


def check(truth, records, is_chained=False):
    """Returns what is wrong, as texts, and figures. is_chained: the ids of a venue jump."""
    bad = []
    faults = [r for r in truth if r["at"] == "fault"]
    ends = {r["symbol"]: r for r in truth if r["at"] == "end"}
    points = {name: {} for name in ends}
    for r in truth:
        if r["at"] in ("point", "end"):
            points[r["symbol"]][r["id"]] = r["digest"]
    gaps = expected_gaps(faults)
    if is_chained:  # which id comes next is not known
        gaps = {name: [(low, high, None) for low, high, _ in mine] for name, mine in gaps.items()}
    symbols = {name: Symbol(name, points[name], ends[name], is_chained, bad.append) for name in ends}
    for r in records:
        s, what = symbols.get(r.get("symbol")), r["type"]
        if s is None:
            if what not in ("checkpoint", "definition"):
                bad.append(f"a {what} of {r.get('symbol')}, which the truth does not know")
        elif what == "gap":
            s.on_gap(r)
        elif what == "book_snapshot":
            s.on_snapshot(r)
        elif what == "book_delta":
            s.on_delta(r)
        elif what == "trade":
            s.on_trade(r)
        elif what == "status":
            s.on_status(r)
    for name, s in symbols.items():
        s.finish(gaps.get(name, []))
    check_pauses([r for r in truth if r["at"] == "request"],
                 sum(f["fault"] in ("429", "418") for f in faults), bad.append)
    return bad, {
        "faults": len(faults),
        "declared": sum(len(s.gaps) for s in symbols.values()),
        "expected": sum(len(g) for g in gaps.values()),
        "hit": len(gaps),
        "digests": sum(s.digests for s in symbols.values()),
        "trades_missing": sum(s.trades_missing for s in symbols.values()),
    }
