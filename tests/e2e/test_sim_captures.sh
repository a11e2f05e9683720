#!/bin/sh
# Every recording of a venue that the simulator plays -> TLS WebSocket and REST -> engine, with the first REST snapshot
# at five different points of each: as recorded, before the updates that a client has, among them, long after it
# was asked for, and ahead of them. Final books and trade totals are those of the reference, in shared memory and
# in the journal, and the journal's frames alone make the same records. A row of VENUES adds a venue.
#
# The digest over every level known must be equal at all five points: the simulator's book holds the recorded
# snapshot and every level that a diff set since, as the reference does, and an answer of 5000 levels a side gives
# all of it. Where the venue's longest answer is shorter, all is compared as recorded, elsewhere the best 20.
#
# The product's own recordings always; those under MD_CAPTURES too when it is set. ONLY narrows the recordings,
# LAGS the points, JOBS says how many run at once.
# alone: five engines and exchanges at a time
. "$(dirname "$0")/lib.sh"

LAGS=${LAGS:-recorded before inside 1500 after}

# ---- one recording at one point: a process of its own, with its own folders ----

SIM=
stop_sim() { [ -z "$SIM" ] || kill "$SIM" 2>/dev/null || true; }

equal() {
  python3 "$HERE/compare_capture.py" "$MDENGINE" "$NAME" "$SHM" "$WORK/journal" "$expected" "$key" "$FEED" "$what" >"$WORK/differs"
}

# where_it_fell: the snapshot did come at the point that was asked for, else this tested nothing.
where_it_fell() {
  "$MDENGINE" journal cat "$WORK/journal" -f "$FEED.raw" | grep -c '"kind":6,.*"name":"[^"]*/depth?' >"$WORK/answers" || true
  for type in book_snapshot book_delta; do
    "$MDENGINE" journal cat "$WORK/journal" -f "$FEED" --type $type >"$WORK/$type.json"
  done
  python3 - "$lag" "$WORK" "$expected" "$key" <<'PY'
import json, sys
lag, work, path, key = sys.argv[1:5]
answers = int(open(f"{work}/answers").read())
snapshots, waited = {}, {}
for line in open(f"{work}/book_snapshot.json"):
    record = json.loads(line)
    snapshots.setdefault(record["instrument"], record)
for line in open(f"{work}/book_delta.json"):
    record = json.loads(line)
    first = snapshots.get(record["instrument"])
    if first and record["ts_recv_ns"] < first["ts_recv_ns"] and record["seq"] > first["seq"]:
        waited[record["instrument"]] = waited.get(record["instrument"], 0) + 1
synced = sum(want["synced"] for want in json.load(open(path))[key].values())
fits = {"before": answers > synced, "after": sum(waited.values()) == 0}.get(lag, True)
# On a busy machine an answer may be read before updates that came first: `inside` is told, not demanded.
if lag == "1500":
    fits = len(waited) > 0
print(f"{answers} answers, {sum(waited.values())} updates waited behind the snapshots of {len(waited)} books")
sys.exit(0 if fits or synced == 0 else 1)
PY
}

