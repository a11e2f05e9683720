#!/bin/sh
# The shipped configuration: `mdengine check` takes it, and with nothing but the addresses and the CA changed it collects
# every symbol from the built-in exchange over TLS, though its database is not there.
# ./dev run with no network at all says in one line what cannot be reached, keeps trying, and stops in order. All
# of it in a network and a /dev/shm of its own: the shipped name and ports may be in use.
if [ "${1:-}" != inside ]; then
  if [ "$(id -u)" = 0 ]; then exec unshare -nm sh "$0" inside; else exec unshare -Urnm sh "$0" inside; fi
fi
mount -t tmpfs none /dev/shm || exit 1
. "$(dirname "$0")/lib.sh"

ROOT=$(cd "$HERE/../.." && pwd)
SHIPPED=$ROOT/docker/mdengine.yaml
SIM=
stop_sim() {
  [ -z "$SIM" ] || kill "$SIM" 2>/dev/null || true
  [ -z "$SIM" ] || wait "$SIM" 2>/dev/null || true
  SIM=
}
OWN_SHM=$SHM
trap 'stop_sim; SHM=$OWN_SHM; cleanup' EXIT

"$MDENGINE" check -c "$SHIPPED" >"$WORK/check.out" || fail "check refuses the shipped configuration"
if command -v docker-compose >/dev/null; then
  docker-compose -f "$ROOT/docker/compose.yaml" config >"$WORK/compose" 2>&1 || fail "compose.yaml: $(cat "$WORK/compose")"
  grep -q "$SHIPPED:/etc/mdengine/mdengine.yaml" "$WORK/compose" || fail "compose does not take the shipped configuration"
fi
# Where the shipped configuration has it; for lib.sh.
export NAME=mdengine SHM=/dev/shm
mkdir "$WORK/data"

# --- no network: ./dev run ---
cd "$ROOT" || exit 1
MD_JOURNAL=$WORK/data/run ./dev --no-install run 2>"$WORK/engine.log" &
ENGINE=$!
line='level=warn at=binance_spot msg="binance_spot.0a: cannot reach wss://stream.binance.com:9443 (.*stream.binance.com cannot be looked up.*); again in [0-9]* ms"'
tried() { [ "$(grep -c "$line" "$WORK/engine.log")" -ge 3 ]; }
wait_for "three tries to reach the exchange" tried
stop
[ "$(grep -c 'level=error' "$WORK/engine.log")" = 0 ] || fail "no network is an error"
[ "$(grep -c 'level=warn' "$WORK/engine.log")" = "$(grep -c "$line" "$WORK/engine.log")" ] || fail "more than a line a try"
[ -d "$WORK/data/run" ] || fail "the journal is not where MD_JOURNAL says"
: >"$WORK/engine.log"

# --- the built-in exchange ---
python3 -c '
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH", b"lo", 0x41))' || fail "the loopback cannot be brought up"
said() { [ -s "$WORK/sim.out" ]; }
url() { sed -n "1s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$WORK/sim.out"; }
"$MDENGINE" sim --symbols 20 --rate 2000 --wait-clients 1 --tls-port 0 --ca-out "$WORK/ca.pem" --truth "$WORK/truth.json" \
  --truth-every 1 >"$WORK/sim.out" 2>"$WORK/sim.log" &
SIM=$!
wait_for "the exchange" said
sed "s|^    url: .*|    url: $(url wss)|; s|^    rest_url: .*|    rest_url: $(url rest_tls)|
  s|^    ca_file: .*|    ca_file: $WORK/ca.pem|" "$SHIPPED" >"$WORK/engine.yaml"
diff "$SHIPPED" "$WORK/engine.yaml" >"$WORK/diff" && fail "nothing was changed"
grep '^[<>]' "$WORK/diff" | sed 's/^[<>] *\([a-z_]*\): .*/\1/' | sort | uniq -c | tr -s ' \n' ' ' >"$WORK/changed"
[ "$(cat "$WORK/changed")" = " 2 ca_file 2 rest_url 2 url " ] || fail "more was changed: $(cat "$WORK/diff")"
SYMBOLS=$(sed -n 's/^    symbols: \[\(.*\)\]/\1/p' "$SHIPPED" | tr -d ',')
cd "$WORK/data" || exit 1
start
# The clients of the user ask on the shipped ports.
healthy() { curl -s -m 10 http://127.0.0.1:8087/health | grep -q '"books_valid":10,"books_known":10'; }
wait_for "ten books on /health" healthy
counts() { curl -s -m 10 http://127.0.0.1:9092/metrics | grep -q '^mdengine_feed_frames_total{.*} [1-9]'; }
wait_for "frames in /metrics" counts
books() {
  rm -f "$WORK/books"
  for symbol in $SYMBOLS; do
    printf '%s ' "$symbol" >>"$WORK/books"
    "$MDENGINE" book binance_spot "$symbol" --digest --json >>"$WORK/books" || return 1
  done
  [ "$(grep -c '"VALID"' "$WORK/books")" = 10 ]
}
wait_for "ten VALID books" books
wait_for "the log to say that all books are valid" logged "all 10 books are valid"
# A stop would wait for the database that is not there, for engine.stop_timeout.
kill -9 "$ENGINE"
wait "$ENGINE" 2>/dev/null || true
ENGINE=
stop_sim
python3 - "$WORK/books" "$WORK/truth.json" <<'END' || fail "the books are not the exchange's"
import json, sys
points = {(t["symbol"], t["id"]): t["digest"] for t in map(json.loads, open(sys.argv[2])) if t["at"] == "point"}
books = [(symbol, json.loads(book)) for symbol, book in (line.split(" ", 1) for line in open(sys.argv[1]))]
bad = [symbol for symbol, b in books if points.get((symbol, b["exch_seq"])) != b["digest"]]
sys.exit(f"they differ: {bad}" if bad else 0)
END
