"""detect.mahalanobis, half_space_trees, loda and random_cut_forest."""

import random

import numpy
import rrcf
import scipy.stats
from check import at_least, at_most, check
from river import anomaly

import data
from engine import judged, scores
from probe import ask


def mixed_rows(count, fields, seed):
    """Correlated numbers of different sizes."""
    source = numpy.random.default_rng(seed)
    mixed = source.normal(size=(count, fields)) @ source.normal(size=(fields, fields))
    return mixed * 10.0 ** source.integers(-3, 6, fields) + 1000 * source.normal(size=fields)


def relative(found, expected):
    found, expected = numpy.asarray(found, float), numpy.asarray(expected, float)
    size = numpy.maximum(numpy.abs(expected), 1e-300)
    return float(numpy.max(numpy.abs(found - expected) / size))


@check("mahalanobis: mean and covariance", "numpy", at_most(1e-9), quick=True)
def covariance():
    rows = mixed_rows(2000, 8, 1)
    answer = ask("covariance", [[8], *rows.tolist()])
    expected = numpy.cov(rows.T)
    scale = numpy.sqrt(numpy.diag(expected))
    wrong = numpy.abs(numpy.array(answer[1:], float) - expected) / numpy.outer(scale, scale)
    return max(relative(answer[0], rows.mean(axis=0)), float(wrong.max()))


@check("mahalanobis: distance and p-value through the engine", "numpy, scipy", at_most(1e-9),
       quick=True)
def distance():
    rows = mixed_rows(400, 5, 2)
    found = judged("detect.mahalanobis", rows.tolist(),
                   "threshold: 1e300, warmup: 50, shrink: 1e-6")
    worst = 0.0
    for place in range(50, len(rows)):
        before = rows[:place]
        covariances = numpy.cov(before.T)
        share = place / (place + 1e-6)
        shrunk = share * covariances + (1 - share) * numpy.diag(numpy.diag(covariances))
        away = rows[place] - before.mean(axis=0)
        squared = away @ numpy.linalg.solve(shrunk, away)
        worst = max(worst, relative(found[place]["squared"], squared),
                    abs(found[place]["p_value"] - scipy.stats.chi2.sf(squared, 5)))
    return worst


def dumped(tree, names):
    """Field and cut of each node of river's tree, in heap order."""
    nodes, level = [], [tree]
    while hasattr(level[0], "threshold"):
        nodes += [(names.index(node.feature), repr(node.threshold)) for node in level]
        level = [child for node in level for child in node.children]
    return nodes


@check("half_space_trees: score on river's own trees", "river HalfSpaceTrees", at_most(1e-12),
       quick=True)
def half_space_trees():
    names = ["a", "b", "c"]
    reference = anomaly.HalfSpaceTrees(n_trees=12, height=7, window_size=60, seed=5)
    source = random.Random(3)
    rows = [[min(max(source.gauss(0.5, 0.15), 0), 1) for _ in names] for _ in range(600)]
    expected = []
    for row in rows:
        named = dict(zip(names, row))
        expected.append(reference.score_one(named))
        reference.learn_one(named)
    lines = [[12, 7, 3, 60]]
    for tree in reference.trees:
        lines += dumped(tree, names)
    answer = ask("half_space_trees", lines + [[repr(number) for number in row] for row in rows])
    assert max(expected) > 0.5
    return max(abs(float(found[0]) - wanted) for found, wanted in zip(answer, expected))


class Philox:
    """What rrcf draws from: the numbers that our tree draws."""

    def __init__(self, seed):
        self.key = (seed & 0xFFFFFFFF, seed >> 32)
        self.step = self.level = 0

    def block(self, counter):
        words, key = list(counter), list(self.key)
        for _ in range(10):
            first, second = 0xD2511F53 * words[0], 0xCD9E8D57 * words[2]
            words = [(second >> 32) ^ words[1] ^ key[0], second & 0xFFFFFFFF,
                     (first >> 32) ^ words[3] ^ key[1], first & 0xFFFFFFFF]
            key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
        return words

    def uniform(self, low, high):
        words = self.block((self.level, 0, self.step & 0xFFFFFFFF, self.step >> 32))
        self.level += 1
        bits = (words[0] | words[1] << 32) >> 11
        return low + (high - low) * ((bits + 0.5) * 2.0**-53)


class Tree(rrcf.RCTree):
    """rrcf's tree, as its paper has it. rrcf 0.4.4 loses the lows of a leaf's box, which has one
    row: each split of a leaf is then a cut of the first dimension at the greater number."""

    def _insert_point_cut(self, point, bbox):
        return super()._insert_point_cut(point, numpy.vstack([bbox[0], bbox[-1]]))


def changed_tree(tree, steps):
    """Points come and go in rrcf's tree: yields the line for our tree and the points left."""
    source = numpy.random.default_rng(7)
    alive = []
    for step in range(steps):
        if len(alive) == 64 or (len(alive) > 5 and source.random() < 0.2):
            gone = alive.pop(int(source.integers(len(alive))))
            tree.forget_point(gone)
            yield ["forget", gone], alive
            continue
        normal = source.random() < 0.7
        point = source.normal(size=3) if normal else source.integers(0, 2, 3).astype(float)
        tree.rng.step, tree.rng.level = step, 0
        tree.insert_point(point, index=step)
        alive.append(step)
        yield ["insert", step, *map(repr, point.tolist())], alive


