"""compare_rows.py JOURNAL_LINES CONNINFO: rows of PostgreSQL against the journal, for each table, stream, epoch and
instrument: count, exact sums, first and last sequence and exchange id. With --rows the first file holds those groups
already, a line each, as tests/fault/kill9_check writes them; then GAP rows are compared too."""
import collections
import json
import subprocess
import sys
from decimal import Decimal

TABLES = {"trade": ("trades", "px", "qty"), "bbo": ("bbo", "bid_px", "ask_qty"), "kline": ("klines", "close", "volume")}


def from_journal(path):
    totals = collections.defaultdict(lambda: [0, Decimal(0), Decimal(0), None, None, None, None])
    with open(path) as lines:
        for line in lines:
            r = json.loads(line)
            if r["type"] not in TABLES:
                continue
            _, a, b = TABLES[r["type"]]
            body = r.get("body", r)
            t = totals[r["type"], r["stream"], r["epoch"], r["instrument"]]
            t[0] += 1
            t[1] += Decimal(body[a] or 0)
            t[2] += Decimal(body[b] or 0)
            t[3] = r["seq"] if t[3] is None else t[3]
            t[4] = r["seq"]
            if r["exch_seq"]:  # 0: the exchange gives none, NULL in the table
                t[5] = min(t[5] or r["exch_seq"], r["exch_seq"])
                t[6] = max(t[6] or 0, r["exch_seq"])
    return {k: tuple(v) for k, v in totals.items()}


def from_rows(path):
    totals = {}
    with open(path) as lines:
        for line in lines:
            f = line.rstrip().split(",")
            ids = [int(x) or None for x in f[9:11]]
            totals[f[0], int(f[1]), int(f[2]), int(f[3])] = (
                int(f[4]), Decimal(f[5]), Decimal(f[6]), int(f[7]), int(f[8]), *ids)
    return totals


def from_database(conninfo, tables):
    totals = {}
    for kind, (table, a, b) in tables.items():
        query = (f"SELECT stream, epoch, instrument, count(*), coalesce(sum({a}), 0), coalesce(sum({b}), 0), min(seq), "
                 f"max(seq), min(exch_seq), max(exch_seq) FROM md.{table} GROUP BY 1, 2, 3")
        out = subprocess.run(["psql", "-X", "-A", "-t", "-F", ",", "-d", conninfo, "-c", query], check=True,
                             capture_output=True, text=True).stdout
        for line in out.split():
            f = line.split(",")
            ids = [int(x) if x else None for x in f[6:10]]
            totals[kind, int(f[0]), int(f[1]), int(f[2])] = (int(f[3]), Decimal(f[4]), Decimal(f[5]), *ids)
    return totals


def main():
    if sys.argv[1] == "--rows":
        journal = from_rows(sys.argv[2])
        database = from_database(sys.argv[3], {**TABLES, "gap": ("gaps", "0", "0")})
    else:
        journal, database = from_journal(sys.argv[1]), from_database(sys.argv[2], TABLES)
    wrong = [(k, journal.get(k), database.get(k)) for k in sorted(set(journal) | set(database))
             if journal.get(k) != database.get(k)]
    for key, want, said in wrong[:10]:
        print(f"{key}: journal {want}, database {said}")
    rows = sum(v[0] for v in journal.values())
    print(f"{rows} rows in {len(journal)} groups (kind, stream, epoch, instrument): {len(wrong)} differ")
    return 1 if wrong or not rows else 0


sys.exit(main())
