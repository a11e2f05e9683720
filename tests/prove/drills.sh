#!/bin/sh
# promise: what really happens wakes the right people: each cause is seen by its alert, which is over once the cause is
# drills.sh [long|control]: simulators, an engine, PostgreSQL, Prometheus, Alertmanager and a receiver of webhooks, all real;
# causes are made, alerts seen firing and over, and what their pages say shows the cause (tests/e2e/test_drills.sh).
# control: with rules of which one never fires, the same must fail, and name it.
set -eu
E2E=$(cd "$(dirname "$0")/../e2e" && pwd)
WORK=$(mktemp -d "${TMPDIR:-/tmp}/mdengine-drills.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
trap 'exit 1' INT TERM HUP

if [ "${1:-run}" != control ]; then
  sh "$E2E/test_drills.sh" >"$WORK/out" 2>&1 || {
    tail -n 20 "$WORK/out"
    exit 1
  }
  tail -n 1 "$WORK/out"
  exit 0
fi
cp -r "$E2E/../../monitoring" "$WORK/monitoring"
python3 - "$WORK/monitoring/prometheus/rules/collect.yml" <<'END'
import re, sys
text = open(sys.argv[1]).read()
new, cnt = re.subn(r"(- alert: FeedStale\n +expr: >-\n)(?: {10}\S.*\n)+", r"\1          vector(1) > 2\n", text)
assert cnt == 1
open(sys.argv[1], "w").write(new)
END
if MD_MONITORING="$WORK/monitoring" PATIENCE_FIRE=30 sh "$E2E/test_drills.sh" >"$WORK/out" 2>&1; then
  echo "an alert that never fires is missed by nobody"
  exit 1
fi
grep -q "waited in vain for FeedStale to fire" "$WORK/out" || {
  tail -n 20 "$WORK/out"
  exit 1
}
echo "a rule that never fires is found: $(grep -o 'waited in vain for FeedStale to fire' "$WORK/out" | head -n 1)"
