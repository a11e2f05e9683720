#!/bin/sh
# A journal that cannot keep up loses records, and says which: LOSS stands for each of them, also for the last
# ones before a stop and before a kill; PostgreSQL still holds exactly what the journal holds.
. "$(dirname "$0")/lib.sh"

cluster
config "    recording: $FIXTURES/demo.wscap.zst
    speed: 5000
    journal_ring: 64KiB
    repeat: 20
    on_end: hold" "postgres:
  enabled: true
  conninfo: \"$CONNINFO\""
start
wait_for "a loss" sh -c "'$MDENGINE' status -n $NAME -S $SHM --json | grep -q '\"lost\":[1-9]'"
kill -9 "$ENGINE"
wait "$ENGINE" 2>/dev/null || true
start
wait_for "the end of the recording" played
"$MDENGINE" status -n $NAME -S "$SHM" --json >"$WORK/status.json"
stop
"$MDENGINE" journal verify "$WORK/journal" --json >"$WORK/verify.json" || fail "holes: $(cat "$WORK/verify.json")"
"$MDENGINE" journal stat "$WORK/journal" --json >"$WORK/stat.json"
python3 - "$WORK/verify.json" "$WORK/stat.json" "$WORK/status.json" <<'END' || fail "the losses do not add up"
import json, sys
verify, stat, status = (json.load(open(p)) for p in sys.argv[1:4])
feed = status["feeds"][0]
print("lost", verify["lost"], "holes", verify["holes"])
for stream, published in (("binance_spot", feed["published_seq"]), ("binance_spot.raw", feed["raw_published_seq"])):
    last = stat["streams"][stream]["last_seq"]
    print(stream, "published", published, "accounted for", last)
    if last != published:
        sys.exit(1)
sys.exit(0 if verify["lost"] > 0 and verify["holes"] == 0 else 1)
END
"$MDENGINE" journal cat "$WORK/journal" >"$WORK/journal.lines"
python3 "$HERE/compare_rows.py" "$WORK/journal.lines" "$CONNINFO" || fail "rows differ"
