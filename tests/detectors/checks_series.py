"""Detectors of series with a season or a shape, beside statsmodels and stumpy."""

import math

import numpy
import scipy.stats
from check import at_most, check, equals
from engine import judged


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
    from statsmodels.tsa.holtwinters import ExponentialSmoothing  # a second to load

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


def shapes(seed, size, level=0.0, spike=40.0):
    """A season with noise, flat stretches, a new shape, a level that moves, and a spike."""
    source = numpy.random.default_rng(seed)
    values = 5 * numpy.sin(numpy.arange(size) / 7) + source.normal(size=size)
    values[size // 3:size // 3 + 90] = 2.5
    values[size // 2:size // 2 + 80] = 2.5
    values[2 * size // 3:] += 3
    values[3 * size // 4:3 * size // 4 + 20] *= -1
    values[5 * size // 6] = spike
    return values + level


def distances(values, length, window):
    return column(through("detect.matrix_profile", values,
                          f"subsequence: {length}, window_size: {window}"), "distance")


def defined_distances(values, length, window):
    """By the definition, in extended precision."""
    parts = numpy.lib.stride_tricks.sliding_window_view(values.astype(numpy.longdouble), length)
    centred = parts - parts.mean(axis=1, keepdims=True)
    constant = parts.max(axis=1) == parts.min(axis=1)
    deviations = numpy.where(constant, 1, numpy.sqrt((centred ** 2).mean(axis=1)))
    centred /= deviations[:, None]
    found = numpy.full(len(values), math.nan)
    for newest in range(len(parts)):
        first = max(0, newest + length - window)
        end = newest - math.ceil(length / 4)
        if end <= first:
            continue
        apart = numpy.sqrt(((centred[first:end] - centred[newest]) ** 2).sum(axis=1))
        apart[constant[first:end] != constant[newest]] = math.sqrt(length)
        found[newest + length - 1] = apart.min()
    return found


@check("matrix_profile: distance, difference", "the definition", at_most(1e-6), quick=True)
def profile_defined():
    worst = 0.0
    for length, window, level, spike in ((20, 2000, 100.0, 4000.0), (64, 256, -1e4, 1e5),
                                         (3, 12, 0.0, 40.0)):
        values = shapes(length, 800, level, spike)
        apart = numpy.abs(distances(values, length, window)
                          - defined_distances(values, length, window))
        assert numpy.isnan(apart).sum() == length + math.ceil(length / 4)
        worst = max(worst, float(numpy.nanmax(apart)))
    return worst


def profile_check(length, window, size, egress, title):
    """egress: stumpi forgets what is older than its first `window` numbers."""

    @check(f"matrix_profile: distance, {title}", "stumpy.stumpi", at_most(1e-6))
    def run():
        from stumpy import stumpi  # compiles itself for some ten seconds

        values = shapes(length, size)
        found = distances(values, length, window)
        start = window if egress else 2 * length
        stream = stumpi(values[:start], length, egress=egress)
        worst = 0.0
        for place in range(start, size):
            stream.update(values[place])
            worst = max(worst, abs(found[place] - stream.left_P_[-1]))
        return worst


profile_check(20, 2000, 900, False, "all of the past")
profile_check(64, 512, 1500, True, "a window")
profile_check(64, 4096, 6000, True, "default sizes")


def defined_saliency(window, smooth, local):
    """Score of the newest number of a window, by numpy's transform."""
    slopes = [(window[-2] - window[-2 - back]) / back for back in range(1, 6)]
    ahead = window[-6] + 5 * numpy.mean(slopes)
    spectrum = numpy.fft.fft(numpy.append(window, [ahead] * 5))
    logs = numpy.log(numpy.abs(spectrum))
    sums = numpy.cumsum(logs)
    means = numpy.append(sums[:smooth] / numpy.arange(1, smooth + 1),
                         (sums[smooth:] - sums[:-smooth]) / smooth)
    residual = numpy.exp(logs - means + 1j * numpy.angle(spectrum))
    saliency = numpy.abs(numpy.fft.ifft(residual))[:len(window)]
    mean = saliency[-1 - local:-1].mean()
    return max(0.0, (saliency[-1] - mean) / mean)


@check("spectral_residual: score, relative difference", "numpy", at_most(1e-9), quick=True)
def spectral_residual():
    worst = 0.0
    for size, smooth, local in ((512, 3, 21), (64, 5, 30)):
        values = shapes(size, 1200)
        found = column(through("detect.spectral_residual", values,
                               f"window_size: {size}, amplitude_window: {smooth}, "
                               f"score_window: {local}"), "score")
        for place in range(size - 6, len(values)):
            window = values[place - size + 6:place + 1]
            if window.max() > window.min():
                asked = defined_saliency(window, smooth, local)
                worst = max(worst, abs(found[place] - asked) / (1 + asked))
    return worst


def critical_values(size, most, alpha):
    left = size - numpy.arange(most)
    t = scipy.stats.t.isf(alpha / (2 * left), left - 2)
    return (left - 1) * t / numpy.sqrt((left - 2 + t ** 2) * left)


def defined_esd(sample, most, alpha, hybrid):
    """Score of the sample's last number: the greatest R / lambda from its step on."""
    critical = critical_values(len(sample), most, alpha)
    left = list(enumerate(sample))
    score, is_out = 0.0, False
    for step in range(most):
        numbers = numpy.array([number for _, number in left])
        if hybrid:
            centre = numpy.median(numbers)
            scale = 1.4826 * numpy.median(numpy.abs(numbers - centre))
        else:
            centre, scale = numbers.mean(), numbers.std(ddof=1)
        away = numpy.abs(numbers - centre) / max(scale, 1e-9)
        farthest = int(away.argmax())
        is_out = is_out or left[farthest][0] == len(sample) - 1
        if is_out:
            score = max(score, away[farthest] / critical[step])
        elif step == most - 1:
            score = min(1.0, away[-1] / critical[step])
        del left[farthest]
    return score


def defined_seasonal_esd(values, period, periods, step, hybrid):
    window = period * periods
    found = numpy.zeros(len(values))
    for place in range(window, len(values)):
        if (place - window) % step == 0:
            blocks = values[place - window:place].reshape(periods, period)
            season = numpy.median(blocks - numpy.median(blocks, axis=1, keepdims=True), axis=0)
            middle = numpy.median(blocks)
            rest = (blocks - season - middle).ravel()
            anchor = place
        newest = values[place] - season[(place - anchor) % period] - middle
        found[place] = defined_esd(numpy.append(rest, newest), int(0.1 * (window + 1)), 0.05,
                                   hybrid)
    return found


@check("seasonal_esd: score, relative difference", "numpy, scipy", at_most(1e-9), quick=True)
def seasonal_esd():
    worst = 0.0
    for hybrid, step in ((True, 10), (False, 1)):
        values = seasonal(step, size=420)
        values[[200, 203, 300, 301]] += [12, -9, 20, 21]
        found = through("detect.seasonal_esd", values, f"period: 24, step: {step}, "
                        f"hybrid: {str(hybrid).lower()}")
        asked = defined_seasonal_esd(values, 24, 5, step, hybrid)
        assert (asked > 1).sum() >= 4
        worst = max(worst, float(numpy.max(numpy.abs(column(found, "score") - asked)
                                           / (1 + asked))))
    return worst


@check("seasonal_esd: outliers in Rosner's 54 numbers", "NIST 1.3.5.17.3", equals(3), quick=True)
def rosner():
    """53 numbers are the window, the last is tested among them."""
    numbers = numpy.array([
        -0.25, 0.68, 0.94, 1.15, 1.20, 1.26, 1.26, 1.34, 1.38, 1.43, 1.49, 1.49, 1.55, 1.56,
        1.58, 1.65, 1.69, 1.70, 1.76, 1.77, 1.81, 1.91, 1.94, 1.96, 1.99, 2.06, 2.09, 2.10,
        2.14, 2.15, 2.23, 2.24, 2.26, 2.35, 2.37, 2.40, 2.47, 2.54, 2.62, 2.64, 2.90, 2.92,
        2.92, 2.93, 3.21, 3.26, 3.30, 3.59, 3.68, 4.30, 4.64, 5.34, 5.42, 6.01])
    found = through("detect.seasonal_esd", numbers,
                    "period: 1, periods: 53, hybrid: false, max_anomalies: 0.19")
    return found[-1]["outliers"]
