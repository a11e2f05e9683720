#!/bin/sh
# run.sh - installs the peers beside this file once for each package-lock.json, then plays frames through them and through
# `mdengine replay`. Wants MDENGINE, the program.
#
# usage: run.sh [--frames N] [--rounds N] [RECORDING...]     (.wscap or .wscap.zst of Binance spot)
set -eu

: "${MDENGINE:?the program under test}"
HERE=$(cd "$(dirname "$0")" && pwd)
PACKAGES=${MD_PEERS_DIR:-$HERE/../../build/npm-peers}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/mdengine-peers.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
trap 'exit 1' INT TERM HUP

fail() {
  printf 'failed: %s\n' "$*" >&2
  exit 1
}

OPTIONS=
while [ $# -gt 0 ]; do
  case $1 in
    --frames | --rounds)
      [ $# -ge 2 ] || fail "$1 wants a number"
      OPTIONS="$OPTIONS $1 $2"
      shift 2
      ;;
    -*) fail "no option $1: --frames N, --rounds N" ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || set -- "$HERE/../../tests/fixtures/binance_spot/demo.wscap.zst"

for tool in node npm python3 zstd; do
  command -v $tool >/dev/null 2>&1 || fail "no $tool: ./dev bench peers and ./dev test install it"
done
major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 18 ] || fail "node is version $major: the peers need 18 or newer"

if ! cmp -s "$HERE/package-lock.json" "$PACKAGES/installed.json"; then
  rm -rf "$PACKAGES"
  mkdir -p "$PACKAGES"
  cp "$HERE/package.json" "$HERE/package-lock.json" "$PACKAGES"
  (cd "$PACKAGES" && npm ci --ignore-scripts --no-audit --no-fund >"$WORK/npm.log" 2>&1) || {
    cat "$WORK/npm.log" >&2
    fail "npm could not install the peers (see above): is the registry within reach?"
  }
  cp "$HERE/package-lock.json" "$PACKAGES/installed.json"
fi
cp "$HERE/peer.mjs" "$PACKAGES" # a module finds its packages beside itself

status=0
for recording in "$@"; do
  case $recording in
    *.zst) zstd -q -d -c "$recording" >"$WORK/whole.wscap" || fail "cannot read $recording" ;;
    *) cp "$recording" "$WORK/whole.wscap" || fail "cannot read $recording" ;;
  esac
  echo "$(basename "$recording"):"
  # shellcheck disable=SC2086 # options and numbers
  python3 -B "$HERE/peers.py" $OPTIONS "$MDENGINE" "$PACKAGES/peer.mjs" "$WORK/whole.wscap" "$WORK" || status=1
done
exit $status
