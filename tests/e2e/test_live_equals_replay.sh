#!/bin/sh
# The digest that a live engine's feed thread takes equals that of an offline replay; the journal replays to
# the same; its RAW frames make the same records again, byte for byte; and a second engine with a fresh
# journal writes the same records but for epoch, ts_pub and block cuts.
. "$(dirname "$0")/lib.sh"

recording=$FIXTURES/demo.wscap.zst
"$MDENGINE" replay "$recording" --json >"$WORK/offline.json"
symbols=$(python3 -c 'import json,sys; print(*[i["symbol"] for i in json.load(open(sys.argv[1]))["instruments"]])' \
  "$WORK/offline.json")

play() {
  config "    recording: $recording
    speed: max
    on_end: hold"
  start
  wait_for "the end of the recording" ended
}

play
for symbol in $symbols; do
  "$MDENGINE" book binance_spot "$symbol" -n $NAME -S "$SHM" --digest --json >"$WORK/live.json" ||
    fail "no VALID live digest of $symbol"
  python3 - "$WORK/offline.json" "$WORK/live.json" "$symbol" <<'END' || fail "live digest of $symbol differs"
import json, sys
want = {i["symbol"]: i for i in json.load(open(sys.argv[1]))["instruments"]}[sys.argv[3]]
said = json.load(open(sys.argv[2]))
fields = ("state", "exch_seq", "bids", "asks", "trades", "digest", "digest_top20", "digest_top400")
wrong = [f for f in fields if said[f] != want[f]]
print(*wrong)
sys.exit(bool(wrong))
END
done
stop
[ -z "$(ls "$SHM")" ] || fail "a clean stop left $(ls "$SHM")"

"$MDENGINE" journal verify "$WORK/journal" || fail "the journal has holes or damage"
"$MDENGINE" replay "$WORK/journal" --json >"$WORK/journal.json" || fail "the journal does not replay"
python3 - "$WORK/offline.json" "$WORK/journal.json" <<'END' || fail "the journal's books differ"
import json, sys
want, said = ({i["symbol"]: i for i in json.load(open(p))["instruments"]} for p in sys.argv[1:3])
fields = ("state", "exch_seq", "gaps", "trades", "trade_qty_sum", "digest")
wrong = [(s, f) for s in want for f in fields if want[s][f] != said.get(s, {}).get(f)]
print(wrong)
sys.exit(bool(wrong))
END
"$MDENGINE" replay "$WORK/journal" --verify || fail "the RAW frames make other records"

records() {
  "$MDENGINE" journal cat "$1" | python3 -c '
import json, sys
for line in sys.stdin:
    r = json.loads(line)
    r.pop("ts_pub_ns", None), r.pop("epoch", None)
    if r["type"] != "checkpoint":
        print(r["stream"], r["seq"], json.dumps(r, sort_keys=True), sep="\t")' | sort -t "$(printf '\t')" -k1,1n -k2,2n
}
records "$WORK/journal" >"$WORK/first"
rm -rf "$WORK/journal"
play
stop
records "$WORK/journal" >"$WORK/second"
[ "$(wc -l <"$WORK/first")" -gt 10000 ] || fail "the journal holds next to nothing"
cmp "$WORK/first" "$WORK/second" || fail "two runs over one recording wrote other records"
