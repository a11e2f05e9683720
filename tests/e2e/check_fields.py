"""check_fields.py CONNINFO CAT: every field of field_frames.py as a value of SQL, digit for digit, and of the journal.

CAT is what `mdengine journal cat` printed. Prints a line for each message: its fields, how many values were compared,
how many fields have a reason instead. Fails on a value that differs, on a field that nobody wrote down, on two equal
numbers in one message (a swap would not be seen), and on a number that is not of type numeric or an integer.
"""
import collections
import datetime
import json
import re
import subprocess
import sys
from decimal import Decimal

from field_frames import FRAMES, recv_ns
from field_map import MAP

TABLES = {
    "definition": "definitions", "book_delta": "book_deltas", "book_snapshot": "book_snapshots", "bbo": "bbo", "trade": "trades",
    "agg_trade": "agg_trades", "kline": "klines", "ticker": "tickers", "funding": "funding", "mark": "marks", "index": "indices",
    "open_interest": "open_interest", "liquidation": "liquidations", "long_short_ratio": "long_short_ratios",
    "volatility_index": "volatility_indices", "greeks": "greeks", "status": "status", "trade_detail": "trade_details", "book_orders": "book_orders"}
VIEWS = ("orderbooks trades funding_rates open_interests liquidations lsr_top_positions lsr_all_accounts volatility_indices klines").split()
WORDS = {
    "side": {"buy": "B", "sell": "S"}, "origin": {"MARKET": 0, "INSURANCE_FUND": 1}, "maker_buys": {"true": "S", "false": "B"},
    "maker_buys_word": {"true": "sell", "false": "buy"}, "interval": {"1m": 60}, "one_is_true": {"1": True, "0": False}, "locked": {"true": 2, "false": 1},
    "trading": {"TRADING": 1, "live": 1, "open": 1, "closed": 3}, "binance_kind": {"PERPETUAL": 1, "CURRENT_QUARTER": 2},
    "okx_kind": {"SPOT": 0, "SWAP": 1}, "deribit_kind": {"future": 1, "option": 3}, "inverse": {"reversed": True, "inverse": True, "linear": False, "": False},
    "option": {"call": 1, "C": 1, "put": 2, "P": 2, "": 0}, "bool": {"true": True, "false": False}}
problems = []


class Number(str):
    """A number with the digits that it was written with."""


def load(text):
    return json.loads(text, parse_float=Number, parse_int=Number)


def sql(conninfo, query):
    return subprocess.run(["psql", "-X", "-A", "-t", "-d", conninfo, "-c", query], check=True, capture_output=True, text=True).stdout.splitlines()


