#!/bin/sh
# Every acquire and release carries its label and its partner, and atomics come only through
# shm/atomics.h.
. "$(dirname "$0")/lib.sh"
# shellcheck disable=SC2046 # names in this tree hold no blanks
run_awk orders.awk $(c_files)
