"""generate.copula beside a batch fit (numpy), and beside copulas' Gaussian copula by sdmetrics'
scores."""

import functools
import json

import numpy
from check import Missing, at_least, at_most, check
from scipy import stats

from generator_engine import drawn, made

SEEDS = 5
COLUMNS = 15


def normal_scores(numbers):
    return stats.norm.ppf(stats.rankdata(numbers) / (len(numbers) + 1))


def correlations(rows):
    return numpy.corrcoef([normal_scores(column) for column in numpy.transpose(rows)])


def skewed_rows(count):
    """Numbers of many shapes with correlations of both signs."""
    source = numpy.random.default_rng(11)
    weights = source.normal(size=(COLUMNS, 4))
    latent = source.normal(size=(count, 4)) @ weights.T + source.normal(size=(count, COLUMNS))
    shapes = [numpy.exp, numpy.cbrt, lambda z: z ** 3, lambda z: numpy.round(z, 2),
              lambda z: numpy.where(z > 0, 10 * z, z)]
    return numpy.column_stack([shapes[place % len(shapes)](latent[:, place])
                               for place in range(COLUMNS)])


@check("copula: latent correlations after 20,000 rows", "numpy, normal scores of all rows",
       at_most(0.03), quick=True)
def latent_correlations():
    """The greatest difference of any pair, from 30,000 synthetic rows."""
    rows = skewed_rows(20000)
    records = [{f"f{place}": float(number) for place, number in enumerate(row)} for row in rows]
    found = drawn(records, 30000, 200, "weight: 0.1")
    synthetic = [[record[f"f{place}"] for place in range(COLUMNS)] for record in found]
    return float(numpy.abs(correlations(rows) - correlations(synthetic)).max())


def share_of_new(half_lives):
    """Of synthetic records, when so many half-lives of another distribution have come."""
    source = numpy.random.default_rng(12)
    old = source.normal(0, 1, 12000)
    new = source.normal(100, 1, int(2000 * half_lives))
    records = [{"f0": float(number)} for number in numpy.concatenate([old, new])]
    found = drawn(records, 20000, 100, "half_life: 2000")
    return numpy.mean([record["f0"] > 50 for record in found])


@check("copula: share of a new distribution after 1 and 3 half-lives", "1/2 and 7/8",
       at_most(0.03), quick=True)
def half_life():
    return float(max(abs(share_of_new(1) - 0.5), abs(share_of_new(3) - 0.875)))


@check("copula: correlations after distributions moved away", "numpy, the new rows alone",
       at_most(0.08), quick=True)
def moved():
    """The old rows have the opposite correlation and lie elsewhere; six half-lives."""
    source = numpy.random.default_rng(13)
    shape = numpy.array([[1, 0.8], [0.8, 1]])
    old = source.multivariate_normal([0, 0], [[1, -0.8], [-0.8, 1]], 6000)
    new = source.multivariate_normal([30, 10], shape, 6000)
    records = [{"f0": float(one), "f1": float(two)} for one, two in numpy.concatenate([old, new])]
    found = drawn(records, 20000, 100, "half_life: 1000")
    synthetic = [[record["f0"], record["f1"]] for record in found]
    return float(abs(correlations(synthetic)[0, 1] - correlations(new)[0, 1]))


@check("copula: the same rows twice make the same records", "itself", at_most(0), quick=True)
def the_same_twice():
    records = [{"f0": place % 7, "f1": ["a", "b"][place % 2]} for place in range(600)]
    options = "learn_batch: 50, min_records: 100, seed: 7"
    return int(made(records, options) != made(records, options))


# ---- Beside copulas ----


def score(real, synthetic):
    """sdmetrics' overall score, and the least score of a column."""
    from sdmetrics.reports.single_table import QualityReport

    import tables

    report = QualityReport()
    report.generate(tables.typed(real, real), tables.typed(synthetic, real),
                    tables.metadata(real), verbose=False)
    return report.get_score(), report.get_details("Column Shapes")["Score"].min()


@functools.lru_cache
def compared(name):
    """Means over seeds: our overall score, copulas', our least score of a column."""
    try:
        import pandas

        import reference
        import tables
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


@check("copula on iris: overall score above copulas'", "sdmetrics 0.32.0", at_least(0))
def on_iris():
    return better("iris")


@check("copula on breast cancer: overall score above copulas'", "sdmetrics 0.32.0", at_least(0))
def on_breast_cancer():
    return better("breast_cancer")


@check("copula on student placements: overall score above copulas'", "sdmetrics 0.32.0",
       at_least(0))
def on_student_placements():
    return better("student_placements")


@check("copula on breast cancer: least score of a column", "sdmetrics 0.32.0", at_least(0.9))
def columns_of_breast_cancer():
    return compared("breast_cancer")[2]
