"""Control charts (spc.*) beside a plain program over numpy, through the engine: values and limits
of each point, the two phases, and the rules by their definitions."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
from check import at_most, check

from engine import BUILD, PROGRAM, ROOT, judged

sys.path.insert(0, str(ROOT / "tests" / "support"))
from control_reference import (  # noqa: E402
    c4, cusum_run_length, ewma_run_length, range_constants, shewhart_run_length,
    western_electric_run_length)

SUBGROUPS = """\
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: check}}
spec:
  guarantee: at_least_once
  sources:
    - name: rows
      type: file
      path: {folder}/rows.csv
      format: csv
      csv: {{columns: [i, sample, value]}}
      schema: {{i: int, sample: int, value: double}}
      timestamp: i
  operators:
    - {{name: chart, type: {chart}, from: rows, key: [], field: value, {options}}}
  sinks:
    - {{name: out, type: stdout, from: chart}}
"""


def subgroups(chart, samples, options):
    """The records of the subgroups; samples: lists of numbers."""
    with tempfile.TemporaryDirectory(prefix="millrace-charts-") as folder:
        rows = [(number, value) for number, sample in enumerate(samples) for value in sample]
        with open(Path(folder) / "rows.csv", "w", encoding="utf-8") as file:
            for place, (number, value) in enumerate(rows):
                file.write(f"{place},{number},{float(value)!r}\n")
        topology = Path(folder) / "topology.yaml"
        topology.write_text(SUBGROUPS.format(folder=folder, chart=chart, options=options),
                            encoding="utf-8")
        result = subprocess.run([str(PROGRAM), "run", str(topology), "--until-end", "--quiet"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                check=False, timeout=600)
    if result.returncode != 0:
        raise RuntimeError(result.stderr)
    return [json.loads(line) for line in result.stdout.splitlines()]


def estimate(means, spreads, expected, deviation, sizes, exclude):
    """Centre line and sigma of phase 1; expected, deviation: of a spread, by its sample's size."""
    means, spreads, sizes = map(numpy.asarray, (means, spreads, sizes))
    kept = numpy.ones(len(means), bool)
    while True:
        center = numpy.average(means[kept], weights=sizes[kept])
        sigma = numpy.nanmean((spreads / expected)[kept])
        beyond = numpy.abs(means - center) > 3 * sigma / numpy.sqrt(sizes)
        beyond |= numpy.abs(spreads - expected * sigma) > 3 * deviation * sigma
        left = kept & ~beyond
        if not exclude or left.sum() == kept.sum() or 2 * left.sum() < len(means):
            return center, sigma
        kept = left


def furthest(found, expected):
    """The largest difference of members of points, and 1 where one is not there."""
    worst = 0.0
    for ours, theirs in zip(found, expected, strict=True):
        for name, number in theirs.items():
            worst = max(worst, 1.0 if ours[name] is None else abs(ours[name] - number))
    return worst


def chart_of_subgroups(chart, seed, exclude):
    """Subgroups of 2 to 9 values, of which some of the first are off; ours and numpy's limits."""
    source = numpy.random.default_rng(seed)
    samples = [source.normal(100 + (6 if number % 11 == 3 else 0), 2, source.integers(2, 10))
               for number in range(80)]
    found = subgroups(chart, [*samples, [0.0]],
                      f"subgroup: {{field: sample}}, phase1: {{subgroups: 30, "
                      f"exclude: {exclude}}}")
    by_range = chart == "spc.xbar_r"
    constants = {size: range_constants(size) if by_range else
                 (c4(size), numpy.sqrt(1 - c4(size) ** 2)) for size in range(2, 10)}
    sizes = numpy.array([len(sample) for sample in samples])
    expected, deviation = numpy.array([constants[size] for size in sizes]).T
    means = numpy.array([sample.mean() for sample in samples])
    spreads = numpy.array([numpy.ptp(sample) if by_range else sample.std(ddof=1)
                           for sample in samples])
    center, sigma = estimate(means[:30], spreads[:30], expected[:30], deviation[:30], sizes[:30],
                             exclude != "none")
    assert [point["state"] for point in found] == ["learning"] * 30 + ["armed"] * 50
    return furthest(found[30:], [
        {"value": means[at], "center": center, "spread": spreads[at],
         "lower": center - 3 * sigma / numpy.sqrt(sizes[at]),
         "upper": center + 3 * sigma / numpy.sqrt(sizes[at]),
         "spread_center": expected[at] * sigma,
         "spread_lower": max(0, (expected[at] - 3 * deviation[at]) * sigma),
         "spread_upper": (expected[at] + 3 * deviation[at]) * sigma} for at in range(30, 80)])


@check("charts: limits of xbar_r, samples of 2 to 9", "numpy and scipy", at_most(1e-9))
def limits_by_ranges():
    return max(chart_of_subgroups("spc.xbar_r", seed, exclude)
               for seed in range(3) for exclude in ("none", "beyond_limits"))


@check("charts: limits of xbar_s, samples of 2 to 9", "numpy and scipy", at_most(1e-9), quick=True)
def limits_by_deviations():
    return max(chart_of_subgroups("spc.xbar_s", seed, exclude)
               for seed in range(3) for exclude in ("none", "beyond_limits"))


