#!/bin/sh
# promise: whatever was published when the engine is killed is on disk once and in the database once, and what was missed is declared
# kill9.sh [long|control]: the engine collects from the simulator, 50,000 messages a second, and is killed at
# random points, every second time in the middle of its recovery. A stranger follows the tape: what it saw must be in the
# journal. control: between kill and start the rings of the dead engine are removed, and the same check must say so.
. "$(dirname "$0")/../e2e/lib.sh"

MODE=${1:-run}
KILLS=60
[ "$MODE" != long ] || KILLS=2000
[ "$MODE" != control ] || KILLS=6
RATE=${RATE:-50000}
SEED=${SEED:-1}
SIM=
WITNESS=
trap 'kill -9 $SIM $WITNESS 2>/dev/null || true; cleanup' EXIT

cluster
"$MDENGINE" sim --symbols 20 --rate "$RATE" --truth "$WORK/truth.json" --truth-every 1 --wait-clients 1 --weight-limit 0 \
  --seed "$SEED" >"$WORK/sim.out" 2>>"$WORK/sim.log" &
SIM=$!
wait_for "the exchange" test -s "$WORK/sim.out"
url() { sed -n "1s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$WORK/sim.out"; }
config "    symbols: all
    channels: [depth, trade, bbo, agg_trade, kline]
    url: $(url ws)
    rest_url: $(url rest)
    rest_weight_per_min: 1000000
    silence_depth: 0s
    silence_bbo: 0s
    silence_connection: 0s" "postgres:
  enabled: true
  conninfo: \"$CONNINFO\"
  records: [trade, bbo, kline, gap]"

# Between 0 and LIMIT ms, other each time, the same in each run: a linear congruential generator.
STATE=$SEED
rest() {
  STATE=$(((STATE * 1103515245 + 12345) % 2147483648))
  sleep "$(printf '0.%03d' $((STATE / 65536 % $1)))"
}

begin() {
  "$MDENGINE" run -c "$WORK/engine.yaml" 2>>"$WORK/engine.log" &
  ENGINE=$!
}

end() {
  kill -9 "$ENGINE" 2>/dev/null || fail "the engine ended by itself"
  wait "$ENGINE" 2>/dev/null || true
  ENGINE=
  [ -z "$WITNESS" ] || wait "$WITNESS" || fail "the witness on the tape failed"
  WITNESS=
}

all_valid() { status_json | grep -q '"books_valid":20[,}]'; }

kills=0
while [ "$kills" -lt "$KILLS" ]; do
  begin
  if [ $((kills % 2)) -eq 0 ]; then
    wait_for "the engine to be ready" ready
    "$MD_TEST_BIN/tape_witness" "$SHM" "$NAME" "$WORK/seen" &
    WITNESS=$!
    rest 500
  else
    rest 60
  fi
  end
  [ "$MODE" != control ] || rm -f "$SHM"/*.rings
  kills=$((kills + 1))
done
start
wait_for "all books to be VALID again" all_valid
sleep 1
stop
kill -TERM "$SIM"
wait "$SIM" || true
SIM=

status=0
"$MD_TEST_BIN/kill9_check" "$WORK/journal" "$WORK/truth.json" "$WORK/seen" "$WORK/rows" >"$WORK/check.out" || status=$?
if [ "$MODE" = control ]; then
  [ "$status" -ne 0 ] || fail "records were thrown away and nobody noticed: $(tail -n 1 "$WORK/check.out")"
  echo "without the rings of the dead engine: $(tail -n 1 "$WORK/check.out" | sed 's/.*; //')"
  exit 0
fi
[ "$status" -eq 0 ] || fail "$(cat "$WORK/check.out")"
python3 "$E2E/compare_rows.py" --rows "$WORK/rows" "$CONNINFO" >"$WORK/rows.out" || fail "$(cat "$WORK/rows.out")"
"$MDENGINE" replay "$WORK/journal" --verify >"$WORK/verify.out" 2>&1 || fail "replay: $(tail -n 3 "$WORK/verify.out")"
echo "$kills of $KILLS kills: $(tail -n 1 "$WORK/check.out"); PostgreSQL: $(tail -n 1 "$WORK/rows.out")"
