"""Labelled anomalies through the engine: generate.timeseries, a detector, evaluate.detection."""

import json
import math
import os
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("MILLRACE_BUILD", ROOT / "build" / "dev"))
PROGRAM = BUILD / "bin" / "millrace"

TOPOLOGY = """\
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: labelled}}
spec:
  guarantee: at_least_once
  sources:
    - name: readings
      type: generate.timeseries
      seed: {seed}
      keys: 4
      count: {count}
      step: 250ms
      fields:
        - {{name: sensor, holds: key}}
        - {{name: value, level: 20, level_sd: 5, noise: 0.5, decimals: 9}}
        - {{name: is_anomaly, holds: is_anomaly}}
        - {{name: label, holds: label}}
        - {{name: anomaly_id, holds: anomaly_id}}
      anomalies: [{{kind: {kind}, share: {rate}, size: {size}}}]
  operators:
    - {{name: score, type: {detector}, as: found, from: readings, key: [sensor], {options}}}
    - name: quality
      type: evaluate.detection
      from: score
      key: []
      series: [sensor]
      is_anomaly: is_anomaly
      label: label
      anomaly_id: anomaly_id
      detection: found.is_anomaly
      window: {{tumbling: 365d}}
      tolerance: {tolerance}
    - name: scores
      type: map
      from: score
      set: {{score: found.score, state: found.state}}
      keep: [is_anomaly, score, state]
  sinks:
    - {{name: results, type: stdout, from: quality}}
    - {{name: kept, type: file, from: scores, path: {folder}/scores.jsonl}}
"""


def run(text, folder):
    """The records that a topology writes to standard output."""
    topology = Path(folder) / "topology.yaml"
    topology.write_text(text, encoding="utf-8")
    result = subprocess.run([str(PROGRAM), "run", str(topology), "--until-end", "--quiet"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            cwd=folder, check=False, timeout=600)
    if result.returncode != 0:
        raise RuntimeError(result.stderr)
    return [json.loads(line) for line in result.stdout.splitlines()]


def judged(detector, kind, size, options="field: value", count=400000, rate=0.005, seed=11,
           tolerance="0s"):
    """What evaluate.detection says of a detector, and each record's (is labelled, score)."""
    with tempfile.TemporaryDirectory(prefix="millrace-labelled-") as folder:
        rows = run(TOPOLOGY.format(**locals()), folder)
        scores = []
        for file in sorted(Path(folder).glob("scores*.jsonl")):
            for line in file.read_text().splitlines():
                record = json.loads(line)
                if record["state"] != "learning":
                    scores.append((record["is_anomaly"], record["score"]))
    (row,) = rows
    return row, scores


def false_rate(row):
    """The share of records without a label that were flagged."""
    return row["false_positives"] / (row["false_positives"] + row["true_negatives"])


def upper_tail(place):
    return 0.5 * math.erfc(place / math.sqrt(2))


def bound(rate, size):
    """The highest recall that any test of a record has with this share of false positives.

    The generator's noise is normal with a known deviation; a record of an anomaly is off by `size`
    of them, up or down, each as likely. By the lemma of Neyman and Pearson (On the problem of the
    most efficient tests of statistical hypotheses, Philosophical Transactions A 231, 1933) the best
    test of N(0, 1) against the even mixture of N(size, 1) and N(-size, 1) flags where their ratio
    exp(-size^2 / 2) cosh(size z) is large, so where |z| > c. With Q the upper tail of the normal
    distribution the share of false positives is 2 Q(c), which gives c, and the recall is
    Q(c - size) + Q(c + size). It knows level and noise, which a detector has to learn. Records of a
    level shift follow each other: a detector that remembers may do better there, by little."""
    low, high = 0.0, 40.0
    for _ in range(200):
        middle = (low + high) / 2
        if 2 * upper_tail(middle) > rate:
            low = middle
        else:
            high = middle
    return upper_tail(low - size) + upper_tail(low + size)


def recall_at(scores, precision):
    """(recall, threshold): the highest recall of any threshold with at least this precision."""
    ordered = sorted(scores, key=lambda one: -one[1])
    labelled = sum(is_labelled for is_labelled, _ in ordered)
    best = (0.0, math.inf)
    hits = 0
    for place, (is_labelled, score) in enumerate(ordered):
        hits += is_labelled
        is_last = place + 1 == len(ordered) or ordered[place + 1][1] < score
        if is_last and hits / (place + 1) >= precision:
            best = (hits / labelled, score)
    return best
