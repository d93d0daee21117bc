#!/usr/bin/env python3
"""Tests of tools/test_summary.py: counts, reasons of skipped tests, and the last line."""

import os
import subprocess
import sys
import tempfile
import unittest

SUMMARY = os.path.join(os.path.dirname(os.path.realpath(__file__)), "test_summary.py")

CMOCKA = """[==========] Running 4 test(s).
[ RUN      ] test_one
[       OK ] test_one
[ RUN      ] test_two
skipped: no test data in ../shared/data
[  SKIPPED ] test_two
[ RUN      ] test_three
[       OK ] test_three
[ RUN      ] test_four
[  FAILED  ] test_four
[==========] 4 test(s) run.
[  PASSED  ] 2 test(s).
[  SKIPPED ] 1 test(s), listed below:
[  SKIPPED ] test_two
[  FAILED  ] 1 test(s), listed below:
[  FAILED  ] test_four

 1 FAILED TEST(S)
"""


def ctest_case(name, output, status="run", inner=""):
    output = output.replace("<", "&lt;")
    return (f'<testcase name="{name}" classname="{name}" status="{status}">{inner}'
            f"<system-out>{output}</system-out></testcase>")


class SummaryTest(unittest.TestCase):
    def run_summary(self, files, *arguments):
        """(exit code, output lines)"""
        with tempfile.TemporaryDirectory(prefix="millrace-summary-") as folder:
            for name, cases in files.items():
                with open(os.path.join(folder, name + ".xml"), "w", encoding="utf-8") as file:
                    file.write("<testsuite>" + "".join(cases) + "</testsuite>")
            result = subprocess.run([sys.executable, SUMMARY, *arguments, folder], text=True,
                                    capture_output=True, check=False)
        self.assertEqual(result.stderr, "")
        return result.returncode, result.stdout.rstrip("\n").split("\n")

    def test_everything_passed(self):
        code, lines = self.run_summary({"dev": [ctest_case("tidy", "0 findings")]})
        self.assertEqual((code, lines), (0, ["1 passed, 0 failed"]))

    def test_cases_of_cmocka_count(self):
        failure = '<failure message=""/>'
        code, lines = self.run_summary({"dev": [ctest_case("unit", CMOCKA, "fail", failure)]})
        self.assertEqual(code, 1)
        self.assertEqual(lines, [
            "skipped: dev: unit test_two: skipped: no test data in ../shared/data",
            "failed: dev: unit", "2 passed, 1 failed, 1 skipped"])

    def test_a_crash_is_a_failure(self):
        output = "[==========] Running 2 test(s).\n[       OK ] test_one\n"
        code, lines = self.run_summary(
            {"dev": [ctest_case("unit", output, "fail", '<failure message="SEGFAULT"/>')]})
        self.assertEqual((code, lines[-1]), (1, "0 passed, 1 failed"))

    def test_skipped_program(self):
        code, lines = self.run_summary({"dev": [
            ctest_case("kafka", "Skipping: no java", "notrun", '<skipped message="code 77"/>'),
            ctest_case("tidy", "")]})
        self.assertEqual(code, 0)
        self.assertEqual(lines, ["skipped: dev: kafka: Skipping: no java",
                                 "1 passed, 0 failed, 1 skipped"])

    def test_runners_are_summed(self):
        code, lines = self.run_summary({
            "dev": [ctest_case("a", "")], "asan": [ctest_case("a", "")],
            "e2e": ['<testcase name="x" classname="tests.e2e"/>',
                    '<testcase name="y" classname="tests.e2e"><skipped message="no data"/>'
                    "</testcase>",
                    '<testcase name="z" classname="tests.e2e"><error message="e"/></testcase>']})
        self.assertEqual(code, 1)
        self.assertEqual(lines, ["skipped: e2e: y: no data", "failed: e2e: z",
                                 "3 passed, 1 failed, 1 skipped"])

    def test_a_broken_step_is_a_failure(self):
        code, lines = self.run_summary({"dev": [ctest_case("a", "")]}, "--broken=build of asan")
        self.assertEqual((code, lines), (1, ["failed: build of asan", "1 passed, 1 failed"]))

    def test_nothing_is_a_failure(self):
        code, lines = self.run_summary({})
        self.assertEqual((code, lines[-1]), (1, "0 passed, 1 failed"))


if __name__ == "__main__":
    unittest.main()
