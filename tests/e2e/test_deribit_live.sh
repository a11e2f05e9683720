#!/bin/sh
# The engine collects Deribit from a small server of the test: it says its heartbeat, answers signs of life, subscribes
# by message, and after a hole takes that one book anew by unsubscribing it. Every book ends equal to the server's own,
# and the journal's RAW stream replays to the same records.
. "$(dirname "$0")/lib.sh"

SERVER=
stop_server() {
  [ -z "$SERVER" ] || kill "$SERVER" 2>/dev/null || true
  [ -z "$SERVER" ] || wait "$SERVER" 2>/dev/null || true
}
trap 'stop_server; cleanup' EXIT

said() { [ -s "$WORK/port" ]; }

# equal: every book is VALID and has the server's digest.
equal() {
  [ -s "$WORK/truth.json" ] || return 1
  for symbol in BTC-PERPETUAL SOL_USDC-PERPETUAL BTC-27MAR26-90000-C ETH-27MAR26-1200-P; do
    "$MDENGINE" book deribit_derivatives "$symbol" -n $NAME -S "$SHM" --digest --json >"$WORK/book.json" 2>/dev/null ||
      return 1
    digest=$(sed -n "s/.*\"$symbol\": \"\([0-9a-f]*\)\".*/\1/p" "$WORK/truth.json")
    [ -n "$digest" ] && grep -q "$digest" "$WORK/book.json" || return 1
  done
}

python3 -B "$HERE/deribit_server.py" "$WORK/truth.json" >"$WORK/port" 2>>"$WORK/engine.log" &
SERVER=$!
wait_for "the server" said
cat >"$WORK/engine.yaml" <<END
engine:
  name: $NAME
  shm_dir: $SHM
journal:
  dir: $WORK/journal
feeds:
  deribit_derivatives:
    symbols: all
    channels: [depth, trade, ticker]
    silence_connection: 0s
    url: ws://127.0.0.1:$(cat "$WORK/port")/ws/api/v2
    rest_url: http://127.0.0.1:$(cat "$WORK/port")
monitoring:
  enabled: false
END
start
wait_for "books that equal the server's" equal
stop
python3 - "$WORK/truth.json" <<'END' || fail "the client did not keep to the protocol: $(cat "$WORK/truth.json")"
import json, sys
said = json.load(open(sys.argv[1]))
book = "book.BTC-PERPETUAL.100ms"
assert said["heartbeat"] == 30 and said["alive"] >= 5, "signs of life"
assert said["unsubscribed"] == [book], "only the book with the hole is taken anew"
assert said["subscribed"].count(book) == 2 and said["subscribed"].count("book.SOL_USDC-PERPETUAL.100ms") == 1
END
"$MDENGINE" journal verify "$WORK/journal" >/dev/null || fail "the journal has holes or damage"
"$MDENGINE" replay "$WORK/journal" --verify >"$WORK/verify.out" 2>&1 || fail "replay: $(tail -n 3 "$WORK/verify.out")"
echo "four books equal the server's, one of them after a hole; $(tail -n 1 "$WORK/verify.out")"
