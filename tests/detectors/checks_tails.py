"""detect.spot and detect.dspot beside libspot, and the rate that they promise.

libspot looks for the most likely tail with few steps and often stops short of it: its thresholds
are then some per cent off. So three things are checked: where its tail is the most likely one, the
thresholds are equal; ours is never less likely than its own, nor than one found by a dense search.
"""

import math

import libspot
import numpy
from check import at_least, at_most, check

from engine import judged

RATE = 1e-4
INIT = 1000
DEPTH = 50


def series(kind, size, seed):
    source = numpy.random.default_rng(seed)
    return {"normal": source.normal, "exponential": source.exponential,
            "heavy": lambda size: source.standard_t(4, size),
            "bounded": source.random}[kind](size=size)


def with_level(values, level, place):
    """The first values with the one of that rank made the level: libspot estimates the level by
    P2, which is no number of the series; so ours gets a series that has it."""
    values = values.copy()
    values[numpy.argsort(values[:INIT])[place]] = level
    return values


def likelihood(excesses, shape, scale):
    if abs(shape) < 1e-12:
        return -len(excesses) * math.log(scale) - excesses.sum() / scale
    ratios = shape / scale * excesses
    if scale <= 0 or (ratios <= -1).any():
        return -math.inf
    return -len(excesses) * math.log(scale) - (1 + 1 / shape) * numpy.log1p(ratios).sum()


def side_by_side(kind, seed, learn="always"):
    """For each record behind the first: ours, and libspot's threshold, tail and excesses."""
    values = series(kind, 6000, seed)
    reference = libspot.Spot(RATE, low=False, discard_anomalies=learn == "normal_only")
    reference.fit(values[:INIT])
    level = reference.excess_threshold
    place = int((values[:INIT] <= level).sum()) - 1
    found = judged("detect.spot", [[value] for value in with_level(values, level, place)],
                   f"tails: upper, rate: {RATE}, init: {INIT}, level: {(place + 0.5) / INIT}, "
                   f"learn: {learn}")
    for value, ours in zip(values[INIT:].tolist(), found[INIT:], strict=True):
        assert abs(ours["upper_level"] - level) < 1e-12
        assert ours["score"] < 2 or learn == "normal_only", "what is learned is bounded there"
        yield (ours, reference.anomaly_threshold, (reference.gamma, reference.sigma),
               numpy.array(reference.excesses()), reference.Nt)
        reference.step(value)


KINDS = ("normal", "exponential", "heavy", "bounded")


@check("spot: threshold where libspot's tail is the likeliest", "libspot 3.1", at_most(1e-6),
       quick=True)
def thresholds():
    worst, compared = 0.0, 0
    for kind in KINDS:
        for ours, threshold, tail, excesses, count in side_by_side(kind, 0):
            assert ours["excesses"] == count
            if ours["shape"] is None:
                continue
            best = likelihood(excesses, ours["shape"], ours["scale"])
            if best - likelihood(excesses, *tail) > 1e-12:
                continue
            compared += 1
            worst = max(worst, abs(ours["upper"] - threshold) / threshold)
    assert compared > 100, compared
    return worst


@check("spot: threshold after each of 5,000 records, uniform", "libspot 3.1", at_most(1e-6),
       quick=True)
def every_threshold():
    """A series on which libspot's search arrives each time; anomalies are left out as there."""
    return max(abs(ours["upper"] - threshold) / threshold
               for ours, threshold, _, _, _ in side_by_side("bounded", 1, "normal_only"))


@check("spot: fits less likely than libspot's", "libspot 3.1", at_most(0), quick=True)
def never_less_likely():
    worse = fits = 0
    for kind in KINDS:
        for ours, _, tail, excesses, _ in side_by_side(kind, 1):
            if ours["shape"] is None:
                continue
            fits += 1
            # 1e-7: next to shape 0 one shape is as likely as another.
            worse += (likelihood(excesses, ours["shape"], ours["scale"])
                      < likelihood(excesses, *tail) - 1e-7)
    assert fits > 300, fits
    return worse


def densest(excesses):
    """The most likely tail of a dense search over shape / scale: the scale follows from it."""
    best = likelihood(excesses, 0, excesses.mean())
    left = -numpy.geomspace(1e-6, 1 - 1e-6, 1000) / excesses.max()
    right = numpy.geomspace(1e-6, 1e3, 1000) / excesses.mean()
    for ratio in numpy.concatenate([left, right]):
        shape = numpy.log1p(ratio * excesses).mean()
        if shape > -0.5:  # below it a most likely tail need not exist
            best = max(best, likelihood(excesses, shape, shape / ratio))
    return best


