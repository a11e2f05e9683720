"""check_renewed.py NEW: the lines of `journal cat` on standard input, by the mdengine that wrote the journal, against
NEW, those of today's: every field is what it was, and what came later is absent."""
import json
import sys


def main():
    cnt = added = 0
    with open(sys.argv[1], encoding="utf-8") as new:
        for was, now in zip(map(json.loads, sys.stdin), map(json.loads, new), strict=True):
            later = {key: now.pop(key) for key in list(now) if key not in was}
            if was != now or any(value not in (None, 0, "") for value in later.values()):
                print(f"was {was}\nis {now}, later {later}")
                return 1
            cnt += 1
            added += len(later)
    print(f"{cnt} records as they were, {added} fields that came later absent")
    return 0 if cnt and added else 1


sys.exit(main())
