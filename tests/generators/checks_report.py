"""`millrace report --real A --synthetic B` beside sdmetrics: every score of columns, pairs and the
table, and what privacy scores have that is not drawn at random."""

import io
import json
import math
import subprocess
import tempfile
import warnings
from pathlib import Path

import numpy
from check import Missing, at_most, check

from generator_engine import PROGRAM


def report(folder, *options):
    """The scores of folder/real.csv and folder/synthetic.csv."""
    result = subprocess.run([str(PROGRAM), "report", "--real", "real.csv", "--synthetic",
                             "synthetic.csv", "-o", "json", *options], cwd=folder, check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
    if result.returncode != 0:
        raise RuntimeError(result.stderr)
    return json.loads(result.stdout)


def library():
    try:
        import pandas
        import sdmetrics  # noqa: F401

        import tables
    except ImportError as error:
        raise Missing(f"{error.name} is not installed: script/generators does that") from error
    warnings.simplefilter("ignore")
    return pandas, tables


def twin(frame, seed, tables):
    """Rows drawn again, numbers disturbed, some values missing, a new category."""
    source = numpy.random.default_rng(seed)
    made = frame.sample(n=len(frame) + 13, replace=True, random_state=seed).reset_index(drop=True)
    for name in made.columns:
        if tables.kind(frame, name) == "numerical":
            spread = frame[name].std()
            made[name] = (made[name] + source.normal(0, spread / 3, len(made))).round(3)
            made.loc[source.random(len(made)) < 0.04, name] = None
        elif tables.kind(frame, name) == "categorical":
            made.loc[source.random(len(made)) < 0.03, name] = "something, \"new\""
            made.loc[source.random(len(made)) < 0.03, name] = None
    return made


def shipped():
    """The student placements and the synthetic twin that sdmetrics ships, with its metadata."""
    pandas, _ = library()
    import sdmetrics

    folder = Path(sdmetrics.__file__).parent / "demos" / "single_table"
    metadata = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    return (pandas.read_csv(folder / "student_placements_real.csv"),
            pandas.read_csv(folder / "student_placements_synthetic.csv"),
            next(iter(metadata["tables"].values())))


def disturbed(name, seed):
    _, tables = library()
    real = getattr(tables, name)()
    metadata = tables.metadata(real)
    if name == "student_placements":
        metadata["primary_key"] = "student_id"
    return real, twin(real, seed, tables), metadata


TABLES = {
    "student placements and the shipped twin": shipped,
    "student placements, disturbed": lambda: disturbed("student_placements", 3),
    "iris, disturbed": lambda: disturbed("iris", 4),
    "breast cancer, disturbed": lambda: disturbed("breast_cancer", 5),
}


def ours(real, synthetic, metadata, holdout=None):
    with tempfile.TemporaryDirectory(prefix="millrace-report-") as folder:
        real.to_csv(Path(folder) / "real.csv", index=False)
        synthetic.to_csv(Path(folder) / "synthetic.csv", index=False)
        (Path(folder) / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
        options = ["--metadata", "metadata.json"]
        if holdout is not None:
            holdout.to_csv(Path(folder) / "holdout.csv", index=False)
            options += ["--holdout", "holdout.csv"]
        found = report(folder, *options)
        pandas, _ = library()
        return found, *(pandas.read_csv(Path(folder) / f"{name}.csv")
                        for name in ("real", "synthetic"))


def difference(found, asked):
    """Of two scores; a score that only one has is as far as can be."""
    asked = None if asked is None or math.isnan(asked) else float(asked)
    if found is None or asked is None:
        return 0.0 if found is None and asked is None else math.inf
    return abs(found - asked)


def quality(real, synthetic, metadata, thresholds):
    from sdmetrics.reports.single_table import QualityReport

    made = QualityReport()
    if not thresholds:
        made.real_correlation_threshold = made.real_association_threshold = 0
    made.generate(real, synthetic, metadata, verbose=False)
    return made


def shapes_differ(found, made):
    details = made.get_details("Column Shapes")
    shapes = dict(zip(details["Column"], details["Score"]))
    mine = {one["name"]: one["shape"]["score"] for one in found["columns"]
            if one["shape"] is not None}
    assert set(mine) == set(shapes)
    return max(difference(mine[name], shapes[name]) for name in shapes)


def pairs_differ(found, made, thresholds):
    """With thresholds sdmetrics has no score for pairs below: they are those that do not count."""
    pandas, _ = library()
    mine = {tuple(pair["columns"]): pair for pair in found["pairs"]}
    rows = [row for _, row in made.get_details("Column Pair Trends").iterrows()]
    assert len(mine) == len(rows)
    worst = 0.0
    for row in rows:
        pair = mine[(row["Column 1"], row["Column 2"])]
        if thresholds:
            counts = row["Meets Threshold?"]
            counts = False if pandas.isna(counts) else bool(counts)
            worst = max(worst, 0 if counts == pair["counts"] else math.inf)
            worst = max(worst, difference(pair["score"] if pair["counts"] else None, row["Score"]))
            if row["Metric"] == "ContingencySimilarity":
                worst = max(worst, difference(pair["real_association"], row["Real Association"]))
        else:
            worst = max(worst, difference(pair["score"], row["Score"]))
    return worst


def diagnostic_differs(found, real, synthetic, metadata):
    from sdmetrics.reports.single_table import DiagnosticReport

    made = DiagnosticReport()
    made.generate(real, synthetic, metadata, verbose=False)
    mine = {(one["name"], score["metric"]): score["score"] for one in found["columns"]
            for score in one["validity"]}
    rows = {(row["Column"], row["Metric"]): row["Score"]
            for _, row in made.get_details("Data Validity").iterrows()}
    assert set(mine) == set(rows), set(mine) ^ set(rows)
    worst = max(difference(mine[key], rows[key]) for key in rows)
    properties = dict(zip(*made.get_properties()[["Property", "Score"]].to_numpy().T))
    return max(worst, difference(found["diagnostic"]["score"], made.get_score()),
               difference(found["diagnostic"]["data_validity"], properties["Data Validity"]),
               difference(found["diagnostic"]["data_structure"], properties["Data Structure"]))


def coverage_differs(found, real, synthetic, metadata, pandas):
    from sdmetrics.single_column import CategoryCoverage, RangeCoverage

    worst = 0.0
    for one in found["columns"]:
        if one["coverage"] is None:
            continue
        columns = [frame[one["name"]] for frame in (real, synthetic)]
        if metadata["columns"][one["name"]]["sdtype"] == "datetime":
            columns = [pandas.to_datetime(column) for column in columns]
        metric = {"RangeCoverage": RangeCoverage,
                  "CategoryCoverage": CategoryCoverage}[one["coverage"]["metric"]]
        worst = max(worst, difference(one["coverage"]["score"], metric.compute(*columns)))
    return worst


def compared(name):
    pandas, _ = library()
    real, synthetic, metadata = TABLES[name]()
    found, real, synthetic = ours(real, synthetic, metadata)
    made = quality(real, synthetic, metadata, True)
    properties = dict(zip(*made.get_properties()[["Property", "Score"]].to_numpy().T))
    free = quality(real, synthetic, metadata, False)
    return max(shapes_differ(found, made), pairs_differ(found, made, True),
               pairs_differ(found, free, False),
               difference(found["score"], made.get_score()),
               difference(found["quality"]["column_shapes"], properties["Column Shapes"]),
               difference(found["quality"]["column_pair_trends"],
                          properties["Column Pair Trends"]),
               diagnostic_differs(found, real, synthetic, metadata),
               coverage_differs(found, real, synthetic, metadata, pandas))


def privacy_compared(name):
    """Copies, the median distance and overfitting; the random baseline is another check."""
    from sdmetrics.single_table import DCROverfittingProtection, NewRowSynthesis
    from sdmetrics.single_table.privacy.dcr_utils import calculate_dcr

    _, tables = library()
    real, synthetic, metadata = TABLES[name]()
    source = numpy.random.default_rng(8)
    copies = source.choice(len(real), 12, replace=False)
    for place, row in enumerate(copies):  # some copies, numbers within the tolerance
        for column in real.columns:
            value = real[column].iloc[row]
            if tables.kind(real, column) == "numerical" and value == value:
                value *= 1 + 0.009 * source.uniform(-1, 1)
                synthetic[column] = synthetic[column].astype(float)
            synthetic.loc[place, column] = value
    train, held = real.iloc[::2], real.iloc[1::2]
    found, train_read, read = ours(train, synthetic, metadata, held)
    pandas, _ = library()
    held = pandas.read_csv(io.StringIO(held.to_csv(index=False)))
    new = NewRowSynthesis.compute_breakdown(train_read, read, metadata)
    median = calculate_dcr(read, train_read, metadata).median()
    overfit = DCROverfittingProtection.compute_breakdown(train_read, read, held, metadata, None)
    privacy = found["privacy"]
    return max(difference(privacy["new_rows"]["score"], new["score"]),
               difference(privacy["new_rows"]["copies"], new["num_matched_rows"]),
               difference(privacy["baseline_protection"]["median_distance"], median),
               difference(privacy["overfitting_protection"]["score"], overfit["score"]),
               difference(privacy["overfitting_protection"]["closer_to_real"],
                          overfit["synthetic_data_percentages"]["closer_to_training"]))


def baseline_compared(name):
    """The score is a ratio of medians of random rows: ours beside the mean of 20 of sdmetrics', in
    their standard deviations."""
    from sdmetrics.single_table import DCRBaselineProtection

    library()
    real, synthetic, metadata = TABLES[name]()
    found, real, synthetic = ours(real, synthetic, metadata)
    pandas, _ = library()
    for column, meta in metadata["columns"].items():
        if meta["sdtype"] == "datetime":  # random dates are made of dates only
            real[column] = pandas.to_datetime(real[column])
            synthetic[column] = pandas.to_datetime(synthetic[column])
    scores = [DCRBaselineProtection.compute(real, synthetic, metadata, None) for _ in range(20)]
    spread = max(float(numpy.std(scores)), 1e-12)
    return abs(found["privacy"]["baseline_protection"]["score"] - numpy.mean(scores)) / spread


# ---- Without sdmetrics: the definitions by scipy, and the operator beside the report ----

STREAMS = """\
apiVersion: millrace.io/v1alpha1
kind: Topology
metadata: {name: check}
spec:
  guarantee: at_least_once
  sources:
    - {name: real, type: file, path: real.jsonl, format: json, timestamp: ts}
    - {name: synthetic, type: file, path: synthetic.jsonl, format: json, timestamp: ts}
  operators:
    - {name: likeness, type: quality.synthetic, real: real, synthetic: synthetic, key: [],
       fields: [x, z, c], window: {tumbling: 1h}, rows: ROWS, distances: true}
  sinks:
    - {name: out, type: stdout, from: likeness}
"""


def drawn_rows(source, count, correlation):
    """x and z correlated, c with x; some missing."""
    x = source.normal(size=count)
    z = correlation * x + math.sqrt(1 - correlation ** 2) * source.normal(size=count)
    c = numpy.where(x + source.normal(scale=0.3, size=count) > 0, "high", "low")
    rows = [{"x": round(float(one), 3), "z": round(float(two), 3), "c": str(three)}
            for one, two, three in zip(x, z, c)]
    for row in rows:
        for name in row:
            if source.random() < 0.03:
                row[name] = None
    return rows


def write_both(folder, real, synthetic):
    for name, rows in ("real", real), ("synthetic", synthetic):
        with open(Path(folder) / f"{name}.jsonl", "w", encoding="utf-8") as file:
            for place, row in enumerate(rows):
                file.write(json.dumps({"ts": place, **row}) + "\n")
        with open(Path(folder) / f"{name}.csv", "w", encoding="utf-8") as file:
            file.write("x,z,c\n")
            for row in rows:
                file.write(",".join("" if value is None else str(value)
                                    for value in row.values()) + "\n")


def streamed(folder, rows):
    (Path(folder) / "t.yaml").write_text(STREAMS.replace("ROWS", str(rows)), encoding="utf-8")
    result = subprocess.run([str(PROGRAM), "run", "t.yaml", "--until-end", "--quiet"], cwd=folder,
                            check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            timeout=300)
    if result.returncode != 0:
        raise RuntimeError(result.stderr)
    window, = [json.loads(line) for line in result.stdout.splitlines()]
    return window


@check("report: shapes and correlations", "scipy", at_most(1e-12), quick=True)
def by_scipy():
    from scipy import stats

    source = numpy.random.default_rng(21)
    real, synthetic = drawn_rows(source, 400, 0.8), drawn_rows(source, 500, 0.4)
    with tempfile.TemporaryDirectory(prefix="millrace-report-") as folder:
        write_both(folder, real, synthetic)
        found = report(folder)
    scores = {one["name"]: one["shape"]["score"] for one in found["columns"]}
    worst = 0.0
    for name in "x", "z":
        sides = [[row[name] for row in rows if row[name] is not None]
                 for rows in (real, synthetic)]
        worst = max(worst, abs(scores[name] - 1 + stats.ks_2samp(*sides).statistic))
    pair = next(one for one in found["pairs"] if one["columns"] == ["x", "z"])
    for name, rows in ("real", real), ("synthetic", synthetic):
        full = [(row["x"], row["z"]) for row in rows if None not in (row["x"], row["z"])]
        worst = max(worst, abs(pair[f"{name}_correlation"] -
                               stats.pearsonr(*numpy.transpose(full))[0]))
    return float(worst)


@check("quality.synthetic: a window of all records", "millrace report", at_most(1e-12), quick=True)
def window_and_report():
    source = numpy.random.default_rng(22)
    real, synthetic = drawn_rows(source, 300, 0.8), drawn_rows(source, 350, 0.5)
    with tempfile.TemporaryDirectory(prefix="millrace-report-") as folder:
        write_both(folder, real, synthetic)
        found, window = report(folder), streamed(folder, 1000)
    assert window["exact"] and window["real_records"] == 300
    pairs = {tuple(pair["fields"]): pair["score"] for pair in window["pairs"]}
    return max(difference(window["score"], found["score"]),
               difference(window["column_shapes"], found["quality"]["column_shapes"]),
               difference(window["column_pair_trends"], found["quality"]["column_pair_trends"]),
               difference(window["validity"], found["diagnostic"]["data_validity"]),
               difference(window["coverage"], found["coverage"]),
               difference(window["new_rows"], found["privacy"]["new_rows"]["score"]),
               *(difference(window["fields"][one["name"]]["score"], one["shape"]["score"])
                 for one in found["columns"]),
               *(difference(pairs[tuple(one["columns"])], one["score"])
                 for one in found["pairs"]))


@check("quality.synthetic: a sample of 1,000 of 5,000, beside its error", "all records",
       at_most(1), quick=True)
def window_of_samples():
    """The greatest difference of a field's score, in units of the stated error."""
    source = numpy.random.default_rng(23)
    real, synthetic = drawn_rows(source, 5000, 0.8), drawn_rows(source, 5000, 0.6)
    with tempfile.TemporaryDirectory(prefix="millrace-report-") as folder:
        write_both(folder, real, synthetic)
        whole, window = streamed(folder, 5000), streamed(folder, 1000)
    assert whole["exact"] and not window["exact"]
    return max(abs(window["fields"][name]["score"] - whole["fields"][name]["score"])
               for name in window["fields"]) / window["error"]


# ---- Beside sdmetrics ----

def register(name):
    check(f"report on {name}: the greatest difference of any score", "sdmetrics 0.32.0",
          at_most(1e-9))(lambda: compared(name))
    check(f"report on {name}: the greatest difference of privacy", "sdmetrics 0.32.0",
          at_most(1e-9))(lambda: privacy_compared(name))
    check(f"report on {name}: distance to the mean of 20 random baselines, sigmas",
          "sdmetrics 0.32.0", at_most(4))(lambda: baseline_compared(name))


for table in TABLES:
    register(table)
