#!/bin/sh
# What the world does wrong: one clear line that says what to do, the right exit status, nothing recorded lost.
. "$(dirname "$0")/lib.sh"

# expect STATUS PATTERN COMMAND...: status, exactly one line on stderr (carets of a config aside), the pattern.
expect() {
  want=$1 pattern=$2
  shift 2
  got=0
  "$@" >"$WORK/out" 2>"$WORK/err" || got=$?
  [ "$got" -eq "$want" ] || fail "status $got, want $want: $* ($(cat "$WORK/err"))"
  grep -v 'level=info' "$WORK/err" | grep -v '^  ' >"$WORK/lines" || true
  [ "$(wc -l <"$WORK/lines")" -eq 1 ] || fail "not one line: $* ($(cat "$WORK/err"))"
  grep -Eq "$pattern" "$WORK/lines" || fail "no /$pattern/ in: $(cat "$WORK/lines")"
}

feed="    recording: $FIXTURES/gap.wscap
    on_end: exit
    speed: max"
run="$MDENGINE run -c $WORK/engine.yaml"

# --- config: file, line, column, key, what is wrong, what to do
config "$feed
    depht: 20"
expect 2 ':13:5: feeds.binance_spot.depht: unknown key .*did you mean depth\?' $run
config "    recording: $FIXTURES/gap.wscap
    speed: fast"
expect 2 'engine.yaml:11:12: feeds.binance_spot.speed: .*fast.*write max' "$MDENGINE" check -c "$WORK/engine.yaml"
config "$feed
    tape: 3MiB"
expect 2 'feeds.binance_spot.tape: .*power of two' "$MDENGINE" check -c "$WORK/engine.yaml"
config "$feed
    depth: 90000"
expect 2 'depth: .*1 to 20000' "$MDENGINE" check -c "$WORK/engine.yaml"
printf 'feeds:\n  binance_spot: {recording: x\n' >"$WORK/broken.yaml"
expect 2 'broken.yaml:[0-9]+:[0-9]+: .*not YAML' "$MDENGINE" check -c "$WORK/broken.yaml"
expect 2 'binance_spto.*did you mean binance_spot' sh -c "sed s/binance_spot:/binance_spto:/ '$WORK/engine.yaml' >'$WORK/b.yaml'; sed -i /depth/d '$WORK/b.yaml'; exec '$MDENGINE' check -c '$WORK/b.yaml'"
expect 2 'cannot read the configuration' "$MDENGINE" run -c "$WORK/none.yaml"
expect 2 "no command 'rnu'" "$MDENGINE" rnu

# --- recordings: unreadable, damaged; what came before the damage counts
expect 1 'none.wscap.*No such file' "$MDENGINE" replay "$WORK/none.wscap"
head -c 300 /dev/urandom >"$WORK/noise.wscap"
expect 1 'noise.wscap' "$MDENGINE" replay "$WORK/noise.wscap" --feed binance_spot
head -n 20 "$FIXTURES/gap.wscap" >"$WORK/cut.wscap"
printf 'no recording line\n' >>"$WORK/cut.wscap"
expect 1 'cut.wscap:21: ' "$MDENGINE" replay "$WORK/cut.wscap" --json
grep -q '"frames":20,' "$WORK/out" || fail "the messages before the damage do not count: $(head -c 200 "$WORK/out")"
head -c 100000 "$FIXTURES/demo.wscap.zst" >"$WORK/torn.wscap.zst"
expect 1 'torn.wscap.zst' "$MDENGINE" replay "$WORK/torn.wscap.zst" --json
config "    recording: $WORK/cut.wscap
    speed: max
    on_end: exit"
expect 1 'cut.wscap:21: ' $run
[ "$("$MDENGINE" journal cat "$WORK/journal" --feed binance_spot.raw | wc -l)" -eq 20 ] ||
  fail "a live engine lost what came before the damage"

# --- shared memory: no permission, not enough room
config "$feed"
if [ "$(id -u)" -eq 0 ]; then
  mkdir "$SHM/locked" "$WORK/nobody"
  chmod 755 "$SHM/locked"
  chmod 777 "$WORK/nobody"
  sed -i "s|shm_dir: .*|shm_dir: $SHM/locked|; s|dir: $WORK/journal|dir: $WORK/nobody/journal|" "$WORK/engine.yaml"
  expect 1 "$SHM/locked.*[Pp]ermission denied" setpriv --reuid=65534 --regid=65534 --clear-groups $run
  mkdir "$WORK/small"
  mount -t tmpfs -o size=8m none "$WORK/small"
  sed -i "s|shm_dir: .*|shm_dir: $WORK/small|" "$WORK/engine.yaml"
  expect 1 'small.*(MiB|bytes)' $run
  [ -z "$(ls "$WORK/small" | grep -v rings)" ] || fail "a failed start left $(ls "$WORK/small")"
  umount "$WORK/small"

  # --- no space for the journal: books stay live, the journal keeps what it has, no crash
  rm -rf "$WORK/journal"
  mkdir "$WORK/tiny"
  mount -t tmpfs -o size=4m none "$WORK/tiny"
  JOURNAL_DIR=$WORK/tiny/journal
  JOURNAL="segment: 1MiB
  block: 64KiB"
  config "    recording: $FIXTURES/demo.wscap.zst
    speed: max
    journal_ring: 1MiB
    on_end: exit"
  unset JOURNAL_DIR JOURNAL
  sed -i "s|^engine:|engine:\n  stop_timeout: 2s|" "$WORK/engine.yaml"
  status=0
  $run >"$WORK/out" 2>"$WORK/err" || status=$?
  [ "$status" -eq 1 ] || fail "no space: status $status ($(tail -n 3 "$WORK/err"))"
  grep -Eiq 'no space' "$WORK/err" || fail "no line about the full disk: $(cat "$WORK/err")"
  [ "$(grep -c 'level=' "$WORK/err")" -lt 30 ] || fail "a full disk floods the log"
  "$MDENGINE" journal verify "$WORK/tiny/journal" || fail "a full disk damaged the journal"
  [ "$("$MDENGINE" journal cat "$WORK/tiny/journal" -c 1000 | wc -l)" -eq 1000 ] || fail "the full disk lost what was there"
  umount "$WORK/tiny"
  rm -f "$SHM"/mdengine.*
fi

# --- no database
config "$feed" "postgres:
  enabled: true
  conninfo: \"host=$WORK/nowhere dbname=md\"
  connect_timeout: 1s"
expect 1 'postgres.*nowhere' $run
[ -z "$(ls "$SHM" | grep -v locked | grep -v rings)" ] || fail "a failed start left $(ls "$SHM")"

# --- a second engine of the same name
config "$feed
    repeat: 0"
sed -i 's/speed: max/speed: 1/' "$WORK/engine.yaml"
start
sed "s|dir: $WORK/journal|dir: $WORK/journal2|" "$WORK/engine.yaml" >"$WORK/second.yaml"
expect 1 "$ENGINE" "$MDENGINE" run -c "$WORK/second.yaml"
ready || fail "the refused engine hurt the first"
stop
expect 1 'no engine|mdengine.test' "$MDENGINE" status -n "$NAME" -S "$SHM"
