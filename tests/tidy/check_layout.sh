#!/bin/sh
# The root holds what the design names and nothing else; what git ignores is not looked at.
. "$(dirname "$0")/lib.sh"
allowed=' CMakeLists.txt CMakePresets.json README.md LICENSE CHANGELOG.md SECURITY.md dev
 engine shm feeds writers bench monitoring docker tests build '
status=0
for entry in *; do
  git check-ignore -q "$entry" 2>/dev/null && continue
  case $allowed in
    *[[:space:]]"$entry"[[:space:]]*) ;;
    *)
      echo "$entry:1: does not belong into the root"
      status=1
      ;;
  esac
done
exit $status
