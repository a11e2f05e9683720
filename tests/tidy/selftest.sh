#!/bin/sh
# Shows that each check can fail: it is fed a small tree that is clean, then the same tree with one
# fault, and must name that fault.
# shellcheck disable=SC1003,SC2016 # backslashes and backquotes in single quotes are meant
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
failed=0
count=0

# clean_tree lays out a tree that every check accepts.
clean_tree() {
  rm -rf "$dir/tree"
  mkdir -p "$dir/tree/shm" "$dir/tree/feeds" "$dir/tree/writers" "$dir/tree/engine" \
    "$dir/tree/bench" "$dir/tree/tests/unit" || exit 2
  cd "$dir/tree" || exit 2
  cp "$here/../../.clang-format" .
  printf '%s\n' '#define MD_ERR_TABLE(X) \' '  X(FULL, -1, "no room")' >shm/err_table.h
  printf '%s\n' '#define MD_COUNTER_TABLE(X) \' \
    '  X(FRAMES, counter, "mdengine_frames_total", "frames")' >shm/metric_table.h
  printf '%s\n' '#define MD_CONFIG_ENGINE(X) \' '  X(name, TEXT, "mdengine", "its name")' \
    '#define MD_CONFIG_FEED(X) \' '  X(depth, DEPTH, "full", "levels")' >engine/config_table.h
  printf '%s\n' 'MD_ERR_FULL means no room, mdengine_frames_total counts.' >shm/README.md
  printf '%s\n' '| `engine.name` | its name |' '| `feeds.FEED.depth` | levels |' >engine/README.md
  cat >shm/ring.c <<'END'
#include <string.h>

#include "shm/ring.h"

/* strcpy( and TSO "volatile" in a comment are fine. */
void
md_ring_publish(md_ring_t *r) {
  const char *text = "memory_order_relaxed, gets(";
  md_store_release(&r->head, 1);   /* R1: publishes; pairs with A1 */
  (void)md_load_acquire(&r->head); /* A1: sees it; pairs with R1 */
  (void)text;
}
END
  printf '%s\n' '#include "shm/ring.h"' >feeds/feed.c
  printf '%s\n' '#include <libpq-fe.h>' >writers/postgres.c
  printf '%s\n' 'int md_main;' >engine/main.c
  printf '%s\n' 'int x = cfg->engine.name[0] + feed_cfg->depth;' >engine/engine.c
  mkdir -p monitoring docker
  printf '%s\n' 'expr: rate(mdengine_frames_total[1m])' >monitoring/rules.yml
  printf '%s\n' 'services:' '  engine:' '    image: x' '    restart: unless-stopped' >docker/compose.yaml
}

# expect_clean CHECK: the clean tree passes.
expect_clean() {
  count=$((count + 1))
  clean_tree
  if ! out=$("$here/$1.sh" "$dir/tree"); then
    echo "$1: complains about a clean tree:"
    echo "$out"
    failed=$((failed + 1))
  fi
}

# expect CHECK FILE TEXT FINDING: with TEXT appended to FILE the check fails and says FINDING at FILE.
expect() {
  count=$((count + 1))
  clean_tree
  mkdir -p "$(dirname "$2")"
  printf '%b\n' "$3" >>"$2"
  expect_finding "$1" "$2" "$4"
}

expect_finding() {
  if out=$("$here/$1.sh" "$dir/tree"); then
    echo "$1: overlooks in $2: $3"
    failed=$((failed + 1))
  elif ! printf '%s\n' "$out" | grep -qF -- "$3" || ! printf '%s\n' "$out" | grep -qF -- "$2:"; then
    echo "$1: fails on $2, but does not say \"$3\":"
    echo "$out"
    failed=$((failed + 1))
  fi
}

# expect_edit CHECK FILE PATTERN REPLACEMENT AT FINDING: with PATTERN replaced in FILE it says so.
expect_edit() {
  count=$((count + 1))
  clean_tree
  sed "s,$3,$4," "$2" >edited && cat edited >"$2"
  rm -f edited
  expect_finding "$1" "$5" "$6"
}

