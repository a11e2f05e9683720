#!/bin/sh
# The engine collects Deribit from the simulator: it says its heartbeat, answers signs of life, subscribes by message, and
# after a hole takes that one book anew by unsubscribing it. Every book ends equal to the exchange's: inverse and linear
# perpetuals, a future, options, one without a bid (case 43) and one without a level; numbers come in every form of the
# exchange (case 36). The journal's RAW stream replays to the same records, and says what the client said.
. "$(dirname "$0")/lib.sh"

SIM=
stop_sim() { [ -z "$SIM" ] || kill "$SIM" 2>/dev/null || true; }
trap 'stop_sim; cleanup' EXIT

SYMBOLS=12
url() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$WORK/sim.json"; }

# equal: the market is over and every book is VALID with the exchange's id and digest.
equal() {
  python3 - "$WORK/truth.jsonl" $SYMBOLS "$MDENGINE" book deribit_derivatives -n $NAME -S "$SHM" --digest --json <<'END'
import json, subprocess, sys
ends = [r for r in map(json.loads, open(sys.argv[1])) if r["at"] == "end"]
for end in ends:
    said = subprocess.run(sys.argv[3:] + [end["symbol"]], capture_output=True, text=True).stdout
    book = json.loads(said) if said else {}
    if (book.get("state"), book.get("exch_seq"), book.get("digest")) != ("VALID", end["id"], end["digest"]):
        sys.exit(1)
sys.exit(len(ends) != int(sys.argv[2]))
END
}

"$MDENGINE" sim --venue deribit_derivatives --symbols $SYMBOLS --rate 600 --seconds 6 --hold --wait-clients 1 \
  --truth "$WORK/truth.jsonl" --truth-every 100000 --fault gap:symbol=BTC-PERPETUAL,after=3 \
  --fault ask:after=1,every=0.5,for=30 >"$WORK/sim.json" 2>"$WORK/sim.log" &
SIM=$!
wait_for "the simulator" test -s "$WORK/sim.json"
cat >"$WORK/engine.yaml" <<END
engine:
  name: $NAME
  shm_dir: $SHM
journal:
  dir: $WORK/journal
feeds:
  deribit_derivatives:
    symbols: all
    channels: [depth, trade, ticker, bbo]
    silence_connection: 0s
    url: $(url ws)/ws/api/v2
    rest_url: $(url rest)
monitoring:
  enabled: false
END
start
wait_for "books that equal the exchange's" equal
stop
cat_json() { "$MDENGINE" journal cat "$WORK/journal" --json "$@"; }
cat_json -f deribit_derivatives.raw >"$WORK/raw.jsonl"
cat_json -f deribit_derivatives >"$WORK/records.jsonl"
python3 - "$WORK" <<'END' || fail "the journal does not have what it should"
import collections, json, sys
raw = [json.loads(line) for line in open(sys.argv[1] + "/raw.jsonl")]
sent = [json.loads(r["payload"]) for r in raw if r["kind"] == 5]
came = "".join(r["payload"] for r in raw if r["kind"] == 3)
book = "book.BTC-PERPETUAL.100ms"
calls = collections.Counter(m["method"] for m in sent)
on = sum((m["params"]["channels"] for m in sent if m["method"] == "public/subscribe"), [])
off = sum((m["params"]["channels"] for m in sent if m["method"] == "public/unsubscribe"), [])
assert [m["params"]["interval"] for m in sent if m["method"] == "public/set_heartbeat"] == [30]
assert calls["public/test"] >= 5 and came.count("test_request") == calls["public/test"], calls
assert off == [book], ("only the book with the hole is taken anew", off)
assert on.count(book) == 2 and on.count("book.ETH-PERPETUAL.100ms") == 1
for text in ("e6]", "e-4", ".0,", '"delete"', '"stats":{"high":null', '"bids":[],"asks":[]'):
    assert text in came, f"the exchange never said {text}"
types = collections.Counter(json.loads(line)["type"] for line in open(sys.argv[1] + "/records.jsonl"))
for name in "book_snapshot book_delta trade ticker mark index funding open_interest greeks bbo volatility_index".split():
    assert types[name], f"no {name}"
END
"$MDENGINE" journal verify "$WORK/journal" >/dev/null || fail "the journal has holes or damage"
"$MDENGINE" replay "$WORK/journal" --verify >"$WORK/verify.out" 2>&1 || fail "replay: $(tail -n 3 "$WORK/verify.out")"
echo "$SYMBOLS books equal the exchange's, one of them after a hole; $(tail -n 1 "$WORK/verify.out")"
