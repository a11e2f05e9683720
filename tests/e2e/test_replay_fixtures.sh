#!/bin/sh
# The product's own recordings end in the books and totals that their generator computed; a recording
# without a snapshot never becomes VALID while its trades flow; a gap is declared and healed.
. "$(dirname "$0")/lib.sh"

for name in demo gap nosnapshot; do
  recording=$FIXTURES/$name.wscap
  [ -f "$recording" ] || recording=$recording.zst
  "$MDENGINE" replay "$recording" --json >"$WORK/$name.json" || fail "replay of $name"
  python3 "$HERE/compare_books.py" "$FIXTURES/$name.expected.json" "$WORK/$name.json" || fail "$name differs"
done
