#!/bin/sh
# Builds every broken variant of ring, tape and book (shm/mutant.h), plain and with TSan, and runs its
# stress program: each must be caught. Logical mutants must be caught without TSan; those that only
# weaken an order are hidden by x86 and must be caught with it. The last line is "N of N mutants caught".
#
# usage: tests/stress/mutants.sh [CC...]    the compilers to build with, default: cc
set -u
cd "$(dirname "$0")/../.." || exit 1
[ $# -gt 0 ] || set -- "${CC:-cc}"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

sources="shm/ring.c shm/tape.c shm/book.c shm/book_ladder.c shm/book_depth.c shm/err.c"
flags="-std=gnu17 -D_GNU_SOURCE -O2 -g -I. -pthread"
caught=0
total=0
failed=0

# build NAME CC PROGRAM MUTANT [FLAG]
build() {
  # shellcheck disable=SC2086 # flags and sources are lists
  "$2" $flags ${5:-} -DMD_MUTANT="$4" "tests/stress/stress_$3.c" $sources -o "$work/$1" ||
    { echo "mutants: $2 cannot build mutant $4 of $3" >&2; exit 1; }
}

# run NAME COUNT: 0 when the program found nothing wrong in time
run() {
  TSAN_OPTIONS="halt_on_error=1 exitcode=66" timeout 120 "$work/$1" "$2" >"$work/out" 2>&1
}

# check CC PROGRAM MUTANT KIND PLAIN_COUNT TSAN_COUNT
check() {
  build plain "$1" "$2" "$3"
  build tsan "$1" "$2" "$3" -fsanitize=thread
  plain=missed
  tsan=missed
  # On a busy machine the threads may never meet at the wrong instant: up to four runs.
  for _ in 1 2 3 4; do
    run plain "$5" || { plain=caught; break; }
    [ "$4" = logic ] || break
  done
  if [ "$4" = order ] || [ $plain = missed ]; then run tsan "$6" || tsan=caught; fi
  total=$((total + 1))
  need=$plain
  [ "$4" = logic ] || need=$tsan
  if [ $need = caught ]; then
    caught=$((caught + 1))
    echo "mutant $3 of $2 ($1, $4): caught"
  else
    echo "mutant $3 of $2 ($1, $4): MISSED (plain $plain, TSan $tsan)"
  fi
}

for cc in "$@"; do
  # The code as it is must pass, else a mutant that fails proves nothing.
  for program in ring tape book; do
    build clean "$cc" $program 0
    build clean_tsan "$cc" $program 0 -fsanitize=thread
    run clean 300000 || { echo "mutants: stress_$program fails without a mutant"; cat "$work/out"; failed=1; }
    run clean_tsan 100000 || { echo "mutants: stress_$program fails under TSan"; cat "$work/out"; failed=1; }
  done
  for mutant in 1 3 4 6; do check "$cc" ring $mutant logic 3000000 300000; done
  for mutant in 2 5; do check "$cc" ring $mutant order 100000 300000; done
  for mutant in 11 12 13; do check "$cc" tape $mutant logic 800000 100000; done
  for mutant in 21 22 23 24 25; do check "$cc" book $mutant logic 1500000 100000; done
done
echo "$caught of $total mutants caught"
[ $failed -eq 0 ] && [ $caught -eq $total ]
