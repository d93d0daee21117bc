"""drift.*: beside river record for record, and false alarms where nothing changes."""

import math

import numpy
import scipy.stats
from check import at_most, check
from river import drift
from river.drift import binary

from engine import judged

SIZE = 4000


def means(seed):
    """Numbers whose mean moves four times."""
    source = numpy.random.default_rng(seed)
    return source.normal(numpy.repeat([0.0, 1.0, 1.0, -0.5, 0.0], SIZE // 5), 1.0).tolist()


def errors(seed):
    """Errors that become more, fewer, and more again."""
    source = numpy.random.default_rng(seed)
    rates = numpy.repeat([0.1, 0.4, 0.2, 0.25, 0.7], SIZE // 5)
    return (source.random(SIZE) < rates).astype(int).tolist()


def members(detector, values, options=""):
    return judged(f"drift.{detector}", [[value] for value in values], f"as: anomaly{options}")


def different(detector, make, streams, options=""):
    """Records about whose drift or warning the two say otherwise."""
    count = drifts = 0
    for values in streams:
        model = make()
        for value, found in zip(values, members(detector, values, options), strict=True):
            model.update(value)
            drifts += model.drift_detected
            count += model.drift_detected != (found["score"] > 1)
            count += getattr(model, "warning_detected", False) != found.get("warning", False)
    assert drifts > 0
    return count


def against_river(detector, make, streams, options="", title=""):
    @check(f"{detector}: records told otherwise{title}", "river", at_most(0), quick=True)
    def run():
        return different(detector, make, streams(), options)


def of_means():
    return [means(seed) for seed in range(2)]


def of_errors():
    return [errors(seed) for seed in range(2)]


against_river("adwin", drift.ADWIN, of_means)
against_river("adwin", lambda: drift.ADWIN(delta=0.2, clock=3, max_buckets=8), of_means,
              ", delta: 0.2, clock: 3, max_buckets: 8", ", other options")
against_river("page_hinkley", lambda: drift.PageHinkley(threshold=20.0), of_means,
              ", threshold: 20.0")
against_river("ddm", binary.DDM, of_errors)
against_river("eddm", binary.EDDM, of_errors)
against_river("hddm_a", binary.HDDMA, of_errors)
against_river("hddm_w", lambda: binary.HDDMW(two_sided_test=True), of_errors,
              ", two_sided_test: true")


@check("kswin: probability of the distance", "scipy.ks_2samp", at_most(1e-12), quick=True)
def kswin_probability():
    worst = 0.0
    for found in members("kswin", means(1)[:1000]):
        if found.get("p_value") is None:
            continue
        places = round(found["distance"] * 30)
        ladder = numpy.arange(30.0)
        asked = scipy.stats.ks_2samp(ladder, ladder + places - 0.5 * (places > 0)).pvalue
        worst = max(worst, abs(found["p_value"] - asked) / asked)
    return worst


@check("adwin: alarms per look over delta, no change", "the paper's bound", at_most(1))
def adwin_false_alarms():
    delta = 0.05
    source = numpy.random.default_rng(5)
    worst = 0.0
    for values in (source.normal(size=64000), source.random(64000), source.random(64000) < 0.2):
        found = members("adwin", values.astype(float).tolist(), f", delta: {delta}")
        alarms = sum(one["score"] > 1 for one in found)
        worst = max(worst, alarms / math.floor(len(values) / 32) / delta)
    return worst
