#!/bin/sh
# promise: no thread of any machine can read a half of anything from shared memory, and every memory order in it is needed
# shm_models.sh [long|control]: the real sources of shm/ under Relacy (tests/model). control: each acquire and release made
# relaxed in turn; a model must fail each time.
set -eu
count=20000
case ${1:-run} in
  control) exec "$MD_TEST_BIN/shm_model" mutants 100000 ;;
  long) count=1000000 ;;
esac
models=0
for model in $("$MD_TEST_BIN/shm_model" list); do
  "$MD_TEST_BIN/shm_model" run "$model" $count
  models=$((models + 1))
done
echo "$models models, $count random executions each: all hold"
