#!/bin/sh
# A stranger's reader (reader.c: the public header, the segment mapped read-only, as root another uid with the
# right to read only) sees consistent books while the feed runs flat out: READS of each tier, none torn, and
# joined with books that it rebuilds from the tape. Spoiled reads are noticed. After kill -9 it is told DEAD.
#
# depth: 50 keeps ten million reads of depth within seconds; the layout and its locks are those of any depth. The
# journal lies in memory and loses its oldest segments as it grows, so that no disk holds the feed back.
# alone: a feed as fast as it goes beside a reader that never rests
. "$(dirname "$0")/lib.sh"
: "${MD_TEST_BIN:?where the helper programs are}"

READS=${READS:-10000001}
MAX_AGE_NS=200000000

# As another uid the program must lie where that one may go.
cp "$MD_TEST_BIN/reader" "$WORK/reader"
chmod 755 "$WORK/reader"
other=
stranger=
if [ "$(id -u)" -eq 0 ]; then
  other="setpriv --reuid=65534 --regid=$(id -g) --clear-groups"
  stranger="setpriv --reuid=65534 --regid=65534 --clear-groups"
fi

JOURNAL="policy: none
  segment: 64MiB"
JOURNAL_DIR=$SHM/journal
config "    recording: $FIXTURES/demo.wscap.zst
    speed: max
    repeat: 0
    raw: false
    tape: 64MiB
    depth: 50"
start

# trim: all but the two newest segments go while the reader $1 runs.
trim() {
  while kill -0 "$1" 2>/dev/null; do
    # shellcheck disable=SC2012 # the names are plain and sorted
    ls "$JOURNAL_DIR"/seg-* | head -n -2 | xargs -r rm -f
    sleep 0.2
  done
}

# reader ARGUMENT...: runs it beside trim, and prints what it says.
reader() {
  # shellcheck disable=SC2086 # a command and its options
  $other "$WORK/reader" "$@" &
  pid=$!
  trim "$pid"
  wait "$pid" || fail "reader $*"
}

reader --selftest "$SHM" "$NAME"
reader "$SHM" "$NAME" "$READS" | tee "$WORK/reader.out"
[ "$(grep -c ' torn 0, ' "$WORK/reader.out")" -eq 3 ] || fail "the reader did not end"
if [ -n "$stranger" ]; then
  $stranger "$WORK/reader" --denied "$SHM" "$NAME" || fail "uid 65534 without the group may read the segment"
fi

# --- kill -9
: >"$WORK/death.out"
# shellcheck disable=SC2086
$other "$WORK/reader" --watch-death $MAX_AGE_NS "$SHM" "$NAME" >"$WORK/death.out" &
pid=$!
wait_for "the reader to watch" grep -q '^watching' "$WORK/death.out"
kill -9 "$ENGINE"
wait "$ENGINE" 2>/dev/null || true
ENGINE=
wait "$pid" || fail "the reader that watched the engine die"
grep '^death: ' "$WORK/death.out" || fail "the reader saw no death"
