/* tests/unit/operators/test_tail.c — fits of the tail beside scipy's and libspot's, quantiles and
 * probabilities. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/tail.h"

enum { COUNT = 400 };

/* Excesses of a generalised Pareto distribution, by its inverse. */
static void draw(double gamma, double sigma, uint64_t seed, double *excesses)
{
    struct mr_random random;
    mr_random_init(&random, seed, 0);
    for (int index = 0; index < COUNT; index++) {
        double above = 1 - mr_random_double(&random);
        excesses[index] =
            gamma == 0 ? -sigma * log(above) : sigma / gamma * (pow(above, -gamma) - 1);
        if (!(excesses[index] > 0))
            excesses[index] = 1e-12;
    }
}

static double likelihood(const double *excesses, double gamma, double sigma)
{
    double sum = 0;
    for (int index = 0; index < COUNT; index++)
        sum -= log(sigma) + (1 + 1 / gamma) * log1p(gamma / sigma * excesses[index]);
    return sum;
}

static void no_neighbour_is_more_likely(void **state)
{
    MR_UNUSED(state);
    static const double gammas[] = {-0.4, -0.1, 0, 0.2, 0.5, 0.9};
    static double excesses[COUNT];
    for (size_t index = 0; index < MR_ARRAY_COUNT(gammas); index++) {
        draw(gammas[index], 2.5, index + 1, excesses);
        struct mr_tail tail = mr_tail_fit(excesses, COUNT);
        assert_true(fabs(tail.gamma - gammas[index]) < 0.3);
        double found = likelihood(excesses, tail.gamma, tail.sigma);
        assert_true(fabs(found - tail.log_likelihood) < 1e-7 * fabs(found));
        for (int step = -20; step <= 20; step++)
            for (int other = -20; other <= 20; other++) {
                double here = likelihood(excesses, tail.gamma + 0.003 * step,
                                         tail.sigma * (1 + 0.003 * other));
                assert_true(!(here > found + 1e-9));
            }
    }
}

/* libspot 3.1.0 of 19 excesses over a level. */
static void a_fit_by_another_program(void **state)
{
    MR_UNUSED(state);
    static const double excesses[] = {
        0.037790374228123813, 1.3527903742281238,   9.5007903742281243,  0.71679037422812364,
        0.85779037422812365,  0.039790374228124037, 10.204790374228123,  1.7767903742281241,
        37.723790374228123,   29.971790374228121,   2.2857903742281236,  0.091790374228124083,
        0.53379037422812381,  2.1127903742281235,   1.1547903742281243,  10.748790374228124,
        3.047790374228124,    0.245790374228124,    0.067790374228124062};
    struct mr_tail tail = mr_tail_fit(excesses, MR_ARRAY_COUNT(excesses));
    assert_true(fabs(tail.gamma - 1.3271851606) < 1e-6);
    assert_true(fabs(tail.sigma - 1.0473387073) < 1e-6);
}

static void equal_and_single_excesses_are_exponential(void **state)
{
    MR_UNUSED(state);
    static const double equal[] = {3, 3, 3, 3};
    static const double values[] = {5e-324, 1e-300, 0.25, 1e140};
    struct mr_tail tail = mr_tail_fit(equal, 4);
    assert_true(tail.gamma == 0 && tail.sigma == 3);
    for (size_t index = 0; index < MR_ARRAY_COUNT(values); index++) {
        tail = mr_tail_fit(&values[index], 1);
        assert_true(tail.gamma == 0 && tail.sigma == values[index]);
    }
    static const double denormal[] = {5e-324, 1e-323, 1e-322};
    tail = mr_tail_fit(denormal, 3);
    assert_true(tail.gamma == 0 && tail.sigma > 0);
    tail = mr_tail_fit(values + 1, 3);
    assert_true(isfinite(tail.gamma) && tail.sigma > 0 && isfinite(tail.sigma));
    assert_true(isfinite(mr_tail_quantile(&tail, 0.02, 1e-9)));
}

static void quantile_and_probability_are_inverse(void **state)
{
    MR_UNUSED(state);
    static const double gammas[] = {-0.5, -1e-12, 0, 1e-12, 0.3, 2};
    for (size_t index = 0; index < MR_ARRAY_COUNT(gammas); index++) {
        struct mr_tail tail = {.gamma = gammas[index], .sigma = 0.7};
        double before = 0;
        for (double rate = 0.01; rate > 1e-12; rate /= 10) {
            double excess = mr_tail_quantile(&tail, 0.02, rate);
            assert_true(excess > before);
            before = excess;
            assert_true(fabs(mr_tail_probability(&tail, 0.02, excess) / rate - 1) < 1e-6);
        }
        assert_true(mr_tail_probability(&tail, 0.02, 0) == 0.02);
        assert_true(mr_tail_quantile(&tail, 0.02, 0.02) == 0);
    }
    struct mr_tail ending = {.gamma = -0.5, .sigma = 1};
    assert_true(mr_tail_probability(&ending, 0.1, 2.5) == 0);
    struct mr_tail heavy = {.gamma = 50, .sigma = 1e300};
    assert_true(mr_tail_quantile(&heavy, 0.5, 1e-300) == DBL_MAX);
    assert_true(mr_tail_probability(&heavy, 0.5, DBL_MAX) >= 0);
}

static void the_exponential_is_as_libms(void **state)
{
    MR_UNUSED(state);
    for (double x = -700; x < 700; x += 0.37)
        assert_true(fabs(mr_tail_exponential(x) / exp(x) - 1) < 1e-14);
    assert_true(mr_tail_exponential(0) == 1);
    assert_true(mr_tail_exponential(-1e9) == 0);
    assert_true(mr_tail_exponential(1e9) == DBL_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_neighbour_is_more_likely),
        cmocka_unit_test(a_fit_by_another_program),
        cmocka_unit_test(equal_and_single_excesses_are_exponential),
        cmocka_unit_test(quantile_and_probability_are_inverse),
        cmocka_unit_test(the_exponential_is_as_libms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
