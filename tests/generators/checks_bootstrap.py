"""generate.bootstrap beside the smoothed bootstrap written from its definition (numpy, scipy), and
beside copulas' Gaussian copula by sdmetrics' scores."""

import functools
import json

import numpy
from check import Missing, at_least, at_most, check
from scipy import stats

import generator_engine

FOREVER = "half_life: 1000000000, reservoir: 4096"
SEEDS = 3
DRAWN = 20000
# The 0.1 % point of Kolmogorov's statistic for so many.
KOLMOGOROV = 1.95 / DRAWN ** 0.5


def drawn(records, count, batch, options):
    return generator_engine.drawn(records, count, batch, options, "generate.bootstrap")


def bandwidth(numbers):
    """Silverman's rule."""
    quartiles = numpy.percentile(numbers, [25, 75])
    spread = min(numbers.std(), (quartiles[1] - quartiles[0]) / 1.34)
    return 0.9 * spread * len(numbers) ** -0.2


def smoothed_below(numbers, points, width):
    """The distribution function of the smoothed bootstrap of the numbers, which keeps their
    variance, reflected into their range."""
    shrink = 1 / numpy.sqrt(1 + (width / numbers.std()) ** 2)
    centres = numbers.mean() + (numbers - numbers.mean()) * shrink
    least, greatest = numbers.min(), numbers.max()

    def free(point):
        return stats.norm.cdf((point - centres) / (width * shrink)).mean()

    return numpy.array([free(point) - free(2 * least - point) + 1 - free(2 * greatest - point)
                        for point in points])


