#!/bin/sh
# Which symbols a live feed has: a list, a pattern, all with exclusions. A symbol that the exchange lists later is
# picked up and becomes VALID. One that it takes from its list is unsubscribed and its book STALE(DELISTED) by a
# STATUS record, with patterns and with names alone; it is not called silent, no other book is touched, and when it
# is listed again, its book is VALID again. At the end books equal the exchange's, and the journals replay.
. "$(dirname "$0")/lib.sh"

SIM=
OTHERS=
stop_all() {
  for pid in $SIM $OTHERS; do
    kill "$pid" 2>/dev/null || true
  done
}
trap 'stop_all; cleanup' EXIT

url() { sed -n "1s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$WORK/sim.out"; }

# engine NAME FEED_LINES: a second engine beside the first, of its own name and journal.
engine() {
  NAME=$1 JOURNAL_DIR=$WORK/journal.$1
  config "    url: $(url ws)
    rest_url: $(url rest)
    channels: [depth, trade]
    list_interval: 1s
    tape: 1MiB
    journal_ring: 32MiB
    silence_bbo: 0s
    silence_connection: 0s
$2"
  mv "$WORK/engine.yaml" "$WORK/$1.yaml"
  "$MDENGINE" run -c "$WORK/$1.yaml" 2>>"$WORK/$1.log" &
  ENGINE=$!
  OTHERS="$OTHERS $ENGINE"
  eval "PID_$1=$ENGINE"
  wait_for "engine $1 to be ready" ready
  ENGINE=
}

# books NAME: its symbols with the state of their books, in order.
books() {
  "$MDENGINE" symbols -n "$1" -S "$SHM" --json 2>/dev/null | python3 -c '
import json, subprocess, sys
name, program, shm = sys.argv[1:4]
try:
    rows = json.load(sys.stdin)
except ValueError:
    sys.exit(0)
rows = rows["instruments"] if isinstance(rows, dict) else rows
said = []
for symbol in sorted(row["symbol"] for row in rows):
    out = subprocess.run([program, "book", "binance_spot", symbol, "-n", name, "-S", shm, "--json"],
                         capture_output=True, text=True).stdout
    said.append(symbol + ":" + (json.loads(out)["state"] if out else "?"))
print(*said)' "$1" "$MDENGINE" "$SHM"
}

has() { [ "$(books "$1")" = "$2" ] || { books "$1" >"$WORK/books.$1"; return 1; }; }
logs() { grep -q "$2" "$WORK/$1.log"; }

# equals_truth NAME SYMBOL...: VALID with the digest that the exchange gave at the end.
equals_truth() {
  name=$1
  shift
  for symbol in "$@"; do
    digest=$(sed -n "/\"at\":\"end\",\"symbol\":\"$symbol\"/s/.*\"digest\":\"\([0-9a-f]*\)\".*/\1/p" "$WORK/truth.json")
    [ -n "$digest" ] || return 1
    "$MDENGINE" book binance_spot "$symbol" -n "$name" -S "$SHM" --digest --json 2>/dev/null | grep -q "$digest" || return 1
  done
}

# BTC, ETH, BNB, SOL, XRP and ADA. BNB ends and comes back; XRP comes later.
"$MDENGINE" sim --symbols 6 --rate 1500 --seconds 28 --hold --wait-clients 3 --truth "$WORK/truth.json" \
  --fault list:symbol=XRPUSDT,after=3 --fault delist:symbol=BNBUSDT,after=10 --fault list:symbol=BNBUSDT,after=22 \
  >"$WORK/sim.out" 2>>"$WORK/sim.log" &
SIM=$!
wait_for "the exchange" test -s "$WORK/sim.out"
engine names "    symbols: [BTCUSDT, BNBUSDT]
    silence_depth: 2s"
engine pattern "    symbols: \"?N*\"
    silence_depth: 0s"
engine all "    symbols: all
    exclude: [ETHUSDT, \"S*\"]
    silence_depth: 30s"

wait_for "the books of a list of names" has names "BNBUSDT:VALID BTCUSDT:VALID"
wait_for "the book of a pattern" has pattern "BNBUSDT:VALID"
wait_for "all but those excluded, with one listed later" has all "ADAUSDT:VALID BNBUSDT:VALID BTCUSDT:VALID XRPUSDT:VALID"
wait_for "XRPUSDT, which was not there from the start" logs all "XRPUSDT is listed now"
wait_for "the end of BNBUSDT with all" has all "ADAUSDT:VALID BNBUSDT:STALE BTCUSDT:VALID XRPUSDT:VALID"
wait_for "the end of BNBUSDT with a pattern" has pattern "BNBUSDT:STALE"
wait_for "the end of BNBUSDT with names" logs names "BNBUSDT is no longer listed"
wait_for "BNBUSDT again with names" logs names "BNBUSDT is listed again"
wait_for "BNBUSDT again" has all "ADAUSDT:VALID BNBUSDT:VALID BTCUSDT:VALID XRPUSDT:VALID"
wait_for "books that equal the exchange's" equals_truth all BTCUSDT BNBUSDT XRPUSDT ADAUSDT
wait_for "the pattern's book" equals_truth pattern BNBUSDT
wait_for "the names' books" equals_truth names BTCUSDT
timed() { "$MDENGINE" status -n all -S "$SHM" --json | grep -q '"all_books_valid_seconds":[1-9]'; }
wait_for "the time until all books were VALID" timed
! logs all "gives no data" || fail "a symbol that ended was called silent"

# shellcheck disable=SC2154 # set by engine
for name in names pattern all; do
  eval "pid=\$PID_$name"
  kill -TERM "$pid"
  wait "$pid" || fail "engine $name ended with status $?"
  dir=$WORK/journal.$name
  "$MDENGINE" journal cat "$dir" -f binance_spot -t status | python3 -c '
import json, sys
symbols = {}
for line in sys.stdin:
    record = json.loads(line)
    if record["subject"] == 0:
        symbols.setdefault(record["symbol"], []).append((record["after_name"], record["reason_name"]))
ends = symbols.pop("BNBUSDT")
assert ("STALE", "DELISTED") in ends, ends
for symbol, states in symbols.items():
    assert [s for s, _ in states if s != "SYNCING"][:1] == ["VALID"], (symbol, states)
    assert len(states) <= 3, (symbol, states)' || fail "states of engine $name"
  [ -z "$("$MDENGINE" journal cat "$dir" -f binance_spot -t gap | grep -v BNBUSDT)" ] || fail "a gap of engine $name"
  "$MDENGINE" journal cat "$dir" -f binance_spot.raw | grep -q 'UNSUBSCRIBE[^}]*bnbusdt@trade' || fail "$name: not unsubscribed"
  "$MDENGINE" journal verify "$dir" >/dev/null || fail "the journal of $name has holes or damage"
  "$MDENGINE" replay "$dir" --verify >"$WORK/verify.out" 2>&1 || fail "replay of $name: $(tail -n 3 "$WORK/verify.out")"
done
OTHERS=
echo "names, a pattern and all with exclusions; one symbol came, one went and came back"
