#!/bin/sh
# mdengine db against a private PostgreSQL: init makes everything once; every record type of a recording is
# stored, ladders on their grid and equal to the book, each NULL with its documented reason; verify finds the
# tables equal to the journal, and each kind of difference made on purpose; retention drops old days although
# another session holds the table, without holding up rows; a database of version 1 is migrated with its data;
# a newer one is refused; the compatibility views and klines by value, partitions pruned through them; a
# stand-in for TimescaleDB gets hypertables.
. "$(dirname "$0")/lib.sh"

db() { "$MDENGINE" db "$@"; }
wants() { # wants WHAT EXPECTED SQL
  got=$(sql "$3")
  [ "$got" = "$2" ] || fail "$1: $got instead of $2"
}
database() { # a database of its own in the cluster; sets CONNINFO
  sql "CREATE DATABASE $1"
  CONNINFO="${MAIN%dbname=*}dbname=$1 ${MAIN#*dbname=postgres}"
}
settings() { # settings RECORDS [MORE]: writes the configuration for the present CONNINFO
  config "    recording: $FIXTURES/demo.wscap.zst
    speed: max
    ladder_every: 1s" "postgres:
  enabled: true
  conninfo: \"$CONNINFO\"
  records: [$1]
  batch_age: 20ms
${2:-}"
}
"$MDENGINE" db columns --markdown | while IFS= read -r line; do
  grep -qxF -- "$line" "$HERE/../../writers/README.md" || fail "writers/README.md lacks: $line"
done
ALL="book_delta, book_snapshot, ladder, bbo, trade, agg_trade, kline, ticker, status, gap"

cluster
MAIN=$CONNINFO

# ---- init, a run, verify ----
JOURNAL="segment: 2MiB
  block: 256KiB"
settings "$ALL"
if db verify -c "$WORK/engine.yaml" 2>"$WORK/err"; then fail "verify of nothing is no error"; fi
grep -q "db init" "$WORK/err" || fail "no word of db init: $(cat "$WORK/err")"
db init -c "$WORK/engine.yaml" | grep -q "CREATE ROLE" || fail "init says nothing of roles"
db init -c "$WORK/engine.yaml" --json | grep -q '"version_before":3,"version":3,"made":0' || fail "init twice"
start
wait_for "the recording to end" ended
stored() {
  status_json | python3 -c 'import json, sys
sys.exit(any(f["stored_seq"] != f["published_seq"] for f in json.load(sys.stdin)["feeds"]))'
}
wait_for "all rows" stored
stop
for table in book_deltas book_snapshots book_ladders bbo trades klines tickers definitions status; do
  wants "rows in $table" t "SELECT count(*) > 0 FROM md.$table"
done
db verify -c "$WORK/engine.yaml" --json | tee "$WORK/verify" | grep -q '"differences":0,"complete":true' ||
  fail "verify: $(cat "$WORK/verify")"
"$MDENGINE" journal cat "$WORK/journal" >"$WORK/lines"
python3 "$HERE/check_ladders.py" <"$WORK/lines" || fail "ladders differ from the book"
"$MDENGINE" replay "$WORK/journal" --verify || fail "the RAW frames make other ladders"
python3 "$HERE/check_nulls.py" "$MDENGINE" "$CONNINFO" || fail "NULL without a reason"

# ---- the journal's own retention took its first segments; what is left is compared, and a hole in it found ----
JOURNAL_DIR=$WORK/kept
cp -r "$WORK/journal" "$JOURNAL_DIR"
rm "$JOURNAL_DIR"/seg-000000000[12].mdj
settings "$ALL"
db verify -c "$WORK/engine.yaml" --json >"$WORK/out" 2>&1 || fail "verify of a kept part: $(cut -c1-500 "$WORK/out")"
grep -q '"rows":[1-9].*"streams_begin_later":2,"differences":0' "$WORK/out" || fail "a kept part: $(cat "$WORK/out")"
db verify -c "$WORK/engine.yaml" | grep -q "not compared: the beginning of 2 streams" || fail "what is gone is not told"
sql "UPDATE md.trades SET px = px + 0.00000001 WHERE seq = (SELECT max(seq) FROM md.trades)"
db verify -c "$WORK/engine.yaml" | grep -q "sum of px" || fail "a changed price in the kept part is not found"
sql "UPDATE md.trades SET px = px - 0.00000001 WHERE seq = (SELECT max(seq) FROM md.trades)"
rm "$JOURNAL_DIR/seg-0000000004.mdj"
db verify -c "$WORK/engine.yaml" >"$WORK/out" 2>&1 && fail "a segment that is missing in the middle is taken for retention"
unset JOURNAL JOURNAL_DIR
settings "$ALL"

