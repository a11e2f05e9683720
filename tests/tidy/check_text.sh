#!/bin/sh
# Text without trailing blanks, carriage returns, open ends and paths of somebody's machine.
. "$(dirname "$0")/lib.sh"

# Fixtures are somebody else's bytes.
files=$(find . \( -name .git -o -path ./build -o -path ./tests/fixtures \) -prune -o -type f \
  \( -name '*.c' -o -name '*.h' -o -name '*.cc' -o -name '*.md' -o -name '*.txt' -o -name '*.sh' \
  -o -name '*.awk' -o -name '*.py' -o -name '*.json' -o -name '*.sql' -o -name '*.yaml' \
  -o -name '*.yml' -o -name '*.service' -o -name dev -o -path './.ci/run' -o -name '.[a-z]*' \) \
  -print | sed 's,^\./,,' | LC_ALL=C sort)
# shellcheck disable=SC2086 # names in this tree hold no blanks
run_awk text.awk $files
