"""Control charts (spc.*) beside a plain program over numpy, through the engine: values and limits
of each point, the two phases, and the rules by their definitions."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
from check import at_most, check, near
from scipy import stats

from engine import BUILD, PROGRAM, ROOT, judged

sys.path.insert(0, str(ROOT / "tests" / "support"))
from control_reference import (  # noqa: E402
    c4, cusum_run_length, ewma_run_length, mewma_chain, mewma_limit, range_constants,
    shewhart_run_length, western_electric_run_length)

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


def run_groups(topology_text, chart, lines, options):
    """The records of a chart over rows; a number of the row comes before each line."""
    with tempfile.TemporaryDirectory(prefix="millrace-charts-") as folder:
        with open(Path(folder) / "rows.csv", "w", encoding="utf-8") as file:
            for place, line in enumerate(lines):
                file.write(f"{place},{line}\n")
        topology = Path(folder) / "topology.yaml"
        topology.write_text(topology_text.format(folder=folder, chart=chart, options=options),
                            encoding="utf-8")
        result = subprocess.run([str(PROGRAM), "run", str(topology), "--until-end", "--quiet"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                check=False, timeout=600)
    if result.returncode != 0:
        raise RuntimeError(result.stderr)
    return [json.loads(line) for line in result.stdout.splitlines()]


def subgroups(chart, samples, options):
    """The records of the subgroups; samples: lists of numbers."""
    lines = (f"{number},{float(value)!r}"
             for number, sample in enumerate(samples) for value in sample)
    return run_groups(SUBGROUPS, chart, lines, options)


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


# ---- Several fields ----

def correlated(source, rows):
    """Three fields, of which the third nearly follows from the others."""
    first, second, noise = source.normal(0, 1, (3, rows))
    return numpy.stack([100 + 3 * first, 0.1 * (0.8 * first + 0.6 * second) - 2,
                        1e4 + 50 * (first + second) + 20 * noise], axis=1)


def t2_of(deviations, covariance):
    """T2 of each row, and by how much it would be smaller without each field."""
    def squared(kept):
        inverse = numpy.linalg.inv(covariance[numpy.ix_(kept, kept)])
        return numpy.einsum("ri,ij,rj->r", deviations[:, kept], inverse, deviations[:, kept])

    every = list(range(covariance.shape[0]))
    whole = squared(every)
    return whole, numpy.stack([whole - squared([one for one in every if one != field])
                               for field in every], axis=1)


def phase1(points, estimate_from, beyond_of):
    """The points that phase 1 takes: without those beyond, until none is."""
    kept = numpy.ones(len(points), bool)
    while True:
        beyond = beyond_of(*estimate_from(kept), kept.sum())
        left = kept & ~beyond
        if left.sum() == kept.sum() or 2 * left.sum() < len(points):
            return kept
        kept = left


def furthest_t2(found, squared, parts, limit, fields):
    """The largest difference, relative to the limit."""
    assert [point["is_anomaly"] for point in found] == list(squared > limit)
    worst = 0.0
    for point, ours, part, upper in zip(found, squared, parts, limit, strict=True):
        numbers = [point["value"] - ours, point["upper"] - upper,
                   *(point["contributions"][name] - one
                     for name, one in zip(fields, part, strict=True))]
        worst = max(worst, numpy.abs(numbers).max() / max(upper, ours))
    return worst


def t2_of_records(update):
    source = numpy.random.default_rng(11)
    rows = correlated(source, 400)
    rows[[3, 20, 41]] += [15, -0.2, 300]
    rows[250:260] += [0, 0.15, -60]
    count, alpha, fields = 60, 0.005, 3

    def estimate_from(kept):
        return rows[:count][kept].mean(axis=0), numpy.cov(rows[:count][kept].T)

    def beyond_of(mean, covariance, size):
        limit = (size - 1) ** 2 / size * stats.beta.isf(alpha, fields / 2, (size - fields - 1) / 2)
        return t2_of(rows[:count] - mean, covariance)[0] > limit

    kept = phase1(rows[:count], estimate_from, beyond_of)
    assert 3 <= (~kept).sum() < 10
    found = judged("spc.t2", rows, f"as: anomaly, alpha: {alpha}, baseline: {update}, "
                   f"baseline_weight: 0.03, phase1: {{subgroups: {count}}}")
    assert [point["state"] for point in found] == ["learning"] * count + ["armed"] * (400 - count)
    learned, weights = rows[:count][kept], numpy.ones(kept.sum())
    squared, parts, limits = [], [], []
    for row in rows[count:]:
        size = weights.sum() ** 2 / (weights ** 2).sum()
        mean = numpy.average(learned, axis=0, weights=weights)
        covariance = numpy.cov(learned.T, aweights=weights)
        one, part = t2_of((row - mean)[None, :], covariance)
        limit = (1 + 1 / size) * fields * (size - 1) / (size - fields) * stats.f.isf(
            alpha, fields, size - fields)
        squared.append(one[0])
        parts.append(part[0])
        limits.append(limit)
        if update != "none" and one[0] <= limit:
            learned = numpy.concatenate([learned, row[None, :]])
            weights = numpy.append(weights * (0.97 if update == "exponential" else 1), 1)
    return furthest_t2(found[count:], numpy.array(squared), numpy.array(parts),
                       numpy.array(limits), ("f0", "f1", "f2"))


@check("charts: t2 of records, limits and contributions", "numpy and scipy", at_most(1e-9),
       quick=True)
def t2_records():
    return max(t2_of_records(update) for update in ("none", "cumulative", "exponential"))


FIELDS_TOPOLOGY = SUBGROUPS.replace("[i, sample, value]", "[i, sample, a, b, c]").replace(
    "value: double", "a: double, b: double, c: double").replace(
    "field: value", "fields: [a, b, c]")


def groups_of_fields(samples, options):
    """The records of spc.xbar_t2 over subgroups of several fields."""
    lines = (",".join([str(number), *(repr(float(one)) for one in row)])
             for number, sample in enumerate(samples) for row in sample)
    return run_groups(FIELDS_TOPOLOGY, "spc.xbar_t2", lines, options)


@check("charts: t2 of subgroups of 2 to 6, limits", "numpy and scipy", at_most(1e-9), quick=True)
def t2_subgroups():
    source = numpy.random.default_rng(12)
    samples = [correlated(source, size) + ([9, -0.1, 200] if number % 17 == 5 else 0)
               for number, size in enumerate(source.integers(2, 7, 120))]
    count, alpha, fields = 40, 0.01, 3
    sizes = numpy.array([len(sample) for sample in samples])
    means = numpy.array([sample.mean(axis=0) for sample in samples])
    within = numpy.array([(len(sample) - 1) * numpy.cov(sample.T) for sample in samples])

    def estimate_from(kept):
        freedom = (sizes[:count][kept] - 1).sum()
        return (numpy.average(means[:count][kept], axis=0, weights=sizes[:count][kept]),
                within[:count][kept].sum(axis=0) / freedom, freedom, sizes[:count][kept].sum())

    def reach(freedom):
        return fields * freedom / (freedom - fields + 1) * stats.f.isf(
            alpha, fields, freedom - fields + 1)

    def beyond_of(mean, covariance, freedom, values, _):
        squared = sizes[:count] * t2_of(means[:count] - mean, covariance)[0]
        return squared > (1 - sizes[:count] / values) * reach(freedom)

    kept = phase1(samples[:count], estimate_from, beyond_of)
    assert (~kept).sum() >= 2
    mean, covariance, freedom, values = estimate_from(kept)
    found = groups_of_fields([*samples, correlated(source, 1)],
                             f"subgroup: {{field: sample}}, alpha: {alpha}, "
                             f"phase1: {{subgroups: {count}}}")
    squared, parts = t2_of(means[count:] - mean, covariance)
    scale = sizes[count:]
    return furthest_t2(found[count:], scale * squared, scale[:, None] * parts,
                       (1 + scale / values) * reach(freedom), ("a", "b", "c"))


@check("charts: share of t2 of records in control that is told", "alpha 0.02, 40 in phase 1",
       near(1, 0.1))
def t2_false_alarms():
    """The limit of F holds though mean and covariance are estimated from few points: over keys."""
    source = numpy.random.default_rng(13)
    told = total = 0
    for _ in range(30):
        rows = correlated(source, 1000)
        found = judged("spc.t2", rows, "as: anomaly, alpha: 0.02, phase1: {subgroups: 40, "
                       "exclude: none}")
        told += sum(point["is_anomaly"] for point in found)
        total += len(rows) - 40
    return told / total / 0.02


@check("charts: mewma with phase 1 and given limits", "numpy", at_most(1e-9), quick=True)
def mewma():
    source = numpy.random.default_rng(14)
    rows = correlated(source, 500)
    rows[300:] += [1, 0.05, 0]
    count, weight = 200, 0.15
    found = judged("spc.mewma", rows, f"as: anomaly, lambda: {weight}, run_length: 250, "
                   f"phase1: {{subgroups: {count}, exclude: none}}")
    mean, covariance = rows[:count].mean(axis=0), numpy.cov(rows[:count].T)
    limit = mewma_limit(3, weight, 250)
    worst = 0.0
    known = judged("spc.mewma", rows, f"as: anomaly, lambda: {weight}, run_length: 250, "
                   "limits: {values: [{cl: 100, sigma: 3}, {cl: -2, sigma: 0.1}, "
                   "{cl: 10000, sigma: 70}], correlations: [{first: f0, second: f1, is: 0.8}, "
                   "{first: f2, second: f1, is: 0.5}]}")
    given = numpy.array([[9, 0.24, 0], [0.24, 0.01, 3.5], [0, 3.5, 4900]])
    for points, center, spread, first in ((found, mean, covariance, count),
                                          (known, numpy.array([100, -2, 1e4]), given, 0)):
        averages, average = [], numpy.zeros(3)
        for row in rows[first:]:
            average = weight * (row - center) + (1 - weight) * average
            averages.append(average)
        squared, parts = t2_of(numpy.array(averages), spread)
        scale = (2 - weight) / weight
        worst = max(worst, furthest_t2(points[first:], scale * squared, scale * parts,
                                       numpy.full(len(averages), limit), ("f0", "f1", "f2")))
    return worst


# ---- Capability ----

def capability_of(values, lower, upper, target, spreads, freedom):
    """The members of spc.capability by their definitions; spreads: sigma within."""
    mean, overall, count = values.mean(), values.std(ddof=1), len(values)
    members = {"mean": mean, "sigma_within": spreads, "sigma_overall": overall,
               "ppm_observed": 1e6 * ((values < lower) | (values > upper)).mean(),
               "cpm": (upper - lower) / 6 / numpy.hypot(overall, mean - target)}
    for letter, sigma, degrees in (("c", spreads, freedom), ("p", overall, count - 1)):
        index = (upper - lower) / 6 / sigma
        low, high = (mean - lower) / 3 / sigma, (upper - mean) / 3 / sigma
        least = min(low, high)
        reach = stats.norm.isf(0.05) * numpy.sqrt(1 / 9 / count + least ** 2 / 2 / degrees)
        name = "cp" if letter == "c" else "pp"
        members |= {
            name: index, name + "l": low, name + "u": high, name + "k": least,
            name + "_lower": index * numpy.sqrt(stats.chi2.isf(0.95, degrees) / degrees),
            name + "_upper": index * numpy.sqrt(stats.chi2.isf(0.05, degrees) / degrees),
            name + "k_lower": least - reach, name + "k_upper": least + reach,
            "ppm_within" if letter == "c" else "ppm_overall": 1e6 * (
                stats.norm.sf(3 * low) + stats.norm.sf(3 * high))}
    return members


def within_of(values, within, size):
    """Sigma within, and what it is worth in degrees of freedom."""
    if within == "moving_range":
        ranges = numpy.abs(numpy.diff(values))
        # Variance of the mean of moving ranges by the covariance of neighbours (quadrature).
        mean, variance = 2 / numpy.sqrt(numpy.pi), 2 - 4 / numpy.pi
        together = 4 / numpy.pi * (numpy.sqrt(0.75) + numpy.pi / 12) - 4 / numpy.pi
        count = len(ranges)
        relative = (variance / count + 2 * (count - 1) * together / count ** 2) / mean ** 2
        return ranges.mean() / mean, 1 / (2 * relative)
    groups = values[:len(values) // size * size].reshape(-1, size)
    if within == "range":
        expected, deviation = range_constants(size)
        spreads = numpy.ptp(groups, axis=1)
    else:
        expected = c4(size)
        deviation = numpy.sqrt(1 - expected ** 2)
        spreads = groups.std(axis=1, ddof=1)
    return spreads.mean() / expected, len(groups) * expected ** 2 / (2 * deviation ** 2)


@check("charts: capability, by three kinds of sigma within", "numpy and scipy", at_most(1e-9),
       quick=True)
def capability():
    source = numpy.random.default_rng(15)
    samples = [source.normal(50 + number, 2, 30 + 7 * number) for number in range(5)]
    worst = 0.0
    for within, size in (("moving_range", None), ("range", 4), ("deviation", 6)):
        options = f", within_size: {size}" if size else ""
        found = subgroups("spc.capability", [*samples, [0.0]],
                          "subgroup: {field: sample}, lsl: 44, usl: 58, target: 51, confidence: "
                          f"0.9, within: {within}{options}")
        expected = [capability_of(values, 44, 58, 51, *within_of(values, within, size))
                    for values in samples]
        for ours, theirs in zip(found, expected, strict=True):
            worst = max(worst, *(abs(ours[name] - number) / max(1, abs(number))
                                 for name, number in theirs.items()))
    return worst


@check("charts: share of bounds of capability that hold the true cp", "0.9 by simulation",
       near(0.9, 0.02))
def capability_bounds():
    """Of processes with cp 7 / 6, studies of 40, all kinds of sigma; the furthest from 0.9."""
    rows = numpy.random.default_rng(16).normal(0, 1, (4000, 40))
    shares = []
    for within in ("moving_range", "range", "deviation"):
        found = subgroups("spc.capability", rows, "subgroup: {count: 40}, lsl: -3, usl: 4, "
                          f"confidence: 0.9, within: {within}")
        shares += [numpy.mean([one["cp_lower"] <= 7 / 6 <= one["cp_upper"] for one in found]),
                   numpy.mean([one["pp_lower"] <= 7 / 6 <= one["pp_upper"] for one in found]),
                   numpy.mean([one["cpk_lower"] <= 1 <= one["cpk_upper"] for one in found])]
    return max(shares, key=lambda share: abs(share - 0.9))


# ---- Run lengths ----

SHIFTS = (0, 0.5, 1, 2, 3)


def mewma_design(fields, weight, run_length):
    """In control by the Markov chain of Runger and Prabhu; out of control nothing is known."""
    def length(shift):
        return mewma_chain(fields, weight, mewma_limit(fields, weight, run_length)
                           ) if shift == 0 else None

    return length


# What tools/run_lengths.c takes, and the mean run length by a Markov chain.
RUN_LENGTHS = [
    ("rules", (1,), lambda shift: shewhart_run_length(shift, 3)),
    ("rules", (15,), western_electric_run_length),
    ("ewma", (0.2, 3), lambda shift: ewma_run_length(shift, 0.2, 3)),
    ("ewma", (0.1, 2.814), lambda shift: ewma_run_length(shift, 0.1, 2.814)),
    ("cusum", (0.5, 5, 0), lambda shift: cusum_run_length(shift, 0.5, 5, 0)),
    ("cusum", (0.5, 5, 0.5), lambda shift: cusum_run_length(shift, 0.5, 5, 0.5)),
    ("t2", (3, 0.0027), lambda shift: 1 / stats.ncx2.sf(
        stats.chi2.isf(0.0027, 3), 3, max(shift ** 2, 1e-30))),
    ("mewma", (2, 0.1, 200), mewma_design(2, 0.1, 200)),
    ("mewma", (4, 0.1, 370), mewma_design(4, 0.1, 370)),
    ("mewma", (3, 0.3, 500), mewma_design(3, 0.3, 500)),
]


def simulated(lines):
    """Mean run lengths and their standard errors."""
    text = "".join(" ".join(map(str, line)) + "\n" for line in lines)
    result = subprocess.run([str(BUILD / "bin" / "run_lengths")], input=text, text=True,
                            stdout=subprocess.PIPE, check=True, timeout=1800)
    return [tuple(map(float, line.split())) for line in result.stdout.splitlines()]


def run_lengths(runs, shifts, charts, tell=False):
    """How far the furthest mean run length is from its Markov chain, relative."""
    cases = [(chart, shift, numbers, length(shift))
             for chart, numbers, length in RUN_LENGTHS if chart in charts for shift in shifts]
    cases = [case for case in cases if case[-1] is not None]
    found = simulated([(chart, shift, runs, *numbers) for chart, shift, numbers, _ in cases])
    for (chart, shift, numbers, expected), (mean, error) in zip(cases, found, strict=True):
        if tell:
            print(f"    {chart} {numbers} shift {shift}: {mean:.4g} +- {error:.2g}, "
                  f"Markov chain {expected:.4g}, {100 * (mean / expected - 1):+.2f} %")
    return max(abs(mean / case[-1] - 1) for case, (mean, _) in zip(cases, found, strict=True))


@check("charts: run lengths of 20,000 runs, out of control", "Markov chains in numpy",
       at_most(0.02), quick=True)
def run_lengths_quickly():
    """In control they are simulated by the unit tests, where the chains' figures are written."""
    return run_lengths(20000, (1, 2), ("rules", "ewma", "cusum"))


@check("charts: run lengths of 200,000 runs", "Markov chains in numpy", at_most(0.02))
def run_lengths_well():
    return run_lengths(200000, SHIFTS, ("rules", "ewma", "cusum", "t2", "mewma"), tell=True)
