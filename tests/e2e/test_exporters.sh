#!/bin/sh
# The other parts of the stack, real: node, PostgreSQL and Redis exporters with their servers, Alertmanager and Prometheus
# itself are scraped by the jobs of docker/prometheus.yml, and every query of every panel and rule that names their metrics returns
# data. The links of an alert are addresses that answer. A PostgreSQL or a Redis that ends, and an exporter that ends, fire PostgresDown, RedisDown and TargetDown, which
# are over once it is back. Not here, for Debian has none: the exporter of NATS, and Grafana.
. "$(dirname "$0")/lib.sh"

MONITORING_DIR=$HERE/../../monitoring
PARTS=
parts_cleanup() {
  # shellcheck disable=SC2086 # a list of process ids
  [ -z "$PARTS" ] || kill -9 $PARTS 2>/dev/null || true
  cleanup
}
trap parts_cleanup EXIT

# part NAME COMMAND...: runs it in the background, its output in $WORK/NAME.log, its process id in $PID.
part() {
  name=$1
  shift
  "$@" >>"$WORK/$name.log" 2>&1 &
  PID=$!
  PARTS="$PARTS $PID"
}

# shellcheck disable=SC2046 # a list of numbers
set -- $(python3 -c '
import socket
s = [socket.socket() for _ in range(7)]
for x in s:
    x.bind(("127.0.0.1", 0))
print(*[x.getsockname()[1] for x in s])')
PROMETHEUS=$1 ALERTMANAGER=$2 NODE=$3 POSTGRES=$4 REDIS_EXPORTER=$5 REDIS=$6 CLUSTER_PORT=$7
redis() { part redis redis-server --bind 127.0.0.1 --port "$REDIS" --save '' --dir "$WORK" && REDIS_PID=$PID; }
node() { part node prometheus-node-exporter --web.listen-address="127.0.0.1:$NODE" && NODE_PID=$PID; }
cluster
redis
node
# As compose.yaml has it: no password, over the server's socket.
part postgres env DATA_SOURCE_NAME="$CONNINFO sslmode=disable" \
  prometheus-postgres-exporter --web.listen-address="127.0.0.1:$POSTGRES"
part redis_exporter env REDIS_ADDR="redis://127.0.0.1:$REDIS" \
  prometheus-redis-exporter -web.listen-address="127.0.0.1:$REDIS_EXPORTER"
mkdir "$WORK/secrets"
echo http://127.0.0.1:1/nobody >"$WORK/secrets/webhook_url"
"$MONITORING_DIR/alertmanager/render" "$WORK/secrets" "$WORK/alertmanager.yml" >"$WORK/render.log" 2>&1 ||
  fail "alertmanager/render: $(cat "$WORK/render.log")"
part alertmanager prometheus-alertmanager --config.file="$WORK/alertmanager.yml" --storage.path="$WORK/alerts" \
  --web.listen-address="127.0.0.1:$ALERTMANAGER" --cluster.listen-address="127.0.0.1:$CLUSTER_PORT"

# The shipped jobs, with the addresses of this test instead of the containers' names.
mkdir "$WORK/rules"
for file in "$MONITORING_DIR"/prometheus/rules/*.yml; do
  sed 's/interval: 15s/interval: 1s/; s/for: 1m$/for: 4s/' "$file" >"$WORK/rules/${file##*/}"
done
python3 - "$HERE/../../docker/prometheus.yml" "$WORK/prometheus.yml" "alertmanager=$ALERTMANAGER" "node=$NODE" \
  "postgres-exporter=$POSTGRES" "redis-exporter=$REDIS_EXPORTER" <<'END' || fail "docker/prometheus.yml"
import re, sys
text, ports = open(sys.argv[1]).read(), dict(a.split("=") for a in sys.argv[3:])
def static(found):
    name = found.group(3)
    targets = "'127.0.0.1:%s'" % ports[name] if name in ports else ""
    return "%sstatic_configs:\n%s- {targets: [%s]}\n" % (found.group(1), found.group(2), targets)
text, cnt = re.subn(r"( +(?:- )?)dns_sd_configs:\n( +)- \{names: \[([\w-]+)\], type: A, port: \d+\}\n", static, text)
assert cnt == 7, cnt
open(sys.argv[2], "w").write(text.replace("15s", "2s").replace("engine:9092", "127.0.0.1:1"))
END
sed -i "s/localhost:9090/127.0.0.1:$PROMETHEUS/" "$WORK/prometheus.yml"
export RUNBOOK_URL="http://127.0.0.1:$PROMETHEUS/user" GRAFANA_URL=http://grafana.example
part prometheus prometheus --config.file="$WORK/prometheus.yml" --storage.tsdb.path="$WORK/tsdb" \
  --enable-feature=expand-external-labels --web.user-assets="$MONITORING_DIR/runbook" --web.listen-address="127.0.0.1:$PROMETHEUS" --log.level=warn
query() {
  curl -s -m 10 -G --data-urlencode "query=$1" "http://127.0.0.1:$PROMETHEUS/api/v1/query" |
    grep -q '"status":"success".*"result":\[{'
}
for job in node postgres redis alertmanager prometheus; do
  wait_for "a scrape of $job; $(cat "$WORK/$job.log" 2>/dev/null)" query "up{job=\"$job\"} == 1"
