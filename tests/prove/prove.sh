#!/bin/sh
# prove.sh [NAME] [--long]: the promises of the recorder, a line each: what was tried and what came out, and below it a
# negative control: the promise broken on purpose, and what the same test says then. Exit 1 when one does not hold.
# The scripts beside this one are the promises: NAME.sh [long|control], the last line of output is the figures.
set -u
HERE=$(cd "$(dirname "$0")" && pwd)
mode=run
only=
for argument in "$@"; do
  case $argument in
    --long) mode=long ;;
    *) only=$argument ;;
  esac
done
OUT=$(mktemp)
trap 'rm -f "$OUT"' EXIT
trap 'exit 1' INT TERM HUP
failed=0
found=0

# try SCRIPT MODE WORD: one run and its line.
try() {
  begin=$(date +%s)
  sh "$1" "$2" >"$OUT" 2>&1
  status=$?
  seconds=$(($(date +%s) - begin))
  case $status in
    0) printf '  %-8s %s (%s s)\n' "$3" "$(tail -n 1 "$OUT")" "$seconds" ;;
    77) printf '  %-8s %s\n' "not run" "$(tail -n 1 "$OUT")" ;;
    *)
      failed=$((failed + 1))
      printf '  %-8s exit status %s after %s s:\n' BROKEN "$status" "$seconds"
      tail -n 20 "$OUT" | sed 's/^/    /'
      ;;
  esac
}

for script in "$HERE"/*.sh; do
  name=$(basename "$script" .sh)
  [ "$name" != prove ] || continue
  case $name in *"$only"*) ;; *) continue ;; esac
  found=$((found + 1))
  printf '%s: %s\n' "$name" "$(sed -n 's/^# promise: //p' "$script")"
  try "$script" "$mode" holds
  try "$script" control control
done
[ "$found" -gt 0 ] || {
  echo "prove: no promise matches '$only'" >&2
  exit 2
}
[ "$failed" -eq 0 ]
