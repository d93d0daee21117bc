/* tests/unit/operators/test_incomplete.c — the incomplete beta and gamma functions beside scipy's
 * betainc, betaincc, gammainc and gammaincc. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/incomplete.h"

static void assert_near(double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance * (1 + fabs(expected))))
        fail_msg("%.17g, expected %.17g", found, expected);
}

static void the_gamma_function(void **state)
{
    MR_UNUSED(state);
    assert_near(mr_log_gamma(1), 0, 1e-13);
    assert_near(mr_log_gamma(2), 0, 1e-13);
    assert_near(mr_log_gamma(0.5), 0.5 * log(acos(-1)), 1e-13);
    assert_near(mr_log_gamma(11), log(3628800), 1e-14);
    assert_near(mr_log_gamma(1e-8), 18.420680738180209, 1e-13);
    for (double x = 0.01; x < 1e6; x *= 1.7)
        assert_near(mr_log_gamma(x), lgamma(x), 1e-13);
}

static void beside_scipy(void **state)
{
    MR_UNUSED(state);
    static const double log_betas[][5] = {
        {0.5, 0.5, 0.3, -0.99693121102077809, -0.46046545391587124},
        {2, 30, 0.1, -0.18580517728099588, -1.7745211086148986},
        {30, 2, 0.9, -1.774521108614898, -0.18580517728099588},
        {100, 200, 0.5, -2.6465546456071845e-09, -19.750007192846503},
        {10000.0, 20000.0, 0.34, -0.0073129263738389415, -4.9217659954911372},
        {3, 1000000.0, 1e-06, -2.5219648241087329, -0.0837095681261983},
        {0.01, 5, 1e-08, -0.16344426518009411, -1.891892528292177},
    };
    static const double gammas[][4] = {
        {0.5, 0.1, -1.063402047154528, -0.42354632347596605},
        {0.5, 300, 0, -303.42591595890315},
        {3, 2.5, -0.78485271983740834, -0.60914962812771378},
        {3, 4.5, -0.19064982584391862, -1.7511278043775349},
        {500, 450, -4.535901797272456, -0.010775081338570563},
        {500, 600, -1.2256017435238343e-05, -11.309499650376678},
        {500000.0, 501000.0, -0.081989818565861267, -2.5418750311320903},
        {0.001, 1e-05, -0.010936541856671079, -4.5211089200801782},
        {20, 1e-06, -318.64582857241993, 0},
        {1, 700, 0, -700},
    };
    double lower;
    double upper;
    for (size_t row = 0; row < MR_ARRAY_COUNT(log_betas); row++) {
        const double *given = log_betas[row];
        mr_log_beta(given[0], given[1], given[2], 1 - given[2], &lower, &upper);
        assert_near(lower, given[3], 1e-11);
        assert_near(upper, given[4], 1e-11);
    }
    for (size_t row = 0; row < MR_ARRAY_COUNT(gammas); row++) {
        const double *given = gammas[row];
        mr_log_gamma_tails(given[0], given[1], &lower, &upper);
        assert_near(lower, given[2], 1e-11);
        assert_near(upper, given[3], 1e-11);
    }
}

/* Far out a tail is still told, and nothing is above 1. */
static void odd_arguments(void **state)
{
    MR_UNUSED(state);
    static const double numbers[] = {1e-260, 1e-9, 0.5, 1, 7, 1e3, 1e6, 1e9};
    for (size_t a = 1; a < MR_ARRAY_COUNT(numbers); a++)
        for (size_t x = 0; x < MR_ARRAY_COUNT(numbers); x++) {
            double lower;
            double upper;
            mr_log_gamma_tails(numbers[a], numbers[x], &lower, &upper);
            assert_true(isfinite(lower) && isfinite(upper) && lower <= 0 && upper <= 0);
            double share = numbers[x] / (1 + numbers[x]);
            if (!(share < 1))
                continue;
            mr_log_beta(numbers[a], 3, share, 1 - share, &lower, &upper);
            assert_true(isfinite(lower) && isfinite(upper) && lower <= 0 && upper <= 0);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gamma_function),
        cmocka_unit_test(beside_scipy),
        cmocka_unit_test(odd_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
