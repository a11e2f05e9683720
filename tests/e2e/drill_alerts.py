"""Alerts drilled for real: simulators, an engine, PostgreSQL, Prometheus and Alertmanager, each a process of its own, and a
receiver of webhooks. Each cause is made, the alert is seen firing in Prometheus, what its page in the runbook says to
run shows the cause, and the alert is over once the cause is. Run by test_drills.sh.

usage: drill_alerts.py MDENGINE MONITORING_DIR WORK SHM CONNINFO CLUSTER PG_CLUSTER_SH TINY
TINY: a small file system of its own for the journal, "-": none, then JournalSpaceLow is left out.
"""
import ctypes
import glob
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

MDENGINE, MONITORING, WORK, SHM, CONNINFO, CLUSTER, PG, TINY = sys.argv[1:]
NAME = "drill"
PATIENCE = int(os.environ.get("PATIENCE", 150))
PATIENCE_FIRE = int(os.environ.get("PATIENCE_FIRE", PATIENCE))  # less where an alert is known not to come
FEEDS = {"binance_spot": "", "okx_spot": "/ws/v5", "binance_derivatives": ""}
children, received, done = [], [], []
started = time.monotonic()


def note(text):
    print("%6.1f s  %s" % (time.monotonic() - started, text), flush=True)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def run(args, log):
    child = subprocess.Popen(args, stdout=open(WORK + "/" + log + ".out", "w"), stderr=open(WORK + "/" + log + ".log", "a"),
                             preexec_fn=die_with_parent)
    children.append(child)
    return child


def end(child, how=signal.SIGTERM):
    child.send_signal(how)
    child.wait(60)


