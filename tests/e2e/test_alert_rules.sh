#!/bin/sh
# The alert rules: valid; each is tested not to fire, to fire and to be over; each has its annotations, its page in the
# runbook and its line in the README, and no page is without its alert; no rule and no panel names a metric that nobody
# exports; commands of the runbook are ones that the program has. The negative controls: a rule that never fires fails
# its test, one that always fires, too.
. "$(dirname "$0")/lib.sh"

MONITORING_DIR=$HERE/../../monitoring
RULES=$MONITORING_DIR/prometheus/rules
TESTS=$MONITORING_DIR/prometheus/tests
promtool check config "$MONITORING_DIR/prometheus/prometheus.yml" >"$WORK/out" || fail "prometheus.yml: $(cat "$WORK/out")"
mkdir "$WORK/rules"
cp "$RULES"/*.yml "$WORK/rules/"
cp "$HERE/../../docker/prometheus.yml" "$WORK/"
promtool check config "$WORK/prometheus.yml" >"$WORK/out" || fail "docker/prometheus.yml: $(cat "$WORK/out")"

# The tests as they are, beside the controls.
promtool test rules "$TESTS"/*.yml >"$WORK/tests.out" 2>&1 &
TESTED=$!
python3 - "$MONITORING_DIR" "$WORK" "$MDENGINE" <<'END' || fail "the rules, their tests or their pages"
import glob, json, os, re, subprocess, sys
folder, work, program = sys.argv[1:]
rules = {f: open(f).read() for f in sorted(glob.glob(folder + "/prometheus/rules/*.yml"))}
everything = "".join(rules.values())
page = open(folder + "/README.md").read()
names = re.findall(r"- alert: (\w+)", everything)
assert len(names) > 50 and len(set(names)) == len(names)

# Annotations, pages, README.
pages = {os.path.basename(p)[:-3] for p in glob.glob(folder + "/runbook/*.md")}
assert pages == set(names), pages ^ set(names)
boards = {json.load(open(p))["uid"] for p in glob.glob(folder + "/grafana/dashboards/*.json")}
for name in names:
    block = everything[everything.index("- alert: " + name + "\n"):].split("\n      - ")[0]
    severity = re.search(r"labels: \{severity: (critical|warning|info), service: mdengine\}", block)
    assert severity, name
    for part in ("summary: '", "description: >-", "runbook_url: '{{ $externalLabels.runbooks }}/%s.md'" % name):
        assert part in block, (name, part)
    board = re.search(r"dashboard: '\{\{ \$externalLabels\.dashboards \}\}/d/([\w-]+)'", block).group(1)
    assert board in boards, (name, board)
    text = open(folder + "/runbook/%s.md" % name).read()
    for head in ("# " + name + "\n", "## Meaning\n", "## See the cause\n", "## What to do\n"):
        assert head in text, (name, head)
    assert "Severity " + severity.group(1) in text, name
    assert "| [%s](runbook/%s.md) | %s |" % (name, name, severity.group(1)) in page, "README: " + name
    for command in re.findall(r"\bmdengine (\w+) ", text.split("## See the cause")[1]):
        if command in ("is", "on"):
            continue
        assert subprocess.run([program, command, "--help"], capture_output=True).returncode == 0, (name, command)
old = page.split("### From the alerts of the systems before")[1]
for line in re.findall(r"^\| (\w+) \| ([\w, ]+) \|", old, re.M)[1:]:
    for ours in line[1].split(", "):
        assert ours in names, line

# Metrics: exported by the program, recorded by a rule, or by the part of the stack that is named here.
exported = set(re.findall(r'"((?:mdengine|process)_\w+)"', "".join(
    open(f).read() for f in [folder + "/../shm/metric_table.h", folder + "/family_table.h"])))
recorded = set(re.findall(r"- record: ([\w:]+)", everything))
parts = {
    "Prometheus": {"up", "ALERTS", "prometheus_rule_evaluation_failures_total"},
    "Alertmanager": {"alertmanager_notifications_failed_total"},
    "node exporter": {"node_cpu_seconds_total", "node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes",
                      "node_filesystem_avail_bytes", "node_filesystem_size_bytes", "node_load1",
                      "node_disk_io_time_seconds_total", "node_network_receive_bytes_total",
                      "node_network_transmit_bytes_total", "node_pressure_cpu_waiting_seconds_total",
                      "node_timex_offset_seconds", "node_timex_sync_status", "node_vmstat_pgmajfault"},
    "postgres exporter": {"pg_up", "pg_stat_activity_count", "pg_settings_max_connections", "pg_database_size_bytes"},
    "redis exporter": {"redis_up"},
    "nats exporter": {"gnatsd_up"},
}
known = set().union(*parts.values())
words = {"by", "on", "ignoring", "group_left", "without", "offset", "and", "or", "unless", "bool", "time", "inf"}

def metrics(expr):
    expr = re.sub(r'"[^"]*"', "", expr)
    expr = re.sub(r"\{[^}]*\}|\[[^]]*\]", "", expr)
    expr = re.sub(r"\b(by|on|ignoring|without|group_left)\s*\([^)]*\)", "", expr)
    return {w for w in re.findall(r"(?<![\w.])([a-zA-Z_:][\w:]*)(?!\s*\(|[\w:])", expr) if w not in words}

exprs = [(f, " ".join(e.split())) for f, t in rules.items()
         for e in re.findall(r"expr: >-\n((?: {10}\S.*\n)+)", t) + re.findall(r"expr: (?!>-)(.+)\n", t)]
for f in glob.glob(folder + "/grafana/dashboards/*.json"):
    for panel in json.load(open(f))["panels"]:
        exprs += [(f, t["expr"]) for t in panel.get("targets", [])]
bad = [(f, m) for f, e in exprs for m in metrics(e)
       if m not in known | recorded and re.sub("_(bucket|sum|count)$", "", m) not in exported and m not in exported]
assert not bad, bad
assert metrics('rate(no_such_total{a="b"}[5m]) > 3') == {"no_such_total"}, "the control of this test"
print(len(names), "alerts,", len(recorded), "recorded names,", len(exprs), "expressions")

# Controls: every rule of a file is broken at once, and each must be among those that fail.
for kind, other in (("never", "vector(1) > 2"), ("always", "vector(1)")):
    os.makedirs("%s/%s/rules" % (work, kind))
    os.makedirs("%s/%s/tests" % (work, kind))
    for f, text in rules.items():
        text = re.sub(r"(- alert: \w+\n +expr: >-\n)(?: {10}\S.*\n)+(?: +for: \w+\n)?", r"\1          %s\n" % other, text)
        open("%s/%s/rules/%s" % (work, kind, os.path.basename(f)), "w").write(text)
    for f in glob.glob(folder + "/prometheus/tests/*.yml"): # looked at seldom: what is wrong is wrong all the time
        text = re.sub(r"evaluation_interval: 15s", "evaluation_interval: 1m", open(f).read())
        open("%s/%s/tests/%s" % (work, kind, os.path.basename(f)), "w").write(text)
    tests = sorted(glob.glob("%s/%s/tests/*.yml" % (work, kind)))
    run = subprocess.run(["promtool", "test", "rules"] + tests, capture_output=True, text=True)
    failed = set(re.findall(r'alertname=\\"(\w+)\\"', run.stdout + run.stderr))
    assert failed == set(names), (kind, failed ^ set(names))
END
wait $TESTED || fail "promtool test rules: $(cat "$WORK/tests.out")"
[ "$(grep -c SUCCESS "$WORK/tests.out")" = "$(find "$TESTS" -name '*.yml' | wc -l)" ] || fail "$(cat "$WORK/tests.out")"
