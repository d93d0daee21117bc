"""What control charts are compared with: constants by scipy's quadrature, and average run lengths
by Markov chains with numpy. An independent program: it shares nothing with operators/.

  control_reference.py constants   size, d2, d3 and c4, as test_control_constants.c has them
  control_reference.py run-lengths shift, and mean run lengths of Shewhart limits, all Western
                                   Electric rules, EWMA (0.2, 3), CUSUM (0.5, 5), with head 0.5
  control_reference.py mewma       fields, weight, run length and limit, as test_mewma_limit.c has
"""
import functools
import sys

import numpy
from scipy import integrate, optimize, special, stats


@functools.cache
def range_constants(size):
    """Mean and standard deviation of the range of `size` standard normal values: quadrature of its
    distribution P(R <= w) = n int f(x) (F(x + w) - F(x))^(n - 1) dx over x, then over w."""
    nodes, weights = numpy.polynomial.legendre.leggauss(400)
    x = 9 * nodes
    density = 9 * weights * numpy.exp(-x * x / 2) / numpy.sqrt(2 * numpy.pi)

    def above(w):
        # Differences of the smaller tails, so that nothing cancels.
        inner = numpy.where(x + w / 2 > 0, special.ndtr(-x) - special.ndtr(-x - w),
                            special.ndtr(x + w) - special.ndtr(x))
        return 1 - size * numpy.sum(density * inner ** (size - 1))

    options = {"epsabs": 1e-13, "epsrel": 1e-13, "limit": 400}
    mean = integrate.quad(above, 0, 16, **options)[0]
    square = integrate.quad(lambda w: 2 * w * above(w), 0, 16, **options)[0]
    return mean, numpy.sqrt(square - mean * mean)


def c4(size):
    """Mean of the standard deviation of `size` standard normal values."""
    return numpy.sqrt(2 / (size - 1)) * numpy.exp(
        special.gammaln(size / 2) - special.gammaln((size - 1) / 2))


def print_constants():
    """The table of the unit test."""
    for size in [*range(2, 26), 30, 50, 100]:
        d2, d3 = range_constants(size)
        print(f"    {{{size}, {d2:.12f}, {d3:.12f}, {c4(size):.12f}}},")


def shewhart_run_length(shift, sigmas):
    """Points until one is beyond the limits."""
    return 1 / (special.ndtr(-sigmas - shift) + special.ndtr(-sigmas + shift))