# ---- what verify must find ----
broken() { # broken WORDS SQL: in a transaction's place, a change that is taken back by the next
  sql "$2"
  if db verify -c "$WORK/engine.yaml" >"$WORK/out" 2>&1; then fail "verify did not see: $2"; fi
  grep -q "$1" "$WORK/out" || fail "verify does not say '$1': $(head -n 3 "$WORK/out")"
}
one="(SELECT min(seq) FROM md.trades)"
broken "sum of px" "UPDATE md.trades SET px = px + 0.00000001 WHERE seq = $one"
sql "UPDATE md.trades SET px = px - 0.00000001 WHERE seq = $one"
broken "sum of bid_qty" "UPDATE md.book_ladders SET bid_qty[3] = bid_qty[3] + 1 WHERE seq = (SELECT min(seq) FROM md.book_ladders)"
sql "UPDATE md.book_ladders SET bid_qty[3] = bid_qty[3] - 1 WHERE seq = (SELECT min(seq) FROM md.book_ladders)"
broken "number of trade_id" "UPDATE md.trades SET trade_id = NULL WHERE seq = $one"
broken "first seq" "DELETE FROM md.trades WHERE seq = $one"
broken "number of rows" "INSERT INTO md.bbo SELECT * FROM md.bbo LIMIT 1"

# ---- retention: another session reads a table meanwhile, and rows go on ----
psql -X -q -d "$CONNINFO" >"$WORK/holder" 2>&1 <<END &
BEGIN;
SELECT count(*) FROM md.bbo;
\\! touch $WORK/held; while [ ! -e $WORK/release ]; do sleep 0.05; done
COMMIT;
END
holder=$!
wait_for "a session that reads the table" test -e "$WORK/held"
db retention -c "$WORK/engine.yaml" --keep-days 1 >"$WORK/retention" 2>&1 &
retention=$!
wait_for "retention to want the table" sh -c "psql -X -A -t -d '$CONNINFO' -c \"SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted\" | grep -q 1"
for i in 1 2 3 4 5; do
  sql "SET statement_timeout = '20s'; INSERT INTO md.bbo SELECT now(), journal, stream, epoch, -$i, instrument, exch_seq,
    ts_exch_ns, ts_recv_ns, ts_pub_ns, flags, bid_px, bid_qty, ask_px, ask_qty, ts_match_ns, bid_orders, ask_orders FROM md.bbo LIMIT 1" ||
    fail "a row waited for retention"
done
touch "$WORK/release"
wait "$retention" || fail "retention: $(cat "$WORK/retention")"
wait "$holder" || true
grep -q "had to be waited for" "$WORK/retention" || fail "retention did not wait: $(cat "$WORK/retention")"
wants "old partitions" 0 "SELECT count(*) FROM pg_class WHERE relname ~ '_20[0-9]{6}$' AND right(relname, 8) < to_char(now() - interval '1 day', 'YYYYMMDD') AND relname !~ '^definitions'"
wants "definitions" t "SELECT count(*) > 0 FROM md.definitions"
sql "DELETE FROM md.bbo WHERE seq < 0"
db verify -c "$WORK/engine.yaml" >"$WORK/out" 2>&1 || fail "verify after retention: $(cat "$WORK/out")"

# ---- version 1, migrated with its data; a newer version ----
database old
gzip -dc "$HERE/../fixtures/postgres/schema_v1.sql.gz" | psql -X -q -v ON_ERROR_STOP=1 -d "$CONNINFO" >/dev/null
mkdir "$WORK/old"
tar -C "$WORK/old" -xzf "$HERE/../fixtures/postgres/journal_v1.tar.gz"
JOURNAL_DIR=$WORK/old
settings "trade, bbo, kline, ticker, agg_trade, status, gap"
rows=$(sql "SELECT sum((xpath('/row/n/text()', query_to_xml('SELECT count(*) n FROM md.' || relname, false, true, '')))[1]::text::int) FROM pg_class WHERE relkind = 'p' AND relnamespace = 'md'::regnamespace")
if db init -c "$WORK/engine.yaml" 2>"$WORK/err"; then fail "init over version 1"; fi
grep -q "db migrate" "$WORK/err" || fail "no word of migrate: $(cat "$WORK/err")"
db migrate -c "$WORK/engine.yaml" --json | grep -q '"version_before":1,"version":3' || fail "migrate"
wants "rows after migrating" "$rows" "SELECT sum((xpath('/row/n/text()', query_to_xml('SELECT count(*) n FROM md.' || relname, false, true, '')))[1]::text::int) FROM pg_class WHERE relkind = 'p' AND relnamespace = 'md'::regnamespace"
wants "comments of today" t "SELECT col_description('md.bbo'::regclass, 8) LIKE '%NULL: binance_spot: bookTicker%'"
db verify -c "$WORK/engine.yaml" >"$WORK/out" 2>&1 || fail "verify after migrating: $(cat "$WORK/out")"

# ---- version 2 with rows of every type, and its journal of the first format ----
database two
gzip -dc "$HERE/../fixtures/postgres/schema_v2.sql.gz" | psql -X -q -v ON_ERROR_STOP=1 -d "$CONNINFO" >/dev/null
mkdir "$WORK/two"
tar -C "$WORK/two" -xzf "$HERE/../fixtures/postgres/journal_v2.tar.gz"
JOURNAL_DIR=$WORK/two
settings "book_delta, book_snapshot, ladder, bbo, trade, agg_trade, kline, ticker, funding, mark, index, open_interest,
    liquidation, long_short_ratio, volatility_index, greeks, status, gap"
