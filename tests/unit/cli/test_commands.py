#!/usr/bin/env python3
"""The commands of `millrace` that need no cluster, through the program: output and exit code.

    test_commands.py PROGRAM
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "millrace"

GOOD = """apiVersion: millrace.io/v1alpha1
kind: Topology
metadata:
  name: sensor-anomalies
spec:
  sources:
    - name: readings
      type: kafka
      topic: ${TOPIC:sensor-readings}
      format: json
      key: [sensor]
      timestamp: ts
  operators:
    - name: plausible
      type: filter
      from: readings
      where: 'value > -50.0 && ok'
    - name: score
      type: detect.zscore
      from: plausible
      key: [sensor]
      field: value
      threshold: 4.0
  sinks:
    - name: anomalies
      type: kafka
      from: score
      where: anomaly.is_anomaly
      topic: sensor-anomalies
      key: [sensor]
"""


class CommandsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="millrace-cli-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def run_program(self, *words, text="", environment=None):
        """(exit code, standard output, standard error)"""
        result = subprocess.run([PROGRAM, *words], input=text, text=True, capture_output=True,
                                timeout=60, check=False, cwd=self.folder,
                                env={**os.environ, **(environment or {})})
        self.assertNotIn("Sanitizer", result.stderr)
        return result.returncode, result.stdout, result.stderr

    def test_no_command_is_usage(self):
        code, output, errors = self.run_program()
        self.assertEqual((code, output), (2, ""))
        self.assertIn("usage: millrace COMMAND", errors)

    def test_help(self):
        for words in (["help"], ["--help"], ["-h"]):
            code, output, errors = self.run_program(*words)
            self.assertEqual((code, errors), (0, ""))
            for command in ("validate", "plan", "docs", "version"):
                self.assertRegex(output, rf"(?m)^  {command} ")
        for words in (["help", "validate"], ["validate", "--help"], ["validate", "-h", "x"]):
            code, output, errors = self.run_program(*words)
            self.assertEqual((code, errors), (0, ""))
            self.assertIn("usage: millrace validate [FLAG...] FILE...", output)
            self.assertIn("-o, --output FORMAT", output)

    def test_version(self):
        for word in ("version", "--version"):
            code, output, _ = self.run_program(word)
            self.assertEqual(code, 0)
            self.assertRegex(output, r"^millrace \d+\.\d+\.\d+\n$")

    def test_unknown_command(self):
        code, output, errors = self.run_program("vlidate", "x.yaml")
        self.assertEqual((code, output), (2, ""))
        self.assertEqual(errors, "millrace: there is no command 'vlidate'; did you mean "
                                 "'validate'?; `millrace help` lists them\n")
        self.assertEqual(self.run_program("help", "nothing")[0], 2)

    def test_wrong_flag(self):
        code, output, errors = self.run_program("plan", "--outptu", "json", "x")
        self.assertEqual((code, output), (2, ""))
        self.assertIn("there is no flag '--outptu'; did you mean '--output'?", errors)

    def test_missing_file(self):
        for command in ("validate", "plan"):
            code, output, errors = self.run_program(command, "nowhere.yaml")
            self.assertEqual((code, output), (2, ""))
            self.assertEqual(errors, "millrace: cannot open 'nowhere.yaml': No such file or "
                                     "directory\n")
        code, _, errors = self.run_program("validate", self.folder)
        self.assertEqual(code, 2)
        self.assertIn("Is a directory", errors)

    def test_too_large_file(self):
        path = self.write("large.yaml", "# comment\n" * (5 << 20 >> 3))
        code, _, errors = self.run_program("validate", path)
        self.assertEqual(code, 2)
        self.assertIn("is larger than the 4194304 bytes", errors)

    def test_valid_file(self):
        path = self.write("good.yaml", GOOD)
        self.assertEqual(self.run_program("validate", path), (0, f"{path}: valid\n", ""))
        self.assertEqual(self.run_program("validate", "-", text=GOOD),
                         (0, "standard input: valid\n", ""))

    def test_findings_name_their_place(self):
        text = GOOD.replace("type: detect.zscore", "type: detect.zscroe")
        text = text.replace("from: readings", "from: reading")
        path = self.write("bad.yaml", text)
        code, output, errors = self.run_program("validate", path)
        self.assertEqual(code, 1)
        self.assertRegex(output, r"bad.yaml: 2 errors, \d+ warnings?\n$")
        lines = [line for line in errors.split("\n") if ": error: " in line]
        self.assertEqual(len(lines), 2, errors)
        self.assertRegex(lines[0], rf"^{path}:16:\d+: error: .*reading")
        self.assertRegex(lines[1], rf"^{path}:19:\d+: error: .*detect.zscroe.*detect.zscore")

    def test_many_files_take_the_worst_code(self):
        good = self.write("good.yaml", GOOD)
        bad = self.write("bad.yaml", "kind: Nothing\n")
        self.assertEqual(self.run_program("validate", good, bad)[0], 1)
        self.assertEqual(self.run_program("validate", bad, good)[0], 1)
        self.assertEqual(self.run_program("validate", bad, "nowhere.yaml", good)[0], 2)

    def test_findings_as_json(self):
        good = self.write("good.yaml", GOOD)
        bad = self.write("bad.yaml", "kind: \"No\\u001bthing\"\n")
        code, output, errors = self.run_program("validate", "-o", "json", good, bad)
        self.assertEqual((code, errors), (1, ""))
        first, second = [json.loads(line) for line in output.strip().split("\n")]
        self.assertEqual((first["file"], first["valid"], first["findings"]), (good, True, []))
        self.assertFalse(second["valid"])
        self.assertTrue(all(finding["message"] for finding in second["findings"]))
        self.assertIn("error", [finding["severity"] for finding in second["findings"]])

    def test_control_characters_do_not_reach_the_terminal(self):
        path = self.write("bad.yaml", "kind: \"No\\u001bthing\"\n")
        _, output, errors = self.run_program("validate", path)
        self.assertNotIn("\x1b", output + errors)

    def test_environment_fills_names(self):
        path = self.write("good.yaml", GOOD.replace("${TOPIC:sensor-readings}", "${TOPIC}"))
        self.assertEqual(self.run_program("validate", path, environment={"TOPIC": "other"})[0], 0)
        code, _, errors = self.run_program("validate", path)
        self.assertEqual(code, 1)
        self.assertIn("TOPIC", errors)

    def test_plan_as_text(self):
        path = self.write("good.yaml", GOOD)
        code, output, errors = self.run_program("plan", path)
        self.assertEqual((code, errors), (0, ""))
        for name in ("sensor-anomalies", "readings", "score", "anomalies"):
            self.assertIn(name, output)

    def test_plan_as_json(self):
        path = self.write("good.yaml", GOOD)
        code, output, _ = self.run_program("plan", "-o", "json", path)
        self.assertEqual(code, 0)
        plan = json.loads(output)
        self.assertEqual(plan["name"], "sensor-anomalies")
        self.assertRegex(plan["hash"], "^[0-9a-f]{16}$")
        nodes = {node["name"]: node for node in plan["nodes"]}
        self.assertEqual(set(nodes), {"readings", "plausible", "score", "anomalies"})
        self.assertEqual(nodes["score"]["key"], ["sensor"])
        self.assertEqual(nodes["score"]["inputs"][0]["from"], "plausible")
        self.assertIsNone(nodes["score"]["inputs"][0]["repartition"])
        self.assertEqual(plan["repartitions"], [])
        self.assertTrue(plan["subtopologies"][0]["stateful"])

    def test_plan_shows_a_repartition(self):
        text = GOOD.replace("key: [sensor]\n      timestamp", "key: [room]\n      timestamp")
        path = self.write("repartition.yaml", text)
        plan = json.loads(self.run_program("plan", "-o", "json", path)[1])
        self.assertEqual(len(plan["repartitions"]), 1)
        self.assertEqual(plan["repartitions"][0]["consumer"], "score")
        self.assertEqual(plan["repartitions"][0]["key"], ["sensor"])
        self.assertEqual(len(plan["subtopologies"]), 2)
        other = json.loads(self.run_program("plan", "-o", "json", self.write("g", GOOD))[1])
        self.assertNotEqual(plan["hash"], other["hash"])

    def test_plan_of_a_wrong_file(self):
        path = self.write("bad.yaml", "kind: Nothing\n")
        code, output, errors = self.run_program("plan", path)
        self.assertEqual((code, output), (1, ""))
        self.assertIn("bad.yaml:1:", errors)

    def test_docs(self):
        code, output, errors = self.run_program("docs")
        self.assertEqual((code, errors), (0, ""))
        for name in ("detect.zscore", "filter", "kafka"):
            self.assertIn(name, output)
        code, output, errors = self.run_program("docs", "detect.zscore")
        self.assertEqual((code, errors), (0, ""))
        self.assertIn("threshold", output)
        code, output, errors = self.run_program("docs", "detect.zscroe")
        self.assertEqual((code, output), (2, ""))
        self.assertIn("did you mean 'detect.zscore'?", errors)

    def read_all(self, folder):
        texts = {}
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                texts[name] = file.read()
        return texts

    def test_docs_of_all(self):
        folder = os.path.join(self.folder, "reference")
        code, _, errors = self.run_program("docs", "--all", folder)
        self.assertEqual((code, errors), (0, ""))
        names = os.listdir(folder)
        self.assertIn("README.md", names)
        self.assertTrue(any("zscore" in name for name in names), names)
        before = self.read_all(folder)
        self.assertEqual(self.run_program("docs", "--all", folder)[0], 0)
        self.assertEqual(self.read_all(folder), before)
        code, _, errors = self.run_program("docs", "--all", "/proc/nowhere/x")
        self.assertEqual(code, 2)
        self.assertIn("/proc/nowhere", errors)

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            result = subprocess.run([PROGRAM, "help"], stdout=full, stderr=subprocess.PIPE,
                                    text=True, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("standard output could not be written", result.stderr)


if __name__ == "__main__":
    unittest.main()
