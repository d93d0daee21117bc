/* tests/unit/operators/test_spc_i_mr.c — single values and moving ranges, beside numpy. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"
#include "tests/support/piston_rings.h"

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: spc.i_mr, from: in, key: [k], field: value%s}\n", options);
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

/* The first 25 diameters as single values. */
static void limits_by_moving_ranges(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", phase1: {exclude: none}");
    feed(&harness, piston_rings[0]);
    assert_int_equal(harness_member(&harness, "spread").kind, MR_KIND_NULL);
    assert_int_equal(harness_member(&harness, "center").kind, MR_KIND_NULL);
    for (int index = 1; index < 25; index++)
        feed(&harness, piston_rings[index]);
    assert_text(harness_member(&harness, "state"), "learning");
    feed(&harness, 74.005);
    assert_text(harness_member(&harness, "state"), "armed");
    assert_true(fabs(member(&harness, "center") - 74.00504) < 1e-9);
    assert_true(fabs(member(&harness, "lower") - 73.9682615825937) < 1e-9);
    assert_true(fabs(member(&harness, "upper") - 74.04181841740629) < 1e-9);
    assert_true(fabs(member(&harness, "spread_center") - 0.013833333333332476) < 1e-9);
    assert_true(fabs(member(&harness, "spread_upper") - 0.04518702488337284) < 1e-9);
    assert_true(fabs(member(&harness, "spread") - fabs(74.005 - piston_rings[24])) < 1e-12);
    harness_close(&harness);
}

static void rules_are_named_with_their_points(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", limits: {cl: 0, sigma: 1}, rules: [western_electric, nelson8]");
    feed(&harness, 0);
    feed(&harness, 2.5);
    assert_false(harness_member(&harness, "is_anomaly").boolean);
    assert_true(member(&harness, "score") == 2.5);
    feed(&harness, 1);
    feed(&harness, 2.6);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_text(harness_member(&harness, "severity"), "warning");
    struct mr_value rules = harness_member(&harness, "rules");
    assert_int_equal(rules.size, 1);
    assert_text(rules.items[0].entries[0].value, "we2");
    assert_text(rules.items[0].entries[1].value, "value");
    assert_int_equal(rules.items[0].entries[2].value.size, 2);
    assert_int_equal(rules.items[0].entries[2].value.items[0].integer, 2);
    assert_int_equal(rules.items[0].entries[2].value.items[1].integer, 4);
    /* Down by 5.7: beyond the limits of the value, and of the moving range (3.686). */
    feed(&harness, -3.1);
    rules = harness_member(&harness, "rules");
    assert_int_equal(rules.size, 2);
    assert_text(rules.items[0].entries[0].value, "we1");
    assert_text(rules.items[1].entries[1].value, "spread");
    assert_text(harness_member(&harness, "severity"), "critical");
    assert_non_null(strstr(harness_output(&harness, 1), "below the lower limit"));
    assert_int_equal(harness.emitted_count[1], 2);
    harness_close(&harness);
}

static void constant_data(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness,
         ", phase1: {subgroups: 5}, rules: [western_electric, nelson2, nelson3, nelson4]");
    for (int round = 0; round < 30; round++) {
        feed(&harness, 7.1);
        assert_false(harness_member(&harness, "is_anomaly").boolean);
        assert_true(member(&harness, "score") == 0);
    }
    feed(&harness, 7.2);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_true(isfinite(member(&harness, "score")));
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_by_moving_ranges),
        cmocka_unit_test(rules_are_named_with_their_points),
        cmocka_unit_test(constant_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
