"""mdshm - live market data of an mdengine on this machine, out of shared memory.

    import mdshm
    engine = mdshm.open("mdengine", timeout=5)
    book = engine.book("binance_spot", "BTC-USDT").depth(100)
    bids, asks = book.bids, book.asks      # (n, 2) arrays of price and quantity, best first
    print(book.ok, bids[0], asks[0])

One module over libmdshm.so.1; numpy is used where it is there, pandas only by Tape.frame. A book
is to be believed when `ok` is true: it is VALID and its feed thread said within max_age seconds
that it lives. An engine that is restarted is followed by itself: Engine.restarts counts. An Engine
and what is made of it belong to one thread at a time.

The library is looked for as $MDSHM_LIBRARY, then by the system."""

import ctypes
import json
import os
import time
import types
from ctypes import POINTER, byref, c_char, c_char_p, c_int, c_size_t, c_uint, c_uint64, c_void_p
from ctypes import c_int8, c_int32, c_int64, c_uint8, c_uint16, c_uint32
from decimal import Decimal

try:
    import numpy
except ImportError:
    numpy = None

__all__ = ["open", "Engine", "Book", "Tape", "Record", "Error", "RESULTS"]

RESULTS = ("OK", "NOT_VALID", "STALE", "DEAD", "SUPERSEDED", "STOPPED", "BUSY", "ABSENT", "EMPTY", "LAPPED",
           "VERSION", "CORRUPT", "DENIED", "USAGE", "FAILED", "RESTARTED")
(OK, NOT_VALID, STALE, DEAD, SUPERSEDED, STOPPED, BUSY, ABSENT, EMPTY, LAPPED, VERSION, CORRUPT, DENIED, USAGE,
 FAILED, RESTARTED) = range(16)
ANY_FEED = NONE = 0xFFFFFFFF
ANY_AGE = 2**63 - 1
ABSENT_I64 = -2**63
LADDER_LEVELS = 20
RECORD_TYPES = ("", "raw", "definition", "book_delta", "book_snapshot", "bbo", "trade", "agg_trade", "kline",
                "ticker", "funding", "mark", "index", "open_interest", "liquidation", "long_short_ratio",
                "volatility_index", "greeks", "nbbo", "status", "gap", "checkpoint", "loss", "ladder")
IDLE_SECONDS = 0.0005


class Error(Exception):
    """A call that gave no data; result is one of the numbers above."""

    def __init__(self, what, result):
        super().__init__("%s: %s" % (what, RESULTS[result] if 0 <= result < len(RESULTS) else result))
        self.result = result


# ---- the structs of mdshm.h ----

class _Sized(ctypes.Structure):
    def __init__(self, **fields):
        super().__init__(struct_size=ctypes.sizeof(type(self)), **fields)


class _Info(_Sized):
    _fields_ = [("struct_size", c_uint32), ("epoch", c_uint32), ("pid", c_uint32), ("abi_version", c_uint32),
                ("feed_cnt", c_uint32), ("thread_cnt", c_uint32), ("stream_cnt", c_uint32),
                ("instrument_capacity", c_uint32), ("created_ns", c_int64), ("journal_uuid", c_uint8 * 16),
                ("name", c_char * 32), ("version", c_char * 32), ("monitor_ipv4", c_uint32),
                ("health_port", c_uint16), ("metrics_port", c_uint16), ("generation", c_uint32),
                ("owner_uid", c_uint32)]


class _Instrument(_Sized):
    _fields_ = [("struct_size", c_uint32), ("row", c_uint32), ("id", c_uint32), ("feed", c_uint32),
                ("px_exp", c_int32), ("qty_exp", c_int32), ("kind", c_uint32), ("trading", c_uint32),
                ("has_book", c_uint32), ("pad0", c_uint32), ("tick_size", c_int64), ("lot_size", c_int64),
                ("min_qty", c_int64), ("expiry_ns", c_int64), ("symbol", c_char * 48), ("normalised", c_char * 48),
                ("base", c_char * 16), ("quote", c_char * 16), ("settle", c_char * 16)]


