/* tests/unit/operators/test_spc_t2.c — T2 of single records: by hand for given limits, both phases
 * over restarts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static int64_t offset;

static void feed(struct harness *harness, double value, double second, double third)
{
    struct harness_row row = {.offset = ++offset,
                              .event_time_ms = 1000 * offset,
                              .cells = {{"k", mr_value_string(mr_slice_text("a"))},
                                        {"value", mr_value_double(value)},
                                        {"second", mr_value_double(second)},
                                        {"third", mr_value_double(third)}}};
    harness_feed(harness, 0, &row, 1);
}

static void open(struct harness *harness, const char *options)
{
    char text[512];
    offset = 0;
    snprintf(text, sizeof(text), "    - {name: op, type: spc.t2, from: in, key: [k], %s}\n",
             options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
}

/* Two fields with correlation 0.6: T2 = (z1^2 - 2 r z1 z2 + z2^2) / (1 - r^2). */
static void given_limits(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "fields: [value, second], alpha: 0.01, limits: {values: [{cl: 10, sigma: 2}, "
                   "{cl: -1, sigma: 0.5}], correlations: [{first: second, second: value, "
                   "is: 0.6}]}");
    feed(&harness, 13, -1.75, 0); /* z 1.5 and -1.5, which do not belong together */
    double squared = (1.5 * 1.5 + 2 * 0.6 * 1.5 * 1.5 + 1.5 * 1.5) / (1 - 0.36);
    assert_true(fabs(harness_member(&harness, "value").number - squared) < 1e-12);
    assert_true(fabs(harness_member(&harness, "upper").number + 2 * log(0.01)) < 1e-10);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_text(harness_member(&harness, "severity"), "critical");
    assert_text(harness_member(&harness, "rules").items[0].entries[0].value, "limits");
    struct mr_value contributions = harness_member(&harness, "contributions");
    assert_text(contributions.entries[1].key, "second");
    assert_true(fabs(contributions.entries[1].value.number - (squared - 2.25)) < 1e-12);
    feed(&harness, 13, -0.25, 0); /* as far in each field, and together */
    assert_true(fabs(harness_member(&harness, "value").number - 2.25 * 0.8 / 0.64) < 1e-12);
    assert_false(harness_member(&harness, "is_anomaly").boolean);
    assert_int_equal(harness.emitted_count[1], 1);
    harness_close(&harness);
}

/* One field is the square of Student's t: ((x - mean) / s)^2 n / (n + 1). */
static void two_phases_over_restarts(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "fields: [value], phase1: {subgroups: 10, exclude: none}, alpha: 0.01");
    for (int round = 0; round < 10; round++) {
        feed(&harness, round, 0, 0);
        assert_text(harness_member(&harness, "state"), "learning");
        assert_int_equal(harness_member(&harness, "upper").kind, MR_KIND_NULL);
        harness_commit(&harness);
        harness_restore(&harness);
    }
    feed(&harness, 16, 0, 0);
    assert_true(fabs(harness_member(&harness, "value").number - 11.5 * 11.5 / (82.5 / 9)) < 1e-12);
    /* 3.2498355^2 is the quantile of F(1, 9) at 0.01. */
    assert_true(fabs(harness_member(&harness, "upper").number -
                     1.1 * 3.249835541592141 * 3.249835541592141) < 1e-9);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_int_equal(harness_member(&harness, "point").integer, 11);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(given_limits),
        cmocka_unit_test(two_phases_over_restarts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
