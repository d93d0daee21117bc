/* tests/unit/operators/test_spc_p.c — shares of bad items, beside published charts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

/* Cans of frozen orange juice of 50 that leak: 30 samples, and 24 after a change of the machine
 * (Montgomery, Introduction to Statistical Quality Control, chapter 7). */
static const int leaking[] = {12, 15, 8,  10, 4,  7,  16, 9,  14, 10, 5, 6, 17, 12, 22, 8, 10, 5,
                              13, 11, 20, 18, 24, 15, 9,  12, 7,  13, 9, 6, 9,  6,  12, 5, 6,  4,
                              6,  3,  7,  6,  2,  4,  3,  6,  5,  4,  8, 5, 6,  7,  5,  6, 3,  5};

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: spc.p, from: in, key: [k], field: value%s}\n", options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
}

static double member(const struct harness *harness, const char *name)
{
    return harness_member(harness, name).number;
}

static bool is_near(double found, double expected, double tolerance)
{
    return fabs(found - expected) <= tolerance;
}

static void feed(struct harness *harness, double count, double size)
{
    static int64_t offset;
    struct harness_row row = harness_row(++offset, "a", mr_value_double(count));
    row.cells[2] = (struct harness_cell){"units", mr_value_double(size)};
    harness_feed(harness, 0, &row, 1);
}

/* Limits as published: 0.0524 to 0.4102 around 0.2313, and samples 15 and 23 are beyond. */
static void the_orange_juice(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", sample_size: 50, phase1: {subgroups: 30, exclude: none}");
    for (int index = 0; index < 30; index++) {
        feed(&harness, leaking[index], 50);
        assert_text(harness_member(&harness, "state"), "learning");
        assert_true(member(&harness, "value") == leaking[index] / 50.0);
        assert_int_equal(harness_member(&harness, "upper").kind, MR_KIND_NULL);
    }
    feed(&harness, leaking[14], 50);
    assert_true(is_near(member(&harness, "center"), 347.0 / 1500, 1e-12));
    assert_true(is_near(member(&harness, "lower"), 0.0524, 5e-5));
    assert_true(is_near(member(&harness, "upper"), 0.4102, 5e-5));
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    feed(&harness, leaking[20], 50);
    assert_false(harness_member(&harness, "is_anomaly").boolean);
    feed(&harness, leaking[22], 50);
    assert_text(harness_member(&harness, "severity"), "critical");
    assert_non_null(strstr(harness_output(&harness, 1), "the share of value is 0.48, above"));
    harness_close(&harness);
}

/* Without 15 and 23 the limits are 0.0407 and 0.3893, as published; then 21 is beyond too. Of the
 * next 24 samples the eleventh is below. */
static void revised_limits(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", sample_size: 50, limits: {cl: 0.215}");
    for (int index = 0; index < 54; index++) {
        feed(&harness, leaking[index], 50);
        assert_int_equal(harness_member(&harness, "is_anomaly").boolean,
                         index == 14 || index == 20 || index == 22 || index == 40);
    }
    assert_true(is_near(member(&harness, "lower"), 0.0407, 5e-5));
    assert_true(is_near(member(&harness, "upper"), 0.3893, 5e-5));
    harness_close(&harness);
    open(&harness, ", sample_size: 50, phase1: {subgroups: 30}");
    for (int index = 0; index < 31; index++)
        feed(&harness, leaking[index], 50);
    assert_true(is_near(member(&harness, "center"), (347.0 - 22 - 24 - 20) / 1350, 1e-12));
    harness_close(&harness);
}

/* Purchase orders with errors, of 80 to 120 a week (Montgomery, chapter 7): the eleventh week is
 * beyond, by limits of its own size. */