class _Meta(ctypes.Structure):
    _fields_ = [("state", c_uint8), ("reason", c_uint8), ("px_exp", c_int8), ("qty_exp", c_int8),
                ("gen", c_uint32), ("last_seq", c_uint64), ("tape_pos", c_uint64), ("exch_seq", c_uint64),
                ("ts_exch_ns", c_int64), ("ts_recv_ns", c_int64), ("ts_pub_ns", c_int64),
                ("trusted_bid", c_int64), ("trusted_ask", c_int64), ("bid_total", c_uint32),
                ("ask_total", c_uint32), ("flags", c_uint32), ("generation", c_uint32)]


class _Level(ctypes.Structure):
    _fields_ = [("px", c_int64), ("qty", c_int64)]


class _Bbo(_Sized):
    _fields_ = [("struct_size", c_uint32), ("generation", c_uint32), ("state", c_uint8), ("reason", c_uint8),
                ("px_exp", c_int8), ("qty_exp", c_int8), ("flags", c_uint32), ("last_seq", c_uint64),
                ("ts_recv_ns", c_int64), ("bid_px", c_int64), ("bid_qty", c_int64), ("ask_px", c_int64),
                ("ask_qty", c_int64)]


class _Top(_Sized):
    _fields_ = [("struct_size", c_uint32), ("pad0", c_uint32), ("meta", _Meta), ("bid_px", c_int64),
                ("bid_qty", c_int64), ("ask_px", c_int64), ("ask_qty", c_int64)]


class _Ladder(_Sized):
    _fields_ = [("struct_size", c_uint32), ("pad0", c_uint32), ("meta", _Meta), ("bid_cnt", c_uint32),
                ("ask_cnt", c_uint32), ("bids", _Level * LADDER_LEVELS), ("asks", _Level * LADDER_LEVELS)]


class _Depth(_Sized):
    _fields_ = [("struct_size", c_uint32), ("max_levels", c_uint32), ("bids", POINTER(_Level)),
                ("asks", POINTER(_Level)), ("meta", _Meta), ("bid_cnt", c_uint32), ("ask_cnt", c_uint32)]


class _Feed(_Sized):
    _fields_ = [("struct_size", c_uint32), ("thread", c_uint32), ("stream", c_uint32), ("raw_stream", c_uint32),
                ("depth_levels", c_uint32), ("input_state", c_uint32), ("connect_cnt", c_uint64),
                ("name", c_char * 32), ("venue", c_char * 32)]


# ---- the library ----

_FUNCTIONS = {
    "result_name": (c_char_p, [c_int]), "api_version": (c_int, []),
    "open": (c_int, [c_char_p, c_char_p, c_int, POINTER(c_void_p), c_char_p, c_size_t]),
    "close": (None, [c_void_p]), "check": (c_int, [c_void_p]),
    "info": (c_int, [c_void_p, POINTER(_Info)]), "feed": (c_int, [c_void_p, c_uint32, POINTER(_Feed)]),
    "feed_find": (c_uint32, [c_void_p, c_char_p]), "feed_check": (c_int, [c_void_p, c_uint32, c_int64]),
    "instrument_cnt": (c_uint32, [c_void_p]),
    "instrument_find": (c_int, [c_void_p, c_uint32, c_char_p, POINTER(c_uint32)]),
    "instrument_next": (c_int, [c_void_p, c_uint32, c_char_p, POINTER(c_uint32), POINTER(_Instrument)]),
    "instrument_get": (c_int, [c_void_p, c_uint32, POINTER(_Instrument)]),
    "read_bbo": (c_int, [c_void_p, c_uint32, c_int64, POINTER(_Bbo)]),
    "read_top": (c_int, [c_void_p, c_uint32, c_int64, POINTER(_Top)]),
    "read_ladder": (c_int, [c_void_p, c_uint32, c_int64, POINTER(_Ladder)]),
    "read_depth": (c_int, [c_void_p, c_uint32, c_int64, POINTER(_Depth)]),
    "depth_levels": (c_uint32, [c_void_p, c_uint32]), "state_name": (c_char_p, [c_uint]),
    "reason_name": (c_char_p, [c_uint]),
    "tape_open": (c_int, [c_void_p, c_uint32, c_int, POINTER(c_void_p)]), "tape_close": (None, [c_void_p]),
    "tape_next": (c_int, [c_void_p, POINTER(c_void_p), POINTER(c_size_t), POINTER(c_uint64)]),
    "tape_join": (c_int, [c_void_p, POINTER(_Meta)]), "tape_lag": (c_uint64, [c_void_p]),
    "record_json": (c_size_t, [c_void_p, c_size_t, c_char_p, c_char_p, c_size_t]),
    "register": (c_int, [c_void_p, c_char_p]), "beat": (c_int, [c_void_p]),
    "counter": (c_int, [c_void_p, c_uint32, c_char_p, POINTER(c_uint64)]),
}


