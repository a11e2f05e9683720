#!/bin/sh
# promise: a damaged or hostile segment gives the reader library an error, never a crash or an endless loop
# shm_fuzz.sh [long|control]: tests/fuzz/fuzz_segment.c under libFuzzer with address and undefined behaviour sanitizers.
# control: a reader that believes an offset of the segment must be found.
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
seconds=30
[ "${1:-run}" != long ] || seconds=600
[ "${1:-run}" != control ] || export MD_FUZZ_CONTROL=1
fuzz=$MD_TEST_BIN/fuzz_segment
if [ ! -x "$fuzz" ] || [ -n "$(find shm tests/fuzz tests/stress -name '*.[ch]' -newer "$fuzz")" ]; then
  clang-14 -std=gnu17 -D_GNU_SOURCE -DMD_VERSION='"fuzz"' -O1 -g -I. -fno-omit-frame-pointer \
    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined tests/fuzz/fuzz_segment.c shm/*.c \
    shm/client/*.c -o "$work/fuzz" -pthread -lm
  mv "$work/fuzz" "$fuzz"
fi
mkdir "$work/corpus"
status=0
"$fuzz" -max_total_time=$seconds -max_len=768 -timeout=20 -artifact_prefix="$work/" -print_final_stats=1 \
  "$work/corpus" tests/fuzz/corpus >"$work/log" 2>&1 || status=$?
if [ "${1:-run}" = control ]; then
  [ "$status" -ne 0 ] || { echo "not found" && exit 1; }
  echo "a reader that believes where a book is: found ($(sed -n 's/^SUMMARY: //p' "$work/log" | head -n 1))"
  exit 0
fi
[ "$status" -eq 0 ] || { tail -n 60 "$work/log" && exit 1; }
echo "$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log") damaged segments in $seconds s: no crash, no endless read"
