#!/bin/sh
# A running engine over HTTP: /health, /ready, /live and /metrics answer as the README says; a real Prometheus
# scrapes it, every query of the dashboard returns data, and after kill -9 the rule MdengineDown fires there. Half
# a request holds up nobody, and 64 of them are closed within the time limit.
. "$(dirname "$0")/lib.sh"

MONITORING_DIR=$HERE/../../monitoring
PROMETHEUS=
more_cleanup() {
  [ -z "$PROMETHEUS" ] || kill -9 "$PROMETHEUS" 2>/dev/null || true
  cleanup
}
trap more_cleanup EXIT

port_of() { sed -n "s|.*127\.0\.0\.1:\([0-9]*\)/$1.*|\1|p" "$WORK/engine.log" | tail -n 1; }
http() { curl -s -m 10 -o "$WORK/body" -w '%{http_code}' "$@"; }
expect() {
  got=$(http "$2") || fail "no answer from $2"
  [ "$got" = "$1" ] || fail "$2 answers $got instead of $1: $(cat "$WORK/body")"
}

cluster
MONITORING="http_port: 0
  metrics_port: 0
  grace: 1s"
config "    recording: $FIXTURES/demo.wscap.zst
    speed: 1
    repeat: 0" "postgres:
  enabled: true
  conninfo: \"$CONNINFO\""
start
HEALTH=http://127.0.0.1:$(port_of health)
METRICS=http://127.0.0.1:$(port_of metrics)

# --- endpoints ---
is_ready() { [ "$(http "$HEALTH/ready")" = 200 ] && [ "$(http "$HEALTH/health")" = 200 ] && grep -q '"state":"live"' "$WORK/body"; }
wait_for "/ready, and a live feed" is_ready
expect 200 "$HEALTH/live"
expect 200 "$HEALTH/health"
python3 - "$WORK/body" "$MONITORING_DIR/README.md" <<'END' || fail "the body of /health: $(cat "$WORK/body")"
import json, sys
b = json.load(open(sys.argv[1]))
page = open(sys.argv[2]).read()
assert b["status"] in ("healthy", "degraded"), b["status"]
assert all(k in b for k in ("timestamp", "version", "uptime_seconds", "feeds", "sinks", "checks"))
assert [f["name"] for f in b["feeds"]] == ["binance_spot"] and b["feeds"][0]["state"] == "live"
assert [s["name"] for s in b["sinks"]] == ["journal", "postgres"]
for c in b["checks"]:
    assert "| `%s` | %s |" % (c["name"], c["severity"]) in page, "no line on rule " + c["name"]
END
for path in status ping version; do expect 200 "$HEALTH/$path"; done
covered() {
  http "$HEALTH/health" >/dev/null
  python3 - "$WORK/body" >"$WORK/covered" 2>&1 <<'END'
import json, sys
b = json.load(open(sys.argv[1]))
process = b["processes"]["binance_spot"]
assert set(process) == {"status", "cpu_percent", "memory_mb", "uptime_seconds"}
assert process["status"] == "running" and process["memory_mb"] > 0 and b["mode"] == "threads"
assert set(b["services"]) == {"journal", "postgres"}
trade = b["coverage"]["trade"]["binance_spot"]
assert trade["active_symbols"] == 5 and trade["status"] == "healthy" and trade["last_success_ts"] > 1.6e9
END
}
wait_for "what old probes read in the body of /health" covered
# Those paths count: 60 a minute; what supervisors ask is never refused.
limited() { [ "$(http "$HEALTH/ping")" = 429 ]; }
wait_for "the limit of requests" limited
curl -si -m 10 "$HEALTH/ping" | tr -d '\r' >"$WORK/limited"
grep -q '^x-ratelimit-limit: 60$' "$WORK/limited" && grep -q '^retry-after: [0-9]*$' "$WORK/limited" &&
  grep -q "^content-security-policy: default-src 'self'" "$WORK/limited" && grep -q '^x-request-id: ' "$WORK/limited" ||
  fail "headers: $(cat "$WORK/limited")"
