# A line with md_store_release or md_load_acquire ends in "/* R1: why; pairs with A1 */" (release) or
# "/* A1: why; pairs with R1 */" (acquire). The partner is looked for in the same file, in the header
# or source of the same stem (ring_read.c belongs to ring.h too), and in a file that the comment names:
# "pairs with A1 in shm/ring.h".

function stem(path) {
  sub(/\.[a-z]+$/, "", path)
  return path
}

function check_order(verb,    comment, own, rest, partner, other) {
  if (!match($0, /\/[*\/] *[RA][0-9]+[a-z]*: .*pairs with [RA][0-9]+[a-z]*/)) {
    complain(verb " without \"label: why; pairs with label\" on its line")
    return
  }
  comment = substr($0, RSTART)
  match(comment, /[RA][0-9]+[a-z]*/)
  own = substr(comment, RSTART, RLENGTH)
  match(comment, /pairs with [RA][0-9]+[a-z]*/)
  partner = substr(comment, RSTART + 11, RLENGTH - 11)
  rest = substr(comment, RSTART + RLENGTH)
  if (substr(own, 1, 1) != (verb == "md_store_release" ? "R" : "A"))
    complain(verb " is labelled " own ": releases are R, acquires are A")
  if (substr(own, 1, 1) == substr(partner, 1, 1))
    complain(own " pairs with " partner ": a release pairs with an acquire")
  other = ""
  if (match(rest, /[a-z_]+\/[a-z_\/]+\.[ch]/))
    other = stem(substr(rest, RSTART, RLENGTH))
  here[stem(FILENAME), own] = 1
  n_want++
  want_file[n_want] = FILENAME
  want_line[n_want] = FNR
  want_own[n_want] = own
  want_partner[n_want] = partner
  want_other[n_want] = other
}

# Labels that a header's drawing or list of pairs names count as standing in it.
function note_labels(line,    label) {
  while (match(line, /(^|[^A-Za-z0-9_])[RA][0-9]+[a-z]*/)) {
    label = substr(line, RSTART, RLENGTH)
    sub(/^[^RA]/, "", label)
    here[stem(FILENAME), label] = 1
    line = substr(line, RSTART + RLENGTH)
  }
}

{ code = strip($0) }

FILENAME ~ /\.h$/ && code !~ /md_(store_release|load_acquire)/ { note_labels($0) }

# The layer, and what stands in its place under a model checker.
FILENAME == "shm/atomics.h" || FILENAME ~ /^tests\/model\/model_(atomics\.h|relacy\.cc)$/ { next }

code ~ /md_store_release[ \t]*\(/ { check_order("md_store_release") }
code ~ /md_load_acquire[ \t]*\(/ { check_order("md_load_acquire") }

code ~ /(^|[^A-Za-z0-9_])(memory_order_|__atomic_|__sync_|atomic_[a-z]|_Atomic|ck_pr_)/ ||
/#[ \t]*include[ \t]*<(stdatomic\.h|atomic)>/ {
  complain("atomics outside shm/atomics.h")
}

# Not objects shared between threads: a signal flag, and asm that the optimiser must keep (a spin
# hint, a measurement).
code ~ /(^|[^A-Za-z0-9_])volatile([^A-Za-z0-9_]|$)/ && code !~ /volatile +sig_atomic_t/ &&
!(code ~ /__asm__ +volatile/ && FILENAME ~ /^(bench|shm)\//) {
  complain("volatile does not order anything: use shm/atomics.h")
}

# stands is true when label is in a file of that stem, or of that stem less its last _parts.
function stands(of, label) {
  do {
    if ((of, label) in here)
      return 1
  } while (sub(/_[a-z0-9]+$/, "", of))
  return 0
}

END {
  for (i = 1; i <= n_want; i++) {
    partner = want_partner[i]
    if (stands(stem(want_file[i]), partner))
      continue
    if (want_other[i] != "" && (want_other[i], partner) in here)
      continue
    printf "%s:%d: %s pairs with %s, which stands nowhere near\n", want_file[i], want_line[i],
           want_own[i], partner
    bad = 1
  }
  exit bad
}
