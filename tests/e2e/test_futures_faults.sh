#!/bin/sh
# Binance futures go wrong on purpose: a gap, a cut, a duplicate and 418, where update ids are shared by all symbols and
# only `pu` tells what is missing, and USD-M's books and trades stand on paths of their own. At every update id that
# engine and exchange share the books are equal, live and in the journal; every hole is declared by a GAP where it was
# made and nowhere else; prints that are not of the market are in no total. Spoilt runs are found out.
# alone: a dozen engines and exchanges at a time
. "$(dirname "$0")/lib.sh"

FAULT_FEEDS="binance_derivatives binance_coinm" FAULT_NAMES="gap cut duplicate 418" \
  python3 "$HERE/live_faults.py" "$WORK" "$SHM" "${FAULT_SEEDS:-2}" "${FAULT_AT_ONCE:-16}" || fail "see above"
