/* tests/unit/operators/test_capability.c — indices by hand, bounds beside scipy, values that do not
 * vary. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/capability.h"

#define NONE ((double)NAN)

static void assert_near(double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-10 * (1 + fabs(expected))))
        fail_msg("%.17g, expected %.17g", found, expected);
}

static double results[MR_CAPABILITY_RESULTS_COUNT];

/* NIST/SEMATECH e-Handbook 6.1.6: 8 to 20, mean 16, sigma 2; and a larger sigma of all values. */
static struct mr_capability_study example(void)
{
    return (struct mr_capability_study){.lower = 8,
                                        .upper = 20,
                                        .target = 14,
                                        .confidence = 0.95,
                                        .count = 50,
                                        .mean = 16,
                                        .sigma_within = 2,
                                        .freedom_within = 45.5,
                                        .sigma_overall = 2.5,
                                        .outside = 3};
}

static void the_example_of_nist(void **state)
{
    MR_UNUSED(state);
    struct mr_capability_study study = example();
    mr_capability(&study, results);
    assert_near(results[MR_CAPABILITY_CP], 1);
    assert_near(results[MR_CAPABILITY_CPL], 4.0 / 3);
    assert_near(results[MR_CAPABILITY_CPU], 2.0 / 3);
    assert_near(results[MR_CAPABILITY_CPK], 2.0 / 3);
    assert_near(results[MR_CAPABILITY_PP], 0.8);
    assert_near(results[MR_CAPABILITY_PPK], 4 / 7.5);
    assert_near(results[MR_CAPABILITY_CPM], 2 / sqrt(2.5 * 2.5 + 4));
    assert_near(results[MR_CAPABILITY_CP_LOWER], 0.7950785238590119);
    assert_near(results[MR_CAPABILITY_CP_UPPER], 1.2045119389253434);
    assert_near(results[MR_CAPABILITY_CPK_LOWER], 0.5014447589211385);
    assert_near(results[MR_CAPABILITY_CPK_UPPER], 0.8318885744121948);
    assert_near(results[MR_CAPABILITY_PP_LOWER], 0.641985862520081);
    assert_near(results[MR_CAPABILITY_PPM_WITHIN], 22781.803190012313);
    assert_near(results[MR_CAPABILITY_PPM_OBSERVED], 60000);
}

static void one_limit(void **state)
{
    MR_UNUSED(state);
    struct mr_capability_study study = example();
    study.lower = NONE;
    study.target = NONE;
    mr_capability(&study, results);
    assert_true(isnan(results[MR_CAPABILITY_CP]) && isnan(results[MR_CAPABILITY_CPL]));
    assert_true(isnan(results[MR_CAPABILITY_CP_LOWER]) && isnan(results[MR_CAPABILITY_CPM]));
    assert_near(results[MR_CAPABILITY_CPK], 2.0 / 3);
    assert_near(results[MR_CAPABILITY_CPK_LOWER], 0.5014447589211385);
    assert_near(results[MR_CAPABILITY_PPM_WITHIN], 22750.131948179209);
    study.target = 17;
    study.upper = NONE;
    study.lower = 8;
    mr_capability(&study, results);
    assert_near(results[MR_CAPABILITY_CPM], 3 / sqrt(2.5 * 2.5 + 1));
    assert_near(results[MR_CAPABILITY_CPK], 4.0 / 3);
}

static void values_that_do_not_vary(void **state)
{
    MR_UNUSED(state);
    struct mr_capability_study study = example();
    study.sigma_within = study.sigma_overall = 0;
    study.freedom_within = 1;
    mr_capability(&study, results);
    assert_true(results[MR_CAPABILITY_CPK] == MR_CAPABILITY_INDEX_MAX);
    assert_true(results[MR_CAPABILITY_PPM_WITHIN] == 0);
    study.mean = 20; /* on a limit */
    mr_capability(&study, results);
    assert_true(results[MR_CAPABILITY_CPU] == 0 && results[MR_CAPABILITY_PPM_WITHIN] == 0);
    study.mean = 21;
    mr_capability(&study, results);
    assert_true(results[MR_CAPABILITY_CPK] == -MR_CAPABILITY_INDEX_MAX);
    assert_true(results[MR_CAPABILITY_PPM_WITHIN] == 1e6);
    study.sigma_within = NONE;
    mr_capability(&study, results);
    assert_true(isnan(results[MR_CAPABILITY_CPK]) && isnan(results[MR_CAPABILITY_PPM_WITHIN]));
    study = example();
    study.mean = 1e140;
    study.sigma_within = 5e-324;
    mr_capability(&study, results);
    for (int index = 0; index < MR_CAPABILITY_RESULTS_COUNT; index++)
        assert_true(isfinite(results[index]));
}

static void ratings(void **state)
{
    MR_UNUSED(state);
    assert_string_equal(mr_capability_rating(1.67), "excellent");
    assert_string_equal(mr_capability_rating(1.66), "adequate");
    assert_string_equal(mr_capability_rating(1.33), "adequate");
    assert_string_equal(mr_capability_rating(1.32), "marginal");
    assert_string_equal(mr_capability_rating(1), "marginal");
    assert_string_equal(mr_capability_rating(0.99), "inadequate");
    assert_string_equal(mr_capability_rating(-5), "inadequate");
    assert_string_equal(mr_capability_rating(NONE), "unknown");
}

/* 1 / (2 V): of one range of two values V is (pi - 2) / 2; of many moving ranges V is 0.826 / n. */
static void degrees_of_freedom(void **state)
{
    MR_UNUSED(state);
    struct mr_range_constants two = mr_control_range(2);
    assert_near(mr_capability_freedom(two, 1), 1 / (acos(-1) - 2));
    assert_near(mr_capability_freedom(two, 30), 30 / (acos(-1) - 2));
    assert_near(mr_capability_moving_freedom(1), 1 / (acos(-1) - 2));
    double many = mr_capability_moving_freedom(1e6);
    assert_true(fabs(1e6 / (2 * many) - 0.826) < 0.001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_nist),     cmocka_unit_test(one_limit),
        cmocka_unit_test(values_that_do_not_vary), cmocka_unit_test(ratings),
        cmocka_unit_test(degrees_of_freedom),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
