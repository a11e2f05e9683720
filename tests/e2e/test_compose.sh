#!/bin/sh
# The containers' files: compose.yaml is valid where docker-compose is installed, and names only files that are there; every
# variable is explained in .env.example, and none more; the seccomp profile allows what the engine calls, io_uring and the
# fallback; docker/stack tells the state of /health by its exit status. No container is started.
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
if command -v docker-compose >/dev/null; then
  (cd "$DOCKER" && docker-compose -f compose.yaml --env-file .env.example config) >"$WORK/config" 2>&1 || fail "$(cat "$WORK/config")"
  echo "compose.yaml is valid"
fi
status=0
"$DOCKER/stack" 2>/dev/null || status=$?
[ $status = 2 ] || fail "stack without a command ends with $status"
"$DOCKER/stack" --help | grep -q '^usage: docker/stack' || fail "stack --help"
if command -v strace >/dev/null; then
  config "    recording: $FIXTURES/demo.wscap.zst
    speed: max" "" && sed -i 's/^  binance_spot:/&\n    on_end: exit/' "$WORK/engine.yaml"
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
fi
