/* tests/unit/operators/test_mewma_limit.c — limits of the multivariate EWMA beside an independent
 * program (tests/support/control_reference.py mewma), and where they are known otherwise. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/mewma_limit.h"
#include "operators/quantile.h"

static void assert_near(double found, double expected, double tolerance)
{
    if (!(fabs(found / expected - 1) <= tolerance))
        fail_msg("%.12g, expected %.12g", found, expected);
}

static void beside_scipy(void **state)
{
    MR_UNUSED(state);
    /* fields, lambda, run length, limit */
    static const double given[][4] = {
        {1, 0.2, 559.8713, 8.99999012038},  {2, 0.1, 200, 8.63358064352},
        {2, 0.5, 1000, 13.736519276},       {3, 0.1, 370, 12.3435413808},
        {4, 0.1, 200, 12.7231081645},       {5, 1, 370, 18.202788727},
        {10, 0.05, 500, 24.1145505843},     {16, 0.3, 2, 9.2755762219},
        {2, 0.02, 100000.0, 20.0328422196}, {16, 0.1, 1000000.0, 57.7256858414},
    };
    for (size_t row = 0; row < MR_ARRAY_COUNT(given); row++) {
        uint32_t fields_count = (uint32_t)given[row][0];
        double limit = mr_mewma_limit(fields_count, given[row][1], given[row][2]);
        assert_near(limit, given[row][3], given[row][2] > 1e5 ? 3e-9 : 1e-9);
        assert_near(mr_mewma_run_length(fields_count, given[row][1], limit), given[row][2], 1e-8);
    }
}

/* Without memory points are independent; of one field it is the EWMA of three sigma. */
static void known_otherwise(void **state)
{
    MR_UNUSED(state);
    for (uint32_t fields_count = 1; fields_count <= 16; fields_count += 5)
        assert_near(mr_mewma_limit(fields_count, 1, 200),
                    mr_chi_square_quantile(fields_count, 1 / 200.0), 1e-10);
    /* spc::xewma.arl(0.2, 3, 0, sided = "two") of R is 559.87. */
    assert_near(mr_mewma_run_length(1, 0.2, 9), 559.87, 1e-5);
}

/* Rises with the limit, and with the run length. */
static void rises(void **state)
{
    MR_UNUSED(state);
    double before = 0;
    for (double limit = 0.5; limit < 20; limit += 1.7) {
        double length = mr_mewma_run_length(2, 0.25, limit);
        assert_true(length > before && length >= 1);
        before = length;
    }
    assert_true(mr_mewma_limit(2, 0.25, 500) > mr_mewma_limit(2, 0.25, 499));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beside_scipy),
        cmocka_unit_test(known_otherwise),
        cmocka_unit_test(rises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
