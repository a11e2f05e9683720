#!/bin/sh
# Ten thousand instruments in one engine by configuration alone: every book is VALID for another process, found by its
# name in the same time as one of a few; a feed without depth reserves no more than top and ladder for each; and the
# memory that `check` states is that of the files, to the byte, and of the engine's shared pages.
. "$(dirname "$0")/lib.sh"
: "${MD_TEST_BIN:?where the reader library is}"

COUNT=10000
PYTHONPATH=$E2E/../../shm/client/python
MDSHM_LIBRARY=$(find "$MD_TEST_BIN/.." -name libmdshm.so.1 | head -n 1)
PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH MDSHM_LIBRARY PYTHONDONTWRITEBYTECODE
JOURNAL="policy: none
  segment: 1GiB
  ahead: false"
python3 "$E2E/many_symbols.py" make $COUNT "$WORK/many.wscap" || fail "no recording"

# configure DEPTH: writes the configuration.
configure() {
  config "    recording: $WORK/many.wscap
    speed: max
    depth: $1
    tape: 1MiB
    journal_ring: 32MiB
    raw: false" && sed -i "s/^  shm_dir:/  instruments: $COUNT\n  shm_dir:/" "$WORK/engine.yaml"
}

# stated: the bytes of the segment, of the rings, and the books' size, as `check` says.
stated() {
  "$MDENGINE" check -c "$WORK/engine.yaml" >"$WORK/check.out" || fail "check: $(cat "$WORK/check.out")"
  sed -n "s|^memory  $SHM/mdengine.$NAME \([0-9]*\) bytes, rings \([0-9]*\) bytes: .*|\1 \2|p" "$WORK/check.out"
}

# engine_takes SEGMENT RINGS: the files are as large as stated, all of it taken, and the engine's shared pages are theirs.
engine_takes() {
  for file in "$SHM/mdengine.$NAME $1" "$SHM/mdengine.$NAME.rings $2"; do
    # shellcheck disable=SC2086 # a path and a number
    set -- $file "$1" "$2"
    [ "$(stat -c %s "$1")" -eq "$2" ] || fail "$1 has $(stat -c %s "$1") bytes, check said $2"
    [ "$(($(stat -c %b "$1") * 512))" -eq "$2" ] || fail "$1 takes $(($(stat -c %b "$1") * 512)) bytes, check said $2"
    shift 2
  done
  shared=$(sed -n 's/^RssShmem:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$ENGINE/status")
  [ "$shared" -eq "$((($1 + $2) / 1024))" ] || fail "the engine's shared pages are $shared KiB, check said $((($1 + $2) / 1024))"
}

# run DEPTH LEVELS: an engine of all of them, read from here.
run() {
  configure "$1"
  # shellcheck disable=SC2046 # two numbers
  set -- "$1" "$2" $(stated)
  [ $# -eq 4 ] || fail "check states no memory: $(cat "$WORK/check.out")"
  start
  segment=$3
  engine_takes "$3" "$4"
  python3 "$E2E/many_symbols.py" read "$SHM" $NAME $COUNT "$2" || fail "books of depth $1"
  engine_takes "$3" "$4"
  grep '^books \|^memory ' "$WORK/check.out"
  sed -n 's/^\(VmRSS\|RssAnon\|RssShmem\):[^0-9]*/  engine \1 /p' "/proc/$ENGINE/status"
  stop
  rm -rf "$WORK/journal"
}

run none 0
none=$segment
run 20 20
# A block of the writer's, states of 192 bytes, two copies of both sides with a window of 64 words or levels and 64 more
# words, and a log of 128 entries of 16. Each of the two files is whole pages.
more=$((segment - none - COUNT * (128 + 8 * 192 + 2 * 2 * 128 * 8 + 128 * 16)))
[ "$more" -gt -4096 ] && [ "$more" -lt 4096 ] ||
  fail "20 levels take $((segment - none)) bytes more than none: want states, two copies and the log for each"
