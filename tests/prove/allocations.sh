#!/bin/sh
# promise: any allocation may fail at start, reconnect and stop: a clean error or nothing at all, and no leak
# allocations.sh [long|control]: see tests/fault/fault_oom.c. control: an allocation that is forgotten.
set -eu
case ${1:-run} in
  control) "$MD_TEST_BIN/fault_oom" control 2>/dev/null ;;
  *)
    out=$(mktemp)
    trap 'rm -f "$out"' EXIT
    "$MD_TEST_BIN/fault_oom" >"$out" 2>&1 || { cat "$out" && exit 1; }
    sed -n 's/^\([a-z]*\) *[0-9]* allocations, once and for good: \([0-9]* of [0-9]*\) runs well.*/\1 \2/p' "$out" |
      tr '\n' ',' | sed 's/,$//; s/,/, /g; s/$/ runs well/'
    echo
    ;;
esac
