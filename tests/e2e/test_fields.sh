#!/bin/sh
# Every field of every message of every feed, from the text of a frame to the value in PostgreSQL, exact: base tables,
# views under the predecessor's names, and the journal; a field that is neither stored nor listed with a reason fails,
# and so does a value that is changed on purpose. Defects 2, 10 and 12 of the replaced collector's tables.
. "$(dirname "$0")/lib.sh"

python3 "$HERE/field_frames.py" "$WORK"
cluster
feeds=$(cd "$WORK" && for f in *.wscap; do
  printf '  %s:\n    recording: %s/%s\n    speed: max\n    ladder_every: 1s\n' "${f%.wscap}" "$WORK" "$f"
  case $f in okx*) printf '    order_counts: true\n' ;; esac
done)
cat >"$WORK/engine.yaml" <<END
engine:
  name: $NAME
  shm_dir: $SHM
journal:
  dir: $WORK/journal
  policy: interval
feeds:
$feeds
postgres:
  enabled: true
  conninfo: "$CONNINFO"
  batch_age: 20ms
  records: [book_delta, book_snapshot, ladder, book_orders, bbo, trade, trade_detail, agg_trade, kline, ticker,
    funding, mark, index, open_interest, liquidation, long_short_ratio, volatility_index, greeks, status, gap]
monitoring:
  enabled: false
END
"$MDENGINE" check -c "$WORK/engine.yaml" >/dev/null || fail "the configuration"
start
wait_for "the recordings to end" ended
stored() {
  status_json | python3 -c 'import json, sys
sys.exit(any(f["stored_seq"] != f["published_seq"] for f in json.load(sys.stdin)["feeds"]))'
}
wait_for "all rows" stored
stop
"$MDENGINE" journal cat "$WORK/journal" >"$WORK/cat"
python3 "$HERE/check_fields.py" "$CONNINFO" "$WORK/cat" >"$WORK/out" || fail "fields: $(cat "$WORK/out")"
cat "$WORK/out"
python3 "$HERE/check_defects.py" "$CONNINFO" || fail "a defect of the replaced collector"
"$MDENGINE" replay "$WORK/journal" --verify >"$WORK/verify" || fail "a replay gives other records: $(cat "$WORK/verify")"
"$MDENGINE" db verify -c "$WORK/engine.yaml" >"$WORK/verify" || fail "db verify: $(cat "$WORK/verify")"

# What the check must see.
broken() { # broken TABLE SQL: a change that is taken back
  sql "CREATE TABLE md.kept AS TABLE $1; $2" || fail "$2"
  if python3 "$HERE/check_fields.py" "$CONNINFO" "$WORK/cat" >"$WORK/out"; then fail "not seen: $2"; fi
  sql "TRUNCATE $1; INSERT INTO $1 SELECT * FROM md.kept; DROP TABLE md.kept"
}
broken md.liquidations "UPDATE md.liquidations SET last_qty = filled_qty, filled_qty = last_qty WHERE last_qty IS NOT NULL"
broken md.funding "UPDATE md.funding SET premium = premium + 1e-15 WHERE premium IS NOT NULL"
broken md.trade_details "UPDATE md.trade_details SET iv = NULL"
python3 "$HERE/check_fields.py" "$CONNINFO" "$WORK/cat" >"$WORK/out" || fail "after that: $(cat "$WORK/out")"
