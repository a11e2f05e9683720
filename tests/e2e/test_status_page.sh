#!/bin/sh
# The status page in a headless Chromium, beside an engine that collects from the built-in exchange: its files are what npm
# makes of their sources, byte for byte; its numbers are those of status --json and its ladder that of book, at a moment in
# which both stand still; it says that nothing is live when the engine is killed, and goes on by itself with the next one;
# no error on the console, no request to anybody else, no serious finding of axe in light and dark; keys do what they say.
# Browsers that read or confirm nothing are dropped while others go on and feeds lose nothing; pages of other sites, too
# many browsers and those without the token are refused.
. "$(dirname "$0")/lib.sh"

PYTHON=/usr/bin/python3 # Debian's, which sees python3-websockets
command -v chromium >/dev/null || fail "apt-get install chromium"
ROOT=$(cd "$HERE/../.." && pwd)
SIM=
BROWSER=
stop_all() {
  [ -z "$BROWSER" ] || kill "$BROWSER" 2>/dev/null || true
  [ -z "$BROWSER" ] || wait "$BROWSER" 2>/dev/null || true
  [ -z "$SIM" ] || kill "$SIM" 2>/dev/null || true
  [ -z "$SIM" ] || kill -CONT "$SIM" 2>/dev/null || true # it may be held
  [ -z "$SIM" ] || wait "$SIM" 2>/dev/null || true
  cleanup
}
trap stop_all EXIT

MD_PAGE_WORK=${MD_PAGE_WORK:-$ROOT/build/page} sh "$ROOT/monitoring/page/build.sh" --check >"$WORK/build.out" 2>&1 ||
  fail "the files of the page: $(tail -n 5 "$WORK/build.out")"
tail -n 1 "$WORK/build.out"

url() { sed -n "1s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$WORK/sim.out"; }
"$MDENGINE" sim --symbols 5 --rate 400 --weight-limit 0 >"$WORK/sim.out" 2>"$WORK/sim.log" &
SIM=$!
cluster
wait_for "the exchange" test -s "$WORK/sim.out"
MONITORING="http_port: 0
  metrics_port: 0
  page_origins: [https://status.example, https://another.example]
  page_clients: 6"
config "    symbols: all
    url: $(url ws)
    rest_url: $(url rest)
    silence_depth: 0s
    silence_bbo: 0s
    silence_connection: 0s" "postgres:
  enabled: true
  conninfo: \"$CONNINFO\""
start
PORT=$(sed -n 's|.*127\.0\.0\.1:\([0-9]*\)/health.*|\1|p' "$WORK/engine.log" | tail -n 1)
sed -i "s|http_port: 0|http_port: $PORT|" "$WORK/engine.yaml"

"$PYTHON" "$HERE/status_page.py" "$MDENGINE" "$NAME" "$SHM" "$WORK" "$PORT" "${MD_PAGE_WORK:-$ROOT/build/page}" &
BROWSER=$!
# said STEP: the browser's side came to it, or ended.
said() { [ -e "$WORK/$1" ] || ! kill -0 "$BROWSER" 2>/dev/null; }
kill_engine() {
  kill -9 "$ENGINE"
  wait "$ENGINE" 2>/dev/null || true
  ENGINE=
}
# held NAME: the exchange stands still from NAME-begins to NAME-ends of the browser's side.
held() {
  wait_for "the page to be ready for the $1" said "$1-begins"
  kill -STOP "$SIM"
  : >"$WORK/$1-is-held"
  wait_for "the page to equal status --json, $1" said "$1-ends"
  kill -CONT "$SIM"
}
held first
wait_for "axe and the keys" said looked-at
kill_engine
wait_for "the page to say that nothing is live" said lost
start
held next
wait_for "the page to be back" said back
stop
echo of-this-test >"$WORK/token"
sed -i "s|page_clients: 6|token_file: $WORK/token|" "$WORK/engine.yaml"
start
: >"$WORK/token-is-wanted"
wait "$BROWSER" || {
  BROWSER=
  fail "the page"
}
BROWSER=
stop
