"""Engines that collect from simulators which go wrong on purpose, many at a time: every book equals the exchange's
at equal update ids while it runs and afterwards, every hole is declared, nobody else is touched."""

import concurrent.futures
import copy
import json
import os
import signal
import subprocess
import sys
import time

import fault_check

# Of a feed: its symbols, channels, connections that an engine makes, whether its ids jump.
FEEDS = {
    "binance_spot": (["BTCUSDT", "ETHUSDT", "BNBUSDT"], "depth, trade, bbo", 1, False),
    "binance_derivatives": (["BTCUSDT", "ETHUSDT", "BNBUSDT"], "depth, trade, bbo, agg_trade, mark", 2, True),
    "binance_coinm": (["BTCUSD_PERP", "ETHUSD_PERP", "BNBUSD_PERP"], "depth, trade, bbo", 1, True),
}
NO_SILENCE = {"silence_depth": "0s", "silence_bbo": "0s", "silence_connection": "0s"}
# Seconds of the market, faults, keys of the feed. Where silence is looked for, what is silent is told from what is
# only late on a busy machine by seconds, and the end of the market is silence too.
FAULTS = {
    "gap": (7, ["gap:after=3"], {}),
    "duplicate": (7, ["duplicate:after=2,cnt=3"], {}),
    "cut": (9, ["cut:after=2,times=2,every=3"], {}),
    "429": (10, ["429:after=1,cnt=2,retry=2", "gap:after=3"], {}),
    "418": (10, ["418:after=1,retry=4", "gap:after=3"], {}),
    "stall": (14, ["stall:after=2,for=5"], {"silence_depth": "3s"}),
    "half-open": (18, ["half-open:after=2"], {"silence_connection": "4s"}),
}
CONFIG = """engine:
  name: e
  shm_dir: {shm}
  instruments: 16
  book_space: 4MiB
journal:
  dir: {work}/journal
  segment: 16MiB
  idle: 10ms
feeds:
  {feed}:
    symbols: [{symbols}]
    channels: [{channels}]
    url: {ws}
    rest_url: {rest}
    depth: 2000
    tape: 1MiB
    journal_ring: 4MiB
{keys}
monitoring:
  enabled: false
"""
PATIENCE_S = 150
SAMPLE_S = 0.05
MDENGINE = os.environ["MDENGINE"]


