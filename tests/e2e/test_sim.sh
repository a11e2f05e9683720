#!/bin/sh
# The simulated exchange over TLS, as clients that we did not write see it: curl, and a WebSocket library
# whose books, kept by the documented steps, must equal the log of the truth; then every fault that a client
# notices, and heals.
. "$(dirname "$0")/lib.sh"
PYTHON=/usr/bin/python3 # Debian's, which sees python3-websockets
"$PYTHON" -c 'import websockets' 2>/dev/null || fail "apt-get install python3-websockets"

# sim ARGUMENTS...: starts it, and sets WSS, REST and HTTP.
sim() {
  rm -f "$WORK/sim.json"
  "$MDENGINE" sim --tls-port 0 --ca-out "$WORK/ca.pem" --truth "$WORK/truth.jsonl" --truth-every 5 \
    --wait-clients 1 "$@" >"$WORK/sim.json" 2>"$WORK/engine.log" &
  ENGINE=$!
  wait_for "the simulator" test -s "$WORK/sim.json"
  WSS=$(sed -n '1s/.*"wss":"\([^"]*\)".*/\1/p' "$WORK/sim.json")
  REST=$(sed -n '1s/.*"rest_tls":"\([^"]*\)".*/\1/p' "$WORK/sim.json")
  HTTP=$(sed -n '1s/.*"rest":"\([^"]*\)".*/\1/p' "$WORK/sim.json")
}

# client EXPECTED [ARGUMENTS...]: the books of a client against the truth, until the simulator ends.
client() {
  expected=$1
  shift
  timeout 120 "$PYTHON" "$HERE/sim_client.py" --ws "$WSS" --rest "$REST" --ca "$WORK/ca.pem" \
    --truth "$WORK/truth.jsonl" --expect "$expected" "$@" || fail "a client with $expected"
  wait "$ENGINE" || fail "the simulator ended with status $?"
  ENGINE=
}

# body URL WANTED: what curl gets holds the text.
body() {
  curl -s --cacert "$WORK/ca.pem" "$1" | grep -qF "$2" || fail "$1 does not say $2"
}

sim --symbols 5 --rate 2000 --seconds 4
body "$REST/api/v3/ping" '{}'
body "$HTTP/api/v3/time" '"serverTime":'
body "$REST/api/v3/depth?symbol=NONE" '{"code":-1121,"msg":"Invalid symbol."}'
body "$REST/api/v3/depth" '"code":-1102'
body "$REST/api/v3/exchangeInfo?symbol=BTCUSDT" '"permissionSets":[["SPOT"]]'
body "$HTTP/api/v3/depth?symbol=BTCUSDT&limit=1" '"lastUpdateId":'
if curl -s "$REST/api/v3/ping" >/dev/null 2>&1; then fail "curl trusts the simulator without its authority"; fi
curl -si --cacert "$WORK/ca.pem" "$REST/api/v3/depth?symbol=BTCUSDT&limit=5000" |
  grep -qi '^x-mbx-used-weight-1m: 2[0-9][0-9]' || fail "the weight of a deep snapshot is not counted"
client '{"snapshots":5,"ends":5,"equal":40,"tops":50,"closes":1001}'

faulty() {
  fault=$1
  expected=$2
  shift 2
  sim --symbols 3 --rate 1500 --seconds 3 --seed 7 --fault "$fault" "$@"
  client "$expected" --silence "${SILENCE:-15}"
}
faulty gap:after=0.6 '{"faulty":true,"gaps":1,"snapshots":4,"ends":3,"faults":1}'
faulty duplicate:after=0.6 '{"faulty":true,"repeats":1,"snapshots":3,"ends":3,"faults":1}'
faulty stall:after=0.6,for=0.6 '{"faulty":true,"gaps":1,"snapshots":4,"ends":3,"faults":1}'
faulty cut:after=0.6 '{"faulty":true,"closes":1006,"snapshots":6,"ends":3,"faults":1}'
SILENCE=1
faulty half-open:after=0.4 '{"faulty":true,"closes":"silent","snapshots":6,"ends":3,"faults":1}'
SILENCE=
faulty shutdown:after=0.6,for=0.3 '{"faulty":true,"serverShutdown":1,"snapshots":6,"ends":3}'
faulty 429:cnt=2,retry=1 '{"faulty":true,"429":2,"snapshots":3,"ends":3,"faults":2}'
faulty slow:cnt=1,for=1 '{"faulty":true,"snapshots":3,"ends":3,"faults":1}'

for lag in 300 before inside after; do
  sim --capture "$FIXTURES/demo.wscap.zst" --speed 20 --snapshot-lag "$lag"
  client '{"faulty":true,"ends":5,"equal":100}' # it holds a gap and a repeat of its own
done
