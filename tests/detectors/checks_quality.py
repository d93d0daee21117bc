"""Data quality (quality.*) beside plain programs over numpy and collections.Counter, through the
engine: what a checkpoint observes of each batch, and the scores of each record."""

import json
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import numpy
from check import at_most, check, equals

from engine import PROGRAM

HEAD = """\
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: check}}
spec:
  guarantee: at_least_once
  sources:
    - name: rows
      type: file
      path: {folder}/rows.jsonl
      timestamp: ts
  operators:
    - {{name: op, from: rows, key: [], {operator}}}
  sinks:
    - {{name: out, type: stdout, from: {output}}}
"""


def through(rows, operator, output):
    with tempfile.TemporaryDirectory(prefix="millrace-quality-") as folder:
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        Path(folder, "rows.jsonl").write_text(lines, encoding="utf-8")
        topology = Path(folder, "topology.yaml")
        topology.write_text(HEAD.format(folder=folder, operator=operator, output=output),
                            encoding="utf-8")
        result = subprocess.run([str(PROGRAM), "run", str(topology), "--until-end", "--quiet"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                check=False, timeout=600)
    if result.returncode != 0:
        raise RuntimeError(result.stderr)
    return [json.loads(line) for line in result.stdout.splitlines()]


def readings(count, seed):
    chance = numpy.random.default_rng(seed)
    values = 1e6 + chance.normal(0, 1e-3, count)
    groups = chance.integers(0, 60, count)
    rows = []
    for number in range(count):
        row = {"ts": 1000 * number, "value": float(values[number]),
               "group": f"g{groups[number]}"}
        if chance.random() < 0.1:
            del row["value"]
        rows.append(row)
    return rows


BATCH = 500
CHECKS = ("type: quality.checkpoint, window: {count: 500}, max_wait: 1d, checks: ["
          "{name: mean, field: value, expect: mean_between, min: 0}, "
          "{name: stdev, field: value, expect: stdev_between, min: 0}, "
          "{name: low, field: value, expect: min_between, min: 0}, "
          "{name: high, field: value, expect: max_between, min: 0}, "
          "{name: rows, expect: row_count_between, min: 1}, "
          "{name: complete, field: value, expect: not_null}, "
          "{name: distinct, field: group, expect: unique}]")


def observed_and_expected():
    rows = readings(20000, 4)
    for place, result in enumerate(through(rows, CHECKS, "op.results")):
        batch = rows[place * BATCH:(place + 1) * BATCH]
        values = numpy.array([row["value"] for row in batch if "value" in row])
        groups = Counter(row["group"] for row in batch)
        yield ({one["name"]: one["observed"] for one in result["checks"]},
               {"mean": values.mean(), "stdev": values.std(ddof=1), "low": values.min(),
                "high": values.max(), "rows": len(batch), "complete": len(values) / len(batch),
                "distinct": len(groups) / len(batch)})


@check("checkpoint: count, minimum, maximum, completeness and distinctness", "numpy, Counter",
       equals(0), quick=True)
def exact_figures():
    pairs = list(observed_and_expected())
    assert len(pairs) == 40
    return sum(found[name] != expected[name] for found, expected in pairs
               for name in ("low", "high", "rows", "complete", "distinct"))


@check("checkpoint: mean and standard deviation, relative", "numpy", at_most(1e-6), quick=True)
def moments():
    return max(abs(found[name] / expected[name] - 1) for found, expected in observed_and_expected()
               for name in ("mean", "stdev"))


@check("score: of each record, by medians of the window", "numpy", equals(0), quick=True)
def scores():
    chance = numpy.random.default_rng(8)
    window, warmup, count = 200, 30, 4000
    rows, marks, wrong = [], [], 0
    for number in range(count):
        value = chance.normal(0, 1) + (20 if chance.random() < 0.05 else 0)
        rows.append({"ts": number, "value": float(value), "id": int(chance.integers(0, 3000))})
    found = through(rows, "type: quality.score, fields: [value], identity: [id], "
                          "window: {count: 200}, warmup: 30", "op")
    for number, row in enumerate(rows):
        before = rows[max(0, number - window):number]
        values = numpy.array([one["value"] for one in before])
        outlier = False
        if len(before) >= warmup:
            middle = numpy.median(values)
            scale = max(1.4826 * numpy.median(numpy.abs(values - middle)), 1e-9)
            outlier = abs(row["value"] - middle) / scale > 3.5
        duplicate = row["id"] in {one["id"] for one in before}
        marks.append(bool(outlier or duplicate))
        last = marks[-window:]
        quality = found[number]["quality"]
        wrong += (quality["outlier"], quality["duplicate"]) != (outlier, duplicate)
        wrong += quality["score"] != (len(last) - sum(last)) / len(last)
    return wrong
