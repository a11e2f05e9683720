#!/bin/sh
# Files of at most 800 lines, functions of at most 70 lines and 7 parameters.
. "$(dirname "$0")/lib.sh"
# shellcheck disable=SC2046 # names in this tree hold no blanks
run_awk sizes.awk $(c_files)
