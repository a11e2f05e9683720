"""pg_storm.py WORK FAULTS SEED: what can happen to a PostgreSQL server and to the way to it, drawn by a seed.

A proxy stands between the engine and the private cluster WORK/pg. It writes its port to WORK/port, waits for the file
WORK/go, makes FAULTS faults, each followed by a commit of the engine, writes what it did to WORK/storm.out, and goes on
passing bytes until it is ended."""
import json
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time

E2E = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e")
COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
POISON = "trade_id % 4001 <> 7"  # compare_rows.py --rejects knows it


class Proxy:
    """Passes bytes, or does not. mode: pass, freeze (nothing passes any more, new connections hang), refuse."""

    def __init__(self, server):
        self.server = server
        self.mode = "pass"
        self.on_commit = None  # before, after, frozen: what happens to the connection of the next COMMIT
        self.lock = threading.Lock()
        self.pairs = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            if self.mode == "refuse":
                client.close()
                continue
            pair = {"client": client, "server": None, "frozen": self.mode == "freeze", "lost": False}
            with self.lock:
                self.pairs.append(pair)
            threading.Thread(target=self.serve, args=(pair,), daemon=True).start()

    def serve(self, pair):
        try:
            if pair["frozen"]:
                while pair["client"].recv(65536):  # taken, never answered
                    pass
                return
            server = socket.socket(socket.AF_UNIX)
            pair["server"] = server
            server.connect(self.server)
            threading.Thread(target=self.pump, args=(pair, server, pair["client"]), daemon=True).start()
            self.pump(pair, pair["client"], server)
        except OSError:
            pass
        finally:
            self.end(pair)

    def pump(self, pair, source, sink):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                if source is pair["client"] and COMMIT in data and self.on_commit:
                    what, self.on_commit = self.on_commit, None
                    if what != "before":
                        sink.sendall(data)
                    if what == "frozen":
                        pair["frozen"] = True
                        continue
                    pair["lost"] = True  # the answer never arrives
                    if what == "after":
                        time.sleep(0.02)
                    break
                while pair["frozen"]:
                    time.sleep(0.02)  # ends with the client, which closes its socket
                    if sink is not pair["client"] and not self.is_open(pair["client"]):
                        return
                    if pair["lost"]:
                        return
                if not pair["lost"]:
                    sink.sendall(data)
        except OSError:
            pass
        self.end(pair)

    @staticmethod
    def is_open(s):
        try:
            return bool(s.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)) or False
        except BlockingIOError:
            return True
        except OSError:
            return False

    def end(self, pair, reset=False):
        pair["lost"] = True
        for s in (pair["client"], pair["server"]):
            if not s:
                continue
            try:
                if reset and s is pair["client"]:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.shutdown(socket.SHUT_RDWR) if not reset else None
            except OSError:
                pass
            s.close()
        with self.lock:
            if pair in self.pairs:
                self.pairs.remove(pair)

    def cut(self, reset):
        with self.lock:
            pairs = list(self.pairs)
        for pair in pairs:
            self.end(pair, reset)

    def freeze(self):
        self.mode = "freeze"
        with self.lock:
            for pair in self.pairs:
                pair["frozen"] = True

    def thaw(self):
        """New connections pass again; frozen ones never do."""
        self.mode = "pass"


