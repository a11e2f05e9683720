"""compare_books.py EXPECTED REPLAY_JSON: books and trade totals of a replay against a fixture's truth."""
import json
import sys
from decimal import Decimal


def main():
    (expected,) = json.load(open(sys.argv[1])).values()
    found = {i["symbol"]: i for i in json.load(open(sys.argv[2]))["instruments"]}
    wrong = []
    for symbol, want in expected.items():
        said = found.get(symbol)
        if said is None:
            wrong.append(f"{symbol}: missing")
            continue
        if (said["state"] == "VALID") != want["synced"]:
            wrong.append(f"{symbol}: state {said['state']}, synced is {want['synced']}")
        if want["synced"]:
            for field in ("digest", "digest_top20"):
                if said[field] != want[field]:
                    wrong.append(f"{symbol}: {field} {said[field][:12]}, want {want[field][:12]}")
            final = want.get("final_u", want.get("final_change_id"))
            if said["exch_seq"] != final:
                wrong.append(f"{symbol}: update {said['exch_seq']}, want {final}")
        # Prints off the book are in no total.
        cnt, qty = want.get("trades_market", want["trades"]), want.get("trade_market_qty_sum", want["trade_qty_sum"])
        if not cnt and want.get("aggtrades"):
            cnt, qty = want["aggtrades"], want["aggtrade_qty_sum"]
        if said["trades"] != cnt or Decimal(said["trade_qty_sum"]) != Decimal(qty):
            wrong.append(f"{symbol}: trades {said['trades']} of {said['trade_qty_sum']}, want {cnt} of {qty}")
    print("\n".join(wrong) or f"{len(expected)} instruments exact")
    return 1 if wrong else 0


sys.exit(main())
