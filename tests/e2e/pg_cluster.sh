#!/bin/sh
# A private PostgreSQL cluster in a directory: unix socket only, data and log inside, nothing left behind.
#
#   pg_cluster.sh start DIR [--sync on|off]   make it if need be, start it, print its connection string
#   pg_cluster.sh stop DIR [fast|immediate]   stop it; the data stays
#   pg_cluster.sh restart DIR [fast|immediate]
#   pg_cluster.sh kill DIR                    kill -9 of the postmaster
#   pg_cluster.sh remove DIR                  stop it and delete DIR
#
# PG_OPTIONS holds more options of the server. MD_PG_TEMPLATE may name an empty directory: the first cluster is made
# there, and all are copies of it, which takes a tenth of the time.
# PostgreSQL refuses to run as root, so root hands it to user postgres, or nobody. Exit 3: not installed.
set -eu

fail() {
  echo "pg_cluster.sh: $1" >&2
  exit "${2:-1}"
}

usage() {
  sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

find_bin() {
  for found in ${PG_BIN:-} /usr/lib/postgresql/*/bin; do
    if [ -x "$found/initdb" ] && [ -x "$found/pg_ctl" ]; then
      bin=$found
    fi
  done
  if [ -z "${bin:-}" ]; then
    fail "the server programs are missing: apt-get install postgresql" 3
  fi
}

# as_owner COMMAND...: runs it as the user that owns the cluster.
as_owner() {
  if [ -n "$owner" ]; then
    setpriv --reuid "$owner" --regid "$(id -g "$owner")" --clear-groups env HOME="$dir" "$@"
  else
    "$@"
  fi
}

# is_up: a postmaster that answers, not only its file.
is_up() {
  as_owner "$bin/pg_isready" -q -h "$dir" >/dev/null 2>&1
}

# init_data DATA: a new cluster there; the server's own writes are as safe as --sync says, this one need not be.
init_data() {
  as_owner "$bin/initdb" -D "$1" -U mdengine -A trust -E UTF8 --locale=C.UTF-8 --no-instructions --no-sync \
    >"$dir/initdb.log" 2>&1 || fail "initdb failed: $(tail -n 1 "$dir/initdb.log")"
  if [ -n "$owner" ]; then
    chown "$owner" "$dir/initdb.log"
  fi
}

make_data() {
  template=${MD_PG_TEMPLATE:-}
  if [ ! -d "$template" ]; then
    init_data "$dir/data"
    return
  fi
  if [ -n "$owner" ]; then
    chown "$owner" "$template"
  fi
  ( # whoever comes first makes it, the others wait
    flock 9
    [ -f "$template/made" ] || { init_data "$template/data" && touch "$template/made"; }
  ) 9>"$template/lock"
  as_owner cp -a "$template/data" "$dir/data" || fail "cannot copy $template/data"
}

start() {
  sync=on
  if [ "${3:-}" = --sync ]; then
    sync=${4:-on}
  fi
  mkdir -p "$dir"
  if [ -n "$owner" ]; then
    chown "$owner" "$dir"
  fi
  # A socket path has room for 107 bytes.
  if [ "$(printf %s "$dir/.s.PGSQL.5432" | wc -c)" -gt 100 ]; then
    fail "$dir is too long for a unix socket: choose a shorter directory"
  fi
  [ -f "$dir/data/PG_VERSION" ] || make_data
  as_owner "$bin/pg_ctl" -D "$dir/data" -w -t 60 -s -l "$dir/server.log" \
    -o "-c listen_addresses='' -c unix_socket_directories='$dir' -c fsync=$sync \
-c synchronous_commit=$sync -c max_connections=20 ${PG_OPTIONS:-}" start >/dev/null 2>&1 || is_up ||
    fail "the server did not start: $(tail -n 1 "$dir/server.log" 2>/dev/null)"
  echo "host=$dir dbname=postgres user=mdengine"
}

stop() {
  if [ -f "$dir/data/postmaster.pid" ]; then
    as_owner "$bin/pg_ctl" -D "$dir/data" -w -t 60 -s -m "${1:-fast}" stop >/dev/null 2>&1 || true
  fi
}

kill_postmaster() {
  pid=$(head -n 1 "$dir/data/postmaster.pid") || fail "no server runs in $dir"
  children=$(pgrep -P "$pid" || true)
  kill -9 "$pid"
  # Its children end by themselves, and a new one is refused until they have.
  for child in $children; do
    tries=0
    while [ "$tries" -lt 600 ] && kill -0 "$child" 2>/dev/null; do
      tries=$((tries + 1))
      sleep 0.05
    done
  done
  # Where nobody reaps it, its number would still look taken.
  rm -f "$dir/data/postmaster.pid"
}

[ $# -ge 2 ] || usage
case $2 in
/*) dir=$2 ;;
*) dir=$(pwd)/$2 ;;
esac
find_bin
owner=
if [ "$(id -u)" = 0 ]; then
  owner=nobody
  if id postgres >/dev/null 2>&1; then
    owner=postgres
  fi
fi
case $1 in
start) start "$@" ;;
stop) stop "${3:-fast}" ;;
restart)
  stop "${3:-fast}"
  start start "$dir"
  ;;
kill) kill_postmaster ;;
remove)
  stop fast
  rm -rf "$dir"
  ;;
*) usage ;;
esac
