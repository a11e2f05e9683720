#!/bin/sh
# promise: a writer flat out or killed in the middle of a change gives no reader a torn book and hangs none
# shm_torture.sh [long|control]: processes (tests/stress/stress_book_process.c, stress_kill_process.c): eight readers of
# each tier, then kills that leave a version odd. control: readers that never ask how old a book is are told nothing.
set -eu
reads=200000
kills=20
case ${1:-run} in
  control)
    "$MD_TEST_BIN/stress_kill_process" 1 control
    exit
    ;;
  long)
    reads=33400000
    kills=200
    ;;
esac
"$MD_TEST_BIN/stress_book_process" $reads
"$MD_TEST_BIN/stress_kill_process" $kills >"${TMPDIR:-/tmp}/md-kill.$$" || {
  cat "${TMPDIR:-/tmp}/md-kill.$$"
  rm -f "${TMPDIR:-/tmp}/md-kill.$$"
  exit 1
}
echo "$((3 * reads)) reads of three tiers: 0 torn, 0 ladder reads failed; $(cat "${TMPDIR:-/tmp}/md-kill.$$")"
rm -f "${TMPDIR:-/tmp}/md-kill.$$"
