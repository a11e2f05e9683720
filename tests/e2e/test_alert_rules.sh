#!/bin/sh
# The alert rules: valid, each tested to fire and not to fire, each with its heading in the README. The negative
# control: a rule that never fires, or always, fails its test.
. "$(dirname "$0")/lib.sh"

MONITORING_DIR=$HERE/../../monitoring
promtool check config "$MONITORING_DIR/prometheus/prometheus.yml" || fail "prometheus.yml"
cp "$HERE/../../docker/prometheus.yml" "$MONITORING_DIR/prometheus/rules.yml" "$WORK/"
promtool check config "$WORK/prometheus.yml" || fail "docker/prometheus.yml"
promtool check rules "$MONITORING_DIR/prometheus/rules.yml" || fail "rules.yml"
promtool test rules "$MONITORING_DIR/prometheus/rules_test.yml" || fail "the tests of the rules"
cp "$MONITORING_DIR/prometheus/rules_test.yml" "$WORK/"
python3 - "$MONITORING_DIR" "$WORK" <<'END' || fail "the rules or their tests"
import re, subprocess, sys
folder, work = sys.argv[1:]
rules = open(folder + "/prometheus/rules.yml").read()
page = open(folder + "/README.md").read()
names = re.findall(r"- alert: (\w+)", rules)
assert len(names) > 10 and len(set(names)) == len(names)
for name in names:
    block = rules[rules.index("- alert: " + name + "\n"):].split("\n      - alert: ")[0]
    for part in ("severity: ", "summary: ", "description: ", "runbook_url: monitoring/README.md#" + name.lower()):
        assert part in block, (name, part)
    assert "\n#### " + name + "\n" in page, "no heading " + name + " in monitoring/README.md"
    for other in ("vector(1) > 2", "vector(1)"):
        broken = re.sub(r"(- alert: %s\n +expr: >-\n)(?: {10}\S.*\n)+" % name, r"\1          %s" % other + "\n", rules)
        assert broken != rules
        open(work + "/rules.yml", "w").write(broken)
        run = subprocess.run(["promtool", "test", "rules", work + "/rules_test.yml"], capture_output=True)
        assert run.returncode != 0, "%s as %s passes its test" % (name, other)
print(len(names), "rules")
END