def two_hills(count):
    source = numpy.random.default_rng(31)
    return numpy.concatenate([source.normal(0, 1, count // 2), source.normal(9, 2, count // 2)])


def distance_of_kernel(options, width):
    numbers = two_hills(2000)
    found = drawn([{"f0": float(number)} for number in numbers], DRAWN, 200,
                  f"{FOREVER}, {options}")
    synthetic = numpy.sort([record["f0"] for record in found])
    points = numpy.linspace(numbers.min() + 1e-9, numbers.max() - 1e-9, 800)
    empirical = numpy.searchsorted(synthetic, points, side="right") / len(synthetic)
    return float(numpy.abs(empirical - smoothed_below(numbers, points, width)).max())


@check("bootstrap: distribution of the numbers, Silverman's noise", "numpy, by definition",
       at_most(KOLMOGOROV), quick=True)
def silverman():
    return distance_of_kernel("seed: 1", bandwidth(two_hills(2000)))


@check("bootstrap: distribution of the numbers, noise: 0.5", "numpy, by definition",
       at_most(KOLMOGOROV), quick=True)
def given_noise():
    return distance_of_kernel("noise: 0.5", 0.5 * two_hills(2000).std())


@check("bootstrap: correlations with noise: 0.7, in standard errors", "numpy, all rows",
       at_most(4), quick=True)
def correlations():
    source = numpy.random.default_rng(32)
    latent = source.normal(size=(2000, 3))
    rows = latent @ numpy.array([[1, 0.9, -0.5], [0, 0.4, 0.7], [0, 0, 0.5]])
    records = [{f"f{place}": float(number) for place, number in enumerate(row)} for row in rows]
    found = drawn(records, DRAWN, 200, f"{FOREVER}, noise: 0.7")
    synthetic = [[record[f"f{place}"] for place in range(3)] for record in found]
    wanted = numpy.corrcoef(rows.T)
    away = numpy.abs(numpy.corrcoef(numpy.transpose(synthetic)) - wanted)
    return float((away / ((1 - wanted ** 2) / DRAWN ** 0.5 + numpy.eye(3))).max())


@check("bootstrap: means and deviations, in standard errors", "numpy, all rows", at_most(4),
       quick=True)
def moments():
    numbers = two_hills(2000)
    found = drawn([{"f0": float(number)} for number in numbers], DRAWN, 200, FOREVER)
    synthetic = numpy.array([record["f0"] for record in found])
    deviation = numbers.std()
    fourth = ((numbers - numbers.mean()) ** 4).mean()
    error = numpy.sqrt((fourth - deviation ** 4) / DRAWN) / (2 * deviation)
    return float(max(abs(synthetic.mean() - numbers.mean()) / (deviation / DRAWN ** 0.5),
                     abs(synthetic.std() - deviation) / error))


def share_of_new(half_lives, reservoir):
    """Of synthetic records, when so many half-lives of another distribution have come; on average
    over samples."""
    source = numpy.random.default_rng(33)
    shares = []
    for seed in range(SEEDS):
        old = source.normal(0, 1, 12000)
        new = source.normal(100, 1, int(2000 * half_lives))
        records = [{"f0": float(number)} for number in numpy.concatenate([old, new])]
        found = drawn(records, 4000, 100,
                      f"half_life: 2000, reservoir: {reservoir}, seed: {seed}, noise: 0")
        shares.append(numpy.mean([record["f0"] > 50 for record in found]))
    return numpy.mean(shares)


@check("bootstrap: share of a new distribution after 1 and 3 half-lives, few rows and all",
       "1/2 and 7/8", at_most(0.03), quick=True)
def half_life():
    return float(max(abs(share_of_new(lives, reservoir) - share)
                     for lives, share in [(1, 0.5), (3, 0.875)] for reservoir in [512, 8192]))


@check("bootstrap: conditions chosen among the rows", "numpy, rows that meet them",
       at_most(KOLMOGOROV * 1.3), quick=True)
def conditions():
    """A range and a category; the distribution of another number. 1 where a row breaks them."""
    source = numpy.random.default_rng(34)
    texts = source.choice(["a", "b", "c"], 3000, p=[0.7, 0.2, 0.1])
    numbers = numpy.round(source.normal(0, 1, 3000) + (texts == "c"), 3)
    others = numbers ** 2 + source.normal(0, 1, 3000)
    records = [{"f0": float(numbers[row]), "f1": str(texts[row]), "f2": float(others[row])}
               for row in range(3000)]
    found = drawn(records, DRAWN, 200, f"{FOREVER}, noise: 0.2, flip: 0.3, conditions: "
                  "[{field: f0, gte: 0.25, lt: 2}, {field: f1, any_of: [b, c]}]")
    if any(not 0.25 <= record["f0"] < 2 or record["f1"] == "a" for record in found):
        return 1.0
    sample = others[(numbers >= 0.25) & (numbers < 2) & (texts != "a")]
    synthetic = numpy.sort([record["f2"] for record in found])
    points = numpy.linspace(sample.min() + 1e-9, sample.max() - 1e-9, 800)
    empirical = numpy.searchsorted(synthetic, points, side="right") / len(synthetic)
    wanted = smoothed_below(sample, points, 0.2 * sample.std())
    return float(numpy.abs(empirical - wanted).max())


@check("bootstrap: categories changed by flip: 0.2, in standard errors", "0.2 (1 - sum p^2)",
       at_most(4), quick=True)
def flips():
    """Each text goes along with a number of its own, which tells what it was."""
    source = numpy.random.default_rng(35)
    shares = numpy.array([0.5, 0.3, 0.2])
    places = source.choice(3, 3000, p=shares)
    records = [{"f0": int(place), "f1": "abc"[place]} for place in places]
    found = drawn(records, DRAWN, 200, f"{FOREVER}, flip: 0.2")
    changed = numpy.mean([record["f1"] != "abc"[int(record["f0"])] for record in found])
    real = numpy.bincount(places) / len(places)
    wanted = 0.2 * (1 - (real ** 2).sum())
    return float(abs(changed - wanted) / (wanted * (1 - wanted) / DRAWN) ** 0.5)


@check("bootstrap: points on a ring stay there, mean distance", "1 of a radius", at_most(0.02),
       quick=True)
def ring():
    """Which a copula fills."""
    angles = numpy.random.default_rng(36).uniform(0, 2 * numpy.pi, 2000)
    records = [{"f0": float(numpy.cos(angle)), "f1": float(numpy.sin(angle))} for angle in angles]
    found = drawn(records, DRAWN, 200, f"{FOREVER}, noise: 0.02")
    radii = [numpy.hypot(record["f0"], record["f1"]) for record in found]
    return float(numpy.abs(numpy.array(radii) - 1).mean())


@check("bootstrap: the same rows twice make the same records", "itself", at_most(0), quick=True)
def the_same_twice():
    records = [{"f0": place % 70, "f1": ["a", "b"][place % 2]} for place in range(600)]
    options = "learn_batch: 50, min_records: 100, seed: 7, flip: 0.1"
    kind = "generate.bootstrap"
    return int(generator_engine.made(records, options, kind)
               != generator_engine.made(records, options, kind))


# ---- Beside copulas ----


@functools.lru_cache
def compared(name):
    """Means over seeds: our overall score, copulas', our least score of a column."""
    try:
        import pandas

        import reference
        import tables
        from checks_copula import score
    except ImportError as error:
        raise Missing(f"{error.name} is not installed: script/generators does that") from error
    frame = getattr(tables, name)()
    found = []
    for seed in range(1, SEEDS + 1):
        rows = frame.sample(frac=1, random_state=seed).reset_index(drop=True)
        records = json.loads(rows.to_json(orient="records"))
        ours = pandas.DataFrame(drawn(records, len(rows), tables.BATCHES[len(rows)],
                                      f"seed: {seed}"))
        found.append((*score(rows, ours), score(rows, reference.synthetic(rows, seed))[0]))
    overall, least, theirs = numpy.mean(found, axis=0)
    print(f"    {name}: ours {overall:.4f}, copulas {theirs:.4f}, least column {least:.4f}")
    return float(overall), float(theirs), float(least)


def better(name):
    ours, theirs, _ = compared(name)
    return ours - theirs


@check("bootstrap on iris: overall score above copulas'", "sdmetrics 0.32.0", at_least(0))
def on_iris():
    return better("iris")


@check("bootstrap on breast cancer: overall score above copulas'", "sdmetrics 0.32.0",
       at_least(0))
def on_breast_cancer():
    return better("breast_cancer")


@check("bootstrap on student placements: overall score above copulas'", "sdmetrics 0.32.0",
       at_least(0))
def on_student_placements():
    return better("student_placements")


@check("bootstrap on breast cancer: least score of a column", "sdmetrics 0.32.0", at_least(0.9))
def columns_of_breast_cancer():
    return compared("breast_cancer")[2]
