#!/bin/sh
# Two engines on one schema and one journal's name: the journal's directory is copied and a second engine of another name is
# started on the copy. The one with the later epoch goes on, the other is fenced and stores nothing more; when it is started
# again, its epoch belongs to the other and it is refused. No record is ever twice, and what the first one had is there.
. "$(dirname "$0")/lib.sh"

cluster
feed="    recording: $FIXTURES/demo.wscap.zst
    speed: 5
    repeat: 0"
database="postgres:
  enabled: true
  conninfo: \"$CONNINFO\"
  batch_age: 20ms"
config "$feed" "$database"
SECOND=
trap '[ -z "$SECOND" ] || kill -9 "$SECOND" 2>/dev/null || true; cleanup' EXIT
start
# Best prices: the ids of trades come again when the recording does, and are not taken twice.
cnt() { sql "SELECT count(*) FROM md.bbo WHERE epoch = $1" 2>/dev/null || echo 0; }
more() { [ "$(cnt "$1")" -gt "$2" ]; }
wait_for "rows of the first engine" more 1 100

cp -r "$WORK/journal" "$WORK/copy"
rm -f "$WORK"/copy/*.lock
sed "s|name: $NAME|name: second|; s|dir: $WORK/journal|dir: $WORK/copy|" "$WORK/engine.yaml" >"$WORK/second.yaml"
"$MDENGINE" run -c "$WORK/second.yaml" 2>"$WORK/second.log" &
SECOND=$!
second() { kill -0 "$SECOND" 2>/dev/null || fail "the second engine ended: $(cat "$WORK/second.log")"; more 2 100; }
wait_for "rows of the second engine" second
fenced() { grep -q 'epoch 2 of journal .* from another engine' "$WORK/engine.log"; }
wait_for "the first engine to be fenced" fenced
had=$(cnt 1)
wait_for "more rows of the second engine" more 2 "$(($(cnt 2) + 100))"
[ "$(cnt 1)" = "$had" ] || fail "the fenced engine stored $(($(cnt 1) - had)) rows more"
kill -0 "$ENGINE" || fail "the fenced engine does not collect any more"
stop

# Its second epoch began at another time than the one that is there.
status=0
"$MDENGINE" run -c "$WORK/engine.yaml" >"$WORK/refused.log" 2>&1 || status=$?
[ "$status" -eq 1 ] || fail "status $status: $(cat "$WORK/refused.log")"
grep -q 'epoch 2 of journal .* from another engine' "$WORK/refused.log" || fail "it was refused with $(cat "$WORK/refused.log")"
wait_for "the second engine to be unhurt" more 2 "$(($(cnt 2) + 100))"
kill -TERM "$SECOND"
wait "$SECOND" || fail "the second engine ended with status $?: $(tail -n 3 "$WORK/second.log")"
SECOND=

doubled=$(sql "SELECT count(*) - count(DISTINCT (stream, epoch, seq)) FROM md.bbo")
[ "$doubled" = 0 ] || fail "$doubled rows are there twice"
# The second engine's journal holds its own epoch, and of the first one what was copied.
"$MDENGINE" journal cat "$WORK/copy" >"$WORK/journal.lines"
python3 - "$WORK/journal.lines" "$(cnt 2)" <<'END' || fail "rows of epoch 2 are not those of the journal"
import json, sys
cnt = sum(r["type"] == "bbo" and r["epoch"] == 2 for r in map(json.loads, open(sys.argv[1])))
print(f"{cnt} best prices of epoch 2 in the journal, {sys.argv[2]} in PostgreSQL")
sys.exit(cnt != int(sys.argv[2]))
END
echo "epoch 1 stopped at $had rows when epoch 2 came, $(cnt 2) of it, none twice"