def wait_for(what, condition, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while True:
        try:
            found = condition()
        except (OSError, ValueError, KeyError, IndexError):
            found = None
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain for %s; firing: %s" % (what, sorted(firing_names())))
        time.sleep(0.2)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fetch(url, timeout=10):
    try:
        answer = urllib.request.urlopen(url, timeout=timeout)
        return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


# ---- the parts ----

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        received.extend((a["status"], a["labels"]["alertname"], a["labels"].get("severity"), a["labels"]) for a in body["alerts"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


class Target(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b"node_load1 1\n")

    def log_message(self, *args):
        pass


def serve(handler, port=0):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


sims, ports = {}, {}


def start_sim(feed, *faults):
    args = [MDENGINE, "sim", "--venue", feed, "--symbols", "3", "--rate", "100", "--weight-limit", "0", "--port",
            str(ports.get(feed, 0)), *faults]
    if feed == "binance_spot":
        args += ["--tls-port", str(ports.get("tls", 0)), "--ca-out", WORK + "/ca.pem"]
    sims[feed] = run(args, "sim." + feed)
    urls = wait_for("the exchange of " + feed, lambda: json.loads(open(WORK + "/sim." + feed + ".out").readline()))
    ports[feed] = urllib.parse.urlsplit(urls["ws"]).port
    if feed == "binance_spot":
        ports["tls"] = urllib.parse.urlsplit(urls["wss"]).port
    return urls


def stop_sim(feed):
    end(sims[feed], signal.SIGKILL)


def write_config(urls, first):
    """The first configuration has faults that only a restart takes away: TLS with a short certificate, little memory."""
    lines = ["engine:", "  name: " + NAME, "  shm_dir: " + SHM, "  instruments: 100", "  book_space: 16MiB", "journal:",
             "  dir: " + (TINY if TINY != "-" else WORK) + "/journal", "  segment: 2MiB", "  reserve: 1MiB",
             "  keep_bytes: 8MiB", "  min_free: " + ("40MiB" if TINY != "-" else "1MiB"), "postgres:", "  enabled: true",
             '  conninfo: "%s"' % CONNINFO, "monitoring:", "  http_port: %d" % ports["http"],
             "  metrics_port: %d" % ports["metrics"], "  grace: 1s", "  data_age: 3s", "feeds:"]
    for feed, path in FEEDS.items():
        tls = feed == "binance_spot" and first
        lines += ["  %s:" % feed, "    url: %s%s" % (urls[feed]["wss" if tls else "ws"], path),
                  "    rest_url: %s" % urls[feed]["rest_tls" if tls else "rest"], "    symbols: all",
                  "    channels: [depth, trade, bbo]", "    rest_weight_per_min: 1000000", "    journal_ring: 8MiB",
                  "    postgres_ring: 8MiB", "    tape: 4MiB", "    reconnect_min: 50ms", "    reconnect_max: 500ms",
                  "    silence_connection: 3s"]
        lines += ["    ca_file: %s/ca.pem" % WORK] if tls else []
        lines += ["    memory_soft: 4KiB"] if feed == "okx_spot" and first else []
    open(WORK + "/engine.yaml", "w").write("\n".join(lines) + "\n")


def start_engine():
    return run([MDENGINE, "run", "-c", WORK + "/engine.yaml"], "engine")


WINDOWS = [(r"interval: 15s", "interval: 1s"), (r"for: \w+", "for: 2s"), (r"\[\d+m\]", "[12s]"), (r"(?<=timestamp_seconds )> 60", "> 4"),
           (r"> 240", "> 5"), (r"7 \* 86400", "60 * 86400")]  # the simulator's certificate is good for a month


def start_prometheus():
    os.makedirs(WORK + "/rules")
    for path in glob.glob(MONITORING + "/prometheus/rules/*.yml"):
        text = open(path).read()
        for pattern, shorter in WINDOWS:
            text = re.sub(pattern, shorter, text)
        open(WORK + "/rules/" + os.path.basename(path), "w").write(text)
    jobs = "".join("  - job_name: %s\n    static_configs: [{targets: ['127.0.0.1:%d']}]\n" % (job, ports[port])
                   for job, port in (("mdengine", "metrics"), ("node", "target"), ("prometheus", "prometheus"),
                                     ("alertmanager", "alertmanager")))
    open(WORK + "/prometheus.yml", "w").write(
        "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\nrule_files: [rules/*.yml]\nalerting:\n"
        "  alertmanagers: [{static_configs: [{targets: ['127.0.0.1:%d']}]}]\nscrape_configs:\n%s" % (ports["alertmanager"], jobs))
    run(["prometheus", "--config.file=" + WORK + "/prometheus.yml", "--storage.tsdb.path=" + WORK + "/tsdb",
         "--web.listen-address=127.0.0.1:%d" % ports["prometheus"], "--log.level=warn"], "prometheus")


def start_alertmanager(receiver):
    os.makedirs(WORK + "/secrets")
    open(WORK + "/secrets/webhook_url", "w").write("http://127.0.0.1:%d/\n" % receiver.server_port)
    subprocess.run(["sh", MONITORING + "/alertmanager/render", WORK + "/secrets", WORK + "/alertmanager.yml"], check=True)
    text = re.sub(r"group_(wait|interval): \w+", r"group_\1: 1s", open(WORK + "/alertmanager.yml").read())
    open(WORK + "/alertmanager.yml", "w").write(text)
    run(["prometheus-alertmanager", "--config.file=" + WORK + "/alertmanager.yml", "--storage.path=" + WORK + "/alerts",
         "--cluster.listen-address=", "--web.listen-address=127.0.0.1:%d" % ports["alertmanager"], "--log.level=warn"],
        "alertmanager")


# ---- what is seen ----

def alerts():
    text = fetch("http://127.0.0.1:%d/api/v1/alerts" % ports["prometheus"])[1]
    return [a["labels"] for a in json.loads(text)["data"]["alerts"] if a["state"] == "firing"]


def firing_names():
    try:
        return {a["alertname"] for a in alerts()}
    except (OSError, ValueError):
        return set()


def is_firing(name, **labels):
    return any(a["alertname"] == name and all(a.get(k) == v for k, v in labels.items()) for a in alerts())


def was_told(status, name, since=0):
    return any(r[0] == status and r[1] == name for r in received[since:])


def shows(name, pattern, feed):
    """Runs the commands of the runbook's page as it says, with the names of this stack; together they show the cause."""
    page = open(MONITORING + "/runbook/%s.md" % name).read()
    commands = re.search(r"## See the cause\n\n```\n(.*?)```", page, re.S).group(1).strip().split("\n")
    output = ""
    for command in commands:
        command = re.sub(r"\bmdengine (status|symbols|top|book)\b", r"%s \1 -n %s -S %s" % (MDENGINE, NAME, SHM), command)
        command = re.sub(r"\bmdengine (journal|check)\b", MDENGINE + r" \1", command)
        command = command.replace("journalctl -u mdengine", "cat %s/engine.log" % WORK).replace("pg_isready", "pg_isready -h " + CLUSTER)
        command = command.replace("FEED", feed)
        command = command.replace("localhost:8087", "127.0.0.1:%d" % ports["http"]).replace("localhost:9092", "127.0.0.1:%d" % ports["metrics"])
        command = command.replace("sport = :8087", "sport = :%d" % ports["http"]).replace("sport = :9092", "sport = :%d" % ports["metrics"])
        command = command.replace("HOST:443", "127.0.0.1:%d" % ports["tls"]).replace("HOST", "localhost")
        command = command.replace("INSTANCE", "127.0.0.1:%d" % ports["target"]).replace("DIR", (TINY if TINY != "-" else WORK) + "/journal")
        result = subprocess.run(["timeout", "20", "sh", "-c", command], capture_output=True, text=True)
        output += result.stdout + result.stderr + "status %d\n" % result.returncode
    assert re.search(pattern, output), "%s: the page's commands do not show the cause (%s):\n%s\n%s" % (name, pattern, "\n".join(commands), output[-3000:])


def fires(name, pattern, **labels):
    wait_for("%s to fire" % name, lambda: is_firing(name, **labels), PATIENCE_FIRE)
    wait_for("what the page of %s shows" % name, lambda: try_shows(name, pattern, labels.get("feed", "okx_spot")))
    note("%s fires, and its page shows why" % name)


last_show = {}


def try_shows(name, pattern, feed):
    try:
        shows(name, pattern, feed)
        return True
    except AssertionError as error:
        last_show[name] = str(error)
        return False


def resolves(name, **labels):
    wait_for("%s to be over" % name, lambda: not is_firing(name, **labels))
    done.append(name)
    note("%s is over" % name)


def all_well():
    status, text = fetch("http://127.0.0.1:%d/health" % ports["http"])
    feeds = json.loads(text)["feeds"]
    return status == 200 and all(f["state"] == "live" and 0 < f["books_known"] == f["books_valid"] for f in feeds)


# ---- the drills ----

def maintenance(engine):
    """One exchange is away: degraded, warnings, nobody is woken up and nothing is restarted."""
    begin = len(received)
    stop_sim("okx_spot")
    fires("FeedStale", r"okx_spot +\w+ +0 +0 (.|\n)*at=okx_spot .*cannot reach", feed="okx_spot")
    fires("BooksNotValid", r"okx_spot.*(STALE|stale)|STALE", feed="okx_spot")
    fires("MissingRateHigh", r"okx_spot", feed="okx_spot")
    wait_for("a notification", lambda: was_told("firing", "FeedStale", begin))
    status, text = fetch("http://127.0.0.1:%d/health" % ports["http"])
    assert status == 200 and json.loads(text)["status"] == "degraded", text
    text = fetch("http://127.0.0.1:%d/metrics" % ports["metrics"])[1]
    assert re.findall(r'^mdengine_feed_connected{feed="(\w+)"} 0$', text, re.M) == ["okx_spot"], "whose exchange is away"
    assert fetch("http://127.0.0.1:%d/live" % ports["http"])[0] == 200 and engine.poll() is None
    critical = [r for r in received[begin:] if r[2] == "critical"]
    assert not critical, critical
    start_sim("okx_spot")
    for name in ("FeedStale", "BooksNotValid", "MissingRateHigh"):
        resolves(name, feed="okx_spot")
    wait_for("the end to be told", lambda: was_told("resolved", "FeedStale", begin))
    note("an exchange in maintenance: /health 200 degraded, no critical notification, the same process")


def storage_and_others():
    """Causes that do not touch each other, at once."""
    subprocess.run([PG, "stop", CLUSTER, "immediate"], check=True, stdout=subprocess.DEVNULL)
    stop_sim("binance_derivatives")
    start_sim("binance_derivatives", "--fault", "cut:every=1", "--fault", "429:every=1,retry=0")
    target.shutdown()
    target.server_close()
    if TINY != "-":
        space = os.statvfs(TINY)
        fill = space.f_bavail * space.f_frsize - (20 << 20)
        with open(TINY + "/filler", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, fill)
    held = []
    for _ in range(90):
        s = socket.socket()
        s.settimeout(5)
        s.connect(("127.0.0.1", ports["http"]))
        held.append(s)
    fires("HttpRefused", r"mdengine_http_refused_connections_total [1-9]")
    for s in held:
        s.close()
    fires("DatabaseDown", r"no response|not available")
    fires("SinkErrors", r"not available", sink="postgres")
    fires("ReconnectsFrequent", r"lost \(", feed="binance_derivatives")
    fires("GapsHigh", r"\"gap\"", feed="binance_derivatives")
    fires("TargetDown", r"status [1-9]", job="node")
    if TINY != "-":
        fires("JournalSpaceLow", r"100%|9\d%|8\d%|7\d%")
        os.unlink(TINY + "/filler")
    subprocess.run([PG, "start", CLUSTER], check=True, stdout=subprocess.DEVNULL)
    stop_sim("binance_derivatives")
    start_sim("binance_derivatives")
    serve(Target, ports["target"])
    for name in ["HttpRefused", "DatabaseDown", "SinkErrors", "ReconnectsFrequent", "GapsHigh", "TargetDown"] + \
            ([] if TINY == "-" else ["JournalSpaceLow"]):
        resolves(name)


def nothing_comes():
    for feed in FEEDS:
        stop_sim(feed)
    fires("NoIngestion", r"okx_spot +\w+ +0 +0 ")
    fires("MdengineUnhealthy", r"any_feed_fresh")
    for feed in FEEDS:
        start_sim(feed)
    resolves("NoIngestion")
    resolves("MdengineUnhealthy")


def killed(engine, urls):
    """What only a restart mends is mended by this one."""
    fires("FeedMemoryHigh", r"okx_spot", feed="okx_spot")
    fires("CertificateExpiry", r"notAfter=", feed="binance_spot")
    begin = len(received)
    end(engine, signal.SIGKILL)
    fires("MdengineDown", r"status [1-9]")
    wait_for("a notification", lambda: was_told("firing", "MdengineDown", begin))
    write_config(urls, False)
    engine = start_engine()
    for name in ("MdengineDown", "FeedMemoryHigh", "CertificateExpiry"):
        resolves(name)
    wait_for("the end to be told", lambda: was_told("resolved", "MdengineDown", begin))
    note("a killed engine was told, and its end, too")
    return engine


def main():
    global target
    receiver, target = serve(Receiver), serve(Target)
    ports.update(http=free_port(), metrics=free_port(), prometheus=free_port(), alertmanager=free_port(), target=target.server_port)
    urls = {feed: start_sim(feed) for feed in FEEDS}
    write_config(urls, True)
    start_alertmanager(receiver)
    engine = start_engine()
    start_prometheus()
    wait_for("all books of all feeds", all_well)
    wait_for("Prometheus", lambda: any(a["alertname"] == "FeedMemoryHigh" for a in alerts()))
    note("all is well")
    maintenance(engine)
    storage_and_others()
    nothing_comes()
    engine = killed(engine, urls)
    wait_for("all books of all feeds", all_well)
    end(engine)
    assert engine.returncode == 0, "the engine ended with %d" % engine.returncode
    print("%d alerts drilled: %s" % (len(done), " ".join(done)))
    assert len(set(done)) >= 12


if __name__ == "__main__":
    try:
        main()
    except AssertionError as error:
        print("failed:", error, *last_show.values(), sep="\n", file=sys.stderr)
        sys.exit(1)
    finally:
        for child in children:
            if child.poll() is None:
                child.kill()
        shutil.rmtree(WORK + "/tsdb", ignore_errors=True)
