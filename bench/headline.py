"""Renews the table of README.md from a report: ./dev bench --json >report.json; python3 bench/headline.py report.json

Each row names lines of the report; a ratio that is a cost stands as what it is. What was not measured stands as -."""

import json
import sys

# step, beside, lines of the report
ROWS = [
    ("a trade of 200 B decoded; a depth update of 1.4 KB; of 4 KB", "simdjson On-Demand, same fields",
     ["decode.agg_trade", "decode.depth_1k4", "decode.depth_4k"]),
    ("the depth update decoded and applied to the book", "simdjson, without a book", ["tick.decode_apply"]),
    ("the same, and published to shared memory", "simdjson and a sorted array, private", ["tick.decode_apply_publish"]),
    ("messages in a changed order of keys; malformed ones", "jansson", ["decode.surprising", "decode.malformed"]),
    ("WebSocket frames received, plain 200 B; 2 KB; TLS 200 B; 2 KB", "libwebsockets that only counts",
     ["transport.plain.200", "transport.plain.2000", "transport.tls.200", "transport.tls.2000"]),
    ("TLS all the way to the book in shared memory, 200 B; 2 KB", "libwebsockets that only counts",
     ["transport.tls.200.to_shm", "transport.tls.2000.to_shm"]),
    ("recorded frames replayed into the same books", "the live path", ["replay.raw"]),
    ("a record from thread to thread, published every 16", "a plain reference ring; ck_ring",
     ["ring.batch16", "ring.batch16.ck"]),
    ("journal, checksummed, fdatasync every 10 ms", "fio that overwrites, without any sync", ["journal.write"]),
    ("rows into PostgreSQL, 10,000 a transaction, two connections; 100,000, one", "COPY FROM file, binary",
     ["copy.rows_10k.two", "copy.rows_100k"]),
]
HEAD = ["| step | beside | times as fast |", "|---|---|---|"]


def figure(row):
    """A ratio in two digits, three from 10 on."""
    ratio = row and row["ratio"]
    return "-" if ratio is None else f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}" if ratio >= 1.95 else f"{ratio:.2f}"


def main():
    rows = {row["name"]: row for row in json.load(open(sys.argv[1], encoding="utf-8"))["results"]}
    file = sys.argv[2] if len(sys.argv) > 2 else "README.md"
    lines = open(file, encoding="utf-8").read().split("\n")
    first = next(n for n, line in enumerate(lines) if line.startswith("| step | beside |"))
    last = next(n for n in range(first, len(lines)) if not lines[n].startswith("|"))
    table = [f"| {step} | {beside} | {'; '.join(figure(rows.get(name)) for name in names)} |"
             for step, beside, names in ROWS]
    lines[first:last] = HEAD + table
    with open(file, "w", encoding="utf-8") as out:
        out.write("\n".join(lines))


main()
