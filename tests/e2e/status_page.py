"""The browser's side of test_status_page.sh: status_page.py MDENGINE NAME SHM WORK PORT PAGE_WORK"""
import asyncio, json, os, re, socket, subprocess, sys, time
import websockets
from browser import Browser

PROGRAM, NAME, SHM, WORK, PORT, PAGE_WORK = sys.argv[1:]
SITE = f"http://127.0.0.1:{PORT}"
STREAM = f"ws://127.0.0.1:{PORT}/stream"
PROTOCOL = "mdengine.status.1"
BEGAN = time.monotonic()


def said(step):
    print(f"{time.monotonic() - BEGAN:5.1f} s  {step}", flush=True)


def mark(step):
    open(os.path.join(WORK, step), "w").close()


async def exists(step):
    return os.path.exists(os.path.join(WORK, step))


async def until(what, look):
    """Polls what a function returns until it is something; two minutes."""
    end = time.monotonic() + 120
    while True:
        found = await look()
        if found:
            return found
        assert time.monotonic() < end, f"waited in vain for {what}"
        await asyncio.sleep(0.1)


async def command(*arguments):
    process = await asyncio.create_subprocess_exec(PROGRAM, *arguments, "-n", NAME, "-S", SHM, "--json",
                                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    out, _ = await process.communicate()
    return json.loads(out) if out else None


def number(value):
    return float(value) if value else 0.0


STAGES = {"exchange_to_receive", "receive_to_decoded", "decoded_to_visible"}
QUANTILES = {"p50": "p50_ns", "p99": "p99_ns", "p999": "p999_ns"}
# What every row of the page shows as a number of its own.
FEED_KEYS = ("frames_per_s", "records_per_s", "gaps", "reconnects", "lost", "memory_bytes")
SINK_KEYS = ("records", "records_per_s", "rows", "bytes", "batches", "errors")
POSITION_KEYS = ("published_seq", "written_seq", "durable_seq", "stored_seq")
BOOK_KEYS = ("bid_qty", "bid", "ask", "ask_qty")
READ = """(() => { const table = (id) => Object.fromEntries([...document.querySelectorAll(`#${id} tr[data-key]`)].map((row) =>
  [row.dataset.key, Object.fromEntries([...row.querySelectorAll("td")].map((cell) =>
    [cell.dataset.key, {raw: cell.dataset.raw, text: cell.innerText}]))]));
  return {feeds: table("feed-rows"), sinks: table("sink-rows"), positions: table("position-rows"), books: table("book-rows"),
          name: document.getElementById("engine-name").innerText, epoch: document.getElementById("epoch").innerText,
          pid: document.getElementById("pid").innerText, link: document.body.dataset.link}; })()"""


def what_page_shows(status):
    """The same numbers out of status --json, in the form of READ."""
    out = {}
    for f in status["feeds"]:
        for key in FEED_KEYS:
            out["feeds", f["feed"], key] = number(f[key])
        out["feeds", f["feed"], "input"] = f["input"]
        out["feeds", f["feed"], "books"] = f"{f['books_valid']}/{f['books']}"
        for stage in STAGES:
            for q, name in QUANTILES.items():
                out["feeds", f["feed"], f"{stage}.{q}"] = number(f[stage][name])
        for key in POSITION_KEYS:
            out["positions", f["feed"], key] = number(f[key])
        for ring in status["rings"]:
            feed, sink = ring["ring"].split(".")
            out["positions", feed, f"{sink}_ring"] = number(ring["used_bytes"])
    for s in status["sinks"]:
        sink = {"writer:journal": "Journal", "writer:postgres": "PostgreSQL"}[s["thread"]]
        for key in SINK_KEYS:
            out["sinks", sink, key] = number(s[key])
        for q, name in QUANTILES.items():
            out["sinks", sink, f"ring_wait.{q}"] = number(s["ring_wait"][name])
            out["sinks", sink, f"done.{q}"] = number((s.get("durable") or s.get("stored"))[name])
    for b in status["books"]:
        for key in BOOK_KEYS:
            out["books", f"{b['feed']} {b['symbol']}", key] = b[key]
        out["books", f"{b['feed']} {b['symbol']}", "state"] = b["state"]
    return out


async def compare(browser):
    """True when the page equals status --json, which did not move meanwhile; what differs otherwise."""
    before = await command("status")
    shown = await browser.run(READ)
    after = await command("status")
    if not before or not after or what_page_shows(before) != what_page_shows(after):
        return "status --json moves"
    for (table, row, key), value in what_page_shows(after).items():
        cell = shown[table].get(row, {}).get(key)
        if cell is None:
            return f"the page has no {table} {row} {key}"
        got = cell["raw"] if isinstance(value, str) else number(cell["raw"])
        if got != value:
            return f"{table} {row} {key}: the page {got}, status {value}"
    for key in ("name", "epoch", "pid"):
        if shown[key] != str(after[key]):
            return f"{key}: the page {shown[key]}, status {after[key]}"
    return len(what_page_shows(after))


async def equals(browser, which):
    """While the test holds the exchange, the numbers come to rest, and then the page's are those of status --json."""
    last = ""
    what = f"the page to equal status --json of the {which} engine"
    mark(f"{which}-begins")
    await until("the exchange to be held", lambda: exists(f"{which}-is-held"))

    async def look():
        nonlocal last
        last = await compare(browser)
        return last if isinstance(last, int) else None
    try:
        return await until(what, look)
    except AssertionError:
        raise AssertionError(f"{what}: {last}") from None


# --- other clients ---

async def refused(**options):
    try:
        async with websockets.connect(STREAM, open_timeout=60, **options):
            return False
    except (websockets.WebSocketException, OSError, EOFError, asyncio.TimeoutError):
        return True


async def ends(socket):
    """Waits until the engine closes it; returns how many messages came before."""
    cnt = 0
    try:
        while True:
            await asyncio.wait_for(socket.recv(), 120)
            cnt += 1
    except websockets.ConnectionClosed:
        return cnt


def read_nothing():
    """A browser that opens the stream and reads no byte of it, on a small receive buffer."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(("127.0.0.1", int(PORT)))
    s.sendall(f"GET /stream HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
              f"Sec-WebSocket-Protocol: {PROTOCOL}\r\n\r\n".encode())
    return s


def is_closed(s):
    """Nothing is read, so only the kernel knows: a state other than ESTABLISHED."""
    return s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != 1


async def confirm_all(client):
    async for text in client:
        if text.startswith('{"n"'):
            await client.send("ok")


async def too_many(browser):
    """Six may look on: the page and five more."""
    more = [await websockets.connect(STREAM, subprotocols=[PROTOCOL], origin=SITE) for _ in range(5)]
    tasks = [asyncio.ensure_future(confirm_all(client)) for client in more]
    await browser.wait("six browsers", "/ 6 browsers look on/.test(document.getElementById('foot').innerText)")
    # On a busy machine the page itself may just have been dropped, and be back in a moment.
    await until("a seventh browser to be refused", lambda: refused(subprotocols=[PROTOCOL]))
    for task, client in zip(tasks, more):
        task.cancel()
        await client.close()
    await browser.wait("one browser", "/ 1 browser looks on/.test(document.getElementById('foot').innerText)")
    said("  a seventh")


async def bad_clients(browser):
    first = int(await browser.run("document.body.dataset.message"))
    await too_many(browser)
    silent = await websockets.connect(STREAM, subprotocols=[PROTOCOL], max_queue=None)
    deaf = read_nothing()
    rude = await websockets.connect(STREAM, subprotocols=[PROTOCOL])
    await rude.send("give me all of it")
    await ends(rude)
    said("  one that talks nonsense")
    flood = await websockets.connect(STREAM, subprotocols=[PROTOCOL])
    try:
        for _ in range(1000):
            await flood.send("show binance_spot BTC-USDT")
    except websockets.ConnectionClosed:
        pass
    await ends(flood)
    said("  one that asks too much")
    assert await refused(subprotocols=[PROTOCOL], origin="https://example.com"), "a page of another site may connect"
    assert await refused(subprotocols=[PROTOCOL], origin=f"http://example.com:{PORT}", extra_headers={"Host": f"example.com:{PORT}"}), \
        "a name that points here may connect"
    assert await refused(), "a client without the protocol may connect"
    for origin in ("https://status.example", "https://another.example"):
        assert not await refused(subprotocols=[PROTOCOL], origin=origin), f"{origin}, which is listed, may not connect"
    said("  pages of other sites")
    got = await ends(silent)
    said("  one that confirms nothing")
    assert got <= 2, f"{got} messages were sent to a browser that confirms nothing"

    async def gone():
        return is_closed(deaf)
    await until("the browser that reads nothing to be dropped", gone)
    deaf.close()
    await browser.wait("the page to tell of two that were dropped",
                       "/, [2-9] dropped/.test(document.getElementById('foot').innerText)")
    await browser.wait("the page to go on", f"document.body.dataset.link === 'live' && Number(document.body.dataset.message) > {first}")
    status = await command("status")
    assert all(f["lost"] == 0 and f["gaps"] == 0 for f in status["feeds"]), status["feeds"]


# --- the page ---

async def axe(browser, what, context="document", rules=None):
    """All rules, or those few that another look can change."""
    if not await browser.run("!!window.axe"):
        await browser.run(open(os.path.join(PAGE_WORK, "node_modules/axe-core/axe.min.js")).read() + "; 1")
    options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    found = await browser.run(f"axe.run({context}, {json.dumps(options)}).then((r) => r.violations.map((v) => "
                              "({id: v.id, impact: v.impact, nodes: v.nodes.map((n) => n.html.slice(0, 200))})))")
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    assert not serious, f"axe, {what}: {json.dumps(serious)[:3000]}"
    return len(found)


async def keys(browser):
    focus = "document.activeElement.id"
    await browser.run("document.activeElement.blur()")
    await browser.key("Tab", 9)
    assert await browser.run("document.activeElement.className") == "skip", "the first stop is the skip link"
    await browser.key("/", 191)
    await browser.wait("the search", f"{focus} === 'search'")
    for letter in "eth":
        await browser.key(letter)
    await browser.wait("one book", "document.querySelectorAll('#book-rows tr[data-key]').length === 1 && "
                       "document.querySelector('#book-rows tr').dataset.key === 'binance_spot ETH-USDT'")
    await browser.run("(() => { const s = document.getElementById('search'); s.value = ''; s.dispatchEvent(new Event('input')); })()")
    await browser.key("Escape", 27)
    await browser.run("document.querySelector('#book-rows button[tabindex=\"0\"]').focus()")
    before = await browser.run("document.activeElement.innerText")
    await browser.key("ArrowDown", 40)
    after = await browser.run("document.activeElement.innerText")
    assert after != before and after.endswith("-USDT"), (before, after)
    await browser.key("Enter", 13, "\r")
    await browser.wait("the ladder of the next book", f"document.getElementById('ladder-title').innerText.startsWith({json.dumps(after)})")
    for key, place in zip("1234", ("feeds", "latency", "books", "sinks")):
        await browser.key(key)
        await browser.wait(place, f"{focus} === '{place}'")
    await browser.key("t")
    await browser.wait("the light theme", "document.documentElement.dataset.theme === 'light'")
    await browser.key("t")
    await browser.wait("the dark theme", "document.documentElement.dataset.theme === 'dark'")
    await browser.key("t")
    await browser.key("p")
    await browser.wait("the pause", "document.body.dataset.link === 'paused' && !document.getElementById('books').innerText.includes('VALID')")
    await browser.key("p")
    await browser.wait("the end of the pause", "document.body.dataset.link === 'live'")
    await browser.key("?", 191)
    await browser.wait("the list of keys", "document.getElementById('keys').open")
    await axe(browser, "the list of keys", "'#keys'")
    await browser.run("document.querySelector('#keys button').click()")


async def ladder(browser):
    """The ladder of the chosen instrument equals mdengine book, digit by digit; a page that is slow may need a moment."""
    title = await browser.run("document.getElementById('ladder-title').innerText")
    symbol, feed = re.fullmatch(r"(\S+) on (\S+)", title).groups()
    book = await command("book", feed, symbol, "-d", "20")
    wanted = [[b[1], b[0], a[0], a[1]] for b, a in zip(book["bids"], book["asks"])]
    assert len(wanted) == 20, book
    await browser.wait(f"the ladder of {title} to be {wanted[:2]} ...",
                       "document.getElementById('ladder-state').innerText === 'VALID' && JSON.stringify([...document."
                       "querySelectorAll('#ladder-rows tr')].map((row) => [...row.children].map((c) => c.innerText))) === "
                       f"{json.dumps(json.dumps(wanted, separators=(',', ':')))}")


def complaints(browser, *but):
    """What stands on the console; a connection that the engine reset (a page that was too slow) is not the page's fault."""
    return browser.errors + [entry for entry in browser.network if not any(text in str(entry) for text in but)]


FIVE_VALID = """document.body.dataset.link === 'live' &&
  [...document.querySelectorAll('#book-rows td[data-key=state]')].filter((cell) => cell.innerText === 'VALID').length === 5"""
NOT_LIVE = """document.body.dataset.link === 'lost' && document.getElementById('banner-lost') &&
  document.getElementById('ladder-state').innerText === 'not live' &&
  [...document.querySelectorAll('td[data-key=state], td[data-key=input]')].every((cell) => cell.innerText === 'not live')"""


async def main():
    async with Browser() as browser:
        said("the browser is up")
        await browser.open(SITE + "/")
        await browser.wait("five live books", FIVE_VALID)
        await browser.wait("messages", "Number(document.querySelector('#feed-rows [data-key=frames_per_s]').dataset.raw) > 0")
        await browser.wait("points in the charts", "[...document.querySelectorAll('#charts figcaption')].some((c) => /P99.9 [0-9.]+ (ns|µs|ms|s)$/.test(c.innerText.trim()))")
        said("it shows live books, rates and charts")
        await bad_clients(browser)
        said("slow and bad clients were dropped or refused")
        cnt = await equals(browser, "first")
        await ladder(browser)
        mark("first-ends")
        said(f"{cnt} numbers and a ladder equal status --json")
        await browser.prefer(prefers_color_scheme="light")
        minor = await axe(browser, "light")
        said(f"axe, light: nothing serious, {minor} minor")
        await browser.prefer(prefers_color_scheme="dark")
        await axe(browser, "dark", rules=["color-contrast"])
        said("axe, dark: nothing serious")
        await keys(browser)
        said("keys")
        assert not complaints(browser, "ERR_CONNECTION_RESET"), complaints(browser, "ERR_CONNECTION_RESET")
        mark("looked-at")
        await browser.wait("the page to say that nothing is live", NOT_LIVE)
        await axe(browser, "not live", rules=["color-contrast"])
        mark("lost")
        await browser.wait("the next engine", "document.body.dataset.link === 'live' && document.getElementById('banner-restart')")
        await browser.wait("its books", FIVE_VALID)
        cnt = await equals(browser, "next")
        await ladder(browser)
        mark("next-ends")
        said(f"back by itself: {cnt} numbers equal status --json")
        # While there is no engine, the browser itself says so of each try; the page has no say in that.
        bad = complaints(browser, "ERR_CONNECTION_RESET", "ERR_CONNECTION_REFUSED")
        assert not bad, bad
        strange = [u for u in browser.requests if not u.startswith((SITE + "/", STREAM)) and u != "about:blank"]
        assert not strange, strange
        mark("back")
        await until("the engine with a token", lambda: exists("token-is-wanted"))
        await browser.wait("the page to ask for the token", "!document.getElementById('token-form').hidden")
        assert await refused(subprotocols=[PROTOCOL]), "the stream opens without the token"
        assert await refused(subprotocols=[PROTOCOL, "bearer.of-this-tesT"]), "the stream opens with another token"
        await browser.run("document.getElementById('token').value = 'of-this-test'; document.querySelector('#token-form button').click()")
        await browser.wait("the page behind the token", "document.body.dataset.link === 'live' && document.getElementById('token-form').hidden")
        assert not browser.errors, browser.errors
        said("the token")

asyncio.run(main())
