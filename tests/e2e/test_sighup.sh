#!/bin/sh
# SIGHUP while the engine runs: a rotated log file is opened again and no line is torn; form and level of the log
# follow the configuration; other keys that changed are named for a restart; a wrong configuration is refused and
# the old one stays.
. "$(dirname "$0")/lib.sh"

LOG=$WORK/own.log
write_config() { # LEVEL FORMAT [JOURNAL_LINES]
  JOURNAL=${3:-policy: interval} config "    recording: $FIXTURES/demo.wscap.zst
    speed: 1
    repeat: 0"
  sed -i "s|^  name: .*|&\n  log_file: $LOG\n  log_level: $1\n  log_format: $2|" "$WORK/engine.yaml"
}
says() { grep -q "$1" "$LOG" 2>/dev/null; }
hup() { kill -HUP "$ENGINE"; }

write_config info logfmt
start
wait_for "the log file" says "is up"
grep -q "is up" "$WORK/engine.log" && fail "stderr has the log as well"

# --- rotation: rename, then the signal; what is logged behind it stands in the new file ---
mv "$LOG" "$LOG.1"
hup
wait_for "an answer in the new file" says "SIGHUP: .* applied: nothing; takes effect with a restart: nothing"
grep -q "is up" "$LOG.1" || fail "the old file lost its lines"

# --- what can change does, the rest is named ---
write_config debug json "policy: batch"
hup
wait_for "the new form" says '"level":"warn","at":"reload".*applied: engine.log_format, engine.log_level; takes effect with a restart: journal.policy"'

# --- a wrong configuration is refused, and everything goes on ---
write_config debug logfmt "policy: sometimes"
hup
wait_for "the refusal" says '"level":"error","at":"reload","msg":".*engine.yaml is refused; the configuration stays'
says '"at":"reload","msg":".*journal.policy: .*sometimes' || fail "the problem is not named"
tail -n 1 "$LOG" | grep -q '^{' || fail "the form changed though the configuration was refused"

# --- back to stderr ---
write_config info logfmt
sed -i '/log_file/d' "$WORK/engine.yaml"
hup
to_stderr() { grep -q "applied: engine.log_format, engine.log_level, engine.log_file" "$WORK/engine.log"; }
wait_for "the log on stderr" to_stderr

stop
[ "$(cat "$LOG" "$LOG.1" | grep -cvE '^(ts=.*|\{"ts".*\})$' || true)" = 0 ] || fail "a line is torn"
echo "SIGHUP: $(cat "$LOG" "$LOG.1" | wc -l) lines in two files, none torn"
