#!/bin/sh
# config_reference: the table of keys in engine/README.md is the one that mdengine prints.
lines=$(mktemp) || exit 1
trap 'rm -f "$lines"' EXIT
"$MDENGINE" check --keys --markdown >"$lines" || exit 1
[ "$(wc -l <"$lines")" -gt 10 ] || {
  echo "mdengine check --keys --markdown prints too little"
  exit 1
}
[ -f engine/README.md ] || {
  echo "engine/README.md is missing: mdengine check --keys --markdown prints its table"
  exit 1
}
status=0
while IFS= read -r line; do
  grep -qxF -- "$line" engine/README.md || {
    echo "engine/README.md lacks: $line"
    status=1
  }
done <"$lines"
exit $status
