#!/bin/sh
# Every key of the configuration is read by something beside the code that parses it: no knob without an effect.
. "$(dirname "$0")/lib.sh"
[ -f engine/config_table.h ] || exit 0
# shellcheck disable=SC2046 # names in this tree hold no blanks
LC_ALL=C awk -f "$tidy/strip.awk" -f "$tidy/knobs.awk" \
  $(find engine -name '*.c' ! -name 'config*.c' | LC_ALL=C sort) engine/config_table.h
