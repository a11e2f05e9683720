#!/bin/sh
# The sinks' I/O runs on io_uring, or on pwrite, fdatasync and poll where io_uring is refused, as in a container
# with Docker's default profile (here: the same seccomp refusal). Which one is told in the log and in a metric, and
# what stands in journal and PostgreSQL is the same; also after kill -9.
. "$(dirname "$0")/lib.sh"
: "${MD_TEST_BIN:?where the helper programs are}"
KILLS=${KILLS:-5}

MONITORING="http_port: 0
  metrics_port: 0"
port_of() { sed -n "s|.*127\.0\.0\.1:\([0-9]*\)/$1.*|\1|p" "$WORK/engine.log" | tail -n 1; }
cluster

# gauges FALLBACK: both sinks say so.
gauges() {
  curl -s -m 10 -o "$WORK/metrics.txt" "http://127.0.0.1:$(port_of metrics)/metrics" &&
    [ "$(grep -c "^mdengine_sink_io_fallback{.*sink=\"[a-z]*\"} $1\$" "$WORK/metrics.txt")" -eq 2 ]
}

# run_once NAME FALLBACK LINE: plays the recording into a journal of that name and the database; wants the gauge of both sinks
# to be FALLBACK and the LINE in the log of both.
run_once() {
  NAME=$1
  JOURNAL_DIR=$WORK/$1
  config "    recording: $FIXTURES/demo.wscap.zst
    speed: max" "postgres:
  enabled: true
  conninfo: \"$CONNINFO\""
  : >"$WORK/engine.log"
  start
  wait_for "the recording to be durable" ended
  wait_for "both sinks of $1 to tell their I/O ($2)" gauges "$2"
  stop
  for sink in journal postgres; do
    grep "$sink" "$WORK/engine.log" | grep -q "$3" || fail "$1: $sink does not say '$3'"
  done
  "$MDENGINE" journal verify "$WORK/$1" || fail "$1: the journal is not whole"
  "$MDENGINE" journal cat "$WORK/$1" >"$WORK/$1.lines"
  python3 "$HERE/compare_rows.py" "$WORK/$1.lines" "$CONNINFO" || fail "$1: rows differ from the journal"
  sql "DROP SCHEMA md CASCADE" 2>/dev/null
  "$MDENGINE" replay "$WORK/$1" --verify || fail "$1: the RAW frames make other records"
  wc -l <"$WORK/$1.lines" >"$WORK/$1.count"
}

IO=
RUNNER=
run_once with_ring 0 "I/O by io_uring"
RUNNER=$MD_TEST_BIN/without_io_uring
run_once refused 1 "I/O by pwrite, fdatasync and poll: io_uring is refused (Operation not permitted)"
RUNNER=
IO=poll
run_once asked 1 'I/O by pwrite, fdatasync and poll"'
for other in refused asked; do
  cmp "$WORK/with_ring.count" "$WORK/$other.count" || fail "$other holds another number of records"
done

# Who insists on io_uring is told why there is none.
IO=io_uring
config "    recording: $FIXTURES/demo.wscap.zst"
got=0
"$MD_TEST_BIN/without_io_uring" "$MDENGINE" run -c "$WORK/engine.yaml" 2>"$WORK/err" || got=$?
[ "$got" -eq 1 ] || fail "io_uring insisted on: status $got"
grep -q 'io_uring cannot be set up .*seccomp' "$WORK/err" || fail "no reason: $(cat "$WORK/err")"

"$HERE/pg_cluster.sh" stop "$CLUSTER" >/dev/null
CLUSTER=
IO=poll KILLS=$KILLS sh "$HERE/test_kill9_postgres.sh" || fail "kill -9 with the calls"
