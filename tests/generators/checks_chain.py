"""generate.markov as a source beside the chain that it is told: how often states follow each other
(chi-square), how often sequences begin with each, how long states last (Kolmogorov and Smirnov,
against scipy's distributions), and that the operator learns the chain back."""

import json
import math
import os
import subprocess
import tempfile
from pathlib import Path

import numpy
from check import at_least, at_most, check
from scipy import stats

from generator_engine import PROGRAM

NAMES = "abcde"
MATRIX = numpy.array([[0.1, 0.6, 0.3, 0, 0], [0.2, 0, 0.5, 0.25, 0.05], [0.6, 0.1, 0, 0.3, 0],
                      [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]])
STARTS = numpy.array([0.5, 0, 0.3, 0.2, 0])
DWELLS = ["dwell: exponential, mean: 40s", "dwell: gamma, shape: 3, mean: 60s",
          "dwell: lognormal, sigma: 0.8, mean: 30s", "dwell: gamma, shape: 0.6, mean: 50s",
          "dwell: fixed, mean: 20s"]
DISTRIBUTIONS = [stats.expon(scale=40), stats.gamma(3, scale=20),
                 stats.lognorm(0.8, scale=30 * math.exp(-0.32)), stats.gamma(0.6, scale=50 / 0.6)]


def state(index):
    text = f"name: {NAMES[index]}, start: {STARTS[index]}, {DWELLS[index]}"
    if MATRIX[index].any():
        weights = ", ".join(f"{weight:g}" for weight in MATRIX[index] if weight > 0)
        names = ", ".join(NAMES[to] for to in range(5) if MATRIX[index, to] > 0)
        text += f", next: [{names}], weights: [{weights}]"
    return f"{{{text}}}"


def run(sources, operators, shown):
    topology = f"""\
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: check}}
spec:
  guarantee: at_least_once
  sources:
    - {{name: made, type: generate.markov, {sources}}}
  operators: [{operators}]
  sinks:
    - {{name: out, type: stdout, from: {shown}}}
"""
    with tempfile.TemporaryDirectory(prefix="millrace-generators-") as folder:
        path = Path(folder) / "topology.yaml"
        path.write_text(topology, encoding="utf-8")
        result = subprocess.run([str(PROGRAM), "run", str(path), "--until-end", "--quiet"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                cwd=folder, check=False, timeout=600, env=os.environ)
    if result.returncode != 0:
        raise RuntimeError(result.stderr)
    return [json.loads(line) for line in result.stdout.splitlines()]


def made(count=40000, more="keys: 20, partitions: 2"):
    states = ", ".join(state(index) for index in range(5))
    return run(f"states: [{states}], count: {count}, seed: 11, {more}", "", "made")


def followers(rows):
    """Pairs of records of one sequence."""
    known = {(row["sequence"], row["number"]): row for row in rows}
    for row in rows:
        other = known.get((row["sequence"], row["number"] + 1))
        if other is not None:
            yield row, other


def surprise(found, shares):
    """The probability of counts that are as far from their shares."""
    if (found[shares == 0] > 0).any():
        return 0.0
    kept = shares > 0
    if kept.sum() < 2:
        return 1.0
    wanted = shares[kept] / shares[kept].sum() * found[kept].sum()
    return stats.chisquare(found[kept], wanted).pvalue


@check("markov source: transitions of five states, least p of chi-square", "scipy.stats.chisquare",
       at_least(0.001), quick=True)
def transitions():
    table = numpy.zeros((5, 5))
    for one, other in followers(made()):
        table[NAMES.index(one["state"]), NAMES.index(other["state"])] += 1
    return float(min(surprise(table[row], MATRIX[row]) for row in range(4)) if not table[4].any()
                 else 0)


@check("markov source: first states, p of chi-square", "scipy.stats.chisquare", at_least(0.001),
       quick=True)
def first_states():
    found = numpy.zeros(5)
    for row in made():
        if row["number"] == 0:
            found[NAMES.index(row["state"])] += 1
    return float(surprise(found, STARTS))


@check("markov source: durations of four distributions, least p of Kolmogorov-Smirnov",
       "scipy.stats.kstest", at_least(0.001), quick=True)
def durations():
    """Some 5,000 to 15,000 a state; the mean of what is told in whole ms is off by nothing."""
    rows = made()
    return float(min(
        stats.kstest([row["dwell_ms"] / 1000 for row in rows if row["state"] == NAMES[index]],
                     distribution.cdf).pvalue
        for index, distribution in enumerate(DISTRIBUTIONS)))


@check("markov source: records whose times are not what the one before says", "exact",
       at_most(0), quick=True)
def times():
    rows = made()
    wrong = sum(other["ts"] != one["ts"] + one["dwell_ms"] for one, other in followers(rows))
    by_key = {}
    for row in rows:
        wrong += row["ts"] < by_key.get(row["key"], 0)
        by_key[row["key"]] = row["ts"]
    return float(wrong)


@check("markov source: keys in lives of about 20 states, least p of the durations",
       "scipy.stats.kstest", at_least(0.001), quick=True)
def short_lives():
    """What the end of a life cuts off is told as it was drawn: long states are not rarer."""
    rows = made(more="keys: 20, partitions: 2, life: 15m")
    return float(min(
        stats.kstest([row["dwell_ms"] / 1000 for row in rows if row["state"] == NAMES[index]],
                     distribution.cdf).pvalue
        for index, distribution in enumerate(DISTRIBUTIONS)))


@check("markov source: transitions that the operator learns from it, in standard errors",
       "the matrix told", at_most(4.5), quick=True)
def learned_back():
    """Without the state that ends sequences, and without one behind itself, which an operator that
    sees changes cannot know."""
    matrix = numpy.array([[0, 0.7, 0.3], [0.4, 0, 0.6], [0.9, 0.1, 0]])
    states = ("{name: a, mean: 10s, next: [b, c], weights: [0.7, 0.3]}, "
              "{name: b, mean: 10s, next: [a, c], weights: [0.4, 0.6]}, "
              "{name: c, mean: 10s, next: [a, b], weights: [0.9, 0.1]}")
    rows = run(f"states: [{states}], keys: 10, count: 30000, seed: 5",
               "{name: like, type: generate.markov, learn: made, key: [key], field: state}", "like")
    table = numpy.zeros((3, 3))
    for one, other in followers(rows):
        table[NAMES.index(one["state"]), NAMES.index(other["state"])] += 1
    total = table.sum(1, keepdims=True)
    error = numpy.sqrt(matrix * (1 - matrix) * 2 / total)
    if (table[matrix == 0] > 0).any():
        return 100.0
    kept = matrix > 0
    return float((numpy.abs(table / total - matrix)[kept] / error[kept]).max())