# lines COUNT TEXT repeats a line.
lines() {
  awk -v n="$1" -v text="$2" 'BEGIN { while (n-- > 0) printf "%s\\n", text }'
}

for check in "$here"/check_*.sh; do
  expect_clean "$(basename "$check" .sh)"
done

expect check_includes feeds/feed.c '#include "writers/journal.h"' 'feeds may not include writers'
expect check_includes writers/journal.c '#include "feeds/feed.h"' 'writers may not include feeds'
expect check_includes shm/book.c '#include "engine/config.h"' 'shm may not include engine'
expect check_includes shm/book.c '#include "book.h"' 'not relative to the root'
expect check_includes shm/book.c '#include <ck_ring.h>' 'may not be included here'
expect check_includes writers/sinks/other.c '#include <libpq-fe.h>' 'stands in writers/postgres.c already'
expect check_includes feeds/json.c '#include <zstd.h>' 'may not be included here'
expect check_includes feeds/recording.h '#include <zstd.h>' 'may not be included here'
expect check_includes engine/main.c '#include <unheard_of.h>' 'may not be included here'
expect check_includes attic/old.c 'int x;' 'no rule'

# ./dev run leaves a journal in the root, which git ignores.
count=$((count + 1))
clean_tree
git init -q . && echo /journal/ >.gitignore && mkdir journal
out=$("$here/check_layout.sh" "$dir/tree") || {
  echo "check_layout: complains about what git ignores: $out"
  failed=$((failed + 1))
}

expect check_format shm/book.c 'int   x ;' 'is not formatted'

expect check_orders feeds/a.c '  md_store_release(&x, 1);' 'without "label'
expect check_orders feeds/a.c '  md_load_acquire(&x); /* A1: why */' 'without "label'
expect check_orders feeds/a.c '  md_load_acquire(&x); /* A7: why; pairs with R7 */' 'nowhere near'
expect check_orders feeds/a.c '  md_load_acquire(&x); /* R1: why; pairs with A1 */' 'labelled R1'
expect check_orders shm/ring.c '  md_load_acquire(&x); /* A1: why; pairs with A1 */' \
  'pairs with an acquire'
expect_edit check_orders shm/ring.c '.*A1: sees it.*' '' shm/ring.c 'nowhere near'
expect check_orders feeds/a.c '  atomic_thread_fence(x);' 'atomics outside'
expect check_orders feeds/a.c '  atomic_load_explicit(&x, memory_order_relaxed);' 'atomics outside'
expect check_orders feeds/a.c '  __atomic_store_n(&x, 1, 0);' 'atomics outside'
expect check_orders feeds/a.c '  __sync_synchronize();' 'atomics outside'
expect check_orders feeds/a.c 'static _Atomic int x;' 'atomics outside'
expect check_orders feeds/a.c 'static volatile int x;' 'volatile'
expect check_orders feeds/a.c '#include <stdatomic.h>' 'atomics outside'

expect check_sizes feeds/long.c "$(lines 801 'int x;')" 'at most 800'
expect check_sizes feeds/f.c "int\\nf(void)\\n{\\n$(lines 69 '  x();')}" 'function of 71 lines'
expect check_sizes feeds/f.c "int\\nf(void) {\\n$(lines 69 '  x();')}" 'function of 71 lines'
expect check_sizes feeds/f.c "int\\nf(int a,\\n  int b)\\n{\\n$(lines 69 '  x();')}" \
  'function of 71 lines'
expect check_sizes feeds/f.c 'int\nf(int a, int b, int c, int d,\n  int e, int g, int h, int i)\n{\n}' \
  'function with 8 parameters'

for call in strcpy strcat sprintf strtok atoi gets alloca; do
  expect check_banned feeds/a.c "  $call(x);" "$call is banned"
done

expect check_banned feeds/a.c '  __builtin_prefetch(x);' 'md_prefetch'

expect check_documented shm/err_table.h '  X(NOSPACE, -2, "no space")' 'MD_ERR_NOSPACE'
expect check_documented shm/err_table.h '  X(FUL, -2, "a prefix of another name")' 'MD_ERR_FUL '
expect check_documented shm/metric_table.h '  X(N, counter, "mdengine_n_total", "n")' \
  'mdengine_n_total'
