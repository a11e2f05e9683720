#!/bin/sh
# The containers' files: compose.yaml is valid, has every part and profile, and names only files that are there; each part is
# limited in memory, started again and reached from this machine only; every variable is explained in .env.example, and
# none more; the seccomp profile allows what the engine calls, io_uring and the fallback; docker/stack tells the state of
# /health by its exit status, and passes profiles on. No container is started.
. "$(dirname "$0")/lib.sh"

DOCKER=$HERE/../../docker
python3 - "$DOCKER" <<'END' || fail "docker/"
import json, os, re, sys
folder = sys.argv[1]
text = open(folder + "/compose.yaml").read()
used = set(re.findall(r"\$\{(\w+)", text))
explained = dict(re.findall(r"^(\w+)=(.*)$", open(folder + "/.env.example").read(), re.M))
assert used == set(explained), used ^ set(explained)
for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", text):
    assert explained[name] == default, (name, default)
for path in re.findall(r"[\[\" -](\.\.?/[\w./-]+):/", text):
    assert os.path.exists(folder + "/" + path), path
profiles = set(re.findall(r"profiles: \[(\w+)\]", text))
stack = open(folder + "/stack").read()
assert set(re.search(r"MDENGINE_PROFILES=(\w+(?:,\w+)+)", stack).group(1).split(",")) == profiles, profiles
profile = json.load(open(folder + "/seccomp.json"))
allowed = {n for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for n in rule["names"]}
assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
for call in ("io_uring_setup", "io_uring_enter", "io_uring_register", "pwrite64", "fdatasync", "poll", "mmap", "futex"):
    assert call in allowed, call
for call in ("mount", "ptrace", "reboot", "init_module", "bpf", "kexec_load", "settimeofday", "keyctl", "unshare", "setns"):
    assert call not in allowed, call
END
(cd "$DOCKER" && docker-compose -f compose.yaml --env-file .env.example config) >"$WORK/config" 2>&1 || fail "$(cat "$WORK/config")"
MDENGINE_PROFILES=monitoring,logs,dingtalk,proxy,nats,redis,reader,jupyter "$DOCKER/stack" config >"$WORK/all" 2>&1 ||
  fail "$(cat "$WORK/all")"
# Debian's own Python has the parser that docker-compose reads with.
/usr/bin/python3 - "$WORK/all" <<'END' || fail "compose.yaml"
import sys, yaml
services = yaml.safe_load(open(sys.argv[1]))["services"]
wanted = {None: "engine postgres", "monitoring": "prometheus alertmanager grafana node postgres-exporter",
          "logs": "loki promtail", "dingtalk": "dingtalk", "proxy": "nginx", "nats": "nats nats-exporter",
          "redis": "redis redis-exporter", "reader": "reader", "jupyter": "jupyter"}
for profile, names in wanted.items():
    assert {n for n, s in services.items() if s.get("profiles", [None]) == [profile]} == set(names.split()), profile
assert set(services) == set(" ".join(wanted.values()).split())
for name, service in services.items():
    assert service.get("mem_limit") and service["restart"] == "unless-stopped", name
    assert all(str(p).startswith("127.0.0.1:") for p in service.get("ports", [])), (name, service["ports"])
engine = services["engine"]
assert engine["shm_size"] and engine["read_only"] and engine["cap_drop"] == ["ALL"] and engine["ipc"] == "shareable"
assert any(o.startswith("seccomp:") for o in engine["security_opt"])
for name in ("reader", "jupyter"):
    assert services[name]["ipc"] == "service:engine", name
print(len(services), "parts in", len(wanted) - 1, "profiles")
END
status=0
"$DOCKER/stack" 2>/dev/null || status=$?
[ $status = 2 ] || fail "stack without a command ends with $status"
"$DOCKER/stack" --help | grep -q '^usage: docker/stack' || fail "stack --help"
# What stack asks of compose: written down by a stand-in.
mkdir "$WORK/bin"
printf '#!/bin/sh\n[ "$1 $2" = "compose version" ] || echo "$@" >>"%s"\n' "$WORK/asked" >"$WORK/bin/docker"
chmod 755 "$WORK/bin/docker"
for command in "up engine" down "restart engine" status "logs engine" verify; do
  # shellcheck disable=SC2086 # a command and its service
  PATH=$WORK/bin:$PATH MDENGINE_PROFILES=proxy,nats "$DOCKER/stack" $command || fail "stack $command"
done
for line in "up -d --build engine" down "restart engine" ps "logs -f --tail 100 engine" \
  "exec -T engine mdengine journal verify journal" "exec -T engine mdengine db verify -c /etc/mdengine/mdengine.yaml"; do
  grep -qxF "compose -p mdengine -f compose.yaml --profile proxy --profile nats $line" "$WORK/asked" || fail "not asked: $line"
done
# The state of /health is the exit status: 0 healthy, 3 degraded, 1 else.
printf '#!/bin/sh\ncat "%s"\n' "$WORK/health" >"$WORK/bin/curl"
chmod 755 "$WORK/bin/curl"
for state in healthy:0 degraded:3 unhealthy:1; do
  printf '{"status":"%s"}\n' "${state%:*}" >"$WORK/health"
  status=0
  PATH=$WORK/bin:$PATH "$DOCKER/stack" health >/dev/null || status=$?
  [ $status = "${state#*:}" ] || fail "stack health of an engine that is ${state%:*} ends with $status"
done
config "    recording: $FIXTURES/demo.wscap.zst
    speed: max" ""
sed -i 's/^  binance_spot:/&\n    on_end: exit/' "$WORK/engine.yaml"
for io in io_uring poll; do
  sed "s|^  name: .*|&\n  io: $io|; s|$WORK/journal|$WORK/journal.$io|" "$WORK/engine.yaml" >"$WORK/$io.yaml"
  strace -f -qq -c -o "$WORK/calls.$io" "$MDENGINE" run -c "$WORK/$io.yaml" 2>"$WORK/engine.log" || fail "the engine under strace"
done
python3 - "$DOCKER/seccomp.json" "$WORK/calls.io_uring" "$WORK/calls.poll" <<'END' || fail "the seccomp profile"
import json, re, sys
allowed = {n for rule in json.load(open(sys.argv[1]))["syscalls"] for n in rule["names"]}
called = {line.split()[-1] for path in sys.argv[2:] for line in open(path) if re.match(r"\s*\d+\.\d+ ", line)} - {"total"}
assert len(called) > 30 and not called - allowed, called - allowed
print(len(called), "system calls, all in the profile")
END
