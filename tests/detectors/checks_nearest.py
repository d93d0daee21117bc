"""detect.nearest beside a plain computation with numpy, from its definition."""

import numpy
from check import at_most, check

from engine import judged

WARMUP = 20
FLOOR = 1e-9


def plain(values, shingle, room, resolution, decay):
    """Distance, scale, points and score of each record: the distance to the nearest of the kept
    points over the weighted root mean square of the distances before."""
    kept, squares, weights, found = [], [], [], []
    for record in range(len(values)):
        made = record - shingle + 1  # points before this one
        usual = numpy.sqrt(numpy.average(squares, weights=weights)) if squares else 0.0
        point = values[max(made, 0):record + 1]
        away = None
        if kept:
            away = numpy.linalg.norm(numpy.array(kept) - point, axis=1).min()
        score = 0.0 if made < WARMUP else away / max(usual, FLOOR)
        found.append((away, usual, len(kept), score))
        if made < 0:
            continue
        if away is None or away > resolution * usual:
            kept = [*kept, point][-room:]
        if away is not None:
            share = max(1 / made, decay)
            weights = [weight * (1 - share) for weight in weights] + [share]
            squares.append(away**2)
    return found


def worst_difference(shingle, room, resolution, decay):
    source = numpy.random.default_rng(4)
    values = source.choice([0.0, 10.0, 11.0], size=1500) + source.normal(size=1500)
    values[900:950] = 25.0  # a level that comes once, and a constant
    expected = plain(values, shingle, room, resolution, decay)
    found = judged("detect.nearest", [[value] for value in values],
                   f"threshold: 1e300, warmup: {WARMUP}, shingle: {shingle}, points: {room}, "
                   f"resolution: {resolution}, decay: {decay}")
    worst = 0.0
    for ours, (away, usual, points, score) in zip(found, expected, strict=True):
        assert ours["points"] == points, (ours, points)
        assert (ours["distance"] is None) == (away is None)
        if away is None:
            continue
        for mine, wanted in ((ours["distance"], away), (ours["scale"], usual),
                             (ours["score"], score)):
            worst = max(worst, abs(mine - wanted) / max(abs(wanted), 1e-3))
    assert max(points for _, _, points, _ in expected) == room  # points have left
    return worst


@check("nearest: distance, scale, points, score", "numpy", at_most(1e-9), quick=True)
def numbers():
    return worst_difference(1, 20, 0.5, 0.0001)


@check("nearest of sequences: distance, scale, points, score", "numpy", at_most(1e-9), quick=True)
def sequences():
    return worst_difference(5, 100, 0.25, 0.02)
