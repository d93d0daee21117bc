"""What control charts are compared with: constants by scipy's quadrature, and average run lengths
by Markov chains with numpy. An independent program: it shares nothing with operators/.

  control_reference.py constants   size, d2, d3 and c4, as test_control_constants.c has them
"""
import sys

import numpy
from scipy import integrate, special


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


if __name__ == "__main__":
    {"constants": print_constants}[sys.argv[1]]()