def worst_codisp(lines, expected):
    answer = ask("random_cut_tree", lines)
    assert len(answer) == len(expected) and max(expected) > 3
    return max(abs(float(found[0]) - wanted) for found, wanted in zip(answer, expected))


@check("random_cut_forest: CoDisp of all points after each change", "rrcf, leaf's box mended",
       at_most(0), quick=True)
def changed_point_by_point():
    """Points come and go, some of them equal; our tree draws the same and must be the same."""
    tree = Tree()
    tree.rng = Philox(99)
    lines, expected = [[64, 3, 99]], []
    for line, alive in changed_tree(tree, 400):
        lines.append(line)
        lines += [["codisp", one] for one in alive]
        expected += [float(tree.codisp(one)) for one in alive]
    return worst_codisp(lines, expected)


def tree_lines(tree, capacity):
    """rrcf's tree as lines of our probe."""
    lines, places = [], {"leaf": 0, "branch": 0}

    def add(node):
        kind = "branch" if isinstance(node, rrcf.Branch) else "leaf"
        place = places[kind]
        places[kind] += 1
        if kind == "branch":
            children = [add(node.l), add(node.r)]
            lines.append(["branch", place, node.q, repr(float(node.p)), *children])
            return capacity + place
        lines.append(["leaf", place, node.n, *map(repr, node.x.tolist())])
        lines.extend(["name", one, place] for one, leaf in tree.leaves.items() if leaf is node)
        return place

    add(tree.root)
    return [*lines, ["derive", 0]]


@check("random_cut_forest: CoDisp on rrcf's own trees, then forgets", "rrcf 0.4.4", at_most(0),
       quick=True)
def dumped_trees():
    worst = 0.0
    for steps in (30, 120, 400):
        tree = rrcf.RCTree()
        tree.rng = Philox(99)
        for _, alive in changed_tree(tree, steps):
            pass
        lines = [[64, 3, 99], *tree_lines(tree, 64)]
        expected = []
        while len(alive) > 2:
            lines += [["codisp", one] for one in alive]
            expected += [float(tree.codisp(one)) for one in alive]
            gone = alive.pop(0)
            tree.forget_point(gone)
            lines.append(["forget", gone])
        worst = max(worst, worst_codisp(lines, expected))
    return worst


@check("mahalanobis on shuttle: AUROC", "mean of 5 shuffles", at_least(0.98))
def mahalanobis_on_shuttle():
    return data.mean_auroc(data.shuttle(), lambda rows, _: scores("detect.mahalanobis", rows))


@check("half_space_trees on shuttle: AUROC", "mean of 5 shuffles", at_least(0.92))
def half_space_trees_on_shuttle():
    return data.mean_auroc(
        data.shuttle(), lambda rows, seed: scores("detect.half_space_trees", rows, f"seed: {seed}"))


@check("loda on shuttle, first 10,000 of the file: AUROC", "mean of 5 seeds", at_least(0.95))
def loda_on_shuttle():
    rows, labels = data.shuttle()
    found = [data.auroc(labels[:10000], scores("detect.loda", rows[:10000], f"seed: {seed}"))
             for seed in range(5)]
    return sum(found) / len(found)


@check("loda on shuttle, 10,000 of each shuffle: AUROC", "mean of 5 shuffles", at_least(0.95))
def loda_on_shuffled_shuttle():
    found = []
    for seed in range(5):
        rows, labels = data.shuffled(*data.shuttle(), seed)
        found.append(data.auroc(labels[:10000],
                                scores("detect.loda", rows[:10000], f"seed: {seed}")))
    return sum(found) / len(found)


@check("loda against river's loda, shuttle[10k]: AUROC", "river LODA, minus 0.01", at_least(0))
def loda_beside_river():
    """Ours less river's, on the same rows in file order, scaled to 0..1 for river."""
    rows, labels = data.shuttle()
    rows, labels = numpy.array(rows[:10000]), labels[:10000]
    span = rows.max(axis=0) - rows.min(axis=0)
    scaled = (rows - rows.min(axis=0)) / span
    reference = anomaly.LODA(n_bins=10, n_random_cuts=100, seed=42)
    expected = []
    for row in scaled.tolist():
        named = dict(enumerate(row))
        expected.append(reference.score_one(named))
        reference.learn_one(named)
    ours = data.auroc(labels, scores("detect.loda", rows.tolist()))
    return ours - data.auroc(labels, expected) + 0.01


@check("random_cut_forest on shuttle, 10,000 of each shuffle: AUROC", "mean of 5 shuffles",
       at_least(0.94))
def random_cut_forest_on_shuttle():
    found = []
    for seed in range(5):
        rows, labels = data.shuffled(*data.shuttle(), seed)
        found.append(data.auroc(labels[:10000],
                                scores("detect.random_cut_forest", rows[:10000])))
    return sum(found) / len(found)
