#!/bin/sh
# bench: `mdengine bench book tape tick journal replay copy` runs in its shortest form, its readers get the books that were written, and
# its report is JSON with every measurement in it, each with a figure: turns count however busy the machine is
# (--disturbed), so only what the machine has not (a second processor, memory, space) excuses a line. What the figures are
# is nobody's business here. Takes about 15 s.
. "$(dirname "$0")/lib.sh"
BEFORE=$(echo /dev/shm/mdbench.*)
TMPDIR=$WORK "$MDENGINE" bench book tape tick journal replay copy --seconds 1 --disturbed --json >"$WORK/bench.json" || fail "bench did not end with 0"
python3 - "$WORK/bench.json" <<'END' || fail "the report of bench is not what it must be"
import json
import sys

report = json.load(open(sys.argv[1], encoding="utf-8"))
assert report["machine"]["cpu_cnt"] >= 1, report["machine"]
fields = {"name", "value", "unit", "p50_ns", "p99_ns", "p999_ns", "max_ns", "baseline", "ratio", "floor", "target"}
fields |= {"min", "max", "ratio_min", "ratio_max", "why"}
rows = {row["name"]: row for row in report["results"]}
assert len(rows) == len(report["results"]), "a name stands twice"
for row in rows.values():
    assert set(row) == fields | {"holds"}, row
    assert row["holds"] in (None, True, False), row
    assert row["value"] is None or row["value"] >= 0, row
    assert (row["value"] is None) == bool(row["why"]), f"measured or with a reason why not: {row}"
    assert (row["value"] is None) <= (row["holds"] is None), f"not measured, yet judged: {row}"
wanted = ["book.top.at_1m", "book.ladder.client", "book.depth_1000.flat_out.within_4", "book.publish.1.readers_64",
          "book.publish.10000", "tape.append.readers_8", "tape.round_trip", "tick.decode_apply_publish",
          "tick.100.stopped_100", "tick.10000.readers_64", "tick.visible.p99", "journal.write", "journal.durable.p99",
          "journal.recovery_scan", "replay.raw", "copy.from_file", "copy.rows_100k", "copy.cpu",
          "copy.rows_10k.two"]
missing = [name for name in wanted if name not in rows]
assert not missing, f"{missing} are missing"
excuses = ("a second processor is needed", "no memory", "not enough space", "memory and not a disk")
empty = {name: row["why"] for name, row in rows.items()
         if row["value"] is None and not any(excuse in row["why"] for excuse in excuses)}
assert not empty, f"not measured though turns count however disturbed: {empty}"
print(f"{len(rows)} measurements, {sum(row['value'] is not None for row in rows.values())} with a figure")
END
# Somebody else's bench may be running, and one that was killed may have left its own before.
none_left() {
  for folder in /dev/shm/mdbench.*; do
    [ ! -d "$folder" ] || case " $BEFORE " in *" $folder "*) ;; *) return 1 ;; esac
  done
}
wait_for "the shared memory of bench to be gone" none_left
ls -d "$WORK"/mdbench.* >/dev/null 2>&1 && fail "bench left its folder behind"
"$MDENGINE" bench book --seconds 1 --shm-dir "$WORK/none" --json | grep -q "cannot make a folder in $WORK/none" ||
  fail "bench does not say that its tmpfs is not there"
"$MDENGINE" bench nonsense >/dev/null 2>&1 && fail "an unknown measurement was accepted"
"$MDENGINE" bench --help | grep -q '^  tick ' || fail "bench --help does not name its measurements"
