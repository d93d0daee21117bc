"""detect.ensemble, new_value, rare_value, heartbeat and rate, against numpy, scipy and Counter."""

import json
import math
import random
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import numpy
import scipy.stats
from check import at_most, check, equals

from engine import PROGRAM, judged


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


EVENTS = """\
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {{name: check}}
spec:
  guarantee: at_least_once
  sources:
    - name: events
      type: file
      path: {folder}/events.csv
      format: csv
      csv: {{columns: [ts, k]}}
      schema: {{ts: int, k: string}}
      timestamp: ts
      watermark: {{max_delay: {max_delay}ms}}
  operators:
    - {{name: judged, from: events, key: [k], {detector}}}
  sinks:
    - {{name: out, type: stdout, from: {output}}}
"""


def told(events, detector, output, max_delay=0):
    """The rows of an output over events (time, key), in order."""
    with tempfile.TemporaryDirectory(prefix="millrace-detectors-") as folder:
        text = "".join(f"{time},{key}\n" for time, key in events)
        (Path(folder) / "events.csv").write_text(text, encoding="utf-8")
        topology = Path(folder) / "topology.yaml"
        topology.write_text(EVENTS.format(folder=folder, detector=detector, output=output,
                                          max_delay=max_delay), encoding="utf-8")
        result = subprocess.run([str(PROGRAM), "run", str(topology), "--until-end", "--quiet"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                cwd=folder, check=False, timeout=600)
    if result.returncode != 0:
        raise RuntimeError(result.stderr)
    return [json.loads(line) for line in result.stdout.splitlines()]


def poisson_events(keys, end, seed):
    """Each key at a pace of its own, with pauses."""
    source = random.Random(seed)
    events = []
    for key in range(keys):
        time = source.randrange(1000)
        while time < end:
            events.append((time, f"k{key}"))
            slow = 40 if source.random() < 0.01 else 1
            time += 1 + int(source.expovariate(1 / ((key + 1) * 50 * slow)))
    return sorted(events)


def gap_limit(gaps):
    """Three times the 0.9 quantile of the last 40 gaps, from ten on; 60 s before."""
    if len(gaps) < 10:
        return 60000
    place = math.ceil(0.9 * (len(gaps[-40:]) + 1) - 1e-9)
    return max(1000, math.ceil(3.0 * sorted(gaps[-40:])[min(place, len(gaps[-40:])) - 1]))


def expected_silences(events):
    """(key, state, event time) of each alert; the end of the input is 1 ms behind the last."""
    last, gaps, alerts = {}, {}, set()
    for time, key in events:
        if key in last:
            limit, gap = gap_limit(gaps[key]), time - last[key]
            if gap > limit:
                alerts |= {(key, "open", last[key] + limit + 1), (key, "resolved", time)}
            gaps[key].append(min(gap, limit))
        gaps.setdefault(key, [])
        last[key] = time
    for key, time in last.items():
        if time + gap_limit(gaps[key]) <= events[-1][0]:
            alerts.add((key, "open", time + gap_limit(gaps[key]) + 1))
    return alerts


@check("heartbeat: alerts that differ from the gaps' own", "sorted, by key", equals(0), quick=True)
def silences():
    events = poisson_events(12, 200000, 5)
    events = [event for event in events if event[1] != "k3" or event[0] < 90000]
    found = told(events, "type: detect.heartbeat, timeout: 60s, learned: "
                 "{quantile: 0.9, gaps: 40, warmup: 10}", "judged.alerts")
    listed = [(one["key"], one["state"], one["event_time"]) for one in found]
    expected = expected_silences(events)
    assert len(expected) > 20 and len(listed) == len(set(listed))
    return len(set(listed) ^ expected)


def rate_scores(counts, warmup, decay):
    """Score, mean and sd of each window of a key, beginning with its second."""
    scores = []
    for place, count in enumerate(counts):
        weights = (1 - decay) ** numpy.arange(place - 1, -1, -1.0)
        if place < warmup:
            scores.append((0.0, None))
            continue
        known = weights.sum() ** 2 / (weights ** 2).sum()
        before = numpy.array(counts[:place], float)
        average = numpy.average(before, weights=weights)
        spread = ((weights * (before - average) ** 2).sum()
                  / (weights.sum() - (weights ** 2).sum() / weights.sum()))
        mean = average + 0.5 / known
        variance = max(spread, mean) * (1 + 1 / known)
        size, share = mean * mean / (variance - mean), mean / variance
        tails = scipy.stats.nbinom.logsf(count - 1, size, share), \
            scipy.stats.nbinom.logcdf(count, size, share)
        scores.append((max(0.0, -(min(tails) + math.log(2)) / math.log(10)), average))
    return scores


def windows_of(events, key, size):
    """The counts of a key's windows from its second one to its last, empty ones with them."""
    counted = Counter(time // size for time, of in events if of == key)
    return [(window, counted[window]) for window in range(min(counted) + 1, max(counted) + 1)]


def worst_rate(events, decay):
    option = f", decay: {decay}" if decay else ""
    found = told(events, "type: detect.rate, window: {tumbling: 2s}, warmup: 8, max_empty: 100"
                 + option, "judged")
    rows = {(one["k"], one["window_start"] // 2000): one for one in found}
    assert len(rows) == len(found), "a window left twice"
    worst, scored = 0.0, 0
    for key in {key for _, key in events}:
        windows = windows_of(events, key, 2000)
        expected = rate_scores([count for _, count in windows], 8, decay)
        for (window, count), (score, average) in zip(windows, expected):
            one = rows[key, window]
            assert one["count"] == count, (key, window)
            scored += average is not None
            worst = max(worst, abs(one["anomaly"]["score"] - score) / (1 + score))
            if average is not None:
                worst = max(worst, abs(one["anomaly"]["expected"] - average) / (1 + average))
    assert scored > 300
    return worst


@check("rate: counts, and scores of all windows", "scipy.stats.nbinom", at_most(1e-8), quick=True)
def rates():
    return worst_rate(poisson_events(12, 200000, 6), 0)


@check("rate with decay: counts, and scores of all windows", "scipy.stats.nbinom", at_most(1e-8),
       quick=True)
def rates_with_decay():
    return worst_rate(poisson_events(12, 200000, 7), 0.1)


@check("rate: share of a Poisson process's windows with p_value <= 0.01", "Poisson", at_most(0.012))
def rates_keep_their_promise():
    source = numpy.random.default_rng(8)
    times = numpy.sort(source.integers(0, 4000 * 1000, size=4000 * 7))
    found = told([(int(time), "k") for time in times],
                 "type: detect.rate, window: {tumbling: 1s}", "judged")
    judged_windows = [one["anomaly"]["p_value"] for one in found[21:]]
    return sum(p_value <= 0.01 for p_value in judged_windows) / len(judged_windows)
