#!/bin/sh
# Deribit goes wrong on purpose: a change that is missing (100 ms and raw), one that comes twice, an instrument that is
# silent, a cut, an engine that does not answer a test_request in time (case 41), instruments that come and go (case
# 44). At every change id that engine and exchange share the books are equal, live and in the journal; every hole is one
# GAP of the book that was hit (case 40), no other book is touched; raw channels renew their token, and no secret stands in
# the journal or the log (case 42). Spoilt runs show that the comparison finds what is wrong.
# FAULT_SEEDS and FAULT_NAMES choose more seeds, or fewer faults.
# alone: seven engines and exchanges at a time
. "$(dirname "$0")/lib.sh"

python3 -B "$HERE/deribit_faults.py" "$WORK" "$SHM" "${FAULT_SEEDS:-1}" || fail "see above"
