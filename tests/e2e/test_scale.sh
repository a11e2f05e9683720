#!/bin/sh
# Many symbols at a high rate over plain WebSocket: nothing is dropped between the exchange's socket and the journal,
# memory, descriptors and threads are constant once the books stand, every account adds up, and every book ends
# equal to the exchange's own. Short and at a lower rate unless MD_SCALE_LONG is set: then 200 symbols at 50,000
# messages a second for two minutes, looked at from the 20th second on. The ring has room for what an exchange sends
# at once when a busy machine let it wait.
# alone: its figures are those of a whole machine
. "$(dirname "$0")/lib.sh"

SIM=
stop_sim() {
  [ -z "$SIM" ] || kill "$SIM" 2>/dev/null || true
  [ -z "$SIM" ] || wait "$SIM" 2>/dev/null || true
  SIM=
}
trap 'stop_sim; cleanup' EXIT

if [ -n "${MD_SCALE_LONG:-}" ]; then RATE=50000 LENGTH=130 WATCH=120 SETTLE=20; else RATE=20000 LENGTH=14 WATCH=8 SETTLE=3; fi
SYMBOLS=200

said() { [ -s "$WORK/sim.out" ]; }
url() { sed -n "1s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$WORK/sim.out"; }

# The market begins when both connections stand: from then on every message has somebody who gets it.
"$MDENGINE" sim --symbols $SYMBOLS --rate $RATE --seconds $LENGTH --hold --wait-clients 2 --weight-limit 0 \
  --truth "$WORK/truth.json" --truth-every 1000000 >"$WORK/sim.out" 2>"$WORK/sim.log" &
SIM=$!
wait_for "the exchange" said
MONITORING="http_port: 0
  metrics_port: 0"
config "    url: $(url ws)
    rest_url: $(url rest)
    symbols: all
    rest_weight_per_min: 1000000
    journal_ring: 256MiB
    silence_depth: 0s
    silence_bbo: 0s
    silence_connection: 0s"
start
METRICS=$(sed -n 's|.*\(http://127\.0\.0\.1:[0-9]*/metrics\).*|\1|p' "$WORK/engine.log" | tail -n 1)
all_valid() { grep -q "all $SYMBOLS books are valid" "$WORK/engine.log"; }
wait_for "all books to be valid" all_valid
python3 "$HERE/process_watch.py" "$ENGINE" "$METRICS" $WATCH $SETTLE --memory-kib 1024 || fail "the engine is not steady"

# equal: the market has ended, every book is VALID with the digest that the exchange gave, everything is durable.
cat >"$WORK/equal.py" <<'END'
import json, subprocess, sys
program, name, shm, truth = sys.argv[1:]
ends = {t["symbol"]: t for t in map(json.loads, open(truth)) if t["at"] == "end"}
bad = 0 if len(ends) == 200 else 1
for symbol, want in ends.items():
    out = subprocess.run([program, "book", "binance_spot", symbol, "-n", name, "-S", shm, "--digest", "--json"],
                         capture_output=True, text=True).stdout
    try:
        said = json.loads(out)
    except ValueError:
        sys.exit(1)
    bad += said["state"] != "VALID" or said["exch_seq"] != want["id"] or said["digest"] != want["digest"]
status = json.loads(subprocess.run([program, "status", "-n", name, "-S", shm, "--json"],
                                   capture_output=True, text=True).stdout)
for f in status["feeds"]:
    bad += f["durable_seq"] != f["published_seq"] or f["raw_durable_seq"] != f["raw_published_seq"]
sys.exit(bad != 0)
END
equal() { grep -q '"at":"end"' "$WORK/truth.json" && python3 "$WORK/equal.py" "$MDENGINE" "$NAME" "$SHM" "$WORK/truth.json"; }
wait_for "books that equal the exchange's" equal
# drained: the sinks have let go of everything, as they say a moment after the last record is durable.
drained() {
  curl -s -m 10 "$METRICS" >"$WORK/metrics" &&
    [ "$(awk '/^mdengine_ring_used_bytes/ { sum += $2 } END { print sum + 0 }' "$WORK/metrics")" = 0 ]
}
wait_for "empty rings" drained
stop_sim
python3 - "$WORK/metrics" "$WORK/sim.out" <<'END' || fail "an account does not add up"
import json, sys
m = {}
for line in open(sys.argv[1]):
    if not line.startswith("#"):
        name, value = line.rsplit(" ", 1)
        name = name.split("{")[0]
        m[name] = m.get(name, 0) + float(value)
sim = json.loads(open(sys.argv[2]).read().splitlines()[-1])
get = lambda name: int(m["mdengine_" + name])
frames = get("feed_frames_total")
answers = get("feed_rest_requests_total") - get("feed_rest_errors_total")
print(f"sent by the exchange: {sim['sent_frames']} frames of {sim['messages']} messages made, {sim['sent_texts']} "
      f"control answers, {answers} REST answers; received: {frames}")
account = {k: get(f"ring_account_{k}_records_total") for k in ("offered", "published", "lost", "consumed")}
print("ring accounts", account, "used bytes", get("ring_used_bytes"))
assert frames == sim["sent_frames"] + sim["sent_texts"] + answers, "frames went missing between the sockets"
assert account["lost"] == 0 and get("ring_lost_records_total") == 0, "records were dropped"
assert account["offered"] == account["published"] == account["consumed"], "a ring is not whole"
assert get("ring_used_bytes") == 0, "a ring is not empty"
for name in ("gaps", "parse_errors", "unroutable", "overflows", "canary_mismatches", "reconnects"):
    assert get(f"feed_{name}_total") == 0, f"{name}: {get(f'feed_{name}_total')}"
assert get("feed_books_valid") == 200
END
stop
"$MDENGINE" journal verify "$WORK/journal" || fail "the journal has holes or damage"
