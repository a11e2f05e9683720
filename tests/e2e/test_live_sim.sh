#!/bin/sh
# The engine collects from the built-in exchange over TLS, by either transport, and its connections are replaced before
# their end: no gap at all. At the end every book equals the exchange's own, and the journal's RAW stream replays to the
# same books. What goes wrong on purpose is in test_live_faults.sh.
. "$(dirname "$0")/lib.sh"

SIM=
stop_sim() {
  [ -z "$SIM" ] || kill "$SIM" 2>/dev/null || true
  [ -z "$SIM" ] || wait "$SIM" 2>/dev/null || true
  SIM=
}
trap 'stop_sim; cleanup' EXIT

said() { [ -s "$WORK/sim.out" ]; }
url() { sed -n "1s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$WORK/sim.out"; }

# serve ARGUMENTS...: begins the exchange; its market ends after some seconds, its sockets stay.
serve() {
  rm -f "$WORK/sim.out"
  "$MDENGINE" sim --symbols 3 --rate 2000 --seconds 8 --hold --wait-clients 1 --tls-port 0 --ca-out "$WORK/ca.pem" \
    --truth "$WORK/truth.json" "$@" >"$WORK/sim.out" 2>>"$WORK/engine.log" &
  SIM=$!
  wait_for "the exchange" said
}

# equal: every book is VALID and has the digest that the exchange gave at the end.
equal() {
  grep -q '"at":"end"' "$WORK/truth.json" || return 1
  for symbol in BTCUSDT ETHUSDT BNBUSDT; do
    "$MDENGINE" book binance_spot $symbol -n $NAME -S "$SHM" --digest --json >"$WORK/$symbol.json" 2>/dev/null || return 1
    digest=$(sed -n "/\"at\":\"end\",\"symbol\":\"$symbol\"/s/.*\"digest\":\"\([0-9a-f]*\)\".*/\1/p" "$WORK/truth.json")
    [ -n "$digest" ] || return 1
    grep -q "$digest" "$WORK/$symbol.json" || return 1
  done
}

# replays: the journal's frames alone make the same books.
replays() {
  "$MDENGINE" journal verify "$WORK/journal" >/dev/null || fail "the journal has holes or damage"
  "$MDENGINE" replay "$WORK/journal" --verify >"$WORK/verify.out" 2>&1 || fail "replay: $(tail -n 3 "$WORK/verify.out")"
}

gap_total() {
  status_json | python3 -c 'import json, sys; print(sum(f.get("gaps", 0) for f in json.load(sys.stdin)["feeds"]))'
}

LIMITS="    silence_depth: 0s
    silence_bbo: 0s
    silence_connection: 0s"

# collects TRANSPORT: the whole, through one of the two clients that speak WebSocket.
collects() {
  rm -rf "$WORK/journal" "$WORK/truth.json" "$WORK/engine.log"
  serve --life 4 --shutdown-warning 2
  config "    symbols: all
    transport: $1
    url: $(url wss)
    rest_url: $(url rest_tls)
    ca_file: $WORK/ca.pem
$LIMITS"
  start
  wait_for "books that equal the exchange's, over TLS" equal
  gaps=$(gap_total)
  [ "$gaps" = 0 ] || fail "$gaps gaps though every connection was replaced before its end"
  wait_for "a connection to be replaced: this tests nothing else" logged "the server says that it closes"
  stop
  stop_sim
  replays
}

collects native
collects lws

echo "books equal the exchange's over TLS, by both transports, though every connection was replaced; the journal replays"