class Run:
    """One simulator, one engine."""

    def __init__(self, feed, fault, seed, work, shm):
        self.feed, self.fault, self.seed = feed, fault, seed
        self.symbols, self.channels, self.links, self.is_chained = FEEDS[feed]
        self.work, self.shm = f"{work}/{feed}.{fault}.{seed}", f"{shm}/{feed}.{fault}.{seed}"
        os.makedirs(self.work)
        os.makedirs(self.shm)
        self.sim = self.engine = None
        self.samples = []  # symbol, id, digest: of a VALID book while it ran
        self.next_sample = 0
        self.bad, self.wrong = [], "the market did not end"

    def path(self, name):
        return f"{self.work}/{name}"

    def start(self):
        seconds, faults, keys = FAULTS[self.fault]
        args = [MDENGINE, "sim", "--venue", self.feed, "--symbols", str(len(self.symbols)), "--rate", "300",
                "--seconds", str(seconds), "--seed", str(self.seed), "--hold", "--wait-clients", str(self.links),
                "--truth", self.path("truth.jsonl"), "--truth-every", "1"]
        for f in faults:
            args += ["--fault", f]
        with open(self.path("sim.log"), "w") as log:
            self.sim = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=log, text=True)
        urls = json.loads(self.sim.stdout.readline())
        lines = "\n".join(f"    {k}: {v}" for k, v in (NO_SILENCE | keys).items())
        with open(self.path("engine.yaml"), "w") as out:
            out.write(CONFIG.format(work=self.work, shm=self.shm, feed=self.feed, symbols=", ".join(self.symbols),
                                    channels=self.channels, ws=urls["ws"], rest=urls["rest"], keys=lines))
        with open(self.path("engine.log"), "w") as log:
            self.engine = subprocess.Popen([MDENGINE, "run", "-c", self.path("engine.yaml")], stderr=log)

    def book(self, symbol, *more):
        args = [MDENGINE, "book", self.feed, symbol, "-n", "e", "-S", self.shm, "--json", *more]
        done = subprocess.run(args, capture_output=True, text=True, check=False)
        return json.loads(done.stdout) if done.stdout else None

    def sample(self):
        symbol = self.symbols[self.next_sample % len(self.symbols)]
        self.next_sample += 1
        b = self.book(symbol, "--digest")
        if b and b["state"] == "VALID":
            self.samples.append((symbol, b["exch_seq"], b["digest"]))

    def truth(self):
        with open(self.path("truth.jsonl"), encoding="utf-8") as f:
            return [json.loads(line) for line in f if line.endswith("\n")]

    def market_is_over(self):
        with open(self.path("truth.jsonl"), "rb") as f:
            f.seek(0, os.SEEK_END)
            f.seek(max(0, f.tell() - 4096))
            return f.read().count(b'"at":"end"') == len(self.symbols)

    def is_over(self):
        """The market ended, and every book that readers see is the exchange's."""
        if self.engine.poll() is not None:
            self.bad.append(f"the engine ended with {self.engine.returncode}")
            return True
        if not os.path.exists(self.path("truth.jsonl")) or not self.market_is_over():
            return False
        for end in (r for r in self.truth() if r["at"] == "end"):
            b = self.book(end["symbol"], "-d", "2000")
            if not b or (b["exch_seq"], fault_check.digest(b)) != (end["id"], end["digest"]):
                self.wrong = f"{end['symbol']} stands at {b and b['exch_seq']}, the exchange's at {end['id']}"
                return False
            if b["state"] != "VALID" and not FAULTS[self.fault][2]:
                return False
        # Where the machine was too busy to look while it ran, readers saw this.
        self.samples += [(end["symbol"], end["id"], end["digest"]) for end in self.truth() if end["at"] == "end"]
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
        args = [MDENGINE, "journal", "cat", self.path("journal"), "--json", "--feed", self.feed]
        done = subprocess.run(args, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def check(self):
        """After the end: figures, self.bad."""
        journal = self.path("journal")
        for args in (["journal", "verify", journal], ["replay", journal, "--verify"]):
            done = subprocess.run([MDENGINE, *args], capture_output=True, text=True, check=False)
            if done.returncode:
                self.bad.append(f"{' '.join(args)}: {(done.stdout + done.stderr)[-300:]}")
        truth = self.truth()
        bad, figures = fault_check.check(truth, self.records(), self.is_chained)
        self.bad += bad
        at = {(r["symbol"], r["id"]): r["digest"] for r in truth if r["at"] in ("point", "end")}
        figures["samples"] = 0
        for symbol, number, digest in self.samples:
            if (symbol, number) not in at:
                continue  # right behind a snapshot, between two updates
            figures["samples"] += 1
            if at[symbol, number] != digest:
                self.bad.append(f"{symbol}: the live book at {number} was not the exchange's")
        if not figures["faults"]:
            self.bad.append("nothing went wrong: this tested nothing")
        return figures


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


def control(name, truth, records, run):
    """A run that was spoilt on purpose must be found out."""
    bad, _ = fault_check.check(truth, records, run.is_chained)
    if bad:
        return []
    return [f"negative control '{name}' of {run.feed}, {run.fault} {run.seed} passed: the comparison finds nothing"]


def controls(runs):
    """Truth of another seed; a hole that is not declared; one update that is missing; a gap of another book; a
    request within a pause; a book that differs in one level."""
    by = {(r.fault, r.seed): r for r in runs}
    a, b, c = by["gap", 1], by["gap", 2], by["418", 1]
    truth, records = a.truth(), a.records()
    deltas = [n for n, r in enumerate(records) if r["type"] == "book_delta"]
    middle = deltas[len(deltas) // 2]
    hit = next(r["symbol"] for r in truth if r["at"] == "fault")
    gap = next(r for r in records if r["type"] == "gap")
    other = copy.deepcopy(gap)
    other["symbol"] = next(s for s in a.symbols if s != hit)
    changed = copy.deepcopy(records[middle])
    changed["bids"] = [[px, "77"] for px, _ in changed["bids"]] or [["1", "77"]]
    requests = c.truth()
    late = copy.deepcopy(next(r for r in requests if r.get("status") == 418))
    late["mono_ns"] += late["retry_after_s"] * 1_000_000_000 - 1
    late["status"] = 200
    return (control("truth of another seed", b.truth(), records, a)
            + control("no GAP", truth, [r for r in records if r is not gap], a)
            + control("an update less", truth, records[:middle] + records[middle + 1:], a)
            + control("GAP of another book", truth, records[:middle] + [other] + records[middle:], a)
            + control("another quantity", truth, records[:middle] + [changed] + records[middle + 1:], a)
            + control("asked within the pause", requests + [late], c.records(), c))


def table(rows):
    print(f"{'feed':20} {'fault':10} {'seeds':>5} {'faults':>6} {'gaps declared/made':>18} {'books hit':>9} "
          f"{'digests':>8} {'live':>5} {'trades missing':>14}")
    for feed, fault in dict.fromkeys((r.feed, r.fault) for r, _ in rows):
        mine = [f for r, f in rows if (r.feed, r.fault) == (feed, fault)]
        total = {k: sum(f[k] for f in mine) for k in mine[0]}
        print(f"{feed:20} {fault:10} {len(mine):5} {total['faults']:6} {total['declared']:>9}/{total['expected']:<8} "
              f"{total['hit']:9} {total['digests']:8} {total['samples']:5} {total['trades_missing']:14}")
        if total["samples"] == 0:
            yield f"{feed}, {fault}: no live book was looked at"


def main():
    work, shm, seeds, at_once = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing is left running
    names = os.environ.get("FAULT_NAMES", " ".join(FAULTS)).split()
    feeds = os.environ.get("FAULT_FEEDS", "binance_spot").split()
    runs = [Run(feed, fault, seed, work, shm) for feed in feeds for fault in names for seed in range(1, seeds + 1)]
    rows, spoilt = [], []
    for n in range(0, len(runs), at_once):
        play(runs[n:n + at_once])
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        rows = list(zip(runs, pool.map(Run.check, runs)))
    if {"gap", "418"} <= set(names) and seeds > 1:
        for feed in feeds:
            spoilt += controls([r for r in runs if r.feed == feed])
    bad = list(table(rows)) + [f"{r.feed}, {r.fault}, seed {r.seed}: {text}" for r, _ in rows for text in r.bad[:5]] + spoilt
    print("\n".join(bad))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
