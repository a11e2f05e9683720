#!/bin/sh
# check.sh [DASHBOARDS]: holds the dashboards against the types of Grafana, by tsc and @grafana/schema, and against what
# types cannot say. The work is done in MD_BOARDS_WORK, build/boards of the tree by default, so that no node_modules stands in it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
boards=$(cd "${1:-$here/../dashboards}" && pwd)
work=${MD_BOARDS_WORK:-$here/../../../build/boards}
command -v npm >/dev/null 2>&1 || { echo "npm is missing: apt-get install npm" >&2; exit 1; }
mkdir -p "$work"
cp "$here"/*.json "$here"/*.ts "$here"/*.mjs "$work"
cd "$work"
if ! cmp -s package-lock.json node_modules/.made-from; then
  # No script of a package is run.
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  cp package-lock.json node_modules/.made-from
fi
status=0
node write.mjs "$boards" || status=1
node_modules/.bin/tsc -p . || status=1
exit $status
