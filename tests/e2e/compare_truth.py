"""compare_truth.py TRUTH CONNINFO: the trades in PostgreSQL against the simulator's log, without the journal: for each
symbol the ids have no hole and none twice, the last one is the exchange's last, and the quantities between the first and
the last point of the log that the rows cover add up to its sums."""
import collections
import json
import subprocess
import sys
from decimal import Decimal


def read_truth(path):
    points = collections.defaultdict(dict)  # symbol: id of the last trade before the point -> sum of quantities
    last = {}
    with open(path) as lines:
        for line in lines:
            p = json.loads(line)
            if p.get("at") not in ("point", "end") or "trade_qty_sum" not in p:
                continue
            trade = p["trades"] + p["trade_id_first"] - 1
            points[p["symbol"]][trade] = Decimal(p["trade_qty_sum"])
            if p["at"] == "end":
                last[p["symbol"]] = trade
    return points, last


def query(conninfo, text):
    return subprocess.run(["psql", "-X", "-A", "-t", "-F", ",", "-d", conninfo, "-c", text], check=True,
                          capture_output=True, text=True).stdout.split()


def main():
    points, last = read_truth(sys.argv[1])
    rows = wrong = 0
    wanted = []
    for line in query(sys.argv[2], "SELECT i.symbol, count(*), count(DISTINCT trade_id), min(trade_id), max(trade_id) "
                                   "FROM md.trades t JOIN md.instruments i ON (i.journal, i.id) = (t.journal, t.instrument) "
                                   "GROUP BY 1"):
        symbol, cnt, distinct, least, most = line.split(",")
        cnt, distinct, least, most = int(cnt), int(distinct), int(least), int(most)
        rows += cnt
        if cnt != distinct or cnt != most - least + 1 or most != last.pop(symbol, None):
            wrong += 1
            print(f"{symbol}: {cnt} rows of {distinct} trades from {least} to {most}")
        covered = sorted(p for p in points[symbol] if least - 1 <= p <= most)
        if len(covered) > 1:
            first, end = covered[0], covered[-1]
            wanted.append((symbol, first, end, points[symbol][end] - points[symbol][first]))
    for symbol, first, end, want in wanted:
        said = query(sys.argv[2], "SELECT sum(qty) FROM md.trades t JOIN md.instruments i ON (i.journal, i.id) = (t.journal, "
                                  f"t.instrument) WHERE i.symbol = '{symbol}' AND trade_id > {first} AND trade_id <= {end}")
        if Decimal(said[0]) != want:
            wrong += 1
            print(f"{symbol}: trades {first} to {end} add up to {said[0]}, the truth is {want}")
    print(f"{rows} trades of {len(wanted)} symbols, sums equal to the truth, no id missing or twice: {wrong + len(last)} wrong")
    return 1 if wrong or last or not wanted else 0


sys.exit(main())
