"""The Numenta Anomaly Benchmark: its folder, and its three normalised scores.

Written from the published rules: a detector gives each record a score; one threshold for all series
turns scores into detections, chosen for each profile as the one that earns most. In each window of
anomalies the best-paid detection counts (the earlier, the more), or the window is missed; a
detection outside costs, little right behind a window. The first part of a series (probation) does
not count. 0 is what a detector without detections earns, 100 what a perfect one does.
"""

import csv
import json
import math
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy

PROFILES = ("standard", "reward_low_FP_rate", "reward_low_FN_rate")
PROBATION_SHARE = 0.15
PROBATION_RECORDS = 750  # at most
EARLIEST = 2 / (1 + math.exp(-5)) - 1  # of a detection in a window's first record


@dataclass
class Series:
    name: str
    times: list  # datetime
    values: list
    windows: list  # (first, last) record of each
    probation: int  # records


def default_folder():
    """The data beside the project, or in MILLRACE_TEST_DATA."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    return Path(os.environ.get("MILLRACE_TEST_DATA", beside)) / "nab"


def read_series(path, name, limits):
    with open(path, encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    times = [datetime.fromisoformat(line["timestamp"]) for line in lines]
    windows = [tuple(times.index(datetime.fromisoformat(text)) for text in limit)
               for limit in limits]
    probation = min(math.floor(PROBATION_SHARE * len(times)), PROBATION_RECORDS)
    return Series(name, times, [float(line["value"]) for line in lines], windows, probation)


def read(folder):
    """All series of a folder, by name. Labels of series that are not there count for nothing."""
    folder = Path(folder)
    labels = json.loads((folder / "labels" / "combined_windows.json").read_text(encoding="utf-8"))
    paths = {path.relative_to(folder / "data").as_posix(): path
             for path in sorted((folder / "data").glob("*/*.csv"))}
    if not paths:
        raise FileNotFoundError(f"{folder}/data has no series")
    unlabelled = sorted(set(paths) - set(labels))
    if unlabelled:
        raise FileNotFoundError(f"there are no labels of {', '.join(unlabelled)}")
    return [read_series(path, name, labels[name]) for name, path in paths.items()]


def weights(folder):
    """Of each profile: what a window earns, what a missed one costs, what a false one costs."""
    text = (Path(folder) / "config" / "profiles.json").read_text(encoding="utf-8")
    costs = {name: profile["CostMatrix"] for name, profile in json.loads(text).items()}
    return {name: tuple(costs[name][f"{kind}Weight"] for kind in ("tp", "fn", "fp"))
            for name in PROFILES}


def sigmoid(place):
    """1 to -1 of a place relative to a window: negative within it, positive behind."""
    return -1.0 if place > 3 else 2 / (1 + math.exp(5 * place)) - 1


def worth(series):
    """Of each record that counts: its place, its window's number or -1, and the unweighted score of
    a detection there."""
    found = []
    number, behind = 0, None  # the window at or before the record: (last, width)
    for place in range(len(series.times)):
        window = series.windows[number] if number < len(series.windows) else None
        inside = window is not None and window[0] <= place
        if inside:
            width = window[1] - window[0] + 1
            score = sigmoid(-(window[1] - place + 1) / width) / EARLIEST
        else:
            score = -1.0 if behind is None else sigmoid((place - behind[0]) / (behind[1] - 1))
        if place >= series.probation:
            found.append((place, number if inside else -1, score))
        if inside and place == window[1]:
            behind = (place, width)
            number += 1
    return found


class Benchmark:
    """The series of a folder, ready for scoring any number of detectors."""

    def __init__(self, folder):
        self.series = read(folder)
        self.weights = weights(folder)
        self.windows = sum(len(one.windows) for one in self.series)
        self.windows_that_count = 0
        places, windows, scores = [], [], []
        for one in self.series:
            found = worth(one)
            first = self.windows_that_count
            numbers = sorted({number for _, number, _ in found} - {-1})
            named = {number: first + at for at, number in enumerate(numbers)}
            self.windows_that_count += len(numbers)
            places.append(numpy.array([place for place, _, _ in found], int))
            windows += [named.get(number, -1) for _, number, _ in found]
            scores += [score for _, _, score in found]
        self.places = places
        self.window = numpy.array(windows)
        self.worth = numpy.array(scores)

    def earned(self, scores, profile):
        """The most that a threshold earns, and that threshold. scores: of all records that count.
        """
        for_hit, for_miss, for_false = self.weights[profile]
        order = numpy.argsort(-scores, kind="stable")
        window, worth_now = self.window[order], self.worth[order]
        gain = numpy.where(window < 0, worth_now * for_false, 0.0)
        inside = numpy.flatnonzero(window >= 0)
        # Within each window the best-paid detection so far counts.
        grouped = inside[numpy.argsort(window[inside], kind="stable")]
        starts = numpy.flatnonzero(numpy.diff(window[grouped], prepend=-1))
        for first, last in zip(starts, [*starts[1:], len(grouped)]):
            places = grouped[first:last]
            best = numpy.maximum.accumulate(worth_now[places] * for_hit)
            gain[places] = numpy.diff(best, prepend=-for_miss)
        total = numpy.cumsum(gain)
        sorted_scores = scores[order]
        ends = numpy.append(numpy.flatnonzero(numpy.diff(sorted_scores)), len(scores) - 1)
        nothing = -for_miss * self.windows_that_count
        best = ends[numpy.argmax(total[ends])]
        if total[best] <= 0:
            return nothing, math.inf
        return nothing + float(total[best]), float(sorted_scores[best])

    def flat(self, scores):
        """Scores by series' name, as one array of the records that count, with the 12 digits that
        NAB's files of results have: equal ones are one threshold."""
        found = numpy.concatenate([numpy.asarray(scores[one.name], float)[places]
                                   for one, places in zip(self.series, self.places)])
        if not numpy.all(numpy.isfinite(found)):
            raise ValueError("a score is not a number")
        return numpy.array([float(f"{one:.12g}") for one in found])

    def score(self, scores):
        """NAB's normalised score of each profile. scores: of each record, by series' name."""
        flat = self.flat(scores)
        result = {}
        for profile in PROFILES:
            for_hit, for_miss, _ = self.weights[profile]
            nothing = -for_miss * self.windows
            perfect = for_hit * self.windows
            result[profile] = (100 * (self.earned(flat, profile)[0] - nothing)
                               / (perfect - nothing))
        return result


def windowed_gaussian(values, window=6400, step=100):
    """NAB's windowedGaussian: 1 less the tail of a normal distribution beyond the value; mean and
    standard deviation are of the last `window` values, made anew each `step` of them."""
    values = numpy.asarray(values, float)
    scores = [0.0]
    mean, deviation = float(values[0]), 1e-6
    for place in range(1, len(values)):
        last = place if place <= window else place - (place - window) % step
        if last == place:
            kept = values[max(0, last - window):last]
            mean, deviation = float(kept.mean()), float(kept.std())
            deviation = deviation if deviation > 0 else 1e-6
        away = abs(values[place] - mean) / deviation
        scores.append(1 - 0.5 * math.erfc(away / math.sqrt(2)))
    return scores
