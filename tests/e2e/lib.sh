# lib.sh - what the end-to-end tests share: a work folder, a segment folder of their own, an engine that is
# started, waited for and always stopped. Sourced; wants MDENGINE, the program.
set -eu

: "${MDENGINE:?the program under test}"
HERE=$(cd "$(dirname "$0")" && pwd)
E2E=$(cd "$HERE/../e2e" && pwd) # scripts beside this folder use it too
FIXTURES=$E2E/../fixtures/binance_spot
WORK=$(mktemp -d "${TMPDIR:-/tmp}/mdengine-test.XXXXXX")
SHM=$(mktemp -d /dev/shm/mdengine-test.XXXXXX)
NAME=test
ENGINE=
CLUSTER=
chmod 755 "$WORK" "$SHM"

cleanup() {
  [ -z "$ENGINE" ] || kill -9 "$ENGINE" 2>/dev/null || true
  [ -z "$CLUSTER" ] || "$E2E/pg_cluster.sh" stop "$CLUSTER" >/dev/null 2>&1 || true
  [ -z "${TINY:-}" ] || umount "$TINY" 2>/dev/null || true # a test's own tmpfs
  rm -rf "$WORK" "$SHM"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

fail() {
  printf 'failed: %s\n' "$*" >&2
  [ ! -s "$WORK/engine.log" ] || tail -n 15 "$WORK/engine.log" >&2
  exit 1
}

# config FEED_LINES [EXTRA_LINES]: writes $WORK/engine.yaml; lines are YAML, indented for their place. JOURNAL
# may hold more keys of its section, JOURNAL_DIR another place for it; MONITORING the keys of that section, which
# is off otherwise: tests run beside other engines; IO what runs the sinks' I/O.
config() {
  cat >"$WORK/engine.yaml" <<END
engine:
  name: $NAME
  shm_dir: $SHM${IO:+
  io: $IO}
journal:
  dir: ${JOURNAL_DIR:-$WORK/journal}
  ${JOURNAL:-policy: interval}
feeds:
  ${FEED:-binance_spot}:
$1
${2:-}
monitoring:
  ${MONITORING:-enabled: false}
END
}

# start runs the engine in the background and waits until its segment is ready. RUNNER may hold a program that
# prepares the process and becomes the engine.
start() {
  ${RUNNER:-} "$MDENGINE" run -c "$WORK/engine.yaml" 2>>"$WORK/engine.log" &
  ENGINE=$!
  wait_for "the engine to be ready" ready
}

# The pid tells the engine from a killed one that left its segment.
ready() { status_json | grep -q "\"pid\":$ENGINE,"; }

# stop ends the engine in order and wants exit status 0.
stop() {
  kill -TERM "$ENGINE"
  wait "$ENGINE" || fail "the engine ended with status $?"
  ENGINE=
}

# wait_for WHAT COMMAND...: polls, 120 seconds at least. Whatever another thread or process does, be it a line of the log
# that comes with something else, is waited for so and never looked at once.
wait_for() {
  what=$1
  shift
  tries=0
  until "$@"; do
    tries=$((tries + 1))
    [ "$tries" -lt 2400 ] || fail "waited in vain for $what"
    [ -z "$ENGINE" ] || kill -0 "$ENGINE" 2>/dev/null || fail "the engine ended while waiting for $what"
    sleep 0.05
  done
}

# logged PATTERN: the engine's log has such a line; for wait_for.
logged() { grep -q "$1" "$WORK/engine.log"; }

status_json() { "$MDENGINE" status -n "$NAME" -S "$SHM" --json 2>/dev/null; }

# ended: every recording was played to its end, and everything published is durable.
ended() {
  status_json >"$WORK/status.json" || true
  python3 - "$WORK/status.json" <<'END'
import json, sys
try:
    feeds = json.load(open(sys.argv[1]))["feeds"]
except ValueError:
    sys.exit(1)
done = all(f["input"] == "ended" and f["durable_seq"] == f["published_seq"] for f in feeds)
sys.exit(0 if feeds and done else 1)
END
}

# played: every recording was played to its end.
played() { status_json | grep -q '"input":"ended"'; }

# cluster starts a private PostgreSQL and sets CONNINFO.
cluster() {
  CLUSTER=$WORK/pg
  CONNINFO=$("$E2E/pg_cluster.sh" start "$CLUSTER") || fail "the private PostgreSQL did not start"
}

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$CONNINFO" -c "$1"; }
