#!/bin/sh
# 500 slow clients in four modes on both ports: half a header, one that drips, one that reads nothing, one that says
# nothing. Meanwhile a scrape answers again and again, descriptors stay below the cap, and the feed loses nothing; afterwards
# as many descriptors are open as before.
. "$(dirname "$0")/lib.sh"

MONITORING="http_port: 0
  metrics_port: 0
  grace: 1s
  requests_per_min: 0"
config "    recording: $FIXTURES/demo.wscap.zst
    speed: 1
    repeat: 0"
start
port_of() { sed -n "s|.*127\.0\.0\.1:\([0-9]*\)/$1.*|\1|p" "$WORK/engine.log" | tail -n 1; }
python3 - "$(port_of health)" "$(port_of metrics)" "$ENGINE" <<'END' || fail "slow clients"
import os, re, resource, socket, sys, threading, time, urllib.request
health, metrics, engine = map(int, sys.argv[1:])
CLIENTS = 500
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

def fds():
    return len(os.listdir("/proc/%d/fd" % engine))

def scrape():
    return urllib.request.urlopen("http://127.0.0.1:%d/metrics" % metrics, timeout=60).read().decode()

def value(text, name):
    return sum(float(v) for v in re.findall(r"^%s(?:\{[^}]*\})? (\S+)$" % name, text, re.M))

for _ in range(600):
    if value(scrape(), "mdengine_feed_records_total") > 0:
        break
    time.sleep(0.1)
before_fds, most_fds, before = fds(), 0, scrape()
total_refused = 0
for mode in ("half", "drip", "deaf", "silent"):
    clients, end = [], time.monotonic() + 6
    took, answers, refused = [], 0, 0
    for i in range(CLIENTS):
        s = socket.socket()
        s.settimeout(20)
        try:
            s.connect(("127.0.0.1", (health, metrics)[i % 2]))
            if mode in ("half", "drip"):
                s.sendall(b"GET /metrics HTTP/1.1\r\nHo")
            elif mode == "deaf":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            clients.append(s)
        except OSError:
            s.close()
    # A scrape gets in when one of the 64 places is free: slow ones give theirs back within seconds.
    while time.monotonic() < end or answers < 3:
        begin = time.monotonic()
        try:
            scrape()
            answers += 1
            took.append(time.monotonic() - begin)
        except OSError:
            refused += 1
            time.sleep(0.1)
        most_fds = max(most_fds, fds())
        if mode == "drip":
            for s in clients:
                try:
                    s.send(b"x", socket.MSG_DONTWAIT)
                except OSError:
                    pass
        assert time.monotonic() < end + 120, "no three scrapes beside %d clients of mode %s" % (CLIENTS, mode)
    for s in clients:
        s.close()
    total_refused += refused
    print("%s: %d clients, %d scrapes answered, the slowest in %.3f s, %d tried again" % (mode, CLIENTS, answers, max(took), refused))
assert most_fds <= before_fds + 2 * 64 + 8, "%d descriptors beside slow clients, %d before" % (most_fds, before_fds)
for _ in range(1200):
    if fds() <= before_fds + 1:
        break
    time.sleep(0.1)
assert fds() <= before_fds + 1, "%d descriptors after, %d before" % (fds(), before_fds)
after = scrape()
assert value(after, "mdengine_ring_account_lost_records_total") == 0
assert value(after, "mdengine_ring_account_difference_records") == 0
assert value(after, "mdengine_feed_gaps_total") == value(before, "mdengine_feed_gaps_total")
assert value(after, "mdengine_feed_records_total") > value(before, "mdengine_feed_records_total")
assert value(after, "mdengine_http_refused_connections_total") > 0, "the cap was never reached"
print("descriptors %d before, %d at most, %d after; nothing lost" % (before_fds, most_fds, fds()))
END
kill -0 "$ENGINE" || fail "the engine ended"
stop