"$MDENGINE" journal cat "$WORK/two" >"$WORK/renewed"
gzip -dc "$HERE/../fixtures/postgres/journal_v2.jsonl.gz" | python3 "$HERE/check_renewed.py" "$WORK/renewed" ||
  fail "records of the first format are not what they were"
"$MDENGINE" journal verify "$WORK/two" >"$WORK/out" || fail "a journal of the first format: $(cat "$WORK/out")"
"$MDENGINE" replay "$WORK/two" --verify >"$WORK/out" || fail "its frames make other records: $(cat "$WORK/out")"
db migrate -c "$WORK/engine.yaml" --json | grep -q '"version_before":2,"version":3' || fail "migrate from 2"
db verify -c "$WORK/engine.yaml" >"$WORK/out" 2>&1 || fail "verify after migrating from 2: $(cat "$WORK/out")"
wants "a column that came later" "true true 0" "SELECT bool_and(book_seq IS NULL) || ' ' || bool_and(px IS NOT NULL) || ' ' || sum(fill_cnt) FROM md.v_trades"
wants "a later column of the compatibility views" t "SELECT count(*) > 0 FROM marketprism.liquidations WHERE order_status IS NULL"
columns() { sql "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns WHERE table_schema = 'md' AND table_name !~ '_(default|20[0-9]{6})\$' AND table_name !~ '^v_' ORDER BY 1, 2"; }
columns >"$WORK/columns.migrated"
database three
settings "trade"
db init -c "$WORK/engine.yaml" >/dev/null
columns >"$WORK/columns.made"
diff "$WORK/columns.made" "$WORK/columns.migrated" >"$WORK/out" || fail "migrated tables differ from new ones: $(cat "$WORK/out")"
JOURNAL_DIR=$WORK/old
CONNINFO="${MAIN%dbname=*}dbname=old ${MAIN#*dbname=postgres}"
settings "trade, bbo, kline, ticker, agg_trade, status, gap"
sql "INSERT INTO md.schema_version (version) VALUES (99)"
if db migrate -c "$WORK/engine.yaml" 2>"$WORK/err"; then fail "a newer version was accepted"; fi
grep -q "version 99" "$WORK/err" || fail "$(cat "$WORK/err")"
if "$MDENGINE" run -c "$WORK/engine.yaml" 2>"$WORK/err"; then fail "the engine took a newer version"; fi
grep -q "version 99" "$WORK/err" || fail "the engine's word on a newer version: $(tail -n 2 "$WORK/err")"
JOURNAL_DIR=

# ---- views by value ----
database views
settings "$ALL"
db init -c "$WORK/engine.yaml" >/dev/null
psql -X -q -v ON_ERROR_STOP=1 -d "$CONNINFO" -f "$HERE/db_views.sql" || fail "rows of the views' test"
psql -X -q -A -t -d "$CONNINFO" -f "$HERE/db_views_read.sql" >"$WORK/views" 2>&1
diff "$HERE/db_views.expected" "$WORK/views" >"$WORK/diff" || fail "views: $(cat "$WORK/diff")"
for view in trades orderbooks; do
  sql "EXPLAIN SELECT * FROM marketprism.$view WHERE timestamp >= '2024-05-02' AND timestamp < '2024-05-03'" >"$WORK/plan"
  if grep -q "20240501" "$WORK/plan"; then fail "$view reads a day too many: $(cat "$WORK/plan")"; fi
  grep -q "20240502" "$WORK/plan" || fail "$view does not read its day: $(cat "$WORK/plan")"
done
sql "EXPLAIN SELECT * FROM md.bars('2024-05-02', '2024-05-03')" >"$WORK/plan"
if grep -q "20240501" "$WORK/plan"; then fail "bars reads a day too many: $(cat "$WORK/plan")"; fi
grep -q "20240502" "$WORK/plan" || fail "bars does not read its day: $(cat "$WORK/plan")"

# ---- a stand-in for TimescaleDB ----
database stand_in
settings "$ALL"
psql -X -q -v ON_ERROR_STOP=1 -d "$CONNINFO" -f "$HERE/timescale_stand_in.sql" || fail "the stand-in"
db init -c "$WORK/engine.yaml" --json | grep -q '"timescale":true' || fail "TimescaleDB is not seen"
wants "hypertables" 22 "SELECT count(*) FROM ts.calls WHERE what = 'create_hypertable recv_ts 1 day'"
wants "native partitions" 0 "SELECT count(*) FROM pg_class WHERE relkind = 'p'"
rm -rf "$WORK/journal"
start
wait_for "the recording to end" ended
wait_for "all rows" stored
stop
wants "rows in a hypertable" t "SELECT count(*) > 1000 FROM md.trades"
db retention -c "$WORK/engine.yaml" --keep-days 1 --json | grep -q '"chunks":21' || fail "drop_chunks"
wants "dropped chunks" 21 "SELECT count(*) FROM ts.calls WHERE what LIKE 'drop_chunks%'"
