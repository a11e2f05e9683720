# ctest.awk - reads ctest's LastTest.log: one line for each program, the output of those that failed,
# and "count PASSED FAILED". A criterion program counts as its single tests, any other one as one. A
# skipped test, and a program without a test, count as failed; without recordings (captures == "")
# a test may be skipped for the reason MD_CAPTURES.

function verdict(ok, why,    good, wrong) {
  good = tested >= 0 ? passing : (ok ? 1 : 0)
  wrong = bad_skips
  if (missing) {
    # ctest writes "Test Passed." even then.
    good = 0
    wrong++
    why = "not built"
  } else if (ok && tested < 0 && name ~ /^test_/) {
    good = 0
    wrong++
    why = "printed no result"
  } else if (!ok)
    wrong += (failing > 0 ? failing : 1)
  else if (tested == 0 && skips == 0) {
    wrong++
    why = "holds no test"
  }
  if (bad_skips > 0)
    why = why " skipped " bad_skips
  passed_cnt += good
  failed_cnt += wrong
  if (wrong > 0) {
    printf "%s", output
    printf "FAIL  %s: %s\n", name, why
  } else {
    printf "pass  %s (%s%s s)\n", name, (tested >= 0 ? good " tests, " : ""), seconds
    printf "%s", skip_lines
  }
}

/^Unable to find executable/ { next_missing = 1; next }

/^[0-9]+\/[0-9]+ Testing: / {
  missing = next_missing
  next_missing = 0
  name = $3
  output = skip_lines = ""
  tested = -1
  passing = failing = skips = bad_skips = 0
  seconds = "?"
  inside = 0
  next
}

/^Output:$/ { inside = 1; next }
/^<end of output>$/ { inside = 0; next }
/^Test time = / { seconds = $4 + 0; next }

inside && !/^-+$/ && !/\[(RUN |PASS)\]/ { output = output "      " $0 "\n" }

inside && /\[SKIP\]/ {
  skips++
  if (captures == "" && /MD_CAPTURES/)
    skip_lines = skip_lines "skip" substr($0, index($0, "]") + 1) "\n"
  else
    bad_skips++
}

inside && /Synthesis: Tested:/ {
  n = split($0, field, /[^0-9]+/)
  # Empty, Tested, Passing, Failing (the crashing ones included), Crashing, empty.
  tested = field[2] + 0
  passing = field[3] + 0
  failing = field[4] + 0
}

/^Test Passed\.$/ { verdict(1, ""); next }
/^Test (Failed|Timeout|Not Run|Skipped)/ && !inside { verdict(0, "failed after " seconds " s"); next }

END { printf "count %d %d\n", passed_cnt, failed_cnt }
