#!/bin/sh
# Every metric that an alert, a dashboard or a scrape names is exported.
. "$(dirname "$0")/lib.sh"
[ -d monitoring ] || exit 0
status=0
exported=$(mktemp) || exit 1
trap 'rm -f "$exported"' EXIT
cat shm/metric_table.h monitoring/*.c monitoring/*.h 2>/dev/null | grep -o 'mdengine_[a-z0-9_]*' | sort -u >"$exported"
for file in $(find monitoring docker -name '*.yml' -o -name '*.yaml' -o -name '*.json' | LC_ALL=C sort); do
  # What a rule records is a metric of its own; a file may hold the compose volume mdengine_data.
  recorded=$(sed -n 's/.*record: *\(mdengine_[a-z0-9_]*\).*/\1/p' "$file")
  for name in $(grep -o 'mdengine_[a-z0-9_]*' "$file" | sort -u); do
    base=${name%_bucket} base=${base%_sum} base=${base%_count}
    grep -qxF -e "$name" -e "$base" "$exported" && continue
    case " $recorded " in *"$name"*) continue ;; esac
    echo "$file:$(grep -n -m 1 -F "$name" "$file" | cut -d: -f1): $name is exported by nobody"
    status=1
  done
done
exit $status
