/* tests/unit/operators/test_detect_iqr.c — detect.iqr: fences, series that rest, stored bytes. */
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
             "    - {name: op, type: detect.iqr, from: in, key: [k], field: value%s}\n", options);
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

static void scores_are_ranges_beyond_the_quartiles(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 6, window: {count: 8}");
    const double first[] = {4, 32, 1, 8, 2, 16};
    for (size_t index = 0; index < MR_ARRAY_COUNT(first); index++) {
        feed(&harness, first[index]);
        assert_true(member(&harness, "score") == 0);
        assert_int_equal(harness_member(&harness, "upper").kind, MR_KIND_NULL);
    }
    feed(&harness, 60); /* quartiles 2.5 and 14 */
    assert_true(member(&harness, "q1") == 2.5);
    assert_true(member(&harness, "q3") == 14);
    assert_true(member(&harness, "iqr") == 11.5);
    assert_true(member(&harness, "lower") == 2.5 - 1.5 * 11.5);
    assert_true(member(&harness, "upper") == 14 + 1.5 * 11.5);
    assert_true(is_near(member(&harness, "score"), 46 / 11.5));
    assert_text(harness_member(&harness, "severity"), "critical");
    assert_text(harness_member(&harness, "reason"),
                "value is 60, 4 interquartile ranges of 11.5 above the upper quartile 14 of the "
                "last 6 records; the threshold is 1.5");
    feed(&harness, 4); /* 1 2 4 8 16 32 60: quartiles 3 and 24 */
    assert_true(member(&harness, "q1") == 3);
    assert_true(member(&harness, "q3") == 24);
    assert_true(member(&harness, "score") == 0);
    feed(&harness, -50); /* and 4: 3.5 and 20 */
    assert_true(is_near(member(&harness, "score"), 53.5 / 16.5));
    assert_text(harness_member(&harness, "reason"),
                "value is -50, 3.242 interquartile ranges of 16.5 below the lower quartile 3.5 of "
                "the last 8 records; the threshold is 1.5");
    harness_close(&harness);
}

static void tukeys_outer_fence_is_critical(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 5, learn: never");
    for (int round = 0; round < 5; round++)
        feed(&harness, round); /* quartiles 1 and 3 */
    feed(&harness, 6);
    assert_text(harness_member(&harness, "severity"), "info"); /* on the fence */
    feed(&harness, 6.5);
    assert_text(harness_member(&harness, "severity"), "warning");
    feed(&harness, 9);
    assert_text(harness_member(&harness, "severity"), "critical");
    harness_close(&harness);
}

static void a_series_that_rests_has_a_range(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 4, window: {count: 10}");
    for (int round = 0; round < 10; round++)
        feed(&harness, round == 3 ? 12 : 2);
    feed(&harness, 5); /* both quartiles are 2, the mean distance from the median 1 */
    assert_true(is_near(member(&harness, "iqr"), 1.6906950787902988));
    assert_true(is_near(member(&harness, "score"), 3 / 1.6906950787902988));
    harness_close(&harness);
}

static void a_constant_series_scores_against_the_floor(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 4, scale_floor: 0.5, threshold: 1e300");
    for (int round = 0; round < 10; round++) {
        feed(&harness, 0.1);
        assert_true(member(&harness, "score") == 0);
    }
    feed(&harness, 2.1);
    assert_true(is_near(member(&harness, "score"), 4));
    double before = 4;
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
    open(&harness, ", warmup: 4, window: {count: 17}");
    for (int round = 0; round < 21; round++)
        feed(&harness, round * 0.5);
    harness_commit(&harness);
    harness_check_golden(&harness, "detect_iqr_v1");
    harness_close(&harness);
    open(&harness, ", warmup: 4, window: {count: 17}");
    harness_load_golden(&harness, "detect_iqr_v1");
    feed(&harness, 1); /* of 2 .. 10 */
    assert_true(member(&harness, "q1") == 4);
    assert_true(member(&harness, "q3") == 8);
    harness_close(&harness);
}

static void scores_equal_the_reference(void **state)
{
    MR_UNUSED(state);
    detector_parity("detect.iqr", "warmup: 30, window: {count: 200}, scale_floor: 0.001",
                    "iqr --warmup 30 --floor 0.001 --window 200", "q1", "q3");
    detector_parity("detect.iqr", "warmup: 4, window: {count: 7}, scale_floor: 0.001",
                    "iqr --warmup 4 --floor 0.001 --window 7", "q1", "q3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_ranges_beyond_the_quartiles),
        cmocka_unit_test(tukeys_outer_fence_is_critical),
        cmocka_unit_test(a_series_that_rests_has_a_range),
        cmocka_unit_test(a_constant_series_scores_against_the_floor),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(scores_equal_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
