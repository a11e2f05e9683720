#!/bin/sh
# build.sh [--check]: makes dist/ with npm and the packages of the lock file; --check compares what it makes with
# dist/ byte for byte and leaves it as it is. The work is done in MD_PAGE_WORK, build/page of the tree by default, so that no
# node_modules stands in it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${MD_PAGE_WORK:-$here/../../build/page}
command -v npm >/dev/null 2>&1 || { echo "npm is missing: apt-get install npm" >&2; exit 1; }
mkdir -p "$work"
rm -rf "$work/src" "$work/made"
cp -R "$here/src" "$here/package.json" "$here/package-lock.json" "$here/tsconfig.json" "$here/build.mjs" "$work"
cd "$work"
if ! cmp -s package-lock.json node_modules/.made-from; then
  # No script of a package is run.
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  cp package-lock.json node_modules/.made-from
fi
npm run --silent build -- made
if [ "${1:-}" != --check ]; then
  npm run --silent check # types; what stands in dist/ has passed it
  mkdir -p "$here/dist"
  cp made/*.gz "$here/dist"
  exit 0
fi
for file in made/*.gz; do
  cmp "$file" "$here/dist/$(basename "$file")" || { echo "dist/ is not what src/ makes: run ./dev page" >&2; exit 1; }
done
[ "$(ls made)" = "$(ls "$here/dist")" ] || { echo "dist/ has other files than src/ makes" >&2; exit 1; }
