#!/bin/sh
# The product's own recordings end in the books and totals that their generator computed; a recording
# without a snapshot never becomes VALID while its trades flow; a gap is declared and healed.
. "$(dirname "$0")/lib.sh"

for venue in binance_spot deribit_derivatives; do
  for expected in "$FIXTURES/../$venue"/*.expected.json; do
    name=$(basename "$expected" .expected.json)
    recording=${expected%.expected.json}.wscap
    [ -f "$recording" ] || recording=$recording.zst
    "$MDENGINE" replay "$recording" --json >"$WORK/$name.json" || fail "replay of $venue/$name"
    python3 "$HERE/compare_books.py" "$expected" "$WORK/$name.json" || fail "$venue/$name differs"
  done
done

for recording in "$FIXTURES"/../binance_derivatives/*.wscap* "$FIXTURES"/../binance_coinm/*.wscap*; do
  "$MDENGINE" replay "$recording" --json >"$WORK/futures.json" || fail "replay of $recording"
  python3 "$HERE/compare_books.py" "${recording%.wscap*}.expected.json" "$WORK/futures.json" || fail "$recording differs"
done
