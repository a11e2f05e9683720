# knobs.awk - the sources first, then the table of keys. A key is read where a file that knows its section, by the name
# of the struct or as its member, takes a member of that name.
FILENAME !~ /config_table\.h$/ {
  line = strip($0)
  while (match(line, /md_config_[a-z]+_t|cfg->[a-z]+|feed_cfg/)) {
    owner = substr(line, RSTART, RLENGTH)
    sub(/^(md_config_|cfg->)/, "", owner)
    sub(/_(t|cfg)$/, "", owner)
    knows[FILENAME, owner] = 1
    line = substr(line, RSTART + RLENGTH)
  }
  text[FILENAME] = text[FILENAME] "\n" strip($0) " "
  next
}

/^#define MD_CONFIG_[A-Z]+\(X\)/ {
  section = tolower($2)
  sub(/^md_config_/, "", section)
  sub(/\(x\).*/, "", section)
}

/^ *X\(/ {
  key = $0
  sub(/^ *X\(/, "", key)
  sub(/,.*/, "", key)
  keys++
  found = 0
  for (file in text)
    if (((file, section) in knows) && text[file] ~ "(->|\\.)" key "[^a-zA-Z0-9_(]")
      found = 1
  if (found)
    next
  print FILENAME ":" FNR ": " section "." key " is read by nobody: it does nothing"
  bad = 1
}

END {
  if (!keys) {
    print FILENAME ":1: no rows"
    bad = 1
  }
  exit bad
}
