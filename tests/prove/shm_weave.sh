#!/bin/sh
# promise: wherever a writer or a reader is stopped, what was read is right and no read goes on without end
# shm_weave.sh [long|control]: the real sources of shm/ under a scheduler of two threads (tests/model/weave.c). control: a
# reader that forgets its last look.
set -eu
case ${1:-run} in
  control) "$MD_TEST_BIN/shm_weave" control ;;
  long) "$MD_TEST_BIN/shm_weave" 300000 ;;
  *) "$MD_TEST_BIN/shm_weave" 2000 ;;
esac
