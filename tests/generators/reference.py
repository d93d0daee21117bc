"""The Gaussian copula of the package copulas, on a table prepared as SDV does: categories by
uniform numbers within their intervals of the frequencies, missing values by an indicator and the
mean, whole numbers rounded, numbers within what was seen."""

import numpy
import pandas
from copulas.multivariate import GaussianMultivariate

from tables import kind


def _intervals(column):
    shares = column.value_counts(normalize=True, dropna=False)
    ends = numpy.cumsum(shares.to_numpy())
    return list(shares.index), numpy.concatenate([[0.0], ends])


def _place(labels, value):
    for place, label in enumerate(labels):
        if label == value or (pandas.isna(label) and pandas.isna(value)):
            return place
    raise KeyError(value)


def _numbers(frame, name):
    if kind(frame, name) == "datetime":
        times = pandas.to_datetime(frame[name])
        return times.astype("int64").astype(float).where(frame[name].notna())
    return frame[name].astype(float)


def _encode(frame, source):
    encoded = pandas.DataFrame(index=frame.index)
    for name in frame.columns:
        if kind(frame, name) in ("categorical", "boolean"):
            labels, ends = _intervals(frame[name])
            places = numpy.array([_place(labels, value) for value in frame[name]])
            encoded[name] = source.uniform(ends[places], ends[places + 1])
        elif kind(frame, name) != "id":
            numbers = _numbers(frame, name)
            if numbers.isna().any():
                encoded[name + "?"] = (numbers.isna() * 0.5
                                       + source.uniform(0, 0.5, len(numbers)))
            encoded[name] = numbers.fillna(numbers.mean())
    return encoded


def _decode(frame, sampled, name):
    if kind(frame, name) == "id":
        return range(len(sampled))
    if kind(frame, name) in ("categorical", "boolean"):
        labels, ends = _intervals(frame[name])
        places = numpy.searchsorted(ends[1:], sampled[name].clip(0, 1))
        return [labels[min(place, len(labels) - 1)] for place in places]
    numbers = _numbers(frame, name)
    found = sampled[name].clip(numbers.min(), numbers.max())
    if (numbers.dropna() % 1 == 0).all():
        found = found.round()
    if name + "?" in sampled:
        found = found.where(sampled[name + "?"] < 0.5)
    return pandas.to_datetime(found) if kind(frame, name) == "datetime" else found


def synthetic(frame, seed):
    """As many rows as the frame has."""
    numpy.random.seed(seed)
    model = GaussianMultivariate()
    model.fit(_encode(frame, numpy.random.default_rng(seed)))
    sampled = model.sample(len(frame))
    return pandas.DataFrame({name: _decode(frame, sampled, name) for name in frame.columns})
