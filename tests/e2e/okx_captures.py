"""Recordings of OKX played by the simulator to an engine, all of them at a time, and what it must hold in the end."""

import copy
import json
import os
import signal
import subprocess
import sys
import time
from decimal import Decimal

MDENGINE = os.environ["MDENGINE"]
PATIENCE_S = 90
CONFIG = """engine:
  name: e
  shm_dir: {shm}
  instruments: 64
  book_space: 4MiB
journal:
  dir: {work}/journal
  segment: 16MiB
  idle: 10ms
feeds:
  {feed}:
    symbols: {symbols}
    channels: [depth, trade, bbo, ticker]
    url: {ws}/ws/v5
    rest_url: {rest}
    depth: full
    tape: 1MiB
    journal_ring: 8MiB
    silence_depth: 0s
    silence_bbo: 0s
    silence_connection: 0s
monitoring:
  enabled: false
"""


def ask(*words):
    done = subprocess.run([MDENGINE, *words], capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {}


def differences(want, live, journal, truth):
    """What an instrument's book and trades should be and are not; live or journal may be empty."""
    out = []
    state = [("state", "VALID")] if want["synced"] else []
    if not want["synced"] and live.get("state") == "VALID":
        out.append("VALID without being whole")
    for where, said in (("live", live), ("journal", journal)):
        fields = state + [("digest", want["digest"]), ("digest_top20", want["digest_top20"])] if want["synced"] else []
        fields += [("exch_seq", truth["id"])] if truth["id"] is not None else []
        out += [f"{where}: {name} {str(said.get(name))[:16]}, want {str(value)[:16]}" for name, value in fields
                if (name in said or name == "state") and said.get(name) != value]
    if truth["digest"] != want["digest"]:
        out.append(f"the exchange itself ends at {truth['digest'][:16]}, want {want['digest'][:16]}")
    totals = journal.get("trades", 0), Decimal(journal.get("trade_qty_sum", "0"))
    if totals != (want["trades"], Decimal(want["trade_qty_sum"])):
        out.append(f"trades {totals}, want {want['trades']} of {want['trade_qty_sum']}")
    return out


class Run:
    def __init__(self, feed, recording, expected, speed, more, work, shm, name):
        self.feed, self.recording, self.speed, self.more, self.name = feed, recording, speed, more, name
        self.expected = {want["symbol"]: want for want in expected.values() if "symbol" in want}
        self.work, self.shm = f"{work}/{name}", f"{shm}/{name}"
        os.makedirs(self.work)
        os.makedirs(self.shm)
        self.sim = self.engine = None
        self.bad, self.wrong = [], ["the recording did not end"]

    def start(self):
        args = [MDENGINE, "sim", "--venue", self.feed, "--capture", self.recording, "--speed", str(self.speed), "--hold",
                "--wait-clients", "1", "--truth", f"{self.work}/truth.jsonl", "--truth-every", "1", *self.more]
        with open(f"{self.work}/sim.log", "w") as log:
            self.sim = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=log, text=True)
        urls = json.loads(self.sim.stdout.readline())
        with open(f"{self.work}/engine.yaml", "w") as out:
            out.write(CONFIG.format(work=self.work, shm=self.shm, feed=self.feed, symbols=json.dumps(list(self.expected)),
                                    ws=urls["ws"], rest=urls["rest"]))
        with open(f"{self.work}/engine.log", "w") as log:
            self.engine = subprocess.Popen([MDENGINE, "run", "-c", f"{self.work}/engine.yaml"], stderr=log)

    def ends(self):
        with open(f"{self.work}/truth.jsonl", encoding="utf-8") as f:
            rows = [json.loads(line) for line in f.read().split("\n")[:-1]]  # the last one may be half written
        return {r["symbol"]: r for r in rows if r["at"] == "end"}

    def truth_of(self, ends, symbol):
        """Ids of a recording without any are the simulator's own count, which the engine never sees."""
        return ends[symbol] if "--new-ids" in self.more or self.is_of_today else {**ends[symbol], "id": None}

    def compare(self, expected):
        ends = self.ends()
        if len(ends) < len(expected):
            return ["the recording did not end"]
        recorded = {i["symbol"]: i for i in ask("replay", f"{self.work}/journal", "--json").get("instruments", [])}
        out = []
        for symbol, want in expected.items():
            live = ask("book", self.feed, symbol, "-n", "e", "-S", self.shm, "--digest", "--json")
            out += [f"{symbol}: {text}"
                    for text in differences(want, live, recorded.get(symbol, {}), self.truth_of(ends, symbol))]
        return out

    @property
    def is_of_today(self):
        return "checksum" not in self.name and not self.name.startswith("v5_")

    def is_over(self):
        if self.engine.poll() is not None:
            self.bad.append(f"the engine ended with {self.engine.returncode}")
            return True
        if not os.path.exists(f"{self.work}/truth.jsonl"):
            return False
        self.wrong = self.compare(self.expected)
        return not self.wrong

    def check(self):
        """With the engine still there: a wrong reference does not pass."""
        spoilt = copy.deepcopy(self.expected)
        victim = next(want for want in spoilt.values() if want["synced"])
        victim["digest"] = "0" * 64
        if not self.compare(spoilt):
            self.bad.append("a wrong digest passed: the comparison finds nothing")

    def end(self):
        if self.engine.poll() is None:
            self.engine.send_signal(signal.SIGTERM)
            if self.engine.wait(60):
                self.bad.append(f"the engine ended with {self.engine.returncode}")
        if self.sim.poll() is None:
            self.sim.send_signal(signal.SIGTERM)
            self.sim.wait(60)
        done = subprocess.run([MDENGINE, "replay", f"{self.work}/journal", "--verify"], capture_output=True, text=True,
                              check=False)
        if done.returncode:
            self.bad.append(f"replay --verify: {(done.stdout + done.stderr)[-300:]}")

    def kill(self):
        for process in (self.engine, self.sim):
            if process and process.poll() is None:
                process.kill()
                process.wait()


