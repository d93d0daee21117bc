#!/usr/bin/env python3
"""Sums up test results: script/test's last lines.

Reads the JUnit files of ctest and pytest in a folder. A cmocka program counts with each of its
tests, any other ctest as one. Prints what was skipped with the reason that the test gave, what
failed, and at last `N passed, N failed, N skipped`. Exits with 1 when anything failed or nothing
was run.
"""

import argparse
import glob
import os
import re
import sys
import xml.etree.ElementTree

CMOCKA_TOTAL = re.compile(r"^\[  (PASSED|SKIPPED|FAILED) ?\s*\] (\d+) test\(s\)", re.M)
CMOCKA_SKIPPED = re.compile(r"^\[  SKIPPED \] (\w+)$", re.M)


def cmocka_counts(output):
    """(passed, failed, skipped) of a cmocka program's output, None when it is not one."""
    if not re.search(r"^\[==========\] Running ", output, re.M):
        return None
    counts = {"PASSED": 0, "FAILED": 0, "SKIPPED": 0}
    for kind, count in CMOCKA_TOTAL.findall(output):
        counts[kind] += int(count)
    return counts["PASSED"], counts["FAILED"], counts["SKIPPED"]


def reasons(output):
    """Lines in which a test says why it skips."""
    return [line.strip() for line in output.split("\n")
            if re.search(r"skip", line, re.I) and not line.startswith("[")]


class Summary:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []

    def add_program(self, name, case, output):
        """One test of ctest; several when it is a cmocka program."""
        counts = cmocka_counts(output)
        failed = case.find("failure") is not None or case.get("status") == "fail"
        skipped = case.find("skipped") is not None or case.get("status") in ("notrun", "disabled")
        if skipped and not failed:
            element = case.find("skipped")
            reason = element.get("message", "") if element is not None else ""
            self.skipped.append((name, "; ".join(reasons(output)) or reason or "not run"))
            return
        passed, broken, left_out = counts or (0 if failed else 1, 0, 0)
        self.passed += passed
        self.failed += [name] * max(broken, 1 if failed else 0)
        names = sorted(set(CMOCKA_SKIPPED.findall(output))) if left_out else []
        why = "; ".join(reasons(output)) or "no reason given"
        for index in range(left_out):
            test = names[index] if index < len(names) else "?"
            self.skipped.append((f"{name} {test}", why))

    def add_python(self, name, case):
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            self.failed.append(name)
        elif skipped is not None:
            self.skipped.append((name, skipped.get("message", "no reason given")))
        else:
            self.passed += 1

    def add_file(self, path):
        label = os.path.splitext(os.path.basename(path))[0]
        for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
            name = f"{label}: {case.get('name')}"
            if case.get("classname") == case.get("name"):  # as ctest writes it
                self.add_program(name, case, case.findtext("system-out") or "")
            else:
                self.add_python(name, case)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--broken", action="append", default=[], help="a step without results")
    parser.add_argument("folder")
    arguments = parser.parse_args()
    summary = Summary()
    for path in sorted(glob.glob(os.path.join(arguments.folder, "*.xml"))):
        summary.add_file(path)
    summary.failed += arguments.broken
    for name, reason in summary.skipped:
        print(f"skipped: {name}: {reason}")
    for name in summary.failed:
        print(f"failed: {name}")
    if summary.passed == 0 and not summary.failed:
        summary.failed.append("nothing was run")
        print("failed: nothing was run")
    line = f"{summary.passed} passed, {len(summary.failed)} failed"
    print(line + (f", {len(summary.skipped)} skipped" if summary.skipped else ""))
    return 1 if summary.failed else 0


if __name__ == "__main__":
    sys.exit(main())
