#!/usr/bin/env python3
"""`millrace test` through the program: golden reports, JSON, JUnit, exit codes, all examples.

    test_topology_test.py PROGRAM REPOSITORY

MILLRACE_UPDATE_GOLDEN=1 writes tests/golden/topology_test/*.expected anew: read the difference.
"""

import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

REPOSITORY = os.path.abspath(sys.argv.pop(2)) if len(sys.argv) > 2 else "."
PROGRAM = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "millrace"
GOLDEN = os.path.join(REPOSITORY, "tests", "golden", "topology_test")


def run(*arguments, folder=GOLDEN, text=None):
    result = subprocess.run([PROGRAM, "test", *arguments], cwd=folder, input=text,
                            capture_output=True, text=True, timeout=100, check=False)
    return result.returncode, result.stdout, result.stderr


def without_times(text):
    """Durations and ids of alerts differ from run to run."""
    text = re.sub(r"\(\d+ ms\)", "(N ms)", text)
    return re.sub(r'"id":"[0-9a-f]{16}"', '"id":"ID"', text)


def is_topology(path):
    with open(path, encoding="utf-8") as file:
        return "kind: Topology" in file.read()


class TopologyTestTest(unittest.TestCase):
    maxDiff = None

    def check_golden(self, name, code):
        found, output, errors = run(f"{name}.yaml")
        self.assertEqual(found, code, output + errors)
        report = without_times(output + errors)
        path = os.path.join(GOLDEN, f"{name}.expected")
        if os.environ.get("MILLRACE_UPDATE_GOLDEN"):
            with open(path, "w", encoding="utf-8") as file:
                file.write(report)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(report, file.read())

    def test_what_is_as_expected_passes(self):
        self.check_golden("passes", 0)

    def test_records_are_judged_by_event_time(self):
        self.check_golden("order", 0)

    def test_differences_are_told(self):
        self.check_golden("fails", 1)

    def test_a_faulty_file_is_not_tested(self):
        self.check_golden("faulty", 1)

    def test_what_stops_a_topology_fails_its_test(self):
        self.check_golden("stops", 1)

    def test_time_moves_as_the_test_says(self):
        self.check_golden("time", 0)

    def test_sources_speak_in_the_order_that_the_test_says(self):
        self.check_golden("join", 0)

    def test_keys_of_states(self):
        self.check_golden("keys", 0)

    def test_tables_are_given_before_streams(self):
        self.check_golden("table", 0)

    def test_a_lookup_is_given_a_file_or_records(self):
        self.check_golden("lookup", 1)

    def test_a_lookup_in_a_topic_changes_as_it_goes(self):
        self.check_golden("lookup_topic", 0)

    def test_runs_are_the_same(self):
        first = without_times(run("fails.yaml")[1])
        for _ in range(3):
            self.assertEqual(without_times(run("fails.yaml")[1]), first)

    def test_filter_and_exit_codes(self):
        code, output, _ = run("--filter", "spike", "passes.yaml", "fails.yaml")
        self.assertEqual(code, 0)
        self.assertIn("a spike is found", output)
        self.assertIn("fails.yaml: no test of this name", output)
        self.assertIn("1 test, 0 failed", output)
        code, _, errors = run("--filter", "nothing like it", "passes.yaml")
        self.assertEqual(code, 2)
        self.assertIn("no test's name contains 'nothing like it'", errors)
        self.assertEqual(run("missing.yaml")[0], 2)
        self.assertEqual(run()[0], 2)

    def test_standard_input(self):
        with open(os.path.join(GOLDEN, "passes.yaml"), encoding="utf-8") as file:
            code, output, _ = run("-", text=file.read())
        self.assertEqual(code, 0)
        self.assertIn("standard input", output)

    def test_json(self):
        code, output, _ = run("-o", "json", "passes.yaml", "fails.yaml", "faulty.yaml")
        self.assertEqual(code, 1)
        passes, fails, faulty = [json.loads(line) for line in output.splitlines()]
        self.assertEqual((passes["passed"], passes["failed"]), (5, 0))
        self.assertEqual((fails["passed"], fails["failed"]), (0, 5))
        self.assertTrue(all(test["milliseconds"] > 0 for test in passes["tests"]))
        self.assertEqual(passes["tests"][0]["name"], "a spike is found")
        failure = fails["tests"][0]["failures"][1]
        self.assertEqual(failure["message"], "out: no record is as expected")
        self.assertEqual(json.loads(failure["expected"])["value"], 901)
        self.assertEqual(failure["differences"][0],
                         {"path": "value", "expected": "901", "actual": "900"})
        self.assertEqual(faulty["tests"], [])
        self.assertEqual(faulty["errors"][0]["line"], 9)

    def test_junit(self):
        with tempfile.TemporaryDirectory(prefix="millrace-test-") as folder:
            path = os.path.join(folder, "junit.xml")
            code, _, _ = run("--junit", path, "passes.yaml", "fails.yaml", "faulty.yaml")
            self.assertEqual(code, 1)
            root = xml.etree.ElementTree.parse(path).getroot()
            code, _, errors = run("--junit", os.path.join(folder, "no", "x.xml"), "passes.yaml")
            self.assertEqual(code, 2)
            self.assertIn("cannot write", errors)
        suites = root.findall("testsuite")
        self.assertEqual([suite.get("name") for suite in suites],
                         ["passes.yaml", "fails.yaml", "faulty.yaml"])
        self.assertEqual([suite.get("failures") for suite in suites], ["0", "5", "0"])
        self.assertEqual([suite.get("errors") for suite in suites], ["0", "0", "1"])
        case = suites[1].find("testcase")
        self.assertEqual(case.get("name"), "wrong values")
        self.assertEqual(case.get("classname"), "golden")
        self.assertIn("differs: value: expected 901, got 900", case.findall("failure")[1].text)
        self.assertGreater(float(case.get("time")), 0)

    def test_all_examples_pass(self):
        pattern = os.path.join(REPOSITORY, "examples", "**", "*.yaml")
        files = [path for path in sorted(glob.glob(pattern, recursive=True))
                 if is_topology(path)]
        self.assertGreater(len(files), 10)
        code, output, errors = run(*files, folder=REPOSITORY)
        self.assertEqual(code, 0, output + errors)
        tests_count = int(re.search(r"(\d+) tests, 0 failed", output).group(1))
        self.assertGreaterEqual(tests_count, 25)

    def test_each_nexmark_query_has_tests(self):
        files = glob.glob(os.path.join(REPOSITORY, "examples", "nexmark", "q*.yaml"))
        self.assertGreater(len(files), 20)
        for path in files:
            with open(path, encoding="utf-8") as file:
                self.assertIn("\n  tests:\n", file.read(), path)


if __name__ == "__main__":
    unittest.main()
