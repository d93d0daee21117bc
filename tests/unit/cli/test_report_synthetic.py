#!/usr/bin/env python3
"""`millrace report --real A --synthetic B` through the program: scores by hand, kinds shown and
declared, both file formats, samples, the page, and what is said of wrong input. The scores beside
sdmetrics' own: tests/generators/checks_report.py.

    test_report_synthetic.py PROGRAM
"""

import html.parser
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "millrace"

REAL = """id,age,city,member,since
1,20,Rome,True,2024-01-01
2,30,Rome,False,2024-01-02
3,40,"Paris, 5e",True,2024-01-03
4,50,Oslo,False,2024-01-04
"""
SYNTHETIC = """id,age,city,member,since
9,20,Rome,True,2024-01-02
8,30,,False,2024-01-02
8,45,"Paris, 5e",True,
7,60,Bonn,True,2024-02-04
"""


class Page(html.parser.HTMLParser):
    """Checks that tags are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.tags = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in ("meta", "br", "link", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data):
        self.text += data


class Reports(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="millrace-report-")
        self.addCleanup(self.folder.cleanup)
        self.write("real.csv", REAL)
        self.write("synthetic.csv", SYNTHETIC)

    def path(self, name):
        return pathlib.Path(self.folder.name) / name

    def write(self, name, text):
        self.path(name).write_text(text, encoding="utf-8")

    def call(self, *arguments):
        return subprocess.run([PROGRAM, "report", *arguments], cwd=self.folder.name, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)

    def scores(self, *arguments, real="real.csv", synthetic="synthetic.csv"):
        result = self.call("--real", real, "--synthetic", synthetic, "-o", "json", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def wrong(self, code, *arguments):
        result = self.call(*arguments)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(result.stdout, b"")
        return result.stderr.decode().removeprefix("millrace: ").strip()

    def column(self, found, name):
        return next(one for one in found["columns"] if one["name"] == name)

    def test_scores(self):
        found = self.scores("--types", "id=id")
        self.assertEqual([one["kind"] for one in found["columns"]],
                         ["id", "numerical", "categorical", "boolean", "datetime"])
        self.assertEqual(found["files"]["real"], {"file": "real.csv", "rows": 4, "compared": 4})
        age = self.column(found, "age")
        self.assertEqual(age["shape"], {"metric": "KSComplement", "score": 0.75})
        self.assertEqual(age["coverage"]["score"], 1)
        self.assertEqual(age["validity"], [{"metric": "BoundaryAdherence", "score": 0.75}])
        city = self.column(found, "city")
        self.assertAlmostEqual(city["shape"]["score"], 1 - (1 / 6 + 1 / 12 + 1 / 4 + 1 / 3) / 2,
                               places=6)
        self.assertAlmostEqual(city["coverage"]["score"], 2 / 3)
        self.assertEqual(city["validity"][0]["score"], 0.5)
        self.assertEqual(city["missing"], {"real": 0, "synthetic": 1})
        self.assertEqual(self.column(found, "id")["validity"],
                         [{"metric": "KeyUniqueness", "score": 0.75}])
        self.assertEqual(len(found["pairs"]), 6)
        self.assertEqual(found["score"], found["quality"]["score"])
        self.assertEqual(found["diagnostic"]["data_structure"], 1)
        self.assertIsNone(found["privacy"]["overfitting_protection"])
        self.assertEqual(found["privacy"]["new_rows"]["copies"], 1)  # dates within 1 %

    def test_the_same_table_has_full_scores_and_is_a_copy(self):
        found = self.scores(synthetic="real.csv")
        self.assertEqual(found["score"], 1)
        self.assertEqual(found["diagnostic"]["score"], 1)
        self.assertEqual(found["coverage"], 1)
        self.assertEqual(found["privacy"]["new_rows"]["score"], 0)
        self.assertEqual(found["privacy"]["baseline_protection"]["score"], 0)

    def test_json_lines_are_the_same_table(self):
        rows = [{"id": 1, "age": 20, "city": "Rome", "member": True, "since": "2024-01-01"},
                {"member": False, "id": 2, "age": 30.0, "city": "Rome", "since": "2024-01-02"},
                {"id": 3, "age": 40, "city": "Paris, 5e", "member": True, "since": "2024-01-03"},
                {"id": 4, "age": 50, "city": "Oslo", "member": False, "since": "2024-01-04"}]
        self.write("real.jsonl", "\n".join(json.dumps(row) for row in rows))
        csv, lines = self.scores(), self.scores(real="real.jsonl")
        for found in csv, lines:
            del found["files"]
        self.assertEqual(csv["columns"], lines["columns"])
        self.assertEqual(csv["pairs"], lines["pairs"])

    def test_lists_are_no_category(self):
        self.write("a.jsonl", '{"tags": [1], "n": 1}\n{"tags": [2], "n": null}\n')
        found = self.scores(real="a.jsonl", synthetic="a.jsonl")
        self.assertEqual(self.column(found, "tags")["kind"], "other")
        self.assertIsNone(self.column(found, "tags")["shape"])

    def test_metadata(self):
        metadata = {"tables": {"t": {"primary_key": "id", "columns": {
            "since": {"sdtype": "datetime", "datetime_format": "%Y-%m-%d",
                      "range_max": "2024-12-31"},
            "id": {"sdtype": "id", "regex_format": "[1-8]"},
            "age": {"sdtype": "numerical", "range_min": 0, "range_max": 100},
            "city": {"sdtype": "categorical", "range_values": ["Rome", "Bonn"],
                     "range_is_nullable": True},
            "member": {"sdtype": "boolean"}}}}}
        self.write("metadata.json", json.dumps(metadata))
        found = self.scores("--metadata", "metadata.json")
        validity = {(one["name"], score["metric"]): score["score"] for one in found["columns"]
                    for score in one["validity"]}
        self.assertEqual(validity, {("since", "BoundaryAdherence"): 0.75,
                                    ("since", "DatetimeFormatAdherence"): 1,
                                    ("id", "KeyUniqueness"): 0.75,
                                    ("id", "RegexFormatAdherence"): 0.75,
                                    ("age", "BoundaryAdherence"): 1,
                                    ("city", "CategoryAdherence"): 0.75,
                                    ("member", "CategoryAdherence"): 1})

    def test_datetimes_of_a_format(self):
        self.write("a.csv", "when,x\n28/01/26 5 pm,1\n29/01/26 6 am,2\n")
        self.write("b.csv", "when,x\n28/01/26 5 pm,1\nnever,2\n")
        found = self.scores("--types", "when=datetime:%d/%m/%y %I %p", real="a.csv",
                            synthetic="b.csv")
        self.assertEqual(self.column(found, "when")["missing"], {"real": 0, "synthetic": 1})
        self.assertEqual(self.column(found, "when")["validity"][1],
                         {"metric": "DatetimeFormatAdherence", "score": 0.5})

    def test_samples_are_said_and_repeat(self):
        source = random.Random(1)
        self.write("large.csv", "x,y\n" + "".join(
            f"{source.gauss(0, 1):.4f},{source.choice('ab')}\n" for _ in range(3000)))
        options = ("--rows", "500", "--privacy-rows", "100")
        found = self.scores(*options, real="large.csv", synthetic="large.csv")
        self.assertEqual(found["files"]["real"]["rows"], 3000)
        self.assertEqual(found["files"]["synthetic"]["compared"], 500)
        self.assertEqual(found["privacy"]["real_rows"], 100)
        self.assertGreater(found["score"], 0.85)
        self.assertLess(found["score"], 1)
        self.assertEqual(self.scores(*options, real="large.csv", synthetic="large.csv"), found)
        result = self.call("--real", "large.csv", "--synthetic", "large.csv", *options)
        page = Page(result.stdout.decode())
        self.assertIn("Of the real rows a random sample of 500 is compared.", page.text)
        self.assertIn("100 real and 100 synthetic rows", page.text)

    def test_holdout(self):
        self.write("holdout.csv", SYNTHETIC)
        found = self.scores("--holdout", "holdout.csv")
        overfitting = found["privacy"]["overfitting_protection"]
        self.assertEqual(overfitting["closer_to_real"], 0)
        self.assertEqual(overfitting["score"], 1)

    def test_page(self):
        self.write("real.csv", REAL.replace("city", "<b>city</b>"))
        self.write("synthetic.csv", SYNTHETIC.replace("city", "<b>city</b>").replace(
            "Bonn", "<script>alert(1)</script>"))
        result = self.call("--real", "real.csv", "--synthetic", "synthetic.csv", "--out",
                           "page.html", "-o", "text")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(b"column pair trends", result.stdout)
        text = self.path("page.html").read_text(encoding="utf-8")
        page = Page(text)
        self.assertEqual(page.open, [])
        self.assertNotIn("script", page.tags)
        self.assertNotIn("src=", text)
        self.assertIn("default-src 'none'", text)
        self.assertIn("synthetic.csv beside real.csv", page.text)
        self.assertIn("<b>city</b>", page.text)
        again = self.call("--real", "real.csv", "--synthetic", "synthetic.csv")
        self.assertEqual(again.stdout.decode(), text)

    def test_extreme_tables(self):
        self.write("a.csv", "x,y,c,e\n1e308,-1e308,a,\n-1e308,5e-324,a,\n-0.0,0,a,\n")
        self.write("b.csv", "x,y,c,e\n1,2,a,\n,,,\n")
        for real, synthetic in (("a.csv", "a.csv"), ("a.csv", "b.csv"), ("b.csv", "a.csv")):
            found = self.scores(real=real, synthetic=synthetic)
            text = json.dumps(found)
            self.assertNotIn("NaN", text)
            self.assertNotIn("Infinity", text)
            self.assertEqual(self.call("--real", real, "--synthetic", synthetic).returncode, 0)
        self.assertEqual(self.column(self.scores(real="a.csv", synthetic="b.csv"), "e")["kind"],
                         "other")

    def test_wrong_input(self):
        both = ("--real", "real.csv", "--synthetic")
        self.write("empty.csv", "")
        self.write("header.csv", "id,age,city,member,since\n")
        self.write("less.csv", "id,age,city,member\n1,2,a,True\n")
        self.write("text.csv", SYNTHETIC.replace("45", "old"))
        self.write("short.csv", SYNTHETIC + "1,2\n")
        self.write("open.csv", SYNTHETIC + '1,2,"a\n')
        self.write("twice.csv", "a,a\n1,2\n")
        self.write("no.jsonl", '{"a": 1}\n[1]\n')
        self.assertEqual(self.wrong(1, *both, "empty.csv"), "empty.csv is empty")
        self.assertEqual(self.wrong(1, *both, "header.csv"), "header.csv has a header line and no "
                         "rows")
        self.assertEqual(self.wrong(1, *both, "less.csv"), "less.csv has no column 'since', which "
                         "real.csv has: both need the same columns")
        self.assertEqual(self.wrong(1, *both, "text.csv"), "text.csv:4: 'age' is numerical in the "
                         "real table, and here is a text 'old': say by --types what it is")
        self.assertEqual(self.wrong(1, *both, "short.csv"), "short.csv:6: the row has 2 cells, the "
                         "header 5")
        self.assertEqual(self.wrong(1, *both, "open.csv"), "open.csv:6: a quoted cell has no end")
        self.assertEqual(self.wrong(1, *both, "twice.csv"), "twice.csv: the header line has 'a' "
                         "twice")
        self.assertEqual(self.wrong(1, *both, "no.jsonl"), "no.jsonl:2: the line is no JSON object")
        self.assertIn("none.csv cannot be read: No such file", self.wrong(2, *both, "none.csv"))

    def test_wrong_kinds(self):
        both = ("--real", "real.csv", "--synthetic", "synthetic.csv")
        self.write("metadata.json", '{"columns": {"id": {"sdtype": "id"}}}')
        self.write("other.json", "[1]")
        self.assertEqual(self.wrong(1, *both, "--types", "age"), "--types takes NAME=KIND, "
                         "separated by commas; 'age' is none")
        self.assertEqual(self.wrong(1, *both, "--types", "size=id"), "--types names 'size', which "
                         "is no column of the files")
        self.assertIn("--types says 'colour' of 'age'; a kind is",
                      self.wrong(1, *both, "--types", "age=colour"))
        self.assertIn("has '%Q', which is not known",
                      self.wrong(1, *both, "--types", "since=datetime:%Q"))
        self.assertEqual(self.wrong(1, *both, "--types", "city=boolean"), "real.csv:2: 'city' is "
                         "boolean, and here is a text 'Rome': say by --types what it is")
        self.assertEqual(self.wrong(1, *both, "--metadata", "metadata.json"), "the column 'age' is "
                         "not in metadata.json: add its `sdtype` there")
        self.assertIn("is no metadata of sdmetrics", self.wrong(1, *both, "--metadata",
                                                                "other.json"))
        self.assertIn("give one", self.wrong(2, *both, "--metadata", "a", "--types", "b=id"))

    def test_forms(self):
        self.assertIn("--synthetic is missing", self.wrong(2, "--real", "real.csv"))
        self.assertIn("--real is missing", self.wrong(2))
        self.assertIn("--key has no meaning", self.wrong(2, "--real", "a", "--synthetic", "b",
                                                         "--key", "c"))
        self.assertIn("--real has no meaning", self.wrong(2, "spc", "--real", "a"))
        self.assertIn("there is no report 'synthetic'", self.wrong(2, "synthetic"))


if __name__ == "__main__":
    unittest.main()
