#!/bin/sh
# The digest that a live engine's feed thread takes equals that of an offline replay; the journal replays to
# the same; its RAW frames make the same records again, byte for byte; and a second engine with a fresh
# journal writes the same records but for epoch, ts_pub and block cuts.
. "$(dirname "$0")/lib.sh"

# check RECORDING: all of the above.
check() {
  recording=$1
  rm -rf "$WORK/journal"
  "$MDENGINE" replay "$recording" --json >"$WORK/offline.json"
  set -- $(python3 -c '
import json, sys
instruments = json.load(open(sys.argv[1]))["instruments"]
print(instruments[0]["feed"], *[i["symbol"] for i in instruments])' "$WORK/offline.json")
  feed=$1
  shift
  play
  for symbol in "$@"; do
    "$MDENGINE" book "$feed" "$symbol" -n $NAME -S "$SHM" --digest --json >"$WORK/live.json" || true
    python3 - "$WORK/offline.json" "$WORK/live.json" "$symbol" <<'END' || fail "$recording: live digest of $symbol differs"
import json, sys
want = {i["symbol"]: i for i in json.load(open(sys.argv[1]))["instruments"]}[sys.argv[3]]
said = json.load(open(sys.argv[2]))
fields = ["state", "exch_seq", "bids", "asks", "digest", "digest_top20", "digest_top400"]
wrong = [f for f in fields if said[f] != want[f]]
if wrong:
    print(*wrong)
sys.exit(bool(wrong))
END
  done
  stop
  [ -z "$(ls "$SHM")" ] || fail "a clean stop left $(ls "$SHM")"

  "$MDENGINE" journal verify "$WORK/journal" || fail "$recording: the journal has holes or damage"
  "$MDENGINE" replay "$WORK/journal" --json >"$WORK/journal.json" || fail "$recording: the journal does not replay"
  python3 - "$WORK/offline.json" "$WORK/journal.json" <<'END' || fail "$recording: the journal's books differ"
import json, sys
want, said = ({i["symbol"]: i for i in json.load(open(p))["instruments"]} for p in sys.argv[1:3])
wrong = [s for s in want if want[s]["trades"] != said.get(s, {}).get("trades")]
for s in want:
    fields = ["state", "gaps", "trade_qty_sum"] + (["exch_seq", "digest"] if want[s]["state"] == "VALID" else [])
    wrong += [(s, f) for f in fields if want[s][f] != said.get(s, {}).get(f)]
print(len(want), "instruments,", wrong or "all equal")
sys.exit(bool(wrong))
END
  "$MDENGINE" replay "$WORK/journal" --verify || fail "$recording: the RAW frames make other records"
}

play() {
  config "    recording: $recording
    speed: max
    on_end: hold"
  [ "$feed" = binance_spot ] || sed -i "s/^  binance_spot:/  $feed:/" "$WORK/engine.yaml"
  start
  wait_for "the end of the recording" ended
}

records() {
  "$MDENGINE" journal cat "$1" | python3 -c '
import json, sys
for line in sys.stdin:
    r = json.loads(line)
    r.pop("ts_pub_ns", None), r.pop("epoch", None)
    if r["type"] != "checkpoint":
        print(r["stream"], r["seq"], json.dumps(r, sort_keys=True), sep="\t")' | sort -t "$(printf '\t')" -k1,1n -k2,2n
}

for capture in "${MD_CAPTURES:-/nowhere}"/binance_spot/*.zst "${MD_CAPTURES:-/nowhere}"/binance_us/*.zst; do
  [ ! -f "$capture" ] || check "$capture"
done

check "$FIXTURES/demo.wscap.zst"
records "$WORK/journal" >"$WORK/first"
rm -rf "$WORK/journal"
play
stop
records "$WORK/journal" >"$WORK/second"
[ "$(wc -l <"$WORK/first")" -gt 10000 ] || fail "the journal holds next to nothing"
cmp "$WORK/first" "$WORK/second" || fail "two runs over one recording wrote other records"
