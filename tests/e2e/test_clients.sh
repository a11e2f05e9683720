#!/bin/sh
# Clients that others wrote work against the simulator with only its address and certificate changed: ccxt's
# watchOrderBook and watchTrades for Binance spot, USD-M and COIN-M, OKX and Deribit, the exchange's own connectors for
# Binance spot and USD-M, and okx-api. All run over TLS, in the midst of running markets, while one engine collects from
# the same five exchanges. At equal update id, seqId or change_id the books of client, engine and truth are equal, in all
# levels, some dozens of times for each symbol; trades are equal by id, price and quantity. What is compared is spoilt
# on purpose afterwards, and each comparison must notice. One row of the table below adds a client.
#
# What the clients themselves cannot, or do otherwise:
# - ccxt keeps prices and quantities as doubles: the markets here have at most 15 digits, which these hold.
# - ccxt's Deribit book has the time where others have a sequence, and does not look at prev_change_id: it would not
#   notice a hole. Its change_id is read from the message that it has just applied. Its cache of Deribit's trades begins
#   anew with every message (handleTrades looks with safeDict for what is an array), so that watchTrades loses those of a
#   message that comes together with another one: they are read from the cache after each message.
# - ccxt's COIN-M: of changes that waited for the snapshot it applies only those that follow without a jump of ids, as on
#   spot, and then fails with ChecksumError at the next one. Where ids are shared by all symbols that happens when the
#   snapshot comes late by two changes or more: it is then asked again, as its users have to, a few times at most.
# - ccxt's default for trades of USD-M is the stream `trade`, with prints that are not of the market (X other than MARKET)
#   among them; the engine has these too, flagged. The connector for USD-M has no such stream: its aggTrades are compared.
# - ccxt and okx-api hear OKX's `trades`; `trades-all` wants a login of ccxt. okx-api and the connectors hold no book:
#   tests/clients/book.mjs does, by the exchange's own rules.
#
# The packages come from npm once for each package-lock.json, into the folder build.
. "$(dirname "$0")/lib.sh"

CLIENTS=$HERE/../clients
PACKAGES=${MD_NPM_DIR:-$HERE/../../build/npm}
POINTS=${MD_CLIENT_POINTS:-30} # at which engine and client must be seen to be equal, for each symbol

# exchange: path of its WebSocket, connections of an engine, symbols listed, messages a second, channels, symbols
venues() {
  cat <<'END'
binance_spot        /           1 3 600 depth,trade           BTCUSDT ETHUSDT
binance_derivatives /           2 3 600 depth,trade,agg_trade BTCUSDT ETHUSDT
binance_coinm       /           1 3 600 depth,trade           BTCUSD_PERP ETHUSD_PERP
okx_derivatives     /ws/v5      1 5 1000 depth,trade           BTC-USDT-SWAP SHIB-USDT-SWAP
deribit_derivatives /ws/api/v2  1 3 600 depth,trade           BTC-PERPETUAL BTC_USDC-PERPETUAL
END
}

# client: program in tests/clients and its argument, exchange, its connections before the first trade, type of its trades
rows() {
  cat <<'END'
ccxt.binance       ccxt_book    binance      binance_spot        2 trade
ccxt.binanceusdm   ccxt_book    binanceusdm  binance_derivatives 2 trade
ccxt.binancecoinm  ccxt_book    binancecoinm binance_coinm       2 trade
ccxt.okx           ccxt_book    okx          okx_derivatives     1 trade
ccxt.deribit       ccxt_book    deribit      deribit_derivatives 1 trade
@binance/spot      binance_book spot         binance_spot        1 trade
@binance/usds      binance_book usds         binance_derivatives 1 agg_trade
okx-api            okx_api_book -            okx_derivatives     1 trade
END
}

PIDS=
end_all() {
  for pid in $PIDS; do kill -9 "$pid" 2>/dev/null || true; done
  cleanup
}
trap end_all EXIT

# end_one PID: in order; a status other than 0 is a failure.
end_one() {
  kill -TERM "$1"
  wait "$1" || fail "a process ended with status $?: $1"
}

# --- packages
for tool in node npm; do
  command -v $tool >/dev/null 2>&1 || fail "no $tool: install Node.js 18 or newer with npm (./dev test does)"
done
major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 18 ] || fail "node is version $major: the clients need 18 or newer"

if ! cmp -s "$CLIENTS/package-lock.json" "$PACKAGES/installed.json"; then
  rm -rf "$PACKAGES"
  mkdir -p "$PACKAGES"
  cp "$CLIENTS/package.json" "$CLIENTS/package-lock.json" "$PACKAGES"
  (cd "$PACKAGES" && npm ci --ignore-scripts --no-audit --no-fund >"$WORK/npm.log" 2>&1) || {
    cat "$WORK/npm.log" >&2
    fail "npm could not install the clients (see above): is the registry within reach?"
  }
  cp "$CLIENTS/package-lock.json" "$PACKAGES/installed.json"
