/* tests/unit/operators/test_normal_score.c — normal_score.c beside libm, and known bits. */
#include "operators/normal_score.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"

static void the_integral_agrees_with_libm(void **state)
{
    MR_UNUSED(state);
    for (double z = -8; z <= 8; z += 0.0137) {
        double expected = 0.5 * erfc(-z / sqrt(2));
        assert_true(fabs(mr_normal_below(z) - expected) <= 1e-10 * expected);
        assert_true(fabs(mr_normal_below(z) - expected) <= 1e-15);
        assert_true(fabs(mr_normal_density(z) - exp(-z * z / 2) / sqrt(2 * acos(-1))) <= 1e-15);
    }
    assert_true(mr_normal_below((double)INFINITY) == 1 && mr_normal_below(-(double)INFINITY) == 0);
    assert_true(mr_normal_density((double)INFINITY) == 0);
}

static void the_quantile_is_the_integrals_inverse(void **state)
{
    MR_UNUSED(state);
    for (double z = -7; z <= 4; z += 0.0173)
        assert_true(fabs(mr_normal_score(mr_normal_below(z)) - z) <= 1e-9);
    assert_true(mr_normal_score(0.5) == 0);
    assert_true(fabs(mr_normal_score(0.975) - 1.959963984540054) <= 1e-14);
    assert_true(fabs(mr_normal_score(1e-12) + 7.034483825301131) <= 1e-12);
}

static void probabilities_beyond_the_bounds_are_finite(void **state)
{
    MR_UNUSED(state);
    static const double odd[] = {0, 5e-324, 1, -1, 2};
    for (size_t index = 0; index < MR_ARRAY_COUNT(odd); index++)
        assert_true(fabs(mr_normal_score(odd[index])) < 8.3);
    assert_true(isfinite(mr_normal_score((double)NAN)) || isnan(mr_normal_score((double)NAN)));
}

/* What other machines must find too. */
static void the_bits_are_known(void **state)
{
    MR_UNUSED(state);
    assert_true(mr_normal_score(0.1) == -0x1.4813c36e26d33p+0);
    assert_true(mr_normal_score(1e-9) == -0x1.7fdc11f44b5a7p+2);
    assert_true(mr_normal_below(1.25) == 0x1.c9e845da8ac7bp-1);
    assert_true(mr_normal_below(-5.5) == 0x1.463cfa9c7fce9p-26);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_integral_agrees_with_libm),
        cmocka_unit_test(the_quantile_is_the_integrals_inverse),
        cmocka_unit_test(probabilities_beyond_the_bounds_are_finite),
        cmocka_unit_test(the_bits_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
