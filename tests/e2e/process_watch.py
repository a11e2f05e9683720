"""Watch a running engine for some seconds: memory, descriptors, threads, processor time of each thread.

  process_watch.py PID METRICS_URL SECONDS SETTLE [--memory-kib N] [--hosts N]

Samples once a second and prints a line each, then a JSON line with the figures of the time behind the first SETTLE
seconds. Exit 1 when descriptors or threads differ in that time, resident memory grows by more than N KiB, a record
is lost or an account of a ring does not add up. Worker threads that the kernel makes for io_uring come and go as it
likes: they are counted apart. Of N hosts more than one, REST connections come and go, one a host at a time.
"""
import argparse
import json
import os
import re
import sys
import time
import urllib.request


def memory(pid):
    """KiB by kind; of the shared kind nearly all is the segment and its rings."""
    text = open(f"/proc/{pid}/status", encoding="ascii", errors="replace").read()
    return {k: int(v) for k, v in re.findall(r"^(VmRSS|RssAnon|RssFile|RssShmem):\s+(\d+) kB", text, re.M)}


def mappings(pid):
    """KiB resident by mapping, the heap's and unnamed ones by their address."""
    out, name = {}, ""
    for line in open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace"):
        head = re.match(r"^([0-9a-f]+)-[0-9a-f]+ \S+ \S+ \S+ \S+ *(.*)$", line)
        if head:
            name = f"{head.group(1)} {head.group(2)}".strip()
        elif line.startswith("Rss:"):
            out[name] = out.get(name, 0) + int(line.split()[1])
    return out


def threads(pid):
    """Nanoseconds of processor time by (id, name)."""
    out = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        try:
            name = open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii", errors="replace").read().strip()
            spent = int(open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii").read().split()[0])
        except OSError:
            continue
        out[int(tid), name] = spent
    return out


def metrics(url):
    """Sums over all labels by name, and each series by itself."""
    sums, series = {}, {}
    for line in urllib.request.urlopen(url, timeout=10).read().decode().splitlines():
        if line.startswith("#"):
            continue
        name, value = line.rsplit(" ", 1)
        series[name] = float(value)
        name = name.split("{", 1)[0]
        sums[name] = sums.get(name, 0) + float(value)
    return sums, series


def sample(pid, url):
    now = time.monotonic()
    fds = len(os.listdir(f"/proc/{pid}/fd"))
    cpu = threads(pid)
    sums, series = metrics(url)
    ours = {k: v for k, v in cpu.items() if not k[1].startswith("iou-")}
    return {
        "at": now,
        "memory": memory(pid),
        "fds": fds,
        "cpu": cpu,
        "threads": sorted(ours),
        "workers": len(cpu) - len(ours),
        "frames": sums["mdengine_feed_frames_total"],
        "lost": sums["mdengine_ring_account_lost_records_total"],
        "difference": {k: v for k, v in series.items() if k.startswith("mdengine_ring_account_difference") and v},
        "used": sums["mdengine_ring_used_bytes"],
    }


def shares(first, last):
    """Processor time by kind of thread: a share of one core, and nanoseconds a message."""
    elapsed, frames = last["at"] - first["at"], last["frames"] - first["frames"]
    spent = {}
    for key, ns in last["cpu"].items():
        name = "io_uring workers" if key[1].startswith("iou-") else key[1]
        spent[name] = spent.get(name, 0) + ns - first["cpu"].get(key, 0)
    out = {k: {"core_percent": round(v / elapsed / 1e7, 2), "ns_per_message": round(v / max(frames, 1))}
           for k, v in sorted(spent.items())}
    total = sum(spent.values())
    return out, {"core_percent": round(total / elapsed / 1e7, 2), "ns_per_message": round(total / max(frames, 1))}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("pid", type=int)
    p.add_argument("url")
    p.add_argument("seconds", type=float)
    p.add_argument("settle", type=float)
    p.add_argument("--memory-kib", type=int, default=1024)
    p.add_argument("--hosts", type=int, default=1)
    args = p.parse_args()
    begin = time.monotonic()
    taken = []
    before = {}
    while time.monotonic() - begin < args.seconds:
        s = sample(args.pid, args.url)
        taken.append(s)
        if not before and s["at"] - begin >= args.settle:
            before = mappings(args.pid)
        print("%5.1f s  %s  fds %d  threads %d + %d  messages %d  ring bytes %d" % (
            s["at"] - begin, " ".join(f"{k} {v}" for k, v in s["memory"].items()), s["fds"], len(s["threads"]),
            s["workers"], s["frames"], s["used"]), flush=True)
        time.sleep(max(0.0, begin + len(taken) - time.monotonic()))
    steady = [s for s in taken if s["at"] - begin >= args.settle]
    first, last = steady[0], steady[-1]
    by_thread, whole = shares(first, last)
    # What is held for a moment, as a segment is packed, is given back: the least of each quarter counts.
    rss = [s["memory"]["VmRSS"] for s in steady]
    quarter = max(1, len(rss) // 4)
    figures = {
        "seconds": round(last["at"] - first["at"], 1),
        "messages_per_second": round((last["frames"] - first["frames"]) / (last["at"] - first["at"])),
        "memory_kib": last["memory"],
        "memory_growth_kib": min(rss[-quarter:]) - min(rss[:quarter]),
        "memory_peak_kib": max(rss) - min(rss),
        "grown_kib": {k: v - before.get(k, 0) for k, v in mappings(args.pid).items() if v > before.get(k, 0)},
        "fds": [min(s["fds"] for s in steady), max(s["fds"] for s in steady)],
        "threads": len(last["threads"]),
        "ring_used_bytes_max": max(s["used"] for s in steady),
        "process": whole,
        "by_thread": by_thread,
    }
    print(json.dumps(figures))
    wrong = []
    # A segment that is rolled is open beside the next one for a moment; what leaks stays.
    halves = steady[: len(steady) // 2], steady[len(steady) // 2 :]
    least = [min(s["fds"] for s in half) for half in halves]
    if abs(least[1] - least[0]) > (args.hosts > 1) or figures["fds"][1] - least[0] > 2 + args.hosts:
        wrong.append(f"descriptors are {[s['fds'] for s in steady]}")
    if any(s["threads"] != first["threads"] for s in steady):
        wrong.append("threads came or went")
    if figures["memory_growth_kib"] > args.memory_kib:
        wrong.append(f"memory grew by {figures['memory_growth_kib']} KiB")
    if last["lost"]:
        first_lost = next(s for s in taken if s["lost"])
        wrong.append(f"{last['lost']:.0f} records are lost, the first before {first_lost['at'] - begin:.0f} s")
    if any(s["difference"] for s in taken):
        wrong.append(f"an account does not add up: {[s['difference'] for s in taken if s['difference']]}")
    for text in wrong:
        print("wrong:", text, file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
