"""generate.copula beside a batch fit (numpy), and beside copulas' Gaussian copula by sdmetrics'
scores."""

import datetime
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


def windowed(window, old, new):
    """Synthetic records after old rows and then new ones, a second apart; one row makes one."""
    rows = numpy.concatenate([old, new])
    records = [{f"f{place}": float(number) for place, number in enumerate(row)} for row in rows]
    return made(records, f"learn_window: {window}, min_records: 1000, ratio: 5")


@check("copula: learn_window, what is left of the old after a window", "none of it",
       at_most(0), quick=True)
def window_forgets():
    """Synthetic records of the last rows, behind a window of new ones."""
    source = numpy.random.default_rng(14)
    old, new = source.normal(0, 1, (6000, 1)), source.normal(100, 1, (6000, 1))
    found = windowed("{count: 4000}", old, new)[-9000:]
    return int(sum(record["f0"] < 50 for record in found))


@check("copula: learn_window, correlations of the newest 10,000 of 25,000 rows",
       "numpy, these rows alone", at_most(0.04), quick=True)
def window_correlations():
    """The old rows have the opposite correlation and lie elsewhere."""
    source = numpy.random.default_rng(15)
    shape = numpy.array([[1, 0.8], [0.8, 1]])
    old = source.multivariate_normal([30, 10], [[1, -0.8], [-0.8, 1]], 12500)
    new = source.multivariate_normal([0, 0], shape, 12500)
    found = windowed("{count: 10000}", old, new)[-10000:]
    synthetic = [[record["f0"], record["f1"]] for record in found]
    return float(abs(correlations(synthetic)[0, 1] - correlations(new[-10000:])[0, 1]))


@check("copula: the same rows twice make the same records", "itself", at_most(0), quick=True)
def the_same_twice():
    records = [{"f0": place % 7, "f1": ["a", "b"][place % 2]} for place in range(600)]
    options = "learn_batch: 50, min_records: 100, seed: 7"
    return int(made(records, options) != made(records, options))


# ---- Conditions ----


def dated_rows(count):
    """Numbers, a text of which one value has 1 %, a date and a time, of one latent."""
    source = numpy.random.default_rng(17)
    latent = source.normal(size=(count, 5)) * 0.8 + source.normal(size=(count, 1)) * 0.6
    start = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc)
    rows = []
    for row in latent:
        kind = "low" if row[2] < 0 else "high" if row[2] < 2.326 else "rare"
        day = start + datetime.timedelta(days=int(100 + 20 * row[3]))
        time = start + datetime.timedelta(seconds=int(500000 + 90000 * row[4]))
        rows.append({"one": float(numpy.exp(row[0])), "age": int(40 + 8 * row[1]), "kind": kind,
                     "day": f"{day:%Y-%m-%d}", "at": f"{time:%Y-%m-%dT%H:%M:%SZ}"})
    return rows


def ranks(values):
    """Numbers to compare distributions by: texts by their order."""
    if isinstance(values[0], str):
        places = {text: place for place, text in enumerate(sorted(set(values)))}
        return numpy.array([places[text] for text in values])
    return numpy.array(values)


def conditioned(conditions, where, points=()):
    """The greatest Kolmogorov-Smirnov distance of a column, 20,000 rows drawn under conditions
    beside as many that rejection leaves; points: those that numbers of `one` are next to."""
    rows = dated_rows(8000)
    # All rows are in the reservoir: the seed changes nothing but what is drawn.
    options = "weight: 0.000001, reservoir: 8192"
    found = drawn(rows, 20000, 250, f"{options}, conditions: [{conditions}]")
    kept = []
    for seed in range(2, 40):
        kept += drawn(rows, 240000, 250, f"{options}, seed: {seed}", where=where)
        if len(kept) >= 20000:
            break
    kept = kept[:20000]
    for record in kept if points else []:
        record["one"] = min(points, key=lambda point: abs(point - record["one"]))
    assert len(kept) == 20000 and len(found) == 20000
    worst = 0
    for name in rows[0]:
        both = ranks([record[name] for record in found + kept])
        worst = max(worst, stats.ks_2samp(both[:20000], both[20000:]).statistic)
    return float(worst)


def condition_check(name, conditions, where, points=()):
    check(f"copula: condition, {name}", "rejection, KS at 20,000", at_most(0.02))(
        lambda: conditioned(conditions, where, points))


condition_check("one equality", "{field: age, gte: 45, lte: 45}", "age == 45.0")
condition_check("one range", "{field: one, gt: 1.5, lte: 4}", "one > 1.5 && one <= 4.0")
condition_check("two ranges", "{field: one, gte: 1, lt: 3}, {field: age, gte: 42}",
                "one >= 1.0 && one < 3.0 && age >= 42.0")
condition_check("a range with a category", "{field: age, lt: 40}, {field: kind, any_of: [high]}",
                'age < 40.0 && kind == "high"')
condition_check("a category of 1 %", "{field: kind, any_of: [rare]}", 'kind == "rare"')
condition_check("a range of dates",
                "{field: day, since: \"2026-06-01T00:00:00Z\", before: \"2026-06-20T00:00:00Z\"}",
                'day >= "2026-06-01" && day < "2026-06-20"')
condition_check("a range of times and a category",
                "{field: at, since: \"2026-03-07T00:00:00Z\"}, {field: kind, any_of: [low]}",
                'at >= "2026-03-07T00:00:00Z" && kind == "low"')
condition_check("a set of whole numbers", "{field: age, any_of: ['31', '40', '41', '52']}",
                "age == 31.0 || age == 40.0 || age == 41.0 || age == 52.0")
