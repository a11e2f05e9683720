#!/bin/sh
# OKX as the simulator plays it goes wrong on purpose: an update is missing, comes twice or has a wrong checksum, a symbol
# is silent, a connection is cut or said to close (notice 64008), REST refuses (50011). At every id that engine and
# exchange share the books are equal, live and in the journal, over the reset of ids that each book has once; a hole is
# declared where it was made and nowhere else; other books stay VALID, and all do through the planned close. Every
# kind of record that the venue gives arrives. Spoilt runs show that the comparison finds what is wrong.
# alone: half a dozen engines and exchanges at a time
. "$(dirname "$0")/lib.sh"

python3 "$HERE/okx_faults.py" "$WORK" "$SHM" "${FAULT_SEEDS:-1}" || fail "see above"
