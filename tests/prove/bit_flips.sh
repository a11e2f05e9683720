#!/bin/sh
# promise: every damage to a stored segment is seen, everything behind it is read again, and the loss is told exactly
# bit_flips.sh [long|control]: see tests/fault/fault_bit_flips.c. control: a reader without checksums.
set -eu
case ${1:-run} in
  control) "$MD_TEST_BIN/fault_bit_flips" control ;;
  long) "$MD_TEST_BIN/fault_bit_flips" 100000 ;;
  *) "$MD_TEST_BIN/fault_bit_flips" ;;
esac