for path in live ready health; do expect 200 "$HEALTH/$path"; done
expect 404 "$HEALTH/nothing"
expect 404 "$METRICS/health"
[ "$(http -X POST -d x "$HEALTH/health")" = 405 ] || fail "POST is not refused"
[ "$(curl -sI -m 10 "$METRICS/metrics" | tr -d '\r' | sed -n 's/^content-length: //p')" -gt 10000 ] ||
  fail "HEAD gives no length"
expect 200 "$METRICS/metrics"
cp "$WORK/body" "$WORK/metrics.txt"
grep -q '^mdengine_http_requests_total{path="/ping",code="429"} [1-9]' "$WORK/metrics.txt" || fail "refused requests are not counted"
curl -s -m 10 -D "$WORK/head" -H 'Accept: application/openmetrics-text;version=1.0.0' "$METRICS/metrics" >"$WORK/open"
grep -qi '^content-type: application/openmetrics-text; version=1.0.0' "$WORK/head" && [ "$(tail -n 1 "$WORK/open")" = "# EOF" ] ||
  fail "no OpenMetrics for who accepts it: $(cat "$WORK/head")"
promtool check metrics <"$WORK/metrics.txt" || fail "promtool complains about the metrics"
sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' "$WORK/metrics.txt" >"$WORK/families"
[ "$(wc -l <"$WORK/families")" -gt 50 ] || fail "next to no metrics"
while IFS= read -r name; do
  grep -qF -- "| \`$name\` |" "$MONITORING_DIR/METRICS.md" || fail "monitoring/METRICS.md lacks $name"
done <"$WORK/families"

# Every stage is measured, that of the database's ring, too, and its last seconds are told.
measured() {
  curl -s -m 10 "$METRICS/metrics" >"$WORK/metrics.txt"
  for sink in journal postgres; do
    grep -q "^mdengine_stage_ring_wait_seconds_count{.*sink=\"$sink\"} [1-9]" "$WORK/metrics.txt" &&
      grep -q "^mdengine_stage_window_seconds{.*sink=\"$sink\",stage=\"mdengine_stage_ring_wait_seconds\",window=\"10s\",q=\"0.99\"} [0-9]" "$WORK/metrics.txt" ||
      return 1
  done
  grep -q '^mdengine_feed_exchange_offset_seconds{feed="binance_spot",window="60s",q="0.999"} -*[0-9]' "$WORK/metrics.txt"
}
wait_for "the wait in each ring, and quantiles of the last seconds" measured
# What the process has is within the budget that it told at its start.
python3 - "$WORK/metrics.txt" "$WORK/engine.log" <<'END' || fail "the budget"
import re, sys
text, log = (open(f).read() for f in sys.argv[1:])
value = lambda name: float(re.search(r"^%s (\S+)$" % name, text, re.M).group(1))
for has, may, told in (("process_resident_memory_bytes", "mdengine_budget_memory_bytes", "memory"), ("process_open_fds", "mdengine_budget_descriptors", "descriptors"),
                       ("process_threads", "mdengine_budget_threads", "threads")):
    assert 0 < value(has) < value(may), (has, value(has), value(may))
    total, parts = re.search(r'msg="budget of %s ([\d.]+)(?: MiB)?: (.*)"' % told, log).groups()
    parts = sum(float(p.rsplit(" ", 1)[1]) for p in parts.split(", "))
    assert abs(float(total) - parts) < 0.5 and abs(float(total) * (2**20 if told == "memory" else 1) - value(may)) < 2**20, (told, total, parts)
END

# --- slow and many clients ---
python3 - "${HEALTH##*:}" "${METRICS##*:}" "$MDENGINE" <<'END' || fail "slow clients disturb the others"
import socket, sys, time, urllib.request
health, metrics = int(sys.argv[1]), int(sys.argv[2])

def half(port):
    s = socket.create_connection(("127.0.0.1", port), 30)
    s.sendall(b"GET /metrics HTTP/1.1\r\nHo")
    return s

slow = [half(metrics) for _ in range(40)]
body = urllib.request.urlopen("http://127.0.0.1:%d/metrics" % metrics, timeout=30).read()
assert b"mdengine_build_info" in body, "no scrape beside slow clients"
slow += [half(health) for _ in range(40)]
# Those that drip a byte now and then are closed, too: the limit is for the whole header.
end = time.monotonic() + 60
left = slow
while left and time.monotonic() < end:
    still = []
    for s in left:
        try:
            s.sendall(b"s")
            s.settimeout(0.01)
            if s.recv(4096) != b"":
                still.append(s)
        except socket.timeout:
            still.append(s)
        except OSError:
            pass
    left = still
    time.sleep(0.2)
