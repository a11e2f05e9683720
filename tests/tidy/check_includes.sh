#!/bin/sh
# Include direction (shm -> libc, feeds and writers -> shm, engine -> all) and the few files that
# may see a third-party header.
. "$(dirname "$0")/lib.sh"
# shellcheck disable=SC2046 # names in this tree hold no blanks
run_awk includes.awk $(c_files | grep -v '^shm/client/examples/') # those stand in strangers' programs
