#!/bin/sh
# Whatever is shipped to run the engine starts it again when it ends: every compose service, every systemd unit.
. "$(dirname "$0")/lib.sh"
status=0
for file in docker/compose*.yaml; do
  [ -f "$file" ] || continue
  awk -v file="$file" '
    function told() { if (name && !has) { print file ":" at ": service " name " is not started again"; bad = 1 } }
    /^[a-z]/ { told(); name = ""; inside = /^services:/ }
    inside && /^  [a-z][a-z0-9_-]*:/ { told(); name = $1; sub(/:/, "", name); at = FNR; has = 0; services++ }
    /^    restart: (unless-stopped|always|on-failure)/ { has = 1 }
    END { told(); if (!services) { print file ":1: no services"; bad = 1 } exit bad }' "$file" || status=1
done
for file in $(find docker -name '*.service' 2>/dev/null); do
  grep -qE '^Restart=(always|on-failure)' "$file" || { echo "$file:1: no Restart="; status=1; }
done
exit $status
