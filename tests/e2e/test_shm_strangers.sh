#!/bin/sh
# Readers of other people: the examples in C, C++, Rust and Python, built against the installed library, run from
# another account with the right to read only, while the engine collects from the built-in exchange. Each reads a VALID
# book and follows the tape from where the book was read, without a hole. Those in C, C++ and Rust go on over a kill -9
# and the next engine, and survive a segment that its owner cuts off. What that account tries against engine and segment
# is refused, all of it; `mdengine status` lists the readers. The tape becomes a pandas DataFrame with exact prices.
. "$(dirname "$0")/lib.sh"
: "${MD_TEST_BIN:?where the helper programs are}"

RECORDS=${RECORDS:-10000}
EXAMPLES=$E2E/../../shm/client/examples
PREFIX=$WORK/prefix
SIM=
READERS=
ends() {
  for pid in $READERS $SIM; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
}
trap 'ends; cleanup' EXIT

# As another uid only root can start one; else the engine's own account has to do.
other=
stranger=
if [ "$(id -u)" -eq 0 ]; then
  other="setpriv --reuid=65534 --regid=$(id -g) --clear-groups"
  stranger="setpriv --reuid=65534 --regid=65534 --clear-groups"
fi

# Debian's own may be run by anybody, one of root's folder may not.
PYTHON=python3
[ ! -x /usr/bin/python3 ] || PYTHON=/usr/bin/python3

# --- built as a stranger builds
cmake --install "$MD_TEST_BIN/.." --prefix "$PREFIX" --component mdshm >"$WORK/install.log" || fail "cmake --install"
LIB=$(dirname "$(find "$PREFIX" -name libmdshm.a)")
LD_LIBRARY_PATH=$LIB
PYTHONPATH=$PREFIX/lib/python3/dist-packages
MDSHM_LIBRARY=$LIB/libmdshm.so.1
PYTHONDONTWRITEBYTECODE=1
export LD_LIBRARY_PATH PYTHONPATH MDSHM_LIBRARY PYTHONDONTWRITEBYTECODE
FLAGS="-O2 -Wall -Wextra -pedantic -Werror -I$PREFIX/include"
# shellcheck disable=SC2086 # flags
{
  gcc -std=c99 $FLAGS "$EXAMPLES/reader.c" -L"$LIB" -lmdshm -o "$WORK/reader_c" || fail "reader.c"
  g++ -std=c++11 $FLAGS "$EXAMPLES/reader.cc" -L"$LIB" -lmdshm -o "$WORK/reader_cc" || fail "reader.cc"
}
RUST=
if command -v rustc >/dev/null 2>&1; then
  rustc --edition 2021 -D warnings -O "$EXAMPLES/reader.rs" -L "$LIB" -l mdshm -o "$WORK/reader_rs" || fail "reader.rs"
  RUST=$WORK/reader_rs
elif [ -n "${CI:-}" ]; then
  fail "no rustc: ./dev packages installs it"
fi
cp "$EXAMPLES/reader.py" "$WORK/reader.py"
cp "$MD_TEST_BIN/attack" "$WORK/attack"
chmod 755 "$WORK/reader.py" "$WORK/attack"

# --- the engine under load
said() { [ -s "$WORK/sim.out" ]; }
url() { sed -n "1s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$WORK/sim.out"; }
"$MDENGINE" sim --symbols 5 --rate 8000 --seconds 600 >"$WORK/sim.out" 2>>"$WORK/engine.log" &
SIM=$!
wait_for "the exchange" said
JOURNAL="policy: none
  segment: 64MiB"
JOURNAL_DIR=$SHM/journal
configure() {
  config "    url: $(url ws)
    rest_url: $(url rest)
    symbols: all
    depth: 100
    raw: false"
}
configure
start

# --- each language
# reader NAME COMMAND...: must see the book and follow it.
reader() {
  language=$1
  shift
  # shellcheck disable=SC2086 # a command and its options
  $other "$@" -d "$SHM" $NAME binance_spot BTC-USDT "$RECORDS" >"$WORK/$language.out" 2>"$WORK/$language.err" ||
    fail "the reader in $language: $(cat "$WORK/$language.out" "$WORK/$language.err")"
  grep -q '^BTC-USDT VALID [0-9.]* x [0-9.]*, ' "$WORK/$language.out" || fail "$language: $(cat "$WORK/$language.out")"
  grep -q "^$RECORDS records behind it, 0 holes" "$WORK/$language.out" || fail "$language: $(cat "$WORK/$language.out")"
  grep -q '^now [0-9.]* x [0-9.]*, seq [0-9]*$' "$WORK/$language.out" || fail "$language: $(cat "$WORK/$language.out")"
  echo "$language: $(tr '\n' ' ' <"$WORK/$language.out")"
}

