#!/bin/sh
# promise: a full disk stops nothing, the journal goes on by itself, and what it could not keep is declared
# disk_full.sh [long|control]: disk full and back, again and again within one run, each time resumed by itself: while the journal waits for
# space it is degraded and says so, the books stay VALID and go on, and nothing else stops. With rings that hold
# the wait nothing is lost, and the frames replay to the same records; with small rings what was lost is declared
# by LOSS, every other record is there once, and the replay ends in the live books all the same.
# Full in two ways: suddenly to the last byte (small ext4 on a loop device), and below journal.min_free (tmpfs).
# control: a segment that is deleted afterwards must be missed.
. "$(dirname "$0")/../e2e/lib.sh"

MODE=${1:-run}
CYCLES=${CYCLES:-5}
[ "$MODE" != long ] || CYCLES=50
[ "$MODE" != control ] || CYCLES=1
DISK=$WORK/disk
SIM=
TINY=$DISK # lib.sh unmounts it
stop_sim() {
  [ -z "$SIM" ] || kill "$SIM" 2>/dev/null || true
  [ -z "$SIM" ] || wait "$SIM" 2>/dev/null || true
  SIM=
}
trap 'stop_sim; stop_hard; cleanup' EXIT

# A file system is unmounted only when nobody has a file in it.
stop_hard() {
  [ -z "$ENGINE" ] || kill -9 "$ENGINE" 2>/dev/null || true
  [ -z "$ENGINE" ] || wait "$ENGINE" 2>/dev/null || true
  ENGINE=
}

if [ "$(id -u)" -ne 0 ]; then
  echo "not run: not root, and it wants a loop device and small file systems"
  exit 77
fi

said() { [ -s "$WORK/sim.out" ]; }
url() { sed -n "1s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$WORK/sim.out"; }
count() { grep -c "$1" "$WORK/engine.log" || true; }
reached() { [ "$(count "$1")" -ge "$2" ]; }
health() { curl -s -o "$WORK/health.json" -w '%{http_code}' "http://127.0.0.1:$PORT/health"; }
degraded() { [ "$(health)" = 200 ] && grep -q '"status":"degraded"' "$WORK/health.json" &&
  grep -q '"name":"journal_space"[^}]*"status":"warn"' "$WORK/health.json"; }
roomy() { [ "$(health)" = 200 ] && grep -q '"name":"journal_space"[^}]*"status":"pass"' "$WORK/health.json"; }
all_valid() { status_json | grep -q '"books_valid":3,"books":3'; }
position() { status_json | sed -n 's/.*"published_seq":\([0-9]*\),"written_seq".*/\1/p'; }
beyond() { [ "$(position)" -gt "$1" ]; }

# equal: every book is VALID and has the digest that the exchange gave at the end.
equal() {
  grep -q '"at":"end"' "$WORK/truth.json" || return 1
  for symbol in BTCUSDT ETHUSDT BNBUSDT; do
    "$MDENGINE" book binance_spot $symbol -n $NAME -S "$SHM" --digest --json >"$WORK/$symbol.json" 2>/dev/null || return 1
    digest=$(sed -n "/\"at\":\"end\",\"symbol\":\"$symbol\"/s/.*\"digest\":\"\([0-9a-f]*\)\".*/\1/p" "$WORK/truth.json")
    [ -n "$digest" ] && grep -q "$digest" "$WORK/$symbol.json" || return 1
  done
}

# durable: everything published is durable.
durable() {
  status_json >"$WORK/status.json" || true
  python3 - "$WORK/status.json" <<'END'
import json, sys
try:
    f = json.load(open(sys.argv[1]))["feeds"][0]
except (ValueError, IndexError):
    sys.exit(1)
sys.exit(0 if f["durable_seq"] == f["published_seq"] and f["raw_durable_seq"] == f["raw_published_seq"] else 1)
END
}

fill() { # BYTES that stay free
  free=$(df --output=avail -B1 "$DISK" | tail -n 1)
  [ "$free" -le "$1" ] || fallocate -l $((free - $1)) "$DISK/ballast" 2>/dev/null ||
    head -c $((free - $1)) /dev/zero >"$DISK/ballast" 2>/dev/null || true
  [ "$1" -gt 0 ] || cat /dev/zero >>"$DISK/ballast" 2>/dev/null || true
}