static void sizes_that_differ(void **state)
{
    MR_UNUSED(state);
    static const int sizes[] = {100, 80,  80, 100, 110, 110, 100, 100, 90,  90,  110, 120, 120,
                                120, 110, 80, 80,  80,  90,  100, 100, 100, 100, 90,  90};
    static const int errors[] = {12, 8, 6, 9,  10, 12, 11, 16, 10, 6,  20, 15, 9,
                                 8,  6, 8, 10, 7,  5,  8,  5,  8,  10, 6,  9};
    struct harness harness;
    open(&harness, ", size: units, limits: {cl: 0.09551020408163266}");
    for (int index = 0; index < 25; index++) {
        feed(&harness, errors[index], sizes[index]);
        double p = 234.0 / 2450;
        double reach = 3 * sqrt(p * (1 - p) / sizes[index]);
        assert_true(is_near(member(&harness, "upper"), p + reach, 1e-12));
        assert_true(is_near(member(&harness, "lower"), fmax(0, p - reach), 1e-12));
        assert_true(is_near(member(&harness, "score"),
                            fabs(errors[index] / (double)sizes[index] - p) / reach * 3, 1e-9));
        assert_int_equal(harness_member(&harness, "is_anomaly").boolean, index == 10);
    }
    harness_close(&harness);
    open(&harness, ", size: units, phase1: {exclude: none}");
    for (int index = 0; index < 25; index++)
        feed(&harness, errors[index], sizes[index]);
    feed(&harness, 5, 100);
    assert_true(is_near(member(&harness, "center"), 234.0 / 2450, 1e-12));
    harness_close(&harness);
}

static void limits_end_at_0_and_1(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", sample_size: 10, limits: {cl: 0.02}");
    feed(&harness, 0, 0);
    assert_true(member(&harness, "lower") == 0 && member(&harness, "score") > 0);
    assert_false(harness_member(&harness, "is_anomaly").boolean);
    harness_close(&harness);
    open(&harness, ", sample_size: 10, limits: {cl: 0.98}");
    feed(&harness, 10, 0);
    assert_true(member(&harness, "upper") == 1 && member(&harness, "value") == 1);
    assert_false(harness_member(&harness, "is_anomaly").boolean);
    harness_close(&harness);
    /* Given limits are as they are given, and may be on one side farther away. */
    open(&harness, ", sample_size: 10, limits: {cl: 0.2, lcl: 0, ucl: 0.5}");
    feed(&harness, 5, 0);
    assert_false(harness_member(&harness, "is_anomaly").boolean);
    assert_true(is_near(member(&harness, "score"), 3, 1e-12));
    feed(&harness, 6, 0);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_true(member(&harness, "upper") == 0.5 && member(&harness, "lower") == 0);
    harness_close(&harness);
}

/* Samples without any bad item say that there are none: the first is beyond. */
static void nothing_is_bad(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", size: units, phase1: {subgroups: 4}");
    for (int index = 0; index < 9; index++) {
        feed(&harness, index % 2 == 0 ? 0 : -0.0, 20 + index);
        assert_false(harness_member(&harness, "is_anomaly").boolean);
        assert_true(member(&harness, "score") == 0);
    }
    feed(&harness, 1, 20);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_true(isfinite(member(&harness, "score")));
    assert_true(member(&harness, "lower") == 0 && member(&harness, "upper") == 0);
    harness_close(&harness);
    /* Nor is one that is bad where all were. */
    open(&harness, ", size: units, phase1: {subgroups: 4}, baseline: exponential");
    for (int index = 0; index < 9; index++)
        feed(&harness, 49 + index, 49 + index);
    assert_true(member(&harness, "center") == 1 && member(&harness, "score") == 0);
    harness_close(&harness);
}

static void a_baseline_follows_by_size(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", size: units, phase1: {subgroups: 2}, baseline: cumulative, learn: always");
    feed(&harness, 10, 100);
    feed(&harness, 30, 100);
    feed(&harness, 8, 40);
    harness_commit(&harness);
    harness_restore(&harness);
    feed(&harness, 5, 10);
    assert_true(is_near(member(&harness, "center"), 48.0 / 240, 1e-15));
    feed(&harness, 5, 10);
    assert_true(is_near(member(&harness, "center"), 53.0 / 250, 1e-15));
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_orange_juice),  cmocka_unit_test(revised_limits),
        cmocka_unit_test(sizes_that_differ), cmocka_unit_test(limits_end_at_0_and_1),
        cmocka_unit_test(nothing_is_bad),    cmocka_unit_test(a_baseline_follows_by_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