@check("spot: likelihood below that of a dense search", "numpy", at_most(1e-9))
def most_likely():
    short = -math.inf
    for kind in KINDS[:3]:
        fits = [one for one in side_by_side(kind, 2) if one[0]["shape"] is not None]
        for ours, _, _, excesses, _ in fits[::25]:
            short = max(short,
                        densest(excesses) - likelihood(excesses, ours["shape"], ours["scale"]))
    return short


@check("dspot: likelihood below a dense search on differences", "numpy", at_most(1e-9),
       quick=True)
def drifting():
    """Numbers on a slope: what is left when the mean of the last ones is taken away."""
    values = series("normal", 2000, 3) + 0.01 * numpy.arange(2000)
    sums = numpy.convolve(values, numpy.ones(DEPTH), "valid")[:-1]
    rest = values[DEPTH:] - sums / DEPTH
    found = judged("detect.dspot", [[value] for value in values],
                   f"tails: upper, init: {INIT}, depth: {DEPTH}, learn: always")[DEPTH:]
    level = float(numpy.sort(rest[:INIT])[int(0.98 * INIT)])
    excesses = [value - level for value in rest[:INIT] if value > level]
    short, compared = -math.inf, 0
    for value, ours in zip(rest[INIT:], found[INIT:], strict=True):
        assert abs(ours["upper_level"] - ours["mean"] - level) < 1e-9
        if value <= level:
            continue
        known = numpy.array(excesses)
        short = max(short, densest(known) - likelihood(known, ours["shape"], ours["scale"]))
        compared += 1
        excesses.append(value - level)
    assert compared > 10, compared
    return short


def drift_side_by_side(kind, seed):
    """As side_by_side, for a series that drifts: each number is one of `kind` and the mean of the
    DEPTH before it, so that libspot gets the differences and ours has to find them."""
    rest = series(kind, 6000, seed)
    reference = libspot.Spot(RATE, low=False, discard_anomalies=False)
    reference.fit(rest[:INIT])
    level = reference.excess_threshold
    place = int((rest[:INIT] <= level).sum()) - 1
    values = series("normal", DEPTH, seed + 100).tolist()
    for number in with_level(rest, level, place).tolist():
        values.append(number + sum(values[-DEPTH:]) / DEPTH)
    found = judged("detect.dspot", [[value] for value in values],
                   f"tails: upper, rate: {RATE}, init: {INIT}, depth: {DEPTH}, "
                   f"level: {(place + 0.5) / INIT}, learn: always")[DEPTH + INIT:]
    for number, ours in zip(rest[INIT:].tolist(), found, strict=True):
        assert abs(ours["upper_level"] - ours["mean"] - level) < 1e-9
        assert ours["excesses"] == reference.Nt, (ours["excesses"], reference.Nt)
        yield ours, reference
        reference.step(number)


@check("dspot: threshold after each of 5,000 records, uniform", "libspot on differences",
       at_most(1e-6), quick=True)
def every_drifting_threshold():
    """A series on which libspot's search arrives each time."""
    return max(abs(ours["upper"] - ours["mean"] - reference.anomaly_threshold)
               / reference.anomaly_threshold
               for ours, reference in drift_side_by_side("bounded", 1))


@check("dspot: fits less likely than libspot's", "libspot on differences", at_most(0), quick=True)
def drifting_never_less_likely():
    worse = fits = 0
    for kind in KINDS:
        for ours, reference in drift_side_by_side(kind, 2):
            if ours["shape"] is None:
                continue
            fits += 1
            excesses = numpy.array(reference.excesses())
            worse += (likelihood(excesses, ours["shape"], ours["scale"])
                      < likelihood(excesses, reference.gamma, reference.sigma) - 1e-7)
    assert fits > 300, fits
    return worse


@check("spot: anomalies over those promised, 3 x 200,000 normal", "the rate, 0.001",
       at_most(1.35))
def kept_rate():
    shares = []
    for seed in range(3):
        found = judged("detect.spot", [[value] for value in series("normal", 201000, seed)],
                       "tails: upper, rate: 0.001, learn: always")
        shares.append(sum(one["score"] > 1 for one in found) / 200)
    assert min(shares) > 0.65, shares
    return max(shares)


@check("spot: spikes beyond the threshold that are found", "10 put there", at_least(10), quick=True)
def spikes():
    values = series("normal", 6000, 5)
    places = list(range(1500, 6000, 450))
    values[places] = 8.0
    found = judged("detect.spot", [[value] for value in values], "tails: upper")
    return sum(found[place]["is_anomaly"] for place in places)
