#!/bin/sh
# The systemd unit scores 1.5 or better, and the engine speaks to a service manager: READY once its segment is ready, its
# state in words, the watchdog fed again and again, STOPPING when it drains. A stopped engine feeds no watchdog. The
# drop-in for the clock opens the call that reads it and nothing else.
. "$(dirname "$0")/lib.sh"

UNIT=$HERE/../../monitoring/systemd/mdengine.service
if command -v systemd-analyze >/dev/null; then
  systemd-analyze security --offline=true --no-pager --threshold=15 "$UNIT" >"$WORK/score" 2>&1 || fail "$(tail -n 3 "$WORK/score")"
  tail -n 1 "$WORK/score"
  # The control: the same unit without its sandbox.
  sed '/^Protect\|^Private\|^SystemCall\|^Restrict[A-Z]\|^Capab\|^NoNew/d' "$UNIT" >"$WORK/bare.service"
  if systemd-analyze security --offline=true --no-pager --threshold=15 "$WORK/bare.service" >/dev/null 2>&1; then
    fail "a unit without a sandbox scores as well"
  fi
  # With the drop-in that lets it read the clock, and nothing else.
  cat "$UNIT" "${UNIT%/*}/clock.conf" >"$WORK/clock.service"
  systemd-analyze security --offline=true --no-pager --threshold=16 "$WORK/clock.service" >"$WORK/score" 2>&1 || fail "clock.conf: $(tail -n 3 "$WORK/score")"
  tail -n 1 "$WORK/score"
  for file in "$UNIT" "$WORK/clock.service"; do
    systemd-analyze security --offline=true --no-pager --json=short --threshold=100 "$file" |
      python3 -c 'import json, sys; print(*sorted(r["name"] for r in json.load(sys.stdin) if r["set"] is False), sep="\n")' >"$WORK/$(basename "$file").open"
  done
  comm -13 "$WORK/mdengine.service.open" "$WORK/clock.service.open" >"$WORK/more"
  [ "$(cat "$WORK/more")" = "ProtectClock=
SystemCallFilter=~@clock
SystemCallFilter=~@privileged" ] || fail "clock.conf opens: $(cat "$WORK/more")"
fi
config "    recording: $FIXTURES/demo.wscap.zst
    repeat: 0"
python3 - "$MDENGINE" "$WORK" <<'END' || fail "the service manager: $(tail -n 3 "$WORK/engine.log")"
import os, signal, socket, subprocess, sys, time
program, work = sys.argv[1:]
for address, where in ((work + "/notify", work + "/notify"), ("\0mdengine-%d" % os.getpid(), "@mdengine-%d" % os.getpid())):
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(address)
    manager.settimeout(120)
    environment = dict(os.environ, NOTIFY_SOCKET=where, WATCHDOG_USEC="400000")
    engine = subprocess.Popen([program, "run", "-c", work + "/engine.yaml"], env=environment, stderr=open(work + "/engine.log", "a"))
    try:
        def until(begin, seen=[]):
            while True:
                text = manager.recv(4096).decode()
                if text.startswith(begin):
                    return text
        assert until("READY=1") == "READY=1"
        while "STATUS=1 of 1 feeds, 5 of 5 books VALID" != until("STATUS="):
            pass
        for _ in range(5):
            until("WATCHDOG=1")
        engine.send_signal(signal.SIGSTOP)
        manager.settimeout(1.5)
        try:  # what it sent before is read first
            while True:
                manager.recv(4096)
        except TimeoutError:
            pass
        engine.send_signal(signal.SIGCONT)
        manager.settimeout(120)
        until("WATCHDOG=1")
        engine.send_signal(signal.SIGTERM)
        assert "STATUS=draining" in until("STOPPING=1")
        assert engine.wait(120) == 0, engine.returncode
    finally:
        engine.kill()
        engine.wait()
        manager.close()
END
