#!/bin/sh
# A feed above its limits of memory. Above memory_soft a line of the log, /health and a metric warn, and nothing else
# happens. Above memory_hard for five seconds the feed forgets its books and connects anew; they are VALID again, and
# when it is above it again the engine stops in order with status 75. The journal is whole and replays to the same records.
. "$(dirname "$0")/lib.sh"

SIM=
trap '[ -z "$SIM" ] || kill "$SIM" 2>/dev/null || true; cleanup' EXIT
"$MDENGINE" sim --symbols 5 --rate 500 --wait-clients 1 --weight-limit 0 >"$WORK/sim.out" 2>"$WORK/sim.log" &
SIM=$!
wait_for "the exchange" test -s "$WORK/sim.out"
url() { sed -n "1s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$WORK/sim.out"; }

# limits SOFT HARD
limits() {
  MONITORING="http_port: 0
  metrics_port: 0
  grace: 0s"
  config "    symbols: all
    url: $(url ws)
    rest_url: $(url rest)
    rest_weight_per_min: 1000000
    silence_depth: 0s
    silence_bbo: 0s
    silence_connection: 0s
    memory_soft: $1
    memory_hard: $2"
}
ask() { curl -s -m 10 "$(sed -n "s|.*\(http://127\.0\.0\.1:[0-9]*/$1\).*|\1|p" "$WORK/engine.log" | tail -n 1)"; }
metric() { ask metrics | sed -n "s/^mdengine_feed_$1{.*} \([0-9]*\)$/\1/p"; }
counts() { [ "$(metric "$1")" = "$2" ]; }

# --- the soft limit alone ---
limits 64KiB 0B
start
wait_for "the warning" logged 'level=warn at=binance_spot msg="uses .* MiB, more than memory_soft (0.1 MiB)'
wait_for "the metric" counts memory_state 1
warned() { ask health | grep -q '"name":"feed_memory"[^}]*"status":"warn"[^}]*binance_spot'; }
wait_for "/health" warned
wait_for "all books to be VALID" counts books_valid 5
[ "$(metric memory_bytes)" -gt 65536 ] || fail "memory_bytes: $(metric memory_bytes)"
used() { ask metrics | grep -q '^mdengine_thread_cpu_seconds_total{thread="feed:binance_spot",feed="binance_spot"} 0*[.0-9]*[1-9]'; }
wait_for "the processor time of the thread" used
"$MDENGINE" status -n $NAME -S "$SHM" --json >"$WORK/status.json" || fail "status"
grep -q '"memory_bytes":[1-9][0-9]*,"cpu_seconds":' "$WORK/status.json" || fail "status: $(cat "$WORK/status.json")"
stop
[ "$(grep -c 'more than memory_soft' "$WORK/engine.log")" = 1 ] || fail "it is warned more than once"
: >"$WORK/engine.log"

# --- the hard limit ---
limits 64KiB 96KiB
start
wait_for "a new beginning" logged 'level=warn at=binance_spot msg="uses .* MiB, more than memory_hard (0.1 MiB) for 5 s: it forgets'
status=0
wait "$ENGINE" || status=$?
ENGINE=
[ "$status" = 75 ] || fail "the engine ended with $status"
logged 'level=error at=binance_spot msg="uses .* again: stopping with status 75' || fail "the end is not explained"
logged 'msg="stopped"' || fail "it did not stop in order"
[ -z "$(ls "$SHM")" ] || fail "left in shared memory: $(ls "$SHM")"
"$MDENGINE" journal verify "$WORK/journal" >/dev/null || fail "the journal has holes or damage"
"$MDENGINE" journal cat "$WORK/journal" -f binance_spot.raw | grep -q '"kind":7,.*forget' || fail "forgetting is no input"
"$MDENGINE" replay "$WORK/journal" --verify >"$WORK/verify.out" 2>&1 || fail "replay: $(tail -n 3 "$WORK/verify.out")"
# Each book: VALID, STALE when the connection was given up, VALID again.
"$MDENGINE" journal cat "$WORK/journal" -f binance_spot -t status | python3 -c '
import json, sys
states = {}
for record in map(json.loads, sys.stdin):
    if record["subject"] == 0 and record["epoch"] == 2:
        states.setdefault(record["symbol"], []).append(record["after_name"])
assert len(states) == 5, states
for symbol, names in states.items():
    assert [n for n in names if n != "SYNCING"][:3] == ["VALID", "STALE", "VALID"], (symbol, names)' || fail "the books did not come back"
echo "warned, connected anew, ended with 75; $(tail -n 1 "$WORK/verify.out")"
