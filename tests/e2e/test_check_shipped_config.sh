#!/bin/sh
# The shipped configuration: `mdengine check` takes it, and with nothing but the hosts and the CA changed it collects
# every symbol of every feed from simulators of all its exchanges over TLS, though its database is not there; --feed runs
# one feed of it. ./dev run with no network at all says in one line what cannot be reached, keeps trying, and stops in
# order. All of it in a network and a /dev/shm of its own: the shipped name and ports may be in use.
if [ "${1:-}" != inside ]; then
  if [ "$(id -u)" = 0 ]; then exec unshare -nm sh "$0" inside; else exec unshare -Urnm sh "$0" inside; fi
fi
mount -t tmpfs none /dev/shm || exit 1
. "$(dirname "$0")/lib.sh"

ROOT=$(cd "$HERE/../.." && pwd)
SHIPPED=$ROOT/docker/mdengine.yaml
FEEDS="binance_spot binance_derivatives binance_coinm okx_spot okx_derivatives deribit_derivatives"
SIMS=
stop_sims() {
  for pid in $SIMS; do kill "$pid" 2>/dev/null || true; done
  for pid in $SIMS; do wait "$pid" 2>/dev/null || true; done
  SIMS=
}
OWN_SHM=$SHM
trap 'stop_sims; SHM=$OWN_SHM; cleanup' EXIT

"$MDENGINE" check -c "$SHIPPED" >"$WORK/check.out" || fail "check refuses the shipped configuration"
if command -v docker-compose >/dev/null; then
  # In its own folder: version 1 looks for the seccomp profile where it is called.
  (cd "$ROOT/docker" && docker-compose config) >"$WORK/compose" 2>&1 || fail "compose.yaml: $(cat "$WORK/compose")"
  grep -q "$SHIPPED:/etc/mdengine/mdengine.yaml" "$WORK/compose" || fail "compose does not take the shipped configuration"
fi
# Where the shipped configuration has it; for lib.sh.
export NAME=mdengine SHM=/dev/shm
mkdir "$WORK/data"

# --- no network: ./dev run ---
cd "$ROOT" || exit 1
MD_JOURNAL=$WORK/data/run ./dev --no-install run 2>"$WORK/engine.log" &
ENGINE=$!
lines() {
  grep -c "level=warn at=$1 msg=\"$1\.[0-9]*a: cannot reach wss://[^ ]* (.*cannot be looked up.*); again in [0-9]* ms\"" \
    "$WORK/engine.log" || true
}
tried() {
  for feed in $FEEDS; do
    [ "$(lines "$feed")" -ge 3 ] || return 1
  done
}
wait_for "three tries of each feed to reach its exchange" tried
stop
[ "$(grep -c 'level=error' "$WORK/engine.log")" = 0 ] || fail "no network is an error"
[ "$(grep -c 'level=warn' "$WORK/engine.log")" = "$(lines '[a-z_]*')" ] || fail "more than a line a try"
[ -d "$WORK/data/run" ] || fail "the journal is not where MD_JOURNAL says"
: >"$WORK/engine.log"

# --- the simulators ---
python3 -c '
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH", b"lo", 0x41))' || fail "the loopback cannot be brought up"
for feed in $FEEDS; do
  "$MDENGINE" sim --venue "$feed" --symbols 20 --rate 500 --wait-clients 1 --tls-port 0 --ca-out "$WORK/$feed.pem" \
    --truth "$WORK/$feed.truth" --truth-every 1 >"$WORK/$feed.sim" 2>"$WORK/$feed.log" &
  SIMS="$SIMS $!"
done
for feed in $FEEDS; do
  wait_for "the exchange of $feed" test -s "$WORK/$feed.sim"
