"""A terminal of a program under test: what it wrote, as the lines that a person would see."""
import fcntl, os, pty, re, select, signal, struct, sys, termios, time


class Terminal:
    """Runs a program on a terminal that knows what ncurses sends to TERM=vt100, no more."""

    def __init__(self, command, rows=24, cols=80):
        self.rows, self.cols, self.row, self.col = rows, cols, 0, 0
        self.cells = [[" "] * cols for _ in range(rows)]
        self.first, self.last = 0, rows - 1  # the rows that scroll
        self.saved = (0, 0)
        self.rest, self.status = "", None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "vt100"
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
            os.execv(command[0], command)

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]

    def text(self):
        return "\n".join(self.lines())

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def resize(self, rows, cols):
        self.rows, self.cols, self.first, self.last = rows, cols, 0, rows - 1
        self.cells = [(row + [" "] * cols)[:cols] for row in self.cells[:rows]]
        self.cells += [[" "] * cols for _ in range(rows - len(self.cells))]
        self.row, self.col = min(self.row, rows - 1), min(self.col, cols - 1)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def read(self, seconds=0.1):
        """Takes in what comes within seconds; sets status when the program has ended."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        try:
            data = os.read(self.fd, 65536) if ready else b""
        except OSError:
            data = b""
        if data:
            self.feed(data.decode("latin-1"))
        elif self.status is None:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.status = os.waitstatus_to_exitcode(status)
            elif ready:
                time.sleep(0.05)

    def wait(self, what, is_there, seconds=60):
        """Reads until is_there(text) gives something true, and returns that."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = is_there(self.text())
            if found:
                return found
            if self.status is not None:
                break
            self.read()
        self.fail(f"waited in vain for {what}, exit status {self.status}")

    def quit(self, key="q"):
        self.type(key)
        end = time.monotonic() + 60
        while self.status is None and time.monotonic() < end:
            self.read()
        if self.status != 0:
            self.fail(f"ends with {self.status}")

    def fail(self, text):
        print("failed:", text, file=sys.stderr)
        print(self.text(), file=sys.stderr)
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
        sys.exit(1)

    SEQUENCE = re.compile(r"\x1b(?:\[([?0-9;]*)([A-Za-z@])|[()][0AB]|[=>78HMDEc])")

    def feed(self, data):
        data = self.rest + data
        self.rest, at = "", 0
        while at < len(data):
            if data[at] == "\x1b":
                match = self.SEQUENCE.match(data, at)
                if not match:
                    if len(data) - at < 16:
                        self.rest = data[at:]
                        return
                    self.fail(f"unknown sequence {data[at:at + 16]!r}")
                if match.group(2):
                    self.control(match.group(1), match.group(2))
                elif match.group() == "\x1bM":
                    self.up()
                elif match.group() == "\x1b7":
                    self.saved = (self.row, self.col)
                elif match.group() == "\x1b8":
                    self.row, self.col = self.saved
                at = match.end()
                continue
            self.character(data[at])
            at += 1

    def down(self):
        if self.row == self.last:
            del self.cells[self.first]
            self.cells.insert(self.last, [" "] * self.cols)
        else:
            self.row = min(self.row + 1, self.rows - 1)

    def up(self):
        if self.row == self.first:
            del self.cells[self.last]
            self.cells.insert(self.first, [" "] * self.cols)
        else:
            self.row = max(self.row - 1, 0)

    def character(self, c):
        if c == "\r":
            self.col = 0
        elif c == "\n":
            self.down()
        elif c == "\b":
            self.col = max(min(self.col, self.cols - 1) - 1, 0)
        elif c == "\t":
            self.col = min((self.col // 8 + 1) * 8, self.cols - 1)
        elif c >= " ":
            if self.col >= self.cols:
                self.col = 0
                self.down()
            self.cells[self.row][self.col] = c
            self.col += 1

    def control(self, parameters, final):
        if parameters.startswith("?"):
            return
        numbers = [int(n) if n else 0 for n in parameters.split(";")]
        n = max(numbers[0], 1)
        self.col = min(self.col, self.cols - 1)
        line = self.cells[self.row]
        if final == "H":
            self.row = min(n, self.rows) - 1
            self.col = min(max((numbers + [1])[1], 1), self.cols) - 1
        elif final in "AB":
            self.row = min(max(self.row + (n if final == "B" else -n), 0), self.rows - 1)
        elif final in "CD":
            self.col = min(max(self.col + (n if final == "C" else -n), 0), self.cols - 1)
        elif final in "JK":
            line[0 if numbers[0] else self.col:self.col + 1 if numbers[0] == 1 else self.cols] = [" "] * (
                (self.col + 1 if numbers[0] == 1 else self.cols) - (0 if numbers[0] else self.col))
            if final == "J":
                others = range(self.row) if numbers[0] == 1 else range(
                    0 if numbers[0] == 2 else self.row + 1, self.rows)
                for row in others:
                    self.cells[row] = [" "] * self.cols
        elif final == "r":
            self.first = n - 1
            self.last = min((numbers + [0])[1] or self.rows, self.rows) - 1
            self.row = self.col = 0
        elif final not in "mhl":
            self.fail(f"unknown sequence ESC [ {parameters} {final}")
