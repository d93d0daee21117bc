"""detect.knn_cad beside a plain computation with numpy, and on the Numenta Anomaly Benchmark."""

import nab
import numpy
from check import Missing, at_most, check, near

from engine import judged

SHINGLE = 19
NEIGHBOURS = 27


def plain(values, period):
    """Nonconformity and share of each record from the period-th on, from lists of points: k nearest
    by the inverse of the training set's second moments, which are taken anew twice a period."""
    points = [values[place - SHINGLE + 1:place + 1] for place in range(len(values))]
    training = points[SHINGLE - 1:period - 1]
    waiting, scores, inverse, found = [], [], None, []

    def nonconformity(point, others):
        apart = numpy.array(others) - point
        distances = numpy.einsum("ij,jk,ik->i", apart, inverse, apart)
        return numpy.sort(distances)[:NEIGHBOURS].sum()

    for record in range(period, len(values) + 1):
        point = points[record - 1]
        if record % period in (0, period // 2):
            inverse = numpy.linalg.inv(numpy.array(training).T @ numpy.array(training))
        if not scores:
            scores = [nonconformity(one, training[:place] + training[place + 1:])
                      for place, one in enumerate(training)]
        strange = nonconformity(point, training)
        found.append((strange, sum(score < strange for score in scores) / len(scores)))
        if record >= 2 * period:
            training = training[1:] + [waiting.pop(0)]
        waiting.append(point)
        scores = scores[1:] + [strange]
    return found


def series():
    source = numpy.random.default_rng(8)
    places = numpy.arange(1200)
    values = 50 + 10 * numpy.sin(places / 11) + source.normal(size=1200)
    values[700:720] += 15
    return values


@check("knn_cad: nonconformity of each record", "numpy", at_most(1e-8), quick=True)
def nonconformities():
    values = series()
    found = judged("detect.knn_cad", [[value] for value in values], "warmup: 239")
    worst = 0.0
    for ours, (strange, share) in zip(found[239:], plain(list(values), 240), strict=True):
        worst = max(worst, abs(ours["nonconformity"] - strange) / strange)
        assert abs(ours["share"] - share) < 1.5 / 221, (ours["share"], share)
    return worst


@check("knn_cad on NAB's open series: standard profile", "58.5 published", near(58.5, 0.5))
def on_nab():
    """Each series with its own warm-up and pause, and scores that end at 1, as published."""
    if not (nab.default_folder() / "labels").is_dir():
        raise Missing(f"{nab.default_folder()} is not here")
    benchmark = nab.Benchmark(nab.default_folder())
    scores = {}
    for one in benchmark.series:
        found = judged("detect.knn_cad", [[value] for value in one.values],
                       f"warmup: {one.probation - 1}, pause: {one.probation // 5}")
        scores[one.name] = [min(record["score"], 1.0) for record in found]
    return benchmark.score(scores)["standard"]
