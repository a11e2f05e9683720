#!/bin/sh
# mdengine top on a terminal of 80 x 24 over an engine of two feeds: its numbers are those of status --json, sorting,
# filter, pause, the page of a feed, help and another size of the terminal do what they say, and it ends with 0. The same
# of mdengine book --watch, which tells that the engine was killed, and follows the next one.
. "$(dirname "$0")/lib.sh"

config "    recording: $FIXTURES/demo.wscap.zst
    speed: max
  okx_spot:
    recording: $FIXTURES/../okx_spot/gap.wscap.zst
    speed: max"
start
wait_for "the recordings to end" ended

"$MDENGINE" top -n "$NAME" -S "$SHM" --once >"$WORK/once.txt" || fail "top --once"
"$MDENGINE" top -n "$NAME" -S "$SHM" --once --json >"$WORK/once.json" || fail "top --once --json"
"$MDENGINE" top -n "$NAME" -S "$SHM" --once --json --window 0.5 >"$WORK/window.json" || fail "top --once --window"
status_json >"$WORK/status.json" || true
[ "$(wc -L <"$WORK/once.txt")" -le 80 ] || fail "top --once has a line of more than 80 columns"
if "$MDENGINE" top -n "$NAME" -S "$SHM" </dev/null >/dev/null 2>&1; then fail "top without a terminal"; fi

cat >"$WORK/top.py" <<'END2'
import json, os, re, sys
sys.path.insert(0, sys.argv[1])
from terminal import Terminal

program, name, shm, work = sys.argv[2:]
feeds = {f["feed"]: f for f in json.load(open(work + "/status.json"))["feeds"]}
once = json.load(open(work + "/once.json"))
same = ("frames", "records", "gaps", "reconnects", "lost", "books", "books_valid", "published_seq", "durable_seq",
        "receive_to_decoded", "decoded_to_visible")
for f in once["feeds"]:
    for key in same:
        assert f[key] == feeds[f["feed"]][key], (f["feed"], key, f[key])
last = json.load(open(work + "/window.json"))
assert last["recent_s"] >= 0.5 and "recent_s" not in once, last
for f in last["feeds"]: # the recordings are over
    assert f["recent_receive_to_decoded"]["count"] == 0 and f["receive_to_decoded"]["count"] > 0, f
assert len(once["feeds"]) == 2 and len(once["rings"]) == 2, once["rings"]
assert feeds["okx_spot"]["gaps"] > 0, "a recording with a gap"
assert all(r["used_bytes"] < r["capacity_bytes"] for r in once["rings"])

def time_text(ns):
    for factor, unit in ((10**9, "s"), (10**6, "ms"), (10**3, "us")):
        if ns >= factor:
            return "%.3g%s" % (ns / factor, unit)
    return f"{ns}ns"

def row(text, feed):
    """The cells of a feed in the table, None when it is not there."""
    found = re.search(rf"^[> ]{feed} +(.*)$", text, re.M)
    return found.group(1).split() if found else None

def is_right(text, feed, chosen):
    """Every number of the feed that does not move is on the screen, once its rates have come to rest."""
    f, cells = feeds[feed], row(text, feed)
    if not cells or cells[:3] != ["ended", "0", "0"]:
        return False
    if cells[3:7] != [f"{f['books_valid']}/{f['books']}"] + [str(f[k]) for k in ("gaps", "reconnects", "lost")]:
        return False
    if cells[7] != "0%" or not chosen:
        return cells[7] == "0%"
    # What is over is not of the last seconds; since the start it is as in status.
    if "since start" not in text:
        return re.search(rf"^ {feed}, last [\d.]+ s ", text, re.M) is not None
    stages = all(re.search(rf"^ {label} +{re.escape(time_text(f[key]['p50_ns']))} +{re.escape(time_text(f[key]['p99_ns']))}"
                           rf" +{re.escape(time_text(f[key]['p999_ns']))} +{f[key]['count']}$", text, re.M)
                 for label, key in (("receive to decoded", "receive_to_decoded"), ("decoded to visible", "decoded_to_visible")))
    return stages and f" {feed} published {f['published_seq']}  durable {f['durable_seq']}  stored 0" in text

def order(text):
    return re.findall(r"^[> ](binance_spot|okx_spot) +ended", text, re.M)

top = Terminal([program, "top", "-n", name, "-S", shm, "-d", "0.2", "-w", "1"])
top.wait("the first page with the numbers of status", lambda t: is_right(t, "binance_spot", True) and is_right(t, "okx_spot", False))
top.wait("nothing in the last seconds", lambda t: re.search(r"^ binance_spot, last [\d.]+ s ", t, re.M) and
         re.search(r"^ receive to decoded +- +- +- +0$", t, re.M))
