"""check_ladders.py: journal lines on stdin. Every ladder record against a book that is made here from the
snapshots and deltas before it: best 20 levels a side, and the id of the last update."""
import json
import sys
from decimal import Decimal


def apply(book, record):
    if record["type"] == "book_snapshot" and not record.get("_more"):
        book["bids"], book["asks"] = {}, {}
    for side in ("bids", "asks"):
        for px, qty in record[side]:
            if Decimal(qty) == 0:
                book[side].pop(Decimal(px), None)
            else:
                book[side][Decimal(px)] = Decimal(qty)
    book["id"] = record["exch_seq"]


def top(book):
    bids = sorted(book["bids"].items(), reverse=True)[:20]
    asks = sorted(book["asks"].items())[:20]
    return bids, asks


def main():
    books, more, cnt, wrong, last = {}, {}, 0, 0, {}
    for line in sys.stdin:
        r = json.loads(line)
        key = r["stream"], r["epoch"], r["instrument"]
        if r["type"] in ("book_snapshot", "book_delta"):
            book = books.setdefault(key, {"bids": {}, "asks": {}, "id": 0})
            r["_more"] = more.get(key, False)
            more[key] = "LAST" not in r["flags"]
            apply(book, r)
        if r["type"] != "ladder":
            continue
        cnt += 1
        want = top(books[key])
        said = tuple([(Decimal(p), Decimal(q)) for p, q in r[side]] for side in ("bids", "asks"))
        grid = r["ts_recv_ns"] % r["every_ns"] == 0 and r["ts_recv_ns"] > last.get(key, 0)
        last[key] = r["ts_recv_ns"]
        if said != want or r["exch_seq"] != books[key]["id"] or not grid:
            wrong += 1
            print(f"seq {r['seq']}: {said} expected {want}", file=sys.stderr)
    print(f"{cnt} ladders of {len(last)} books, {wrong} wrong")
    return 1 if wrong or not cnt else 0


sys.exit(main())
