#!/bin/sh
# promise: what was called durable survives a power cut, and nothing is read that was never written
# powercut.sh [long|control]: see tests/fault/powercut.py. control: with the policy that syncs nothing the same check
# must find losses.
set -eu
BIN=$(cd "$MD_TEST_BIN/.." && pwd)
RIG="python3 $(dirname "$0")/../fault/powercut.py"
OUT=$(mktemp)
trap 'rm -f "$OUT"' EXIT

# rig ARGUMENTS...: the whole output on failure, the last line otherwise. 77: cannot run here.
rig() {
  status=0
  $RIG "$BIN" "$@" >"$OUT" 2>&1 || status=$?
  [ "$status" -eq 0 ] || { cat "$OUT" && exit "$status"; }
  tail -n 1 "$OUT"
}

case ${1:-run} in
  control)
    status=0
    $RIG "$BIN" --policy none --states 60 >"$OUT" 2>&1 || status=$?
    [ "$status" -eq 1 ] || { cat "$OUT" && exit $((status ? status : 1)); }
    echo "nothing synced: $(tail -n 1 "$OUT" | sed 's/ (.*//; s/^powercut none: //')"
    ;;
  long)
    for seed in 1 2 3 4 5; do
      rig --states 820 --seed "$seed"
      rig --states 360 --seed "$seed" --policy interval
    done
    ;;
  *)
    rig --states 220
    rig --states 80 --policy interval --seed 2
    ;;
esac
