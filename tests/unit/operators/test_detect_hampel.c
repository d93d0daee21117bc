/* tests/unit/operators/test_detect_hampel.c — detect.hampel: scores, the filtered series, series
 * that rest, stored bytes. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/detector_parity.h"
#include "tests/support/operator_harness.h"

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.hampel, from: in, key: [k], field: value%s}\n",
             options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
}

static void feed(struct harness *harness, double value)
{
    static int64_t offset;
    struct harness_row row = harness_row(++offset, "a", mr_value_double(value));
    harness_feed(harness, 0, &row, 1);
}

static double member(const struct harness *harness, const char *name)
{
    return harness_member(harness, name).number;
}

static bool is_near(double found, double expected)
{
    return fabs(found - expected) <= 1e-12 * fabs(expected);
}

static void outliers_are_replaced_by_the_median(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 4, window: {count: 5}");
    const double first[] = {1, 9, 3, 5};
    for (size_t index = 0; index < MR_ARRAY_COUNT(first); index++) {
        feed(&harness, first[index]);
        assert_true(member(&harness, "score") == 0);
        assert_true(member(&harness, "filtered") == first[index]);
        assert_int_equal(harness_member(&harness, "lower").kind, MR_KIND_NULL);
    }
    feed(&harness, 30); /* median 4, distances 3 5 1 1 */
    assert_true(member(&harness, "median") == 4);
    assert_true(is_near(member(&harness, "scale"), 1.4826 * 2));
    assert_true(is_near(member(&harness, "score"), 26 / (1.4826 * 2)));
    assert_true(is_near(member(&harness, "lower"), 4 - 3 * 1.4826 * 2));
    assert_true(is_near(member(&harness, "upper"), 4 + 3 * 1.4826 * 2));
    assert_true(member(&harness, "filtered") == 4);
    assert_text(harness_member(&harness, "severity"), "critical");
    assert_text(harness_member(&harness, "reason"),
                "value is 30, 8.768 robust standard deviations of 2.9652 above the median 4 of the "
                "last 4 records; the threshold is 3");
    feed(&harness, 7); /* the 30 was learned: 1 9 3 5 30 */
    assert_true(member(&harness, "median") == 5);
    assert_true(member(&harness, "filtered") == 7);
    assert_int_equal(harness_member(&harness, "count").integer, 5);
    harness_close(&harness);
}

static void a_series_that_rests_has_a_scale(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 4, window: {count: 10}");
    for (int round = 0; round < 10; round++)
        feed(&harness, round == 3 ? 12 : 2);
    feed(&harness, 5); /* the median deviation is 0, the mean one 1 */
    assert_true(is_near(member(&harness, "scale"), sqrt(acos(0.0))));
    assert_true(is_near(member(&harness, "score"), 3 / sqrt(acos(0.0))));
    assert_false(harness_member(&harness, "is_anomaly").boolean);
    harness_close(&harness);
}

static void a_constant_series_scores_against_the_floor(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 3, scale_floor: 0.5");
    for (int round = 0; round < 10; round++) {
        feed(&harness, 0.1);
        assert_true(member(&harness, "score") == 0);
        assert_true(member(&harness, "filtered") == 0.1);
    }
    feed(&harness, 2.1);
    assert_true(is_near(member(&harness, "score"), 4));
    assert_true(member(&harness, "filtered") == 0.1);
    harness_close(&harness);
}

static void scores_do_not_saturate(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 3, threshold: 1e300");
    for (int round = 0; round < 5; round++)
        feed(&harness, round);
    double before = 0;
    const double values[] = {1e3, 1e9, 1e100, 1e250, DBL_MAX};
    for (size_t index = 0; index < MR_ARRAY_COUNT(values); index++) {
        feed(&harness, values[index]);
        assert_true(member(&harness, "score") > before);
        before = member(&harness, "score");
        assert_true(isfinite(before) && isfinite(member(&harness, "upper")));
    }
    harness_close(&harness);
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 2, window: {count: 18}");
    for (int round = 0; round < 21; round++)
        feed(&harness, round * 0.5);
    harness_commit(&harness);
    harness_check_golden(&harness, "detect_hampel_v1");
    harness_close(&harness);
    open(&harness, ", warmup: 2, window: {count: 18}");
    harness_load_golden(&harness, "detect_hampel_v1");
    feed(&harness, 1);
    assert_true(member(&harness, "median") == 5.75); /* of 1.5 .. 10 */
    assert_true(is_near(member(&harness, "scale"), 1.4826 * 2.25));
    harness_close(&harness);
}

static void scores_equal_the_reference(void **state)
{
    MR_UNUSED(state);
    detector_parity("detect.hampel", "warmup: 30, window: {count: 200}, scale_floor: 0.001",
                    "hampel --warmup 30 --floor 0.001 --window 200", "median", "scale");
    detector_parity("detect.hampel", "warmup: 3, window: {count: 7}, scale_floor: 0.001",
                    "hampel --warmup 3 --floor 0.001 --window 7", "median", "scale");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outliers_are_replaced_by_the_median),
        cmocka_unit_test(a_series_that_rests_has_a_scale),
        cmocka_unit_test(a_constant_series_scores_against_the_floor),
        cmocka_unit_test(scores_do_not_saturate),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(scores_equal_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
