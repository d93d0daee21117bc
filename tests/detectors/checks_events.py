"""detect.ensemble, new_value and rare_value, against numpy and collections.Counter."""

import math
import random
from collections import Counter

import numpy
from check import at_most, check

from engine import judged


def scores_of_detectors(count, seed):
    """Three scores of unlike units: a normal's distance, a heavy tail, mostly zero."""
    source = numpy.random.default_rng(seed)
    rows = numpy.column_stack([numpy.abs(source.normal(size=count)),
                               1e4 * source.pareto(1.5, size=count),
                               numpy.where(source.random(count) < 0.9, 0,
                                           source.exponential(size=count))])
    rows[source.integers(count, size=count // 50)] *= 10
    return rows


def tail_surprise(excesses, above, floor):
    """Hosking and Wallis's estimates by probability-weighted moments, the index bounded."""
    count = len(excesses)
    least, index, mean = 1 / (count + 1), 1 / (count + 1), 0.0
    if count:
        excesses = numpy.sort(excesses)
        mean = excesses.mean()
        if count > 1:
            second = numpy.mean(excesses * (count - numpy.arange(1, count + 1)) / (count - 1))
            if mean > 2 * second:
                index = 2 - mean / (mean - 2 * second)
        index = min(max(index, least), 0.9)
    scale = max(mean * (1 - index), floor)
    return math.log10(1 + index * above / scale) / index


def surprise(history, score, members, share=0.1, floor=1e-6):
    count = len(history)
    history = numpy.sort(history)
    if members == "tail":
        level = history[count - int(share * count) - 1]
        if score > level:
            excesses = history[history > level] - level
            return (math.log10((count + 1) / (len(excesses) + 1))
                    + tail_surprise(excesses, score - level, floor))
    as_high = int(numpy.sum(history >= score))
    if as_high:
        return math.log10((count + 1) / (as_high + 1))
    scale = max(history[-1] - history[count // 2], floor)
    return math.log10(count + 1) + math.log10(1 + (score - history[-1]) / scale)


def worst_of_ensemble(members, combine):
    rows = scores_of_detectors(700, 4)
    window, warmup = 300, 50
    found = judged("detect.ensemble", rows.tolist(),
                   f"threshold: 1e300, members: {members}, combine: {combine}, "
                   f"warmup: {warmup}, window: {{count: {window}}}")
    worst = 0.0
    for place in range(warmup, len(rows)):
        history = rows[max(0, place - window):place]
        each = numpy.array([surprise(history[:, one], rows[place, one], members)
                            for one in range(3)])
        rank = -math.log10(numpy.mean(10.0 ** -each))
        expected = {"mean": each.mean(), "max": each.max(), "rank": rank}
        factor = {"mean": math.e, "max": 3, "rank": 2}[combine]
        one = found[place]
        worst = max(worst, abs(one["score"] - expected[combine]),
                    abs(one["p_value"] - min(1, factor * 10 ** -expected[combine])),
                    *(abs(one[name] - value) for name, value in expected.items()))
    return worst


@check("ensemble: mean, max and rank of members with tails", "numpy", at_most(1e-9), quick=True)
def ensemble_with_tails():
    return max(worst_of_ensemble("tail", combine) for combine in ("mean", "max", "rank"))


@check("ensemble: mean of members by conformal ranks", "numpy", at_most(1e-9), quick=True)
def ensemble_with_ranks():
    return worst_of_ensemble("conformal", "mean")


@check("ensemble: share of normal records with p_value <= 0.01", "conformal bound", at_most(0.012))
def ensemble_keeps_its_promise():
    """Members that depend on each other: p_value is an upper bound all the same."""
    source = numpy.random.default_rng(9)
    common = source.normal(size=(20000, 1))
    rows = numpy.abs(common + 0.3 * source.normal(size=(20000, 3)))
    shares = []
    for combine in ("mean", "max", "rank"):
        found = judged("detect.ensemble", rows.tolist(),
                       f"threshold: 1e300, combine: {combine}, window: {{count: 1000}}")
        shares.append(numpy.mean([one["p_value"] <= 0.01 for one in found[1000:]]))
    return max(shares)


def kinds(count, seed):
    """Values of which few are frequent, more come with time."""
    source = random.Random(seed)
    return [min(int(source.paretovariate(0.7)), 3 + place // 10, 150) for place in range(count)]


@check("new_value: p_value and score", "collections.Counter", at_most(1e-12), quick=True)
def new_values():
    values, warmup = kinds(2000, 1), 20
    found = judged("detect.new_value", [[value] for value in values],
                   f"threshold: 1e300, warmup: {warmup}, max_values: 200")
    seen, worst = Counter(), 0.0
    for place, value in enumerate(values):
        if place >= warmup:
            once = sum(count == 1 for count in seen.values())
            expected = 1.0 if value in seen else (once + 1) / (place + 1)
            worst = max(worst, abs(found[place]["p_value"] - expected),
                        abs(found[place]["score"] + math.log10(expected)),
                        found[place]["values"] != len(seen))
        seen[value] += 1
    return worst


def rare_p(seen, value):
    """The share of the bag with the record in it that is at most as frequent as the record."""
    bag = seen + Counter([value])
    return sum(count for count in bag.values() if count <= bag[value]) / bag.total()


@check("rare_value: p_value, score and share", "collections.Counter", at_most(1e-12), quick=True)
def rare_values():
    values, warmup = kinds(2000, 2), 20
    found = judged("detect.rare_value", [[value] for value in values],
                   f"threshold: 1e300, warmup: {warmup}, max_values: 200")
    seen, worst = Counter(), 0.0
    for place, value in enumerate(values):
        if place >= warmup:
            expected = rare_p(seen, value)
            worst = max(worst, abs(found[place]["p_value"] - expected),
                        abs(found[place]["score"] + math.log10(expected)),
                        abs(found[place]["share"] - seen[value] / place))
        seen[value] += 1
    return worst


@check("rare_value with decay: p_value", "numpy, all weights anew", at_most(1e-9), quick=True)
def rare_values_with_decay():
    values, warmup, keep = kinds(3000, 3), 20, 0.8
    found = judged("detect.rare_value", [[value] for value in values],
                   f"threshold: 1e300, warmup: {warmup}, max_values: 200, decay: {1 - keep:.1f}")
    weights, worst = numpy.zeros(200), 0.0
    for place, value in enumerate(values):
        weights[value] += 1
        if place >= warmup:
            as_rare = weights[weights <= weights[value]].sum()
            worst = max(worst, abs(found[place]["p_value"] - as_rare / weights.sum()))
        weights *= keep
    return worst


@check("rare_value: share of normal records with p_value <= 0.01", "conformal bound",
       at_most(0.012))
def rare_values_keep_their_promise():
    source = random.Random(7)
    values = [min(int(source.paretovariate(0.7)), 900) for _ in range(20000)]
    found = judged("detect.rare_value", [[value] for value in values],
                   "threshold: 1e300, max_values: 1000")
    return sum(one["p_value"] <= 0.01 for one in found[100:]) / len(found[100:])
