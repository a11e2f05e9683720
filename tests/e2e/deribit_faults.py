"""Engines that collect Deribit from simulators which go wrong on purpose, side by side: at every change id that both
have, an engine's book is the exchange's, live and in the journal; every loss is one GAP of the book that was hit, no
other book is touched, and each ends VALID where the exchange's ended."""

import json
import os
import signal
import subprocess
import sys
import time

import fault_check

BOOK, TRADE = 3, 6  # record types that a GAP is about
TEXT_OUT = 5  # kind of a RAW record
SYMBOLS = 10
BUSY = ["BTC-PERPETUAL", "SOL_USDC-PERPETUAL", "BTC-25JUN27", "ETH-PERPETUAL"]  # {busy} is one of them, by the seed
COMES, GOES = "XRP_USDC-25JUN27-0d625-C", "ETH-25JUN27"
# Seconds of the market, faults, keys of the feed. `hit` says which books a fault makes anew: that of its symbol, all,
# or none.
FAULTS = {
    "gap": (7, ["gap:after=3,symbol={busy}"], {}),
    "gap-raw": (7, ["gap:after=2,times=2,every=2,symbol={busy}"],
                {"stream_pace": "raw", "client_id": "expires-3", "client_secret_env": "SIM_SECRET"}),
    "duplicate": (6, ["duplicate:after=2,cnt=3,symbol={busy}"], {}),
    "stall": (9, ["stall:after=2,for=3,symbol={busy}"], {}),
    "cut": (8, ["cut:after=2,times=2,every=2"], {}),
    "unanswered": (9, ["ask:after=1,every=0.6,for=1.5"], {}),
    "list": (8, [f"list:symbol={COMES},after=2", f"delist:symbol={GOES},after=3"], {"list_interval": "1s"}),
}
SECRET = "a-secret-of-this-test"
CONFIG = """engine:
  name: e
  shm_dir: {shm}
  instruments: 32
  book_space: 8MiB
journal:
  dir: {work}/journal
  segment: 16MiB
  idle: 10ms
feeds:
  deribit_derivatives:
    symbols: all
    channels: [depth, trade, ticker]
    url: {ws}/ws/api/v2
    rest_url: {rest}
    depth: 2000
    tape: 1MiB
    journal_ring: 4MiB
    silence_depth: 0s
    silence_connection: 0s
{keys}
monitoring:
  enabled: false
"""
PATIENCE_S = 60
MDENGINE = os.environ["MDENGINE"]