expect check_documented engine/config_table.h '  X(core, NUMBER, "-1", "core")' 'feeds.FEED.core'
expect_edit check_documented engine/README.md 'engine.name' 'name' engine/config_table.h 'engine.name'
expect_edit check_documented shm/README.md 'MD_ERR_FULL' 'it' shm/err_table.h 'MD_ERR_FULL'
expect_edit check_documented shm/err_table.h 'X(FULL.*' '' shm/err_table.h 'no rows'

expect check_text feeds/a.c 'int x; ' 'trailing blank'
expect check_text feeds/a.c 'int x;\r' 'carriage return'
expect check_text feeds/a.c '\tint x;' 'tab'
for mark in 'TO'""'DO' 'FIX'""'ME' 'XX'""'X' 'HA'""'CK'; do
  expect check_text feeds/a.c "/* $mark: later */" 'open end'
done
expect check_text shm/README.md 'see /ro'""'ot/notes.md' 'a path of one machine'
expect check_text dev 'see /ho'""'me/somebody/notes.md' 'a path of one machine'

expect check_knobs engine/config_table.h '  X(core, NUMBER, "-1", "core")' 'feed.core is read by nobody'
expect_edit check_knobs engine/engine.c '.*' '/* cfg->engine.name; */ int y = feed_cfg->depth;' engine/config_table.h 'engine.name'
expect check_exported monitoring/rules.yml 'expr: mdengine_frame_total' 'mdengine_frame_total is exported by nobody'
expect check_restart docker/compose.yaml '  other:\n    image: y' 'other is not started again'
expect check_restart docker/mdengine.service '[Service]' 'no Restart='
expect check_secrets docker/a.yaml 'password: "hunter2hunter2"' 'a secret with a value'
expect check_secrets docker/a.env 'API_KEY=0123456789abcdef' 'a secret with a value'
expect check_secrets docker/a.pem '-----BEGIN EC PRIVATE KEY-----' 'a private key'
expect check_secrets docker/a.yaml 'url: https://somebody:letmein@host/' 'a URL with a password'
expect check_secrets docker/a.yaml 'host: 43.156.224.10' 'the address of a machine'

expect check_layout notes.txt 'x' 'does not belong'

# expect_count PASSED FAILED LOG: what ctest.awk counts in ctest's log.
expect_count() {
  count=$((count + 1))
  out=$(printf '%b\n' "$3" | awk -v captures="$4" -f "$here/ctest.awk")
  if ! printf '%s\n' "$out" | grep -qx "count $1 $2"; then
    echo "ctest.awk: not $1 passed, $2 failed:"
    echo "$out"
    failed=$((failed + 1))
  fi
}

head='1/1 Testing: test_x\nOutput:\n'
tail='\n<end of output>\nTest time = 0.1 sec\n'
tests='[====] Synthesis: Tested: 3 | Passing: 3 | Failing: 0 | Crashing: 0'
skip='[SKIP] x::y: MD_CAPTURES is not set'
expect_count 3 0 "$head$tests${tail}Test Passed." ''
expect_count 2 1 "${head}[====] Synthesis: Tested: 3 | Passing: 2 | Failing: 1 | Crashing: 1${tail}Test Failed." ''
expect_count 3 1 "$head$tests${tail}Test Failed." ''
expect_count 0 1 "${head}[====] Synthesis: Tested: 0 | Passing: 0 | Failing: 0 | Crashing: 0${tail}Test Passed." ''
expect_count 3 0 "$head$skip\n$tests${tail}Test Passed." ''
expect_count 3 1 "$head$skip\n$tests${tail}Test Passed." /captures
expect_count 3 1 "${head}[SKIP] x::y: no mood\n$tests${tail}Test Passed." ''
expect_count 0 1 "Unable to find executable: x\n$head${tail}Test Passed." ''
expect_count 0 1 "$head${tail}Test Passed." ''
expect_count 1 0 "1/1 Testing: stress_x\nOutput:\n${tail}Test Passed." ''

echo "$count examples, $failed wrong"
[ "$failed" -eq 0 ]