# collect RING MIN_FREE LEFT: a run with CYCLES full disks, each with LEFT bytes free.
collect() {
  rm -f "$WORK/sim.out" "$WORK/truth.json"
  : >"$WORK/engine.log"
  "$MDENGINE" sim --symbols 3 --rate 4000 --seconds $((8 + 5 * CYCLES)) --hold --wait-clients 1 \
    --truth "$WORK/truth.json" >"$WORK/sim.out" 2>>"$WORK/sim.log" &
  SIM=$!
  wait_for "the exchange" said
  JOURNAL_DIR=$DISK/journal
  JOURNAL="segment: 1MiB
  block: 64KiB
  reserve: 1MiB
  min_free: $2"
  MONITORING="http_port: 0
  metrics_port: 0"
  config "    symbols: [BTCUSDT, ETHUSDT, BNBUSDT]
    url: $(url ws)
    rest_url: $(url rest)
    journal_ring: $1
    silence_depth: 0s
    silence_bbo: 0s
    silence_connection: 0s"
  start
  PORT=$(sed -n 's|.*http://127.0.0.1:\([0-9]*\)/health.*|\1|p' "$WORK/engine.log" | head -n 1)
  wait_for "three valid books" all_valid
  cycle=1
  while [ "$cycle" -le "$CYCLES" ]; do
    fill "$3"
    wait_for "a journal that waits for space ($cycle)" reached 'degraded, no space' "$cycle"
    wait_for "a degraded engine ($cycle)" degraded
    at=$(position)
    wait_for "books that go on with a full disk ($cycle)" beyond $((at + 2000))
    all_valid || fail "a book is not VALID while the disk is full"
    status_json | grep -q '"state":"degraded: [a-z ]*","degraded":true,"segments":[0-9]' || fail "mdengine status: $(status_json)"
    rm -f "$DISK/ballast"
    wait_for "a journal that writes again ($cycle)" reached 'writing again' "$cycle"
    wait_for "a journal with room ($cycle)" roomy
    cycle=$((cycle + 1))
  done
  wait_for "books that equal the exchange's" equal
  wait_for "a durable end" durable
  for symbol in BTCUSDT ETHUSDT BNBUSDT; do
    sed -n 's/.*"digest":"\([0-9a-f]*\)".*/\1/p' "$WORK/$symbol.json"
  done | sort >"$WORK/live.digests"
  stop
  stop_sim
}

# check: no hole that is not declared, none twice, and the lost ones are those that the feed lost.
check() {
  "$MDENGINE" journal verify "$DISK/journal" --json >"$WORK/verify.json" || fail "holes: $(cat "$WORK/verify.json")"
  "$MDENGINE" journal stat "$DISK/journal" --json >"$WORK/stat.json"
  python3 - "$WORK/verify.json" "$WORK/stat.json" "$WORK/status.json" <<'END' || fail "the journal does not add up"
import json, sys
verify, stat, status = (json.load(open(p)) for p in sys.argv[1:4])
feed = status["feeds"][0]
ok = verify["holes"] == 0
lost = 0
for stream, published in (("binance_spot", feed["published_seq"]), ("binance_spot.raw", feed["raw_published_seq"])):
    s = stat["streams"][stream]
    lost += s["lost"]
    print(stream, "published", published, "last", s["last_seq"], "lost", s["lost"])
    ok = ok and s["last_seq"] == published
print("lost", lost, "by the feed's count", feed["lost"])
sys.exit(0 if ok and lost == feed["lost"] else 1)
END
  "$MDENGINE" replay "$DISK/journal" --json >"$WORK/replay.json" || fail "the journal does not replay"
  python3 -c 'import json, sys
for i in json.load(open(sys.argv[1]))["instruments"]: print(i["digest"])' "$WORK/replay.json" | sort >"$WORK/replay.digests"
  cmp -s "$WORK/live.digests" "$WORK/replay.digests" || fail "the replay ends in other books than the live ones"
}

mkdir "$DISK"
mount -t tmpfs -o size=400m none "$DISK"
collect 64MiB 2MiB 1500000
check
grep -q '"lost":0,' "$WORK/verify.json" || fail "records were lost though the ring had room: $(cat "$WORK/verify.json")"
"$MDENGINE" replay "$DISK/journal" --verify >"$WORK/verify.out" 2>&1 || fail "replay: $(tail -n 3 "$WORK/verify.out")"
if [ "$MODE" = control ]; then
  rm -f "$DISK/journal/seg-0000000003.mdj" "$DISK/journal/seg-0000000003.mdx"
  (check) >"$WORK/control.out" 2>&1 && fail "a segment was deleted and nobody noticed"
  echo "a segment deleted: $(sed -n 's/^failed: //p' "$WORK/control.out" | head -c 120)"
  exit 0
fi
umount "$DISK"

truncate -s 400M "$WORK/disk.img"
if mkfs.ext4 -q -F "$WORK/disk.img" 2>/dev/null && mount -o loop "$WORK/disk.img" "$DISK" 2>/dev/null; then
  kind="ext4 on a loop device"
else
  mount -t tmpfs -o size=400m none "$DISK"
  kind="tmpfs (no loop device here)"
fi
collect 1MiB 0MiB 0
check
grep -q '"lost":0,' "$WORK/verify.json" && fail "nothing was lost: the ring was too large to test LOSS"
[ "$(count ' level=')" -lt 60 ] || fail "a full disk floods the log"
echo "$((2 * CYCLES)) of $((2 * CYCLES)) resumed by itself: $CYCLES below journal.min_free, nothing lost; $CYCLES full to the last byte \
($kind), $(sed -n 's/.*"lost":\([0-9]*\),.*/\1/p' "$WORK/verify.json") records lost to the journal, all declared"
