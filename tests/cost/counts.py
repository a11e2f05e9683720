"""Instructions per message, out of the dumps that callgrind made of instruction_counts, beside the table of the tree.

usage: counts.py TABLE DUMP...            compare: exit 1 when a step needs 3 % more than the table says, or has no row
       counts.py --renew TABLE DUMP...    write the table anew
       counts.py --scale F TABLE DUMP...  compare with F times what was counted: 1.04 must be noticed

Only what this program executed itself is added up, not the C library: that one chooses its code by the processor.
"""
import sys

GROWTH = 1.03
TOO_GOOD = 0.97  # worth renewing, so that what was gained is not lost again unnoticed
HEAD = """# Instructions per message of each step, counted by callgrind: gcc 12, preset release, x86-64.
# A change that means to cost more renews it: MD_RENEW=yes ./dev test instruction_counts
"""


def count(path):
    """The step, and its instructions per message within the program (None for the dump at the end)."""
    step = program = None
    inside = is_call = False
    total = 0
    with open(path, encoding="utf-8") as dump:
        for line in dump:
            line = line.strip()
            if line.startswith("cmd:"):
                program = line.split()[1].rsplit("/", 1)[-1]
            elif line.startswith("desc: Trigger: Client Request: "):
                step = line.split(": ", 3)[-1].split()
            elif line.startswith("ob="):
                inside = line.rsplit("/", 1)[-1] == program
            elif line.startswith("calls="):
                is_call = True  # the line behind it holds what the callee cost
            elif line[:1].isdigit():
                if inside and not is_call:
                    total += int(line.split()[1])
                is_call = False
    return (step[0], total / int(step[1])) if step else (None, 0)


def read_table(path):
    try:
        with open(path, encoding="utf-8") as table:
            return {name: float(value) for name, value in (line.split() for line in table if line[0] != "#")}
    except FileNotFoundError:
        return {}


def renew(path, counted):
    kept = {name: value for name, value in read_table(path).items() if name.endswith(".avx2")}
    rows = kept | counted  # counted on a processor without AVX2, those rows stay as they are
    with open(path, "w", encoding="utf-8") as table:
        table.write(HEAD)
        for name in sorted(rows):
            table.write(f"{name:<28} {rows[name]:10.1f}\n")


def main():
    arguments, scale, is_renewal = sys.argv[1:], 1.0, False
    if arguments[0] == "--renew":
        arguments, is_renewal = arguments[1:], True
    elif arguments[0] == "--scale":
        arguments, scale = arguments[2:], float(arguments[1])
    table, *dumps = arguments
    counted = {step: value * scale for step, value in map(count, dumps) if step}
    if not counted:
        sys.exit("callgrind left no counts")
    if is_renewal:
        renew(table, counted)
    known, bad, gained = read_table(table), [], []
    for name in sorted(known | counted):
        now, was = counted.get(name), known.get(name)
        change = (now / was - 1) * 100 if now and was else 0
        print(f"{name:<28} {now or 0:10.1f} {was or 0:10.1f} {change:+7.2f} %")
        if now is None and not name.endswith(".avx2") or was is None or now and now > was * GROWTH:
            bad.append(name)
        elif now and now < was * TOO_GOOD:
            gained.append(name)
    if gained:
        print(f"cheaper than the table says: {', '.join(gained)}; renew it: MD_RENEW=yes ./dev test instruction_counts")
    if bad:
        sys.exit(f"more than 3 % dearer than the table says, or not in both: {', '.join(bad)}; when that is meant, renew it: "
                 "MD_RENEW=yes ./dev test instruction_counts")


main()
