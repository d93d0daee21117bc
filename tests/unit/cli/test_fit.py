#!/usr/bin/env python3
"""`millrace fit` on files through the program: distributions, null rates, arrival, seasons and skew
of keys of data with known ones; the stream that its topology makes, which is fitted again and is
the same in all of these; and what is said of wrong input.

    test_fit.py PROGRAM
"""

import json
import math
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "millrace"
ROWS = 3000


def distance(one, other):
    """Kolmogorov and Smirnov's, of two samples."""
    ends = sorted([(value, 1 / len(one)) for value in one] +
                  [(value, -1 / len(other)) for value in other])
    apart, widest = 0, 0
    for at, (value, step) in enumerate(ends):
        apart += step
        if at + 1 == len(ends) or ends[at + 1][0] != value:
            widest = max(widest, abs(apart))
    return widest


def correlation(made, one, other):
    pairs = [(row[one], row[other]) for row in made]
    means = [sum(pair[at] for pair in pairs) / len(pairs) for at in (0, 1)]
    spread = [math.sqrt(sum((pair[at] - means[at]) ** 2 for pair in pairs)) for at in (0, 1)]
    return sum((a - means[0]) * (b - means[1]) for a, b in pairs) / (spread[0] * spread[1])


def rows(seed=1):
    """Orders that come as a Poisson process, 2 a second, of 20 customers with Zipf exponent 1."""
    draw = random.Random(seed)
    time = 1_700_000_000_000
    weights = [1 / rank for rank in range(1, 21)]
    for number in range(ROWS):
        time += draw.expovariate(2) * 1000
        amount = 50 + 10 * math.sin(2 * math.pi * time / 300_000) + draw.gauss(0, 2)
        yield {"customer": f"c{draw.choices(range(20), weights)[0]}", "amount": round(amount, 2),
               "tax": round(amount * 0.2 + draw.gauss(0, 0.3), 2),
               "note": None if number % 4 == 0 else draw.choice(["gift", "rush"]),
               "paid": draw.random() < 0.7, "at": int(time)}


