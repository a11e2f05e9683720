#!/usr/bin/env python3
"""The numbered cases of the protocol notes and the defects of what this engine replaces, as one table: what is fed,
which tests prove it, their verdict; then each rule of feeds/rule.h taken out, and which cases notice.

Runs what it tells of. MD_TEST_BIN: the folder of the test programs. MD_VERDICTS: a file of lines "pass NAME" and
"FAIL NAME" of scripts that ran in the same run; scripts that are not in it are run (MDENGINE is needed then).
The last line is "N passed, N failed"; exit 1 when something failed.

usage: cases.py [NUMBER...]      all rows and rules, or the rows of these numbers
"""
import collections, concurrent.futures, os, pathlib, re, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("MD_TEST_BIN", ROOT / "build/release/tests"))
NUMBERED = re.compile(r"(case|defect)_(\d+)_")
SUITES = {  # whose tests a rule is held against
    "spot": "@(binance_spot|sync_binance_spot|feed|cases|defects)",
    "futures": "@(binance_futures|binance_coinm|sync_binance_futures|defects)",
    "okx": "@(okx|okx_spot|okx_fields|defects)",
    "deribit": "@(deribit|sync_deribit|defects)",
    "books": "@(binance_spot|feed|cases|defects|deribit)",
    "trades": "@(binance_spot|binance_futures|binance_coinm|okx_fields)",
    "live": "live",
    "all": "*",
}


def rows():
    for line in open(ROOT / "tests/cases/cases.txt"):
        if line.startswith("#") or not line.strip():
            continue
        part = [p.strip() for p in line.split("|")]
        yield part[0], part[1], part[2], part[3].split() if len(part) > 3 else []


def rules():
    text = open(ROOT / "feeds/rule.h").read()
    return re.findall(r'X\((\w+),\s*"(\w+)",\s*"([^"]*)"\)', text)


def criterion(program, pattern, environ=None):
    """The verdicts of the tests of a program that match: {"suite::test": True, False or the reason of a skip}."""
    with tempfile.NamedTemporaryFile("r", suffix=".tap") as tap:
        command = [str(BIN / program), "--jobs", "1", "--timeout", "60", "--quiet", "--filter", pattern, "--tap=" + tap.name]
        run = subprocess.run(command, cwd=ROOT, env={**os.environ, **(environ or {})}, capture_output=True, text=True)
        lines = tap.read().splitlines()
    found = {}
    for line in lines:
        m = re.match(r"(not ok|ok) - (\S+)\s*(?:# SKIP (.*))?", line)
        if m and m[3] != "test was skipped":
            found[m[2]] = m[3] or m[1] == "ok"
    if not found and not lines:
        print(run.stdout + run.stderr, file=sys.stderr)
    return found


def tests_of(table):
    """Which program has which of the wanted tests."""
    wanted = {name for row in table for name in row[3] if "::" in name}
    programs = collections.defaultdict(set)
    for source in sorted((ROOT / "tests/unit").glob("test_*.c")):
        text = open(source).read()
        both = re.findall(r"^ +Test\((\w+), name\)", text, re.M)  # a test of each of these suites
        tests = re.findall(r"^Test\((\w+),\s*(\w+)", text, re.M)
        tests += [(suite, test) for test in re.findall(r"^BOTH\((\w+)\)", text, re.M) for suite in both]
        for suite, test in tests:
            if NUMBERED.match(test) or suite + "::" + test in wanted:
                programs[source.stem].add(suite + "/" + test)
    return programs


def run_units(table):
    programs = tests_of(table)
    verdicts = {}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = {pool.submit(criterion, p, "@(" + "|".join(sorted(tests)) + ")"): tests for p, tests in programs.items()}
        for job, tests in jobs.items():
            verdicts.update({t.replace("/", "::"): False for t in tests})  # a test that did not run has failed
            verdicts.update(job.result())
    return verdicts


def known_scripts():
    path = os.environ.get("MD_VERDICTS")
    if not path or not os.path.exists(path):
        return {}
    found = {}
    for word, name in re.findall(r"^(pass|FAIL)\s+([^\s:]+)", open(path).read(), re.M):
        found[name] = found.get(name, True) and word == "pass"  # a promise and its control bear one name
    return found