def _load():
    library = ctypes.CDLL(os.environ.get("MDSHM_LIBRARY", "libmdshm.so.1"))
    functions = types.SimpleNamespace()
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, "mdshm_" + name)
        function.restype, function.argtypes = result, arguments
        setattr(functions, name, function)
    return functions


_lib = _load()


def _ns(seconds):
    return ANY_AGE if seconds is None else int(seconds * 1e9)


# ---- books ----

class View:
    """What one read of a book gave. bids and asks: prices and quantities as floats, (n, 2), best first, numpy
    arrays where numpy is there; exact() has them as Decimal. meta has all the rest."""

    def __init__(self, result, meta, levels):
        self.result = RESULTS[result]
        self.ok = result == OK
        self.meta = meta
        self.state = _lib.state_name(meta.state).decode()
        self.reason = _lib.reason_name(meta.reason).decode()
        self.seq = meta.last_seq
        self._bids, self._asks = levels

    def _side(self, levels):
        px, qty = 10.0**self.meta.px_exp, 10.0**self.meta.qty_exp
        if numpy is None:
            return [(level[0] * px, level[1] * qty) for level in levels]
        return numpy.array(levels, dtype=numpy.float64).reshape(-1, 2) * (px, qty)

    @property
    def bids(self):
        return self._side(self._bids)

    @property
    def asks(self):
        return self._side(self._asks)

    def exact(self):
        """Bids and asks as lists of (Decimal, Decimal)."""
        px, qty = self.meta.px_exp, self.meta.qty_exp
        return tuple([(Decimal(int(a)).scaleb(px), Decimal(int(b)).scaleb(qty)) for a, b in side]
                     for side in (self._bids, self._asks))

    def __repr__(self):
        return "<%s seq %d, %d bids, %d asks>" % (self.state if self.ok else self.result, self.seq,
                                                  len(self._bids), len(self._asks))


def _best(out):
    return ([] if out.bid_px == ABSENT_I64 else [(out.bid_px, out.bid_qty)],
            [] if out.ask_px == ABSENT_I64 else [(out.ask_px, out.ask_qty)])


class Book:
    """The book of one instrument; made by Engine.book."""

    def __init__(self, engine, row):
        self._engine, self._row = engine, row

    def _read(self, function, out, max_age):
        handle = self._engine._open()
        for _ in range(1000):
            result = function(handle, self._row, _ns(max_age), byref(out))
            if result == RESTARTED:
                self._engine.restarts += 1
            elif result != BUSY:
                break
        if result > STOPPED:
            raise Error("the book", result)
        return result

    def bbo(self, max_age=1.0):
        """The best bid and ask, as a View of at most one level a side: the cheapest read. Its meta has state, reason,
        exponents, flags, last_seq and ts_recv_ns, these two of the record that last changed the others."""
        out = _Bbo()
        result = self._read(_lib.read_bbo, out, max_age)
        return View(result, out, _best(out))

    def top(self, max_age=1.0):
        """The best bid and ask, as a View of at most one level a side, with all meta of the last record."""
        out = _Top()
        result = self._read(_lib.read_top, out, max_age)
        return View(result, out.meta, _best(out))

    def ladder(self, max_age=1.0):
        """The best twenty levels a side."""
        out = _Ladder()
        result = self._read(_lib.read_ladder, out, max_age)
        return View(result, out.meta, ([(x.px, x.qty) for x in out.bids[:out.bid_cnt]],
                                       [(x.px, x.qty) for x in out.asks[:out.ask_cnt]]))

    def depth(self, levels=1000, max_age=1.0):
        """Up to so many levels a side."""
        bids, asks = (_Level * levels)(), (_Level * levels)()
        out = _Depth(max_levels=levels, bids=bids, asks=asks)
        result = self._read(_lib.read_depth, out, max_age)
        if numpy is None:
            return View(result, out.meta, ([(x.px, x.qty) for x in bids[:out.bid_cnt]],
                                           [(x.px, x.qty) for x in asks[:out.ask_cnt]]))
        sides = [numpy.frombuffer(side, dtype=numpy.int64).reshape(-1, 2)[:cnt]
                 for side, cnt in ((bids, out.bid_cnt), (asks, out.ask_cnt))]
        return View(result, out.meta, sides)


