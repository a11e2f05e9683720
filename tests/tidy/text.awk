BEGIN {
  # Written in two halves, so that this file does not find itself.
  open_end = "(^|[^A-Za-z0-9_])(TO" "DO|FIX" "ME|XX" "X|HA" "CK)([^A-Za-z0-9_]|$)"
  machine = "(^|[^A-Za-z0-9_.$}])/(wo" "rk|ro" "ot|ho" "me/[a-z]+)/"
}

/\r$/ { complain("carriage return") }
/[ \t]$/ { complain("trailing blank") }
$0 ~ open_end { complain("open end: do it, or file an issue") }
$0 ~ machine { complain("a path of one machine") }
/\t/ && FILENAME ~ /\.(c|h|cc)$/ { complain("tab: indent with two blanks") }

END { exit bad }
