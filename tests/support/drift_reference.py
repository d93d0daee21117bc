"""Streams with changes, and what river 0.26 says of every record of them.

  drift_reference.py DETECTOR published   the examples of river's documentation: no river needed
  drift_reference.py DETECTOR river       many streams and options, judged by the installed river

Output, blanks between the words: for each stream a line "stream TITLE COMPLETE RECORDS COUNT
PARAMETERS...", then a line for each record, "VALUE DRIFT WARNING A B C D", where A to D are the
detector's numbers or nan; kswin adds how many places of the window it drew, and these. COMPLETE is
0 where only drift is known. The last line is "end".
"""

import random
import sys

RATES = [(0.2, 0.2), (0.1, 0.5), (0.5, 0.1), (0.3, 0.4), (0.02, 0.2), (0.5, 0.9)]

# Options, as river calls them, in the order in which the C tests read them.
OPTIONS = {
    "adwin": ["delta", "clock", "max_buckets", "min_window_length", "grace_period"],
    "kswin": ["alpha", "window_size", "stat_size"],
    "page_hinkley": ["min_instances", "delta", "threshold", "alpha", "mode"],
    "ddm": ["warm_start", "warning_threshold", "drift_threshold"],
    "eddm": ["warm_start", "alpha", "beta"],
    "hddm_a": ["drift_confidence", "warning_confidence", "two_sided_test"],
    "hddm_w": ["drift_confidence", "warning_confidence", "lambda_val", "two_sided_test"],
}
MODES = {"both": 0, "up": 1, "down": 2}
DEFAULTS = {
    "adwin": [0.002, 32, 5, 5, 10],
    "kswin": [0.005, 100, 30],
    "page_hinkley": [30, 0.005, 50.0, 0.9999, "both"],
    "ddm": [30, 2.0, 3.0],
    "eddm": [30, 0.95, 0.9],
    "hddm_a": [0.001, 0.005, False],
    "hddm_w": [0.001, 0.005, 0.05, False],
}
VARIANTS = {
    "adwin": [
        [0.002, 1, 5, 5, 10],
        [0.3, 7, 2, 1, 1],
        [1e-6, 32, 11, 20, 100],
        [1.0, 3, 32, 2, 10],
    ],
    "kswin": [[0.05, 60, 30], [1e-4, 200, 100], [0.01, 40, 7]],
    "page_hinkley": [
        [5, 0.0, 10.0, 1.0, "up"],
        [30, 0.05, 3.0, 0.99, "down"],
        [1, 0.01, 1.0, 0.9, "both"],
    ],
    "ddm": [[10, 1.0, 2.0], [100, 2.5, 4.0], [1, 2.0, 2.5]],
    "eddm": [[5, 0.8, 0.75], [20, 0.99, 0.95], [0, 0.9, 0.7]],
    "hddm_a": [[0.001, 0.005, True], [0.05, 0.2, False], [1e-8, 1e-4, True]],
    "hddm_w": [
        [0.001, 0.005, 0.05, True],
        [0.05, 0.3, 0.2, True],
        [1e-6, 1e-3, 0.01, False],
        [0.01, 0.05, 0.9, True],
    ],
}
# Indices of drift that river's documentation prints.
PUBLISHED = {
    "adwin": (DEFAULTS["adwin"], [1023]),
    "kswin": ([0.0001, 100, 30], [1016]),
    "page_hinkley": (DEFAULTS["page_hinkley"], [1006]),
    "ddm": (DEFAULTS["ddm"], [1334]),
    "eddm": ([30, 0.8, 0.75], [1278]),
    "hddm_a": (DEFAULTS["hddm_a"], [1206]),
    "hddm_w": (DEFAULTS["hddm_w"], [1077]),
}
# Options and number of the stream of river's own tests. (Versions before 0.26 found other drifts in
# some of them: what counts is what the installed one says.)
OLD_TESTS = {
    "adwin": [(DEFAULTS["adwin"], 1)],
    "kswin": [([0.0001, 200, 100], 1)],
    "page_hinkley": [(DEFAULTS["page_hinkley"], 1)],
    "ddm": [(DEFAULTS["ddm"], 2)],
    "eddm": [(DEFAULTS["eddm"], 2)],
    "hddm_a": [(DEFAULTS["hddm_a"], 2), ([0.001, 0.005, True], 3)],
    "hddm_w": [(DEFAULTS["hddm_w"], 2), ([0.001, 0.005, 0.05, True], 3)],
}
BINARY = ("ddm", "eddm", "hddm_a", "hddm_w")


def print_stream(title, complete, options, lines):
    numbers = [MODES.get(option, option) for option in options]
    words = " ".join("%r" % float(number) for number in numbers)
    print("stream", title, complete, len(lines), len(numbers), words)
    sys.stdout.write("".join(line + "\n" for line in lines))


class Draws(random.Random):
    """Python's generator, which remembers what the last sample was."""

    def __init__(self, seed):
        super().__init__(seed)
        self.last = []

    def sample(self, population, k, **others):
        self.last = super().sample(population, k, **others)
        return self.last