# In the background one of each reads until it is stopped.
LONG="c cc${RUST:+ rs}"
for language in $LONG; do
  # shellcheck disable=SC2086
  $other "$WORK/reader_$language" -d "$SHM" $NAME binance_spot ETHUSDT 1000000000000 >"$WORK/long.$language" \
    2>"$WORK/long.$language.err" &
  READERS="$READERS $!"
done
reader C "$WORK/reader_c"
reader C++ "$WORK/reader_cc"
[ -z "$RUST" ] || reader Rust "$RUST"
reader Python "$PYTHON" "$WORK/reader.py"

# --- more of Python, from the account: arrays, the directory, records
# shellcheck disable=SC2086
$other "$PYTHON" - "$SHM" $NAME <<'END' || fail "the Python module"
import sys
import mdshm

with mdshm.open(sys.argv[2], dir=sys.argv[1]) as engine:
    assert engine.feeds() == ["binance_spot"], engine.feeds()
    names = sorted(i.normalised.decode() for i in engine.instruments("*-usdt"))
    assert len(names) == 5 and "BTC-USDT" in names, names
    book = engine.book("binance_spot", "BTC-USDT")
    for view in (book.bbo(max_age=30), book.top(max_age=30), book.ladder(max_age=30), book.depth(30, max_age=30)):
        assert view.ok, view
        assert view.bids[0][0] < view.asks[0][0], view
        (bid, _), (ask, _) = view.exact()[0][0], view.exact()[1][0]
        assert bid < ask, view
    assert len(book.depth(30).bids) == 30 and len(book.ladder().asks) == 20
    tape = engine.tape("binance_spot", oldest=True)
    kinds = set()
    for record in tape:
        fields = record.fields(engine.symbol(record.header.instrument))
        assert fields["seq"] == record.seq, fields
        kinds.add(record.type)
        if {"trade", "book_delta"} <= kinds:
            break
    assert engine.counter(0, "mdengine_feed_frames_total") > 0
    assert engine.check() == "OK"
END

# --- the tape as a pandas DataFrame: each row is a record, prices are exact text that Decimal and numpy take as they are
if "$PYTHON" -c 'import pandas' 2>/dev/null; then
  # shellcheck disable=SC2086
  $other "$PYTHON" - "$SHM" $NAME <<'END' || fail "the tape in pandas"
import sys
from decimal import Decimal
import numpy, pandas
import mdshm

with mdshm.open(sys.argv[2], dir=sys.argv[1]) as engine:
    frame = engine.tape("binance_spot", oldest=True).frame(300, types=("trade",))
    assert isinstance(frame, pandas.DataFrame) and len(frame) == 300, frame
    assert set(frame["type"]) == {"trade"} and frame["seq"].is_monotonic_increasing, frame
    assert all(isinstance(px, str) and Decimal(px) > 0 for px in frame["px"]), frame["px"]
    prices = frame["px"].astype(numpy.float64)
    turnover = (prices * frame["qty"].astype(numpy.float64)).groupby(frame["symbol"]).sum()
    assert set(turnover.index) <= {i.symbol.decode() for i in engine.instruments()} and (turnover > 0).all(), turnover
    every = engine.tape("binance_spot", oldest=True).frame(200)
    assert (every["seq"].diff().dropna() == 1).all(), every["seq"]
    book = engine.book("binance_spot", "BTC-USDT").depth(30, max_age=30)
    table = pandas.DataFrame(book.bids, columns=["px", "qty"])
    assert isinstance(book.bids, numpy.ndarray) and len(table) == 30 and table["px"].is_monotonic_decreasing, table
    print("pandas %s: %d trades of %d symbols, %d columns" % (pandas.__version__, len(frame), len(turnover),
                                                            len(frame.columns)))
END
elif [ -n "${CI:-}" ]; then
  fail "no pandas: ./dev test installs it"
