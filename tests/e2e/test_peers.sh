#!/bin/sh
# The same frames through the handlers of ccxt and tardis-dev and through mdengine replay: the final books are equal in all
# levels, the numbers of trades too, and the comparison notices what is spoilt on purpose. Few frames: whether it works, not
# how fast anything is.
. "$(dirname "$0")/lib.sh"

TMPDIR=$WORK sh "$HERE/../../bench/peers/run.sh" --frames 8000 --rounds 1 >"$WORK/peers.out" 2>"$WORK/peers.err" || {
  cat "$WORK/peers.out" "$WORK/peers.err" >&2
  fail "bench/peers does not work (see above)"
}
grep -q '^final books are the same in all levels' "$WORK/peers.out" || fail "no verdict on the books"
