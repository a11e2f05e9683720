#!/bin/sh
# A replay begun at the second segment has VALID books from its first record on, and ends in the same books.
. "$(dirname "$0")/lib.sh"

JOURNAL="segment: 2MiB
  block: 256KiB"
config "    recording: $FIXTURES/demo.wscap.zst
    speed: 30
    on_end: exit"
"$MDENGINE" run -c "$WORK/engine.yaml" 2>"$WORK/engine.log" || fail "the engine failed"
segments=$("$MDENGINE" journal ls "$WORK/journal" --json | wc -l)
[ "$segments" -ge 4 ] || fail "only $segments segments"
"$MDENGINE" journal verify "$WORK/journal" || fail "the journal has holes or damage"
"$MDENGINE" replay "$WORK/journal" --json >"$WORK/whole.json" || fail "the journal does not replay"
segment=2
while [ "$segment" -le "$segments" ]; do
  "$MDENGINE" replay "$WORK/journal" --segment "$segment" --count 1 --json >"$WORK/begin.json" ||
    fail "replay of the first record of segment $segment"
  "$MDENGINE" replay "$WORK/journal" --segment "$segment" --json >"$WORK/end.json" || fail "replay from segment $segment"
  python3 - "$WORK/whole.json" "$WORK/begin.json" "$WORK/end.json" <<'END' || fail "segment $segment does not stand alone"
import json, sys
whole, begin, end = ({i["symbol"]: i for i in json.load(open(p))["instruments"]} for p in sys.argv[1:4])
wrong = [s for s in whole if begin.get(s, {}).get("state") != "VALID"]
wrong += [s for s in whole if any(end.get(s, {}).get(f) != whole[s][f] for f in ("state", "exch_seq", "digest"))]
print(wrong)
sys.exit(bool(wrong) or not whole)
END
  segment=$((segment + 1))
done