@check("charts: limits of i_mr", "numpy and scipy", at_most(1e-9), quick=True)
def limits_by_moving_ranges():
    values = numpy.random.default_rng(3).normal(5, 2, 300)
    values[[4, 17]] = 30
    ranges = numpy.concatenate([[numpy.nan], numpy.abs(numpy.diff(values))])
    expected, deviation = range_constants(2)
    center, sigma = estimate(values[:40], ranges[:40], expected, deviation, numpy.ones(40), True)
    found = judged("spc.i_mr", [[value] for value in values],
                   "as: anomaly, phase1: {subgroups: 40}")
    return furthest(found[40:], [
        {"value": values[at], "center": center, "upper": center + 3 * sigma,
         "lower": center - 3 * sigma, "spread": ranges[at],
         "spread_upper": (expected + 3 * deviation) * sigma} for at in range(40, 300)])


# ---- Counts ----

def share_error(center):
    return numpy.sqrt(center * (1 - center))


COUNTS = {"spc.p": share_error, "spc.np": share_error, "spc.c": numpy.sqrt, "spc.u": numpy.sqrt}


def counted(chart, source):
    """Counts and sizes of 90 samples, of which some of the first are off."""
    off = numpy.where(numpy.arange(90) % 13 == 5, 3, 1)
    if chart == "spc.c":
        return source.poisson(12 * off), numpy.ones(90)
    if chart == "spc.u":
        sizes = numpy.round(source.uniform(0.25, 12, 90), 2)
        return source.poisson(1.7 * off * sizes), sizes
    sizes = source.integers(1, 300, 90)
    return source.binomial(sizes, 0.08 * off), sizes


def estimate_counts(counts, sizes, error, exclude):
    """The centre line of phase 1."""
    kept = numpy.ones(len(counts), bool)
    while True:
        center = counts[kept].sum() / sizes[kept].sum()
        beyond = numpy.abs(counts / sizes - center) > 3 * error(center) / numpy.sqrt(sizes)
        left = kept & ~beyond
        if not exclude or left.sum() == kept.sum() or 2 * left.sum() < len(counts):
            return center
        kept = left


def chart_of_counts(chart, seed, exclude):
    """Centre lines and limits, ours and numpy's, of each size."""
    error = COUNTS[chart]
    counts, sizes = counted(chart, numpy.random.default_rng(seed))
    rows = [[one] if chart == "spc.c" else [one, size]
            for one, size in zip(counts, sizes, strict=True)]
    found = judged(chart, rows, f"as: anomaly, phase1: {{subgroups: 40, exclude: {exclude}}}" +
                   ("" if chart == "spc.c" else ", size: f1"))
    center = estimate_counts(counts[:40], sizes[:40], error, exclude != "none")
    reach = 3 * error(center) / numpy.sqrt(sizes)
    scale = sizes if chart == "spc.np" else numpy.ones(90)
    ceiling = 1 if chart in ("spc.p", "spc.np") else numpy.inf
    lower, upper = numpy.maximum(0, center - reach), numpy.minimum(ceiling, center + reach)
    assert [point["state"] for point in found] == ["learning"] * 40 + ["armed"] * 50
    assert [point["is_anomaly"] for point in found[40:]] == [
        not lower[at] <= counts[at] / sizes[at] <= upper[at] for at in range(40, 90)]
    return furthest(found[40:], [
        {"value": scale[at] * counts[at] / sizes[at], "center": scale[at] * center,
         "lower": scale[at] * lower[at], "upper": scale[at] * upper[at]} for at in range(40, 90)])


@check("charts: limits of p, np, c and u by size", "numpy", at_most(1e-9), quick=True)
def limits_of_counts():
    return max(chart_of_counts(chart, seed, exclude)
               for chart in COUNTS for seed in range(2) for exclude in ("none", "beyond_limits"))


# ---- Rules ----

def some(least, window, holds):
    """At least `least` of the last `window` points, the newest among them."""
    return lambda z: holds(z[-1]) and sum(map(holds, z[-window:])) >= least


def either(rule):
    """On one of the two sides."""
    return lambda z: rule(z) or rule([-one for one in z])


def trend(z):
    steps = numpy.diff(z[-6:])
    return len(z) >= 6 and ((steps > 0).all() or (steps < 0).all())


def alternating(z):
    steps = numpy.diff(z[-14:])
    return len(z) >= 14 and (steps[1:] * steps[:-1] < 0).all()


RULES = {
    "we1": some(1, 1, lambda one: abs(one) > 3),
    "we2": either(some(2, 3, lambda one: one > 2)),
    "we3": either(some(4, 5, lambda one: one > 1)),
    "we4": either(some(8, 8, lambda one: one > 0)),
    "nelson1": some(1, 1, lambda one: abs(one) > 3),
    "nelson2": either(some(9, 9, lambda one: one > 0)),
    "nelson3": trend,
    "nelson4": alternating,
    "nelson5": either(some(2, 3, lambda one: one > 2)),
    "nelson6": either(some(4, 5, lambda one: one > 1)),
    "nelson7": some(15, 15, lambda one: abs(one) <= 1),
    "nelson8": some(8, 8, lambda one: abs(one) > 1),
}


