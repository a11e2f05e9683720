#!/bin/sh
# The instructions of the hot paths per message: decoding a trade and a depth update, applying and publishing, ring,
# tape, reading books, journal and COPY encoding, counted by callgrind. None may need 3 % more than
# tests/cost/counts.txt says: the same on every machine and every day, where times are not. Paths that are chosen by
# what the processor can do are counted each. A change that means to cost more writes the table anew:
# MD_RENEW=yes ./dev test instruction_counts. Takes about 5 s.
. "$(dirname "$0")/lib.sh"

PROGRAM=$MD_TEST_BIN/instruction_counts
TABLE=$HERE/../cost/counts.txt

valgrind -q --tool=callgrind --instr-atstart=no --compress-strings=no --compress-pos=no \
  --callgrind-out-file="$WORK/counts" "$PROGRAM" >"$WORK/steps" 2>"$WORK/valgrind.log" ||
  fail "instruction_counts under valgrind: $(tail -n 5 "$WORK/valgrind.log")"
[ "$(wc -l <"$WORK/steps")" -ge 15 ] || fail "only these steps were counted: $(cat "$WORK/steps")"

# The counts are those of one compiler; another one's are shown only.
case $(strings -a "$PROGRAM" | grep -m 1 '^GNU C17 \|^GCC: (') in
  *' 12.'*) ;;
  *)
    python3 "$HERE/../cost/counts.py" "$TABLE" "$WORK"/counts.* || true
    echo "not built by gcc 12: shown, not judged"
    exit 0
    ;;
esac
if [ "${MD_RENEW:-no}" = yes ]; then
  python3 "$HERE/../cost/counts.py" --renew "$TABLE" "$WORK"/counts.*
  exit
fi
python3 "$HERE/../cost/counts.py" "$TABLE" "$WORK"/counts.* || fail "see above"
# The gate closes: 4 % more than just now must be noticed.
python3 "$HERE/../cost/counts.py" --renew "$WORK/table" "$WORK"/counts.* >/dev/null
python3 "$HERE/../cost/counts.py" --scale 1.04 "$WORK/table" "$WORK"/counts.* >/dev/null 2>&1 &&
  fail "4 % more instructions were not noticed"
exit 0
