#!/bin/sh
# The database is away for ten minutes of stream time, 500 messages a second simulated 20 times faster: the feed and the
# journal never stop and lose nothing, full segments are compressed meanwhile and retention waits for the database; when it
# is back the sink catches up beside the live stream, lag, rate and time to go are shown, and the rows are the exchange's.
# A stop while the database is away waits for nobody, and the next start stores the rest.
# OUTAGE seconds and RATE messages a second: OUTAGE=60 RATE=20000 for a longer run.
. "$(dirname "$0")/lib.sh"

OUTAGE=${OUTAGE:-30}
RATE=${RATE:-10000}
SIM=
trap '[ -z "$SIM" ] || kill -9 "$SIM" 2>/dev/null || true; cleanup' EXIT
cluster
"$MDENGINE" sim --symbols 20 --rate "$RATE" --truth "$WORK/truth.json" --truth-every 50 --wait-clients 1 --weight-limit 0 \
  >"$WORK/sim.out" 2>>"$WORK/sim.log" &
SIM=$!
wait_for "the exchange" test -s "$WORK/sim.out"
url() { sed -n "1s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$WORK/sim.out"; }
JOURNAL="policy: interval
  segment: 4MiB
  compress: zstd
  compress_after: 0s
  background_rate: 0B
  keep_bytes: 8MiB"
MONITORING="http_port: 0
  metrics_port: 0"
config "    symbols: all
    channels: [depth, trade, bbo]
    url: $(url ws)
    rest_url: $(url rest)
    rest_weight_per_min: 1000000
    silence_depth: 0s
    silence_bbo: 0s
    silence_connection: 0s" "postgres:
  enabled: true
  conninfo: \"$CONNINFO\"
  wait_at_start: true
  records: [trade, bbo, gap]"
start

# metric NAME: the sum of its samples.
metric() {
  curl -sf "http://127.0.0.1:$(status_json | sed 's/.*"metrics_port":\([0-9]*\).*/\1/')/metrics" |
    awk -v name="$1" 'index($1, name "{") == 1 && (!/sink=/ || /sink="postgres"/ || name ~ /journal/) { sum += $2 } END { print sum + 0 }'
}
value() { status_json | grep -o "\"$1\":[0-9]*" | head -n 1 | sed 's/.*://'; }
live() { status_json | grep -q '"thread":"writer:postgres".*"catchup":false'; }
all_valid() { status_json | grep -q '"books_valid":20[,}]'; }
stored() { [ "$(value stored_seq)" -gt "$1" ]; }
wait_for "all books to be VALID" all_valid
wait_for "the first rows" stored 0

"$E2E/pg_cluster.sh" stop "$CLUSTER" immediate
goes_on() { [ "$(value published_seq)" -gt "$published" ] && [ "$(value durable_seq)" -gt "$durable" ]; }
begun=$(value published_seq)
published=$begun
durable=$(value durable_seq)
seconds=0
while [ "$seconds" -lt "$OUTAGE" ]; do
  sleep 1
  seconds=$((seconds + 1))
  wait_for "more than $published records published and $durable durable, without the database" goes_on
  published=$(value published_seq)
  durable=$(value durable_seq)
done
records=$((published - begun))
figures() {
  held=$(metric mdengine_journal_held_segments)
  packed=$(metric mdengine_journal_packed_segments_total)
  behind=$(metric mdengine_sink_lag_records)
  behind_s=$(metric mdengine_sink_lag_seconds)
  [ "$held" -gt 0 ] && [ "$packed" -gt 0 ] && [ "$behind" -gt $((records / 2)) ] && [ "$behind_s" -gt 1 ]
}
wait_for "segments that are held, compressed ones, and a lag of more than $((records / 2)) records" figures

began_ms=$(date +%s%3N)
"$E2E/pg_cluster.sh" start "$CLUSTER" >/dev/null
rate=0
eta=0
tries=0
until live && stored "$published"; do
  said=$(metric mdengine_sink_catchup_records_per_second)
  [ "${said:-0}" -le "$rate" ] || rate=$said
  said=$(metric mdengine_sink_catchup_eta_seconds)
  [ "${said:-0}" -eq 0 ] || [ "$said" -ge 31536000 ] || eta=$said
  tries=$((tries + 1))
  [ "$tries" -lt 1200 ] || fail "it did not catch up: $(status_json)"
  sleep 0.1
done
took_ms=$(($(date +%s%3N) - began_ms))
during=$(($(value published_seq) - published))
[ "$during" -gt 0 ] || fail "nothing was published while it caught up"
sleep 2
live_again() { live && [ "$(metric mdengine_sink_lag_seconds)" -le 2 ]; }
wait_for "the lag to be gone" live_again
retired() { [ "$(metric mdengine_journal_retired_segments_total)" -gt 0 ]; }
wait_for "retention to go on" retired

# Away again, and a stop: no waiting for it.
absent() { grep -c 'PostgreSQL is not available' "$WORK/engine.log" || true; }
absences=$(absent)
"$E2E/pg_cluster.sh" stop "$CLUSTER" fast
away() { [ "$(absent)" -gt "$absences" ]; }
wait_for "the sink to notice" away
kill -TERM "$SIM"
wait "$SIM" || true
SIM=
settled() { [ "$(value published_seq)" = "$(value durable_seq)" ]; }
sleep 1
wait_for "everything to be durable" settled
stop
grep -q 'stopped without [0-9]* records.*the next start' "$WORK/engine.log" || fail "the stop did not say what is missing"
! grep -q 'not drained at stop' "$WORK/engine.log" || fail "the stop waited for the database"
"$E2E/pg_cluster.sh" start "$CLUSTER" >/dev/null
start
rest_stored() {
  sql "SELECT bool_and(next > $((published + during))) FROM md.progress WHERE epoch = 1" | grep -q t
}
wait_for "the rest to be stored" rest_stored
caught_up() { [ "$(value stored_seq)" = "$(value published_seq)" ] && live; }
wait_for "the second engine to be live" caught_up
stop
[ "$(sql "SELECT count(*) FROM md.losses")" = 0 ] || fail "losses: $(sql "SELECT * FROM md.losses")"
python3 "$E2E/compare_truth.py" "$WORK/truth.json" "$CONNINFO" >"$WORK/rows.out" || fail "$(cat "$WORK/rows.out")"
echo "$records records in $OUTAGE s without the database, $held segments held, $packed compressed; caught up in $took_ms ms" \
  "beside $during more, at up to $rate a second, $eta s to go at one time; $(tail -n 1 "$WORK/rows.out")"
