#!/bin/sh
# A thread of a running engine that meets a fault leaves a readable report in the journal's folder and on stderr: which
# signal, which thread by its name, its calls, which addr2line turns into functions, and how every thread stood. The
# engine ends by the signal itself, so that a core comes where one is wanted, and the next start goes on.
. "$(dirname "$0")/lib.sh"

ulimit -c 0
config "    recording: $FIXTURES/demo.wscap.zst
    repeat: 0"

# crash THREAD SIGNAL ROW: the thread of that name gets the signal; its row in the report is ROW.
crash() {
  rm -f "$WORK/engine.log"
  start
  python3 - "$ENGINE" "$1" "$2" <<'END' || fail "no thread $1"
import ctypes, glob, signal, sys
pid, name, number = int(sys.argv[1]), sys.argv[2], getattr(signal, sys.argv[3])
tids = [int(p.split("/")[4]) for p in glob.glob("/proc/%d/task/*/comm" % pid) if open(p).read().strip() == name]
sys.exit(len(tids) != 1 or ctypes.CDLL(None).tgkill(pid, tids[0], int(number)))
END
  status=0
  wait "$ENGINE" || status=$?
  ENGINE=
  [ "$(kill -l "$status")" = "${2#SIG}" ] || fail "status $status after $2"
  report=$(ls "$WORK/journal"/crash-*.txt) || fail "no report of $2"
  for words in "crashed: $2" "thread \"$1\"" "engine $NAME, process " "^\\* $3 run, thread " "^[ *] monitor run, thread .* heartbeat .* s ago"; do
    grep -q "$words" "$report" || fail "the report of $2 lacks '$words': $(cat "$report")"
    grep -q "$words" "$WORK/engine.log" || fail "stderr lacks '$words'"
  done
  # Every call within the program is a function of it.
  sed -n 's|^  0x[0-9a-f]* \(.*/mdengine\) \(0x[0-9a-f]*\)$|\2|p' "$report" >"$WORK/offsets"
  [ -s "$WORK/offsets" ] || fail "no call of the program: $(cat "$report")"
  # shellcheck disable=SC2046 # numbers
  addr2line -fe "$MDENGINE" $(cat "$WORK/offsets") | awk 'NR % 2' >"$WORK/functions"
  ! grep -qx '??' "$WORK/functions" || fail "unknown: $(cat "$WORK/functions")"
  echo "$2 in $1: $(tr '\n' ' ' <"$WORK/functions")"
  rm "$report"
}

crash 'feed 0' SIGSEGV feed:binance_spot
crash w:journal SIGBUS writer:journal
crash mdengine SIGABRT monitor
start
stop
! ls "$WORK/journal"/crash-* 2>/dev/null || fail "a stop in order leaves a report"
"$MDENGINE" journal verify "$WORK/journal" >/dev/null || fail "the journal has holes or damage"
