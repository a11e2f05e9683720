"""A headless Chromium under a test: DevTools protocol over a WebSocket, one page, what it logged, screenshots.

Wants Debian's chromium and python3-websockets. Never talks to anything but 127.0.0.1."""
import asyncio, base64, ctypes, json, os, shutil, signal, subprocess, tempfile, time
import websockets


def die_with_parent():
    """Whatever ends the test ends the browser."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Browser:
    """async with Browser() as b: await b.open(url); await b.wait("document.title == 'x'")"""

    def __init__(self, width=1440, height=1000):
        self.size = (width, height)
        self.errors = []  # of scripts and the console
        self.network = []  # what the browser itself logs of requests: (text, url)
        self.requests = []
        self.number = 0
        self.answers = {}
        self.seen = {}

    async def __aenter__(self):
        self.folder = tempfile.mkdtemp(prefix="chromium.")
        self.process = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
             "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-default-apps", "--disable-extensions", "--lang=en-US", "--remote-debugging-port=0",
             f"--window-size={self.size[0]},{self.size[1]}", f"--user-data-dir={self.folder}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "HOME": self.folder}, start_new_session=True,
            preexec_fn=die_with_parent)
        # A test that is told to end leaves no browser behind.
        task = asyncio.current_task()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        port_file = os.path.join(self.folder, "DevToolsActivePort")
        lines = []
        end = time.monotonic() + 120
        while len(lines) < 2:
            assert self.process.poll() is None, f"chromium ended with {self.process.returncode}"
            assert time.monotonic() < end, "chromium did not start"
            await asyncio.sleep(0.05)
            if os.path.exists(port_file):
                lines = open(port_file).read().split("\n")
        self.socket = await websockets.connect(f"ws://127.0.0.1:{lines[0]}{lines[1]}", max_size=None)
        self.reader = asyncio.ensure_future(self.read())
        target = (await self.send("Target.createTarget", url="about:blank"))["targetId"]
        self.session = (await self.send("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.resize(*self.size)
        return self

    async def __aexit__(self, *_):
        self.reader.cancel()
        try:
            await asyncio.wait_for(self.send("Browser.close"), 1)
        except Exception:
            pass
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for _ in range(20):
            shutil.rmtree(self.folder, ignore_errors=True)
            if not os.path.exists(self.folder):
                break
            await asyncio.sleep(0.1)

    async def read(self):
        async for text in self.socket:
            message = json.loads(text)
            if "id" in message:
                self.answers.pop(message["id"]).set_result(message)
                continue
            method, p = message["method"], message["params"]
            if method == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(p["exceptionDetails"])[:500])
            elif method == "Runtime.consoleAPICalled" and p["type"] in ("error", "warning", "assert"):
                self.errors.append(json.dumps(p["args"])[:500])
            elif method == "Log.entryAdded" and p["entry"]["level"] in ("error", "warning"):
                entry = p["entry"]
                is_network = entry["source"] == "network" or entry["text"].startswith("WebSocket connection to")
                kept = self.network if is_network else self.errors
                kept.append((entry["text"], entry.get("url", "")))
            elif method == "Network.requestWillBeSent":
                self.requests.append(p["request"]["url"])
            elif method == "Network.webSocketCreated":
                self.requests.append(p["url"])

    async def send(self, method, session=None, **params):
        self.number += 1
        future = asyncio.get_running_loop().create_future()
        self.answers[self.number] = future
        await self.socket.send(json.dumps({"id": self.number, "method": method, "params": params,
                                           **({"sessionId": session} if session else {})}))
        answer = await asyncio.wait_for(future, 120)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    async def call(self, method, **params):
        return await self.send(method, self.session, **params)

    async def open(self, url):
        await self.call("Page.navigate", url=url)

    async def run(self, expression):
        """The value of a JavaScript expression, or of what it promises."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, f"{expression[:200]}: {json.dumps(answer['exceptionDetails'])[:800]}"
        return answer["result"].get("value")

    async def wait(self, what, expression, seconds=120):
        end = time.monotonic() + seconds
        while not await self.run(f"!!(document.body && ({expression}))"):
            assert time.monotonic() < end, f"waited in vain for {what}; the page: " + str(await self.run("document.body.innerText"))[:3000]
            await asyncio.sleep(0.05)

    async def key(self, key, code=0, text=""):
        for kind in ("keyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code or ord(key.upper()),
                            **({"text": text or key} if kind == "keyDown" and (text or len(key) == 1) else {}))

    async def resize(self, width, height):
        await self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    async def prefer(self, **features):
        await self.call("Emulation.setEmulatedMedia",
                        features=[{"name": k.replace("_", "-"), "value": v} for k, v in features.items()])

    async def shoot(self, path, whole=False):
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(path, "wb") as out:
            out.write(base64.b64decode(shot["data"]))
