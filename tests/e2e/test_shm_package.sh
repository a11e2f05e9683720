#!/bin/sh
# The installed reader library is what a stranger can build on: its header compiles alone as strict C99 and C++11, the
# shared library has its soname and exports what the header declares and nothing else, the static one shows the same
# names, pkg-config and CMake find both, and Python loads it.
. "$(dirname "$0")/lib.sh"
: "${MD_TEST_BIN:?where the helper programs are}"

EXAMPLES=$E2E/../../shm/client/examples
PREFIX=$WORK/prefix
cmake --install "$MD_TEST_BIN/.." --prefix "$PREFIX" --component mdshm >"$WORK/install.log" || fail "cmake --install"
LIB=$(dirname "$(find "$PREFIX" -name libmdshm.a)")
PKG_CONFIG_PATH=$LIB/pkgconfig
export PKG_CONFIG_PATH

# --- the header alone
STRICT="-Wall -Wextra -Werror -pedantic -fsyntax-only"
# shellcheck disable=SC2086 # options
{
  gcc -std=c99 $STRICT -x c "$PREFIX/include/mdshm.h" || fail "the header is no C99"
  g++ -std=c++11 $STRICT -x c++ "$PREFIX/include/mdshm.h" || fail "the header is no C++11"
  clang-14 -std=c99 $STRICT -x c "$PREFIX/include/mdshm.h" || fail "the header is no C99 for clang"
}
! grep -q '_Atomic\|stdatomic\|#include "' "$PREFIX/include/mdshm.h" || fail "the header shows the inside"

# --- names
gcc -E -P "$PREFIX/include/mdshm.h" | tr '\n' ' ' | grep -o 'mdshm_[a-z0-9_]*(' | tr -d '(' | sort -u >"$WORK/declared"
nm -D --defined-only "$LIB/libmdshm.so" | awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }' | sort -u >"$WORK/exported"
diff "$WORK/declared" "$WORK/exported" || fail "the shared library does not export what the header declares"
nm -D --defined-only "$LIB/libmdshm.so" | awk '$2 == "T" && $3 !~ /@@MDSHM_1/ { exit 1 }' || fail "a name without version"
nm --defined-only --extern-only "$LIB/libmdshm.a" | awk 'NF == 3 { print $3 }' | sort -u >"$WORK/archived"
diff "$WORK/declared" "$WORK/archived" || fail "the static library shows other names"
readelf -d "$LIB/libmdshm.so" | grep -q 'SONAME.*\[libmdshm.so.1\]' || fail "no soname"
readelf -d "$LIB/libmdshm.so" | awk '/NEEDED/ && !/libc\.so\.6|ld-linux/ { print; exit 1 }' || fail "it needs more than libc"
echo "$(wc -l <"$WORK/declared") functions declared, exported and archived, nothing else"

# --- found by pkg-config and by CMake
# shellcheck disable=SC2046 # flags
{
  gcc -std=c99 -Wall -Wextra -Werror "$EXAMPLES/reader.c" $(pkg-config --cflags --libs mdshm) -o "$WORK/shared"
  gcc -std=c99 -Wall -Wextra -Werror $(pkg-config --cflags mdshm) "$EXAMPLES/reader.c" -Wl,-Bstatic -lmdshm -Wl,-Bdynamic \
    $(pkg-config --static --libs mdshm | sed 's/-lmdshm//') -o "$WORK/static"
}
readelf -d "$WORK/shared" | grep -q 'NEEDED.*libmdshm.so.1' || fail "not linked with the shared library"
! readelf -d "$WORK/static" | grep -q 'NEEDED.*mdshm' || fail "not linked with the static library"
cmake -S "$E2E/package" -B "$WORK/stranger" -DCMAKE_PREFIX_PATH="$PREFIX" -DEXAMPLES="$(realpath "$EXAMPLES")" -G Ninja \
  >"$WORK/stranger.log" 2>&1 || { cat "$WORK/stranger.log"; fail "find_package(mdshm)"; }
cmake --build "$WORK/stranger" >>"$WORK/stranger.log" 2>&1 || { cat "$WORK/stranger.log"; fail "the CMake package"; }
for program in "$WORK/stranger/reader_mdshm" "$WORK/stranger/reader_static" "$WORK/static"; do
  "$program" -d "$SHM" nobody x y 2>"$WORK/err" && fail "$program found an engine"
  grep -q 'no engine "nobody"' "$WORK/err" || fail "$program: $(cat "$WORK/err")"
done
PYTHONPATH=$PREFIX/lib/python3/dist-packages MDSHM_LIBRARY=$LIB/libmdshm.so.1 python3 -c '
import mdshm
try:
    mdshm.open("nobody", dir="'"$SHM"'")
except mdshm.Error as e:
    assert e.result == mdshm.ABSENT, e
' || fail "the Python module"
