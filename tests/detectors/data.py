"""Labelled data that the references themselves ship; README.md says which."""

import csv
import gzip
import random
from pathlib import Path

import numpy


def shuttle():
    """river's shuttle in file order: rows, labels."""
    import river.datasets

    path = Path(river.datasets.__file__).parent / "shuttle.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = list(csv.reader(file))[1:]
    rows = [[float(number) for number in line[:-1]] for line in lines]
    return rows, [int(float(line[-1])) for line in lines]


def shuffled(rows, labels, seed):
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)
    return [rows[place] for place in order], [labels[place] for place in order]


def auroc(labels, scores):
    """Area under the curve; equal scores count half."""
    scores = numpy.asarray(scores, dtype=float)
    labels = numpy.asarray(labels)
    _, places, counts = numpy.unique(scores, return_inverse=True, return_counts=True)
    ranks = (numpy.cumsum(counts) - (counts - 1) / 2)[places]
    positive = int(labels.sum())
    negative = len(labels) - positive
    return float((ranks[labels == 1].sum() - positive * (positive + 1) / 2)
                 / (positive * negative))


def mean_auroc(data, judge, seeds=5):
    """Mean over shuffles of rows and labels; judge(rows, seed) gives scores."""
    rows, labels = data
    found = []
    for seed in range(seeds):
        one_rows, one_labels = shuffled(rows, labels, seed)
        found.append(auroc(one_labels, judge(one_rows, seed)))
    return sum(found) / len(found)
