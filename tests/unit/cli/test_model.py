#!/usr/bin/env python3
"""`millrace model` and `millrace generate` through the program, over a model that is written here
and a server that answers what the test says.

    test_model.py PROGRAM
"""

import copy
import csv
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fake_server import FakeServer, problem  # noqa: E402

PROGRAM = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "millrace"

MODEL = {
    "millrace_model": 1, "type": "copula", "name": "shop/people", "version": 3, "rows": 1000,
    "effective_rows": 1000.0, "weight": 1000.0, "squared_weights": 1000.0,
    "fields": [
        {"name": "age", "kind": "number", "decimals": 0, "missing": 0,
         "bins": [[18, 30, 300], [31, 50, 400], [51, 80, 300]]},
        {"name": "region", "kind": "category", "missing": 0,
         "categories": [{"value": "North", "weight": 500}, {"value": "We,\"st", "weight": 300},
                        {"value": "", "weight": 200}]},
        {"name": "fraud", "kind": "boolean", "missing": 0, "bins": [[0, 0, 900], [1, 1, 100]]},
        {"name": "day", "kind": "date", "missing": 500, "bins": [[20454, 20483, 500]]},
        {"name": "id", "kind": "identifier", "missing": 0, "prefix": "c-"},
    ],
    "correlations": {"values": ["age", "region", "fraud", "day"], "missingness": ["day"],
                     "matrix": [[], [0.5], [0.1, 0], [-0.3, 0, 0], [0.2, 0, 0, 0]]},
}


def run(*words, **options):
    environment = {name: text for name, text in os.environ.items()
                   if not name.startswith("MILLRACE_")}
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=60,
                          env=environment, check=False, **options)


