# strip.awk - code without its comments and string contents, for the other checks.
#
# strip(line) returns the line with comments as spaces and strings empty; it remembers an open
# /* comment from line to line, and forgets it when a new file begins.
function strip(line,    out, c, two, i, n, quote) {
  if (FNR == 1)
    strip_in_comment = 0
  out = ""
  n = length(line)
  quote = ""
  for (i = 1; i <= n; i++) {
    c = substr(line, i, 1)
    two = substr(line, i, 2)
    if (strip_in_comment) {
      if (two == "*/") {
        strip_in_comment = 0
        i++
      }
      continue
    }
    if (quote != "") {
      if (c == "\\")
        i++
      else if (c == quote) {
        quote = ""
        out = out c
      }
      continue
    }
    if (two == "//")
      break
    if (two == "/*") {
      strip_in_comment = 1
      i++
      out = out " "
      continue
    }
    if (c == "\"" || c == "'")
      quote = c
    out = out c
  }
  return out
}

# complain(what) prints one finding at the current line and makes the check fail.
function complain(what) {
  printf "%s:%d: %s\n", FILENAME, FNR, what
  bad = 1
}

# word(line, name) is true when name stands in line with no letter, digit, _ or . + letter around it.
function word(line, name,    at, before, after, rest, base) {
  base = 0
  rest = line
  while ((at = index(rest, name)) > 0) {
    before = (base + at > 1) ? substr(line, base + at - 1, 1) : " "
    after = substr(line, base + at + length(name), 2)
    if (before !~ /[A-Za-z0-9_.]/ && after !~ /^[A-Za-z0-9_]/ && after !~ /^\.[A-Za-z0-9_]/)
      return 1
    base += at
    rest = substr(line, base + 1)
  }
  return 0
}
