"""generate.markov beside a semi-Markov chain written from its definition (numpy): transitions,
stationary distribution and dwell times of synthetic sequences."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy
from check import at_most, check
from scipy import stats

from generator_engine import PROGRAM

MATRIX = numpy.array([[0, 0.7, 0.3, 0], [0.2, 0, 0.5, 0.3], [0.6, 0.1, 0, 0.3], [1, 0, 0, 0]])
MEANS = numpy.array([40.0, 15.0, 90.0, 5.0])  # seconds
KEYS = 20

TOPOLOGY = """\
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: check}}
spec:
  guarantee: at_least_once
  sources:
    - name: rows
      type: file
      path: {folder}/rows.jsonl
      format: json
      timestamp: ts
  operators:
    - {{name: made, type: generate.markov, learn: rows, key: [id], field: state, {options}}}
  sinks:
    - {{name: out, type: stdout, from: made}}
"""


def machines(seconds):
    """Records of KEYS keys in the order of their times: exponential dwell times."""
    source = numpy.random.default_rng(41)
    records = []
    for key in range(KEYS):
        state, now = 0, 0.0
        while now < seconds:
            records.append({"ts": int(now * 1000), "id": f"m{key}", "state": "abcd"[state]})
            now += source.exponential(MEANS[state])
            state = source.choice(4, p=MATRIX[state])
    return sorted(records, key=lambda record: record["ts"])


def made(records, options):
    with tempfile.TemporaryDirectory(prefix="millrace-generators-") as folder:
        with open(Path(folder) / "rows.jsonl", "w", encoding="utf-8") as file:
            file.writelines(json.dumps(record) + "\n" for record in records)
        topology = Path(folder) / "topology.yaml"
        topology.write_text(TOPOLOGY.format(folder=folder, options=options), encoding="utf-8")
        result = subprocess.run([str(PROGRAM), "run", str(topology), "--until-end", "--quiet"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                cwd=folder, check=False, timeout=600, env=os.environ)
    if result.returncode != 0:
        raise RuntimeError(result.stderr)
    return [json.loads(line) for line in result.stdout.splitlines()]


def sequences(rows, field):
    found = {}
    for row in rows:
        found.setdefault(row[field], []).append(row)
    return found.values()


def counts(rows, field):
    """How often a state followed another."""
    table = numpy.zeros((4, 4))
    for sequence in sequences(rows, field):
        for one, other in zip(sequence, sequence[1:]):
            table["abcd".index(one["state"]), "abcd".index(other["state"])] += 1
    return table


def learned_and_made():
    """The first part teaches alone. The keys are spread over four tasks, each with a model."""
    records = machines(20000)
    return records, made(records, "keys: 25, min_records: 400")


@check("markov: shares of transitions, in standard errors", "numpy, transitions of the rows",
       at_most(4.5), quick=True)
def transitions():
    """Both are samples: of the real rows and of the synthetic ones."""
    records, rows = learned_and_made()
    real, synthetic = counts(records, "id"), counts(rows, "sequence")
    shares = real / real.sum(1, keepdims=True)
    away = numpy.abs(synthetic / synthetic.sum(1, keepdims=True) - shares)
    error = numpy.sqrt(shares * (1 - shares) * (1 / real.sum(1, keepdims=True)
                                                + 1 / synthetic.sum(1, keepdims=True)))
    if (away[shares == 0] > 0).any():
        return 100.0
    return float((away[error > 0] / error[error > 0]).max())


@check("markov: stationary distribution of synthetic states", "numpy, eigenvector",
       at_most(0.01), quick=True)
def stationary():
    records, rows = learned_and_made()
    real = counts(records, "id")
    values, vectors = numpy.linalg.eig((real / real.sum(1, keepdims=True)).T)
    vector = numpy.real(vectors[:, numpy.argmax(numpy.real(values))])
    found = numpy.array([sum(row["state"] == state for row in rows) for state in "abcd"])
    return float(numpy.abs(found / found.sum() - vector / vector.sum()).max())


@check("markov: dwell times of each state, greatest distance", "scipy, two-sample KS statistic",
       at_most(0.03), quick=True)
def dwell_times():
    records, rows = learned_and_made()
    worst = 0.0
    for state in "abcd":
        real = [other["ts"] - one["ts"] for sequence in sequences(records, "id")
                for one, other in zip(sequence, sequence[1:]) if one["state"] == state]
        synthetic = [row["dwell_ms"] for row in rows if row["state"] == state]
        worst = max(worst, stats.ks_2samp(real, synthetic).statistic)
    return float(worst)
