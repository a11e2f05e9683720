#!/bin/sh
# load.sh - what the engine takes at the load of the collector that it replaces, and at 100 times that load: five built-in
# exchanges (mdengine sim) over TLS, one engine that collects from all of them into books, shared memory and a journal.
# Prints latencies as `mdengine top` shows them, processor time and resident memory of the engine. Wants MDENGINE.
#
# usage: load.sh [MESSAGES_A_SECOND [SECONDS]]       (of all five together; default 50 and then 5000, 10 s each)
#
# The engine's rings are sized for these few symbols (instruments, tape, journal_ring below).
set -eu

: "${MDENGINE:?the program under test}"
WORK=$(mktemp -d "${TMPDIR:-/tmp}/mdengine-load.XXXXXX")
SHM=$(mktemp -d /dev/shm/mdengine-load.XXXXXX)
PIDS=
ENGINE=

end_all() {
  [ -z "$ENGINE" ] || { kill -TERM "$ENGINE" 2>/dev/null && wait "$ENGINE"; } || true
  for pid in $PIDS; do kill "$pid" 2>/dev/null && wait "$pid" || true; done
  ENGINE= PIDS=
}
trap 'end_all; rm -rf "$WORK" "$SHM"' EXIT
trap 'exit 1' INT TERM HUP

fail() {
  printf 'failed: %s\n' "$*" >&2
  [ ! -s "$WORK/engine.log" ] || tail -n 15 "$WORK/engine.log" >&2
  exit 1
}

wait_for() {
  what=$1
  shift
  tries=0
  until "$@"; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || fail "waited in vain for $what"
    sleep 0.1
  done
}

# exchange VENUE PATH RATE SYMBOLS: plays it and adds its feed.
exchange() {
  "$MDENGINE" sim --venue "$1" --symbols 3 --rate "$3" --tls-port 0 --ca-out "$WORK/$1.pem" \
    >"$WORK/$1.sim" 2>"$WORK/$1.log" </dev/null &
  PIDS="$PIDS $!"
  wait_for "the exchange $1" grep -qs '"wss"' "$WORK/$1.sim"
  address=$(sed -n 's,.*"wss":"wss://\([^"]*\)".*,\1,p' "$WORK/$1.sim")
  cat >>"$WORK/engine.yaml" <<YAML
  $1:
    symbols: all
    url: wss://$address${2%/}
    rest_url: https://$address
    ca_file: $WORK/$1.pem
    depth: 1000
    tape: 1MiB
    journal_ring: 4MiB
    silence_depth: 0s
    silence_bbo: 0s
    silence_connection: 0s
YAML
}

all_valid() {
  kill -0 "$ENGINE" 2>/dev/null || fail "the engine ended"
  [ "$(grep -c 'books are valid' "$WORK/engine.log")" -ge 5 ]
}
ticks() { awk '{ print $14 + $15 }' "/proc/$ENGINE/stat"; }

# load RATE SECONDS
load() {
  cat >"$WORK/engine.yaml" <<YAML
engine:
  name: load
  shm_dir: $SHM
  instruments: 64
journal:
  dir: $WORK/journal
monitoring:
  enabled: false
feeds:
YAML
  : >"$WORK/engine.log"
  each=$(($1 / 5))
  exchange binance_spot / $each
  exchange binance_derivatives / $each
  exchange okx_spot /ws/v5 $each
  exchange okx_derivatives /ws/v5 $each
  exchange deribit_derivatives /ws/api/v2 $each
  "$MDENGINE" run -c "$WORK/engine.yaml" 2>>"$WORK/engine.log" </dev/null &
  ENGINE=$!
  wait_for "the books of five exchanges" all_valid
  sleep 2
  begin=$(ticks)
  "$MDENGINE" top -n load -S "$SHM" --once --window "$2" >"$WORK/top"
  end=$(ticks)
  awk -v rate="$1" -v seconds="$2" -v ticks="$((end - begin))" -v hertz="$(getconf CLK_TCK)" '/^VmRSS/ {
    printf "%d messages a second for %d s: %.1f %% of a core, %.0f MB resident\n", rate, seconds,
      ticks / hertz / seconds * 100, $2 * 1024 / 1e6 }' "/proc/$ENGINE/status"
  cat "$WORK/top"
  end_all
  rm -rf "$WORK/journal"
}

if [ $# -gt 0 ]; then
  load "$1" "${2:-10}"
else
  load 50 10
  load 5000 10
fi