condition_check("a set of whole numbers, a range and a category",
                "{field: age, any_of: ['31', '40', '41', '52']}, {field: one, gt: 0.8, lte: 4}, "
                "{field: kind, any_of: [high, rare]}",
                "(age == 31.0 || age == 40.0 || age == 41.0 || age == 52.0) && one > 0.8 && "
                "one <= 4.0 && kind != \"low\"")
condition_check("a set of dates",
                "{field: day, any_of: ['2026-05-20', '2026-06-09', '2026-06-30']}",
                'day == "2026-05-20" || day == "2026-06-09" || day == "2026-06-30"')
# Numbers of which none has a probability: by rejection what is next to them.
condition_check("a set of numbers, a range and a category",
                "{field: one, any_of: ['0.4', '0.9', '1.5', '4']}, {field: age, gte: 38, lte: 50}, "
                "{field: kind, any_of: [high]}",
                " || ".join(f"(one > {point} - 0.004 && one < {point} + 0.004 && age >= 38.0 && "
                            "age <= 50.0 && kind == \"high\")" for point in (0.4, 0.9, 1.5, 4.0)),
                (0.4, 0.9, 1.5, 4.0))


# ---- Privacy ----


def mixed_rows(count, seed=16):
    """Of one latent: two numbers, a whole one, a text with two rare values."""
    source = numpy.random.default_rng(seed)
    latent = source.normal(size=(count, 4)) + source.normal(size=(count, 1))
    texts = ["low", "middle", "high"]
    rows = [{"one": round(float(numpy.exp(row[0])), 2), "two": round(float(row[1]), 3),
             "age": int(40 + 8 * row[2]), "kind": texts[int(row[3] > 0) + int(row[3] > 1)]}
            for row in latent]
    for place in (5, 500, 900):
        rows[place]["kind"] = "secret"
    return rows


@check("copula: privacy, texts of 3 records and numbers beyond 5", "the rows themselves",
       at_most(0), quick=True)
def nothing_rare():
    rows = mixed_rows(2000)
    found = drawn(rows, 20000, 200, "weight: 0.000001, privacy: {}")
    failed = sum(record["kind"] == "secret" for record in found)
    for name in ("one", "two", "age"):
        numbers = sorted(row[name] for row in rows)
        failed += sum(not numbers[4] <= record[name] <= numbers[-5] for record in found)
    return int(failed)


@check("copula: privacy, copies of real records with few values", "the rows themselves",
       at_most(0), quick=True)
def no_copies():
    rows = [{"a": row["age"], "b": row["kind"], "c": round(row["two"])} for row in mixed_rows(2000)]
    found = drawn(rows, 5000, 200, "privacy: {redraws: 50}")
    real = {tuple(row.values()) for row in rows}
    return int(sum(tuple(record.values()) in real for record in found) + (len(found) < 1000))


def distances(frame, others):
    """Of each row of a frame to the closest of the others, as sdmetrics' DCR has it."""
    least = numpy.ones(len(frame))
    for place in range(len(frame)):
        row = frame.iloc[place]
        total = numpy.zeros(len(others))
        for name in ("one", "two", "age"):
            width = others[name].max() - others[name].min()
            total += numpy.minimum(numpy.abs(others[name] - row[name]) / width, 1)
        least[place] = ((total + (others["kind"] != row["kind"])) / 4).min()
    return least


@check("copula: privacy, distance to the closest record beside half of the real ones",
       "5 % of real to real", at_most(0.01), quick=True)
def closest_records():
    """The share of synthetic records closer than 5 % of the real ones are to each other."""
    import pandas

    rows = mixed_rows(1000)
    for place in (5, 500, 900):
        rows[place]["kind"] = "low"
    found = pandas.DataFrame(drawn(rows, 1000, 200, "privacy: {distance: 0.05, redraws: 50}"))
    real = pandas.DataFrame(rows)
    between = [distances(real.iloc[[place]], real.drop(place))[0] for place in range(1000)]
    return float(numpy.mean(distances(found, real) < numpy.quantile(between, 0.05)))


def bounded_rows(count):
    """The score scales each half by its own width: so that the halves are alike."""
    rows = mixed_rows(count)
    for row in rows:
        row["one"] = round(float(stats.norm.cdf(numpy.log(row["one"] + 0.01) / 1.4)), 3)
        row["two"] = round(float(stats.norm.cdf(row["two"] / 1.4)), 3)
        row["age"] = min(max(row["age"], 20), 60)
    return rows


@functools.lru_cache
def privacy_scores(options):
    """sdmetrics' NewRowSynthesis and DCROverfittingProtection with half of the rows held back."""
    try:
        import pandas
        from sdmetrics.single_table import DCROverfittingProtection, NewRowSynthesis
    except ImportError as error:
        raise Missing(f"{error.name} is not installed: script/generators does that") from error
    rows = bounded_rows(2000)
    found = pandas.DataFrame(drawn(rows[:1000], 1000, 200, options))
    kinds = {"one": "numerical", "two": "numerical", "age": "numerical", "kind": "categorical"}
    metadata = {"columns": {name: {"sdtype": kind} for name, kind in kinds.items()}}
    train, held = pandas.DataFrame(rows[:1000]), pandas.DataFrame(rows[1000:])
    new = NewRowSynthesis.compute_breakdown(train, found, metadata)["score"]
    over = DCROverfittingProtection.compute_breakdown(train, found, held, metadata, None)["score"]
    return float(new), float(over)


@check("copula: privacy, NewRowSynthesis", "sdmetrics 0.32.0", at_least(0.99))
def new_rows():
    return privacy_scores("privacy: {distance: 0.05}")[0]


@check("copula: privacy, DCROverfittingProtection", "sdmetrics 0.32.0", at_least(0.95))
def overfitting():
    return privacy_scores("privacy: {distance: 0.05}")[1]


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
