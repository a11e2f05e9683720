#!/bin/sh
# Every Deribit recording through the simulator -> TLS WebSocket and REST -> engine, subscribed as it was recorded (raw
# channels with credentials): final books and trade totals are those of the reference, in shared memory and in the
# journal, and the journal's frames alone make the same records. A recorded list gives as many instruments as it has.
# The product's own recordings always; those under MD_CAPTURES too when it is set.
. "$(dirname "$0")/lib.sh"

SIM=
stop_sim() {
  [ -z "$SIM" ] || kill "$SIM" 2>/dev/null || true
  [ -z "$SIM" ] || wait "$SIM" 2>/dev/null || true
  SIM=
}
trap 'stop_sim; cleanup' EXIT
FEED=deribit_derivatives
umask 077
echo only-in-this-test >"$WORK/secret"

# run RECORDING SPEED KEYS: simulator and engine over a recording.
run() {
  rm -rf "$WORK/journal" "$WORK/truth.jsonl" "$WORK/engine.log" "$WORK/sim.json"
  "$MDENGINE" sim --venue $FEED --capture "$1" --speed "$2" --hold --wait-clients 1 --tls-port 0 --ca-out "$WORK/ca.pem" \
    --truth "$WORK/truth.jsonl" --truth-every 1000000 >"$WORK/sim.json" 2>"$WORK/sim.log" &
  SIM=$!
  wait_for "the simulator" test -s "$WORK/sim.json"
  cat >"$WORK/engine.yaml" <<END
engine:
  name: $NAME
  shm_dir: $SHM
  instruments: 2000
journal:
  dir: $WORK/journal
feeds:
  $FEED:
    url: $(sed -n 's/.*"wss":"\([^"]*\)".*/\1/p' "$WORK/sim.json")/ws/api/v2
    rest_url: $(sed -n 's/.*"rest_tls":"\([^"]*\)".*/\1/p' "$WORK/sim.json")
    ca_file: $WORK/ca.pem
    symbols: all
    channels: [depth, trade, ticker]
    depth: 1000
    journal_ring: 256MiB
    silence_depth: 0s
    silence_connection: 0s
$3
monitoring:
  enabled: false
END
  start
}

# equal EXPECTED KEY: live and in the journal.
equal() {
  python3 - "$MDENGINE" $NAME "$SHM" "$WORK/journal" "$1" "$2" >"$WORK/differs" <<'END'
import json, subprocess, sys
from decimal import Decimal
program, name, shm, journal, path, key = sys.argv[1:7]

def ask(*words):
    said = subprocess.run([program, *words], capture_output=True, text=True).stdout
    return json.loads(said) if said else {}

recorded = {i["symbol"]: i for i in ask("replay", journal, "--json").get("instruments", [])}
wrong, cnt = [], 0
for channel, want in json.load(open(path))[key].items():
    if "symbol" not in want:
        continue
    symbol, cnt = want["symbol"], cnt + 1
    live = ask("book", "deribit_derivatives", symbol, "-n", name, "-S", shm, "--digest", "--json")
    said = recorded.get(symbol, {})
    for where, book in (("live", live), ("journal", said)):
        for field, value in (("state", "VALID"), ("exch_seq", want["final_change_id"]), ("digest", want["digest"])):
            if book.get(field) != value:
                wrong.append(f"{symbol}, {where}: {field} {book.get(field)}, want {value}")
    if said.get("trades") != want["trades"] or Decimal(said["trade_qty_sum"]) != Decimal(want["trade_qty_sum"]):
        wrong.append(f"{symbol}: {said.get('trades')} trades of {said.get('trade_qty_sum')}")
print("\n".join(wrong) or f"{cnt} books and trade totals exact")
sys.exit(bool(wrong) or cnt == 0)
END
}

over() { grep -q '"at":"end"' "$WORK/truth.jsonl" 2>/dev/null; }

# play RECORDING SPEED EXPECTED KEY KEYS
play() {
  run "$1" "$2" "$5"
  wait_for "the end of $4" over
  tries=0
  until equal "$3" "$4"; do
    tries=$((tries + 1))
    [ $tries -lt ${TRIES:-100} ] || fail "$4: $(cat "$WORK/differs")"
    sleep 0.2
  done
  stop
  stop_sim
  "$MDENGINE" journal verify "$WORK/journal" >/dev/null || fail "$4: the journal has holes or damage"
  "$MDENGINE" replay "$WORK/journal" --verify >"$WORK/verify.out" 2>&1 || fail "$4: $(tail -n 3 "$WORK/verify.out")"
  ! grep -rqF only-in-this-test "$WORK/journal" "$WORK/engine.log" || fail "$4: the secret was recorded"
  echo "$4: $(cat "$WORK/differs"); $(tail -n 1 "$WORK/verify.out")"
}

# listed RECORDING: as many instruments are wanted as its lists have futures and options that trade.
listed() {
  want=$(zstd -dc "$1" | python3 -c '
import json, sys
rows = [r for line in sys.stdin for r in json.loads(line.split("\t", 3)[3])["result"]]
print(sum(r["kind"] in ("future", "option") and r["is_active"] for r in rows))')
  run "$1" max ""
  wait_for "$want instruments" grep -q "\"$want symbols are wanted\"" "$WORK/engine.log"
  stop
  stop_sim
  echo "$(basename "$1"): $want instruments"
}

OWN=$HERE/../fixtures/$FEED
RAW="    stream_pace: raw
    client_id: test
    client_secret_file: $WORK/secret"
play "$OWN/demo.wscap" 2 "$OWN/demo.expected.json" demo.wscap ""
play "$OWN/gap.wscap" 2 "$OWN/gap.expected.json" gap.wscap ""
[ -n "${MD_CAPTURES:-}" ] || exit 0
play "$MD_CAPTURES/deribit/raw_options_20210405.wscap.zst" 30 "$MD_CAPTURES/EXPECTED.json" \
  deribit/raw_options_20210405.wscap.zst "$RAW"
listed "$MD_CAPTURES/deribit/instruments_20210722.wscap.zst"
