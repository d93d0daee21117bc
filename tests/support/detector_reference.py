"""Reference scores of the detectors, by their definitions and nothing cleverer.

Reads lines "key value" and writes lines "score a b" of the same count, where a and b are what the
record was compared with (mean and sd, median and mad, or level and mean). Each number is computed
anew from the list of the key's earlier values, so that no rounding error can pile up.

  detector_reference.py zscore  --warmup N --floor F [--decay D | --window N [--step M]]
                                [--population]
  detector_reference.py robust_z --warmup N --floor F --window N
  detector_reference.py ewma    --warmup N --floor F --lambda L --decay D
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("detector", choices=["zscore", "robust_z", "ewma"])
    parser.add_argument("--warmup", type=int, required=True)
    parser.add_argument("--floor", type=float, required=True)
    parser.add_argument("--decay", type=float, default=0.0)
    parser.add_argument("--window", type=int, default=0)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--population", action="store_true")
    parser.add_argument("--lambda", dest="lambda_", type=float, default=0.2)
    options = parser.parse_args()
    score_of = {"zscore": zscore, "robust_z": robust_z, "ewma": ewma}[options.detector]
    earlier = {}
    for line in sys.stdin:
        key, text = line.split()
        values = earlier.setdefault(key, [])
        value = float(text)
        print("%r %r %r" % score_of(values, value, options))
        values.append(value)


if __name__ == "__main__":
    main()
