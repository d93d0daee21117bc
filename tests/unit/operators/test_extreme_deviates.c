/* tests/unit/operators/test_extreme_deviates.c — Rosner's example as NIST has it, and the hybrid.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/extreme_deviates.h"
#include "operators/sorted_window.h"

/* NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.5.17.3: 54 numbers, 3 outliers. */
static const double rosner[54] = {-0.25, 0.68, 0.94, 1.15, 1.20, 1.26, 1.26, 1.34, 1.38, 1.43, 1.49,
                                  1.49,  1.55, 1.56, 1.58, 1.65, 1.69, 1.70, 1.76, 1.77, 1.81, 1.91,
                                  1.94,  1.96, 1.99, 2.06, 2.09, 2.10, 2.14, 2.15, 2.23, 2.24, 2.26,
                                  2.35,  2.37, 2.40, 2.47, 2.54, 2.62, 2.64, 2.90, 2.92, 2.92, 2.93,
                                  3.21,  3.26, 3.30, 3.59, 3.68, 4.30, 4.64, 5.34, 5.42, 6.01};

static void rosners_example(void **state)
{
    MR_UNUSED(state);
    /* As printed: rounded, and cut off, to three places. */
    static const double printed_statistics[10] = {3.118, 2.942, 3.179, 2.810, 2.815,
                                                  2.848, 2.279, 2.310, 2.101, 2.067};
    static const double printed_critical[10] = {3.158, 3.151, 3.143, 3.136, 3.128,
                                                3.120, 3.111, 3.103, 3.094, 3.085};
    double critical[10];
    double statistics[10];
    mr_extreme_critical(54, 10, 0.05, critical);
    struct mr_extreme_test test = {.outliers_max = 10, .scale_floor = 1e-9, .critical = critical};
    struct mr_extreme_verdict verdict = mr_extreme_judge(&test, rosner, 54, 6.01, statistics);
    assert_int_equal(verdict.outliers, 3);
    for (int step = 0; step < 10; step++) {
        assert_true(fabs(statistics[step] - printed_statistics[step]) <= 0.001);
        assert_true(critical[step] >= printed_critical[step] &&
                    critical[step] < printed_critical[step] + 0.001);
    }
    assert_true(fabs(verdict.score - statistics[2] / critical[2]) < 1e-15);
    /* 6.01 alone would pass as normal (3.118 < 3.158): it is one of three. */
    static const double members[] = {6.01, 5.42, 5.34, 4.64, 2.0};
    for (size_t index = 0; index < MR_ARRAY_COUNT(members); index++) {
        double score = mr_extreme_judge(&test, rosner, 54, members[index], NULL).score;
        assert_int_equal(score > 1, index < 3);
    }
}

static void two_do_not_hide_each_other(void **state)
{
    MR_UNUSED(state);
    enum { SIZE = 41, OUTLIERS = 5 };
    double sample[SIZE];
    double critical[OUTLIERS];
    for (int index = 0; index < SIZE; index++)
        sample[index] = index < 39 ? index * 0.05 : 1000 + index;
    mr_sorted_window_sort(sample, SIZE);
    mr_extreme_critical(SIZE, OUTLIERS, 0.05, critical);
    struct mr_extreme_test test = {
        .outliers_max = OUTLIERS, .is_robust = true, .scale_floor = 1e-9, .critical = critical};
    struct mr_extreme_verdict verdict = mr_extreme_judge(&test, sample, SIZE, 1039, NULL);
    assert_int_equal(verdict.outliers, 2);
    assert_true(verdict.score > 100);
    assert_true(fabs(verdict.centre - 1.0) < 1e-12);
    assert_true(mr_extreme_judge(&test, sample, SIZE, 1040, NULL).score >= verdict.score);
    assert_true(mr_extreme_judge(&test, sample, SIZE, sample[3], NULL).score < 1);
}

static void equal_numbers_have_no_outlier(void **state)
{
    MR_UNUSED(state);
    double sample[20];
    double critical[3];
    for (int index = 0; index < 20; index++)
        sample[index] = 7.1;
    mr_extreme_critical(20, 3, 0.05, critical);
    for (int robust = 0; robust < 2; robust++) {
        struct mr_extreme_test test = {
            .outliers_max = 3, .is_robust = robust == 1, .scale_floor = 1e-9, .critical = critical};
        assert_true(mr_extreme_judge(&test, sample, 20, 7.1, NULL).score < 1);
        sample[19] = 8;
        assert_int_equal(mr_extreme_judge(&test, sample, 20, 8, NULL).outliers, 1);
        sample[19] = 7.1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rosners_example),
        cmocka_unit_test(two_do_not_hide_each_other),
        cmocka_unit_test(equal_numbers_have_no_outlier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