fi

# --- the README's own programs
block() { awk -v want="$1" '$0 == "```" want && !done { on = 1; next } $0 == "```" { if (on) done = 1; on = 0 } on' \
  "$EXAMPLES/../README.md"; }
block c | sed "s,mdshm_open(NULL\, \"mdengine\",mdshm_open(\"$SHM\"\, \"$NAME\"," >"$WORK/quote.c"
block python | sed "s,mdshm.open(\"mdengine\",mdshm.open(\"$NAME\"\, dir=\"$SHM\"," >"$WORK/quote.py"
# shellcheck disable=SC2086 # flags
gcc -std=c99 $FLAGS "$WORK/quote.c" -L"$LIB" -lmdshm -o "$WORK/quote" || fail "the README's C program"
# They look once, and on a busy machine a heartbeat may be older than they accept.
# shellcheck disable=SC2086 # a command
quoted_c() { $other "$WORK/quote" | grep -q '^[0-9]* x [0-9]*, times 10^-[0-9]*$'; }
# shellcheck disable=SC2086
quoted_python() { $other "$PYTHON" "$WORK/quote.py" | grep -q '^True '; }
wait_for "a book in the README's C program" quoted_c
wait_for "a book in the README's Python program" quoted_python

# --- what else that account can do: nothing
if [ -n "$other" ]; then
  # shellcheck disable=SC2086
  $other "$WORK/attack" "$SHM" $NAME "$ENGINE" || fail "an attempt got through"
  # shellcheck disable=SC2086
  ! $stranger "$WORK/reader_c" -d "$SHM" $NAME binance_spot BTCUSDT 1 2>"$WORK/err" || fail "an account without the group reads"
  grep -q DENIED "$WORK/err" || fail "an account without the group is told: $(cat "$WORK/err")"
fi
"$WORK/attack" --open "$SHM" $NAME || fail "the control: the owner cannot open the segment either"

# --- listed, and on to the next engine
# listed EPOCH: every one of them says that it reads that engine.
listed() {
  said=$(status_json) || return 1
  for language in $LONG; do
    echo "$said" | grep -q "\"readers\":\[.*\"name\":\"example.$language\",\"pid\":[0-9]*,\"epoch\":$1," || return 1
  done
}
wait_for "the readers in the list" listed 1
kill -9 "$ENGINE"
wait "$ENGINE" 2>/dev/null || true
ENGINE=
start
wait_for "the readers with the next engine" listed 2
status_json | python3 -c '
import json, sys
for reader in json.load(sys.stdin)["readers"]:
    assert reader["records"] > 0 and (reader["reads"] > 0), reader
    print("listed: %(name)s, epoch %(epoch)d, %(records)d records, overtaken %(lapped)d" % reader)'

# --- cut off by its owner: an error for the readers, not their end by a signal
kill -9 "$ENGINE"
wait "$ENGINE" 2>/dev/null || true
ENGINE=
truncate -s 0 "$SHM/mdengine.$NAME"
for reader in $READERS; do
  status=0
  wait "$reader" || status=$?
  [ "$status" -eq 1 ] || fail "a reader of a file that was cut off ended with status $status"
done
READERS=
for language in $LONG; do
  grep -q CORRUPT "$WORK/long.$language.err" || fail "reader.$language of a file that was cut off: $(cat "$WORK/long.$language.err")"
done
rm "$SHM/mdengine.$NAME"
start
gone() { ! status_json | grep -q '"name":"example'; }
wait_for "the readers to be gone from the list" gone
stop
[ ! -e "$SHM/mdengine.$NAME.readers" ] || fail "the list is left behind"

# --- sealed: the same readers, and not even the owner can open it for writing
IO="auto
  shm_mode: sealed"
configure
start
RECORDS=2000
reader "C, sealed" "$WORK/reader_c"
! "$WORK/attack" --open "$SHM" $NAME || fail "the owner opens a sealed segment for writing"
if [ -n "$stranger" ]; then
  # shellcheck disable=SC2086 # a command and its options
  ! $stranger "$WORK/reader_c" -d "$SHM" $NAME binance_spot BTCUSDT 1 2>"$WORK/err" || fail "a stranger reads sealed memory"
  grep -q DENIED "$WORK/err" || fail "a stranger is told: $(cat "$WORK/err")"
fi
stop