class Storm:
    def __init__(self, work, seed):
        self.work, self.cluster = work, os.path.join(work, "pg")
        self.conninfo = f"host={self.cluster} dbname=postgres user=mdengine"
        self.random = random.Random(seed)
        self.proxy = Proxy(os.path.join(self.cluster, ".s.PGSQL.5432"))
        self.counts = {}

    # ---- means ----

    def control(self, *words):
        subprocess.run([os.path.join(E2E, "pg_cluster.sh"), words[0], self.cluster, *words[1:]], check=True,
                       stdout=subprocess.DEVNULL)

    def sql(self, text, check=True):
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.conninfo, "-c", text],
                              capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"{text}: {done.stderr}")
        return done.stdout.strip()

    def commits(self):
        done = subprocess.run([os.environ["MDENGINE"], "status", "-n", os.environ["ENGINE_NAME"], "-S",
                               os.environ["ENGINE_SHM"], "--json"], capture_output=True, text=True, check=False)
        try:
            status = json.loads(done.stdout)
        except ValueError:
            return None
        return next((s["batches"] for s in status["sinks"] if s["thread"] == "writer:postgres"), None)

    def wait_commit(self, what):
        """Two more commits: the first may have been under way."""
        before = self.commits()
        until = time.monotonic() + 120
        while time.monotonic() < until:
            now = self.commits()
            if now is not None and before is not None and now >= before + 2:
                return
            time.sleep(0.05)
        raise RuntimeError(f"no commit within 120 s after {what}")

    def rest(self, least, most):
        time.sleep(self.random.uniform(least, most))

    def log_has(self, *words):
        with open(os.path.join(self.work, "engine.log")) as lines:
            lines.seek(self.log_at)
            return any(all(w in line for w in words) for line in lines)

    def wait_log(self, *words):
        until = time.monotonic() + 90
        while not self.log_has(*words):
            if time.monotonic() > until:
                raise RuntimeError(f"the engine's log never said {words}")
            time.sleep(0.05)

    # ---- faults ----

    def terminate(self):
        self.rest(0, 0.2)
        self.sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'mdengine'")

    def terminate_in_commit(self):
        """Ends the backend while it answers COMMIT: the rows are there, the answer is not."""
        self.sql("DO $$ DECLARE p int; BEGIN FOR i IN 1..20000 LOOP PERFORM pg_stat_clear_snapshot(); "
                 "SELECT pid INTO p FROM pg_stat_activity WHERE application_name = 'mdengine' AND query = 'COMMIT' AND "
                 "state = 'active'; IF p IS NOT NULL THEN PERFORM pg_terminate_backend(p); EXIT; END IF; END LOOP; END $$")

    def restart_fast(self):
        self.control("restart", "fast")

    def restart_immediate(self):
        self.control("restart", "immediate")

    def kill_postmaster(self):
        self.control("kill")
        self.rest(0, 0.5)
        self.control("start")

    def cut(self):
        self.rest(0, 0.1)
        self.proxy.cut(reset=False)

    def reset(self):
        self.rest(0, 0.1)
        self.proxy.cut(reset=True)

    def cut_before_commit(self):
        self.proxy.on_commit = "before"

    def cut_after_commit(self):
        self.proxy.on_commit = "after"

    def freeze_at_commit(self):
        self.proxy.on_commit = "frozen"

    def hang(self):
        """The server hangs, also for those who connect anew."""
        self.proxy.freeze()
        self.rest(1, 3)
        self.proxy.thaw()

    def away(self):
        self.proxy.mode = "refuse"
        self.proxy.cut(reset=True)
        self.rest(0.5, 2)
        self.proxy.mode = "pass"

    def lock_table(self):
        table = self.random.choice(["trades", "bbo", "progress"])
        self.sql(f"BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0; LOCK TABLE md.{table} IN ACCESS EXCLUSIVE MODE; "
                 f"SELECT pg_sleep({self.random.uniform(0.5, 4):.2f})", check=False)

    def alter(self):
        """A column goes away, or comes back under another type; all is as before at the end."""
        retype = self.random.random() < 0.5
        change = "ALTER TABLE md.trades RENAME px TO px_was" + ("; ALTER TABLE md.trades ADD px text" if retype else "")
        back = ("ALTER TABLE md.trades DROP px; " if retype else "") + "ALTER TABLE md.trades RENAME px_was TO px"
        self.sql(change)
        self.wait_log("md.trades", "column px", "expected numeric", "text" if retype else "missing")
        self.sql(back)

    def poison(self):
        self.sql(f"ALTER TABLE md.trades ADD CONSTRAINT poison CHECK ({POISON}) NOT VALID")
        until = time.monotonic() + 20
        before = self.sql("SELECT count(*) FROM md.rejects")
        while self.sql("SELECT count(*) FROM md.rejects") == before and time.monotonic() < until:
            time.sleep(0.1)
        self.sql("ALTER TABLE md.trades DROP CONSTRAINT poison")

    def disk_full(self):
        ballast = os.path.join(self.cluster, "ballast")
        out = os.open(ballast, os.O_WRONLY | os.O_CREAT)
        for size in (1 << 20, 4096):  # to the last page
            try:
                while True:
                    os.write(out, b"\0" * size)
            except OSError:
                pass
        os.close(out)
        self.rest(1, 2.5)
        os.remove(ballast)
        self.control("start")  # when it could not go on by itself

    def run(self, cnt):
        calm = [self.terminate, self.terminate_in_commit, self.restart_fast, self.restart_immediate, self.kill_postmaster,
                self.cut, self.reset, self.cut_before_commit, self.cut_after_commit, self.freeze_at_commit, self.hang,
                self.away, self.lock_table, self.alter, self.poison]
        if os.path.ismount(self.cluster):
            calm.append(self.disk_full)
        faults = [calm[n % len(calm)] for n in range(cnt)]  # each as often as the others, in an order of the seed
        self.random.shuffle(faults)
        for fault in faults:
            self.log_at = os.path.getsize(os.path.join(self.work, "engine.log"))
            fault()
            self.wait_commit(fault.__name__)
            self.counts[fault.__name__] = self.counts.get(fault.__name__, 0) + 1


def main():
    work, cnt, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    storm = Storm(work, seed)
    with open(os.path.join(work, "port.tmp"), "w") as out:
        out.write(str(storm.proxy.port))
    os.rename(os.path.join(work, "port.tmp"), os.path.join(work, "port"))
    while not os.path.exists(os.path.join(work, "go")):
        time.sleep(0.05)
    text = ""
    try:
        storm.run(cnt)
        text = f"{sum(storm.counts.values())} faults ({', '.join(f'{v} {k}' for k, v in sorted(storm.counts.items()))})"
    except Exception as error:  # said in the file, by which the script knows
        text = f"failed after {sum(storm.counts.values())} faults: {error}"
    with open(os.path.join(work, "storm.tmp"), "w") as out:
        out.write(text + "\n")
    os.rename(os.path.join(work, "storm.tmp"), os.path.join(work, "storm.out"))
    threading.Event().wait()


main()
