"""Detectors of one number: beside numpy and scipy, and beside what Numenta published."""

import csv

import nab
import numpy
import scipy.special
import scipy.stats
from check import Missing, at_most, check, near

from engine import judged


def series(seed, size=1500):
    """A level that shifts, with noise, spikes and a rest."""
    source = numpy.random.default_rng(seed)
    values = source.normal(numpy.repeat([100.0, 103.0, 99.0], size // 3), 2.0)
    values[source.random(size) < 0.01] *= 5
    values[size // 2:size // 2 + 80] = 101.25
    return values


def worst(found, expected):
    """The largest difference, relative to numbers above 1."""
    found, expected = numpy.asarray(found, float), numpy.asarray(expected, float)
    assert found.shape == expected.shape
    return float(numpy.max(numpy.abs(found - expected) / numpy.maximum(numpy.abs(expected), 1)))


def members(found, name, warmup):
    return [one[name] for one in found[warmup:]]


@check("zscore, window with steps: mean, sd, score, p_value", "numpy, scipy", at_most(1e-9),
       quick=True)
def steps():
    values, window, step, warmup = series(1), 200, 30, 20
    found = judged("detect.zscore", [[value] for value in values],
                   f"window: {{count: {window}, step: {step}}}, deviation: population, "
                   f"warmup: {warmup}, threshold: 1e300")
    means, deviations = [], []
    for place in range(warmup, len(values)):
        first = max(place - window, 0) // step * step
        kept = values[first:min(first + window, place)]
        means.append(numpy.mean(kept))
        deviations.append(numpy.std(kept))
    scores = numpy.abs(values[warmup:] - means) / deviations
    return max(worst(members(found, "mean", warmup), means),
               worst(members(found, "sd", warmup), deviations),
               worst(members(found, "score", warmup), scores),
               worst(members(found, "p_value", warmup), 2 * scipy.stats.norm.sf(scores)))


def open_series():
    if not (nab.default_folder() / "labels").is_dir():
        raise Missing(f"{nab.default_folder()} is not here")
    return nab.read(nab.default_folder())


def published(detector):
    """The published results of a detector: by series, lists of value and anomaly score."""
    folder = nab.default_folder() / "results" / detector
    paths = sorted(folder.glob("*/*.csv"))
    if not paths:
        raise Missing(f"there is no {folder}")
    for path in paths:
        with open(path, encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        yield ([float(line["value"]) for line in lines],
               [float(line["anomaly_score"]) for line in lines])


@check("zscore as NAB's windowed Gaussian: score of each record", "NAB's published results",
       at_most(1e-9))
def windowed_gaussian():
    """1 - p_value / 2 is NAB's score; its first record has none."""
    most = 0.0
    for values, expected in published("windowedGaussian"):
        found = judged("detect.zscore", [[value] for value in values],
                       "window: {count: 6400, step: 100}, deviation: population, sd_floor: 1e-6, "
                       "warmup: 1, threshold: 1e300")
        ours = [1 - one["p_value"] / 2 for one in found[1:]]
        most = max(most, float(numpy.max(numpy.abs(numpy.array(ours) - expected[1:]))))
    return most


def relative_entropies(values, bins=5, window=52, significance=0.01):
    """NAB's relativeEntropy (Wang et al. 2011): of each record, whether it is an anomaly."""
    critical = scipy.stats.chi2.isf(significance, bins - 1)
    step = (max(values) - min(values)) / bins
    if step == 0:
        return [0.0] * len(values)
    places = numpy.ceil((numpy.asarray(values) - min(values)) / step)
    kinds, scores = [], [0.0] * len(values)
    for place in range(window - 1, len(values)):
        counts = numpy.histogram(places[place - window + 1:place + 1], bins, (0, bins))[0] / window
        entropies = scipy.special.rel_entr(counts, kinds or [counts]).sum(axis=1)
        scores[place] = float(not numpy.any(2 * window * entropies < critical))
        if not kinds or scores[place]:
            kinds.append(counts)
    return scores


def scaled(values, bins=5):
    """To 0..bins: the widths of the bins are 1 then, and their ends the same doubles."""
    step = (max(values) - min(values)) / bins
    return [[(value - min(values)) / step if step else 0.0] for value in values]


def our_relative_entropies(values):
    found = judged("detect.relative_entropy", scaled(values),
                   "range: {minimum: 0, maximum: 5}, warmup: 52, hypotheses: 256")
    return [float(one["is_anomaly"]) for one in found]


@check("relative_entropy: records told otherwise", "NAB's by definition, scipy", at_most(0),
       quick=True)
def relative_entropy():
    source = numpy.random.default_rng(3)
    means, deviations = source.random(25) * 10, source.random(25) * 3
    values = source.normal(numpy.repeat(means, 80), numpy.repeat(deviations, 80)).round(1).tolist()
    expected = relative_entropies(values)
    assert 10 < sum(expected) < len(values) / 10
    found = our_relative_entropies(values)
    return sum(one != other for one, other in zip(found, expected, strict=True))


@check("relative_entropy, NAB's open series: records told otherwise", "NAB's by definition, scipy",
       at_most(0))
def relative_entropy_of_nab():
    different = anomalies = 0
    for one in open_series():
        expected = relative_entropies(one.values)
        anomalies += sum(expected)
        different += sum(first != second for first, second
                         in zip(our_relative_entropies(one.values), expected, strict=True))
    assert anomalies > 300
    return different


@check("relative_entropy, range of the whole file: standard score", "NAB, the open series",
       near(53.4, 0.1))
def relative_entropy_score():
    open_series()
    benchmark = nab.Benchmark(nab.default_folder())
    return benchmark.score({one.name: our_relative_entropies(one.values)
                            for one in benchmark.series})["standard"]


def windows(values, count, warmup):
    """Of each record behind the warm-up: the numbers before it, as a view of numpy."""
    for place in range(warmup, len(values)):
        yield values[max(place - count, 0):place]


@check("hampel: median, scale, score, filtered", "numpy", at_most(1e-12), quick=True)
def hampel():
    values, warmup = series(4), 20
    found = judged("detect.hampel", [[value] for value in values],
                   f"window: {{count: 60}}, warmup: {warmup}")
    medians, scales = [], []
    for window in windows(values, 60, warmup):
        medians.append(numpy.median(window))
        scales.append(1.4826 * numpy.median(numpy.abs(window - medians[-1]))
                      or numpy.sqrt(numpy.pi / 2) * numpy.mean(numpy.abs(window - medians[-1]))
                      or 1e-9)
    assert min(scales) < 0.5 and 1e-9 in scales  # it rests for more than a window
    medians, scales = numpy.array(medians), numpy.array(scales)
    away = numpy.abs(values[warmup:] - medians)
    filtered = numpy.where(away > 3 * scales, medians, values[warmup:])
    assert 10 < numpy.count_nonzero(filtered != values[warmup:]) < 100
    return max(worst(members(found, "median", warmup), medians),
               worst(members(found, "scale", warmup), scales),
               worst(members(found, "score", warmup), away / scales),
               worst(members(found, "filtered", warmup), filtered))


@check("iqr: quartiles, fences, score", "numpy.quantile", at_most(1e-12), quick=True)
def iqr():
    values, warmup = series(5), 20
    found = judged("detect.iqr", [[value] for value in values],
                   f"window: {{count: 150}}, warmup: {warmup}")
    quartiles = numpy.array([numpy.quantile(window, [0.25, 0.75])
                             for window in windows(values, 150, warmup)])
    first, third = quartiles.T
    width = third - first
    assert width.min() > 0
    beyond = numpy.maximum(numpy.maximum(first - values[warmup:], values[warmup:] - third), 0)
    return max(worst(members(found, "q1", warmup), first),
               worst(members(found, "q3", warmup), third),
               worst(members(found, "lower", warmup), first - 1.5 * width),
               worst(members(found, "upper", warmup), third + 1.5 * width),
               worst(members(found, "score", warmup), beyond / width))