assert not left, "%d clients with half a request are still connected" % len(left)
big = socket.create_connection(("127.0.0.1", health), 30)
try:
    big.sendall(b"GET /health HTTP/1.1\r\nX-Long: " + b"x" * 100000 + b"\r\n\r\n")
    big.settimeout(30)
    answer = big.recv(4096)
except OSError:
    answer = b""
assert b" 200 " not in answer, "a header of 100000 bytes is taken"
# One that asks and does not read its answer.
deaf = socket.create_connection(("127.0.0.1", metrics), 30)
deaf.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
for port, path in ((metrics, "metrics"), (health, "live")):
    assert urllib.request.urlopen("http://127.0.0.1:%d/%s" % (port, path), timeout=30).status == 200
END

# What the library would leave open is closed by the limit of a connection; looked at below, meanwhile.
python3 - "${HEALTH##*:}" <<'END' &
import socket, sys
def ask(text):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 30)
    s.settimeout(60)
    s.sendall(text)
    return s
upgrade = ask(b"GET /health HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
assert b"101" not in upgrade.recv(4096), "a WebSocket is opened"
tunnel = ask(b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n")
assert b" 200" not in tunnel.recv(4096), "CONNECT is served"
END
ODD_CLIENTS=$!

# --- a second engine wants the same port ---
sed "s|name: $NAME|name: other|; s|$WORK/journal|$WORK/journal2|; s|metrics_port: 0|metrics_port: ${METRICS##*:}|
  /^postgres:/,/conninfo/d" "$WORK/engine.yaml" >"$WORK/other.yaml"
status=0
timeout 100 "$MDENGINE" run -c "$WORK/other.yaml" 2>"$WORK/other.log" || status=$?
[ "$status" = 1 ] || fail "a second engine on the same port ends with $status: $(cat "$WORK/other.log")"
[ "$(wc -l <"$WORK/other.log")" = 1 ] && grep -q "monitoring.metrics_port: port .* is taken" "$WORK/other.log" ||
  fail "a second engine on the same port says: $(cat "$WORK/other.log")"

# --- Prometheus ---
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
PORT=$(free_port)
# The shipped configuration without the parts that do not run here.
sed "s/15s/1s/; s/127\.0\.0\.1:9092/127.0.0.1:${METRICS##*:}/; s/127\.0\.0\.1:9090/127.0.0.1:$PORT/
  /^alerting:/,/targets/d; /job_name: alertmanager/,\$d" "$MONITORING_DIR/prometheus/prometheus.yml" >"$WORK/prometheus.yml"
# The shipped rules in shorter windows.
mkdir "$WORK/rules"
for file in "$MONITORING_DIR"/prometheus/rules/*.yml; do
  sed "s/interval: 15s/interval: 1s/; s/for: 30s/for: 2s/" "$file" >"$WORK/rules/${file##*/}"
done
prometheus --config.file="$WORK/prometheus.yml" --storage.tsdb.path="$WORK/tsdb" \
  --web.listen-address="127.0.0.1:$PORT" --log.level=error >"$WORK/prometheus.log" 2>&1 &
PROMETHEUS=$!
query() {
  curl -s -m 10 -G --data-urlencode "query=$1" "http://127.0.0.1:$PORT/api/v1/query" |
    grep -q '"status":"success".*"result":\[{'
}
wait_for "Prometheus to scrape the engine" query 'up{job="mdengine"} == 1'
wait_for "a second row in PostgreSQL" query 'mdengine_sink_rows_total{sink="postgres"} > 1'
wait_for "eight scrapes" query 'count_over_time(mdengine_epoch[1m]) > 8'
python3 - "$MONITORING_DIR" "$PORT" <<'END' || fail "queries without data"
import glob, json, re, sys, time, urllib.parse, urllib.request
folder, port = sys.argv[1:]
end = time.monotonic() + 120 # what happens seldom may be in no window yet
bad, cnt, ids, left_out = [], 0, set(), []

# What this stack lacks: other parts, a venue that is connected to (here a recording is played), a past.
LACKS = re.compile(r"\b(node_|pg_|redis_|gnatsd_|alertmanager_|ALERTS|mdengine_stage_snapshot_seconds|offset \w+"
                   r"|rest_(errors|requests)_total|snapshot_(errors|requests)_total|streams_live"
                   r"|mdengine_feed_certificate_expiry_timestamp_seconds(\{[^}]*\})? > 0|job!=|job=\"nats\")")

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

panels = [(f, p) for f in glob.glob(folder + "/grafana/dashboards/*.json") for p in json.load(open(f))["panels"]]
for board, panel in panels:
    assert (board, panel["id"]) not in ids, "panel id %d stands twice" % panel["id"]
    ids.add((board, panel["id"]))
    if panel["type"] == "row":
        continue
    if not panel["description"] or not panel["fieldConfig"]["defaults"]["unit"]:
        bad.append((panel["title"], "no description or unit"))
    for target in panel["targets"]:
        cnt += 1
        if LACKS.search(target["expr"]):
            left_out.append(target["expr"])
            continue
        found = ask(re.sub(r"\$(instance|feed)\b", ".*", target["expr"]).replace("$__rate_interval", "10s"))
        if isinstance(found, str) or not found:
            bad.append((panel["title"], target["expr"], found))
# A rule without its comparison returns data, so a rule that is silent is silent for its threshold only.
rules = "".join(open(f).read() for f in glob.glob(folder + "/prometheus/rules/*.yml"))
for name, expr in re.findall(r"- (?:alert|record): (\S+)\n +expr: >-\n((?: {10}\S.*\n)+)", rules):
    for part in re.split(r" (?:and(?: on \([^)]*\))?|or) ", " ".join(expr.split())):
        cnt += 1
        if LACKS.search(part):
            left_out.append(part)
            continue
        found = ask(re.sub(r" (?:>|<|==|!=) [0-9.e]+(?: \* (?:86400|\w+))?$", "", part))
        if isinstance(found, str) or not found:
            bad.append((name, part, found))
print(cnt, "queries,", len(left_out), "of them of parts that are not here")
for b in bad:
    print(*b, sep="\n    ")
sys.exit(bool(bad) or cnt - len(left_out) < 150)
END
alert() {
  curl -s -m 10 "http://127.0.0.1:$PORT/api/v1/alerts" | python3 -c '
import json, sys
alerts = [a["labels"]["alertname"] for a in json.load(sys.stdin)["data"]["alerts"] if a["state"] == "firing"]
sys.exit(sys.argv[1] not in alerts)' "$1"
}
wait "$ODD_CLIENTS" || fail "WebSocket or CONNECT"
alert MdengineDown && fail "MdengineDown fires while the engine runs"
kill -9 "$ENGINE"
wait "$ENGINE" 2>/dev/null || true
ENGINE=
wait_for "MdengineDown to fire" alert MdengineDown

# --- the ports are free again, and come back with the engine ---
sed -i "s|metrics_port: 0|metrics_port: ${METRICS##*:}|" "$WORK/engine.yaml"
start
not_down() { ! alert MdengineDown; }
wait_for "MdengineDown to resolve" not_down
stop

# --- with a token ---
echo "a-token-of-ours" >"$WORK/token"
chmod 600 "$WORK/token"
sed -i "s|^  grace: .*|&\n  token_file: $WORK/token\n  log_requests: true|" "$WORK/engine.yaml"
start
HEALTH=http://127.0.0.1:$(port_of health)
expect 401 "$HEALTH/health"
expect 200 "$HEALTH/live"
expect 200 "$METRICS/metrics"
[ "$(http -H "Authorization: Bearer a-token-of-others" "$HEALTH/health")" = 401 ] || fail "another token is taken"
[ "$(http -H "Authorization: Bearer a-token-of-ours" "$HEALTH/health")" = 200 ] || fail "the token is not taken"
logged "request [0-9]* of 127.0.0.1: GET /metrics: 200, [0-9]* bytes, [0-9]* us" || fail "the request is not logged"
! grep -q a-token-of "$WORK/engine.log" || fail "a token is in the log"
stop
