"""The tables that generators are compared on, as pandas frames with sdmetrics' metadata."""

from pathlib import Path

import pandas
from sklearn.datasets import load_breast_cancer, load_iris


def iris():
    frame = load_iris(as_frame=True).frame.copy()
    frame.columns = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
    frame["species"] = frame["species"].map(lambda kind: ["setosa", "versicolor",
                                                          "virginica"][kind])
    return frame


def breast_cancer():
    frame = load_breast_cancer(as_frame=True).frame.copy()
    frame.columns = [name.replace(" ", "_") for name in frame.columns]
    frame["target"] = frame["target"].map(lambda kind: ["malignant", "benign"][kind])
    return frame


def student_placements():
    import sdmetrics

    folder = Path(sdmetrics.__file__).parent / "demos" / "single_table"
    return pandas.read_csv(folder / "student_placements_real.csv")


# How many records are learned together: the number of rows is a multiple, or one more.
BATCHES = {150: 50, 569: 71, 215: 43}

IDENTIFIERS = {"student_id"}
DATES = {"start_date", "end_date"}


def kind(frame, name):
    """As sdmetrics names kinds."""
    if name in IDENTIFIERS:
        return "id"
    if name in DATES:
        return "datetime"
    if frame[name].dtype == bool:
        return "boolean"
    return "numerical" if pandas.api.types.is_numeric_dtype(frame[name]) else "categorical"


def metadata(frame):
    columns = {name: {"sdtype": kind(frame, name)} for name in frame.columns}
    for name in DATES & set(columns):
        columns[name]["datetime_format"] = "%Y-%m-%d"
    return {"columns": columns}


def typed(frame, like):
    """The columns of like, as numbers and times where they are."""
    frame = frame[like.columns].copy()
    for name in frame.columns:
        if kind(like, name) == "datetime":
            frame[name] = pandas.to_datetime(frame[name])
        elif kind(like, name) == "numerical":
            frame[name] = frame[name].astype(float)
    return frame
