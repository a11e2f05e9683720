"""Recorded frames of Binance spot through ccxt and tardis-dev on Node.js and through `mdengine replay`, all on one core.

usage: peers.py [--frames N] [--rounds N] MDENGINE PEER.mjs RECORDING.wscap WORK

Each program plays the first half of the frames, then all of them; what counts is the difference, so that neither start nor
warm-up counts for or against anyone: user and system time of all threads, and wall time. A peer's clocks run while it
handles frames that are in its memory already, ours are those of the whole process, which reads its file.

After both runs the books must be the same, all levels by SHA-256 with prices and quantities as plain decimals, and so must
the numbers of trades; otherwise it is an error. Then books are spoilt on purpose, and the comparison must notice.
"""
import argparse
import hashlib
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from decimal import Decimal

TARGET = 50
OUR_RUNS = 15  # ours takes hundredths of a second: each figure of a round is the median of so many runs
OURS = "mdengine replay"
PEERS = {"ccxt": "ccxt", "tardis": "tardis-dev", "tardis-bbo": "tardis-dev, best prices too"}
DEPTH_UPDATE = re.compile(r'("e":"depthUpdate","E":\d+,"s":"(\w+)","U":)(\d+)(,"u":(\d+),)')


def on_one_core():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def without_overlaps(lines):
    """Lets each depth update begin behind the last one, and says how many did not.

    Binance may send changes again in a longer update. ccxt takes that for a hole, drops the book and wants a new snapshot,
    which no recording has. Quantities are absolute: where an update says that it begins changes nothing in the books.
    """
    last, overlaps, out = {}, 0, []
    for line in lines:
        match = DEPTH_UPDATE.search(line)
        if match:
            symbol, first, final = match[2], int(match[3]), int(match[5])
            if first <= last.get(symbol, 0) < final:
                line = DEPTH_UPDATE.sub(lambda m: f"{m[1]}{last[symbol] + 1}{m[4]}", line, count=1)
                overlaps += 1
            last[symbol] = max(final, last.get(symbol, 0))
        out.append(line)
    return out, overlaps


def run(command):
    """What a program prints, wall and processor time of the process."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, preexec_fn=on_one_core).stdout
    wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return json.loads(text), wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def plain(number):
    text = format(Decimal(repr(number) if isinstance(number, float) else str(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def digest(sides):
    lines = "".join(f"{mark} {plain(px)} {plain(qty)}\n" for mark, side in zip("BA", sides) for px, qty in side)
    return hashlib.sha256(lines.encode()).hexdigest()


def differences(out, replay):
    """Where a peer's books and trades are not ours."""
    ours = {i["symbol"]: i for i in replay["instruments"]}
    for book in out["books"]:
        mine, sides = ours[book["symbol"]], book["levels"]
        if mine["state"] != "VALID":
            yield f"{book['symbol']}: our book is {mine['state']}"
        elif min(map(len, sides)) < 20:
            yield f"{book['symbol']}: fewer than 20 levels a side to compare"
        elif [len(side) for side in sides] != [mine["bids"], mine["asks"]]:
            yield f"{book['symbol']}: {len(sides[0])} and {len(sides[1])} levels, not {mine['bids']} and {mine['asks']}"
        elif digest([side[:20] for side in sides]) != mine["digest_top20"]:
            yield f"{book['symbol']}: the best 20 levels differ"
        elif digest(sides) != mine["digest"]:
            yield f"{book['symbol']}: levels beyond the best 20 differ"
    if not out["books"]:
        yield "no book: the recording has no snapshot"
    trades = sum(i["trades"] for i in replay["instruments"])
    if out["trades"] != trades:
        yield f"{out['trades']} trades, not {trades}"


def must_notice(out, replay):
    """The comparison must see one quantity changed, near the top and at the end, and a trade that is missing."""
    for at in (0, -1):
        level = out["books"][-1]["levels"][1][at]
        level[1] += 1
        if not list(differences(out, replay)):
            sys.exit("the comparison did not notice a changed quantity")
        level[1] -= 1
    if not list(differences({**out, "trades": out["trades"] - 1}, replay)):
        sys.exit("the comparison did not notice a missing trade")


def round_of(arguments, files, bad):
    """Wall and processor time and frames of the second half, for each program."""
    figures = {}
    for file in files:
        ours = [run([arguments.mdengine, "replay", file, "--json"]) for _ in range(OUR_RUNS)]
        replay, wall, cpu = ours[0][0], *(statistics.median(one[i] for one in ours) for i in (1, 2))
        with open(file, encoding="utf-8") as text:
            frames = sum(line.split("\t", 2)[1] == "I" for line in text)
        figures.setdefault(OURS, []).append((wall, cpu, frames))
        for peer, name in PEERS.items():
            out, _, _ = run(["node", arguments.peer, peer, file])
            figures.setdefault(name, []).append((out["seconds"], out["cpu_seconds"], out["frames"]))
            found = [f"{name}: {text}" for text in differences(out, replay)]
            bad.update(found)
            if not found:
                must_notice(out, replay)
    return {name: [whole - half for half, whole in zip(*both)] for name, both in figures.items()}


def table(rounds):
    def median(name, which):
        return statistics.median(r[name][which] / r[name][2] for r in rounds)

    if min(r[name][which] for r in rounds for name in r for which in (0, 1)) <= 0:
        print("too few frames to measure")
        return
    print(f"{'program':<28} {'messages/s':>12} {'us CPU each':>12} {'CPU/ours':>9} {'min':>6} {'max':>6} {'wall/ours':>9}")
    for name in rounds[0]:
        ratios = [r[name][1] / r[OURS][1] for r in rounds]
        wall = statistics.median(r[name][0] / r[OURS][0] for r in rounds)
        print(f"{name:<28} {1 / median(name, 0):12,.0f} {median(name, 1) * 1e6:12.3f} {statistics.median(ratios):9.1f}"
              f" {min(ratios):6.1f} {max(ratios):6.1f} {wall:9.1f}")
    print(f"second half of the frames ({rounds[0][OURS][2]:,}), medians of {len(rounds)} rounds; target: {TARGET} times")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, help="only the first N lines of the recording")
    parser.add_argument("--rounds", type=int, default=5)
    for name in ("mdengine", "peer", "recording", "work"):
        parser.add_argument(name)
    arguments = parser.parse_args()
    with open(arguments.recording, encoding="utf-8") as text:
        lines, overlaps = without_overlaps(text.readlines()[: arguments.frames])
    files = [os.path.join(arguments.work, name) for name in ("half", "all")]
    for file, part in zip(files, (lines[: len(lines) // 2], lines)):
        with open(file, "w", encoding="utf-8") as text:
            text.writelines(part)
    bad, rounds = set(), []
    for _ in range(arguments.rounds):
        rounds.append(round_of(arguments, files, bad))
    table(rounds)
    print(f"depth updates that overlapped the one before and now begin behind it: {overlaps}")
    for text in sorted(bad):
        print(f"differs: {text}")
    print("final books differ" if bad else "final books are the same in all levels, and so are the numbers of trades")
    sys.exit(1 if bad else 0)


main()