@check("charts: points whose broken rules differ, of 30,000", "the definitions in Python",
       at_most(0))
def rules():
    source = numpy.random.default_rng(8)
    # Steps of a sixteenth: points on the lines and equal neighbours come too.
    values = numpy.round(16 * source.normal(0, 1.1, 30000)) / 16
    values[::40] += 1.5
    found = judged("spc.i_mr", [[value] for value in values],
                   "as: anomaly, limits: {cl: 0, sigma: 1}, rules: [western_electric, nelson]")
    wrong = 0
    told = set()
    for place, point in enumerate(found):
        z = values[max(0, place - 14):place + 1].tolist()
        expected = [name for name, rule in RULES.items() if rule(z)]
        ours = [one["rule"] for one in point["rules"] if one["chart"] == "value"]
        told.update(ours)
        wrong += ours != expected or any(one["points"][-1] != place + 1 for one in point["rules"])
    assert told == set(RULES), "a rule was never broken"
    return wrong


# ---- Charts of memory ----

@check("charts: ewma and its limits", "numpy", at_most(1e-9), quick=True)
def moving_average():
    values = numpy.random.default_rng(1).normal(20, 3, 500)
    found = judged("spc.ewma", [[value] for value in values],
                   "as: anomaly, limits: {cl: 20.5, sigma: 3}, lambda: 0.15, sigmas: 2.7")
    average, expected = 20.5, []
    for place, value in enumerate(values, 1):
        average = 0.15 * value + 0.85 * average
        reach = 2.7 * 3 * numpy.sqrt(0.15 / 1.85 * (1 - 0.85 ** (2 * place)))
        expected.append({"value": average, "upper": 20.5 + reach, "lower": 20.5 - reach})
    assert [point["is_anomaly"] for point in found] == [
        not one["lower"] <= one["value"] <= one["upper"] for one in expected]
    return furthest(found, expected)


@check("charts: cusum", "numpy", at_most(1e-9), quick=True)
def sums():
    values = numpy.random.default_rng(2).normal(20.7, 3, 500)
    found = judged("spc.cusum", [[value] for value in values],
                   "as: anomaly, limits: {cl: 20, sigma: 3}, k: 0.4, h: 4, head: 0.5")
    high, low, expected = 2.0, -2.0, []
    for value in values:
        z = (value - 20) / 3
        high, low = max(0, high + z - 0.4), min(0, low + z + 0.4)
        expected.append({"high": high, "low": low})
    assert [point["is_anomaly"] for point in found] == [
        one["high"] > 4 or one["low"] < -4 for one in expected]
    return furthest(found, expected)


# ---- Run lengths ----

SHIFTS = (0, 0.5, 1, 2, 3)
# What tools/run_lengths.c takes, and the mean run length by a Markov chain.
RUN_LENGTHS = [
    ("rules", (1,), lambda shift: shewhart_run_length(shift, 3)),
    ("rules", (15,), western_electric_run_length),
    ("ewma", (0.2, 3), lambda shift: ewma_run_length(shift, 0.2, 3)),
    ("ewma", (0.1, 2.814), lambda shift: ewma_run_length(shift, 0.1, 2.814)),
    ("cusum", (0.5, 5, 0), lambda shift: cusum_run_length(shift, 0.5, 5, 0)),
    ("cusum", (0.5, 5, 0.5), lambda shift: cusum_run_length(shift, 0.5, 5, 0.5)),
]


def simulated(lines):
    """Mean run lengths and their standard errors."""
    text = "".join(" ".join(map(str, line)) + "\n" for line in lines)
    result = subprocess.run([str(BUILD / "bin" / "run_lengths")], input=text, text=True,
                            stdout=subprocess.PIPE, check=True, timeout=1800)
    return [tuple(map(float, line.split())) for line in result.stdout.splitlines()]


def run_lengths(runs, shifts, tell=False):
    """How far the furthest mean run length is from its Markov chain, relative."""
    cases = [(chart, shift, numbers, length(shift))
             for chart, numbers, length in RUN_LENGTHS for shift in shifts]
    found = simulated([(chart, shift, runs, *numbers) for chart, shift, numbers, _ in cases])
    for (chart, shift, numbers, expected), (mean, error) in zip(cases, found, strict=True):
        if tell:
            print(f"    {chart} {numbers} shift {shift}: {mean:.4g} +- {error:.2g}, "
                  f"Markov chain {expected:.4g}, {100 * (mean / expected - 1):+.2f} %")
    return max(abs(mean / case[-1] - 1) for case, (mean, _) in zip(cases, found, strict=True))


@check("charts: run lengths of 20,000 runs", "Markov chains in numpy", at_most(0.02), quick=True)
def run_lengths_quickly():
    return run_lengths(20000, (0, 1))


@check("charts: run lengths of 200,000 runs", "Markov chains in numpy", at_most(0.02))
def run_lengths_well():
    return run_lengths(200000, SHIFTS, tell=True)
