#!/bin/sh
# Block trades and those of a combination are off the book and yet of the market: the totals of a journal count them as
# those of the recording do. A journal's totals once left out everything with OFF_BOOK.
. "$(dirname "$0")/lib.sh"

OWN=$HERE/../fixtures/deribit_derivatives
cat >"$WORK/engine.yaml" <<END
engine:
  name: $NAME
  shm_dir: $SHM
journal:
  dir: $WORK/journal
feeds:
  deribit_derivatives:
    recording: $OWN/demo.wscap
    speed: max
    on_end: exit
monitoring:
  enabled: false
END
"$MDENGINE" run -c "$WORK/engine.yaml" 2>"$WORK/engine.log" || fail "the engine ended with status $?"
"$MDENGINE" journal cat "$WORK/journal" --type trade | grep -q '"OFF_BOOK"' || fail "no block trade: this tested nothing"
"$MDENGINE" replay "$WORK/journal" --json >"$WORK/totals.json"
python3 - "$WORK/totals.json" "$OWN/demo.expected.json" <<'END' || fail "totals differ"
import json, sys
from decimal import Decimal
said = {i["symbol"]: i for i in json.load(open(sys.argv[1]))["instruments"]}
want = json.load(open(sys.argv[2]))["demo.wscap"]
for w in want.values():
    i = said[w["symbol"]]
    assert (i["trades"], Decimal(i["trade_qty_sum"])) == (w["trades"], Decimal(w["trade_qty_sum"])), w["symbol"]
print(f"{len(want)} totals equal, block trades included")
END
