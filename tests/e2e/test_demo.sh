#!/bin/sh
# ./dev demo on a terminal of 80 x 24: the built-in exchange and the engine over TLS. The screen shows rates, latencies,
# five books, gaps, reconnects, positions of journal and database, and where /health and /metrics are, which answer.
# It fits the terminal. Ctrl-C ends it with 0, and nothing is left behind. ./dev demo recording shows the same of a
# recording, and ends in the same way when only the script gets a SIGINT.
. "$(dirname "$0")/lib.sh"
unset MD_CAPTURES # the product's own recording

ROOT=$(cd "$HERE/../.." && pwd)
cat >"$WORK/demo.py" <<'END'
import fcntl, os, pty, re, select, signal, struct, sys, termios, time, urllib.request

root, work, way = sys.argv[1:]
os.environ["TMPDIR"] = work
pid, tty = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.chdir(root)
    kind = ["recording"] if way == "sigint" else [
        "--fault", "cut:after=2,every=3,times=2", "--fault", "gap:after=2,every=3,times=2"]
    os.execv("./dev", ["./dev", "--no-install", "demo"] + kind)
seen, exit_status = b"", None

def read(seconds):
    """What came, until the time is over or the demo has ended."""
    global seen, exit_status
    end = time.monotonic() + seconds
    while time.monotonic() < end and exit_status is None:
        ready, _, _ = select.select([tty], [], [], 0.1)
        if ready:
            try:
                seen += os.read(tty, 65536)
                continue
            except OSError:
                pass
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            exit_status = os.waitstatus_to_exitcode(status)

def screens():
    return seen.decode(errors="replace").replace("\r", "").split("\x1b[H\x1b[J")[1:-1]

def is_whole(s):
    """Everything that the page promises is on it, with numbers that have moved."""
    feed = re.search(r"^binance_spot +live +(\d+) +(\d+) +5/5 +(\d+) +(\d+) +0$", s, re.M)
    numbers = [int(n) for n in feed.groups()] if feed else [0]
    return (all(n > 0 for n in (numbers if way == "ctrl-c" else numbers[:2]))
            and len(re.findall(r"^\S+-USDT +VALID +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+$", s, re.M)) == 5
            and all(re.search(rf"^  {re.escape(stage)}( +[\d.]+(ns|us|ms|s)){{3}} +\d+$", s, re.M) for stage in (
                "receive to decoded", "decoded to visible", "published to durable", "published to committed"))
            and re.search(r"^journal +[1-9]\d* records +[\d.]+ MiB .* commits 0 errors(  \d+ seg)?$", s, re.M)
            and re.search(r"^postgres +[1-9]\d* rows .* commits 0 errors$", s, re.M)
            and re.search(r"^binance_spot published [1-9]\d*  durable [1-9]\d*  stored [1-9]\d*  [\d.]+ MiB  cpu \d+ %$", s, re.M))

def check(ok, text):
    if not ok:
        print("failed:", text, "\n", seen.decode(errors="replace")[-4000:], file=sys.stderr)
        sys.exit(1)

end = time.monotonic() + 200
while time.monotonic() < end and exit_status is None and not any(map(is_whole, screens())):
    read(0.5)
check(any(map(is_whole, screens())), "no screen shows everything")
screen = next(filter(is_whole, screens()))
lines = screen.rstrip("\n").split("\n")
check(len(lines) <= 23 and max(map(len, lines)) <= 80, f"{len(lines)} lines of up to {max(map(len, lines))}")
urls = re.findall(r"http://127\.0\.0\.1:\d+/(?:health|metrics)", screen)
check(len(urls) == 2, "the screen does not say where /health and /metrics are")
check(b'"binance_spot"' in urllib.request.urlopen(urls[0], timeout=20).read(), "/health")
check(b"mdengine_feed_frames_total" in urllib.request.urlopen(urls[1], timeout=20).read(), "/metrics")
if way == "ctrl-c":
    os.write(tty, b"\x03")
else:
    os.kill(pid, signal.SIGINT)
read(60)
check(exit_status == 0, f"the demo ends with {exit_status}")
print(screen)
END

# demo_once WAY: runs it in a folder of its own, and looks for what is left.
demo_once() {
  mkdir -p "$WORK/$1"
  chmod 755 "$WORK/$1"
  python3 "$WORK/demo.py" "$ROOT" "$WORK/$1" "$1" >"$WORK/screen" || exit 1
  [ -z "$(ls -A "$WORK/$1")" ] || fail "left in the folder for temporary files: $(ls -A "$WORK/$1")"
  left=$(ps -eo args | grep -F "$WORK/$1/mdengine-demo" | grep -v grep) || true
  [ -z "$left" ] || fail "left running: $left"
  name=$(sed -n 's/^mdengine \(demo[0-9]*\) .*/\1/p' "$WORK/screen")
  [ -n "$name" ] || fail "the screen has no name"
  [ ! -e "/dev/shm/mdengine.$name" ] && [ ! -e "/dev/shm/mdengine.$name.rings" ] || fail "left in /dev/shm: $name"
}

demo_once ctrl-c
cat "$WORK/screen"
demo_once sigint