fi
cp "$CLIENTS"/*.mjs "$PACKAGES" # a module finds its packages beside itself

# --- the exchanges: each market begins when engine and clients have subscribed
exchange() {
  venue=$1 path=$2 connections=$3 listed=$4 rate=$5 channels=$6
  shift 6
  echo "$*" >"$WORK/$venue.symbols"
  connections=$(rows | awk -v venue="$venue" -v sum="$connections" '$4 == venue { sum += $5 } END { print sum }')
  "$MDENGINE" sim --venue "$venue" --symbols "$listed" --rate "$rate" \
    --wait-clients "$connections" --tls-port 0 --ca-out "$WORK/$venue.pem" --truth "$WORK/$venue.truth" --truth-every 1 \
    >"$WORK/$venue.sim" 2>"$WORK/$venue.simlog" </dev/null &
  PIDS="$PIDS $!"
  echo "$!" >"$WORK/$venue.pid"
  wait_for "the simulator of $venue" grep -qs '"wss"' "$WORK/$venue.sim"
  address=$(sed -n 's,.*"wss":"wss://\([^"]*\)".*,\1,p' "$WORK/$venue.sim")
  echo "$address" >"$WORK/$venue.address"
  cat >>"$WORK/feeds.yaml" <<END
  $venue:
    symbols: [$(echo "$*" | sed 's/ /, /g')]
    channels: [$channels]
    url: wss://$address${path%/}
    rest_url: https://$address
    ca_file: $WORK/$venue.pem
    depth: 1000
    tape: 1MiB
    journal_ring: 4MiB
    silence_depth: 0s
    silence_bbo: 0s
    silence_connection: 0s
END
}
while read -r row; do
  exchange $row
done <<END
$(venues)
END

cat >"$WORK/engine.yaml" - "$WORK/feeds.yaml" <<END
engine:
  name: $NAME
  shm_dir: $SHM
  instruments: 64
  book_space: 16MiB
journal:
  dir: $WORK/journal
  segment: 16MiB
monitoring:
  enabled: false
feeds:
END
start

# --- the clients
client() {
  file=$(echo "$1" | tr / _)
  NODE_EXTRA_CA_CERTS=$WORK/$4.pem
  export NODE_EXTRA_CA_CERTS
  argument=$3
  [ "$argument" != - ] || argument=
  # shellcheck disable=SC2046,SC2086
  node "$PACKAGES/$2.mjs" "$(cat "$WORK/$4.address")" $argument $(cat "$WORK/$4.symbols") \
    >"$WORK/$file.out" 2>"$WORK/$file.log" </dev/null &
  PIDS="$PIDS $!"
  echo "$!" >"$WORK/$file.pid"
}
while read -r row; do
  client $row
done <<END
$(rows)
END
unset NODE_EXTRA_CA_CERTS

# all_live: no client died and no exchange.
all_live() {
  for pid in $PIDS; do
    kill -0 "$pid" 2>/dev/null && continue
    for log in "$WORK"/*.log "$WORK"/*.simlog; do
      [ ! -s "$log" ] || { echo "$log"; tail -n 10 "$log" | cut -c 1-300; } >&2
    done
    fail "a client or an exchange ended by itself (see above)"
  done
}

# --- all run beside each other until there is enough to compare
# enough FILE SYMBOL...: the client has had so many books since the engine's became VALID, some of them more.
enough() {
  all_live
  out=$1
  shift
  for symbol in "$@"; do
    cnt=$(tail -c "+$(cat "$out.from")" "$out" | grep -c "\"at\":\"book\",\"symbol\":\"$symbol\"") || true
    [ "$cnt" -ge $((POINTS + 10)) ] || return 1
  done
}

# reached (FILE RECORDS TRADES SYMBOL,SYMBOL...)...: each client has the last trades that the engine has.
reached() { all_live && python3 -B "$CLIENTS/compare.py" reached "$@" >"$WORK/missing"; }

for venue in $(venues | cut -d ' ' -f 1); do
  wait_for "the engine's books of $venue" logged "at=$venue msg=\"all 2 books are valid"
done
for out in "$WORK"/*.out; do
  wc -c <"$out" | tr -d ' ' >"$out.from"
done
while read -r name program argument venue connections trades; do
  file=$WORK/$(echo "$name" | tr / _).out
  # shellcheck disable=SC2046
  wait_for "$((POINTS + 10)) books of each symbol of $name" enough "$file" $(cat "$WORK/$venue.symbols")
done <<END
$(rows)
END
stop
for venue in $(venues | cut -d ' ' -f 1); do
  "$MDENGINE" journal cat "$WORK/journal" --json --feed "$venue" >"$WORK/$venue.records"
done
set --
while read -r name program argument venue connections trades; do
  set -- "$@" "$WORK/$(echo "$name" | tr / _).out" "$WORK/$venue.records" "$trades" "$(tr ' ' , <"$WORK/$venue.symbols")"
done <<END
$(rows)
END
wait_for "every client to have the engine's last trades" reached "$@"
all_live

# The clients first: to lose the exchange is an error for them.
for file in "$WORK"/*.out; do
  end_one "$(cat "${file%.out}.pid")"
done
for venue in $(venues | cut -d ' ' -f 1); do
  end_one "$(cat "$WORK/$venue.pid")"
done

# --- compare
while read -r name program argument venue connections trades; do
  file=$WORK/$(echo "$name" | tr / _).out
  echo "$name"
  # shellcheck disable=SC2046
  python3 -B "$CLIENTS/compare.py" "$WORK/$venue.truth" "$WORK/$venue.records" "$file" $POINTS "$trades" \
    $(cat "$WORK/$venue.symbols") || fail "$name does not hold what exchange and engine have (see above)"
done <<END
$(rows)
END
for file in @binance_spot @binance_usds; do
  grep -q '"at":"ticker"' "$WORK/$file.out" || fail "$file saw no bookTicker at an id of its book"
done
