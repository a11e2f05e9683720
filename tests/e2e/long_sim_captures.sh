#!/bin/sh
# Every Binance spot recording through the simulator -> TLS WebSocket -> engine: final digests are those of an
# offline replay (which test_captures holds against the reference), with the REST snapshot before,
# inside and after the buffered updates, late, and as recorded. Run by hand, minutes long:
#   MDENGINE=build/release/mdengine MD_CAPTURES=DIR sh tests/e2e/long_sim_captures.sh
# SPEED and LAGS narrow it. A recording of thin symbols wants SPEED=4: a snapshot must come before its last update.
. "$(dirname "$0")/lib.sh"

[ -n "${MD_CAPTURES:-}" ] || {
  echo "MD_CAPTURES is not set"
  exit 77
}
SIM=
stop_sim() { [ -z "$SIM" ] || kill "$SIM" 2>/dev/null || true; }
trap 'stop_sim; cleanup' EXIT

# through RECORDING LAG
through() {
  rm -rf "$WORK/journal" "$WORK/sim.json"
  lag=
  [ "$2" = recorded ] || lag="--snapshot-lag $2"
  # shellcheck disable=SC2086 # an option and its value, or nothing
  "$MDENGINE" sim --capture "$1" --speed "${SPEED:-100}" $lag --hold --wait-clients 1 --tls-port 0 \
    --ca-out "$WORK/ca.pem" >"$WORK/sim.json" 2>"$WORK/sim.log" &
  SIM=$!
  wait_for "the simulator" test -s "$WORK/sim.json"
  config "$(python3 - "$WORK/sim.json" "$WORK/ca.pem" "$WORK/offline.json" <<'END'
import json, sys
j = json.loads(open(sys.argv[1]).readline())
symbols = [i["symbol"] for i in json.load(open(sys.argv[3]))["instruments"]]
print(f"""    url: {j['wss']}
    rest_url: {j['rest_tls']}
    ca_file: {sys.argv[2]}
    symbols: {json.dumps(symbols)}
    channels: [depth, trade, bbo, agg_trade, kline]
    silence_depth: 0s
    silence_bbo: 0s
    silence_connection: 0s""")
END
)"
  start
  wait_for "the books of $1 with $2" equal
  stop
  stop_sim
  SIM=
}

# equal: every book stands at the update, and has the digest, that the offline replay ends in.
equal() {
  python3 - "$MDENGINE" "$NAME" "$SHM" "$WORK/offline.json" <<'END'
import json, subprocess, sys
program, name, shm, path = sys.argv[1:5]
for want in json.load(open(path))["instruments"]:
    if want["state"] != "VALID":
        continue
    out = subprocess.run([program, "book", "binance_spot", want["symbol"], "-n", name, "-S", shm, "--digest", "--json"],
                         capture_output=True, text=True).stdout
    try:
        said = json.loads(out)
    except ValueError:
        sys.exit(1)
    if said["state"] != "VALID" or said["exch_seq"] != want["exch_seq"]:
        sys.exit(1)
    if said["digest_top20"] != want["digest_top20"]:
        print(want["symbol"], "has the last update but another book")
        sys.exit(1)
END
}

for capture in "$MD_CAPTURES"/binance_spot/*.zst; do
  "$MDENGINE" replay "$capture" --json >"$WORK/offline.json"
  for lag in ${LAGS:-recorded before inside after 200}; do
    begin=$(date +%s)
    through "$capture" "$lag"
    echo "$(basename "$capture") $lag: $(($(date +%s) - begin)) s"
  done
done
