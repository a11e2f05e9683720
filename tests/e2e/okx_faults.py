"""Engines that collect OKX from simulators which go wrong on purpose: every book equals the exchange's at equal ids,
every hole is declared, nobody else is touched."""

import copy
import json
import os
import signal
import subprocess
import sys
import time
from decimal import Decimal

import fault_check

FEED = "okx_derivatives"
SYMBOLS = ["BTC-USDT-SWAP", "ETH-USDT-SWAP", "BTC-USD-301227", "BTC-USD-301227-90000-C", "SHIB-USDT-SWAP"]
CHANNELS = "[depth, trade, fill, bbo, kline, ticker, mark, index, funding, open_interest, liquidation, long_short_ratio]"
TYPES = {"definition", "status", "book_snapshot", "book_delta", "bbo", "trade", "kline", "ticker", "mark", "index",
         "funding", "open_interest", "liquidation", "long_short_ratio"}
# Seconds of the market and faults.
FAULTS = {
    "gap": (8, ["gap:after=3,times=2,every=2"]),
    "duplicate": (6, ["duplicate:after=2,cnt=3"]),
    "checksum": (7, ["checksum:after=3"]),
    "stall": (9, ["stall:after=2,for=2"]),
    "cut": (8, ["cut:after=2,code=4006,symbol=BTC-USDT-SWAP"]),
    "shutdown": (9, ["shutdown:after=2,for=3"]),
    "429": (8, ["429:cnt=2,retry=2"]),
}
CONFIG = """engine:
  name: e
  shm_dir: {shm}
  instruments: 32
  book_space: 4MiB
journal:
  dir: {work}/journal
  segment: 16MiB
  idle: 10ms
feeds:
  {feed}:
    symbols: [{symbols}]
    channels: {channels}
    url: {ws}
    rest_url: {rest}
    depth: 400
    tape: 1MiB
    journal_ring: 4MiB
    silence_depth: 0s
    silence_bbo: 0s
    silence_connection: 0s
monitoring:
  enabled: false
"""
PATIENCE_S = 90
SAMPLE_S = 0.05
MDENGINE = os.environ["MDENGINE"]


