#!/usr/bin/env python3
"""reader.py - a book, and every record behind it.

    reader.py [-d DIR] ENGINE FEED SYMBOL [RECORDS]"""
import sys
import time

import mdshm


def main(arguments):
    directory = None
    if arguments[0] == "-d":
        directory, arguments = arguments[1], arguments[2:]
    name, feed, symbol = arguments[:3]
    want = int(arguments[3]) if len(arguments) > 3 else 1000

    engine = mdshm.open(name, dir=directory, timeout=10)
    engine.register("example.py")
    book = engine.book(feed, symbol, timeout=30)
    view = book.depth(100)
    while not view.ok or len(view.bids) == 0 or len(view.asks) == 0:
        time.sleep(0.001)
        view = book.depth(100)
    bids, asks = view.exact()
    print("%s %s %s x %s, %d bids, %d asks, seq %d" % (symbol, view.state, bids[0][0], asks[0][0], len(bids),
                                                     len(asks), view.seq))

    tape = engine.tape(feed)
    tape.join(view)
    expected, got, holes, overtaken = view.seq + 1, 0, 0, 0
    for record in tape:
        if tape.lapped + tape.restarts != overtaken:
            overtaken, expected = tape.lapped + tape.restarts, record.seq
        holes += record.seq != expected
        expected, got = record.seq + 1, got + 1
        if got == want:
            break
    engine.beat()
    print("%d records behind it, %d holes" % (got, holes))
    bbo = book.bbo()  # the cheapest look at a price
    while not bbo.ok:
        time.sleep(0.001)
        bbo = book.bbo()
    (bid, _), (ask, _) = bbo.exact()[0][0], bbo.exact()[1][0]
    print("now %s x %s, seq %d" % (bid, ask, bbo.seq))
    return 0 if bid < ask and got == want and holes == 0 else 1


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