def all_runs(work, shm, fixtures):
    out = []
    for feed in ("okx_spot", "okx_derivatives"):
        folder = f"{fixtures}/{feed}"
        for name in sorted(n for n in os.listdir(folder) if n.endswith(".expected.json")):
            key, expected = next(iter(json.load(open(f"{folder}/{name}")).items()))
            stem = name.split(".")[0]
            out.append(Run(feed, f"{folder}/{key}", expected, 5, [], work, shm, f"{stem}.{feed}"))
            if stem == "checksum":
                out.append(Run(feed, f"{folder}/{key}", expected, 5, ["--new-ids"], work, shm, f"{stem}.ids"))
    captures = os.environ.get("MD_CAPTURES")
    if captures:
        reference = json.load(open(f"{captures}/EXPECTED.json"))
        # These seeds choose each of the three connections. The second recording begins with four minutes of lists.
        for stem, speed, seeds in (("v5_3conns_20210722", 8, [1, 3, 6]), ("v5_books_20220513", 40, [1])):
            key = f"okx/{stem}.wscap.zst"
            for seed in seeds:
                out.append(Run("okx_spot", f"{captures}/{key}", reference[key], speed, ["--seed", str(seed)], work, shm,
                               f"{stem}.{seed}"))
            out.append(Run("okx_spot", f"{captures}/{key}", reference[key], speed, ["--new-ids"], work, shm,
                           f"{stem}.ids"))
    return out


def main():
    runs = all_runs(*sys.argv[1:4])
    try:
        for r in runs:
            r.start()
        waiting, until = list(runs), time.monotonic() + PATIENCE_S
        while waiting and time.monotonic() < until:
            waiting = [r for r in waiting if not r.is_over()]
            time.sleep(0.3)
        for r in waiting:
            r.bad += r.wrong[:5]
        for r in runs:
            r.check()
            r.end()
    finally:
        for r in runs:
            r.kill()
    for r in runs:
        print(f"{r.name}: {'; '.join(r.bad) if r.bad else f'{len(r.expected)} instruments exact'}")
    sys.exit(1 if any(r.bad for r in runs) else 0)


if __name__ == "__main__":
    main()
