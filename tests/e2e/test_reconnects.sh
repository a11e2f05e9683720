#!/bin/sh
# 250 reconnects over TLS, 83 over plain WebSocket: the exchange cuts the connection again and again. (It allows 300
# connections in five minutes, and the engine keeps to that.) Afterwards the
# engine has the descriptors, the sockets of each state and the threads that it had before, hardly more memory, every book equals the
# exchange's, and the journal replays to the same.
. "$(dirname "$0")/lib.sh"

SIM=
stop_sim() {
  [ -z "$SIM" ] || kill "$SIM" 2>/dev/null || true
  [ -z "$SIM" ] || wait "$SIM" 2>/dev/null || true
  SIM=
}

TIMES=${MD_RECONNECTS:-250}
said() { [ -s "$WORK/sim.out" ]; }
url() { sed -n "1s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$WORK/sim.out"; }
fds() { find "/proc/$ENGINE/fd" -mindepth 1 -maxdepth 1 | wc -l; }
# The kernel's io_uring workers come and go.
threads() { cat "/proc/$ENGINE/task"/*/comm | grep -cv '^iou-'; }
rss_kib() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$ENGINE/status"; }
counter() { curl -s -m 10 "$METRICS" | sed -n "s/^mdengine_$1{.*thread=\"feed:binance_spot\".*} \([0-9]*\)$/\1/p"; }

# cuts_done: the last cut is behind us, and every book is VALID again. Notes the books.
cuts() { grep -c '"fault":"cut"' "$WORK/truth.json"; }
cuts_done() { [ "$(cuts)" -ge "$TIMES" ]; }
books() {
  rm -f "$WORK/books"
  for symbol in BTCUSDT ETHUSDT BNBUSDT SOLUSDT XRPUSDT; do
    printf '%s ' $symbol >>"$WORK/books"
    "$MDENGINE" book binance_spot $symbol -n $NAME -S "$SHM" --digest --json >>"$WORK/books" 2>/dev/null || return 1
  done
  [ "$(grep -c '"VALID"' "$WORK/books")" = 5 ]
}

# equal: each noted book is what the exchange had at that update.
equal() {
  python3 - "$WORK/books" "$WORK/truth.json" <<'END'
import json, sys
points = {(t["symbol"], t["id"]): t["digest"] for t in map(json.loads, open(sys.argv[2])) if t["at"] == "point"}
books = [(symbol, json.loads(book)) for symbol, book in (line.split(" ", 1) for line in open(sys.argv[1]))]
bad = [symbol for symbol, b in books if points.get((symbol, b["exch_seq"])) != b["digest"]]
print("books that differ:", bad) if bad or len(books) != 5 else None
sys.exit(bool(bad) or len(books) != 5)
END
}

same_threads() { [ "$(threads)" = "$before_threads" ]; }
# The engine knows of every cut, which it learns later than the exchange.
connected() { [ "$(counter feed_reconnects_total)" -ge "$TIMES" ]; }
same_fds() { [ "$(fds)" = "$before_fds" ]; }
# Sockets by state, but for the scrape's own connection; none waits for us to close it.
sockets() { curl -s -m 10 "$METRICS" | sed -n 's/^mdengine_process_sockets{state="\(close_wait\|last_ack\|syn_sent\|other\|listen\)"} /\1 /p'; }
same_sockets() { [ "$(sockets)" = "$before_sockets" ] && sockets | grep -qx 'close_wait 0'; }

# begin WS REST: an exchange whose first cut comes AFTER seconds, and an engine whose books are VALID. False when it was
# so late that a cut came before the first look.
begin() {
  rm -rf "$WORK" "$SHM"
  mkdir "$WORK" "$SHM"
  "$MDENGINE" sim --symbols 5 --rate 1000 --wait-clients 1 --weight-limit 0 \
    --tls-port 0 --ca-out "$WORK/ca.pem" --truth "$WORK/truth.json" --truth-every 1 \
    --fault "cut:after=$AFTER,every=0.05,times=$TIMES" >"$WORK/sim.out" 2>"$WORK/sim.log" &
  SIM=$!
  wait_for "the exchange" said
  MONITORING="http_port: 0
  metrics_port: 0"
  config "    url: $(url "$1")
    rest_url: $(url "$2")
    ca_file: $WORK/ca.pem
    symbols: all
    rest_weight_per_min: 1000000
    reconnect_min: 10ms
    reconnect_max: 40ms
    silence_depth: 0s
    silence_bbo: 0s
    silence_connection: 0s"
  start
  METRICS=$(sed -n 's|.*\(http://127\.0\.0\.1:[0-9]*/metrics\).*|\1|p' "$WORK/engine.log" | tail -n 1)
  wait_for "all books to be valid" logged "all 5 books are valid"
  before_fds=$(fds) before_threads=$(threads) before_rss=$(rss_kib) before_sockets=$(sockets)
  ! grep -q '"at":"fault"' "$WORK/truth.json"
}

# round WORD WS REST: the whole thing over one kind of connection, in a subshell with folders of its own.
round() {
  trap 'stop_sim; [ -z "$ENGINE" ] || kill -9 "$ENGINE" 2>/dev/null || true' EXIT
  trap 'exit 1' INT TERM HUP
  WORK=$WORK/$1
  SHM=$SHM/$1
  AFTER=6
  until begin "$2" "$3"; do
    [ $AFTER -lt 60 ] || fail "a connection was cut before the first look"
    stop
    stop_sim
    AFTER=$((AFTER * 4))
  done
  wait_for "$TIMES cuts, over $1" cuts_done
  wait_for "$TIMES reconnects, over $1" connected
  wait_for "books that are VALID again, over $1" books
  reconnects=$(counter feed_reconnects_total)
  wait_for "as many descriptors as before ($before_fds, now $(fds))" same_fds
  wait_for "the sockets of before" same_sockets
  wait_for "as many threads as before ($before_threads, now $(threads))" same_threads
  after_threads=$(threads) after_rss=$(rss_kib)
  [ $((after_rss - before_rss)) -le 2048 ] || fail "$before_rss KiB of memory before, $after_rss after"
  echo "$1: $(cuts) cuts, $reconnects reconnects, descriptors $before_fds -> $(fds), threads $before_threads ->" \
    "$after_threads, CLOSE_WAIT 0, memory $before_rss -> $after_rss KiB, $(counter feed_gaps_total) gaps declared"
  stop
  stop_sim
  equal || fail "the books after $(cuts) cuts are not the exchange's"
  "$MDENGINE" journal verify "$WORK/journal" >/dev/null || fail "the journal has holes or damage"
  "$MDENGINE" replay "$WORK/journal" --verify >"$WORK/verify.out" 2>&1 || fail "replay: $(tail -n 3 "$WORK/verify.out")"
}

(TIMES=$((TIMES / 3)); round plain ws rest) &
PLAIN=$!
(round TLS wss rest_tls) &
TLS=$!
bad=0
wait $PLAIN || bad=1
wait $TLS || bad=1
exit $bad