done
# The hosts and authorities, and nothing else.
# shellcheck disable=SC2086 # a list
python3 - "$SHIPPED" "$WORK" $FEEDS <<'END' || fail "the shipped configuration has another form"
import json, re, sys
shipped, work, feeds = sys.argv[1], sys.argv[2], sys.argv[3:]
feed, seen, out, symbols = None, {}, [], []
for line in open(shipped):
    head = re.match(r"  (\w+):$", line)
    feed = head.group(1) if head and head.group(1) in feeds else feed
    key = re.match(r"    (url|rest_url|ca_file): (.*)$", line)
    names = re.match(r"    symbols: \[(.*)\]$", line)
    if feed and names:
        symbols += [(feed, name) for name in names.group(1).split(", ")]
    if feed and key:
        said = json.loads(open(f"{work}/{feed}.sim").readline())
        seen.setdefault(feed, []).append(key.group(1))
        value = {"url": said["wss"], "rest_url": said["rest_tls"], "ca_file": f"{work}/{feed}.pem"}[key.group(1)]
        if key.group(1) != "ca_file":
            value += re.sub(r"^\w+://[^/]*", "", key.group(2))
        line = f"    {key.group(1)}: {value}\n"
    out.append(line)
assert seen == {f: ["url", "rest_url", "ca_file"] for f in feeds}, seen
open(f"{work}/engine.yaml", "w").writelines(out)
open(f"{work}/symbols", "w").writelines(f"{feed} {name}\n" for feed, name in symbols)
END
BOOKS=$(wc -l <"$WORK/symbols")
cd "$WORK/data" || exit 1
start
# The clients of the user ask on the shipped ports.
healthy() {
  curl -s -m 10 http://127.0.0.1:8087/health | python3 -c '
import json, sys
feeds = json.load(sys.stdin)["feeds"]
print([(f["name"], f["books_valid"], f["books_known"]) for f in feeds])
sys.exit(len(feeds) != 6 or sum(f["books_valid"] for f in feeds) != int(sys.argv[1]))' "$BOOKS" >"$WORK/health" 2>&1
}
wait_for "$BOOKS books on /health" healthy
counts() {
  [ "$(curl -s -m 10 http://127.0.0.1:9092/metrics | grep -c '^mdengine_feed_frames_total{.*} [1-9]')" = 6 ]
}
wait_for "frames of six feeds in /metrics" counts
books() {
  rm -f "$WORK/books"
  while read -r feed symbol; do
    printf '%s %s ' "$feed" "$symbol" >>"$WORK/books"
    "$MDENGINE" book "$feed" "$symbol" --digest --json >>"$WORK/books" || return 1
  done <"$WORK/symbols"
  [ "$(grep -c '"VALID"' "$WORK/books")" = "$BOOKS" ]
}
wait_for "$BOOKS VALID books" books
for feed in $FEEDS; do
  wait_for "the log to say that all books of $feed are valid" logged "at=$feed msg=\"all [0-9]* books are valid"
done
# A stop would wait for the database that is not there, for engine.stop_timeout.
end() {
  kill -9 "$ENGINE"
  wait "$ENGINE" 2>/dev/null || true
  ENGINE=
}
end

# --- one feed of it ---
"$MDENGINE" run -c "$WORK/engine.yaml" --feed deribit_derivatives 2>>"$WORK/engine.log" &
ENGINE=$!
only() { ready && [ "$(status_json | grep -o '"feed":"[a-z_]*"' | sort -u)" = '"feed":"deribit_derivatives"' ]; }
wait_for "deribit_derivatives alone" only
end
status=0
"$MDENGINE" run -c "$WORK/engine.yaml" --feed deribit 2>"$WORK/err" || status=$?
[ "$status" = 2 ] || fail "an unknown feed: status $status"
grep -q "no enabled feed 'deribit'" "$WORK/err" || fail "an unknown feed: $(cat "$WORK/err")"
stop_sims
python3 - "$WORK" <<'END' || fail "the books are not the exchanges'"
import json, sys
work, points, bad, cnt, between = sys.argv[1], {}, [], 0, 0
for line in open(f"{work}/books"):
    feed, symbol, book = line.split(" ", 2)
    if feed not in points:
        truth = (json.loads(line) for line in open(f"{work}/{feed}.truth"))
        points[feed] = {(t["symbol"], t["id"]): t["digest"] for t in truth if t["at"] == "point"}
    book = json.loads(book)
    cnt += 1
    if (symbol, book["exch_seq"]) not in points[feed]:
        between += 1  # right behind a snapshot, between two updates
    elif points[feed][symbol, book["exch_seq"]] != book["digest"]:
        bad.append((feed, symbol, book["exch_seq"]))
print(cnt, "books of", len(points), f"feeds are not: {bad}" if bad else "feeds are the exchanges'")
if between:
    print(between, "of them stood between two updates")
sys.exit(bool(bad) or 2 * between > cnt)
END
