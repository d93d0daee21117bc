/* tests/unit/operators/test_spc_c.c — numbers of defects, beside a published chart. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

/* Defects of 26 samples of 100 printed circuit boards, and of 20 more (Montgomery, Introduction to
 * Statistical Quality Control, chapter 7). */
static const int defects[] = {21, 24, 16, 12, 15, 5,  28, 20, 31, 25, 20, 24, 16, 19, 10, 17,
                              13, 22, 18, 39, 30, 24, 16, 19, 17, 15, 16, 18, 12, 15, 24, 21,
                              28, 20, 25, 19, 18, 21, 16, 22, 19, 12, 14, 9,  16, 21};

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: spc.c, from: in, key: [k], field: value%s}\n", options);
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

static void feed(struct harness *harness, double count)
{
    static int64_t offset;
    struct harness_row row = harness_row(++offset, "a", mr_value_double(count));
    harness_feed(harness, 0, &row, 1);
}

/* 6.48 to 33.22 around 19.85, as published; samples 6 and 20 are beyond. */
static void the_circuit_boards(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", phase1: {subgroups: 26, exclude: none}");
    for (int index = 0; index < 26; index++)
        feed(&harness, defects[index]);
    for (int index = 0; index < 26; index++) {
        feed(&harness, defects[index]);
        assert_true(member(&harness, "value") == defects[index]);
        assert_int_equal(harness_member(&harness, "is_anomaly").boolean, index == 5 || index == 19);
    }
    assert_true(is_near(member(&harness, "center"), 516.0 / 26, 1e-12));
    assert_true(is_near(member(&harness, "lower"), 6.48, 5e-3));
    assert_true(is_near(member(&harness, "upper"), 33.21, 5e-3));
    assert_true(is_near(member(&harness, "score"), fabs(15 - 516.0 / 26) / sqrt(516.0 / 26), 1e-9));
    harness_close(&harness);
}

/* Without the two: 6.36 to 32.97 around 19.67; none of the next 20 is beyond. */
static void revised_limits(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", phase1: {subgroups: 26}");
    for (int index = 0; index < 46; index++) {
        feed(&harness, defects[index]);
        assert_false(harness_member(&harness, "is_anomaly").boolean);
    }
    assert_true(is_near(member(&harness, "center"), 472.0 / 24, 1e-12));
    assert_true(is_near(member(&harness, "lower"), 6.36, 5e-3));
    assert_true(is_near(member(&harness, "upper"), 32.97, 5e-3));
    assert_int_equal(harness.emitted_count[1], 0);
    harness_close(&harness);
}

static void few_defects(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", limits: {cl: 4}");
    feed(&harness, 0);
    assert_true(member(&harness, "lower") == 0 && member(&harness, "upper") == 10);
    assert_true(member(&harness, "score") == 2);
    assert_false(harness_member(&harness, "is_anomaly").boolean);
    feed(&harness, 10);
    assert_false(harness_member(&harness, "is_anomaly").boolean);
    feed(&harness, 11);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    feed(&harness, 1e15);
    assert_true(isfinite(member(&harness, "score")));
    harness_close(&harness);
    open(&harness, ", limits: {cl: 0}");
    feed(&harness, 0);
    assert_false(harness_member(&harness, "is_anomaly").boolean);
    feed(&harness, 1);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_true(isfinite(member(&harness, "score")));
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_circuit_boards),
        cmocka_unit_test(revised_limits),
        cmocka_unit_test(few_defects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
