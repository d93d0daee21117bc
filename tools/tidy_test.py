#!/usr/bin/env python3
"""Turns every rule of tools/tidy red once, in a temporary folder; a clean tree must be green.

The words and paths that tidy forbids are put together from pieces, so that this file passes too.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

TIDY = os.path.join(os.path.dirname(os.path.realpath(__file__)), "tidy")

SOURCE = '/* base/good.c — a source file. */\n#include "base/good.h"\n\nint mr_good(void)\n' \
         "{\n    return 0;\n}\n"
HEADER = "/* base/good.h — a header. */\n#ifndef MR_BASE_GOOD_H\n#define MR_BASE_GOOD_H\n\n" \
         "int mr_good(void);\n\n#endif\n"
CLEAN = {
    ".clang-format": "BasedOnStyle: LLVM\nIndentWidth: 4\nColumnLimit: 100\n"
                     "BreakBeforeBraces: Linux\nAllowShortFunctionsOnASingleLine: None\n",
    "base/good.c": SOURCE,
    "base/good.h": HEADER,
    "base/CMakeLists.txt": "# The folder.\nadd_library(base good.c)\n",
    "tests/CMakeLists.txt": "# The tests.\nmr_unit_test(base good)\n",
    "tests/unit/base/test_good.c": "/* A test. */\nint main(void)\n{\n    return 0;\n}\n",
    "script/run": "#!/usr/bin/env bash\n# Runs something.\ntrue\n",
    "README.md": "# Read me\n",
}


def function(body):
    return SOURCE.replace("    return 0;\n", body + "    return 0;\n")


class TidyTest(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="millrace-tidy-")
        self.addCleanup(shutil.rmtree, self.root)
        for path, text in CLEAN.items():
            self.write(path, text)

    def write(self, path, content):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode("utf-8"))

    def run_tidy(self, environment=None):
        result = subprocess.run([sys.executable, TIDY, "--root", self.root], capture_output=True,
                                text=True, check=False, env=environment)
        self.assertEqual(result.stderr, "")
        self.assertIn(result.returncode, (0, 1))
        findings = [line for line in result.stdout.split("\n") if line.count(":") >= 3]
        self.assertEqual(result.returncode, 1 if findings else 0)
        return findings, result.stdout

    def assert_red(self, rule, path, text="", places=None):
        """Exactly the findings expected: path with rule, once, or on the lines of places."""
        findings, _ = self.run_tidy()
        found = [line for line in findings if line.split(":")[2].strip() == rule]
        self.assertEqual(len(found), len(places or [0]), findings)
        for line, place in zip(found, places or [None]):
            self.assertTrue(line.startswith(f"{path}:" + (f"{place}:" if place else "")), line)
            self.assertIn(text, line)

    def test_clean_tree_is_green(self):
        findings, output = self.run_tidy()
        self.assertEqual(findings, [])
        self.assertIn("0 findings", output)

    def test_long_line(self):
        self.write("base/good.c", SOURCE + "/* " + "x" * 98 + " */\n")
        self.assert_red("lines", "base/good.c", "columns", [8])

    def test_wide_letters_count_once(self):
        self.write("base/good.c", SOURCE + "/* " + "ü" * 94 + " */\n")
        self.assertEqual(self.run_tidy()[0], [])

    def test_long_file(self):
        self.write("script/run", "#!/bin/sh\n# Long.\n" + "true\n" * 799)
        self.assert_red("files", "script/run", "801 lines")

    def test_long_function(self):
        self.write("base/good.c", function("    mr_good();\n" * 67))
        self.assert_red("functions", "base/good.c", "mr_good() has 71 lines", [4])
        self.write("base/good.c", function("    mr_good();\n" * 66))
        self.assertEqual(self.run_tidy()[0], [])

    def test_long_python_function(self):
        self.write("tools/long.py", '"""Long."""\n\n\ndef long():\n' + "    pass\n" * 70)
        self.assert_red("functions", "tools/long.py", "long() has 71 lines", [4])

    def test_banned_calls(self):
        names = ["strcpy", "sprintf", "atoi", "strtok", "rand", "gettimeofday", "alloca", "malloc",
                 "calloc", "realloc", "free", "strdup", "rd_kafka_abort_transaction", "time",
                 "clock_gettime"]
        for name in names:
            with self.subTest(name=name):
                self.write("base/good.c", function(f"    {name}(0);\n"))
                self.assert_red("calls", "base/good.c", f"{name}()", [6])

    def test_names_that_only_look_banned(self):
        self.write("base/good.c", function(
            "    store->free(0); /* free(0) */\n    mr_time(0);\n    mr_good(\"free(0)\");\n"))
        self.assertEqual(self.run_tidy()[0], [])

    def test_banned_calls_at_home(self):
        self.write("base/memory.c", SOURCE.replace("return 0", "return malloc(0)"))
        self.write("base/clock.c", SOURCE.replace("return 0", "return time(0)"))
        self.write("base/CMakeLists.txt", "# All.\nadd_library(base good.c memory.c clock.c)\n")
        findings, _ = self.run_tidy()
        self.assertEqual([line for line in findings if ": calls:" in line], [])

    def test_input_output_in_pure_folders(self):
        for path in ("topology/x.c", "record/x.c", "operators/x.c", "coordinator/core.c"):
            with self.subTest(path=path):
                self.write(path, function("    fopen(0, 0);\n"))
                findings, _ = self.run_tidy()
                self.assertTrue(any(f"{path}:6: pure:" in line for line in findings), findings)

    def test_layers(self):
        wrong = [("base", "record"), ("record", "topology"), ("topology", "operators"),
                 ("state", "topology"), ("formats", "connectors"), ("connectors", "formats"),
                 ("connectors", "state"), ("operators", "connectors"), ("worker", "cli"),
                 ("coordinator", "cli"), ("proto", "record")]
        for folder, included in wrong:
            with self.subTest(folder=folder, included=included):
                path = f"{folder}/x.h"
                self.write(path, f'/* x */\n#ifndef X_H\n#define X_H\n#include "{included}/y.h"\n'
                                 "#endif\n")
                self.assert_red("layers", path, f"may not include {included}/", [4])
                os.remove(os.path.join(self.root, path))

    def test_layers_that_are_right(self):
        right = [("cli", "worker"), ("worker", "connectors"), ("operators", "state"),
                 ("operators", "topology"), ("connectors", "topology"), ("tests", "cli")]
        self.write("tests/unit/connectors/y.h", "/* y */\n#ifndef Y_H\n#define Y_H\n"
                                                '#include "connectors/kafka/internal.h"\n#endif\n')
        for folder, included in right:
            self.write(f"{folder}/x.h", f"/* x */\n#ifndef X_{folder}_H\n#define X_{folder}_H\n"
                                        f'#include "{included}/y.h"\n#endif\n')
        self.assertEqual(self.run_tidy()[0], [])

    def test_include_not_from_the_root(self):
        self.write("base/good.c", SOURCE.replace("base/good.h", "good.h"))
        self.assert_red("layers", "base/good.c", "from the root", [2])

    def test_private_header(self):
        self.write("worker/x.h", "/* x */\n#ifndef X_H\n#define X_H\n"
                                 '#include "connectors/kafka/internal.h"\n#endif\n')
        self.assert_red("layers", "worker/x.h", "private", [4])

    def test_folder_without_a_layer(self):
        self.write("extra/x.h", '/* x */\n#ifndef X_H\n#define X_H\n#include "base/good.h"\n'
                                "#endif\n")
        self.assert_red("layers", "extra/x.h", "no place", [4])

    def test_foreign_headers(self):
        for header in ("librdkafka/rdkafka.h", "rocksdb/c.h", "yaml.h", "xxhash.h", "nng/nng.h",
                       "curl/curl.h", "jansson.h", "cmocka.h"):
            with self.subTest(header=header):
                self.write("base/good.c", SOURCE.replace('"base/good.h"', f"<{header}>"))
                self.assert_red("foreign", "base/good.c", header, [2])

    def test_unfinished_work(self):
        for word in ("TO" "DO", "FIX" "ME", "X" "XX", "HA" "CK"):
            with self.subTest(word=word):
                self.write("README.md", f"# Read me\n{word}: later\n")
                self.assert_red("unfinished", "README.md", word, [2])

    def test_words_that_only_look_unfinished(self):
        self.write("README.md", "# Read me\nno `" + "TO" "DO` here, and mkdtemp(\"aXXXXXX\")\n")
        self.assertEqual(self.run_tidy()[0], [])

    def test_missing_overview(self):
        for path, text in (("base/good.c", SOURCE.split("\n", 1)[1]),
                           ("script/run", "#!/bin/sh\ntrue\n"),
                           ("base/CMakeLists.txt", "add_library(base good.c)\n"),
                           ("tools/x.py", "import os\n")):
            with self.subTest(path=path):
                self.write(path, text)
                self.assert_red("overview", path)
                self.write(path, CLEAN.get(path, '"""Fine."""\n'))

    def test_guards(self):
        self.write("base/good.h", "/* No guard. */\nint mr_good(void);\n")
        self.assert_red("guards", "base/good.h", "without include guard")
        self.write("base/good.h", HEADER.replace("#define MR_BASE_GOOD_H", "#define MR_BASE_BAD_H"))
        self.assert_red("guards", "base/good.h", "without include guard")
        self.write("base/good.h", HEADER + "int mr_bad(void);\n")
        self.assert_red("guards", "base/good.h", "without include guard")
        self.write("base/good.h", HEADER)
        self.write("base/other.h", HEADER)
        self.assert_red("guards", "base/other.h", "is also base/good.h's")

    def test_source_in_no_target(self):
        self.write("base/CMakeLists.txt", "# The folder.\nadd_library(base goods.c) # good.c\n")
        self.assert_red("targets", "base/good.c")

    def test_source_in_a_target_of_another_folder(self):
        self.write("base/CMakeLists.txt", "# The folder.\nadd_library(base deep/good.c)\n")
        self.assert_red("targets", "base/good.c")

    def test_test_in_no_target(self):
        self.write("tests/CMakeLists.txt", "# The tests.\nmr_unit_test(base other)\n")
        self.assert_red("targets", "tests/unit/base/test_good.c")

    def test_source_without_test(self):
        os.remove(os.path.join(self.root, "tests/unit/base/test_good.c"))
        self.assert_red("tests", "base/good.c", "test_good.c")

    def test_one_test_for_two_sources_of_a_name(self):
        self.write("state/good.c", SOURCE.replace("base/good.h", "state/good.h"))
        self.write("state/CMakeLists.txt", "# The folder.\nadd_library(state good.c)\n")
        self.assert_red("tests", "state/good.c")
        self.write("tests/unit/state/test_good.c", CLEAN["tests/unit/base/test_good.c"])
        self.assertEqual(self.run_tidy()[0], [])

    def test_machine_paths(self):
        for folder in ("home", "root", "work", "Users"):
            with self.subTest(folder=folder):
                self.write("README.md", f"# Read me\nsee /{folder}" + "/somebody/file\n")
                self.assert_red("paths", "README.md", "path of one machine", [2])

    def test_large_file(self):
        self.write("data.bin", b"\0" * ((1 << 20) + 1))
        self.assert_red("sizes", "data.bin", "1048577 bytes")

    def test_unknown_rule_is_a_usage_error(self):
        result = subprocess.run([sys.executable, TIDY, "--rules", "nothing"], capture_output=True,
                                text=True, check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn("unknown rules: nothing", result.stderr)

    def test_format(self):
        if not (shutil.which("clang-format") or shutil.which("clang-format-14")):
            self.skipTest("clang-format is not installed")
        self.write("base/good.c", SOURCE.replace("    return", "  return"))
        findings, output = self.run_tidy()
        if "SKIPPED" in output:
            self.skipTest("another version of clang-format")
        self.assertEqual(len(findings), 1)
        self.assertRegex(findings[0], "^base/good.c:[56]: format:")

    def test_missing_clang_format_is_loud(self):
        empty = os.path.join(self.root, "build")
        os.mkdir(empty)
        findings, output = self.run_tidy({"PATH": empty})
        self.assertEqual(findings, [])
        self.assertIn("SKIPPED the format check", output)


if __name__ == "__main__":
    unittest.main()
