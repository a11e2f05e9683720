#!/bin/sh
# 300 reconnects over TLS, 83 over plain WebSocket: two exchanges cut an engine's connections again and again, one those of
# another. (An exchange allows 300 connections in five minutes, and the engine keeps to that: hence two.) Afterwards
# the engine has the descriptors, the sockets of each state and the threads that it had before, hardly more memory, every
# book equals the exchange's, and the journal replays to the same.
. "$(dirname "$0")/lib.sh"

SIMS=
stop_sims() {
  for pid in $SIMS; do kill "$pid" 2>/dev/null || true; done
  for pid in $SIMS; do wait "$pid" 2>/dev/null || true; done
  SIMS=
}

# of each feed
TIMES=${MD_RECONNECTS:-150}
SYMBOLS=5
url() { sed -n "1s/.*\"$2\":\"\([^\"]*\)\".*/\1/p" "$WORK/$1.sim"; }
fds() { find "/proc/$ENGINE/fd" -mindepth 1 -maxdepth 1 | wc -l; }
# The kernel's io_uring workers come and go.
threads() { cat "/proc/$ENGINE/task"/*/comm | grep -cv '^iou-'; }
rss_kib() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$ENGINE/status"; }
# counter FEED NAME
counter() { curl -s -m 10 "$METRICS" | sed -n "s/^mdengine_$2{.*thread=\"feed:$1\".*} \([0-9]*\)$/\1/p"; }
# sum_of FUNCTION [ARGUMENT]: its numbers for all feeds together.
sum_of() {
  total=0
  for feed in $FEEDS; do total=$((total + $("$1" "$feed" ${2:+"$2"}))); done
  echo $total
}

# cuts_done: the last cut is behind us, and every book is VALID again. Notes the books.
cuts() { grep -c '"fault":"cut"' "$WORK/$1.truth"; }
cuts_done() {
  for feed in $FEEDS; do [ "$(cuts "$feed")" -ge "$TIMES" ] || return 1; done
}
symbols() { sed -n 's/.*"at":"point".*"symbol":"\([^"]*\)".*/\1/p' "$WORK/$1.truth" | sort -u; }
books() {
  rm -f "$WORK/books"
  for feed in $FEEDS; do
    for symbol in $(symbols "$feed"); do
      printf '%s %s ' "$feed" "$symbol" >>"$WORK/books"
      "$MDENGINE" book "$feed" "$symbol" -n $NAME -S "$SHM" --digest --json >>"$WORK/books" 2>/dev/null || return 1
    done
  done
  [ "$(grep -c '"VALID"' "$WORK/books")" = $((SYMBOLS * $(echo $FEEDS | wc -w))) ]
}

# equal: each noted book is what the exchange had at that update.
equal() {
  python3 - "$WORK" $((SYMBOLS * $(echo $FEEDS | wc -w))) $FEEDS <<'END'
import json, sys
work, cnt, feeds = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
points = {(feed, t["symbol"], t["id"]): t["digest"] for feed in feeds
          for t in map(json.loads, open(f"{work}/{feed}.truth")) if t["at"] == "point"}
books = [(feed, symbol, json.loads(book)) for feed, symbol, book in (line.split(" ", 2) for line in open(work + "/books"))]
bad = [(feed, symbol) for feed, symbol, b in books if points.get((feed, symbol, b["exch_seq"])) != b["digest"]]
print("books that differ:", bad) if bad or len(books) != cnt else None
sys.exit(bool(bad) or len(books) != cnt)
END
}

same_threads() { [ "$(threads)" = "$before_threads" ]; }
# The engine knows of every cut, which it learns later than the exchange.
connected() {
  for feed in $FEEDS; do [ "$(counter "$feed" feed_reconnects_total)" -ge "$TIMES" ] || return 1; done
}
same_fds() { [ "$(fds)" = "$before_fds" ]; }
# Sockets by state, but for the scrape's own connection; none waits for us to close it.
sockets() { curl -s -m 10 "$METRICS" | sed -n 's/^mdengine_process_sockets{state="\(close_wait\|last_ack\|syn_sent\|other\|listen\)"} /\1 /p'; }
same_sockets() { [ "$(sockets)" = "$before_sockets" ] && sockets | grep -qx 'close_wait 0'; }

# begin WS REST: exchanges whose first cut comes AFTER seconds, and an engine whose books are VALID. False when it was
# so late that a cut came before the first look.
begin() {
  rm -rf "$WORK" "$SHM"
  mkdir "$WORK" "$SHM"
  for feed in $FEEDS; do
    "$MDENGINE" sim --venue "$feed" --symbols $SYMBOLS --rate 1000 --wait-clients 1 --weight-limit 0 \
      --tls-port 0 --ca-out "$WORK/$feed.pem" --truth "$WORK/$feed.truth" --truth-every 1 \
      --fault "cut:after=$AFTER,every=0.05,times=$TIMES" >"$WORK/$feed.sim" 2>"$WORK/$feed.log" &
    SIMS="$SIMS $!"
  done
  for feed in $FEEDS; do
    wait_for "the exchange of $feed" test -s "$WORK/$feed.sim"
  done
  {
    cat <<END
engine:
  name: $NAME
  shm_dir: $SHM
journal:
  dir: $WORK/journal
monitoring:
  http_port: 0
  metrics_port: 0
feeds:
END
    for feed in $FEEDS; do
      cat <<END
  $feed:
    url: $(url "$feed" "$1")
    rest_url: $(url "$feed" "$2")
    ca_file: $WORK/$feed.pem
    symbols: all
    channels: [depth, trade, bbo]
    rest_weight_per_min: 1000000
    reconnect_min: 10ms
    reconnect_max: 40ms
    silence_depth: 0s
    silence_bbo: 0s
    silence_connection: 0s
END
    done
  } >"$WORK/engine.yaml"
  start
  METRICS=$(sed -n 's|.*\(http://127\.0\.0\.1:[0-9]*/metrics\).*|\1|p' "$WORK/engine.log" | tail -n 1)
  for feed in $FEEDS; do
    wait_for "all books of $feed to be valid" logged "at=$feed msg=\"all $SYMBOLS books are valid"
  done
  before_fds=$(fds) before_threads=$(threads) before_rss=$(rss_kib) before_sockets=$(sockets)
  ! grep -q '"at":"fault"' "$WORK"/*.truth
}

# round WORD WS REST: the whole thing over one kind of connection with FEEDS, in a subshell with folders of its own.
round() {
  trap 'stop_sims; [ -z "$ENGINE" ] || kill -9 "$ENGINE" 2>/dev/null || true' EXIT
  trap 'exit 1' INT TERM HUP
  WORK=$WORK/$1
  SHM=$SHM/$1
  AFTER=6
  until begin "$2" "$3"; do
    [ $AFTER -lt 60 ] || fail "a connection was cut before the first look"
    stop
    stop_sims
    AFTER=$((AFTER * 4))
  done
  wait_for "$TIMES cuts, over $1" cuts_done
  wait_for "$TIMES reconnects, over $1" connected
  wait_for "books that are VALID again, over $1" books
  reconnects=$(sum_of counter feed_reconnects_total)
  wait_for "as many descriptors as before ($before_fds, now $(fds))" same_fds
  wait_for "the sockets of before" same_sockets
  wait_for "as many threads as before ($before_threads, now $(threads))" same_threads
  after_threads=$(threads) after_rss=$(rss_kib)
  [ $((after_rss - before_rss)) -le $((2048 * $(echo $FEEDS | wc -w))) ] || fail "$before_rss KiB of memory before, $after_rss after"
  echo "$1: $(sum_of cuts) cuts, $reconnects reconnects, descriptors $before_fds -> $(fds), threads $before_threads ->" \
    "$after_threads, CLOSE_WAIT 0, memory $before_rss -> $after_rss KiB, $(sum_of counter feed_gaps_total) gaps declared"
  stop
  stop_sims
  equal || fail "the books after $(sum_of cuts) cuts are not the exchange's"
  "$MDENGINE" journal verify "$WORK/journal" >/dev/null || fail "the journal has holes or damage"
  "$MDENGINE" replay "$WORK/journal" --verify >"$WORK/verify.out" 2>&1 || fail "replay: $(tail -n 3 "$WORK/verify.out")"
}

(FEEDS=binance_spot TIMES=83; round plain ws rest) &
PLAIN=$!
(FEEDS="binance_spot binance_coinm"; round TLS wss rest_tls) &
TLS=$!
bad=0
wait $PLAIN || bad=1
wait $TLS || bad=1
exit $bad