def ewma_run_length(shift, weight, sigmas, cells=401):
    """EWMA between steady limits, begun at the centre (Brook and Evans; Lucas and Saccucci)."""
    reach = sigmas * numpy.sqrt(weight / (2 - weight))
    width = 2 * reach / cells
    middle = -reach + width * (numpy.arange(cells) + 0.5)
    lower = (middle[None, :] - width / 2 - (1 - weight) * middle[:, None]) / weight - shift
    upper = (middle[None, :] + width / 2 - (1 - weight) * middle[:, None]) / weight - shift
    stay = special.ndtr(upper) - special.ndtr(lower)
    return numpy.linalg.solve(numpy.eye(cells) - stay, numpy.ones(cells))[cells // 2]


def one_sided_cusum(shift, reference, limit, cells):
    """Run lengths by the begin, on a grid of [0, limit]: the first state is the sum 0 itself."""
    width = 2 * limit / (2 * cells - 1)
    state = width * numpy.arange(cells)
    low = state[None, :] - width / 2 - state[:, None] + reference - shift
    stay = special.ndtr(low + width) - special.ndtr(low)
    stay[:, 0] = special.ndtr(width / 2 - state + reference - shift)
    return state, numpy.linalg.solve(numpy.eye(cells) - stay, numpy.ones(cells))


def cusum_run_length(shift, reference, limit, head, cells=400):
    """Two-sided, each side begun at head * limit (Lucas and Crosier 1982)."""
    state, up = one_sided_cusum(shift, reference, limit, cells)
    _, down = one_sided_cusum(-shift, reference, limit, cells)
    begin = head * limit
    up_begin, down_begin = numpy.interp(begin, state, up), numpy.interp(begin, state, down)
    # With heads up to about a half at most one side is away from 0 when the other signals.
    return (up_begin * down[0] + up[0] * down_begin - up[0] * down[0]) / (up[0] + down[0])


def western_electric_run_length(shift):
    """All four rules; states are what they still see of the last points (Champ and Woodall)."""
    edges = numpy.array([-numpy.inf, -3, -2, -1, 0, 1, 2, 3, numpy.inf])
    chances = numpy.diff(special.ndtr(edges - shift))
    zones = [-4, -3, -2, -1, 1, 2, 3, 4]

    def step(state, zone):
        """The state behind a point, None: a rule is broken."""
        run, ones, twos = state
        side = 1 if zone > 0 else -1
        one, two = side * (abs(zone) > 1), side * (abs(zone) > 2)
        run = run + side if run * side > 0 else side
        if (abs(zone) == 4 or abs(run) == 8 or (two and (twos + (two,)).count(two) >= 2)
                or (one and (ones + (one,)).count(one) >= 4)):
            return None
        return run, (ones + (one,))[-4:], (twos + (two,))[-2:]

    begin = (0, (0,) * 4, (0,) * 2)
    numbers, rows, waiting = {begin: 0}, [], [begin]
    while waiting:
        state = waiting.pop(0)
        row = {}
        for zone, chance in zip(zones, chances):
            after = step(state, zone)
            if after is None:
                continue
            if after not in numbers:
                numbers[after] = len(numbers)
                waiting.append(after)
            row[numbers[after]] = row.get(numbers[after], 0) + chance
        rows.append(row)
    stay = numpy.zeros((len(rows), len(rows)))
    for number, row in enumerate(rows):
        for after, chance in row.items():
            stay[number, after] = chance
    return numpy.linalg.solve(numpy.eye(len(rows)) - stay, numpy.ones(len(rows)))[0]


def mewma_run_length(fields, weight, limit, nodes=400):
    """Multivariate EWMA with a steady limit, in control: the integral equation of the radius, by
    scipy's noncentral chi-square density on nodes of Gauss and Legendre (Rigdon 1995)."""
    reach = numpy.sqrt(limit * weight / (2 - weight))
    node, share = numpy.polynomial.legendre.leggauss(nodes)
    radius, share = reach * (node + 1) / 2, reach * share / 2

    def density(begin):
        return 2 * radius / weight ** 2 * stats.ncx2.pdf(
            (radius / weight) ** 2, fields, numpy.maximum(((1 - weight) * begin / weight) ** 2,
                                                          1e-30))

    step = numpy.array([share * density(begin) for begin in radius])
    lengths = numpy.linalg.solve(numpy.eye(nodes) - step, numpy.ones(nodes))
    return 1 + share * density(0) @ lengths


def mewma_chain(fields, weight, limit, rings=400):
    """The same as a Markov chain of rings (Runger and Prabhu 1996): converges from rings on."""
    reach = numpy.sqrt(limit * weight / (2 - weight))
    width = 2 * reach / (2 * rings + 1)
    edges = ((numpy.arange(rings + 1) + 0.5) * width / weight) ** 2
    stay = []
    for ring in range(rings + 1):
        below = stats.ncx2.cdf(edges, fields, max(((1 - weight) * ring * width / weight) ** 2,
                                                  1e-30))
        stay.append(numpy.diff(below, prepend=0))
    return numpy.linalg.solve(numpy.eye(rings + 1) - numpy.array(stay), numpy.ones(rings + 1))[0]


@functools.cache
def mewma_limit(fields, weight, run_length, nodes=100):
    """The limit with that run length in control."""
    most = stats.chi2.isf(1 / run_length, fields)
    return optimize.brentq(
        lambda limit: numpy.log(mewma_run_length(fields, weight, limit, nodes) / run_length),
        most / 1000, most, xtol=1e-12, rtol=1e-14)


def print_mewma_limits():
    """The table of test_mewma_limit.c."""
    for fields, weight, run_length in ((1, 0.2, 559.8713), (2, 0.1, 200), (2, 0.5, 1000),
                                       (3, 0.1, 370), (4, 0.1, 200), (5, 1, 370), (10, 0.05, 500),
                                       (16, 0.3, 2), (2, 0.02, 1e5), (16, 0.1, 1e6)):
        print(f"    {{{fields}, {weight}, {run_length}, "
              f"{mewma_limit(fields, weight, run_length, 200):.12g}}},")


def print_run_lengths():
    """Of charts in control (shift 0) and out of it."""
    for shift in (0, 0.5, 1, 2, 3):
        print(f"    {{{shift}, {shewhart_run_length(shift, 3):.3f}, "
              f"{western_electric_run_length(shift):.3f}, {ewma_run_length(shift, 0.2, 3):.3f}, "
              f"{cusum_run_length(shift, 0.5, 5, 0):.3f}, "
              f"{cusum_run_length(shift, 0.5, 5, 0.5):.3f}}},")


if __name__ == "__main__":
    {"constants": print_constants, "run-lengths": print_run_lengths,
     "mewma": print_mewma_limits}[sys.argv[1]]()
