"""Reference scores of the detectors, by their definitions and nothing cleverer.

Reads lines "key value" and writes lines "score a b" of the same count, where a and b are what the
record was compared with (mean and sd, median and mad or scale, quartiles, or level and mean). Each
number is computed anew from the list of the key's earlier values, so that no rounding error can
pile up.

  detector_reference.py zscore  --warmup N --floor F [--decay D | --window N [--step M]]
                                [--population]
  detector_reference.py robust_z --warmup N --floor F --window N
  detector_reference.py hampel  --warmup N --floor F --window N
  detector_reference.py iqr     --warmup N --floor F --window N
  detector_reference.py ewma    --warmup N --floor F --lambda L --decay D
  detector_reference.py relative_entropy --warmup N --window N --bins B --critical T
                                --hypotheses M (--range LOW HIGH | --range-records N)
relative_entropy writes the statistic and once more the score as a and b.
"""

import argparse
import math
import statistics
import sys


def zscore(earlier, value, options):
    if options.window and len(earlier) > options.window:
        steps = (len(earlier) - options.window) // options.step
        first = steps * options.step
        earlier = earlier[first : first + options.window]
    if not earlier:
        return 0.0, 0.0, 0.0
    count = len(earlier)
    keep = 1.0 - options.decay
    weights = [keep ** (count - 1 - i) for i in range(count)]
    total = math.fsum(weights)
    mean = math.fsum(w * x for w, x in zip(weights, earlier)) / total
    squares = math.fsum(w * (x - mean) ** 2 for w, x in zip(weights, earlier))
    freedom = total if options.population else total - math.fsum(w * w for w in weights) / total
    sd = math.sqrt(squares / freedom) if count > 1 else 0.0
    score = abs(value - mean) / max(sd, options.floor) if count >= options.warmup else 0.0
    return score, mean, sd


def robust_z(earlier, value, options):
    window = earlier[-options.window :]
    if not window:
        return 0.0, 0.0, 0.0
    median = statistics.median(window)
    mad = statistics.median([abs(x - median) for x in window])
    score = 0.0
    if len(window) >= options.warmup:
        score = abs(value - median) / max(1.4826 * mad, options.floor)
    return score, median, mad


def hampel(earlier, value, options):
    window = earlier[-options.window :]
    if not window:
        return 0.0, 0.0, options.floor
    median = statistics.median(window)
    distances = [abs(x - median) for x in window]
    scale = 1.4826 * statistics.median(distances)
    if not scale:
        scale = math.sqrt(math.pi / 2) * math.fsum(distances) / len(window)
    scale = max(scale, options.floor)
    score = abs(value - median) / scale if len(window) >= options.warmup else 0.0
    return score, median, scale


def iqr(earlier, value, options):
    window = sorted(earlier[-options.window :])
    if not window:
        return 0.0, 0.0, 0.0
    first = last = window[0]
    if len(window) > 1:
        first, _, last = statistics.quantiles(window, n=4, method="inclusive")
    width = last - first
    if not width:
        normal = statistics.NormalDist().inv_cdf(0.75) * math.sqrt(2 * math.pi)
        width = normal * statistics.fmean(abs(x - statistics.median(window)) for x in window)
    score = 0.0
    if len(window) >= options.warmup:
        score = max(first - value, value - last, 0.0) / max(width, options.floor)
    return score, first, last


def baseline(earlier, decay):
    """Weighted mean and variance with explicit weights: a record learned as the n-th with weight a
    keeps a times the product of (1 - a) of all later ones."""
    weights = []
    keep = 1.0
    for n in range(len(earlier), 0, -1):
        a = max(1.0 / n, decay)
        weights.append(a * keep)
        keep *= 1.0 - a
    weights.reverse()
    mean = math.fsum(w * x for w, x in zip(weights, earlier))
    variance = math.fsum(w * (x - mean) ** 2 for w, x in zip(weights, earlier))
    return mean, math.sqrt(variance)