done
wait_for "Redis and PostgreSQL to be up" query 'pg_up == 1 and on () redis_up == 1'
wait_for "some scrapes" query 'count_over_time(node_load1[1m]) > 5'
python3 - "$MONITORING_DIR" "$PROMETHEUS" <<'END' || fail "queries without data"
import glob, json, re, sys, time, urllib.parse, urllib.request
folder, port = sys.argv[1:]
end = time.monotonic() + 120
# Those metrics are what is asked here; the engine's are in another test.
OURS = re.compile(r'\b(node_|pg_|redis_|alertmanager_|prometheus_|gnatsd_)\w+|\bup\{job(!=|="nats")|\bALERTS\b')
LACKS = re.compile(r'gnatsd_|job="nats"|\bALERTS\b')

def ask(expr):
    data = urllib.parse.urlencode({"query": expr}).encode()
    last = max(end, time.monotonic() + 30)  # a scrape that takes too long under load leaves no data for a while
    while True:
        try:
            found = json.load(urllib.request.urlopen("http://127.0.0.1:%s/api/v1/query" % port, data, 30))["data"]["result"]
        except urllib.error.HTTPError as error:
            return "error: " + error.read().decode()
        if found or time.monotonic() > last:
            return found
        time.sleep(0.5)

exprs = []
for board in glob.glob(folder + "/grafana/dashboards/*.json"):
    for panel in json.load(open(board))["panels"]:
        exprs += [(panel["title"], re.sub(r"\$(instance|node|feed)\b", ".*", t["expr"]).replace("$__rate_interval", "10s"))
                  for t in panel.get("targets", [])]
rules = "".join(open(f).read() for f in glob.glob(folder + "/prometheus/rules/*.yml"))
for name, expr in re.findall(r"- (?:alert|record): (\S+)\n +expr: >-\n((?: {10}\S.*\n)+)", rules):
    for part in re.split(r" (?:and(?: on \([^)]*\))?|or) ", " ".join(expr.split())):
        exprs.append((name, re.sub(r" (?:>|<|==|!=) [0-9.e]+(?: \* (?:86400|\w+))?$", "", part).replace("[5m]", "[30s]")))
asked, lacking, bad = 0, [], []
for name, expr in exprs:
    if not OURS.search(expr):
        continue
    if LACKS.search(expr):
        lacking.append(expr)
        continue
    asked += 1
    found = ask(expr)
    if isinstance(found, str) or not found:
        bad.append((name, expr, found))
print(asked, "queries of exporters return data; without their part:", *sorted(set(lacking)))
for b in bad:
    print(*b, sep="\n    ")
sys.exit(bool(bad) or asked < 18)
END

alert() {
  curl -s -m 10 "http://127.0.0.1:$PROMETHEUS/api/v1/alerts" | python3 -c '
import json, sys
alerts = [a["labels"]["alertname"] for a in json.load(sys.stdin)["data"]["alerts"] if a["state"] == "firing"]
sys.exit(sys.argv[1] not in alerts)' "$1"
}
silent() { ! alert "$1"; }
for name in RedisDown PostgresDown TargetDown; do wait_for "$name to be silent while everything runs" silent $name; done
kill -9 "$REDIS_PID" "$NODE_PID"
"$E2E/pg_cluster.sh" stop "$CLUSTER" immediate
for name in RedisDown PostgresDown TargetDown; do wait_for "$name to fire" alert $name; done
# The links of an alert lead to its page and its dashboard, and what they are made of is no label of it where it arrives.
curl -s -m 10 "http://127.0.0.1:$PROMETHEUS/api/v1/alerts" >"$WORK/alerts.json"
notified() { curl -s -m 10 "http://127.0.0.1:$ALERTMANAGER/api/v2/alerts" >"$WORK/notified.json" && grep -q RedisDown "$WORK/notified.json"; }
wait_for "Alertmanager to have RedisDown" notified
python3 - "$WORK/alerts.json" "$WORK/notified.json" "$RUNBOOK_URL" <<'END' || fail "the links of RedisDown"
import json, sys, urllib.request
alerts = json.load(open(sys.argv[1]))["data"]["alerts"]
notes = next(a["annotations"] for a in alerts if a["labels"]["alertname"] == "RedisDown")
assert notes["runbook_url"] == sys.argv[3] + "/RedisDown.md", notes
assert notes["dashboard"] == "http://grafana.example/d/mdengine-host", notes
page = urllib.request.urlopen(notes["runbook_url"], timeout=30).read().decode()
assert page.startswith("# RedisDown\n"), page[:100]
arrived = next(a for a in json.load(open(sys.argv[2])) if a["labels"]["alertname"] == "RedisDown")
assert set(arrived["labels"]) == {"alertname", "severity", "service", "job", "instance"}, arrived["labels"]
assert arrived["annotations"]["runbook_url"] == notes["runbook_url"]
END
redis
node
"$E2E/pg_cluster.sh" start "$CLUSTER" >/dev/null
for name in RedisDown PostgresDown TargetDown; do wait_for "$name to be over" silent $name; done
