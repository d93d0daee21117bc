"""Detectors of series with a season or a shape, beside statsmodels."""

import math

import numpy
from check import at_most, check
from engine import judged
from statsmodels.tsa.holtwinters import ExponentialSmoothing


def seasonal(seed, size=600, period=24):
    """A rising level, a season and noise; above 0."""
    source = numpy.random.default_rng(seed)
    places = numpy.arange(size)
    return (50 + 0.02 * places + 8 * numpy.sin(2 * math.pi * places / period)
            + source.normal(size=size))


def column(found, name):
    return numpy.array([math.nan if one[name] is None else one[name] for one in found])


def through(detector, values, options):
    return judged(detector, [[value] for value in values], options)


def start_of(values, period, season):
    """The stated rule: a line through the means of two seasons, and the distances from it."""
    first, second = values[:period], values[period:2 * period]
    slope = (second.mean() - first.mean()) / period
    line = values[:2 * period].mean() + slope * (numpy.arange(2 * period) - period + 0.5)
    both = line[:period] + line[period:]
    factors = (first + second) / both if season == "mul" else (first + second - both) / 2
    return line[-1], slope, factors


def forecast_difference(season, name, alpha, beta, gamma):
    period = 24 if season else 10
    worst = 0.0
    for seed in range(3):
        values = seasonal(seed)
        level, trend, factors = start_of(values, period, season)
        options = {"smoothing_level": alpha, "smoothing_trend": beta}
        start = {"initial_level": level, "initial_trend": trend}
        if season:
            options["smoothing_seasonal"] = gamma
            start |= {"initial_seasonal": factors, "seasonal": season,
                      "seasonal_periods": period}
        model = ExponentialSmoothing(values[2 * period:], trend="add",
                                     initialization_method="known", **start)
        asked = model.fit(optimized=False, **options).fittedvalues
        text = f"season: {name}, alpha: {alpha}, beta: {beta}"
        text += f", period: {period}, gamma: {gamma}" if season else ""
        found = column(through("detect.forecast", values, text), "forecast")[2 * period:]
        worst = max(worst, float(numpy.max(numpy.abs(found - asked) / numpy.abs(asked))))
    return worst


def forecast_check(title, season, name, alpha=0.2, beta=0.01, gamma=0.1):
    @check(f"forecast: {title}, relative difference", "statsmodels", at_most(1e-10), quick=True)
    def run():
        return forecast_difference(season, name, alpha, beta, gamma)


forecast_check("additive season", "add", "additive")
forecast_check("additive season, fast", "add", "additive", 0.6, 0.3, 0.35)
forecast_check("multiplicative season", "mul", "multiplicative")
forecast_check("no season", None, "none")