def ewma(earlier, value, options):
    values = earlier + [value]
    lam = options.lambda_
    level = (1 - lam) ** (len(values) - 1) * values[0] + math.fsum(
        lam * (1 - lam) ** (len(values) - 1 - i) * values[i] for i in range(1, len(values))
    )
    mean, sd = baseline(earlier, options.decay)
    score = 0.0
    if len(earlier) >= options.warmup:
        score = abs(level - mean) / (max(sd, options.floor) * math.sqrt(lam / (2 - lam)))
    return score, level, mean


class Windows:
    """The kinds of windows that a key has had."""

    def __init__(self, options):
        self.options = options
        self.kinds, self.met, self.hand, self.seen = [], [], 0, 0

    def count(self, window, low, high):
        counts = [0] * self.options.bins
        width = (high - low) / self.options.bins
        for x in window:
            if width > 0:
                place = min(max(math.ceil((x - low) / width), 0), self.options.bins - 1)
            else:
                place = 0 if x < low else self.options.bins - 1 if x > low else 1
            counts[place] += 1
        return counts

    def statistic(self, counts, kind):
        size, bins = sum(counts), self.options.bins
        if all(m for n, m in zip(counts, kind) if n):
            return max(0.0, 2 * math.fsum(n * math.log(n / m) for n, m in zip(counts, kind) if n))
        return self.options.critical + 2 * math.fsum(
            n * math.log((n / size) / ((m + 0.5) / (size + bins / 2)))
            for n, m in zip(counts, kind) if n)

    def nearest(self, counts):
        """Statistic and place of the nearest kind."""
        return min(((self.statistic(counts, kind), place)
                    for place, kind in enumerate(self.kinds)), default=(math.inf, 0))

    def learn(self, counts):
        statistic, place = self.nearest(counts)
        if statistic < self.options.critical:
            self.met[place] = True
        elif len(self.kinds) < self.options.hypotheses:
            self.kinds.append(counts)
            self.met.append(True)
        else:
            while self.met[self.hand]:
                self.met[self.hand] = False
                self.hand = (self.hand + 1) % len(self.kinds)
            self.kinds[self.hand] = counts
            self.met[self.hand] = True
            self.hand = (self.hand + 1) % len(self.kinds)


WINDOWS = {}  # of each list of earlier values


def relative_entropy(earlier, value, options):
    records, size = options.range_records, options.window
    if len(earlier) < max(records, size - 1):
        return 0.0, 0.0, 0.0
    low, high = options.range or (min(earlier[:records]), max(earlier[:records]))
    windows = WINDOWS.setdefault(id(earlier), Windows(options))
    while windows.seen < len(earlier):
        windows.seen += 1
        if windows.seen >= size:
            learned = earlier[windows.seen - size : windows.seen]
            windows.learn(windows.count(learned, low, high))
    if not windows.kinds:
        return 0.0, 0.0, 0.0
    window = (earlier + [value])[-size:]
    statistic, _ = windows.nearest(windows.count(window, low, high))
    score = 0.0
    if len(earlier) >= max(options.warmup, size):
        score = statistic / options.critical
    return score, statistic, score


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("detector", choices=["zscore", "robust_z", "hampel", "iqr", "ewma",
                                             "relative_entropy"])
    parser.add_argument("--warmup", type=int, required=True)
    parser.add_argument("--floor", type=float, default=0.0)
    parser.add_argument("--decay", type=float, default=0.0)
    parser.add_argument("--window", type=int, default=0)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--population", action="store_true")
    parser.add_argument("--bins", type=int, default=5)
    parser.add_argument("--critical", type=float)
    parser.add_argument("--hypotheses", type=int)
    parser.add_argument("--range", type=float, nargs=2)
    parser.add_argument("--range-records", type=int, default=0)
    parser.add_argument("--lambda", dest="lambda_", type=float, default=0.2)
    options = parser.parse_args()
    score_of = {"zscore": zscore, "robust_z": robust_z, "hampel": hampel, "iqr": iqr,
                "ewma": ewma, "relative_entropy": relative_entropy}[options.detector]
    earlier = {}
    for line in sys.stdin:
        key, text = line.split()
        values = earlier.setdefault(key, [])
        value = float(text)
        print("%r %r %r" % score_of(values, value, options))
        values.append(value)


if __name__ == "__main__":
    main()
