"""compare_capture.py MDENGINE NAME SHM_DIR JOURNAL EXPECTED KEY FEED WHAT: what a running engine holds of a recording.

Live books (shared memory) and the journal's records must both end in the state that EXPECTED[KEY] says: a
synced book VALID at the final update with the digest over every level known, over the best 20 and the best
400; any other book not VALID; trades with their number and exact sum of quantities, those of the market alone
where a venue tells others, aggregated ones where a recording has no others. WHAT is `all`, or `top` where the
snapshot was too short to hold all levels that the reference knows: then only the best 20 are compared. Prints every difference; exit 1 when there is one.
"""
import json
import subprocess
import sys
from decimal import Decimal


def ask(*words):
    try:
        return json.loads(subprocess.run(words, capture_output=True, text=True).stdout)
    except ValueError:
        return {}


def book_differs(said, want, where, what):
    if not want["synced"]:
        return [f"{where}: VALID without a snapshot"] if said.get("state") == "VALID" else []
    fields = [("state", "VALID"), ("exch_seq", want["final_u"])]
    digests = ("digest", "digest_top20", "digest_top400") if what == "all" else ("digest_top20",)
    fields += [(name, want[name]) for name in digests]
    return [f"{where}: {name} {str(said.get(name))[:16]}, want {str(value)[:16]}"
            for name, value in fields if name in said and said[name] != value or name == "state" and not said]


def trades_differ(said, want):
    kind = "trade" if want["trades"] else "aggtrade"
    cnt, qty = want[kind + "s"], Decimal(want[kind + "_qty_sum"])
    if kind == "trade" and "trades_market" in want:
        cnt, qty = want["trades_market"], Decimal(want["trade_market_qty_sum"])
    if said.get("trades", 0) == cnt and Decimal(said.get("trade_qty_sum", "0")) == qty:
        return []
    return [f"trades {said.get('trades')} of {said.get('trade_qty_sum')}, want {cnt} of {qty}"]


def main():
    program, name, shm, journal, path, key, feed, what = sys.argv[1:9]
    expected = json.load(open(path))[key]
    recorded = {i["symbol"]: i for i in ask(program, "replay", journal, "--json").get("instruments", [])}
    wrong = []
    for symbol, want in expected.items():
        live = ask(program, "book", feed, symbol, "-n", name, "-S", shm, "--digest", "--json")
        said = recorded.get(symbol, {})
        differences = book_differs(live, want, "live", what) + book_differs(said, want, "journal", what) + trades_differ(said, want)
        wrong += [f"{symbol}: {text}" for text in differences]
    print("\n".join(wrong) or f"{len(expected)} instruments exact")
    return 1 if wrong else 0


sys.exit(main())
