#!/bin/sh
# bench over the wire runs in its shortest form: the clients of `bench transport` get what the server sends, plain, with
# TLS and deflated; `bench e2e` sends on its schedule over one and 64 sockets, its books are what came, two feeds run at
# once, an engine of 10,000 instruments starts and is left by readers and processes alike; `bench resident` loads an
# engine and looks at its memory. Every line is there, with or without a figure. Takes about 35 s.
. "$(dirname "$0")/lib.sh"
"$MDENGINE" bench transport e2e resident --seconds 1 --rounds 1 --json >"$WORK/bench.json" 2>"$WORK/log" ||
  fail "bench ended with $?: $(cat "$WORK/log")"
python3 - "$WORK/bench.json" <<'END' || fail "the report of bench is not what it must be"
import json
import sys

rows = {row["name"]: row for row in json.load(open(sys.argv[1], encoding="utf-8"))["results"]}
wanted = {"transport.tls.200.to_shm": (2, 4), "transport.tls.2000.to_shm": (4, 6), "transport.deflate.to_shm": (0.75, 0.87),
          "transport.plain.200": (None, None), "e2e.plain": (1.25, 1.1), "e2e.tls": (1.25, 1.1), "e2e.plain.bare": (None, None),
          "e2e.sockets_64": (1.5, 1.15), "e2e.feed_threads_2": (1.6, 1.9), "e2e.start_10000": (3, 1.5), "e2e.attach": (5, 1),
          "resident.engine": (1.1, 1.02), "resident.feed_mallocs": (0, 0)}
for name, bounds in wanted.items():
    assert name in rows, f"{name} is missing"
    assert (rows[name]["floor"], rows[name]["target"]) == bounds, rows[name]
for name in ("transport.tls.2000.to_shm", "transport.deflate.to_shm"):
    assert rows[name]["ratio"] > 0, rows[name]
END
