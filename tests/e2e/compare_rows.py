"""compare_rows.py JOURNAL_LINES CONNINFO: rows of PostgreSQL against the journal, for each table, stream, epoch and
instrument: count, exact sums, first and last sequence and exchange id. With --rows the first file holds those groups
already, a line each, as tests/fault/kill9_check writes them; then GAP rows are compared too. With --rejects after it the
trades in table rejects count as rows, and must be those that the server was told to refuse: trade_id % 4001 = 7, with
the position that their bytes have; no record may be in both."""
import collections
import json
import struct
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


def add_rejects(conninfo, totals):
    """Adds the rejected trades to the totals; returns their number and what is wrong with them."""
    query = ("SELECT r.stream, r.epoch, r.seq, encode(r.record, 'hex'), (SELECT count(*) FROM md.trades t WHERE "
             "(t.journal, t.stream, t.epoch, t.seq) = (r.journal, r.stream, r.epoch, r.seq)) FROM md.rejects r")
    out = subprocess.run(["psql", "-X", "-A", "-t", "-F", ",", "-d", conninfo, "-c", query], check=True,
                         capture_output=True, text=True).stdout
    wrong = []
    for line in out.split():
        f = line.split(",")
        record = bytes.fromhex(f[3])
        _, kind, _, _, stream, instrument, epoch, px_exp, qty_exp = struct.unpack_from("<HBBHHIIbb", record)
        seq, exch_seq = struct.unpack_from("<QQ", record, 24)
        px, qty, trade_id = struct.unpack_from("<qqQ", record, 64)
        place = [int(x) for x in f[:3]]
        if [stream, epoch, seq] != place or kind != 6 or trade_id % 4001 != 7 or f[4] != "0":
            wrong.append(f"rejects {place}: bytes of {stream}/{epoch}/{seq}, type {kind}, trade {trade_id}, {f[4]} rows")
            continue
        key = "trade", stream, epoch, instrument
        was = totals.get(key, (0, Decimal(0), Decimal(0), seq, seq, exch_seq, exch_seq))
        totals[key] = (was[0] + 1, was[1] + Decimal(px).scaleb(px_exp), was[2] + Decimal(qty).scaleb(qty_exp),
                       min(was[3], seq), max(was[4], seq), min(was[5], exch_seq), max(was[6], exch_seq))
    return len(out.split()), wrong


def main():
    rejects, wrong_rejects = 0, []
    if sys.argv[1] == "--rows":
        journal = from_rows(sys.argv[2])
        database = from_database(sys.argv[3], {**TABLES, "gap": ("gaps", "0", "0")})
        if "--rejects" in sys.argv:
            rejects, wrong_rejects = add_rejects(sys.argv[3], database)
    else:
        journal, database = from_journal(sys.argv[1]), from_database(sys.argv[2], TABLES)
    wrong = [(k, journal.get(k), database.get(k)) for k in sorted(set(journal) | set(database))
             if journal.get(k) != database.get(k)]
    for key, want, said in wrong[:10]:
        print(f"{key}: journal {want}, database {said}")
    for line in wrong_rejects[:10]:
        print(line)
    rows = sum(v[0] for v in journal.values())
    put_aside = f", {rejects} of them put aside, {len(wrong_rejects)} wrongly" if rejects else ""
    print(f"{rows} rows in {len(journal)} groups (kind, stream, epoch, instrument){put_aside}: {len(wrong)} differ")
    return 1 if wrong or wrong_rejects or not rows else 0


sys.exit(main())
