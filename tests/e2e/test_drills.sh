#!/bin/sh
# Alerts for real, with shortened windows: three simulators, an engine, PostgreSQL, Prometheus, Alertmanager and a
# receiver of webhooks. Twelve alerts and more are made to fire; the command of each one's page in the runbook shows the
# cause; each is over when the cause is. A killed engine notifies, and again once it is back. An exchange in maintenance
# leaves /health 200 and degraded, with no critical notification and no restart.
. "$(dirname "$0")/lib.sh"

DRIVER=
drill_cleanup() {
  [ -z "$DRIVER" ] || kill -9 "$DRIVER" 2>/dev/null || true # what it started ends with it
  cleanup
}
trap drill_cleanup EXIT

cluster
if [ "$(id -u)" = 0 ] && mkdir "$WORK/tiny" && mount -t tmpfs -o size=160m none "$WORK/tiny" 2>/dev/null; then TINY=$WORK/tiny; fi
python3 -B "$HERE/drill_alerts.py" "$MDENGINE" "${MD_MONITORING:-$HERE/../../monitoring}" "$WORK" "$SHM" "$CONNINFO" "$CLUSTER" \
  "$E2E/pg_cluster.sh" "${TINY:--}" &
DRIVER=$!
wait $DRIVER || fail "the drills"
DRIVER=
