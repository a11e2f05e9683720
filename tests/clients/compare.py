#!/usr/bin/env python3
"""Holds what a client printed (report.mjs) against the truth of mdengine sim, logged with --truth-every 1.

usage: compare.py TRUTH CLIENT_OUTPUT MIN_POINTS SYMBOL...

Every book of the client must have the digest that the truth has at that update id, MIN_POINTS of each symbol at
least and the last one among them; trade totals must be those of the end. Exit 0 equal, 1 different or not yet there.
"""
import json
import sys


def lines(path):
    """The complete lines of a file that may still grow."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def read_truth(path):
    """Digests by symbol and update id, and the last line of each symbol."""
    points, ends = {}, {}
    for line in lines(path):
        if line["at"] not in ("point", "end"):
            continue
        points.setdefault(line["symbol"], {})[line["id"]] = line["digest_top20"]
        if line["at"] == "end":
            ends[line["symbol"]] = line
    return points, ends


def check(symbol, points, end, said):
    """Yields what is wrong with the lines that a client said about a symbol; prints the counts."""
    books = [line for line in said if line["at"] == "book"]
    known = [line for line in books if line["id"] in points]
    different = [line["id"] for line in known if line["digest_top20"] != points[line["id"]]]
    tickers = [line for line in said if line["at"] == "ticker"]
    trades = [line for line in said if line["at"] == "trades"][-1:]
    print(f"{symbol}: {len(books)} books, {len(known)} at ids of the truth, {len(different)} different; "
          f"{len(tickers)} tickers at ids of the book; {trades[0]['trades'] if trades else 0} trades")
    if different:
        yield f"the book differs at update ids {different[:5]}"
    if not all(line["equal"] for line in tickers):
        yield "a bookTicker differs from the book"
    if not books or books[-1]["id"] != end["id"]:
        yield f"the book did not come to update id {end['id']}"
    for key in ("trades", "trade_qty_sum"):
        if not trades or trades[0][key] != end[key]:
            yield f"{key} is {trades[0][key] if trades else None}, in truth {end[key]}"
    yield len(known)


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    truth, output, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
    points, ends = read_truth(truth)
    said = list(lines(output))
    bad = False
    for symbol in sys.argv[4:]:
        if symbol not in ends:
            sys.exit(f"failed: the truth does not know the end of {symbol}")
        *faults, cnt = check(symbol, points[symbol], ends[symbol],
                             [line for line in said if line["symbol"] == symbol])
        if cnt < wanted:
            faults.append(f"only {cnt} books at ids of the truth, {wanted} wanted")
        for fault in faults:
            print(f"failed: {symbol}: {fault}", file=sys.stderr)
            bad = True
    sys.exit(1 if bad else 0)


main()
