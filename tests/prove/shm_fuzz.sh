#!/bin/sh
# promise: a damaged or hostile segment, or server of a sealed one, gives a reader an error, never a crash, a wait or a leak
# shm_fuzz.sh [long|control]: tests/fuzz/fuzz_segment.c under libFuzzer with address and undefined behaviour sanitizers,
# then the same with what a hostile server hands out (fuzz_sealed.c). control: a reader that believes an offset of the
# segment, and one that takes the first descriptor that comes, must be found.
set -eu
cd "$(dirname "$0")/../.."
command -v clang-14 >/dev/null || {
  echo "clang-14 is not installed"
  exit 77
}
work=$(mktemp -d)
dir=$(mktemp -d /dev/shm/mdfuzz.XXXXXX) # an abort leaves the segment there
trap 'rm -rf "$work" "$dir"' EXIT
export MD_FUZZ_DIR="$dir"
seconds=15
[ "${1:-run}" != long ] || seconds=600
[ "${1:-run}" != control ] || export MD_FUZZ_CONTROL=1
fuzz=$MD_TEST_BIN/fuzz_segment
if [ ! -x "$fuzz" ] || [ -n "$(find shm tests/fuzz tests/stress tests/prove/shm_fuzz.sh -name '*.[csh]*' -newer "$fuzz")" ]; then
  # The reader looks for the next engine each time, and nobody has long to answer.
  clang-14 -std=gnu17 -D_GNU_SOURCE -DMD_VERSION='"fuzz"' -DMD_FOLLOW_EVERY_NS=0 -DMD_SEGMENT_ANSWER_MS=2 -O1 -g -I. \
    -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined tests/fuzz/fuzz_segment.c \
    tests/fuzz/fuzz_sealed.c shm/*.c shm/client/*.c -o "$work/fuzz" -pthread -lm
  mv "$work/fuzz" "$fuzz"
fi

# fuzz CORPUS MAX_LEN: its last line is the number of inputs; with the control it must fail, and the line says how.
fuzz() {
  mkdir -p "$work/$1" "$dir"
  status=0
  "$fuzz" -max_total_time=$seconds -max_len="$2" -timeout=20 -artifact_prefix="$work/" -print_final_stats=1 \
    "$work/$1" "tests/fuzz/$1" >"$work/log" 2>&1 || status=$?
  rm -rf "$dir"
  if [ -n "${MD_FUZZ_CONTROL:-}" ]; then
    [ "$status" -ne 0 ] || { echo "not found" && exit 1; }
    sed -n 's/^SUMMARY: //p;s/.*assertion failed at [^ ]* //p' "$work/log" | head -n 1
  else
    [ "$status" -eq 0 ] || { tail -n 60 "$work/log" >&2 && exit 1; }
    sed -n 's/^stat::number_of_executed_units: *//p' "$work/log"
  fi
}

segments=$(fuzz corpus 768)
servers=$(MD_FUZZ_SEALED=1 fuzz corpus_sealed 512)
if [ "${1:-run}" = control ]; then
  echo "a reader that believes where a book is: found ($segments); one that keeps what it did not want: found ($servers)"
else
  echo "$segments damaged segments and $servers hostile servers in $seconds s each: no crash, no endless read, no wait, no leak"
fi
