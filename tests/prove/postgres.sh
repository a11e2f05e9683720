#!/bin/sh
# promise: whatever happens to PostgreSQL or to the way to it, its rows are the journal's, each once, and nothing else stops
# postgres.sh [long|control]: the engine collects from the simulator, 5,000 messages a second, into a private server behind a
# proxy; tests/fault/pg_storm.py ends backends (in COMMIT too), restarts the server, kills its postmaster, cuts and freezes
# connections, fills its disk, locks and alters its tables, and lets it refuse rows. control: progress is set back behind
# the engine's back while it is cut off, and the same comparison must say so.
. "$(dirname "$0")/../e2e/lib.sh"

MODE=${1:-run}
FAULTS=${FAULTS:-40}
[ "$MODE" != long ] || FAULTS=${LONG_FAULTS:-500}
[ "$MODE" != long ] || DISK=${DISK:-3g}
[ "$MODE" != control ] || FAULTS=3
RATE=${RATE:-5000}
SEED=${SEED:-1}
export MDENGINE ENGINE_NAME="$NAME" ENGINE_SHM="$SHM"
export PG_OPTIONS="-c commit_delay=3000 -c commit_siblings=0 -c max_wal_size=128MB -c min_wal_size=32MB"
SIM=
STORM=
WITNESS=
trap 'for pid in $SIM $STORM $WITNESS; do kill -9 "$pid" 2>/dev/null || true; done; cleanup' EXIT

# Its own small disk, where it may be mounted; the fault is left out otherwise.
mkdir "$WORK/pg"
[ "$MODE" != control ] && TINY=$WORK/pg
[ -z "${TINY:-}" ] || mount -t tmpfs -o "size=${DISK:-1g},mode=755" none "$TINY" 2>/dev/null || TINY=
cluster
python3 "$E2E/../fault/pg_storm.py" "$WORK" "$FAULTS" "$SEED" 2>"$WORK/storm.log" &
STORM=$!
wait_for "the proxy" test -s "$WORK/port"
"$MDENGINE" sim --symbols 20 --rate "$RATE" --truth "$WORK/truth.json" --truth-every 10 --wait-clients 1 --weight-limit 0 \
  --seed "$SEED" >"$WORK/sim.out" 2>>"$WORK/sim.log" &
SIM=$!
wait_for "the exchange" test -s "$WORK/sim.out"
url() { sed -n "1s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$WORK/sim.out"; }
JOURNAL="policy: interval
  segment: 16MiB"
config "    symbols: all
    channels: [depth, trade, bbo, agg_trade, kline]
    url: $(url ws)
    rest_url: $(url rest)
    rest_weight_per_min: 1000000
    silence_depth: 0s
    silence_bbo: 0s
    silence_connection: 0s" "postgres:
  enabled: true
  conninfo: \"host=127.0.0.1 port=$(cat "$WORK/port") dbname=postgres user=mdengine\"
  wait_at_start: true
  timeout: 2s
  connect_timeout: 1s
  batch_rows: 2000
  records: [trade, bbo, kline, gap]"
"$MDENGINE" db init -c "$WORK/engine.yaml" >/dev/null # without the short timeout, which is for the storm
start
"$MD_TEST_BIN/tape_witness" "$SHM" "$NAME" "$WORK/seen" &
WITNESS=$!
all_valid() { status_json | grep -q '"books_valid":20[,}]'; }
wait_for "all books to be VALID" all_valid
: >"$WORK/go"
storm_over() { [ -s "$WORK/storm.out" ]; }
tries=0
until storm_over; do
  tries=$((tries + 1))
  [ "$tries" -lt $((FAULTS * 600 + 600)) ] || fail "the storm did not end: $(cat "$WORK/storm.log")"
  kill -0 "$ENGINE" 2>/dev/null || fail "the engine ended in the storm"
  sleep 0.1
done
storm=$(cat "$WORK/storm.out")
case $storm in failed*) fail "$storm $(tail -n 5 "$WORK/pg/server.log")" ;; esac
if [ "$MODE" = control ]; then
  sql "UPDATE md.progress SET next = greatest(next - 500, 1); SELECT count(pg_terminate_backend(pid))
    FROM pg_stat_activity WHERE application_name = 'mdengine'" >/dev/null
  sleep 1
fi
stop
kill -TERM "$SIM"
wait "$SIM" || true
SIM=
wait "$WITNESS" || fail "the witness on the tape failed"
WITNESS=

"$MD_TEST_BIN/kill9_check" "$WORK/journal" "$WORK/truth.json" "$WORK/seen" "$WORK/rows" >"$WORK/check.out" ||
  fail "$(cat "$WORK/check.out")"
status=0
python3 "$E2E/compare_rows.py" --rows "$WORK/rows" "$CONNINFO" --rejects >"$WORK/rows.out" || status=$?
if [ "$MODE" = control ]; then
  [ "$status" -ne 0 ] || fail "rows were doubled and nobody noticed: $(tail -n 1 "$WORK/rows.out")"
  echo "progress set back by 500 records: $(tail -n 1 "$WORK/rows.out")"
  exit 0
fi
[ "$status" -eq 0 ] || fail "$(cat "$WORK/rows.out")"
# What the engine took for stored is what there is: rows of all tables and rejects, and no LOSS.
lost=$(sql "SELECT count(*) FROM md.losses")
[ "$lost" = 0 ] || fail "$lost rows in md.losses, which nothing here explains"
[ -n "${TINY:-}" ] || storm="$storm, no full disk: a tmpfs cannot be mounted here"
echo "$storm: $(tail -n 1 "$WORK/rows.out"); $(tail -n 1 "$WORK/check.out")"
