#!/bin/sh
# promise: a hundred readers that stopped for good cost the writer of a book not one instruction
# shm_stopped.sh [long|control]: instructions of 2,000 messages, counted by callgrind with and without a hundred processes
# that stand stopped with the book mapped. control: one message more is seen.
set -eu
command -v valgrind >/dev/null || {
  echo "valgrind is not installed"
  exit 77
}
work=$(mktemp -d /dev/shm/mdstopped.XXXXXX)
readers=
trap 'for pid in $readers; do kill -9 "$pid" 2>/dev/null || true; done; rm -rf "$work"' EXIT

# count MESSAGES prints the instructions that writing them took.
count() {
  valgrind --tool=callgrind --toggle-collect='counted_writes*' --callgrind-out-file="$work/out" \
    "$MD_TEST_BIN/stopped_book" write "$work/book" "$1" >"$work/log" 2>&1 || { cat "$work/log" && exit 1; }
  sed -n 's/^\(summary\|totals\): *//p' "$work/out" | head -n 1
}

"$MD_TEST_BIN/stopped_book" make "$work/book"
alone=$(count 2000)
if [ "${1:-run}" = control ]; then
  more=$(count 2001)
  [ "$more" -gt "$alone" ] || exit 1
  echo "one message more: $alone instructions become $more"
  exit 0
fi
for i in $(seq 100); do
  "$MD_TEST_BIN/stopped_book" read "$work/book" >"$work/reader.$i" &
  readers="$readers $!"
done
until [ "$(cat "$work"/reader.* | grep -c stopped)" -eq 100 ]; do sleep 0.1; done
stopped=$(count 2000)
[ "$alone" -gt 0 ] && [ "$stopped" -eq "$alone" ] || {
  echo "$alone instructions alone, $stopped with stopped readers"
  exit 1
}
echo "100 stopped readers: $stopped instructions for 2000 messages, as with none"
