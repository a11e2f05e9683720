"""What test_scale_six.sh compares, of an engine with six feeds and their six simulators.

  deepened METRICS FEED=BOOKS...         each feed that begins with cut books made so many of them deeper
  shares BEFORE AFTER LEAST              processor time and memory of each thread and feed between two /metrics, of so many
                                         messages a second at least
  equal PROGRAM NAME SHM WORK BOOKS FEED...    so many books, and every one has the digest of its exchange's end, everything is durable;
                                         of a book that still becomes deeper at the pace of its exchange's REST, the best 20
  account METRICS WORK FEED...           received = sent for each feed, and nothing is lost
"""
import json
import re
import subprocess
import sys


def series(path):
    """{(metric, feed or thread): value}; a number alone is the time."""
    out = {}
    for line in open(path, encoding="utf-8"):
        if line.startswith("#"):
            continue
        if re.match(r"^[0-9.]+$", line):
            out["time", ""] = float(line)
            continue
        name, value = line.rsplit(" ", 1)
        metric, _, labels = name.partition("{")
        labels = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        key = metric.removeprefix("mdengine_"), labels.get("feed") or labels.get("thread") or ""
        out[key] = out.get(key, 0) + float(value)
    return out


def shares(before, after, least):
    a, b = series(before), series(after)
    seconds = b["time", ""] - a["time", ""]
    names = sorted(who for metric, who in b if metric == "thread_cpu_seconds_total")
    total = 0
    for who in names:
        core = (b["thread_cpu_seconds_total", who] - a["thread_cpu_seconds_total", who]) / seconds
        total += core
        text = f"  {who:22} {100 * core:5.1f} % of a core"
        if ("feed_memory_bytes", who) in b:
            frames = (b["feed_frames_total", who] - a["feed_frames_total", who]) / seconds
            text += f"  {b['feed_memory_bytes', who] / 2**20:6.1f} MiB  {frames:8.0f} messages a second"
        print(text)
    frames = sum(b[k] - a[k] for k in b if k[0] == "feed_frames_total") / seconds
    print(f"  {'in all':22} {100 * total:5.1f} % of a core  {b['process_resident_memory_bytes', ''] / 2**20:6.1f} MiB resident"
          f"  {frames:8.0f} messages a second")
    return frames >= float(least)


def deepened(metrics, *wanted):
    m = series(metrics)
    got = {(feed, int(m.get(("feed_deepened_books_total", feed), 0)), int(cnt)) for feed, _, cnt in (w.partition("=") for w in wanted)}
    print(*(f"{feed} {cnt} of {all_of_them}" for feed, cnt, all_of_them in sorted(got)))
    return all(cnt >= all_of_them for _, cnt, all_of_them in got)


def ends(work, feed):
    rows = (json.loads(line) for line in open(f"{work}/{feed}.truth", encoding="utf-8") if '"end"' in line)
    return {t["symbol"]: t for t in rows if t["at"] == "end" and "symbol" in t}


def equal(program, name, shm, work, wanted, *feeds):
    status = json.loads(subprocess.run([program, "status", "-n", name, "-S", shm, "--json"],
                                       capture_output=True, text=True, check=False).stdout)
    late = [f["feed"] for f in status["feeds"]
            if f["durable_seq"] != f["published_seq"] or f["raw_durable_seq"] != f["raw_published_seq"]]
    if late:
        print("not durable:", *late)
        return False
    bad, cnt, whole = [], 0, 0
    for feed in feeds:
        out = subprocess.run([program, "book", feed, "--all", "-n", name, "-S", shm, "--digest", "--json"],
                             capture_output=True, text=True, check=False).stdout
        books = {said["symbol"]: said for said in map(json.loads, out.splitlines())}
        for symbol, want in ends(work, feed).items():
            said = books.get(symbol)
            if not said:
                continue  # not chosen, or no such book: counted below
            cnt += 1
            is_whole = not feed.startswith("binance_") or (said["bids"] >= want["bids"] and said["asks"] >= want["asks"])
            whole += is_whole
            digest = "digest" if is_whole else "digest_top20"
            if said["state"] != "VALID" or said["exch_seq"] != want["id"] or said[digest] != want[digest]:
                bad.append((feed, symbol, said.get("state"), said.get("exch_seq"), want["id"]))
    print(f"{cnt - len(bad)} of {cnt} books equal their exchange's, {whole} of them by all levels", bad[:5])
    return not bad and cnt == int(wanted)


def account(metrics, work, *feeds):
    m, good = series(metrics), True
    for feed in feeds:
        sim = json.loads(open(f"{work}/{feed}.sim", encoding="utf-8").read().splitlines()[-1])
        get = lambda metric: int(m.get((metric, feed), 0))
        answers = get("feed_rest_requests_total") - get("feed_rest_errors_total")
        sent, frames = sim["sent_frames"] + sim["sent_texts"] + answers, get("feed_frames_total")
        faults = {n: get(f"feed_{n}_total") for n in ("gaps", "parse_errors", "unroutable", "overflows", "canary_mismatches",
                                                      "reconnects", "checksum_mismatches")}
        faults["lost"] = get("ring_account_lost_records_total") + get("ring_lost_records_total")
        offered, published, consumed = (get(f"ring_account_{k}_records_total") for k in ("offered", "published", "consumed"))
        faults["account"] = abs(offered - published) + abs(published - consumed)
        ok = frames == sent and not any(faults.values())
        good &= ok
        print(f"  {feed:20} sent {sim['sent_frames']} + {sim['sent_texts']} answers + {answers} by REST, received {frames};"
              f" {offered} records, lost {faults['lost']}", "" if ok else f"WRONG: {faults}")
    return good


if __name__ == "__main__":
    done = {"deepened": deepened, "shares": shares, "equal": equal, "account": account}[sys.argv[1]](*sys.argv[2:])
    sys.exit(0 if done in (None, True) else 1)
