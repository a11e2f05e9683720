#!/bin/sh
# One thread of the engine hangs, stopped by a debugger while all others run: the engine says which one in one
# line, ends with status 75 without waiting for it, and the next start recovers what stood in the rings: the
# journal verifies and nothing is missing. An engine that is stopped as a whole and goes on finds nobody stuck.
. "$(dirname "$0")/lib.sh"

HOLDER=
holder_cleanup() {
  [ -z "$HOLDER" ] || kill -9 "$HOLDER" 2>/dev/null || true
  cleanup
}
trap holder_cleanup EXIT

MONITORING="enabled: false
  heartbeat_age: 4s"
config "    recording: $FIXTURES/demo.wscap.zst
    speed: 1
    repeat: 0"

has_thread() { cat /proc/"$ENGINE"/task/*/comm 2>/dev/null | grep -qx "$1"; }

hang() { # THREAD LINES: the engine must end with 75
  wait_for "thread $1" has_thread "$1"
  python3 "$HERE/stop_thread.py" "$ENGINE" "$1" >"$WORK/holder" 2>&1 &
  HOLDER=$!
  status=0
  until grep -q stopped "$WORK/holder"; do
    kill -0 "$HOLDER" 2>/dev/null || {
      wait "$HOLDER" || status=$?
      [ "$status" != 77 ] || { echo "skipped: no tracing here"; exit 77; }
      fail "thread $1 cannot be stopped: $(cat "$WORK/holder")"
    }
    sleep 0.05
  done
  wait "$ENGINE" || status=$?
  ENGINE=
  kill -9 "$HOLDER" 2>/dev/null || true
  HOLDER=
  [ "$status" = 75 ] || fail "with $1 stuck the engine ended with $status"
  [ "$(grep -c "is stuck: no heartbeat for 4 s" "$WORK/engine.log")" = "$2" ] || fail "not one line for $1"
}

start
sleep 1
kill -STOP "$ENGINE" # as a whole: nobody is stuck afterwards
sleep 6
kill -CONT "$ENGINE"
sleep 1
kill -0 "$ENGINE" || fail "an engine that was stopped as a whole ended"

journal_thread=$(cat /proc/"$ENGINE"/task/*/comm | grep -E 'journal' | head -n 1)
hang "$journal_thread" 1
start
wait_for "the recovery to be told" grep -q "recovered: [1-9][0-9]* records from the rings" "$WORK/engine.log"
hang "feed 0" 2
start
stop
"$MDENGINE" journal verify "$WORK/journal" >"$WORK/verify" || fail "the journal: $(cat "$WORK/verify")"
echo "stuck thread: $journal_thread and feed 0 ended the engine with 75, journal verified"
