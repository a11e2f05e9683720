# shellcheck shell=sh
# lib.sh - sourced by each check: sets tidy to this folder, enters the tree to look at ($1, by
# default the repository) and lists files. A check prints FILE:LINE: finding and exits 1.
tidy=$(cd "$(dirname "$0")" && pwd)
cd "${1:-$tidy/../..}" || exit 2

# c_files lists every C and C++ file of the tree.
c_files() {
  find . \( -name .git -o -path ./build \) -prune -o -type f \
    \( -name '*.c' -o -name '*.h' -o -name '*.cc' \) -print | sed 's,^\./,,' | LC_ALL=C sort
}

# run_awk SCRIPT FILE... runs an awk check after strip.awk; no file at all is a failure, because
# then the check has looked at nothing.
run_awk() {
  script=$1
  shift
  if [ $# -eq 0 ]; then
    echo "$script: nothing to check"
    exit 1
  fi
  LC_ALL=C awk -f "$tidy/strip.awk" -f "$tidy/$script" "$@"
}
