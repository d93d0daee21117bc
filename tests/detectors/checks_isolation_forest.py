"""detect.isolation_forest beside scikit-learn's IsolationForest on the same windows."""

import numpy
from check import at_least, at_most, check
from sklearn.ensemble import IsolationForest

import data
from engine import judged, scores

WINDOW = 2048
SEEDS = 3


def by_windows(rows, seed):
    """scikit-learn's scores of each window from the forest of the one before."""
    rows = numpy.array(rows)
    found = numpy.zeros(len(rows))
    for first in range(WINDOW, len(rows), WINDOW):
        forest = IsolationForest(n_estimators=50, max_samples=256, random_state=seed)
        forest.fit(rows[first - WINDOW:first])
        found[first:first + WINDOW] = -forest.score_samples(rows[first:first + WINDOW])
    return found


@check("isolation_forest on shuttle: AUROC beside scikit-learn's", "scikit-learn, same windows",
       at_most(0.02))
def beside_sklearn():
    """The largest difference of the means over shuffles: of all, and without what is outside."""
    differences = []
    for seed in range(SEEDS):
        rows, labels = data.shuffled(*data.shuttle(), seed)
        labels = labels[WINDOW:]
        expected = data.auroc(labels, by_windows(rows, seed)[WINDOW:])
        found = judged("detect.isolation_forest", rows,
                       f"threshold: 1e300, window: {WINDOW}, step: {WINDOW}, warmup: {WINDOW}, "
                       f"seed: {seed}")[WINDOW:]
        whole = data.auroc(labels, [one["score"] for one in found])
        plain = data.auroc(labels, [one["score"] - one["outside"] for one in found])
        print(f"    seed {seed}: scikit-learn {expected:.4f}, ours {whole:.4f}, "
              f"without outside {plain:.4f}")
        differences.append((whole - expected, plain - expected))
    return max(abs(float(one)) for one in numpy.mean(differences, axis=0))


@check("isolation_forest: path of each record in one window", "scikit-learn, mean",
       at_most(0.01), quick=True)
def paths():
    """Over many trees the mean score of each record is the same: root mean square difference."""
    source = numpy.random.default_rng(1)
    rows = source.normal(size=(1012, 3)) * [1, 10, 100]
    rows[512:532] *= 5
    forest = IsolationForest(n_estimators=256, max_samples=64, random_state=1).fit(rows[:512])
    found = judged("detect.isolation_forest", rows.tolist(),
                   "threshold: 1e300, trees: 256, sample: 64, window: 512, step: 512, "
                   "warmup: 512")[512:]
    ours = numpy.array([one["score"] - one["outside"] for one in found])
    return float(numpy.sqrt(numpy.mean((ours + forest.score_samples(rows[512:])) ** 2)))


@check("isolation_forest on shuttle, 10,000 of each shuffle: AUROC", "mean of 5 shuffles",
       at_least(0.95))
def on_shuttle():
    found = []
    for seed in range(5):
        rows, labels = data.shuffled(*data.shuttle(), seed)
        found.append(data.auroc(labels[:10000],
                                scores("detect.isolation_forest", rows[:10000], f"seed: {seed}")))
    return sum(found) / len(found)
