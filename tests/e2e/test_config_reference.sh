#!/bin/sh
# The tables of keys in engine/README.md and of metrics in monitoring/METRICS.md are those that mdengine prints, and have
# no row more.
lines=$(mktemp) || exit 1
trap 'rm -f "$lines"' EXIT
status=0

# compare OPTION PAGE LEAST
compare() {
  "$MDENGINE" check "$1" --markdown >"$lines" || exit 1
  [ "$(wc -l <"$lines")" -gt "$3" ] || {
    echo "mdengine check $1 --markdown prints too little"
    exit 1
  }
  while IFS= read -r line; do
    grep -qxF -- "$line" "$2" || {
      echo "$2 lacks: $line"
      status=1
    }
  done <"$lines"
}

compare --keys engine/README.md 10
compare --metrics monitoring/METRICS.md 100
[ "$(grep -c '^|' monitoring/METRICS.md)" = "$(wc -l <"$lines")" ] || {
  echo "monitoring/METRICS.md has rows that mdengine check --metrics --markdown does not print"
  status=1
}
exit $status
