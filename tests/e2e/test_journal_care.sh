#!/bin/sh
# The running engine compresses and indexes full segments; the journal replays to the same books; a
# damaged packed segment is told exactly, repaired, and reads from end to end. A damaged MANIFEST is made again.
. "$(dirname "$0")/lib.sh"

JOURNAL="segment: 2MiB
  block: 256KiB
  compress: zstd
  compress_after: 0s
  background_rate: 0B"
config "    recording: $FIXTURES/demo.wscap.zst
    speed: 30
    on_end: exit"
"$MDENGINE" run -c "$WORK/engine.yaml" 2>"$WORK/engine.log" || fail "the engine failed"
"$MDENGINE" replay "$WORK/journal" --json >"$WORK/before.json" || fail "the journal does not replay"
"$MDENGINE" journal compact "$WORK/journal" || fail "what the engine left plain cannot be packed"
"$MDENGINE" journal verify "$WORK/journal" --json >"$WORK/verify.json" || fail "holes: $(cat "$WORK/verify.json")"
grep -q '"packed":0,' "$WORK/verify.json" && fail "nothing was packed: $(cat "$WORK/verify.json")"
"$MDENGINE" replay "$WORK/journal" --json >"$WORK/after.json" || fail "the packed journal does not replay"
cmp "$WORK/before.json" "$WORK/after.json" || fail "packing changed what a replay gives"

# Records from a time on are the end of all records.
"$MDENGINE" journal cat "$WORK/journal" --type trade >"$WORK/all.txt"
t=$(sed -n '$p' "$WORK/all.txt" | sed 's/.*"ts_pub_ns":\([0-9]*\).*/\1/')
"$MDENGINE" journal cat "$WORK/journal" --type trade --from "$t" >"$WORK/late.txt"
[ -s "$WORK/late.txt" ] || fail "nothing from $t on"
tail -n "$(wc -l <"$WORK/late.txt")" "$WORK/all.txt" | cmp - "$WORK/late.txt" || fail "--from $t gives other records"

printf 'damage' | dd of="$WORK/journal/seg-0000000002.mdj" bs=1 seek=6000 conv=notrunc 2>/dev/null
"$MDENGINE" journal verify "$WORK/journal" >"$WORK/damaged.txt" 2>/dev/null && fail "damage is not told"
missing=$(sed -n 's/^missing: .*(\([0-9]*\) records).*/\1/p' "$WORK/damaged.txt" | awk '{n += $1} END {print n + 0}')
[ "$missing" -gt 0 ] || fail "what is missing is not told: $(cat "$WORK/damaged.txt")"
"$MDENGINE" journal repair "$WORK/journal" --json >"$WORK/repair.json" || fail "repair failed"
grep -q "\"declared_lost\":$missing," "$WORK/repair.json" || fail "not $missing lost: $(cat "$WORK/repair.json")"
[ -f "$WORK/journal/seg-0000000002.mdj.damaged" ] || fail "the damaged file is not kept"
"$MDENGINE" journal verify "$WORK/journal" || fail "the repaired journal does not verify"
"$MDENGINE" journal repair "$WORK/journal" | grep -q '^nothing to repair$' || fail "a second repair found something"

# --- the MANIFEST: a line that is damaged, then all of it gone; the replay ends in the same ---
"$MDENGINE" replay "$WORK/journal" --json >"$WORK/before.json" || fail "the repaired journal does not replay"
sed -i '/^instrument 2 /s/USDT/usdt/' "$WORK/journal/MANIFEST"
if "$MDENGINE" journal verify "$WORK/journal" >/dev/null 2>"$WORK/err"; then fail "a damaged MANIFEST is taken"; fi
grep -q 'journal repair' "$WORK/err" || fail "no word of repair: $(cat "$WORK/err")"
"$MDENGINE" journal repair "$WORK/journal" >"$WORK/repair" || fail "the MANIFEST cannot be made again"
grep -q 'MANIFEST was made again: [1-9][0-9]* lines kept, 1 damaged' "$WORK/repair" || fail "$(cat "$WORK/repair")"
[ -f "$WORK/journal/MANIFEST.damaged" ] || fail "the damaged MANIFEST is not kept"
"$MDENGINE" replay "$WORK/journal" --json >"$WORK/after.json" || fail "no replay after the repair"
cmp "$WORK/before.json" "$WORK/after.json" || fail "a repaired MANIFEST changed what a replay gives"
"$MDENGINE" journal repair "$WORK/journal" | grep -q '^nothing to repair$' || fail "a second repair found something"
rm "$WORK/journal/MANIFEST"
"$MDENGINE" journal repair "$WORK/journal" >"$WORK/repair" || fail "no MANIFEST from the segments alone"
grep -q ' 0 lines kept, .* 2 streams without a name' "$WORK/repair" || fail "$(cat "$WORK/repair")"
"$MDENGINE" journal verify "$WORK/journal" >/dev/null || fail "the journal does not verify under its new MANIFEST"
# The engine goes on with it.
"$MDENGINE" run -c "$WORK/engine.yaml" 2>"$WORK/engine.log" || fail "the engine refuses the new MANIFEST"
"$MDENGINE" journal verify "$WORK/journal" >/dev/null || fail "the journal does not verify after another epoch"