class Models(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = self.write("people.json", MODEL)

    def tearDown(self):
        self.folder.cleanup()

    def write(self, name, document):
        path = pathlib.Path(self.folder.name) / name
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return str(path)

    def fine(self, *words, **options):
        done = run(*words, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def wrong(self, code, sentence, *words):
        done = run(*words)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(sentence, done.stderr)
        self.assertEqual(done.stdout, "")


class Generate(Models):
    def test_lines_of_json(self):
        lines = self.fine("generate", self.path, "-n", "3000").splitlines()
        rows = [json.loads(line) for line in lines]
        self.assertEqual(len(rows), 3000)
        self.assertEqual(list(rows[0]), ["age", "region", "fraud", "day", "id"])
        self.assertTrue(all(18 <= row["age"] <= 80 for row in rows))
        self.assertAlmostEqual(sum(row["fraud"] for row in rows) / 3000, 0.1, delta=0.03)
        self.assertAlmostEqual(sum(row["day"] is None for row in rows) / 3000, 0.5, delta=0.05)
        self.assertEqual(rows[7]["id"], "c-000000000007")
        self.assertEqual({row["day"] for row in rows if row["day"] and row["day"] < "2026-01-01"
                          or row["day"] and row["day"] > "2026-01-30"}, set())

    def test_the_same_rows_again(self):
        whole = self.fine("generate", self.path, "-n", "100", "--seed", "7")
        self.assertEqual(whole, self.fine("generate", "-", "-n", "100", "--seed", "7",
                                          input=json.dumps(MODEL)))
        rest = self.fine("generate", self.path, "-n", "60", "--seed", "7", "--first", "40")
        self.assertEqual(whole.splitlines()[40:], rest.splitlines())
        self.assertNotEqual(whole, self.fine("generate", self.path, "-n", "100", "--seed", "8"))

    def test_csv(self):
        out = os.path.join(self.folder.name, "rows.csv")
        done = self.fine("generate", self.path, "-n", "50", "-f", "csv", "--out", out)
        self.assertEqual(done, "")
        text = pathlib.Path(out).read_text()
        rows = list(csv.reader(io.StringIO(text)))
        lines = self.fine("generate", self.path, "-n", "50").splitlines()
        self.assertEqual(rows[0], ["age", "region", "fraud", "day", "id"])
        for row, line in zip(rows[1:], lines, strict=True):
            told = json.loads(line)
            self.assertEqual(row, [str(told["age"]), told["region"],
                                   "true" if told["fraud"] else "false", told["day"] or "",
                                   told["id"]])
        self.assertIn(',"",', text)  # an empty text is not a missing value
        self.assertIn('"We,""st"', text)

    def test_conditions(self):
        done = run("generate", self.path, "-n", "200", "--where", "age >= 21 && age < 40",
                   "--where", "region in ['North', ''] && fraud")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"meets the conditions with probability 0\.0\d+\n$")
        for line in done.stdout.splitlines():
            row = json.loads(line)
            self.assertTrue(21 <= row["age"] < 40 and row["region"] in ("North", ""), row)
            self.assertTrue(row["fraud"])
        same = run("generate", self.path, "-n", "200", "--conditions",
                   '{"age":{"gte":21,"lt":40},"region":{"in":["North",""]},"fraud":true}')
        self.assertEqual(done.stdout, same.stdout)
        days = self.fine("generate", self.path, "--where", "day == '2026-01-05'").splitlines()
        self.assertEqual({json.loads(line)["day"] for line in days}, {"2026-01-05"})

    def test_what_is_refused(self):
        self.wrong(2, "|| has no single distribution", "generate", self.path, "--where",
                   "age > 30 || fraud")
        self.wrong(1, "no such value was learned", "generate", self.path, "--where", "age > 90")
        self.wrong(1, "the model has no field \"ages\"; its fields are age, region", "generate",
                   self.path, "--where", "ages > 30")
        self.wrong(2, "give one of them", "generate", self.path, "--where", "fraud",
                   "--conditions", "{}")
        self.wrong(2, "neither a file that is there nor TOPOLOGY/OPERATOR", "generate", "nothing")
        self.wrong(2, "is a file", "generate", self.path, "--key", "k")
        broken = self.write("broken.json", "{\"millrace_model\": 1")
        self.wrong(1, "the model: Invalid JSON: expected", "generate", broken)
        other = copy.deepcopy(MODEL)
        other["fields"][0]["bins"][1][2] = -4
        self.wrong(1, "the model, fields[0].bins[1][2]: -4 is not within", "generate",
                   self.write("other.json", other))
        self.wrong(2, "cannot be written", "generate", self.path, "--out",
                   os.path.join(self.folder.name, "no", "rows"))


class Model(Models):
    def test_show(self):
        text = self.fine("model", "show", self.path)
        self.assertIn("shop/people, version 3: a copula of 5 fields, learned from 1,000 rows "
                      "(1,000 effective)", text)
        self.assertRegex(text, r"age +number +0\.0% +18 to 80, quartiles 28, 40\.5, 55\.8333")
        self.assertRegex(text, r'region +category +0\.0% +North 50\.0%, We,"st 30\.0%,  20\.0%')
        self.assertRegex(text, r"fraud +boolean +0\.0% +true 10\.0%")
        self.assertRegex(text, r"day +date +50\.0% +2026-01-01 to 2026-01-30")
        self.assertRegex(text, r"id +identifier +0\.0% +c-NNN")
        self.assertRegex(text, r"\+0\.500 +age +region\n +-0\.300 +age +day\n +\+0\.200 +age +"
                               r"day is missing")
        told = json.loads(self.fine("model", "show", self.path, "-o", "json"))
        self.assertEqual(told["version"], 3)
        self.assertEqual(told["fields"][1]["categories"][0], {"value": "North", "share": 0.5})
        self.assertEqual(told["fields"][3]["quartiles"][0], "2026-01-01")
        self.assertEqual(len(told["correlations"]), 10)

    def test_compare(self):
        other = copy.deepcopy(MODEL)
        other["version"] = 4
        other["fields"][0]["bins"] = [[18, 30, 600], [31, 50, 400]]
        other["fields"][1]["categories"] = [{"value": "South", "weight": 200},
                                            {"value": "North", "weight": 800}]
        other["fields"][3]["missing"] = 250
        other["fields"][4]["name"] = "code"
        other["correlations"]["matrix"][1] = [-0.25]
        second = self.write("second.json", other)
        text = self.fine("model", "compare", self.path, second)
        self.assertRegex(text, r"age +0\.3000 +-\n")
        self.assertRegex(text, r'region +0\.5000 +came: South; went: We,"st, \n')
        self.assertRegex(text, r"day +0\.0000 +missing 50\.0%, then 25\.0%; ")
        self.assertRegex(text, r"id +- +is gone\ncode +- +is new\n")
        self.assertRegex(text, r"-0\.250 +\+0\.500 +age +region\n")
        told = json.loads(self.fine("model", "compare", self.path, second, "-o", "json"))
        self.assertEqual(told["fields"][1]["came"], ["South"])
        self.assertAlmostEqual(told["fields"][0]["distance"], 0.3)
        self.assertEqual(told["correlations"][0], {"one": "age", "other": "region",
                                                   "before": 0.5, "after": -0.25})
        same = json.loads(self.fine("model", "compare", self.path, self.path, "-o", "json"))
        self.assertEqual({field["distance"] for field in same["fields"]}, {0.0, None})

    def test_from_a_cluster(self):
        text = json.dumps(MODEL).encode()
        fake = FakeServer({"GET /v1/models/shop/people/a%2Fb": (200, text),
                           "GET /v1/models/shop/people?partition=2": (200, text),
                           "GET /v1/models/shop/none": problem(404, "there is none")})
        self.addCleanup(fake.stop)
        out = os.path.join(self.folder.name, "saved.json")
        told = self.fine("model", "save", "shop/people", "--key", "a/b", "--out", out,
                         "--server", fake.url)
        self.assertIn("version 3", told)
        self.assertEqual(pathlib.Path(out).read_bytes(), text)
        self.assertEqual(os.listdir(self.folder.name).count("saved.json.part"), 0)
        drawn = self.fine("generate", "shop/people", "--partition", "2", "-n", "5", "--server",
                          fake.url)
        self.assertEqual(drawn, self.fine("generate", self.path, "-n", "5"))
        self.wrong(1, "there is none", "model", "show", "shop/none", "--server", fake.url)
        self.wrong(2, "--out is missing", "model", "save", "shop/people", "--server", fake.url)

    def test_a_model_that_holds_rows(self):
        model = {"millrace_model": 1, "type": "bootstrap", "name": "shop/people", "version": 3,
                 "rows": 9, "effective_rows": 9, "holds_rows": True, "flip": 0,
                 "fields": [{"name": "age", "kind": "number", "decimals": 0},
                            {"name": "region", "kind": "category", "categories": ["N", "S"]}],
                 "sample": [[1, 20 + n, n % 2] for n in range(9)]}
        fake = FakeServer({"GET /v1/models/shop/people": (200, json.dumps(model).encode())})
        self.addCleanup(fake.stop)
        out = pathlib.Path(self.folder.name) / "rows.json"
        beside = pathlib.Path(str(out) + ".part")
        beside.write_text("left behind")
        words = ["model", "save", "shop/people", "--out", str(out), "--server", fake.url]
        self.wrong(2, "say --with-rows if that is wanted", *words)
        self.assertFalse(out.exists())
        told = self.fine(*words, "--with-rows")
        self.assertIn("a bootstrap of 2 fields, learned from 9 rows (9 effective); holds real rec",
                      told)
        self.assertEqual(json.loads(out.read_text()), model)
        self.assertEqual(out.stat().st_mode & 0o777, 0o600)
        self.assertFalse(beside.exists())
        shown = json.loads(self.fine("model", "show", str(out), "-o", "json"))
        self.assertTrue(shown["holds_rows"])
        lines = self.fine("generate", str(out), "-n", "40", "--where", "region == 'S'")
        rows = [json.loads(line) for line in lines.splitlines()]
        self.assertEqual({row["region"] for row in rows}, {"S"})
        self.assertTrue(all(21 <= row["age"] <= 27 for row in rows))
        self.wrong(2, "are for model save", "model", "show", str(out), "--with-rows")

    def test_usage(self):
        self.wrong(2, "there are: save, show, compare", "model", "draw", self.path)
        self.wrong(2, "model compare takes two MODELs", "model", "compare", self.path)
        self.wrong(2, "--out and --with-rows are for model save", "model", "show", self.path,
                   "--out", "x")
        self.wrong(2, "is no TOPOLOGY/OPERATOR", "model", "save", "people", "--out", "x")


if __name__ == "__main__":
    unittest.main()
