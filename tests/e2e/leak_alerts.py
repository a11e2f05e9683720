"""Two engines whose exchanges cut every connection after a moment: one leaks at each reconnect, one is as shipped. A real
Prometheus with the shipped rules sees the alerts of growth fire for the first and none for the second; they are over
once the engine as shipped runs in the place of the first. Run by test_leak.sh.

usage: leak_alerts.py MDENGINE MDENGINE_LEAKY MONITORING_DIR WORK SHM
"""
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

MDENGINE, LEAKY, MONITORING, WORK, SHM = sys.argv[1:]
PATIENCE = int(os.environ.get("PATIENCE", 200))
ALERTS = ("DescriptorsGrowing", "SocketsGrowing", "MemoryGrowing")
# Only times: how long ago is compared with, and how long it must hold. What counts as growth is as shipped.
SHORTER = ((r"interval: 15s", "interval: 1s"), (r"offset\s+1h", "offset 25s"), (r"for: \w+", "for: 2s"))
children = {}
began = time.monotonic()


def note(text):
    print("%6.1f s  %s" % (time.monotonic() - began, text), flush=True)


def run(name, args):
    def die_with_parent():
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    children[name] = subprocess.Popen(args, stdout=open("%s/%s.out" % (WORK, name), "w"),
                                      stderr=open("%s/%s.log" % (WORK, name), "a"), preexec_fn=die_with_parent)


def wait_for(what, condition):
    deadline = time.monotonic() + PATIENCE
    while True:
        dead = [name for name, child in children.items() if child.poll() is not None]
        assert not dead, "%s ended" % dead
        try:
            found = condition()
        except (OSError, ValueError, KeyError, IndexError):
            found = None
        if found:
            return found
        assert time.monotonic() < deadline, "waited in vain for %s; firing: %s" % (what, firing())
        time.sleep(0.2)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fetch(url):
    return urllib.request.urlopen(url, timeout=10).read().decode()


def firing():
    """Alerts of growth by the engine that they are about."""
    try:
        alerts = json.loads(fetch("http://127.0.0.1:%d/api/v1/alerts" % prometheus_port))["data"]["alerts"]
    except (OSError, ValueError):
        return None
    return {(a["labels"]["alertname"], names[a["labels"]["instance"]]) for a in alerts
            if a["state"] == "firing" and a["labels"]["alertname"] in ALERTS}


def value(name, metric):
    text = fetch("http://127.0.0.1:%d/metrics" % ports[name])
    return sum(float(v) for v in re.findall(r"^%s(?:\{.*\})? (\S+)$" % metric, text, re.M))


def start_exchange(name):
    run("sim." + name, [MDENGINE, "sim", "--symbols", "2", "--rate", "100", "--weight-limit", "0", "--wait-clients", "1",
                        "--fault", "cut:every=0.15"])
    return wait_for("an exchange", lambda: json.loads(open("%s/sim.%s.out" % (WORK, name)).readline()))


def write_config(name, urls):
    os.makedirs("%s/%s" % (SHM, name))
    open("%s/%s.yaml" % (WORK, name), "w").write("""engine:
  name: %s
  shm_dir: %s/%s
  instruments: 20
  book_space: 4MiB
journal:
  dir: %s/journal.%s
  segment: 2MiB
monitoring:
  http_port: 0
  metrics_port: %d
feeds:
  binance_spot:
    url: %s
    rest_url: %s
    symbols: all
    rest_weight_per_min: 1000000
    journal_ring: 4MiB
    tape: 2MiB
    reconnect_min: 10ms
    reconnect_max: 20ms
""" % (name, SHM, name, WORK, name, ports[name], urls["ws"], urls["rest"]))


def start_engine(name, program):
    run(name, [program, "run", "-c", "%s/%s.yaml" % (WORK, name)])
    wait_for("the engine " + name, lambda: value(name, "mdengine_feed_connects_total") > 0)


def start_prometheus():
    os.makedirs(WORK + "/rules")
    text = open(MONITORING + "/prometheus/rules/resources.yml").read()
    for pattern, shorter in SHORTER:
        text = re.sub(pattern, shorter, text)
    open(WORK + "/rules/resources.yml", "w").write(text)
    open(WORK + "/prometheus.yml", "w").write(
        "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\nrule_files: [rules/*.yml]\n"
        "scrape_configs:\n  - job_name: mdengine\n    static_configs: [{targets: ['127.0.0.1:%d', '127.0.0.1:%d']}]\n"
        % (ports["leaky"], ports["shipped"]))
    run("prometheus", ["prometheus", "--config.file=" + WORK + "/prometheus.yml", "--storage.tsdb.path=" + WORK + "/tsdb",
                       "--web.listen-address=127.0.0.1:%d" % prometheus_port, "--log.level=warn"])


def tell(name):
    note("%s: %d connections, %d descriptors, %d sockets, %.0f MiB" % (
        name, value(name, "mdengine_feed_connects_total"), value(name, "process_open_fds"),
        value(name, "mdengine_process_sockets"), value(name, "process_resident_memory_bytes") / 2**20))


ports = {"leaky": free_port(), "shipped": free_port()}
names = {"127.0.0.1:%d" % port: name for name, port in ports.items()}
prometheus_port = free_port()


def main():
    for name in ports:
        write_config(name, start_exchange(name))
    start_prometheus()
    start_engine("shipped", MDENGINE)
    start_engine("leaky", LEAKY)
    wait_for("a first scrape of both", lambda: len(json.loads(fetch(
        "http://127.0.0.1:%d/api/v1/query?query=process_open_fds" % prometheus_port))["data"]["result"]) == 2)
    for name in ports:
        tell(name)
    seen, since = set(), 0

    def all_fire():
        seen.update(firing())
        return seen >= {(alert, "leaky") for alert in ALERTS}

    wait_for("the alerts of growth", all_fire)
    for name in ports:
        tell(name)
    assert value("shipped", "mdengine_feed_reconnects_total") >= 20, "the control had no reconnects"
    assert all(name == "leaky" for _, name in seen), seen
    note("firing: " + ", ".join("%s of %s" % pair for pair in sorted(seen)))

    leaky = children.pop("leaky")
    leaky.terminate()
    assert leaky.wait(60) == 0, leaky.returncode
    start_engine("leaky", MDENGINE)

    def over():
        now = firing()
        if now is not None:
            seen.update(now)
        return now == set()

    wait_for("the end of the alerts", over)
    assert all(name == "leaky" for _, name in seen), seen
    note("the engine as shipped in its place: the alerts are over")


if __name__ == "__main__":
    try:
        main()
    except AssertionError as error:
        print("failed:", error, file=sys.stderr)
        for name in ("leaky", "shipped"):
            print("".join(open("%s/%s.log" % (WORK, name)).readlines()[-5:]), file=sys.stderr)
        sys.exit(1)
    finally:
        for child in children.values():
            if child.poll() is None:
                child.kill()
                child.wait()
