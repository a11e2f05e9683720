#!/bin/sh
# Builds every broken variant of ring, tape, book and reader library (shm/mutant.h), plain and with TSan, and runs its
# stress program: each must be caught. Logical mutants must be caught without TSan; those that only
# weaken an order are hidden by x86 and must be caught with it. The last line is "N of N mutants caught".
#
# usage: tests/stress/mutants.sh [CC...]    the compilers to build with, default: cc
set -u
cd "$(dirname "$0")/../.." || exit 1
[ $# -gt 0 ] || set -- "${CC:-cc}"
work=$(mktemp -d) || exit 1
# What a program that failed or was killed leaves in shared memory goes away with this folder.
MD_SHM_DIR=$(mktemp -d /dev/shm/mdmutants.XXXXXX) || { rmdir "$work"; exit 1; }
export MD_SHM_DIR
trap 'rm -rf "$work" "$MD_SHM_DIR"' EXIT
trap 'exit 1' INT TERM HUP

sources="shm/ring.c shm/tape.c shm/book.c shm/book_bbo.c shm/book_ladder.c shm/book_depth.c shm/book_depth_read.c shm/book_far.c shm/err.c"
flags="-std=gnu17 -D_GNU_SOURCE -O2 -g -I. -pthread"
caught=0
total=0
failed=0

# build NAME CC PROGRAM MUTANT [FLAG]
build() {
  if [ "$3" = client ]; then
    # shellcheck disable=SC2086 # flags are a list
    "$2" $flags ${5:-} -DMD_MUTANT="$4" -DMD_VERSION='"mutant"' -Wl,--wrap=mmap -Wl,--wrap=munmap tests/stress/stress_client.c \
      shm/*.c shm/client/*.c -lm -o "$work/$1" || { echo "mutants: $2 cannot build mutant $4 of $3" >&2; exit 1; }
    return
  fi
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
  plain=missed
  tsan=missed
  # On a busy machine the threads may never meet at the wrong instant: up to four runs each.
  [ "$4" = order ] || build plain "$1" "$2" "$3"
  for _ in 1 2 3 4; do
    [ "$4" != order ] || break # hidden by x86
    run plain "$5" || { plain=caught; break; }
  done
  if [ "$4" = order ] || [ $plain = missed ]; then
    build tsan "$1" "$2" "$3" -fsanitize=thread
    for _ in 1 2 3 4; do
      run tsan "$6" || { tsan=caught; break; }
    done
  fi
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
  for mutant in 1 3 4 6 7; do check "$cc" ring $mutant logic 3000000 300000; done
  for mutant in 2 5; do check "$cc" ring $mutant order 100000 300000; done
  for mutant in 11 12 13; do check "$cc" tape $mutant logic 800000 100000; done
  for mutant in 21 22 23 24 25 26 27; do check "$cc" book $mutant logic 1500000 100000; done
  build clean "$cc" client 0
  build clean_tsan "$cc" client 0 -fsanitize=thread
  run clean 9 || { echo "mutants: stress_client fails without a mutant"; cat "$work/out"; failed=1; }
  run clean_tsan 9 || { echo "mutants: stress_client fails under TSan"; cat "$work/out"; failed=1; }
  for mutant in 32 33; do check "$cc" client $mutant logic 9 9; done
  for mutant in 31; do check "$cc" client $mutant order 3 9; done
done
echo "$caught of $total mutants caught"
[ $failed -eq 0 ] && [ $caught -eq $total ]
