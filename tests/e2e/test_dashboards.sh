#!/bin/sh
# The dashboards: what Grafana's own types say a dashboard may hold, by tsc and @grafana/schema, and what types cannot say: uids that
# are the files' names, units and descriptions everywhere, and the variables instance, feed and node used by every query that
# can. Negative controls: one fault a dashboard, and each is named.
. "$(dirname "$0")/lib.sh"

GRAFANA=$HERE/../../monitoring/grafana
"$GRAFANA/check/check.sh" >"$WORK/out" 2>"$WORK/err" || fail "the dashboards: $(cat "$WORK/out" "$WORK/err")"
mkdir "$WORK/broken"
python3 - "$GRAFANA/dashboards" "$WORK/broken" <<'END' || fail "the controls"
import json, sys
source = json.load(open(sys.argv[1] + "/overview.json"))
def broken(name, change):
    board = json.loads(json.dumps(source))
    board["uid"] = "mdengine-" + name
    change(board, next(p for p in board["panels"] if p["type"] == "timeseries"))
    json.dump(board, open("%s/%s.json" % (sys.argv[2], name), "w"))
broken("key", lambda b, p: p["options"]["legend"].update(displaymode="list"))
broken("mode", lambda b, p: p["options"]["legend"].update(displayMode="lists"))
broken("style", lambda b, p: p["fieldConfig"]["defaults"]["custom"].update(fillOpacity="much"))
broken("unit", lambda b, p: p["fieldConfig"]["defaults"].update(unit="percents"))
broken("nounit", lambda b, p: p["fieldConfig"]["defaults"].pop("unit"))
broken("uid", lambda b, p: b.update(uid="another"))
broken("panel", lambda b, p: p.update(type="graphs"))
broken("description", lambda b, p: p.update(description=""))
broken("id", lambda b, p: p.update(id=b["panels"][0]["id"]))
broken("instance", lambda b, p: p["targets"][0].update(expr=p["targets"][0]["expr"].replace("instance", "other")))
broken("unused", lambda b, p: b["templating"]["list"].append(dict(b["templating"]["list"][1], name="another")))
broken("right", lambda b, p: None)
END
if "$GRAFANA/check/check.sh" "$WORK/broken" >"$WORK/out" 2>&1; then fail "eleven broken dashboards pass"; fi
for name in key mode style unit nounit uid panel; do
  grep -q "^made/$name\.ts(" "$WORK/out" || fail "the types say nothing of $name.json: $(cat "$WORK/out")"
done
for name in description id instance unused; do
  grep -q "^$name\.json: " "$WORK/out" || fail "nothing is said of $name.json: $(cat "$WORK/out")"
done
! grep -q 'right' "$WORK/out" || fail "a dashboard without a fault does not pass: $(cat "$WORK/out")"
echo "$(find "$GRAFANA/dashboards" -name '*.json' | wc -l) dashboards, 11 controls"