def run_script(name):
    environ = {"MDENGINE": str(BIN.parent / "mdengine"), "MD_TEST_BIN": str(BIN), **os.environ}
    with tempfile.TemporaryFile("w+") as out:
        try:
            status = subprocess.run(["sh", "tests/" + name + ".sh"], cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=out,
                                    stderr=out, timeout=600).returncode
        except subprocess.TimeoutExpired:
            status = 124
        if status:
            out.seek(0)
            print("".join(out.readlines()[-40:]) + f"{name}: exit status {status}", file=sys.stderr)
    return status == 0


def report(table, verdicts, scripts):
    good = bad = 0
    for number, whose, fed, further in table:
        mark = number.replace(" ", "_") + "_"
        proofs = {t: v for t, v in verdicts.items() if t.split("::")[1].startswith(mark) or t in further}
        for name in further:
            if "/" in name:
                if name not in scripts:
                    scripts[name] = run_script(name)
                proofs[name] = scripts[name]
            proofs.setdefault(name, False)
        if whose == "-":
            print(f"{number:<10} {whose:<11} {'none of ours':<14} {fed}")
            continue
        failed = [t for t, v in proofs.items() if v is False]
        passed = [t for t, v in proofs.items() if v is True]
        ok = passed and not failed
        good, bad = good + bool(ok), bad + (not ok)
        verdict = "pass" if ok else "FAIL"
        print(f"{number:<10} {whose:<11} {verdict} {len(passed):>2} of {len(passed) + len(failed):<2}  {fed}")
        for t in failed:
            print(f"           FAIL  {t}")
        if not proofs:
            print("           FAIL  no test bears this number")
    return good, bad


def strays(table, verdicts):
    """Tests whose number has no row."""
    known = {row[0].replace(" ", "_") for row in table}
    lost = [t for t in verdicts if (m := NUMBERED.match(t.split("::")[1])) and f"{m[1]}_{m[2]}" not in known]
    for t in lost:
        print(f"FAIL  {t}: no row of tests/cases/cases.txt")
    return len(lost)


def numbers(failed):
    """Which numbers failed, and in which suites: most of those are named after their venue."""
    found = {(m[1], int(m[2])) for t in failed if (m := NUMBERED.match(t.split("::")[1]))}
    text = " ".join(str(n) if kind == "case" else f"defect {n}" for kind, n in sorted(found))
    suites = sorted({t.split("::")[0] for t in failed})
    return f"{text} in {' '.join(suites)}" if found else ""


def broken(rule):
    name, whose, without = rule
    pattern = f"{SUITES[whose]}/@(case|defect)_*"
    return criterion("cases_broken", pattern, {"MD_BROKEN_RULE": name})


def report_rules():
    control = broken(("NONE", "all", ""))
    wrong = [t for t, v in control.items() if v is False]
    good, bad = 0, 0
    print(f"\nRules, each removed in turn ({len(control)} tests; with all of them in place {len(wrong)} fail):")
    if wrong or len(control) < 50:
        print("FAIL  without a removed rule:", " ".join(wrong) or "too few tests")
        bad += 1
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for rule, found in zip(rules(), pool.map(broken, rules())):
            caught = numbers([t for t, v in found.items() if v is False])
            good, bad = good + bool(caught), bad + (not caught)
            print(f"{rule[0]:<17} {rule[1]:<8} {'noticed by ' + caught if caught else 'FAIL  nobody notices'}  ({rule[2]})")
    return good, bad


def main():
    sys.stdout.reconfigure(line_buffering=True)
    table = list(rows())
    chosen = [r for r in table if not sys.argv[1:] or r[0].split()[1] in sys.argv[1:]]
    verdicts = run_units(table)
    good, bad = report(chosen, verdicts, known_scripts())
    if not sys.argv[1:]:
        bad += strays(table, verdicts)
        more = report_rules()
        good, bad = good + more[0], bad + more[1]
    print(f"{good} passed, {bad} failed")
    return bad > 0


sys.exit(main())
