#!/bin/sh
# promise: a hostile WebSocket server gets its connection closed: no crash, no read beyond what it sent, no endless work
# ws_fuzz.sh [long|control]: tests/fuzz/fuzz_websocket.c under libFuzzer with address and undefined behaviour sanitizers.
# control: a walk that believes a length must be found.
set -eu
cd "$(dirname "$0")/../.."
command -v clang-14 >/dev/null || {
  echo "clang-14 is not installed"
  exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
seconds=20
[ "${1:-run}" != long ] || seconds=600
[ "${1:-run}" != control ] || export MD_FUZZ_CONTROL=1
fuzz=$MD_TEST_BIN/fuzz_websocket
if [ ! -x "$fuzz" ] || [ -n "$(find feeds/ws_* feeds/utf8.* tests/fuzz/fuzz_websocket.c -newer "$fuzz")" ]; then
  clang-14 -std=gnu17 -D_GNU_SOURCE -DMD_VERSION='"fuzz"' -O1 -g -I. -fno-omit-frame-pointer \
    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined tests/fuzz/fuzz_websocket.c feeds/ws_*.c \
    feeds/utf8.c feeds/url.c shm/err.c -o "$work/fuzz" -lz -lcrypto
  mv "$work/fuzz" "$fuzz"
fi
mkdir "$work/corpus"
{
  printf '\000\001HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
  printf 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: permessage-deflate; '
  printf 'server_max_window_bits=9\r\n\r\n'
} >"$work/corpus/answer"
printf '\001\003\001\002hi\211\001p\200\007\303\244 ho ho\202\176\000\176' >"$work/corpus/frames"
printf '\002\002\301\007\362\110\315\311\311\007\000\101\003\362\110\315\200\004\311\311\007\000' >"$work/corpus/deflate"
status=0
"$fuzz" -max_total_time=$seconds -max_len=1024 -timeout=20 -artifact_prefix="$work/" -print_final_stats=1 \
  "$work/corpus" >"$work/log" 2>&1 || status=$?
if [ "${1:-run}" = control ]; then
  [ "$status" -ne 0 ] || { echo "not found" && exit 1; }
  echo "a walk that believes a length: found ($(sed -n 's/^SUMMARY: //p' "$work/log" | head -n 1))"
  exit 0
fi
[ "$status" -eq 0 ] || { tail -n 60 "$work/log" && exit 1; }
echo "$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log") answers and streams in $seconds s: no crash, no bad read"
