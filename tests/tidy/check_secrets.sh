#!/bin/sh
# No secret stands in the tree: no private key, no password or token with a value, no address of a real machine.
. "$(dirname "$0")/lib.sh"
status=0
# Fixtures and lists of packages hold hashes and other people's bytes.
files=$(find . \( -name .git -o -path ./build -o -path ./tests/fixtures -o -name node_modules \) -prune -o -type f \
  ! -name 'package-lock.json' ! -name '*.zst' ! -name '*.bin' ! -name check_secrets.sh ! -name selftest.sh -print | LC_ALL=C sort)

# found PATTERN WHAT prints lines that match, but for those of which the pattern of exceptions takes the match.
found() {
  # shellcheck disable=SC2086 # names in this tree hold no blanks
  hits=$(LC_ALL=C grep -nIEi -e "$1" $files | grep -vEi -e "$3" | sed 's,^\./,,')
  [ -z "$hits" ] && return
  printf '%s\n' "$hits" | sed -E "s/^([^:]*:[0-9]+):.*/\1: $2/"
  status=1
}

found '-----BEGIN [A-Z ]*PRIVATE KEY' 'a private key' '^$'
found "(password|passwd|secret|api_?key|access_?token|auth_?token)[\"']? *[:=] *[\"']?[a-z0-9+/_.!@-]{6,}" \
  'a secret with a value' "passfile=|password=y|of-this-test|SECRET\\\"?: SECRET|[:=] *[\"']?(changeme|example|\\$)|\\.c:|\\.h:"
found 'https?://[a-z0-9_.-]+:[^@/ "]+@' 'a URL with a password' 'example'
found '(^|[^0-9.])([1-9][0-9]?|1[0-9][0-9]|2[0-4][0-9]|25[0-5])(\.[0-9]{1,3}){3}([^0-9.]|$)' 'the address of a machine' \
  '(^|[^0-9.])(127|10|0|255|224|172\.(1[6-9]|2[0-9]|3[01])|192\.168|169\.254|192\.0\.2|198\.51\.100|203\.0\.113|1\.2\.3|8\.8\.8)\.|version|[0-9]+(\.[0-9]+){4}'
exit $status
