#!/usr/bin/env python3
"""`millrace report spc` through the program: the page of a chart's own records, byte by byte, and
of records that somebody else wrote.

    test_report.py PROGRAM ROOT

With MILLRACE_UPDATE_GOLDEN=1 the pages in tests/golden/report are written anew.
"""

import html.parser
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fake_server import FakeServer  # noqa: E402

ROOT = pathlib.Path(sys.argv.pop(2)).resolve() if len(sys.argv) > 2 else pathlib.Path.cwd()
PROGRAM = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "millrace"
START = 1767225600000

TOPOLOGY = """apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {name: demo}
spec:
  sources:
    - {name: parts, type: file, path: given.jsonl, timestamp: ts}
  operators:
    - {name: chart, from: parts, key: [machine], CHART}
  sinks:
    - {name: points, type: stdout, from: chart}
"""

# Around 20, with a slow wave; later ones are off.
WAVE = [0, 3, -2, 4, 1, -4, 2, -1, -3, 5, 0, 2, -5, 1, 3, -2]


def values(count, shifted_from, shift):
    return [20 + 0.1 * WAVE[i * 7 % 16] + (shift if i >= shifted_from else 0)
            for i in range(count)]


# Name, chart, records of one key without the key.
CASES = [
    ("xbar_r", "type: spc.xbar_r, field: width, subgroup: {field: lot}, rules: [western_electric]",
     [{"lot": f"L{i // 4}", "width": v} for i, v in enumerate(values(161, 120, 0.6))]),
    ("i_mr",
     "type: spc.i_mr, field: width, limits: {cl: 20, ucl: 20.6, lcl: 19.6}, rules: [nelson]",
     [{"width": v} for v in values(50, 40, -0.3)]),
    ("ewma", "type: spc.ewma, field: width, phase1: {subgroups: 20}",
     [{"width": v} for v in values(60, 50, 0.4)]),
    ("cusum", "type: spc.cusum, field: width, phase1: {subgroups: 20}",
     [{"width": v} for v in values(60, 50, 0.4)]),
    ("p", "type: spc.p, field: bad, size: made, phase1: {subgroups: 10}",
     [{"bad": 3 + i * 5 % 7 + (20 if i == 30 else 0), "made": 100 if i % 3 else 400}
      for i in range(40)]),
    ("t2", "type: spc.t2, fields: [width, height], phase1: {subgroups: 20}",
     [{"width": v, "height": 2 * v + 0.05 * WAVE[i * 3 % 16] + (3 if i == 35 else 0)}
      for i, v in enumerate(values(40, 40, 0))]),
]


class Reader(html.parser.HTMLParser):
    """Tags, attributes and text of a page; void tags are not on the stack."""

    VOID = {"meta", "rect", "path", "circle"}

    def __init__(self):
        super().__init__()
        self.tags, self.texts, self.stack = [], [], []
        self.attributes = {}

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value)
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.stack.pop()

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag, (tag, self.getpos())

    def handle_data(self, data):
        self.texts.append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader.stack, reader.stack
    return reader


def point(number, **more):
    return {"machine": "m1", "spc": {
        "score": 0.5, "threshold": 3, "is_anomaly": False, "severity": "info", "reason": "",
        "detector": "spc.i_mr", "state": "armed", "point": number, "rules": [], "value": 20.0,
        "center": 20, "lower": 19, "upper": 21, "spread": 0.1, "spread_center": 0.1,
        "spread_lower": 0, "spread_upper": 0.4, **more}}


def broken(number, rule="we1", chart="value", points=None, **more):
    return point(number, is_anomaly=True, severity="critical", value=22.0, score=6,
                 rules=[{"rule": rule, "chart": chart, "points": points or [number]}], **more)


class ReportTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="millrace-report-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_program(self, *words, text=""):
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith("MILLRACE_")}
        # A build with AddressSanitizer keeps 256 MiB of freed memory by default, which would count
        # as the program's.
        options = environment.get("ASAN_OPTIONS", "")
        environment["ASAN_OPTIONS"] = f"{options}:quarantine_size_mb=16".lstrip(":")
        result = subprocess.run([PROGRAM, *words], input=text, text=True, capture_output=True,
                                timeout=60, check=False, cwd=self.folder, env=environment)
        self.assertNotIn("Sanitizer", result.stderr)
        return result

    def topology(self, chart="type: spc.i_mr, field: width", text=TOPOLOGY):
        (self.folder / "demo.yaml").write_text(text.replace("CHART", chart))

    def report(self, records, *more, key="m1"):
        """The command's result on given output records of the chart."""
        lines = "".join(one if isinstance(one, str) else json.dumps(one) + "\n" for one in records)
        keyed = [] if key is None else ["--key", key]
        return self.run_program("report", "spc", "--topology", "demo.yaml", "--from", "-", *keyed,
                                *more, text=lines)

    def page(self, records, *more, key="m1"):
        result = self.report(records, *more, key=key)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def has(self, page, *phrases):
        """assertIn without the page in the message."""
        missing = [phrase for phrase in phrases if phrase not in page]
        self.assertFalse(missing)

    def refused(self, result, code, *phrases):
        self.assertEqual((result.returncode, result.stdout), (code, ""), result.stderr)
        for phrase in phrases:
            self.assertIn(phrase, result.stderr)

    # ---- Pages of what the operators write ----

    def test_pages_are_the_golden_ones(self):
        for name, chart, records in CASES:
            with self.subTest(name):
                self.topology(chart)
                with open(self.folder / "given.jsonl", "w", encoding="utf-8") as file:
                    for index, record in enumerate(records):
                        file.write(json.dumps({"machine": "m1", "ts": START + 60000 * index,
                                               **record}) + "\n")
                ran = self.run_program("run", "demo.yaml", "--until-end", "-q")
                self.assertEqual(ran.returncode, 0, ran.stderr)
                page = self.page([ran.stdout])
                read(page)
                golden = ROOT / "tests" / "golden" / "report" / f"{name}.html"
                if "MILLRACE_UPDATE_GOLDEN" in os.environ:
                    golden.parent.mkdir(exist_ok=True)
                    golden.write_text(page)
                self.assertTrue(page == golden.read_text(), f"{golden} differs")

    def test_golden_pages_say_what_they_should(self):
        folder = ROOT / "tests" / "golden" / "report"
        text = (folder / "xbar_r.html").read_text()
        self.has(text, "<dd>40, 25 of them phase 1</dd>")
        self.assertEqual(text.count('class="mark learning"'), 51)  # of two plots, and the legend
        self.has(text, 'class="zone-a"')
        self.has(text, '<a id="value-31" href="#at-31">')
        self.has(text, '<tr id="at-31"><td><a href="#value-31">31</a></td><td>L30</td>')
        self.assertTrue('class="zone-a"' not in (folder / "ewma.html").read_text())
        self.has((folder / "cusum.html").read_text(), "The lines are both sums.")
        steps = re.search(r'class="limit" d="([^"]*)"', (folder / "p.html").read_text()).group(1)
        self.assertGreater(steps.count("V"), 10)  # limits go with each sample's size

    def test_nothing_is_loaded_and_nothing_runs(self):
        for path in (ROOT / "tests" / "golden" / "report").glob("*.html"):
            text = path.read_text()
            reader = read(text)
            self.assertNotIn("script", reader.tags)
            self.assertFalse({"src", "style"} & set(reader.attributes))
            self.assertFalse([name for name in reader.attributes if name.startswith("on")])
            self.assertTrue(all(one.startswith("#") for one in reader.attributes["href"]))
            self.assertTrue("url(" not in text)
            self.has(text, "default-src 'none'")
            missing = {one[1:] for one in reader.attributes["href"]} - set(reader.attributes["id"])
            self.assertFalse(missing)

    # ---- What comes from data ----

    def test_data_cannot_become_markup(self):
        evil = "</title><script>alert(1)</script>\"'><img src=x onerror=y>\u202e\x07"
        chart = "type: spc.xbar_r, field: width, subgroup: {field: lot}"
        self.topology(chart)
        record = {"machine": evil, "window_start": START, "window_end": START + 1,
                  "subgroup": evil, "size": 4}
        members = broken(1, rule=evil)["spc"]
        members["rules"].append({"rule": {"a": evil}, "chart": evil, "points": [evil, 1, None]})
        record |= {**members, "detector": "spc.xbar_r", "state": "armed"}
        page = self.page([record], key=evil)
        reader = read(page)
        self.assertNotIn("script", reader.tags)
        self.assertNotIn("img", reader.tags)
        self.assertFalse([name for name in reader.attributes if name.startswith("on")])
        self.assertTrue("\x07" not in page)
        text = "".join(reader.texts)
        self.assertGreaterEqual(text.count("</title><script>alert(1)</script>\"'><img"), 4)
        self.has(text, "\\x07")
        self.has(page, "<bdi>&lt;/title&gt;&lt;script&gt;")

    def test_options_cannot_become_markup(self):
        self.topology("type: spc.i_mr, field: 'a[\"<b>\"]'")
        page = self.page([point(1)])
        self.assertTrue("<b>\"" not in page)
        self.has(page, "&lt;b&gt;")

    def test_odd_records(self):
        self.topology()
        odd = ["\n", "{\n", "[]\n", "3\n", '{"machine":"m1"}\n', '{"machine":"m1","spc":[]}\n',
               '{"machine":"m1","spc":{"detector":"spc.i_mr","point":"x","rules":7}}\n',
               '{"machine":"m1","spc":{"detector":"spc.i_mr","point":null,"rules":[[1]]}}\n',
               '{"machine":"m1","spc":{"detector":"spc.ewma","point":1,"rules":[]}}\n',
               json.dumps({"detector": "spc.i_mr", "key": "m1", "state": "open"}) + "\n",
               '{"machine":"m1","spc":' + "[" * 3000 + "]" * 3000 + "}\n", "\xff\n"]
        huge = point(3, value=1e140, upper=1e139, lower=-1e139, center=-0.0)
        tiny = point(4, value=5e-324, upper=5e-324, lower=0, center=0)
        empty = point(5, value=None, center=None, lower=None, upper=None, spread=None)
        largest = point(6, value=1.7e308, center=0, lower=-1.7e308, upper=1.7e308)
        far = broken(2 ** 53 - 1, points=[2 ** 53, 2 ** 63 - 1, -2 ** 63, 2 ** 52, 0])
        later = [point(2 ** 53), point(2 ** 63 - 1), point(-2 ** 63), point(0)]
        page = self.page([*odd, point(1), *odd, point(2), huge, tiny, empty, largest, far, *later])
        read(page)
        self.has(page, "<dd>7</dd>")
        self.assertIsNone(re.search(r"[ \"HVML]-?(nan|inf)", page))

    def test_a_chart_that_has_an_upper_limit_only(self):
        """As charts of several fields do."""
        self.topology()
        one = {"center": None, "lower": None, "upper": 5.0, "spread": None, "spread_center": None,
               "spread_lower": None, "spread_upper": None}
        page = self.page([point(number, **one) for number in range(1, 4)])
        read(page)
        self.has(page, ">UCL 5.00</text>", "<title>point 2: 20.00; limit 5.00</title>",
                 "<dt>Upper limit</dt>")
        self.assertFalse([text for text in ("LCL", "Centre line</dt>") if text in page])

    # ---- Which points ----

    def test_no_points(self):
        self.topology()
        self.refused(self.report([]), 1, "no points of 'chart' for the key m1 among 0 records")
        other = {**point(1), "machine": "m2\x1b[2J"}
        result = self.report([other, other, point(1)], key="m3")
        self.refused(result, 1, "among 3 records; other keys there: m2\\x1b[2J, m1")
        self.assertFalse((self.folder / "chart.html").exists())

    def test_one_point(self):
        self.topology()
        page = self.page([point(1)])
        self.has(page, "No rule is broken by 1 point.")
        page = self.page([point(1, state="learning", center=None, lower=None, upper=None,
                                spread=None, spread_center=None, spread_lower=None,
                                spread_upper=None)])
        self.has(page, "Phase 1: 1 point so far, nothing is told yet.")
        read(page)

    def test_points_of_other_keys_are_left_out(self):
        self.topology()
        page = self.page([point(1), {**broken(1), "machine": "m2"}, point(2)])
        self.has(page, "<dd>2</dd>")
        self.has(page, "No rule is broken by 2 points.")

    def test_keys_of_several_fields_and_of_numbers(self):
        self.topology(text=TOPOLOGY.replace("[machine]", "[site, machine]"))
        records = [{**point(1), "site": {"a": 1}, "machine": 7}, {**point(1), "site": 1}]
        self.has(self.page(records, key='[{"a": 1},7]'), "<dd>1</dd>")
        self.has(self.page(records, key='[1,"m1"]'), "<dd>1</dd>")
        self.refused(self.report(records, key="m1"), 1, 'other keys there: [{"a":1},7], [1,"m1"]')

    def test_a_chart_without_a_key(self):
        self.topology(text=TOPOLOGY.replace("[machine]", "[]"))
        self.has(self.page([point(1)], key=None), "<h1>width</h1>")
        self.refused(self.report([point(1)]), 2, "leave out --key")

    def test_a_reset_begins_anew(self):
        self.topology()
        page = self.page([point(1), broken(2), point(3), point(1), point(2)])
        self.has(page, "The chart was reset")
        self.has(page, "<dd>2</dd>")
        self.has(page, "No rule is broken by 2 points.")

    def test_records_that_were_written_twice_count_once(self):
        self.topology()
        page = self.page([point(1), point(2), broken(3), point(2), broken(3), point(4)])
        self.has(page, "1 of 4 points breaks a rule.")

    def test_points_that_are_missing_are_told(self):
        self.topology()
        page = self.page([point(5), point(6), point(9)])
        self.has(page, "Points before 5 are not in the records.")
        self.has(page, "2 points in between are not in the records.")
        page = self.page([point(1), point(None, state="starved", value=None)])
        self.has(page, "1 subgroup had too few records")

    def test_a_hundred_thousand_points_are_bounded(self):
        self.topology("type: spc.i_mr, field: width, rules: [western_electric]")
        path = self.folder / "many.jsonl"
        with open(path, "w", encoding="utf-8") as file:
            for number in range(1, 100_001):
                one = broken(number, "we4", points=list(range(max(1, number - 7), number + 1)))
                file.write(json.dumps(one) + "\n")
        result = self.run_program("report", "spc", "--topology", "demo.yaml", "--from", str(path),
                                  "--key", "m1", "--last", "1000", "--out", "many.html")
        self.assertEqual((result.returncode, result.stdout),
                         (0, "100000 points, 0 of them phase 1; 100000 out of control, 100000 "
                             "broken rules\n"), result.stderr)
        page = (self.folder / "many.html").read_text()
        self.assertLess(len(page), 2_000_000)
        self.assertLessEqual(page.count('class="column '), 480)
        self.has(page, "100000 of 100000 points break a rule.")
        self.has(page, "The last 200 of 100000.")
        self.has(page, "<b>100000</b> we4")
        self.assertEqual(page.count("<tr id="), 200)
        most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        self.assertLess(most, 512 << 10)  # KiB, of all runs of this program

    # ---- Usage ----

    def test_usage(self):
        self.topology()
        self.refused(self.run_program("report", "p", "--topology", "x"), 2,
                     "there is no report 'p'")
        self.refused(self.run_program("report", "spc"), 2, "--topology is missing")
        self.refused(self.report([point(1)], key=None), 2, "--key is missing")
        self.refused(self.report([point(1)], "--out", "no/such/folder"), 2, "cannot be written")
        self.refused(self.report([point(1)], "-o", "json"), 2, "add --out")
        told = self.report([point(1), broken(2)], "-o", "json", "--out", "page.html")
        self.assertEqual(json.loads(told.stdout), {"points": 2, "phase1_points": 0, "anomalies": 1,
                                                   "rules_broken": 1})
        missing = self.run_program("report", "spc", "--topology", "demo.yaml", "--from", "none",
                                   "--key", "m1")
        self.refused(missing, 2, "none cannot be read")

    def test_which_chart(self):
        two = TOPOLOGY.replace("  sinks:", "    - {name: other, type: spc.ewma, from: chart, "
                               "key: [machine], field: width, as: second}\n  sinks:")
        self.topology(text=two)
        self.refused(self.report([point(1)]), 1, "several control charts", "chart, other")
        self.refused(self.report([point(1)], "--operator", "third"), 1,
                     "has no control chart 'third'; there are: chart, other")
        self.has(self.page([point(1)], "--operator", "chart"), "spc.i_mr")
        self.topology("type: detect.zscore, field: width")
        self.refused(self.report([point(1)]), 1, "has no control chart (spc.*)")
        self.topology("type: spc.capability, field: width, subgroup: {count: 5}, lsl: 19")
        self.refused(self.report([point(1)]), 1, "has no control chart (spc.*)")

    def test_several_fields(self):
        """One limit, no centre line: of a chart of several fields."""
        def points(chart):
            made = [point(i, value=2.5, upper=11.8, detector=chart) for i in range(1, 9)]
            for one in made:
                for name in ("center", "lower", "spread", "spread_center", "spread_lower",
                             "spread_upper"):
                    del one["spc"][name]
            return made

        self.topology("type: spc.t2, fields: [width, depth]")
        self.has(self.page(points("spc.t2")), "spc.t2", "width, depth", "11.8",
                 "estimated in phase 1")
        self.topology("type: spc.mewma, fields: [width, depth], limits: {values: "
                      "[{cl: 20, sigma: 1}, {cl: 5, sigma: 2}]}")
        self.has(self.page(points("spc.mewma")), "spc.mewma",
                 "given: means, sigmas and correlations of the fields")

    def test_a_topology_of_the_cluster(self):
        text = TOPOLOGY.replace("CHART", "type: spc.i_mr, field: width")
        fake = FakeServer({"GET /v1/topologies/demo": (200, {"name": "demo", "version": 3}),
                           "GET /v1/topologies/demo/versions/3": (200, {"definition": text})})
        self.addCleanup(fake.stop)
        result = self.run_program("report", "spc", "--topology", "demo", "--key", "m1", "--server",
                                  fake.url)
        self.refused(result, 1, "no sink of demo takes every point of 'chart' into a topic",
                     "{name: points, type: kafka, from: chart, topic: ...}")


if __name__ == "__main__":
    unittest.main()
