#!/bin/sh
# The exchange goes wrong on purpose: a gap, a duplicate, a stall of one symbol, a cut, a half-open socket, 429 and
# 418, ten seeds each. At every update id that engine and exchange share the books are equal, live and in the
# journal; every hole is declared by a GAP where it was made and nowhere else; books that were not hit stay VALID;
# nothing is asked within the pause of a Retry-After. Spoilt runs show that the comparison finds what is wrong.
# FAULT_SEEDS and FAULT_AT_ONCE change how many seeds, and how many engines at a time.
# alone: two dozen engines and exchanges at a time
. "$(dirname "$0")/lib.sh"

python3 "$HERE/live_faults.py" "$WORK" "$SHM" "${FAULT_SEEDS:-10}" "${FAULT_AT_ONCE:-24}" || fail "see above"
