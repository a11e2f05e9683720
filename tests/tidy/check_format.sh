#!/bin/sh
# Every source that ./dev format covers is formatted; tables and shm/record.h keep their columns.
. "$(dirname "$0")/lib.sh"

command -v clang-format-14 >/dev/null || { echo "clang-format-14 is missing"; exit 1; }
files=$(c_files | grep -E '^(shm|feeds|writers|engine|bench|monitoring|tests)/' |
  grep -vE '_table\.h$|^shm/record\.h$')
[ -n "$files" ] || { echo "no file to look at"; exit 1; }
# shellcheck disable=SC2086 # names in this tree hold no blanks
clang-format-14 --dry-run -Werror $files 2>&1 | sed -n 's/^\([^ ]*:[0-9]*\):[0-9]*: error.*/\1: is not formatted; run .\/dev format/p' >"${TMPDIR:-/tmp}/md-format.$$"
sort -u "${TMPDIR:-/tmp}/md-format.$$"
[ ! -s "${TMPDIR:-/tmp}/md-format.$$" ]
status=$?
rm -f "${TMPDIR:-/tmp}/md-format.$$"
exit "$status"