# ---- tapes ----

class _Header(ctypes.Structure):
    _fields_ = [("len", c_uint16), ("type", c_uint8), ("leg", c_uint8), ("flags", c_uint16), ("stream", c_uint16),
                ("instrument", c_uint32), ("epoch", c_uint32), ("px_exp", c_int8), ("qty_exp", c_int8),
                ("pad0", c_uint16), ("raw_lo", c_uint32), ("seq", c_uint64), ("exch_seq", c_uint64),
                ("ts_exch_ns", c_int64), ("ts_recv_ns", c_int64), ("ts_pub_ns", c_int64)]


class Record:
    """One record: header has the fixed part, fields() all of it with exact decimals as text."""

    __slots__ = ("bytes", "header")

    def __init__(self, data):
        self.bytes = data
        self.header = _Header.from_buffer_copy(data)

    @property
    def type(self):
        return RECORD_TYPES[self.header.type]

    @property
    def seq(self):
        return self.header.seq

    def fields(self, symbol=None):
        data = ctypes.create_string_buffer(self.bytes, len(self.bytes))
        out = ctypes.create_string_buffer(1 << 18)
        text = symbol.encode() if symbol else None
        length = _lib.record_json(ctypes.cast(data, c_void_p), len(self.bytes), text, out, len(out))
        if length == 0:
            raise Error("the record", CORRUPT)
        return json.loads(out.raw[:length])

    def __repr__(self):
        return "<%s seq %d>" % (self.type, self.seq)


class Tape:
    """Every record of a feed, in order; an endless iterator that waits for the next one. lost_bytes and lapped
    tell when this program was too slow, restarts when the engine was restarted (then seq begins again). Iteration
    ends when the engine stopped or died and no next one is there."""

    def __init__(self, engine, feed, oldest):
        self._engine, self._feed = engine, feed
        self.lost_bytes = self.lapped = self.restarts = 0
        self._handle = c_void_p()
        self._record, self._bytes, self._lost = c_void_p(), c_size_t(), c_uint64()
        result = _lib.tape_open(engine._open(), feed, 1 if oldest else 0, byref(self._handle))
        if result != OK:
            raise Error("the tape", result)
        engine._tapes.append(self)

    def close(self):
        if self._handle:
            _lib.tape_close(self._handle)
            self._handle = c_void_p()
            self._engine._tapes.remove(self)

    def join(self, view):
        """Goes on behind the record that a book was read at; False when the book is of an engine before."""
        result = _lib.tape_join(self._handle, byref(view.meta))
        if result not in (OK, RESTARTED):
            raise Error("the tape", result)
        return result == OK

    def poll(self):
        """The next record, or None when all are read."""
        if not self._handle:
            raise Error("the tape", USAGE)
        while True:
            result = _lib.tape_next(self._handle, byref(self._record), byref(self._bytes), byref(self._lost))
            if result == OK:
                return Record(ctypes.string_at(self._record, self._bytes.value))
            if result == LAPPED:
                self.lapped += 1
                self.lost_bytes += self._lost.value
            elif result == RESTARTED:
                self.restarts += 1
            elif result in (EMPTY, STOPPED, SUPERSEDED):
                return None
            else:
                raise Error("the tape", result)

    def __iter__(self):
        return self

    def __next__(self):
        while True:
            record = self.poll()
            if record is not None:
                return record
            if not self._engine.alive(self._feed):
                record = self.poll()  # what came between the two looks
                if record is None:
                    raise StopIteration
                return record
            time.sleep(IDLE_SECONDS)

    def frame(self, cnt, types=None):
        """The next cnt records (of these types) as a pandas DataFrame, prices as exact text."""
        import pandas
        rows = []
        while len(rows) < cnt:
            record = next(self, None)
            if record is None:
                break
            if types is None or record.type in types:
                rows.append(record.fields(self._engine.symbol(record.header.instrument)))
        return pandas.DataFrame(rows)


