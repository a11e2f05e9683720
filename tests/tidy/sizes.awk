# A function runs from the line of its opening brace in column 1, or at the end of the line of its
# name, to the next closing brace in column 1.

function parameters(text,    i, c, depth, cnt, seen) {
  depth = 0
  cnt = 0
  seen = 0
  for (i = 1; i <= length(text); i++) {
    c = substr(text, i, 1)
    if (c == "(")
      depth++
    else if (c == ")") {
      depth--
      if (depth == 0)
        return seen ? cnt + 1 : 0
    } else if (c == "," && depth == 1)
      cnt++
    if (depth >= 1 && c !~ /[( \t]/)
      seen = 1
  }
  return 0
}

function file_done() {
  if (previous != "" && lines > 800) {
    printf "%s:%d: %d lines; at most 800\n", previous, lines, lines
    bad = 1
  }
}

FNR == 1 {
  file_done()
  previous = FILENAME
  start = 0
  head = ""
}

{ lines = FNR; code = strip($0); sub(/[ \t]+$/, "", code) }

code ~ /^#/ { next }

start == 0 && (code ~ /^\{$/ || code ~ /^[A-Za-z_ ].*\)[ \t]*\{$/) && (head code) ~ /\)[ \t]*\{$/ {
  start = FNR
  cnt = parameters(head code)
  if (cnt > 7)
    complain("function with " cnt " parameters; at most 7")
  head = ""
  next
}

start != 0 && code ~ /^\}/ {
  if (FNR - start + 1 > 70)
    complain("function of " (FNR - start + 1) " lines; at most 70")
  start = 0
  head = ""
  next
}

start == 0 {
  if (code == "" || code ~ /[;}]$/)
    head = ""
  else
    head = head code " "
}

END { file_done(); exit bad }
