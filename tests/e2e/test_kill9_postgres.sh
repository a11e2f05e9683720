#!/bin/sh
# PostgreSQL holds exactly the trades, book tops and klines of the journal; after kill -9 of the engine in the
# middle, KILLS times, restarted each time, still exactly; and every epoch's RAW frames make its records again.
# Every other start sends over one connection, the others over two. IO=poll: without io_uring.
# alone: kills at moments that are chosen by time
. "$(dirname "$0")/lib.sh"

KILLS=${KILLS:-20}
cluster
config "    recording: $FIXTURES/demo.wscap.zst
    speed: 20
    repeat: 0" "postgres:
  enabled: true
  conninfo: \"$CONNINFO\"
  batch_rows: 500
  batch_age: 20ms
  connections: 2"

kills=0
while [ "$kills" -lt "$KILLS" ]; do
  sed -i "s/^  connections: .*/  connections: $((kills % 2 + 1))/" "$WORK/engine.yaml"
  start
  # Between 0.05 and 0.95 s, other each time, the same in each run of this test.
  sleep "0.$(printf '%02d' $(((kills * 37 + 5) % 95)))"
  kill -9 "$ENGINE"
  wait "$ENGINE" 2>/dev/null || true
  ENGINE=
  kills=$((kills + 1))
done
start
sleep 1
stop

"$MDENGINE" journal verify "$WORK/journal" || fail "the journal has undeclared holes"
"$MDENGINE" journal cat "$WORK/journal" >"$WORK/journal.lines"
python3 "$HERE/compare_rows.py" "$WORK/journal.lines" "$CONNINFO" || fail "rows differ after $KILLS kills"
# What this shell and those it waited for have read, in bytes.
bytes_read() { awk '$1 == "rchar:" { print $2 }' "/proc/$$/io"; }
before=$(bytes_read)
"$MDENGINE" replay "$WORK/journal" --verify || fail "the RAW frames make other records"
# A verification that read the whole journal for each epoch never came to the end of one with a thousand.
read_cnt=$(($(bytes_read) - before))
size=$(cat "$WORK/journal"/seg-* | wc -c)
[ "$read_cnt" -lt $((size * 8)) ] || fail "$read_cnt bytes were read to verify a journal of $size"
epochs=$("$MDENGINE" journal stat "$WORK/journal" --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["epochs"])')
[ "$epochs" -eq $((KILLS + 1)) ] || fail "$epochs epochs after $KILLS kills"
