FILENAME == table && /^[ \t]*#[ \t]*define[ \t]+MD_CONFIG_[A-Z]+\(/ {
  section = tolower($0)
  sub(/^.*md_config_/, "", section)
  sub(/\(.*$/, "", section)
  if (section == "feed")
    section = "feeds.FEED"
}

FILENAME == table && /^[ \t]*X[A-Z_]*\(/ {
  name = $0
  if (row != "quoted") {
    sub(/^[ \t]*X[A-Z_]*\([ \t]*/, "", name)
    sub(/[ \t]*,.*$/, "", name)
    name = (row == "error" ? "MD_ERR_" : section ".") name
  } else {
    sub(/^[^"]*"/, "", name)
    sub(/".*$/, "", name)
  }
  names[++n] = name
  line[n] = FNR
  next
}

FILENAME != table {
  for (i = 1; i <= n; i++)
    if (!(i in seen) && word($0, names[i]))
      seen[i] = 1
}

END {
  if (n == 0) {
    printf "%s:1: no rows X(...) found\n", table
    exit 1
  }
  for (i = 1; i <= n; i++)
    if (!(i in seen)) {
      printf "%s:%d: %s %s is not documented in: %s\n", table, line[i], what, names[i], where
      bad = 1
    }
  exit bad
}
