"""deribit_server.py TRUTH: a small Deribit on one port of 127.0.0.1, over plain WebSocket and HTTP, for one test.

It draws the markets of tests/fixtures/make_deribit_derivatives.py, keeps one change of the first book back, asks for
signs of life every second, and leaves one unknown channel out of its answers. It prints its port; after CHANGES
changes it writes what every book ended in, and what the client did, to TRUTH and stays.
"""
import asyncio
import base64
import hashlib
import importlib.util
import json
import os
import random
import sys
import time
from decimal import Decimal

HERE = os.path.dirname(os.path.abspath(__file__))
SPEC = importlib.util.spec_from_file_location("draw", os.path.join(HERE, "../fixtures/make_deribit_derivatives.py"))
draw = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(draw)
CHANGES, LOST = 400, 100  # all changes; the first of the first book from LOST on is kept back


class Server:
    def __init__(self):
        rng = random.Random(7)
        self.markets = [draw.Market(row, rng) for row in draw.INSTRUMENTS]
        self.rng, self.id = rng, 5_000_000
        self.clients, self.said = {}, {"alive": 0, "heartbeat": 0, "unsubscribed": [], "subscribed": []}
        self.known = {f"{kind}.{m.name}.100ms" for m in self.markets for kind in ("book", "trades", "ticker")}
        self.known |= {"platform_state", "instrument.state.any.any", "deribit_volatility_index.btc_usd"}

    @staticmethod
    def send(writer, text, opcode=1):
        data = text.encode()
        size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2, "big")
        writer.write(bytes([0x80 | opcode]) + size + data)

    async def frame(self, reader):
        first, second = await reader.readexactly(2)
        size = second & 127
        if size > 125:
            size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
        mask = await reader.readexactly(4)
        data = await reader.readexactly(size)
        return first & 15, bytes(b ^ mask[n % 4] for n, b in enumerate(data))

    def answer(self, writer, message):
        method, params, value = message["method"], message.get("params", {}), "ok"
        if method == "public/set_heartbeat":
            self.said["heartbeat"] = params["interval"]
        elif method == "public/test":
            self.said["alive"] += 1
            value = {"version": "1.2.26"}
        elif method in ("public/subscribe", "public/unsubscribe"):
            value = [c for c in params["channels"] if c in self.known][::-1]
            verb = method.split("/")[1] + "d"
            self.said[verb] += params["channels"]
        self.send(writer, draw.result(message["id"], value))
        if method == "public/unsubscribe":
            self.clients[writer] -= set(value)
        if method == "public/subscribe":
            for m in self.markets:
                book = f"book.{m.name}.100ms"
                if book in value and book not in self.clients[writer]:
                    self.send(writer, m.snapshot(m.id, int(time.time() * 1000)))
            self.clients[writer] |= set(value)

    async def client(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = [line.split(":", 1)[1].strip() for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key")]
        if not key:
            body = draw.result(None, [m.listing() for m in self.markets]).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                         b"Content-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
            writer.close()
            return
        accept = base64.b64encode(hashlib.sha1((key[0] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        self.clients[writer] = set()
        try:
            while True:
                opcode, data = await self.frame(reader)
                if opcode == 9:
                    self.send(writer, data.decode("latin-1"), 10)
                elif opcode == 8:
                    break
                elif opcode == 1:
                    self.answer(writer, json.loads(data))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        del self.clients[writer]
        writer.close()

    def tell(self, channel, text):
        for writer, channels in self.clients.items():
            if channel in channels:
                self.send(writer, text)

    def books(self):
        return {f"book.{m.name}.100ms" for m in self.markets}

    async def market(self):
        lost = False
        while not any(self.books() <= channels for channels in self.clients.values()):
            await asyncio.sleep(0.05)
        for turn in range(CHANGES):
            m = self.rng.choice(self.markets)
            self.id += self.rng.randrange(1, 900)
            ms = int(time.time() * 1000)
            text = m.change(self.id, ms)
            if m is self.markets[0] and turn >= LOST and not lost:
                lost = True
            else:
                self.tell(f"book.{m.name}.100ms", text)
            self.tell(f"trades.{m.name}.100ms", m.trades(ms))
            self.tell(f"ticker.{m.name}.100ms", m.ticker(ms))
            if turn % 50 == 0:
                for writer in self.clients:
                    self.send(writer, '{"params":{"type":"test_request"},"method":"heartbeat","jsonrpc":"2.0"}')
            await asyncio.sleep(0.02)

    def truth(self):
        digests = {}
        for m in self.markets:
            sides = [sorted(((t * m.tick, Decimal(q) * m.step) for t, q in m.books[s].items()), reverse=s == "b")
                     for s in "ba"]
            digests[m.name] = draw.digest(*sides)
        return {"digests": digests} | self.said


async def main():
    server = Server()
    listener = await asyncio.start_server(server.client, "127.0.0.1", 0)
    print(listener.sockets[0].getsockname()[1], flush=True)
    await server.market()
    while True:  # what the client says later counts too
        with open(sys.argv[1] + ".new", "w") as file:
            json.dump(server.truth(), file)
        os.replace(sys.argv[1] + ".new", sys.argv[1])
        await asyncio.sleep(0.2)


asyncio.run(main())