top.type("w")
top.wait("latencies since the start", lambda t: "binance_spot, since start" in t and is_right(t, "binance_spot", True))
first = top.text()
top.type("j")
top.wait("the stages of the next feed", lambda t: is_right(t, "okx_spot", True))
top.type("k")
top.wait("the first feed again", lambda t: is_right(t, "binance_spot", True))
assert order(top.text()) == ["binance_spot", "okx_spot"]
top.type("r")
top.wait("names the other way round", lambda t: order(t) == ["okx_spot", "binance_spot"])
top.type(">>>>")
most = sorted(feeds, key=lambda f: (-feeds[f]["books_valid"], f))
top.wait("the order by books", lambda t: "sort: books, highest first" in t and order(t) == most)
top.type("/OKX\r")
top.wait("the filter", lambda t: "1 of 2 feeds" in t and order(t) == ["okx_spot"] and "filter: OKX" in t)
top.type("\x1b")
top.wait("both feeds again", lambda t: len(order(t)) == 2 and "filter" not in t)
top.type("p")
top.wait("the pause", lambda t: "PAUSED" in t.split("\n")[0])
up = re.search(r"up (\d+) s", top.text()).group(1)
for _ in range(15):
    top.read()
assert re.search(r"up (\d+) s", top.text()).group(1) == up, "the clock goes on in a pause"
top.type("p")
top.wait("the end of the pause", lambda t: "PAUSED" not in t and re.search(r"up (\d+) s", t).group(1) != up)
top.type("?")
top.wait("the help", lambda t: t.startswith("mdengine top: keys") and "q, Ctrl-C" in t)
top.type("?")
top.wait("the page of feeds", lambda t: len(order(t)) == 2)
top.type("/bin\r\r")
f = feeds["binance_spot"]
top.wait("the page of the feed", lambda t: re.search(rf"^ messages +{f['frames']} +0/s +published +{f['published_seq']}$", t, re.M)
         and re.search(rf"^ gaps +{f['gaps']} +raw published +{f['raw_published_seq']}$", t, re.M)
         and len(re.findall(r"^ \S+-USDT +VALID +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+$", t, re.M)) == 5)
page = top.text()
top.type("\x1b\x1b")
top.wait("the way back", lambda t: len(order(t)) == 2)
top.resize(50, 200)
top.wait("a wide page", lambda t: "published      durable       stored" in t and "okx_spot published" in t)
top.resize(20, 60)
top.wait("a small page", lambda t: t.startswith("mdengine") and len(order(t)) >= 1)
top.quit()
top = Terminal([program, "top", "-n", name, "-S", shm])
top.wait("a page", lambda t: len(order(t)) == 2)
top.quit("\x03")
print(first, "\n", page, sep="\n")
END2
python3 "$WORK/top.py" "$E2E" "$MDENGINE" "$NAME" "$SHM" "$WORK" || fail "top"

# --- book --watch, over the death of the engine
"$MDENGINE" book binance_spot BTC-USDT -n "$NAME" -S "$SHM" -d 12 --json >"$WORK/book.json" || fail "book --json"
cat >"$WORK/watch.py" <<'END2'
import json, os, re, sys
sys.path.insert(0, sys.argv[1])
from terminal import Terminal

program, name, shm, work = sys.argv[2:]
book = json.load(open(work + "/book.json"))

def levels(text):
    """(bid quantity, bid, ask, ask quantity) of each row."""
    rows = re.findall(r"^ *#* +([\d.]+) +([\d.]+) \| ([\d.]+) +([\d.]+) *#*$", text, re.M)
    return [tuple(row) for row in rows]

def expected(cnt):
    return [(b[1], b[0], a[0], a[1]) for b, a in zip(book["bids"][:cnt], book["asks"][:cnt])]

watch = Terminal([program, "book", "binance_spot", "BTC-USDT", "-n", name, "-S", shm, "-d", "10", "--watch"])
def bars_of(text):
    return [line.split("|")[1].count("#") for line in text.split("\n") if "|" in line and "." in line]

# A picture may still be half drawn: its last bar comes last.
watch.wait("the ladder of book --json", lambda t: "BTC-USDT  VALID" in t and levels(t) == expected(10) and
           bars_of(t) == sorted(bars_of(t)) and bars_of(t)[-1] > 0)
first = watch.text()
assert f"update {book['exch_seq']}  seq {book['seq']}" in first
bars = bars_of(first)
assert bars == sorted(bars) and bars[-1] > 0, bars
watch.type("++")
watch.wait("two levels more", lambda t: levels(t) == expected(12))
watch.type("-" * 8)
watch.wait("eight fewer", lambda t: levels(t) == expected(4))
watch.type("p")
watch.wait("the pause", lambda t: "PAUSED" in t)
watch.type("p")
watch.wait("the end of the pause", lambda t: "PAUSED" not in t)
open(work + "/watching", "w").close()
watch.wait("the death", lambda t: "DEAD: the engine's process is gone" in t and levels(t) == expected(4), 120)
open(work + "/dead", "w").close()
watch.wait("the next engine", lambda t: "BTC-USDT  VALID" in t and "restarted 1 x" in t and levels(t) == expected(4), 120)
watch.quit()
print(first)
END2
python3 "$WORK/watch.py" "$E2E" "$MDENGINE" "$NAME" "$SHM" "$WORK" &
watcher=$!
seen() { [ -e "$WORK/$1" ] || ! kill -0 "$watcher" 2>/dev/null; }
wait_for "the ladder" seen watching
kill -9 "$ENGINE"
wait "$ENGINE" 2>/dev/null || true
ENGINE=
wait_for "the death to be seen" seen dead
start
wait "$watcher" || fail "book --watch"
stop