one() {
  recording=$1 lag=$2 speed=$3 expected=$4 key=$5 FEED=$6 links=$7 levels=$8 channels=$9
  what=all
  [ "$lag" = recorded ] || [ "$levels" = all ] || what=top
  trap 'stop_sim; cleanup' EXIT
  set -- sim --capture "$recording" --speed "$speed" --hold --wait-clients "$links" --tls-port 0 --ca-out "$WORK/ca.pem" \
    --truth "$WORK/truth.json" --truth-every 1000000
  [ "$lag" = recorded ] || set -- "$@" --snapshot-lag "$lag"
  "$MDENGINE" "$@" >"$WORK/sim.json" 2>"$WORK/sim.log" &
  SIM=$!
  wait_for "the simulator" test -s "$WORK/sim.json"
  config "$(python3 - "$WORK/sim.json" "$WORK/ca.pem" "$expected" "$key" "$channels" <<'PY'
import json, sys
said = json.loads(open(sys.argv[1]).readline())
print(f"""    url: {said['wss']}
    rest_url: {said['rest_tls']}
    ca_file: {sys.argv[2]}
    symbols: {json.dumps(list(json.load(open(sys.argv[3]))[sys.argv[4]]))}
    channels: [{sys.argv[5]}]
    depth: full
    tape: 1MiB
    journal_ring: 16MiB
    silence_depth: 0s
    silence_bbo: 0s
    silence_connection: 0s""")
PY
)"
  start
  wait_for "the end of $recording" grep -q '"at":"end"' "$WORK/truth.json"
  tries=0
  until equal; do
    tries=$((tries + 1))
    [ $tries -lt 600 ] || fail "$key, lag $lag: $(cat "$WORK/differs")"
    sleep 0.2
  done
  stop
  fell=$(where_it_fell) || fell="elsewhere: $fell"
  "$MDENGINE" journal verify "$WORK/journal" >/dev/null || fail "$key, lag $lag: the journal has holes or damage"
  "$MDENGINE" replay "$WORK/journal" --verify >"$WORK/verify.out" 2>&1 || fail "$key, lag $lag: $(tail -n 3 "$WORK/verify.out")"
  echo "$FEED $key, lag $lag, speed $speed: $(cat "$WORK/differs"); $fell"
}

if [ "${1:-}" = one ]; then
  shift
  one "$@"
  exit 0
fi

# ---- all of them ----

# FEED, folder of recordings, connections that the engine makes, whether an answer holds all levels, channels
VENUES="
binance_spot binance_spot 1 all depth,trade,bbo,agg_trade,kline
binance_us binance_us 1 all depth,trade,bbo,agg_trade,kline
binance_derivatives binance_usdm 2 top depth,trade,bbo,agg_trade,kline,mark,funding
binance_coinm binance_coinm 1 top depth,trade,bbo,agg_trade,kline
"

# add RECORDING SPEED EXPECTED KEY VENUE...: a line for each point.
add() {
  case $1 in *${ONLY:-}*) ;; *) return 0 ;; esac
  for lag in ${POINTS:-$LAGS}; do
    echo "$1 $lag $2 $3 $4 $5 $7 $8 $9" >>"$WORK/jobs"
  done
}

# own FEED RECORDING SPEED: one of the product's own.
own() {
  own=$FIXTURES/../$1/$2
  set -- "$own" "$3" "${own%%.wscap*}.expected.json" "$2" $(echo "$VENUES" | grep "^$1 ")
  add "$@"
}

# Fast enough to end in some seconds, slow enough that a thin book has updates before and after a snapshot.
if [ -n "${MD_CAPTURES:-}" ]; then
  echo "$VENUES" | while read -r venue; do
    [ -n "$venue" ] || continue
    set -- $venue
    for recording in "$MD_CAPTURES/$2"/*.zst; do
      key=$2/$(basename "$recording")
      seconds=$(zstd -dc "$recording" | awk '{ t = substr($1, 1, 10) } NR == 1 { b = t } END { print t - b }')
      add "$recording" $((seconds / 7 + 1)) "$MD_CAPTURES/EXPECTED.json" "$key" $venue
    done
  done
fi
own binance_spot demo.wscap.zst 10
own binance_spot gap.wscap 1
own binance_spot nosnapshot.wscap 1
# Of the others, what differs: the rule of ids, and how many levels an answer has.
POINTS="recorded inside"
for feed in binance_derivatives binance_coinm; do
  own $feed market.wscap.zst 5
  own $feed gap.wscap 2
done

status=0
xargs -P "${JOBS:-5}" -L 1 sh "$0" one <"$WORK/jobs" >"$WORK/said" || status=$?
cat "$WORK/said"
[ "$status" -eq 0 ] || fail "not every recording came through"
# A busy machine may put one snapshot or other elsewhere than its lag says, but not most of them.
for lag in $LAGS; do
  wrong=$(grep -c "lag $lag,.*elsewhere" "$WORK/said" || true)
  [ $((2 * wrong)) -lt "$(grep -c "lag $lag," "$WORK/said")" ] || fail "the snapshots of lag $lag came elsewhere"
done
echo "$(wc -l <"$WORK/jobs") runs: books and trade totals as expected"