def word(value):
    return {None: "", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else value


def leaves(value, path, known):
    """The fields of a message; what `known` has as a whole (levels) is not taken apart. Filters go by their names."""
    if path in known or not isinstance(value, (dict, list)):
        yield path, value
        return
    if isinstance(value, list):
        names = [v.pop("filterType", str(n)) if isinstance(v, dict) else str(n) for n, v in enumerate(value)]
        value = dict(zip(names, value))
    for key, inner in value.items():
        yield from leaves(inner, f"{path}.{key}" if path else key, known)


def ns_of(stamp):
    when = datetime.datetime.fromisoformat(stamp)
    return (when - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // datetime.timedelta(microseconds=1) * 1000


def levels(given):
    return [tuple(Decimal(v) for v in level) for level in given]


def wanted_levels(how, value):
    if how == "orders":
        return levels([(level[0], level[3]) for level in value])
    if how == "actions":
        return levels([(level[1], "0" if level[0] == "delete" else level[2]) for level in value])
    return levels([level[:2] for level in value])


def found_levels(row, side):
    if f"{side}_px" in row:
        return levels(zip(row[f"{side}_px"], row[f"{side}_qty"]))
    return levels(row[f"{side}s"])


def same(how, value, row, column):
    """Is the text of a frame the value of a column? Absent texts must be NULL."""
    if how in ("levels", "actions", "orders"):
        return wanted_levels(how, value) == found_levels(row, column)
    text, found = word(value), row[column]
    if how in WORDS:
        want = WORDS[how].get(text.lower() if how == "side" else text, KeyError)
        return str(want) == str(found)
    if how == "base_of" or how == "quote_of":  # the list is silent about derivatives: their names say it
        return found == (text or {"base_of": "BTC", "quote_of": "USDT"}[how])
    if text == "" or (how in ("ms", "ms_time") and text == "0"):
        return found in (None, "")
    if found is None:
        return False
    if how == "num":
        return Decimal(text) == Decimal(found)
    if how == "int":
        return int(text) == int(found)
    if how == "ms":
        return int(text) * 1000000 == int(found)
    if how == "ms_time":
        return int(text) * 1000000 == ns_of(found)
    if how == "lag":
        return int(row["ts_exch_ns"]) - int(found) * 1000 == int(text) * 1000000
    if how == "hours":
        return int(text) * 3600 == int(found)
    if how == "lower":
        return text.lower() == found
    if how == "base_of_index":
        return text.split("_")[0].upper() == found
    return how == "text" and text == found


def market_of(feed):
    return {"binance_spot": "spot", "okx_spot": "spot", "binance_coinm": "future"}.get(feed, "perpetual")


class Rows:
    """All rows, of the database and of the journal, by what they are and when their message was received."""

    def __init__(self, conninfo, cat):
        self.sql, self.journal = collections.defaultdict(list), collections.defaultdict(list)
        self.symbols = {row["id"]: row for row in map(load, sql(conninfo, "SELECT row_to_json(i) FROM md.instruments i"))}
        self.streams = dict(line.split("|") for line in sql(conninfo, "SELECT stream, name FROM md.streams"))
        for record, table in TABLES.items():
            for row in map(load, sql(conninfo, f"SELECT row_to_json(t) FROM md.{table} t ORDER BY stream, seq")):
                self.add(self.sql, record, row)
        for view in VIEWS:
            order = "time" if view == "klines" else "ts_recv_ns"
            for row in map(load, sql(conninfo, f"SELECT row_to_json(t) FROM marketprism.{view} t ORDER BY {order}")):
                key = ns_of(row["time"]) if view == "klines" else int(row["ts_recv_ns"])
                self.sql["marketprism." + view, key].append(row)
        with open(cat, encoding="utf-8") as lines:
            for row in map(load, lines):
                if row["type"] in TABLES:
                    self.add(self.journal, row["type"], row)

    def add(self, to, record, row):
        to[record, int(row["ts_recv_ns"])].append(row)
        feed = self.streams[row["stream"]]
        if record == "definition":
            to[record, feed, row["symbol"]].append(row)
        if record == "funding" and row["instrument"] in self.symbols:
            to["funding of " + self.symbols[row["instrument"]]["symbol"], feed].append(row)

    def find(self, source, feed, message, record, recv, symbol):
        if record == "definition":
            return source[record, feed, symbol][:1]  # what the list said; later ones say what came of it
        if record.startswith("funding of"):
            return source[record, feed][-1:]
        if record == "marketprism.klines":
            opened = self.sql["kline", recv]
            return [row for k in opened for row in self.sql[record, int(k["ts_open_ns"])]
                    if (row["exchange"], row["market_type"], row["made_from"]) == (feed.split("_")[0], market_of(feed), "exchange")]
        if record == "instrument":
            rows = [row for kind in TABLES if kind != "definition" for row in source[kind, recv]]
            return [self.symbols[row["instrument"]] for row in rows if row["instrument"]][:1]
        return source[record.replace("{book}", "book_snapshot" if "snapshot" in message else "book_delta"), recv]


def check_field(rows, feed, message, recv, path, value, rule, symbol):
    """How many values were equal."""
    cnt = 0
    for record, column, how in rule:
        is_view = record.startswith("marketprism.")
        for source, name in ((rows.sql, "SQL"), (rows.journal, "journal")):
            if is_view and name == "journal":
                continue
            found = rows.find(source, feed, message, record, recv, symbol)
            if not found and word(value) == "":
                continue  # a part of a message of which nothing is there is no record
            if not found:
                problems.append(f"{feed}, {message}, {path}: no row of {record} in the {name}")
            elif not same(how, value, found[0], column):
                got = found[0].get(column, {k: v for k, v in found[0].items() if k.startswith(column)})
                problems.append(f"{feed}, {message}, {path}: {value} is {got} in {record}.{column} ({name})")
            else:
                cnt += 1
    return cnt


def check_distinct(feed, message, fields, rules):
    numbers = collections.Counter(Decimal(v) for p, v in fields if isinstance(v, str) and isinstance(rules.get(p), list) and is_number(v))
    for number, cnt in numbers.items():
        if cnt > 1 and number not in (0, 1, -1):
            problems.append(f"{feed}, {message}: {number} stands there {cnt} times")


def is_number(text):
    try:
        return Decimal(text).is_finite()
    except ArithmeticError:
        return False


def check_message(rows, feed, n, name, text):
    rules, recv = MAP[feed].get(name, {}), recv_ns(feed, n)
    whole = {path for path, rule in rules.items() if isinstance(rule, list) and rule[0][2] in ("levels", "actions")}
    fields = list(leaves(load(text), "", whole))
    equal = reasons = 0
    check_distinct(feed, name, fields, rules)
    for path, value in fields:
        rule = rules.get(path)
        if rule is None:
            problems.append(f"{feed}, {name}, {path}: nobody wrote down where {value} goes")
        elif isinstance(rule, str):
            reasons += 1
        else:
            element = path.rsplit(".", 1)[0] if ".filters." not in path else path.split(".filters.")[0]
            names = [v for p, v in fields if p in (element + ".symbol", element + ".instId", element + ".instrument_name")]
            equal += check_field(rows, feed, name, recv, path, value, rule, names[0] if names else None)
    print(f"{feed:20} {name:30} {len(fields):4} {equal:6} {reasons:8}")
    return len(fields), equal, reasons


def check_books(rows):
    """The last sample of each book, through the view, is the book that the messages of the feed make."""
    for feed, frames in FRAMES.items():
        book = {"bid": {}, "ask": {}}
        texts = [load(text) for name, _, _, text in frames if name and ("depth" == name or "snapshot" in name)]
        texts += [load(text) for name, _, _, text in frames if name and ("depthUpdate" == name or name in ("books update", "book change"))]
        for message in texts:
            data = message.get("data", message.get("params", {}).get("data", message))
            data = data[0] if isinstance(data, list) else data
            for side, keys in (("bid", ("b", "bids")), ("ask", ("a", "asks"))):
                for level in next(data[k] for k in keys if k in data):
                    px, qty = level[-2:] if feed.startswith("deribit") else level[:2]
                    book[side][Decimal(px)] = Decimal(qty)
        best = {side: [level for level in sorted(of.items(), reverse=side == "bid") if level[1]] for side, of in book.items()}
        last = [row for (name, *_), found in rows.sql.items() if name == "marketprism.orderbooks" for row in found
                if (row["exchange"], row["market_type"]) == (feed.split("_")[0], market_of(feed))]
        row = max(last, key=lambda r: int(r["ts_recv_ns"]), default=None)
        data = texts[-1].get("data", texts[-1].get("params", {}).get("data"))
        data = data[0] if isinstance(data, list) else data
        if row and row["last_update_id"] not in (data.get("u"), data.get("seqId"), data.get("change_id")):
            problems.append(f"{feed}: last_update_id of marketprism.orderbooks is {row['last_update_id']}")
        if row is None:
            problems.append(f"{feed}: marketprism.orderbooks has no such book")
            continue
        for side in ("bid", "ask"):
            got = [(Decimal(v["price"]), Decimal(v["quantity"])) for v in load(row[side + "s"])]
            if got != best[side] or int(row[side + "s_count"]) != len(got) or Decimal(row[f"best_{side}_quantity"]) != got[0][1]:
                problems.append(f"{feed}: {side}s of marketprism.orderbooks are {got}, expected {best[side]}")


def check_nulls(conninfo, rows):
    """A column that is NULL says why, for the feed whose row it is."""
    said = {tuple(line.split("|", 2)[:2]): line.split("|", 2)[2] for line in sql(conninfo, (
        "SELECT k.relname, a.attname, coalesce(col_description(k.oid, a.attnum), '') FROM pg_class k JOIN pg_attribute a ON a.attrelid = k.oid "
        "AND attnum > 0 WHERE k.relnamespace = 'md'::regnamespace AND k.relkind = 'p'"))}
    missing = set()
    for (record, *_), found in rows.sql.items():
        for row in found if record in TABLES else ():
            feed = rows.streams[row["stream"]]
            names = [feed, feed.split("_")[0], "binance_futures" if feed in ("binance_derivatives", "binance_coinm") else feed]
            for column, value in row.items():
                if value is None and not any(re.search(f"(NULL: |; ){name}: ", said[TABLES[record], column]) for name in names):
                    missing.add(f"{feed}: {TABLES[record]}.{column} is NULL and no reason is documented")
    problems.extend(sorted(missing))


def check_types(conninfo):
    """No float anywhere."""
    for line in sql(conninfo, "SELECT table_schema, table_name, column_name FROM information_schema.columns WHERE table_schema IN ('md', 'marketprism') "
                              "AND data_type IN ('real', 'double precision')"):
        problems.append("a float: " + line)


def main():
    rows = Rows(sys.argv[1], sys.argv[2])
    print(f"{'feed':20} {'message':30} {'fields':>6} {'equal':>5} {'reasons':>8}")
    total = [0, 0, 0]
    for feed, frames in FRAMES.items():
        for n, (name, _, _, text) in enumerate(frames):
            if name:
                total = [a + b for a, b in zip(total, check_message(rows, feed, n, name, text))]
    check_books(rows)
    check_nulls(sys.argv[1], rows)
    check_types(sys.argv[1])
    print(f"{total[0]} fields, {total[1]} values equal, {total[2]} fields with a reason, {len(problems)} problems")
    for problem in problems[:40]:
        print("problem: " + problem)
    return 1 if problems or total[1] == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
