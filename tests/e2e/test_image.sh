#!/bin/sh
# The image: built by docker/build-image from a base of debootstrap, with the whole compilation inside. It holds the program
# and its libraries, no shell and no package manager, nothing setuid, and belongs to a user that is not root. Within it, on a
# root that is read-only, as that user: --version, check of the shipped configuration, an engine that collects from
# the simulator over TLS, both of the image; its health check answers, fails without an engine, and SIGTERM ends with 0.
. "$(dirname "$0")/lib.sh"

STORE=${MD_IMAGE_STORE:-$HERE/../../build/image}
mkdir -p "$STORE"
STORE=$(cd "$STORE" && pwd)
CONTAINER=
SIM=
store() { buildah --root "$STORE/images" --runroot "$STORE/run" "$@"; }
image_cleanup() {
  [ -z "$SIM" ] || kill -9 "$SIM" 2>/dev/null || true
  [ -z "$CONTAINER" ] || store rm "$CONTAINER" >/dev/null 2>&1 || true
  store rmi --prune >/dev/null 2>&1 || true
  cleanup
}
trap image_cleanup EXIT

# Two stores that differ in their driver cannot be one: what the first run found out holds.
store info >/dev/null 2>&1 || export STORAGE_DRIVER=vfs
MD_IMAGE_STORE=$STORE "$HERE/../../docker/build-image" --build-arg LTO=OFF >"$WORK/build" 2>"$WORK/build.err" ||
  fail "docker/build-image: $(cat "$WORK/build.err")"
cat "$WORK/build"
CONTAINER=$(store from mdengine)
ROOT=$(store mount "$CONTAINER")

# --- what it is ---
store inspect --type image mdengine >"$WORK/image.json"
python3 - "$WORK/image.json" "$ROOT" <<'END' || fail "what the image is"
import json, os, stat, sys
image, root = json.load(open(sys.argv[1]))["Docker"]["config"], sys.argv[2]
assert image["User"] == "10001:10001", image["User"]
assert image["Entrypoint"] == ["/usr/bin/mdengine"] and image["StopSignal"] == "SIGTERM", image
assert image["Healthcheck"]["Test"][:3] == ["CMD", "/usr/bin/mdengine", "live"], image["Healthcheck"]
total, programs = 0, []
for folder, _, files in os.walk(root):
    for name in files:
        s = os.lstat(os.path.join(folder, name))
        if not stat.S_ISREG(s.st_mode):
            continue
        total += s.st_size
        assert not s.st_mode & 0o6002, "setuid, or written by all: " + name
        if s.st_mode & 0o111 and ".so" not in name:
            programs.append(name)
assert programs == ["mdengine"], programs
assert total < 40e6, "%d bytes" % total
print("%.1f MB in all" % (total / 1e6))
END

# --- what it does ---
mkdir "$WORK/etc" "$WORK/state"
chown 10001:10001 "$WORK/etc" "$WORK/state"
cp "$HERE/../../docker/mdengine.yaml" "$WORK/etc/"
# inside ARG...: mdengine ARG... in the image as its user, with the mounts of a container; keeps the process id.
cat >"$WORK/inside" <<END
mount --bind "$ROOT" "$ROOT" && mount -o remount,bind,ro "$ROOT" || exit 1
mount --bind "$WORK/etc" "$ROOT/etc/mdengine" && mount --bind "$WORK/state" "$ROOT/var/lib/mdengine" || exit 1
mount -t proc proc "$ROOT/proc" && mount --rbind /dev "$ROOT/dev" && mount --bind "$SHM" "$ROOT/dev/shm" || exit 1
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin setpriv --no-new-privs chroot --userspec=10001:10001 "$ROOT" /usr/bin/mdengine "\$@"
END
mkdir -p "$ROOT/proc" "$ROOT/dev"
chmod 1777 "$SHM"
inside() { unshare -m --propagation private sh "$WORK/inside" "$@"; }

version=$(sed -n 's/^project(mdengine VERSION \([^ ]*\) .*/\1/p' "$HERE/../../CMakeLists.txt")
[ "$(inside --version | head -n 1)" = "mdengine $version" ] || fail "--version says: $(inside --version)"
inside check -c /etc/mdengine/mdengine.yaml >"$WORK/check" || fail "check: $(cat "$WORK/check")"
grep -q 'mdengine.yaml: ok$' "$WORK/check" || fail "check says: $(cat "$WORK/check")"
status=0
inside live --port 1 2>"$WORK/live" || status=$?
[ $status = 1 ] && grep -q 'http://127.0.0.1:1/live: ' "$WORK/live" || fail "live without an engine: $status $(cat "$WORK/live")"
if inside sim --symbols 2 --ca-out /usr/ca.pem >/dev/null 2>&1; then fail "the root can be written"; fi

unshare -m --propagation private sh "$WORK/inside" sim --symbols 5 --rate 500 --tls-port 0 --ca-out /etc/mdengine/ca.pem \
  >"$WORK/sim.json" 2>"$WORK/sim.log" &
SIM=$!
simulates() { [ -s "$WORK/sim.json" ] || kill -0 "$SIM" 2>/dev/null || fail "the simulator: $(cat "$WORK/sim.log")"; [ -s "$WORK/sim.json" ]; }
wait_for "the simulator" simulates
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$WORK/etc/mdengine.yaml" <<END
engine:
  name: image
monitoring:
  http_port: $port
  metrics_port: 0
feeds:
  binance_spot:
$(sed -n 's/.*"wss":"\([^"]*\)".*"rest_tls":"\([^"]*\)".*/    url: \1\n    rest_url: \2/p' "$WORK/sim.json")
    ca_file: /etc/mdengine/ca.pem
    symbols: all
    channels: [depth, trade]
journal:
  dir: /var/lib/mdengine/journal
END
unshare -m --propagation private sh "$WORK/inside" run -c /etc/mdengine/mdengine.yaml 2>"$WORK/engine.log" &
ENGINE=$!
healthy() { inside live -c /etc/mdengine/mdengine.yaml 2>/dev/null; }
wait_for "the health check of the image" healthy
[ "$(curl -s -m 10 -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/live")" = 200 ] || fail "/live from outside"
collects() {
  inside status -n image --json >"$WORK/status.json" 2>/dev/null || true
  python3 - "$WORK/status.json" <<'END'
import json, sys
try:
    feed = json.load(open(sys.argv[1]))["feeds"][0]
except (ValueError, IndexError):
    sys.exit(1)
sys.exit(not (feed["durable_seq"] > 1000 and feed["books_valid"] == 5))
END
}
wait_for "five books VALID and 1000 records durable" collects
[ "$(awk '/^Uid:/ { print $2 }' "/proc/$ENGINE/status")" = 10001 ] || fail "the engine does not run as the image's user"
[ "$(awk '/^CapEff:/ { print $2 }' "/proc/$ENGINE/status")" = 0000000000000000 ] || fail "the engine has capabilities"
stop
if healthy; then fail "live answers 0 without an engine"; fi
inside journal verify /var/lib/mdengine/journal >"$WORK/verify" || fail "the journal: $(cat "$WORK/verify")"
