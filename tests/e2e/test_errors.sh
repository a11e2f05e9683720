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
expect 2 ':12:5: feeds.binance_spot.depht: unknown key .*did you mean depth\?' $run
config "    recording: $FIXTURES/gap.wscap
    speed: fast"
expect 2 'engine.yaml:10:12: feeds.binance_spot.speed: .*fast.*write max' "$MDENGINE" check -c "$WORK/engine.yaml"
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

  # --- no space for the journal: at start, and in the middle; the next start with room takes over the rest
  mkdir "$WORK/tiny"
  TINY=$WORK/tiny
  mount -t tmpfs -o size=4m none "$TINY"
  head -c 4194304 /dev/zero >"$TINY/full" 2>/dev/null || true
  JOURNAL_DIR=$TINY/journal
  JOURNAL="segment: 1MiB
  block: 64KiB"
  config "    recording: $FIXTURES/demo.wscap.zst
    speed: max
    journal_ring: 1MiB
    on_end: hold"
  unset JOURNAL_DIR JOURNAL
  sed -i "s|^engine:|engine:\n  stop_timeout: 1s|" "$WORK/engine.yaml"
  expect 1 'tiny/journal.*[Nn]o space' $run
  rm -rf "$TINY/full" "$TINY/journal"
  : >"$WORK/engine.log"
  start
  wait_for "a line about the full disk" grep -Eq 'level=(warn|error).*[Nn]o space' "$WORK/engine.log"
  wait_for "a book beside the full disk" "$MDENGINE" book binance_spot BTCUSDT -n $NAME -S "$SHM" >/dev/null
  kill -TERM "$ENGINE"
  status=0
  wait "$ENGINE" || status=$?
  ENGINE=
  [ "$status" -eq 1 ] || fail "a stop with a full disk: status $status"
  [ "$(grep -c 'level=' "$WORK/engine.log")" -lt 30 ] || fail "a full disk floods the log"
  "$MDENGINE" journal verify "$TINY/journal" || fail "a full disk damaged the journal"
  before=$("$MDENGINE" journal cat "$TINY/journal" | wc -l)
  mount -o remount,size=64m "$TINY"
  sed -i "s|speed: max|speed: 1|" "$WORK/engine.yaml"
  start
  stop
  grep -q 'recovered: [1-9][0-9]* records from the rings' "$WORK/engine.log" || fail "nothing came from the rings"
  "$MDENGINE" journal verify "$TINY/journal" || fail "the journal has holes after the full disk"
  after=$("$MDENGINE" journal cat "$TINY/journal" | wc -l)
  [ "$after" -gt "$before" ] || fail "$after records after the full disk, $before before"
fi

# --- no database
config "$feed" "postgres:
  enabled: true
  conninfo: \"host=$WORK/nowhere dbname=md\"
  connect_timeout: 1s"
expect 1 'PostgreSQL.*nowhere.*start the server' $run
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
