/* tests/unit/operators/test_quantile.c — quantiles beside scipy's isf. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/quantile.h"

static void assert_near(double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance * (1e-9 + fabs(expected))))
        fail_msg("%.17g, expected %.17g", found, expected);
}

static void of_beta_and_f(void **state)
{
    MR_UNUSED(state);
    static const double betas[][4] = {
        {1, 10, 0.0027, 0.4464761014373087},    {2, 5, 0.5, 0.26444998329566005},
        {0.5, 0.5, 0.01, 0.9997532801828658},   {1.5, 22, 0.0027, 0.27257632399567677},
        {8, 4, 1e-09, 0.99867817024905969},     {8, 1500, 0.0027, 0.01197174794850424},
        {200, 300, 0.999, 0.33371922651166896}, {0.5, 100000.0, 0.05, 1.9207157661874358e-05},
        {30, 0.5, 0.2, 0.99892188510691071},
    };
    static const double fs[][4] = {
        {2, 23, 0.0027, 7.7334641823084151},
        {2, 1, 0.0027, 68586.605624140851},
        {16, 9, 0.0027, 7.0672490888949531},
        {3, 1000000.0, 0.0027, 4.7187818741815128},
        {1, 1, 0.5, 1},
        {5, 40, 0.999, 0.040647050711740462},
        {4, 80, 1e-08, 14.049352531262356}, /* by fdtrc: isf itself is off by 3e-10 */
        {2.5, 7.25, 0.1, 3.1119838823809935},
    };
    for (size_t row = 0; row < MR_ARRAY_COUNT(betas); row++)
        assert_near(mr_beta_quantile(betas[row][0], betas[row][1], betas[row][2]), betas[row][3],
                    1e-10);
    for (size_t row = 0; row < MR_ARRAY_COUNT(fs); row++)
        assert_near(mr_f_quantile(fs[row][0], fs[row][1], fs[row][2]), fs[row][3], 1e-10);
}

static void of_chi_square(void **state)
{
    MR_UNUSED(state);
    static const double chi_squares[][3] = {
        {1, 0.0027, 8.9998619567496974},        {2, 0.0027, 11.829007011943707},
        {16, 0.0027, 36.216140580307922},       {0.5, 0.975, 5.2732025912600221e-07},
        {24, 0.975, 12.401150217444439},        {24, 0.025, 39.364077026603901},
        {3.7, 1e-10, 51.758686369762991},       {999999, 0.025, 1002772.7000820216},
        {1000000.0, 0.975, 997230.08714329009}, {2, 0.5, 1.386294361119891},
    };
    for (size_t row = 0; row < MR_ARRAY_COUNT(chi_squares); row++)
        assert_near(mr_chi_square_quantile(chi_squares[row][0], chi_squares[row][1]),
                    chi_squares[row][2], 1e-10);
    /* Of two degrees it is -2 ln of the tail. */
    for (double upper = 1e-12; upper < 1; upper = upper < 0.1 ? upper * 3.3 : upper + 0.07)
        assert_near(mr_chi_square_quantile(2, upper), -2 * log(upper), 1e-12);
}

static void of_normal(void **state)
{
    MR_UNUSED(state);
    static const double normals[][2] = {
        {0.5, 0},
        {0.025, 1.9599639845400545},
        {0.975, -1.959963984540054},
        {0.00135, 2.9999769927033935},
        {1e-300, 37.047096299361201},
        {1e-20, 9.2623400897984087},
        {0.3, 0.52440051270804089},
        {0.4999999, 2.5066282747031068e-07},
    };
    for (size_t row = 0; row < MR_ARRAY_COUNT(normals); row++)
        assert_near(mr_normal_quantile(normals[row][0]), normals[row][1], 1e-10);
    for (double z = -37; z < 37; z += 0.37)
        assert_near(mr_normal_tail(z), erfc(z * 0.70710678118654752440) / 2, 1e-12);
    assert_true(mr_normal_tail(1e200) == 0);
    assert_true(mr_normal_tail(-1e200) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_beta_and_f),
        cmocka_unit_test(of_chi_square),
        cmocka_unit_test(of_normal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