def published(detector):
    """The example in the documentation of a detector: its stream and its drifts."""
    options, drifts = PUBLISHED[detector]
    if detector in BINARY:
        rng = random.Random(42)
        values = rng.choices([0, 1], k=1000)
        values += rng.choices([0, 1], k=1000, weights=[0.3, 0.7])
    else:
        rng = random.Random(12345)
        values = rng.choices([0, 1], k=1000) + rng.choices(range(4, 8), k=1000)
    lines = []
    draws = Draws(42)
    width = 0
    for index, value in enumerate(values):
        drift = index in drifts
        line = "%r %d 0 nan nan nan nan" % (float(value), drift)
        if detector == "kswin":
            _, window, recent = options
            width += 1
            drawn = draws.sample(range(window - recent), recent) if width >= window else []
            line += " %d %s" % (len(drawn), " ".join(map(str, drawn)))
            if drift:
                draws = Draws(42)
                width = 0
        lines.append(line)
    print_stream("documentation", 0, options, lines)


def streams(detector):
    """(title, values): of 0 and 1 for the detectors of errors."""
    import numpy

    seeds = 1 if detector == "kswin" else 2
    size = 250 if detector == "kswin" else 400
    for seed in range(seeds):
        rng = numpy.random.default_rng(seed)
        for first, second in RATES if detector in BINARY else RATES[:2]:
            values = rng.random(2 * size) < numpy.repeat([first, second], size)
            yield "bernoulli-%d-%g-%g" % (seed, first, second), values.astype(float)
        if detector in BINARY:
            rate = numpy.linspace(0.05, 0.6, 2 * size)
            yield "gradual-%d" % seed, (rng.random(2 * size) < rate).astype(float)
            period = numpy.arange(2 * size) % numpy.repeat([10, 4], size) == 0
            yield "periodic-%d" % seed, period.astype(float)
            continue
        shift = numpy.repeat([0.0, 1.0, 1.0, -0.5], size // 2)
        yield "normal-%d" % seed, rng.normal(shift, 1.0)
        yield "large-%d" % seed, rng.normal(1e9 + 1e6 * shift, 1e5)
        yield "scale-%d" % seed, rng.normal(0.0, numpy.repeat([1.0, 4.0], size))
        yield "trend-%d" % seed, numpy.linspace(0, 5, 2 * size) + rng.normal(0, 0.5, 2 * size)
        yield "constant-%d" % seed, numpy.full(2 * size, 0.1 + seed)


def make(detector, options):
    from river import drift
    from river.drift import binary

    types = {
        "adwin": drift.ADWIN,
        "kswin": drift.KSWIN,
        "page_hinkley": drift.PageHinkley,
        "ddm": binary.DDM,
        "eddm": binary.EDDM,
        "hddm_a": binary.HDDMA,
        "hddm_w": binary.HDDMW,
    }
    return types[detector](**dict(zip(OPTIONS[detector], options)))


def numbers_of(detector, model):
    if detector == "adwin":
        return [model.width, model.estimation, max(0.0, model.variance / model.width)]
    if detector == "page_hinkley":
        increase = model._sum_increase - model._min_increase
        decrease = model._max_decrease - model._sum_decrease
        return [model._x_mean.n, model._x_mean.get(), increase, decrease]
    if detector == "ddm":
        none = model._p_min is None
        least = [float("nan")] * 2 if none else [model._p_min, model._s_min]
        return [model._p.n, model._p.get()] + least
    if detector == "eddm":
        errors = model._n_errors
        return [model._n, errors, model._error_distances.mean.get() if errors else float("nan")]
    if detector == "hddm_a":
        return [model._z.n, model._z.get()]
    if detector == "hddm_w":
        return [model._total.ewma]
    return []


def kswin_line(model, value):
    if model.drift_detected or not isinstance(model._rng, Draws):
        model._reset()
        model._rng = Draws(7)
    model._rng.last = []
    model.update(value)
    drawn = model._rng.last
    p_value = model.p_value if drawn else float("nan")
    line = "%r %d 0 nan nan nan %r %d" % (value, model.drift_detected, float(p_value), len(drawn))
    return " ".join([line] + list(map(str, drawn)))


def line_of(detector, model, value):
    if detector == "kswin":
        return kswin_line(model, value)
    model.update(int(value) if detector in BINARY else value)
    numbers = [float(number) for number in numbers_of(detector, model)]
    numbers += [float("nan")] * (4 - len(numbers))
    warning = getattr(model, "warning_detected", False)
    words = [value, int(model.drift_detected), int(warning)] + numbers
    return " ".join("%r" % word for word in words)


def old_tests(detector):
    """The streams of river's own tests."""
    import numpy

    for options, number in OLD_TESTS[detector]:
        rng = numpy.random.RandomState(12345)
        if number == 1:
            values = numpy.concatenate((rng.randint(2, size=1000), rng.randint(8, size=1000)))
        elif number == 2:
            values = [rng.binomial(1, 0.2 if index < 1000 else 0.8) for index in range(2000)]
        else:
            means = [0.0, 0.25, 0.0, 0.25]
            values = numpy.concatenate([rng.normal(mean, 0.1, 500) for mean in means]) > 0
        model = make(detector, options)
        lines = [line_of(detector, model, float(value)) for value in values]
        print_stream("river-test-%d" % number, 1, options, lines)


def judged(detector):
    old_tests(detector)
    for number, (title, values) in enumerate(streams(detector)):
        variants = [DEFAULTS[detector]] + VARIANTS[detector]
        options = variants[number % len(variants)]
        for options in variants[:1] + [options] if number % len(variants) else variants[:1]:
            model = make(detector, options)
            lines = [line_of(detector, model, float(value)) for value in values]
            print_stream(title, 1, options, lines)


def main():
    detector, kind = sys.argv[1:]
    if kind == "published":
        published(detector)
    else:
        judged(detector)
    print("end")


if __name__ == "__main__":
    main()
