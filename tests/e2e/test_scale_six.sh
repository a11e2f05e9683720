#!/bin/sh
# Six feeds of one engine, each with its own simulator over plain WebSocket: every message that was sent is received, nothing
# is dropped, every account adds up, memory, descriptors and threads are constant once the books stand, and every
# book ends equal to its exchange's own. Processor time and memory of each feed are printed from /metrics. Short and at a
# modest rate unless MD_SCALE_LONG is set: then 2,000 symbols at 60,000 messages a second in all, three minutes.
# alone: its figures are those of a whole machine
. "$(dirname "$0")/lib.sh"

FEEDS="binance_spot binance_derivatives binance_coinm okx_spot okx_derivatives deribit_derivatives"
SIMS=
stop_sims() {
  for pid in $SIMS; do kill "$pid" 2>/dev/null || true; done
  for pid in $SIMS; do wait "$pid" 2>/dev/null || true; done
  SIMS=
}
trap 'stop_sims; cleanup' EXIT

if [ -n "${MD_SCALE_LONG:-}" ]; then
  # Not all that is asked for comes: some of what Deribit and OKX do is no message.
  RATE=${RATE:-10250} LEAST=${LEAST:-60000} LENGTH=${LENGTH:-480} WATCH=180 SETTLE=5 INSTRUMENTS=2600 RING=128MiB BOOKS=192MiB
  symbols_of() {
    case $1 in binance_spot | binance_derivatives) echo 400 ;; *) echo 310 ;; esac
  }
else
  RATE=${RATE:-800} LEAST=0 LENGTH=${LENGTH:-20} WATCH=8 SETTLE=3 INSTRUMENTS=200 RING=32MiB BOOKS=32MiB
  symbols_of() { echo 20; }
fi

for feed in $FEEDS; do
  "$MDENGINE" sim --venue "$feed" --symbols "$(symbols_of "$feed")" --rate "$RATE" --seconds "$LENGTH" --hold \
    --wait-clients 1 --weight-limit 0 --truth "$WORK/$feed.truth" --truth-every 1000000 \
    >"$WORK/$feed.sim" 2>"$WORK/$feed.log" &
  SIMS="$SIMS $!"
done
for feed in $FEEDS; do
  wait_for "the exchange of $feed" test -s "$WORK/$feed.sim"
done
url() { sed -n "1s/.*\"$2\":\"\([^\"]*\)\".*/\1/p" "$WORK/$1.sim"; }
path() {
  case $1 in okx_*) echo /ws/v5 ;; deribit_*) echo /ws/api/v2 ;; esac
}
{
  cat <<END
engine:
  name: $NAME
  shm_dir: $SHM
  instruments: $INSTRUMENTS
  book_space: $BOOKS
journal:
  dir: $WORK/journal
  keep_bytes: ${KEEP:-8GiB}
monitoring:
  http_port: 0
  metrics_port: 0
feeds:
END
  for feed in $FEEDS; do
    cat <<END
  $feed:
    url: $(url "$feed" ws)$(path "$feed")
    rest_url: $(url "$feed" rest)
    symbols: all
    channels: [depth, trade, bbo]
    rest_weight_per_min: 1000000
    journal_ring: $RING
    tape: 4MiB
    silence_depth: 0s
    silence_bbo: 0s
    silence_connection: 0s
END
  done
} >"$WORK/engine.yaml"
start
METRICS=$(sed -n 's|.*\(http://127\.0\.0\.1:[0-9]*/metrics\).*|\1|p' "$WORK/engine.log" | tail -n 1)
# How many a feed chose: of OKX's derivatives "all" are the perpetuals.
chosen() { sed -n "s/.* at=$1 msg=\"\([0-9]*\) symbols are wanted\".*/\1/p" "$WORK/engine.log" | tail -n 1; }
for feed in $FEEDS; do
  wait_for "the list of $feed" logged "at=$feed msg=\"[1-9][0-9]* symbols are wanted"
  wait_for "all $(chosen "$feed") books of $feed to be valid" logged "at=$feed msg=\"all $(chosen "$feed") books are valid"
done
CHOSEN=$(for feed in $FEEDS; do chosen "$feed"; done | awk '{ sum += $1 } END { print sum }')
sed -n 's/.* at=\([a-z_]*\) msg="\(all [0-9]* books are valid after .*\)".*/\1: \2/p' "$WORK/engine.log"
# So many books of Binance's futures begin with 100 levels, because REST gives no more at once, and take memory as they become
# deeper, one after the other within the weight that the venue allows: the figures are those of the time behind that.
deep() {
  curl -s -m 10 "$METRICS" >"$WORK/metrics.deep"
  python3 -B "$HERE/scale_six.py" deepened "$WORK/metrics.deep" \
    "binance_derivatives=$(chosen binance_derivatives)" "binance_coinm=$(chosen binance_coinm)" >"$WORK/deep" || { sleep 1; false; }
}
if [ -n "${MD_SCALE_LONG:-}" ]; then
  wait_for "deeper books" deep
  cat "$WORK/deep"
fi
curl -s -m 10 "$METRICS" >"$WORK/metrics.before"
date +%s.%N >>"$WORK/metrics.before"
python3 "$HERE/process_watch.py" "$ENGINE" "$METRICS" $WATCH $SETTLE --memory-kib "${MEMORY_KIB:-2048}" --hosts 6 >"$WORK/watch" || {
  tail -n 30 "$WORK/watch" >&2
  fail "the engine is not steady"
}
tail -n 1 "$WORK/watch"
curl -s -m 10 "$METRICS" >"$WORK/metrics.after"
date +%s.%N >>"$WORK/metrics.after"
python3 -B "$HERE/scale_six.py" shares "$WORK/metrics.before" "$WORK/metrics.after" "$LEAST" || fail "less than $LEAST messages a second"

# shellcheck disable=SC2086 # a list
equal() { python3 -B "$HERE/scale_six.py" equal "$MDENGINE" "$NAME" "$SHM" "$WORK" "$CHOSEN" $FEEDS >"$WORK/equal.out" 2>&1; }
# A long market is far from its end when the watch is over.
is_over() { grep -q '"at":"end"' "$WORK/$1.truth"; }
seconds=0
until is_over binance_spot || [ "$seconds" -ge "$LENGTH" ]; do
  seconds=$((seconds + 1))
  sleep 1
done
for feed in $FEEDS; do
  wait_for "the end of the market of $feed" is_over "$feed"
done
wait_for "books that equal the exchanges'" equal
cat "$WORK/equal.out"
# An answer by REST is counted in one place a moment before the other: books of futures are still asked for.
arrived() { grep -E '^mdengine_feed_(frames|rest_requests|rest_errors)_total' "$1"; }
drained() {
  curl -s -m 10 "$METRICS" >"$WORK/metrics.last" && sleep 0.5 && curl -s -m 10 "$METRICS" >"$WORK/metrics" &&
    [ "$(arrived "$WORK/metrics.last")" = "$(arrived "$WORK/metrics")" ] &&
    [ "$(awk '/^mdengine_ring_used_bytes/ { sum += $2 } END { print sum + 0 }' "$WORK/metrics")" = 0 ]
}
wait_for "empty rings, and nothing under way" drained
stop_sims
# shellcheck disable=SC2086 # a list
python3 -B "$HERE/scale_six.py" account "$WORK/metrics" "$WORK" $FEEDS || fail "an account does not add up"
stop
"$MDENGINE" journal verify "$WORK/journal" || fail "the journal has holes or damage"
