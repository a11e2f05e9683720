#!/bin/sh
# promise: any call on the disk may fail, in any way, once or for good: no record that was published is lost or doubled
# io_calls.sh [long|control]: see tests/fault/fault_io.c. control: a disk that lies about its syncs.
set -eu
case ${1:-run} in
  control) "$MD_TEST_BIN/fault_io" control ;;
  *) "$MD_TEST_BIN/fault_io" ;;
esac
