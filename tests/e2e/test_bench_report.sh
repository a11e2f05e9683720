#!/bin/sh
# What bench does with its results: --rounds, --plot writes SVG files that are well-formed and show what was measured,
# --compare names what got worse than an older report, beyond noise, and then ends with 1; a report that is broken, or
# of measurements that there are not, is an error with its reason. What the figures are is nobody's business here: the
# older report is made out of this run's. Takes about 5 s.
. "$(dirname "$0")/lib.sh"

"$MDENGINE" bench decode --rounds 2 --json >"$WORK/now.json" 2>"$WORK/log" || fail "bench ended with $?: $(cat "$WORK/log")"

# report HOW OUT: this run's report made into another one.
report() {
  python3 - "$WORK/now.json" "$1" >"$WORK/$2" <<'END'
import json
import sys

report = json.load(open(sys.argv[1], encoding="utf-8"))
rows = report["results"]
for number, row in enumerate(rows):
    better = {"better": 1000, "worse": 0.001, "unknown": 1, "stranger": 1}[sys.argv[2]]
    row["ratio"], row["ratio_min"], row["ratio_max"] = 100 * better, 99 * better, 101 * better
    row["value"], row["min"], row["max"] = 100, 99, 101
if sys.argv[2] == "unknown":
    rows.append(dict(rows[0], name="decode.nothing_like_it"))
if sys.argv[2] == "stranger":
    rows.append(dict(rows[0], name="abacus.beads"))
json.dump(report, sys.stdout)
END
}

# compare OLD STATUS PATTERN: decode measured again, beside a report.
compare() {
  status=0
  "$MDENGINE" bench decode --rounds 6 --compare "$WORK/$1" >"$WORK/out" 2>"$WORK/log" || status=$?
  [ "$status" -eq "$2" ] || fail "compared with $1: status $status, not $2: $(cat "$WORK/log")"
  grep -q "$3" "$WORK/log" || fail "compared with $1, no '$3' in: $(cat "$WORK/log")"
}

# A round in which the thread was preempted does not count, so it is tried until there are some.
measured() {
  "$MDENGINE" bench decode --rounds 6 --json >"$WORK/some.json" 2>/dev/null || return 1
  python3 -c 'import json, sys; sys.exit(json.load(open(sys.argv[1]))["results"][0]["value"] is None)' "$WORK/some.json"
}
wait_for "a round of decode that counts" measured

worse_than_better() {
  "$MDENGINE" bench decode --rounds 6 --compare "$WORK/better.json" >"$WORK/out" 2>"$WORK/log" && return 1
  grep -q '^worse: decode.agg_trade: ratio 1e+05 ' "$WORK/log"
}
better_than_worse() {
  "$MDENGINE" bench decode --rounds 6 --compare "$WORK/worse.json" >"$WORK/out" 2>"$WORK/log" || return 1
  grep -q '^better: decode.agg_trade: ratio 0.1 ' "$WORK/log" && grep -q ' 0 worse, ' "$WORK/log"
}
report better better.json
wait_for "a run that is worse than a better one" worse_than_better
report worse worse.json
wait_for "a run that is better than a worse one" better_than_worse

report unknown unknown.json
compare unknown.json 2 "'decode.nothing_like_it' is no result of this program"
report stranger stranger.json
compare stranger.json 2 "'abacus.beads' is of no measurement"
head -c 300 "$WORK/now.json" >"$WORK/cut.json"
compare cut.json 2 'not a report that mdengine bench --json wrote'
echo '[]' >"$WORK/list.json"
compare list.json 2 'not a report that mdengine bench --json wrote'
compare absent.json 2 'No such file'

# The plots: of decode there is none of latency; a folder that cannot be made is an error before anything is measured.
"$MDENGINE" bench tape --rounds 3 --seconds 1 --plot "$WORK/plots" >"$WORK/out" 2>"$WORK/log" ||
  fail "--plot ended with $?: $(cat "$WORK/log")"
python3 - "$WORK/plots" <<'END' || fail "the plots are not what they must be"
import glob
import sys
import xml.etree.ElementTree as tree

for path in glob.glob(sys.argv[1] + "/*"):
    assert path.endswith(".svg"), path
    root = tree.parse(path).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg", path
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    assert lines, f"{path} shows nothing"
    for line in lines:
        points = [tuple(map(float, point.split(","))) for point in line.get("points").split()]
        assert len(points) >= 2 and all(0 <= x <= 960 and 0 <= y <= 480 for x, y in points), (path, points)
        assert [x for x, _ in points] == sorted(x for x, _ in points), (path, points)
END
: >"$WORK/file"
"$MDENGINE" bench decode --plot "$WORK/file/plots" >/dev/null 2>"$WORK/log" && fail "a folder inside a file was made"
grep -q 'cannot make this folder' "$WORK/log" || fail "no reason: $(cat "$WORK/log")"
