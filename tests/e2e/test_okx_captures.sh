#!/bin/sh
# Every OKX recording through the simulator -> WebSocket -> engine: final books, in shared memory and in the journal, and
# trade totals are those of the reference, the ids those of the exchange. Recordings of the time before ids are played as
# they were, each checksum verified, and once more with ids of today (jumps, heartbeats, one reset). Of one with three
# connections each is played. Spoilt references show that the comparison finds what is wrong.
#
# The product's own recordings always; those under MD_CAPTURES too when it is set.
# alone: half a dozen engines and exchanges at a time
. "$(dirname "$0")/lib.sh"

python3 "$HERE/okx_captures.py" "$WORK" "$SHM" "$HERE/../fixtures" || fail "see above"
