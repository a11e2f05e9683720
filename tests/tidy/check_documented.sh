#!/bin/sh
# Every config key, metric and error code is named in the page that documents it.
. "$(dirname "$0")/lib.sh"
status=0

# documented TABLE ROW WHAT PAGE... : the names are, by ROW, the first quoted string of each line X(...)
# of TABLE ("quoted"), or its first argument with MD_ERR_ before it ("error"), or with the section of
# its #define MD_CONFIG_SECTION(X) before it ("config": `journal.dir`, `feeds.FEED.depth`).
documented() {
  table=$1
  row=$2
  what=$3
  shift 3
  pages=
  for page in "$@"; do
    [ -f "$page" ] && pages="$pages $page"
  done
  # shellcheck disable=SC2086 # a list of names without blanks
  LC_ALL=C awk -v row="$row" -v what="$what" -v table="$table" -v where="$*" \
    -f "$tidy/strip.awk" -f "$tidy/documented.awk" "$table" $pages || status=1
}

documented shm/err_table.h error "error code" shm/README.md
documented shm/metric_table.h quoted metric shm/README.md README.md
if [ -f engine/config_table.h ]; then
  documented engine/config_table.h config "config key" engine/README.md README.md
elif [ -f engine/main.c ]; then
  echo "engine/config_table.h:1: missing: config keys have no table"
  status=1
fi
exit $status