class Run:
    """One simulator, one engine."""

    def __init__(self, fault, seed, work, shm):
        self.fault, self.seed = fault, seed
        self.work, self.shm = f"{work}/{fault}.{seed}", f"{shm}/{fault}.{seed}"
        os.makedirs(self.work)
        os.makedirs(self.shm)
        self.sim = self.engine = None
        self.stopped_at = None
        self.samples, self.next_sample, self.names = [], 0, []
        self.bad, self.wrong = [], "the market did not end"

    def path(self, name):
        return f"{self.work}/{name}"

    def start(self):
        seconds, faults, keys = FAULTS[self.fault]
        args = [MDENGINE, "sim", "--venue", "deribit_derivatives", "--symbols", str(SYMBOLS), "--rate", "400", "--seconds",
                str(seconds), "--seed", str(self.seed), "--hold", "--wait-clients", "1", "--truth",
                self.path("truth.jsonl"), "--truth-every", "1"]
        for f in faults:
            args += ["--fault", f.format(busy=BUSY[self.seed % len(BUSY)])]
        with open(self.path("sim.log"), "w") as log:
            self.sim = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=log, text=True)
        urls = json.loads(self.sim.stdout.readline())
        lines = "\n".join(f"    {k}: {v}" for k, v in keys.items())
        with open(self.path("engine.yaml"), "w") as out:
            out.write(CONFIG.format(work=self.work, shm=self.shm, ws=urls["ws"], rest=urls["rest"], keys=lines))
        with open(self.path("engine.log"), "w") as log:
            self.engine = subprocess.Popen([MDENGINE, "run", "-c", self.path("engine.yaml")], stderr=log,
                                           env=os.environ | {"SIM_SECRET": SECRET})

    def book(self, symbol):
        args = [MDENGINE, "book", "deribit_derivatives", symbol, "-n", "e", "-S", self.shm, "--json", "-d", "2000"]
        done = subprocess.run(args, capture_output=True, text=True, check=False)
        return json.loads(done.stdout) if done.stdout else None

    def sample(self):
        if not self.names:
            return
        symbol = self.names[self.next_sample % len(self.names)]
        self.next_sample += 1
        b = self.book(symbol)
        if b and b["state"] == "VALID":
            self.samples.append((symbol, b["exch_seq"], fault_check.digest(b)))

    def truth(self):
        try:
            with open(self.path("truth.jsonl"), encoding="utf-8") as f:
                return [json.loads(line) for line in f if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def disturb(self, truth):
        """The engine is stopped while it is asked for signs of life, until one of them was missed."""
        if self.fault != "unanswered" or self.engine.poll() is not None:
            return
        asked = sum(r.get("fault") == "ask" for r in truth)
        if self.stopped_at is None and asked >= 2 and any(r["at"] == "point" for r in truth):
            self.engine.send_signal(signal.SIGSTOP)
            self.stopped_at = time.monotonic()
        elif self.stopped_at and any(r.get("fault") == "unanswered" for r in truth):
            self.engine.send_signal(signal.SIGCONT)
            self.stopped_at = 0

    def is_over(self):
        """The market ended, and every book that readers see is the exchange's."""
        if self.engine.poll() is not None:
            self.bad.append(f"the engine ended with {self.engine.returncode}")
            return True
        truth = self.truth()
        self.names = list({r["symbol"]: 0 for r in truth if r["at"] == "point"})
        self.disturb(truth)
        ends = [r for r in truth if r["at"] == "end"]
        if len(ends) < SYMBOLS or self.stopped_at:
            return False
        for end in ends:
            if self.fault == "list" and end["symbol"] == GOES:
                continue
            b = self.book(end["symbol"])
            # A last event that changed no level leaves the depth copies where they are.
            if not b or (b["state"], fault_check.digest(b)) != ("VALID", end["digest"]):
                self.wrong = f"{end['symbol']} stands at {b and (b['state'], b['exch_seq'])}, the exchange's at {end['id']}"
                return False
        return True

    def stop(self):
        for process in (self.engine, self.sim):
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.send_signal(signal.SIGTERM)
            if process.wait(60) != 0:
                self.bad.append(f"{process.args[1]} ended with status {process.returncode}")

    def kill(self):
        for process in (self.engine, self.sim):
            if process and process.poll() is None:
                process.kill()
                process.wait()

    def records(self, feed):
        args = [MDENGINE, "journal", "cat", self.path("journal"), "--json", "--feed", feed]
        done = subprocess.run(args, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def check(self):
        journal = self.path("journal")
        for args in (["journal", "verify", journal], ["replay", journal, "--verify"]):
            done = subprocess.run([MDENGINE, *args], capture_output=True, text=True, check=False)
            if done.returncode:
                self.bad.append(f"{' '.join(args)}: {(done.stdout + done.stderr)[-300:]}")
        truth = self.truth()
        bad, figures = check(self.fault, truth, self.records("deribit_derivatives"))
        self.bad += bad
        at = {(r["symbol"], r["id"]): r["digest"] for r in truth if r["at"] in ("point", "end")}
        figures["samples"] = 0
        for symbol, number, digest in self.samples:
            figures["samples"] += (symbol, number) in at
            if at.get((symbol, number), digest) != digest:
                self.bad.append(f"{symbol}: the live book at {number} was not the exchange's")
        self.bad += self.check_requests(self.records("deribit_derivatives.raw"))
        return figures

    def check_requests(self, raw):
        """What the engine said: signs of life, a token that is renewed, no secret anywhere."""
        sent = [r["payload"] for r in raw if r["kind"] == TEXT_OUT]
        files = [self.path("engine.log")] + [f"{d}/{f}" for d, _, fs in os.walk(self.path("journal")) for f in fs]
        for name in files:
            with open(name, "rb") as f:
                data = f.read()
            for secret in (SECRET, "simR-", "simA-"):
                if secret.encode() in data:
                    yield f"'{secret}' stands in {name}"
        if self.fault == "gap-raw" and sum("public/auth" in t for t in sent) < 2:
            yield "the token was not renewed"
        if self.fault == "unanswered" and sum("public/test" in t for t in sent) < 2:
            yield "no sign of life was given"


class Symbol:
    """What the journal says of one symbol, against its points of the truth."""

    def __init__(self, name, complain):
        self.name, self.complain = name, lambda text: complain(f"{name}: {text}")
        self.points, self.end = {}, None
        self.book = fault_check.Book()
        self.gaps, self.states = [], []
        self.trade_id, self.trades, self.missing, self.first_trade = None, 0, 0, None
        self.digests = 0
        self.in_snapshot = False

    def compare(self, r):
        if self.points.get(self.book.id) not in (None, self.book.digest()):
            self.complain(f"the book at {self.book.id} is not the exchange's")
        self.digests += self.book.id in self.points

    def on_gap(self, r):
        if r["record_type"] == TRADE:
            self.missing += r["exch_seq_seen"] - r["exch_seq_last"] - 1
            self.trade_id = r["exch_seq_seen"] - 1
            return
        if r["exch_seq_last"] != self.book.id:
            self.complain(f"a GAP behind {r['exch_seq_last']}, the book stood at {self.book.id}")
        self.gaps.append(r)
        self.book.is_open = True

    def on_book_snapshot(self, r):
        b = self.book
        if not self.in_snapshot:
            if b.id is not None and not b.is_open:
                self.complain(f"a new snapshot at {r['exch_seq']} without a GAP")
            b.sides, b.is_open, b.id = {"bids": {}, "asks": {}}, False, r["exch_seq"]
        b.put(r)
        self.in_snapshot = "LAST" not in r["flags"]
        if not self.in_snapshot:
            self.compare(r)

    def on_book_delta(self, r):
        b = self.book
        if b.id is None or b.is_open:
            self.complain(f"an update to {r['exch_seq']} of a book that is not valid")
            return
        b.put(r)
        if "LAST" not in r["flags"]:
            return
        if r["exch_seq"] not in self.points:
            self.complain(f"an update to {r['exch_seq']}, where the exchange's book never stood")
        skipped = [p for p in self.points if b.id < p < r["exch_seq"]]
        if skipped:
            self.complain(f"undeclared gap: {b.id}, then {r['exch_seq']}, without {skipped[0]}")
        b.id = r["exch_seq"]
        self.compare(r)

    def on_trade(self, r):
        if self.trade_id is not None and r["exch_seq"] != self.trade_id + 1:
            self.complain(f"undeclared gap of trades: {self.trade_id}, then {r['exch_seq']}")
        if self.first_trade is None:
            self.first_trade = r["exch_seq"]
        self.trade_id = r["exch_seq"]
        self.trades += 1

    def on_status(self, r):
        if "after_name" in r:  # of a book, not of trading
            self.states.append((r["after_name"], r["reason_name"]))

    def finish(self, gaps, goes):
        b, end = self.book, self.end
        if len(self.gaps) != gaps:
            self.complain(f"{len(self.gaps)} gaps declared, {gaps} made")
        if goes:
            if self.states[-1] != ("STALE", "DELISTED"):
                self.complain(f"went away and is {self.states[-1]}")
            return
        if b.is_open or b.id != end["id"] or b.digest() != end["digest"]:
            self.complain(f"ends at {b.id} open={b.is_open}, the exchange's at {end['id']}")
        if self.states[-1:] != [("VALID", "NONE")] or sum(s[0] == "STALE" for s in self.states) != gaps:
            self.complain(f"was {self.states}, hit {gaps} times")
        # Behind a loss of everything the next trade may not have come yet.
        last = end.get("trade_id_first", 0) + end["trades"] - 1
        if self.trades and (self.trade_id > last or (self.trade_id < last and not gaps)):
            self.complain(f"the last trade is {self.trade_id}, the exchange's {last}")


def hits(faults, names):
    """How often each book was to be made anew."""
    out = dict.fromkeys(names, 0)
    for f in faults:
        kind = f["fault"]
        if kind in ("gap", "stall"):
            out[f["symbol"]] += 1
        elif kind == "cut":
            for symbol in f["symbols"]:
                out[symbol] += 1
        elif kind == "unanswered":
            for symbol in names:
                out[symbol] += 1
    return out


def check(fault, truth, records):
    bad = []
    faults = [r for r in truth if r["at"] == "fault"]
    symbols = {r["symbol"]: Symbol(r["symbol"], bad.append) for r in truth if r["at"] == "end"}
    for r in truth:
        if r["at"] in ("point", "end"):
            symbols[r["symbol"]].points[r["id"]] = r["digest"]
        if r["at"] == "end":
            symbols[r["symbol"]].end = r
    for r in records:
        s = symbols.get(r.get("symbol"))
        handle = s and getattr(s, "on_" + r["type"], None)
        if handle:
            handle(r)
    made = hits(faults, symbols)
    for name, s in symbols.items():
        s.finish(made[name], fault == "list" and name == GOES)
    if not faults:
        bad.append("nothing went wrong: this tested nothing")
    return bad, {"faults": len(faults), "gaps": sum(len(s.gaps) for s in symbols.values()), "made": sum(made.values()),
                 "digests": sum(s.digests for s in symbols.values()), "trades": sum(s.trades for s in symbols.values())}


def play(runs):
    try:
        for r in runs:
            r.start()
        waiting, until = list(runs), time.monotonic() + PATIENCE_S
        while waiting and time.monotonic() < until:
            for r in list(waiting):
                if r.is_over():
                    waiting.remove(r)
                else:
                    r.sample()
                time.sleep(0.02)
        for r in waiting:
            r.bad.append(f"the books did not become the exchange's: {r.wrong}")
        for r in runs:
            r.stop()
    finally:
        for r in runs:
            r.kill()


def controls(run):
    """What is spoilt on purpose must be found out."""
    truth, records = run.truth(), run.records("deribit_derivatives")
    deltas = [n for n, r in enumerate(records) if r["type"] == "book_delta"]
    gap = next(r for r in records if r["type"] == "gap" and r["record_type"] == BOOK)
    middle = deltas[len(deltas) // 2]
    other = dict(gap, symbol=next(r["symbol"] for r in truth if r["at"] == "end" and r["symbol"] != gap["symbol"]))
    changed = dict(records[middle], bids=[["1", "77"]])
    spoilt = {
        "no GAP": [r for r in records if r is not gap],
        "an update less": records[:middle] + records[middle + 1:],
        "GAP of another book": records[:middle] + [other] + records[middle:],
        "another level": records[:middle] + [changed] + records[middle + 1:],
    }
    return [f"negative control '{name}' passed: the comparison finds nothing"
            for name, rows in spoilt.items() if not check("gap", truth, rows)[0]]


def main():
    work, shm, seeds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing is left running
    names = os.environ.get("FAULT_NAMES", " ".join(FAULTS)).split()
    runs = [Run(fault, seed, work, shm) for seed in range(1, seeds + 1) for fault in names]
    bad = []
    for n in range(0, len(runs), 8):
        play(runs[n:n + 8])
    print(f"{'fault':11} {'seed':>4} {'faults':>6} {'gaps declared/made':>18} {'digests':>8} {'live':>5} {'trades':>6}")
    for r in runs:
        f = r.check()
        print(f"{r.fault:11} {r.seed:4} {f['faults']:6} {f['gaps']:>9}/{f['made']:<8} {f['digests']:8} {f['samples']:5} "
              f"{f['trades']:6}")
        bad += [f"{r.fault}, seed {r.seed}: {text}" for text in r.bad[:5]]
    if "gap" in names:
        bad += controls(next(r for r in runs if r.fault == "gap"))
    print("\n".join(bad))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
