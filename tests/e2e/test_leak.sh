#!/bin/sh
# An engine that leaks a descriptor and memory at each reconnect makes the alerts of growth fire, in a real Prometheus with
# the shipped rules, whose times are shortened and whose limits are not. The engine as shipped, whose exchange cuts its
# connections as often, makes none of them fire; started in place of the other it ends them. The shipped program holds
# nothing of the leak.
. "$(dirname "$0")/lib.sh"

LEAKY=$MD_TEST_BIN/mdengine_leaky
MARK='this build leaks on purpose'
grep -q "$MARK" "$LEAKY" || fail "the build that should leak does not"
! grep -q "$MARK" "$MDENGINE" || fail "the shipped program leaks on purpose"
! nm "$MDENGINE" | grep -q md_leaked || fail "the shipped program has a place for what leaks"

DRIVER=
leak_cleanup() {
  [ -z "$DRIVER" ] || kill -9 "$DRIVER" 2>/dev/null || true # what it started ends with it
  cleanup
}
trap leak_cleanup EXIT

python3 -B "$HERE/leak_alerts.py" "$MDENGINE" "$LEAKY" "$HERE/../../monitoring" "$WORK" "$SHM" &
DRIVER=$!
wait $DRIVER || fail "the alerts of a leak"
DRIVER=
