#!/bin/sh
# Books that could be had with few levels only, because of a small budget of REST weight, are made deeper with what is
# left of it, while they stay VALID: no STATUS, no GAP, the same generation. Afterwards all of a book is known and equals
# the exchange's, level by level; a book that had no turn yet does not, for its snapshot was cut. A stranger's reader
# finds book and tape joined all the time, and the journal, in small segments with a checkpoint each, replays to the
# same books. ALL=1 waits until the last book had its turn, which takes more than a minute.
. "$(dirname "$0")/lib.sh"
: "${MD_TEST_BIN:?where the helper programs are}"

SYMBOLS=10
WANTED=5 # of them in the first minute: 270 less 20 for the list, 50 for snapshots, 50 kept back, at 25 each
SECONDS_LONG=12
[ "${ALL:-0}" = 0 ] || WANTED=$SYMBOLS SECONDS_LONG=100

SIM=
READER=
stop_all() {
  for pid in $SIM $READER; do
    kill "$pid" 2>/dev/null || true
  done
}
trap 'stop_all; cleanup' EXIT

url() { sed -n "1s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$WORK/sim.out"; }
said() { [ -s "$WORK/sim.out" ]; }
ended_market() { grep -q '"at":"end"' "$WORK/truth.json"; }

# equal: the books that are wholly known equal the exchange's, those that are cut do not.
equal() {
  python3 - "$MDENGINE" "$NAME" "$SHM" "$WORK/truth.json" "$WANTED" $SYMBOLS <<'END'
import json, subprocess, sys
program, name, shm, truth, wanted, symbols = sys.argv[1:7]
end = {}
for line in open(truth):
    row = json.loads(line)
    if row["at"] == "end" and "symbol" in row:
        end[row["symbol"]] = row
whole = cut = 0
for symbol, row in end.items():
    out = {}
    for more in ([], ["--digest"]):
        said = subprocess.run([program, "book", "binance_spot", symbol, "-n", name, "-S", shm, "--json"] + more,
                              capture_output=True, text=True)
        if said.returncode != 0:
            sys.exit(f"{symbol} is not VALID: {said.stdout}{said.stderr}")
        out.update(json.loads(said.stdout))
    same = out["digest"] == row["digest"]
    is_cut = out["trusted_bid"] is not None or out["trusted_ask"] is not None
    if same == is_cut:
        sys.exit(f"{symbol} is {'cut' if is_cut else 'whole'} and its digest {'equal' if same else 'another'}")
    whole, cut = whole + (not is_cut), cut + is_cut
print(f"{whole} books are known wholly and equal the exchange's, {cut} are cut")
sys.exit(0 if whole >= int(wanted) and whole + cut == int(symbols) else 1)
END
}
# The answers come a quarter of a second late: updates lie behind them.
"$MDENGINE" sim --symbols $SYMBOLS --rate 1000 --seconds $SECONDS_LONG --hold --wait-clients 1 --snapshot-lag 250 \
  --weight-limit 270 --truth "$WORK/truth.json" >"$WORK/sim.out" 2>>"$WORK/engine.log" &
SIM=$!
wait_for "the exchange" said

JOURNAL="policy: interval
  segment: 2MiB
  block: 256KiB"
config "    symbols: all
    url: $(url ws)
    rest_url: $(url rest)
    rest_weight_per_min: 270
    depth: 500
    tape: 64MiB
    silence_depth: 0s
    silence_bbo: 0s
    silence_connection: 0s"
start

"$MD_TEST_BIN/reader" --calm $SECONDS_LONG "$SHM" "$NAME" >"$WORK/reader.out" 2>&1 &
READER=$!
wait "$READER" || fail "the reader: $(tail -n 3 "$WORK/reader.out")"
READER=
wait_for "the end of the market" ended_market

wait_for "books that equal the exchange's" equal >"$WORK/equal.out" 2>"$WORK/equal.err"
stop
stop_all

"$MDENGINE" journal cat "$WORK/journal" --feed binance_spot >"$WORK/records.json"
python3 - "$WORK/records.json" $SYMBOLS "$WANTED" <<'END' || fail "the records: see above"
import json, sys
symbols, wanted = int(sys.argv[2]), int(sys.argv[3])
states, snapshots, deep, gaps = {}, 0, {}, 0
for line in open(sys.argv[1]):
    row = json.loads(line)
    if row["type"] == "gap":
        gaps += 1
    elif row["type"] == "status":
        states.setdefault(row["instrument"], []).append((row["before"], row["after"]))
    elif row["type"] == "book_snapshot" and "LAST" in row["flags"]:
        if row["limit"] == 100:
            snapshots += 1
        else:
            deep[row["instrument"]] = row
print(len(states), "books,", snapshots, "first snapshots,", len(deep), "deeper ones,", gaps, "gaps")
assert gaps == 0 and snapshots == symbols and wanted <= len(deep) <= symbols
assert all(s == [(0, 1), (1, 2)] or s == [(0, 1), (1, 2), (2, 3)] for s in states.values()), states
END
"$MDENGINE" journal verify "$WORK/journal" >/dev/null || fail "the journal has holes or damage"
"$MDENGINE" replay "$WORK/journal" --verify >"$WORK/verify.out" 2>&1 || fail "replay: $(tail -n 3 "$WORK/verify.out")"
"$MDENGINE" replay "$WORK/journal" >/dev/null 2>"$WORK/replay.err" ||
  fail "a checkpoint differs from the records before it: $(tail -n 3 "$WORK/replay.err")"
cat "$WORK/equal.out" "$WORK/reader.out"
echo "segments: $(find "$WORK/journal" -name 'seg-*' | wc -l); $(tail -n 1 "$WORK/verify.out")"