class Run:
    """One simulator, one engine."""

    def __init__(self, fault, seed, work, shm):
        self.fault, self.seed = fault, seed
        self.work, self.shm = f"{work}/{fault}.{seed}", f"{shm}/{fault}.{seed}"
        os.makedirs(self.work)
        os.makedirs(self.shm)
        self.sim = self.engine = None
        self.samples, self.next_sample = [], 0
        self.bad, self.wrong = [], "the market did not end"

    def path(self, name):
        return f"{self.work}/{name}"

    def start(self):
        seconds, faults = FAULTS[self.fault]
        # Two connections, /public and /business, have subscribed when the market begins.
        args = [MDENGINE, "sim", "--venue", FEED, "--symbols", str(len(SYMBOLS)), "--rate", "400", "--seconds",
                str(seconds), "--seed", str(self.seed), "--hold", "--wait-clients", "2", "--truth",
                self.path("truth.jsonl"), "--truth-every", "1"]
        for f in faults:
            args += ["--fault", f]
        with open(self.path("sim.log"), "w") as log:
            self.sim = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=log, text=True)
        urls = json.loads(self.sim.stdout.readline())
        with open(self.path("engine.yaml"), "w") as out:
            out.write(CONFIG.format(work=self.work, shm=self.shm, feed=FEED, symbols=", ".join(SYMBOLS),
                                    channels=CHANNELS, ws=urls["ws"] + "/ws/v5", rest=urls["rest"]))
        with open(self.path("engine.log"), "w") as log:
            self.engine = subprocess.Popen([MDENGINE, "run", "-c", self.path("engine.yaml")], stderr=log)

    def book(self, symbol):
        args = [MDENGINE, "book", FEED, symbol, "-n", "e", "-S", self.shm, "--json", "--digest"]
        done = subprocess.run(args, capture_output=True, text=True, check=False)
        return json.loads(done.stdout) if done.stdout else None

    def sample(self):
        symbol = SYMBOLS[self.next_sample % len(SYMBOLS)]
        self.next_sample += 1
        b = self.book(symbol)
        if b and b["state"] == "VALID":
            self.samples.append((symbol, b["exch_seq"], b["digest"]))

    def truth(self):
        with open(self.path("truth.jsonl"), encoding="utf-8") as f:
            return [json.loads(line) for line in f.read().split("\n")[:-1]]  # the last one may be half written

    def is_over(self):
        """The market ended, and every book that readers see is the exchange's."""
        if self.engine.poll() is not None:
            self.bad.append(f"the engine ended with {self.engine.returncode}")
            return True
        if not os.path.exists(self.path("truth.jsonl")):
            return False
        ends = [r for r in self.truth() if r["at"] == "end"]
        if len(ends) < len(SYMBOLS):
            return False
        for end in ends:
            b = self.book(end["symbol"])
            if not b or (b["state"], b["exch_seq"], b["digest"]) != ("VALID", end["id"], end["digest"]):
                self.wrong = f"{end['symbol']} is {b and (b['state'], b['exch_seq'])}, the exchange's at {end['id']}"
                return False
        return True

    def end(self):
        """The engine first: it sees no end of the exchange."""
        if self.engine.poll() is None:
            self.engine.send_signal(signal.SIGTERM)

    def stop(self):
        self.end()
        if self.sim.poll() is None:
            self.sim.send_signal(signal.SIGTERM)
        for process in (self.engine, self.sim):
            if process and process.wait(60) != 0:
                self.bad.append(f"{process.args[1]} ended with status {process.returncode}")

    def kill(self):
        for process in (self.engine, self.sim):
            if process and process.poll() is None:
                process.kill()
                process.wait()

    def records(self):
        args = [MDENGINE, "journal", "cat", self.path("journal"), "--json", "--feed", FEED]
        done = subprocess.run(args, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def check(self):
        done = subprocess.run([MDENGINE, "replay", self.path("journal"), "--verify"], capture_output=True, text=True,
                              check=False)
        if done.returncode:
            self.bad.append(f"replay --verify: {(done.stdout + done.stderr)[-300:]}")
        truth, records = self.truth(), self.records()
        bad, figures = check(truth, records)
        self.bad += bad
        missing = TYPES - {r["type"] for r in records}
        if missing:
            self.bad.append(f"no record of {sorted(missing)}")
        at = {(r["symbol"], r["id"]): r["digest"] for r in truth if r["at"] in ("point", "end")}
        figures["samples"] = 0
        for symbol, number, digest in self.samples:
            if (symbol, number) in at:
                figures["samples"] += 1
                if at[symbol, number] != digest:
                    self.bad.append(f"{symbol}: the live book at {number} was not the exchange's")
        if not figures["faults"]:
            self.bad.append("nothing went wrong: this tested nothing")
        return figures


class Symbol:
    """What the journal says of one symbol, against its points of the truth."""

    def __init__(self, name, chain, end, complain):
        self.name, self.end = name, end
        self.points = {r["id"]: r["digest"] for r in chain}
        self.place = {r["id"]: n for n, r in enumerate(chain)}  # ids fall once: order is the truth's
        self.complain = lambda text: complain(f"{name}: {text}")
        self.book = fault_check.Book()
        self.gaps, self.states, self.done = [], [], False
        self.trade_ids, self.qty = [], Decimal(0)
        self.digests = self.in_snapshot = 0

    def compare(self, what):
        self.digests += 1
        if self.book.id not in self.points:
            self.complain(f"{what} at {self.book.id}, where the exchange never was")
        elif self.points[self.book.id] != self.book.digest():
            self.complain(f"the book of a {what} at {self.book.id} is not the exchange's")

    def is_at_end(self):
        return self.book.id == self.end["id"] and self.states[-1:] == ["VALID"]

    def on_gap(self, r):
        if self.is_at_end():
            self.done = True  # the exchange ended
        if self.done or r["record_type"] != fault_check.BOOK:
            return
        if r["exch_seq_last"] != self.book.id:
            self.complain(f"a GAP behind {r['exch_seq_last']}, the book stood at {self.book.id}")
        self.gaps.append((r["exch_seq_last"], r["reason_name"]))
        self.book.is_open = True

    def on_snapshot(self, r):
        b = self.book
        if not self.in_snapshot:
            if b.id is not None and not b.is_open:
                self.complain(f"a new snapshot at {r['exch_seq']} without a GAP")
            b.sides = {"bids": {}, "asks": {}}
            b.is_open, b.id = False, r["exch_seq"]
        b.put(r)
        self.in_snapshot = "LAST" not in r["flags"]
        if not self.in_snapshot and b.id in self.points:
            self.compare("snapshot")  # the one before the first event is no point

    def on_delta(self, r):
        b = self.book
        if b.id is None or b.is_open:
            self.complain(f"an update to {r['exch_seq']} of a book that is not valid")
            return
        if r["exch_seq_prev"] != b.id:
            self.complain(f"undeclared gap: {b.id}, then {r['exch_seq']} behind {r['exch_seq_prev']}")
        b.put(r)
        if "LAST" in r["flags"]:
            before, b.id = b.id, r["exch_seq"]
            self.compare("update")
            if before in self.place and self.place[before] + 1 != self.place.get(b.id):
                self.complain(f"{b.id} does not follow {before}")

    def on_trade(self, r):
        self.trade_ids.append(r["trade_id"])
        self.qty += Decimal(r["qty"])

    def on_status(self, r):
        if not self.done:
            self.states.append(r["after_name"])

    def finish(self, expected):
        b, end = self.book, self.end
        if b.is_open or b.id != end["id"] or b.digest() != end["digest"]:
            self.complain(f"ends at {b.id} open={b.is_open}, the exchange's at {end['id']}")
        if len(self.gaps) != len(expected):
            self.complain(f"GAPs {self.gaps}, made {expected}")
        for (last, reason), (lost, because) in zip(self.gaps, expected):
            if reason != because:
                self.complain(f"a GAP because of {reason}, expected {because}")
            if lost is not None and self.place.get(last) != self.place[lost] - 1:
                self.complain(f"a GAP behind {last}, {lost} was the first that was lost")
        want = ["SYNCING", "VALID"] + ["STALE", "SYNCING", "VALID"] * len(expected)
        said = [s for n, s in enumerate(self.states) if n == 0 or s != self.states[n - 1]]
        if [s for s in said if s != "SYNCING"] != [s for s in want if s != "SYNCING"]:
            self.complain(f"went through {said}")
        if self.trade_ids != sorted(set(self.trade_ids)):
            self.complain("trades are out of order or came twice")
        if not self.may_miss_trades:
            if (len(self.trade_ids), self.qty) != (end["trades"], Decimal(end["trade_qty_sum"])):
                self.complain(f"{len(self.trade_ids)} trades of {self.qty}, truth {end['trades']} of "
                              f"{end['trade_qty_sum']}")


def first_lost(chain, fault):
    """The event with which a fault's loss began, U..u: found from its end on, because ids fall once."""
    ids = [0] + [r["id"] for r in chain]
    n = ids.index(fault["u"])
    while n > 1 and not ids[n - 1] < fault["U"] <= ids[n]:
        n -= 1
    return ids[n]


def expected_gaps(faults, chains):
    """By symbol: the first event that was lost (None: any) and the reason that the engine gives."""
    out = {}
    for f in faults:
        kind = f["fault"]
        if kind in ("gap", "checksum", "stall") and f["u"]:
            reason = "CHECKSUM" if kind == "checksum" else "SEQUENCE"
            out.setdefault(f["symbol"], []).append((first_lost(chains[f["symbol"]], f), reason))
        elif kind == "cut":
            for symbol in f["symbols"]:
                out.setdefault(symbol, []).append((None, "DISCONNECT"))
    return out


def check(truth, records):
    """Returns what is wrong, as texts, and figures."""
    bad = []
    faults = [r for r in truth if r["at"] == "fault"]
    ends = {r["symbol"]: r for r in truth if r["at"] == "end"}
    chains = {name: [r for r in truth if r["at"] == "point" and r["symbol"] == name] for name in ends}
    gaps = expected_gaps(faults, chains)
    symbols = {name: Symbol(name, chains[name], ends[name], bad.append) for name in ends}
    quiet = {f["symbol"] for f in faults if f["fault"] == "stall"}
    is_cut = any(f["fault"] == "cut" for f in faults)
    for r in records:
        s, what = symbols.get(r.get("symbol")), r["type"]
        if s is None:
            if what in ("gap", "book_snapshot", "book_delta", "trade"):
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
        s.may_miss_trades = name in quiet or is_cut
        s.finish(gaps.get(name, []))
    resets = sum(a["id"] > b["id"] for chain in chains.values() for a, b in zip(chain, chain[1:]))
    fault_check.check_pauses([r for r in truth if r["at"] == "request"],
                             sum(f["fault"] in ("429", "418") for f in faults), bad.append)
    if resets == 0:
        bad.append("no book's ids were reset: this tested too little")
    return bad, {"faults": len(faults), "declared": sum(len(s.gaps) for s in symbols.values()),
                 "made": sum(len(g) for g in gaps.values()), "hit": len(gaps), "resets": resets,
                 "digests": sum(s.digests for s in symbols.values())}


def play(runs):
    """Runs them side by side until each is over."""
    try:
        for r in runs:
            r.start()
        waiting, until = list(runs), time.monotonic() + PATIENCE_S
        while waiting and time.monotonic() < until:
            for r in list(waiting):
                if r.is_over():
                    r.end()
                    waiting.remove(r)
                else:
                    r.sample()
                time.sleep(SAMPLE_S)
        for r in waiting:
            r.bad.append(f"the books did not become the exchange's: {r.wrong}")
        for r in runs:
            r.stop()
    finally:
        for r in runs:
            r.kill()


def controls(run):
    """No GAP; an update less; another quantity; a GAP of another book: each must be found out."""
    truth, records = run.truth(), run.records()
    deltas = [n for n, r in enumerate(records) if r["type"] == "book_delta"]
    middle = deltas[len(deltas) // 2]
    gap = next(r for r in records if r["type"] == "gap" and r["record_type"] == fault_check.BOOK)
    other = copy.deepcopy(gap)
    other["symbol"] = next(s for s in SYMBOLS if s != gap["symbol"])
    changed = copy.deepcopy(records[middle])
    changed["bids"] = [[px, "77"] for px, _ in changed["bids"]] or [["1", "77"]]
    spoilt = {
        "no GAP": [r for r in records if r is not gap],
        "an update less": records[:middle] + records[middle + 1:],
        "another quantity": records[:middle] + [changed] + records[middle + 1:],
        "GAP of another book": records[:middle] + [other] + records[middle:],
    }
    return [f"negative control '{name}' passed: the comparison finds nothing"
            for name, spoiled in spoilt.items() if not check(truth, spoiled)[0]]


def main():
    work, shm, seeds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    names = os.environ.get("FAULTS", " ".join(FAULTS)).split()
    bad = []
    print(f"{'fault':10} {'seed':>4} {'faults':>6} {'gaps declared/made':>18} {'books hit':>9} {'resets':>6} "
          f"{'digests':>7} {'live':>5}")
    for seed in range(1, seeds + 1):
        runs = [Run(fault, seed, work, shm) for fault in names]
        play(runs)
        for r in runs:
            f = r.check()
            print(f"{r.fault:10} {seed:>4} {f['faults']:>6} {f['declared']:>10}/{f['made']:<7} {f['hit']:>9} "
                  f"{f['resets']:>6} {f['digests']:>7} {f['samples']:>5}")
            bad += [f"{r.fault}, seed {r.seed}: {text}" for text in r.bad[:5]]
        if "gap" in names and seed == 1 and not bad:
            bad += controls(runs[names.index("gap")])
    print("\n".join(bad))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
