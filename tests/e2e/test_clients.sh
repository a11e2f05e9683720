#!/bin/sh
# Clients that others wrote work against the simulator with only its address and certificate changed: ccxt's
# watchOrderBook and watchTrades, and @binance/spot. Both run over TLS beside each other, in the midst of a running
# market; their books equal the truth at equal update ids, and their trade totals at the end. The engine collects from
# the same exchange meanwhile, and its books equal theirs at the last update id.
#
# The packages come from npm once for each package-lock.json, into the folder build.
. "$(dirname "$0")/lib.sh"

CLIENTS=$HERE/../clients
PACKAGES=${MD_NPM_DIR:-$HERE/../../build/npm}
POINTS=20
SIM=
PIDS=

end_all() {
  for pid in $PIDS $SIM; do kill -9 "$pid" 2>/dev/null || true; done
  cleanup
}
trap end_all EXIT

# --- packages
for tool in node npm; do
  command -v $tool >/dev/null 2>&1 || fail "no $tool: install Node.js 18 or newer with npm (./dev test does)"
done
major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 18 ] || fail "node is version $major: the clients need 18 or newer"

if ! cmp -s "$CLIENTS/package-lock.json" "$PACKAGES/installed.json"; then
  rm -rf "$PACKAGES"
  mkdir -p "$PACKAGES"
  cp "$CLIENTS/package.json" "$CLIENTS/package-lock.json" "$PACKAGES"
  (cd "$PACKAGES" && npm ci --ignore-scripts --no-audit --no-fund >"$WORK/npm.log" 2>&1) || {
    cat "$WORK/npm.log" >&2
    fail "npm could not install the clients (see above): is the registry within reach?"
  }
  cp "$CLIENTS/package-lock.json" "$PACKAGES/installed.json"
fi
cp "$CLIENTS"/*.mjs "$PACKAGES" # a module finds its packages beside itself

# --- the exchange: it begins when the engine (a connection) and both clients (ccxt: a connection for each of two
# symbols; the other: one) have subscribed
"$MDENGINE" sim --symbols 4 --rate 2000 --seconds 7 --wait-clients 4 --hold --tls-port 0 --ca-out "$WORK/ca.pem" \
  --truth "$WORK/truth.jsonl" --truth-every 1 >"$WORK/sim.out" 2>"$WORK/sim.log" &
SIM=$!
wait_for "the simulator" grep -q '"wss"' "$WORK/sim.out"
address=$(sed -n 's,.*"wss":"wss://\([^"]*\)".*,\1,p' "$WORK/sim.out")

config "    symbols: [BTCUSDT, ETHUSDT]
    url: wss://$address
    rest_url: https://$address
    ca_file: $WORK/ca.pem
    silence_depth: 0s
    silence_bbo: 0s
    silence_connection: 0s"
start

# client NAME SYMBOL...: runs it in the background.
client() {
  name=$1
  shift
  NODE_EXTRA_CA_CERTS=$WORK/ca.pem node "$PACKAGES/$name.mjs" "$address" "$@" \
    >"$WORK/$name.out" 2>"$WORK/$name.log" &
  PIDS="$PIDS $!"
}
client ccxt_book BTC/USDT ETH/USDT
client binance_spot_book BTCUSDT ETHUSDT

# --- compare
compare() {
  python3 "$CLIENTS/compare.py" "$1" "$WORK/$2.out" $POINTS BTCUSDT ETHUSDT
}

# arrived NAME: the client holds the last book and the last trade. One that died will not.
arrived() {
  compare "$WORK/truth.jsonl" "$1" >/dev/null 2>&1 && return 0
  for pid in $PIDS; do
    kill -0 "$pid" 2>/dev/null && continue
    cat "$WORK"/*_book.log >&2
    fail "a client ended by itself (see above)"
  done
  return 1
}

wait_for "the market's end" grep -q '"at":"end"' "$WORK/truth.jsonl"
for name in ccxt_book binance_spot_book; do
  wait_for "the last book and trade of $name" arrived $name
  echo "$name"
  compare "$WORK/truth.jsonl" $name || fail "$name does not hold what the simulator sent"

  # The comparison can fail: against a truth with other digests it does.
  sed 's/"digest_top20":"...../"digest_top20":"00000/' "$WORK/truth.jsonl" >"$WORK/wrong.jsonl"
  ! compare "$WORK/wrong.jsonl" $name >/dev/null 2>&1 || fail "$name equals a wrong truth"
done
grep -q '"at":"ticker"' "$WORK/binance_spot_book.out" || fail "@binance/spot saw no bookTicker at an id of its book"

# --- the engine's book, at the last update id, at which the clients' were found equal to the truth
# last_digest SYMBOL: of every level, as the exchange logged it.
last_digest() {
  sed -n "/\"at\":\"end\",\"symbol\":\"$1\"/s/.*\"digest\":\"\([0-9a-f]*\)\".*/\1/p" "$WORK/truth.jsonl"
}

# engine_equals SYMBOL: VALID, and with that digest.
engine_equals() {
  "$MDENGINE" book binance_spot "$1" -n $NAME -S "$SHM" --digest --json 2>/dev/null | grep -q "$(last_digest "$1")"
}

for symbol in BTCUSDT ETHUSDT; do
  [ -n "$(last_digest $symbol)" ] || fail "the truth has no last digest of $symbol"
  wait_for "the engine's book of $symbol to equal theirs" engine_equals $symbol
done
stop
echo "the engine's books equal theirs at the last update ids"