class Fit(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)
        self.lines = self.path / "orders.jsonl"
        self.lines.write_text("".join(json.dumps(row) + "\n" for row in rows()))
        self.model = self.path / "model.yaml"

    def run_program(self, *words, code=0):
        done = subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True,
                              timeout=100, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout if code == 0 else done.stderr

    def fit(self, *words, code=0):
        return self.run_program("fit", *words, "--out", self.model, code=code)

    def check(self, found):
        self.assertEqual(found["rows"], ROWS)
        kinds = {field["name"]: field["kind"] for field in found["fields"]}
        self.assertEqual({name: kinds[name] for name in ("amount", "tax", "note", "paid")},
                         {"amount": "number", "tax": "number", "note": "category",
                          "paid": "boolean"})
        nulls = {field["name"]: field["null_rate"] for field in found["fields"]}
        self.assertEqual((nulls["note"], nulls["amount"]), (0.25, 0))
        self.assertEqual(found["arrival"]["kind"], "poisson")
        self.assertLess(abs(found["arrival"]["rate"] - 2), 0.15)
        self.assertEqual((found["keys"]["field"], found["keys"]["count"]), ("customer", 20))
        self.assertLess(abs(found["keys"]["exponent"] - 1), 0.1)
        series = {one["field"]: one for one in found["seasons"]}
        self.assertEqual(len(series["amount"]["seasons"]), 1)
        self.assertEqual(series["amount"]["seasons"][0]["period_ms"], 300_000)
        self.assertLess(abs(series["amount"]["seasons"][0]["amplitude"] - 10), 0.3)
        self.assertLess(abs(series["amount"]["level"] - 50), 0.5)

    def test_lines_and_csv_give_the_same(self):
        flags = ("--key", "customer", "--timestamp", "at", "--fields", "customer,amount,tax,note,"
                 "paid", "-o", "json")
        found = json.loads(self.fit("--file", self.lines, *flags))
        self.check(found)
        first = json.loads(self.model.read_text())
        self.assertEqual(first["name"], "orders")
        self.assertEqual([field["name"] for field in first["fields"]],
                         ["customer", "amount", "tax", "note", "paid"])
        table = self.path / "orders.csv"
        names = ["customer", "amount", "tax", "note", "paid", "at"]
        table.write_text(",".join(names) + "\n" + "".join(
            ",".join("" if row[name] is None else str(row[name]) for name in names) + "\n"
            for row in rows()))
        self.check(json.loads(self.fit("--file", table, *flags)))
        self.assertEqual(json.loads(self.model.read_text()), first)

    def test_rows_are_drawn_from_it(self):
        text = self.fit("--file", self.lines, "--timestamp", "at")
        self.assertIn("3000 records", text)
        self.assertIn("note: category, 25.0 % missing", text)
        self.assertIn("seasons: 5 min of amplitude", text)
        drawn = [json.loads(line) for line in
                 self.run_program("generate", self.model, "-n", ROWS).splitlines()]
        self.assertEqual(len(drawn), ROWS)
        original = list(rows())
        self.assertEqual(list(drawn[0]), list(original[0]))  # fields in their order
        for name in ("amount", "tax"):
            self.assertLess(distance([row[name] for row in drawn],
                                     [row[name] for row in original]), 0.05)
        self.assertLess(abs(sum(row["note"] is None for row in drawn) / ROWS - 0.25), 0.04)
        self.assertLess(abs(correlation(drawn, "amount", "tax") -
                            correlation(original, "amount", "tax")), 0.02)
        self.assertEqual([row["at"] for row in drawn], sorted(row["at"] for row in drawn))
        shown = self.run_program("model", "show", self.model)
        self.assertIn("arrival: poisson", shown)
        self.assertIn("seasons: 5 min", shown)
        self.assertIn("varies with time", self.run_program("generate", self.model, "--where",
                                                           "amount > 60.0", code=1))

    def run_topology(self, file, count):
        """What the topology makes, as fast as it can: its rate becomes a step."""
        text = file.read_text()
        rate = float(re.search("rate: (.*)/s", text)[1])
        file.write_text(text.replace(f"rate: {re.search('rate: (.*)/s', text)[1]}/s",
                                     f"step: {round(1000 / rate)}ms\n      count: {count}"))
        self.run_program("validate", file)
        return [json.loads(line) for line in
                self.run_program("run", "--until-end", "--quiet", file).splitlines()]

    def test_the_topology_makes_such_a_stream(self):
        topology = self.path / "like.yaml"
        flags = ("--key", "customer", "--timestamp", "at", "-o", "json")
        self.check(json.loads(self.fit("--file", self.lines, *flags, "--topology", topology)))
        made = self.run_topology(topology, ROWS)
        again = self.path / "again.jsonl"
        again.write_text("".join(json.dumps(row) + "\n" for row in made))
        found = json.loads(self.fit("--file", again, *flags))
        for field in found["fields"]:  # drawn, and not every fourth
            if field["name"] == "note":
                self.assertLess(abs(field["null_rate"] - 0.25), 0.03)
                field["null_rate"] = 0.25
        self.check(found)
        original = list(rows())
        for name in ("amount", "tax"):
            self.assertLess(distance([row[name] for row in made],
                                     [row[name] for row in original]), 0.05)
        self.assertLess(abs(correlation(made, "amount", "tax") -
                            correlation(original, "amount", "tax")), 0.02)
        self.assertLess(abs(sum(row["paid"] for row in made) / ROWS - 0.7), 0.04)

    def test_many_keys_are_made_with_their_skew(self):
        draw = random.Random(5)
        weights = [1 / rank ** 0.8 for rank in range(1, 501)]
        lines = self.path / "many.jsonl"
        lines.write_text("".join(
            json.dumps({"user": None if number % 10 == 0 else
                        f"user-{draw.choices(range(500), weights)[0]:03d}",
                        "number": 1000 + draw.choices(range(500), weights)[0]}) + "\n"
            for number in range(5000)))
        for key in ("user", "number"):
            found = json.loads(self.fit("--file", lines, "--key", key, "-o", "json"))
            self.assertTrue(found["keys"]["made"])
            drawn = self.path / "drawn.jsonl"
            drawn.write_text(self.run_program("generate", self.model, "-n", 5000))
            again = json.loads(self.fit("--file", drawn, "--key", key, "-o", "json"))
            self.assertLess(abs(again["keys"]["exponent"] - found["keys"]["exponent"]), 0.08)
            self.assertGreater(again["keys"]["count"], 0.9 * found["keys"]["count"])
            nulls = {field["name"]: field["null_rate"] for field in again["fields"]}
            self.assertLess(abs(nulls["user"] - 0.1), 0.02)
            keys = {json.loads(line)[key] for line in drawn.read_text().splitlines()}
            if key == "user":
                self.assertTrue(all(one is None or re.fullmatch(r"user-\d+", one)
                                    for one in keys))
            else:
                self.assertTrue(all(1000 <= one < 1500 for one in keys))

    def test_a_static_model_takes_conditions(self):
        found = json.loads(self.fit("--file", self.lines, "--timestamp", "at", "--static", "-o",
                                    "json"))
        self.assertEqual(found["seasons"], [])
        drawn = [json.loads(line) for line in
                 self.run_program("generate", self.model, "-n", 500, "--where",
                                  "amount > 60.0").splitlines()]
        self.assertTrue(all(row["amount"] > 60 for row in drawn))

    def test_without_times_nothing_is_told_of_them(self):
        found = json.loads(self.fit("--file", self.lines, "-o", "json"))
        self.assertNotIn("arrival", found)
        self.assertNotIn("keys", found)
        self.assertNotIn("seasons", found)

    def test_few_records_are_an_error_with_the_number(self):
        few = self.path / "few.jsonl"
        few.write_text("".join(self.lines.read_text().splitlines(keepends=True)[:40]) +
                       "no json\n[1]\n\n")
        self.assertIn("gave 40 JSON objects, and a model is fitted to 500 at "
                      "least", self.fit("--file", few, code=1))
        self.assertFalse(self.model.exists())
        found = json.loads(self.fit("--file", few, "--min-records", 40, "-o", "json"))
        self.assertEqual((found["rows"], found["left_out"]), (40, 2))
        found = json.loads(self.fit("--file", self.lines, "--max-records", 700, "-o", "json"))
        self.assertEqual(found["rows"], 700)

    def test_members_within(self):
        deep = self.path / "deep.jsonl"
        deep.write_text("".join(json.dumps({"a": {"b": number % 7}, "list": [number]}) + "\n"
                                for number in range(600)))
        found = json.loads(self.fit("--file", deep, "--fields", "a.b", "-o", "json"))
        self.assertEqual([field["name"] for field in found["fields"]], ["b"])
        self.assertIn("none of the records has a member", self.fit("--file", deep,
                                                                             code=1))

    def test_the_end_of_a_file_ends_the_fit_of_a_topology(self):
        table = self.path / "people.csv"
        table.write_text("".join(f"{number % 50},{'ab'[number % 2]}\n" for number in range(800)))
        topology = self.path / "fitted.yaml"

        def write(least):
            topology.write_text(f"""apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: fitted}}
spec:
  sources:
    - {{name: people, type: file, path: {table}, format: csv, csv: {{columns: [age, plan]}},
       schema: {{age: double, plan: string}}}}
  operators:
    - {{name: like, type: generate.copula, learn: people, key: [], fields: [age, plan],
       fit: {{min_records: {least}, timeout: 1h}}, max_records: 300}}
  sinks:
    - {{name: out, type: stdout, from: like}}
""")
        write(500)
        made = self.run_program("run", "--until-end", "--quiet", topology).splitlines()
        self.assertEqual(len(made), 300)
        self.assertEqual({json.loads(line)["plan"] for line in made}, {"a", "b"})
        write(900)
        self.assertIn("has 800 records of the stream at the end of what it learns from, and needs "
                      "900", self.run_program("run", "--until-end", "--quiet", topology, code=1))

    def test_requests_without_a_key_are_answered(self):
        (self.path / "people.jsonl").write_text("".join(
            json.dumps({"segment": "ab"[number % 2], "age": number % 50}) + "\n"
            for number in range(800)))
        (self.path / "asked.jsonl").write_text("".join(
            json.dumps({"request_id": number, "n_samples": 1, **more}) + "\n"
            for number, more in enumerate(({"segment": None}, {}, {"segment": "nobody"}))))
        topology = self.path / "asked.yaml"
        text = f"""apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: asked}}
spec:
  sources:
    - {{name: people, type: file, path: {self.path}/people.jsonl}}
    - {{name: asked, type: file, path: {self.path}/asked.jsonl}}
  operators:
    - {{name: like, type: generate.copula, learn: people, requests: asked, key: [segment],
       fields: [age], ratio: 0}}
  sinks:
    - {{name: out, type: stdout, from: like.replies}}
"""
        topology.write_text(text)  # over a repartition
        replies = [json.loads(line) for line in
                   self.run_program("run", "--until-end", "--quiet", topology).splitlines()]
        self.assertEqual({reply["request_id"]: reply["code"] for reply in replies},
                         {0: "bad_request", 1: "bad_request", 2: "not_ready"})
        self.assertIn('the request has no "segment"', replies[0]["message"] +
                      replies[1]["message"])
        # Where the source says its key: who breaks that promise by another key is refused there.
        topology.write_text(text.replace(".jsonl}", ".jsonl, key: [segment]}"))
        replies = [json.loads(line) for line in
                   self.run_program("run", "--until-end", "--quiet", topology).splitlines()]
        self.assertEqual({reply["request_id"]: reply["code"] for reply in replies},
                         {0: "bad_request", 1: "bad_request"})

    def test_wrong_input(self):
        self.assertIn("give --topic or --file", self.fit(code=2))
        self.assertIn("give --topic or --file",
                      self.fit("--file", self.lines, "--topic", "t", code=2))
        self.assertIn("--out is missing", self.run_program("fit", "--file", self.lines, code=2))
        self.assertIn("cannot be read", self.fit("--file", self.path / "nothing", code=2))
        self.assertIn("cannot be written", self.run_program(
            "fit", "--file", self.lines, "--out", self.path / "no" / "model.yaml", code=2))
        self.assertIn("cannot be written", self.fit("--file", self.lines, "--topology",
                                                    self.path / "no" / "like.yaml", code=2))
        empty = self.path / "empty.jsonl"
        empty.write_text("")
        self.assertIn("gave 0 records", self.fit("--file", empty, code=1))
        empty.write_text("this is no JSON\n" * 600)
        self.assertIn("gave 0 JSON objects", self.fit("--file", empty, code=1))
        self.assertIn("no record has a time in note", self.fit("--file", self.lines, "--timestamp",
                                                               "note", code=1))
        self.assertIn("in who, the field of --key", self.fit("--file", self.lines, "--key", "who",
                                                             code=1))
        self.assertIn("more than --max-records",
                      self.fit("--file", self.lines, "--max-records", 10, code=2))
        self.assertIn("would both be called b",
                      self.fit("--file", self.lines, "--fields", "a.b,b", code=2))
        self.assertIn("read as JSON", self.fit("--topic", "t", "--format", "csv", code=2))
        self.assertIn("holds JSON, not CSV",
                      self.fit("--file", self.lines, "--format", "csv", code=1))
        self.assertEqual(sorted(path.name for path in self.path.iterdir()),
                         ["empty.jsonl", "orders.jsonl"])  # and no half of a model


if __name__ == "__main__":
    unittest.main()
