/* tests/unit/operators/test_count_tail.c — tails of counts, beside sums of the probabilities and
 * known values; tests/detectors compares them with scipy. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/count_tail.h"

static void assert_near(double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance * (1 + fabs(expected))))
        fail_msg("%.17g, expected %.17g", found, expected);
}

/* ln P(X = k) of the negative binomial distribution. */
static double log_mass(double size, double p, double k)
{
    return lgamma(k + size) - lgamma(k + 1) - lgamma(size) + size * log(p) + k * log(1 - p);
}

static void sums_of_probabilities(void **state)
{
    MR_UNUSED(state);
    static const double given[][2] = {{5, 6}, {0.3, 0.31}, {20, 200}, {100, 101}, {2, 50}};
    for (size_t pair = 0; pair < MR_ARRAY_COUNT(given); pair++) {
        double mean = given[pair][0];
        double variance = given[pair][1];
        double size = mean * mean / (variance - mean);
        double p = mean / variance;
        double below = 0;
        for (uint32_t count = 0; count < 120; count++) {
            struct mr_count_tails tails = mr_count_tails(mean, variance, count);
            double mass = exp(log_mass(size, p, count));
            assert_near(exp(tails.log_lower), below + mass, 1e-10); /* lgamma's own error */
            assert_near(exp(tails.log_upper), 1 - below, 1e-10);
            below += mass;
        }
    }
}

/* Far out a tail is still told: the sum of its masses. */
static void tails_far_out(void **state)
{
    MR_UNUSED(state);
    double sum = 0;
    for (int k = 5000; k < 9000; k++)
        sum += exp(log_mass(25.0 / 0.1, 5 / 5.1, k) - log_mass(25.0 / 0.1, 5 / 5.1, 5000));
    double expected = log_mass(25.0 / 0.1, 5 / 5.1, 5000) + log(sum);
    double found = mr_count_tails(5, 5.1, 5000).log_upper;
    assert_true(found < -10000);
    assert_near(found, expected, 1e-11);
    assert_near(mr_count_tails(1e4, 1.001e4, 0).log_lower, log_mass(1e8 / 10, 1e4 / 1.001e4, 0),
                1e-9);
    double before = 0;
    for (double count = 10; count < 1e15; count *= 10) {
        double upper = mr_count_tails(3, 4, count).log_upper;
        assert_true(isfinite(upper) && upper < before);
        before = upper;
    }
}

static void huge_and_tiny(void **state)
{
    MR_UNUSED(state);
    static const double given[][3] = {{1e15, 2e15, 1e15},      {1e15, 1e30, 0},
                                      {1e-9, 1.0000001e-9, 0}, {1e-9, 1e-8, 1e9},
                                      {1e6, 1.0001e6, 1e6},    {0.5, 1e12, 3}};
    for (size_t row = 0; row < MR_ARRAY_COUNT(given); row++) {
        struct mr_count_tails tails = mr_count_tails(given[row][0], given[row][1], given[row][2]);
        assert_true(isfinite(tails.log_upper) && isfinite(tails.log_lower));
        assert_true(tails.log_upper <= 0 && tails.log_lower <= 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_of_probabilities),
        cmocka_unit_test(tails_far_out),
        cmocka_unit_test(huge_and_tiny),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