# ---- engines ----

class Engine:
    """An open segment; made by open()."""

    def __init__(self, name, dir, timeout):
        handle, message = c_void_p(), ctypes.create_string_buffer(512)
        result = _lib.open(os.fsencode(dir) if dir else None, name.encode(), int(timeout * 1000), byref(handle),
                           message, len(message))
        if result != OK:
            raise Error(message.value.decode() or name, result)
        self._handle = handle
        self._symbols, self._seen, self._tapes = {}, 0, []
        self.restarts = 0

    def _open(self):
        if not self._handle:
            raise Error("the engine's handle is closed", USAGE)
        return self._handle

    def close(self):
        while self._handle and self._tapes:
            self._tapes[0].close()
        if self._handle:
            _lib.close(self._handle)
            self._handle = c_void_p()

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.close()

    def check(self):
        """The name of a result: OK, STOPPED, DEAD, ..."""
        result = _lib.check(self._open())
        self.restarts += result == RESTARTED
        return RESULTS[OK if result == RESTARTED else result]

    def alive(self, feed):
        result = _lib.feed_check(self._open(), feed, _ns(5))
        self.restarts += result == RESTARTED
        return result in (OK, STALE, RESTARTED, SUPERSEDED)

    def info(self):
        out = _Info()
        result = _lib.info(self._open(), byref(out))
        if result != OK:
            raise Error("the segment", result)
        return out

    def feeds(self):
        """Names of the feeds."""
        names = []
        for row in range(self.info().feed_cnt):
            feed = _Feed()
            if _lib.feed(self._open(), row, byref(feed)) == OK:
                names.append(feed.name.decode())
        return names

    def feed(self, name):
        row = _lib.feed_find(self._open(), name.encode())
        if row == NONE:
            raise Error("feed " + name, ABSENT)
        return row

    def instruments(self, pattern=None, feed=None):
        """Yields what the engine knows, as structs with symbol, normalised, px_exp, ..."""
        at, row = c_uint32(0), ANY_FEED if feed is None else self.feed(feed)
        while True:
            out = _Instrument()
            text = pattern.encode() if pattern else None
            if _lib.instrument_next(self._open(), row, text, byref(at), byref(out)) != OK:
                return
            yield out

    def symbol(self, instrument_id):
        """The exchange's symbol of an instrument id of a record, None if it has none."""
        if instrument_id and instrument_id not in self._symbols and self._seen != _lib.instrument_cnt(self._open()):
            self._seen = _lib.instrument_cnt(self._open())
            for i in self.instruments():
                self._symbols[i.id] = i.symbol.decode()
        return self._symbols.get(instrument_id)

    def book(self, feed, symbol, timeout=0.0):
        """The book of a symbol, the exchange's own or normalised; waits for it up to timeout seconds."""
        row, until = c_uint32(), time.monotonic() + timeout
        while True:
            result = _lib.instrument_find(self._open(), self.feed(feed), symbol.encode(), byref(row))
            if result == OK:
                return Book(self, row.value)
            if time.monotonic() >= until:
                raise Error("%s %s" % (feed, symbol), result)
            time.sleep(IDLE_SECONDS)

    def tape(self, feed, oldest=False):
        """The records of a feed from now on, or from about the oldest that is still there."""
        return Tape(self, self.feed(feed), oldest)

    def counter(self, thread, name):
        """A metric of a thread row."""
        out = c_uint64()
        result = _lib.counter(self._open(), thread, name.encode(), byref(out))
        if result != OK:
            raise Error(name, result)
        return out.value

    def register(self, name):
        """Be listed by `mdengine status`; call beat now and then. False when there is no list for us."""
        return _lib.register(self._open(), name.encode()) == OK

    def beat(self):
        return _lib.beat(self._open()) == OK


def open(name="mdengine", dir=None, timeout=0.0):
    """Opens engine `name` in dir (/dev/shm) and waits up to timeout seconds until it is ready."""
    return Engine(name, dir, timeout)
