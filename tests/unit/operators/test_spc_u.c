/* tests/unit/operators/test_spc_u.c — defects per unit, beside published charts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: spc.u, from: in, key: [k], field: value%s}\n", options);
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

/* Defects of 20 samples of five computers (Montgomery, Introduction to Statistical Quality Control,
 * chapter 7): 0.07 to 3.79 around 1.93, none beyond. */
static void the_computers(void **state)
{
    MR_UNUSED(state);
    static const int defects[] = {10, 12, 8, 14, 10, 16, 11, 7,  10, 15,
                                  9,  5,  7, 11, 12, 6,  8,  10, 7,  5};
    struct harness harness;
    open(&harness, ", sample_size: 5, phase1: {subgroups: 20, exclude: none}");
    for (int index = 0; index < 40; index++) {
        feed(&harness, defects[index % 20], 0);
        assert_true(member(&harness, "value") == defects[index % 20] / 5.0);
        assert_false(harness_member(&harness, "is_anomaly").boolean);
    }
    assert_true(is_near(member(&harness, "center"), 1.93, 1e-12));
    assert_true(is_near(member(&harness, "lower"), 0.07, 5e-3));
    assert_true(is_near(member(&harness, "upper"), 3.79, 5e-3));
    harness_close(&harness);
}

/* Rolls of dyed cloth of 8 to 13 inspection units, also half ones, with limits of their own sizes
 * as published (the same). */
static void sizes_that_differ(void **state)
{
    MR_UNUSED(state);
    static const double units[] = {10, 8, 13, 10, 9.5, 10, 12, 10.5, 12, 12.5};
    static const int defects[] = {14, 12, 20, 11, 7, 10, 21, 16, 19, 23};
    static const double lower[] = {0.29, 0.16, 0.43, 0.29, 0.26, 0.29, 0.39, 0.32, 0.39, 0.41};
    static const double upper[] = {2.55, 2.68, 2.41, 2.55, 2.58, 2.55, 2.45, 2.52, 2.45, 2.43};
    struct harness harness;
    open(&harness, ", size: units, phase1: {subgroups: 10, exclude: none}");
    for (int index = 0; index < 10; index++)
        feed(&harness, defects[index], units[index]);
    for (int index = 0; index < 10; index++) {
        double center = 153 / 107.5;
        double reach = 3 * sqrt(center / units[index]);
        feed(&harness, defects[index], units[index]);
        assert_true(is_near(member(&harness, "center"), center, 1e-12));
        assert_true(is_near(member(&harness, "lower"), center - reach, 1e-12));
        assert_true(is_near(member(&harness, "upper"), center + reach, 1e-12));
        assert_true(is_near(member(&harness, "lower"), lower[index], 0.01));
        assert_true(is_near(member(&harness, "upper"), upper[index], 0.01));
        assert_false(harness_member(&harness, "is_anomaly").boolean);
    }
    feed(&harness, 26, 10);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_non_null(strstr(harness_output(&harness, 1), "the rate of value is 2.6, above"));
    harness_close(&harness);
}

/* More defects than units; the smallest and the largest samples. */
static void sizes_at_their_ends(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", size: units, limits: {cl: 2.5}");
    feed(&harness, 9, 1);
    assert_true(member(&harness, "value") == 9 && member(&harness, "lower") == 0);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    feed(&harness, 1e15, 1e-9);
    assert_true(isfinite(member(&harness, "value")) && isfinite(member(&harness, "score")));
    assert_true(isfinite(member(&harness, "upper")));
    feed(&harness, 0, 1e15);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_int_equal(harness.errors_count, 0);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_computers),
        cmocka_unit_test(sizes_that_differ),
        cmocka_unit_test(sizes_at_their_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
